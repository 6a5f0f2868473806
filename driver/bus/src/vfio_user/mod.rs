//! The back end over a vfio-user socket: a function that another process emulates.
//!
//! Reads are asked and answered. Writes and unmaskings are told: they arrive in order, and before any
//! later read is answered. DMA memory is a memory file of this process that the other side maps.

mod connection;
mod message;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use firmware_headers::{Readable, Reg, Word, Writable};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;

use crate::addresses::{self, SharedRegions};
use crate::{Bus, BusError, DmaMemory, DmaRegion, Result, SharedMapping, Space};
use connection::{Connection, Failure};
use message::{
    BAR0_REGION, CONFIG_REGION, Command, DeviceInfo, INTX_INDEX, IrqAction, IrqInfo, Reader,
    RegionInfo, Writer,
};

/// How long the other side may take to answer. It is another process on this machine: two seconds are a
/// process that was stopped, not one that is busy.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Offset, region and count that every access begins with.
const ACCESS_OCTETS: usize = 16;

type SharedConnection = Arc<Mutex<Connection>>;

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic elsewhere may have left half a message behind; the next answer will not fit, and ends it.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A PCI function behind a socket.
pub struct VfioUser {
    connection: SharedConnection,
    /// A second descriptor of the socket, to notice its end while waiting without the lock.
    socket: OwnedFd,
    interrupt: EventFd,
    regions: SharedRegions,
    config_octets: u64,
    bar0_octets: u64,
}

impl VfioUser {
    /// Connects to the function served at `path`, resets it when it can be, and arms its interrupt.
    ///
    /// # Errors
    /// [`BusError::Gone`] when nobody serves there, or somebody who does not speak the protocol or serves
    /// no PCI function with a BAR 0 and INTx.
    pub fn connect(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path)
            .map_err(|error| BusError::Gone(format!("{}: {error}", path.display())))?;
        Self::over(stream, ANSWER_TIMEOUT)
    }

    /// As [`VfioUser::connect`], over a connected socket and with another limit to the other side's
    /// silence.
    ///
    /// # Errors
    /// As [`VfioUser::connect`].
    pub fn over(stream: UnixStream, timeout: Duration) -> Result<Self> {
        let system = |error: std::io::Error| BusError::Gone(error.to_string());
        let socket = stream.as_fd().try_clone_to_owned().map_err(system)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let interrupt = EventFd::from_flags(flags).map_err(|error| system(error.into()))?;
        let mut connection = Connection::new(stream, timeout).map_err(system)?;

        negotiate(&mut connection)?;
        let device = describe(&mut connection)?;
        let [bar0_octets, config_octets] = [
            region_octets(&mut connection, BAR0_REGION)?,
            region_octets(&mut connection, CONFIG_REGION)?,
        ];
        if device.can_reset {
            connection.ask(Command::Reset, &[], &[], &mut []).map_err(refused("the reset"))?;
        }
        arm(&mut connection, &interrupt)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            socket,
            interrupt,
            regions: SharedRegions::default(),
            config_octets,
            bar0_octets,
        })
    }

    /// Puts the function into the state after power-up.
    ///
    /// # Errors
    /// [`BusError::Gone`], also when the function cannot be reset.
    pub fn reset(&self) -> Result<()> {
        let answer = lock(&self.connection).ask(Command::Reset, &[], &[], &mut []);
        answer.map(drop).map_err(refused("the reset"))
    }

    /// Region and offset of an access that lies inside its region.
    fn place(&self, space: Space, offset: u32, octets: u8) -> Result<(u32, u64)> {
        let (region, size) = match space {
            Space::Config => (CONFIG_REGION, self.config_octets),
            Space::Bar0 => (BAR0_REGION, self.bar0_octets),
        };
        let end = u64::from(offset) + u64::from(octets);
        if end > size {
            let why = format!("{space:?} has {size} octets, and an access ends at {end}");
            return Err(BusError::Gone(why));
        }
        Ok((region, offset.into()))
    }
}

/// Turns a failure into the bus's word for it.
fn refused(what: &'static str) -> impl FnOnce(Failure) -> BusError {
    move |failure| BusError::Gone(failure.explain(what))
}

