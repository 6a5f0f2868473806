//! What a board thread does a millisecond: DMA memory to rings and back, and nothing else.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bus::Bus;
use driver::{Board, BoardError, BoardEvent, Line, Past, Stats};
use tdm::elastic::Elastic;
use tdm::hdlc::Encoder;
use tdm::{Alarm, Alarms, Block, Instant};

use super::pace::Pace;
use super::rings::{BoardEnds, BoardPort, BoardShared, Note, Shared, Stamped, count};

/// Turns in which every line of a board is looked at once, and those between two lines.
const LOOK_TURNS: usize = 96;
const LOOK_APART: usize = LOOK_TURNS / driver::PORTS_MAX;

/// The rings of a board with what must outlive the board: its encoders, its elastic buffers.
pub struct BoardRings {
    index: usize,
    ports: Vec<Port>,
    notes: rtrb::Producer<Note>,
    shared: Arc<Shared>,
    pace: Pace,
    /// Milliseconds of outgoing blocks held back, so that a burst of late milliseconds finds some.
    lead: u32,
    /// The running exchange: the moment it began and the milliseconds of it still to come.
    now: Instant,
    remaining: u64,
    stamp: Instant,
    was_master: bool,
    /// What the running board has counted so far.
    counted: Stats,
    /// Counters and history of the lines of a board that went.
    past: Option<Past>,
    /// All boards tick together (lockstep): each is its own master.
    joined: bool,
    /// Turns so far: in one of a hundred a line is looked at for those who want to know.
    turns: usize,
}

struct Port {
    ends: BoardPort,
    encoder: Encoder,
    elastic: Elastic,
    /// Idle blocks still to be sent before the first real one.
    hold: u32,
    /// Idle blocks that went out in place of real ones: as many are dropped when they come, so that the
    /// delay stays what it was.
    debt: u32,
    alarms: Alarms,
    up: bool,
}

impl BoardRings {
    /// `lead`: milliseconds of outgoing blocks held back. 1 where nobody is late, some more on a host.
    pub fn new(ends: BoardEnds, shared: Arc<Shared>, lead: u32) -> Self {
        let port = |ends: BoardPort| Port {
            encoder: Encoder::new(),
            elastic: Elastic::new(ends.plan.law),
            ends,
            hold: lead,
            debt: 0,
            alarms: Alarms::NONE,
            up: false,
        };
        Self {
            index: ends.index,
            ports: ends.ports.into_iter().map(port).collect(),
            notes: ends.notes,
            shared,
            pace: Pace::default(),
            lead,
            now: Instant::default(),
            remaining: 0,
            stamp: Instant::default(),
            was_master: false,
            counted: Stats::default(),
            past: None,
            joined: false,
            turns: 0,
        }
    }

    /// With all boards ticking together: one block goes for each that comes, whoever is master.
    #[must_use]
    pub fn joined(mut self, joined: bool) -> Self {
        self.joined = joined;
        self
    }

    /// Its place in the configuration.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Milliseconds that the tick thread has not taken yet.
    pub fn untaken(&self) -> usize {
        self.ports.first().map_or(0, |port| {
            let up = &port.ends.up;
            up.buffer().capacity().saturating_sub(up.slots())
        })
    }

    /// The board cannot be reached: every line is down, with this alarm.
    pub fn gone(&mut self, now: Instant) {
        if let Some(shared) = self.shared.boards.get(self.index) {
            shared.running.store(false, Relaxed);
            shared.clock_port.store(0, Relaxed);
        }
        self.pace.reset();
        for port in 0..self.ports.len() {
            self.line(port, now, false, Alarms::NONE.with(Alarm::BoardGone, true));
        }
    }

    /// Looks at the board, and moves what it completed. `acknowledge_last`: the caller acknowledges when
    /// the millisecond is worked through (lockstep). Returns the milliseconds that crossed.
    ///
    /// # Errors
    /// [`BoardError::Gone`]: [`BoardRings::gone`] was done; probe and start anew.
    pub fn turn<B: Bus>(
        &mut self,
        board: &mut Board<B>,
        now: Instant,
        acknowledge_last: bool,
    ) -> Result<u64, BoardError> {
        let served = self.try_turn(board, now, acknowledge_last);
        self.tell(board, now);
        if served.is_err() {
            self.past = Some(board.past());
            self.gone(now);
        }
        served
    }

