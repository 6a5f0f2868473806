//! `trunkline demo`: the whole house in its processes, on an emulated board, for a minute.
//!
//! The demonstration is a client like any other: it starts `trunkline emulate`, `media` and `acd`, starts
//! each again when it falls, and asks their sockets. It decides nothing about a call.

pub mod account;
pub mod house;
pub mod summary;
pub mod view;
pub mod watch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use exchange::{Offering, Scale};
use serde_json::json;

use crate::output::{complain, say};
use crate::paths::Paths;
use crate::records;
use crate::signals::Signals;
use house::{CAMPAIGN, Folder, LIST_FILE, Plan, Process};
use summary::{Evidence, Summary};
use view::View;
use watch::{Seen, Watch};

/// Spans and agents must be ready after this.
const READY_PATIENCE: Duration = Duration::from_secs(30);
/// Longer than it was said that callers come, they do not: the far side's clock is the board's.
const OFFERING_MARGIN: Duration = Duration::from_secs(30);
/// A process that falls so often before it was ever of use does not start.
const FALLS_AT_START_MAX: u32 = 3;
/// How often the house is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// A process that does not answer may be starting again; longer than this it is a fault.
const SILENCE_PATIENCE: Duration = Duration::from_secs(15);

/// With less room than this nothing can be written.
const ROOM_OCTETS_LEAST: u64 = 1 << 20;

/// How long things take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Times {
    /// Seconds where life takes minutes.
    #[default]
    Short,
    /// As in life.
    Real,
}

/// What to show.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Calls are offered for so long, a day at most; then they come to their end.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// How long ringing, talking and writing up take.
    #[arg(long, value_enum, default_value_t)]
    pub times: Times,
    /// End with one line of JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Chance of everything emulated.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Work every millisecond through to its end before the next begins.
    #[arg(long)]
    pub lockstep: bool,
    /// Keep the house's files here, where no house is yet, instead of in a folder that is removed at the end.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

/// How a demonstration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Both sides tell the same of every call.
    AllAccountedFor,
    /// They do not; the summary says where.
    Disagreeing,
    /// Somebody ended it before the first call.
    BeforeItBegan,
}

/// Runs the demonstration.
///
/// # Errors
/// When the house does not come up, falls for good, or does not answer.
pub fn run(args: &DemoArgs) -> anyhow::Result<Ended> {
    let mut signals = Signals::take_with_hangup()?;
    let scale = if args.times == Times::Real { Scale::Real } else { Scale::Short };
    let plan = Plan { seconds: args.seconds, scale, seed: args.seed, lockstep: args.lockstep };
    let folder = Folder::new(args.root.as_deref())?;
    house::furnish(folder.path(), plan)?;
    let mut show = Show::start(folder.path(), plan)?;
    let summary = show.play(&mut signals);
    show.end();
    let summary = match summary {
        Ok(Some(summary)) => summary,
        Ok(None) => return Ok(Ended::BeforeItBegan),
        Err(error) => {
            show.tell_logs();
            // A full disk makes a process fail in many ways; this is what is the matter.
            return Err(match house::ensure_room(folder.path(), ROOM_OCTETS_LEAST) {
                Ok(()) => error,
                Err(full) => error.context(full),
            });
        }
    };
    let ended = if summary.faults.is_empty() { Ended::AllAccountedFor } else { Ended::Disagreeing };
    if args.json {
        say!("{}", serde_json::to_string(&summary)?)?;
    } else {
        say!("{}", summary.table())?;
    }
    Ok(ended)
}

/// The running demonstration.
struct Show {
    plan: Plan,
    root: PathBuf,
    processes: Vec<Process>,
    watch: Watch,
    view: View,
    begin: Instant,
    /// Since when the house has not answered.
    silent_since: Option<Instant>,
    /// Somebody wants to leave.
    leaving: bool,
    /// Callers come: the house stood once.
    began: bool,
}

