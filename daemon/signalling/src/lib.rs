//! The engines that make calls: LAPD (Q.921) below Q.931, the user's side and the network's.
//!
//! No I/O, no clock, no thread: an engine takes one input at `now`, is drained with `poll` to the end, and says
//! when it wants to be woken. It refuses to know what is said on a channel, who an agent is, or which trunk a
//! call should take; a media core decides that and speaks to it in [`Order`]s and [`Event`]s.
//!
//! ```
//! use signalling::pri::Interface;
//! use signalling::{Event, InterfaceOutput, Order, PriSettings, Side};
//! use tdm::Instant;
//!
//! // An exchange and a customer, joined by a line that takes no time.
//! let mut ends = [Side::Network, Side::User].map(|side| Interface::new(PriSettings::e1(side)));
//! let now = Instant::seconds(1);
//! for end in &mut ends {
//!     end.order(now, Order::Line { up: true });
//! }
//! let mut up = 0;
//! let mut quiet = 0;
//! for turn in (0..2).cycle() {
//!     match ends[turn].poll() {
//!         InterfaceOutput::Transmit(frame) => ends[1 - turn].handle_frame(now, frame.octets()),
//!         InterfaceOutput::Event(event) => up += u32::from(event == Event::LinkUp),
//!         InterfaceOutput::Wait(_) if quiet == 2 => break,
//!         InterfaceOutput::Wait(_) => {
//!             quiet += 1;
//!             continue;
//!         }
//!     }
//!     quiet = 0;
//! }
//! assert_eq!(up, 2);
//! ```

mod dialect;
pub mod ladder;
pub mod lapd;
pub mod pcap;
pub mod pri;
pub mod q931;
mod settings;
mod words;

pub use dialect::{Dialect, Maintenance, NameCarrier};
pub use settings::{
    Bearer, CallTimers, Carrier, ChannelChoice, ChannelNumbers, LinkSettings, Overlap, PriSettings,
    RestartForm, Timeslots,
};
pub use words::{
    ChannelWish, Clearing, Event, Failure, IncomingCall, InterfaceOutput, LegKey, Order, Outgoing,
    Redirecting, ServiceStatus, Side,
};
