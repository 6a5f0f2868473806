//! One TOML file for all processes; each checks all of it. What is wrong is named with its line, and nothing
//! starts.

mod channels;
mod dahdi;
mod lines;
mod members;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use tdm::SpanId;
use toml::Spanned;

pub use channels::{Channels, Use};
pub use dahdi::{Carrier, Coding, Framing, SpanLine, SpanLineError};
pub use lines::Line;
use lines::Lines;
pub use shape::{
    Bearer, Board, ChannelChoice, ChannelNumbers, Clock, Config, Emulate, EmulatedBoard,
    EmulatedSpan, FarEnd, FarEndKind, Group, Host, Hunt, Media, Orphan, Overlap, RestartForm, Rule,
    ServiceMessages, Side, Signalling, Spans, Timers,
};

pub use shape::ScheduledFault;

/// Something wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, when it is not the configuration itself.
    pub file: Option<String>,
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
        for (n, problem) in self.problems.iter().enumerate() {
            let separator = if n > 0 { "\n" } else { "" };
            write!(f, "{separator}{}", problem.told(&self.file))?;
        }
        Ok(())
    }
}

impl Problem {
    /// With its place; `file` is the configuration.
    pub fn told(&self, file: &str) -> String {
        let file = self.file.as_deref().unwrap_or(file);
        match self.line {
            0 => format!("{file}: {}", self.message),
            line => format!("{file}:{line}: {}", self.message),
        }
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
}

impl EmulatedBoard {
    /// The board of the family that is meant; `None`: there is none, or it is not emulated.
    pub fn known_model(&self) -> Option<firmware_headers::model::Model> {
        let wanted = (self.model.get_ref().as_str(), *self.generation.get_ref());
        let mut all = firmware_headers::model::MODELS.into_iter();
        all.find(|one| one.generation >= 2 && (one.name, one.generation) == wanted)
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
            problems: vec![Problem {
                file: None,
                line: 0,
                message: format!("cannot be read: {e}"),
            }],
        })?;
        Self::parse_in(&text, &file, path.parent().unwrap_or(Path::new(".")))
    }

    /// Checks `text`, which came from `file`; a `system.conf` it names lies beside us.
    ///
    /// # Errors
    /// Everything that is wrong, each with its line.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        Self::parse_in(text, file, Path::new("."))
    }

    fn parse_in(text: &str, file: &str, folder: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|e| ConfigError {
            file: file.to_owned(),
            problems: vec![Problem {
                file: None,
                line: e.span().map_or(0, |span| line_of(text, span.start)),
                message: e.message().to_owned(),
            }],
        })?;
        let mut check = Check { text, problems: Vec::new() };
        let lines = check.lines(&config, folder);
        if let Some(zone) = &lines.zone
            && config.host.zone.span().is_empty()
        {
            config.host.zone = Spanned::new(0..0, zone.clone());
        }
        check.all(&config, &lines);
        if check.problems.is_empty() {
            for (board, lines) in config.spans.board.iter_mut().zip(lines.boards) {
                board.lines = lines;
            }
            config.notes = lines.notes;
            return Ok(config);
        }
        check.problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Err(ConfigError { file: file.to_owned(), problems: check.problems })
    }

    /// The line that leads to a port of an emulated board, and the trunk group that uses it, when any do.
    pub fn opposite(&self, board: &EmulatedBoard, port: usize) -> Option<(&Line, Option<&Group>)> {
        let is_it = |it: &&Board| {
            let address = it.address();
            matches!(address, BoardAddress::VfioUser(path) if path == *board.socket.get_ref())
        };
        let line = self.spans.board.iter().find(is_it)?.lines.get(port)?;
        let uses = |group: &&Group| group.whole_spans().any(|span| span == line.span.span);
        Some((line, self.media.group.iter().find(uses)))
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

/// Why no calls can be signalled on the line as they are on ISDN.
fn unfit_for_pri(line: &Line) -> Option<&'static str> {
    if line.channels.with_bits().next().is_some() && line.channels.d_channel().is_none() {
        return Some(
            "has signalling bits and no D-channel, and no engine for such channels is there yet: leave it \
             out of groups",
        );
    }
    if line.channels.d_channel().is_none() {
        return Some(
            "has no D-channel of its own: several spans under one (NFAS) are not there; give it `dchan=`",
        );
    }
    line.channels.bearers().is_empty().then_some("has no channel for calls: give it `bchan=`")
}

/// All number rules of a group.
pub fn rules(group: &Group) -> impl Iterator<Item = &Rule> {
    [&group.called_out, &group.calling_out, &group.called_in, &group.calling_in]
        .into_iter()
        .flatten()
}

fn is_dialect(name: &str) -> bool {
    signalling::Dialect::by_name(name).is_some()
}

