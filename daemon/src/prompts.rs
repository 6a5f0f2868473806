//! Prompts: those inside the program, and the WAV files of a folder that replace or join them.
//!
//! Inside are `prompts/en` and `prompts/zh` of the source (see `prompts/ORIGIN.md`). In a folder, `NAME.wav` is for
//! every language and `LANGUAGE/NAME.wav` for one; the latter wins.

pub mod wav;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wav::WavError;

/// Octets a prompt file may have: ten minutes of 16-bit samples.
const FILE_OCTETS_MAX: u64 = 10 * 60 * 16_000 + 4096;
/// Prompts there may be: the pipeline numbers them with 16 bits; this is what fits a host's memory.
const PROMPTS_MAX: usize = 4096;
/// Octets of a name.
const NAME_OCTETS_MAX: usize = 64;

/// Languages there are prompts for inside the program.
pub const LANGUAGES: [&str; 2] = ["en", "zh"];

/// Why prompts could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// No prompts in this language inside the program.
    #[error("there are no prompts in `{language}`; there are prompts in `en` and `zh`")]
    Language {
        /// As asked for.
        language: String,
    },
    /// The folder or a file in it cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no prompt.
    #[error("{}: {source}", path.display())]
    Wav {
        /// Which.
        path: PathBuf,
        /// Why.
        source: WavError,
    },
    /// A file has a name a configuration could not say.
    #[error("{}: a prompt's name has 1 to 64 letters, digits, `_` or `-`", path.display())]
    Name {
        /// Which.
        path: PathBuf,
    },
    /// A file is too long.
    #[error("{}: {octets} octets; a prompt has at most {FILE_OCTETS_MAX}", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
        /// How long it is.
        octets: u64,
    },
    /// Too many.
    #[error("{}: more than {PROMPTS_MAX} prompts", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

macro_rules! prompts {
    ($language:literal: $($name:literal)+) => {
        &[$(($name, include_bytes!(concat!("../prompts/", $language, "/", $name, ".wav")))),+]
    };
}
macro_rules! of_language {
    ($language:literal) => {
        prompts!($language:
            "all_busy" "announce" "beep" "digit_0" "digit_1" "digit_2" "digit_3" "digit_4" "digit_5" "digit_6"
            "digit_7" "digit_8" "digit_9" "digit_pound" "digit_star" "goodbye" "menu" "music" "orphan" "position"
            "promise_callback" "queue_wait" "safe_harbour" "served_info" "transfer" "welcome")
    };
}
static ENGLISH: &[(&str, &[u8])] = of_language!("en");
static CHINESE: &[(&str, &[u8])] = of_language!("zh");

fn embedded(language: &str) -> Result<&'static [(&'static str, &'static [u8])], PromptError> {
    match language {
        "en" => Ok(ENGLISH),
        "zh" => Ok(CHINESE),
        _ => Err(PromptError::Language { language: language.to_owned() }),
    }
}

/// The prompts of a language by name, in alphabetical order, as 16-bit samples at 8 kHz: those inside the
/// program, replaced and joined by the WAV files of `folder`.
///
/// # Errors
/// Names the file that cannot be used; nothing is loaded then.
pub fn load(folder: Option<&Path>, language: &str) -> Result<Vec<(String, Vec<i16>)>, PromptError> {
    let mut prompts = BTreeMap::new();
    for &(name, file) in embedded(language)? {
        let samples = wav::read(file).map_err(|source| PromptError::Wav {
            path: PathBuf::from(language).join(format!("{name}.wav")),
            source,
        })?;
        prompts.insert(name.to_owned(), samples);
    }
    for (name, path) in files(folder, language)? {
        let len = std::fs::metadata(&path).map_err(|source| unreadable(&path, source))?.len();
        if len > FILE_OCTETS_MAX {
            return Err(PromptError::TooLong { path, octets: len });
        }
        let file = std::fs::read(&path).map_err(|source| unreadable(&path, source))?;
        let samples = wav::read(&file).map_err(|source| PromptError::Wav { path, source })?;
        prompts.insert(name, samples);
    }
    match folder {
        Some(folder) if prompts.len() > PROMPTS_MAX => {
            Err(PromptError::TooMany { path: folder.to_owned() })
        }
        _ => Ok(prompts.into_iter().collect()),
    }
}

