//! Hostile trust documents, named by their fault, one test each.

use super::document::{MAX_CHALLENGES, MAX_KEYS, MAX_NAME_CHARACTERS, MAX_ROOT_KEYS};
use super::state::StateFile;
use super::*;
use crate::manifest::dsse::{EnvelopeError, PAYLOAD_TYPE};
use crate::manifest::strict_json::JsonError;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_random(&[byte; 32])
}

fn public(byte: u8) -> PublicKey {
    key(byte).public()
}

fn time(text: &str) -> UtcTime {
    text.parse().expect("a time")
}

fn now() -> Timestamp {
    time("2026-06-01T00:00:00Z").0
}

fn trusted(byte: u8, role: Role) -> TrustedKey {
    TrustedKey::new(format!("key {byte}"), public(byte), role)
}

fn root(keys: &[u8], threshold: u32) -> Root {
    Root { keys: keys.iter().map(|byte| public(*byte)).collect(), threshold }
}

/// Version 3 of the organisation whose root key is 100: it trusts the trainer 1.
fn document() -> TrustDocument {
    let mut document = TrustDocument::first(root(&[100], 1), time("2026-01-01T00:00:00Z"));
    document.version = 3;
    document.keys = vec![trusted(1, Role::Trainer)];
    document
}

fn changed(change: impl FnOnce(&mut TrustDocument)) -> TrustDocument {
    let mut document = document();
    change(&mut document);
    document
}

/// Signs whatever it is, without the checks of [`TrustDocument::sign`].
fn signed(document: &TrustDocument, keys: &[u8]) -> Vec<u8> {
    signed_bytes(&serde_json::to_vec(document).expect("JSON"), keys)
}

fn signed_bytes(payload: &[u8], keys: &[u8]) -> Vec<u8> {
    let keys: Vec<_> = keys.iter().map(|byte| key(*byte)).collect();
    let envelope = Envelope::sign_as(TRUST_PAYLOAD_TYPE, payload, &keys.iter().collect::<Vec<_>>());
    envelope.expect("an envelope").to_line().expect("small")
}

fn accept(envelope: &[u8], state: &mut TrustState) -> Result<Trust, TrustError> {
    Trust::accept(envelope, NamedRoot::Once(&public(100)), state, now())
}

/// The refusal of a document by a verifier who has seen none yet; nothing is remembered of it.
fn refusal(envelope: &[u8]) -> TrustError {
    let mut state = TrustState::default();
    let error = accept(envelope, &mut state).expect_err("a hostile document");
    assert_eq!(state, TrustState::default());
    error
}

fn refusal_of_signed(change: impl FnOnce(&mut TrustDocument)) -> TrustError {
    refusal(&signed(&changed(change), &[100]))
}

/// A verifier who has accepted [`document`].
fn state() -> TrustState {
    let mut state = TrustState::default();
    accept(&signed(&document(), &[100]), &mut state).expect("a sound document");
    state
}

/// The refusal of a document by a verifier who has accepted [`document`].
fn later_refusal(envelope: &[u8]) -> TrustError {
    let mut known = state();
    let error = accept(envelope, &mut known).expect_err("a hostile document");
    assert_eq!(known, state());
    error
}

#[test]
fn a_signed_document_is_accepted_with_its_keys_and_thresholds() {
    let document = changed(|document| {
        document.keys.extend([trusted(2, Role::Trainer), trusted(3, Role::Verifier)]);
        document.thresholds.trainer = 2;
    });
    let envelope = document.sign(&[&key(100)]).expect("an envelope").to_line().expect("small");
    let trust = accept(&envelope, &mut TrustState::default()).expect("a sound document");
    assert_eq!(trust.keys(), document.keys);
    assert_eq!([Role::Trainer, Role::Verifier].map(|role| trust.threshold(role)), [2, 1]);
    let source = trust.source().expect("a document");
    assert_eq!((source.anchor, source.version), (public(100).keyid(), 3));
    assert_eq!(source.sha256, sha256(&strict_json::to_vec(&document).expect("small")));
}

