//! Verdicts that are not to be believed, named by their fault, one test each.

use super::*;
use crate::manifest::key::SigningKey;
use crate::manifest::predicate::tests::example as run;
use crate::manifest::statement::Subject;
use crate::manifest::strict_json;
use crate::manifest::trust::{Thresholds, TrustedKey};
use crate::manifest::verdict::tests::example;
use crate::manifest::verdict::{Outcome, VerifierRecord};
use crate::provenance::path::RelativePath;

/// Who trained.
const TRAINER: u8 = 1;
/// Who checked.
const VERIFIER: u8 = 2;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_random(&[byte; 32])
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().expect("a time")
}

fn subjects() -> Vec<Subject> {
    vec![Subject::new(RelativePath::parse("predictions.csv").expect("a path"), sha256(b"predictions"))]
}

fn signed<P: Predicate>(statement: &Statement<P>, keys: &[u8]) -> Vec<u8> {
    let keys: Vec<_> = keys.iter().map(|byte| key(*byte)).collect();
    let payload = strict_json::to_vec(statement).expect("small");
    let envelope = Envelope::sign(&payload, &keys.iter().collect::<Vec<_>>()).expect("an envelope");
    envelope.to_line().expect("small")
}

fn manifest_statement() -> Statement<TrainingRun> {
    Statement::new(subjects(), run()).expect("a statement")
}

fn manifest() -> Vec<u8> {
    signed(&manifest_statement(), &[TRAINER])
}

/// A verdict on [`manifest`] in the name of this key.
fn verdict_of(byte: u8) -> ReplayVerdict {
    let manifest = sha256(&strict_json::to_vec(&manifest_statement()).expect("small"));
    let verifier = VerifierRecord { keyid: key(byte).public().keyid(), version: "0.1.0".into() };
    ReplayVerdict { manifest, verifier, ..example(Outcome::Passed) }
}

fn of<P: Predicate>(predicate: P) -> Statement<P> {
    Statement::new(subjects(), predicate).expect("a statement")
}

/// The bundle that a verifier writes.
fn bundle(verdict: &ReplayVerdict, byte: u8) -> Vec<u8> {
    let lines = [
        signed(&of(verdict.clone()), &[byte]),
        signed(&of(TestResult::of(verdict)), &[byte]),
        signed(&of(VerificationSummary::of(verdict)), &[byte]),
    ];
    lines.concat()
}

fn verify(verdict: &[u8], trust: &Trust) -> Result<VerifiedVerdict, VerificationError> {
    verify_verdict(verdict, &manifest(), trust, now(), Profile::Strict)
}

fn verifier() -> Trust {
    Trust::of_key(key(VERIFIER).public(), Role::Verifier)
}

fn refusal(verdict: &[u8]) -> VerificationError {
    verify(verdict, &verifier()).expect_err("a hostile verdict")
}

#[test]
fn a_verifiers_verdict_is_verified() {
    let verdict = verdict_of(VERIFIER);
    for lines in [bundle(&verdict, VERIFIER), signed(&of(verdict.clone()), &[VERIFIER])] {
        let verified = verify(&lines, &verifier()).expect("a sound verdict");
        assert_eq!(verified.verdict(), &verdict);
        assert_eq!(verified.statement().subject, subjects());
        assert_eq!(verified.signers()[0].keyid, key(VERIFIER).public().keyid());
    }
}

#[test]
fn a_trainers_key_cannot_sign_a_verdict() {
    // By role.
    let trainer = Trust::of_key(key(TRAINER).public(), Role::Trainer);
    let lines = bundle(&verdict_of(TRAINER), TRAINER);
    assert!(matches!(verify(&lines, &trainer), Err(VerificationError::Signatures { counted: 0, .. })));
    // And where somebody trusts it as a verifier's, because it signed this very manifest.
    let mistaken = Trust::of_key(key(TRAINER).public(), Role::Verifier);
    assert!(matches!(verify(&lines, &mistaken), Err(VerificationError::OwnVerdict { .. })));
}

#[test]
fn a_second_signer_of_the_manifest_cannot_sign_the_verdict() {
    // The run's signature that counts is the trainer's; the other is by a key that only verdicts are trusted of.
    let manifest = signed(&manifest_statement(), &[TRAINER, VERIFIER]);
    let lines = bundle(&verdict_of(VERIFIER), VERIFIER);
    let error = verify_verdict(&lines, &manifest, &verifier(), now(), Profile::Strict).expect_err("its own verifier");
    assert!(matches!(error, VerificationError::OwnVerdict { .. }), "{error}");
}

