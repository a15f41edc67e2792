//! `spectramind calibrate`

use crate::ariel::config::CalibrateConfig;
use crate::ariel::preparation;
use crate::failure::Result;

use crate::cli::output::outln;
use crate::cli::progress::Stages;
use crate::cli::{compose, preparation::shown};

/// Turn raw frames into calibrated cubes or light curves
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    compose: compose::Arguments,
}

/// Calibrates one split of a data set.
pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.compose.run("calibrate", compose::reads::<CalibrateConfig>, |job| {
        let CalibrateConfig { data, calib } = job.config().extract()?;
        job.begin()?;
        let mut stages = Stages::new();
        let written = preparation::calibrate(&data, &calib, &mut shown(&mut stages))?;
        stages.finish();
        for path in written {
            outln!("{}", path.display());
        }
        Ok(())
    })
}
