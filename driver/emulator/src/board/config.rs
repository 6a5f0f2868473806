//! The board's configuration space: 256 octets of a conventional function without capabilities.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::model::Model;
use firmware_headers::{Reg, Word, pci, wct4xxp};

const OCTETS: usize = pci::CONFIG_OCTETS as usize;
/// Parity and system error reporting: kept, without effect.
const COMMAND_REPORTING: u16 = 1 << 6 | 1 << 8;
/// Memory regions are placed at multiples of their size.
const BAR0_MASK: u32 = !(wct4xxp::BAR0_OCTETS - 1);
const REVISION: u8 = 2;
/// A PCI bus burst of 8 µs is wanted every 2 µs at most.
const MIN_GNT: u8 = 0x20;
const MAX_LAT: u8 = 0x08;

/// Configuration space.
pub(crate) struct Config {
    octets: [u8; OCTETS],
    writable: [u8; OCTETS],
}

fn put<W: Word, A>(octets: &mut [u8; OCTETS], reg: &Reg<W, A>, value: W) {
    let value = value.to_u32().to_le_bytes();
    let place = octets.iter_mut().skip(reg.offset as usize).take(usize::from(W::OCTETS));
    for (octet, value) in place.zip(value) {
        *octet = value;
    }
}

impl Config {
    /// As after power-up. `intx_disable`: the function is of PCI 2.3, its interrupt can be disabled.
    pub(crate) fn new(model: &Model, intx_disable: bool) -> Self {
        let mut octets = [0; OCTETS];
        put(&mut octets, &pci::VENDOR_ID, model.vendor);
        put(&mut octets, &pci::DEVICE_ID, model.device);
        put(&mut octets, &pci::STATUS, pci::STATUS_DEVSEL_MEDIUM);
        put(&mut octets, &pci::CLASS, pci::CLASS_COMMUNICATION_OTHER.wrapping_shl(8));
        put(&mut octets, &pci::REVISION, REVISION);
        let sub_vendor = model.sub_vendor.unwrap_or_else(|| u16::from(model.generation));
        put(&mut octets, &pci::SUBSYSTEM_VENDOR_ID, sub_vendor);
        put(&mut octets, &pci::INTERRUPT_PIN, 1);
        put(&mut octets, &pci::MIN_GNT, MIN_GNT);
        put(&mut octets, &pci::MAX_LAT, MAX_LAT);

        let mut writable = [0; OCTETS];
        let command = pci::COMMAND_MEMORY | pci::COMMAND_BUS_MASTER | COMMAND_REPORTING;
        let disable = if intx_disable { pci::COMMAND_INTX_DISABLE } else { 0 };
        put(&mut writable, &pci::COMMAND, command | disable);
        put(&mut writable, &pci::CACHE_LINE, 0xFF);
        put(&mut writable, &pci::LATENCY_TIMER, 0xFF);
        put(&mut writable, &pci::BAR0, BAR0_MASK);
        put(&mut writable, &pci::INTERRUPT_LINE, 0xFF);
        Self { octets, writable }
    }

    /// Reads `octets` from `offset`; behind the end there are ones. `interrupt`: the function wants one.
    pub(crate) fn read(&self, offset: u32, octets: u8, interrupt: bool) -> u32 {
        let status = if interrupt { pci::STATUS_INTERRUPT as u8 } else { 0 };
        (0..u32::from(octets.min(4))).fold(0, |value, n| {
            let at = offset.saturating_add(n);
            let octet = self.octets.get(at as usize).copied().unwrap_or(0xFF);
            let octet = if at == pci::STATUS.offset { octet | status } else { octet };
            value | u32::from(octet).wrapping_shl(n.wrapping_mul(8))
        })
    }
    /// Writes what is writable there.
    pub(crate) fn write(&mut self, offset: u32, octets: u8, value: u32) {
        let place = self.octets.iter_mut().zip(&self.writable).skip(offset as usize);
        for ((octet, &mask), new) in place.take(usize::from(octets)).zip(value.to_le_bytes()) {
            *octet = (*octet & !mask) | (new & mask);
        }
    }
    /// Whether COMMAND has any of these bits.
    pub(crate) fn command(&self, bits: u16) -> bool {
        self.read(pci::COMMAND.offset, 2, false) & u32::from(bits) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firmware_headers::model;

    fn config() -> Config {
        Config::new(&model::TE410P_GEN5, true)
    }

    #[test]
    fn identity_reads_the_same_in_every_width() {
        let config = config();
        assert_eq!(config.read(0, 4, false), 0x1410_D161);
        assert_eq!(config.read(2, 2, false), 0x1410);
        assert_eq!(config.read(3, 1, false), 0x14);
        assert_eq!(config.read(0x2C, 4, false), 5);
        assert_eq!(config.read(0x08, 4, false), 0x0780_0002);
    }

    #[test]
    fn the_bar_answers_its_size_mask() {
        let mut config = config();
        config.write(pci::BAR0.offset, 4, 0xFFFF_FFFF);
        assert_eq!(config.read(pci::BAR0.offset, 4, false), 0xFFFF_FF80);
        for bar in 1..6 {
            let offset = pci::BAR0.offset + 4 * bar;
            config.write(offset, 4, 0xFFFF_FFFF);
            assert_eq!(config.read(offset, 4, false), 0);
        }
    }

    #[test]
    fn identity_and_status_take_no_write() {
        let mut config = config();
        for offset in (0..256).step_by(4) {
            config.write(offset, 4, 0xFFFF_FFFF);
        }
        assert_eq!(config.read(0, 4, false), 0x1410_D161);
        assert_eq!(config.read(pci::STATUS.offset, 2, false), 0x0200);
        assert_eq!(config.read(pci::STATUS.offset, 2, true), 0x0208);
        assert_eq!(config.read(pci::COMMAND.offset, 2, false), 0x0546);
        assert_eq!(config.read(pci::CAPABILITIES.offset, 1, false), 0);
    }

    #[test]
    fn an_older_function_has_no_interrupt_disable() {
        let mut config = Config::new(&model::TE410P_GEN2, false);
        config.write(pci::COMMAND.offset, 2, 0xFFFF);
        assert!(!config.command(pci::COMMAND_INTX_DISABLE));
        assert!(config.command(pci::COMMAND_BUS_MASTER));
    }

    #[test]
    fn behind_the_end_there_are_ones() {
        assert_eq!(config().read(254, 4, false), 0xFFFF_0000);
        assert_eq!(config().read(u32::MAX, 4, false) & 0xFF, 0xFF);
    }
}
