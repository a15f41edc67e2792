//! Reading everything of a run again, and signing it.

use std::path::{Path, PathBuf};

use super::Surroundings;
use crate::digest::{Blake3Digest, FileDigest};
use crate::engine::audit_point;
use crate::engine::fit::FitEnd;
use crate::engine::run_dir::{FINAL_CHECKPOINT, RunDirError, RunDirectory, STEP_LOG, complete_lines};
use crate::engine::snapshot::{MAX_CHECKPOINT_BYTES, Snapshot};
use crate::engine::task::Metric;
use crate::engine::written::WrittenFiles;
use crate::envelope::{Bounds, Figures, NetworkFigure};
use crate::event_log::{EVENTS, EventLog, ExitReason};
use crate::failure::{Context, Failure};
use crate::manifest::dsse::Envelope;
use crate::manifest::key::SigningKey;
use crate::manifest::origin::RunOrigin;
use crate::manifest::predicate::{
    CheckpointRecord, Computation, EnvelopeRecord, EventsRecord, ExitRecord, FiguresRecord, FileRecord, MetricRecord,
    StepsRecord, TrainingRun,
};
use crate::manifest::slsa::Provenance;
use crate::manifest::statement::{Predicate, Statement, Subject};
use crate::manifest::strict_json::{self, DecimalU64, ExactF64};
use crate::merkle::{MerkleLog, leaf_hash};
use crate::provenance::data::ReadData;
use crate::provenance::path::RelativePath;
use crate::verify::{MANIFEST, STEP_LEAVES, VERDICT};

/// A run that was signed.
#[derive(Debug)]
pub struct Signed {
    /// Its directory.
    pub root: PathBuf,
    /// What it started from.
    pub origin: RunOrigin,
    /// The Merkle root of its steps; none of a command.
    pub step_root: Option<Blake3Digest>,
}

/// What came out of a run, of which the rest of the record is made.
pub(crate) struct Outcome {
    /// What is claimed of the computation.
    pub computation: Computation,
    /// The files that the workload wrote.
    pub outputs: Vec<RelativePath>,
    /// What was measured, and over how many held-out samples; 0 where nobody counted them.
    pub metrics: Vec<(Metric, u64)>,
    /// The limits that were in force.
    pub bounds: Bounds,
    /// The network that the run had, and by what.
    pub network: NetworkFigure,
    /// Seconds from start to end.
    pub wall_seconds: f64,
    /// Most bytes of host memory.
    pub peak_host_bytes: Option<u64>,
    /// Most bytes of device memory.
    pub peak_device_bytes: Option<u64>,
    /// Why it ended.
    pub exit: ExitReason,
}

/// Signs what the run directory holds and writes the manifest.
pub(crate) fn sign(
    run: &WrittenFiles,
    origin: RunOrigin,
    outcome: Outcome,
    surroundings: &Surroundings<'_>,
    key: &SigningKey,
) -> Result<RunOrigin, Failure> {
    run.check_unchanged().context("the run is not signed")?;
    let figures = Figures {
        wall_seconds: outcome.wall_seconds,
        peak_host_bytes: outcome.peak_host_bytes,
        peak_device_bytes: outcome.peak_device_bytes,
        network: outcome.network,
    };
    let metric = |(metric, samples): &(Metric, u64)| -> Result<_, Failure> {
        Ok(MetricRecord {
            name: metric.name.clone(),
            value: ExactF64::new(metric.value)?,
            samples: DecimalU64(*samples),
        })
    };
    let (subjects, files) = signed_files(run.root())?;
    let predicate = TrainingRun {
        run: origin.run.clone(),
        workload: origin.workload.clone(),
        config: origin.config.clone(),
        git: origin.git.clone(),
        data: origin.data.clone(),
        environment: origin.environment.clone(),
        computation: outcome.computation,
        files,
        outputs: outcome.outputs,
        metrics: outcome.metrics.iter().map(metric).collect::<Result<_, _>>()?,
        envelope: EnvelopeRecord { bounds: (&outcome.bounds).into(), figures: FiguresRecord::try_from(&figures)? },
        exit: ExitRecord { reason: outcome.exit },
        started_at: origin.started_at,
        finished_at: (surroundings.now)(),
    };
    let statement = Statement::new(subjects, predicate)?;
    let provenance = Statement::new(statement.subject.clone(), Provenance::of(&statement.predicate))?;
    let bundle = [signed_line(&statement, key)?, signed_line(&provenance, key)?].concat();
    run.write_file(MANIFEST, &bundle)?;
    Ok(origin)
}

