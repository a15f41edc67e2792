//! Killed at any step and resumed, a run has the bits of one that was not: with every optimizer, and everything around it.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::fit::{Event, FitError, FitPlan, fit};
use super::repro::Arithmetic;
use super::run_dir::{AUDIT_POINTS, CHECKPOINTS, FINAL_CHECKPOINT, RunDirectory, STEP_LOG, complete_lines};
use super::schedule::learning_rate;
use super::settings::{
    AdamSettings, AuditSettings, CheckpointSettings, Decay, EmaSettings, LionSettings, LoggerSettings,
    LookaheadSettings, MonitorMode, OptimizerSettings, ParameterGroup, Precision, Rule, ScheduleSettings, SgdSettings,
    TrainerSettings,
};
use super::snapshot::Snapshot;
use super::step_log::{StepLeaf, f64_bits};
use super::training_tests::Curve;
use super::{PortableCpu, audit_point};

/// Three epochs of four steps.
const STEPS: u64 = 12;

#[derive(Debug, Clone)]
struct Recipe {
    optimizer: OptimizerSettings,
    schedule: ScheduleSettings,
    ema: Option<EmaSettings>,
    precision: Precision,
}

fn recipe(rule: Rule, decay: Decay) -> Recipe {
    let group = |pattern: &str, lr_factor, weight_decay, frozen| ParameterGroup {
        pattern: pattern.into(),
        lr_factor,
        weight_decay,
        frozen,
    };
    Recipe {
        optimizer: OptimizerSettings {
            rule,
            lr: 0.01,
            weight_decay: 0.02,
            lookahead: Some(LookaheadSettings { k: 3, alpha: 0.5 }),
            groups: vec![group("narrow.bias", 1.0, None, true), group("*.bias", 2.0, Some(0.0), false)],
        },
        schedule: ScheduleSettings { decay, warmup_steps: 2, warmup_start_factor: 0.1 },
        ema: Some(EmaSettings { decay: 0.8, from_step: 5 }),
        precision: Precision::Full,
    }
}

fn recipes() -> Vec<Recipe> {
    let sgd = |momentum, nesterov| Rule::Sgd(SgdSettings { momentum, nesterov });
    let scaled = recipe(Rule::Adamw(AdamSettings::default()), Decay::Cosine { end_factor: 0.0 });
    vec![
        recipe(Rule::Adamw(AdamSettings::default()), Decay::Cosine { end_factor: 0.01 }),
        recipe(Rule::Adam(AdamSettings::default()), Decay::Step { every_n_steps: 4, factor: 0.5 }),
        recipe(sgd(0.9, true), Decay::Linear { end_factor: 0.0 }),
        recipe(sgd(0.0, false), Decay::Constant),
        recipe(
            Rule::Lion(LionSettings::default()),
            Decay::OneCycle { start_factor: 0.1, rising_share: 0.4, end_factor: 0.0 },
        ),
        Recipe { precision: Precision::MixedF16, ..scaled },
    ]
}

/// Trains in `root`, on from a checkpoint that lies there or from the start; gives all leaves.
fn train(task: &Curve, recipe: &Recipe, checkpoint: Option<Snapshot>, root: &Path) -> Result<Vec<StepLeaf>, FitError> {
    let monitor = Some("val/worst".to_owned());
    let settings = TrainerSettings {
        precision: recipe.precision,
        max_epochs: 3,
        early_stopping: None,
        micro_shards: 3,
        checkpoint: CheckpointSettings {
            every_n_epochs: None,
            every_n_steps: Some(1),
            save_top_k: -1,
            monitor,
            mode: Some(MonitorMode::Min),
        },
        ..TrainerSettings::default()
    };
    let trainer = settings.check().expect("settings the engine takes");
    let plan = FitPlan {
        schedule: recipe.schedule,
        ema: recipe.ema,
        // After steps 3, 6 and 9.
        audit: AuditSettings { state_digest_every: 10, segments: 4, min_segment_steps: 1, max_bytes: 1 << 20 },
        ..FitPlan::new(&trainer, recipe.optimizer.clone(), 13, &|| Duration::ZERO)
    };
    let mut run = match &checkpoint {
        Some(state) => RunDirectory::resume(root, LoggerSettings::NONE, state.progress.position.step, "manifest"),
        None => RunDirectory::create(root, LoggerSettings::NONE),
    }
    .expect("a run directory");
    let observer = &mut |_: Event<'_>| ControlFlow::Continue(());
    fit::<PortableCpu, _>(task, &plan, checkpoint, &mut run, observer, &Default::default())?;
    let lines = complete_lines(&root.join(STEP_LOG)).expect("a step log");
    Ok(lines.iter().map(|line| serde_json::from_str(line).expect("a leaf")).collect())
}

fn at_step(root: &Path, step: u64) -> Snapshot {
    Snapshot::read(&root.join(format!("{CHECKPOINTS}/step-{step:08}.safetensors"))).expect("a checkpoint")
}

