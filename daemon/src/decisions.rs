//! What is kept of answers (`keep_decisions`): where it lies, what of it is ours, and when it goes.
//!
//! The call server writes `NAME.wav` into the folder, as `NAME.wav.part` until it is complete; the call centre removes
//! what is too old or too much, at its start and once a minute. Neither touches a file that it cannot tell for its own:
//! by its name, and by what its header says of who wrote it. Files that people put beside them stay.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use acd::DecisionsSettings;
use call::CallId;

/// What the header of one says of its writer: a LIST chunk of INFO with ISFT, an even number of octets. RIFF, 1991.
pub const WRITER: &[u8; 34] = b"LIST\x1A\0\0\0INFOISFT\x0E\0\0\0trunkline kept";
/// Where that stands: behind RIFF, WAVE and the format.
pub const WRITER_AT: usize = 12 + 26;
/// What the end of its name is while it is written.
pub const UNFINISHED: &str = "part";
/// The disk is left so much for what matters more: the journal, records, conversations.
pub const ROOM_OCTETS_MIN: u64 = 256 << 20;
/// How often it is looked what has to go.
const SWEEP: Duration = Duration::from_secs(60);

/// One that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its file.
    pub path: PathBuf,
    /// The name records have for it.
    pub name: String,
    /// When it was completed.
    pub at: SystemTime,
}

/// What a sweep has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Too old.
    pub old: usize,
    /// Too many.
    pub surplus: usize,
}

/// All that are complete, the oldest first. A folder that is not there holds none.
///
/// # Errors
/// It cannot be read.
pub fn all(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut all = Vec::new();
    for path in files(folder)? {
        let Some(name) = name_of(&path, "wav") else { continue };
        if is_by_us(&path)
            && let Ok(at) = fs::symlink_metadata(&path).and_then(|of| of.modified())
        {
            all.push(Kept { path, name, at });
        }
    }
    all.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
    Ok(all)
}

/// Removes what is older than its days, then the oldest beyond the most there may be.
///
/// # Errors
/// The folder cannot be read, or a file not be removed; the others are.
pub fn sweep(folder: &Path, limits: DecisionsSettings, now: SystemTime) -> io::Result<Swept> {
    let all = all(folder)?;
    let age = Duration::from_secs(u64::from(limits.days) * 86_400);
    let is_old = |kept: &&Kept| now.duration_since(kept.at).is_ok_and(|since| since >= age);
    let old = all.iter().take_while(is_old).count();
    let surplus = (all.len() - old).saturating_sub(limits.most as usize);
    let mut result = Ok(());
    for kept in all.iter().take(old + surplus) {
        match fs::remove_file(&kept.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => result = Err(error),
            _ => {}
        }
    }
    result.map(|()| Swept { old, surplus })
}

/// Removes what a call server that was killed has not completed. To be called while none writes here.
///
/// # Errors
/// The folder cannot be read, or a file not be removed.
pub fn clear_unfinished(folder: &Path) -> io::Result<usize> {
    let mut count = 0;
    for path in files(folder)? {
        // One of no length was made a moment before its end.
        let is_empty = || fs::symlink_metadata(&path).is_ok_and(|of| of.is_file() && of.len() == 0);
        if name_of(&path, UNFINISHED).is_some() && (is_by_us(&path) || is_empty()) {
            fs::remove_file(&path)?;
            count += 1;
        }
    }
    Ok(count)
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The name in `answer-CAMPAIGN-CALL.wav`, if the file is called like that, or with `.part` behind.
fn name_of(path: &Path, end: &str) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let file = if end == UNFINISHED { file.strip_suffix(".part")? } else { file };
    let name = file.strip_suffix(".wav")?;
    let (_, call) = name.strip_prefix("answer-")?.rsplit_once('-')?;
    let is_call = call.parse::<CallId>().is_ok_and(|id| id.to_string() == call);
    is_call.then(|| name.to_owned())
}

/// Whether the file is one, and says that this program wrote it.
fn is_by_us(path: &Path) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|of| of.is_file());
    let mut head = [0; WRITER_AT + WRITER.len()];
    is_file
        && File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
        && head.get(WRITER_AT..) == Some(WRITER)
}

