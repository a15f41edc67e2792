//! Golden cases: `golden/<case>/case.json` says what to run, `expected.json` what must come out, bit for bit,
//! `expected.steps.jsonl` the step log, by which a difference is told at the step where it begins, and `expected.trace.json` what every op of
//! the first step gave, by which it is told at the op.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use spectramind::config::{Composer, Config};
use spectramind::durable::write_whole;
use spectramind::engine::settings::Accelerator;
use spectramind::engine::step_log::StepLeaf;
use spectramind::failure::Failure;
use spectramind::run::replay::{Digests, Manner, Rehearsal, Rehearsed, StepTrace};
use spectramind::run::{AnyWorkload, Workloads};
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
/// Not of a case that is another's in another manner: that one's has the ops.
const TRACE: &str = "expected.trace.json";
/// The step whose ops are kept: what is computed otherwise shows in it, or in no op of every step.
const TRACED: u64 = 1;

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
        let staged = Staged::of(golden.join(&case), composer, accelerator, workloads);
        let judged = staged.and_then(|staged| match reason {
            Some(reason) => staged.update(reason, &mut check),
            None => staged.compare(&mut check),
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

/// A case, and all that it is made with.
struct Staged<'a> {
    folder: PathBuf,
    manner: Manner,
    config: Config,
    accelerator: Accelerator,
    workload: &'a dyn AnyWorkload,
}

impl<'a> Staged<'a> {
    fn of(folder: PathBuf, composer: &Composer, accelerator: Accelerator, workloads: &'a Workloads) -> Result<Self> {
        let path = folder.join("case.json");
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let case: Case = serde_json::from_slice(&text).with_context(|| format!("{} is no case", path.display()))?;
        let config = composer.compose(case.config.as_str(), &case.overrides)?;
        let workload = workloads.of(&config).map_err(|failure| anyhow!("{failure}"))?;
        Ok(Self { folder, manner: case.manner, config, accelerator, workload })
    }

    /// Makes it in a folder of its own.
    fn make<T>(&self, make: impl FnOnce(&Rehearsal<'_>) -> Result<T, Failure>) -> Result<T> {
        let Self { manner, ref config, accelerator, .. } = *self;
        let scratch = tempfile::tempdir()?;
        make(&Rehearsal { config, accelerator, scratch: scratch.path(), manner })
            .map_err(|failure| anyhow!("{failure}"))
    }

    fn rehearse(&self) -> Result<Rehearsed> {
        self.make(|rehearsal| self.workload.rehearse(rehearsal))
    }

    fn trace(&self) -> Result<StepTrace> {
        self.make(|rehearsal| self.workload.rehearse_step(rehearsal, TRACED))
    }

    /// Writes what came out, unless that is what was expected.
    fn update(&self, reason: &str, check: &mut Check) -> Result<()> {
        let (folder, got) = (&self.folder, self.rehearse()?);
        let trace = if self.manner == Manner::default() { Some(self.trace()?) } else { None };
        // On which machine the ops were traced is no difference.
        let kept = read_trace(&folder.join(TRACE)).ok();
        let has_trace = kept.map(|kept| kept.tensors) == trace.as_ref().map(|trace| trace.tensors.clone());
        let is_unchanged = expected(folder).is_ok_and(|expected| expected.digests == got.digests);
        if is_unchanged && has_trace && folder.join(STEPS).is_file() {
            check.note("unchanged".into());
            return Ok(());
        }
        let case = folder.display();
        if let Some(trace) = &trace {
            write_whole(&folder.join(TRACE), &lines(trace)?)?;
        }
        write_whole(&folder.join(STEPS), got.steps.as_bytes())?;
        if is_unchanged {
            check.note(format!("the digests are unchanged; wrote {case}/{STEPS} and the ops of the first step"));
            return Ok(());
        }
        let expected = Expected { reason: reason.to_owned(), digests: got.digests };
        let mut text = serde_json::to_vec_pretty(&expected)?;
        text.push(b'\n');
        write_whole(&folder.join(EXPECTED), &text)?;
        check.note(format!("wrote {case}/{EXPECTED}; the CHANGELOG needs a line: `{case}`: {reason}"));
        Ok(())
    }

    fn compare(&self, check: &mut Check) -> Result<()> {
        let got = self.rehearse()?;
        let Expected { digests, reason } = expected(&self.folder)?;
        let (expected, found) = (digests.named(), got.digests.named());
        if digests != got.digests {
            let (step, difference) = first_step(&self.folder, &got)?;
            check.fail(difference);
            if step == Some(TRACED) {
                self.compare_ops(check);
            }
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

    /// Names the op at which the first step parts from the expected one, where its ops are kept.
    fn compare_ops(&self, check: &mut Check) {
        let path = self.folder.join(TRACE);
        if !path.is_file() {
            return;
        }
        let compare = || -> Result<Option<String>> {
            let expected = read_trace(&path)?;
            Ok(self.trace()?.first_difference(&expected))
        };
        match compare() {
            Ok(Some(difference)) => check.fail(format!("step {TRACED}, op by op: {difference}")),
            Ok(None) => check.note(format!(
                "step {TRACED}: every op gives what it gave in {TRACE}, which is of another state or other data"
            )),
            Err(error) => check.not_checked(format!("{error:#}")),
        }
    }
}

/// A trace, a tensor in a line: what changes in one shows as that.
fn lines(trace: &StepTrace) -> Result<Vec<u8>> {
    let text = serde_json::to_string(trace)?;
    Ok(format!("{}\n", text.replace("{\"part\"", "\n{\"part\"")).into_bytes())
}

fn read_trace(path: &Path) -> Result<StepTrace> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no trace of a step", path.display()))
}

fn expected(folder: &Path) -> Result<Expected> {
    let path = folder.join(EXPECTED);
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} holds no digests", path.display()))
}

/// Where in the step log the difference begins: the step, if there is one, and in words.
fn first_step(folder: &Path, got: &Rehearsed) -> Result<(Option<u64>, String)> {
    let path = folder.join(STEPS);
    let expected = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let leaf =
        |line: &str| serde_json::from_str::<StepLeaf>(line).with_context(|| format!("{}: {line:?}", path.display()));
    for (expected, got) in expected.lines().zip(got.steps.lines()) {
        let (expected, got) = (leaf(expected)?, leaf(got)?);
        if let Some((field, expected, found)) = expected.first_difference(&got) {
            return Ok((Some(got.step), format!("step {}, {field}: expected {expected}, got {found}", got.step)));
        }
    }
    let (expected, got) = (expected.lines().count(), got.steps.lines().count());
    let said = match expected == got {
        true => "every step is the expected one: what differs came before the first or after the last".into(),
        false => format!("expected {expected} steps, got {got}, of which all are the expected ones as far as they go"),
    };
    Ok((None, said))
}
