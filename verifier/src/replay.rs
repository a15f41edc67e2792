//! Training again in a temporary directory, and comparing every step with the signed one.

pub mod sample;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use spectramind::ariel::calibration::light_curves_path;
use spectramind::ariel::config::{CheckedTrain, TrainConfig};
use spectramind::ariel::preparation;
use spectramind::ariel::task::SpectrumTask;
use spectramind::ariel::training::{self, PREDICTIONS, Trained, TrainingError, TrainingRun};
use spectramind::config::Composer;
use spectramind::digest::FileDigest;
use spectramind::engine::device::{self, Choice};
use spectramind::engine::fit::{Event, Exit};
use spectramind::engine::repro::{CPU_LEVEL_VARIABLE, CpuLevel, NUMERICS_VERSION};
use spectramind::engine::run_dir::{FINAL_CHECKPOINT, RunDirectory, complete_lines};
use spectramind::engine::settings::{Accelerator, LoggerSettings, Numerics, Precision, SupportedTrainer};
use spectramind::engine::step_log::StepLeaf;
use spectramind::manifest::predicate::{
    DeviceRecord, ExitReason, NumericsProfile, NumericsRecord, PrecisionRecord, ProbeRecord, TrainingRun as Claim,
};
use spectramind::manifest::strict_json::DecimalU64;
use spectramind::manifest::verdict::ReplayRecord;
use spectramind::provenance::data::{DataManifest, ListedFiles};
use spectramind::verify::{Check, VerifiedRun};

/// Why a replay ended without a verdict on the steps.
enum Stop {
    Failed(String),
    NotChecked(String),
}

/// Takes a lower instruction set than the processor's where the environment asks for it.
pub fn choose_cpu_level() -> anyhow::Result<()> {
    let Some(name) = std::env::var_os(CPU_LEVEL_VARIABLE) else { return Ok(()) };
    let chosen = name.to_string_lossy().parse().and_then(CpuLevel::choose);
    chosen.with_context(|| format!("environment variable {CPU_LEVEL_VARIABLE}"))
}

/// Replays the run and compares every step leaf, the final state and the predictions. Returns what was trained, too, as
/// far as it went.
pub fn check(
    run: &VerifiedRun,
    composer: &Composer,
    roots: &[(String, PathBuf)],
    accelerator: Accelerator,
) -> (Check, Option<ReplayRecord>) {
    let (mut check, mut record) = (Check::new("replay"), None);
    match replay(run, composer, roots, accelerator, &mut record) {
        Ok(findings) => findings.into_iter().for_each(|finding| check.note(finding)),
        Err(Stop::Failed(finding)) => check.fail(finding),
        Err(Stop::NotChecked(finding)) => check.not_checked(finding),
    }
    (check, record)
}