/// What a process that was killed after a step leaves behind: also a part of the log of the next one.
fn leave_behind(whole: &Path, killed: &Path, step: u64) {
    let name = |step: u64| format!("{CHECKPOINTS}/step-{step:08}.safetensors");
    std::fs::create_dir_all(killed.join(CHECKPOINTS)).expect("a folder");
    for file in (1..=step).map(name).chain([STEP_LOG.to_owned()]) {
        std::fs::copy(whole.join(&file), killed.join(&file)).expect("copied");
    }
    std::fs::create_dir_all(killed.join(AUDIT_POINTS)).expect("a folder");
    for point in [3, 6, 9] {
        let name = audit_point::name(point);
        // One of a later step may be there, and is not what the run comes to.
        let bytes = if point <= step { std::fs::read(whole.join(&name)).expect("read") } else { b"later".to_vec() };
        std::fs::write(killed.join(&name), bytes).expect("written");
    }
}

fn audit_points(root: &Path) -> Vec<Vec<u8>> {
    let read = |step| std::fs::read(root.join(audit_point::name(step))).expect("an audit point");
    [3, 6, 9].map(read).into()
}

#[test]
fn killed_at_any_step_and_resumed_a_run_has_the_bits_of_one_that_was_not() {
    for recipe in recipes() {
        // The first gradients of the larger one overflow f16: its first steps are skipped.
        let gain = if recipe.precision == Precision::MixedF16 { 300.0 } else { 1.0 };
        let task = Curve::new(gain);
        let folder = tempfile::tempdir().expect("temp dir");
        let whole = folder.path().join("whole");
        let leaves = train(&task, &recipe, None, &whole).expect("trains");
        assert_eq!(leaves.len() as u64, STEPS);
        assert!(leaves.iter().all(|leaf| leaf.state.is_some()));
        for killed in 1..STEPS {
            let resumed = folder.path().join(format!("resumed-{killed}"));
            leave_behind(&whole, &resumed, killed);
            let again = train(&task, &recipe, Some(at_step(&whole, killed)), &resumed).expect("goes on");
            assert_eq!(again, leaves, "{recipe:?}, killed after {killed}");
            let bytes = |root: &Path| std::fs::read(root.join(FINAL_CHECKPOINT)).expect("a checkpoint");
            assert!(bytes(&resumed) == bytes(&whole), "{recipe:?}, killed after {killed}");
            assert!(audit_points(&resumed) == audit_points(&whole), "{recipe:?}, killed after {killed}");
        }
    }
}

#[test]
fn a_leaf_has_the_learning_rate_of_its_step() {
    for recipe in recipes() {
        let folder = tempfile::tempdir().expect("temp dir");
        let leaves = train(&Curve::new(1.0), &recipe, None, &folder.path().join("run")).expect("trains");
        for leaf in leaves {
            let rate = learning_rate(&recipe.schedule, 0.01, leaf.step, STEPS);
            assert_eq!(leaf.learning_rate_bits, f64_bits(rate), "{recipe:?}, step {}", leaf.step);
        }
    }
}

#[test]
fn the_digest_of_the_state_sees_every_tensor_of_optimizer_lookahead_and_average() {
    let folder = tempfile::tempdir().expect("temp dir");
    let of = |recipe: &Recipe, name: &str| {
        train(&Curve::new(1.0), recipe, None, &folder.path().join(name)).expect("trains");
        at_step(&folder.path().join(name), STEPS)
    };
    for (index, recipe) in recipes().iter().enumerate() {
        let state = of(recipe, &index.to_string());
        assert_eq!(state.progress.arithmetic, Arithmetic { precision: recipe.precision, ..Arithmetic::PORTABLE });
        for prefix in ["lookahead.slow/", "ema/"] {
            let tensors: Vec<_> = state.tensors.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
            assert_eq!(tensors.len(), 5, "{prefix} of all that is trained: {tensors:?}");
        }
        for name in state.tensors.keys() {
            let mut other = state.clone();
            other.tensors.get_mut(name).expect("a tensor").values[0] += 1.0;
            assert_ne!(other.state_digest(), state.state_digest(), "{name}");
        }
    }
}

#[test]
fn a_checkpoint_of_another_optimizer_or_without_its_state_is_refused() {
    let task = Curve::new(1.0);
    let folder = tempfile::tempdir().expect("temp dir");
    let [adamw, _, sgd, without_momentum, ..] = &recipes()[..] else { panic!("several recipes") };
    train(&task, adamw, None, &folder.path().join("adamw")).expect("trains");
    let state = at_step(&folder.path().join("adamw"), 7);
    let refused = |recipe: &Recipe, state: Snapshot, name: &str| {
        let root = folder.path().join(name);
        leave_behind(&folder.path().join("adamw"), &root, 7);
        let error = train(&task, recipe, Some(state), &root).expect_err("does not fit");
        assert!(matches!(error, FitError::Snapshot(_)), "{error}");
        error.to_string()
    };
    assert!(refused(sgd, state.clone(), "sgd").contains("sgd.momentum/"));
    assert!(refused(without_momentum, state.clone(), "without").contains("adamw.first/"));
    assert!(refused(&Recipe { ema: None, ..adamw.clone() }, state.clone(), "ema").contains("ema/"));
    let optimizer = OptimizerSettings { lookahead: None, ..adamw.optimizer.clone() };
    let without = Recipe { optimizer, ..adamw.clone() };
    assert!(refused(&without, state.clone(), "lookahead").contains("lookahead.slow/"));
    for missing in ["adamw.second/widen.weight", "lookahead.slow/widen.weight", "ema/widen.weight"] {
        let mut state = state.clone();
        state.tensors.remove(missing).expect("a tensor");
        assert!(refused(adamw, state, &missing.replace('/', "-")).contains(missing), "{missing}");
    }
}
