//! `spectramind exec`: programs of the user's own, signed, audited and run again; and each way in which one can end badly.

use std::path::PathBuf;
use std::process::Command;

use crate::sandbox::{Outcome, Sandbox, field, present, repository};

/// A Python with numpy and PyYAML: `SPECTRAMIND_PYTHON`, or `python3`.
fn python(modules: &str) -> Option<String> {
    let python = PathBuf::from(std::env::var_os("SPECTRAMIND_PYTHON").unwrap_or_else(|| "python3".into()));
    let works = Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    let works = works.is_ok_and(|output| output.status.success());
    let what = format!("a Python with {modules} (SPECTRAMIND_PYTHON)");
    present("python-third-party", works, &what).then(|| python.display().to_string())
}

const CONFIG: &str = "\
defaults: [model: small, _self_]
seed: 7
data: data/points.csv
command:
  inputs: {points: '${data}'}
  outputs: ['*.npz', '*.csv', metrics.json]
  wall_seconds: 300
";

/// A repository with a config of the user's own, a training program, and data that git ignores.
fn project(program: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("configs/model")).expect("mkdir");
    std::fs::create_dir_all(sandbox.path("data")).expect("mkdir");
    let (mut points, mut state) = ("a,b,label\n".to_owned(), 1_u64);
    for _ in 0..64 {
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / f64::from(1 << 24) - 0.5
        };
        let (a, b) = (draw(), draw());
        points += &format!("{a},{b},{}\n", u8::from(a + 0.3 * b > 0.0));
    }
    let program = match program.ends_with(".py") {
        true => std::fs::read_to_string(repository().join("tests/python").join(program)).expect("read"),
        false => program.to_owned(),
    };
    for (path, text) in [
        ("configs/exec.yaml", CONFIG),
        ("configs/model/small.yaml", "epochs: 5\nrate: 0.5\n"),
        ("train.py", &program),
        ("data/points.csv", &points),
    ] {
        std::fs::write(sandbox.path(path), text).expect("write");
    }
    commit(&sandbox);
    sandbox
}

fn commit(sandbox: &Sandbox) {
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message=project"]);
}

/// The words of a training.
fn training(python: &str) -> [&str; 7] {
    ["--", python, "train.py", "--config", "{config}", "--out", "{run}"]
}

fn again(sandbox: &Sandbox) -> Outcome {
    sandbox.audit(&["--replay", "--run-command"])
}

fn assert_passed(outcome: &Outcome) {
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
}

/// Signs a training and has it run again.
fn assert_runs_again(python: &str, program: &str) {
    let sandbox = project(program);
    let run = sandbox.done(&[&["exec", "hydra.run.dir=run"], &training(python)[..]].concat());
    assert!(field(&run.stdout, "outputs").starts_with(|c: char| ('2'..='3').contains(&c)), "{}", run.stdout);
    assert!(field(&run.stdout, "metrics").contains("loss"), "{}", run.stdout);
    assert_passed(&sandbox.audit(&[]));

    let unasked = sandbox.audit(&["--replay"]);
    assert_eq!(unasked.code, 3, "{}{}", unasked.stdout, unasked.stderr);
    assert!(
        unasked.stdout.contains("not checked  replay") && unasked.stdout.contains("--run-command"),
        "{}",
        unasked.stdout
    );

    let again = again(&sandbox);
    assert_passed(&again);
    for said in [
        "outputs are bit for bit the signed ones",
        "metrics are those of the record",
        "the trainer's code",
        "no step log",
    ] {
        assert!(again.stdout.contains(said), "{said:?}\n{}", again.stdout);
    }
}

#[test]
fn a_numpy_training_is_signed_audited_and_run_again() {
    let Some(python) = python("numpy, yaml") else { return };
    assert_runs_again(&python, "train_numpy.py");
}

#[test]
#[ignore = "needs PyTorch: the weekly job runs it"]
fn a_pytorch_training_is_signed_audited_and_run_again() {
    let Some(python) = python("torch, yaml, numpy") else { panic!("no PyTorch") };
    assert_runs_again(&python, "train_torch.py");
}

