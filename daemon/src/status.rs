//! `trunkline status`: what the call server answers, in lines for people.

use serde_json::Value;

/// Channels with signalling bits in one line of print.
const BITS_A_LINE: usize = 8;

/// How boards, lines and trunk groups stand.
pub fn told(status: &Value) -> Vec<String> {
    let list = |key: &str| status.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut text = Vec::new();
    for (n, board) in list("boards").enumerate() {
        board_told(n, board, status, &mut text);
    }
    for line in list("lines") {
        line_told(line, status, &mut text);
    }
    text.extend(list("groups").map(group_told));
    text
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn is(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}

fn board_told(n: usize, board: &Value, status: &Value, text: &mut Vec<String>) {
    let clock = match board.get("clock_port").and_then(Value::as_u64) {
        None => if is(board, "running") { ", its own clock" } else { "" }.to_owned(),
        Some(port) => {
            let lines = status.get("lines").and_then(Value::as_array);
            let span = lines
                .into_iter()
                .flatten()
                .find(|line| number(line, "board") == n as u64 && number(line, "port") == port);
            format!(", clocked by span {}", span.map_or(port, |line| number(line, "span")))
        }
    };
    let master = status.get("master").and_then(Value::as_u64) == Some(n as u64);
    text.push(format!(
        "board {n}: {}{clock}{}, {} interrupts, {} missed, {} gaps ({} ms)",
        if is(board, "running") { "running" } else { "gone" },
        if master { ", the house's clock" } else { "" },
        number(board, "interrupts"),
        number(board, "missed"),
        number(board, "gaps"),
        number(board, "lost_millis"),
    ));
    let storms = number(board, "storms");
    if storms > 0 {
        text.push(format!(
            "  {storms} interrupts came without end and with nothing behind them: its line is stuck, or shared with a device \
             that nobody serves; another slot, or that device's driver"
        ));
    }
    let slips = number(board, "slips_in") + number(board, "slips_out");
    let ppm = board.get("drift_ppm").and_then(Value::as_f64);
    if let Some(ppm) = ppm.filter(|_| slips > 0) {
        text.push(format!(
            "  {slips} slips against the house's clock, which it leaves by {ppm:.1} ppm: check the clock source; \
             clock all boards from one network"
        ));
    }
}

fn line_told(line: &Value, status: &Value, text: &mut Vec<String>) {
    let span = number(line, "span");
    let spans = status.get("spans").and_then(Value::as_array);
    let link = spans.into_iter().flatten().find(|one| number(one, "span") == span);
    let words = |key: &str| -> Vec<&str> {
        let list = line.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let alarms = words("alarms");
    let looped = match line.get("loopback").and_then(Value::as_str) {
        Some(kind) => format!(", in a {kind} loop (`ctl loopback` ends it)"),
        None => String::new(),
    };
    text.push(format!(
        "span {span}: line {}, {}{}{looped}{}{} ({}, board {} port {})",
        if is(line, "in_service") { "up" } else { "down" },
        match link {
            None => "no link",
            Some(link) if is(link, "link") => "link up",
            Some(_) => "link down",
        },
        if is(line, "is_clock") { ", clocks the board" } else { "" },
        if alarms.is_empty() { "" } else { ", alarms " },
        alarms.join(" "),
        line.get("line").and_then(Value::as_str).unwrap_or("?"),
        number(line, "board"),
        number(line, "port"),
    ));
    for (key, name) in [("quarter", "15 min"), ("day", "24 h")] {
        if let Some(seconds) = line.get(key).filter(|seconds| wrong(seconds)) {
            text.push(format!(
                "  {name}: of {} s {} errored, {} severely, {} unavailable, {} with slips",
                number(seconds, "seconds"),
                number(seconds, "errored"),
                number(seconds, "severely_errored"),
                number(seconds, "unavailable"),
                number(seconds, "slips"),
            ));
        }
    }
    if let Some(errors) = line.get("errors").filter(|errors| {
        ["crc", "frame", "code", "slips"].iter().any(|key| number(errors, key) > 0)
    }) {
        text.push(format!(
            "  since the board started: {} CRC errors, {} wrong frame signals, {} code violations, {} slips",
            number(errors, "crc"),
            number(errors, "frame"),
            number(errors, "code"),
            number(errors, "slips"),
        ));
    }
    text.extend(words("advice").iter().map(|advice| format!("  {advice}")));
    bits_told(line, text);
}

/// Whether anything but good seconds is in it.
fn wrong(seconds: &Value) -> bool {
    ["errored", "severely_errored", "unavailable", "slips"]
        .iter()
        .any(|key| number(seconds, key) > 0)
}

fn bits_told(line: &Value, text: &mut Vec<String>) {
    let Some(bits) = line.get("bits").and_then(Value::as_object) else { return };
    let mut bits: Vec<(u64, &str)> = bits
        .iter()
        .filter_map(|(channel, abcd)| Some((channel.parse().ok()?, abcd.as_str()?)))
        .collect();
    bits.sort_unstable();
    for some in bits.chunks(BITS_A_LINE) {
        let words: Vec<String> = some.iter().map(|(c, abcd)| format!("{c}:{abcd}")).collect();
        text.push(format!("  bits {}", words.join(" ")));
    }
}

fn group_told(group: &Value) -> String {
    format!(
        "group {}: {} of {} in use, {} offered, {} refused, {} dialled, {} answered",
        group.get("name").and_then(Value::as_str).unwrap_or("?"),
        number(group, "in_use"),
        number(group, "capacity"),
        number(group, "offered"),
        number(group, "refused"),
        number(group, "dialled"),
        number(group, "answered"),
    )
}
