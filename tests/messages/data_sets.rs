//! What is said of data sets whose files a list cannot hold, that change meanwhile, or that DVC says something else of.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::Sandbox;

#[test]
fn names() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    assert_snapshot!(said(&sandbox, "cd data/sim_tiny; touch train/Model train/model; cd ../..; spectramind train trainer=ci_fast --quiet"), @r#"
    exit 1
    Error: data below data/sim_tiny: expected names that mean one file on every system
      caused by: paths "train/Model" and "train/model" differ in upper and lower case only
    Hint: rename it, or move it out of the data set
    "#);
    assert_snapshot!(said(&sandbox, r"rm data/sim_tiny/train/?odel; touch 'data/sim_tiny/a\b'; spectramind train trainer=ci_fast --quiet"), @r#"
    exit 1
    Error: data below data/sim_tiny: expected names that mean one file on every system
      caused by: path "a\\b": has a backslash, expected a relative path with `/` between its components
    Hint: rename it, or move it out of the data set
    "#);
    assert_snapshot!(said(&sandbox, r#"rm data/sim_tiny/a?b; touch "data/sim_tiny/$(printf 'a\nb')"; spectramind train trainer=ci_fast --quiet"#), @r#"
    exit 1
    Error: data below data/sim_tiny: expected names that mean one file on every system
      caused by: path "a\nb": has a control character, expected a relative path with `/` between its components
    Hint: rename it, or move it out of the data set
    "#);
    assert_snapshot!(said(&sandbox, r#"rm data/sim_tiny/a?b; touch "data/sim_tiny/$(printf 'a\377')"; spectramind train trainer=ci_fast --quiet"#), @"
    exit 1
    Error: data/sim_tiny/a�: expected a name of UTF-8, got other bytes
    Hint: rename it, or move it out of the data set
    ");
    assert_snapshot!(said(&sandbox, "rm data/sim_tiny/a?; touch data/sim_tiny/c:; spectramind train trainer=ci_fast --quiet"), @r#"
    exit 1
    Error: data below data/sim_tiny: expected names that mean one file on every system
      caused by: path "c:": has a drive letter, expected a relative path with `/` between its components
    Hint: rename it, or move it out of the data set
    "#);
    assert_snapshot!(said(&sandbox, "rm data/sim_tiny/c:; mkfifo data/sim_tiny/pipe; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: data/sim_tiny/pipe: expected a regular file, got a special file
    Hint: a data set is read file by file: put a regular file there, or move it out
    ");
    assert_snapshot!(said(&sandbox, "rm data/sim_tiny/pipe; ln -s wavelengths.csv data/sim_tiny/link; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: data/sim_tiny/link: expected a regular file, got a symlink
    Hint: a data set is read file by file: put a regular file there, or move it out
    ");
}

#[test]
fn names_of_sets() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast data.name=../x --quiet"), @r#"
    exit 1
    Error: data set "../x": expected a name that a file can have
      caused by: path "provenance/../x.dvc.jsonl": has a component `..`, expected a relative path with `/` between its components
    Hint: choose one of letters and digits: data.name=NAME
    "#);
}

#[test]
fn programs_that_are_gone() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    assert_snapshot!(said(&sandbox, r#"cp "$(command -v spectramind)" copy; truncate --size=1G data/sim_tiny/big; ./copy train trainer=ci_fast --quiet & sleep 0.3; rm copy; wait $!"#), @"
    exit 1
    Error: cannot hash the program [sandbox]/work/copy
      caused by: No such file or directory (os error 2)
    ");
}

#[test]
fn what_changes_meanwhile() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    assert_snapshot!(said(&sandbox, "truncate --size=1G data/sim_tiny/large; (while :; do echo >> data/sim_tiny/large; done) & writer=$!; spectramind train trainer=ci_fast --quiet; code=$?; kill $writer; rm data/sim_tiny/large; exit $code"), @"
    exit 1
    Error: data/sim_tiny/large changed while it was hashed
    Hint: something else writes to the data set: start again without it
    ");
    assert_snapshot!(said(&sandbox, "(until [ -s run/steps.jsonl ]; do sleep 0.01; done; echo >> data/sim_tiny/train.csv) & spectramind train trainer=ci_fast trainer.max_epochs=40 run.dir=run --quiet"), @"
    exit 1
    Error: data set sim_tiny changed while the run used it: train.csv changed: expected 143019 bytes, BLAKE3 [digest], got 143020 bytes, BLAKE3 [digest]; the run is not signed
    Hint: something else writes to the data set: run again without it
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --resume run --quiet"), @"
    exit 1
    Error: run: expected the data the run began with, got another
    Hint: bring back what it began with, or begin a new run
    ");
}

#[test]
fn remembered_digests() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    assert_snapshot!(said(&sandbox, "rm -rf ../home/.cache; mkdir -p ../home/.cache/spectramind; echo x > ../home/.cache/spectramind/digests-1; spectramind train trainer=ci_fast --quiet"), @"
    exit 0
    Warning: [sandbox]/home/.cache/spectramind/digests-1 is not a cache of digests, or a damaged one: it is ignored, and written anew
    ");
    // Whether it is written as well depends on how old the data are: files of this moment are not remembered.
    assert_snapshot!(said(&sandbox, "rm -r ../home/.cache; touch ../home/.cache; spectramind train trainer=ci_fast --quiet 2>&1 | sed -n 1p >&2"), @"
    exit 0
    Warning: cannot read the cache of digests [sandbox]/home/.cache/spectramind/digests-1: Not a directory (os error 20): it is ignored, and written anew
    ");
}

#[test]
fn dvc_documents() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    assert_snapshot!(said(&sandbox, "echo 'outs: [{md5: 00000000000000000000000000000000.dir, path: sim_tiny}]' > data/sim_tiny.dvc; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: [sandbox]/work/data/sim_tiny differs from what DVC says in 1 of 1 entries: the data set (data/sim_tiny.dvc): expected md5 [digest].dir, got [digest].dir
    Hint: `dvc status` lists the files; `dvc checkout` brings back those that DVC knows, `dvc commit` makes it know these; provenance.dvc=record (of a command: command.dvc=record) goes on all the same and records the difference
    ");
    assert_snapshot!(said(&sandbox, "echo 'outs: 3' > data/sim_tiny.dvc; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: [sandbox]/work/data/sim_tiny.dvc
      caused by: not a document of DVC's: outs: expected a sequence, got 3
    Hint: correct the file as DVC would have written it, or move it away
    ");
    assert_snapshot!(said(&sandbox, "echo '{' > data/sim_tiny.dvc; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: [sandbox]/work/data/sim_tiny.dvc
      caused by: not a document of DVC's: line 2, column 1: expected a value, but found the end of the file
    Hint: correct the file as DVC would have written it, or move it away
    ");
    assert_snapshot!(said(&sandbox, "echo 'outs: [{md5: abc, path: sim_tiny}]' > data/sim_tiny.dvc; spectramind train trainer=ci_fast --quiet"), @r#"
    exit 1
    Error: [sandbox]/work/data/sim_tiny.dvc
      caused by: sim_tiny: md5
      caused by: expected 32 lowercase hex digits, got "abc"
    Hint: correct the file as DVC would have written it, or move it away
    "#);
    assert_snapshot!(said(&sandbox, "echo 'outs: [{md5: 00000000000000000000000000000000.dir, path: sim_tiny, hash: sha256}]' > data/sim_tiny.dvc; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: [sandbox]/work/data/sim_tiny.dvc
      caused by: sim_tiny: hash: expected md5, got sha256
    Hint: correct the file as DVC would have written it, or move it away
    ");
    assert_snapshot!(said(&sandbox, "echo 'outs: [{md5: 00000000000000000000000000000000.dir, path: sim_tiny, size: 99999999999999999}]' > data/sim_tiny.dvc; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: [sandbox]/work/data/sim_tiny.dvc
      caused by: sim_tiny: size: expected at most 9007199254740991, got 99999999999999999
    Hint: correct the file as DVC would have written it, or move it away
    ");
    assert_snapshot!(said(&sandbox, r#"rm data/sim_tiny.dvc; echo 'schema: "3.0"' > data/dvc.lock; spectramind train trainer=ci_fast --quiet"#), @"
    exit 1
    Error: [sandbox]/work/data/dvc.lock
      caused by: schema: expected 2.0, got 3.0
    Hint: correct the file as DVC would have written it, or move it away
    ");
}
