//! The board itself fails: pulled, frozen, hung.

use core::cell::RefCell;
use core::time::Duration;

use bus::{Bus, DmaRegion, Readable, Reg, Space, Word, Writable};
use driver::{Board, BoardError, BoardEvent};
use emulator::BoardFault;
use tdm::{Alarm, Rng};

use crate::bench::{Bench, PORTS, Prover, Slot, looped_card, settings};

#[test]
fn a_pulled_board_is_gone_on_every_port_and_comes_back_with_a_new_start() {
    let mut bench = Bench::looped(settings());
    let mut prover = Prover::looped(0);
    bench.run(1000, &mut prover);
    bench.events.clear();
    bench.card.with(|card| card.fail(BoardFault::Pulled));
    bench.pass();
    let gone = bench.board.service(bench.now, &mut prover);
    assert!(matches!(gone, Err(BoardError::Gone { .. })), "{gone:?}");
    assert!(bench.board.wait(bench.now, Duration::ZERO).is_err());
    bench.collect();
    for port in 0..PORTS {
        let status = bench.board.status(port);
        assert!(status.alarms.has(Alarm::BoardGone) && !status.in_service);
        let (at, alarm) = (bench.now, Alarm::BoardGone);
        let told = BoardEvent::Alarm { port, alarm, raised: true, at };
        assert!(bench.events.contains(&told), "{:?}", bench.events);
    }

    bench.card.with(emulator::Board::heal);
    let bus = bench.card.plug();
    let begin = bench.board.sample_time();
    let mut bench = Bench::on(bus, bench.card, driver::Settings { begin, ..settings() });
    prover.compare_from = begin.as_millis() + 50;
    bench.run(1000, &mut prover);
    assert!((0..PORTS).all(|port| bench.board.status(port).in_service));
    assert_eq!(prover.bad, [0; PORTS]);
}

#[test]
fn a_board_whose_clock_stands_still_is_stalled_then_resumes_without_a_gap() {
    let mut bench = Bench::looped(settings());
    let mut prover = Prover::looped(0);
    bench.run(1000, &mut prover);
    bench.events.clear();
    bench.card.with(|card| card.fail(BoardFault::FrozenClock));
    let frozen = bench.now;
    for n in 0..3000 {
        bench.pass();
        if n % 10 == 9 {
            bench.board.service(bench.now, &mut prover).unwrap();
        }
    }
    bench.collect();
    let stalled = bench.events.iter().find_map(|event| match event {
        BoardEvent::Stalled { at } => Some(at.millis_since(frozen)),
        _ => None,
    });
    assert!(matches!(stalled, Some(1000..=1010)), "{stalled:?}");
    assert!((0..PORTS).all(|port| !bench.board.status(port).in_service));
    bench.card.with(emulator::Board::heal);
    bench.run(500, &mut prover);
    assert!(bench.events.iter().any(|event| matches!(event, BoardEvent::Resumed { .. })));
    assert!((0..PORTS).all(|port| bench.board.status(port).in_service));
    let stats = bench.board.stats();
    assert_eq!((stats.gaps, stats.missed, prover.bad), (0, 0, [0; PORTS]));
}

#[test]
fn a_board_that_only_seemed_gone_is_stopped_all_the_same() {
    let mut prover = Prover::looped(0);
    let (bus, card) = looped_card();
    let mut bench = Bench::on(bus::Break::never(bus), card, settings());
    bench.board.bus().after(0, bus::Failure::AllOnes);
    bench.pass();
    assert!(bench.board.service(bench.now, &mut prover).is_err());
    bench.board.bus().after(u64::MAX, bus::Failure::AllOnes);
    drop(bench.board);
    assert!(!bench.card.with(|card| card.is_running()));
}

/// The whole machine slept, or both processes starved together: nothing was lost, and no gap is claimed.
#[test]
fn host_and_board_that_slept_together_lose_nothing() {
    for (slept, passed) in [(200, 1), (700, 4), (100_000, 3), (130, 6)] {
        let mut bench = Bench::looped(settings());
        let mut prover = Prover::looped(0);
        bench.run(1000, &mut prover);
        bench.now = bench.now.plus_millis(slept);
        for _ in 0..passed {
            bench.pass();
        }
        assert!(bench.serve(&mut prover));
        bench.run(500, &mut prover);
        let stats = bench.board.stats();
        assert_eq!(
            (prover.bad, stats.gaps, stats.served),
            ([0; PORTS], 0, 1500 + passed),
            "{slept}"
        );
    }
}

#[test]
fn a_board_that_goes_during_start_is_refused_and_nothing_hangs() {
    for after in (0..1500).step_by(37) {
        for how in [bus::Failure::Gone, bus::Failure::AllOnes] {
            let (slot, card) = looped_card();
            let broken = bus::Break::never(slot);
            broken.after(after, how);
            let now = tdm::Instant::seconds(1);
            match Board::start(broken, settings(), now) {
                Err(_) => {}
                // All ones are no refusal of a write: the first look finds out.
                Ok(mut board) => {
                    assert!(board.look(now).is_err() || !board.bus().is_broken(), "after {after}");
                }
            }
            assert_eq!(card.dma_refused(), 0);
        }
    }
}

/// A board whose registers show anything, some of the time.
struct Mad {
    slot: Slot,
    rng: RefCell<Rng>,
    mad: core::cell::Cell<bool>,
}

impl Bus for Mad {
    fn read<W: Word, A: Readable>(&self, space: Space, reg: &Reg<W, A>) -> bus::Result<W> {
        let value = self.slot.read(space, reg)?;
        let mut rng = self.rng.borrow_mut();
        let any = rng.next_u64() as u32;
        // All ones mean that it is gone; a mad board is still there.
        let any = if any == u32::MAX { 0 } else { any };
        Ok(if self.mad.get() && rng.chance(0.5) { W::from_u32(any) } else { value })
    }
    fn write<W: Word, A: Writable>(&self, space: Space, reg: &Reg<W, A>, to: W) -> bus::Result<()> {
        self.slot.write(space, reg, to)
    }
    fn dma(&self, octets: usize) -> bus::Result<DmaRegion> {
        self.slot.dma(octets)
    }
    fn wait(&mut self, timeout: Duration) -> bus::Result<bool> {
        self.slot.wait(timeout)
    }
    fn unmask(&mut self) -> bus::Result<()> {
        self.slot.unmask()
    }
}

#[test]
fn arbitrary_registers_neither_stop_the_service_nor_outlast_their_cause() {
    for seed in 0..8 {
        let (slot, card) = looped_card();
        let rng = RefCell::new(Rng::from_seed(seed));
        let mut bench = Bench::on(Mad { slot, rng, mad: false.into() }, card, settings());
        let mut prover = Prover { compare_from: u64::MAX, ..Prover::looped(0) };
        bench.run(500, &mut prover);
        bench.board.bus().mad.set(true);
        for _ in 0..20_000 {
            bench.pass();
            bench.board.service(bench.now, &mut prover).unwrap();
            bench.collect();
            bench.events.clear();
        }
        bench.board.bus().mad.set(false);
        bench.run(3000, &mut prover);
        let before = bench.board.stats();
        bench.run(1000, &mut prover);
        let after = bench.board.stats();
        assert_eq!((after.served - before.served, after.gaps), (1000, before.gaps), "seed {seed}");
        assert!((0..PORTS).all(|port| bench.board.status(port).in_service), "seed {seed}");
    }
}
