//! What crosses between the threads of the call server, and the rings it crosses on. A full ring never
//! blocks: what found no room is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use dsp::pipeline::{Command, Event};
use rtrb::{Consumer, Producer, RingBuffer};
use tdm::{Alarms, Block, ClockId, DOctets, Frame, Instant, Law, SPANS_MAX, SpanId, Timeslot};

use super::line_status::LineShared;

/// Milliseconds of a span that may wait between board thread and tick thread.
const BLOCKS: usize = 128;
/// Notes of a board: one D-channel for each of 8 ports and each millisecond of half a second, and changes.
const NOTES: usize = 8 * 512;
/// Frames that may wait for a D-channel beside those in its encoder.
const FRAMES: usize = 64;
/// Commands that may wait for the tick thread: every channel gets two in one millisecond.
const COMMANDS: usize = 2 * tdm::CHANNELS_MAX;
/// One whole block in which every channel has everything to say fits the ring twice.
const EVENTS: usize = 16_384;

const _: () = assert!(EVENTS >= 2 * tdm::CHANNELS_MAX * 4);

/// A millisecond of a span and when it was over.
#[derive(Clone, Copy, Debug)]
pub struct Stamped {
    /// On the host's clock, smoothed.
    pub at: Instant,
    /// The samples.
    pub block: Block,
}

/// What a board thread tells the signalling thread, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A millisecond of a D-channel, on the board's own clock.
    Octets {
        /// Where.
        span: SpanId,
        /// What.
        octets: DOctets,
        /// When it was noticed.
        at: Instant,
    },
    /// A line can carry calls or cannot, and its alarms.
    Line {
        /// Which.
        span: SpanId,
        /// It can.
        up: bool,
        /// Raised alarms.
        alarms: Alarms,
        /// When it was decided.
        at: Instant,
    },
    /// The signalling bits of a channel changed.
    Bits {
        /// Where.
        span: SpanId,
        /// Timeslot of an E1, channel of a T1.
        channel: u8,
        /// A = 8, B = 4, C = 2, D = 1.
        abcd: u8,
    },
    /// The signalling bits of all channels of a span are not known any more.
    BitsUnknown {
        /// Where.
        span: SpanId,
    },
    /// So many milliseconds of the whole board were lost at once.
    Gap {
        /// How many.
        millis: u64,
        /// When it was noticed.
        at: Instant,
    },
}

/// What all threads may look at.
#[derive(Debug, Default)]
pub struct Shared {
    /// The board whose clock ticks; [`NO_MASTER`] when none does.
    pub master: AtomicUsize,
    /// Milliseconds the tick thread has worked through.
    pub ticks: AtomicU64,
    /// What was counted.
    pub counters: Counters,
    /// Threads that wanted a real-time priority and got none, and memory that is not locked.
    pub realtime_refused: AtomicU64,
    /// The boards in the order of the configuration.
    pub boards: Vec<BoardShared>,
    /// The lines, by the span's index.
    pub lines: Vec<LineShared>,
}

/// No board is in service.
pub const NO_MASTER: usize = usize::MAX;

/// What is known of a board.
#[derive(Debug, Default)]
pub struct BoardShared {
    /// Milliseconds pass on it.
    pub running: AtomicBool,
    /// Interrupts seen.
    pub interrupts: AtomicU64,
    /// Milliseconds without an interrupt of their own.
    pub missed: AtomicU64,
    /// Interrupts that were slowed down, because they came without end and without a millisecond.
    pub storms: AtomicU64,
    /// Milliseconds served.
    pub served: AtomicU64,
    /// Contiguous losses.
    pub gaps: AtomicU64,
    /// Milliseconds lost in them.
    pub lost_millis: AtomicU64,
    /// Milliseconds that ticks have taken from it and are through with.
    pub ticked: AtomicU64,
    /// Frames of 125 µs dropped or repeated on the way in.
    pub slips_in: AtomicU64,
    /// Frames of 125 µs dropped or repeated on the way out.
    pub slips_out: AtomicU64,
    /// The port whose line clocks it, from 1; 0: its own oscillator.
    pub clock_port: AtomicU64,
    /// Its drift against the host's clock, in parts per billion, plus 2^62; 0: not known yet.
    pub drift: AtomicU64,
}

/// What found no room, or was not there in time.
#[derive(Debug, Default)]
pub struct Counters {
    /// Outgoing blocks of the master board that were not there in time: 1 ms of silence on one span each.
    pub underruns: AtomicU64,
    /// Incoming blocks that found the ring full.
    pub blocks_lost: AtomicU64,
    /// Outgoing blocks that found the ring full, or came too late.
    pub blocks_late: AtomicU64,
    /// Notes that found the ring full.
    pub notes_lost: AtomicU64,
    /// Events of the pipeline that found the ring full.
    pub events_lost: AtomicU64,
    /// Frames for D-channels that found the ring full.
    pub frames_lost: AtomicU64,
    /// Frames received with a wrong FCS or otherwise unusable.
    pub frames_bad: AtomicU64,
    /// Frames received.
    pub frames_good: AtomicU64,
    /// Frames and events that are missing in the captures, because their writer was too far behind.
    pub capture_left_out: AtomicU64,
}

