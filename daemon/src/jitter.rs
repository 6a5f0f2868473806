//! From the interrupt to the ring: how late a board's millisecond reaches those who work on it, on this host.
//!
//! An emulated board behind a socket, on the real clock, and a board thread as the call server has it. Each
//! millisecond carries the moment in which the board had it, in the samples themselves; what is read from the ring
//! is compared with that. Measured on the clock on the wall: the figures are the host's as much as ours.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bus::VfioUser;
use driver::framer::Mode;
use driver::{Board, Line, Settings};
use emulator::FarEnd;
use emulator::server::{Server, Settings as ServeSettings};
use firmware_headers::model::TE405P_GEN5;
use rtrb::RingBuffer;
use tdm::{Block, SampleTime, Timeslot};

/// Spans of the board.
const SPANS: usize = 4;
/// A board that interrupts late is looked at all the same after this.
const LOOK: Duration = Duration::from_millis(5);
/// What is not counted: the start of everything.
const WARM_UP: usize = 200;

/// How late milliseconds came, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Jitter {
    /// So many were looked at.
    pub millis: usize,
    /// Half of them came earlier.
    pub median_micros: f64,
    /// One of a hundred came later.
    pub p99_micros: f64,
    /// One of a thousand came later.
    pub p999_micros: f64,
    /// The latest.
    pub max_micros: f64,
    /// Milliseconds that were lost on the way, because the host came too late.
    pub lost: u64,
}

/// Writes the moment into what the line brings.
struct Stamping(Instant);

impl FarEnd for Stamping {
    fn millisecond(&mut self, _: SampleTime, _: &Block, received: &mut Block) {
        let nanos = u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if let Some(first) = Timeslot::new(1) {
            received.set_timeslot(first, nanos.to_le_bytes());
        }
    }
}

/// A board thread's ring, and what came out of it.
struct Taken {
    zero: Instant,
    ring: (rtrb::Producer<Block>, rtrb::Consumer<Block>),
    late_nanos: Vec<u64>,
}

impl Line for Taken {
    fn received(&mut self, port: usize, block: &Block) {
        let _ = self.ring.0.push(*block);
        let Some((block, first)) = self.ring.1.pop().ok().zip(Timeslot::new(1)) else { return };
        if port + 1 == SPANS && self.late_nanos.len() < self.late_nanos.capacity() {
            let had = u64::from_le_bytes(block.timeslot(first));
            let now = u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.late_nanos.push(now.saturating_sub(had));
        }
    }
    fn transmit(&mut self, _: usize, _: &mut Block) {}
}

/// A socket in a folder of its own that goes with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Serves a board for `millis` milliseconds.
///
/// # Errors
/// No socket, or no board behind it.
pub fn measure(millis: usize) -> Result<Jitter> {
    let folder = Folder(std::env::temp_dir().join(format!("trunkline-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).with_context(|| folder.0.display().to_string())?;
    let path = folder.0.join("board");
    let mut server = Server::bind(&path, ServeSettings::default())?;
    let handle = server.handle();
    let zero = Instant::now();
    let thread = std::thread::Builder::new().name("emulated".into()).spawn(move || {
        let mut card = emulator::Board::new(&TE405P_GEN5, 1).map_err(std::io::Error::other)?;
        for port in 0..SPANS {
            card.plug(port, Box::new(Stamping(zero)));
        }
        server.run(&mut card)
    })?;
    let served = serve(&path, zero, millis);
    handle.stop();
    let _ = thread.join();
    served
}

fn serve(path: &std::path::Path, zero: Instant, millis: usize) -> Result<Jitter> {
    let now =
        || tdm::Instant::micros(u64::try_from(zero.elapsed().as_micros()).unwrap_or(u64::MAX));
    let settings = Settings { framer_budget: 1, ring: 32, ..Settings::quad(SPANS, Mode::e1(true)) };
    let mut board = Board::start(VfioUser::connect(path)?, settings, now())?;
    let late_nanos = Vec::with_capacity(millis + WARM_UP);
    let mut taken = Taken { zero, ring: RingBuffer::new(SPANS), late_nanos };
    while taken.late_nanos.len() < millis + WARM_UP {
        board.wait(now(), LOOK)?;
        board.service(now(), &mut taken)?;
    }
    let lost = board.stats().lost_millis;
    let mut late = taken.late_nanos.split_off(WARM_UP);
    late.sort_unstable();
    let at = |share: f64| {
        let place = ((late.len() as f64 * share) as usize).min(late.len().saturating_sub(1));
        late.get(place).map_or(0.0, |&nanos| nanos as f64 / 1000.0)
    };
    Ok(Jitter {
        millis: late.len(),
        median_micros: at(0.5),
        p99_micros: at(0.99),
        p999_micros: at(0.999),
        max_micros: at(1.0),
        lost,
    })
}

/// Measures and writes what came of it.
///
/// # Errors
/// It cannot be measured, or not written.
pub fn told(millis: usize, json: bool, out: &mut impl Write) -> Result<()> {
    let jitter = measure(millis)?;
    let Jitter { median_micros, p99_micros, p999_micros, max_micros, lost, .. } = jitter;
    if json {
        let line = serde_json::json!({
            "item": "interrupt_to_ring",
            "millis": jitter.millis,
            "median_us": median_micros,
            "p99_us": p99_micros,
            "p999_us": p999_micros,
            "max_us": max_micros,
            "lost": lost,
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(
            out,
            "         interrupt to ring over a socket: {median_micros:.0} µs median, {p99_micros:.0} p99, \
             {p999_micros:.0} p99.9, {max_micros:.0} longest, {lost} ms lost"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figure is printed, not judged: machines differ. Every millisecond carries its moment.
    #[test]
    fn every_millisecond_tells_how_late_it_is() {
        let jitter = measure(300).unwrap();
        println!("{jitter:?}");
        assert_eq!(jitter.millis, 300);
        assert!(jitter.median_micros > 0.0 && jitter.median_micros <= jitter.max_micros);
        assert!(jitter.max_micros < 60e6, "a moment of this run");
    }
}
