//! One used port: what is known of its line, and what it has yet to be told.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::falc;
use tdm::{Instant, SpanStatus};

use super::PortSettings;
use crate::framer::{Framing, bits, falc::IDLE_BITS};
use crate::span::{Counters, Latched, LineHealth, Performance, Second, SlipWatch};

/// From the start of a line to the first look: its receiver has to settle.
const FIRST_ALARMS_MILLIS: u64 = 250;
/// Between two looks at slips and at the framer's second.
pub const SECOND_MILLIS: u64 = 250;
/// Counters are read after so long even when the framer shows no second.
pub const COUNTERS_MILLIS: u64 = 2000;
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
    /// What the events have told so far.
    pub told: bits::Registers,
    /// The next register to be read; all were when there is none.
    pub reading: Option<usize>,
    /// All of them were read at least once while the line was whole.
    pub known: bool,
    /// When the framer is asked next whether one changed.
    pub due: Instant,
    /// Timeslot 16 has no multiframe.
    pub multiframe_lost: bool,
}

/// One used port.
#[derive(Clone, Debug)]
pub struct Port {
    pub settings: PortSettings,
    pub health: LineHealth,
    pub counters: Counters,
    pub performance: Performance,
    pub slips: SlipWatch,
    /// What the second that runs has seen.
    pub second: Second,
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
        let mut wanted = [0; bits::REGISTERS];
        if matches!(framing, Framing::E1 { .. }) {
            wanted = [IDLE_BITS << 4 | IDLE_BITS; bits::REGISTERS];
            if let Some(first) = wanted.first_mut() {
                *first = falc::XS1_ALIGNED;
            }
        }
        Self {
            wanted,
            written: wanted,
            heard: [0; bits::REGISTERS],
            told: [0; bits::REGISTERS],
            reading: None,
            known: false,
            due,
            multiframe_lost: matches!(framing, Framing::E1 { .. }),
        }
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
            let alarm = if self.multiframe_lost { falc::XS1_Y } else { 0 };
            *first = falc::XS1_ALIGNED | alarm;
        }
    }
}

impl Port {
    pub fn new(port: usize, settings: PortSettings, health: LineHealth, now: Instant) -> Self {
        let apart = STAGGER_MILLIS.saturating_mul(port as u64);
        let first = now.plus_millis(FIRST_ALARMS_MILLIS.saturating_add(apart));
        let bits = settings.mode.associated.then(|| Bits::new(settings.mode.framing, first));
        Self {
            settings,
            health,
            counters: Counters::default(),
            performance: Performance::new(settings.mode),
            slips: SlipWatch::default(),
            second: Second::default(),
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
        };
        *place = errors.into();
    }

    /// All of a second is known.
    pub fn end_second(&mut self) {
        let defect = self.second.defect || self.health.is_suspect();
        self.performance.second(&Second { defect, ..self.second });
        self.slips.second(self.second.slips);
        self.second = Second::default();
    }

    /// Whether the line may carry calls.
    pub fn in_service(&self) -> bool {
        self.health.in_service() && self.loopback == Loopback::None
    }
}
