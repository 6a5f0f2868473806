//! The account at the end: our counts, the exchange's own, and whether they close.

use std::collections::BTreeMap;

use exchange::{CallTruth, PartyKind, SubscriberKind, Truth};
use serde::{Deserialize, Serialize};

use super::account::Account;

/// Incoming calls, ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// All that reached us.
    pub offered: u64,
    /// An agent spoke with the caller.
    pub answered: u64,
    /// The flow gave the caller what he came for.
    pub served: u64,
    /// Lost, by stage.
    pub lost: Lost,
    /// Still in the house.
    #[serde(default)]
    pub here: u64,
    /// What the exchange could not place: exact, from the exchange.
    #[serde(default)]
    pub unseen: Option<f64>,
}

/// Lost calls, by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Lost {
    pub trunk: u64,
    pub ivr: u64,
    pub queue: u64,
    pub agent: u64,
}

/// Dialled calls, ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Outbound {
    pub dialled: u64,
    pub person: u64,
    pub machine: u64,
    pub busy: u64,
    pub no_answer: u64,
    pub vacant: u64,
    pub congestion: u64,
    pub other: u64,
    #[serde(default)]
    pub in_flight: u64,
    #[serde(default)]
    pub abandoned: u64,
}

/// The call centre's report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Calls that came.
    pub inbound: Inbound,
    /// Calls we dialled.
    pub outbound: Outbound,
    /// What its own sums leave open.
    pub unaccounted: u64,
}

/// The board's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardCounts {
    /// Interrupts taken.
    pub interrupts: u64,
    /// Milliseconds that were handled later than in their own interrupt; nothing was lost with them.
    pub missed: u64,
    /// Contiguous losses of milliseconds.
    pub gaps: u64,
    /// Milliseconds lost in them.
    pub lost_millis: u64,
}

/// Who was there, against who we said it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Persons taken for persons.
    pub person_as_person: u64,
    /// Persons lost as machines.
    pub person_as_machine: u64,
    /// Persons of whom something else was said.
    pub person_as_other: u64,
    /// Machines taken for machines.
    pub machine_as_machine: u64,
    /// Machines given to agents.
    pub machine_as_person: u64,
    /// Machines of which something else was said.
    pub machine_as_other: u64,
}

/// The last line of `demo --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Ours.
    pub inbound: Inbound,
    /// Ours.
    pub outbound: Outbound,
    /// The exchange's own.
    pub truth: Truth,
    /// Calls that one side alone has, or that each side calls by another word where the words are exact, call by
    /// call; and what the sums leave open.
    pub unaccounted: u64,
    /// Milliseconds for which the line had nothing to send.
    pub underruns: u64,
    /// The board.
    pub board: BoardCounts,
    /// Persons and machines.
    pub confusion: Confusion,
    /// Callers of whom each side heard something else, because they hung up while something was being heard.
    pub heard_otherwise: u64,
    /// What is to be known beside the counts, and is no fault.
    pub notes: Vec<String>,
    /// What does not agree, in words. Empty when all is well.
    pub faults: Vec<String>,
}

/// What the summary is made of.
pub struct Evidence<'a> {
    /// The call centre's report.
    pub report: Report,
    /// The exchange's counts.
    pub truth: Truth,
    /// The exchange's calls, one by one.
    pub calls: &'a [CallTruth],
    /// Result by dialled number, ours.
    pub results: &'a BTreeMap<String, String>,
    /// Result by caller's number, ours.
    pub callers: &'a BTreeMap<String, String>,
    /// The board.
    pub board: BoardCounts,
    /// See [`Summary::underruns`].
    pub underruns: u64,
}