#[test]
fn a_verdict_by_nobody_known_is_refused() {
    assert!(matches!(refusal(&bundle(&verdict_of(9), 9)), VerificationError::Signatures { counted: 0, .. }));
}

#[test]
fn a_verdict_in_the_name_of_another_verifier_is_refused() {
    let got = key(9).public().keyid();
    assert_eq!(refusal(&bundle(&verdict_of(9), VERIFIER)), VerificationError::OtherVerifier { got });
}

#[test]
fn an_old_verdict_passed_off_for_another_manifest_is_refused() {
    let verdict = ReplayVerdict { manifest: sha256(b"another"), ..verdict_of(VERIFIER) };
    let error = refusal(&bundle(&verdict, VERIFIER));
    assert!(matches!(error, VerificationError::OtherManifest { got, .. } if got == sha256(b"another")), "{error}");
}

#[test]
fn a_verdict_on_other_files_or_another_run_id_is_refused() {
    let mut other = of(verdict_of(VERIFIER));
    other.subject[0].digest.sha256 = sha256(b"better predictions");
    let renamed = of(ReplayVerdict { run_id: "another".into(), ..verdict_of(VERIFIER) });
    for (statement, expected) in [(other, "subjects"), (renamed, "run id")] {
        match refusal(&signed(&statement, &[VERIFIER])) {
            VerificationError::Contradiction { what, .. } => assert_eq!(what, expected),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn a_test_result_or_summary_better_than_the_verdict_is_refused() {
    let mut failed = verdict_of(VERIFIER);
    (failed.checks[7].outcome, failed.result) = (Outcome::Failed, Outcome::Failed);
    let line = signed(&of(failed.clone()), &[VERIFIER]);
    assert!(verify(&bundle(&failed, VERIFIER), &verifier()).is_ok(), "a bad verdict is a verdict");
    let passed = verdict_of(VERIFIER);
    for (better, kind) in [
        (signed(&of(TestResult::of(&passed)), &[VERIFIER]), TestResult::TYPE),
        (signed(&of(VerificationSummary::of(&passed)), &[VERIFIER]), VerificationSummary::TYPE),
    ] {
        let expected = VerificationError::Contradiction { kind, of: ReplayVerdict::TYPE, what: "predicate" };
        assert_eq!(refusal(&[line.clone(), better].concat()), expected);
    }
}

#[test]
fn two_verdicts_or_none_are_refused() {
    let line = signed(&of(verdict_of(VERIFIER)), &[VERIFIER]);
    assert_eq!(refusal(&line.repeat(2)), VerificationError::VerdictCount { got: 2 });
    let result = signed(&of(TestResult::of(&verdict_of(VERIFIER))), &[VERIFIER]);
    assert_eq!(refusal(&result), VerificationError::VerdictCount { got: 0 });
    let twice = [line, result.clone(), result].concat();
    assert_eq!(refusal(&twice), VerificationError::Repeated { kind: TestResult::TYPE });
}

#[test]
fn a_manifest_is_no_verdict_and_a_verdict_no_manifest() {
    let signed_by_verifier = signed(&manifest_statement(), &[VERIFIER]);
    assert!(matches!(refusal(&signed_by_verifier), VerificationError::Statement(_)));
    let lines = bundle(&verdict_of(VERIFIER), VERIFIER);
    let error = verify_verdict(&lines, &lines, &verifier(), now(), Profile::Strict).expect_err("no manifest");
    assert_eq!(error, VerificationError::RunCount { got: 0 });
}

#[test]
fn a_policy_with_both_roles_takes_the_verdict_of_the_verifier_only() {
    let trusted = |name: &str, byte, role| TrustedKey::new(name.into(), key(byte).public(), role);
    let keys = vec![trusted("trainer", TRAINER, Role::Trainer), trusted("verifier", VERIFIER, Role::Verifier)];
    let policy = Trust::of_keys(keys, Thresholds::default());
    assert!(verify(&bundle(&verdict_of(VERIFIER), VERIFIER), &policy).is_ok());
    let lines = bundle(&verdict_of(TRAINER), TRAINER);
    assert!(matches!(verify(&lines, &policy), Err(VerificationError::Signatures { counted: 0, .. })));
}
