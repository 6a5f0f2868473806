//! The file of a recording: WAV, 8 kHz, in the law of its line. What was asked for has two channels (left in, right
//! out) and its name from the beginning; what is kept of an answer has the one that comes in, says who wrote it, and
//! gets its name when it is complete.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use dsp::pipeline::Recorded;
use media::RecordingKind;
use tdm::{Law, SAMPLES};

use crate::decisions;

/// How often the header says how long the file is by now: one left behind by a killed process plays up to there.
const HEADER_EVERY_OCTETS: u32 = 16_000;

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// What of.
    pub kind: RecordingKind,
    /// How its samples are coded.
    pub law: Law,
}

/// Where recordings go.
#[derive(Debug)]
pub struct Folders {
    /// What was asked for.
    pub asked: PathBuf,
    /// What is kept of answers.
    pub answers: PathBuf,
    /// What the disk must have left for an answer to be kept.
    pub room_octets_min: u64,
}

/// A recording that is being written.
pub struct Recording {
    wanted: Wanted,
    /// The file as it is called now.
    path: PathBuf,
    /// Where it goes; nowhere, when it cannot be written.
    file: Option<BufWriter<File>>,
    octets: u32,
}

impl Recording {
    /// Makes the file.
    ///
    /// # Errors
    /// It cannot be made, or there is one of this name; for an answer also when the disk is nearly full.
    pub fn create(folders: &Folders, wanted: Wanted) -> io::Result<Self> {
        let name = &wanted.name;
        let name_is_safe = !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
        if !name_is_safe {
            return Err(io::Error::other(format!("`{name}` is no name of a recording")));
        }
        let path = match wanted.kind {
            RecordingKind::Asked => folders.asked.join(format!("{name}.wav")),
            RecordingKind::Answer => {
                crate::alone::make_private(&folders.answers)?;
                has_room(&folders.answers, folders.room_octets_min)?;
                folders.answers.join(format!("{name}.wav.{}", decisions::UNFINISHED))
            }
        };
        let file = OpenOptions::new().create_new(true).write(true).mode(0o640).open(&path)?;
        let mut file = BufWriter::new(file);
        if let Err(error) = file.write_all(&header(&wanted, 0)).and_then(|()| file.flush()) {
            // A full disk has room for names still.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(Self { wanted, path, file: Some(file), octets: 0 })
    }

    /// One that goes nowhere: what comes of it up to its end belongs to no other.
    pub fn nowhere(wanted: Wanted) -> Self {
        Self { wanted, path: PathBuf::new(), file: None, octets: 0 }
    }

    /// What the ring gave: silence for what was lost, then a millisecond or the end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn take(&mut self, recorded: &Recorded) -> io::Result<()> {
        let idle = [self.wanted.law.idle(); SAMPLES];
        for _ in 0..recorded.lost_millis {
            self.millisecond(&idle, &idle)?;
        }
        match &recorded.octets {
            Some((incoming, outgoing)) => self.millisecond(incoming, outgoing),
            None => self.settle(),
        }
    }

    fn millisecond(&mut self, left: &[u8; SAMPLES], right: &[u8; SAMPLES]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        match self.wanted.kind {
            RecordingKind::Asked => {
                for (l, r) in left.iter().zip(right) {
                    file.write_all(&[*l, *r])?;
                }
            }
            RecordingKind::Answer => file.write_all(left)?,
        }
        self.octets = self.octets.saturating_add(channels(self.wanted.kind) * SAMPLES as u32);
        if self.octets.is_multiple_of(HEADER_EVERY_OCTETS) { self.settle() } else { Ok(()) }
    }

    /// What was written so far is a whole file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn settle(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.flush()?;
        file.get_ref().write_all_at(&header(&self.wanted, self.octets), 0)
    }

    /// It cannot be written on. What was asked for stays as far as it came; of an answer nothing is left.
    pub fn give_up(&mut self) {
        let was_written = self.file.take().is_some();
        if was_written && self.wanted.kind == RecordingKind::Answer {
            self.discard();
        }
    }

    /// It is complete: where it is, under its name; nowhere when it went nowhere.
    ///
    /// # Errors
    /// It cannot get its name, or a file has it; nothing is left of it.
    pub fn finish(mut self) -> io::Result<PathBuf> {
        if self.wanted.kind == RecordingKind::Answer && self.file.take().is_some() {
            let path = self.path.with_extension("");
            // Unlike renaming, a link takes no other file's place. Of one cut off in between the next start has the rest.
            let named = std::fs::hard_link(&self.path, &path);
            self.discard();
            named?;
            self.path = path;
        }
        Ok(self.path)
    }

    fn discard(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        self.path = PathBuf::new();
    }
}

/// What matters more than what is kept of answers is left its room.
fn has_room(folder: &Path, octets_min: u64) -> io::Result<()> {
    let disk = nix::sys::statvfs::statvfs(folder)?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    if free >= octets_min {
        return Ok(());
    }
    let (free, least) = (free >> 20, octets_min >> 20);
    Err(io::Error::other(format!("the disk has {free} MiB left, less than {least}")))
}

const fn channels(kind: RecordingKind) -> u32 {
    match kind {
        RecordingKind::Asked => 2,
        RecordingKind::Answer => 1,
    }
}

