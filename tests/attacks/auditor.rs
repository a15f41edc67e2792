//! An honest auditor's day: a clone, the run, a key and the raw data are enough, or what to type is said.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{assert_fails, assert_not_checked};
use crate::sandbox::{Outcome, Sandbox, copy_tree, simulated, trained, verifier};

/// Somebody else's place: a clone of the trainer's repository, the run directory and the public key; no data, no key.
struct Auditor {
    folder: tempfile::TempDir,
}

impl Auditor {
    fn of(trainer: &Sandbox) -> Self {
        let auditor = Self { folder: tempfile::tempdir().expect("temp dir") };
        copy_tree(&trainer.path("run"), &auditor.path("run"));
        let key = trainer.done(&["keys", "show", "--public"]).stdout;
        std::fs::write(auditor.path("pub.pem"), key).expect("write");
        auditor.git(".", &["clone", "--quiet", trainer.path("").to_str().expect("UTF-8"), "clone"]);
        auditor
    }

    /// The same with the raw data beside the clone.
    fn with_data(trainer: &Sandbox) -> Self {
        let auditor = Self::of(trainer);
        copy_tree(&trainer.path("data/sim_tiny"), &auditor.path("data"));
        auditor
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    fn git(&self, folder: &str, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Test", "-c", "user.email=test@example.org"]).args(arguments);
        let done = git.current_dir(self.path(folder)).env("GIT_CONFIG_GLOBAL", "/dev/null").status().expect("git runs");
        assert!(done.success(), "git {arguments:?}");
    }

    /// The verifier, in a folder of the auditor's.
    fn verify(&self, folder: &str, arguments: &[&str]) -> Outcome {
        self.verify_with(folder, arguments, &[])
    }

    fn verify_with(&self, folder: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
        let mut command = Command::new(verifier());
        command.env_clear().env("HOME", self.path("home")).env("PATH", "/usr/bin:/bin").envs(variables.iter().copied());
        Outcome::of(command.args(arguments).current_dir(self.path(folder)))
    }

    /// The audit of the run from the clone.
    fn audit(&self, more: &[&str]) -> Outcome {
        self.verify("clone", &[&AUDIT[..], more].concat())
    }
}

const AUDIT: [&str; 6] = ["audit", "../run", "--key", "../pub.pem", "--program", "installed"];
const REPLAY: [&str; 3] = ["--replay", "--data", "sim_tiny=../data"];

fn assert_passes(outcome: &Outcome) {
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
}

#[test]
fn u1_a_clone_the_run_and_a_key_are_enough() {
    let auditor = Auditor::of(simulated());
    assert_passes(&auditor.audit(&["--replay"]));
    assert!(!auditor.path("clone/data").exists(), "what a replay makes again is nowhere but in its scratch folder");
    // Without a replay nothing looks at derived data; where no data are here at all, nothing was looked at.
    assert_not_checked(&auditor.audit(&[]), "add --replay or name them with --data");
    copy_tree(&simulated().path("data"), &auditor.path("data"));
    assert_passes(&auditor.audit(&["--data", "sim_tiny=../data/sim_tiny"]));
    assert_passes(&auditor.audit(&[
        "--replay",
        "--data",
        "sim_tiny=../data/sim_tiny",
        "--data",
        "sim_tiny-calibrated=../data/sim_tiny-calibrated/train",
    ]));
}

#[test]
fn u1_raw_data_alone_are_enough_and_where_they_are_is_asked_for() {
    let trainer = Sandbox::with_data();
    trainer.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    let auditor = Auditor::of(&trainer);
    assert_not_checked(&auditor.audit(&["--replay"]), "say where it is with --data sim_tiny=DIR");
    copy_tree(&trainer.path("data/sim_tiny"), &auditor.path("data"));
    assert_passes(&auditor.audit(&["--replay", "--data", "sim_tiny=../data"]));
}

#[test]
fn u1_other_folders_are_named_by_one_argument() {
    let auditor = Auditor::with_data(trained());
    let audit = ["audit", "run", "--key", "pub.pem", "--program", "installed", "--replay", "--data", "sim_tiny=data"];
    let outcome = auditor.verify(".", &audit);
    assert_not_checked(&outcome, "expected the folder of the configs");
    assert!(outcome.stdout.contains("--repository DIR"), "{}", outcome.stdout);
    assert_passes(&auditor.verify(".", &[&audit[..], &["--repository", "clone"]].concat()));
}

#[test]
fn u1_a_shallow_clone_and_a_later_commit() {
    let auditor = Auditor::with_data(trained());
    let url = format!("file://{}", auditor.path("clone").display());
    auditor.git(".", &["clone", "--quiet", "--depth=1", &url, "shallow"]);
    assert_passes(&auditor.verify("shallow", &[&AUDIT[..], &REPLAY].concat()));
    auditor.git("clone", &["commit", "--quiet", "--allow-empty", "--message=later"]);
    let outcome = auditor.audit(&REPLAY);
    assert_fails(&outcome, "commit: expected");
    assert!(outcome.stdout.contains("git checkout "), "{}", outcome.stdout);
}

#[test]
fn u1_an_archive_without_a_repository_is_compared_by_its_tree() {
    let auditor = Auditor::with_data(trained());
    std::fs::create_dir(auditor.path("export")).expect("create");
    let archive = auditor.path("export.tar");
    auditor.git("clone", &["archive", "--output", archive.to_str().expect("UTF-8"), "HEAD"]);
    let done = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(auditor.path("export")).status();
    assert!(done.expect("tar runs").success());
    assert_passes(&auditor.verify("export", &[&AUDIT[..], &REPLAY].concat()));
    std::fs::write(auditor.path("export/configs/train.yaml"), "experiment: other\n").expect("write");
    assert_eq!(auditor.verify("export", &[&AUDIT[..], &REPLAY].concat()).code, 1);
}

#[test]
fn u1_a_checkout_with_other_line_ends_is_told_what_to_type() {
    let auditor = Auditor::with_data(trained());
    auditor.git("clone", &["config", "core.autocrlf", "true"]);
    std::fs::remove_dir_all(auditor.path("clone/configs")).expect("remove");
    auditor.git("clone", &["checkout", "--quiet", "configs"]);
    let outcome = auditor.audit(&REPLAY);
    assert_ne!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("core.autocrlf"), "{}", outcome.stdout);
}

