//! What is said of runs whose files somebody changed, while they were made or before they go on.

use insta::assert_snapshot;

use super::{said, said_but};
use crate::sandbox::{Sandbox, trained_copy};

/// A work tree with a run of 16 steps that has its checkpoints and everything but its signature.
fn begun() -> Sandbox {
    let sandbox = Sandbox::with_data();
    sandbox.done(&[
        "train",
        "trainer=ci_fast",
        "run.dir=run",
        "trainer.max_epochs=2",
        "trainer.checkpoint.every_n_steps=4",
        "trainer.checkpoint.save_top_k=1",
    ]);
    std::fs::remove_file(sandbox.path("run/manifest.intoto.jsonl")).expect("a manifest");
    sandbox
}

#[test]
fn logs() {
    let sandbox = begun();
    assert_snapshot!(said(&sandbox, "cp -r run kept; head -n 3 kept/steps.jsonl > run/steps.jsonl; spectramind train --resume run --quiet"), @"
    exit 1
    Error: step log run/steps.jsonl: expected at least 16 complete steps, got 3
    Hint: the step log was changed after the checkpoint; start anew
    ");
    assert_snapshot!(said(&sandbox, "cp kept/steps.jsonl run; echo x >> run/logs/events.jsonl; spectramind train --resume run --quiet"), @"
    exit 1
    Error: run/logs/events.jsonl is not as the run wrote it
      caused by: line 27: expected an event, got something else (expected value at line 1 column 1)
    Hint: put the log back as it was, or begin a new run
    ");
    assert_snapshot!(said(&sandbox, "sed 2d kept/logs/events.jsonl > run/logs/events.jsonl; spectramind train --resume run --quiet"), @"
    exit 1
    Error: run/logs/events.jsonl is not as the run wrote it
      caused by: line 2: expected to follow the line before it, whose BLAKE3 is [digest], got [digest]
    Hint: put the log back as it was, or begin a new run
    ");
    let earlier = r#"sed '$s/"elapsedSeconds":[0-9.]*/"elapsedSeconds":0.0/' kept/logs/events.jsonl > run/logs/events.jsonl; spectramind train --resume run --quiet"#;
    assert_snapshot!(said_but(&sandbox, earlier, "s/least [0-9.]* s/least N s/"), @"
    exit 1
    Error: run/logs/events.jsonl is not as the run wrote it
      caused by: line 26: expected a time of at least N s, as the line before it has, got 0 s
    Hint: put the log back as it was, or begin a new run
    ");
    assert_snapshot!(said(&sandbox, "rm run/logs/events.jsonl; spectramind train --resume run --quiet"), @"
    exit 1
    Error: run/logs/events.jsonl: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "cp kept/logs/events.jsonl run/logs; flock run/steps.jsonl spectramind train --resume run --quiet"), @"
    exit 1
    Error: run directory run is being written by another process
    Hint: wait for the other process, or stop it
    ");
}

#[test]
fn checkpoints() {
    let sandbox = begun();
    assert_snapshot!(said(&sandbox, "cp -r run kept; head -c 1000 kept/checkpoints/last.safetensors > run/checkpoints/last.safetensors; spectramind train --resume run --quiet"), @"
    exit 1
    Error: checkpoint run/checkpoints/last.safetensors: expected a whole safetensors file, got invalid header length
    ");
    assert_snapshot!(said(&sandbox, "sed s/network.output.bias/network.output.beas/ kept/checkpoints/last.safetensors > run/checkpoints/last.safetensors; spectramind train --resume run --quiet"), @"
    exit 1
    Error: checkpoint does not fit the model at adamw.first/network.output.bias: expected shape [30], got no such tensor
    Hint: it is damaged, or of another model or optimizer: name one of a run with the same config
    ");
}

#[test]
fn what_changes_meanwhile() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    assert_snapshot!(said(&sandbox, "(until [ -e a/provenance.json ]; do sleep 0.01; done; echo >> a/provenance.json) & spectramind train trainer=ci_fast trainer.max_epochs=40 run.dir=a --quiet"), @"
    exit 1
    Error: the run is not signed
      caused by: a/provenance.json changed since it was written: expected [digest], got [digest]
    Hint: something else writes to the run directory: run again without it
    ");
    assert_snapshot!(said(&sandbox, "(until [ -s b/steps.jsonl ]; do sleep 0.01; done; echo x > b/logs/events.jsonl) & spectramind train trainer=ci_fast trainer.max_epochs=40 run.dir=b --quiet"), @"
    exit 1
    Error: the run is not signed
      caused by: b/logs/events.jsonl is not as the run wrote it
      caused by: line 1: expected an event, got something else (expected value at line 1 column 1)
    Hint: put the log back as it was, or begin a new run
    ");
    assert_snapshot!(said_but(&sandbox, "(until [ -s c/steps.jsonl ]; do sleep 0.01; done; printf x > c/logs/events.jsonl) & spectramind train trainer=ci_fast trainer.max_epochs=40 run.dir=c --quiet", "s/line [0-9]*/line N/"), @"
    exit 1
    Error: the run is not signed
      caused by: c/logs/events.jsonl is not as the run wrote it
      caused by: line N: expected an event, got something else (expected value at line 1 column 1)
    Hint: put the log back as it was, or begin a new run
    ");
}

#[test]
fn what_training_comes_to() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast optimizer.lr=1e30 --quiet"), @"
    exit 1
    Error: training diverged at step 2: expected a finite loss and gradient, got loss NaN, norm NaN
    Hint: try a smaller optimizer.lr, trainer.gradient_clip_val, or trainer.precision=32
    ");
    assert_snapshot!(said_but(&sandbox, "spectramind train trainer=ci_fast envelope.host_memory_bytes=1000 --quiet", "s/got [0-9]* bytes/got N bytes/"), @"
    exit 1
    Error: envelope.host_memory_bytes: expected at most 1000 bytes of main memory, got N bytes after step 1; the run is not signed
    Hint: its state is kept in checkpoints/, and --resume goes on where more is held by fewer (a process begins to count anew); of a new run, set a larger limit, or a smaller trainer.dataloader.prefetch or data.batch_size
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast 'optimizer.groups=[{pattern: x, lr_factor: 1, weight_decay: null, frozen: false}]' --quiet"), @"
    exit 2
    Error: optimizer.groups: expected a pattern that matches a parameter that no group before it has, got x; parameters: log_scale, network.convolutions.0.bias, network.convolutions.0.weight, network.convolutions.1.bias, network.convolutions.1.weight, network.convolutions.2.bias, network.convolutions.2.weight, network.convolutions.3.bias, network.convolutions.3.weight, network.joined.bias, network.joined.weight, network.norms.0.beta, network.norms.0.gamma, network.norms.1.beta, network.norms.1.gamma, network.norms.2.beta, network.norms.2.gamma, network.norms.3.beta, network.norms.3.gamma, network.output.bias, network.output.weight, network.residual.bias, network.residual.weight
    Hint: patterns are globs over the whole path of a parameter, such as encoder.*.weight; the first that matches counts
    ");
    assert_snapshot!(said(&sandbox, r#"spectramind train trainer=ci_fast 'optimizer.groups=[{pattern: "*", lr_factor: 1, weight_decay: null, frozen: true}]' --quiet"#), @"
    exit 1
    Error: expected at least one parameter to train, got none that requires a gradient
    Hint: leave some parameters out of the groups with frozen: true
    ");
    assert_snapshot!(said_but(&sandbox, "name=$(printf 'n%.0s' $(seq 250)); spectramind train --multirun trainer=ci_fast optimizer.lr=1e30 hydra.sweep.dir=m hydra.sweep.subdir=$name --quiet 2> /dev/null; rm m/$name/provenance.json; spectramind train --resume m --quiet", "s/nnnnn*/nnn/"), @"
    exit 1
    Launching 1 jobs locally in m
    	#0 : trainer=ci_fast optimizer.lr=1e+30
    Error: cannot rename m/nnn
      caused by: File name too long (os error 36)
    Error: 1 of 1 jobs of the multirun m failed
    Hint: --resume m tries those again and leaves the others as they are
    ");
}

#[test]
fn reports() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind runs report run run run run run run run run run run run run --out a.html"), @"
    exit 2
    Error: expected at most 6 runs, whose colours can be told apart, got 12
    Hint: compare fewer of them at once
    ");
    assert_snapshot!(said(&sandbox, "echo ,,, >> run/logs/metrics.csv; spectramind runs report run --out a.html"), @"
    exit 1
    reading the run's files
    drawing spectra
    drawing light curves
    Error: run/logs/metrics.csv: expected 1145 bytes, as the manifest says, got 1149
    Hint: get the run directory again: nothing of it is used while a file is not the signed one
    ");
}
