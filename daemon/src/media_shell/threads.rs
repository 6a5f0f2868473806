//! The threads: who waits for what, and who wakes whom. The work itself is in the `…_work` modules.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use bus::{Reached, Registering, Vfio, VfioUser};
use call::{Accepted, CallCommand, CallEvent, Refusal, SnapshotItem};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use driver::{Board, BoardError};
use media::RecorderOrder;
use tdm::SampleTime;

use super::board_work::BoardRings;
use super::clock::Clock;
use super::line_status::LineStatus;
use super::lockstep::Gate;
use super::realtime;
use super::recorder::RecorderWork;
use super::rings::{NO_MASTER, Shared, count};
use super::setup::BoardPlan;
use super::signal_work::{Said, SignalWork};
use super::storm::Storm;
use super::tick_work::TickWork;
use crate::config::BoardAddress;
use crate::image;

/// A board that interrupts late is looked at all the same after this.
const LOOK: Duration = Duration::from_millis(5);
/// Between two attempts to reach a board that is gone.
const RECONNECT: Duration = Duration::from_millis(200);
/// The tick thread looks at its rings at least this often; boards wake it otherwise.
const TICK_REST: Duration = Duration::from_millis(1);
/// The signalling thread works at least this often.
const SIGNAL_REST: Duration = Duration::from_millis(5);
/// Lockstep: a millisecond is worked through after this, or never.
const WORKED_THROUGH: Duration = Duration::from_secs(4);
/// Lockstep: how long the controller may work on a `time` event, in real time.
const CONTROLLER_PATIENCE: Duration = Duration::from_secs(1);

/// What all threads hold.
#[derive(Clone)]
pub struct Common {
    /// The time.
    pub clock: Clock,
    /// Counters and states.
    pub shared: Arc<Shared>,
    /// Ends every thread.
    pub stop: Arc<AtomicBool>,
    /// There in lockstep.
    pub gate: Option<Arc<Gate>>,
    /// Real-time priorities are tried.
    pub realtime: bool,
}

impl Common {
    /// Real-time priority for the calling thread, when it is wanted; counted when the host refuses.
    fn prefer(&self, name: &str, priority: i32, cpu: Option<u16>) {
        if self.realtime && !realtime::prefer(name, priority, cpu) {
            count(&self.shared.realtime_refused);
        }
    }
}

/// From the socket thread to the signalling thread.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum ToSignal {
    Command {
        token: u64,
        command: Box<CallCommand>,
    },
    Controller {
        present: bool,
    },
    Snapshot {
        connection: u64,
    },
    Status {
        token: u64,
    },
    UtcOffset {
        micros: i64,
    },
    /// The controller is through with the last `time` event.
    TimeTaken,
    /// From the writer of recordings: it cannot make the file of this one.
    RecordingFails {
        name: String,
    },
}

/// From the signalling thread to the socket thread.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum FromSignal {
    Answer { token: u64, result: Result<Accepted, Refusal> },
    Snapshot { connection: u64, items: Vec<SnapshotItem> },
    Status { token: u64, status: Box<media::Status>, lines: Vec<LineStatus> },
    Said(Said),
}

/// Starts a board's thread. It reaches the board, serves it, and begins anew when it is gone.
///
/// # Errors
/// The host has no thread left.
pub fn board(
    common: Common,
    plan: BoardPlan,
    mut rings: BoardRings,
    cpu: Option<u16>,
    tick: Thread,
    signal: Thread,
) -> std::io::Result<JoinHandle<()>> {
    let name = format!("board{}", rings.index());
    std::thread::Builder::new().name(name.clone()).spawn(move || {
        common.prefer(&name, realtime::BOARD_PRIORITY, cpu);
        let mut begin = SampleTime::default();
        let mut last_error = String::new();
        while !common.stop.load(Acquire) {
            let error = match reach(&plan, begin, &common) {
                Ok(mut board) => {
                    let (silicon, echo) = (board.silicon(), board.has_echo_module());
                    tracing::info!(
                        board = name, address = ?plan.address, ?silicon, echo_module = ?echo, "board started"
                    );
                    if let Some(why) =
                        plan.image.and_then(|wanted| image::trouble(board.identity(), wanted))
                    {
                        tracing::warn!(board = name, "{why}");
                    }
                    if let Some(version) = board.unknown_silicon() {
                        tracing::warn!(
                            board = name,
                            version = format!("{version:#04x}"),
                            "the framer calls itself a version that is not known: it is driven as version 2.1"
                        );
                    }
                    last_error.clear();
                    // Nothing of an earlier life may be taken for a millisecond of this one.
                    while rings.untaken() > 0 && !common.stop.load(Acquire) {
                        tick.unpark();
                        std::thread::park_timeout(TICK_REST);
                    }
                    let wake = [&tick, &signal];
                    let ended = serve(&common, &mut board, &mut rings, wake);
                    begin = board.sample_time().plus_samples(8 * 1000);
                    if let Err(error) = &ended {
                        tracing::error!(board = name, %error, "board gone");
                    }
                    continue_after(ended)
                }
                Err(error) => Some(error),
            };
            rings.gone(common.clock.now());
            signal.unpark();
            if let Some(error) = error.map(|e| e.to_string())
                && error != last_error
            {
                tracing::warn!(board = name, error, "board not reached; tried again until it is");
                last_error = error;
            }
            if !common.stop.load(Acquire) {
                std::thread::park_timeout(RECONNECT);
            }
        }
    })
}

