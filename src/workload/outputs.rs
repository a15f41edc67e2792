//! The files that a workload writes after training.

use crate::engine::run_dir::RunDirectory;
use crate::failure::Failure;
use crate::provenance::path::RelativePath;

/// What every run directory has of its own.
const TAKEN: [&str; 9] = [
    ".hydra",
    "checkpoints",
    "logs",
    "manifest.intoto.jsonl",
    "provenance",
    "provenance.json",
    "steps.jsonl",
    "steps.leaves",
    "v50_debug_log.md",
];

/// A run directory, for files of the workload's own.
#[derive(Debug)]
pub struct Outputs<'a> {
    run: &'a RunDirectory,
    written: Vec<RelativePath>,
}

impl<'a> Outputs<'a> {
    /// None yet.
    pub(crate) fn new(run: &'a RunDirectory) -> Self {
        Self { run, written: Vec::new() }
    }

    /// Writes a file whole, by its path inside the run directory.
    ///
    /// # Errors
    /// When the path is none, or one that every run directory has; when the file cannot be written.
    pub fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let first = path.split('/').next().unwrap_or_default();
        let parsed = RelativePath::parse(path).map_err(|error| Failure::new(format!("output {path:?}: {error}")))?;
        // What lies there from before an interruption is written anew.
        if TAKEN.contains(&first) || self.written.contains(&parsed) {
            let message = format!("output {path:?}: expected a name of its own, got one that is taken");
            return Err(Failure::new(message));
        }
        self.run.write_file(path, bytes)?;
        self.written.push(parsed);
        Ok(())
    }

    /// What was written, in the order of the paths.
    pub(crate) fn into_paths(mut self) -> Vec<RelativePath> {
        self.written.sort();
        self.written
    }
}
