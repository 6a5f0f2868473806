//! One used port: what is known of its line, and what it has yet to be told.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::falc;
use tdm::{Alarms, Instant, SpanStatus};

use super::PortSettings;
use super::events::{BoardEvent, EventQueue};
use crate::framer::{Framing, Mode, MultiframeStatus, bits};
use crate::span::{
    Counters, Debounce, Latched, LineHealth, MultiframeHealth, Performance, Second, SlipWatch,
};

/// From the start of a line to the first look: its receiver has to settle.
const FIRST_ALARMS_MILLIS: u64 = 250;
/// Between two looks at slips and at the framer's second.
pub const SECOND_MILLIS: u64 = 250;
/// Counters are read after so long even when the framer shows no second. The first time a port is that late, its
/// framer does not show what is masked.
pub const COUNTERS_MILLIS: u64 = 2000;
/// Counted in seconds of the host while the board's do not pass.
const HOST_SECOND_MILLIS: u64 = 1000;
/// The longest darkness that is counted: a day, which is what is kept.
const DARK_SECONDS_MAX: u64 = 86_400;
/// Apart in the time of their polls, so that the ports do not all come in one millisecond.
const STAGGER_MILLIS: u64 = 7;

/// Which loop a port is in: for tests of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loopback {
    /// None.
    #[default]
    None,
    /// What the line brings goes back to it, as it is.
    Line,
    /// What the line brings goes back to it in new frames.
    Payload,
    /// What is sent comes back as received.
    Local,
}

/// Where a round through the once-a-second registers stands.
#[derive(Clone, Copy, Debug)]
pub enum Round {
    /// The transmit slips come next.
    TransmitSlips {
        /// And then the counters.
        second: bool,
    },
    /// The low octet of a counter.
    Low {
        /// Which.
        counter: usize,
    },
    /// Its high octet.
    High {
        /// Which.
        counter: usize,
        /// What its low octet was.
        low: u8,
    },
}

/// The signalling bits of a port.
#[derive(Clone, Debug)]
pub struct Bits {
    /// XS1 to XS16 as they should be, and as they are.
    pub wanted: bits::Registers,
    pub written: bits::Registers,
    /// RS1 to RS16 as last read.
    pub heard: bits::Registers,
    /// What the events have told so far, of the channels whose bit is set in `told_channels`.
    pub told: bits::Registers,
    /// Bit n: the events have told the bits of channel n, and not that they are unknown since.
    pub told_channels: u32,
    /// The next register to be read; all were when there is none.
    pub reading: Option<usize>,
    /// All of them were read at least once while the line was whole.
    pub known: bool,
    /// When the framer is asked next whether one changed.
    pub due: Instant,
    /// The multiframe of timeslot 16, as it was seen last. On a T1 there is none to be lost.
    pub multiframe: MultiframeStatus,
}

/// One used port.
#[derive(Clone, Debug)]
pub struct Port {
    pub settings: PortSettings,
    pub health: LineHealth,
    /// Of an E1 with signalling bits.
    pub multiframe: Option<MultiframeHealth>,
    pub counters: Counters,
    pub performance: Performance,
    pub slips: SlipWatch,
    /// What the second that runs has seen.
    pub second: Second,
    /// When the last second ended, on the host's clock.
    pub second_at: Instant,
    /// How many of the interrupt masks were opened.
    pub masks_opened: usize,
    /// What the events have told so far.
    pub published: SpanStatus,
    /// What the line is told of our own trouble.
    pub tells_remote_alarm: bool,
    pub alarms_due: Instant,
    /// The status of timeslot 16 is read next.
    pub multiframe_due: bool,
    pub second_due: Instant,
    pub counters_due: Instant,
    pub round: Option<Round>,
    pub bits: Option<Bits>,
    pub loopback: Loopback,
    /// The loop the framer is in, and how far it was told of the next.
    pub looped: Loopback,
    pub loop_step: usize,
}

impl Bits {
    fn new(framing: Framing, due: Instant) -> Self {
        // The start has written them.
        let wanted = bits::idle(framing);
        Self {
            wanted,
            written: wanted,
            heard: [0; bits::REGISTERS],
            told: [0; bits::REGISTERS],
            told_channels: 0,
            reading: None,
            known: false,
            due,
            multiframe: MultiframeStatus {
                lost: matches!(framing, Framing::E1 { .. }),
                remote: false,
            },
        }
    }

