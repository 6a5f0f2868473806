//! Blind and attended transfer, each one request.

use call::{CallCommand, CallEvent, Cause, LegId, Number, OperationId, RefusalCode, TransferKind};
use signalling::{Event, LegKey};
use tdm::Channel;

use crate::bench::*;

struct Three {
    bench: Bench,
    asker: (LegId, LegKey),
    party: (LegId, LegKey),
    target: (LegId, LegKey),
    operation: OperationId,
    /// Of the target.
    channel: Channel,
}

const ASKER: usize = 1;
const PARTY: usize = 2;

/// Asker and party talk; the asker asks.
fn transfer(kind: TransferKind) -> Three {
    let mut bench = Bench::new(settings(1));
    let (asker, party) = (bench.talker(ASKER), bench.talker(PARTY));
    bench.must(CallCommand::Bridge { a: asker.0, b: party.0, beep: false });
    bench.said();
    let accepted = bench.must(CallCommand::Transfer {
        leg: asker.0,
        group: "public".into(),
        called: Number::unknown("8002"),
        kind,
    });
    let (key, timeslot) = bench.last_call(0);
    Three {
        bench,
        asker,
        party,
        target: (accepted.leg.unwrap(), key),
        operation: accepted.operation.unwrap(),
        channel: at(timeslot.index()),
    }
}

impl Three {
    fn alerts(&mut self) {
        let (key, timeslot) = (self.target.1, self.channel.timeslot);
        self.bench.tell(0, Event::Alerting { key, timeslot, in_band: false });
    }
    fn answers(&mut self) {
        let (key, timeslot) = (self.target.1, self.channel.timeslot);
        self.bench.tell(0, Event::Connected { key, timeslot });
    }
    /// How it ended, which must be once.
    fn end(&self) -> Option<(Option<LegId>, Option<Cause>)> {
        let mut ends = self.bench.events.iter().filter_map(|e| match e {
            CallEvent::Transferred { operation, leg, to, cause } => {
                assert_eq!((*operation, *leg), (self.operation, self.asker.0));
                Some((*to, *cause))
            }
            _ => None,
        });
        let end = ends.next();
        assert!(ends.next().is_none(), "ended twice");
        end
    }
}

#[test]
fn a_blind_transfer_frees_the_asker_at_once_and_the_party_hears_it_ring() {
    let mut t = transfer(TransferKind::Blind);
    let (asker, party, target) = (t.asker.0, t.party.0, t.target.0);
    assert!(t.bench.events.contains(&CallEvent::Unbridged { a: asker, b: party }));
    let (other, _) = t.bench.talker(5);
    t.bench.must(CallCommand::Bridge { a: other, b: asker, beep: false });
    t.alerts();
    assert_eq!(t.bench.plays(at(PARTY)), ["ringback"]);
    t.answers();
    assert!(t.bench.hear_each_other(at(PARTY), t.channel));
    assert_eq!(t.end(), Some((Some(target), None)));
    assert!(t.bench.hear_each_other(at(5), at(ASKER)));
}

#[test]
fn a_blind_transfer_nobody_takes_leaves_the_party_up_and_free() {
    let mut t = transfer(TransferKind::Blind);
    t.bench.hangs_up(t.target.1, Cause::USER_BUSY);
    assert_eq!(t.end(), Some((None, Some(Cause::USER_BUSY))));
    assert!(!t.bench.has_ended(t.party.0));
    let bridge = CallCommand::Bridge { a: t.party.0, b: t.asker.0, beep: false };
    t.bench.must(bridge);
}

#[test]
fn when_the_party_leaves_a_blind_transfer_the_target_is_cleared() {
    let mut t = transfer(TransferKind::Blind);
    t.bench.hangs_up(t.party.1, Cause::NORMAL_CLEARING);
    assert_eq!(t.end(), Some((None, Some(Cause::NORMAL_CLEARING))));
    assert!(t.bench.has_ended(t.target.0));
    assert!(!t.bench.has_ended(t.asker.0));
}

#[test]
fn an_attended_transfer_holds_the_party_and_hanging_up_completes_it() {
    let mut t = transfer(TransferKind::Attended);
    assert!(t.bench.events.contains(&CallEvent::Held { leg: t.asker.0, on: true }));
    assert_eq!(t.bench.plays(at(PARTY)), ["music"]);
    t.alerts();
    assert_eq!(t.bench.plays(at(ASKER)), ["ringback"]);
    t.answers();
    assert!(t.bench.hear_each_other(at(ASKER), t.channel));
    assert_eq!(t.bench.plays(at(PARTY)), ["music"]);
    assert_eq!(t.end(), None);

    t.bench.hangs_up(t.asker.1, Cause::NORMAL_CLEARING);
    assert_eq!(t.end(), Some((Some(t.target.0), None)));
    assert!(t.bench.hear_each_other(at(PARTY), t.channel));
    assert!(t.bench.plays(at(PARTY)).is_empty());
}

