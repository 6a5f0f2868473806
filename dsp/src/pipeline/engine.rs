//! The step itself: hear every lane, then compose every outgoing lane.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use std::sync::Arc;

use rtrb::Consumer;
use tdm::{Block, Channel, Law, SampleTime, SpanId, TIMESLOTS, Timeslot};

use super::library::Library;
use super::player::Player;
use super::recorder::{Recorded, Recorder};
use super::{Command, Event, PlayEnd, What};
use crate::ears::{Ears, EarsSettings, Heard, Listen};
use crate::g711;

/// Recorders a pipeline may have.
pub const RECORDERS_MAX: usize = 1024;

/// What a pipeline is built from.
pub struct PipelineSettings {
    /// One for each span, in order: its law and the zones it listens for.
    pub spans: Vec<EarsSettings>,
    /// What can be played.
    pub library: Arc<Library>,
    /// How many recordings at once, at most [`RECORDERS_MAX`].
    pub recorders: usize,
}

/// A lane of 32 bits a span: bit t is timeslot t.
type Lanes = u32;

struct Span {
    id: SpanId,
    law: Law,
    ears: Ears,
    /// What an outgoing lane hears, where `connected` has its bit.
    sources: [Channel; TIMESLOTS],
    connected: Lanes,
    players: [Option<Player>; TIMESLOTS],
    playing: Lanes,
    taps: [u16; TIMESLOTS],
    tapped: Lanes,
}

/// All spans of a host, stepped once a millisecond of the master clock.
pub struct Pipeline {
    spans: Box<[Span]>,
    library: Arc<Library>,
    recorders: Box<[Recorder]>,
}

impl Pipeline {
    /// A silent pipeline, and the reading end of each recorder.
    ///
    /// # Panics
    /// When there are more spans than [`tdm::SPANS_MAX`]: the configuration was not checked.
    #[allow(clippy::expect_used)]
    pub fn new(settings: PipelineSettings) -> (Self, Vec<Consumer<Recorded>>) {
        let (recorders, readers): (Vec<_>, Vec<_>) =
            (0..settings.recorders.min(RECORDERS_MAX)).map(|_| Recorder::pair()).unzip();
        let spans = settings.spans.into_iter().enumerate().map(|(index, ears)| {
            let id = SpanId::new(index).expect("a configuration holds at most SPANS_MAX spans");
            Span::new(id, ears)
        });
        let pipeline = Self {
            spans: spans.collect(),
            library: settings.library,
            recorders: recorders.into_boxed_slice(),
        };
        (pipeline, readers)
    }

    /// Carries out `command` from the next tick on. `at` stamps the event of a play that it ends. What
    /// names no span or recorder of this host is passed over.
    pub fn command(&mut self, at: SampleTime, command: Command, events: &mut dyn FnMut(Event)) {
        match command {
            Command::Connect { from, to } => {
                if from.span.index() < self.spans.len()
                    && let Some(span) = self.spans.get_mut(to.span.index())
                    && let Some(source) = span.sources.get_mut(to.timeslot.index())
                {
                    *source = from;
                    span.connected |= bit(to.timeslot);
                }
            }
            Command::Disconnect { to } => self.on(to, |span| span.connected &= !bit(to.timeslot)),
            Command::Play { to, token, score } => self.on(to, |span| {
                span.end_play(at, to.timeslot, PlayEnd::Stopped, events);
                if let Some(player) = span.players.get_mut(to.timeslot.index()) {
                    *player = Some(Player::new(token, score));
                    span.playing |= bit(to.timeslot);
                }
            }),
            Command::StopPlay { to } => {
                self.on(to, |span| span.end_play(at, to.timeslot, PlayEnd::Stopped, events));
            }
            Command::Listen { on, listen } => {
                self.on(on, |span| span.ears.listen(on.timeslot, listen));
            }
            Command::Record { on, recorder } => self.record(on, recorder),
            Command::StopRecord { on } => self.stop_record(on),
            Command::Clear { on } => {
                self.stop_record(on);
                self.on(on, |span| {
                    span.end_play(at, on.timeslot, PlayEnd::Stopped, events);
                    span.connected &= !bit(on.timeslot);
                    span.end_answer(at, on.timeslot, events);
                    span.ears.listen(on.timeslot, Listen::default());
                });
            }
        }
    }

