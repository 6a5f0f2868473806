//! The procedures by which the ears are judged, over signals of our own from a seed: how many of so many were missed,
//! how many were heard that were not there, how late. The tests run them short, `examples/hearing.rs` long.

use super::music::music;
use super::{Signal, hear, noise, played, silence, tones, voice, with};
use dsp::ears::{Heard, Listen, Sound};
use dsp::generate::{DTMF_KEYS, DtmfSource};
use dsp::zones::Zone;
use tdm::{Law, Rng, SAMPLES};

/// What came of a set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// How many there were.
    pub of: usize,
    /// How many were not heard, or heard as something else.
    pub missed: usize,
    /// How many were heard that were not there.
    pub extra: usize,
}

fn uniform(rng: &mut Rng, from: f32, to: f32) -> f32 {
    from + (to - from) * rng.unit() as f32
}

/// Keys sent, and when each began and ended, in milliseconds.
#[derive(Default)]
struct Dialled {
    signal: Signal,
    keys: Vec<(u64, u64, u8)>,
}

impl Dialled {
    fn push(&mut self, key: u8, hz: [f32; 2], levels: [f32; 2], on: u32, off: u32) {
        let from = (self.signal.len() / SAMPLES) as u64;
        self.signal.extend(tones(hz, levels, on, off));
        self.keys.push((from, from + u64::from(on), key));
    }
    /// Each key must be said once, before the next one can be: no sooner than it began, 60 ms after its end at
    /// the latest.
    fn count(&self) -> Count {
        let listen = Listen { dtmf: true, ..Listen::default() };
        let heard: Vec<(u64, u8)> = hear(&self.signal, Law::A, &["cn"], listen)
            .into_iter()
            .filter_map(|(at, heard)| match heard {
                Heard::Dtmf(key) => Some((at, key)),
                _ => None,
            })
            .collect();
        let mut left = heard.iter().peekable();
        let mut right = 0;
        for (i, &(from, to, key)) in self.keys.iter().enumerate() {
            let next = self.keys.get(i + 1).map_or(u64::MAX, |(next, ..)| next + 15);
            while left.next_if(|(at, _)| *at < from).is_some() {}
            let is_this = |(at, said): &&(u64, u8)| *at <= (to + 60).min(next) && *said == key;
            right += usize::from(left.next_if(is_this).is_some());
        }
        Count { of: self.keys.len(), missed: self.keys.len() - right, extra: heard.len() - right }
    }
}

/// Keys anywhere inside Q.24: ±1.5 %, twist −4 to +8 dB, 40 to 100 ms, down to −25 dBm0 a tone; `snr_db` under the
/// power of each key.
pub fn keys_inside(seed: u64, keys: usize, snr_db: Option<f32>) -> Count {
    let mut rng = Rng::from_seed(seed);
    let mut dialled = Dialled { signal: silence(300), ..Dialled::default() };
    for _ in 0..keys {
        let key = DTMF_KEYS[rng.below(16) as usize];
        let (low, high) = DtmfSource::tones_of(key).expect("a key");
        let [twist, top] = [uniform(&mut rng, -4.0, 8.0), uniform(&mut rng, -17.0, 0.0)];
        let levels = [top + twist.min(0.0), top - twist.max(0.0)];
        let hz = [low, high].map(|hz| hz * uniform(&mut rng, 0.985, 1.015));
        let [on, off] = [rng.between(40, 100) as u32, rng.between(40, 100) as u32];
        let from = dialled.signal.len();
        dialled.push(key, hz, levels, on, off);
        if let Some(snr_db) = snr_db {
            let power: f32 = levels.iter().map(|db| 10_f32.powf(0.1 * db)).sum();
            let mut noise = noise(rng.below(1 << 40), 10.0 * power.log10() - snr_db);
            dialled.signal[from..].iter_mut().for_each(|x| *x += noise());
        }
    }
    dialled.signal.extend(silence(200));
    dialled.count()
}

