//! The boards from the other side: chips, lines, faults; in process or as a vfio-user server.
//!
//! This crate never sees the driver: the two share facts (`firmware-headers`) and the bus, nothing else.
//! Time is the caller's: [`bus::Device::millisecond`] is one tick of the card's clock, and
//! [`BoardClock`] says when it is due.

#[cfg(test)]
mod bench;
mod board;
mod clock;
mod far;
mod fault;
mod framer;
mod line;
pub mod server;

pub use board::{Board, BoardCounters, Lockstep, NotBuilt};
pub use clock::BoardClock;
pub use far::{
    BadMeeting, DChannel, DChannelCounters, E1, E1Clock, E1Counters, Link, Loopback, Meeting,
};
pub use fault::{BoardFault, Fault};
pub use line::{Errors, FarEnd, Frames, Signal};
