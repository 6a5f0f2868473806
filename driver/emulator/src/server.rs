//! A board in another process: served over a UNIX socket as vfio-user speaks it.
//!
//! One thread, one client at a time; when it leaves, however that happens, the board is reset as the
//! kernel resets a function whose last user is gone, and the next client is waited for. Killing the
//! process is how a board is pulled out.

mod memory;
mod pace;
mod session;
mod stream;
mod wire;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bus::Device;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use tdm::Instant;

use crate::{Board, Lockstep};
use memory::ClientMemory;
use pace::{Host, Pace};
use session::Session;
use stream::{Looked, Stream};

/// Messages taken before the clock is looked at again.
const MESSAGES_AT_ONCE: usize = 64;

/// What gives the board its milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The host's monotonic clock.
    #[default]
    Real,
    /// The client: the next millisecond begins when it is done with the last. While DMA stands still,
    /// as [`Clock::Real`].
    Lock,
}

/// How a board is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What gives it its milliseconds.
    pub clock: Clock,
    /// After a stall of this process: milliseconds that follow at once. More are lost, and counted.
    pub catch_up_millis: u64,
    /// In lockstep: when a millisecond counts as taken.
    pub lockstep: Lockstep,
    /// In lockstep: how long it waits for that. Then it goes on, and counts a stall.
    pub patience: Duration,
    /// In lockstep: what is left to the host's other programs between two milliseconds. A slow host would
    /// do nothing but serve interrupts otherwise.
    pub breath: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            catch_up_millis: 4,
            lockstep: Lockstep::default(),
            patience: Duration::from_millis(500),
            breath: Duration::ZERO,
        }
    }
}

/// What a server counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerCounters {
    /// Clients that connected.
    pub clients: u64,
    /// Messages they sent.
    pub messages: u64,
    /// Messages that were refused.
    pub refused: u64,
    /// Milliseconds that passed outside and never did in the board.
    pub lost_millis: u64,
    /// Lockstep: milliseconds that were not taken in time.
    pub stalls: u64,
}

/// A card a server can serve: lockstep has to know how far its host is.
pub trait Served: Device {
    /// It runs and interrupts: somebody is there to wait for.
    fn is_ticking(&self) -> bool;
    /// The host is done with the last millisecond.
    fn tick_taken(&self, rule: Lockstep) -> bool;
    /// By how many parts per million its clock is fast.
    fn clock_ppm(&self) -> f64 {
        0.0
    }
}

impl Served for Board {
    fn is_ticking(&self) -> bool {
        self.is_ticking()
    }
    fn tick_taken(&self, rule: Lockstep) -> bool {
        self.tick_taken(rule)
    }
    fn clock_ppm(&self) -> f64 {
        self.clock_ppm()
    }
}

/// Work for the thread that has the board.
type Post<B> = Box<dyn FnOnce(&mut B, &ServerCounters) + Send>;

/// Reaches a server from another thread: to break the board, to look at it, to end it.
pub struct Handle<B = Board> {
    posts: Sender<Post<B>>,
    wake: Arc<EventFd>,
    stop: Arc<AtomicBool>,
}

impl<B> Clone for Handle<B> {
    fn clone(&self) -> Self {
        let (posts, wake, stop) = (self.posts.clone(), self.wake.clone(), self.stop.clone());
        Self { posts, wake, stop }
    }
}

impl<B> Handle<B> {
    fn wake(&self) {
        // The counter cannot fill up: it is emptied at each look.
        let _ = self.wake.write(1);
    }
    /// Lets the server do `work` on its board before the next millisecond.
    pub fn post(&self, work: impl FnOnce(&mut B, &ServerCounters) + Send + 'static) {
        // A server that ended has no use for it.
        let _ = self.posts.send(Box::new(work));
        self.wake();
    }
    /// As [`Handle::post`], and waits for the result; nothing when the server ended.
    pub fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut B, &ServerCounters) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, result) = channel();
        self.post(move |board, counters| {
            let _ = answer.send(work(board, counters));
        });
        result.recv().ok()
    }
    /// Ends [`Server::run`].
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }
}

/// A board's socket.
pub struct Server<B = Board> {
    listener: UnixListener,
    path: PathBuf,
    settings: Settings,
    handle: Handle<B>,
    posts: Receiver<Post<B>>,
    counters: ServerCounters,
}

struct Client {
    stream: Stream,
    session: Session,
}