#[test]
fn an_unsigned_document_is_refused() {
    let bytes = strict_json::to_vec(&document()).expect("small");
    assert!(matches!(refusal(&bytes), TrustError::Envelope(EnvelopeError::Json(JsonError::Data { .. }))));
    let mut envelope = document().sign(&[&key(100)]).expect("an envelope");
    envelope.signatures.clear();
    let bytes = strict_json::to_vec(&envelope).expect("small");
    assert_eq!(refusal(&bytes), TrustError::Envelope(EnvelopeError::SignatureCount { got: 0 }));
}

#[test]
fn a_document_signed_by_a_stranger_is_refused() {
    let expected = TrustError::RootSignatures { set: RootSet::Pinned, threshold: 1, counted: 0 };
    assert_eq!(refusal(&signed(&document(), &[9])), expected);
    // Nor does it help to list oneself as the root.
    assert_eq!(refusal(&signed(&changed(|document| document.root = root(&[9], 1)), &[9])), expected);
    // Nothing a stranger wrote is parsed.
    assert_eq!(refusal(&signed_bytes(b"\xff", &[9])), expected);
}

#[test]
fn a_trusted_key_cannot_sign_the_document() {
    assert!(matches!(refusal(&signed(&document(), &[1])), TrustError::RootSignatures { counted: 0, .. }));
}

#[test]
fn a_document_signed_as_a_statement_is_refused() {
    let payload = strict_json::to_vec(&document()).expect("small");
    let mut envelope = Envelope::sign(&payload, &[&key(100)]).expect("an envelope");
    let bytes = envelope.to_line().expect("small");
    let expected = EnvelopeError::PayloadType { expected: TRUST_PAYLOAD_TYPE, got: PAYLOAD_TYPE.into() };
    assert_eq!(refusal(&bytes), TrustError::Envelope(expected));
    // The type is signed, too.
    envelope.payload_type = TRUST_PAYLOAD_TYPE.into();
    assert!(matches!(refusal(&envelope.to_line().expect("small")), TrustError::RootSignatures { counted: 0, .. }));
}

#[test]
fn a_tampered_document_is_refused() {
    let mut envelope = document().sign(&[&key(100)]).expect("an envelope");
    let better = changed(|document| document.keys[0].public_key = public(9));
    envelope.payload = Envelope::sign(&strict_json::to_vec(&better).expect("small"), &[&key(9)]).expect("one").payload;
    assert!(matches!(refusal(&envelope.to_line().expect("small")), TrustError::RootSignatures { counted: 0, .. }));
}

#[test]
fn copies_of_one_root_signature_count_once() {
    let document = changed(|document| document.root = root(&[100, 101, 102], 2));
    let expected = TrustError::RootSignatures { set: RootSet::Listed, threshold: 2, counted: 1 };
    assert_eq!(refusal(&signed(&document, &[100, 100, 100])), expected);
    assert!(accept(&signed(&document, &[100, 102]), &mut TrustState::default()).is_ok());
    assert_eq!(document.sign(&[&key(100), &key(100)]), Err(expected));
}

#[test]
fn a_document_that_its_own_root_did_not_sign_is_refused() {
    let expected = TrustError::RootSignatures { set: RootSet::Listed, threshold: 1, counted: 0 };
    assert_eq!(refusal(&signed(&changed(|document| document.root = root(&[101], 1)), &[100])), expected);
}

#[test]
fn an_older_version_is_refused() {
    let error = later_refusal(&signed(&changed(|document| document.version = 2), &[100]));
    assert_eq!(error, TrustError::Rollback { got: 2, seen: 3 });
    assert!(accept(&signed(&changed(|document| document.version = 4), &[100]), &mut state()).is_ok());
}

