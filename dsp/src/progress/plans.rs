//! The tones of the zones that are listened for, as patterns a heard cadence is held against.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::ears::Sound;
use crate::generate::{Repeat, Step};
use crate::zones::Zone;

/// Tones closer than this are one peak of the spectrum.
const MERGED_HZ: f32 = 125.0;
/// How far a frequency may be off. E.180 asks for 15 to 25 Hz of exchanges.
const TOLERANCE_HZ: f32 = 24.0;
/// How far a duration may be off: this share of it, and never less than so many milliseconds.
const TOLERANCE_SHARE: f32 = 0.13;
const TOLERANCE_MILLIS: f32 = 30.0;

/// The classes a pattern can stand for, in the order of [`Votes`].
pub const CLASSES: [Sound; 7] = [
    Sound::Ringback,
    Sound::Busy,
    Sound::Congestion,
    Sound::Vacant,
    Sound::Sit,
    Sound::Dial,
    Sound::CallWaiting,
];

/// How much speaks for each class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Votes([f32; CLASSES.len()]);

impl Votes {
    /// What speaks for `sound`.
    pub fn of(&self, sound: Sound) -> f32 {
        let at = CLASSES.iter().position(|&class| class == sound);
        at.and_then(|i| self.0.get(i)).copied().unwrap_or_default()
    }
    /// What speaks for any of `sounds`.
    pub fn of_any(&self, sounds: &[Sound]) -> f32 {
        sounds.iter().map(|&sound| self.of(sound)).sum()
    }
    fn add(&mut self, sound: Sound, weight: f32) {
        let at = CLASSES.iter().position(|&class| class == sound);
        if let Some(vote) = at.and_then(|i| self.0.get_mut(i)) {
            *vote += weight;
        }
    }
}

/// A piece of what was heard: a tone or a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mark {
    /// Lower and upper frequency; both 0.0 for a pause.
    pub hz: [f32; 2],
    /// How long it was, or is until now.
    pub millis: u32,
    /// It still goes on.
    pub is_open: bool,
    /// It began before we listened.
    pub is_cut: bool,
}

impl Mark {
    /// Whether it may have been, or become, longer than it is.
    pub const fn may_be_short(&self) -> bool {
        self.is_open || self.is_cut
    }
    /// Whether this is a pause.
    pub fn is_pause(&self) -> bool {
        self.hz[0] <= 0.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct PatternStep {
    hz: [f32; 2],
    millis: Option<f32>,
}

#[derive(Clone, Debug, PartialEq)]
struct Pattern {
    sound: Sound,
    weight: f32,
    steps: Vec<PatternStep>,
    repeat: Option<usize>,
}

/// A tone of a pattern: somewhere a cadence may be entered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Entry {
    pattern: u16,
    step: u16,
}

/// Patterns that may be told apart; all zones together have fewer.
const PATTERNS_MAX: usize = 512;

/// Tones that are looked at together: most are ruled out by the first mark alone, eight at a time.
const TOGETHER: usize = 8;

/// A stretch of frequencies, and how many there are.
const STRETCH_HZ: f32 = 8.0;
const STRETCHES: usize = 512;

/// What the first mark must be for each of eight tones.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tones {
    low_hz: [f32; TOGETHER],
    high_hz: [f32; TOGETHER],
    shortest_millis: [f32; TOGETHER],
    longest_millis: [f32; TOGETHER],
    /// Where in [`Plans::entries`] the entries with this tone begin, and end.
    entries: [(u16, u16); TOGETHER],
}

impl Tones {
    /// No mark is any of these.
    const NONE: Self = Self {
        low_hz: [f32::MAX; TOGETHER],
        high_hz: [f32::MAX; TOGETHER],
        shortest_millis: [0.0; TOGETHER],
        longest_millis: [0.0; TOGETHER],
        entries: [(0, 0); TOGETHER],
    };