/// Both sides name their version: the major one has to be the same.
fn negotiate(connection: &mut Connection) -> Result<()> {
    const CAPABILITIES: &[u8] =
        b"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576}}\0";
    let mut payload = [0; 4 + CAPABILITIES.len()];
    Writer::new(&mut payload).u16(0).u16(1).octets(CAPABILITIES);
    let mut answer = [0; 4];
    let octets = connection
        .ask(Command::Version, &payload, &[], &mut answer)
        .map_err(refused("the protocol version"))?;
    let major = Reader::new(&answer).u16();
    if octets < answer.len() || major != 0 {
        return Err(BusError::Gone(format!("it speaks version {major} of vfio-user, not 0")));
    }
    Ok(())
}

fn describe(connection: &mut Connection) -> Result<DeviceInfo> {
    let mut payload = [0; DeviceInfo::OCTETS];
    Writer::new(&mut payload).u32(DeviceInfo::OCTETS as u32);
    let mut answer = [0; DeviceInfo::OCTETS];
    connection
        .ask(Command::DeviceInfo, &payload, &[], &mut answer)
        .map_err(refused("to describe itself"))?;
    let device = DeviceInfo::of(&answer);
    if !device.is_pci || device.regions <= CONFIG_REGION || device.irqs == 0 {
        let DeviceInfo { regions, irqs, .. } = device;
        let why = format!("it serves no PCI function: {regions} regions, {irqs} interrupts");
        return Err(BusError::Gone(why));
    }
    Ok(device)
}

fn region_octets(connection: &mut Connection, index: u32) -> Result<u64> {
    let mut payload = [0; RegionInfo::OCTETS];
    Writer::new(&mut payload).u32(RegionInfo::OCTETS as u32).u32(0).u32(index);
    let mut answer = [0; RegionInfo::OCTETS];
    connection
        .ask(Command::RegionInfo, &payload, &[], &mut answer)
        .map_err(refused("to describe a region"))?;
    let region = RegionInfo::of(&answer);
    if !(region.readable && region.writable) || region.octets == 0 {
        return Err(BusError::Gone(format!("its region {index} cannot be read and written")));
    }
    Ok(region.octets)
}

/// Ties INTx to `interrupt`, and tries mask and unmask once with an answer: later they are told.
fn arm(connection: &mut Connection, interrupt: &EventFd) -> Result<()> {
    let mut payload = [0; IrqInfo::OCTETS];
    Writer::new(&mut payload).u32(IrqInfo::OCTETS as u32).u32(0).u32(INTX_INDEX);
    let mut answer = [0; IrqInfo::OCTETS];
    connection
        .ask(Command::IrqInfo, &payload, &[], &mut answer)
        .map_err(refused("to describe its interrupt"))?;
    let irq = IrqInfo::of(&answer);
    if irq.count == 0 || !irq.by_eventfd || !irq.maskable {
        return Err(BusError::Gone(format!("it has no INTx that can be masked: {irq:?}")));
    }
    for action in [IrqAction::Trigger, IrqAction::Mask, IrqAction::Unmask] {
        let event = [interrupt.as_fd()];
        let beside: &[_] = if matches!(action, IrqAction::Trigger) { &event } else { &[] };
        connection
            .ask(Command::SetIrqs, &action.to_octets(), beside, &mut [])
            .map_err(refused("to set its interrupt"))?;
    }
    Ok(())
}

impl Bus for VfioUser {
    fn read<W: Word, A: Readable>(&self, space: Space, reg: &Reg<W, A>) -> Result<W> {
        let (region, offset) = self.place(space, reg.offset, W::OCTETS)?;
        let mut payload = [0; ACCESS_OCTETS];
        Writer::new(&mut payload).u64(offset).u32(region).u32(W::OCTETS.into());
        let mut answer = [0; ACCESS_OCTETS + 4];
        let octets = lock(&self.connection)
            .ask(Command::RegionRead, &payload, &[], &mut answer)
            .map_err(refused("a read"))?;
        if octets < ACCESS_OCTETS + usize::from(W::OCTETS) {
            return Err(BusError::Gone(format!("a read was answered with {octets} octets")));
        }
        let (_, value) = answer.split_at(ACCESS_OCTETS);
        Ok(W::from_u32(Reader::new(value).u32()))
    }

