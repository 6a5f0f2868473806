//! The process around the call centre: one thread with tokio, the line to `media.sock`, `acd.sock`, the journal,
//! the records.
//!
//! Order of things for each input: decided, written to the journal, done. A promise (a success on the socket, a
//! dial) waits for the disk, in groups: one `fdatasync` runs at a time, and the next takes all that came meanwhile.

mod keeper;
mod link;
mod socket;

use std::path::Path;
use std::time::{Duration, Instant as HostInstant, SystemTime, UNIX_EPOCH};

use acd::{ApiRequest, Input};
use call::CallEvent;
use protocol::Fault;
use protocol::client::{ClientError, Message};
use protocol::server::{Access, Output, Request, Server, Settings as ServerSettings, Stamp};
use protocol::wire::Welcome;
use serde_json::{Value, json};
use tdm::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::allow::Allow;
use crate::alone::Alone;
use crate::decisions::Sweeper;
use crate::journal::JournalError;
use crate::paths::Paths;
use crate::records::Writer;
use keeper::{Due, Heard, Keeper};
use link::{Link, Told};
use socket::Socket;

/// How long between two attempts to reach the call server.
const RECONNECT: Duration = Duration::from_millis(200);
/// How long what is no promise may wait for the disk.
const SYNC: Duration = Duration::from_millis(50);
/// How long the database may take for the last records at the end.
const FLUSH_AT_END: Duration = Duration::from_secs(3);
/// When a call server that is not reached is spoken of.
const UNREACHED: Duration = Duration::from_secs(2);
/// How long between two snapshots.
const SNAPSHOT: Duration = Duration::from_secs(60);
/// The methods of `acd.sock` beside the server's own.
pub const METHODS: &[(&str, Access)] = &[
    ("sign_in", Access::Maintain),
    ("sign_out", Access::Maintain),
    ("ready", Access::Maintain),
    ("pause", Access::Maintain),
    ("wrap_up_end", Access::Maintain),
    ("disposition", Access::Maintain),
    ("list_load", Access::Maintain),
    ("campaign_start", Access::Maintain),
    ("campaign_stop", Access::Maintain),
    ("agents", Access::Read),
    ("queues", Access::Read),
    ("calls", Access::Read),
    ("campaigns", Access::Read),
    ("report", Access::Read),
    ("hours", Access::Read),
];

/// Runs until SIGTERM or SIGINT. `settings` is the `[acd]` section, checked.
///
/// # Errors
/// The folders or the socket cannot be used, the journal is not writable any more, or another call centre took
/// over the call server.
pub fn run(settings: acd::Settings, paths: &Paths) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let shell = Shell::open(settings, paths)?;
        // Without a service manager there is nobody to tell.
        sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
        shell.serve(paths).await
    })
}

/// Our time: the call server's while it is there, the host's while it is not; never back.
struct Clock {
    latest_us: u64,
    since: HostInstant,
}

impl Clock {
    fn at(&mut self, micros: u64) -> Instant {
        self.latest_us = self.latest_us.max(micros);
        self.since = HostInstant::now();
        Instant::micros(self.latest_us)
    }
    fn by_host(&self) -> u64 {
        let passed = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.latest_us.saturating_add(passed)
    }
}

struct Shell {
    keeper: Keeper,
    socket: Socket,
    writer: Writer,
    _sweeper: Sweeper,
    clock: Clock,
    begun: HostInstant,
    lists: std::path::PathBuf,
    link: Option<Link>,
    /// How the call server greeted us, while we work in what we missed.
    greeted: Option<Welcome>,
    /// When the call server last said something.
    heard_at: HostInstant,
    /// Someone else may be controller: only come when there is none.
    humble: bool,
    sync: Option<JoinHandle<Result<u64, JournalError>>>,
    synced_at: HostInstant,
    /// Told once the journal is on the disk up to the second: ended legs up to the first are safe.
    acknowledging: Option<(u64, u64)>,
    /// The newest of these, and up to where the journal must be on the disk for it.
    acknowledge_next: Option<(u64, u64)>,
    /// A `time` event that is worked through when no promise waits.
    time_taken: Option<u64>,
    /// Ends when the database has every record so far; a snapshot follows.
    flushing: Option<oneshot::Receiver<()>>,
    /// Since when the call server is not reached, and whether that was said.
    unreached_since: Option<(HostInstant, bool)>,
    _alone: Alone,
}

