//! What the service of a millisecond costs, without a bus: for benchmarks, which bring their own clock.

use core::cell::Cell;
use core::time::Duration;
use std::sync::Arc;

use bus::{
    Bus, BusError, DmaMemory, DmaRegion, Readable, Reg, SharedMapping, Space, Word, Writable,
};
use firmware_headers::model::{Model, TE410P_GEN5, TE820};
use firmware_headers::{dma, pci, wct4xxp as regs};
use tdm::{Block, Instant};

use crate::framer::Mode;
use crate::{Board, Line, PORTS_MAX, Result, Settings};

/// A board whose registers cost nothing: VERSION, ident and index, and framers that are content.
struct Still {
    model: Model,
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
            (Space::Config, at) if at == pci::VENDOR_ID.offset => self.model.vendor.into(),
            (Space::Config, at) if at == pci::DEVICE_ID.offset => self.model.device.into(),
            (Space::Config, at) if at == pci::SUBSYSTEM_VENDOR_ID.offset => 5,
            (Space::Bar0, at) if at == regs::VERSION.offset => regs::VERSION_FAMILY | 0x170,
            (Space::Bar0, at) if at == regs::INTR.offset => {
                regs::INTR_TICK | (completed % dma::IDENTS) << regs::INTR_IDENT_SHIFT
            }
            (Space::Bar0, at) if at == regs::LEDS2.offset => regs::LEDS2_AUTHENTICATED,
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
struct Echo([Block; PORTS_MAX]);

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

/// All spans of a board served both ways over a bus that costs nothing.
pub struct ServiceBench {
    board: Board<Still>,
    line: Echo,
    now: Instant,
}

impl ServiceBench {
    /// A board of four spans that runs.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Self> {
        Self::of(TE410P_GEN5)
    }
    /// A board of eight spans that runs.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn eight_spans() -> Result<Self> {
        Self::of(TE820)
    }

    fn of(model: Model) -> Result<Self> {
        let settings = Settings::quad(model.spans.into(), Mode::e1(true));
        let bus = Still { model, completed: Cell::new(0), ring: settings.ring.into() };
        let board = Board::start(bus, settings, Instant::seconds(0))?;
        let line = Echo([Block::idle(tdm::Law::A); PORTS_MAX]);
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

    /// The best of some runs: what else the machine does only makes them longer.
    #[test]
    fn eight_spans_are_served_both_ways_within_three_microseconds() {
        const MILLIS: u64 = 5_000;
        const RUNS: u64 = 20;
        for (spans, limit, bench) in
            [(4, 1_500, ServiceBench::new()), (8, 3_000, ServiceBench::eight_spans())]
        {
            let mut bench = bench.unwrap();
            let mut best = u64::MAX;
            for _ in 0..RUNS {
                let begun = processor_nanos();
                bench.run(MILLIS).unwrap();
                best = best.min((processor_nanos() - begun) / MILLIS);
            }
            println!("service of {spans} spans both ways: {best} ns");
            assert_eq!(bench.served(), MILLIS * RUNS);
            assert!(best <= limit, "{spans} spans: {best} ns");
        }
    }
}
