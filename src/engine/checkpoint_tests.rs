//! What is kept and called best, of whole runs, against a model of the rule in ten lines: over random cadences, monitors,
//! ties, figures that are no numbers, and interruptions.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use proptest::prelude::*;

use super::PortableCpu;
use super::fit::{Event, Exit, FitPlan, fit};
use super::run_dir::{BEST_CHECKPOINT, CHECKPOINTS, FINAL_CHECKPOINT, LAST_CHECKPOINT, RunDirectory};
use super::settings::{
    CheckpointSettings, EarlyStopping, LoggerSettings, MonitorMode, OptimizerSettings, TrainerSettings, ValInterval,
};
use super::snapshot::Snapshot;
use super::step_log::f64_bits;
use super::task::{DeclaredMetric, Draws, Metric, Moment, Split, Task, TaskError};

const LEARNING_RATE: f64 = 0.001;

/// A model that knows how many steps it was trained for: every step moves its one parameter by the learning rate.
#[derive(Module, Debug)]
struct Counter<B: Backend> {
    at: Param<Tensor<B, 1>>,
}

/// Validations give the figure that is scripted for the step of the state that they are asked about.
struct Script {
    ids: Vec<String>,
    /// By step, from 0.
    figures: Vec<f64>,
    /// What the task says is monitored, and in which direction.
    monitor: Option<MonitorMode>,
}

impl Task for Script {
    type Model<B: AutodiffBackend> = Counter<B>;
    type Batch = usize;

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Counter<B> {
        Counter { at: Param::from_tensor(Tensor::zeros([1], device)) }
    }
    fn sample_ids(&self, _: Split) -> &[String] {
        &self.ids
    }
    fn batch(&self, _: Split, samples: &[usize], _: Draws) -> usize {
        samples.len()
    }
    fn loss<B: AutodiffBackend>(&self, model: &Counter<B>, samples: &usize, _: Moment, _: &B::Device) -> Tensor<B, 1> {
        model.at.val().mul_scalar(*samples as f32)
    }
    fn evaluate<B: AutodiffBackend>(
        &self,
        model: &Counter<B::InnerBackend>,
        _: Split,
        _: &[usize],
        _: Draws,
        _: &B::Device,
    ) -> Result<Vec<Metric>, TaskError> {
        let at = model.at.val().into_data().into_vec::<f32>()?[0];
        let step = (f64::from(-at) / LEARNING_RATE).round() as usize;
        Ok(vec![Metric { name: "figure".into(), value: self.figures[step] }])
    }
    fn metrics(&self) -> Option<Vec<DeclaredMetric>> {
        self.monitor.map(|mode| vec![DeclaredMetric { name: "figure".into(), mode }])
    }
    fn monitor(&self) -> Option<String> {
        self.monitor.map(|_| "val/figure".into())
    }
}

/// Who names the monitor.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Namer {
    Checkpoints,
    EarlyStopping,
    Task,
    Nobody,
}

#[derive(Debug, Clone)]
struct Case {
    steps_per_epoch: usize,
    epochs: u32,
    every_n_epochs: Option<u32>,
    every_n_steps: Option<u32>,
    interval: ValInterval,
    save_top_k: i32,
    namer: Namer,
    mode: MonitorMode,
    figures: Vec<f64>,
    /// Stop after so many more steps; killed before the final state was written, or not.
    stops: Vec<(u64, bool)>,
}

