//! Why a function cannot be had through the kernel's VFIO, and what cures it.

use crate::pci::{Function, PciAddress};

/// Why a function cannot be had. Every sentence ends with the cure.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing answers there.
    #[error("{at}: no PCI function is there; `trunkline boards` lists the boards of this machine")]
    Absent {
        /// Where.
        at: PciAddress,
    },
    /// The machine has no IOMMU, or it is off.
    #[error(
        "{at}: it is in no IOMMU group; switch the IOMMU on in the firmware setup, and boot with \
         intel_iommu=on on a machine with an Intel processor"
    )]
    NoGroup {
        /// Where.
        at: PciAddress,
    },
    /// Another driver has it, or none.
    #[error(
        "{at}: it is bound to {}, not to vfio-pci; bind it: echo vfio-pci > \
         /sys/bus/pci/devices/{at}/driver_override, then unbind it there and echo {at} > \
         /sys/bus/pci/drivers_probe (docs/hardware.md has a unit that does it at boot)",
        driver.as_deref().unwrap_or("no driver")
    )]
    NotBound {
        /// Where.
        at: PciAddress,
        /// Who has it.
        driver: Option<String>,
    },
    /// Other functions of the group are in the hands of other drivers.
    #[error("{at}: IOMMU group {group} is not free as a whole: {}", others(rest))]
    NotViable {
        /// Where.
        at: PciAddress,
        /// Its group.
        group: u32,
        /// Who is in the way.
        rest: Vec<Function>,
    },
    /// The IOMMU does not remap interrupts, and the kernel then lends no function.
    #[error(
        "{at}: the IOMMU of this machine does not remap interrupts, so the kernel does not lend it; switch interrupt \
         remapping on in the firmware setup (VT-d, AMD-Vi), or, where every guest and program of this machine is \
         trusted, load vfio_iommu_type1 with allow_unsafe_interrupts=1"
    )]
    NoRemapping {
        /// Where.
        at: PciAddress,
    },
    /// A file of VFIO is not there.
    #[error("{path}: there is no such file; load the module: modprobe vfio-pci")]
    NoModule {
        /// Which.
        path: String,
    },
    /// This user may not open a file of VFIO.
    #[error(
        "{path}: this user may not open it; install the udev rule (docs/hardware.md) and add the user to the \
         group trunkline"
    )]
    NotAllowed {
        /// Which.
        path: String,
    },
    /// Another process has it.
    #[error("{path}: another process has it open; stop that one (fuser -v {path})")]
    Taken {
        /// Which.
        path: String,
    },
    /// The interrupt line is shared, and the board cannot say that an interrupt is not its own.
    #[error(
        "{at}: interrupt line {line} is shared with another driver and the board cannot be asked whether it \
         interrupts; move the board to a slot with a line of its own, or unload the driver that shares it \
         (/proc/interrupts)"
    )]
    SharedInterrupt {
        /// Where.
        at: PciAddress,
        /// The line.
        line: u32,
    },
    /// The function has no BAR 0, or no interrupt.
    #[error("{at}: it has no {what}; this is no board that Trunkline drives")]
    NotABoard {
        /// Where.
        at: PciAddress,
        /// What is missing.
        what: &'static str,
    },
    /// The kernel speaks another VFIO.
    #[error("the kernel's VFIO has version {version}, not 0; a kernel from 4.0 on is needed")]
    Version {
        /// What it said.
        version: i32,
    },
    /// The kernel refused a step that nothing above explains.
    #[error("{at}: the kernel refused {what}: {why}; the kernel's log says more (dmesg)")]
    Refused {
        /// Where.
        at: PciAddress,
        /// Which step.
        what: &'static str,
        /// Its reason.
        why: std::io::Error,
    },
}

fn others(functions: &[Function]) -> String {
    let each = functions.iter().map(|function| {
        let driver = function.driver.as_deref().unwrap_or("no driver");
        format!("{} has {driver}", function.address)
    });
    if functions.is_empty() {
        return "none of its functions shows who has it; look at the drivers of all of them \
                (/sys/kernel/iommu_groups), bind these to vfio-pci, or move the board to another slot"
            .to_owned();
    }
    let each = each.collect::<Vec<_>>().join(", ");
    format!("{each}; bind these to vfio-pci too, or move the board to another slot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_names_the_place_and_the_cure() {
        let at: PciAddress = "05:02.0".parse().unwrap();
        let path = || "/dev/vfio/7".to_owned();
        let other = Function {
            address: "05:01.0".parse().unwrap(),
            vendor: 0x8086,
            device: 1,
            sub_vendor: 0,
            class: 0,
            driver: Some("e1000".into()),
            group: Some(7),
            interrupt: 0,
        };
        let refused = std::io::Error::from_raw_os_error(5);
        for (error, words) in [
            (OpenError::Absent { at }, ["0000:05:02.0", "trunkline boards"]),
            (OpenError::NoGroup { at }, ["0000:05:02.0", "intel_iommu=on"]),
            (
                OpenError::NotBound { at, driver: Some("wct4xxp".into()) },
                ["wct4xxp", "driver_override"],
            ),
            (OpenError::NotBound { at, driver: None }, ["no driver", "drivers_probe"]),
            (
                OpenError::NotViable { at, group: 7, rest: vec![other] },
                ["05:01.0 has e1000", "another slot"],
            ),
            (OpenError::NotViable { at, group: 7, rest: vec![] }, ["iommu_groups", "another slot"]),
            (OpenError::NoRemapping { at }, ["interrupt remapping", "allow_unsafe_interrupts=1"]),
            (OpenError::NoModule { path: path() }, ["/dev/vfio/7", "modprobe vfio-pci"]),
            (OpenError::NotAllowed { path: path() }, ["/dev/vfio/7", "udev rule"]),
            (OpenError::Taken { path: path() }, ["/dev/vfio/7", "fuser"]),
            (OpenError::SharedInterrupt { at, line: 11 }, ["line 11", "another slot|a slot with"]),
            (OpenError::NotABoard { at, what: "BAR 0" }, ["0000:05:02.0", "BAR 0"]),
            (OpenError::Version { version: 7 }, ["version 7", "kernel"]),
            (OpenError::Refused { at, what: "the device", why: refused }, ["the device", "dmesg"]),
        ] {
            let said = error.to_string();
            for word in words {
                assert!(word.split('|').any(|one| said.contains(one)), "{word} is not in: {said}");
            }
        }
    }
}
