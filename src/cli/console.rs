//! What a person sees of a run while it is made: on a terminal a bar with the facts below it, elsewhere a plain line now and
//! then. None of it changes what is written; `logs/events.jsonl` has the same facts.

use std::time::{Duration, Instant};

use crate::cli::pace::{PLAIN_LINES, clock};
use crate::cli::progress::Stages;
use crate::cli::{interrupt, world};
use crate::engine::fit::{Event, FitEnd};
use crate::engine::task::Metric;
use crate::run::News;

/// Validations in the small curve.
const CURVE: usize = 16;

/// What is told of a run while it is made.
pub struct Console {
    stages: Stages,
    /// What computes, in words.
    pub computing: String,
    /// How the training ended.
    pub end: Option<FitEnd>,
    training: Training,
    max_time: Option<Duration>,
    said: Instant,
}

/// How far a training is.
#[derive(Default)]
struct Training {
    /// Where this process began, and how many steps there are.
    done_before: u64,
    planned: u64,
    began: Option<Instant>,
    step: u64,
    epoch: u32,
    loss: f32,
    /// The first figure of each validation, with its name.
    name: String,
    validated: Vec<f64>,
}

impl Console {
    /// Nothing is told yet. `max_time` is that of the trainer.
    pub fn new(stages: Stages, max_time: Option<Duration>) -> Self {
        let (computing, training) = (String::new(), Training::default());
        Self { stages, computing, end: None, training, max_time, said: Instant::now() }
    }

    /// Tells it.
    pub fn hear(&mut self, news: News<'_>) {
        match news {
            News::Computing(how) => {
                self.stages.line(&format!("computing on {how}"));
                how.clone_into(&mut self.computing);
            }
            News::Progress(progress) => self.stages.report(progress),
            News::GoingOn(step) => self.stages.line(&format!("going on after step {step}")),
            News::Warning(warning) => self.stages.warn(warning),
            News::Begun(_) | News::Event(Event::Checkpoint { .. }) => {}
            News::Event(Event::Started { done, planned }) => {
                interrupt::gracefully();
                self.training = Training {
                    done_before: done,
                    planned,
                    step: done,
                    began: Some(Instant::now()),
                    ..Training::default()
                };
                self.stages.show("training", done, planned, "");
            }
            News::Event(Event::Step { leaf, loss }) => {
                (self.training.step, self.training.epoch, self.training.loss) = (leaf.step, leaf.epoch, loss);
                self.show();
            }
            News::Event(Event::Validated { metrics, .. }) => {
                self.training.validated(metrics);
                self.show();
            }
            News::Trained(end) => {
                self.stages.show("signing", 0, 1, "");
                self.end = Some(end.clone());
            }
        }
    }

    /// Ends what is shown.
    pub fn finish(&mut self) {
        self.stages.finish();
    }

    fn show(&mut self) {
        let taken = self.training.began.map_or(Duration::ZERO, |began| began.elapsed());
        let facts = |computing: &str| self.training.facts(taken, self.max_time, world::host_bytes(), computing);
        if self.stages.is_live() {
            let facts = facts(&self.computing);
            self.stages.show("training", self.training.step, self.training.planned, &facts);
        } else if self.said.elapsed() >= PLAIN_LINES {
            self.said = Instant::now();
            // What computes was said in a line of its own.
            let Training { step, planned, .. } = self.training;
            let facts = facts("");
            self.stages.line(&format!("step {step} of {planned}, {facts}"));
        }
    }
}

impl Training {
    fn validated(&mut self, metrics: &[Metric]) {
        let Some(metric) = metrics.first() else { return };
        metric.name.clone_into(&mut self.name);
        self.validated.push(metric.value);
    }

