//! The files for TensorBoard and Weights & Biases: read by those packages, and nothing that a run depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox, field, present, repository, trained};
use crate::training::{assert_same_results, bytes, kill_after};

const LOGGERS: [&str; 2] = ["logger.tensorboard=true", "logger.wandb=true"];

/// Long enough to be killed in the middle, with checkpoints on the way.
const LONG: [&str; 5] =
    ["train", "trainer=ci_fast", "run.dir=run", "trainer.max_epochs=20", "trainer.checkpoint.every_n_steps=3"];

/// The Python of a virtual environment with the packages of `tests/python/loggers.txt`.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("SPECTRAMIND_LOGGERS").map(|folder| Path::new(&folder).join("bin/python3"));
    let is_there = python.as_ref().is_some_and(|python| python.exists());
    present("loggers", is_there, "tests/python/loggers.txt in a virtual environment (SPECTRAMIND_LOGGERS)");
    python.filter(|_| is_there)
}

/// What the packages read of the run.
fn read(python: &Path, sandbox: &Sandbox) -> Value {
    let mut command = sandbox.prepare(Command::new(python));
    let outcome = Outcome::of(command.arg(repository().join("tests/python/read_loggers.py")).arg(sandbox.path("run")));
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

/// `logs/metrics.csv`: step, name, value.
pub fn metrics(sandbox: &Sandbox) -> Vec<(u64, String, f64)> {
    let text = String::from_utf8(bytes(sandbox.path("run/logs/metrics.csv"))).expect("UTF-8");
    let row = |line: &str| {
        let [step, _, name, value] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        (step.parse().expect("a step"), name.to_owned(), value.parse().expect("a number"))
    };
    text.lines().skip(1).map(row).collect()
}

/// The same of what a package read.
pub fn points(read: &Value) -> Vec<(u64, String, f64)> {
    let point = |point: &Value| {
        let name = point[1].as_str().expect("a name").to_owned();
        (point[0].as_u64().expect("a step"), name, point[2].as_f64().expect("a number"))
    };
    read.as_array().expect("points").iter().map(point).collect()
}

fn assert_tensorboard_equals_metrics(found: &Value, sandbox: &Sandbox) {
    // By tag, as the package hands them out; scalars have 32 bits there.
    let sorted = |mut all: Vec<(u64, String, f64)>| {
        all.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0)));
        all
    };
    let logged = metrics(sandbox).into_iter().map(|(step, name, value)| (step, name, f64::from(value as f32)));
    assert_eq!(sorted(points(&found["scalars"])), sorted(logged.collect()));
}

fn assert_wandb_equals_metrics(found: &Value, sandbox: &Sandbox) {
    let rows = points(&found["history"]);
    let mut of_package = BTreeMap::new();
    for (step, name, value) in rows {
        if !name.starts_with('_') && name != "epoch" {
            let before = of_package.insert((step, name.clone()), value);
            assert_eq!(before, None, "{name} of step {step} twice");
        }
    }
    let logged = metrics(sandbox).into_iter().map(|(step, name, value)| ((step, name), value)).collect();
    assert_eq!(of_package, logged);
    let last: BTreeMap<String, f64> = metrics(sandbox).into_iter().map(|(_, name, value)| (name, value)).collect();
    for (name, value) in last {
        assert_eq!(found["wandb"]["summary"][&name].as_f64(), Some(value), "{name}");
    }
}

/// `train` as in [`LONG`] without a break.
fn whole() -> &'static Sandbox {
    static WHOLE: OnceLock<Sandbox> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let sandbox = Sandbox::with_data();
        sandbox.done(&LONG);
        sandbox
    })
}

#[test]
fn the_packages_read_what_the_metrics_log_says_and_no_bit_is_another() {
    let sandbox = Sandbox::with_data();
    let outcome = sandbox.done(&[&["train", "trainer=ci_fast", "run.dir=run"], &LOGGERS[..]].concat());
    assert!(!outcome.stderr.contains("Warning: logger"), "{}", outcome.stderr);
    assert_same_results(&trained().path("run"), &sandbox.path("run"));
    let audit = sandbox.audit(&["--replay"]);
    assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);
    let note = audit.stdout.lines().find(|line| line.contains("the trainer's own word: ")).expect("a note");
    assert!(
        note.contains("logs/tensorboard/events.out.tfevents.") && note.contains("logs/wandb/offline-run-"),
        "{note}"
    );

    let Some(python) = python() else { return };
    let found = read(&python, &sandbox);
    assert_tensorboard_equals_metrics(&found, &sandbox);
    assert_wandb_equals_metrics(&found, &sandbox);
    assert!(found["text"].as_str().expect("a text").contains("\n| trainer.seed | 123 |\n"), "{}", found["text"]);
    assert_eq!(found["plugin"], "text");
    let wandb = &found["wandb"];
    assert_eq!((wandb["state"].as_str(), wandb["exit_code"].as_i64()), (Some("finished"), Some(0)), "{wandb}");
    assert_eq!(wandb["config"]["trainer.seed"].as_i64(), Some(123), "{wandb}");
    assert_eq!(wandb["summary"]["step_root"].as_str(), Some(field(&outcome.stdout, "step root ")), "{wandb}");
    let records: BTreeSet<_> = found["records"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(records, BTreeSet::from(["config", "exit", "header", "history", "run", "summary"]));
}

#[test]
fn a_run_that_was_killed_twice_has_every_step_once() {
    let sandbox = Sandbox::with_data();
    kill_after(&sandbox, &[&LONG[..], &LOGGERS].concat(), 8);
    if let Some(python) = python() {
        let early = points(&read(&python, &sandbox)["scalars"]);
        assert!(!early.is_empty(), "what is logged can be read before the end");
    }
    kill_after(&sandbox, &["train", "--resume", "run"], 60);
    sandbox.done(&["train", "--resume", "run"]);
    assert_same_results(&whole().path("run"), &sandbox.path("run"));
    assert_eq!(sandbox.audit(&[]).code, 0);
    let Some(python) = python() else { return };
    let found = read(&python, &sandbox);
    assert_tensorboard_equals_metrics(&found, &sandbox);
    assert_wandb_equals_metrics(&found, &sandbox);
    let times: Vec<_> = found["times"].as_array().expect("times").iter().filter_map(Value::as_f64).collect();
    assert!(times.iter().all(|time| *time > 1.7e9), "calendar times: {times:?}");
}

#[test]
fn a_logger_that_cannot_write_is_one_warning_and_the_run_goes_on() {
    let sandbox = Sandbox::with_data();
    kill_after(&sandbox, &[&LONG[..], &LOGGERS].concat(), 8);
    let folder = sandbox.path("run/logs/wandb");
    std::fs::remove_dir_all(&folder).expect("removed");
    std::fs::write(&folder, "").expect("a file in the place of the folder");
    let outcome = sandbox.done(&["train", "--resume", "run"]);
    let warnings: Vec<_> = outcome.stderr.lines().filter(|line| line.starts_with("Warning: logger.")).collect();
    assert_eq!(warnings.len(), 1, "{}", outcome.stderr);
    assert!(warnings[0].starts_with("Warning: logger.wandb: run/logs/wandb: "), "{}", warnings[0]);
    assert!(warnings[0].ends_with("; the run goes on without this logger"), "{}", warnings[0]);
    assert_same_results(&whole().path("run"), &sandbox.path("run"));
    let Some(python) = python() else { return };
    assert_tensorboard_equals_metrics(&read(&python, &sandbox), &sandbox);
}
