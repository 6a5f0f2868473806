//! Our engine against somebody else's, call by call, on the real clock.
//!
//! ```text
//! witness PEER [--quick|--full] [--captures DIR] [WORD…]
//! ```
//!
//! PEER is the foreign engine's program (`tests/interop/libpri_peer.c` says what it understands). With words, only
//! scenarios whose names hold one of them are run. A scenario is a line: what was tried, how many of its checks
//! passed and how many did not; what went wrong stands below it, indented. Ends with status 0 when nothing failed.

mod bench;
mod desk;
mod peer;
mod scenarios;
mod waits;

use std::path::PathBuf;
use std::process::ExitCode;

use scenarios::{Context, Scenario};

/// Why a scenario could not be played to its end.
pub type Failure = Box<dyn std::error::Error>;

fn run(mut arguments: std::env::Args) -> Result<bool, Failure> {
    const USAGE: &str = "witness PEER [--quick|--full] [--captures DIR] [WORD…]";
    arguments.next();
    let peer = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let mut context = Context { peer, full: false, captures: None };
    let mut words = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => context.full = false,
            "--full" => context.full = true,
            "--captures" => {
                context.captures = Some(PathBuf::from(arguments.next().ok_or(USAGE)?));
            }
            word => words.push(word.to_owned()),
        }
    }
    let (mut passed, mut failed) = (0, 0);
    for Scenario { name, play } in scenarios::all(context.full) {
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let started = std::time::Instant::now();
        let verdict = play(&context, &name).unwrap_or_else(|error| scenarios::Verdict {
            passed: 0,
            failed: 1,
            words: vec![error.to_string()],
            figure: None,
        });
        passed += verdict.passed;
        failed += verdict.failed;
        let figure = verdict.figure.map_or_else(String::new, |figure| format!("; {figure}"));
        let seconds = started.elapsed().as_secs_f32();
        println!(
            "{name}: {} passed, {} failed ({seconds:.1} s){figure}",
            verdict.passed, verdict.failed
        );
        for word in verdict.words {
            println!("    {word}");
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
            eprintln!("witness: {error}");
            ExitCode::from(2)
        }
    }
}
