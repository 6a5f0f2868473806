//! `trunkline bench`: how many channels one core hears, each detector by itself and all that a dialler needs.
//!
//! All 32 lanes of a span are busy, with speech, tones and noise in equal parts; nothing is idle, nothing is
//! skipped. A figure is channels per core in real time: 32 × 1 ms over the time one thread took for a
//! millisecond of its CPU time, the best of several runs, because a run can only be disturbed towards slower.

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, ValueEnum};
use dsp::ears::{Ears, EarsSettings, Listen};
use dsp::fingerprint::{Index, Print};
use dsp::g711;
use dsp::generate::{DTMF_KEYS, DtmfSource, NoiseSource, Oscillator, ToneSource};
use dsp::mf::Mf;
use dsp::zones::Zone;
use tdm::{Block, Law, Rng, SAMPLES, SampleTime, TIMESLOTS, Timeslot};

/// Milliseconds of signal that are heard again and again.
const SIGNAL_MILLIS: usize = 6000;
/// How long an item is measured at least, and in how many runs.
const RUN: Duration = Duration::from_millis(400);
const RUNS: usize = 5;

/// What `bench` is asked for.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Items; all of them when absent.
    pub items: Vec<Item>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Something whose speed is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Item {
    /// DTMF receivers alone.
    Dtmf,
    /// Call progress alone, all zones.
    Cpa,
    /// Fax tones alone.
    Fax,
    /// Voice activity and the judge of who answered.
    Voice,
    /// Register signals of R2, forward.
    R2,
    /// Register signals of R1, as Bell sends them.
    Bellmf,
    /// DTMF, fax, progress, voice, beep and verdict: what a dialler's channel needs.
    Dialler,
    /// What known announcements cost a channel in early media: none, 100 and 10,000 of them.
    Prints,
    /// A board's millisecond, both ways, for eight spans, without bus accesses.
    Board,
    /// The whole millisecond of four spans: service, detectors, switch and back.
    Path,
}

impl Item {
    const ALL: [Self; 10] = [
        Self::Dtmf,
        Self::R2,
        Self::Bellmf,
        Self::Cpa,
        Self::Fax,
        Self::Voice,
        Self::Dialler,
        Self::Prints,
        Self::Board,
        Self::Path,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Dtmf => "dtmf",
            Self::R2 => "r2",
            Self::Bellmf => "bellmf",
            Self::Cpa => "cpa",
            Self::Fax => "fax",
            Self::Voice => "voice",
            Self::Dialler => "dialler",
            Self::Prints => "prints",
            Self::Board => "board",
            Self::Path => "path",
        }
    }
    fn listen(self) -> Listen {
        let nothing = Listen::default();
        match self {
            Self::Dtmf => Listen { dtmf: true, ..nothing },
            Self::R2 => Listen { mf: Some(Mf::R2Forward), ..nothing },
            Self::Bellmf => Listen { mf: Some(Mf::Bell), ..nothing },
            Self::Cpa => Listen { progress: true, ..nothing },
            Self::Fax => Listen { fax: true, ..nothing },
            Self::Voice => Listen { answer: true, ..nothing },
            Self::Board => nothing,
            Self::Prints => Listen { progress: true, prints: true, ..nothing },
            Self::Path => Listen { dtmf: true, progress: true, ..nothing },
            Self::Dialler => Listen {
                dtmf: true,
                progress: true,
                answer: true,
                fax: true,
                beep: true,
                ..nothing
            },
        }
    }
}

/// Runs `bench`, writing to standard output.
///
/// # Errors
/// When output cannot be written.
pub fn run(args: &BenchArgs) -> Result<()> {
    let plain = signal(None);
    let items = if args.items.is_empty() { &Item::ALL[..] } else { &args.items };
    let mut out = crate::output::Output(std::io::stdout().lock());
    for &item in items {
        if item == Item::Prints {
            prints(args.json, &plain, &mut out)?;
            continue;
        }
        if item == Item::Path {
            path(args.json, &mut out)?;
            continue;
        }
        let nanos_a_millisecond = match item {
            Item::Board => board()?,
            _ => match item.listen().mf {
                Some(system) => measure(item, &signal(Some(system)), &Arc::default()),
                None => measure(item, &plain, &Arc::default()),
            },
        };
        let channels = TIMESLOTS as f64 * 1e6 / nanos_a_millisecond;
        if args.json {
            let line = serde_json::json!({
                "item": item.name(),
                "channels_per_core": channels.round(),
                "block": SAMPLES,
                "signal": "active",
            });
            writeln!(out, "{line}")?;
        } else {
            let micros = nanos_a_millisecond / 1000.0;
            writeln!(
                out,
                "{:8} {channels:>9.0} channels a core, {micros:.2} µs a span and ms",
                item.name()
            )?;
        }
        if item == Item::Board {
            let micros = nanos_a_millisecond * EIGHT_SPANS / 1000.0;
            if args.json {
                let line =
                    serde_json::json!({ "item": "board_of_eight_spans", "service_us": micros });
                writeln!(out, "{line}")?;
            } else {
                writeln!(
                    out,
                    "         {micros:.2} µs a ms for a board of eight spans (3 at most)"
                )?;
            }
            crate::jitter::told(JITTER_MILLIS, args.json, &mut out)?;
        }
    }
    Ok(())
}

