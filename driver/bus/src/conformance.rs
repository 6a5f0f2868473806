//! One behaviour for every back end: a card made for being tested, and the suite that tests it.
//!
//! A back end's test makes a [`Probe`] reachable through it and calls [`check`] with the bus and a way to
//! let the card's milliseconds pass.
#![allow(clippy::missing_panics_doc)]

use std::time::{Duration, Instant};

use firmware_headers::{ReadOnly, ReadWrite, Reg, WriteOnly, pci};

use crate::{Bus, BusError, Device, HostMemory, Space};

/// Where a served card that has no other clock can be told to let a millisecond pass; reads 0 when it has. The
/// server has it, not the [`Probe`].
pub const PASS: Reg<u32, ReadWrite> = Reg::at(0x3C);

/// A card with scratch registers, an interrupt that can be set, and a DMA engine that inverts what it
/// moves, once a millisecond.
#[derive(Debug, Default)]
pub struct Probe {
    scratch: [u8; 8],
    command: u16,
    source: u32,
    target: u32,
    octets: u32,
    interrupts: bool,
    refused: u32,
}

impl Probe {
    /// Keeps what is written.
    pub const SCRATCH: Reg<u32, ReadWrite> = Reg::at(0x00);
    /// Its halves and octets can be reached alone.
    pub const SCRATCH_HALF: Reg<u16, ReadWrite> = Reg::at(0x02);
    /// As above.
    pub const SCRATCH_OCTET: Reg<u8, ReadWrite> = Reg::at(0x01);
    /// Where the next transfer reads.
    pub const SOURCE: Reg<u32, WriteOnly> = Reg::at(0x08);
    /// Where it writes.
    pub const TARGET: Reg<u32, WriteOnly> = Reg::at(0x0C);
    /// How many octets it moves (up to 256) in the next millisecond; 0 again when it is done.
    pub const OCTETS: Reg<u32, ReadWrite> = Reg::at(0x10);
    /// The level of INTx.
    pub const INTERRUPT: Reg<u32, ReadWrite> = Reg::at(0x14);
    /// Transfers that were refused.
    pub const REFUSED: Reg<u32, ReadOnly> = Reg::at(0x18);
    /// Nothing is decoded here.
    pub const NOTHING: Reg<u32, ReadWrite> = Reg::at(0x40);
    /// Vendor in the low, device in the high half.
    pub const IDENTITY: u32 = 0x00AD_1209;
    const BAR0_OCTETS: u32 = 128;

    fn dword(&self, offset: u32) -> u32 {
        let [low, high] = [&self.scratch[..4], &self.scratch[4..]]
            .map(|half| half.iter().rev().fold(0, |word, &octet| word << 8 | u32::from(octet)));
        match offset {
            0x00 => low,
            0x04 => high,
            0x10 => self.octets,
            0x14 => self.interrupts.into(),
            0x18 => self.refused,
            _ => u32::MAX,
        }
    }
}

impl Device for Probe {
    fn read(&mut self, space: Space, offset: u32, octets: u8) -> u32 {
        let dword = match (space, offset & !3) {
            (Space::Config, 0) => Self::IDENTITY,
            (Space::Config, 4) => self.command.into(),
            (Space::Config, _) => 0,
            (Space::Bar0, at) => self.dword(at),
        };
        let shifted = dword >> (8 * (offset & 3));
        if octets < 4 { shifted & ((1 << (8 * octets)) - 1) } else { shifted }
    }

    fn write(&mut self, space: Space, offset: u32, octets: u8, value: u32) {
        match (space, offset) {
            (Space::Config, 4) => self.command = value as u16,
            (Space::Config, _) => {}
            (Space::Bar0, 0..8) => {
                let at = offset as usize;
                let places = self.scratch.iter_mut().skip(at).take(octets.into());
                for (place, octet) in places.zip(value.to_le_bytes()) {
                    *place = octet;
                }
            }
            (Space::Bar0, 0x08) => self.source = value,
            (Space::Bar0, 0x0C) => self.target = value,
            (Space::Bar0, 0x10) => self.octets = value.min(256),
            (Space::Bar0, 0x14) => self.interrupts = value != 0,
            (Space::Bar0, _) => {}
        }
    }

    fn interrupt(&self) -> bool {
        self.interrupts
    }

    fn millisecond(&mut self, memory: &dyn HostMemory) {
        let octets = std::mem::take(&mut self.octets);
        if octets == 0 {
            return;
        }
        let mut moved = [0; 256];
        let moved = &mut moved[..octets as usize];
        let fetched = memory.fetch(self.source.into(), moved);
        for octet in moved.iter_mut() {
            *octet = !*octet;
        }
        if !(fetched && memory.store(self.target.into(), moved)) {
            self.refused += 1;
        }
    }

