//! Who may connect to a socket of ours, by the credentials the kernel vouches for.

use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{MsgFlags, getsockopt, send, sockopt::PeerCredentials};
use nix::unistd::{Gid, Group, Uid, User};
use protocol::Fault;

/// Who may connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    uids: Vec<u32>,
    gids: Vec<u32>,
}

impl Allow {
    /// From entries such as `user:trunkline` and `group:50`. Our own user may always: the processes of one house
    /// must reach each other, and a `reload` must be able to undo what it did.
    ///
    /// # Errors
    /// The first entry nobody on this host is called.
    pub fn parse<'a>(entries: impl Iterator<Item = &'a str>) -> anyhow::Result<Self> {
        let mut allow = Self::default();
        for entry in entries {
            let unknown = || anyhow::anyhow!("`{entry}`: nobody on this host is called so");
            match entry.split_once(':') {
                Some(("user", name)) => allow.uids.push(match name.parse() {
                    Ok(uid) => uid,
                    Err(_) => User::from_name(name)?.ok_or_else(unknown)?.uid.as_raw(),
                }),
                Some(("group", name)) => allow.gids.push(match name.parse() {
                    Ok(gid) => gid,
                    Err(_) => Group::from_name(name)?.ok_or_else(unknown)?.gid.as_raw(),
                }),
                _ => return Err(unknown()),
            }
        }
        allow.uids.push(Uid::effective().as_raw());
        Ok(allow)
    }
    /// Whether a client of this user and primary group may connect: by its user, by this group, or by being a
    /// member of a group that is allowed.
    pub fn admits(&self, uid: u32, gid: u32) -> bool {
        self.uids.contains(&uid) || self.gids.contains(&gid) || self.has_member(uid)
    }
    fn has_member(&self, uid: u32) -> bool {
        if self.gids.is_empty() {
            return false;
        }
        let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return false };
        self.gids.iter().any(|&gid| {
            matches!(Group::from_gid(Gid::from_raw(gid)), Ok(Some(group)) if group.mem.contains(&user.name))
        })
    }
    /// Whether whoever is at the other end may connect. Who may not is named in the log, and told so.
    pub fn admits_peer(&self, peer: &impl AsFd) -> bool {
        match getsockopt(peer, PeerCredentials) {
            Ok(client) if self.admits(client.uid(), client.gid()) => true,
            Ok(client) => {
                let (uid, gid, pid) = (client.uid(), client.gid(), client.pid());
                tracing::warn!(uid, gid, pid, "a connection was refused: `allow` has no such user");
                let line = Fault::denied_peer(uid, gid).line();
                // Nothing was written to it yet, so a line fits; a client that left does not read it.
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                let _ = send(peer.as_fd().as_raw_fd(), line.as_bytes(), flags);
                false
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was refused: nobody says whose it is");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use protocol::client::{Blocking, ClientError};
    use protocol::wire::{Hello, Role};

    use super::*;

    #[test]
    fn own_user_may_always_connect_and_nobody_else_unless_named() {
        let allow = Allow::parse(std::iter::empty()).unwrap();
        let own = Uid::effective().as_raw();
        assert!(allow.admits(own, u32::MAX));
        assert!(!allow.admits(own + 1, u32::MAX));
        let allow = Allow::parse(["user:54321", "group:54322"].into_iter()).unwrap();
        assert!(allow.admits(54_321, 0) && allow.admits(1, 54_322));
        assert!(Allow::parse(["root"].into_iter()).is_err());
    }

    #[test]
    fn a_refused_client_is_told_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("door");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut first, _) = listener.accept().unwrap();
            assert!(!Allow::default().admits_peer(&first), "nobody is allowed");
            // The first client's hello is read before the door closes, the second's is not.
            first.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
            assert!(first.read(&mut [0; 512]).unwrap() > 0);
            assert!(first.write_all(b"").is_ok());
            drop(first);
            let (second, _) = listener.accept().unwrap();
            assert!(!Allow::default().admits_peer(&second));
        });
        let hello = Hello {
            protocol: protocol::PROTOCOL,
            client: "stranger".into(),
            role: Role::Observer,
            takeover: false,
        };
        for client in 1..=2 {
            let Err(ClientError::Refused(why)) = Blocking::connect(&path, &hello) else {
                panic!("client {client} was not told");
            };
            assert_eq!(why.code, call::RefusalCode::Denied as i32);
            let uid = format!("user {}", Uid::effective());
            assert!(why.message.contains(&uid) && why.message.contains("allow"), "{why}");
        }
        server.join().unwrap();
    }
}
