//! A PCI board becomes spans of timeslots.
//!
//! [`Board`] runs one board of the wct4xxp family over any [`bus::Bus`]: it starts it, moves a millisecond
//! of every port between DMA memory and a [`Line`], watches the lines and says what changed. It has no
//! clock, no thread and no channel: time is an argument, the board thread is its caller's.
//!
//! It refuses to know what a timeslot carries, and to hide a loss: what was lost is counted as a gap.
//!
//! ```
//! use core::time::Duration;
//! use driver::{Board, BoardEvent, Line, Settings};
//! use emulator::Loopback;
//! use firmware_headers::model::TE410P_GEN5;
//! use driver::framer::Mode;
//! use tdm::{Block, Instant};
//!
//! /// What comes in on a port goes out on it again.
//! struct Echo([Block; 4]);
//! impl Line for Echo {
//!     fn received(&mut self, port: usize, block: &Block) {
//!         self.0[port] = *block;
//!     }
//!     fn transmit(&mut self, port: usize, block: &mut Block) {
//!         block.octets = self.0[port].octets;
//!     }
//! }
//!
//! // An emulated board in this process; `bus::VfioUser` reaches one in another.
//! let mut card = emulator::Board::new(&TE410P_GEN5, 1)?;
//! assert!(card.plug(0, Box::new(Loopback)));
//! let (bus, card) = bus::in_process(card);
//!
//! let settings = Settings::quad(1, Mode::e1(true));
//! let mut board = Board::start(bus, settings, Instant::millis(0))?;
//! let mut line = Echo([Block::idle(tdm::Law::A); 4]);
//! for millis in 1..=500 {
//!     card.millisecond();
//!     let now = Instant::millis(millis);
//!     if board.wait(now, Duration::ZERO)? {
//!         board.service(now, &mut line)?;
//!     }
//! }
//! assert_eq!(board.stats().served, 500);
//! assert!(board.status(0).in_service);
//! let up = BoardEvent::InService { port: 0, on: true, at: Instant::millis(250) };
//! assert_eq!(board.poll_event(), Some(up));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bench;
mod board;
mod error;
pub mod framer;
pub mod span;

pub use board::{
    Acknowledge, Board, BoardEvent, Identity, Image, ImageError, Line, Look, Loopback, PORTS_MAX,
    Past, PortOctets, PortSettings, RING_MAX, RING_MIN, Rows, Settings, Stats, from_rows, model_of,
    probe, to_rows,
};
pub use error::{BoardError, Result};
