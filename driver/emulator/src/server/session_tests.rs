use std::os::fd::AsFd;

use firmware_headers::{model, wct4xxp};
use nix::sys::eventfd::{EfdFlags, EventFd};
use tdm::Rng;

use super::*;
use crate::Board;
use crate::server::wire::HEADER_OCTETS;

/// A client that speaks to a session without a socket.
struct Bench {
    session: Session,
    board: Board,
}

impl Bench {
    fn new() -> Self {
        let board = Board::new(&model::TE410P_GEN5, 1).unwrap();
        let mut bench = Self { session: Session::default(), board };
        bench.ask(command::VERSION, &[0, 0, 1, 0, b'{', b'}', 0]).unwrap();
        bench
    }
    fn ask_with(&mut self, command: u16, body: &[u8], files: Vec<OwnedFd>) -> Result<Vec<u8>, i32> {
        let octets = ((HEADER_OCTETS + body.len()) as u32).to_le_bytes();
        let start = [[7, 0], command.to_le_bytes()].concat();
        let header = Header::parse(&[&start[..], &octets, &[0; 8]].concat()).unwrap();
        let (mut out, mut files) = (Vec::new(), files);
        self.session.handle(&mut self.board, header, body, &mut files, &mut out);
        assert!(files.is_empty());
        assert_eq!(out.len(), u32::from_le_bytes(out[4..8].try_into().unwrap()) as usize);
        match u32::from_le_bytes(out[8..12].try_into().unwrap()) {
            1 => Ok(out[HEADER_OCTETS..].to_vec()),
            0x21 => Err(i32::from_le_bytes(out[12..16].try_into().unwrap())),
            flags => panic!("{flags:#x}"),
        }
    }
    fn ask(&mut self, command: u16, body: &[u8]) -> Result<Vec<u8>, i32> {
        self.ask_with(command, body, Vec::new())
    }
    fn read(&mut self, region: u32, offset: u64, count: u32) -> Result<Vec<u8>, i32> {
        let body = access_body(region, offset, count, &[]);
        let answer = self.ask(command::REGION_READ, &body)?;
        assert_eq!(answer[..16], body[..]);
        Ok(answer[16..].to_vec())
    }
    fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), i32> {
        let body = access_body(region, offset, data.len() as u32, data);
        self.ask(command::REGION_WRITE, &body).map(|answer| assert_eq!(answer, body[..16]))
    }
    fn irq(&mut self, flags: u32, count: u32, files: Vec<OwnedFd>) -> Result<(), i32> {
        let body = [20, flags, IRQ_INTX, 0, count].map(u32::to_le_bytes).concat();
        self.ask_with(command::DEVICE_SET_IRQS, &body, files).map(|_| ())
    }
    /// The board ticks and nobody acknowledges: INTx stays asserted.
    fn assert_interrupt(&mut self) {
        self.write(REGION_CONFIG, 4, &[6, 0]).unwrap();
        let run = wct4xxp::DMACTRL_RUN.to_le_bytes();
        self.write(REGION_BAR0, u64::from(wct4xxp::DMACTRL.offset), &run).unwrap();
        self.board.millisecond(&self.session.memory);
        self.session.interrupt(&self.board);
    }
}

fn access_body(region: u32, offset: u64, count: u32, data: &[u8]) -> Vec<u8> {
    [&offset.to_le_bytes()[..], &region.to_le_bytes(), &count.to_le_bytes(), data].concat()
}

fn eventfd() -> (EventFd, OwnedFd) {
    let ours = EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap();
    let theirs = ours.as_fd().try_clone_to_owned().unwrap();
    (ours, theirs)
}

