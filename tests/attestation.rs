//! What we sign, read by programs that know nothing of us, and what they sign, read by us; verdicts; and a manifest
//! that would like a replay to do more than train.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use spectramind::manifest::dsse::Envelope;
use spectramind::manifest::key::SigningKey;
use spectramind::manifest::strict_json;
use spectramind::manifest::verified::read_unverified;

use crate::forgery::{forge, training};
use crate::sandbox::{Outcome, Sandbox, present, repository, trained, trained_copy};

/// A Python with what `tests/python/requirements.txt` lists: `SPECTRAMIND_PYTHON`, or `python3`.
fn third_parties() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("SPECTRAMIND_PYTHON").unwrap_or_else(|| "python3".into()));
    let code = "import check_jsonschema, in_toto_attestation, securesystemslib.signer, cryptography";
    let works = Command::new(&python).args(["-c", code]).output().is_ok_and(|output| output.status.success());
    present("python-third-party", works, "a Python with tests/python/requirements.txt").then_some(python)
}

/// Whether this user may make network namespaces.
fn can_cut_off() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let works = Command::new("unshare").args(["-rn", "true"]).output().is_ok_and(|output| output.status.success());
        present("namespaces", works, "unprivileged network namespaces (unshare -rn)")
    })
}

/// Runs a program without a network, where the system can take it away.
fn offline(program: &Path, arguments: &[&str], folder: &Path) -> Outcome {
    let mut command = Command::new(if can_cut_off() { Path::new("unshare") } else { program });
    if can_cut_off() {
        command.args(["-rn", "--"]).arg(program);
    }
    Outcome::of(command.args(arguments).current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// As [`offline`], and it has to succeed; returns what it printed.
fn done(program: impl AsRef<Path>, arguments: &[&str], folder: &Path) -> String {
    let outcome = offline(program.as_ref(), arguments, folder);
    assert_eq!(outcome.code, 0, "{arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
    outcome.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn script() -> PathBuf {
    repository().join("tests/python/attest.py")
}

/// The trained sandbox with `.git/pub.pem` of the trainer, and `.git/verifier.pem` and `.git/verifier.pub.pem`.
fn with_verifier() -> Sandbox {
    let sandbox = trained_copy();
    let public = sandbox.done(&["keys", "show", "--public"]).stdout;
    std::fs::write(sandbox.path(".git/pub.pem"), public).expect("write");
    sandbox.done(&["keys", "generate", "--out", ".git/verifier.pem"]);
    sandbox
}

const SIGNED_AUDIT: [&str; 8] =
    ["audit", "run", "--program", "installed", "--key", ".git/pub.pem", "--sign", ".git/verifier.pem"];
const VERDICT: [&str; 6] = ["verdict", "run", "--key", ".git/verifier.pub.pem", "--trainer-key", ".git/pub.pem"];

/// The same with a verdict on a replayed run, for tests that only look.
fn judged() -> &'static Sandbox {
    static JUDGED: OnceLock<Sandbox> = OnceLock::new();
    JUDGED.get_or_init(|| {
        let sandbox = with_verifier();
        let outcome = sandbox.verify(&[&SIGNED_AUDIT[..], &["--replay"]].concat());
        assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
        sandbox
    })
}

#[test]
fn securesystemslib_verifies_and_in_toto_parses_every_statement() {
    let Some(python) = third_parties() else { return };
    let sandbox = judged();
    for (bundle, key, kinds) in [
        (
            "run/manifest.intoto.jsonl",
            ".git/pub.pem",
            &["urn:x-spectramind:training-run:v2", "https://slsa.dev/provenance/v1"][..],
        ),
        (
            "run/verdict.intoto.jsonl",
            ".git/verifier.pub.pem",
            &[
                "urn:x-spectramind:replay-verdict:v1",
                "https://in-toto.io/attestation/test-result/v0.1",
                "https://slsa.dev/verification_summary/v1",
            ],
        ),
    ] {
        let printed = done(&python, &[text(&script()), "verify", bundle, key], &sandbox.path(""));
        let found: Vec<_> = printed.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(found, kinds);
        // Their check is one: another key's signature is none.
        let other = if key == ".git/pub.pem" { ".git/verifier.pub.pem" } else { ".git/pub.pem" };
        assert_ne!(offline(&python, &[text(&script()), "verify", bundle, other], &sandbox.path("")).code, 0);
    }
}

#[test]
fn check_jsonschema_accepts_every_payload_and_the_report() {
    let Some(python) = third_parties() else { return };
    let sandbox = judged();
    let folder = tempfile::tempdir().expect("temp dir");
    let report = sandbox.verify(&["manifest", "run", "--key", ".git/pub.pem", "--json"]).stdout;
    std::fs::write(folder.path().join("report.json"), report).expect("write");
    let check = |schema: &str, document: &Path| {
        let schema = repository().join("schemas").join(format!("{schema}.schema.json"));
        let arguments = ["-m", "check_jsonschema", "--schemafile", text(&schema), text(document)];
        offline(&python, &arguments, folder.path())
    };
    let accepted = |schema: &str, document: &Path| {
        let outcome = check(schema, document);
        assert_eq!(outcome.code, 0, "{schema}\n{}{}", outcome.stdout, outcome.stderr);
    };
    accepted("report", &folder.path().join("report.json"));
    for (bundle, schemas) in [
        ("run/manifest.intoto.jsonl", &["training-run", "slsa-provenance"][..]),
        ("run/verdict.intoto.jsonl", &["replay-verdict", "test-result", "verification-summary"]),
    ] {
        let bundle = sandbox.path(bundle);
        done(&python, &[text(&script()), "pae", text(&bundle), text(folder.path())], folder.path());
        for (index, schema) in schemas.iter().enumerate() {
            accepted(schema, &folder.path().join(format!("{index}.json")));
        }
        for (index, line) in std::fs::read_to_string(&bundle).expect("read").lines().enumerate() {
            let path = folder.path().join(format!("{index}.envelope.json"));
            std::fs::write(&path, line).expect("write");
            accepted("envelope", &path);
        }
    }
    assert_ne!(check("training-run", &folder.path().join("0.json")).code, 0, "a verdict is no run");
}

#[test]
fn openssl_reads_our_key_and_verifies_our_signature() {
    let Some(python) = third_parties() else { return };
    let sandbox = judged();
    let folder = tempfile::tempdir().expect("temp dir");
    let key = sandbox.path(".git/verifier.pem");
    // The public half that OpenSSL finds in our private key is the one that we write.
    let public = done("openssl", &["pkey", "-in", text(&key), "-pubout"], folder.path());
    assert_eq!(public, std::fs::read_to_string(sandbox.path(".git/verifier.pub.pem")).expect("read"));
    let bundle = sandbox.path("run/verdict.intoto.jsonl");
    done(&python, &[text(&script()), "pae", text(&bundle), "."], folder.path());
    let verify = |key: &Path, signed: &str| {
        let arguments =
            ["pkeyutl", "-verify", "-pubin", "-inkey", text(key), "-rawin", "-in", signed, "-sigfile", "0.sig"];
        offline(Path::new("openssl"), &arguments, folder.path())
    };
    let (own, other) = (sandbox.path(".git/verifier.pub.pem"), sandbox.path(".git/pub.pem"));
    let outcome = verify(&own, "0.pae");
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    assert_ne!(verify(&other, "0.pae").code, 0, "another key's");
    assert_ne!(verify(&own, "1.pae").code, 0, "over another statement");
    assert_ne!(verify(&own, "0.json").code, 0, "over the payload alone");
}

#[test]
fn we_accept_an_envelope_of_securesystemslib_with_a_key_of_openssl() {
    let Some(python) = third_parties() else { return };
    let sandbox = with_verifier();
    let (key, public) = (sandbox.path(".git/openssl.pem"), sandbox.path(".git/openssl.pub.pem"));
    done("openssl", &["genpkey", "-algorithm", "ed25519", "-out", text(&key)], &sandbox.path(""));
    done("openssl", &["pkey", "-in", text(&key), "-pubout", "-out", text(&public)], &sandbox.path(""));
    let manifest = sandbox.path("run/manifest.intoto.jsonl");
    done(&python, &[text(&script()), "pae", text(&manifest), ".git"], &sandbox.path(""));
    let verify = |profile: &str| sandbox.verify(&["manifest", "run", "--key", ".git/openssl.pub.pem", profile]);
    assert_eq!(verify("--tolerant").code, 1, "the trainer's own signature is another's");
    for (command, strict) in [("sign-compact", 0), ("sign", 1)] {
        let envelope = done(&python, &[text(&script()), command, text(&key), ".git/0.json"], &sandbox.path(""));
        std::fs::write(&manifest, envelope).expect("write");
        for (profile, code) in [("--tolerant", 0), ("--strict", strict)] {
            let outcome = verify(profile);
            assert_eq!(outcome.code, code, "{command} {profile}\n{}", outcome.stdout);
        }
    }
    // The key that OpenSSL made signs for us, too.
    #[cfg(unix)]
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
    let key = SigningKey::load(&key).expect("a key");
    let payload = std::fs::read(sandbox.path(".git/0.json")).expect("read");
    let line = Envelope::sign(&payload, &[&key]).and_then(|envelope| envelope.to_line()).expect("an envelope");
    std::fs::write(&manifest, line).expect("write");
    assert_eq!(verify("--strict").code, 0);
}

#[test]
fn strict_is_the_default_and_a_flipped_key_id_shows_there_only() {
    let sandbox = with_verifier();
    let path = sandbox.path("run/manifest.intoto.jsonl");
    let text = std::fs::read_to_string(&path).expect("read");
    let at = text.find(r#""keyid":""#).expect("a key id") + r#""keyid":""#.len();
    let digit = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
    std::fs::write(&path, format!("{}{digit}{}", &text[..at], &text[at + 1..])).expect("write");
    for (arguments, code) in [(&["--strict"][..], 1), (&[], 1), (&["--tolerant"], 0), (&["--strict", "--tolerant"], 2)]
    {
        let outcome = sandbox.verify(&[&["manifest", "run", "--key", ".git/pub.pem"], arguments].concat());
        assert_eq!(outcome.code, code, "{arguments:?}\n{}", outcome.stdout);
    }
}

#[test]
fn a_signed_audit_is_believed_by_who_trusts_the_verifier() {
    let sandbox = judged();
    let outcome = sandbox.verify(&VERDICT);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    let pieces =
        ["passed       signature", "passed       verdict", "replay passed", "steps replayed on", "passed       files"];
    for piece in pieces.into_iter().chain(["  run          ", "given trainer's key"]) {
        assert!(outcome.stdout.contains(piece), "{piece:?}\n{}", outcome.stdout);
    }
    // The trainer's key is no verifier's, and the verdict is no file of the run.
    let outcome = sandbox.verify(&["verdict", "run", "--key", ".git/pub.pem"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert_eq!(sandbox.audit(&["--key", ".git/pub.pem"]).code, 0);
}

#[test]
fn an_encrypted_key_signs_a_verdict_with_its_passphrase_and_not_without() {
    let sandbox = with_verifier();
    let secret = sandbox.path(".git/pass");
    std::fs::write(&secret, "correct horse\n").expect("write");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("mode");
    let key = ".git/encrypted.pem";
    sandbox.done(&["keys", "generate", "--out", key, "--encrypted", "--passphrase-file", ".git/pass"]);
    let audit = ["audit", "run", "--program", "installed", "--key", ".git/pub.pem", "--sign", key];
    let outcome = sandbox.verify(&audit);
    assert_eq!(outcome.code, 2, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stderr.contains("--passphrase-file"), "{}", outcome.stderr);
    assert!(!sandbox.path("run/verdict.intoto.jsonl").exists());
    let outcome = sandbox.verify(&[&audit[..], &["--passphrase-file", ".git/pass"]].concat());
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    // A good signature on a verdict without a replay.
    let verdict = ["verdict", "run", "--key", ".git/encrypted.pub.pem", "--trainer-key", ".git/pub.pem"];
    let outcome = sandbox.verify(&verdict);
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    for piece in ["passed       signature", "signed by the given key", "the verifier did not train the run again"] {
        assert!(outcome.stdout.contains(piece), "{piece:?}\n{}", outcome.stdout);
    }
}

#[test]
fn a_verdict_signed_by_the_trainers_key_is_refused() {
    let sandbox = with_verifier();
    let shown = sandbox.done(&["keys", "show"]).stdout;
    let own = crate::sandbox::field(&shown, "file ");
    let outcome = sandbox.audit(&["--key", ".git/pub.pem", "--sign", own]);
    assert_eq!(outcome.code, 2, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stderr.contains("nobody is their own verifier"), "{}", outcome.stderr);
    assert!(!sandbox.path("run/verdict.intoto.jsonl").exists());
}

#[test]
fn what_failed_or_was_not_checked_stands_in_the_verdict() {
    type Harm = fn(&Sandbox);
    let removed: Harm = |sandbox| std::fs::remove_file(sandbox.path("data/sim_tiny/train.csv")).expect("remove");
    let changed: Harm = |sandbox| std::fs::write(sandbox.path("run/predictions.csv"), "better").expect("write");
    for (harm, code, result, named) in
        [(removed, 3, "WARNED", "data was not checked"), (changed, 1, "FAILED", "files failed")]
    {
        let sandbox = with_verifier();
        harm(&sandbox);
        let outcome = sandbox.verify(&[&SIGNED_AUDIT[..], &["--verdict-out", ".git/verdict"]].concat());
        assert_eq!(outcome.code, code, "{}", outcome.stdout);
        assert!(!sandbox.path("run/verdict.intoto.jsonl").exists());
        let lines = std::fs::read_to_string(sandbox.path(".git/verdict")).expect("read");
        let payloads: Vec<serde_json::Value> = lines.lines().map(payload).collect();
        assert_eq!(payloads[1]["predicate"]["result"], result);
        assert_eq!(payloads[2]["predicate"]["verificationResult"], "FAILED");
        assert_eq!(payloads[2]["predicate"]["verifiedLevels"], serde_json::json!(["FAILED"]));
        let outcome = sandbox.verify(&[&VERDICT[..], &["--verdict", ".git/verdict"]].concat());
        assert_eq!(outcome.code, code, "{}", outcome.stdout);
        assert!(outcome.stdout.contains(named), "{named:?}\n{}", outcome.stdout);
    }
}

fn payload(line: &str) -> serde_json::Value {
    use base64::Engine as _;
    let envelope: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let payload = envelope["payload"].as_str().expect("text");
    serde_json::from_slice(&base64::engine::general_purpose::STANDARD.decode(payload).expect("Base64")).expect("JSON")
}

#[test]
fn a_verdict_on_an_earlier_manifest_or_other_files_is_refused() {
    let copy = || {
        let sandbox = with_verifier();
        let outcome = sandbox.verify(&SIGNED_AUDIT);
        assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
        sandbox
    };
    let sandbox = copy();
    forge(&sandbox, |statement| statement.predicate.run.nonce = Some("another".into()));
    let outcome = sandbox.verify(&VERDICT);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("verdict on the manifest"), "{}", outcome.stdout);
    let sandbox = copy();
    std::fs::write(sandbox.path("run/predictions.csv"), "better").expect("write");
    let outcome = sandbox.verify(&VERDICT);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("predictions.csv"), "{}", outcome.stdout);
}

#[test]
fn a_provenance_line_of_another_run_is_refused() {
    let sandbox = with_verifier();
    let path = sandbox.path("run/manifest.intoto.jsonl");
    let honest = std::fs::read_to_string(&path).expect("read");
    let provenance = honest.lines().nth(1).expect("two statements");
    // The trainer signs another claim and keeps the provenance that looked good.
    forge(&sandbox, |statement| statement.predicate.run.id = "another".into());
    let forged = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, format!("{forged}{provenance}\n")).expect("write");
    let outcome = sandbox.verify(&["manifest", "run", "--key", ".git/pub.pem"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("contradicts"), "{}", outcome.stdout);
}

#[test]
fn a_manifest_larger_than_any_is_refused_without_being_read() {
    let sandbox = with_verifier();
    let path = sandbox.path("run/manifest.intoto.jsonl");
    // 64 GiB of nothing, which no machine of the tests could hold.
    std::fs::File::create(&path).and_then(|file| file.set_len(64 << 30)).expect("a sparse file");
    for profile in ["--strict", "--tolerant"] {
        let outcome = sandbox.verify(&["manifest", "run", "--key", ".git/pub.pem", profile]);
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    }
}

/// A folder of programs that leave a trace when they are run.
fn traps(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let (folder, trace) = (sandbox.path(".git/traps"), sandbox.path(".git/trace"));
    std::fs::create_dir_all(&folder).expect("a folder");
    for name in ["sh", "bash", "git", "python3", "python", "rustc", "cargo", "curl", "env", "evil"] {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\necho {name} >> {}\n", trace.display())).expect("write");
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    }
    (folder, trace)
}

#[test]
fn a_replay_runs_nothing_that_the_manifest_names_and_writes_nowhere_it_says() {
    let sandbox = Sandbox::new();
    // An honest run whose config leads everywhere but into the run directory.
    let outside = sandbox.path("outside");
    let overrides = [
        "trainer=ci_fast",
        "run.dir=run",
        "data.root=outside/raw",
        "calib.out=outside/curves",
        "hydra.run.dir=outside/hydra",
    ];
    sandbox.done(&[&["train"][..], &overrides].concat());
    assert!(outside.exists());
    std::fs::remove_dir_all(&outside).expect("remove");
    let (folder, trace) = traps(&sandbox);
    // The trainer then signs names of programs wherever a text fits.
    let evil = folder.join("evil").display().to_string();
    forge(&sandbox, |statement| {
        let run = &mut statement.predicate;
        run.environment.rustc = format!("$({evil})");
        run.environment.kernel = Some(format!("`{evil}`"));
        run.run.id = format!("file://{evil}");
        training(statement).device.name = format!("; {evil}");
    });
    let replay = |sandbox: &Sandbox| {
        let mut command = Command::new(crate::sandbox::verifier());
        command.args(["replay", "run"]).current_dir(sandbox.path("")).env_clear();
        command.env("PATH", &folder).env("HOME", sandbox.path("../home"));
        Outcome::of(&mut command)
    };
    let outcome = replay(&sandbox);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    assert!(!outside.exists(), "the replay wrote where the manifest says");
    assert!(!trace.exists(), "the replay ran {}", std::fs::read_to_string(&trace).unwrap_or_default());
    // Overrides that would be dangerous in a launcher compose to another config, or to none: nothing is replayed.
    for hostile in [format!("+callback._target_={evil}"), "+trainer.launcher=${oc.env:HOME}".to_owned()] {
        let manifest = sandbox.path("run/manifest.intoto.jsonl");
        let before = std::fs::read(&manifest).expect("read");
        forge(&sandbox, |statement| statement.predicate.config.overrides.push(hostile.clone()));
        let outcome = replay(&sandbox);
        assert_ne!(outcome.code, 0, "{hostile}\n{}", outcome.stdout);
        assert!(outcome.stdout.contains("replay: not checked"), "{hostile}\n{}", outcome.stdout);
        assert!(!outside.exists() && !trace.exists(), "{hostile}");
        std::fs::write(&manifest, before).expect("write");
    }
}

#[test]
fn a_verdict_that_cannot_be_written_hides_no_finding() {
    let sandbox = with_verifier();
    // Below a file nobody can write, root included.
    std::fs::write(sandbox.path(".git/blocked"), "").expect("write");
    let outcome = sandbox.verify(&[&SIGNED_AUDIT[..], &["--verdict-out", ".git/blocked/verdict"]].concat());
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("passed       files"), "the findings are shown all the same\n{}", outcome.stdout);
    assert!(outcome.stdout.contains("--verdict-out"), "{}", outcome.stdout);
    let outcome = sandbox.verify(&[&SIGNED_AUDIT[..], &["--verdict-out", ".git/verdict"]].concat());
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
}

#[test]
fn the_manifest_of_a_run_is_written_canonically() {
    let bytes = std::fs::read(trained().path("run/manifest.intoto.jsonl")).expect("read");
    let statement = read_unverified(&bytes).expect("a statement");
    let lines = String::from_utf8(bytes).expect("UTF-8");
    let first = payload(lines.lines().next().expect("a line"));
    assert_eq!(strict_json::to_vec(&statement).expect("small"), serde_json::to_vec(&first).expect("JSON"));
}
