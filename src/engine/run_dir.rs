//! The files a run writes as it goes: step log, logs, checkpoints.
//!
//! Append-only files are synced at checkpoints, everything else appears whole or not at all, so a crash or a full
//! disk loses at most what came after the last checkpoint. A lock on the step log keeps two processes out of one run.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::audit_point;
use super::logs::Logs;
use super::settings::LoggerSettings;
use super::snapshot::KeptCheckpoint;
use super::step_log::StepLeaf;
use super::written::WrittenFiles;
use crate::digest::Blake3Digest;
use crate::durable;
use crate::event_log::{EventLogError, Head, RunEvent};
use crate::failure::{Advice, FailureKind, io_hint};
use crate::logger::{End, Loggers};
use crate::merkle::MerkleLog;

/// Name of the step log inside a run directory.
pub const STEP_LOG: &str = "steps.jsonl";
/// Folder of the checkpoints inside a run directory.
pub const CHECKPOINTS: &str = "checkpoints";
/// The newest checkpoint, relative to the run directory.
pub const LAST_CHECKPOINT: &str = "checkpoints/last.safetensors";
/// The checkpoint with the best monitored metric, relative to the run directory.
pub const BEST_CHECKPOINT: &str = "checkpoints/best.safetensors";
/// The state the run ended with, relative to the run directory.
pub const FINAL_CHECKPOINT: &str = "checkpoints/final.safetensors";

/// Folder of the audit points inside a run directory.
pub const AUDIT_POINTS: &str = "audit";

/// A run directory that cannot be written or continued.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// A file of it cannot be written or read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory is there already.
    #[error("run directory {path} already holds something: expected a new one", path = path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// Another process is writing this run.
    #[error("run directory {path} is being written by another process", path = path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The step log is shorter than the checkpoint to continue from.
    #[error("step log {path}: expected at least {expected} complete steps, got {got}", path = path.display())]
    StepsMissing {
        /// The step log.
        path: PathBuf,
        /// Steps of the checkpoint.
        expected: u64,
        /// Steps in the log.
        got: u64,
    },
    /// The log of events is none any more: no run with it could be signed.
    #[error("{path} is not as the run wrote it", path = path.display())]
    Events {
        /// The log.
        path: PathBuf,
        /// Where not.
        source: EventLogError,
    },
    /// Somebody else wrote to a file of the run.
    #[error("{path} changed since it was written: expected {expected}, got {got}")]
    Changed {
        /// The file.
        path: PathBuf,
        /// BLAKE3 of what was written; of the step log, the Merkle root.
        expected: Blake3Digest,
        /// The same of what is there.
        got: Blake3Digest,
    },
}

/// A run directory open for writing.
#[derive(Debug)]
pub struct RunDirectory {
    /// What this process wrote whole.
    files: WrittenFiles,
    steps: File,
    log: MerkleLog,
    logs: Logs,
    /// Whether only a part of a run is made here, which began at a checkpoint that lies elsewhere.
    is_part: bool,
}

impl RunDirectory {
    /// Creates the directory and its empty logs.
    ///
    /// # Errors
    /// When it holds something already, or cannot be written.
    pub fn create(root: &Path, logger: LoggerSettings) -> Result<Self, RunDirError> {
        Self::check_new(root)?;
        for folder in [root.to_owned(), root.join(CHECKPOINTS), root.join("logs")] {
            fs::create_dir_all(&folder).map_err(at(&folder))?;
        }
        let steps = locked(root)?;
        Ok(Self::of(root, steps, Logs::create(root, logger)?))
    }

