//! The verifier on its own, built without an engine: arguments and exit codes. What it finds in real runs is tested
//! with the program that makes them, in the root package's `tests/`.

use std::process::{Command, Output};

fn verify(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("temp dir");
    let mut command = Command::new(env!("CARGO_BIN_EXE_spectramind-verify"));
    command.env_clear().env("HOME", home.path()).env("XDG_CONFIG_HOME", home.path());
    command.args(arguments).output().expect("the program starts")
}

#[test]
fn wrong_arguments_exit_2() {
    for arguments in [&[][..], &["audit"], &["data", "run", "--data", "no-equals-sign"], &["audit", "run", "--bogus"]] {
        assert_eq!(verify(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn without_any_key_to_believe_nothing_is_checked() {
    let output = verify(&["manifest", "no/such/run"]);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("--key PUB.pem"), "{text}");
}

#[test]
fn a_trust_policy_that_is_none_is_a_wrong_argument() {
    let folder = tempfile::tempdir().expect("temp dir");
    let path = folder.path().join("trust.json");
    std::fs::write(&path, "{}").expect("write");
    let output = verify(&["manifest", "run", "--trust", path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn the_help_documents_the_exit_codes() {
    let text = String::from_utf8(verify(&["--help"]).stdout).expect("UTF-8");
    for piece in ["0 every requested check passed", "1 a check failed", "3 something could not be checked", "70 a bug"]
    {
        assert!(text.replace('\n', " ").contains(piece), "{piece}\n{text}");
    }
}
