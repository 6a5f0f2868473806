//! The wct4xxp boards of generations 2 to 5: probe, start, the service of a millisecond, stop.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod echo;
mod events;
mod image;
mod lamps;
mod layout;
mod local_bus;
mod poll;
mod port;
mod position;
mod probe;
mod ring;
mod rows;
mod service;
mod settings;
mod start;

use core::time::Duration;

use bus::{Bus, DmaRegion};
use tdm::{Alarm, Alarms, Block, Instant, SampleTime, SpanStatus};

pub use events::{BoardEvent, PORTS_MAX};
pub use image::{Image, ImageError};
pub use port::Loopback;
pub use probe::{Identity, model_of, probe};
pub use rows::{PortOctets, Rows, from_rows, to_rows};
pub use service::Look;
pub use settings::{Acknowledge, PortSettings, RING_MAX, RING_MIN, Settings};

use crate::error::{BoardError, Result};
use crate::framer::{bits, falc::Silicon};
use crate::span::{Candidate, ClockChoice, Counters, Performance, choose};
use events::EventQueue;
use layout::Layout;
use port::Port;
use position::Position;

/// What takes a board's samples and gives it others. Called on the board thread once for every completed
/// millisecond and used port, first `received` of all ports, then `transmit` of all: what came in may go
/// out in the same millisecond.
pub trait Line {
    /// Port `port` received `block`.
    fn received(&mut self, port: usize, block: &Block);
    /// Fills what port `port` sends. `block` is idle before; `block.at` is when its first row will be on
    /// the line.
    fn transmit(&mut self, port: usize, block: &mut Block);
}

/// What happened since start, for counters and logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Interrupts that fired.
    pub interrupts: u64,
    /// Of these, with nothing to do: normal with INTx.
    pub empty: u64,
    /// Milliseconds that passed without an interrupt of their own.
    pub missed: u64,
    /// Milliseconds whose samples crossed.
    pub served: u64,
    /// Contiguous losses.
    pub gaps: u64,
    /// Milliseconds lost in them.
    pub lost_millis: u64,
    /// Looks whose index did not fit the ident.
    pub realigned: u64,
    /// Accesses to framer registers while running.
    pub framer_accesses: u64,
    /// Events that found the queue full.
    pub events_lost: u64,
}

/// A board that runs.
///
/// The board thread calls [`Board::wait`] and [`Board::service`], and [`Board::poll_event`] until it is
/// empty. After [`BoardError::Gone`] the handle is dead: probe and start anew on a new bus.
///
/// Dropped, it stops the board before its memory goes away.
pub struct Board<B: Bus> {
    bus: B,
    identity: Identity,
    layout: Layout,
    silicon: Silicon,
    unknown_silicon: Option<u8>,
    echo_module: Option<bool>,
    settings: Settings,
    memory: DmaRegion,
    /// Every used port is a T1: channels sit four slots higher on the board's highway.
    all_t1: bool,
    position: Position,
    ports: [Option<Port>; PORTS_MAX],
    clock: ClockChoice,
    lamps: u32,
    state: State,
    events: EventQueue,
    stats: Stats,
    /// INTx fired and is masked until the next acknowledge.
    masked: bool,
    /// INTR showed something that is not acknowledged yet.
    unacknowledged: bool,
    /// Framer accesses that are left for this millisecond.
    framer_credit: u8,
    /// The framer shows causes that are masked; nothing while that is not known.
    masked_show: Option<bool>,
    /// INTR showed the framer's pin.
    framer_calls: bool,
    /// Milliseconds that passed since the last interrupt.
    unannounced_millis: u64,
    /// When a millisecond last passed.
    alive_at: Instant,
}

/// What a handle is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// It answers, but its clock stands still.
    Stalled,
    Stopped,
    Gone,
}

/// Without a millisecond for so long the board's clock is said to stand still.
const STALL_MILLIS: u64 = 1000;
/// So many milliseconds without an interrupt: they do not come at all.
const DEAF_MILLIS: u64 = 1000;

/// What of a board's lines outlives the handle: their counters and their history. A board that comes back goes on
/// with it, and the time without it is told as such.
#[derive(Clone, Debug, Default)]
pub struct Past([Option<(Counters, Performance, Instant)>; PORTS_MAX]);

impl<B: Bus> Board<B> {
    /// Who it is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The bus, for those who watch it.
    pub const fn bus(&self) -> &B {
        &self.bus
    }

    /// What happened since start.
    pub const fn stats(&self) -> Stats {
        Stats { events_lost: self.events.lost, ..self.stats }
    }

