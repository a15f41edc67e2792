//! What is said of a program of one's own that leaves its run directory, its sources or its metrics otherwise than a record can hold.

use insta::assert_snapshot;

use super::{project, said, said_but};

#[test]
fn metrics() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, r#"spectramind exec -- sh -c 'printf "a,b\n1\n" > {run}/metrics.csv; touch {run}/x'"#), @r#"
    exit 1
    running sh -c printf "a,b\n1\n" > {run}/metrics.csv; touch {run}/x
    Error: the run is not signed
      caused by: [sandbox]/work/runs/command/[moment]/metrics.csv: row 2: expected 2 fields, as in the first row, got 1
    Hint: write finite numbers under names, or name other files in command.metrics
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec -- sh -c 'echo [1] > {run}/metrics.json; touch {run}/x'"), @"
    exit 1
    running sh -c echo [1] > {run}/metrics.json; touch {run}/x
    Error: the run is not signed
      caused by: [sandbox]/work/runs/command/[moment]/metrics.json: expected an object from names to numbers
    Hint: write finite numbers under names, or name other files in command.metrics
    ");
    assert_snapshot!(said(&sandbox, r#"spectramind exec -- sh -c 'echo "{\"a\": \"x\"}" > {run}/metrics.json; touch {run}/x'"#), @r#"
    exit 1
    running sh -c echo "{\"a\": \"x\"}" > {run}/metrics.json; touch {run}/x
    Error: the run is not signed
      caused by: [sandbox]/work/runs/command/[moment]/metrics.json: metric "a": expected a number, got text
    Hint: write finite numbers under names, or name other files in command.metrics
    "#);
    assert_snapshot!(said(&sandbox, r#"spectramind exec -- sh -c 'echo "{\"a\": NaN}" > {run}/metrics.json; touch {run}/x'"#), @r#"
    exit 1
    running sh -c echo "{\"a\": NaN}" > {run}/metrics.json; touch {run}/x
    Error: the run is not signed
      caused by: [sandbox]/work/runs/command/[moment]/metrics.json: expected finite numbers, got NaN in line 1
    Hint: write finite numbers under names, or name other files in command.metrics
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec -- sh -c 'seq -s, 10001 > {run}/metrics.csv; seq -s, 10001 >> {run}/metrics.csv; touch {run}/x'"), @"
    exit 1
    running sh -c seq -s, 10001 > {run}/metrics.csv; seq -s, 10001 >> {run}/metrics.csv; touch {run}/x
    Error: the run is not signed
      caused by: [sandbox]/work/runs/command/[moment]/metrics.csv: expected at most 10000 metrics
    Hint: write finite numbers under names, or name other files in command.metrics
    ");
}

#[test]
fn what_a_command_leaves_behind() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, "spectramind exec -- sh -c 'touch {run}/Model {run}/model {run}/x'"), @r#"
    exit 1
    running sh -c touch {run}/Model {run}/model {run}/x
    Error: the run is not signed
      caused by: files below [sandbox]/work/runs/command/[moment]: expected names that mean one file on every system
      caused by: paths "Model" and "model" differ in upper and lower case only
    Hint: let the command choose other names
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec -- sh -c 'ln -s nowhere {run}/x'"), @r#"
    exit 1
    running sh -c ln -s nowhere {run}/x
    Error: the run is not signed
      caused by: "[sandbox]/work/runs/command/[moment]/x": expected regular files and folders in the run directory, got a symbolic link
    Hint: a run is signed file by file: write regular files into the run directory
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec -- sh -c 'echo a: 1 > {run}/.hydra/config.yaml; touch {run}/x'"), @"
    exit 1
    running sh -c echo a: 1 > {run}/.hydra/config.yaml; touch {run}/x
    Error: the run is not signed
      caused by: [sandbox]/work/runs/command/[moment]/.hydra/config.yaml was there before the command ran: expected [digest], got [digest]
    Hint: write files of other names: those that are there before the command are the record's
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec -- sh -c 'rm {run}/.hydra/config.yaml; touch {run}/x'"), @"
    exit 1
    running sh -c rm {run}/.hydra/config.yaml; touch {run}/x
    Error: the run is not signed
      caused by: [sandbox]/work/runs/command/[moment]/.hydra/config.yaml was there before the command ran: expected [digest], got nothing
    Hint: write files of other names: those that are there before the command are the record's
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec -- sh -c 'touch {run}/manifest.intoto.jsonl {run}/x'"), @"
    exit 1
    running sh -c touch {run}/manifest.intoto.jsonl {run}/x
    Error: manifest.intoto.jsonl: the command made a file of this name, which every record has of its own; nothing is signed
    Hint: choose another name
    ");
    assert_snapshot!(said(&sandbox, "(until [ -e run/x ]; do sleep 0.01; done; while :; do echo >> run/x; done) & writer=$!; spectramind exec hydra.run.dir=run -- truncate --size=1G {run}/x; code=$?; kill $writer; exit $code"), @"
    exit 1
    running truncate --size=1G {run}/x
    Error: the run is not signed
      caused by: [sandbox]/work/run/x changed while it was read
    Hint: something else writes to it: try again when nothing does
    ");
}

#[test]
fn what_becomes_of_who_watches() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, "(until [ -s run/pid ]; do sleep 0.01; done; kill -9 $(cat run/pid)) & spectramind exec hydra.run.dir=run -- sh -c 'echo $PPID > {run}/pid; sleep 5'"), @"
    exit 1
    running sh -c echo $PPID > {run}/pid; sleep 5
    Error: the process that watches over the command was ended by something else
    ");
}

