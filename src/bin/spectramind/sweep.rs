//! A multirun: one run after another for every combination of values, and going on with one that was interrupted.
//!
//! Beside Hydra's `multirun.yaml` the directory of a multirun holds `sweep.jsonl`: what was asked for, then a line
//! for each run that ended, synced before the next begins. A multirun that is resumed composes with the time it
//! began at, so its `${now:…}` name the same directories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use spectramind::config::{Composer, Sweep};
use spectramind::durable;
use spectramind::engine::run_dir::complete_lines;
use spectramind::manifest::timestamp::UtcTime;

use crate::compose::{Which, civil, warnings};
use crate::job::Job;
use crate::{failure, info, record};

const STATE: &str = "sweep.jsonl";

/// What a multirun was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The command whose work is done.
    pub command: String,
    /// The primary config.
    pub config_name: String,
    /// The overrides, sweeps among them.
    pub overrides: Vec<String>,
    /// The keys that vary together.
    pub zip: Vec<Vec<String>>,
}

/// The first line of the state: the plan, and what it came to.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    #[serde(flatten)]
    plan: Plan,
    started_at: UtcTime,
    jobs: Vec<Vec<String>>,
}

/// A further line: a run that ended.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    job: usize,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Done,
    Failed,
}

/// A multirun that cannot begin or go on, or did not go well.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Its directory has a multirun already.
    #[error("{} holds a multirun already: expected a directory without one", .0.display())]
    Exists(PathBuf),
    /// What should be resumed is no multirun.
    #[error("{}: expected the directory of a multirun, with its {STATE}; got none", .0.display())]
    NoSweep(PathBuf),
    /// Another process is at it.
    #[error("the multirun {} is being run by another process", .0.display())]
    Locked(PathBuf),
    /// Runs failed.
    #[error("{failed} of {jobs} jobs of the multirun {directory} failed", directory = .directory.display())]
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        jobs: usize,
        /// Where.
        directory: PathBuf,
    },
}

/// Whether a directory is that of a multirun.
pub fn is_sweep(directory: &Path) -> bool {
    directory.join(STATE).is_file()
}

