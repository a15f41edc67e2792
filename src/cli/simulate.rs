//! `spectramind simulate`

use crate::ariel::config::SimulateConfig;
use crate::ariel::preparation;
use crate::failure::Result;

use crate::cli::output::outln;
use crate::cli::progress::Stages;
use crate::cli::{compose, preparation::shown};

/// Write an Ariel data set in the competition's own layout, from physics
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    compose: compose::Arguments,
}

/// Simulates a data set.
pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.compose.run("simulate", compose::reads::<SimulateConfig>, |job| {
        let SimulateConfig { sim } = job.config().extract()?;
        job.begin()?;
        let mut stages = Stages::new();
        preparation::simulate(&sim, &mut shown(&mut stages))?;
        stages.finish();
        outln!("{}", sim.out.display());
        Ok(())
    })
}