fn continue_after(ended: Result<(), BoardError>) -> Option<BoardError> {
    ended.err().filter(|error| !matches!(error, BoardError::Gone { .. }))
}

fn reach(
    plan: &BoardPlan,
    begin: SampleTime,
    common: &Common,
) -> Result<Board<Reached>, BoardError> {
    let bus = match &plan.address {
        BoardAddress::VfioUser(path) => Reached::Socket(VfioUser::connect(path.as_ref())?),
        BoardAddress::Pci(at) => {
            let gone = |why: String| BoardError::Gone { why };
            let at = at.parse().map_err(|error: bus::pci::NoAddress| gone(error.to_string()))?;
            let slot =
                Vfio::open(at, Registering::Best).map_err(|error| gone(error.to_string()))?;
            Reached::Slot(Box::new(slot))
        }
    };
    let settings = driver::Settings { begin, ..plan.settings };
    Board::start(bus, settings, common.clock.now())
}

fn serve(
    common: &Common,
    board: &mut Board<Reached>,
    rings: &mut BoardRings,
    wake: [&Thread; 2],
) -> Result<(), BoardError> {
    let mut through = rings.shared().map_or(0, |shared| shared.ticked.load(Acquire));
    rings.started(board);
    let mut storm = Storm::default();
    // In lockstep the millisecond stands still until it is acknowledged; the board's own timers must not.
    let now = || if common.gate.is_some() { common.clock.host() } else { common.clock.now() };
    while !common.stop.load(Acquire) {
        let fired = board.wait(now(), LOOK)?;
        // A line that never rests is left masked for a while. In lockstep the board waits, and so does its line.
        if let Some(rest) = storm.rest().filter(|_| fired && common.gate.is_none()) {
            if let Some(shared) = rings.shared() {
                count(&shared.storms);
            }
            std::thread::sleep(rest);
        }
        let served = rings.turn(board, common.clock.now(), common.gate.is_some())?;
        storm.looked(fired, served);
        if served > 0 {
            for thread in wake {
                thread.unpark();
            }
        }
        if let Some(gate) = &common.gate {
            through += served;
            let begin = std::time::Instant::now();
            while served > 0
                && !gate.wait(rings.index(), through, LOOK)
                && !common.stop.load(Acquire)
                && begin.elapsed() < WORKED_THROUGH
            {
                wake.iter().for_each(|thread| thread.unpark());
            }
            board.acknowledge(common.clock.now())?;
        }
    }
    Ok(())
}

/// Starts the tick thread.
///
/// # Errors
/// The host has no thread left.
pub fn tick(
    common: Common,
    mut work: TickWork,
    cpu: Option<u16>,
    signal: Thread,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("tick".into()).spawn(move || {
        common.prefer("tick", realtime::TICK_PRIORITY, cpu);
        while !common.stop.load(Acquire) {
            let alone = common.shared.master.load(Relaxed) == NO_MASTER;
            let now = common.clock.now();
            // Without a board no millisecond passes in lockstep: the host's timer makes them then, too.
            let now = if alone && common.gate.is_some() { now.plus_millis(1) } else { now };
            if work.turn(now) > 0 {
                signal.unpark();
                if !alone {
                    continue;
                }
            }
            std::thread::park_timeout(TICK_REST);
        }
    })
}

/// The signalling thread's way to and from the socket thread, and to the writer of recordings.
pub struct SignalLinks {
    /// Commands.
    pub inbox: Receiver<ToSignal>,
    /// Answers and events.
    pub outbox: Sender<FromSignal>,
    /// Wakes the socket thread.
    pub waker: Arc<mio::Waker>,
    /// To the writer of recordings.
    pub recorder: Sender<RecorderOrder>,
}

