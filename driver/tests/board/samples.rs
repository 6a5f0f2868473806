//! Samples cross, and what does not cross is counted.

use bus::Break;
use driver::{BoardEvent, Settings, Stats};
use emulator::{BoardFault, Link, Lockstep};
use tdm::heap::without_heap;

use crate::bench::{Bench, PORTS, Prover, lockstep, settings};

#[test]
fn four_looped_spans_carry_ten_minutes_without_a_bad_octet_in_lockstep() {
    const MILLIS: u64 = 600_000;
    let mut bench = Bench::looped(lockstep());
    let mut prover = Prover::looped(0);
    for _ in 0..MILLIS {
        bench.millisecond(&mut prover);
        assert!(bench.card.with(|card| card.tick_taken(Lockstep::Served)));
    }
    assert_eq!(prover.bad, [0; PORTS]);
    assert_eq!(prover.compared, [MILLIS - prover.compare_from; PORTS]);
    let Stats { served, missed, gaps, empty, realigned, .. } = bench.board.stats();
    assert_eq!((served, missed, gaps, empty, realigned), (MILLIS, 0, 0, 0, 0));
    assert_eq!(bench.card.dma_refused(), 0);
    for port in 0..PORTS {
        let status = bench.board.status(port);
        assert!(status.in_service && status.alarms.is_empty(), "{status:?}");
        assert_eq!((status.crc_errors, status.frame_errors, status.slips), (0, 0, 0));
    }
}

/// Loops hide every error that is the same both ways: swapped ports, moved slots. Crossed ports do not.
#[test]
fn crossed_spans_hear_each_other_and_nobody_else() {
    let mut bench = Bench::looped(settings());
    bench.card.with(|card| {
        for (a, b) in [(0, 2), (1, 3)] {
            let (near, far) = Link::pair();
            assert!(card.plug(a, Box::new(near)) && card.plug(b, Box::new(far)));
        }
    });
    let mut prover = Prover { peers: [2, 3, 0, 1], ..Prover::looped(1) };
    bench.run(2000, &mut prover);
    assert_eq!(prover.bad, [0; PORTS]);
    assert_eq!(prover.compared, [2000 - prover.compare_from; PORTS]);
}

#[test]
fn the_millisecond_leaves_the_heap_alone() {
    for settings in [settings(), lockstep()] {
        let mut bench = Bench::looped(settings);
        let mut prover = Prover::looped(0);
        bench.run(500, &mut prover);
        without_heap(|| bench.run(3000, &mut prover));
        assert_eq!(prover.bad, [0; PORTS]);
    }
}

#[test]
fn missed_interrupts_within_the_ring_lose_nothing() {
    for ring in [4, 8, 32] {
        let mut bench = Bench::looped(Settings { ring, ..settings() });
        let mut prover = Prover::looped(0);
        bench.run(100, &mut prover);
        // One tick is served by its own interrupt, so the ring's spare is two less than its buffers.
        let late = u32::from(ring) - 3;
        for _ in 0..20 {
            bench.card.with(|card| card.fail(BoardFault::MissedInterrupts(late)));
            bench.run(u64::from(late) + 10, &mut prover);
        }
        let stats = bench.board.stats();
        assert_eq!(prover.bad, [0; PORTS], "ring of {ring}");
        assert_eq!((stats.missed, stats.gaps), (20 * u64::from(late), 0), "ring of {ring}");
    }
}

#[test]
fn a_host_that_slept_counts_one_gap_with_its_length_and_goes_on() {
    for (ring, slept) in [(8, 7), (8, 20), (8, 500), (32, 200), (32, 5000), (127, 300)] {
        let mut bench = Bench::looped(Settings { ring, ..settings() });
        let mut prover = Prover::looped(0);
        bench.run(300, &mut prover);
        bench.collect();
        bench.events.clear();
        for _ in 0..slept {
            bench.pass();
        }
        assert!(bench.serve(&mut prover));
        let lost = slept - (u64::from(ring) - 2);
        let at = bench.now;
        assert!(bench.events.contains(&BoardEvent::Gap { millis: lost, at }), "{:?}", bench.events);
        let stats = bench.board.stats();
        assert_eq!((stats.gaps, stats.lost_millis, stats.missed), (1, lost, slept - 1));
        // What was in the ring while the host slept was sent over and over; then all is well again.
        bench.run(u64::from(ring), &mut prover);
        prover.bad = [0; PORTS];
        bench.run(300, &mut prover);
        assert_eq!(prover.bad, [0; PORTS], "ring of {ring} after {slept} ms");
        assert_eq!(bench.board.stats().gaps, 1);
        assert_eq!(prover.last_received, Some(300 + slept + u64::from(ring) + 300 - 1));
    }
}

