//! Hostile manifests, named by their fault, one test each; in the tolerant profile where the fault is not the
//! spelling, so that it is not the strict one that saves us.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::manifest::dsse::{MAX_SIGNATURES, Signature};
use crate::manifest::key::SigningKey;
use crate::manifest::predicate::tests::{example, sparse_example};
use crate::manifest::statement::{Subject, SubjectDigest};
use crate::manifest::trust::{Thresholds, TrustedKey};
use crate::provenance::path::RelativePath;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_random(&[byte; 32])
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn now() -> Timestamp {
    time("2026-06-01T00:00:00Z")
}

/// Trusts the keys 1 to `keys` as trainers.
fn trust(keys: u8, threshold: u32) -> Trust {
    policy(keys, threshold, |_| {})
}

fn policy(keys: u8, threshold: u32, change: impl Fn(&mut TrustedKey)) -> Trust {
    let trusted = |byte: u8| {
        let (name, public_key) = (format!("key {byte}"), key(byte).public());
        let role = Role::Trainer;
        let mut key = TrustedKey::new(name, public_key, role);
        change(&mut key);
        key
    };
    let thresholds = Thresholds { trainer: threshold, verifier: 1 };
    Trust::of_keys((1..=keys).map(trusted).collect(), thresholds)
}

fn payload() -> Vec<u8> {
    let name = RelativePath::parse("predictions/submission.csv").expect("a path");
    let subject = vec![Subject { name, digest: SubjectDigest { sha256: sha256(b"") } }];
    strict_json::to_vec(&Statement::new(subject, example()).expect("a statement")).expect("small")
}

fn text() -> String {
    String::from_utf8(payload()).expect("UTF-8")
}

fn sign(payload: &[u8], keys: &[u8]) -> Envelope {
    let keys: Vec<_> = keys.iter().map(|byte| key(*byte)).collect();
    Envelope::sign(payload, &keys.iter().collect::<Vec<_>>()).expect("an envelope")
}

/// In the tolerant profile; see [`strictly`].
fn verify(envelope: &[u8], trust: &Trust, at: Timestamp) -> Result<VerifiedManifest, VerificationError> {
    super::verify(envelope, trust, at, Profile::Tolerant)
}

fn strictly(envelope: &[u8], trust: &Trust) -> Result<VerifiedManifest, VerificationError> {
    super::verify(envelope, trust, now(), Profile::Strict)
}

fn bytes(envelope: &Envelope) -> Vec<u8> {
    strict_json::to_vec(envelope).expect("small")
}

fn refusal(envelope: &Envelope, trust: &Trust) -> VerificationError {
    verify(&bytes(envelope), trust, now()).expect_err("a hostile manifest")
}

/// The refusal of a payload that a trusted key did sign.
fn refusal_of_signed(payload: impl AsRef<[u8]>) -> VerificationError {
    refusal(&sign(payload.as_ref(), &[1]), &trust(1, 1))
}

fn assert_unsigned(error: &VerificationError) {
    assert!(matches!(error, VerificationError::Signatures { counted: 0, .. }), "{error}");
}

#[test]
fn a_signed_manifest_is_verified() {
    let verified = verify(&bytes(&sign(&payload(), &[1])), &trust(2, 1), now()).expect("a sound manifest");
    assert_eq!(verified.predicate(), &example());
    assert_eq!(verified.statement().subject[0].name.as_str(), "predictions/submission.csv");
    assert_eq!(verified.identity(), sha256(&payload()));
    assert_eq!(verified.signers(), [Signer { name: "key 1".into(), keyid: key(1).public().keyid() }]);
}

#[test]
fn a_manifest_with_every_option_absent_is_verified() {
    let name = RelativePath::parse("a").expect("a path");
    let subject = vec![Subject { name, digest: SubjectDigest { sha256: sha256(b"") } }];
    let payload = strict_json::to_vec(&Statement::new(subject, sparse_example()).expect("a statement")).expect("small");
    assert!(verify(&bytes(&sign(&payload, &[1])), &trust(1, 1), now()).is_ok());
}

#[test]
fn the_identity_is_that_of_the_payload_and_not_of_the_envelope() {
    let identity =
        |envelope: &Envelope| verify(&bytes(envelope), &trust(2, 1), now()).expect("a sound manifest").identity();
    let mut relabelled = sign(&payload(), &[1]);
    relabelled.signatures[0].keyid = String::new();
    assert_eq!(identity(&relabelled), identity(&sign(&payload(), &[2, 1])));
}

