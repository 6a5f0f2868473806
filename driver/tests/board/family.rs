//! Every DMA layout, every line mode, every fault: state and events as they must be, other spans untouched, back
//! in service without a restart.

use std::time::Duration;

use bus::{Card, InProcess, in_process};
use driver::framer::{Framing, Mode, bits};
use driver::span::{Counters, Debounce};
use driver::{Board, BoardEvent, Line, Loopback, Settings};
use emulator::{BoardFault, Fault, Link};
use firmware_headers::model::{self, Model};
use tdm::{Alarm, Block, Instant};

/// One board of each layout: one buffer and a ring, two, four and eight ports.
fn layouts() -> Vec<Model> {
    let dual = model::MODELS.iter().find(|m| (m.name, m.generation) == ("TE210P", 3)).copied();
    let mut all = vec![model::TE410P_GEN2, model::TE210P_GEN5, model::TE410P_GEN5, model::TE820];
    all.extend(dual);
    all
}

const MODES: [Mode; 6] = [
    Mode::e1(true),
    Mode::e1(false).with_bits(),
    Mode::t1(),
    Mode::t1().with_bits(),
    Mode { framing: Framing::D4, zeros_replaced: false, ..Mode::t1().with_bits() },
    // A J1 with a D-channel among channels with bits.
    Mode { j1: true, ..Mode::t1().with_bits().with_clear(1 << 24) },
];

/// The modes every fault is tried in: signalling in a channel, in timeslot 16, and in robbed bits.
const SERVED: [Mode; 3] = [Mode::e1(true), Mode::e1(false).with_bits(), Mode::t1().with_bits()];

/// What port `port` sends on `channel` in millisecond `at`.
fn octets(port: usize, channel: usize, at: u64) -> [u8; 8] {
    let place = (port as u64) << 56 | (channel as u64) << 48 | at;
    let mixed = (place ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD134_2543_DE82_EF95);
    mixed.rotate_left(23).to_le_bytes()
}

/// Sends on every channel and compares what the port at the other end of the cable sent.
struct Crossed {
    mode: Mode,
    /// From `transmit` to `received` at the other end, once anything arrived.
    delay: Option<u64>,
    bad: Vec<u64>,
    compared: Vec<u64>,
}

impl Crossed {
    fn new(mode: Mode) -> Self {
        Self { mode, delay: None, bad: vec![0; 8], compared: vec![0; 8] }
    }
    fn channels(&self) -> std::ops::Range<usize> {
        if self.mode.is_t1() { 1..25 } else { 1..32 }
    }
    /// Timeslot 16 is the framer's; robbed bits are.
    fn matches(&self, channel: usize, seen: u8, sent: u8) -> bool {
        match (self.mode.associated, self.mode.is_t1()) {
            (true, false) if channel == 16 => true,
            (true, true) if self.mode.has_bits(channel as u8) => seen | 1 == sent | 1,
            _ => seen == sent,
        }
    }
    fn forget(&mut self) {
        self.delay = None;
        self.bad.fill(0);
        self.compared.fill(0);
    }
}