    /// Milliseconds from `transmit` until its first row is on the line, when the host is not late.
    pub const fn transmit_delay_millis(&self) -> u64 {
        match self.position {
            Position::Ring(_) => (self.settings.ring as u64).saturating_sub(1),
            Position::Single(_) => 0,
        }
    }

    /// The board's clock: the first sample of the millisecond it works on.
    pub const fn sample_time(&self) -> SampleTime {
        self.at(self.position.completed())
    }

    /// Which port's line clocks the board; `None`: its own oscillator.
    pub const fn clock_source(&self) -> Option<usize> {
        if self.clock.recovered { Some(self.clock.port) } else { None }
    }

    /// What is known of a port; nothing and out of service when it is not used.
    pub fn status(&self, port: usize) -> SpanStatus {
        self.ports.get(port).and_then(Option::as_ref).map_or_else(SpanStatus::default, |port| {
            let gone = self.state == State::Gone;
            let alarms =
                if gone { Alarms::NONE.with(Alarm::BoardGone, true) } else { port.alarms() };
            SpanStatus {
                alarms,
                in_service: self.state == State::Running && port.in_service(),
                crc_errors: port.counters.crc_errors,
                code_violations: port.counters.code_violations,
                frame_errors: port.counters.frame_errors,
                slips: port.counters.slips,
            }
        })
    }

    /// Whether `port` is set to CRC-4 and its far end sends none: it works, without error supervision.
    pub fn crc4_missing(&self, port: usize) -> bool {
        let known = self.ports.get(port).and_then(Option::as_ref);
        known.is_some_and(|port| port.settings.mode.has_crc4() && port.health.multiframe_missing())
    }

    /// The silicon of its framer.
    pub const fn silicon(&self) -> Silicon {
        self.silicon
    }

    /// What the framer's version register showed when the register map does not know it; it is then driven as version
    /// 2.1.
    pub const fn unknown_silicon(&self) -> Option<u8> {
        self.unknown_silicon
    }

    /// Whether an echo canceller module is on the board; `None` when its image has no known way to ask. It is
    /// left alone: the sound passes it by.
    pub const fn has_echo_module(&self) -> Option<bool> {
        self.echo_module
    }

    /// Whether interrupts come. They do not when milliseconds pass and none told of it for a second: INTx does not reach
    /// the host. A board of generation 5 is served all the same by looks, as late as they come; before, what passes
    /// between two looks is lost.
    pub const fn interrupts_arrive(&self) -> bool {
        self.unannounced_millis < DEAF_MILLIS
    }

    /// Whether the framer shows causes that are masked (GCR.VIS); nothing until a second of the line has passed. Where it
    /// does not, its masks were opened.
    pub const fn masked_causes_show(&self) -> Option<bool> {
        self.masked_show
    }

    /// What went wrong on a port's line since start, the far end's side of it too.
    pub fn counters(&self, port: usize) -> Option<Counters> {
        Some(self.ports.get(port)?.as_ref()?.counters)
    }

    /// What is to be kept of the lines when this handle goes.
    pub fn past(&self) -> Past {
        Past(self.ports.each_ref().map(|port| {
            port.as_ref().map(|known| (known.counters, known.performance.clone(), known.second_at))
        }))
    }

    /// Goes on with the history of an earlier handle on the same board. The seconds since count as unavailable from the
    /// tenth on, as those of a dead line.
    pub fn remember(&mut self, past: Past) {
        for (known, past) in self.ports.iter_mut().zip(past.0) {
            let (Some(known), Some((counters, performance, until))) = (known, past) else {
                continue;
            };
            let begun = known.second_at;
            known.counters = counters;
            known.performance = performance.of(known.settings.mode);
            known.second_at = until;
            known.dark_seconds(begun);
            known.second_at = begun;
        }
    }

    /// The seconds of a port's line: errored, severely errored, unavailable.
    pub fn performance(&self, port: usize) -> Option<&Performance> {
        Some(&self.ports.get(port)?.as_ref()?.performance)
    }

    /// By how many parts per million the clock of a port's line and that of the board differ, when its slips come
    /// steadily.
    pub fn steady_slips_ppm(&self, port: usize) -> Option<f64> {
        self.ports.get(port)?.as_ref()?.slips.steady_ppm()
    }

    /// The signalling bits channel `channel` of `port` was last heard with (A = 8 to D = 1); `None` while they
    /// are not known, and on lines without.
    pub fn bits(&self, port: usize, channel: u8) -> Option<u8> {
        let known = self.ports.get(port)?.as_ref()?;
        let heard = known.bits.as_ref().filter(|bits| bits.known)?;
        let mode = known.settings.mode;
        mode.has_bits(channel).then(|| bits::get(&heard.heard, mode.framing, channel))
    }

