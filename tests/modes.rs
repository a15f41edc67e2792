//! Accelerators, numerics and precision: what is chosen, what is refused, and that every mode replays bit for bit.

use std::path::Path;

use spectramind::engine::device::{Kind, devices};
use spectramind::manifest::predicate::NumericsProfile;

use crate::forgery::{forge, training};
use crate::sandbox::{Outcome, Sandbox, field, trained};
use crate::training::{assert_same_results, bytes, kill_after};

/// Two epochs with checkpoints on the way, in a mode.
fn arguments(mode: &[&'static str]) -> Vec<&'static str> {
    let run = ["train", "trainer=ci_fast", "run.dir=run", "trainer.max_epochs=8", "trainer.checkpoint.every_n_steps=3"];
    [&run[..], mode].concat()
}

#[test]
fn mixed_precision_and_native_runs_replay_bit_for_bit_on_any_threads_and_after_a_kill() {
    let modes: [&[&'static str]; 4] = [
        &["trainer.precision=16-mixed"],
        &["trainer.precision=bf16-mixed"],
        &["trainer.numerics=native"],
        &["trainer.numerics=native", "trainer.precision=16-mixed"],
    ];
    for mode in modes {
        let arguments = arguments(mode);
        let whole = Sandbox::with_data();
        let printed = whole.done(&arguments);
        let device = field(&printed.stdout, "device ");
        let numerics = if mode[0].contains("native") { "native numerics" } else { "portable numerics 1" };
        assert!(device.contains(numerics), "{device}");
        assert!(device.ends_with("chosen because accelerator=cpu"), "{device}");
        let audit = whole.audit(&["--replay"]);
        assert_eq!(audit.code, 0, "{mode:?}\n{}", audit.stdout);

        for threads in ["1", "5"] {
            let other = Sandbox::with_data();
            let outcome = Outcome::of(other.spectramind(&arguments).env("RAYON_NUM_THREADS", threads));
            assert_eq!(outcome.code, 0, "{mode:?}\n{}", outcome.stderr);
            assert_same_results(&whole.path("run"), &other.path("run"));
        }
        let killed = Sandbox::with_data();
        kill_after(&killed, &arguments, 5);
        killed.done(&["train", "--resume", "run"]);
        assert_same_results(&whole.path("run"), &killed.path("run"));

        assert_predicts_the_same(&whole);
        assert_ne!(bytes(trained().path("run/steps.jsonl")), bytes(whole.path("run/steps.jsonl")));
    }
}

/// `predict` computes in the checkpoint's arithmetic: it gives the predictions that training ended with, for the planets
/// that both are about.
fn assert_predicts_the_same(sandbox: &Sandbox) {
    sandbox.done(&["predict", "checkpoint=run", "data.split=train", "out=.git/predicted.csv"]);
    let predicted = String::from_utf8(bytes(sandbox.path(".git/predicted.csv"))).expect("UTF-8");
    let trained = String::from_utf8(bytes(sandbox.path("run/predictions.csv"))).expect("UTF-8");
    assert!(trained.lines().count() > 1);
    for line in trained.lines() {
        assert!(predicted.contains(line), "{line}");
    }
}

#[test]
fn the_record_says_what_computed_and_how() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&arguments(&["trainer.precision=16-mixed", "trainer.max_epochs=1"]));
    let shown: serde_json::Value = serde_json::from_str(&sandbox.done(&["runs", "show", "run"]).stdout).expect("JSON");
    let training = &shown["computation"]["training"];
    assert_eq!(training["device"]["accelerator"], "cpu");
    assert_eq!(training["device"]["driver"], serde_json::Value::Null);
    assert_eq!(training["numerics"]["profile"], "portable");
    assert_eq!(training["numerics"]["precision"], "16-mixed");
    assert_eq!(shown["envelope"]["figures"]["peakDeviceBytes"], "0");
    let leaf = first_leaf(&sandbox.path("run"));
    assert_eq!(leaf["lossScale"], serde_json::json!({ "exponent": 16, "skipped": false }));
    assert_eq!(first_leaf(&trained().path("run")).get("lossScale"), None, "f32 runs have the leaves they always had");
}

fn first_leaf(run: &Path) -> serde_json::Value {
    let log = String::from_utf8(bytes(run.join("steps.jsonl"))).expect("UTF-8");
    serde_json::from_str(log.lines().next().expect("a line")).expect("JSON")
}

#[test]
fn auto_says_what_it_chose_and_why() {
    let sandbox = Sandbox::with_data();
    let outcome = sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "trainer.accelerator=auto"]);
    for text in [field(&outcome.stdout, "device "), field(&outcome.stderr, "computing on ")] {
        assert!(text.contains("chosen because accelerator=auto, and "), "{text}");
    }
    if !cfg!(any(feature = "wgpu", feature = "cuda")) {
        let why = "nothing faster can be used (cuda is not compiled in; wgpu is not compiled in)";
        assert!(outcome.stdout.contains(why), "{}", outcome.stdout);
    }
    // The device changes no bit in portable numerics.
    assert_same_results(&trained().path("run"), &sandbox.path("run"));
}

