//! What a simulated party hears: loud or quiet, a pilot, a ring-back tone.

use dsp::g711;
use tdm::{DOctets, Law};

use crate::pilot::{PILOT_BLOCK, Pilot, level_dbm0};

/// Samples over which loudness is measured: 20 ms.
const LOUD_BLOCK: u32 = 160;
/// Louder than this is sound: speech and tones are above −25, line noise below −50.
const SOUND_DBM0: f32 = -40.0;
/// Ring-back is a single tone near these frequencies in China (450) and most of Europe (425), or the
/// North American pair. GB/T 3380, E.180.
const RINGBACK_HZ: [f32; 3] = [450.0, 425.0, 440.0];
/// Blocks in a row with the tone: 480 ms. Every ring is longer, the notes of hold music are shorter.
const RINGBACK_BLOCKS: u32 = 6;
/// So much of a block's power is in the tone when it is a tone.
const TONE_SHARE_DB: f32 = 3.0;
/// Samples a suspicion is built on: 20 ms, a bin of 50 Hz.
const SUSPICION_SAMPLES: usize = 160;
/// A pilot counts as gone when it was not heard for so long.
const PILOT_GONE_MILLIS: u32 = 480;

/// One party's ear. Fed eight octets a millisecond.
#[derive(Clone, Debug)]
pub struct Ear {
    law: Law,
    /// Whose pilot it listens for.
    pilot: Pilot,
    power: f32,
    in_power: u32,
    block: Box<[f32; PILOT_BLOCK]>,
    in_block: usize,
    /// Milliseconds of sound since [`Ear::forget`].
    pub sound_millis: u32,
    /// Milliseconds since the last sound, or since [`Ear::forget`].
    pub quiet_millis: u32,
    /// Blocks in a row with the pilot.
    hits: u32,
    /// Milliseconds since the pilot was last heard.
    missed_millis: u32,
    is_piloted: bool,
    /// Blocks in a row with a tone of ring-back.
    ringing: u32,
    ringback_millis: Option<u32>,
}

impl Ear {
    /// An ear on a line of this law that waits for this pilot.
    pub fn new(law: Law, pilot: Pilot) -> Self {
        Self {
            law,
            pilot,
            power: 0.0,
            in_power: 0,
            block: Box::new([0.0; PILOT_BLOCK]),
            in_block: 0,
            sound_millis: 0,
            quiet_millis: 0,
            hits: 0,
            missed_millis: 0,
            is_piloted: false,
            ringing: 0,
            ringback_millis: None,
        }
    }

    /// Begins to count sound and quiet anew, and forgets the ring-back tone.
    pub fn forget(&mut self) {
        self.sound_millis = 0;
        self.quiet_millis = 0;
        self.ringback_millis = None;
    }

    /// Whether the other party of a conversation is there.
    pub const fn hears_pilot(&self) -> bool {
        self.is_piloted
    }

    /// Whether the last 20 ms may have been the pilot: sooner than [`Ear::hears_pilot`], and less sure.
    pub fn suspects_pilot(&self) -> bool {
        // The block is overwritten from its beginning: read backwards from where writing stands.
        let last: [f32; SUSPICION_SAMPLES] = core::array::from_fn(|n| {
            let at = (self.in_block + PILOT_BLOCK - SUSPICION_SAMPLES + n) % PILOT_BLOCK;
            self.block.get(at).copied().unwrap_or_default()
        });
        self.pilot.is_in(&last)
    }

    /// How long the pilot has not been heard.
    pub const fn pilot_missed_millis(&self) -> u32 {
        self.missed_millis
    }

    /// Whether a ring-back tone was heard within the last cadence of five seconds.
    pub fn hears_ringback(&self) -> bool {
        self.ringback_millis.is_some_and(|since| since < 5000)
    }

    /// The next millisecond.
    pub fn hear(&mut self, octets: &DOctets) {
        let table = g711::linear(self.law);
        for &octet in octets {
            let sample = table[usize::from(octet)];
            self.power += sample * sample;
            if let Some(place) = self.block.get_mut(self.in_block) {
                *place = sample;
            }
            self.in_block += 1;
        }
        self.in_power += octets.len() as u32;
        if self.in_power >= LOUD_BLOCK {
            self.loudness();
        }
        if self.in_block >= PILOT_BLOCK {
            self.tones();
        }
    }

