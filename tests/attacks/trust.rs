//! Verdicts that nobody should believe, roots that were named once, runs that are somebody else's, and scores that were
//! picked among many.

use super::{assert_fails, assert_not_checked};
use crate::forgery::{forge, own_key, sign, statement};
use crate::sandbox::{Outcome, Sandbox, trained_copy};

use spectramind::manifest::key::SigningKey;

/// Runs the author's program, words separated by blanks.
fn done(sandbox: &Sandbox, line: &str) -> Outcome {
    sandbox.done(&line.split(' ').collect::<Vec<_>>())
}

/// Runs the verifier, words separated by blanks.
fn verify(sandbox: &Sandbox, line: &str) -> Outcome {
    sandbox.verify(&line.split(' ').collect::<Vec<_>>())
}

fn assert_passes(outcome: &Outcome) {
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
}

/// A trained sandbox with the keys `root`, `mallory` and `vic` in `.git`, alice's being the user's own, and a document of
/// the root that trusts alice as a trainer and vic as a verifier.
fn organisation() -> Sandbox {
    let sandbox = trained_copy();
    for name in ["root", "mallory", "vic"] {
        done(&sandbox, &format!("keys generate --out .git/{name}.pem"));
    }
    std::fs::write(sandbox.path(".git/alice.pub.pem"), done(&sandbox, "keys show --public").stdout).expect("write");
    let change = "--root-key .git/root.pem --trust .git/trust.json";
    done(&sandbox, "keys trust init --root-key .git/root.pem --out .git/trust.json");
    done(&sandbox, &format!("keys trust add --name alice --key .git/alice.pub.pem --role trainer {change}"));
    done(&sandbox, &format!("keys trust add --name vic --key .git/vic.pub.pem --role verifier {change}"));
    sandbox
}

const TRUST: &str = "--trust .git/trust.json --root-key .git/root.pub.pem";

/// Signs the run's statement again with mallory's key, who trained nothing.
fn sign_as_mallory(sandbox: &Sandbox) {
    let key = SigningKey::load(&sandbox.path(".git/mallory.pem")).expect("a key");
    sign(sandbox, "run", &statement(sandbox, "run"), &key);
}

#[test]
fn a7_a_verdict_on_a_run_of_somebody_whom_you_do_not_trust_is_none() {
    let sandbox = organisation();
    sign_as_mallory(&sandbox);
    let audit = "audit run --program installed --key .git/mallory.pub.pem --replay --sign .git/vic.pem";
    assert_passes(&verify(&sandbox, audit));
    assert_fails(&verify(&sandbox, &format!("verdict run {TRUST}")), "signature: FAILED");
    // With the verifier's key alone nobody said whose run it may be.
    let alone = verify(&sandbox, "verdict run --key .git/vic.pub.pem");
    assert_not_checked(&alone, "name the trainer's with --trainer-key PUB");
    let named = verify(&sandbox, "verdict run --key .git/vic.pub.pem --trainer-key .git/mallory.pub.pem");
    assert_passes(&named);
    assert!(named.stdout.contains("  signed by    the given trainer's key"), "{}", named.stdout);
}

#[test]
fn a7_a_verdict_without_a_replay_is_none() {
    let sandbox = organisation();
    let audit = "audit run --program installed --key .git/alice.pub.pem --sign .git/vic.pem";
    assert_passes(&verify(&sandbox, audit));
    let verdict = format!("verdict run {TRUST}");
    assert_not_checked(&verify(&sandbox, &verdict), "the verifier did not train the run again");
    std::fs::write(sandbox.path(".git/policy.yaml"), "roles: {verifier: 1}\n").expect("write");
    let policy = format!("audit run --program installed {TRUST} --policy .git/policy.yaml");
    assert_fails(&verify(&sandbox, &policy), "the verdict does not count: the verifier did not train the run again");
    assert_passes(&verify(&sandbox, &format!("{audit} --replay")));
    assert_passes(&verify(&sandbox, &verdict));
    assert_passes(&verify(&sandbox, &policy));
    // Nothing was trained again here; the trusted verifier did.
    std::fs::write(sandbox.path(".git/policy.yaml"), "replay: required\n").expect("write");
    assert_passes(&verify(&sandbox, &policy));
}

#[test]
fn a7_a_verdict_does_not_outlive_the_trainers_key() {
    let sandbox = organisation();
    let audit = format!("audit run --program installed {TRUST} --replay --sign .git/vic.pem");
    assert_passes(&verify(&sandbox, &audit));
    assert_passes(&verify(&sandbox, &format!("verdict run {TRUST}")));
    done(&sandbox, "keys trust revoke --name alice --root-key .git/root.pem --trust .git/trust.json");
    assert_fails(&verify(&sandbox, &format!("verdict run {TRUST}")), "revoked");
}

