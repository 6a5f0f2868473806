//! The whole house in one thread and in virtual time: emulated boards on the in-process bus, the driver, the
//! pipeline, signalling and the call server, joined as the threads of `trunkline media` are, without them.
//!
//! The same seed gives the same run. What acceptance tests want to show of a call, they show here; sockets,
//! processes and threads have their own tests.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context, Result};
use bus::{Card, InProcess};
use call::{Accepted, CallCommand, Refusal, SnapshotItem};
use emulator::{Board as Emulated, BoardClock, FarEnd};
use exchange::{Exchange, Scenario};
use firmware_headers::model;
use media::Media;
use tdm::{Instant, SampleTime};

use crate::announcements::Known;
use crate::config::{Config, EmulatedBoard};
use crate::far_ends::{self, FarEnds};
use crate::media_shell::board_work::BoardRings;
use crate::media_shell::recorder::RecorderWork;
use crate::media_shell::rings::{self, Shared};
use crate::media_shell::setup::{Plan, Prompts};
use crate::media_shell::signal_work::{Said, SignalWork};
use crate::media_shell::status_answer;
use crate::media_shell::tick_work::{TickWork, drift_ppm};
use crate::paths::Paths;

/// Framer accesses a millisecond: in process an access costs nothing.
const FRAMER_BUDGET: u8 = 8;

/// The house.
pub struct Rig {
    now: Instant,
    boards: Vec<Slot>,
    tick: TickWork,
    signal: SignalWork,
    shared: Arc<Shared>,
    exchanges: BTreeMap<String, Exchange>,
    said: VecDeque<Said>,
    recorders: Vec<rtrb::Consumer<dsp::pipeline::Recorded>>,
    /// Writes recordings, where somebody wants them.
    writer: Option<RecorderWork>,
}

/// A slot of the host with the board that is in it.
struct Slot {
    card: Card<Emulated>,
    clock: BoardClock,
    board: Option<driver::Board<InProcess<Emulated>>>,
    settings: driver::Settings,
    rings: BoardRings,
}

impl Rig {
    /// The house of a configuration; scenarios that are files stand in `folder`.
    ///
    /// # Errors
    /// What the configuration asks for and cannot be had.
    pub fn new(config: &Config, prompts: &Prompts, folder: &Path) -> Result<Self> {
        Self::with_far_ends(config, prompts, far_ends::build(config, folder, &Paths::below("/"))?)
    }

    /// The same with scenarios that no file holds.
    ///
    /// # Errors
    /// What the configuration asks for and cannot be had.
    pub fn with_scenarios(
        config: &Config,
        prompts: &Prompts,
        scenarios: BTreeMap<String, Scenario>,
    ) -> Result<Self> {
        Self::with_far_ends(
            config,
            prompts,
            far_ends::build_with(config, scenarios, &Paths::below("/"))?,
        )
    }

    /// The same with announcements that the ears know.
    ///
    /// # Errors
    /// What the configuration asks for and cannot be had.
    pub fn knowing(
        config: &Config,
        prompts: &Prompts,
        scenarios: BTreeMap<String, Scenario>,
        announcements: &[Known],
    ) -> Result<Self> {
        let ends = far_ends::build_with(config, scenarios, &Paths::below("/"))?;
        Self::planned(config, Plan::new(config, prompts)?.knowing(announcements), ends)
    }

    /// The same with far ends of the caller's own, by board and port.
    ///
    /// # Errors
    /// What the configuration asks for and cannot be had.
    pub fn with_far_ends(config: &Config, prompts: &Prompts, ends: FarEnds) -> Result<Self> {
        Self::planned(config, Plan::new(config, prompts)?, ends)
    }

    fn planned(config: &Config, plan: Plan, ends: FarEnds) -> Result<Self> {
        let now = Instant::default();
        let ports: Vec<_> = plan.boards.iter().map(|b| b.ports.clone()).collect();
        let (board_ends, tick_ends, signal_ends, shared) = rings::build(&ports);
        let (pipeline, recorders) = plan.pipeline();
        let media = Media::new(plan.media.clone(), 1, now)?;
        let mut far: VecDeque<Vec<Box<dyn FarEnd>>> = ends.boards.into();
        let mut boards = Vec::new();
        for (ends, plan) in board_ends.into_iter().zip(&plan.boards) {
            let emulated = config.emulate.board.get(ends.index);
            let ppm = emulated.map_or(0.0, |b| b.ppm);
            let seed = config.emulate.seed.wrapping_add(ends.index as u64);
            let model = emulated.and_then(EmulatedBoard::known_model);
            let mut card =
                Emulated::new(&model.unwrap_or(model::TE410P_GEN5), seed)?.with_oscillator(ppm);
            for (port, end) in far.pop_front().unwrap_or_default().into_iter().enumerate() {
                card.plug(port, end);
            }
            let (bus, card) = bus::in_process(card);
            let mut settings = plan.settings;
            settings.framer_budget = FRAMER_BUDGET;
            let mut board = driver::Board::start(bus, settings, now)
                .with_context(|| format!("board {}", ends.index))?;
            let mut rings = BoardRings::new(ends, Arc::clone(&shared), 1);
            rings.started(&mut board);
            let clock = BoardClock::new(now, ppm);
            boards.push(Slot { card, clock, board: Some(board), settings, rings });
        }
        let tick = TickWork::new(pipeline, tick_ends, Arc::clone(&shared), plan.spans, false);
        let signal = SignalWork::new(media, signal_ends, Arc::clone(&shared), now);
        let exchanges = ends.exchanges;
        let said = VecDeque::new();
        Ok(Self { now, boards, tick, signal, shared, exchanges, said, recorders, writer: None })
    }