impl Line for Crossed {
    fn received(&mut self, port: usize, block: &Block) {
        let (at, from) = (block.at.as_millis(), port ^ 1);
        if self.delay.is_none() {
            self.delay = (0..20).find(|&delay| {
                let sent = octets(from, 1, at.saturating_sub(delay));
                block.octets.iter().zip(sent).all(|(row, sent)| self.matches(1, row[1], sent))
            });
        }
        let Some(delay) = self.delay else { return };
        self.compared[port] += 1;
        for channel in self.channels() {
            let sent = octets(from, channel, at.saturating_sub(delay));
            for (row, sent) in block.octets.iter().zip(sent) {
                self.bad[port] += u64::from(!self.matches(channel, row[channel], sent));
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
    }
}

/// A board whose spans are crossed in pairs, and its driver.
struct Bench {
    card: Card<emulator::Board>,
    board: Board<InProcess<emulator::Board>>,
    ports: usize,
    now: Instant,
    events: Vec<BoardEvent>,
    line: Crossed,
}

impl Bench {
    fn new(model: &Model, mode: Mode) -> Self {
        Self::on(emulator::Board::new(model, 1).unwrap(), mode, Debounce::DEMO)
    }

    fn on(card: emulator::Board, mode: Mode, debounce: Debounce) -> Self {
        Self::budgeted(card, mode, debounce, Settings::default().framer_budget)
    }

    fn budgeted(mut card: emulator::Board, mode: Mode, debounce: Debounce, budget: u8) -> Self {
        let ports = card.ports();
        for port in (0..ports).step_by(2) {
            let (here, there) = Link::pair();
            card.plug(port, Box::new(here));
            card.plug(port + 1, Box::new(there));
        }
        let (bus, card) = in_process(card);
        let settings = Settings { debounce, framer_budget: budget, ..Settings::quad(ports, mode) };
        let now = Instant::seconds(1);
        let board = Board::start(bus, settings, now).unwrap();
        Self { card, board, ports, now, events: Vec::new(), line: Crossed::new(mode) }
    }

    fn counted(&self, port: usize) -> Counters {
        self.board.counters(port).unwrap()
    }
    fn seconds(&self, port: usize) -> u32 {
        self.board.performance(port).unwrap().quarter().seconds
    }

    /// The same board after `millis` without it, whole again and started anew.
    fn plugged_back(self, millis: u64) -> Self {
        let Self { card, board, ports, now, line, .. } = self;
        let (past, mode) = (board.past(), line.mode);
        drop(board);
        card.with(emulator::Board::heal);
        let now = now.plus_millis(millis);
        let settings = Settings { debounce: Debounce::DEMO, ..Settings::quad(ports, mode) };
        let mut board = Board::start(card.plug(), settings, now).unwrap();
        board.remember(past);
        Self { card, board, ports, now, events: Vec::new(), line }
    }

    /// As [`Bench::run`], of a host that looks every five milliseconds whatever its interrupts do.
    fn polled(&mut self, millis: u64) {
        for n in 0..millis {
            self.card.millisecond();
            self.now = self.now.plus_millis(1);
            if self.board.wait(self.now, Duration::ZERO).unwrap() || n % 5 == 0 {
                self.board.service(self.now, &mut self.line).unwrap();
            }
            while let Some(event) = self.board.poll_event() {
                self.events.push(event);
            }
        }
    }

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.card.millisecond();
            self.now = self.now.plus_millis(1);
            self.look();
        }
    }
    fn look(&mut self) {
        if self.board.wait(self.now, Duration::ZERO).unwrap()
            || self.now.as_millis().is_multiple_of(20)
        {
            self.board.service(self.now, &mut self.line).unwrap();
        }
        while let Some(event) = self.board.poll_event() {
            self.events.push(event);
        }
    }
    fn all_up(&mut self, why: &str) {
        self.run(1100);
        for port in 0..self.ports {
            let status = self.board.status(port);
            assert!(status.in_service && status.alarms.is_empty(), "{why}: port {port} {status:?}");
        }
    }
    /// Every value the events told of a channel, in order.
    fn told(&self, port: usize, channel: u8) -> Vec<u8> {
        let told = self.events.iter().filter_map(|event| match *event {
            BoardEvent::Bits { port: p, channel: c, abcd, .. } => {
                ((p, c) == (port, channel)).then_some(abcd)
            }
            _ => None,
        });
        told.collect()
    }
    /// Whether the last words about a port's bits were that nothing is known of them.
    fn told_unknown(&self, port: usize) -> bool {
        let last = self.events.iter().rev().find_map(|event| match *event {
            BoardEvent::Bits { port: p, .. } if p == port => Some(false),
            BoardEvent::BitsUnknown { port: p, .. } if p == port => Some(true),
            _ => None,
        });
        last == Some(true)
    }
    fn raised(&self, port: usize) -> Vec<Alarm> {
        let raised = self.events.iter().filter_map(|event| match *event {
            BoardEvent::Alarm { port: p, alarm, raised: true, .. } if p == port => Some(alarm),
            _ => None,
        });
        raised.collect()
    }
}

