//! Everything at once: random commands, random far ends behind real interfaces, lost frames, lost lines, lost
//! boards, lost controllers. After each step the books must be in order; at the end nothing may be left.

use std::collections::{BTreeMap, BTreeSet};

use call::{
    CallCommand, CallEvent, Cause, ChannelState, Dial, Fallback, LegId, LegNow, LegState, Number,
    OnPerson, OperationId, Otherwise, PlayItem, SnapshotItem, StopOn, TransferKind,
};
use dsp::ears::{Answerer, Fax, Heard, Sound};
use dsp::pipeline::{self, What};
use media::{CallRate, GroupSettings, Media, MediaSettings, Output, RecorderOrder, SpanSettings};
use signalling::pri::Interface;
use signalling::{
    CallTimers, ChannelWish, Event, InterfaceOutput, LegKey, Order, Outgoing, PriSettings, Side,
};
use tdm::{Alarm, Alarms, Channel, Frame, Instant, Law, Rng, SampleTime, Timeslot};

use crate::bench::{INSTANCE, Lane, note, settings, slot, span};

/// Two spans to the public network, one to a PBX.
const SPANS: usize = 3;
/// A frame is on its way for so long.
const LATENCY_MICROS: u64 = 3000;

/// A call as the far end sees it.
struct FarCall {
    key: LegKey,
    /// The far end answers it; else it called.
    ours_to_answer: bool,
    answered: bool,
}

/// The other end of a span: a real interface, and people without manners.
struct Far {
    interface: Interface,
    calls: Vec<FarCall>,
    next_key: u32,
    wake: Option<Instant>,
}

/// What runs and how it may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    Dial(LegId),
    Judge(LegId),
    Record(LegId),
    /// Its end names it.
    Named,
}

struct World {
    seed: u64,
    rng: Rng,
    now: Instant,
    media: Media,
    wake: Option<Instant>,
    far: Vec<Far>,
    /// On the way: when, span, towards us.
    air: Vec<(Instant, usize, bool, Frame)>,
    loss: f64,
    line_up: [bool; SPANS],
    present: bool,
    lanes: BTreeMap<Channel, Lane>,
    open_recorders: BTreeSet<u16>,
    /// Span (index) and timeslot of the last call that was dialled.
    last_dialled: (usize, Timeslot),
    living: BTreeSet<LegId>,
    ended: BTreeSet<LegId>,
    running: BTreeMap<OperationId, Running>,
    steps: u64,
    tally: BTreeMap<&'static str, u64>,
}

