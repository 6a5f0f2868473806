//! Which special information tone it was.
//!
//! The code is in pitch and length of the first two tones. Of the sixteen things they could say eight are used, any two of
//! which differ in two places at least: the one that is the likeliest by all three tones together is taken, and none if
//! nothing is likely. The third tone is the same in all codes, and says how much too fast or too slow
//! everything is played. E.180 §7 and its North American practice, which is older.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::tones::Tone;

/// What special information tones say about the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SitCode {
    /// E.180's own tones, or those of no code: something is wrong with the number or the network, an announcement
    /// says what.
    #[default]
    International,
    /// IC: the number was changed or is out of service.
    Intercept,
    /// VC: there is no such number.
    VacantCode,
    /// RO, within the local area: congestion.
    ReorderLocal,
    /// RO, long distance.
    ReorderLongDistance,
    /// NC, within the local area: all circuits are busy.
    NoCircuitLocal,
    /// NC, long distance.
    NoCircuitLongDistance,
    /// IO: the call cannot be completed as it was dialled, or for another reason.
    Ineffective,
}

/// A code as it is played: frequencies of the three tones in Hz, lengths of the first two in ms.
struct Played {
    code: SitCode,
    hz: [f32; 3],
    millis: [f32; 2],
}

const LOW_HZ: [f32; 2] = [913.8, 1370.6];
const HIGH_HZ: [f32; 2] = [985.2, 1428.5];
const THIRD_HZ: f32 = 1776.7;
const SHORT_MILLIS: f32 = 274.0;
const LONG_MILLIS: f32 = 380.0;

/// A code whose first and second tone are high, and long.
const fn played(code: SitCode, is_high: [bool; 2], is_long: [bool; 2]) -> Played {
    let [low_1, low_2] = LOW_HZ;
    let [high_1, high_2] = HIGH_HZ;
    let [first, second] = is_high;
    let hz = [if first { high_1 } else { low_1 }, if second { high_2 } else { low_2 }, THIRD_HZ];
    let [first, second] = is_long;
    let millis = [
        if first { LONG_MILLIS } else { SHORT_MILLIS },
        if second { LONG_MILLIS } else { SHORT_MILLIS },
    ];
    Played { code, hz, millis }
}

/// All there are, the international ones as well, and the code that is kept free.
const ALL: [Played; 9] = [
    Played { code: SitCode::International, hz: [950.0, 1400.0, 1800.0], millis: [330.0, 330.0] },
    played(SitCode::Intercept, [false, false], [false, false]),
    played(SitCode::VacantCode, [true, false], [true, false]),
    played(SitCode::ReorderLocal, [false, true], [false, true]),
    played(SitCode::ReorderLongDistance, [true, false], [false, true]),
    played(SitCode::NoCircuitLocal, [true, true], [true, true]),
    played(SitCode::NoCircuitLongDistance, [false, false], [true, true]),
    played(SitCode::Ineffective, [false, true], [true, false]),
    played(SitCode::International, [true, true], [false, false]),
];

/// How far a single tone is off, and all three together, relative to their frequency: half of the 1.5 % that a recorded
/// tone may have wandered, each.
const TONE_OFF: f32 = 0.007;
const SPEED_OFF: f32 = 0.007;
/// How far a length is off: two looks at the line.
const MILLIS_OFF: f32 = 18.0;
/// The sum of squares beyond which it is no code: a chance of one in a thousand with five measures.
const UNLIKELY: f32 = 20.5;

impl SitCode {
    /// The code of a first, a second and a third tone; the third may still sound.
    pub fn of(first: &Tone, second: &Tone, third: &Tone) -> Self {
        let hz = [first, second, third].map(|tone| tone.hz.first().copied().unwrap_or_default());
        let millis = [first, second].map(|tone| tone.millis() as f32);
        let likeliest = ALL
            .iter()
            .map(|played| (played.unlike(&hz, &millis), played.code))
            .min_by(|(a, _), (b, _)| a.total_cmp(b));
        likeliest
            .filter(|(unlike, _)| *unlike < UNLIKELY)
            .map_or(Self::International, |(_, code)| code)
    }
}

impl Played {
    /// How much what was heard differs from this: the sum of squares of all errors in their standard deviations, with
    /// that speed of the whole for which it is least.
    fn unlike(&self, hz: &[f32; 3], millis: &[f32; 2]) -> f32 {
        let (mut sum, mut squares) = (0.0, 0.0);
        for (heard, played) in hz.iter().zip(self.hz) {
            let off = heard / played - 1.0;
            sum += off;
            squares += off * off;
        }
        let tone = TONE_OFF * TONE_OFF;
        let by_speed = sum * sum / (hz.len() as f32 + tone / (SPEED_OFF * SPEED_OFF));
        let lengths = millis.iter().zip(self.millis).map(|(heard, played)| {
            let off = (heard - played) / MILLIS_OFF;
            off * off
        });
        (squares - by_speed) / tone + lengths.sum::<f32>()
    }
}