#[test]
fn a_training_without_its_seed_does_not_come_out_again_and_the_first_element_is_named() {
    let Some(python) = python("numpy, yaml") else { return };
    let program = std::fs::read_to_string(repository().join("tests/python/train_numpy.py")).expect("read");
    let sandbox = project(&program.replace("default_rng(config[\"seed\"])", "default_rng()"));
    for (outputs, first) in [
        ("command.outputs=null", "history.csv: row 1, column loss: expected "),
        ("command.outputs=[weights.npz]", "weights.npz: member \"weights.npy\": array (<f8), element [0]: expected "),
    ] {
        let _ = std::fs::remove_dir_all(sandbox.path("run"));
        sandbox.done(&[&["exec", "hydra.run.dir=run", outputs], &training(&python)[..]].concat());
        assert_passed(&sandbox.audit(&[]));
        let outcome = again(&sandbox);
        assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
        assert!(outcome.stdout.contains("FAILED       replay"), "{}", outcome.stdout);
        assert!(outcome.stdout.contains(first), "{first:?}\n{}", outcome.stdout);
    }
}

#[test]
fn every_file_of_a_run_is_there_and_what_nothing_checks_is_named() {
    let sandbox = project("");
    let script = "echo out; echo err >&2; echo 1 > $SPECTRAMIND_RUN_DIR/a.csv; echo 2 > {run}/undeclared; cat {config} > {run}/b.csv";
    let run = sandbox.done(&["exec", "hydra.run.dir=run", "seed=8", "--", "sh", "-c", script]);
    assert!(run.stderr.contains("out\n") && run.stderr.contains("err\n"), "{}", run.stderr);
    let read = |name: &str| std::fs::read_to_string(sandbox.path("run").join(name)).expect("read");
    assert_eq!((read("logs/stdout.txt"), read("logs/stderr.txt")), ("out\n".into(), "err\n".into()));
    assert_eq!(read(".hydra/overrides.yaml"), "- seed=8\n");
    assert!(read(".hydra/config.yaml").contains("points: ${data}"));
    assert!(read("config.yaml").contains("points: data/points.csv") && read("b.csv") == read("config.yaml"));
    let json: serde_json::Value = serde_json::from_str(&read("config.json")).expect("JSON");
    assert_eq!((&json["seed"], &json["model"]["epochs"]), (&8.into(), &5.into()));
    let audit = again(&sandbox);
    assert_passed(&audit);
    let unchecked = audit.stdout.lines().find(|line| line.contains("the trainer's own word: ")).expect("a note");
    for name in ["logs/stdout.txt", "logs/stderr.txt", "logs/end.json", "undeclared"] {
        assert!(unchecked.contains(name), "{name}: {unchecked}");
    }
    let list = sandbox.done(&["runs", "list", "."]);
    assert!(list.stdout.contains("2 outputs"), "{}", list.stdout);
    // Both configs that it was given are compared with the composed one.
    for name in ["config.yaml", "config.json"] {
        let path = sandbox.path("run").join(name);
        let text = std::fs::read_to_string(&path).expect("read");
        std::fs::write(&path, text.replace('8', "9")).expect("write");
        let audit = sandbox.audit(&[]);
        assert!(audit.code == 1 && audit.stdout.contains(&format!("{name}: expected")), "{}", audit.stdout);
        std::fs::write(&path, text).expect("write");
    }
}

/// Whether a process with these words is there.
fn is_running(words: &str) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim() == words)
}