/// The names [`load`] would give, without decoding anything: for checking a configuration.
///
/// # Errors
/// As [`load`], as far as names and folders go.
pub fn names(folder: Option<&Path>, language: &str) -> Result<BTreeSet<String>, PromptError> {
    let inside = embedded(language)?.iter().map(|&(name, _)| name.to_owned());
    Ok(inside.chain(files(folder, language)?.into_keys()).collect())
}

fn unreadable(path: &Path, source: std::io::Error) -> PromptError {
    PromptError::Unreadable { path: path.to_owned(), source }
}

/// The WAV files of a folder by prompt name; those of the language's own folder win.
fn files(folder: Option<&Path>, language: &str) -> Result<BTreeMap<String, PathBuf>, PromptError> {
    let mut found = BTreeMap::new();
    let Some(folder) = folder else { return Ok(found) };
    collect(folder, &mut found)?;
    let of_language = folder.join(language);
    if of_language.is_dir() {
        collect(&of_language, &mut found)?;
    }
    Ok(found)
}

fn collect(folder: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<(), PromptError> {
    let entries = std::fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
    for entry in entries {
        let path = entry.map_err(|source| unreadable(folder, source))?.path();
        if path.extension().is_none_or(|extension| extension != "wav") || !path.is_file() {
            continue;
        }
        let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| is_name(name));
        let Some(name) = name.map(str::to_owned) else {
            return Err(PromptError::Name { path });
        };
        found.insert(name, path);
    }
    Ok(())
}

/// Whether a file, a prompt's or an announcement's, may have this name without its ending.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_OCTETS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_prompts_and_short_ones_where_callers_wait() {
        let [english, chinese] = LANGUAGES.map(|language| load(None, language).expect(language));
        let names = |prompts: &[(String, Vec<i16>)]| -> Vec<String> {
            prompts.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&english), names(&chinese));
        for prompts in [&english, &chinese] {
            for (name, samples) in prompts.iter() {
                let millis = samples.len() / 8;
                let most = match name.as_str() {
                    "welcome" | "menu" => 2600,
                    name if name.starts_with("digit_") => 700,
                    "beep" => 250,
                    _ => 10_000,
                };
                assert!((100..=most).contains(&millis), "{name}: {millis} ms");
                let peak = samples.iter().map(|s| s.unsigned_abs()).max();
                assert!(peak > Some(4000), "{name} is silent");
            }
        }
    }

    #[test]
    fn a_file_of_the_same_name_replaces_and_another_name_joins() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, file: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, file).expect("a file");
        };
        let beep = ENGLISH.iter().find(|(name, _)| *name == "beep").expect("a beep").1;
        write("welcome.wav", beep);
        write("summer_sale.wav", beep);
        write("zh/welcome.wav", CHINESE[0].1);
        write("notes.txt", b"not a prompt");
        let of = |language: &str| load(Some(folder.path()), language).expect(language);
        let get = |prompts: &[(String, Vec<i16>)], wanted: &str| {
            prompts.iter().find(|(name, _)| name == wanted).map(|(_, samples)| samples.len())
        };
        let beeps = get(&of("en"), "beep");
        assert_eq!(get(&of("en"), "welcome"), beeps);
        assert_eq!(get(&of("zh"), "summer_sale"), beeps);
        assert_ne!(get(&of("zh"), "welcome"), beeps);
        let names = names(Some(folder.path()), "en").expect("names");
        assert_eq!(names.len(), of("en").len());

        write("bad.wav", b"RIFF");
        let error = load(Some(folder.path()), "en").expect_err("no WAV").to_string();
        assert!(error.contains("bad.wav"), "{error}");
    }

    #[test]
    fn what_cannot_be_loaded_is_named() {
        let error = load(None, "fr").expect_err("no French").to_string();
        assert!(error.contains("`fr`"), "{error}");
        let nowhere = Path::new("/nowhere/at/all");
        let error = load(Some(nowhere), "en").expect_err("no folder").to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("two words.wav"), b"").expect("a file");
        let error = load(Some(folder.path()), "en").expect_err("a bad name").to_string();
        assert!(error.contains("two words.wav"), "{error}");
    }
}
