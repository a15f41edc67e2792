//! The trainer profiles: what each composes to, and that what is not here is refused by key.

use serde_json::Value;
use spectramind::config::{Composer, SearchPath};
use spectramind::engine::settings::{
    AdamSettings, EmaSettings, LionSettings, OptimizerSettings, Rule, ScheduleSettings, SgdSettings, TrainerSettings,
};

use crate::sandbox::{Sandbox, repository};

fn composer() -> Composer {
    Composer::new(SearchPath::of_directory(repository().join("configs")))
}

fn trainer(profile: &str) -> Value {
    #[derive(serde::Deserialize)]
    struct Train {
        trainer: Value,
    }
    let config = composer().compose("train", &[format!("trainer={profile}")]);
    config.expect("composes").extract::<Train>().expect("has a trainer").trainer
}

/// The issue's table, as (key, defaults, kaggle_safe, ci_fast, multi_gpu, ddp).
const TABLE: &str = r#"
accelerator                   | "auto" | "auto"     | "cpu" | "auto"     | "auto"
devices                       | 1      | 1          | 1     | "auto"     | 8
num_nodes                     | 1      | 1          | 1     | 1          | 2
precision                     | 32     | "16-mixed" | 32    | "16-mixed" | "16-mixed"
max_epochs                    | 50     | 30         | 1     | 40         | 60
max_time                      | "9:00:00" | "8:30:00" | "0:20:00" | null | null
limit_train_batches           | null   | null       | 8     | null       | null
limit_val_batches             | null   | null       | 4     | null       | null
limit_test_batches            | null   | null       | 4     | null       | null
val_check_interval            | 1.0    | 1.0        | 1.0   | 1.0        | 1.0
accumulate_grad_batches       | 1      | 2          | 1     | 1          | 1
gradient_clip_val             | 1.0    | 1.0        | 1.0   | 1.0        | 1.0
log_every_n_steps             | 25     | 50         | 1     | 50         | 50
checkpoint.every_n_epochs     | 1      | 5          | null  | 2          | 1
checkpoint.save_top_k         | 3      | 1          | 0     | 2          | 3
checkpoint.monitor            | null   | null       | null  | null       | null
early_stopping.patience       | 5      | 5          | null  | 6          | 8
early_stopping.monitor        | "val/score_unclipped" | "val/score_unclipped" | null | "val/score_unclipped" | "val/score_unclipped"
early_stopping.mode           | "max"  | "max"      | null  | "max"      | "max"
dataloader.workers            | 2      | 2          | 0     | 8          | 8
dataloader.prefetch           | 2      | 2          | null  | 2          | 2
seed                          | 42     | 42         | 123   | 42         | 42
deterministic                 | true   | true       | true  | true       | true
sync_batchnorm                | false  | false      | false | true       | true
"#;

#[test]
fn every_profile_composes_to_its_column_of_the_table() {
    for (column, profile) in ["defaults", "kaggle_safe", "ci_fast", "multi_gpu", "ddp"].into_iter().enumerate() {
        let composed = trainer(profile);
        for line in TABLE.trim().lines() {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let expected: Value = serde_json::from_str(cells[column + 1]).expect("a cell is JSON");
            let found = composed.pointer(&format!("/{}", cells[0].replace('.', "/"))).unwrap_or(&Value::Null);
            assert_eq!(found, &expected, "{profile}: {}", cells[0]);
        }
    }
}

#[test]
fn the_library_defaults_are_those_of_the_yaml_files() {
    let yaml: TrainerSettings = serde_json::from_value(trainer("defaults")).expect("settings");
    assert_eq!(yaml, TrainerSettings::default());
    #[derive(serde::Deserialize)]
    struct Train {
        optimizer: OptimizerSettings,
        schedule: ScheduleSettings,
        ema: Option<EmaSettings>,
    }
    let train = |overrides: &[&str]| {
        composer().compose("train", overrides).expect("composes").extract::<Train>().expect("has an optimizer")
    };
    let Train { optimizer, schedule, ema } = train(&[]);
    assert_eq!((optimizer, schedule, ema), (OptimizerSettings::default(), ScheduleSettings::default(), None));
    for (option, rule) in [
        ("optimizer=adam", Rule::Adam(AdamSettings::default())),
        ("optimizer=sgd", Rule::Sgd(SgdSettings::default())),
        ("optimizer=lion", Rule::Lion(LionSettings::default())),
    ] {
        assert_eq!(train(&[option]).optimizer.rule, rule);
    }
}

