//! `trunkline emulate`: boards behind vfio-user sockets with what is at the far ends of their lines, and a
//! socket of its own for faults and for what really happened there.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use emulator::server::{Handle, Server as BoardServer, Settings as ServeSettings};
use emulator::{Board, BoardCounters};
use exchange::Exchange;
use protocol::Fault as Refused;
use protocol::server::{Access, Output, Request, Server, Settings};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::allow::Allow;
use crate::config::{Clock, Config, EmulatedBoard, ScheduledFault};
use crate::door::Door;
use crate::far_ends;
use crate::faults;
use crate::paths::Paths;
use crate::signals::Signals;

/// The socket thread waits at most this long.
const REST: Duration = Duration::from_millis(100);
/// A lockstep board waits so long for its driver: longer than a controller may make that wait.
const LOCKSTEP_PATIENCE: Duration = Duration::from_secs(5);
/// Calls in one answer to `calls`.
const CALLS_A_PAGE: usize = 100;

/// The methods of `emulate.sock`.
pub const METHODS: &[(&str, Access)] = &[
    ("boards", Access::Read),
    ("truth", Access::Read),
    ("calls", Access::Read),
    ("stop_offering", Access::Maintain),
    ("fault", Access::Maintain),
    ("repair", Access::Maintain),
];

/// Serves the emulated boards of `config` until a signal ends it.
///
/// # Errors
/// It cannot start: what is missing.
pub fn run(config: &Config, folder: &Path, paths: &Paths) -> Result<()> {
    let signals = Signals::take()?;
    let mut ends = far_ends::build(config, folder, paths)?;
    let mut far = std::mem::take(&mut ends.boards).into_iter();
    if config.emulate.board.is_empty() {
        tracing::warn!("the configuration has no [[emulate.board]]: nothing is emulated");
    }
    let mut boards = Vec::new();
    for (index, emulated) in config.emulate.board.iter().enumerate() {
        let seed = config.emulate.seed.wrapping_add(index as u64);
        let model = emulated.known_model().context("the configuration was checked")?;
        let mut board = Board::new(&model, seed)?.with_oscillator(emulated.ppm);
        for (port, end) in far.next().unwrap_or_default().into_iter().enumerate() {
            board.plug(port, end);
        }
        boards.push(serve(index, emulated, board, paths)?);
    }
    let settings = Settings { exclusive: false, ..Settings::new("emulate", METHODS) };
    let allow = Allow::parse(config.media.allow.iter().map(|a| a.get_ref().as_str()))?;
    let door = Door::listen(&paths.emulate_socket(), allow, Server::new(settings))?;
    let schedule = Schedule::new(&config.emulate.fault);
    let zero = Instant::now();
    let mut desk = Desk { door, signals, boards, exchanges: ends.exchanges, schedule, zero };
    let ended = desk.run();
    for served in desk.boards {
        served.handle.stop();
        if served.thread.join().is_err() {
            tracing::error!("a board's thread panicked");
        }
    }
    ended
}

/// Breaks a port or, without one, the board: `Some(false)` when there is no such port, nothing when the board is not
/// served any more.
fn inject(
    served: &Served,
    port: Option<usize>,
    fault: Option<&str>,
    value: Option<f64>,
) -> Result<Option<bool>, String> {
    Ok(match port {
        Some(port) => {
            let fault = faults::of_port(fault, value)?;
            served.handle.with(move |board, _| board.inject(port, fault))
        }
        None => {
            let fault = faults::of_board(fault, value)?;
            served.handle.with(move |board, _| {
                board.fail(fault);
                true
            })
        }
    })
}

/// Makes a port or, without one, the board whole again. As [`inject`].
fn repair(served: &Served, port: Option<usize>) -> Option<bool> {
    served.handle.with(move |board, _| match port {
        Some(port) => board.repair(port),
        None => {
            board.heal();
            true
        }
    })
}

/// The faults of the configuration that are still to come, and the repairs.
struct Schedule(Vec<Due>);

struct Due {
    at: Duration,
    /// Otherwise it is repaired.
    breaks: bool,
    what: ScheduledFault,
}

