//! Prompts and tones by name, turned into scores.

use std::collections::HashMap;

use call::{PlayItem, Refusal, RefusalCode};
use dsp::pipeline::{PIECES_MAX, Piece, PromptId, Score, ToneId};

use crate::{MediaSettings, SettingsError};

/// A tone without an end is played in pieces of this length, one after the other.
const ENDLESS_MILLIS: u32 = 3_600_000;

/// What can be played, by name.
#[derive(Debug)]
pub(crate) struct Names {
    prompts: HashMap<String, PromptId>,
    tones: HashMap<String, ToneId>,
    digit_prefix: String,
    ringback: ToneId,
    beep: Piece,
    music: Option<Piece>,
    announcement: Option<PromptId>,
    safe_harbour: Option<PromptId>,
}

fn score(pieces: &[Piece], repeat: bool, stop_on_dtmf: bool) -> Option<Score> {
    Score::new(pieces, repeat, stop_on_dtmf)
}

impl Names {
    /// # Errors
    /// A tone that must be there is not.
    pub(crate) fn new(settings: &MediaSettings) -> Result<Self, SettingsError> {
        let prompts: HashMap<_, _> = settings
            .prompts
            .iter()
            .zip(0..=u16::MAX)
            .map(|(name, id)| (name.clone(), PromptId(id)))
            .collect();
        let tones: HashMap<_, _> = settings.tones.iter().cloned().collect();
        let prompt = |name: &Option<String>| name.as_ref().and_then(|n| prompts.get(n)).copied();
        let ringback =
            *tones.get("ringback").ok_or(SettingsError::NoSuchTone { tone: "ringback" })?;
        let tone = |name: &str, millis| tones.get(name).map(|&tone| Piece::Tone { tone, millis });
        let beep = tone("beep", settings.timing.beep_millis)
            .or_else(|| prompts.get("beep").copied().map(Piece::Prompt))
            .ok_or(SettingsError::NoSuchTone { tone: "beep" })?;
        let music = prompt(&settings.music)
            .map(Piece::Prompt)
            .or_else(|| tone(settings.music.as_ref()?, ENDLESS_MILLIS));
        let announcement = prompt(&settings.announcement);
        let safe_harbour = prompt(&settings.safe_harbour);
        let digit_prefix = settings.digit_prefix.clone();
        Ok(Self { prompts, tones, digit_prefix, ringback, beep, music, announcement, safe_harbour })
    }
    pub(crate) fn prompt(&self, name: &str) -> Option<PromptId> {
        self.prompts.get(name).copied()
    }
    /// Our ring-back, until stopped.
    pub(crate) fn ringback(&self) -> Option<Score> {
        score(&[Piece::Tone { tone: self.ringback, millis: ENDLESS_MILLIS }], true, false)
    }
    /// The beep before a conversation.
    pub(crate) fn beep(&self) -> Option<Score> {
        score(&[self.beep], false, false)
    }
    /// Music until stopped; `None`: silence.
    pub(crate) fn music(&self) -> Option<Score> {
        score(&[self.music?], true, false)
    }
    /// The announcement until stopped; `None`: silence.
    pub(crate) fn announcement(&self) -> Option<Score> {
        let pause = Piece::Silence { millis: 2000 };
        score(&[Piece::Prompt(self.announcement?), pause], true, false)
    }
    /// The announcement once.
    pub(crate) fn announcement_once(&self) -> Option<Score> {
        score(&[Piece::Prompt(self.announcement?)], false, false)
    }
    /// The safe-harbour prompt of the settings, once.
    pub(crate) fn safe_harbour(&self) -> Option<Score> {
        score(&[Piece::Prompt(self.safe_harbour?)], false, false)
    }
    /// A prompt once.
    pub(crate) fn once(&self, name: &str) -> Option<Score> {
        score(&[Piece::Prompt(self.prompt(name)?)], false, false)
    }

    /// A play as a controller asks for it.
    ///
    /// # Errors
    /// Nothing to play, too much, or a name that does not exist.
    pub(crate) fn play(
        &self,
        items: &[PlayItem],
        repeat: bool,
        stop_on_dtmf: bool,
        timer_millis: u32,
    ) -> Result<Score, Refusal> {
        let mut pieces = Vec::with_capacity(PIECES_MAX);
        for item in items {
            match item {
                PlayItem::Prompt(name) => pieces.push(Piece::Prompt(self.known_prompt(name)?)),
                PlayItem::Digits(digits) => {
                    for digit in digits.chars() {
                        pieces.push(Piece::Prompt(self.digit(digit)?));
                    }
                }
                PlayItem::Tone { name, millis } => {
                    let tone = *self.tones.get(name).ok_or_else(|| {
                        bad_value("items", format!("the zone has no tone named {name}"))
                    })?;
                    pieces.push(Piece::Tone { tone, millis: at_most(*millis, timer_millis)? });
                }
                PlayItem::Silence { millis } => {
                    pieces.push(Piece::Silence { millis: at_most(*millis, timer_millis)? });
                }
            }
            if pieces.len() > PIECES_MAX {
                return Err(limit(
                    "items",
                    PIECES_MAX as u64,
                    format!("a play has at most {PIECES_MAX} pieces; a digit is one"),
                ));
            }
        }
        let sounds = |piece: &Piece| {
            !matches!(piece, Piece::Tone { millis: 0, .. } | Piece::Silence { millis: 0 })
        };
        if !pieces.iter().any(sounds) {
            return Err(bad_value("items", String::from("there is nothing to play")));
        }
        score(&pieces, repeat, stop_on_dtmf)
            .ok_or_else(|| limit("items", PIECES_MAX as u64, String::from("too many pieces")))
    }

    fn known_prompt(&self, name: &str) -> Result<PromptId, Refusal> {
        self.prompt(name)
            .ok_or_else(|| bad_value("items", format!("there is no prompt named {name}")))
    }

    fn digit(&self, digit: char) -> Result<PromptId, Refusal> {
        let name = match digit {
            '0'..='9' => format!("{}{digit}", self.digit_prefix),
            '*' => format!("{}star", self.digit_prefix),
            '#' => format!("{}pound", self.digit_prefix),
            _ => return Err(bad_value("items", String::from("digits are 0 to 9, * and #"))),
        };
        self.known_prompt(&name)
    }
}

fn at_most(millis: u32, limit_millis: u32) -> Result<u32, Refusal> {
    if millis <= limit_millis {
        return Ok(millis);
    }
    let what = format!("at most {limit_millis} ms");
    Err(limit("millis", u64::from(limit_millis), what))
}

/// A parameter has no sensible meaning.
pub(crate) fn bad_value(field: &str, message: String) -> Refusal {
    let mut refusal = Refusal::new(RefusalCode::BadValue, field, message);
    refusal.field = Some(String::from(field));
    refusal
}

/// A limit was hit; `what` names it.
pub(crate) fn limit(what: &str, limit: u64, message: String) -> Refusal {
    let mut refusal = Refusal::new(RefusalCode::Limit, what, message);
    refusal.limit = Some(limit);
    refusal
}