fn no_dialect(name: &str) -> String {
    let known = signalling::Dialect::ALL.map(|dialect| dialect.name).join(", ");
    format!("no dialect `{name}`: {known}")
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
        self.problems.push(Problem { file: None, line, message: message.into() });
    }
    /// The first line with this text as a whole string, or at all; else the section's first.
    fn line_with(&self, text: &str) -> usize {
        let quoted = format!("\"{text}\"");
        [quoted.as_str(), text, "[acd", "[[acd"]
            .iter()
            .find_map(|needle| self.text.find(needle))
            .map_or(0, |offset| line_of(self.text, offset))
    }

    fn all(&mut self, config: &Config, lines: &Lines) {
        self.boards(config);
        self.groups(config, lines);
        self.members(config, lines);
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

    fn boards(&mut self, config: &Config) {
        for board in &config.spans.board {
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
        }
    }

    fn groups(&mut self, config: &Config, lines: &Lines) {
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
            for number in &group.spans {
                let n = *number.get_ref();
                let known = usize::from(n).checked_sub(1).and_then(SpanId::new);
                match known.and_then(|span| lines.of(span)) {
                    None => self.at(number, format!("group `{name}`: no board has a span {n}")),
                    Some(line) => {
                        if let Some(why) = unfit_for_pri(line) {
                            self.at(number, format!("group `{name}`: span {n} {why}"));
                        }
                    }
                }
                if let Some(other) = taken.insert(n, name) {
                    self.at(number, format!("span {n} is in group `{other}` already"));
                }
            }
            if let Some(capacity) = &group.capacity {
                let channels = members::channels_of(group, config, lines);
                let n = usize::from(*capacity.get_ref());
                if n == 0 || n > channels {
                    let message = format!(
                        "a capacity of 1 to {channels}: 30 channels on an E1, 23 on a T1, or those named, without \
                         those other groups name"
                    );
                    self.at(capacity, message);
                }
            }
            if let Some(dialect) = &group.dialect
                && !is_dialect(dialect.get_ref())
            {
                self.at(dialect, no_dialect(dialect.get_ref()));
            }
            self.spoken_where_it_can_be(group, lines);
            if let Some(seconds) = &group.no_answer_seconds
                && !(1..=3600).contains(seconds.get_ref())
            {
                self.at(seconds, "1 to 3600 seconds");
            }
            self.interface(group);
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

    /// What belongs to one kind of line is not asked for on the other.
    fn spoken_where_it_can_be(&mut self, group: &Group, lines: &Lines) {
        let (name, t1) = (group.name.get_ref(), signalling::Dialect::EURO_ISDN_T1.name);
        for number in &group.spans {
            let n = *number.get_ref();
            let span = usize::from(n).checked_sub(1).and_then(SpanId::new);
            let carrier = span.and_then(|span| lines.of(span)).map(Line::carrier);
            if let Some(dialect) = group.dialect.as_ref().filter(|it| it.get_ref() == t1)
                && carrier == Some(Carrier::E1)
            {
                let cure = "`euroisdn` is the same on an E1";
                self.at(
                    dialect,
                    format!("group `{name}`: span {n} is an E1, `{t1}` a T1's: {cure}"),
                );
            }
            if group.channel_numbers == ChannelNumbers::Logical && carrier == Some(Carrier::T1) {
                let cure = "leave `channel_numbers` away";
                let message = format!("a T1 has no hole to number its channels without: {cure}");
                self.at(number, format!("group `{name}`: span {n}: {message}"));
            }
        }
    }

    /// What the D-channels of a group are told: values that work, and only together.
    fn interface(&mut self, group: &Group) {
        for (value, low, high) in group.timers.given() {
            if !(low..=high).contains(value.get_ref()) {
                self.at(value, format!("{low} to {high}"));
            }
        }
        if let (Some(t200), Some(t203)) = (&group.timers.t200_millis, &group.timers.t203_millis)
            && t203.get_ref() <= t200.get_ref()
        {
            self.at(t203, "T203 must be longer than T200");
        }
        if let Some(digits) =
            group.overlap.digits.as_ref().filter(|n| !(1..=32).contains(n.get_ref()))
        {
            self.at(digits, "a number has 1 to 32 digits");
        }
        if let Some(facility) =
            group.network_facility.as_ref().filter(|_| group.side == Some(Side::Network))
        {
            self.at(facility, "it asks the network for a service: leave it away as a network");
        }
        if let Some(choice) = &group.channel_choice
            && *choice.get_ref() == ChannelChoice::Any
            && group.side == Some(Side::Network)
            && group.dialect.as_ref().is_none_or(|dialect| dialect.get_ref() != "qsig")
        {
            self.at(choice, "a network names a channel for every call: `exclusive` or `preferred`");
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
        for it in &config.emulate.fault {
            let name = Some(it.fault.get_ref().as_str());
            let known = match it.port {
                Some(_) => crate::faults::of_port(name, it.value).map(drop),
                None => crate::faults::of_board(name, it.value).map(drop),
            };
            if let Err(why) = known {
                self.at(&it.fault, why);
            }
            let ports = config.emulate.board.get(it.board).and_then(EmulatedBoard::known_model);
            if ports.is_none_or(|model| it.port.is_some_and(|port| port >= model.spans.into())) {
                self.at(&it.fault, "there is no such emulated board or port (from 0)");
            }
            let times = [it.after_seconds, it.for_seconds.unwrap_or_default()];
            if times.iter().any(|seconds| !(0.0..=1e9).contains(seconds)) {
                self.at(&it.fault, "`after_seconds` and `for_seconds` are seconds from 0 on");
            }
        }
        for board in &config.emulate.board {
            let model = board.model.get_ref().as_str();
            let known = board.known_model();
            if known.is_none() {
                let generation = *board.generation.get_ref();
                self.at(
                    &board.model,
                    format!(
                        "no model `{model}` of generation {generation} is emulated: TE205P, TE210P, TE220, TE405P, \
                         TE410P, TE420 of generations 2 to 5 (PCIe from 4), TE820 of 5"
                    ),
                );
            }
            if !sockets.insert(board.socket.get_ref()) {
                self.at(&board.socket, "two boards cannot have one socket");
            }
            if let Some(known) = known.filter(|known| board.span.len() > usize::from(known.spans)) {
                self.at(&board.model, format!("{model} has {} ports", known.spans));
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
        let is_told = end.scenario.is_some() || end.role.is_some() || end.dialect.is_some();
        if !wants(FarEndKind::Exchange) && is_told {
            self.at(at, "`scenario`, `role` and `dialect` belong to an exchange");
        }
        if let Some(dialect) = end.dialect.as_ref().filter(|dialect| !is_dialect(dialect)) {
            self.at(at, no_dialect(dialect));
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