#[test]
fn hanging_up_before_the_target_answers_makes_it_blind() {
    let mut t = transfer(TransferKind::Attended);
    t.alerts();
    t.bench.must(CallCommand::Hangup { leg: t.asker.0, cause: Cause::NORMAL_CLEARING });
    assert_eq!(t.bench.plays(at(PARTY)), ["ringback"]);
    assert_eq!(t.end(), None);
    t.answers();
    assert_eq!(t.end(), Some((Some(t.target.0), None)));
    assert!(t.bench.hear_each_other(at(PARTY), t.channel));
}

#[test]
fn a_target_that_does_not_want_gives_the_party_back_to_the_asker() {
    for answered in [false, true] {
        let mut t = transfer(TransferKind::Attended);
        if answered {
            t.answers();
        }
        t.bench.hangs_up(t.target.1, Cause::CALL_REJECTED);
        assert_eq!(t.end(), Some((None, Some(Cause::CALL_REJECTED))));
        assert!(t.bench.hear_each_other(at(ASKER), at(PARTY)));
        assert!(t.bench.plays(at(PARTY)).is_empty() && t.bench.plays(at(ASKER)).is_empty());
    }
}

#[test]
fn a_party_that_leaves_during_the_consultation_leaves_the_two_talking() {
    let mut t = transfer(TransferKind::Attended);
    t.answers();
    t.bench.hangs_up(t.party.1, Cause::NORMAL_CLEARING);
    assert_eq!(t.end(), Some((None, Some(Cause::NORMAL_CLEARING))));
    assert!(t.bench.hear_each_other(at(ASKER), t.channel));
    t.bench.must(CallCommand::Unbridge { leg: t.asker.0 });
}

#[test]
fn retrieve_and_cancel_end_an_attended_transfer_with_the_old_pair() {
    for cancel in [false, true] {
        let mut t = transfer(TransferKind::Attended);
        t.answers();
        t.bench.must(match cancel {
            true => CallCommand::Cancel { operation: t.operation },
            false => CallCommand::Retrieve { leg: t.asker.0 },
        });
        assert!(t.bench.hear_each_other(at(ASKER), at(PARTY)));
        assert!(t.bench.has_ended(t.target.0));
        assert!(matches!(t.end(), Some((None, Some(_)))));
    }
}

#[test]
fn an_agent_whose_leg_stays_up_completes_by_bridging_the_other_two() {
    for answered in [true, false] {
        let mut t = transfer(TransferKind::Attended);
        t.alerts();
        if answered {
            t.answers();
        }
        t.bench.must(CallCommand::Bridge { a: t.party.0, b: t.target.0, beep: false });
        assert_eq!(t.bench.lane(at(ASKER)).source, None);
        assert!(t.bench.plays(at(ASKER)).is_empty());
        if !answered {
            assert_eq!(t.bench.plays(at(PARTY)), ["ringback"]);
            assert_eq!(t.end(), None);
            t.answers();
        }
        assert_eq!(t.end(), Some((Some(t.target.0), None)));
        assert!(t.bench.hear_each_other(at(PARTY), t.channel));
        // The agent is free for the next.
        let (other, _) = t.bench.talker(5);
        t.bench.must(CallCommand::Bridge { a: other, b: t.asker.0, beep: true });
    }
}

#[test]
fn legs_of_a_transfer_are_not_to_be_meddled_with() {
    let mut t = transfer(TransferKind::Attended);
    t.answers();
    for leg in [t.asker.0, t.target.0] {
        let refusal = t.bench.command(CallCommand::Unbridge { leg }).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.state),
            (RefusalCode::WrongState, Some("transfer".into()))
        );
    }
    let (other, _) = t.bench.talker(5);
    let bridge = CallCommand::Bridge { a: other, b: t.party.0, beep: false };
    assert_eq!(t.bench.command(bridge).unwrap_err().code, RefusalCode::WrongState);
}

#[test]
fn a_refused_transfer_leaves_the_two_talking() {
    let mut bench = Bench::new(settings(1));
    let (asker, party) = (bench.talker(ASKER).0, bench.talker(PARTY).0);
    bench.must(CallCommand::Bridge { a: asker, b: party, beep: false });
    bench.said();
    let transfer = CallCommand::Transfer {
        leg: asker,
        group: "nowhere".into(),
        called: Number::unknown("8002"),
        kind: TransferKind::Blind,
    };
    assert_eq!(bench.command(transfer).unwrap_err().code, RefusalCode::BadValue);
    assert!(bench.said().is_empty());
    assert!(bench.hear_each_other(at(ASKER), at(PARTY)));
}
