//! `spectramind exec`

use std::env;
use std::io::{self, Write};
use std::path::Path;

use crate::cli::compose::warned;
use crate::cli::digests::Digests;
use crate::cli::job::Job;
use crate::cli::output::outln;
use crate::cli::progress::Stages;
use crate::cli::train::{self, Signing, resume_command, verify_command};
use crate::cli::{compose, interrupt, sweep, world};
use crate::command::config::CheckedCommand;
use crate::command::{self, News, PRIMARY, Recorded, Recording};
use crate::config::Config;
use crate::durable;
use crate::engine::run_dir::RunDirectory;
use crate::failure::{Failure, Result};
use crate::manifest::origin::{ComputationOrigin, RunOrigin};
use crate::manifest::predicate::SandboxRecord;
use crate::process::sandbox::Sandbox;
use crate::process::{End, Finished, Status};
use crate::run::{self, Place};

/// Run a program of your own under config, limits and record, and sign what it made
///
/// Composes `configs/exec.yaml` (or -cp, -cn) of any keys as Hydra does, writes it resolved into the run directory, hashes
/// command.inputs, runs the command kept from writing elsewhere, and signs when it exited with 0, or was stopped by a signal to this
/// program, which it is handed on. {config} in its words stands
/// for the resolved YAML, {run} for the run directory; it finds them in SPECTRAMIND_CONFIG and SPECTRAMIND_RUN_DIR, too. What
/// it prints goes to standard error, and into logs/ of the run directory.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    compose: compose::Arguments,
    #[command(flatten)]
    signing: Signing,
    /// The command and its arguments: `-- python train.py --config {config}`
    #[arg(last = true, value_name = "CMD")]
    words: Vec<String>,
}

/// Runs a command, or one for each job of a multirun, or again what was interrupted.
pub fn run(arguments: &Arguments) -> Result<()> {
    interrupt::listen()?;
    let compose = &arguments.compose;
    match &compose.resume {
        Some(root) if !sweep::is_sweep(root) => again(root, arguments),
        Some(directory) => {
            let words = sweep::plan(directory)?.words;
            same_words(directory, arguments, &words)?;
            compose.run(PRIMARY, &words, |_| Ok(()), |job| exec(&job, &words, arguments))
        }
        None => {
            let words = &arguments.words;
            compose.run(PRIMARY, words, |config| check(config, words), |job| exec(&job, words, arguments))
        }
    }
}

/// Refuses what no run can come of, before any job of a multirun begins.
fn check(config: &Config, words: &[String]) -> Result<()> {
    CheckedCommand::of(config)?;
    match words {
        [] => Err(Failure::usage("expected a command, got no words", "put the words of the command after --")),
        _ => Ok(()),
    }
}

/// Runs the command of a single run that did not come to its end, anew, in its directory.
fn again(root: &Path, arguments: &Arguments) -> Result<()> {
    let recorded = run::read_origin(root)?;
    let ComputationOrigin::Command(command) = &recorded.computation else {
        let message = format!("{}: expected a run of a command, got one of {}", root.display(), recorded.workload);
        return Err(Failure::usage(message, format!("spectramind train --resume {}", root.display())));
    };
    same_words(root, arguments, &command.words)?;
    let selection = &arguments.compose.selection;
    let config = warned(recorded.config.compose(&selection.composer(PRIMARY)?)?);
    if config.digest()? != recorded.config.digest {
        let message = format!("{}: expected the composed config that the run began with, got another", root.display());
        return Err(Failure::new(message).with_hint("check out the configs it began with, or begin a new run"));
    }
    exec(&Job::resumed(config, root), &command.words, arguments)
}

/// What goes on goes on with the words that it began with.
fn same_words(root: &Path, arguments: &Arguments, words: &[String]) -> Result<()> {
    if arguments.words.is_empty() || arguments.words == words {
        return Ok(());
    }
    let message =
        format!("{}: expected the command that it began with, `{}`, got another", root.display(), words.join(" "));
    Err(Failure::usage(message, "leave the words after -- out: they are remembered"))
}

