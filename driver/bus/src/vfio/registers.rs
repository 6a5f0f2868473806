//! A region of registers: mapped where the kernel allows it, read and written through the file otherwise.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::calls::RegionPlace;

/// Registers of a device.
pub(super) struct Registers {
    place: RegionPlace,
    mapped: Option<Mapped>,
}

impl Registers {
    /// Through the file, access by access.
    pub(super) fn copied(place: RegionPlace) -> Self {
        Self { place, mapped: None }
    }
    /// Mapped into this process.
    pub(super) fn mapped(place: RegionPlace, device: &File) -> io::Result<Self> {
        Ok(Self { place, mapped: Some(Mapped::new(place, device)?) })
    }
    pub(super) fn is_mapped(&self) -> bool {
        self.mapped.is_some()
    }
    pub(super) fn octets(&self) -> u64 {
        self.place.octets
    }

    /// Reads `octets` (1, 2 or 4) at `offset`, which lies inside.
    pub(super) fn read(&self, device: &File, offset: u32, octets: u8) -> io::Result<u32> {
        if let Some(mapped) = &self.mapped {
            return Ok(mapped.read(offset as usize, octets));
        }
        let mut value = [0; 4];
        let (part, _) = value.split_at_mut(usize::from(octets).min(4));
        device.read_exact_at(part, self.place.offset + u64::from(offset))?;
        Ok(u32::from_le_bytes(value))
    }
    /// Writes `octets` (1, 2 or 4) at `offset`, which lies inside.
    pub(super) fn write(
        &self,
        device: &File,
        offset: u32,
        octets: u8,
        value: u32,
    ) -> io::Result<()> {
        if let Some(mapped) = &self.mapped {
            mapped.write(offset as usize, octets, value);
            return Ok(());
        }
        let value = value.to_le_bytes();
        let (part, _) = value.split_at(usize::from(octets).min(4));
        device.write_all_at(part, self.place.offset + u64::from(offset))
    }
}

/// Device registers in this process's address space.
struct Mapped {
    base: NonNull<u8>,
    len: NonZeroUsize,
}

// SAFETY: the mapping belongs to no thread; accesses are volatile and of a width the bus makes one access of.
unsafe impl Send for Mapped {}
// SAFETY: as above: two accesses at once are two accesses on the bus.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn new(place: RegionPlace, device: &File) -> io::Result<Self> {
        let len = usize::try_from(place.octets).ok().and_then(NonZeroUsize::new);
        let len = len.ok_or(io::ErrorKind::InvalidInput)?;
        let offset = i64::try_from(place.offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let flags = MapFlags::MAP_SHARED;
        // SAFETY: the kernel chooses a fresh range, so nothing that exists is replaced, and it lives until
        // `Drop` unmaps it.
        let base = unsafe { mmap(None, len, protection, flags, device.as_fd(), offset)? };
        Ok(Self { base: base.cast(), len })
    }

    /// The address of an access that is inside and aligned.
    ///
    /// # Panics
    /// When the access leaves the mapping or is not aligned: the register map is wrong.
    fn at(&self, offset: usize, octets: u8) -> *mut u8 {
        let octets = usize::from(octets);
        assert!(offset.is_multiple_of(octets) && offset + octets <= self.len.get());
        // SAFETY: the assertion keeps the whole access inside the mapping.
        unsafe { self.base.as_ptr().add(offset) }
    }
    fn read(&self, offset: usize, octets: u8) -> u32 {
        let at = self.at(offset, octets);
        // SAFETY: `at` is inside the mapping and aligned for the width; volatile, so that the compiler neither
        // drops nor repeats the access, and no reference to device memory is ever made.
        unsafe {
            match octets {
                1 => at.read_volatile().into(),
                2 => u16::from_le(at.cast::<u16>().read_volatile()).into(),
                _ => u32::from_le(at.cast::<u32>().read_volatile()),
            }
        }
    }
    fn write(&self, offset: usize, octets: u8, value: u32) {
        let at = self.at(offset, octets);
        // SAFETY: as in `read`.
        unsafe {
            match octets {
                1 => at.write_volatile(value as u8),
                2 => at.cast::<u16>().write_volatile((value as u16).to_le()),
                _ => at.cast::<u32>().write_volatile(value.to_le()),
            }
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the range came from `mmap` with this length and nobody else unmaps it. It cannot fail for
        // such a range.
        let _ = unsafe { munmap(self.base.cast(), self.len.get()) };
    }
}
