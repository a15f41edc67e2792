//! `spectramind`: composes a configuration, does what it says, and signs what was done.
//!
//! Thin on purpose: arguments, wording and progress are here, one file per command; everything else is the library.
//! Results go to standard output, talk to standard error.

mod commit;
mod completion;
mod compose;
mod config;
mod console;
mod digests;
mod doctor;
#[cfg(unix)]
mod exec;
mod export;
mod failure;
mod info;
mod init;
mod interrupt;
mod job;
mod keys;
mod new;
mod output;
mod pace;
mod package;
mod passphrase;
mod program;
mod progress;
mod ranks;
mod runs;
mod sweep;
mod train;
mod typed;
mod work;
mod world;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use crate::engine::device;
use crate::failure::Result;
use crate::run::Workloads;
use crate::workload;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::CompleteEnv;

use self::failure::Told;

/// Train models so that anyone can re-check the run later, bit for bit.
///
/// Every command that works composes a primary config, `configs/<command>.yaml`, as Hydra does, and takes overrides:
/// `group=option`, `key=value`, `+new.key=value`, `~key`.
///
/// Exit codes: 0 done; 1 the work failed; 2 the arguments or the configuration are wrong; 70 a bug; 130 or 143 ended by Ctrl-C or
/// SIGTERM, of which a run that computes makes the best: it finishes its step and signs what there is, and the second one ends it.
#[derive(Parser)]
#[command(version, about, max_term_width = 120)]
#[command(args_override_self = true, infer_long_args = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(Box<train::Arguments>),
    #[cfg(unix)]
    Exec(Box<exec::Arguments>),
    Init(init::Arguments),
    New(new::Arguments),
    Commit(commit::Arguments),
    Config(config::Arguments),
    Keys(keys::Arguments),
    Runs(runs::Arguments),
    Package(package::Arguments),
    Export(export::Arguments),
    Doctor(doctor::Arguments),
    Completion(completion::Arguments),
}

/// The program: reads the arguments of the process and does what they say, for these workloads.
///
/// A program of one's own is a `main` that calls this and nothing else:
///
/// ```no_run
/// use spectramind::ariel::Ariel;
/// use spectramind::run::Workloads;
///
/// fn main() -> std::process::ExitCode {
///     spectramind::cli::main(&Workloads::new().with(Ariel))
/// }
/// ```
pub fn main(workloads: &Workloads) -> ExitCode {
    CompleteEnv::with_factory(|| command(workloads)).var(completion::VARIABLE).complete();
    let mut words: Vec<_> = std::env::args_os().collect();
    // What comes after it is not ours to read: a command of the user's own may have flags of the same names.
    let ours = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words[..ours].iter_mut().for_each(|word| *word = compose::long_flag(std::mem::take(word)));
    let mut command = command(workloads);
    if words[..ours].iter().any(|word| word == "--help" || word == "-h") {
        let groups = typed::Typed::read(words[..ours].iter().skip(1).cloned()).groups();
        let own = subcommands(workloads).into_iter().map(|own| own.name);
        let exec = cfg!(unix).then_some(crate::command::PRIMARY);
        for name in ["train", "commit"].into_iter().chain(exec).chain(own) {
            command = command.mut_subcommand(name, |command| command.after_help(groups.clone()));
        }
    }
    let asked = command.try_get_matches_from(words).and_then(|matches| Asked::of(&matches, workloads));
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => without_dashes(error, std::env::args().skip(1)).exit(),
    };
    // The panic's own message is on standard error already.
    let done = std::panic::catch_unwind(AssertUnwindSafe(|| run(asked, workloads)));
    let Ok(done) = done else { return ExitCode::from(failure::BUG) };
    let done_or_interrupted = |told| interrupt::exit_code().map_or_else(|| ExitCode::from(told), ExitCode::from);
    done.map(done_or_interrupted).unwrap_or_else(|failure| {
        failure::tell(&failure);
        failure::exit_code(&failure)
    })
}

/// The whole command line: the commands that every program has, and those of the workloads. What its manual pages are made of.
pub fn command(workloads: &Workloads) -> clap::Command {
    let command = Arguments::command().name(program::name()).version(program::version());
    subcommands(workloads).into_iter().fold(command, |command, own| {
        // The arguments bring a description of theirs, which is none of the command.
        command.subcommand(work::Arguments::augment_args(clap::Command::new(own.name)).about(own.about))
    })
}

fn subcommands(workloads: &Workloads) -> Vec<workload::Subcommand> {
    workloads.iter().flat_map(|workload| workload.subcommands()).collect()
}

/// What was asked for.
enum Asked {
    Command(Command),
    Work(workload::Subcommand, work::Arguments),
}

impl Asked {
    fn of(matches: &clap::ArgMatches, workloads: &Workloads) -> Result<Self, clap::Error> {
        if let Some((name, matches)) = matches.subcommand()
            && let Some(own) = workloads.subcommand(name)
        {
            return Ok(Self::Work(own, work::Arguments::from_arg_matches(matches)?));
        }
        Ok(Self::Command(Arguments::from_arg_matches(matches)?.command))
    }
}

fn run(asked: Asked, workloads: &Workloads) -> Result<Told> {
    device::choose_cpu_level(std::env::var_os(device::CPU_LEVEL_VARIABLE).as_deref())?;
    match asked {
        Asked::Work(command, arguments) => work::run(&command, &arguments)?,
        Asked::Command(command) => match command {
            // Their answers may be a no.
            Command::Config(arguments) => return config::run(&arguments, workloads),
            Command::Train(arguments) => train::run(&arguments, workloads)?,
            #[cfg(unix)]
            Command::Exec(arguments) => exec::run(&arguments)?,
            Command::Init(arguments) => init::run(&arguments, workloads)?,
            Command::New(arguments) => new::run(&arguments)?,
            Command::Commit(arguments) => commit::run(&arguments, workloads)?,
            Command::Keys(arguments) => keys::run(&arguments)?,
            Command::Runs(arguments) => return runs::run(&arguments, workloads),
            Command::Package(arguments) => package::run(&arguments)?,
            Command::Export(arguments) => export::run(&arguments)?,
            Command::Doctor(arguments) => doctor::run(&arguments)?,
            Command::Completion(arguments) => completion::run(&arguments)?,
        },
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