impl Summary {
    /// Holds both sides against each other.
    pub fn of(evidence: &Evidence<'_>) -> Self {
        let Evidence { report, truth, calls, results, callers, .. } = evidence;
        let (inbound, outbound) = (report.inbound, report.outbound);
        let mut summary = Self::of_ours(evidence);
        let came = Account::of_callers(calls, callers, inbound.here);
        let dialled = Account::of_subscribers(calls, results, outbound.in_flight);
        let mut faults = came.faults("incoming");
        faults.extend(dialled.faults("dialled"));
        // Words that the signalling says are the same on both sides, to the last call.
        let mut compare = |what: &str, ours: u64, theirs: u64| {
            if ours != theirs {
                faults.push(format!("{what}: we say {ours}, the exchange says {theirs}"));
            }
        };
        compare("incoming calls", inbound.offered, truth.inbound.offered);
        compare("dialled calls", outbound.dialled, truth.outbound.dialled);
        // With calls that are not over, or were cut, only the account by number can tell.
        let came_to_words = inbound.here + came.cut == 0;
        let dialled_to_words = outbound.in_flight + dialled.cut == 0;
        if came_to_words {
            compare("refused at the trunk", inbound.lost.trunk, truth.inbound.lost.trunk);
        }
        if dialled_to_words {
            compare("busy", outbound.busy, truth.outbound.busy);
            compare("no answer", outbound.no_answer, truth.outbound.no_answer);
            compare("vacant", outbound.vacant, truth.outbound.vacant);
            compare("congestion", outbound.congestion, truth.outbound.congestion);
        }
        if came_to_words {
            faults.extend(unlike_the_records(&words_of_callers(&inbound), callers));
        }
        if dialled_to_words {
            faults.extend(unlike_the_records(&words_of_dialled(&outbound), results));
        }
        // What is heard takes its time to be: who hangs up within it is told apart by each side as it heard.
        let by_ear = 1 + inbound.offered / 100;
        if came.heard > by_ear {
            faults.push(format!(
                "{} callers of whom each side heard something else; {by_ear} are to be expected",
                came.heard
            ));
        }
        if came_to_words {
            let (ours, theirs) = (inbound.answered, truth.inbound.answered);
            if theirs > ours || ours - theirs > by_ear {
                faults.push(format!(
                    "callers answered by an agent: we say {ours}, the exchange says {theirs}"
                ));
            }
        }
        // The call-by-call account sees what the sums hide; the sums see what has no record.
        let unaccounted = came.unaccounted().max(inbound.offered.abs_diff(truth.inbound.offered))
            + dialled.unaccounted().max(outbound.dialled.abs_diff(truth.outbound.dialled));
        summary.unaccounted += unaccounted;
        if unaccounted > 0 {
            faults.push(format!("{} calls are unaccounted for", summary.unaccounted));
        }
        summary.heard_otherwise = came.heard;
        if came.cut + dialled.cut > 0 {
            summary.notes.push(format!(
                "{} incoming and {} dialled calls were cut when the call server fell: both sides have \
                 them, and each its own word",
                came.cut, dialled.cut
            ));
        }
        summary.faults.extend(faults);
        summary
    }

    /// Our own sums alone: whoever could say the same is gone.
    pub fn of_ours(evidence: &Evidence<'_>) -> Self {
        let Evidence { report, truth, calls, results, board, underruns, .. } = evidence;
        let (mut inbound, outbound) = (report.inbound, report.outbound);
        inbound.unseen = Some(truth.inbound.unseen as f64);
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        let lost = inbound.lost.trunk + inbound.lost.ivr + inbound.lost.queue + inbound.lost.agent;
        if inbound.offered != inbound.answered + inbound.served + lost + inbound.here {
            faults.push("the incoming calls do not add up".to_owned());
        }
        let results_sum = outbound.person
            + outbound.machine
            + outbound.busy
            + outbound.no_answer
            + outbound.vacant
            + outbound.congestion
            + outbound.other
            + outbound.in_flight;
        if outbound.dialled != results_sum {
            faults.push("the dialled calls do not add up".to_owned());
        }
        if report.unaccounted > 0 {
            faults.push(format!("{} calls are missing in our own sums", report.unaccounted));
        }
        if inbound.here + outbound.in_flight > 0 {
            notes.push(format!(
                "{} incoming and {} dialled calls were still there at the end",
                inbound.here, outbound.in_flight
            ));
        }
        Self {
            inbound,
            outbound,
            truth: truth.clone(),
            unaccounted: report.unaccounted,
            underruns: *underruns,
            board: *board,
            confusion: confusion(calls, results),
            heard_otherwise: 0,
            notes,
            faults,
        }
    }

