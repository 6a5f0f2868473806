//! `trunkline analyze`: the very ears of the pipeline over recordings, 32 files at a time in the lanes of a span.
//!
//! One JSON object a line: `{"file": as given, "t_ms": last sample seen, "event": …, "value": …}`.
//! Files are 8 kHz mono WAV (16-bit PCM, A-law, µ-law) or raw octets (`.al`, `.ul`). PCM is coded into the
//! law of `--law` first, because the ears hear timeslots.

pub(crate) mod audio;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use dsp::ears::{Answerer, Ears, EarsSettings, Fax, Heard, Hearing, Listen, Sound};
use dsp::mf::Mf;
use dsp::zones::Zone;
use tdm::{Block, Law, SAMPLES, SampleTime, TIMESLOTS, Timeslot};

/// What `analyze` is asked for.
#[derive(Args, Clone, Debug)]
pub struct AnalyzeArgs {
    /// Tone plans to listen with, by ISO key (`cn,us`); all zones when absent.
    #[arg(long, value_delimiter = ',')]
    pub zone: Vec<String>,
    /// The law of the timeslots that PCM files are coded into.
    #[arg(long, default_value = "a")]
    pub law: LawName,
    /// Events to print: dtmf, fax, cpa, amd, beep, dial, call_waiting, and one of r2f, r2b, bellmf; the first five
    /// when absent.
    #[arg(long, value_delimiter = ',')]
    pub detect: Vec<Detect>,
    /// Which part of a call the files are: early media, the time after CONNECT, or either.
    #[arg(long, default_value = "both")]
    pub phase: Phase,
    /// Threads, each with its own span.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Recordings.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

/// A companding law on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum LawName {
    A,
    U,
}

/// The part of a call a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Phase {
    Early,
    Answered,
    Both,
}

/// An event that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
#[value(rename_all = "snake_case")]
pub enum Detect {
    Dtmf,
    R2f,
    R2b,
    Bellmf,
    Fax,
    Cpa,
    Amd,
    Beep,
    Dial,
    CallWaiting,
}

impl Detect {
    const fn system(self) -> Option<Mf> {
        match self {
            Self::R2f => Some(Mf::R2Forward),
            Self::R2b => Some(Mf::R2Backward),
            Self::Bellmf => Some(Mf::Bell),
            _ => None,
        }
    }
}

/// Which events are printed.
#[derive(Clone, Debug)]
struct Wanted(Vec<Detect>);

impl Wanted {
    fn of(asked: &[Detect], phase: Phase) -> Result<Self> {
        use Detect::*;
        let systems = asked.iter().filter(|detect| detect.system().is_some());
        if systems.count() > 1 {
            bail!(
                "--detect: one of r2f, r2b and bellmf at a time, as a line has one signalling system"
            );
        }
        let mut wanted =
            if asked.is_empty() { vec![Dtmf, Fax, Cpa, Amd, Beep] } else { asked.to_vec() };
        wanted.retain(|detect| match phase {
            Phase::Early => !matches!(detect, Amd | Beep),
            Phase::Answered => !matches!(detect, Cpa | Dial | CallWaiting),
            Phase::Both => true,
        });
        Ok(Self(wanted))
    }
    fn has(&self, detect: Detect) -> bool {
        self.0.contains(&detect)
    }
    /// The signalling system that was asked for.
    fn system(&self) -> Option<Detect> {
        self.0.iter().copied().find(|detect| detect.system().is_some())
    }
    fn listen(&self) -> Listen {
        Listen {
            dtmf: self.has(Detect::Dtmf),
            progress: self.has(Detect::Cpa)
                || self.has(Detect::Dial)
                || self.has(Detect::CallWaiting),
            answer: self.has(Detect::Amd),
            fax: self.has(Detect::Fax),
            beep: self.has(Detect::Beep),
            mf: self.system().and_then(Detect::system),
            ..Listen::default()
        }
    }
}

/// Runs `analyze`, writing to standard output.
///
/// # Errors
/// When a zone is unknown, or output cannot be written. A file that cannot be read is reported on standard
/// error, the others go on, and the command fails at the end.
pub fn run(args: &AnalyzeArgs) -> Result<()> {
    let mut out = BufWriter::new(crate::output::Output(std::io::stdout().lock()));
    analyze(args, &mut out)
}

