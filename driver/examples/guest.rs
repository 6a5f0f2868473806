//! Our driver in a guest: through the kernel's VFIO on an emulated board whose spans are crossed in pairs.
//!
//!     guest PCI-ADDRESS MODE MILLIS [copied]
//!
//! MODE is `ccs`, `cas`, `esf` or `esf-cas`; MILLIS are milliseconds of the board, in lockstep. Every test prints
//! "ok NAME" or "not ok NAME: why". Conditions on the lines are set through the board's door for tests.

use std::time::Duration;

use bus::pci::PciAddress;
use bus::{Bus, Registering, Space, Vfio};
use driver::framer::{Mode, bits};
use driver::{Acknowledge, Board, BoardEvent, Line, PORTS_MAX, Settings};
use emulator::DOOR;
use tdm::hdlc::{Decoder, Encoder};
use tdm::{Alarm, Block, Frame, Instant};

/// Where the D-channel is: timeslot 16 of an E1, channel 24 of a T1.
const D_E1: usize = 16;
const D_T1: usize = 24;

/// What port `port` sends on `channel` in millisecond `at`.
fn octets(port: usize, channel: usize, at: u64) -> [u8; 8] {
    let place = (port as u64) << 56 | (channel as u64) << 48 | at;
    let mixed = (place ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD134_2543_DE82_EF95);
    mixed.rotate_left(23).to_le_bytes()
}

/// The frame a port sends as its `n`-th.
fn frame(port: usize, n: u64) -> Vec<u8> {
    let octets_of_it = 3 + (n * 7 + port as u64) % 257;
    (0..octets_of_it).map(|at| octets(port, 0, n * 300 + at)[0]).collect()
}

/// One port's D-channel.
struct Link {
    encoder: Encoder,
    decoder: Decoder,
    sent: u64,
    good: u64,
    bad: u64,
}

/// Sends on every channel and compares what the port at the other end of the cable sent.
struct Traffic {
    mode: Mode,
    links: [Link; PORTS_MAX],
    /// Milliseconds before this one are not compared.
    from: u64,
    compared: u64,
    bad: u64,
}

impl Traffic {
    fn new(mode: Mode) -> Self {
        let link =
            || Link { encoder: Encoder::new(), decoder: Decoder::new(), sent: 0, good: 0, bad: 0 };
        let links = std::array::from_fn(|_| link());
        Self { mode, links, from: u64::MAX, compared: 0, bad: 0 }
    }
    fn channels(&self) -> std::ops::RangeInclusive<usize> {
        if self.mode.is_t1() { 1..=24 } else { 1..=31 }
    }
    fn d_channel(&self) -> usize {
        if self.mode.is_t1() { D_T1 } else { D_E1 }
    }
    /// Signalling, D-channel and, on a T1 with robbed bits, the last bit of an octet are not compared.
    fn mask(&self, channel: usize) -> u8 {
        match (channel == self.d_channel(), self.mode.associated, self.mode.is_t1()) {
            (true, false, _) | (true, true, false) => 0,
            (_, true, true) => 0xFE,
            _ => 0xFF,
        }
    }
}

impl Line for Traffic {
    fn received(&mut self, port: usize, block: &Block) {
        let (at, from) = (block.at.as_millis(), port ^ 1);
        let d = self.d_channel();
        if !self.mode.associated {
            let link = &mut self.links[port];
            let line: Vec<u8> = block.octets.iter().map(|row| row[d]).collect();
            let (good, bad) = (&mut link.good, &mut link.bad);
            link.decoder.push(&line, |seen| {
                if seen == frame(from, *good) {
                    *good += 1;
                } else {
                    *bad += 1;
                }
            });
        }
        if at < self.from {
            return;
        }
        for channel in self.channels() {
            let (sent, mask) = (octets(from, channel, at - 1), self.mask(channel));
            for (row, sent) in block.octets.iter().zip(sent) {
                self.bad += u64::from((row[channel] ^ sent) & mask != 0);
                self.compared += 1;
            }
        }
    }
    fn transmit(&mut self, port: usize, block: &mut Block) {
        let at = block.at.as_millis();
        for channel in self.channels() {
            for (row, octet) in block.octets.iter_mut().zip(octets(port, channel, at)) {
                row[channel] = octet;
            }
        }
        if self.mode.associated {
            return;
        }
        let d = self.d_channel();
        let link = &mut self.links[port];
        let next = Frame::new(&frame(port, link.sent)).expect("a frame of the test");
        if link.encoder.waiting() < 2 && link.encoder.push(&next) {
            link.sent += 1;
        }
        let mut line = [0; 8];
        link.encoder.octets(&mut line);
        for (row, octet) in block.octets.iter_mut().zip(line) {
            row[d] = octet;
        }
    }
}

