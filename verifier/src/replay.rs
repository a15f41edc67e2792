//! Training again in a temporary directory, and comparing everything that comes out with what was signed.
//!
//! A replay reads through what was verified and nothing else: raw data file by file against their signed list as they are
//! read; simulated and calibrated data are made again here and have to be the signed ones, all of them and no more.

pub mod sample;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use spectramind::ariel::config::{CheckedTrain, TrainConfig};
use spectramind::ariel::preparation;
use spectramind::ariel::task::SpectrumTask;
use spectramind::ariel::training::{self, PREDICTIONS, Trained, TrainingError, TrainingRun};
use spectramind::config::Config;
use spectramind::digest::FileDigest;
use spectramind::engine::device::{self, Choice};
use spectramind::engine::fit::{Event, Exit};
use spectramind::engine::repro::NUMERICS_VERSION;
use spectramind::engine::run_dir::{FINAL_CHECKPOINT, RunDirectory};
use spectramind::engine::settings::{Accelerator, LoggerSettings, Numerics, Precision, SupportedTrainer};
use spectramind::engine::snapshot::Snapshot;
use spectramind::engine::step_log::StepLeaf;
use spectramind::failure::{Advice, FailureKind};
use spectramind::manifest::predicate::{
    DataRole, DeviceRecord, ExitReason, NumericsProfile, NumericsRecord, PrecisionRecord, ProbeRecord,
    TrainingRun as Claim,
};
use spectramind::manifest::strict_json::DecimalU64;
use spectramind::manifest::verdict::ReplayRecord;
use spectramind::provenance::data::{ListedFiles, ReadData};
use spectramind::verify::{Check, SignedData, Verdict, VerifiedRun};

/// What a replay is made from: all of it verified.
pub struct Replay<'a> {
    /// The run.
    pub run: &'a VerifiedRun,
    /// The signed config, composed again.
    pub config: &'a Config,
    /// The signed data.
    pub data: &'a SignedData,
    /// Where to train.
    pub accelerator: Accelerator,
}

/// Why a replay ended without a verdict on the steps.
enum Stop {
    Failed(String),
    NotChecked(String),
}

/// Replays the run and compares every step leaf, the final state and every file that training writes. Returns what was
/// trained, too, as far as it went.
pub fn check(replay: &Replay<'_>) -> (Check, Option<ReplayRecord>) {
    let (mut check, mut record) = (Check::new("replay"), None);
    match train_again(replay, &mut record) {
        Ok(findings) => findings.into_iter().for_each(|finding| check.note(finding)),
        Err(Stop::Failed(finding)) => check.fail(finding),
        Err(Stop::NotChecked(finding)) => check.not_checked(finding),
    }
    (check, record)
}

fn train_again(replay: &Replay<'_>, record: &mut Option<ReplayRecord>) -> Result<Vec<String>, Stop> {
    let run = replay.run;
    let claim = run.claim();
    let begin = Instant::now();
    let Stage { config, scratch, choice, signed, task } = Stage::set(replay)?;
    // The log of metrics has no time in it: it comes out again, too.
    let logger = LoggerSettings { metrics: config.logger.metrics, ..LoggerSettings::NONE };
    let mut again = RunDirectory::create(&scratch.path().join("run"), logger).map_err(not_checked)?;
    let mut difference = None;
    let mut observer = |event: Event<'_>| {
        if let Event::Step { leaf, .. } = event {
            difference = compare(signed.get(leaf.step as usize - 1), leaf);
        }
        if difference.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let how = TrainingRun {
        device: &choice.device,
        checkpoint: None,
        // A run that met its time limit is replayed to the same step, whatever the clock says here.
        stop_after_steps: Some(claim.steps.count),
        elapsed: &|| Duration::ZERO,
    };
    let trained = training::train(&config, &task, how, &mut again, &mut observer).map_err(stop)?;
    let root = again.step_log().root();
    *record = Some(ReplayRecord {
        device: device_record(&choice),
        numerics: claim.numerics,
        steps: DecimalU64(trained.steps),
        step_root: root,
    });
    if let Some(difference) = difference {
        return Err(Stop::Failed(difference));
    }
    if trained.steps != claim.steps.count {
        return Err(Stop::Failed(format!("expected {} steps, got {}", claim.steps.count, trained.steps)));
    }
    // The leaves compared above are those on disk; what was signed is their root.
    if root != claim.steps.merkle_root {
        return Err(Stop::Failed(format!("step root: expected {}, got {root}", claim.steps.merkle_root)));
    }
    compare_end(run, &trained)?;
    compare_file(run, again.root(), FINAL_CHECKPOINT)?;
    compare_file(run, again.root(), PREDICTIONS)?;
    let files = compare_outputs(run, again.root())?;
    compare_checkpoints(run, again.root())?;
    Ok(vec![
        format!(
            "data that were made, {} steps, metrics and {files} files are bit for bit the signed ones",
            trained.steps
        ),
        format!("step root {root}"),
        time_taken(claim, begin.elapsed()),
        format!(
            "replayed on {}; the run says {}, {} (self-asserted)",
            choice.device, claim.device.name, claim.device.accelerator
        ),
    ])
}

