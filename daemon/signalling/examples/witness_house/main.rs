//! The whole house against somebody else's engine: `trunkline emulate`, `media` and `acd` as processes, with the
//! D-channels of an emulated board led out to foreign exchanges and PBXs, on the real clock.
//!
//! ```text
//! witness_house TRUNKLINE PEER [--quick|--full] [--keep FOLDER] [WORD…]
//! ```
//!
//! TRUNKLINE is our program, PEER the foreign engine's (`tests/interop/libpri_peer.c` says what it understands). With
//! `--keep`, every house leaves its files in a folder of its own below FOLDER: logs, and captures of D-channels. A
//! scenario is a line: what was tried, how many of its checks passed and how many did not; what went wrong stands
//! below it, indented. Ends with status 0 when nothing failed.

mod calls;
mod centre;
mod house;
mod intruder;
#[path = "../witness/peer.rs"]
#[expect(dead_code, reason = "the other example starts it on a pair of sockets")]
mod peer;

use std::path::PathBuf;
use std::process::ExitCode;

/// Why a scenario could not be played to its end.
pub type Failure = Box<dyn std::error::Error>;

/// The programs, and how long it may take.
pub struct Context {
    /// Ours.
    pub trunkline: PathBuf,
    /// The foreign engine.
    pub peer: PathBuf,
    /// As many calls as it takes, or as few as will do.
    pub full: bool,
    /// Where the files of every house stay; gone with it when absent.
    pub keep: Option<PathBuf>,
}

/// How many checks held, and what was wrong with the others.
#[derive(Default)]
pub struct Verdict {
    /// Those that held.
    pub passed: usize,
    /// The others, in words.
    pub failures: Vec<String>,
    /// What was measured.
    pub figure: String,
}

impl Verdict {
    /// Counts a check; `words` say what was seen instead.
    pub fn check(&mut self, holds: bool, words: impl FnOnce() -> String) {
        match holds {
            true => self.passed += 1,
            false => self.failures.push(words()),
        }
    }
}

type Play = fn(&Context) -> Result<Verdict, Failure>;

const SCENARIOS: [(&str, Play); 4] = [
    ("house, user: calls both ways", |context| calls::both_ways(context, "user")),
    ("house, network: calls both ways", |context| calls::both_ways(context, "network")),
    ("house: a list is dialled and callers are served, as the records say", centre::records),
    ("house: an intruder on one D-channel, calls on another", intruder::beside_calls),
];

fn run(mut arguments: std::env::Args) -> Result<bool, Failure> {
    const USAGE: &str = "witness_house TRUNKLINE PEER [--quick|--full] [--keep FOLDER] [WORD…]";
    arguments.next();
    let mut path = || arguments.next().map(PathBuf::from).ok_or(USAGE);
    let mut context = Context { trunkline: path()?, peer: path()?, full: false, keep: None };
    let mut words = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => context.full = false,
            "--full" => context.full = true,
            "--keep" => context.keep = Some(arguments.next().map(PathBuf::from).ok_or(USAGE)?),
            _ => words.push(argument),
        }
    }
    let (mut passed, mut failed) = (0, 0);
    for (name, play) in SCENARIOS {
        // It takes its time, and is run when everything is, or by its name.
        if words.is_empty() && !context.full && name.contains("intruder") {
            continue;
        }
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let started = std::time::Instant::now();
        let verdict = play(&context).unwrap_or_else(|error| Verdict {
            failures: vec![error.to_string()],
            ..Verdict::default()
        });
        passed += verdict.passed;
        failed += verdict.failures.len();
        let seconds = started.elapsed().as_secs_f32();
        println!(
            "{name}: {} passed, {} failed ({seconds:.1} s); {}",
            verdict.passed,
            verdict.failures.len(),
            verdict.figure
        );
        for words in verdict.failures {
            println!("    {words}");
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn main() -> ExitCode {
    match run(std::env::args()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("witness_house: {error}");
            ExitCode::from(2)
        }
    }
}