    fn try_turn<B: Bus>(
        &mut self,
        board: &mut Board<B>,
        now: Instant,
        acknowledge_last: bool,
    ) -> Result<u64, BoardError> {
        let look = board.look(now)?;
        if !acknowledge_last {
            board.acknowledge(now)?;
        }
        if look.lost > 0 {
            self.pace.reset();
        }
        let is_master = self.joined || self.shared.master.load(Relaxed) == self.index;
        if is_master != self.was_master {
            self.was_master = is_master;
            self.begin_anew();
        }
        (self.now, self.remaining) = (now, look.millis.saturating_sub(look.lost));
        board.exchange(now, self)
    }

    /// The clock that the outgoing blocks follow changed: nothing that waits is of use.
    fn begin_anew(&mut self) {
        for port in &mut self.ports {
            while port.ends.down.pop().is_ok() {}
            port.elastic = Elastic::new(port.ends.plan.law);
            (port.hold, port.debt) = (self.lead, 0);
        }
    }

    /// Passes on what the board says, and its counters.
    fn tell<B: Bus>(&mut self, board: &mut Board<B>, now: Instant) {
        while let Some(event) = board.poll_event() {
            match event {
                BoardEvent::Alarm { port, at, .. } | BoardEvent::InService { port, at, .. } => {
                    let status = board.status(port);
                    self.line(port, at, status.in_service, status.alarms);
                }
                BoardEvent::Gap { millis, at } => self.note(Note::Gap { millis, at }),
                BoardEvent::Stalled { .. } => self.running(false),
                BoardEvent::Resumed { .. } => self.running(true),
                BoardEvent::Gone { .. } => self.gone(now),
                BoardEvent::Bits { port, channel, abcd, .. } => {
                    if let Some(span) = self.ports.get(port).map(|port| port.ends.plan.span) {
                        self.note(Note::Bits { span, channel, abcd });
                    }
                }
                BoardEvent::BitsUnknown { port, .. } => {
                    if let Some(span) = self.ports.get(port).map(|port| port.ends.plan.span) {
                        self.note(Note::BitsUnknown { span });
                    }
                }
                // Both are read where a line is looked at.
                BoardEvent::ClockSource { .. } | BoardEvent::Interrupts { .. } => {}
            }
        }
        if let Some(shared) = self.shared.boards.get(self.index) {
            // A board that comes back counts from zero; what we count goes on.
            let (new, old) = (board.stats(), self.counted);
            self.counted = new;
            for (counter, new, old) in [
                (&shared.interrupts, new.interrupts, old.interrupts),
                (&shared.missed, new.missed, old.missed),
                (&shared.served, new.served, old.served),
                (&shared.gaps, new.gaps, old.gaps),
                (&shared.lost_millis, new.lost_millis, old.lost_millis),
            ] {
                counter.fetch_add(new.wrapping_sub(old), Relaxed);
            }
            let slips = |p: &Port| {
                let c = p.elastic.counters();
                c.dropped.wrapping_add(c.repeated)
            };
            shared.slips_out.store(self.ports.first().map_or(0, slips), Relaxed);
            let clock = board.clock_source().map_or(0, |port| port.wrapping_add(1));
            shared.clock_port.store(clock as u64, Relaxed);
        }
        self.look_at_a_line(board);
    }

    /// Every line comes once in [`LOOK_TURNS`], no two of them in one turn.
    fn look_at_a_line<B: Bus>(&mut self, board: &mut Board<B>) {
        self.turns = self.turns.wrapping_add(1) % LOOK_TURNS;
        let (port, rest) = (self.turns / LOOK_APART, self.turns % LOOK_APART);
        let Some(known) = self.ports.get(port).filter(|_| rest == 0) else { return };
        if let Some(line) = self.shared.lines.get(known.ends.plan.span.index()) {
            line.look(board, port);
        }
    }

