//! `trunkline trace`: the ladder of one call from the captures of the call server: messages, tones and states, with
//! their times, in words.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use signalling::ladder::{Ladder, Ladders};
use signalling::pcap;
use tdm::Instant;

use crate::media_shell::capture::LEFT_OUT;

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
    let text = whole(folder, "calls.jsonl", |octets| {
        String::from_utf8_lossy(octets).lines().map(str::to_owned).collect()
    })
    .with_context(|| {
        format!("{}: is `capture` set in [media], and the call server running?", path.display())
    })?;
    let mut lines = Vec::new();
    let mut left_out = Vec::new();
    let mut legs = BTreeSet::new();
    let mut places = Vec::new();
    for event in text.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let data = event.get("data").unwrap_or(&Value::Null);
        let at = Instant::micros(event.get("utc_us").and_then(Value::as_u64).unwrap_or_default());
        if text_of(&event, "event") == Some(LEFT_OUT) {
            let words = format!("      capture: {} records are missing here", data["records"]);
            left_out.push(Line { at, rank: 2, words });
            continue;
        }
        let leg = text_of(data, "leg");
        let is_ours = text_of(data, "call") == Some(call)
            || ["leg", "a", "b"]
                .iter()
                .any(|key| text_of(data, key).is_some_and(|l| legs.contains(l)));
        if !is_ours {
            continue;
        }
        legs.extend(leg.map(str::to_owned));
        // Where it began, and where anew after it met another call; the summary at its end names the last place
        // once more.
        let name = text_of(&event, "event");
        let place = data.get("channel").and_then(Value::as_array).map(Vec::as_slice);
        if let Some([span, timeslot]) = place {
            let number = |value: &Value| value.as_u64().unwrap_or_default();
            let (span, timeslot) = (number(span), number(timeslot));
            match name {
                Some("dialling" | "incoming") => {
                    let ours = name == Some("dialling");
                    places.push(Place { at, ours, span, timeslots: vec![timeslot] });
                }
                Some("moved") if data["glare"] == true => {
                    places.push(Place { at, ours: true, span, timeslots: vec![timeslot] });
                }
                // The far end put the same messages on another channel.
                Some("moved") => {
                    places.last_mut().into_iter().for_each(|place| place.timeslots.push(timeslot));
                }
                _ => {}
            }
        }
        lines.push(Line { at, rank: 1, words: format!("      {}", in_words(&event, data)) });
    }
    if lines.is_empty() {
        bail!("{}: there is no call {call}", path.display());
    }
    let mut spans: Vec<u64> = places.iter().map(|place| place.span).collect();
    spans.sort_unstable();
    spans.dedup();
    for span in spans {
        let name = format!("span{span}.pcap");
        let ladders = whole(folder, &name, ladders)
            .with_context(|| format!("{}: no capture", folder.join(&name).display()))?;
        for place in places.iter().filter(|place| place.span == span) {
            // Others may have had the channel shortly before and after: the nearest is meant.
            let near = ladders.iter().filter_map(|l| Some((place.apart_micros(l)?, l)));
            let Some((_, ladder)) = near.min_by_key(|(apart, _)| *apart) else { continue };
            lines.extend(ladder.rungs.iter().map(|rung| {
                let arrow = if rung.sent { "-->" } else { "<--" };
                Line { at: rung.at, rank: 0, words: format!("{arrow}   {}", rung.words) }
            }));
        }
    }
    // What the capture lost while the call was there may have been of it.
    let span = lines.iter().map(|line| line.at).min().zip(lines.iter().map(|line| line.at).max());
    if let Some((first, last)) = span {
        lines.extend(left_out.into_iter().filter(|line| first <= line.at && line.at <= last));
    }
    lines.sort_by_key(|line| (line.at, line.rank));
    let zero = lines.first().map(|line| line.at).unwrap_or_default();
    let seconds = |at: Instant| at.micros_since(zero) as f64 / 1e6;
    Ok(lines.iter().map(|line| format!("{:10.3}  {}", seconds(line.at), line.words)).collect())
}

