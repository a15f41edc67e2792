//! `spectramind export`

mod http;
mod mlflow;

use clap::Subcommand;

use crate::failure::Result;

/// Hand a signed run on to another tool
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Mlflow(mlflow::Arguments),
}

/// Exports a run.
///
/// # Errors
/// When the run cannot be read, or the server fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Mlflow(arguments) => mlflow::run(arguments),
    }
}
