//! What is said of keys that other programs wrote or somebody made, and of trust documents that were changed and signed again.

use std::fs;

use insta::assert_snapshot;
use spectramind::manifest::dsse::Envelope;
use spectramind::manifest::key::SigningKey;
use spectramind::manifest::trust::{Role, TRUST_PAYLOAD_TYPE, TrustDocument};

use super::said;
use crate::sandbox::{Sandbox, trained_copy};

/// A trained sandbox whose `trust.json`, of the root key `root.pem`, trusts whoever made the run, called alice.
fn organisation() -> Sandbox {
    let sandbox = trained_copy();
    for line in [
        "keys generate --out root.pem",
        "keys generate --out vic.pem",
        "keys trust init --root-key root.pem",
        "keys trust add --name vic --key vic.pub.pem --role verifier --root-key root.pem",
    ] {
        sandbox.done(&line.split(' ').collect::<Vec<_>>());
    }
    fs::write(sandbox.path("alice.pub"), sandbox.done(&["keys", "show", "--public"]).stdout).expect("write");
    sandbox.done(&["keys", "trust", "add", "--name=alice", "--key=alice.pub", "--role=trainer", "--root-key=root.pem"]);
    sandbox
}

/// What `line` comes to with a changed document, signed by the root past what the program would sign; afterwards all is as it was.
fn changed(sandbox: &Sandbox, change: impl FnOnce(&mut TrustDocument), line: &str) -> String {
    let path = sandbox.path("trust.json");
    let kept = fs::read(&path).expect("read");
    let mut document = TrustDocument::read_unverified(&kept).expect("a document");
    change(&mut document);
    let key = SigningKey::load(&sandbox.path("root.pem")).expect("a key");
    let payload = serde_json::to_vec(&document).expect("JSON");
    let envelope = Envelope::sign_as(TRUST_PAYLOAD_TYPE, &payload, &[&key]).expect("an envelope");
    fs::write(&path, envelope.to_line().expect("small")).expect("write");
    let said = said(sandbox, line);
    fs::write(&path, kept).expect("write");
    said
}

const CHECK: &str = "spectramind-verify manifest run --trust trust.json --root-key root.pub.pem --trust-state fresh.json; code=$?; rm -f fresh.json; exit $code";

