//! Memory that another process lends by its file.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};

use crate::SharedMapping;

/// A range of a file that somebody else owns.
///
/// Mapped, memory that its owner makes shorter kills whoever touches what is gone (SIGBUS), and no check before the
/// access helps against it. So it is mapped only when the file is sealed against shrinking, as a driver's DMA memory
/// and a virtual machine's `memory-backend-memfd` are; any other file is read and written through the system, which
/// refuses what is gone. That costs calls: 3 µs to read a board's millisecond and 9 µs to write it, where mapped memory
/// takes 0.6 µs each (a busy host of two cores).
#[derive(Debug)]
pub struct LentMemory(Access);

#[derive(Debug)]
enum Access {
    Mapped(SharedMapping),
    File { file: File, offset: u64, octets: usize, writable: bool },
}

impl LentMemory {
    /// Takes `octets` of `file` from `offset` (a multiple of the page size where it is mapped).
    ///
    /// # Errors
    /// As the system refuses, when the file is shorter than the range, and when it is no regular file.
    pub fn of(file: OwnedFd, offset: u64, octets: usize, writable: bool) -> io::Result<Self> {
        let file = File::from(file);
        if is_sealed(&file) {
            let mapping = SharedMapping::of(file.as_fd(), offset, octets, writable)?;
            return Ok(Self(Access::Mapped(mapping)));
        }
        let what = file.metadata()?;
        let end = offset.checked_add(octets as u64);
        if !what.is_file() || octets == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if end.is_none_or(|end| end > what.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self(Access::File { file, offset, octets, writable }))
    }

    /// Whether it is mapped; otherwise each access is a call of the system.
    pub const fn is_mapped(&self) -> bool {
        matches!(self.0, Access::Mapped(_))
    }

    /// Copies out of the range from `at` on; `false` when that leaves it, or the file has become shorter. Then `into`
    /// holds anything.
    pub fn read(&self, at: usize, into: &mut [u8]) -> bool {
        match &self.0 {
            Access::Mapped(mapping) => mapping.read(at, into),
            Access::File { file, offset, octets, .. } => place(*offset, *octets, at, into.len())
                .is_some_and(|from| file.read_exact_at(into, from).is_ok()),
        }
    }

    /// Copies into the range from `at` on; `false` when that leaves it, the file has become shorter, or the range is for
    /// reading only.
    pub fn write(&self, at: usize, from: &[u8]) -> bool {
        match &self.0 {
            Access::Mapped(mapping) => mapping.write(at, from),
            Access::File { file, offset, octets, writable } => {
                let place = place(*offset, *octets, at, from.len()).filter(|_| *writable);
                place.is_some_and(|to| {
                    // A write behind the end would make the file longer again.
                    let end = to.saturating_add(from.len() as u64);
                    let there = file.metadata().is_ok_and(|now| now.len() >= end);
                    there && file.write_all_at(from, to).is_ok()
                })
            }
        }
    }
}

/// Where in the file `len` octets from `at` of the range begin, when they are inside.
fn place(offset: u64, octets: usize, at: usize, len: usize) -> Option<u64> {
    let inside = at.checked_add(len).is_some_and(|end| end <= octets);
    inside.then(|| offset.checked_add(at as u64)).flatten()
}

/// Whether nobody can make the file shorter any more.
fn is_sealed(file: &File) -> bool {
    // Files that know no seals refuse the question.
    fcntl(file, FcntlArg::F_GET_SEALS)
        .is_ok_and(|seals| SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_SHRINK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};

    /// A memory file that its owner may still make shorter, as lent and as kept.
    fn unsealed(octets: u64) -> (OwnedFd, File) {
        let kept = File::from(memfd_create(c"lent", MFdFlags::MFD_CLOEXEC).unwrap());
        kept.set_len(octets).unwrap();
        (kept.try_clone().unwrap().into(), kept)
    }

    #[test]
    fn what_is_written_by_one_side_is_read_by_the_other_mapped_or_not() {
        let (lent, kept) = unsealed(8192);
        let theirs = SharedMapping::of(kept.as_fd(), 4096, 4096, true).unwrap();
        let file = LentMemory::of(lent, 4096, 4096, true).unwrap();
        let (ours, sealed) = SharedMapping::memfd(4096).unwrap();
        let mapped = LentMemory::of(sealed, 0, 4096, true).unwrap();
        assert!(mapped.is_mapped() && !file.is_mapped());
        for (lent, other) in [(&file, &theirs), (&mapped, &ours)] {
            let mut seen = [0; 5];
            assert!(lent.write(4091, b"hello") && other.read(4091, &mut seen));
            assert_eq!(&seen, b"hello");
            assert!(other.write(17, b"world") && lent.read(17, &mut seen));
            assert_eq!(&seen, b"world");
            assert!(!lent.write(4092, b"hello") && !lent.read(usize::MAX, &mut seen));
        }
    }

    #[test]
    fn memory_that_its_owner_takes_away_is_refused_and_not_made_anew() {
        let (lent, kept) = unsealed(8192);
        let memory = LentMemory::of(lent, 0, 8192, true).unwrap();
        assert!(memory.write(0, &[1; 8192]));
        kept.set_len(4096).unwrap();
        assert!(memory.write(0, &[2; 4096]) && memory.read(0, &mut [0; 4096]));
        assert!(!memory.write(4000, &[3; 200]) && !memory.read(4000, &mut [0; 200]));
        kept.set_len(0).unwrap();
        assert!(!memory.write(0, &[3]) && !memory.read(0, &mut [0]));
        assert_eq!(kept.metadata().unwrap().len(), 0);
    }

    #[test]
    fn ranges_that_are_none_and_files_that_are_no_memory_are_refused() {
        let (lent, _kept) = unsealed(4096);
        assert!(LentMemory::of(lent, 4096, 1, true).is_err());
        let (lent, _kept) = unsealed(4096);
        assert!(LentMemory::of(lent, 0, 0, true).is_err());
        let (pipe, _end) = std::io::pipe().unwrap();
        assert!(LentMemory::of(pipe.into(), 0, 8, false).is_err());
        let (lent, _kept) = unsealed(4096);
        let reading = LentMemory::of(lent, 0, 4096, false).unwrap();
        assert!(reading.read(0, &mut [0; 8]) && !reading.write(0, &[0; 8]));
    }
}
