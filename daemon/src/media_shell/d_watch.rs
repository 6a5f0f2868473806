//! What keeps a D-channel from coming up, in words: seen from its flags, its frames and our own.
//!
//! A pure machine beside the D-channel: it takes part in nothing but this. While it suspects that our own frames
//! come back it asks for them to be held for a random while: what follows them even then is a loop; what does not
//! is a far end that takes itself for our side.

use std::collections::VecDeque;

use tdm::hdlc::{Counters, Decoder};
use tdm::{Instant, Rng};

/// Flags are gone after this.
const FLAGS_MILLIS: u64 = 1000;
/// Frames of ours that may come back, and how late at most: through our own buffers and a line of any length.
const SENT_MAX: usize = 8;
const BACK_MILLIS: u64 = 150;
/// What comes back comes after the same time each time, but for our own steps.
const SAME_MILLIS: u64 = 12;
/// So many frames in a row make a suspicion, and so many a certainty.
const SUSPECTED: u8 = 2;
const CERTAIN: u8 = 4;
/// Frames that are held wait so long, at least and at most.
const HELD_MILLIS: [u64; 2] = [20, 300];
/// Damaged frames are counted over this, twice.
const WINDOW_MILLIS: u64 = 10_000;
const DAMAGED_MIN: u64 = 3;
/// Nobody answers: so many frames of ours, and so long.
const UNANSWERED_FRAMES: u32 = 4;
const UNANSWERED_MILLIS: u64 = 5000;

/// Control octets of frames without a number. Q.921, table 5.
const SABME: u8 = 0x6F;
const DISC: u8 = 0x43;
const DM: u8 = 0x0F;
const POLL: u8 = 0x10;
/// Who commands and who responds: the same bit of both ends' commands if they are of one side. Q.921, §3.3.2.
const COMMAND_RESPONSE: u8 = 0x02;

/// What is wrong with a D-channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No flags; all ones.
    Idle,
    /// No flags, and not all ones.
    NoFlags,
    /// Our own frames come back.
    Looped {
        /// After this.
        millis: u64,
    },
    /// Both ends are of one side.
    SameSide,
    /// Frames are damaged.
    Damaged {
        /// In the last 10 to 20 s.
        frames: u64,
        /// Of so many.
        of: u64,
    },
    /// The far end refuses layer 2.
    Refused,
    /// Flags, but no frames.
    Silent {
        /// For so long.
        seconds: u64,
    },
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Idle => f.write_str(
                "no flags, only ones: the far end's D-channel is switched off, or in another timeslot",
            ),
            Self::NoFlags => f.write_str(
                "no flags: what comes is no HDLC; is this timeslot its D-channel, at 64 kbit/s?",
            ),
            Self::Looped { millis } => {
                write!(f, "our own frames come back after {millis} ms: take the loop off the line")
            }
            Self::SameSide => f.write_str(
                "both ends are the same side: set `side` of the trunk group to the other one, or the far end's",
            ),
            Self::Damaged { frames, of } => write!(
                f,
                "{frames} of {of} frames damaged in the last seconds: bit errors or slips, see the line"
            ),
            Self::Refused => {
                f.write_str("the far end answers DM: its layer 2 is blocked or not configured")
            }
            Self::Silent { seconds } => write!(
                f,
                "flags, but no frame for {seconds} s: nobody answers there; is its signalling started?"
            ),
        }
    }
}

/// A frame of ours that may come back.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Instant,
    digest: u64,
}

/// Watches one D-channel.
#[derive(Debug)]
pub struct DWatch {
    rng: Rng,
    flags_at: Instant,
    idle: bool,
    sent: VecDeque<Sent>,
    /// Commands of ours and theirs have this bit alike.
    own_side: Option<u8>,
    /// Frames in a row that came after one of ours, always as late.
    back: u8,
    back_millis: u64,
    /// How often a suspicion proved wrong: a lost frame may do it once.
    refuted: u8,
    /// Commands in a row of our own side.
    same_side: u8,
    refused: u8,
    unanswered: u32,
    heard_at: Instant,
    counted: Counters,
    window_at: Instant,
    windows: [(u64, u64); 2],
}

impl DWatch {
    /// A channel of which nothing is known. `seed`: the chance of what it asks to be held.
    pub fn new(now: Instant, seed: u64) -> Self {
        Self {
            rng: Rng::from_seed(seed),
            flags_at: now,
            idle: false,
            sent: VecDeque::with_capacity(SENT_MAX),
            own_side: None,
            back: 0,
            back_millis: 0,
            refuted: 0,
            same_side: 0,
            refused: 0,
            unanswered: 0,
            heard_at: now,
            counted: Counters::default(),
            window_at: now,
            windows: [(0, 0); 2],
        }
    }