#[test]
fn the_same_version_with_other_bytes_is_refused() {
    let other = changed(|document| document.keys[0].public_key = public(9));
    assert!(matches!(later_refusal(&signed(&other, &[100])), TrustError::SameVersion { version: 3, .. }));
    // The same document again is the same, whoever else signed it.
    assert!(accept(&signed(&document(), &[9, 100]), &mut state()).is_ok());
}

#[test]
fn an_expired_document_is_refused() {
    let until = |text: &str| signed(&changed(|document| document.expires_at = Some(time(text))), &[100]);
    let expired = until("2026-05-31T23:59:59Z");
    assert_eq!(refusal(&expired), TrustError::Expired { expires_at: time("2026-05-31T23:59:59Z") });
    assert!(accept(&until("2026-06-01T00:00:00Z"), &mut TrustState::default()).is_ok());
    // Its author can still renew it.
    assert!(TrustDocument::reopen(&expired, &public(100), &TrustState::default()).is_ok());
}

#[test]
fn a_new_root_must_be_signed_by_the_old_one() {
    let rotated = changed(|document| (document.version, document.root) = (4, root(&[101], 1)));
    let expected = TrustError::RootSignatures { set: RootSet::Pinned, threshold: 1, counted: 0 };
    assert_eq!(later_refusal(&signed(&rotated, &[101])), expected);
    let mut state = state();
    accept(&signed(&rotated, &[100, 101]), &mut state).expect("a sound rotation");
    // From then on the new root alone signs, whichever of the two the verifier names, or none.
    let next = changed(|document| (document.version, document.root) = (5, root(&[101], 1)));
    for named in [public(100), public(101)] {
        let trust = Trust::accept(&signed(&next, &[101]), NamedRoot::Once(&named), &mut state.clone(), now());
        let source = trust.expect("the next version").source().expect("a document");
        assert_eq!((source.anchor, source.version), (public(100).keyid(), 5));
    }
    let back = changed(|document| document.version = 5);
    let error = Trust::accept(&signed(&back, &[100]), NamedRoot::Once(&public(100)), &mut state, now());
    assert_eq!(error, Err(TrustError::RootSignatures { set: RootSet::Pinned, threshold: 1, counted: 0 }));
    let old = Trust::accept(&signed(&document(), &[100, 101]), NamedRoot::Once(&public(101)), &mut state, now());
    assert_eq!(old, Err(TrustError::Rollback { got: 3, seen: 4 }));
}

#[test]
fn a_new_root_must_be_signed_by_as_many_of_the_old_one_as_it_asks_for() {
    let mut state = TrustState::default();
    let two = changed(|document| document.root = root(&[100, 101, 102], 2));
    accept(&signed(&two, &[100, 101]), &mut state).expect("a sound document");
    let rotated = changed(|document| (document.version, document.root) = (4, root(&[103], 1)));
    let error = accept(&signed(&rotated, &[103, 100]), &mut state).expect_err("one of two");
    assert_eq!(error, TrustError::RootSignatures { set: RootSet::Pinned, threshold: 2, counted: 1 });
    assert!(accept(&signed(&rotated, &[103, 101, 102]), &mut state).is_ok());
}

/// Accepts a document without a named root.
fn unnamed(envelope: &[u8], state: &mut TrustState) -> Result<Trust, TrustError> {
    Trust::accept(envelope, NamedRoot::Remembered, state, now())
}

#[test]
fn a_root_named_once_is_not_believed_for_later_documents() {
    let document = signed(&document(), &[100]);
    assert_eq!(unnamed(&document, &mut TrustState::default()), Err(TrustError::UnknownRoot));
    let mut known = state();
    assert_eq!(unnamed(&document, &mut known), Err(TrustError::UnknownRoot));
    let named = accept(&document, &mut known).expect("named again").source().expect("a document");
    assert_eq!(named.root, RootOrigin::Named);
    Trust::accept(&document, NamedRoot::Believed(&public(100)), &mut known, now()).expect("a sound document");
    // Naming it once more takes nothing back.
    accept(&document, &mut known).expect("a sound document");
    let remembered = unnamed(&document, &mut known).expect("a believed root").source().expect("a document");
    assert_eq!((remembered.root, remembered.anchor), (RootOrigin::Remembered, public(100).keyid()));
    assert_eq!(unnamed(&signed(&self::document(), &[9]), &mut known), Err(TrustError::UnknownRoot));
}

