//! Octets of a UNIX socket, with the file descriptors that travel beside them.
#![allow(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// The most descriptors one message can carry. Linux, SCM_MAX_FD.
const DESCRIPTORS_MAX: usize = 253;

/// Receives octets without waiting, and appends the descriptors that came with them. A read never goes
/// beyond the first octets that carry descriptors, so a reader that asks for one message at a time knows
/// whose they are. 0 octets: the peer closed.
///
/// # Errors
/// As the system refuses; [`io::ErrorKind::WouldBlock`] when nothing is there yet.
pub fn receive_with_descriptors(
    socket: BorrowedFd<'_>,
    into: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut space = cmsg_space!([RawFd; DESCRIPTORS_MAX]);
    let mut octets = [IoSliceMut::new(into)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut octets, Some(&mut space), flags)?;
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            // SAFETY: the kernel just put these descriptors into this process's table for this
            // message; no one else knows their numbers, so each has exactly the owner made here.
            descriptors.extend(numbers.into_iter().map(|n| unsafe { OwnedFd::from_raw_fd(n) }));
        }
    }
    Ok(received.bytes)
}

/// Sends octets, and descriptors with the first of them. Returns how many octets left; the descriptors
/// left when it is not zero.
///
/// # Errors
/// As the system refuses.
pub fn send_with_descriptors(
    socket: BorrowedFd<'_>,
    octets: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = if numbers.is_empty() { &[][..] } else { &rights };
    let flags = MsgFlags::MSG_NOSIGNAL;
    Ok(sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(octets)], control, flags, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_arrives_with_its_octets_and_works() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"shared").unwrap();
        assert_eq!(send_with_descriptors(here.as_fd(), b"plain", &[]).unwrap(), 5);
        assert_eq!(send_with_descriptors(here.as_fd(), b"with", &[file.as_fd()]).unwrap(), 4);
        assert_eq!(send_with_descriptors(here.as_fd(), b"more", &[]).unwrap(), 4);

        let (mut octets, mut descriptors) = ([0; 64], Vec::new());
        let mut got = Vec::new();
        while descriptors.is_empty() {
            let n = receive_with_descriptors(there.as_fd(), &mut octets, &mut descriptors).unwrap();
            got.extend_from_slice(&octets[..n]);
        }
        assert_eq!(got, b"plainwith", "not beyond the octets that carry the descriptor");
        let mut copy = File::from(descriptors.pop().unwrap());
        let mut text = String::new();
        copy.rewind().unwrap();
        copy.read_to_string(&mut text).unwrap();
        assert_eq!(text, "shared");
    }

    #[test]
    fn nothing_there_is_no_wait_and_a_closed_peer_is_the_end() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut descriptors = Vec::new();
        let nothing = receive_with_descriptors(there.as_fd(), &mut [0; 8], &mut descriptors);
        assert_eq!(nothing.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(here);
        let end = receive_with_descriptors(there.as_fd(), &mut [0; 8], &mut descriptors);
        assert_eq!(end.unwrap(), 0);
    }
}
