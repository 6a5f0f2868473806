//! The writer of recordings: rings of two channels into files.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;

use dsp::pipeline::Recorded;
use media::{RecorderOrder, RecordingKind};

use super::recording::{Folders, Recording, Wanted};
use crate::decisions;
use crate::paths::Paths;

/// Rings on one side, files on the other.
pub struct RecorderWork {
    rings: Vec<rtrb::Consumer<Recorded>>,
    folders: Folders,
    /// Answers cannot be kept, and that was said.
    keeps_none: bool,
    writers: BTreeMap<u16, Writer>,
}

/// What one recorder writes. Orders and samples come by different ways. Every order to open has its end in the ring,
/// in this order, and every end its order to close, whichever of the two is first.
#[derive(Default)]
struct Writer {
    /// Recordings of which no sample has come yet.
    waiting: VecDeque<Wanted>,
    open: Option<Recording>,
    /// Files whose samples have ended; whether they are to be kept was not said yet.
    ended: VecDeque<PathBuf>,
    /// Whether to throw away the recordings that end, said before their samples have ended.
    drops: VecDeque<bool>,
}

impl RecorderWork {
    /// A writer below `paths`, alone there. Answers that a call server before this one has not finished are removed.
    ///
    /// # Errors
    /// The folder of recordings cannot be made.
    pub fn new(rings: Vec<rtrb::Consumer<Recorded>>, paths: &Paths) -> io::Result<Self> {
        let folders = Folders {
            asked: paths.recordings(),
            answers: paths.decisions(),
            room_octets_min: decisions::ROOM_OCTETS_MIN,
        };
        crate::alone::make_private(&folders.asked)?;
        match decisions::clear_unfinished(&folders.answers) {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "unfinished recordings of answers were removed"),
            Err(error) => {
                let folder = folders.answers.display();
                tracing::warn!(%folder, %error, "unfinished recordings of answers stay");
            }
        }
        Ok(Self { rings, folders, keeps_none: false, writers: BTreeMap::new() })
    }

    /// The call server says whose the next recording of a recorder is, and what becomes of it.
    pub fn order(&mut self, order: RecorderOrder) {
        match order {
            RecorderOrder::Open { recorder, name, kind, law, .. } => {
                let wanted = Wanted { name, kind, law };
                self.writers.entry(recorder).or_default().waiting.push_back(wanted);
            }
            // The end itself comes down the ring behind the last sample.
            RecorderOrder::Close { recorder, drop } => {
                let writer = self.writers.entry(recorder).or_default();
                writer.drops.push_back(drop);
                writer.settle_ended();
            }
        }
    }

    /// Writes what has gathered. The names of those recordings whose file could not be made.
    pub fn turn(&mut self) -> Vec<String> {
        let mut failed = Vec::new();
        for (id, ring) in (0..).zip(&mut self.rings) {
            let Some(writer) = self.writers.get_mut(&id) else { continue };
            // Samples may be here before the order that says whose they are. It comes: they wait for it.
            while writer.knows_whose()
                && let Ok(recorded) = ring.pop()
            {
                match writer.begin(&self.folders) {
                    Some(Ok(RecordingKind::Answer)) => self.keeps_none = false,
                    Some(Ok(RecordingKind::Asked)) | None => {}
                    Some(Err((wanted, error))) => {
                        let (name, is_answer) = (wanted.name, wanted.kind == RecordingKind::Answer);
                        // Every answer would say it again.
                        if !is_answer || !core::mem::replace(&mut self.keeps_none, true) {
                            tracing::error!(recorder = id, name, %error, "a recording cannot be begun");
                        }
                        failed.push(name);
                    }
                }
                writer.write(id, &recorded);
            }
        }
        failed
    }
}

impl Writer {
    /// Whether what the ring gives next belongs to a recording that was ordered.
    fn knows_whose(&self) -> bool {
        self.open.is_some() || !self.waiting.is_empty()
    }

    /// Begins what waits, if nothing is open: what kind it is, or why it goes nowhere.
    fn begin(&mut self, to: &Folders) -> Option<Result<RecordingKind, (Wanted, io::Error)>> {
        if self.open.is_some() {
            return None;
        }
        let wanted = self.waiting.pop_front()?;
        let begun = Recording::create(to, wanted.clone());
        let kind = wanted.kind;
        let (recording, told) = match begun {
            Ok(recording) => (recording, Ok(kind)),
            Err(error) => (Recording::nowhere(wanted.clone()), Err((wanted, error))),
        };
        self.open = Some(recording);
        Some(told)
    }

