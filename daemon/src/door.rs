//! A listening UNIX socket around [`protocol::server::Server`]: one ordinary thread, readiness by `mio`.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use mio::event::Events;
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Poll, Token, Waker};
use protocol::server::Server;

use crate::allow::Allow;

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
/// Tokens above belong to connections, which are numbered on and never again the same.
const FIRST_CONNECTION: usize = 16;

struct Peer {
    stream: UnixStream,
    /// The line being written and how far.
    line: Option<(Arc<str>, usize)>,
    /// The socket takes nothing more for the moment.
    full: bool,
    /// Close it once nothing is left to write.
    closing: bool,
}

/// The socket with its connections.
pub struct Door {
    poll: Poll,
    events: Events,
    listener: UnixListener,
    path: PathBuf,
    waker: Arc<Waker>,
    peers: BTreeMap<u64, Peer>,
    next: u64,
    /// Who may connect.
    pub allow: Allow,
    /// The session machine.
    pub server: Server,
}

/// The longest path of a socket, `sun_path` without its last zero.
pub const SOCKET_PATH_OCTETS_MAX: usize = 107;

/// Makes room for a socket at `path`: its folder is there, and one that nobody listens at any more is gone.
///
/// # Errors
/// Somebody listens there, or the folder cannot be written.
pub fn clear_the_way(path: &Path) -> anyhow::Result<()> {
    let octets = path.as_os_str().len();
    if octets > SOCKET_PATH_OCTETS_MAX {
        anyhow::bail!(
            "{}: {octets} octets are too long for the path of a socket; {SOCKET_PATH_OCTETS_MAX} is the limit",
            path.display()
        );
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let Ok(there) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !there.file_type().is_socket() {
        anyhow::bail!("{}: something that is no socket stands there", path.display());
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        anyhow::bail!("{}: another process listens there", path.display());
    }
    std::fs::remove_file(path).with_context(|| path.display().to_string())
}

impl Door {
    /// Listens at `path`, mode 0660. A socket nobody listens at any more is replaced.
    ///
    /// # Errors
    /// Somebody else listens there, or the folder cannot be written.
    pub fn listen(path: &Path, allow: Allow, server: Server) -> anyhow::Result<Self> {
        clear_the_way(path)?;
        let mut listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok(Self {
            poll,
            events: Events::with_capacity(256),
            listener,
            path: path.to_owned(),
            waker,
            peers: BTreeMap::new(),
            next: FIRST_CONNECTION as u64,
            allow,
            server,
        })
    }

    /// Ends a [`Door::wait`] from another thread.
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Waits for something to happen, at most `timeout`, and takes in what the clients say.
    ///
    /// # Errors
    /// The host's readiness queue failed; nothing can go on.
    pub fn wait(&mut self, now_us: impl Fn() -> u64, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let now_us = now_us();
        let ready: Vec<(Token, bool, bool)> = self
            .events
            .iter()
            .map(|e| (e.token(), e.is_readable() || e.is_read_closed(), e.is_writable()))
            .collect();
        for (token, readable, writable) in ready {
            match token {
                LISTENER => self.accept(now_us),
                WAKER => {}
                Token(connection) => {
                    let connection = connection as u64;
                    if writable && let Some(peer) = self.peers.get_mut(&connection) {
                        peer.full = false;
                    }
                    if readable {
                        self.read(now_us, connection);
                    }
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, now_us: u64) {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    return;
                }
            };
            if !self.allow.admits_peer(&stream) {
                continue;
            }
            let connection = self.next;
            let token = Token(usize::try_from(connection).unwrap_or(usize::MAX));
            let both = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = self.poll.registry().register(&mut stream, token, both) {
                tracing::warn!(%error, "a connection could not be watched");
                continue;
            }
            self.next += 1;
            let peer = Peer { stream, line: None, full: false, closing: false };
            self.peers.insert(connection, peer);
            self.server.connected(now_us, connection);
        }
    }

    fn read(&mut self, now_us: u64, connection: u64) {
        let mut buffer = [0; 16_384];
        loop {
            let Some(peer) = self.peers.get_mut(&connection) else { return };
            match peer.stream.read(&mut buffer) {
                Ok(0) => return self.drop_peer(now_us, connection),
                Ok(n) => {
                    let octets = buffer.get(..n).unwrap_or_default();
                    self.server.received(now_us, connection, octets);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.drop_peer(now_us, connection),
            }
        }
    }

    /// Closes a connection once its last lines are written.
    pub fn close(&mut self, connection: u64) {
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.closing = true;
        }
    }

    fn drop_peer(&mut self, now_us: u64, connection: u64) {
        self.peers.remove(&connection);
        self.server.closed(now_us, connection);
    }

    /// Writes to everybody what his socket takes.
    pub fn flush(&mut self, now_us: u64) {
        let mut gone = Vec::new();
        for (&connection, peer) in &mut self.peers {
            match peer.flush(|| self.server.line(now_us, connection)) {
                Ok(()) if peer.closing && !peer.full => gone.push(connection),
                Ok(()) => {}
                Err(_) => gone.push(connection),
            }
        }
        for connection in gone {
            self.drop_peer(now_us, connection);
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Peer {
    fn flush(&mut self, mut next: impl FnMut() -> Option<Arc<str>>) -> io::Result<()> {
        while !self.full {
            if self.line.is_none() {
                self.line = next().map(|line| (line, 0));
            }
            let Some((line, written)) = &mut self.line else { break };
            let rest = line.as_bytes().get(*written..).unwrap_or_default();
            match self.stream.write(rest) {
                Ok(n) => {
                    *written += n;
                    if *written >= line.len() {
                        self.line = None;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.full = true,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
