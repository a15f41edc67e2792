//! Files of the run directory: contradicting, unsigned, and made to hang or exhaust whoever reads them.

use std::path::Path;
use std::process::Command;

use spectramind::manifest::predicate::CheckpointRecord;
use spectramind::manifest::strict_json::ExactF64;

use super::{assert_fails, assert_not_checked};
use crate::forgery::{claim_all, forge, forge_alone, put_digest, put_origin, put_steps, training};
use crate::sandbox::{Outcome, Sandbox, copy_tree, trained_copy};

/// Makes a named pipe.
pub fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success());
}

/// A check that has to end by itself, in little memory.
fn bounded(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    let script = "ulimit -v 6000000; exec timeout 20 \"$@\"";
    let verifier = crate::sandbox::verifier();
    let mut command = sandbox.prepare(Command::new("bash"));
    command.args(["-c", script, "bash"]).arg(verifier).args(arguments);
    Outcome::of(&mut command)
}

fn rewrite(sandbox: &Sandbox, name: &str, change: impl FnOnce(String) -> String) {
    let path = sandbox.path("run").join(name);
    let text = std::fs::read_to_string(&path).expect("read");
    let changed = change(text.clone());
    assert_ne!(text, changed, "{name} is not changed");
    std::fs::write(&path, changed).expect("write");
}

#[test]
fn a2_a_signed_file_that_contradicts_the_record_is_a_failure() {
    type Change = fn(&Sandbox);
    let changes: [(&str, Change, &str); 5] = [
        (
            "logs/metrics.csv",
            |sandbox| rewrite(sandbox, "logs/metrics.csv", |text| text.replace("test/score,", "test/score,0.99")),
            "record: FAILED: logs/metrics.csv: test/score: expected",
        ),
        (
            ".hydra/config.yaml",
            |sandbox| rewrite(sandbox, ".hydra/config.yaml", |text| text.replace("seed: 123", "seed: 42")),
            "config: FAILED: .hydra/config.yaml",
        ),
        (
            ".hydra/overrides.yaml",
            |sandbox| rewrite(sandbox, ".hydra/overrides.yaml", |_| "- trainer=kaggle_safe\n".into()),
            "config: FAILED: .hydra/overrides.yaml",
        ),
        (
            "provenance.json",
            |sandbox| rewrite(sandbox, "provenance.json", |text| text.replace("\"seed\": \"123\"", "\"seed\": \"42\"")),
            "record: FAILED: provenance.json: seed",
        ),
        (
            "steps.leaves",
            |sandbox| rewrite(sandbox, "steps.leaves", |_| "nonsense\n".into()),
            "steps: FAILED: steps.leaves",
        ),
    ];
    for (file, change, why) in changes {
        let sandbox = trained_copy();
        change(&sandbox);
        forge(&sandbox, |statement| put_digest(&sandbox, statement, file));
        assert_fails(&sandbox.audit(&[]), why);
    }
}

#[test]
fn a2_an_edited_checkpoint_with_the_true_digest_does_not_survive_a_replay() {
    let sandbox = trained_copy();
    let mut bytes = std::fs::read(sandbox.path("run/checkpoints/final.safetensors")).expect("read");
    let end = bytes.len();
    bytes[end - 4000..].fill(0);
    std::fs::write(sandbox.path("run/checkpoints/best.safetensors"), bytes).expect("write");
    forge(&sandbox, |statement| {
        put_digest(&sandbox, statement, "checkpoints/best.safetensors");
        let last = training(statement).checkpoints[0].clone();
        let file = "checkpoints/best.safetensors".to_owned();
        let file = spectramind::provenance::path::RelativePath::parse(&file).expect("a path");
        training(statement).checkpoints.push(CheckpointRecord { file, ..last });
    });
    assert_fails(&sandbox.audit(&["--replay"]), "checkpoints/best.safetensors");
}

