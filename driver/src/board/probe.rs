//! Which board is in the slot. Register map A.

use bus::{Bus, Space};
use firmware_headers::model::{MODELS, Model};
use firmware_headers::{pci, wct4xxp as regs};

use super::layout::Layout;
use crate::error::{BoardError, Result};

/// What a board says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its row in the family's table.
    pub model: Model,
    /// The VERSION register: which image the FPGA runs.
    pub version: u32,
    /// Jumpers: bit n set when span n + 1 is wired for E1. Only a hint: the mode is set by software.
    pub e1_jumpers: u8,
    /// The rotary switch, 0 to 15: which of several boards this is.
    pub switch: u8,
}

/// The row of the family's table for these identities; the first that matches wins.
pub fn model_of(vendor: u16, device: u16, sub_vendor: u16) -> Option<Model> {
    let fits = |model: &&Model| {
        (model.vendor, model.device) == (vendor, device)
            && model.sub_vendor.is_none_or(|id| id == sub_vendor)
    };
    MODELS.iter().find(fits).copied()
}

/// Identifies the board without changing anything but its PCI command register: it must answer memory
/// accesses to be asked.
///
/// # Errors
/// [`BoardError::Gone`] when nobody answers, [`BoardError::Unknown`] for a board of another family,
/// [`BoardError::NotBuilt`] for one of this family that this driver cannot run yet,
/// [`BoardError::Version`] when the FPGA is not what the identity says.
pub fn probe<B: Bus>(bus: &B) -> Result<Identity> {
    let vendor = bus.read(Space::Config, &pci::VENDOR_ID)?;
    let device = bus.read(Space::Config, &pci::DEVICE_ID)?;
    let sub_vendor = bus.read(Space::Config, &pci::SUBSYSTEM_VENDOR_ID)?;
    if vendor == u16::MAX {
        return Err(BoardError::Gone { why: "its configuration space reads as all ones".into() });
    }
    let model = model_of(vendor, device, sub_vendor).ok_or(BoardError::Unknown {
        vendor,
        device,
        sub_vendor,
    })?;
    if Layout::of(&model).is_none() {
        let Model { name, generation, spans, .. } = model;
        return Err(BoardError::NotBuilt { name, generation, spans });
    }
    let command = bus.read(Space::Config, &pci::COMMAND)?;
    bus.write(Space::Config, &pci::COMMAND, command | pci::COMMAND_MEMORY)?;
    let version = bus.read(Space::Bar0, &regs::VERSION)?;
    if version & regs::VERSION_FAMILY_MASK != regs::VERSION_FAMILY {
        return Err(BoardError::Version { version });
    }
    let leds = bus.read(Space::Bar0, &regs::LEDS)?;
    let jumpers = |leds: u32| (leds & regs::LEDS_E1) >> regs::LEDS_E1_SHIFT;
    let upper = if model.spans > 4 { bus.read(Space::Bar0, &regs::LEDS2)? } else { 0 };
    Ok(Identity {
        model,
        version,
        e1_jumpers: (jumpers(leds) | jumpers(upper) << 4) as u8,
        switch: (leds >> regs::LEDS_SWITCH_SHIFT) as u8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sub_vendor_decides_between_generations_and_any_is_the_last_choice() {
        let generation = |device, sub| model_of(0xD161, device, sub).map(|m| m.generation);
        assert_eq!(generation(0x0410, 4), Some(4));
        assert_eq!(generation(0x0410, 3), Some(3));
        assert_eq!(generation(0x0410, 0x1234), Some(2));
        assert_eq!(generation(0x1410, 5), Some(5));
        assert_eq!(generation(0x1410, 4), None);
        assert_eq!(generation(0x9999, 5), None);
    }
}
