//! `spectramind predict`

use crate::ariel::config::PredictConfig;
use crate::ariel::training::{self, TrainingError};
use crate::engine::device;
use crate::engine::snapshot::Snapshot;
use crate::failure::Result;

use crate::cli::output::outln;
use crate::cli::progress::Stages;
use crate::cli::{compose, preparation::shown};

/// Turn a checkpoint and a split of a data set into a submission
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    compose: compose::Arguments,
}

/// Predicts a split.
pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.compose.run("predict", compose::reads::<PredictConfig>, |job| {
        let config: PredictConfig = job.config().extract()?;
        job.begin()?;
        let mut stages = Stages::new();
        let snapshot = Snapshot::read(&config.checkpoint).map_err(TrainingError::from)?;
        let choice = device::choose(config.accelerator, snapshot.progress.arithmetic.numerics)?;
        eprintln!("computing on {}: chosen because {}", choice.device, choice.why);
        training::predict(&config, &snapshot, &choice.device, &mut shown(&mut stages))?.write(&config.out)?;
        stages.finish();
        outln!("{}", config.out.display());
        Ok(())
    })
}
