//! A UNIX socket of packets on which a foreign engine plays the far end.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, listen, recv,
    send, socket,
};

/// Milliseconds between two looks for a peer.
const LOOK_MILLIS: u64 = 20;

/// Where the peer is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// It connects to us, here. Who was served once may come again.
    Listen(PathBuf),
    /// We connect to it, there, and try again as long as it takes.
    Connect(PathBuf),
}

/// A text that names no meeting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?}: must be listen:PATH or connect:PATH (a PATH that begins with @ is an abstract name)"
)]
pub struct BadMeeting(String);

impl FromStr for Meeting {
    type Err = BadMeeting;
    fn from_str(text: &str) -> Result<Self, BadMeeting> {
        match text.split_once(':') {
            Some(("listen", path)) if !path.is_empty() => Ok(Self::Listen(path.into())),
            Some(("connect", path)) if !path.is_empty() => Ok(Self::Connect(path.into())),
            _ => Err(BadMeeting(text.to_owned())),
        }
    }
}

impl Meeting {
    fn address(&self) -> io::Result<UnixAddr> {
        let (Self::Listen(path) | Self::Connect(path)) = self;
        let address = match path.as_os_str().as_encoded_bytes().strip_prefix(b"@") {
            Some(name) => UnixAddr::new_abstract(name),
            None => UnixAddr::new(path),
        };
        Ok(address?)
    }
}

/// A socket that keeps a peer when there is one. Nothing here waits unless it says so.
pub(crate) struct Packets {
    meeting: Meeting,
    listener: Option<UnixListener>,
    peer: Option<UnixStream>,
    millis_to_look: u64,
}

fn packet_socket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?)
}

/// Listens; a socket that a process left behind there is taken over.
fn door(meeting: &Meeting) -> io::Result<UnixListener> {
    let (door, address) = (packet_socket()?, meeting.address()?);
    match bind(door.as_raw_fd(), &address) {
        Err(Errno::EADDRINUSE) if is_abandoned(&address) => {
            if let Some(path) = address.path() {
                std::fs::remove_file(path)?;
            }
            bind(door.as_raw_fd(), &address)?;
        }
        other => other?,
    }
    listen(&door, Backlog::new(1)?)?;
    Ok(UnixListener::from(door))
}

/// Whether nobody listens there any more.
fn is_abandoned(address: &UnixAddr) -> bool {
    let knock = packet_socket().map(|socket| connect(socket.as_raw_fd(), address));
    matches!(knock, Ok(Err(Errno::ECONNREFUSED)))
}

impl Packets {
    /// Opens the door; the peer may come later.
    pub(crate) fn open(meeting: Meeting) -> io::Result<Self> {
        let listener = match &meeting {
            Meeting::Connect(_) => None,
            Meeting::Listen(_) => Some(door(&meeting)?),
        };
        Ok(Self { meeting, listener, peer: None, millis_to_look: 0 })
    }
    /// A millisecond passed. Whether a peer has just come.
    pub(crate) fn millisecond(&mut self) -> bool {
        if self.peer.is_some() {
            return false;
        }
        if self.millis_to_look > 0 {
            self.millis_to_look -= 1;
            return false;
        }
        self.millis_to_look = LOOK_MILLIS;
        self.peer = match &self.listener {
            Some(listener) => listener.accept().ok().map(|(peer, _)| peer),
            None => self.try_to_connect().ok(),
        };
        self.peer.is_some()
    }
    fn try_to_connect(&self) -> io::Result<UnixStream> {
        let peer = packet_socket()?;
        connect(peer.as_raw_fd(), &self.meeting.address()?)?;
        Ok(UnixStream::from(peer))
    }
    pub(crate) fn has_peer(&self) -> bool {
        self.peer.is_some()
    }
    /// The next packet, if one is there: how many octets of `into` it filled. What is longer is cut off.
    pub(crate) fn receive(&mut self, into: &mut [u8]) -> Option<usize> {
        let peer = self.peer.as_ref()?;
        match recv(peer.as_raw_fd(), into, MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EAGAIN | Errno::EINTR) => None,
            // A packet has an octet at least: none is the end.
            Ok(0) | Err(_) => {
                self.peer = None;
                None
            }
            Ok(octets) => Some(octets),
        }
    }
    /// Sends a packet; `false` when there is nobody, or somebody who does not read.
    pub(crate) fn send(&mut self, packet: &[u8]) -> bool {
        let Some(peer) = &self.peer else { return false };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(peer.as_raw_fd(), packet, flags) {
            Ok(_) => true,
            Err(Errno::EAGAIN | Errno::EINTR) => false,
            Err(_) => {
                self.peer = None;
                false
            }
        }
    }
    /// Waits for a packet; `false` when none came in time, or nobody is there.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let Some(peer) = &self.peer else { return false };
        let mut waited = [PollFd::new(std::os::fd::AsFd::as_fd(peer), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        matches!(poll(&mut waited, timeout), Ok(1..))
    }
}

impl Drop for Packets {
    fn drop(&mut self) {
        if let (Meeting::Listen(path), Some(_)) = (&self.meeting, &self.listener) {
            // An abstract name has no file, and somebody else may have removed one that is.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meeting_is_read_and_nonsense_is_named() {
        assert_eq!("listen:/run/x".parse(), Ok(Meeting::Listen("/run/x".into())));
        assert_eq!("connect:@peer".parse(), Ok(Meeting::Connect("@peer".into())));
        for nonsense in ["", "listen:", "dial:/x", "/x", "LISTEN:/x"] {
            let error = nonsense.parse::<Meeting>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{nonsense:?}")), "{error}");
        }
    }

    #[test]
    fn a_name_too_long_for_the_system_is_an_error() {
        let long = Meeting::Listen(format!("/{}", "x".repeat(200)).into());
        assert!(Packets::open(long).is_err());
    }

    #[test]
    fn a_socket_left_behind_is_taken_over_and_one_in_use_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let meeting = Meeting::Listen(directory.path().join("p"));
        let left = packet_socket().unwrap();
        bind(left.as_raw_fd(), &meeting.address().unwrap()).unwrap();
        drop(left);
        let first = Packets::open(meeting.clone()).unwrap();
        let second = Packets::open(meeting).err().unwrap();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        assert!(!first.has_peer());
    }

    #[test]
    fn packets_keep_their_borders_and_a_peer_may_come_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p");
        let mut ours = Packets::open(Meeting::Listen(path.clone())).unwrap();
        for _ in 0..2 {
            let mut theirs = Packets::open(Meeting::Connect(path.clone())).unwrap();
            assert!(!ours.has_peer() && !ours.send(b"x"));
            while !(ours.has_peer() && theirs.has_peer()) {
                theirs.millisecond();
                ours.millisecond();
            }
            assert!(theirs.send(b"one") && theirs.send(b"seven"));
            let mut packet = [0; 5];
            assert!(ours.wait(Duration::from_secs(5)));
            assert_eq!(ours.receive(&mut packet), Some(3));
            assert_eq!(ours.receive(&mut packet), Some(5));
            assert_eq!(&packet, b"seven");
            assert_eq!(ours.receive(&mut packet), None);
            drop(theirs);
            assert_eq!(ours.receive(&mut packet), None);
        }
        drop(ours);
        assert!(!path.exists());
    }
}