    /// The summary for people.
    pub fn table(&self) -> String {
        let Self { inbound: i, outbound: o, truth: t, confusion: c, board: b, .. } = self;
        let mut rows = vec![
            row("incoming calls", i.offered, t.inbound.offered),
            row("  answered by an agent", i.answered, t.inbound.answered),
            row("  served by the flow", i.served, t.inbound.served),
            row("  lost at the trunk", i.lost.trunk, t.inbound.lost.trunk),
            row("  lost in the menu (ivr)", i.lost.ivr, t.inbound.lost.ivr),
            row("  lost in the queue", i.lost.queue, t.inbound.lost.queue),
            row("  lost as the agent rang", i.lost.agent, t.inbound.lost.agent),
            format!("{:<28}{:>8}{:>12}", "  unseen (no channel free)", "", t.inbound.unseen),
            row("dialled calls", o.dialled, t.outbound.dialled),
            row("  person", o.person, t.outbound.person),
            row("  machine", o.machine, t.outbound.machine),
            row("  busy", o.busy, t.outbound.busy),
            row("  no answer", o.no_answer, t.outbound.no_answer),
            row("  vacant number", o.vacant, t.outbound.vacant),
            row("  congestion", o.congestion, t.outbound.congestion),
            row("  other", o.other, t.outbound.other),
        ];
        rows.insert(0, format!("{:<28}{:>8}{:>12}", "", "ours", "exchange's"));
        rows.push(format!(
            "persons {} right, {} taken for machines; machines {} right, {} taken for persons",
            c.person_as_person, c.person_as_machine, c.machine_as_machine, c.machine_as_person
        ));
        rows.push(format!(
            "agents heard by {} callers and {} persons; longest gap {} ms",
            t.audio.callers, t.audio.persons, t.audio.longest_gap_millis
        ));
        rows.push(format!(
            "board: {} interrupts, {} missed, {} gaps ({} ms); {} underruns; {} calls unaccounted for",
            b.interrupts, b.missed, b.gaps, b.lost_millis, self.underruns, self.unaccounted
        ));
        if self.heard_otherwise > 0 && self.faults.is_empty() {
            rows.push(format!(
                "{} callers hung up within the moment that hearing takes: each side tells what it heard",
                self.heard_otherwise
            ));
        }
        rows.extend(self.notes.iter().map(|note| format!("note: {note}")));
        rows.extend(self.faults.iter().map(|fault| format!("FAULT: {fault}")));
        rows.join("\n")
    }
}

