//! Runs that a signal ends: the first one well, the second one at once.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox, field, python_with};
use crate::training::{assert_same_results, bytes, steps_written};

/// Long enough to be interrupted, with checkpoints on the way.
const LONG: [&str; 8] = [
    "train",
    "trainer=ci_fast",
    "run.dir=run",
    "trainer.max_epochs=100",
    "trainer.limit_train_batches=null",
    "trainer.early_stopping=null",
    "trainer.checkpoint.every_n_steps=7",
    "trainer.checkpoint.every_n_epochs=null",
];

/// Waits until `is_there`, or until the program ended, which it should not have.
fn wait_for(child: &mut Child, is_there: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_there() {
        assert!(begin.elapsed() < Duration::from_secs(300), "not in time");
        assert!(child.try_wait().expect("wait").is_none(), "the program ended before it was told to");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn send(child: &Child, signals: &[&str]) {
    let pid = child.id().to_string();
    let script: Vec<_> = signals.iter().map(|signal| format!("kill -{signal} {pid}")).collect();
    assert!(Command::new("sh").args(["-c", &script.join("; ")]).status().expect("a shell").success());
}

/// Starts a command, sends it signals once something is there, and waits for its end.
fn signalled(mut command: Command, signals: &[&str], is_there: impl Fn() -> bool) -> Outcome {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    wait_for(&mut child, is_there);
    send(&child, signals);
    let output = child.wait_with_output().expect("ended");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Outcome { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn training(sandbox: &Sandbox, arguments: &[&str], signals: &[&str], steps: usize) -> Outcome {
    signalled(sandbox.spectramind(arguments), signals, || steps_written(&sandbox.path("run")) >= steps)
}

fn shown(sandbox: &Sandbox) -> Value {
    serde_json::from_str(&sandbox.done(&["runs", "show", "run"]).stdout).expect("JSON")
}

/// The end is not checked, as somebody chose it; all else passes.
fn assert_replays(sandbox: &Sandbox) {
    let audit = sandbox.audit(&["--replay"]);
    assert_eq!(audit.code, 3, "{}", audit.stdout);
    assert!(audit.stdout.contains("passed       replay"), "{}", audit.stdout);
    assert!(
        audit.stdout.contains("not checked  end") && audit.stdout.contains("somebody chose this end"),
        "{}",
        audit.stdout
    );
    assert_eq!(audit.stdout.matches("not checked  ").count(), 1, "{}", audit.stdout);
}

#[test]
fn an_interrupted_run_is_signed_replays_to_its_step_and_goes_on_to_the_same_bits() {
    let whole = Sandbox::with_data();
    whole.done(&LONG);
    let sandbox = Sandbox::with_data();
    for (number, signal) in ["INT", "TERM"].into_iter().enumerate() {
        let resumed = ["train", "--resume", "run"];
        let arguments: &[&str] = if number == 0 { &LONG } else { &resumed };
        let interrupted = training(&sandbox, arguments, &[signal], 10 + 40 * number);
        assert_eq!(interrupted.code, [130, 143][number], "{}{}", interrupted.stdout, interrupted.stderr);
        let exit = field(&interrupted.stdout, "exit ");
        assert!(exit.starts_with("interrupted, ") && exit.ends_with("steps; go on with --resume"), "{exit}");
        assert_eq!(field(&interrupted.stdout, "resume "), "spectramind train --resume run");
        let steps = steps_written(&sandbox.path("run"));
        assert!(exit.contains(&format!(" {steps} steps")), "{exit}: {steps}");
        assert_eq!(shown(&sandbox)["exit"]["reason"], "interrupted");
        assert_replays(&sandbox);
    }
    let outcome = sandbox.done(&["train", "--resume", "run"]);
    assert!(outcome.stderr.contains("going on after step"), "{}", outcome.stderr);
    assert_same_results(&whole.path("run"), &sandbox.path("run"));
    assert_eq!(bytes(whole.path("run/logs/metrics.csv")), bytes(sandbox.path("run/logs/metrics.csv")));
    assert_eq!(sandbox.audit(&[]).code, 0);
}

#[test]
fn a_second_signal_ends_a_run_at_once_with_nothing_half_written() {
    let sandbox = Sandbox::with_data();
    let ended = training(&sandbox, &LONG, &["INT", "TERM"], 10);
    // Of two that wait, the kernel says which is first.
    assert!([130, 143].contains(&ended.code), "{}: {}{}", ended.code, ended.stdout, ended.stderr);
    assert_eq!(ended.stdout, "", "it had no time to sign");
    assert!(!sandbox.path("run/manifest.intoto.jsonl").exists());
    for entry in std::fs::read_dir(sandbox.path("run/checkpoints")).expect("checkpoints") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            spectramind::engine::snapshot::Snapshot::read(&path).expect("a whole checkpoint");
        }
    }
    let resumed = training(&sandbox, &["train", "--resume", "run"], &["INT"], 30);
    assert_eq!(resumed.code, 130, "{}{}", resumed.stdout, resumed.stderr);
    assert_replays(&sandbox);
}

#[test]
fn workers_end_together() {
    let sandbox = Sandbox::with_data();
    let arguments = [&LONG[..], &["trainer.devices=2"]].concat();
    let interrupted = training(&sandbox, &arguments, &["TERM"], 10);
    assert_eq!(interrupted.code, 143, "{}{}", interrupted.stdout, interrupted.stderr);
    assert!(field(&interrupted.stdout, "exit ").starts_with("interrupted, "), "{}", interrupted.stdout);
    assert_replays(&sandbox);
}

#[test]
fn a_signal_before_a_run_has_begun_ends_the_program_at_once() {
    let sandbox = Sandbox::new();
    let begin = Instant::now();
    let is_simulating = || sandbox.path("data").exists();
    let ended = signalled(sandbox.spectramind(&["train", "trainer=ci_fast", "run.dir=run"]), &["INT"], is_simulating);
    assert_eq!((ended.code, &ended.stdout[..]), (130, ""), "{}", ended.stderr);
    assert!(begin.elapsed() < Duration::from_secs(20) && !sandbox.path("run").exists());
}

#[test]
fn a_multirun_stops_with_its_interrupted_job_and_goes_on_with_it() {
    let sandbox = Sandbox::with_data();
    let arguments = [&LONG[..2], &LONG[3..], &["hydra.sweep.dir=sweep", "-m", "trainer.seed=1,2"]].concat();
    let interrupted =
        signalled(sandbox.spectramind(&arguments), &["INT"], || steps_written(&sandbox.path("sweep/0")) >= 10);
    assert_eq!(interrupted.code, 130, "{}{}", interrupted.stdout, interrupted.stderr);
    assert!(interrupted.stderr.contains("go on with --resume sweep"), "{}", interrupted.stderr);
    assert!(sandbox.path("sweep/0/manifest.intoto.jsonl").exists() && !sandbox.path("sweep/1").exists());
    let resumed = sandbox.done(&["train", "--resume", "sweep"]);
    assert_eq!(resumed.stdout.matches("exit       completed").count(), 2, "{}{}", resumed.stdout, resumed.stderr);
}

/// Counts until it is told to end, and says so.
const COUNTER: &str = r#"
import os, signal, sys, time
run = os.environ["SPECTRAMIND_RUN_DIR"]
def end(number, frame):
    open(f"{run}/ended.txt", "w").write(f"by {signal.Signals(number).name}\n")
    sys.exit(7)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
open(f"{run}/begun.txt", "w").write("begun\n")
if os.path.exists("go"):
    sys.exit(0)
time.sleep(600)
"#;

#[test]
fn a_command_gets_the_signal_and_its_record_says_interrupted() {
    let Some(python) = python_with("signal") else { return };
    let python = python.to_str().expect("UTF-8");
    let sandbox = Sandbox::new();
    for (path, text) in [("configs/exec.yaml", "seed: 1\n"), ("count.py", COUNTER), (".gitignore", "run*\ngo\n")] {
        std::fs::write(sandbox.path(path), text).expect("write");
    }
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message=project"]);
    let words = ["exec", "hydra.run.dir=run", "--", python, "count.py"];
    for (signal, name, code) in [("INT", "SIGINT", 130), ("TERM", "SIGTERM", 143)] {
        let _ = std::fs::remove_dir_all(sandbox.path("run"));
        let ended = signalled(sandbox.spectramind(&words), &[signal], || sandbox.path("run/begun.txt").exists());
        assert_eq!(ended.code, code, "{}{}", ended.stdout, ended.stderr);
        assert!(field(&ended.stdout, "exit ").starts_with("interrupted, 7, after"), "{}", ended.stdout);
        assert_eq!(std::fs::read_to_string(sandbox.path("run/ended.txt")).expect("read"), format!("by {name}\n"));
        assert_eq!(shown(&sandbox)["exit"]["reason"], "interrupted");
        assert_eq!(shown(&sandbox)["computation"]["command"]["exitCode"], 7);
        let audit = sandbox.audit(&["--replay", "--run-command"]);
        assert_eq!(audit.code, 3, "{}{}", audit.stdout, audit.stderr);
        assert!(
            audit.stdout.contains("somebody stopped the command") && !audit.stdout.contains("FAILED"),
            "{}",
            audit.stdout
        );
    }
    // Twice: at once, with nothing signed and nothing left running.
    let _ = std::fs::remove_dir_all(sandbox.path("run"));
    let ended = signalled(sandbox.spectramind(&words), &["TERM", "INT"], || sandbox.path("run/begun.txt").exists());
    assert!(
        [130, 143].contains(&ended.code) && !sandbox.path("run/manifest.intoto.jsonl").exists(),
        "{}",
        ended.stderr
    );
    std::fs::write(sandbox.path("go"), "").expect("write");
    sandbox.done(&["exec", "--resume", "run"]);
    assert_eq!(shown(&sandbox)["exit"]["reason"], "completed");
    assert!(Path::new(&sandbox.path("run.unfinished")).exists());
}