/// Counts one more. Relaxed: counters order nothing.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Shared {
    /// For so many boards, none running.
    pub fn new(boards: usize) -> Self {
        Self {
            master: AtomicUsize::new(NO_MASTER),
            boards: (0..boards).map(|_| BoardShared::default()).collect(),
            lines: (0..SPANS_MAX).map(|_| LineShared::default()).collect(),
            ..Self::default()
        }
    }
    /// The clock that ticks, if a board's does.
    pub fn clock(&self) -> Option<ClockId> {
        u8::try_from(self.master.load(Ordering::Relaxed)).ok().map(ClockId)
    }
}

/// What a port carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPlan {
    /// Which span it is.
    pub span: SpanId,
    /// Framing and coding, for people.
    pub line: String,
    /// How speech is coded on it.
    pub law: Law,
    /// Its D-channel; none where channels have signalling bits of their own.
    pub d_channel: Option<Timeslot>,
    /// Channels with signalling bits, and what they send at first (A = 8 to D = 1).
    pub idle: Vec<(u8, u8)>,
}

/// A port's rings on the board thread.
pub struct BoardPort {
    /// What it carries.
    pub plan: PortPlan,
    /// To the tick thread.
    pub up: Producer<Stamped>,
    /// From the tick thread.
    pub down: Consumer<Stamped>,
    /// From the signalling thread.
    pub frames: Consumer<Frame>,
}

/// A board's rings on the board thread.
pub struct BoardEnds {
    /// Its place in the configuration.
    pub index: usize,
    /// Its ports in order.
    pub ports: Vec<BoardPort>,
    /// To the signalling thread.
    pub notes: Producer<Note>,
}

/// A port's rings on the tick thread.
pub struct TickPort {
    /// Which span it is.
    pub span: SpanId,
    /// How speech is coded on it.
    pub law: Law,
    /// From the board thread.
    pub up: Consumer<Stamped>,
    /// To the board thread.
    pub down: Producer<Stamped>,
}

/// The tick thread's rings.
pub struct TickEnds {
    /// The boards' ports.
    pub boards: Vec<Vec<TickPort>>,
    /// To the signalling thread.
    pub events: Producer<Event>,
    /// From the signalling thread.
    pub commands: Consumer<Command>,
}

/// The signalling thread's rings.
pub struct SignalEnds {
    /// What there is: the board of each port, its place there from 0, and what it carries.
    pub ports: Vec<(usize, usize, PortPlan)>,
    /// From the board threads.
    pub notes: Vec<Consumer<Note>>,
    /// To the D-channels, by the span's index.
    pub frames: Vec<Option<Producer<Frame>>>,
    /// From the tick thread.
    pub events: Consumer<Event>,
    /// To the tick thread.
    pub commands: Producer<Command>,
}

/// All rings for boards with these ports.
pub fn build(boards: &[Vec<PortPlan>]) -> (Vec<BoardEnds>, TickEnds, SignalEnds, Arc<Shared>) {
    let mut frames: Vec<Option<Producer<Frame>>> = (0..SPANS_MAX).map(|_| None).collect();
    let (mut board_ends, mut tick_boards, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (index, plans) in boards.iter().enumerate() {
        let (mut board_ports, mut tick_ports) = (Vec::new(), Vec::new());
        for plan in plans {
            let (span, law) = (plan.span, plan.law);
            let (up, up_end) = RingBuffer::new(BLOCKS);
            let (down_end, down) = RingBuffer::new(BLOCKS);
            let (frames_end, port_frames) = RingBuffer::new(FRAMES);
            if let Some(place) = frames.get_mut(span.index()) {
                *place = Some(frames_end);
            }
            board_ports.push(BoardPort { plan: plan.clone(), up, down, frames: port_frames });
            tick_ports.push(TickPort { span, law, up: up_end, down: down_end });
        }
        let (note_end, note) = RingBuffer::new(NOTES);
        board_ends.push(BoardEnds { index, ports: board_ports, notes: note_end });
        tick_boards.push(tick_ports);
        notes.push(note);
    }
    let (event_end, events) = RingBuffer::new(EVENTS);
    let (command_end, commands) = RingBuffer::new(COMMANDS);
    let tick = TickEnds { boards: tick_boards, events: event_end, commands };
    let ports = boards.iter().enumerate().flat_map(|(board, plans)| {
        plans.iter().enumerate().map(move |(port, plan)| (board, port, plan.clone()))
    });
    let ports = ports.collect();
    let signal = SignalEnds { ports, notes, frames, events, commands: command_end };
    let mut shared = Shared::new(boards.len());
    for plan in boards.iter().flatten() {
        if let Some(line) = shared.lines.get_mut(plan.span.index()) {
            line.is_driven = true;
        }
    }
    (board_ends, tick, signal, Arc::new(shared))
}