    fn bar0_octets(&self) -> u32 {
        Self::BAR0_OCTETS
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Holds `bus`, at whose far end a fresh [`Probe`] sits, to everything [`Bus`] promises. `millisecond` lets
/// a millisecond of the card pass and returns when it has.
pub fn check<B: Bus>(bus: &mut B, mut millisecond: impl FnMut(&B)) {
    registers_keep_their_width_and_place(bus);
    memory_is_shared_both_ways(bus, &mut millisecond);
    memory_that_is_not_mapped_is_refused(bus, &mut millisecond);
    dropped_memory_is_out_of_reach(bus, &mut millisecond);
    regions_have_limits(bus);
    interrupts_fire_once_until_unmasked(bus);
    a_level_that_falls_is_over_after_the_next_unmasking(bus);
    waiting_takes_as_long_as_it_was_told(bus);
}

fn read(bus: &impl Bus, reg: &Reg<u32, ReadWrite>) -> u32 {
    bus.read(Space::Bar0, reg).unwrap()
}

fn registers_keep_their_width_and_place(bus: &impl Bus) {
    let vendor = bus.read(Space::Config, &pci::VENDOR_ID).unwrap();
    let device = bus.read(Space::Config, &pci::DEVICE_ID).unwrap();
    assert_eq!(u32::from(device) << 16 | u32::from(vendor), Probe::IDENTITY);
    let command = pci::COMMAND_MEMORY | pci::COMMAND_BUS_MASTER;
    bus.write(Space::Config, &pci::COMMAND, command).unwrap();
    assert_eq!(bus.read(Space::Config, &pci::COMMAND).unwrap(), command);

    bus.write(Space::Bar0, &Probe::SCRATCH, 0x1122_3344).unwrap();
    assert_eq!(bus.read(Space::Bar0, &Probe::SCRATCH_HALF).unwrap(), 0x1122);
    assert_eq!(bus.read(Space::Bar0, &Probe::SCRATCH_OCTET).unwrap(), 0x33);
    bus.write(Space::Bar0, &Probe::SCRATCH_OCTET, 0xAA).unwrap();
    assert_eq!(read(bus, &Probe::SCRATCH), 0x1122_AA44);
    bus.write(Space::Bar0, &Probe::SCRATCH_HALF, 0xBBCC).unwrap();
    assert_eq!(read(bus, &Probe::SCRATCH), 0xBBCC_AA44);
    assert_eq!(read(bus, &Probe::NOTHING), u32::MAX);
    bus.write(Space::Bar0, &Probe::NOTHING, 0).unwrap();
}

fn transfer<B: Bus>(
    bus: &B,
    from: u32,
    to: u32,
    octets: u32,
    millisecond: &mut impl FnMut(&B),
) -> bool {
    let before = bus.read(Space::Bar0, &Probe::REFUSED).unwrap();
    bus.write(Space::Bar0, &Probe::SOURCE, from).unwrap();
    bus.write(Space::Bar0, &Probe::TARGET, to).unwrap();
    bus.write(Space::Bar0, &Probe::OCTETS, octets).unwrap();
    // A posted write has arrived when a later read was answered.
    assert_eq!(read(bus, &Probe::OCTETS), octets);
    millisecond(bus);
    assert_eq!(read(bus, &Probe::OCTETS), 0);
    bus.read(Space::Bar0, &Probe::REFUSED).unwrap() == before
}

fn memory_is_shared_both_ways<B: Bus>(bus: &B, millisecond: &mut impl FnMut(&B)) {
    let region = bus.dma(10_000).unwrap();
    assert_eq!(region.len, 10_000);
    let mut seen = [1; 256];
    region.memory.read(9_744, &mut seen);
    assert_eq!(seen, [0; 256], "memory begins zeroed");
    let sent: [u8; 200] = std::array::from_fn(|n| n as u8);
    region.memory.write(1_003, &sent);
    let at = region.device_address;
    assert!(transfer(bus, at + 1_003, at + 9_800, 200, millisecond));
    let mut received = [0; 200];
    region.memory.read(9_800, &mut received);
    assert_eq!(received, sent.map(|octet| !octet));
    let second = bus.dma(4096).unwrap();
    assert!(transfer(bus, at + 9_800, second.device_address, 200, millisecond));
    second.memory.read(0, &mut received);
    assert_eq!(received, sent);
}

fn memory_that_is_not_mapped_is_refused<B: Bus>(bus: &B, millisecond: &mut impl FnMut(&B)) {
    let region = bus.dma(4096).unwrap();
    let at = region.device_address;
    for wild in [0, at - 16, at + 4096, at + 4090, u32::MAX - 8] {
        assert!(!transfer(bus, wild, at, 64, millisecond), "fetched from {wild:#x}");
        assert!(!transfer(bus, at, wild, 64, millisecond), "stored to {wild:#x}");
    }
    let mut seen = [1; 4096];
    region.memory.read(0, &mut seen);
    assert_eq!(seen, [0; 4096]);
}

fn dropped_memory_is_out_of_reach<B: Bus>(bus: &B, millisecond: &mut impl FnMut(&B)) {
    let stays = bus.dma(4096).unwrap();
    let goes = bus.dma(4096).unwrap();
    let (there, gone) = (stays.device_address, goes.device_address);
    assert!(transfer(bus, there, gone, 16, millisecond));
    drop(goes);
    assert!(!transfer(bus, there, gone, 16, millisecond));
    assert!(!transfer(bus, gone, there, 16, millisecond));
    assert!(transfer(bus, there, there + 32, 16, millisecond));
}

fn regions_have_limits(bus: &impl Bus) {
    for octets in [0, 1 << 30] {
        assert!(matches!(bus.dma(octets), Err(BusError::NoDma { .. })), "{octets} octets");
    }
}

const SOON: Duration = Duration::from_secs(5);

fn interrupts_fire_once_until_unmasked(bus: &mut impl Bus) {
    assert!(!bus.wait(Duration::ZERO).unwrap());
    bus.write(Space::Bar0, &Probe::INTERRUPT, 1).unwrap();
    assert!(bus.wait(SOON).unwrap());
    assert_eq!(read(bus, &Probe::INTERRUPT), 1);
    assert!(!bus.wait(Duration::ZERO).unwrap(), "masked, it does not fire again");
    for _ in 0..3 {
        bus.unmask().unwrap();
        assert!(bus.wait(SOON).unwrap(), "still asserted, it fires at each unmasking");
    }
    bus.write(Space::Bar0, &Probe::INTERRUPT, 0).unwrap();
    assert_eq!(read(bus, &Probe::INTERRUPT), 0);
    bus.unmask().unwrap();
    assert!(!bus.wait(Duration::ZERO).unwrap(), "deasserted, unmasking fires nothing");
    bus.write(Space::Bar0, &Probe::INTERRUPT, 1).unwrap();
    assert!(bus.wait(SOON).unwrap());
    bus.write(Space::Bar0, &Probe::INTERRUPT, 0).unwrap();
    bus.unmask().unwrap();
}

/// A kernel that is told of a level too late may find it fallen, and say nothing.
fn a_level_that_falls_is_over_after_the_next_unmasking(bus: &mut impl Bus) {
    bus.write(Space::Bar0, &Probe::INTERRUPT, 1).unwrap();
    bus.write(Space::Bar0, &Probe::INTERRUPT, 0).unwrap();
    assert_eq!(read(bus, &Probe::INTERRUPT), 0);
    if bus.wait(Duration::from_millis(50)).unwrap() {
        bus.unmask().unwrap();
    }
    assert!(!bus.wait(Duration::ZERO).unwrap());
}

/// What back ends promise on top whose card signals by itself, without a kernel between: an interrupt that
/// fired stays when the level falls. As [`check`], on the same bus.
pub fn check_signalled(bus: &mut impl Bus) {
    bus.write(Space::Bar0, &Probe::INTERRUPT, 1).unwrap();
    bus.write(Space::Bar0, &Probe::INTERRUPT, 0).unwrap();
    assert_eq!(read(bus, &Probe::INTERRUPT), 0);
    assert!(bus.wait(SOON).unwrap(), "an empty interrupt is still an interrupt");
    bus.unmask().unwrap();
    assert!(!bus.wait(Duration::ZERO).unwrap());
}

fn waiting_takes_as_long_as_it_was_told(bus: &mut impl Bus) {
    let asked = Duration::from_millis(20);
    let begun = Instant::now();
    assert!(!bus.wait(asked).unwrap());
    assert!(begun.elapsed() >= asked);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_process;

    #[test]
    fn the_in_process_back_end_conforms() {
        let (mut host, card) = in_process(Probe::default());
        check(&mut host, |_| card.millisecond());
        check_signalled(&mut host);
        assert_eq!(card.dma_refused(), 12);
    }

    #[test]
    fn a_card_in_another_thread_wakes_the_host() {
        let (mut host, card) = in_process(Probe::default());
        let ringing = std::thread::spawn(move || {
            for _ in 0..100 {
                card.with(|probe| probe.interrupts = true);
                while card.with(|probe| probe.interrupts) {
                    std::thread::yield_now();
                }
            }
        });
        for _ in 0..100 {
            assert!(host.wait(SOON).unwrap());
            host.write(Space::Bar0, &Probe::INTERRUPT, 0).unwrap();
            host.unmask().unwrap();
        }
        ringing.join().unwrap();
    }

    #[test]
    fn a_pulled_card_wakes_who_waits_and_a_plugged_one_answers_only_the_new_handle() {
        let (mut host, card) = in_process(Probe::default());
        host.write(Space::Bar0, &Probe::SCRATCH, 1).unwrap();
        let hand = card.clone();
        let pulling = std::thread::spawn(move || hand.pull());
        assert!(host.wait(SOON).is_err());
        pulling.join().unwrap();
        let fresh = card.plug();
        assert!(host.read(Space::Bar0, &Probe::SCRATCH).is_err());
        assert_eq!(fresh.read(Space::Bar0, &Probe::SCRATCH).unwrap(), 0);
    }
}
