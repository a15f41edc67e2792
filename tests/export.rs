//! `spectramind export mlflow`, to a real server, and through a connection that breaks.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use spectramind::manifest::claimed::ClaimedRun;

use crate::loggers::{metrics, points};
use crate::sandbox::{Outcome, Sandbox, present, repository, trained_copy};
use crate::training::bytes;

/// The folder of a virtual environment with the packages of `tests/python/mlflow.txt`.
fn environment() -> Option<PathBuf> {
    let folder = std::env::var_os("SPECTRAMIND_MLFLOW").map(PathBuf::from);
    let is_there = folder.as_ref().is_some_and(|folder| folder.join("bin/mlflow").exists());
    present("mlflow", is_there, "tests/python/mlflow.txt in a virtual environment (SPECTRAMIND_MLFLOW)");
    folder.filter(|_| is_there)
}

/// A server on loopback, with all its processes.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(environment: &Path, sandbox: &Sandbox) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let folder = sandbox.path("mlflow");
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut command = sandbox.prepare(Command::new(environment.join("bin/mlflow")));
        command.args(["server", "--backend-store-uri", &format!("sqlite:///{}/runs.db", folder.display())]);
        command.args(["--artifacts-destination", &folder.join("artifacts").display().to_string()]);
        command.args(["--host", "127.0.0.1", "--workers", "1", "--port", &port.to_string()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().expect("starts");
        let mut server = Self { child, port };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(180), "no server in time");
            assert!(server.child.try_wait().expect("wait").is_none(), "the server ended");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

/// Passes so many requests on; of the next one the server hears, and its answer is lost. After that nobody is there.
fn breaking_after(requests: usize, port: u16) -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let own = socket.local_addr().expect("an address").port();
    let seen = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for client in socket.incoming() {
            let (Ok(client), true) = (client, seen.load(Ordering::SeqCst) <= requests) else { break };
            let seen = seen.clone();
            std::thread::spawn(move || pass(client, port, requests, &seen));
        }
    });
    own
}

fn pass(mut client: TcpStream, port: u16, requests: usize, seen: &AtomicUsize) {
    let mut server = TcpStream::connect(("127.0.0.1", port)).expect("the server");
    let (mut answers, mut back) = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
    let mut buffer = vec![0; 1 << 20];
    let (sender, broken) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = answers.read(&mut buffer) {
            if broken.try_recv().is_ok() || back.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = back.shutdown(Shutdown::Both);
    });
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let begun = String::from_utf8_lossy(&buffer[..count]).matches(" HTTP/1.1\r\n").count();
        let is_broken = seen.fetch_add(begun, Ordering::SeqCst) + begun > requests;
        if is_broken {
            let _ = sender.send(());
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
}

#[test]
fn an_export_that_breaks_anywhere_goes_on_and_sends_nothing_twice() {
    let Some(environment) = environment() else { return };
    let sandbox = trained_copy();
    let server = Server::start(&environment, &sandbox);
    let mut told = Vec::new();
    // Experiment, run, parameters, data, figures, manifest, end: a break at each.
    for requests in 0.. {
        assert!(requests < 40, "it never comes to an end: {told:?}");
        let to = format!("http://127.0.0.1:{}", breaking_after(requests, server.port));
        let outcome = sandbox.run(&["export", "mlflow", "run", "--to", &to, "--experiment", "of a test"]);
        if outcome.code == 0 {
            break;
        }
        assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
        let first = outcome.stderr.lines().next().unwrap_or_default().to_owned();
        assert!(first.starts_with("Error: the run was not exported; "), "{}", outcome.stderr);
        assert!(outcome.stderr.ends_with("Hint: the same command again goes on from there\n"), "{}", outcome.stderr);
        told.push(first);
    }
    assert!(told[0].ends_with("nothing of it is there yet"), "{told:?}");
    assert!(
        told.iter().any(|line| line.contains(" parameters, ") && line.contains(" data digests, 0 of ")),
        "{told:?}"
    );
    assert!(told.len() > 6, "{told:?}");
    let again = sandbox.done(&["export", "mlflow", "run", "--to", &server.url(), "--experiment", "of a test"]);
    assert!(again.stdout.ends_with(", all of it, from before\n"), "{}", again.stdout);

    let mut command = sandbox.prepare(Command::new(environment.join("bin/python3")));
    command.arg(repository().join("tests/python/read_mlflow.py")).args([&server.url(), "of a test"]);
    let read = Outcome::of(&mut command);
    assert_eq!(read.code, 0, "{}", read.stderr);
    let runs: Value = serde_json::from_str(&read.stdout).expect("JSON");
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "one run");
    let run = &runs[0];
    let sorted = |mut all: Vec<(u64, String, f64)>| {
        all.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        all
    };
    assert_eq!(sorted(points(&run["metrics"])), sorted(metrics(&sandbox)));
    assert_eq!((&run["params"]["trainer.seed"], &run["status"]), (&"123".into(), &"FINISHED".into()));
    assert_eq!(run["artifacts"], serde_json::json!(["manifest.intoto.jsonl"]));
    assert_eq!(
        run["manifest"].as_str().map(str::as_bytes),
        Some(&bytes(sandbox.path("run/manifest.intoto.jsonl"))[..])
    );
    let claimed = ClaimedRun::open(&sandbox.path("run")).expect("a run");
    let inputs = run["inputs"].as_array().expect("inputs");
    assert_eq!(inputs.len(), claimed.claim().data.len());
    for data in &claimed.claim().data {
        let input = inputs.iter().find(|input| input[0] == data.name).expect("the data set");
        let root = data.merkle_root.to_string();
        assert_eq!((input[1].as_str(), input[2]["merkle_root"].as_str()), (Some(&root[..36]), Some(&root[..])));
    }
    let root = claimed.claim().training().expect("a training").steps.merkle_root.to_string();
    assert_eq!(run["tags"]["spectramind.step_root"], root);
    assert_eq!(run["tags"]["spectramind.manifest"], claimed.identity().to_string());
}

#[test]
fn an_address_that_is_none_is_a_matter_of_arguments_and_a_server_that_is_not_there_is_not() {
    let sandbox = trained_copy();
    for url in ["http://me:secret@127.0.0.1:1", "https://127.0.0.1:1", "127.0.0.1:5000"] {
        let outcome = sandbox.run(&["export", "mlflow", "run", "--to", url]);
        assert_eq!(outcome.code, 2, "{url}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("secret"), "{}", outcome.stderr);
    }
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let outcome = sandbox.run(&["export", "mlflow", "run", "--to", &format!("http://127.0.0.1:{port}")]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(
        outcome.stderr.starts_with("Error: the run was not exported; nothing of it is there yet\n"),
        "{}",
        outcome.stderr
    );
    let unsigned = sandbox.run(&["export", "mlflow", "configs", "--to", "http://127.0.0.1:1"]);
    assert_eq!(unsigned.code, 1, "{}", unsigned.stderr);
}

#[test]
fn a_server_that_redirects_is_not_followed() {
    let sandbox = trained_copy();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in socket.incoming() {
            let mut client = client.expect("a client");
            let mut buffer = [0; 4096];
            let _ = client.read(&mut buffer);
            let answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n";
            let _ = client.write_all(answer.as_bytes());
        }
    });
    let outcome = sandbox.run(&["export", "mlflow", "run", "--to", &format!("http://127.0.0.1:{port}")]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("expected 200 OK, got 302"), "{}", outcome.stderr);
}
