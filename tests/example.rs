//! The example that is not Ariel: under 80 lines, and the same bits twice.

use std::process::Command;

use crate::sandbox::{Outcome, repository};

#[test]
fn a_task_of_ones_own_fits_in_80_lines_and_trains_reproducibly() {
    let source = std::fs::read_to_string(repository().join("examples/regression.rs")).expect("read");
    assert!(source.lines().count() < 80, "{} lines", source.lines().count());

    // Built by the same `cargo test`, beside the programs.
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_spectramind")).with_file_name("examples");
    let outcome = Outcome::of(&mut Command::new(programs.join("regression")));
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let tails: Vec<_> = outcome.stdout.lines().map(|line| line.split_once(": ").expect("a name").1).collect();
    assert_eq!(tails.len(), 2, "{}", outcome.stdout);
    assert_eq!(tails[0], tails[1]);
    let worst = tails[0].split("value: ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a figure");
    let worst: f64 = worst.parse().expect("a number");
    assert!(worst < 0.1, "it fits a sine to better than 0.1: {worst}");
}
