//! A line and what hangs on it: one port's millisecond between framer and far end.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::{Alarm, Block, Law, Rng, SAMPLES, SampleTime, TIMESLOTS};

use crate::fault::{Fault, LineFaults, Slip};
use crate::framer::{Arrived, Port};
use crate::{FarEnd, Framing, Signal};

/// What a framer without frames gives its system side, and the highway without a driver.
pub(crate) const NOTHING: [[u8; TIMESLOTS]; SAMPLES] = [[0xFF; TIMESLOTS]; SAMPLES];

/// One connector, its line and the far end.
pub(crate) struct Wire {
    far: Option<Box<dyn FarEnd>>,
    faults: LineFaults,
    rng: Rng,
    /// What the far end was told last of the line towards it.
    told: Option<Alarm>,
    /// What the system side gives in this millisecond.
    pub sent: Block,
    /// What it gets.
    pub received: Block,
    /// What arrived in the last millisecond, for the loops towards the line.
    arriving: Signal,
    looped: Block,
}

impl Wire {
    /// A connector with nothing in it.
    pub(crate) fn new(rng: Rng) -> Self {
        Self {
            far: None,
            faults: LineFaults::default(),
            rng,
            told: None,
            sent: Block { octets: NOTHING, ..Block::idle(Law::A) },
            received: Block { octets: NOTHING, ..Block::idle(Law::A) },
            arriving: Signal::Silence,
            looped: Block { octets: NOTHING, ..Block::idle(Law::A) },
        }
    }
    pub(crate) fn plug(&mut self, far: Option<Box<dyn FarEnd>>) {
        (self.far, self.told) = (far, None);
    }
    pub(crate) fn inject(&mut self, fault: Fault) {
        let part = self.rng.next_u64();
        self.faults.inject(fault, self.rng.fork(part));
    }
    /// What the line's own clock is off, in parts per billion, when it can be recovered.
    pub(crate) fn clock(&self) -> Option<i64> {
        self.faults.clock().filter(|_| self.far.is_some())
    }
    pub(crate) fn repair(&mut self) {
        self.faults = LineFaults::default();
    }

    /// One millisecond of a board whose clock is off by `clock` billionths. `port` is nothing while the chip is in reset: then the line is dead from here.
    pub(crate) fn millisecond(&mut self, at: SampleTime, clock: i64, port: Option<&mut Port>) {
        self.sent.at = at;
        let Some(port) = port else {
            self.sent.octets = NOTHING;
            self.exchange(at, Signal::Silence);
            self.received.octets = NOTHING;
            return;
        };
        let [out, inward] = port.slots();
        self.sent.octets.iter_mut().for_each(|row| row.rotate_left(out % TIMESLOTS));
        let mut leaving = port.transmit();
        if port.payload_loop() || port.remote_loop() {
            self.sent.octets = self.looped.octets;
        }
        if port.remote_loop() {
            leaving = self.arriving;
        } else {
            port.sign(&mut self.sent);
        }
        if !matches!(leaving, Signal::Framed(_)) {
            self.sent.octets = NOTHING;
        }
        self.arriving = self.exchange(at, leaving);
        if port.local_loop() {
            self.arriving = leaving;
            self.received.octets = self.sent.octets;
        }
        let mut arrived = Arrived::default();
        let (received, framing) = (&mut self.received, port.framing().unwrap_or_default());
        match self.faults.take_slip(clock) {
            // The first frame of the millisecond twice, the last one not at all.
            Some(slip @ Slip::Repeated) => {
                received.octets.copy_within(0..SAMPLES - 1, 1);
                port.slip(slip);
            }
            // The first frame not at all; in place of the next millisecond's first, the last one again.
            Some(slip @ Slip::Skipped) => {
                received.octets.copy_within(1..SAMPLES, 0);
                port.slip(slip);
            }
            None => {}
        }
        if framing == Framing::E1 {
            self.faults.break_timeslot_16(received);
        }
        arrived.wrong_crc = self.faults.wrong_crc();
        self.faults.bit_errors(port.milli_bits(), |bit| arrived.wrong_bit(framing, bit, received));
        port.receive(self.arriving, arrived, received);
        self.looped.octets = received.octets;
        received.octets.iter_mut().for_each(|row| row.rotate_right(inward % TIMESLOTS));
    }

    /// The far end's turn; returns what arrives here.
    fn exchange(&mut self, at: SampleTime, leaving: Signal) -> Signal {
        self.received = Block { at, ..Block::idle(Law::A) };
        let Some(far) = &mut self.far else { return self.faults.incoming(Signal::Silence) };
        let heard = self.faults.outgoing(leaving);
        let condition = heard.condition();
        if condition != self.told {
            self.told = condition;
            far.line(condition);
        }
        far.millisecond(at, &self.sent, &mut self.received);
        self.faults.incoming(far.signal(heard))
    }
}
