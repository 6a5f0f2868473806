//! The FPGA of the wct4xxp boards: the registers of BAR 0. wct4xxp register map.
//!
//! All registers are little-endian dwords; the framer's data alone is fetched with a read of one octet
//! ([`FRAMER_DATA`]).

use crate::{ReadOnly, ReadWrite, Reg, WriteOnly};

/// Octets of BAR 0: 32-bit, not prefetchable memory.
pub const BAR0_OCTETS: u32 = 128;

/// Bus address of the receive area, which the board writes.
pub const RDADDR: Reg<u32, ReadWrite> = Reg::at(0x00);
/// Bus address of the transmit area, which the board reads.
pub const WRADDR: Reg<u32, ReadWrite> = Reg::at(0x04);
/// Generation 1: last dword of the ring in both fields; zero stops DMA. Not used from generation 2 on.
pub const COUNT: Reg<u32, ReadWrite> = Reg::at(0x08);
/// What generation 1 writes to [`COUNT`]: 512 dwords in each direction.
pub const COUNT_GENERATION_1: u32 = 0x07FC_07FC;

/// DMA run, clock source, timeslot switch.
pub const DMACTRL: Reg<u32, ReadWrite> = Reg::at(0x0C);
/// DMA and its interrupt run when both bits are set and stand still when both are clear.
pub const DMACTRL_RUN: u32 = 0b11 << 30;
/// The system clock is the recovered one (framer pin RCLK); clear: the board's oscillator.
pub const DMACTRL_CLOCK_RECOVERED: u32 = 1 << 29;
/// The echo canceller module is in the path.
pub const DMACTRL_ECHO_MODULE: u32 = 1 << 28;
/// PCI bursts are off.
pub const DMACTRL_NO_BURSTS: u32 = 1 << 26;
/// The system clock follows the timing cable.
pub const DMACTRL_CABLE_SLAVE: u32 = 1 << 25;
/// This board drives the timing cable.
pub const DMACTRL_CABLE_MASTER: u32 = 1 << 24;
/// The command of the timeslot switch, from generation 2 on.
pub const DMACTRL_SWITCH: u32 = 0x1_FFFF;
/// Timeslot switch: the command is valid.
pub const DMACTRL_SWITCH_VALID: u32 = 1 << 14;
/// Timeslot switch: where the destination slot (port × 32 + slot) begins.
pub const DMACTRL_SWITCH_TO_SHIFT: u32 = 7;
/// Timeslot switch of the eight-port board: the eighth bit of the destination.
pub const DMACTRL_SWITCH_TO_UPPER: u32 = 1 << 15;

/// Interrupt status; any write acknowledges everything latched.
pub const INTR: Reg<u32, ReadWrite> = Reg::at(0x10);
/// The framer's interrupt pin is active: a level.
pub const INTR_FRAMER: u32 = 1 << 0;
/// A millisecond has been transferred.
pub const INTR_TICK: u32 = 1 << 1;
/// The bits that make an interrupt this board's.
pub const INTR_OURS: u32 = 0b111;
/// Generation 5: completed milliseconds modulo [`crate::dma::IDENTS`], shifted by [`INTR_IDENT_SHIFT`].
pub const INTR_IDENT: u32 = 0x7F << INTR_IDENT_SHIFT;
/// Lowest bit of [`INTR_IDENT`].
pub const INTR_IDENT_SHIFT: u32 = 16;
/// Acknowledges, deasserts INTx.
pub const INTR_ACKNOWLEDGE: u32 = 0;
/// Written once before the run bits are set.
pub const INTR_START: u32 = 0x0C;

/// Write: length of the ring and milliseconds per interrupt. Read: the buffer being worked on.
pub const RING: Reg<u32, ReadWrite> = Reg::at(0x14);
/// Write: buffers of 1 ms in the ring of each direction. 1 before generation 5.
pub const RING_BUFFERS: u32 = 0x7F;
/// Write: lowest bit of the milliseconds per interrupt.
pub const RING_MILLIS_SHIFT: u32 = 16;
/// Read, generation 5: index of the buffer the board is working on; the last complete one is before it.
pub const RING_INDEX: u32 = 0x7F << RING_INDEX_SHIFT;
/// Lowest bit of [`RING_INDEX`].
pub const RING_INDEX_SHIFT: u32 = 8;

/// Which image the FPGA runs. Reading it is also how writes are flushed and time is passed.
pub const VERSION: Reg<u32, ReadOnly> = Reg::at(0x18);
/// Upper half of [`VERSION`] on every board of the family.
pub const VERSION_FAMILY: u32 = 0xC01A_0000;
/// The bits that must be [`VERSION_FAMILY`].
pub const VERSION_FAMILY_MASK: u32 = 0xFFFF_0000;
/// From this revision on the echo canceller has a data path of 16 bits.
pub const VERSION_WIDE_ECHO_PATH: u32 = 0xC01A_0165;

