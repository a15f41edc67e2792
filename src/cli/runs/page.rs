//! The page of `spectramind runs report`.
//!
//! Every text of a run is a stranger's: it is escaped where it stands, and what does not print is shown as what it is.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::report::{Comparison, Reported, ShownConfig};
use crate::chart::Picture;
use crate::cli::program;
use crate::manifest::predicate::{Computation, TrainingRun};
use crate::manifest::verdict::{Outcome, ReplayVerdict};
use crate::page::{POLICY, STYLE};
use crate::verify::text::shown;

/// The page of these runs.
pub(super) fn render(runs: &[Reported], comparison: Option<&Comparison>) -> String {
    let title = match runs {
        [run] => format!("Run {}", run.run.claim().run.id),
        several => format!("{} runs compared", several.len()),
    };
    let title = shown(&title);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    @if let Some(comparison) = comparison {
                        (compared(runs, comparison))
                        @for run in runs {
                            h2 { (shown(&run.run.claim().run.id)) }
                            (verification(run))
                            details { summary { "All of this run" } (single(run)) }
                        }
                    } @else {
                        @for run in runs { (verification(run)) (single(run)) }
                    }
                }
                footer { (program::name()) " " (program::version()) }
            }
        }
    };
    page.into_string() + "\n"
}

/// What is known about its truth, before anything else.
fn verification(run: &Reported) -> Markup {
    html! {
        p class="verdict not-checked" { "Not verified here." }
        p {
            "The files shown are those that the manifest names, byte for byte. Who signed it, and whether it is true, this page \
             does not know."
        }
        @match &run.verdict {
            None => {},
            Some(Err(why)) => p.warning { "A verdict lies in the run directory that cannot be read: " (shown(why)) },
            Some(Ok(verdict)) => (said(verdict)),
        }
        p { "To verify it:" }
        @for command in &run.verify { pre.command { code { (shown(command)) } } }
    }
}

/// What somebody's verdict says.
fn said(verdict: &ReplayVerdict) -> Markup {
    let word = |outcome| match outcome {
        Outcome::Passed => ("passed", "passed"),
        Outcome::NotChecked => ("not checked", "not-checked"),
        Outcome::Failed => ("failed", "failed"),
    };
    let (result, class) = word(verdict.result);
    html! {
        p.warning { "A verdict lies in the run directory. Its signature was not verified here, so it is what somebody says:" }
        dl {
            dt { "verdict" } dd { span class={ "verdict " (class) } { (result) } }
            dt { "verifier" } dd { "keyid " (verdict.verifier.keyid) ", version " (shown(&verdict.verifier.version)) }
            dt { "made" } dd { (verdict.started_at) " to " (verdict.finished_at) }
            dt { "checks" }
            dd { @for check in &verdict.checks { (shown(&check.name)) ": " (word(check.outcome).0) "; " } }
            dt { "trained again" } dd { (if verdict.replay.is_some() { "yes" } else { "no" }) }
        }
    }
}

fn single(run: &Reported) -> Markup {
    let claim = run.run.claim();
    html! {
        h2 { "Score" }
        @if let Some(summary) = &run.summary { p { (shown(summary)) } }
        table {
            caption { "What was measured at the end" }
            thead { tr { th scope="col" { "Figure" } th.number scope="col" { "Value" } th.number scope="col" { "Samples" } } }
            tbody {
                @for metric in &claim.metrics {
                    tr {
                        th scope="row" { (shown(&metric.name)) }
                        td.number { (rounded(metric.value.get())) }
                        td.number { (metric.samples.0) }
                    }
                }
            }
        }
        @if !run.curves.is_empty() { h2 { "Curves" } }
        (figures(&run.curves))
        @match &run.pictures {
            Ok(pictures) if pictures.is_empty() => {},
            Ok(pictures) => { h2 { "Results" } (figures(pictures)) },
            Err(why) => { h2 { "Results" } p.warning { "Not drawn: " (shown(why)) } },
        }
        (config(claim, &run.config))
        (provenance(run))
    }
}

fn figures(pictures: &[Picture]) -> Markup {
    html! {
        @for picture in pictures {
            // Of our own making: texts in it were escaped where it was drawn.
            figure { (wide(&picture.title, &PreEscaped(picture.svg()))) figcaption { (shown(&picture.caption)) } }
        }
    }
}

/// What a narrow screen scrolls sideways: with a name, and reached by the keyboard.
fn wide(name: &str, content: &PreEscaped<&str>) -> Markup {
    html! { div.wide tabindex="0" role="region" aria-label=(shown(name)) { (content) } }
}

fn config(claim: &TrainingRun, config: &ShownConfig) -> Markup {
    let record = &claim.config;
    let list =
        |texts: &[String]| if texts.is_empty() { "none".to_owned() } else { shown(&texts.join(" ")).into_owned() };
    html! {
        h2 { "Config" }
        dl {
            dt { "primary config" } dd { (shown(&record.name)) }
            dt { "overrides" } dd { (list(&record.overrides)) }
            dt { "options" }
            dd { @for choice in &record.choices { (shown(&choice.group)) "=" (shown(&choice.option)) " " } }
            dt { "digest" } dd { (record.digest) }
        }
        @match &config.origins {
            Ok(keys) => details {
                summary { "Every key, and what set it" }
                div.wide tabindex="0" role="region" aria-label="Every key, and what set it" {
                    table {
                        thead {
                            tr { @for name in ["Key", "Value", "Set by", "Before"] { th scope="col" { (name) } } }
                        }
                        tbody {
                            @for [key, value, origin, lost] in keys {
                                tr { th scope="row" { (shown(key)) } @for text in [value, origin, lost] { td { (shown(text)) } } }
                            }
                        }
                    }
                }
            },
            Err(why) => p.meaning { "What set each key is not known here: " (shown(why)) },
        }
        details { summary { "As Hydra wrote it" } pre tabindex="0" { (lines(&config.text)) } }
        details {
            summary { "The files that it was composed of" }
            ul { @for source in &record.sources { li { (shown(source.path.as_str())) " " small { (source.blake3) } } } }
        }
    }
}

