//! The calls of one interface: who gets which message, which channel is whose, when to wake.

use std::collections::{BTreeMap, VecDeque};

use call::Cause;
use tdm::{Instant, TIMESLOTS, Timeslot};

use super::call::{Call, CallId, Phase, Timer};
use super::compose::Composer;
use super::global::Restarts;
use super::header::{Header, MessageType};
use super::message::Body;
use super::segments::{Segmented, Segments};
use crate::{
    Clearing, Event, Failure, LegKey, Maintenance, Order, PriSettings, ServiceStatus, Side,
    Timeslots,
};

/// What [`Engine::poll`] yields until there is nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineOutput {
    /// A message for the link.
    Send(Vec<u8>),
    /// Something for the call server.
    Event(Event),
}

/// What the peer got wrong, and how it was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// No message of call control: ignored. Q.931, §5.8.1 to §5.8.3.
    pub malformed: u64,
    /// For a reference nobody uses. §5.8.3.2.
    pub unknown_reference: u64,
    /// A message nobody knows, or not in this state. §5.8.4.
    pub unexpected: u64,
    /// A mandatory element absent, bad or not comprehended. §5.8.6, §5.8.7.
    pub bad_element: u64,
    /// Both sides took the same channel.
    pub glare: u64,
    /// Calls a timer ended: T301 to T303, T304, T308 to T310, T313, T322.
    pub timeouts: u64,
    /// RESTARTs of the peer.
    pub restarts: u64,
    /// SERVICE messages of the peer.
    pub services: u64,
    /// Pieces of messages that fitted nowhere, or whose rest did not come. Annex H.
    pub segments_lost: u64,
    /// Calls of the peer.
    pub incoming: u64,
    /// Calls of ours.
    pub outgoing: u64,
}

/// Call control of one interface. Takes one input at `now`; drain [`Engine::poll`] before the next.
pub struct Engine {
    pub(super) settings: PriSettings,
    pub(super) calls: BTreeMap<CallId, Call>,
    pub(super) outputs: VecDeque<EngineOutput>,
    pub(super) restarts: Restarts,
    pub(super) failed: Timeslots,
    /// Channels new calls may have: the operator's word.
    pub(super) in_use: Timeslots,
    /// Channels the far end took out of service by maintenance messages.
    pub(super) out_of_service: Timeslots,
    /// What our last SERVICE on a channel said.
    pub(super) service_asked: [Option<ServiceStatus>; TIMESLOTS],
    pub(super) segments: Segments,
    pub(super) link_up: bool,
    /// The peer was told to wait since then: it may not answer, so nothing runs out.
    held: Option<Instant>,
    pub(super) counters: Counters,
    freed: [Instant; TIMESLOTS],
    last_reference: u16,
    last_incoming_key: u32,
}