#[test]
fn each_bad_end_of_a_command_is_clear_and_nothing_is_signed() {
    let sandbox = project("");
    let cases: [(&str, &[&str], &str); 13] = [
        ("exit 3", &[], "the command exited with 3: expected 0"),
        ("kill -9 $$", &[], "the command was ended by signal 9"),
        ("echo x > outside.txt", &[], "the command exited with 2"),
        ("sleep 98765.4321 > /dev/null 2>&1 &", &[], "left 1 of its processes running"),
        (
            "setsid sleep 98765.4322 > /dev/null 2>&1 & exec sleep 98765.4323",
            &["command.wall_seconds=1"],
            "more than command.wall_seconds=1",
        ),
        ("yes", &["+command.output_bytes=100000"], "printed more than command.output_bytes=100000"),
        ("yes > {run}/big", &["+command.directory_bytes=100000"], "more than command.directory_bytes=100000"),
        ("echo x >> data/points.csv", &["+command.writes=[data]"], "data set points changed while the run used it"),
        ("echo x >> train.py", &["+command.writes=[train.py]"], "the sources changed while the command ran: train.py"),
        ("echo x >> {config}", &[], "was there before the command ran"),
        (
            "ln -s /etc/passwd {run}/link.csv",
            &[],
            "expected regular files and folders in the run directory, got a symbolic link",
        ),
        ("echo x > {run}/manifest.intoto.jsonl", &[], "manifest.intoto.jsonl: the command made a file of this name"),
        ("true", &[], "command.outputs: expected at least one file"),
    ];
    for (number, (script, overrides, said)) in cases.into_iter().enumerate() {
        let points = std::fs::read(sandbox.path("data/points.csv")).expect("read");
        let directory = format!("hydra.run.dir=run{number}");
        let outcome = sandbox.run(&[&["exec", &directory], overrides, &["--", "sh", "-c", script]].concat());
        if script.contains("outside") && outcome.stderr.contains("nothing keeps the command from writing") {
            continue;
        }
        assert_eq!(outcome.code, 1, "{script}\n{}{}", outcome.stdout, outcome.stderr);
        assert!(outcome.stderr.contains(said), "{script}\n{}", outcome.stderr);
        assert!(outcome.stderr.contains("Hint: ") || said.contains("data set"), "{script}\n{}", outcome.stderr);
        let run = sandbox.path(format!("run{number}"));
        assert!(run.join("logs/stdout.txt").is_file(), "{script}: the run directory stays");
        assert!(
            said.contains("made a file") || !run.join("manifest.intoto.jsonl").exists(),
            "{script}: nothing is signed"
        );
        std::fs::write(sandbox.path("data/points.csv"), points).expect("write");
        sandbox.git(&["checkout", "--quiet", "."]);
    }
    assert!(!sandbox.path("outside.txt").exists() || !sandbox.path("run2").exists());
    for left in ["sleep 98765.4321", "sleep 98765.4322", "sleep 98765.4323"] {
        assert!(!is_running(left), "{left} is still there");
    }
    let words = sandbox.run(&["exec"]);
    assert!(words.code == 2 && words.stderr.contains("after --"), "{}", words.stderr);
    let missing = sandbox.run(&["exec", "--", "no-such-program"]);
    assert!(missing.code == 1 && missing.stderr.contains("no-such-program"), "{}", missing.stderr);
    let setting = sandbox.run(&["exec", "command.wall_seconds=0", "--", "true"]);
    assert!(setting.code == 2 && setting.stderr.contains("command.wall_seconds"), "{}", setting.stderr);
}

#[test]
fn a_multirun_of_commands_leaves_what_hydra_leaves_and_goes_on() {
    let sandbox = project("");
    // The second job fails for as long as there is no such file.
    let script =
        "if grep -q '^seed: 2$' {config} && ! test -e data/ready; then exit 9; fi; grep seed {config} > {run}/seed.csv";
    let outcome = sandbox.run(&["exec", "-m", "seed=1,2,3", "hydra.sweep.dir=sweep", "--", "sh", "-c", script]);
    assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stderr.contains("Error: 1 of 3 jobs"), "{}", outcome.stderr);
    let read = |path: &str| std::fs::read_to_string(sandbox.path("sweep").join(path)).expect("read");
    assert!(read("multirun.yaml").contains("seed: 7"));
    for (job, is_signed) in [(0, true), (1, false), (2, true)] {
        assert_eq!(read(&format!("{job}/.hydra/overrides.yaml")), format!("- seed={}\n", job + 1));
        assert!(read(&format!("{job}/.hydra/hydra.yaml")).contains(&format!("    num: {job}\n")));
        assert!(read(&format!("{job}/.hydra/config.yaml")).contains(&format!("seed: {}", job + 1)));
        assert_eq!(sandbox.path(format!("sweep/{job}/manifest.intoto.jsonl")).exists(), is_signed, "job {job}");
    }
    std::fs::write(sandbox.path("data/ready"), "").expect("write");
    let other = sandbox.run(&["exec", "--resume", "sweep", "--", "true"]);
    assert!(other.code == 2 && other.stderr.contains("got another"), "{}", other.stderr);
    let resumed = sandbox.done(&["exec", "--resume", "sweep"]);
    assert!(resumed.stderr.contains("Launching 1 jobs"), "{}", resumed.stderr);
    for job in 0..3 {
        assert_eq!(read(&format!("{job}/seed.csv")), format!("seed: {}\n", job + 1));
        let run = format!("sweep/{job}");
        let audit = sandbox.verify(&["audit", &run, "--program", "installed", "--replay", "--run-command"]);
        // The second job ran with a file that no input names, which a replay does not have.
        assert_eq!(audit.code, if job == 1 { 3 } else { 0 }, "job {job}\n{}{}", audit.stdout, audit.stderr);
    }
    assert!(sandbox.done(&["exec", "--resume", "sweep"]).stderr.contains("Launching 0 jobs"));
}

