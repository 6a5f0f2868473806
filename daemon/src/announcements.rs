//! The announcements of networks that this site knows: a folder of recordings, one below it for each meaning.
//!
//! `FOLDER/vacant/NAME.wav` is an announcement that means *vacant*. The tree is all there is: what lies there is known
//! from the next start of the call server on, whoever put it there. It ships empty, because no recordings of carriers
//! with a clear licence exist; operators add theirs, out of recordings of calls that failed.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use call::Meaning;
use dsp::fingerprint::{Index, PRINTS_MAX, Print, SOUNDING_MIN_MILLIS};
use dsp::g711;
use tdm::Law;

use crate::analyze::{audio, only_tone};
use crate::prompts::is_name;

/// Where they lie, below the root, unless the configuration names another folder.
pub const FOLDER: &str = "/var/lib/trunkline/announcements";
/// What a name is.
const NAMES: &str = "an announcement's name has 1 to 64 letters, digits, `_` or `-`";
/// An announcement that is longer says nothing new.
const SECONDS_MAX: usize = 120;

/// A recording in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its name.
    pub name: String,
    /// What it says of a call.
    pub means: Meaning,
    /// Where it lies.
    pub path: PathBuf,
}

/// An announcement with its print.
#[derive(Clone, Debug)]
pub struct Known {
    /// Which.
    pub announcement: Announcement,
    /// What is kept of its sound.
    pub print: Print,
    /// How long it is.
    pub millis: u32,
}

/// The announcements in `folder`, by name, and what else lies there. None when there is no such folder. Nothing in it
/// keeps the rest from being known, or the call server from starting.
pub fn list(folder: &Path) -> (Vec<Announcement>, Vec<anyhow::Error>) {
    let (mut found, mut unread) = (BTreeMap::<String, Announcement>::new(), Vec::new());
    for means in Meaning::ALL {
        let of_meaning = folder.join(means.word());
        let entries = match std::fs::read_dir(&of_meaning) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                unread.push(anyhow::Error::new(error).context(of_meaning.display().to_string()));
                continue;
            }
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort_unstable();
        for path in paths {
            match announcement(&path, means, &found) {
                Ok(it) => drop(found.insert(it.name.clone(), it)),
                Err(why) => unread.push(why.context(path.display().to_string())),
            }
        }
    }
    (found.into_values().collect(), unread)
}

/// What lies at `path`, by its name alone.
fn announcement(
    path: &Path,
    means: Meaning,
    found: &BTreeMap<String, Announcement>,
) -> Result<Announcement> {
    ensure!(path.extension().is_some_and(|extension| extension == "wav"), "is no `.wav`");
    let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| is_name(name));
    let name = name.with_context(|| NAMES)?.to_owned();
    if let Some(other) = found.get(&name) {
        bail!("has the name of {}", other.path.display());
    }
    ensure!(found.len() < PRINTS_MAX, "is more than the {PRINTS_MAX} that can be known");
    Ok(Announcement { name, means, path: path.to_owned() })
}

/// Every announcement in `folder` that can be read, and why others cannot.
pub fn load(folder: &Path) -> (Vec<Known>, Vec<anyhow::Error>) {
    let (found, mut unread) = list(folder);
    let mut known = Vec::new();
    for announcement in found {
        let path = announcement.path.clone();
        match read(&path) {
            Ok((_, print, millis)) => known.push(Known { announcement, print, millis }),
            Err(why) => unread.push(why.context(path.display().to_string())),
        }
    }
    (known, unread)
}

/// The index of some announcements, by whose numbers the ears name them.
pub fn index(known: &[Known]) -> Arc<Index> {
    let prints: Vec<(Print, u8)> =
        known.iter().map(|k| (k.print.clone(), k.announcement.means as u8)).collect();
    Arc::new(Index::new(&prints))
}

