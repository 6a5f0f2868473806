//! Recognises recordings: `fingerprints PRINT… -- FILE…` prints for each FILE which PRINT it is known to be, and when.
//!
//! Files are A-law WAV, heard by the very ears of a span, 32 at a time. With `--others N` before the prints, N that no
//! recording has join them, to see what a large library costs.

use std::sync::Arc;
use std::time::Instant;

use dsp::ears::{Ears, EarsSettings, Heard, Listen};
use dsp::fingerprint::{Index, Print};
use dsp::g711;
use tdm::{Block, Law, SAMPLES, SampleTime, TIMESLOTS, Timeslot};

type Fault = Box<dyn std::error::Error>;

fn main() -> Result<(), Fault> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let others: u32 = match args.first().map(String::as_str) {
        Some("--others") => {
            let count = args.get(1).ok_or("how many?")?.parse()?;
            args.drain(..2);
            count
        }
        _ => 0,
    };
    let parts = args.iter().position(|arg| arg == "--").ok_or("PRINT… -- FILE…")?;
    let (known, files) = args.split_at(parts);
    let mut prints = Vec::new();
    for (file, meaning) in known.iter().zip(0..) {
        let octets = octets(file)?;
        let samples: Vec<f32> =
            octets.iter().map(|&octet| f32::from(g711::decode(Law::A, octet)) / 32768.0).collect();
        prints.push((Print::of(&samples), meaning));
    }
    for (other, (print, meaning)) in (1..=others).zip(prints.clone().iter().cycle()) {
        prints.push((print.disguised(other), *meaning));
    }
    let index = Arc::new(Index::new(&prints));
    eprintln!("{} prints", index.len());
    let (mut seconds, mut heard_seconds) = (0.0, 0.0);
    for files in files.iter().skip(1).collect::<Vec<_>>().chunks(TIMESLOTS) {
        let tracks: Vec<Vec<u8>> =
            files.iter().map(|file| octets(file)).collect::<Result<_, Fault>>()?;
        let mut found: Vec<Option<(f64, u16)>> = vec![None; files.len()];
        heard_seconds += tracks.iter().map(Vec::len).sum::<usize>() as f64 / 8000.0;
        let begun = Instant::now();
        hear(&index, &tracks, &mut found);
        seconds += begun.elapsed().as_secs_f64();
        for (file, found) in files.iter().zip(found) {
            match found {
                Some((at, print)) => {
                    let name = known.get(usize::from(print)).map_or("?", String::as_str);
                    println!("{file} {at:.0} {name} 0");
                }
                None => println!("{file} - - 0"),
            }
        }
    }
    eprintln!(
        "{:.1} h heard, {:.0} µs a second",
        heard_seconds / 3600.0,
        seconds * 1e6 / heard_seconds
    );
    Ok(())
}

/// Hears up to 32 tracks; the first recording each is known to be, and when.
fn hear(index: &Arc<Index>, tracks: &[Vec<u8>], found: &mut [Option<(f64, u16)>]) {
    let settings =
        EarsSettings { law: Law::A, prints: Arc::clone(index), ..EarsSettings::default() };
    let mut ears = Ears::new(settings);
    for lane in (0..tracks.len()).filter_map(Timeslot::new) {
        ears.listen(lane, Listen { prints: true, ..Listen::default() });
    }
    let longest = tracks.iter().map(Vec::len).max().unwrap_or(0);
    for milli in 0..longest.div_ceil(SAMPLES) {
        let mut block = Block::idle(Law::A);
        block.at = SampleTime::millis(milli as u64);
        for (n, row) in block.octets.iter_mut().enumerate() {
            for (octet, track) in row.iter_mut().zip(tracks) {
                *octet = track.get(milli * SAMPLES + n).copied().unwrap_or(Law::A.idle());
            }
        }
        ears.hear(&block, &mut |hearing| {
            if let Heard::Print(print) = hearing.heard
                && let Some(found) = found.get_mut(usize::from(hearing.lane))
            {
                found.get_or_insert((hearing.at.as_samples() as f64 / 8.0, print));
            }
        });
    }
}

/// The octets of an A-law WAV file.
fn octets(file: &str) -> Result<Vec<u8>, Fault> {
    let data = std::fs::read(file).map_err(|why| format!("{file}: {why}"))?;
    let at = data.windows(4).position(|four| four == b"data").ok_or("no samples")?;
    Ok(data.get(at + 8..).unwrap_or_default().to_vec())
}
