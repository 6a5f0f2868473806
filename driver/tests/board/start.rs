//! What reaches the board when it starts, and what is refused.

use bus::{Access, Bus, Delay, Space, Trace, in_process};
use driver::framer::Mode;
use driver::{Board, BoardError, Settings, probe};
use firmware_headers::{model, wct4xxp as regs};
use tdm::Instant;

use crate::bench::{Bench, Prover, looped_card, settings};

/// Every identity of the family that is driven, with all of its ports.
#[test]
fn every_board_from_the_second_generation_on_starts_and_the_first_is_refused_by_name() {
    for model in model::MODELS.iter().filter(|model| model.generation > 1) {
        let (bus, _card) = in_process(emulator::Board::new(model, 1).unwrap());
        let settings = Settings::quad(model.spans.into(), Mode::e1(true));
        let board = Board::start(bus, settings, Instant::seconds(1));
        let board = board.unwrap_or_else(|error| panic!("{model:?}: {error}"));
        assert_eq!(board.has_echo_module(), Some(false), "{model:?}");
        assert_eq!(board.unknown_silicon(), None, "{model:?}");
    }
    assert!(started_on(&model::MODELS[0]).is_err());
}

fn started_on(model: &model::Model) -> Result<(), BoardError> {
    // No such board is emulated: its identity alone answers.
    let (bus, _card) = in_process(Claims(*model));
    Board::start(bus, settings(), Instant::seconds(1)).map(drop)
}

/// A function that has the identity of a board and nothing else.
struct Claims(model::Model);

impl bus::Device for Claims {
    fn read(&mut self, space: Space, offset: u32, _: u8) -> u32 {
        match (space, offset) {
            (Space::Config, 0) => self.0.vendor.into(),
            (Space::Config, 2) => self.0.device.into(),
            (Space::Bar0, at) if at == regs::VERSION.offset => regs::VERSION_FAMILY,
            _ => 0,
        }
    }
    fn write(&mut self, _: Space, _: u32, _: u8, _: u32) {}
    fn interrupt(&self) -> bool {
        false
    }
    fn millisecond(&mut self, _: &dyn bus::HostMemory) {}
    fn bar0_octets(&self) -> u32 {
        128
    }
    fn reset(&mut self) {}
}

#[test]
fn probing_tells_image_jumpers_and_switch() {
    let board = emulator::Board::new(&model::TE405P_GEN5, 1).unwrap().with_switch(9);
    let (bus, _card) = in_process(board);
    let identity = probe(&bus).unwrap();
    assert_eq!(identity.model, model::TE405P_GEN5);
    assert_eq!((identity.switch, identity.e1_jumpers), (9, 0xF));
    assert_eq!(identity.version >> 16, 0xC01A);
}

#[test]
fn settings_that_cannot_be_are_refused_with_their_limits() {
    let refused = |settings: Settings| {
        let (bus, _card) = looped_card();
        match Board::start(bus, settings, Instant::seconds(1)) {
            Err(BoardError::Setting { value, low, high, .. }) => (value, low, high),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it started"),
        }
    };
    assert_eq!(refused(Settings { ring: 3, ..settings() }), (3, 4, 127));
    assert_eq!(refused(Settings { ring: 128, ..settings() }), (128, 4, 127));
    assert_eq!(refused(Settings { framer_budget: 0, ..settings() }), (0, 1, 64));
    let mut five = settings();
    five.ports[4] = five.ports[0];
    assert_eq!(refused(five), (4, 0, 3));
}

fn board_write(access: &Access) -> Option<(u32, u32)> {
    (access.write && access.space == Space::Bar0).then_some((access.offset, access.value))
}

#[test]
fn every_board_write_of_the_start_is_followed_by_a_read_of_version() {
    let (bus, card) = looped_card();
    let bench = Bench::on(Trace::new(bus, 100_000), card, settings());
    let trace = bench.board.bus().taken();
    let bar0: Vec<_> = trace.iter().filter(|access| access.space == Space::Bar0).collect();
    assert!(bar0.len() > 1000);
    for pair in bar0.windows(2) {
        let [first, second] = pair else { continue };
        if first.write {
            assert!(!second.write && second.offset == regs::VERSION.offset, "{first:?} {second:?}");
        }
    }
}

/// Rest, addresses and framer reset come first; the run bits come last, behind RING and INTR.
#[test]
fn the_start_has_the_order_of_the_register_map() {
    let (bus, card) = looped_card();
    let bench = Bench::on(Trace::new(bus, 100_000), card, settings());
    let trace = bench.board.bus().taken();
    let local = [regs::LADDR.offset, regs::LDATA.offset];
    let writes: Vec<_> =
        trace.iter().filter_map(board_write).filter(|(at, _)| !local.contains(at)).collect();
    let base = writes[3].1;
    let mut expected = vec![
        (regs::DMACTRL.offset, 0),
        (regs::LEDS.offset, 0),
        (regs::RDADDR.offset, base + 8 * 1024),
        (regs::WRADDR.offset, base),
    ];
    expected.extend((0..128).map(|slot| (regs::DMACTRL.offset, 0x4000 | slot << 7)));
    expected.extend([
        (regs::DMACTRL.offset, 0),
        (regs::INTR.offset, 0),
        (regs::LEDS.offset, 0xFF),
        (regs::LEDS.offset, 0x1000),
        (regs::GPIO.offset, 0),
        (regs::GPIOCTL.offset, 0x0002_0000),
        (regs::GPIOCTL.offset, 0x0002_00FF),
        // The echo canceller module is asked for.
        (regs::GPIOCTL.offset, 0x0102_00FF),
        (regs::GPIOCTL.offset, 0x0002_00FF),
        (regs::DMACTRL.offset, 0),
        (regs::RING.offset, 0x0001_0008),
        (regs::INTR.offset, 0x0C),
        (regs::DMACTRL.offset, 0xC000_0000),
    ]);
    assert_eq!(writes, expected);
}