    /// Tells of every channel whose bits are others than those told last, or were not told since they became known.
    /// `false` when there was no room for all.
    pub fn tell(&mut self, port: usize, mode: Mode, at: Instant, events: &mut EventQueue) -> bool {
        let framing = mode.framing;
        for channel in bits::channels(framing).filter(|&channel| mode.has_bits(channel)) {
            let abcd = bits::get(&self.heard, framing, channel);
            let mask = 1_u32.wrapping_shl(channel.into());
            let told = self.told_channels & mask != 0;
            if told && abcd == bits::get(&self.told, framing, channel) {
                continue;
            }
            if !events.has_room() {
                return false;
            }
            events.push(BoardEvent::Bits { port, channel, abcd, at });
            bits::set(&mut self.told, framing, channel, abcd);
            self.told_channels |= mask;
        }
        true
    }
    /// The first register that is not as it should be.
    pub fn unwritten(&self) -> Option<usize> {
        self.wanted.iter().zip(&self.written).position(|(wanted, written)| wanted != written)
    }
    /// Says in the multiframe's word whether timeslot 16 is understood. G.732, §5.3.
    pub fn answer_multiframe(&mut self, framing: Framing) {
        if matches!(framing, Framing::E1 { .. })
            && let Some(first) = self.wanted.first_mut()
        {
            let alarm = if self.multiframe.lost { falc::XS1_Y } else { 0 };
            *first = falc::XS1_ALIGNED | alarm;
        }
    }
}

impl Port {
    pub fn new(port: usize, settings: PortSettings, debounce: Debounce, now: Instant) -> Self {
        let apart = STAGGER_MILLIS.saturating_mul(port as u64);
        let first = now.plus_millis(FIRST_ALARMS_MILLIS.saturating_add(apart));
        let mode = settings.mode;
        let debounce = debounce.of(mode);
        let bits = mode.associated.then(|| Bits::new(mode.framing, first));
        let has_multiframe = mode.associated && !mode.is_t1();
        Self {
            settings,
            health: LineHealth::new(debounce),
            multiframe: has_multiframe.then(|| MultiframeHealth::new(debounce)),
            counters: Counters::default(),
            performance: Performance::new(mode),
            slips: SlipWatch::default(),
            second: Second::default(),
            second_at: now,
            masks_opened: 0,
            published: SpanStatus::default(),
            tells_remote_alarm: false,
            alarms_due: first,
            multiframe_due: false,
            second_due: now.plus_millis(SECOND_MILLIS.saturating_add(apart)),
            counters_due: now.plus_millis(COUNTERS_MILLIS),
            round: None,
            bits,
            loopback: Loopback::None,
            looped: Loopback::None,
            loop_step: 0,
        }
    }

    /// Counts what `slips` show, unless the line is in trouble: a dead line slips all the time.
    pub fn add_slips(&mut self, slips: u8) {
        if !self.health.is_suspect() {
            let seen = slips.count_ones();
            self.counters.slips = self.counters.slips.saturating_add(seen.into());
            self.second.slips = self.second.slips.saturating_add(seen);
        }
    }

    /// Adds what the framer latched of its last second.
    pub fn add_errors(&mut self, which: Latched, errors: u16) {
        self.counters.add(which, errors);
        let place = match which {
            Latched::Frame => &mut self.second.frame_errors,
            Latched::Code => &mut self.second.code_violations,
            Latched::Crc => &mut self.second.crc_errors,
            Latched::Far => return,
        };
        *place = errors.into();
    }

    /// All of a second is known.
    pub fn end_second(&mut self, now: Instant) {
        let defect = self.second.defect || self.health.is_suspect();
        let crc4_missing = self.health.multiframe_missing();
        self.performance.second(&Second { defect, crc4_missing, ..self.second });
        self.slips.second(self.second.slips);
        self.second = Second::default();
        self.second_at = now;
    }

    /// Counts the whole seconds until `now` in which the board did nothing: to the line they are as a loss of signal.
    pub fn dark_seconds(&mut self, now: Instant) {
        let dark = now.millis_since(self.second_at) / HOST_SECOND_MILLIS;
        for _ in 0..dark.min(DARK_SECONDS_MAX) {
            self.performance.second(&Second { defect: true, ..Second::default() });
        }
        self.second_at = self.second_at.plus_millis(dark.saturating_mul(HOST_SECOND_MILLIS));
    }

    /// Raised alarms.
    pub fn alarms(&self) -> Alarms {
        let multiframe = self.multiframe.as_ref().map_or(Alarms::NONE, MultiframeHealth::alarms);
        self.health.alarms().and(multiframe)
    }

    /// Whether the line may carry calls.
    pub fn in_service(&self) -> bool {
        let bits_pass = self.multiframe.as_ref().is_none_or(MultiframeHealth::is_usable);
        self.health.in_service() && bits_pass && self.loopback == Loopback::None
    }
}
