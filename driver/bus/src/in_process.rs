//! The back end without a process boundary: driver and emulated card are two handles on one card.
//!
//! The interrupt behaves as the kernel's VFIO makes it: it fires once when the level of INTx rises while
//! it is not masked, is masked by that, and fires again after `unmask` while the level is still there. An
//! interrupt that fired stays pending when the level falls: the driver then finds nothing to do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use firmware_headers::{Readable, Reg, Word, Writable};

use crate::addresses::{self, Regions, SharedRegions};
use crate::{
    Bus, BusError, Device, DmaMemory, DmaRegion, HostMemory, Result, SharedMapping, Space,
};

/// The two handles on `device`: the host's and the card's.
pub fn in_process<D: Device>(device: D) -> (InProcess<D>, Card<D>) {
    let state = State { device, masked: false, pending: false, plugged: true, generation: 0 };
    let slot = Arc::new(Slot {
        state: Mutex::new(state),
        fired: Condvar::new(),
        regions: SharedRegions::default(),
        refused: AtomicU64::new(0),
    });
    (InProcess { slot: Arc::clone(&slot), generation: 0 }, Card { slot })
}

struct Slot<D> {
    state: Mutex<State<D>>,
    fired: Condvar,
    regions: SharedRegions,
    refused: AtomicU64,
}

struct State<D> {
    device: D,
    masked: bool,
    pending: bool,
    plugged: bool,
    /// Counts how often the board was plugged in: a handle of an earlier time is dead.
    generation: u64,
}

impl<D: Device> State<D> {
    /// Fires when the level asks for it; `true` when somebody may be waiting for that.
    fn fire(&mut self) -> bool {
        let fires = !self.masked && self.plugged && self.device.interrupt();
        if fires {
            (self.masked, self.pending) = (true, true);
        }
        fires
    }
}

impl<D: Device> Slot<D> {
    fn lock(&self) -> MutexGuard<'_, State<D>> {
        // A card that panicked in another thread is still a card: its state is plain data.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, work: impl FnOnce(&mut D) -> T) -> T {
        let mut state = self.lock();
        let result = work(&mut state.device);
        if state.fire() {
            self.fired.notify_all();
        }
        result
    }
}

/// The host's handle.
pub struct InProcess<D> {
    slot: Arc<Slot<D>>,
    generation: u64,
}

impl<D: Device> InProcess<D> {
    fn state(&self) -> Result<MutexGuard<'_, State<D>>> {
        let state = self.slot.lock();
        if state.plugged && state.generation == self.generation {
            Ok(state)
        } else {
            Err(BusError::Gone("it was pulled out of its slot".into()))
        }
    }
}

impl<D: Device> Bus for InProcess<D> {
    fn read<W: Word, A: Readable>(&self, space: Space, reg: &Reg<W, A>) -> Result<W> {
        let mut state = self.state()?;
        let value = state.device.read(space, reg.offset, W::OCTETS);
        if state.fire() {
            self.slot.fired.notify_all();
        }
        Ok(W::from_u32(value))
    }

    fn write<W: Word, A: Writable>(&self, space: Space, reg: &Reg<W, A>, to: W) -> Result<()> {
        let mut state = self.state()?;
        state.device.write(space, reg.offset, W::OCTETS, to.to_u32());
        if state.fire() {
            self.slot.fired.notify_all();
        }
        Ok(())
    }

    fn dma(&self, octets: usize) -> Result<DmaRegion> {
        drop(self.state()?);
        let refused = |error: std::io::Error| BusError::NoDma { octets, why: error.to_string() };
        let (mapping, _) =
            SharedMapping::memfd(addresses::whole_pages(octets)?).map_err(refused)?;
        let mapping = Arc::new(mapping);
        let device_address = addresses::lock(&self.slot.regions).insert(Arc::clone(&mapping))?;
        let regions = Arc::clone(&self.slot.regions);
        let memory = Arc::new(Memory { mapping, device_address, regions });
        Ok(DmaRegion { device_address, len: octets, memory })
    }

    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let mut deadline = None;
        let mut state = self.state()?;
        loop {
            if state.pending {
                state.pending = false;
                return Ok(true);
            }
            if timeout.is_zero() {
                return Ok(false);
            }
            let now = Instant::now();
            let until = *deadline.get_or_insert_with(|| now + timeout);
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                return Ok(false);
            }
            let (woken, _) =
                self.slot.fired.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if !state.plugged || state.generation != self.generation {
                return Err(BusError::Gone("it was pulled out of its slot".into()));
            }
        }
    }

    fn unmask(&mut self) -> Result<()> {
        let mut state = self.state()?;
        state.masked = false;
        if state.fire() {
            self.slot.fired.notify_all();
        }
        Ok(())
    }
}

/// The card's handle: its clock, its lines, and the hand that pulls it out.
pub struct Card<D> {
    slot: Arc<Slot<D>>,
}

impl<D> Clone for Card<D> {
    fn clone(&self) -> Self {
        Self { slot: Arc::clone(&self.slot) }
    }
}

impl<D: Device> Card<D> {
    /// Lets one millisecond of the card's clock pass.
    pub fn millisecond(&self) {
        let regions = addresses::lock(&self.slot.regions);
        let memory = Mastered { regions: &regions, refused: &self.slot.refused };
        self.slot.change(|device| device.millisecond(&memory));
    }

    /// Works on the card itself: its lines, its faults. `work` must not use the host's handle.
    pub fn with<T>(&self, work: impl FnOnce(&mut D) -> T) -> T {
        self.slot.change(work)
    }

    /// How many DMA transfers left the mapped regions and were refused.
    pub fn dma_refused(&self) -> u64 {
        self.slot.refused.load(Ordering::Relaxed)
    }

    /// Pulls the card: every handle of the host answers [`BusError::Gone`] from now on.
    pub fn pull(&self) {
        self.slot.lock().plugged = false;
        self.slot.fired.notify_all();
    }

    /// Plugs the card in again, as after power-up; older handles of the host stay dead.
    pub fn plug(&self) -> InProcess<D> {
        let mut state = self.slot.lock();
        state.device.reset();
        state.generation = state.generation.wrapping_add(1);
        (state.plugged, state.masked, state.pending) = (true, false, false);
        InProcess { slot: Arc::clone(&self.slot), generation: state.generation }
    }
}

/// Host memory as the card's DMA reaches it.
struct Mastered<'a> {
    regions: &'a Regions,
    refused: &'a AtomicU64,
}

impl Mastered<'_> {
    fn counted(&self, done: bool) -> bool {
        if !done {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        done
    }
}

impl HostMemory for Mastered<'_> {
    fn fetch(&self, address: u64, into: &mut [u8]) -> bool {
        let found = self.regions.find(address, into.len());
        self.counted(found.is_some_and(|(mapping, offset)| mapping.read(offset, into)))
    }
    fn store(&self, address: u64, from: &[u8]) -> bool {
        let found = self.regions.find(address, from.len());
        self.counted(found.is_some_and(|(mapping, offset)| mapping.write(offset, from)))
    }
}

/// The host's view of a region; dropped, the card's accesses to it are refused.
struct Memory {
    mapping: Arc<SharedMapping>,
    device_address: u32,
    regions: SharedRegions,
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
        addresses::lock(&self.regions).remove(self.device_address);
    }
}