#[test]
fn keys_of_other_programs() {
    let sandbox = trained_copy();
    let said = |text: &str| {
        fs::write(sandbox.path("other.pub"), text).expect("write");
        said(&sandbox, "spectramind-verify manifest run --key other.pub")
    };
    assert_snapshot!(said("ssh-rsa AAAA alice@example.org\n"), @"
    exit 3
      ! signature: not checked: key file other.pub: not an Ed25519 public key (SPKI PEM, OpenSSH, minisign, or 32 bytes in hex or Base64): expected the OpenSSH key type ssh-ed25519, got ssh-rsa
    ");
    assert_snapshot!(said("untrusted comment: minisign public key\nRWQ=\n"), @"
    exit 3
      ! signature: not checked: key file other.pub: not an Ed25519 public key (SPKI PEM, OpenSSH, minisign, or 32 bytes in hex or Base64): expected a minisign public key of 42 bytes, got 2
    ");
    let other = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [b"XX", &[7; 40][..]].concat());
    assert_snapshot!(said(&format!("untrusted comment: minisign public key\n{other}\n")), @"
    exit 3
      ! signature: not checked: key file other.pub: not an Ed25519 public key (SPKI PEM, OpenSSH, minisign, or 32 bytes in hex or Base64): expected the minisign algorithm `Ed`, got `XX`
    ");
    assert_snapshot!(said(&format!("01{}\n", "00".repeat(31))), @"
    exit 3
      ! signature: not checked: key file other.pub: public key [digest] is weak
    ");
}

#[test]
fn private_keys() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "printf secret > phrase; chmod 600 phrase; spectramind keys generate --encrypted --passphrase-file phrase --out own.pem 2> /dev/null; spectramind-verify audit run --sign own.pem"), @"
    exit 2
    Error: the key is encrypted: name its passphrase with --passphrase-file FILE or SPECTRAMIND_PASSPHRASE
    ");
    // Ten years of PBKDF2.
    let pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGmMGIGCSqGSIb3DQEFDTBVMDQGCSqGSIb3DQEFDDAnBBAAAAAAAAAAAAAAAAAA\nAAAAAgUA/////zAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQAAAAAAAAAAAA\nAAAAAAAAAARAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(sandbox.path("slow.pem"), pem).expect("write");
    assert_snapshot!(said(&sandbox, "chmod 600 slow.pem; spectramind train --signing-key slow.pem --passphrase-file phrase"), @"
    exit 1
    Error: key file slow.pem
      caused by: private key asks for a key derivation with iterations 4294967295, expected 1 to 10000000
    Hint: make a new key with `spectramind keys generate --out FILE`
    ");
}

#[test]
fn documents() {
    let sandbox = organisation();
    assert_snapshot!(changed(&sandbox, |document| document.version = 0, CHECK), @"
    exit 1
      ! trust: FAILED: trust.json: trust document has version 0, expected 1 to 9007199254740991
    ");
    assert_snapshot!(changed(&sandbox, |document| document.keys = vec![document.keys[0].clone(); 65], CHECK), @"
    exit 1
      ! trust: FAILED: trust.json: trust document has 65 keys, expected at most 64
    ");
    let expired = "2020-01-01T00:00:00Z";
    assert_snapshot!(changed(&sandbox, |document| document.expires_at = Some(expired.parse().expect("a time")), CHECK), @"
    exit 1
      ! trust: FAILED: trust.json: trust document expired at 2020-01-01T00:00:00Z
    ");
    assert_snapshot!(changed(&sandbox, |document| document.keys[1].challenges = Some(Vec::new()), CHECK), @r#"
    exit 1
      ! trust: FAILED: trust.json: trust document: the key of "alice" has 0 challenges, expected none given or 1 to 64
    "#);
    let renew = "spectramind keys trust renew --root-key root.pem --expires-at 2099-01-01T00:00:00Z";
    assert_snapshot!(changed(&sandbox, |document| document.keys[1].challenges = Some(vec!["x".into(); 65]), renew), @r#"
    exit 1
    Error: trust.json is not changed
      caused by: trust document: the key of "alice" has 65 challenges, expected none given or 1 to 64
    "#);
}

#[test]
fn keys_that_do_not_count() {
    let sandbox = organisation();
    let (early, late) =
        ("2020-01-01T00:00:00Z".parse().expect("a time"), "2099-01-01T00:00:00Z".parse().expect("a time"));
    assert_snapshot!(changed(&sandbox, |document| document.keys[1].not_after = Some(early), CHECK), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed by 0 trusted keys, expected 1; the key of "alice" does not count: it expired at 2020-01-01T00:00:00Z
    "#);
    assert_snapshot!(changed(&sandbox, |document| document.keys[1].not_before = Some(late), CHECK), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed by 0 trusted keys, expected 1; the key of "alice" does not count: it is not valid before 2099-01-01T00:00:00Z
    "#);
    assert_snapshot!(changed(&sandbox, |document| document.keys[1].revoked_at = Some(early), CHECK), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed by 0 trusted keys, expected 1; the key of "alice" does not count: it was revoked at 2020-01-01T00:00:00Z
    "#);
    assert_snapshot!(changed(&sandbox, |document| document.keys[1].challenges = Some(vec!["x".into()]), CHECK), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed by 0 trusted keys, expected 1; the key of "alice" does not count: it may sign for runs of the challenge "x", got one of none
    "#);
    assert_snapshot!(changed(&sandbox, |document| document.keys[1].role = Role::Verifier, CHECK), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed by 0 trusted keys, expected 1; the key of "alice" does not count: its role is verifier, expected trainer
    "#);
}

#[test]
fn what_is_remembered_of_documents() {
    let sandbox = organisation();
    let check = "spectramind-verify manifest run --trust trust.json --trust-state state.json";
    assert_snapshot!(said(&sandbox, check), @"
    exit 1
      ! trust: FAILED: trust.json: no root that was remembered here signed it: name one with --root-key PUB, and with --remember-root to have it believed from then on
    ");
    assert_snapshot!(said(&sandbox, &format!("{check} --root-key root.pub.pem")), @"
    exit 0
    ");
    assert_snapshot!(changed(&sandbox, |document| document.version = 2, &format!("{check} --root-key root.pub.pem")), @"
    exit 1
      ! trust: FAILED: trust.json: trust document has version 2, expected 3 or later: that one was accepted before
    ");
    let other = |document: &mut TrustDocument| document.keys.truncate(1);
    assert_snapshot!(changed(&sandbox, other, &format!("{check} --root-key root.pub.pem")), @"
    exit 1
      ! trust: FAILED: trust.json: trust document of version 3: expected sha256 [digest] as accepted before, got [digest]
    ");
    assert_snapshot!(said(&sandbox, "echo x > state.json; spectramind-verify manifest run --trust trust.json --root-key root.pub.pem --trust-state state.json"), @"
    exit 2
    Error: what was seen of trust documents cannot be kept; --trust-state FILE says where to, a regular file: trust state state.json: not JSON: expected value at line 1 column 1
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify manifest run --trust trust.json --root-key root.pub.pem --trust-state /dev/null"), @"
    exit 2
    Error: what was seen of trust documents cannot be kept; --trust-state FILE says where to, a regular file: trust state /dev/null: expected a regular file, which remembers, got something else
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify manifest run --trust trust.json --root-key root.pub.pem --trust-state /proc/nothing/state.json"), @"
    exit 2
    Error: what was seen of trust documents cannot be kept; --trust-state FILE says where to, a regular file: trust state /proc/nothing/state.json: No such file or directory (os error 2)
    ");
}
