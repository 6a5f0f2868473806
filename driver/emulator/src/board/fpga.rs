//! The FPGA: the registers of BAR 0, the DMA ring, the interrupt, the local bus to the framer.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::{dma, wct4xxp as regs};

use crate::board::{Layout, Lockstep};
use crate::framer::Framer;

/// What the host set on the card itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jumpers {
    /// Bit n: span n + 1 is an E1.
    pub e1: u32,
    /// The rotary switch, 0 to 15.
    pub switch: u32,
}

/// Where this millisecond's buffers are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    /// The board reads here what it sends.
    pub transmit: u64,
    /// The board writes here what it received.
    pub receive: u64,
}

/// The FPGA and the chip behind it.
pub(crate) struct Fpga {
    layout: Layout,
    jumpers: Jumpers,
    pub framer: Framer,
    receive_address: u32,
    transmit_address: u32,
    count: u32,
    control: u32,
    ring: u32,
    leds: u32,
    leds2: u32,
    spi: u32,
    gpio_direction: u32,
    gpio: u32,
    local_address: u32,
    local_data: u32,
    index: u32,
    ident: u32,
    millis_since_interrupt: u32,
    /// A millisecond was transferred and not acknowledged since.
    tick: bool,
    /// INTR was read as ours and not written since: somebody is still at work.
    being_served: bool,
}

impl Fpga {
    pub(crate) fn new(layout: Layout, jumpers: Jumpers) -> Self {
        Self {
            layout,
            jumpers,
            framer: Framer::new(layout.framer_ports, layout.shows_masked),
            receive_address: 0,
            transmit_address: 0,
            count: 0,
            control: 0,
            ring: 1 << regs::RING_MILLIS_SHIFT | 1,
            leds: 0,
            leds2: 0,
            spi: 0,
            gpio_direction: 0,
            gpio: 0,
            local_address: 0,
            local_data: 0,
            index: 0,
            ident: 0,
            millis_since_interrupt: 0,
            tick: false,
            being_served: false,
        }
    }

    /// DMA runs: the ring turns, a millisecond each.
    pub(crate) fn is_running(&self) -> bool {
        self.control & regs::DMACTRL_RUN == regs::DMACTRL_RUN
    }
    /// The port whose line clocks the board; nothing: its own oscillator.
    pub(crate) fn clock_port(&mut self) -> Option<usize> {
        let recovered = self.control & regs::DMACTRL_CLOCK_RECOVERED != 0;
        self.framer.port_mut(0).filter(|_| recovered).map(|port| port.recovered_from())
    }
    /// The board wants INTx: a level, and never before DMA runs.
    pub(crate) fn wants_interrupt(&self) -> bool {
        self.is_running() && (self.tick || self.framer.pending() != 0)
    }
    /// The host is done with the last millisecond.
    pub(crate) fn tick_taken(&self, rule: Lockstep) -> bool {
        let acknowledged = !self.is_running() || !self.tick;
        match rule {
            Lockstep::Acknowledged => acknowledged,
            Lockstep::Served => acknowledged && !self.being_served && self.framer.pending() == 0,
        }
    }
    /// What the lamps show: two bits a span, from bit 0.
    pub(crate) fn lamps(&self) -> u32 {
        self.leds & regs::LEDS_LAMPS | (self.leds2 & regs::LEDS_LAMPS).wrapping_shl(8)
    }

    fn buffers(&self) -> u32 {
        let asked = self.ring & regs::RING_BUFFERS;
        if self.layout.ring { asked.max(1) } else { 1 }
    }
    fn millis_per_interrupt(&self) -> u32 {
        let asked = self.ring.wrapping_shr(regs::RING_MILLIS_SHIFT);
        if self.layout.ring { asked.max(1) } else { 1 }
    }

    /// The buffers of this millisecond; nothing while DMA stands still.
    pub(crate) fn transfer(&self) -> Option<Transfer> {
        let offset = u64::from(self.index).wrapping_mul(self.layout.buffer_octets as u64);
        self.is_running().then(|| Transfer {
            transmit: u64::from(self.transmit_address).wrapping_add(offset),
            receive: u64::from(self.receive_address).wrapping_add(offset),
        })
    }
    /// A millisecond was transferred. `silent`: its interrupt gets lost. Returns whether the last one
    /// had not been acknowledged yet.
    pub(crate) fn advance(&mut self, silent: bool) -> bool {
        self.index = self.index.wrapping_add(1).checked_rem(self.buffers()).unwrap_or(0);
        self.ident = self.ident.wrapping_add(1) % dma::IDENTS;
        self.millis_since_interrupt = self.millis_since_interrupt.saturating_add(1);
        if self.millis_since_interrupt < self.millis_per_interrupt() {
            return false;
        }
        self.millis_since_interrupt = 0;
        if silent {
            return false;
        }
        core::mem::replace(&mut self.tick, true)
    }