fn replay(
    run: &VerifiedRun,
    composer: &Composer,
    roots: &[(String, PathBuf)],
    accelerator: Accelerator,
    record: &mut Option<ReplayRecord>,
) -> Result<Vec<String>, Stop> {
    let claim = run.claim();
    let begin = Instant::now();
    let Stage { config, scratch, choice, signed, task } = Stage::set(run, composer, roots, accelerator)?;
    let mut again = RunDirectory::create(&scratch.path().join("run"), LoggerSettings::NONE).map_err(not_checked)?;
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
    let trained = training::train(&config, &task, how, &mut again, &mut observer).map_err(refused)?;
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
    Ok(vec![
        format!(
            "light curves, {} steps, metrics, final checkpoint and predictions are bit for bit the signed ones",
            trained.steps
        ),
        format!("step root {root}"),
        time_taken(claim, begin.elapsed()),
        format!("replayed on {}; recorded on {}, {}", choice.device, claim.device.name, claim.device.accelerator),
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
    /// The leaves of the step log on disk.
    signed: Vec<StepLeaf>,
    task: SpectrumTask,
}

impl Stage {
    /// Composes the config, finds a device, and calibrates the data again; light curves that are not the signed ones are
    /// a failure.
    fn set(
        run: &VerifiedRun,
        composer: &Composer,
        roots: &[(String, PathBuf)],
        accelerator: Accelerator,
    ) -> Result<Self, Stop> {
        let claim = run.claim();
        let composed = run.recompose(composer).map_err(Stop::NotChecked)?;
        if composed.digest().map_err(not_checked)? != claim.config.digest {
            let reason = "the composed config is not the signed one: there is nothing to replay";
            return Err(Stop::NotChecked(reason.into()));
        }
        let mut config: TrainConfig = composed.extract().map_err(not_checked)?;
        let scratch = tempfile::tempdir().map_err(not_checked)?;
        place_data(&mut config, roots, scratch.path());
        let config = config.check().map_err(|error| Stop::Failed(error.to_string()))?;
        compare_numerics(claim, config.trainer())?;
        let choice = choose(claim, config.trainer().numerics, accelerator)?;
        let signed = signed_leaves(run)?;
        if !config.data.root.exists() {
            let made = preparation::ensure_data_set(&config.data, &config.sim, &mut |_| {});
            made.map_err(TrainingError::from).map_err(refused)?;
        }
        // From here on nothing of the data is read but what was signed, as it was signed.
        let raw = ListedFiles::new(&config.data.root, signed_list(run, &config.data.name)?);
        training::calibrate_listed(&config, &raw, &config.calib.out, &mut |_| {}).map_err(refused)?;
        compare_light_curves(run, &config)?;
        let derived = signed_list(run, &format!("{}-calibrated", config.data.name))?;
        let derived = ListedFiles::new(&config.calib.out, derived);
        let task = training::build_task(&config, &raw, &derived).map_err(refused)?;
        Ok(Self { config, scratch, choice, signed, task })
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

/// Reads the raw data where the checker has them; simulated data that are nowhere are made again in the scratch folder.
/// Light curves are always calibrated there, so a replay writes nothing anywhere else.
fn place_data(config: &mut TrainConfig, roots: &[(String, PathBuf)], scratch: &Path) {
    let given = |name: &str| roots.iter().find(|(given, _)| given == name).map(|(_, root)| root.clone());
    if let Some(root) = given(&config.data.name) {
        config.data.root = root;
    }
    if !config.data.root.exists() && config.data.simulation.is_some() {
        config.data.root = scratch.join("data");
    }
    // Calibration is part of what is replayed: light curves that were edited by hand must not pass.
    config.calib.out = scratch.join("calibrated");
}

fn signed_leaves(run: &VerifiedRun) -> Result<Vec<StepLeaf>, Stop> {
    let path = run.root().join(run.claim().steps.file.as_str());
    let lines = complete_lines(&path).map_err(not_checked)?;
    let parse = |(index, line): (usize, String)| {
        serde_json::from_str(&line).map_err(|error| {
            Stop::Failed(format!("step {}: expected a step leaf, got something else ({error})", index + 1))
        })
    };
    lines.into_iter().enumerate().map(parse).collect()
}

fn compare(signed: Option<&StepLeaf>, leaf: &StepLeaf) -> Option<String> {
    let Some(signed) = signed else { return Some(format!("step {}: expected no such step, got one", leaf.step)) };
    let (field, expected, got) = signed.first_difference(leaf)?;
    Some(format!("step {}, {field}: expected {expected}, got {got}", leaf.step))
}

/// Compares the light curves calibrated here with those that were trained on.
fn compare_light_curves(run: &VerifiedRun, config: &TrainConfig) -> Result<(), Stop> {
    let name = format!("{}-calibrated", config.data.name);
    let signed = signed_list(run, &name)?;
    let path = light_curves_path(&config.calib.out);
    let got = FileDigest::of_file(&path).map_err(not_checked)?.blake3;
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    match signed.files().iter().find(|file| file.path.as_str() == file_name) {
        Some(file) if file.blake3 == got => Ok(()),
        Some(file) => Err(Stop::Failed(format!("{file_name}: expected BLAKE3 {}, got {got}", file.blake3))),
        None => Err(Stop::Failed(format!("the list of data set {name} holds no {file_name}"))),
    }
}

/// The signed list of a data set.
fn signed_list(run: &VerifiedRun, name: &str) -> Result<DataManifest, Stop> {
    let record = run.claim().data.iter().find(|data| data.name == name);
    let Some(record) = record else { return Err(Stop::Failed(format!("the record lists no data set {name}"))) };
    let list = std::fs::read(run.root().join(record.list.as_str())).map_err(not_checked)?;
    let signed = DataManifest::from_jsonl(&list).map_err(not_checked)?;
    match signed.merkle_root() == record.merkle_root {
        true => Ok(signed),
        false => Err(Stop::Failed(format!("{}: not the list that was signed", record.list.as_str()))),
    }
}

/// What is not there is not checked; what is there and no good is a failure.
fn refused(error: TrainingError) -> Stop {
    match error.is_missing() {
        true => not_checked(error),
        false => Stop::Failed(format!("{:#}", anyhow::Error::from(error))),
    }
}

/// Compares what the run is claimed to have ended with: why, in which state, with which figures.
fn compare_end(run: &VerifiedRun, trained: &Trained) -> Result<(), Stop> {
    let claim = run.claim();
    let reached = match trained.exit {
        Exit::Completed => &[ExitReason::Completed][..],
        Exit::EarlyStopped => &[ExitReason::EarlyStopped],
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
    let claimed = claim.metrics.iter().map(|metric| (metric.name.as_str(), metric.value.get().to_bits()));
    if !claimed.eq(trained.metrics.iter().map(|metric| (metric.name.as_str(), metric.value.to_bits()))) {
        let got: Vec<_> = trained.metrics.iter().map(|metric| format!("{} = {}", metric.name, metric.value)).collect();
        return Err(Stop::Failed(format!("metrics: expected those of the record, got {}", got.join(", "))));
    }
    Ok(())
}

/// Compares a file of the replay with the signed one.
fn compare_file(run: &VerifiedRun, again: &Path, name: &str) -> Result<(), Stop> {
    let subjects = &run.manifest().statement().subject;
    let Some(signed) = subjects.iter().find(|subject| subject.name.as_str() == name) else {
        return Err(Stop::Failed(format!("{name} is not among the signed files")));
    };
    let got = FileDigest::of_file(&again.join(name)).map_err(not_checked)?.sha256;
    if got == signed.digest.sha256 {
        return Ok(());
    }
    Err(Stop::Failed(format!("{name}: expected sha256 {}, got {got}", signed.digest.sha256)))
}

fn not_checked(error: impl Into<anyhow::Error>) -> Stop {
    Stop::NotChecked(format!("{:#}", error.into()))
}
