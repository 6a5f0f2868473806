//! What a controller asks of the call server. The method's name on the socket is the variant's in snake case.

use serde::{Deserialize, Serialize};

use crate::{CallId, Cause, Diversion, LegId, Number, OperationId};

/// What ends a play early.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopOn {
    /// Nothing.
    #[default]
    Never,
    /// Any DTMF digit (barge-in).
    Dtmf,
}

/// One piece of a play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayItem {
    /// A prompt by name.
    Prompt(String),
    /// A number read digit by digit in the host's language.
    Digits(String),
    /// A tone of the host's zone by name (`ringback`, `busy`, `beep` …), for so long.
    Tone {
        /// Its name in the zone.
        name: String,
        /// How long.
        millis: u32,
    },
    /// Silence.
    Silence {
        /// How long.
        millis: u32,
    },
}

/// What becomes of a leg in a flow or queue when the controller is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// Played first.
    #[serde(default)]
    pub prompt: Option<String>,
    /// Then music, for at most 120 s, waiting for a controller.
    #[serde(default)]
    pub hold_millis: u32,
}

/// What to do when a person answers, decided by media within one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnPerson {
    /// The waiting leg (a nailed agent's) that gets the person, after a beep.
    #[serde(default)]
    pub bridge: Option<LegId>,
    /// How long after the answer the verdict may take before it counts as a person.
    pub within_millis: u32,
    /// The trade between people who are lost and machines that pass: see `docs/answer.md`. 20 to 99; absent: the usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_from_percent: Option<u8>,
    /// Left at a machine after its beep; without it machines are released at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MachineMessage>,
    /// Keep what is heard from the answer on, so that the verdict can be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<KeepDecision>,
    /// When there is nobody to bridge to, or `bridge` is no longer free.
    #[serde(rename = "else")]
    pub otherwise: Otherwise,
}

/// What is heard of whoever answered is kept for so long. It ends before a conversation begins: nothing of that is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepDecision {
    /// What its name begins with, itself beginning with [`KeepDecision::PREFIX`]; `-` and the call follow.
    pub of: String,
    /// From CONNECT on, at most; [`KeepDecision::MILLIS_MAX`] at most.
    pub millis: u32,
}

impl KeepDecision {
    /// What every name begins with: only what is called so is removed when it is too old or too much.
    pub const PREFIX: &str = "answer-";
    /// The longest, in milliseconds. More of an answer is a conversation, or tells nothing new.
    pub const MILLIS_MAX: u32 = 30_000;
}

/// What a machine is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineMessage {
    /// The prompt.
    pub prompt: String,
    /// How long its beep is waited for after the verdict; then it is released without a message.
    pub wait_millis: u32,
}

/// What a person gets when no agent is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// The safe-harbour prompt, then release with cause 16.
    SafeHarbour(String),
    /// Release.
    Hangup,
}

/// Makes a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dial {
    /// The trunk group.
    pub group: String,
    /// Whom to call.
    pub called: Number,
    /// Who calls; the group's own number when absent.
    #[serde(default)]
    pub calling: Option<Number>,
    /// The caller's name, for the display of the called telephone; sent where the dialect has it. A withheld
    /// number takes it along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// From where and why it is sent on, for exchanges and telephones behind; what a dialect has no room for is left off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverted: Option<Diversion>,
    /// The call it belongs to; a new one when absent.
    #[serde(default)]
    pub call: Option<CallId>,
    /// Give up unanswered after this.
    pub no_answer_millis: u32,
    /// Judge person or machine after the answer and act on it.
    #[serde(default)]
    pub on_person: Option<OnPerson>,
    /// Bridge to this leg at the answer, without judging.
    #[serde(default)]
    pub bridge: Option<LegId>,
}

/// How a transfer is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferKind {
    /// The peer is sent on; the leg that asked is free at once.
    Blind,
    /// The peer is held while the two who stay behind talk; hanging up completes.
    Attended,
}

