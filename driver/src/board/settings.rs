//! What an operator may choose about a board.

use tdm::SampleTime;

use crate::board::PORTS_MAX;
use crate::framer::Mode;
use crate::span::Debounce;

/// Fewest buffers of a ring that the service may run with: fewer leave no room for one late interrupt.
pub const RING_MIN: u8 = 4;
/// Most buffers of a ring. Register map, RING.
pub const RING_MAX: u8 = 127;

/// One port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// How the line is framed, coded and signalled on.
    pub mode: Mode,
    /// Where the board's clock may come from: 0 never from this line, 1 first choice, 2 second…
    pub timing: u8,
}

/// When the interrupt is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// Before the work: a millisecond that passes meanwhile raises its own interrupt.
    #[default]
    First,
    /// After the work: lockstep, the board's next millisecond waits for it.
    Last,
}

/// A board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Buffers of 1 ms in each direction, [`RING_MIN`] to [`RING_MAX`]: how late the host may be, and
    /// (minus one) the milliseconds until what is sent is on the line.
    pub ring: u8,
    /// Framer accesses a millisecond: 8 where an access is a PCI cycle, 1 where it is a message.
    pub framer_budget: u8,
    /// Lockstep or not.
    pub acknowledge: Acknowledge,
    /// Alarm timing.
    pub debounce: Debounce,
    /// The ports; `None`: not used.
    pub ports: [Option<PortSettings>; PORTS_MAX],
    /// Where the board's sample clock begins: zero, or behind what an earlier run reached.
    pub begin: SampleTime,
}

impl Default for Settings {
    /// No port, a ring of 8, the register map's alarm timing, an interrupt acknowledged first.
    fn default() -> Self {
        Self {
            ring: 8,
            framer_budget: 8,
            acknowledge: Acknowledge::First,
            debounce: Debounce::default(),
            ports: [None; PORTS_MAX],
            begin: SampleTime::samples(0),
        }
    }
}

impl Settings {
    /// The first `ports` ports framed as `mode`; the line of port n is choice n + 1 for the clock.
    pub fn quad(ports: usize, mode: impl Into<Mode>) -> Self {
        let mode = mode.into();
        let mut settings = Self::default();
        for (port, timing) in settings.ports.iter_mut().take(ports).zip(1..) {
            *port = Some(PortSettings { mode, timing });
        }
        settings
    }
}