    /// One millisecond: hears `received`, writes `transmitted` whole (timeslots nobody uses are idle).
    ///
    /// Both slices are in the order of the spans. `at` is the first sample of `received` on the master
    /// clock. Allocates nothing; cost grows with the lanes in use.
    pub fn tick(
        &mut self,
        at: SampleTime,
        received: &[Block],
        transmitted: &mut [Block],
        events: &mut dyn FnMut(Event),
    ) {
        for (span, block) in self.spans.iter_mut().zip(received) {
            span.hear(at, block, events);
        }
        let laws = Laws(&self.spans);
        for (span, out) in laws.0.iter().zip(transmitted.iter_mut()) {
            span.switch(&laws, received, out);
        }
        for (span, out) in self.spans.iter_mut().zip(transmitted.iter_mut()) {
            span.play(at, &self.library, out, events);
        }
        for recorder in &mut self.recorders {
            recorder.settle();
        }
        for ((span, incoming), outgoing) in self.spans.iter().zip(received).zip(&*transmitted) {
            for lane in Bits(span.tapped) {
                tap(span, &mut self.recorders, at, lane, incoming, outgoing, events);
            }
        }
    }

    fn on(&mut self, channel: Channel, act: impl FnOnce(&mut Span)) {
        if let Some(span) = self.spans.get_mut(channel.span.index()) {
            act(span);
        }
    }

    fn record(&mut self, on: Channel, recorder: u16) {
        self.stop_record(on);
        if let Some(free) = self.recorders.get_mut(usize::from(recorder))
            && let Some(span) = self.spans.get_mut(on.span.index())
            && let Some(tap) = span.taps.get_mut(on.timeslot.index())
            && free.start()
        {
            *tap = recorder;
            span.tapped |= bit(on.timeslot);
        }
    }

    fn stop_record(&mut self, on: Channel) {
        if let Some(span) = self.spans.get_mut(on.span.index())
            && span.tapped & bit(on.timeslot) != 0
        {
            span.tapped &= !bit(on.timeslot);
            if let Some(recorder) = span
                .taps
                .get(on.timeslot.index())
                .and_then(|&index| self.recorders.get_mut(usize::from(index)))
            {
                recorder.stop();
            }
        }
    }
}

impl Span {
    fn new(id: SpanId, settings: EarsSettings) -> Self {
        let unused = Channel { span: id, timeslot: FIRST };
        Self {
            id,
            law: settings.law,
            ears: Ears::new(settings).staggered(id.index() as u32),
            sources: [unused; TIMESLOTS],
            connected: 0,
            players: [None; TIMESLOTS],
            playing: 0,
            taps: [0; TIMESLOTS],
            tapped: 0,
        }
    }

    fn hear(&mut self, at: SampleTime, block: &Block, events: &mut dyn FnMut(Event)) {
        let Self { id, ears, .. } = self;
        let (id, mut pressed) = (*id, 0);
        ears.hear(block, &mut |hearing| {
            if let Some(timeslot) = Timeslot::new(usize::from(hearing.lane)) {
                if matches!(hearing.heard, Heard::Dtmf(_)) {
                    pressed |= bit(timeslot);
                }
                let channel = Channel { span: id, timeslot };
                events(Event { at: hearing.at, channel, what: What::Heard(hearing.heard) });
            }
        });
        for lane in Bits(pressed & self.playing) {
            let stops = |p: &Option<Player>| p.is_some_and(|p| p.stops_on_dtmf());
            if self.players.get(lane.index()).is_some_and(stops) {
                self.end_play(at, lane, PlayEnd::Dtmf, events);
            }
        }
    }

