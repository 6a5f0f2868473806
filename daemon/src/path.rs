//! The millisecond, measured: board service, rows, detectors, switch and the way back, for four spans.
//!
//! The emulated board runs outside the measured time. What is measured is what a host with a real board
//! spends a millisecond, less the PCI cycles.

use std::sync::Arc;
use std::time::Instant as HostInstant;

use anyhow::Context as _;
use driver::{Board, Line, Settings};
use dsp::ears::{EarsSettings, Listen};
use dsp::generate::{DtmfSource, NoiseSource};
use dsp::pipeline::{Command, Library, Pipeline, PipelineSettings};
use emulator::FarEnd;
use firmware_headers::model;
use tdm::{Block, Channel, Instant, Law, LineMode, Rng, SAMPLES, SampleTime};

/// Spans of the measured board.
const SPANS: usize = 4;
/// B-channels in use: all but timeslots 0 and 16.
const CHANNELS: usize = SPANS * 30;

/// Where the milliseconds went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// Milliseconds measured.
    pub millis: usize,
    /// The middle one, in microseconds.
    pub median_micros: f64,
    /// One in a hundred took longer.
    pub p99_micros: f64,
    /// One in a thousand took longer.
    pub p999_micros: f64,
    /// The longest, which is the host's scheduler's rather than ours.
    pub max_micros: f64,
    /// The board's part of the median: service and rows.
    pub service_median_micros: f64,
    /// Digits the detectors heard meanwhile: proof that they worked.
    pub digits: usize,
}

/// What comes in on a span: keys, speech-like noise and tones in equal parts of its channels.
struct Crowd {
    digits: Vec<DtmfSource>,
    noise: Vec<NoiseSource>,
    phase: u64,
    keys: Rng,
}

impl Crowd {
    fn new(seed: u64) -> Self {
        let rng = Rng::from_seed(seed);
        let noise = (0..32).map(|lane| NoiseSource::new(rng.fork(lane), -20.0)).collect();
        Self { digits: Vec::new(), noise, phase: 0, keys: rng }
    }

    fn key(&mut self) -> Option<DtmfSource> {
        let key = b"0123456789*#"[self.keys.below(12) as usize];
        DtmfSource::new(key, 80, 70, -12.0)
    }
}

impl FarEnd for Crowd {
    fn millisecond(&mut self, _at: SampleTime, _sent: &Block, received: &mut Block) {
        while self.digits.len() < 32 {
            let Some(key) = self.key() else { return };
            self.digits.push(key);
        }
        for lane in 0..32 {
            if self.digits[lane].is_over()
                && let Some(key) = self.key()
            {
                self.digits[lane] = key;
            }
            for (sample, row) in received.octets.iter_mut().enumerate() {
                let turn = (self.phase * SAMPLES as u64 + sample as u64) as f32 / 8000.0;
                let value = match lane % 3 {
                    0 => self.digits[lane].next_sample(),
                    1 => self.noise[lane].next_sample(),
                    _ => 0.2 * (turn * 450.0 * core::f32::consts::TAU).sin(),
                };
                row[lane] = dsp::g711::encode_f32(Law::A, value);
            }
        }
        self.phase += 1;
    }
}

/// The blocks of the running millisecond, between board and pipeline.
struct Exchange {
    received: [Block; SPANS],
    transmit: [Block; SPANS],
}

impl Line for Exchange {
    fn received(&mut self, port: usize, block: &Block) {
        if let Some(place) = self.received.get_mut(port) {
            *place = *block;
        }
    }
    fn transmit(&mut self, port: usize, block: &mut Block) {
        if let Some(place) = self.transmit.get(port) {
            block.octets = place.octets;
        }
    }
}

/// Measures `millis` milliseconds with all 120 channels busy: each listened to for digits and call
/// progress, each bridged to a channel of another span.
///
/// # Errors
/// When the emulated board does not start.
pub fn measure(millis: usize) -> anyhow::Result<Path> {
    let mut emulated = emulator::Board::new(&model::TE410P_GEN5, 1).context("emulated board")?;
    for port in 0..SPANS {
        emulated.plug(port, Box::new(Crowd::new(port as u64)));
    }
    let (bus, card) = bus::in_process(emulated);
    let mut now = Instant::micros(0);
    let settings = Settings::quad(SPANS, LineMode { crc4: true });
    let mut board = Board::start(bus, settings, now).context("start of the board")?;
    let mut pipeline = pipeline()?;
    let idle = [Block::idle(Law::A); SPANS];
    let mut line = Exchange { received: idle, transmit: idle };
    let (mut whole, mut served) = (Vec::with_capacity(millis), Vec::with_capacity(millis));
    let mut digits = 0;
    for _ in 0..millis {
        now = now.plus_millis(1);
        card.millisecond();
        let begin = HostInstant::now();
        board.service(now, &mut line).context("service")?;
        let middle = begin.elapsed();
        pipeline.tick(
            SampleTime::millis(now.as_millis()),
            &line.received,
            &mut line.transmit,
            &mut |event| {
                use dsp::{ears::Heard, pipeline::What};
                digits += usize::from(matches!(event.what, What::Heard(Heard::Dtmf(_))));
            },
        );
        whole.push(begin.elapsed().as_secs_f64() * 1e6);
        served.push(middle.as_secs_f64() * 1e6);
        while board.poll_event().is_some() {}
    }
    whole.sort_by(f64::total_cmp);
    served.sort_by(f64::total_cmp);
    let at = |share: f64| whole[((whole.len() - 1) as f64 * share) as usize];
    Ok(Path {
        millis,
        median_micros: at(0.5),
        p99_micros: at(0.99),
        p999_micros: at(0.999),
        max_micros: at(1.0),
        service_median_micros: served[served.len() / 2],
        digits,
    })
}

fn pipeline() -> anyhow::Result<Pipeline> {
    let spans = vec![EarsSettings { law: Law::A, ..EarsSettings::default() }; SPANS];
    let library = Arc::new(Library::new(&[], &[])?);
    let (mut pipeline, _) = Pipeline::new(PipelineSettings { spans, library, recorders: 0 });
    let at = SampleTime::default();
    let mut busy = 0;
    for span in 0..SPANS {
        for timeslot in (1..32).filter(|&t| t != 16) {
            let peer = Channel::new((span + 1) % SPANS, timeslot).context("channel")?;
            let on = Channel::new(span, timeslot).context("channel")?;
            let listen = Listen { dtmf: true, progress: true, ..Listen::default() };
            pipeline.command(at, Command::Listen { on, listen }, &mut |_| {});
            pipeline.command(at, Command::Connect { from: peer, to: on }, &mut |_| {});
            busy += 1;
        }
    }
    anyhow::ensure!(busy == CHANNELS, "{busy} channels are busy");
    Ok(pipeline)
}

#[cfg(test)]
mod tests {
    use super::measure;

    /// The figure is a benchmark's; that the path carries signals is this test's.
    #[test]
    fn the_measured_path_hears_the_digits_that_are_sent() {
        let path = measure(2000).unwrap();
        // 40 channels press a key each 150 ms: 533 in 2 s.
        assert!(path.digits > 400, "{path:?}");
        assert!(path.median_micros > 0.0 && path.p999_micros >= path.median_micros);
    }
}
