//! Our kernel-VFIO back end on QEMU's `edu` device (1234:11e8), which nobody here wrote. Runs in a guest.
//!
//!     edu PCI-ADDRESS [refused | plain | taken]
//!
//! `refused` expects that this user may not open it; `plain` that he may, with 64 KiB of locked memory; `taken` that
//! the kernel takes it away meanwhile. Every test prints "ok NAME" or "not ok NAME: why". QEMU, `docs/specs/edu.rst`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bus::pci::PciAddress;
use bus::{
    Bus, DmaRegion, OpenError, ReadOnly, ReadWrite, Readable, Reg, Registering, Space, Vfio, Word,
    WriteOnly,
};
use firmware_headers::pci;

/// Reads 0x010000ed, upper half the version.
const ID: Reg<u32, ReadOnly> = Reg::at(0x00);
/// Reads the complement of what was written.
const LIVENESS: Reg<u32, ReadWrite> = Reg::at(0x04);
/// Becomes the factorial of what was written.
const FACTORIAL: Reg<u32, ReadWrite> = Reg::at(0x08);
/// Bit 0: it computes; bit 7: interrupt when done.
const STATUS: Reg<u32, ReadWrite> = Reg::at(0x20);
const STATUS_BUSY: u32 = 0x01;
const STATUS_INTERRUPT: u32 = 0x80;
/// Which interrupts are raised.
const INTERRUPTS: Reg<u32, ReadOnly> = Reg::at(0x24);
const RAISE: Reg<u32, WriteOnly> = Reg::at(0x60);
const ACKNOWLEDGE: Reg<u32, WriteOnly> = Reg::at(0x64);
/// DMA: source, target, count, command. Written in two halves of 32 bits, as this device allows from 0x80 on.
const SOURCE: Reg<u32, ReadWrite> = Reg::at(0x80);
const TARGET: Reg<u32, ReadWrite> = Reg::at(0x88);
const COUNT: Reg<u32, ReadWrite> = Reg::at(0x90);
const COMMAND: Reg<u32, ReadWrite> = Reg::at(0x98);
const COMMAND_START: u32 = 1;
const COMMAND_TO_HOST: u32 = 2;
/// The device's own memory, as its DMA sees it.
const BUFFER: u32 = 0x4_0000;

const SECOND: Duration = Duration::from_secs(1);

fn get<W: Word, A: Readable>(edu: &Vfio, reg: &Reg<W, A>) -> W {
    edu.read(Space::Bar0, reg).expect("a register")
}
fn put<A: bus::Writable>(edu: &Vfio, reg: &Reg<u32, A>, value: u32) {
    edu.write(Space::Bar0, reg, value).expect("a register");
}
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + 5 * SECOND;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within 5 s");
        std::thread::yield_now();
    }
}

fn identity(edu: &mut Vfio) {
    assert_eq!(edu.read(Space::Config, &pci::VENDOR_ID).unwrap(), 0x1234);
    assert_eq!(edu.read(Space::Config, &pci::DEVICE_ID).unwrap(), 0x11E8);
    assert_eq!(get(edu, &ID) & 0xFF, 0xED);
    for value in [0, 1, 0xDEAD_BEEF, u32::MAX] {
        put(edu, &LIVENESS, value);
        assert_eq!(get(edu, &LIVENESS), !value);
    }
}

fn intx(edu: &mut Vfio) {
    for n in 1..=2000_u32 {
        put(edu, &RAISE, n);
        assert!(edu.wait(SECOND).unwrap(), "interrupt {n} did not come");
        assert_eq!(get(edu, &INTERRUPTS), n);
        if n.is_multiple_of(500) {
            assert!(!edu.wait(Duration::ZERO).unwrap(), "masked, it came again");
            edu.unmask().unwrap();
            assert!(edu.wait(SECOND).unwrap(), "still asserted, it did not come after unmasking");
        }
        put(edu, &ACKNOWLEDGE, n);
        assert_eq!(get(edu, &INTERRUPTS), 0);
        edu.unmask().unwrap();
    }
    // One that was on its way when the level fell may still come: an empty interrupt.
    while edu.wait(Duration::from_millis(20)).unwrap() {
        edu.unmask().unwrap();
    }
}

fn factorial_by_msi(edu: &mut Vfio) {
    edu.use_msi().unwrap();
    put(edu, &STATUS, STATUS_INTERRUPT);
    for (n, factorial) in [(5, 120), (10, 3_628_800)] {
        put(edu, &FACTORIAL, n);
        assert!(edu.wait(5 * SECOND).unwrap(), "no message came");
        until("the factorial", || get(edu, &STATUS) & STATUS_BUSY == 0);
        assert_eq!(get(edu, &FACTORIAL), factorial);
        put(edu, &ACKNOWLEDGE, get(edu, &INTERRUPTS));
        edu.unmask().unwrap();
    }
}

