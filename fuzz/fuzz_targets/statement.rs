//! Statements of every kind: what is accepted is of one kind only, and is written as something that reads the same.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use spectramind::manifest::commitment::ConfigCommitment;
use spectramind::manifest::predicate::TrainingRun;
use spectramind::manifest::slsa::Provenance;
use spectramind::manifest::statement::{Predicate, Statement};
use spectramind::manifest::strict_json;
use spectramind::manifest::verdict::ReplayVerdict;
use spectramind::manifest::verdict::summary::VerificationSummary;
use spectramind::manifest::verdict::test_result::TestResult;

/// Whether the bytes are such a statement.
fn is<P: Predicate + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> bool {
    let Ok(statement) = strict_json::from_slice::<Statement<P>>(bytes) else { return false };
    if statement.check().is_err() {
        return false;
    }
    let written = strict_json::to_vec(&statement).expect("what was read can be written");
    assert_eq!(strict_json::from_slice::<Statement<P>>(&written).as_ref(), Ok(&statement));
    true
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let kinds = [
        is::<TrainingRun>(bytes),
        is::<Provenance>(bytes),
        is::<ReplayVerdict>(bytes),
        is::<TestResult>(bytes),
        is::<ConfigCommitment>(bytes),
        is::<VerificationSummary>(bytes),
    ];
    assert!(kinds.iter().filter(|is| **is).count() <= 1, "of several kinds: {kinds:?}");
    if kinds[2] {
        let Statement { predicate, .. } =
            strict_json::from_slice::<Statement<ReplayVerdict>>(bytes).expect("read before");
        let (result, summary) = (TestResult::of(&predicate), VerificationSummary::of(&predicate));
        let counted = result.passed_tests.len() + result.warned_tests.len() + result.failed_tests.len();
        assert_eq!(counted, predicate.checks.len());
        strict_json::to_vec(&summary).expect("small");
    }
    Corpus::Keep
});
