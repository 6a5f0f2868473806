//! Device addresses below 4 GiB: which are given away, and what stands behind each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{BusError, SharedMapping};

/// Where the first region begins: away from zero, so that a card that forgot its address is caught.
const FIRST: u64 = 0x1000_0000;
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
}

/// Regions that a bus and its regions' owners reach.
pub(crate) type SharedRegions = Arc<Mutex<Regions>>;

/// The regions, also after a thread that held them panicked: the table is consistent between any two steps.
pub(crate) fn lock(regions: &Mutex<Regions>) -> MutexGuard<'_, Regions> {
    regions.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Regions {
    /// Gives `mapping` the lowest free address.
    pub(crate) fn insert(&mut self, mapping: Arc<SharedMapping>) -> Result<u32, BusError> {
        let octets = mapping.octets();
        let refused = |why: String| BusError::NoDma { octets, why };
        if self.live.len() >= REGIONS_MAX {
            return Err(refused(format!("{REGIONS_MAX} regions exist already")));
        }
        let size = (octets as u64).next_multiple_of(PAGE);
        let mut start = FIRST;
        let mut position = 0;
        for (address, other) in &self.live {
            if start.saturating_add(size) <= *address {
                break;
            }
            start = address.saturating_add((other.octets() as u64).next_multiple_of(PAGE));
            position += 1;
        }
        if start.saturating_add(size) > END {
            return Err(refused("no device addresses are left below 4 GiB".into()));
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
        assert_eq!((a, b, c), (0x1000_0000, 0x1000_1000, 0x1000_3000));
        regions.remove(b);
        assert!(regions.find(u64::from(b), 1).is_none());
        assert_eq!(regions.insert(mapping(12_288)).unwrap(), 0x1000_4000);
        assert_eq!(regions.insert(mapping(8192)).unwrap(), b);
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
