//! The demonstration as a person sees it: a screen that is drawn anew, or plain lines when it is no terminal.

use std::collections::VecDeque;
use std::io::{IsTerminal as _, Write as _};

use exchange::Offering;
use serde_json::Value;

use super::watch::Seen;

/// A terminal has so many columns at least: a longer line would break the screen.
const COLUMNS: usize = 80;
/// What was said last stays on the screen.
const NEWS_MAX: usize = 4;

/// Where the demonstration is shown.
pub struct View {
    terminal: bool,
    last_line_second: Option<u64>,
    news: VecDeque<String>,
}

impl View {
    /// Standard error: standard output is the summary's.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { terminal, last_line_second: None, news: VecDeque::new() }
    }

    /// Says something that happened.
    pub fn say(&mut self, second: u64, what: &str) {
        let line = format!("{second:>4} s  {what}");
        let _ = writeln!(std::io::stderr(), "{line}");
        if self.news.len() == NEWS_MAX {
            self.news.pop_front();
        }
        self.news.push_back(line);
    }

    /// Shows the house as it is: a screen a call, or a line every five seconds.
    pub fn show(&mut self, second: u64, of: u64, seen: &Seen) {
        if self.terminal {
            let mut screen = screen(second, of, seen);
            self.news.iter().for_each(|line| screen += &format!("{}\n", fit(line)));
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
    let mut lines = vec![format!("Trunkline demo  {}  {}", bar(second, of), phase(seen))];
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
        "incoming  {} offered   {} answered   {} served   {} here",
        i.offered, i.answered, i.served, i.here
    ));
    lines.push(format!(
        "  lost    {} trunk   {} ivr   {} queue   {} agent",
        i.lost.trunk, i.lost.ivr, i.lost.queue, i.lost.agent
    ));
    lines.push(format!(
        "dialled   {}   {} person   {} machine   {} other   {} in flight",
        o.dialled, o.person, o.machine, o.other, o.in_flight
    ));
    lines.push(format!(
        "          {} busy   {} no answer   {} vacant   {} congestion",
        o.busy, o.no_answer, o.vacant, o.congestion
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
    let lines: Vec<&str> = lines.iter().map(|line| fit(line)).collect();
    lines.join("\n") + "\n"
}

/// As much of a line as a terminal has columns for.
fn fit(line: &str) -> &str {
    let end = line.char_indices().nth(COLUMNS).map_or(line.len(), |(at, _)| at);
    line.get(..end).unwrap_or(line)
}

fn bar(second: u64, of: u64) -> String {
    const WIDTH: u64 = 20;
    let full = (second.min(of) * WIDTH).checked_div(of).unwrap_or(WIDTH);
    let (full, rest) = (full as usize, (WIDTH - full) as usize);
    format!("[{}{}] {second}/{of} s", "#".repeat(full), ".".repeat(rest))
}

fn phase(seen: &Seen) -> &'static str {
    match seen.far.offering {
        Offering::Waiting => "waiting for the spans",
        Offering::Running { .. } => "calls come and go",
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

#[cfg(test)]
mod tests {
    use exchange::Truth;
    use serde_json::json;

    use super::super::summary::Report;
    use super::super::watch::Far;
    use super::*;

    fn busy_house() -> Seen {
        let channels: Vec<_> = (1..=31).map(|slot| json!([slot, "busy"])).collect();
        let span = |number| {
            json!({"span": number, "channels": channels, "in_service": false, "link": false,
                   "alarms": ["LOS", "AIS", "RAI"]})
        };
        let many = 123_456;
        let mut report = Report::default();
        let i = &mut report.inbound;
        (i.offered, i.answered, i.served, i.here) = (many, many, many, many);
        (i.lost.trunk, i.lost.ivr, i.lost.queue, i.lost.agent) = (many, many, many, many);
        let o = &mut report.outbound;
        (o.dialled, o.person, o.machine, o.other, o.in_flight) = (many, many, many, many, many);
        (o.busy, o.no_answer, o.vacant, o.congestion) = (many, many, many, many);
        Seen {
            report,
            far: Far { truth: Truth::default(), offering: Offering::Waiting },
            status: json!({
                "spans": [span(1), span(2), span(3), span(4)],
                "boards": [{"interrupts": many, "missed": many, "gaps": many}],
                "rings": {"underruns": many},
            }),
            agents: json!({"agents": [{"state": "idle"}, {"state": "talking"}, {"state": "wrap_up"}]}),
            queues: json!({"queues": [{"queue": "sales", "waiting": many}]}),
        }
    }

    #[test]
    fn the_screen_of_a_busy_day_fits_a_small_terminal_and_says_everything() {
        let text = screen(86_399, 86_400, &busy_house());
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.lines().count() + NEWS_MAX < 24, "{text}");
        assert_eq!(text.matches("123456").count(), 4 + 4 + 5 + 4 + 4 + 1, "{text}");
        assert!(text.contains("waiting for the spans") && text.contains("LOS AIS RAI"), "{text}");
    }
}
