//! The prints of all announcements, kept beside them: to make them anew out of ten thousand recordings takes long.
//!
//! One file, that nobody needs: what it does not have, what has changed since, and everything, if it is damaged or of another
//! version, is made anew. It is there as a whole or not at all.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use dsp::fingerprint::Print;

/// Its name, among the folders of the meanings.
pub const FILE: &str = "prints.cache";
/// What it begins with. The last octet is the version: of this file, and of how prints are made.
const MAGIC: [u8; 8] = *b"TLPRINT\x01";

/// By which a recording is known to be the same still: its length, and when its content and its place in the file system
/// changed, in seconds and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    octets: u64,
    changed: [i64; 4],
}

impl Stamp {
    /// Of a file.
    pub fn of(file: &Metadata) -> Self {
        let changed = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
        Self { octets: file.len(), changed }
    }
}

/// What is kept of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of which state of the file it was made.
    pub stamp: Stamp,
    /// How long it is.
    pub millis: u32,
    /// Its print.
    pub print: Print,
}

/// Entries by the name of a recording and its meaning's folder.
pub type Entries = BTreeMap<String, Entry>;

/// What is kept in `folder`; nothing, if it cannot be read.
pub fn read(folder: &Path) -> Entries {
    let octets = std::fs::read(folder.join(FILE)).unwrap_or_default();
    parse(&octets).unwrap_or_default()
}

/// The content of the file.
pub fn content(entries: &Entries) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for (name, entry) in entries {
        let words = entry.print.words();
        // Names have some 80 octets, prints 8,192 words.
        out.extend((name.len() as u32).to_le_bytes());
        out.extend(name.as_bytes());
        out.extend(entry.stamp.octets.to_le_bytes());
        entry.stamp.changed.iter().for_each(|part| out.extend(part.to_le_bytes()));
        out.extend(entry.millis.to_le_bytes());
        out.extend((words.len() as u32).to_le_bytes());
        words.iter().for_each(|word| out.extend(word.to_le_bytes()));
    }
    let sum = sum(&out);
    out.extend(sum.to_le_bytes());
    out
}

/// `None`: damaged, or of another version.
fn parse(octets: &[u8]) -> Option<Entries> {
    let (body, told) = octets.split_last_chunk::<8>()?;
    let mut rest = body.strip_prefix(&MAGIC)?;
    if sum(body) != u64::from_le_bytes(*told) {
        return None;
    }
    let mut entries = Entries::new();
    while !rest.is_empty() {
        let name = take(&mut rest)?;
        let name = String::from_utf8(part(&mut rest, u32::from_le_bytes(name) as usize)?.into());
        let mut stamp = Stamp { octets: u64::from_le_bytes(take(&mut rest)?), changed: [0; 4] };
        for changed in &mut stamp.changed {
            *changed = i64::from_le_bytes(take(&mut rest)?);
        }
        let millis = u32::from_le_bytes(take(&mut rest)?);
        let words = u32::from_le_bytes(take(&mut rest)?) as usize;
        let words = part(&mut rest, words.checked_mul(4)?)?.as_chunks().0.iter();
        let print = Print::from_words(words.map(|&word| u32::from_le_bytes(word)));
        entries.insert(name.ok()?, Entry { stamp, millis, print });
    }
    Some(entries)
}

fn part<'a>(rest: &mut &'a [u8], octets: usize) -> Option<&'a [u8]> {
    let (part, behind) = rest.split_at_checked(octets)?;
    *rest = behind;
    Some(part)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (part, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*part)
}

/// FNV-1a over eight octets at a time: against a torn write, not against anybody.
fn sum(octets: &[u8]) -> u64 {
    let step = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x0000_0100_0000_01B3);
    let (words, rest) = octets.as_chunks::<8>();
    let sum =
        words.iter().fold(0xCBF2_9CE4_8422_2325, |s, &word| step(s, u64::from_le_bytes(word)));
    rest.iter().fold(sum, |sum, &octet| step(sum, u64::from(octet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Entries {
        let mut rng = tdm::Rng::from_seed(1);
        (0..20_u32)
            .map(|n| {
                let words = (0..n * 7).map(|_| rng.below(1 << 20) as u32 | 1 << 31);
                let stamp = Stamp { octets: u64::from(n), changed: [-1, 5, i64::from(n), 7] };
                let print = Print::from_words(words.collect::<Vec<_>>());
                (format!("vacant/{n}.wav"), Entry { stamp, millis: 16 * n, print })
            })
            .collect()
    }

    #[test]
    fn what_was_kept_is_read_again_and_what_is_damaged_anywhere_is_not() {
        let octets = content(&entries());
        assert_eq!(parse(&octets), Some(entries()));
        assert_eq!(parse(&content(&Entries::new())), Some(Entries::new()));
        for end in 0..octets.len() {
            assert_eq!(parse(&octets[..end]), None, "cut off at {end}");
        }
        for at in 0..octets.len() {
            let mut damaged = octets.clone();
            damaged[at] ^= 0x10;
            assert_eq!(parse(&damaged), None, "damaged at {at}");
        }
    }
}