/// Starts the signalling thread.
///
/// # Errors
/// The host has no thread left.
pub fn signal(
    common: Common,
    mut work: SignalWork,
    links: SignalLinks,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("signalling".into()).spawn(move || {
        let mut controlled = false;
        let mut patient = true;
        while !common.stop.load(Acquire) {
            let ticked: Vec<u64> =
                common.shared.boards.iter().map(|b| b.ticked.load(Acquire)).collect();
            let now = common.clock.now();
            while let Ok(message) = links.inbox.try_recv() {
                patient |= matches!(message, ToSignal::TimeTaken);
                handle(&mut work, &links, now, message, &mut controlled);
            }
            work.turn(now);
            let time_passed = send_said(&mut work, &links);
            if common.gate.is_some() && time_passed && controlled && patient {
                patient = wait_for_controller(&mut work, &links, now, &mut controlled);
                send_said(&mut work, &links);
            }
            if let Some(gate) = &common.gate {
                gate.open(ticked.into_iter());
            }
            let rest = work.wake().map_or(SIGNAL_REST, |w| w.since(now).min(SIGNAL_REST));
            if links.inbox.is_empty() && !rest.is_zero() {
                std::thread::park_timeout(rest);
            }
        }
    })
}

/// Lockstep: takes the controller's commands until it is through with the `time` event. Whether it was.
fn wait_for_controller(
    work: &mut SignalWork,
    links: &SignalLinks,
    now: tdm::Instant,
    controlled: &mut bool,
) -> bool {
    let deadline = std::time::Instant::now() + CONTROLLER_PATIENCE;
    while *controlled {
        match links.inbox.recv_deadline(deadline) {
            Ok(ToSignal::TimeTaken) => return true,
            Ok(message) => handle(work, links, now, message, controlled),
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!("the controller did not answer a `time` event within 1 s");
                return false;
            }
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        send_said(work, links);
    }
    true
}

fn handle(
    work: &mut SignalWork,
    links: &SignalLinks,
    now: tdm::Instant,
    message: ToSignal,
    controlled: &mut bool,
) {
    let answer = match message {
        ToSignal::Command { token, command } => {
            let result = work.command(now, *command);
            Some(FromSignal::Answer { token, result })
        }
        ToSignal::Controller { present } => {
            *controlled = present;
            work.controller(now, present);
            None
        }
        ToSignal::Snapshot { connection } => {
            // Everything said so far is in the snapshot: it must be numbered before.
            send_said(work, links);
            Some(FromSignal::Snapshot { connection, items: work.snapshot() })
        }
        ToSignal::Status { token } => {
            let (status, lines) = (Box::new(work.status()), work.lines(now));
            Some(FromSignal::Status { token, status, lines })
        }
        ToSignal::UtcOffset { micros } => {
            work.utc_offset(micros);
            None
        }
        ToSignal::TimeTaken => None,
        ToSignal::RecordingFails { name } => {
            work.recording_fails(now, &name);
            None
        }
    };
    if let Some(answer) = answer {
        let _ = links.outbox.send(answer);
        let _ = links.waker.wake();
    }
}

/// Passes on what the call server said. Whether a `time` event was among it.
fn send_said(work: &mut SignalWork, links: &SignalLinks) -> bool {
    let (mut time_passed, mut any) = (false, false);
    while let Some(said) = work.said() {
        if let Said::Recorder(order) = said {
            let _ = links.recorder.send(order);
            continue;
        }
        time_passed |= matches!(&said, Said::Event { event: CallEvent::Time { .. }, .. });
        any = true;
        let _ = links.outbox.send(FromSignal::Said(said));
    }
    if any {
        let _ = links.waker.wake();
    }
    time_passed
}

/// Starts the writer of recordings.
///
/// # Errors
/// The host has no thread left.
pub fn recorder(
    common: Common,
    mut work: RecorderWork,
    orders: Receiver<RecorderOrder>,
    to_signal: Sender<ToSignal>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("recorder".into()).spawn(move || {
        while !common.stop.load(Acquire) {
            match orders.recv_timeout(Duration::from_millis(50)) {
                Ok(order) => work.order(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Ok(order) = orders.try_recv() {
                work.order(order);
            }
            for name in work.turn() {
                // A full inbox of the signalling thread: the record will name a recording that is not there.
                let _ = to_signal.try_send(ToSignal::RecordingFails { name });
            }
        }
        while let Ok(order) = orders.try_recv() {
            work.order(order);
        }
    })
}