fn device_record(choice: &Choice) -> DeviceRecord {
    let device = &choice.device;
    DeviceRecord {
        accelerator: device.kind.name().into(),
        name: device.name.clone(),
        driver: device.driver.clone(),
        memory_bytes: device.memory_bytes.map(DecimalU64),
        // A device that fails it does not come this far.
        probe: choice.probe.map(|digest| ProbeRecord { passed: true, digest }),
    }
}

/// Everything that training again needs, made from what was signed.
struct Stage {
    config: CheckedTrain,
    scratch: tempfile::TempDir,
    choice: Choice,
    /// The leaves of the step log on disk, which is the signed one.
    signed: Vec<StepLeaf>,
    task: SpectrumTask,
}

impl Stage {
    /// Finds a device, and makes derived data again; those that are not the signed ones are a failure.
    fn set(replay: &Replay<'_>) -> Result<Self, Stop> {
        let claim = replay.run.claim();
        if claim.workload != WORKLOAD {
            let got = &claim.workload;
            return Err(Stop::NotChecked(format!(
                "this program replays the workload {WORKLOAD}, the run is of {got:?}"
            )));
        }
        let config: TrainConfig = replay.config.extract().map_err(failed)?;
        let config = config.check().map_err(failed)?;
        let scratch = tempfile::tempdir().map_err(not_checked)?;
        compare_numerics(claim, config.trainer())?;
        let choice = choose(claim, config.trainer().numerics, replay.accelerator)?;
        let signed = signed_leaves(replay.run)?;
        let raw = raw_files(&config, replay.data, scratch.path())?;
        let curves = scratch.path().join("calibrated");
        training::calibrate_listed(&config, &raw, &curves, &mut |_| {}).map_err(stop)?;
        let derived = made(&format!("{}-calibrated", config.data.name), &curves, replay.data)?;
        let task = training::build_task(&config, &raw, &derived).map_err(stop)?;
        Ok(Self { config, scratch, choice, signed, task })
    }
}

/// The workload that this program replays.
const WORKLOAD: &str = "ariel";