struct Bench {
    board: Board<Vfio>,
    begun: std::time::Instant,
    ports: usize,
    line: Traffic,
    events: Vec<BoardEvent>,
    failures: u32,
}

impl Bench {
    fn now(&self) -> Instant {
        Instant::seconds(1).plus(self.begun.elapsed())
    }
    /// Runs for `millis` of the board; gives up when they do not come.
    fn run(&mut self, millis: u64) -> Result<(), driver::BoardError> {
        let until = self.board.stats().served + millis;
        let patience = self.begun.elapsed() + Duration::from_millis(millis * 10 + 10_000);
        while self.board.stats().served < until {
            assert!(self.begun.elapsed() < patience, "the board's milliseconds do not come");
            let now = self.now();
            self.board.wait(now, Duration::from_millis(20))?;
            let now = self.now();
            self.board.service(now, &mut self.line)?;
            while let Some(event) = self.board.poll_event() {
                self.events.push(event);
            }
        }
        Ok(())
    }
    fn said(&mut self, name: &str, why: Option<String>) {
        match why {
            None => println!("ok {name}"),
            Some(why) => {
                println!("not ok {name}: {why}");
                self.failures += 1;
            }
        }
    }
    fn line_of(&self, port: u32, what: u32) {
        self.board.bus().write(Space::Bar0, &DOOR, what << 24 | port << 16).expect("the door");
    }
    fn all_up(&mut self, name: &str) -> Result<(), driver::BoardError> {
        // The alarms' times run on the guest's clock, which a quick host's board outruns.
        for _ in 0..200 {
            self.run(200)?;
            let up = (0..self.ports).all(|port| {
                let status = self.board.status(port);
                status.in_service && status.alarms.is_empty()
            });
            if up {
                self.said(name, None);
                return Ok(());
            }
        }
        let states: Vec<_> = (0..self.ports).map(|port| self.board.status(port)).collect();
        self.said(name, Some(format!("{states:?}")));
        Ok(())
    }

    fn traffic(&mut self, millis: u64) -> Result<(), driver::BoardError> {
        let frames = self.line.links.each_ref().map(|link| link.good);
        self.line.from = self.board.sample_time().as_millis() + 20;
        (self.line.bad, self.line.compared) = (0, 0);
        let begun = self.begun.elapsed();
        self.run(millis)?;
        let took = (self.begun.elapsed() - begun).as_millis();
        let (bad, compared) = (self.line.bad, self.line.compared);
        println!("  {compared} octets, {millis} ms of the board in {took} ms");
        let wrong = bad > 0 || compared == 0;
        self.said("samples", wrong.then(|| format!("{bad} of {compared} octets are bad")));
        if !self.line.mode.associated {
            let each: Vec<_> = (0..self.ports)
                .map(|port| (self.line.links[port].good - frames[port], self.line.links[port].bad))
                .collect();
            println!("  frames good and bad: {each:?}");
            let wrong = each.iter().any(|&(good, bad)| good == 0 || bad > 0);
            self.said("D-channel frames", wrong.then(|| format!("{each:?}")));
        }
        let stats = self.board.stats();
        let wrong = stats.gaps > 0 || stats.realigned > 0;
        self.said("no gap", wrong.then(|| format!("{stats:?}")));
        println!(
            "  {} interrupts, {} empty, {} missed",
            stats.interrupts, stats.empty, stats.missed
        );
        Ok(())
    }

