//! The boards from the other side: chips, lines, faults; in process or as a vfio-user server.
//!
//! This crate never sees the driver: the two share facts (`firmware-headers`) and the bus, nothing else.

mod line;

pub use line::FarEnd;
