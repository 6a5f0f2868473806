//! What the tick thread does: one step of the pipeline for every millisecond of the master clock.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};

use dsp::pipeline::Pipeline;
use tdm::elastic::Elastic;
use tdm::{Block, Instant, Law, SAMPLES, SampleTime};

use super::rings::{NO_MASTER, Shared, Stamped, TickEnds, TickPort, count};

/// Ticks at most in one turn: a host that slept does not make up for it at the cost of everybody else.
const TICKS_MAX: u32 = 32;
/// Without a board the host's timer ticks when the last tick is this old.
const TIMER_MICROS: u64 = 1000;

/// The pipeline with its rings.
pub struct TickWork {
    pipeline: Pipeline,
    boards: Vec<Vec<Port>>,
    ends: Ends,
    shared: Arc<Shared>,
    received: Box<[Block]>,
    transmit: Box<[Block]>,
    /// The house's sample clock: it follows the master's and never runs back.
    at: SampleTime,
    /// The master's own count at its last block.
    master_at: Option<SampleTime>,
    master: usize,
    last_tick: Instant,
    /// Every board's millisecond belongs to every tick (lockstep).
    joined: bool,
}

struct Ends {
    events: rtrb::Producer<dsp::pipeline::Event>,
    commands: rtrb::Consumer<dsp::pipeline::Command>,
}

struct Port {
    ends: TickPort,
    elastic: Elastic,
}

impl TickWork {
    /// `spans`: as many as the pipeline has. `joined`: a tick waits for all boards that run.
    pub fn new(
        pipeline: Pipeline,
        ends: TickEnds,
        shared: Arc<Shared>,
        spans: usize,
        joined: bool,
    ) -> Self {
        let port = |ends: TickPort| Port { elastic: Elastic::new(ends.law), ends };
        let boards: Vec<Vec<Port>> =
            ends.boards.into_iter().map(|b| b.into_iter().map(port).collect()).collect();
        let mut idle = vec![Block::idle(Law::A); spans].into_boxed_slice();
        for port in boards.iter().flatten() {
            if let Some(block) = idle.get_mut(port.ends.span.index()) {
                *block = Block::idle(port.ends.law);
            }
        }
        Self {
            pipeline,
            boards,
            ends: Ends { events: ends.events, commands: ends.commands },
            shared,
            received: idle.clone(),
            transmit: idle,
            at: SampleTime::default(),
            master_at: None,
            master: NO_MASTER,
            last_tick: Instant::default(),
            joined,
        }
    }

    /// The house's sample clock.
    pub fn at(&self) -> SampleTime {
        self.at
    }

    /// Works through every millisecond that is there; returns how many.
    pub fn turn(&mut self, now: Instant) -> u32 {
        self.choose_master();
        let mut ticks = 0_u32;
        while ticks < TICKS_MAX {
            let due = match self.boards.get(self.master) {
                Some(ports) => ports.first().and_then(|p| p.ends.up.peek().ok()).map(|s| s.at),
                None => {
                    let since = now.micros_since(self.last_tick);
                    (since >= TIMER_MICROS).then(|| self.timer_tick(now))
                }
            };
            let Some(stamp) = due.filter(|_| !self.joined || self.all_are_there()) else { break };
            self.tick(stamp);
            ticks = ticks.wrapping_add(1);
            if self.master == NO_MASTER && self.last_tick >= now {
                break;
            }
        }
        ticks
    }

    /// The moment of the next tick of the host's timer: on its grid, or now after a pause.
    fn timer_tick(&self, now: Instant) -> Instant {
        let next = self.last_tick.plus_micros(TIMER_MICROS);
        if now.millis_since(next) > u64::from(TICKS_MAX) { now } else { next }
    }

    /// The first board that runs.
    fn choose_master(&mut self) {
        for (ports, board) in self.boards.iter_mut().zip(&self.shared.boards) {
            if !board.running.load(Relaxed) {
                // What a board that is gone left behind belongs to no tick.
                for port in ports {
                    while port.ends.up.pop().is_ok() {}
                }
            }
        }
        let master =
            self.shared.boards.iter().position(|b| b.running.load(Relaxed)).unwrap_or(NO_MASTER);
        if master != self.master {
            for port in self.boards.iter_mut().flatten() {
                port.elastic = Elastic::new(port.ends.law);
            }
            if let Some(ports) = self.boards.get_mut(master).filter(|_| !self.joined) {
                // What gathered while another clock ticked would be late for ever.
                for port in ports {
                    while port.ends.up.slots() > 1 && port.ends.up.pop().is_ok() {}
                }
            }
            self.master = master;
            self.master_at = None;
            self.shared.master.store(master, Relaxed);
        }
    }

