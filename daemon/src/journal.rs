//! An append-only journal: what was written is found again up to the first damage, and the damage is named.
//!
//! A journal is a folder of numbered files. A file begins with sixteen octets (a mark and the schema), then come
//! records: length (4 octets, little endian), CRC-32C over length and payload (4 octets), payload. The first record
//! of a file is a snapshot, so that the newest file alone is enough; the one before it is kept in case the newest
//! was damaged in its snapshot.
//!
//! Octets are in the page cache when [`Journal::append`] returns, which a killed process survives. They are on the
//! disk after [`Syncer::sync`], which a power cut survives; only promises wait for that.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Before the first record: mark and schema.
const HEADER_OCTETS: usize = 16;
const MARK: &[u8; 12] = b"trunkline-j\n";
/// Before each payload: length and checksum.
const RECORD_HEADER_OCTETS: usize = 8;
/// The longest payload. A longer length in a file is damage.
pub const PAYLOAD_OCTETS_MAX: usize = 1 << 30;

/// Why a journal could not be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk or the folder.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A record longer than [`PAYLOAD_OCTETS_MAX`].
    #[error("a record of {octets} octets is longer than the limit of {PAYLOAD_OCTETS_MAX}")]
    TooLong {
        /// Its length.
        octets: usize,
    },
}

/// Where and why reading ended before the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at octet {at}: {what}")]
pub struct Damage {
    /// The first octet of the record that cannot be read.
    pub at: usize,
    /// In which way.
    pub what: Flaw,
}

/// What is wrong with octets that should be a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The file has no header of ours.
    #[error("this is no journal")]
    NoJournal,
    /// Another schema than the one asked for.
    #[error("schema {found} cannot be read by a program of schema {known}")]
    Schema {
        /// As the file says.
        found: u32,
        /// As the program speaks.
        known: u32,
    },
    /// The file ends within a record: the last write was cut.
    #[error("the file ends within a record")]
    Cut,
    /// A length that no record has.
    #[error("a record of {octets} octets would be longer than any")]
    Length {
        /// As the file says.
        octets: u32,
    },
    /// The octets are not those that were written.
    #[error("the checksum is wrong")]
    Checksum,
}

/// The records of a file in order, up to the end or the first damage.
pub struct Records<'a> {
    octets: &'a [u8],
    at: usize,
    /// Set when reading ended before the end.
    pub damage: Option<Damage>,
}

impl<'a> Records<'a> {
    /// The records in `octets`, a whole file of this schema.
    pub fn of(octets: &'a [u8], schema: u32) -> Self {
        let header = octets.get(..HEADER_OCTETS);
        let found = header.and_then(|h| h.strip_prefix(MARK.as_slice())).and_then(four);
        let damage = match found {
            None => Some(Damage { at: 0, what: Flaw::NoJournal }),
            Some(found) if found != schema => {
                Some(Damage { at: 0, what: Flaw::Schema { found, known: schema } })
            }
            Some(_) => None,
        };
        Self { octets, at: HEADER_OCTETS, damage }
    }

    fn read(&self) -> Result<Option<&'a [u8]>, Flaw> {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let length = four(rest).ok_or(Flaw::Cut)?;
        let checksum = rest.get(4..).and_then(four).ok_or(Flaw::Cut)?;
        let octets = length as usize;
        if octets > PAYLOAD_OCTETS_MAX {
            return Err(Flaw::Length { octets: length });
        }
        let payload = rest
            .get(RECORD_HEADER_OCTETS..)
            .and_then(|rest| rest.get(..octets))
            .ok_or(Flaw::Cut)?;
        if checksum_of(length, payload) == checksum {
            Ok(Some(payload))
        } else {
            Err(Flaw::Checksum)
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.damage.is_some() {
            return None;
        }
        match self.read() {
            Ok(payload) => {
                self.at += payload.map_or(0, |p| RECORD_HEADER_OCTETS + p.len());
                payload
            }
            Err(what) => {
                self.damage = Some(Damage { at: self.at, what });
                None
            }
        }
    }
}

fn four(octets: &[u8]) -> Option<u32> {
    octets.first_chunk().map(|four| u32::from_le_bytes(*four))
}

fn checksum_of(length: u32, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length.to_le_bytes()), payload)
}

/// A record as it stands in the file.
fn framed(payload: &[u8]) -> Result<Vec<u8>, JournalError> {
    let too_long = || JournalError::TooLong { octets: payload.len() };
    let length = u32::try_from(payload.len()).map_err(|_| too_long())?;
    if payload.len() > PAYLOAD_OCTETS_MAX {
        return Err(too_long());
    }
    let mut octets = Vec::with_capacity(RECORD_HEADER_OCTETS + payload.len());
    octets.extend_from_slice(&length.to_le_bytes());
    octets.extend_from_slice(&checksum_of(length, payload).to_le_bytes());
    octets.extend_from_slice(payload);
    Ok(octets)
}

