//! Golden cases: `golden/<case>/case.json` says what to run, `expected.json` what must come out, bit for bit.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use spectramind::ariel::config::TrainConfig;
use spectramind::ariel::training::{self, PREDICTIONS, TrainingRun};
use spectramind::config::Composer;
use spectramind::digest::{Blake3Digest, FileDigest};
use spectramind::durable::write_whole;
use spectramind::engine::device;
use spectramind::engine::repro::NUMERICS_VERSION;
use spectramind::engine::run_dir::{FINAL_CHECKPOINT, RunDirectory};
use spectramind::engine::settings::{Accelerator, LoggerSettings};
use spectramind::provenance::data::{ListedFiles, ReadData};
use spectramind::verify::{Check, Report};

/// What a case runs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    /// The primary config.
    config: String,
    /// Its overrides; where data lie is added.
    overrides: Vec<String>,
}

/// What came out of a case.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Digests {
    /// Version of the numerics contract.
    numerics: u32,
    /// Merkle root over the simulated data set.
    data: Blake3Digest,
    /// BLAKE3 of the calibrated light curves.
    light_curves: Blake3Digest,
    /// Optimizer steps.
    steps: u64,
    /// Merkle root over the step leaves.
    step_root: Blake3Digest,
    /// Digest of the final state.
    state: Blake3Digest,
    /// BLAKE3 of the final checkpoint's file.
    checkpoint: Blake3Digest,
    /// BLAKE3 of the predictions' file.
    predictions: Blake3Digest,
}

/// Runs every case below `golden`, in order of their names.
pub fn report(golden: &Path, composer: &Composer, accelerator: Accelerator, update: bool) -> Report {
    let mut report = Report::new(golden.display().to_string(), false);
    let cases = match cases(golden) {
        Ok(cases) => cases,
        Err(error) => {
            let mut check = Check::new("golden");
            check.not_checked(format!("{error:#}"));
            report.checks.push(check);
            return report;
        }
    };
    for case in cases {
        let mut check = Check::new(&case);
        let folder = golden.join(&case);
        let outcome = run(&folder, composer, accelerator);
        match outcome.and_then(|got| if update { write(&folder, &got) } else { compare(&folder, &got, &mut check) }) {
            Ok(()) if update => check.note(format!("wrote {}", folder.join("expected.json").display())),
            Ok(()) => {}
            Err(error) => check.not_checked(format!("{error:#}")),
        }
        report.checks.push(check);
    }
    report
}

fn cases(golden: &Path) -> Result<Vec<String>> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(golden).with_context(|| format!("cannot list {}", golden.display()))? {
        let entry = entry?;
        if entry.path().join("case.json").is_file() {
            cases.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    cases.sort();
    anyhow::ensure!(!cases.is_empty(), "{}: expected a folder with a case.json in it, got none", golden.display());
    Ok(cases)
}

fn run(folder: &Path, composer: &Composer, accelerator: Accelerator) -> Result<Digests> {
    let path = folder.join("case.json");
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let case: Case = serde_json::from_slice(&text).with_context(|| format!("{} is no case", path.display()))?;
    let composed = composer.compose(case.config.as_str(), &case.overrides)?;
    let mut config: TrainConfig = composed.extract()?;
    let scratch = tempfile::tempdir()?;
    config.data.root = scratch.path().join("data");
    config.calib.out = scratch.path().join("calibrated");
    let config = config.check()?;
    let device = device::choose(accelerator, config.trainer().numerics)?.device;

    training::prepare(&config, &mut |_| {})?;
    let [raw, derived] = [&config.data.root, &config.calib.out]
        .map(|root| -> Result<_> { Ok(ListedFiles::new(root, ReadData::of_tree(root)?.manifest().clone())) });
    let (raw, derived) = (raw?, derived?);
    let task = training::build_task(&config, &raw, &derived)?;
    let mut run = RunDirectory::create(&scratch.path().join("run"), LoggerSettings::NONE)?;
    let how = TrainingRun { device: &device, checkpoint: None, stop_after_steps: None, elapsed: &|| Duration::ZERO };
    let trained = training::train(&config, &task, how, &mut run, &mut |_| ControlFlow::Continue(()))?;
    let blake3 = |path: &Path| -> Result<_> { Ok(FileDigest::of_file(path)?.blake3) };
    Ok(Digests {
        numerics: NUMERICS_VERSION,
        data: raw.list().merkle_root(),
        light_curves: blake3(&spectramind::ariel::calibration::light_curves_path(&config.calib.out))?,
        steps: trained.steps,
        step_root: run.step_log().root(),
        state: trained.state_digest,
        checkpoint: blake3(&run.root().join(FINAL_CHECKPOINT))?,
        predictions: blake3(&run.root().join(PREDICTIONS))?,
    })
}

fn write(folder: &Path, digests: &Digests) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(digests)?;
    text.push(b'\n');
    Ok(write_whole(&folder.join("expected.json"), &text)?)
}

fn compare(folder: &Path, got: &Digests, check: &mut Check) -> Result<()> {
    let path = folder.join("expected.json");
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let expected: Digests =
        serde_json::from_slice(&text).with_context(|| format!("{} holds no digests", path.display()))?;
    let fields = |digests: &Digests| {
        [
            ("numerics", digests.numerics.to_string()),
            ("data", digests.data.to_string()),
            ("lightCurves", digests.light_curves.to_string()),
            ("steps", digests.steps.to_string()),
            ("stepRoot", digests.step_root.to_string()),
            ("state", digests.state.to_string()),
            ("checkpoint", digests.checkpoint.to_string()),
            ("predictions", digests.predictions.to_string()),
        ]
    };
    for ((name, expected), (_, got)) in fields(&expected).into_iter().zip(fields(got)) {
        if expected == got {
            check.note(format!("{name} {got}"));
        } else {
            check.fail(format!("{name}: expected {expected}, got {got}"));
        }
    }
    Ok(())
}
