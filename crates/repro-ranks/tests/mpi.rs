//! Ranks under real MPI libraries and launchers: this test program starts itself by `mpiexec`, as so many ranks.
//!
//! MPICH is that of a virtual environment which the variable `SPECTRAMIND_MPICH` names (`pip install mpich`); Open MPI is
//! the system's `mpirun`. What is absent is said and skipped, and a failure if `SPECTRAMIND_REQUIRE` lists `mpich` or
//! `openmpi`.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use repro_ranks::{
    Launcher, Library, Search, Segments, Wire, World, WorldError, gather_ranges, scatter_sum, thread_wires, tree_sum,
};

// What the tests start.

/// What to do as a rank: the name of a function of [`works`].
const WORK: &str = "RANK_WORK";
/// Where the MPI library is, or the file that it is: none of them where the system has it.
const DIRECTORY: &str = "RANK_DIRECTORY";
const LIBRARY: &str = "RANK_LIBRARY";
/// How a rank ends after an error: by `abort`, or with `exit` by just ending.
const END: &str = "RANK_END";
/// Marks the processes of one test.
const TOKEN: &str = "RANK_TOKEN";

/// Not a test: what a rank does, and nothing when the tests are run.
#[test]
fn a_rank_of_another_test() {
    let Ok(work) = std::env::var(WORK) else { return };
    let fail = |text: &dyn std::fmt::Display| -> ! {
        eprintln!("{text}");
        std::process::exit(3);
    };
    let launcher = Launcher::from_environment(|name| std::env::var_os(name));
    let directories: Vec<PathBuf> = std::env::var_os(DIRECTORY).map(PathBuf::from).into_iter().collect();
    let library = std::env::var_os(LIBRARY).map(PathBuf::from);
    let search = Search { library: library.as_deref(), directories: &directories, launcher: launcher.as_ref() };
    let library = Library::load(&search).unwrap_or_else(|error| fail(&error));
    let timeout = Duration::from_millis(if work == "everything" { 30_000 } else { 2_000 });
    let mut world = World::start(library, launcher.as_ref(), timeout).unwrap_or_else(|error| fail(&error));
    let done = match work.as_str() {
        "everything" => everything(&mut world),
        "killed" => signalled(&mut world, "-KILL"),
        "stopped" => signalled(&mut world, "-STOP"),
        "stopped-in-barrier" => signalled_in_barrier(&mut world),
        "wrong-length" => wrong_length(&mut world),
        other => panic!("no work {other}"),
    };
    let me = world.rank();
    match done {
        Ok(()) => {
            let place = format!(
                "rank {me} of {} on {}, {} of {} there",
                world.size(),
                world.peers()[me].host,
                world.local_rank(),
                world.local_size()
            );
            let library = world.library().to_string();
            world.finish().unwrap_or_else(|error| fail(&error));
            println!("done: {place}, {library}");
            std::process::exit(0);
        }
        Err(error) => {
            // At once, for it is not alone.
            std::io::stderr().write_all(format!("error: {error}\n").as_bytes()).expect("stderr");
            if std::env::var_os(END).is_some() {
                drop(world);
                std::process::exit(3);
            }
            world.abort(3);
        }
    }
}

/// Bytes that depend on everything.
fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 + seed * 101 + index / 251) as u8).collect()
}

fn floats(rank: usize, length: usize) -> Vec<f32> {
    (0..length)
        .map(|index| ((index * 37 + rank * 1009) % 8191) as f32 * 1.7f32.powi((index % 40) as i32 - 20))
        .collect()
}

/// Of each rank and segment.
fn presence(size: usize) -> Vec<[bool; 3]> {
    (0..size).map(|rank| [true, rank != 1, rank == 1]).collect()
}

const LENGTHS: [usize; 3] = [300_000, 12_345, 17];

/// The sums of `floats`, by threads of one process: `src/reduce.rs` holds them against a reference.
fn expected(size: usize, segments: &Segments) -> Vec<f32> {
    let sums: Vec<Vec<f32>> = std::thread::scope(|scope| {
        let ranks: Vec<_> = thread_wires(size, Duration::from_secs(60))
            .into_iter()
            .map(|mut wire| {
                scope.spawn(move || {
                    let mut values = floats(wire.rank(), LENGTHS.iter().sum());
                    tree_sum(&mut wire, &mut values, segments).expect("sum");
                    values
                })
            })
            .collect();
        ranks.into_iter().map(|rank| rank.join().expect("no panic")).collect()
    });
    sums.into_iter().next().expect("a rank")
}

