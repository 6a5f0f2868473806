//! The framer while the board runs: polled, a few accesses a millisecond, what matters most first.
//!
//! One access is a whole sequence on the local bus, and nothing comes between its steps. Decisions (remote
//! alarm, clock, lamps) go first, then what was begun, then what has been due for longest.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use bus::Bus;
use firmware_headers::{falc, wct4xxp as regs};
use tdm::{Instant, SpanStatus};

use crate::board::{Board, BoardEvent, PORTS_MAX, PortSettings, lamps, local_bus};
use crate::error::Result;
use crate::framer::falc::{line_status, service_word};
use crate::span::{ClockChoice, Counters, Latched, LineHealth};

/// Between two looks at a line's alarms.
const ALARMS_MILLIS: u64 = 50;
/// From the start of a line to the first look: its receiver has to settle.
const FIRST_ALARMS_MILLIS: u64 = 250;
/// Between two looks at slips and at the framer's second.
const SECOND_MILLIS: u64 = 250;
/// Counters are read after so long even when the framer shows no second.
const COUNTERS_MILLIS: u64 = 2000;
/// Apart in the time of their polls, so that the ports do not all come in one millisecond.
const STAGGER_MILLIS: u64 = 7;

/// One used port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub(super) settings: PortSettings,
    pub(super) health: LineHealth,
    pub(super) counters: Counters,
    /// What the events have told so far.
    pub(super) published: SpanStatus,
    /// What the service word on the line says.
    tells_remote_alarm: bool,
    alarms_due: Instant,
    second_due: Instant,
    counters_due: Instant,
    round: Option<Round>,
}

impl Port {
    pub(super) fn new(
        port: usize,
        settings: PortSettings,
        health: LineHealth,
        now: Instant,
    ) -> Self {
        let apart = STAGGER_MILLIS.saturating_mul(port as u64);
        Self {
            settings,
            health,
            counters: Counters::default(),
            published: SpanStatus::default(),
            tells_remote_alarm: false,
            alarms_due: now.plus_millis(FIRST_ALARMS_MILLIS.saturating_add(apart)),
            second_due: now.plus_millis(SECOND_MILLIS.saturating_add(apart)),
            counters_due: now.plus_millis(COUNTERS_MILLIS),
            round: None,
        }
    }
}

/// Where a round through the once-a-second registers stands.
#[derive(Clone, Copy, Debug)]
enum Round {
    TransmitSlips { second: bool },
    Low { counter: usize },
    High { counter: usize, low: u8 },
}

