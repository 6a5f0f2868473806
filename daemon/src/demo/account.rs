//! Both sides' words held against each other, call by call: a call too many and one too few do not cancel.
//!
//! A caller is known by the number he calls from, a subscriber by the number we dial; the network gives each
//! to one call. Which words are exact and which are heard stands at `Words`.

use std::collections::{BTreeMap, BTreeSet};

use exchange::{CallTruth, PartyKind, Standing, SubscriberKind};

/// How two words of one call stand to each other.
///
/// Signalled words are exact on both sides: `lost_trunk`, `busy`, `no_answer`, `vacant`, `congestion`, and
/// `other` where the network refused. Everything a caller does in the band is *heard*, by us or by the
/// exchange, and takes its time to be: a key, an agent's voice, the information. Who hangs up within that time
/// is told apart by each side as it heard. Whether a person or a machine answered is judged, and the table of
/// confusion tells how well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    Equal,
    /// They may differ, because one side needs time to hear.
    Heard,
    /// They must not differ.
    Wrong,
}

/// What does not agree, in calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Calls only the exchange has.
    pub missing: u64,
    /// Calls only we have.
    pub extra: u64,
    /// Calls of which both sides know, with words that must agree and do not: theirs, ours, how many.
    pub wrong: BTreeMap<(String, String), u64>,
    /// Callers of whom each side heard something else.
    pub heard: u64,
    /// Calls for which the exchange heard an agent and we know of none.
    pub not_ours: u64,
    /// Calls that our own fall cut before they came to anything: nothing can be said of them but that they were.
    pub cut: u64,
}

impl Account {
    /// Calls towards us. `ours` is our word by the caller's number; `here` calls are not over.
    pub fn of_callers(calls: &[CallTruth], ours: &BTreeMap<String, String>, here: u64) -> Self {
        let mut account = Self::default();
        let mut known = BTreeSet::new();
        for call in calls.iter().filter(|call| call.party == PartyKind::Caller && !call.void) {
            let Some(number) = call.calling.as_deref() else { continue };
            let is_over = call.ended_millis.is_some();
            // A SETUP that ended without a word from us never reached us.
            if call.unseen || (is_over && !call.reached) {
                continue;
            }
            known.insert(number);
            let theirs = word_of_caller(call);
            match ours.get(number) {
                None if is_over => account.missing += 1,
                Some(ours) if is_over || theirs == "answered" => {
                    account.hold(theirs, ours, callers_words(theirs, ours));
                }
                // Not over on one side at least.
                None | Some(_) => {}
            }
        }
        account.finish(&known, ours, here)
    }

    /// Calls from us. `ours` is our word by the number we dialled; `here` calls are not over.
    pub fn of_subscribers(calls: &[CallTruth], ours: &BTreeMap<String, String>, here: u64) -> Self {
        let mut account = Self::default();
        let mut known = BTreeSet::new();
        for call in calls.iter().filter(|call| call.party == PartyKind::Subscriber && !call.void) {
            let is_new = known.insert(call.called.as_str());
            let theirs = word_of_subscriber(call);
            match ours.get(&call.called) {
                // The second call to one number has no record of its own.
                _ if !is_new => account.missing += 1,
                None if call.ended_millis.is_some() => account.missing += 1,
                Some(ours) => account.hold(theirs, ours, subscribers_words(call, theirs, ours)),
                None => {}
            }
        }
        account.finish(&known, ours, here)
    }

    /// Calls that are not accounted for: one side alone has them, or the words must agree and do not.
    pub fn unaccounted(&self) -> u64 {
        self.missing + self.extra + self.wrong.values().sum::<u64>()
    }

    /// What is wrong, in words; `who` are they.
    pub fn faults(&self, who: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for (count, what) in [
            (self.missing, "the exchange has and we do not"),
            (self.extra, "we have and the exchange does not"),
        ] {
            if count > 0 {
                faults.push(format!("{count} {who} calls that {what}"));
            }
        }
        for ((theirs, ours), count) in &self.wrong {
            faults.push(format!("{count} {who} calls: {ours} to us, {theirs} to the exchange"));
        }
        if self.not_ours > 0 {
            faults.push(format!(
                "{} {who} calls heard an agent of whom we know nothing",
                self.not_ours
            ));
        }
        faults
    }

    fn hold(&mut self, theirs: &str, ours: &str, words: Words) {
        match words {
            _ if ours == "cut" => self.cut += 1,
            Words::Equal => {}
            Words::Heard if theirs == "answered" => self.not_ours += 1,
            Words::Heard => self.heard += 1,
            Words::Wrong => *self.wrong.entry((theirs.into(), ours.into())).or_default() += 1,
        }
    }

    /// Calls that are still here have no word of ours yet; whatever has one and is not the network's is extra.
    fn finish(
        mut self,
        known: &BTreeSet<&str>,
        ours: &BTreeMap<String, String>,
        here: u64,
    ) -> Self {
        self.missing = self.missing.saturating_sub(here);
        self.extra = ours.keys().filter(|number| !known.contains(number.as_str())).count() as u64;
        self
    }
}

/// The exchange's word in the words of our records.
fn word_of_caller(call: &CallTruth) -> &'static str {
    let was_released = call.cause_received.is_some();
    match call.standing {
        Standing::Talked => "answered",
        Standing::Informed => "served",
        Standing::Offered if was_released => "lost_trunk",
        _ if was_released => "released",
        Standing::Offered | Standing::InFlow => "lost_ivr",
        Standing::Queued => "lost_queue",
        Standing::Rung => "lost_agent",
    }
}

