//! The machine: its inputs, its outputs, and who is asked in between.

use std::collections::{BTreeMap, VecDeque};

use call::{Accepted, CallCommand, CallEvent, CallId, LegId, OperationId, Refusal, RefusalCode};
use dsp::pipeline;
use signalling::{Event, InterfaceOutput, LegKey, Order};
use tdm::{Alarms, Channel, Frame, Instant, Law, SampleTime, SpanId};

use crate::bucket::Bucket;
use crate::lease::Lease;
use crate::leg::Leg;
use crate::names::Names;
use crate::timers::Timers;
use crate::transfer::Transfer;
use crate::trunk::{Group, Slot, Span};
use crate::{Counters, Engine, MediaSettings, SettingsError, SpanSettings};

/// What [`Media::poll`] yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A frame for the D-channel of a span, without FCS.
    Frame {
        /// Where.
        span: SpanId,
        /// What.
        frame: Frame,
    },
    /// For the tick thread.
    Pipeline(pipeline::Command),
    /// For the recorder's writer.
    Recorder(RecorderOrder),
    /// Something happened; the sample at which it became true, when it was heard.
    Event(CallEvent, Option<SampleTime>),
    /// Nothing more. Call [`Media::elapsed`] then.
    Wait(Option<Instant>),
}

/// What a recording is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingKind {
    /// What a controller asked for: both directions, kept until somebody removes it.
    Asked,
    /// Whoever answered, until a conversation begins: one direction, kept for a while.
    Answer,
}

/// What the writer of recordings is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecorderOrder {
    /// What recorder `recorder` writes from now on goes into a recording of this name. Comes before the
    /// pipeline is told to record.
    Open {
        /// Which.
        recorder: u16,
        /// Whom it hears.
        leg: LegId,
        /// A name, never a path.
        name: String,
        /// What of.
        kind: RecordingKind,
        /// How its samples are coded.
        law: Law,
    },
    /// The recording is complete with what the pipeline still writes. Comes after the pipeline was told to
    /// stop; of the free ids the one that rested longest is taken next.
    Close {
        /// Which.
        recorder: u16,
        /// Nobody wants it: nothing of it may be left.
        drop: bool,
    },
}

/// What a deadline of a leg is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LegTimer {
    NoAnswer,
    Stuck,
    Listen,
    Collect,
    Judge,
    Fallback,
    Orphan,
    SafeHarbour,
    Keep,
    TalksBack,
}

impl LegTimer {
    pub(crate) const ALL: [Self; 10] = [
        Self::NoAnswer,
        Self::Stuck,
        Self::Listen,
        Self::Collect,
        Self::Judge,
        Self::Fallback,
        Self::Orphan,
        Self::SafeHarbour,
        Self::Keep,
        Self::TalksBack,
    ];
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The next `time` event.
    Time,
    /// The lease of the controller runs out.
    Lease,
    /// The engine of this span (index) wants to be woken.
    Engine(usize),
    /// A failed channel is restarted again.
    Restart(Channel),
    Leg(LegId, LegTimer),
}

/// What an operation is; where it ends depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationKind {
    Dial,
    Play,
    Collect,
    Transfer,
    Record,
    Judge,
}

/// The call server. Give it one input, then call [`Media::poll`] until it yields [`Output::Wait`].
pub struct Media {
    pub(crate) settings: MediaSettings,
    pub(crate) instance: u32,
    pub(crate) now: Instant,
    out: VecDeque<Output>,
    orders: VecDeque<(usize, Order)>,
    signals: VecDeque<(usize, Event)>,
    pub(crate) names: Names,
    pub(crate) spans: Vec<Span>,
    pub(crate) groups: Vec<Group>,
    pub(crate) legs: BTreeMap<LegId, Leg>,
    /// Legs by span (index) and the engine's key.
    pub(crate) keys: BTreeMap<(usize, LegKey), LegId>,
    pub(crate) operations: BTreeMap<OperationId, (LegId, OperationKind)>,
    pub(crate) transfers: BTreeMap<OperationId, Transfer>,
    /// Free recorders, the one that rested longest first.
    pub(crate) recorders: VecDeque<u16>,
    pub(crate) timers: Timers<Timer>,
    pub(crate) lease: Lease,
    last_leg: u32,
    pub(crate) last_call: u32,
    last_operation: u32,
    last_token: u32,
    pub(crate) queue_age_micros: u64,
    utc_offset_micros: i64,
    pub(crate) counters: Counters,
}