    /// Refuses a directory that holds something.
    ///
    /// # Errors
    /// [`RunDirError::Exists`]
    pub fn check_new(root: &Path) -> Result<(), RunDirError> {
        let is_empty = fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_none());
        match root.symlink_metadata().is_ok() && !is_empty {
            true => Err(RunDirError::Exists { path: root.to_owned() }),
            false => Ok(()),
        }
    }

    /// As [`create`](Self::create), for a part of a run that begins at a checkpoint from elsewhere: the checkpoints
    /// that were kept before are not here, so `best` is not written where it is one of them.
    ///
    /// # Errors
    /// As there.
    pub fn create_part(root: &Path, logger: LoggerSettings) -> Result<Self, RunDirError> {
        Ok(Self { is_part: true, ..Self::create(root, logger)? })
    }

    /// Opens the directory of a run that ended after `step` steps were checkpointed, and drops what came after.
    ///
    /// `superseded` names a file that describes the run as it was: it is removed before anything it describes changes.
    ///
    /// # Errors
    /// When another process is writing it, the step log is too short, or a file cannot be read or written.
    pub fn resume(root: &Path, logger: LoggerSettings, step: u64, superseded: &str) -> Result<Self, RunDirError> {
        for folder in [root.join(CHECKPOINTS), root.join("logs")] {
            fs::create_dir_all(&folder).map_err(at(&folder))?;
        }
        let steps = locked(root)?;
        let path = root.join(STEP_LOG);
        let mut lines = complete_lines(&path)?;
        if (lines.len() as u64) < step {
            return Err(RunDirError::StepsMissing { path, expected: step, got: lines.len() as u64 });
        }
        let description = root.join(superseded);
        match fs::remove_file(&description) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.and_then(|()| durable::sync_folder(root)).map_err(at(&description))?,
        }
        for later in audit_points(root)?.into_iter().filter(|point| *point > step) {
            let path = root.join(audit_point::name(later));
            fs::remove_file(&path).map_err(at(&path))?;
        }
        for folder in ["", CHECKPOINTS, AUDIT_POINTS, "logs", "provenance", ".hydra"].map(|name| root.join(name)) {
            if folder.is_dir() {
                durable::remove_leftovers(&folder).map_err(at(&folder))?;
            }
        }
        lines.truncate(step as usize);
        steps.set_len(lines.iter().map(|line| line.len() as u64 + 1).sum()).map_err(at(&path))?;
        let mut run = Self::of(root, steps, Logs::resume(root, logger, step)?);
        for line in &lines {
            run.log.append(line.as_bytes());
        }
        Ok(run)
    }

    fn of(root: &Path, steps: File, logs: Logs) -> Self {
        Self { files: WrittenFiles::new(root), steps, log: MerkleLog::new(), logs, is_part: false }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        self.files.root()
    }

    /// The files that this process wrote whole.
    pub fn files(&self) -> &WrittenFiles {
        &self.files
    }

    /// The Merkle log over the step leaves so far.
    pub fn step_log(&self) -> &MerkleLog {
        &self.log
    }

    /// Seconds that earlier processes spent on this run, by the last event each of them logged.
    pub fn elapsed_before_seconds(&self) -> f64 {
        self.logs.elapsed_before_seconds()
    }

    /// Where the log of events ends, if one is kept.
    pub fn events_head(&self) -> Option<Head> {
        self.logs.head()
    }

    /// Appends a step leaf.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append_step(&mut self, leaf: &StepLeaf) -> Result<(), RunDirError> {
        let line = leaf.to_line();
        // One write call a line: what a crash leaves is whole lines and at most one cut one.
        self.steps.write_all(format!("{line}\n").as_bytes()).map_err(at(&self.root().join(STEP_LOG)))?;
        self.log.append(line.as_bytes());
        Ok(())
    }

    /// Says in the logs what happened, `elapsed_seconds` after this process began.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn record(&mut self, elapsed_seconds: f64, step: u64, event: RunEvent) -> Result<(), RunDirError> {
        self.logs.record(self.files.root(), elapsed_seconds, step, event)
    }

    /// Lets loggers of other tools hear of what happens from now on.
    pub fn attach(&mut self, loggers: Loggers) {
        self.logs.attach(loggers);
    }

    /// Ends them: their files do not change after this.
    pub fn end_loggers(&mut self, end: &End) {
        self.logs.end_loggers(end);
    }

    /// Writes a file whole, by its path inside the run directory.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), RunDirError> {
        self.files.write_file(name, bytes)
    }

    /// Reads back the step log and every file that this process wrote whole: are they as they were written?
    ///
    /// # Errors
    /// [`RunDirError::Changed`] with the first that is not, and when one cannot be read.
    pub fn check_unchanged(&self) -> Result<(), RunDirError> {
        let path = self.root().join(STEP_LOG);
        let mut log = MerkleLog::new();
        for line in complete_lines(&path)? {
            log.append(line.as_bytes());
        }
        if (log.len(), log.root()) != (self.log.len(), self.log.root()) {
            return Err(RunDirError::Changed { path, expected: self.log.root(), got: log.root() });
        }
        self.files.check_unchanged()
    }

    /// Writes checkpoint `file`, points `last` and `best` at the right ones and removes those that are not kept.
    ///
    /// # Errors
    /// When a file cannot be written or removed. The checkpoints from before are then still there.
    pub fn write_checkpoint(
        &mut self,
        file: &str,
        bytes: &[u8],
        kept: &[KeptCheckpoint],
        best: Option<&str>,
    ) -> Result<(), RunDirError> {
        // The steps that a checkpoint stands on must be there whenever the checkpoint is.
        self.sync()?;
        self.write_file(&format!("{CHECKPOINTS}/{file}"), bytes)?;
        self.point_best(best)?;
        // Last, because a run goes on from it: what is missing before it is made again.
        self.write_file(LAST_CHECKPOINT, bytes)?;
        self.keep_checkpoints(kept)
    }

    /// Writes the audit point after a step: a checkpoint's bytes, compressed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_audit_point(&self, step: u64, bytes: &[u8]) -> Result<(), RunDirError> {
        let folder = self.root().join(AUDIT_POINTS);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let name = audit_point::name(step);
        let compressed = audit_point::compress(bytes).map_err(at(&self.root().join(&name)))?;
        self.write_file(&name, &compressed)
    }

    /// The steps of the audit points that are there, in order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn audit_points(&self) -> Result<Vec<u64>, RunDirError> {
        audit_points(self.root())
    }

    /// Makes `best` the checkpoint of that name, or makes it nothing.
    ///
    /// # Errors
    /// When a file cannot be read, written or removed.
    pub fn point_best(&self, best: Option<&str>) -> Result<(), RunDirError> {
        let Some(best) = best else {
            let path = self.root().join(BEST_CHECKPOINT);
            self.files.forget(BEST_CHECKPOINT);
            return match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed.map_err(at(&path)),
            };
        };
        let source = self.root().join(CHECKPOINTS).join(best);
        match fs::read(&source) {
            Ok(bytes) => self.write_file(BEST_CHECKPOINT, &bytes),
            // The checkpoints from before a part of a run are not here.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_part => Ok(()),
            Err(error) => Err(at(&source)(error)),
        }
    }

    /// A step checkpoint and its path; none in a part of a run that did not write it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_checkpoint(&self, file: &str) -> Result<Option<(PathBuf, Vec<u8>)>, RunDirError> {
        let path = self.root().join(CHECKPOINTS).join(file);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some((path, bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_part => Ok(None),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Removes the step checkpoints that are not among `kept`.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file not removed.
    pub fn keep_checkpoints(&self, kept: &[KeptCheckpoint]) -> Result<(), RunDirError> {
        let folder = self.root().join(CHECKPOINTS);
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("step-") && !kept.iter().any(|kept| kept.file == name) {
                fs::remove_file(&path).map_err(at(&path))?;
                self.files.forget(&format!("{CHECKPOINTS}/{name}"));
            }
        }
        Ok(())
    }

    /// Makes the appended files durable.
    ///
    /// # Errors
    /// When syncing fails.
    pub fn sync(&self) -> Result<(), RunDirError> {
        self.steps.sync_all().map_err(at(&self.root().join(STEP_LOG)))?;
        self.logs.sync(self.root())
    }
}

