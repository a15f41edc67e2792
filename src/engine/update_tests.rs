//! What groups and averaged weights do in whole runs.

use std::ops::ControlFlow;
use std::time::Duration;

use burn::module::{AutodiffModule, Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::PortableCpu;
use super::fit::{Event, FitError, FitOutcome, FitPlan, fit};
use super::run_dir::{FINAL_CHECKPOINT, RunDirectory};
use super::settings::{
    EmaSettings, LoggerSettings, OptimizerSettings, ParameterGroup, Rule, SgdSettings, TrainerSettings,
};
use super::snapshot::Snapshot;
use super::state::{initial_model, load_parameters};
use super::task::{Draws, Metric, Moment, Split, Task, TaskError};

type B = PortableCpu;

/// Two parameters with a gradient of one each, so that a step of plain SGD at rate 1 moves them by one.
#[derive(Module, Debug)]
struct Pair<B: Backend> {
    left: Param<Tensor<B, 1>>,
    right: Param<Tensor<B, 1>>,
}

struct Slope(Vec<String>);

fn number<B: Backend>(tensor: &Param<Tensor<B, 1>>) -> f32 {
    tensor.val().into_data().into_vec::<f32>().expect("f32")[0]
}

impl Task for Slope {
    type Model<B: AutodiffBackend> = Pair<B>;
    type Batch = usize;

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Pair<B> {
        let zero = || Param::from_tensor(Tensor::zeros([1], device));
        Pair { left: zero(), right: zero() }
    }
    fn sample_ids(&self, _: Split) -> &[String] {
        &self.0
    }
    fn batch(&self, _: Split, samples: &[usize], _: Draws) -> usize {
        samples.len()
    }
    fn loss<B: AutodiffBackend>(&self, model: &Pair<B>, samples: &usize, _: Moment, _: &B::Device) -> Tensor<B, 1> {
        (model.left.val() + model.right.val()).mul_scalar(*samples as f32)
    }
    fn evaluate<B: AutodiffBackend>(
        &self,
        model: &Pair<B::InnerBackend>,
        _: Split,
        _: &[usize],
        _: Draws,
        _: &B::Device,
    ) -> Result<Vec<Metric>, TaskError> {
        Ok(vec![Metric { name: "left".into(), value: number(&model.left).into() }])
    }
}

struct Run {
    done: FitOutcome<Pair<<B as AutodiffBackend>::InnerBackend>>,
    state: Snapshot,
    /// `val/left` after each epoch of one step.
    validated: Vec<f64>,
    norms: Vec<String>,
}

impl Run {
    fn value(&self, name: &str) -> f32 {
        self.state.tensors[name].values[0]
    }
}

/// Four epochs of one step of plain SGD at rate 1.
fn run(groups: Vec<ParameterGroup>, ema: Option<EmaSettings>) -> Result<Run, FitError> {
    let task = Slope(vec!["0".into()]);
    let settings =
        TrainerSettings { max_epochs: 4, early_stopping: None, gradient_clip_val: None, ..TrainerSettings::default() };
    let trainer = settings.check().expect("settings the engine takes");
    let rule = Rule::Sgd(SgdSettings { momentum: 0.0, nesterov: false });
    let optimizer = OptimizerSettings { rule, lr: 1.0, weight_decay: 0.0, lookahead: None, groups };
    let plan = FitPlan { ema, ..FitPlan::new(&trainer, optimizer, 1, &|| Duration::ZERO) };
    let folder = tempfile::tempdir().expect("temp dir");
    let root = folder.path().join("run");
    let mut directory = RunDirectory::create(&root, LoggerSettings::NONE).expect("a run directory");
    let (mut validated, mut norms) = (Vec::new(), Vec::new());
    let observer = &mut |event: Event<'_>| {
        match event {
            Event::Validated { metrics, .. } => validated.push(metrics[0].value),
            Event::Step { leaf, .. } => norms.push(leaf.gradient_norm_bits.clone()),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let done = fit::<B, _>(&task, &plan, None, &mut directory, observer, &Default::default())?;
    let state = Snapshot::read(&root.join(FINAL_CHECKPOINT)).expect("a checkpoint");
    Ok(Run { done, state, validated, norms })
}

#[test]
fn averaged_weights_are_validated_tested_predicted_with_and_loaded_and_the_others_trained_on() {
    let plain = run(Vec::new(), None).expect("trains");
    assert_eq!(plain.validated, [-1.0, -2.0, -3.0, -4.0]);
    assert!(plain.state.tensors.keys().all(|name| !name.starts_with("ema/")));
    let averaged = run(Vec::new(), Some(EmaSettings { decay: 0.5, from_step: 2 })).expect("trains");
    // -2, then half of it and half of -3, and so on.
    assert_eq!(averaged.validated, [-1.0, -2.0, -2.5, -3.25]);
    assert_eq!(averaged.done.metrics, [Metric { name: "test/left".into(), value: -3.25 }]);
    assert_eq!(number(&averaged.done.model.left), -3.25);
    assert_eq!((averaged.value("parameter/left"), averaged.value("ema/left")), (-4.0, -3.25));
    let device = Default::default();
    let loaded = |state: &Snapshot| {
        let model = initial_model::<B, _>(&Slope(Vec::new()), 1, &device);
        number(&load_parameters::<B, _>(model, state, &device).expect("fits").valid().left)
    };
    assert_eq!((loaded(&averaged.state), loaded(&plain.state)), (-3.25, -4.0));
    let later = run(Vec::new(), Some(EmaSettings { decay: 0.5, from_step: 9 })).expect("trains");
    assert_eq!(later.state.state_digest(), plain.state.state_digest(), "not begun yet");
}

fn group(pattern: &str, lr_factor: f64, weight_decay: Option<f64>, frozen: bool) -> ParameterGroup {
    ParameterGroup { pattern: pattern.into(), lr_factor, weight_decay, frozen }
}

#[test]
fn a_group_has_its_own_pace_and_decay() {
    let paced = run(vec![group("le*", 0.5, None, false)], None).expect("trains");
    assert_eq!((paced.value("parameter/left"), paced.value("parameter/right")), (-2.0, -4.0));
    let decayed = run(vec![group("left", 1.0, Some(0.5), false)], None).expect("trains");
    // p <- p - (1 + p/2)
    assert_eq!((decayed.value("parameter/left"), decayed.value("parameter/right")), (-1.875, -4.0));
}

#[test]
fn what_is_frozen_stays_and_has_neither_gradient_nor_average() {
    let ema = Some(EmaSettings { decay: 0.5, from_step: 1 });
    let free = run(Vec::new(), ema).expect("trains");
    let frozen = run(vec![group("left", 1.0, None, true)], ema).expect("trains");
    assert_eq!((frozen.value("parameter/left"), frozen.value("parameter/right")), (0.0, -4.0));
    assert!(frozen.state.tensors.contains_key("ema/right") && !frozen.state.tensors.contains_key("ema/left"));
    assert_eq!(frozen.norms[0], "3f800000", "the norm of one gradient of 1");
    assert_ne!(free.norms[0], frozen.norms[0]);
    let error = run(vec![group("*", 1.0, None, true)], None).map(drop).expect_err("nothing is trained");
    assert!(matches!(error, FitError::NothingToTrain), "{error}");
}

#[test]
fn a_pattern_that_matches_nothing_is_refused_before_the_first_step_with_the_paths() {
    let error = run(vec![group("middle", 1.0, None, false)], None).map(drop).expect_err("no such parameter");
    assert!(matches!(error, FitError::Group(_)), "{error}");
    assert!(error.to_string().contains("got middle; parameters: left, right"), "{error}");
}