#[test]
fn what_a_profile_asks_for_and_is_not_here_is_refused_by_key() {
    let cases = [
        (["trainer=ddp"].as_slice(), "trainer.num_nodes=2"),
        (&["trainer=ddp", "trainer.devices=3"], "trainer.devices × trainer.num_nodes"),
        (&["trainer=ddp", "trainer.num_nodes=0"], "trainer.num_nodes"),
    ];
    let sandbox = Sandbox::new();
    for (overrides, said) in cases {
        let outcome = sandbox.run(&[&["train"], overrides].concat());
        assert_eq!(outcome.code, 2, "{overrides:?}\n{}", outcome.stderr);
        assert!(outcome.stderr.contains(said), "{overrides:?}\n{}", outcome.stderr);
        assert!(outcome.stderr.contains("Hint: "), "{overrides:?}\n{}", outcome.stderr);
    }
    assert!(!sandbox.path("runs").exists() && !sandbox.path("data").exists(), "refused before anything is done");
}

#[test]
fn every_option_of_every_group_composes_into_a_config_that_is_read_whole() {
    use spectramind::ariel::config::{
        ArielConfig, CalibrateConfig, EvaluateConfig, PlotConfig, PredictConfig, SimulateConfig,
    };
    use spectramind::workload::RunSettings;
    let composer = composer();
    let compose = |primary: &str, overrides: &[String]| {
        composer.compose(primary, overrides).unwrap_or_else(|error| panic!("{primary} {overrides:?}: {error}"))
    };
    let mut options = 0;
    for group in ["trainer", "model", "data", "calib", "sim", "loss", "optimizer", "schedule", "logger", "envelope"] {
        let files = std::fs::read_dir(repository().join("configs").join(group)).expect("list");
        for file in files.map(|entry| entry.expect("entry").path()) {
            if file.extension().is_some_and(|extension| extension == "yaml") {
                let option = file.file_stem().expect("a name").to_str().expect("UTF-8").to_owned();
                let config = compose("train", &[format!("{group}={option}")]);
                let read = config.extract_parts::<RunSettings, ArielConfig>(&RunSettings::KEYS);
                read.unwrap_or_else(|error| panic!("{group}={option}: {error}"));
                options += 1;
            }
        }
    }
    assert!(options >= 23, "{options}");
    compose("simulate", &[]).extract::<SimulateConfig>().expect("simulate.yaml is read whole");
    compose("calibrate", &[]).extract::<CalibrateConfig>().expect("calibrate.yaml is read whole");
    compose("predict", &["checkpoint=x".into()]).extract::<PredictConfig>().expect("predict.yaml is read whole");
    compose("evaluate", &["submission=x".into()]).extract::<EvaluateConfig>().expect("evaluate.yaml is read whole");
    compose("plot", &["run=x".into()]).extract::<PlotConfig>().expect("plot.yaml is read whole");
}

#[test]
fn hydras_flag_prints_the_config_and_does_nothing_else() {
    let sandbox = Sandbox::new();
    let printed = sandbox.done(&["train", "trainer=ci_fast", "--cfg", "job", "--resolve", "--package", "sim"]).stdout;
    assert!(printed.contains("out: data/sim_tiny"), "{printed}");
    let unresolved = sandbox.done(&["train", "--cfg", "job"]).stdout;
    assert!(unresolved.contains("${data.root}"), "{unresolved}");
    assert!(!sandbox.path("runs").exists() && !sandbox.path("data").exists());
}
