//! Verdicts that must not pass, named by their fault: a folder with a manifest and what a verifier signed about it.

use super::*;
use crate::digest::sha256;
use crate::manifest::key::{PublicKey, SigningKey};
use crate::manifest::predicate::tests::example as run;
use crate::manifest::predicate::{FileRecord, TrainingRun};
use crate::manifest::statement::Subject;
use crate::manifest::strict_json::DecimalU64;
use crate::manifest::timestamp::UtcTime;
use crate::manifest::trust::{Thresholds, TrustedKey};
use crate::manifest::verdict::tests::example;
use crate::provenance::path::RelativePath;

const TRAINER: u8 = 1;
const VERIFIER: u8 = 2;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_random(&[byte; 32])
}

fn public(byte: u8) -> PublicKey {
    key(byte).public()
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn now() -> Timestamp {
    time("2026-06-01T00:00:00Z")
}

/// The files that the example run names; all hold the same bytes.
const FILES: [&str; 4] =
    ["checkpoints/step-00000002.safetensors", "data/train.jsonl", "predictions.csv", "steps.jsonl"];
const BYTES: &[u8] = b"bytes";

fn path(name: &str) -> RelativePath {
    RelativePath::parse(name).expect("a path")
}

fn line<P: Predicate>(predicate: P, byte: u8) -> (Vec<u8>, Sha256Digest) {
    let subjects = FILES.map(|name| Subject::new(path(name), sha256(BYTES))).to_vec();
    let statement = Statement::new(subjects, predicate).expect("a statement");
    let payload = strict_json::to_vec(&statement).expect("small");
    let line = Envelope::sign(&payload, &[&key(byte)]).expect("signs").to_line().expect("small");
    (line, sha256(&payload))
}

/// A run that the trainer signed, with a verdict of the verifier's on it.
fn folder(change: impl FnOnce(&mut ReplayVerdict)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temp dir");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(folder_of(&path)).expect("a folder");
        std::fs::write(path, bytes).expect("write");
    };
    let size = DecimalU64(BYTES.len() as u64);
    let files = FILES.map(|name| FileRecord { path: path(name), size }).to_vec();
    let (manifest, identity) = line(TrainingRun { files, ..run() }, TRAINER);
    let verifier = VerifierRecord { keyid: public(VERIFIER).keyid(), version: "0.1.0".into() };
    let mut verdict = ReplayVerdict { manifest: identity, verifier, ..example(Outcome::Passed) };
    change(&mut verdict);
    FILES.iter().for_each(|name| write(name, BYTES));
    write(MANIFEST, &manifest);
    write(VERDICT, &line(verdict, VERIFIER).0);
    folder
}

fn both() -> Trust {
    Trust::of_verifier_and_trainer(public(VERIFIER), public(TRAINER))
}

fn checked(folder: &tempfile::TempDir, trust: &Trust) -> VerdictReport {
    check_verdict(folder.path(), None, &Unsigned::default(), trust, now(), Profile::Strict)
}

/// What came of each check.
fn outcomes(report: &VerdictReport) -> Vec<(&str, Verdict)> {
    report.checks.iter().map(|check| (check.name.as_str(), check.verdict)).collect()
}

fn says(report: &VerdictReport, piece: &str) -> bool {
    report.checks.iter().flat_map(|check| &check.findings).any(|finding| finding.message.contains(piece))
}

/// Without a replay: neither the check nor what was trained again.
fn unreplayed(verdict: &mut ReplayVerdict) {
    verdict.checks.retain(|check| check.name != REPLAY);
    verdict.replay = None;
}

fn verifiers(folder: &tempfile::TempDir, trust: &Trust) -> Verifiers {
    let (_, run) = VerifiedRun::open(folder.path(), trust, now(), Profile::Strict);
    run.expect("a good signature").verifiers(trust, now(), Profile::Strict)
}

#[test]
fn a_verdict_on_a_replay_of_a_trusted_trainers_run_passes_and_says_whose_run_it_is() {
    let folder = folder(|_| {});
    let report = checked(&folder, &both());
    let passed = ["signature", "verdict", "files"].map(|name| (name, Verdict::Passed));
    assert_eq!(outcomes(&report), passed, "{report:#?}");
    let run = report.run.expect("a run");
    assert_eq!((run.id.as_str(), run.signers[0].keyid), ("20260131T120000Z-0123abcd", public(TRAINER).keyid()));
    assert_eq!(verifiers(&folder, &both()), Verifiers::Replayed(1));
}

#[test]
fn a_verdict_on_a_run_of_somebody_whom_nobody_trusts_does_not_pass() {
    // The verifier believed this trainer; whoever asks now does not.
    let other = Trust::of_verifier_and_trainer(public(VERIFIER), public(9));
    let report = checked(&folder(|_| {}), &other);
    let expected = [("signature", Verdict::Failed), ("verdict", Verdict::NotChecked)];
    assert_eq!(outcomes(&report), expected, "{report:#?}");
    assert_eq!(report.run, None);
}