/// What is no key: a tone off by 3.5 % or more, up to 20 ms, twist of 14 dB or more, −48 dBm0 or less. Whatever is
/// heard is extra.
pub fn keys_outside(seed: u64, keys: usize) -> Count {
    let mut rng = Rng::from_seed(seed);
    let mut dialled = Dialled { signal: silence(300), ..Dialled::default() };
    for i in 0..keys {
        let key = DTMF_KEYS[rng.below(16) as usize];
        let (low, high) = DtmfSource::tones_of(key).expect("a key");
        let (mut hz, mut levels, mut on) = ([low, high], [-10.0; 2], 60);
        let sign = if rng.below(2) == 0 { 1.0 } else { -1.0 };
        match i % 4 {
            0 => hz[rng.below(2) as usize] *= 1.0 + sign * uniform(&mut rng, 0.035, 0.06),
            1 => on = rng.between(5, 20) as u32,
            2 => levels[rng.below(2) as usize] -= uniform(&mut rng, 14.0, 24.0),
            _ => levels = [uniform(&mut rng, -60.0, -48.0); 2],
        }
        dialled.push(key, hz, levels, on, 100);
    }
    let heard = dialled.count();
    Count { of: keys, missed: 0, extra: heard.extra + heard.of - heard.missed }
}

/// Keys of 50 ms in steady white noise, `snr_db` under both tones together.
pub fn keys_in_noise(seed: u64, keys: usize, snr_db: f32) -> Count {
    let mut rng = Rng::from_seed(seed);
    let mut dialled = Dialled { signal: silence(300), ..Dialled::default() };
    for _ in 0..keys {
        let key = DTMF_KEYS[rng.below(16) as usize];
        let (low, high) = DtmfSource::tones_of(key).expect("a key");
        dialled.push(key, [low, high], [-12.0; 2], 50, 50 + rng.below(16) as u32);
    }
    dialled.signal = with(dialled.signal, noise(seed ^ 1, -12.0 + 3.01 - snr_db));
    dialled.count()
}

/// Something that was heard in the signal of a seed, and was never sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeverSent {
    /// The seed of the signal.
    pub seed: u64,
    /// Milliseconds from its beginning.
    pub at_millis: u64,
    /// What was heard.
    pub heard: Heard,
}

/// Voices or music, ten seconds from each seed: keys, fax tones and tones of the network that were never sent.
pub fn talk_off(seed: u64, tens_of_seconds: usize, is_music: bool) -> Vec<NeverSent> {
    let listen = Listen { dtmf: true, fax: true, progress: true, ..Listen::default() };
    let mut all = Vec::new();
    for part in 0..tens_of_seconds as u64 {
        let seed = seed.wrapping_mul(1000) + part;
        let signal = if is_music { music(seed, 10_000, -12.0) } else { voice(seed, 10_000) };
        let wrong =
            hear(&signal, Law::A, &[], listen).into_iter().filter(|(_, heard)| match heard {
                Heard::Dtmf(_) | Heard::Fax(_) => true,
                Heard::Progress(sound) => !matches!(sound, Sound::Announcement | Sound::Music),
                _ => false,
            });
        all.extend(wrong.map(|(at_millis, heard)| NeverSent { seed, at_millis, heard }));
    }
    all
}

/// Music from a silent line, at any level and in either law, whose first verdict is another.
pub fn musics(seed: u64, pieces: usize) -> Count {
    let listen = Listen { progress: true, ..Listen::default() };
    let mut rng = Rng::from_seed(seed);
    let mut count = Count { of: pieces, ..Count::default() };
    for part in 0..pieces as u64 {
        let seed = seed.wrapping_mul(1000) + part;
        let level_dbm0 = uniform(&mut rng, -30.0, -10.0);
        let mut signal = silence(300);
        signal.extend(music(seed, 10_000, level_dbm0));
        let law = if rng.below(2) == 0 { Law::A } else { Law::Mu };
        let heard = hear(&with(signal, noise(seed, level_dbm0 - 30.0)), law, &[], listen);
        let first = heard.first().map(|(_, heard)| *heard);
        count.missed += usize::from(first != Some(Heard::Progress(Sound::Music)));
    }
    count
}

