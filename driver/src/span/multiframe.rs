//! The signalling multiframe of timeslot 16 and its alarms. G.732, §5.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::{Alarm, Alarms, Instant};

use super::Debounce;
use crate::framer::MultiframeStatus;

/// The multiframe of one line. Fed with every observation of the framer, at whatever pace they come.
///
/// Without it the bits of thirty channels are unknown: the line carries no new calls from the alarm on until the
/// multiframe is whole both ways and the bits were read. The alarms are raised after the times of a lost frame and
/// of a remote alarm, and cleared at once.
#[derive(Clone, Copy, Debug)]
pub struct MultiframeHealth {
    debounce: Debounce,
    lost_since: Option<Instant>,
    remote_since: Option<Instant>,
    alarms: Alarms,
    usable: bool,
}

impl MultiframeHealth {
    /// A line nothing is known about: not usable until its multiframe was seen.
    pub const fn new(debounce: Debounce) -> Self {
        Self { debounce, lost_since: None, remote_since: None, alarms: Alarms::NONE, usable: false }
    }

    /// Takes what the framer shows at `now`; `bits_known`: every channel's bits were read since the multiframe came.
    pub fn observe(&mut self, now: Instant, seen: MultiframeStatus, bits_known: bool) {
        self.lost_since = seen.lost.then(|| self.lost_since.unwrap_or(now));
        // What the far end says in a multiframe that is none, is nothing.
        let remote = seen.remote && !seen.lost;
        self.remote_since = remote.then(|| self.remote_since.unwrap_or(now));
        let lasts = |since: Option<Instant>, millis: u64| {
            since.is_some_and(|since| now.millis_since(since) >= millis)
        };
        let lost = lasts(self.lost_since, self.debounce.frame_millis);
        let remote = lasts(self.remote_since, self.debounce.remote_millis);
        self.alarms =
            Alarms::NONE.with(Alarm::MultiframeLost, lost).with(Alarm::MultiframeRemote, remote);
        self.usable = match (lost || remote, self.lost_since, self.remote_since) {
            (true, _, _) => false,
            (false, None, None) => self.usable || bits_known,
            (false, _, _) => self.usable,
        };
    }

    /// The line itself is in trouble, which explains this one: no alarm of its own.
    pub const fn explained(&mut self) {
        (self.lost_since, self.remote_since) = (None, None);
        self.alarms = Alarms::NONE;
    }

    /// Raised alarms.
    pub const fn alarms(&self) -> Alarms {
        self.alarms
    }

    /// Whether signalling bits pass both ways.
    pub const fn is_usable(&self) -> bool {
        self.usable
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    const WHOLE: MultiframeStatus = MultiframeStatus { lost: false, remote: false };
    const LOST: MultiframeStatus = MultiframeStatus { lost: true, remote: true };
    const REMOTE: MultiframeStatus = MultiframeStatus { lost: false, remote: true };

    /// Plays (until, status, bits known) at 50 ms steps and returns every change of (alarms, usable).
    fn play(pieces: &[(u64, MultiframeStatus, bool)]) -> Vec<(u64, Vec<Alarm>, bool)> {
        let mut health = MultiframeHealth::new(Debounce::default());
        let (mut at, mut changes, mut last) = (0, Vec::new(), (Alarms::NONE, false));
        for &(until, status, known) in pieces {
            while at < until {
                health.observe(Instant::millis(at), status, known);
                let state = (health.alarms(), health.is_usable());
                if state != last {
                    changes.push((at, state.0.iter().collect(), state.1));
                    last = state;
                }
                at += 50;
            }
        }
        changes
    }

    #[test]
    fn a_line_is_usable_once_its_bits_are_known_and_not_before() {
        let seen = play(&[(500, LOST, false), (600, WHOLE, false), (1000, WHOLE, true)]);
        assert_eq!(seen, [(600, vec![], true)]);
    }

    #[test]
    fn a_lost_multiframe_is_told_after_2500_ms_and_over_when_the_bits_are_known_again() {
        let seen = play(&[
            (1000, WHOLE, true),
            (5000, LOST, false),
            (5200, WHOLE, false),
            (6000, WHOLE, true),
        ]);
        let lost = vec![Alarm::MultiframeLost];
        let expected =
            [(0, vec![], true), (3500, lost, false), (5000, vec![], false), (5200, vec![], true)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_far_end_without_our_multiframe_is_told_after_500_ms() {
        let seen = play(&[(1000, WHOLE, true), (3000, REMOTE, true), (4000, WHOLE, true)]);
        let remote = vec![Alarm::MultiframeRemote];
        assert_eq!(seen, [(0, vec![], true), (1500, remote, false), (3000, vec![], true)]);
    }

    #[test]
    fn a_glitch_leaves_no_trace_and_a_dead_line_no_second_alarm() {
        assert_eq!(play(&[(1000, WHOLE, true), (2500, LOST, false), (4000, WHOLE, true)]).len(), 1);
        let mut health = MultiframeHealth::new(Debounce::DEMO);
        health.observe(Instant::millis(0), LOST, false);
        health.observe(Instant::millis(500), LOST, false);
        assert!(health.alarms().has(Alarm::MultiframeLost));
        health.explained();
        assert!(health.alarms().is_empty() && !health.is_usable());
    }
}
