//! From span lines and channel lines, in the configuration or in a `system.conf`, to what each port of each board
//! is set to.

use std::collections::BTreeMap;
use std::path::Path;

use driver::framer;
use tdm::{Law, SpanId};

use super::channels::{ChannelLine, Channels, Said, Use, misfit};
use super::dahdi::{Carrier, Coding, Framing, SpanLine};
use super::{Check, Config, Problem, line_of};

/// A span as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line itself.
    pub span: SpanLine,
    /// What its channels are for.
    pub channels: Channels,
    /// A T1 as in Japan.
    pub j1: bool,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let framing = match self.span.framing {
            Framing::Ccs => "E1 CCS",
            Framing::Cas => "E1 CAS",
            Framing::D4 if self.j1 => "J1 D4",
            Framing::Esf if self.j1 => "J1 ESF",
            Framing::D4 => "T1 D4",
            Framing::Esf => "T1 ESF",
        };
        let crc4 = if self.span.crc4 { " CRC-4" } else { "" };
        write!(f, "{framing} {}{crc4}", self.span.coding.name())
    }
}

impl Line {
    /// What kind of line it is.
    pub const fn carrier(&self) -> Carrier {
        self.span.carrier()
    }
    /// How speech is coded on it.
    pub const fn law(&self) -> Law {
        self.carrier().law()
    }
    /// How a framer is set up for it.
    pub fn mode(&self) -> framer::Mode {
        let framing = match self.span.framing {
            Framing::Ccs | Framing::Cas => framer::Framing::E1 { crc4: self.span.crc4 },
            Framing::D4 => framer::Framing::D4,
            Framing::Esf => framer::Framing::Esf,
        };
        let is_t1 = self.carrier() == Carrier::T1;
        framer::Mode {
            framing,
            zeros_replaced: self.span.coding != Coding::Ami,
            associated: match self.carrier() {
                Carrier::E1 => self.span.framing == Framing::Cas,
                Carrier::T1 => self.channels.with_bits().next().is_some(),
            },
            // The distances of DSX-1, codes 1 to 4, have one pulse on these boards.
            build_out: if is_t1 { self.span.build_out.saturating_sub(4) } else { 0 },
            clear: if is_t1 { self.channels.clear() } else { 0 },
            j1: is_t1 && self.j1,
        }
    }
}

/// All lines, and what else the files said.
#[derive(Default)]
pub(super) struct Lines {
    /// By board, then by port.
    pub boards: Vec<Vec<Line>>,
    /// What a person should know although nothing is wrong.
    pub notes: Vec<Problem>,
    /// The zone that the `system.conf` wants.
    pub zone: Option<String>,
}

impl Lines {
    /// The line of `span`, when a board has it.
    pub fn of(&self, span: SpanId) -> Option<&Line> {
        self.boards.iter().flatten().find(|line| line.span.span == span)
    }
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The `system.conf`; `None`: the configuration itself.
    file: Option<String>,
    line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{file}:{}", self.line),
            None => write!(f, "line {}", self.line),
        }
    }
}

/// `key=value`, and where it stands.
struct Entry {
    place: Place,
    key: String,
    value: String,
}

/// All of it, while it is put together.
#[derive(Default)]
struct Work {
    spans: BTreeMap<SpanId, (SpanLine, Place)>,
    /// By channel counted through all spans.
    uses: BTreeMap<u16, (Use, Place)>,
    engines: BTreeMap<SpanId, &'static str>,
}

