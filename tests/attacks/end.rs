//! Ends that somebody picked, and segments that see less than they say.

use spectramind::manifest::predicate::ExitReason;
use spectramind::manifest::strict_json::ExactF64;

use super::{assert_fails, assert_not_checked};
use crate::forgery::{claim_all, forge, statement};
use crate::sandbox::{Sandbox, copy_tree};

/// Moves what was computed by one run into another, which claims the first one's config.
fn pass_off(sandbox: &Sandbox, from: &str, reason: ExitReason) {
    let computed = statement(sandbox, from).predicate;
    let outputs = ["predictions.csv", "evaluation.json", "sigma_scale.json"];
    for name in ["steps.jsonl", "steps.leaves", "logs/metrics.csv", "logs/events.jsonl"].into_iter().chain(outputs) {
        std::fs::copy(sandbox.path(from).join(name), sandbox.path("run").join(name)).expect("copy");
    }
    std::fs::remove_dir_all(sandbox.path("run/checkpoints")).expect("remove");
    copy_tree(&sandbox.path(from).join("checkpoints"), &sandbox.path("run/checkpoints"));
    forge(sandbox, |statement| {
        let claim = &mut statement.predicate;
        claim.computation = computed.computation;
        claim.metrics = computed.metrics;
        claim.exit.reason = reason;
        claim_all(sandbox, "run", statement);
    });
}

#[test]
fn a3_an_end_picked_by_its_score_is_no_end_by_the_clock() {
    let sandbox = Sandbox::with_data();
    let base = ["train", "trainer=ci_fast", "trainer.limit_train_batches=null"];
    sandbox.done(&[&base[..], &["trainer.max_epochs=3", "run.dir=run"]].concat());
    sandbox.done(&[&base[..], &["trainer.max_epochs=1", "run.dir=best"]].concat());
    pass_off(&sandbox, "best", ExitReason::MaxTime);
    assert_fails(&sandbox.audit(&["--replay"]), "end: FAILED: maxTime: expected at least 1200 s");
    // Somebody who lies about the time as well is told apart by nothing but the report's words and a policy.
    forge(&sandbox, |statement| {
        statement.predicate.envelope.figures.wall_seconds = ExactF64::new(1200.5).expect("finite");
    });
    let outcome = sandbox.audit(&["--replay"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("a trainer who lies about the time can pick"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("exit         maxTime"), "{}", outcome.stdout);
    std::fs::write(sandbox.path("policy.yaml"), "exit: [completed, earlyStopped]\n").expect("write");
    assert_fails(&sandbox.audit(&["--policy", "policy.yaml"]), "policy: FAILED: exit");
    for (reason, code) in [(ExitReason::Completed, 1), (ExitReason::EarlyStopped, 1), (ExitReason::Diverged, 1)] {
        forge(&sandbox, |statement| statement.predicate.exit.reason = reason);
        assert_eq!(sandbox.audit(&[]).code, code, "{reason:?}");
    }
    forge(&sandbox, |statement| statement.predicate.exit.reason = ExitReason::Interrupted);
    assert_not_checked(&sandbox.audit(&["--replay"]), "somebody chose this end");
}

#[test]
fn a5_a_run_that_went_on_past_its_early_stop_fails_when_all_its_segments_are_looked_at() {
    let sandbox = Sandbox::with_data();
    let base = [
        "train",
        "trainer=defaults",
        "trainer.accelerator=cpu",
        "trainer.max_epochs=4",
        "trainer.limit_train_batches=3",
        "trainer.checkpoint.save_top_k=20",
        // Nothing improves by it.
        "optimizer.lr=1e-30",
    ];
    sandbox.done(&[&base[..], &["trainer.early_stopping.patience=1", "run.dir=run"]].concat());
    let honest = statement(&sandbox, "run").predicate;
    assert_eq!(honest.exit.reason, ExitReason::EarlyStopped, "the test needs a run that stops early");
    assert_eq!(sandbox.verify(&["replay", "run", "--segments", "99"]).code, 0);
    sandbox.done(&[&base[..], &["trainer.early_stopping.patience=1000", "run.dir=long"]].concat());
    pass_off(&sandbox, "long", ExitReason::Completed);
    // The counters in the checkpoints are set back, as if every validation had been the first without an improvement.
    for entry in std::fs::read_dir(sandbox.path("run/checkpoints")).expect("list") {
        let path = entry.expect("an entry").path();
        let mut snapshot = spectramind::engine::snapshot::Snapshot::read(&path).expect("a checkpoint");
        snapshot.progress.validations_without_improvement = 0;
        std::fs::write(&path, snapshot.to_bytes()).expect("write");
    }
    forge(&sandbox, |statement| claim_all(&sandbox, "run", statement));
    let outcome = sandbox.verify(&["replay", "run", "--segments", "99"]);
    assert_fails(&outcome, "segments: FAILED");
}

#[test]
fn a5_the_last_segment_compares_the_final_checkpoint() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    let path = sandbox.path("run/checkpoints/final.safetensors");
    let mut bytes = std::fs::read(&path).expect("read");
    let end = bytes.len();
    bytes[end - 2000..].fill(0);
    std::fs::write(&path, bytes).expect("write");
    forge(&sandbox, |statement| claim_all(&sandbox, "run", statement));
    assert_fails(
        &sandbox.verify(&["replay", "run", "--segments", "1"]),
        "checkpoints/final.safetensors: expected sha256",
    );
}