#[test]
fn a_verdict_on_a_run_of_a_trainer_whose_key_was_revoked_since_fails() {
    let trusted = |revoked_at| {
        let trainer = TrustedKey::new("alice".into(), public(TRAINER), Role::Trainer);
        let verifier = TrustedKey::new("vic".into(), public(VERIFIER), Role::Verifier);
        Trust::of_keys(vec![TrustedKey { revoked_at, ..trainer }, verifier], Thresholds::default())
    };
    let folder = folder(|_| {});
    assert_eq!(outcomes(&checked(&folder, &trusted(None)))[0], ("signature", Verdict::Passed));
    let report = checked(&folder, &trusted(Some(UtcTime(time("2026-05-01T00:00:00Z")))));
    assert_eq!(outcomes(&report)[0], ("signature", Verdict::Failed));
    assert!(says(&report, "revoked"), "{report:#?}");
}

#[test]
fn a_verdict_under_a_verifiers_key_alone_is_not_checked_and_says_what_to_type() {
    let report = checked(&folder(|_| {}), &Trust::of_key(public(VERIFIER), Role::Verifier));
    let expected = [("signature", Verdict::NotChecked), ("verdict", Verdict::NotChecked)];
    assert_eq!(outcomes(&report), expected, "{report:#?}");
    assert!(says(&report, "--trainer-key PUB"));
}

#[test]
fn a_verdict_without_a_replay_is_not_checked_and_counts_for_no_policy() {
    let folder = folder(unreplayed);
    let report = checked(&folder, &both());
    assert_eq!(outcomes(&report)[1], ("verdict", Verdict::NotChecked), "{report:#?}");
    assert!(says(&report, "replay: the verifier did not train the run again"));
    assert_eq!(verifiers(&folder, &both()), Verifiers::Refused(NOT_REPLAYED.into()));
}

#[test]
fn a_bad_verdict_counts_for_no_policy() {
    let bad = folder(|verdict| (verdict.checks[3].outcome, verdict.result) = (Outcome::Failed, Outcome::Failed));
    assert_eq!(outcomes(&checked(&bad, &both()))[1], ("verdict", Verdict::Failed));
    assert_eq!(verifiers(&bad, &both()), Verifiers::Refused("it says of the check config: failed".into()));
    let foreign = Trust::of_verifier_and_trainer(public(9), public(TRAINER));
    assert!(matches!(verifiers(&folder(|_| {}), &foreign), Verifiers::Refused(_)));
    std::fs::remove_file(bad.path().join(VERDICT)).expect("remove");
    assert_eq!(verifiers(&bad, &both()), Verifiers::NoVerdict);
}

#[test]
fn a_manifest_exchanged_after_it_was_verified_lends_no_verdict() {
    let (folder, other) = (folder(|_| {}), folder(|verdict| verdict.run_id = "x".into()));
    let (_, run) = VerifiedRun::open(folder.path(), &both(), now(), Profile::Strict);
    let run = run.expect("a good signature");
    std::fs::copy(other.path().join(VERDICT), folder.path().join(VERDICT)).expect("copy");
    assert!(matches!(run.verifiers(&both(), now(), Profile::Strict), Verifiers::Refused(_)));
}

#[test]
fn a_file_changed_or_put_beside_the_run_since_the_verdict_is_found() {
    let folder = folder(|_| {});
    std::fs::write(folder.path().join("more.csv"), "").expect("write");
    let files = |unsigned: &Unsigned| {
        let report = check_verdict(folder.path(), None, unsigned, &both(), now(), Profile::Strict);
        (report.checks[2].name.clone(), report.checks[2].verdict)
    };
    let allowed = Unsigned(vec!["*.csv".into()]);
    assert_eq!(files(&Unsigned::default()), ("files".into(), Verdict::Failed));
    assert_eq!(files(&allowed), ("files".into(), Verdict::Passed));
    std::fs::write(folder.path().join("steps.jsonl"), "bytez").expect("write");
    assert_eq!(files(&allowed), ("files".into(), Verdict::Failed));
}

#[test]
fn a_verdict_that_is_not_there_is_not_checked() {
    let folder = folder(|_| {});
    std::fs::remove_file(folder.path().join(VERDICT)).expect("remove");
    let report = checked(&folder, &both());
    assert_eq!(outcomes(&report), [("signature", Verdict::Passed), ("verdict", Verdict::NotChecked)]);
    std::fs::remove_file(folder.path().join(MANIFEST)).expect("remove");
    let report = checked(&folder, &both());
    assert_eq!(outcomes(&report), [("signature", Verdict::NotChecked), ("verdict", Verdict::NotChecked)]);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_verdict_or_manifest_is_refused_without_waiting() {
    for name in [VERDICT, MANIFEST] {
        let folder = folder(|_| {});
        let path = folder.path().join(name);
        std::fs::remove_file(&path).expect("remove");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .expect("a pipe");
        let named = folder.path().join(VERDICT);
        for verdict in [None, Some(named.as_path())] {
            let report = check_verdict(folder.path(), verdict, &Unsigned::default(), &both(), now(), Profile::Strict);
            assert!(says(&report, "expected a regular file, got a named pipe"), "{name}: {report:#?}");
            assert!(report.checks.iter().any(|check| check.verdict == Verdict::Failed), "{report:#?}");
        }
    }
}
