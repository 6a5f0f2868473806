//! The board in another thread behind a socket, as it would be in another process.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use bus::{BusError, VfioUser};
use driver::{Acknowledge, Board, BoardError, Settings};
use emulator::Loopback;
use emulator::server::{Clock, Handle, Server, ServerCounters};
use firmware_headers::model::TE405P_GEN5;
use tdm::heap::without_heap;
use tdm::{Alarm, Instant};

use crate::bench::{PORTS, Prover, settings};

/// Long enough for a machine that is busy with everything else.
const PATIENCE: Duration = Duration::from_secs(20);

fn serve(path: &Path, clock: Clock) -> (Handle, JoinHandle<ServerCounters>) {
    let patience = PATIENCE;
    let settings = emulator::server::Settings { clock, patience, ..Default::default() };
    let mut server = Server::bind(path, settings).unwrap();
    let handle = server.handle();
    let thread = std::thread::spawn(move || {
        let mut board = emulator::Board::new(&TE405P_GEN5, 7).unwrap();
        for port in 0..PORTS {
            assert!(board.plug(port, Box::new(Loopback)));
        }
        server.run(&mut board).unwrap()
    });
    (handle, thread)
}

fn over_socket() -> Settings {
    Settings { acknowledge: Acknowledge::Last, framer_budget: 1, ..settings() }
}

/// Serves `millis` milliseconds in lockstep: the host's clock is the board's.
fn run(board: &mut Board<VfioUser>, millis: u64, prover: &mut Prover) -> Result<(), BoardError> {
    let begun = board.sample_time().as_millis();
    while board.sample_time().as_millis() < begun + millis {
        let now = Instant::seconds(1).plus_millis(board.sample_time().as_millis());
        assert!(board.wait(now, PATIENCE)?, "no interrupt in {PATIENCE:?}");
        board.service(now, prover)?;
    }
    Ok(())
}

#[test]
fn four_looped_spans_cross_a_socket_in_lockstep_without_a_bad_octet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board");
    let (server, thread) = serve(&path, Clock::Lock);
    let bus = VfioUser::connect(&path).unwrap();
    let mut board = Board::start(bus, over_socket(), Instant::seconds(1)).unwrap();
    let mut prover = Prover::looped(0);
    run(&mut board, 3000, &mut prover).unwrap();
    without_heap(|| run(&mut board, 500, &mut prover)).unwrap();
    let stats = board.stats();
    assert_eq!((prover.bad, stats.missed, stats.gaps), ([0; PORTS], 0, 0));
    assert!((0..PORTS).all(|port| board.status(port).in_service));
    drop(board);
    server.stop();
    assert_eq!(thread.join().unwrap().stalls, 0);
}

/// The server ends and another takes its place: a new start on a new bus is in service again.
#[test]
fn a_server_that_ends_is_a_board_gone_and_its_successor_a_board_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board");
    let mut begin = tdm::SampleTime::samples(0);
    let mut prover = Prover::looped(0);
    for round in 0..3 {
        let (server, thread) = serve(&path, Clock::Lock);
        let bus = VfioUser::connect(&path).unwrap();
        let settings = Settings { begin, ..over_socket() };
        let mut board = Board::start(bus, settings, Instant::seconds(1)).unwrap();
        prover.compare_from = begin.as_millis() + 50;
        run(&mut board, 500, &mut prover).unwrap();
        assert!((0..PORTS).all(|port| board.status(port).in_service));
        server.stop();
        thread.join().unwrap();
        let gone = run(&mut board, 1000, &mut prover);
        assert!(matches!(gone, Err(BoardError::Gone { .. })), "round {round}: {gone:?}");
        assert!((0..PORTS).all(|port| board.status(port).alarms.has(Alarm::BoardGone)));
        assert!(matches!(VfioUser::connect(&path), Err(BusError::Gone(_))));
        begin = board.sample_time();
    }
    assert_eq!(prover.bad, [0; PORTS]);
}

/// On the real clock a busy machine may be late, and then says how late. Whatever was not lost is right.
#[test]
fn on_the_real_clock_every_millisecond_is_served_or_counted_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board");
    let (server, thread) = serve(&path, Clock::Real);
    let bus = VfioUser::connect(&path).unwrap();
    let settings = Settings { ring: 32, framer_budget: 1, ..settings() };
    let begun = std::time::Instant::now();
    let now = || Instant::seconds(1).plus(begun.elapsed());
    let mut board = Board::start(bus, settings, now()).unwrap();
    let mut prover = Prover::looped(0);
    prover.compare_from = u64::MAX;
    while board.sample_time().as_millis() < 1000 {
        board.wait(now(), Duration::from_millis(10)).unwrap();
        board.service(now(), &mut prover).unwrap();
    }
    let stats = board.stats();
    assert_eq!(stats.served + stats.lost_millis, board.sample_time().as_millis());
    assert!((0..PORTS).all(|port| board.status(port).in_service));
    drop(board);
    server.stop();
    thread.join().unwrap();
}
