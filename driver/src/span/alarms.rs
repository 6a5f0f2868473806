//! Alarms and their timing. The conditions are the framer's; G.732 names the consequences.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::{Alarm, Alarms, Instant};

use crate::framer::{LineStatus, Mode};

/// How long a condition must last before it counts, in milliseconds of the host's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debounce {
    /// Loss of signal.
    pub signal_millis: u64,
    /// Loss of frame.
    pub frame_millis: u64,
    /// AIS from the far equipment.
    pub indication_millis: u64,
    /// Remote alarm of the far end.
    pub remote_millis: u64,
    /// A healthy line after red or blue, until the span is in service again.
    pub clear_millis: u64,
    /// The same of a T1.
    pub clear_t1_millis: u64,
}

impl Debounce {
    /// Fast enough to watch: 0.2 s to raise, 0.5 s to clear.
    pub const DEMO: Self = Self {
        signal_millis: 200,
        frame_millis: 200,
        indication_millis: 200,
        remote_millis: 200,
        clear_millis: 500,
        clear_t1_millis: 500,
    };

    /// The times of a line in `mode`: those of a T1 clear by `clear_t1_millis`.
    #[must_use]
    pub const fn of(self, mode: Mode) -> Self {
        let clear_millis = if mode.is_t1() { self.clear_t1_millis } else { self.clear_millis };
        Self { clear_millis, ..self }
    }

    const fn raise_millis(&self, alarm: Alarm) -> u64 {
        match alarm {
            Alarm::LossOfSignal => self.signal_millis,
            Alarm::LossOfFrame => self.frame_millis,
            Alarm::AlarmIndication => self.indication_millis,
            Alarm::RemoteAlarm => self.remote_millis,
            Alarm::BoardGone | Alarm::MultiframeLost | Alarm::MultiframeRemote => 0,
        }
    }
}

impl Default for Debounce {
    /// 2.5 s for red and blue (T1.231, §6.2.1: 2.5 s ± 0.5 s), 0.5 s for yellow. An E1 is in service again after 5 s,
    /// as the boards' users know it, a T1 after 10 s (T1.231, §6.2.1).
    fn default() -> Self {
        Self {
            signal_millis: 2500,
            frame_millis: 2500,
            indication_millis: 2500,
            remote_millis: 500,
            clear_millis: 5000,
            clear_t1_millis: 10_000,
        }
    }
}

/// Where a span is between out of order and in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// Nothing healthy was seen since start.
    Starting,
    Up,
    /// A red or blue alarm is raised.
    Down,
    /// The line is healthy again since `since`; the far end still hears that it was not.
    Recovering {
        since: Instant,
    },
}

/// One line's alarms. Fed with every observation of the framer, at whatever pace they come.
///
/// At most one red or blue alarm is raised at a time, the one that explains the others: without signal
/// there is no frame, and AIS has none. A condition seen healthy once starts its time anew; clearing is
/// immediate, being in service again takes [`Debounce::clear_millis`] without any trouble seen.
#[derive(Clone, Copy, Debug)]
pub struct LineHealth {
    debounce: Debounce,
    trouble_since: Option<Instant>,
    remote_since: Option<Instant>,
    alarms: Alarms,
    service: Service,
    multiframe_missing: bool,
}

impl LineHealth {
    /// A line nothing is known about.
    pub const fn new(debounce: Debounce) -> Self {
        Self {
            debounce,
            trouble_since: None,
            remote_since: None,
            alarms: Alarms::NONE,
            service: Service::Starting,
            multiframe_missing: false,
        }
    }

    /// Takes what the framer shows at `now`.
    pub fn observe(&mut self, now: Instant, seen: LineStatus) {
        let trouble = seen.trouble.filter(|&alarm| {
            let since = *self.trouble_since.get_or_insert(now);
            // Once red or blue, the alarm shown is what the line has now: no second wait.
            self.service == Service::Down
                || now.millis_since(since) >= self.debounce.raise_millis(alarm)
        });
        if seen.trouble.is_none() {
            self.trouble_since = None;
        }
        self.multiframe_missing = seen.multiframe_missing && seen.trouble.is_none();
        // What a line in trouble says about the far end is noise.
        let says_remote = seen.remote_alarm && seen.trouble.is_none();
        self.remote_since = says_remote.then(|| self.remote_since.unwrap_or(now));
        let remote = self
            .remote_since
            .is_some_and(|since| now.millis_since(since) >= self.debounce.remote_millis);

        self.alarms = Alarms::NONE.with(Alarm::RemoteAlarm, remote);
        if let Some(alarm) = trouble {
            self.alarms = self.alarms.with(alarm, true);
        }
        self.service = match (self.service, trouble, seen.trouble) {
            (_, Some(_), _) => Service::Down,
            (Service::Starting, None, None) => Service::Up,
            (Service::Down, None, _) | (Service::Recovering { .. }, None, Some(_)) => {
                Service::Recovering { since: now }
            }
            (Service::Recovering { since }, None, None)
                if now.millis_since(since) >= self.debounce.clear_millis =>
            {
                Service::Up
            }
            (same, None, _) => same,
        };
    }

