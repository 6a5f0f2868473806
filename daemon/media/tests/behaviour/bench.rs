//! A call server between scripted engines and a switch that only takes notes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use call::{
    CallCommand, CallEvent, Cause, Dial, LegId, Location, Meaning, Number, OperationId, Refusal,
    Summary,
};
use dsp::ears::{Answerer, Heard, Listen, Sound};
use dsp::pipeline::{self, Command, PlayEnd, Score, ToneId, What};
use media::{Engine, GroupSettings, Media, MediaSettings, Output, RecorderOrder, SpanSettings};
use signalling::{Clearing, Event, IncomingCall, InterfaceOutput, LegKey, Order, Side};
use tdm::{Alarms, Channel, Instant, SampleTime, SpanId, Timeslot};

/// The instance all ids carry here.
pub const INSTANCE: u32 = 0xA7;
/// The prompts of every bench, by their index.
pub const PROMPTS: [&str; 15] = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "welcome",
    "music",
    "announce",
    "safe_harbour",
    "sorry",
];

/// An engine that notes its orders and tells what the test puts in.
#[derive(Default)]
pub struct Script {
    pub orders: Vec<Order>,
    tells: VecDeque<Event>,
    /// Keys and their channels, to end them properly.
    calls: BTreeMap<LegKey, Timeslot>,
    /// Never lets go of a call.
    pub holds_on: bool,
    /// Does not acknowledge a RESTART.
    pub no_restart: bool,
    /// Channels on which it wants no call of ours.
    pub kept: signalling::Timeslots,
}

struct Scripted(Arc<Mutex<Script>>);

impl Engine for Scripted {
    fn frame(&mut self, _: Instant, _: &[u8]) {}
    fn elapsed(&mut self, _: Instant) {}
    fn may_call(&self, timeslot: Timeslot) -> bool {
        !self.0.lock().unwrap().kept.has(timeslot)
    }
    fn order(&mut self, _: Instant, order: Order) {
        let mut script = self.0.lock().unwrap();
        let script = &mut *script;
        match &order {
            Order::Line { up: true } => script.tells.push_back(Event::LinkUp),
            Order::Line { up: false } => script.tells.push_back(Event::LinkDown),
            Order::Restart { timeslot } if !script.no_restart => {
                script.tells.push_back(Event::Restarted { timeslot: *timeslot });
            }
            Order::Call(call) => {
                script.calls.insert(call.key, call.channel.timeslot);
            }
            Order::Connect { key } => {
                if let Some(&timeslot) = script.calls.get(key) {
                    script.tells.push_back(Event::Connected { key: *key, timeslot });
                }
            }
            Order::Clear { key, cause, .. } if !script.holds_on => {
                if let Some(timeslot) = script.calls.remove(key) {
                    let clearing = ours(*cause);
                    let timeslot = Some(timeslot);
                    let ended = Event::Ended { key: *key, timeslot, clearing, glare: false };
                    script.tells.push_back(ended);
                }
            }
            Order::Release { key } if !script.holds_on => {
                if let Some(timeslot) = script.calls.remove(key) {
                    let clearing = ours(Cause::NORMAL_CLEARING);
                    let timeslot = Some(timeslot);
                    let ended = Event::Ended { key: *key, timeslot, clearing, glare: false };
                    script.tells.push_back(ended);
                }
            }
            _ => {}
        }
        script.orders.push(order);
    }
    fn poll(&mut self) -> InterfaceOutput {
        match self.0.lock().unwrap().tells.pop_front() {
            Some(event) => InterfaceOutput::Event(event),
            None => InterfaceOutput::Wait(None),
        }
    }
}