/// What a controller asks for. Everything is answered at once (accepted or refused); what takes time is an
/// operation and ends with an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "params", rename_all = "snake_case")]
#[allow(missing_docs)]
#[allow(
    clippy::large_enum_variant,
    reason = "one at a time crosses the door, and none is kept in bulk"
)]
pub enum CallCommand {
    /// Make a call. Operation; ends with `answered` or `ended` of the new leg.
    Dial(Dial),
    /// Tell the caller that it rings here (ALERTING); ring-back is ours when the far side gives none.
    Alert { leg: LegId },
    /// Accept an incoming call (CONNECT).
    Answer { leg: LegId },
    /// Release with this cause. In an attended transfer, of the leg that asked: completes it.
    Hangup { leg: LegId, cause: Cause },
    /// Play to a leg; replaces a running play. Operation; ends with `play_ended`. Before the answer of an
    /// incoming call it is early sound, announced to the network. Refused while the leg hears its peer.
    Play {
        leg: LegId,
        items: Vec<PlayItem>,
        #[serde(default)]
        repeat: bool,
        #[serde(default)]
        stop_on: StopOn,
    },
    /// Stop what plays on a leg.
    StopPlay { leg: LegId },
    /// Collect digits, those already typed ahead included (a secret begins without them: they were told as
    /// `dtmf`). The first digit's time runs from the end of a play that does not repeat, else at once.
    /// Operation; ends with `collected`.
    Collect {
        leg: LegId,
        max_digits: u8,
        first_millis: u32,
        next_millis: u32,
        #[serde(default)]
        terminators: String,
        #[serde(default)]
        secret: bool,
    },
    /// Connect two answered legs both ways. What played to them stops. The two whom an attended transfer
    /// would leave together: completes it, and the leg that asked stays up, free.
    Bridge {
        a: LegId,
        b: LegId,
        /// Beep to `b` before it hears `a`.
        #[serde(default)]
        beep: bool,
    },
    /// Part a leg from its peer; both stay up.
    Unbridge { leg: LegId },
    /// The peer of `leg` hears music; `leg` hears silence.
    Hold { leg: LegId },
    /// Ends a hold, or gives up an attended transfer: the leg that asked and its peer have each other again.
    Retrieve { leg: LegId },
    /// Sends the peer of `leg` to another number. Operation; ends with `transferred`. A target that does not
    /// answer gives the peer back (attended) or leaves it up and alone (blind).
    Transfer { leg: LegId, group: String, called: Number, kind: TransferKind },
    /// Record both directions of a leg in two channels under this name. Ends with `recorded`.
    Record {
        leg: LegId,
        name: String,
        /// Only words before the answer that nobody knows: an answer, or an announcement that is known, ends it and
        /// throws it away. On an answered leg it is refused.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        early: bool,
    },
    /// Stop the recording of a leg.
    StopRecord { leg: LegId },
    /// Store what happens to a leg when the controller is gone.
    SetFallback { leg: LegId, fallback: Fallback },
    /// Judge person or machine on an answered leg now. Ends with `verdict`.
    Judge { leg: LegId, within_millis: u32 },
    /// Take a span, or one timeslot of it, out of use at once for new calls.
    Block {
        span: u8,
        #[serde(default)]
        timeslot: Option<u8>,
    },
    /// Take it into use again.
    Unblock {
        span: u8,
        #[serde(default)]
        timeslot: Option<u8>,
    },
    /// No new calls; `drained` when the last has gone.
    Drain {
        span: u8,
        #[serde(default)]
        timeslot: Option<u8>,
    },
    /// Restart a span, or one timeslot of it, at both ends: calls there end with cause 41.
    Restart {
        span: u8,
        #[serde(default)]
        timeslot: Option<u8>,
    },
    /// Abandon an operation.
    Cancel { operation: OperationId },
}
