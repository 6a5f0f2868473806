//! The framer while the board runs: polled, a few accesses a millisecond, what matters most first.
//!
//! One access is a whole sequence on the local bus, and nothing comes between its steps. Decisions (remote
//! alarm, clock, lamps) go first, then what was begun, then what has been due for longest.
//!
//! Interrupts are masked, and their status is read all the same (GCR.VIS). A framer that does not show what is masked
//! is known by the second that never comes: then the masks of register map E.6.3 are opened as far as they are read
//! here, the framer's pin calls through INTR, and CIS says which port it was.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use bus::Bus;
use firmware_headers::{falc, wct4xxp as regs};
use tdm::Instant;

use super::port::{Bits, COUNTERS_MILLIS, Port, Round, SECOND_MILLIS};
use crate::board::{Board, BoardEvent, PORTS_MAX, lamps, local_bus};
use crate::error::Result;
use crate::framer::falc::{clock_source, line_status, loops, multiframe_status, remote_alarm};
use crate::framer::{Framing, bits};
use crate::span::{ClockChoice, Latched};

/// The lamps of eight ports.
const LAMPS: u32 = 0xFFFF;
/// Between two looks at a line's alarms.
const ALARMS_MILLIS: u64 = 50;
/// Between two looks whether a signalling bit changed, when eight accesses a millisecond are to be had; over
/// a socket, twice as long.
const BITS_MILLIS: u64 = 4;

/// Interrupt masks of a port that are opened when its framer shows nothing masked: IMR0, IMR3, IMR4.
const MASKS: usize = 3;

/// One access, or one decision carried out.
#[derive(Clone, Copy, Debug)]
enum Task {
    RemoteAlarm { port: usize, on: bool },
    Called,
    OpenMask { port: usize, mask: usize },
    Clock(ClockChoice),
    Lamps(u32),
    SendBits { port: usize, register: usize },
    Loop { port: usize },
    HearBits { port: usize, register: usize },
    Go(usize, Round),
    Second(usize),
    Multiframe(usize),
    Alarms(usize),
    LookForBits(usize),
}

impl<B: Bus> Board<B> {
    /// Spends this millisecond's accesses.
    pub(super) fn poll_framer(&mut self, now: Instant) -> Result<()> {
        while self.framer_credit > 0 {
            let Some(task) = self.next_task(now) else { break };
            self.framer_credit = self.framer_credit.saturating_sub(1);
            self.stats.framer_accesses = self.stats.framer_accesses.wrapping_add(1);
            self.carry_out(now, task)?;
        }
        self.publish_bits(now);
        Ok(())
    }

    fn next_task(&self, now: Instant) -> Option<Task> {
        let ports = || self.ports.iter().enumerate().filter_map(|(n, p)| Some((n, p.as_ref()?)));
        for (port, known) in ports() {
            let on = known.health.sends_remote_alarm();
            if on != known.tells_remote_alarm {
                return Some(Task::RemoteAlarm { port, on });
            }
        }
        let clock = self.wanted_clock();
        if clock != self.clock {
            return Some(Task::Clock(clock));
        }
        let lamps = self.wanted_lamps();
        if lamps != self.lamps {
            return Some(Task::Lamps(lamps));
        }
        if self.framer_calls {
            return Some(Task::Called);
        }
        if self.masked_show == Some(false) {
            let closed = |(port, p): (usize, &Port)| (port, p.masks_opened);
            let next = ports().map(closed).find(|&(_, opened)| opened < MASKS);
            if let Some((port, mask)) = next {
                return Some(Task::OpenMask { port, mask });
            }
        }
        if let Some(task) = ports().find_map(|(port, known)| begun(port, known)) {
            return Some(task);
        }
        let due = ports().flat_map(|(port, p)| {
            let bits = p.bits.as_ref().map(|bits| (bits.due, Task::LookForBits(port)));
            let others = [(p.alarms_due, Task::Alarms(port)), (p.second_due, Task::Second(port))];
            others.into_iter().chain(bits)
        });
        due.filter(|(at, _)| *at <= now).min_by_key(|(at, _)| *at).map(|(_, task)| task)
    }

    fn wanted_lamps(&self) -> u32 {
        let mut lamps = 0;
        for port in (0..PORTS_MAX).rev() {
            let lamp = self.ports.get(port).and_then(Option::as_ref).map_or(0, |known| {
                lamps::lamp(
                    &self.status(port),
                    known.health.is_suspect(),
                    self.position.completed(),
                )
            });
            lamps = (lamps & (LAMPS >> 2)) << 2 | lamp;
        }
        lamps
    }