#[test]
fn every_channel_of_every_board_crosses_without_an_error_in_every_mode() {
    for model in layouts() {
        for mode in MODES {
            let mut bench = Bench::new(&model, mode);
            bench.all_up(&format!("{model:?} {mode:?}"));
            bench.line.forget();
            bench.run(200);
            // Both stamps say when a Block is on the line: what is between them is the cable.
            assert_eq!(bench.line.delay, Some(1), "{model:?} {mode:?}");
            let delay = if model.generation == 5 { 7 } else { 0 };
            assert_eq!(bench.board.transmit_delay_millis(), delay);
            for port in 0..bench.ports {
                assert_eq!(bench.line.bad[port], 0, "port {port} of {model:?} in {mode:?}");
                assert!(bench.line.compared[port] > 150);
            }
            assert_eq!(bench.board.stats().gaps, 0);
        }
    }
}

#[test]
fn signalling_bits_cross_both_ways_with_an_event_for_each_change() {
    for (model, mode) in layouts().iter().flat_map(|m| MODES.map(|mode| (*m, mode))) {
        if !mode.associated {
            continue;
        }
        let kept = if mode.framing == Framing::D4 { 0b1100 } else { 0b1111 };
        let mut bench = Bench::new(&model, mode);
        bench.all_up("before");
        // What is first heard is told once, nought or not: the lines rest.
        let rest = if mode.is_t1() { 0b0000 } else { 0b1001 };
        let mut last = [[rest; 32]; 8];
        for port in 0..bench.ports {
            for channel in bits::channels(mode.framing) {
                let expected: Vec<u8> =
                    mode.has_bits(channel).then_some(rest).into_iter().collect();
                assert_eq!(
                    bench.told(port, channel),
                    expected,
                    "{model:?} {mode:?} {port}/{channel}"
                );
            }
        }
        for round in 0..4_u8 {
            let pattern = |port: usize, channel: u8| {
                let mixed = channel.wrapping_mul(7) ^ (port as u8).wrapping_mul(3) ^ (round * 5);
                if mixed & 0xF == 0 { 0b0001 } else { mixed & 0xF }
            };
            for port in 0..bench.ports {
                for channel in bits::channels(mode.framing) {
                    if !mode.has_bits(channel) {
                        assert!(!bench.board.set_bits(port, channel, 1));
                        continue;
                    }
                    assert!(bench.board.set_bits(port, channel, pattern(port, channel)));
                }
            }
            bench.events.clear();
            bench.run(200);
            for (port, last) in last.iter_mut().enumerate().take(bench.ports) {
                for channel in bits::channels(mode.framing).filter(|&c| mode.has_bits(c)) {
                    let sent = pattern(port ^ 1, channel) & kept;
                    let heard = bench.board.bits(port, channel);
                    assert_eq!(heard, Some(sent), "{model:?} {mode:?} {port}/{channel}");
                    let before = &mut last[usize::from(channel)];
                    let expected: Vec<u8> = (*before != sent).then_some(sent).into_iter().collect();
                    *before = sent;
                    let told = bench.told(port, channel);
                    assert_eq!(told, expected, "{model:?} {mode:?} {port}/{channel}");
                }
            }
            assert_eq!(bench.board.stats().events_lost, 0);
        }
        assert!(!bench.board.set_bits(0, 32, 0) && !bench.board.set_bits(8, 1, 1));
    }
}

/// The register map has no set-up of a J1 beside an E1: it is refused, not guessed.
#[test]
fn a_j1_beside_an_e1_is_refused() {
    let (bus, _card) = in_process(emulator::Board::new(&model::TE410P_GEN5, 1).unwrap());
    let mut settings = Settings::quad(2, Mode { j1: true, ..Mode::t1() });
    settings.ports[0] = Settings::quad(1, Mode::e1(true)).ports[0];
    let refused = Board::start(bus, settings, Instant::seconds(1));
    assert!(matches!(refused, Err(driver::BoardError::MixedJ1)));
}

/// What each fault of a line raises on it, and on the other end of the cable.
fn line_faults(mode: Mode) -> Vec<(Fault, Option<Alarm>, Option<Alarm>)> {
    let far = Some(Alarm::RemoteAlarm);
    let mut all = vec![
        (Fault::LossOfSignal, Some(Alarm::LossOfSignal), far),
        (Fault::LossOfFrame, Some(Alarm::LossOfFrame), far),
        (Fault::AlarmIndication, Some(Alarm::AlarmIndication), far),
        (Fault::RemoteAlarm, far, None),
        (Fault::Cut, Some(Alarm::LossOfSignal), Some(Alarm::LossOfSignal)),
        (Fault::BitErrors(1e-4), None, None),
        (Fault::Slip, None, None),
        (Fault::SlipSkipped, None, None),
    ];
    if mode.has_crc4() {
        all.push((Fault::NoMultiframe, None, None));
        all.push((Fault::CrcErrors(50), None, None));
    }
    if mode.associated && !mode.is_t1() {
        let [lost, remote] = [Alarm::MultiframeLost, Alarm::MultiframeRemote].map(Some);
        all.push((Fault::DeadTimeslot16, lost, remote));
        all.push((Fault::MultiframeAlarm, remote, None));
    }
    all
}

