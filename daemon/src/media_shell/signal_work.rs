//! What the signalling thread does: frames, line states and heard sounds into the call server, its frames,
//! commands and events out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use call::{Accepted, CallCommand, CallEvent, Refusal, RefusalCode, SnapshotItem};
use dsp::pipeline::Command;
use media::{Media, Output, RecorderOrder};
use tdm::hdlc::Decoder;
use tdm::{Alarm, Alarms, ClockId, Frame, Instant, SPANS_MAX, SampleTime, SpanId, TIMESLOTS};

use super::capture::Capture;
use super::d_watch::DWatch;
use super::line_status::{self, LineStatus};
use super::rings::{Note, PortPlan, Shared, SignalEnds, count};
use super::socket::alarm_words;

/// Orders for the tick thread that found its ring full, from which on far ends are told to wait: it has not come for
/// as long as every channel needs twice over.
const COMMANDS_BEHIND: usize = 256;

/// Something the call server said that leaves the signalling thread.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// An event for the subscribers.
    Event {
        /// When it was said.
        at: Instant,
        /// The sample at which it became true, where a sample decided, and whose clock counts it.
        sample: Option<(SampleTime, ClockId)>,
        /// What.
        event: CallEvent,
    },
    /// For the writer of recordings.
    Recorder(RecorderOrder),
    /// For the log of alarms.
    Alarm {
        /// When it was decided.
        at: Instant,
        /// Where.
        span: SpanId,
        /// What.
        alarm: Alarm,
        /// Raised; otherwise cleared.
        raised: bool,
    },
    /// A contiguous loss on a board.
    Gap {
        /// When it was noticed.
        at: Instant,
        /// Which board.
        board: usize,
        /// How long.
        millis: u64,
    },
}

/// The call server with its rings.
pub struct SignalWork {
    decoders: Vec<Decoder>,
    notes: Vec<rtrb::Consumer<Note>>,
    events: rtrb::Consumer<dsp::pipeline::Event>,
    alarms: Vec<Alarms>,
    up: Vec<bool>,
    ports: Vec<(usize, usize, PortPlan)>,
    /// The signalling bits last heard, by span and channel.
    bits: Vec<[Option<u8>; TIMESLOTS]>,
    core: Core,
}

struct Core {
    media: Media,
    frames: Vec<Option<rtrb::Producer<Frame>>>,
    commands: rtrb::Producer<Command>,
    /// Commands that found the ring full. While there are any, the door says `busy`.
    waiting: VecDeque<Command>,
    /// There were so many of them that far ends were told to wait.
    behind: bool,
    wake: Option<Instant>,
    said: VecDeque<Said>,
    shared: Arc<Shared>,
    capture: Option<Capture>,
    /// What keeps each D-channel down, by the span's index.
    watches: Vec<DWatch>,
    /// Frames that a watch wants held, oldest first.
    held: VecDeque<(Instant, SpanId, Frame)>,
}

impl SignalWork {
    /// A call server at its rings.
    pub fn new(media: Media, ends: SignalEnds, shared: Arc<Shared>, now: Instant) -> Self {
        let mut work = Self {
            decoders: (0..SPANS_MAX).map(|_| Decoder::new()).collect(),
            notes: ends.notes,
            events: ends.events,
            alarms: vec![Alarms::NONE; SPANS_MAX],
            up: vec![false; SPANS_MAX],
            ports: ends.ports,
            bits: vec![[None; TIMESLOTS]; SPANS_MAX],
            core: Core {
                media,
                frames: ends.frames,
                commands: ends.commands,
                waiting: VecDeque::new(),
                behind: false,
                wake: None,
                said: VecDeque::new(),
                shared,
                capture: None,
                watches: (0..SPANS_MAX as u64).map(|seed| DWatch::new(now, seed)).collect(),
                held: VecDeque::new(),
            },
        };
        work.core.drain(now);
        work
    }

    /// From now on every frame and every event of a call is captured.
    pub fn capture(&mut self, capture: Capture) {
        self.core.capture = Some(capture);
    }

    /// Works through everything that came in, and the timers that are due.
    pub fn turn(&mut self, now: Instant) {
        self.core.flush();
        self.core.release_held(now);
        for board in 0..self.notes.len() {
            while let Some(Ok(note)) = self.notes.get_mut(board).map(|ring| ring.pop()) {
                self.note(now, board, note);
            }
        }
        while let Ok(event) = self.events.pop() {
            self.core.media.heard(now, event);
            self.core.drain(now);
        }
        if self.core.wake.is_some_and(|wake| wake <= now) {
            self.core.media.elapsed(now);
            self.core.drain(now);
        }
        self.core.hold_far_ends(now);
        if let Some(capture) = &self.core.capture {
            self.core.shared.counters.capture_left_out.store(capture.left_out, Relaxed);
        }
    }