    /// Sends signalling bits on a channel from one of the next milliseconds on; `false` when the channel has
    /// none.
    ///
    /// On an E1, 0000 on every channel would look like the multiframe's own signal: it is sent as 0001.
    pub fn set_bits(&mut self, port: usize, channel: u8, abcd: u8) -> bool {
        let Some(Some(known)) = self.ports.get_mut(port) else { return false };
        let mode = known.settings.mode;
        let framing = mode.framing;
        let Some(bits) = &mut known.bits else { return false };
        if !mode.has_bits(channel) {
            return false;
        }
        let e1 = matches!(framing, crate::framer::Framing::E1 { .. });
        let abcd = if e1 && abcd & 0xF == 0 { 0b0001 } else { abcd & 0xF };
        bits::set(&mut bits.wanted, framing, channel, abcd);
        true
    }

    /// Puts a port into a loop, or takes it out. A looped port is out of service and clocks nothing; `false`
    /// when the port is not used.
    pub fn set_loopback(&mut self, port: usize, loopback: Loopback) -> bool {
        let Some(Some(known)) = self.ports.get_mut(port) else { return false };
        (known.loopback, known.loop_step) = (loopback, 0);
        true
    }

    /// The loop that a port is in, or is being put into; `None` when the port is not used.
    pub fn loopback(&self, port: usize) -> Option<Loopback> {
        Some(self.ports.get(port)?.as_ref()?.loopback)
    }

    /// The oldest event that waits.
    pub fn poll_event(&mut self) -> Option<BoardEvent> {
        self.events.pop()
    }

    /// Waits for an interrupt; `false` when `timeout` passed without one. Look all the same then: at
    /// least every 20 ms.
    ///
    /// # Errors
    /// [`BoardError::Gone`].
    pub fn wait(&mut self, now: Instant, timeout: Duration) -> Result<bool> {
        self.alive()?;
        match self.bus.wait(timeout) {
            Ok(fired) => {
                if fired {
                    self.masked = true;
                    self.heard_interrupt(now);
                    self.stats.interrupts = self.stats.interrupts.wrapping_add(1);
                }
                Ok(fired)
            }
            Err(error) => Err(self.fail(now, error.into())),
        }
    }

    fn heard_interrupt(&mut self, now: Instant) {
        if !self.interrupts_arrive() {
            self.events.push(BoardEvent::Interrupts { arrive: true, at: now });
        }
        self.unannounced_millis = 0;
    }
    fn missed_interrupts(&mut self, now: Instant, millis: u64) {
        let arrived = self.interrupts_arrive();
        self.unannounced_millis = self.unannounced_millis.saturating_add(millis);
        if arrived && !self.interrupts_arrive() {
            self.events.push(BoardEvent::Interrupts { arrive: false, at: now });
        }
    }

    /// The sample time of the first row of `millisecond`, counted from the start of DMA.
    const fn at(&self, millisecond: u64) -> SampleTime {
        self.settings.begin.plus_samples(millisecond.saturating_mul(tdm::SAMPLES as u64))
    }

    fn alive(&self) -> Result<()> {
        match self.state {
            State::Running | State::Stalled => Ok(()),
            State::Stopped => Err(BoardError::Gone { why: "it was stopped".into() }),
            State::Gone => Err(BoardError::Gone { why: "it was gone before".into() }),
        }
    }

    /// Marks the board as gone, says so on every port, and passes the reason on.
    fn fail(&mut self, now: Instant, error: BoardError) -> BoardError {
        if self.state != State::Gone {
            self.state = State::Gone;
            self.publish(now);
            self.events.push(BoardEvent::Gone { at: now });
        }
        error
    }

    /// Tells what changed since the last time.
    fn publish(&mut self, now: Instant) {
        for port in 0..PORTS_MAX {
            let status = self.status(port);
            let Some(Some(known)) = self.ports.get_mut(port) else { continue };
            let before = core::mem::replace(&mut known.published, status);
            for alarm in Alarm::ALL {
                let raised = status.alarms.has(alarm);
                if raised != before.alarms.has(alarm) {
                    self.events.push(BoardEvent::Alarm { port, alarm, raised, at: now });
                }
            }
            if status.in_service != before.in_service {
                let on = status.in_service;
                self.events.push(BoardEvent::InService { port, on, at: now });
            }
        }
    }

    /// The clock the lines now call for.
    fn wanted_clock(&self) -> ClockChoice {
        choose(self.ports.iter().map(|port| {
            port.as_ref().map(|port| Candidate {
                timing: port.settings.timing,
                healthy: port.health.may_clock() && port.loopback == Loopback::None,
            })
        }))
    }
}

impl<B: Bus> Drop for Board<B> {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
