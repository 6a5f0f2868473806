//! A board of the wct4xxp family: FPGA, framer, lines, and what may break on it.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod config;
mod fpga;
mod highway;
mod wire;

use bus::{Device, HostMemory, Space};
use firmware_headers::model::Model;
use firmware_headers::{dma, falc, pci, wct4xxp};
use tdm::{Rng, SampleTime};

use crate::FarEnd;
use crate::clock::billionths;
use crate::fault::{BoardFault, Fault};
use config::Config;
use fpga::{Fpga, Jumpers};
use wire::Wire;

/// A board of the family with the wide echo canceller path, so that its probe is short.
const VERSION: u32 = wct4xxp::VERSION_FAMILY | 0x0170;
/// Milliseconds of the framer's counters.
const SECOND_MILLIS: u64 = 1000;

/// What differs between the boards of the family, to the emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Ports with a connector.
    pub connectors: usize,
    /// Ports of the framer chip: a board with two connectors carries one with four all the same.
    pub framer_ports: usize,
    /// Octets of one DMA buffer, which follow the framer's ports.
    pub buffer_octets: usize,
    /// Generation 5: a ring of buffers, its index and the ident.
    pub ring: bool,
    /// What VERSION reads: which image the FPGA runs.
    pub version: u32,
    /// The framer shows masked causes when it is told to (GCR.VIS).
    pub shows_masked: bool,
}

/// A board that cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no emulation of {name} generation {generation} with {spans} spans: generations 2 to 5 are there"
)]
pub struct NotBuilt {
    /// As printed on the board.
    pub name: &'static str,
    /// Its generation.
    pub generation: u8,
    /// Its spans.
    pub spans: u8,
}

/// When a lockstep clock may go on to the next millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lockstep {
    /// The tick was acknowledged. Enough for a host that acknowledges before it works.
    Acknowledged,
    /// And nobody is between reading INTR and acknowledging, and the framer wants nothing: a host that
    /// acknowledges at the end of its work loses no tick.
    #[default]
    Served,
}

/// What the board counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardCounters {
    /// Milliseconds of the card's clock.
    pub millis: u64,
    /// Milliseconds transferred by DMA.
    pub ticks: u64,
    /// Ticks whose predecessor had not been acknowledged.
    pub unacknowledged: u64,
    /// Interrupts that a fault swallowed.
    pub swallowed: u64,
    /// Transfers that memory refused, or that the missing right to master the bus did.
    pub refused: u64,
    /// Times DMA was started.
    pub starts: u64,
}

/// The faults of the board as a whole.
#[derive(Clone, Copy, Debug, Default)]
struct BoardFaults {
    frozen: bool,
    pulled: bool,
    dma_stopped: bool,
    dead_interrupt: bool,
    /// What its oscillator is off, in parts per billion.
    oscillator: Option<i64>,
    swallow: u32,
}

/// An emulated board.
///
/// The board with eight spans has no configuration flash here: its pins read as what was written.
///
/// ```
/// use bus::{Device, Space};
/// use emulator::{Board, Loopback};
/// use firmware_headers::model;
/// let mut board = Board::new(&model::TE410P_GEN5, 1)?;
/// board.plug(0, Box::new(Loopback::default()));
/// assert_eq!(board.read(Space::Config, 0, 4), 0x1410_D161);
/// # Ok::<(), emulator::NotBuilt>(())
/// ```
pub struct Board {
    model: Model,
    layout: Layout,
    intx_disable: bool,
    jumpers: Jumpers,
    config: Config,
    fpga: Fpga,
    wires: Vec<Wire>,
    transmit: Vec<u8>,
    receive: Vec<u8>,
    faults: BoardFaults,
    counters: BoardCounters,
    /// What its own oscillator is off, and what clocked it last, in parts per billion.
    oscillator: i64,
    running_at: i64,
}

impl Board {
    /// A board without power on its registers yet: as after power-up, nothing plugged in. `seed` is the
    /// chance of its bit errors.
    ///
    /// # Errors
    /// When nobody wrote that board yet.
    pub fn new(model: &Model, seed: u64) -> Result<Self, NotBuilt> {
        let Model { name, generation, spans, .. } = *model;
        let connectors = usize::from(spans);
        let (framer_ports, buffer_octets) = match connectors {
            2 | 4 => (falc::PORTS_QUAD, dma::BUFFER_OCTETS_QUAD),
            8 => (falc::PORTS_OCTAL, dma::BUFFER_OCTETS_OCTAL),
            _ => return Err(NotBuilt { name, generation, spans }),
        };
        if !(2..=5).contains(&generation) {
            return Err(NotBuilt { name, generation, spans });
        }
        let (ring, version) = (generation == 5, VERSION);
        let shows_masked = true;
        let layout =
            Layout { connectors, framer_ports, buffer_octets, ring, version, shows_masked };
        // A jumper for each connector; the ones a board has not read zero.
        let jumpers =
            Jumpers { e1: 0xFF_u32.wrapping_shr(8_u32.wrapping_sub(spans.into())), switch: 0 };
        let rng = Rng::from_seed(seed);
        Ok(Self {
            model: *model,
            layout,
            intx_disable: true,
            jumpers,
            config: Config::new(model, true),
            fpga: Fpga::new(layout, jumpers),
            wires: (0..connectors as u64).map(|port| Wire::new(rng.fork(port))).collect(),
            transmit: vec![0; layout.buffer_octets],
            receive: vec![0; layout.buffer_octets],
            faults: BoardFaults::default(),
            counters: BoardCounters::default(),
            oscillator: 0,
            running_at: 0,
        })
    }
    /// The same board before PCI 2.3: its interrupt cannot be disabled and does not show in STATUS.
    #[must_use]
    pub fn without_intx_disable(mut self) -> Self {
        self.intx_disable = false;
        self.config = Config::new(&self.model, false);
        self
    }
    /// The same board with its rotary switch at `position` (0 to 15).
    #[must_use]
    pub fn with_switch(mut self, position: u8) -> Self {
        self.jumpers.switch = u32::from(position & 0xF);
        self.reset();
        self
    }

