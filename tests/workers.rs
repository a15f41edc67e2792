//! Runs by several workers of one process: the bits of one, whatever their number, also when it changes on the way.

use spectramind::manifest::predicate::StretchRecord;

use crate::forgery::{forge, put_origin, statement, training};
use crate::sandbox::{Sandbox, vulkan};
use crate::training::{assert_same_results, kill_after, steps_written};

/// Epochs of a few steps with checkpoints on the way.
const RUN: [&str; 5] =
    ["train", "trainer=ci_fast", "run.dir=run", "trainer.max_epochs=30", "trainer.checkpoint.every_n_steps=3"];

fn whole() -> Sandbox {
    let whole = Sandbox::with_data();
    whole.done(&RUN);
    whole
}

/// Who made which steps, as it is signed: first step and number of workers.
fn stretches(sandbox: &Sandbox) -> Vec<(u64, usize)> {
    let mut signed = statement(sandbox, "run");
    let of = |stretch: &StretchRecord| (stretch.first_step.0, stretch.workers.len());
    training(&mut signed).stretches.iter().map(of).collect()
}

#[test]
fn any_number_of_workers_signs_the_same_results_and_is_replayed_by_one() {
    let whole = whole();
    assert_eq!(stretches(&whole), [], "one device from the first to the last step");
    for workers in [2, 4, 16] {
        let several = Sandbox::with_data();
        let outcome = several.done(&[&RUN[..], &[&format!("trainer.devices={workers}")]].concat());
        assert!(outcome.stderr.contains(&format!("computing on {workers} workers on ")), "{}", outcome.stderr);
        assert_same_results(&whole.path("run"), &several.path("run"));
        assert_eq!(stretches(&several), [(1, workers)]);
        if workers == 4 {
            let audit = several.audit(&["--replay"]);
            assert_eq!(audit.code, 0, "{}", audit.stdout);
        }
    }
}

#[test]
fn a_replay_passes_while_other_processes_keep_the_device_busy() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&[&RUN[..], &["trainer.devices=2"]].concat());
    let busy = || std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("sh");
    let mut others = [busy(), busy(), busy()];
    let audit = sandbox.audit(&["--replay"]);
    for other in &mut others {
        other.kill().expect("kill");
        other.wait().expect("wait");
    }
    assert_eq!(audit.code, 0, "{}", audit.stdout);
}

#[test]
fn a_run_of_four_workers_that_is_killed_goes_on_with_one_and_then_with_two() {
    let killed = Sandbox::with_data();
    kill_after(&killed, &[&RUN[..], &["trainer.devices=4"]].concat(), 4);
    let first = steps_written(&killed.path("run"));
    kill_after(&killed, &["train", "--resume", "run", "--workers", "1"], first + 5);
    killed.done(&["train", "--resume", "run", "--workers", "2"]);
    let four = Sandbox::with_data();
    four.done(&[&RUN[..], &["trainer.devices=4"]].concat());
    assert_same_results(&four.path("run"), &killed.path("run"));
    assert_same_results(&whole().path("run"), &killed.path("run"));
    let stretches = stretches(&killed);
    assert_eq!(stretches.iter().map(|(_, workers)| *workers).collect::<Vec<_>>(), [4, 1, 2]);
    // Each goes on after a checkpoint.
    assert!(stretches[0].0 == 1 && stretches[1..].iter().all(|(first, _)| first % 3 == 1), "{stretches:?}");
    let audit = killed.audit(&["--replay"]);
    assert_eq!(audit.code, 0, "{}", audit.stdout);
}

