//! National tone plans: which frequencies and cadences mean what, in 175 countries and territories.
//!
//! The plans are facts in a text of our own notation, `zones/plan.txt`, which also says where they come
//! from; operators write their own tones in the same notation ([`tone_steps`]). Reading happens once, at
//! start: a plan lives as long as the process, so a [`ToneSpec`] can be copied onto the real-time path.
//!
//! ```
//! let china = dsp::zones::Zone::by_key("cn").unwrap();
//! let busy = china.tone("busy").unwrap();
//! assert_eq!(busy.steps[0].millis, Some(350));
//! ```

use std::sync::LazyLock;

use crate::ears::Sound;
use crate::generate::{Repeat, Step, TONE_PARTIALS_MAX, ToneSpec};

/// Level of a generated tone when nobody asks for another: the middle of China's −10 ± 3 dBm and of what
/// most plans call nominal.
pub const TONE_LEVEL_DBM0: f32 = -10.0;
/// Steps one tone may have.
pub const STEPS_MAX: usize = 64;
/// Variants one tone may have (frequencies in use for the same step).
const VARIANTS_MAX: usize = 8;

/// One row of a plan: a tone under its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// As the plan calls it: `ringback`, `busy`, `congestion`, `unobtainable`, `dial`, `sit`, …
    pub name: &'static str,
    /// Frequencies and cadence.
    pub spec: ToneSpec,
    /// How many sources give this value, 1 to 4.
    pub support: u8,
    /// Other frequencies for the same cadence; the generator never takes them.
    pub is_variant: bool,
}

impl Tone {
    /// Which class of sound this tone is; `None` for tones nobody who calls somebody hears.
    pub fn sound(&self) -> Option<Sound> {
        let name = self.name.split('@').next().unwrap_or_default();
        Some(match name {
            "ringback" | "ringback-mobile" => Sound::Ringback,
            "busy" => Sound::Busy,
            "congestion" | "congestion-special" | "reorder" => Sound::Congestion,
            "unobtainable" | "intercept" => Sound::Vacant,
            "sit" => Sound::Sit,
            "dial" | "dial-second" | "dial-special" | "dial-recall" => Sound::Dial,
            "call-waiting" | "waiting" => Sound::CallWaiting,
            _ => return None,
        })
    }
}

/// The tones of one country or territory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zone {
    /// ISO 3166, lower case; `us-old` and `yu` are historical.
    pub key: &'static str,
    /// In English.
    pub name: &'static str,
    /// Every row and every variant.
    pub tones: &'static [Tone],
}

impl Zone {
    /// The zone of a key such as `cn`.
    pub fn by_key(key: &str) -> Option<&'static Self> {
        Self::all().iter().find(|zone| zone.key == key)
    }
    /// Every zone, in the order of the file.
    pub fn all() -> &'static [Self] {
        &ZONES
    }
    /// The tone to generate under `name`: the best supported value.
    pub fn tone(&self, name: &str) -> Option<ToneSpec> {
        self.tones.iter().find(|tone| tone.name == name && !tone.is_variant).map(|tone| tone.spec)
    }
}

/// Why a line of a plan cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// A step that is no `HZ[+HZ]…[*AM][~DB][/MS]`.
    Step,
    /// No step at all, or more than [`STEPS_MAX`].
    Steps,
    /// `@N` names no step of this tone.
    Loop,
    /// A tone before the first zone.
    NoZone,
}

impl core::fmt::Display for PlanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Step => "a step reads HZ[+HZ][|HZ]…[*AM][~DB][/MS], frequencies up to 4000 Hz",
            Self::Steps => "a tone has 1 to 64 steps",
            Self::Loop => "@N must name a step of the tone, counted from 0",
            Self::NoZone => "a tone stands before the first zone",
        })
    }
}

impl core::error::Error for PlanError {}

/// Reads the steps of a tone in the plan's notation, e.g. `450/350 0/350` or `440+480/2000 0/4000`.
///
/// The first value has the frequencies before any `|`; each further one takes the next alternative of
/// every step that has it. The steps are leaked: call this once a tone, at start.
///
/// # Errors
/// When the text is not in the notation.
pub fn tone_steps(text: &str) -> Result<Vec<ToneSpec>, PlanError> {
    let mut rows: Vec<Vec<Step>> = Vec::new();
    let mut repeat = Repeat::From(0);
    for word in text.split_whitespace() {
        if word == "once" {
            repeat = Repeat::Once;
        } else if let Some(from) = word.strip_prefix('@') {
            repeat = Repeat::From(from.parse().map_err(|_| PlanError::Loop)?);
        } else if word != "any" && !word.starts_with('x') {
            rows.push(step_variants(word)?);
        }
    }
    if rows.is_empty() || rows.len() > STEPS_MAX {
        return Err(PlanError::Steps);
    }
    if matches!(repeat, Repeat::From(at) if usize::from(at) >= rows.len()) {
        return Err(PlanError::Loop);
    }
    let variants = rows.iter().map(Vec::len).max().unwrap_or(1).min(VARIANTS_MAX);
    let spec = |variant: usize| {
        let steps: Vec<Step> = rows
            .iter()
            .filter_map(|row| row.get(variant).or_else(|| row.last()).copied())
            .collect();
        ToneSpec { steps: Vec::leak(steps), repeat, level_dbm0: TONE_LEVEL_DBM0 }
    };
    Ok((0..variants).map(spec).collect())
}

