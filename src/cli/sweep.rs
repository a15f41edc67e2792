//! A multirun: one run after another for every combination of values, and going on with one that was interrupted.
//!
//! Beside Hydra's `multirun.yaml` the directory of a multirun holds `sweep.jsonl`: what was asked for, then a line
//! for each run that ended, synced before the next begins. A multirun that is resumed composes with the time it
//! began at, so its `${now:…}` name the same directories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::config::digest::digest_of;
use crate::config::{Composer, Config, Sweep};
use crate::digest::Blake3Digest;
use crate::durable;
use crate::engine::run_dir::complete_lines;
use crate::failure::{Advice, Context, Failure, Result};
use crate::manifest::timestamp::{UtcOffset, UtcTime};
use serde::{Deserialize, Serialize};

use crate::cli::compose::{Sources, Which, composer, warnings};
use crate::cli::job::{DirectoryKeys, Job};
use crate::cli::{failure, info, interrupt, program, world};

const STATE: &str = "sweep.jsonl";

/// What a multirun was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The command whose work is done.
    pub command: String,
    /// What is composed from.
    #[serde(flatten)]
    pub sources: Sources,
    /// The primary config.
    pub config_name: String,
    /// The overrides, sweeps among them.
    pub overrides: Vec<String>,
    /// The keys that vary together.
    pub zip: Vec<Vec<String>>,
    /// The words of the user's own command that each job runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
}

/// The first line of the state: the plan, and what it came to.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    #[serde(flatten)]
    plan: Plan,
    started_at: UtcTime,
    #[serde(default, skip_serializing_if = "UtcOffset::is_utc")]
    utc_offset_seconds: UtcOffset,
    jobs: Vec<Planned>,
}

/// A job as it was planned: going on with another would mix two multiruns.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Planned {
    overrides: Vec<String>,
    /// The digest of its config, unresolved.
    config: Blake3Digest,
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
    /// It is one of another command.
    #[error("{directory}: expected a multirun of this command, got one of `{program} {began}`", directory = .directory.display(), program = program::name())]
    OtherCommand {
        /// Where.
        directory: PathBuf,
        /// The command that began it.
        began: String,
    },
    /// The configs are no longer those it began with.
    #[error("{}: expected the configs that the multirun began with, got others", .0.display())]
    OtherConfigs(PathBuf),
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

impl Advice for SweepError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exists(directory) => {
                format!("go on with it with --resume {}, or choose another hydra.sweep.dir", directory.display())
            }
            Self::NoSweep(_) => {
                let name = program::name();
                format!("only `{name} train` and `{name} exec` can go on with a single run")
            }
            Self::OtherCommand { directory, began } => {
                format!("{} {began} --resume {}", program::name(), directory.display())
            }
            Self::OtherConfigs(_) => "check out the configs it began with, or begin a new multirun".into(),
            Self::Locked(_) => "wait for the other process, or stop it".into(),
            Self::Failed { directory, .. } => {
                format!("--resume {} tries those again and leaves the others as they are", directory.display())
            }
        })
    }
}

/// Whether a directory is that of a multirun.
pub fn is_sweep(directory: &Path) -> bool {
    directory.join(STATE).is_file()
}

/// What a multirun was asked for when it began.
///
/// # Errors
/// When there is none in the directory, or its first line cannot be read.
pub fn plan(directory: &Path) -> Result<Plan> {
    let path = directory.join(STATE);
    let lines = complete_lines(&path)?;
    let begun = lines.first().ok_or_else(|| SweepError::NoSweep(directory.to_owned()))?;
    let begun: Begun = serde_json::from_str(begun).map_err(|error| unreadable(&path, 1, "what was begun", &error))?;
    Ok(begun.plan)
}

