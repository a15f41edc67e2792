//! The same bits, whatever the folder, the threads and the interruptions.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::sandbox::{Outcome, Sandbox, field, trained};

pub fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const RESULTS: [&str; 4] = ["steps.jsonl", "steps.leaves", "checkpoints/final.safetensors", "predictions.csv"];

pub fn assert_same_results(left: &Path, right: &Path) {
    for name in RESULTS {
        assert!(bytes(left.join(name)) == bytes(right.join(name)), "{name} differs");
    }
}

#[test]
fn a_first_run_simulates_calibrates_trains_and_signs() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.done(&["train", "trainer=ci_fast"]);
    assert!(outcome.stderr.contains("simulating into data/sim_tiny"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("calibrating into"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("made a signing key for you"), "{}", outcome.stderr);
    let run = sandbox.path(field(&outcome.stdout, "run "));
    assert!(run.starts_with(sandbox.path("runs/ariel")), "{}", run.display());
    for name in [
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "logs/events.jsonl",
        "logs/metrics.csv",
        "v50_debug_log.md",
        "steps.jsonl",
        "provenance.json",
        "manifest.intoto.jsonl",
        "checkpoints/final.safetensors",
    ] {
        assert!(run.join(name).is_file(), "{name} is missing");
    }
    assert_eq!(std::fs::read_dir(run.join("checkpoints")).expect("list").count(), 1, "ci_fast writes no others");
    assert!(field(&outcome.stdout, "verify ").contains("spectramind-verify"), "{}", outcome.stdout);
    let score: f64 = field(&outcome.stdout, "score ").split(' ').next().expect("a word").parse().expect("a number");
    assert!(score > 0.0 && score < 1.0, "a model that starts from measured depths beats the mean: {score}");
}

#[test]
fn runs_in_other_folders_and_with_other_numbers_of_threads_have_the_same_bits() {
    let reference = trained().path("run");
    for threads in ["1", "2", "5", "16"] {
        let sandbox = Sandbox::new();
        let mut command = sandbox.spectramind(&["train", "trainer=ci_fast", "run.dir=elsewhere/run"]);
        let outcome = Outcome::of(command.env("RAYON_NUM_THREADS", threads));
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_same_results(&reference, &sandbox.path("elsewhere/run"));
    }
}

#[test]
fn loader_threads_and_logs_change_no_bit() {
    let sandbox = Sandbox::with_data();
    let overrides = ["trainer.dataloader.workers=3", "trainer.dataloader.prefetch=2", "logger=none"];
    sandbox.done(&[&["train", "trainer=ci_fast", "run.dir=run"], &overrides[..]].concat());
    assert_same_results(&trained().path("run"), &sandbox.path("run"));
    assert!(!sandbox.path("run/v50_debug_log.md").exists());
}

#[test]
fn another_seed_gives_other_bits() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "trainer.seed=124"]);
    assert_ne!(bytes(trained().path("run/steps.jsonl")), bytes(sandbox.path("run/steps.jsonl")));
}

/// Long enough to be killed in the middle, with checkpoints on the way.
const LONG: [&str; 6] = [
    "train",
    "trainer=ci_fast",
    "run.dir=run",
    "trainer.max_epochs=20",
    "trainer.checkpoint.every_n_steps=3",
    "trainer.checkpoint.save_top_k=2",
];

pub fn steps_written(run: &Path) -> usize {
    std::fs::read(run.join("steps.jsonl")).map_or(0, |log| log.iter().filter(|&&byte| byte == b'\n').count())
}

