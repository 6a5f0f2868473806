//! The threads of the call server, and what each does in its turn.
//!
//! The work of each thread is a plain struct with a `turn(now)`: [`board_work`] moves DMA memory to rings,
//! [`tick_work`] steps the pipeline, [`signal_work`] feeds the call server. The threads here call them in
//! time; [`crate::rig`] calls them one after the other in virtual time. Both are the same code.

pub mod board_work;
pub mod pace;
pub mod rings;
pub mod setup;
pub mod signal_work;
pub mod tick_work;
