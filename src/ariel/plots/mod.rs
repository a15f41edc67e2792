//! Pictures of a run: spectra, light curves, residuals, reliability.
//!
//! Drawn of the signed files of the run, and of the files of its data sets that the signed lists name, each checked as it is
//! read. What is not there is not drawn.

mod command;
mod judged;
mod light_curves;
mod reliability;
mod residuals;
mod spectra;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::config::ArielConfig;
use super::workload::PREDICTIONS;
use crate::chart::Picture;
use crate::config::{Composer, SearchPath};
use crate::failure::{Advice, Failure, FailureKind, io_hint};
use crate::manifest::claimed::ClaimedRun;
use crate::workload::{Progress, RunSettings};

pub(super) use self::command::plot;
use self::judged::Judged;

/// The config of a run, inside its directory.
pub(super) const CONFIG: &str = ".hydra/config.yaml";

/// A run that nothing can be drawn of.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// A run of something else.
    #[error("{run}: expected a run of the workload ariel, got one of {got:?}", run = run.display())]
    OtherWorkload {
        /// The run directory.
        run: PathBuf,
        /// What it is of.
        got: String,
    },
    /// A record with fewer data sets than the config names.
    #[error("{run}: expected the list of the data set {name} in the record, got none", run = run.display())]
    NoData {
        /// The run directory.
        run: PathBuf,
        /// What is missing.
        name: String,
    },
    /// A data set that is not where the record says.
    #[error("data set {name}: expected a folder at {root}, got nothing there", root = root.display())]
    DataMissing {
        /// Its name.
        name: String,
        /// Where it was.
        root: PathBuf,
    },
    /// A planet whose prediction cannot be held against anything.
    #[error("{PREDICTIONS}: planet {planet}: expected its {what}, got none")]
    NoPlanet {
        /// The planet.
        planet: i64,
        /// What is missing.
        what: &'static str,
    },
    /// A place for pictures in the run directory.
    #[error("out={out}: expected a folder outside the run directory, in which an audit refuses what nobody signed", out = out.display())]
    InsideRun {
        /// Where they were to go.
        out: PathBuf,
    },
    /// A picture that cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl Advice for PlotError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::DataMissing { name, .. } => {
                Some(format!("say where it is with +data.{name}=DIR, or run this where the run was started"))
            }
            Self::OtherWorkload { .. } => Some("name a run of it; spectramind runs report shows any run".into()),
            Self::InsideRun { .. } => Some("leave out=… away: they go beside the run directory".into()),
            Self::Write { path, source } => io_hint(source, path),
            Self::NoData { .. } | Self::NoPlanet { .. } => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::DataMissing { .. } | Self::Write { .. } => FailureKind::Missing,
            Self::InsideRun { .. } => FailureKind::Usage,
            Self::OtherWorkload { .. } | Self::NoData { .. } | Self::NoPlanet { .. } => FailureKind::Failed,
        }
    }
}

/// The config of a run, as it was signed.
pub(super) fn config(run: &ClaimedRun) -> Result<ArielConfig, Failure> {
    if run.claim().workload != "ariel" {
        let (run, got) = (run.root().to_owned(), run.claim().workload.clone());
        return Err(PlotError::OtherWorkload { run, got }.into());
    }
    let text = String::from_utf8_lossy(&run.read(CONFIG)?).into_owned();
    let files = BTreeMap::from([("config.yaml".to_owned(), text)]);
    let config = Composer::new(SearchPath::new().memory("run", files)).compose::<&str>("config", &[])?;
    let (_, own): (RunSettings, ArielConfig) = config.extract_parts(&RunSettings::KEYS)?;
    Ok(own)
}

/// All pictures of a run; none where it predicted no planet. `roots` says where data sets are that are not where they were.
///
/// # Errors
/// When a file is missing, is not the signed one, or cannot be drawn.
pub(super) fn pictures(
    run: &ClaimedRun,
    roots: &BTreeMap<String, PathBuf>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Picture>, Failure> {
    let config = config(run)?;
    if !run.has(PREDICTIONS) {
        return Ok(Vec::new());
    }
    let mut stage = |stage: &str, done| progress(Progress { stage, done, total: 3, unit: "" });
    stage("reading the run's files", 0);
    let Some(judged) = Judged::read(run, &config, roots)? else { return Ok(Vec::new()) };
    stage("drawing spectra", 1);
    let mut pictures = vec![spectra::draw(&judged)?, residuals::draw(&judged)?, reliability::draw(&judged)?];
    stage("drawing light curves", 2);
    pictures.extend(light_curves::draw(&judged, &config)?);
    Ok(pictures)
}

/// A data set's folder.
fn root_of(name: &str, recorded: &str, roots: &BTreeMap<String, PathBuf>) -> Result<PathBuf, PlotError> {
    let root = roots.get(name).cloned().unwrap_or_else(|| Path::new(recorded).to_owned());
    match root.is_dir() {
        true => Ok(root),
        false => Err(PlotError::DataMissing { name: name.to_owned(), root }),
    }
}

/// Parts per million.
const PPM: f64 = 1e6;