#[test]
fn every_fault_of_a_line_on_every_layout_is_told_and_leaves_the_others_alone() {
    for model in layouts() {
        for mode in SERVED {
            let mut bench = Bench::new(&model, mode);
            bench.all_up("before");
            for (fault, here, there) in line_faults(mode) {
                let port = bench.ports - 1;
                let before = bench.counted(port);
                bench.events.clear();
                bench.card.with(|card| card.inject(port, fault));
                bench.run(1000);
                let what = format!("{fault:?} on {model:?}");
                assert_eq!(bench.raised(port), here.into_iter().collect::<Vec<_>>(), "{what}");
                // Who does not hear our frames hears no multiframe either, and says so too.
                let too = (mode.associated && !mode.is_t1() && there == Some(Alarm::RemoteAlarm))
                    .then_some(Alarm::MultiframeRemote);
                let there: Vec<_> = there.into_iter().chain(too).collect();
                assert_eq!(bench.raised(port ^ 1), there, "{what}");
                let dead = here.is_some_and(|alarm| alarm != Alarm::RemoteAlarm);
                assert_eq!(bench.board.status(port).in_service, !dead, "{what}");
                let deaf = matches!(
                    fault,
                    Fault::LossOfSignal
                        | Fault::LossOfFrame
                        | Fault::AlarmIndication
                        | Fault::Cut
                        | Fault::DeadTimeslot16
                );
                if mode.associated {
                    let known = bench.board.bits(port, 1).is_some();
                    assert_eq!((known, bench.told_unknown(port)), (!deaf, deaf), "{what}");
                }
                for other in 0..bench.ports - 2 {
                    assert_eq!(bench.raised(other), [], "{what}: port {other}");
                    assert!(bench.board.status(other).in_service);
                }
                bench.card.with(|card| card.repair(port));
                bench.all_up(&what);
                // The second that was running is read as well.
                bench.run(300);
                judge_counters(fault, mode, before, bench.counted(port), &what);
                assert!(!bench.board.crc4_missing(port), "{what}");
                if mode.associated && deaf {
                    assert_eq!(bench.told(port, 1).len(), 1, "{what}: told anew");
                }
            }
        }
    }
}

/// What a fault of a second leaves in the counters: that, and nothing besides.
fn judge_counters(fault: Fault, mode: Mode, before: Counters, after: Counters, what: &str) {
    let slips = after.slips - before.slips;
    let crc = after.crc_errors - before.crc_errors;
    let code = after.code_violations - before.code_violations;
    let frames = after.frame_errors - before.frame_errors;
    match fault {
        Fault::Slip | Fault::SlipSkipped => {
            assert_eq!((slips, crc, code, frames), (1, 0, 0, 0), "{what}")
        }
        Fault::CrcErrors(a_second) => {
            assert_eq!(crc, a_second.into(), "{what}");
            assert_eq!((slips, code, frames), (0, 0, 0), "{what}");
        }
        // 1e-4 of two million bits is two hundred; seven of 512 stand in a frame alignment signal.
        Fault::BitErrors(_) => {
            assert!((60..=300).contains(&code), "{what}: {code}");
            assert!(frames <= 10, "{what}: {frames}");
            assert_eq!(crc > 20, mode.has_crc4(), "{what}: {crc}");
            assert_eq!(slips, 0, "{what}");
        }
        _ => assert_eq!((slips, crc, code), (0, 0, 0), "{what}"),
    }
}

