//! Wrappers around any [`Bus`]: one that watches, one that adds up what a slow bus would cost, one that
//! breaks.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use firmware_headers::{Readable, Reg, Word, Writable};

use crate::{Bus, BusError, DmaRegion, Result, Space};

/// One access to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where.
    pub space: Space,
    /// Bytes from the start of the space.
    pub offset: u32,
    /// 1, 2 or 4.
    pub octets: u8,
    /// A write; otherwise a read.
    pub write: bool,
    /// What was written, or what came back.
    pub value: u32,
}

/// Remembers every access, up to a limit.
pub struct Trace<B> {
    bus: B,
    seen: RefCell<Vec<Access>>,
    lost: Cell<u64>,
}

impl<B> Trace<B> {
    /// Around `bus`, with room for `accesses` until they are taken: no later access touches the heap.
    pub fn new(bus: B, accesses: usize) -> Self {
        Self { bus, seen: RefCell::new(Vec::with_capacity(accesses)), lost: Cell::new(0) }
    }

    /// The accesses since the last call, oldest first.
    pub fn taken(&self) -> Vec<Access> {
        let mut seen = self.seen.borrow_mut();
        let taken = seen.clone();
        seen.clear();
        taken
    }

    /// Accesses that found no room.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }

    fn note<W: Word>(&self, space: Space, offset: u32, write: bool, value: W) {
        let mut seen = self.seen.borrow_mut();
        if seen.len() < seen.capacity() {
            seen.push(Access { space, offset, octets: W::OCTETS, write, value: value.to_u32() });
        } else {
            self.lost.set(self.lost.get().wrapping_add(1));
        }
    }
}

impl<B: Bus> Bus for Trace<B> {
    fn read<W: Word, A: Readable>(&self, space: Space, reg: &Reg<W, A>) -> Result<W> {
        let value = self.bus.read(space, reg)?;
        self.note(space, reg.offset, false, value);
        Ok(value)
    }
    fn write<W: Word, A: Writable>(&self, space: Space, reg: &Reg<W, A>, to: W) -> Result<()> {
        self.bus.write(space, reg, to)?;
        self.note(space, reg.offset, true, to);
        Ok(())
    }
    fn dma(&self, octets: usize) -> Result<DmaRegion> {
        self.bus.dma(octets)
    }
    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        self.bus.wait(timeout)
    }
    fn unmask(&mut self) -> Result<()> {
        self.bus.unmask()
    }
}

/// Adds up what the accesses would take on a bus that needs this long for each. It does not sleep: a test
/// reads what was spent and moves its clock by it.
pub struct Delay<B> {
    bus: B,
    access_nanos: u64,
    spent_nanos: Cell<u64>,
    accesses: Cell<u64>,
}

impl<B> Delay<B> {
    /// Around `bus`; about 1,000 ns are a PCI read, 25,000 ns a message to another process.
    pub fn new(bus: B, access_nanos: u64) -> Self {
        Self { bus, access_nanos, spent_nanos: Cell::new(0), accesses: Cell::new(0) }
    }

    /// Accesses so far: reads, writes, unmaskings.
    pub fn accesses(&self) -> u64 {
        self.accesses.get()
    }

    /// Time spent since the last call.
    pub fn take_spent(&self) -> Duration {
        Duration::from_nanos(self.spent_nanos.take())
    }

    fn spend(&self) {
        self.accesses.set(self.accesses.get().wrapping_add(1));
        self.spent_nanos.set(self.spent_nanos.get().saturating_add(self.access_nanos));
    }
}

impl<B: Bus> Bus for Delay<B> {
    fn read<W: Word, A: Readable>(&self, space: Space, reg: &Reg<W, A>) -> Result<W> {
        self.spend();
        self.bus.read(space, reg)
    }
    fn write<W: Word, A: Writable>(&self, space: Space, reg: &Reg<W, A>, to: W) -> Result<()> {
        self.spend();
        self.bus.write(space, reg, to)
    }
    fn dma(&self, octets: usize) -> Result<DmaRegion> {
        self.bus.dma(octets)
    }
    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        self.bus.wait(timeout)
    }
    fn unmask(&mut self) -> Result<()> {
        self.spend();
        self.bus.unmask()
    }
}

/// How a board disappears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The bus says so: a closed socket.
    Gone,
    /// Reads give all ones, writes go nowhere, no interrupt comes: pulled out of its slot.
    AllOnes,
}

