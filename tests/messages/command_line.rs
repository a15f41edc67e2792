//! What the commands themselves refuse: where they write, what they go on with, and the jobs of a multirun.

use std::path::PathBuf;
use std::process::Command;

use insta::assert_snapshot;

use super::said;
use crate::sandbox::{Sandbox, present, trained_copy};

#[test]
fn configs_of_the_program() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "echo x > configs/train.yaml; spectramind init"), @"
    exit 2
    Error: expected no other files than those of this program, got configs/train.yaml
    Hint: to see how they differ: spectramind init NEW && diff -r configs NEW/configs
    ");
    assert_snapshot!(said(&sandbox, "mkdir gone; cd gone; rmdir ../gone; spectramind config show --config-path $OLDPWD/configs"), @"
    exit 1
    Error: the working directory cannot be read
      caused by: No such file or directory (os error 2)
    Hint: it was removed, or is closed to you: change to another
    ");
    assert_snapshot!(said(&sandbox, "mkdir gone; cd gone; rmdir ../gone; spectramind init $OLDPWD/new"), @"
    exit 1
    Error: the working directory cannot be read
      caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind config show > /dev/full"), @"
    exit 1
    Error: cannot write to standard output
      caused by: No space left on device (os error 28)
    Hint: send it elsewhere, or make room where it goes
    ");
}

#[test]
fn commands() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, r"printf 'command: {outputs: [x]}\nx: 1\n' > configs/exec.yaml; spectramind exec hydra.run.dir=e -- false; spectramind exec --resume e -- true"), @"
    exit 2
    made a signing key for you: [sandbox]/home/.config/spectramind/signing-key.pem
    running false
    Error: the command exited with 1: expected 0; nothing is signed
    Hint: what it printed is in e/logs
    Error: e: expected the command that it began with, `false`, got another
    Hint: leave the words after -- out: they are remembered
    ");
    assert_snapshot!(said(&sandbox, "sed -i 's/x: 1/x: 2/' configs/exec.yaml; spectramind exec --resume e"), @"
    exit 1
    Error: e: expected the composed config that the run began with, got another
    Hint: check out the configs it began with, or begin a new run
    ");
    assert_snapshot!(said(&sandbox, "TMPDIR=/nowhere spectramind exec -- true"), @"
    exit 1
    Error: cannot make a temporary folder in /nowhere
      caused by: No such file or directory (os error 2)
    Hint: name a folder that can be written to in the environment variable TMPDIR
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec +command.inputs=nowhere -- true"), @r#"
    exit 2
    Error: command.inputs: expected a list of {name, root}, or a map from a name to a path or {root}, with no other key (set by the override "+command.inputs=nowhere")
    Hint: set another value: `+command.inputs=<value>`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec hydra.run.dir=e -- true"), @"
    exit 1
    Error: run directory e already holds something: expected a new one
    Hint: choose another directory (run.dir, or hydra.run.dir), or go on with that run with --resume DIR
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec --resolvers no.yaml -- true"), @r#"
    exit 2
    Error: no.yaml: expected a file of resolvers, got nothing there
    Hint: write a line for each: `times: "lambda a, b: a * b"`
    "#);
}

#[test]
fn keys() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "touch file; spectramind keys generate --out file/x/own.pem"), @"
    exit 1
    Error: cannot make the folder file/x
      caused by: Not a directory (os error 20)
    ");
    assert_snapshot!(said(&sandbox, r"printf 'one\ntwo\n' | script -qec 'spectramind keys generate --encrypted --out own.pem' /dev/null > said; code=$?; tr -d '\r' < said | grep -E '^(Error|Hint)' >&2; exit $code"), @"
    exit 1
    Error: the two passphrases differ
    Hint: type the same twice
    ");
    assert_snapshot!(said(&sandbox, r"SPECTRAMIND_PASSPHRASE=$(printf '\377') spectramind keys generate --encrypted --out own.pem"), @"
    exit 1
    Error: environment variable SPECTRAMIND_PASSPHRASE is not UTF-8
    Hint: use --passphrase-file FILE (mode 0600)
    ");
}

#[test]
fn multiruns() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind simulate --quiet sim.planets=1 sim.test_planets=0 -m sim.seed=1,2 hydra.sweep.dir=sweep 'sim.out=out-${sim.seed}'"), @r"
    exit 0
    Launching 2 jobs locally in sweep
    	#0 : sim.planets=1 sim.test_planets=0 sim.seed=1 sim.out=out-$\{sim.seed\}
    	#1 : sim.planets=1 sim.test_planets=0 sim.seed=2 sim.out=out-$\{sim.seed\}
    ");
    assert_snapshot!(said(&sandbox, "spectramind simulate --quiet sim.planets=1 sim.test_planets=0 -m sim.seed=1,2 hydra.sweep.dir=sweep"), @"
    exit 1
    Error: sweep holds a multirun already: expected a directory without one
    Hint: go on with it with --resume sweep, or choose another hydra.sweep.dir
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --resume sweep"), @"
    exit 1
    Error: sweep: expected a multirun of this command, got one of `spectramind simulate`
    Hint: spectramind simulate --resume sweep
    ");
    assert_snapshot!(said(&sandbox, "sed -i 's/^photon/photon/; s/mid_hours_min: 2.5/mid_hours_min: 2.6/' configs/sim/tiny.yaml; spectramind simulate --resume sweep --quiet"), @"
    exit 1
    Error: sweep: expected the configs that the multirun began with, got others
    Hint: check out the configs it began with, or begin a new multirun
    ");
    assert_snapshot!(said(&sandbox, "cp sweep/sweep.jsonl kept; echo x > sweep/sweep.jsonl; spectramind simulate --resume sweep --quiet"), @"
    exit 1
    Error: sweep/sweep.jsonl, line 1: expected what was begun, got something else (expected value at line 1 column 1)
    Hint: the file was changed or damaged: begin a new multirun in another hydra.sweep.dir
    ");
    assert_snapshot!(said(&sandbox, "(head -1 kept; echo '{}') > sweep/sweep.jsonl; spectramind simulate --resume sweep --quiet"), @"
    exit 1
    Error: sweep/sweep.jsonl, line 2: expected how a job ended, got something else (missing field `job` at line 1 column 2)
    Hint: the file was changed or damaged: begin a new multirun in another hydra.sweep.dir
    ");
    assert_snapshot!(said(&sandbox, "touch file; spectramind simulate --quiet sim.planets=1 sim.test_planets=0 -m sim.out=file,other hydra.sweep.dir=sweep2"), @"
    exit 1
    Launching 2 jobs locally in sweep2
    	#0 : sim.planets=1 sim.test_planets=0 sim.out=file
    Error: simulation output file exists: expected no folder or an empty one
    Hint: choose another folder with sim.out=DIR, or delete that one
    	#1 : sim.planets=1 sim.test_planets=0 sim.out=other
    Error: 1 of 2 jobs of the multirun sweep2 failed
    Hint: --resume sweep2 tries those again and leaves the others as they are
    ");
    assert_snapshot!(said(&sandbox, "spectramind train -m trainer.seed=1,2 run.dir=x"), @"
    exit 2
    Error: jobs 0 and 1: expected a directory for each, got x for both
    Hint: let hydra.sweep.subdir, or run.dir, depend on what varies: ${hydra.job.num}
    ");
    assert_snapshot!(said(&sandbox, "flock sweep2/sweep.jsonl spectramind simulate --resume sweep2 --quiet"), @"
    exit 1
    Error: the multirun sweep2 is being run by another process
    Hint: wait for the other process, or stop it
    ");
}

#[test]
fn runs_in_one_directory() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind simulate --quiet sim.planets=1 sim.test_planets=0 sim.out=o1 hydra.run.dir=r; spectramind simulate --quiet sim.planets=1 sim.test_planets=0 sim.out=o2 hydra.run.dir=r"), @"
    exit 1
    Error: r: expected a directory that no other run has, got one with r/.hydra
    Hint: choose another directory: hydra.run.dir=DIR, or a pattern with ${now:%f}, the microsecond
    ");
}

#[test]
fn jobs_in_another_directory() {
    let sandbox = Sandbox::with_data();
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast -m trainer.seed=1,2 hydra.sweep.dir=sweep --quiet > /dev/null 2> /dev/null; rm -r sweep/1; cp -r sweep/0 sweep/1; sed -i '$d' sweep/sweep.jsonl; spectramind train --resume sweep --quiet"), @"
    exit 1
    Launching 1 jobs locally in sweep
    	#1 : trainer=ci_fast trainer.seed=2
    Error: sweep/1: expected this job's run, got another run, which is complete and signed
    Error: 1 of 2 jobs of the multirun sweep failed
    Hint: --resume sweep tries those again and leaves the others as they are
    ");
    assert_snapshot!(said(&sandbox, r#"sed -i 's/\"[0-9a-f]\{64\}\"/\"x\"/' sweep/sweep.jsonl; spectramind train --resume sweep --quiet 2> said; code=$?; sed 's/column [0-9]*/column [number]/' said >&2; exit $code"#), @r#"
    exit 1
    Error: sweep/sweep.jsonl, line 1: expected what was begun, got something else (expected 64 lowercase hex digits, got "x" at line 1 column [number])
    Hint: the file was changed or damaged: begin a new multirun in another hydra.sweep.dir
    "#);
}

#[test]
fn nodes() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind train trainer.num_nodes=2 --mpi-library nothing"), @"
    exit 2
    Error: trainer.num_nodes=2: expected 2 processes, started by an MPI launcher, got one that was started alone
    Hint: type `mpirun -n 2 spectramind train trainer.num_nodes=2 --mpi-library nothing`, or with Slurm `srun --mpi=pmix --nodes=2 --ntasks-per-node=1 spectramind train trainer.num_nodes=2 --mpi-library nothing`; it needs an MPI library as well: none of nothing is here
    ");
}

#[test]
fn several_processes() {
    let Some(launchers) = mpich() else { return };
    let sandbox = Sandbox::new();
    // What the launcher itself adds is not ours.
    let said = |line: &str| {
        let path = launchers.display();
        said(&sandbox, &format!("PATH={path}:$PATH; {line} 2> all; code=$?; grep -v ^Abort all >&2; exit $code"))
    };
    assert_snapshot!(said("mpiexec -n 3 spectramind train trainer.num_nodes=2"), @"
    exit 2
    Error: trainer.devices × trainer.num_nodes: expected 2 processes, a worker each, got 3 from MPICH's mpiexec
    Hint: type `mpirun -n 2 spectramind train trainer.num_nodes=2`, or with Slurm `srun --mpi=pmix --nodes=2 --ntasks-per-node=1 spectramind train trainer.num_nodes=2`
    ");
    assert_snapshot!(said("mpiexec -n 2 spectramind train trainer.num_nodes=2 -m trainer.seed=1,2"), @"
    exit 2
    Error: a multirun by several processes: expected one run, got several
    Hint: start one launcher for each run, or let workers of this machine make them: trainer=multi_gpu
    ");
}

#[test]
fn golden_cases() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "mkdir -p golden/x; echo '{' > golden/x/case.json; spectramind-verify golden"), @"
    exit 3
      ! x: not checked: golden/x/case.json is no case: EOF while parsing an object at line 2 column 0
    ");
    assert_snapshot!(said(&sandbox, r#"echo '{"config": "train", "overrides": ["trainer=ci_fast", "data=sim_binned", "sim=binned", "calib=default", "sim.planets=30", "sim.test_planets=0", "data.batch_size=4", "model=bayes"]}' > golden/x/case.json; echo '{' > golden/x/expected.json; spectramind-verify golden"#), @"
    exit 3
      ! x: not checked: golden/x/expected.json holds no digests: EOF while parsing an object at line 2 column 0
    ");
}

#[test]
fn twice() {
    let sandbox = Sandbox::empty();
    assert_snapshot!(said(&sandbox, r#"mkdir c; spectramind-verify twice --writes c --output t -- sh -c "echo >> $PWD/c/n; wc -l < $PWD/c/n > t" 2> said; code=$?; sed 's/): [0-9]* s/): [seconds]/' said >&2; exit $code"#), @"
    exit 1
    run 1 (nothing varied): [seconds]
    run 2 (everything varied): [seconds]: 1 differ
    run 3 (nothing varied): [seconds]: 1 differ
      ! twice: FAILED: t: line 1, column 1: expected `1`, got `3`: differs without any variation (in the run that tried it): an uninitialised seed, a time stamp, a race, an address, a process id
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --runs 2 --stdout -- echo x 2> said; code=$?; sed 's/): [0-9]* s/): [seconds]/' said >&2; exit $code"), @"
    exit 0
    run 1 (nothing varied): [seconds]
    run 2 (everything varied): [seconds]: equal
    ");
    assert_snapshot!(said(&sandbox, r#"rm c/n; spectramind-verify twice --writes c --output t.csv -- sh -c "echo >> $PWD/c/n; (yes , | head -20000 | tr -d '\n'; wc -l < $PWD/c/n) > t.csv" 2> said; code=$?; sed 's/): [0-9]* s/): [seconds]/' said >&2; exit $code"#), @"
    exit 1
    run 1 (nothing varied): [seconds]
    run 2 (everything varied): [seconds]: 1 differ
    run 3 (nothing varied): [seconds]: 1 differ
      ! twice: FAILED: t.csv: line 1, column 20001: expected `…,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,1`, got `…,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,3` (not compared as a table: a row has more than 16384 fields): differs without any variation (in the run that tried it): an uninitialised seed, a time stamp, a race, an address, a process id
    ");
    assert_snapshot!(said(&sandbox, r#"rm c/n; spectramind-verify twice --writes c --output t.csv -- sh -c "echo >> $PWD/c/n; (yes z | head -2000000 | tr -d '\n'; wc -l < $PWD/c/n) > t.csv" 2> said; code=$?; sed 's/): [0-9]* s/): [seconds]/' said >&2; exit $code"#), @"
    exit 1
    run 1 (nothing varied): [seconds]
    run 2 (everything varied): [seconds]: 1 differ
    run 3 (nothing varied): [seconds]: 1 differ
      ! twice: FAILED: t.csv: line 1, column 2000001: expected `…zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz1`, got `…zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz3` (not compared as a table: a row has more than 1048576 bytes): differs without any variation (in the run that tried it): an uninitialised seed, a time stamp, a race, an address, a process id
    ");
}

#[test]
fn without_a_home() {
    if !can_be_another_user() {
        return;
    }
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "unshare --user --map-user=54321 env -u HOME -u XDG_CONFIG_HOME spectramind keys show"), @"
    exit 1
    Error: the user's config directory cannot be found
      caused by: could not locate home directory
    Hint: set HOME, or name the key's file
    ");
    assert_snapshot!(said(&sandbox, "unshare --user --map-user=54321 env -u HOME -u XDG_CONFIG_HOME spectramind-verify audit run"), @"
    exit 2
    Error: the user's config directory cannot be found; name the key with --key: could not locate home directory
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys generate --out root.pem > /dev/null; spectramind keys trust init --root-key root.pem --out trust.json; unshare --user --map-user=54321 env -u HOME -u XDG_CONFIG_HOME spectramind keys trust list"), @"
    exit 1
    wrote root.pem
    wrote trust.json, version 1
    Error: the user's state directory cannot be found
      caused by: could not locate home directory
    Hint: set HOME: what was seen of trust is kept there
    ");
    assert_snapshot!(said(&sandbox, "unshare --user --map-user=54321 env -u HOME -u XDG_CONFIG_HOME spectramind-verify audit run --program installed --trust trust.json --root-key root.pub.pem"), @"
    exit 2
    Error: the user's state directory cannot be found; set HOME: could not locate home directory
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --program installed --sign root.pem --verdict-out no/such/folder/x"), @"
    exit 3
      ! signing: not checked: cannot write the verdict to no/such/folder/x; choose a place with --verdict-out: expected a folder at no/such/folder, got none
    ");
}

/// Whether a process may become a user that the system has no home of.
fn can_be_another_user() -> bool {
    let output = Command::new("unshare").args(["--user", "--map-user=54321", "true"]).output();
    let works = output.is_ok_and(|output| output.status.success());
    present("namespaces", works, "user namespaces (unshare --user)")
}

/// The folder of MPICH's launchers.
fn mpich() -> Option<PathBuf> {
    let folder = std::env::var_os("SPECTRAMIND_MPICH").map(|folder| PathBuf::from(folder).join("bin"));
    let is_there = folder.as_ref().is_some_and(|folder| folder.join("mpiexec").is_file());
    present("mpich", is_there, "MPICH in the virtual environment that SPECTRAMIND_MPICH names (pip install mpich)");
    folder.filter(|_| is_there)
}
