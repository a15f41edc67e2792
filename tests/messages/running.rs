//! What is said about a run directory, and about going on with a run.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::trained_copy;

#[test]
fn run_directories() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast run.dir=run --quiet"), @"
    exit 1
    Error: run directory run already holds something: expected a new one
    Hint: choose another directory (run.dir, or hydra.run.dir), or go on with that run with --resume DIR
    ");
    assert_snapshot!(said(&sandbox, "mkdir other; touch other/thesis.txt; spectramind train trainer=ci_fast run.dir=other --quiet"), @"
    exit 1
    Error: run directory other already holds something: expected a new one
    Hint: choose another directory (run.dir, or hydra.run.dir), or go on with that run with --resume DIR
    ");
    assert_snapshot!(said(&sandbox, "touch file; spectramind train trainer=ci_fast run.dir=file --quiet"), @"
    exit 1
    Error: run directory file already holds something: expected a new one
    Hint: choose another directory (run.dir, or hydra.run.dir), or go on with that run with --resume DIR
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast run.dir=/proc/nothing --quiet"), @"
    exit 1
    Error: /proc/nothing: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --workers 2"), @"
    exit 2
    Error: --workers: expected --resume DIR as well, got a new run
    Hint: of a new run the config says how many: trainer.devices=N
    ");
}

#[test]
fn resuming() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind train --resume nothing"), @"
    exit 1
    Error: nothing: expected a run directory, with provenance.json, got none
    Hint: name the directory of a run: spectramind runs list
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --resume configs"), @"
    exit 1
    Error: configs: expected a run directory, with provenance.json, got none
    Hint: name the directory of a run: spectramind runs list
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --resume run trainer.seed=3"), @"
    exit 2
    error: the argument '--resume <DIR>' cannot be used with '[OVERRIDE]...'

    Usage: spectramind train --resume <DIR> [OVERRIDE]...

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --resume run -m"), @"
    exit 2
    error: the argument '--resume <DIR>' cannot be used with '--multirun'

    Usage: spectramind train --resume <DIR> [OVERRIDE]...

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --resume run"), @"
    exit 1
    Error: run is complete and signed: there is nothing to go on with
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --resume run --workers 3"), @"
    exit 1
    Error: run is complete and signed: there is nothing to go on with
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --resume run --config-name nothing"), @"
    exit 2
    error: the argument '--resume <DIR>' cannot be used with '--config-name <NAME>'

    Usage: spectramind train --resume <DIR> [OVERRIDE]...

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec --resume run"), @"
    exit 2
    Error: run: expected a run of a command, got one of ariel
    Hint: spectramind train --resume run
    ");
    assert_snapshot!(said(&sandbox, "spectramind simulate --resume run"), @"
    exit 1
    Error: run: expected the directory of a multirun, with its sweep.jsonl; got none
    Hint: only `spectramind train` and `spectramind exec` can go on with a single run
    ");
    assert_snapshot!(said(&sandbox, "rm run/manifest.intoto.jsonl; echo '{' > run/provenance.json; spectramind train --resume run --quiet"), @"
    exit 1
    Error: run/provenance.json is not what a run starts from
      caused by: not JSON: EOF while parsing an object at line 2 column 0
    ");
    assert_snapshot!(said(&sandbox, "rm run/provenance.json; spectramind train --resume run --quiet"), @"
    exit 1
    Error: run: expected a run directory, with provenance.json, got none
    Hint: name the directory of a run: spectramind runs list
    ");
}
