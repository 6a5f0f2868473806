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
use tdm::Instant;

use super::events::EventQueue;
use super::layout::Layout;
use super::local_bus::{self, write_board};
use super::poll::running;
use super::port::Port;
use super::position::{Position, Single};
use super::ring::Ring;
use super::service::UNTOUCHED;
use super::{
    Acknowledge, Board, PORTS_MAX, RING_MAX, RING_MIN, Settings, State, Stats, echo, probe,
};
use crate::error::{BoardError, Result};
use crate::framer::bits;
use crate::framer::falc::{Silicon, Step, chip, clock_source, plan_e1, system};
use crate::framer::falc_t1::plan_t1;
use crate::span::OWN;

/// How long the board with eight ports may take to authenticate itself, and between two looks.
const AUTHENTICATION_MILLIS: u64 = 1000;
const AUTHENTICATION_LOOK_MILLIS: u64 = 20;
const MILLISECOND_MICROS: u64 = 1000;
/// The levels the extended reset goes through.
const EXTENDED_RESET: [u32; 14] = {
    let (low, high) = (regs::EXTENDED_RESET_LOW, regs::EXTENDED_RESET_HIGH);
    [low, low, low, high, low, high, low, high, low, high, low, high, low, high]
};
/// Between the end of DMA and that of its addresses: a millisecond that was being transferred is through. Register map
/// D.4 waits for the next interrupt, and 25 ms more; here the run bits fall at once.
const STOP_MICROS: u64 = 1000;
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
        let Some(layout) = Layout::of(&identity.model) else {
            let firmware_headers::model::Model { name, generation, spans, .. } = identity.model;
            return Err(BoardError::NotBuilt { name, generation, spans });
        };
        let buffers = layout.buffers(settings.ring);
        let memory = bus.dma(buffers.saturating_mul(layout.buffer_octets).saturating_mul(2))?;
        let mut ports = [const { None }; PORTS_MAX];
        for (n, (port, chosen)) in ports.iter_mut().zip(settings.ports).enumerate() {
            *port = chosen.map(|it| Port::new(n, it, settings.debounce, now));
        }
        let lockstep = settings.acknowledge == Acknowledge::Last;
        let position = if layout.ring {
            Position::Ring(Ring::new(settings.ring, lockstep, now))
        } else {
            Position::Single(Single::new(lockstep, now))
        };
        let mut used = settings.ports.iter().flatten().map(|port| port.mode.is_t1());
        let all_t1 = used.clone().next().is_some() && used.all(|t1| t1);
        if !all_t1 && settings.ports.iter().flatten().any(|port| port.mode.j1) {
            return Err(BoardError::MixedJ1);
        }
        let mut board = Self {
            bus,
            identity,
            layout,
            silicon: Silicon::V21,
            unknown_silicon: None,
            echo_module: None,
            settings,
            memory,
            all_t1,
            position,
            ports,
            clock: OWN,
            lamps: 0,
            state: State::Running,
            events: EventQueue::new(),
            stats: Stats::default(),
            masked: false,
            unacknowledged: false,
            framer_credit: 0,
            masked_show: None,
            framer_calls: false,
            unannounced_millis: 0,
            alive_at: now,
        };
        // From here on an error drops the board, which puts it to rest.
        board.prepare()?;
        board.silicon = board.recognise_chip()?;
        board.start_chip()?;
        board.start_ports()?;
        board.run()?;
        Ok(board)
    }

    /// Rest, addresses, an empty timeslot switch, framer out of reset.
    fn prepare(&mut self) -> Result<()> {
        let command = self.bus.read(Space::Config, &pci::COMMAND)?;
        let command = (command | pci::COMMAND_BUS_MASTER) & !pci::COMMAND_INTX_DISABLE;
        write_board(&self.bus, &regs::DMACTRL, 0)?;
        self.bus.write(Space::Config, &pci::COMMAND, command)?;
        if self.layout.extended_reset {
            self.extended_reset()?;
        }
        write_board(&self.bus, &regs::LEDS, 0)?;
        self.fill_memory();
        let transmit = self.memory.device_address;
        let receive = transmit.wrapping_add(self.receive_area() as u32);
        write_board(&self.bus, &regs::RDADDR, receive)?;
        write_board(&self.bus, &regs::WRADDR, transmit)?;
        for slot in 0..(self.layout.framer_ports as u32).wrapping_mul(dma::SLOTS as u32) {
            write_board(&self.bus, &regs::DMACTRL, Layout::switch_command(slot))?;
        }
        write_board(&self.bus, &regs::DMACTRL, 0)?;
        write_board(&self.bus, &regs::INTR, regs::INTR_ACKNOWLEDGE)?;
        if self.layout.octal {
            self.authenticate()?;
        }
        write_board(&self.bus, &regs::LEDS, regs::LEDS_LAMPS)?;
        self.settle(RESET_MICROS)?;
        write_board(&self.bus, &regs::LEDS, regs::LEDS_ACTIVE)?;
        self.settle(RESET_MICROS)
    }

    /// Recovers a framer that gives garbage after power-up. Register map B.6.
    fn extended_reset(&mut self) -> Result<()> {
        let status = self.bus.read(Space::Bar0, &regs::INTR)?;
        self.settle(MILLISECOND_MICROS)?;
        write_board(&self.bus, &regs::INTR, regs::EXTENDED_RESET_ARM)?;
        write_board(&self.bus, &regs::LADDR, regs::EXTENDED_RESET_ARM)?;
        for level in EXTENDED_RESET {
            write_board(&self.bus, &regs::LADDR, level)?;
        }
        write_board(&self.bus, &regs::INTR, status)?;
        self.settle(MILLISECOND_MICROS)
    }

    /// The board with eight ports proves to be one. Register map G.1.
    fn authenticate(&mut self) -> Result<()> {
        write_board(&self.bus, &regs::LEDS2, regs::LEDS2_AUTHENTICATE)?;
        for _ in 0..AUTHENTICATION_MILLIS / AUTHENTICATION_LOOK_MILLIS {
            if self.bus.read(Space::Bar0, &regs::LEDS2)? & regs::LEDS2_AUTHENTICATED != 0 {
                return Ok(());
            }
            self.settle(AUTHENTICATION_LOOK_MILLIS.saturating_mul(MILLISECOND_MICROS))?;
        }
        Err(BoardError::NotAuthentic { waited_millis: AUTHENTICATION_MILLIS })
    }

    /// Idle to send, and all ones as nothing received.
    fn fill_memory(&self) {
        let DmaRegion { memory, .. } = &self.memory;
        let size = self.layout.buffer_octets;
        for buffer in 0..self.layout.buffers(self.settings.ring) {
            let at = buffer.wrapping_mul(size);
            let ones = [0xFF; dma::PORT_OCTETS];
            for port in 0..self.layout.framer_ports {
                let mode = self.settings.ports.get(port).copied().flatten().map(|port| port.mode);
                let idle = mode.map(|mode| mode.law()).unwrap_or_default().idle();
                let from = at.wrapping_add(port.wrapping_mul(dma::PORT_OCTETS));
                memory.write(from, &[idle; dma::PORT_OCTETS]);
                memory.write(from.wrapping_add(self.receive_area()), &ones);
            }
            memory.write(at.wrapping_add(self.receive_area()), &UNTOUCHED);
        }
    }

    /// Which silicon it is. Register map E.3; the octal chip's version is not asked for.
    fn recognise_chip(&mut self) -> Result<Silicon> {
        let gpc6 = local_bus::offset(&falc::GPC6);
        let before = local_bus::read(&self.bus, 0, gpc6)?;
        let unnamed = local_bus::offset(&falc::UNNAMED_4A);
        if self.layout.octal {
            local_bus::write(&self.bus, 0, gpc6, before | falc::GPC6_SSI16)?;
            local_bus::write(&self.bus, 0, unnamed, falc::UNNAMED_4A_START)?;
            return Ok(Silicon::Octal);
        }
        local_bus::write(&self.bus, 0, gpc6, before | falc::GPC6_COMP_DIS)?;
        let vstr = local_bus::read(&self.bus, 0, local_bus::offset(&falc::VSTR))?;
        let current = local_bus::read(&self.bus, 0, gpc6)?;
        local_bus::write(&self.bus, 0, gpc6, current & !falc::GPC6_COMP_DIS)?;
        local_bus::write(&self.bus, 0, unnamed, falc::UNNAMED_4A_START)?;
        self.unknown_silicon = (!Silicon::is_known(vstr)).then_some(vstr);
        Ok(Silicon::quad(vstr))
    }

    /// Pins, and what every port gets once. Register map E.6.1, E.6.2.
    fn start_chip(&mut self) -> Result<()> {
        write_board(&self.bus, &regs::GPIO, 0)?;
        write_board(&self.bus, &regs::GPIOCTL, regs::GPIOCTL_START)?;
        write_board(&self.bus, &regs::GPIOCTL, regs::GPIOCTL_OUTPUTS)?;
        for port in 0..usize::from(self.identity.model.spans) {
            let fmr1 = local_bus::offset(&falc::FMR1);
            let mode = local_bus::read(&self.bus, port, fmr1)?;
            local_bus::write(&self.bus, port, fmr1, mode | falc::FMR1_ECM)?;
            local_bus::write(&self.bus, port, local_bus::offset(&falc::ESM), 0)?;
        }
        self.echo_module = echo::is_there(&self.bus, self.identity.version)?;
        write_board(&self.bus, &regs::DMACTRL, 0)?;

        let silicon = self.silicon;
        self.follow(0, &chip(silicon), silicon)?;
        for port in 0..self.layout.framer_ports {
            let j1 = self.settings.ports.get(port).copied().flatten().is_some_and(|p| p.mode.j1);
            self.follow(port, &system(port as u8, silicon, self.all_t1, j1), silicon)?;
        }
        Ok(())
    }

    fn start_ports(&mut self) -> Result<()> {
        let silicon = self.silicon;
        for (port, used) in self.settings.ports.iter().enumerate() {
            let Some(mode) = used.map(|used| used.mode) else { continue };
            if mode.is_t1() {
                self.follow(port, &plan_t1(mode, silicon), silicon)?;
            } else {
                self.follow(port, &plan_e1(mode, silicon), silicon)?;
            }
            if mode.associated {
                // Every register that is sent: what they hold after a reset is not known.
                let (_, sent) = bits::used(mode.framing);
                for (at, value) in (0_u8..).zip(bits::idle(mode.framing)).take(sent) {
                    let register = local_bus::offset(&falc::XS1).wrapping_add(at);
                    local_bus::write(&self.bus, port, register, value)?;
                }
            }
        }
        Ok(())
    }

    /// Lets DMA and its interrupt run, on the board's own clock: ident and index begin at 0.
    fn run(&mut self) -> Result<()> {
        const ONE_MILLISECOND: u32 = 1 << regs::RING_MILLIS_SHIFT;
        self.follow(0, &clock_source(0, self.silicon), self.silicon)?;
        let buffers = self.layout.buffers(self.settings.ring);
        let ring = buffers as u32 & regs::RING_BUFFERS;
        write_board(&self.bus, &regs::RING, ONE_MILLISECOND | ring)?;
        write_board(&self.bus, &regs::INTR, regs::INTR_START)?;
        self.bus.unmask()?;
        write_board(&self.bus, &regs::DMACTRL, self.layout.control | running(self.clock))
    }

    /// Carries out the steps of a plan on one port.
    pub(super) fn follow(&self, port: usize, steps: &[Step], on: Silicon) -> Result<()> {
        for step in steps {
            match *step {
                Step::Only { silicon, .. } if silicon != on => {}
                Step::Write { register, value } | Step::Only { register, value, .. } => {
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
        for (register, value) in
            [(&regs::DMACTRL, 0), (&regs::INTR, regs::INTR_ACKNOWLEDGE), (&regs::DMACTRL, 0)]
        {
            write_board(&self.bus, register, value)?;
        }
        // A transfer that was under way may end before its address goes.
        self.settle(STOP_MICROS)?;
        for (register, value) in
            [(&regs::RDADDR, 0), (&regs::WRADDR, 0), (&regs::GPIO, 0), (&regs::LEDS, 0)]
        {
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