#[test]
fn a_trainer_who_lies_about_the_workers_is_found_where_two_places_or_the_config_contradict() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "trainer.devices=2"]);
    assert_eq!(sandbox.audit(&["--replay"]).code, 0);
    // In the statement alone: the run's own file of what it began with says otherwise.
    forge(&sandbox, |statement| training(statement).stretches[0].workers.truncate(1));
    let audit = sandbox.audit(&[]);
    assert_eq!(audit.code, 1, "{}", audit.stdout);
    assert!(audit.stdout.contains("stretches: expected what the statement says, got another"), "{}", audit.stdout);
    // In both: more workers than there are micro-shards.
    forge(&sandbox, |statement| {
        let workers = &mut training(statement).stretches[0].workers;
        *workers = vec![workers[0].clone(); 64];
        put_origin(&sandbox, statement);
    });
    let audit = sandbox.audit(&["--replay"]);
    assert_eq!(audit.code, 1, "{}", audit.stdout);
    assert!(audit.stdout.contains("expected 1, 2, 4, 8 or 16 workers"), "{}", audit.stdout);
}

#[test]
fn a_gpu_beside_the_cpu_gives_the_bits_of_the_cpu_alone() {
    if vulkan().is_empty() {
        return;
    }
    // A driver that is software takes seconds for an epoch.
    let short = ["train", "trainer=ci_fast", "run.dir=run", "trainer.max_epochs=2"];
    let (alone, mixed) = (Sandbox::with_data(), Sandbox::with_data());
    alone.done(&short);
    mixed.done(&[&short[..], &["trainer.accelerator=[wgpu,cpu]", "trainer.devices=auto"]].concat());
    assert_same_results(&alone.path("run"), &mixed.path("run"));
    assert_eq!(stretches(&mixed), [(1, 2)]);
}

#[test]
fn the_profile_multi_gpu_trains_on_what_is_here_also_with_lookahead() {
    let short = ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.accelerator=cpu", "run.dir=run"];
    // The CPU is one device.
    for (optimizer, devices, workers) in [("optimizer=lookahead", "4", 4), ("optimizer=adamw", "auto", 1)] {
        let [sandbox, alone] = [devices, "1"].map(|devices| {
            let sandbox = Sandbox::with_data();
            let devices = format!("trainer.devices={devices}");
            sandbox.done(&[&["train", "trainer=multi_gpu", optimizer, &devices][..], &short].concat());
            sandbox
        });
        assert_same_results(&alone.path("run"), &sandbox.path("run"));
        assert_eq!(stretches(&sandbox).first().map_or(1, |(_, workers)| *workers), workers);
        let audit = sandbox.audit(&["--replay"]);
        assert_eq!(audit.code, 0, "{}", audit.stdout);
    }
}

#[test]
fn the_hosts_of_workers_are_recorded_only_where_that_is_asked_for() {
    let hosts = |more: &str| {
        let sandbox = Sandbox::with_data();
        sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "trainer.devices=2", more]);
        let mut signed = statement(&sandbox, "run");
        let workers = training(&mut signed).stretches.remove(0).workers;
        workers.into_iter().map(|worker| worker.host).collect::<Vec<_>>()
    };
    assert_eq!(hosts("record.hosts=false"), [None, None]);
    let named = hosts("record.hosts=true");
    assert!(named[0].as_ref().is_some_and(|host| !host.is_empty()) && named[0] == named[1], "{named:?}");
}

#[test]
fn a_number_of_workers_that_no_subtree_is_for_is_refused_before_anything_is_done() {
    let sandbox = Sandbox::new();
    for (overrides, said) in [
        (
            ["trainer.devices=3", "trainer.num_nodes=1"],
            "expected 1, 2, 4, 8 or 16 workers for trainer.micro_shards=16, got 3",
        ),
        (["trainer.devices=32", "trainer.num_nodes=1"], "got 32"),
        (["trainer.devices=2", "trainer.micro_shards=12"], "expected 1 worker for trainer.micro_shards=12, got 2"),
    ] {
        let outcome = sandbox.run(&[&["train", "trainer=ci_fast"][..], &overrides].concat());
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(said) && outcome.stderr.contains("Hint: "), "{}", outcome.stderr);
    }
    let alone = sandbox.run(&["train", "--workers", "2", "trainer=ci_fast"]);
    assert_eq!(alone.code, 2);
    assert!(alone.stderr.contains("--resume"), "{}", alone.stderr);
    assert!(!sandbox.path("runs").exists() && !sandbox.path("data").exists());
}
