//! The kernel's VFIO, call by call. Linux, `include/uapi/linux/vfio.h`.
//!
//! Plain ioctls on the structures of `vfio-bindings`: there are eleven of them, and each failure has to keep its
//! error number, from which its cure follows.
#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::libc;
use vfio_bindings::bindings::vfio;

const fn number(of: u32) -> libc::c_ulong {
    // _IO(VFIO_TYPE, VFIO_BASE + of): no direction, no size.
    ((vfio::VFIO_TYPE as u32) << 8 | (vfio::VFIO_BASE + of)) as libc::c_ulong
}
const GET_API_VERSION: libc::c_ulong = number(0);
const SET_IOMMU: libc::c_ulong = number(2);
const GROUP_GET_STATUS: libc::c_ulong = number(3);
const GROUP_SET_CONTAINER: libc::c_ulong = number(4);
const GROUP_GET_DEVICE_FD: libc::c_ulong = number(6);
const DEVICE_GET_INFO: libc::c_ulong = number(7);
const DEVICE_GET_REGION_INFO: libc::c_ulong = number(8);
const DEVICE_GET_IRQ_INFO: libc::c_ulong = number(9);
const DEVICE_SET_IRQS: libc::c_ulong = number(10);
const DEVICE_RESET: libc::c_ulong = number(11);
const IOMMU_GET_INFO: libc::c_ulong = number(12);
const IOMMU_MAP_DMA: libc::c_ulong = number(13);
const IOMMU_UNMAP_DMA: libc::c_ulong = number(14);

/// The result of a call as the system has it.
fn result(value: libc::c_int) -> io::Result<libc::c_int> {
    if value < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}

/// A call without argument, or with a number.
fn plain(fd: BorrowedFd<'_>, call: libc::c_ulong, value: libc::c_ulong) -> io::Result<libc::c_int> {
    // SAFETY: `fd` is open, and the calls made through here take no pointer.
    result(unsafe { libc::ioctl(fd.as_raw_fd(), call as _, value) })
}

/// A call on a structure that begins with its own size.
fn with<T>(fd: BorrowedFd<'_>, call: libc::c_ulong, argument: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: `fd` is open; `argument` is the structure this call is defined on, says its size in its first
    // field, and lives and is ours alone until the call returns.
    result(unsafe { libc::ioctl(fd.as_raw_fd(), call as _, std::ptr::from_mut(argument)) })
}

/// The version of VFIO behind a container.
pub(super) fn api_version(container: BorrowedFd<'_>) -> io::Result<i32> {
    plain(container, GET_API_VERSION, 0)
}
/// Chooses the second version of the type 1 IOMMU.
pub(super) fn set_iommu(container: BorrowedFd<'_>) -> io::Result<()> {
    plain(container, SET_IOMMU, vfio::VFIO_TYPE1v2_IOMMU.into()).map(drop)
}

/// Whether all of a group is in VFIO's hands.
pub(super) fn is_viable(group: BorrowedFd<'_>) -> io::Result<bool> {
    let argsz = size_of::<vfio::vfio_group_status>() as u32;
    let mut status = vfio::vfio_group_status { argsz, flags: 0 };
    with(group, GROUP_GET_STATUS, &mut status)?;
    Ok(status.flags & vfio::VFIO_GROUP_FLAGS_VIABLE != 0)
}
/// Puts a group into a container.
pub(super) fn set_container(group: BorrowedFd<'_>, container: BorrowedFd<'_>) -> io::Result<()> {
    let mut fd: RawFd = container.as_raw_fd();
    with(group, GROUP_SET_CONTAINER, &mut fd).map(drop)
}
/// The device of a group by its name, which is its PCI address.
pub(super) fn device(group: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let name = std::ffi::CString::new(name).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `group` is open, and the call reads the text at `name` up to its end.
    let fd = unsafe { libc::ioctl(group.as_raw_fd(), GROUP_GET_DEVICE_FD as _, name.as_ptr()) };
    let fd = result(fd)?;
    // SAFETY: the kernel just made this descriptor for us, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What a device can do: the flags of VFIO_DEVICE_GET_INFO.
pub(super) fn device_flags(device: BorrowedFd<'_>) -> io::Result<u32> {
    let argsz = size_of::<vfio::vfio_device_info>() as u32;
    let mut info = vfio::vfio_device_info { argsz, ..Default::default() };
    with(device, DEVICE_GET_INFO, &mut info)?;
    Ok(info.flags)
}
/// Where a region is in the device's file, and what may be done with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RegionPlace {
    pub(super) flags: u32,
    pub(super) octets: u64,
    pub(super) offset: u64,
}
/// Describes region `index`.
pub(super) fn region(device: BorrowedFd<'_>, index: u32) -> io::Result<RegionPlace> {
    let argsz = size_of::<vfio::vfio_region_info>() as u32;
    let mut info = vfio::vfio_region_info { argsz, index, ..Default::default() };
    with(device, DEVICE_GET_REGION_INFO, &mut info)?;
    Ok(RegionPlace { flags: info.flags, octets: info.size, offset: info.offset })
}
/// How many interrupts of kind `index` there are.
pub(super) fn interrupts(device: BorrowedFd<'_>, index: u32) -> io::Result<u32> {
    let argsz = size_of::<vfio::vfio_irq_info>() as u32;
    let mut info = vfio::vfio_irq_info { argsz, index, ..Default::default() };
    with(device, DEVICE_GET_IRQ_INFO, &mut info)?;
    Ok(info.count)
}

