//! The long form of the sets by which the ears are judged: `cargo run --release -p dsp --example hearing -- [--full]
//! [SEED]`. One line a set: what was found and the limit. Ends with a failure when a limit was not kept.

#[path = "../tests/signals/mod.rs"]
mod signals;

use std::process::ExitCode;

use dsp::ears::Heard;
use signals::sets::{self, Count};

fn line(what: &str, found: usize, of: usize, limit: usize) -> bool {
    let is_kept = found <= limit;
    let word = if is_kept { "kept" } else { "NOT KEPT" };
    println!("{what:48} {found:>6} of {of:>7}, at most {limit:>3}: {word}");
    is_kept
}

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let seed = asked.iter().find_map(|word| word.parse().ok()).unwrap_or(1_u64);
    let scale = if asked.iter().any(|word| word == "--full") { 10 } else { 1 };
    let mut is_kept = true;
    let mut set = |what: &str, found: usize, of: usize, limit: usize| {
        is_kept &= line(what, found, of, limit);
    };
    let wrong = |count: Count| count.missed + count.extra;

    let keys = 600 * scale;
    let clean = sets::keys_inside(seed, keys, None);
    set("keys inside Q.24, clean: wrong", wrong(clean), keys, keys / 1000);
    let noisy = sets::keys_inside(seed + 1, keys, Some(15.0));
    set("keys inside Q.24, 15 dB over noise: wrong", wrong(noisy), keys, keys.div_ceil(1000));
    let outside = sets::keys_outside(seed + 2, keys);
    set("outside Q.24: accepted", outside.extra, keys, keys / 1000);
    for (snr_db, a_thousand) in [(10.0, 0), (8.0, 1)] {
        let noisy = sets::keys_in_noise(seed + 3, keys, snr_db);
        let limit = (a_thousand * keys).div_ceil(1000);
        set(&format!("keys {snr_db} dB over noise: wrong"), wrong(noisy), keys, limit);
    }
    for (what, is_music) in [("voices", false), ("music", true)] {
        let tens = 36 * scale;
        let heard = sets::talk_off(seed + 4, tens, is_music);
        let is_tone = |heard: &&sets::NeverSent| matches!(heard.heard, Heard::Progress(_));
        let false_tones = heard.iter().filter(is_tone).count();
        let false_keys = heard.len() - false_tones;
        set(&format!("ten seconds of {what}: false keys, fax"), false_keys, tens, 0);
        // A held note is a ring-back now and then: once an hour.
        let limit = if is_music { tens / 360 } else { 0 };
        set(&format!("ten seconds of {what}: false tones"), false_tones, tens, limit);
        heard.iter().for_each(|heard| println!("    {heard:?}"));
    }
    let pieces = 40 * scale;
    let heard = sets::musics(seed + 5, pieces);
    set("music: not said to be", heard.missed, pieces, pieces.div_ceil(33));
    let noises = 30 * scale;
    set("noise and hum: said to be something", sets::noises(seed + 6, noises).extra, noises, 0);
    for (what, for_all) in [("its own zone", false), ("all zones", true)] {
        let (of, late) = sets::ring_backs(for_all);
        let limit = if for_all { of } else { sets::LATE.len() };
        set(&format!("ring-back, by ears for {what}: late"), late.len(), of, limit);
        for late in late {
            println!("    {late:?}");
        }
    }
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
