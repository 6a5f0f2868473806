//! The service of a millisecond, in three steps: look, acknowledge, exchange.
//!
//! A board thread touches memory, INTR and RING here and, within a budget, the framer. Nothing is
//! allocated, nothing is locked, nothing waits.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use bus::{Bus, Space};
use firmware_headers::dma::{PORT_OCTETS, T1_SLOT_OFFSET};
use firmware_headers::wct4xxp as regs;
use tdm::{Block, Instant, Law};

use super::layout::BUFFER_OCTETS_MAX;
use super::port::Port;
use super::ring::Work;
use super::rows::{from_rows, to_rows};
use super::{Acknowledge, Board, BoardEvent, Line, STALL_MILLIS, State};
use crate::error::{BoardError, Result};

/// What a look at the board showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Milliseconds the board completed since the look before; 0: nothing to exchange.
    pub millis: u64,
    /// Milliseconds lost for good, because the host came too late.
    pub lost: u64,
}

/// What the host leaves in timeslot 0 of port 0 of a receive buffer it is done with. No board writes it:
/// every second octet of an E1's timeslot 0 is the frame alignment signal.
pub(super) const UNTOUCHED: [u8; 8] = [0x6A; 8];

impl<B: Bus> Board<B> {
    /// Looks, acknowledges and exchanges, in the order of [`super::Settings::acknowledge`]. Returns the
    /// milliseconds that crossed.
    ///
    /// # Errors
    /// [`BoardError::Gone`].
    pub fn service(&mut self, now: Instant, line: &mut impl Line) -> Result<u64> {
        self.look(now)?;
        match self.settings.acknowledge {
            Acknowledge::First => {
                self.acknowledge(now)?;
                self.exchange(now, line)
            }
            Acknowledge::Last => {
                let served = self.exchange(now, line)?;
                self.acknowledge(now)?;
                Ok(served)
            }
        }
    }

    /// Reads INTR, and RING when there is something: how far the board is. Works without an interrupt too.
    ///
    /// # Errors
    /// [`BoardError::Gone`].
    pub fn look(&mut self, now: Instant) -> Result<Look> {
        self.alive()?;
        self.try_look(now).map_err(|error| self.fail(now, error))
    }

    fn try_look(&mut self, now: Instant) -> Result<Look> {
        let intr = self.bus.read(Space::Bar0, &regs::INTR)?;
        if intr == u32::MAX {
            return Err(BoardError::Gone { why: "its registers read as all ones".into() });
        }
        let ours = intr & regs::INTR_OURS != 0;
        self.unacknowledged |= ours;
        self.call_of_framer(now, intr);
        if self.masked && !ours {
            self.stats.empty = self.stats.empty.wrapping_add(1);
        }
        let ident = ((intr & regs::INTR_IDENT) >> regs::INTR_IDENT_SHIFT) as u8;
        if self.position.is_idle(intr & regs::INTR_TICK != 0, ident) {
            self.position.idle(now);
            self.watch_for_stall(now);
            return Ok(Look::default());
        }
        if self.state == State::Stalled {
            self.position.stood_still(now);
        }
        let index = if self.layout.ring {
            let ring = self.bus.read(Space::Bar0, &regs::RING)?;
            ((ring & regs::RING_INDEX) >> regs::RING_INDEX_SHIFT) as u8
        } else {
            0
        };
        let witness = self.position.ring().and_then(|ring| ring.witness(now, ident, index));
        let stood_still = witness.is_some_and(|buffer| self.is_untouched(buffer));
        let advance = self.position.look(now, ident, index, stood_still);
        self.stats.realigned = self.stats.realigned.wrapping_add(advance.realigned.into());
        if advance.millis > 0 {
            if !self.masked {
                self.missed_interrupts(now, advance.millis);
            }
            let missed = advance.millis.saturating_sub(1);
            self.stats.missed = self.stats.missed.wrapping_add(missed);
            self.framer_credit = self.settings.framer_budget;
            self.alive_at = now;
            self.resume(now);
        }
        if advance.lost > 0 {
            self.stats.gaps = self.stats.gaps.wrapping_add(1);
            self.stats.lost_millis = self.stats.lost_millis.wrapping_add(advance.lost);
            self.events.push(BoardEvent::Gap { millis: advance.lost, at: now });
        }
        Ok(Look { millis: advance.millis, lost: advance.lost })
    }

    /// Acknowledges what the last look saw, and lets the interrupt fire again.
    ///
    /// # Errors
    /// [`BoardError::Gone`].
    pub fn acknowledge(&mut self, now: Instant) -> Result<()> {
        self.alive()?;
        self.try_acknowledge().map_err(|error| self.fail(now, error))
    }

