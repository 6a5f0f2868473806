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
    is_running: bool,
    /// Milliseconds lost since the last that fitted.
    lost_millis: u32,
    /// Ends that did not fit yet. Every recording has one, however full the ring is: the reader counts on it.
    ends_due: u32,
    /// Lost before the first of those; of a recording that was lost as a whole only the end comes.
    lost_before_end_millis: u32,
}

impl Recorder {
    pub(super) fn pair() -> (Self, Consumer<Recorded>) {
        let (ring, reader) = RingBuffer::new(RECORDER_RING_MILLIS);
        (
            Self {
                ring,
                is_running: false,
                lost_millis: 0,
                ends_due: 0,
                lost_before_end_millis: 0,
            },
            reader,
        )
    }

    /// `false` when the recorder is in use.
    pub(super) fn start(&mut self) -> bool {
        let is_free = !self.is_running;
        if is_free {
            (self.is_running, self.lost_millis) = (true, 0);
        }
        is_free
    }

    pub(super) fn stop(&mut self) {
        if self.is_running {
            self.is_running = false;
            if self.ends_due == 0 {
                self.lost_before_end_millis = self.lost_millis;
            }
            self.ends_due = self.ends_due.saturating_add(1);
            self.settle();
        }
    }

    /// Tries again to write ends that did not fit. Called once a tick.
    pub(super) fn settle(&mut self) {
        while self.ends_due > 0
            && self
                .ring
                .push(Recorded { lost_millis: self.lost_before_end_millis, octets: None })
                .is_ok()
        {
            self.ends_due = self.ends_due.saturating_sub(1);
            self.lost_before_end_millis = 0;
        }
    }

    /// Takes a millisecond; the number of milliseconds lost so far when this one was.
    pub(super) fn take(&mut self, incoming: DOctets, outgoing: DOctets) -> Option<u32> {
        if !self.is_running {
            return None;
        }
        let block = Recorded { lost_millis: self.lost_millis, octets: Some((incoming, outgoing)) };
        if self.ends_due == 0 && self.ring.push(block).is_ok() {
            self.lost_millis = 0;
            None
        } else {
            self.lost_millis = self.lost_millis.saturating_add(1);
            Some(self.lost_millis)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn every_recording_has_its_end_also_those_begun_and_ended_while_the_ring_is_full() {
        let (mut recorder, mut reader) = Recorder::pair();
        let take = |recorder: &mut Recorder, value, millis: usize| {
            for _ in 0..millis {
                recorder.take([value; 8], [value; 8]);
            }
        };
        assert!(recorder.start());
        assert!(!recorder.start(), "in use");
        take(&mut recorder, 1, RECORDER_RING_MILLIS + 5);
        recorder.stop();
        // Lost as a whole.
        assert!(recorder.start());
        take(&mut recorder, 2, 7);
        recorder.stop();
        // Begun while two ends wait.
        assert!(recorder.start());
        take(&mut recorder, 3, 4);
        for _ in 0..RECORDER_RING_MILLIS {
            assert_eq!(reader.pop().unwrap().octets, Some(([1; 8], [1; 8])));
        }
        recorder.settle();
        take(&mut recorder, 3, 1);
        recorder.stop();
        let end = |lost_millis| Recorded { lost_millis, octets: None };
        let third = Recorded { lost_millis: 4, octets: Some(([3; 8], [3; 8])) };
        for wanted in [end(5), end(0), third, end(0)] {
            assert_eq!(reader.pop(), Ok(wanted));
        }
        assert!(reader.pop().is_err());
    }
}