/// What the loop waited for.
enum Woken {
    Media(Result<Message, ClientError>),
    Socket(socket::Next),
    Synced(Result<u64, JournalError>),
    Timer,
    Ping,
    Snapshot,
    Flushed(bool),
    Stop,
}

impl Shell {
    fn open(settings: acd::Settings, paths: &Paths) -> anyhow::Result<Self> {
        let allow = Allow::parse(settings.allow.iter().map(String::as_str))?;
        let state = paths.state_dir();
        // Before the journal is looked at: two that write it would lose what either promised.
        let alone = Alone::take(&paths.lock("acd"), "acd")?;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = u64::try_from(wall.as_nanos() & u128::from(u64::MAX)).unwrap_or_default()
            ^ u64::from(std::process::id());
        let sweeper = Sweeper::start(paths.decisions(), settings.decisions)?;
        let (keeper, found) = Keeper::open(&state.join("journal"), settings, seed)?;
        tracing::info!(steps = found.steps, "the journal was read");
        let writer = Writer::open(&state.join("records.db"))?;
        for record in found.records {
            writer.put(record);
        }
        let mut server = ServerSettings::new(format!("{:x}", seed as u32), METHODS);
        server.exclusive = false;
        let socket = Socket::listen(&paths.acd_socket(), allow, Server::new(server))?;
        let latest_us = keeper.acd().now().as_micros();
        let now = HostInstant::now();
        Ok(Self {
            keeper,
            socket,
            writer,
            _sweeper: sweeper,
            clock: Clock { latest_us, since: now },
            begun: now,
            lists: state.join("lists"),
            link: None,
            greeted: None,
            heard_at: now,
            humble: false,
            sync: None,
            synced_at: now,
            acknowledging: None,
            acknowledge_next: None,
            time_taken: None,
            flushing: None,
            unreached_since: None,
            _alone: alone,
        })
    }