impl Schedule {
    fn new(faults: &[ScheduledFault]) -> Self {
        let due = |seconds: f64, breaks, what: &ScheduledFault| {
            let at = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            Due { at, breaks, what: what.clone() }
        };
        let each = faults.iter().flat_map(|fault| {
            let ends = fault.for_seconds.map(|long| due(fault.after_seconds + long, false, fault));
            std::iter::once(due(fault.after_seconds, true, fault)).chain(ends)
        });
        let mut all: Vec<Due> = each.collect();
        // The next one last.
        all.sort_by_key(|due| std::cmp::Reverse(due.at));
        Self(all)
    }
    /// Does what is due after `elapsed`.
    fn work(&mut self, elapsed: Duration, boards: &[Served]) {
        while let Some(due) = self.0.pop_if(|due| due.at <= elapsed) {
            let ScheduledFault { board, port, fault, value, .. } = &due.what;
            let Some(served) = boards.get(*board) else { continue };
            let done = if due.breaks {
                inject(served, *port, Some(fault.get_ref()), *value)
            } else {
                Ok(repair(served, *port))
            };
            tracing::info!(
                board,
                port,
                fault = fault.get_ref(),
                breaks = due.breaks,
                ?done,
                "fault"
            );
        }
    }
}

struct Served {
    handle: Handle,
    thread: JoinHandle<()>,
}

fn serve(
    index: usize,
    emulated: &EmulatedBoard,
    mut board: Board,
    paths: &Paths,
) -> Result<Served> {
    let path = paths.at(emulated.socket.get_ref());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut settings = ServeSettings::default();
    if emulated.clock == Clock::Lock {
        settings.clock = emulator::server::Clock::Lock;
        settings.patience = LOCKSTEP_PATIENCE;
    }
    let mut server = BoardServer::bind(&path, settings)
        .with_context(|| format!("board {index} at {}", path.display()))?;
    let handle = server.handle();
    let thread =
        std::thread::Builder::new().name(format!("emulated{index}")).spawn(move || match server
            .run(&mut board)
        {
            Ok(counters) => tracing::info!(board = index, ?counters, "board served"),
            Err(error) => tracing::error!(board = index, %error, "board cannot be served"),
        })?;
    tracing::info!(board = index, socket = %path.display(), "board served");
    Ok(Served { handle, thread })
}

