//! Listens to recordings of answered calls, as `tests/answer/train.py` needs it.
//!
//! `answers verdicts FILE…` prints verdicts and beeps as `trunkline analyze --detect amd,beep,fax` does; `answers features
//! MILLIS FILE…` writes, each MILLIS of each file, a row of little-endian floats: the number of the file, the
//! milliseconds since the answer, and the features as `dsp::answer::rhythm::NAMES` names them. Files are A-law WAV.

use std::io::{BufWriter, Write};

use dsp::ears::{Answerer, Ears, EarsSettings, Fax, Heard, Listen};
use tdm::{Block, Law, SAMPLES, SampleTime, TIMESLOTS, Timeslot};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let what = args.next().ok_or("features or verdicts?")?;
    let every: usize =
        if what == "features" { args.next().ok_or("how often?")?.parse()? } else { 0 };
    let files: Vec<String> = args.collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (batch, files) in files.chunks(TIMESLOTS).enumerate() {
        listen(batch * TIMESLOTS, files, every, &mut out)?;
    }
    out.flush()?;
    Ok(())
}

/// Listens to a span's worth of files at once.
fn listen(
    first: usize,
    files: &[String],
    every: usize,
    out: &mut impl Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let tracks: Vec<Vec<u8>> = files.iter().map(|file| octets(file)).collect::<Result<_, _>>()?;
    let mut ears = Ears::new(EarsSettings { law: Law::A, ..EarsSettings::default() });
    let machine_from_percent = if every > 0 { 100 } else { 0 };
    let listen =
        Listen { answer: true, machine_from_percent, beep: true, fax: true, ..Listen::default() };
    let lanes: Vec<Timeslot> = (0..files.len()).filter_map(Timeslot::new).collect();
    lanes.iter().for_each(|&lane| ears.listen(lane, listen));
    // One more, so that the longest file has an end as well.
    let millis = tracks.iter().map(|track| track.len() / SAMPLES + 1).max().unwrap_or(0);
    let mut block = Block::idle(Law::A);
    let mut lines = Vec::new();
    let mut say = |lane: usize, at: f64, heard| {
        if let (Some(file), Some((event, value))) = (files.get(lane), words(heard)) {
            lines.push(format!(
                "{{\"file\": \"{file}\", \"t_ms\": {at}, \"event\": \"{event}\", \"value\": \"{value}\"}}"
            ));
        }
    };
    for milli in 0..millis {
        block.at = SampleTime::millis(milli as u64);
        for (n, row) in block.octets.iter_mut().enumerate() {
            for (octet, track) in row.iter_mut().zip(&tracks) {
                *octet = track.get(milli * SAMPLES + n).copied().unwrap_or(Law::A.idle());
            }
        }
        for (&lane, track) in lanes.iter().zip(&tracks) {
            if track.len() / SAMPLES == milli && every == 0 {
                ears.answer_ends(lane)
                    .into_iter()
                    .for_each(|heard| say(lane.index(), milli as f64, heard));
                ears.listen(lane, Listen::default());
            }
        }
        ears.hear(&block, &mut |hearing| {
            let at = (hearing.at.as_samples() + 1) as f64 / 8.0;
            say(usize::from(hearing.lane), at, hearing.heard);
        });
        if every > 0 && milli % every == every - 1 {
            for (&lane, track) in lanes.iter().zip(&tracks) {
                if milli < track.len() / SAMPLES
                    && let Some(features) = ears.answer_features(lane)
                {
                    for x in [(first + lane.index()) as f32, milli as f32].iter().chain(&features) {
                        out.write_all(&x.to_le_bytes())?;
                    }
                }
            }
        }
    }
    if every == 0 {
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    Ok(())
}

fn words(heard: Heard) -> Option<(&'static str, String)> {
    let word = match heard {
        Heard::Answer { who, .. } => match who {
            Answerer::Human => "human",
            Answerer::Machine => "machine",
            Answerer::NotSure => "notsure",
            Answerer::Fax => "fax",
            Answerer::Silence => "silence",
        },
        Heard::Beep(hz) => return Some(("beep", hz.to_string())),
        Heard::Fax(Fax::Ced) => return Some(("fax", String::from("ced"))),
        Heard::Fax(Fax::Cng) => return Some(("fax", String::from("cng"))),
        Heard::Fax(Fax::Preamble) => return Some(("fax", String::from("preamble"))),
        _ => return None,
    };
    Some(("amd", String::from(word)))
}

/// The A-law octets of a WAV file.
fn octets(file: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let data = std::fs::read(file).map_err(|why| format!("{file}: {why}"))?;
    let mut rest = data.get(12..).unwrap_or_default();
    while let [a, b, c, d, l0, l1, l2, l3, tail @ ..] = rest {
        let len = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        let body = tail.get(..len.min(tail.len())).unwrap_or_default();
        match &[*a, *b, *c, *d] {
            b"fmt " if body.first() != Some(&6) => return Err(format!("{file}: not A-law").into()),
            b"data" => return Ok(body.to_vec()),
            _ => rest = tail.get(len + len % 2..).unwrap_or_default(),
        }
    }
    Err(format!("{file}: no samples").into())
}