    /// The host's clock.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Lets a millisecond of the host's clock pass, and with it what each board makes of it.
    pub fn millisecond(&mut self) {
        let end = self.now.plus_millis(1);
        while let Some(slot) = self.boards.iter_mut().min_by_key(|s| s.clock.next())
            && slot.clock.next() <= end
        {
            let at = slot.clock.next();
            slot.millisecond(at);
            self.tick.turn(at);
        }
        self.now = end;
        self.tick.turn(end);
        self.signal.turn(end);
        self.listen();
        if let Some(writer) = &mut self.writer {
            for name in writer.turn() {
                self.signal.recording_fails(end, &name);
            }
        }
        for recorder in &mut self.recorders {
            while recorder.pop().is_ok() {}
        }
    }

    /// Recordings are written below `paths` from now on.
    ///
    /// # Errors
    /// Their folder cannot be made.
    pub fn record_below(&mut self, paths: &Paths) -> Result<()> {
        self.writer = Some(RecorderWork::new(std::mem::take(&mut self.recorders), paths)?);
        Ok(())
    }

    /// Takes what the call server says.
    fn listen(&mut self) {
        while let Some(said) = self.signal.said() {
            if let (Said::Recorder(order), Some(writer)) = (&said, &mut self.writer) {
                writer.order(order.clone());
            }
            self.said.push_back(said);
        }
    }

    /// Lets milliseconds pass until `done`, at most `millis`. Whether it was.
    pub fn run_until(&mut self, millis: u64, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        for _ in 0..millis {
            if done(self) {
                return true;
            }
            self.millisecond();
        }
        done(self)
    }

    /// What the call server said, oldest first.
    pub fn said(&mut self) -> Option<Said> {
        if self.said.is_empty() {
            self.listen();
        }
        self.said.pop_front()
    }

    /// A controller's command.
    ///
    /// # Errors
    /// Why the call server refuses it.
    pub fn command(&mut self, command: CallCommand) -> Result<Accepted, Refusal> {
        self.signal.command(self.now, command)
    }

    /// A controller comes or goes.
    pub fn controller(&mut self, present: bool) {
        self.signal.controller(self.now, present);
    }

    /// What a controller that comes late is told.
    pub fn snapshot(&self) -> Vec<SnapshotItem> {
        self.signal.snapshot()
    }

    /// How the call server stands.
    pub fn status(&self) -> media::Status {
        self.signal.status()
    }

    /// What `status` answers on the socket.
    pub fn status_answer(&self) -> serde_json::Value {
        status_answer(&self.signal.status(), &self.signal.lines(self.now), &self.shared)
    }

    /// What the threads count.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The house's sample clock.
    pub fn sample_time(&self) -> SampleTime {
        self.tick.at()
    }

    /// The network of a scenario.
    pub fn exchange(&self, scenario: &str) -> Option<&Exchange> {
        self.exchanges.get(scenario)
    }

    /// The emulated board in slot `index`: its lines, its faults.
    pub fn card(&self, index: usize) -> Option<&Card<Emulated>> {
        self.boards.get(index).map(|slot| &slot.card)
    }

    /// Frames of 125 µs that slipped on board `index`, in and out, and its drift in ppm when it is known.
    pub fn slips(&self, index: usize) -> (u64, u64, Option<f64>) {
        self.shared.boards.get(index).map_or((0, 0, None), |b| {
            let drift = drift_ppm(b.drift.load(Relaxed));
            (b.slips_in.load(Relaxed), b.slips_out.load(Relaxed), drift)
        })
    }

    /// Pulls board `index` out of its slot.
    pub fn pull(&mut self, index: usize) {
        if let Some(slot) = self.boards.get_mut(index) {
            slot.card.pull();
        }
    }

    /// Plugs board `index` in again and starts it.
    ///
    /// # Errors
    /// It does not start.
    pub fn plug(&mut self, index: usize) -> Result<()> {
        let now = self.now;
        let slot = self.boards.get_mut(index).context("no such slot")?;
        slot.board = None;
        let begin = SampleTime::millis(now.as_millis());
        let settings = driver::Settings { begin, ..slot.settings };
        let mut board = driver::Board::start(slot.card.plug(), settings, now)?;
        slot.rings.started(&mut board);
        slot.board = Some(board);
        Ok(())
    }
}

impl Slot {
    fn millisecond(&mut self, at: Instant) {
        self.clock.due(at);
        self.card.millisecond();
        // It may follow a line from now on.
        self.clock.run_at(at, self.card.with(|card| card.clock_ppm()));
        let Some(board) = &mut self.board else { return };
        let waited = board.wait(at, core::time::Duration::ZERO);
        let turned = match waited {
            Ok(_) => self.rings.turn(board, at, false),
            Err(error) => {
                self.rings.gone(at);
                Err(error)
            }
        };
        if turned.is_err() {
            self.board = None;
        }
    }
}

#[cfg(test)]
mod line_tests;
#[cfg(test)]
mod tests;
