//! Memory that two sides share: a board and its driver, perhaps in two processes.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

const WORD: usize = size_of::<u64>();

/// A mapping of a memory file. The other side may change it at any moment, so it is only ever copied from
/// and to, in whole aligned words where both ends allow it: no reference into it exists.
#[derive(Debug)]
pub struct SharedMapping {
    base: NonNull<u8>,
    len: NonZeroUsize,
    writable: bool,
}

// SAFETY: the mapping belongs to no thread; every access is an atomic load or store, and `Drop` needs
// the last owner.
unsafe impl Send for SharedMapping {}
// SAFETY: as above: shared access is atomic, word by word.
unsafe impl Sync for SharedMapping {}

impl SharedMapping {
    /// A new zeroed memory file of `octets`, mapped writable, and the file for the other side. Its
    /// size is sealed: neither side can pull the memory away from under the other.
    ///
    /// # Errors
    /// As the system refuses: no memory left, or `octets` is zero.
    pub fn memfd(octets: usize) -> io::Result<(Self, OwnedFd)> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"trunkline-dma", flags)?);
        file.set_len(octets as u64)?;
        let seals = nix::fcntl::SealFlag::F_SEAL_SHRINK | nix::fcntl::SealFlag::F_SEAL_GROW;
        nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_ADD_SEALS(seals))?;
        let mapping = Self::of(file.as_fd(), 0, octets, true)?;
        Ok((mapping, file.into()))
    }

    /// Maps `octets` of `file` from `offset` (a multiple of the page size).
    ///
    /// # Errors
    /// As the system refuses, and when the file is shorter than the range: an access behind its end
    /// would kill the process.
    pub fn of(
        file: BorrowedFd<'_>,
        offset: u64,
        octets: usize,
        writable: bool,
    ) -> io::Result<Self> {
        let len = NonZeroUsize::new(octets).ok_or(io::ErrorKind::InvalidInput)?;
        let size = File::from(file.try_clone_to_owned()?).metadata()?.len();
        let end = offset.checked_add(octets as u64);
        if end.is_none_or(|end| end > size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut protection = ProtFlags::PROT_READ;
        protection.set(ProtFlags::PROT_WRITE, writable);
        // SAFETY: the kernel chooses a fresh range, so nothing that exists is replaced; the range is
        // inside the file, and it lives until `Drop` unmaps it.
        let base = unsafe { mmap(None, len, protection, MapFlags::MAP_SHARED, file, offset)? };
        Ok(Self { base: base.cast(), len, writable })
    }

    /// Where it begins in this process, for the kernel to map it for a device.
    pub(crate) fn base(&self) -> *const u8 {
        self.base.as_ptr()
    }

    /// Octets.
    pub fn octets(&self) -> usize {
        self.len.get()
    }

    /// Whether [`SharedMapping::write`] can succeed.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The address of `octets` from `offset`, when they are inside.
    fn range(&self, offset: usize, octets: usize) -> Option<NonNull<u8>> {
        let inside = offset.checked_add(octets).is_some_and(|end| end <= self.len.get());
        // SAFETY: `offset` is at most the length of the mapping.
        inside.then(|| unsafe { self.base.add(offset) })
    }

    /// Copies out of the mapping; `false`, and nothing copied, when the range leaves it.
    pub fn read(&self, offset: usize, into: &mut [u8]) -> bool {
        let Some(from) = self.range(offset, into.len()) else { return false };
        let from = from.as_ptr();
        let (words, tail) = split(from, into.len());
        let (head, rest) = into.split_at_mut(words * WORD);
        for (n, word) in head.chunks_exact_mut(WORD).enumerate() {
            // SAFETY: `range` proved that the whole copy is inside the mapping, `split` that `from`
            // is aligned when there are words; other sides access the memory atomically as well.
            let value = unsafe { AtomicU64::from_ptr(from.add(n * WORD).cast()) };
            word.copy_from_slice(&value.load(Ordering::Relaxed).to_ne_bytes());
        }
        for (n, octet) in rest.iter_mut().enumerate() {
            // SAFETY: as above; an octet is always aligned.
            *octet = unsafe { AtomicU8::from_ptr(from.add(tail + n)) }.load(Ordering::Relaxed);
        }
        true
    }

    /// Copies into the mapping; `false`, and nothing copied, when the range leaves it or it is mapped
    /// for reading only.
    pub fn write(&self, offset: usize, from: &[u8]) -> bool {
        let Some(to) = self.range(offset, from.len()).filter(|_| self.writable) else {
            return false;
        };
        let to = to.as_ptr();
        let (words, tail) = split(to, from.len());
        let (head, rest) = from.split_at(words * WORD);
        for (n, word) in head.chunks_exact(WORD).enumerate() {
            let mut value = [0; WORD];
            value.copy_from_slice(word);
            // SAFETY: as in `read`, and the mapping is writable.
            let place = unsafe { AtomicU64::from_ptr(to.add(n * WORD).cast()) };
            place.store(u64::from_ne_bytes(value), Ordering::Relaxed);
        }
        for (n, &octet) in rest.iter().enumerate() {
            // SAFETY: as in `read`, and the mapping is writable.
            unsafe { AtomicU8::from_ptr(to.add(tail + n)) }.store(octet, Ordering::Relaxed);
        }
        true
    }
}