    fn note(&mut self, now: Instant, board: usize, note: Note) {
        match note {
            Note::Octets { span, octets, at } => {
                let Some(decoder) = self.decoders.get_mut(span.index()) else { return };
                let core = &mut self.core;
                let before = decoder.counters();
                decoder.push(&octets, |frame| {
                    core.media.queue_age(now.micros_since(at));
                    if let Some(watch) = core.watches.get_mut(span.index()) {
                        watch.received(now, frame);
                    }
                    if let Some((capture, frame)) = core.capture.as_mut().zip(Frame::new(frame)) {
                        capture.frame(at, span, false, frame);
                    }
                    core.media.frame(now, span, frame);
                    core.drain(now);
                });
                let after = decoder.counters();
                if let Some(watch) = core.watches.get_mut(span.index()) {
                    watch.millisecond(now, decoder);
                }
                let bad = |c: tdm::hdlc::Counters| c.short + c.long + c.unaligned + c.fcs + c.abort;
                let counters = &core.shared.counters;
                counters.frames_good.fetch_add(after.good - before.good, Relaxed);
                counters.frames_bad.fetch_add(bad(after) - bad(before), Relaxed);
            }
            Note::Line { span, up, alarms, at } => {
                let before = self.alarms.get(span.index()).copied().unwrap_or_default();
                for alarm in Alarms::iter(alarms).filter(|&a| !before.has(a)) {
                    self.core.said.push_back(Said::Alarm { at, span, alarm, raised: true });
                }
                for alarm in Alarms::iter(before).filter(|&a| !alarms.has(a)) {
                    self.core.said.push_back(Said::Alarm { at, span, alarm, raised: false });
                }
                if let Some(known) = self.alarms.get_mut(span.index()) {
                    *known = alarms;
                }
                let was_up = self.up.get_mut(span.index()).map(|was| std::mem::replace(was, up));
                if let Some(watch) = self.core.watches.get_mut(span.index())
                    && was_up == Some(false)
                {
                    watch.begin(now);
                }
                self.core.media.line(now, span, up, alarms);
                self.core.drain(now);
            }
            Note::Bits { span, channel, abcd } => {
                let known = self.bits.get_mut(span.index());
                if let Some(place) = known.and_then(|all| all.get_mut(usize::from(channel))) {
                    *place = Some(abcd);
                }
            }
            Note::BitsUnknown { span } => {
                if let Some(known) = self.bits.get_mut(span.index()) {
                    known.fill(None);
                }
            }
            Note::Gap { millis, at } => self.core.said.push_back(Said::Gap { at, board, millis }),
        }
    }

    /// A controller's command.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn command(&mut self, now: Instant, command: CallCommand) -> Result<Accepted, Refusal> {
        if !self.core.waiting.is_empty() {
            let message = "the tick thread has not taken the last commands yet";
            return Err(Refusal::new(RefusalCode::Busy, "command", message));
        }
        let answer = self.core.media.command(now, command);
        self.core.drain(now);
        answer
    }

    /// The writer cannot make the file of the recording with this name.
    pub fn recording_fails(&mut self, now: Instant, name: &str) {
        self.core.media.recording_fails(now, name);
        self.core.drain(now);
    }

    /// Whether a controller is there.
    pub fn controller(&mut self, now: Instant, present: bool) {
        self.core.media.controller(now, present);
        self.core.drain(now);
    }

    /// UTC stepped.
    pub fn utc_offset(&mut self, micros: i64) {
        self.core.media.utc_offset(micros);
    }

    /// What there is now.
    pub fn snapshot(&self) -> Vec<SnapshotItem> {
        self.core.media.snapshot()
    }

    /// How the call server stands.
    pub fn status(&self) -> media::Status {
        self.core.media.status()
    }

    /// How the lines stand, in the order of the configuration.
    pub fn lines(&self, now: Instant) -> Vec<LineStatus> {
        let links: Vec<(u8, bool)> =
            self.core.media.status().spans.iter().map(|span| (span.span, span.link)).collect();
        self.ports
            .iter()
            .map(|(board, port, plan)| self.line(now, (*board, *port), plan, &links))
            .collect()
    }

    fn line(
        &self,
        now: Instant,
        (board, port): (usize, usize),
        plan: &PortPlan,
        links: &[(u8, bool)],
    ) -> LineStatus {
        let (index, span) = (plan.span.index(), plan.span.number() as u8);
        let core = &self.core;
        let at = |bits: &[Option<u8>; TIMESLOTS], channel: u8| {
            bits.get(usize::from(channel)).copied().flatten()
        };
        let in_service = self.up.get(index).copied().unwrap_or_default();
        let mut status = LineStatus {
            span,
            board,
            port: port + 1,
            line: plan.line.clone(),
            in_service,
            alarms: self
                .alarms
                .get(index)
                .map(|alarms| alarms.iter().map(|alarm| alarm_words(alarm).0).collect())
                .unwrap_or_default(),
            is_clock: core
                .shared
                .boards
                .get(board)
                .is_some_and(|shared| shared.clock_port.load(Relaxed) == port as u64 + 1),
            ..LineStatus::default()
        };
        if let Some(shared) = core.shared.lines.get(index) {
            status.loopback = shared.wanted_loop().map(|(name, _)| name);
            status.errors = shared.errors();
            (status.quarter, status.day) = (shared.quarter(), shared.day());
            status.advice = shared.advice();
        }
        if let Some(bits) = self.bits.get(index) {
            let channels = plan.idle.iter().map(|(channel, _)| *channel);
            status.bits = channels.map(|c| (c, line_status::bits(at(bits, c)))).collect();
        }
        // Only where somebody speaks on the D-channel is something to be expected from its other end.
        let link = links.iter().find(|(of, _)| *of == span).map(|(_, link)| *link);
        if let Some((watch, link)) = core.watches.get(index).zip(link)
            && in_service
            && let Some(trouble) = watch.trouble(now, link)
        {
            status.advice.push(format!("D-channel: {trouble}"));
        }
        status
    }

    /// What left the call server, oldest first.
    pub fn said(&mut self) -> Option<Said> {
        self.core.said.pop_front()
    }

    /// When [`SignalWork::turn`] has something to do even if nothing comes in.
    pub fn wake(&self) -> Option<Instant> {
        self.core.wake
    }
}

