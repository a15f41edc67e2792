//! `spectramind runs`

mod diff;
mod page;
mod report;

use std::path::{Path, PathBuf};

use crate::ariel::package::INDEX;
use crate::cli::failure::Told;
use crate::cli::output::outln;

use crate::engine::run_dir::STEP_LOG;
use crate::failure::{Context, Result};
use crate::manifest::origin::ORIGIN;
use crate::manifest::predicate::{Computation, TrainingRecord, TrainingRun};
use crate::manifest::verified::read_unverified;
use crate::run::Workloads;
use crate::verify::MANIFEST;
use clap::Subcommand;

/// Look at past runs
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the runs below a folder, oldest first, with what their manifests claim; nothing is verified
    List {
        /// The folder
        #[arg(default_value = "runs")]
        root: PathBuf,
    },
    /// Print what a run's manifest claims, as JSON; nothing is verified
    Show {
        /// The run directory
        run: PathBuf,
    },
    Diff(diff::Arguments),
    Report(report::Arguments),
}

/// Lists, shows or reports runs.
pub fn run(arguments: &Arguments, workloads: &Workloads) -> Result<Told> {
    match &arguments.command {
        Command::List { root } => list(root)?,
        Command::Show { run } => {
            outln!("{}", serde_json::to_string_pretty(&claim(run)?)?);
        }
        Command::Diff(arguments) => return diff::run(arguments),
        Command::Report(arguments) => report::run(arguments, workloads)?,
    }
    Ok(Told::Done)
}

fn list(root: &Path) -> Result<()> {
    let mut found = Vec::new();
    collect(root, &mut found)?;
    found.sort();
    for run in found {
        match claim(&run) {
            Ok(claim) => {
                let first = claim.metrics.iter().find(|metric| metric.name == "test/score").or(claim.metrics.first());
                let figure = first.map_or("no figures".to_owned(), |metric| {
                    format!("{} {:.4}", metric.name.trim_start_matches("test/"), metric.value.get())
                });
                let run = run.display();
                match &claim.computation {
                    Computation::Training(TrainingRecord { steps, .. }) => {
                        outln!("{run}  {} steps  {figure}  root {}", steps.count, steps.merkle_root);
                    }
                    Computation::Command(command) => {
                        outln!("{run}  {}  {figure}  {} outputs", command.words.join(" "), claim.outputs.len());
                    }
                }
            }
            Err(_) => outln!("{}  not signed: unfinished, or not readable", run.display()),
        }
    }
    Ok(())
}

/// Run directories are those that say what the run starts from, or have a step log; they are not searched for others.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        // What is in a package is a copy of a run.
        if path.join(INDEX).is_file() {
            continue;
        }
        if path.join(ORIGIN).is_file() || path.join(STEP_LOG).is_file() {
            found.push(path);
        } else if path.is_dir() && !path.is_symlink() {
            collect(&path, found)?;
        }
    }
    Ok(())
}

/// Reads a manifest's claim without verifying it.
fn claim(run: &Path) -> Result<TrainingRun> {
    let path = run.join(MANIFEST);
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(read_unverified(&bytes)?.predicate)
}
