//! The back end over the kernel's VFIO: a function in this machine, behind an IOMMU, without a driver of the
//! kernel's and without root.
//!
//! Container and group, as every kernel since 4.0 has them (the newer character device of a function is not in
//! the kernels of a stable distribution yet). Registers are mapped where the kernel allows it; a board whose
//! 128 octets share a page with another's are read and written through the file. DMA memory is a memory file
//! of this process, mapped at addresses below 4 GiB that the IOMMU can reach.

mod calls;
mod check;
mod error;
mod group;
mod registers;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use firmware_headers::{Readable, Reg, Word, Writable};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use vfio_bindings::bindings::vfio;

use crate::pci::{self, Function, PciAddress};
use crate::{Bus, BusError, DmaRegion, Result, Space};
use calls::RegionPlace;
pub use check::could_open;
pub use error::OpenError;
use group::{Group, Lent};
use registers::Registers;

/// How the registers of BAR 0 are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registering {
    /// Mapped, or through the file where the kernel does not map them.
    #[default]
    Best,
    /// Through the file in any case.
    Copied,
}

/// Which interrupt is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Armed {
    Intx,
    Msi,
}

/// A PCI function of this machine.
pub struct Vfio {
    function: Function,
    device: File,
    bar0: Registers,
    config: Registers,
    interrupt: EventFd,
    armed: Armed,
    /// The kernel wants the function back: somebody unbinds it, or pulls it.
    requested: Option<EventFd>,
    resettable: bool,
    /// Last, so that the device is closed before its group.
    lent: Lent,
}

impl Vfio {
    /// Opens the function at `at`, resets it when it can be, and arms its interrupt.
    ///
    /// # Errors
    /// [`OpenError`], which names the cure.
    pub fn open(at: PciAddress, registering: Registering) -> std::result::Result<Self, OpenError> {
        let sysfs = Path::new(pci::SYSFS);
        let function = pci::function(sysfs, at).ok_or(OpenError::Absent { at })?;
        if function.group.is_none() {
            return Err(OpenError::NoGroup { at });
        }
        if function.driver.as_deref() != Some("vfio-pci") {
            return Err(OpenError::NotBound { at, driver: function.driver });
        }
        let group = Group::of(&function)?;
        let (lent, device) = group.device(at)?;
        let device = File::from(device);
        let refused = |what| move |why: io::Error| OpenError::Refused { at, what, why };
        let flags = calls::device_flags(device.as_fd()).map_err(refused("to describe it"))?;
        let resettable = flags & vfio::VFIO_DEVICE_FLAGS_RESET != 0;
        if resettable {
            calls::reset(device.as_fd()).map_err(refused("the reset"))?;
        }
        let bar0 = region(&device, at, vfio::VFIO_PCI_BAR0_REGION_INDEX, "BAR 0")?;
        let config =
            region(&device, at, vfio::VFIO_PCI_CONFIG_REGION_INDEX, "configuration space")?;
        let bar0 = match registering {
            Registering::Best if bar0.flags & vfio::VFIO_REGION_INFO_FLAG_MMAP != 0 => {
                Registers::mapped(bar0, &device).unwrap_or_else(|_| Registers::copied(bar0))
            }
            Registering::Best | Registering::Copied => Registers::copied(bar0),
        };
        let event = || EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let interrupt = event().map_err(|error| refused("an event")(error.into()))?;
        arm_intx(&device, &function, &interrupt)?;
        // An old kernel does not tell that it wants the function back.
        let requested = event().ok().filter(|requested| {
            calls::trigger(device.as_fd(), vfio::VFIO_PCI_REQ_IRQ_INDEX, requested.as_fd()).is_ok()
        });
        let config = Registers::copied(config);
        let armed = Armed::Intx;
        Ok(Self { function, device, bar0, config, interrupt, armed, requested, resettable, lent })
    }

    /// What the kernel knows of it.
    pub const fn function(&self) -> &Function {
        &self.function
    }
    /// Whether BAR 0 is mapped into this process.
    pub fn is_mapped(&self) -> bool {
        self.bar0.is_mapped()
    }
    /// Whether it could be reset when it was opened. One that could not may still do what the last user let it.
    pub const fn is_resettable(&self) -> bool {
        self.resettable
    }