    fn write<W: Word, A: Writable>(&self, space: Space, reg: &Reg<W, A>, to: W) -> Result<()> {
        let (region, offset) = self.place(space, reg.offset, W::OCTETS)?;
        let mut payload = [0; ACCESS_OCTETS + 4];
        let octets = usize::from(W::OCTETS);
        Writer::new(&mut payload)
            .u64(offset)
            .u32(region)
            .u32(W::OCTETS.into())
            .u32(to.to_u32().to_le());
        let payload = payload.get(..ACCESS_OCTETS + octets).unwrap_or_default();
        lock(&self.connection).tell(Command::RegionWrite, payload).map_err(refused("a write"))
    }

    fn dma(&self, octets: usize) -> Result<DmaRegion> {
        let size = addresses::whole_pages(octets)?;
        let no_dma = |why: String| BusError::NoDma { octets, why };
        let (mapping, file) =
            SharedMapping::memfd(size).map_err(|error| no_dma(error.to_string()))?;
        let mapping = Arc::new(mapping);
        let device_address = addresses::lock(&self.regions).insert(Arc::clone(&mapping))?;
        let mut payload = [0; MAP_OCTETS];
        Writer::new(&mut payload)
            .u32(MAP_OCTETS as u32)
            .u32(READ_AND_WRITE)
            .u64(0)
            .u64(device_address.into())
            .u64(size as u64);
        let mapped =
            lock(&self.connection).ask(Command::DmaMap, &payload, &[file.as_fd()], &mut []);
        let connection = Arc::clone(&self.connection);
        let regions = Arc::clone(&self.regions);
        match mapped {
            Ok(_) => {
                let memory = Memory { mapping, device_address, regions, connection };
                Ok(DmaRegion { device_address, len: octets, memory: Arc::new(memory) })
            }
            Err(failure) => {
                addresses::lock(&regions).remove(device_address);
                Err(match failure {
                    Failure::Gone(why) => BusError::Gone(why),
                    refusal @ Failure::Refused(_) => no_dma(refusal.explain("to map it")),
                })
            }
        }
    }

    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut both = [
                PollFd::new(self.interrupt.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.socket.as_fd(), PollFlags::empty()),
            ];
            match ppoll(&mut both, Some(TimeSpec::from_duration(left)), None) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(BusError::Gone(error.to_string())),
            }
            let happened = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
            let [event, socket] = both;
            if happened(&event) && self.interrupt.read().is_ok() {
                return Ok(true);
            }
            if happened(&socket) {
                return Err(BusError::Gone("the process behind it ended".into()));
            }
        }
    }

    fn unmask(&mut self) -> Result<()> {
        let payload = IrqAction::Unmask.to_octets();
        lock(&self.connection).tell(Command::SetIrqs, &payload).map_err(refused("to unmask"))
    }
}

const MAP_OCTETS: usize = 32;
const UNMAP_OCTETS: usize = 24;
const READ_AND_WRITE: u32 = 0b11;

/// The host's view of a region that the other side maps as well.
struct Memory {
    mapping: Arc<SharedMapping>,
    device_address: u32,
    regions: SharedRegions,
    connection: SharedConnection,
}

impl DmaMemory for Memory {
    fn read(&self, offset: usize, into: &mut [u8]) {
        if !self.mapping.read(offset, into) {
            into.fill(0);
        }
    }
    fn write(&self, offset: usize, from: &[u8]) {
        let _ = self.mapping.write(offset, from);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let mut payload = [0; UNMAP_OCTETS];
        Writer::new(&mut payload)
            .u32(UNMAP_OCTETS as u32)
            .u32(0)
            .u64(self.device_address.into())
            .u64(self.mapping.octets() as u64);
        // Answered or not, the memory goes: with a dead connection nobody is left to write to it.
        let _ = lock(&self.connection).ask(Command::DmaUnmap, &payload, &[], &mut []);
        addresses::lock(&self.regions).remove(self.device_address);
    }
}
