//! Framer chips: how to start them, as data, and what their registers say about a line.

pub mod falc;
mod status;

pub use status::LineStatus;
