//! What can be broken on command.

use firmware_headers::falc;
use tdm::{Block, Rng};

use crate::clock::billionths;
use crate::{Frames, Signal};

const SECOND_MILLIS: u16 = 1000;
const TIMESLOT_16: usize = 16;
/// 125 µs.
const FRAME_PICOS: i64 = 125_000_000;

/// What goes wrong with one line. Several may hold at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The board hears nothing. LOS.
    LossOfSignal,
    /// The board hears pulses without frames. LOF.
    LossOfFrame,
    /// The board hears all ones. AIS.
    AlarmIndication,
    /// The board hears the far end's remote alarm. RAI.
    RemoteAlarm,
    /// The board hears frames without the CRC-4 multiframe.
    NoMultiframe,
    /// Neither side hears the other.
    Cut,
    /// Once: the framer's receive buffer ran dry, and one frame is heard again in place of the next. A
    /// line whose clock is slower does that over and over.
    Slip,
    /// Once: the framer's receive buffer ran over, and one frame is not heard at all. A line whose clock is faster does
    /// that over and over.
    SlipSkipped,
    /// E1: timeslot 16 arrives as nothing but ones: no signalling multiframe, while the frames are whole.
    DeadTimeslot16,
    /// E1: the far end's multiframe carries its remote alarm, bit Y.
    MultiframeAlarm,
    /// The far end does not take its clock from this board: its own runs so many parts per million fast. The framer slips
    /// by the difference, unless the board takes its clock from the line.
    ClockOffset(f64),
    /// So many milliseconds of a second (0 to 1000), evenly spread, arrive with a wrong CRC and no other error.
    CrcErrors(u16),
    /// Received bits are wrong by chance, this share of them (0 to 0.5).
    BitErrors(f64),
}

/// What goes wrong with the whole board. Several may hold at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BoardFault {
    /// The board's own oscillator runs so many parts per million fast.
    ClockOffset(f64),
    /// The board's clock stands still: milliseconds that pass outside do not pass inside.
    FrozenClock,
    /// The interrupts of this many ticks do not come; their DMA does.
    MissedInterrupts(u32),
    /// INTx does not reach the host: INTR shows every tick, and none interrupts.
    DeadInterrupt,
    /// Pulled out: every read gives all ones, nothing is written, nothing interrupts.
    Pulled,
    /// The DMA engine hangs: no transfer, no ident, no interrupt, while the lines go on.
    DmaStopped,
}

/// A far end's own clock against the board's.
#[derive(Clone, Copy, Debug)]
struct LineClock {
    billionths: i64,
    /// How far the line is ahead of the board, in picoseconds: a billionth of a millisecond each.
    ahead: i64,
}

impl LineClock {
    fn new(ppm: f64) -> Self {
        Self { billionths: billionths(ppm), ahead: 0 }
    }
    fn millisecond(&mut self, board: i64) -> Option<Slip> {
        self.ahead += self.billionths - board;
        if self.ahead >= FRAME_PICOS {
            self.ahead -= FRAME_PICOS;
            return Some(Slip::Skipped);
        }
        if self.ahead <= -FRAME_PICOS {
            self.ahead += FRAME_PICOS;
            return Some(Slip::Repeated);
        }
        None
    }
}

/// What became of a frame of the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slip {
    /// It was heard twice: the line is slower than the board.
    Repeated,
    /// It was not heard: the line is faster.
    Skipped,
}

/// The faults of one line.
#[derive(Debug, Default)]
pub(crate) struct LineFaults {
    loss_of_signal: bool,
    loss_of_frame: bool,
    alarm_indication: bool,
    remote_alarm: bool,
    no_multiframe: bool,
    cut: bool,
    slip: Option<Slip>,
    dead_timeslot_16: bool,
    multiframe_alarm: bool,
    clock: Option<LineClock>,
    crc_errors: u32,
    /// Thousandths of a CRC error that wait to be a whole one.
    crc_due: u32,
    errors: Option<BitErrors>,
}

impl LineFaults {
    pub(crate) fn inject(&mut self, fault: Fault, rng: Rng) {
        match fault {
            Fault::LossOfSignal => self.loss_of_signal = true,
            Fault::LossOfFrame => self.loss_of_frame = true,
            Fault::AlarmIndication => self.alarm_indication = true,
            Fault::RemoteAlarm => self.remote_alarm = true,
            Fault::NoMultiframe => self.no_multiframe = true,
            Fault::Cut => self.cut = true,
            Fault::Slip => self.slip = Some(Slip::Repeated),
            Fault::SlipSkipped => self.slip = Some(Slip::Skipped),
            Fault::DeadTimeslot16 => self.dead_timeslot_16 = true,
            Fault::MultiframeAlarm => self.multiframe_alarm = true,
            Fault::ClockOffset(ppm) => self.clock = Some(LineClock::new(ppm)),
            Fault::CrcErrors(a_second) => self.crc_errors = a_second.min(SECOND_MILLIS).into(),
            Fault::BitErrors(rate) => self.errors = BitErrors::new(rate, rng),
        }
    }

    /// What of `sent` arrives at the far end.
    pub(crate) fn outgoing(&self, sent: Signal) -> Signal {
        if self.cut { Signal::Silence } else { sent }
    }

    /// What of `signal` arrives at the board.
    pub(crate) fn incoming(&self, signal: Signal) -> Signal {
        if self.cut || self.loss_of_signal {
            return Signal::Silence;
        }
        if self.alarm_indication {
            return Signal::AllOnes;
        }
        if self.loss_of_frame {
            return Signal::Unframed;
        }
        match signal {
            Signal::Framed(frames) => Signal::Framed(Frames {
                remote_alarm: frames.remote_alarm || self.remote_alarm,
                crc4: frames.crc4 && !self.no_multiframe,
                ..frames
            }),
            other => other,
        }
    }