    fn set(&mut self, at: usize, tone: &PatternStep, entries: (u16, u16)) {
        let millis = tone.millis;
        let tolerance = millis.map_or(0.0, tolerance_of);
        let fields = [
            (&mut self.low_hz, tone.hz[0]),
            (&mut self.high_hz, tone.hz[1]),
            (&mut self.shortest_millis, millis.map_or(0.0, |ms| ms - tolerance)),
            (&mut self.longest_millis, millis.map_or(f32::MAX, |ms| ms + tolerance)),
        ];
        for (field, value) in fields {
            if let Some(slot) = field.get_mut(at) {
                *slot = value;
            }
        }
        if let Some(slot) = self.entries.get_mut(at) {
            *slot = entries;
        }
    }
    /// Which of them `mark` may be, 1 or 0 for each: a little generously, the fit is exact.
    fn may_be(&self, mark: &Mark) -> [u32; TOGETHER] {
        let [low, high] = mark.hz;
        let millis = mark.millis as f32;
        let at_most = if mark.may_be_short() { f32::MAX } else { millis };
        let mut may = [0; TOGETHER];
        let hz = self.low_hz.iter().zip(&self.high_hz);
        let spans = self.shortest_millis.iter().zip(&self.longest_millis);
        for ((may, (low_hz, high_hz)), (shortest, longest)) in may.iter_mut().zip(hz).zip(spans) {
            *may = u32::from((low - low_hz).abs() <= TOLERANCE_HZ)
                & u32::from((high - high_hz).abs() <= TOLERANCE_HZ)
                & u32::from(at_most >= *shortest)
                & u32::from(millis <= *longest);
        }
        may
    }
}

/// All patterns of some zones, equal ones counted together.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    patterns: Vec<Pattern>,
    /// Every tone there is, once.
    tones: Vec<Tones>,
    /// Where each of them occurs, tone by tone.
    entries: Vec<Entry>,
    /// For each stretch of 8 Hz, which of [`Plans::tones`] have one that is near: no plan knows a key or most of a voice.
    near: Vec<core::ops::Range<u16>>,
}