    fn carry_out(&mut self, now: Instant, task: Task) -> Result<()> {
        match task {
            Task::RemoteAlarm { port, on } => {
                let Some(Some(known)) = self.ports.get(port) else { return Ok(()) };
                let word = remote_alarm(known.settings.mode, on);
                local_bus::write(&self.bus, port, local_bus::offset(&falc::XSW), word)?;
                self.change(port, |known| known.tells_remote_alarm = on);
            }
            Task::Called => self.ask_who_calls(now)?,
            Task::OpenMask { port, mask } => self.open_mask(port, mask)?,
            Task::Clock(choice) => self.switch_clock(now, choice)?,
            Task::Lamps(lamps) => {
                let lower = lamps & regs::LEDS_LAMPS;
                local_bus::write_board(&self.bus, &regs::LEDS, regs::LEDS_ACTIVE | lower)?;
                if self.layout.octal {
                    let upper = (lamps >> 8) & regs::LEDS_LAMPS;
                    local_bus::write_board(&self.bus, &regs::LEDS2, upper)?;
                }
                self.lamps = lamps;
            }
            Task::Alarms(port) => {
                let frs0 = local_bus::read(&self.bus, port, local_bus::offset(&falc::FRS0))?;
                self.change(port, |known| {
                    known.health.observe(now, line_status(known.settings.mode.framing, frs0));
                    known.second.defect |= known.health.is_suspect();
                    known.alarms_due = now.plus_millis(ALARMS_MILLIS);
                    known.multiframe_due = known.multiframe.is_some();
                    let whole = known.health.may_clock();
                    if let Some(bits) = &mut known.bits {
                        bits.known &= whole;
                    }
                });
                self.publish(now);
            }
            Task::Second(port) => {
                let isr3 = local_bus::read(&self.bus, port, local_bus::offset(&falc::ISR3))?;
                let shown = isr3 & falc::ISR3_SEC != 0;
                let mut late = false;
                self.change(port, |known| {
                    late = known.counters_due <= now;
                    known.second_due = now.plus_millis(SECOND_MILLIS);
                    known.add_slips(isr3 & (falc::ISR3_RSN | falc::ISR3_RSP));
                    // Both never come in one second: the framer's own second tells when to read.
                    known.round = Some(Round::TransmitSlips { second: shown || late });
                });
                if self.masked_show.is_none() && (shown || late) {
                    self.masked_show = Some(shown);
                }
            }
            Task::Go(port, round) => self.go_round(now, port, round)?,
            Task::SendBits { port, register } => self.send_bits(port, register)?,
            Task::HearBits { port, register } => self.hear_bits(port, register)?,
            Task::LookForBits(port) => self.look_for_bits(now, port)?,
            Task::Multiframe(port) => self.look_at_multiframe(now, port)?,
            Task::Loop { port } => self.step_loop(now, port)?,
        }
        Ok(())
    }

    fn send_bits(&mut self, port: usize, register: usize) -> Result<()> {
        let bits = self.ports.get(port).and_then(|port| port.as_ref()?.bits.as_ref());
        let Some(&value) = bits.and_then(|bits| bits.wanted.get(register)) else { return Ok(()) };
        let at = local_bus::offset(&falc::XS1).wrapping_add(register as u8);
        local_bus::write(&self.bus, port, at, value)?;
        self.change_bits(port, |bits| {
            if let Some(written) = bits.written.get_mut(register) {
                *written = value;
            }
        });
        Ok(())
    }

    fn hear_bits(&mut self, port: usize, register: usize) -> Result<()> {
        let at = local_bus::offset(&falc::RS1).wrapping_add(register as u8);
        let value = local_bus::read(&self.bus, port, at)?;
        let Some(Some(known)) = self.ports.get_mut(port) else { return Ok(()) };
        let (last, _) = bits::used(known.settings.mode.framing);
        let whole = !known.health.is_suspect();
        if let Some(bits) = &mut known.bits {
            if let Some(heard) = bits.heard.get_mut(register) {
                *heard = value;
            }
            let next = register.wrapping_add(1);
            bits.reading = (next < last).then_some(next);
            bits.known |= next >= last && whole && !bits.multiframe.lost;
        }
        Ok(())
    }

