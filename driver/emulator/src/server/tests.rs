use std::io::{Read, Write};
use std::thread::JoinHandle;

use bus::conformance::Probe;
use bus::{Bus, BusError, DmaRegion, HostMemory, Space, VfioUser};
use firmware_headers::{dma, falc, model, pci, wct4xxp as regs};

use super::*;
use crate::{BoardFault, Loopback};

/// No test waits longer than this for anything.
const LONG: Duration = Duration::from_secs(20);

/// A served board, and where.
struct Bench {
    handle: Handle,
    thread: Option<JoinHandle<ServerCounters>>,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("board");
        let mut server = Server::bind(&path, settings).unwrap();
        let handle = server.handle();
        let thread = std::thread::spawn(move || {
            let mut board = Board::new(&model::TE410P_GEN5, 1).unwrap();
            for port in 0..board.ports() {
                board.plug(port, Box::new(Loopback));
            }
            server.run(&mut board).unwrap()
        });
        Self { handle, thread: Some(thread), path, _directory: directory }
    }
    fn lock() -> Self {
        let lock = Clock::Lock;
        Self::new(Settings { clock: lock, patience: Duration::from_secs(5), ..Settings::default() })
    }
    fn connect(&self) -> VfioUser {
        VfioUser::connect(&self.path).unwrap()
    }
    fn end(mut self) -> ServerCounters {
        self.handle.stop();
        self.thread.take().unwrap().join().unwrap()
    }
}

fn framer_put(bus: &VfioUser, port: u32, offset: u32, value: u8) {
    let address = offset | port << regs::LADDR_PORT_SHIFT | regs::LADDR_LOWER_PORTS;
    for (reg, value) in [
        (regs::LADDR.offset, address),
        (regs::LDATA.offset, u32::from(value)),
        (regs::LADDR.offset, address | regs::LADDR_FRAMER | regs::LADDR_WRITE),
        (regs::LADDR.offset, address),
    ] {
        bus.write(Space::Bar0, &bus::Reg::<u32, bus::ReadWrite>::at(reg), value).unwrap();
    }
}

/// Enables the board, brings every port up and starts a ring of `buffers`.
fn start(bus: &VfioUser, buffers: usize) -> DmaRegion {
    let enable = pci::COMMAND_MEMORY | pci::COMMAND_BUS_MASTER;
    bus.write(Space::Config, &pci::COMMAND, enable).unwrap();
    let area = buffers * dma::BUFFER_OCTETS_QUAD;
    let region = bus.dma(2 * area).unwrap();
    let put = |reg, value| bus.write(Space::Bar0, reg, value).unwrap();
    put(&regs::LEDS, regs::LEDS_ACTIVE);
    for port in 0..4 {
        framer_put(bus, port, falc::FMR0.offset, falc::FMR0_XC_HDB3 | falc::FMR0_RC_HDB3);
    }
    put(&regs::WRADDR, region.device_address);
    put(&regs::RDADDR, region.device_address + area as u32);
    put(&regs::RING, 1 << regs::RING_MILLIS_SHIFT | buffers as u32);
    put(&regs::INTR, regs::INTR_START);
    put(&regs::DMACTRL, regs::DMACTRL_RUN);
    region
}

/// Waits for the interrupt of a tick; returns the ident, without acknowledging.
fn tick(bus: &mut VfioUser) -> u32 {
    loop {
        assert!(bus.wait(LONG).unwrap(), "no interrupt");
        let status = bus.read(Space::Bar0, &regs::INTR).unwrap();
        if status & regs::INTR_TICK != 0 {
            return (status & regs::INTR_IDENT) >> regs::INTR_IDENT_SHIFT;
        }
        bus.unmask().unwrap();
    }
}

fn acknowledge(bus: &mut VfioUser) {
    bus.write(Space::Bar0, &regs::INTR, regs::INTR_ACKNOWLEDGE).unwrap();
    bus.unmask().unwrap();
}

/// The bus's own probe, and how many milliseconds it may still have.
#[derive(Default)]
struct Counted(Probe, u64);

impl Device for Counted {
    fn read(&mut self, space: Space, offset: u32, octets: u8) -> u32 {
        self.0.read(space, offset, octets)
    }
    fn write(&mut self, space: Space, offset: u32, octets: u8, value: u32) {
        self.0.write(space, offset, octets, value);
    }
    fn interrupt(&self) -> bool {
        self.0.interrupt()
    }
    fn millisecond(&mut self, memory: &dyn HostMemory) {
        self.0.millisecond(memory);
        self.1 -= 1;
    }
    fn bar0_octets(&self) -> u32 {
        self.0.bar0_octets()
    }
    fn reset(&mut self) {
        self.0.reset();
    }
}

impl crate::server::Served for Counted {
    fn is_ticking(&self) -> bool {
        true
    }
    fn tick_taken(&self, _: Lockstep) -> bool {
        self.1 > 0
    }
}

/// The client of the bus and this server were written apart: each is the other's witness.
#[test]
fn a_served_card_keeps_every_promise_of_the_bus() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("probe");
    let patience = Duration::from_secs(3600);
    let settings = Settings { clock: Clock::Lock, patience, ..Settings::default() };
    let mut server = Server::bind(&path, settings).unwrap();
    let handle = server.handle();
    let thread = std::thread::spawn(move || server.run(&mut Counted::default()).unwrap());
    let mut bus = VfioUser::connect(&path).unwrap();
    bus::conformance::check(&mut bus, |_| {
        handle.with(|card, _| card.1 += 1).unwrap();
        while handle.with(|card, _| card.1).unwrap() > 0 {
            std::thread::yield_now();
        }
    });
    drop(bus);
    handle.stop();
    thread.join().unwrap();
}

