//! Follows the tones of a lane over its frames: when one began, what it was, when it ended.
//!
//! A tone is one peak, or two, that hold nearly all of the power at a steady frequency. Slow glides and
//! fades are followed; four frames (32 ms) in which it is missing end it, which carries it over the phase
//! reversals of V.25 and the beats of two close frequencies.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::frame::Frame;
use crate::spectrum::HOP_MILLIS;

/// Share of the power one or two peaks must have.
const TONE_SHARE: f32 = 0.75;
/// How far a frequency may move from frame to frame, in Hz. Beats of 400 + 450 move it by 20.
const DRIFT_HZ: f32 = 30.0;
/// Frames that make a tone.
const FRAMES_MIN: u8 = 4;
/// Frames without it that end it.
const MISSES_MAX: u8 = 4;
/// Its edge is where it falls 9 dB below its level: beats of two close frequencies stay above.
const EDGE: f32 = 0.125;
/// The window reaches so low a level this much before the tone, and after it.
const EDGE_MILLIS: u32 = 5;
/// A fading tone takes its level with it by so much a frame: 16 dB a second.
const FADE: f32 = 0.97;
/// The weakest tone that is followed: −45 dBm0 over noise.
const POWER_MIN: f32 = 5e-6;
/// What makes a tone too pure, too steady and too long for a voice.
const STEADY_SHARE: f32 = 0.93;
const STEADY_DRIFT_HZ: f32 = 8.0;
const STEADY_MILLIS: u32 = 64;
/// Frames of power kept, to find where a tone began.
const KEPT: usize = 8;

/// A tone that sounds or did sound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tone {
    /// Lower and upper frequency in Hz; the upper is 0.0 when there is one peak only.
    pub hz: [f32; 2],
    /// When it began, in the lane's milliseconds.
    pub from_millis: u32,
    /// When it ended; while it sounds, the latest frame that had it.
    pub to_millis: u32,
    /// Mean share of the power that was the tone's.
    pub share: f32,
    /// Most that the lower frequency moved, in Hz.
    pub drift_hz: f32,
    /// Another sound, not silence, followed at once.
    pub is_cut_off: bool,
}

impl Tone {
    /// How long it sounded.
    pub const fn millis(&self) -> u32 {
        self.to_millis.saturating_sub(self.from_millis)
    }
    /// Whether no voice could hold it.
    pub fn is_steady(&self) -> bool {
        self.share >= STEADY_SHARE
            && self.drift_hz <= STEADY_DRIFT_HZ
            && self.millis() >= STEADY_MILLIS
    }
    /// Whether it is one frequency, within `tolerance` of `hz`.
    pub fn is_at(&self, hz: f32, tolerance: f32) -> bool {
        let [low, high] = self.hz;
        high == 0.0 && (low - hz).abs() <= tolerance
    }
}

/// What changed with a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// A tone is there, since some frames.
    Began(Tone),
    /// It is gone.
    Ended(Tone),
}

/// A tone, or what may become one.
#[derive(Clone, Copy, Debug)]
struct Followed {
    tone: Tone,
    frames: u8,
    /// Its level; fades slowly.
    power: f32,
    misses: u8,
    missed_from_millis: u32,
    first_hz: f32,
    seconds: u8,
    shares: f32,
    count: f32,
}

/// The tones of one lane.
#[derive(Clone, Debug, Default)]
pub struct Tones {
    sounding: Option<Followed>,
    coming: Option<Followed>,
    /// Powers of the latest frames, the newest first.
    powers: [f32; KEPT],
}

impl Tones {
    /// The tone that sounds now.
    pub fn now(&self) -> Option<&Tone> {
        self.sounding.as_ref().map(|followed| &followed.tone)
    }

    /// Takes the frame whose middle is at `at_millis`.
    pub fn take(&mut self, at_millis: u32, frame: &Frame, mut say: impl FnMut(Change)) {
        let [a, b, c, d, e, f, g, _] = self.powers;
        self.powers = [frame.power, a, b, c, d, e, f, g];
        let hz = chord(frame);
        if let Some(mut now) = self.sounding {
            if let Some(hz) = hz.filter(|hz| is_near(hz, &now.tone.hz))
                && frame.tone_share * frame.power >= EDGE * now.power
            {
                now.follow(at_millis, hz, frame);
                self.sounding = Some(now);
                self.coming = None;
                return;
            }
            if now.misses == 0 {
                now.missed_from_millis = at_millis;
            }
            now.misses = now.misses.saturating_add(1);
            self.sounding = Some(now);
            if now.misses >= MISSES_MAX {
                self.sounding = None;
                now.tone.to_millis = now.missed_from_millis.saturating_sub(EDGE_MILLIS);
                now.tone.is_cut_off = frame.power >= EDGE * now.power;
                say(Change::Ended(now.tone));
            }
            if hz.is_some_and(|hz| is_near(&hz, &now.tone.hz)) {
                // Its own tail in the window, not a new tone.
                self.coming = None;
                return;
            }
        }
        let Some(hz) = hz.filter(|_| frame.power >= POWER_MIN) else {
            self.coming = None;
            return;
        };
        let coming = match self.coming.filter(|c| is_near(&hz, &c.tone.hz)) {
            Some(mut coming) => {
                coming.follow(at_millis, hz, frame);
                coming
            }
            None => Followed::new(at_millis, hz, frame),
        };
        self.coming = Some(coming);
        if coming.frames >= FRAMES_MIN {
            self.begin(at_millis, coming, say);
        }
    }

