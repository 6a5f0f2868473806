//! The vfio-user back end against a server that somebody else wrote.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bus::conformance::{Probe, check, check_signalled};
use bus::{Bus, BusError, Device, HostMemory, SharedMapping, Space, VfioUser};
use tdm::Rng;
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, Server, ServerBackend, ServerRegion};

/// A [`Probe`] behind the foreign server, with INTx as the kernel's VFIO does it.
#[derive(Default)]
struct Served {
    probe: Probe,
    maps: Vec<(u64, SharedMapping)>,
    event: Option<File>,
    masked: bool,
    refuse_dma: bool,
}

struct Maps<'a>(&'a [(u64, SharedMapping)]);

impl Maps<'_> {
    fn find(&self, address: u64, octets: usize) -> Option<(&SharedMapping, usize)> {
        self.0.iter().find_map(|(start, mapping)| {
            let offset = usize::try_from(address.checked_sub(*start)?).ok()?;
            (offset + octets <= mapping.octets()).then_some((mapping, offset))
        })
    }
}

impl HostMemory for Maps<'_> {
    fn fetch(&self, address: u64, into: &mut [u8]) -> bool {
        self.find(address, into.len()).is_some_and(|(mapping, at)| mapping.read(at, into))
    }
    fn store(&self, address: u64, from: &[u8]) -> bool {
        self.find(address, from.len()).is_some_and(|(mapping, at)| mapping.write(at, from))
    }
}

impl Served {
    fn fire(&mut self) {
        if self.probe.interrupt() && !self.masked {
            self.masked = true;
            if let Some(event) = &mut self.event {
                event.write_all(&1_u64.to_ne_bytes()).unwrap();
            }
        }
    }
    fn millisecond(&mut self) {
        self.probe.millisecond(&Maps(&self.maps));
        self.fire();
    }
}

struct Backend(Arc<Mutex<Served>>);

