//! A container with its IOMMU group: what all boards of the group share, and the device addresses in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nix::libc;

use super::{OpenError, calls};
use crate::addresses::{self, Regions, SharedRegions};
use crate::pci::{self, Function, PciAddress};
use crate::{BusError, DmaMemory, DmaRegion, SharedMapping};

/// Groups this process has open. The kernel lends a group once, and boards behind one bridge share theirs.
static OPEN: Mutex<BTreeMap<u32, Weak<Group>>> = Mutex::new(BTreeMap::new());

/// An open group in a container of its own.
pub(super) struct Group {
    container: File,
    group: File,
    regions: SharedRegions,
    /// Functions this process has open. The kernel would lend one twice, and the second reset the first.
    lent: Mutex<BTreeSet<PciAddress>>,
}

/// A function of a group, open.
pub(super) struct Lent {
    pub(super) group: Arc<Group>,
    at: PciAddress,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.group.lent.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.at);
    }
}

fn open(path: &str) -> Result<File, OpenError> {
    OpenOptions::new().read(true).write(true).open(path).map_err(|error| {
        let path = path.to_owned();
        match error.raw_os_error() {
            Some(libc::EBUSY) => OpenError::Taken { path },
            Some(libc::EACCES | libc::EPERM) => OpenError::NotAllowed { path },
            _ => OpenError::NoModule { path },
        }
    })
}

/// Why the kernel would not put the container behind the IOMMU.
fn no_iommu(at: PciAddress, why: io::Error) -> OpenError {
    match why.raw_os_error() {
        // Only a machine whose IOMMU does not keep one guest's interrupts from another is refused so.
        Some(libc::EPERM) => OpenError::NoRemapping { at },
        _ => OpenError::Refused { at, what: "the IOMMU", why },
    }
}

impl Group {
    /// The group of `function`, opened or shared.
    pub(super) fn of(function: &Function) -> Result<Arc<Self>, OpenError> {
        let at = function.address;
        let number = function.group.ok_or(OpenError::NoGroup { at })?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = open.get(&number).and_then(Weak::upgrade) {
            return Ok(group);
        }
        let group = Arc::new(Self::open(at, number)?);
        open.insert(number, Arc::downgrade(&group));
        Ok(group)
    }

    fn open(at: PciAddress, number: u32) -> Result<Self, OpenError> {
        let refused = |what| move |why: io::Error| OpenError::Refused { at, what, why };
        let container = open("/dev/vfio/vfio")?;
        let version = calls::api_version(container.as_fd()).map_err(refused("its version"))?;
        if version != 0 {
            return Err(OpenError::Version { version });
        }
        let group = open(&format!("/dev/vfio/{number}"))?;
        if !calls::is_viable(group.as_fd()).map_err(refused("the group's status"))? {
            return Err(OpenError::NotViable {
                at,
                group: number,
                rest: in_the_way(Path::new(pci::SYSFS), at, number),
            });
        }
        calls::set_container(group.as_fd(), container.as_fd()).map_err(refused("the container"))?;
        calls::set_iommu(container.as_fd()).map_err(|why| no_iommu(at, why))?;
        // A kernel that does not say which addresses it can map refuses the others when they are tried.
        let ranges = calls::address_ranges(container.as_fd()).unwrap_or_default();
        let regions = Arc::new(Mutex::new(Regions::within(ranges)));
        Ok(Self { container, group, regions, lent: Mutex::default() })
    }

    /// The function at `at`, which is of this group.
    pub(super) fn device(self: &Arc<Self>, at: PciAddress) -> Result<(Lent, OwnedFd), OpenError> {
        let taken = || OpenError::Taken {
            path: pci::folder(Path::new(pci::SYSFS), at).display().to_string(),
        };
        if !self.lent.lock().unwrap_or_else(PoisonError::into_inner).insert(at) {
            return Err(taken());
        }
        let lent = Lent { group: Arc::clone(self), at };
        match calls::device(self.group.as_fd(), &at.to_string()) {
            Ok(device) => Ok((lent, device)),
            Err(why) if why.raw_os_error() == Some(libc::EBUSY) => Err(taken()),
            Err(why) => Err(OpenError::Refused { at, what: "the function", why }),
        }
    }

    /// Memory the group's boards reach.
    pub(super) fn dma(self: &Arc<Self>, octets: usize) -> Result<DmaRegion, BusError> {
        let size = addresses::whole_pages(octets)?;
        let no_dma = |why: String| BusError::NoDma { octets, why };
        let (mapping, _) = SharedMapping::memfd(size).map_err(|error| no_dma(error.to_string()))?;
        let mapping = Arc::new(mapping);
        let device_address = addresses::lock(&self.regions).insert(Arc::clone(&mapping))?;
        let mapped =
            calls::map(self.container.as_fd(), mapping.base(), device_address.into(), size as u64);
        if let Err(error) = mapped {
            addresses::lock(&self.regions).remove(device_address);
            return Err(no_dma(explained(&error)));
        }
        let group = Arc::clone(self);
        let memory = Arc::new(Memory { mapping, device_address, group });
        Ok(DmaRegion { device_address, len: octets, memory })
    }
}

/// Why the kernel would not map memory, and the cure.
fn explained(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOMEM) => {
            "the limit of locked memory is reached; raise it: LimitMEMLOCK= in the unit, \
             ulimit -l in a shell"
                .into()
        }
        Some(libc::ENOSPC) => {
            "the IOMMU has no entry left; raise vfio_iommu_type1.dma_entry_limit".into()
        }
        _ => format!("the kernel refused to map it: {error}"),
    }
}

/// Functions of the group that are neither in VFIO's hands nor in nobody's. Bridges do not count.
pub(super) fn in_the_way(sysfs: &Path, at: PciAddress, group: u32) -> Vec<Function> {
    const BRIDGE: u32 = 0x06;
    /// Drivers that do nothing with a function but keep it: the kernel lends the group all the same.
    const KEEPERS: [&str; 2] = ["vfio-pci", "pci-stub"];
    let mut rest = pci::in_group(sysfs, group).unwrap_or_default();
    rest.retain(|other| {
        let free = other.driver.as_deref().is_none_or(|driver| KEEPERS.contains(&driver));
        other.address != at && !free && other.class >> 16 != BRIDGE
    });
    rest
}

/// The host's view of a region; dropped, the boards' accesses to it are blocked.
struct Memory {
    mapping: Arc<SharedMapping>,
    device_address: u32,
    group: Arc<Group>,
}

impl DmaMemory for Memory {
    fn read(&self, offset: usize, into: &mut [u8]) {
        if !self.mapping.read(offset, into) {
            into.fill(0);
        }
    }
    fn write(&self, offset: usize, from: &[u8]) {
        let _ = self.mapping.write(offset, from);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let size = self.mapping.octets() as u64;
        let unmapped = calls::unmap(self.group.container.as_fd(), self.device_address.into(), size);
        // Were it still mapped, its address must not be given away again.
        if unmapped.is_ok() {
            addresses::lock(&self.group.regions).remove(self.device_address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iommu_that_does_not_remap_interrupts_is_told_from_other_refusals() {
        let at: PciAddress = "05:02.0".parse().unwrap();
        let refused = |errno| no_iommu(at, io::Error::from_raw_os_error(errno));
        assert!(matches!(refused(libc::EPERM), OpenError::NoRemapping { .. }));
        assert!(matches!(refused(libc::ENODEV), OpenError::Refused { what: "the IOMMU", .. }));
    }
}