/// A text of several lines.
fn lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", shown(line))).collect()
}

fn provenance(run: &Reported) -> Markup {
    let claim = run.run.claim();
    html! {
        h2 { "Provenance" }
        dl {
            @for (name, text) in facts(claim) { dt { (name) } dd { (shown(&text)) } }
            dt { "manifest" } dd { "sha256 " (run.run.identity()) }
        }
        details {
            summary { "Signed files" }
            ul { @for name in run.run.names() { li { (shown(name)) } } }
        }
    }
}

fn facts(claim: &TrainingRun) -> Vec<(&'static str, String)> {
    let mut facts = vec![("workload", claim.workload.clone()), ("experiment", claim.run.experiment.clone())];
    facts.push(match &claim.git {
        None => ("commit", "none: the sources were in no git repository".into()),
        Some(git) => {
            let state = if git.clean { "said to be clean" } else { "with uncommitted changes" };
            let branch = git.branch.as_ref().map(|branch| format!(", branch {branch}")).unwrap_or_default();
            ("commit", format!("{}{branch}, {state}", git.commit))
        }
    });
    for data in &claim.data {
        let (name, role, root, files, merkle) =
            (&data.name, data.role.name(), &data.root, data.files, data.merkle_root);
        facts.push(("data", format!("{name}, {role}, in {root}: {files} files, Merkle root {merkle}")));
    }
    match &claim.computation {
        Computation::Training(training) => {
            for device in training.devices() {
                let driver = device.driver.as_ref().map(|driver| format!(", {driver}")).unwrap_or_default();
                let device = format!("{}: {}{driver}", device.accelerator, device.name);
                if !facts.contains(&("device", device.clone())) {
                    facts.push(("device", device));
                }
            }
            facts.push(("numerics", json(&training.numerics)));
            facts.push(("seed", training.seed.0.to_string()));
            facts.push(("steps", format!("{}, Merkle root {}", training.steps.count, training.steps.merkle_root)));
        }
        Computation::Command(command) => facts.push(("command", command.words.join(" "))),
    }
    let environment = &claim.environment;
    facts.push((
        "program",
        match &environment.built_from {
            Some(built) => format!("{}, says that it was built from {}", environment.version, built.commit),
            None => format!("{}, does not say what it was built from", environment.version),
        },
    ));
    let cpu = environment.cpu_model.as_deref().unwrap_or("an unknown processor");
    facts.push(("machine", format!("{}, {cpu}, {}", environment.os, environment.target)));
    facts.extend(claim.run.challenge.clone().map(|challenge| ("challenge", challenge)));
    facts.extend(claim.run.nonce.clone().map(|nonce| ("nonce", nonce)));
    facts.push(("end", json(&claim.exit.reason)));
    facts.push(("made", format!("{} to {}, by the trainer's own clock", claim.started_at, claim.finished_at)));
    facts.push(("time", format!("{:.1} s, the trainer's own word", claim.envelope.figures.wall_seconds.get())));
    facts
}

/// A figure with six digits: more are noise on a screen, and stand in the manifest.
fn rounded(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if (1e-4..1e6).contains(&size) => {
            let digits = 5 - (size.log10().floor() as i32).min(5);
            format!("{value:.*}", digits as usize)
        }
        _ => format!("{value:.5e}"),
    }
}

/// A record as words.
fn json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    text.replace(['"', '{', '}'], "").replace(':', " ").replace(',', ", ")
}

fn compared(runs: &[Reported], comparison: &Comparison) -> Markup {
    let heads = || runs.iter().map(|run| run.run.claim().run.id.as_str());
    html! {
        h2 { "Scores" }
        (beside("What was measured at the end of each", heads(), &comparison.metrics.iter().map(|(name, values)| {
            (name.as_str(), values.iter().map(|value| value.map(rounded)).collect())
        }).collect::<Vec<(&str, Vec<Option<String>>)>>()))
        h2 { "Configs" }
        @if comparison.keys.is_empty() {
            p { "The configs are the same." }
        } @else {
            (beside("The keys in which the configs differ", heads(), &comparison.keys.iter().map(|(name, values)| {
                (name.as_str(), values.clone())
            }).collect::<Vec<_>>()))
        }
        @if !comparison.curves.is_empty() { h2 { "Curves" } }
        (figures(&comparison.curves))
    }
}

/// A table with a column for each run.
fn beside<'a>(caption: &str, heads: impl Iterator<Item = &'a str>, rows: &[(&str, Vec<Option<String>>)]) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { th scope="col" {} @for head in heads { th scope="col" { (shown(head)) } } } }
                tbody {
                    @for (name, values) in rows {
                        tr {
                            th scope="row" { (shown(name)) }
                            @for value in values { td { (value.as_deref().map_or("—".into(), shown)) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_six_digits_whatever_its_size() {
        let shown = [0.688_808_386_9, -58.648_518_38, 123_456.7, 0.0, 1e-9, 2.5e12, 0.000_123_456_7].map(rounded);
        assert_eq!(shown, ["0.688808", "-58.6485", "123457", "0", "1.00000e-9", "2.50000e12", "0.000123457"]);
    }
}
