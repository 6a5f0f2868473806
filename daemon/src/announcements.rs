//! The announcements of networks that this site knows: a folder of recordings, one below it for each meaning.
//!
//! `FOLDER/vacant/NAME.wav` is an announcement that means *vacant*. The tree is all there is: what lies there is known
//! from the next start of the call server on, whoever put it there. It ships empty, because no recordings of carriers
//! with a clear licence exist; operators add theirs, out of recordings of calls that failed.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use call::Meaning;
use dsp::fingerprint::{Index, PRINTS_MAX, Print, SOUNDING_MIN_MILLIS};
use dsp::g711;
use tdm::Law;

mod cache;

pub use cache::Stamp;

use crate::analyze::{audio, tone_in};
use crate::prompts::is_name;

/// Where they lie, below the root, unless the configuration names another folder.
pub const FOLDER: &str = "/var/lib/trunkline/announcements";
/// What a name is.
const NAMES: &str = "an announcement's name has 1 to 64 letters, digits, `_` or `-`";
/// Threads that make prints.
const WORKERS_MAX: usize = 8;
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

impl Announcement {
    /// Meaning and name: by which its print is kept.
    fn key(&self) -> String {
        format!("{}/{}", self.means, self.name)
    }
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
    /// Of which state of its file that was made.
    pub stamp: Stamp,
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

/// Every announcement in `folder` that can be read, and why others cannot. Prints that are kept there are taken as they
/// are, others made; see [`remember`].
pub fn load(folder: &Path) -> (Vec<Known>, Vec<anyhow::Error>) {
    let (found, mut unread) = list(folder);
    let kept = cache::read(folder);
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get().min(WORKERS_MAX));
    let share = found.len().div_ceil(workers).max(1);
    let read: Vec<Result<Known>> = std::thread::scope(|scope| {
        let kept = &kept;
        let of_share =
            |share: &'_ [Announcement]| share.iter().map(|it| known(it, kept)).collect::<Vec<_>>();
        let running: Vec<_> =
            found.chunks(share).map(|share| scope.spawn(move || of_share(share))).collect();
        running.into_iter().flat_map(|share| share.join().unwrap_or_default()).collect()
    });
    let mut all = Vec::new();
    for known in read {
        match known {
            Ok(known) => all.push(known),
            Err(why) => unread.push(why),
        }
    }
    (all, unread)
}

/// An announcement with its print: the one that is kept, if the file has not changed since.
fn known(announcement: &Announcement, kept: &cache::Entries) -> Result<Known> {
    let path = &announcement.path;
    let named = || path.display().to_string();
    let stamp = Stamp::of(&std::fs::metadata(path).with_context(named)?);
    let announcement = announcement.clone();
    if let Some(entry) = kept.get(&announcement.key()).filter(|entry| entry.stamp == stamp) {
        return Ok(Known { announcement, print: entry.print.clone(), millis: entry.millis, stamp });
    }
    let (_, print, millis) = read(path).with_context(named)?;
    Ok(Known { announcement, print, millis, stamp })
}

/// Keeps the prints of what [`load`] found, so that the next start need not make them. Whether it had to write.
///
/// # Errors
/// The folder cannot be written. Nothing is lost by it but time.
pub fn remember(folder: &Path, known: &[Known]) -> Result<bool> {
    let entry = |known: &Known| {
        let Known { print, millis, stamp, .. } = known.clone();
        (known.announcement.key(), cache::Entry { stamp, millis, print })
    };
    let entries: cache::Entries = known.iter().map(entry).collect();
    if entries.is_empty() || entries == cache::read(folder) {
        return Ok(false);
    }
    let path = folder.join(cache::FILE);
    write_whole(&path, &cache::content(&entries)).with_context(|| path.display().to_string())?;
    Ok(true)
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
    if let Some((tone, millis)) = tone_in(&octets, Law::A) {
        let seconds = f64::from(millis) / 1000.0;
        bail!(
            "{}: has a tone of the network in it, {tone} at {seconds:.1} s, which is known without a recording: cut out the words",
            file.display()
        );
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
    let added = Announcement { name: name.to_owned(), means, path };
    // Whether or not this can be kept, the next start finds the recording.
    let _ = remember(folder, &load(folder).0);
    Ok(added)
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

/// Writes an A-law WAV.
pub(crate) fn keep(path: &Path, octets: &[u8]) -> Result<()> {
    let len = u32::try_from(octets.len()).context("is too long")?;
    let mut file = b"RIFF".to_vec();
    file.extend(len.saturating_add(38).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(18_u32.to_le_bytes());
    // A-law, one channel, 8000 samples and octets a second, an octet each, no more of the format. RFC 2361.
    for word in [6_u16, 1, 8000, 0, 8000, 0, 1, 8, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(b"data");
    file.extend(len.to_le_bytes());
    file.extend(octets);
    write_whole(path, &file)
}

/// Writes a file that is there as a whole or not at all. What `root` makes belongs to whom the folder above belongs to:
/// the call server shall read it.
fn write_whole(path: &Path, octets: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let owner = crate::alone::Owner::of_private(folder)?;
    let unfinished = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o640)
        .open(&unfinished)?;
    file.write_all(octets)?;
    file.sync_all()?;
    owner.hand_over(&unfinished)?;
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

    /// Kept prints are taken for files that have not changed since, and for no others.
    #[test]
    fn prints_are_kept_beside_the_recordings_and_made_anew_where_one_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("library");
        for name in ["orphan", "all_busy"] {
            add(&library, &prompt(folder.path(), name), Meaning::Vacant, None).unwrap();
        }
        let (known, _) = load(&library);
        assert!(!remember(&library, &known).unwrap(), "`add` has kept them");
        // A print that nobody could have made of the recordings shows that they were not read.
        let mut marked = known.clone();
        marked.iter_mut().for_each(|known| known.print = known.print.disguised(1));
        assert!(remember(&library, &marked).unwrap());
        assert_eq!(load(&library).0[0].print, marked[0].print);
        let changed = library.join("vacant/all_busy.wav");
        let octets = audio::read(&changed, Law::A).unwrap();
        keep(&changed, &octets[..octets.len() - 800]).unwrap();
        let (again, _) = load(&library);
        let names: Vec<_> = again.iter().map(|known| known.announcement.name.as_str()).collect();
        assert_eq!(names, ["all_busy", "orphan"]);
        assert_eq!(again[1].print, marked[1].print);
        assert_eq!(again[0].millis, known[0].millis - 100);
        assert_ne!(again[0].print, marked[0].print);
        // A damaged file costs time, nothing else.
        std::fs::write(library.join(cache::FILE), b"TLPRINT\x01 nonsense").unwrap();
        assert_eq!(load(&library).0[1].print, known[1].print);
        assert!(remember(&library, &load(&library).0).unwrap());
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
        assert!(refused(&busy, None).contains("busy at "));
        // Ring-back before the words is a tone as well.
        let ring: Vec<u8> = (0..20_000)
            .map(|n| {
                let x = (f64::from(n) * 450.0 / 8000.0 * std::f64::consts::TAU).sin() * 6000.0;
                g711::encode(Law::A, if n < 8000 { x as i16 } else { 0 })
            })
            .chain(audio::read(&other, Law::A).unwrap())
            .collect();
        let rung = folder.path().join("rung.wav");
        keep(&rung, &ring).unwrap();
        assert!(refused(&rung, None).contains("ringback at "));
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
