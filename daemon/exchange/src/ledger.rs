//! Every call of the network, written down as it really was.

use call::Cause;
use serde::{Deserialize, Serialize};

use crate::scenario::SubscriberKind;
use crate::truth::{Audio, Inbound, Outbound, Signalled, Truth};

/// Who is at the network's end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyKind {
    /// Somebody who called us.
    Caller,
    /// Somebody whom we called.
    Subscriber,
    /// A telephone of the PBX.
    Telephone,
}

/// How far a caller has come, as the caller knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not answered.
    #[default]
    Offered,
    /// Hears the flow.
    InFlow,
    /// Asked for an agent.
    Queued,
    /// An agent's telephone rings for this call.
    Rung,
    /// Heard the information asked for.
    Informed,
    /// Heard an agent.
    Talked,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTruth {
    /// Who is at the network's end.
    pub party: PartyKind,
    /// From 1; 0 when it found no channel.
    pub span: u8,
    /// The last it had.
    pub timeslot: Option<u8>,
    /// Dialled digits.
    pub called: String,
    /// The caller's digits, shown or not.
    pub calling: Option<String>,
    /// SETUP, on the board's clock.
    pub began_millis: u64,
    /// CONNECT.
    pub answered_millis: Option<u64>,
    /// Reference and channel were free.
    pub ended_millis: Option<u64>,
    /// What the subscriber was.
    pub subscriber: Option<SubscriberKind>,
    /// The recording the subscriber spoke with.
    pub voice: Option<String>,
    /// A caller's: how far it came.
    pub standing: Standing,
    /// A caller's: something came back for its SETUP.
    pub reached: bool,
    /// A caller's: the network had no channel for it.
    pub unseen: bool,
    /// Lost a channel to a call of ours at the same moment, and is no call.
    pub void: bool,
    /// The parties heard each other's pilots here.
    pub talked: bool,
    /// The longest time within a conversation in which the other's pilot was not heard.
    pub longest_gap_millis: u32,
    /// The cause the network's party sent, when it cleared first.
    pub cause_sent: Option<u8>,
    /// The cause the other side sent, when that cleared first.
    pub cause_received: Option<u8>,
}

impl CallTruth {
    /// A call that begins now.
    pub fn new(party: PartyKind, span: u8, called: &str, began_millis: u64) -> Self {
        Self {
            party,
            span,
            timeslot: None,
            called: called.to_owned(),
            calling: None,
            began_millis,
            answered_millis: None,
            ended_millis: None,
            subscriber: None,
            voice: None,
            standing: Standing::Offered,
            reached: false,
            unseen: false,
            void: false,
            talked: false,
            longest_gap_millis: 0,
            cause_sent: None,
            cause_received: None,
        }
    }
}

/// All calls in the order they began.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    calls: Vec<CallTruth>,
}

impl Ledger {
    /// Opens a record; its number is how it is spoken of.
    pub fn open(&mut self, call: CallTruth) -> usize {
        self.calls.push(call);
        self.calls.len() - 1
    }
    /// Changes a record.
    pub fn with(&mut self, record: usize, change: impl FnOnce(&mut CallTruth)) {
        if let Some(call) = self.calls.get_mut(record) {
            change(call);
        }
    }
    /// How far a caller has come.
    pub fn standing(&self, record: usize) -> Standing {
        self.calls.get(record).map(|call| call.standing).unwrap_or_default()
    }
    /// The party cleared; the first who clears decides.
    pub fn sent(&mut self, record: usize, cause: Cause) {
        self.with(record, |call| {
            if call.cause_received.is_none() {
                call.cause_sent.get_or_insert(cause.0);
            }
        });
    }
    /// The other side cleared.
    pub fn received(&mut self, record: usize, cause: Cause) {
        self.with(record, |call| {
            if call.cause_sent.is_none() {
                call.cause_received.get_or_insert(cause.0);
            }
        });
    }
    /// Every call, void ones too.
    pub fn calls(&self) -> &[CallTruth] {
        &self.calls
    }

    /// The sums.
    pub fn truth(&self) -> Truth {
        let mut truth = Truth::default();
        for call in self.calls.iter().filter(|call| !call.void) {
            match call.party {
                PartyKind::Caller => count_caller(&mut truth.inbound, call),
                PartyKind::Subscriber => {
                    count_subscriber(&mut truth.outbound, call);
                    count_signalled(&mut truth.signalled, call);
                }
                PartyKind::Telephone => {}
            }
            count_audio(&mut truth.audio, call);
        }
        truth
    }
}

