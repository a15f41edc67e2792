//! Everything that training again needs, made from what was signed.

use std::path::Path;

use super::Replay;
use super::stop::{Stop, failed, not_checked, stop, worst};
use crate::engine::device::{self, Choice, Kind};
use crate::engine::repro::NUMERICS_VERSION;
use crate::engine::settings::{Accelerator, Numerics, SupportedTrainer};
use crate::engine::step_log::StepLeaf;
use crate::manifest::predicate::{DataRole, DataSet, NumericsProfile, TrainingRecord};
use crate::provenance::data::{ListedFiles, ReadData};
use crate::run::origin::numerics_record;
use crate::verify::{Check, SignedData, VerifiedRun};
use crate::workload::{CheckedConfig, Derivation, Workload};

/// What is needed to train again.
pub(super) struct Stage<'a, W: Workload> {
    pub config: CheckedConfig<W>,
    pub choice: Choice,
    /// What is claimed of the training.
    pub training: &'a TrainingRecord,
    /// The leaves of the step log on disk, which is the signed one.
    pub signed: Vec<StepLeaf>,
    pub task: W::Task,
}

impl<'a, W: Workload> Stage<'a, W> {
    /// Finds a device, and makes derived data again; those that are not the signed ones are a failure.
    pub fn set(workload: &W, replay: &Replay<'a>) -> Result<Self, Stop> {
        let claim = replay.run.claim();
        if claim.workload != workload.name() {
            let (name, got) = (workload.name(), &claim.workload);
            return Err(Stop::NotChecked(format!("this is a replay of the workload {name}, the run is of {got:?}")));
        }
        let Some(training) = claim.training() else {
            return Err(Stop::Failed(format!(
                "expected a training of the workload {}, got a command",
                workload.name()
            )));
        };
        let config = CheckedConfig::of(workload, replay.config).map_err(failed)?;
        compare_numerics(training, config.trainer())?;
        let choice = choose(training, config.trainer().numerics, replay.accelerator)?;
        let signed = signed_leaves(replay.run, training)?;
        let mut data = Vec::new();
        for (number, set) in workload.data_sets(config.own()).into_iter().enumerate() {
            data.push(files(workload, &config, replay, number, &set, &data)?);
        }
        let task = workload.task(config.own(), &data).map_err(stop)?;
        Ok(Self { config, choice, training, signed, task })
    }
}

/// The files of a data set: raw ones as the checker has them, derived ones made again in the scratch folder.
fn files<W: Workload>(
    workload: &W,
    config: &CheckedConfig<W>,
    replay: &Replay<'_>,
    number: usize,
    set: &DataSet,
    before: &[ListedFiles],
) -> Result<ListedFiles, Stop> {
    let (name, data) = (set.name.as_str(), replay.data);
    match data.role(name) {
        Some(role) if role == set.role => {}
        Some(role) => {
            let (expected, got) = (set.role.name(), role.name());
            return Err(Stop::Failed(format!(
                "data set {name}: expected {expected} data, as the config says, got {got} ones"
            )));
        }
        None => return Err(Stop::NotChecked(format!("data set {name}: there is no signed list of it"))),
    }
    match set.role {
        DataRole::Raw => data.files(name).ok_or_else(|| {
            Stop::NotChecked(format!("data set {name}: its files are not here, or not those that were signed"))
        }),
        DataRole::Derived => {
            let out = replay.scratch.join("data").join(number.to_string());
            let derivation = Derivation { number, before, out: &out, progress: &mut |_| {} };
            workload.derive(config.own(), derivation).map_err(stop)?;
            made(name, &out, data)
        }
    }
}

/// Data that were made here, if they are the signed ones: every file of the list, and no other.
fn made(name: &str, root: &Path, data: &SignedData) -> Result<ListedFiles, Stop> {
    let Some(list) = data.list(name) else {
        return Err(Stop::NotChecked(format!("data set {name}: there is no signed list of it")));
    };
    let found = ReadData::of_tree(root).map_err(not_checked)?;
    match list.compare(&found).first() {
        None => Ok(ListedFiles::new(root, list.clone())),
        Some(difference) => Err(Stop::Failed(format!("data set {name}, made again: {difference}"))),
    }
}

/// Compares what the record says about the arithmetic with what its config asks for and this program computes.
fn compare_numerics(training: &TrainingRecord, trainer: &SupportedTrainer) -> Result<(), Stop> {
    let (claimed, expected) = (training.numerics, numerics_record(trainer));
    if claimed.version != NUMERICS_VERSION {
        return Err(Stop::NotChecked(format!(
            "the run used numerics version {}; this program computes version {NUMERICS_VERSION}",
            claimed.version
        )));
    }
    if claimed != expected {
        let (expected, got) = ((expected.profile, expected.precision), (claimed.profile, claimed.precision));
        return Err(Stop::Failed(format!("numerics: expected {expected:?}, as the config says, got {got:?}")));
    }
    for stretch in &training.stretches {
        trainer.check_workers(stretch.workers.len() as u64).map_err(failed)?;
    }
    let is_probed = training.devices().all(|device| device.probe.as_ref().is_some_and(|probe| probe.passed));
    if claimed.profile == NumericsProfile::Portable && !is_probed {
        return Err(Stop::Failed(
            "numerics: expected a passed probe of every device of a portable run, got none of one".into(),
        ));
    }
    Ok(())
}

/// The device to replay on; in portable numerics any that conforms, in native numerics one of the recorded kind.
fn choose(training: &TrainingRecord, numerics: Numerics, accelerator: Accelerator) -> Result<Choice, Stop> {
    let choice = device::choose(accelerator, numerics).map_err(not_checked)?;
    let (kind, recorded) = (choice.device.kind, &training.device.accelerator);
    let are_several = training.stretches.iter().any(|stretch| stretch.workers.len() > 1);
    let is_of_one_kind = training.devices().all(|device| device.accelerator == *recorded);
    if numerics == Numerics::Native && (!is_of_one_kind || are_several && kind != Kind::Cpu) {
        return Err(Stop::NotChecked(
            "the run used native numerics on several kinds of devices, or on several GPUs, whose sums are added on the host: one \
             device promises nothing about their bits"
                .into(),
        ));
    }
    if numerics == Numerics::Native && kind.name() != recorded {
        return Err(Stop::NotChecked(format!(
            "the run used native numerics on {recorded} ({}), which promise nothing on {kind}: replay it with \
             --accelerator {recorded}",
            training.device.name
        )));
    }
    Ok(choice)
}

fn signed_leaves(run: &VerifiedRun, training: &TrainingRecord) -> Result<Vec<StepLeaf>, Stop> {
    let mut check = Check::new("steps");
    let Some(text) = run.read_subject(training.steps.file.as_str(), &mut check) else { return Err(worst(check)) };
    let text = String::from_utf8(text).map_err(|error| Stop::Failed(format!("the step log: {error}")))?;
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| Stop::Failed(format!("step {number}: expected a step leaf, got something else ({error})")))
    };
    (1..).zip(text.lines()).map(parse).collect()
}