#[test]
fn every_fault_of_a_board_on_every_layout_ends_without_a_restart() {
    for (model, mode) in layouts().iter().flat_map(|m| SERVED.map(|mode| (*m, mode))) {
        let mut bench = Bench::new(&model, mode);
        bench.all_up("before");
        for fault in [
            BoardFault::MissedInterrupts(3),
            BoardFault::MissedInterrupts(300),
            BoardFault::FrozenClock,
            BoardFault::DmaStopped,
        ] {
            bench.events.clear();
            let before = bench.board.stats();
            bench.card.with(|card| card.fail(fault));
            bench.run(1500);
            let stalled = bench.events.iter().any(|e| matches!(e, BoardEvent::Stalled { .. }));
            let stands = matches!(fault, BoardFault::FrozenClock | BoardFault::DmaStopped);
            assert_eq!(stalled, stands, "{fault:?} on {model:?}");
            bench.card.with(emulator::Board::heal);
            bench.all_up(&format!("{fault:?} on {model:?}"));
            let resumed = bench.events.iter().any(|e| matches!(e, BoardEvent::Resumed { .. }));
            assert_eq!(resumed, stands);
            let stats = bench.board.stats();
            let gaps = stats.gaps - before.gaps;
            // A ring of eight spares three ticks; one buffer spares none. What is lost is told.
            let loses = match fault {
                BoardFault::MissedInterrupts(3) => model.generation < 5,
                BoardFault::MissedInterrupts(_) => true,
                _ => false,
            };
            assert_eq!(gaps > 0, loses, "{fault:?} on {model:?}: {gaps} gaps");
            bench.line.forget();
            bench.run(100);
            assert_eq!(bench.line.bad, [0; 8], "{fault:?} on {model:?}");
        }
    }
}

#[test]
fn a_pulled_board_is_gone_on_every_layout_and_says_so_once() {
    for (model, mode) in layouts().iter().flat_map(|m| SERVED.map(|mode| (*m, mode))) {
        let mut bench = Bench::new(&model, mode);
        bench.all_up("before");
        bench.run(1200);
        bench.events.clear();
        bench.card.with(|card| card.fail(BoardFault::Pulled));
        bench.card.millisecond();
        let now = bench.now.plus_millis(20);
        assert!(bench.board.service(now, &mut bench.line).is_err());
        assert!(bench.board.service(now, &mut bench.line).is_err());
        while let Some(event) = bench.board.poll_event() {
            bench.events.push(event);
        }
        let gone = bench.events.iter().filter(|e| matches!(e, BoardEvent::Gone { .. })).count();
        assert_eq!(gone, 1, "{model:?}");
        for port in 0..bench.ports {
            assert_eq!(bench.raised(port), [Alarm::BoardGone], "{model:?}");
        }
        let seen = bench.board.performance(0).unwrap().quarter().seconds;
        assert!((1..=3).contains(&seen), "{seen} seconds");
        let mut bench = bench.plugged_back(30_000);
        bench.all_up(&format!("{model:?} in {mode:?}, plugged back"));
        bench.line.forget();
        bench.run(100);
        assert_eq!(bench.line.bad, [0; 8], "{model:?} in {mode:?}, plugged back");
        // The thirty seconds without the board were no seconds of service.
        let now = bench.board.performance(0).unwrap().quarter();
        assert!((29..=31).contains(&now.unavailable), "{now:?}");
        assert!(now.seconds >= seen + 30, "{now:?}");
    }
}

/// A board without GCR.VIS: its masks are opened, and everything is told as by one that has it.
#[test]
fn a_framer_that_shows_nothing_masked_is_served_by_its_interrupts() {
    for (model, mode) in [
        (model::TE410P_GEN5, Mode::e1(true)),
        (model::TE410P_GEN2, Mode::e1(false).with_bits()),
        (model::TE820, Mode::t1().with_bits()),
    ] {
        for budget in [8, 1] {
            let card = emulator::Board::new(&model, 1).unwrap().without_masked_causes();
            let mut bench = Bench::budgeted(card, mode, Debounce::DEMO, budget);
            bench.run(4000);
            bench.all_up("before");
            let what = format!("{model:?} {mode:?} {budget}");
            assert_eq!(bench.board.masked_causes_show(), Some(false), "{what}");
            let (before, seconds) = (bench.counted(1), bench.seconds(1));
            bench.card.with(|card| card.inject(1, Fault::Slip));
            bench.run(10_000);
            bench.card.with(|card| card.inject(1, Fault::SlipSkipped));
            bench.run(2000);
            assert_eq!(bench.counted(1).slips - before.slips, 2, "{what}");
            assert!((11..=13).contains(&(bench.seconds(1) - seconds)), "{what}");
            bench.events.clear();
            if mode.associated {
                assert!(bench.board.set_bits(0, 5, 0b0101));
                bench.run(100);
                assert_eq!(bench.told(1, 5), [0b0101], "{what}");
            }
            let stats = bench.board.stats();
            bench.run(1000);
            let more = bench.board.stats().interrupts - stats.interrupts;
            assert!((1000..1400).contains(&more), "{what}: {more} interrupts in 1000 ms");
            bench.line.forget();
            bench.run(200);
            assert_eq!(bench.line.bad, [0; 8], "{what}");
        }
    }
    let mut bench = Bench::new(&model::TE410P_GEN5, Mode::e1(true));
    bench.run(1500);
    assert_eq!(bench.board.masked_causes_show(), Some(true));
}