/// The thread that removes what has to go, as long as this lives.
#[derive(Debug)]
pub struct Sweeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// Begins with what is there.
    ///
    /// # Errors
    /// The host has no thread left.
    pub fn start(folder: PathBuf, limits: DecisionsSettings) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("decisions".into()).spawn(move || {
            let mut failed = false;
            loop {
                let swept = sweep(&folder, limits, SystemTime::now());
                match &swept {
                    Ok(Swept { old: 0, surplus: 0 }) => {}
                    Ok(Swept { old, surplus }) => {
                        tracing::info!(old, surplus, "what was kept of answers was removed");
                    }
                    Err(error) if !failed => {
                        let folder = folder.display();
                        tracing::error!(%folder, %error, "what was kept of answers cannot be removed");
                    }
                    Err(_) => {}
                }
                failed = swept.is_err();
                if stopped.recv_timeout(SWEEP) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that removes what was kept of answers panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as the call server writes it, so many days old.
    fn kept(folder: &Path, name: &str, days: u64) -> PathBuf {
        let path = folder.join(name);
        let mut octets = vec![0; WRITER_AT];
        octets.extend(WRITER);
        octets.extend([0xD5; 100]);
        fs::write(&path, octets).unwrap();
        let at = SystemTime::now() - Duration::from_secs(days * 86_400 + 60);
        File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        path
    }

    #[test]
    fn what_is_too_old_goes_then_the_oldest_of_what_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for n in 0..10 {
            kept(folder, &format!("answer-autumn-c3.{n}.wav"), n);
        }
        let now = SystemTime::now();
        let limits = DecisionsSettings { days: 7, most: 4 };
        assert_eq!(sweep(folder, limits, now).unwrap(), Swept { old: 3, surplus: 3 });
        let left: Vec<_> = all(folder).unwrap().into_iter().map(|kept| kept.name).collect();
        let wanted: Vec<_> = (0..4).rev().map(|n| format!("answer-autumn-c3.{n}")).collect();
        assert_eq!(left, wanted);
        assert_eq!(sweep(folder, limits, now).unwrap(), Swept::default());
        // A clock that was set back takes nothing.
        let past = now - Duration::from_secs(86_400 * 400);
        assert_eq!(sweep(folder, limits, past).unwrap(), Swept::default());
    }

    /// Instances are written in hexadecimal.
    #[test]
    fn what_was_kept_goes_whichever_life_of_the_call_server_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let calls = [0x9, 0xa, 0x1f, 0xa0, u32::MAX].map(|instance| CallId::new(instance, 7));
        for call in calls {
            kept(folder, &format!("answer-spring-cc-{call}.wav"), 9);
            kept(folder, &format!("answer-spring-cc-{call}.wav.part"), 9);
        }
        // No id is written like these.
        for call in ["cA.7", "c0a.7", "c+a.7", "ca.07", "c1ffffffff.7", "cg.7", "ca.f", "la.7"] {
            kept(folder, &format!("answer-spring-{call}.wav"), 9);
        }
        let mut names: Vec<_> = all(folder).unwrap().into_iter().map(|kept| kept.name).collect();
        names.sort();
        let mut wanted = calls.map(|call| format!("answer-spring-cc-{call}"));
        wanted.sort();
        assert_eq!(names, wanted);
        assert_eq!(clear_unfinished(folder).unwrap(), calls.len());
        let limits = DecisionsSettings { days: 1, most: 1 };
        let swept = sweep(folder, limits, SystemTime::now()).unwrap();
        assert_eq!(swept, Swept { old: calls.len(), surplus: 0 });
        assert_eq!(files(folder).unwrap().len(), 8);
    }

    #[test]
    fn nothing_goes_that_this_program_did_not_write() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let elsewhere = tempfile::tempdir().unwrap();
        let target = kept(elsewhere.path(), "answer-x-c1.1.wav", 900);
        std::os::unix::fs::symlink(&target, folder.join("answer-x-c1.2.wav")).unwrap();
        fs::create_dir(folder.join("answer-x-c1.3.wav")).unwrap();
        // A copy under another name, a recording of somebody else's under one of ours, the marks.
        kept(folder, "good example.wav", 900);
        kept(folder, "answer-x-c1.wav", 900);
        kept(folder, "answer-x-c1.4.wav.part", 900);
        fs::write(folder.join("answer-x-c1.5.wav"), vec![0; 500]).unwrap();
        fs::write(folder.join("marks.csv"), "x").unwrap();
        let before = files(folder).unwrap().len();
        let limits = DecisionsSettings { days: 1, most: 1 };
        let swept = sweep(folder, limits, SystemTime::now() + Duration::from_secs(1 << 32));
        assert_eq!(swept.unwrap(), Swept::default());
        assert_eq!(files(folder).unwrap().len(), before);
        assert!(target.exists());
    }

    #[test]
    fn what_a_killed_call_server_left_goes_when_the_next_one_starts() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        kept(folder, "answer-x-c1.1.wav.part", 0);
        fs::write(folder.join("answer-x-c1.2.wav.part"), "").unwrap();
        fs::write(folder.join("answer-x-c1.3.wav.part"), "somebody else's").unwrap();
        let whole = kept(folder, "answer-x-c1.4.wav", 0);
        assert_eq!(clear_unfinished(folder).unwrap(), 2);
        assert!(whole.exists() && folder.join("answer-x-c1.3.wav.part").exists());
        assert_eq!(clear_unfinished(&folder.join("none")).unwrap(), 0);
    }

    #[test]
    fn a_call_centre_removes_what_is_too_much_when_it_starts() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..5 {
            kept(folder.path(), &format!("answer-x-c1.{n}.wav"), n);
        }
        let limits = DecisionsSettings { days: 30, most: 2 };
        drop(Sweeper::start(folder.path().to_owned(), limits).unwrap());
        assert_eq!(all(folder.path()).unwrap().len(), 2);
    }
}
