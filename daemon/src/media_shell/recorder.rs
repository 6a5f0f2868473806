//! The writer of recordings: rings of two channels into WAV files (A-law, 8 kHz, left in, right out).

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use dsp::pipeline::Recorded;
use media::RecorderOrder;
use tdm::SAMPLES;

/// Octets of the header: RIFF, fmt of A-law, fact, data.
const HEADER_OCTETS: u32 = 58;
const IDLE: u8 = 0xD5;
/// How often the header says how long the file is by now: one left behind by a killed process plays up to there.
const HEADER_EVERY_OCTETS: u32 = 16_000;

/// Rings on one side, files on the other.
pub struct RecorderWork {
    rings: Vec<rtrb::Consumer<Recorded>>,
    folder: PathBuf,
    waiting: BTreeMap<u16, VecDeque<String>>,
    open: BTreeMap<u16, Recording>,
}

struct Recording {
    file: BufWriter<File>,
    octets: u32,
}

impl RecorderWork {
    /// A writer into `folder`, which is made when it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(rings: Vec<rtrb::Consumer<Recorded>>, folder: &Path) -> io::Result<Self> {
        crate::alone::make_private(folder)?;
        let folder = folder.to_owned();
        Ok(Self { rings, folder, waiting: BTreeMap::new(), open: BTreeMap::new() })
    }

    /// The call server says whose the next recording of a recorder is.
    pub fn order(&mut self, order: RecorderOrder) {
        match order {
            RecorderOrder::Open { recorder, name, .. } => {
                self.waiting.entry(recorder).or_default().push_back(name);
            }
            // The end comes down the ring behind the last sample.
            RecorderOrder::Close { .. } => {}
        }
    }

    /// Writes what has gathered.
    pub fn turn(&mut self) {
        for index in 0..self.rings.len() {
            let Ok(id) = u16::try_from(index) else { break };
            while let Some(Ok(recorded)) = self.rings.get_mut(index).map(|ring| ring.pop()) {
                if let Err(error) = self.write(id, recorded) {
                    tracing::error!(recorder = id, %error, "a recording cannot be written");
                    self.open.remove(&id);
                }
            }
        }
    }

    fn write(&mut self, id: u16, recorded: Recorded) -> io::Result<()> {
        if !self.open.contains_key(&id) {
            let Some(name) = self.waiting.get_mut(&id).and_then(VecDeque::pop_front) else {
                return Ok(());
            };
            self.open.insert(id, Recording::create(&self.folder, &name)?);
        }
        let Some(recording) = self.open.get_mut(&id) else { return Ok(()) };
        for _ in 0..recorded.lost_millis {
            recording.millisecond(&[IDLE; SAMPLES], &[IDLE; SAMPLES])?;
        }
        match recorded.octets {
            Some((incoming, outgoing)) => recording.millisecond(&incoming, &outgoing),
            None => self.open.remove(&id).map_or(Ok(()), |mut recording| recording.settle()),
        }
    }
}

impl Drop for RecorderWork {
    fn drop(&mut self) {
        self.turn();
        for mut recording in std::mem::take(&mut self.open).into_values() {
            if let Err(error) = recording.settle() {
                tracing::error!(%error, "a recording cannot be finished");
            }
        }
    }
}

impl Recording {
    fn create(folder: &Path, name: &str) -> io::Result<Self> {
        let name_is_safe = !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
        if !name_is_safe {
            return Err(io::Error::other(format!("`{name}` is no name of a recording")));
        }
        let path = folder.join(format!("{name}.wav"));
        let file = OpenOptions::new().create_new(true).write(true).mode(0o640).open(path)?;
        let mut recording = Self { file: BufWriter::new(file), octets: 0 };
        recording.file.write_all(&header(0))?;
        Ok(recording)
    }
    fn millisecond(&mut self, left: &[u8; SAMPLES], right: &[u8; SAMPLES]) -> io::Result<()> {
        for (l, r) in left.iter().zip(right) {
            self.file.write_all(&[*l, *r])?;
        }
        self.octets = self.octets.saturating_add(2 * SAMPLES as u32);
        if self.octets.is_multiple_of(HEADER_EVERY_OCTETS) { self.settle() } else { Ok(()) }
    }
    /// What was written so far is a whole file.
    fn settle(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().write_all_at(&header(self.octets), 0)
    }
}

/// The header of a WAV file with so many octets of two A-law channels.
fn header(octets: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_OCTETS as usize);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(octets.saturating_add(HEADER_OCTETS - 8)).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&18_u32.to_le_bytes());
    // Format 6 (A-law), 2 channels, 8000 Hz, 16000 octets a second, 2 octets a frame, 8 bits, no extension.
    for value in [6_u16, 2] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    for value in [8000_u32, 16_000] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    for value in [2_u16, 8, 0] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(b"fact");
    out.extend_from_slice(&4_u32.to_le_bytes());
    out.extend_from_slice(&(octets / 2).to_le_bytes());
    out.extend_from_slice(b"data");
    out.extend_from_slice(&octets.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use call::LegId;

    use super::*;

    #[test]
    fn a_recording_keeps_its_channels_aligned_over_a_loss() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ring, reader) = rtrb::RingBuffer::new(16);
        let mut work = RecorderWork::new(vec![reader], folder.path()).unwrap();
        let leg = LegId::new(1, 1);
        work.order(RecorderOrder::Open { recorder: 0, leg, name: "one".into() });
        let block = |lost_millis, l, r| Recorded { lost_millis, octets: Some(([l; 8], [r; 8])) };
        ring.push(block(0, 1, 2)).unwrap();
        ring.push(block(3, 3, 4)).unwrap();
        ring.push(Recorded { lost_millis: 0, octets: None }).unwrap();
        work.order(RecorderOrder::Close { recorder: 0 });
        // The same recorder again, before the writer came round.
        work.order(RecorderOrder::Open { recorder: 0, leg, name: "two".into() });
        ring.push(block(0, 5, 6)).unwrap();
        work.turn();
        drop(work);
        let one = std::fs::read(folder.path().join("one.wav")).unwrap();
        assert_eq!(one.len(), 58 + 5 * 16);
        assert_eq!(one.get(58..60), Some(&[1, 2][..]));
        assert_eq!(one.get(74..76), Some(&[IDLE, IDLE][..]));
        assert_eq!(one.get(58 + 4 * 16..), Some(&[3, 4].repeat(8)[..]));
        assert_eq!(one.get(54..58), Some(&80_u32.to_le_bytes()[..]));
        let two = std::fs::read(folder.path().join("two.wav")).unwrap();
        assert_eq!(two.len(), 58 + 16, "a recording that was open at the end is whole");
    }

    #[test]
    fn a_recording_nobody_finished_plays_up_to_its_last_whole_second() {
        let folder = tempfile::tempdir().unwrap();
        let mut recording = Recording::create(folder.path(), "cut").unwrap();
        for _ in 0..2500 {
            recording.millisecond(&[1; SAMPLES], &[2; SAMPLES]).unwrap();
        }
        let file = std::fs::read(folder.path().join("cut.wav")).unwrap();
        assert_eq!(file.get(54..58), Some(&32_000_u32.to_le_bytes()[..]));
        assert!(file.len() >= 58 + 32_000);
    }

    #[test]
    fn a_path_is_no_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../x", "/etc/x", "", ".hidden", "a b"] {
            assert!(Recording::create(folder.path(), name).is_err(), "{name}");
        }
    }
}