impl Plans {
    /// The patterns of these zones; of all there are when none is named.
    pub fn of(zones: &[&'static Zone]) -> Self {
        let mut plans = Self::default();
        if zones.is_empty() {
            Zone::all().iter().for_each(|zone| plans.add(zone));
        } else {
            zones.iter().for_each(|zone| plans.add(zone));
        }
        let mut tones: Vec<(PatternStep, Vec<Entry>)> = Vec::new();
        for (pattern, at) in plans.patterns.iter().zip(0_u16..) {
            let heard = pattern.steps.iter().zip(0_u16..).filter(|(step, _)| step.hz[0] > 0.0);
            for (tone, step) in heard {
                let entry = Entry { pattern: at, step };
                match tones.iter_mut().find(|(known, _)| known == tone) {
                    Some((_, entries)) => entries.push(entry),
                    None => tones.push((*tone, vec![entry])),
                }
            }
        }
        // In the order of their frequency, so that those near a mark stand together.
        tones.sort_by(|(a, _), (b, _)| a.hz[0].total_cmp(&b.hz[0]));
        let near = |stretch: usize| {
            let middle = (stretch as f32 + 0.5) * STRETCH_HZ;
            let reach = TOLERANCE_HZ + STRETCH_HZ;
            let below = tones.partition_point(|(tone, _)| tone.hz[0] < middle - reach);
            let to = tones.partition_point(|(tone, _)| tone.hz[0] <= middle + reach);
            let is_any = below < to;
            is_any.then(|| (below / TOGETHER) as u16..to.div_ceil(TOGETHER) as u16)
        };
        plans.near = (0..STRETCHES).map(|stretch| near(stretch).unwrap_or_default()).collect();
        for eight in tones.chunks(TOGETHER) {
            let mut together = Tones::NONE;
            for (at, (tone, entries)) in eight.iter().enumerate() {
                let from = plans.entries.len();
                plans.entries.extend(entries);
                together.set(at, tone, (from as u16, plans.entries.len() as u16));
            }
            plans.tones.push(together);
        }
        plans
    }

    fn add(&mut self, zone: &'static Zone) {
        for tone in zone.tones {
            let Some(sound) = tone.sound() else { continue };
            // What several sources say, and first, counts more; a PBX's tone hardly comes over a trunk.
            let mut weight = 1.0 + 0.5 * f32::from(tone.support.saturating_sub(1));
            if tone.is_variant || tone.name.contains('@') {
                weight *= 0.3;
            }
            let Some((steps, repeat)) = simplify(tone.spec.steps, tone.spec.repeat) else {
                continue;
            };
            let is_room = self.patterns.len() < PATTERNS_MAX;
            let same = self.patterns.iter_mut().find(|pattern| {
                pattern.sound == sound && pattern.steps == steps && pattern.repeat == repeat
            });
            match same {
                Some(pattern) => pattern.weight += weight,
                None if is_room => {
                    self.patterns.push(Pattern { sound, weight, steps, repeat });
                }
                None => {}
            }
        }
    }

    /// Which classes agree with everything heard so far, starting anywhere in their cadence.
    pub fn votes(&self, marks: &[Mark]) -> Votes {
        let mut votes = Votes::default();
        let Some(first) = marks.first() else { return votes };
        let stretch = (first.hz[0] / STRETCH_HZ) as usize;
        let Some(near) = self.near.get(stretch).filter(|near| !near.is_empty()) else {
            return votes;
        };
        let near = self.tones.get(usize::from(near.start)..usize::from(near.end));
        // A pattern counts once, by the best of its entries.
        let mut best = [0.0_f32; PATTERNS_MAX];
        for together in near.unwrap_or_default() {
            let may = together.may_be(first);
            if may.iter().fold(0, |any, &may| any | may) == 0 {
                continue;
            }
            for (&(from, to), _) in together.entries.iter().zip(may).filter(|(_, may)| *may != 0) {
                let entries = self.entries.get(usize::from(from)..usize::from(to));
                for entry in entries.unwrap_or_default() {
                    let at = usize::from(entry.pattern);
                    let (Some(pattern), Some(best)) = (self.patterns.get(at), best.get_mut(at))
                    else {
                        continue;
                    };
                    let fit = pattern.fit(usize::from(entry.step), marks).unwrap_or_default();
                    if fit > *best {
                        votes.add(pattern.sound, pattern.weight * (fit - *best));
                        *best = fit;
                    }
                }
            }
        }
        votes
    }
}

impl Pattern {
    /// How well the marks fit from step `from` on, up to 1.0; `None` when they do not.
    fn fit(&self, from: usize, marks: &[Mark]) -> Option<f32> {
        let mut at = Some(from);
        let mut misfit = 0.0_f32;
        for mark in marks {
            let step = at.and_then(|i| self.steps.get(i));
            let Some(step) = step else {
                // A tone that is played once is followed by silence for ever.
                return (mark.is_pause() && mark.is_open).then(|| (-misfit).exp());
            };
            if !sounds_alike(mark, step) {
                return None;
            }
            misfit += misfit_of(mark, step)?;
            let next = at.map(|i| i.saturating_add(1));
            at = next.filter(|&i| i < self.steps.len()).or(self.repeat);
        }
        Some((-misfit).exp())
    }
}

fn sounds_alike(mark: &Mark, step: &PatternStep) -> bool {
    let near = |heard: f32, asked: f32| (heard - asked).abs() <= TOLERANCE_HZ;
    match (mark.is_pause(), step.hz[0] <= 0.0) {
        (true, true) => true,
        (false, false) => {
            near(mark.hz[0], step.hz[0])
                && ((mark.hz[1] <= 0.0 && step.hz[1] <= 0.0)
                    || (mark.hz[1] > 0.0 && step.hz[1] > 0.0 && near(mark.hz[1], step.hz[1])))
        }
        _ => false,
    }
}

/// How far a duration of so many milliseconds may be off, in milliseconds.
fn tolerance_of(asked_millis: f32) -> f32 {
    (asked_millis * TOLERANCE_SHARE).max(TOLERANCE_MILLIS)
}

/// How far a duration is from the step's: 0.0 for the same, 2.0 at the tolerance, `None` beyond it. What
/// still goes on, or began before we listened, may be shorter.
fn misfit_of(mark: &Mark, step: &PatternStep) -> Option<f32> {
    let heard = mark.millis as f32;
    let Some(asked) = step.millis else { return mark.is_open.then_some(0.0) };
    let off = (heard - asked) / tolerance_of(asked);
    match off {
        off if off > 1.0 => None,
        off if mark.may_be_short() => Some(2.0 * off.max(0.0) * off.max(0.0)),
        off if off < -1.0 => None,
        off => Some(2.0 * off * off),
    }
}

/// Steps as the spectrum shows them: close frequencies as one, equal neighbours as one step.
fn simplify(steps: &[Step], repeat: Repeat) -> Option<(Vec<PatternStep>, Option<usize>)> {
    let mut simple: Vec<PatternStep> = Vec::new();
    let mut merged_before = 0_usize;
    let repeat_from = match repeat {
        Repeat::From(at) => Some(usize::from(at)),
        Repeat::Once => None,
    };
    for (i, step) in steps.iter().enumerate() {
        let hz = peaks_of(step)?;
        let millis = step.millis.map(|ms| ms as f32);
        if let Some(last) = simple.last_mut()
            && last.hz == hz
        {
            last.millis = last.millis.zip(millis).map(|(a, b)| a + b);
            if repeat_from.is_some_and(|from| i <= from) {
                merged_before = merged_before.saturating_add(1);
            }
        } else {
            simple.push(PatternStep { hz, millis });
        }
    }
    let is_heard = simple.iter().any(|step| step.hz[0] > 0.0);
    is_heard.then_some((simple, repeat_from.map(|from| from.saturating_sub(merged_before))))
}

/// The one or two peaks of a step; `None` when a spectrum would show neither one nor two.
fn peaks_of(step: &Step) -> Option<[f32; 2]> {
    if step.is_silence() {
        return Some([0.0; 2]);
    }
    let mut peaks: [(f32, f32); 3] = [(0.0, 0.0); 3];
    let mut sorted = step.hz;
    sorted.sort_by(f32::total_cmp);
    for hz in sorted.into_iter().filter(|&hz| (200.0..=3600.0).contains(&hz)) {
        let near = |&&mut (sum, n): &&mut (f32, f32)| n > 0.0 && hz - sum / n < MERGED_HZ;
        if let Some((sum, n)) = peaks.iter_mut().rfind(near) {
            (*sum, *n) = (*sum + hz, *n + 1.0);
        } else if let Some(free) = peaks.iter_mut().find(|(_, n)| *n == 0.0) {
            *free = (hz, 1.0);
        }
    }
    let [first, second, third] =
        peaks.map(|(sum, n): (f32, f32)| if n > 0.0 { sum / n } else { 0.0 });
    (first > 0.0 && third == 0.0).then_some([first, second])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn marks(hz: f32, millis: &[u32]) -> Vec<Mark> {
        let tone = |i: usize| [if i.is_multiple_of(2) { hz } else { 0.0 }, 0.0];
        let mark = |(i, &millis): (usize, &u32)| Mark {
            hz: tone(i),
            millis,
            is_open: false,
            is_cut: false,
        };
        millis.iter().enumerate().map(mark).collect()
    }

    #[test]
    fn no_pattern_of_any_zone_is_left_out() {
        let plans = Plans::of(&[]);
        assert!(plans.patterns.len() < PATTERNS_MAX, "{}", plans.patterns.len());
    }

    #[test]
    fn china_tells_its_tones_apart_by_the_first_on_period() {
        let plans = Plans::of(&[Zone::by_key("cn").unwrap()]);
        for (millis, sound) in
            [(1000, Sound::Ringback), (350, Sound::Busy), (700, Sound::Congestion)]
        {
            let votes = plans.votes(&marks(450.0, &[millis]));
            assert!(votes.of(sound) > 0.0);
            let others = CLASSES.map(|class| if class == sound { 0.0 } else { votes.of(class) });
            // The pip of the vacant tone and of call waiting is 400 ms, the stutter of dial tone too.
            let unasked =
                votes.of(Sound::CallWaiting) + votes.of(Sound::Dial) + votes.of(Sound::Vacant);
            assert!((others.iter().sum::<f32>() - unasked).abs() < 1e-6, "{sound:?}: {votes:?}");
        }
    }

    #[test]
    fn a_cadence_is_known_from_any_of_its_steps() {
        let plans = Plans::of(&[Zone::by_key("cn").unwrap()]);
        for from in [0, 2, 4, 6] {
            let mut cycle = [100, 100, 100, 100, 100, 100, 400, 400];
            cycle.rotate_left(from);
            let votes = plans.votes(&marks(450.0, &cycle));
            assert!(votes.of(Sound::Vacant) > 0.0, "from step {from}");
            assert_eq!(votes.of(Sound::Busy), 0.0);
        }
    }

    #[test]
    fn close_frequencies_are_one_peak_and_far_ones_two() {
        let peaks = |a, b| {
            peaks_of(&Step { hz: [a, b, 0.0], am_hz: 0.0, quieter_db: 0.0, millis: None }).unwrap()
        };
        assert_eq!(peaks(440.0, 480.0), [460.0, 0.0]);
        assert_eq!(peaks(620.0, 480.0), [480.0, 620.0]);
        assert_eq!(peaks(425.0, 0.0), [425.0, 0.0]);
    }
}