fn everything(world: &mut World) -> Result<(), WorldError> {
    let (me, size) = (world.rank(), world.size());
    // Exchanges of equal and unequal lengths, with everyone.
    for partner in (0..size).map(|partner| partner ^ me).filter(|partner| *partner != me && *partner < size) {
        for length in [0, 1, 3, 1_048_576, 1_048_577, 12_000_001] {
            let of = |rank: usize| bytes(rank, if rank < partner.max(me) { length } else { length / 3 });
            let mut received = vec![0; of(partner).len()];
            world.exchange(partner, &of(me), &mut received)?;
            assert!(received == of(partner), "{length} bytes of {partner}");
        }
    }
    // Some have nothing to say, some much.
    let of = |rank: usize| bytes(rank, [5, 0, 9_000_000, 70_000][rank % 4]);
    let all = world.gather(&of(me))?;
    assert!(all.iter().enumerate().all(|(rank, bytes)| *bytes == of(rank)) && all.len() == size);
    assert_eq!(world.gather(&[])?, vec![Vec::<u8>::new(); size]);
    for root in 0..size {
        for length in [0, 7, 20_000_000] {
            let mut received = if me == root { bytes(root, length) } else { vec![1; 3] };
            world.broadcast(root, &mut received)?;
            assert!(received == bytes(root, length), "{length} bytes of {root}");
        }
    }
    world.barrier()?;
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let segments = Segments::new(&LENGTHS, &presence(size));
    let expected = bits(&expected(size, &segments));
    let mut values = floats(me, LENGTHS.iter().sum());
    tree_sum(world, &mut values, &segments)?;
    assert!(bits(&values) == expected, "the sum");
    let mut values = floats(me, LENGTHS.iter().sum());
    let owned = scatter_sum(world, &mut values, &segments)?;
    assert!(bits(&values[owned.clone()]) == expected[owned], "the sum of one part");
    gather_ranges(world, &mut values)?;
    assert!(bits(&values) == expected, "the sum in two halves");
    // A rank that takes its time is no error. It may be any thread that goes on.
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            if me == 0 {
                std::thread::sleep(Duration::from_millis(300));
            }
            world.barrier()
        });
        other.join().expect("no panic")
    })
}

/// Sums, in the middle of which the last rank gets a signal.
fn signalled(world: &mut World, signal: &'static str) -> Result<(), WorldError> {
    let mut values = vec![1.0; 1_000_000];
    let segments = Segments::whole(values.len(), world.size());
    if world.rank() == 0 {
        println!("started: {:?}", world.peers().iter().map(|peer| peer.process).collect::<Vec<_>>());
    }
    for round in 0..40 {
        if round == 20 && world.rank() == world.size() - 1 {
            let itself = std::process::id().to_string();
            // From another thread, so that it comes in the middle.
            std::thread::spawn(move || Command::new("kill").args([signal, &itself]).status());
        }
        tree_sum(world, &mut values, &segments)?;
    }
    // The signal may come late.
    loop {
        tree_sum(world, &mut values, &segments)?;
    }
}

fn signalled_in_barrier(world: &mut World) -> Result<(), WorldError> {
    world.barrier()?;
    if world.rank() == 1 {
        let itself = std::process::id().to_string();
        Command::new("kill").args(["-STOP", &itself]).status().expect("kill runs");
        // It may take a moment.
        std::thread::sleep(Duration::from_secs(1));
    }
    world.gather(b"never complete")?;
    Ok(())
}

fn wrong_length(world: &mut World) -> Result<(), WorldError> {
    let partner = world.rank() ^ 1;
    let mut received = vec![0; 10];
    world.exchange(partner, &vec![1; 10 - world.rank()], &mut received)?;
    world.barrier()
}

// The tests.

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct Launch {
    program: PathBuf,
    arguments: Vec<&'static str>,
    directory: Option<PathBuf>,
    /// In the library's version.
    name: &'static str,
}

fn required(word: &str) -> bool {
    std::env::var("SPECTRAMIND_REQUIRE").unwrap_or_default().split(',').any(|required| required == word)
}

fn mpich() -> Option<Launch> {
    let Some(environment) = std::env::var_os("SPECTRAMIND_MPICH").map(PathBuf::from) else {
        assert!(
            !required("mpich"),
            "SPECTRAMIND_REQUIRE lists mpich, but SPECTRAMIND_MPICH names no environment with it"
        );
        println!("skipped: SPECTRAMIND_MPICH names no environment with MPICH");
        return None;
    };
    let program = environment.join("bin/mpiexec");
    assert!(program.exists(), "SPECTRAMIND_MPICH: there is no {}", program.display());
    Some(Launch { program, arguments: Vec::new(), directory: Some(environment.join("lib")), name: "MPICH Version: 5" })
}

fn open_mpi() -> Option<Launch> {
    let said = Command::new("mpirun").arg("--version").output();
    if !said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("Open MPI")) {
        assert!(!required("openmpi"), "SPECTRAMIND_REQUIRE lists openmpi, but there is no mpirun of Open MPI");
        println!("skipped: there is no mpirun of Open MPI");
        return None;
    }
    let arguments = vec!["--allow-run-as-root", "--oversubscribe"];
    Some(Launch { program: "mpirun".into(), arguments, directory: None, name: "Open MPI v" })
}