#[test]
fn a_single_given_key_is_trusted() {
    let verified = verify(&bytes(&sign(&payload(), &[1])), &Trust::single(key(1).public()), now());
    assert_eq!(verified.expect("a sound manifest").signers().len(), 1);
    assert_unsigned(&refusal(&sign(&payload(), &[2]), &Trust::single(key(1).public())));
}

#[test]
fn a_tampered_payload_byte_is_found_wherever_it_is() {
    let (envelope, original) = (sign(&payload(), &[1]), payload());
    for index in (0..original.len()).step_by(101).chain([original.len() - 1]) {
        let mut payload = original.clone();
        payload[index] ^= 1;
        let tampered = Envelope { payload: STANDARD.encode(payload), ..envelope.clone() };
        assert_unsigned(&refusal(&tampered, &trust(1, 1)));
    }
}

#[test]
fn a_tampered_signature_is_found() {
    let mut envelope = sign(&payload(), &[1]);
    let mut sig = STANDARD.decode(&envelope.signatures[0].sig).expect("Base64");
    sig[0] ^= 1;
    envelope.signatures[0].sig = STANDARD.encode(sig);
    assert_unsigned(&refusal(&envelope, &trust(1, 1)));
}

#[test]
fn the_wrong_key_is_found() {
    assert_unsigned(&refusal(&sign(&payload(), &[9]), &trust(2, 1)));
}

#[test]
fn a_key_id_is_not_believed() {
    let mut claimed = sign(&payload(), &[9]);
    claimed.signatures[0].keyid = key(1).public().keyid().to_string();
    assert_unsigned(&refusal(&claimed, &trust(1, 1)));
}

#[test]
fn a_signature_moved_from_another_manifest_is_found() {
    let mut envelope = sign(&payload(), &[1]);
    envelope.signatures = sign(b"{}", &[1]).signatures;
    assert_unsigned(&refusal(&envelope, &trust(1, 1)));
}

#[test]
fn a_signature_over_the_same_bytes_as_another_type_is_found() {
    let mut envelope = sign(&payload(), &[1]);
    envelope.signatures[0].sig = STANDARD.encode(key(1).sign(&pae("application/json", &payload())));
    assert_unsigned(&refusal(&envelope, &trust(1, 1)));
    envelope.signatures[0].sig = STANDARD.encode(key(1).sign(&payload()));
    assert_unsigned(&refusal(&envelope, &trust(1, 1)));
}

#[test]
fn another_payload_type_is_refused_even_when_signed() {
    let mut envelope = sign(&payload(), &[1]);
    envelope.payload_type = "application/json".into();
    envelope.signatures[0].sig = STANDARD.encode(key(1).sign(&pae("application/json", &payload())));
    let expected = EnvelopeError::PayloadType { expected: PAYLOAD_TYPE, got: "application/json".into() };
    assert_eq!(refusal(&envelope, &trust(1, 1)), VerificationError::Envelope(expected));
}

#[test]
fn a_scheme_named_by_the_envelope_is_not_believed() {
    let text = |key| String::from_utf8(bytes(&sign(&payload(), &[key]))).expect("UTF-8");
    for field in ["\"scheme\":\"none\",\"keyid\"", "\"alg\":\"none\",\"keyid\"", "\"cert\":\"\",\"keyid\""] {
        let named = |key| text(key).replace("\"keyid\"", field);
        let error = strictly(named(1).as_bytes(), &trust(1, 1)).expect_err("an unknown field");
        assert!(matches!(error, VerificationError::Envelope(EnvelopeError::Json(JsonError::Data { .. }))), "{error}");
        // Where it is passed over it is nothing: a good signature stays good, another stays none.
        assert!(verify(named(1).as_bytes(), &trust(1, 1), now()).is_ok());
        assert_unsigned(&verify(named(9).as_bytes(), &trust(1, 1), now()).expect_err("an unknown key"));
    }
}

#[test]
fn the_threshold_is_met_by_different_keys() {
    let verified = verify(&bytes(&sign(&payload(), &[2, 9, 1])), &trust(3, 2), now()).expect("a sound manifest");
    let names: Vec<_> = verified.signers().iter().map(|signer| signer.name.as_str()).collect();
    assert_eq!(names, ["key 1", "key 2"]);
}