#[test]
fn a_believed_root_hands_over_to_the_next_one() {
    let mut known = TrustState::default();
    Trust::accept(&signed(&document(), &[100]), NamedRoot::Believed(&public(100)), &mut known, now()).expect("sound");
    let rotated = changed(|document| (document.version, document.root) = (4, root(&[101], 1)));
    unnamed(&signed(&rotated, &[100, 101]), &mut known).expect("a sound rotation");
    let next = changed(|document| (document.version, document.root) = (5, root(&[101], 1)));
    unnamed(&signed(&next, &[101]), &mut known).expect("the next version");
    let back = changed(|document| document.version = 6);
    assert_eq!(unnamed(&signed(&back, &[100]), &mut known), Err(TrustError::UnknownRoot));
}

#[test]
fn a_root_named_once_does_not_make_itself_believed_by_listing_a_believed_one() {
    let mut both = TrustState::default();
    Trust::accept(&signed(&document(), &[100]), NamedRoot::Believed(&public(100)), &mut both, now()).expect("sound");
    let usurper = changed(|document| (document.version, document.root) = (4, root(&[9, 100], 1)));
    Trust::accept(&signed(&usurper, &[9]), NamedRoot::Once(&public(9)), &mut both, now())
        .expect("a document of root 9");
    assert_eq!(unnamed(&signed(&usurper, &[9]), &mut both), Err(TrustError::UnknownRoot));
}

#[test]
fn whoever_lists_a_named_root_beside_their_own_cannot_sign_for_it() {
    let mut known = TrustState::default();
    let usurper =
        |version| signed(&changed(|document| (document.version, document.root) = (version, root(&[9, 100], 1))), &[9]);
    Trust::accept(&usurper(1), NamedRoot::Once(&public(9)), &mut known, now()).expect("a document of root 9");
    // The verifier asks for a document of root 100, of which nothing was seen yet.
    let error = accept(&usurper(2), &mut known).expect_err("signed by root 9 alone");
    assert_eq!(error, TrustError::RootSignatures { set: RootSet::Pinned, threshold: 1, counted: 0 });
}