    /// The same board with another image in its FPGA: what VERSION reads.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.layout.version = version;
        self.reset();
        self
    }

    /// The same board with a framer that never shows a masked cause, whatever GCR says: no witness says that the chip of
    /// these boards does.
    #[must_use]
    pub fn without_masked_causes(mut self) -> Self {
        self.layout.shows_masked = false;
        self.reset();
        self
    }

    /// Which board it is.
    pub fn model(&self) -> &Model {
        &self.model
    }
    /// Ports with a connector.
    pub fn ports(&self) -> usize {
        self.layout.connectors
    }
    /// Connects `far` to `port`; `false` when the board has no such connector.
    pub fn plug(&mut self, port: usize, far: Box<dyn FarEnd>) -> bool {
        self.wires.get_mut(port).map(|wire| wire.plug(Some(far))).is_some()
    }
    /// Pulls the plug of `port`; `false` when the board has no such connector.
    pub fn unplug(&mut self, port: usize) -> bool {
        self.wires.get_mut(port).map(|wire| wire.plug(None)).is_some()
    }
    /// Breaks the line of `port` in one more way; `false` when the board has no such connector.
    pub fn inject(&mut self, port: usize, fault: Fault) -> bool {
        self.wires.get_mut(port).map(|wire| wire.inject(fault)).is_some()
    }
    /// Makes the line of `port` whole again; `false` when the board has no such connector.
    pub fn repair(&mut self, port: usize) -> bool {
        self.wires.get_mut(port).map(Wire::repair).is_some()
    }
    /// Breaks the board in one more way.
    pub fn fail(&mut self, fault: BoardFault) {
        match fault {
            BoardFault::ClockOffset(ppm) => self.faults.oscillator = Some(billionths(ppm)),
            BoardFault::FrozenClock => self.faults.frozen = true,
            BoardFault::MissedInterrupts(ticks) => {
                self.faults.swallow = self.faults.swallow.saturating_add(ticks);
            }
            BoardFault::DeadInterrupt => self.faults.dead_interrupt = true,
            BoardFault::Pulled => self.faults.pulled = true,
            BoardFault::DmaStopped => self.faults.dma_stopped = true,
        }
    }
    /// Makes the board whole again. One that was pulled comes back as after power-up.
    pub fn heal(&mut self) {
        if self.faults.pulled {
            self.reset();
        }
        self.faults = BoardFaults::default();
    }

    /// By how many parts per million the board's clock is fast: that of the line it follows, or its oscillator's.
    pub fn clock_ppm(&self) -> f64 {
        self.running_at as f64 / 1000.0
    }
    /// The same board with an oscillator that runs so many parts per million fast.
    #[must_use]
    pub fn with_oscillator(mut self, ppm: f64) -> Self {
        self.oscillator = billionths(ppm);
        self.running_at = self.oscillator;
        self
    }

    /// DMA runs.
    pub fn is_running(&self) -> bool {
        self.fpga.is_running() && !self.faults.pulled
    }
    /// DMA runs and nothing keeps its interrupts from coming: a lockstep clock has somebody to wait for.
    pub(crate) fn is_ticking(&self) -> bool {
        self.is_running() && !self.faults.frozen && !self.faults.dma_stopped
    }
    /// Whether a lockstep clock may go on: the host is done with the last millisecond. True while DMA
    /// stands still.
    pub fn tick_taken(&self, rule: Lockstep) -> bool {
        self.faults.pulled || self.fpga.tick_taken(rule)
    }
    /// The card's clock: samples since it was made.
    pub fn clock(&self) -> SampleTime {
        SampleTime::millis(self.counters.millis)
    }
    /// What was counted.
    pub fn counters(&self) -> BoardCounters {
        self.counters
    }
    /// The lamp of `port`, as the constants `LAMP_…` of the board's register map name them.
    pub fn lamp(&self, port: usize) -> u32 {
        let shift = u32::try_from(port).unwrap_or(u32::MAX).saturating_mul(2);
        self.fpga.lamps().checked_shr(shift).unwrap_or(0) & wct4xxp::LAMP_YELLOW
    }

    fn fetch(&mut self, memory: &dyn HostMemory, transfer: Option<fpga::Transfer>) {
        let master = self.config.command(pci::COMMAND_BUS_MASTER);
        let fetched =
            transfer.is_some_and(|at| master && memory.fetch(at.transmit, &mut self.transmit));
        if !fetched {
            self.transmit.fill(0xFF);
            self.counters.refused =
                self.counters.refused.wrapping_add(u64::from(transfer.is_some()));
        }
    }
    fn lines(&mut self) {
        let at = self.clock();
        let parts = self.transmit.chunks_exact(dma::PORT_OCTETS);
        let places = self.receive.chunks_exact_mut(dma::PORT_OCTETS);
        let dead = self.fpga.framer.is_in_reset();
        let clock = self.fpga.clock_port().and_then(|port| self.wires.get(port)?.clock());
        let clock = clock.or(self.faults.oscillator).unwrap_or(self.oscillator);
        self.running_at = clock;
        for (n, ((wire, sent), received)) in
            self.wires.iter_mut().zip(parts).zip(places).enumerate()
        {
            highway::to_block(sent, &mut wire.sent);
            wire.millisecond(at, clock, self.fpga.framer.port_mut(n).filter(|_| !dead));
            highway::from_block(&wire.received, received);
        }
        self.counters.millis = self.counters.millis.wrapping_add(1);
        if self.counters.millis.is_multiple_of(SECOND_MILLIS) {
            self.fpga.framer.second();
        }
    }
    fn store(&mut self, memory: &dyn HostMemory, at: fpga::Transfer) {
        let master = self.config.command(pci::COMMAND_BUS_MASTER);
        if !(master && memory.store(at.receive, &self.receive)) {
            self.counters.refused = self.counters.refused.wrapping_add(1);
        }
    }
    fn finish_tick(&mut self) {
        let silent = self.faults.swallow > 0;
        self.faults.swallow = self.faults.swallow.saturating_sub(1);
        let late = self.fpga.advance(silent);
        self.counters.ticks = self.counters.ticks.wrapping_add(1);
        self.counters.swallowed = self.counters.swallowed.wrapping_add(u64::from(silent));
        self.counters.unacknowledged = self.counters.unacknowledged.wrapping_add(u64::from(late));
    }
    fn read_bar0(&mut self, offset: u32, octets: u8) -> u32 {
        if !self.config.command(pci::COMMAND_MEMORY) {
            return u32::MAX;
        }
        match (octets, offset % 4) {
            (4, 0) => self.fpga.read(offset),
            (4, _) => u32::MAX,
            // Byte lanes of the dword; the framer's data is fetched so.
            (_, lane) => self.fpga.peek(offset & !3).wrapping_shr(lane.wrapping_mul(8)),
        }
    }
}

