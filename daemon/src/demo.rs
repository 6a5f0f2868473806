//! `trunkline demo`: the whole house in its processes, on an emulated board, for a minute.
//!
//! The demonstration is a client like any other: it starts `trunkline emulate`, `media` and `acd`, starts
//! each again when it falls, and asks their sockets. It decides nothing about a call.

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

use crate::paths::Paths;
use crate::signals::Signals;
use house::{CAMPAIGN, Plan, Process};
use summary::{Evidence, Summary};
use view::View;
use watch::{Seen, Watch};

/// Spans and agents must be ready after this.
const READY_PATIENCE: Duration = Duration::from_secs(30);
/// Calls that are still there come to their end within this.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);
/// How often the house is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// A process that does not answer may be starting again; longer than this it is a fault.
const SILENCE_PATIENCE: Duration = Duration::from_secs(15);

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
    /// Calls are offered for so long; then they come to their end.
    #[arg(long, default_value_t = 60)]
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
    /// Keep the house's files here instead of in a folder that is removed at the end.
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
    let mut signals = Signals::take()?;
    let scale = if args.times == Times::Real { Scale::Real } else { Scale::Short };
    let plan = Plan { seconds: args.seconds, scale, seed: args.seed, lockstep: args.lockstep };
    let folder = Folder::new(args.root.clone())?;
    house::furnish(&folder.path, plan)?;
    let mut show = Show::start(&folder.path, plan)?;
    let summary = show.play(&mut signals);
    show.end();
    let summary = match summary {
        Ok(Some(summary)) => summary,
        Ok(None) => return Ok(Ended::BeforeItBegan),
        Err(error) => {
            show.tell_logs();
            return Err(error);
        }
    };
    if args.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        println!("{}", summary.table());
    }
    Ok(if summary.faults.is_empty() { Ended::AllAccountedFor } else { Ended::Disagreeing })
}

/// The house's folder; removed at the end unless it was named.
struct Folder {
    path: PathBuf,
    ours: bool,
}

impl Folder {
    fn new(named: Option<PathBuf>) -> anyhow::Result<Self> {
        let ours = named.is_none();
        let path = named.unwrap_or_else(|| {
            std::env::temp_dir().join(format!("trunkline-demo-{}", std::process::id()))
        });
        std::fs::create_dir_all(&path).with_context(|| format!("folder {}", path.display()))?;
        Ok(Self { path, ours })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
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
        let csv = house::list(self.plan);
        self.watch.order("list_load", json!({"campaign": CAMPAIGN, "csv": csv}))?;
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
        let offering = Duration::from_secs(self.plan.seconds) + DRAIN_PATIENCE;
        self.until(offering, signals, |s| s.far.offering == Offering::Over)?;
        self.watch.stop_offering()?;
        self.watch.order("campaign_stop", json!({"campaign": CAMPAIGN}))?;
        self.view
            .say(self.second(), "nobody calls any more; the calls there are come to their end");
        let last = match self.until(DRAIN_PATIENCE, signals, Seen::is_empty)? {
            Some(seen) => seen,
            None => self.watch.look()?,
        };
        self.account(last).map(Some)
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

    /// The call centre ends before its records are read: then they are complete.
    fn account(&mut self, last: Seen) -> anyhow::Result<Summary> {
        let calls = self.watch.calls()?;
        self.end();
        let results = crate::records::dialled(&Paths::below(&self.root))
            .context("records of the dialled calls")?;
        Ok(Summary::of(&Evidence {
            report: last.report,
            board: last.board(),
            underruns: last.underruns(),
            truth: last.far.truth.clone(),
            calls: &calls,
            results: &results,
        }))
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
            eprintln!("--- the last lines of {}", process.name());
            text.lines().skip(from).for_each(|line| eprintln!("{line}"));
        }
    }

    fn second(&self) -> u64 {
        self.begin.elapsed().as_secs()
    }
}
