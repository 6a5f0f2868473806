//! The framer chip: E1 and T1 ports behind one local bus, four of a QuadFALC or eight of its bigger sister.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod cas;
mod hdlc;
mod port;
mod receiver;
mod robbed;
mod signalling;

use firmware_headers::falc;

pub(crate) use port::{Arrived, Port};

/// The chip.
pub(crate) struct Framer {
    ports: Vec<Port>,
    in_reset: bool,
    shows_masked: bool,
}

impl Framer {
    /// A chip of `ports` held in reset, as the board leaves it after power-up.
    pub(crate) fn new(ports: usize, shows_masked: bool) -> Self {
        let all = (0..ports).map(|_| Port::new(ports, shows_masked)).collect();
        Self { ports: all, in_reset: true, shows_masked }
    }
    /// Holds the chip in reset, or lets it out of it: every register then has its reset value.
    pub(crate) fn hold_in_reset(&mut self, hold: bool) {
        if hold && !self.in_reset {
            let ports = self.ports.len();
            let shows_masked = self.shows_masked;
            self.ports.iter_mut().for_each(|port| *port = Port::new(ports, shows_masked));
        }
        self.in_reset = hold;
    }
    pub(crate) fn is_in_reset(&self) -> bool {
        self.in_reset
    }
    pub(crate) fn port_mut(&mut self, port: usize) -> Option<&mut Port> {
        self.ports.get_mut(port)
    }

    /// A write through the local bus; a chip in reset hears nothing.
    pub(crate) fn write(&mut self, port: usize, address: u8, value: u8) {
        if self.in_reset || u32::from(address) == falc::UNNAMED_4A.offset {
            return;
        }
        if let Some(port) = self.ports.get_mut(port) {
            port.write(address, value);
        }
    }
    /// A read through the local bus; a chip in reset leaves the bus floating high.
    pub(crate) fn read(&mut self, port: usize, address: u8) -> u8 {
        if self.in_reset {
            return 0xFF;
        }
        match u32::from(address) {
            a if a == falc::CIS.offset => self.pending(),
            a if a == falc::VSTR.offset => self.version(),
            _ => self.ports.get_mut(port).map_or(0xFF, |port| port.read(address)),
        }
    }
    /// Silicon 3.1, which calls itself 2.1 until it is told to leave the compatibility. The octal chip's is
    /// not known.
    fn version(&mut self) -> u8 {
        let first = self.ports.first_mut();
        match first.map(|port| port.read(falc::GPC6.offset as u8) & falc::GPC6_COMP_DIS) {
            Some(falc::GPC6_COMP_DIS) => falc::VSTR_3_1,
            _ => falc::VSTR_2_1,
        }
    }
    /// CIS: which ports have something unmasked. Pin INT is active while it is not zero.
    pub(crate) fn pending(&self) -> u8 {
        if self.in_reset {
            return 0;
        }
        let busy = self.ports.iter().map(|port| port.pending() != 0);
        busy.enumerate().fold(0, |all, (n, is)| all | (u8::from(is) << (n & 7)))
    }
    /// A second of the board's clock has passed.
    pub(crate) fn second(&mut self) {
        if !self.in_reset {
            self.ports.iter_mut().for_each(Port::second);
        }
    }
}