impl Drop for SharedMapping {
    fn drop(&mut self) {
        // SAFETY: the range came from `mmap` with this length and nobody else unmaps it. It cannot
        // fail for such a range.
        let _ = unsafe { munmap(self.base.cast(), self.len.get()) };
    }
}

/// How many whole words of a copy of `octets` at `at` can be taken at once, and where the rest begins.
fn split(at: *const u8, octets: usize) -> (usize, usize) {
    let words = if at.addr().is_multiple_of(WORD) { octets / WORD } else { 0 };
    (words, words * WORD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tdm::Rng;

    #[test]
    fn copies_agree_with_a_vector_at_every_alignment() {
        const OCTETS: usize = 4096;
        let (mapping, file) = SharedMapping::memfd(OCTETS).unwrap();
        let other = SharedMapping::of(file.as_fd(), 0, OCTETS, false).unwrap();
        let (mut model, mut rng) = (vec![0_u8; OCTETS], Rng::from_seed(11));
        for _ in 0..20_000 {
            let offset = rng.below(OCTETS as u64 + 8) as usize;
            let octets = rng.below(70) as usize;
            let data: Vec<u8> = (0..octets).map(|_| rng.next_u64() as u8).collect();
            let inside = offset + octets <= OCTETS;
            assert_eq!(mapping.write(offset, &data), inside);
            if inside {
                model[offset..offset + octets].copy_from_slice(&data);
            }
            let offset = rng.below(OCTETS as u64) as usize;
            let octets = rng.below((OCTETS - offset + 1) as u64) as usize;
            let mut seen = vec![0xEE; octets];
            assert!(other.read(offset, &mut seen));
            assert_eq!(seen, model[offset..offset + octets]);
        }
    }

    #[test]
    fn a_mapping_longer_than_its_file_is_refused() {
        let (_, file) = SharedMapping::memfd(4096).unwrap();
        assert!(SharedMapping::of(file.as_fd(), 0, 4097, true).is_err());
        assert!(SharedMapping::of(file.as_fd(), 4096, 1, true).is_err());
        assert!(SharedMapping::of(file.as_fd(), u64::MAX, 2, true).is_err());
        assert!(SharedMapping::of(file.as_fd(), 0, 0, true).is_err());
        assert!(File::from(file).set_len(0).is_err(), "the size is sealed");
    }

    #[test]
    fn a_mapping_for_reading_takes_no_write() {
        let (_, file) = SharedMapping::memfd(4096).unwrap();
        let mapping = SharedMapping::of(file.as_fd(), 0, 4096, false).unwrap();
        assert!(!mapping.write(0, &[1]));
        assert!(!mapping.is_writable());
    }
}