    fn try_acknowledge(&mut self) -> Result<()> {
        // An acknowledge without need would wipe out a millisecond that has just passed. A board in
        // lockstep waits for it after a look that found something, and after no other.
        if self.unacknowledged {
            self.bus.write(Space::Bar0, &regs::INTR, regs::INTR_ACKNOWLEDGE)?;
            self.unacknowledged = false;
        }
        if self.masked {
            self.masked = false;
            self.bus.unmask()?;
        }
        Ok(())
    }

    /// Takes every completed buffer through `line`, oldest first, then spends the framer's budget. Returns
    /// the milliseconds that crossed.
    ///
    /// # Errors
    /// [`BoardError::Gone`].
    pub fn exchange(&mut self, now: Instant, line: &mut impl Line) -> Result<u64> {
        self.alive()?;
        let mut served: u64 = 0;
        while let Some(work) = self.position.take() {
            self.exchange_buffer(work, line);
            served = served.wrapping_add(1);
        }
        self.stats.served = self.stats.served.wrapping_add(served);
        self.poll_framer(now).map_err(|error| self.fail(now, error))?;
        Ok(served)
    }

    fn exchange_buffer(&self, work: Work, line: &mut impl Line) {
        let mut all = [0; BUFFER_OCTETS_MAX];
        let size = self.layout.buffer_octets;
        let Some(octets) = all.get_mut(..size) else { return };
        let transmit_at = work.buffer.wrapping_mul(size);
        let receive_at = transmit_at.wrapping_add(self.receive_area());
        self.memory.memory.read(receive_at, octets);
        self.memory.memory.write(receive_at, &UNTOUCHED);
        let mut block = Block { at: self.at(work.millisecond), ..Block::idle(Law::A) };
        let (ports, _) = octets.as_chunks_mut::<PORT_OCTETS>();
        for (port, place) in ports.iter_mut().enumerate() {
            if self.law(port).is_some() {
                to_rows(place, &mut block.octets);
                if self.all_t1 {
                    block.octets.iter_mut().for_each(|row| row.rotate_left(T1_SLOT_OFFSET));
                }
                line.received(port, &block);
            }
        }
        for (port, place) in ports.iter_mut().enumerate() {
            let law = self.law(port);
            block = Block { at: self.at(work.sent_in), ..Block::idle(law.unwrap_or_default()) };
            if law.is_some() {
                line.transmit(port, &mut block);
                if self.all_t1 {
                    block.octets.iter_mut().for_each(|row| row.rotate_right(T1_SLOT_OFFSET));
                }
            }
            from_rows(&block.octets, place);
        }
        self.memory.memory.write(transmit_at, octets);
    }

    /// Whether the board has not written to receive buffer `buffer` since the host was done with it.
    fn is_untouched(&self, buffer: usize) -> bool {
        let at = self.receive_area().wrapping_add(buffer.wrapping_mul(self.layout.buffer_octets));
        let mut seen = [0; UNTOUCHED.len()];
        self.memory.memory.read(at, &mut seen);
        seen == UNTOUCHED
    }

    /// How speech is coded on the line of `port`; nothing when it is not used.
    fn law(&self, port: usize) -> Option<Law> {
        self.ports.get(port)?.as_ref().map(|known| known.settings.mode.law())
    }

    /// Where the receive buffers begin in the board's memory.
    pub(super) fn receive_area(&self) -> usize {
        self.layout.buffers(self.settings.ring).wrapping_mul(self.layout.buffer_octets)
    }

    /// Notes that the framer's pin is active. It calls only where its masks had to be opened, and gets an access even in
    /// a millisecond that has none left: the pin would call until then.
    fn call_of_framer(&mut self, now: Instant, intr: u32) {
        if intr & regs::INTR_FRAMER == 0 || self.masked_show != Some(false) {
            return;
        }
        // Who called before is answered first: asking again would keep the answer from coming.
        let answering = |port: &Port| {
            let bits_due = port.bits.as_ref().is_some_and(|bits| bits.due <= now);
            port.round.is_some() || port.second_due <= now || bits_due
        };
        self.framer_calls = !self.ports.iter().flatten().any(answering);
        self.framer_credit = self.framer_credit.max(1);
    }

    fn watch_for_stall(&mut self, now: Instant) {
        if self.state == State::Stalled {
            self.ports.iter_mut().flatten().for_each(|port| port.dark_seconds(now));
        }
        let silent = now.millis_since(self.alive_at) >= STALL_MILLIS;
        let free_running = self.settings.acknowledge == Acknowledge::First;
        if silent && free_running && self.state == State::Running {
            self.state = State::Stalled;
            self.events.push(BoardEvent::Stalled { at: now });
            self.publish(now);
        }
    }

    fn resume(&mut self, now: Instant) {
        if self.state == State::Stalled {
            self.state = State::Running;
            self.events.push(BoardEvent::Resumed { at: now });
            self.publish(now);
        }
    }
}