/// The board works, and its INTx line leads nowhere: said after a second, and that it is mended.
#[test]
fn milliseconds_without_their_interrupts_are_told() {
    for model in [model::TE410P_GEN5, model::TE410P_GEN2] {
        let mut bench = Bench::new(&model, Mode::e1(true));
        bench.all_up("before");
        let arrivals = |bench: &Bench| -> Vec<bool> {
            let told = bench.events.iter().filter_map(|event| match *event {
                BoardEvent::Interrupts { arrive, .. } => Some(arrive),
                _ => None,
            });
            told.collect()
        };
        assert!(bench.board.interrupts_arrive() && arrivals(&bench).is_empty());
        bench.card.with(|card| card.fail(BoardFault::DeadInterrupt));
        let before = bench.board.stats();
        // A thread whose interrupts stop looks all the same.
        bench.polled(4000);
        assert_eq!(arrivals(&bench), [false], "{model:?}");
        assert!(!bench.board.interrupts_arrive());
        let lost = bench.board.stats().lost_millis - before.lost_millis;
        // Before the ring, four milliseconds of five go while nobody looks.
        let expected = if model.generation < 5 { 3180..=3200 } else { 0..=0 };
        assert!(expected.contains(&lost), "{model:?}: {lost}");
        bench.card.with(emulator::Board::heal);
        bench.run(100);
        assert_eq!(arrivals(&bench), [false, true], "{model:?}");
        assert!(bench.board.interrupts_arrive());
    }
}

/// Seconds in which DMA stands are seconds, and those of a dead line.
#[test]
fn seconds_pass_while_the_board_stands_still() {
    let mut bench = Bench::new(&model::TE410P_GEN5, Mode::e1(true));
    bench.all_up("before");
    let before = bench.seconds(0);
    bench.card.with(|card| card.fail(BoardFault::FrozenClock));
    bench.run(20_000);
    bench.card.with(emulator::Board::heal);
    bench.all_up("after");
    let seen = bench.board.performance(0).unwrap();
    assert!((19..=22).contains(&(bench.seconds(0) - before)), "{:?}", seen.quarter());
    assert!((18..=22).contains(&seen.quarter().unavailable), "{:?}", seen.quarter());
}

/// A far end that begins to send CRC-4 is supervised from then on; its E bits tell of our errors.
#[test]
fn crc4_is_looked_for_again_and_e_bits_are_counted() {
    let mut bench = Bench::new(&model::TE410P_GEN5, Mode::e1(true));
    bench.card.with(|card| card.inject(1, Fault::NoMultiframe));
    bench.run(3000);
    assert!(bench.board.crc4_missing(1) && bench.board.status(1).in_service);
    bench.card.with(|card| card.repair(1));
    bench.run(500);
    assert!(!bench.board.crc4_missing(1));
    bench.card.with(|card| card.inject(1, Fault::CrcErrors(40)));
    bench.run(4000);
    let (near, far) = (bench.counted(1).crc_errors, bench.counted(0).far_errors);
    assert!((80..=160).contains(&near), "{near}");
    assert!(near.abs_diff(far) <= 45, "{near} here, {far} told there");
    assert_eq!((bench.counted(0).crc_errors, bench.counted(1).far_errors), (0, 0));
}