impl Show {
    fn start(root: &std::path::Path, plan: Plan) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("the program's own path")?;
        let processes = ["emulate", "media", "acd"]
            .into_iter()
            .map(|name| Process::start(&program, name, root))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            plan,
            root: root.to_owned(),
            processes,
            watch: Watch::new(&Paths::below(root)),
            view: View::new(),
            begin: Instant::now(),
            silent_since: None,
            leaving: false,
            began: false,
        })
    }

    /// The whole evening; nothing when somebody left before the first call. Who leaves later lets the calls
    /// that are there come to their end; who leaves twice does not wait for that.
    fn play(&mut self, signals: &mut Signals) -> anyhow::Result<Option<Summary>> {
        let loaded = self.until(READY_PATIENCE, signals, |_| true)?;
        if self.leaving {
            return Ok(None);
        }
        anyhow::ensure!(loaded.is_some(), "the house does not answer");
        self.watch.order("list_load", json!({"campaign": CAMPAIGN, "file": LIST_FILE}))?;
        let ready = self.until(READY_PATIENCE, signals, |s| s.far.offering != Offering::Waiting)?;
        if self.leaving {
            return Ok(None);
        }
        let ready = ready.context("no span came into service")?;
        if ready.status["realtime_refused"].as_u64().is_some_and(|refused| refused > 0) {
            self.view.say(
                self.second(),
                "no real-time priority on this host (LimitRTPRIO, LimitMEMLOCK): \
                 a busy machine may cost milliseconds, which are counted",
            );
        }
        self.watch.order("campaign_start", json!({"campaign": CAMPAIGN}))?;
        self.view.say(self.second(), "callers come, and the list is dialled");
        self.began = true;
        let offering = Duration::from_secs(self.plan.seconds) + OFFERING_MARGIN;
        self.until(offering, signals, |s| s.far.offering == Offering::Over)?;
        self.leaving = false;
        self.watch.stop_offering()?;
        self.watch.order("campaign_stop", json!({"campaign": CAMPAIGN}))?;
        let patience = house::drain_patience(self.plan);
        self.view.say(
            self.second(),
            &format!(
                "nobody calls any more; the calls there are come to their end, within {} s at most \
                 (Ctrl-C: do not wait for that)",
                patience.as_secs()
            ),
        );
        match self.until(patience, signals, Seen::is_empty)? {
            Some(seen) => self.account(seen, None),
            None => {
                let stayed = (!self.leaving).then_some(patience);
                let last = self.watch.look()?;
                self.account(last, stayed)
            }
        }
        .map(Some)
    }

    /// Looks again and again until `done`; the look that was, or none when `patience` ended or somebody
    /// wants to leave.
    fn until(
        &mut self,
        patience: Duration,
        signals: &mut Signals,
        done: impl Fn(&Seen) -> bool,
    ) -> anyhow::Result<Option<Seen>> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if signals.end_asked()? {
                self.leaving = true;
                self.view.say(self.second(), "ending");
                return Ok(None);
            }
            for process in &mut self.processes {
                if let Some(news) = process.watch(Instant::now())? {
                    self.view.say(self.begin.elapsed().as_secs(), &news);
                    anyhow::ensure!(
                        self.began || process.restarts() < FALLS_AT_START_MAX,
                        "{} does not start{}",
                        process.name(),
                        process.last_words()
                    );
                }
            }
            if let Some(seen) = self.look()? {
                if done(&seen) {
                    return Ok(Some(seen));
                }
                self.view.show(self.second(), self.plan.seconds, &seen);
            }
            // The rhythm of the view; nothing is waited for here.
            std::thread::sleep(LOOK);
        }
        Ok(None)
    }

    fn look(&mut self) -> anyhow::Result<Option<Seen>> {
        match self.watch.look() {
            Ok(seen) => {
                self.silent_since = None;
                Ok(Some(seen))
            }
            Err(error) => {
                let since = *self.silent_since.get_or_insert_with(Instant::now);
                anyhow::ensure!(since.elapsed() < SILENCE_PATIENCE, "{error:#}");
                Ok(None)
            }
        }
    }

    /// The call centre ends before its records are read: then they are complete. `stayed`: calls were waited
    /// for so long and did not end.
    fn account(&mut self, last: Seen, stayed: Option<Duration>) -> anyhow::Result<Summary> {
        let calls = self.watch.calls()?;
        self.end();
        let records = records::all(&Paths::below(&self.root)).context("records of the calls")?;
        let (results, callers) = records::by_number(&records);
        let evidence = Evidence {
            report: last.report,
            board: last.board(),
            underruns: last.underruns(),
            truth: last.far.truth.clone(),
            calls: &calls,
            results: &results,
            callers: &callers,
        };
        let mut summary = if self.falls("emulate") > 0 {
            let mut ours = Summary::of_ours(&evidence);
            let why = "the exchange was started again: its counts begin anew, there is nothing to compare";
            ours.faults.push(why.into());
            ours
        } else {
            Summary::of(&evidence)
        };
        if let Some(patience) = stayed {
            let seconds = patience.as_secs();
            summary.faults.push(format!("calls did not end within {seconds} s"));
        }
        Ok(summary)
    }

    fn falls(&self, name: &str) -> u32 {
        self.processes.iter().filter(|p| p.name() == name).map(Process::restarts).sum()
    }

    /// Ends the processes in the order in which nothing is lost.
    fn end(&mut self) {
        for process in self.processes.iter_mut().rev() {
            process.stop(Duration::from_secs(5));
        }
    }

    fn tell_logs(&self) {
        for process in &self.processes {
            let path = house::log_file(process.name(), &self.root);
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let from = text.lines().count().saturating_sub(12);
            complain(format_args!("--- the last lines of {}", process.name()));
            text.lines().skip(from).for_each(|line| complain(format_args!("{line}")));
        }
    }

    fn second(&self) -> u64 {
        self.begin.elapsed().as_secs()
    }
}