#[test]
fn one_key_signing_twice_counts_once() {
    let error = refusal(&sign(&payload(), &[1, 1]), &trust(2, 2));
    assert_eq!(error.to_string(), "signed by 1 trusted keys, expected 2");
}

#[test]
fn one_key_under_two_key_ids_counts_once() {
    let mut envelope = sign(&payload(), &[1, 1]);
    envelope.signatures[1].keyid = key(2).public().keyid().to_string();
    assert!(matches!(refusal(&envelope, &trust(2, 2)), VerificationError::Signatures { counted: 1, .. }));
}

#[test]
fn a_stripped_signature_is_missed() {
    let mut envelope = sign(&payload(), &[1, 2]);
    assert!(verify(&bytes(&envelope), &trust(2, 2), now()).is_ok());
    envelope.signatures.pop();
    assert!(matches!(refusal(&envelope, &trust(2, 2)), VerificationError::Signatures { counted: 1, .. }));
}

#[test]
fn an_envelope_without_signatures_is_refused() {
    let envelope = Envelope { signatures: vec![], ..sign(&payload(), &[1]) };
    let expected = EnvelopeError::SignatureCount { got: 0 };
    assert_eq!(refusal(&envelope, &trust(1, 1)), VerificationError::Envelope(expected));
}

#[test]
fn seventeen_signatures_are_refused() {
    let mut envelope = sign(&payload(), &[1; MAX_SIGNATURES]);
    assert!(verify(&bytes(&envelope), &trust(1, 1), now()).is_ok());
    envelope.signatures.push(Signature { ..envelope.signatures[0].clone() });
    let expected = EnvelopeError::SignatureCount { got: 17 };
    assert_eq!(refusal(&envelope, &trust(1, 1)), VerificationError::Envelope(expected));
}

#[test]
fn an_expired_key_does_not_count() {
    let until = |key: &mut TrustedKey| key.not_after = Some(time("2026-05-31T00:00:00Z").into());
    let error = refusal(&sign(&payload(), &[1]), &policy(1, 1, until));
    let expected =
        "signed by 0 trusted keys, expected 1; the key of \"key 1\" does not count: it expired at 2026-05-31T00:00:00Z";
    assert_eq!(error.to_string(), expected);
    assert!(verify(&bytes(&sign(&payload(), &[1])), &policy(1, 1, until), time("2026-05-30T00:00:00Z")).is_ok());
}

#[test]
fn a_key_that_is_not_yet_valid_does_not_count() {
    let from = |key: &mut TrustedKey| key.not_before = Some(time("2026-06-02T00:00:00Z").into());
    let error = refusal(&sign(&payload(), &[1]), &policy(1, 1, from));
    assert!(error.to_string().ends_with("it is not valid before 2026-06-02T00:00:00Z"), "{error}");
}

#[test]
fn a_revoked_key_does_not_count_whatever_time_the_manifest_claims() {
    // The claimed times are from January, before the revocation.
    let revoked = |key: &mut TrustedKey| key.revoked_at = Some(time("2026-03-01T00:00:00Z").into());
    let error = refusal(&sign(&payload(), &[1]), &policy(1, 1, revoked));
    assert!(error.to_string().ends_with("it was revoked at 2026-03-01T00:00:00Z"), "{error}");
}

#[test]
fn a_verifiers_key_cannot_sign_a_run() {
    let verifier = |key: &mut TrustedKey| key.role = Role::Verifier;
    let error = refusal(&sign(&payload(), &[1]), &policy(1, 1, verifier));
    let fault = KeyFault::Role { expected: Role::Trainer, got: Role::Verifier };
    assert!(matches!(error, VerificationError::Signatures { refused, .. } if refused[0].fault == fault));
}