fn master(edu: &Vfio, on: bool) {
    let command = edu.read(Space::Config, &pci::COMMAND).unwrap();
    let wanted = pci::COMMAND_MEMORY | pci::COMMAND_BUS_MASTER;
    let command = if on { command | wanted } else { command & !pci::COMMAND_BUS_MASTER };
    edu.write(Space::Config, &pci::COMMAND, command).unwrap();
}

/// One transfer between `address` and the start of the device's memory; whether it ended.
fn transfer(edu: &Vfio, address: u32, octets: u32, to_host: bool) {
    let (source, target) = if to_host { (BUFFER, address) } else { (address, BUFFER) };
    put(edu, &SOURCE, source);
    put(edu, &TARGET, target);
    put(edu, &COUNT, octets);
    let direction = if to_host { COMMAND_TO_HOST } else { 0 };
    put(edu, &COMMAND, COMMAND_START | direction);
    until("the transfer", || get(edu, &COMMAND) & COMMAND_START == 0);
}

fn pattern(salt: u8) -> Vec<u8> {
    (0..1024_u32).map(|n| (n.wrapping_mul(167) >> 3) as u8 ^ salt).collect()
}
fn contents(region: &DmaRegion, at: usize) -> Vec<u8> {
    let mut octets = vec![0; 1024];
    region.memory.read(at, &mut octets);
    octets
}

fn dma_both_ways(edu: &mut Vfio) {
    master(edu, true);
    let region = edu.dma(12_288).unwrap();
    for (round, at) in [(1, 0_usize), (2, 4096 + 512), (3, 12_288 - 1024)] {
        region.memory.write(at, &pattern(round));
        transfer(edu, region.device_address + at as u32, 1024, false);
        region.memory.write(at, &[0; 1024]);
        transfer(edu, region.device_address + at as u32, 1024, true);
        assert_eq!(contents(&region, at), pattern(round), "round {round}");
    }
}

/// What the device holds, by way of `through`: that it can be had shows that the device still transfers.
fn held(edu: &mut Vfio, through: &DmaRegion) -> Vec<u8> {
    through.memory.write(0, &[0; 1024]);
    transfer(edu, through.device_address, 1024, true);
    contents(through, 0)
}

/// A transfer into nowhere reaches no region and leaves the device what it held; one out of nowhere brings it nothing
/// of the host's.
fn dma_outside_is_blocked(edu: &mut Vfio) {
    master(edu, true);
    let [region, through] = [4096, 4096].map(|octets| edu.dma(octets).unwrap());
    let behind = region.device_address.max(through.device_address) + 4096;
    for nowhere in [behind, 0x0F00_0000] {
        region.memory.write(0, &pattern(7));
        transfer(edu, region.device_address, 1024, false);
        region.memory.write(0, &pattern(8));
        transfer(edu, nowhere, 1024, true);
        assert_eq!(contents(&region, 0), pattern(8));
        assert_eq!(held(edu, &through), pattern(7), "what went nowhere is still there");
        transfer(edu, nowhere, 1024, false);
        assert_eq!(contents(&region, 0), pattern(8));
        let brought = held(edu, &through);
        assert_ne!(brought, pattern(8), "nothing of the region came");
    }
}

fn dma_after_unmap_is_blocked(edu: &mut Vfio) {
    master(edu, true);
    let region = edu.dma(4096).unwrap();
    let address = region.device_address;
    region.memory.write(0, &pattern(9));
    transfer(edu, address, 1024, false);
    let kept = region.memory.clone();
    drop(region);
    // The memory lives on as long as somebody has it; the device lost its way to it with the last owner.
    kept.write(0, &pattern(10));
    drop(kept);
    let other = edu.dma(4096).unwrap();
    assert_eq!(other.device_address, address, "the address is free again");
    other.memory.write(0, &pattern(11));
    let gone = edu.dma(4096).unwrap();
    let unmapped = gone.device_address;
    gone.memory.write(0, &pattern(12));
    transfer(edu, unmapped, 1024, false);
    assert_eq!(held(edu, &other), pattern(12), "while it is mapped it is reached");
    gone.memory.write(0, &pattern(13));
    drop(gone);
    // A mapping that had stayed would have kept the page, and the device would find what it held last.
    transfer(edu, unmapped, 1024, false);
    assert_ne!(held(edu, &other), pattern(13));
    other.memory.write(0, &pattern(11));
    transfer(edu, unmapped, 1024, true);
    assert_eq!(contents(&other, 0), pattern(11));
}