impl Case {
    /// The rule: by step, the figure that each kept checkpoint carries, and the step of the best one.
    fn expected(&self) -> (BTreeMap<usize, Option<f64>>, Option<usize>) {
        let (mut kept, length) = (BTreeMap::<usize, Option<f64>>::new(), self.steps_per_epoch);
        // Higher is better, what is no number is worst, of equals the earlier one is better.
        let rank = |step: usize, figure: Option<f64>| match (figure.filter(|figure| !figure.is_nan()), self.mode) {
            (Some(figure), MonitorMode::Max) => (1, figure, -(step as f64)),
            (Some(figure), MonitorMode::Min) => (1, 0.0 - figure, -(step as f64)),
            (None, _) => (0, 0.0, step as f64),
        };
        for step in 1..=length * self.epochs as usize {
            let (in_epoch, epoch) = ((step - 1) % length + 1, step / length);
            let is_ranked = self.namer != Namer::Nobody && self.save_top_k != 0;
            let is_validated = is_ranked && in_epoch.is_multiple_of(self.interval.of(length as u64) as usize);
            let figure = is_validated.then_some(self.figures[step]);
            let is_best = rank(step, figure).0 == 1 && kept.iter().all(|(&s, &f)| rank(step, figure) > rank(s, f));
            let every = |n: Option<u32>, count: usize| n.is_some_and(|n| count.is_multiple_of(n as usize));
            if every(self.every_n_steps, step) || in_epoch == length && every(self.every_n_epochs, epoch) || is_best {
                kept.insert(step, figure);
                let mut order: Vec<_> = kept.iter().map(|(&s, &f)| (rank(s, f), s)).collect();
                order.sort_by(|a, b| b.partial_cmp(a).expect("ranks have no NaN"));
                let places = usize::try_from(self.save_top_k).unwrap_or(usize::MAX);
                kept.retain(|&s, _| s == step || order.iter().take(places).any(|&(_, stays)| stays == s));
            }
        }
        let judged = kept.iter().filter(|(s, f)| rank(**s, **f).0 == 1);
        let best = judged.max_by(|a, b| rank(*a.0, *a.1).partial_cmp(&rank(*b.0, *b.1)).expect("ranks have no NaN"));
        let best = best.map(|(step, _)| *step);
        (kept, best)
    }

    fn trainer(&self) -> TrainerSettings {
        let monitor = (self.namer == Namer::Checkpoints).then(|| "val/figure".to_owned());
        TrainerSettings {
            max_epochs: self.epochs,
            micro_shards: 1,
            val_check_interval: self.interval,
            checkpoint: CheckpointSettings {
                every_n_epochs: self.every_n_epochs,
                every_n_steps: self.every_n_steps,
                save_top_k: self.save_top_k,
                monitor,
                mode: (self.namer == Namer::Checkpoints).then_some(self.mode),
            },
            early_stopping: (self.namer == Namer::EarlyStopping).then(|| EarlyStopping {
                monitor: "val/figure".into(),
                mode: Some(self.mode),
                patience: u32::MAX,
            }),
            ..TrainerSettings::default()
        }
    }

    /// Trains in `root`, with the interruptions, to the end.
    fn run(&self, root: &Path) {
        let trainer = self.trainer().check().expect("settings the engine takes");
        let monitor = (self.namer == Namer::Task).then_some(self.mode);
        let ids = (0..self.steps_per_epoch).map(|id| id.to_string()).collect();
        let task = Script { ids, figures: self.figures.clone(), monitor };
        let optimizer = OptimizerSettings { lr: LEARNING_RATE, weight_decay: 0.0, ..OptimizerSettings::default() };
        let stops = self.stops.iter().map(|&(steps, killed)| (Some(steps), killed)).chain([(None, false)]);
        for (index, (steps, is_killed)) in stops.enumerate() {
            let newest = [LAST_CHECKPOINT, FINAL_CHECKPOINT].map(|name| root.join(name));
            let snapshots = newest.iter().filter(|path| path.exists()).map(|path| Snapshot::read(path).expect("reads"));
            let checkpoint = snapshots.max_by_key(|snapshot| snapshot.progress.position.step);
            let done = checkpoint.as_ref().map_or(0, |snapshot| snapshot.progress.position.step);
            let mut run = match index {
                0 => RunDirectory::create(root, LoggerSettings::NONE),
                _ => RunDirectory::resume(root, LoggerSettings::NONE, done, "manifest"),
            }
            .expect("a run directory");
            let stop_after_steps = steps.map(|steps| done + steps);
            let plan = FitPlan { stop_after_steps, ..FitPlan::new(&trainer, optimizer.clone(), 1, &|| Duration::ZERO) };
            let observer = &mut |_: Event<'_>| ControlFlow::Continue(());
            let outcome = fit::<PortableCpu, _>(&task, &plan, checkpoint, &mut run, observer, &Default::default());
            let exit = outcome.expect("trains").exit;
            if is_killed && exit == Exit::StepLimit {
                std::fs::remove_file(root.join(FINAL_CHECKPOINT)).expect("there is a final state");
            }
        }
    }
}

