//! From power-up to the first interrupt, and back to rest. Register map H.4, H.6.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use core::time::Duration;

use bus::{Bus, DmaRegion, Space};
use firmware_headers::{dma, falc, pci, wct4xxp as regs};
use tdm::{Instant, Law};

use super::events::EventQueue;
use super::local_bus::{self, write_board};
use super::poll::{Port, running};
use super::ring::Ring;
use super::service::UNTOUCHED;
use super::{
    Acknowledge, BUFFER_OCTETS, Board, PORTS_MAX, RING_MAX, RING_MIN, Settings, State, Stats, probe,
};
use crate::error::{BoardError, Result};
use crate::framer::falc::{CHIP, Step, Version, plan, system, version};
use crate::span::{LineHealth, OWN};

/// The framer's ports are all put on the highway, also those without a connector.
const FRAMER_PORTS: usize = falc::PORTS_QUAD;
/// Time the framer's reset and its release take. Register map B.7.
const RESET_MICROS: u64 = 100;

impl<B: Bus> Board<B> {
    /// Probes the board, resets it, programs framer and DMA, and lets it run.
    ///
    /// Blocks for about a thousand register accesses: some milliseconds on hardware, some tens over a
    /// socket. The first samples cross with the first [`Board::service`]; a line is in service at the
    /// earliest 250 ms later.
    ///
    /// # Errors
    /// Those of [`probe`]; [`BoardError::Setting`] for a setting that cannot be;
    /// [`BoardError::FramerBusy`]; [`BoardError::Memory`].
    pub fn start(bus: B, settings: Settings, now: Instant) -> Result<Self> {
        check(&settings)?;
        let identity = probe(&bus)?;
        let spans = usize::from(identity.model.spans);
        if let Some(port) = settings.ports.iter().skip(spans).position(Option::is_some) {
            let value = spans.saturating_add(port);
            let high = spans.saturating_sub(1);
            return Err(BoardError::Setting { what: "a used port", value, low: 0, high });
        }
        let octets = usize::from(settings.ring).saturating_mul(BUFFER_OCTETS).saturating_mul(2);
        let memory = bus.dma(octets)?;
        let mut ports = [None; PORTS_MAX];
        for (n, (port, chosen)) in ports.iter_mut().zip(settings.ports).enumerate() {
            *port = chosen.map(|it| Port::new(n, it, LineHealth::new(settings.debounce), now));
        }
        let lockstep = settings.acknowledge == Acknowledge::Last;
        let mut board = Self {
            bus,
            identity,
            settings,
            memory,
            ring: Ring::new(settings.ring, lockstep, now),
            ports,
            clock: OWN,
            lamps: 0,
            state: State::Running,
            events: EventQueue::new(),
            stats: Stats::default(),
            masked: false,
            unacknowledged: false,
            framer_credit: 0,
            alive_at: now,
        };
        // From here on an error drops the board, which puts it to rest.
        board.prepare()?;
        let silicon = board.start_chip()?;
        board.start_ports(silicon)?;
        board.run()?;
        Ok(board)
    }

    /// Rest, addresses, an empty timeslot switch, framer out of reset.
    fn prepare(&mut self) -> Result<()> {
        let command = self.bus.read(Space::Config, &pci::COMMAND)?;
        let command = (command | pci::COMMAND_BUS_MASTER) & !pci::COMMAND_INTX_DISABLE;
        write_board(&self.bus, &regs::DMACTRL, 0)?;
        self.bus.write(Space::Config, &pci::COMMAND, command)?;
        write_board(&self.bus, &regs::LEDS, 0)?;
        self.fill_memory();
        let transmit = self.memory.device_address;
        let receive = transmit.wrapping_add(self.receive_area() as u32);
        write_board(&self.bus, &regs::RDADDR, receive)?;
        write_board(&self.bus, &regs::WRADDR, transmit)?;
        for slot in 0..(FRAMER_PORTS as u32).wrapping_mul(dma::SLOTS as u32) {
            let to = slot.wrapping_shl(regs::DMACTRL_SWITCH_TO_SHIFT);
            write_board(&self.bus, &regs::DMACTRL, regs::DMACTRL_SWITCH_VALID | to)?;
        }
        write_board(&self.bus, &regs::DMACTRL, 0)?;
        write_board(&self.bus, &regs::INTR, regs::INTR_ACKNOWLEDGE)?;
        write_board(&self.bus, &regs::LEDS, regs::LEDS_LAMPS)?;
        self.settle(RESET_MICROS)?;
        write_board(&self.bus, &regs::LEDS, regs::LEDS_ACTIVE)?;
        self.settle(RESET_MICROS)
    }

    /// Idle to send, and all ones as nothing received.
    fn fill_memory(&self) {
        let DmaRegion { memory, .. } = &self.memory;
        for buffer in 0..usize::from(self.settings.ring) {
            let at = buffer.wrapping_mul(BUFFER_OCTETS);
            memory.write(at, &[Law::A.idle(); BUFFER_OCTETS]);
            let received = at.wrapping_add(self.receive_area());
            memory.write(received, &[0xFF; BUFFER_OCTETS]);
            memory.write(received, &UNTOUCHED);
        }
    }

