//! Each hostile behaviour is a test. Times are generous: the machine may be slow and busy.

use std::sync::atomic::{AtomicBool, Ordering};

use super::sandbox::Network;
use super::*;
use crate::interruption::Interruption;

struct Run {
    folder: tempfile::TempDir,
    limits: Limits<'static>,
    sandboxed: bool,
    wall: Option<Duration>,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["run", "tmp", "outside"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let limits = Limits { grace: Duration::from_millis(300), ..Limits::of_output(1 << 20) };
        Self { folder, limits, sandboxed: true, wall: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    fn words(&self, words: &[&str]) -> Result<Finished, ProcessError> {
        self.words_until(words, &|| false)
    }

    fn words_until(&self, words: &[&str], stop: &dyn Fn() -> bool) -> Result<Finished, ProcessError> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (run, tmp) = (self.path("run"), self.path("tmp"));
        let confinement = match self.sandboxed {
            true => Confinement::to(&[&run, &tmp], Network::Open).expect("rules"),
            false => Confinement::none("not wanted"),
        };
        let path = std::env::var_os("PATH").expect("a path");
        let environment = vec![
            ("PATH".as_ref(), path.as_os_str()),
            ("RUN".as_ref(), run.as_os_str()),
            ("TMPDIR".as_ref(), tmp.as_os_str()),
        ];
        let (stdout, stderr) = (run.join("stdout.txt"), run.join("stderr.txt"));
        let invocation = Invocation {
            words: &words,
            folder: self.folder.path(),
            environment,
            stdout: &stdout,
            stderr: &stderr,
            limits: Limits { wall: self.wall, ..self.limits.clone() },
            confinement: &confinement,
            surroundings: &Surroundings::default(),
        };
        super::run(&invocation, &mut |_, _| {}, &|| stop().then_some(Interruption::Terminate))
    }

    fn shell(&self, script: &str) -> Finished {
        self.words(&["sh", "-c", script]).expect("runs")
    }

    fn python(&self, script: &str) -> Finished {
        self.words(&["python3", "-c", script]).expect("runs")
    }

    /// The process whose number the command wrote to a file is there no more.
    fn assert_gone(&self, name: &str) {
        let pid: i32 = self.text(name).trim().parse().expect("a process");
        let pid = rustix::process::Pid::from_raw(pid).expect("a process");
        assert_eq!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH), "{pid:?} is still there");
    }
}

#[test]
fn a_command_runs_with_its_words_folder_environment_and_outputs() {
    let run = Run::new();
    let finished = run.words(&["sh", "-c", "pwd; echo \"$1\"; env | cut -d= -f1 | sort; echo err >&2", "x", "a  b"]);
    let finished = finished.expect("runs");
    assert_eq!(finished.end, End::Exited(0));
    assert_eq!(finished.status, Some(Status::Exited(0)));
    let stdout = run.text("run/stdout.txt");
    assert!(stdout.contains("\na  b\n"), "{stdout}");
    let shell_own = ["_", "OLDPWD", "PWD", "SHLVL"];
    let names: Vec<_> = stdout.lines().skip(2).filter(|name| !shell_own.contains(name)).collect();
    assert_eq!(names, ["PATH", "RUN", "TMPDIR"]);
    assert_eq!(run.text("run/stderr.txt"), "err\n");
    assert_eq!((finished.stdout_bytes, finished.stderr_bytes), (stdout.len() as u64, 4));
    assert!(finished.peak_bytes > 1 << 16 && finished.wall_seconds > 0.0, "{finished:?}");
}

#[test]
fn its_output_is_passed_on_as_it_comes() {
    let run = Run::new();
    let mut seen = Vec::new();
    let (run_directory, confinement) = (run.path("run"), Confinement::none("not wanted"));
    let (stdout, stderr) = (run_directory.join("out"), run_directory.join("err"));
    let path = std::env::var_os("PATH").expect("a path");
    let invocation = Invocation {
        words: &["sh".into(), "-c".into(), "echo one; echo two >&2".into()],
        folder: &run_directory,
        environment: vec![("PATH".as_ref(), &path)],
        stdout: &stdout,
        stderr: &stderr,
        limits: Limits::of_output(100),
        confinement: &confinement,
        surroundings: &Surroundings::default(),
    };
    super::run(&invocation, &mut |stream, bytes| seen.push((stream, bytes.to_vec())), &|| None).expect("runs");
    assert!(seen.contains(&(Stream::Stdout, b"one\n".to_vec())), "{seen:?}");
    assert!(seen.contains(&(Stream::Stderr, b"two\n".to_vec())), "{seen:?}");
    // What is there is not overwritten.
    let again = super::run(&invocation, &mut |_, _| {}, &|| None).expect_err("refused").to_string();
    assert_eq!(again, format!("cannot write {}", stdout.display()));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = Run::new().words(&["no-such-program"]).expect_err("refused");
    assert_eq!(error.to_string(), "cannot run \"no-such-program\"");
    assert!(matches!(Run::new().words(&[]), Err(ProcessError::Empty)));
}

