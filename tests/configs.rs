//! `spectramind config`: what set a key, what differs, what is not valid.

use crate::sandbox::{Sandbox, trained};

fn edit(sandbox: &Sandbox, file: &str, from: &str, to: &str) {
    let path = sandbox.path(file);
    let text = std::fs::read_to_string(&path).expect("read");
    assert!(text.contains(from), "{file} has {from:?}");
    std::fs::write(path, text.replace(from, to)).expect("write");
}

#[test]
fn a_key_is_explained_with_what_set_it_and_every_value_that_lost() {
    let outcome =
        Sandbox::new().done(&["config", "explain", "trainer.max_epochs", "trainer=ci_fast", "trainer.max_epochs=7"]);
    let expected = "trainer.max_epochs: 7\n  set by override trainer.max_epochs=7\n  \
                    before configs/trainer/ci_fast.yaml:8:1  1\n  before configs/trainer/defaults.yaml:15:1  50\n";
    assert_eq!(outcome.stdout, expected);
}

#[test]
fn a_key_that_does_not_exist_is_answered_with_the_nearest() {
    let outcome = Sandbox::new().run(&["config", "explain", "trainer.max_epoch"]);
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("trainer.max_epochs"), "{}", outcome.stderr);
}

#[test]
fn items_failing_interpolations_and_hydra_keys_are_explained() {
    let sandbox = Sandbox::new();
    let item = sandbox.done(&["config", "explain", "optimizer.betas[1]"]).stdout;
    assert!(item.starts_with("optimizer.betas[1]: 0.999\n  set by configs/optimizer/adamw.yaml:"), "{item}");
    let failing = sandbox.done(&["config", "explain", "trainer.seed", "trainer.seed=${nope}"]).stdout;
    for piece in ["trainer.seed: ${nope}\nresolved: fails, ", "set by override", "before configs/trainer/defaults.yaml"]
    {
        assert!(failing.contains(piece), "{piece:?} in\n{failing}");
    }
    let hydra = sandbox.done(&["config", "explain", "hydra.run.dir", "hydra.run.dir=out"]).stdout;
    assert!(hydra.contains("set by override hydra.run.dir=out"), "{hydra}");
    let near = sandbox.run(&["config", "explain", "hydra.run.dirr"]);
    assert!(near.code == 2 && near.stderr.contains("did you mean hydra.run.dir,"), "{}", near.stderr);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .spectramind(&["train", "--cfg", "all"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn two_commands_differ_by_key_with_origins() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run(&["config", "diff", "train", "train trainer.seed=1 'experiment=a b'"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    for piece in
        ["trainer.seed\n  - 42", "configs/trainer/defaults.yaml:55:1", "+ 1", "override trainer.seed=1", "+ a b"]
    {
        assert!(outcome.stdout.contains(piece), "{piece:?} in\n{}", outcome.stdout);
    }
    assert_eq!(sandbox.done(&["config", "diff", "train", "train trainer=defaults"]).stdout, "");
    for wrong in [&["train", "nothing"][..], &["train", "train 'a"], &["", "train"], &["configs", "train"], &["train"]]
    {
        let outcome = sandbox.run(&[&["config", "diff"], wrong].concat());
        assert_eq!(outcome.code, 2, "{wrong:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("Hint: "), "{wrong:?}: {}", outcome.stderr);
    }
}

#[test]
fn a_run_is_compared_with_the_tree_of_today_and_with_another_run() {
    let sandbox = crate::sandbox::trained_copy();
    assert_eq!(sandbox.done(&["config", "diff", "run"]).stdout, "");
    edit(&sandbox, "configs/trainer/ci_fast.yaml", "seed: 123", "seed: 124");
    let today = sandbox.run(&["config", "diff", "run"]);
    assert_eq!(today.code, 1, "{}", today.stderr);
    assert!(today.stdout.starts_with("trainer.seed\n  - 123 "), "{}", today.stdout);
    assert!(today.stdout.contains("run/.hydra/config.yaml:"), "{}", today.stdout);
    let other = trained().path("run");
    assert_eq!(sandbox.done(&["config", "diff", "run", &other.display().to_string()]).stdout, "");
}

#[test]
fn our_own_tree_is_valid() {
    let outcome = Sandbox::new().done(&["config", "validate"]);
    assert!(
        outcome.stdout.ends_with("compositions are valid\n") && !outcome.stdout.contains("warning"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn validation_reports_every_error_once_with_its_place() {
    let sandbox = Sandbox::new();
    edit(&sandbox, "configs/trainer/multi_gpu.yaml", "patience: 6", "patiense: 6");
    edit(&sandbox, "configs/trainer/multi_gpu.yaml", "precision: 16-mixed", "precision: 17");
    edit(&sandbox, "configs/trainer/multi_gpu.yaml", "devices: auto", "devices: [1]");
    edit(&sandbox, "configs/data/sim_tiny.yaml", "batch_size: 2", "batch_size: two");
    edit(&sandbox, "configs/trainer/defaults.yaml", "mode: max", "mode: upp");
    edit(&sandbox, "configs/sim/full.yaml", "seed:", "sead:");
    std::fs::write(sandbox.path("configs/loss/broken.yaml"), "a: [\n").expect("write");
    std::fs::create_dir(sandbox.path("configs/experiment")).expect("mkdir");
    let experiment = "# @package _global_\ndefaults:\n  - override /trainer: ci_fast\ntrainer:\n  seed: x\n";
    std::fs::write(sandbox.path("configs/experiment/e.yaml"), experiment).expect("write");
    let outcome = sandbox.run(&["config", "validate"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    for line in [
        r#"data.batch_size (configs/data/sim_tiny.yaml:12:1): expected integer, got "two""#,
        r#"trainer.early_stopping.mode (configs/trainer/defaults.yaml:49:3): expected "max" or "min" or null, got "upp""#,
        r#"trainer.precision (configs/trainer/multi_gpu.yaml:8:1): expected 32, "32", "16-mixed", "bf16-mixed", got 17"#,
        r#"trainer.devices (configs/trainer/multi_gpu.yaml:7:1): expected integer or "auto", got [1]"#,
        "trainer.early_stopping.patiense (configs/trainer/multi_gpu.yaml:16:3): unknown key",
        "sim.sead (configs/sim/full.yaml:",
        r#"sim (configs/sim/full.yaml:3:1): expected the key "seed", got none"#,
        "configs/loss/broken.yaml:2:1: ",
        r#"train +experiment=e: trainer.seed (configs/experiment/e.yaml:5:3): expected integer, got "x""#,
    ] {
        assert_eq!(outcome.stdout.matches(line).count(), 1, "{line:?} in\n{}", outcome.stdout);
    }
    assert!(outcome.stdout.contains("9 errors in "), "{}", outcome.stdout);
}

#[test]
fn a_mandatory_value_that_a_person_sets_later_is_valid() {
    let outcome = Sandbox::new().done(&["config", "validate", "--config-name", "predict"]);
    assert!(outcome.stdout.contains("are valid"), "{}", outcome.stdout);
    assert_eq!(Sandbox::new().run(&["config", "validate", "--config-name", "nope"]).code, 2);
}

#[test]
fn an_interpolation_that_fails_hides_no_other_error() {
    let sandbox = Sandbox::new();
    let more = "\nbroken: {a: \"${nope}\", b: \"${nopf}\"}\n";
    let path = sandbox.path("configs/train.yaml");
    let text = std::fs::read_to_string(&path).expect("read") + more;
    std::fs::write(path, text).expect("write");
    edit(&sandbox, "configs/trainer/multi_gpu.yaml", "precision: 16-mixed", "precision: 17");
    let outcome = sandbox.run(&["config", "validate"]);
    for piece in ["${nope}", "${nopf}", "broken (", "trainer.precision ("] {
        assert!(outcome.stdout.contains(piece), "{piece:?} in\n{}", outcome.stdout);
    }
    assert!(outcome.stdout.contains("4 errors in ") && !outcome.stdout.contains("+envelope"), "{}", outcome.stdout);
}

#[test]
fn a_silent_trap_is_warned_about_with_a_hint() {
    let sandbox = Sandbox::new();
    edit(
        &sandbox,
        "configs/train.yaml",
        "  - envelope: kaggle\n",
        "  - envelope: kaggle\n  - overide trainer: ci_fast\n",
    );
    let outcome = sandbox.run(&["train", "--cfg", "job"]);
    assert!(outcome.stderr.contains("overide") && outcome.stderr.contains("override"), "{}", outcome.stderr);
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("configs/trainer/mine.yaml"), "# mine\ntrainer:\n  max_epochs: 3\n").expect("write");
    let outcome = sandbox.done(&["train", "--cfg", "job", "trainer=mine"]);
    assert!(outcome.stderr.contains("Warning: configs/trainer/mine.yaml:2:1"), "{}", outcome.stderr);
    let outcome = sandbox.run(&["train", "trainer=mine", "trainer.max_epochs=30"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("trainer.trainer.max_epochs"), "{}", outcome.stderr);
}
