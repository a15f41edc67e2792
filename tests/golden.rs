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
    let outcome = sandbox.verify(&["golden"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("stepRoot: expected"), "{}", outcome.stdout);

    std::fs::remove_file(&path).expect("remove");
    assert_eq!(sandbox.verify(&["golden"]).code, 3);
}

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
        golden_holds(&[], &[(CPU_LEVEL_VARIABLE, &level), ("RAYON_NUM_THREADS", threads)]);
    }
}

#[test]
fn the_golden_digests_are_those_of_vulkan_too() {
    if !vulkan().is_empty() {
        golden_holds(&["--accelerator", "wgpu"], &[]);
    }
}
