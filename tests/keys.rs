//! Keys at rest, other programs' keys, and the life of a trust document, with the real programs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use spectramind::manifest::dsse::{self, Envelope, PAYLOAD_TYPE, Profile, bundle_envelopes};
use spectramind::manifest::key::SigningKey;
use spectramind::manifest::strict_json;
use spectramind::manifest::trust::TrustDocument;
use spectramind::manifest::verified::read_unverified;

use crate::sandbox::{Outcome, Sandbox, field, trained_copy};

const MANIFEST: &str = "run/manifest.intoto.jsonl";

/// Runs a program in the sandbox's folder.
fn program(sandbox: &Sandbox, name: &str, arguments: &str) -> Output {
    let output = Command::new(name).args(arguments.split(' ')).current_dir(sandbox.path("")).output();
    output.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Writes a file that only its owner may read.
fn put_secret(path: &Path, content: &str) {
    std::fs::write(path, content).expect("write");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("mode");
}

fn run(sandbox: &Sandbox, words: &str) -> Outcome {
    sandbox.run(&words.split(' ').collect::<Vec<_>>())
}

fn done(sandbox: &Sandbox, words: &str) -> Outcome {
    sandbox.done(&words.split(' ').collect::<Vec<_>>())
}

/// Expects a refusal in these words, with a hint.
fn assert_refused(outcome: &Outcome, code: i32, pieces: &[&str]) {
    assert_eq!(outcome.code, code, "{}{}", outcome.stdout, outcome.stderr);
    for piece in pieces.iter().chain(&["Hint: "]) {
        assert!(outcome.stderr.contains(piece), "{piece:?} is not said:\n{}", outcome.stderr);
    }
}

/// A sandbox with the encrypted key `own.pem`, whose passphrase is in the file `pass`.
fn with_encrypted_key() -> Sandbox {
    let sandbox = Sandbox::with_data();
    put_secret(&sandbox.path("pass"), "correct horse\n");
    done(&sandbox, "keys generate --out own.pem --encrypted --passphrase-file pass");
    sandbox
}

#[test]
fn a_run_signed_with_an_encrypted_key_is_verified() {
    let sandbox = with_encrypted_key();
    let train = ["train", "trainer=ci_fast", "run.dir=run", "--signing-key", "own.pem"];
    let trained = Outcome::of(sandbox.spectramind(&train).env("SPECTRAMIND_PASSPHRASE", "correct horse"));
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let shown = done(&sandbox, "keys show --signing-key own.pem").stdout;
    assert_eq!(field(&trained.stdout, "signed by "), field(&shown, "keyid "));
    assert_eq!(field(&shown, "encrypted "), "yes");
    let outcome = sandbox.verify(&["manifest", "run", "--key", "own.pub.pem"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    // The passphrase went nowhere.
    for file in [MANIFEST, "run/provenance.json"] {
        assert!(!std::fs::read_to_string(sandbox.path(file)).expect("read").contains("correct horse"), "{file}");
    }
}

#[test]
fn without_a_passphrase_nothing_is_trained() {
    let sandbox = with_encrypted_key();
    let train = ["train", "trainer=ci_fast", "run.dir=run", "--signing-key", "own.pem"];
    let outcome = Outcome::of(sandbox.spectramind(&train).stdin(Stdio::null()));
    assert_refused(&outcome, 2, &["own.pem needs a passphrase", "--passphrase-file", "SPECTRAMIND_PASSPHRASE"]);
    put_secret(&sandbox.path("wrong"), "incorrect horse\n");
    let wrong = sandbox.run(&[train.as_slice(), &["--passphrase-file", "wrong"]].concat());
    assert_refused(&wrong, 1, &["own.pem", "the passphrase does not open the private key"]);
    let empty = Outcome::of(sandbox.spectramind(&train).env("SPECTRAMIND_PASSPHRASE", ""));
    assert_refused(&empty, 1, &["the passphrase is empty"]);
    assert!(!sandbox.path("run").exists());
}

#[test]
fn a_secret_that_others_may_read_is_refused() {
    let sandbox = with_encrypted_key();
    for (file, mode) in [("pass", 0o644), ("own.pem", 0o640)] {
        std::fs::set_permissions(sandbox.path(file), std::fs::Permissions::from_mode(mode)).expect("mode");
        let init = "keys trust init --root-key own.pem --passphrase-file pass --out trust.json";
        let expected = format!("{file} has mode {mode:04o}, expected 0600");
        assert_refused(&run(&sandbox, init), 1, &[&expected, &format!("chmod 600 {file}")]);
        assert!(!sandbox.path("trust.json").exists());
        std::fs::set_permissions(sandbox.path(file), std::fs::Permissions::from_mode(0o600)).expect("mode");
    }
}

#[test]
fn a_passphrase_is_typed_twice_at_a_terminal() {
    let sandbox = Sandbox::new();
    // `script` gives the program a terminal of its own and types what it is given.
    let typed = |lines: &str, name: &str| {
        let command = format!("{} keys generate --encrypted --out {name}", env!("CARGO_BIN_EXE_spectramind"));
        let mut script = Command::new("script");
        script.args(["-qec", &command, "/dev/null"]).current_dir(sandbox.path(""));
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script of util-linux");
        let mut stdin = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut stdin, lines.as_bytes()).expect("typed");
        let output = child.wait_with_output().expect("it ends");
        drop(stdin);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (made, said) = typed("correct horse\ncorrect horse\n", "own.pem");
    assert!(made, "{said}");
    put_secret(&sandbox.path("pass"), "correct horse\n");
    assert_success(&program(&sandbox, "openssl", "pkey -in own.pem -noout -passin file:pass"));
    let (made, said) = typed("correct horse\nincorrect horse\n", "other.pem");
    assert!(!made && said.contains("the two passphrases differ"), "{said}");
    assert!(!sandbox.path("other.pem").exists());
}

#[test]
fn openssl_reads_our_keys_and_verifies_the_manifest() {
    let sandbox = trained_copy();
    let shown = done(&sandbox, "keys show").stdout;
    let own = field(&shown, "file ");
    let public = done(&sandbox, "keys show --public").stdout;
    let theirs = program(&sandbox, "openssl", &format!("pkey -in {own} -pubout"));
    assert_success(&theirs);
    assert_eq!(String::from_utf8_lossy(&theirs.stdout), public);
    std::fs::write(sandbox.path("public.pem"), &public).expect("write");
    let bundle = std::fs::read(sandbox.path(MANIFEST)).expect("read");
    let envelope = {
        let envelopes = bundle_envelopes(&bundle, Profile::Strict).expect("lines");
        Envelope::parse(envelopes[0], Profile::Strict).expect("an envelope")
    };
    let payload = STANDARD.decode(&envelope.payload).expect("Base64");
    std::fs::write(sandbox.path("message"), dsse::pae(PAYLOAD_TYPE, &payload)).expect("write");
    let signature = STANDARD.decode(&envelope.signatures[0].sig).expect("Base64");
    std::fs::write(sandbox.path("signature"), signature).expect("write");
    let verify = "pkeyutl -verify -pubin -inkey public.pem -rawin -in message -sigfile signature";
    assert_success(&program(&sandbox, "openssl", verify));
    std::fs::write(sandbox.path("message"), payload).expect("write");
    assert!(!program(&sandbox, "openssl", verify).status.success(), "without the encoding it is another message");
}

#[test]
fn openssl_reads_our_encrypted_key_and_we_read_its() {
    let sandbox = with_encrypted_key();
    let theirs = program(&sandbox, "openssl", "pkey -in own.pem -passin file:pass -pubout");
    assert_success(&theirs);
    let public = std::fs::read_to_string(sandbox.path("own.pub.pem")).expect("read");
    assert_eq!(String::from_utf8_lossy(&theirs.stdout), public);
    assert_success(&program(&sandbox, "openssl", "genpkey -algorithm ed25519 -aes256 -pass file:pass -out theirs.pem"));
    let theirs = program(&sandbox, "openssl", "pkey -in theirs.pem -passin file:pass -pubout");
    let ours = done(&sandbox, "keys show --public --signing-key theirs.pem --passphrase-file pass").stdout;
    assert_eq!(String::from_utf8_lossy(&theirs.stdout), ours);
}

/// A trained sandbox with a root key, and `trust.json` that trusts whoever signed the run, called alice.
fn organisation() -> Sandbox {
    let sandbox = trained_copy();
    std::fs::write(sandbox.path("alice.pub"), done(&sandbox, "keys show --public").stdout).expect("write");
    done(&sandbox, "keys generate --out root.pem");
    done(&sandbox, "keys trust init --root-key root.pem --out trust.json");
    done(&sandbox, "keys trust add --name alice --key alice.pub --role trainer --root-key root.pem");
    sandbox
}

/// The check of a verifier who was given the root's public key, and remembers.
fn verified(sandbox: &Sandbox) -> Outcome {
    sandbox.verify(&["manifest", "run", "--trust", "trust.json", "--root-key", "root.pub.pem"])
}

/// Expects a failed check of that name, in these words.
fn assert_failed(outcome: &Outcome, check: &str, piece: &str) {
    assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains(&format!("FAILED       {check}\n")), "{}", outcome.stdout);
    assert!(outcome.stdout.contains(piece), "{piece:?} is not said:\n{}", outcome.stdout);
}

/// The signed document, without a check.
fn document(sandbox: &Sandbox) -> TrustDocument {
    let bytes = std::fs::read(sandbox.path("trust.json")).expect("read");
    TrustDocument::read_unverified(&bytes).expect("a document")
}

/// Signs a changed document with a key file, past what the program would sign.
fn put_document(sandbox: &Sandbox, key: &str, change: impl FnOnce(&mut TrustDocument)) {
    let mut document = document(sandbox);
    change(&mut document);
    let key = SigningKey::load(&sandbox.path(key)).expect("a key");
    let payload = serde_json::to_vec(&document).expect("JSON");
    let envelope = Envelope::sign_as(spectramind::manifest::trust::TRUST_PAYLOAD_TYPE, &payload, &[&key]);
    let line = envelope.expect("an envelope").to_line().expect("small");
    std::fs::write(sandbox.path("trust.json"), line).expect("write");
}

/// Signs the run's statement again, with these key files.
fn sign_again(sandbox: &Sandbox, keys: &[&str]) {
    let path = sandbox.path(MANIFEST);
    let statement = read_unverified(&std::fs::read(&path).expect("read")).expect("a statement");
    let keys: Vec<_> = keys.iter().map(|key| SigningKey::load(&sandbox.path(key)).expect("a key")).collect();
    let payload = strict_json::to_vec(&statement).expect("payload");
    let envelope = Envelope::sign(&payload, &keys.iter().collect::<Vec<_>>()).expect("signs");
    std::fs::write(path, envelope.to_line().expect("line")).expect("write");
}

#[test]
fn a_trust_document_says_whom_to_believe() {
    let sandbox = organisation();
    let outcome = verified(&sandbox);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    for piece in ["passed       trust", "version 2", "signed by alice"] {
        assert!(outcome.stdout.contains(piece), "{piece:?}\n{}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("self-check"));
    // Its author is on this machine, and believes their own root.
    let unnamed = sandbox.verify(&["manifest", "run", "--trust", "trust.json"]);
    assert_eq!(unnamed.code, 0, "{}", unnamed.stdout);
    assert!(unnamed.stdout.contains("the root was not named now; it was remembered earlier as"), "{}", unnamed.stdout);
    let listed = done(&sandbox, "keys trust list").stdout;
    assert!(listed.contains("verified  yes") && listed.contains("alice"), "{listed}");
}

#[test]
fn a_root_that_nobody_named_is_not_believed() {
    let sandbox = organisation();
    let fresh = ["manifest", "run", "--trust", "trust.json", "--trust-state", "fresh.json"];
    let unknown = "no root that was remembered here signed it";
    assert_failed(&sandbox.verify(&fresh), "trust", unknown);
    let named = [fresh.as_slice(), &["--root-key", "root.pub.pem"]].concat();
    let outcome = sandbox.verify(&named);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("for this time"), "{}", outcome.stdout);
    assert_failed(&sandbox.verify(&fresh), "trust", unknown);
    assert_eq!(sandbox.verify(&[named.as_slice(), &["--remember-root"]].concat()).code, 0);
    let outcome = sandbox.verify(&fresh);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("the root was not named now"), "{}", outcome.stdout);
    let stranger =
        Outcome::of(sandbox.spectramind(&["keys", "trust", "list"]).env("XDG_STATE_HOME", sandbox.path("elsewhere")));
    assert_eq!(stranger.code, 0, "{}", stranger.stderr);
    assert!(stranger.stdout.contains("verified  NO"), "{}", stranger.stdout);
}

#[test]
fn an_unsigned_trust_policy_is_refused() {
    let sandbox = organisation();
    std::fs::write(sandbox.path("trust.json"), serde_json::to_vec(&document(&sandbox)).expect("JSON")).expect("write");
    let outcome = verified(&sandbox);
    assert_eq!(outcome.code, 2, "{}", outcome.stdout);
    assert!(outcome.stderr.contains("no signed trust document (`spectramind keys trust init`"), "{}", outcome.stderr);
    assert_refused(&run(&sandbox, "keys trust list"), 1, &["not in a signed envelope"]);
}

#[test]
fn a_trust_document_signed_by_a_stranger_is_refused() {
    let sandbox = organisation();
    done(&sandbox, "keys generate --out stranger.pem");
    let stranger = SigningKey::load(&sandbox.path("stranger.pem")).expect("a key").public();
    put_document(&sandbox, "stranger.pem", |document| {
        document.version += 1;
        document.root.keys = vec![stranger];
    });
    assert_failed(&verified(&sandbox), "trust", "signed by 0 of the root keys that are pinned, expected 1");
    let revoke = "keys trust revoke --name alice --root-key root.pem";
    assert_refused(&run(&sandbox, revoke), 1, &["trust.json is not changed"]);
}

#[test]
fn an_older_trust_document_is_refused_by_verifier_and_author() {
    let sandbox = organisation();
    let older = std::fs::read(sandbox.path("trust.json")).expect("read");
    done(&sandbox, "keys trust revoke --name alice --root-key root.pem");
    assert_failed(&verified(&sandbox), "signature", "\"alice\" does not count: it was revoked at");
    std::fs::write(sandbox.path("trust.json"), older).expect("write");
    assert_failed(&verified(&sandbox), "trust", "version 2, expected 3 or later");
    let threshold = "keys trust threshold 1 --role trainer --root-key root.pem";
    assert_refused(&run(&sandbox, threshold), 1, &["trust.json is not changed", "version 2, expected 3"]);
}

#[test]
fn another_trust_document_of_the_same_version_is_refused() {
    let sandbox = organisation();
    put_document(&sandbox, "root.pem", |document| document.keys[0].name = "mallory".into());
    assert_failed(&verified(&sandbox), "trust", "trust document of version 2: expected sha256");
}

#[test]
fn an_expired_trust_document_is_refused_until_it_is_renewed() {
    let sandbox = organisation();
    let refused = run(&sandbox, "keys trust renew --root-key root.pem --expires-at 2020-01-01T00:00:00Z");
    assert_refused(&refused, 1, &["expired at 2020-01-01T00:00:00Z"]);
    assert_eq!(document(&sandbox).version, 2, "what verifiers would refuse is not written");
    put_document(&sandbox, "root.pem", |document| {
        document.version = 3;
        document.expires_at = Some("2020-01-01T00:00:00Z".parse().expect("a time"));
    });
    assert_failed(&verified(&sandbox), "trust", "expired at 2020-01-01T00:00:00Z");
    done(&sandbox, "keys trust renew --root-key root.pem --expires-at 2999-01-01T00:00:00Z");
    assert_eq!(document(&sandbox).version, 4);
    assert_eq!(verified(&sandbox).code, 0);
}

#[test]
fn two_of_three_keys_must_sign_and_copies_count_once() {
    let sandbox = organisation();
    for name in ["bob", "carol"] {
        done(&sandbox, &format!("keys generate --out {name}.pem"));
        let add = format!("keys trust add --name {name} --key {name}.pub.pem --role trainer --root-key root.pem");
        done(&sandbox, &add);
    }
    let too_many = run(&sandbox, "keys trust threshold 4 --role trainer --root-key root.pem");
    assert_refused(&too_many, 1, &["threshold 4", "expected 1 to 3"]);
    done(&sandbox, "keys trust threshold 2 --role trainer --root-key root.pem");
    assert_failed(&verified(&sandbox), "signature", "signed by 1 trusted keys, expected 2");
    sign_again(&sandbox, &["bob.pem", "bob.pem", "bob.pem"]);
    assert_failed(&verified(&sandbox), "signature", "signed by 1 trusted keys, expected 2");
    sign_again(&sandbox, &["bob.pem", "carol.pem"]);
    assert_eq!(verified(&sandbox).code, 0);
}

#[test]
fn a_key_for_another_challenge_is_refused() {
    let sandbox = organisation();
    done(&sandbox, "keys generate --out bob.pem");
    let add = "keys trust add --name bob --key bob.pub.pem --role trainer --root-key root.pem --challenge ariel-2025 x";
    done(&sandbox, add);
    sign_again(&sandbox, &["bob.pem"]);
    let piece = "the key of \"bob\" does not count: it may sign for runs of the challenge \"ariel-2025\" or \"x\"";
    assert_failed(&verified(&sandbox), "signature", piece);
}

#[test]
fn a_trainers_key_is_no_verifiers_key() {
    let sandbox = organisation();
    let add = "keys trust add --name again --key alice.pub --role verifier --root-key root.pem";
    assert_refused_without_hint(&run(&sandbox, add), "lists the key of \"again\" twice, first as \"alice\"");
    // A key of the other role does not count for a run.
    done(&sandbox, "keys generate --out bob.pem");
    done(&sandbox, "keys trust add --name bob --key bob.pub.pem --role verifier --root-key root.pem");
    sign_again(&sandbox, &["bob.pem"]);
    assert_failed(&verified(&sandbox), "signature", "its role is verifier, expected trainer");
    assert_eq!(document(&sandbox).version, 3);
}

#[test]
fn a_key_under_an_alias_is_refused() {
    let sandbox = organisation();
    // The same key as OpenSSH would write it.
    let shown = done(&sandbox, "keys show").stdout;
    std::fs::write(sandbox.path("alias.pub"), field(&shown, "openssh ")).expect("write");
    let add = "keys trust add --name alias --key alias.pub --role trainer --root-key root.pem";
    assert_refused_without_hint(&run(&sandbox, add), "lists the key of \"alias\" twice, first as \"alice\"");
    let add = "keys trust add --name root --key root.pub.pem --role trainer --root-key root.pem";
    assert_refused(&run(&sandbox, add), 1, &["lists the key of \"root\" as a root key, too"]);
}

fn assert_refused_without_hint(outcome: &Outcome, piece: &str) {
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(piece), "{}", outcome.stderr);
}

#[test]
fn a_weak_root_key_is_refused() {
    let sandbox = organisation();
    std::fs::write(sandbox.path("root.pub.pem"), "0".repeat(64)).expect("write");
    let outcome = verified(&sandbox);
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("is weak"), "{}", outcome.stdout);
}

