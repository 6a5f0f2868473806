//! Which boards there are: the PCI identities of the wct4xxp family.

/// One row of the family's identity table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// [`crate::pci::VENDOR_ID`].
    pub vendor: u16,
    /// [`crate::pci::DEVICE_ID`].
    pub device: u16,
    /// [`crate::pci::SUBSYSTEM_VENDOR_ID`], which carries the generation; `None`: any value no row
    /// above names.
    pub sub_vendor: Option<u16>,
    /// As printed on the board.
    pub name: &'static str,
    /// Generation of the FPGA: 1 to 5. It decides the DMA layout and the interrupt protocol.
    pub generation: u8,
    /// E1/T1 ports with a connector.
    pub spans: u8,
    /// The host may leave PCI bursts on.
    pub bursts: bool,
    /// A PCIe card: the framer wants the extended reset after power-up.
    pub extended_reset: bool,
}

const fn row(
    ids: (u16, u16, Option<u16>),
    name: &'static str,
    generation: u8,
    spans: u8,
    (bursts, extended_reset): (bool, bool),
) -> Model {
    let (vendor, device, sub_vendor) = ids;
    Model { vendor, device, sub_vendor, name, generation, spans, bursts, extended_reset }
}

const PLAIN: (bool, bool) = (false, false);
const BURSTS: (bool, bool) = (true, false);
const PCIE: (bool, bool) = (true, true);

/// Maker of the later boards.
pub const DIGIUM: u16 = 0xD161;
/// Maker of the first FPGA, whose identity the first generation kept.
pub const XILINX: u16 = 0x10EE;

/// The 5 V PCI board with four spans, generation 5.
pub const TE405P_GEN5: Model = row((DIGIUM, 0x1405, Some(5)), "TE405P", 5, 4, BURSTS);
/// The 3.3 V PCI board with four spans, generation 5.
pub const TE410P_GEN5: Model = row((DIGIUM, 0x1410, Some(5)), "TE410P", 5, 4, BURSTS);
/// The 3.3 V PCI board with four spans, generation 2: one DMA buffer, no ident.
pub const TE410P_GEN2: Model = row((DIGIUM, 0x0410, None), "TE410P", 2, 4, PLAIN);
/// The 3.3 V PCI board with two spans, generation 5.
pub const TE210P_GEN5: Model = row((DIGIUM, 0x1210, Some(5)), "TE210P", 5, 2, BURSTS);
/// The PCIe board with eight spans.
pub const TE820: Model = row((DIGIUM, 0x1820, None), "TE820", 5, 8, PCIE);

/// Every identity of the family. The first row that matches wins.
///
/// A 14xx or 12xx device whose sub-vendor id is not 5 matches no row and is no board of this family.
pub const MODELS: [Model; 22] = [
    row((XILINX, 0x0314, None), "TE410P/TE405P", 1, 4, PLAIN),
    TE820,
    row((DIGIUM, 0x1420, Some(5)), "TE420", 5, 4, PCIE),
    TE410P_GEN5,
    TE405P_GEN5,
    row((DIGIUM, 0x0420, Some(4)), "TE420", 4, 4, PCIE),
    row((DIGIUM, 0x0410, Some(4)), "TE410P", 4, 4, BURSTS),
    row((DIGIUM, 0x0405, Some(4)), "TE405P", 4, 4, BURSTS),
    row((DIGIUM, 0x0410, Some(3)), "TE410P", 3, 4, PLAIN),
    row((DIGIUM, 0x0405, Some(3)), "TE405P", 3, 4, PLAIN),
    TE410P_GEN2,
    row((DIGIUM, 0x0405, None), "TE405P", 2, 4, PLAIN),
    row((DIGIUM, 0x1220, Some(5)), "TE220", 5, 2, PCIE),
    row((DIGIUM, 0x1205, Some(5)), "TE205P", 5, 2, BURSTS),
    TE210P_GEN5,
    row((DIGIUM, 0x0220, Some(4)), "TE220", 4, 2, PCIE),
    row((DIGIUM, 0x0205, Some(4)), "TE205P", 4, 2, BURSTS),
    row((DIGIUM, 0x0210, Some(4)), "TE210P", 4, 2, BURSTS),
    row((DIGIUM, 0x0205, Some(3)), "TE205P", 3, 2, PLAIN),
    row((DIGIUM, 0x0210, Some(3)), "TE210P", 3, 2, PLAIN),
    row((DIGIUM, 0x0205, None), "TE205P", 2, 2, PLAIN),
    row((DIGIUM, 0x0210, None), "TE210P", 2, 2, PLAIN),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_any_sub_vendor_is_the_last_of_its_device() {
        for (at, general) in MODELS.iter().enumerate().filter(|(_, row)| row.sub_vendor.is_none()) {
            let after = MODELS.iter().skip(at + 1);
            assert_eq!(after.filter(|row| row.device == general.device).count(), 0, "{general:?}");
        }
    }

    #[test]
    fn no_identity_stands_twice() {
        for (at, row) in MODELS.iter().enumerate() {
            let same = |other: &&Model| {
                (other.vendor, other.device, other.sub_vendor)
                    == (row.vendor, row.device, row.sub_vendor)
            };
            assert_eq!(MODELS.iter().skip(at + 1).filter(same).count(), 0, "{row:?}");
        }
    }

    #[test]
    fn a_named_sub_vendor_is_the_generation() {
        for row in MODELS {
            assert!(row.sub_vendor.is_none_or(|id| id == u16::from(row.generation)), "{row:?}");
        }
    }
}
