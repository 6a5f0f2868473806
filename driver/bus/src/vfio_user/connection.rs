//! One connection: a question, its answer, and what may come in between.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::message::{
    CLAIMED_OCTETS_MAX, Command, HEADER_OCTETS, Header, MESSAGE_OCTETS_MAX, Writer,
};
use crate::send_with_descriptors;

/// Messages that may come between a question and its answer before the other side is taken for mad.
const BETWEEN_MAX: u32 = 1024;

/// Why a question has no good answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The other side said no, with an error number of the system. The connection goes on.
    Refused(u32),
    /// The connection is over.
    Gone(String),
}

impl Failure {
    /// In words, for somebody who wanted `what`.
    pub(super) fn explain(self, what: &str) -> String {
        match self {
            Self::Refused(error) => {
                let error = io::Error::from_raw_os_error(error.cast_signed());
                format!("the other side refused {what}: {error}")
            }
            Self::Gone(why) => why,
        }
    }
}

/// A connected socket with the ids of its messages.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    next_id: u16,
    /// Why it ended, once it did: out of step with the other side there is no way back.
    ended: Option<String>,
}

impl Connection {
    /// Over `stream`; the other side is given up when it is silent for `timeout` after a question.
    pub(super) fn new(stream: UnixStream, timeout: Duration) -> io::Result<Self> {
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self { stream, next_id: 0, ended: None })
    }

    /// Asks, and waits for the answer. Returns how many octets of it were put into `answer`.
    pub(super) fn ask(
        &mut self,
        command: Command,
        payload: &[u8],
        descriptors: &[BorrowedFd<'_>],
        answer: &mut [u8],
    ) -> Result<usize, Failure> {
        self.checked(|connection| {
            let id = connection.send(command, payload, descriptors, true)?;
            connection.receive(id, command, answer)
        })
    }

    /// Tells, and waits for nothing.
    pub(super) fn tell(&mut self, command: Command, payload: &[u8]) -> Result<(), Failure> {
        self.checked(|connection| connection.send(command, payload, &[], false).map(drop))
    }

    /// Remembers the end of the connection.
    fn checked<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Some(why) = &self.ended {
            return Err(Failure::Gone(why.clone()));
        }
        let result = work(self);
        if let Err(Failure::Gone(why)) = &result {
            self.ended = Some(why.clone());
        }
        result
    }

    fn send(
        &mut self,
        command: Command,
        payload: &[u8],
        descriptors: &[BorrowedFd<'_>],
        answered: bool,
    ) -> Result<u16, Failure> {
        self.next_id = self.next_id.wrapping_add(1);
        let octets = HEADER_OCTETS + payload.len();
        let header = Header::command(self.next_id, command, octets as u32, answered);
        let mut message = [0; MESSAGE_OCTETS_MAX];
        let mut writer = Writer::new(&mut message);
        writer.octets(&header.to_octets()).octets(payload);
        let octets = writer.len();
        let message = message.get(..octets).unwrap_or_default();
        let sent = if descriptors.is_empty() {
            0
        } else {
            send_with_descriptors(self.stream.as_fd(), message, descriptors).map_err(gone)?
        };
        self.stream.write_all(message.get(sent..).unwrap_or_default()).map_err(gone)?;
        Ok(self.next_id)
    }

    fn receive(&mut self, id: u16, command: Command, answer: &mut [u8]) -> Result<usize, Failure> {
        for _ in 0..BETWEEN_MAX {
            let mut header = [0; HEADER_OCTETS];
            self.stream.read_exact(&mut header).map_err(gone)?;
            let header = Header::from_octets(&header);
            let octets = header.octets as usize;
            if !(HEADER_OCTETS..=CLAIMED_OCTETS_MAX).contains(&octets) {
                return Err(Failure::Gone(format!("a message claims to have {octets} octets")));
            }
            let payload = octets - HEADER_OCTETS;
            if !header.is_reply() {
                self.discard(payload)?;
                self.refuse(header)?;
            } else if header.id != id {
                // The answer to something that wanted none.
                self.discard(payload)?;
            } else if header.is_error() {
                self.discard(payload)?;
                return Err(Failure::Refused(header.error));
            } else if header.command != command as u16 {
                let other = header.command;
                return Err(Failure::Gone(format!("{command:?} was answered as command {other}")));
            } else {
                let wanted = payload.min(answer.len());
                let (place, _) = answer.split_at_mut(wanted);
                self.stream.read_exact(place).map_err(gone)?;
                self.discard(payload - wanted)?;
                return Ok(wanted);
            }
        }
        Err(Failure::Gone(format!("{BETWEEN_MAX} messages, and none of them the answer")))
    }

    /// This side has no registers to ask for, and its memory went over as descriptors.
    fn refuse(&mut self, header: Header) -> Result<(), Failure> {
        if !header.wants_reply() {
            return Ok(());
        }
        let refusal = Header::refusal(header, nix::libc::ENOTSUP.cast_unsigned());
        self.stream.write_all(&refusal.to_octets()).map_err(gone)
    }

    fn discard(&mut self, mut octets: usize) -> Result<(), Failure> {
        let mut nowhere = [0; 256];
        while octets > 0 {
            let (part, _) = nowhere.split_at_mut(octets.min(256));
            self.stream.read_exact(part).map_err(gone)?;
            octets -= part.len();
        }
        Ok(())
    }
}

fn gone(error: io::Error) -> Failure {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock};
    Failure::Gone(match error.kind() {
        UnexpectedEof | BrokenPipe | ConnectionReset => "the process behind it ended".into(),
        WouldBlock | TimedOut => "the process behind it does not answer".into(),
        _ => error.to_string(),
    })
}
