//! Segments of a run, trained again: the draw, what it finds, and what is checked of every step anyway.

use std::sync::OnceLock;

use serde_json::Value;
use spectramind::engine::snapshot::Snapshot;
use spectramind::manifest::predicate::ExitReason;

use crate::forgery::{claim_all, forge, forge_step, put_digest, put_steps, training};
use crate::sandbox::{Outcome, Sandbox, copy_tree};

const SETTINGS: [&str; 5] =
    ["train", "trainer=ci_fast", "trainer.max_epochs=3", "audit.segments=6", "audit.min_segment_steps=4"];

/// A run of three epochs of 8 steps, in six segments of 4, and one with another seed.
fn run_with_points() -> Sandbox {
    static TRAINED: OnceLock<Sandbox> = OnceLock::new();
    let trained = TRAINED.get_or_init(|| {
        let sandbox = Sandbox::with_data();
        sandbox.done(&[&SETTINGS[..], &["run.dir=run"]].concat());
        sandbox.done(&[&SETTINGS[..], &["run.dir=other", "trainer.seed=5"]].concat());
        sandbox
    });
    trained.copy()
}

fn replay(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.verify(&[&["replay", "run"], arguments].concat())
}

#[track_caller]
fn assert_says(outcome: &Outcome, code: i32, said: &str) {
    assert_eq!(outcome.code, code, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains(said), "{said}\n{}", outcome.stdout);
}