/// The header of a WAV file with so many octets of samples: RIFF, fmt, who wrote it, fact, data.
fn header(wanted: &Wanted, octets: u32) -> Vec<u8> {
    let channels = channels(wanted.kind);
    let writer: &[u8] = match wanted.kind {
        RecordingKind::Asked => &[],
        RecordingKind::Answer => decisions::WRITER,
    };
    // RFC 2361.
    let format = match wanted.law {
        Law::A => 6_u32,
        Law::Mu => 7,
    };
    let mut out = Vec::with_capacity(96);
    out.extend_from_slice(b"RIFF");
    let rest = (50 + writer.len()) as u32;
    out.extend_from_slice(&octets.saturating_add(rest).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&18_u32.to_le_bytes());
    // The format, channels, 8000 Hz, octets a second, octets a frame, 8 bits, no extension.
    out.extend_from_slice(&(format | channels << 16).to_le_bytes());
    for value in [8000_u32, 8000 * channels] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(&(channels | 8 << 16).to_le_bytes());
    out.extend_from_slice(&0_u16.to_le_bytes());
    out.extend_from_slice(writer);
    out.extend_from_slice(b"fact");
    out.extend_from_slice(&4_u32.to_le_bytes());
    out.extend_from_slice(&(octets / channels).to_le_bytes());
    out.extend_from_slice(b"data");
    out.extend_from_slice(&octets.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::audio;

    fn folders(root: &Path) -> Folders {
        Folders { asked: root.to_owned(), answers: root.join("decisions"), room_octets_min: 0 }
    }
    fn wanted(name: &str, kind: RecordingKind) -> Wanted {
        Wanted { name: name.into(), kind, law: Law::A }
    }
    fn block(left: u8, right: u8) -> Recorded {
        Recorded { lost_millis: 0, octets: Some(([left; SAMPLES], [right; SAMPLES])) }
    }

    #[test]
    fn a_recording_nobody_finished_plays_up_to_its_last_whole_second() {
        let folder = tempfile::tempdir().unwrap();
        let cut = wanted("cut", RecordingKind::Asked);
        let mut recording = Recording::create(&folders(folder.path()), cut).unwrap();
        for _ in 0..2500 {
            recording.take(&block(1, 2)).unwrap();
        }
        let file = std::fs::read(folder.path().join("cut.wav")).unwrap();
        assert_eq!(file.get(54..58), Some(&32_000_u32.to_le_bytes()[..]));
        assert!(file.len() >= 58 + 32_000);
    }

    #[test]
    fn a_path_is_no_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../x", "/etc/x", "", ".hidden", "a b"] {
            let wanted = wanted(name, RecordingKind::Asked);
            assert!(Recording::create(&folders(folder.path()), wanted).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_kept_of_an_answer_is_what_came_in_and_has_its_name_once_it_is_complete() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let folders = folders(folder.path());
        let name = "answer-autumn-c1.7";
        let mut recording =
            Recording::create(&folders, wanted(name, RecordingKind::Answer)).unwrap();
        for _ in 0..2500 {
            recording.take(&block(1, 2)).unwrap();
        }
        assert!(decisions::all(&folders.answers).unwrap().is_empty());
        recording.take(&Recorded { lost_millis: 2, octets: None }).unwrap();
        let path = recording.finish().unwrap();
        let kept = decisions::all(&folders.answers).unwrap();
        assert_eq!((kept[0].name.as_str(), &kept[0].path), (name, &path));
        let octets = audio::read(&path, Law::A).unwrap();
        assert_eq!(octets.len(), 2502 * SAMPLES);
        assert_eq!((octets[0], octets[octets.len() - 1]), (1, Law::A.idle()));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(folders.answers.metadata().unwrap().permissions().mode() & 0o777, 0o750);
    }

    #[test]
    fn what_is_kept_of_an_answer_takes_no_other_files_place() {
        let folder = tempfile::tempdir().unwrap();
        let folders = folders(folder.path());
        let answer = wanted("answer-autumn-c1.7", RecordingKind::Answer);
        let mut recording = Recording::create(&folders, answer).unwrap();
        recording.take(&block(1, 2)).unwrap();
        let file = folders.answers.join("answer-autumn-c1.7.wav");
        std::fs::write(&file, "somebody's").unwrap();
        recording.take(&Recorded { lost_millis: 0, octets: None }).unwrap();
        assert_eq!(recording.finish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&file).unwrap(), b"somebody's");
        assert_eq!(std::fs::read_dir(&folders.answers).unwrap().count(), 1);
    }

    #[test]
    fn a_recording_is_in_the_law_of_its_line() {
        let folder = tempfile::tempdir().unwrap();
        for kind in [RecordingKind::Asked, RecordingKind::Answer] {
            let wanted = Wanted { law: Law::Mu, ..wanted("answer-t1-c1.1", kind) };
            let mut recording = Recording::create(&folders(folder.path()), wanted).unwrap();
            recording.take(&block(0x80, 0xFF)).unwrap();
            recording.take(&Recorded { lost_millis: 1, octets: None }).unwrap();
            let octets = audio::read(&recording.finish().unwrap(), Law::Mu).unwrap();
            assert_eq!(
                (octets.len(), octets[0], octets[8]),
                (16, 0x80, Law::Mu.idle()),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_full_disk_keeps_no_answers_and_one_that_fills_leaves_none_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let full = Folders { room_octets_min: u64::MAX, ..folders(folder.path()) };
        let answer = || wanted("answer-x-c1.1", RecordingKind::Answer);
        let why = Recording::create(&full, answer()).err().unwrap().to_string();
        assert!(why.contains("MiB left"), "{why}");
        assert!(Recording::create(&full, wanted("x", RecordingKind::Asked)).is_ok());
        let folders = folders(folder.path());
        let mut filling = Recording::create(&folders, answer()).unwrap();
        filling.take(&block(1, 2)).unwrap();
        filling.give_up();
        filling.take(&block(1, 2)).unwrap();
        assert_eq!(filling.finish().unwrap(), PathBuf::new());
        assert_eq!(std::fs::read_dir(&folders.answers).unwrap().count(), 0);
    }
}