/// The raw data: those that the checker has, or, where they are simulated, made again in the scratch folder.
fn raw_files(config: &TrainConfig, data: &SignedData, scratch: &Path) -> Result<ListedFiles, Stop> {
    let name = &config.data.name;
    if config.data.simulation.is_some() && data.role(name) == Some(DataRole::Derived) {
        let root = scratch.join("data");
        let mut placed = config.data.clone();
        placed.root.clone_from(&root);
        preparation::ensure_data_set(&placed, &config.sim, &mut |_| {}).map_err(|error| stop(error.into()))?;
        return made(name, &root, data);
    }
    data.files(name).ok_or_else(|| {
        Stop::NotChecked(format!("data set {name}: its files are not here, or not those that were signed"))
    })
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

/// How long the replay took, beside the limit that the run claims to have kept. A note, no verdict: the time on one
/// machine proves nothing of another, but a run that takes days here and is said to have taken minutes is worth a look.
fn time_taken(claim: &Claim, took: Duration) -> String {
    let (took, said) = (took.as_secs_f64(), claim.envelope.figures.wall_seconds.get());
    match &claim.envelope.bounds.wall_seconds {
        Some(limit) => {
            let side = if took <= limit.0 as f64 { "within" } else { "beyond" };
            format!(
                "took {took:.1} s here, {side} the limit of {} s; the run says {said:.1} s (self-asserted)",
                limit.0
            )
        }
        None => format!("took {took:.1} s here; the run says {said:.1} s (self-asserted) and claims no limit"),
    }
}

/// Compares what the record says about the arithmetic with what its config asks for and this program computes.
fn compare_numerics(claim: &Claim, trainer: &SupportedTrainer) -> Result<(), Stop> {
    let NumericsRecord { profile, version, precision } = claim.numerics;
    if version != NUMERICS_VERSION {
        return Err(Stop::NotChecked(format!(
            "the run used numerics version {version}; this program computes version {NUMERICS_VERSION}"
        )));
    }
    let of_config = (
        match trainer.numerics {
            Numerics::Portable => NumericsProfile::Portable,
            Numerics::Native => NumericsProfile::Native,
        },
        match trainer.precision {
            Precision::Full => PrecisionRecord::Full,
            Precision::MixedF16 => PrecisionRecord::MixedF16,
            Precision::MixedBf16 => PrecisionRecord::MixedBf16,
        },
    );
    if of_config != (profile, precision) {
        let got = (profile, precision);
        return Err(Stop::Failed(format!("numerics: expected {of_config:?}, as the config says, got {got:?}")));
    }
    if profile == NumericsProfile::Portable && !claim.device.probe.as_ref().is_some_and(|probe| probe.passed) {
        return Err(Stop::Failed("numerics: expected a passed probe of the device of a portable run, got none".into()));
    }
    Ok(())
}

/// The device to replay on; in portable numerics any that conforms, in native numerics one of the recorded kind.
fn choose(claim: &Claim, numerics: Numerics, accelerator: Accelerator) -> Result<Choice, Stop> {
    let choice = device::choose(accelerator, numerics).map_err(not_checked)?;
    let (kind, recorded) = (choice.device.kind, &claim.device.accelerator);
    if numerics == Numerics::Native && kind.name() != recorded {
        return Err(Stop::NotChecked(format!(
            "the run used native numerics on {recorded} ({}), which promise nothing on {kind}: replay it with \
             --accelerator {recorded}",
            claim.device.name
        )));
    }
    Ok(choice)
}

fn signed_leaves(run: &VerifiedRun) -> Result<Vec<StepLeaf>, Stop> {
    let mut check = Check::new("steps");
    let Some(text) = run.read_subject(run.claim().steps.file.as_str(), &mut check) else { return Err(worst(check)) };
    let text = String::from_utf8(text).map_err(failed)?;
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| Stop::Failed(format!("step {number}: expected a step leaf, got something else ({error})")))
    };
    (1..).zip(text.lines()).map(parse).collect()
}

/// The worst finding of a check that did not pass.
fn worst(check: Check) -> Stop {
    let verdict = check.verdict;
    let finding = check.findings.into_iter().find(|finding| finding.verdict == verdict);
    let message = finding.map_or_else(|| "it could not be checked".to_owned(), |finding| finding.message);
    if verdict == Verdict::Failed { Stop::Failed(message) } else { Stop::NotChecked(message) }
}

fn compare(signed: Option<&StepLeaf>, leaf: &StepLeaf) -> Option<String> {
    let Some(signed) = signed else { return Some(format!("step {}: expected no such step, got one", leaf.step)) };
    let (field, expected, got) = signed.first_difference(leaf)?;
    Some(format!("step {}, {field}: expected {expected}, got {got}", leaf.step))
}