#[test]
fn a_key_for_another_challenge_does_not_count() {
    let only = |challenge: &str| {
        let challenges = Some(vec![challenge.to_owned()]);
        policy(2, 1, move |key| key.challenges.clone_from(&challenges))
    };
    let run = example().run.challenge.expect("the example is of a challenge");
    assert!(verify(&bytes(&sign(&payload(), &[1])), &only(&run), now()).is_ok());
    let error = refusal(&sign(&payload(), &[1, 2]), &only("another"));
    let fault = KeyFault::Challenge { expected: vec!["another".into()], got: Some(run) };
    assert!(matches!(&error, VerificationError::Signatures { counted: 0, refused, .. } if refused[1].fault == fault));
    // A run of no challenge is of none of those the key is for.
    let name = RelativePath::parse("a").expect("a path");
    let subject = vec![Subject { name, digest: SubjectDigest { sha256: sha256(b"") } }];
    let free = strict_json::to_vec(&Statement::new(subject, sparse_example()).expect("a statement")).expect("small");
    let error = refusal(&sign(&free, &[1]), &only("another"));
    let fault = KeyFault::Challenge { expected: vec!["another".into()], got: None };
    assert!(matches!(&error, VerificationError::Signatures { counted: 0, refused, .. } if refused[0].fault == fault));
}

#[test]
fn the_threshold_is_met_by_keys_for_the_challenge() {
    let run = example().run.challenge.expect("the example is of a challenge");
    let mut first = TrustedKey::new("key 1".into(), key(1).public(), Role::Trainer);
    let second = TrustedKey::new("key 2".into(), key(2).public(), Role::Trainer);
    first.challenges = Some(vec!["another".into()]);
    let trust = |first: &TrustedKey| {
        Trust::of_keys(vec![first.clone(), second.clone()], Thresholds { trainer: 2, verifier: 1 })
    };
    let error = refusal(&sign(&payload(), &[1, 2]), &trust(&first));
    assert!(matches!(error, VerificationError::Signatures { counted: 1, threshold: 2, .. }), "{error}");
    first.challenges = Some(vec![run]);
    assert!(verify(&bytes(&sign(&payload(), &[1, 2])), &trust(&first), now()).is_ok());
}

#[test]
fn a_trainers_threshold_is_not_met_by_a_verifiers_key() {
    let keys = [(1, Role::Trainer), (2, Role::Verifier), (3, Role::Trainer)];
    let keys = keys.map(|(byte, role)| TrustedKey::new(format!("key {byte}"), key(byte).public(), role));
    let trust = Trust::of_keys(keys.into(), Thresholds { trainer: 2, verifier: 1 });
    let error = refusal(&sign(&payload(), &[1, 2]), &trust);
    assert!(matches!(error, VerificationError::Signatures { counted: 1, threshold: 2, .. }), "{error}");
    assert!(verify(&bytes(&sign(&payload(), &[1, 2, 3])), &trust, now()).is_ok());
}

#[test]
fn an_oversize_envelope_is_refused() {
    let mut envelope = bytes(&sign(&payload(), &[1]));
    envelope.resize(strict_json::MAX_BYTES, b' ');
    assert!(verify(&envelope, &trust(1, 1), now()).is_ok());
    envelope.push(b' ');
    let error = verify(&envelope, &trust(1, 1), now()).expect_err("too large");
    assert!(matches!(error, VerificationError::Envelope(EnvelopeError::Json(JsonError::TooLarge { .. }))), "{error}");
}

#[test]
fn an_envelope_with_a_duplicate_key_is_refused() {
    let text = String::from_utf8(bytes(&sign(&payload(), &[1]))).expect("UTF-8");
    let doubled = text.replacen("{\"payload\"", "{\"payload\":\"e30=\",\"payload\"", 1);
    let error = verify(doubled.as_bytes(), &trust(1, 1), now()).expect_err("a duplicate");
    let expected = JsonError::DuplicateKey { key: "payload".into() };
    assert_eq!(error, VerificationError::Envelope(EnvelopeError::Json(expected)));
}

#[test]
fn two_envelopes_in_one_line_are_refused() {
    let one = bytes(&sign(&payload(), &[1]));
    let error = verify(&[one.clone(), one].concat(), &trust(1, 1), now()).expect_err("trailing bytes");
    assert_eq!(error, VerificationError::Envelope(EnvelopeError::Json(JsonError::Trailing)));
}

