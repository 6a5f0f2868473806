//! What is on this machine's PCI bus, read from sysfs: addresses, identities, drivers, IOMMU groups.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where the kernel shows the bus.
pub const SYSFS: &str = "/sys/bus/pci";

/// Where a function is: domain, bus, device, function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// Almost always 0.
    pub domain: u16,
    /// Bus.
    pub bus: u8,
    /// Device, 0 to 31.
    pub device: u8,
    /// Function, 0 to 7.
    pub function: u8,
}

/// A text that is no PCI address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no PCI address: 0000:05:02.0 is one, and 05:02.0 for short")]
pub struct NoAddress(String);

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

impl FromStr for PciAddress {
    type Err = NoAddress;
    fn from_str(text: &str) -> Result<Self, NoAddress> {
        parse(text).ok_or_else(|| NoAddress(text.to_owned()))
    }
}

/// One to `digits` hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u16> {
    let whole = (1..=digits).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_hexdigit());
    u16::from_str_radix(text, 16).ok().filter(|_| whole)
}

fn parse(text: &str) -> Option<PciAddress> {
    let (place, function) = text.split_once('.')?;
    let (domain, bus, device) = match place.split(':').collect::<Vec<_>>()[..] {
        [domain, bus, device] => (hex(domain, 4)?, bus, device),
        [bus, device] => (0, bus, device),
        _ => return None,
    };
    let device = u8::try_from(hex(device, 2)?).ok().filter(|&device| device < 32)?;
    let function = u8::try_from(hex(function, 1)?).ok().filter(|&function| function < 8)?;
    Some(PciAddress { domain, bus: u8::try_from(hex(bus, 2)?).ok()?, device, function })
}

/// One function as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Where.
    pub address: PciAddress,
    /// PCI vendor.
    pub vendor: u16,
    /// PCI device.
    pub device: u16,
    /// PCI sub-vendor.
    pub sub_vendor: u16,
    /// Class, sub-class and interface.
    pub class: u32,
    /// The kernel driver that has it.
    pub driver: Option<String>,
    /// Its IOMMU group; `None` without an IOMMU.
    pub group: Option<u32>,
    /// The interrupt line the kernel gave it; 0: none.
    pub interrupt: u32,
}

fn number(folder: &Path, name: &str) -> Option<u32> {
    let text = fs::read_to_string(folder.join(name)).ok()?;
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The last name of what the link `name` points to.
fn target(folder: &Path, name: &str) -> Option<String> {
    let link = fs::read_link(folder.join(name)).ok()?;
    Some(link.file_name()?.to_str()?.to_owned())
}

fn identity(folder: &Path, name: &str) -> Option<u16> {
    number(folder, name).and_then(|value| u16::try_from(value).ok())
}

/// The folder of `address` below `sysfs` (normally [`SYSFS`]).
pub fn folder(sysfs: &Path, address: PciAddress) -> PathBuf {
    sysfs.join("devices").join(address.to_string())
}

/// The function at `address`; `None` when nothing is there.
pub fn function(sysfs: &Path, address: PciAddress) -> Option<Function> {
    let folder = folder(sysfs, address);
    Some(Function {
        address,
        vendor: identity(&folder, "vendor")?,
        device: identity(&folder, "device")?,
        sub_vendor: identity(&folder, "subsystem_vendor").unwrap_or_default(),
        class: number(&folder, "class").unwrap_or_default(),
        driver: target(&folder, "driver"),
        group: target(&folder, "iommu_group").and_then(|group| group.parse().ok()),
        interrupt: number(&folder, "irq").unwrap_or_default(),
    })
}

/// Every function of the machine, in the order of the addresses.
///
/// # Errors
/// As the system refuses to show the bus.
pub fn functions(sysfs: &Path) -> io::Result<Vec<Function>> {
    let mut addresses: Vec<PciAddress> = fs::read_dir(sysfs.join("devices"))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    addresses.sort_unstable();
    Ok(addresses.into_iter().filter_map(|address| function(sysfs, address)).collect())
}

/// Every function of IOMMU group `group`.
///
/// # Errors
/// As [`functions`].
pub fn in_group(sysfs: &Path, group: u32) -> io::Result<Vec<Function>> {
    let mut all = functions(sysfs)?;
    all.retain(|function| function.group == Some(group));
    Ok(all)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Address; vendor, device and sub-vendor; driver; group.
    pub(crate) type Entry<'a> = (&'a str, [u32; 3], Option<&'a str>, Option<u32>);

    /// A folder that looks as the kernel's does.
    pub(crate) fn bus(entries: &[Entry<'_>]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (address, [vendor, device, sub], driver, group) in entries {
            let folder = root.path().join("devices").join(address);
            fs::create_dir_all(&folder).unwrap();
            for (name, value) in [("vendor", vendor), ("device", device), ("subsystem_vendor", sub)]
            {
                fs::write(folder.join(name), format!("{value:#06x}\n")).unwrap();
            }
            fs::write(folder.join("class"), "0x078000\n").unwrap();
            fs::write(folder.join("irq"), "11\n").unwrap();
            if let Some(driver) = driver {
                symlink(format!("../../drivers/{driver}"), folder.join("driver")).unwrap();
            }
            if let Some(group) = group {
                symlink(format!("../../iommu_groups/{group}"), folder.join("iommu_group")).unwrap();
            }
        }
        root
    }

    #[test]
    fn addresses_are_read_short_and_long_and_said_long() {
        for (text, said) in [
            ("0000:05:02.0", "0000:05:02.0"),
            ("05:02.0", "0000:05:02.0"),
            ("1:ff:1F.7", "0001:ff:1f.7"),
        ] {
            assert_eq!(text.parse::<PciAddress>().unwrap().to_string(), said);
        }
        for bad in [
            "",
            "05:02",
            "05:02.8",
            "05:20.0",
            "5.0",
            "0:0:0:0.0",
            "x5:02.0",
            "+5:02.0",
            "00005:02.0",
        ] {
            assert!(bad.parse::<PciAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn functions_come_in_order_with_driver_and_group() {
        let root = bus(&[
            ("0000:05:02.0", [0xD161, 0x1410, 5], Some("vfio-pci"), Some(7)),
            ("0000:05:01.0", [0x8086, 1, 0], None, Some(7)),
            ("0000:00:00.0", [0x8086, 2, 0], Some("pcieport"), None),
        ]);
        let all = functions(root.path()).unwrap();
        let shown: Vec<_> = all.iter().map(|f| (f.address.to_string(), f.device)).collect();
        assert_eq!(shown[2], ("0000:05:02.0".into(), 0x1410));
        assert_eq!((all[2].driver.as_deref(), all[2].group), (Some("vfio-pci"), Some(7)));
        assert_eq!((all[2].interrupt, all[2].class, all[2].sub_vendor), (11, 0x07_8000, 5));
        assert_eq!((all[0].driver.as_deref(), all[0].group), (Some("pcieport"), None));
        assert_eq!(in_group(root.path(), 7).unwrap().len(), 2);
        assert!(function(root.path(), "09:00.0".parse().unwrap()).is_none());
    }
}