/// What became of a job.
struct Job {
    status: ExitStatus,
    output: String,
    errors: String,
    wall_seconds: f64,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} after {:.1} s\n{}\n{}", self.status, self.wall_seconds, self.output, self.errors)
    }
}

impl Job {
    /// Runs this program as the ranks of a job, and sees to it that nothing of it remains.
    fn run(launch: &Launch, ranks: usize, work: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .args(["-n", &ranks.to_string()])
            .arg(std::env::current_exe().expect("this program"));
        if let Some(directory) = &launch.directory {
            command.env(DIRECTORY, directory);
        }
        Self::of(command, work, variables)
    }

    fn of(mut command: Command, work: &str, variables: &[(&str, &str)]) -> Self {
        let _one = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let segments_before = shared_memory();
        let began = Instant::now();
        let token = format!("{}-{:?}", std::process::id(), began);
        // Files: a process that is left over would keep a pipe open.
        let (mut output, mut errors) = (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
        command
            .args(["--exact", "a_rank_of_another_test", "--nocapture", "--test-threads=1"])
            .envs([(WORK, work), (TOKEN, &token)])
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a handle"))
            .stderr(errors.try_clone().expect("a handle"));
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let status = loop {
            if let Some(status) = child.try_wait().expect("a status") {
                break status;
            }
            if began.elapsed() > Duration::from_secs(90) {
                child.kill().expect("kill");
                let left = processes(&token);
                for process in &left {
                    let number = process.split(' ').next().expect("a number");
                    Command::new("kill").args(["-KILL", number]).status().expect("kill runs");
                }
                panic!("{work}: no end after 90 s\n{}\n{}\n{left:?}", text(&mut output), text(&mut errors));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let wall_seconds = began.elapsed().as_secs_f64();
        let job = Self { status, output: text(&mut output), errors: text(&mut errors), wall_seconds };
        // A launcher may return a little before those it has killed are gone.
        let mut left = String::new();
        for _ in 0..500 {
            left.clear();
            for process in processes(&token) {
                writeln!(left, "process {process}").expect("text");
            }
            for segment in shared_memory().difference(&segments_before) {
                writeln!(left, "/dev/shm/{segment}").expect("text");
            }
            if left.is_empty() {
                return job;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{work}: left over:\n{left}{job:?}");
    }

    /// The lines that each rank wrote at its end.
    fn done(&self) -> Vec<&str> {
        // Ranks that write at the same time may share a line.
        let mut done: Vec<&str> =
            self.output.lines().flat_map(|line| line.match_indices("done: ").map(|(at, _)| &line[at..])).collect();
        done.sort_unstable();
        done
    }
}

fn text(file: &mut File) -> String {
    file.rewind().expect("rewind");
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("read");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn shared_memory() -> BTreeSet<String> {
    let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The processes that a test started, and that have not ended.
fn processes(token: &str) -> Vec<String> {
    let mark = format!("{TOKEN}={token}");
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|process| {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        })
        .map(|process| {
            let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            format!("{} {}", process.file_name().display(), String::from_utf8_lossy(&command).replace('\0', " "))
        })
        .collect()
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a host name").trim().to_owned()
}

fn everything_works(launch: &Launch) {
    for ranks in [1, 2, 4] {
        let job = Job::run(launch, ranks, "everything", &[]);
        assert!(job.status.success(), "{job:?}");
        let done = job.done();
        assert_eq!(done.len(), ranks, "{job:?}");
        for (rank, line) in done.iter().enumerate() {
            let place = format!("done: rank {rank} of {ranks} on {}, {rank} of {ranks} there, /", host());
            assert!(line.starts_with(&place) && line.contains(launch.name), "{line}");
        }
    }
}

fn a_killed_rank_ends_all(launch: &Launch) {
    for variables in [&[][..], &[(END, "exit")]] {
        let job = Job::run(launch, 4, "killed", variables);
        assert!(!job.status.success() && job.wall_seconds < 20.0, "{job:?}");
        let said = format!("{}{}", job.output, job.errors);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        // The launcher is mostly quicker than any of the others. Open MPI's names the rank; MPICH's kills all, and names one of
        // the processes that it found killed. A rank of MPICH's that reads the memory of the killed one is quicker still, and
        // names it.
        let open_mpi = said.contains("noticed that process rank 3 with PID ")
            && said.contains(&format!(" on node {} exited on signal 9", host()));
        let (_, started) = job.output.split_once("started: [").expect("rank 0 lists the processes");
        let mut processes = started.split_once(']').expect("a list").0.split(", ");
        let is_named = |process: &str| said.contains(&format!("PID {process} RUNNING AT {}", host()));
        let mpich = said.contains("Killed (signal 9)") && processes.any(is_named);
        let mut errors = job.errors.lines().filter(|line| line.starts_with("error: ")).peekable();
        let named = format!(" failed with rank 3 on {}: ", host());
        let by_a_rank = errors.peek().is_some() && errors.all(|line| line.contains(&named));
        assert!(mpich || open_mpi || by_a_rank, "{job:?}");
    }
}

fn a_stopped_rank_is_named(launch: &Launch) {
    for variables in [&[][..], &[(END, "exit")]] {
        let job = Job::run(launch, 4, "stopped", variables);
        assert!(!job.status.success() && job.wall_seconds < 15.0, "{job:?}");
        let named = format!("; no answer from rank 3 on {} (process ", host());
        let lines: Vec<&str> = job.errors.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(&named)), "{job:?}");
        assert!(lines.iter().all(|line| line.ends_with(')') && line.matches(" (process ").count() == 1), "{job:?}");
        assert!(lines.iter().all(|line| line.contains(": waited 2.0 s exchanging ")), "{job:?}");
    }
}

fn a_rank_stopped_before_a_gather_is_named(launch: &Launch) {
    let job = Job::run(launch, 2, "stopped-in-barrier", &[]);
    let expected =
        format!("error: rank 0 on {0}: waited 2.0 s gathering 14 bytes; no answer from rank 1 on {0}", host());
    assert!(!job.status.success() && job.wall_seconds < 15.0 && job.errors.contains(&expected), "{job:?}");
}

fn another_length_is_an_error(launch: &Launch) {
    let job = Job::run(launch, 2, "wrong-length", &[]);
    let expected = format!("error: rank 0 on {0}: expected 10 bytes from rank 1 on {0}, got 9", host());
    assert!(!job.status.success() && job.errors.contains(&expected), "{job:?}");
}

fn without_a_launcher_there_is_one_rank(launch: &Launch) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    if let Some(directory) = &launch.directory {
        command.env(DIRECTORY, directory);
    } else {
        command.env(LIBRARY, "libmpi.so.40");
    }
    let job = Job::of(command, "everything", &[]);
    let place = format!("done: rank 0 of 1 on {}, 0 of 1 there, /", host());
    assert!(job.status.success() && job.output.contains(&place) && job.output.contains(launch.name), "{job:?}");
}

macro_rules! tests_with {
    ($mpi:ident: $($test:ident)*) => {
        mod $mpi {
            $(#[test]
            fn $test() {
                if let Some(launch) = super::$mpi() {
                    super::$test(&launch);
                }
            })*
        }
    };
}

tests_with!(mpich: everything_works a_killed_rank_ends_all a_stopped_rank_is_named
    a_rank_stopped_before_a_gather_is_named another_length_is_an_error without_a_launcher_there_is_one_rank);
tests_with!(open_mpi: everything_works a_killed_rank_ends_all a_stopped_rank_is_named
    a_rank_stopped_before_a_gather_is_named another_length_is_an_error without_a_launcher_there_is_one_rank);

#[test]
fn a_library_of_another_launcher_is_refused_and_both_are_named() {
    let (Some(mpich), Some(open_mpi)) = (mpich(), open_mpi()) else { return };
    let standard = mpich.directory.clone().expect("a directory").join("libmpi_abi.so.1");
    let standard = standard.to_str().expect("UTF-8");
    let no_pmix = "is built without PMIx, which that launcher speaks";
    let cases = [
        (&open_mpi, standard, "Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE", mpich.name, no_pmix),
        (&mpich, "libmpi.so.40", "MPICH's mpiexec", "HYDI_CONTROL_FD", open_mpi.name, "sees a single process"),
    ];
    for (launch, library, launcher, variable, version, sees) in cases {
        let job = Job::run(launch, 2, "everything", &[(LIBRARY, library)]);
        let expected = format!(
            "the MPI library and the launcher do not belong together: started by {launcher}, which started 2 processes \
             ({variable} is set), but /"
        );
        assert!(!job.status.success() && job.wall_seconds < 20.0 && job.errors.contains(&expected), "{job:?}");
        assert!(job.errors.contains(version) && job.errors.contains(sees), "{job:?}");
    }
}

#[test]
fn a_library_of_an_unknown_abi_is_refused() {
    let Some(mpich) = mpich() else { return };
    let file = mpich.directory.expect("a directory").join("libmpi.so.12");
    let error = Library::load(&Search { library: Some(&file), ..Search::default() }).expect_err("MPICH's own");
    let expected = "libmpi.so.12 (it has not MPI's standard ABI: the same library's libmpi_abi would)";
    assert!(error.to_string().ends_with(expected), "{error}");
}
