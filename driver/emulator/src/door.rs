//! A door for tests inside a guest: two registers behind the board's own, by which a program on the host's
//! side of the bus breaks and mends lines.
//!
//! No real board has them. A condition that the guest sets itself is free of races: what it does next on
//! the bus comes after it.

use bus::{Device, HostMemory, Space};
use firmware_headers::{ReadOnly, Reg, WriteOnly};

use crate::server::Served;
use crate::{Board, Fault, Lockstep};

/// Write: what in bits 31:24, to which port in 23:16, with which argument in 15:0.
pub const DOOR: Reg<u32, WriteOnly> = Reg::at(0x78);
/// Read: milliseconds of the board's clock, modulo 2³².
pub const DOOR_MILLIS: Reg<u32, ReadOnly> = Reg::at(0x7C);

/// What of the door holds the clock: so many milliseconds more may pass, and then none; [`FREE`]: all.
const HOLD: u32 = 9;
/// The argument of [`HOLD`] that lets the clock go.
const FREE: u32 = 0xFFFF;

/// The fault that `what` stands for; 0 mends.
fn fault(what: u32, argument: u32) -> Option<Fault> {
    match what {
        1 => Some(Fault::LossOfSignal),
        2 => Some(Fault::LossOfFrame),
        3 => Some(Fault::AlarmIndication),
        4 => Some(Fault::RemoteAlarm),
        5 => Some(Fault::Cut),
        6 => Some(Fault::NoMultiframe),
        7 => Some(Fault::Slip),
        8 => Some(Fault::BitErrors(10_f64.powi(-i32::try_from(argument).unwrap_or(i32::MAX)))),
        10 => Some(Fault::SlipSkipped),
        11 => Some(Fault::DeadTimeslot16),
        12 => Some(Fault::MultiframeAlarm),
        13 => Some(Fault::CrcErrors(u16::try_from(argument).unwrap_or(u16::MAX))),
        _ => None,
    }
}

/// A board with the door open.
pub struct WithDoor {
    /// The board.
    pub board: Board,
    /// In lockstep: milliseconds that may still pass; nothing: as many as come.
    credit: Option<u32>,
}

impl WithDoor {
    /// `board` with the door open.
    pub fn new(board: Board) -> Self {
        Self { board, credit: None }
    }
    fn command(&mut self, value: u32) {
        if value >> 24 == HOLD {
            let more = value & 0xFFFF;
            let credit = self.credit.unwrap_or_default().saturating_add(more);
            self.credit = (more != FREE).then_some(credit);
            return;
        }
        let port = (value >> 16 & 0xFF) as usize;
        match fault(value >> 24, value & 0xFFFF) {
            Some(fault) => self.board.inject(port, fault),
            None => self.board.repair(port),
        };
    }
}

impl Device for WithDoor {
    fn read(&mut self, space: Space, offset: u32, octets: u8) -> u32 {
        if (space, offset) == (Space::Bar0, DOOR_MILLIS.offset) {
            return self.board.clock().as_millis() as u32;
        }
        self.board.read(space, offset, octets)
    }
    fn write(&mut self, space: Space, offset: u32, octets: u8, value: u32) {
        if (space, offset) == (Space::Bar0, DOOR.offset) {
            self.command(value);
        } else {
            self.board.write(space, offset, octets, value);
        }
    }
    fn interrupt(&self) -> bool {
        self.board.interrupt()
    }
    fn millisecond(&mut self, memory: &dyn HostMemory) {
        self.board.millisecond(memory);
        self.credit = self.credit.map(|credit| credit.saturating_sub(1));
    }
    fn bar0_octets(&self) -> u32 {
        self.board.bar0_octets()
    }
    fn reset(&mut self) {
        self.board.reset();
        self.credit = None;
    }
}

impl Served for WithDoor {
    fn is_ticking(&self) -> bool {
        self.board.is_ticking()
    }
    fn tick_taken(&self, rule: Lockstep) -> bool {
        self.credit != Some(0) && self.board.tick_taken(rule)
    }
    fn clock_ppm(&self) -> f64 {
        self.board.clock_ppm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Host;
    use crate::{Frames, Signal};
    use firmware_headers::model;
    use std::sync::{Arc, Mutex};
    use tdm::{Alarm, Block, SampleTime};

    /// Remembers what it hears of the line.
    struct Listener(Arc<Mutex<Vec<Option<Alarm>>>>);
    impl crate::FarEnd for Listener {
        fn millisecond(&mut self, _: SampleTime, _: &Block, _: &mut Block) {}
        fn line(&mut self, condition: Option<Alarm>) {
            self.0.lock().unwrap().push(condition);
        }
        fn signal(&mut self, _: Signal) -> Signal {
            Signal::Framed(Frames::HEALTHY)
        }
    }

    #[test]
    fn the_door_breaks_and_mends_one_line_and_shows_the_time() {
        let heard: [_; 2] = std::array::from_fn(|_| Arc::new(Mutex::new(Vec::new())));
        let mut host = Host::new(&model::TE410P_GEN5);
        for (port, heard) in heard.iter().enumerate() {
            host.board.plug(port, Box::new(Listener(heard.clone())));
        }
        host.ports_up(false);
        let Host { board, memory, .. } = host;
        let mut open = WithDoor::new(board);
        for command in [0, 5 << 24 | 1 << 16, 1 << 16] {
            open.write(Space::Bar0, DOOR.offset, 4, command);
            for _ in 0..10 {
                open.millisecond(&memory);
            }
        }
        assert_eq!(open.read(Space::Bar0, DOOR_MILLIS.offset, 4), 30);
        let ends = |n: usize| heard[n].lock().unwrap().contains(&Some(Alarm::LossOfSignal));
        assert!(!ends(0) && ends(1), "only the line that was cut");
        assert_ne!(heard[1].lock().unwrap().last(), Some(&Some(Alarm::LossOfSignal)));
    }

    /// A program that feeds channels lets the board go no faster than it feeds them.
    #[test]
    fn a_held_clock_gives_as_many_milliseconds_as_it_was_told_to() {
        let host = Host::new(&model::TE410P_GEN5);
        let mut open = WithDoor::new(host.board);
        let free = |open: &WithDoor| open.tick_taken(Lockstep::Served);
        assert!(free(&open));
        open.write(Space::Bar0, DOOR.offset, 4, HOLD << 24);
        assert!(!free(&open));
        open.write(Space::Bar0, DOOR.offset, 4, HOLD << 24 | 2);
        for _ in 0..2 {
            assert!(free(&open));
            open.millisecond(&host.memory);
        }
        assert!(!free(&open));
        open.write(Space::Bar0, DOOR.offset, 4, HOLD << 24 | FREE);
        assert!(free(&open));
        open.write(Space::Bar0, DOOR.offset, 4, HOLD << 24);
        open.reset();
        assert!(free(&open), "the next host finds it free");
    }
}
