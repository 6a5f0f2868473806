//! Device addresses below 4 GiB: which are given away, and what stands behind each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{BusError, SharedMapping};

/// Where the first region begins: away from zero, so that a card that forgot its address is caught.
const FIRST: u64 = 0x0100_0000;
/// The first address behind the last region.
const END: u64 = 0xF000_0000;
/// Regions begin at multiples of this.
const PAGE: u64 = 4096;
/// Regions that may exist at once.
pub(crate) const REGIONS_MAX: usize = 64;
/// Octets one region may have.
pub(crate) const REGION_OCTETS_MAX: usize = 16 << 20;

/// Octets rounded up to whole pages; what is too much or nothing is refused.
pub(crate) fn whole_pages(octets: usize) -> Result<usize, BusError> {
    if octets == 0 || octets > REGION_OCTETS_MAX {
        let why = format!("a region has 1 to {REGION_OCTETS_MAX} octets");
        return Err(BusError::NoDma { octets, why });
    }
    Ok(octets.next_multiple_of(PAGE as usize))
}

/// The regions that exist, in the order of their addresses.
#[derive(Debug, Default)]
pub(crate) struct Regions {
    live: Vec<(u64, Arc<SharedMapping>)>,
    /// First and last address of what can be given away; all of it when nothing is said.
    within: Vec<(u64, u64)>,
}

/// Regions that a bus and its regions' owners reach.
pub(crate) type SharedRegions = Arc<Mutex<Regions>>;

/// The regions, also after a thread that held them panicked: the table is consistent between any two steps.
pub(crate) fn lock(regions: &Mutex<Regions>) -> MutexGuard<'_, Regions> {
    regions.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Regions {
    /// None yet; addresses are given away inside `ranges` alone (first and last of each).
    pub(crate) fn within(ranges: Vec<(u64, u64)>) -> Self {
        Self { live: Vec::new(), within: ranges }
    }

    /// The lowest address from `from` on where `size` octets may be.
    fn allowed(&self, from: u64, size: u64) -> Option<u64> {
        if self.within.is_empty() {
            return Some(from);
        }
        let fits = self.within.iter().filter_map(|&(first, last)| {
            let start = from.max(first.checked_next_multiple_of(PAGE)?);
            (start.checked_add(size)?.checked_sub(1)? <= last).then_some(start)
        });
        fits.min()
    }

    /// Gives `mapping` the lowest free address.
    pub(crate) fn insert(&mut self, mapping: Arc<SharedMapping>) -> Result<u32, BusError> {
        let octets = mapping.octets();
        let refused = |why: String| BusError::NoDma { octets, why };
        if self.live.len() >= REGIONS_MAX {
            return Err(refused(format!("{REGIONS_MAX} regions exist already")));
        }
        let size = (octets as u64).next_multiple_of(PAGE);
        let none = || refused("no device addresses are left below 4 GiB".into());
        let mut start = self.allowed(FIRST, size).ok_or_else(none)?;
        let mut position = 0;
        for (address, other) in &self.live {
            if start.saturating_add(size) <= *address {
                break;
            }
            let behind = address.saturating_add((other.octets() as u64).next_multiple_of(PAGE));
            start = self.allowed(start.max(behind), size).ok_or_else(none)?;
            position += 1;
        }
        if start.saturating_add(size) > END {
            return Err(none());
        }
        let address = u32::try_from(start).map_err(|_| refused("address above 4 GiB".into()))?;
        self.live.insert(position, (start, mapping));
        Ok(address)
    }

    /// Frees the region at `address`.
    pub(crate) fn remove(&mut self, address: u32) {
        self.live.retain(|(start, _)| *start != u64::from(address));
    }

    /// The region around `octets` from `address`, and where in it they begin.
    pub(crate) fn find(&self, address: u64, octets: usize) -> Option<(&SharedMapping, usize)> {
        let (start, mapping) = self.live.iter().rev().find(|(start, _)| *start <= address)?;
        let offset = usize::try_from(address.checked_sub(*start)?).ok()?;
        let end = offset.checked_add(octets)?;
        (end <= mapping.octets()).then_some((mapping, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(octets: usize) -> Arc<SharedMapping> {
        Arc::new(SharedMapping::memfd(octets).unwrap().0)
    }

    #[test]
    fn a_freed_address_is_given_away_again_and_none_overlap() {
        let mut regions = Regions::default();
        let a = regions.insert(mapping(4096)).unwrap();
        let b = regions.insert(mapping(8192)).unwrap();
        let c = regions.insert(mapping(4096)).unwrap();
        assert_eq!((a, b, c), (0x0100_0000, 0x0100_1000, 0x0100_3000));
        regions.remove(b);
        assert!(regions.find(u64::from(b), 1).is_none());
        assert_eq!(regions.insert(mapping(12_288)).unwrap(), 0x0100_4000);
        assert_eq!(regions.insert(mapping(8192)).unwrap(), b);
    }

    #[test]
    fn addresses_an_iommu_cannot_map_are_passed_over() {
        let ranges = vec![(0, 0x0100_1FFF), (0x0200_0800, 0x0200_5FFF), (0xFFFF_0000, u64::MAX)];
        let mut regions = Regions::within(ranges);
        let given = [4096, 8192, 4096, 8192].map(|octets| regions.insert(mapping(octets)).ok());
        let expected = [0x0100_0000, 0x0200_1000, 0x0100_1000, 0x0200_3000];
        assert_eq!(given, expected.map(Some));
        assert_eq!(regions.insert(mapping(4096)).ok(), Some(0x0200_5000));
        // What is behind is above what a board can be told.
        assert_eq!(regions.insert(mapping(4096)).ok(), None);
        regions.remove(0x0200_3000);
        assert_eq!(regions.insert(mapping(4096)).ok(), Some(0x0200_3000));
    }

    #[test]
    fn a_range_is_found_only_when_all_of_it_is_mapped() {
        let mut regions = Regions::default();
        let a = u64::from(regions.insert(mapping(4096)).unwrap());
        assert!(regions.find(a, 4096).is_some());
        assert!(regions.find(a + 1, 4096).is_none());
        assert!(regions.find(a - 1, 1).is_none());
        assert!(regions.find(a + 4096, 1).is_none());
        assert!(regions.find(u64::MAX, 2).is_none());
    }

    #[test]
    fn regions_have_a_limit_and_say_so() {
        let mut regions = Regions::default();
        for _ in 0..REGIONS_MAX {
            regions.insert(mapping(4096)).unwrap();
        }
        let refusal = regions.insert(mapping(4096)).unwrap_err().to_string();
        assert!(refusal.contains("64 regions"), "{refusal}");
        assert!(whole_pages(0).is_err() && whole_pages(REGION_OCTETS_MAX + 1).is_err());
    }
}
