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
use super::rings::{Note, Shared, SignalEnds, count};

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
    wake: Option<Instant>,
    said: VecDeque<Said>,
    shared: Arc<Shared>,
    capture: Option<Capture>,
}

impl SignalWork {
    /// A call server at its rings.
    pub fn new(media: Media, ends: SignalEnds, shared: Arc<Shared>, now: Instant) -> Self {
        let mut work = Self {
            decoders: (0..SPANS_MAX).map(|_| Decoder::new()).collect(),
            notes: ends.notes,
            events: ends.events,
            alarms: vec![Alarms::NONE; SPANS_MAX],
            bits: vec![[None; TIMESLOTS]; SPANS_MAX],
            core: Core {
                media,
                frames: ends.frames,
                commands: ends.commands,
                waiting: VecDeque::new(),
                wake: None,
                said: VecDeque::new(),
                shared,
                capture: None,
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
    }

    fn note(&mut self, now: Instant, board: usize, note: Note) {
        match note {
            Note::Octets { span, octets, at } => {
                let Some(decoder) = self.decoders.get_mut(span.index()) else { return };
                let core = &mut self.core;
                let before = decoder.counters();
                decoder.push(&octets, |frame| {
                    core.media.queue_age(now.micros_since(at));
                    if let Some((capture, frame)) = core.capture.as_mut().zip(Frame::new(frame)) {
                        capture.frame(now, span, false, frame);
                    }
                    core.media.frame(now, span, frame);
                    core.drain(now);
                });
                let after = decoder.counters();
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
                self.core.media.line(now, span, up, alarms);
                self.core.drain(now);
            }
            Note::Bits { span, channel, abcd } => {
                let known = self.bits.get_mut(span.index());
                if let Some(place) = known.and_then(|all| all.get_mut(usize::from(channel))) {
                    *place = Some(abcd);
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
                    let ring = self.frames.get_mut(span.index()).and_then(Option::as_mut);
                    // LAPD repeats what is lost here, as it does what is lost on the line.
                    if ring.is_none_or(|ring| ring.push(frame).is_err()) {
                        count(&self.shared.counters.frames_lost);
                    }
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

    fn flush(&mut self) {
        while let Some(command) = self.waiting.pop_front() {
            if let Err(rtrb::PushError::Full(command)) = self.commands.push(command) {
                self.waiting.push_front(command);
                break;
            }
        }
    }
}
