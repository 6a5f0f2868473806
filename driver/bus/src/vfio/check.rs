//! Whether a function could be had, without touching it: for those who list a machine's boards.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::OpenError;
use super::group::in_the_way;
use crate::pci::Function;

/// Whether this process could open `function`: bound to vfio-pci, alone in its group, and the files of VFIO open
/// to this user. `sysfs` is normally [`crate::pci::SYSFS`], `files` is `/dev/vfio`.
///
/// # Errors
/// The first thing that is in the way, with its cure. Whether another process has it shows when it is opened.
pub fn could_open(sysfs: &Path, files: &Path, function: &Function) -> Result<(), OpenError> {
    let at = function.address;
    let group = function.group.ok_or(OpenError::NoGroup { at })?;
    if function.driver.as_deref() != Some("vfio-pci") {
        return Err(OpenError::NotBound { at, driver: function.driver.clone() });
    }
    let rest = in_the_way(sysfs, at, group);
    if !rest.is_empty() {
        return Err(OpenError::NotViable { at, group, rest });
    }
    for name in ["vfio".to_owned(), group.to_string()] {
        let file = files.join(name);
        let path = file.display().to_string();
        let name = CString::new(file.as_os_str().as_bytes()).unwrap_or_default();
        match access(name.as_c_str(), AccessFlags::R_OK | AccessFlags::W_OK) {
            Ok(()) => {}
            Err(Errno::EACCES | Errno::EPERM) => return Err(OpenError::NotAllowed { path }),
            Err(_) => return Err(OpenError::NoModule { path }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::tests::bus;
    use crate::pci::{PciAddress, function};

    #[test]
    fn what_is_in_the_way_is_said_in_the_order_it_has_to_be_cured() {
        let board = [0xD161, 0x1410, 5];
        let verdict = |driver: Option<&str>, group, neighbour: Option<&str>, files: &[&str]| {
            let sysfs = bus(&[
                ("0000:05:02.0", board, driver, group),
                ("0000:05:03.0", [0x8086, 1, 0], neighbour, group),
            ]);
            let dev = tempfile::tempdir().unwrap();
            for file in files {
                std::fs::write(dev.path().join(file), "").unwrap();
            }
            let at: PciAddress = "05:02.0".parse().unwrap();
            could_open(sysfs.path(), dev.path(), &function(sysfs.path(), at).unwrap())
        };
        let vfio = Some("vfio-pci");
        assert!(matches!(verdict(vfio, None, None, &[]), Err(OpenError::NoGroup { .. })));
        let bound = verdict(Some("wct4xxp"), Some(7), None, &[]);
        assert!(
            matches!(bound, Err(OpenError::NotBound { driver: Some(d), .. }) if d == "wct4xxp")
        );
        let shared = verdict(vfio, Some(7), Some("e1000"), &["vfio", "7"]);
        assert!(matches!(shared, Err(OpenError::NotViable { rest, .. }) if rest.len() == 1));
        assert!(matches!(verdict(vfio, Some(7), None, &[]), Err(OpenError::NoModule { .. })));
        assert!(verdict(vfio, Some(7), vfio, &["vfio", "7"]).is_ok());
        // A driver that only keeps a function lets the group go, as none does.
        assert!(verdict(vfio, Some(7), Some("pci-stub"), &["vfio", "7"]).is_ok());
    }
}
