//! Recognises recordings: `fingerprints PRINT… -- FILE…` prints for each FILE which PRINT it is known to be, and when.
//!
//! Files are A-law WAV. With `--repeat N` before the prints each is put into the index N times under other
//! numbers, mirrored in time, to see what a large library costs.

use dsp::fingerprint::{Index, Listener, print_of};
use dsp::g711;
use tdm::{Law, SAMPLES};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let repeat: usize = match args.first().map(String::as_str) {
        Some("--repeat") => {
            let count = args.get(1).ok_or("how often?")?.parse()?;
            args.drain(..2);
            count
        }
        _ => 0,
    };
    let parts = args.iter().position(|arg| arg == "--").ok_or("PRINT… -- FILE…")?;
    let (known, files) = args.split_at(parts);
    let mut prints = Vec::new();
    for file in known {
        prints.push(print_of(&samples(file)?));
    }
    for turn in 0..repeat {
        for file in known {
            let mut mirrored = samples(file)?;
            mirrored.reverse();
            let by = turn * 977 % mirrored.len().max(1);
            mirrored.rotate_left(by);
            prints.push(print_of(&mirrored));
        }
    }
    let index = Index::new(&prints);
    eprintln!("{} prints, {} landmarks", index.len(), prints.iter().map(Vec::len).sum::<usize>());
    let mut listener = Listener::default();
    let (mut millis, begun) = (0, std::time::Instant::now());
    for file in files.iter().skip(1) {
        listener.forget();
        let mut found = None;
        for (at, block) in samples(file)?.as_chunks::<SAMPLES>().0.iter().enumerate() {
            let matched = listener.take(block, &index);
            found = found.or(matched.map(|matched| (at + 1, matched)));
            millis += 1;
        }
        match found {
            Some((at, matched)) => {
                let name = known.get(usize::from(matched.print)).map_or("?", String::as_str);
                println!("{file} {at} {name} {}", matched.votes);
            }
            None => println!("{file} - - 0"),
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!(
        "{:.1} h heard, {:.0} µs a second",
        millis as f64 / 3.6e6,
        seconds / millis as f64 * 1e9
    );
    Ok(())
}

/// The linear samples of an A-law WAV file.
fn samples(file: &str) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let data = std::fs::read(file).map_err(|why| format!("{file}: {why}"))?;
    let at = data.windows(4).position(|four| four == b"data").ok_or("no samples")?;
    let octets = data.get(at + 8..).unwrap_or_default();
    Ok(octets.iter().map(|&octet| f32::from(g711::decode(Law::A, octet)) / 32768.0).collect())
}
