//! Framer chips: how to start them, as data, and what their registers say about a line.

pub mod bits;
pub mod falc;
pub mod falc_t1;
mod mode;
mod status;

pub use mode::{Framing, Mode};
pub use status::{LineStatus, MultiframeStatus};
