//! Errored, severely errored and unavailable seconds, by quarter of an hour and by day. G.826, §4.5; T1.231, §6.5.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::framer::{Framing, Mode};

/// Seconds of the short interval.
pub const QUARTER_SECONDS: u32 = 900;
/// Short intervals that are kept: a day.
pub const QUARTERS: usize = 96;
/// So many severely errored seconds in a row make a line unavailable, and as many without make it available
/// again. G.826, annex A.
const UNAVAILABLE_AFTER: usize = 10;

/// What happened on a line in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Blocks with a wrong CRC: sub-multiframes of an E1, extended superframes of a T1.
    pub crc_errors: u32,
    /// Wrong frame alignment signals, or framing bits.
    pub frame_errors: u32,
    /// Line code violations.
    pub code_violations: u32,
    /// Frames repeated or dropped.
    pub slips: u32,
    /// Loss of signal or frame, or AIS, at any time of the second.
    pub defect: bool,
    /// CRC-4 is set and the far end sends none: no CRC tells of errors.
    pub crc4_missing: bool,
}

/// Seconds of an interval, by what they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Seconds that were looked at.
    pub seconds: u32,
    /// With an error at least, while the line was available.
    pub errored: u32,
    /// With so many that speech and data suffer, or with a defect, while the line was available.
    pub severely_errored: u32,
    /// While the line was not available.
    pub unavailable: u32,
    /// With a slip.
    pub slips: u32,
}

impl Interval {
    const NONE: Self =
        Self { seconds: 0, errored: 0, severely_errored: 0, unavailable: 0, slips: 0 };

    fn add(&mut self, other: &Self) {
        for (to, from) in [
            (&mut self.seconds, other.seconds),
            (&mut self.errored, other.errored),
            (&mut self.severely_errored, other.severely_errored),
            (&mut self.unavailable, other.unavailable),
            (&mut self.slips, other.slips),
        ] {
            *to = to.saturating_add(from);
        }
    }
}

/// Whether a second is severely errored: a defect, or the share of blocks that the framing's standard names.
///
/// E1 with CRC-4: 30 % of 1,000 blocks (G.826, §4.5.2). Without, set so or because the far end sends none: 28 wrong
/// alignment signals (G.826, annex C). ESF: 320 CRC-6 errors; D4: 8 framing errors (T1.231, §6.5.1).
fn is_severe(mode: Mode, second: &Second) -> bool {
    second.defect
        || match mode.framing {
            Framing::E1 { crc4: true } if !second.crc4_missing => second.crc_errors >= 300,
            Framing::E1 { .. } => second.frame_errors >= 28,
            Framing::Esf => second.crc_errors >= 320,
            Framing::D4 => second.frame_errors >= 8,
        }
}

/// One line's seconds.
#[derive(Clone, Debug)]
pub struct Performance {
    mode: Mode,
    quarters: [Interval; QUARTERS],
    /// The quarter that runs.
    at: usize,
    available: bool,
    /// Seconds in a row that speak for a change of availability.
    run: usize,
    /// The last seconds, newest first: those of `run` are counted anew when the change comes.
    recent: [Kind; UNAVAILABLE_AFTER],
}

/// What a second was.
#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    errored: bool,
    severe: bool,
}

impl Performance {
    /// A line nothing is known of: available until it shows otherwise.
    pub const fn new(mode: Mode) -> Self {
        Self {
            mode,
            quarters: [Interval::NONE; QUARTERS],
            at: 0,
            available: true,
            run: 0,
            recent: [Kind { errored: false, severe: false }; UNAVAILABLE_AFTER],
        }
    }

