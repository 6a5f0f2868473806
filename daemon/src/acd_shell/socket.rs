//! `acd.sock` under tokio: bytes between the clients' sockets and the session machine.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::server::Server;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::allow::Allow;

/// What the tasks of the connections report.
#[derive(Debug)]
pub enum News {
    /// Octets came in.
    Read(u64, Vec<u8>),
    /// A full socket takes octets again.
    Writable(u64),
    /// The connection is gone.
    Closed(u64),
}

struct Peer {
    stream: Arc<UnixStream>,
    /// The line being written and how far.
    line: Option<(Arc<str>, usize)>,
    /// The socket takes nothing more for the moment; a task waits for it.
    full: bool,
    closing: bool,
    reader: tokio::task::JoinHandle<()>,
}

/// The socket with its connections.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    allow: Allow,
    peers: BTreeMap<u64, Peer>,
    next: u64,
    news_out: mpsc::Sender<News>,
    /// What happened on the connections.
    pub news: mpsc::Receiver<News>,
    /// The session machine.
    pub server: Server,
}

impl Socket {
    /// Listens at `path`, mode 0660. A socket nobody listens at any more is replaced.
    ///
    /// # Errors
    /// Somebody else listens there, or the folder cannot be written.
    pub fn listen(path: &Path, allow: Allow, server: Server) -> anyhow::Result<Self> {
        crate::door::clear_the_way(path)?;
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        let (news_out, news) = mpsc::channel(256);
        Ok(Self {
            listener,
            path: path.to_owned(),
            allow,
            peers: BTreeMap::new(),
            next: 1,
            news_out,
            news,
            server,
        })
    }

    /// Waits for a client or for news of one. May be dropped and called again.
    pub async fn next(&mut self) -> Next {
        tokio::select! {
            accepted = self.listener.accept() => Next::Client(accepted.map(|(stream, _)| stream)),
            Some(news) = self.news.recv() => Next::News(news),
        }
    }

    /// Takes in what [`Socket::next`] gave.
    pub fn take(&mut self, now_us: u64, next: Next) {
        match next {
            Next::Client(Ok(stream)) => self.accept(now_us, stream),
            Next::Client(Err(error)) => {
                tracing::warn!(%error, "a connection could not be accepted");
            }
            Next::News(News::Read(connection, octets)) => {
                self.server.received(now_us, connection, &octets);
            }
            Next::News(News::Writable(connection)) => {
                if let Some(peer) = self.peers.get_mut(&connection) {
                    peer.full = false;
                }
            }
            Next::News(News::Closed(connection)) => self.drop_peer(now_us, connection),
        }
    }

    fn accept(&mut self, now_us: u64, stream: UnixStream) {
        if !self.allow.admits_peer(&stream) {
            return;
        }
        let connection = self.next;
        self.next += 1;
        let stream = Arc::new(stream);
        let reader = tokio::spawn(read(connection, Arc::clone(&stream), self.news_out.clone()));
        let peer = Peer { stream, line: None, full: false, closing: false, reader };
        self.peers.insert(connection, peer);
        self.server.connected(now_us, connection);
    }

    /// Closes a connection once its last lines are written.
    pub fn close(&mut self, connection: u64) {
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.closing = true;
        }
    }

    fn drop_peer(&mut self, now_us: u64, connection: u64) {
        if let Some(peer) = self.peers.remove(&connection) {
            peer.reader.abort();
            self.server.closed(now_us, connection);
        }
    }

    /// Writes to everybody what his socket takes.
    pub fn flush(&mut self, now_us: u64) {
        let mut gone = Vec::new();
        for (&connection, peer) in &mut self.peers {
            let was_full = peer.full;
            match peer.flush(|| self.server.line(now_us, connection)) {
                Ok(()) if peer.closing && !peer.full => gone.push(connection),
                Ok(()) if peer.full && !was_full => {
                    let (stream, news) = (Arc::clone(&peer.stream), self.news_out.clone());
                    tokio::spawn(async move {
                        let _ = stream.writable().await;
                        let _ = news.send(News::Writable(connection)).await;
                    });
                }
                Ok(()) => {}
                Err(_) => gone.push(connection),
            }
        }
        for connection in gone {
            self.drop_peer(now_us, connection);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What [`Socket::next`] waits for.
pub enum Next {
    /// A client connected.
    Client(io::Result<UnixStream>),
    /// Something happened on a connection.
    News(News),
}

async fn read(connection: u64, stream: Arc<UnixStream>, news: mpsc::Sender<News>) {
    let mut buffer = vec![0; 16_384];
    loop {
        if stream.readable().await.is_err() {
            break;
        }
        match stream.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                let octets = buffer.get(..n).unwrap_or_default().to_vec();
                if news.send(News::Read(connection, octets)).await.is_err() {
                    return;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    let _ = news.send(News::Closed(connection)).await;
}

impl Peer {
    fn flush(&mut self, mut next: impl FnMut() -> Option<Arc<str>>) -> io::Result<()> {
        while !self.full {
            if self.line.is_none() {
                self.line = next().map(|line| (line, 0));
            }
            let Some((line, written)) = &mut self.line else { break };
            let rest = line.as_bytes().get(*written..).unwrap_or_default();
            match self.stream.try_write(rest) {
                Ok(n) => {
                    *written += n;
                    if *written >= line.len() {
                        self.line = None;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.full = true,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