/// What is read of a captured file and of the one that was put aside before it; an error when neither is there.
fn whole<T>(
    folder: &Path,
    name: &str,
    read: impl Fn(&[u8]) -> Vec<T>,
) -> Result<Vec<T>, std::io::Error> {
    let newest = std::fs::read(folder.join(name));
    let older = std::fs::read(folder.join(format!("{name}.old")));
    if older.is_err() && newest.is_err() {
        return newest.map(|_| Vec::new());
    }
    Ok([older, newest].into_iter().flatten().flat_map(|octets| read(&octets)).collect())
}

fn ladders(octets: &[u8]) -> Vec<Ladder> {
    let mut ladders: Option<Ladders> = None;
    for record in pcap::records(octets).into_iter().flatten() {
        let ladders = ladders.get_or_insert_with(|| Ladders::new(record.side));
        ladders.frame(record.at, record.sent, record.frame);
    }
    ladders.map(|ladders| ladders.calls().to_vec()).unwrap_or_default()
}

/// Where a call began, or began anew.
struct Place {
    at: Instant,
    ours: bool,
    span: u64,
    /// Where it was begun, and where the far end put it.
    timeslots: Vec<u64>,
}

impl Place {
    /// How far the beginning of these messages lies from this one, when they may be of its call: same side, near, and
    /// on one of its channels. Channels numbered without a hole (QSIG) are one less than their timeslot behind 16, and
    /// come after those that are numbered by timeslot.
    fn apart_micros(&self, ladder: &Ladder) -> Option<(bool, u64)> {
        let begins = ladder.rungs.first()?.at;
        let apart = begins.micros_since(self.at).max(self.at.micros_since(begins));
        let named = || ladder.channels.iter().map(|timeslot| timeslot.index() as u64);
        let is_on = named().any(|n| self.timeslots.contains(&n));
        let is_logical = named().any(|n| n >= 16 && self.timeslots.contains(&(n + 1)));
        let may_be = ladder.ours == self.ours && apart <= BESIDE_MILLIS * 1000;
        (may_be && (is_on || is_logical)).then_some((!is_on, apart))
    }
}

fn text_of<'a>(data: &'a Value, key: &str) -> Option<&'a str> {
    data.get(key).and_then(Value::as_str)
}

/// A number's digits; those that may not be shown are not, here either.
fn digits_of(number: &Value) -> &str {
    match number.get("presentation").is_some_and(|p| p != "allowed") {
        true => "withheld",
        false => text_of(number, "digits").unwrap_or_default(),
    }
}