    /// The line came up: what was known is of another time.
    pub fn begin(&mut self, now: Instant) {
        let (rng, counted) = (self.rng.clone(), self.counted);
        *self = Self { rng, counted, ..Self::new(now, 0) };
    }

    /// A millisecond of the channel went through `decoder`.
    pub fn millisecond(&mut self, now: Instant, decoder: &Decoder) {
        self.idle = decoder.is_idle();
        if decoder.is_synchronised() {
            self.flags_at = now;
        }
        let counters = decoder.counters();
        if now.millis_since(self.window_at) >= WINDOW_MILLIS {
            self.window_at = now;
            self.windows = [self.windows[1], (0, 0)];
        }
        let bad = counters.bad().wrapping_sub(self.counted.bad());
        let good = counters.good.wrapping_sub(self.counted.good);
        self.windows[1].0 += bad;
        self.windows[1].1 += bad + good;
        self.counted = counters;
    }

    /// Our own frames seem to come back, and nobody knows it for sure.
    fn is_suspicious(&self) -> bool {
        (SUSPECTED..CERTAIN).contains(&self.back) && self.refuted < SUSPECTED
    }

    /// How long this frame of ours is to be held, in milliseconds: 0 but for one that establishes or ends layer 2
    /// while a loop is suspected.
    pub fn hold_millis(&mut self, frame: &[u8]) -> u64 {
        if !self.is_suspicious() || !is_command(frame) {
            return 0;
        }
        let [least, most] = HELD_MILLIS;
        least + self.rng.below(most - least)
    }

    /// A frame of ours goes to the line.
    pub fn sent(&mut self, now: Instant, frame: &[u8]) {
        self.unanswered = self.unanswered.saturating_add(1);
        if !is_command(frame) {
            return;
        }
        self.own_side = frame.first().map(|octet| octet & COMMAND_RESPONSE);
        if self.sent.len() >= SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { at: now, digest: digest(frame) });
    }

    /// A sound frame came.
    pub fn received(&mut self, now: Instant, frame: &[u8]) {
        self.heard_at = now;
        self.unanswered = 0;
        self.refused = if control(frame) == DM { self.refused.saturating_add(1) } else { 0 };
        // Only these differ by who sends them: the answer to a poll of ours may be the poll again, octet by octet.
        if !is_command(frame) {
            return;
        }
        let digest = digest(frame);
        let found = self.sent.iter().rposition(|sent| sent.digest == digest);
        // What was sent before the one that came does not come any more.
        let late =
            found.and_then(|n| self.sent.drain(..=n).next_back()).map(|s| now.millis_since(s.at));
        match late.filter(|millis| *millis <= BACK_MILLIS) {
            Some(millis) if self.back == 0 || millis.abs_diff(self.back_millis) <= SAME_MILLIS => {
                self.back_millis = millis;
                // Beyond a suspicion only what was held, and came after it all the same, counts.
                let counts = self.back < SUSPECTED || self.is_suspicious();
                self.back = self.back.saturating_add(counts.into());
            }
            _ => {
                self.refuted = self.refuted.saturating_add(u8::from(self.is_suspicious()));
                self.back = 0;
            }
        }
        if self.back >= CERTAIN {
            self.refuted = 0;
        }
        let theirs = frame.first().map(|octet| octet & COMMAND_RESPONSE);
        let same = theirs == self.own_side;
        self.same_side = if same { self.same_side.saturating_add(1) } else { 0 };
    }

    /// What is wrong, if something is. `link`: layer 2 is up.
    pub fn trouble(&self, now: Instant, link: bool) -> Option<Trouble> {
        if now.millis_since(self.flags_at) >= FLAGS_MILLIS {
            return Some(if self.idle { Trouble::Idle } else { Trouble::NoFlags });
        }
        let [(bad_before, all_before), (bad, all)] = self.windows;
        let (frames, of) = (bad_before + bad, all_before + all);
        let damaged = (frames >= DAMAGED_MIN).then_some(Trouble::Damaged { frames, of });
        if link {
            return damaged;
        }
        if self.back >= CERTAIN {
            return Some(Trouble::Looped { millis: self.back_millis });
        }
        // Until it is known which of the two it is nothing is said.
        if self.same_side >= CERTAIN && !self.is_suspicious() {
            return Some(Trouble::SameSide);
        }
        if self.refused >= SUSPECTED {
            return Some(Trouble::Refused);
        }
        let seconds = now.millis_since(self.heard_at) / 1000;
        let silent = self.unanswered >= UNANSWERED_FRAMES && seconds >= UNANSWERED_MILLIS / 1000;
        damaged.or(silent.then_some(Trouble::Silent { seconds }))
    }
}

/// The control octet of a frame without a number, its poll bit taken off; of others something else.
fn control(frame: &[u8]) -> u8 {
    frame.get(2).map_or(0, |octet| octet & !POLL)
}

fn is_command(frame: &[u8]) -> bool {
    matches!(control(frame), SABME | DISC)
}