#[test]
fn a_payload_in_another_spelling_of_base64_is_refused_and_tolerated_where_dsse_allows_it() {
    // Bytes that are written with '+' and '/', and need padding.
    let envelope = sign("{\"a\":\"ÿ~ÿ¿~~\"}".as_bytes(), &[1]);
    let url_safe = envelope.payload.replace('+', "-").replace('/', "_");
    let unpadded = envelope.payload.trim_end_matches('=').to_owned();
    assert!(url_safe != envelope.payload && unpadded != envelope.payload);
    for payload in [url_safe, unpadded] {
        let spelled = bytes(&Envelope { payload, ..envelope.clone() });
        let error = strictly(&spelled, &trust(1, 1)).expect_err("another spelling");
        assert!(matches!(error, VerificationError::Envelope(EnvelopeError::Base64 { .. })), "{error}");
        // It is signed, and no statement.
        let error = verify(&spelled, &trust(1, 1), now()).expect_err("no statement");
        assert!(matches!(error, VerificationError::Payload(_)), "{error}");
    }
    for payload in [envelope.payload.clone() + "\n", envelope.payload.clone() + "=", " ".to_owned() + &envelope.payload]
    {
        let error = refusal(&Envelope { payload, ..envelope.clone() }, &trust(1, 1));
        assert!(matches!(error, VerificationError::Envelope(EnvelopeError::Base64 { .. })), "{error}");
    }
}

#[test]
fn what_is_written_is_accepted_in_the_strict_profile() {
    assert!(strictly(&bytes(&sign(&payload(), &[1])), &trust(2, 1)).is_ok());
    assert!(strictly(&bytes(&sign(&payload(), &[2, 1])), &trust(2, 2)).is_ok());
}