fn callers_words(theirs: &str, ours: &str) -> Words {
    match (theirs, ours) {
        _ if theirs == ours => Words::Equal,
        // Refused at the door or not: both sides see that in the signalling.
        ("lost_trunk", _) | (_, "lost_trunk") => Words::Wrong,
        _ => Words::Heard,
    }
}

fn word_of_subscriber(call: &CallTruth) -> &'static str {
    match call.subscriber {
        Some(SubscriberKind::Person) => "person",
        Some(SubscriberKind::Machine) => "machine",
        Some(SubscriberKind::Busy) => "busy",
        Some(SubscriberKind::NoAnswer) => "no_answer",
        Some(SubscriberKind::Vacant) => "vacant",
        Some(SubscriberKind::Congestion) => "congestion",
        Some(SubscriberKind::Other) | None => "other",
    }
}

fn subscribers_words(call: &CallTruth, theirs: &str, ours: &str) -> Words {
    // We gave up before the subscriber could show what it is.
    let is_given_up = call.answered_millis.is_none() && call.cause_received.is_some();
    match (theirs, ours) {
        _ if theirs == ours => Words::Equal,
        ("person" | "machine", "person" | "machine" | "fax" | "other") => Words::Equal,
        (_, "no_answer" | "other") if is_given_up => Words::Equal,
        _ => Words::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(number: &str, change: impl FnOnce(&mut CallTruth)) -> CallTruth {
        let mut call = CallTruth::new(PartyKind::Caller, 1, "4008001234", 0);
        call.calling = Some(number.into());
        call.reached = true;
        call.ended_millis = Some(9);
        change(&mut call);
        call
    }

    fn subscriber(number: &str, kind: SubscriberKind) -> CallTruth {
        let mut call = CallTruth::new(PartyKind::Subscriber, 1, number, 0);
        call.subscriber = Some(kind);
        call.ended_millis = Some(9);
        call.cause_sent = Some(17);
        call
    }

    fn words(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(number, word)| (number.to_owned(), word.to_owned())).collect()
    }

    #[test]
    fn a_call_too_many_and_a_call_too_few_do_not_cancel() {
        let theirs = [caller("1", |_| ()), caller("2", |_| ())];
        let account =
            Account::of_callers(&theirs, &words(&[("2", "lost_ivr"), ("3", "lost_ivr")]), 0);
        assert_eq!((account.missing, account.extra, account.unaccounted()), (1, 1, 2));
        let theirs = [subscriber("1", SubscriberKind::Busy)];
        let account = Account::of_subscribers(&theirs, &words(&[("3", "busy")]), 0);
        assert_eq!((account.missing, account.extra, account.unaccounted()), (1, 1, 2));
    }

    #[test]
    fn two_words_that_changed_places_do_not_cancel() {
        let theirs =
            [subscriber("1", SubscriberKind::Busy), subscriber("2", SubscriberKind::Vacant)];
        let ours = words(&[("1", "vacant"), ("2", "busy")]);
        let account = Account::of_subscribers(&theirs, &ours, 0);
        assert_eq!(account.unaccounted(), 2);
        assert_eq!(account.faults("dialled").len(), 2);
        let theirs = [
            caller("1", |call| call.cause_received = Some(42)),
            caller("2", |call| call.standing = Standing::Queued),
        ];
        let ours = words(&[("1", "lost_queue"), ("2", "lost_trunk")]);
        assert_eq!(Account::of_callers(&theirs, &ours, 0).unaccounted(), 2);
    }

    #[test]
    fn what_is_heard_may_differ_and_is_counted_unless_they_heard_an_agent() {
        let theirs = [
            caller("1", |call| call.standing = Standing::Queued),
            caller("2", |call| call.standing = Standing::Talked),
        ];
        let ours = words(&[("1", "answered"), ("2", "lost_queue")]);
        let account = Account::of_callers(&theirs, &ours, 0);
        assert_eq!((account.heard, account.not_ours, account.unaccounted()), (1, 1, 0));
        assert_eq!(account.faults("incoming").len(), 1);
    }

    #[test]
    fn a_misjudged_person_is_confusion_and_a_busy_person_is_wrong() {
        let theirs =
            [subscriber("1", SubscriberKind::Person), subscriber("2", SubscriberKind::Person)];
        let ours = words(&[("1", "machine"), ("2", "busy")]);
        assert_eq!(Account::of_subscribers(&theirs, &ours, 0).unaccounted(), 1);
        let mut given_up = subscriber("1", SubscriberKind::Busy);
        (given_up.cause_sent, given_up.cause_received) = (None, Some(16));
        let ours = words(&[("1", "other")]);
        assert_eq!(Account::of_subscribers(&[given_up], &ours, 0).unaccounted(), 0);
        let refused = subscriber("1", SubscriberKind::Other);
        let ours = words(&[("1", "no_answer")]);
        assert_eq!(Account::of_subscribers(&[refused], &ours, 0).unaccounted(), 1);
    }

    #[test]
    fn calls_that_our_fall_cut_are_there_and_have_no_word() {
        let theirs = [caller("1", |call| call.standing = Standing::Queued)];
        let account = Account::of_callers(&theirs, &words(&[("1", "cut"), ("2", "cut")]), 0);
        assert_eq!((account.cut, account.heard, account.extra), (1, 0, 1));
    }

    #[test]
    fn calls_that_are_still_here_and_calls_that_never_came_are_not_missing() {
        let theirs = [
            caller("1", |call| call.ended_millis = None),
            caller("2", |_| ()),
            caller("3", |call| call.unseen = true),
            caller("4", |call| call.reached = false),
            caller("5", |call| call.void = true),
        ];
        assert_eq!(Account::of_callers(&theirs, &BTreeMap::new(), 1), Account::default());
        assert_eq!(Account::of_callers(&theirs, &BTreeMap::new(), 0).missing, 1);
    }
}
