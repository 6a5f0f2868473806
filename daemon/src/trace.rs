//! `trunkline trace`: the ladder of one call from the captures of the call server: messages, tones and states, with
//! their times, in words.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use signalling::ladder::{Ladder, Ladders};
use signalling::pcap;
use tdm::Instant;

/// A call's messages begin so close to the event that tells of it.
const BESIDE_MILLIS: u64 = 2000;

/// One line of what is told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    at: Instant,
    /// Messages go before the event they caused.
    rank: u8,
    words: String,
}

/// Prints the ladder of `call` from the captures in `folder`.
///
/// # Errors
/// There is no capture, or no such call in it.
pub fn run(folder: &Path, call: &str) -> Result<()> {
    for line in trace(folder, call)? {
        println!("{line}");
    }
    Ok(())
}

fn trace(folder: &Path, call: &str) -> Result<Vec<String>> {
    let path = folder.join("calls.jsonl");
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("{}: is `capture` set in [media], and the call server running?", path.display())
    })?;
    let mut lines = Vec::new();
    let mut legs = BTreeSet::new();
    let mut places = Vec::new();
    for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let data = event.get("data").unwrap_or(&Value::Null);
        let leg = text_of(data, "leg");
        let is_ours = text_of(data, "call") == Some(call)
            || ["leg", "a", "b"]
                .iter()
                .any(|key| text_of(data, key).is_some_and(|l| legs.contains(l)));
        if !is_ours {
            continue;
        }
        legs.extend(leg.map(str::to_owned));
        let at = Instant::micros(event.get("at_us").and_then(Value::as_u64).unwrap_or_default());
        // Where it began; the summary at its end names the place once more.
        let begins = matches!(text_of(&event, "event"), Some("dialling" | "incoming"));
        let place = data.get("channel").and_then(Value::as_array).map(Vec::as_slice);
        if let Some([span, timeslot]) = place.filter(|_| begins) {
            let number = |value: &Value| value.as_u64().unwrap_or_default();
            places.push((at, number(span), number(timeslot)));
        }
        lines.push(Line { at, rank: 1, words: format!("      {}", in_words(&event, data)) });
    }
    if lines.is_empty() {
        bail!("{}: there is no call {call}", path.display());
    }
    let mut spans: Vec<u64> = places.iter().map(|place| place.1).collect();
    spans.sort_unstable();
    spans.dedup();
    for span in spans {
        let file = folder.join(format!("span{span}.pcap"));
        let octets = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let ladders = ladders(&octets, &file)?;
        for (at, _, timeslot) in places.iter().filter(|place| place.1 == span) {
            // Others may have had the channel shortly before and after: the nearest is meant.
            let near = ladders.iter().filter_map(|l| Some((apart_micros(l, *at, *timeslot)?, l)));
            let Some((_, ladder)) = near.min_by_key(|(apart, _)| *apart) else { continue };
            lines.extend(ladder.rungs.iter().map(|rung| {
                let arrow = if rung.sent { "-->" } else { "<--" };
                Line { at: rung.at, rank: 0, words: format!("{arrow}   {}", rung.words) }
            }));
        }
    }
    lines.sort_by_key(|line| (line.at, line.rank));
    let zero = lines.first().map(|line| line.at).unwrap_or_default();
    let seconds = |at: Instant| at.micros_since(zero) as f64 / 1e6;
    Ok(lines.iter().map(|line| format!("{:10.3}  {}", seconds(line.at), line.words)).collect())
}

fn ladders(octets: &[u8], file: &Path) -> Result<Vec<Ladder>> {
    let records =
        pcap::records(octets).with_context(|| format!("{}: no capture", file.display()))?;
    let mut ladders: Option<Ladders> = None;
    for record in records {
        let ladders = ladders.get_or_insert_with(|| Ladders::new(record.side));
        ladders.frame(record.at, record.sent, record.frame);
    }
    Ok(ladders.map(|ladders| ladders.calls().to_vec()).unwrap_or_default())
}

