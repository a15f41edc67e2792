//! The golden cases: the digests in the tree are those this build computes, and a difference is named.

use std::process::Command;

use spectramind::engine::device::CPU_LEVEL_VARIABLE;
use spectramind::engine::repro::CpuLevel;

use crate::sandbox::{Outcome, Sandbox, copy_tree, repository, verifier, vulkan};

#[test]
fn the_golden_digests_hold_and_a_changed_one_is_named() {
    let sandbox = Sandbox::new();
    copy_tree(&repository().join("golden"), &sandbox.path("golden"));
    let outcome = sandbox.verify(&["golden"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);

    let path = sandbox.path("golden/ci_fast/expected.json");
    let text = std::fs::read_to_string(&path).expect("read");
    let at = text.find(r#""stepRoot": ""#).expect("a step root") + r#""stepRoot": ""#.len();
    let other = if &text[at..=at] == "0" { "1" } else { "0" };
    std::fs::write(&path, format!("{}{other}{}", &text[..at], &text[at + 1..])).expect("write");
    let case = ["golden", "--case", "ci_fast"];
    let outcome = sandbox.verify(&case);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("stepRoot: expected"), "{}", outcome.stdout);

    std::fs::remove_file(&path).expect("remove");
    assert_eq!(sandbox.verify(&case).code, 3);
    assert_eq!(sandbox.verify(&["golden", "--case", "none"]).code, 3);
}

#[test]
fn another_seed_is_told_at_the_first_step_and_an_update_keeps_its_reason() {
    let sandbox = Sandbox::new();
    copy_tree(&repository().join("golden/v50"), &sandbox.path("golden/v50"));
    // The ops that are kept are those of today, not of when the digests last changed.
    let outcome = sandbox.verify(&["golden", "--update", "--reason", "nothing new"]);
    assert!(outcome.code == 0 && outcome.stdout.contains("unchanged"), "{}", outcome.stdout);
    let case = sandbox.path("golden/v50/case.json");
    let text = std::fs::read_to_string(&case).expect("read");
    std::fs::write(&case, text.replace("\"data.batch_size=4\"", "\"data.batch_size=4\", \"trainer.seed=9\""))
        .expect("write");
    let outcome = sandbox.verify(&["golden"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    let first = outcome.stdout.lines().find(|line| line.contains("FAILED: ")).expect("a first failure");
    assert!(first.contains("step 1, samples: expected "), "{}", outcome.stdout);
    let traced = outcome.stdout.lines().filter(|line| line.contains("FAILED: ")).nth(1).expect("a second failure");
    assert!(traced.contains("step 1, op by op: shard "), "{}", outcome.stdout);
    assert!(traced.contains(", op 0, float_from_data ["), "other samples are another input: {}", outcome.stdout);
    assert_eq!(sandbox.verify(&["golden", "--update"]).code, 2, "a change needs a reason");
    let outcome = sandbox.verify(&["golden", "--update", "--reason", "another seed"]);
    assert!(outcome.code == 0 && outcome.stdout.contains("the CHANGELOG needs a line"), "{}", outcome.stdout);
    let outcome = sandbox.verify(&["golden", "--update", "--reason", "nothing new"]);
    assert!(outcome.code == 0 && outcome.stdout.contains("unchanged"), "{}", outcome.stdout);
    let outcome = sandbox.verify(&["golden"]);
    assert!(outcome.code == 0 && outcome.stdout.contains("expected since: another seed"), "{}", outcome.stdout);
}

#[test]
fn a_resumed_run_and_runs_of_several_workers_have_the_digests_of_one_that_was_not() {
    let digests = |case: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(repository().join("golden").join(case).join("expected.json")).expect("read");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["digests"].take()
    };
    for case in ["resumed", "two_workers", "four_workers"] {
        assert_eq!(digests(case), digests("v50"), "{case}");
    }
}

#[test]
fn a_state_that_was_planted_in_the_expected_ops_is_named_with_its_op() {
    let sandbox = Sandbox::new();
    copy_tree(&repository().join("golden/v50"), &sandbox.path("golden/v50"));
    let edit = |file: &str, change: &dyn Fn(&str) -> String| {
        let path = sandbox.path("golden/v50").join(file);
        let text = std::fs::read_to_string(&path).expect("read");
        let changed = change(&text);
        assert_ne!(text, changed, "{file}");
        std::fs::write(&path, changed).expect("write");
    };
    let flipped = |text: &str, at: usize| {
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    let after = |text: &str, mark: &str| text.find(mark).expect("a place") + mark.len();
    // As if the product had been another when the digests were written, and all that came of it.
    edit("expected.json", &|text| flipped(text, after(text, r#""stepRoot": ""#)));
    edit("expected.steps.jsonl", &|text| flipped(text, after(text, r#""lossBits":""#)));
    edit("expected.trace.json", &|text| {
        let at = text.find(r#""what":"float_matmul""#).expect("a product");
        flipped(text, at + after(&text[at..], r#""digest":""#))
    });
    let outcome = sandbox.verify(&["golden"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    let failures: Vec<_> = outcome.stdout.lines().filter(|line| line.contains("FAILED: ")).collect();
    assert!(failures[0].contains("step 1, lossBits: expected "), "{}", outcome.stdout);
    assert!(failures[1].contains("step 1, op by op: shard "), "{}", outcome.stdout);
    assert!(failures[1].contains(", float_matmul ["), "{}", outcome.stdout);
    // Expected ops that are no trace are no pass of anything.
    std::fs::write(sandbox.path("golden/v50/expected.trace.json"), "{}").expect("write");
    let outcome = sandbox.verify(&["golden"]);
    assert!(outcome.code == 1 && outcome.stdout.contains("is no trace of a step"), "{}", outcome.stdout);
}

/// From frames in f32, convolutions in bf16, scans: what kinds of arithmetic there are.
const SOME: [&str; 6] = ["--case", "ci_fast", "--case", "bf16_mixed", "--case", "v50_ssm"];

/// Runs `spectramind-verify golden` with the arguments and environment variables.
#[track_caller]
fn golden_holds(arguments: &[&str], variables: &[(&str, &str)]) {
    let sandbox = Sandbox::new();
    copy_tree(&repository().join("golden"), &sandbox.path("golden"));
    let mut command = Command::new(verifier());
    command.arg("golden").args(arguments).current_dir(sandbox.path("")).envs(variables.iter().copied());
    let outcome = Outcome::of(&mut command);
    assert_eq!(outcome.code, 0, "{arguments:?} {variables:?}: {}{}", outcome.stdout, outcome.stderr);
}

#[test]
fn the_golden_digests_are_one_for_every_instruction_set_and_number_of_threads() {
    let levels: Vec<_> = CpuLevel::available().into_iter().rev().collect();
    for place in 0..levels.len().max(3) {
        let (level, threads) = (levels[place % levels.len()].to_string(), ["1", "2", "5"][place % 3]);
        golden_holds(&SOME, &[(CPU_LEVEL_VARIABLE, &level), ("RAYON_NUM_THREADS", threads)]);
    }
}

#[test]
fn the_golden_digests_are_those_of_vulkan_too() {
    if !vulkan().is_empty() {
        golden_holds(&[&SOME[..], &["--accelerator", "wgpu"]].concat(), &[]);
    }
}