/// A signed statement as a line of a bundle.
///
/// # Errors
/// When it is larger than a statement may be.
pub fn signed_line<P: Predicate>(statement: &Statement<P>, key: &SigningKey) -> Result<Vec<u8>, Failure> {
    Ok(Envelope::sign(&strict_json::to_vec(statement)?, &[key])?.to_line()?)
}

/// Reads the step log back: what is signed is what is on disk, complete. Writes the leaf hashes beside it.
pub(super) fn steps_record(run: &RunDirectory, steps: u64) -> Result<StepsRecord, Failure> {
    let lines = complete_lines(&run.root().join(STEP_LOG))?;
    if lines.len() as u64 != steps {
        let (root, got) = (run.root().display(), lines.len());
        return Err(Failure::new(format!(
            "{STEP_LOG} of {root}: expected {steps} leaves, got {got}; the run is not signed"
        )));
    }
    let hashes: String = lines.iter().map(|line| format!("{}\n", leaf_hash(line.as_bytes()))).collect();
    run.write_file(STEP_LEAVES, hashes.as_bytes())?;
    let mut log = MerkleLog::new();
    for line in &lines {
        log.append(line.as_bytes());
    }
    let file = RelativePath::parse(STEP_LOG).expect("a constant is a path");
    Ok(StepsRecord { count: steps, merkle_root: log.root(), file })
}

/// Reads the log of events back: it is the one that this process went on with.
pub(super) fn events_record(run: &RunDirectory) -> Result<Option<EventsRecord>, Failure> {
    let Some(expected) = run.events_head() else { return Ok(None) };
    let path = run.root().join(EVENTS);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let log = match EventLog::read(&text) {
        Ok(log) => log,
        Err(source) => return Err(RunDirError::Events { path, source }).context("the run is not signed"),
    };
    if log.head != expected {
        return Err(RunDirError::Changed { path, expected: expected.digest, got: log.head.digest }.into());
    }
    let file = RelativePath::parse(EVENTS).expect("a constant is a path");
    Ok(Some(EventsRecord { file, count: DecimalU64(expected.count), head: expected.digest }))
}

/// Reads the final checkpoint back: it must be the state that was claimed, also where another process wrote it.
pub(super) fn checkpoint_record(run: &RunDirectory, end: &FitEnd) -> Result<CheckpointRecord, Failure> {
    let path = run.root().join(FINAL_CHECKPOINT);
    let (expected, got) = (end.state_digest, Snapshot::read(&path)?.state_digest());
    if got != expected {
        let path = path.display();
        return Err(Failure::new(format!(
            "{path}: expected a state with digest {expected}, got {got}; the run is not signed"
        )));
    }
    let file = RelativePath::parse(FINAL_CHECKPOINT).expect("a constant is a path");
    Ok(CheckpointRecord { file, step: end.steps, state_digest: end.state_digest })
}

/// Reads the audit points back: what the record says of each is what is on disk.
pub(super) fn audit_point_records(run: &RunDirectory) -> Result<Vec<CheckpointRecord>, Failure> {
    let record = |step: u64| -> Result<_, Failure> {
        let name = audit_point::name(step);
        let path = run.root().join(&name);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let state_digest = audit_point::read(&bytes, MAX_CHECKPOINT_BYTES, &path)?.state_digest();
        Ok(CheckpointRecord { file: RelativePath::parse(&name)?, step, state_digest })
    };
    run.audit_points()?.into_iter().map(record).collect()
}

/// Every file of the run directory but the manifest and what a verifier says about an earlier one, in path order.
fn signed_files(root: &Path) -> Result<(Vec<Subject>, Vec<FileRecord>), Failure> {
    let (mut subjects, mut files) = (Vec::new(), Vec::new());
    for file in ReadData::of_tree(root)?.manifest().files() {
        if ![MANIFEST, VERDICT].contains(&file.path.as_str()) {
            let path = root.join(file.path.as_str());
            let digest = FileDigest::of_file(&path).with_context(|| format!("cannot read {}", path.display()))?;
            subjects.push(Subject::new(file.path.clone(), digest.sha256));
            files.push(FileRecord { path: file.path.clone(), size: DecimalU64(digest.size) });
        }
    }
    Ok((subjects, files))
}