#[test]
fn a_pci_function_with_nine_regions_and_five_interrupts_is_described() {
    let mut bench = Bench::new();
    let info = bench.ask(command::DEVICE_GET_INFO, &[16, 0, 0, 0].map(u32::to_le_bytes).concat());
    assert_eq!(info.unwrap(), [16, 3, 9, 5].map(u32::to_le_bytes).concat());
    for (index, octets) in [(0, 128), (1, 0), (6, 0), (7, 256), (8, 0)] {
        let body = [32, 0, index, 0, 0, 0, 0, 0].map(u32::to_le_bytes).concat();
        let answer = bench.ask(command::DEVICE_GET_REGION_INFO, &body).unwrap();
        assert_eq!(answer.len(), 32);
        assert_eq!(answer[16..24], u64::to_le_bytes(octets));
    }
    for (index, count, flags) in [(0, 1, 7), (1, 0, 0), (2, 0, 0), (4, 0, 0)] {
        let body = [16, 0, index, 0].map(u32::to_le_bytes).concat();
        let answer = bench.ask(command::DEVICE_GET_IRQ_INFO, &body).unwrap();
        assert_eq!(answer, [16, flags, index, count].map(u32::to_le_bytes).concat());
    }
    let beyond = [16, 0, 9, 0].map(u32::to_le_bytes).concat();
    assert_eq!(bench.ask(command::DEVICE_GET_IRQ_INFO, &beyond), Err(libc::EINVAL));
    assert_eq!(bench.ask(command::DEVICE_GET_REGION_INFO, &beyond), Err(libc::EINVAL));
}

#[test]
fn nothing_is_answered_before_the_version_and_no_other_protocol_is_spoken() {
    let mut bench = Bench::new();
    bench.session = Session::default();
    assert_eq!(bench.read(REGION_CONFIG, 0, 4), Err(libc::EINVAL));
    assert_eq!(bench.ask(command::VERSION, &[1, 0, 0, 0]), Err(libc::EINVAL));
    let answer = bench.ask(command::VERSION, &[0, 0, 9, 0]).unwrap();
    assert_eq!(answer[..4], [0, 0, 1, 0]);
    assert!(answer.starts_with(b"\0\0\x01\0{\"capabilities\"") && answer.ends_with(b"}\0"));
    assert_eq!(bench.read(REGION_CONFIG, 0, 4).unwrap(), [0x61, 0xD1, 0x10, 0x14]);
}

#[test]
fn accesses_outside_a_region_are_refused_and_those_inside_reach_the_board() {
    let mut bench = Bench::new();
    assert_eq!(bench.read(REGION_CONFIG, 0, 256).unwrap()[0x2C], 5);
    assert_eq!(bench.read(REGION_CONFIG, 255, 1).unwrap(), [0]);
    bench.write(REGION_CONFIG, 4, &[6, 0]).unwrap();
    assert_eq!(bench.read(REGION_BAR0, 0x18, 4).unwrap(), [0x70, 0x01, 0x1A, 0xC0]);
    for (region, offset, count) in [
        (REGION_CONFIG, 255, 2),
        (REGION_CONFIG, u64::MAX, 2),
        (REGION_BAR0, 128, 4),
        (REGION_BAR0, 126, 4),
        (REGION_BAR0, 0, 8),
        (REGION_BAR0, 0, 0),
        (REGION_CONFIG, 0, u32::MAX),
        (3, 0, 4),
        (77, 0, 4),
    ] {
        assert_eq!(bench.read(region, offset, count), Err(libc::EINVAL), "{region} {offset}");
    }
    let short = access_body(REGION_BAR0, 0, 4, &[1, 2]);
    assert_eq!(bench.ask(command::REGION_WRITE, &short), Err(libc::EINVAL));
}

#[test]
fn intx_masks_itself_and_fires_again_at_unmask_while_it_is_asserted() {
    let mut bench = Bench::new();
    let (ours, theirs) = eventfd();
    bench.irq(irq_set::TRIGGER | irq_set::EVENTFD, 1, vec![theirs]).unwrap();
    assert!(ours.read().is_err());
    bench.assert_interrupt();
    assert_eq!(ours.read(), Ok(1));
    bench.board.millisecond(&bench.session.memory);
    bench.session.interrupt(&bench.board);
    assert!(ours.read().is_err(), "masked");
    bench.irq(irq_set::UNMASK | irq_set::NONE, 1, Vec::new()).unwrap();
    assert_eq!(ours.read(), Ok(1), "still asserted");
    bench.write(REGION_BAR0, u64::from(wct4xxp::INTR.offset), &[0; 4]).unwrap();
    bench.irq(irq_set::UNMASK | irq_set::NONE, 1, Vec::new()).unwrap();
    assert!(ours.read().is_err(), "acknowledged");
    bench.irq(irq_set::MASK | irq_set::NONE, 1, Vec::new()).unwrap();
    bench.assert_interrupt();
    assert!(ours.read().is_err());
}

