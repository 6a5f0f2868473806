//! Transfers, each one request: blind (the peer is sent on, the asker is free) and attended (the peer hears music
//! while asker and target talk; when the asker hangs up, peer and target have each other).
//! Bridging party and target by command completes it, too.
//!
//! Three legs: the *asker* whose user wants it, the *party* who is sent on, the *target* who is dialled.

use call::{
    Accepted, CallEvent, Cause, LegId, Number, OperationId, Refusal, RefusalCode, TransferKind,
};

use crate::leg::State;
use crate::machine::{Media, OperationKind, wrong_state};
use crate::outcome::Note;

/// A transfer that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) asker: LegId,
    pub(crate) party: LegId,
    pub(crate) target: LegId,
    /// [`TransferKind::Blind`] also once the asker of an attended one has left before the answer.
    pub(crate) kind: TransferKind,
}

impl Transfer {
    /// Whether `leg` is the party who waits with music.
    pub(crate) fn parks(&self, leg: LegId) -> bool {
        self.kind == TransferKind::Attended && self.party == leg
    }
}

impl Media {
    pub(crate) fn transfer(
        &mut self,
        asker: LegId,
        group: &str,
        called: Number,
        kind: TransferKind,
    ) -> Result<Accepted, Refusal> {
        let party = self.peer_of(asker)?;
        if self.live(party)?.state != State::Answered {
            return Err(wrong_state("leg", "ending", format!("leg {party} is being cleared")));
        }
        let party_leg = self.live(party)?;
        let (call, calling) = (party_leg.call, party_leg.calling.clone());
        let (target, call) = self.place(group, called, calling, Some(call))?;
        let operation = self.begin_operation(target, OperationKind::Transfer);
        self.transfers.insert(operation, Transfer { asker, party, target, kind });
        let waiting = match kind {
            TransferKind::Blind => {
                self.part(asker, party);
                party
            }
            TransferKind::Attended => {
                self.unlink_quietly(asker, party);
                self.mark(asker, Some(operation));
                asker
            }
        };
        self.mark(party, Some(operation));
        self.mark(target, Some(operation));
        self.promise(waiting, target);
        if kind == TransferKind::Attended {
            self.event(CallEvent::Held { leg: asker, on: true });
        }
        self.settle(asker);
        self.settle(party);
        self.send_setup(target, self.settings.timing.transfer_ring_millis);
        self.tell_dialling(operation, target);
        if kind == TransferKind::Blind {
            self.alone(asker);
        }
        Ok(Accepted { operation: Some(operation), leg: Some(target), call: Some(call) })
    }

