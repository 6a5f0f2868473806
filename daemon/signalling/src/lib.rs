//! The engines that make calls: LAPD (Q.921) below Q.931. No I/O, no clock: every engine takes one input at
//! `now`, is drained with `poll` to the end, and says when it wants to be woken.

pub mod lapd;
pub mod pcap;
pub mod pri;
pub mod q931;
mod settings;
mod words;

pub use settings::{CallTimers, Dialect, LinkSettings, PriSettings, Timeslots};
pub use words::{
    ChannelWish, Clearing, Event, IncomingCall, InterfaceOutput, LegKey, Order, Outgoing, Side,
};
