//! The conformance suite over the kernel's VFIO. Runs in a guest whose function at the address is a
//! `bus::conformance::Probe` with a register that lets its milliseconds pass.
//!
//!     conformance PCI-ADDRESS

use std::time::{Duration, Instant};

use bus::conformance::{PASS, check};
use bus::pci::PciAddress;
use bus::{Bus, Registering, Space, Vfio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let at: PciAddress = std::env::args().nth(1).ok_or("usage: conformance ADDRESS")?.parse()?;
    for registering in [Registering::Best, Registering::Copied] {
        let mut bus = Vfio::open(at, registering)?;
        let way = if bus.is_mapped() { "mapped" } else { "through the file" };
        check(&mut bus, |bus| {
            bus.write(Space::Bar0, &PASS, 1).expect("the register");
            let deadline = Instant::now() + Duration::from_secs(5);
            while bus.read(Space::Bar0, &PASS).expect("the register") != 0 {
                assert!(Instant::now() < deadline, "the millisecond does not pass");
            }
        });
        println!("ok conformance over the kernel, registers {way}");
    }
    Ok(())
}
