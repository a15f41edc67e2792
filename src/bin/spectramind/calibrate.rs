//! `spectramind calibrate`

use anyhow::Result;
use spectramind::ariel::config::CalibrateConfig;
use spectramind::ariel::preparation;

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
    let Some(config) = arguments.compose.compose("calibrate")? else { return Ok(()) };
    let CalibrateConfig { data, calib } = config.extract()?;
    let mut stages = Stages::new();
    let written = preparation::calibrate(&data, &calib, &mut shown(&mut stages))?;
    stages.finish();
    for path in written {
        println!("{}", path.display());
    }
    Ok(())
}