/// How far the beginning of these messages lies from `at`, when they are of a call on `timeslot` and that is near.
fn apart_micros(ladder: &Ladder, at: Instant, timeslot: u64) -> Option<u64> {
    let begins = ladder.rungs.first()?.at;
    let apart = begins.micros_since(at).max(at.micros_since(begins));
    let on = ladder.timeslot.map(|timeslot| timeslot.index() as u64);
    (on == Some(timeslot) && apart <= BESIDE_MILLIS * 1000).then_some(apart)
}

fn text_of<'a>(data: &'a Value, key: &str) -> Option<&'a str> {
    data.get(key).and_then(Value::as_str)
}

/// `answered`, `tone class ringback` …: the event's name and what it says beside who it is about.
fn in_words(event: &Value, data: &Value) -> String {
    let mut words = text_of(event, "event").unwrap_or("event").replace('_', " ");
    for (key, value) in data.as_object().into_iter().flatten() {
        // Who it is about is known, and when it was stands in front.
        let is_identity =
            matches!(key.as_str(), "leg" | "call" | "operation" | "group") || key.ends_with("_us");
        let is_empty = value.is_null() || value.as_bool() == Some(false);
        if is_identity || is_empty || value.as_object().is_some_and(|o| !o.contains_key("digits")) {
            continue;
        }
        // Numbers that may not be shown are not, here either.
        let hidden = value.get("presentation").is_some_and(|p| p != "allowed");
        let said = match value.get("digits").and_then(Value::as_str) {
            Some(_) if hidden => "withheld".to_owned(),
            Some(digits) => digits.to_owned(),
            None => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        };
        words.push_str(&format!(" {} {said}", key.replace('_', " ")));
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::media_shell::capture::Capture;
    use call::{CallEvent, CallId, LegId};
    use signalling::Side;
    use tdm::{Frame, SpanId};

    /// What the capture writes, the trace reads: one call among others, in the order of time.
    #[test]
    fn a_call_is_followed_from_its_setup_to_its_end_and_others_are_left_out() {
        let folder = std::env::temp_dir().join(format!("trunkline-trace-{}", std::process::id()));
        let span = SpanId::new(0).expect("a span");
        let mut capture =
            Capture::start(&folder, BTreeMap::from([(span, Side::User)])).expect("it starts");
        let frame = |ns: u8, network: bool, message: &[u8]| {
            let header = [u8::from(network) << 1, 1, ns << 1, 0];
            Frame::new(&[&header[..], message].concat()).expect("fits")
        };
        let setup = |timeslot: u8| {
            [8, 2, 0, timeslot, 5, 4, 3, 0x80, 0x90, 0xA3, 0x18, 3, 0xA9, 0x83, 0x80 | timeslot]
        };
        let (leg, call) =
            (|n| LegId { instance: 1, number: n }, |n| CallId { instance: 1, number: n });
        // Another call had the channel half a second before.
        capture.frame(Instant::millis(1500), span, true, frame(0, false, &setup(2)));
        capture.frame(Instant::millis(1600), span, true, frame(1, false, &[8, 2, 0, 2, 0x5A]));
        for n in 1..=2 {
            let at = Instant::seconds(u64::from(n));
            let operation = call::OperationId { instance: 1, number: n };
            let channel = (1, n as u8);
            let dialling = CallEvent::Dialling { operation, leg: leg(n), call: call(n), channel };
            capture.frame(at, span, true, frame(n as u8 + 1, false, &setup(n as u8)));
            capture.event(at, &dialling);
        }
        let later = Instant::millis(2500);
        capture.frame(later, span, false, frame(0, true, &[8, 2, 0x80, 2, 7]));
        capture.event(later, &CallEvent::Answered { leg: leg(2) });
        let wanted = call(2).to_string();
        let told = loop {
            // The writer is another thread: it is there when it is there.
            match trace(&folder, &wanted) {
                Ok(told) if told.len() >= 4 => break told,
                _ => std::thread::yield_now(),
            }
        };
        std::fs::remove_dir_all(&folder).expect("it was there");
        let expected = [
            "     0.000  -->   SETUP on 2 and no other",
            "     0.000        dialling channel [1,2]",
            "     0.500  <--   CONNECT",
            "     0.500        answered",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn without_a_capture_it_is_said_what_to_do() {
        let error = trace(Path::new("/nonexistent"), "c1.1").expect_err("nothing there");
        assert!(error.to_string().contains("capture"), "{error:#}");
    }
}