#[test]
fn a_root_key_behind_a_wrong_passphrase_changes_nothing() {
    let sandbox = with_encrypted_key();
    done(&sandbox, "keys trust init --root-key own.pem --passphrase-file pass");
    let before = std::fs::read(sandbox.path("trust.json")).expect("read");
    put_secret(&sandbox.path("wrong"), "incorrect horse");
    let renew = "keys trust renew --root-key own.pem --passphrase-file wrong";
    assert_refused(&run(&sandbox, renew), 1, &["the passphrase does not open the private key"]);
    assert_eq!(std::fs::read(sandbox.path("trust.json")).expect("read"), before);
}

#[test]
fn a_new_root_takes_over_only_with_the_old_ones_signature() {
    let sandbox = organisation();
    assert_eq!(verified(&sandbox).code, 0);
    done(&sandbox, "keys generate --out next.pem");
    done(&sandbox, "keys trust rotate --new-root next.pem --root-key root.pem");
    assert_eq!(verified(&sandbox).code, 0);
    let old = run(&sandbox, "keys trust renew --root-key root.pem");
    assert_refused(&old, 1, &["signed by 0 of the root keys that it lists"]);
    done(&sandbox, "keys trust renew --root-key next.pem");
    assert_eq!(verified(&sandbox).code, 0, "the old root's name leads to its successor");
    let fresh = ["manifest", "run", "--trust", "trust.json", "--trust-state", "fresh.json", "--root-key"];
    let old = sandbox.verify(&[fresh.as_slice(), &["root.pub.pem"]].concat());
    assert_failed(&old, "trust", "signed by 0 of the root keys that are pinned");
    assert_eq!(sandbox.verify(&[fresh.as_slice(), &["next.pub.pem"]].concat()).code, 0);
}

#[test]
fn a_trust_document_is_never_begun_over_another() {
    let sandbox = organisation();
    let before = std::fs::read(sandbox.path("trust.json")).expect("read");
    assert_refused(&run(&sandbox, "keys trust init --root-key root.pem"), 2, &["trust.json exists already"]);
    // Nor beside it: a second version 1 of that root is what a rollback looks like.
    let second = run(&sandbox, "keys trust init --root-key root.pem --out second.json");
    assert_refused(&second, 1, &["version 1, expected 2 or later"]);
    assert!(!sandbox.path("second.json").exists());
    assert_eq!(std::fs::read(sandbox.path("trust.json")).expect("read"), before);
}
