//! Our call engine over our driver, at the far end of a line that another driver and another engine have. Runs in
//! a guest: a call each way, with a tone through it.
//!
//!     guest_call PCI-ADDRESS
//!     guest_call scan CONFIGURATION
//!
//! With `scan` it is `trunkline scan` alone, for a guest in which another driver has the board.
//!
//! The side of the network on span 1. In each call it sends 800 Hz and listens for 1,100 Hz. Prints "ok NAME" or
//! "not ok NAME: why".

use std::time::Duration;

use bus::pci::PciAddress;
use bus::{Registering, Vfio};
use call::{Cause, Number};
use driver::framer::Mode;
use driver::{Acknowledge, Board, Line, Settings};
use dsp::g711;
use signalling::pri::Interface;
use signalling::{ChannelWish, Event, InterfaceOutput, LegKey, Order, Outgoing, PriSettings, Side};
use tdm::hdlc::{Decoder, Encoder};
use tdm::{Block, Instant, Law, Timeslot};
use trunkline::cli::Place;

const D_CHANNEL: usize = 16;
const SENT_HZ: f32 = 800.0;
const HEARD_HZ: f32 = 1100.0;
const HALF_SECOND: usize = 4000;
/// How long a call of ours is held, in milliseconds of the board.
const HOLD_MILLIS: u64 = 3000;

/// Span 1: frames of the D-channel, and the sound of one call.
#[derive(Default)]
struct Span {
    decoder: Decoder,
    encoder: Encoder,
    frames: Vec<Vec<u8>>,
    talking: Option<usize>,
    sent: u32,
    heard: Vec<f32>,
    tone: bool,
    millis: u64,
}

