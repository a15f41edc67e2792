//! What training again took here, against the limit of a run that says it was quick.

use spectramind::manifest::strict_json::ExactF64;

use super::{assert_fails, assert_not_checked};
use crate::forgery::{forge, training};
use crate::sandbox::{Outcome, trained, trained_copy};

/// Audits a run that says its device took so long for the computation by which devices are compared.
fn audited(reference_seconds: Option<f64>) -> Outcome {
    let sandbox = trained_copy();
    forge(&sandbox, |statement| {
        let seconds = reference_seconds.map(|seconds| ExactF64::new(seconds).expect("finite"));
        training(statement).reference_seconds = seconds;
    });
    sandbox.audit(&["--replay"])
}

#[test]
fn the_time_of_an_honest_run_is_within_its_limit_here_too() {
    let outcome = trained().audit(&["--replay"]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    let (_, said) = outcome.stdout.split_once("passed       time\n").expect("its time is judged");
    assert!(said.contains("within 64860 s, 2 times the limit of 32400 s and a minute"), "{said}");
}

#[test]
fn a_device_so_slow_that_the_run_cannot_have_kept_its_limit_fails() {
    assert_fails(
        &audited(Some(1e6)),
        "time: FAILED: expected within 64860 s, 2 times the limit of 32400 s and a minute, got ",
    );
}

#[test]
fn a_device_that_takes_no_time_at_all_fails() {
    assert_fails(
        &audited(Some(0.0)),
        "time: FAILED: the computation for comparing devices: expected more than 0 s there, got 0 s",
    );
}

#[test]
fn a_record_without_the_figure_is_not_checked() {
    assert_not_checked(&audited(None), "time: not checked: the record does not say how long the computation");
}