    async fn serve(mut self, paths: &Paths) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut ping = tokio::time::interval(Duration::from_micros(protocol::PING_MICROS));
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut snapshot = tokio::time::interval(SNAPSHOT);
        snapshot.reset();
        let mut reconnect_at = HostInstant::now();
        loop {
            if self.link.is_none() && HostInstant::now() >= reconnect_at {
                self.connect(&link::socket(paths)).await?;
                reconnect_at = HostInstant::now() + RECONNECT;
            }
            self.after_each()?;
            let wait = self.wait(reconnect_at);
            let woken = tokio::select! {
                message = next_of(&mut self.link) => Woken::Media(message),
                next = self.socket.next() => Woken::Socket(next),
                synced = done(&mut self.sync) => Woken::Synced(synced),
                () = tokio::time::sleep(wait) => Woken::Timer,
                _ = ping.tick() => Woken::Ping,
                _ = snapshot.tick() => Woken::Snapshot,
                flushed = flushed(&mut self.flushing) => Woken::Flushed(flushed),
                _ = terminate.recv() => Woken::Stop,
                _ = interrupt.recv() => Woken::Stop,
            };
            match woken {
                Woken::Media(Ok(message)) => self.media_says(message)?,
                Woken::Media(Err(error)) => self.lose_media(&error.to_string())?,
                Woken::Socket(next) => {
                    let now_us = self.server_now();
                    self.socket.take(now_us, next);
                    self.serve_requests()?;
                }
                Woken::Synced(position) => {
                    self.sync = None;
                    self.synced_at = HostInstant::now();
                    let due = self.keeper.synced(position?);
                    self.carry_out(due);
                }
                Woken::Timer => self.time_passed()?,
                Woken::Ping => self.ping()?,
                // Records of the file before last are gone then: they must be in the database. A database that
                // fails meanwhile delays the snapshot and nothing else.
                Woken::Snapshot if self.flushing.is_none() => {
                    self.flushing = Some(self.writer.flush());
                }
                Woken::Snapshot => {}
                Woken::Flushed(written) => {
                    self.flushing = None;
                    if written {
                        let due = self.keeper.snapshot()?;
                        self.carry_out(due);
                    }
                }
                Woken::Stop => break,
            }
        }
        self.end().await
    }

    /// A last snapshot, if the database has the records; else the journal keeps them for the next start.
    async fn end(mut self) -> anyhow::Result<()> {
        let flushed = tokio::time::timeout(FLUSH_AT_END, self.writer.flush()).await;
        if matches!(flushed, Ok(Ok(()))) {
            let due = self.keeper.snapshot()?;
            self.carry_out(due);
        }
        self.after_each()?;
        tracing::info!("the call centre ends; calls stay with the call server");
        Ok(())
    }

    /// Until when there is nothing to do by the host's clock.
    fn wait(&self, reconnect_at: HostInstant) -> Duration {
        let mut wait = Duration::from_millis(500);
        if self.link.is_none() {
            wait = wait.min(reconnect_at.saturating_duration_since(HostInstant::now()));
            if let Some(due) = self.keeper.acd().next_due() {
                let left = due.as_micros().saturating_sub(self.clock.by_host());
                wait = wait.min(Duration::from_micros(left));
            }
        }
        if self.sync.is_none() && self.keeper.unsynced() > 0 {
            wait = wait.min(SYNC.saturating_sub(self.synced_at.elapsed()));
        }
        wait.max(Duration::from_millis(1))
    }

    /// What may follow any input: a sync begins, acknowledgements go, lines are written.
    fn after_each(&mut self) -> anyhow::Result<()> {
        let late = self.synced_at.elapsed() >= SYNC;
        let wanted = self.keeper.promises_wait() || (late && self.keeper.unsynced() > 0);
        if self.sync.is_none() && wanted {
            let (syncer, position) = self.keeper.begin_sync();
            self.sync = Some(tokio::task::spawn_blocking(move || syncer.sync().map(|()| position)));
        }
        let synced = self.keeper.appended() - self.keeper.unsynced();
        if self.acknowledging.is_none() {
            self.acknowledging = self.acknowledge_next.take();
        }
        let mut result = Ok(());
        if let Some(link) = &mut self.link {
            if let Some((seq, _)) = self.acknowledging.filter(|&(_, at)| at <= synced) {
                self.acknowledging = None;
                result = result.and(link.acknowledge(seq));
            }
            if let Some(seq) = self.time_taken.filter(|_| !self.keeper.promises_wait()) {
                self.time_taken = None;
                result = result.and(link.time_taken(seq));
            }
            result = result.and(link.flush());
        }
        if let Err(error) = result {
            self.lose_media(&error.to_string())?;
        }
        let now_us = self.server_now();
        self.socket.flush(now_us);
        Ok(())
    }

    fn server_now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    // The call server.

    /// Reaches the call server. Nothing is decided before we know what it did meanwhile: first come the answers
    /// to what was asked and not answered, then the events we missed, then we speak.
    async fn connect(&mut self, path: &Path) -> anyhow::Result<()> {
        let (link, welcome) = match Link::connect(path, !self.humble).await {
            Ok(connected) => connected,
            Err(error) => {
                self.not_reached(path, &error);
                return Ok(());
            }
        };
        let heard = self.keeper.heard();
        let same = self.keeper.acd().state().core.instance == Some(link.instance());
        let goes_on = same && !heard.needs_snapshot && heard.seq <= welcome.seq;
        self.unreached_since = None;
        tracing::info!(instance = welcome.instance, goes_on, "connected to the call server");
        self.heard_at = HostInstant::now();
        if self.keeper.acd().state().core.present {
            // We fell, and did not see the connection go.
            self.step(Instant::micros(self.clock.latest_us), heard, Input::MediaGone)?;
        }
        if let Err(error) = self.open_link(link, same, goes_on.then_some(heard.seq), welcome.seq) {
            return self.lose_media(&error.to_string());
        }
        if goes_on {
            self.greeted = Some(welcome);
            return self.caught_up();
        }
        let heard = if same {
            Heard { needs_snapshot: true, ..heard }
        } else {
            // Another life, another clock: ours goes on from where it is.
            let shift_us = difference(self.clock.by_host(), welcome.now);
            Heard { seq: 0, needs_snapshot: true, shift_us }
        };
        self.work_in_welcome(&welcome, heard)
    }

    /// In the same life of the call server: what became of every command without an answer; then the events.
    fn open_link(
        &mut self,
        mut link: Link,
        same: bool,
        heard: Option<u64>,
        newest: u64,
    ) -> Result<(), ClientError> {
        let acd = self.keeper.acd();
        let asked = acd.state().pending.iter().filter(|_| same);
        for (&tag, _) in asked {
            link.recall(tag, acd.key(tag))?;
        }
        link.subscribe(heard, newest)?;
        self.link = Some(link);
        Ok(())
    }

    /// The call server's clock as it was when it greeted us.
    fn work_in_welcome(&mut self, welcome: &Welcome, heard: Heard) -> anyhow::Result<()> {
        let now = self.clock.at(shifted(welcome.now, heard.shift_us));
        let utc_offset_us = welcome.utc_offset_us.saturating_sub(heard.shift_us);
        self.step(now, heard, Input::Media(CallEvent::Time { utc_offset_us }))
    }

    /// Once everything is worked in that happened before we came: now we speak.
    fn caught_up(&mut self) -> anyhow::Result<()> {
        let through = self.link.as_ref().is_some_and(Link::has_caught_up);
        let Some(welcome) = self.greeted.take_if(|_| through) else { return Ok(()) };
        let heard = self.keeper.heard();
        self.work_in_welcome(&welcome, heard)?;
        // Too much was missed after all, and the snapshot has told it.
        if self.keeper.acd().state().core.present {
            return Ok(());
        }
        let now = Instant::micros(self.clock.latest_us);
        self.step(now, heard, Input::MediaResumed)
    }

    /// Said once, when it is no mere moment between two lives of the call server.
    fn not_reached(&mut self, path: &Path, error: &ClientError) {
        let (since, said) = self.unreached_since.get_or_insert((HostInstant::now(), false));
        if !*said && since.elapsed() >= UNREACHED {
            *said = true;
            let path = path.display();
            tracing::warn!(%path, %error, "the call server is not reached: is it running, and does its `allow` have this user?");
        }
    }

    fn media_says(&mut self, message: Message) -> anyhow::Result<()> {
        self.heard_at = HostInstant::now();
        let before = self.keeper.heard();
        let Some(link) = &mut self.link else { return Ok(()) };
        let told = match link.understand(message, before) {
            Ok(told) => told,
            Err(error) => return self.lose_media(&error.to_string()),
        };
        match told {
            Told::Nothing => self.caught_up(),
            Told::Dethroned => {
                self.humble = true;
                self.lose_media("another controller took over")
            }
            Told::Input { mut input, at_us, heard, ack, time } => {
                if let Input::Media(CallEvent::Time { utc_offset_us }) = &mut input {
                    *utc_offset_us = utc_offset_us.saturating_sub(heard.shift_us);
                }
                let now = match at_us {
                    Some(at_us) => self.clock.at(shifted(at_us, heard.shift_us)),
                    None => Instant::micros(self.clock.latest_us),
                };
                self.step(now, heard, input)?;
                if let Some(seq) = ack {
                    self.acknowledge_next = Some((seq, self.keeper.appended()));
                }
                if let (Some(seq), Some(true)) = (time, self.link.as_ref().map(|l| l.lockstep)) {
                    self.time_taken = Some(seq);
                }
                self.caught_up()
            }
        }
    }

    fn lose_media(&mut self, why: &str) -> anyhow::Result<()> {
        if self.link.take().is_none() {
            return Ok(());
        }
        tracing::warn!(why, "the connection to the call server is lost");
        self.acknowledging = None;
        self.acknowledge_next = None;
        self.time_taken = None;
        self.greeted = None;
        let now = Instant::micros(self.clock.latest_us);
        self.clock.since = HostInstant::now();
        self.step(now, self.keeper.heard(), Input::MediaGone)
    }

    fn ping(&mut self) -> anyhow::Result<()> {
        let silent = self.heard_at.elapsed() > Duration::from_micros(protocol::SILENT_MICROS);
        match &mut self.link {
            Some(_) if silent => self.lose_media("it has been silent for 2 s"),
            Some(link) => match link.ping() {
                Ok(()) => Ok(()),
                Err(error) => self.lose_media(&error.to_string()),
            },
            None => Ok(()),
        }
    }

    /// Without a call server the host's clock is ours.
    fn time_passed(&mut self) -> anyhow::Result<()> {
        let due = self.keeper.acd().next_due().map(Instant::as_micros);
        if self.link.is_none() && due.is_some_and(|due| due <= self.clock.by_host()) {
            let now_us = self.clock.by_host();
            let now = self.clock.at(now_us);
            self.step(now, self.keeper.heard(), Input::Elapsed)?;
        }
        Ok(())
    }

    fn step(&mut self, now: Instant, heard: Heard, input: Input) -> anyhow::Result<()> {
        let due = self.keeper.step(now, heard, input)?;
        self.carry_out(due);
        Ok(())
    }

    fn carry_out(&mut self, due: Vec<Due>) {
        for what in due {
            match what {
                // Without a connection it stays pending in the call centre, and is sent when there is one.
                Due::Command(tag, command) => {
                    let key = self.keeper.acd().key(tag);
                    if let Some(link) = &mut self.link
                        && let Err(error) = link.command(tag, key, &command)
                    {
                        tracing::warn!(%error, "a command could not be sent");
                    }
                }
                Due::Reply(token, answer) => {
                    let now_us = self.server_now();
                    self.socket.server.answer(now_us, token, answer.map_err(Fault::from));
                }
                Due::Publish(event) => {
                    let at_us = self.clock.latest_us;
                    self.socket.server.publish(Stamp { at_us, sample: None }, &event, false);
                }
                Due::Record(record) => self.writer.put(record),
            }
        }
    }

    // The socket.

    fn serve_requests(&mut self) -> anyhow::Result<()> {
        loop {
            match self.socket.server.poll() {
                Output::Request(request) => self.request(request)?,
                Output::Snapshot { connection } => {
                    let items = self.keeper.acd().look(&ApiRequest::Agents {});
                    let items = items.get("agents").and_then(Value::as_array).cloned();
                    let _ = self.socket.server.snapshot(connection, &items.unwrap_or_default());
                }
                Output::Close { connection, why } => {
                    tracing::info!(connection, why, "a connection is closed");
                    self.socket.close(connection);
                }
                Output::Controller { .. }
                | Output::Acknowledged { .. }
                | Output::TimeTaken { .. } => {}
                Output::Wait(_) => return Ok(()),
            }
        }
    }

    fn request(&mut self, request: Request) -> anyhow::Result<()> {
        let Request { token, method, params, .. } = request;
        let now_us = self.server_now();
        let asked = self.with_list(&method, params).and_then(|params| {
            serde_json::from_value::<ApiRequest>(json!({ "method": method, "params": params }))
                .map_err(|error| Fault::invalid_params(&method, error.to_string()))
        });
        match asked {
            Err(fault) => self.socket.server.answer(now_us, token, Err(fault)),
            Ok(ask) => match self.keeper.acd().look(&ask) {
                Value::Null => {
                    let now = Instant::micros(self.clock.latest_us);
                    let input = Input::Api { request: token, ask };
                    self.step(now, self.keeper.heard(), input)?;
                }
                seen => self.socket.server.answer(now_us, token, Ok(seen)),
            },
        }
        Ok(())
    }

    /// `list_load` takes a `file` for a list longer than a line: a name in the folder of lists, never a path.
    fn with_list(
        &self,
        method: &str,
        mut params: serde_json::Map<String, Value>,
    ) -> Result<serde_json::Map<String, Value>, Fault> {
        let Some(file) = params.remove("file").filter(|_| method == "list_load") else {
            return Ok(params);
        };
        let bad = |why: String| Fault::invalid_params(method, why).field("file");
        let name = file.as_str().unwrap_or_default();
        let plain = name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c));
        if name.is_empty() || name.starts_with('.') || !plain {
            return Err(bad("`file` is a name of letters, digits, points and hyphens".into()));
        }
        let path = self.lists.join(name);
        let octets =
            std::fs::read(&path).map_err(|error| bad(format!("{}: {error}", path.display())))?;
        let csv = String::from_utf8(octets).map_err(|error| {
            let before = error.as_bytes().get(..error.utf8_error().valid_up_to());
            let line = before.unwrap_or_default().iter().filter(|&&c| c == b'\n').count() + 1;
            bad(format!("{}: line {line} is not in UTF-8: save the list as UTF-8", path.display()))
        })?;
        params.insert("csv".into(), Value::String(csv));
        Ok(params)
    }
}

/// The next message of a connection; waits for ever when there is none.
async fn next_of(link: &mut Option<Link>) -> Result<Message, ClientError> {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}

/// Whether the database has everything; waits for ever when nobody asked.
async fn flushed(flushing: &mut Option<oneshot::Receiver<()>>) -> bool {
    match flushing {
        Some(flushing) => flushing.await.is_ok(),
        None => std::future::pending().await,
    }
}

/// The end of a running sync; waits for ever when none runs.
async fn done(
    sync: &mut Option<JoinHandle<Result<u64, JournalError>>>,
) -> Result<u64, JournalError> {
    match sync {
        Some(handle) => match handle.await {
            Ok(result) => result,
            // Only a panic ends such a task early; the next sync tells what the disk says.
            Err(_) => Ok(0),
        },
        None => std::future::pending().await,
    }
}

fn difference(a: u64, b: u64) -> i64 {
    i64::try_from(i128::from(a) - i128::from(b)).unwrap_or(0)
}

fn shifted(at_us: u64, shift_us: i64) -> u64 {
    at_us.saturating_add_signed(shift_us)
}

#[cfg(test)]
mod tests;