impl Device for Board {
    fn read(&mut self, space: Space, offset: u32, octets: u8) -> u32 {
        let width = match octets {
            1 => 0xFF,
            2 => 0xFFFF,
            _ => u32::MAX,
        };
        if self.faults.pulled {
            return width;
        }
        width
            & match space {
                Space::Config => self.config.read(offset, octets, self.fpga.wants_interrupt()),
                Space::Bar0 => self.read_bar0(offset, octets),
            }
    }

    fn write(&mut self, space: Space, offset: u32, octets: u8, value: u32) {
        if self.faults.pulled {
            return;
        }
        match space {
            Space::Config => self.config.write(offset, octets, value),
            Space::Bar0 if octets == 4 && self.config.command(pci::COMMAND_MEMORY) => {
                let was_running = self.fpga.is_running();
                self.fpga.write(offset, value);
                let started = self.fpga.is_running() && !was_running;
                self.counters.starts = self.counters.starts.wrapping_add(u64::from(started));
            }
            Space::Bar0 => {}
        }
    }

    fn interrupt(&self) -> bool {
        self.fpga.wants_interrupt()
            && !self.faults.pulled
            && !self.faults.dead_interrupt
            && !self.config.command(pci::COMMAND_INTX_DISABLE)
    }

    /// The transmit buffer is fetched, then every line has its millisecond, then the receive buffer is
    /// stored, then the interrupt comes.
    fn millisecond(&mut self, memory: &dyn HostMemory) {
        if self.faults.frozen || self.faults.pulled {
            return;
        }
        let transfer = self.fpga.transfer().filter(|_| !self.faults.dma_stopped);
        self.fetch(memory, transfer);
        self.lines();
        if let Some(transfer) = transfer {
            self.store(memory, transfer);
            self.finish_tick();
        }
    }

    fn bar0_octets(&self) -> u32 {
        wct4xxp::BAR0_OCTETS
    }

    fn reset(&mut self) {
        self.config = Config::new(&self.model, self.intx_disable);
        self.fpga = Fpga::new(self.layout, self.jumpers);
    }
}

#[cfg(test)]
#[path = "board/tests.rs"]
mod tests;
