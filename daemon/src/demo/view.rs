//! The demonstration as a person sees it: a screen that is drawn anew, or plain lines when it is no terminal.

use std::io::{IsTerminal as _, Write as _};

use exchange::Offering;
use serde_json::Value;

use super::watch::Seen;

/// Where the demonstration is shown.
pub struct View {
    terminal: bool,
    last_line_second: Option<u64>,
}

impl View {
    /// Standard error: standard output is the summary's.
    pub fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), last_line_second: None }
    }

    /// Says something that happened.
    pub fn say(&mut self, second: u64, what: &str) {
        let _ = writeln!(std::io::stderr(), "{second:>4} s  {what}");
    }

    /// Shows the house as it is: a screen a call, or a line every five seconds.
    pub fn show(&mut self, second: u64, of: u64, seen: &Seen) {
        if self.terminal {
            let screen = screen(second, of, seen);
            // Home, then each line with what was behind it wiped, then the rest of the screen wiped.
            let _ = write!(std::io::stderr(), "\x1b[H{}\x1b[J", screen.replace('\n', "\x1b[K\n"));
        } else if second.is_multiple_of(5) && self.last_line_second != Some(second) {
            self.last_line_second = Some(second);
            self.say(second, &line(seen));
        }
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

fn line(seen: &Seen) -> String {
    let (i, o) = (&seen.report.inbound, &seen.report.outbound);
    let lost = i.lost.trunk + i.lost.ivr + i.lost.queue + i.lost.agent;
    format!(
        "in: {} offered, {} answered, {} served, {} lost, {} here | out: {} dialled, {} persons, \
         {} machines, {} in flight | agents: {}",
        i.offered,
        i.answered,
        i.served,
        lost,
        i.here,
        o.dialled,
        o.person,
        o.machine,
        o.in_flight,
        agents(&seen.agents),
    )
}

fn screen(second: u64, of: u64, seen: &Seen) -> String {
    let (i, o) = (&seen.report.inbound, &seen.report.outbound);
    let mut lines = vec![format!("Trunkline demo   {}   {}", bar(second, of), phase(seen))];
    lines.push(String::new());
    lines.extend(seen.status["spans"].as_array().into_iter().flatten().map(span));
    lines.push(String::new());
    lines.push(format!("agents    {}", agents(&seen.agents)));
    lines.extend(seen.queues["queues"].as_array().into_iter().flatten().map(|queue| {
        let name = queue["queue"].as_str().or(queue["name"].as_str()).unwrap_or("?");
        format!("queue     {name}: {} waiting", queue["waiting"])
    }));
    lines.push(String::new());
    lines.push(format!(
        "incoming  {} offered   {} answered   {} served   lost: {} trunk, {} ivr, {} queue, {} agent   {} here",
        i.offered, i.answered, i.served, i.lost.trunk, i.lost.ivr, i.lost.queue, i.lost.agent, i.here
    ));
    lines.push(format!(
        "dialled   {}   {} person   {} machine   {} busy   {} no answer   {} vacant   {} congestion   {} other   \
         {} in flight",
        o.dialled, o.person, o.machine, o.busy, o.no_answer, o.vacant, o.congestion, o.other, o.in_flight
    ));
    let board = seen.board();
    lines.push(format!(
        "board     {} interrupts   {} missed   {} gaps   {} underruns",
        board.interrupts,
        board.missed,
        board.gaps,
        seen.underruns()
    ));
    lines.push(String::new());
    lines.join("\n")
}

fn bar(second: u64, of: u64) -> String {
    const WIDTH: u64 = 30;
    let full = (second.min(of) * WIDTH).checked_div(of).unwrap_or(WIDTH);
    let (full, rest) = (full as usize, (WIDTH - full) as usize);
    format!("[{}{}] {second}/{of} s", "#".repeat(full), ".".repeat(rest))
}

fn phase(seen: &Seen) -> &'static str {
    match seen.far.offering {
        Offering::Waiting => "waiting for the spans",
        Offering::Running { .. } => "callers come, the list is dialled",
        Offering::Over => "draining",
    }
}

/// A span in a line: a letter a channel.
fn span(span: &Value) -> String {
    let letter = |channel: &Value| match channel[1].as_str() {
        Some("idle") => '.',
        Some("busy") => '#',
        Some("blocked") => 'b',
        Some("draining") => 'd',
        _ => 'x',
    };
    let channels: String = span["channels"].as_array().into_iter().flatten().map(letter).collect();
    let up = if span["in_service"] == true { "up" } else { "down" };
    let link = if span["link"] == true { "link" } else { "no link" };
    let alarms: Vec<&str> =
        span["alarms"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    format!("span {}    {channels}  {up}, {link} {}", span["span"], alarms.join(" "))
}

/// Agents by state.
fn agents(agents: &Value) -> String {
    let list = agents["agents"].as_array().or(agents.as_array());
    let mut states: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for agent in list.into_iter().flatten() {
        *states.entry(agent["state"].as_str().unwrap_or("?")).or_default() += 1;
    }
    let states: Vec<String> = states.iter().map(|(state, n)| format!("{n} {state}")).collect();
    states.join(", ")
}