impl<B: Served> Server<B> {
    /// Listens at `path`. A socket that a process left behind there is taken over.
    ///
    /// # Errors
    /// As the system refuses; [`io::ErrorKind::AddrInUse`] when somebody serves at `path`.
    pub fn bind(path: &Path, settings: Settings) -> io::Result<Self> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            other => other?,
        };
        listener.set_nonblocking(true)?;
        let (sender, posts) = channel();
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let handle =
            Handle { posts: sender, wake: Arc::new(wake), stop: Arc::new(AtomicBool::new(false)) };
        let counters = ServerCounters::default();
        Ok(Self { listener, path: path.to_owned(), settings, handle, posts, counters })
    }
    /// A way to reach the server while it runs.
    pub fn handle(&self) -> Handle<B> {
        self.handle.clone()
    }

    /// Serves `board` until [`Handle::stop`].
    ///
    /// # Errors
    /// When the system does not let it wait or listen any more; never because of what a client does.
    pub fn run(&mut self, board: &mut B) -> io::Result<ServerCounters> {
        let epoch = std::time::Instant::now();
        let now = || Instant::default().plus(epoch.elapsed());
        let mut pace = Pace::new(self.settings, now());
        let mut client: Option<Client> = None;
        let nobody = ClientMemory::default();
        while !self.handle.stop.load(Ordering::Acquire) {
            let stalls = pace.stalls();
            pace.run_at(now(), board.clock_ppm());
            if pace.tick(now(), self.host(board)) {
                board.millisecond(client.as_ref().map_or(&nobody, |client| &client.session.memory));
                if let Some(client) = &mut client {
                    client.session.interrupt(board);
                }
                self.account(&pace, stalls);
            }
            let rest = pace.rest(now(), self.host(board));
            let (woken, ready) = self.wait(client.as_ref(), rest)?;
            if woken {
                self.do_posts(board);
                if let Some(client) = &mut client {
                    client.session.interrupt(board);
                }
            }
            if !ready {
                continue;
            }
            let gone = match &mut client {
                Some(client) => !self.serve(board, client),
                None => {
                    client = self.accept()?;
                    false
                }
            };
            if gone {
                client = None;
                board.reset();
                tracing::info!(path = %self.path.display(), "client left");
            }
        }
        Ok(self.counters)
    }

    fn host(&self, board: &B) -> Host {
        let taken = board.tick_taken(self.settings.lockstep);
        Host { ticking: board.is_ticking(), taken }
    }

    fn account(&mut self, pace: &Pace, stalls_before: u64) {
        if pace.stalls() > stalls_before {
            tracing::warn!(
                patience = ?self.settings.patience,
                "the host did not take a millisecond in time; the board goes on without it"
            );
        }
        (self.counters.lost_millis, self.counters.stalls) = (pace.lost(), pace.stalls());
    }

    /// Waits for a wake-up, and for the client or, without one, for the next. Which of them came.
    fn wait(&self, client: Option<&Client>, rest: Duration) -> io::Result<(bool, bool)> {
        let peer = match client {
            Some(client) => client.stream.socket().as_fd(),
            None => self.listener.as_fd(),
        };
        let mut waited = [
            PollFd::new(self.handle.wake.as_fd(), PollFlags::POLLIN),
            PollFd::new(peer, PollFlags::POLLIN),
        ];
        match ppoll(&mut waited, Some(TimeSpec::from_duration(rest)), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [woken, ready] = waited.map(|one| one.any().unwrap_or(true));
        Ok((woken, ready))
    }

    fn do_posts(&mut self, board: &mut B) {
        // Emptied before the posts are: one that comes meanwhile wakes again.
        let _ = self.handle.wake.read();
        while let Ok(work) = self.posts.try_recv() {
            work(board, &self.counters);
        }
    }

    fn accept(&mut self) -> io::Result<Option<Client>> {
        let socket: UnixStream = match self.listener.accept() {
            Ok((socket, _)) => socket,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            // It connected and was gone again.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => return Ok(None),
            Err(error) => return Err(error),
        };
        self.counters.clients += 1;
        tracing::info!(path = %self.path.display(), "client connected");
        Ok(Some(Client { stream: Stream::new(socket)?, session: Session::default() }))
    }

    /// Answers what the client asked; `false` when it is gone.
    fn serve(&mut self, board: &mut B, client: &mut Client) -> bool {
        let mut answer = Vec::with_capacity(64);
        for _ in 0..MESSAGES_AT_ONCE {
            let header = match client.stream.look() {
                Looked::Message(header) => header,
                Looked::Nothing => return true,
                Looked::Gone => return false,
            };
            self.counters.messages += 1;
            answer.clear();
            let (body, files) = client.stream.parts();
            if !client.session.handle(board, header, body, files, &mut answer) {
                self.counters.refused += 1;
            }
            if !answer.is_empty() && !client.stream.answer(&answer) {
                return false;
            }
        }
        true
    }
}

impl<B> Drop for Server<B> {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether nobody listens at the socket at `path` any more.
fn is_abandoned(path: &Path) -> bool {
    matches!(UnixStream::connect(path), Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
#[path = "server/tests.rs"]
mod tests;
