//! STATUS, STATUS ENQUIRY, and what is answered to messages that make no sense. Q.931, §5.8.

use call::Cause;
use tdm::Instant;

use super::call::{Call, CallId, Phase, Timer};
use super::compose::Composer;
use super::engine::Engine;
use super::header::MessageType;
use super::message::Body;
use crate::Failure;

/// Requested facility not implemented. Q.850, §2.2.5.
const FACILITY_NOT_IMPLEMENTED: Cause = Cause(69);

impl Engine {
    fn status(&mut self, call: &Call, cause: Cause) {
        let message = self
            .compose(call, MessageType::Status)
            .cause(cause, self.settings.location)
            .call_state(call.state(self.settings.side));
        self.send(message);
    }
    /// §5.8.4: nothing changes, the peer is told where we are.
    pub(super) fn unexpected(&mut self, call: &Call, cause: Cause) {
        self.counters.unexpected += 1;
        self.status(call, cause);
    }
    /// §5.8.6: the message is ignored, the peer is told why.
    pub(super) fn bad_element(&mut self, call: &Call, cause: Cause) {
        self.counters.bad_element += 1;
        self.status(call, cause);
    }
    /// A supplementary service of the basic call we do not have.
    pub(super) fn refuse_service(&mut self, call: Call, answer: MessageType) -> Option<Call> {
        let message =
            self.compose(&call, answer).cause(FACILITY_NOT_IMPLEMENTED, self.settings.location);
        self.send(message);
        Some(call)
    }
    pub(super) fn on_status_enquiry(&mut self, call: Call) -> Option<Call> {
        self.status(&call, Cause::STATUS_ENQUIRY_RESPONSE);
        Some(call)
    }
    /// §5.8.11. A STATUS without a state is ignored: answering STATUS with STATUS might never end.
    pub(super) fn on_status(
        &mut self,
        now: Instant,
        mut call: Call,
        body: &Body<'_>,
    ) -> Option<Call> {
        let Some(&theirs) = body.call_state.good() else { return Some(call) };
        let cause = body.cause.good().map(|element| element.cause);
        let is_answer = cause == Some(Cause::STATUS_ENQUIRY_RESPONSE);
        let asked = matches!(call.timer, Some((Timer::T322, _)));
        if call.may_lag(theirs) && !is_answer {
            // It was sent before our CONNECT was seen. Whether that ever was, the peer is asked once.
            if !asked {
                call.attempts = 1;
                self.enquire(now, &mut call);
            }
            return Some(call);
        }
        if asked {
            call.timer = None;
        }
        match (call.phase, theirs) {
            (_, 0) => {
                self.end(now, call, Cause::TEMPORARY_FAILURE);
                None
            }
            // The acknowledgement of our CONNECT was lost.
            (Phase::Connecting, 10) => self.on_connected(call),
            _ if call.is_compatible(theirs) => Some(call),
            _ => {
                let cause = Cause::MESSAGE_NOT_COMPATIBLE_STATE;
                self.explain(&call, Failure::Contradiction);
                let clearing = *call.clearing.get_or_insert(self.own(cause));
                if call.announced {
                    self.tell(crate::Event::Clearing { key: call.key, clearing });
                }
                self.release(now, call, Some(cause))
            }
        }
    }
    /// After layer 2 came back both sides make sure of the calls they kept. §5.8.8, §5.8.10. A question that is out
    /// already goes on: who sets up the link over and over shall not put its end off. A caller of the peer's is asked
    /// about, too; he rings here, and no timer of the interface ends that.
    pub(super) fn enquire_all(&mut self, now: Instant) {
        let asked = |call: &Call| matches!(call.timer, Some((Timer::T322, _)));
        for id in self.ids(|call| call.phase == Phase::Active && !asked(call)) {
            if let Some(mut call) = self.calls.remove(&id) {
                call.attempts = 1;
                self.enquire(now, &mut call);
                self.keep(Some(call));
            }
        }
        for id in self.ids(|call| !call.id.ours && call.announced && call.is_establishing()) {
            if let Some(call) = self.calls.get(&id) {
                let message = self.compose(call, MessageType::StatusEnquiry);
                self.send(message);
            }
        }
    }
    fn enquire(&mut self, now: Instant, call: &mut Call) {
        let message = self.compose(call, MessageType::StatusEnquiry);
        self.send(message);
        call.timer = Timer::T322.from(now, &self.settings.timers);
    }
    pub(super) fn on_enquiry_timeout(&mut self, now: Instant, mut call: Call) -> Option<Call> {
        if call.attempts < self.settings.timers.n322 {
            call.attempts += 1;
            self.enquire(now, &mut call);
            return Some(call);
        }
        self.explain(&call, Failure::Timer("T322"));
        self.fail(now, call, Cause::TEMPORARY_FAILURE)
    }

    /// A message for a reference nobody uses. §5.8.3.2.
    pub(super) fn without_call(
        &mut self,
        now: Instant,
        id: CallId,
        message: Option<MessageType>,
        body: &Body<'_>,
    ) {
        let location = self.settings.location;
        let compose = |message| Composer::new(id.reference(), message);
        let complete = |cause| compose(MessageType::ReleaseComplete).cause(cause, location);
        if message == Some(MessageType::Setup) && !id.ours {
            return self.on_setup(now, id, body);
        }
        self.counters.unknown_reference += 1;
        match message {
            Some(MessageType::Setup | MessageType::ReleaseComplete) => {}
            Some(MessageType::Status) => match body.call_state.good() {
                None | Some(0) => {}
                Some(_) => self.send(complete(Cause::MESSAGE_NOT_COMPATIBLE_STATE)),
            },
            Some(MessageType::StatusEnquiry) => {
                let cause = Cause::STATUS_ENQUIRY_RESPONSE;
                self.send(compose(MessageType::Status).cause(cause, location).call_state(0));
            }
            _ => self.send(complete(Cause::INVALID_CALL_REFERENCE)),
        }
    }
}