/// Puts the recording `file` into `folder` under `name`, or the file's own.
///
/// # Errors
/// It is no recording of an announcement, or known already; nothing was changed then.
pub fn add(folder: &Path, file: &Path, means: Meaning, name: Option<&str>) -> Result<Announcement> {
    let own = file.file_stem().and_then(|stem| stem.to_str());
    let name = name.or(own).filter(|name| is_name(name));
    let Some(name) = name else { bail!("{NAMES}: say --name") };
    let (octets, print, _) = read(file).with_context(|| file.display().to_string())?;
    if let Some(tone) = only_tone(&octets, Law::A) {
        bail!("{}: is a tone, {tone}: tones are known without a recording", file.display());
    }
    let (known, _) = load(folder);
    ensure!(known.len() < PRINTS_MAX, "there are {PRINTS_MAX} announcements: that is the limit");
    if let Some(other) = known.iter().find(|k| k.announcement.name == name) {
        let means = other.announcement.means;
        bail!(
            "there is an announcement {name} already, which means {means}: take another --name, or remove it first"
        );
    }
    if let Some(other) = known.iter().find(|k| print.is_in(&k.print) || k.print.is_in(&print)) {
        let Announcement { name, means, .. } = &other.announcement;
        bail!("{}: is known already: it is {name}, which means {means}", file.display());
    }
    let path = folder.join(means.word()).join(format!("{name}.wav"));
    keep(&path, &octets).with_context(|| path.display().to_string())?;
    Ok(Announcement { name: name.to_owned(), means, path })
}

/// Takes an announcement out of `folder`.
///
/// # Errors
/// There is none of this name, or its file cannot be removed.
pub fn remove(folder: &Path, name: &str) -> Result<Announcement> {
    let found = list(folder).0.into_iter().find(|announcement| announcement.name == name);
    let found = found.with_context(|| format!("there is no announcement {name}"))?;
    std::fs::remove_file(&found.path).with_context(|| found.path.display().to_string())?;
    Ok(found)
}

/// A-law octets, print and length of a recording.
fn read(path: &Path) -> Result<(Vec<u8>, Print, u32)> {
    let octets = audio::read(path, Law::A)?;
    ensure!(
        octets.len() <= SECONDS_MAX * 8000,
        "is longer than {SECONDS_MAX} s: cut out the announcement"
    );
    let samples: Vec<f32> =
        octets.iter().map(|&octet| f32::from(g711::decode(Law::A, octet)) / 32_768.0).collect();
    let print = Print::of(&samples);
    let sounding = print.sounding_millis();
    ensure!(
        sounding >= SOUNDING_MIN_MILLIS,
        "only {:.1} s of it sound: to be known again it needs {:.1} s",
        f64::from(sounding) / 1000.0,
        f64::from(SOUNDING_MIN_MILLIS) / 1000.0
    );
    Ok((octets, print, u32::try_from(samples.len() / 8).unwrap_or(u32::MAX)))
}