fn space(region: u32) -> io::Result<Space> {
    match region {
        0 => Ok(Space::Bar0),
        7 => Ok(Space::Config),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

impl ServerBackend for Backend {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        let mut served = self.0.lock().unwrap();
        let value = served.probe.read(space(region)?, offset as u32, data.len() as u8);
        data.copy_from_slice(&value.to_le_bytes()[..data.len()]);
        served.fire();
        Ok(())
    }
    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut served = self.0.lock().unwrap();
        let mut value = [0; 4];
        value[..data.len()].copy_from_slice(data);
        let value = u32::from_le_bytes(value);
        served.probe.write(space(region)?, offset as u32, data.len() as u8, value);
        served.fire();
        Ok(())
    }
    fn dma_map(
        &mut self,
        flags: DmaMapFlags,
        offset: u64,
        address: u64,
        size: u64,
        fd: Option<File>,
    ) -> io::Result<()> {
        let mut served = self.0.lock().unwrap();
        if served.refuse_dma {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        assert!(flags.contains(DmaMapFlags::READ_WRITE));
        let fd = fd.ok_or(io::ErrorKind::InvalidInput)?;
        let mapping = SharedMapping::of(fd.as_fd(), offset, size as usize, true)?;
        served.maps.push((address, mapping));
        Ok(())
    }
    fn dma_unmap(&mut self, _: DmaUnmapFlags, address: u64, size: u64) -> io::Result<()> {
        let mut served = self.0.lock().unwrap();
        let before = served.maps.len();
        served.maps.retain(|(at, mapping)| (*at, mapping.octets() as u64) != (address, size));
        assert_eq!(before, served.maps.len() + 1, "what is unmapped was mapped");
        Ok(())
    }
    fn reset(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().probe.reset();
        Ok(())
    }
    fn set_irqs(
        &mut self,
        index: u32,
        flags: u32,
        start: u32,
        count: u32,
        mut fds: Vec<File>,
    ) -> io::Result<()> {
        assert_eq!((index, start, count), (0, 0, 1));
        let mut served = self.0.lock().unwrap();
        match flags & 0x38 {
            0x08 => served.masked = true,
            0x10 => {
                served.masked = false;
                served.fire();
            }
            0x20 => served.event = fds.pop(),
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        Ok(())
    }
}

struct Running {
    served: Arc<Mutex<Served>>,
    path: PathBuf,
    server: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

fn region(index: u32, size: u64) -> ServerRegion {
    // Readable and writable.
    let mut region =
        ServerRegion { region_info: Default::default(), sparse_areas: vec![], mmap_fd: None };
    region.region_info.argsz = 32;
    region.region_info.index = index;
    region.region_info.flags = if size > 0 { 3 } else { 0 };
    region.region_info.size = size;
    region
}

fn serve() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board");
    let served = Arc::new(Mutex::new(Served::default()));
    let sizes = [128, 0, 0, 0, 0, 0, 0, 256, 0];
    let regions = sizes.iter().enumerate().map(|(n, &size)| region(n as u32, size)).collect();
    let irqs =
        (0..5).map(|index| IrqInfo { index, flags: 7, count: u32::from(index == 0) }).collect();
    let server = Server::new(&path, true, irqs, regions).unwrap();
    let mut backend = Backend(Arc::clone(&served));
    let server = std::thread::spawn(move || {
        let _ = server.run(&mut backend);
    });
    Running { served, path, server, _folder: folder }
}

#[test]
fn the_vfio_user_back_end_conforms() {
    let running = serve();
    let mut bus = VfioUser::connect(&running.path).unwrap();
    check(&mut bus, |_| running.served.lock().unwrap().millisecond());
    check_signalled(&mut bus);
    assert!(running.served.lock().unwrap().maps.is_empty(), "every region was unmapped");
    drop(bus);
    running.server.join().unwrap();
}

#[test]
fn connecting_resets_the_function() {
    let running = serve();
    running.served.lock().unwrap().probe.write(Space::Bar0, 0, 4, 77);
    let bus = VfioUser::connect(&running.path).unwrap();
    assert_eq!(bus.read(Space::Bar0, &Probe::SCRATCH).unwrap(), 0);
}

#[test]
fn an_access_beyond_the_region_is_no_message() {
    let running = serve();
    let bus = VfioUser::connect(&running.path).unwrap();
    let beyond = bus::Reg::<u32, bus::ReadWrite>::at(126);
    assert!(bus.read(Space::Bar0, &beyond).is_err());
    bus.write(Space::Bar0, &Probe::SCRATCH, 5).unwrap();
    assert_eq!(bus.read(Space::Bar0, &Probe::SCRATCH).unwrap(), 5);
}

#[test]
fn nobody_there_is_gone_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = VfioUser::connect(&folder.path().join("nobody")).err().unwrap();
    assert!(matches!(&refusal, BusError::Gone(why) if why.contains("nobody")), "{refusal}");
}

#[test]
fn memory_that_the_server_does_not_map_is_refused_and_the_connection_goes_on() {
    let running = serve();
    let bus = VfioUser::connect(&running.path).unwrap();
    running.served.lock().unwrap().refuse_dma = true;
    assert!(matches!(bus.dma(4096), Err(BusError::NoDma { octets: 4096, .. })));
    running.served.lock().unwrap().refuse_dma = false;
    assert!(bus.dma(4096).is_ok());
}

/// A peer made of a script: it answers what the test tells it to.
struct Peer(UnixStream);

impl Peer {
    fn question(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut header = vec![0; 16];
        self.0.read_exact(&mut header).ok()?;
        let octets = u32::from_le_bytes(header[4..8].try_into().unwrap()) as usize;
        let mut payload = vec![0; octets - 16];
        self.0.read_exact(&mut payload).ok()?;
        Some((header, payload))
    }
    fn answer(&mut self, header: &[u8], error: u32, payload: &[u8]) {
        let mut message = header.to_vec();
        message[4..8].copy_from_slice(&(16 + payload.len() as u32).to_le_bytes());
        let flags: u32 = if error == 0 { 1 } else { 0x21 };
        message[8..12].copy_from_slice(&flags.to_le_bytes());
        message[12..16].copy_from_slice(&error.to_le_bytes());
        message.extend_from_slice(payload);
        let _ = self.0.write_all(&message);
    }
    /// What a good server would answer to a question while the host connects.
    fn good(command: u8) -> Vec<u8> {
        let words: &[u32] = match command {
            1 => &[0x0001_0000],
            4 => &[16, 3, 9, 5],
            5 => &[32, 3, 0, 0, 256, 0, 0, 0],
            7 => &[16, 7, 0, 1],
            _ => &[],
        };
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// Connects to a peer that answers question `odd` (counted from 0) as `how` does and the others well.
fn against(
    odd: usize,
    how: impl FnOnce(&mut Peer, &[u8]) + Send + 'static,
) -> bus::Result<VfioUser> {
    let (here, there) = UnixStream::pair().unwrap();
    let peer = std::thread::spawn(move || {
        let (mut peer, mut how, mut asked) = (Peer(there), Some(how), 0);
        while let Some((header, _)) = peer.question() {
            match how.take_if(|_| asked == odd) {
                Some(how) => how(&mut peer, &header),
                None => peer.answer(&header, 0, &Peer::good(header[2])),
            }
            asked += 1;
        }
    });
    let result = VfioUser::over(here, Duration::from_millis(200));
    if result.is_err() {
        peer.join().unwrap();
    }
    result
}

/// Questions of a connection, in order: version, device, two regions, reset, interrupt, three settings.
const QUESTIONS: usize = 9;

#[test]
fn the_script_alone_is_a_good_server() {
    assert!(against(QUESTIONS, |_, _| ()).is_ok());
}

#[test]
fn a_server_that_ends_is_gone_at_once_and_stays_gone() {
    let hang_up = |peer: &mut Peer, _: &[u8]| peer.0.shutdown(std::net::Shutdown::Both).unwrap();
    let mut bus = against(QUESTIONS, hang_up).unwrap();
    assert!(matches!(bus.read(Space::Bar0, &Probe::SCRATCH), Err(BusError::Gone(_))));
    assert!(matches!(bus.wait(Duration::from_secs(10)), Err(BusError::Gone(_))));
    assert!(bus.write(Space::Bar0, &Probe::SCRATCH, 1).is_err());
    assert!(bus.unmask().is_err());
    assert!(matches!(bus.dma(4096), Err(BusError::Gone(_))));
}

#[test]
fn a_refusal_at_any_step_is_told_with_its_reason() {
    for odd in 0..QUESTIONS {
        let refusal = against(odd, |peer, header| peer.answer(header, 95, &[])).err().unwrap();
        assert!(refusal.to_string().contains("refused"), "{odd}: {refusal}");
    }
}

#[test]
fn silence_at_any_step_ends_within_the_time_allowed() {
    for odd in 0..QUESTIONS {
        let refusal = against(odd, |_, _| ()).err().unwrap();
        assert!(refusal.to_string().contains("does not answer"), "{odd}: {refusal}");
    }
}

#[test]
fn the_answer_to_something_else_and_a_question_in_between_are_passed_over() {
    for odd in 0..QUESTIONS {
        let connected = against(odd, |peer, header| {
            let mut stale = header.to_vec();
            stale[0] = stale[0].wrapping_sub(1);
            peer.answer(&stale, 0, &[1, 2, 3]);
            // A DMA read, which this side does not serve.
            let mut question = vec![9, 9, 11, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            question.extend_from_slice(&[7; 4]);
            peer.0.write_all(&question).unwrap();
            peer.answer(header, 0, &Peer::good(header[2]));
            let (refusal, _) = peer.question().unwrap();
            assert_eq!((refusal[0], refusal[2], refusal[8]), (9, 11, 0x21));
        });
        assert!(connected.is_ok(), "{odd}: {:?}", connected.err());
    }
}

#[test]
fn a_million_octets_of_nonsense_never_panic_and_never_hang() {
    let mut rng = Rng::from_seed(21);
    for round in 0..250 {
        let odd = rng.below(QUESTIONS as u64) as usize;
        let mut nonsense: Vec<u8> = (0..4096).map(|_| rng.next_u64() as u8).collect();
        if round % 2 == 0 {
            // A header that could be one, so that what follows it is looked at.
            nonsense[..16].copy_from_slice(&[1, 0, 1, 0, 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
            nonsense[rng.below(16) as usize] ^= rng.next_u64() as u8;
        }
        let outcome = against(odd, move |peer, _| {
            let _ = peer.0.write_all(&nonsense);
            let _ = peer.0.shutdown(std::net::Shutdown::Both);
        });
        assert!(outcome.is_err());
    }
}