/// FNV-1a: enough to know a frame again.
fn digest(frame: &[u8]) -> u64 {
    frame.iter().fold(0xCBF2_9CE4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [u8; 3] = [0x00, 0x01, 0x7F];
    const THEIRS: [u8; 3] = [0x02, 0x01, 0x7F];

    /// Twenty seconds in which we try once a second, and `answer` says what comes, and when, for what went out then.
    fn tried(answer: impl Fn(u64, u64) -> Option<(u64, Vec<u8>)>) -> Option<Trouble> {
        let mut watch = DWatch::new(Instant::default(), 7);
        for second in 0..20 {
            watch.flags_at = Instant::seconds(second);
            let out = second * 1000 + watch.hold_millis(&OURS);
            let answered = answer(second, out);
            let early = answered.as_ref().is_some_and(|(at, _)| *at < out);
            if !early {
                watch.sent(Instant::millis(out), &OURS);
            }
            if let Some((at, frame)) = answered {
                watch.received(Instant::millis(at), &frame);
            }
            if early {
                watch.sent(Instant::millis(out), &OURS);
            }
        }
        watch.flags_at = Instant::seconds(20);
        watch.trouble(Instant::seconds(20), false)
    }

    #[test]
    fn a_loop_is_told_from_a_far_end_that_is_our_own_side() {
        let looped = tried(|_, out| Some((out + 9, OURS.to_vec())));
        assert_eq!(looped, Some(Trouble::Looped { millis: 9 }));
        // The same frames, as early after ours, by a clock of their own.
        let same = tried(|second, _| Some((second * 1000 + 9, OURS.to_vec())));
        assert_eq!(same, Some(Trouble::SameSide));
        let same = tried(|second, _| Some((second * 1000 + 400, OURS.to_vec())));
        assert_eq!(same, Some(Trouble::SameSide));
        // The other side's own tries are no trouble of that kind.
        assert_eq!(tried(|second, _| Some((second * 1000 + 9, THEIRS.to_vec()))), None);
    }

    /// RR with P answered by RR with F, both with N(R) 0: a user's command and a network's response are alike.
    #[test]
    fn polls_of_an_idle_link_are_no_loop_and_hold_no_frame() {
        const POLL_AND_ANSWER: [u8; 4] = [0x00, 0x01, 0x01, 0x01];
        let mut watch = DWatch::new(Instant::default(), 7);
        for n in 0..20 {
            assert_eq!(watch.hold_millis(&POLL_AND_ANSWER), 0);
            assert_eq!(watch.hold_millis(&OURS), 0);
            watch.sent(Instant::seconds(10 * n), &POLL_AND_ANSWER);
            watch.received(Instant::seconds(10 * n).plus_millis(20), &POLL_AND_ANSWER);
            watch.flags_at = Instant::seconds(10 * n);
            assert_eq!(watch.trouble(Instant::seconds(10 * n), true), None);
        }
    }

    #[test]
    fn a_far_end_that_refuses_or_says_nothing_is_told() {
        let refused = tried(|_, out| Some((out + 20, vec![0x00, 0x01, 0x1F])));
        assert_eq!(refused, Some(Trouble::Refused));
        assert_eq!(tried(|_, _| None), Some(Trouble::Silent { seconds: 20 }));
    }

    #[test]
    fn without_flags_nothing_else_is_said() {
        let mut watch = DWatch::new(Instant::default(), 1);
        let mut decoder = Decoder::new();
        for (fill, expected) in [(0xFF, Trouble::Idle), (0x55, Trouble::NoFlags)] {
            for n in 0..1500 {
                decoder.push(&[fill; 8], |_| {});
                watch.millisecond(Instant::millis(n), &decoder);
            }
            assert_eq!(watch.trouble(Instant::millis(1500), false), Some(expected));
        }
        decoder.push(&[0x7E; 8], |_| {});
        watch.millisecond(Instant::millis(1500), &decoder);
        assert_eq!(watch.trouble(Instant::millis(1501), false), None);
    }

    #[test]
    fn damaged_frames_are_told_although_the_link_is_up_and_forgotten_when_they_end() {
        let mut watch = DWatch::new(Instant::default(), 1);
        let mut decoder = Decoder::new();
        for n in 0..40_000_u64 {
            let damaged = n < 5 && n > 0;
            decoder.push(&[0x7E], |_| {});
            if damaged {
                decoder.push(&[0x12, 0x34, 0x56, 0x12, 0x34, 0x12, 0x7E], |_| {});
            }
            watch.millisecond(Instant::millis(n), &decoder);
            if n == 100 {
                let told = watch.trouble(Instant::millis(n), true);
                assert_eq!(told, Some(Trouble::Damaged { frames: 4, of: 4 }));
            }
        }
        assert_eq!(watch.trouble(Instant::millis(40_000), true), None);
    }
}