/// What can be read back from a folder.
#[derive(Debug, Default)]
pub struct ReadBack {
    /// Whole files, oldest first, from the newest one whose snapshot is whole on.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// The file before these, if it is still there: its state is past, what it decided may not be done.
    pub before: Option<Vec<u8>>,
    /// Every damage met, with its file, for the log.
    pub damages: Vec<(PathBuf, Damage)>,
}

/// Reads the files of a folder back: from the newest one that begins with a whole snapshot.
///
/// # Errors
/// The folder or a file cannot be read.
pub fn read_back(folder: &Path, schema: u32) -> Result<ReadBack, JournalError> {
    let mut back = ReadBack::default();
    for (_, path) in numbered(folder)?.into_iter().rev() {
        let octets = fs::read(&path).map_err(|error| at(&path, error))?;
        let mut records = Records::of(&octets, schema);
        let whole = records.next().is_some();
        while records.next().is_some() {}
        if let Some(damage) = records.damage {
            back.damages.push((path.clone(), damage));
        }
        match (whole, back.files.is_empty()) {
            (true, true) => back.files.push((path, octets)),
            (_, false) => {
                back.before = Some(octets);
                break;
            }
            (false, true) => {}
        }
    }
    Ok(back)
}

/// The journal files of a folder by number.
fn numbered(folder: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let mut files = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(at(folder, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| at(folder, error))?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".journal"))
            .and_then(|number| number.parse().ok());
        if let Some(number) = number {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}

fn at(path: &Path, error: io::Error) -> JournalError {
    JournalError::Io { path: path.to_owned(), error }
}

/// The file that is written.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    path: PathBuf,
    file: Arc<File>,
    schema: u32,
    number: u64,
    appended: u64,
}

/// Brings what was appended to the disk, on another thread if need be.
#[derive(Clone, Debug)]
pub struct Syncer {
    file: Arc<File>,
    path: PathBuf,
}

impl Syncer {
    /// Waits until everything appended before is on the disk.
    ///
    /// # Errors
    /// The disk failed: nothing may be promised any more.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|error| at(&self.path, error))
    }
}