/// Runs all jobs of a plan.
///
/// # Errors
/// Whatever is wrong with the plan or any job's config, before anything is written; [`SweepError`].
pub fn begin(plan: Plan, check: impl Fn(&Config) -> Result<()>, work: impl FnMut(Job) -> Result<()>) -> Result<()> {
    let now = world::local_now();
    let (started_at, utc_offset_seconds) = (UtcTime(now.timestamp()), UtcOffset(now.offset()));
    let multirun = Multirun::compose(&plan, now)?;
    let jobs = multirun.plan_jobs()?;
    let directory = PathBuf::from(multirun.sweep.frame().hydra_value("sweep.dir")?.to_string());
    multirun.refuse_shared_directories(&directory)?;
    refuse_plugins(multirun.sweep.frame())?;
    multirun.check_jobs(&directory, check)?;
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let mut state = State::create(&directory)?;
    state.append(&Begun { plan, started_at, utc_offset_seconds, jobs })?;
    let frame = info::composed(multirun.sweep.frame(), Which::All, None, false)?;
    let path = directory.join("multirun.yaml");
    durable::write_whole(&path, frame.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    multirun.run(&directory, state, None, work)
}

/// Goes on with a multirun: runs that are done stay as they are.
///
/// # Errors
/// As [`begin`], and when the configs no longer give the jobs that the multirun began with.
pub fn resume(command: &str, directory: &Path, work: impl FnMut(Job) -> Result<()>) -> Result<()> {
    let no_sweep = || SweepError::NoSweep(directory.to_owned());
    if !is_sweep(directory) {
        return Err(no_sweep().into());
    }
    let path = directory.join(STATE);
    let state = State::open(directory)?;
    let lines = complete_lines(&path)?;
    state.truncate(lines.iter().map(|line| line.len() as u64 + 1).sum())?;
    let mut lines = lines.iter();
    let begun = lines.next().ok_or_else(no_sweep)?;
    let begun: Begun = serde_json::from_str(begun).map_err(|error| unreadable(&path, 1, "what was begun", &error))?;
    if begun.plan.command != command {
        return Err(SweepError::OtherCommand { directory: directory.to_owned(), began: begun.plan.command }.into());
    }
    let mut outcomes = BTreeMap::new();
    for (number, line) in lines.enumerate() {
        let ended: Ended =
            serde_json::from_str(line).map_err(|error| unreadable(&path, number + 2, "how a job ended", &error))?;
        outcomes.insert(ended.job, ended.outcome);
    }
    let multirun = Multirun::compose(&begun.plan, begun.utc_offset_seconds.show(begun.started_at))?;
    if multirun.plan_jobs()? != begun.jobs {
        return Err(SweepError::OtherConfigs(directory.to_owned()).into());
    }
    multirun.run(directory, state, Some(&outcomes), work)
}

/// A line of its file that it did not write so.
fn unreadable(path: &Path, number: usize, expected: &str, error: &serde_json::Error) -> Failure {
    let message = format!("{}, line {number}: expected {expected}, got something else ({error})", path.display());
    Failure::new(message).with_hint("the file was changed or damaged: begin a new multirun in another hydra.sweep.dir")
}

/// A multirun of Hydra's own launcher and sweeper is all there is.
fn refuse_plugins(frame: &Config) -> Result<()> {
    let is_needed = |choice: &String| choice.starts_with("hydra/launcher=") || choice.starts_with("hydra/sweeper=");
    match frame.plugins().into_iter().find(is_needed) {
        None => Ok(()),
        Some(choice) => {
            let group = choice.split('=').next().unwrap_or_default();
            let message =
                format!("{choice}: a Python plugin, not here: jobs run one after another, in every combination");
            Err(Failure::usage(message, format!("choose {group}=basic")))
        }
    }
}

/// A multirun, composed.
struct Multirun {
    composer: Composer,
    sweep: Sweep,
    keys: DirectoryKeys,
}

impl Multirun {
    fn compose(plan: &Plan, started_at: jiff::Zoned) -> Result<Self> {
        let composer = composer(&plan.command, &plan.sources)?.now(started_at).zip(plan.zip.clone());
        let sweep = composer.sweep(plan.config_name.as_str(), &plan.overrides)?;
        Ok(Self { composer, sweep, keys: DirectoryKeys::of(&plan.command) })
    }

    /// Composes every job, so that a mistake in the last is found before the first runs.
    fn plan_jobs(&self) -> Result<Vec<Planned>> {
        let plan = |job: &Vec<String>| {
            let config = self.composer.compose_job(&self.sweep, job);
            let config = config.with_context(|| format!("job {}", job.join(" ")))?;
            Ok(Planned { overrides: job.clone(), config: digest_of(config.value()).into() })
        };
        self.sweep.jobs().iter().map(plan).collect()
    }

    fn job(&self, number: usize, directory: &Path, begun_before: bool) -> Result<Job> {
        let config = self.composer.compose_job(&self.sweep, &self.sweep.jobs()[number])?;
        Job::of_sweep(config, number, directory, begun_before, self.keys)
    }

    /// What no job can do is found before the first runs, and before anything is written.
    fn check_jobs(&self, sweep: &Path, check: impl Fn(&Config) -> Result<()>) -> Result<()> {
        for (number, overrides) in self.sweep.jobs().iter().enumerate() {
            let job = self.job(number, sweep, false)?;
            check(job.config()).with_context(|| format!("job {number}: {}", overrides.join(" ")))?;
        }
        Ok(())
    }

    /// Two jobs in one directory would take each other's outputs for their own.
    fn refuse_shared_directories(&self, sweep: &Path) -> Result<()> {
        let mut taken: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for number in 0..self.sweep.jobs().len() {
            let Some(directory) = self.job(number, sweep, false)?.directory()? else { continue };
            if let Some(other) = taken.insert(directory.clone(), number) {
                let message = format!(
                    "jobs {other} and {number}: expected a directory for each, got {} for both",
                    directory.display()
                );
                let hint = "let hydra.sweep.subdir, or run.dir, depend on what varies: ${hydra.job.num}";
                return Err(Failure::usage(message, hint));
            }
        }
        Ok(())
    }

    fn run(
        &self,
        directory: &Path,
        mut state: State,
        resumed: Option<&BTreeMap<usize, Outcome>>,
        mut work: impl FnMut(Job) -> Result<()>,
    ) -> Result<()> {
        let jobs = self.sweep.jobs();
        let is_done = |number| resumed.and_then(|outcomes| outcomes.get(&number)) == Some(&Outcome::Done);
        let mut left = Vec::new();
        for number in 0..jobs.len() {
            // A run that is done and whose directory is gone has to be done again.
            let is_there = || -> Result<bool> {
                Ok(self.job(number, directory, true)?.directory()?.is_some_and(|directory| directory.exists()))
            };
            if !is_done(number) || !is_there()? {
                left.push(number);
            }
        }
        eprintln!("Launching {} jobs locally in {}", left.len(), directory.display());
        let (mut failed, mut told) = (0, BTreeSet::new());
        for number in left {
            eprintln!("\t#{number} : {}", jobs[number].join(" "));
            let job = self.job(number, directory, resumed.is_some());
            let result = job.inspect(|job| tell_new(warnings(job.config()), &mut told)).and_then(&mut work);
            // It did not end, and is gone on with.
            if result.is_ok() && interrupt::was_honoured() {
                break;
            }
            // As in Hydra, a job that fails does not keep the others from running.
            let outcome = match result {
                Ok(()) => Outcome::Done,
                Err(error) => {
                    failure::tell(&error);
                    failed += 1;
                    Outcome::Failed
                }
            };
            state.append(&Ended { job: number, outcome })?;
            if interrupt::heard().is_some() {
                interrupt::honour();
                break;
            }
        }
        if interrupt::was_honoured() {
            let directory = directory.display();
            eprintln!("the multirun was interrupted; go on with --resume {directory}");
        }
        if failed > 0 {
            return Err(SweepError::Failed { failed, jobs: jobs.len(), directory: directory.to_owned() }.into());
        }
        Ok(())
    }
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
    /// A new state; the one process of several that creates it has the multirun.
    fn create(directory: &Path) -> Result<Self> {
        let path = directory.join(STATE);
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => Self { file, path }.locked(directory),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(SweepError::Exists(directory.to_owned()).into())
            }
            Err(error) => Err(error).with_context(|| format!("cannot create {}", path.display())),
        }
    }

    fn open(directory: &Path) -> Result<Self> {
        let path = directory.join(STATE);
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Self { file, path }.locked(directory)
    }

    fn locked(self, directory: &Path) -> Result<Self> {
        match self.file.try_lock() {
            Ok(()) => Ok(self),
            Err(TryLockError::WouldBlock) => Err(SweepError::Locked(directory.to_owned()).into()),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", self.path.display()))
            }
        }
    }

    /// Drops what a killed process left of a line after `length` bytes.
    fn truncate(&self, length: u64) -> Result<()> {
        self.file.set_len(length).with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn append(&mut self, line: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(line)? + "\n";
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}