    /// Whether this millisecond of a board that runs at `board` billionths has a slip.
    pub(crate) fn take_slip(&mut self, board: i64) -> Option<Slip> {
        let drifted = self.clock.as_mut().and_then(|clock| clock.millisecond(board));
        self.slip.take().or(drifted)
    }
    /// What the line's own clock is off, in parts per billion, when it has one and pulses arrive.
    pub(crate) fn clock(&self) -> Option<i64> {
        let silent = self.cut || self.loss_of_signal;
        self.clock.filter(|_| !silent).map(|clock| clock.billionths)
    }
    /// Whether the CRC of this millisecond arrives wrong.
    pub(crate) fn wrong_crc(&mut self) -> bool {
        self.crc_due += self.crc_errors;
        let wrong = self.crc_due >= u32::from(SECOND_MILLIS);
        if wrong {
            self.crc_due -= u32::from(SECOND_MILLIS);
        }
        wrong
    }
    /// Breaks timeslot 16 of what arrives in an E1.
    pub(crate) fn break_timeslot_16(&self, received: &mut Block) {
        for octet in received.octets.iter_mut().filter_map(|row| row.get_mut(TIMESLOT_16)) {
            // The word of the multiframe is the one whose high half is zero.
            if self.multiframe_alarm && *octet & 0xF0 == 0 {
                *octet |= falc::XS1_Y;
            }
            if self.dead_timeslot_16 {
                *octet = 0xFF;
            }
        }
    }

    /// Calls `wrong` for every wrong bit of the next `bits` received.
    pub(crate) fn bit_errors(&mut self, bits: u32, wrong: impl FnMut(u32)) {
        if let Some(errors) = &mut self.errors {
            errors.next(bits, wrong);
        }
    }
}

/// Bit errors independent of each other: the gaps between them are geometrically distributed.
#[derive(Debug)]
struct BitErrors {
    /// ln(1 − rate), below zero.
    log_of_good: f64,
    gap: u64,
    rng: Rng,
}

impl BitErrors {
    /// `None` for a rate that is no rate, or zero.
    fn new(rate: f64, rng: Rng) -> Option<Self> {
        if !(rate > 0.0 && rate <= 0.5) {
            return None;
        }
        let mut errors = Self { log_of_good: (-rate).ln_1p(), gap: 0, rng };
        errors.gap = errors.draw();
        Some(errors)
    }
    fn draw(&mut self) -> u64 {
        // 53 random bits, never zero: the logarithm stays finite.
        let uniform = ((self.rng.next_u64() >> 11) | 1) as f64 / (1_u64 << 53) as f64;
        (uniform.ln() / self.log_of_good) as u64
    }
    fn next(&mut self, bits: u32, mut wrong: impl FnMut(u32)) {
        let bits = u64::from(bits);
        let mut at = self.gap;
        while at < bits {
            wrong(at as u32);
            at = at.saturating_add(1).saturating_add(self.draw());
        }
        self.gap = at.wrapping_sub(bits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (20 ppm × 40 s) / 125 µs = 6.4 frames.
    #[test]
    fn a_line_with_a_clock_of_its_own_slips_as_often_as_arithmetic_says() {
        for (line, board, slips) in [
            (20.0, 0.0, Some(Slip::Skipped)),
            (0.0, 20.0, Some(Slip::Repeated)),
            (-10.0, 10.0, Some(Slip::Repeated)),
            (4.6, 4.6, None),
        ] {
            let mut clock = LineClock::new(line);
            let seen = (0..40_000).filter_map(|_| clock.millisecond(billionths(board)));
            assert_eq!(seen.collect::<Vec<_>>(), slips.map_or(vec![], |slip| vec![slip; 6]));
        }
    }

    #[test]
    fn bit_errors_come_at_the_rate_asked_for() {
        for rate in [1e-5, 1e-3, 0.1, 0.5] {
            let mut errors = BitErrors::new(rate, Rng::from_seed(1)).unwrap();
            let mut seen = 0_u32;
            let blocks = 20_000;
            for _ in 0..blocks {
                errors.next(2048, |at| {
                    assert!(at < 2048);
                    seen += 1;
                });
            }
            let expected = rate * 2048.0 * f64::from(blocks);
            let allowed = 5.0 * expected.sqrt();
            assert!((f64::from(seen) - expected).abs() < allowed, "{rate}: {seen} of {expected}");
        }
    }

    #[test]
    fn a_rate_that_is_none_injects_nothing() {
        for rate in [0.0, -1.0, 0.6, f64::NAN, f64::INFINITY] {
            assert!(BitErrors::new(rate, Rng::from_seed(1)).is_none(), "{rate}");
        }
    }

    #[test]
    fn a_dead_line_hides_what_else_is_wrong_with_it() {
        let mut faults = LineFaults::default();
        for fault in [Fault::RemoteAlarm, Fault::LossOfFrame, Fault::AlarmIndication] {
            faults.inject(fault, Rng::from_seed(0));
        }
        assert_eq!(faults.incoming(Signal::Framed(Frames::HEALTHY)), Signal::AllOnes);
        faults.inject(Fault::LossOfSignal, Rng::from_seed(0));
        assert_eq!(faults.incoming(Signal::Framed(Frames::HEALTHY)), Signal::Silence);
    }
}
