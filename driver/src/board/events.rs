//! What a board tells its shell: fixed size, in a bounded queue.

use tdm::{Alarm, Instant};

/// Ports the largest board of the family has.
pub const PORTS_MAX: usize = 8;

/// Something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardEvent {
    /// An alarm was raised or cleared.
    Alarm {
        /// Port, counted from 0.
        port: usize,
        /// Which.
        alarm: Alarm,
        /// Raised; otherwise cleared.
        raised: bool,
        /// When it was decided, on the host's clock.
        at: Instant,
    },
    /// The port may carry calls, or may no longer.
    InService {
        /// Port, counted from 0.
        port: usize,
        /// It may.
        on: bool,
        /// When.
        at: Instant,
    },
    /// A channel's signalling bits changed.
    Bits {
        /// Port, counted from 0.
        port: usize,
        /// Timeslot of an E1, channel of a T1.
        channel: u8,
        /// A = 8, B = 4, C = 2, D = 1.
        abcd: u8,
        /// When they were read.
        at: Instant,
    },
    /// The signalling bits of all channels of a port are not known any more. What each was heard with follows when they
    /// are known again.
    BitsUnknown {
        /// Port, counted from 0.
        port: usize,
        /// When.
        at: Instant,
    },
    /// Milliseconds pass, and the interrupts that should tell of them do not come, or come again.
    Interrupts {
        /// They come.
        arrive: bool,
        /// When it was noticed.
        at: Instant,
    },
    /// One contiguous loss of Blocks: the ring went round before the host came.
    Gap {
        /// How many milliseconds of every port.
        millis: u64,
        /// When it was noticed.
        at: Instant,
    },
    /// The board's system clock comes from elsewhere.
    ClockSource {
        /// The port whose line clocks the board; `None`: its own oscillator.
        port: Option<usize>,
        /// When.
        at: Instant,
    },
    /// The board's clock stands still: it lives, but no millisecond passes.
    Stalled {
        /// When it was noticed.
        at: Instant,
    },
    /// Milliseconds pass again after [`BoardEvent::Stalled`].
    Resumed {
        /// When it was noticed.
        at: Instant,
    },
    /// The board is gone. Nothing follows on this handle.
    Gone {
        /// When it was noticed.
        at: Instant,
    },
}

/// Events that may wait. One alarm of every kind raised and cleared on every port fits. Signalling bits wait
/// until there is room.
pub(crate) const EVENTS_MAX: usize = 256;
/// Room that signalling bits leave to alarms.
const KEPT_FOR_ALARMS: usize = 128;

/// Events in order. When full the newest is dropped and counted: the status still tells the truth.
#[derive(Debug)]
pub(crate) struct EventQueue {
    ring: [Option<BoardEvent>; EVENTS_MAX],
    first: usize,
    len: usize,
    /// Events that found no room.
    pub(crate) lost: u64,
}

impl EventQueue {
    pub(crate) const fn new() -> Self {
        Self { ring: [None; EVENTS_MAX], first: 0, len: 0, lost: 0 }
    }
    /// Whether something that can be told later may be told now.
    pub(crate) const fn has_room(&self) -> bool {
        self.len < EVENTS_MAX - KEPT_FOR_ALARMS
    }
    pub(crate) fn push(&mut self, event: BoardEvent) {
        let at = self.first.wrapping_add(self.len) % EVENTS_MAX;
        match self.ring.get_mut(at).filter(|_| self.len < EVENTS_MAX) {
            Some(place) => {
                *place = Some(event);
                self.len = self.len.wrapping_add(1);
            }
            None => self.lost = self.lost.wrapping_add(1),
        }
    }
    pub(crate) fn pop(&mut self) -> Option<BoardEvent> {
        let event = self.ring.get_mut(self.first).and_then(Option::take)?;
        self.first = self.first.wrapping_add(1) % EVENTS_MAX;
        self.len = self.len.saturating_sub(1);
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_keeps_its_order_and_counts_what_found_no_room() {
        let mut queue = EventQueue::new();
        let gap = |millis| BoardEvent::Gap { millis, at: Instant::millis(0) };
        for round in 0..3 {
            for n in 0..EVENTS_MAX as u64 + round {
                queue.push(gap(n));
            }
            let popped: Vec<_> = core::iter::from_fn(|| queue.pop()).collect();
            assert_eq!(popped, (0..EVENTS_MAX as u64).map(gap).collect::<Vec<_>>());
        }
        assert_eq!(queue.lost, 1 + 2);
    }
}
