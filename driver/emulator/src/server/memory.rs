//! The client's memory as the board's DMA sees it: what was mapped, looked up at each access.

use std::os::fd::OwnedFd;

use bus::{HostMemory, LentMemory};

/// Ranges one client may map at once. Firmware of a virtual machine maps dozens.
const RANGES_MAX: usize = 1024;

const READABLE: u32 = 1 << 0;
const WRITABLE: u32 = 1 << 1;

/// What the client lets the board reach, in the order of the addresses.
#[derive(Default)]
pub(crate) struct ClientMemory {
    ranges: Vec<Range>,
}

struct Range {
    start: u64,
    /// The first address behind it.
    end: u64,
    readable: bool,
    writable: bool,
    /// Nothing when the client gave no descriptor: the range exists and nobody here can reach it.
    memory: Option<LentMemory>,
}

impl ClientMemory {
    /// Maps a range of device addresses on a file.
    ///
    /// # Errors
    /// An errno, when the range is none, overlaps another, or the file cannot be mapped so.
    pub(crate) fn map(
        &mut self,
        flags: u32,
        offset: u64,
        (start, octets): (u64, u64),
        file: Option<OwnedFd>,
    ) -> Result<(), i32> {
        let end = start.checked_add(octets).filter(|&end| end > start).ok_or(libc::EINVAL)?;
        let position = self.ranges.partition_point(|range| range.end <= start);
        if self.ranges.get(position).is_some_and(|next| next.start < end) {
            return Err(libc::EEXIST);
        }
        if self.ranges.len() >= RANGES_MAX {
            return Err(libc::ENOSPC);
        }
        let writable = flags & WRITABLE != 0;
        let memory = file.map(|file| {
            let octets = usize::try_from(octets).map_err(|_| libc::EINVAL)?;
            LentMemory::of(file, offset, octets, writable)
                .map_err(|error| error.raw_os_error().unwrap_or(libc::EINVAL))
        });
        let readable = flags & READABLE != 0;
        let range = Range { start, end, readable, writable, memory: memory.transpose()? };
        self.ranges.insert(position, range);
        Ok(())
    }
    /// Forgets what lies inside a range; what was never mapped is no error.
    pub(crate) fn unmap(&mut self, start: u64, octets: u64) {
        let end = start.saturating_add(octets);
        self.ranges.retain(|range| range.start < start || range.end > end);
    }
    pub(crate) fn unmap_all(&mut self) {
        self.ranges.clear();
    }
    #[cfg(test)]
    pub(crate) fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// Calls `copy` for each piece of `octets` from `address`: the memory, the offset in it, and which part of the
    /// whole. `false`, and nothing called, when a part is not reachable; `false`, too, as soon as a copy fails: the client
    /// took that memory away.
    fn pieces(
        &self,
        address: u64,
        octets: usize,
        reachable: impl Fn(&Range) -> bool,
        mut copy: impl FnMut(&LentMemory, usize, std::ops::Range<usize>) -> bool,
    ) -> bool {
        let Some(end) = address.checked_add(octets as u64) else { return false };
        let first = self.ranges.partition_point(|range| range.end <= address);
        let touched = || {
            let rest = self.ranges.get(first..).unwrap_or_default();
            rest.iter().take_while(|range| range.start < end)
        };
        let mut covered = address;
        for range in touched() {
            if range.start > covered || !reachable(range) || range.memory.is_none() {
                return false;
            }
            covered = range.end;
        }
        if covered < end {
            return false;
        }
        for range in touched() {
            let (from, to) = (range.start.max(address), range.end.min(end));
            let part = (from - address) as usize..(to - address) as usize;
            let copied = |memory| copy(memory, (from - range.start) as usize, part);
            if !range.memory.as_ref().is_some_and(copied) {
                return false;
            }
        }
        true
    }
}

