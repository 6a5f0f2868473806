//! The trunkline binary.

use clap::Parser;

fn main() -> std::process::ExitCode {
    trunkline::cli::run(trunkline::cli::Cli::parse())
}