impl Check<'_> {
    pub(super) fn lines(&mut self, config: &Config, folder: &Path) -> Lines {
        let mut lines = Lines::default();
        let mut work = Work::default();
        let entries = self.entries(config, folder);
        for entry in entries.iter().filter(|entry| entry.key == "span") {
            match SpanLine::parse(&entry.value) {
                Ok(line) => self.describe(&mut work, line, entry.place.clone()),
                Err(error) => self.problem(&entry.place, error.to_string()),
            }
        }
        let own = self.boards_of(config, &mut work);
        let from_file = config.spans.system_conf.is_some();
        for (span, (_, place)) in work.spans.iter().filter(|_| from_file) {
            if !own.iter().flatten().any(|one| one == span) {
                let message = format!("span {span} belongs to no board of this configuration");
                lines.notes.push(note(place, message));
            }
        }
        for entry in entries.iter().filter(|entry| entry.key != "span") {
            self.entry(&mut work, &mut lines, entry);
        }
        let channels = self.channels(&mut work, &mut lines);
        for (board, spans) in config.spans.board.iter().zip(own) {
            let line = |span: &SpanId| {
                let (line, _) = work.spans.get(span)?;
                Some(Line { span: *line, channels: *channels.get(span)?, j1: board.j1 })
            };
            lines.boards.push(spans.iter().filter_map(line).collect());
        }
        lines
    }

    /// The lines of the `system.conf`, and those that stand in the configuration itself.
    fn entries(&mut self, config: &Config, folder: &Path) -> Vec<Entry> {
        let mut entries = Vec::new();
        if let Some(name) = &config.spans.system_conf {
            let path = folder.join(name.get_ref());
            let file = path.display().to_string();
            match std::fs::read_to_string(&path) {
                Ok(text) => self.system_conf(&text, &file, &mut entries),
                Err(error) => self.at(name, format!("{file} cannot be read: {error}")),
            }
        }
        for text in &config.spans.channels {
            let place = Place { file: None, line: line_of(self.text, text.span().start) };
            match entry(text.get_ref(), &place) {
                Some(entry) if entry.key != "span" => entries.push(entry),
                _ => self.at(text, "a channel line is `key=channels`, as `bchan=1-15,17-31`"),
            }
        }
        entries
    }

    fn system_conf(&mut self, text: &str, file: &str, entries: &mut Vec<Entry>) {
        for (n, line) in text.lines().enumerate() {
            let line = line.split(['#', ';']).next().unwrap_or_default().trim();
            let place = Place { file: Some(file.to_owned()), line: n + 1 };
            match entry(line, &place) {
                Some(entry) => entries.push(entry),
                None if line.is_empty() => {}
                None => self.problem(&place, "a line is `key=value`"),
            }
        }
    }

    fn describe(&mut self, work: &mut Work, line: SpanLine, place: Place) {
        let span = line.span;
        match work.spans.get(&span) {
            Some((_, first)) => {
                let message = format!("span {span} was described in {first}");
                self.problem(&place, message);
            }
            None => drop(work.spans.insert(span, (line, place))),
        }
    }

    /// The spans of each board, in the order of the ports.
    fn boards_of(&mut self, config: &Config, work: &mut Work) -> Vec<Vec<SpanId>> {
        let mut all = Vec::new();
        let mut taken = Vec::new();
        for board in &config.spans.board {
            let count = board.span.len() + board.spans.len();
            if count == 0 || count > 8 || (!board.span.is_empty() && !board.spans.is_empty()) {
                let message = "a board has 1 to 8 spans: `span` lines, or `spans = [1, 2]` of the system.conf";
                self.at(&board.at, message);
            }
            let mut own = Vec::new();
            for text in &board.span {
                match SpanLine::parse(text.get_ref()) {
                    Err(error) => self.at(text, error.to_string()),
                    Ok(line) => {
                        own.push(line.span);
                        let place =
                            Place { file: None, line: line_of(self.text, text.span().start) };
                        self.describe(work, line, place);
                    }
                }
            }
            for number in &board.spans {
                let span = usize::from(*number.get_ref()).checked_sub(1).and_then(SpanId::new);
                match span.filter(|span| work.spans.contains_key(span)) {
                    None => self.at(number, "the system.conf describes no such span"),
                    Some(span) if taken.contains(&span) => {
                        self.at(number, format!("span {span} belongs to another port already"));
                    }
                    Some(span) => {
                        taken.push(span);
                        own.push(span);
                    }
                }
            }
            let carrier = |span: &SpanId| work.spans.get(span).map(|(line, _)| line.carrier());
            if board.j1 && own.iter().any(|span| carrier(span) == Some(Carrier::E1)) {
                self.at(&board.at, "`j1 = true` is for a board whose lines are all d4 or esf");
            }
            all.push(own);
        }
        all
    }

    /// A line that is no span line.
    fn entry(&mut self, work: &mut Work, lines: &mut Lines, entry: &Entry) {
        if matches!(entry.key.as_str(), "loadzone" | "defaultzone") {
            let zone = zone_of(&entry.value);
            if dsp::zones::Zone::by_key(zone).is_none() {
                self.problem(&entry.place, format!("there is no zone `{}`", entry.value));
            } else if entry.key == "defaultzone" {
                lines.zone = Some(zone.to_owned());
            }
            return;
        }
        let line = match ChannelLine::parse(&entry.key, &entry.value) {
            Ok(line) => line,
            Err(error) => return self.problem(&entry.place, error.to_string()),
        };
        if let Said::Ignored(why) = line.said {
            lines.notes.push(note(&entry.place, format!("`{}`: {why}", entry.key)));
        }
        for channel in line.channels.iter().flat_map(|&(first, last)| first..=last) {
            if let Err(message) = work.said(channel, line.said, &entry.place) {
                return self.problem(&entry.place, message);
            }
        }
    }

    /// What the channels of every span are for.
    fn channels(&mut self, work: &mut Work, lines: &mut Lines) -> BTreeMap<SpanId, Channels> {
        let mut all = BTreeMap::new();
        let spoken_of: Vec<(SpanId, u8, Use, Place)> = work
            .uses
            .iter()
            .filter_map(|(channel, (what, place))| {
                let (span, channel) = work.place_of(*channel)?;
                Some((span, channel, *what, place.clone()))
            })
            .collect();
        for (span, (line, place)) in &work.spans {
            let own = || spoken_of.iter().filter(|(of, ..)| of == span);
            let mut channels = Channels::NONE;
            if own().next().is_none() {
                channels = Channels::usual(line);
            }
            for (_, channel, what, place) in own() {
                let second = *what == Use::Signalling && channels.d_channel().is_some();
                if let Some(why) = misfit(line, *channel, *what) {
                    self.problem(place, format!("channel {channel} of span {span}: {why}"));
                } else if second {
                    self.problem(place, format!("span {span} has a D-channel already"));
                }
                channels.set(*channel, *what);
            }
            let with_bits = channels.with_bits().count();
            if with_bits > 0 {
                let kind = work.engines.get(span).copied().unwrap_or("CAS");
                let message = format!(
                    "span {span}: the signalling bits of {with_bits} channels are carried and `trunkline \
                     status` shows them; no {kind} engine is there, so these channels carry no calls yet"
                );
                lines.notes.push(note(place, message));
            }
            all.insert(*span, channels);
        }
        all
    }

    fn problem(&mut self, place: &Place, message: impl Into<String>) {
        let Place { file, line } = place.clone();
        self.problems.push(Problem { file, line, message: message.into() });
    }
}

