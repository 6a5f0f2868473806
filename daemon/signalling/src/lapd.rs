//! Layer 2 of a D-channel: LAPD. Q.921, the point-to-point part that a primary rate access uses.

mod fault;
mod frame;
mod link;
mod sequence;
#[cfg(test)]
mod tests;

pub use fault::{Fault, Faults};
pub use frame::{Control, Frame, FrameError, Supervisory};
pub use link::{Link, LinkEvent, LinkOutput, QUEUE_MESSAGES_MAX, Traffic};