#[test]
fn a_trigger_set_while_intx_is_asserted_fires_and_one_taken_away_does_not() {
    let mut bench = Bench::new();
    bench.assert_interrupt();
    let (ours, theirs) = eventfd();
    bench.irq(irq_set::TRIGGER | irq_set::EVENTFD, 1, vec![theirs]).unwrap();
    assert_eq!(ours.read(), Ok(1));
    bench.irq(irq_set::TRIGGER | irq_set::NONE, 0, Vec::new()).unwrap();
    bench.irq(irq_set::UNMASK | irq_set::NONE, 1, Vec::new()).unwrap();
    assert!(ours.read().is_err());
}

#[test]
fn interrupts_that_do_not_exist_can_be_taken_down_and_not_set_up() {
    let mut bench = Bench::new();
    for index in 1..5 {
        let body = [20, irq_set::TRIGGER | irq_set::NONE, index, 0, 0].map(u32::to_le_bytes);
        assert!(bench.ask(command::DEVICE_SET_IRQS, &body.concat()).is_ok());
        let body = [20, irq_set::TRIGGER | irq_set::EVENTFD, index, 0, 1].map(u32::to_le_bytes);
        let refused = bench.ask_with(command::DEVICE_SET_IRQS, &body.concat(), vec![eventfd().1]);
        assert_eq!(refused, Err(libc::EINVAL));
    }
    let both = irq_set::MASK | irq_set::UNMASK | irq_set::NONE;
    assert_eq!(bench.irq(both, 1, Vec::new()), Err(libc::EINVAL));
    assert_eq!(bench.irq(irq_set::UNMASK | irq_set::EVENTFD, 1, vec![]), Err(libc::EINVAL));
}

#[test]
fn maps_come_and_go_with_and_without_descriptors() {
    let mut bench = Bench::new();
    let map = |start: u64, octets: u64| {
        [&32_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), &0_u64.to_le_bytes()]
            .into_iter()
            .chain([&start.to_le_bytes()[..], &octets.to_le_bytes()])
            .collect::<Vec<_>>()
            .concat()
    };
    let unmap = |flags: u32, start: u64, octets: u64| {
        [
            &24_u32.to_le_bytes()[..],
            &flags.to_le_bytes(),
            &start.to_le_bytes(),
            &octets.to_le_bytes(),
        ]
        .concat()
    };
    let file = bus::SharedMapping::memfd(8192).unwrap().1;
    bench.ask_with(command::DMA_MAP, &map(0x1000, 8192), vec![file]).unwrap();
    bench.ask(command::DMA_MAP, &map(0x8000, 4096)).unwrap();
    assert_eq!(bench.ask(command::DMA_MAP, &map(0x8000, 4096)), Err(libc::EEXIST));
    assert_eq!(bench.session.memory.ranges(), 2);
    let unknown = unmap(0, 0x77_0000, 4096);
    assert_eq!(bench.ask(command::DMA_UNMAP, &unknown).unwrap(), unknown);
    bench.ask(command::DMA_UNMAP, &unmap(0, 0x1000, 8192)).unwrap();
    assert_eq!(bench.session.memory.ranges(), 1);
    bench.ask(command::DMA_UNMAP, &unmap(UNMAP_ALL, 0, 0)).unwrap();
    assert_eq!(bench.session.memory.ranges(), 0);
}

#[test]
fn messages_of_any_kind_and_length_are_answered_and_harm_nothing() {
    let mut bench = Bench::new();
    let mut rng = Rng::from_seed(3);
    for n in 0..1_000_000_u32 {
        let command = rng.below(16) as u16;
        let mut body = [0; 48];
        let octets = rng.below(body.len() as u64 + 1) as usize;
        // Mostly small numbers: they reach further than chance alone.
        for field in body.chunks_mut(4) {
            let value = match rng.below(4) {
                0 => rng.next_u64() as u32,
                1 => rng.below(64) as u32,
                2 => rng.below(3) as u32,
                _ => 4 << rng.below(8),
            };
            field.copy_from_slice(&value.to_le_bytes());
        }
        let files = if n.is_multiple_of(5000) { vec![eventfd().1] } else { Vec::new() };
        let _ = bench.ask_with(command, &body[..octets], files);
    }
    assert!(bench.ask(command::VERSION, &[0, 0, 1, 0]).is_ok());
}
