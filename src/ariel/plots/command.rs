//! `spectramind plot`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{PlotError, pictures};
use crate::ariel::config::PlotConfig;
use crate::config::Config;
use crate::durable;
use crate::failure::Failure;
use crate::manifest::claimed::ClaimedRun;
use crate::run::curves;
use crate::workload::{Answer, Progress};

/// Draws all pictures of a run into a folder beside it.
pub(in crate::ariel) fn plot(config: &Config, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Answer, Failure> {
    let PlotConfig { run, data, out } = config.extract()?;
    let claimed = ClaimedRun::open(&run)?;
    // Before anything is drawn: a place where it must not go.
    let out = folder(&claimed, out)?;
    let mut drawn = pictures(&claimed, &data, progress)?;
    drawn.extend(curves::curves(&[(String::new(), &claimed)])?);
    let cannot = |path: &Path, error| PlotError::Write { path: path.to_owned(), source: error };
    std::fs::create_dir_all(&out).map_err(|error| cannot(&out, error))?;
    let mut paths = Vec::new();
    for picture in &drawn {
        for (extension, bytes) in [("svg", picture.svg().as_bytes()), ("png", &picture.png()?)] {
            let path = out.join(format!("{}.{extension}", picture.name));
            durable::write_whole(&path, bytes).map_err(|error| cannot(&path, error))?;
            paths.push(path.display().to_string());
        }
    }
    Ok(Answer { text: paths.join("\n"), json: json!({ "written": paths }) })
}

/// Where pictures of a run go; never into its directory.
fn folder(run: &ClaimedRun, out: Option<PathBuf>) -> Result<PathBuf, PlotError> {
    match out {
        Some(out) if run.holds(&out) => Err(PlotError::InsideRun { out }),
        Some(out) => Ok(out),
        None => Ok(run.beside("-plots")),
    }
}