impl Engine {
    /// An engine whose link is down.
    pub fn new(settings: PriSettings) -> Self {
        Self {
            in_use: settings.channels,
            settings,
            calls: BTreeMap::new(),
            outputs: VecDeque::new(),
            restarts: Restarts::default(),
            failed: Timeslots::NONE,
            out_of_service: Timeslots::NONE,
            service_asked: [None; TIMESLOTS],
            segments: Segments::default(),
            link_up: false,
            held: None,
            counters: Counters::default(),
            freed: [Instant::default(); TIMESLOTS],
            last_reference: 0,
            last_incoming_key: 0,
        }
    }
    /// What the peer got wrong so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }
    /// Calls that hold a reference.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }
    /// The next thing to do.
    pub fn poll(&mut self) -> Option<EngineOutput> {
        self.outputs.pop_front()
    }
    /// When [`Engine::elapsed`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        if self.held.is_some() {
            return None;
        }
        let calls = self.calls.values().filter_map(|call| call.timer.map(|(_, due)| due));
        calls.chain(self.restarts.due()).chain(self.segments.due()).min()
    }

    /// A message of the peer.
    pub fn message(&mut self, now: Instant, octets: &[u8]) {
        let t314 = now.plus_millis(u64::from(self.settings.timers.t314_millis));
        match self.segments.take(octets, t314) {
            Segmented::Whole => self.whole_message(now, octets),
            Segmented::Complete(message) => self.whole_message(now, &message),
            Segmented::Kept => {}
            Segmented::Discarded => self.counters.segments_lost += 1,
        }
    }
    fn whole_message(&mut self, now: Instant, octets: &[u8]) {
        let maintenance = octets.first().and_then(|&octet| Maintenance::of(octet));
        if let Some(coding) = maintenance.filter(|_| self.settings.dialect.has_maintenance()) {
            return self.maintenance(coding, octets);
        }
        let Ok((header, elements)) = Header::parse(octets) else {
            self.counters.malformed += 1;
            return;
        };
        let body = Body::parse_for(elements, &self.settings);
        if header.call.is_global() {
            return self.global(now, header, &body);
        }
        let id = CallId::of(header.call);
        match (self.calls.remove(&id), MessageType::from_code(header.code)) {
            (None, message) => self.without_call(now, id, message, &body),
            (Some(call), None) => {
                self.unexpected(&call, Cause::UNKNOWN_MESSAGE);
                self.keep(Some(call));
            }
            (Some(call), Some(message)) => {
                let kept = self.with_call(now, call, message, &body);
                self.keep(kept);
            }
        }
    }
    /// A message for a call there is. Returns the call unless it ended.
    fn with_call(
        &mut self,
        now: Instant,
        call: Call,
        message: MessageType,
        body: &Body<'_>,
    ) -> Option<Call> {
        use MessageType as M;
        let clears = matches!(message, M::Disconnect | M::Release | M::ReleaseComplete);
        if body.not_comprehended.is_some() && !clears && message != M::Setup {
            // §5.8.7.1: as if a mandatory element were missing.
            self.bad_element(&call, Cause::MANDATORY_ELEMENT_MISSING);
            return Some(call);
        }
        let (ours, phase) = (call.id.ours, call.phase);
        let unanswered = ours && call.is_establishing();
        let before_alerting = unanswered && phase != Phase::Alerting;
        match message {
            M::Disconnect => self.on_disconnect(now, call, body),
            M::Release => self.on_release(now, call, body),
            M::ReleaseComplete => self.on_release_complete(now, call, body),
            M::Status => self.on_status(now, call, body),
            M::StatusEnquiry => self.on_status_enquiry(call),
            M::SetupAcknowledge if ours && phase == Phase::Setup => {
                self.on_setup_acknowledge(now, call, body)
            }
            M::CallProceeding if before_alerting && phase != Phase::Proceeding => {
                self.on_call_proceeding(now, call, body)
            }
            M::Alerting if before_alerting => self.on_alerting(now, call, body),
            // Some gateways begin with it: as good as CALL PROCEEDING.
            M::Progress if ours && phase == Phase::Setup => {
                let call = self.on_call_proceeding(now, call, body)?;
                self.on_progress(call, body)
            }
            M::Progress if unanswered => self.on_progress(call, body),
            M::Connect if unanswered => self.on_connect(now, call, body),
            // Said again, for its acknowledgement was lost.
            M::Connect if ours && phase == Phase::Active => {
                self.acknowledge_connect(&call);
                Some(call)
            }
            M::ConnectAcknowledge if phase == Phase::Connecting => self.on_connected(call),
            M::Information if !ours && phase == Phase::Overlap => {
                self.on_information(now, call, body)
            }
            M::Facility => self.on_facility(call, body),
            // What we do not offer is refused in its own words, and the call goes on. Q.932, §6; Q.931, §5.6.
            M::Hold => self.refuse_service(call, M::HoldReject),
            M::Retrieve => self.refuse_service(call, M::RetrieveReject),
            M::Suspend => self.refuse_service(call, M::SuspendReject),
            // A SETUP again is T303's repetition, §5.8.3.2 e; the others say nothing we need.
            M::Setup | M::Information | M::Notify | M::UserInformation | M::CongestionControl => {
                Some(call)
            }
            M::ConnectAcknowledge | M::Progress if phase == Phase::Active => Some(call),
            // They crossed our clearing message.
            M::SetupAcknowledge
            | M::CallProceeding
            | M::Alerting
            | M::Progress
            | M::Connect
            | M::ConnectAcknowledge
                if call.is_clearing() =>
            {
                Some(call)
            }
            _ => {
                self.unexpected(&call, Cause::MESSAGE_NOT_COMPATIBLE_STATE);
                Some(call)
            }
        }
    }

    /// What the call server wants.
    pub fn order(&mut self, now: Instant, order: Order) {
        match order {
            Order::Call(outgoing) => self.order_call(now, outgoing),
            Order::Restart { timeslot } => self.order_restart(now, timeslot),
            Order::Service { timeslot, status } => {
                self.order_service(Timeslots::NONE.with(timeslot, true), status);
            }
            Order::Use { channels } => self.in_use = channels,
            Order::Line { .. } | Order::Behind { .. } => {}
            Order::Proceed { key } => self.with_key(key, |engine, call| engine.proceed(call)),
            Order::Alert { key, in_band } => {
                self.with_key(key, |engine, call| engine.alert(call, in_band));
            }
            Order::Progress { key, cause } => {
                self.with_key(key, |engine, call| engine.progress(call, cause));
            }
            Order::Connect { key } => self.with_key(key, |engine, call| engine.connect(now, call)),
            Order::Clear { key, cause, in_band } => {
                self.with_key(key, |engine, call| engine.order_clear(now, call, cause, in_band));
            }
            Order::Release { key } => {
                self.with_key(key, |engine, call| engine.order_release(now, call));
            }
        }
    }
    /// Orders for calls that are gone meanwhile are normal: the two sides cross.
    fn with_key(&mut self, key: LegKey, act: impl FnOnce(&mut Self, Call) -> Option<Call>) {
        let id = self.calls.values().find(|call| call.key == key).map(|call| call.id);
        if let Some(call) = id.and_then(|id| self.calls.remove(&id)) {
            let kept = act(self, call);
            self.keep(kept);
        }
    }
    /// The peer is told to wait (RNR), or may speak again. Timers that wait for it stand still meanwhile.
    pub fn hold(&mut self, now: Instant, on: bool) {
        if on {
            self.held.get_or_insert(now);
            return;
        }
        let Some(since) = self.held.take() else { return };
        let micros = now.micros_since(since);
        for (_, due) in self.calls.values_mut().filter_map(|call| call.timer.as_mut()) {
            *due = due.plus_micros(micros);
        }
        self.restarts.postpone(micros);
        self.segments.postpone(micros);
    }
    /// The moment of [`Engine::deadline`] came.
    pub fn elapsed(&mut self, now: Instant) {
        if self.held.is_some() {
            return;
        }
        let due: Vec<CallId> = self
            .calls
            .values()
            .filter(|call| call.timer.is_some_and(|(_, due)| due <= now))
            .map(|call| call.id)
            .collect();
        for id in due {
            if let Some(mut call) = self.calls.remove(&id)
                && let Some((timer, _)) = call.timer.take()
            {
                let kept = self.expired(now, call, timer);
                self.keep(kept);
            }
        }
        self.restart_elapsed(now);
        self.counters.segments_lost += self.segments.elapsed(now) as u64;
    }
    fn expired(&mut self, now: Instant, call: Call, timer: Timer) -> Option<Call> {
        // T302 says that the number is complete, T305 and T306 that it is time to go on.
        let is_fault = !matches!(timer, Timer::T302 | Timer::T305 | Timer::T306 | Timer::Listening);
        self.counters.timeouts += u64::from(is_fault);
        match timer {
            Timer::T302 => self.on_number_timeout(now, call),
            Timer::T303 => self.on_setup_timeout(now, call),
            // §5.2.5.3 and §5.1.6: 102 on this interface, what the caller understands towards it.
            Timer::T301 => self.timed_out(now, call, Cause::NO_ANSWER, "T301"),
            Timer::T310 => self.timed_out(now, call, Cause::NO_USER_RESPONDING, "T310"),
            Timer::T304 => self.timed_out(now, call, Cause::TIMER_EXPIRY, "T304"),
            Timer::T313 => self.timed_out(now, call, Cause::TIMER_EXPIRY, "T313"),
            Timer::T305 | Timer::T306 | Timer::Listening => self.release_anew(now, call),
            Timer::T308 => self.on_release_timeout(now, call),
            Timer::T309 => {
                self.explain(&call, Failure::Timer("T309"));
                self.end(now, call, Cause::DESTINATION_OUT_OF_ORDER);
                None
            }
            Timer::T322 => self.on_enquiry_timeout(now, call),
        }
    }

    pub(super) fn ids(&self, which: impl Fn(&Call) -> bool) -> Vec<CallId> {
        self.calls.values().filter(|call| which(call)).map(|call| call.id).collect()
    }
    pub(super) fn keep(&mut self, call: Option<Call>) {
        if let Some(call) = call {
            self.calls.insert(call.id, call);
        }
    }
    pub(super) fn tell(&mut self, event: Event) {
        self.outputs.push_back(EngineOutput::Event(event));
    }
    pub(super) fn send(&mut self, message: Composer) {
        self.outputs.push_back(EngineOutput::Send(message.finish()));
    }
    /// A channel as a message names it.
    pub(super) fn named(&self, timeslot: Timeslot, exclusive: bool) -> (u8, bool) {
        (self.settings.numbers.number(timeslot), exclusive)
    }
    pub(super) fn compose(&self, call: &Call, message: MessageType) -> Composer {
        Composer::new(call.id.reference(), message)
    }
    /// A reason found on this side of the interface; [`Engine::explain`] says which.
    pub(super) const fn own(&self, cause: Cause) -> Clearing {
        Clearing { cause, location: self.settings.location, by_far_end: false }
    }
    /// Tells why a call ends that nobody ordered to end. One that is being cleared already has its reason.
    pub(super) fn explain(&mut self, call: &Call, why: Failure) {
        if call.announced && call.clearing.is_none() {
            self.tell(Event::Failed { key: call.key, why });
        }
    }

    /// A reference of our own, cyclic, none in use. Q.931, §4.3.
    pub(super) fn next_reference(&mut self) -> CallId {
        // 32,767 values and fewer calls than timeslots: found within a few steps.
        loop {
            self.last_reference = self.last_reference % 0x7FFF + 1;
            let id = CallId { ours: true, value: self.last_reference };
            if !self.calls.contains_key(&id) {
                return id;
            }
        }
    }
    /// The key of the next call of the peer: even.
    pub(super) fn next_key(&mut self) -> LegKey {
        self.last_incoming_key = self.last_incoming_key.wrapping_add(2);
        LegKey(self.last_incoming_key)
    }
    /// The call on `timeslot`, when there is one.
    pub(super) fn occupant(&self, timeslot: Timeslot) -> Option<CallId> {
        self.calls.values().find(|call| call.timeslot == Some(timeslot)).map(|call| call.id)
    }
    /// Whether `timeslot` is a channel of ours that the operator leaves in use.
    pub(super) fn is_ours(&self, timeslot: Timeslot) -> bool {
        self.settings.channels.has(timeslot) && self.in_use.has(timeslot)
    }
    /// Whether it is that, and in working order.
    pub(super) fn is_usable(&self, timeslot: Timeslot) -> bool {
        self.is_ours(timeslot) && !self.failed.has(timeslot)
    }
    /// Whether a call of ours may go on `timeslot`: the far end has not taken it out of service.
    pub(super) fn is_offered_to_us(&self, timeslot: Timeslot) -> bool {
        self.is_usable(timeslot) && !self.out_of_service.has(timeslot)
    }
    /// The same, and no RESTART of ours names it.
    pub fn may_call(&self, timeslot: Timeslot) -> bool {
        self.is_offered_to_us(timeslot) && !self.restarts.covers(timeslot)
    }
    pub(super) fn note_free(&mut self, now: Instant, timeslot: Timeslot) {
        if let Some(freed) = self.freed.get_mut(timeslot.index()) {
            *freed = now;
        }
    }
    /// A free channel: the network hunts upwards, the user downwards, and what has just become free comes
    /// last, so that the two rarely meet.
    pub(super) fn free_channel(&self, now: Instant) -> Option<Timeslot> {
        let busy: Timeslots = self.calls.values().filter_map(|call| call.timeslot).collect();
        let free = |t: &Timeslot| self.is_offered_to_us(*t) && !busy.has(*t);
        let freed = |t: Timeslot| self.freed.get(t.index()).copied().unwrap_or_default();
        let guard_millis = u64::from(self.settings.guard_millis);
        let rested = |t: &Timeslot| {
            freed(*t) == Instant::default() || now.millis_since(freed(*t)) >= guard_millis
        };
        let mut candidates: Vec<Timeslot> = self.settings.channels.iter().filter(free).collect();
        if self.settings.side == Side::User {
            candidates.reverse();
        }
        let first = candidates.iter().copied().find(rested);
        first.or_else(|| candidates.into_iter().min_by_key(|&t| freed(t)))
    }
}
