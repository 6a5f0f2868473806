//! What the configuration puts at the far ends of emulated lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use emulator::{DChannel, E1, E1Clock, FarEnd, Link, Loopback, Meeting};
use exchange::scenario::{Role, Spoken};
use exchange::voices::{Voice, voice_of};
use exchange::{Exchange, Scenario, Voices};
use signalling::Carrier;

use crate::config::{Clock, Config, FarEndKind, Side};
use crate::paths::Paths;

/// The far ends of all emulated boards, and the networks behind them.
pub struct FarEnds {
    /// By board, then by port; `None`: nothing is plugged in.
    pub boards: Vec<Vec<Box<dyn FarEnd>>>,
    /// By the scenario's name in the file.
    pub exchanges: BTreeMap<String, Exchange>,
}

/// Builds what `config` asks for. Scenarios that are files stand beside the configuration, in `folder`; sockets
/// of far ends lie below the root of `paths`.
///
/// # Errors
/// A scenario that cannot be read, or has another number of spans than lead to it.
pub fn build(config: &Config, folder: &Path, paths: &Paths) -> Result<FarEnds> {
    let scenarios = scenarios(config, folder)?;
    let recordings = recordings(&scenarios, folder)?;
    build_of(config, scenarios, &recordings, paths)
}

/// Whether the networks that `config` asks for could be built.
///
/// # Errors
/// As [`build`].
pub fn check(config: &Config, folder: &Path) -> Result<()> {
    let scenarios = scenarios(config, folder)?;
    let recordings = recordings(&scenarios, folder)?;
    exchanges(config, scenarios, &recordings).map(drop)
}

fn scenarios(config: &Config, folder: &Path) -> Result<BTreeMap<String, Scenario>> {
    let mut scenarios = BTreeMap::new();
    for name in scenario_names(config) {
        let scenario = if name == "demo" {
            Scenario::demo()
        } else {
            let path = folder.join(&name);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("scenario {}", path.display()))?;
            Scenario::from_toml(&text).with_context(|| format!("scenario {}", path.display()))?
        };
        scenarios.insert(name, scenario);
    }
    Ok(scenarios)
}

/// The recordings that scenarios name as files; they stand beside the configuration, too.
fn recordings(scenarios: &BTreeMap<String, Scenario>, folder: &Path) -> Result<Vec<Voice>> {
    let announcements = scenarios.values().flat_map(|it| &it.subscribers.announcements);
    let files: BTreeSet<&str> = announcements
        .map(|announcement| announcement.recording.as_str())
        .filter(|recording| recording.ends_with(".wav"))
        .collect();
    let read = |name: &str| {
        let path = folder.join(name);
        let octets = std::fs::read(&path);
        let voice = octets.map_err(anyhow::Error::new).and_then(|o| Ok(voice_of(name, &o)?));
        voice.with_context(|| format!("recording {}", path.display()))
    };
    files.into_iter().map(read).collect()
}

fn exchanges(
    config: &Config,
    scenarios: BTreeMap<String, Scenario>,
    recordings: &[Voice],
) -> Result<BTreeMap<String, Exchange>> {
    let mut exchanges = BTreeMap::new();
    for (name, scenario) in scenarios {
        let wanted = scenario_names(config).filter(|n| *n == name).count();
        let spans = scenario.spans.len();
        if spans != wanted {
            bail!("scenario `{name}` has {spans} spans, and {wanted} lead to it");
        }
        let scenario = as_configured(config, &name, scenario)?;
        let voices = Voices { recordings: recordings.to_vec(), ..Voices::embedded() };
        let exchange = Exchange::new(scenario, config.emulate.seed, voices)
            .with_context(|| format!("scenario `{name}`"))?;
        exchanges.insert(name, exchange);
    }
    Ok(exchanges)
}

