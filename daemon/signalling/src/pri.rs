//! A primary rate interface: one D-channel, LAPD below Q.931.

use std::collections::VecDeque;

use tdm::{Instant, Timeslot};

use crate::lapd::{Faults, Link, LinkEvent, LinkOutput, Traffic};
use crate::q931::{Counters, Engine, EngineOutput};
use crate::{InterfaceOutput, Order, PriSettings};

/// One primary rate interface. It starts with its line down: begin with [`Order::Line`].
///
/// Takes one input at `now`; drain [`Interface::poll`] down to [`InterfaceOutput::Wait`] before the next.
pub struct Interface {
    settings: PriSettings,
    link: Link,
    engine: Engine,
    outputs: VecDeque<InterfaceOutput>,
}

impl Interface {
    /// An interface whose line is down.
    pub fn new(settings: PriSettings) -> Self {
        Self {
            link: Link::new(settings.side, settings.link),
            engine: Engine::new(settings.clone()),
            outputs: VecDeque::new(),
            settings,
        }
    }
    /// The settings it was made with.
    pub const fn settings(&self) -> &PriSettings {
        &self.settings
    }
    /// Whether calls can be made: layer 2 is up.
    pub const fn is_up(&self) -> bool {
        self.link.is_up()
    }
    /// What went wrong on layer 2.
    pub const fn link_faults(&self) -> &Faults {
        self.link.faults()
    }
    /// What went over layer 2.
    pub const fn link_traffic(&self) -> Traffic {
        self.link.traffic()
    }
    /// Whether the far end takes no messages for a while (RNR), and how many it has not acknowledged.
    pub fn link_backlog(&self) -> (bool, usize) {
        (self.link.is_peer_busy(), self.link.backlog())
    }
    /// What went wrong on layer 3.
    pub const fn call_counters(&self) -> Counters {
        self.engine.counters()
    }
    /// Whether a call of ours may go on this channel: it is in service at both ends, and no RESTART names it.
    pub fn may_call(&self, timeslot: Timeslot) -> bool {
        self.engine.may_call(timeslot)
    }
    /// Calls that hold a reference.
    pub fn calls(&self) -> usize {
        self.engine.calls()
    }

    /// A frame of the D-channel, without FCS.
    pub fn handle_frame(&mut self, now: Instant, octets: &[u8]) {
        self.link.handle_frame(now, octets);
        self.exchange(now);
    }
    /// What the call server wants.
    pub fn order(&mut self, now: Instant, order: Order) {
        match order {
            Order::Line { up: true } => self.link.start(now),
            Order::Line { up: false } => self.link.stop(),
            Order::Behind { on } => {
                self.link.set_busy(on);
                self.engine.hold(now, on);
            }
            order => self.engine.order(now, order),
        }
        self.exchange(now);
    }
    /// The moment of [`InterfaceOutput::Wait`] came. Early or repeated calls do nothing.
    pub fn elapsed(&mut self, now: Instant) {
        self.link.elapsed(now);
        self.exchange(now);
        self.engine.elapsed(now);
        self.exchange(now);
    }
    /// The next thing to do.
    pub fn poll(&mut self) -> InterfaceOutput {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        // Nothing of layer 3 took the acknowledgement along: now it goes by itself.
        match self.link.poll() {
            LinkOutput::Transmit(frame) => InterfaceOutput::Transmit(frame),
            LinkOutput::Wait(link) => {
                InterfaceOutput::Wait([link, self.engine.deadline()].into_iter().flatten().min())
            }
            // Events were all taken by `exchange`; should one be left, the next turn will find it.
            LinkOutput::Event(_) => InterfaceOutput::Wait(self.engine.deadline()),
        }
    }

    /// Carries events up and messages down until both layers are quiet.
    fn exchange(&mut self, now: Instant) {
        loop {
            if let Some(output) = self.link.poll_early() {
                match output {
                    LinkOutput::Transmit(frame) => {
                        self.outputs.push_back(InterfaceOutput::Transmit(frame));
                    }
                    LinkOutput::Event(LinkEvent::Message(message)) => {
                        self.engine.message(now, &message);
                    }
                    LinkOutput::Event(LinkEvent::Up) => self.engine.link_up(now),
                    LinkOutput::Event(LinkEvent::Reset { unacknowledged }) => {
                        self.engine.link_reset(now, &unacknowledged);
                    }
                    LinkOutput::Event(LinkEvent::Renewed) => self.engine.link_renewed(now),
                    LinkOutput::Event(LinkEvent::Down) => self.engine.link_down(now),
                    LinkOutput::Wait(_) => {}
                }
                continue;
            }
            match self.engine.poll() {
                // A message that finds no link is lost with it; timers repair what mattered.
                Some(EngineOutput::Send(message)) => {
                    self.link.send(now, &message);
                }
                Some(EngineOutput::Event(event)) => {
                    self.outputs.push_back(InterfaceOutput::Event(event));
                }
                None => return,
            }
        }
    }
}