    fn all_are_there(&self) -> bool {
        self.boards.iter().zip(&self.shared.boards).all(|(ports, board)| {
            !board.running.load(Relaxed) || ports.iter().all(|p| p.ends.up.slots() > 0)
        })
    }

    fn tick(&mut self, stamp: Instant) {
        let mut passed = SAMPLES as u64;
        for (index, ports) in self.boards.iter_mut().enumerate() {
            for port in ports {
                let span = port.ends.span.index();
                let Some(place) = self.received.get_mut(span) else { continue };
                if self.joined && index != self.master {
                    let idle = Block::idle(port.ends.law);
                    *place = port.ends.up.pop().map_or(idle, |s| s.block);
                } else if index == self.master {
                    match port.ends.up.pop() {
                        Ok(stamped) => {
                            let own = stamped.block.at;
                            if let Some(before) = self.master_at.filter(|_| passed == 8) {
                                // Milliseconds lost in a gap are missing here, too.
                                passed = own.samples_since(before).max(passed);
                            }
                            self.master_at = Some(own);
                            *place = stamped.block;
                        }
                        Err(_) => *place = Block::idle(port.ends.law),
                    }
                } else {
                    port.hear_elastic(place, stamp);
                }
            }
        }
        self.at = self.at.plus_samples(passed);
        let at = self.at;
        for block in &mut self.received {
            block.at = at;
        }
        let (events, lost) = (&mut self.ends.events, &self.shared.counters.events_lost);
        let mut tell = |event| {
            if events.push(event).is_err() {
                count(lost);
            }
        };
        while let Ok(command) = self.ends.commands.pop() {
            self.pipeline.command(at, command, &mut tell);
        }
        self.pipeline.tick(at, &self.received, &mut self.transmit, &mut tell);
        self.send(stamp);
        self.last_tick = stamp;
        self.shared.ticks.fetch_add(1, Release);
        for board in &self.shared.boards {
            if board.running.load(Relaxed) {
                board.ticked.fetch_add(1, Release);
            }
        }
    }

    fn send(&mut self, stamp: Instant) {
        for (ports, shared) in self.boards.iter_mut().zip(&self.shared.boards) {
            if !shared.running.load(Relaxed) {
                continue;
            }
            for port in ports.iter_mut() {
                let Some(block) = self.transmit.get(port.ends.span.index()) else { continue };
                if port.ends.down.push(Stamped { at: stamp, block: *block }).is_err() {
                    count(&self.shared.counters.blocks_late);
                }
            }
            if let Some(port) = ports.first() {
                let c = port.elastic.counters();
                shared.slips_in.store(c.dropped.wrapping_add(c.repeated), Relaxed);
                if let Some(ppm) = port.elastic.writer_ppm() {
                    shared.drift.store(drift_word(ppm), Relaxed);
                }
            }
        }
    }
}

impl Port {
    /// Another board's millisecond on the master's clock.
    fn hear_elastic(&mut self, place: &mut Block, stamp: Instant) {
        while self.ends.up.peek().is_ok_and(|next| next.at <= stamp)
            && let Ok(next) = self.ends.up.pop()
        {
            self.elastic.write(next.at, &next.block);
        }
        self.elastic.read(stamp, place);
    }
}

const DRIFT_ZERO: u64 = 1 << 62;

fn drift_word(ppm: f64) -> u64 {
    DRIFT_ZERO.wrapping_add_signed((ppm * 1000.0) as i64)
}

/// The drift of a board in parts per million out of [`super::rings::BoardShared::drift`].
pub fn drift_ppm(word: u64) -> Option<f64> {
    (word > 0).then(|| (word as i64).wrapping_sub(DRIFT_ZERO as i64) as f64 / 1000.0)
}
