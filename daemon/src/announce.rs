//! `trunkline announce`: which announcements of networks are known, and whether a recording is one of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use call::Meaning;
use clap::{Args, Subcommand};
use dsp::ears::{EarsSettings, Heard, Listen};
use tdm::Law;

use crate::analyze::{audio, hear_alone};
use crate::announcements::{self, Known};
use crate::cli::Place;
use crate::output::say;

/// What `announce` is asked for.
#[derive(Args, Debug)]
pub struct AnnounceArgs {
    /// The files.
    #[command(flatten)]
    pub place: Place,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What can be done with announcements.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Makes a recording known, from the next start of the call server on.
    Add {
        /// 8 kHz: WAV (16-bit PCM, A-law, µ-law; of two channels the left), `.al` or `.ul`. Nothing but the
        /// announcement, once.
        file: PathBuf,
        /// vacant, off, suspended, unreachable, busy or limit.
        #[arg(long)]
        means: Meaning,
        /// Its name; the file's when absent.
        #[arg(long)]
        name: Option<String>,
    },
    /// The announcements that are known.
    List {
        /// One JSON object a line instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Forgets one, from the next start of the call server on.
    Remove {
        /// Its name.
        name: String,
    },
    /// Which announcement a recording of early media is known to be, and when. Fails when it is none.
    Test {
        /// As for `add`.
        file: PathBuf,
    },
}

/// Runs `announce`.
///
/// # Errors
/// What cannot be done, in words.
pub fn run(args: &AnnounceArgs) -> Result<()> {
    let folder = folder(&args.place)?;
    match &args.verb {
        Verb::Add { file, means, name } => {
            let added = announcements::add(&folder, file, *means, name.as_deref())?;
            say!("{} means {}: {}", added.name, added.means, added.path.display())?;
            say!("the call server knows it from its next start on")?;
        }
        Verb::List { json } => list(&folder, *json)?,
        Verb::Remove { name } => {
            let removed = announcements::remove(&folder, name)?;
            say!("{} is forgotten from the next start of the call server on", removed.name)?;
        }
        Verb::Test { file } => {
            let known = load(&folder)?;
            let octets = audio::read(file, Law::A).with_context(|| file.display().to_string())?;
            let Some((millis, which)) = recognised(&known, &octets).first().copied() else {
                bail!("{}: none of {} announcements", file.display(), known.len());
            };
            let which = known.get(usize::from(which)).context("no such print")?;
            let (name, means) = (&which.announcement.name, which.announcement.means);
            say!("{name}, which means {means}, after {:.1} s", millis as f64 / 1000.0)?;
        }
    }
    Ok(())
}

/// The folder of announcements: the configuration's, where there is one.
fn folder(place: &Place) -> Result<PathBuf> {
    if place.config.is_none() && !place.config_path().exists() {
        return Ok(place.paths().at(announcements::FOLDER));
    }
    Ok(place.announcement_folder(&place.load()?))
}

fn load(folder: &Path) -> Result<Vec<Known>> {
    let (known, unread) = announcements::load(folder);
    for why in unread {
        crate::output::complain(format_args!("{why:#}"));
    }
    Ok(known)
}

fn list(folder: &Path, json: bool) -> Result<()> {
    for Known { announcement, millis, .. } in load(folder)? {
        let (name, means, path) =
            (&announcement.name, announcement.means, announcement.path.display());
        if json {
            let line = serde_json::json!({
                "name": name, "means": means, "millis": millis, "file": path.to_string(),
            });
            say!("{line}")?;
        } else {
            say!("{name:32} {:12} {:>6.1} s  {path}", means.word(), f64::from(millis) / 1000.0)?;
        }
    }
    Ok(())
}

/// Which announcements a recording is known to be, by the very ears of early media, and after how many milliseconds.
pub fn recognised(known: &[Known], octets: &[u8]) -> Vec<(u64, u16)> {
    let settings = EarsSettings {
        law: Law::A,
        prints: announcements::index(known),
        ..EarsSettings::default()
    };
    let listen = Listen { progress: true, prints: true, ..Listen::default() };
    let mut found = Vec::new();
    hear_alone(octets, settings, listen, &mut |hearing| {
        if let Heard::Print(print) = hearing.heard {
            found.push((hearing.at.as_millis(), print));
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use dsp::g711;

    /// Every prompt of the program that is long enough, from its middle, softer, in the noise of a bad line.
    #[test]
    fn recorded_announcements_are_known_again_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = tdm::Rng::from_seed(7);
        let mut heard = Vec::new();
        for language in crate::prompts::LANGUAGES {
            for (name, samples) in crate::prompts::load(None, language).unwrap() {
                // Two of them end with the same sentence.
                if samples.len() < 8 * 2600 || matches!(name.as_str(), "music" | "announce") {
                    continue;
                }
                let name = format!("{language}_{name}");
                let file = folder.path().join(format!("{name}.al"));
                let octets: Vec<u8> = samples.iter().map(|&x| g711::encode(Law::A, x)).collect();
                std::fs::write(&file, octets).unwrap();
                // Every third stays unknown.
                if heard.len() % 3 < 2 {
                    announcements::add(folder.path(), &file, Meaning::Off, None).unwrap();
                }
                let from = rng.below((samples.len() - 8 * 2500) as u64) as usize;
                let line: Vec<u8> = samples[from..]
                    .iter()
                    .map(|&x| g711::encode(Law::A, x / 8 + rng.below(180) as i16 - 90))
                    .collect();
                heard.push((name, line));
            }
        }
        assert!(heard.len() >= 8, "{}", heard.len());
        let (known, _) = announcements::load(folder.path());
        for (n, (name, line)) in heard.iter().enumerate() {
            let named: Vec<(u64, &str)> = recognised(&known, line)
                .iter()
                .map(|&(at, n)| (at, known[usize::from(n)].announcement.name.as_str()))
                .collect();
            if n % 3 < 2 {
                assert!(matches!(named[..], [(..=2500, is)] if is == name), "{name}: {named:?}");
            } else {
                assert!(named.is_empty(), "{name}: {named:?}");
            }
        }
    }
}
