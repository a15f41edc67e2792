//! What a run records of its sources and of its environment, and what an audit makes of it; with real runs.

use spectramind::manifest::origin::RunOrigin;
use spectramind::manifest::strict_json;
use spectramind::provenance::environment::Variable;

use crate::sandbox::{Outcome, Sandbox};

const TRAIN: [&str; 4] = ["train", "trainer=ci_fast", "trainer.max_epochs=1", "run.dir=run"];

fn origin(sandbox: &Sandbox) -> RunOrigin {
    let bytes = std::fs::read(sandbox.path("run/provenance.json")).expect("read");
    strict_json::from_slice(&bytes).expect("what the run started from")
}

/// Trains with these arguments more, and these environment variables.
fn train(sandbox: &Sandbox, more: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let arguments = [&TRAIN[..], more].concat();
    let outcome = Outcome::of(sandbox.spectramind(&arguments).envs(variables.iter().copied()));
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    outcome
}

#[test]
fn the_uncommitted_changes_of_a_run_are_kept_signed_and_reproduce_it() {
    let sandbox = Sandbox::with_data();
    let config = std::fs::read_to_string(sandbox.path("configs/train.yaml")).expect("read");
    std::fs::write(sandbox.path("configs/train.yaml"), config.replace("experiment: ariel", "experiment: mine"))
        .expect("write");
    std::fs::write(sandbox.path("key.pem"), "secret").expect("write");
    train(&sandbox, &["provenance.keep_diff=true"], &[]);
    let patch = std::fs::read_to_string(sandbox.path("run/provenance/uncommitted.patch")).expect("a patch");
    assert!(patch.contains("+experiment: mine") && !patch.contains("secret"), "{patch}");
    let named = origin(&sandbox).git.and_then(|git| git.patch).map(|path| path.to_string());
    assert_eq!(named.as_deref(), Some("provenance/uncommitted.patch"));
    assert_eq!(sandbox.audit(&[]).code, 0);

    // Without the changes the audit names them and where they are; with them it passes.
    sandbox.git(&["checkout", "--quiet", "configs"]);
    let outcome = sandbox.verify(&["git", "run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("git apply --binary RUN/provenance/uncommitted.patch"), "{}", outcome.stdout);
    sandbox.git(&["apply", "--binary", "run/provenance/uncommitted.patch"]);
    assert_eq!(sandbox.audit(&[]).code, 0);

    std::fs::write(sandbox.path("run/provenance/uncommitted.patch"), patch.replace("mine", "ours")).expect("write");
    let outcome = sandbox.verify(&["manifest", "run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("provenance/uncommitted.patch"), "{}", outcome.stdout);
}

#[test]
fn what_a_run_read_and_git_does_not_hold_is_in_the_record_and_in_the_report() {
    let sandbox = Sandbox::with_data();
    std::fs::create_dir_all(sandbox.path("configs/setup")).expect("create");
    std::fs::write(sandbox.path("configs/setup/mine.yaml"), "# @package _global_\nexperiment: mine\n").expect("write");
    train(&sandbox, &["+setup=mine"], &[]);
    let git = origin(&sandbox).git.expect("a repository");
    assert_eq!(git.read_untracked, ["configs/setup/mine.yaml"]);
    assert!(git.read_ignored.contains(&"data/sim_tiny".to_owned()), "{:?}", git.read_ignored);
    assert_eq!(git.patch, None);
    let outcome = sandbox.verify(&["git", "run"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("configs/setup/mine.yaml"), "{}", outcome.stdout);
}

#[test]
fn the_environment_that_a_run_reads_is_recorded_and_no_secret_of_it() {
    let sandbox = Sandbox::with_data();
    let variables = [
        ("RAYON_NUM_THREADS", "2"),
        ("SPECTRAMIND_PASSPHRASE", "a secret"),
        ("CHALLENGE", "a challenge"),
        ("AWS_SECRET_ACCESS_KEY", "a secret"),
    ];
    train(&sandbox, &["record.challenge=${oc.env:CHALLENGE}", "record.nonce=${oc.env:NONCE,null}"], &variables);
    let text = std::fs::read_to_string(sandbox.path("run/provenance.json")).expect("read");
    assert!(!text.contains("a secret") && !text.contains("AWS_SECRET_ACCESS_KEY"), "{text}");
    let recorded = origin(&sandbox).environment.variables;
    for expected in [
        Variable::shown("RAYON_NUM_THREADS", Some("2".as_ref())),
        Variable::shown("CUDA_VISIBLE_DEVICES", None),
        Variable::withheld("SPECTRAMIND_PASSPHRASE", true),
        Variable::withheld("SPECTRAMIND_SIGNING_KEY", false),
        Variable::withheld("CHALLENGE", true),
        Variable::withheld("NONCE", false),
    ] {
        assert!(recorded.contains(&expected), "{expected:?} is not among {recorded:?}");
    }
}

#[test]
fn variables_that_lead_git_elsewhere_lead_nobody_here() {
    let (sandbox, elsewhere) = (Sandbox::with_data(), Sandbox::new());
    let gitignore = std::fs::read_to_string(sandbox.path(".gitignore")).expect("read");
    std::fs::write(sandbox.path(".gitignore"), gitignore + "# changed\n").expect("write");
    let repository = elsewhere.path(".git").display().to_string();
    let work_tree = elsewhere.path("").display().to_string();
    let index = elsewhere.path(".git/index").display().to_string();
    let variables = [("GIT_DIR", &*repository), ("GIT_WORK_TREE", &*work_tree), ("GIT_INDEX_FILE", &*index)];
    train(&sandbox, &[], &variables);
    assert_eq!(origin(&sandbox).git.expect("a repository").changed, [".gitignore"]);
}

#[test]
fn an_audit_names_a_submodule_that_is_not_there_and_one_that_was_changed() {
    let (sandbox, library) = (Sandbox::with_data(), Sandbox::new());
    let url = library.path("").display().to_string();
    sandbox.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "library"]);
    sandbox.git(&["commit", "--quiet", "--message=a library"]);
    train(&sandbox, &[], &[]);
    let outcome = sandbox.verify(&["git", "run"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    std::fs::write(sandbox.path("library/.gitignore"), "").expect("write");
    let outcome = sandbox.verify(&["git", "run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("library/.gitignore"), "{}", outcome.stdout);
    sandbox.git(&["submodule", "--quiet", "deinit", "--force", "library"]);
    let outcome = sandbox.verify(&["git", "run"]);
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("git submodule update --init --recursive"), "{}", outcome.stdout);
}

#[test]
fn a_run_outside_any_repository_is_recorded_as_such_and_keeps_no_patch() {
    let sandbox = Sandbox::with_data();
    std::fs::remove_dir_all(sandbox.path(".git")).expect("remove");
    train(&sandbox, &["provenance.keep_diff=true"], &[]);
    assert_eq!(origin(&sandbox).git, None);
    assert!(!sandbox.path("run/provenance/uncommitted.patch").exists());
}
