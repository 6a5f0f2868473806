//! The threads of the call server, and what each does in its turn.
//!
//! The work of each thread is a plain struct with a `turn(now)`: [`board_work`] moves DMA memory to rings,
//! [`tick_work`] steps the pipeline, [`signal_work`] feeds the call server. The threads here call them in
//! time; [`crate::rig`] calls them one after the other in virtual time. Both are the same code.

pub mod alarm_log;
pub mod board_work;
pub mod capture;
pub mod clock;
pub mod d_watch;
pub mod line_status;
pub mod lockstep;
pub mod pace;
pub mod realtime;
pub mod recorder;
pub mod recording;
pub mod rings;
pub mod setup;
pub mod signal_work;
pub mod spill;
pub mod storm;
pub mod threads;
pub mod tick_work;

mod socket;

pub use socket::Loopback;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Release;

use anyhow::{Context, Result};
use crossbeam::channel;
use media::Media;
use protocol::calls;
use protocol::server::{Server, Settings};

use crate::allow::Allow;
use crate::alone::Alone;
use crate::announcements::Known;
use crate::config::{BoardAddress, Config};
use crate::door::Door;
use crate::paths::Paths;
use board_work::BoardRings;
use clock::Clock;
use lockstep::Gate;
use recorder::RecorderWork;
use setup::{Plan, Prompts};
use signal_work::SignalWork;
pub(crate) use socket::status_answer;
use socket::{Desk, Desks};
use spill::FileSpill;
use threads::{Common, SignalLinks};
use tick_work::TickWork;

/// Milliseconds of outgoing sound held back on a host, at least and at most.
const LEAD_MILLIS: [u8; 2] = [4, 16];

/// How many milliseconds of outgoing sound are held back for a board with a ring of so many buffers: half
/// of them. A board thread that comes late serves all that waits at once, and the tick thread answers only
/// then: what goes out meanwhile must be there already. A deeper ring is the wish to bear a later thread.
fn lead_millis(ring: u8) -> u32 {
    let [least, most] = LEAD_MILLIS;
    u32::from((ring / 2).clamp(least, most))
}

/// Runs the call server until a signal ends it.
///
/// # Errors
/// It cannot start: what is missing.
pub fn run(
    config: &Config,
    config_path: &Path,
    paths: &Paths,
    prompts: &Prompts,
    announcements: &[Known],
) -> Result<()> {
    let signals = crate::signals::Signals::take()?;
    let _alone = Alone::take(&paths.lock("media"), "media")?;
    let mut plan = Plan::new(config, prompts)?.knowing(announcements);
    for board in &mut plan.boards {
        if let BoardAddress::VfioUser(path) = &mut board.address {
            *path = paths.at(&*path).display().to_string();
        }
    }
    let lockstep = config.host.lockstep;
    let ports: Vec<_> = plan.boards.iter().map(|b| b.ports.clone()).collect();
    let (board_ends, tick_ends, signal_ends, shared) = rings::build(&ports);
    let clock = Clock::new(lockstep.then(|| Arc::clone(&shared)));
    let common = Common {
        clock: clock.clone(),
        shared: Arc::clone(&shared),
        stop: Arc::new(AtomicBool::new(false)),
        gate: lockstep.then(|| Arc::new(Gate::new(ports.len()))),
        realtime: config.host.realtime && !lockstep,
    };
    if common.realtime && !realtime::lock_memory() {
        rings::count(&shared.realtime_refused);
    }

    let instance = socket::next_instance(&paths.instance())?;
    let mut media = Media::new(plan.media.clone(), instance, clock.now())?;
    media.utc_offset(clock.utc_offset_us());
    let allow = Allow::parse(config.media.allow.iter().map(|a| a.get_ref().as_str()))?;
    let mut settings = Settings::new(format!("{instance:x}"), calls::METHODS);
    settings.lockstep = lockstep;
    settings.utc_offset_us = clock.utc_offset_us();
    let spill = FileSpill::create(&paths.unacknowledged())
        .with_context(|| paths.unacknowledged().display().to_string())?;
    settings.spill = Box::new(spill);
    let door = Door::listen(&paths.media_socket(), allow, Server::new(settings))?;

    let (pipeline, recorders) = plan.pipeline();
    let recorder = RecorderWork::new(recorders, paths)
        .with_context(|| paths.recordings().display().to_string())?;
    let tick = TickWork::new(pipeline, tick_ends, Arc::clone(&shared), plan.spans, lockstep);
    let mut work = SignalWork::new(media, signal_ends, Arc::clone(&shared), clock.now());
    if let Some(folder) = &config.media.capture {
        let sides = plan.media.spans.iter().map(|span| (span.span, span.side())).collect();
        let utc_offset_us = clock.utc_offset_us();
        work.capture(capture::Capture::start(&paths.at(folder), sides, utc_offset_us)?);
    }
    let (to_signal, inbox) = channel::bounded(4096);
    let (outbox, from_signal) = channel::unbounded();
    let (orders, order_inbox) = channel::unbounded();
    let links = SignalLinks { inbox, outbox, waker: door.waker(), recorder: orders };

    let cpu = |n: usize| config.host.cpus.get(n).copied();
    let writer = threads::recorder(common.clone(), recorder, order_inbox, to_signal.clone())?;
    let mut handles = vec![writer];
    let signal = threads::signal(common.clone(), work, links)?;
    let signal_thread = signal.thread().clone();
    let tick = threads::tick(common.clone(), tick, cpu(0), signal_thread.clone())?;
    let tick_thread = tick.thread().clone();
    for (n, (ends, plan)) in board_ends.into_iter().zip(plan.boards).enumerate() {
        let lead = if lockstep { 1 } else { lead_millis(plan.settings.ring) };
        let rings = BoardRings::new(ends, Arc::clone(&shared), lead).joined(lockstep);
        let wake = (tick_thread.clone(), signal_thread.clone());
        handles.push(threads::board(common.clone(), plan, rings, cpu(n + 1), wake.0, wake.1)?);
    }
    handles.extend([signal, tick]);

    let desks = Desks {
        common: common.clone(),
        signal: signal_thread,
        to_signal,
        from_signal,
        config_path: config_path.to_owned(),
    };
    let mut desk = Desk::new(door, desks, signals, &paths.alarms())?;
    let ended = desk.run();
    common.stop.store(true, Release);
    for handle in handles {
        handle.thread().unpark();
        if handle.join().is_err() {
            tracing::error!("a thread of the call server panicked");
        }
    }
    ended
}
