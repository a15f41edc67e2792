//! `spectramind config`

pub(crate) mod diff;
pub mod explain;
mod show;
mod validate;

use crate::failure::Result;
use crate::run::Workloads;
use clap::Subcommand;

use crate::cli::failure::Told;

/// Look at composed configs
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Show(show::Arguments),
    Explain(explain::Arguments),
    Diff(diff::Arguments),
    Validate(validate::Arguments),
}

/// The primary config that is looked at unless another is named.
const PRIMARY: &str = "train";

/// Shows, explains, compares or validates.
///
/// # Errors
/// Whatever is wrong with the config.
pub fn run(arguments: &Arguments, workloads: &Workloads) -> Result<Told> {
    match &arguments.command {
        Command::Show(arguments) => show::run(arguments),
        Command::Explain(arguments) => explain::run(arguments).map(|()| Told::Done),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Validate(arguments) => validate::run(arguments, workloads),
    }
}