#[test]
fn an_empty_interrupt_is_counted_and_nothing_else() {
    let mut bench = Bench::looped(settings());
    let mut prover = Prover::looped(0);
    for _ in 0..100 {
        bench.millisecond(&mut prover);
        // The next tick fires, and a look without its interrupt serves it: the interrupt finds nothing.
        bench.pass();
        bench.board.service(bench.now, &mut prover).unwrap();
        assert!(bench.serve(&mut prover));
        assert!(!bench.serve(&mut prover));
    }
    let stats = bench.board.stats();
    assert_eq!((stats.empty, stats.interrupts, stats.served), (100, 200, 200));
    assert_eq!((prover.bad, stats.missed), ([0; PORTS], 0));
}

/// Generation 5 needs no interrupt at all: ident and index can be read at any time.
#[test]
fn a_board_whose_interrupt_never_comes_can_be_polled() {
    let mut bench = Bench::looped(settings());
    bench.card.with(|card| card.fail(BoardFault::MissedInterrupts(u32::MAX)));
    let mut prover = Prover::looped(0);
    for n in 0..3000 {
        bench.pass();
        if n % 5 == 4 {
            bench.board.service(bench.now, &mut prover).unwrap();
        }
    }
    assert_eq!((prover.bad, bench.board.stats().gaps), ([0; PORTS], 0));
    assert_eq!(bench.board.stats().served, 3000);
}

#[test]
fn a_started_board_begins_at_zero_and_one_started_again_where_it_is_told() {
    let mut bench = Bench::looped(settings());
    let mut prover = Prover::looped(0);
    bench.run(333, &mut prover);
    assert_eq!(prover.last_received, Some(332));
    let reached = bench.board.sample_time();
    assert_eq!(reached.as_millis(), 333);
    bench.board.stop().unwrap();
    assert!(!bench.card.with(|card| card.is_running()));
    drop(bench.board);

    let bus = bench.card.plug();
    let again = Settings { begin: reached, ..settings() };
    let mut bench = Bench::on(bus, bench.card, again);
    prover.compare_from = reached.as_millis() + 50;
    bench.run(100, &mut prover);
    assert_eq!(prover.last_received, Some(432));
    assert_eq!(prover.bad, [0; PORTS]);
}

/// Every single access may be the one at which the board disappears.
#[test]
fn a_board_that_goes_at_any_access_of_its_service_is_reported_once() {
    for after in 0..200 {
        let (bus, card) = crate::bench::looped_card();
        let mut bench = Bench::on(Break::never(bus), card, settings());
        let mut prover = Prover::looped(0);
        bench.run(600, &mut prover);
        bench.events.clear();
        let how = if after % 2 == 0 { bus::Failure::Gone } else { bus::Failure::AllOnes };
        bench.board.bus().after(after, how);
        let mut failed = 0;
        for _ in 0..200 {
            bench.pass();
            // The thread of a board whose interrupts stop looks all the same.
            let waited = bench.board.wait(bench.now, core::time::Duration::ZERO).map(drop);
            let served = bench.board.service(bench.now, &mut prover).map(drop);
            failed += u64::from(waited.is_err() || served.is_err());
        }
        bench.collect();
        let gone = bench.events.iter().filter(|e| matches!(e, BoardEvent::Gone { .. })).count();
        assert!(failed > 100 && gone == 1, "after {after}: {failed}, {gone}");
        let alarms = bench.events.iter().filter(|event| {
            matches!(event, BoardEvent::Alarm { alarm: tdm::Alarm::BoardGone, raised: true, .. })
        });
        assert_eq!(alarms.count(), PORTS, "after {after}");
        assert!((0..PORTS).all(|port| !bench.board.status(port).in_service));
    }
}