/// Compares what the run is claimed to have ended with: why, in which state, with which figures.
fn compare_end(run: &VerifiedRun, trained: &Trained) -> Result<(), Stop> {
    let claim = run.claim();
    let reached = match trained.exit {
        Exit::Completed => &[ExitReason::Completed][..],
        Exit::EarlyStopped => &[ExitReason::EarlyStopped],
        // By whose will it ended there, no replay can tell: see the check `end`.
        Exit::StepLimit | Exit::MaxTime | Exit::Interrupted => &[ExitReason::MaxTime, ExitReason::Interrupted],
    };
    if !reached.contains(&claim.exit.reason) {
        let (expected, got) = (claim.exit.reason, trained.exit);
        return Err(Stop::Failed(format!("exit after {} steps: expected {expected:?}, got {got:?}", trained.steps)));
    }
    let last = claim.checkpoints.iter().find(|checkpoint| checkpoint.step == trained.steps);
    let Some(last) = last else { return Err(Stop::Failed("no checkpoint of the last step is claimed".into())) };
    if last.state_digest != trained.state_digest {
        let (expected, got) = (last.state_digest, trained.state_digest);
        return Err(Stop::Failed(format!("final state: expected digest {expected}, got {got}")));
    }
    let claimed = claim.metrics.iter().map(|m| (m.name.as_str(), m.value.get().to_bits(), m.samples.0));
    if !claimed.eq(trained.metrics.iter().map(|m| (m.name.as_str(), m.value.to_bits(), trained.test_samples))) {
        let got: Vec<_> = trained.metrics.iter().map(|metric| format!("{} = {}", metric.name, metric.value)).collect();
        return Err(Stop::Failed(format!(
            "metrics: expected those of the record, got {} over {} samples",
            got.join(", "),
            trained.test_samples
        )));
    }
    Ok(())
}

/// Compares a file of the replay with the signed one.
fn compare_file(run: &VerifiedRun, again: &Path, name: &str) -> Result<(), Stop> {
    let subjects = &run.manifest().statement().subject;
    let Some(signed) = subjects.iter().find(|subject| subject.name.as_str() == name) else {
        return Err(Stop::Failed(format!("{name} is not among the signed files")));
    };
    if !again.join(name).is_file() {
        return Err(Stop::Failed(format!("{name}: signed, and training again writes no such file")));
    }
    let got = FileDigest::of_file(&again.join(name)).map_err(not_checked)?.sha256;
    if got == signed.digest.sha256 {
        return Ok(());
    }
    Err(Stop::Failed(format!("{name}: expected sha256 {}, got {got}", signed.digest.sha256)))
}

/// Compares every signed file that training writes; returns how many there are.
fn compare_outputs(run: &VerifiedRun, again: &Path) -> Result<usize, Stop> {
    let names = run.replayed_files();
    names.iter().try_for_each(|name| compare_file(run, again, name))?;
    Ok(names.len())
}

/// Compares what the record says of each checkpoint with the one that was made again.
fn compare_checkpoints(run: &VerifiedRun, again: &Path) -> Result<(), Stop> {
    for claimed in &run.claim().checkpoints {
        let name = claimed.file.as_str();
        if !again.join(name).is_file() {
            return Err(Stop::Failed(format!("{name}: claimed, and training again writes no such checkpoint")));
        }
        let made = Snapshot::read(&again.join(name)).map_err(not_checked)?;
        let (step, digest) = (made.progress.position.step, made.state_digest());
        if (claimed.step, claimed.state_digest) != (step, digest) {
            return Err(Stop::Failed(format!(
                "{name}: expected step {} with state {}, got step {step} with state {digest}",
                claimed.step, claimed.state_digest
            )));
        }
    }
    Ok(())
}

fn not_checked(error: impl Into<anyhow::Error>) -> Stop {
    Stop::NotChecked(format!("{:#}", error.into()))
}

fn failed(error: impl Into<anyhow::Error>) -> Stop {
    Stop::Failed(format!("{:#}", error.into()))
}

/// What is not there was not checked; what is there and of no use cannot be what the run was trained on.
fn stop(error: TrainingError) -> Stop {
    if error.kind() == FailureKind::Missing { not_checked(error) } else { failed(error) }
}