/// Runs the command of one run of a command line.
fn exec(job: &Job, words: &[String], arguments: &Arguments) -> Result<()> {
    let (config, place) = (job.config(), job.place()?);
    if let Place::Begun(root) = &place
        && run::is_complete(root)
    {
        return train::completed(job, root);
    }
    check(config, words)?;
    if let Place::New(root) = &place {
        // It is looked at again when it is made: here only so that nothing is hashed in vain.
        RunDirectory::check_new(root)?;
    }
    config.resolvers()?;
    let key = arguments.signing.key()?;
    let composer = arguments.compose.selection.composer(PRIMARY)?;
    let (digests, stages) = (Digests::open(!arguments.signing.no_cache), Stages::new(arguments.compose.quiet));
    let refuse = |error: io::Error| {
        let failure = Failure::missing(durable::without_path(error).to_string());
        let failure = failure.context(format!("cannot make a temporary folder in {}", env::temp_dir().display()));
        failure.with_hint("name a folder that can be written to in the environment variable TMPDIR")
    };
    let temporary = tempfile::tempdir().map_err(refuse)?;
    // Links above it are none that the command should meet.
    let folder = temporary.path().canonicalize().map_err(refuse)?;
    let recorded = world::with(|surroundings| {
        command::record(Recording {
            config,
            words,
            place,
            begin: &mut |root| job.begin_in(root),
            cache: digests.cache(),
            surroundings,
            temporary: &folder,
            key,
            news: &mut |news| match news {
                News::Hashing(root) => stages.line(&format!("hashing {}", root.display())),
                News::Begun(origin, sandbox) => {
                    interrupt::gracefully();
                    digests.save();
                    if let Some(why) = run::audit_difference(origin, &composer) {
                        eprintln!("Warning: an audit will not compose the config that is signed: {why}");
                    }
                    warn(origin, sandbox, words);
                    stages.line(&format!("running {}", words.join(" ")));
                }
                // Who does not read what it prints does not end it.
                News::Output(_, bytes) => drop(std::io::stderr().write_all(bytes)),
                News::Ended(_) => {}
            },
        })
    })?;
    let Recorded { signed, finished, outputs, metrics, sandbox } = &recorded;
    let is_interrupted = finished.end == End::Stopped;
    if is_interrupted {
        interrupt::honour();
    }
    let figures: Vec<_> = metrics.iter().map(|metric| format!("{} {}", metric.name, metric.value)).collect();
    outln!("run        {}", signed.root.display());
    outln!("exit       {}", took(finished));
    outln!("outputs    {} files, which a replay compares", outputs.len());
    outln!("metrics    {}", if figures.is_empty() { "none".to_owned() } else { figures.join(", ") });
    outln!("kept by    {}", kept_by(sandbox));
    outln!("signed by  {}", key.public().keyid());
    outln!("verify     {}", verify_command(&signed.root, &arguments.compose, &arguments.signing, &signed.origin));
    if is_interrupted {
        outln!("resume     {}", resume_command(PRIMARY, &signed.root, &arguments.compose, &arguments.signing));
    }
    Ok(())
}

/// What keeps a run from being checked later is said before it takes its time.
fn warn(origin: &RunOrigin, sandbox: &Sandbox, words: &[String]) {
    match &origin.git {
        None => {
            eprintln!("Warning: there is no git repository here: nobody will be able to run this again from the record")
        }
        Some(git) => {
            for path in git.read_untracked.iter().chain(&git.read_ignored) {
                if words.iter().skip(1).any(|word| word == path || path.ends_with(&format!("/{word}"))) {
                    eprintln!("Warning: {path} is in no commit: nobody will be able to run this again from the record");
                }
            }
        }
    }
    if let Sandbox::None { why } = sandbox {
        eprintln!("Warning: nothing keeps the command from writing outside of its run directory: {why}");
    }
}

fn took(finished: &Finished) -> String {
    let mebibytes = finished.peak_bytes >> 20;
    let end = match (&finished.end, finished.status) {
        (End::Stopped, Some(Status::Exited(code))) => format!("interrupted, {code}"),
        (End::Stopped, Some(Status::Signalled(signal))) => format!("interrupted, by signal {signal}"),
        _ => "0".to_owned(),
    };
    format!("{end}, after {:.1} s; at most {mebibytes} MiB in one process", finished.wall_seconds)
}

fn kept_by(sandbox: &SandboxRecord) -> String {
    match sandbox {
        SandboxRecord::Landlock { abi } => format!("Landlock (version {abi}) from writing elsewhere"),
        SandboxRecord::None { reason } => format!("nothing: {reason}"),
    }
}
