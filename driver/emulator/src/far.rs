//! Far ends that are built in.

mod link;
mod loopback;

pub use link::Link;
pub use loopback::Loopback;
