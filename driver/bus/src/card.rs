//! The card's side: what an emulated function answers, and the memory it masters.

use crate::Space;

/// Host memory as a bus master sees it.
pub trait HostMemory {
    /// Copies from `address`; `false`, and nothing copied, when a part of the range is not mapped.
    fn fetch(&self, address: u64, into: &mut [u8]) -> bool;
    /// Copies to `address`; `false`, and nothing copied, when a part of the range is not mapped writable.
    fn store(&self, address: u64, from: &[u8]) -> bool;
}

/// An emulated PCI function: plain data behind two accesses, one line and one clock.
pub trait Device: Send {
    /// A read of `octets` (1, 2 or 4) at `offset`. What nobody decodes reads as all ones.
    fn read(&mut self, space: Space, offset: u32, octets: u8) -> u32;
    /// A write of `octets` (1, 2 or 4) at `offset`. What nobody decodes is ignored.
    fn write(&mut self, space: Space, offset: u32, octets: u8, value: u32);
    /// Whether INTx is asserted: a level.
    fn interrupt(&self) -> bool;
    /// Lets one millisecond of the card's own clock pass.
    fn millisecond(&mut self, memory: &dyn HostMemory);
    /// Bytes of BAR 0.
    fn bar0_octets(&self) -> u32;
    /// Function reset: as after power-up.
    fn reset(&mut self);
}