    fn loudness(&mut self) {
        const MILLIS: u32 = LOUD_BLOCK / 8;
        let level = g711::dbm0_of_mean_square(self.power / self.in_power as f32);
        (self.power, self.in_power) = (0.0, 0);
        if level >= SOUND_DBM0 {
            self.sound_millis = self.sound_millis.saturating_add(MILLIS);
            self.quiet_millis = 0;
        } else {
            self.quiet_millis = self.quiet_millis.saturating_add(MILLIS);
        }
    }

    fn tones(&mut self) {
        const MILLIS: u32 = PILOT_BLOCK as u32 / 8;
        self.in_block = 0;
        let mean_square = self.block.iter().map(|x| x * x).sum::<f32>() / PILOT_BLOCK as f32;
        let level = g711::dbm0_of_mean_square(mean_square);
        // Quieter than a pilot: nothing to look for.
        let is_pilot = level > SOUND_DBM0 && self.pilot.is_in(self.block.as_slice());
        self.hits = if is_pilot { self.hits.saturating_add(1) } else { 0 };
        if is_pilot {
            self.missed_millis = 0;
            self.is_piloted |= self.hits >= 2;
        } else {
            self.missed_millis = self.missed_millis.saturating_add(MILLIS);
            self.is_piloted &= self.missed_millis < PILOT_GONE_MILLIS;
        }
        let is_tone = level > SOUND_DBM0
            && RINGBACK_HZ
                .iter()
                .any(|&hz| level_dbm0(self.block.as_slice(), hz) >= level - TONE_SHARE_DB);
        self.ringing = if is_tone { self.ringing.saturating_add(1) } else { 0 };
        self.ringback_millis = match self.ringback_millis {
            _ if self.ringing >= RINGBACK_BLOCKS => Some(0),
            since => since.map(|since| since.saturating_add(MILLIS)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pilot::PilotSource;
    use dsp::generate::ToneSource;
    use dsp::zones::Zone;

    fn hear(ear: &mut Ear, millis: u32, mut next: impl FnMut() -> f32) {
        for _ in 0..millis {
            let octets = core::array::from_fn(|_| g711::encode_f32(Law::A, next()));
            ear.hear(&octets);
        }
    }

    #[test]
    fn a_pilot_is_believed_after_two_blocks_and_missed_after_half_a_second() {
        let mut ear = Ear::new(Law::A, Pilot::Agent);
        let mut pilot = PilotSource::new(Pilot::Agent);
        hear(&mut ear, 240, || pilot.next_sample());
        assert!(ear.hears_pilot());
        hear(&mut ear, 400, || 0.0);
        assert!(ear.hears_pilot());
        hear(&mut ear, 240, || 0.0);
        assert!(!ear.hears_pilot());
    }

    #[test]
    fn a_pilot_is_suspected_after_a_block_of_twenty_milliseconds_and_hardly_ever_without_one() {
        let mut ear = Ear::new(Law::A, Pilot::Agent);
        let mut pilot = PilotSource::new(Pilot::Agent);
        hear(&mut ear, 100, || 0.0);
        hear(&mut ear, 21, || pilot.next_sample());
        assert!(ear.suspects_pilot() && !ear.hears_pilot());
        let voices = crate::Voices::embedded();
        let (mut suspicions, mut millis) = (0, 0);
        for voice in voices.talks.iter().chain(&voices.musics) {
            let mut samples = voice.samples();
            for _ in 0..voice.millis() {
                hear(&mut ear, 1, || samples.next().unwrap_or_default());
                millis += 1;
                suspicions += u32::from(ear.suspects_pilot());
            }
        }
        assert!(suspicions * 500 < millis, "{suspicions} in {millis} ms");
    }

    #[test]
    fn ringback_is_known_by_its_tone_and_forgotten_after_a_cadence() {
        let zone = Zone::by_key("cn").expect("China has a plan");
        let mut tone = ToneSource::new(zone.tone("ringback").expect("and a ring-back tone"));
        let mut ear = Ear::new(Law::A, Pilot::Agent);
        hear(&mut ear, 300, || tone.next_sample());
        assert!(!ear.hears_ringback() && ear.sound_millis >= 200, "a note, so far");
        hear(&mut ear, 400, || tone.next_sample());
        assert!(ear.hears_ringback());
        hear(&mut ear, 8000, || tone.next_sample());
        assert!(ear.hears_ringback());
        hear(&mut ear, 6000, || 0.0);
        assert!(!ear.hears_ringback());
        assert!(ear.quiet_millis >= 5900);
    }
}
