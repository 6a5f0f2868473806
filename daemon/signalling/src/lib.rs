//! The engines that make calls: LAPD (Q.921) below Q.931. No I/O, no clock: every engine takes one input at
//! `now`, is drained with `poll` to the end, and says when it wants to be woken.

mod words;

pub use words::{
    ChannelWish, Clearing, Event, IncomingCall, InterfaceOutput, LegKey, Order, Outgoing, Side,
};