    /// Raised alarms.
    pub const fn alarms(&self) -> Alarms {
        self.alarms
    }

    /// The span may carry calls.
    pub fn in_service(&self) -> bool {
        self.service == Service::Up
    }

    /// Whether the far end is to be told that this end does not understand it: while red or blue, and
    /// until recovery ends.
    pub fn sends_remote_alarm(&self) -> bool {
        matches!(self.service, Service::Down | Service::Recovering { .. })
    }

    /// Whether the line is good enough to clock the board: seen healthy, and neither red nor blue.
    pub fn may_clock(&self) -> bool {
        matches!(self.service, Service::Up | Service::Recovering { .. })
    }

    /// Whether CRC-4 was asked for and the far end sends none. The line works, without error supervision.
    pub const fn multiframe_missing(&self) -> bool {
        self.multiframe_missing
    }

    /// Whether trouble is seen, raised or not yet.
    pub const fn is_suspect(&self) -> bool {
        self.trouble_since.is_some()
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    const fn line(trouble: Option<Alarm>, remote_alarm: bool) -> LineStatus {
        LineStatus { trouble, remote_alarm, multiframe_missing: false }
    }
    const CLEAN: LineStatus = line(None, false);
    const DEAD: LineStatus = line(Some(Alarm::LossOfSignal), false);
    const YELLOW: LineStatus = line(None, true);

    /// Plays (until, status) pieces at 50 ms steps and returns every change of (alarms, in service).
    fn play(pieces: &[(u64, LineStatus)]) -> Vec<(u64, Vec<Alarm>, bool)> {
        let mut health = LineHealth::new(Debounce::default());
        let (mut at, mut changes, mut last) = (0, Vec::new(), (Alarms::NONE, false));
        for &(until, status) in pieces {
            while at < until {
                health.observe(Instant::millis(at), status);
                let state = (health.alarms(), health.in_service());
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
    fn loss_of_signal_is_red_after_2500_ms_and_in_service_5000_ms_after_its_end() {
        let seen = play(&[(1000, CLEAN), (6000, DEAD), (15_000, CLEAN)]);
        let red = vec![Alarm::LossOfSignal];
        let expected =
            [(0, vec![], true), (3500, red, false), (6000, vec![], false), (11_000, vec![], true)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_glitch_of_1500_ms_leaves_no_trace() {
        let seen = play(&[(1000, CLEAN), (2500, DEAD), (4000, CLEAN), (5500, DEAD), (9000, CLEAN)]);
        assert_eq!(seen, [(0, vec![], true)]);
    }

    #[test]
    fn remote_alarm_is_yellow_after_500_ms_and_ends_at_once_without_recovery() {
        let seen = play(&[(1000, CLEAN), (3000, YELLOW), (4000, CLEAN)]);
        let yellow = vec![Alarm::RemoteAlarm];
        assert_eq!(seen, [(0, vec![], true), (1500, yellow, true), (3000, vec![], true)]);
    }

    /// A line that changes from no signal to no frame to AIS is out of order all the time.
    #[test]
    fn trouble_that_changes_its_name_is_one_trouble() {
        let seen = play(&[
            (1000, CLEAN),
            (2500, DEAD),
            (4500, line(Some(Alarm::LossOfFrame), false)),
            (5000, line(Some(Alarm::AlarmIndication), true)),
            (6000, CLEAN),
        ]);
        let expected = [
            (0, vec![], true),
            (3500, vec![Alarm::LossOfFrame], false),
            (4500, vec![Alarm::AlarmIndication], false),
            (5000, vec![], false),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn trouble_during_recovery_starts_its_time_anew() {
        let seen = play(&[(4000, DEAD), (7000, CLEAN), (7050, DEAD), (13_000, CLEAN)]);
        let in_service: Vec<_> = seen.iter().filter(|change| change.2).map(|c| c.0).collect();
        assert_eq!(in_service, [12_000]);
    }

    #[test]
    fn a_line_dead_from_the_start_is_never_in_service_and_never_clocks() {
        let mut health = LineHealth::new(Debounce::default());
        for at in (0..2500).step_by(50) {
            health.observe(Instant::millis(at), DEAD);
            assert!(!health.in_service() && !health.may_clock() && health.is_suspect());
            assert!(health.alarms().is_empty() && !health.sends_remote_alarm());
        }
        health.observe(Instant::millis(2500), DEAD);
        assert!(health.alarms().has(Alarm::LossOfSignal) && health.sends_remote_alarm());
    }

    #[test]
    fn the_far_end_hears_of_the_trouble_until_recovery_ends() {
        let mut health = LineHealth::new(Debounce::DEMO);
        let mut sent = Vec::new();
        for at in (0..3000).step_by(50) {
            let seen = if (1000..1500).contains(&at) { DEAD } else { CLEAN };
            health.observe(Instant::millis(at), seen);
            if health.sends_remote_alarm() {
                sent.push(at);
            }
        }
        assert_eq!((sent.first(), sent.last()), (Some(&1200), Some(&1950)));
    }
}