    /// Everything idle, then each connected lane from where it listens.
    fn switch(&self, laws: &Laws<'_>, received: &[Block], out: &mut Block) {
        out.octets = [[self.law.idle(); TIMESLOTS]; tdm::SAMPLES];
        for lane in Bits(self.connected) {
            let Some(&source) = self.sources.get(lane.index()) else { continue };
            let Some(block) = received.get(source.span.index()) else { continue };
            let mut octets = block.timeslot(source.timeslot);
            let from = laws.of(source.span);
            if from != self.law {
                octets.iter_mut().for_each(|octet| *octet = g711::convert(from, self.law, *octet));
            }
            out.set_timeslot(lane, octets);
        }
    }

    fn play(
        &mut self,
        at: SampleTime,
        library: &Library,
        out: &mut Block,
        events: &mut dyn FnMut(Event),
    ) {
        for lane in Bits(self.playing) {
            let mut octets = [self.law.idle(); tdm::SAMPLES];
            let Some(Some(player)) = self.players.get_mut(lane.index()) else { continue };
            let alive = player.fill(library, self.law, &mut octets);
            out.set_timeslot(lane, octets);
            if !alive {
                self.end_play(at, lane, PlayEnd::Finished, events);
            }
        }
    }

    /// The call is over: who answered, if that is still open.
    fn end_answer(&mut self, at: SampleTime, timeslot: Timeslot, events: &mut dyn FnMut(Event)) {
        let reason = self.ears.answer_features(timeslot);
        let Some(verdict) = self.ears.answer_ends(timeslot) else { return };
        let channel = Channel { span: self.id, timeslot };
        for heard in reason.map(Heard::AnswerReason).into_iter().chain([verdict]) {
            events(Event { at, channel, what: What::Heard(heard) });
        }
    }

    fn end_play(
        &mut self,
        at: SampleTime,
        timeslot: Timeslot,
        why: PlayEnd,
        events: &mut dyn FnMut(Event),
    ) {
        self.playing &= !bit(timeslot);
        if let Some(player) = self.players.get_mut(timeslot.index()).and_then(Option::take) {
            let what = What::PlayEnded { token: player.token, why };
            events(Event { at, channel: Channel { span: self.id, timeslot }, what });
        }
    }
}

fn tap(
    span: &Span,
    recorders: &mut [Recorder],
    at: SampleTime,
    lane: Timeslot,
    incoming: &Block,
    outgoing: &Block,
    events: &mut dyn FnMut(Event),
) {
    let Some(&index) = span.taps.get(lane.index()) else { return };
    let Some(recorder) = recorders.get_mut(usize::from(index)) else { return };
    if recorder.take(incoming.timeslot(lane), outgoing.timeslot(lane)) == Some(1) {
        let what = What::RecorderOverflow { recorder: index, samples: tdm::SAMPLES as u32 };
        events(Event { at, channel: Channel { span: span.id, timeslot: lane }, what });
    }
}

/// The laws of all spans, while one of them composes.
struct Laws<'a>(&'a [Span]);

impl Laws<'_> {
    fn of(&self, span: SpanId) -> Law {
        self.0.get(span.index()).map_or(Law::A, |s| s.law)
    }
}

#[allow(clippy::unwrap_used)]
const FIRST: Timeslot = Timeslot::new(0).unwrap();

const fn bit(timeslot: Timeslot) -> Lanes {
    (1 as Lanes).wrapping_shl(timeslot.index() as u32)
}

/// The timeslots whose bits are set, lowest first.
struct Bits(Lanes);

impl Iterator for Bits {
    type Item = Timeslot;

    fn next(&mut self) -> Option<Timeslot> {
        let timeslot = Timeslot::new(self.0.trailing_zeros() as usize)?;
        self.0 &= self.0.wrapping_sub(1);
        Some(timeslot)
    }
}