/// Milliseconds whose way from the interrupt to the ring is measured.
const JITTER_MILLIS: usize = 5000;
/// Milliseconds the path is measured for.
const PATH_MILLIS: usize = 60_000;

/// Spans of the board that is measured.
const EIGHT_SPANS: f64 = 8.0;

/// A board's service a span, in nanoseconds of CPU time a millisecond: the best of several runs.
fn board() -> Result<f64> {
    const MILLIS: u64 = 20_000;
    let mut bench = driver::bench::ServiceBench::eight_spans()?;
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let begin = CpuTime::now();
        bench.run(MILLIS)?;
        best = best.min(begin.elapsed().as_nanos() as f64 / MILLIS as f64 / EIGHT_SPANS);
    }
    Ok(best)
}

/// The whole millisecond, by the clock on the wall: its tail is the host's as much as ours.
fn path(json: bool, out: &mut impl Write) -> Result<()> {
    let path = crate::path::measure(PATH_MILLIS)?;
    if json {
        let line = serde_json::json!({
            "item": "path",
            "median_us": path.median_micros,
            "p99_us": path.p99_micros,
            "p999_us": path.p999_micros,
            "max_us": path.max_micros,
            "service_median_us": path.service_median_micros,
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(
            out,
            "path     4 spans, 120 channels with digits and call progress: {:.1} µs median (board {:.1}), \
             {:.1} p99, {:.1} p99.9, {:.0} longest",
            path.median_micros,
            path.service_median_micros,
            path.p99_micros,
            path.p999_micros,
            path.max_micros
        )?;
    }
    Ok(())
}

/// The time this thread has spent on a CPU, or the clock on the wall where the kernel does not say.
enum CpuTime {
    Spent(Duration),
    Wall(Instant),
}

impl CpuTime {
    fn now() -> Self {
        Self::spent().map_or_else(|| Self::Wall(Instant::now()), Self::Spent)
    }
    fn elapsed(&self) -> Duration {
        match self {
            Self::Spent(start) => Self::spent().unwrap_or_default().saturating_sub(*start),
            Self::Wall(start) => start.elapsed(),
        }
    }
    /// The first number of schedstat: nanoseconds on the CPU.
    fn spent() -> Option<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
    }
}

/// Nanoseconds one thread takes for a millisecond of a span.
fn measure(item: Item, signal: &[Block], prints: &Arc<Index>) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let mut ears = Ears::new(EarsSettings {
            law: Law::A,
            prints: Arc::clone(prints),
            ..EarsSettings::default()
        });
        let (mut millis, mut events) = (0_u64, 0_u64);
        let start = CpuTime::now();
        while start.elapsed() < RUN {
            // Every pass starts the detectors anew, so that a verdict does not make the rest idle.
            for lane in (0..TIMESLOTS).filter_map(Timeslot::new) {
                ears.listen(lane, Listen::default());
                ears.listen(lane, item.listen());
            }
            for block in signal {
                ears.hear(block, &mut |hearing| {
                    events += 1;
                    black_box(hearing);
                });
            }
            millis += signal.len() as u64;
        }
        black_box(events);
        best = best.min(start.elapsed().as_nanos() as f64 / millis as f64);
    }
    best
}

/// What libraries of announcements cost: microseconds of a core for a second of a channel in early media.
fn prints(json: bool, signal: &[Block], out: &mut impl Write) -> Result<()> {
    // A hundred that have sound of their own, and others that are as they are and match nothing.
    let real = (0..100).map(|n| Print::of(&speech(1000 + n, 8 * 8000)));
    let real: Vec<(Print, u8)> = real.zip((0..6).cycle()).collect();
    for count in [0, 100, 10_000] {
        let others = (0..).zip(real.iter().cycle());
        let all = others.map(|(n, (print, means))| {
            let disguised = if n < 100 { print.clone() } else { print.disguised(n) };
            (disguised, *means)
        });
        let index = Arc::new(Index::new(&all.take(count).collect::<Vec<_>>()));
        let micros = measure(Item::Prints, signal, &index) / TIMESLOTS as f64;
        print_cost(json, "prints", micros, &format!("with {count} of them"), count, out)?;
    }
    // The worst there is: ten thousand that all begin with the same, which all channels hear.
    let samples = SIGNAL_MILLIS * SAMPLES;
    let jingle = speech(5000, samples);
    let shared = Print::of(&jingle);
    let alike = |(n, (own, means)): (u32, &(Print, u8))| {
        let own = own.disguised(n);
        let words = shared.words().iter().chain(own.words());
        (Print::from_words(words.copied()), *means)
    };
    let all: Vec<_> = (0..10_000).zip(real.iter().cycle()).map(alike).collect();
    let heard = blocks(&vec![jingle; TIMESLOTS]);
    for (count, what) in [(0, "with none"), (10_000, "with 10000, what they share is played")] {
        let index = Arc::new(Index::new(all.get(..count).unwrap_or_default()));
        let micros = measure(Item::Prints, &heard, &index) / TIMESLOTS as f64;
        print_cost(json, "prints_that_begin_alike", micros, what, count, out)?;
    }
    Ok(())
}

