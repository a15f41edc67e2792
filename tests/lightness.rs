//! Checking a signature needs no tensor engine: the verifier's dependencies show it.

use std::process::Command;

use crate::sandbox::repository;

fn tree(features: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--package", "spectramind-verify", "--edges", "normal", "--prefix", "none", "--offline"]);
    let output = command.args(features).current_dir(repository()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_verifier_without_replay_contains_no_tensor_engine() {
    let heavy = |tree: &str| {
        tree.lines()
            .filter(|line| ["burn", "cubecl", "parquet"].iter().any(|name| line.starts_with(name)))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(heavy(&tree(&[])), Vec::<String>::new());
    assert!(!heavy(&tree(&["--features", "replay"])).is_empty(), "the check would see an engine");
}
