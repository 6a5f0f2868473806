//! A PCI board becomes spans of timeslots.
//!
//! [`Board`] runs one board of the wct4xxp family over any [`bus::Bus`]: it starts it, moves a millisecond
//! of every port between DMA memory and a [`Line`], watches the lines and says what changed. It has no
//! clock, no thread and no channel: time is an argument, the board thread is its caller's.
//!
//! It refuses to know what a timeslot carries, and to hide a loss: what was lost is counted as a gap.
//!
//! ```no_run
//! use driver::{Board, Line, Settings};
//! use tdm::{Block, Instant, LineMode};
//!
//! struct Loop([Block; 4]);
//! impl Line for Loop {
//!     fn received(&mut self, port: usize, block: &Block) {
//!         self.0[port] = *block;
//!     }
//!     fn transmit(&mut self, port: usize, block: &mut Block) {
//!         block.octets = self.0[port].octets;
//!     }
//! }
//!
//! fn run(bus: impl bus::Bus, mut line: Loop, now: impl Fn() -> Instant) -> driver::Result<()> {
//!     let mut board = Board::start(bus, Settings::quad(4, LineMode { crc4: true }), now())?;
//!     loop {
//!         board.wait(now(), core::time::Duration::from_millis(5))?;
//!         board.service(now(), &mut line)?;
//!         while let Some(event) = board.poll_event() {
//!             println!("{event:?}");
//!         }
//!     }
//! }
//! ```

pub mod bench;
mod board;
mod error;
pub mod framer;
pub mod span;

pub use board::{
    Acknowledge, Board, BoardEvent, Identity, Line, Look, PORTS_MAX, PortOctets, PortSettings,
    RING_MAX, RING_MIN, Rows, Settings, Stats, from_rows, model_of, probe, to_rows,
};
pub use error::{BoardError, Result};