    fn begin(&mut self, at_millis: u32, mut coming: Followed, mut say: impl FnMut(Change)) {
        if let Some(mut old) = self.sounding.take() {
            old.tone.to_millis = old.missed_from_millis;
            old.tone.is_cut_off = true;
            say(Change::Ended(old.tone));
        }
        // It began where its power came up, at most a window before the first frame that was clean.
        let reach = usize::from(coming.frames).saturating_add(2);
        let loud = |&&power: &&f32| power >= EDGE * coming.power;
        let frames = self.powers.iter().take(reach).take_while(loud).count().saturating_sub(1);
        let back = HOP_MILLIS.saturating_mul(u32::try_from(frames).unwrap_or(0));
        coming.tone.from_millis = at_millis.saturating_sub(back).saturating_add(EDGE_MILLIS);
        self.coming = None;
        self.sounding = Some(coming);
        say(Change::Began(coming.tone));
    }
}

impl Followed {
    fn new(at_millis: u32, hz: [f32; 2], frame: &Frame) -> Self {
        let tone = Tone {
            hz,
            from_millis: at_millis,
            to_millis: at_millis,
            share: frame.tone_share,
            ..Tone::default()
        };
        Self {
            tone,
            frames: 1,
            power: frame.power * frame.tone_share,
            misses: 0,
            missed_from_millis: at_millis,
            first_hz: 0.0,
            seconds: u8::from(hz[1] > 0.0),
            shares: frame.tone_share,
            count: 1.0,
        }
    }
    fn follow(&mut self, at_millis: u32, hz: [f32; 2], frame: &Frame) {
        self.misses = 0;
        self.frames = self.frames.saturating_add(1);
        self.power = (self.power * FADE).max(frame.power * frame.tone_share);
        self.shares += frame.tone_share;
        self.count += 1.0;
        self.tone.share = self.shares / self.count;
        self.tone.to_millis = at_millis;
        let [low, high] = &mut self.tone.hz;
        // A second peak that comes and goes belongs to the tone while most frames have it.
        if hz[1] > 0.0 && *high > 0.0 {
            *low += 0.25 * (hz[0] - *low);
            *high += 0.25 * (hz[1] - *high);
        } else if hz[1] == 0.0 && *high == 0.0 {
            *low += 0.25 * (hz[0] - *low);
        }
        if self.frames < 8 {
            self.seconds = self.seconds.saturating_add(u8::from(hz[1] > 0.0));
            let wants_second = self.seconds.saturating_mul(2) > self.frames;
            if wants_second && *high == 0.0 && hz[1] > 0.0 {
                (*low, *high) = (hz[0], hz[1]);
            } else if !wants_second && *high > 0.0 && hz[1] == 0.0 {
                (*low, *high) = (hz[0], 0.0);
            }
        }
        if self.frames == FRAMES_MIN {
            self.first_hz = *low;
        } else if self.frames > FRAMES_MIN {
            self.tone.drift_hz = self.tone.drift_hz.max((*low - self.first_hz).abs());
        }
    }
}

/// The frequencies of a frame that is one or two tones, the lower first.
fn chord(frame: &Frame) -> Option<[f32; 2]> {
    let is_second = frame.second_hz > 0.0;
    if frame.first_share >= TONE_SHARE && !is_second {
        return Some([frame.first_hz, 0.0]);
    }
    (frame.tone_share >= TONE_SHARE).then(|| {
        if is_second {
            [frame.first_hz.min(frame.second_hz), frame.first_hz.max(frame.second_hz)]
        } else {
            [frame.first_hz, 0.0]
        }
    })
}

/// Whether two chords may be the same tone: either has a frequency of the other.
fn is_near(a: &[f32; 2], b: &[f32; 2]) -> bool {
    let near = |x: f32, y: f32| x > 0.0 && y > 0.0 && (x - y).abs() <= DRIFT_HZ;
    match (a[1] > 0.0, b[1] > 0.0) {
        (true, true) => near(a[0], b[0]) && near(a[1], b[1]),
        _ => a.iter().any(|&x| b.iter().any(|&y| near(x, y))),
    }
}