/// `answered`, `tone class ringback` …: the event's name and what it says beside who it is about.
fn in_words(event: &Value, data: &Value) -> String {
    let mut words = text_of(event, "event").unwrap_or("event").replace('_', " ");
    for (key, value) in data.as_object().into_iter().flatten() {
        // Who it is about is known, and when it was stands in front.
        let is_identity =
            matches!(key.as_str(), "leg" | "call" | "operation" | "group") || key.ends_with("_us");
        let is_empty = value.is_null() || value.as_bool() == Some(false);
        if is_identity || is_empty {
            continue;
        }
        if let Some(from) = data.get(key).and_then(|value| value.get("from")) {
            let reason = text_of(value, "reason").unwrap_or("unknown");
            words.push_str(&format!(" {key} from {} ({reason})", digits_of(from)));
            continue;
        }
        let said = match value {
            Value::Object(it) if it.contains_key("digits") => digits_of(value).to_owned(),
            Value::Object(_) => continue,
            _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
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

    fn setup(timeslot: u8) -> [u8; 15] {
        [8, 2, 0, timeslot, 5, 4, 3, 0x80, 0x90, 0xA3, 0x18, 3, 0xA9, 0x83, 0x80 | timeslot]
    }
    fn frame(ns: u8, network: bool, message: &[u8]) -> Frame {
        let header = [u8::from(network) << 1, 1, ns << 1, 0];
        Frame::new(&[&header[..], message].concat()).expect("fits")
    }
    fn leg(number: u32) -> LegId {
        LegId { instance: 1, number }
    }
    fn dialling(number: u32, channel: (u8, u8)) -> CallEvent {
        let operation = call::OperationId { instance: 1, number };
        let call = CallId { instance: 1, number };
        CallEvent::Dialling { operation, leg: leg(number), call, channel }
    }
    /// The writer is another thread: it is there when it is there.
    fn traced(folder: &Path, call: &str, lines: usize) -> Vec<String> {
        loop {
            match trace(folder, call) {
                Ok(told) if told.len() >= lines => return told,
                _ => std::thread::yield_now(),
            }
        }
    }

    /// A call that met another on its channel is told on both channels; what is missing is said; a file that was
    /// put aside still counts.
    #[test]
    fn a_call_that_was_sent_anew_is_followed_from_channel_to_channel() {
        let folder = tempfile::tempdir().expect("a folder");
        let span = SpanId::new(0).expect("a span");
        let mut capture =
            Capture::start(folder.path(), BTreeMap::from([(span, Side::User)]), 0).expect("starts");
        let at = Instant::millis;
        capture.frame(at(1000), span, true, frame(0, false, &setup(31)));
        capture.event(at(1000), &dialling(1, (1, 31)));
        capture.frame(
            at(1100),
            span,
            false,
            frame(0, true, &[8, 2, 0x80, 31, 0x5A, 8, 2, 0x82, 0xAC]),
        );
        capture.frame(at(1100), span, true, frame(1, false, &setup(9)));
        capture.event(at(1100), &CallEvent::Moved { leg: leg(1), channel: (1, 9), glare: true });
        capture.left_out += 3;
        capture.frame(at(1300), span, false, frame(1, true, &[8, 2, 0x80, 9, 7]));
        capture.event(at(1300), &CallEvent::Answered { leg: leg(1) });
        let before = traced(folder.path(), "c1.1", 8);
        for name in ["calls.jsonl", "span1.pcap"] {
            let path = folder.path().join(name);
            std::fs::rename(&path, path.with_file_name(format!("{name}.old")))
                .expect("it is there");
        }
        assert_eq!(traced(folder.path(), "c1.1", 8), before);
        let expected = [
            "     0.000  -->   SETUP on 31 and no other",
            "     0.000        dialling channel [1,31]",
            "     0.100  <--   RELEASE COMPLETE cause 44 (PublicLocal)",
            "     0.100  -->   SETUP on 9 and no other",
            "     0.100        moved channel [1,9] glare true",
            "     0.300  <--   CONNECT",
            "     0.300        answered",
            "     0.300        capture: 3 records are missing here",
        ];
        assert_eq!(before, expected);
    }

    /// The exchange puts a call elsewhere, later than others begin; a line's channels have no hole.
    #[test]
    fn a_call_is_found_where_the_far_end_put_it_and_where_channels_have_no_hole() {
        let folder = tempfile::tempdir().expect("a folder");
        let span = SpanId::new(0).expect("a span");
        let mut capture =
            Capture::start(folder.path(), BTreeMap::from([(span, Side::User)]), 0).expect("starts");
        let at = Instant::millis;
        // Left open: no SETUP names a channel.
        capture.frame(at(1000), span, true, frame(0, false, &setup(2)[..10]));
        capture.event(at(1000), &dialling(1, (1, 31)));
        let placed = [8, 2, 0x80, 2, 2, 0x18, 3, 0xA9, 0x83, 0x94];
        capture.frame(at(4500), span, false, frame(0, true, &placed));
        capture.event(at(4500), &CallEvent::Moved { leg: leg(1), channel: (1, 20), glare: false });
        // Number 25 is timeslot 26.
        capture.frame(at(5000), span, true, frame(1, false, &setup(25)));
        capture.event(at(5000), &dialling(2, (1, 26)));
        let words = |call: &str| traced(folder.path(), call, 3).remove(0);
        assert_eq!(words("c1.1"), "     0.000  -->   SETUP");
        let told = traced(folder.path(), "c1.2", 2);
        assert_eq!(told[0], "     0.000  -->   SETUP on 25 and no other");
    }

    #[test]
    fn who_is_withheld_is_withheld_here_too_and_a_diversion_is_told() {
        let event: Value = serde_json::json!({"event": "incoming"});
        let data = serde_json::json!({
            "leg": "l1.1", "calling": {"digits": "5551", "presentation": "restricted"},
            "called": {"digits": "8001"}, "name": "Lin",
            "diverted": {"from": {"digits": "4711"}, "reason": "busy"},
        });
        let words = in_words(&event, &data);
        assert_eq!(
            words,
            "incoming called 8001 calling withheld diverted from 4711 (busy) name Lin"
        );
    }

    /// What the capture writes, the trace reads: one call among others, in the order of time.
    #[test]
    fn a_call_is_followed_from_its_setup_to_its_end_and_others_are_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let span = SpanId::new(0).expect("a span");
        let mut capture =
            Capture::start(folder.path(), BTreeMap::from([(span, Side::User)]), 0).expect("starts");
        // Another call had the channel half a second before.
        capture.frame(Instant::millis(1500), span, true, frame(0, false, &setup(2)));
        capture.frame(Instant::millis(1600), span, true, frame(1, false, &[8, 2, 0, 2, 0x5A]));
        for n in 1..=2 {
            let at = Instant::seconds(u64::from(n));
            capture.frame(at, span, true, frame(n as u8 + 1, false, &setup(n as u8)));
            capture.event(at, &dialling(n, (1, n as u8)));
        }
        let later = Instant::millis(2500);
        capture.frame(later, span, false, frame(0, true, &[8, 2, 0x80, 2, 7]));
        capture.event(later, &CallEvent::Answered { leg: leg(2) });
        let told = traced(folder.path(), "c1.2", 4);
        let expected = [
            "     0.000  -->   SETUP on 2 and no other",
            "     0.000        dialling channel [1,2]",
            "     0.500  <--   CONNECT",
            "     0.500        answered",
        ];
        assert_eq!(told, expected);
    }

    /// Every life begins at 0 of its own clock, and both have a call on the same channel with the same reference.
    #[test]
    fn two_lives_of_the_call_server_lie_apart_in_their_captures_as_the_time_of_day_did() {
        const UTC_US: i64 = 1_795_000_000_000_000;
        let folder = tempfile::tempdir().expect("a folder");
        let span = SpanId::new(0).expect("a span");
        let at = Instant::seconds(1);
        for (life, answered) in [(1_u32, true), (2, false)] {
            let sides = BTreeMap::from([(span, Side::User)]);
            let offset = UTC_US + i64::from(life) * 3_600_000_000;
            let mut capture = Capture::start(folder.path(), sides, offset).expect("starts");
            let end = if answered { 7 } else { 0x5A };
            capture.frame(at, span, true, frame(0, false, &setup(3)));
            capture.event(at, &dialling(life, (1, 3)));
            capture.frame(at.plus_millis(500), span, false, frame(0, true, &[8, 2, 0x80, 3, end]));
            capture.event(at.plus_millis(500), &CallEvent::Answered { leg: leg(life) });
            traced(folder.path(), &format!("c1.{life}"), 4);
        }
        let words = |life| traced(folder.path(), &format!("c1.{life}"), 4).remove(2);
        assert_eq!(words(1), "     0.500  <--   CONNECT");
        assert_eq!(words(2), "     0.500  <--   RELEASE COMPLETE");
        // And an analyser shows the time of day.
        let octets = std::fs::read(folder.path().join("span1.pcap.old")).expect("put aside");
        let first = pcap::records(&octets).and_then(|mut records| records.next());
        let utc = Instant::micros(UTC_US as u64 + 3_600_000_000 + 1_000_000);
        assert_eq!(first.map(|record| record.at), Some(utc));
    }

    #[test]
    fn without_a_capture_it_is_said_what_to_do() {
        let error = trace(Path::new("/nonexistent"), "c1.1").expect_err("nothing there");
        assert!(error.to_string().contains("capture"), "{error:#}");
    }
}
