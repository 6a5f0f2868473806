//! Lines fail and recover; the board's clock follows.

use driver::framer::Mode;
use driver::{BoardEvent, PortSettings, Settings, span::Debounce};
use emulator::{Fault, Link};
use tdm::{Alarm, Instant};

use crate::bench::{Bench, PORTS, Prover, settings};

/// Milliseconds a decision may come after its time: a poll of 50 ms and its place in the queue.
const POLL_MILLIS: u64 = 60;

/// When `wanted` happened, in milliseconds since `since`.
fn when(
    bench: &Bench,
    since: Instant,
    wanted: impl Fn(&BoardEvent) -> Option<Instant>,
) -> Vec<u64> {
    bench.events.iter().filter_map(wanted).map(|at| at.millis_since(since)).collect()
}

fn alarm_at(port: usize, alarm: Alarm, raised: bool) -> impl Fn(&BoardEvent) -> Option<Instant> {
    move |event| match *event {
        BoardEvent::Alarm { port: p, alarm: a, raised: r, at }
            if (p, a, r) == (port, alarm, raised) =>
        {
            Some(at)
        }
        _ => None,
    }
}

fn service_at(port: usize, wanted: bool) -> impl Fn(&BoardEvent) -> Option<Instant> {
    move |event| match *event {
        BoardEvent::InService { port: p, on, at } if (p, on) == (port, wanted) => Some(at),
        _ => None,
    }
}

#[track_caller]
fn assert_once_within(seen: &[u64], from: u64, until: u64) {
    assert!(matches!(seen, [at] if (from..=until).contains(at)), "{seen:?}, not {from}..={until}");
}

#[test]
fn looped_spans_are_in_service_a_quarter_of_a_second_after_start() {
    let mut bench = Bench::looped(settings());
    let start = bench.now;
    bench.run(1000, &mut Prover::looped(0));
    for port in 0..PORTS {
        assert_once_within(&when(&bench, start, service_at(port, true)), 250, 350);
        assert!(bench.board.status(port).alarms.is_empty());
    }
}

#[test]
fn each_fault_of_a_line_raises_its_alarm_in_time_and_only_on_its_port() {
    let slow = Debounce::default();
    for (timing, port) in [(Debounce::DEMO, 2), (slow, 1)] {
        for (fault, alarm, raise) in [
            (Fault::LossOfSignal, Alarm::LossOfSignal, timing.signal_millis),
            (Fault::LossOfFrame, Alarm::LossOfFrame, timing.frame_millis),
            (Fault::AlarmIndication, Alarm::AlarmIndication, timing.indication_millis),
            (Fault::RemoteAlarm, Alarm::RemoteAlarm, timing.remote_millis),
        ] {
            let mut bench = Bench::looped(Settings { debounce: timing, ..settings() });
            let mut prover = Prover::looped(0);
            bench.run(1000, &mut prover);
            bench.events.clear();
            let broken = bench.now;
            bench.card.with(|card| assert!(card.inject(port, fault)));
            bench.run(raise + 1000, &mut prover);
            let raised = when(&bench, broken, alarm_at(port, alarm, true));
            assert_once_within(&raised, raise, raise + POLL_MILLIS);
            let yellow = alarm == Alarm::RemoteAlarm;
            assert_eq!(bench.board.status(port).in_service, yellow, "{fault:?}");

            let repaired = bench.now;
            bench.card.with(|card| assert!(card.repair(port)));
            bench.run(timing.clear_millis + 2000, &mut prover);
            let cleared = when(&bench, repaired, alarm_at(port, alarm, false));
            assert_once_within(&cleared, 0, POLL_MILLIS + 50);
            if !yellow {
                let back = when(&bench, repaired, service_at(port, true));
                let due = timing.clear_millis;
                assert_once_within(&back, due, due + 2 * POLL_MILLIS + 50);
            }
            assert!(bench.board.status(port).alarms.is_empty(), "{fault:?}");
            let others = bench.events.iter().filter(|event| match event {
                BoardEvent::Alarm { port: p, .. } | BoardEvent::InService { port: p, .. } => {
                    *p != port
                }
                _ => false,
            });
            assert_eq!(others.count(), 0, "{fault:?} on port {port}: {:?}", bench.events);
        }
    }
}

