//! `spectramind runs diff`: why two runs are not the same.

use std::path::{Path, PathBuf};

use crate::cli::config::diff::differing_keys;
use crate::cli::failure::Told;
use crate::cli::output::outln;
use crate::engine::step_log::StepLeaf;
use crate::failure::{Failure, Result};
use crate::manifest::claimed::ClaimedRun;
use crate::manifest::predicate::{StretchRecord, TrainingRun};

/// Say in one screen why two runs differ: config, commit, data, numerics, workers, the first step; no signature is verified
///
/// Exit codes: 0 they are the same; 1 they differ; 2 one of them cannot be read.
#[derive(clap::Args)]
pub struct Arguments {
    /// A run directory
    first: PathBuf,
    /// Another one
    second: PathBuf,
}

/// Most keys of the configs that are shown.
const KEYS: usize = 12;

/// Compares two runs; [`Told::No`] when they differ.
pub fn run(Arguments { first, second }: &Arguments) -> Result<Told> {
    let runs = [first, second].map(|root| ClaimedRun::open(root));
    let [a, b] = runs;
    let (a, b) = (a?, b?);
    let (facts, others) = (facts(a.claim()), facts(b.claim()));
    let mut same = Vec::new();
    let mut differ = 0;
    for (name, _) in facts.iter().chain(others.iter().filter(|(name, _)| !facts.iter().any(|(own, _)| own == name))) {
        let value =
            |facts: &[(String, String)]| facts.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        match (value(&facts), value(&others)) {
            (one, another) if one == another => same.push(name.clone()),
            (one, another) => {
                differ += 1;
                outln!("{name:<12} {}", one.unwrap_or_else(|| "none".into()));
                outln!("{:<12} {}", "", another.unwrap_or_else(|| "none".into()));
                if name == "config" {
                    keys(first, second)?;
                }
            }
        }
    }
    match first_step(&a, &b)? {
        Some(step) => {
            differ += 1;
            outln!("{:<12} {step}", "steps");
        }
        None => same.push("steps".into()),
    }
    if !same.is_empty() {
        outln!("{:<12} {}", "the same", same.join(", "));
    }
    Ok(if differ == 0 { Told::Done } else { Told::No })
}

/// The keys of the configs that differ, as written.
fn keys(first: &Path, second: &Path) -> Result<()> {
    let keys = differing_keys(first, second)?;
    for key in keys.iter().take(KEYS) {
        outln!("{:<12}   {key}", "");
    }
    if keys.len() > KEYS {
        outln!("{:<12}   and {} more: spectramind config diff", "", keys.len() - KEYS);
    }
    Ok(())
}

/// What a run is a function of, and what came out, by name in the order in which they matter.
fn facts(claim: &TrainingRun) -> Vec<(String, String)> {
    let mut facts = vec![
        ("workload".to_owned(), claim.workload.clone()),
        ("config".to_owned(), claim.config.digest.to_string()),
        ("commit".to_owned(), claim.git.as_ref().map_or("no repository".into(), |git| git.commit.to_string())),
    ];
    facts.extend(claim.data.iter().map(|set| (format!("data {}", set.name), set.merkle_root.to_string())));
    if let Some(training) = claim.training() {
        let numerics = training.numerics;
        facts.push((
            "numerics".into(),
            format!("version {}, {:?}, {:?}", numerics.version, numerics.profile, numerics.precision),
        ));
        facts.push(("seed".into(), training.seed.to_string()));
        let stretch = |stretch: &StretchRecord| format!("{} from step {}", stretch.workers.len(), stretch.first_step);
        let stretches = StretchRecord::of(&training.device, &training.stretches);
        facts.push(("workers".into(), stretches.iter().map(stretch).collect::<Vec<_>>().join(", ")));
        facts.push(("device".into(), training.device.name.clone()));
        facts.push(("end".into(), format!("{:?} after {} steps", claim.exit.reason, training.steps.count)));
    }
    facts.extend(claim.metrics.iter().map(|metric| (metric.name.clone(), metric.value.get().to_string())));
    facts
}

/// The first step at which the logs differ, and in what; none where they are the same, or where there are none.
fn first_step(a: &ClaimedRun, b: &ClaimedRun) -> Result<Option<String>> {
    let (Some(one), Some(other)) = (leaves(a)?, leaves(b)?) else { return Ok(None) };
    for (leaf, another) in one.iter().zip(&other) {
        if let Some((field, value, others)) = leaf.first_difference(another) {
            return Ok(Some(format!("part at step {}: {field} {value} and {others}", leaf.step)));
        }
    }
    Ok((one.len() != other.len()).then(|| format!("the same as far as both go: {} and {}", one.len(), other.len())))
}

fn leaves(run: &ClaimedRun) -> Result<Option<Vec<StepLeaf>>> {
    let Some(training) = run.claim().training() else { return Ok(None) };
    let name = training.steps.file.as_str();
    let text = run.read(name)?;
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let parsed: Result<_, _> = lines.map(serde_json::from_slice).collect();
    parsed.map(Some).map_err(|error| {
        Failure::new(format!("{}: expected step leaves, got something else ({error})", run.root().join(name).display()))
    })
}