/// Runs `analyze`, writing to `out`.
///
/// # Errors
/// As [`run`].
pub fn analyze(args: &AnalyzeArgs, out: &mut impl Write) -> Result<()> {
    let zones = args
        .zone
        .iter()
        .map(|key| Zone::by_key(key).with_context(|| format!("--zone {key}: no such zone")))
        .collect::<Result<Vec<_>>>()?;
    let law = match args.law {
        LawName::A => Law::A,
        LawName::U => Law::Mu,
    };
    let wanted = Wanted::of(&args.detect, args.phase)?;
    let threads = args.threads.clamp(1, 256);
    let mut unread = 0;
    // A span's worth of files for each thread at a time: memory stays small however many files there are.
    for batch in args.files.chunks(TIMESLOTS * threads) {
        let settings = EarsSettings { law, zones: zones.clone(), ..EarsSettings::default() };
        let spans = std::thread::scope(|scope| {
            let workers: Vec<_> = batch
                .chunks(TIMESLOTS)
                .map(|files| {
                    let (settings, wanted) = (settings.clone(), &wanted);
                    scope.spawn(move || span(files, settings, wanted))
                })
                .collect();
            workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        for span in spans {
            let Ok(span) = span else { bail!("an analysing thread failed") };
            unread += span.unread.len();
            for (file, why) in span.unread {
                crate::output::complain(format_args!("{}: {why:#}", file.display()));
            }
            for line in span.lines {
                writeln!(out, "{line}")?;
            }
        }
    }
    out.flush()?;
    if unread > 0 {
        bail!("{unread} of {} files could not be read", args.files.len());
    }
    Ok(())
}

/// What came of up to 32 files.
struct Heardings {
    lines: Vec<String>,
    unread: Vec<(PathBuf, anyhow::Error)>,
}

/// Hears up to 32 files at once, one in each lane.
fn span(files: &[PathBuf], settings: EarsSettings, wanted: &Wanted) -> Heardings {
    let law = settings.law;
    let mut ears = Ears::new(settings);
    let mut unread = Vec::new();
    let mut tracks: Vec<Vec<u8>> = Vec::new();
    for (lane, file) in files.iter().enumerate() {
        let octets = match audio::read(file, law) {
            Ok(octets) => octets,
            Err(why) => {
                unread.push((file.clone(), why));
                Vec::new()
            }
        };
        if !octets.is_empty()
            && let Some(timeslot) = Timeslot::new(lane)
        {
            ears.listen(timeslot, wanted.listen());
        }
        tracks.push(octets);
    }
    let mut lines: Vec<Vec<String>> = vec![Vec::new(); files.len()];
    let millis = tracks.iter().map(|octets| octets.len().div_ceil(SAMPLES)).max().unwrap_or(0);
    let mut block = Block::idle(law);
    // One more, in which the longest file is over as well.
    for milli in 0..=millis {
        block.at = SampleTime::millis(milli as u64);
        for (n, row) in block.octets.iter_mut().enumerate() {
            for (octet, track) in row.iter_mut().zip(&tracks) {
                *octet = track.get(milli * SAMPLES + n).copied().unwrap_or(law.idle());
            }
        }
        for (lane, octets) in tracks.iter().enumerate() {
            // A file that is over no longer costs anything.
            if octets.len().div_ceil(SAMPLES) == milli
                && let Some(timeslot) = Timeslot::new(lane)
            {
                let end = block.at.as_samples().saturating_sub(1);
                let end = SampleTime::samples(end.min(octets.len().saturating_sub(1) as u64));
                // The call is over before a verdict fell.
                if let Some(heard) = ears.answer_ends(timeslot)
                    && let (Some(lines), Some(file)) = (lines.get_mut(lane), files.get(lane))
                {
                    lines.extend(line(file, &Hearing { at: end, lane: lane as u8, heard }, wanted));
                }
                ears.listen(timeslot, Listen::default());
            }
        }
        ears.hear(&block, &mut |hearing| {
            let lane = usize::from(hearing.lane);
            if let (Some(lines), Some(file)) = (lines.get_mut(lane), files.get(lane)) {
                lines.extend(line(file, &hearing, wanted));
            }
        });
    }
    Heardings { lines: lines.into_iter().flatten().collect(), unread }
}

/// Hears one recording, coded in the law of `settings`.
pub(crate) fn hear_alone(
    octets: &[u8],
    settings: EarsSettings,
    listen: Listen,
    heard: &mut dyn FnMut(Hearing),
) {
    const LANE: Option<Timeslot> = Timeslot::new(1);
    let Some(lane) = LANE else { return };
    let mut block = Block::idle(settings.law);
    let mut ears = Ears::new(settings);
    ears.listen(lane, listen);
    for (milli, octets) in octets.as_chunks::<SAMPLES>().0.iter().enumerate() {
        block.at = SampleTime::millis(milli as u64);
        block.set_timeslot(lane, *octets);
        ears.hear(&block, heard);
    }
}

/// The first tone of the network in a recording of early media, in a word, and when it is known; special information
/// tones stand before words and are none of these. Quiet before it makes a tone at its very beginning a whole one.
pub(crate) fn tone_in(octets: &[u8], law: Law) -> Option<(&'static str, u32)> {
    const QUIET_MILLIS: u32 = 200;
    let octets = [&[law.idle(); QUIET_MILLIS as usize * SAMPLES][..], octets].concat();
    let settings = EarsSettings { law, ..EarsSettings::default() };
    let mut tone = None;
    let listen = Listen { progress: true, ..Listen::default() };
    hear_alone(&octets, settings, listen, &mut |hearing| match hearing.heard {
        Heard::Progress(Sound::Sit | Sound::Announcement | Sound::Music | Sound::Talk) => {}
        Heard::Progress(sound) => {
            let millis = u32::try_from(hearing.at.as_millis()).unwrap_or(u32::MAX);
            tone.get_or_insert((sound_name(sound).1, millis.saturating_sub(QUIET_MILLIS)));
        }
        _ => {}
    });
    tone
}

/// The signals from 1 to 15 as they are written: A and beyond as digits of a number would collide with keys.
const R2_NAMES: &[u8; 15] = b"1234567890BCDEF";
const BELL_NAMES: &[u8; 15] = b"1234567890CA*B#";

/// The line of a hearing; `None` when it was not asked for.
fn line(file: &Path, hearing: &Hearing, wanted: &Wanted) -> Option<String> {
    let key = |key: u8| serde_json::Value::from(char::from(key).to_string());
    let (event, value) = match hearing.heard {
        Heard::Dtmf(digit) if wanted.has(Detect::Dtmf) => ("dtmf", key(digit)),
        Heard::Fax(fax) if wanted.has(Detect::Fax) => ("fax", fax_name(fax).into()),
        Heard::Progress(sound) => {
            let (detect, name) = sound_name(sound);
            if !wanted.has(detect) {
                return None;
            }
            ("cpa", name.into())
        }
        Heard::SitCode(code) if wanted.has(Detect::Cpa) => {
            ("sit", media::sit_code(code).word().into())
        }
        Heard::Answer { who, .. } if wanted.has(Detect::Amd) => ("amd", answerer_name(who).into()),
        Heard::Mf(signal) => {
            let (event, names) = match wanted.system()? {
                Detect::R2b => ("r2b", R2_NAMES),
                Detect::Bellmf => ("bellmf", BELL_NAMES),
                _ => ("r2f", R2_NAMES),
            };
            (event, key(*names.get(usize::from(signal.checked_sub(1)?))?))
        }
        Heard::Beep(hz) if wanted.has(Detect::Beep) => ("beep", hz.into()),
        _ => return None,
    };
    let t_ms = (hearing.at.as_samples() + 1) as f64 / 8.0;
    let file = file.to_string_lossy();
    let line = serde_json::json!({ "file": file, "t_ms": t_ms, "event": event, "value": value });
    Some(line.to_string())
}

fn sound_name(sound: Sound) -> (Detect, &'static str) {
    match sound {
        Sound::Ringback => (Detect::Cpa, "ringback"),
        Sound::Busy => (Detect::Cpa, "busy"),
        Sound::Congestion => (Detect::Cpa, "congestion"),
        Sound::Vacant => (Detect::Cpa, "vacant"),
        Sound::Sit => (Detect::Cpa, "sit"),
        Sound::Announcement => (Detect::Cpa, "announcement"),
        Sound::Music => (Detect::Cpa, "music"),
        Sound::Talk => (Detect::Cpa, "talk"),
        Sound::Dial => (Detect::Dial, "dial"),
        Sound::CallWaiting => (Detect::CallWaiting, "call_waiting"),
    }
}

const fn fax_name(fax: Fax) -> &'static str {
    match fax {
        Fax::Cng => "cng",
        Fax::Ced => "ced",
        Fax::Preamble => "preamble",
    }
}

pub(crate) const fn answerer_name(who: Answerer) -> &'static str {
    match who {
        Answerer::Human => "human",
        Answerer::Machine => "machine",
        Answerer::NotSure => "notsure",
        Answerer::Fax => "fax",
        Answerer::Silence => "silence",
    }
}
