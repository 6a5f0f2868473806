//! What is there now: what a controller that comes late, or again, needs to go on.

use serde::{Deserialize, Serialize};

use crate::{CallId, ChannelState, Direction, LegId, Number};

/// How far a leg has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegState {
    /// Inbound, not answered.
    Offered,
    /// Outbound, not answered.
    Dialling,
    /// Outbound, it rings.
    Ringing,
    /// Speech both ways.
    Answered,
    /// Being cleared.
    Ending,
}

/// A leg as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegNow {
    /// The leg.
    pub leg: LegId,
    /// Its call.
    pub call: CallId,
    /// Who began it.
    pub direction: Direction,
    /// The trunk group.
    pub group: String,
    /// Span (from 1) and timeslot.
    pub channel: Option<(u8, u8)>,
    /// How far it has come.
    pub state: LegState,
    /// Whom it hears, when bridged.
    pub peer: Option<LegId>,
    /// Who was called.
    pub called: Number,
    /// Who called.
    pub calling: Option<Number>,
    /// When it began.
    pub started_us: u64,
    /// When it was answered.
    pub answered_us: Option<u64>,
}

/// One piece of a snapshot; pieces fit a line of the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotItem {
    /// A leg.
    Leg(LegNow),
    /// A span, from 1: whether it carries calls, and its alarms.
    Span {
        /// From 1.
        span: u8,
        /// Whether it carries calls.
        in_service: bool,
        /// Whether layer 2 is up.
        link: bool,
        /// Raised alarms.
        alarms: Vec<String>,
    },
    /// A channel that is not simply idle or busy.
    Channel {
        /// From 1.
        span: u8,
        /// The timeslot.
        timeslot: u8,
        /// What it can be used for.
        state: ChannelState,
    },
}
