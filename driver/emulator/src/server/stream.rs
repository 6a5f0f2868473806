//! A client's socket: whole messages in, whole answers out, and no waiting for half of one.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bus::receive_with_descriptors;

use super::wire::{HEADER_OCTETS, Header};

/// How long a client may leave an answer unread before it counts as gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Descriptors that may come with one message.
const FILES_MAX: usize = 16;

/// What a look at the socket gave.
pub(crate) enum Looked {
    /// A whole message; [`Stream::parts`] has the rest of it.
    Message(Header),
    /// Not yet.
    Nothing,
    /// The client is gone, or sends what is no message.
    Gone,
}

/// The socket and the message that is coming in.
pub(crate) struct Stream {
    socket: UnixStream,
    octets: Vec<u8>,
    filled: usize,
    header: Option<Header>,
    /// Descriptors that came with this message.
    files: Vec<OwnedFd>,
}

impl Stream {
    pub(crate) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        let octets = vec![0; HEADER_OCTETS];
        Ok(Self { socket, octets, filled: 0, header: None, files: Vec::new() })
    }
    pub(crate) fn socket(&self) -> &UnixStream {
        &self.socket
    }
    /// The body and the descriptors of the message just seen.
    pub(crate) fn parts(&mut self) -> (&[u8], &mut Vec<OwnedFd>) {
        (self.octets.get(HEADER_OCTETS..).unwrap_or_default(), &mut self.files)
    }

    /// Reads on, without waiting. Header and body are read apart, so that a descriptor always belongs
    /// to the message in hand.
    pub(crate) fn look(&mut self) -> Looked {
        if self.header.is_none() && self.octets.len() != HEADER_OCTETS {
            self.octets.resize(HEADER_OCTETS, 0);
        }
        loop {
            if self.filled == self.octets.len() {
                match self.header.take() {
                    Some(header) => {
                        self.filled = 0;
                        return Looked::Message(header);
                    }
                    None => match Header::parse(&self.octets) {
                        Some(header) => {
                            self.octets.resize(header.octets, 0);
                            self.header = Some(header);
                            continue;
                        }
                        None => return Looked::Gone,
                    },
                }
            }
            let Some(rest) = self.octets.get_mut(self.filled..) else { return Looked::Gone };
            match receive_with_descriptors(self.socket.as_fd(), rest, &mut self.files) {
                Ok(0) => return Looked::Gone,
                Ok(_) if self.files.len() > FILES_MAX => return Looked::Gone,
                Ok(octets) => self.filled += octets,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Looked::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Looked::Gone,
            }
        }
    }

    /// Sends an answer; `false` when the client does not take it.
    pub(crate) fn answer(&mut self, octets: &[u8]) -> bool {
        (&self.socket).write_all(octets).is_ok()
    }
}