/// Noise of a room or line, and hum: whatever is said of it is extra.
pub fn noises(seed: u64, noises: usize) -> Count {
    let listen = Listen { progress: true, ..Listen::default() };
    let mut rng = Rng::from_seed(seed);
    let mut count = Count { of: noises, ..Count::default() };
    for part in 0..noises as u64 {
        let level_dbm0 = uniform(&mut rng, -40.0, -18.0);
        let mut signal = with(silence(10_000), noise(seed.wrapping_mul(1000) + part, level_dbm0));
        match part % 3 {
            // White, brown, with hum.
            0 => {}
            1 => {
                let mut last = 0.0;
                for x in &mut signal {
                    last = 0.9 * last + 0.6 * *x;
                    *x = last;
                }
            }
            _ => {
                for (n, x) in signal.iter_mut().enumerate() {
                    let at = std::f32::consts::TAU * 50.0 * n as f32 / 8000.0;
                    let hum: f32 =
                        [1.0, 2.0, 3.0, 5.0, 7.0].map(|k: f32| (k * at).sin() / k).iter().sum();
                    *x += dsp::g711::peak_of_dbm0(level_dbm0) * hum;
                }
            }
        }
        count.extra += hear(&signal, Law::A, &[], listen).len();
    }
    count
}

/// A ring-back that was not known in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Late {
    /// Its zone.
    pub zone: &'static str,
    /// What was said first, and when.
    pub heard: Option<(u64, Sound)>,
    /// When it should have been: 250 ms behind the first period, 1.5 s behind the beginning at the latest.
    pub by_millis: u64,
}

/// Zones whose ring-back no ears can know in time: what the plan says is no sound a telephone line carries, is what it
/// says of busy or a constant tone as well, or lies too close for the spectrum.
pub const LATE: [(&str, &str); 16] = [
    ("ao", "25 Hz"),
    ("ci", "50 Hz"),
    ("dz", "25 Hz"),
    ("fj", "116 and 150 Hz"),
    ("mg", "25 Hz"),
    ("tm", "25 Hz"),
    ("ug", "250 ms of 150 Hz"),
    ("bn", "begins as busy does"),
    ("cy", "begins as a constant tone does"),
    ("hn", "begins as busy does"),
    ("la", "begins as busy does"),
    ("py", "begins as busy does"),
    ("tz", "begins as busy does"),
    ("vc", "one period of 200 ms"),
    ("eg", "two tones 100 Hz apart"),
    ("jo", "two tones 80 Hz apart"),
];

/// Ring-back of every zone: whatever is not known in time, by ears that listen for the zone, or for all.
pub fn ring_backs(for_all: bool) -> (usize, Vec<Late>) {
    let listen = Listen { progress: true, ..Listen::default() };
    let mut of = 0;
    let mut late = Vec::new();
    for zone in Zone::all() {
        let Some(spec) = zone.tone("ringback") else { continue };
        of += 1;
        let mut signal = silence(300);
        signal.extend(played(spec.at_dbm0(-16.0), 2600));
        let signal = with(signal, noise(5, -45.0));
        let zones: &[&str] = if for_all { &[] } else { &[zone.key] };
        let heard =
            hear(&signal, Law::A, zones, listen).into_iter().find_map(|(at, heard)| match heard {
                Heard::Progress(sound) => Some((at, sound)),
                _ => None,
            });
        let sounding = spec.steps.iter().take_while(|step| !step.is_silence());
        let on: u64 = sounding.map(|step| u64::from(step.millis.unwrap_or(9000))).sum();
        let by_millis = 300 + (on + 250).min(1500);
        if !heard.is_some_and(|(at, sound)| sound == Sound::Ringback && at <= by_millis) {
            late.push(Late { zone: zone.key, heard, by_millis });
        }
    }
    (of, late)
}
