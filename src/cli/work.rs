//! The commands of a workload's own: `predict`, `evaluate` and their like.

use crate::cli::compose;
use crate::cli::output::outln;
use crate::cli::progress::Stages;
use crate::failure::Result;
use crate::workload::Subcommand;

/// What each of them takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    compose: compose::Arguments,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Does what the command does, for the composed config or for every job of a multirun.
pub fn run(command: &Subcommand, arguments: &Arguments) -> Result<()> {
    arguments.compose.run(command.name, &[], command.check, |job| {
        let config = job.config().clone();
        job.begin()?;
        let mut stages = Stages::new(arguments.compose.quiet);
        let answer = (command.run)(&config, &mut |progress| stages.report(progress))?;
        stages.finish();
        match arguments.json {
            true => outln!("{}", answer.json),
            false => outln!("{}", answer.text),
        }
        Ok(())
    })
}
