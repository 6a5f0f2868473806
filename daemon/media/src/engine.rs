//! What the call server wants of a signalling engine, whatever the system is.

use signalling::lapd::Fault;
use signalling::pri::Interface;
use signalling::{InterfaceOutput, Order};
use tdm::{Instant, Timeslot};

use crate::view::LinkCounters;
use crate::{Media, MediaSettings, SettingsError, Signalling, SpanSettings};

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
    /// Whether a call of ours may go on this channel: it is in service at both ends, and no RESTART names it.
    fn may_call(&self, _timeslot: Timeslot) -> bool {
        true
    }
    /// What it counted since the start.
    fn counters(&self) -> LinkCounters {
        LinkCounters::default()
    }
}

impl Engine for Interface {
    fn frame(&mut self, now: Instant, octets: &[u8]) {
        self.handle_frame(now, octets);
    }
    fn order(&mut self, now: Instant, order: Order) {
        self.order(now, order);
    }
    fn elapsed(&mut self, now: Instant) {
        self.elapsed(now);
    }
    fn poll(&mut self) -> InterfaceOutput {
        self.poll()
    }
    fn may_call(&self, timeslot: Timeslot) -> bool {
        self.may_call(timeslot)
    }
    fn counters(&self) -> LinkCounters {
        let (traffic, faults, calls) =
            (self.link_traffic(), self.link_faults(), self.call_counters());
        let counted = Fault::ALL.into_iter().map(|fault| (fault.name(), faults.of(fault)));
        let (far_end_busy, backlog) = self.link_backlog();
        LinkCounters {
            far_end_busy,
            backlog,
            frames_sent: traffic.sent,
            frames_received: traffic.received,
            messages_repeated: traffic.repeated,
            established: traffic.established,
            lost: traffic.lost,
            faults: counted.filter(|(_, count)| *count > 0).collect(),
            incoming: calls.incoming,
            outgoing: calls.outgoing,
            glare: calls.glare,
            timeouts: calls.timeouts,
            malformed: calls.malformed,
            unknown_reference: calls.unknown_reference,
            unexpected: calls.unexpected,
            bad_element: calls.bad_element,
            segments_lost: calls.segments_lost,
            restarts: calls.restarts,
            services: calls.services,
        }
    }
}

/// The engine that `settings` ask for.
fn build(settings: &SpanSettings) -> Box<dyn Engine + Send> {
    match &settings.signalling {
        Signalling::Pri(pri) => Box::new(Interface::new(pri.clone())),
    }
}

impl Media {
    /// A call server with an engine of its own for each span. `instance` is this life of the process; every id
    /// carries it. All lines are down until [`Media::line`] says otherwise.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(
        settings: MediaSettings,
        instance: u32,
        now: Instant,
    ) -> Result<Self, SettingsError> {
        Self::with_engines(settings, instance, now, build)
    }
}