impl Work {
    /// Which channel of which span the house's channel `number` is: DAHDI counts through all spans.
    fn place_of(&self, number: u16) -> Option<(SpanId, u8)> {
        let mut rest = number;
        for (span, (line, _)) in &self.spans {
            let channels = u16::from(line.channels());
            if rest <= channels {
                return Some((*span, u8::try_from(rest).ok()?));
            }
            rest -= channels;
        }
        None
    }

    /// A line says this of channel `number`.
    fn said(&mut self, number: u16, said: Said, place: &Place) -> Result<(), String> {
        let gap = self.spans.keys().zip(1..).find(|(span, n)| span.number() != *n);
        if let Some((_, missing)) = gap {
            return Err(format!(
                "channels are counted through all spans from the first, and span {missing} is not described"
            ));
        }
        let Some((span, _)) = self.place_of(number) else {
            let all: u16 = self.spans.values().map(|(line, _)| u16::from(line.channels())).sum();
            return Err(format!("there is no channel {number}: the spans have 1 to {all}"));
        };
        let what = match said {
            Said::Use(what) => what,
            Said::NoEngine(kind, idle) => {
                self.engines.insert(span, kind);
                Use::Bits { idle }
            }
            Said::Law(law) => {
                let own = self.spans.get(&span).map(|(line, _)| line.carrier().law());
                return match law.filter(|law| Some(*law) != own) {
                    None => Ok(()),
                    Some(_) => Err(format!(
                        "span {span} is coded as its line: A-law on an E1, mu-law on a T1"
                    )),
                };
            }
            Said::Ignored(_) => return Ok(()),
        };
        match self.uses.insert(number, (what, place.clone())) {
            Some((_, first)) => Err(format!("channel {number} was described in {first}")),
            None => Ok(()),
        }
    }
}

fn entry(text: &str, place: &Place) -> Option<Entry> {
    let (key, value) = text.split_once('=')?;
    // Older files have `=>`.
    let value = value.trim().trim_start_matches('>').trim().to_owned();
    Some(Entry { place: place.clone(), key: key.trim().to_ascii_lowercase(), value })
}

fn note(place: &Place, message: String) -> Problem {
    Problem { file: place.file.clone(), line: place.line, message }
}

/// The country that DAHDI calls `name`.
fn zone_of(name: &str) -> &str {
    match name {
        "uk" => "gb",
        "us-old" => "us",
        other => other,
    }
}