/// Read: jumpers and ident switch. Write: lamps and the framer's reset.
pub const LEDS: Reg<u32, ReadWrite> = Reg::at(0x1C);
/// Write: the framer is out of reset. Must stay set in every later write.
pub const LEDS_ACTIVE: u32 = 1 << 12;
/// Write: the lamps of spans 1 to 4, two bits a span.
pub const LEDS_LAMPS: u32 = 0xFF;
/// Lamp: dark.
pub const LAMP_OFF: u32 = 0;
/// Lamp: red.
pub const LAMP_RED: u32 = 1;
/// Lamp: green.
pub const LAMP_GREEN: u32 = 2;
/// Lamp: both.
pub const LAMP_YELLOW: u32 = 3;
/// Read: E1 jumpers of spans 1 to 4, shifted by [`LEDS_E1_SHIFT`]; 1 = E1, 0 = T1.
pub const LEDS_E1: u32 = 0xF << LEDS_E1_SHIFT;
/// Lowest bit of [`LEDS_E1`].
pub const LEDS_E1_SHIFT: u32 = 8;
/// Read: lowest bit of the card's rotary switch (0 to 15).
pub const LEDS_SWITCH_SHIFT: u32 = 28;

/// Direction of the GPIO pins, 1 = output.
pub const GPIOCTL: Reg<u32, ReadWrite> = Reg::at(0x20);
/// Written at start-up; purpose unknown.
pub const GPIOCTL_START: u32 = 0x0002_0000;
/// Written at start-up after [`GPIOCTL_START`]: the low eight pins are outputs.
pub const GPIOCTL_OUTPUTS: u32 = 0x0002_00FF;
/// The pins and the data path serve the echo canceller module.
pub const GPIOCTL_ECHO: u32 = 1 << 24;
/// Levels of the GPIO pins.
pub const GPIO: Reg<u32, ReadWrite> = Reg::at(0x24);

/// Local bus: address and strobes.
pub const LADDR: Reg<u32, WriteOnly> = Reg::at(0x28);
/// Local bus: register of the framer.
pub const LADDR_REGISTER: u32 = 0xFF;
/// Local bus: lowest bit of the port (two bits).
pub const LADDR_PORT_SHIFT: u32 = 8;
/// Local bus: the two bits of the port.
pub const LADDR_PORT: u32 = 0b11 << LADDR_PORT_SHIFT;
/// Local bus: chip select of the framer.
pub const LADDR_FRAMER: u32 = 1 << 10;
/// Local bus: chip select of the echo canceller.
pub const LADDR_ECHO: u32 = 1 << 11;
/// Local bus: address latch enable of the echo canceller.
pub const LADDR_ECHO_LATCH: u32 = 1 << 13;
/// Local bus: set for ports 0 to 3, clear for ports 4 to 7.
pub const LADDR_LOWER_PORTS: u32 = 1 << 14;
/// Local bus: read strobe.
pub const LADDR_READ: u32 = 1 << 15;
/// Local bus: write strobe.
pub const LADDR_WRITE: u32 = 1 << 16;

/// Extended reset: bits of [`INTR`], of [`LADDR`], and the two states the line is toggled between.
pub const EXTENDED_RESET_ARM: u32 = 0x4200_0000;
/// Extended reset: low.
pub const EXTENDED_RESET_LOW: u32 = 0x0008_0000;
/// Extended reset: high.
pub const EXTENDED_RESET_HIGH: u32 = 0x0018_0000;

/// Local bus: data.
pub const LDATA: Reg<u32, ReadWrite> = Reg::at(0x2C);
/// Local bus: what is written is an address of the echo canceller module.
pub const LDATA_ECHO_ADDRESS: u32 = 1 << 16;
/// The octet the framer was read of: a read of one octet at [`LDATA`].
pub const FRAMER_DATA: Reg<u8, ReadOnly> = Reg::at(0x2C);

/// The eight-port board: jumpers, lamps of spans 5 to 8, authentication.
pub const LEDS2: Reg<u32, ReadWrite> = Reg::at(0x30);
/// Write: start the authentication.
pub const LEDS2_AUTHENTICATE: u32 = 1 << 20;
/// Read: the authentication is done.
pub const LEDS2_AUTHENTICATED: u32 = 1 << 12;
/// The eight-port board: pins of the configuration flash.
pub const SPI: Reg<u32, ReadWrite> = Reg::at(0x34);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_register_is_an_aligned_dword_of_the_bar() {
        for offset in [
            RDADDR.offset,
            WRADDR.offset,
            COUNT.offset,
            DMACTRL.offset,
            INTR.offset,
            RING.offset,
            VERSION.offset,
            LEDS.offset,
            GPIOCTL.offset,
            GPIO.offset,
            LADDR.offset,
            LDATA.offset,
            LEDS2.offset,
            SPI.offset,
        ] {
            assert!(offset.is_multiple_of(4) && offset < BAR0_OCTETS, "{offset:#x}");
        }
        assert_eq!(FRAMER_DATA.offset, LDATA.offset);
    }

    #[test]
    fn the_fields_of_the_local_bus_do_not_overlap() {
        let fields = [
            LADDR_REGISTER,
            LADDR_PORT,
            LADDR_FRAMER,
            LADDR_ECHO,
            LADDR_ECHO_LATCH,
            LADDR_LOWER_PORTS,
            LADDR_READ,
            LADDR_WRITE,
        ];
        let union = fields.iter().fold(0, |all, field| all | field);
        assert_eq!(fields.iter().map(|field| field.count_ones()).sum::<u32>(), union.count_ones());
    }
}