pub fn kill_after(sandbox: &Sandbox, arguments: &[&str], steps: usize) {
    let mut child = sandbox.spectramind(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    let begin = Instant::now();
    while steps_written(&sandbox.path("run")) < steps {
        assert!(begin.elapsed() < Duration::from_secs(300), "no {steps} steps in time");
        assert!(child.try_wait().expect("wait").is_none(), "the run ended before it could be killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    // SIGKILL: no chance to clean up.
    child.kill().expect("kill");
    child.wait().expect("wait");
}

#[test]
fn a_run_killed_twice_and_resumed_ends_with_the_same_bits() {
    let whole = Sandbox::with_data();
    whole.done(&LONG);
    let killed = Sandbox::with_data();
    kill_after(&killed, &LONG, 8);
    assert!(!killed.path("run/manifest.intoto.jsonl").exists(), "nothing unfinished is signed");
    kill_after(&killed, &["train", "--resume", "run"], 80);
    let outcome = killed.done(&["train", "--resume", "run"]);
    assert!(outcome.stderr.contains("going on after step"), "{}", outcome.stderr);
    assert_same_results(&whole.path("run"), &killed.path("run"));
    assert_eq!(bytes(whole.path("run/logs/metrics.csv")), bytes(killed.path("run/logs/metrics.csv")));
    assert_eq!(killed.audit(&[]).code, 0);

    let again = killed.run(&["train", "--resume", "run"]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("complete and signed"), "{}", again.stderr);
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_again_with_the_same_bits() {
    let arguments = ["train", "trainer=ci_fast", "run.dir=run", "trainer.max_epochs=20"];
    let whole = Sandbox::with_data();
    whole.done(&arguments);
    let killed = Sandbox::with_data();
    kill_after(&killed, &arguments, 2);
    killed.done(&["train", "--resume", "run"]);
    assert_same_results(&whole.path("run"), &killed.path("run"));
}

#[test]
fn a_run_whose_files_somebody_else_changed_is_not_signed() {
    // One that was written whole when the run began, and one that is appended to.
    for (name, change) in [("provenance/sim_tiny.jsonl", "{}\n"), ("steps.jsonl", "{\"step\":1}\n")] {
        let sandbox = Sandbox::with_data();
        let mut child =
            sandbox.spectramind(&LONG).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        let begin = Instant::now();
        while steps_written(&sandbox.path("run")) < 2 {
            assert!(begin.elapsed() < Duration::from_secs(300), "no steps in time");
            assert!(child.try_wait().expect("wait").is_none(), "the run ended before it could be disturbed");
            std::thread::sleep(Duration::from_millis(1));
        }
        let path = sandbox.path("run").join(name);
        let mut file = std::fs::File::options().append(true).open(&path).expect("open");
        file.write_all(change.as_bytes()).expect("write");
        let output = child.wait_with_output().expect("ends");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.contains("the run is not signed") && stderr.contains(name), "{name}: {stderr}");
        assert!(!sandbox.path("run/manifest.intoto.jsonl").exists(), "{name}");
    }
}

#[test]
fn resuming_under_another_config_is_refused() {
    let sandbox = Sandbox::with_data();
    kill_after(&sandbox, &LONG, 4);
    let path = sandbox.path("configs/optimizer/adamw.yaml");
    let text = String::from_utf8(bytes(&path)).expect("UTF-8").replace("lr: 0.001", "lr: 0.002");
    std::fs::write(&path, text).expect("write");
    let outcome = sandbox.run(&["train", "--resume", "run"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("composed config"), "{}", outcome.stderr);
}

#[test]
fn at_its_time_limit_a_run_stops_says_so_and_can_go_on() {
    let sandbox = Sandbox::with_data();
    let outcome = sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "trainer.max_time=0"]);
    assert!(field(&outcome.stdout, "exit ").contains("max_time, 1 steps"), "{}", outcome.stdout);
    let shown = sandbox.done(&["runs", "show", "run"]).stdout;
    assert!(shown.contains(r#""reason": "maxTime""#), "{shown}");
    assert_eq!(sandbox.audit(&["--replay"]).code, 0);
    sandbox.done(&["train", "--resume", "run"]);
    assert_eq!(steps_written(&sandbox.path("run")), 2, "the limit is judged again");
}

#[test]
fn early_stopping_and_kept_checkpoints_follow_the_monitored_score() {
    let sandbox = Sandbox::with_data();
    let stopping = "trainer.early_stopping={monitor: val/score, mode: max, patience: 2}";
    let outcome = sandbox.done(&[
        "train",
        "trainer=ci_fast",
        "run.dir=run",
        "trainer.max_epochs=30",
        "optimizer.lr=1.0e-12",
        "trainer.checkpoint.every_n_epochs=1",
        "trainer.checkpoint.save_top_k=1",
        stopping,
    ]);
    let exit = field(&outcome.stdout, "exit ");
    assert!(exit.contains("stopped early"), "a score that stays as it is stops a run that wants it to rise: {exit}");
    let refused = sandbox.run(&["train", "--resume", "run"]);
    assert!(refused.stderr.contains("complete and signed"), "{}", refused.stderr);
    let names: Vec<_> = std::fs::read_dir(sandbox.path("run/checkpoints"))
        .expect("list")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.starts_with("step-"))
        .collect();
    assert_eq!(names.len(), 2, "the best one and the newest: {names:?}");
    let steps = bytes(sandbox.path("run/steps.jsonl"));
    assert_eq!(sandbox.audit(&["--replay"]).code, 0);

    // Killed after its last validation and before it was signed, it does not train on.
    for name in ["manifest.intoto.jsonl", "checkpoints/final.safetensors", "predictions.csv", "steps.leaves"] {
        std::fs::remove_file(sandbox.path("run").join(name)).expect("remove");
    }
    sandbox.done(&["train", "--resume", "run"]);
    assert_eq!(bytes(sandbox.path("run/steps.jsonl")), steps);
    assert_eq!(sandbox.audit(&["--replay"]).code, 0);
}

#[test]
fn what_a_killed_process_left_of_a_file_is_not_signed() {
    let sandbox = Sandbox::with_data();
    kill_after(&sandbox, &LONG, 8);
    for folder in ["run", "run/checkpoints"] {
        std::fs::write(sandbox.path(folder).join(".partial-x1"), "half").expect("write");
    }
    sandbox.done(&["train", "--resume", "run"]);
    assert!(!sandbox.path("run/.partial-x1").exists() && !sandbox.path("run/checkpoints/.partial-x1").exists());
    assert_eq!(sandbox.verify(&["manifest", "run"]).code, 0);
}

#[test]
fn a_key_that_cannot_work_is_refused_before_any_work() {
    let sandbox = Sandbox::new();
    let stopping = |monitor: &str| format!("trainer.early_stopping={{monitor: {monitor}, mode: max, patience: 1}}");
    for (overrides, said) in [
        (vec![stopping("score")], "trainer.early_stopping.monitor"),
        (vec!["trainer.checkpoint.monitor=test/score".into()], "trainer.checkpoint.monitor"),
        (vec![stopping("val/rmse_ppm")], "trainer.early_stopping.mode: expected min"),
        (vec![stopping("val/score"), "data.val_fraction=0.0".into()], "data.val_fraction"),
        (vec!["trainer.max_time=20:00".into()], "HH:MM:SS"),
        (vec!["trainer.limit_val_batches=1.5".into()], "a share of them above 0.0 and at most 1.0"),
        (vec!["trainer.val_check_interval=0".into()], "trainer.val_check_interval"),
        (vec!["trainer.checkpoint.save_top_k=-2".into()], "from -1 to 10000"),
        (vec!["trainer.accelerator=gpu".into()], "cuda and wgpu"),
        (vec!["experiment=a/b".into()], "the name of a folder"),
    ] {
        let arguments: Vec<&str> =
            ["train", "trainer=ci_fast"].into_iter().chain(overrides.iter().map(String::as_str)).collect();
        let outcome = sandbox.run(&arguments);
        assert_eq!(outcome.code, 2, "{overrides:?}\n{}", outcome.stderr);
        assert!(outcome.stderr.contains(said), "{overrides:?}\n{}", outcome.stderr);
    }
    std::fs::create_dir(sandbox.path("taken")).expect("create");
    std::fs::write(sandbox.path("taken/mine"), "").expect("write");
    let outcome = sandbox.run(&["train", "trainer=ci_fast", "run.dir=taken"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("already holds something"), "{}", outcome.stderr);
    assert!(!sandbox.path("runs").exists() && !sandbox.path("data").exists(), "refused before anything is done");
}

#[test]
fn tables_and_rows_that_are_missing_are_named_before_calibrating() {
    let arguments = ["train", "trainer=ci_fast", "run.dir=run"];
    for (table, last_row) in [("train_star_info.csv", true), ("train.csv", true), ("axis_info.parquet", false)] {
        let sandbox = Sandbox::with_data();
        std::fs::remove_dir_all(sandbox.path("data/sim_tiny-calibrated")).ok();
        let calibrated = ["calib.out=again"];
        let path = sandbox.path("data/sim_tiny").join(table);
        if last_row {
            let text = String::from_utf8(bytes(&path)).expect("UTF-8");
            let shorter = text.trim_end().rsplit_once('\n').expect("rows").0.to_owned() + "\n";
            std::fs::write(&path, shorter).expect("write");
        } else {
            std::fs::remove_file(&path).expect("remove");
        }
        let outcome = sandbox.run(&[&arguments[..], &calibrated].concat());
        assert_eq!(outcome.code, 1, "{table}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(table), "{}", outcome.stderr);
        assert!(!last_row || outcome.stderr.contains("expected a row for planet"), "{}", outcome.stderr);
        assert!(
            !sandbox.path("again").exists() && !sandbox.path("run").exists(),
            "{table}: refused before calibrating"
        );
    }
}

#[test]
fn predicting_from_other_light_curves_than_the_checkpoint_learned_from_is_refused() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    let flat = ["calib.steps.flat=false", "calib.out=no-flat/train"];
    sandbox.done(&[&["train", "trainer=ci_fast", "run.dir=other"], &flat[..]].concat());
    let refused = sandbox.run(&["predict", "checkpoint=[run,other]", "calib.out=new", "out=x.csv"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let expected = "expected a model that was trained with calib.steps.flat=true, got one that was trained with false";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    assert!(!sandbox.path("new").exists() && !sandbox.path("x.csv").exists());
    // How light curves are made is not asked for: the checkpoint says it.
    sandbox.done(&["predict", "checkpoint=other", "calib.out=new", "out=x.csv"]);
    let refused = sandbox.run(&["predict", "checkpoint=run", "calib.out=new", "out=y.csv"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("calib.out=ANOTHER_DIR"), "{}", refused.stderr);
    assert_eq!(sandbox.run(&["predict", "checkpoint=run", "calib.airs_bin=2"]).code, 2);
}

#[test]
fn without_early_stopping_the_best_checkpoint_is_the_one_with_the_best_unclipped_score() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&[
        "train",
        "trainer=ci_fast",
        "run.dir=run",
        "trainer.max_epochs=6",
        "optimizer.lr=0.05",
        "trainer.checkpoint.every_n_steps=3",
        "trainer.checkpoint.save_top_k=1",
    ]);
    let metrics = String::from_utf8(bytes(sandbox.path("run/logs/metrics.csv"))).expect("UTF-8");
    let scores = metrics.lines().filter(|line| line.contains(",val/score_unclipped,"));
    let scores = scores.map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[0].parse::<u64>().expect("a step"), fields[3].parse::<f64>().expect("a score"))
    });
    let best = scores.fold(None, |best: Option<(u64, f64)>, new| match best {
        Some(best) if best.1 >= new.1 => Some(best),
        _ => Some(new),
    });
    let (step, score) = best.expect("validations");
    let path = sandbox.path("run/checkpoints/best.safetensors");
    let progress = spectramind::engine::snapshot::Snapshot::read(&path).expect("reads").progress;
    assert_eq!(progress.position.step, step);
    assert_eq!(progress.monitored_bits, Some(format!("{:016x}", score.to_bits())));
    assert_eq!(sandbox.audit(&["--replay"]).code, 0);
}
