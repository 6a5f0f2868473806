//! The words for calls, shared by the call server and the call centre: who a call is, where it goes, what
//! became of it, what happened ([`CallEvent`]) and what is wanted ([`CallCommand`]).
//!
//! No behaviour beyond the words' own arithmetic; no clock, no I/O.

mod again;
mod announced;
mod cause;
mod command;
mod diversion;
mod event;
mod id;
mod number;
mod outcome;
mod refusal;
mod sit;
mod snapshot;

pub use again::DialAgain;
pub use announced::{Meaning, UnknownMeaning};
pub use cause::{Cause, Location};
pub use command::{
    CallCommand, Dial, Fallback, KeepDecision, MachineMessage, OnPerson, Otherwise, PlayItem,
    StopOn, TransferKind,
};
pub use diversion::{Diversion, DiversionReason};
pub use event::{
    CallEvent, ChannelState, CollectEnd, Direction, PlayEnd, Progress, Summary, ToneClass, Verdict,
};
pub use id::{CallId, LegId, OperationId};
pub use number::{Number, NumberType, Plan, Presentation, Screening};
pub use outcome::{Disposition, Outcome};
pub use refusal::{Accepted, Refusal, RefusalCode};
pub use sit::SitCode;
pub use snapshot::{LegNow, LegState, SnapshotItem};
