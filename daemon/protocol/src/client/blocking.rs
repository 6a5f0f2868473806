//! A client for commands and tests: one thread, waits for what it asked.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{ClientError, Message, Session};
use crate::wire::{Hello, Welcome};

/// A connection that blocks.
pub struct Blocking {
    stream: UnixStream,
    session: Session,
    /// How long an answer may take.
    pub patience: Duration,
}

impl Blocking {
    /// Connects and says hello.
    ///
    /// # Errors
    /// Nobody listens at `path`, or the server refuses the hello.
    pub fn connect(path: &Path, hello: &Hello) -> Result<(Self, Welcome), ClientError> {
        let stream = UnixStream::connect(path)?;
        let mut client =
            Self { stream, session: Session::default(), patience: Duration::from_secs(10) };
        let params = serde_json::to_value(hello).unwrap_or(Value::Null);
        let welcome = client.call("hello", params)?;
        let welcome =
            serde_json::from_value(welcome).map_err(|e| ClientError::Garbled(e.to_string()))?;
        Ok((client, welcome))
    }

    /// Asks and waits for the answer. What else arrives meanwhile is kept for [`Blocking::next`].
    ///
    /// # Errors
    /// The server refuses, does not answer in time, or is gone.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, ClientError> {
        let (wanted, line) = self.session.request(method, params);
        let deadline = Instant::now() + self.patience;
        if let Err(gone) = self.stream.write_all(line.as_bytes()) {
            // Who is shown the door is told why, and that is still to be read.
            return Err(match self.next_until(deadline) {
                Err(ClientError::Refused(why)) => ClientError::Refused(why),
                _ => gone.into(),
            });
        }
        let mut others = VecDeque::new();
        let result = loop {
            match self.next_until(deadline) {
                Ok(Some(Message::Answer { id, result })) if id == wanted => {
                    break result.map_err(ClientError::from);
                }
                Ok(Some(other)) => others.push_back(other),
                Ok(None) => {
                    let millis = u64::try_from(self.patience.as_millis()).unwrap_or(u64::MAX);
                    break Err(ClientError::Late(millis));
                }
                Err(gone) => break Err(gone),
            }
        };
        self.session.put_back(others);
        result
    }

    /// Sends without waiting; the answer comes from [`Blocking::next`] with the number returned.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(&mut self, method: &str, params: Value) -> Result<u64, ClientError> {
        let (id, line) = self.session.request(method, params);
        self.stream.write_all(line.as_bytes())?;
        Ok(id)
    }

    /// The next message; `None` when none came within `timeout`.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Message>, ClientError> {
        self.next_until(Instant::now() + timeout)
    }

    fn next_until(&mut self, deadline: Instant) -> Result<Option<Message>, ClientError> {
        let mut buffer = [0; 8192];
        loop {
            if let Some(message) = self.session.message() {
                return Ok(Some(message));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(n) => self.session.received(buffer.get(..n).unwrap_or_default())?,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == io::ErrorKind::TimedOut => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}
