//! Our driver at the other end of another driver's lines: what a span hears goes back to it. Runs in a guest.
//!
//!     back PCI-ADDRESS
//!
//! Sound goes back octet by octet, D-channel frames (timeslot 16) are taken apart and put together anew. A frame
//! that begins with E0 0D ends it. Prints "ok NAME" or "not ok NAME: why".

use std::time::Duration;

use bus::pci::PciAddress;
use bus::{Registering, Vfio};
use driver::framer::Mode;
use driver::{Acknowledge, Board, BoardEvent, Line, PORTS_MAX, Settings};
use tdm::hdlc::{Decoder, Encoder};
use tdm::{Block, Frame, Instant, Law};

const D_CHANNEL: usize = 16;
const BYE: [u8; 2] = [0xE0, 0x0D];

struct Port {
    heard: Block,
    decoder: Decoder,
    encoder: Encoder,
    frames: u64,
    lost: u64,
}

struct Back {
    ports: [Port; PORTS_MAX],
    over: bool,
}

impl Line for Back {
    fn received(&mut self, port: usize, block: &Block) {
        let over = &mut self.over;
        let port = &mut self.ports[port];
        port.heard = *block;
        let octets: Vec<u8> = block.octets.iter().map(|row| row[D_CHANNEL]).collect();
        let Port { decoder, encoder, frames, lost, .. } = port;
        decoder.push(&octets, |octets| {
            *frames += 1;
            *over |= octets.starts_with(&BYE);
            let kept = Frame::new(octets).is_some_and(|frame| encoder.push(&frame));
            *lost += u64::from(!kept);
        });
    }
    fn transmit(&mut self, port: usize, block: &mut Block) {
        let port = &mut self.ports[port];
        block.octets = port.heard.octets;
        let mut octets = [0; 8];
        port.encoder.octets(&mut octets);
        for (row, octet) in block.octets.iter_mut().zip(octets) {
            row[D_CHANNEL] = octet;
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let at: PciAddress = std::env::args().nth(1).ok_or("usage: back PCI-ADDRESS")?.parse()?;
    let bus = Vfio::open(at, Registering::Best)?;
    let mut settings = Settings {
        framer_budget: 1,
        acknowledge: Acknowledge::Last,
        ..Settings::quad(4, Mode::e1(true))
    };
    // The network's side: its own clock.
    settings.ports.iter_mut().flatten().for_each(|port| port.timing = 0);
    let mut board = Board::start(bus, settings, Instant::seconds(1))?;
    let port = |_| Port {
        heard: Block::idle(Law::A),
        decoder: Decoder::new(),
        encoder: Encoder::new(),
        frames: 0,
        lost: 0,
    };
    let mut back = Back { ports: std::array::from_fn(port), over: false };
    let begun = std::time::Instant::now();
    let now = || Instant::seconds(1).plus(begun.elapsed());
    let mut was_up = [false; 4];
    while !back.over && begun.elapsed() < Duration::from_secs(240) {
        board.wait(now(), Duration::from_millis(20))?;
        board.service(now(), &mut back)?;
        while let Some(event) = board.poll_event() {
            if let BoardEvent::InService { port, on: true, .. } = event
                && let Some(up) = was_up.get_mut(port)
            {
                *up = true;
            }
        }
    }
    let say = |name: &str, good: bool, why: String| match good {
        true => println!("ok {name}"),
        false => println!("not ok {name}: {why}"),
    };
    let stats = board.stats();
    let frames: Vec<_> = back.ports.iter().take(4).map(|p| (p.frames, p.lost)).collect();
    println!("  ours: {} ms, frames {frames:?}", stats.served);
    say("ours: all spans were in service", was_up == [true; 4], format!("{was_up:?}"));
    let whole = frames.iter().all(|&(frames, lost)| frames >= 20 && lost == 0);
    say("ours: frames on every D-channel", whole, format!("{frames:?}"));
    say("ours: no gap", stats.gaps == 0, format!("{stats:?}"));
    say("ours: told that it is over", back.over, "240 s passed".into());
    board.stop()?;
    Ok(())
}
