//! What goes wrong leaves nothing half written. How it is said is in tests/messages, whole.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::sandbox::{Outcome, Sandbox, copy_tree, present, trained};

/// Expects the exit code and every piece of text on standard error.
fn assert_refused(outcome: &Outcome, code: i32, pieces: &[&str]) {
    assert_eq!(outcome.code, code, "{}{}", outcome.stdout, outcome.stderr);
    for piece in pieces {
        assert!(outcome.stderr.contains(piece), "{piece:?} is not said:\n{}", outcome.stderr);
    }
    assert!(outcome.stderr.contains("Hint: "), "no hint:\n{}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
}

/// Names below a folder, sorted, folders and files.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|e| e.expect("entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_unknown_key_on_the_command_line_is_refused_with_the_nearest_one() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run(&["train", "trainer.max_epoch=3"]);
    assert_refused(&outcome, 2, &["max_epoch", "max_epochs"]);
    assert!(!sandbox.path("runs").exists() && !sandbox.path("data").exists());
}

#[test]
fn numbers_that_no_run_can_be_made_with_are_refused_before_anything_is_done() {
    let sandbox = Sandbox::new();
    for (wrong, key) in [
        ("data.batch_size=0", "data.batch_size"),
        ("data.val_fraction=2", "data.val_fraction"),
        ("optimizer.lr=-1", "optimizer.lr"),
        ("optimizer.betas=[0.9,1.0]", "optimizer.betas"),
        ("trainer.micro_shards=0", "trainer.micro_shards"),
        ("experiment=../x", "experiment"),
        ("calib.output=cube", "calib.output"),
    ] {
        assert_refused(&sandbox.run(&["train", wrong]), 2, &[key]);
    }
    assert!(!sandbox.path("runs").exists());
}

#[test]
fn a_missing_data_folder_is_refused_before_anything_is_written() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run(&["train", "data=ariel", "data.root=nowhere/at/all"]);
    assert_refused(&outcome, 1, &["nowhere/at/all"]);
    assert!(!sandbox.path("runs").exists());
}

#[test]
fn a_truncated_parquet_file_is_named_and_nothing_is_written() {
    let sandbox = Sandbox::new();
    copy_tree(&trained().path("data/sim_tiny"), &sandbox.path("data/sim_tiny"));
    let planet = names(&sandbox.path("data/sim_tiny/train")).swap_remove(0);
    let file = format!("data/sim_tiny/train/{planet}/AIRS-CH0_signal_0.parquet");
    let bytes = std::fs::read(sandbox.path(&file)).expect("read");
    std::fs::write(sandbox.path(&file), &bytes[..bytes.len() / 2]).expect("write");
    let outcome = sandbox.run(&["calibrate", "calib=tiny", "calib.out=out"]);
    assert_refused(&outcome, 1, &[&file]);
    assert_eq!(names(&sandbox.path("out")), Vec::<String>::new());
}

/// What `unshare` makes a namespace with in which a file system of one's own can be mounted, for a full disk.
pub fn mount_namespace() -> Option<&'static str> {
    // Root needs no user namespace of its own, and containers often forbid one.
    let flags = ["-m", "-rm"].into_iter().find(|flags| {
        let script = "mount -t tmpfs -o size=4k tmpfs /tmp";
        let tried = Command::new("unshare").args([flags, "sh", "-c", script]).output();
        tried.is_ok_and(|output| output.status.success())
    });
    present("namespaces", flags.is_some(), "mount namespaces (unshare), for a full disk");
    flags
}

/// Runs the program with `folder` on a file system of so many KiB, in a mount namespace of its own.
fn with_small_disk(sandbox: &Sandbox, folder: &str, kibibytes: u32, arguments: &[&str]) -> Option<Outcome> {
    let flags = mount_namespace()?;
    let folder = sandbox.path(folder);
    std::fs::create_dir_all(&folder).expect("create folder");
    let inner = sandbox.spectramind(arguments);
    // What is left on the small disk is listed inside the namespace, which ends with the program.
    let script = format!(
        "mount -t tmpfs -o size={kibibytes}k tmpfs '{0}' && cd . && \"$@\"; code=$?; find '{0}' -type f; exit $code",
        folder.display()
    );
    let mut outer = Command::new("unshare");
    outer.args([flags, "sh", "-c", &script, "sh"]).arg(inner.get_program()).args(inner.get_args());
    outer.current_dir(inner.get_current_dir().expect("a sandbox has a folder")).env_clear();
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap_or_default());
    }
    Some(Outcome::of(&mut outer))
}

#[test]
fn a_disk_that_fills_up_while_simulating_leaves_no_data_set() {
    let sandbox = Sandbox::new();
    let Some(outcome) = with_small_disk(&sandbox, "data", 4096, &["simulate"]) else { return };
    assert_refused(&outcome, 1, &["No space left on device"]);
    assert!(!outcome.stdout.contains("data/sim_tiny/"), "half a data set under its final name:\n{}", outcome.stdout);
}

#[test]
fn a_disk_that_fills_up_while_training_leaves_no_manifest() {
    let sandbox = Sandbox::with_data();
    let Some(outcome) = with_small_disk(&sandbox, "runs", 100, &["train", "trainer=ci_fast"]) else { return };
    assert_refused(&outcome, 1, &["No space left on device"]);
    assert!(!outcome.stdout.contains("manifest"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains(".partial"), "{}", outcome.stdout);
}

#[test]
fn a_key_that_others_may_read_is_refused_before_training() {
    let sandbox = Sandbox::new();
    sandbox.done(&["keys", "generate", "--out", "own.pem"]);
    let key = sandbox.path("own.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    let outcome = sandbox.run(&["train", "trainer=ci_fast", "--signing-key", "own.pem"]);
    assert_refused(&outcome, 1, &["own.pem", "0644", "chmod 600"]);
    assert!(!sandbox.path("runs").exists() && !sandbox.path("data").exists());
}

#[test]
fn a_key_is_never_written_over_a_file() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("own.pem"), "precious").expect("write");
    let outcome = sandbox.run(&["keys", "generate", "--out", "own.pem"]);
    assert_refused(&outcome, 1, &["own.pem"]);
    assert_eq!(std::fs::read_to_string(sandbox.path("own.pem")).expect("read"), "precious");
}

#[test]
fn an_existing_run_directory_is_refused() {
    let sandbox = Sandbox::with_data();
    std::fs::create_dir(sandbox.path("run")).expect("mkdir");
    std::fs::write(sandbox.path("run/thesis.txt"), "precious").expect("write");
    let outcome = sandbox.run(&["train", "trainer=ci_fast", "run.dir=run"]);
    assert_refused(&outcome, 1, &["run"]);
    assert_eq!(names(&sandbox.path("run")), ["thesis.txt"]);
}

#[test]
fn an_existing_folder_is_not_simulated_into() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("out")).expect("mkdir");
    std::fs::write(sandbox.path("out/thesis.txt"), "precious").expect("write");
    let outcome = sandbox.run(&["simulate", "sim.out=out"]);
    assert_refused(&outcome, 1, &["out"]);
    assert_eq!(names(&sandbox.path("out")), ["thesis.txt"]);
}
