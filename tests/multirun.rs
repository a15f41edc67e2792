//! Multiruns: which jobs run, where they write, and what becomes of one that was interrupted.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::sandbox::Sandbox;

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn every_job_is_a_signed_run_of_its_own() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "-m", "trainer=ci_fast", "trainer.seed=1,2", "hydra.sweep.dir=sweep"]);
    let root = |job: &str| {
        let audit = sandbox.verify(&["audit", &format!("sweep/{job}"), "--program", "installed"]);
        assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);
        std::fs::read(sandbox.path(format!("sweep/{job}/steps.jsonl"))).expect("read")
    };
    assert_ne!(root("0"), root("1"), "another seed gives other steps");
    assert_eq!(lines(&sandbox.path("sweep/1/.hydra/overrides.yaml")), ["- trainer=ci_fast", "- trainer.seed=2"]);
    assert!(lines(&sandbox.path("sweep/1/.hydra/hydra.yaml")).contains(&"    num: 1".to_owned()));
}

#[test]
fn a_killed_multirun_goes_on_where_it_stopped() {
    let sandbox = Sandbox::with_data();
    let sweep = ["train", "-m", "trainer=ci_fast", "trainer.seed=1,2,3", "trainer.checkpoint.every_n_steps=1"];
    sandbox.done(&[&sweep[..], &["hydra.sweep.dir=whole"]].concat());

    let arguments = [&sweep[..], &["hydra.sweep.dir=killed"]].concat();
    let mut child =
        sandbox.spectramind(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    while lines(&sandbox.path("killed/1/steps.jsonl")).len() < 3 {
        assert!(child.try_wait().expect("a child").is_none(), "the multirun ended before it could be killed");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    let finished = std::fs::metadata(sandbox.path("killed/0/manifest.intoto.jsonl")).expect("a manifest");

    let resumed = sandbox.done(&["train", "--resume", "killed"]);
    assert!(resumed.stderr.contains("Launching 2 jobs"), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("going on after step"), "{}", resumed.stderr);
    let again = std::fs::metadata(sandbox.path("killed/0/manifest.intoto.jsonl")).expect("a manifest");
    assert_eq!(finished.modified().expect("a time"), again.modified().expect("a time"), "job 0 was left alone");
    for job in 0..3 {
        let steps = |sweep: &str| std::fs::read(sandbox.path(format!("{sweep}/{job}/steps.jsonl"))).expect("read");
        assert_eq!(steps("killed"), steps("whole"), "job {job}");
        assert_eq!(sandbox.verify(&["audit", &format!("killed/{job}"), "--program", "installed"]).code, 0);
    }
    let nothing = sandbox.done(&["train", "--resume", "killed"]);
    assert!(nothing.stderr.contains("Launching 0 jobs"), "{}", nothing.stderr);
}

#[test]
fn a_job_that_fails_does_not_keep_the_others_from_running_and_is_tried_again() {
    let sandbox = Sandbox::with_data();
    let outcome = sandbox.run(&[
        "train",
        "-m",
        "trainer=ci_fast",
        "data.root=nowhere,data/sim_tiny",
        "data.simulation=null",
        "calib.out=data/sim_tiny-calibrated",
        "hydra.sweep.dir=sweep",
    ]);
    assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stderr.contains("Error: 1 of 2 jobs"), "{}", outcome.stderr);
    assert!(!sandbox.path("sweep/0/manifest.intoto.jsonl").exists());
    assert!(sandbox.path("sweep/1/manifest.intoto.jsonl").exists());
    std::fs::rename(sandbox.path("data/sim_tiny"), sandbox.path("nowhere")).expect("move");
    let resumed = sandbox.done(&["train", "--resume", "sweep"]);
    assert!(resumed.stderr.contains("Launching 1 jobs"), "{}", resumed.stderr);
    assert!(sandbox.path("sweep/0/manifest.intoto.jsonl").exists());
}

#[test]
fn a_config_can_ask_for_a_multirun_and_its_sweeps() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("configs/simulate.yaml");
    let text = std::fs::read_to_string(&path).expect("read");
    let hydra = "hydra:\n  mode: MULTIRUN\n  sweep: {dir: sweep}\n  sweeper:\n    params:\n      sim.seed: 1,2\n";
    std::fs::write(&path, text + hydra).expect("write");
    sandbox.done(&[
        "simulate",
        "sim.planets=1",
        "sim.test_planets=1",
        "sim.second_visits=0",
        "sim.out=data/${sim.seed}",
    ]);
    for seed in ["1", "2"] {
        assert!(sandbox.path(format!("data/{seed}/train.csv")).is_file(), "{seed}");
    }
    let overrides = lines(&sandbox.path("sweep/1/.hydra/overrides.yaml"));
    assert_eq!(overrides[0], "- sim.seed=2");
}

#[test]
fn zipped_keys_vary_together() {
    let sandbox = Sandbox::new();
    let jobs = |zip: &[&str]| {
        let sweep = ["simulate", "-m", "sim.seed=1,2", "sim.planets=1,2", "sim.test_planets=1", "sim.second_visits=0"];
        let rest = ["sim.out=data/${sim.seed}-${sim.planets}", "hydra.sweep.dir=sweep"];
        let outcome = sandbox.run(&[&sweep[..], zip, &rest[..]].concat());
        (outcome.code, outcome.stdout, outcome.stderr)
    };
    let (code, stdout, stderr) = jobs(&["--zip", "sim.seed,sim.planets"]);
    assert_eq!((code, stdout.as_str()), (0, "data/1-1\ndata/2-2\n"), "{stderr}");
    let (code, _, stderr) = jobs(&["--zip", "sim.seed,sim.airs_frames"]);
    assert!(code == 2 && stderr.contains("sim.airs_frames") && stderr.contains("Hint: "), "{stderr}");
    let alone = sandbox.run(&["simulate", "--zip", "sim.seed,sim.planets"]);
    assert!(alone.code == 2 && alone.stderr.contains("--multirun"), "{}", alone.stderr);
}