impl Core {
    fn drain(&mut self, now: Instant) {
        loop {
            match self.media.poll() {
                Output::Wait(wake) => {
                    self.wake = wake;
                    break;
                }
                Output::Frame { span, frame } => {
                    if let Some(capture) = &mut self.capture {
                        capture.frame(now, span, true, frame);
                    }
                    self.send(now, span, frame);
                }
                Output::Pipeline(command) => {
                    self.waiting.push_back(command);
                    self.flush();
                }
                Output::Recorder(order) => self.said.push_back(Said::Recorder(order)),
                Output::Event(event, sample) => {
                    if let Some(capture) = &mut self.capture {
                        capture.event(now, &event);
                    }
                    let clock = self.shared.clock().unwrap_or_default();
                    let sample = sample.map(|s| (s, clock));
                    self.said.push_back(Said::Event { at: now, sample, event });
                }
            }
        }
    }

    /// Sends a frame, or holds it while its D-channel is suspected to lead back to us.
    fn send(&mut self, now: Instant, span: SpanId, frame: Frame) {
        let behind = self.held.iter().rev().find(|(_, of, _)| *of == span).map(|(at, ..)| *at);
        let watch = self.watches.get_mut(span.index());
        let hold = watch.map_or(0, |watch| watch.hold_millis(frame.octets()));
        match behind {
            // In order, whatever the watch says meanwhile.
            Some(at) => self.held.push_back((at, span, frame)),
            None if hold > 0 => self.held.push_back((now.plus_millis(hold), span, frame)),
            None => self.push(now, span, frame),
        }
    }

    fn release_held(&mut self, now: Instant) {
        for _ in 0..self.held.len() {
            let Some((at, span, frame)) = self.held.pop_front() else { return };
            if at <= now {
                self.push(now, span, frame);
            } else {
                self.held.push_back((at, span, frame));
            }
        }
    }

    fn push(&mut self, now: Instant, span: SpanId, frame: Frame) {
        if let Some(watch) = self.watches.get_mut(span.index()) {
            watch.sent(now, frame.octets());
        }
        let ring = self.frames.get_mut(span.index()).and_then(Option::as_mut);
        // LAPD repeats what is lost here, as it does what is lost on the line.
        if ring.is_none_or(|ring| ring.push(frame).is_err()) {
            count(&self.shared.counters.frames_lost);
        }
    }

    /// Orders that the tick thread has not taken are calls we cannot carry out: far ends wait, until all are taken.
    fn hold_far_ends(&mut self, now: Instant) {
        let behind = match self.waiting.len() {
            0 => false,
            COMMANDS_BEHIND.. => true,
            _ => return,
        };
        if std::mem::replace(&mut self.behind, behind) != behind {
            self.media.behind(now, behind);
            self.drain(now);
        }
    }

