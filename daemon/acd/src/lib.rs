//! The call centre as a pure machine: agents, queues, flows (IVR), campaigns, lists, losses.
//!
//! [`Acd::step`] takes one [`Input`] at a moment and says what to do about it ([`Action`]). The same inputs at the
//! same moments give the same actions on any machine; there is no clock, no chance and no I/O in here. It refuses
//! to know what Q.931 is, how a prompt sounds and where a record is kept.
//!
//! Invariants: a call is with at most one agent and an agent with at most one call; calls in flight of a campaign
//! are never more than agents reserved for it; offered = answered + served + lost + still here.
//!
//! Recovery: [`Acd::take_patch`] says after each step what it changed, as data; [`Acd::apply`] makes the same
//! changes in another life without deciding anything again.
//!
//! # Codes from an agent's telephone
//!
//! | keys | what they do |
//! | --- | --- |
//! | `*0` | ends the wrap-up or a pause: ready |
//! | `*1` | holds the other party with music; again: retrieves |
//! | `*2` number `#` | sends the other party to the number at once |
//! | `*3` number `#` | holds the other party and calls the number |
//! | `*4` | connects the other party with the number called by `*3` |
//! | `*5` | releases the other party |
//! | `*7` | the dialled call is a machine's: says so in its record, and releases it; in the wrap-up, of the last call |
//! | `*8` | gives up the number called by `*3` and retrieves |
//! | `*9` | pause, after the present call |
//!
//! ```
//! use acd::{Acd, ApiRequest, Action, Input, Settings};
//! use tdm::Instant;
//! let mut acd = Acd::new(Settings::default(), 7).unwrap();
//! let ask = Input::Api { request: 1, ask: ApiRequest::Report {} };
//! let actions = acd.step(Instant::millis(5), ask);
//! let Some(Action::Reply { request: 1, answer: Ok(report) }) = actions.first() else { panic!() };
//! assert_eq!(report["inbound"]["offered"], 0);
//! ```

mod action;
mod agents;
mod api;
mod attempts;
mod centre;
mod codes;
mod early;
pub mod erlang;
mod flow;
mod index;
mod input;
mod keep;
pub mod limits;
pub mod list;
mod losses;
mod queue;
mod reconcile;
mod settings;
mod state;
mod table;
mod visits;

pub use action::{AcdEvent, Action, CallRecord, CallResult, Was};
pub use centre::Acd;
pub use input::{ApiRequest, Input};
pub use keep::{DecisionsSettings, KeepSettings};
pub use losses::{Counts, HourCounts, Inbound, Lost, Outbound};
pub use reconcile::CUT;
pub use settings::{
    AgentKind, AgentSettings, CampaignSettings, FallbackSettings, FlowSettings, NodeKind,
    NodeSettings, Problem, QueueSettings, RouteSettings, Settings,
};
pub use state::{Patch, SCHEMA, State};

#[cfg(test)]
mod tests;