#[test]
fn a_single_run_that_did_not_end_well_is_run_anew_in_its_directory() {
    let sandbox = project("");
    let script = "test -e data/ready && echo 1 > {run}/a.csv";
    assert_eq!(sandbox.run(&["exec", "seed=3", "hydra.run.dir=run", "--", "sh", "-c", script]).code, 1);
    let taken = sandbox.run(&["exec", "hydra.run.dir=run", "--", "true"]);
    assert!(taken.code == 1 && taken.stderr.contains("--resume"), "{}", taken.stderr);
    std::fs::write(sandbox.path("data/ready"), "").expect("write");
    sandbox.done(&["exec", "--resume", "run"]);
    assert!(sandbox.path("run.unfinished/logs/end.json").is_file());
    assert_eq!(std::fs::read_to_string(sandbox.path("run/.hydra/overrides.yaml")).expect("read"), "- seed=3\n");
    assert_passed(&sandbox.audit(&[]));
    let complete = sandbox.run(&["exec", "--resume", "run"]);
    assert!(complete.code == 1 && complete.stderr.contains("complete and signed"), "{}", complete.stderr);
}

#[test]
fn a_tree_of_the_users_own_is_composed_wherever_it_is_and_whatever_keys_it_has() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("conf/db")).expect("mkdir");
    std::fs::write(sandbox.path("conf/config.yaml"), "defaults: [db: a]\nrun: {dir: elsewhere}\nworkload: 7\n")
        .expect("write");
    std::fs::write(sandbox.path("conf/db/a.yaml"), "host: here\n").expect("write");
    commit(&sandbox);
    let run =
        sandbox.done(&["exec", "-cp", "conf", "-cn", "config", "db.host=x", "--", "cp", "{config}", "{run}/out", "-f"]);
    let root = field(&run.stdout, "run").to_owned();
    assert!(root.starts_with("runs/command/"), "{}", run.stdout);
    assert!(field(&run.stdout, "verify").contains("--configs conf"), "{}", run.stdout);
    let arguments = ["audit", &root, "--program", "installed", "--configs", "conf", "--replay", "--run-command"];
    assert_passed(&sandbox.verify(&arguments));
}

#[test]
fn a_replay_has_the_recorded_sources_uncommitted_changes_among_them_and_no_others() {
    let sandbox = project("print(1)");
    let script = "cp train.py {run}/a.csv";
    let exec =
        |more: &[&str]| sandbox.done(&[&["exec", "hydra.run.dir=run"], more, &["--", "sh", "-c", script]].concat());
    std::fs::write(sandbox.path("train.py"), "print(2)").expect("write");
    exec(&[]);
    assert_passed(&again(&sandbox));
    // Without the changes the run's sources are nowhere.
    sandbox.git(&["checkout", "--quiet", "."]);
    let outcome = again(&sandbox);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("the work tree does not have the same ones"), "{}", outcome.stdout);

    // Of a clean run the commit is enough.
    std::fs::remove_dir_all(sandbox.path("run")).expect("remove");
    exec(&[]);
    std::fs::write(sandbox.path("train.py"), "print(3)").expect("write");
    let outcome = again(&sandbox);
    assert!(outcome.stdout.contains("passed       replay"), "{}", outcome.stdout);

    // A file that is in no commit is not there again.
    std::fs::remove_dir_all(sandbox.path("run")).expect("remove");
    std::fs::write(sandbox.path("new.sh"), "echo 1 > $SPECTRAMIND_RUN_DIR/a.csv").expect("write");
    sandbox.git(&["checkout", "--quiet", "."]);
    let run = sandbox.done(&["exec", "hydra.run.dir=run", "--", "sh", "new.sh"]);
    assert!(run.stderr.contains("Warning: new.sh is in no commit"), "{}", run.stderr);
    let outcome = again(&sandbox);
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("new.sh, which the recorded commit does not hold"), "{}", outcome.stdout);
}

