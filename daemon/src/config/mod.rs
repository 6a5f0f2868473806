//! One TOML file for all processes; each checks all of it. What is wrong is named with its line, and nothing
//! starts.

mod dahdi;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use tdm::SpanId;
use toml::Spanned;

pub use dahdi::{SpanLine, SpanLineError};
pub use shape::{
    Board, ChannelNumbers, Clock, Config, Dialect, Emulate, EmulatedBoard, EmulatedSpan, FarEnd,
    FarEndKind, Group, Host, Hunt, Media, Orphan, Overlap, Rule, Side, Signalling, Spans, Timers,
};

/// Something wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; 0 when it belongs to no line.
    pub line: usize,
    /// A sentence: what is wrong and what would be right.
    pub message: String,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file.
    pub file: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Problem { line, message }) in self.problems.iter().enumerate() {
            let separator = if n > 0 { "\n" } else { "" };
            match line {
                0 => write!(f, "{separator}{}: {message}", self.file)?,
                line => write!(f, "{separator}{}:{line}: {message}", self.file)?,
            }
        }
        Ok(())
    }
}

/// Where a board is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoardAddress {
    /// Behind a socket.
    VfioUser(String),
    /// In a slot.
    Pci(String),
}

impl Board {
    /// Where it is.
    pub fn address(&self) -> BoardAddress {
        let at = self.at.get_ref();
        match at.strip_prefix("vfio-user:") {
            Some(path) => BoardAddress::VfioUser(path.to_owned()),
            None => BoardAddress::Pci(at.clone()),
        }
    }
    /// Its spans in the order of the ports.
    ///
    /// # Errors
    /// A line that [`Config::parse`] would have refused.
    pub fn lines(&self) -> Result<Vec<SpanLine>, SpanLineError> {
        self.span.iter().map(|text| SpanLine::parse(text.get_ref())).collect()
    }
}

impl Host {
    /// The language of the prompts.
    pub fn prompt_language(&self) -> &str {
        match &self.language {
            Some(language) => language.get_ref(),
            None if matches!(self.zone.get_ref().as_str(), "cn" | "tw" | "hk" | "mo") => "zh",
            None => "en",
        }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Everything that is wrong, each with its line.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError {
            file: file.clone(),
            problems: vec![Problem { line: 0, message: format!("cannot be read: {e}") }],
        })?;
        Self::parse(&text, &file)
    }

    /// Checks `text`, which came from `file`.
    ///
    /// # Errors
    /// Everything that is wrong, each with its line.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|e| ConfigError {
            file: file.to_owned(),
            problems: vec![Problem {
                line: e.span().map_or(0, |span| line_of(text, span.start)),
                message: e.message().to_owned(),
            }],
        })?;
        let mut check = Check { text, problems: Vec::new() };
        check.all(&config);
        if check.problems.is_empty() {
            return Ok(config);
        }
        check.problems.sort_by_key(|p| p.line);
        Err(ConfigError { file: file.to_owned(), problems: check.problems })
    }

    /// Prompts that are mentioned and not among `known`.
    pub fn missing_prompts(&self, text: &str, known: &BTreeSet<String>) -> Vec<Problem> {
        let mut check = Check { text, problems: Vec::new() };
        let media = &self.media;
        for prompt in [&media.music, &media.announcement, &media.safe_harbour].into_iter().flatten()
        {
            if !known.contains(prompt.get_ref()) {
                check.at(prompt, format!("there is no prompt `{}`", prompt.get_ref()));
            }
        }
        for prompt in self.acd.prompts() {
            if !known.contains(prompt) {
                let line = check.line_with(prompt);
                check.line(line, format!("there is no prompt `{prompt}`"));
            }
        }
        check.problems
    }
}

/// All number rules of a group.
pub fn rules(group: &Group) -> impl Iterator<Item = &Rule> {
    [&group.called_out, &group.calling_out, &group.called_in, &group.calling_in]
        .into_iter()
        .flatten()
}

const fn is_dialled(octet: u8) -> bool {
    matches!(octet, b'0'..=b'9' | b'*' | b'#')
}

/// Whether this names a user or a group, known here or not.
fn may_be_allowed(entry: &str) -> bool {
    let parts = entry.split_once(':');
    parts.is_some_and(|(kind, name)| matches!(kind, "user" | "group") && !name.is_empty())
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&b| b == b'\n').count() + 1
}

