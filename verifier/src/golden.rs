//! Golden cases: `golden/<case>/case.json` says what to run, `expected.json` what must come out, bit for bit.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use spectramind::config::Composer;
use spectramind::durable::write_whole;
use spectramind::engine::settings::Accelerator;
use spectramind::run::Workloads;
use spectramind::run::replay::{Digests, Rehearsal};
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

/// Runs every case below `golden`, in order of their names.
pub fn report(
    golden: &Path,
    composer: &Composer,
    accelerator: Accelerator,
    update: bool,
    workloads: &Workloads,
) -> Report {
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
        let outcome = run(&folder, composer, accelerator, workloads);
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

fn run(folder: &Path, composer: &Composer, accelerator: Accelerator, workloads: &Workloads) -> Result<Digests> {
    let path = folder.join("case.json");
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let case: Case = serde_json::from_slice(&text).with_context(|| format!("{} is no case", path.display()))?;
    let config = composer.compose(case.config.as_str(), &case.overrides)?;
    let scratch = tempfile::tempdir()?;
    let rehearsal = Rehearsal { config: &config, accelerator, scratch: scratch.path() };
    let workload = workloads.of(&config).map_err(|failure| anyhow!("{failure}"))?;
    workload.rehearse(&rehearsal).map_err(|failure| anyhow!("{failure}"))
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
    let (expected, got) = (expected.named(), got.named());
    if expected.len() != got.len() {
        check.fail(format!("expected {} digests, got {}", expected.len(), got.len()));
    }
    for ((name, expected), (found, got)) in expected.into_iter().zip(got) {
        if name != found {
            check.fail(format!("expected {name} {expected}, got {found} {got}"));
        } else if expected == got {
            check.note(format!("{name} {got}"));
        } else {
            check.fail(format!("{name}: expected {expected}, got {got}"));
        }
    }
    Ok(())
}
