//! `spectramind predict`

use anyhow::Result;
use spectramind::ariel::config::PredictConfig;
use spectramind::ariel::training;

use crate::output::outln;
use crate::progress::Stages;
use crate::{compose, preparation::shown};

/// Turn a checkpoint and a split of a data set into a submission
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    compose: compose::Arguments,
}

/// Predicts a split.
pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.compose.run("predict", |job| {
        let config: PredictConfig = job.config().extract()?;
        job.begin()?;
        let mut stages = Stages::new();
        training::predict(&config, &mut shown(&mut stages))?.write(&config.out)?;
        stages.finish();
        outln!("{}", config.out.display());
        Ok(())
    })
}
