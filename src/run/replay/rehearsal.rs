//! A run that nobody signs: made from a config in a scratch folder, derived data and all, for its digests.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::step_trace::{self, StepTrace};
use crate::config::Config;
use crate::digest::{Blake3Digest, FileDigest};
use crate::engine::device::{self, Choice};
use crate::engine::repro::NUMERICS_VERSION;
use crate::engine::run_dir::{FINAL_CHECKPOINT, RunDirectory, STEP_LOG};
use crate::engine::settings::{Accelerator, LoggerSettings};
use crate::engine::snapshot::Snapshot;
use crate::engine::trace::Tracer;
use crate::failure::{Context, Failure};
use crate::provenance::data::{ListedFiles, ReadData};
use crate::run::Team;
use crate::run::place::newest_checkpoint;
use crate::run::training::{Training, plan};
use crate::verify::MANIFEST;
use crate::workload::{CheckedConfig, DataRole, Derivation, Workload};

/// What is made for its digests.
pub struct Rehearsal<'a> {
    /// The composed config.
    pub config: &'a Config,
    /// Where to train.
    pub accelerator: Accelerator,
    /// A folder for what is made, of this rehearsal alone.
    pub scratch: &'a Path,
    /// How it is made, which changes no bit of it.
    pub manner: Manner,
}

/// How a run is made: no bit of it depends on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Manner {
    /// By so many workers.
    pub workers: u32,
    /// Ended after so many steps, and gone on with.
    pub resumed_after: Option<u64>,
}

impl Default for Manner {
    fn default() -> Self {
        Self { workers: 1, resumed_after: None }
    }
}

/// A run that nobody signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// Its digests.
    pub digests: Digests,
    /// Its step log.
    pub steps: String,
}

/// What came out of a run: what a golden case expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Digests {
    /// Version of the numerics contract.
    pub numerics: u32,
    /// Merkle root over the files of each data set.
    pub data: BTreeMap<String, Blake3Digest>,
    /// Optimizer steps.
    pub steps: u64,
    /// Merkle root over the step leaves.
    pub step_root: Blake3Digest,
    /// Digest of the final state.
    pub state: Blake3Digest,
    /// BLAKE3 of the final checkpoint's file.
    pub checkpoint: Blake3Digest,
    /// BLAKE3 of the files that the workload wrote.
    pub outputs: BTreeMap<String, Blake3Digest>,
    /// The figures of the end, in the shortest text that is theirs alone.
    pub metrics: BTreeMap<String, String>,
}

impl Digests {
    /// Each with its name, in a fixed order.
    pub fn named(&self) -> Vec<(String, String)> {
        let mut named = vec![("numerics".to_owned(), self.numerics.to_string())];
        named.extend(self.data.iter().map(|(name, digest)| (format!("data.{name}"), digest.to_string())));
        named.extend([
            ("steps".to_owned(), self.steps.to_string()),
            ("stepRoot".to_owned(), self.step_root.to_string()),
            ("state".to_owned(), self.state.to_string()),
            ("checkpoint".to_owned(), self.checkpoint.to_string()),
        ]);
        named.extend(self.outputs.iter().map(|(name, digest)| (format!("outputs.{name}"), digest.to_string())));
        named.extend(self.metrics.iter().map(|(name, value)| (format!("metrics.{name}"), value.clone())));
        named
    }
}

/// What a rehearsal trains, with what.
struct Prepared<W: Workload> {
    checked: CheckedConfig<W>,
    choice: Choice,
    /// Merkle root over the files of each data set.
    data: BTreeMap<String, Blake3Digest>,
    task: W::Task,
}

/// Chooses a device, reads raw data where the config says, and makes derived ones in the scratch folder.
fn prepare<W: Workload>(workload: &W, rehearsal: &Rehearsal<'_>) -> Result<Prepared<W>, Failure> {
    let Rehearsal { config, accelerator, scratch, .. } = *rehearsal;
    let checked = CheckedConfig::of(workload, config)?;
    let choice = device::choose(accelerator, checked.trainer().numerics)?;
    let (mut files, mut data) = (Vec::new(), BTreeMap::new());
    for (number, set) in workload.data_sets(checked.own()).into_iter().enumerate() {
        let root = match set.role {
            DataRole::Raw => set.root,
            DataRole::Derived => {
                let out = scratch.join("data").join(number.to_string());
                let derivation = Derivation { number, before: &files, out: &out, progress: &mut |_| {} };
                workload.derive(checked.own(), derivation)?;
                out
            }
        };
        let list = ReadData::of_tree(&root)?.manifest().clone();
        data.insert(set.name, list.merkle_root());
        files.push(ListedFiles::new(root, list));
    }
    let task = workload.task(checked.own(), &files)?;
    Ok(Prepared { checked, choice, data, task })
}

/// Makes the first `step` steps of a run, by one worker, and tells what every op of the last of them gave.
///
/// # Errors
/// What keeps it from being made.
pub fn rehearse_step<W: Workload>(workload: &W, rehearsal: &Rehearsal<'_>, step: u64) -> Result<StepTrace, Failure> {
    let Prepared { checked, choice, task, .. } = prepare(workload, rehearsal)?;
    let tracer = Tracer::of(step, None);
    let made = step_trace::trace((workload, &task), &checked, &choice, None, rehearsal.scratch, tracer)?;
    Ok(made.trace.of_one_shard())
}

/// Makes a run in a scratch folder and tells its digests.
///
/// # Errors
/// What keeps it from being made.
pub fn rehearse<W: Workload>(workload: &W, rehearsal: &Rehearsal<'_>) -> Result<Rehearsed, Failure> {
    let Rehearsal { scratch, manner, .. } = *rehearsal;
    let Prepared { checked, choice, data, task } = prepare(workload, rehearsal)?;
    checked.trainer().check_workers(manner.workers.into())?;
    let team = Team::of_equals(choice, manner.workers as usize);
    let root = scratch.join("run");
    let mut run = RunDirectory::create(&root, LoggerSettings::NONE)?;
    let train = |run: &mut RunDirectory, checkpoint: Option<Snapshot>, stop_after: Option<u64>| {
        let plan = plan(workload, &checked, stop_after, &|| Duration::ZERO);
        let training = Training { workload, task: &task, plan: &plan, checkpoint, run, is_watched: false };
        training.on(&team, &mut |_| ControlFlow::Continue(()))
    };
    let mut checkpoint = None;
    if let Some(steps) = manner.resumed_after {
        train(&mut run, None, Some(steps))?;
        drop(run);
        checkpoint = newest_checkpoint(&root)?;
        let step = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.progress.position.step);
        run = RunDirectory::resume(&root, LoggerSettings::NONE, step, MANIFEST)?;
    }
    let (end, outputs) = train(&mut run, checkpoint, None)?;
    let log = root.join(STEP_LOG);
    let steps = std::fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let blake3 = |name: &str| -> Result<_, Failure> {
        Ok(FileDigest::of_file(&run.root().join(name)).with_context(|| format!("cannot read {name}"))?.blake3)
    };
    let digests = Digests {
        numerics: NUMERICS_VERSION,
        data,
        steps: end.steps,
        step_root: run.step_log().root(),
        state: end.state_digest,
        checkpoint: blake3(FINAL_CHECKPOINT)?,
        outputs: outputs
            .iter()
            .map(|path| Ok((path.as_str().to_owned(), blake3(path.as_str())?)))
            .collect::<Result<_, Failure>>()?,
        metrics: end.metrics.iter().map(|metric| (metric.name.clone(), metric.value.to_string())).collect(),
    };
    Ok(Rehearsed { digests, steps })
}