pub const fn ours(cause: Cause) -> Clearing {
    Clearing { cause, location: Location::User, by_far_end: false }
}
pub const fn theirs(cause: Cause) -> Clearing {
    Clearing { cause, location: Location::PublicRemote, by_far_end: true }
}
pub fn span(index: usize) -> SpanId {
    SpanId::new(index).unwrap()
}
pub fn slot(index: usize) -> Timeslot {
    Timeslot::new(index).unwrap()
}
pub fn dial_to(digits: &str) -> Dial {
    Dial {
        group: "public".into(),
        called: Number::unknown(digits),
        calling: None,
        name: None,
        call: None,
        diverted: None,
        no_answer_millis: 30_000,
        on_person: None,
        bridge: None,
    }
}

/// The settings of a bench: one group `public` over `spans` spans of side `user`.
pub fn settings(spans: usize) -> MediaSettings {
    let tones = ["ringback", "beep", "busy"];
    let tones = tones.iter().zip(0..).map(|(name, n)| ((*name).into(), ToneId(n)));
    let mut settings = MediaSettings::new(tones.collect());
    settings.prompts = PROMPTS.iter().map(|p| (*p).into()).collect();
    settings.music = Some("music".into());
    settings.announcement = Some("announce".into());
    settings.safe_harbour = Some("safe_harbour".into());
    settings.announcements = vec![
        ("no_such_number".into(), Meaning::Vacant),
        ("off".into(), Meaning::Off),
        ("mailbox".into(), Meaning::Voicemail),
    ];
    settings.spans = (0..spans).map(|n| SpanSettings::e1(span(n), Side::User)).collect();
    settings.groups = vec![GroupSettings {
        number: Some(Number::unknown("4000")),
        ..GroupSettings::new("public", (0..spans).map(span).collect())
    }];
    settings
}

/// What a lane of the switch does, rebuilt from the commands alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lane {
    pub source: Option<Channel>,
    pub play: Option<(u32, Score)>,
    pub listen: Listen,
    pub recorder: Option<u16>,
}

/// The call server, its engines, its switch, and everything it said.
pub struct Bench {
    pub media: Media,
    pub now: Instant,
    pub scripts: Vec<Arc<Mutex<Script>>>,
    pub events: Vec<CallEvent>,
    pub lanes: BTreeMap<Channel, Lane>,
    pub recorders: Vec<RecorderOrder>,
    pub wake: Option<Instant>,
    incoming: u32,
}