    fn running(&self, running: bool) {
        if let Some(shared) = self.shared.boards.get(self.index) {
            shared.running.store(running, Relaxed);
        }
    }

    fn line(&mut self, port: usize, at: Instant, up: bool, alarms: Alarms) {
        let Some(known) = self.ports.get_mut(port) else { return };
        if (known.up, known.alarms) == (up, alarms) {
            return;
        }
        (known.up, known.alarms) = (up, alarms);
        let span = known.ends.plan.span;
        self.note(Note::Line { span, up, alarms, at });
    }

    fn note(&mut self, note: Note) {
        if self.notes.push(note).is_err() {
            count(&self.shared.counters.notes_lost);
        }
    }

    /// A board was started: milliseconds pass on it, and channels with signalling bits send those of rest.
    pub fn started<B: Bus>(&mut self, board: &mut Board<B>) {
        for (port, known) in self.ports.iter().enumerate() {
            for &(channel, idle) in &known.ends.plan.idle {
                board.set_bits(port, channel, idle);
            }
        }
        if let Some(past) = self.past.take() {
            board.remember(past);
        }
        self.pace.reset();
        self.counted = Stats::default();
        self.running(true);
        self.begin_anew();
    }

    /// What is counted of this board.
    pub fn shared(&self) -> Option<&BoardShared> {
        self.shared.boards.get(self.index)
    }
}

impl Line for BoardRings {
    fn received(&mut self, port: usize, block: &Block) {
        if port == 0 {
            self.remaining = self.remaining.saturating_sub(1);
            let late_micros = self.remaining.saturating_mul(1000);
            let noticed = self.now.as_micros().saturating_sub(late_micros);
            self.stamp = self.pace.next(Instant::micros(noticed));
        }
        let (stamp, at) = (self.stamp, self.now);
        let Some(known) = self.ports.get_mut(port) else { return };
        if known.ends.up.push(Stamped { at: stamp, block: *block }).is_err() {
            count(&self.shared.counters.blocks_lost);
        }
        let Some(d_channel) = known.ends.plan.d_channel else { return };
        let (span, octets) = (known.ends.plan.span, block.timeslot(d_channel));
        self.note(Note::Octets { span, octets, at });
    }

    fn transmit(&mut self, port: usize, block: &mut Block) {
        let Some(port) = self.ports.get_mut(port) else { return };
        if self.was_master {
            port.send_direct(block, &self.shared);
        } else {
            port.send_elastic(block, self.stamp);
        }
        let Some(d_channel) = port.ends.plan.d_channel else { return };
        while let Ok(frame) = port.ends.frames.peek() {
            if !port.encoder.push(frame) {
                break;
            }
            let _ = port.ends.frames.pop();
        }
        let mut octets = [0; tdm::SAMPLES];
        port.encoder.octets(&mut octets);
        block.set_timeslot(d_channel, octets);
    }
}

impl Port {
    /// The board is the one that ticks: as many blocks come as go.
    fn send_direct(&mut self, block: &mut Block, shared: &Shared) {
        if self.hold > 0 {
            self.hold = self.hold.wrapping_sub(1);
            return;
        }
        while self.debt > 0 && self.ends.down.pop().is_ok() {
            self.debt = self.debt.wrapping_sub(1);
            count(&shared.counters.blocks_late);
        }
        match self.ends.down.pop() {
            Ok(stamped) => block.octets = stamped.block.octets,
            Err(_) => {
                self.debt = self.debt.saturating_add(1);
                count(&shared.counters.underruns);
            }
        }
    }

    /// Another clock ticks.
    fn send_elastic(&mut self, block: &mut Block, stamp: Instant) {
        while self.ends.down.peek().is_ok_and(|next| next.at <= stamp)
            && let Ok(next) = self.ends.down.pop()
        {
            self.elastic.write(next.at, &next.block);
        }
        self.elastic.read(stamp, block);
    }
}