    fn bits(&mut self) -> Result<(), driver::BoardError> {
        let framing = self.line.mode.framing;
        for round in 1..8_u8 {
            let pattern = |port: usize, channel: u8| {
                let mixed = channel.wrapping_mul(5) ^ (port as u8) ^ round;
                if mixed & 0xF == 0 { 0b0110 } else { mixed & 0xF }
            };
            for port in 0..self.ports {
                for channel in bits::channels(framing) {
                    self.board.set_bits(port, channel, pattern(port, channel));
                }
            }
            self.run(800)?;
            for port in 0..self.ports {
                for channel in bits::channels(framing) {
                    let (heard, sent) =
                        (self.board.bits(port, channel), pattern(port ^ 1, channel));
                    if heard != Some(sent) {
                        let why = format!("port {port} channel {channel}: {heard:?}, not {sent}");
                        self.said("signalling bits", Some(why));
                        return Ok(());
                    }
                }
            }
        }
        let told = self.events.iter().filter(|e| matches!(e, BoardEvent::Bits { .. })).count();
        println!("  {told} changes told");
        self.said("signalling bits", (told < 100).then(|| format!("{told} changes told")));
        Ok(())
    }

    fn alarm(&mut self) -> Result<(), driver::BoardError> {
        self.events.clear();
        self.line_of(0, 1);
        let begun = self.now();
        let mut raised = None;
        while raised.is_none() && self.now().millis_since(begun) < 8000 {
            self.run(50)?;
            raised = self.events.iter().find_map(|event| match *event {
                BoardEvent::Alarm { port: 0, alarm, raised: true, at } => Some((alarm, at)),
                _ => None,
            });
        }
        let why = match raised {
            Some((Alarm::LossOfSignal, at)) => {
                println!("  raised after {} ms", at.millis_since(begun));
                None
            }
            other => Some(format!("{other:?}")),
        };
        self.said("loss of signal is raised", why);
        let others = (2..self.ports).all(|port| self.board.status(port).alarms.is_empty());
        self.said("other spans are untouched", (!others).then(String::new));
        self.line_of(0, 0);
        self.all_up("and clears")
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().collect();
    let [_, at, mode, millis, rest @ ..] = &words[..] else {
        return Err("usage: guest PCI-ADDRESS MODE MILLIS [copied]".into());
    };
    let at: PciAddress = at.parse()?;
    let mode = match mode.as_str() {
        "ccs" => Mode::e1(true),
        "cas" => Mode::e1(true).with_bits(),
        "esf" => Mode::t1(),
        "esf-cas" => Mode::t1().with_bits(),
        other => return Err(format!("no mode {other}").into()),
    };
    let copied = rest.iter().any(|word| word == "copied");
    let bus = Vfio::open(at, if copied { Registering::Copied } else { Registering::Best })?;
    let (mapped, way) =
        if bus.is_mapped() { (true, "mapped") } else { (false, "through the file") };
    println!("  registers {way}");
    let identity = driver::probe(&bus)?;
    let ports = usize::from(identity.model.spans);
    println!("  {} generation {}", identity.model.name, identity.model.generation);
    let settings = Settings {
        framer_budget: 1,
        acknowledge: Acknowledge::Last,
        ..Settings::quad(ports, mode)
    };
    let board = Board::start(bus, settings, Instant::seconds(1))?;
    let mut bench = Bench {
        board,
        begun: std::time::Instant::now(),
        ports,
        line: Traffic::new(mode),
        events: Vec::new(),
        failures: 0,
    };
    // What is judged below is judged of the way that was asked for.
    let other = (mapped == copied).then(|| format!("they are reached {way}"));
    bench.said("registers are reached as asked", other);
    bench.all_up("all spans are in service")?;
    bench.traffic(millis.parse()?)?;
    if mode.associated {
        bench.bits()?;
    }
    bench.alarm()?;
    bench.board.stop()?;
    println!("ok stopped");
    std::process::exit(i32::from(bench.failures > 0));
}