    /// Version, pins, and what every port gets once. Register map E.6.1, E.6.2.
    fn start_chip(&mut self) -> Result<Version> {
        let gpc6 = local_bus::offset(&falc::GPC6);
        let compatible = local_bus::read(&self.bus, 0, gpc6)?;
        local_bus::write(&self.bus, 0, gpc6, compatible | falc::GPC6_COMP_DIS)?;
        let silicon = version(local_bus::read(&self.bus, 0, local_bus::offset(&falc::VSTR))?);
        let current = local_bus::read(&self.bus, 0, gpc6)?;
        local_bus::write(&self.bus, 0, gpc6, current & !falc::GPC6_COMP_DIS)?;
        let unnamed = local_bus::offset(&falc::UNNAMED_4A);
        local_bus::write(&self.bus, 0, unnamed, falc::UNNAMED_4A_START)?;

        write_board(&self.bus, &regs::GPIO, 0)?;
        write_board(&self.bus, &regs::GPIOCTL, regs::GPIOCTL_START)?;
        write_board(&self.bus, &regs::GPIOCTL, regs::GPIOCTL_OUTPUTS)?;
        for port in 0..usize::from(self.identity.model.spans) {
            let fmr1 = local_bus::offset(&falc::FMR1);
            let mode = local_bus::read(&self.bus, port, fmr1)?;
            local_bus::write(&self.bus, port, fmr1, mode | falc::FMR1_ECM)?;
            local_bus::write(&self.bus, port, local_bus::offset(&falc::ESM), 0)?;
        }
        write_board(&self.bus, &regs::DMACTRL, 0)?;

        self.follow(0, &CHIP, silicon)?;
        for port in 0..FRAMER_PORTS {
            self.follow(port, &system(port as u8, silicon), silicon)?;
        }
        Ok(silicon)
    }

    fn start_ports(&mut self, silicon: Version) -> Result<()> {
        for port in 0..FRAMER_PORTS {
            if let Some(Some(used)) = self.settings.ports.get(port) {
                self.follow(port, &plan(used.mode), silicon)?;
            }
        }
        Ok(())
    }

    /// Lets DMA and its interrupt run, on the board's own clock: ident and index begin at 0.
    fn run(&mut self) -> Result<()> {
        const ONE_MILLISECOND: u32 = 1 << regs::RING_MILLIS_SHIFT;
        let cmr1 = local_bus::offset(&falc::CMR1);
        local_bus::write(&self.bus, 0, cmr1, falc::CMR1_RCLK)?;
        let ring = u32::from(self.settings.ring) & regs::RING_BUFFERS;
        write_board(&self.bus, &regs::RING, ONE_MILLISECOND | ring)?;
        write_board(&self.bus, &regs::INTR, regs::INTR_START)?;
        self.bus.unmask()?;
        write_board(&self.bus, &regs::DMACTRL, running(self.clock))
    }

    /// Carries out the steps of a plan on one port.
    fn follow(&self, port: usize, steps: &[Step], silicon: Version) -> Result<()> {
        for step in steps {
            match *step {
                Step::OnlyVersion31 { .. } if silicon != Version::V31 => {}
                Step::Write { register, value } | Step::OnlyVersion31 { register, value } => {
                    local_bus::write(&self.bus, port, register, value)?;
                }
                Step::Command { value } => local_bus::command(&self.bus, port, value)?,
            }
        }
        Ok(())
    }

    /// Lets `micros` pass. No interrupt is expected meanwhile; one that comes all the same shortens it and
    /// is let go.
    fn settle(&mut self, micros: u64) -> Result<()> {
        if self.bus.wait(Duration::from_micros(micros))? {
            self.bus.unmask()?;
            self.bus.wait(Duration::from_micros(micros))?;
        }
        Ok(())
    }

    /// Stops DMA and interrupt, darkens the lamps and resets the framer: the memory may go away. Register
    /// map D.4.
    ///
    /// # Errors
    /// [`BoardError::Gone`] when the board does not answer any more; then there is nothing left to stop.
    pub fn stop(&mut self) -> Result<()> {
        match self.state {
            State::Running | State::Stalled => {}
            State::Stopped => return Ok(()),
            State::Gone => {
                // All ones may pass, and then the board would go on writing to memory that is no longer its.
                let _ = self.bus.write(Space::Bar0, &regs::DMACTRL, 0);
                return Ok(());
            }
        }
        self.state = State::Stopped;
        for (register, value) in [
            (&regs::DMACTRL, 0),
            (&regs::INTR, regs::INTR_ACKNOWLEDGE),
            (&regs::DMACTRL, 0),
            (&regs::RDADDR, 0),
            (&regs::WRADDR, 0),
            (&regs::GPIO, 0),
            (&regs::LEDS, 0),
        ] {
            write_board(&self.bus, register, value)?;
        }
        let command = self.bus.read(Space::Config, &pci::COMMAND)?;
        self.bus.write(Space::Config, &pci::COMMAND, command & !pci::COMMAND_BUS_MASTER)?;
        Ok(())
    }
}

fn check(settings: &Settings) -> Result<()> {
    let between = |what, value: u8, low: u8, high: u8| {
        if (low..=high).contains(&value) {
            return Ok(());
        }
        let (value, low, high) = (value.into(), low.into(), high.into());
        Err(BoardError::Setting { what, value, low, high })
    };
    between("the ring", settings.ring, RING_MIN, RING_MAX)?;
    between("the framer accesses a millisecond", settings.framer_budget, 1, 64)
}
