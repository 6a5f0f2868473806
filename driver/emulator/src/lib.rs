//! The boards from the other side: chips, lines, faults; in process or as a vfio-user server.
//!
//! This crate never sees the driver: the two share facts (`firmware-headers`) and the bus, nothing else.
//! Time is the caller's: [`bus::Device::millisecond`] is one tick of the card's clock, and
//! [`BoardClock`] says when it is due. Only [`server`] has a clock of its own, a socket and a thread's
//! patience; the far ends that play foreign engines ([`DChannel`], [`E1`]) have a socket.
//!
//! ```
//! use bus::{Bus, Space, in_process};
//! use emulator::{Board, Fault, Link};
//! use firmware_headers::{model, pci, wct4xxp};
//!
//! let mut board = Board::new(&model::TE405P_GEN5, 1)?;
//! let (here, there) = Link::pair();
//! board.plug(0, Box::new(here));
//! board.plug(1, Box::new(there));
//! let (bus, card) = in_process(board);
//!
//! bus.write(Space::Config, &pci::COMMAND, pci::COMMAND_MEMORY)?;
//! assert_eq!(bus.read(Space::Bar0, &wct4xxp::VERSION)? >> 16, 0xC01A);
//! card.millisecond();
//! card.with(|board| board.inject(0, Fault::LossOfSignal));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod bench;
mod board;
mod clock;
mod door;
mod far;
mod fault;
mod framer;
mod line;
pub mod server;

pub use board::{Board, BoardCounters, Lockstep, NotBuilt};
pub use clock::BoardClock;
pub use door::{DOOR, DOOR_MILLIS, WithDoor};
pub use far::{
    BadMeeting, DChannel, DChannelCounters, E1, E1Clock, E1Counters, Link, Loopback, Meeting,
};
pub use fault::{BoardFault, Fault};
pub use line::{Errors, FarEnd, Frames, Framing, Signal};
