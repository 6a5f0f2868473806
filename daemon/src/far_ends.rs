//! What the configuration puts at the far ends of emulated lines.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use emulator::{DChannel, E1, E1Clock, FarEnd, Link, Loopback, Meeting};
use exchange::{Exchange, Scenario, Voices};

use crate::config::{Clock, Config, FarEndKind};

/// The far ends of all emulated boards, and the networks behind them.
pub struct FarEnds {
    /// By board, then by port; `None`: nothing is plugged in.
    pub boards: Vec<Vec<Box<dyn FarEnd>>>,
    /// By the scenario's name in the file.
    pub exchanges: BTreeMap<String, Exchange>,
}

/// Builds what `config` asks for. Scenarios that are files stand beside the configuration, in `folder`.
///
/// # Errors
/// A scenario that cannot be read, or has another number of spans than lead to it.
pub fn build(config: &Config, folder: &Path) -> Result<FarEnds> {
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
    build_with(config, scenarios)
}

/// The same with scenarios from elsewhere.
///
/// # Errors
/// A scenario that is missing, or has another number of spans than lead to it.
pub fn build_with(config: &Config, scenarios: BTreeMap<String, Scenario>) -> Result<FarEnds> {
    let mut exchanges = BTreeMap::new();
    for (name, scenario) in scenarios {
        let wanted = scenario_names(config).filter(|n| *n == name).count();
        let spans = scenario.spans.len();
        if spans != wanted {
            bail!("scenario `{name}` has {spans} spans, and {wanted} lead to it");
        }
        let exchange = Exchange::new(scenario, config.emulate.seed, Voices::embedded())
            .with_context(|| format!("scenario `{name}`"))?;
        exchanges.insert(name, exchange);
    }
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
                    let meeting = meeting(end.socket.as_deref())?;
                    Box::new(DChannel::open(meeting).context("far end `dchannel`")?)
                }
                FarEndKind::E1 => {
                    let meeting = meeting(end.socket.as_deref())?;
                    let clock = match board.clock {
                        Clock::Real => E1Clock::Real,
                        Clock::Lock => E1Clock::Lock,
                    };
                    Box::new(E1::open(meeting, clock).context("far end `e1`")?)
                }
            });
        }
        boards.push(ports);
    }
    Ok(FarEnds { boards, exchanges })
}

fn meeting(text: Option<&str>) -> Result<Meeting> {
    Ok(text.unwrap_or_default().parse()?)
}

fn scenario_names(config: &Config) -> impl Iterator<Item = String> {
    let spans = config.emulate.board.iter().flat_map(|b| &b.span);
    spans.filter_map(|s| s.far_end.get_ref().scenario.clone())
}
