//! What a config or an override is refused with.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::Sandbox;

#[test]
fn overrides() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind train trainer.max_epoch=3"), @r#"
    exit 2
    Error: override "trainer.max_epoch=3": key "trainer.max_epoch" is not in the config
    Hint: did you mean `trainer.max_epochs=3`? `+trainer.max_epoch=3` adds a new key
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train trainer.max_epochs=many"), @r#"
    exit 2
    Error: trainer.max_epochs: expected an integer from 0 to 4294967295, got the text "many" (set by the override "trainer.max_epochs=many")
    Hint: set another value: `trainer.max_epochs=<value>`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fasst"), @r#"
    exit 2
    Error: override "trainer=ci_fasst": could not find the option "ci_fasst" of the group "trainer"
    Hint: did you mean `trainer=ci_fast`? the options of "trainer": ablation, ci_fast, ddp, defaults, h100, kaggle_safe, multi_gpu
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train trainer.seed=[1,"), @r#"
    exit 2
    Error: override "trainer.seed=[1,": it ends too early
    Hint: each `[` needs its `]`; put a value that is a plain text in quotes
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train nogroup=x"), @r#"
    exit 2
    Error: override "nogroup=x": key "nogroup" is not in the config
    Hint: `+nogroup=x` adds a new key
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train +trainer.seed=3"), @r#"
    exit 2
    Error: override "+trainer.seed=3": there is already a value at "trainer.seed" (configs/trainer/defaults.yaml:55:1)
    Hint: `trainer.seed=3` changes it
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train ~trainer.nothing"), @r#"
    exit 2
    Error: override "~trainer.nothing": could not delete "trainer.nothing": there is no value
    Hint: the keys of "trainer": name, accelerator, devices, num_nodes, worker_timeout, precision, numerics, max_epochs, max_time, limit_train_batches, limit_val_batches, limit_test_batches, val_check_interval, accumulate_grad_batches, gradient_clip_val, log_every_n_steps, checkpoint, early_stopping, dataloader, seed, deterministic, sync_batchnorm, micro_shards
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train '=3'"), @r#"
    exit 2
    Error: override "=3": "" is a config group and takes the name of an option, got int
    Hint: quote it, if that is the option's name: `='3'`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'trainer.seed=rnge(3)'"), @r#"
    exit 2
    Error: override "trainer.seed=rnge(3)": rnge(3): unknown function "rnge"; there are bool, choice, extend_list, float, glob, int, interval, range, shuffle, sort, str, tag
    Hint: did you mean `range(…)`?
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'trainer.seed=range(1,3,0)' -m"), @r#"
    exit 2
    Error: override "trainer.seed=range(1,3,0)": the step of a range must not be zero
    Hint: `range(start,stop,step)` counts from start to before stop
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train trainer.seed=1,2"), @r#"
    exit 2
    Error: override "trainer.seed=1,2": a sweep needs --multirun
    Hint: write `trainer.seed=[1,2]` for a list, `trainer.seed='1,2'` for a text, or add --multirun
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'trainer.seed=${nothing}'"), @r#"
    exit 2
    Error: override "trainer.seed=${nothing}": trainer.seed: ${nothing}: interpolation key "nothing" not found
    Hint: the keys: trainer, model, data, sim, calib, loss, optimizer, schedule, logger, envelope, workload, experiment, run, record, provenance, audit, ema
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'experiment=${oc.env:NO_SUCH_VARIABLE}'"), @r#"
    exit 2
    Error: override "experiment=${oc.env:NO_SUCH_VARIABLE}": experiment: ${oc.env:NO_SUCH_VARIABLE}: oc.env: environment variable "NO_SUCH_VARIABLE" not found
    Hint: set NO_SUCH_VARIABLE, or give a default: `${oc.env:NO_SUCH_VARIABLE,default}`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'trainer.seed=choice()' -m"), @r#"
    exit 2
    Error: override "trainer.seed=choice()": choice(): an empty choice is not legal
    Hint: a text with such characters needs quotes; in a shell: "trainer.seed='choice()'"
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'trainer.seed=int(x)'"), @r#"
    exit 2
    Error: override "trainer.seed=int(x)": int(x): cannot cast str 'x' to int
    Hint: a text with such characters needs quotes; in a shell: "trainer.seed='int(x)'"
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'trainer.seed={a:1'"), @r#"
    exit 2
    Error: override "trainer.seed={a:1": it ends too early
    Hint: each `{` needs its `}`; put a value that is a plain text in quotes
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train trainer=[ci_fast,default]"), @r#"
    exit 2
    Error: override "trainer=[ci_fast,default]": could not find the option "default" of the group "trainer"
    Hint: did you mean `trainer/defaults`? the options of "trainer": ablation, ci_fast, ddp, defaults, h100, kaggle_safe, multi_gpu
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train optimizer@trainer=adamw"), @r#"
    exit 2
    Error: override "optimizer@trainer=adamw": could not override the group "optimizer@trainer": no defaults list has it
    Hint: `+optimizer@trainer=adamw` puts it at trainer, too; `optimizer=adamw` changes the one there is; "optimizer" is listed as: optimizer
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train hydra.searchpath=3"), @r#"
    exit 2
    Error: override "hydra.searchpath=3": hydra.searchpath must be a list of texts, got int 3
    Hint: write `hydra.searchpath: [directory, file:///directory]`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'hydra.searchpath=[3]'"), @r#"
    exit 2
    Error: override "hydra.searchpath=[3]": hydra.searchpath must be a list of texts, got list [3]
    Hint: write `hydra.searchpath: [directory, file:///directory]`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'hydra.searchpath=[pkg://no.such]' trainer=nothing"), @r#"
    exit 2
    Warning: provider=hydra.searchpath in command-line, path=no.such is not available.
    Error: override "trainer=nothing": could not find the option "nothing" of the group "trainer"
    Hint: the options of "trainer": ablation, ci_fast, ddp, defaults, h100, kaggle_safe, multi_gpu
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train hydra/launcher=nothing"), @r#"
    exit 2
    Error: override "hydra/launcher=nothing": could not find the option "nothing" of the group "hydra/launcher"
    Hint: the options of "hydra/launcher": basic, joblib, ray, ray_aws, rq, submitit_local, submitit_slurm
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train hydra/sweeper=optuna -m"), @"
    exit 2
    Error: hydra/sweeper=optuna: a Python plugin, not here: jobs run one after another, in every combination
    Hint: choose hydra/sweeper=basic
    ");
    assert_snapshot!(said(&sandbox, "spectramind train hydra.job.chdir=true"), @"
    exit 2
    Error: hydra.job.chdir: expected false or null, got true: runs stay in the directory of the command
    Hint: take hydra.job.chdir=true away
    ");
    assert_snapshot!(said(&sandbox, "spectramind train hydra.run.dir=3 hydra.nothing=1"), @r#"
    exit 2
    Error: override "hydra.nothing=1": key "nothing" is not in HydraConf at "hydra"
    Hint: `+hydra.nothing=1` adds a new key
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train --zip trainer.seed,optimizer.lr"), @"
    exit 2
    Error: --zip: expected a multirun, got a single run
    Hint: add --multirun
    ");
    assert_snapshot!(said(&sandbox, "spectramind train -m --zip nothing"), @r#"
    exit 2
    Error: zip nothing: no override gives "nothing"
    Hint: give it several values: `nothing=a,b`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train -m --zip trainer.seed,optimizer.lr trainer.seed=1,2 optimizer.lr=1,2,3"), @"
    exit 2
    Error: zip trainer.seed, optimizer.lr: expected equally many values, got trainer.seed: 2, optimizer.lr: 3
    Hint: keys that vary together need a value each for every job
    ");
    assert_snapshot!(said(&sandbox, "spectramind train -m --zip trainer.seed,optimizer.lr --zip trainer.seed,trainer.max_epochs trainer.seed=1,2 optimizer.lr=1,2 trainer.max_epochs=1,2"), @r#"
    exit 2
    Error: zip: "trainer.seed" is named twice
    Hint: a key varies together with one group of keys only
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train -m 'trainer.seed=range(2000000)'"), @r#"
    exit 2
    Error: override "trainer.seed=range(2000000)": expected a range of at most 10000 numbers
    Hint: take a larger step, or a nearer end
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train --version-base 1.0"), @r#"
    exit 2
    error: invalid value '1.0' for '--version-base <VERSION>': expected 1.1, 1.2 or 1.3, got "1.0"

    For more information, try '--help'.
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train --resolvers no.yaml"), @r#"
    exit 2
    Error: no.yaml: expected a file of resolvers, got nothing there
    Hint: write a line for each: `times: "lambda a, b: a * b"`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train --config-path no/such/folder"), @"
    exit 2
    Error: expected a folder of configs at no/such/folder, got none
    Hint: run where the folder configs/ is, or say where with --config-path DIR
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --config-name nothing"), @r#"
    exit 2
    Error: could not find the primary config "nothing"
    Hint: the configs: calibrate, evaluate, plot, predict, simulate, train
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train --config-dir nothing"), @"
    exit 2
    Error: expected a folder of configs at nothing, got none
    Hint: run where the folder configs/ is, or say where with --config-path DIR
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --package nothing --cfg job"), @r#"
    exit 2
    Error: package "nothing" not found in the config
    Hint: `--cfg all` without --package prints everything there is
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train --info nothing"), @"
    exit 2
    error: invalid value 'nothing' for '--info [<WHAT>]'
      [possible values: all, config, defaults, defaults-tree, searchpath]

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind train workload=nothing"), @"
    exit 2
    Error: workload: expected one of ariel, got nothing
    Hint: set workload=ariel
    ");
}

#[test]
fn numbers() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind train data.batch_size=0"), @"
    exit 2
    Error: data.batch_size: expected a number from 1 to 100000, got 0
    Hint: set data.batch_size to a number from 1 to 100000
    ");
    assert_snapshot!(said(&sandbox, "spectramind train data.val_fraction=2"), @"
    exit 2
    Error: data.val_fraction and data.test_fraction: expected shares that leave planets to train on, got 2.1667 in all
    Hint: set data.val_fraction and data.test_fraction to shares that leave planets to train on
    ");
    assert_snapshot!(said(&sandbox, "spectramind train optimizer.lr=-1"), @"
    exit 2
    Error: optimizer.lr: expected a positive number, got -1
    Hint: set optimizer.lr to a positive number
    ");
    assert_snapshot!(said(&sandbox, "spectramind train 'optimizer.betas=[0.9,1.0]'"), @"
    exit 2
    Error: optimizer.betas: expected two numbers from 0 to below 1, got [0.9, 1.0]
    Hint: set optimizer.betas to two numbers from 0 to below 1
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer.micro_shards=0"), @"
    exit 2
    Error: trainer.micro_shards: expected a number from 1 to 4096, got 0
    Hint: set trainer.micro_shards to a number from 1 to 4096
    ");
    assert_snapshot!(said(&sandbox, "spectramind train experiment=../x"), @"
    exit 2
    Error: experiment: expected the name of a folder, got ../x
    Hint: set experiment to the name of a folder
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer.precision=12"), @r#"
    exit 2
    Error: trainer.precision: expected 32, 16-mixed or bf16-mixed, got 12 (set by the override "trainer.precision=12")
    Hint: set another value: `trainer.precision=<value>`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train trainer.accelerator=tpu"), @r#"
    exit 2
    Error: trainer.accelerator: expected one of auto, cpu, wgpu, cuda, got "tpu" (set by the override "trainer.accelerator=tpu")
    Hint: did you mean `cpu`?
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train trainer.devices=0"), @"
    exit 2
    Error: trainer.devices: expected a number from 1 to 4096, got 0
    Hint: set trainer.devices to a number from 1 to 4096
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer.devices=300"), @"
    exit 2
    Error: trainer.devices × trainer.num_nodes: expected 1, 2, 4, 8 or 16 workers for trainer.micro_shards=16, got 300
    Hint: set trainer.devices so that devices times nodes is 1, 2, 4, 8 or 16
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer.max_time=soon"), @r#"
    exit 2
    Error: trainer.max_time: expected whole seconds, "HH:MM:SS" or "DD:HH:MM:SS", got "soon" (set by the override "trainer.max_time=soon")
    Hint: set another value: `trainer.max_time=<value>`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train trainer.max_time=90:00:00:00 envelope.wall_seconds=10"), @"
    exit 2
    Error: trainer.max_time: expected at most envelope.wall_seconds, or null, got 7776000 s with envelope.wall_seconds=10
    Hint: set trainer.max_time to at most envelope.wall_seconds, or null
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer.max_epochs=0"), @"
    exit 2
    Error: trainer.max_epochs: expected a number from 1 to 1000000, got 0
    Hint: set trainer.max_epochs to a number from 1 to 1000000
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer.gradient_clip_val=-1"), @"
    exit 2
    Error: trainer.gradient_clip_val: expected a positive number or null, got -1
    Hint: set trainer.gradient_clip_val to a positive number or null
    ");
    assert_snapshot!(said(&sandbox, "spectramind train envelope.network=maybe"), @r#"
    exit 2
    Error: envelope.network: expected one of deny, observe, none, unrestricted, got "maybe" (set by the override "envelope.network=maybe")
    Hint: --cfg job prints what is composed; the YAML files explain their keys
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train envelope.host_memory_bytes=-1"), @r#"
    exit 2
    Error: envelope.host_memory_bytes: expected an integer from 0, got -1 (set by the override "envelope.host_memory_bytes=-1")
    Hint: set another value: `envelope.host_memory_bytes=<value>`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train data.level=nothing"), @r#"
    exit 2
    Error: data.level: expected one of raw, binned, got "nothing" (set by the override "data.level=nothing")
    Hint: --cfg job prints what is composed; the YAML files explain their keys
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train data=sim_full"), @"
    exit 2
    made a signing key for you: [sandbox]/home/.config/spectramind/signing-key.pem
    computing on [device]
    Error: data.name=sim_full is simulated with sim=full, got sim=tiny
    Hint: add sim=full
    ");
}
