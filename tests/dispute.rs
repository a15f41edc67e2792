//! Where two sides of a run part: the first step, and in it the first op and tensor.

use serde_json::Value;

use crate::forgery::forge_step;
use crate::sandbox::{Outcome, Sandbox};

fn run_with_points() -> Sandbox {
    let sandbox = Sandbox::with_data();
    let settings = ["trainer.max_epochs=2", "audit.segments=4", "audit.min_segment_steps=4"];
    sandbox.done(&[&["train", "trainer=ci_fast", "run.dir=run"], &settings[..]].concat());
    sandbox
}

fn dispute(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.verify(&[&["dispute", "run"], arguments].concat())
}

#[track_caller]
fn assert_says(outcome: &Outcome, code: i32, said: &[&str]) {
    assert_eq!(outcome.code, code, "{}{}", outcome.stdout, outcome.stderr);
    for said in said {
        assert!(outcome.stdout.contains(said), "{said}\n{}", outcome.stdout);
    }
}

#[test]
fn an_honest_run_has_nothing_to_dispute_and_a_forged_step_is_named() {
    let sandbox = run_with_points();
    let nothing = "all 16 steps of the log come out on";
    assert_says(&dispute(&sandbox, &[]), 0, &[nothing]);
    forge_step(&sandbox, 10);
    let said = ["step 10, traced on", "its leaf is not the signed one of this run: lossBits: expected"];
    assert_says(&dispute(&sandbox, &[]), 1, &said);
}

#[test]
fn two_runs_part_at_their_first_step_when_their_seeds_differ_and_it_is_said_whose_step_comes_out_here() {
    let sandbox = run_with_points();
    let settings = ["trainer.max_epochs=2", "audit.segments=4", "audit.min_segment_steps=4", "optimizer.lr=0.002"];
    sandbox.done(&[&["train", "trainer=ci_fast", "run.dir=other"], &settings[..]].concat());
    let said = [
        "the two runs have another config",
        "step 1, traced on",
        "its leaf is the signed one of this run",
        "its leaf is not that of the other run: learningRateBits: expected",
    ];
    assert_says(&dispute(&sandbox, &["other"]), 1, &said);
    std::fs::remove_dir_all(sandbox.path("other")).expect("remove");
    crate::sandbox::copy_tree(&sandbox.path("run"), &sandbox.path("other"));
    assert_says(&dispute(&sandbox, &["other"]), 0, &["both logs have the same 16 steps"]);
}

#[test]
fn a_trace_of_another_machine_is_compared_op_by_op() {
    let sandbox = run_with_points();
    assert_says(&dispute(&sandbox, &["--step", "10", "--trace", "step.json"]), 0, &["wrote step.json"]);
    assert_says(&dispute(&sandbox, &["--with", "step.json"]), 0, &["every tensor of step 10 is the same on"]);
    let path = sandbox.path("step.json");
    let text = std::fs::read_to_string(&path).expect("read");
    let honest: Value = serde_json::from_str(&text).expect("JSON");
    let mut trace = honest.clone();
    let tensors = trace["tensors"].as_array_mut().expect("tensors");
    let place = tensors.iter().position(|one| one["what"] == "float_matmul").expect("a product");
    let other = tensors[place + 1]["digest"].clone();
    tensors[place]["digest"] = other.clone();
    let gradient = tensors.iter_mut().find(|one| one["part"] == "gradient").expect("a gradient");
    gradient["digest"] = other;
    let name = gradient["what"].as_str().expect("a name").to_owned();
    std::fs::write(&path, trace.to_string()).expect("write");
    let said = ["part at shard ", ", float_matmul [", &format!("and then in {name} of the mean gradient")];
    assert_says(&dispute(&sandbox, &["--with", "step.json"]), 1, &said);

    let mut other_leaf = honest.clone();
    other_leaf["leaf"]["lossBits"] = Value::from("00000000");
    std::fs::write(&path, other_leaf.to_string()).expect("write");
    let said = ["its leaf is not that of ", "lossBits: expected 00000000", "every tensor of step 10 is the same on"];
    assert_says(&dispute(&sandbox, &["--with", "step.json"]), 1, &said);
    let mut other_ops = honest.clone();
    other_ops["tensors"][0]["what"] = Value::from("float_exp");
    std::fs::write(&path, other_ops.to_string()).expect("write");
    assert_says(&dispute(&sandbox, &["--with", "step.json"]), 1, &["the two sides do not make the same ops"]);
    let mut other_version = honest;
    other_version["numerics"] = Value::from(99);
    std::fs::write(&path, other_version.to_string()).expect("write");
    assert_says(&dispute(&sandbox, &["--with", "step.json"]), 3, &["in version 99"]);
    std::fs::write(&path, "{}").expect("write");
    assert_says(&dispute(&sandbox, &["--with", "step.json"]), 3, &["expected a trace of a step"]);
    assert_says(&dispute(&sandbox, &["--step", "99"]), 1, &["expected one of the 16 steps"]);
}
