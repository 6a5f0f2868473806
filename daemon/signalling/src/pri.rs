//! A primary rate interface: one D-channel, LAPD below Q.931.

use tdm::Instant;

use crate::{InterfaceOutput, Order, PriSettings};

/// One primary rate interface. It starts with its line down: begin with [`Order::Line`].
///
/// Takes one input at `now`; drain [`Interface::poll`] down to [`InterfaceOutput::Wait`] before the next.
pub struct Interface {
    settings: PriSettings,
}

impl Interface {
    /// An interface whose line is down.
    pub fn new(settings: PriSettings) -> Self {
        Self { settings }
    }
    /// The settings it was made with.
    pub const fn settings(&self) -> &PriSettings {
        &self.settings
    }
    /// A frame of the D-channel, without FCS.
    pub fn handle_frame(&mut self, _now: Instant, _octets: &[u8]) {}
    /// What the call server wants.
    pub fn order(&mut self, _now: Instant, _order: Order) {}
    /// The moment of [`InterfaceOutput::Wait`] came. Early or repeated calls do nothing.
    pub fn elapsed(&mut self, _now: Instant) {}
    /// The next thing to do.
    pub fn poll(&mut self) -> InterfaceOutput {
        InterfaceOutput::Wait(None)
    }
}