    fn interrupt_status(&self) -> u32 {
        let ident = if self.layout.ring { self.ident } else { 0 };
        let mut status = ident.wrapping_shl(regs::INTR_IDENT_SHIFT);
        if self.tick {
            status |= regs::INTR_TICK;
        }
        if self.framer.pending() != 0 {
            status |= regs::INTR_FRAMER;
        }
        status
    }
    fn jumper_status(&self) -> u32 {
        self.jumpers.e1.wrapping_shl(regs::LEDS_E1_SHIFT) & regs::LEDS_E1
            | self.jumpers.switch.wrapping_shl(regs::LEDS_SWITCH_SHIFT)
    }
    /// The jumpers of spans 5 to 8, and the authentication, which takes no time here.
    fn upper_jumper_status(&self) -> u32 {
        let jumpers = self.jumpers.e1.wrapping_shr(4).wrapping_shl(regs::LEDS_E1_SHIFT);
        let asked = self.leds2 & regs::LEDS2_AUTHENTICATE != 0;
        jumpers & regs::LEDS_E1 | if asked { regs::LEDS2_AUTHENTICATED } else { 0 }
    }

    /// The dword at `offset`, without any side effect; all ones where nothing is.
    pub(crate) fn peek(&self, offset: u32) -> u32 {
        match offset {
            a if a == regs::RDADDR.offset => self.receive_address,
            a if a == regs::WRADDR.offset => self.transmit_address,
            a if a == regs::COUNT.offset => self.count,
            a if a == regs::DMACTRL.offset => self.control,
            a if a == regs::INTR.offset => self.interrupt_status(),
            a if a == regs::RING.offset => {
                self.index.wrapping_shl(regs::RING_INDEX_SHIFT) | (self.ring & regs::RING_BUFFERS)
            }
            a if a == regs::VERSION.offset => self.layout.version,
            a if a == regs::LEDS.offset => self.jumper_status(),
            a if a == regs::GPIOCTL.offset => self.gpio_direction,
            a if a == regs::GPIO.offset => self.gpio,
            a if a == regs::LADDR.offset => self.local_address,
            a if a == regs::LDATA.offset => self.local_data,
            a if a == regs::LEDS2.offset && self.layout.framer_ports > 4 => {
                self.upper_jumper_status()
            }
            a if a == regs::SPI.offset && self.layout.framer_ports > 4 => self.spi,
            _ => u32::MAX,
        }
    }
    /// The dword at `offset`, as the host reads it.
    pub(crate) fn read(&mut self, offset: u32) -> u32 {
        let value = self.peek(offset);
        if offset == regs::INTR.offset && value & regs::INTR_OURS != 0 {
            self.being_served = true;
        }
        value
    }
    /// The host writes the dword at `offset`.
    pub(crate) fn write(&mut self, offset: u32, value: u32) {
        match offset {
            a if a == regs::RDADDR.offset => self.receive_address = value,
            a if a == regs::WRADDR.offset => self.transmit_address = value,
            a if a == regs::COUNT.offset => self.count = value,
            a if a == regs::DMACTRL.offset => self.write_control(value),
            a if a == regs::INTR.offset => (self.tick, self.being_served) = (false, false),
            a if a == regs::RING.offset => {
                self.ring = value;
                self.index = self.index.checked_rem(self.buffers()).unwrap_or(0);
            }
            a if a == regs::LEDS.offset => {
                self.leds = value;
                self.framer.hold_in_reset(value & regs::LEDS_ACTIVE == 0);
            }
            a if a == regs::GPIOCTL.offset => self.gpio_direction = value,
            a if a == regs::GPIO.offset => self.gpio = value,
            a if a == regs::LADDR.offset => self.write_local_address(value),
            a if a == regs::LDATA.offset => self.local_data = value,
            a if a == regs::LEDS2.offset => self.leds2 = value,
            a if a == regs::SPI.offset => self.spi = value,
            _ => {}
        }
    }
    /// Leaving the run state restarts index and ident; staying in it disturbs neither.
    fn write_control(&mut self, value: u32) {
        self.control = value;
        if !self.is_running() {
            (self.index, self.ident, self.millis_since_interrupt) = (0, 0, 0);
            self.tick = false;
        }
    }
    /// A strobe acts once, when it begins.
    fn write_local_address(&mut self, value: u32) {
        let before = core::mem::replace(&mut self.local_address, value);
        if value & regs::LADDR_FRAMER == 0 {
            return;
        }
        let begun = if before & regs::LADDR_FRAMER == 0 { value } else { value & !before };
        let low = (value & regs::LADDR_PORT).wrapping_shr(regs::LADDR_PORT_SHIFT) as usize;
        let port = if value & regs::LADDR_LOWER_PORTS == 0 { low.wrapping_add(4) } else { low };
        let address = (value & regs::LADDR_REGISTER) as u8;
        if begun & regs::LADDR_WRITE != 0 {
            self.framer.write(port, address, self.local_data as u8);
        } else if begun & regs::LADDR_READ != 0 {
            self.local_data = u32::from(self.framer.read(port, address));
        }
    }
}