    /// The facts in one line: the epoch, the rate, the time left, the loss, validations, memory, what computes.
    fn facts(&self, taken: Duration, max_time: Option<Duration>, memory: Option<u64>, computing: &str) -> String {
        let mut facts = vec![format!("epoch {}", self.epoch + 1)];
        let made = self.step.saturating_sub(self.done_before);
        if made > 0 && !taken.is_zero() {
            let rate = made as f64 / taken.as_secs_f64();
            facts.push(if rate < 10.0 { format!("{rate:.2} steps/s") } else { format!("{rate:.0} steps/s") });
            let left = Duration::try_from_secs_f64(self.planned.saturating_sub(self.step) as f64 / rate);
            let left = left.unwrap_or(Duration::MAX);
            match max_time.map(|limit| limit.saturating_sub(taken)) {
                Some(limit) if limit < left => {
                    facts.push(format!("{} to trainer.max_time, {} to the end", clock(limit), clock(left)));
                }
                _ => facts.push(format!("{} left", clock(left))),
            }
        }
        facts.push(format!("loss {:.4}", self.loss));
        if let Some(last) = self.validated.last() {
            facts.push(format!("{} {last:.4} {}", self.name, curve(&self.validated)).trim_end().to_owned());
        }
        if let Some(bytes) = memory {
            facts.push(format!("{} MB", bytes / 1_000_000));
        }
        // Last: it is long, and a terminal cuts what does not fit.
        if !computing.is_empty() {
            facts.push(computing.to_owned());
        }
        facts.join(", ")
    }
}

/// The last of some values as a line of bars between the least and the largest of them; nothing of one value.
fn curve(values: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let values = &values[values.len().saturating_sub(CURVE)..];
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (least, largest) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    if values.len() < 2 {
        return String::new();
    }
    let bar = |value: &f64| match (value.is_finite(), largest - least) {
        (false, _) => '?',
        (true, 0.0) => BARS[0],
        (true, span) => BARS[((value - least) / span * 7.0).round() as usize],
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training() -> Training {
        let mut training =
            Training { done_before: 100, planned: 1000, step: 300, epoch: 2, loss: 0.25, ..Training::default() };
        for value in [0.1, 0.3, 0.2] {
            training.validated(&[Metric { name: "val/score".into(), value }]);
        }
        training
    }

    #[test]
    fn the_rate_is_that_of_this_process_and_the_time_left_follows_from_it() {
        let facts = training().facts(Duration::from_secs(20), None, Some(310_000_000), "cpu, 2 threads");
        let expected = "epoch 3, 10 steps/s, 1:10 left, loss 0.2500, val/score 0.2000 ▁█▅, 310 MB, cpu, 2 threads";
        assert_eq!(facts, expected);
    }

    #[test]
    fn a_limit_of_time_that_comes_first_is_said_first() {
        let facts = training().facts(Duration::from_secs(100), Some(Duration::from_secs(130)), None, "");
        assert_eq!(
            facts,
            "epoch 3, 2.00 steps/s, 0:30 to trainer.max_time, 5:50 to the end, loss 0.2500, val/score 0.2000 ▁█▅"
        );
        let facts = training().facts(Duration::from_secs(100), Some(Duration::from_secs(7300)), None, "");
        assert!(facts.contains(", 5:50 left, "), "{facts}");
    }

    #[test]
    fn a_training_that_has_made_no_step_promises_nothing() {
        let begun = Training { planned: 10, ..Training::default() };
        assert_eq!(begun.facts(Duration::from_secs(5), None, None, ""), "epoch 1, loss 0.0000");
    }

    #[test]
    fn a_curve_shows_the_newest_values_between_their_least_and_largest() {
        assert_eq!(curve(&[1.0]), "");
        assert_eq!(curve(&[1.0, 1.0]), "▁▁");
        assert_eq!(curve(&[0.0, f64::NAN, 7.0]), "▁?█");
        assert_eq!(curve(&[f64::NAN, f64::NAN]), "??");
        let many: Vec<f64> = (0..40).map(f64::from).collect();
        let shown = curve(&many);
        assert_eq!((shown.chars().count(), shown.chars().next(), shown.chars().last()), (CURVE, Some('▁'), Some('█')));
    }
}
