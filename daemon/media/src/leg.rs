//! One connection to somebody: how far it has come, whom it hears, what runs on it.

use std::collections::{BTreeMap, VecDeque};

use call::{
    CallId, Cause, Direction, Diversion, Fallback, LegId, LegState, Number, OnPerson, OperationId,
    Otherwise, Verdict,
};
use dsp::ears::Listen;
use signalling::{Clearing, LegKey};
use tdm::{Channel, Instant};

use crate::machine::RecordingKind;
use crate::outcome::{Note, Sounds};

/// How far a leg has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Inbound, not answered.
    Offered,
    /// Inbound, CONNECT sent and not confirmed.
    Answering,
    /// Outbound, not answered; `Leg::alerted` says whether it rings.
    Dialling,
    /// Outbound, DISCONNECT with something to hear.
    Listening,
    /// Speech both ways.
    Answered,
    /// Being cleared.
    Ending,
}

/// What runs on a leg without anybody's order, as long as nothing else plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ambient {
    /// Held, or waiting in a fallback.
    Music,
    /// It rings at the other end, and the far side gives no sound itself.
    Ringback,
    /// No controller is there to take the call.
    Announcement,
}

/// Why something plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A controller asked for it.
    Operation(OperationId),
    /// See [`Ambient`].
    Ambient(Ambient),
    /// The beep before a conversation.
    Beep,
    /// The prompt of a person without an agent; release follows.
    SafeHarbour,
    /// The prompt of a fallback; music or release follows.
    Fallback,
    /// The message for a machine; release follows.
    Message,
}

/// What plays to a leg.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Play {
    pub(crate) token: u32,
    pub(crate) purpose: Purpose,
    pub(crate) repeat: bool,
    pub(crate) stop_on_dtmf: bool,
}

/// Digits being collected.
#[derive(Clone, Debug)]
pub(crate) struct Collect {
    pub(crate) operation: OperationId,
    pub(crate) digits: String,
    pub(crate) max_digits: u8,
    pub(crate) first_millis: u32,
    pub(crate) next_millis: u32,
    pub(crate) terminators: String,
    pub(crate) secret: bool,
    /// The first digit's time runs; it waits for the end of a play that has one.
    pub(crate) timed: bool,
}

/// A recording.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    /// Who asked for it: nobody, for what is kept of an answer.
    pub(crate) operation: Option<OperationId>,
    pub(crate) recorder: u16,
    pub(crate) kind: RecordingKind,
    pub(crate) name: String,
    pub(crate) since: Instant,
    pub(crate) lost_samples: u64,
    /// Of words before the answer, which nobody may want to have.
    pub(crate) early: bool,
}

/// A judgement that is being made.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) since: Instant,
    /// Armed by a dial.
    pub(crate) arm: Option<OnPerson>,
    /// Asked for by `judge`.
    pub(crate) operation: Option<OperationId>,
    pub(crate) within_millis: u32,
    /// What the ear goes by, as it said last.
    pub(crate) features: BTreeMap<String, i64>,
}

/// Listening on after a verdict: it may turn out wrong, and a machine's beep may come.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// The message for a machine, and what a person gets who was taken for one.
    pub(crate) message: Option<(String, Otherwise)>,
    /// It is being left.
    pub(crate) is_leaving: bool,
}

/// How far a fallback has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FallbackStage {
    /// Its prompt plays.
    Prompt { hold_millis: u32 },
    /// Music, waiting for a controller.
    Hold,
}

/// Why a leg ends, as first heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) clearing: Clearing,
    pub(crate) note: Option<Note>,
}

/// What an outbound leg was told when it was dialled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialled {
    /// The operation that ends at the answer, while it runs.
    pub(crate) operation: Option<OperationId>,
    pub(crate) no_answer_millis: u32,
    pub(crate) on_person: Option<OnPerson>,
    /// The caller's name.
    pub(crate) name: Option<String>,
    /// From where it is sent on.
    pub(crate) diverted: Option<Diversion>,
    /// Channels on which it collided.
    pub(crate) collisions: Vec<Channel>,
}

