//! A bench: one emulated board, its driver, and a signal that proves itself.

use std::time::Duration;

use bus::{Bus, Card, InProcess, in_process};
use driver::{Acknowledge, Board, BoardEvent, Line, Settings, span::Debounce};
use emulator::Loopback;
use firmware_headers::model::TE410P_GEN5;
use tdm::{Block, Instant, LineMode};

pub const PORTS: usize = 4;

/// What port `port` sends in timeslot `t` in millisecond `at`: eight octets that occur nowhere else.
fn signal(port: usize, t: usize, at: u64) -> u64 {
    let place = (port as u64) << 56 | (t as u64) << 48 | at;
    (place ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD134_2543_DE82_EF95).rotate_left(23)
}

/// Sends the signal on every port and compares what comes in on port p with what `peers[p]` sent
/// `delay_millis` before.
pub struct Prover {
    pub peers: [usize; PORTS],
    pub delay_millis: u64,
    /// Blocks before this millisecond are not compared: nothing was sent yet.
    pub compare_from: u64,
    /// Octets of timeslots 1 to 31 that were not what they had to be, by port.
    pub bad: [u64; PORTS],
    /// Blocks compared, by port.
    pub compared: [u64; PORTS],
    pub last_received: Option<u64>,
}

impl Prover {
    pub fn looped(delay_millis: u64) -> Self {
        Self {
            peers: [0, 1, 2, 3],
            delay_millis,
            compare_from: 50,
            bad: [0; PORTS],
            compared: [0; PORTS],
            last_received: None,
        }
    }
}

impl Line for Prover {
    fn received(&mut self, port: usize, block: &Block) {
        let at = block.at.as_millis();
        self.last_received = Some(at);
        if at < self.compare_from {
            return;
        }
        self.compared[port] += 1;
        for t in 1..32 {
            let expected = signal(self.peers[port], t, at - self.delay_millis).to_le_bytes();
            for (row, octet) in block.octets.iter().zip(expected) {
                self.bad[port] += u64::from(row[t] != octet);
            }
        }
    }
    fn transmit(&mut self, port: usize, block: &mut Block) {
        let at = block.at.as_millis();
        for t in 1..32 {
            for (row, octet) in block.octets.iter_mut().zip(signal(port, t, at).to_le_bytes()) {
                row[t] = octet;
            }
        }
    }
}

pub type Slot = InProcess<emulator::Board>;

/// A board with a loop on every port, and its driver.
pub struct Bench<B: Bus = Slot> {
    pub card: Card<emulator::Board>,
    pub board: Board<B>,
    pub now: Instant,
    pub events: Vec<BoardEvent>,
}

/// Four ports, fast alarms, a ring of eight.
pub fn settings() -> Settings {
    Settings { debounce: Debounce::DEMO, ..Settings::quad(PORTS, LineMode { crc4: true }) }
}

pub fn lockstep() -> Settings {
    Settings { acknowledge: Acknowledge::Last, ..settings() }
}

/// An emulated board whose ports are looped.
pub fn looped_card() -> (Slot, Card<emulator::Board>) {
    let mut board = emulator::Board::new(&TE410P_GEN5, 1).unwrap();
    for port in 0..PORTS {
        assert!(board.plug(port, Box::new(Loopback)));
    }
    in_process(board)
}

impl Bench {
    pub fn looped(settings: Settings) -> Self {
        let (bus, card) = looped_card();
        Self::on(bus, card, settings)
    }
}

impl<B: Bus> Bench<B> {
    pub fn on(bus: B, card: Card<emulator::Board>, settings: Settings) -> Self {
        let now = Instant::seconds(1);
        let board = Board::start(bus, settings, now).unwrap();
        Self { card, board, now, events: Vec::with_capacity(1024) }
    }

    /// One millisecond of card and host; what the interrupt handler would do is done when it fired.
    pub fn millisecond(&mut self, line: &mut impl Line) {
        self.pass();
        self.serve(line);
    }

    /// A millisecond in which the host sleeps.
    pub fn pass(&mut self) {
        self.card.millisecond();
        self.now = self.now.plus_millis(1);
    }

    /// Serves the interrupt when there is one.
    pub fn serve(&mut self, line: &mut impl Line) -> bool {
        let fired = self.board.wait(self.now, Duration::ZERO).unwrap();
        if fired {
            self.board.service(self.now, line).unwrap();
            self.collect();
        }
        fired
    }

    pub fn run(&mut self, millis: u64, line: &mut impl Line) {
        for _ in 0..millis {
            self.millisecond(line);
        }
    }

    pub fn collect(&mut self) {
        while let Some(event) = self.board.poll_event() {
            self.events.push(event);
        }
    }
}