#[test]
fn a_signature_that_nobody_vouches_for_is_refused_in_the_strict_profile() {
    let mut anonymous = sign(&payload(), &[1]);
    anonymous.signatures[0].keyid = String::new();
    let mut swapped = sign(&payload(), &[1, 2]);
    let keyid = swapped.signatures[0].keyid.clone();
    swapped.signatures[0].keyid = std::mem::replace(&mut swapped.signatures[1].keyid, keyid);
    let mut garbage = sign(&payload(), &[1, 2]);
    garbage.signatures[1].sig = STANDARD.encode([0; 64]);
    for (envelope, expected) in [
        (anonymous, 0),
        (swapped, 0),
        (garbage, 1),
        // A stranger's beside ours, before ours, and ours twice.
        (sign(&payload(), &[1, 9]), 1),
        (sign(&payload(), &[9, 1]), 0),
        (sign(&payload(), &[1, 1]), 1),
    ] {
        assert!(verify(&bytes(&envelope), &trust(2, 1), now()).is_ok(), "tolerated");
        match strictly(&bytes(&envelope), &trust(2, 1)) {
            Err(VerificationError::UnknownSignature { index, .. }) => assert_eq!(index, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_envelope_printed_prettily_is_tolerated_and_not_strict() {
    let pretty = serde_json::to_vec_pretty(&sign(&payload(), &[1])).expect("JSON");
    let bundle = |profile| super::verify_bundle(&pretty, &trust(1, 1), now(), profile);
    assert_eq!(bundle(Profile::Tolerant).expect("a bundle of one").identity(), sha256(&payload()));
    assert!(matches!(bundle(Profile::Strict), Err(VerificationError::Envelope(_))));
    assert!(matches!(
        strictly(&pretty, &trust(1, 1)),
        Err(VerificationError::Envelope(EnvelopeError::OtherBytes { .. }))
    ));
}

#[test]
fn a_payload_is_not_parsed_before_it_is_verified() {
    // Not even JSON: what is reported must be the signature.
    assert_unsigned(&refusal(&sign(b"\xff", &[9]), &trust(1, 1)));
}

#[test]
fn another_predicate_type_is_refused() {
    let got = "https://slsa.dev/provenance/v1";
    let expected = StatementError::PredicateType { expected: TrainingRun::TYPE, got: got.into() };
    let error = refusal_of_signed(text().replace(TrainingRun::TYPE, got));
    assert_eq!(error, VerificationError::Statement(expected.clone()));
    // A claim of another kind has other fields; it is still called by its kind.
    let foreign = format!(r#"{{"_type":"x","subject":[],"predicateType":"{got}","predicate":{{"a":1}}}}"#);
    assert_eq!(refusal_of_signed(foreign), VerificationError::Statement(expected));
}

#[test]
fn a_later_version_of_the_predicate_is_refused() {
    let error = refusal_of_signed(text().replace("training-run:v2", "training-run:v10"));
    assert!(matches!(error, VerificationError::Statement(StatementError::PredicateType { .. })), "{error}");
}

#[test]
fn a_signed_payload_with_a_duplicate_key_is_refused() {
    let text = text().replacen("\"seed\":", "\"seed\":\"1\",\"seed\":", 1);
    assert_eq!(refusal_of_signed(text), VerificationError::Payload(JsonError::DuplicateKey { key: "seed".into() }));
}

#[test]
fn a_signed_payload_with_an_alias_of_a_key_is_refused() {
    let text = text().replacen("\"seed\":", "\"se\\u0065d\":\"1\",\"seed\":", 1);
    assert_eq!(refusal_of_signed(text), VerificationError::Payload(JsonError::DuplicateKey { key: "seed".into() }));
}

#[test]
fn a_signed_payload_with_an_unknown_key_is_refused() {
    let error = refusal_of_signed(text().replacen("\"seed\":", "\"Seed\":\"1\",\"seed\":", 1));
    assert!(
        matches!(&error, VerificationError::Payload(JsonError::Data { message, .. }) if message.contains("`Seed`"))
    );
}

#[test]
fn a_signed_payload_that_nests_too_deep_is_refused() {
    let deep = "[".repeat(33) + &"]".repeat(33);
    let error = refusal_of_signed(text().replacen("\"seed\":", &format!("\"deep\":{deep},\"seed\":"), 1));
    assert_eq!(error, VerificationError::Payload(JsonError::TooDeep));
}

#[test]
fn a_signed_payload_with_trailing_bytes_is_refused() {
    assert_eq!(refusal_of_signed(text() + "{}"), VerificationError::Payload(JsonError::Trailing));
}

#[test]
fn signed_subjects_with_hostile_names_are_refused() {
    for name in ["/etc/passwd", "../submission.csv", "a\\\\b", "C:/a", "a\\u0000b", "a//b"] {
        let error = refusal_of_signed(text().replace("predictions/submission.csv", name));
        assert!(
            matches!(&error, VerificationError::Payload(JsonError::Data { path, .. }) if path == "subject[0].name")
        );
    }
}

#[test]
fn signed_subjects_that_clash_are_refused() {
    let digest = sha256(b"");
    let second = format!(r#""subject":[{{"name":"Predictions/x","digest":{{"sha256":"{digest}"}}}},"#);
    let error = refusal_of_signed(text().replace("\"subject\":[", &second));
    assert!(matches!(error, VerificationError::Statement(StatementError::SubjectNames(_))), "{error}");
}

#[test]
fn a_signed_claim_that_contradicts_itself_is_refused() {
    let error = refusal_of_signed(text().replace("\"clean\":false", "\"clean\":true"));
    assert!(matches!(error, VerificationError::Statement(StatementError::Predicate { .. })), "{error}");
}

fn bundle(envelopes: &[Envelope]) -> Vec<u8> {
    envelopes.iter().flat_map(|envelope| envelope.to_line().expect("small")).collect()
}

/// The run told as SLSA Provenance, signed.
fn provenance(change: impl FnOnce(&mut Statement<Provenance>), key: u8) -> Envelope {
    let run: Statement<TrainingRun> = strict_json::from_slice(&payload()).expect("a statement");
    let mut statement = Statement::new(run.subject, Provenance::of(&run.predicate)).expect("a statement");
    change(&mut statement);
    sign(&strict_json::to_vec(&statement).expect("small"), &[key])
}

fn verify_bundle(bundle: &[u8], trust: &Trust) -> Result<VerifiedManifest, VerificationError> {
    super::verify_bundle(bundle, trust, now(), Profile::Strict)
}

#[test]
fn a_bundle_is_verified_line_by_line() {
    let run = sign(&payload(), &[1]);
    let provenance = provenance(|_| {}, 1);
    for envelopes in [vec![run.clone()], vec![run.clone(), provenance.clone()], vec![provenance.clone(), run.clone()]] {
        let verified = verify_bundle(&bundle(&envelopes), &trust(1, 1)).expect("a sound bundle");
        assert_eq!(verified.identity(), sha256(&payload()));
    }
    let counted = |envelopes: &[Envelope]| verify_bundle(&bundle(envelopes), &trust(1, 1));
    assert_eq!(counted(std::slice::from_ref(&provenance)), Err(VerificationError::RunCount { got: 0 }));
    assert_eq!(counted(&[run.clone(), run.clone()]), Err(VerificationError::RunCount { got: 2 }));
    let repeated = VerificationError::Repeated { kind: Provenance::TYPE };
    assert_eq!(counted(&[run, provenance.clone(), provenance]), Err(repeated));
    assert!(matches!(verify_bundle(b"", &trust(1, 1)), Err(VerificationError::Envelope(_))));
}

#[test]
fn a_bundle_with_a_statement_of_another_kind_is_refused() {
    let foreign = sign(text().replace(TrainingRun::TYPE, "https://slsa.dev/provenance/v0.2").as_bytes(), &[1]);
    let error = verify_bundle(&bundle(&[sign(&payload(), &[1]), foreign]), &trust(1, 1)).expect_err("another kind");
    assert!(matches!(error, VerificationError::Statement(StatementError::PredicateType { .. })), "{error}");
}

#[test]
fn a_statement_of_one_kind_passed_off_as_another_is_refused() {
    // The run under the name of its provenance, and the other way round.
    let run = sign(text().replace(TrainingRun::TYPE, Provenance::TYPE).as_bytes(), &[1]);
    let error = verify_bundle(&bundle(&[sign(&payload(), &[1]), run]), &trust(1, 1)).expect_err("a run");
    assert!(matches!(error, VerificationError::Payload(JsonError::Data { .. })), "{error}");
    let renamed = STANDARD.decode(provenance(|_| {}, 1).payload).expect("Base64");
    let renamed = String::from_utf8(renamed).expect("UTF-8").replace(Provenance::TYPE, TrainingRun::TYPE);
    let error = verify_bundle(&bundle(&[sign(renamed.as_bytes(), &[1])]), &trust(1, 1)).expect_err("a provenance");
    assert!(matches!(error, VerificationError::Payload(JsonError::Data { .. })), "{error}");
}

#[test]
fn provenance_that_contradicts_the_run_is_refused() {
    type Change = fn(&mut Statement<Provenance>);
    let changes: [(&str, Change); 4] = [
        ("subjects", |statement| statement.subject[0].digest.sha256 = sha256(b"another file")),
        ("subjects", |statement| {
            statement.subject.push(Subject::new(RelativePath::parse("b").expect("a path"), sha256(b"")))
        }),
        ("predicate", |statement| statement.predicate.build_definition.external_parameters.seed = None),
        ("predicate", |statement| statement.predicate.run_details.metadata.invocation_id = "another run".into()),
    ];
    for (expected, change) in changes {
        let envelopes = [sign(&payload(), &[1]), provenance(change, 1)];
        let expected =
            VerificationError::Contradiction { kind: Provenance::TYPE, of: TrainingRun::TYPE, what: expected };
        assert_eq!(verify_bundle(&bundle(&envelopes), &trust(1, 1)), Err(expected));
    }
}

#[test]
fn provenance_signed_by_somebody_else_is_refused() {
    // Trusted, too, but not who signed the run.
    let envelopes = [sign(&payload(), &[1]), provenance(|_| {}, 2)];
    let what = "signers";
    let expected = VerificationError::Contradiction { kind: Provenance::TYPE, of: TrainingRun::TYPE, what };
    assert_eq!(verify_bundle(&bundle(&envelopes), &trust(2, 1)), Err(expected));
}

#[test]
fn a_bundle_with_one_line_that_nobody_trusted_signed_is_refused() {
    let error = verify_bundle(&bundle(&[sign(&payload(), &[1]), provenance(|_| {}, 9)]), &trust(1, 1));
    assert_unsigned(&error.expect_err("an untrusted line"));
}

proptest! {
    #[test]
    fn one_changed_byte_is_found_or_changes_nothing(index: prop::sample::Index, flip in 1..=255_u8) {
        let original = bytes(&sign(&payload(), &[1]));
        let mut changed = original.clone();
        changed[index.index(original.len())] ^= flip;
        // What is left are the hints: a key id, an escape in a name.
        if let Ok(verified) = verify(&changed, &trust(1, 1), now()) {
            prop_assert_eq!(verified.identity(), sha256(&payload()));
            prop_assert_eq!(verified.predicate(), &example());
        }
    }
}
