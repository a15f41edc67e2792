//! How a run's loss, learning rate and figures went, as pictures: of the signed step log and metrics log, for any workload.

use std::collections::BTreeMap;

use crate::chart::{Axis, Colour, Mark, PANEL_HEIGHT, Panel, Picture, Series, Sheet, Stroke};
use crate::engine::step_log::StepLeaf;
use crate::event_log::METRICS;
use crate::failure::Failure;
use crate::manifest::claimed::ClaimedRun;
use crate::verify::text::shown;

/// Runs that are told apart in one picture: as many as there are colours.
pub const MOST_RUNS: usize = Colour::SERIES.len();

/// Figures that have a panel of their own.
const MOST_FIGURES: usize = 8;

/// By step.
type Points = Vec<(f64, f64)>;

/// What the logs of a run say.
struct Logs {
    loss: Points,
    learning_rate: Points,
    /// By name.
    metrics: BTreeMap<String, Points>,
}

impl Logs {
    /// `None` of a command, which has no steps.
    fn read(run: &ClaimedRun) -> Result<Option<Self>, Failure> {
        let Some(training) = run.claim().training() else { return Ok(None) };
        let name = training.steps.file.as_str();
        let path = run.root().join(name);
        let bytes = run.read(name)?;
        let (mut loss, mut learning_rate) = (Points::new(), Points::new());
        for (index, line) in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
            let refuse = |what: String| Failure::new(format!("{}, line {}: {what}", path.display(), index + 1));
            let leaf: StepLeaf = serde_json::from_slice(line).map_err(|error| refuse(error.to_string()))?;
            let no_bits = |bits: &str| refuse(format!("expected the hex digits of a number's bits, got {bits:?}"));
            let rate = u64::from_str_radix(&leaf.learning_rate_bits, 16);
            let rate = rate.map_err(|_| no_bits(&leaf.learning_rate_bits))?;
            let bits = u32::from_str_radix(&leaf.loss_bits, 16).map_err(|_| no_bits(&leaf.loss_bits))?;
            learning_rate.push((leaf.step as f64, f64::from_bits(rate)));
            loss.push((leaf.step as f64, f64::from(f32::from_bits(bits))));
        }
        let metrics = match run.has(METRICS) {
            true => metrics(run)?,
            false => BTreeMap::new(),
        };
        Ok(Some(Self { loss, learning_rate, metrics }))
    }

    fn metric(&self, name: &str) -> Option<&Points> {
        self.metrics.get(name)
    }
}

/// The figures of a metrics log, by name.
fn metrics(run: &ClaimedRun) -> Result<BTreeMap<String, Points>, Failure> {
    let (path, bytes) = (run.root().join(METRICS), run.read(METRICS)?);
    let mut metrics: BTreeMap<String, Points> = BTreeMap::new();
    for (index, line) in String::from_utf8_lossy(&bytes).lines().enumerate().skip(1) {
        // A name may hold commas.
        let figure = || {
            let (step, rest) = line.split_once(',')?;
            let (_, rest) = rest.split_once(',')?;
            let (name, value) = rest.rsplit_once(',')?;
            Some((step.parse::<u64>().ok()?, name, value.parse::<f64>().ok()?))
        };
        let (step, name, value) = figure().ok_or_else(|| {
            let expected = "expected step,epoch,metric,value";
            Failure::new(format!("{}, line {}: {expected}, got {line:?}", path.display(), index + 1))
        })?;
        // A stranger's text: what does not print would be painted, or be no XML.
        metrics.entry(shown(name).into_owned()).or_default().push((step as f64, value));
    }
    Ok(metrics)
}

/// Refuses more runs than are told apart, before any is read.
///
/// # Errors
/// With more than [`MOST_RUNS`].
pub fn check_number(runs: usize) -> Result<(), Failure> {
    if runs > MOST_RUNS {
        let message = format!("expected at most {MOST_RUNS} runs, whose colours can be told apart, got {runs}");
        return Err(Failure::usage(message, "compare fewer of them at once"));
    }
    Ok(())
}

