//! `spectramind config`

use anyhow::Result;
use clap::Subcommand;

use crate::compose;

/// Look at composed configs
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what a command would read
    Show {
        /// The command, e.g. train: its primary config is composed
        #[arg(value_name = "COMMAND")]
        primary: String,
        #[command(flatten)]
        compose: compose::Arguments,
    },
}

/// Shows a config.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Command::Show { primary, compose } = &arguments.command;
    let config = compose.compose_recorded(compose.primary(primary), &compose.overrides)?;
    print!("{}", config.resolve()?.to_yaml());
    Ok(())
}