fn what_is_wrong_is_named(at: PciAddress, edu: &mut Vfio) {
    let twice = Vfio::open(at, Registering::Best).err();
    assert!(matches!(twice, Some(OpenError::Taken { .. })), "{twice:?}");
    let absent: PciAddress = "00:1e.7".parse().unwrap();
    let absent = Vfio::open(absent, Registering::Best).err();
    assert!(matches!(absent, Some(OpenError::Absent { .. })), "{absent:?}");
    // The host bridge has no driver, or one of the kernel's.
    let unbound = Vfio::open("00:00.0".parse().unwrap(), Registering::Best).err();
    assert!(
        matches!(unbound, Some(OpenError::NotBound { .. } | OpenError::NoGroup { .. })),
        "{unbound:?}"
    );
    assert!(edu.read(Space::Bar0, &Reg::<u32, ReadOnly>::at(1 << 30)).is_err());
    let too_much = edu.dma(64 << 20).err().map(|error| error.to_string());
    assert!(too_much.is_some_and(|why| why.contains("octets")));
}

/// What `test` found, in a line.
fn said(name: &str, test: impl FnOnce()) -> bool {
    let begun = Instant::now();
    match catch_unwind(AssertUnwindSafe(test)) {
        Ok(()) => {
            println!("  {} ms", begun.elapsed().as_millis());
            println!("ok {name}");
            true
        }
        Err(why) => {
            let text = why.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| why.downcast_ref::<&str>().copied());
            println!("not ok {name}: {}", text.unwrap_or("it panicked"));
            false
        }
    }
}

/// A user without rights of his own, but with those to the files of VFIO.
fn without_root(edu: &mut Vfio) {
    identity(edu);
    intx(edu);
    let small = edu.dma(8192).unwrap();
    let refused = edu.dma(1 << 20).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("LimitMEMLOCK"), "{refused}");
    // What was refused is not held against the limit, and the address is free again.
    let other = edu.dma(8192).unwrap();
    assert_ne!(small.device_address, other.device_address);
}

/// The driver's `unbind` waits until the function is given back.
fn taken_away(at: PciAddress, edu: &mut Vfio) {
    let unbinding = std::thread::spawn(move || {
        std::fs::write("/sys/bus/pci/drivers/vfio-pci/unbind", at.to_string())
    });
    let told = (0..100).find_map(|_| edu.wait(Duration::from_millis(100)).err());
    let why = told.map(|error| error.to_string()).unwrap_or_default();
    assert!(why.contains("taken away"), "{why}");
    drop(unbinding);
}

/// The runs that are not the ordinary one; whether all was as it should be.
fn special(at: PciAddress, which: &str) -> bool {
    match (which, Vfio::open(at, Registering::Best)) {
        ("refused", Err(OpenError::NotAllowed { path })) => {
            println!("ok another user is refused at {path}");
            true
        }
        ("plain", Ok(mut edu)) => said("without root", || without_root(&mut edu)),
        ("taken", Ok(mut edu)) => said("taken away", || taken_away(at, &mut edu)),
        (_, other) => {
            println!("not ok {which}: {:?}", other.err());
            false
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let at: PciAddress = std::env::args().nth(1).ok_or("usage: edu PCI-ADDRESS")?.parse()?;
    if let Some(which) = std::env::args().nth(2) {
        std::process::exit(i32::from(!special(at, &which)));
    }
    let mut good = true;
    for registering in [Registering::Best, Registering::Copied] {
        let mut edu = Vfio::open(at, registering)?;
        let way = if edu.is_mapped() { "mapped" } else { "through the file" };
        good &= edu.is_mapped() == (registering == Registering::Best);
        let mut test = |name: &str, work: fn(&mut Vfio)| {
            good &= said(&format!("{name}, registers {way}"), || work(&mut edu));
        };
        test("identity", identity);
        test("2000 interrupts, each unmasked", intx);
        test("DMA both ways", dma_both_ways);
        test("DMA outside a mapping is blocked", dma_outside_is_blocked);
        test("DMA after unmapping is blocked", dma_after_unmap_is_blocked);
        test("factorial by message interrupt", factorial_by_msi);
        if registering == Registering::Best {
            good &= said("what is wrong is named", || what_is_wrong_is_named(at, &mut edu));
        }
    }
    std::process::exit(i32::from(!good));
}