/// Collects what does not hang together.
struct Check<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn at<T>(&mut self, where_: &Spanned<T>, message: impl Into<String>) {
        let line =
            if where_.span().is_empty() { 0 } else { line_of(self.text, where_.span().start) };
        self.line(line, message);
    }
    fn line(&mut self, line: usize, message: impl Into<String>) {
        self.problems.push(Problem { line, message: message.into() });
    }
    /// The first line with this text as a whole string, or at all; else the section's first.
    fn line_with(&self, text: &str) -> usize {
        let quoted = format!("\"{text}\"");
        [quoted.as_str(), text, "[acd", "[[acd"]
            .iter()
            .find_map(|needle| self.text.find(needle))
            .map_or(0, |offset| line_of(self.text, offset))
    }

    fn all(&mut self, config: &Config) {
        let spans = self.boards(config);
        self.groups(config, &spans);
        self.overflow(config);
        self.emulation(config);
        for entry in &config.media.allow {
            if !may_be_allowed(entry.get_ref()) {
                self.at(entry, "an entry of `allow` is `user:NAME` or `group:NAME`");
            }
        }
        for entry in config.acd.allow.iter().filter(|entry| !may_be_allowed(entry)) {
            let line = self.line_with(entry);
            self.line(line, "[acd] an entry of `allow` is `user:NAME` or `group:NAME`");
        }
        if let Some(language) = &config.host.language
            && !matches!(language.get_ref().as_str(), "en" | "zh")
        {
            self.at(language, "there are prompts in `en` and `zh`");
        }
        if dsp::zones::Zone::by_key(config.host.zone.get_ref()).is_none() {
            self.at(
                &config.host.zone,
                format!("there is no zone `{}`", config.host.zone.get_ref()),
            );
        }
        for problem in config.acd.problems() {
            let line = self.line_with(&problem.key);
            self.line(line, format!("[acd] {problem}"));
        }
        let groups: BTreeSet<&str> =
            config.media.group.iter().map(|g| g.name.get_ref().as_str()).collect();
        for group in config.acd.groups() {
            if !groups.contains(group) {
                let line = self.line_with(group);
                self.line(line, format!("[acd] there is no trunk group `{group}`"));
            }
        }
    }

    fn boards(&mut self, config: &Config) -> BTreeMap<SpanId, usize> {
        let mut spans = BTreeMap::new();
        for board in &config.spans.board {
            if board.span.is_empty() || board.span.len() > 8 {
                self.at(&board.at, "a board has 1 to 8 spans");
            }
            if let Some(ring) = &board.ring
                && !(driver::RING_MIN..=driver::RING_MAX).contains(ring.get_ref())
            {
                self.at(
                    ring,
                    format!("a ring has {} to {} buffers", driver::RING_MIN, driver::RING_MAX),
                );
            }
            if let BoardAddress::Pci(at) = board.address()
                && let Err(error) = at.parse::<bus::pci::PciAddress>()
            {
                self.at(&board.at, format!("{error}; `vfio-user:PATH` is an emulated board"));
            }
            for text in &board.span {
                match SpanLine::parse(text.get_ref()) {
                    Err(error) => self.at(text, error.to_string()),
                    Ok(line) => {
                        let this = line_of(self.text, text.span().start);
                        if let Some(first) = spans.insert(line.span, this) {
                            let span = line.span;
                            self.at(text, format!("span {span} was described in line {first}"));
                        }
                    }
                }
            }
        }
        spans
    }

    fn groups(&mut self, config: &Config, spans: &BTreeMap<SpanId, usize>) {
        let mut names = BTreeSet::new();
        let mut taken: BTreeMap<u8, &str> = BTreeMap::new();
        for group in &config.media.group {
            let name = group.name.get_ref().as_str();
            if name.is_empty() || name.len() > 64 {
                self.at(&group.name, "a group's name has 1 to 64 octets");
            }
            if !names.insert(name) {
                self.at(&group.name, format!("there are two groups named `{name}`"));
            }
            if group.spans.is_empty() {
                self.at(&group.name, format!("group `{name}` has no span"));
            }
            for number in &group.spans {
                let n = *number.get_ref();
                let known = usize::from(n).checked_sub(1).and_then(SpanId::new);
                if !known.is_some_and(|span| spans.contains_key(&span)) {
                    self.at(number, format!("group `{name}`: no board has a span {n}"));
                }
                if let Some(other) = taken.insert(n, name) {
                    self.at(number, format!("span {n} is in group `{other}` already"));
                }
            }
            if let Some(capacity) = &group.capacity {
                let channels = group.spans.len() * 30;
                let n = usize::from(*capacity.get_ref());
                if n == 0 || n > channels {
                    let message = format!("a capacity of 1 to {channels}: 30 channels a span");
                    self.at(capacity, message);
                }
            }
            if let Some(dialect) = &group.dialect
                && signalling::Dialect::by_name(dialect.get_ref()).is_none()
            {
                let known = signalling::Dialect::ALL.map(|dialect| dialect.name).join(", ");
                self.at(dialect, format!("no dialect `{}`: {known}", dialect.get_ref()));
            }
            if let Some(seconds) = &group.no_answer_seconds
                && !(1..=3600).contains(seconds.get_ref())
            {
                self.at(seconds, "1 to 3600 seconds");
            }
            for rule in rules(group) {
                if let Err(error) = media::Pattern::parse(rule.pattern.get_ref()) {
                    self.at(&rule.pattern, error.to_string());
                }
                if let Some(prepend) = &rule.prepend
                    && (prepend.get_ref().len() > 32 || !prepend.get_ref().bytes().all(is_dialled))
                {
                    self.at(prepend, "at most 32 of 0 to 9, * and #");
                }
            }
            for rate in [&group.calls_per_second, &group.burst].into_iter().flatten() {
                if *rate.get_ref() == 0 {
                    self.at(rate, "must be at least 1");
                }
            }
            if let Some(number) = &group.number
                && (number.get_ref().is_empty()
                    || number.get_ref().len() > 32
                    || !number.get_ref().bytes().all(|c| c.is_ascii_digit()))
            {
                self.at(number, "a number has 1 to 32 digits");
            }
        }
    }

    /// Every overflow leads to a group, and none comes back.
    fn overflow(&mut self, config: &Config) {
        let next = |name: &str| {
            let group = config.media.group.iter().find(|g| g.name.get_ref() == name);
            group.and_then(|group| group.overflow.as_ref())
        };
        for group in &config.media.group {
            let Some(overflow) = &group.overflow else { continue };
            if !config.media.group.iter().any(|g| g.name.get_ref() == overflow.get_ref()) {
                self.at(overflow, format!("there is no trunk group `{}`", overflow.get_ref()));
                continue;
            }
            let mut at = Some(overflow);
            let steps = config.media.group.len();
            let comes_back = (0..steps).any(|_| {
                let here = at.map(|name| name.get_ref().as_str()) == Some(group.name.get_ref());
                at = at.and_then(|name| next(name.get_ref()));
                here
            });
            if comes_back {
                self.at(overflow, "this overflow comes back to its own group");
            }
        }
    }

    fn emulation(&mut self, config: &Config) {
        let mut sockets = BTreeSet::new();
        for board in &config.emulate.board {
            let model = board.model.get_ref().as_str();
            if !matches!(model, "TE405P" | "TE410P") {
                self.at(
                    &board.model,
                    format!("no model `{model}`: TE405P and TE410P are emulated"),
                );
            }
            if *board.generation.get_ref() != 5 {
                self.at(&board.generation, "generation 5 is emulated");
            }
            if !sockets.insert(board.socket.get_ref()) {
                self.at(&board.socket, "two boards cannot have one socket");
            }
            if board.span.len() > 4 {
                self.at(&board.model, format!("{model} has 4 ports"));
            }
            if board.ppm.is_nan() || board.ppm.abs() > 1000.0 {
                self.at(&board.socket, "`ppm` lies between -1000 and 1000");
            }
            if board.clock == Clock::Lock && !config.host.lockstep {
                self.at(
                    &board.socket,
                    "`clock = \"lock\"` needs `lockstep = true` in [host]: a driver that runs ahead would not be waited for",
                );
            }
            for span in &board.span {
                self.far_end(config, &span.far_end);
            }
        }
    }

    fn far_end(&mut self, config: &Config, at: &Spanned<FarEnd>) {
        let end = at.get_ref();
        let wants = |kind: FarEndKind| end.kind == kind;
        if wants(FarEndKind::Exchange) && end.scenario.is_none() {
            self.at(at, "an exchange needs a `scenario`: `demo`, or a file beside this one");
        }
        if !wants(FarEndKind::Exchange) && (end.scenario.is_some() || end.role.is_some()) {
            self.at(at, "`scenario` and `role` belong to an exchange");
        }
        if wants(FarEndKind::Link) {
            let port = end.board.and_then(|b| config.emulate.board.get(b)).zip(end.port);
            let other = port.and_then(|(board, port)| board.span.get(port));
            if other.is_none_or(|o| o.far_end.get_ref().kind != FarEndKind::Link) {
                self.at(at, "a link needs `board` and `port` (from 0) of a span that links back");
            }
        }
        if wants(FarEndKind::Dchannel) || wants(FarEndKind::E1) {
            let socket = end.socket.as_deref().and_then(|s| s.split_once(':'));
            if !socket
                .is_some_and(|(how, path)| matches!(how, "listen" | "connect") && !path.is_empty())
            {
                self.at(at, "this far end needs `socket = \"listen:PATH\"` or `\"connect:PATH\"`");
            }
        }
    }
}

#[cfg(test)]
mod tests;
