//! The limits that are enforced: what a run that is denied the network can still do, and what it says of it.

use std::io::Read;
use std::net::TcpListener;

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox, python_with};

/// Tries what a program does that talks to somebody, and prints a line for each.
const TALKER: &str = r#"
import multiprocessing, os, socket, subprocess, sys

def tried(name, what):
    try:
        what()
        print(name, "made")
    except OSError as error:
        print(name, type(error).__name__)

port = int(sys.argv[1])
tried("connection", lambda: socket.create_connection(("127.0.0.1", port), 5).close())
tried("datagram", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)))
tried("look-up", lambda: socket.getaddrinfo("example.org", 80))
tried("machine", lambda: socket.socketpair())
if len(sys.argv) == 2:
    # A child, and a child of it that is no Python.
    sys.stdout.flush()
    subprocess.run([sys.executable, __file__, str(port), "child"], check=True)
    bash = subprocess.run(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"], stderr=subprocess.DEVNULL)
    print("bash", "made" if bash.returncode == 0 else "refused")
"#;

/// A listener that takes every connection and closes it, and its port.
fn listener() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.expect("a connection").read(&mut [0]);
        }
    });
    port
}

/// A sandbox with a program that talks.
fn talking() -> Sandbox {
    let sandbox = Sandbox::new();
    for (path, text) in [("configs/exec.yaml", "seed: 1\n"), ("talk.py", TALKER)] {
        std::fs::write(sandbox.path(path), text).expect("write");
    }
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message=project"]);
    sandbox
}

