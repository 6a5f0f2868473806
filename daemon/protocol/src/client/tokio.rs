//! A client for an asynchronous shell: requests are queued at once, messages awaited.

use std::io;
use std::path::Path;

use ::tokio::io::Interest;
use ::tokio::net::UnixStream;
use serde_json::Value;

use super::session::own_fault;
use super::{ClientError, Message, Session};
use crate::wire::{Hello, Welcome};

/// Octets that may wait to be sent.
pub const QUEUE_OCTETS_MAX: usize = 16 << 20;

/// A connection under tokio. [`Async::next`] drives both directions and may be dropped and called again
/// at any time (`select!`) without losing anything.
pub struct Async {
    stream: UnixStream,
    session: Session,
    output: Vec<u8>,
    sent: usize,
}

impl Async {
    /// Connects and says hello.
    ///
    /// # Errors
    /// Nobody listens at `path`, or the server refuses the hello.
    pub async fn connect(path: &Path, hello: &Hello) -> Result<(Self, Welcome), ClientError> {
        let stream = UnixStream::connect(path).await?;
        let mut client = Self { stream, session: Session::default(), output: Vec::new(), sent: 0 };
        let params = serde_json::to_value(hello).unwrap_or(Value::Null);
        let wanted = client.send("hello", params)?;
        loop {
            if let Message::Answer { id, result } = client.next().await?
                && id == wanted
            {
                let welcome = serde_json::from_value(result?)
                    .map_err(|e| ClientError::Garbled(e.to_string()))?;
                return Ok((client, welcome));
            }
        }
    }

    /// Queues a request and returns its number; [`Async::next`] sends it. A request that changes
    /// something has its `key` among `params`.
    ///
    /// # Errors
    /// The server takes nothing any more and the queue is full.
    pub fn send(&mut self, method: &str, params: Value) -> Result<u64, ClientError> {
        if self.output.len() - self.sent > QUEUE_OCTETS_MAX {
            return Err(own_fault("the server does not read").into());
        }
        let (id, line) = self.session.request(method, params);
        self.output.extend_from_slice(line.as_bytes());
        Ok(id)
    }

    /// Whether requests wait to be sent.
    pub fn unsent(&self) -> bool {
        self.sent < self.output.len()
    }

    /// The next message. Sends what is queued while it waits.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn next(&mut self) -> Result<Message, ClientError> {
        loop {
            self.flush()?;
            if let Some(message) = self.session.message() {
                return Ok(message);
            }
            let interest = if self.unsent() {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            let ready = self.stream.ready(interest).await?;
            if ready.is_readable() {
                let mut buffer = [0; 16_384];
                match self.stream.try_read(&mut buffer) {
                    Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                    Ok(n) => self.session.received(buffer.get(..n).unwrap_or_default())?,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) => return Err(e.into()),
                }
            }
        }
    }

    /// Sends what the socket takes at once.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        while let Some(rest) = self.output.get(self.sent..).filter(|r| !r.is_empty()) {
            match self.stream.try_write(rest) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            }
        }
        if !self.unsent() {
            self.output.clear();
            self.sent = 0;
        }
        Ok(())
    }
}
