//! What the service of a millisecond costs, without a bus: for benchmarks, which bring their own clock.

use core::cell::Cell;
use core::time::Duration;
use std::sync::Arc;

use bus::{
    Bus, BusError, DmaMemory, DmaRegion, Readable, Reg, SharedMapping, Space, Word, Writable,
};
use firmware_headers::{dma, model::TE410P_GEN5, pci, wct4xxp as regs};
use tdm::{Block, Instant, LineMode};

use crate::{Board, Line, Result, Settings};

/// A board whose registers cost nothing: VERSION, ident and index, and framers that are content.
struct Still {
    completed: Cell<u32>,
    ring: u32,
}

struct Plain(SharedMapping);

impl DmaMemory for Plain {
    fn read(&self, offset: usize, into: &mut [u8]) {
        let _ = self.0.read(offset, into);
    }
    fn write(&self, offset: usize, from: &[u8]) {
        let _ = self.0.write(offset, from);
    }
}

impl Still {
    fn register(&self, space: Space, offset: u32) -> u32 {
        let completed = self.completed.get();
        match (space, offset) {
            (Space::Config, at) if at == pci::VENDOR_ID.offset => TE410P_GEN5.vendor.into(),
            (Space::Config, at) if at == pci::DEVICE_ID.offset => TE410P_GEN5.device.into(),
            (Space::Config, at) if at == pci::SUBSYSTEM_VENDOR_ID.offset => 5,
            (Space::Bar0, at) if at == regs::VERSION.offset => regs::VERSION_FAMILY | 0x170,
            (Space::Bar0, at) if at == regs::INTR.offset => {
                regs::INTR_TICK | (completed % dma::IDENTS) << regs::INTR_IDENT_SHIFT
            }
            (Space::Bar0, at) if at == regs::RING.offset => {
                (completed % self.ring) << regs::RING_INDEX_SHIFT
            }
            _ => 0,
        }
    }
}

impl Bus for Still {
    fn read<W: Word, A: Readable>(&self, space: Space, reg: &Reg<W, A>) -> bus::Result<W> {
        Ok(W::from_u32(self.register(space, reg.offset)))
    }
    fn write<W: Word, A: Writable>(&self, _: Space, _: &Reg<W, A>, _: W) -> bus::Result<()> {
        Ok(())
    }
    fn dma(&self, octets: usize) -> bus::Result<DmaRegion> {
        let mapping = SharedMapping::memfd(octets)
            .map_err(|error| BusError::NoDma { octets, why: error.to_string() })?;
        let memory = Arc::new(Plain(mapping.0));
        Ok(DmaRegion { device_address: 0x1000_0000, len: octets, memory })
    }
    fn wait(&mut self, _: Duration) -> bus::Result<bool> {
        Ok(false)
    }
    fn unmask(&mut self) -> bus::Result<()> {
        Ok(())
    }
}

/// Sends back what came in.
struct Echo([Block; 4]);

impl Line for Echo {
    fn received(&mut self, port: usize, block: &Block) {
        if let Some(kept) = self.0.get_mut(port) {
            *kept = *block;
        }
    }
    fn transmit(&mut self, port: usize, block: &mut Block) {
        if let Some(kept) = self.0.get(port) {
            block.octets = kept.octets;
        }
    }
}

/// Four spans served both ways over a bus that costs nothing.
pub struct ServiceBench {
    board: Board<Still>,
    line: Echo,
    now: Instant,
}

impl ServiceBench {
    /// A board that runs.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Self> {
        let settings = Settings::quad(4, LineMode { crc4: true });
        let bus = Still { completed: Cell::new(0), ring: settings.ring.into() };
        let board = Board::start(bus, settings, Instant::seconds(0))?;
        let line = Echo([Block::idle(tdm::Law::A); 4]);
        Ok(Self { board, line, now: Instant::seconds(0) })
    }

    /// Serves `millis` milliseconds, each with its look, acknowledge and exchange.
    ///
    /// # Errors
    /// Never: this board does not go.
    pub fn run(&mut self, millis: u64) -> Result<()> {
        for _ in 0..millis {
            let completed = &self.board.bus().completed;
            completed.set(completed.get().wrapping_add(1));
            self.now = self.now.plus_millis(1);
            self.board.service(self.now, &mut self.line)?;
        }
        Ok(())
    }

    /// Milliseconds that crossed so far.
    pub const fn served(&self) -> u64 {
        self.board.stats().served
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This thread's time on a processor, in nanoseconds; other threads' load does not count.
    fn processor_nanos() -> u64 {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
    }

    /// The figure is printed, not judged: machines differ. Every millisecond has to cross.
    #[test]
    fn every_millisecond_of_the_bench_crosses() {
        const MILLIS: u64 = 100_000;
        let mut bench = ServiceBench::new().unwrap();
        let begun = processor_nanos();
        bench.run(MILLIS).unwrap();
        let each = (processor_nanos() - begun) / MILLIS;
        println!("service of four spans both ways: {each} ns");
        assert_eq!(bench.served(), MILLIS);
    }
}
