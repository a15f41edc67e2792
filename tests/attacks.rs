//! Attacks on the record, each named after what it does: a run of which a report would say something false. Most are a
//! malicious trainer's, who holds the right key and lies in every field; some are a stranger's, who holds none.
//!
//! The letters and numbers are those of the scripts that found them (`shared/found/record`).

mod auditor;
mod config;
mod data;
mod end;
mod events;
mod files;
mod mutations;
mod time;
mod trust;

use crate::sandbox::Outcome;

/// The audit fails, and says why on its first screen.
fn assert_fails(outcome: &Outcome, why: &str) {
    assert_code(outcome, 1, why);
}

/// The audit does not pass for want of something, and says of what on its first screen.
fn assert_not_checked(outcome: &Outcome, why: &str) {
    assert_code(outcome, 3, why);
}

fn assert_code(outcome: &Outcome, code: i32, why: &str) {
    assert_eq!(outcome.code, code, "{why}\n{}{}", outcome.stdout, outcome.stderr);
    let first_screen: Vec<_> = outcome.stdout.lines().take(24).collect();
    let first_screen = first_screen.join("\n");
    assert!(first_screen.contains(why), "{why:?} is not on the first screen\n{}", outcome.stdout);
}
