//! Two-channel recorders: a ring of 2 s each to a thread that may be slow.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use rtrb::{Consumer, Producer, RingBuffer};
use tdm::DOctets;

/// Milliseconds a recorder's ring holds.
pub const RECORDER_RING_MILLIS: usize = 2000;

/// A millisecond of a recording. Octets are in the law of the channel's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Milliseconds lost before this one because the ring was full: write as much silence first.
    pub lost_millis: u32,
    /// What came in and what went out; `None`: the recording is over.
    pub octets: Option<(DOctets, DOctets)>,
}

/// The pipeline's end of one recorder.
pub(super) struct Recorder {
    ring: Producer<Recorded>,
    state: State,
    lost_millis: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Running,
    /// The end did not fit yet.
    Ending,
}

impl Recorder {
    pub(super) fn pair() -> (Self, Consumer<Recorded>) {
        let (ring, reader) = RingBuffer::new(RECORDER_RING_MILLIS);
        (Self { ring, state: State::Free, lost_millis: 0 }, reader)
    }

    /// `false` when the recorder is not free.
    pub(super) fn start(&mut self) -> bool {
        let free = self.state == State::Free;
        if free {
            (self.state, self.lost_millis) = (State::Running, 0);
        }
        free
    }

    pub(super) fn stop(&mut self) {
        if self.state == State::Running {
            self.state = State::Ending;
            self.settle();
        }
    }

    /// Tries again to write an end that did not fit. Called once a tick.
    pub(super) fn settle(&mut self) {
        if self.state == State::Ending
            && self.ring.push(Recorded { lost_millis: self.lost_millis, octets: None }).is_ok()
        {
            self.state = State::Free;
        }
    }

    /// Takes a millisecond; the number of milliseconds lost so far when this one was.
    pub(super) fn take(&mut self, incoming: DOctets, outgoing: DOctets) -> Option<u32> {
        if self.state != State::Running {
            return None;
        }
        let block = Recorded { lost_millis: self.lost_millis, octets: Some((incoming, outgoing)) };
        if self.ring.push(block).is_ok() {
            self.lost_millis = 0;
            None
        } else {
            self.lost_millis = self.lost_millis.saturating_add(1);
            Some(self.lost_millis)
        }
    }
}