#[test]
fn in_lockstep_no_millisecond_is_lost_and_every_octet_comes_back() {
    const BUFFERS: usize = 4;
    let served = Bench::lock();
    let mut bus = served.connect();
    let region = start(&bus, BUFFERS);
    let mut last = 0;
    let ticks = 1500_u32;
    let begun = std::time::Instant::now();
    for k in 1..=ticks {
        let ident = tick(&mut bus);
        assert_eq!(ident, (last + 1) % dma::IDENTS, "tick {k}");
        last = ident;
        // The buffer before the one the board works on now: read, checked against what was put there
        // a lap ago, and filled anew.
        let buffer = (k as usize - 1) % BUFFERS;
        let offset = buffer * dma::BUFFER_OCTETS_QUAD + dma::offset(2, 7, 0);
        let mut received = [0; 8];
        region.memory.read(BUFFERS * dma::BUFFER_OCTETS_QUAD + offset, &mut received);
        let lap = k as usize / BUFFERS;
        if lap > 4 {
            assert_eq!(received, [(k as usize - BUFFERS) as u8; 8], "tick {k}");
        }
        region.memory.write(offset, &[k as u8; 8]);
        acknowledge(&mut bus);
    }
    println!("{:.0} ticks a second", f64::from(ticks) / begun.elapsed().as_secs_f64());
    drop(bus);
    let counters = served.end();
    assert_eq!((counters.stalls, counters.refused), (0, 0));
}

#[test]
fn a_host_that_acknowledges_nothing_is_gone_on_without_and_counted() {
    let patience = Duration::from_millis(5);
    let settings = Settings { clock: Clock::Lock, patience, ..Settings::default() };
    let served = Bench::new(settings);
    let mut bus = served.connect();
    let _region = start(&bus, 4);
    let first = tick(&mut bus);
    let condition = || served.handle.with(|board, counters| (board.counters(), *counters)).unwrap();
    let begun = std::time::Instant::now();
    while condition().1.stalls < 3 {
        assert!(begun.elapsed() < LONG);
        std::thread::yield_now();
    }
    assert!(condition().0.unacknowledged >= 2);
    let status = bus.read(Space::Bar0, &regs::INTR).unwrap();
    assert!((status & regs::INTR_IDENT) >> regs::INTR_IDENT_SHIFT > first);
    drop(bus);
    served.end();
}

#[test]
fn in_real_time_milliseconds_pass_without_anybody() {
    let served = Bench::new(Settings::default());
    let clock = || served.handle.with(|board, _| board.clock().as_millis()).unwrap();
    let begun = std::time::Instant::now();
    let before = clock();
    while clock() < before + 50 {
        assert!(begun.elapsed() < LONG);
        std::thread::yield_now();
    }
    assert!(begun.elapsed() >= Duration::from_millis(49));
    served.end();
}

#[test]
fn the_next_client_finds_a_board_as_after_power_up() {
    let served = Bench::lock();
    for client in 1..=3_u64 {
        let mut bus = served.connect();
        assert_eq!(bus.read(Space::Config, &pci::COMMAND).unwrap(), 0, "client {client}");
        let region = start(&bus, 2);
        assert_eq!(tick(&mut bus), 1);
        // Memory of the one before is no longer reached.
        drop(bus);
        drop(region);
        let begun = std::time::Instant::now();
        while served.handle.with(|board, _| board.is_running()).unwrap() {
            assert!(begun.elapsed() < LONG);
            std::thread::yield_now();
        }
    }
    assert_eq!(served.end().clients, 3);
}

#[test]
fn a_stopped_server_is_a_board_that_is_gone() {
    let served = Bench::lock();
    let mut bus = served.connect();
    let _region = start(&bus, 2);
    tick(&mut bus);
    let path = served.path.clone();
    served.end();
    let gone = bus.read(Space::Bar0, &regs::VERSION);
    assert!(matches!(gone, Err(BusError::Gone(_))), "{gone:?}");
    assert!(!path.exists());
}

#[test]
fn a_board_pulled_on_command_reads_ones_over_the_socket() {
    let served = Bench::lock();
    let bus = served.connect();
    served.handle.with(|board, _| board.fail(BoardFault::Pulled)).unwrap();
    assert_eq!(bus.read(Space::Config, &pci::VENDOR_ID).unwrap(), 0xFFFF);
    served.handle.with(|board, _| board.heal()).unwrap();
    assert_eq!(bus.read(Space::Config, &pci::VENDOR_ID).unwrap(), model::DIGIUM);
    drop(bus);
    served.end();
}

#[test]
fn what_is_no_message_costs_the_client_its_connection_and_nobody_else() {
    let served = Bench::lock();
    for junk in [
        &[0xFF; 40][..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[1, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        let mut client = UnixStream::connect(&served.path).unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        client.write_all(junk).unwrap();
        assert!(matches!(client.read(&mut [0; 64]), Ok(0) | Err(_)));
    }
    // Half a message, and gone.
    UnixStream::connect(&served.path).unwrap().write_all(&[1, 0, 1, 0, 90, 0]).unwrap();
    let bus = served.connect();
    assert_eq!(bus.read(Space::Config, &pci::VENDOR_ID).unwrap(), model::DIGIUM);
    drop(bus);
    served.end();
}

#[test]
fn a_socket_left_behind_is_taken_over_and_one_in_use_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("board");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let first: Server = Server::bind(&path, Settings::default()).unwrap();
    let second: io::Result<Server> = Server::bind(&path, Settings::default());
    assert_eq!(second.err().unwrap().kind(), io::ErrorKind::AddrInUse);
    drop(first);
    assert!(!path.exists());
}
