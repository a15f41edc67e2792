//! Past runs beside each other.

use std::process::Command;

use crate::sandbox::{Sandbox, trained_copy};

/// A sandbox with three runs: `run`, one that is worse for its learning rate, and one that nobody signed.
fn three() -> Sandbox {
    let sandbox = trained_copy();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=other", "optimizer.lr=1e-9"]);
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=cut"]);
    std::fs::remove_file(sandbox.path("cut/manifest.intoto.jsonl")).expect("remove");
    sandbox
}

/// The rows of a table: of each, what stands under the names of the columns.
fn rows(table: &str) -> Vec<Vec<String>> {
    let lines: Vec<Vec<char>> = table.lines().map(|line| line.chars().collect()).collect();
    let header: String = lines[0].iter().collect();
    let names =
        ["RUN", "STARTED", "WORKLOAD", "STEPS", "END", "SCORE", "STEP ROOT", "VERDICT (UNVERIFIED)", "OVERRIDES"];
    let starts = names.map(|name| header.find(name).unwrap_or_else(|| panic!("{name}: {header}")));
    let cell = |line: &[char], column: usize| {
        let end = starts.get(column + 1).copied().unwrap_or(line.len()).min(line.len());
        line.get(starts[column]..end).unwrap_or_default().iter().collect::<String>().trim().to_owned()
    };
    lines[1..].iter().map(|line| (0..names.len()).map(|column| cell(line, column)).collect()).collect()
}

#[test]
fn past_runs_are_a_table_of_what_is_claimed_and_of_what_a_verifier_said() {
    let sandbox = three();
    sandbox.done(&["keys", "generate", "--out", "judge.pem"]);
    let audit = sandbox.audit(&["--sign", "judge.pem"]);
    assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);
    let table = sandbox.done(&["runs", "list", "."]).stdout;
    let rows = rows(&table);
    assert_eq!(rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["./cut", "./other", "./run"], "{table}");
    let [cut, other, run] = &rows[..] else { panic!("{table}") };
    assert_eq!(cut[1..], ["-", "-", "-", "not signed: unfinished, or not readable", "-", "-", "-", "-"]);
    assert_eq!([&run[2], &run[3], &run[4]], ["ariel", "8", "completed"], "{table}");
    assert!(run[5].starts_with("score 0."), "{table}");
    assert_eq!([&run[7], &other[7]], ["passed, no replay", "-"], "{table}");
    assert_eq!(other[8], "trainer=ci_fast run.dir=other optimizer.lr=1e-9", "{table}");
    assert_ne!(run[6], other[6], "{table}");
}

#[test]
fn past_runs_are_sorted_by_what_is_asked_for_and_those_without_it_come_last() {
    let sandbox = three();
    let listed = |arguments: &[&str]| {
        let table = sandbox.done(&[&["runs", "list", "."], arguments].concat()).stdout;
        rows(&table).into_iter().map(|row| row[0].clone()).collect::<Vec<_>>()
    };
    let json: serde_json::Value =
        serde_json::from_str(&sandbox.done(&["runs", "list", ".", "--json"]).stdout).expect("JSON");
    let score = |index: usize| json[index]["score"]["value"].as_f64().expect("a score");
    assert!(json[0]["problem"].as_str().expect("why").contains("expected a signed run"), "{json}");
    assert_eq!((&json[1]["run"], &json[2]["run"]), (&"./other".into(), &"./run".into()), "{json}");
    assert_eq!(json[2]["stepRoot"].as_str().expect("a root").len(), 64, "{json}");
    let mut by_score = [(score(1), "./other"), (score(2), "./run")];
    by_score.sort_by(|left, right| left.0.total_cmp(&right.0));
    let [worse, better] = by_score.map(|(_, run)| run);
    assert_eq!(listed(&["--sort", "score"]), [worse, better, "./cut"]);
    assert_eq!(listed(&["--sort", "score", "--reverse"]), [better, worse, "./cut"]);
    assert_eq!(listed(&["--sort", "started"]), ["./run", "./other", "./cut"]);
    assert_eq!(listed(&["--reverse"]), ["./run", "./other", "./cut"]);
}

#[test]
fn a_folder_without_runs_lists_nothing_and_says_so() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("runs")).expect("made");
    let outcome = sandbox.run(&["runs", "list"]);
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (0, "", "no runs below runs\n"));
}

#[test]
fn a_quiet_training_says_only_its_results_and_one_without_a_terminal_says_its_stages() {
    let sandbox = Sandbox::with_data();
    let quiet = sandbox.run(&["train", "trainer=ci_fast", "run.dir=quiet", "--quiet"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""), "{}", quiet.stdout);
    assert!(quiet.stdout.contains("step root  "), "{}", quiet.stdout);
    let plain = sandbox.run(&["train", "trainer=ci_fast", "run.dir=plain"]);
    for said in ["computing on ", "\ntraining\n", "\nsigning\n"] {
        assert!(plain.stderr.contains(said), "{said:?}: {}", plain.stderr);
    }
    assert!(!plain.stderr.contains('\u{1b}'), "{}", plain.stderr);
}

#[test]
fn a_terminal_sees_how_far_a_training_is() {
    let sandbox = Sandbox::with_data();
    let command = format!("stty cols 200; {} train trainer=ci_fast run.dir=run", env!("CARGO_BIN_EXE_spectramind"));
    let mut script = sandbox.prepare(Command::new("script"));
    let output =
        script.args(["-qec", &command, "/dev/null"]).env("TERM", "xterm").output().expect("script of util-linux");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    for said in ["training [", "8/8", "epoch ", "steps/s", " left, loss ", "val/", " MB"] {
        assert!(shown.contains(said), "{said:?}: {shown}");
    }
}