/// VFIO_DEVICE_SET_IRQS with one descriptor, or with none.
#[repr(C)]
struct IrqSet {
    argsz: u32,
    flags: u32,
    index: u32,
    start: u32,
    count: u32,
    data: i32,
}

impl IrqSet {
    fn new(flags: u32, index: u32, count: u32, data: Option<RawFd>) -> Self {
        let data_octets = if data.is_some() { size_of::<i32>() } else { 0 };
        let argsz = (size_of::<vfio::vfio_irq_set>() + data_octets) as u32;
        Self { argsz, flags, index, start: 0, count, data: data.unwrap_or(-1) }
    }
}

/// Lets interrupt `index` signal `event`.
pub(super) fn trigger(device: BorrowedFd<'_>, index: u32, event: BorrowedFd<'_>) -> io::Result<()> {
    let flags = vfio::VFIO_IRQ_SET_DATA_EVENTFD | vfio::VFIO_IRQ_SET_ACTION_TRIGGER;
    let mut set = IrqSet::new(flags, index, 1, Some(event.as_raw_fd()));
    with(device, DEVICE_SET_IRQS, &mut set).map(drop)
}
/// Takes interrupt `index` down.
pub(super) fn disarm(device: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    let flags = vfio::VFIO_IRQ_SET_DATA_NONE | vfio::VFIO_IRQ_SET_ACTION_TRIGGER;
    with(device, DEVICE_SET_IRQS, &mut IrqSet::new(flags, index, 0, None)).map(drop)
}
/// Lets the masked INTx fire again.
pub(super) fn unmask_intx(device: BorrowedFd<'_>) -> io::Result<()> {
    let flags = vfio::VFIO_IRQ_SET_DATA_NONE | vfio::VFIO_IRQ_SET_ACTION_UNMASK;
    let mut set = IrqSet::new(flags, vfio::VFIO_PCI_INTX_IRQ_INDEX, 1, None);
    with(device, DEVICE_SET_IRQS, &mut set).map(drop)
}
/// Function reset.
pub(super) fn reset(device: BorrowedFd<'_>) -> io::Result<()> {
    plain(device, DEVICE_RESET, 0).map(drop)
}

/// Maps `octets` of this process's memory at `address` for the devices of a container. The kernel pins it:
/// it stays where it is until [`unmap`].
pub(super) fn map(
    container: BorrowedFd<'_>,
    memory: *const u8,
    address: u64,
    octets: u64,
) -> io::Result<()> {
    let mut map = vfio::vfio_iommu_type1_dma_map {
        argsz: size_of::<vfio::vfio_iommu_type1_dma_map>() as u32,
        flags: vfio::VFIO_DMA_MAP_FLAG_READ | vfio::VFIO_DMA_MAP_FLAG_WRITE,
        vaddr: memory.addr() as u64,
        iova: address,
        size: octets,
    };
    with(container, IOMMU_MAP_DMA, &mut map).map(drop)
}
/// Undoes [`map`].
pub(super) fn unmap(container: BorrowedFd<'_>, address: u64, octets: u64) -> io::Result<()> {
    let mut unmap = vfio::vfio_iommu_type1_dma_unmap {
        argsz: size_of::<vfio::vfio_iommu_type1_dma_unmap>() as u32,
        iova: address,
        size: octets,
        ..Default::default()
    };
    with(container, IOMMU_UNMAP_DMA, &mut unmap).map(drop)
}

