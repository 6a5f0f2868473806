//! What the call server wants of a signalling engine, whatever the system is.

use signalling::{InterfaceOutput, Order};
use tdm::Instant;

/// The engine of one interface. Takes one input, is drained with `poll` down to `Wait`, and so on.
pub trait Engine {
    /// A frame of the D-channel, without FCS.
    fn frame(&mut self, now: Instant, octets: &[u8]);
    /// An order.
    fn order(&mut self, now: Instant, order: Order);
    /// The time it waited for has come, or passed.
    fn elapsed(&mut self, now: Instant);
    /// What it wants done.
    fn poll(&mut self) -> InterfaceOutput;
}