    fn flush(&mut self) {
        while let Some(command) = self.waiting.pop_front() {
            if let Err(rtrb::PushError::Full(command)) = self.commands.push(command) {
                self.waiting.push_front(command);
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dsp::pipeline::ToneId;
    use media::{GroupSettings, MediaSettings, SpanSettings};
    use signalling::pri::Interface;
    use signalling::{Event, InterfaceOutput, Order, PriSettings, Side};
    use tdm::hdlc::Encoder;
    use tdm::{Channel, Law, SAMPLES, Timeslot};

    use super::super::rings::{self, BoardEnds, TickEnds};
    use super::*;

    const RECEIVER_NOT_READY: u8 = 0x05;

    /// The signalling thread of one span, and an exchange at the end of its D-channel.
    struct Line {
        work: SignalWork,
        board: BoardEnds,
        tick: TickEnds,
        exchange: Interface,
        encoder: Encoder,
        now: Instant,
        span: SpanId,
        /// Frames of ours.
        sent: Vec<Frame>,
        /// What the exchange told.
        told: Vec<Event>,
    }

    impl Line {
        fn up() -> Self {
            let span = SpanId::new(0).expect("a span");
            let tones = ["ringback", "beep", "busy"].into_iter().zip(0..);
            let tones = tones.map(|(name, n)| (name.into(), ToneId(n)));
            let mut settings = MediaSettings::new(tones.collect());
            settings.spans = vec![SpanSettings::e1(span, Side::User)];
            settings.groups = vec![GroupSettings::new("public", vec![span])];
            let plan = PortPlan {
                span,
                line: "E1".into(),
                law: Law::A,
                d_channel: Timeslot::new(16),
                idle: Vec::new(),
            };
            let (mut boards, tick, signal, shared) = rings::build(&[vec![plan]]);
            let now = Instant::seconds(1);
            let media = Media::new(settings, 1, now).expect("they fit together");
            let mut line = Self {
                work: SignalWork::new(media, signal, shared, now),
                board: boards.remove(0),
                tick,
                exchange: Interface::new(PriSettings::e1(Side::Network)),
                encoder: Encoder::new(),
                now,
                span,
                sent: Vec::new(),
                told: Vec::new(),
            };
            let (at, alarms) = (now, Alarms::NONE);
            let up = Note::Line { span, up: true, alarms, at };
            line.board.notes.push(up).expect("there is room");
            line.exchange.order(now, Order::Line { up: true });
            line.run(200);
            assert!(line.exchange.is_up());
            line.sent.clear();
            line
        }
        fn run(&mut self, millis: u64) {
            for _ in 0..millis {
                self.now = self.now.plus_millis(1);
                while let Ok(frame) = self.board.ports[0].frames.pop() {
                    self.exchange.handle_frame(self.now, frame.octets());
                    self.sent.push(frame);
                }
                self.exchange.elapsed(self.now);
                loop {
                    match self.exchange.poll() {
                        InterfaceOutput::Transmit(frame) => assert!(self.encoder.push(&frame)),
                        InterfaceOutput::Event(event) => self.told.push(event),
                        InterfaceOutput::Wait(_) => break,
                    }
                }
                let mut octets = [0; SAMPLES];
                self.encoder.octets(&mut octets);
                let (span, at) = (self.span, self.now);
                let note = Note::Octets { span, octets, at };
                self.board.notes.push(note).expect("there is room");
                self.work.turn(self.now);
            }
        }
        fn not_ready(&self) -> usize {
            let kind = |frame: &&Frame| frame.octets().get(2) == Some(&RECEIVER_NOT_READY);
            self.sent.iter().filter(kind).count()
        }
    }

    /// The tick thread stands still while orders for it pile up: what cannot be carried out is not asked for.
    #[test]
    fn far_ends_wait_while_the_tick_thread_does_not_take_its_orders() {
        let mut line = Line::up();
        let on = Channel { span: line.span, timeslot: Timeslot::new(1).expect("a timeslot") };
        let room = line.work.core.commands.slots();
        line.work.core.waiting =
            (0..room + COMMANDS_BEHIND - 1).map(|_| Command::Clear { on }).collect();
        line.run(2);
        assert_eq!(line.not_ready(), 0, "a few behind are nothing");
        line.work.core.waiting.push_back(Command::Clear { on });
        line.run(2);
        assert_eq!(line.not_ready(), 1);
        // It is asked for its state, and goes on being behind.
        line.run(3000);
        assert!(line.not_ready() > 1);
        assert!(line.exchange.is_up());
        while line.tick.commands.pop().is_ok() {}
        line.sent.clear();
        line.run(3000);
        assert_eq!((line.not_ready(), line.work.core.waiting.len()), (0, 0));
        assert_eq!(line.exchange.link_faults().total(), 0);
    }
}