/// One access, or one decision carried out.
#[derive(Clone, Copy, Debug)]
enum Task {
    ServiceWord { port: usize, remote_alarm: bool },
    Clock(ClockChoice),
    Lamps(u32),
    Go(usize, Round),
    Second(usize),
    Alarms(usize),
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
        Ok(())
    }

    fn next_task(&self, now: Instant) -> Option<Task> {
        let ports = || self.ports.iter().enumerate().filter_map(|(n, p)| Some((n, p.as_ref()?)));
        for (port, known) in ports() {
            let remote_alarm = known.health.sends_remote_alarm();
            if remote_alarm != known.tells_remote_alarm {
                return Some(Task::ServiceWord { port, remote_alarm });
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
        if let Some(task) = ports().find_map(|(port, p)| p.round.map(|at| Task::Go(port, at))) {
            return Some(task);
        }
        let due = ports().flat_map(|(port, p)| {
            [(p.alarms_due, Task::Alarms(port)), (p.second_due, Task::Second(port))]
        });
        due.filter(|(at, _)| *at <= now).min_by_key(|(at, _)| *at).map(|(_, task)| task)
    }

    fn wanted_lamps(&self) -> u32 {
        let mut lamps = 0;
        for port in (0..PORTS_MAX).rev() {
            let lamp = self.ports.get(port).and_then(Option::as_ref).map_or(0, |known| {
                lamps::lamp(&self.status(port), known.health.is_suspect(), self.ring.completed())
            });
            lamps = (lamps & (regs::LEDS_LAMPS >> 2)) << 2 | lamp;
        }
        lamps
    }

    fn carry_out(&mut self, now: Instant, task: Task) -> Result<()> {
        match task {
            Task::ServiceWord { port, remote_alarm } => {
                let word = service_word(remote_alarm);
                local_bus::write(&self.bus, port, local_bus::offset(&falc::XSW), word)?;
                self.change(port, |known| known.tells_remote_alarm = remote_alarm);
            }
            Task::Clock(choice) => self.switch_clock(now, choice)?,
            Task::Lamps(lamps) => {
                local_bus::write_board(&self.bus, &regs::LEDS, regs::LEDS_ACTIVE | lamps)?;
                self.lamps = lamps;
            }
            Task::Alarms(port) => {
                let frs0 = local_bus::read(&self.bus, port, local_bus::offset(&falc::FRS0))?;
                self.change(port, |known| {
                    known.health.observe(now, line_status(frs0));
                    known.alarms_due = now.plus_millis(ALARMS_MILLIS);
                });
                self.publish(now);
            }
            Task::Second(port) => {
                let isr3 = local_bus::read(&self.bus, port, local_bus::offset(&falc::ISR3))?;
                self.change(port, |known| {
                    known.second_due = now.plus_millis(SECOND_MILLIS);
                    known.add_slips(isr3 & (falc::ISR3_RSN | falc::ISR3_RSP));
                    // Both never come in one second: the framer's own second tells when to read.
                    let second = isr3 & falc::ISR3_SEC != 0 || known.counters_due <= now;
                    known.round = Some(Round::TransmitSlips { second });
                });
            }
            Task::Go(port, round) => self.go_round(now, port, round)?,
        }
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
                    self.change(port, |p| p.counters.add(which, u16::from_le_bytes([low, high])));
                }
                let counter = counter.wrapping_add(1);
                (counter < Latched::ALL.len()).then_some(Round::Low { counter })
            }
        };
        self.change(port, |known| known.round = next);
        Ok(())
    }

    /// Selects the source in the framer, then tells the FPGA whether to follow it. The run bits stay.
    fn switch_clock(&mut self, now: Instant, to: ClockChoice) -> Result<()> {
        let source = (to.port as u8 & 0b11).wrapping_shl(falc::CMR1_DRSS_SHIFT);
        let cmr1 = falc::CMR1_RCLK | source;
        local_bus::write(&self.bus, 0, local_bus::offset(&falc::CMR1), cmr1)?;
        local_bus::write_board(&self.bus, &regs::DMACTRL, running(to))?;
        let before = self.clock_source();
        self.clock = to;
        let port = self.clock_source();
        if port != before {
            self.events.push(BoardEvent::ClockSource { port, at: now });
        }
        Ok(())
    }

    fn change(&mut self, port: usize, work: impl FnOnce(&mut Port)) {
        if let Some(Some(known)) = self.ports.get_mut(port) {
            work(known);
        }
    }
}

impl Port {
    /// Counts what `bits` show, unless the line is in trouble: a dead line slips all the time.
    fn add_slips(&mut self, bits: u8) {
        if !self.health.is_suspect() {
            let seen = u64::from(bits.count_ones());
            self.counters.slips = self.counters.slips.saturating_add(seen);
        }
    }
}

/// Low and high octet of a counter.
const fn counter_registers(which: Latched) -> [u8; 2] {
    match which {
        Latched::Frame => [local_bus::offset(&falc::FECL), local_bus::offset(&falc::FECH)],
        Latched::Code => [local_bus::offset(&falc::CVCL), local_bus::offset(&falc::CVCH)],
        Latched::Crc => [local_bus::offset(&falc::CEC1L), local_bus::offset(&falc::CEC1H)],
    }
}

/// DMACTRL of a running board with this clock.
pub(super) const fn running(clock: ClockChoice) -> u32 {
    let source = if clock.recovered { regs::DMACTRL_CLOCK_RECOVERED } else { 0 };
    regs::DMACTRL_RUN | source
}