#[test]
fn t_trust_a_root_named_once_is_not_believed_for_later_documents() {
    let sandbox = organisation();
    done(&sandbox, "keys trust init --root-key .git/mallory.pem --out .git/m.json");
    let add = "keys trust add --name alice --key .git/alice.pub.pem --role trainer";
    done(&sandbox, &format!("{add} --root-key .git/mallory.pem --trust .git/m.json"));
    let document = "manifest run --trust .git/m.json --trust-state .git/fresh.json";
    assert_fails(&verify(&sandbox, document), "no root that was remembered here signed it");
    assert_fails(
        &verify(&sandbox, &format!("{document} --root-key .git/root.pub.pem")),
        "signed by 0 of the root keys",
    );
    assert_passes(&verify(&sandbox, &format!("{document} --root-key .git/mallory.pub.pem")));
    assert_fails(&verify(&sandbox, document), "no root that was remembered here signed it");
    assert_passes(&verify(&sandbox, &format!("{document} --root-key .git/mallory.pub.pem --remember-root")));
    let unnamed = verify(&sandbox, document);
    assert_passes(&unnamed);
    assert!(unnamed.stdout.contains("the root was not named now; it was remembered earlier as"), "{}", unnamed.stdout);
}

#[test]
fn t_trust_what_was_seen_of_a_root_named_once_keeps_older_documents_out() {
    let sandbox = organisation();
    let older = std::fs::read(sandbox.path(".git/trust.json")).expect("read");
    done(&sandbox, "keys trust revoke --name alice --root-key .git/root.pem --trust .git/trust.json");
    let manifest = format!("manifest run {TRUST} --trust-state .git/fresh.json");
    assert_fails(&verify(&sandbox, &manifest), "revoked");
    std::fs::write(sandbox.path(".git/trust.json"), older).expect("write");
    assert_fails(&verify(&sandbox, &manifest), "expected 4 or later");
    // Nothing is remembered there, so nothing is believed.
    std::os::unix::fs::symlink("/dev/null", sandbox.path(".git/null.json")).expect("a link");
    let outcome = verify(&sandbox, &format!("manifest run {TRUST} --trust-state .git/null.json"));
    assert_eq!(outcome.code, 2, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stderr.contains("expected a regular file"), "{}", outcome.stderr);
}

#[test]
fn a16_a_score_over_one_picked_sample_passes_no_policy() {
    let sandbox = Sandbox::with_data();
    let overrides = ["data.split_seed=8", "trainer.limit_test_batches=1", "data.batch_size=1"];
    sandbox.done(&[&["train", "trainer=ci_fast", "run.dir=run"], &overrides[..]].concat());
    let judged = |policy: &str| {
        std::fs::write(sandbox.path("policy.yaml"), policy).expect("write");
        sandbox.audit(&["--policy", "policy.yaml"])
    };
    let range = "metrics: {test/score: {min: 0, max: 1}}\n";
    assert_not_checked(&judged(range), "computed over 1 held-out samples: say with held_out.min how many will do");
    assert_fails(
        &judged(&format!("{range}held_out: {{min: 4}}\n")),
        "at least 4 samples behind every test/ metric, got 1",
    );
    assert_fails(&judged("config: {data.split_seed: 7}\n"), "config.data.split_seed: expected 7, got 8");
    assert_passes(&judged("config: {data.split_seed: 8}\nheld_out: {min: 1}\n"));
    // What was picked is on the first screen, whoever asks for nothing.
    let outcome = sandbox.audit(&[]);
    assert!(outcome.stdout.contains("data.split_seed=8 trainer.limit_test_batches=1"), "{}", outcome.stdout);
}

#[test]
fn a13_a_copy_of_somebody_elses_run_has_no_nonce_and_no_commitment_of_the_thiefs() {
    let sandbox = organisation();
    sandbox.done(&["commit", "trainer=ci_fast", "run.dir=run", "--out", ".git/own.json"]);
    // The run was made before: a commitment that says so itself is none.
    let late = sandbox.audit(&["--commitment", ".git/own.json"]);
    assert_fails(&late, "expected a commitment from before the run");
    sign_as_mallory(&sandbox);
    let audit = "audit run --program installed --key .git/mallory.pub.pem --replay";
    let outcome = verify(&sandbox, audit);
    assert_passes(&outcome);
    assert!(outcome.stdout.contains("that the run is the signer's own work"), "{}", outcome.stdout);
    assert_fails(&verify(&sandbox, &format!("{audit} --nonce 5c1d")), "nonce: expected \"5c1d\", got none");
    std::fs::write(sandbox.path(".git/policy.yaml"), "nonce: required\ncommitment: required\n").expect("write");
    assert_not_checked(&verify(&sandbox, &format!("{audit} --policy .git/policy.yaml")), "--commitment FILE");
    // The victim's commitment does not carry the thief's signature.
    let borrowed = verify(&sandbox, &format!("{audit} --commitment .git/own.json"));
    assert_fails(&borrowed, "commitment: FAILED");
}

