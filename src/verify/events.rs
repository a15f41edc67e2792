//! The log of events against the statement and the step log, and against it the log of metrics and that for a person.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Check, VerifiedRun};
use crate::event_log::{DEBUG_LOG, EVENTS, EventLine, EventLog, Figure, METRICS, RunEvent};
use crate::manifest::predicate::{EventsRecord, TrainingRecord};

/// What is read of a step leaf here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeafFigures {
    step: u64,
    epoch: u32,
    loss_bits: String,
    gradient_norm_bits: String,
}

impl VerifiedRun {
    /// The log of events is the chain that the statement says, began with this run and ended as it did, took no longer, and
    /// gives the figures of the step log; the log of metrics and that for a person say the same.
    pub(super) fn compare_events(&self, training: &TrainingRecord, check: &mut Check) {
        let is_signed = self.manifest.statement().subject.iter().any(|subject| subject.name.as_str() == EVENTS);
        let record = match (&training.events, is_signed) {
            (None, false) => return,
            (None, true) => {
                return self.fail_events("expected no log of events, as the statement has none, got one", check);
            }
            (Some(record), _) if record.file.as_str() != EVENTS => {
                let finding =
                    format!("expected {EVENTS}, as every run calls it, got {} in the statement", record.file.as_str());
                return self.fail_events(finding, check);
            }
            (Some(record), _) => record,
        };
        let Some(bytes) = self.read_subject(EVENTS, check) else { return };
        let log = match EventLog::read(&String::from_utf8_lossy(&bytes)) {
            Ok(log) => log,
            Err(error) => return self.fail_events(error, check),
        };
        self.compare_head(record, &log, check);
        self.compare_ends(training, &log, check);
        self.compare_figures(training, &log, check);
        for (name, expected) in [(METRICS, log.metrics()), (DEBUG_LOG, log.for_people())] {
            if self.optional_subject(name, check).is_some_and(|bytes| bytes != expected.as_bytes()) {
                check
                    .fail_at(&self.root.join(name), format!("{name}: expected what {EVENTS} says, got something else"));
            }
        }
    }

    fn fail_events(&self, finding: impl std::fmt::Display, check: &mut Check) {
        check.fail_at(&self.root.join(EVENTS), format!("{EVENTS}: {finding}"));
    }

    fn compare_head(&self, record: &EventsRecord, log: &EventLog, check: &mut Check) {
        if log.head.count != record.count.0 {
            let finding = format!("expected {} events, as signed, got {}", record.count.0, log.head.count);
            self.fail_events(finding, check);
        } else if log.head.digest != record.head {
            let finding = format!("expected to end with {}, as signed, got {}", record.head, log.head.digest);
            self.fail_events(finding, check);
        }
    }

    /// It begins and ends with this run, within its time.
    fn compare_ends(&self, training: &TrainingRecord, log: &EventLog, check: &mut Check) {
        let claim = self.claim();
        let began = RunEvent::Begun { run: claim.run.id.clone(), config: claim.config.digest };
        match log.lines.first() {
            Some(EventLine { step: 0, event, .. }) if *event == began => {}
            Some(_) => self
                .fail_events("line 1: expected the beginning of this run, with its config, got something else", check),
            None => self.fail_events("expected events, got none", check),
        }
        let Some(last) = log.lines.last() else { return };
        let (steps, reason) = (training.steps.count, claim.exit.reason);
        match &last.event {
            RunEvent::Finished { reason: got, figures, .. } if last.step == steps && *got == reason => {
                let signed = claim.metrics.iter().map(|metric| (&metric.name, metric.value.get().to_bits()));
                if !figures.iter().map(|figure| (&figure.name, figure.value.to_bits())).eq(signed) {
                    self.fail_events("expected the signed figures at the end, got others", check);
                }
            }
            _ => {
                let expected = reason.words();
                let finding =
                    format!("expected to end with finished at step {steps}, {expected}, as signed, got something else");
                self.fail_events(finding, check);
            }
        }
        let (wall, elapsed) = (claim.envelope.figures.wall_seconds.get(), last.elapsed_seconds);
        if elapsed > wall {
            let finding =
                format!("expected events within the {wall} s that the run says it took, got one at {elapsed} s");
            self.fail_events(finding, check);
        }
    }

    /// Loss and gradient norm of a step are those of its leaf; of a step that was made twice, the last time counts.
    fn compare_figures(&self, training: &TrainingRecord, log: &EventLog, check: &mut Check) {
        let Some(bytes) = self.read_subject(training.steps.file.as_str(), check) else { return };
        let text = String::from_utf8_lossy(&bytes);
        let leaves = text.lines().filter_map(|line| serde_json::from_str::<LeafFigures>(line).ok());
        let leaves: BTreeMap<u64, LeafFigures> = leaves.map(|leaf| (leaf.step, leaf)).collect();
        let mut logged = BTreeMap::new();
        for line in &log.lines {
            let RunEvent::Trained { epoch, figures } = &line.event else { continue };
            for Figure { name, value } in figures.iter().filter(|figure| PER_STEP.contains(&figure.name.as_str())) {
                logged.insert((line.step, name.as_str()), (*epoch, *value));
            }
        }
        for ((step, name), (epoch, value)) in logged {
            let of_leaf = |leaf: &LeafFigures| {
                let bits = if name == PER_STEP[0] { &leaf.loss_bits } else { &leaf.gradient_norm_bits };
                leaf.epoch == epoch && u32::from_str_radix(bits, 16).is_ok_and(|bits| is_same(bits, value))
            };
            if !leaves.get(&step).is_some_and(of_leaf) {
                return self
                    .fail_events(format!("step {step}: {name}: expected that of the step log, got {value}"), check);
            }
        }
    }
}

/// The figures that a step leaf has.
const PER_STEP: [&str; 2] = ["train/loss", "train/gradient_norm"];

/// Whether a logged figure is that of an `f32`; of a NaN, the log has no bits.
fn is_same(bits: u32, value: f64) -> bool {
    let leaf = f64::from(f32::from_bits(bits));
    leaf.to_bits() == value.to_bits() || (leaf.is_nan() && value.is_nan())
}