/// Room for what a kernel says of its IOMMU: the structure, and capabilities behind it.
#[repr(C)]
struct IommuInfo {
    head: vfio::vfio_iommu_type1_info,
    rest: [u8; 4096],
}

/// The device addresses the IOMMU can map, first and last of each range; nothing when the kernel does not say.
pub(super) fn address_ranges(container: BorrowedFd<'_>) -> io::Result<Vec<(u64, u64)>> {
    let argsz = size_of::<IommuInfo>() as u32;
    let head = vfio::vfio_iommu_type1_info { argsz, ..Default::default() };
    let mut info = IommuInfo { head, rest: [0; 4096] };
    with(container, IOMMU_GET_INFO, &mut info)?;
    if info.head.flags & vfio::VFIO_IOMMU_INFO_CAPS == 0 {
        return Ok(Vec::new());
    }
    Ok(ranges(&info.rest, info.head.cap_offset, size_of::<vfio::vfio_iommu_type1_info>()))
}

/// Walks the chain of capabilities; `first` counts from `before` octets ahead of `octets`.
fn ranges(octets: &[u8], first: u32, before: usize) -> Vec<(u64, u64)> {
    let word = |at: usize, len: usize| -> Option<u64> {
        let at = at.checked_sub(before)?;
        let field = octets.get(at..at.checked_add(len)?)?;
        Some(field.iter().rev().fold(0, |value, &octet| value << 8 | u64::from(octet)))
    };
    let mut at = first as usize;
    // Longer than any chain there is: a kernel that points back to itself ends too.
    for _ in 0..64 {
        let (Some(id), Some(next)) = (word(at, 2), word(at + 4, 4)) else { return Vec::new() };
        if id == u64::from(vfio::VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) {
            let count = word(at + 8, 4).unwrap_or_default().min(256) as usize;
            let range = |n: usize| Some((word(at + 16 + 16 * n, 8)?, word(at + 24 + 16 * n, 8)?));
            return (0..count).map_while(range).collect();
        }
        if next == 0 {
            return Vec::new();
        }
        at = next as usize;
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_are_found_behind_another_capability_and_nonsense_is_none() {
        let mut octets = vec![0; 128];
        // At 24 (the first octet here) something else, which points to 40.
        octets[..8].copy_from_slice(&[3, 0, 1, 0, 40, 0, 0, 0]);
        octets[16..24].copy_from_slice(&[1, 0, 1, 0, 0, 0, 0, 0]);
        octets[24] = 2;
        octets[32..40].copy_from_slice(&0_u64.to_le_bytes());
        octets[40..48].copy_from_slice(&0xFEDF_FFFF_u64.to_le_bytes());
        octets[48..56].copy_from_slice(&0xFEF0_0000_u64.to_le_bytes());
        octets[56..64].copy_from_slice(&0x7F_FFFF_FFFF_u64.to_le_bytes());
        let expected = [(0, 0xFEDF_FFFF), (0xFEF0_0000, 0x7F_FFFF_FFFF)];
        assert_eq!(ranges(&octets, 24, 24), expected);
        // A chain that points to itself, and offsets that leave the answer.
        octets[4] = 24;
        assert_eq!(ranges(&octets, 24, 24), []);
        assert_eq!(ranges(&octets, 5000, 24), []);
        assert_eq!(ranges(&octets, 0, 24), []);
    }

    #[test]
    fn the_calls_have_the_numbers_of_the_kernels_header() {
        assert_eq!(GET_API_VERSION, 0x3B64);
        assert_eq!(DEVICE_SET_IRQS, 0x3B6E);
        assert_eq!(IOMMU_UNMAP_DMA, 0x3B72);
        let set = IrqSet::new(0, 0, 1, Some(3));
        assert_eq!((set.argsz, size_of::<IrqSet>()), (24, 24));
        assert_eq!(IrqSet::new(0, 0, 1, None).argsz, 20);
    }
}