#[test]
fn loops_return_the_line_and_take_the_port_out_of_service() {
    for mode in [Mode::e1(true), Mode::t1()] {
        let mut bench = Bench::new(&model::TE410P_GEN5, mode);
        bench.all_up("before");
        assert_eq!(bench.board.clock_source(), Some(0));
        for loopback in [Loopback::Line, Loopback::Payload, Loopback::Local] {
            assert!(bench.board.set_loopback(1, loopback));
            bench.run(100);
            assert!(!bench.board.status(1).in_service, "{loopback:?}");
            // What port 0 hears of port 1 are now its own octets.
            let own = OwnBack { port: 0, good: 0, seen: 0 };
            let (good, seen) = hears_itself(&mut bench, own, loopback);
            assert!(seen > 50 && good == seen, "{loopback:?} in {mode:?}: {good} of {seen}");
            assert!(bench.board.set_loopback(1, Loopback::None));
            bench.all_up("after a loop");
        }
        assert!(!bench.board.set_loopback(7, Loopback::Line));
    }
}

/// Whether one port hears what it sent itself some milliseconds ago.
struct OwnBack {
    port: usize,
    good: u64,
    seen: u64,
}

impl Line for OwnBack {
    fn received(&mut self, port: usize, block: &Block) {
        if port != self.port {
            return;
        }
        self.seen += 1;
        let at = block.at.as_millis();
        let back = (0..20).any(|delay| {
            let sent = octets(port, 5, at.saturating_sub(delay));
            block.octets.iter().zip(sent).all(|(row, sent)| row[5] == sent)
        });
        self.good += u64::from(back);
    }
    fn transmit(&mut self, port: usize, block: &mut Block) {
        let at = block.at.as_millis();
        for (row, octet) in block.octets.iter_mut().zip(octets(port, 5, at)) {
            row[5] = octet;
        }
    }
}

fn hears_itself(bench: &mut Bench, mut own: OwnBack, loopback: Loopback) -> (u64, u64) {
    own.port = if loopback == Loopback::Local { 1 } else { 0 };
    for n in 0..130 {
        bench.card.millisecond();
        bench.now = bench.now.plus_millis(1);
        bench.board.wait(bench.now, Duration::ZERO).unwrap();
        bench.board.service(bench.now, &mut own).unwrap();
        if n == 30 {
            (own.good, own.seen) = (0, 0);
        }
    }
    (own.good, own.seen)
}

/// Signalling bits, eight ports, one buffer: the paths the ring of four spans does not take.
#[test]
fn a_millisecond_of_any_layout_leaves_the_heap_alone() {
    for (model, mode) in
        [(model::TE820, Mode::e1(true).with_bits()), (model::TE410P_GEN2, Mode::t1().with_bits())]
    {
        let mut bench = Bench::new(&model, mode);
        bench.events.reserve(100_000);
        bench.all_up("before");
        tdm::heap::without_heap(|| {
            for n in 0..600_u16 {
                bench.board.set_bits(0, (n % 24 + 1) as u8, n as u8 | 1);
                bench.run(1);
            }
            bench.card.with(|card| card.inject(1, Fault::LossOfSignal));
            bench.run(600);
        });
        assert!(bench.board.status(1).alarms.has(Alarm::LossOfSignal));
    }
}

#[test]
fn errored_seconds_are_counted_by_quarter_and_the_healthy_span_has_none() {
    let mut bench = Bench::new(&model::TE410P_GEN5, Mode::e1(true));
    bench.all_up("before");
    let before = bench.board.performance(3).unwrap().quarter();
    bench.card.with(|card| card.inject(3, Fault::BitErrors(1e-6)));
    bench.run(20_000);
    bench.card.with(|card| card.repair(3));
    bench.card.with(|card| card.inject(2, Fault::LossOfSignal));
    bench.run(15_000);
    let noisy = bench.board.performance(3).unwrap().quarter();
    assert!((10..=25).contains(&(noisy.errored - before.errored)), "{noisy:?}");
    let dead = bench.board.performance(2).unwrap();
    assert!(!dead.is_available(), "{:?}", dead.quarter());
    assert!((13..=16).contains(&dead.quarter().unavailable), "{:?}", dead.quarter());
    let healthy = bench.board.performance(0).unwrap().quarter();
    assert_eq!((healthy.errored, healthy.unavailable), (0, 0));
    assert!(healthy.seconds >= 34, "{healthy:?}");
}