fn audit_points(root: &Path) -> Result<Vec<u64>, RunDirError> {
    let folder = root.join(AUDIT_POINTS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut steps = Vec::new();
    for entry in fs::read_dir(&folder).map_err(at(&folder))? {
        let name = entry.map_err(at(&folder))?.file_name();
        steps.extend(audit_point::step_of(&format!("{AUDIT_POINTS}/{}", name.to_string_lossy())));
    }
    steps.sort_unstable();
    Ok(steps)
}

/// The step log, which is held as long as a process writes the run.
fn locked(root: &Path) -> Result<File, RunDirError> {
    let steps = append(root, STEP_LOG)?;
    match steps.try_lock() {
        Ok(()) => Ok(steps),
        Err(fs::TryLockError::WouldBlock) => Err(RunDirError::Locked { path: root.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(RunDirError::Io { path: root.join(STEP_LOG), source }),
    }
}

/// Reads the lines of a step log that are complete, as a crash may have cut the last one.
///
/// # Errors
/// When the file cannot be read.
pub fn complete_lines(path: &Path) -> Result<Vec<String>, RunDirError> {
    let mut reader = BufReader::new(File::open(path).map_err(at(path))?);
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).map_err(at(path))?;
        match line.pop() {
            Some(b'\n') => match String::from_utf8(line) {
                Ok(line) => lines.push(line),
                Err(_) => return Ok(lines),
            },
            _ => return Ok(lines),
        }
    }
}

pub(super) fn append(root: &Path, name: &str) -> Result<File, RunDirError> {
    let path = root.join(name);
    OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(at(&path))
}

pub(super) fn whole(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> RunDirError {
    let path = path.to_owned();
    move |source| RunDirError::Io { path, source }
}

impl Advice for RunDirError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some(
                "choose another directory (run.dir, or hydra.run.dir), or go on with that run with --resume DIR".into(),
            ),
            Self::Locked { .. } => Some("wait for the other process, or stop it".into()),
            Self::StepsMissing { .. } => Some("the step log was changed after the checkpoint; start anew".into()),
            Self::Events { .. } => Some("put the log back as it was, or begin a new run".into()),
            Self::Changed { .. } => Some("something else writes to the run directory: run again without it".into()),
            Self::Io { path, source } if source.kind() == io::ErrorKind::StorageFull => Some(format!(
                "free some space where {} is; the run goes on with `spectramind train --resume DIR`",
                path.display()
            )),
            Self::Io { path, source } => io_hint(source, path),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Io { .. } | Self::Exists { .. } | Self::Locked { .. } => FailureKind::Missing,
            Self::StepsMissing { .. } | Self::Events { .. } | Self::Changed { .. } => FailureKind::Failed,
        }
    }
}