impl Journal {
    /// Begins a new file behind all that are there, with `snapshot` as its first record, on the disk on return.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn begin(folder: &Path, schema: u32, snapshot: &[u8]) -> Result<Self, JournalError> {
        fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
        let number = numbered(folder)?.last().map_or(1, |(number, _)| number + 1);
        let path = folder.join(format!("{number:010}.journal"));
        // Complete under another name first: a file of the journal's name has a whole snapshot, or was damaged later.
        let unfinished = folder.join("unfinished");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .open(&unfinished)
            .map_err(|error| at(&unfinished, error))?;
        let mut octets = MARK.to_vec();
        octets.extend_from_slice(&schema.to_le_bytes());
        octets.extend_from_slice(&framed(snapshot)?);
        file.write_all(&octets)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| File::open(folder)?.sync_all())
            .map_err(|error| at(&path, error))?;
        let folder = folder.to_owned();
        Ok(Self { folder, path, file: Arc::new(file), schema, number, appended: 0 })
    }

    /// Ends this file and begins the next with `snapshot`. Keeps this one and removes all before it.
    ///
    /// # Errors
    /// The folder cannot be written; this file goes on.
    pub fn turn(&mut self, snapshot: &[u8]) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|error| at(&self.path, error))?;
        let (appended, kept) = (self.appended, self.number);
        *self = Self::begin(&self.folder, self.schema, snapshot)?;
        self.appended = appended;
        for (number, path) in numbered(&self.folder)? {
            if number < kept {
                fs::remove_file(&path).map_err(|error| at(&path, error))?;
            }
        }
        Ok(())
    }

    /// Writes a record; a killed process has it. Returns how many there are since the beginning.
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn append(&mut self, payload: &[u8]) -> Result<u64, JournalError> {
        let octets = framed(payload)?;
        (&*self.file).write_all(&octets).map_err(|error| at(&self.path, error))?;
        self.appended += 1;
        Ok(self.appended)
    }

    /// Records appended since the beginning.
    pub const fn appended(&self) -> u64 {
        self.appended
    }

    /// For bringing everything appended so far to the disk.
    pub fn syncer(&self) -> Syncer {
        Syncer { file: Arc::clone(&self.file), path: self.path.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tdm::Rng;

    const SCHEMA: u32 = 7;

    fn written() -> (tempfile::TempDir, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::begin(folder.path(), SCHEMA, b"snapshot").unwrap();
        for payload in [&b"first"[..], b"", b"the third, a little longer"] {
            journal.append(payload).unwrap();
        }
        journal.syncer().sync().unwrap();
        let octets = fs::read(folder.path().join("0000000001.journal")).unwrap();
        (folder, octets)
    }

    fn read(octets: &[u8]) -> (Vec<&[u8]>, Option<Damage>) {
        let mut records = Records::of(octets, SCHEMA);
        let all: Vec<&[u8]> = records.by_ref().collect();
        (all, records.damage)
    }

    #[test]
    fn what_was_written_is_read_back_in_order() {
        let (_folder, octets) = written();
        let (records, damage) = read(&octets);
        assert_eq!(records, [&b"snapshot"[..], b"first", b"", b"the third, a little longer"]);
        assert_eq!(damage, None);
    }

    #[test]
    fn a_journal_cut_at_any_octet_is_read_up_to_the_cut_and_says_so() {
        let (_folder, octets) = written();
        let (whole, _) = read(&octets);
        for cut in 0..octets.len() {
            let (records, damage) = read(&octets[..cut]);
            assert_eq!(records, whole[..records.len()], "cut at {cut}");
            let ends: Vec<usize> = whole
                .iter()
                .scan(HEADER_OCTETS, |end, payload| {
                    *end += RECORD_HEADER_OCTETS + payload.len();
                    Some(*end)
                })
                .collect();
            assert_eq!(
                records.len(),
                ends.iter().filter(|&&end| end <= cut).count(),
                "cut at {cut}"
            );
            let clean = cut == HEADER_OCTETS || ends.contains(&cut);
            assert_eq!(damage.is_none(), clean, "cut at {cut}: {damage:?}");
        }
    }

    #[test]
    fn any_flipped_bit_is_found_and_nothing_behind_it_is_believed() {
        let (_folder, mut octets) = written();
        let (whole, _) = read(&octets.clone()).clone_owned();
        for bit in 0..octets.len() * 8 {
            octets[bit / 8] ^= 1 << (bit % 8);
            let (records, damage) = read(&octets);
            assert!(damage.is_some(), "bit {bit} was flipped unnoticed");
            assert!(records.len() < whole.len());
            assert!(records.iter().zip(&whole).all(|(a, b)| *a == &b[..]), "bit {bit}");
            octets[bit / 8] ^= 1 << (bit % 8);
        }
    }

    trait CloneOwned {
        fn clone_owned(self) -> (Vec<Vec<u8>>, Option<Damage>);
    }
    impl CloneOwned for (Vec<&[u8]>, Option<Damage>) {
        fn clone_owned(self) -> (Vec<Vec<u8>>, Option<Damage>) {
            (self.0.into_iter().map(<[u8]>::to_vec).collect(), self.1)
        }
    }

    #[test]
    fn another_schema_is_refused_by_name() {
        let (_folder, octets) = written();
        let damage = Records::of(&octets, 8).damage;
        let what = Flaw::Schema { found: 7, known: 8 };
        assert_eq!(damage, Some(Damage { at: 0, what }));
    }

    #[test]
    fn the_newest_file_with_a_whole_snapshot_counts_and_older_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::begin(folder.path(), SCHEMA, b"one").unwrap();
        journal.append(b"a").unwrap();
        journal.turn(b"two").unwrap();
        journal.append(b"b").unwrap();
        journal.turn(b"three").unwrap();
        assert_eq!(journal.append(b"c").unwrap(), 3);
        let names: Vec<u64> = numbered(folder.path()).unwrap().into_iter().map(|f| f.0).collect();
        assert_eq!(names, [2, 3]);
        let back = read_back(folder.path(), SCHEMA).unwrap();
        let before: Vec<Vec<u8>> =
            Records::of(&back.before.unwrap(), SCHEMA).map(<[u8]>::to_vec).collect();
        assert_eq!(before, [b"two".to_vec(), b"b".to_vec()]);
        let newest = folder.path().join("0000000003.journal");
        let mut octets = fs::read(&newest).unwrap();
        octets[HEADER_OCTETS + 9] ^= 1;
        fs::write(&newest, &octets).unwrap();
        let back = read_back(folder.path(), SCHEMA).unwrap();
        assert_eq!(back.damages.len(), 1);
        let (_, file) = &back.files[0];
        assert_eq!(Records::of(file, SCHEMA).collect::<Vec<_>>(), [b"two".as_slice(), b"b"]);
        let next = Journal::begin(folder.path(), SCHEMA, b"four").unwrap();
        assert_eq!(next.number, 4);
    }

    /// Arbitrary octets, and a valid file with arbitrary changes.
    #[test]
    fn a_million_arbitrary_files_are_read_without_harm() {
        let (_folder, octets) = written();
        let mut rng = Rng::from_seed(99);
        let mut mutated = octets.clone();
        for _ in 0..1_000_000 {
            mutated.clone_from(&octets);
            if rng.chance(0.3) {
                mutated.truncate(rng.below(octets.len() as u64 + 1) as usize);
            }
            for _ in 0..rng.below(4) {
                if let Some(octet) = {
                    let at = rng.below(mutated.len().max(1) as u64) as usize;
                    mutated.get_mut(at)
                } {
                    *octet = rng.next_u64() as u8;
                }
            }
            let (records, _) = read(&mutated);
            assert!(records.len() <= 4);
        }
    }
}
