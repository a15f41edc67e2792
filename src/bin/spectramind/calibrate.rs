//! `spectramind calibrate`

use anyhow::Result;
use spectramind::ariel::config::CalibrateConfig;
use spectramind::ariel::preparation;

use crate::output::outln;
use crate::progress::Stages;
use crate::{compose, preparation::shown};

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