    /// Writes a millisecond, or the end.
    fn write(&mut self, id: u16, recorded: &Recorded) {
        let Some(recording) = self.open.as_mut() else { return };
        if let Err(error) = recording.take(recorded) {
            tracing::error!(recorder = id, %error, "a recording cannot be written on");
            // What comes of it up to its end goes nowhere: it belongs to no other recording.
            recording.give_up();
        }
        if recorded.octets.is_none()
            && let Some(recording) = self.open.take()
        {
            let path = recording.finish().unwrap_or_else(|error| {
                tracing::error!(recorder = id, %error, "a recording cannot get its name");
                PathBuf::new()
            });
            self.ended.push_back(path);
            self.settle_ended();
        }
    }

    /// Throws away those that have ended and that nobody wants.
    fn settle_ended(&mut self) {
        while let (Some(path), Some(drop)) = (self.ended.front(), self.drops.front()) {
            if *drop
                && !path.as_os_str().is_empty()
                && let Err(error) = std::fs::remove_file(path)
            {
                tracing::error!(path = %path.display(), %error, "a recording nobody wants stays");
            }
            self.ended.pop_front();
            self.drops.pop_front();
        }
    }
}

impl Drop for RecorderWork {
    fn drop(&mut self) {
        self.turn();
        for recording in self.writers.values_mut().filter_map(|writer| writer.open.as_mut()) {
            if let Err(error) = recording.settle() {
                tracing::error!(%error, "a recording cannot be finished");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use call::LegId;
    use tdm::Law;

    use super::*;

    /// A writer with one ring of so many blocks, below a folder of its own.
    fn writer() -> (tempfile::TempDir, PathBuf, rtrb::Producer<Recorded>, RecorderWork) {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let (ring, reader) = rtrb::RingBuffer::new(16);
        let work = RecorderWork::new(vec![reader], &paths).unwrap();
        (folder, paths.recordings(), ring, work)
    }
    fn open(name: &str, kind: RecordingKind) -> RecorderOrder {
        let leg = LegId::new(1, 1);
        RecorderOrder::Open { recorder: 0, leg, name: name.into(), kind, law: Law::A }
    }

    #[test]
    fn a_recording_keeps_its_channels_aligned_over_a_loss() {
        let (_folder, recordings, mut ring, mut work) = writer();
        work.order(open("one", RecordingKind::Asked));
        let block = |lost_millis, l, r| Recorded { lost_millis, octets: Some(([l; 8], [r; 8])) };
        ring.push(block(0, 1, 2)).unwrap();
        ring.push(block(3, 3, 4)).unwrap();
        ring.push(Recorded { lost_millis: 0, octets: None }).unwrap();
        work.order(RecorderOrder::Close { recorder: 0, drop: false });
        // The same recorder again, before the writer came round.
        work.order(open("two", RecordingKind::Asked));
        ring.push(block(0, 5, 6)).unwrap();
        work.turn();
        drop(work);
        let one = std::fs::read(recordings.join("one.wav")).unwrap();
        assert_eq!(one.len(), 58 + 5 * 16);
        assert_eq!(one.get(58..60), Some(&[1, 2][..]));
        assert_eq!(one.get(74..76), Some(&[Law::A.idle(); 2][..]));
        assert_eq!(one.get(58 + 4 * 16..), Some(&[3, 4].repeat(8)[..]));
        assert_eq!(one.get(54..58), Some(&80_u32.to_le_bytes()[..]));
        let two = std::fs::read(recordings.join("two.wav")).unwrap();
        assert_eq!(two.len(), 58 + 16, "a recording that was open at the end is whole");
    }

    /// Whichever comes first, the end of the samples or the word of what becomes of them.
    #[test]
    fn a_recording_nobody_wants_leaves_no_file_and_its_neighbours_stay() {
        let (_folder, recordings, mut ring, mut work) = writer();
        let close = |drop| RecorderOrder::Close { recorder: 0, drop };
        let block = || Recorded { lost_millis: 0, octets: Some(([1; 8], [2; 8])) };
        let end = || Recorded { lost_millis: 0, octets: None };
        for (name, dropped, said_first) in
            [("a", false, true), ("b", true, true), ("c", true, false), ("d", false, false)]
        {
            work.order(open(name, RecordingKind::Asked));
            ring.push(block()).unwrap();
            assert!(work.turn().is_empty());
            assert!(recordings.join(format!("{name}.wav")).exists());
            if said_first {
                work.order(close(dropped));
            }
            ring.push(end()).unwrap();
            work.turn();
            if !said_first {
                work.order(close(dropped));
            }
            assert_eq!(recordings.join(format!("{name}.wav")).exists(), !dropped, "{name}");
        }
    }

    /// A slow disk, another ring: the writer looks while the order is still on its way.
    #[test]
    fn samples_that_come_before_their_order_wait_for_it() {
        let (folder, recordings, mut ring, mut work) = writer();
        let answers = Paths::below(folder.path()).decisions();
        let close = |drop| RecorderOrder::Close { recorder: 0, drop };
        let mut record = |work: &mut RecorderWork, value| {
            let block = Recorded { lost_millis: 0, octets: Some(([value; 8], [value; 8])) };
            ring.push(block).unwrap();
            ring.push(Recorded { lost_millis: 0, octets: None }).unwrap();
            assert!(work.turn().is_empty());
        };
        record(&mut work, 1);
        work.order(open("answer-x-c1.1", RecordingKind::Answer));
        work.order(close(true));
        work.turn();
        work.order(open("one", RecordingKind::Asked));
        record(&mut work, 2);
        work.order(close(false));
        // Two recordings before any order of theirs.
        record(&mut work, 3);
        record(&mut work, 4);
        for (name, drop) in [("two", true), ("three", false)] {
            work.order(open(name, RecordingKind::Asked));
            work.order(close(drop));
        }
        work.turn();
        assert!(decisions::all(&answers).unwrap().is_empty());
        assert_eq!(std::fs::read_dir(&answers).unwrap().count(), 0);
        assert!(!recordings.join("two.wav").exists());
        for (name, value) in [("one", 2), ("three", 4)] {
            let file = std::fs::read(recordings.join(format!("{name}.wav"))).unwrap();
            assert_eq!(file.get(58..), Some(&[value; 16][..]), "{name}");
        }
    }

    #[test]
    fn a_recording_that_cannot_be_made_is_named_and_its_samples_go_into_no_other() {
        let (_folder, recordings, mut ring, mut work) = writer();
        std::fs::write(recordings.join("taken.wav"), "somebody's").unwrap();
        for name in ["taken", "next"] {
            work.order(open(name, RecordingKind::Asked));
            for _ in 0..2 {
                ring.push(Recorded { lost_millis: 0, octets: Some(([1; 8], [2; 8])) }).unwrap();
            }
            ring.push(Recorded { lost_millis: 0, octets: None }).unwrap();
        }
        assert_eq!(work.turn(), ["taken"]);
        // The call server gives it up: somebody else's file is none of ours to remove.
        work.order(RecorderOrder::Close { recorder: 0, drop: true });
        work.order(RecorderOrder::Close { recorder: 0, drop: false });
        assert_eq!(std::fs::read(recordings.join("taken.wav")).unwrap(), b"somebody's");
        assert_eq!(std::fs::read(recordings.join("next.wav")).unwrap().len(), 58 + 2 * 16);
    }

    #[test]
    fn what_a_killed_call_server_had_begun_to_keep_of_an_answer_is_gone_with_the_next() {
        let (folder, _, mut ring, mut work) = writer();
        let answers = Paths::below(folder.path()).decisions();
        let count = || std::fs::read_dir(&answers).unwrap().count();
        work.order(open("answer-autumn-c1.1", RecordingKind::Answer));
        ring.push(Recorded { lost_millis: 0, octets: Some(([1; 8], [2; 8])) }).unwrap();
        assert!(work.turn().is_empty());
        // Nothing is closed: the process is gone.
        std::mem::forget(work);
        assert_eq!(count(), 1);
        let work = RecorderWork::new(Vec::new(), &Paths::below(folder.path())).unwrap();
        assert_eq!(count(), 0);
        drop(work);
    }

    #[test]
    fn an_answer_nobody_wants_leaves_no_file() {
        let (folder, _, mut ring, mut work) = writer();
        let answers = Paths::below(folder.path()).decisions();
        for (name, drop) in [("answer-x-c1.1", true), ("answer-x-c1.2", false)] {
            work.order(open(name, RecordingKind::Answer));
            ring.push(Recorded { lost_millis: 0, octets: Some(([1; 8], [2; 8])) }).unwrap();
            ring.push(Recorded { lost_millis: 0, octets: None }).unwrap();
            work.order(RecorderOrder::Close { recorder: 0, drop });
            assert!(work.turn().is_empty());
        }
        let kept = decisions::all(&answers).unwrap();
        assert_eq!(kept.iter().map(|k| k.name.as_str()).collect::<Vec<_>>(), ["answer-x-c1.2"]);
    }
}