    /// Whether a bit changed; until all were read once on a whole line, they are read in any case.
    fn look_for_bits(&mut self, now: Instant, port: usize) -> Result<()> {
        let isr0 = local_bus::read(&self.bus, port, local_bus::offset(&falc::ISR0))?;
        let slow = if self.settings.framer_budget < 8 { 2 } else { 1 };
        let due = now.plus_millis(BITS_MILLIS.saturating_mul(slow));
        let Some(Some(known)) = self.ports.get_mut(port) else { return Ok(()) };
        let first = usize::from(matches!(known.settings.mode.framing, Framing::E1 { .. }));
        let healthy = known.health.may_clock();
        if let Some(bits) = &mut known.bits {
            bits.due = due;
            let changed = isr0 & falc::ISR0_CASC != 0;
            if healthy && (changed || !bits.known) {
                bits.reading = Some(first);
            }
        }
        Ok(())
    }

    fn look_at_multiframe(&mut self, now: Instant, port: usize) -> Result<()> {
        let frs1 = local_bus::read(&self.bus, port, local_bus::offset(&falc::FRS1))?;
        let seen = multiframe_status(frs1);
        self.change(port, |known| {
            known.multiframe_due = false;
            let framing = known.settings.mode.framing;
            let Some(bits) = &mut known.bits else { return };
            bits.multiframe = seen;
            // What was heard before is old when it comes back.
            bits.known &= !seen.lost;
            bits.answer_multiframe(framing);
            let bits_known = bits.known;
            let explained = known.health.is_suspect();
            match &mut known.multiframe {
                Some(multiframe) if explained => multiframe.explained(),
                Some(multiframe) => multiframe.observe(now, seen, bits_known),
                None => {}
            }
        });
        self.publish(now);
        Ok(())
    }

    /// Tells of bits that changed, and that they are not known any more, as far as there is room; the rest follows.
    fn publish_bits(&mut self, now: Instant) {
        for (port, known) in self.ports.iter_mut().enumerate() {
            let Some(known) = known else { continue };
            let mode = known.settings.mode;
            let Some(bits) = &mut known.bits else { continue };
            if !bits.known && bits.told_channels != 0 {
                if !self.events.has_room() {
                    return;
                }
                self.events.push(BoardEvent::BitsUnknown { port, at: now });
                bits.told_channels = 0;
            }
            if bits.known && bits.reading.is_none() && !bits.tell(port, mode, now, &mut self.events)
            {
                return;
            }
        }
    }

    /// The framer's pin is active: which ports made it so. What they have is read next, and the pin then rests.
    fn ask_who_calls(&mut self, now: Instant) -> Result<()> {
        let cis = local_bus::read(&self.bus, 0, local_bus::offset(&falc::CIS))?;
        self.framer_calls = false;
        // The highest bit of the quad chip is no port.
        let cis = if self.layout.octal { cis } else { cis & falc::CIS_PORTS_QUAD };
        for (port, known) in self.ports.iter_mut().enumerate() {
            let Some(known) = known.as_mut().filter(|_| cis.wrapping_shr(port as u32) & 1 == 1)
            else {
                continue;
            };
            known.second_due = now;
            if let Some(bits) = &mut known.bits {
                bits.due = now;
            }
        }
        Ok(())
    }

    fn open_mask(&mut self, port: usize, mask: usize) -> Result<()> {
        let Some(Some(known)) = self.ports.get(port) else { return Ok(()) };
        let bits = if known.bits.is_some() { falc::ISR0_CASC } else { 0 };
        let (register, wanted) = match mask {
            0 => (&falc::IMR0, bits),
            1 => (&falc::IMR3, falc::ISR3_SEC | falc::ISR3_RSN | falc::ISR3_RSP),
            _ => (&falc::IMR4, falc::ISR4_XSP | falc::ISR4_XSN),
        };
        local_bus::write(&self.bus, port, local_bus::offset(register), !wanted)?;
        self.change(port, |known| known.masks_opened = mask.wrapping_add(1));
        Ok(())
    }

