//! The shells of trunkline: threads, sockets and files around the pure machines of `media`, `acd` and
//! `emulator`; configuration and commands. A library, so that the tests of the whole house can use it;
//! `main.rs` only calls [`cli::run`].
//!
//! Nothing is decided here that a pure machine could decide.

pub mod acd_shell;
pub mod allow;
pub mod alone;
pub mod analyze;
pub mod announce;
pub mod announcements;
pub mod answers;
pub mod bench;
pub mod boards;
pub mod check;
pub mod cli;
pub mod config;
pub mod ctl;
pub mod decisions;
pub mod demo;
pub mod door;
pub mod emulate;
pub mod far_ends;
pub mod faults;
pub mod house;
pub mod image;
pub mod jitter;
pub mod journal;
pub mod media_shell;
pub mod number;
pub mod output;
pub mod path;
pub mod paths;
pub mod prompts;
pub mod records;
pub mod rig;
pub mod scan;
pub mod signals;
pub mod status;
pub mod trace;

/// Counts what tests of the real-time path must not do.
#[cfg(test)]
#[global_allocator]
static WATCH: tdm::heap::Watch = tdm::heap::Watch;
