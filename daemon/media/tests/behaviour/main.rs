//! What the call server promises, told as behaviour: one story a test, in virtual time, over engines that do as
//! the test says; and at the end everything at once, against real interfaces.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod announced;
mod bench;
mod calls;
mod decisions;
mod field;
mod flows;
mod groups;
mod lease;
mod links;
mod nonsense;
mod overload;
mod persons;
mod simulation;
mod switching;
mod transfers;
mod upkeep;
