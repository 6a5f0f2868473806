//! The commands.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::announcements;
use crate::config::{Config, ConfigError};
use crate::ctl::{self, Ask, Target};
use crate::demo::Ended;
use crate::media_shell;
use crate::output::{self, Output, say};
use crate::paths::Paths;
use crate::prompts;

/// What a shell reports of a command that Ctrl-C ended: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// A telephone switch, detector and dialler for call centres.
#[derive(Debug, Parser)]
#[command(name = "trunkline", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What most commands want to know.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Everything lies below this folder.
    #[arg(long, default_value = "/", value_name = "DIR")]
    pub root: PathBuf,
    /// The configuration; `etc/trunkline/trunkline.toml` below the root when absent.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// This process started us, and we end with it: for the children of `demo`.
    #[arg(long, value_name = "PID", hide = true)]
    pub with_parent: Option<i32>,
}

impl Place {
    /// The files.
    pub fn paths(&self) -> Paths {
        Paths::below(&self.root)
    }
    /// The configuration's path.
    pub fn config_path(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| self.paths().config())
    }
    /// Ends this process when the one that started it has ended, however that happens, if it wants so.
    ///
    /// # Errors
    /// It has ended already.
    pub fn tie_to_parent(&self) -> anyhow::Result<()> {
        let Some(parent) = self.with_parent else { return Ok(()) };
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
        // It may have ended before the line above: then nobody would tell.
        let is = nix::unistd::getppid().as_raw();
        anyhow::ensure!(is == parent, "process {parent}, which started this one, has ended");
        Ok(())
    }
    /// The configuration, read and checked.
    ///
    /// # Errors
    /// Everything that is wrong in it, with lines.
    pub fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.config_path())?)
    }
    /// The folder of prompts that the configuration names, below the root.
    pub fn prompt_folder(&self, config: &Config) -> Option<PathBuf> {
        config.media.prompts.as_ref().map(|folder| self.paths().at(folder.get_ref()))
    }
    /// The folder of announcements, below the root.
    pub fn announcement_folder(&self, config: &Config) -> PathBuf {
        let folder = config.media.announcements.as_deref();
        self.paths().at(folder.unwrap_or(crate::announcements::FOLDER))
    }
    /// Whether every prompt that is mentioned is there.
    ///
    /// # Errors
    /// Those that are not, with lines.
    pub fn check_prompts(&self, config: &Config) -> anyhow::Result<()> {
        let folder = self.prompt_folder(config);
        let known = prompts::names(folder.as_deref(), config.host.prompt_language())?;
        let path = self.config_path();
        let text = std::fs::read_to_string(&path)?;
        let problems = config.missing_prompts(&text, &known);
        if problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError { file: path.display().to_string(), problems }.into())
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks the configuration and says what is wrong, with lines.
    Check(Place),
    /// The call server: owns boards and calls.
    Media(Place),
    /// The call centre: owns agents, queues, lists and records.
    Acd(Place),
    /// Emulated boards behind vfio-user sockets.
    Emulate(Place),
    /// Sends one request to a running process and prints the answer.
    Ctl {
        /// The files.
        #[command(flatten)]
        place: Place,
        /// `[acd|emulate] METHOD [JSON]`: to the call server unless another is named.
        words: Vec<String>,
        /// Print events as they come.
        #[arg(long)]
        follow: bool,
        /// Become the controller in place of the one there is.
        #[arg(long)]
        takeover: bool,
    },
    /// The boards of this machine: where they are, who has them, and whether they can be driven or why not.
    Boards,
    /// The configured spans as `dahdi_scan` prints them, for scripts that read that.
    Scan(Place),
    /// How the call server stands: boards, lines, D-channels, trunk groups.
    Status {
        /// The files.
        #[command(flatten)]
        place: Place,
        /// Once a second, until interrupted.
        #[arg(long)]
        follow: bool,
    },
    /// Takes a span or a timeslot out of use once its last call has ended.
    Drain {
        /// The files.
        #[command(flatten)]
        place: Place,
        /// From 1.
        span: u8,
        /// One timeslot of it.
        timeslot: Option<u8>,
        /// Give up waiting after this; no new calls begin there all the same.
        #[arg(long, default_value_t = 600, value_name = "SECONDS")]
        patience: u64,
    },
    /// Takes over what the configuration changed and needs no restart, or refuses as a whole.
    Reload(Place),
    /// Follows one call through the captures: messages, tones and states, with their times.
    Trace {
        /// The files.
        #[command(flatten)]
        place: Place,
        /// The call, as events and records name it: `c1f.7`.
        call: String,
    },
    /// Tries the number rules of a trunk group.
    Number(crate::number::NumberArgs),
    /// Call records as CSV on standard output.
    Records {
        /// The files.
        #[command(flatten)]
        place: Place,
        /// From this moment on, in seconds of UTC since 1970.
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        from: i64,
        /// Before this moment.
        #[arg(long, default_value_t = i64::MAX / 1_000_000, value_name = "SECONDS")]
        to: i64,
    },
    /// Which announcements of networks are known, and whether a recording is one of them.
    Announce(crate::announce::AnnounceArgs),
    /// How well the ear told people and machines apart, by what agents said of the calls they got.
    Answers(crate::answers::AnswersArgs),
    /// What is heard in audio files.
    Analyze(crate::analyze::AnalyzeArgs),
    /// How many channels a core can hear, and what a millisecond of a board costs.
    Bench(crate::bench::BenchArgs),
    /// The whole house on an emulated board, with callers and subscribers, for a minute.
    Demo(crate::demo::DemoArgs),
}

