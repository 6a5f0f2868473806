//! What becomes of calls when layer 2 comes, goes, or is established anew. Q.931, §5.8.8 to §5.8.10.

use std::collections::BTreeSet;

use call::Cause;
use tdm::Instant;

use super::call::{CallId, Phase, Timer};
use super::engine::{Engine, EngineOutput};
use super::header::{CallReference, Header, MessageType};
use crate::{Event, Failure, Maintenance};

impl Engine {
    /// Layer 2 came up after it was down. Q.931, §5.8.9.
    pub fn link_up(&mut self, now: Instant) {
        self.link_up = true;
        self.tell(Event::LinkUp);
        self.enquire_all(now);
        self.restart_again(now);
        self.service_again();
    }
    /// Layer 2 was established anew without having been down, and of what it was given it does not know whether the
    /// peer has `unacknowledged`, oldest first. Q.931, §5.8.8 leaves it to timers, which cost seconds or, as T313, the
    /// call: what a peer may hear twice is repeated.
    pub fn link_reset(&mut self, now: Instant, unacknowledged: &[Vec<u8>]) {
        for id in self.ids(|call| call.phase == Phase::Overlap) {
            if let Some(call) = self.calls.remove(&id) {
                let kept = self.fail(now, call, Cause::TEMPORARY_FAILURE);
                self.keep(kept);
            }
        }
        self.say_again(unacknowledged);
        self.enquire_all(now);
        self.restart_again(now);
    }
    /// T303 or T308 may have repeated a message while the link was silent: once is enough. What was said before a
    /// RELEASE COMPLETE of ours was of a call that is gone; its reference may be another's by now.
    fn say_again(&mut self, unacknowledged: &[Vec<u8>]) {
        let (mut again, mut said, mut over) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for message in unacknowledged.iter().rev() {
            let header = Header::parse(message).ok().map(|(header, _)| header);
            let id = header.map(|header| own_id(header.call));
            let is_old = id.is_some_and(|id| over.contains(&id));
            if !is_old && self.may_repeat(header, message) && said.insert(message) {
                again.push(message);
            }
            if header.is_some_and(|h| h.code == MessageType::ReleaseComplete.code()) {
                over.extend(id);
            }
        }
        let again = again.into_iter().rev();
        self.outputs.extend(again.map(|message| EngineOutput::Send(message.clone())));
    }
    /// Whether a message of ours may go out a second time: its call is still there, and a peer that has it already
    /// ignores it or says where it stands. Digits would be dialled twice; a RESTART has its own repetition.
    fn may_repeat(&self, header: Option<Header>, message: &[u8]) -> bool {
        use MessageType as M;
        let Some(header) = header else {
            return message.first().is_some_and(|&octet| Maintenance::of(octet).is_some());
        };
        let there = self.calls.contains_key(&own_id(header.call));
        match MessageType::from_code(header.code) {
            Some(M::RestartAcknowledge) => header.call.is_global(),
            Some(M::ReleaseComplete) => !header.call.is_global() && !there,
            Some(
                M::Setup
                | M::CallProceeding
                | M::Alerting
                | M::Progress
                | M::Connect
                | M::ConnectAcknowledge
                | M::Disconnect
                | M::Release,
            ) => there,
            _ => false,
        }
    }
    /// Layer 2 was established anew and lost nothing: only make sure that the peer still knows the calls.
    pub fn link_renewed(&mut self, now: Instant) {
        self.enquire_all(now);
        self.restart_renewed(now);
    }
    /// Layer 2 is down. Active calls wait for T309, the others are over. Q.931, §5.8.9.
    pub fn link_down(&mut self, now: Instant) {
        self.link_up = false;
        self.segments.clear();
        self.restarts.wait_for_link();
        for id in self.ids(|_| true) {
            let Some(mut call) = self.calls.remove(&id) else { continue };
            if call.phase != Phase::Active || self.settings.timers.t309_millis == 0 {
                self.explain(&call, Failure::Link);
                self.end(now, call, Cause::DESTINATION_OUT_OF_ORDER);
                continue;
            }
            if !matches!(call.timer, Some((Timer::T309, _))) {
                call.timer = Timer::T309.from(now, &self.settings.timers);
            }
            self.keep(Some(call));
        }
        self.tell(Event::LinkDown);
    }
}

/// The call a message of ours speaks of.
const fn own_id(reference: CallReference) -> CallId {
    CallId { ours: !reference.to_originator, value: reference.value }
}
