//! Calls each way through the call server, with us as its controller.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use call::{CallEvent, Disposition, LegId, Number, Outcome, Presentation, Summary};
use protocol::client::{Blocking, Message};
use protocol::wire::Role;
use serde_json::{Value, json};

use crate::house::{House, PATIENCE, group_of, heard};
use crate::{Context, Failure, Verdict};

/// What calls shall come to, by the last three digits of the number: answered, rung in vain, or this cause.
const MIXED: [u16; 8] = [0, 1, 17, 18, 21, 27, 34, 19];
const ANSWERED: u16 = 0;
const RINGS: u16 = 19;
/// Calls of ours at a time.
const AT_ONCE: usize = 8;
const RING: Duration = Duration::from_millis(40);
const HOLD: Duration = Duration::from_millis(30);
/// A call of ours that rings in vain is given up after this.
const NO_ANSWER_MILLIS: u32 = 2000;
/// Without a word for longer, a controller counts as gone.
const PING: Duration = Duration::from_millis(400);
/// Who calls, at either end.
const OURS: &str = "4001";
const THEIRS: &str = "5551234";
const THEIR_NAME: &str = "Witness";
const DIVERTED_FROM: &str = "5550000";

/// A leg, and what shall become of it.
#[derive(Clone, Debug)]
struct Leg {
    number: String,
    outcome: u16,
    ours: bool,
    answered: bool,
}

