//! What can be played, ready in both laws: prompts, and one turn of every tone's cadence.
//!
//! All of it is coded once at start and shared read-only, so that playing is copying.

use std::collections::HashMap;

use tdm::Law;

use super::{PromptId, ToneId};
use crate::g711;
use crate::generate::{DtmfSource, Repeat, ToneSource, ToneSpec};
use crate::mf::{Mf, SIGNALS};

/// Prompts and tones a library may hold.
pub const ENTRIES_MAX: usize = 4096;

/// The same sound in both laws.
struct Entry {
    a: Box<[u8]>,
    mu: Box<[u8]>,
}

impl Entry {
    fn new(samples: &[i16]) -> Self {
        let code = |law| samples.iter().map(|&s| g711::encode(law, s)).collect();
        Self { a: code(Law::A), mu: code(Law::Mu) }
    }

    fn octets(&self, law: Law) -> &[u8] {
        match law {
            Law::A => &self.a,
            Law::Mu => &self.mu,
        }
    }
}

/// A tone up to the end of its first turn.
struct ToneEntry {
    sound: Entry,
    /// Where the next turn begins; `None`: there is none, silence follows.
    turn_from: Option<usize>,
}

impl ToneEntry {
    /// Plays `spec` once through. A step without end is one second long: whole hertz come round in it,
    /// so that it turns without a click.
    fn new(spec: ToneSpec) -> Self {
        const MILLIS_MAX: u32 = 60_000;
        let lengths = spec.steps.iter().map(|step| match step.millis {
            Some(millis) => millis.min(MILLIS_MAX) as usize * 8,
            None => 8000,
        });
        let starts: Vec<usize> = lengths
            .scan(0, |at, len| {
                *at += len;
                Some(*at)
            })
            .collect();
        let endless = spec.steps.iter().position(|step| step.millis.is_none());
        let last = endless.unwrap_or(spec.steps.len().saturating_sub(1));
        let begin_of = |step: usize| step.checked_sub(1).map_or(0, |before| starts[before]);
        let turn_from = match (endless, spec.repeat) {
            (Some(step), _) => Some(begin_of(step)),
            (None, Repeat::From(step)) => Some(begin_of(usize::from(step).min(last))),
            (None, Repeat::Once) => None,
        };
        let mut source = ToneSource::new(spec);
        let samples: Vec<i16> = (0..starts.get(last).copied().unwrap_or(0))
            .map(|_| (source.next_sample() * f32::from(i16::MAX)) as i16)
            .collect();
        Self { sound: Entry::new(&samples), turn_from }
    }

    /// The octet `at` samples after the start; `None` when the tone is over.
    fn octet(&self, law: Law, at: usize) -> Option<u8> {
        let octets = self.sound.octets(law);
        let from = match self.turn_from {
            Some(from) if at >= octets.len() => from.saturating_add(
                at.saturating_sub(from).checked_rem(octets.len().checked_sub(from)?)?,
            ),
            _ => at,
        };
        octets.get(from).copied()
    }
}

/// A library could not be built.
#[derive(Debug, PartialEq, Eq)]
pub enum LibraryError {
    /// More than [`ENTRIES_MAX`] of a kind.
    TooMany,
    /// A prompt or tone without a sample.
    Empty(String),
    /// Two of one name.
    Twice(String),
}

impl core::fmt::Display for LibraryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooMany => write!(f, "more than {ENTRIES_MAX} prompts or tones"),
            Self::Empty(name) => write!(f, "{name:?} has no sample"),
            Self::Twice(name) => write!(f, "{name:?} is there twice"),
        }
    }
}

impl std::error::Error for LibraryError {}

/// All prompts and tones by index, with their names.
#[derive(Default)]
pub struct Library {
    prompts: Vec<Entry>,
    tones: Vec<ToneEntry>,
    /// The register signals of each system, from 1 on.
    signals: [Vec<Entry>; Mf::ALL.len()],
    prompt_names: HashMap<String, PromptId>,
    tone_names: HashMap<String, ToneId>,
}

impl Library {
    /// A library of named prompts, linear 16 bit at 8 kHz, and of named tones. The order gives the ids.
    ///
    /// # Errors
    /// When there are too many, or one is empty or there twice.
    pub fn new(
        prompts: &[(String, Vec<i16>)],
        tones: &[(String, ToneSpec)],
    ) -> Result<Self, LibraryError> {
        let mut library = Self::default();
        if prompts.len() > ENTRIES_MAX || tones.len() > ENTRIES_MAX {
            return Err(LibraryError::TooMany);
        }
        for (index, (name, samples)) in prompts.iter().enumerate() {
            if library.prompt_names.insert(name.clone(), PromptId(index as u16)).is_some() {
                return Err(LibraryError::Twice(name.clone()));
            }
            library.prompts.push(entry(name, samples)?);
        }
        for (index, (name, spec)) in tones.iter().enumerate() {
            if library.tone_names.insert(name.clone(), ToneId(index as u16)).is_some() {
                return Err(LibraryError::Twice(name.clone()));
            }
            let tone = ToneEntry::new(*spec);
            if tone.sound.a.is_empty() {
                return Err(LibraryError::Empty(name.clone()));
            }
            library.tones.push(tone);
        }
        library.signals =
            Mf::ALL.map(|mf| (1..=SIGNALS).filter_map(|number| signal(mf, number)).collect());
        Ok(library)
    }

    /// The prompt of this name.
    pub fn prompt(&self, name: &str) -> Option<PromptId> {
        self.prompt_names.get(name).copied()
    }

    /// The tone of this name.
    pub fn tone(&self, name: &str) -> Option<ToneId> {
        self.tone_names.get(name).copied()
    }

    /// The octets of a prompt; empty when there is none of this id.
    pub fn prompt_octets(&self, id: PromptId, law: Law) -> &[u8] {
        self.prompts.get(usize::from(id.0)).map_or(&[], |e| e.octets(law))
    }

    /// The octet of a tone `at` samples after its start; silence when it is over or there is none.
    pub fn tone_octet(&self, id: ToneId, law: Law, at: usize) -> u8 {
        self.tones.get(usize::from(id.0)).and_then(|t| t.octet(law, at)).unwrap_or(law.idle())
    }

    /// The octet of a register signal `at` samples after its start; silence where there is no such signal.
    pub fn signal_octet(&self, system: Mf, signal: u8, law: Law, at: usize) -> u8 {
        let index = usize::from(signal.wrapping_sub(1));
        let entry = self.signals.get(system as usize).and_then(|signals| signals.get(index));
        let octets = entry.map(|entry| entry.octets(law));
        let octet = octets.and_then(|octets| octets.get(at.checked_rem(octets.len())?));
        octet.copied().unwrap_or(law.idle())
    }
}

/// A register signal, as much of it as turns round: all tones are whole multiples of 20 Hz.
fn signal(system: Mf, number: u8) -> Option<Entry> {
    const TURN_MILLIS: u32 = 50;
    let mut source = DtmfSource::mf(system, number, TURN_MILLIS, 0, system.level_dbm0())?;
    let sample = |_| (source.next_sample() * f32::from(i16::MAX)) as i16;
    Some(Entry::new(&(0..TURN_MILLIS * 8).map(sample).collect::<Vec<_>>()))
}

fn entry(name: &str, samples: &[i16]) -> Result<Entry, LibraryError> {
    if samples.is_empty() {
        return Err(LibraryError::Empty(name.to_owned()));
    }
    Ok(Entry::new(samples))
}
