//! `spectramind`: composes a configuration, does what it says, and signs what was done.
//!
//! Thin on purpose: arguments, wording and progress are here, one file per command; everything else is the library.
//! Results go to standard output, talk to standard error.

mod calibrate;
mod commit;
mod completion;
mod compose;
mod config;
mod digests;
mod doctor;
mod evaluate;
mod failure;
mod info;
mod job;
mod keys;
mod output;
mod passphrase;
mod predict;
mod preparation;
mod progress;
mod record;
mod runs;
mod simulate;
mod sweep;
mod train;
mod typed;

use std::process::ExitCode;

use crate::engine::device;
use crate::failure::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::CompleteEnv;

use self::failure::Told;

/// Train models so that anyone can re-check the run later, bit for bit.
///
/// Every command that works composes a primary config, `configs/<command>.yaml`, as Hydra does, and takes overrides:
/// `group=option`, `key=value`, `+new.key=value`, `~key`.
///
/// Exit codes: 0 done; 1 the work failed; 2 the arguments or the configuration are wrong; 70 a bug.
#[derive(Parser)]
#[command(name = "spectramind", version, about, max_term_width = 120)]
#[command(args_override_self = true, infer_long_args = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Simulate(simulate::Arguments),
    Calibrate(calibrate::Arguments),
    Train(Box<train::Arguments>),
    Commit(commit::Arguments),
    Predict(predict::Arguments),
    Evaluate(evaluate::Arguments),
    Config(config::Arguments),
    Keys(keys::Arguments),
    Runs(runs::Arguments),
    Doctor(doctor::Arguments),
    Completion(completion::Arguments),
}

/// The commands that compose a config and work with it.
const COMPOSING: [&str; 6] = ["simulate", "calibrate", "train", "commit", "predict", "evaluate"];

/// The program: reads the arguments of the process and does what they say.
pub fn main() -> ExitCode {
    CompleteEnv::with_factory(Arguments::command).var(completion::VARIABLE).complete();
    let words: Vec<_> = std::env::args_os().map(compose::long_flag).collect();
    let mut command = Arguments::command();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        let groups = typed::Typed::read(words.iter().skip(1).cloned()).groups();
        for name in COMPOSING {
            command = command.mut_subcommand(name, |command| command.after_help(groups.clone()));
        }
    }
    let matches = command.try_get_matches_from(words).and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match matches {
        Ok(arguments) => arguments,
        Err(error) => without_dashes(error, std::env::args().skip(1)).exit(),
    };
    // The panic's own message is on standard error already.
    let Ok(done) = std::panic::catch_unwind(|| run(arguments.command)) else { return ExitCode::from(failure::BUG) };
    done.map(ExitCode::from).unwrap_or_else(|failure| {
        failure::tell(&failure);
        failure::exit_code(&failure)
    })
}

fn run(command: Command) -> Result<Told> {
    device::choose_cpu_level(std::env::var_os(device::CPU_LEVEL_VARIABLE).as_deref())?;
    match command {
        // Its answer may be a no.
        Command::Config(arguments) => return config::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments)?,
        Command::Calibrate(arguments) => calibrate::run(&arguments)?,
        Command::Train(arguments) => train::run(&arguments)?,
        Command::Commit(arguments) => commit::run(&arguments)?,
        Command::Predict(arguments) => predict::run(&arguments)?,
        Command::Evaluate(arguments) => evaluate::run(&arguments)?,
        Command::Keys(arguments) => keys::run(&arguments)?,
        Command::Runs(arguments) => runs::run(&arguments)?,
        Command::Doctor(arguments) => doctor::run(&arguments)?,
        Command::Completion(arguments) => completion::run(&arguments)?,
    }
    Ok(Told::Done)
}

/// Other programs' habit: `--trainer.epochs=5` is an override, which has no dashes here.
fn without_dashes(mut error: clap::Error, words: impl Iterator<Item = String>) -> clap::Error {
    let unknown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(unknown)) if error.kind() == ErrorKind::UnknownArgument => unknown.clone(),
        _ => return error,
    };
    let is_meant =
        |word: &String| word.strip_prefix(&unknown).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    let typed = words.filter(is_meant).map(|word| word.trim_start_matches('-').to_owned()).next();
    let Some(typed) = typed.filter(|typed| typed.contains(['.', '='])) else { return error };
    let written = if typed.contains('=') { typed } else { format!("{typed}=VALUE") };
    let tip = format!("overrides have no dashes: {written}");
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}