/// The controller of a call server.
pub struct Desk {
    client: Blocking,
    keys: u64,
    pinged: Instant,
    to_dial: VecDeque<String>,
    dialled: usize,
    legs: BTreeMap<LegId, Leg>,
    agenda: Vec<(Instant, LegId, &'static str, Value)>,
    /// Calls that ended as wanted.
    pub passed: usize,
    /// The others, in words.
    pub failures: Vec<String>,
    /// Calls that came in.
    pub incoming: Vec<CallEvent>,
    /// Spans whose link is up.
    pub links: [bool; 3],
}

impl Desk {
    /// The controller from now on.
    pub fn new(house: &House) -> Result<Self, Failure> {
        let mut client = house.client("media.sock", Role::Controller)?;
        client.call("subscribe", json!({"from": 0}))?;
        Ok(Self {
            client,
            keys: 0,
            pinged: Instant::now(),
            to_dial: VecDeque::new(),
            dialled: 0,
            legs: BTreeMap::new(),
            agenda: Vec::new(),
            passed: 0,
            failures: Vec::new(),
            incoming: Vec::new(),
            links: [false; 3],
        })
    }
    /// So many calls of mixed outcomes.
    pub fn dial(&mut self, calls: usize) {
        for outcome in MIXED.iter().cycle().take(calls) {
            self.to_dial.push_back(format!("{:05}{outcome:03}", self.dialled));
            self.dialled += 1;
        }
    }
    /// Nothing is under way and nothing will be.
    pub fn is_idle(&self) -> bool {
        self.legs.is_empty() && self.to_dial.is_empty()
    }
    /// Legs that are answered.
    pub fn answered(&self) -> usize {
        self.legs.values().filter(|leg| leg.answered).count()
    }
    /// How the call server stands.
    pub fn status(&mut self) -> Result<Value, Failure> {
        Ok(self.client.call("status", json!({}))?)
    }
    fn command(&mut self, method: &str, mut params: Value) -> Result<Value, Failure> {
        self.keys += 1;
        params["key"] = json!(format!("k{}", self.keys));
        Ok(self.client.call(method, params)?)
    }
    fn later(&mut self, wait: Duration, leg: LegId, method: &'static str, params: Value) {
        self.agenda.push((Instant::now() + wait, leg, method, params));
    }
    /// Dials what is due, hears what happened and does what is to be done about it.
    pub fn turn(&mut self) -> Result<(), Failure> {
        if self.pinged.elapsed() >= PING {
            self.pinged = Instant::now();
            self.client.send("ping", json!({}))?;
        }
        while self.legs.values().filter(|leg| leg.ours).count() < AT_ONCE {
            let Some(number) = self.to_dial.pop_front() else { break };
            self.place(number)?;
        }
        while let Some(message) = self.client.next(Duration::from_millis(2))? {
            if let Message::Event(envelope) | Message::Summary(envelope) = message
                && let Some(event) = protocol::calls::event(&envelope)
            {
                self.handle(event)?;
            }
        }
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.agenda).into_iter().partition(|at| at.0 <= now);
        self.agenda = later;
        let due: Vec<_> = due;
        for (_, leg, method, params) in due {
            // The far end may have been quicker.
            if self.legs.contains_key(&leg) {
                let _ = self.command(method, params);
            }
        }
        Ok(())
    }
    fn place(&mut self, number: String) -> Result<(), Failure> {
        let dial = json!({"group": "public", "called": {"digits": number},
                          "no_answer_millis": NO_ANSWER_MILLIS});
        let answer = match self.command("dial", dial) {
            Ok(answer) => answer,
            // No channel has rested long enough: by and by one will have.
            Err(_) => {
                self.to_dial.push_front(number);
                return Ok(());
            }
        };
        let leg = serde_json::from_value(answer["leg"].clone())?;
        let outcome = outcome_of(&number);
        self.legs.insert(leg, Leg { number, outcome, ours: true, answered: false });
        Ok(())
    }
    fn handle(&mut self, event: CallEvent) -> Result<(), Failure> {
        match event {
            CallEvent::Link { span, up } => {
                if let Some(link) = self.links.get_mut(usize::from(span)) {
                    *link = up;
                }
            }
            CallEvent::Incoming { leg, ref called, .. } => {
                let number = called.digits.clone();
                self.incoming.push(event);
                self.treat(leg, number);
            }
            CallEvent::Answered { leg } => {
                if let Some(known) = self.legs.get_mut(&leg) {
                    known.answered = true;
                    if known.ours {
                        self.later(HOLD, leg, "hangup", json!({"leg": leg, "cause": 16}));
                    }
                }
            }
            CallEvent::Ended(summary) => self.judge(&summary),
            _ => {}
        }
        Ok(())
    }
    /// A call that came in gets what its number says.
    fn treat(&mut self, leg: LegId, number: String) {
        let outcome = outcome_of(&number);
        self.legs.insert(leg, Leg { number, outcome, ours: false, answered: false });
        match outcome {
            ANSWERED | RINGS => {
                self.later(Duration::ZERO, leg, "alert", json!({"leg": leg}));
                if outcome == ANSWERED {
                    self.later(RING, leg, "answer", json!({"leg": leg}));
                }
            }
            cause => {
                self.later(Duration::ZERO, leg, "hangup", json!({"leg": leg, "cause": cause}));
            }
        }
    }
    fn judge(&mut self, summary: &Summary) {
        let Some(Leg { number, outcome, ours, answered }) = self.legs.remove(&summary.leg) else {
            return;
        };
        let cause = match outcome {
            ANSWERED => 16,
            RINGS if ours => summary.cause.0,
            RINGS => 16,
            cause => cause as u8,
        };
        // Who gives up or hangs up first clears: the caller of what is answered or rings, the called of the rest.
        let by_us = matches!(outcome, ANSWERED | RINGS) == ours;
        let holds = summary.cause.0 == cause
            && summary.cleared_by_us == by_us
            && answered == (outcome == ANSWERED)
            && (summary.disposition == Disposition::Answered) == answered
            && summary.called.digits == number
            && (!ours || outcome != RINGS || summary.outcome == Some(Outcome::NoAnswer));
        match holds {
            true => self.passed += 1,
            false => self.failures.push(format!("{number}, ours {ours}: {summary:?}")),
        }
    }
}

fn outcome_of(number: &str) -> u16 {
    number.get(5..8).and_then(|digits| digits.parse().ok()).unwrap_or(1)
}