fn count_caller(inbound: &mut Inbound, call: &CallTruth) {
    // A SETUP that ended without a word from the other side never reached us.
    if call.unseen || (call.ended_millis.is_some() && !call.reached) {
        inbound.unseen += 1;
        return;
    }
    inbound.offered += 1;
    let is_over = call.ended_millis.is_some();
    let was_released = call.cause_received.is_some();
    match call.standing {
        Standing::Talked => inbound.answered += 1,
        Standing::Informed => inbound.served += 1,
        _ if !is_over => inbound.here += 1,
        Standing::Offered if was_released => inbound.lost.trunk += 1,
        _ if was_released => inbound.released += 1,
        Standing::Offered | Standing::InFlow => inbound.lost.ivr += 1,
        Standing::Queued => inbound.lost.queue += 1,
        Standing::Rung => inbound.lost.agent += 1,
    }
}

fn count_subscriber(outbound: &mut Outbound, call: &CallTruth) {
    outbound.dialled += 1;
    let count = match call.subscriber {
        Some(SubscriberKind::Person) => &mut outbound.person,
        Some(SubscriberKind::Machine) => &mut outbound.machine,
        Some(SubscriberKind::Busy) => &mut outbound.busy,
        Some(SubscriberKind::NoAnswer) => &mut outbound.no_answer,
        Some(SubscriberKind::Vacant) => &mut outbound.vacant,
        Some(SubscriberKind::Congestion) => &mut outbound.congestion,
        Some(SubscriberKind::Other) | None => &mut outbound.other,
    };
    *count += 1;
}

fn count_signalled(signalled: &mut Signalled, call: &CallTruth) {
    match (call.answered_millis, call.cause_sent, call.cause_received) {
        (Some(_), ..) => signalled.answered += 1,
        (None, Some(cause), _) => *signalled.refused.entry(cause).or_default() += 1,
        (None, None, Some(_)) => signalled.given_up += 1,
        (None, None, None) => signalled.here += 1,
    }
}

fn count_audio(audio: &mut Audio, call: &CallTruth) {
    if call.talked {
        match call.party {
            PartyKind::Caller => audio.callers += 1,
            PartyKind::Subscriber => audio.persons += 1,
            PartyKind::Telephone => return,
        }
        audio.longest_gap_millis = audio.longest_gap_millis.max(call.longest_gap_millis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(change: impl FnOnce(&mut CallTruth)) -> CallTruth {
        let mut call = CallTruth::new(PartyKind::Caller, 1, "1", 0);
        call.reached = true;
        call.ended_millis = Some(9);
        change(&mut call);
        call
    }

    #[test]
    fn the_sums_of_callers_close_whatever_happened() {
        let mut ledger = Ledger::default();
        for standing in [
            Standing::Offered,
            Standing::InFlow,
            Standing::Queued,
            Standing::Rung,
            Standing::Informed,
            Standing::Talked,
        ] {
            ledger.open(caller(|call| (call.standing, call.cause_sent) = (standing, Some(16))));
            ledger.open(caller(|call| (call.standing, call.cause_received) = (standing, Some(42))));
            ledger.open(caller(|call| (call.standing, call.ended_millis) = (standing, None)));
        }
        ledger.open(caller(|call| call.unseen = true));
        ledger.open(caller(|call| call.reached = false));
        ledger.open(caller(|call| call.void = true));
        let inbound = ledger.truth().inbound;
        assert_eq!((inbound.offered, inbound.unseen), (18, 2));
        assert_eq!((inbound.answered, inbound.served, inbound.here), (3, 3, 4));
        assert_eq!((inbound.lost.trunk, inbound.lost.ivr), (1, 2));
        assert_eq!((inbound.lost.queue, inbound.lost.agent, inbound.released), (1, 1, 3));
    }

    #[test]
    fn who_clears_first_decides_the_cause() {
        let mut ledger = Ledger::default();
        let record = ledger.open(CallTruth::new(PartyKind::Subscriber, 1, "1", 0));
        ledger.sent(record, Cause::USER_BUSY);
        ledger.received(record, Cause::NORMAL_CLEARING);
        let [call] = ledger.calls() else { panic!("one call") };
        assert_eq!((call.cause_sent, call.cause_received), (Some(17), None));
    }
}