fn house() -> MediaSettings {
    let mut house = settings(SPANS);
    house.spans[2] = SpanSettings::e1(span(2), Side::Network);
    let group = |name: &str, spans: &[usize], capacity, rate| GroupSettings {
        capacity,
        rate,
        number: Some(Number::unknown("4000")),
        ..GroupSettings::new(name, spans.iter().map(|&n| span(n)).collect())
    };
    let rate = Some(CallRate { per_second: 5, burst: 20 });
    house.groups = vec![group("public", &[0, 1], Some(40), rate), group("pbx", &[2], None, None)];
    house.limits.recorders = 4;
    house.limits.typed_ahead = 4;
    house
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let now = Instant::seconds(1);
        let far = (0..SPANS).map(|n| {
            let side = if n == 2 { Side::User } else { Side::Network };
            let timers = CallTimers { t309_millis: 10_000, ..CallTimers::of(side) };
            let settings = PriSettings { timers, ..PriSettings::e1(side) };
            let interface = Interface::new(settings);
            Far { interface, calls: Vec::new(), next_key: 1, wake: None }
        });
        let loss = if rng.chance(0.5) { 0.0 } else { 0.01 };
        let mut world = Self {
            seed,
            now,
            media: Media::new(house(), INSTANCE, now).unwrap(),
            wake: None,
            far: far.collect(),
            air: Vec::new(),
            loss,
            line_up: [false; SPANS],
            present: false,
            lanes: BTreeMap::new(),
            open_recorders: BTreeSet::new(),
            last_dialled: (0, slot(1)),
            living: BTreeSet::new(),
            ended: BTreeSet::new(),
            running: BTreeMap::new(),
            steps: 0,
            tally: BTreeMap::new(),
            rng,
        };
        world.set_controller(true);
        (0..SPANS).for_each(|n| world.set_line(n, true, Alarms::NONE));
        world
    }
    fn fail(&self, what: &str) -> ! {
        panic!("seed {}, step {}, at {}: {what}", self.seed, self.steps, self.now)
    }
    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    // --- the wires ---

    fn set_line(&mut self, n: usize, up: bool, alarms: Alarms) {
        self.line_up[n] = up;
        self.media.line(self.now, span(n), up, alarms);
        self.drain();
        self.far_order(n, Order::Line { up });
        if !up {
            self.air.retain(|&(_, on, _, _)| on != n);
        }
    }
    fn set_controller(&mut self, present: bool) {
        self.present = present;
        self.media.controller(self.now, present);
        self.drain();
    }
    fn send(&mut self, n: usize, to_us: bool, frame: Frame) {
        let lost = self.rng.chance(self.loss);
        if self.line_up[n] && !lost {
            self.air.push((self.now.plus_micros(LATENCY_MICROS), n, to_us, frame));
        }
    }
    fn drain(&mut self) {
        loop {
            match self.media.poll() {
                Output::Frame { span, frame } => self.send(span.index(), false, frame),
                Output::Pipeline(command) => note(&mut self.lanes, command),
                Output::Recorder(RecorderOrder::Open { recorder, .. }) => {
                    assert!(self.open_recorders.insert(recorder), "recorder {recorder} twice");
                }
                Output::Recorder(RecorderOrder::Close { recorder, .. }) => {
                    assert!(self.open_recorders.remove(&recorder), "recorder {recorder} not open");
                }
                Output::Event(event, _) => self.told(event),
                Output::Wait(at) => {
                    self.wake = at;
                    return;
                }
            }
        }
    }
    fn far_order(&mut self, n: usize, order: Order) {
        self.far[n].interface.order(self.now, order);
        self.drain_far(n);
    }
    fn drain_far(&mut self, n: usize) {
        loop {
            match self.far[n].interface.poll() {
                InterfaceOutput::Transmit(frame) => self.send(n, true, frame),
                InterfaceOutput::Event(event) => self.far_told(n, event),
                InterfaceOutput::Wait(at) => {
                    self.far[n].wake = at;
                    return;
                }
            }
        }
    }
    fn far_told(&mut self, n: usize, event: Event) {
        let calls = &mut self.far[n].calls;
        match event {
            Event::Incoming(call) => {
                calls.push(FarCall { key: call.key, ours_to_answer: true, answered: false });
            }
            Event::Connected { key, .. } => {
                if let Some(call) = calls.iter_mut().find(|c| c.key == key) {
                    call.answered = true;
                }
                self.count("far end connected");
            }
            Event::Ended { key, .. } => calls.retain(|call| call.key != key),
            _ => {}
        }
    }

    // --- the books ---

    fn told(&mut self, event: CallEvent) {
        match event {
            CallEvent::Incoming { leg, .. } => self.begins(leg),
            CallEvent::Dialling { channel: (n, t), .. } => {
                self.last_dialled = (usize::from(n) - 1, slot(usize::from(t)));
            }
            CallEvent::Answered { leg } => {
                self.count("answered");
                self.ends(&Running::Dial(leg), false);
            }
            CallEvent::Ended(summary) => {
                let leg = summary.leg;
                if !self.living.remove(&leg) || !self.ended.insert(leg) {
                    self.fail(&format!("{leg} ended, but did not live"));
                }
                self.count("ended");
                let running = Running::Dial(leg);
                self.ends(&running, summary.answered_us.is_some());
                let left: Vec<_> = self.running.values().collect();
                let of_leg = |r: &&Running| matches!(r, Running::Judge(l) | Running::Record(l) | Running::Dial(l) if *l == leg);
                if left.iter().any(of_leg) {
                    self.fail(&format!("{leg} ended with operations running"));
                }
            }
            CallEvent::Transferred { operation, to, .. } => {
                self.count(if to.is_some() { "transferred" } else { "not transferred" });
                self.ends_named(operation);
            }
            CallEvent::PlayEnded { operation, .. }
            | CallEvent::Collected { operation, .. }
            | CallEvent::Failed { operation, .. } => self.ends_named(operation),
            CallEvent::Verdict { leg, acted, .. } => {
                self.count("verdict");
                if !acted {
                    self.ends(&Running::Judge(leg), true);
                }
            }
            CallEvent::Recorded { name, .. } if name.starts_with("answer-") => self.count("kept"),
            CallEvent::Recorded { leg, .. } => self.ends(&Running::Record(leg), false),
            CallEvent::Bridged { .. } => self.count("bridged"),
            CallEvent::FellBack { .. } => self.count("fell back"),
            CallEvent::Refused { .. } => self.count("refused"),
            _ => {}
        }
    }
    fn begins(&mut self, leg: LegId) {
        if !self.living.insert(leg) || self.ended.contains(&leg) {
            self.fail(&format!("{leg} began twice"));
        }
    }
    fn ends_named(&mut self, operation: OperationId) {
        if self.running.remove(&operation).is_none() {
            self.fail(&format!("{operation} ended, but did not run"));
        }
    }
    /// An operation whose end names only the leg. A dial has one; `may_lack`: others may have none left.
    fn ends(&mut self, running: &Running, may_lack: bool) {
        let found = self.running.iter().find(|(_, r)| *r == running).map(|(&id, _)| id);
        match found {
            Some(id) => drop(self.running.remove(&id)),
            None if may_lack || matches!(running, Running::Dial(_)) => {}
            None => self.fail(&format!("{running:?} ended, but did not run")),
        }
    }
    fn command(&mut self, command: CallCommand) -> bool {
        let kind = match &command {
            CallCommand::Dial(_) => Some(None),
            CallCommand::Judge { leg, .. } => Some(Some(Running::Judge(*leg))),
            CallCommand::Record { leg, .. } => Some(Some(Running::Record(*leg))),
            CallCommand::Play { .. }
            | CallCommand::Collect { .. }
            | CallCommand::Transfer { .. } => Some(Some(Running::Named)),
            _ => None,
        };
        let transfer = matches!(command, CallCommand::Transfer { .. });
        let answer = self.media.command(self.now, command);
        let Ok(accepted) = answer else {
            self.count("command refused");
            self.drain();
            return false;
        };
        self.count("command accepted");
        if let Some(leg) = accepted.leg {
            self.begins(leg);
        }
        match (kind, accepted.operation) {
            (Some(kind), Some(operation)) => {
                let leg = accepted.leg;
                let running = kind.or(leg.map(Running::Dial)).unwrap_or(Running::Named);
                let running = if transfer { Running::Named } else { running };
                assert!(self.running.insert(operation, running).is_none());
            }
            (None, None) => {}
            odd => self.fail(&format!("operation where none belongs: {odd:?}")),
        }
        self.drain();
        true
    }

    fn legs(&self) -> Vec<LegNow> {
        let legs = self.media.snapshot().into_iter().filter_map(|item| match item {
            SnapshotItem::Leg(leg) => Some(leg),
            _ => None,
        });
        legs.collect()
    }

    /// What must hold after each step.
    fn check(&self) {
        let legs = self.legs();
        let status = self.media.status();
        let c = status.counters;
        if legs.iter().map(|l| l.leg).ne(self.living.iter().copied()) {
            self.fail("legs there are not the legs told of");
        }
        if c.legs_begun != c.legs_ended + legs.len() as u64 {
            self.fail("legs do not add up");
        }
        if c.operations_begun != c.operations_ended + self.running.len() as u64 {
            self.fail(&format!("operations do not add up: {:?}", self.running));
        }
        for group in &status.groups {
            let carried = legs.iter().filter(|l| l.group == group.name).count();
            if usize::from(group.in_use) != carried || group.in_use > group.capacity {
                self.fail("a group carries other calls than it counts");
            }
        }
        let channel = |leg: &LegNow| {
            let (span, timeslot) = leg.channel?;
            Channel::new(usize::from(span) - 1, usize::from(timeslot))
        };
        let mut on = BTreeMap::new();
        for leg in &legs {
            if let Some(at) = channel(leg)
                && let Some(other) = on.insert(at, leg)
            {
                self.fail(&format!("{at} has {} and {}", leg.leg, other.leg));
            }
        }
        for (n, here) in status.spans.iter().enumerate() {
            for &(timeslot, state) in &here.channels {
                let taken = on
                    .keys()
                    .any(|c| c.span.index() == n && c.timeslot.index() == usize::from(timeslot));
                let good = match state {
                    ChannelState::Busy => taken,
                    ChannelState::Idle | ChannelState::OutOfService => !taken,
                    ChannelState::Blocked | ChannelState::Draining => true,
                };
                if !good {
                    self.fail(&format!(
                        "channel {}:{timeslot} is {state:?}, taken: {taken}",
                        n + 1
                    ));
                }
            }
        }
        for leg in &legs {
            if let Some(peer) = leg.peer {
                let other = legs.iter().find(|l| l.leg == peer);
                let good = other
                    .is_some_and(|o| o.peer == Some(leg.leg) && o.state == LegState::Answered)
                    && leg.state == LegState::Answered;
                if !good {
                    self.fail(&format!("{} is bridged with {peer}, but not back", leg.leg));
                }
            }
        }
        for (at, lane) in &self.lanes {
            self.check_lane(*at, lane, &on);
        }
    }
    fn check_lane(&self, at: Channel, lane: &Lane, on: &BTreeMap<Channel, &LegNow>) {
        let Some(leg) = on.get(&at) else {
            if *lane != Lane::default() {
                self.fail(&format!("{at} has no leg, but {lane:?}"));
            }
            return;
        };
        if leg.state == LegState::Ending && *lane != Lane::default() {
            self.fail(&format!("{} ends, but {lane:?}", leg.leg));
        }
        let Some(source) = lane.source else { return };
        let Some(heard) = on.get(&source) else {
            self.fail(&format!("{} hears {source}, where nobody is", leg.leg));
        };
        let bridged = leg.peer == Some(heard.leg);
        let early = leg.peer.is_none()
            && heard.answered_us.is_none()
            && heard.state != LegState::Ending
            && heard.state != LegState::Offered;
        if leg.state != LegState::Answered || !(bridged || early) {
            self.fail(&format!("{} hears {}, who is not its peer", leg.leg, heard.leg));
        }
    }

    // --- chance ---

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let n = usize::try_from(self.rng.below(of.len() as u64)).unwrap_or(0);
        of.get(n).copied()
    }
    fn some_leg(&mut self) -> LegId {
        let living: Vec<LegId> = self.living.iter().copied().collect();
        match self.pick(&living) {
            Some(leg) if self.rng.chance(0.97) => leg,
            // Now and then a leg that was, or never was.
            _ => LegId::new(INSTANCE, self.rng.below(100) as u32),
        }
    }
    /// A leg in this state, bridged or not, if there is one.
    fn some_leg_in(&mut self, state: LegState, bridged: bool) -> LegId {
        let legs = self.legs();
        let fit = legs.iter().filter(|l| l.state == state && l.peer.is_some() == bridged);
        let fit: Vec<LegId> = fit.map(|l| l.leg).collect();
        match self.pick(&fit) {
            Some(leg) if self.rng.chance(0.9) => leg,
            _ => self.some_leg(),
        }
    }
    fn some_dial(&mut self) -> Dial {
        let group = if self.rng.chance(0.6) { "public" } else { "pbx" };
        let bridge = self.rng.chance(0.2).then(|| self.some_leg_in(LegState::Answered, false));
        let armed = bridge.is_none() && self.rng.chance(0.5);
        let on_person = armed.then(|| OnPerson {
            bridge: self.rng.chance(0.7).then(|| self.some_leg_in(LegState::Answered, false)),
            within_millis: 3000,
            machine_from_percent: None,
            message: self
                .rng
                .chance(0.5)
                .then(|| call::MachineMessage { prompt: "sorry".into(), wait_millis: 5000 }),
            keep: self
                .rng
                .chance(0.5)
                .then(|| call::KeepDecision { of: "answer-x".into(), millis: 4000 }),
            otherwise: match self.rng.chance(0.5) {
                true => Otherwise::SafeHarbour("sorry".into()),
                false => Otherwise::Hangup,
            },
        });
        let no_answer_millis = self.rng.between(1000, 20_000) as u32;
        let called = Number::unknown(self.rng.below(10_000).to_string());
        let group = group.to_owned();
        Dial {
            group,
            called,
            calling: None,
            name: None,
            call: None,
            diverted: None,
            no_answer_millis,
            on_person,
            bridge,
        }
    }
    fn some_cause(&mut self) -> Cause {
        let causes = [1, 16, 17, 18, 19, 21, 27, 31, 34, 38, 41, 42, 44, 127];
        Cause(self.pick(&causes).unwrap_or(16))
    }
    fn some_play(&mut self, leg: LegId) -> CallCommand {
        let item = match self.rng.below(4) {
            0 => PlayItem::Digits("402".into()),
            1 => PlayItem::Tone { name: "busy".into(), millis: 1000 },
            2 => PlayItem::Prompt("nix".into()),
            _ => PlayItem::Prompt("welcome".into()),
        };
        let stop_on = if self.rng.chance(0.5) { StopOn::Dtmf } else { StopOn::Never };
        CallCommand::Play { leg, items: vec![item], repeat: self.rng.chance(0.2), stop_on }
    }

    /// The controller does something.
    fn controller_acts(&mut self) {
        let dice = self.rng.below(32);
        let leg = match dice {
            5..=10 => self.some_leg_in(LegState::Offered, false),
            18..=20 => self.some_leg_in(LegState::Answered, false),
            21..=25 => self.some_leg_in(LegState::Answered, true),
            _ => self.some_leg(),
        };
        let command = match dice {
            0..=4 => CallCommand::Dial(self.some_dial()),
            5..=8 => CallCommand::Answer { leg },
            9 | 10 => CallCommand::Alert { leg },
            11 => CallCommand::Hangup { leg, cause: self.some_cause() },
            12..=14 => self.some_play(leg),
            15 => CallCommand::StopPlay { leg },
            16 | 17 => CallCommand::Collect {
                leg,
                max_digits: self.rng.below(6) as u8,
                first_millis: 4000,
                next_millis: 1000,
                terminators: "#".into(),
                secret: self.rng.chance(0.3),
            },
            18..=20 => {
                let b = self.some_leg_in(LegState::Answered, false);
                CallCommand::Bridge { a: leg, b, beep: self.rng.chance(0.5) }
            }
            21 => CallCommand::Unbridge { leg },
            22 => CallCommand::Hold { leg },
            23 => CallCommand::Retrieve { leg },
            24 | 25 => CallCommand::Transfer {
                leg,
                group: "pbx".into(),
                called: Number::unknown("8001"),
                kind: match self.rng.chance(0.5) {
                    true => TransferKind::Blind,
                    false => TransferKind::Attended,
                },
            },
            26 => CallCommand::Record { leg, name: format!("r{}", self.steps), early: false },
            27 => CallCommand::StopRecord { leg },
            28 => {
                let hold_millis = self.rng.below(20_000) as u32;
                let prompt = self.rng.chance(0.5).then(|| "sorry".to_owned());
                CallCommand::SetFallback { leg, fallback: Fallback { prompt, hold_millis } }
            }
            29 => CallCommand::Judge { leg, within_millis: 3000 },
            30 => {
                let running: Vec<OperationId> = self.running.keys().copied().collect();
                let none = OperationId::new(INSTANCE, 0);
                CallCommand::Cancel { operation: self.pick(&running).unwrap_or(none) }
            }
            _ => self.some_maintenance(),
        };
        let dials = matches!(command, CallCommand::Dial(_));
        if self.command(command) && dials && self.rng.chance(0.2) {
            // At the same moment the far end takes the same channel.
            let (n, timeslot) = self.last_dialled;
            let order = self.far_calls(n, timeslot);
            self.far_order(n, order);
        }
    }
    fn some_maintenance(&mut self) -> CallCommand {
        let span = self.rng.between(1, 3) as u8;
        let timeslot = Some(self.rng.below(32) as u8);
        match self.rng.below(6) {
            0 => CallCommand::Block { span, timeslot },
            1 => CallCommand::Drain { span, timeslot },
            2 => CallCommand::Drain { span, timeslot: None },
            3 => CallCommand::Unblock { span, timeslot },
            _ => CallCommand::Unblock { span, timeslot: None },
        }
    }

    /// Somebody out there does something.
    fn far_acts(&mut self) {
        let n = self.rng.below(SPANS as u64) as usize;
        let call = {
            let calls: Vec<_> = self.far[n]
                .calls
                .iter()
                .map(|c| (c.key, c.ours_to_answer && !c.answered))
                .collect();
            self.pick(&calls)
        };
        let order = match (self.rng.below(10), call) {
            (0..=1, _) | (_, None) => {
                let timeslot = self.some_timeslot();
                self.far_calls(n, timeslot)
            }
            (2..=3, Some((key, true))) => Order::Proceed { key },
            (4..=5, Some((key, true))) => Order::Alert { key, in_band: self.rng.chance(0.5) },
            (6, Some((key, true))) => {
                let cause = self.rng.chance(0.3).then(|| self.some_cause());
                Order::Progress { key, cause }
            }
            (7..=8, Some((key, true))) => Order::Connect { key },
            (9, Some((key, true))) => Order::Clear {
                key,
                cause: self.some_cause(),
                in_band: n != 2 && self.rng.chance(0.5),
            },
            (9, Some((key, false))) => {
                Order::Clear { key, cause: Cause::NORMAL_CLEARING, in_band: false }
            }
            _ => return,
        };
        self.far_order(n, order);
    }
    fn some_timeslot(&mut self) -> Timeslot {
        let timeslots: Vec<Timeslot> = (1..32).filter(|&t| t != 16).map(slot).collect();
        self.pick(&timeslots).unwrap()
    }
    fn far_calls(&mut self, n: usize, timeslot: Timeslot) -> Order {
        let far = &mut self.far[n];
        let key = LegKey(far.next_key);
        far.next_key += 2;
        far.calls.push(FarCall { key, ours_to_answer: false, answered: false });
        Order::Call(Outgoing {
            key,
            channel: ChannelWish { timeslot, exclusive: self.rng.chance(0.3) },
            called: Number::unknown("4000"),
            calling: self.rng.chance(0.8).then(|| Number::unknown("5551")),
            name: None,
            redirecting: None,
            law: Law::A,
        })
    }

    /// The tick thread hears something, or finishes a play.
    fn ears_act(&mut self) {
        let lanes: Vec<Channel> = self.lanes.keys().copied().collect();
        let Some(channel) = self.pick(&lanes) else { return };
        let lane = self.lanes[&channel].clone();
        let what = match (self.rng.below(6), lane.play) {
            (0..=2, Some((token, score))) if !score.repeat => {
                self.lanes.get_mut(&channel).unwrap().play = None;
                What::PlayEnded { token, why: pipeline::PlayEnd::Finished }
            }
            (3, _) => {
                let key = *b"0123456789ABCD*#".get(self.rng.below(16) as usize).unwrap();
                if let Some((token, score)) = lane.play.filter(|(_, s)| s.stop_on_dtmf) {
                    let _ = score;
                    self.lanes.get_mut(&channel).unwrap().play = None;
                    let what = What::PlayEnded { token, why: pipeline::PlayEnd::Dtmf };
                    self.heard(channel, what);
                }
                What::Heard(Heard::Dtmf(key))
            }
            (4, _) if lane.listen.answer && self.rng.chance(0.3) => {
                What::Heard(Heard::SpeakNow(1000))
            }
            (5, _) if lane.listen.answer && self.rng.chance(0.3) => {
                let who = self.pick(&[Answerer::Human, Answerer::Machine]).unwrap();
                What::Heard(Heard::AnswerRevised { who, score: 0.5 })
            }
            (4, _) if lane.listen.answer => {
                let who = [
                    Answerer::Human,
                    Answerer::Human,
                    Answerer::Machine,
                    Answerer::Fax,
                    Answerer::Silence,
                    Answerer::NotSure,
                ];
                What::Heard(Heard::Answer { who: self.pick(&who).unwrap(), score: 0.5 })
            }
            (5, _) if lane.listen.fax => What::Heard(Heard::Fax(Fax::Ced)),
            (_, _) if lane.listen.prints && self.rng.chance(0.2) => {
                What::Heard(Heard::Print(self.rng.below(3) as u16))
            }
            (_, _) if lane.listen.progress => {
                let sounds =
                    [Sound::Ringback, Sound::Busy, Sound::Sit, Sound::Music, Sound::CallWaiting];
                What::Heard(Heard::Progress(self.pick(&sounds).unwrap()))
            }
            _ => return,
        };
        self.heard(channel, what);
    }
    fn heard(&mut self, channel: Channel, what: What) {
        let at = SampleTime::millis(self.now.as_millis());
        self.media.heard(self.now, pipeline::Event { at, channel, what });
        self.drain();
    }

    /// Something breaks, or is mended.
    fn fate_acts(&mut self) {
        match self.rng.below(40) {
            0 => {
                let n = self.rng.below(SPANS as u64) as usize;
                let gone = self.rng.chance(0.3);
                let alarm = if gone { Alarm::BoardGone } else { Alarm::LossOfSignal };
                self.set_line(n, false, Alarms::NONE.with(alarm, true));
                self.count("line lost");
            }
            1 | 2 => self.set_controller(false),
            3..=12 => self.set_controller(true),
            13 => self.media.queue_age(300_000),
            14..=25 => self.media.queue_age(0),
            _ => {
                if let Some(n) = (0..SPANS).find(|&n| !self.line_up[n]) {
                    self.set_line(n, true, Alarms::NONE);
                }
            }
        }
    }

    /// Goes to the next thing that happens by itself, not after `end`.
    fn next(&mut self, end: Instant) -> bool {
        let frames = self.air.iter().map(|&(at, ..)| at).min();
        let far = self.far.iter().filter_map(|f| f.wake).min();
        let Some(at) = [frames, far, self.wake].into_iter().flatten().min() else { return false };
        if at > end {
            return false;
        }
        self.now = self.now.max(at);
        let now = self.now;
        if let Some(index) = self.air.iter().position(|&(due, ..)| due <= now) {
            let (_, n, to_us, frame) = self.air.remove(index);
            if to_us {
                self.media.frame(now, span(n), frame.octets());
                self.drain();
            } else {
                self.far[n].interface.handle_frame(now, frame.octets());
                self.drain_far(n);
            }
            return true;
        }
        if let Some(n) = (0..SPANS).find(|&n| self.far[n].wake.is_some_and(|w| w <= now)) {
            self.far[n].interface.elapsed(now);
            self.drain_far(n);
            if self.far[n].wake.is_some_and(|w| w <= now) && self.far[n].wake == Some(at) {
                self.fail("the far end does not let time pass");
            }
            return true;
        }
        self.media.elapsed(now);
        self.drain();
        true
    }
    fn pass(&mut self, micros: u64) {
        let end = self.now.plus_micros(micros);
        while self.next(end) {
            self.check();
        }
        self.now = end;
    }

    fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            self.steps += 1;
            let gap = self.rng.exponential(60_000.0);
            // Half of it happens at the same moment as something else.
            if self.rng.chance(0.5) {
                self.pass(2 * gap as u64);
            }
            match self.rng.below(10) {
                0..=3 if self.present => self.controller_acts(),
                0..=5 => self.far_acts(),
                6..=8 => self.ears_act(),
                _ => self.fate_acts(),
            }
            self.check();
        }
    }

    /// Everybody goes home; nothing may be left.
    fn close(&mut self) {
        self.loss = 0.0;
        for n in 0..SPANS {
            if !self.line_up[n] {
                self.set_line(n, true, Alarms::NONE);
            }
        }
        self.set_controller(true);
        self.pass(1_000_000);
        for leg in self.living.clone() {
            self.command(CallCommand::Hangup { leg, cause: Cause::NORMAL_CLEARING });
        }
        self.pass(200_000_000);
        // A SETUP that T303 repeats while its refusal is delayed by a lost frame begins a second call over there, of
        // which we know nothing: the people there give it up.
        for n in 0..SPANS {
            let keys: Vec<LegKey> = self.far[n].calls.iter().map(|call| call.key).collect();
            for key in keys {
                self.far_order(n, Order::Clear { key, cause: Cause(16), in_band: false });
            }
        }
        self.pass(60_000_000);
        if !self.living.is_empty() {
            self.fail(&format!("unaccounted: {:?}", self.living));
        }
        if !self.running.is_empty() {
            self.fail(&format!("operations never ended: {:?}", self.running));
        }
        if !self.lanes.values().all(|lane| *lane == Lane::default()) {
            self.fail(&format!("lanes left: {:?}", self.lanes));
        }
        assert!(self.open_recorders.is_empty());
        for span in 1..=SPANS as u8 {
            self.command(CallCommand::Unblock { span, timeslot: None });
            for timeslot in (1..32).filter(|&t| t != 16).map(Some) {
                self.command(CallCommand::Unblock { span, timeslot });
            }
        }
        let status = self.media.status();
        let mut channels = status.spans.iter().flat_map(|span| &span.channels);
        if channels.any(|&(_, state)| state != ChannelState::Idle) {
            self.fail(&format!("channels lost: {:?}", status.spans));
        }
        for far in &self.far {
            if far.interface.calls() != 0 {
                self.fail("the far end still has calls");
            }
        }
    }
}

#[test]
fn nothing_is_unaccounted_for_whatever_happens() {
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..16 {
        let mut world = World::new(seed);
        world.run(2500);
        let retries = world.media.status().counters.glare_retries;
        *tally.entry("collided").or_default() += retries;
        world.close();
        for (what, n) in world.tally {
            *tally.entry(what).or_default() += n;
        }
    }
    // A simulation in which nothing happens proves nothing. (Most collisions end with the network moving our call;
    // only those that it refuses are tried again.)
    assert!(tally.get("collided").is_some_and(|&n| n > 0), "{tally:?}");
    for what in [
        "answered",
        "ended",
        "bridged",
        "verdict",
        "fell back",
        "refused",
        "line lost",
        "transferred",
        "not transferred",
        "command accepted",
    ] {
        assert!(tally.get(what).is_some_and(|&n| n >= 5), "{what}: {tally:?}");
    }
}
