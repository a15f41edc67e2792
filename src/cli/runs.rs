//! `spectramind runs`

mod diff;
mod list;
mod page;
mod report;
mod verdict;

use std::path::{Path, PathBuf};

use crate::cli::failure::Told;
use crate::cli::output::outln;

use crate::failure::{Context, Result};
use crate::manifest::claimed::ClaimedError;
use crate::manifest::predicate::TrainingRun;
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
    List(list::Arguments),
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
        Command::List(arguments) => list::run(arguments)?,
        Command::Show { run } => {
            outln!("{}", serde_json::to_string_pretty(&claim(run)?)?);
        }
        Command::Diff(arguments) => return diff::run(arguments),
        Command::Report(arguments) => report::run(arguments, workloads)?,
    }
    Ok(Told::Done)
}

/// Reads a manifest's claim without verifying it.
fn claim(run: &Path) -> Result<TrainingRun> {
    let path = run.join(MANIFEST);
    if !path.exists() {
        return Err(ClaimedError::Unsigned { root: run.to_owned() }.into());
    }
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let statement = read_unverified(&bytes).with_context(|| format!("{} is no manifest", path.display()))?;
    Ok(statement.predicate)
}