fn print_cost(
    json: bool,
    item: &str,
    micros: f64,
    what: &str,
    count: usize,
    out: &mut impl Write,
) -> Result<()> {
    if json {
        let line = serde_json::json!({
            "item": item, "prints": count, "us_a_second_and_channel": micros,
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "prints   {micros:>9.1} µs a second and channel, {what}")?;
    }
    Ok(())
}

/// A busy span: a third of the lanes speech, a third tones and keys, a third noise. Where register signals are
/// listened for, they take the place of tones and keys.
fn signal(system: Option<Mf>) -> Vec<Block> {
    let samples = SIGNAL_MILLIS * SAMPLES;
    let lanes: Vec<Vec<f32>> = (0..TIMESLOTS as u64)
        .map(|lane| match lane % 3 {
            0 => speech(lane, samples),
            1 => match system {
                Some(system) => signals(system, lane, samples),
                None => tones(lane, samples),
            },
            _ => {
                let mut noise = NoiseSource::new(Rng::from_seed(lane), -20.0);
                (0..samples).map(|_| noise.next_sample()).collect()
            }
        })
        .collect();
    blocks(&lanes)
}

/// The milliseconds of lanes of samples.
fn blocks(lanes: &[Vec<f32>]) -> Vec<Block> {
    (0..SIGNAL_MILLIS)
        .map(|milli| {
            let mut block = Block::idle(Law::A);
            block.at = SampleTime::millis(milli as u64);
            for (n, row) in block.octets.iter_mut().enumerate() {
                for (octet, lane) in row.iter_mut().zip(lanes) {
                    let sample = lane.get(milli * SAMPLES + n).copied().unwrap_or_default();
                    *octet = g711::encode_f32(Law::A, sample);
                }
            }
            block
        })
        .collect()
}

/// One register signal after the other.
fn signals(system: Mf, lane: u64, samples: usize) -> Vec<f32> {
    let mut rng = Rng::from_seed(lane);
    let mut out = Vec::with_capacity(samples);
    while out.len() < samples {
        let signal = 1 + rng.below(15) as u8;
        let Some(mut source) = DtmfSource::mf(system, signal, 60, 60, -11.5) else { break };
        while !source.is_over() {
            out.push(source.next_sample());
        }
    }
    out
}

/// Keys on every other of these lanes, ring-back or busy tone on the others.
fn tones(lane: u64, samples: usize) -> Vec<f32> {
    if lane.is_multiple_of(2) {
        let mut rng = Rng::from_seed(lane);
        let mut out = Vec::with_capacity(samples);
        while out.len() < samples {
            let key = DTMF_KEYS[rng.below(16) as usize];
            let Some(mut source) = DtmfSource::new(key, 60, 60, -10.0) else { break };
            while !source.is_over() {
                out.push(source.next_sample());
            }
        }
        return out;
    }
    let name = if lane % 4 == 1 { "ringback" } else { "busy" };
    let spec = Zone::by_key("cn").and_then(|zone| zone.tone(name));
    let Some(mut source) = spec.map(ToneSource::new) else { return Vec::new() };
    (0..samples).map(|_| source.next_sample()).collect()
}

/// Syllables of gliding harmonics with gaps: what a voice costs, not what it says.
fn speech(lane: u64, samples: usize) -> Vec<f32> {
    let mut rng = Rng::from_seed(lane);
    let mut out = Vec::with_capacity(samples);
    while out.len() < samples {
        let pitch_hz = rng.between(90, 220) as f32;
        let mut harmonics: Vec<(Oscillator, f32)> = (1..=14_u8)
            .map(|n| (Oscillator::new(pitch_hz * f32::from(n)), 0.08 * rng.unit() as f32))
            .collect();
        let len = rng.between(800, 2000);
        for n in 0..len {
            let swell = (n as f32 / len as f32 * core::f32::consts::PI).sin();
            for (k, (oscillator, _)) in harmonics.iter_mut().enumerate() {
                oscillator.tune((k + 1) as f32 * pitch_hz * (1.0 + 0.1 * n as f32 / len as f32));
            }
            out.push(
                swell * harmonics.iter_mut().map(|(o, gain)| *gain * o.next_sample()).sum::<f32>(),
            );
        }
        out.extend(std::iter::repeat_n(0.0, rng.between(200, 700) as usize));
    }
    out
}
