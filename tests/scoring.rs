//! From a checkpoint to a submission to a score.

use crate::sandbox::{field, trained, trained_copy};

#[test]
fn a_checkpoint_predicts_the_test_planets_and_the_submission_is_scored() {
    let sandbox = trained_copy();
    let checkpoint = "checkpoint=run/checkpoints/final.safetensors";
    sandbox.done(&["predict", checkpoint, "out=first.csv"]);
    sandbox.done(&["predict", checkpoint, "out=second.csv"]);
    let first = std::fs::read_to_string(sandbox.path("first.csv")).expect("read");
    assert_eq!(first, std::fs::read_to_string(sandbox.path("second.csv")).expect("read"));
    assert_eq!(first.lines().count(), 1 + 4, "a line per test planet");

    let truth = ["evaluate", "submission=first.csv", "truth=data/sim_tiny/test.csv"];
    let printed = sandbox.done(&truth).stdout;
    let json = sandbox.done(&[&truth[..], &["--json"]].concat()).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let score = json["score"].as_f64().expect("a score");
    assert!(score > 0.0 && score < 1.0, "{score}");
    assert!(field(&printed, "score ").starts_with(&format!("{score:.6}")), "{printed}");

    let negative = first.replacen(",0.", ",-0.", 1);
    std::fs::write(sandbox.path("negative.csv"), negative).expect("write");
    let refused = sandbox.run(&["evaluate", "submission=negative.csv", "truth=data/sim_tiny/test.csv"]);
    assert_eq!(refused.code, 1, "a negative value rejects the file\n{}", refused.stdout);

    let some: Vec<_> = first.lines().take(3).collect();
    std::fs::write(sandbox.path("some.csv"), some.join("\n") + "\n").expect("write");
    let refused = sandbox.run(&["evaluate", "submission=some.csv", "truth=data/sim_tiny/test.csv"]);
    assert_eq!(refused.code, 1, "no score for the planets one likes\n{}", refused.stdout);
}

#[test]
fn planets_without_a_truth_are_named() {
    let sandbox = trained_copy();
    sandbox.done(&["predict", "checkpoint=run/checkpoints/final.safetensors"]);
    let outcome = sandbox.run(&["evaluate", "submission=submission.csv"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("train.csv"), "{}", outcome.stderr);
}

#[test]
fn past_runs_are_listed_with_their_scores() {
    let listed = trained().done(&["runs", "list", "."]).stdout;
    assert!(listed.contains("run  "), "{listed}");
    assert!(listed.contains("score 0."), "{listed}");
    assert!(!listed.contains("not signed"), "{listed}");
}