fn case() -> impl Strategy<Value = Case> {
    // Few values, so that there are ties.
    let figure = prop_oneof![
        4 => (-2i8..=2).prop_map(f64::from),
        1 => Just(f64::NAN),
        1 => Just(-0.0),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ];
    let namer =
        prop_oneof![Just(Namer::Checkpoints), Just(Namer::EarlyStopping), Just(Namer::Task), Just(Namer::Nobody)];
    let cadence = || proptest::option::weighted(0.7, 1u32..4);
    (1usize..6, 1u32..5)
        .prop_flat_map(move |(steps_per_epoch, epochs)| {
            let steps = steps_per_epoch * epochs as usize;
            let interval = prop_oneof![
                Just(ValInterval::Share(1.0)),
                (0.01f64..=1.0).prop_map(ValInterval::Share),
                (1..=steps_per_epoch as u32).prop_map(ValInterval::Steps),
            ];
            let figures = proptest::collection::vec(figure.clone(), steps + 1);
            let mode = prop_oneof![Just(MonitorMode::Max), Just(MonitorMode::Min)];
            let stops = proptest::collection::vec((1u64..6, any::<bool>()), 0..4);
            let checkpoints = (cadence(), cadence(), interval, -1i32..4, namer.clone(), mode);
            (Just((steps_per_epoch, epochs)), checkpoints, figures, stops)
        })
        .prop_map(|((steps_per_epoch, epochs), checkpoints, figures, stops)| {
            let (every_n_epochs, every_n_steps, interval, save_top_k, namer, mode) = checkpoints;
            Case {
                steps_per_epoch,
                epochs,
                every_n_epochs,
                every_n_steps,
                interval,
                save_top_k,
                namer,
                mode,
                figures,
                stops,
            }
        })
}

fn step_file(step: usize) -> String {
    format!("{CHECKPOINTS}/step-{step:08}.safetensors")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_and_called_best_is_what_the_rule_says(case in case()) {
        let folder = tempfile::tempdir().expect("temp dir");
        let root = folder.path().join("run");
        case.run(&root);
        let (kept, best) = case.expected();
        let found = std::fs::read_dir(root.join(CHECKPOINTS)).expect("a folder").map(|entry| entry.expect("entry"));
        let mut found: Vec<_> = found.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
        found.retain(|name| name.starts_with("step-"));
        found.sort();
        let names: Vec<_> = kept.keys().map(|step| format!("step-{step:08}.safetensors")).collect();
        prop_assert_eq!(found, names);
        for (&step, figure) in &kept {
            let progress = Snapshot::read(&root.join(step_file(step))).expect("reads").progress;
            prop_assert_eq!(progress.position.step, step as u64);
            prop_assert_eq!(progress.monitored_bits, figure.map(f64_bits), "step {}", step);
        }
        let bytes = |name: &str| std::fs::read(root.join(name)).ok();
        prop_assert_eq!(bytes(BEST_CHECKPOINT), best.and_then(|step| bytes(&step_file(step))));
        prop_assert_eq!(best.is_some(), root.join(BEST_CHECKPOINT).exists());
        let newest = kept.keys().next_back();
        prop_assert_eq!(bytes(LAST_CHECKPOINT), newest.and_then(|step| bytes(&step_file(*step))));
    }
}
