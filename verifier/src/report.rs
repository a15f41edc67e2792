//! The forms of a report, and where they go: standard output, or files that appear whole or not at all.

mod html;
mod json;
mod junit;
mod sarif;
mod text;

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use spectramind::durable::{folder_of, write_whole};
use spectramind::provenance::environment::BuiltFrom;
use spectramind::verify::text::shown;
use spectramind::verify::{Finding, NamedCommit, Report, TrainedAgain, Verdict};

/// Which reports are asked for.
#[derive(clap::Args)]
pub struct Outputs {
    /// Print the report as JSON (schemas/report.schema.json)
    #[arg(long, global = true)]
    json: bool,
    /// Write the report as JUnit XML, for CI: a test case for each check; - is standard output
    #[arg(long, global = true, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the bad news as SARIF 2.1.0, for code scanning; - is standard output
    #[arg(long, global = true, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Write the report as one self-contained page; - is standard output
    #[arg(long, global = true, value_name = "FILE")]
    html: Option<PathBuf>,
}

type Form = fn(&Report) -> String;

impl Outputs {
    /// Refuses, before hours of replay, what cannot be written after them.
    ///
    /// # Errors
    /// When two reports would share standard output, or a file has no folder to be in.
    pub fn check(&self) -> Result<()> {
        let documents = self.documents().filter(|(path, _)| is_stdout(path)).count() + usize::from(self.json);
        ensure!(documents <= 1, "standard output: expected one report at most, got {documents}");
        for (path, _) in self.documents().filter(|(path, _)| !is_stdout(path)) {
            ensure!(folder_of(path).is_dir(), "{}: expected a folder that exists, got none", path.display());
        }
        Ok(())
    }

    /// Writes every report asked for; the text for a person, unless another has standard output.
    ///
    /// # Errors
    /// When a file cannot be written; it is then as it was before.
    pub fn write(&self, report: &Report) -> Result<()> {
        let mut printed: Form = if self.json { json::render } else { text::render };
        for (path, form) in self.documents() {
            if is_stdout(path) {
                printed = form;
            } else {
                let written = write_whole(path, form(report).as_bytes());
                written.with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        // Whoever closed the pipe has read enough; the verdict is the exit code.
        let _ = std::io::stdout().write_all(printed(report).as_bytes());
        Ok(())
    }

    fn documents(&self) -> impl Iterator<Item = (&Path, Form)> {
        let forms = [(&self.junit, junit::render as Form), (&self.sarif, sarif::render), (&self.html, html::render)];
        forms.into_iter().filter_map(|(path, form)| Some((path.as_deref()?, form)))
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// What a person reads for a verdict.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::NotChecked => "not checked",
    }
}

/// The verdict on everything, as a sentence.
fn sentence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed: every requested check",
        Verdict::Failed => "FAILED",
        Verdict::NotChecked => "NOT CHECKED: something could not be checked",
    }
}

/// What is said when the key believed is the checker's own.
const SELF_CHECK: &str = "self-check: the key believed is your own, so nobody else vouches for this run";

/// How much was made again, as a sentence after a word of its own.
fn trained_again(report: &Report) -> (&'static str, &'static str) {
    if report.run.as_ref().is_some_and(|run| run.command.is_some()) {
        return (
            "ran",
            match report.trained_again {
                TrainedAgain::Whole => {
                    "the command again here, with the outputs that were signed; no claim about its arithmetic"
                }
                _ => {
                    "nothing again here: nothing below shows that the run ever happened (--replay --run-command runs it again)"
                }
            },
        );
    }
    (
        "trained",
        match report.trained_again {
            TrainedAgain::Nothing => {
                "nothing again here: nothing below shows that the run ever happened (--replay trains it again)"
            }
            TrainedAgain::Part => "some stretches again here, with what was signed",
            TrainedAgain::Whole => "every step again here, with what was signed",
        },
    )
}

/// A finding on one line; bad news say what they mean, as a check has good ones beside them.
fn line(finding: &Finding) -> Cow<'_, str> {
    match finding.verdict {
        Verdict::Passed => shown(&finding.message),
        verdict => format!("{}: {}", word(verdict), shown(&finding.message)).into(),
    }
}

/// What the report says about the run that was signed, as (name, value).
fn facts(report: &Report) -> Vec<(&'static str, Cow<'_, str>)> {
    let Some(run) = &report.run else { return Vec::new() };
    let mut facts = vec![("run", shown(&run.id)), ("workload", shown(&run.workload))];
    let exit = serde_json::to_value(run.exit).ok().and_then(|exit| exit.as_str().map(str::to_owned));
    let exit = exit.unwrap_or_default();
    facts.push(match &run.command {
        None => ("exit", format!("{exit}, after {} steps", run.steps.unwrap_or_default()).into()),
        Some(words) => {
            let words = shown(&words.join(" ")).into_owned();
            (
                "exit",
                format!("{exit}: a command, without a step log and without a claim about its arithmetic: {words}")
                    .into(),
            )
        }
    });
    for metric in &run.metrics {
        let (name, value) = (shown(&metric.name), metric.value.get());
        let over = match metric.samples.0 {
            0 if run.command.is_some() => "over samples that nobody counted".to_owned(),
            samples => format!("over {samples} samples"),
        };
        facts.push(("measured", format!("{name} = {value} {over}").into()));
    }
    let overrides = run.overrides.join(" ");
    let overrides = if overrides.is_empty() { "none".into() } else { shown(&overrides).into_owned().into() };
    facts.push(("overrides", overrides));
    facts.extend(run.seed.map(|seed| ("seed", seed.0.to_string().into())));
    facts.push(("config", format!("digest {}", run.config).into()));
    for data in &run.data {
        let (name, role, files, root) = (shown(&data.name), data.role.name(), data.files, data.merkle_root);
        facts.push(("data", format!("{name}, {role}: {files} files, Merkle root {root}").into()));
    }
    facts.push(match &run.commit {
        Some(NamedCommit { id, clean: true }) => ("commit", format!("{id}, said to be clean").into()),
        Some(NamedCommit { id, clean: false }) => ("commit", format!("{id} with uncommitted changes").into()),
        None => ("commit", "none: the sources were in no git repository".into()),
    });
    facts.push(match &run.built_from {
        Some(BuiltFrom { commit, clean: true }) => ("program", format!("says that it was built from {commit}").into()),
        Some(BuiltFrom { commit, clean: false }) => {
            ("program", format!("says that it was built from {commit} with uncommitted changes").into())
        }
        None => ("program", "does not say what it was built from".into()),
    });
    facts.extend(run.challenge.as_ref().map(|challenge| ("challenge", shown(challenge))));
    facts.extend(run.nonce.as_ref().map(|nonce| ("nonce", shown(nonce))));
    facts.push(("manifest", format!("sha256 {}", run.manifest).into()));
    for signer in &run.signers {
        facts.push(("signed by", format!("{} (keyid {})", shown(&signer.name), signer.keyid).into()));
    }
    let times = run.self_asserted_times;
    let times = format!("{} to {}, self-asserted: by the trainer's own clock", times.started_at, times.finished_at);
    facts.push(("made", times.into()));
    let figures = &run.self_asserted_figures;
    let memory = figures.peak_device_bytes.map_or("not measured".to_owned(), |bytes| format!("{} bytes", bytes.0));
    let seconds = figures.wall_seconds.get();
    let device = figures.device.as_deref().map(|device| format!(", on {}", shown(device))).unwrap_or_default();
    facts.push(("used", format!("{seconds} s, device memory {memory}{device}, self-asserted").into()));
    facts
}