#[test]
fn a2_a_signed_file_that_no_run_writes_is_not_checked() {
    let sandbox = trained_copy();
    std::fs::copy(sandbox.path("run/predictions.csv"), sandbox.path("run/submission.csv")).expect("copy");
    forge(&sandbox, |statement| put_digest(&sandbox, statement, "submission.csv"));
    assert_not_checked(
        &sandbox.audit(&["--replay"]),
        "submission.csv: signed, and no run of this program writes such a file",
    );
}

#[test]
fn a4_files_that_nobody_signed_are_a_failure_unless_they_are_allowed() {
    let unsigned =
        ["submission.csv", "checkpoints/best.safetensors", "AUDIT.md", "Predictions.csv", ".git/config", "a:b"];
    for name in unsigned {
        let sandbox = trained_copy();
        let path = sandbox.path("run").join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("create");
        std::fs::write(path, "x").expect("write");
        assert_fails(&sandbox.audit(&[]), &format!("files: FAILED: {name}: a file that nobody signed"));
        assert_eq!(sandbox.audit(&["--allow-unsigned", name]).code, 0);
    }
    let sandbox = trained_copy();
    std::fs::write(sandbox.path("run/checkpoints/x.csv"), "x").expect("write");
    assert_eq!(sandbox.audit(&["--allow-unsigned", "*.csv"]).code, 1, "* is of one folder");
    assert_eq!(sandbox.audit(&["--allow-unsigned", "**/*.csv"]).code, 0);
}

#[test]
fn a6_pipes_devices_links_and_giants_keep_nobody_waiting() {
    let sandbox = trained_copy();
    let outside = tempfile::tempdir().expect("temp dir");
    copy_tree(&sandbox.path("run"), outside.path());
    type Change<'a> = (&'a str, &'a dyn Fn(&Path), &'a str);
    let link = |to: &'static str| move |path: &Path| std::os::unix::fs::symlink(to, path).expect("a link");
    let copied = outside.path().join("steps.jsonl");
    let changes: [Change<'_>; 8] = [
        ("manifest.intoto.jsonl", &pipe, "named pipe"),
        ("steps.jsonl", &pipe, "named pipe"),
        ("provenance/sim_tiny.jsonl", &pipe, "named pipe"),
        ("checkpoints/final.safetensors", &pipe, "named pipe"),
        ("steps.jsonl", &link("/dev/zero"), "symbolic link"),
        ("steps.jsonl", &link("/etc/passwd"), "symbolic link"),
        ("steps.jsonl", &|path| std::os::unix::fs::symlink(&copied, path).expect("a link"), "symbolic link"),
        (
            "steps.jsonl",
            &|path| std::fs::File::create(path).expect("create").set_len(40 << 30).expect("sparse"),
            "expected",
        ),
    ];
    for (name, change, why) in changes {
        let sandbox = trained_copy();
        let path = sandbox.path("run").join(name);
        std::fs::remove_file(&path).expect("remove");
        change(&path);
        for arguments in [&["manifest", "run"][..], &["audit", "run", "--program", "installed"]] {
            assert_fails(&bounded(&sandbox, arguments), why);
        }
    }
    // A folder of the run that is a link out of it.
    std::fs::remove_dir_all(sandbox.path("run/logs")).expect("remove");
    std::os::unix::fs::symlink(outside.path().join("logs"), sandbox.path("run/logs")).expect("a link");
    assert_fails(&bounded(&sandbox, &["manifest", "run"]), "symbolic link");
}

#[test]
fn a6_a_pipe_in_the_place_of_a_verdict_keeps_nobody_waiting() {
    let sandbox = trained_copy();
    pipe(&sandbox.path("run/verdict.intoto.jsonl"));
    assert_fails(&bounded(&sandbox, &["manifest", "run"]), "named pipe");
    let outcome = bounded(&sandbox, &["verdict", "run"]);
    assert!([1, 3].contains(&outcome.code), "{}{}", outcome.stdout, outcome.stderr);
}