    fn mark(&mut self, leg: LegId, transfer: Option<OperationId>) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.transfer = transfer;
        }
    }

    /// `waiting` gets `dialled` when that answers.
    fn promise(&mut self, waiting: LegId, dialled: LegId) {
        if let Some(leg) = self.legs.get_mut(&waiting) {
            leg.waits_for = Some(dialled);
        }
        if let Some(leg) = self.legs.get_mut(&dialled) {
            leg.promised = Some(waiting);
        }
    }

    fn unpromise(&mut self, waiting: LegId, dialled: LegId) {
        if let Some(leg) = self.legs.get_mut(&waiting) {
            leg.waits_for = None;
        }
        if let Some(leg) = self.legs.get_mut(&dialled) {
            leg.promised = None;
        }
    }

    fn unlink_quietly(&mut self, a: LegId, b: LegId) {
        for id in [a, b] {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.peer = None;
                leg.holding = false;
            }
        }
    }

    /// CONNECT from the target.
    pub(crate) fn target_answered(&mut self, operation: OperationId, target: LegId) {
        let Some(transfer) = self.transfers.get(&operation).copied() else { return };
        let Transfer { asker, party, kind, .. } = transfer;
        match kind {
            TransferKind::Blind => {
                self.unpromise(party, target);
                self.end_transfer(operation, Some(target), None);
                self.join(party, target, false);
            }
            TransferKind::Attended => {
                self.unpromise(asker, target);
                self.join(asker, target, false);
            }
        }
    }

    /// Tells how a transfer ended; its legs are free of it.
    fn end_transfer(&mut self, operation: OperationId, to: Option<LegId>, cause: Option<Cause>) {
        let Some(transfer) = self.transfers.remove(&operation) else { return };
        for leg in [transfer.asker, transfer.party, transfer.target] {
            if self.legs.get(&leg).is_some_and(|l| l.transfer == Some(operation)) {
                self.mark(leg, None);
            }
        }
        self.end_operation(operation);
        self.event(CallEvent::Transferred { operation, leg: transfer.asker, to, cause });
    }

    /// One of the three leaves. What is left of the others' links is put in order here.
    pub(crate) fn transfer_leg_gone(&mut self, operation: OperationId, gone: LegId, cause: Cause) {
        let Some(transfer) = self.transfers.get(&operation).copied() else { return };
        if gone == transfer.asker {
            self.asker_gone(operation, transfer);
        } else if gone == transfer.target {
            self.target_gone(operation, transfer, cause);
        } else {
            self.party_gone(operation, transfer, cause);
        }
    }

    /// The asker hangs up: that completes an attended transfer, or makes it a blind one.
    fn asker_gone(&mut self, operation: OperationId, transfer: Transfer) {
        let Transfer { asker, party, target, .. } = transfer;
        self.mark(asker, None);
        if self.legs.get(&target).is_some_and(|leg| leg.state == State::Answered) {
            self.unlink_quietly(asker, target);
            self.end_transfer(operation, Some(target), None);
            return self.join(party, target, false);
        }
        self.unpromise(asker, target);
        self.promise(party, target);
        if let Some(transfer) = self.transfers.get_mut(&operation) {
            transfer.kind = TransferKind::Blind;
        }
        self.settle(party);
    }

    /// Bridging party and target of an attended transfer completes it without the asker hanging up: the way of an
    /// agent whose leg stays up. `false`: these two are not in one.
    pub(crate) fn complete_transfer(&mut self, a: LegId, b: LegId) -> bool {
        let found = self.transfers.iter().find(|(_, t)| {
            t.kind == TransferKind::Attended
                && ((t.party, t.target) == (a, b) || (t.party, t.target) == (b, a))
        });
        let Some((&operation, &transfer)) = found else { return false };
        let Transfer { asker, target, .. } = transfer;
        let talks = self.legs.get(&target).is_some_and(|leg| leg.state == State::Answered);
        self.event(match talks {
            true => CallEvent::Unbridged { a: asker, b: target },
            false => CallEvent::Held { leg: asker, on: false },
        });
        self.asker_gone(operation, transfer);
        self.settle(asker);
        self.alone(asker);
        true
    }

    /// The target did not answer, or hung up before the transfer was complete.
    fn target_gone(&mut self, operation: OperationId, transfer: Transfer, cause: Cause) {
        let Transfer { asker, party, target, kind } = transfer;
        match kind {
            TransferKind::Blind => {
                self.unpromise(party, target);
                self.end_transfer(operation, None, Some(cause));
                self.settle(party);
                self.alone(party);
            }
            TransferKind::Attended => {
                self.unpromise(asker, target);
                self.unlink_quietly(asker, target);
                self.end_transfer(operation, None, Some(cause));
                self.event(CallEvent::Held { leg: asker, on: false });
                self.join(asker, party, false);
            }
        }
    }

    /// The party leaves: nobody is to be sent on any more.
    fn party_gone(&mut self, operation: OperationId, transfer: Transfer, cause: Cause) {
        let Transfer { asker, party, target, kind } = transfer;
        let talks = self.legs.get(&target).is_some_and(|leg| leg.state == State::Answered);
        let waiting = match kind {
            TransferKind::Blind => party,
            TransferKind::Attended => asker,
        };
        self.unpromise(waiting, target);
        self.end_transfer(operation, None, Some(cause));
        if kind == TransferKind::Attended {
            self.event(CallEvent::Held { leg: asker, on: false });
            self.settle(asker);
        }
        if !talks {
            self.clear(target, Cause::NORMAL_CLEARING, Note::NobodyWaits);
            if kind == TransferKind::Attended {
                self.alone(asker);
            }
        }
    }

    /// Asker and party are together again (attended), or the party is alone (blind); the target is cleared.
    pub(crate) fn give_up_transfer(&mut self, operation: OperationId) {
        let Some(transfer) = self.transfers.get(&operation).copied() else { return };
        self.clear(transfer.target, Cause::NORMAL_CLEARING, Note::NobodyWaits);
    }

    pub(crate) fn cancel(&mut self, operation: OperationId) -> Result<Accepted, Refusal> {
        let Some(&(leg, kind)) = self.operations.get(&operation) else {
            let what = format!("there is no operation {operation}, or it has ended");
            return Err(Refusal::new(RefusalCode::UnknownCall, "operation", what));
        };
        match kind {
            OperationKind::Dial => {
                self.live(leg)?;
                self.clear(leg, Cause::NORMAL_CLEARING, Note::Command);
            }
            OperationKind::Play => {
                self.stop_play(leg);
                self.settle(leg);
            }
            OperationKind::Collect => self.end_collect(leg, call::CollectEnd::Stopped),
            OperationKind::Transfer => self.give_up_transfer(operation),
            OperationKind::Record => self.end_recording(leg),
            OperationKind::Judge => self.drop_judgement(leg, "cancelled"),
        }
        Ok(Accepted::default())
    }
}