    fn step_loop(&mut self, now: Instant, port: usize) -> Result<()> {
        let Some(Some(known)) = self.ports.get(port) else { return Ok(()) };
        let (wanted, step) = (known.loopback, known.loop_step);
        let steps = loops(known.settings.mode, wanted);
        if let Some(step) = steps.get(step) {
            self.follow(port, core::slice::from_ref(step), self.silicon)?;
        }
        let done = step.wrapping_add(1) >= steps.len();
        self.change(port, |known| {
            known.loop_step = if done { 0 } else { step.wrapping_add(1) };
            if done {
                known.looped = wanted;
            }
        });
        self.publish(now);
        Ok(())
    }

    fn go_round(&mut self, now: Instant, port: usize, round: Round) -> Result<()> {
        let next = match round {
            Round::TransmitSlips { second } => {
                let isr4 = local_bus::read(&self.bus, port, local_bus::offset(&falc::ISR4))?;
                self.change(port, |known| {
                    known.add_slips(isr4 & (falc::ISR4_XSP | falc::ISR4_XSN));
                    if second {
                        known.counters_due = now.plus_millis(COUNTERS_MILLIS);
                    }
                });
                second.then_some(Round::Low { counter: 0 })
            }
            Round::Low { counter } => match Latched::ALL.get(counter) {
                Some(&which) => {
                    let [low, _] = counter_registers(which);
                    let low = local_bus::read(&self.bus, port, low)?;
                    Some(Round::High { counter, low })
                }
                None => None,
            },
            Round::High { counter, low } => {
                if let Some(&which) = Latched::ALL.get(counter) {
                    let [_, high] = counter_registers(which);
                    let high = local_bus::read(&self.bus, port, high)?;
                    self.change(port, |p| p.add_errors(which, u16::from_le_bytes([low, high])));
                }
                let counter = counter.wrapping_add(1);
                let known = self.ports.get(port).and_then(Option::as_ref);
                let last = known.map_or(0, |known| Latched::of(known.settings.mode));
                if counter >= last {
                    self.change(port, |known| known.end_second(now));
                }
                (counter < last).then_some(Round::Low { counter })
            }
        };
        self.change(port, |known| known.round = next);
        Ok(())
    }

    /// Selects the source in the framer, then tells the FPGA whether to follow it. The run bits stay.
    fn switch_clock(&mut self, now: Instant, to: ClockChoice) -> Result<()> {
        self.follow(0, &clock_source(to.port as u8, self.silicon), self.silicon)?;
        let control = self.layout.control | running(to);
        local_bus::write_board(&self.bus, &regs::DMACTRL, control)?;
        let before = self.clock_source();
        self.clock = to;
        let port = self.clock_source();
        if port != before {
            self.events.push(BoardEvent::ClockSource { port, at: now });
        }
        Ok(())
    }

    pub(super) fn change(&mut self, port: usize, work: impl FnOnce(&mut Port)) {
        if let Some(Some(known)) = self.ports.get_mut(port) {
            work(known);
        }
    }
    fn change_bits(&mut self, port: usize, work: impl FnOnce(&mut Bits)) {
        self.change(port, |known| {
            if let Some(bits) = &mut known.bits {
                work(bits);
            }
        });
    }
}

/// What of a port was begun, or waits to be told to the line.
fn begun(port: usize, known: &Port) -> Option<Task> {
    if let Some(register) = known.bits.as_ref().and_then(Bits::unwritten) {
        return Some(Task::SendBits { port, register });
    }
    if known.loopback != known.looped {
        return Some(Task::Loop { port });
    }
    if let Some(register) = known.bits.as_ref().and_then(|bits| bits.reading) {
        return Some(Task::HearBits { port, register });
    }
    if known.multiframe_due {
        return Some(Task::Multiframe(port));
    }
    known.round.map(|round| Task::Go(port, round))
}

/// Low and high octet of a counter.
const fn counter_registers(which: Latched) -> [u8; 2] {
    match which {
        Latched::Frame => [local_bus::offset(&falc::FECL), local_bus::offset(&falc::FECH)],
        Latched::Code => [local_bus::offset(&falc::CVCL), local_bus::offset(&falc::CVCH)],
        Latched::Crc => [local_bus::offset(&falc::CEC1L), local_bus::offset(&falc::CEC1H)],
        Latched::Far => [local_bus::offset(&falc::EBCL), local_bus::offset(&falc::EBCH)],
    }
}

/// DMACTRL of a running board with this clock.
pub(super) const fn running(clock: ClockChoice) -> u32 {
    let source = if clock.recovered { regs::DMACTRL_CLOCK_RECOVERED } else { 0 };
    regs::DMACTRL_RUN | source
}