/// The trunk group of the first line, and another of the second.
pub fn groups(side: &str) -> String {
    format!(
        "[[media.group]]\nname = \"public\"\nspans = [1]\nside = \"{side}\"\nnumber = \"{OURS}\"\n\
         [[media.group]]\nname = \"pbx\"\nspans = [2]\nside = \"network\"\n"
    )
}

/// The other side, as the peer calls it.
fn facing(side: &str) -> &'static str {
    if side == "user" { "net" } else { "cpe" }
}

/// Runs until `done`.
pub fn run_until(
    house: &House,
    desk: &mut Desk,
    what: &str,
    mut done: impl FnMut(&mut Desk) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    while !done(desk)? {
        desk.turn()?;
        if !house.stands()? {
            return Err(format!("{what}: a process fell{}", house.last_words()).into());
        }
        if Instant::now() >= end {
            return Err(format!("not within {PATIENCE:?}: {what}{}", house.last_words()).into());
        }
    }
    Ok(())
}

/// Calls of every outcome in both directions at once: answered, refused and given up, with causes and numbers.
pub fn both_ways(context: &Context, side: &str) -> Result<Verdict, Failure> {
    let each = if context.full { 200 } else { 40 };
    let house = House::start(context, &groups(side))?;
    let mut desk = Desk::new(&house)?;
    let node = facing(side);
    let options = format!(
        "--node {node} --switch euroisdn --wait-restart --at-once 8 --name {THEIR_NAME} \
         --redirecting {DIVERTED_FROM}"
    );
    let mut peer = house.peer(context, 0, &options)?;
    heard(&house, &mut peer, "up", 1)?;
    run_until(&house, &mut desk, "the link is up", |desk| Ok(desk.links[1]))?;
    let begun = Instant::now();
    desk.dial(each);
    peer.tell(&format!("place {each}"))?;
    run_until(&house, &mut desk, "every call is over", |desk| {
        peer.listen()?;
        peer.tell("report")?;
        let all_there = peer.report.is_some_and(|r| r.passed + r.failed >= 2 * each as u64);
        Ok(desk.is_idle() && desk.passed + desk.failures.len() >= 2 * each && all_there)
    })?;
    let seconds = begun.elapsed().as_secs_f32();
    let report = peer.report.ok_or("the peer says nothing")?;
    let mut verdict = Verdict {
        passed: desk.passed + report.passed as usize,
        failures: std::mem::take(&mut desk.failures),
        figure: format!("{} calls in {seconds:.1} s", 2 * each),
    };
    let wrong = peer.said.iter().filter(|line| line.starts_with("wrong")).cloned();
    verdict.failures.extend(wrong);
    verdict.check(report.failed == 0 && report.live == 0, || format!("the peer: {report:?}"));
    check_numbers(&mut verdict, &desk, &peer.said, each);
    let status = desk.status()?;
    let in_use = group_of(&status, "public").map(|group| group["in_use"].clone());
    verdict.check(in_use == Some(json!(0)) && status["legs"] == 0, || format!("left: {status}"));
    Ok(verdict)
}

/// Each number arrived as it was dialled, each caller as he showed himself.
fn check_numbers(verdict: &mut Verdict, desk: &Desk, said: &[String], each: usize) {
    let rings = said.iter().filter_map(|line| line.strip_prefix("ring ")).filter(|line| {
        let mut words = line.split(' ');
        let number = words.next().unwrap_or_default();
        number.len() == 8 && line.contains(&format!(" from {OURS} "))
    });
    let rings = rings.count();
    verdict.check(rings >= each, || format!("{rings} of {each} came with our number: {said:?}"));
    let shown = |number: &Option<Number>| {
        number.as_ref().is_some_and(|number| {
            number.digits == THEIRS && number.presentation == Presentation::Allowed
        })
    };
    let callers = desk
        .incoming
        .iter()
        .filter(|event| matches!(event, CallEvent::Incoming { calling, .. } if shown(calling)));
    let callers = callers.count();
    verdict.check(callers >= each, || format!("{callers} of {each} showed their number"));
}