/// Whether most of `heard` is one tone.
fn is_tone(heard: &[f32], hertz: f32) -> bool {
    let (mut real, mut imaginary, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in heard.iter().enumerate() {
        let phase = std::f32::consts::TAU * hertz * n as f32 / 8000.0;
        real += sample * phase.cos();
        imaginary += sample * phase.sin();
        power += sample * sample;
    }
    let share = 2.0 * (real * real + imaginary * imaginary) / heard.len() as f32;
    power > 1e6 && share > 0.7 * power
}

impl Line for Span {
    fn received(&mut self, port: usize, block: &Block) {
        if port != 0 {
            return;
        }
        self.millis += 1;
        let octets = block.octets.map(|row| row[D_CHANNEL]);
        let frames = &mut self.frames;
        self.decoder.push(&octets, |frame| frames.push(frame.to_vec()));
        if let Some(timeslot) = self.talking {
            self.heard.extend(
                block.octets.iter().map(|row| f32::from(g711::decode(Law::A, row[timeslot]))),
            );
            if self.heard.len() >= HALF_SECOND {
                self.tone |= is_tone(&self.heard, HEARD_HZ);
                self.heard.clear();
            }
        }
    }
    fn transmit(&mut self, port: usize, block: &mut Block) {
        if port != 0 {
            return;
        }
        let mut octets = [0; 8];
        self.encoder.octets(&mut octets);
        for (row, octet) in block.octets.iter_mut().zip(octets) {
            row[D_CHANNEL] = octet;
            if let Some(timeslot) = self.talking {
                let phase = std::f32::consts::TAU * SENT_HZ * self.sent as f32 / 8000.0;
                row[timeslot] = g711::encode_f32(Law::A, 0.25 * phase.sin() * PEAK);
                self.sent = (self.sent + 1) % 8000;
            }
        }
    }
}

/// What `encode_f32` takes for the loudest sample.
const PEAK: f32 = 1.0;

struct Calls {
    engine: Interface,
    hang_up: Option<(u64, LegKey)>,
    called: bool,
    done: [bool; 2],
    failures: u32,
}

impl Calls {
    fn said(&mut self, name: &str, good: bool) {
        println!(
            "{} {name}{}",
            if good { "ok" } else { "not ok" },
            if good { "" } else { ": it was not" }
        );
        self.failures += u32::from(!good);
    }
    fn call(&mut self, now: Instant) {
        self.called = true;
        self.engine.order(
            now,
            Order::Call(Outgoing {
                key: LegKey(1),
                channel: ChannelWish {
                    timeslot: Timeslot::new(5).expect("a timeslot"),
                    exclusive: true,
                },
                called: Number::unknown("100"),
                calling: Some(Number::unknown("200")),
                name: None,
                redirecting: None,
                law: Law::A,
            }),
        );
    }
    fn drain(&mut self, now: Instant, span: &mut Span) {
        loop {
            match self.engine.poll() {
                InterfaceOutput::Transmit(frame) => {
                    let sent = span.encoder.push(&frame);
                    assert!(sent, "more frames wait than a window has");
                }
                InterfaceOutput::Event(event) => self.event(now, span, event),
                InterfaceOutput::Wait(_) => return,
            }
        }
    }
    fn event(&mut self, now: Instant, span: &mut Span, event: Event) {
        match event {
            Event::LinkUp if !self.called => self.call(now),
            Event::Incoming(call) => {
                self.engine.order(now, Order::Proceed { key: call.key });
                self.engine.order(now, Order::Alert { key: call.key, in_band: false });
                self.engine.order(now, Order::Connect { key: call.key });
            }
            Event::Connected { key, timeslot } => {
                (span.talking, span.tone) = (Some(timeslot.index()), false);
                span.heard.clear();
                if key == LegKey(1) {
                    self.hang_up = Some((span.millis + HOLD_MILLIS, key));
                }
            }
            Event::Ended { key, clearing, .. } => {
                let ours = key == LegKey(1);
                let name = if ours { "placed" } else { "took" };
                println!("  the call we {name} ended: {clearing:?}");
                let good = clearing.cause == Cause::NORMAL_CLEARING && span.talking.is_some();
                self.said(&format!("ours: the call we {name}"), good);
                self.said(&format!("ours: the tone of the call we {name}"), span.tone);
                span.talking = None;
                self.done[usize::from(!ours)] = true;
            }
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let at: PciAddress = match words.as_slice() {
        [scan, file] if scan == "scan" => {
            let place = Place { root: "/".into(), config: Some(file.into()), with_parent: None };
            return trunkline::scan::run(&place).map_err(Into::into);
        }
        [at] => at.parse()?,
        _ => return Err("usage: guest_call PCI-ADDRESS | scan CONFIGURATION".into()),
    };
    let bus = Vfio::open(at, Registering::Best)?;
    let mut settings = Settings {
        framer_budget: 1,
        acknowledge: Acknowledge::Last,
        ..Settings::quad(4, Mode::e1(true))
    };
    settings.ports.iter_mut().flatten().for_each(|port| port.timing = 0);
    let begun = std::time::Instant::now();
    let now = || Instant::seconds(1).plus(begun.elapsed());
    let mut board = Board::start(bus, settings, now())?;
    let mut span = Span::default();
    let engine = Interface::new(PriSettings::e1(Side::Network));
    let mut calls = Calls { engine, hang_up: None, called: false, done: [false; 2], failures: 0 };
    let mut up = false;
    let mut rest = 500;
    while rest > 0 && begun.elapsed() < Duration::from_secs(180) {
        board.wait(now(), Duration::from_millis(20))?;
        board.service(now(), &mut span)?;
        while board.poll_event().is_some() {}
        if board.status(0).in_service != up {
            up = !up;
            calls.engine.order(now(), Order::Line { up });
        }
        for frame in std::mem::take(&mut span.frames) {
            calls.engine.handle_frame(now(), &frame);
            calls.drain(now(), &mut span);
        }
        calls.engine.elapsed(now());
        if let Some((_, key)) = calls.hang_up.take_if(|(due, _)| span.millis >= *due) {
            let cause = Cause::NORMAL_CLEARING;
            calls.engine.order(now(), Order::Clear { key, cause, in_band: false });
        }
        calls.drain(now(), &mut span);
        // What ends the last call has to reach the other side.
        if calls.done == [true; 2] {
            rest -= 1;
        }
    }
    let done = calls.done;
    calls.said("ours: a call each way", done == [true; 2]);
    board.stop()?;
    std::process::exit(i32::from(calls.failures > 0));
}