/// A leg.
#[derive(Clone, Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) call: CallId,
    pub(crate) direction: Direction,
    /// Index of the group.
    pub(crate) group: usize,
    /// Index of the span.
    pub(crate) span: usize,
    pub(crate) key: LegKey,
    pub(crate) channel: Option<Channel>,
    /// The last channel it had, for the summary.
    pub(crate) last_channel: Option<Channel>,
    pub(crate) state: State,
    /// The far end named the channel; it may be listened to.
    pub(crate) settled: bool,
    /// There is something to hear from the far end before the answer, or we promised the caller sound.
    pub(crate) in_band: bool,
    pub(crate) called: Number,
    pub(crate) calling: Option<Number>,
    pub(crate) started: Instant,
    pub(crate) alerted: Option<Instant>,
    pub(crate) answered: Option<Instant>,
    /// A cause the far end named in PROGRESS.
    pub(crate) progress_cause: Option<Cause>,
    pub(crate) end: Option<End>,
    /// Why the engine gave the call up, when it did.
    pub(crate) failure: Option<signalling::Failure>,
    pub(crate) dialled: Dialled,

    /// Bridged with.
    pub(crate) peer: Option<LegId>,
    /// This leg holds its peer.
    pub(crate) holding: bool,
    /// This answered leg waits for that outbound one to answer.
    pub(crate) waits_for: Option<LegId>,
    /// This outbound leg will be bridged to that one at the answer.
    pub(crate) promised: Option<LegId>,
    pub(crate) transfer: Option<OperationId>,
    pub(crate) was_bridged: bool,

    /// What its outgoing lane was last told to hear.
    pub(crate) source: Option<Channel>,
    pub(crate) listen: Listen,
    pub(crate) play: Option<Play>,
    pub(crate) collect: Option<Collect>,
    pub(crate) typed: VecDeque<char>,
    pub(crate) recording: Option<Recording>,
    pub(crate) judgement: Option<Judgement>,
    pub(crate) watch: Option<Watch>,
    /// The call ended before the verdict: what the ear makes of it then.
    pub(crate) unjudged: Option<Judgement>,
    pub(crate) verdict: Option<(Verdict, String)>,
    pub(crate) sounds: Sounds,
    /// Known words were recognised after the answer: which, and what they mean.
    pub(crate) recognised: Option<String>,

    pub(crate) fallback: Option<Fallback>,
    pub(crate) falling: Option<FallbackStage>,
    /// Nobody takes this ringing call; it hears the announcement.
    pub(crate) announced: bool,
}

impl Leg {
    /// A leg of which only the beginning is known.
    pub(crate) fn new(
        id: LegId,
        call: CallId,
        direction: Direction,
        (span, key): (usize, LegKey),
        started: Instant,
    ) -> Self {
        let state = match direction {
            Direction::Inbound => State::Offered,
            Direction::Outbound => State::Dialling,
        };
        Self {
            id,
            call,
            direction,
            group: 0,
            span,
            key,
            channel: None,
            last_channel: None,
            state,
            settled: false,
            in_band: false,
            called: Number::default(),
            calling: None,
            started,
            alerted: None,
            answered: None,
            progress_cause: None,
            end: None,
            failure: None,
            dialled: Dialled::default(),
            peer: None,
            holding: false,
            waits_for: None,
            promised: None,
            transfer: None,
            was_bridged: false,
            source: None,
            listen: Listen::default(),
            play: None,
            collect: None,
            typed: VecDeque::new(),
            recording: None,
            judgement: None,
            watch: None,
            unjudged: None,
            verdict: None,
            sounds: Sounds::default(),
            recognised: None,
            fallback: None,
            falling: None,
            announced: false,
        }
    }
    /// A message is to be left here when the machine has beeped.
    pub(crate) fn awaits_beep(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.message.is_some())
    }
    /// Whether it can be bridged now.
    pub(crate) fn is_free(&self) -> bool {
        self.state == State::Answered
            && self.peer.is_none()
            && self.waits_for.is_none()
            && self.transfer.is_none()
    }
    /// The state in the words of a snapshot.
    pub(crate) fn state_now(&self) -> LegState {
        match self.state {
            State::Offered | State::Answering => LegState::Offered,
            State::Dialling if self.alerted.is_some() => LegState::Ringing,
            State::Dialling | State::Listening => LegState::Dialling,
            State::Answered => LegState::Answered,
            State::Ending => LegState::Ending,
        }
    }
    /// Whether somebody of flesh was dialled, who must not be left in silence.
    pub(crate) fn is_dialled_person(&self) -> bool {
        self.direction == Direction::Outbound
            && (self.dialled.on_person.is_some()
                || self
                    .verdict
                    .as_ref()
                    .is_some_and(|(v, _)| matches!(v, Verdict::Human | Verdict::NotSure)))
    }
}

/// Span and timeslot as people count them.
pub(crate) fn place(channel: Channel) -> (u8, u8) {
    // Both are small by construction: 64 spans, 32 timeslots.
    (channel.span.number() as u8, channel.timeslot.index() as u8)
}

/// A state in a word, for refusals.
pub(crate) const fn state_name(state: State) -> &'static str {
    match state {
        State::Offered => "offered",
        State::Answering => "answering",
        State::Dialling => "dialling",
        State::Listening => "disconnecting",
        State::Answered => "answered",
        State::Ending => "ending",
    }
}