/// Lets a board disappear at a chosen access.
pub struct Break<B> {
    bus: B,
    left: Cell<u64>,
    how: Cell<Failure>,
}

impl<B> Break<B> {
    /// Around `bus`, whole until told otherwise.
    pub fn never(bus: B) -> Self {
        Self { bus, left: Cell::new(u64::MAX), how: Cell::new(Failure::Gone) }
    }

    /// `accesses` more succeed, then it is broken for good.
    pub fn after(&self, accesses: u64, how: Failure) {
        self.left.set(accesses);
        self.how.set(how);
    }

    /// Whether it broke already.
    pub fn is_broken(&self) -> bool {
        self.left.get() == 0
    }

    /// Counts one access; `None` when it still succeeds.
    fn broken(&self) -> Option<Failure> {
        match self.left.get() {
            0 => Some(self.how.get()),
            u64::MAX => None,
            left => {
                self.left.set(left - 1);
                None
            }
        }
    }

    fn refusal() -> BusError {
        BusError::Gone("it was broken on purpose".into())
    }
}

impl<B: Bus> Bus for Break<B> {
    fn read<W: Word, A: Readable>(&self, space: Space, reg: &Reg<W, A>) -> Result<W> {
        match self.broken() {
            None => self.bus.read(space, reg),
            Some(Failure::AllOnes) => Ok(W::from_u32(u32::MAX)),
            Some(Failure::Gone) => Err(Self::refusal()),
        }
    }
    fn write<W: Word, A: Writable>(&self, space: Space, reg: &Reg<W, A>, to: W) -> Result<()> {
        match self.broken() {
            None => self.bus.write(space, reg, to),
            Some(Failure::AllOnes) => Ok(()),
            Some(Failure::Gone) => Err(Self::refusal()),
        }
    }
    fn dma(&self, octets: usize) -> Result<DmaRegion> {
        match self.broken() {
            None | Some(Failure::AllOnes) => self.bus.dma(octets),
            Some(Failure::Gone) => Err(Self::refusal()),
        }
    }
    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        match self.broken() {
            None => self.bus.wait(timeout),
            Some(Failure::AllOnes) => Ok(false),
            Some(Failure::Gone) => Err(Self::refusal()),
        }
    }
    fn unmask(&mut self) -> Result<()> {
        match self.broken() {
            None => self.bus.unmask(),
            Some(Failure::AllOnes) => Ok(()),
            Some(Failure::Gone) => Err(Self::refusal()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::Probe;
    use crate::in_process;

    #[test]
    fn a_trace_has_every_access_in_order_and_counts_what_found_no_room() {
        let bus = Trace::new(in_process(Probe::default()).0, 2);
        bus.write(Space::Bar0, &Probe::SCRATCH, 5).unwrap();
        assert_eq!(bus.read(Space::Bar0, &Probe::SCRATCH).unwrap(), 5);
        bus.read(Space::Bar0, &Probe::SCRATCH).unwrap();
        let (space, offset, octets) = (Space::Bar0, Probe::SCRATCH.offset, 4);
        let access = |write| Access { space, offset, octets, write, value: 5 };
        assert_eq!(bus.taken(), [access(true), access(false)]);
        assert_eq!((bus.taken(), bus.lost()), (Vec::new(), 1));
    }

    #[test]
    fn a_delay_adds_up_without_sleeping() {
        let bus = Delay::new(in_process(Probe::default()).0, 25_000);
        for n in 0..40 {
            bus.write(Space::Bar0, &Probe::SCRATCH, n).unwrap();
        }
        assert_eq!(bus.take_spent(), Duration::from_millis(1));
        assert_eq!((bus.accesses(), bus.take_spent()), (40, Duration::ZERO));
    }

    #[test]
    fn a_break_comes_at_the_access_it_was_set_to() {
        for how in [Failure::Gone, Failure::AllOnes] {
            let bus = Break::never(in_process(Probe::default()).0);
            bus.write(Space::Bar0, &Probe::SCRATCH, 9).unwrap();
            bus.after(2, how);
            for _ in 0..2 {
                assert_eq!(bus.read(Space::Bar0, &Probe::SCRATCH).unwrap(), 9);
            }
            let third = bus.read(Space::Bar0, &Probe::SCRATCH);
            match how {
                Failure::Gone => assert!(third.is_err()),
                Failure::AllOnes => assert_eq!(third.unwrap(), u32::MAX),
            }
            assert!(bus.is_broken());
        }
    }
}
