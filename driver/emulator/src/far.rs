//! Far ends that are built in.

mod dchannel;
mod e1;
mod link;
mod loopback;
mod packets;

pub use dchannel::{DChannel, DChannelCounters};
pub use e1::{E1, E1Clock, E1Counters};
pub use link::Link;
pub use loopback::Loopback;
pub use packets::{BadMeeting, Meeting};