/// A quiet millisecond costs the bus INTR, RING and the acknowledge; a framer access seven or eight more.
#[test]
fn a_millisecond_touches_intr_and_ring_and_the_framer_within_its_budget() {
    for budget in [1, 8] {
        let (bus, card) = looped_card();
        let settings = Settings { framer_budget: budget, ..settings() };
        let mut bench = Bench::on(Trace::new(bus, 100_000), card, settings);
        let mut prover = Prover::looped(0);
        bench.run(1000, &mut prover);
        bench.board.bus().taken();
        let mut quiet = 0;
        for _ in 0..1000 {
            let before = bench.board.stats().framer_accesses;
            bench.millisecond(&mut prover);
            let framer = bench.board.stats().framer_accesses - before;
            let accesses = bench.board.bus().taken();
            assert!(framer <= u64::from(budget));
            assert!(accesses.len() as u64 <= 3 + 10 * framer, "{framer}: {accesses:?}");
            if framer == 0 {
                quiet += 1;
                let offsets: Vec<_> = accesses.iter().map(|a| (a.offset, a.write)).collect();
                let (intr, ring) = (regs::INTR.offset, regs::RING.offset);
                assert_eq!(offsets, [(intr, false), (ring, false), (intr, true)]);
            }
        }
        assert!(quiet > 700, "{quiet} quiet milliseconds with a budget of {budget}");
    }
}

/// What the framer's signalling registers hold after a reset is not known: each one that is sent is written before the
/// board runs.
#[test]
fn every_signalling_register_that_is_sent_is_written_at_the_start() {
    let framings = [(Mode::e1(true), 16, 0x99), (Mode::t1(), 12, 0x00)];
    let d4 = Mode { framing: driver::framer::Framing::D4, ..Mode::t1() };
    for (mode, registers, idle) in framings.into_iter().chain([(d4, 12, 0x00)]) {
        let (bus, card) = looped_card();
        let settings = Settings::quad(4, mode.with_bits());
        let bench = Bench::on(Trace::new(bus, 100_000), card, settings);
        let (mut data, mut written) = (0, Vec::new());
        for (at, value) in bench.board.bus().taken().iter().filter_map(board_write) {
            if at == regs::LDATA.offset {
                data = value;
            }
            let framer = regs::LADDR_FRAMER | regs::LADDR_WRITE;
            if at == regs::LADDR.offset && value & framer == framer && value & 0xF0 == 0x70 {
                written.push((value >> 8 & 3, value & 0xF, data));
            }
        }
        let word = |register| if !mode.is_t1() && register == 0 { 0x0B } else { idle };
        let expected: Vec<_> = (0..4)
            .flat_map(|port| (0..registers).map(move |register| (port, register, word(register))))
            .collect();
        assert_eq!(written, expected, "{mode:?}");
    }
}

#[test]
fn a_stopped_board_is_left_at_rest() {
    let mut bench = Bench::looped(settings());
    bench.run(100, &mut Prover::looped(0));
    bench.board.stop().unwrap();
    bench.board.stop().unwrap();
    let bus = bench.board.bus();
    for reg in [regs::DMACTRL, regs::RDADDR, regs::WRADDR, regs::GPIO] {
        assert_eq!(bus.read(Space::Bar0, &reg).unwrap(), 0, "{reg:?}");
    }
    assert!(bench.board.service(bench.now, &mut Prover::looped(0)).is_err());
}

#[test]
fn a_dropped_board_is_stopped_before_its_memory_goes() {
    let mut bench = Bench::looped(settings());
    bench.run(100, &mut Prover::looped(0));
    let card = bench.card.clone();
    drop(bench.board);
    assert!(!card.with(|card| card.is_running()));
    card.millisecond();
    assert_eq!(card.dma_refused(), 0);
}

/// A message to another process takes 20 to 30 µs: with a budget of one framer access the worst
/// millisecond leaves more than half of itself, also while lines fail and recover.
#[test]
fn over_a_socket_no_millisecond_costs_half_of_itself() {
    let (bus, card) = looped_card();
    let settings = Settings { framer_budget: 1, ..settings() };
    let mut bench = Bench::on(Delay::new(bus, 30_000), card, settings);
    let mut prover = Prover::looped(0);
    bench.board.bus().take_spent();
    let mut worst = core::time::Duration::ZERO;
    for n in 0..4000 {
        match n {
            1000 => bench.card.with(|card| {
                assert!((0..4).all(|port| card.inject(port, emulator::Fault::LossOfSignal)));
            }),
            2000 => bench.card.with(|card| assert!((0..4).all(|port| card.repair(port)))),
            _ => {}
        }
        bench.millisecond(&mut prover);
        worst = worst.max(bench.board.bus().take_spent());
    }
    assert!(worst.as_micros() <= 500, "{worst:?}");
    assert!((0..4).all(|port| bench.board.status(port).in_service));
}