/// T1.231, §6.2.1: a failure is declared after 2.5 s and over 10 s after its end. G.732 has no such times; an E1 has
/// the boards' own, 2.5 s and 5 s.
#[test]
fn an_e1_is_in_service_five_seconds_after_a_failure_and_a_t1_ten() {
    for (mode, back) in [(Mode::e1(true), 5000), (Mode::t1(), 10_000)] {
        for fault in [Fault::LossOfSignal, Fault::LossOfFrame, Fault::AlarmIndication] {
            let mut bench = Bench::looped(Settings::quad(PORTS, mode));
            let mut prover = Prover { compare_from: u64::MAX, ..Prover::looped(0) };
            bench.run(1000, &mut prover);
            bench.events.clear();
            let broken = bench.now;
            bench.card.with(|card| assert!(card.inject(1, fault)));
            bench.run(3000, &mut prover);
            assert_once_within(
                &when(&bench, broken, service_at(1, false)),
                2500,
                2500 + POLL_MILLIS,
            );
            bench.card.with(|card| assert!(card.repair(1)));
            let mended = bench.now;
            bench.run(back + 500, &mut prover);
            let until = back + 2 * POLL_MILLIS + 50;
            assert_once_within(&when(&bench, mended, service_at(1, true)), back, until);
        }
    }
}

#[test]
fn a_glitch_shorter_than_its_time_leaves_no_trace() {
    let mut bench = Bench::looped(Settings { debounce: Debounce::default(), ..settings() });
    let mut prover = Prover::looped(0);
    bench.run(1000, &mut prover);
    bench.events.clear();
    for fault in [Fault::LossOfSignal, Fault::AlarmIndication, Fault::LossOfFrame] {
        bench.card.with(|card| card.inject(1, fault));
        bench.run(1500, &mut prover);
        bench.card.with(|card| card.repair(1));
        bench.run(2000, &mut prover);
    }
    assert_eq!(bench.events, []);
}

/// A looped span hears its own remote alarm: red, then yellow while it recovers, then nothing.
#[test]
fn the_far_end_is_told_until_recovery_ends() {
    let mut bench = Bench::looped(Settings { debounce: Debounce::default(), ..settings() });
    let mut prover = Prover::looped(0);
    bench.run(1000, &mut prover);
    bench.card.with(|card| card.inject(3, Fault::LossOfSignal));
    bench.run(4000, &mut prover);
    bench.events.clear();
    let repaired = bench.now;
    bench.card.with(|card| card.repair(3));
    bench.run(8000, &mut prover);
    let yellow = when(&bench, repaired, alarm_at(3, Alarm::RemoteAlarm, true));
    assert_once_within(&yellow, 500, 500 + 2 * POLL_MILLIS + 50);
    let quiet = when(&bench, repaired, alarm_at(3, Alarm::RemoteAlarm, false));
    assert_once_within(&quiet, 5000, 5000 + 4 * POLL_MILLIS);
    assert!(bench.board.status(3).in_service);
}

#[test]
fn the_clock_follows_the_first_healthy_choice_and_comes_back() {
    let mut settings = settings();
    let mode = Mode::e1(true);
    for (port, timing) in settings.ports.iter_mut().zip([2, 1, 0, 0]) {
        *port = Some(PortSettings { mode, timing });
    }
    let mut bench = Bench::looped(settings);
    let mut prover = Prover::looped(0);
    assert_eq!(bench.board.clock_source(), None);
    bench.run(1000, &mut prover);
    assert_eq!(bench.board.clock_source(), Some(1));
    for (port, now_from) in [(1, Some(0)), (0, None)] {
        bench.card.with(|card| card.inject(port, Fault::LossOfSignal));
        bench.run(500, &mut prover);
        assert_eq!(bench.board.clock_source(), now_from);
    }
    // The first choice is back before its span is in service again.
    bench.card.with(|card| card.repair(1));
    bench.run(150, &mut prover);
    assert_eq!(bench.board.clock_source(), Some(1));
    assert!(!bench.board.status(1).in_service);
    let sources: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| match event {
            BoardEvent::ClockSource { port, .. } => Some(*port),
            _ => None,
        })
        .collect();
    // The second choice is seen healthy a few milliseconds before the first.
    assert_eq!(sources, [Some(0), Some(1), Some(0), None, Some(1)]);
}

