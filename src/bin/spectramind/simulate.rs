//! `spectramind simulate`

use anyhow::Result;
use spectramind::ariel::config::SimulateConfig;
use spectramind::ariel::preparation;

use crate::output::outln;
use crate::progress::Stages;
use crate::{compose, preparation::shown};

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
