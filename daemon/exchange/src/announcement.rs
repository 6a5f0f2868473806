//! What a network plays instead of an answer: special information tones, a recording, over and over.

use call::SitCode;
use dsp::generate::{Repeat, Step, ToneSpec};

use crate::mouth::Piece;
use crate::scenario::Announcement;
use crate::voices::Voice;

/// Between the tones and the words, and between two turns.
const PAUSE_MILLIS: u32 = 300;
const BETWEEN_MILLIS: u32 = 1000;
/// E.180, §7: −24 dBm0.
const SIT_DBM0: f32 = -24.0;

/// One turn of it.
pub fn turn(announcement: &Announcement, voice: &Voice) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Some(code) = announcement.sit {
        let spec = ToneSpec { steps: sit(code), repeat: Repeat::Once, level_dbm0: SIT_DBM0 };
        pieces.push(Piece::Tone { spec, millis: u32::MAX / 8 });
        pieces.push(Piece::Pause { millis: PAUSE_MILLIS });
    }
    pieces.push(Piece::Voice(voice.clone()));
    pieces.push(Piece::Pause { millis: BETWEEN_MILLIS });
    pieces
}

/// Which tones of North America's code are high, and which are long; the third is the same in all.
const fn coded(high: [bool; 2], long: [bool; 2]) -> [Step; 3] {
    let hz = [if high[0] { 985.2 } else { 913.8 }, if high[1] { 1428.5 } else { 1370.6 }, 1776.7];
    let millis = [if long[0] { 380 } else { 274 }, if long[1] { 380 } else { 274 }, 380];
    steps(hz, millis)
}

const fn steps(hz: [f32; 3], millis: [u32; 3]) -> [Step; 3] {
    [step(hz[0], millis[0]), step(hz[1], millis[1]), step(hz[2], millis[2])]
}

const fn step(hz: f32, millis: u32) -> Step {
    Step { hz: [hz, 0.0, 0.0], am_hz: 0.0, quieter_db: 0.0, millis: Some(millis) }
}

static INTERNATIONAL: [Step; 3] = steps([950.0, 1400.0, 1800.0], [330, 330, 330]);
static INTERCEPT: [Step; 3] = coded([false, false], [false, false]);
static VACANT_CODE: [Step; 3] = coded([true, false], [true, false]);
static REORDER_LOCAL: [Step; 3] = coded([false, true], [false, true]);
static REORDER_LONG_DISTANCE: [Step; 3] = coded([true, false], [false, true]);
static NO_CIRCUIT_LOCAL: [Step; 3] = coded([true, true], [true, true]);
static NO_CIRCUIT_LONG_DISTANCE: [Step; 3] = coded([false, false], [true, true]);
static INEFFECTIVE: [Step; 3] = coded([false, true], [true, false]);

/// The three tones of a code. E.180, §7, and its North American practice.
fn sit(code: SitCode) -> &'static [Step] {
    match code {
        SitCode::International => &INTERNATIONAL,
        SitCode::Intercept => &INTERCEPT,
        SitCode::VacantCode => &VACANT_CODE,
        SitCode::ReorderLocal => &REORDER_LOCAL,
        SitCode::ReorderLongDistance => &REORDER_LONG_DISTANCE,
        SitCode::NoCircuitLocal => &NO_CIRCUIT_LOCAL,
        SitCode::NoCircuitLongDistance => &NO_CIRCUIT_LONG_DISTANCE,
        SitCode::Ineffective => &INEFFECTIVE,
    }
}