#[test]
fn an_accelerator_that_is_not_there_is_refused_with_what_to_do() {
    let sandbox = Sandbox::new();
    for (kind, compiled_in) in [("cuda", cfg!(feature = "cuda")), ("wgpu", cfg!(feature = "wgpu"))] {
        let outcome = sandbox.run(&["train", "trainer=ci_fast", &format!("trainer.accelerator={kind}")]);
        if outcome.code == 0 {
            assert!(compiled_in, "{}", outcome.stdout);
            continue;
        }
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        let (said, hint) = if compiled_in {
            (format!("accelerator {kind}: expected a device on this machine, got none"), "Hint: install ".to_owned())
        } else {
            let said = format!("accelerator {kind}: this program was built without it");
            (said, format!("Hint: build with `cargo build --release --features {kind}`"))
        };
        assert!(outcome.stderr.contains(&said) && outcome.stderr.contains(&hint), "{}", outcome.stderr);
        assert!(!sandbox.path("runs").exists() && !sandbox.path("data").exists(), "refused before anything is done");
    }
}

#[test]
fn a_replay_on_an_accelerator_that_is_not_there_is_not_checked() {
    if devices(Kind::Cuda).is_ok() {
        eprintln!("SKIPPED: this machine has CUDA");
        return;
    }
    let outcome = trained().verify(&["replay", "run", "--accelerator", "cuda"]);
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    let said = if cfg!(feature = "cuda") { "got none" } else { "built without it" };
    assert!(outcome.stdout.contains(said), "{}", outcome.stdout);
    let cpu = trained().verify(&["replay", "run", "--accelerator", "auto"]);
    assert_eq!(cpu.code, 0, "{}", cpu.stdout);
    assert!(cpu.stdout.contains("replayed on "), "{}", cpu.stdout);
}

#[test]
fn a_native_run_replays_on_its_own_kind_of_device_only() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "trainer.numerics=native"]);
    assert_eq!(sandbox.verify(&["replay", "run"]).code, 0);
    forge(&sandbox, |statement| training(statement).device.accelerator = "cuda".into());
    let elsewhere = sandbox.verify(&["replay", "run"]);
    assert_eq!(elsewhere.code, 3, "{}", elsewhere.stdout);
    assert!(elsewhere.stdout.contains("replay it with --accelerator cuda"), "{}", elsewhere.stdout);
    forge(&sandbox, |statement| training(statement).numerics.profile = NumericsProfile::Portable);
    let promised = sandbox.verify(&["replay", "run"]);
    assert_eq!(promised.code, 1, "{}", promised.stdout);
    assert!(promised.stdout.contains("numerics: expected"), "{}", promised.stdout);
}

#[test]
fn the_kaggle_profile_trains() {
    let sandbox = Sandbox::with_data();
    let short = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.accelerator=cpu"];
    let outcome = sandbox.done(&[&["train", "trainer=kaggle_safe", "run.dir=run"], &short[..]].concat());
    assert!(field(&outcome.stdout, "device ").contains("precision 16-mixed"), "{}", outcome.stdout);
    assert_eq!(sandbox.audit(&["--replay", "--kaggle"]).code, 0);
}