/// Four lines of one network, 20 ppm fast. A board that takes its clock from them slips never, one on its own oscillator
/// all the time, and says by how much; so do the ports of the other network of a board between two.
#[test]
fn a_board_that_follows_its_line_does_not_slip_and_one_that_does_not_says_by_how_much() {
    let bench = |timing: [u8; PORTS], ppm: [f64; PORTS]| {
        let mut settings = settings();
        for (port, timing) in settings.ports.iter_mut().zip(timing) {
            *port = Some(PortSettings { mode: Mode::e1(true), timing });
        }
        let mut bench = Bench::looped(settings);
        for (port, ppm) in ppm.into_iter().enumerate() {
            bench.card.with(|card| assert!(card.inject(port, Fault::ClockOffset(ppm))));
        }
        let mut prover = Prover { compare_from: u64::MAX, ..Prover::looped(0) };
        bench.run(40_000, &mut prover);
        bench
    };
    let steady = |bench: &Bench, port: usize| bench.board.steady_slips_ppm(port).unwrap_or(0.0);
    let follows = bench([0, 1, 0, 0], [20.0; PORTS]);
    assert_eq!(follows.board.clock_source(), Some(1));
    assert_eq!(follows.card.with(|card| card.clock_ppm()), 20.0);
    let own = bench([0; PORTS], [20.0, 20.0, -20.0, 0.0]);
    assert_eq!(own.board.clock_source(), None);
    let between = bench([1, 0, 0, 0], [20.0, 20.0, 0.0, -2.5]);
    assert!((0..PORTS).all(|port| follows.board.status(port).slips == 0));
    for (bench, port, ppm) in
        [(&own, 0, 20.0), (&own, 2, 20.0), (&between, 2, 20.0), (&between, 3, 22.5)]
    {
        let found = steady(bench, port);
        assert!((found / ppm - 1.0).abs() < 0.25, "{port}: {found} of {ppm} ppm");
        // 20 ppm of 40 s are 800 µs: six frames, and a few of the first quarter second on the board's own clock.
        assert!((5..=8).contains(&bench.board.status(port).slips), "{port}");
    }
    assert_eq!((own.board.status(3).slips, between.board.status(1).slips), (0, 0));
}

#[test]
fn bit_errors_are_counted_on_their_port() {
    let mut bench = Bench::looped(settings());
    let mut prover = Prover::looped(0);
    bench.run(2000, &mut prover);
    bench.card.with(|card| card.inject(0, Fault::BitErrors(1e-4)));
    bench.run(10_000, &mut prover);
    let status = bench.board.status(0);
    // A sub-multiframe of 2048 bits is wrong once in about five.
    assert!((1000..3000).contains(&status.crc_errors), "{status:?}");
    assert_eq!(bench.board.status(1).crc_errors, 0);
}

/// G.706, annex B: CRC-4 on one side only is worked with, and told.
#[test]
fn a_far_end_without_crc4_carries_calls_and_is_told() {
    let mut settings = settings();
    for (port, crc4) in settings.ports.iter_mut().zip([true, false, false, false]) {
        *port = Some(PortSettings { mode: Mode::e1(crc4), timing: 0 });
    }
    let mut bench = Bench::looped(settings);
    bench.card.with(|card| {
        let (near, far) = Link::pair();
        assert!(card.plug(0, Box::new(near)) && card.plug(1, Box::new(far)));
    });
    let mut prover = Prover { compare_from: 2000, peers: [1, 0, 2, 3], ..Prover::looped(1) };
    bench.run(4000, &mut prover);
    assert_eq!(prover.bad[..2], [0, 0]);
    assert!((0..PORTS).all(|port| bench.board.status(port).in_service));
    assert_eq!([0, 1, 2].map(|port| bench.board.crc4_missing(port)), [true, false, false]);
}
