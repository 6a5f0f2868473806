//! Layer 3 of a D-channel: call control. Q.931 and EN 300 403, both sides.

mod call;
mod channels;
mod clearing;
mod compose;
mod element;
mod engine;
mod establishing;
mod facility;
mod global;
mod header;
mod layer2;
mod maintenance;
mod message;
mod number;
mod redirecting;
mod segments;
mod status;

pub use channels::ChannelId;
pub use compose::Composer;
pub use element::{Element, Elements};
pub use engine::{Counters, Engine, EngineOutput};
pub use facility::{CallingName, Facility};
pub use header::{CallReference, Header, MessageType, ParseError};
pub use message::{Bearer, Body, CauseElement, Found, ProgressElement, RestartClass};
pub use number::{compose_called, compose_calling, parse_called, parse_calling};
pub use redirecting::{compose_redirecting, parse_redirecting};