fn shown(sandbox: &Sandbox) -> Value {
    serde_json::from_str(&sandbox.done(&["runs", "show", "run"]).stdout).expect("JSON")
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_that_is_denied_the_network_makes_no_connection_and_neither_does_its_child() {
    let Some(python) = python_with("socket") else { return };
    let python = python.to_str().expect("UTF-8");
    let (sandbox, port) = (talking(), listener().to_string());
    let run = |network: &str| {
        let _ = std::fs::remove_dir_all(sandbox.path("run"));
        let network = format!("+command.network={network}");
        let words = ["exec", "hydra.run.dir=run", &network, "--", python, "talk.py", &port];
        sandbox.done(&words);
        std::fs::read_to_string(sandbox.path("run/logs/stdout.txt")).expect("what it printed")
    };
    let denied = run("deny");
    let own = "connection PermissionError\ndatagram PermissionError\nlook-up gaierror\nmachine made\n";
    assert_eq!(denied, format!("{own}{own}bash refused\n"));
    let figure = shown(&sandbox)["envelope"]["figures"]["network"].clone();
    assert_eq!((&figure["mode"], &figure["enforcement"]), (&"none".into(), &"syscallFilter".into()));
    assert_eq!(shown(&sandbox)["envelope"]["bounds"]["network"], "denied");
    let audit = sandbox.audit(&[]);
    assert!(
        audit.stdout.contains("network: expected within denied, got none (system-call filter, self-asserted)"),
        "{}",
        audit.stdout
    );

    for network in ["observe", "unrestricted"] {
        let open = run(network);
        assert!(
            open.starts_with("connection made\ndatagram made\n") && open.ends_with("bash made\n"),
            "{network}: {open}"
        );
        assert_eq!(shown(&sandbox)["envelope"]["figures"]["network"]["enforcement"], "selfAsserted");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_that_was_denied_the_network_is_denied_it_in_a_replay() {
    let Some(python) = python_with("socket") else { return };
    let python = python.to_str().expect("UTF-8");
    let (sandbox, port) = (talking(), listener().to_string());
    let script = format!("{python} talk.py {port} alone > {{run}}/tried.txt");
    sandbox.done(&["exec", "hydra.run.dir=run", "+command.network=deny", "--", "sh", "-c", &script]);
    let again = sandbox.audit(&["--replay", "--run-command"]);
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    assert!(again.stdout.contains("the network was denied to it here, too"), "{}", again.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn a_training_that_is_denied_the_network_says_by_what_and_has_the_same_bits() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "envelope.network=deny"]);
    crate::training::assert_same_results(&crate::sandbox::trained().path("run"), &sandbox.path("run"));
    let envelope = &shown(&sandbox)["envelope"];
    assert_eq!(envelope["bounds"]["network"], "denied");
    assert_eq!(envelope["figures"]["network"], serde_json::json!({ "mode": "none", "enforcement": "syscallFilter" }));
    let audit = sandbox.audit(&["--replay"]);
    assert_eq!(audit.code, 0, "{}", audit.stdout);
    for said in
        ["expected within denied, got none (system-call filter", "denied to this replay, too (system-call filter)"]
    {
        assert!(audit.stdout.contains(said), "{said}: {}", audit.stdout);
    }
}

/// What `envelope.network=deny` cannot be had with is an error before anything is made.
#[cfg(target_os = "linux")]
#[test]
fn a_network_that_cannot_be_denied_is_an_error_and_nothing_is_made() {
    let sandbox = Sandbox::new();
    let arguments = ["train", "trainer=ci_fast", "run.dir=run", "envelope.network=deny"];
    let refused = |outcome: Outcome, code: i32, said: &str| {
        assert_eq!(outcome.code, code, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(said) && outcome.stderr.contains("Hint: "), "{said}: {}", outcome.stderr);
        assert!(!sandbox.path("run").exists() && !sandbox.path("data").exists());
    };
    // A socket of the network that was open before.
    let open = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let stdin = std::process::Stdio::from(std::os::fd::OwnedFd::from(open));
    let mut command = sandbox.spectramind(&arguments);
    refused(
        Outcome::of(command.stdin(stdin)),
        1,
        "expected no open network socket when it is denied, got a socket of IPv4",
    );
    // A sandbox around it that lets no filter be added.
    let mut command = sandbox.spectramind(&arguments);
    refused(
        Outcome::of(without_filters(&mut command)),
        1,
        "expected a kernel that lets this process filter its system calls",
    );
    let two_nodes = sandbox.run(&["train", "trainer=ddp", "run.dir=run", "envelope.network=deny"]);
    assert_eq!(two_nodes.code, 2, "{}", two_nodes.stderr);
    assert!(two_nodes.stderr.contains("envelope.network: expected observe or unrestricted"), "{}", two_nodes.stderr);
}

/// Starts a command under a filter that refuses further ones.
#[cfg(target_os = "linux")]
pub fn without_filters(command: &mut std::process::Command) -> &mut std::process::Command {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
    use std::os::unix::process::CommandExt;
    const SECCOMP: i64 = if cfg!(target_arch = "aarch64") { 277 } else { 317 };
    let rules = [(SECCOMP, Vec::new())].into_iter().collect();
    let architecture = std::env::consts::ARCH.try_into().expect("a known processor");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(1), architecture);
    let program: BpfProgram = filter.and_then(TryInto::try_into).expect("a filter");
    // SAFETY: applying a filter allocates nothing and takes no lock.
    unsafe { command.pre_exec(move || apply_filter(&program).map_err(|_| std::io::ErrorKind::Other.into())) }
}

/// A training that would take hours.
const ENDLESS: [&str; 7] = [
    "train",
    "trainer=ci_fast",
    "run.dir=run",
    "trainer.max_epochs=1000000",
    "trainer.early_stopping=null",
    "trainer.max_time=null",
    "trainer.checkpoint.every_n_steps=50",
];

#[test]
fn a_run_that_would_take_longer_ends_in_time_signed_with_predictions_and_goes_on() {
    let sandbox = Sandbox::with_data();
    let began = std::time::Instant::now();
    let limited = sandbox.done(&[&ENDLESS[..], &["envelope.wall_seconds=6"]].concat());
    let took = began.elapsed().as_secs_f64();
    assert!(
        crate::sandbox::field(&limited.stdout, "exit ").starts_with("stopped in time for envelope.wall_seconds, "),
        "{}",
        limited.stdout
    );
    let shown = shown(&sandbox);
    assert_eq!(shown["exit"]["reason"], "wallLimit");
    let said = shown["envelope"]["figures"]["wallSeconds"]["value"].as_f64().expect("a number");
    // Not long before, either: half of the limit went into steps.
    assert!(said <= 6.0 && said > 3.0 && said < took, "{said} of {took}");
    assert!(sandbox.path("run/predictions.csv").exists());
    let audit = sandbox.audit(&["--replay"]);
    assert_eq!(audit.code, 0, "{}", audit.stdout);
    assert!(
        audit.stdout.contains("exit         wallLimit") && audit.stdout.contains("in time for the limit of 6 s"),
        "{}",
        audit.stdout
    );

    // Whoever goes on gives it as much time again, and the record then says that both together were too much.
    let before = crate::training::steps_written(&sandbox.path("run"));
    sandbox.done(&["train", "--resume", "run"]);
    assert!(crate::training::steps_written(&sandbox.path("run")) > before + 1);
    let audit = sandbox.audit(&[]);
    assert!(audit.code == 1 && audit.stdout.contains("wall time: expected within 6 s, got "), "{}", audit.stdout);
}

#[test]
fn a_plan_that_cannot_keep_its_limits_is_refused_before_anything_is_made() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run(&["train", "trainer=ci_fast", "run.dir=run", "envelope.wall_seconds=1199"]);
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    let said =
        "trainer.max_time: expected at most envelope.wall_seconds, or null, got 1200 s with envelope.wall_seconds=1199";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    assert!(!sandbox.path("run").exists() && !sandbox.path("data").exists());

    let judged = |arguments: &[&str], code: i32, said: &[&str]| {
        let outcome = sandbox.verify(&[&["envelope", "--static", "configs"], arguments].concat());
        assert_eq!(outcome.code, code, "{arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
        for said in said {
            assert!(outcome.stdout.contains(said), "{said}\n{}", outcome.stdout);
        }
    };
    judged(&["trainer=kaggle_safe"], 0, &["trainer.max_time: within 32400 s, 30600 s", "envelope.network: observe"]);
    judged(&["envelope.wall_seconds=60"], 1, &["trainer.max_time: expected within 60 s, got 32400 s"]);
    judged(
        &["--kaggle", "envelope=none"],
        1,
        &[
            "envelope.wall_seconds: expected within 32400 s, got none",
            "envelope.network: expected within none, got unrestricted",
        ],
    );
    judged(&["--kaggle", "envelope.network=deny"], 0, &["envelope.network: deny"]);
    judged(&["envelope=none"], 3, &["the config sets no limits"]);
    let wrong = sandbox.verify(&["envelope", "--static", "configs", "trainer=nothing"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    std::fs::write(sandbox.path("configs/exec.yaml"), "command: {wall_seconds: 60, network: deny}\n").expect("write");
    judged(&["--config-name", "exec"], 0, &["command.wall_seconds: within 60 s, 60 s", "command.network: deny"]);
}

#[test]
fn a_run_that_holds_more_memory_than_it_may_ends_with_an_error_and_keeps_its_state() {
    let sandbox = Sandbox::with_data();
    let run = |limit: &str| {
        let limit = format!("envelope.host_memory_bytes={limit}");
        sandbox.run(&["train", "trainer=ci_fast", "run.dir=run", &limit])
    };
    let ended = run("1000000");
    assert_eq!(ended.code, 1, "{}{}", ended.stdout, ended.stderr);
    let said = "envelope.host_memory_bytes: expected at most 1000000 bytes of main memory, got ";
    assert!(ended.stderr.contains(said) && ended.stderr.contains("Hint: its state is kept"), "{}", ended.stderr);
    assert!(!sandbox.path("run/manifest.intoto.jsonl").exists());
    let kept = spectramind::engine::snapshot::Snapshot::read(&sandbox.path("run/checkpoints/final.safetensors"));
    assert_eq!(kept.expect("a checkpoint").progress.position.step, 1);

    std::fs::remove_dir_all(sandbox.path("run")).expect("remove");
    assert_eq!(run("100000000000").code, 0);
    assert_eq!(shown(&sandbox)["envelope"]["bounds"]["hostMemoryBytes"], "100000000000");
    let audit = sandbox.audit(&[]);
    assert!(
        audit.code == 0 && audit.stdout.contains("host memory: expected within 100000000000 bytes, got "),
        "{}",
        audit.stdout
    );
    crate::training::assert_same_results(&crate::sandbox::trained().path("run"), &sandbox.path("run"));
}