    /// Uses the function's first message interrupt in place of INTx. It is never masked: [`Bus::unmask`] has
    /// nothing to do then.
    ///
    /// # Errors
    /// [`OpenError`] when it has none; INTx is armed then as before.
    pub fn use_msi(&mut self) -> std::result::Result<(), OpenError> {
        let at = self.function.address;
        let refused = |what| move |why: io::Error| OpenError::Refused { at, what, why };
        let msi = vfio::VFIO_PCI_MSI_IRQ_INDEX;
        if calls::interrupts(self.device.as_fd(), msi).map_err(refused("to count them"))? == 0 {
            return Err(OpenError::NotABoard { at, what: "message interrupt" });
        }
        calls::disarm(self.device.as_fd(), vfio::VFIO_PCI_INTX_IRQ_INDEX)
            .map_err(refused("to take INTx down"))?;
        match calls::trigger(self.device.as_fd(), msi, self.interrupt.as_fd()) {
            Ok(()) => {
                self.armed = Armed::Msi;
                Ok(())
            }
            Err(why) => {
                arm_intx(&self.device, &self.function, &self.interrupt)?;
                Err(refused("the message interrupt")(why))
            }
        }
    }

    fn registers(&self, space: Space, offset: u32, octets: u8) -> Result<&Registers> {
        let registers = match space {
            Space::Config => &self.config,
            Space::Bar0 => &self.bar0,
        };
        let (size, end) = (registers.octets(), u64::from(offset) + u64::from(octets));
        if end > size || !offset.is_multiple_of(octets.into()) {
            let why = format!("{space:?} has {size} octets, and an access ends at {end}");
            return Err(BusError::Gone(why));
        }
        Ok(registers)
    }
}

fn region(
    device: &File,
    at: PciAddress,
    index: u32,
    what: &'static str,
) -> std::result::Result<RegionPlace, OpenError> {
    const BOTH: u32 = vfio::VFIO_REGION_INFO_FLAG_READ | vfio::VFIO_REGION_INFO_FLAG_WRITE;
    let place = calls::region(device.as_fd(), index).map_err(|why| OpenError::Refused {
        at,
        what: "to describe a region",
        why,
    })?;
    if place.flags & BOTH != BOTH || place.octets == 0 {
        return Err(OpenError::NotABoard { at, what });
    }
    Ok(place)
}

fn arm_intx(
    device: &File,
    function: &Function,
    interrupt: &EventFd,
) -> std::result::Result<(), OpenError> {
    let at = function.address;
    let intx = vfio::VFIO_PCI_INTX_IRQ_INDEX;
    match calls::interrupts(device.as_fd(), intx) {
        Ok(0) => return Err(OpenError::NotABoard { at, what: "INTx" }),
        Ok(_) => {}
        Err(why) => return Err(OpenError::Refused { at, what: "to count interrupts", why }),
    }
    calls::trigger(device.as_fd(), intx, interrupt.as_fd()).map_err(|why| {
        match why.raw_os_error() {
            Some(libc::EBUSY) => OpenError::SharedInterrupt { at, line: function.interrupt },
            _ => OpenError::Refused { at, what: "its interrupt", why },
        }
    })
}

fn gone(error: &io::Error) -> BusError {
    BusError::Gone(format!("the kernel says: {error}"))
}

impl Bus for Vfio {
    fn read<W: Word, A: Readable>(&self, space: Space, reg: &Reg<W, A>) -> Result<W> {
        let registers = self.registers(space, reg.offset, W::OCTETS)?;
        let value = registers.read(&self.device, reg.offset, W::OCTETS);
        value.map(W::from_u32).map_err(|error| gone(&error))
    }

    fn write<W: Word, A: Writable>(&self, space: Space, reg: &Reg<W, A>, to: W) -> Result<()> {
        let registers = self.registers(space, reg.offset, W::OCTETS)?;
        let written = registers.write(&self.device, reg.offset, W::OCTETS, to.to_u32());
        written.map_err(|error| gone(&error))
    }

    fn dma(&self, octets: usize) -> Result<DmaRegion> {
        self.lent.group.dma(octets)
    }

    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let interrupt = PollFd::new(self.interrupt.as_fd(), PollFlags::POLLIN);
            let requested = self.requested.as_ref().unwrap_or(&self.interrupt);
            let mut both = [interrupt, PollFd::new(requested.as_fd(), PollFlags::POLLIN)];
            match ppoll(&mut both, Some(TimeSpec::from_duration(left)), None) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(BusError::Gone(error.to_string())),
            }
            if self.requested.as_ref().is_some_and(|requested| requested.read().is_ok()) {
                return Err(BusError::Gone("its kernel driver is being taken away".into()));
            }
            if self.interrupt.read().is_ok() {
                return Ok(true);
            }
        }
    }

    fn unmask(&mut self) -> Result<()> {
        match self.armed {
            Armed::Intx => calls::unmask_intx(self.device.as_fd()).map_err(|error| gone(&error)),
            Armed::Msi => Ok(()),
        }
    }
}