#[test]
fn u1_a_read_only_run_in_a_foreign_locale_and_time_zone() {
    let auditor = Auditor::with_data(trained());
    let chmod = Command::new("chmod").args(["-R", "a-w"]).arg(auditor.path("run")).status().expect("chmod runs");
    assert!(chmod.success());
    let variables = [("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR"), ("TZ", "Asia/Kathmandu")];
    let outcome = auditor.verify_with("clone", &[&AUDIT[..], &REPLAY].concat(), &variables);
    Command::new("chmod").args(["-R", "u+w"]).arg(auditor.path("run")).status().expect("chmod runs");
    assert_passes(&outcome);
    // Nowhere to train again is no finding about the run.
    let outcome = auditor.verify_with("clone", &[&AUDIT[..], &REPLAY].concat(), &[("TMPDIR", "/proc")]);
    assert_not_checked(&outcome, "replay: not checked");
}

#[test]
fn u1_files_that_were_lost_on_the_way_are_named() {
    for lost in ["logs", ".hydra"] {
        let auditor = Auditor::with_data(trained());
        std::fs::remove_dir_all(auditor.path("run").join(lost)).expect("remove");
        assert_not_checked(&auditor.verify("clone", &["manifest", "../run", "--key", "../pub.pem"]), lost);
    }
    let auditor = Auditor::with_data(trained());
    assert_not_checked(&auditor.verify("clone", &["audit", "../nix", "--key", "../pub.pem"]), "nix");
}

#[test]
fn u2_data_whose_recorded_root_is_absolute_are_asked_for() {
    let trainer = Sandbox::with_data();
    let root = format!("data.root={}", trainer.path("data/sim_tiny").display());
    let printed = trainer.done(&["train", "trainer=ci_fast", "run.dir=run", &root]).stdout;
    let verify = crate::sandbox::field(&printed, "verify ").to_owned();
    let auditor = Auditor::with_data(&trainer);
    assert_not_checked(&auditor.audit(&["--replay"]), "say where it is with --data sim_tiny=DIR");
    assert_passes(&auditor.audit(&REPLAY));
    // The command that the trainer is shown works as it stands.
    let words: Vec<_> = verify.split(' ').skip(1).chain(["--replay"]).collect();
    assert_passes(&trainer.verify(&words));
}

#[test]
fn u2_a_config_that_reads_an_environment_variable() {
    let trainer = Sandbox::with_data();
    let config = std::fs::read_to_string(trainer.path("configs/train.yaml")).expect("read");
    let config = config.replace("experiment: ariel", "experiment: ${oc.env:EXPNAME,ariel}");
    std::fs::write(trainer.path("configs/train.yaml"), config).expect("write");
    trainer.git(&["commit", "--quiet", "--all", "--message=env"]);
    let train = |run: &str, more: &[&str]| {
        let run = format!("run.dir={run}");
        let arguments = [&["train", "trainer=ci_fast", &run], more].concat();
        let outcome = Outcome::of(trainer.spectramind(&arguments).env("EXPNAME", "mine"));
        assert_passes(&outcome);
    };
    // Of a variable that may be a secret the record has no value: the auditor is told to give it.
    train("run", &[]);
    let auditor = Auditor::with_data(&trainer);
    assert_not_checked(&auditor.audit(&REPLAY), "replay: not checked");
    let outcome = auditor.audit(&REPLAY);
    assert!(outcome.stdout.contains("EXPNAME; to give one: --env NAME=VALUE"), "{}", outcome.stdout);
    assert_passes(&auditor.audit(&[&REPLAY[..], &["--env", "EXPNAME=mine"]].concat()));
    // Of one that the config says is none, it has.
    std::fs::remove_dir_all(trainer.path("run")).expect("remove");
    train("run", &["provenance.variables=[EXPNAME]"]);
    assert_passes(&Auditor::with_data(&trainer).audit(&REPLAY));
}

#[test]
fn u2_uncommitted_changes_that_were_kept_are_applied_and_pass() {
    let trainer = Sandbox::with_data();
    let config = std::fs::read_to_string(trainer.path("configs/train.yaml")).expect("read");
    std::fs::write(trainer.path("configs/train.yaml"), format!("{config}# changed\n")).expect("write");
    trainer.done(&["train", "trainer=ci_fast", "run.dir=run", "provenance.keep_diff=true"]);
    let auditor = Auditor::with_data(&trainer);
    let outcome = auditor.audit(&REPLAY);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("git apply --binary RUN/provenance/uncommitted.patch"), "{}", outcome.stdout);
    auditor.git("clone", &["apply", "--binary", "../run/provenance/uncommitted.patch"]);
    assert_passes(&auditor.audit(&REPLAY));
}