fn points(sandbox: &Sandbox) -> Vec<String> {
    let entries = std::fs::read_dir(sandbox.path("run/audit")).expect("list");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn an_honest_run_passes_and_the_report_says_what_was_drawn_and_what_that_finds() {
    let sandbox = run_with_points();
    let expected: Vec<_> = [4, 8, 12, 16, 20].map(|step| format!("step-{step:08}.safetensors.zst")).into();
    assert_eq!(points(&sandbox), expected);
    let outcome = replay(&sandbox, &["--segments", "3", "--draw", "7"]);
    assert_says(&outcome, 0, "passed       segments");
    for said in [
        "3 of 6 segments, 12 of 24 steps, drawn by BLAKE3 of step root and nonce 7",
        "steps 1 to 4 are bit for bit the signed ones",
        "steps 21 to 24 are bit for bit the signed ones",
        "such a draw finds 1 false of 6 (17 %) with probability 25.0 %",
        "of all 24 steps are where the config puts them",
        "5 of 5 audit points are here, and hold the states that the signed leaves name",
    ] {
        assert_says(&outcome, 0, said);
    }
    let drawn = |outcome: &Outcome| -> Vec<String> {
        outcome.stdout.lines().filter(|line| line.contains("bit for bit the signed")).map(str::to_owned).collect()
    };
    assert_eq!(drawn(&outcome), drawn(&replay(&sandbox, &["--segments", "3", "--draw", "7"])), "the nonce decides");
    assert_says(&replay(&sandbox, &["--segments", "99"]), 0, "a false one is found with certainty");
    // The run took seconds.
    assert_says(&replay(&sandbox, &["--budget", "1h"]), 0, "6 of 6 segments");
    assert_says(&replay(&sandbox, &["--budget", "1ms"]), 0, "2 of 6 segments");
    assert_says(&replay(&sandbox, &[]), 0, "5 of 5 audit points are here");
}

#[test]
fn a_forged_step_is_found_exactly_when_its_segment_is_drawn_and_by_the_whole_replay() {
    let sandbox = run_with_points();
    // Step 10 lies in the third of six segments of 4.
    forge_step(&sandbox, 10);
    let codes: Vec<_> = (0..8)
        .map(|nonce| {
            let outcome = replay(&sandbox, &["--segments", "4", "--draw", &nonce.to_string()]);
            if outcome.code != 0 {
                assert_says(&outcome, 1, "step 10, lossBits");
            }
            outcome.code
        })
        .collect();
    assert!(codes.contains(&0) && codes.contains(&1), "eight nonces hit and miss: {codes:?}");
    assert_says(&replay(&sandbox, &["--segments", "6"]), 1, "step 10, lossBits");
    assert_says(&replay(&sandbox, &[]), 1, "step 10, lossBits");
}

/// The leaves of the run, changed and signed.
fn forge_leaves(sandbox: &Sandbox, change: impl FnOnce(&mut Vec<Value>)) {
    let text = std::fs::read_to_string(sandbox.path("run/steps.jsonl")).expect("read");
    let mut leaves: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a leaf")).collect();
    change(&mut leaves);
    let lines: String = leaves.iter().map(|leaf| format!("{leaf}\n")).collect();
    forge(sandbox, |statement| {
        let (training, count) = (training(statement), leaves.len() as u64);
        training.checkpoints.iter_mut().for_each(|checkpoint| checkpoint.step = checkpoint.step.min(count));
        training.audit_points.retain(|point| point.step <= count);
        put_steps(sandbox, statement, &lines);
    });
}

/// Numbers the leaves anew.
fn number(leaves: &mut [Value]) {
    for (step, leaf) in (1..).zip(leaves) {
        leaf["step"] = Value::from(step);
    }
}

/// What the cheapest draw, of both ends alone, says of forged leaves between them.
fn cheaply(change: impl FnOnce(&mut Vec<Value>)) -> Outcome {
    let sandbox = run_with_points();
    forge_leaves(&sandbox, change);
    replay(&sandbox, &["--segments", "2"])
}

#[test]
fn a_swapped_batch_is_found_whatever_is_drawn() {
    let outcome = cheaply(|leaves| {
        let (a, b) = (leaves[9]["samples"].clone(), leaves[10]["samples"].clone());
        (leaves[9]["samples"], leaves[10]["samples"]) = (b, a);
    });
    assert_says(&outcome, 1, "step 10, samples: expected");
}

#[test]
fn a_changed_learning_rate_is_found_whatever_is_drawn() {
    let outcome = cheaply(|leaves| leaves[10]["learningRateBits"] = Value::from("3f50624dd2f1a9fd"));
    assert_says(&outcome, 1, "step 11, learningRateBits: expected");
}

#[test]
fn a_skipped_step_is_found_whatever_is_drawn() {
    let outcome = cheaply(|leaves| {
        leaves.remove(9);
        number(leaves);
    });
    assert_says(&outcome, 1, "step 10, samples: expected");
}

#[test]
fn a_repeated_step_is_found_whatever_is_drawn() {
    let outcome = cheaply(|leaves| {
        leaves.insert(9, leaves[9].clone());
        number(leaves);
    });
    assert_says(&outcome, 1, "step 11, samples: expected");
}

#[test]
fn a_truncated_log_is_found_whatever_is_drawn() {
    let outcome = cheaply(|leaves| leaves.truncate(16));
    assert_says(&outcome, 1, "completed: expected 3 epochs");
}

#[test]
fn a_log_from_another_seed_is_found_whatever_is_drawn() {
    let sandbox = run_with_points();
    let steps = std::fs::read_to_string(sandbox.path("other/steps.jsonl")).expect("read");
    forge(&sandbox, |statement| put_steps(&sandbox, statement, &steps));
    assert_says(&replay(&sandbox, &["--segments", "2"]), 1, "step 1, samples: expected");
}

#[test]
fn a_digest_of_a_state_that_was_left_out_is_found_whatever_is_drawn() {
    let outcome = cheaply(|leaves| leaves[9]["state"] = Value::Null);
    assert_says(&outcome, 1, "step 10, state: expected one, as the config says, got none");
}

#[test]
fn audit_points_may_be_elsewhere_and_only_those_that_are_drawn_are_needed() {
    let sandbox = run_with_points();
    std::fs::rename(sandbox.path("run/audit"), sandbox.path("points")).expect("move");
    let outcome = sandbox.audit(&["--replay"]);
    assert_says(&outcome, 0, "5 audit points are not here and were not hashed");
    let outcome = replay(&sandbox, &["--segments", "6"]);
    assert_says(&outcome, 3, "audit/step-00000004.safetensors.zst");
    std::fs::create_dir(sandbox.path("run/audit")).expect("create");
    for name in ["step-00000004.safetensors.zst", "step-00000012.safetensors.zst"] {
        std::fs::copy(sandbox.path("points").join(name), sandbox.path("run/audit").join(name)).expect("copy");
    }
    assert_says(&replay(&sandbox, &["--segments", "6"]), 3, "audit/step-00000008.safetensors.zst");
    std::fs::remove_dir_all(sandbox.path("run/audit")).expect("remove");
    copy_tree(&sandbox.path("points"), &sandbox.path("run/audit"));
    assert_says(&replay(&sandbox, &["--segments", "6"]), 0, "passed       segments");
}

#[test]
fn an_audit_point_of_another_state_is_found_although_it_is_signed() {
    let sandbox = run_with_points();
    let (first, second) = ("audit/step-00000012.safetensors.zst", "audit/step-00000016.safetensors.zst");
    std::fs::copy(sandbox.path("run").join(second), sandbox.path("run").join(first)).expect("copy");
    forge(&sandbox, |statement| put_digest(&sandbox, statement, first));
    let said = "audit/step-00000012.safetensors.zst: expected the state after step 12 that was signed, got another";
    assert_says(&replay(&sandbox, &["--segments", "2"]), 1, said);
    assert_says(&replay(&sandbox, &[]), 1, said);
}

#[test]
fn weights_that_were_edited_on_the_way_are_found_when_a_segment_beside_them_is_drawn_and_by_the_whole_replay() {
    let sandbox = run_with_points();
    let name = "audit/step-00000012.safetensors.zst";
    let path = sandbox.path("run").join(name);
    let bytes = std::fs::read(&path).expect("read");
    let mut state = spectramind::engine::audit_point::read(&bytes, 1 << 30, &path).expect("a state");
    let tensor = state.tensors.values_mut().next().expect("a tensor");
    tensor.values[0] += 0.5;
    std::fs::write(&path, zstd(&state)).expect("write");
    let digest = state.state_digest();
    forge_leaves(&sandbox, |leaves| leaves[11]["state"] = Value::from(digest.to_string()));
    forge(&sandbox, |statement| {
        put_digest(&sandbox, statement, name);
        let point = training(statement).audit_points.iter_mut().find(|point| point.step == 12).expect("a point");
        point.state_digest = digest;
    });
    assert_says(&replay(&sandbox, &["--segments", "6"]), 1, "step 12, state: expected");
    assert_says(&replay(&sandbox, &[]), 1, "step 12, state: expected");
}

/// An audit point's bytes.
fn zstd(state: &Snapshot) -> Vec<u8> {
    zstd::bulk::compress(&state.to_bytes(), 1).expect("compressed")
}

#[test]
fn fewer_audit_points_than_the_config_asks_for_are_found_by_the_whole_replay() {
    let sandbox = run_with_points();
    std::fs::remove_file(sandbox.path("run/audit/step-00000008.safetensors.zst")).expect("remove");
    forge(&sandbox, |statement| {
        training(statement).audit_points.retain(|point| point.step != 8);
        claim_all(&sandbox, "run", statement);
    });
    assert_says(&replay(&sandbox, &[]), 1, "audit points: expected them after steps 4, 8, 12, 16, 20");
}

#[test]
fn audit_points_that_the_config_does_not_put_there_are_found_whatever_is_drawn() {
    let sandbox = run_with_points();
    // More segments would hide a false one among more.
    let name = "audit/step-00000010.safetensors.zst";
    let path = sandbox.path("run/audit/step-00000008.safetensors.zst");
    std::fs::copy(&path, sandbox.path("run").join(name)).expect("copy");
    forge(&sandbox, |statement| {
        let points = &mut training(statement).audit_points;
        let mut point = points[1].clone();
        point.step = 10;
        point.file = spectramind::provenance::path::RelativePath::parse(name).expect("a path");
        points.insert(2, point);
        put_digest(&sandbox, statement, name);
    });
    let said = "audit points: expected them after steps 4, 8, 12, 16, 20, as the config says, got 4, 8, 10, 12, 16, 20";
    assert_says(&replay(&sandbox, &["--segments", "2"]), 1, said);
}

#[test]
fn no_other_file_is_passed_off_as_an_audit_point_that_may_be_elsewhere() {
    let sandbox = run_with_points();
    std::fs::remove_file(sandbox.path("run/predictions.csv")).expect("remove");
    forge(&sandbox, |statement| {
        training(statement).audit_points[0].file =
            spectramind::provenance::path::RelativePath::parse("predictions.csv").expect("a path");
    });
    assert_says(&sandbox.audit(&[]), 1, "predictions.csv: not a file of the folder audit alone");
}

#[test]
fn a_nonce_without_segments_is_refused() {
    assert_eq!(replay(&run_with_points(), &["--draw", "7"]).code, 2);
}

#[test]
fn inflated_metrics_and_predictions_of_another_checkpoint_do_not_pass_the_last_segment() {
    let sandbox = run_with_points();
    std::fs::copy(sandbox.path("other/predictions.csv"), sandbox.path("run/predictions.csv")).expect("copy");
    forge(&sandbox, |statement| put_digest(&sandbox, statement, "predictions.csv"));
    assert_says(&replay(&sandbox, &["--segments", "2"]), 1, "predictions.csv: expected sha256");

    let sandbox = run_with_points();
    forge(&sandbox, |statement| {
        let metric = &mut statement.predicate.metrics[0];
        metric.value = spectramind::manifest::strict_json::ExactF64::new(0.99).expect("finite");
    });
    assert_says(&replay(&sandbox, &["--segments", "2"]), 1, "metrics: expected those of the record");
    forge(&sandbox, |statement| statement.predicate.exit.reason = ExitReason::EarlyStopped);
    assert_eq!(replay(&sandbox, &["--segments", "2"]).code, 1);
}

#[test]
fn a_verdict_on_segments_says_nonce_and_draw_and_is_none_on_the_whole_run() {
    let sandbox = run_with_points();
    sandbox.done(&["keys", "generate", "--out", ".git/verifier.pem"]);
    let outcome = sandbox.audit(&["--segments", "3", "--draw", "a nonce", "--sign", ".git/verifier.pem"]);
    assert_says(&outcome, 0, "passed       segments");
    let bundle = std::fs::read_to_string(sandbox.path("run/verdict.intoto.jsonl")).expect("read");
    let payloads: String = bundle.lines().map(payload).collect();
    for said in [r#""nonce":"a nonce""#, r#""segments":"6""#, r#""drawn":["0","#] {
        assert!(payloads.contains(said), "{said}\n{payloads}");
    }
    let key = sandbox.done(&["keys", "show", "--public"]).stdout;
    std::fs::write(sandbox.path(".git/pub.pem"), key).expect("write");
    let verdict = ["verdict", "run", "--key", ".git/verifier.pub.pem", "--trainer-key", ".git/pub.pem"];
    assert_says(&sandbox.verify(&verdict), 3, "3 of 6 segments replayed on");
}

/// The payload of a line of a bundle.
fn payload(line: &str) -> String {
    use base64::Engine as _;
    let envelope: Value = serde_json::from_str(line).expect("an envelope");
    let bytes = base64::engine::general_purpose::STANDARD.decode(envelope["payload"].as_str().expect("a payload"));
    String::from_utf8(bytes.expect("Base64")).expect("UTF-8")
}

#[test]
fn segments_are_judged_by_the_best_state_that_was_signed_and_by_no_other() {
    let sandbox = Sandbox::with_data();
    // Nothing gets better, so the first validated state stays the best one.
    let settings = ["trainer.max_epochs=3", "trainer.checkpoint.every_n_epochs=1", "trainer.checkpoint.save_top_k=3"];
    let still = ["optimizer.lr=1.0e-12", "trainer.checkpoint.monitor=val/score"];
    sandbox.done(&[&["train", "trainer=ci_fast", "run.dir=run"], &settings[..], &still].concat());
    let best = "checkpoints/best.safetensors";
    let bytes = |name: &str| std::fs::read(sandbox.path("run").join(name)).expect("read");
    assert_eq!(bytes(best), bytes("checkpoints/step-00000008.safetensors"));
    assert_eq!(replay(&sandbox, &["--segments", "9"]).code, 0);

    // Signed by the trainer as the best one: the last one, and then none.
    std::fs::copy(sandbox.path("run/checkpoints/final.safetensors"), sandbox.path("run").join(best)).expect("copy");
    forge(&sandbox, |statement| crate::forgery::put_digest(&sandbox, statement, best));
    let expected = "checkpoints/best.safetensors: expected the state that the run is judged by";
    let outcome = replay(&sandbox, &["--segments", "9"]);
    assert_says(&outcome, 1, expected);
    std::fs::remove_file(sandbox.path("run").join(best)).expect("remove");
    forge(&sandbox, |statement| statement.subject.retain(|subject| subject.name.as_str() != best));
    let outcome = replay(&sandbox, &["--segments", "9"]);
    assert_says(&outcome, 1, expected);
}