#[test]
fn what_was_remembered_before_there_was_a_choice_is_not_believed_and_keeps_old_versions_out() {
    let folder = tempfile::tempdir().expect("temp dir");
    let path = folder.path().join("trust-state.json");
    let text = serde_json::to_string(&state()).expect("JSON");
    let before = text.replace(r#","believed":false"#, "");
    assert_ne!(before, text);
    std::fs::write(&path, before).expect("write");
    let mut file = StateFile::open(&path).expect("the state");
    assert_eq!(unnamed(&signed(&document(), &[100]), &mut file.state), Err(TrustError::UnknownRoot));
    let older = signed(&changed(|document| document.version = 2), &[100]);
    assert_eq!(accept(&older, &mut file.state), Err(TrustError::Rollback { got: 2, seen: 3 }));
}

#[cfg(unix)]
#[test]
fn a_state_that_remembers_nothing_is_refused() {
    let folder = tempfile::tempdir().expect("temp dir");
    let link = folder.path().join("state.json");
    std::os::unix::fs::symlink("/dev/null", &link).expect("a link");
    for path in [Path::new("/dev/null"), &link, folder.path()] {
        let error = StateFile::open(path).expect_err("no file").to_string();
        assert!(error.contains("expected a regular file"), "{error}");
    }
}

#[test]
fn another_organisation_cannot_speak_for_a_root_by_listing_it() {
    // Root 9 lists the key 100 as its own, at a version that nobody will reach.
    let usurper = changed(|document| (document.version, document.root) = (1 << 50, root(&[9, 100], 1)));
    let mut both = state();
    Trust::accept(&signed(&usurper, &[9]), NamedRoot::Once(&public(9)), &mut both, now())
        .expect("a document of root 9");
    assert!(accept(&signed(&changed(|document| document.version = 4), &[100]), &mut both).is_ok());
}

#[test]
fn a_root_key_that_is_trusted_too_is_refused() {
    let error = refusal_of_signed(|document| document.keys.push(trusted(100, Role::Verifier)));
    assert_eq!(error, TrustError::RootIsTrusted { name: "key 100".into() });
}

#[test]
fn a_root_without_keys_or_with_too_many_or_one_twice_is_refused() {
    // The pinned key signed all of them.
    let of = |root: Root| refusal_of_signed(|document| document.root = root);
    assert_eq!(of(root(&[], 1)), TrustError::RootCount { got: 0 });
    let many: Vec<_> = (100..=100 + MAX_ROOT_KEYS as u8).collect();
    assert_eq!(of(root(&many, 1)), TrustError::RootCount { got: MAX_ROOT_KEYS + 1 });
    assert_eq!(of(root(&[100, 100], 2)), TrustError::DuplicateRoot { keyid: public(100).keyid() });
    assert_eq!(of(root(&[100], 0)), TrustError::RootThreshold { got: 0, limit: 1 });
    assert_eq!(of(root(&[100], 2)), TrustError::RootThreshold { got: 2, limit: 1 });
}

#[test]
fn a_weak_root_or_trusted_key_is_refused() {
    let text = serde_json::to_string(&document()).expect("JSON");
    for byte in [1, 100] {
        let pem = public(byte).to_spki_pem().replace('\n', "\\n");
        assert!(text.contains(&pem));
        let error = refusal(&signed_bytes(text.replace(&pem, &"0".repeat(64)).as_bytes(), &[100]));
        let is_weak = |message: &str| message.contains("is weak");
        assert!(matches!(&error, TrustError::Json(JsonError::Data { message, .. }) if is_weak(message)), "{error:?}");
    }
}

#[test]
fn a_key_listed_twice_is_refused_in_whatever_form() {
    let error = refusal_of_signed(|document| {
        document.keys.push(TrustedKey { name: "again".into(), ..trusted(1, Role::Trainer) });
    });
    let expected = TrustError::DuplicateKey { first: "key 1".into(), second: "again".into() };
    assert_eq!(error, expected);
    let twice =
        changed(|document| document.keys.push(TrustedKey { name: "again".into(), ..trusted(1, Role::Trainer) }));
    let text = serde_json::to_string(&twice).expect("JSON");
    let pem = public(1).to_spki_pem().replace('\n', "\\n");
    let hex = Sha256Digest::from_bytes(*public(1).as_bytes()).to_string();
    for form in [hex, public(1).to_openssh()] {
        let aliased = text.replacen(&pem, &form, 1);
        assert_ne!(aliased, text);
        assert_eq!(refusal(&signed_bytes(aliased.as_bytes(), &[100])), expected);
    }
}

#[test]
fn a_trainer_cannot_be_the_verifier() {
    let error = refusal_of_signed(|document| {
        document.keys.push(TrustedKey { name: "again".into(), ..trusted(1, Role::Verifier) });
    });
    assert!(matches!(error, TrustError::DuplicateKey { .. }), "{error}");
}

#[test]
fn a_name_given_twice_is_refused() {
    let error = refusal_of_signed(|document| {
        document.keys.push(TrustedKey { name: "key 1".into(), ..trusted(2, Role::Trainer) });
    });
    assert_eq!(error, TrustError::DuplicateName { name: "key 1".into() });
}

#[test]
fn a_name_that_a_terminal_would_obey_is_refused() {
    for name in ["", "a\nb", "\u{1b}[2J", &"x".repeat(MAX_NAME_CHARACTERS + 1)] {
        let expected = TrustError::Text { text: name.to_owned() };
        assert_eq!(refusal_of_signed(|document| document.keys[0].name = name.to_owned()), expected);
        let challenges = vec!["ariel".to_owned(), name.to_owned()];
        assert_eq!(refusal_of_signed(|document| document.keys[0].challenges = Some(challenges)), expected);
    }
}

#[test]
fn an_empty_list_of_challenges_is_refused() {
    for got in [0, MAX_CHALLENGES + 1] {
        let challenges = (0..got).map(|number| number.to_string()).collect();
        let error = refusal_of_signed(|document| document.keys[0].challenges = Some(challenges));
        assert_eq!(error, TrustError::Challenges { name: "key 1".into(), got });
    }
}

#[test]
fn too_many_keys_are_refused() {
    let keys = |count: usize| (0..count as u8).map(|byte| trusted(byte, Role::Trainer)).collect::<Vec<_>>();
    assert_eq!(
        refusal_of_signed(|document| document.keys = keys(MAX_KEYS + 1)),
        TrustError::KeyCount { got: MAX_KEYS + 1 }
    );
    let most = changed(|document| document.keys = keys(MAX_KEYS));
    assert!(accept(&signed(&most, &[100]), &mut TrustState::default()).is_ok());
}

#[test]
fn a_threshold_that_means_nothing_is_refused() {
    let role = Role::Trainer;
    for got in [0, 2] {
        let error = refusal_of_signed(|document| document.thresholds.trainer = got);
        assert_eq!(error, TrustError::Threshold { got, role, limit: 1 });
    }
    // Two trainers could meet it, no verifier is there yet.
    let error = refusal_of_signed(|document| document.thresholds.verifier = 2);
    assert_eq!(error, TrustError::Threshold { got: 2, role: Role::Verifier, limit: 1 });
}

#[test]
fn a_version_that_parsers_read_differently_is_refused() {
    let error = refusal_of_signed(|document| document.version = 1 << 53);
    assert!(matches!(error, TrustError::Json(JsonError::UnsafeInteger { .. })), "{error}");
    assert_eq!(refusal_of_signed(|document| document.version = 0), TrustError::Version { got: 0 });
}

#[test]
fn a_key_that_is_never_valid_is_refused() {
    let (first, last) = (Some(time("2026-01-02T00:00:00Z")), Some(time("2026-01-01T00:00:00Z")));
    let error = refusal_of_signed(|document| (document.keys[0].not_before, document.keys[0].not_after) = (first, last));
    assert!(matches!(error, TrustError::EmptyPeriod { .. }), "{error}");
}

#[test]
fn a_document_without_one_of_its_fields_or_with_another_is_refused() {
    let text = serde_json::to_string(&document()).expect("JSON");
    for (from, to) in [
        (r#","revokedAt":null"#, ""),
        (r#","challenges":null"#, ""),
        (r#","expiresAt":null"#, ""),
        (r#""verifier":1"#, r#""verifier":1,"admin":1"#),
        (r#""role":"trainer""#, r#""role":"admin""#),
        (r#""role":"trainer""#, r#""role":"trainer","scheme":"rsa""#),
        (r#""threshold":1"#, r#""threshold":-1"#),
    ] {
        assert!(text.contains(from), "{from}");
        let error = refusal(&signed_bytes(text.replace(from, to).as_bytes(), &[100]));
        assert!(matches!(error, TrustError::Json(JsonError::Data { .. })), "{from}: {error}");
    }
    let doubled = text.replace(r#""version":3"#, r#""version":4,"version":3"#);
    let expected = TrustError::Json(JsonError::DuplicateKey { key: "version".into() });
    assert_eq!(refusal(&signed_bytes(doubled.as_bytes(), &[100])), expected);
}

#[test]
fn a_faulty_document_is_not_signed() {
    let faulty = changed(|document| document.thresholds.trainer = 0);
    assert!(matches!(faulty.sign(&[&key(100)]), Err(TrustError::Threshold { .. })));
    let few = TrustError::RootSignatures { set: RootSet::Listed, threshold: 1, counted: 0 };
    assert_eq!(document().sign(&[&key(9)]), Err(few));
}

#[test]
fn a_revocation_stays_at_its_earliest_moment() {
    let (early, late) = (time("2026-01-01T00:00:00Z"), time("2026-02-01T00:00:00Z"));
    let mut document = document();
    for (at, expected) in [(late, late), (early, early), (late, early)] {
        document.revoke("key 1", at).expect("there is such a key");
        assert_eq!(document.keys[0].revoked_at, Some(expected));
    }
    assert_eq!(document.revoke("key 2", early), Err(TrustError::UnknownName { name: "key 2".into() }));
}

#[test]
fn a_key_counts_from_its_first_to_its_last_moment_until_revoked() {
    let (first, last) = (time("2026-01-01T00:00:00Z"), time("2026-12-31T00:00:00Z"));
    let key = TrustedKey { not_before: Some(first), not_after: Some(last), ..trusted(1, Role::Trainer) };
    let fault = |key: &TrustedKey, at: &str| key.fault(Role::Trainer, time(at).0);
    assert_eq!(fault(&key, "2025-12-31T23:59:59.999999999Z"), Some(KeyFault::NotYetValid(first)));
    assert_eq!(fault(&key, "2026-01-01T00:00:00Z"), None);
    assert_eq!(fault(&key, "2026-12-31T00:00:00Z"), None);
    assert_eq!(fault(&key, "2026-12-31T00:00:00.000000001Z"), Some(KeyFault::Expired(last)));
    let revoked_at = time("2026-06-01T00:00:00Z");
    let revoked = TrustedKey { revoked_at: Some(revoked_at), ..key };
    assert_eq!(fault(&revoked, "2026-05-31T23:59:59Z"), None);
    assert_eq!(fault(&revoked, "2026-06-01T00:00:00Z"), Some(KeyFault::Revoked(revoked_at)));
    let wrong = KeyFault::Role { expected: Role::Verifier, got: Role::Trainer };
    assert_eq!(revoked.fault(Role::Verifier, first.0), Some(wrong));
}

#[test]
fn what_was_seen_outlives_the_process() {
    let folder = tempfile::tempdir().expect("temp dir");
    let path = folder.path().join("state/spectramind/trust-state.json");
    let mut file = StateFile::open(&path).expect("a new state");
    file.save().expect("nothing to write");
    assert!(!path.exists());
    accept(&signed(&document(), &[100]), &mut file.state).expect("a sound document");
    file.save().expect("written");
    drop(file);
    let mut file = StateFile::open(&path).expect("the state");
    assert_eq!(file.state, state());
    let older = signed(&changed(|document| document.version = 2), &[100]);
    assert_eq!(accept(&older, &mut file.state), Err(TrustError::Rollback { got: 2, seen: 3 }));
}

#[test]
fn a_damaged_state_is_refused_and_not_begun_anew() {
    let folder = tempfile::tempdir().expect("temp dir");
    let path = folder.path().join("trust-state.json");
    let sound = serde_json::to_string(&state()).expect("JSON");
    let nobody_has_to_sign = sound.replace(r#""threshold":1"#, r#""threshold":0"#);
    assert_ne!(nobody_has_to_sign, sound);
    for damaged in ["", "{}", &sound[1..], &nobody_has_to_sign] {
        std::fs::write(&path, damaged).expect("write");
        assert!(StateFile::open(&path).is_err(), "{damaged}");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), damaged);
    }
}
