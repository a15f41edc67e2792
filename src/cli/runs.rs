//! `spectramind runs`

mod diff;
mod list;
mod page;
mod report;
mod verdict;

use std::path::PathBuf;

use crate::cli::failure::Told;
use crate::cli::output::outln;
use crate::failure::Result;
use crate::manifest::claimed::ClaimedRun;
use crate::run::Workloads;
use crate::verify::text::shown_json;
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
            outln!("{}", shown_json(&serde_json::to_string_pretty(ClaimedRun::open(run)?.claim())?));
        }
        Command::Diff(arguments) => return diff::run(arguments),
        Command::Report(arguments) => report::run(arguments, workloads)?,
    }
    Ok(Told::Done)
}
