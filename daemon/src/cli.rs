//! The commands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::paths::Paths;
use crate::prompts;

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
}

/// Runs a command; what went wrong is said on standard error.
pub fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Check(place) => check(&place),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trunkline: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check(place: &Place) -> anyhow::Result<()> {
    let config = place.load()?;
    place.check_prompts(&config)?;
    println!(
        "{}: good: {} boards, {} groups, {} agents, {} emulated boards",
        place.config_path().display(),
        config.spans.board.len(),
        config.media.group.len(),
        config.acd.agents.len(),
        config.emulate.board.len(),
    );
    Ok(())
}
