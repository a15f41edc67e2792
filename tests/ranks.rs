//! Runs by several processes that an MPI launcher starts: the bits of one, and one message for whatever goes wrong.
//!
//! MPICH is that of a virtual environment that the variable `SPECTRAMIND_MPICH` names (`pip install mpich`); Open MPI is the
//! system's `mpirun`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::errors::mount_namespace;
use crate::forgery::{statement, training};
use crate::sandbox::{Outcome, Sandbox, present};
use crate::training::{assert_same_results, steps_written};

const RUN: [&str; 5] =
    ["train", "trainer=ci_fast", "run.dir=run", "trainer.max_epochs=30", "trainer.checkpoint.every_n_steps=3"];
/// The same for longer than it takes to find a process.
const LONG: [&str; 5] =
    ["train", "trainer=ci_fast", "run.dir=run", "trainer.max_epochs=400", "trainer.checkpoint.every_n_steps=50"];

/// An MPI that is here: its launcher's words before the number of processes.
#[derive(Clone)]
struct Mpi {
    launcher: Vec<String>,
    /// What a process finds its number in.
    rank: &'static str,
}

/// MPICH from PyPI.
fn mpich() -> Option<Mpi> {
    let folder = std::env::var_os("SPECTRAMIND_MPICH").map(PathBuf::from).unwrap_or_default();
    let mpiexec = folder.join("bin/mpiexec");
    let what = "MPICH in the virtual environment that SPECTRAMIND_MPICH names (pip install mpich)";
    present("mpich", mpiexec.is_file(), what)
        .then(|| Mpi { launcher: vec![mpiexec.display().to_string()], rank: "PMI_RANK" })
}

/// The system's Open MPI.
fn open_mpi() -> Option<Mpi> {
    let is_there = Path::new("/usr/bin/mpirun.openmpi").is_file();
    let words = ["/usr/bin/mpirun.openmpi", "--allow-run-as-root", "--oversubscribe"].map(str::to_owned).to_vec();
    present("openmpi", is_there, "Open MPI (Debian: openmpi-bin)")
        .then_some(Mpi { launcher: words, rank: "OMPI_COMM_WORLD_RANK" })
}

fn mpis() -> Vec<Mpi> {
    mpich().into_iter().chain(open_mpi()).collect()
}

impl Mpi {
    /// So many processes of these words in a sandbox.
    fn of(&self, sandbox: &Sandbox, processes: usize, words: &[&str]) -> Command {
        let mut command = sandbox.prepare(Command::new(&self.launcher[0]));
        // The library stands beside the launcher.
        let bin = Path::new(&self.launcher[0]).parent().expect("a folder").to_owned();
        let path = std::env::join_paths(
            [bin].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
        );
        command.env("PATH", path.expect("a search path"));
        command.args(&self.launcher[1..]).args(["-n", &processes.to_string()]).args(words);
        command
    }

    /// So many ranks of `spectramind`.
    fn spectramind(&self, sandbox: &Sandbox, ranks: usize, arguments: &[&str]) -> Command {
        self.of(sandbox, ranks, &[&[env!("CARGO_BIN_EXE_spectramind")], arguments].concat())
    }

    /// The same, but rank 1 does `instead` before, in a shell that then becomes the program `$PROGRAM`.
    fn with_another(&self, sandbox: &Sandbox, instead: &str, arguments: &[&str]) -> Command {
        let script = format!("if [ \"${}\" = 1 ]; then {instead}; fi; exec \"$PROGRAM\" \"$@\"", self.rank);
        let mut command = self.of(sandbox, 2, &[&["/bin/sh", "-c", &script, "sh"], arguments].concat());
        command.env("PROGRAM", env!("CARGO_BIN_EXE_spectramind"));
        command
    }
}

/// The processes that work in a sandbox.
fn processes(sandbox: &Sandbox) -> Vec<std::fs::DirEntry> {
    let folder = sandbox.path("..").canonicalize().expect("the sandbox");
    let is_here = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder))
    };
    std::fs::read_dir("/proc").expect("proc").flatten().filter(is_here).collect()
}