impl Bench {
    /// Lines up, restarted, a controller there.
    pub fn new(settings: MediaSettings) -> Self {
        let mut bench = Self::cold(settings);
        bench.media.controller(bench.now, true);
        bench.lines_up();
        bench.events.clear();
        bench
    }
    /// Nothing happened yet.
    pub fn cold(settings: MediaSettings) -> Self {
        let now = Instant::seconds(1);
        let mut scripts = Vec::new();
        let media = Media::with_engines(settings, INSTANCE, now, |_| {
            let script = Arc::new(Mutex::new(Script::default()));
            scripts.push(script.clone());
            Box::new(Scripted(script))
        });
        let media = media.unwrap();
        Self {
            media,
            now,
            scripts,
            events: Vec::new(),
            lanes: BTreeMap::new(),
            recorders: Vec::new(),
            wake: None,
            incoming: 0,
        }
    }
    pub fn lines_up(&mut self) {
        for n in 0..self.scripts.len() {
            self.media.line(self.now, span(n), true, Alarms::NONE);
        }
        self.drain();
    }
    /// Takes out everything the call server wants.
    pub fn drain(&mut self) {
        loop {
            match self.media.poll() {
                Output::Event(CallEvent::Time { .. }, _) => {}
                Output::Event(event, _) => self.events.push(event),
                Output::Pipeline(command) => note(&mut self.lanes, command),
                Output::Recorder(order) => self.recorders.push(order),
                Output::Frame { .. } => {}
                Output::Wait(at) => {
                    self.wake = at;
                    return;
                }
            }
        }
    }
    /// Lets time pass, deadline by deadline.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        self.drain();
        while let Some(at) = self.wake.filter(|&at| at <= end) {
            self.now = at.max(self.now);
            self.media.elapsed(self.now);
            self.drain();
        }
        self.now = end;
    }
    /// The engine of span `n` tells something.
    pub fn tell(&mut self, n: usize, event: Event) {
        {
            let mut script = self.scripts[n].lock().unwrap();
            if let Event::Ended { key, .. } = event {
                script.calls.remove(&key);
            }
            script.tells.push_back(event);
        }
        self.media.frame(self.now, span(n), &[]);
        self.drain();
    }
    /// What the engine of span `n` was ordered since the last call.
    pub fn orders(&mut self, n: usize) -> Vec<Order> {
        std::mem::take(&mut self.scripts[n].lock().unwrap().orders)
    }
    /// Everything that was said since the last call.
    pub fn said(&mut self) -> Vec<CallEvent> {
        std::mem::take(&mut self.events)
    }
    pub fn command(&mut self, command: CallCommand) -> Result<call::Accepted, Refusal> {
        let answer = self.media.command(self.now, command);
        self.drain();
        answer
    }
    pub fn must(&mut self, command: CallCommand) -> call::Accepted {
        self.command(command).unwrap()
    }
    /// The operation of a command that must be accepted.
    pub fn operation(&mut self, command: CallCommand) -> OperationId {
        self.must(command).operation.unwrap()
    }
    pub fn controller(&mut self, present: bool) {
        self.media.controller(self.now, present);
        self.drain();
    }

    /// SETUP on a channel of span `n`; the key of the call.
    pub fn setup(&mut self, n: usize, timeslot: usize) -> LegKey {
        self.incoming += 2;
        let key = LegKey(self.incoming);
        self.scripts[n].lock().unwrap().calls.insert(key, slot(timeslot));
        let call = IncomingCall {
            key,
            timeslot: slot(timeslot),
            called: Number::unknown("4000"),
            calling: Some(Number::unknown("5551")),
            name: None,
            redirecting: None,
        };
        self.tell(n, Event::Incoming(call));
        key
    }
    /// An incoming call that was let in.
    pub fn caller(&mut self, n: usize, timeslot: usize) -> (LegId, LegKey) {
        let key = self.setup(n, timeslot);
        let leg = self.events.iter().rev().find_map(|e| match e {
            CallEvent::Incoming { leg, .. } => Some(*leg),
            _ => None,
        });
        (leg.expect("let in"), key)
    }
    /// An answered incoming call on span 0.
    pub fn talker(&mut self, timeslot: usize) -> (LegId, LegKey) {
        let (leg, key) = self.caller(0, timeslot);
        self.must(CallCommand::Answer { leg });
        assert!(self.events.contains(&CallEvent::Answered { leg }));
        (leg, key)
    }
    /// A dialled call on span 0, and where.
    pub fn dialled(&mut self, dial: Dial) -> (LegId, LegKey, Timeslot) {
        let leg = self.must(CallCommand::Dial(dial)).leg.unwrap();
        let (key, timeslot) = self.last_call(0);
        (leg, key, timeslot)
    }
    /// The last SETUP on span `n`.
    pub fn last_call(&self, n: usize) -> (LegKey, Timeslot) {
        let script = self.scripts[n].lock().unwrap();
        let last = script.orders.iter().rev().find_map(|order| match order {
            Order::Call(call) => Some((call.key, call.channel.timeslot)),
            _ => None,
        });
        last.expect("a SETUP")
    }
    /// A dialled call that was answered, and its channel.
    pub fn connected(&mut self, dial: Dial) -> (LegId, LegKey, Channel) {
        let (leg, key, timeslot) = self.dialled(dial);
        self.tell(0, Event::Connected { key, timeslot });
        (leg, key, at(timeslot.index()))
    }
    /// The far end of span 0 ends a call.
    pub fn hangs_up(&mut self, key: LegKey, cause: Cause) {
        let clearing = theirs(cause);
        self.tell(0, Event::Clearing { key, clearing });
        self.tell(0, Event::Ended { key, timeslot: None, clearing, glare: false });
    }
    /// The ears hear something on a channel of span 0.
    pub fn hear(&mut self, channel: Channel, heard: Heard) {
        let at = SampleTime::millis(self.now.as_millis());
        self.media.heard(self.now, pipeline::Event { at, channel, what: What::Heard(heard) });
        self.drain();
    }
    pub fn hear_sound(&mut self, channel: Channel, sound: Sound) {
        self.hear(channel, Heard::Progress(sound));
    }
    pub fn verdict(&mut self, channel: Channel, who: Answerer) {
        self.hear(channel, Heard::Answer { who, score: 0.25 });
    }
    pub fn press(&mut self, channel: Channel, keys: &str) {
        for key in keys.bytes() {
            self.hear(channel, Heard::Dtmf(key));
        }
    }
    /// What plays on a channel is over.
    pub fn play_ends(&mut self, channel: Channel, why: PlayEnd) {
        let (token, _) = self.lane(channel).play.expect("something plays");
        self.lanes.entry(channel).or_default().play = None;
        let at = SampleTime::millis(self.now.as_millis());
        let what = What::PlayEnded { token, why };
        self.media.heard(self.now, pipeline::Event { at, channel, what });
        self.drain();
    }
    pub fn lane(&self, channel: Channel) -> Lane {
        self.lanes.get(&channel).cloned().unwrap_or_default()
    }
    /// Names of the prompts and tones that play on a channel.
    pub fn plays(&self, channel: Channel) -> Vec<String> {
        let Some((_, score)) = self.lane(channel).play else { return Vec::new() };
        let pieces = score.pieces.iter().take(usize::from(score.len));
        let names = pieces.map(|piece| match piece {
            pipeline::Piece::Prompt(id) => PROMPTS[usize::from(id.0)].into(),
            pipeline::Piece::Tone { tone: ToneId(n), .. } => {
                ["ringback", "beep", "busy"][usize::from(*n)].into()
            }
            pipeline::Piece::Signal { signal, .. } => format!("signal {signal}"),
            pipeline::Piece::Silence { .. } => "-".into(),
        });
        names.collect()
    }
    /// Both ways, and nothing plays over it.
    pub fn hear_each_other(&self, a: Channel, b: Channel) -> bool {
        self.lane(a).source == Some(b) && self.lane(b).source == Some(a)
    }
    /// The summary of a leg that must have ended, exactly once.
    pub fn summary(&self, leg: LegId) -> Summary {
        let mut ended = self.events.iter().filter_map(|event| match event {
            CallEvent::Ended(summary) if summary.leg == leg => Some(summary.clone()),
            _ => None,
        });
        let summary = ended.next().expect("ended");
        assert!(ended.next().is_none(), "ended twice: {leg}");
        summary
    }
    pub fn has_ended(&self, leg: LegId) -> bool {
        self.events.iter().any(|e| matches!(e, CallEvent::Ended(s) if s.leg == leg))
    }
}

/// A channel of span 0.
pub fn at(timeslot: usize) -> Channel {
    Channel { span: span(0), timeslot: slot(timeslot) }
}

/// What a command does to the lanes.
pub fn note(lanes: &mut BTreeMap<Channel, Lane>, command: Command) {
    match command {
        Command::Connect { from, to } => lanes.entry(to).or_default().source = Some(from),
        Command::Disconnect { to } => lanes.entry(to).or_default().source = None,
        Command::Play { to, token, score } => {
            lanes.entry(to).or_default().play = Some((token, score));
        }
        Command::StopPlay { to } => lanes.entry(to).or_default().play = None,
        Command::Listen { on, listen } => lanes.entry(on).or_default().listen = listen,
        Command::Record { on, recorder } => {
            lanes.entry(on).or_default().recorder = Some(recorder);
        }
        Command::StopRecord { on } => lanes.entry(on).or_default().recorder = None,
        Command::Clear { on } => {
            lanes.remove(&on);
        }
    }
}
