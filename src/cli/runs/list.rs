//! `spectramind runs list`: past runs as a table, or as JSON.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use console::measure_text_width;
use serde::Serialize;

use super::verdict::verdict;
use crate::ariel::package::INDEX;
use crate::cli::output::{out, outln};
use crate::digest::Blake3Digest;
use crate::engine::run_dir::STEP_LOG;
use crate::failure::{Context, Result};
use crate::manifest::claimed::ClaimedRun;
use crate::manifest::origin::ORIGIN;
use crate::manifest::predicate::ExitReason;
use crate::manifest::timestamp::UtcTime;
use crate::manifest::verdict::{Outcome, ReplayRecord};
use crate::verify::text::{shown, shown_json};

/// List the runs below a folder, with what their manifests and the verdicts beside them claim; nothing is verified
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder
    #[arg(default_value = "runs")]
    root: PathBuf,
    /// Order, from the smallest; runs that have no such thing come last
    #[arg(long, value_enum, default_value_t = Key::Run)]
    sort: Key,
    /// From the largest
    #[arg(long)]
    reverse: bool,
    /// One JSON array, a run an object
    #[arg(long)]
    json: bool,
}

/// What runs are sorted by.
#[derive(Clone, Copy, ValueEnum)]
enum Key {
    /// The run directory
    Run,
    /// When it began
    Started,
    /// What was trained
    Workload,
    /// Optimizer steps
    Steps,
    /// The figure that is shown
    Score,
    /// What a verifier said
    Verdict,
}

/// A run directory.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    run: PathBuf,
    /// Why nothing more is known of it.
    problem: Option<String>,
    #[serde(flatten)]
    claimed: Option<Claimed>,
}

/// What is claimed of a signed one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claimed {
    started_at: UtcTime,
    workload: String,
    steps: Option<u64>,
    exit: ExitReason,
    score: Option<Score>,
    step_root: Option<Blake3Digest>,
    outputs: usize,
    config: Blake3Digest,
    overrides: Vec<String>,
    verdict: Option<Said>,
}

#[derive(Serialize)]
struct Score {
    name: String,
    value: f64,
}

/// What the verdict in the directory says; its signature is not verified.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    /// None where it cannot be read.
    result: Option<Outcome>,
    trained_again: TrainedAgain,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
enum TrainedAgain {
    Nothing,
    Segments,
    All,
}

/// Lists them.
///
/// # Errors
/// When a folder cannot be listed.
pub fn run(Arguments { root, sort, reverse, json }: &Arguments) -> Result<()> {
    let mut found = Vec::new();
    collect(root, &mut found)?;
    found.sort();
    let mut rows: Vec<Row> = found.into_iter().map(row).collect();
    rows.sort_by(|left, right| order(*sort, *reverse, left, right));
    if *json {
        outln!("{}", shown_json(&serde_json::to_string_pretty(&rows)?));
        return Ok(());
    }
    if rows.is_empty() {
        eprintln!("no runs below {}", root.display());
        return Ok(());
    }
    out!("{}", table(rows.iter().map(Row::cells)));
    Ok(())
}

/// Run directories are those that say what the run starts from, or have a step log; they are not searched for others.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        // What is in a package is a copy of a run.
        if path.join(INDEX).is_file() {
            continue;
        }
        if path.join(ORIGIN).is_file() || path.join(STEP_LOG).is_file() {
            found.push(path);
        } else if path.is_dir() && !path.is_symlink() {
            collect(&path, found)?;
        }
    }
    Ok(())
}

fn row(root: PathBuf) -> Row {
    match ClaimedRun::open(&root) {
        Ok(run) => Row { run: root, problem: None, claimed: Some(claimed(&run)) },
        Err(error) => Row { run: root, problem: Some(error.to_string()), claimed: None },
    }
}

fn claimed(run: &ClaimedRun) -> Claimed {
    let claim = run.claim();
    let score = claim.metrics.iter().find(|metric| metric.name == "test/score").or(claim.metrics.first());
    let verdict = verdict(run).map_or(Some(Said::unreadable()), |said| {
        said.map(|said| {
            said.map_or(Said::unreadable(), |said| {
                let trained_again = match said.replay {
                    None => TrainedAgain::Nothing,
                    Some(ReplayRecord::Segments(_)) => TrainedAgain::Segments,
                    Some(ReplayRecord::Training(_) | ReplayRecord::Command(_)) => TrainedAgain::All,
                };
                Said { result: Some(said.result), trained_again }
            })
        })
    });
    Claimed {
        started_at: claim.started_at,
        workload: claim.workload.clone(),
        steps: claim.training().map(|training| training.steps.count),
        exit: claim.exit.reason,
        score: score.map(|metric| Score {
            name: metric.name.trim_start_matches("test/").to_owned(),
            value: metric.value.get(),
        }),
        step_root: claim.training().map(|training| training.steps.merkle_root),
        outputs: claim.outputs.len(),
        config: claim.config.digest,
        overrides: claim.config.overrides.clone(),
        verdict,
    }
}

