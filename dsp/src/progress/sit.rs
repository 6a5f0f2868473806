//! Which special information tone it was: the code is in frequency and length of its first two tones. The third is
//! the same in all of North America's; the international one has no code. E.180 §7 and its North American practice.
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
    /// E.180's own tones: something is wrong with the number or the network, an announcement says what.
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
}

/// Frequencies of the first and of the second tone, the lower and the higher one, in Hz.
const FIRST_HZ: [f32; 2] = [913.8, 985.2];
const SECOND_HZ: [f32; 2] = [1370.6, 1428.5];
/// Half of what lies between each and the nearest other: the international tones begin with 950 Hz.
const FIRST_TOLERANCE_HZ: f32 = 17.5;
const SECOND_TOLERANCE_HZ: f32 = 28.9;
/// Between the short ones of 274 ms and the long ones of 380 ms.
const LONG_MILLIS: u32 = 327;

/// One of the first two tones: whether it is the higher one, whether it is long.
type Kind = (bool, bool);

fn kind_of(tone: &Tone, hz: [f32; 2], tolerance_hz: f32) -> Option<Kind> {
    let [heard, _] = tone.hz;
    let at = hz.iter().position(|&hz| (heard - hz).abs() <= tolerance_hz)?;
    Some((at == 1, tone.millis() >= LONG_MILLIS))
}

impl SitCode {
    /// The code of a first and a second tone.
    pub fn of(first: &Tone, second: &Tone) -> Self {
        let kinds = kind_of(first, FIRST_HZ, FIRST_TOLERANCE_HZ).zip(kind_of(
            second,
            SECOND_HZ,
            SECOND_TOLERANCE_HZ,
        ));
        match kinds {
            Some(((false, false), (false, false))) => Self::Intercept,
            Some(((true, true), (false, false))) => Self::VacantCode,
            Some(((false, false), (true, true))) => Self::ReorderLocal,
            Some(((true, false), (false, true))) => Self::ReorderLongDistance,
            Some(((true, true), (true, true))) => Self::NoCircuitLocal,
            Some(((false, true), (false, true))) => Self::NoCircuitLongDistance,
            _ => Self::International,
        }
    }
}