    /// The same history of a line that is set to `mode` from now on.
    #[must_use]
    pub const fn of(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Takes one more second.
    pub fn second(&mut self, second: &Second) {
        let severe = is_severe(self.mode, second);
        let wrong = u64::from(second.crc_errors)
            .saturating_add(second.frame_errors.into())
            .saturating_add(second.code_violations.into());
        let errored = severe || wrong > 0 || second.slips > 0;
        let mut seen = Interval { seconds: 1, ..Interval::NONE };
        seen.slips = u32::from(second.slips > 0);
        if self.available {
            seen.errored = errored.into();
            seen.severely_errored = severe.into();
        } else {
            seen.unavailable = 1;
        }
        self.advance();
        self.count(0, |now| now.add(&seen));
        self.recent.rotate_right(1);
        if let Some(newest) = self.recent.first_mut() {
            *newest = Kind { errored, severe };
        }
        let speaks_for_change = severe == self.available;
        self.run = if speaks_for_change { self.run.saturating_add(1) } else { 0 };
        if self.run >= UNAVAILABLE_AFTER {
            self.change();
        }
    }

    /// The seconds that make the change belong to what begins with them, each in its own quarter. G.826, annex A.
    fn change(&mut self) {
        let was_available = self.available;
        for (back, kind) in (0_u32..).zip(self.recent) {
            let earlier = usize::from(back >= self.quarter().seconds);
            self.count(earlier, |then| {
                if was_available {
                    then.errored = then.errored.saturating_sub(kind.errored.into());
                    then.severely_errored =
                        then.severely_errored.saturating_sub(kind.severe.into());
                    then.unavailable = then.unavailable.saturating_add(1);
                } else {
                    then.unavailable = then.unavailable.saturating_sub(1);
                    then.errored = then.errored.saturating_add(kind.errored.into());
                }
            });
        }
        self.available = !was_available;
        self.run = 0;
    }

    /// The next quarter, when this one is full.
    fn advance(&mut self) {
        if self.quarter().seconds >= QUARTER_SECONDS {
            self.at = self.at.wrapping_add(1) % QUARTERS;
            self.count(0, |now| *now = Interval::NONE);
        }
    }
    /// Changes the quarter that runs, or one so many `earlier`.
    fn count(&mut self, earlier: usize, change: impl FnOnce(&mut Interval)) {
        let at = self.at.wrapping_add(QUARTERS).wrapping_sub(earlier) % QUARTERS;
        if let Some(quarter) = self.quarters.get_mut(at) {
            change(quarter);
        }
    }
    /// The quarters that are over, newest first, as far as they are kept; those before the line was watched are empty.
    pub fn earlier(&self) -> impl Iterator<Item = Interval> {
        let quarters =
            (1..QUARTERS).map(|back| self.at.wrapping_add(QUARTERS).wrapping_sub(back) % QUARTERS);
        quarters.filter_map(|at| self.quarters.get(at).copied())
    }

    /// The quarter of an hour that runs.
    pub fn quarter(&self) -> Interval {
        self.quarters.get(self.at).copied().unwrap_or_default()
    }
    /// The last 24 hours, the quarter that runs among them.
    pub fn day(&self) -> Interval {
        self.quarters.iter().fold(Interval::NONE, |mut all, quarter| {
            all.add(quarter);
            all
        })
    }
    /// Whether the line is available.
    pub const fn is_available(&self) -> bool {
        self.available
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    const CLEAN: Second = Second {
        crc_errors: 0,
        frame_errors: 0,
        code_violations: 0,
        slips: 0,
        defect: false,
        crc4_missing: false,
    };
    const DEAD: Second = Second { defect: true, ..CLEAN };
    const NOISY: Second = Second { crc_errors: 5, ..CLEAN };

    fn played(pieces: &[(u32, Second)]) -> Performance {
        let mut performance = Performance::new(Mode::e1(true));
        for &(seconds, second) in pieces {
            (0..seconds).for_each(|_| performance.second(&second));
        }
        performance
    }

    #[test]
    fn errors_make_errored_seconds_and_many_make_severe_ones() {
        for (mode, just_not, just) in [
            (
                Mode::e1(true),
                Second { crc_errors: 299, ..CLEAN },
                Second { crc_errors: 300, ..CLEAN },
            ),
            (
                Mode::e1(false),
                Second { frame_errors: 27, ..CLEAN },
                Second { frame_errors: 28, ..CLEAN },
            ),
            (Mode::t1(), Second { crc_errors: 319, ..CLEAN }, Second { crc_errors: 320, ..CLEAN }),
        ] {
            let mut performance = Performance::new(mode);
            [CLEAN, just_not, just, CLEAN].iter().for_each(|second| performance.second(second));
            let seen = performance.quarter();
            assert_eq!((seen.seconds, seen.errored, seen.severely_errored), (4, 2, 1), "{mode:?}");
        }
    }

    #[test]
    fn nine_dead_seconds_are_severe_and_the_tenth_makes_all_of_them_unavailable() {
        let nine = played(&[(5, CLEAN), (9, DEAD), (1, CLEAN)]);
        assert!(nine.is_available());
        assert_eq!((nine.quarter().severely_errored, nine.quarter().unavailable), (9, 0));
        let ten = played(&[(5, CLEAN), (10, DEAD)]);
        assert!(!ten.is_available());
        let seen = ten.quarter();
        assert_eq!((seen.errored, seen.severely_errored, seen.unavailable), (0, 0, 10));
    }

    #[test]
    fn ten_seconds_without_severe_errors_end_it_and_belong_to_what_follows() {
        let nine = played(&[(20, DEAD), (9, NOISY)]);
        assert!(!nine.is_available());
        assert_eq!(nine.quarter().unavailable, 29);
        let ten = played(&[(20, DEAD), (10, NOISY)]);
        assert!(ten.is_available());
        assert_eq!((ten.quarter().unavailable, ten.quarter().errored), (20, 10));
    }

    /// The change comes five seconds into a quarter: five of its seconds belong there, five to the one before.
    #[test]
    fn each_of_the_ten_seconds_of_a_change_is_corrected_in_the_quarter_it_belongs_to() {
        let gone = played(&[(895, CLEAN), (10, DEAD)]);
        let [before, now] = [gone.earlier().next().unwrap_or_default(), gone.quarter()];
        assert_eq!((before.errored, before.severely_errored, before.unavailable), (0, 0, 5));
        assert_eq!((now.errored, now.severely_errored, now.unavailable), (0, 0, 5));
        assert_eq!((before.seconds, now.seconds), (900, 5));
        let back = played(&[(894, DEAD), (10, NOISY)]);
        let [before, now] = [back.earlier().next().unwrap_or_default(), back.quarter()];
        assert_eq!((before.errored, before.unavailable), (6, 894));
        assert_eq!((now.errored, now.severely_errored, now.unavailable), (4, 0, 0));
        assert_eq!((back.day().errored, back.day().unavailable), (10, 894));
    }

    #[test]
    fn nine_seconds_across_the_edge_change_nothing() {
        let seen = played(&[(896, CLEAN), (9, DEAD), (1, CLEAN)]);
        let [before, now] = [seen.earlier().next().unwrap_or_default(), seen.quarter()];
        assert_eq!((before.severely_errored, before.unavailable), (4, 0));
        assert_eq!((now.severely_errored, now.unavailable), (5, 0));
    }

    #[test]
    fn without_the_far_ends_crc4_wrong_alignment_signals_make_a_severe_second() {
        let deaf = Second { crc4_missing: true, ..CLEAN };
        let mut performance = Performance::new(Mode::e1(true));
        for frame_errors in [27, 28] {
            performance.second(&Second { frame_errors, ..deaf });
            performance.second(&Second { frame_errors, ..CLEAN });
        }
        let seen = performance.quarter();
        assert_eq!((seen.errored, seen.severely_errored), (4, 1));
    }

    #[test]
    fn a_day_is_its_last_96_quarters() {
        let performance = played(&[(900, NOISY), (95 * 900, CLEAN)]);
        assert_eq!((performance.day().errored, performance.day().seconds), (900, 86_400));
        let later = played(&[(900, NOISY), (95 * 900, CLEAN), (1, CLEAN)]);
        assert_eq!((later.day().errored, later.quarter().seconds), (0, 1));
        assert_eq!(later.day().seconds, 95 * 900 + 1);
    }
}