#[test]
fn sources_that_change_meanwhile() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, "spectramind exec +command.writes=[.] -- sh -c 'touch {run}/x; echo >> configs/exec.yaml'"), @"
    exit 1
    running sh -c touch {run}/x; echo >> configs/exec.yaml
    Error: the sources changed while the command ran: configs/exec.yaml; nothing is signed
    Hint: let it write into its run directory alone ({run}, SPECTRAMIND_RUN_DIR), and change nothing meanwhile
    ");
    assert_snapshot!(said(&sandbox, "git checkout --quiet configs; spectramind exec +command.writes=[.] -- sh -c 'touch {run}/x; git -c user.name=Test -c user.email=test@example.org commit --quiet --allow-empty --message=x'"), @"
    exit 1
    running sh -c touch {run}/x; git -c user.name=Test -c user.email=test@example.org commit --quiet --allow-empty --message=x
    Error: the sources changed while the command ran: commit: expected [digest], got [digest]; nothing is signed
    Hint: let it write into its run directory alone ({run}, SPECTRAMIND_RUN_DIR), and change nothing meanwhile
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec +command.writes=[.] -- sh -c 'touch {run}/x; mv .git git'"), @"
    exit 1
    running sh -c touch {run}/x; mv .git git
    Error: the sources changed while the command ran: there was a repository, or there is one now; nothing is signed
    Hint: let it write into its run directory alone ({run}, SPECTRAMIND_RUN_DIR), and change nothing meanwhile
    ");
}

#[test]
fn places_that_no_run_can_have() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, r#"folder="$(printf 'a\377')"; mkdir "$folder"; cp -r configs "$folder"; cd "$folder"; spectramind exec -- touch {run}/x"#), @"
    exit 2
    running touch {run}/x
    Error: [sandbox]/work/a�/runs/command/[moment]/config.yaml: expected a path of UTF-8 to hand on to the command, got other bytes
    Hint: name a folder with such a path: hydra.run.dir=DIR
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec hydra.run.dir=/proc/nothing -- touch {run}/x"), @"
    exit 1
    Error: cannot create /proc/nothing
      caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(said_but(&sandbox, "name=$(printf 'n%.0s' $(seq 250)); spectramind exec hydra.run.dir=$name -- false 2> /dev/null; spectramind exec --resume $name", "s/nnnnn*/nnn/"), @"
    exit 1
    Error: cannot rename nnn
      caused by: File name too long (os error 36)
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec +hydra.job.num=-1 -- touch {run}/x"), @"
    exit 2
    Error: hydra.job.num: expected the number of a job, from 0, got -1
    Hint: leave hydra.job.num out: a multirun numbers its jobs itself
    ");
    assert_snapshot!(said(&sandbox, r#"mkdir gone; cd gone; rmdir ../gone; spectramind exec --config-path "$OLDPWD/configs" -- touch {run}/x"#), @"
    exit 1
    Error: the working directory cannot be read
      caused by: No such file or directory (os error 2)
    Hint: it was removed, or is closed to you: change to another
    ");
}

#[test]
fn running_it_again() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, "echo '# x' >> .gitignore; spectramind exec hydra.run.dir=changed -- touch {run}/x 2> /dev/null; git checkout --quiet .gitignore; spectramind-verify audit changed --program installed --replay --run-command"), @"
    exit 1
      ! git: FAILED: the run was made with uncommitted changes in .gitignore
      ! replay: not checked: cannot write out the sources of [sandbox]/work: the run had uncommitted changes, and the work tree does not have the same ones
    ");
    assert_snapshot!(said(&sandbox, "mkdir real; echo 1 > real/data.csv; ln -s real link; git add real link; git -c user.name=Test -c user.email=test@example.org commit --quiet --message=link; spectramind exec hydra.run.dir=run +command.inputs={points:link/data.csv} -- touch {run}/x 2> /dev/null; spectramind-verify audit run --program installed --replay --run-command"), @"
    exit 3
      ! replay: not checked: input points: link: expected a folder of the recorded sources, got a link
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec hydra.run.dir=absolute +command.inputs={points:$PWD/real/data.csv} -- touch {run}/x 2> /dev/null; mv real elsewhere; spectramind-verify audit absolute --program installed --data points=elsewhere/data.csv --replay --run-command"), @"
    exit 3
      ! git: not checked: missing from the work tree: real/data.csv
      ! replay: not checked: input points: the command reads it at [sandbox]/work/real/data.csv, and it is not there
    ");
}
