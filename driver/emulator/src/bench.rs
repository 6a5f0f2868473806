//! What the tests of this crate share: a host of a few lines that knows the registers and nothing else.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::cell::RefCell;

use bus::{Device, HostMemory, Readable, Reg, Space, Word, Writable};
use firmware_headers::{dma, falc, model, pci, wct4xxp as regs};

use crate::Board;

/// Where the test's DMA memory begins.
pub(crate) const BASE: u32 = 0x0010_0000;

/// DMA memory of a test.
pub(crate) struct Memory(RefCell<Vec<u8>>);

impl Memory {
    pub(crate) fn new(octets: usize) -> Self {
        Self(RefCell::new(vec![0; octets]))
    }
    fn range(&self, address: u64, octets: usize) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(address.checked_sub(u64::from(BASE))?).ok()?;
        let end = start.checked_add(octets)?;
        (end <= self.0.borrow().len()).then_some(start..end)
    }
    pub(crate) fn octet(&self, offset: usize) -> u8 {
        self.0.borrow()[offset]
    }
    pub(crate) fn set(&self, offset: usize, octet: u8) {
        self.0.borrow_mut()[offset] = octet;
    }
}

impl HostMemory for Memory {
    fn fetch(&self, address: u64, into: &mut [u8]) -> bool {
        let Some(range) = self.range(address, into.len()) else { return false };
        into.copy_from_slice(&self.0.borrow()[range]);
        true
    }
    fn store(&self, address: u64, from: &[u8]) -> bool {
        let Some(range) = self.range(address, from.len()) else { return false };
        self.0.borrow_mut()[range].copy_from_slice(from);
        true
    }
}

/// A board with a host at its bus.
pub(crate) struct Host {
    pub board: Board,
    pub memory: Memory,
    pub buffers: usize,
    buffer_octets: usize,
}

impl Host {
    /// A board that is enabled on the bus and otherwise as after power-up.
    pub(crate) fn new(model: &model::Model) -> Self {
        let buffers = if model.generation == 5 { 2 } else { 1 };
        Self::with_ring(model, buffers)
    }
    pub(crate) fn with_ring(model: &model::Model, buffers: usize) -> Self {
        let board = Board::new(model, 1).expect("a board that is built");
        let buffer_octets =
            if model.spans == 8 { dma::BUFFER_OCTETS_OCTAL } else { dma::BUFFER_OCTETS_QUAD };
        let memory = Memory::new(2 * buffers * buffer_octets);
        let mut host = Self { board, memory, buffers, buffer_octets };
        host.enable();
        host
    }
    pub(crate) fn enable(&mut self) {
        let enable = pci::COMMAND_MEMORY | pci::COMMAND_BUS_MASTER;
        self.board.write(Space::Config, pci::COMMAND.offset, 2, u32::from(enable));
    }
    pub(crate) fn get<W: Word, A: Readable>(&mut self, reg: &Reg<W, A>) -> W {
        W::from_u32(self.board.read(Space::Bar0, reg.offset, W::OCTETS))
    }
    pub(crate) fn put<W: Word, A: Writable>(&mut self, reg: &Reg<W, A>, value: W) {
        self.board.write(Space::Bar0, reg.offset, W::OCTETS, value.to_u32());
    }
    fn local(port: u32, offset: u32) -> u32 {
        let half = if port < 4 { regs::LADDR_LOWER_PORTS } else { 0 };
        offset | (port % 4) << regs::LADDR_PORT_SHIFT | half
    }
    pub(crate) fn framer_get<A: Readable>(&mut self, port: u32, reg: &Reg<u8, A>) -> u8 {
        let address = Self::local(port, reg.offset);
        self.put(&regs::LADDR, address);
        self.put(&regs::LADDR, address | regs::LADDR_FRAMER | regs::LADDR_READ);
        let value = self.get(&regs::FRAMER_DATA);
        self.put(&regs::LADDR, address);
        value
    }
    pub(crate) fn framer_put<A: Writable>(&mut self, port: u32, reg: &Reg<u8, A>, value: u8) {
        let address = Self::local(port, reg.offset);
        self.put(&regs::LADDR, address);
        self.put(&regs::LDATA, u32::from(value));
        self.put(&regs::LADDR, address | regs::LADDR_FRAMER | regs::LADDR_WRITE);
        self.put(&regs::LADDR, address);
    }
    /// The framer out of reset and every port an E1 with HDB3.
    pub(crate) fn ports_up(&mut self, crc4: bool) {
        self.put(&regs::LEDS, regs::LEDS_ACTIVE);
        for port in 0..self.board.ports() as u32 {
            let framing = if crc4 { falc::FMR1_XFS } else { 0 };
            self.framer_put(port, &falc::FMR1, falc::FMR1_AFR | falc::FMR1_ECM | framing);
            let search = if crc4 { falc::FMR2_RFS_CRC4_AUTO } else { 0 };
            self.framer_put(port, &falc::FMR2, search | falc::FMR2_AXRA | falc::FMR2_ALMF);
            self.framer_put(port, &falc::FMR0, falc::FMR0_XC_HDB3 | falc::FMR0_RC_HDB3);
            self.framer_put(port, &falc::XSW, 0x9F);
            self.framer_put(port, &falc::XSP, 0x1C);
        }
    }
    /// Addresses, ring, run bits.
    pub(crate) fn start(&mut self) {
        let area = (self.buffers * self.buffer_octets) as u32;
        self.put(&regs::WRADDR, BASE);
        self.put(&regs::RDADDR, BASE + area);
        self.put(&regs::RING, 1 << regs::RING_MILLIS_SHIFT | self.buffers as u32);
        self.put(&regs::INTR, regs::INTR_START);
        self.put(&regs::DMACTRL, regs::DMACTRL_RUN);
    }
    pub(crate) fn ticks(&mut self, millis: u32) {
        for _ in 0..millis {
            self.board.millisecond(&self.memory);
        }
    }
    pub(crate) fn status(&mut self, port: u32) -> u8 {
        self.framer_get(port, &falc::FRS0)
    }
    /// Ident, index, tick.
    pub(crate) fn position(&mut self) -> (u32, u32, bool) {
        let status = self.get(&regs::INTR);
        let ring = self.get(&regs::RING);
        (
            (status & regs::INTR_IDENT) >> regs::INTR_IDENT_SHIFT,
            (ring & regs::RING_INDEX) >> regs::RING_INDEX_SHIFT,
            status & regs::INTR_TICK != 0,
        )
    }
    pub(crate) fn acknowledge(&mut self) {
        self.put(&regs::INTR, regs::INTR_ACKNOWLEDGE);
    }
    fn receive_offset(&self, buffer: usize) -> usize {
        (self.buffers + buffer) * self.buffer_octets
    }
    pub(crate) fn received(&self, buffer: usize, port: usize, slot: usize, sample: usize) -> u8 {
        self.memory.octet(self.receive_offset(buffer) + dma::offset(port, slot, sample))
    }
    pub(crate) fn send(&self, buffer: usize, port: usize, slot: usize, sample: usize, octet: u8) {
        let offset = buffer * self.buffer_octets + dma::offset(port, slot, sample);
        self.memory.set(offset, octet);
    }
}
