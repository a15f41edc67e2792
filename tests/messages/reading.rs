//! What the commands say that read a run: runs, plot, package, predict, evaluate.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::trained_copy;

#[test]
fn runs() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind runs show nothing"), @"
    exit 1
    Error: nothing: expected a signed run, with manifest.intoto.jsonl, got none
    Hint: name a run directory (spectramind runs list); one that was stopped is finished by spectramind train --resume nothing
    ");
    assert_snapshot!(said(&sandbox, "spectramind runs show configs"), @"
    exit 1
    Error: configs: expected a signed run, with manifest.intoto.jsonl, got none
    Hint: name a run directory (spectramind runs list); one that was stopped is finished by spectramind train --resume configs
    ");
    assert_snapshot!(said(&sandbox, "spectramind runs diff run nothing"), @"
    exit 1
    Error: nothing: expected a signed run, with manifest.intoto.jsonl, got none
    Hint: name a run directory (spectramind runs list); one that was stopped is finished by spectramind train --resume nothing
    ");
    assert_snapshot!(said(&sandbox, "spectramind runs diff run configs"), @"
    exit 1
    Error: configs: expected a signed run, with manifest.intoto.jsonl, got none
    Hint: name a run directory (spectramind runs list); one that was stopped is finished by spectramind train --resume configs
    ");
    assert_snapshot!(said(&sandbox, "spectramind runs report nothing --out page.html"), @"
    exit 1
    Error: nothing: expected a signed run, with manifest.intoto.jsonl, got none
    Hint: name a run directory (spectramind runs list); one that was stopped is finished by spectramind train --resume nothing
    ");
    assert_snapshot!(said(&sandbox, "spectramind runs report run"), @"
    exit 2
    error: the following required arguments were not provided:
      --out <FILE>

    Usage: spectramind runs report --out <FILE> <RUN>...

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind runs report run --out run/page.html"), @"
    exit 2
    Error: --out run/page.html: expected a file outside the run directory run, in which an audit refuses what nobody signed
    Hint: write it beside the run directory
    ");
    assert_snapshot!(said(&sandbox, "spectramind runs report run --out configs"), @"
    exit 1
    reading the run's files
    drawing spectra
    drawing light curves
    Error: cannot write configs
      caused by: Is a directory (os error 21)
    ");
    assert_snapshot!(said(&sandbox, "spectramind runs report run --out no/such/folder/page.html"), @"
    exit 1
    reading the run's files
    drawing spectra
    drawing light curves
    Error: cannot write no/such/folder/page.html
      caused by: expected a folder at no/such/folder, got none
    ");
    assert_snapshot!(said(&sandbox, "spectramind runs report run --data nothing --out page.html"), @"
    exit 2
    error: invalid value 'nothing' for '--data <NAME=DIR>': expected NAME=DIR

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "cp -r run other; echo x >> other/predictions.csv; spectramind runs report other --out page.html"), @"
    exit 1
    reading the run's files
    Error: other/predictions.csv: expected 52697 bytes, as the manifest says, got 52699
    Hint: get the run directory again: nothing of it is used while a file is not the signed one
    ");
    assert_snapshot!(said(&sandbox, "echo '{' > other/manifest.intoto.jsonl; spectramind runs show other"), @"
    exit 1
    Error: other/manifest.intoto.jsonl: refused envelope
      caused by: not JSON: EOF while parsing an object at line 2 column 0
    ");
    assert_snapshot!(said(&sandbox, "spectramind runs diff run other"), @"
    exit 1
    Error: other/manifest.intoto.jsonl: refused envelope
      caused by: not JSON: EOF while parsing an object at line 2 column 0
    ");
}

#[test]
fn plots() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind plot"), @"
    exit 2
    Error: configs/plot.yaml:4:1: run: a value is required and nobody set one
    Hint: set it: `run=<value>`
    ");
    assert_snapshot!(said(&sandbox, "spectramind plot run=nothing"), @"
    exit 1
    Error: nothing: expected a signed run, with manifest.intoto.jsonl, got none
    Hint: name a run directory (spectramind runs list); one that was stopped is finished by spectramind train --resume nothing
    ");
    assert_snapshot!(said(&sandbox, "spectramind plot checkpoint=nothing"), @r#"
    exit 2
    Error: override "checkpoint=nothing": key "checkpoint" is not in the config
    Hint: `+checkpoint=nothing` adds a new key
    "#);
    assert_snapshot!(said(&sandbox, "spectramind plot run=run out=run/plots"), @"
    exit 2
    Error: out=run/plots: expected a folder outside the run directory, in which an audit refuses what nobody signed
    Hint: leave out=… away: they go beside the run directory
    ");
    assert_snapshot!(said(&sandbox, "spectramind plot run=run +data.sim_tiny=nowhere"), @"
    exit 1
    reading the run's files
    Error: data set sim_tiny: expected a folder at nowhere, got nothing there
    Hint: say where it is with +data.sim_tiny=DIR, or run this where the run was started
    ");
    assert_snapshot!(said(&sandbox, "mv data kept; spectramind plot run=run"), @"
    exit 1
    reading the run's files
    Error: data set sim_tiny: expected a folder at data/sim_tiny, got nothing there
    Hint: say where it is with +data.sim_tiny=DIR, or run this where the run was started
    ");
    assert_snapshot!(said(&sandbox, "mv kept data; echo x >> run/predictions.csv; spectramind plot run=run"), @"
    exit 1
    reading the run's files
    Error: run/predictions.csv: expected 52697 bytes, as the manifest says, got 52699
    Hint: get the run directory again: nothing of it is used while a file is not the signed one
    ");
    assert_snapshot!(said(&sandbox, "rm run/predictions.csv; spectramind plot run=run"), @"
    exit 1
    reading the run's files
    Error: run/predictions.csv: No such file or directory (os error 2)
    ");
}

#[test]
fn packages() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind package"), @"
    exit 2
    error: the following required arguments were not provided:
      <RUN>

    Usage: spectramind package <RUN>

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind package nothing"), @"
    exit 1
    Error: nothing: expected a signed run, with manifest.intoto.jsonl, got none
    Hint: name a run directory (spectramind runs list); one that was stopped is finished by spectramind train --resume nothing
    ");
    assert_snapshot!(said(&sandbox, "spectramind package run --out configs"), @"
    exit 2
    Error: configs: expected a new folder, got something that is there already
    Hint: choose another place with --out DIR, or delete what is there
    ");
    assert_snapshot!(said(&sandbox, "spectramind package run --out run/package"), @"
    exit 2
    Error: run/package: expected a folder outside the run directory, in which an audit refuses what nobody signed
    Hint: leave --out away: it goes beside the run directory
    ");
    assert_snapshot!(said(&sandbox, "spectramind package run --program nothing"), @"
    exit 1
    Error: nothing: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind package run --program configs/train.yaml"), @"
    exit 2
    Error: program configs/train.yaml: expected a Linux program for x86-64, got a file that is none (Unsupported ELF header)
    Hint: name one with --program FILE: build it on Linux, or with --target x86_64-unknown-linux-gnu
    ");
    assert_snapshot!(said(&sandbox, "echo x >> run/sigma_scale.json; spectramind package run"), @"
    exit 1
    Error: run/sigma_scale.json: expected 131 bytes, as the manifest says, got 133
    Hint: get the run directory again: nothing of it is used while a file is not the signed one
    ");
    assert_snapshot!(said(&sandbox, "rm run/sigma_scale.json; spectramind package run"), @"
    exit 1
    Error: run/sigma_scale.json: No such file or directory (os error 2)
    ");
}

#[test]
fn predictions() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind predict --quiet"), @"
    exit 2
    Error: configs/predict.yaml:20:1: checkpoint: a value is required and nobody set one
    Hint: set it: `checkpoint=<value>`
    ");
    assert_snapshot!(said(&sandbox, "spectramind predict checkpoint=nothing --quiet"), @"
    exit 1
    Error: checkpoint nothing: No such file or directory (os error 2)
    Hint: name a run directory, or a checkpoint in its folder checkpoints/
    ");
    assert_snapshot!(said(&sandbox, "spectramind predict checkpoint=configs --quiet"), @"
    exit 1
    Error: configs: expected a run of the Ariel workload that came to its end, with sigma_scale.json, got none
    Hint: name a checkpoint in it, such as configs/checkpoints/last.safetensors, or let it end: spectramind train --resume configs
    ");
    assert_snapshot!(said(&sandbox, "spectramind predict checkpoint=[run,nothing] --quiet"), @"
    exit 1
    Error: checkpoint nothing: No such file or directory (os error 2)
    Hint: name a run directory, or a checkpoint in its folder checkpoints/
    ");
    assert_snapshot!(said(&sandbox, "spectramind predict checkpoint=run split=nothing --quiet"), @r#"
    exit 2
    Error: override "split=nothing": key "split" is not in the config
    Hint: did you mean `data.split=nothing`? `+split=nothing` adds a new key
    "#);
    assert_snapshot!(said(&sandbox, "spectramind predict checkpoint=run data.root=nowhere --quiet"), @"
    exit 1
    Error: data set sim_tiny: expected a folder at nowhere, got nothing there
    Hint: put the data there, say where they are with data.root=DIR, or use data=sim_tiny
    ");
    assert_snapshot!(said(&sandbox, "spectramind predict checkpoint=run/predictions.csv --quiet"), @"
    exit 1
    Error: checkpoint run/predictions.csv: expected a header of at most 16777216 bytes, got 7592915475762343024
    ");
    assert_snapshot!(said(&sandbox, "spectramind evaluate --quiet"), @"
    exit 2
    Error: configs/evaluate.yaml:7:1: submission: a value is required and nobody set one
    Hint: set it: `submission=<value>`
    ");
    assert_snapshot!(said(&sandbox, "spectramind evaluate submission=nothing.csv --quiet"), @"
    exit 1
    Error: submission is missing: nothing.csv
    Hint: name the file that spectramind predict wrote: submission=FILE
    ");
    assert_snapshot!(said(&sandbox, "spectramind evaluate submission=run/steps.jsonl --quiet"), @r#"
    exit 1
    Error: wrong shape in run/steps.jsonl: expected a column "wl_1", got 7 columns: {"step":1, epoch:0, samples:"[digest]", learningRateBits:"3f50624dd2f1a9fc", lossBits:"bedc0797", gradientNormBits:"3e8ba546", state:null}
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    "#);
    assert_snapshot!(said(&sandbox, "sed 's/^planet_id/planet/' run/predictions.csv > other.csv; spectramind evaluate submission=other.csv --quiet"), @r#"
    exit 1
    Error: wrong shape in other.csv: expected a column "planet_id", got 567 columns: planet, wl_1, wl_2, wl_3, wl_4, wl_5, wl_6, wl_7, wl_8, wl_9, wl_10, wl_11 …
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    "#);
    assert_snapshot!(said(&sandbox, "sed 2d run/predictions.csv > other.csv; spectramind evaluate submission=other.csv --quiet"), @"
    exit 1
    Error: other.csv does not hold the planets of data/sim_tiny/train.csv: it has no row for planet 2337200
    Hint: subset=true judges by the planets that the submission has
    ");
    assert_snapshot!(said(&sandbox, "sed '2s/^[0-9]*/1/' run/predictions.csv > other.csv; spectramind evaluate submission=other.csv --quiet"), @"
    exit 1
    Error: other.csv does not hold the planets of data/sim_tiny/train.csv: line 2 is of planet 1, which is not to be predicted
    Hint: take that line out, or name the table that has the planet with truth=FILE
    ");
    assert_snapshot!(said(&sandbox, "sed '2s/,[0-9.e-]*/,NaN/' run/predictions.csv > other.csv; spectramind evaluate submission=other.csv --quiet"), @r#"
    exit 1
    Error: wrong value at line 2, column wl_1 of other.csv: expected a finite number, got "NaN"
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    "#);
    assert_snapshot!(said(&sandbox, "sed '2s/,[0-9.e-]*//' run/predictions.csv > other.csv; spectramind evaluate submission=other.csv --quiet"), @"
    exit 1
    Error: other.csv is not a well-formed CSV table
      caused by: CSV error: record 1 (line: 2, byte: 4605): found record with 566 fields, but the previous record has 567 fields
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    ");
    assert_snapshot!(said(&sandbox, "sed '2p' run/predictions.csv > other.csv; spectramind evaluate submission=other.csv --quiet"), @r#"
    exit 1
    Error: wrong value at line 3, column planet_id of other.csv: expected each planet once, got "57529926"
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    "#);
    assert_snapshot!(said(&sandbox, "spectramind evaluate submission=run/predictions.csv truth=nothing --quiet"), @"
    exit 1
    Error: table of true spectra is missing: nothing
    Hint: the data set is incomplete: get that file again
    ");
    assert_snapshot!(said(&sandbox, "spectramind evaluate submission=run/predictions.csv subset=maybe --quiet"), @r#"
    exit 2
    Error: subset: expected a boolean, got the text "maybe" (set by the override "subset=maybe")
    Hint: set another value: `subset=<value>`
    "#);
}
