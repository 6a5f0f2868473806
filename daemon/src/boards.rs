//! `trunkline boards`: what is in the slots of this machine.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use bus::could_open;
use bus::pci::{self, Function};
use driver::model_of;
use firmware_headers::model::{MODELS, Model};

/// Where the kernel shows who may open what.
const VFIO: &str = "/dev/vfio";

/// Prints a line for each board of the family, and one that says why for those that cannot be driven.
///
/// # Errors
/// When the machine does not show its PCI bus.
pub fn run() -> Result<()> {
    let functions = pci::functions(Path::new(pci::SYSFS)).context("reading the PCI bus")?;
    let mut out = crate::output::Output(std::io::stdout().lock());
    let mut found = false;
    for function in &functions {
        for line in described(function, |function| {
            could_open(Path::new(pci::SYSFS), Path::new(VFIO), function).map_err(|e| e.to_string())
        }) {
            found = true;
            writeln!(out, "{line}")?;
        }
    }
    if !found {
        writeln!(out, "no board of the family among {} PCI functions", functions.len())?;
    }
    Ok(())
}

/// What is said of a function: nothing when it is no board.
fn described(
    function: &Function,
    verdict: impl Fn(&Function) -> Result<(), String>,
) -> Vec<String> {
    let Some(model) = model_of(function.vendor, function.device, function.sub_vendor) else {
        return unmatched(function).into_iter().collect();
    };
    let driver = function.driver.as_deref().unwrap_or("no driver");
    let group = function.group.map_or("no IOMMU group".into(), |group| format!("group {group}"));
    let head = format!(
        "{}  {} generation {}, {} spans  {driver}, {group}, interrupt {}",
        function.address, model.name, model.generation, model.spans, function.interrupt,
    );
    if model.generation == 1 {
        return vec![format!("{head}  not driven: the first generation")];
    }
    match verdict(function) {
        Ok(()) => vec![format!("{head}  usable")],
        Err(why) => vec![format!("{head}  not usable"), format!("  {why}")],
    }
}

/// A device of the family with a sub-vendor that no generation has: told, neither driven nor guessed.
fn unmatched(function: &Function) -> Option<String> {
    let Function { address, vendor, device, sub_vendor, .. } = function;
    let same = |model: &&Model| (model.vendor, model.device) == (*vendor, *device);
    let model = MODELS.iter().find(same)?;
    Some(format!(
        "{address}  {vendor:04x}:{device:04x} as a {}, of sub-vendor {sub_vendor:04x}  not driven: no generation that is \
         known has that sub-vendor",
        model.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(vendor: u16, device: u16, sub_vendor: u16) -> Function {
        Function {
            address: "05:02.0".parse().unwrap(),
            vendor,
            device,
            sub_vendor,
            class: 0x07_8000,
            driver: Some("vfio-pci".into()),
            group: Some(7),
            interrupt: 11,
        }
    }

    #[test]
    fn a_board_is_named_with_its_verdict_and_other_functions_are_not() {
        let usable = described(&function(0xD161, 0x1410, 5), |_| Ok(()));
        let line =
            "0000:05:02.0  TE410P generation 5, 4 spans  vfio-pci, group 7, interrupt 11  usable";
        assert_eq!(usable, [line]);
        let not = described(&function(0xD161, 0x0410, 9), |_| Err("because".into()));
        assert!(not[0].contains("generation 2") && not[0].ends_with("not usable"));
        assert_eq!(not[1], "  because");
        let first = described(&function(0x10EE, 0x0314, 0), |_| Ok(()));
        assert!(first[0].ends_with("not driven: the first generation"));
        assert!(described(&function(0x8086, 1, 0), |_| Ok(())).is_empty());
        // A 1410 is of generation 5 or of none.
        let strange = described(&function(0xD161, 0x1410, 7), |_| Ok(()));
        assert!(
            strange.len() == 1 && strange[0].contains("sub-vendor 0007  not driven"),
            "{strange:?}"
        );
    }
}
