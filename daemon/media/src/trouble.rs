//! What goes wrong on a D-channel without anybody's wish: calls the engine refuses by itself, calls that its timers
//! end, RESTARTs nobody answers. The first are losses, the others are alarms, and no call ends without its reason.

use std::collections::BTreeSet;

use call::{CallEvent, Cause, LegId, Number};
use signalling::{Failure, LegKey};
use tdm::Timeslot;

use crate::machine::Media;
use crate::trunk::Span;

/// What a person should know of a D-channel whose line is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// A SETUP, or what followed it, was not answered in time. Ends with the next sign of the far end on a call.
    Silent,
    /// A RESTART of ours was not answered. Ends when one is, or the far end calls.
    RestartUnanswered,
    /// The far end refuses calls for what is wrong in our configuration. Ends with the next call it takes.
    CallsRejected,
}

impl Trouble {
    /// As alarms name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Silent => "exchange_silent",
            Self::RestartUnanswered => "restart_unanswered",
            Self::CallsRejected => "calls_rejected",
        }
    }
}

/// What an alarm of this name means, when it is one of a D-channel's troubles.
pub fn trouble_words(alarm: &str) -> Option<&'static str> {
    Some(match alarm {
        "exchange_silent" => "the exchange does not answer our calls although the D-channel is up",
        "restart_unanswered" => {
            "the exchange does not answer RESTART; `restart = false` leaves it out"
        }
        "calls_rejected" => {
            "the exchange rejects how our calls are made: numbers, service or dialect"
        }
        _ => return None,
    })
}

/// The troubles of a span.
pub(crate) type Troubles = BTreeSet<Trouble>;

/// Why an engine gave a call up, in words.
pub(crate) fn words(why: Failure) -> String {
    match why {
        Failure::Timer(name) => format!("{name} ran out: the exchange did not answer"),
        Failure::Link => String::from("the D-channel was down"),
        Failure::Contradiction => String::from("the exchange had it in another state or place"),
        Failure::Restart => String::from("its channel was restarted by us"),
    }
}

impl Media {
    /// The engine refused a call before it was one: offered and lost, like one refused at the door.
    pub(crate) fn refused_by_engine(
        &mut self,
        span: usize,
        timeslot: Option<Timeslot>,
        mut called: Number,
        mut calling: Option<Number>,
        cause: Cause,
    ) {
        let of_channel = |span: &Span| span.slot(timeslot?)?.group;
        let group = self.spans.get(span).and_then(|span| of_channel(span).or_else(|| span.group()));
        let call = self.next_call();
        let mut name = String::new();
        if let Some(group) = group.and_then(|g| self.groups.get_mut(g)) {
            group.offered += 1;
            group.refused += 1;
            name.clone_from(&group.settings.name);
            called = group.settings.numbers.called_in.apply(&called);
            calling = calling.map(|number| group.settings.numbers.calling_in.apply(&number));
        }
        self.counters.refused_signalling += 1;
        self.event(CallEvent::Refused { call, group: name, called, calling, cause });
    }

    /// The engine gave a call up; its end follows.
    pub(crate) fn engine_gave_up(&mut self, span: usize, key: LegKey, why: Failure) {
        // T301 and T310 run when the exchange has answered: somebody behind it is slow.
        if let Failure::Timer("T303" | "T304" | "T313" | "T322") = why {
            self.trouble(span, Trouble::Silent, true);
        }
        let leg: Option<LegId> = self.keys.get(&(span, key)).copied();
        if let Some(leg) = leg.and_then(|leg| self.legs.get_mut(&leg)) {
            leg.failure.get_or_insert(why);
        }
    }

    /// The far end spoke on a call: it is not silent.
    pub(crate) fn exchange_spoke(&mut self, span: usize) {
        self.trouble(span, Trouble::Silent, false);
    }

    /// The far end ended a call of ours with this cause before it was answered.
    pub(crate) fn judge_cause(&mut self, span: usize, cause: Cause) {
        if cause.is_our_configuration() {
            self.trouble(span, Trouble::CallsRejected, true);
        }
    }

    /// A trouble begins or ends; its alarm is told when that is news.
    pub(crate) fn trouble(&mut self, index: usize, trouble: Trouble, on: bool) {
        let Some(span) = self.spans.get_mut(index) else { return };
        let news = if on { span.troubles.insert(trouble) } else { span.troubles.remove(&trouble) };
        if news {
            let (span, alarm) = (span.id.number() as u8, String::from(trouble.name()));
            self.event(CallEvent::Alarm { span, alarm, on });
        }
    }
}