/// The scenario with what the configuration says of its spans, in their order: side and dialect where they are
/// given; where the scenario is silent, the dialect of the trunk group and the kind of line at the other end.
fn as_configured(config: &Config, name: &str, mut scenario: Scenario) -> Result<Scenario> {
    let mut spans = scenario.spans.iter_mut();
    for board in &config.emulate.board {
        for (port, span) in board.span.iter().enumerate() {
            let end = span.far_end.get_ref();
            if end.scenario.as_deref() != Some(name) {
                continue;
            }
            let Some(span) = spans.next() else { return Ok(scenario) };
            if let Some(role) = end.role {
                span.side = match role {
                    Side::User => Role::User,
                    Side::Network => Role::Network,
                };
            }
            let opposite = config.opposite(board, port);
            let group = opposite.and_then(|(_, group)| group);
            let trunk = group.and_then(|group| group.dialect.as_ref()).map(|it| it.get_ref());
            let known = if span.dialect.is_none() { trunk } else { None };
            if let Some(dialect) = end.dialect.as_ref().or(known) {
                let spoken = Spoken::try_from(dialect.clone()).map_err(anyhow::Error::msg);
                span.dialect = Some(spoken.with_context(|| format!("scenario `{name}`"))?);
            }
            let carrier = opposite.map(|(line, _)| line.carrier());
            span.line = span.line.or(carrier.map(|carrier| match carrier {
                Carrier::E1 => exchange::scenario::Line::E1,
                Carrier::T1 => exchange::scenario::Line::T1,
            }));
        }
    }
    Ok(scenario)
}

/// The same with scenarios from elsewhere, whose recordings are built in.
///
/// # Errors
/// A scenario that is missing, or has another number of spans than lead to it.
pub fn build_with(
    config: &Config,
    scenarios: BTreeMap<String, Scenario>,
    paths: &Paths,
) -> Result<FarEnds> {
    build_of(config, scenarios, &[], paths)
}

fn build_of(
    config: &Config,
    scenarios: BTreeMap<String, Scenario>,
    recordings: &[Voice],
    paths: &Paths,
) -> Result<FarEnds> {
    let exchanges = exchanges(config, scenarios, recordings)?;
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    let mut links: BTreeMap<(usize, usize), Link> = BTreeMap::new();
    let mut boards = Vec::new();
    for (b, board) in config.emulate.board.iter().enumerate() {
        let mut ports: Vec<Box<dyn FarEnd>> = Vec::new();
        for (p, span) in board.span.iter().enumerate() {
            let end = span.far_end.get_ref();
            ports.push(match end.kind {
                FarEndKind::Loopback => Box::new(Loopback),
                FarEndKind::Link => {
                    let Some(link) = links.remove(&(b, p)) else {
                        let other = end.board.zip(end.port).context("a link without an end")?;
                        let (near, far) = Link::pair();
                        links.insert(other, far);
                        ports.push(Box::new(near));
                        continue;
                    };
                    Box::new(link)
                }
                FarEndKind::Exchange => {
                    let name = end.scenario.as_deref().unwrap_or_default();
                    let index = next.entry(name.to_owned()).or_default();
                    let far = exchanges.get(name).and_then(|e| e.far_end(*index));
                    *index += 1;
                    far.with_context(|| format!("scenario `{name}` has no span {index}"))?
                }
                FarEndKind::Dchannel => {
                    let meeting = meeting(end.socket.as_deref(), paths)?;
                    let what = end.socket.clone().unwrap_or_default();
                    let opposite = config.opposite(board, p);
                    let d_channel = opposite.and_then(|(line, _)| line.channels.d_channel());
                    let d_channel = d_channel.unwrap_or(Carrier::E1.d_channel());
                    Box::new(
                        DChannel::open(meeting, d_channel)
                            .with_context(|| format!("far end `dchannel` at `{what}`"))?,
                    )
                }
                FarEndKind::E1 => {
                    let meeting = meeting(end.socket.as_deref(), paths)?;
                    let clock = match board.clock {
                        Clock::Real => E1Clock::Real,
                        Clock::Lock => E1Clock::Lock,
                    };
                    let what = end.socket.clone().unwrap_or_default();
                    Box::new(
                        E1::open(meeting, clock)
                            .with_context(|| format!("far end `e1` at `{what}`"))?,
                    )
                }
            });
        }
        boards.push(ports);
    }
    Ok(FarEnds { boards, exchanges })
}

/// `listen:PATH` or `connect:PATH`, the path below the root.
fn meeting(text: Option<&str>, paths: &Paths) -> Result<Meeting> {
    let text = text.unwrap_or_default();
    let meeting = match text.split_once(':') {
        Some((how, path)) => format!("{how}:{}", paths.at(path).display()).parse()?,
        None => text.parse()?,
    };
    // Whoever listens first makes the folder: `emulate` may well be the first process of the house.
    if let Meeting::Listen(path) = &meeting
        && let Some(folder) = path.parent()
    {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(meeting)
}

fn scenario_names(config: &Config) -> impl Iterator<Item = String> {
    let spans = config.emulate.board.iter().flat_map(|b| &b.span);
    spans.filter_map(|s| s.far_end.get_ref().scenario.clone())
}