#[test]
fn a_multirun_is_refused_where_one_is_and_by_another_command() {
    let sandbox = Sandbox::new();
    let arguments = simulate_twice(&sandbox);
    let state = std::fs::read(sandbox.path("sweep/sweep.jsonl")).expect("read");
    let again = sandbox.run(&arguments);
    assert!(again.code == 1 && again.stderr.contains("--resume sweep"), "{}", again.stderr);
    assert_eq!(std::fs::read(sandbox.path("sweep/sweep.jsonl")).expect("read"), state);
    let other = sandbox.run(&["train", "--resume", "sweep"]);
    assert!(other.code == 1 && other.stderr.contains("spectramind simulate"), "{}", other.stderr);
    let none = sandbox.run(&["simulate", "--resume", "data"]);
    assert!(none.code == 1 && none.stderr.contains("sweep.jsonl"), "{}", none.stderr);
}

/// A small simulation, twice.
fn simulate_twice(sandbox: &Sandbox) -> Vec<&'static str> {
    let sweep = ["simulate", "-m", "sim.planets=1", "sim.test_planets=1", "sim.second_visits=0", "sim.seed=1,2"];
    let arguments = [&sweep[..], &["sim.out=data/${sim.seed}", "hydra.sweep.dir=sweep"]].concat();
    sandbox.done(&arguments);
    arguments
}

#[test]
fn jobs_that_share_a_directory_are_refused_before_any_runs() {
    let sandbox = Sandbox::new();
    for shared in ["hydra.sweep.subdir=same", "run.dir=same"] {
        let outcome = sandbox.run(&["train", "-m", "trainer.seed=1,2", "hydra.sweep.dir=sweep", shared]);
        assert_eq!(outcome.code, 2, "{shared}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("jobs 0 and 1") && outcome.stderr.contains("Hint: "), "{}", outcome.stderr);
    }
    assert!(!sandbox.path("sweep").exists() && !sandbox.path("same").exists());
}

#[test]
fn a_multirun_does_not_go_on_with_other_configs() {
    let sandbox = Sandbox::new();
    simulate_twice(&sandbox);
    let path = sandbox.path("configs/sim/tiny.yaml");
    let text = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, text.replace("visit_hours: 7.5", "visit_hours: 8.5")).expect("write");
    let outcome = sandbox.run(&["simulate", "--resume", "sweep"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("got others") && outcome.stderr.contains("Hint: "), "{}", outcome.stderr);
}

#[test]
fn a_job_whose_directory_is_gone_runs_again() {
    let sandbox = Sandbox::new();
    simulate_twice(&sandbox);
    std::fs::remove_dir_all(sandbox.path("sweep/1")).expect("remove");
    std::fs::remove_dir_all(sandbox.path("data/2")).expect("remove");
    let outcome = sandbox.done(&["simulate", "--resume", "sweep"]);
    assert!(outcome.stderr.contains("Launching 1 jobs"), "{}", outcome.stderr);
    assert!(sandbox.path("data/2/train.csv").is_file() && sandbox.path("sweep/1/.hydra").is_dir());
}

#[test]
fn one_of_two_processes_gets_the_directory_of_a_multirun() {
    let sandbox = Sandbox::new();
    let start = |out: &str| {
        let sweep = ["simulate", "-m", "sim.planets=1", "sim.test_planets=1", "sim.second_visits=0", "sim.seed=1,2"];
        let out = format!("sim.out={out}/${{sim.seed}}");
        let arguments = [&sweep[..], &[out.as_str(), "hydra.sweep.dir=sweep"]].concat();
        sandbox.spectramind(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
    };
    let children = [start("a"), start("b")];
    let mut codes = children.map(|mut child| child.wait().expect("ends").code());
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(1)]);
    assert!(sandbox.path("a").exists() != sandbox.path("b").exists());
}

#[test]
fn a_run_whose_config_names_its_job_and_its_time_passes_an_audit() {
    let sandbox = Sandbox::with_data();
    let experiment = "experiment='${hydra:job.name}-${hydra:job.num}-${now:%Y%m%dT%H%M%S}'";
    sandbox.done(&["train", "-m", "trainer=ci_fast", "trainer.seed=5", experiment, "hydra.sweep.dir=sweep"]);
    let audit = sandbox.verify(&["audit", "sweep/0", "--program", "installed"]);
    assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);
    let alone = "experiment='${hydra:job.name}-${now:%Y%m%dT%H%M%S}'";
    let outcome = sandbox.done(&["train", "trainer=ci_fast", alone, "run.dir=alone"]);
    assert!(!outcome.stderr.contains("Warning"), "{}", outcome.stderr);
    assert_eq!(sandbox.verify(&["audit", "alone", "--program", "installed"]).code, 0);
}

#[test]
fn a_config_that_no_audit_can_compose_is_warned_about() {
    let sandbox = Sandbox::with_data();
    let mut command = sandbox.spectramind(&["train", "trainer=ci_fast", "experiment=${oc.env:WHO}", "run.dir=run"]);
    let outcome = crate::sandbox::Outcome::of(command.env("WHO", "me"));
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("Warning: an audit will not compose") && outcome.stderr.contains("WHO"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_job_that_cannot_be_composed_stops_the_multirun_before_it_writes() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run(&["train", "-m", "trainer=ci_fast,ci_fasst", "hydra.sweep.dir=sweep"]);
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("ci_fasst") && !sandbox.path("sweep").exists(), "{}", outcome.stderr);
}