impl HostMemory for ClientMemory {
    fn fetch(&self, address: u64, into: &mut [u8]) -> bool {
        let octets = into.len();
        self.pieces(
            address,
            octets,
            |range| range.readable,
            |memory, offset, part| into.get_mut(part).is_some_and(|into| memory.read(offset, into)),
        )
    }
    fn store(&self, address: u64, from: &[u8]) -> bool {
        self.pieces(
            address,
            from.len(),
            |range| range.writable,
            |memory, offset, part| from.get(part).is_some_and(|from| memory.write(offset, from)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus::SharedMapping;

    const BOTH: u32 = READABLE | WRITABLE;

    fn file(octets: usize) -> OwnedFd {
        SharedMapping::memfd(octets).unwrap().1
    }

    #[test]
    fn an_access_runs_across_neighbours_and_stops_before_a_hole() {
        let mut memory = ClientMemory::default();
        memory.map(BOTH, 0, (0x3000, 0x1000), Some(file(4096))).unwrap();
        memory.map(BOTH, 0, (0x1000, 0x1000), Some(file(4096))).unwrap();
        memory.map(BOTH, 4096, (0x2000, 0x1000), Some(file(8192))).unwrap();
        let data: Vec<u8> = (0..6000).map(|n| (n % 251) as u8).collect();
        assert!(memory.store(0x1800, &data));
        let mut back = vec![0; 6000];
        assert!(memory.fetch(0x1800, &mut back));
        assert_eq!(back, data);
        assert!(!memory.store(0x3FFF, &[1, 2]) && !memory.fetch(0xFFF, &mut [0; 2]));
        memory.unmap(0x2000, 0x1000);
        assert!(!memory.fetch(0x1800, &mut back));
        assert!(memory.fetch(0x1FFF, &mut [0]));
    }

    /// A client that makes its memory shorter while the board uses it loses the access, and nobody the process.
    #[test]
    fn memory_that_the_client_takes_away_is_out_of_reach_and_what_is_left_is_not() {
        let kept = nix::sys::memfd::memfd_create(c"client", nix::sys::memfd::MFdFlags::empty());
        let kept = std::fs::File::from(kept.unwrap());
        kept.set_len(8192).unwrap();
        let mut memory = ClientMemory::default();
        let lent = kept.try_clone().unwrap().into();
        memory.map(BOTH, 0, (0x1000, 0x2000), Some(lent)).unwrap();
        assert!(memory.store(0x1F00, &[7; 512]) && memory.fetch(0x1F00, &mut [0; 512]));
        kept.set_len(4096).unwrap();
        assert!(!memory.store(0x1F00, &[7; 512]) && !memory.fetch(0x1F00, &mut [0; 512]));
        assert!(memory.store(0x1E00, &[7; 512]) && memory.fetch(0x1E00, &mut [0; 512]));
        assert_eq!(kept.metadata().unwrap().len(), 4096, "it does not grow again");
    }

    #[test]
    fn rights_and_ranges_without_a_file_are_kept() {
        let mut memory = ClientMemory::default();
        memory.map(READABLE, 0, (0, 4096), Some(file(4096))).unwrap();
        memory.map(BOTH, 0, (4096, 4096), None).unwrap();
        assert!(memory.fetch(0, &mut [0; 8]) && !memory.store(0, &[0; 8]));
        assert!(!memory.fetch(4096, &mut [0; 8]) && !memory.store(4096, &[0; 8]));
        assert!(!memory.fetch(4092, &mut [0; 8]), "half of it is out of reach");
    }

    #[test]
    fn ranges_that_are_none_are_refused_by_their_reason() {
        let mut memory = ClientMemory::default();
        memory.map(BOTH, 0, (0x1000, 0x1000), None).unwrap();
        assert_eq!(memory.map(BOTH, 0, (0x1800, 8), None), Err(libc::EEXIST));
        assert_eq!(memory.map(BOTH, 0, (0, 0), None), Err(libc::EINVAL));
        assert_eq!(memory.map(BOTH, 0, (u64::MAX, 2), None), Err(libc::EINVAL));
        assert!(memory.map(BOTH, 0, (0x8000, 0x2000), Some(file(4096))).is_err(), "short file");
        memory.unmap(0x7777_0000, 0x1000);
        assert_eq!(memory.ranges(), 1);
    }
}