/// Writes an A-law WAV that is there as a whole or not at all. What `root` makes belongs to whom the folder above
/// belongs to: the call server shall read it.
fn keep(path: &Path, octets: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let missing: Vec<&Path> = folder.ancestors().take_while(|it| !it.exists()).collect();
    let above = missing.last().map_or(Some(folder), |it| it.parent());
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
    let owner = above.and_then(|above| std::fs::metadata(above).ok());
    let hand_over = |it: &Path| match &owner {
        Some(owner) if nix::unistd::geteuid().is_root() => {
            std::os::unix::fs::chown(it, Some(owner.uid()), Some(owner.gid()))
        }
        _ => Ok(()),
    };
    missing.iter().try_for_each(|made| hand_over(made))?;
    let unfinished = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o640)
        .open(&unfinished)?;
    let len = u32::try_from(octets.len()).context("is too long")?;
    let mut head = b"RIFF".to_vec();
    head.extend(len.saturating_add(38).to_le_bytes());
    head.extend(b"WAVEfmt ");
    head.extend(18_u32.to_le_bytes());
    // A-law, one channel, 8000 samples and octets a second, an octet each, no more of the format. RFC 2361.
    for word in [6_u16, 1, 8000, 0, 8000, 0, 1, 8, 0] {
        head.extend(word.to_le_bytes());
    }
    head.extend(b"data");
    head.extend(len.to_le_bytes());
    file.write_all(&head)?;
    file.write_all(octets)?;
    file.sync_all()?;
    hand_over(&unfinished)?;
    std::fs::rename(&unfinished, path)?;
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prompt of the program, which is a recording of speech.
    fn prompt(folder: &Path, name: &str) -> PathBuf {
        let (_, samples) = crate::prompts::load(None, "en")
            .unwrap()
            .into_iter()
            .find(|(prompt, _)| prompt == name)
            .unwrap();
        let octets: Vec<u8> = samples.iter().map(|&x| g711::encode(Law::A, x)).collect();
        let path = folder.join(format!("{name}.wav"));
        keep(&path, &octets).unwrap();
        path
    }

    #[test]
    fn an_announcement_is_there_after_a_restart_and_gone_when_it_was_removed() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("library");
        assert!(list(&library).0.is_empty(), "it ships empty");
        let (orphan, busy) = (prompt(folder.path(), "orphan"), prompt(folder.path(), "all_busy"));
        let added = add(&library, &orphan, Meaning::Vacant, Some("no_such_number")).unwrap();
        add(&library, &busy, Meaning::Busy, None).unwrap();
        assert_eq!(added.path, library.join("vacant/no_such_number.wav"));
        let names = |found: &[Announcement]| -> Vec<(String, Meaning)> {
            found.iter().map(|a| (a.name.clone(), a.means)).collect()
        };
        let both = [("all_busy".into(), Meaning::Busy), ("no_such_number".into(), Meaning::Vacant)];
        assert_eq!(names(&list(&library).0), both);
        let (known, unread) = load(&library);
        assert!(unread.is_empty() && known.iter().all(|k| k.millis > 1500));
        assert_eq!(index(&known).len(), 2);
        remove(&library, "all_busy").unwrap();
        assert_eq!(names(&list(&library).0), both[1..]);
        assert!(remove(&library, "all_busy").unwrap_err().to_string().contains("all_busy"));
    }

    #[test]
    fn what_cannot_be_an_announcement_is_refused_in_words_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("library");
        let orphan = prompt(folder.path(), "orphan");
        add(&library, &orphan, Meaning::Vacant, None).unwrap();
        let refused = |file: &Path, name: Option<&str>| {
            let why = add(&library, file, Meaning::Off, name).unwrap_err();
            assert_eq!(list(&library).0.len(), 1, "{why:#}");
            format!("{why:#}")
        };
        let other = prompt(folder.path(), "all_busy");
        assert!(refused(&other, Some("orphan")).contains("an announcement orphan already"));
        assert!(refused(&other, Some("a b")).contains("letters"));
        // The same recording again, softer and cut off in front.
        let octets = audio::read(&orphan, Law::A).unwrap();
        let softer: Vec<u8> = octets[4000..]
            .iter()
            .map(|&o| g711::encode(Law::A, g711::decode(Law::A, o) / 3))
            .collect();
        let again = folder.path().join("again.wav");
        keep(&again, &softer).unwrap();
        assert!(refused(&again, None).contains("it is orphan, which means vacant"));
        // Too short, a tone, no WAV, not there.
        let short = prompt(folder.path(), "digit_1");
        assert!(refused(&short, None).contains("to be known again it needs 1.5 s"));
        let tone: Vec<u8> = (0..48_000)
            .map(|n| {
                let on = n / 2800 % 2 == 0;
                let x = (f64::from(n) * 450.0 / 8000.0 * std::f64::consts::TAU).sin() * 6000.0;
                g711::encode(Law::A, if on { x as i16 } else { 0 })
            })
            .collect();
        let busy = folder.path().join("busy.wav");
        keep(&busy, &tone).unwrap();
        assert!(refused(&busy, None).contains("is a tone, busy"));
        let bad = folder.path().join("bad.wav");
        std::fs::write(&bad, b"RIFF").unwrap();
        assert!(refused(&bad, None).contains("is too short for a WAV"));
        assert!(refused(&folder.path().join("none.wav"), None).contains("none.wav"));
        // What somebody else put there and cannot be read is named, and does not hide the rest.
        std::fs::create_dir_all(library.join("off")).unwrap();
        std::fs::copy(&bad, library.join("off/bad.wav")).unwrap();
        let (known, unread) = load(&library);
        assert_eq!(known.len(), 1);
        assert!(format!("{:#}", unread[0]).contains("off/bad.wav"));
        // Nor does anything else that may lie there.
        std::fs::copy(&orphan, library.join("off/orphan.wav")).unwrap();
        std::fs::write(library.join("off/notes.txt"), "?").unwrap();
        std::fs::write(library.join("off/a b.wav"), "?").unwrap();
        std::fs::write(library.join("busy"), "a file").unwrap();
        std::fs::create_dir(library.join("off/folder.wav")).unwrap();
        let (known, unread) = load(&library);
        assert_eq!((known.len(), unread.len()), (1, 6), "{unread:?}");
    }
}