fn step_variants(word: &str) -> Result<Vec<Step>, PlanError> {
    let (word, millis) = match word.split_once('/') {
        Some((sound, millis)) => (sound, Some(millis.parse().map_err(|_| PlanError::Step)?)),
        None => (word, None),
    };
    let number = |text: &str| match text.parse::<f32>() {
        Ok(value) if (0.0..=16_000.0).contains(&value) => Ok(value),
        _ => Err(PlanError::Step),
    };
    let (word, quieter_db) = match word.split_once('~') {
        Some((sound, db)) => (sound, db.parse::<f32>().map_err(|_| PlanError::Step)?.abs()),
        None => (word, 0.0),
    };
    let (word, am_hz) = match word.split_once('*') {
        Some((sound, am)) => (sound, number(am)?),
        None => (word, 0.0),
    };
    let variant = |text: &str| {
        let mut hz = [0.0; TONE_PARTIALS_MAX];
        if text.split('+').count() > hz.len() {
            return Err(PlanError::Step);
        }
        for (slot, text) in hz.iter_mut().zip(text.split('+')) {
            *slot = number(text)?;
        }
        Ok(Step { hz, am_hz, quieter_db, millis })
    };
    word.split('|').map(variant).collect()
}

static ZONES: LazyLock<Vec<Zone>> = LazyLock::new(|| {
    // The text is compiled in and a test reads every line of it, so nothing can go wrong at start.
    read_plan(include_str!("zones/plan.txt")).unwrap_or_default()
});

/// Reads a whole plan.
fn read_plan(text: &'static str) -> Result<Vec<Zone>, (usize, PlanError)> {
    let mut zones: Vec<(&str, &str, Vec<Tone>)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(heading) = line.strip_prefix("= ") {
            let (key, name) = heading.split_once(' ').unwrap_or((heading, heading));
            zones.push((key, name, Vec::new()));
            continue;
        }
        let (name, steps) = line.split_once(' ').ok_or((number, PlanError::Steps))?;
        let (_, _, tones) = zones.last_mut().ok_or((number, PlanError::NoZone))?;
        let support = line.rsplit_once(" x").and_then(|(_, n)| n.parse().ok()).unwrap_or(1);
        for (variant, spec) in
            tone_steps(steps).map_err(|why| (number, why))?.into_iter().enumerate()
        {
            tones.push(Tone { name, spec, support, is_variant: variant > 0 });
        }
    }
    Ok(zones
        .into_iter()
        .map(|(key, name, tones)| Zone { key, name, tones: Vec::leak(tones) })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_plan_can_be_read() {
        let zones = read_plan(include_str!("zones/plan.txt")).unwrap();
        assert_eq!(zones.len(), 175);
        assert_eq!(zones.iter().flat_map(|z| z.tones).filter(|t| !t.is_variant).count(), 1590);
        let mut keys: Vec<_> = zones.iter().map(|z| z.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 175);
    }

    /// GB/T 3380: ring-back 1 s on, 4 s off; busy 0.35 s; congestion 0.7 s; all 450 Hz.
    #[test]
    fn china_has_the_tones_its_standard_asks_for() {
        let cn = Zone::by_key("cn").unwrap();
        let cadence = |name| {
            let tone = cn.tone(name).unwrap();
            assert!(tone.steps.iter().all(|s| s.is_silence() || s.hz == [450.0, 0.0, 0.0]));
            tone.steps.iter().map(|s| s.millis).collect::<Vec<_>>()
        };
        assert_eq!(cadence("ringback"), [Some(1000), Some(4000)]);
        assert_eq!(cadence("busy"), [Some(350); 2]);
        assert_eq!(cadence("congestion"), [Some(700); 2]);
        assert_eq!(cadence("dial"), [None]);
        assert_eq!(cadence("unobtainable"), [100, 100, 100, 100, 100, 100, 400, 400].map(Some));
        assert!(cn.tone("sit").is_none());
    }

    #[test]
    fn alternatives_modulation_and_loops_are_read() {
        let both = tone_steps("400+450|425/400 0/200 @1").unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!(both[1].steps[0].hz, [425.0, 0.0, 0.0]);
        assert_eq!(both[1].steps[1], both[0].steps[1]);
        assert_eq!(both[0].repeat, Repeat::From(1));
        let am = tone_steps("425*25~6").unwrap()[0].steps[0];
        assert_eq!((am.am_hz, am.quieter_db, am.millis), (25.0, 6.0, None));
    }

    #[test]
    fn what_is_no_tone_is_refused_with_its_reason() {
        for text in ["x", "4e9", "-1", "1+2+3+4", "400/x", "400/-1", "400/1/2", "NaN", "+", "|"] {
            let got = tone_steps(text);
            assert!(matches!(got, Err(PlanError::Step | PlanError::Steps)), "{text}: {got:?}");
        }
        assert_eq!(tone_steps(""), Err(PlanError::Steps));
        assert_eq!(tone_steps(&"400 ".repeat(65)), Err(PlanError::Steps));
        assert_eq!(tone_steps("400/100 @1"), Err(PlanError::Loop));
    }
}