#[test]
fn a_run_that_was_committed_to_passes_and_no_other_one() {
    let sandbox = Sandbox::with_data();
    let train = ["trainer=ci_fast", "run.dir=run", "record.nonce=5c1d"];
    let commit = [&["commit", "--out", "commitment.json"], &train[..]].concat();
    let outcome = sandbox.done(&commit);
    assert!(outcome.stdout.contains("config     "), "{}", outcome.stdout);
    assert!(!sandbox.path("run").exists(), "nothing is trained");
    let again = sandbox.run(&commit);
    assert_eq!((again.code, again.stderr.contains("never written over another")), (2, true), "{}", again.stderr);
    sandbox.done(&[&["train"], &train[..]].concat());
    std::fs::write(sandbox.path("policy.yaml"), "commitment: required\nnonce: required\n").expect("write");
    let demands = ["--commitment", "commitment.json", "--policy", "policy.yaml", "--nonce", "5c1d"];
    let outcome = sandbox.audit(&demands);
    assert_passes(&outcome);
    assert!(outcome.stdout.contains("only if you received this file before the run"), "{}", outcome.stdout);
    // Another seed was tried, too, and handed in.
    std::fs::rename(sandbox.path("run"), sandbox.path("first")).expect("rename");
    sandbox.done(&[&["train", "trainer.seed=124"], &train[..]].concat());
    let outcome = sandbox.audit(&demands);
    assert_fails(&outcome, "commitment: FAILED: config: expected the one that was committed to");
    assert_fails(&outcome, "policy: FAILED: commitment");
    // A changed commitment is nobody's.
    let text = std::fs::read_to_string(sandbox.path("commitment.json")).expect("read");
    std::fs::write(sandbox.path("commitment.json"), text.replacen("eyJ", "eyK", 1)).expect("write");
    assert_fails(&sandbox.audit(&demands[..2]), "commitment: FAILED");
}

#[test]
fn a_commitment_to_the_time_says_that_no_run_will_have_it() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.done(&["commit", "experiment=${now:%H%M%S}", "--out", "commitment.json"]);
    assert!(outcome.stderr.contains("the config shows the time"), "{}", outcome.stderr);
    let outcome = sandbox.run(&["commit", "trainer=no_such", "--out", "other.json"]);
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(!sandbox.path("other.json").exists());
}

#[test]
fn a_commitment_with_another_subject_than_its_config_is_found() {
    use spectramind::manifest::commitment::ConfigCommitment;
    use spectramind::manifest::statement::Statement;
    use spectramind::manifest::strict_json;

    let sandbox = Sandbox::with_data();
    let train = ["trainer=ci_fast", "run.dir=run"];
    sandbox.done(&[&["commit", "--out", "commitment.json"], &train[..]].concat());
    sandbox.done(&[&["train"], &train[..]].concat());
    assert_passes(&sandbox.audit(&["--commitment", "commitment.json"]));
    let line: serde_json::Value =
        serde_json::from_slice(&std::fs::read(sandbox.path("commitment.json")).expect("read")).expect("JSON");
    let payload = {
        use base64::Engine as _;
        let text = line["payload"].as_str().expect("text");
        base64::engine::general_purpose::STANDARD.decode(text).expect("Base64")
    };
    let mut statement: Statement<ConfigCommitment> = strict_json::from_slice(&payload).expect("a statement");
    statement.subject[0].digest.sha256 = spectramind::digest::sha256(b"another config");
    let payload = strict_json::to_vec(&statement).expect("small");
    let envelope = spectramind::manifest::dsse::Envelope::sign(&payload, &[&own_key(&sandbox)]).expect("signs");
    std::fs::write(sandbox.path("commitment.json"), envelope.to_line().expect("line")).expect("write");
    assert_fails(&sandbox.audit(&["--commitment", "commitment.json"]), "subject of the commitment");
    // The signed config is another one than was committed to, whatever the commitment's overrides say.
    forge(&sandbox, |statement| statement.predicate.config.digest = "0".repeat(64).parse().expect("a digest"));
    assert_fails(
        &sandbox.audit(&["--commitment", "commitment.json"]),
        "config: expected the one that was committed to",
    );
}