fn assert_nothing_is_left(sandbox: &Sandbox) {
    let begin = Instant::now();
    loop {
        let left: Vec<_> = processes(sandbox).into_iter().map(|entry| entry.file_name()).collect();
        if left.is_empty() {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "processes {left:?} are left");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn ranks_sign_the_results_of_one_process_and_are_replayed_by_one() {
    let alone = Sandbox::with_data();
    alone.done(&RUN);
    for mpi in mpis() {
        for (ranks, nodes) in [(2, 1), (4, 2)] {
            let sandbox = Sandbox::with_data();
            let devices = format!("trainer.devices={}", ranks / nodes);
            let nodes = format!("trainer.num_nodes={nodes}");
            let outcome = Outcome::of(&mut mpi.spectramind(&sandbox, ranks, &[&RUN[..], &[&devices, &nodes]].concat()));
            assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
            assert_eq!(outcome.stdout.matches("step root").count(), 1, "rank 0 alone speaks\n{}", outcome.stdout);
            assert_eq!(outcome.stderr.matches("computing on").count(), 1, "{}", outcome.stderr);
            assert_same_results(&alone.path("run"), &sandbox.path("run"));
            let mut signed = statement(&sandbox, "run");
            let stretches = &training(&mut signed).stretches;
            assert_eq!(stretches.iter().map(|stretch| stretch.workers.len()).collect::<Vec<_>>(), [ranks]);
            let audit = sandbox.audit(&["--replay"]);
            assert_eq!(audit.code, 0, "{}", audit.stdout);
            assert_nothing_is_left(&sandbox);
        }
    }
}

#[test]
fn two_nodes_of_eight_are_sixteen_ranks() {
    for mpi in mpis() {
        let sandbox = Sandbox::with_data();
        let asked = ["train", "trainer=ddp", "trainer.devices=8", "trainer.num_nodes=2"];
        let short =
            ["trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.dataloader.workers=1", "run.dir=run"];
        let outcome = Outcome::of(&mut mpi.spectramind(&sandbox, 16, &[&asked[..], &short].concat()));
        assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
        let audit = sandbox.audit(&["--replay"]);
        assert_eq!(audit.code, 0, "{}", audit.stdout);
    }
}

#[test]
fn a_rank_that_is_killed_ends_all_and_the_run_goes_on_with_another_number_of_workers() {
    let alone = Sandbox::with_data();
    alone.done(&LONG);
    for mpi in mpis() {
        let sandbox = Sandbox::with_data();
        let mut command = mpi.spectramind(&sandbox, 4, &[&LONG[..], &["trainer.devices=4"]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        signal_a_rank(&sandbox, &mpi, "-KILL");
        assert!(!child.wait().expect("ends").success());
        assert_nothing_is_left(&sandbox);
        let outcome = Outcome::of(&mut mpi.spectramind(&sandbox, 2, &["train", "--resume", "run", "--workers", "2"]));
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_same_results(&alone.path("run"), &sandbox.path("run"));
    }
}

/// Sends a signal to a rank that is not 0, once some steps are made.
fn signal_a_rank(sandbox: &Sandbox, mpi: &Mpi, signal: &str) {
    let begin = Instant::now();
    while steps_written(&sandbox.path("run")) < 60 {
        assert!(begin.elapsed() < Duration::from_secs(120), "no steps in time");
        std::thread::sleep(Duration::from_millis(5));
    }
    let of_rank = |entry: &std::fs::DirEntry| {
        let is_ours = std::fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe.ends_with("spectramind"));
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let variable = format!("{}=2", mpi.rank);
        is_ours && environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    };
    let rank = processes(sandbox).into_iter().find(of_rank).expect("rank 2 is running").file_name();
    assert!(Command::new("kill").arg(signal).arg(&rank).status().expect("kill").success());
}

#[test]
fn a_rank_that_hangs_is_named_with_its_host_after_the_timeout_and_nothing_is_left() {
    for mpi in mpis() {
        let sandbox = Sandbox::with_data();
        let more = ["trainer.devices=4", "trainer.worker_timeout=2"];
        let mut command = mpi.spectramind(&sandbox, 4, &[&LONG[..], &more].concat());
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
        signal_a_rank(&sandbox, &mpi, "-STOP");
        let begin = Instant::now();
        let output = child.wait_with_output().expect("ends");
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(0));
        assert_eq!(stderr.matches("Error: worker 2 (").count(), 1, "{stderr}");
        assert!(stderr.contains("process ") && stderr.contains("no answer from rank 2 on "), "{stderr}");
        assert_nothing_is_left(&sandbox);
        assert_eq!(sandbox.run(&["train", "--resume", "run", "--workers", "1"]).code, 0);
    }
}

#[test]
fn a_run_that_diverges_ends_all_ranks_with_one_message() {
    for mpi in mpis() {
        let sandbox = Sandbox::with_data();
        let more = ["trainer.devices=2", "optimizer.lr=1e30", "trainer.gradient_clip_val=null"];
        let outcome = Outcome::of(&mut mpi.spectramind(&sandbox, 2, &[&RUN[..], &more].concat()));
        assert_ne!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(outcome.stderr.matches("Error: ").count(), 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("Error: training diverged at step "), "{}", outcome.stderr);
        assert!(!sandbox.path("run/manifest.intoto.jsonl").exists());
        assert_nothing_is_left(&sandbox);
    }
}

#[test]
fn a_full_disk_ends_all_ranks_with_one_message() {
    let Some(flags) = mount_namespace() else { return };
    for mpi in mpis() {
        let sandbox = Sandbox::with_data();
        std::fs::create_dir(sandbox.path("small")).expect("mkdir");
        let more = ["trainer.devices=2", "run.dir=small/run", "trainer.checkpoint.save_top_k=-1"];
        let ranks = mpi.spectramind(&sandbox, 2, &[&LONG[..2], &LONG[3..], &more].concat());
        let mut command = sandbox.prepare(Command::new("unshare"));
        command.args([flags, "sh", "-c", "mount -t tmpfs -o size=512k tmpfs small && exec \"$@\"", "sh"]);
        command.arg(ranks.get_program()).args(ranks.get_args());
        command.envs(ranks.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let outcome = Outcome::of(&mut command);
        assert_ne!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(outcome.stderr.matches("Error: ").count(), 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("No space left on device"), "{}", outcome.stderr);
        assert_nothing_is_left(&sandbox);
    }
}

#[test]
fn a_rank_with_another_config_program_or_data_is_named_before_the_first_step() {
    for mpi in mpis() {
        let cases: [(&str, &str, &str); 4] = [
            ("set -- \"$@\" trainer.seed=7", "expected the composed config of worker 0", "the same program"),
            (
                "cp \"$PROGRAM\" ../other; echo >> ../other; PROGRAM=../other",
                "expected the program of worker 0",
                "the same program",
            ),
            (
                "cp -r ../work ../copy; cd ../copy; echo 1 > data/sim_tiny/more.txt",
                "expected the data of worker 0",
                "the same files",
            ),
            ("set -- \"$@\" trainer.accelerator=cuda", "accelerator cuda", ""),
        ];
        for (instead, said, hint) in cases {
            let sandbox = Sandbox::with_data();
            let arguments = [&RUN[..], &["trainer.devices=2"]].concat();
            let outcome = Outcome::of(&mut mpi.with_another(&sandbox, instead, &arguments));
            assert_ne!(outcome.code, 0, "{instead}\n{}", outcome.stderr);
            assert_eq!(outcome.stderr.matches("Error: worker 1 (").count(), 1, "{instead}\n{}", outcome.stderr);
            assert!(outcome.stderr.contains(said) && outcome.stderr.contains(hint), "{instead}\n{}", outcome.stderr);
            assert!(!sandbox.path("run").exists(), "{instead}: before anything is made");
            assert_nothing_is_left(&sandbox);
        }
    }
}

#[test]
fn what_the_launcher_gave_has_to_be_what_the_config_asks_for() {
    let sandbox = Sandbox::new();
    let alone = sandbox.run(&["train", "trainer=ddp"]);
    assert_eq!(alone.code, 2);
    for said in [
        "trainer.num_nodes=2: expected 16 processes, started by an MPI launcher, got one that was started alone",
        "mpirun -n 16 ",
        "srun --mpi=pmix --nodes=2 --ntasks-per-node=8 ",
        "train trainer=ddp",
    ] {
        assert!(alone.stderr.contains(said), "{said}\n{}", alone.stderr);
    }
    for mpi in mpis() {
        let outcome =
            Outcome::of(&mut mpi.spectramind(&sandbox, 2, &["train", "trainer=ci_fast", "trainer.devices=4"]));
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        assert_eq!(outcome.stderr.matches("Error: ").count(), 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("expected 4 processes, a worker each, got 2 from"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("-n 4 "), "{}", outcome.stderr);
    }
    assert!(!sandbox.path("data").exists() && !sandbox.path("runs").exists());
}

#[test]
fn a_launcher_without_a_library_is_an_error_that_names_those_looked_for() {
    let sandbox = Sandbox::new();
    let mut command =
        sandbox.spectramind(&["train", "trainer=ci_fast", "trainer.devices=2", "--mpi-library", "no/libmpi.so"]);
    let outcome = Outcome::of(command.env("PMI_SIZE", "2").env("PMI_RANK", "0"));
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no MPI library that can be used; looked for no/libmpi.so"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--mpi-library FILE"), "{}", outcome.stderr);
    let mut command = sandbox.spectramind(&["train", "trainer=ci_fast", "trainer.devices=2"]);
    let outcome = Outcome::of(command.env("PATH", "/nowhere").env("PMI_SIZE", "2").env("PMI_RANK", "0"));
    if !Path::new("/usr/bin/mpirun.openmpi").is_file() {
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        for name in ["libmpi_abi.so.1", "libmpi_abi.so.0", "libmpi.so.40"] {
            assert!(outcome.stderr.contains(name), "{name}\n{}", outcome.stderr);
        }
    }
    assert!(!sandbox.path("data").exists());
}

#[test]
fn ranks_that_get_a_signal_end_together_and_rank_0_signs() {
    for mpi in mpis() {
        let sandbox = Sandbox::with_data();
        let mut command = mpi.spectramind(&sandbox, 2, &[&LONG[..], &["trainer.devices=2"]].concat());
        let mut launched = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let begin = Instant::now();
        while steps_written(&sandbox.path("run")) < 5 {
            assert!(launched.try_wait().expect("wait").is_none() && begin.elapsed() < Duration::from_secs(120));
            std::thread::sleep(Duration::from_millis(1));
        }
        // As Slurm does: each process of the step gets it.
        let is_rank = |entry: &std::fs::DirEntry| {
            std::fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name.trim() == "spectramind")
        };
        let ranks: Vec<_> = processes(&sandbox).into_iter().filter(is_rank).map(|entry| entry.file_name()).collect();
        assert_eq!(ranks.len(), 2);
        assert!(Command::new("kill").arg("-TERM").args(&ranks).status().expect("kill").success());
        let output = launched.wait_with_output().expect("ended");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.contains("exit       interrupted, "), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
        let audit = sandbox.audit(&["--replay"]);
        assert!(audit.code == 3 && audit.stdout.contains("passed       replay"), "{}", audit.stdout);
        assert_nothing_is_left(&sandbox);
    }
}

#[test]
fn ranks_and_a_network_that_is_denied_exclude_each_other() {
    for mpi in mpis() {
        let sandbox = Sandbox::with_data();
        let arguments = [&RUN[..], &["trainer.devices=2", "envelope.network=deny"]].concat();
        let outcome = Outcome::of(&mut mpi.spectramind(&sandbox, 2, &arguments));
        assert_eq!(outcome.code, 2, "{}{}", outcome.stdout, outcome.stderr);
        let said = "envelope.network=deny: expected the workers of one process, got 2 processes of an MPI launcher";
        assert_eq!(outcome.stderr.matches(said).count(), 1, "{}", outcome.stderr);
        assert!(!sandbox.path("run").exists());
        assert_nothing_is_left(&sandbox);
    }
}