/// Runs a command; what went wrong is said on standard error.
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Check(place) => check(&place),
        Command::Media(place) => media(&place),
        Command::Acd(place) => acd(&place),
        Command::Emulate(place) => emulate(&place),
        Command::Ctl { place, words, follow, takeover } => {
            ask(words, follow, takeover).and_then(|ask| ctl::run(&place.paths(), ask))
        }
        Command::Boards => crate::boards::run(),
        Command::Scan(place) => crate::scan::run(&place),
        Command::Status { place, follow } => ctl::status(&place.paths(), follow),
        Command::Drain { place, span, timeslot, patience } => {
            ctl::drain(&place.paths(), span, timeslot, Duration::from_secs(patience))
        }
        Command::Reload(place) => {
            ask(vec!["reload".into()], false, false).and_then(|ask| ctl::run(&place.paths(), ask))
        }
        Command::Number(args) => crate::number::run(&args),
        Command::Trace { place, call } => trace(&place, &call),
        Command::Records { place, from, to } => records(&place, from, to),
        Command::Announce(args) => crate::announce::run(&args),
        Command::Answers(args) => crate::answers::run(&args),
        Command::Analyze(args) => crate::analyze::run(&args),
        Command::Bench(args) => crate::bench::run(&args),
        Command::Demo(args) => match crate::demo::run(&args) {
            Ok(Ended::AllAccountedFor) => Ok(()),
            Ok(Ended::Disagreeing) => return ExitCode::FAILURE,
            Ok(Ended::BeforeItBegan) => return ExitCode::from(INTERRUPTED),
            Err(error) => Err(error),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_unread(&error) => ExitCode::from(output::NOBODY_READS),
        Err(error) => {
            output::complain(format_args!("trunkline: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn check(place: &Place) -> anyhow::Result<()> {
    let config = crate::check::load(place)?;
    say!(
        "{}: good: {} boards, {} groups, {} agents, {} emulated boards",
        place.config_path().display(),
        config.spans.board.len(),
        config.media.group.len(),
        config.acd.agents.len(),
        config.emulate.board.len(),
    )?;
    for note in &config.notes {
        say!("{}", note.told(&place.config_path().display().to_string()))?;
    }
    Ok(())
}

/// Logs go to standard error; `RUST_LOG` chooses, `info` otherwise.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second call in one process (tests) keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}

fn media(place: &Place) -> anyhow::Result<()> {
    place.tie_to_parent()?;
    let config = place.load()?;
    place.check_prompts(&config)?;
    log();
    let folder = place.prompt_folder(&config);
    let prompts = prompts::load(folder.as_deref(), config.host.prompt_language())?;
    let library = place.announcement_folder(&config);
    let (known, unread) = announcements::load(&library);
    for why in unread {
        tracing::warn!("an announcement is left out: {why:#}");
    }
    if let Err(why) = announcements::remember(&library, &known) {
        tracing::warn!("the prints of announcements are made anew at each start: {why:#}");
    }
    media_shell::run(&config, &place.config_path(), &place.paths(), &prompts, &known)
}

fn acd(place: &Place) -> anyhow::Result<()> {
    place.tie_to_parent()?;
    let config = place.load()?;
    place.check_prompts(&config)?;
    log();
    crate::acd_shell::run(config.acd, &place.paths())
}

fn trace(place: &Place, call: &str) -> anyhow::Result<()> {
    let config = place.load()?;
    let Some(folder) = &config.media.capture else {
        anyhow::bail!(
            "nothing is captured: set `capture = \"/var/lib/trunkline/capture\"` in [media]"
        );
    };
    crate::trace::run(&place.paths().at(folder), call)
}

fn records(place: &Place, from: i64, to: i64) -> anyhow::Result<()> {
    let micros = |seconds: i64| seconds.saturating_mul(1_000_000);
    let file = place.paths().state_dir().join("records.db");
    crate::records::export(&file, micros(from), micros(to), Output(std::io::stdout().lock()))?;
    Ok(())
}

fn emulate(place: &Place) -> anyhow::Result<()> {
    place.tie_to_parent()?;
    let config = place.load()?;
    log();
    let path = place.config_path();
    let folder = path.parent().unwrap_or(Path::new("."));
    crate::emulate::run(&config, folder, &place.paths())
}

/// `[acd|emulate] METHOD [JSON]`.
fn ask(words: Vec<String>, follow: bool, takeover: bool) -> anyhow::Result<Ask> {
    let mut words = words.into_iter().peekable();
    let target = match words.peek().map(String::as_str) {
        Some("acd") => Target::Acd,
        Some("emulate") => Target::Emulate,
        _ => Target::Media,
    };
    if target != Target::Media {
        words.next();
    }
    let method = words.next();
    let params = match words.next() {
        None => serde_json::Map::new(),
        Some(text) => match serde_json::from_str(&text) {
            Ok(serde_json::Value::Object(params)) => params,
            Ok(_) => anyhow::bail!("the parameters are a JSON object, not `{text}`"),
            Err(error) => anyhow::bail!("the parameters are no JSON: {error}"),
        },
    };
    if let Some(extra) = words.next() {
        anyhow::bail!("`{extra}` is one word too many: [acd|emulate] METHOD [JSON]");
    }
    if method.is_none() && !follow {
        anyhow::bail!("a METHOD, or --follow, is missing");
    }
    Ok(Ask { target, method, params, follow, takeover })
}