impl Media {
    /// A call server with engines from elsewhere, one for each span. `instance` is this life of the process;
    /// every id carries it.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn with_engines(
        settings: MediaSettings,
        instance: u32,
        now: Instant,
        mut engine: impl FnMut(&SpanSettings) -> Box<dyn Engine + Send>,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let names = Names::new(&settings)?;
        let spans = settings.spans.iter().map(|s| {
            let group_of = |timeslot| settings.group_of(s.span, timeslot);
            Span::new(s, group_of, engine(s))
        });
        let spans: Vec<Span> = spans.collect();
        let groups = settings.groups.iter().enumerate().map(|(index, g)| {
            let mut spans: Vec<usize> = settings.channels_of(index).map(|(span, _)| span).collect();
            let channels = u16::try_from(spans.len()).unwrap_or(u16::MAX);
            spans.dedup();
            Group {
                index,
                capacity: g.capacity.unwrap_or(channels),
                spans,
                bucket: g.rate.map(|rate| Bucket::new(rate, now)),
                settings: g.clone(),
                in_use: 0,
                offered: 0,
                refused: 0,
                dialled: 0,
                answered: 0,
                overflowed: 0,
            }
        });
        let mut timers = Timers::new();
        timers.set(Timer::Time, now);
        let lease = Lease::new(now);
        timers.set(Timer::Lease, now.plus_millis(u64::from(settings.timing.lease_millis)));
        let mut media = Self {
            instance,
            now,
            out: VecDeque::new(),
            orders: VecDeque::new(),
            signals: VecDeque::new(),
            names,
            groups: groups.collect(),
            spans,
            legs: BTreeMap::new(),
            keys: BTreeMap::new(),
            operations: BTreeMap::new(),
            transfers: BTreeMap::new(),
            recorders: (0..settings.limits.recorders).collect(),
            timers,
            lease,
            last_leg: 0,
            last_call: 0,
            last_operation: 0,
            last_token: 0,
            queue_age_micros: 0,
            utc_offset_micros: 0,
            counters: Counters::default(),
            settings,
        };
        for index in 0..media.spans.len() {
            media.drain(index);
        }
        media.run();
        Ok(media)
    }

    /// A frame came in on the D-channel of `span`; HDLC is undone, the FCS was right and is gone.
    pub fn frame(&mut self, now: Instant, span: SpanId, octets: &[u8]) {
        self.at(now);
        let now = self.now;
        match self.spans.iter().position(|s| s.id == span) {
            Some(index) => {
                if let Some(span) = self.spans.get_mut(index) {
                    span.engine.frame(now, octets);
                }
                self.drain(index);
                self.run();
            }
            None => self.counters.stray_frames += 1,
        }
    }

    /// The line of `span`: whether it carries calls, and its alarms. Tell it at start and at every change.
    pub fn line(&mut self, now: Instant, span: SpanId, up: bool, alarms: Alarms) {
        self.at(now);
        if let Some(index) = self.spans.iter().position(|s| s.id == span) {
            self.line_changed(index, up, alarms);
        }
        self.run();
    }

    /// The tick thread heard something, or a play ended.
    pub fn heard(&mut self, now: Instant, event: pipeline::Event) {
        self.at(now);
        self.pipeline_event(event);
        self.run();
    }

    /// The writer of recordings cannot make the file of the one with this name: there will be none.
    pub fn recording_fails(&mut self, now: Instant, name: &str) {
        self.at(now);
        self.recording_failed(name);
        self.run();
    }

    /// A controller wants something.
    ///
    /// # Errors
    /// Why not; nothing was changed then.
    pub fn command(&mut self, now: Instant, command: CallCommand) -> Result<Accepted, Refusal> {
        self.at(now);
        let answer = self.obey(command);
        self.run();
        answer
    }

    /// Whether a controller is there: connected, and not silent for 2 s. Tell it at every change; none is
    /// there at start.
    pub fn controller(&mut self, now: Instant, present: bool) {
        self.at(now);
        self.controller_changed(present);
        self.run();
    }

    /// How old the oldest unhandled input of the signalling thread is.
    pub fn queue_age(&mut self, micros: u64) {
        self.queue_age_micros = micros;
    }

    /// What UTC is ahead of the time given here; repeated in every `time` event.
    pub fn utc_offset(&mut self, micros: i64) {
        self.utc_offset_micros = micros;
    }

    /// The time that [`Output::Wait`] named has come, or passed. Harmless at any other time.
    pub fn elapsed(&mut self, now: Instant) {
        self.at(now);
        while let Some(timer) = self.timers.due(self.now) {
            self.expired(timer);
            self.run();
        }
    }

    /// What is to be done.
    pub fn poll(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Wait(self.timers.next()))
    }

    /// Time never runs back.
    pub(crate) fn at(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Works until nothing is left: orders go to the engines one at a time, each engine is drained before its
    /// next input, and what it tells is handled in order.
    pub(crate) fn run(&mut self) {
        loop {
            if let Some((index, event)) = self.signals.pop_front() {
                self.signal(index, event);
            } else if let Some((index, order)) = self.orders.pop_front() {
                if let Some(span) = self.spans.get_mut(index) {
                    span.engine.order(self.now, order);
                }
                self.drain(index);
            } else {
                return;
            }
        }
    }

    fn drain(&mut self, index: usize) {
        let Some(span) = self.spans.get_mut(index) else { return };
        loop {
            match span.engine.poll() {
                InterfaceOutput::Transmit(frame) => {
                    self.out.push_back(Output::Frame { span: span.id, frame });
                }
                InterfaceOutput::Event(event) => self.signals.push_back((index, event)),
                InterfaceOutput::Wait(Some(at)) => {
                    // Never now: an engine that wants its past back must not stop the clock for all.
                    let at = at.max(self.now.plus_micros(1));
                    return self.timers.set(Timer::Engine(index), at);
                }
                InterfaceOutput::Wait(None) => return self.timers.cancel(Timer::Engine(index)),
            }
        }
    }

    fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::Time => {
                let utc_offset_us = self.utc_offset_micros;
                self.event(CallEvent::Time { utc_offset_us });
                self.set_timer(Timer::Time, self.settings.timing.time_event_millis);
            }
            Timer::Lease => self.lease_expired(),
            Timer::Engine(index) => {
                if let Some(span) = self.spans.get_mut(index) {
                    span.engine.elapsed(self.now);
                }
                self.drain(index);
            }
            Timer::Restart(channel) => self.restart_again(channel),
            Timer::Leg(leg, timer) => match timer {
                LegTimer::NoAnswer => self.nobody_answered(leg),
                LegTimer::Stuck => self.stuck(leg),
                LegTimer::Listen => self.listened_enough(leg),
                LegTimer::Collect => self.collect_timed_out(leg),
                LegTimer::Judge => self.judge_timed_out(leg),
                LegTimer::Fallback => self.fallback_over(leg),
                LegTimer::Orphan => self.orphan_over(leg),
                LegTimer::SafeHarbour => self.safe_harbour_due(leg),
                LegTimer::Keep => self.end_keeping(leg),
                LegTimer::TalksBack => self.nobody_came(leg),
            },
        }
    }

    /// The door of all commands.
    fn obey(&mut self, command: CallCommand) -> Result<Accepted, Refusal> {
        let subjects = match &command {
            CallCommand::Bridge { a, b, .. } => [Some(*a), Some(*b)],
            CallCommand::Play { leg, .. }
            | CallCommand::StopPlay { leg }
            | CallCommand::Collect { leg, .. }
            | CallCommand::Judge { leg, .. } => [Some(*leg), None],
            CallCommand::Dial(dial) => [dial.bridge, None],
            _ => [None, None],
        };
        let answer = match command {
            CallCommand::Dial(dial) => self.dial(dial),
            CallCommand::Alert { leg } => self.alert(leg),
            CallCommand::Answer { leg } => self.answer(leg),
            CallCommand::Hangup { leg, cause } => self.hang_up(leg, cause),
            CallCommand::Play { leg, items, repeat, stop_on } => {
                self.play(leg, &items, repeat, stop_on)
            }
            CallCommand::StopPlay { leg } => self.stop_play_command(leg),
            CallCommand::Collect {
                leg,
                max_digits,
                first_millis,
                next_millis,
                terminators,
                secret,
            } => self.collect(leg, max_digits, first_millis, next_millis, terminators, secret),
            CallCommand::Bridge { a, b, beep } => self.bridge_command(a, b, beep),
            CallCommand::Unbridge { leg } => self.unbridge(leg),
            CallCommand::Hold { leg } => self.hold(leg),
            CallCommand::Retrieve { leg } => self.retrieve(leg),
            CallCommand::Transfer { leg, group, called, kind } => {
                self.transfer(leg, &group, called, kind)
            }
            CallCommand::Record { leg, name, early } => self.record(leg, name, early),
            CallCommand::StopRecord { leg } => self.stop_record(leg),
            CallCommand::SetFallback { leg, fallback } => self.set_fallback(leg, fallback),
            CallCommand::Judge { leg, within_millis } => self.judge(leg, within_millis),
            CallCommand::Block { span, timeslot } => self.block(span, timeslot),
            CallCommand::Unblock { span, timeslot } => self.unblock(span, timeslot),
            CallCommand::Drain { span, timeslot } => self.drain_channels(span, timeslot),
            CallCommand::Restart { span, timeslot } => self.restart_command(span, timeslot),
            CallCommand::Cancel { operation } => self.cancel(operation),
        };
        if answer.is_ok() {
            subjects.into_iter().flatten().for_each(|leg| self.take_over(leg));
        }
        answer
    }

    pub(crate) fn event(&mut self, event: CallEvent) {
        self.out.push_back(Output::Event(event, None));
    }
    pub(crate) fn event_at(&mut self, event: CallEvent, at: SampleTime) {
        self.out.push_back(Output::Event(event, Some(at)));
    }
    pub(crate) fn pipeline(&mut self, command: pipeline::Command) {
        self.out.push_back(Output::Pipeline(command));
    }
    pub(crate) fn recorder(&mut self, order: RecorderOrder) {
        self.out.push_back(Output::Recorder(order));
    }
    pub(crate) fn order(&mut self, span: usize, order: Order) {
        self.orders.push_back((span, order));
    }
    pub(crate) fn set_timer(&mut self, timer: Timer, millis: u32) {
        self.timers.set(timer, self.now.plus_millis(u64::from(millis)));
    }

    /// Brings a running timer forward to `millis` from now, if that is earlier.
    pub(crate) fn shorten_timer(&mut self, timer: Timer, millis: u32) {
        self.timers.shorten(timer, self.now.plus_millis(u64::from(millis)));
    }

    pub(crate) fn next_leg(&mut self) -> LegId {
        self.last_leg = self.last_leg.wrapping_add(1);
        LegId::new(self.instance, self.last_leg)
    }
    pub(crate) fn next_call(&mut self) -> CallId {
        self.last_call = self.last_call.wrapping_add(1);
        CallId::new(self.instance, self.last_call)
    }
    pub(crate) fn next_token(&mut self) -> u32 {
        self.last_token = self.last_token.wrapping_add(1);
        self.last_token
    }
    pub(crate) fn begin_operation(&mut self, leg: LegId, kind: OperationKind) -> OperationId {
        self.last_operation = self.last_operation.wrapping_add(1);
        let id = OperationId::new(self.instance, self.last_operation);
        self.operations.insert(id, (leg, kind));
        self.counters.operations_begun += 1;
        id
    }
    pub(crate) fn end_operation(&mut self, id: OperationId) {
        if self.operations.remove(&id).is_some() {
            self.counters.operations_ended += 1;
        }
    }

    /// The leg of a command, when it lives and is not being cleared.
    pub(crate) fn live(&self, id: LegId) -> Result<&Leg, Refusal> {
        match self.legs.get(&id) {
            Some(leg) if leg.state != crate::leg::State::Ending => Ok(leg),
            Some(_) => Err(wrong_state("leg", "ending", format!("leg {id} is being cleared"))),
            None => Err(Refusal::new(
                RefusalCode::UnknownCall,
                "leg",
                format!("there is no leg {id}, or no longer"),
            )),
        }
    }
    pub(crate) fn slot_mut(&mut self, channel: Channel) -> Option<&mut Slot> {
        self.spans.iter_mut().find(|s| s.id == channel.span)?.slot_mut(channel.timeslot)
    }
    pub(crate) fn leg_on(&self, channel: Channel) -> Option<LegId> {
        self.spans.iter().find(|s| s.id == channel.span)?.slot(channel.timeslot)?.leg
    }
}

/// It exists, but this cannot be done in its state.
pub(crate) fn wrong_state(what: &str, state: &str, message: String) -> Refusal {
    let mut refusal = Refusal::new(RefusalCode::WrongState, what, message);
    refusal.state = Some(String::from(state));
    refusal
}