#[test]
fn an_input_that_is_not_the_signed_one_is_neither_passed_nor_used() {
    let sandbox = project("");
    let script = "cp data/points.csv {run}/a.csv";
    sandbox.done(&["exec", "hydra.run.dir=run", "--", "sh", "-c", script]);
    assert_passed(&again(&sandbox));
    let points = sandbox.path("data/points.csv");
    std::fs::rename(&points, sandbox.path("points.csv")).expect("move");
    let outcome = again(&sandbox);
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    let named = sandbox.audit(&["--replay", "--run-command", "--data", "points=points.csv"]);
    assert_passed(&named);
    std::fs::write(&points, "changed\n").expect("write");
    let outcome = again(&sandbox);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(
        outcome.stdout.contains("FAILED       data") && outcome.stdout.contains("not checked  replay"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn an_output_that_was_signed_and_is_not_made_again_or_made_besides_is_named() {
    let sandbox = project("");
    for (script, said) in [
        (
            "echo 1 > {run}/a.csv; test -e data/once && echo 1 > {run}/b.csv; true",
            "b.csv: signed, and the command, run again, makes no such file",
        ),
        (
            "echo 1 > {run}/a.csv; test -e data/once || echo 1 > {run}/b.csv",
            "b.csv: the command, run again, makes this file, and it is not signed",
        ),
    ] {
        let _ = std::fs::remove_dir_all(sandbox.path("run"));
        std::fs::write(sandbox.path("data/once"), "").expect("write");
        sandbox.done(&["exec", "hydra.run.dir=run", "--", "sh", "-c", script]);
        let outcome = again(&sandbox);
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
        assert!(outcome.stdout.contains(said), "{said}\n{}", outcome.stdout);
    }
}

#[test]
fn what_a_command_does_not_declare_is_not_among_the_checks_that_pass() {
    let sandbox = project("");
    let script = "echo 1 > {run}/a.csv";
    let bare = ["exec", "hydra.run.dir=run", "command.wall_seconds=null", "~command.inputs", "--", "sh", "-c", script];
    sandbox.done(&bare);
    let audit = again(&sandbox);
    assert_passed(&audit);
    for check in ["data", "envelope"] {
        assert!(!audit.stdout.contains(&format!("passed       {check}")), "{check}\n{}", audit.stdout);
        let alone = sandbox.verify(&[check, "run"]);
        assert_eq!(alone.code, 3, "{check}\n{}", alone.stdout);
    }
    for said in ["declares no inputs", "without limits"] {
        assert!(audit.stdout.contains(said), "{said}\n{}", audit.stdout);
    }
    // Judged by somebody's limits, it is judged.
    assert!(sandbox.audit(&["--kaggle"]).stdout.contains("envelope"));
}

#[test]
fn metrics_that_come_out_otherwise_do_not_pass_whether_their_file_is_declared_or_not() {
    let sandbox = project("");
    let script =
        "echo 1 > {run}/a.csv; test -e data/once && v=1 || v=2; echo \"{\\\"loss\\\": $v}\" > {run}/metrics.json";
    for (outputs, code, said) in [
        ("command.outputs=['*.csv',metrics.json]", 1, "metrics.json: "),
        ("command.outputs=['*.csv']", 3, "metrics.json, which is no declared output, came out otherwise"),
    ] {
        let _ = std::fs::remove_dir_all(sandbox.path("run"));
        std::fs::write(sandbox.path("data/once"), "").expect("write");
        sandbox.done(&["exec", "hydra.run.dir=run", outputs, "--", "sh", "-c", script]);
        let outcome = again(&sandbox);
        assert_eq!(outcome.code, code, "{outputs}\n{}", outcome.stdout);
        assert!(outcome.stdout.contains(said), "{said}\n{}", outcome.stdout);
    }
}
