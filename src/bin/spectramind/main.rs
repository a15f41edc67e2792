//! `spectramind`: composes a configuration, does what it says, and signs what was done.
//!
//! Thin on purpose: arguments, wording and progress are here, one file per command; everything else is the library.
//! Results go to standard output, talk to standard error.

mod calibrate;
mod compose;
mod config;
mod evaluate;
mod failure;
mod keys;
mod predict;
mod preparation;
mod progress;
mod record;
mod runs;
mod simulate;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Train models so that anyone can re-check the run later, bit for bit.
///
/// Every command that works composes a primary config, `configs/<command>.yaml`, as Hydra does, and takes overrides:
/// `group=option`, `key=value`, `+new.key=value`, `~key`.
///
/// Exit codes: 0 done; 1 the work failed; 2 the arguments or the configuration are wrong; 70 a bug.
#[derive(Parser)]
#[command(version, about, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Simulate(simulate::Arguments),
    Calibrate(calibrate::Arguments),
    Train(train::Arguments),
    Predict(predict::Arguments),
    Evaluate(evaluate::Arguments),
    Config(config::Arguments),
    Keys(keys::Arguments),
    Runs(runs::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse_from(std::env::args_os().map(compose::long_flag));
    let done = std::panic::catch_unwind(|| match arguments.command {
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Calibrate(arguments) => calibrate::run(&arguments),
        Command::Train(arguments) => train::run(&arguments),
        Command::Predict(arguments) => predict::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Runs(arguments) => runs::run(&arguments),
    });
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => failure::report(&error),
        // The panic's own message is on standard error already.
        Err(_) => ExitCode::from(failure::BUG),
    }
}
