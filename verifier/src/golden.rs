//! Golden cases: `golden/<case>/case.json` says what to run, `expected.json` what must come out, bit for bit, and
//! `expected.steps.jsonl` the step log, by which a difference is told at the step where it begins.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use spectramind::config::Composer;
use spectramind::durable::write_whole;
use spectramind::engine::settings::Accelerator;
use spectramind::engine::step_log::StepLeaf;
use spectramind::run::Workloads;
use spectramind::run::replay::{Digests, Manner, Rehearsal, Rehearsed};
use spectramind::verify::{Check, Report};

use crate::arguments::CaseArguments;

/// What a case runs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    /// The primary config.
    config: String,
    /// Its overrides; where data lie is added.
    overrides: Vec<String>,
    /// By how many workers, and whether it is ended on the way.
    #[serde(default)]
    manner: Manner,
}

/// What must come out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    /// Why the digests are what they are: of the last change.
    reason: String,
    digests: Digests,
}

const EXPECTED: &str = "expected.json";
const STEPS: &str = "expected.steps.jsonl";

/// Runs every case below `golden`, or those that are asked for, in order of their names.
pub fn report(
    golden: &Path,
    composer: &Composer,
    accelerator: Accelerator,
    arguments: &CaseArguments,
    workloads: &Workloads,
) -> Report {
    let mut report = Report::new(golden.display().to_string(), false);
    let cases = match cases(golden, &arguments.cases) {
        Ok(cases) => cases,
        Err(error) => {
            let mut check = Check::new("golden");
            check.not_checked(format!("{error:#}"));
            report.checks.push(check);
            return report;
        }
    };
    let reason = arguments.reason.as_deref().filter(|_| arguments.update);
    for case in cases {
        let mut check = Check::new(&case);
        let folder = golden.join(&case);
        let outcome = run(&folder, composer, accelerator, workloads);
        let judged = outcome.and_then(|got| match reason {
            Some(reason) => update(&folder, &got, reason, &mut check),
            None => compare(&folder, &got, &mut check),
        });
        if let Err(error) = judged {
            check.not_checked(format!("{error:#}"));
        }
        report.checks.push(check);
    }
    report
}

fn cases(golden: &Path, wanted: &[String]) -> Result<Vec<String>> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(golden).with_context(|| format!("cannot list {}", golden.display()))? {
        let entry = entry?;
        if entry.path().join("case.json").is_file() {
            cases.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    cases.sort();
    if cases.is_empty() {
        bail!("{}: expected a folder with a case.json in it, got none", golden.display());
    }
    if let Some(missing) = wanted.iter().find(|name| !cases.contains(name)) {
        bail!("--case {missing}: expected one of {}", cases.join(", "));
    }
    cases.retain(|case| wanted.is_empty() || wanted.contains(case));
    Ok(cases)
}

fn run(folder: &Path, composer: &Composer, accelerator: Accelerator, workloads: &Workloads) -> Result<Rehearsed> {
    let path = folder.join("case.json");
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let case: Case = serde_json::from_slice(&text).with_context(|| format!("{} is no case", path.display()))?;
    let config = composer.compose(case.config.as_str(), &case.overrides)?;
    let scratch = tempfile::tempdir()?;
    let rehearsal = Rehearsal { config: &config, accelerator, scratch: scratch.path(), manner: case.manner };
    let workload = workloads.of(&config).map_err(|failure| anyhow!("{failure}"))?;
    workload.rehearse(&rehearsal).map_err(|failure| anyhow!("{failure}"))
}

fn expected(folder: &Path) -> Result<Expected> {
    let path = folder.join(EXPECTED);
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} holds no digests", path.display()))
}

/// Writes what came out, unless that is what was expected.
fn update(folder: &Path, got: &Rehearsed, reason: &str, check: &mut Check) -> Result<()> {
    if expected(folder).is_ok_and(|expected| expected.digests == got.digests) && folder.join(STEPS).is_file() {
        check.note("unchanged".into());
        return Ok(());
    }
    let expected = Expected { reason: reason.to_owned(), digests: got.digests.clone() };
    let mut text = serde_json::to_vec_pretty(&expected)?;
    text.push(b'\n');
    write_whole(&folder.join(STEPS), got.steps.as_bytes())?;
    write_whole(&folder.join(EXPECTED), &text)?;
    let case = folder.display();
    check.note(format!("wrote {case}/{EXPECTED}; the CHANGELOG needs a line: `{case}`: {reason}"));
    Ok(())
}

fn compare(folder: &Path, got: &Rehearsed, check: &mut Check) -> Result<()> {
    let Expected { digests, reason } = expected(folder)?;
    let (expected, found) = (digests.named(), got.digests.named());
    if digests != got.digests {
        check.fail(first_step(folder, got)?);
    }
    if expected.len() != found.len() {
        check.fail(format!("expected {} digests, got {}", expected.len(), found.len()));
    }
    for ((name, expected), (found, got)) in expected.into_iter().zip(found) {
        if name != found {
            check.fail(format!("expected {name} {expected}, got {found} {got}"));
        } else if expected == got {
            check.note(format!("{name} {got}"));
        } else {
            check.fail(format!("{name}: expected {expected}, got {got}"));
        }
    }
    check.note(format!("expected since: {reason}"));
    Ok(())
}

/// Where in the step log the difference begins, in words.
fn first_step(folder: &Path, got: &Rehearsed) -> Result<String> {
    let path = folder.join(STEPS);
    let expected = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let leaf =
        |line: &str| serde_json::from_str::<StepLeaf>(line).with_context(|| format!("{}: {line:?}", path.display()));
    for (expected, got) in expected.lines().zip(got.steps.lines()) {
        let (expected, got) = (leaf(expected)?, leaf(got)?);
        if let Some((field, expected, found)) = expected.first_difference(&got) {
            return Ok(format!("step {}, {field}: expected {expected}, got {found}", got.step));
        }
    }
    let (expected, got) = (expected.lines().count(), got.steps.lines().count());
    Ok(match expected == got {
        true => "every step is the expected one: what differs came before the first or after the last".into(),
        false => format!("expected {expected} steps, got {got}, of which all are the expected ones as far as they go"),
    })
}