/// The curves of one run, or of several with their names, beside each other; none where no run has steps.
///
/// # Errors
/// When a signed log is missing, is not the signed one or cannot be read; with more than [`MOST_RUNS`] runs.
pub fn curves(runs: &[(String, &ClaimedRun)]) -> Result<Vec<Picture>, Failure> {
    check_number(runs.len())?;
    let names: Vec<_> = runs.iter().map(|(name, _)| shown(name)).collect();
    let mut logs = Vec::new();
    for ((name, (_, run)), colour) in names.iter().zip(runs).zip(Colour::SERIES) {
        if let Some(read) = Logs::read(run)? {
            logs.push((&**name, colour, read));
        }
    }
    let mut pictures = Vec::new();
    if !logs.is_empty() {
        pictures.push(training(&logs)?);
    }
    pictures.extend(validation(&logs)?);
    Ok(pictures)
}

type Named<'a> = (&'a str, Colour, Logs);

fn training(logs: &[Named<'_>]) -> Result<Picture, Failure> {
    let alone = logs.len() == 1;
    let (mut loss, mut rate) = (Vec::new(), Vec::new());
    for (name, colour, log) in logs {
        let named = |what: &str| if alone { what.to_owned() } else { format!("{name}: {what}") };
        if alone {
            loss.push(Series::new("each step", Colour::Sky, Mark::Points(log.loss.clone())));
        }
        let mean = log.metric("train/loss_epoch").filter(|points| points.len() > 1);
        match (mean, alone) {
            (Some(mean), _) => {
                loss.push(Series::new(named("mean of each epoch"), *colour, Mark::Line(mean.clone(), Stroke::Solid)));
            }
            (None, true) => {}
            (None, false) => {
                loss.push(Series::new(named("each step"), *colour, Mark::Line(log.loss.clone(), Stroke::Solid)));
            }
        }
        if let Some(points) = log.metric("val/loss") {
            let colour = if alone { Colour::Vermilion } else { *colour };
            loss.push(Series::new(named("validation"), colour, Mark::Line(points.clone(), Stroke::Dashed)));
        }
        let name = if alone { "" } else { name };
        rate.push(Series::new(name, *colour, Mark::Line(log.learning_rate.clone(), Stroke::Solid)));
    }
    let panels = vec![panel("Loss", "loss", loss), panel("Learning rate", "learning rate", rate)];
    let caption = "Loss of every optimizer step, its mean over each epoch, and the loss of the samples held out to stop \
                    by, as far as the logs have them; below, the learning rate of every step.";
    let sheet = Sheet { title: "Training".into(), columns: 1, row_height: PANEL_HEIGHT, panels };
    Ok(Picture::draw("training", caption.into(), &sheet)?)
}

/// A panel for each figure of the validation beside the loss.
fn validation(logs: &[Named<'_>]) -> Result<Option<Picture>, Failure> {
    let names = logs.iter().flat_map(|(.., log)| log.metrics.keys());
    let mut names: Vec<&String> = names.filter(|name| name.starts_with("val/") && *name != "val/loss").collect();
    names.sort();
    names.dedup();
    let left_out = names.len().saturating_sub(MOST_FIGURES);
    names.truncate(MOST_FIGURES);
    if names.is_empty() {
        return Ok(None);
    }
    let panels = names.iter().map(|name| {
        let series = logs.iter().filter_map(|(run, colour, log)| {
            let points = log.metric(name)?.clone();
            let run = if logs.len() == 1 { "" } else { run };
            Some(Series::new(run, *colour, Mark::Line(points, Stroke::Solid)))
        });
        panel(name, name.trim_start_matches("val/"), series.collect())
    });
    let panels: Vec<_> = panels.collect();
    let caption = match left_out {
        0 => "Every figure of the validations, by step.".to_owned(),
        left_out => format!("Figures of the validations, by step; {left_out} more are in {METRICS}."),
    };
    let sheet = Sheet { title: "Validation".into(), columns: panels.len().min(2), row_height: PANEL_HEIGHT, panels };
    Ok(Some(Picture::draw("validation", caption, &sheet)?))
}

/// Series by step.
fn panel(title: &str, label: &str, series: Vec<Series>) -> Panel {
    let points = || {
        series.iter().flat_map(|series| match &series.mark {
            Mark::Line(points, _) | Mark::Points(points) => points.as_slice(),
            Mark::Band(_) | Mark::ErrorBars(_) => &[],
        })
    };
    let last = points().map(|(step, _)| *step).fold(1.0, f64::max);
    let y = Axis::around(label, points().map(|(_, value)| *value));
    Panel { title: title.to_owned(), x: Axis::new("optimizer step", 0.0..last), y, series }
}