/// Words of calls that came, as the records say them, that are not compared exactly with the exchange's.
fn words_of_callers(i: &Inbound) -> [(&'static str, u64); 5] {
    [
        ("answered", i.answered),
        ("served", i.served),
        ("lost_ivr", i.lost.ivr),
        ("lost_queue", i.lost.queue),
        ("lost_agent", i.lost.agent),
    ]
}

/// The same of calls that we dialled.
fn words_of_dialled(o: &Outbound) -> [(&'static str, u64); 3] {
    [("person", o.person), ("machine", o.machine), ("other", o.other)]
}

/// The report counts as it goes, the records are written one by one: they tell the same.
fn unlike_the_records(words: &[(&str, u64)], records: &BTreeMap<String, String>) -> Vec<String> {
    let told = |word: &str| {
        // The report counts a fax among the others.
        let is_it = |said: &&String| *said == word || (word == "other" && *said == "fax");
        records.values().filter(is_it).count() as u64
    };
    let all = words.iter().map(|&(word, count)| (word, count, told(word)));
    all.filter(|(_, count, told)| count != told)
        .map(|(word, count, told)| format!("{word}: the report says {count}, the records {told}"))
        .collect()
}

fn row(what: &str, ours: u64, theirs: u64) -> String {
    format!("{what:<28}{ours:>8}{theirs:>12}")
}

fn confusion(calls: &[CallTruth], results: &BTreeMap<String, String>) -> Confusion {
    let mut confusion = Confusion::default();
    for call in calls.iter().filter(|c| c.party == PartyKind::Subscriber && !c.void) {
        let said = results.get(&call.called).map(String::as_str);
        let place = match (call.subscriber, said) {
            (Some(SubscriberKind::Person), Some("person")) => &mut confusion.person_as_person,
            (Some(SubscriberKind::Person), Some("machine")) => &mut confusion.person_as_machine,
            (Some(SubscriberKind::Person), _) => &mut confusion.person_as_other,
            (Some(SubscriberKind::Machine), Some("machine")) => &mut confusion.machine_as_machine,
            (Some(SubscriberKind::Machine), Some("person")) => &mut confusion.machine_as_person,
            (Some(SubscriberKind::Machine), _) => &mut confusion.machine_as_other,
            _ => continue,
        };
        *place += 1;
    }
    confusion
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence<'a>(
        report: Report,
        truth: Truth,
        none: &'a BTreeMap<String, String>,
    ) -> Evidence<'a> {
        let (board, underruns) = (BoardCounts::default(), 0);
        Evidence { report, truth, calls: &[], results: none, callers: none, board, underruns }
    }

    #[test]
    fn a_call_that_only_one_side_has_is_unaccounted_for() {
        let none = BTreeMap::new();
        let mut truth = Truth::default();
        truth.inbound.offered = 1;
        truth.inbound.lost.ivr = 1;
        let summary = Summary::of(&evidence(Report::default(), truth, &none));
        assert_eq!(summary.unaccounted, 1);
        assert!(!summary.faults.is_empty());
    }

    #[test]
    fn sums_that_do_not_close_are_a_fault() {
        let none = BTreeMap::new();
        let mut report = Report::default();
        report.outbound.dialled = 2;
        report.outbound.busy = 1;
        let mut truth = Truth::default();
        truth.outbound.dialled = 2;
        truth.outbound.busy = 1;
        let summary = Summary::of(&evidence(report, truth, &none));
        assert_eq!(summary.faults, ["the dialled calls do not add up"]);
    }

    #[test]
    fn calls_that_are_still_there_are_told_and_are_no_fault() {
        let none = BTreeMap::new();
        let (mut report, mut truth) = (Report::default(), Truth::default());
        (report.inbound.offered, report.inbound.here) = (2, 2);
        (truth.inbound.offered, truth.inbound.answered) = (2, 2);
        let summary = Summary::of(&evidence(report, truth, &none));
        assert_eq!((summary.unaccounted, summary.faults), (0, vec![]));
        assert_eq!(summary.notes.len(), 1);
    }

    #[test]
    fn a_report_that_the_records_do_not_bear_out_is_a_fault() {
        let none = BTreeMap::new();
        let (mut report, mut truth) = (Report::default(), Truth::default());
        (report.inbound.offered, report.inbound.lost.queue) = (1, 1);
        (truth.inbound.offered, truth.inbound.lost.queue) = (1, 1);
        let summary = Summary::of(&evidence(report, truth, &none));
        assert_eq!(summary.faults, ["lost_queue: the report says 1, the records 0"]);
    }

    #[test]
    fn an_empty_house_is_in_order() {
        let none = BTreeMap::new();
        let summary = Summary::of(&evidence(Report::default(), Truth::default(), &none));
        assert!(summary.faults.is_empty(), "{:?}", summary.faults);
    }
}