#[test]
fn a13_a_copy_of_somebody_elses_run_is_not_given_another_id() {
    let sandbox = trained_copy();
    forge(&sandbox, |statement| {
        statement.predicate.run.id = "20200101T000000Z-thief".into();
        statement.predicate.started_at = "2020-01-01T00:00:00Z".parse().expect("a time");
        statement.predicate.finished_at = statement.predicate.started_at;
    });
    assert_fails(&sandbox.audit(&["--replay"]), "record: FAILED: provenance.json: run");
    // Written anew as well, it passes: that a run is the signer's own work is for a nonce or a commitment, and said so.
    forge(&sandbox, |statement| put_origin(&sandbox, statement));
    let outcome = sandbox.audit(&["--replay"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("the signer's own work"), "{}", outcome.stdout);
}

#[test]
fn a29_forged_figures_contradict_the_log_of_events_and_are_called_self_asserted() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "envelope.wall_seconds=3600"]);
    forge(&sandbox, |statement| {
        statement.predicate.envelope.figures.wall_seconds = ExactF64::new(0.0).expect("finite");
    });
    let outcome = sandbox.audit(&["--replay"]);
    assert_fails(&outcome, "record: FAILED: logs/events.jsonl: expected events within the 0 s");
    for line in outcome.stdout.lines().filter(|line| line.contains("wall time") || line.contains("device memory")) {
        assert!(line.contains("self-asserted"), "{line}");
    }
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "envelope=none"]);
    assert_not_checked(&sandbox.audit(&[]), "claims no limits");
}

#[test]
fn a33_a_run_that_never_happened_contradicts_its_logs() {
    let sandbox = trained_copy();
    let leaf = |step: u64| {
        format!(
            "{{\"step\":{step},\"epoch\":0,\"samples\":\"{}\",\"learningRateBits\":\"3f50624dd2f1a9fc\",\"lossBits\":\"c0800000\",\
             \"gradientNormBits\":\"3f800000\",\"state\":null}}\n",
            "5".repeat(64)
        )
    };
    let invented: String = (1..=5000).map(leaf).collect();
    std::fs::write(sandbox.path("run/checkpoints/final.safetensors"), vec![7; 9999]).expect("write");
    forge_alone(&sandbox, |statement| {
        put_steps(&sandbox, statement, &invented);
        training(statement).checkpoints[0].step = 5000;
        for metric in statement.predicate.metrics.iter_mut().filter(|metric| metric.name.contains("score")) {
            metric.value = ExactF64::new(0.99).expect("finite");
        }
        claim_all(&sandbox, "run", statement);
    });
    let outcome = sandbox.audit(&[]);
    assert_fails(&outcome, "record: FAILED: logs/metrics.csv: test/score");
    assert!(outcome.stdout.contains("nothing below shows that the run ever happened"), "{}", outcome.stdout);
    // An honest run without a replay passes, and the first screen says what that is worth.
    let honest = trained_copy().audit(&[]);
    assert_eq!(honest.code, 0, "{}", honest.stdout);
    let first_screen: Vec<_> = honest.stdout.lines().take(10).collect();
    assert!(first_screen.join("\n").contains("nothing below shows that the run ever happened"), "{}", honest.stdout);
}

#[test]
fn the_first_screen_says_what_the_run_is() {
    let outcome = trained_copy().audit(&["--replay"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    let first_screen: Vec<_> = outcome.stdout.lines().take(28).collect();
    let first_screen = first_screen.join("\n");
    for fact in [
        "workload     ariel",
        "exit         completed, after 8 steps",
        "measured     test/score = ",
        "over 4 samples",
        "overrides    trainer=ci_fast run.dir=run",
        "seed         123",
        "data         sim_tiny, raw: ",
        "commit       ",
        "program      says that it was built from ",
        "every step again here",
        "self-asserted",
    ] {
        assert!(first_screen.contains(fact), "{fact:?}\n{}", outcome.stdout);
    }
}