/// The socket for faults and truths.
struct Desk {
    door: Door,
    signals: Signals,
    boards: Vec<Served>,
    exchanges: BTreeMap<String, Exchange>,
    schedule: Schedule,
    zero: Instant,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// May be left out when there is only one.
    #[serde(default)]
    scenario: Option<String>,
    #[serde(default)]
    from: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Where {
    board: usize,
    #[serde(default)]
    port: Option<usize>,
    #[serde(default)]
    fault: Option<String>,
    #[serde(default)]
    value: Option<f64>,
}

impl Desk {
    fn run(&mut self) -> Result<()> {
        sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
        while !self.signals.end_asked()? {
            let zero = self.zero;
            self.schedule.work(zero.elapsed(), &self.boards);
            let now = move || u64::try_from(zero.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.door.wait(now, Some(REST))?;
            loop {
                match self.door.server.poll() {
                    Output::Wait(_) => break,
                    Output::Request(request) => {
                        let token = request.token;
                        let result = self.answer(request);
                        self.door.server.answer(now(), token, result);
                    }
                    Output::Snapshot { connection } => {
                        // Nothing happens here that a subscriber could have missed.
                        let _ = self.door.server.snapshot::<Value>(connection, &[]);
                    }
                    Output::Close { connection, .. } => self.door.close(connection),
                    Output::Controller { .. }
                    | Output::Acknowledged { .. }
                    | Output::TimeTaken { .. } => {}
                }
            }
            self.door.flush(now());
        }
        Ok(())
    }

    fn answer(&self, request: Request) -> Result<Value, Refused> {
        let Request { method, params, .. } = request;
        match method.as_str() {
            "boards" => self.board_counters(),
            "truth" => {
                let exchange = self.exchange(&method, params)?.0;
                Ok(json!({ "truth": exchange.truth(), "offering": offering(exchange) }))
            }
            "calls" => {
                let (exchange, from) = self.exchange(&method, params)?;
                let all = exchange.calls();
                let page: Vec<_> = all.iter().skip(from).take(CALLS_A_PAGE).collect();
                let next = from + page.len();
                let next = (next < all.len()).then_some(next);
                Ok(json!({ "calls": page, "of": all.len(), "next": next }))
            }
            "stop_offering" => {
                self.exchange(&method, params)?.0.stop_offering();
                Ok(json!({}))
            }
            "fault" | "repair" => self.break_or_mend(&method, params),
            other => Err(Refused::unknown_method(other)),
        }
    }

    fn exchange(
        &self,
        method: &str,
        params: Map<String, Value>,
    ) -> Result<(&Exchange, usize), Refused> {
        let Scenario { scenario, from } = read(method, params)?;
        let found = match &scenario {
            Some(name) => self.exchanges.get(name),
            None if self.exchanges.len() == 1 => self.exchanges.values().next(),
            None => None,
        };
        let names: Vec<&str> = self.exchanges.keys().map(String::as_str).collect();
        let why = format!("`scenario` is one of: {}", names.join(", "));
        Ok((found.ok_or_else(|| bad(method, "scenario", &why))?, from))
    }

    fn board_counters(&self) -> Result<Value, Refused> {
        let mut boards = Vec::new();
        for served in &self.boards {
            let counted = served.handle.with(|board, server| (board.counters(), *server));
            boards.push(counted.map(|(card, server)| {
                let BoardCounters { millis, ticks, unacknowledged, swallowed, refused, starts } =
                    card;
                json!({
                    "millis": millis, "ticks": ticks, "unacknowledged": unacknowledged,
                    "swallowed": swallowed, "dma_refused": refused, "starts": starts,
                    "clients": server.clients, "lost_millis": server.lost_millis,
                    "stalls": server.stalls,
                })
            }));
        }
        Ok(json!({ "boards": boards }))
    }

    fn break_or_mend(&self, method: &str, params: Map<String, Value>) -> Result<Value, Refused> {
        let Where { board, port, fault, value } = read(method, params)?;
        let served =
            self.boards.get(board).ok_or_else(|| bad(method, "board", "no such board (from 0)"))?;
        let done = if method == "repair" {
            Ok(repair(served, port))
        } else {
            inject(served, port, fault.as_deref(), value)
        };
        match done.map_err(|why| bad(method, "fault", &why))? {
            Some(true) => Ok(json!({})),
            Some(false) => Err(bad(method, "port", "the board has no such port (from 0)")),
            None => Err(bad(method, "board", "the board is not served any more")),
        }
    }
}

fn offering(exchange: &Exchange) -> Value {
    json!(exchange.offering())
}

fn read<T: serde::de::DeserializeOwned>(
    method: &str,
    params: Map<String, Value>,
) -> Result<T, Refused> {
    serde_json::from_value(Value::Object(params))
        .map_err(|e| Refused::invalid_params(method, e.to_string()))
}

fn bad(method: &str, field: &str, why: &str) -> Refused {
    let refusal = call::Refusal::new(call::RefusalCode::BadValue, method, why);
    Refused::from(refusal).field(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each fault and each end comes once, in the order of the clock, and one without an end has none.
    #[test]
    fn scheduled_faults_come_and_end_in_the_order_of_the_clock() {
        let fault = |after_seconds, for_seconds, port| ScheduledFault {
            after_seconds,
            for_seconds,
            board: 0,
            port: Some(port),
            fault: toml::Spanned::new(0..0, "cut".to_owned()),
            value: None,
        };
        let schedule = Schedule::new(&[
            fault(5.5, Some(10.0), 0),
            fault(1.0, None, 1),
            fault(7.0, Some(0.5), 2),
        ]);
        let order: Vec<_> = schedule
            .0
            .iter()
            .rev()
            .map(|due| (due.at.as_millis(), due.breaks, due.what.port))
            .collect();
        let expected = [
            (1000, true, Some(1)),
            (5500, true, Some(0)),
            (7000, true, Some(2)),
            (7500, false, Some(2)),
            (15_500, false, Some(0)),
        ];
        assert_eq!(order, expected);
    }
}