/// Runs all jobs of a plan.
///
/// # Errors
/// Whatever is wrong with the plan or any job's config, before anything is written; [`SweepError`].
pub fn begin(plan: Plan, composer: Composer, work: impl FnMut(Job) -> Result<()>) -> Result<()> {
    let started_at = record::now();
    let composer = composer.now(civil(&started_at));
    let sweep = composed(&plan, &composer)?;
    for job in sweep.jobs() {
        composer.compose_job(&sweep, job).with_context(|| format!("job {}", job.join(" ")))?;
    }
    let directory = PathBuf::from(sweep.frame().hydra_value("sweep.dir")?.to_string());
    if is_sweep(&directory) {
        return Err(SweepError::Exists(directory).into());
    }
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let frame = info::composed(sweep.frame(), Which::All, None, false)?;
    let multirun_yaml = directory.join("multirun.yaml");
    durable::write_whole(&multirun_yaml, frame.as_bytes())
        .with_context(|| format!("cannot write {}", multirun_yaml.display()))?;
    let begun = Begun { plan, started_at, jobs: sweep.jobs().to_vec() };
    let line = serde_json::to_string(&begun)? + "\n";
    let path = directory.join(STATE);
    durable::write_whole(&path, line.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    let state = State::lock(&directory)?;
    run_jobs(&sweep, &composer, &directory, state, None, work)
}

/// Goes on with a multirun: runs that are done stay as they are.
///
/// # Errors
/// As [`begin`], and when the configs no longer give the jobs that the multirun began with.
pub fn resume(command: &str, composer: Composer, directory: &Path, work: impl FnMut(Job) -> Result<()>) -> Result<()> {
    if !is_sweep(directory) {
        return Err(SweepError::NoSweep(directory.to_owned()).into());
    }
    let path = directory.join(STATE);
    let state = State::lock(directory)?;
    let lines = complete_lines(&path)?;
    state.truncate(lines.iter().map(|line| line.len() as u64 + 1).sum())?;
    let mut lines = lines.iter();
    let begun = lines.next().with_context(|| format!("{} is empty", path.display()))?;
    let begun: Begun = serde_json::from_str(begun).with_context(|| format!("{}, line 1", path.display()))?;
    if begun.plan.command != command {
        let began = begun.plan.command;
        bail!(
            "{}: expected a multirun of `spectramind {command}`, got one of `spectramind {began}`",
            directory.display()
        );
    }
    let mut outcomes = BTreeMap::new();
    for (number, line) in lines.enumerate() {
        let ended: Ended =
            serde_json::from_str(line).with_context(|| format!("{}, line {}", path.display(), number + 2))?;
        outcomes.insert(ended.job, ended.outcome);
    }
    let composer = composer.now(civil(&begun.started_at));
    let sweep = composed(&begun.plan, &composer)?;
    if sweep.jobs() != begun.jobs {
        bail!(
            "{}: expected the jobs that the multirun began with, got others: the configs changed",
            directory.display()
        );
    }
    run_jobs(&sweep, &composer, directory, state, Some(&outcomes), work)
}

fn composed(plan: &Plan, composer: &Composer) -> Result<Sweep> {
    Ok(composer.clone().zip(plan.zip.clone()).sweep(plan.config_name.as_str(), &plan.overrides)?)
}

fn run_jobs(
    sweep: &Sweep,
    composer: &Composer,
    directory: &Path,
    mut state: State,
    resumed: Option<&BTreeMap<usize, Outcome>>,
    mut work: impl FnMut(Job) -> Result<()>,
) -> Result<()> {
    let jobs = sweep.jobs();
    let is_done = |number| resumed.and_then(|outcomes| outcomes.get(&number)) == Some(&Outcome::Done);
    let left = (0..jobs.len()).filter(|number| !is_done(*number)).count();
    eprintln!("Launching {left} jobs locally in {}", directory.display());
    let (mut failed, mut told) = (0, BTreeSet::new());
    for (number, overrides) in jobs.iter().enumerate() {
        if is_done(number) {
            continue;
        }
        eprintln!("\t#{number} : {}", overrides.join(" "));
        let result = composer
            .compose_job(sweep, overrides)
            .map_err(Into::into)
            .inspect(|config| tell_new(warnings(config), &mut told))
            .and_then(|config| Job::of_sweep(config, number, directory, resumed.is_some()))
            .and_then(&mut work);
        // As in Hydra, a job that fails does not keep the others from running.
        let outcome = match result {
            Ok(()) => Outcome::Done,
            Err(error) => {
                failure::report(&error);
                failed += 1;
                Outcome::Failed
            }
        };
        state.append(&Ended { job: number, outcome })?;
    }
    if failed > 0 {
        return Err(SweepError::Failed { failed, jobs: jobs.len(), directory: directory.to_owned() }.into());
    }
    Ok(())
}

/// Shows the warnings that no job before had.
fn tell_new(warnings: impl Iterator<Item = String>, told: &mut BTreeSet<String>) {
    for warning in warnings {
        if !told.contains(&warning) {
            eprintln!("Warning: {warning}");
            told.insert(warning);
        }
    }
}

/// The state file, open and locked.
struct State {
    file: File,
    path: PathBuf,
}

impl State {
    fn lock(directory: &Path) -> Result<Self> {
        let path = directory.join(STATE);
        let failed = || format!("cannot write {}", path.display());
        let file = OpenOptions::new().append(true).open(&path).with_context(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path }),
            Err(TryLockError::WouldBlock) => Err(SweepError::Locked(directory.to_owned()).into()),
            Err(TryLockError::Error(error)) => Err(error).with_context(failed),
        }
    }

    /// Drops what a killed process left of a line after `length` bytes.
    fn truncate(&self, length: u64) -> Result<()> {
        self.file.set_len(length).with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn append(&mut self, ended: &Ended) -> Result<()> {
        let line = serde_json::to_string(ended)? + "\n";
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}