impl Said {
    fn unreadable() -> Self {
        Self { result: None, trained_again: TrainedAgain::Nothing }
    }

    fn cell(&self) -> String {
        let result = match self.result {
            None => return "unreadable".into(),
            Some(Outcome::Passed) => "passed",
            Some(Outcome::NotChecked) => "not checked",
            Some(Outcome::Failed) => "FAILED",
        };
        match self.trained_again {
            TrainedAgain::Nothing => format!("{result}, no replay"),
            TrainedAgain::Segments => format!("{result}, segments"),
            TrainedAgain::All => format!("{result}, replayed"),
        }
    }
}

/// Names of the columns of [`Row::cells`].
const COLUMNS: [&str; 9] =
    ["RUN", "STARTED", "WORKLOAD", "STEPS", "END", "SCORE", "STEP ROOT", "VERDICT (UNVERIFIED)", "OVERRIDES"];

impl Row {
    fn cells(&self) -> [String; COLUMNS.len()] {
        let none = || "-".to_owned();
        let run = shown(&self.run.display().to_string()).into_owned();
        let Some(claimed) = &self.claimed else {
            let end = "not signed: unfinished, or not readable".to_owned();
            return [run, none(), none(), none(), end, none(), none(), none(), none()];
        };
        [
            run,
            claimed.started_at.to_string(),
            shown(&claimed.workload).into_owned(),
            claimed.steps.map_or_else(none, |steps| steps.to_string()),
            claimed.exit.words().to_owned(),
            claimed.score.as_ref().map_or_else(none, |score| format!("{} {:.4}", shown(&score.name), score.value)),
            claimed.step_root.map_or_else(
                || format!("{} outputs", claimed.outputs),
                |root| root.to_string().chars().take(16).collect(),
            ),
            claimed.verdict.as_ref().map_or_else(none, Said::cell),
            shown(&claimed.overrides.join(" ")).into_owned(),
        ]
    }
}

/// What a run is sorted by.
#[derive(PartialEq, PartialOrd)]
enum Rank {
    Text(String),
    Number(f64),
    Time(UtcTime),
    Verdict(Outcome),
}

impl Row {
    fn rank(&self, key: Key) -> Option<Rank> {
        let claimed = self.claimed.as_ref();
        match key {
            Key::Run => Some(Rank::Text(self.run.display().to_string())),
            Key::Started => claimed.map(|claimed| Rank::Time(claimed.started_at)),
            Key::Workload => claimed.map(|claimed| Rank::Text(claimed.workload.clone())),
            Key::Steps => claimed.and_then(|claimed| claimed.steps).map(|steps| Rank::Number(steps as f64)),
            Key::Score => claimed.and_then(|claimed| claimed.score.as_ref()).map(|score| Rank::Number(score.value)),
            Key::Verdict => claimed.and_then(|claimed| claimed.verdict.as_ref()?.result).map(Rank::Verdict),
        }
    }
}

fn order(key: Key, reverse: bool, left: &Row, right: &Row) -> Ordering {
    match (left.rank(key), right.rank(key)) {
        (Some(left), Some(right)) => {
            let ordering = left.partial_cmp(&right).unwrap_or(Ordering::Equal);
            if reverse { ordering.reverse() } else { ordering }
        }
        (left, right) => left.is_none().cmp(&right.is_none()),
    }
}

/// Rows under their names, each column as wide as its widest cell.
fn table(rows: impl Iterator<Item = [String; COLUMNS.len()]>) -> String {
    let rows: Vec<_> = std::iter::once(COLUMNS.map(str::to_owned)).chain(rows).collect();
    let widest = |column: usize| rows.iter().map(|cells| measure_text_width(&cells[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(widest).collect();
    let mut text = String::new();
    for cells in &rows {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            line += cell;
            line += &" ".repeat(width - measure_text_width(cell) + 2);
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