#[test]
fn its_exit_code_is_told() {
    assert_eq!(Run::new().shell("exit 7").end, End::Exited(7));
}

#[test]
fn its_end_by_a_signal_is_told() {
    assert_eq!(Run::new().shell("kill -9 $$").end, End::Signalled(9));
    assert_eq!(Run::new().python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").end, End::Signalled(11));
}

#[test]
fn its_stdin_is_empty() {
    let run = Run::new();
    assert_eq!(run.shell("cat; read line || echo nothing").end, End::Exited(0));
    assert_eq!(run.text("run/stdout.txt"), "nothing\n");
}

#[test]
fn it_may_close_its_outputs_and_go_on() {
    let run = Run::new();
    assert_eq!(run.shell("exec >&- 2>&-; sleep 0.3; echo done > \"$RUN/file\"").end, End::Exited(0));
    assert_eq!(run.text("run/file"), "done\n");
}

#[test]
fn it_cannot_write_outside_its_folders() {
    let run = Run::new();
    std::fs::write(run.path("outside/kept"), "kept").expect("a file");
    let finished = run.shell(
        "echo x > outside/new; echo x > outside/kept; rm outside/kept; mv outside/kept \"$RUN\"; ln outside/kept \"$RUN/link\"; \
         ln -s \"$PWD/outside\" \"$RUN/way\"; echo x > \"$RUN/way/new\"; rm \"$RUN/way\"; \
         echo x > \"$RUN/own\" && echo x > \"$TMPDIR/own\" && echo x > /dev/null && mkdir -p \"$RUN/a/b\" && mv \"$RUN/own\" \"$RUN/a/b\"",
    );
    if let super::sandbox::Sandbox::None { .. } = Confinement::to(&[], Network::Open).expect("rules").in_force() {
        return;
    }
    assert_eq!(finished.end, End::Exited(0), "{}", run.text("run/stderr.txt"));
    assert_eq!(std::fs::read_dir(run.path("outside")).expect("a folder").count(), 1);
    assert_eq!(run.text("outside/kept"), "kept");
    assert!(!run.path("run/kept").exists() && !run.path("run/link").exists());
    assert!(run.path("run/a/b/own").exists() && run.path("tmp/own").exists());
}

#[test]
fn programs_find_shared_memory_and_a_temporary_folder_under_the_rules() {
    let run = Run::new();
    let finished = run.python(
        "import multiprocessing as m, tempfile\n\
         context = m.get_context('fork')\n\
         queue = context.Queue()\n\
         process = context.Process(target=queue.put, args=(1,))\n\
         process.start(); assert queue.get() == 1; process.join()\n\
         tempfile.TemporaryFile().write(b'x')\n",
    );
    assert_eq!(finished.end, End::Exited(0), "{}", run.text("run/stderr.txt"));
}

#[test]
fn a_child_that_outlives_it_is_ended_and_counted() {
    let run = Run::new();
    let finished = run.shell("sleep 600 & echo $! > \"$RUN/pid\"");
    assert_eq!(finished.end, End::LeftProcesses(1));
    assert_eq!(finished.status, Some(Status::Exited(0)));
    assert_eq!((finished.left.clone(), finished.survivors), (vec!["sleep".to_owned()], 0));
    run.assert_gone("run/pid");
}

#[test]
fn a_child_that_ends_soon_after_it_is_waited_for() {
    let run = Run::new();
    assert_eq!(run.shell("(sleep 0.3; echo late) & exit 3").end, End::Exited(3));
    assert_eq!(run.text("run/stdout.txt"), "late\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_daemon_with_a_session_of_its_own_is_found_and_ended() {
    let run = Run::new();
    let finished = run.python(
        "import os, signal, time\n\
         ready, told = os.pipe()\n\
         if os.fork() == 0:\n\
         \x20   os.setsid()\n\
         \x20   if os.fork() == 0:\n\
         \x20       os.setsid()\n\
         \x20       for s in range(1, 65):\n\
         \x20           try: signal.signal(s, signal.SIG_IGN)\n\
         \x20           except (OSError, ValueError): pass\n\
         \x20       open(os.environ['RUN'] + '/pid', 'w').write(str(os.getpid()))\n\
         \x20       os.write(told, b'x')\n\
         \x20       os.closerange(0, 100)\n\
         \x20       time.sleep(600)\n\
         \x20   os._exit(0)\n\
         os.wait()\n\
         os.read(ready, 1)\n",
    );
    assert_eq!(finished.end, End::LeftProcesses(1));
    run.assert_gone("run/pid");
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_whose_first_thread_has_ended_is_ended() {
    let run = Run::new();
    let finished = run.python(
        "import os, threading, time, ctypes\n\
         if os.fork() == 0:\n\
         \x20   open(os.environ['RUN'] + '/pid', 'w').write(str(os.getpid()))\n\
         \x20   threading.Thread(target=time.sleep, args=(600,)).start()\n\
         \x20   ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)\n\
         while not os.path.exists(os.environ['RUN'] + '/pid'): time.sleep(0.01)\n",
    );
    assert_eq!(finished.end, End::LeftProcesses(1));
    run.assert_gone("run/pid");
}

#[cfg(target_os = "linux")]
#[test]
fn one_that_forks_again_and_again_is_caught() {
    let run = Run::new();
    // A chain: each process starts the next one and ends.
    let finished = run.python(
        "import os, time\n\
         if os.fork() == 0:\n\
         \x20   end = time.monotonic() + 60\n\
         \x20   while time.monotonic() < end:\n\
         \x20       if os.fork(): os._exit(0)\n\
         \x20       os.setsid()\n",
    );
    assert!(matches!(finished.end, End::LeftProcesses(_)), "{finished:?}");
    assert_eq!(finished.survivors, 0);
}

#[test]
fn its_wall_limit_is_enforced_though_it_ignores_being_told() {
    let mut run = Run::new();
    run.wall = Some(Duration::from_secs(1));
    let started = Instant::now();
    let finished = run.shell("trap '' TERM; echo $$ > \"$RUN/pid\"; while :; do sleep 0.1; done");
    assert_eq!(finished.end, End::WallLimit);
    assert_eq!(finished.status, Some(Status::Signalled(9)));
    assert!(finished.wall_seconds >= 1.0 && started.elapsed() < Duration::from_secs(60), "{finished:?}");
    run.assert_gone("run/pid");
}

#[test]
fn a_command_told_by_its_wall_limit_may_end_by_itself() {
    let mut run = Run::new();
    run.wall = Some(Duration::from_secs(1));
    run.limits.grace = Duration::from_secs(60);
    let finished = run.shell("trap 'echo saved > \"$RUN/model\"; exit 0' TERM; while :; do sleep 0.05; done");
    assert_eq!((finished.end, finished.status), (End::WallLimit, Some(Status::Exited(0))));
    assert_eq!(run.text("run/model"), "saved\n");
}

#[test]
fn the_wall_limit_holds_while_nobody_takes_the_output() {
    let run = Run::new();
    let (folder, confinement) = (run.path("run"), Confinement::none("not wanted"));
    let path = std::env::var_os("PATH").expect("a path");
    let mut limits = Limits::of_output(u64::MAX);
    limits.wall = Some(Duration::from_millis(500));
    limits.grace = Duration::from_millis(100);
    let invocation = Invocation {
        words: &["sh".into(), "-c".into(), "echo $$ > pid; yes".into()],
        folder: &folder,
        environment: vec![("PATH".as_ref(), &path)],
        stdout: &folder.join("out"),
        stderr: &folder.join("err"),
        limits,
        confinement: &confinement,
        surroundings: &Surroundings::default(),
    };
    let mut is_first = true;
    let mut output = |_: Stream, _: &[u8]| {
        if std::mem::take(&mut is_first) {
            std::thread::sleep(Duration::from_secs(3));
            run.assert_gone("run/pid");
        }
    };
    assert_eq!(super::run(&invocation, &mut output, &|| None).expect("runs").end, End::WallLimit);
}

#[test]
fn one_that_prints_a_gigabyte_is_ended_at_the_limit() {
    let run = Run::new();
    let finished = run.shell("echo $$ > \"$RUN/pid\"; yes | head -c 1000000000; echo not reached > \"$RUN/end\"");
    assert_eq!(finished.end, End::OutputLimit);
    assert_eq!(finished.stdout_bytes, 1 << 20);
    assert_eq!(std::fs::metadata(run.path("run/stdout.txt")).expect("a file").len(), 1 << 20);
    assert!(!run.path("run/end").exists());
    run.assert_gone("run/pid");
}

#[test]
fn both_outputs_count_to_the_limit() {
    let mut run = Run::new();
    run.limits.output_bytes = 10;
    let finished = run.shell("echo 1234567; echo 1234567 >&2");
    assert_eq!(finished.end, End::OutputLimit);
    assert_eq!(finished.stdout_bytes + finished.stderr_bytes, 10);
}

#[test]
fn one_that_fills_its_folder_is_ended() {
    let mut run = Run::new();
    let folder = run.path("run");
    run.limits.directory = Some((Box::leak(folder.into_boxed_path()), 1 << 20));
    let finished = run.shell("head -c 2000000 /dev/zero > \"$RUN/file\"; sleep 600");
    assert_eq!(finished.end, End::DirectoryLimit);
}

#[test]
fn one_that_is_to_be_stopped_is_stopped() {
    let run = Run::new();
    let is_stopped = AtomicBool::new(false);
    let finished = run.words_until(&["sh", "-c", "echo $$ > \"$RUN/pid\"; sleep 600 & sleep 600"], &|| {
        is_stopped.swap(run.path("run/pid").exists(), Ordering::Relaxed)
    });
    assert_eq!(finished.expect("runs").end, End::Stopped);
    run.assert_gone("run/pid");
}

#[test]
fn it_sees_no_file_that_the_caller_has_open() {
    let run = Run::new();
    // Without the mark that Rust puts on every file.
    let file = File::open(run.folder.path()).expect("opens");
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).expect("unmarked");
    assert_eq!(run.python("import os; print(sorted(os.listdir('/proc/self/fd')))").end, End::Exited(0));
    // The last is the listing's own.
    assert_eq!(run.text("run/stdout.txt"), "['0', '1', '2', '3']\n");
}

#[cfg(target_os = "linux")]
#[test]
fn it_can_neither_signal_nor_look_into_its_guardian() {
    let run = Run::new();
    match Confinement::to(&[], Network::Open).expect("rules").in_force() {
        super::sandbox::Sandbox::Landlock { abi } if *abi >= 6 => {}
        _ => return,
    }
    let finished = run.shell("kill -9 $PPID; head -c 1 /proc/$PPID/mem; echo still here");
    assert_eq!(finished.end, End::Exited(0));
    assert_eq!(run.text("run/stdout.txt"), "still here\n");
    let stderr = run.text("run/stderr.txt").to_lowercase();
    assert_eq!(stderr.matches("permi").count(), 2, "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_guardian_that_is_ended_is_told_and_takes_the_command_with_it() {
    let mut run = Run::new();
    run.sandboxed = false;
    let error = run.words(&["sh", "-c", "sleep 600 & echo $! > \"$RUN/pid\"; kill -9 $PPID; sleep 600"]);
    assert!(matches!(error, Err(ProcessError::Guardian)), "{error:?}");
    wait_until_ended(&run, "run/pid");
}

/// Not a test by itself: the caller of the test below, which is killed.
#[test]
#[ignore = "run by a_caller_that_is_killed_leaves_nothing_behind"]
fn a_caller_to_be_killed() {
    let Some(folder) = std::env::var_os("SPECTRAMIND_TEST_FOLDER").map(PathBuf::from) else { return };
    let path = std::env::var_os("PATH").expect("a path");
    let invocation = Invocation {
        words: &["sh".into(), "-c".into(), "setsid sleep 600 & echo $! > child; echo $$ > pid; sleep 600".into()],
        folder: &folder,
        environment: vec![("PATH".as_ref(), &path)],
        stdout: &folder.join("out"),
        stderr: &folder.join("err"),
        limits: Limits::of_output(100),
        confinement: &Confinement::none("not wanted"),
        surroundings: &Surroundings::default(),
    };
    let _ = super::run(&invocation, &mut |_, _| {}, &|| None);
}

#[cfg(target_os = "linux")]
#[test]
fn a_caller_that_is_killed_leaves_nothing_behind() {
    let run = Run::new();
    let mut caller = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "process::tests::a_caller_to_be_killed"])
        .env("SPECTRAMIND_TEST_FOLDER", run.path("run"))
        .stdout(Stdio::null())
        .spawn()
        .expect("runs");
    let is_there = || std::fs::read_to_string(run.path("run/pid")).is_ok_and(|text| text.ends_with('\n'));
    wait_until(is_there);
    caller.kill().expect("killed");
    caller.wait().expect("ended");
    wait_until_ended(&run, "run/pid");
    wait_until_ended(&run, "run/child");
}

/// Ended, and waited for by whoever waits for orphans here, if anybody does.
fn wait_until_ended(run: &Run, name: &str) {
    let pid = run.text(name);
    wait_until(|| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited for too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}
