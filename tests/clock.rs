//! The moment of a run: in directories that it names, in the record, and in an audit somewhere else.

use std::process::{Command, Stdio};

use crate::sandbox::{Outcome, Sandbox};

fn in_zone(sandbox: &Sandbox, zone: &str, arguments: &[&str]) -> Outcome {
    Outcome::of(sandbox.spectramind(arguments).env("TZ", zone))
}

/// What the run in `run` is recorded as.
fn recorded(sandbox: &Sandbox, run: &str) -> serde_json::Value {
    let text = std::fs::read(sandbox.path(format!("{run}/provenance.json"))).expect("read");
    serde_json::from_slice::<serde_json::Value>(&text).expect("JSON")["config"].clone()
}

#[test]
fn an_audit_in_another_zone_composes_the_moment_of_the_run() {
    let sandbox = Sandbox::with_data();
    let words = ["train", "trainer=ci_fast", "run.dir=run", "experiment='at-${now:%H.%M.%S.%f}'"];
    let trained = in_zone(&sandbox, "Asia/Tokyo", &words);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    assert_eq!(recorded(&sandbox, "run")["utcOffsetSeconds"], 9 * 3600);
    let audit = sandbox.audit(&[]);
    assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);

    let words = ["train", "trainer=ci_fast", "run.dir=utc", "experiment='at-${now:%H}'", "record.clock=utc"];
    let trained = in_zone(&sandbox, "Asia/Tokyo", &words);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let record = recorded(&sandbox, "utc");
    assert_eq!(record["utcOffsetSeconds"], serde_json::Value::Null, "UTC is written as nothing: {record}");
    let hour = &record["composedAt"].as_str().expect("a time")[11..13];
    let config = std::fs::read_to_string(sandbox.path("utc/provenance.json")).expect("read");
    assert!(config.contains(&format!("\"experiment\": \"at-{hour}\"")), "{config}");
    let audit = sandbox.verify(&["audit", "utc", "--program", "installed"]);
    assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);
}

/// Starts the same command twice at once; the outcomes, sorted by exit code.
fn both(sandbox: &Sandbox, arguments: &[&str]) -> [Outcome; 2] {
    let start = |command: &mut Command| {
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    };
    let children = [(); 2].map(|()| start(&mut sandbox.spectramind(arguments)));
    let mut outcomes = children.map(|child| {
        let output = child.wait_with_output().expect("the program ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Outcome { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    });
    outcomes.sort_by_key(|outcome| outcome.code);
    outcomes
}

#[test]
fn of_two_runs_with_one_directory_the_second_fails_before_it_writes() {
    let sandbox = Sandbox::with_data();
    let [first, second] = both(&sandbox, &["train", "trainer=ci_fast", "hydra.run.dir='run-${now:%Y}'"]);
    assert_eq!((first.code, second.code), (0, 1), "{}{}", first.stderr, second.stderr);
    let year = std::fs::read_dir(sandbox.path("")).expect("list").flatten();
    let runs: Vec<String> = year.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let run = runs.iter().find(|name| name.starts_with("run-")).expect("a run");
    let audit = sandbox.verify(&["audit", run, "--program", "installed"]);
    assert_eq!(audit.code, 0, "the first one's record is whole: {}{}", audit.stdout, audit.stderr);

    let words =
        ["simulate", "sim=tiny", "sim.planets=1", "sim.test_planets=1", "sim.second_visits=0", "hydra.run.dir=out"];
    sandbox.done(&[&words[..], &["sim.out=first"]].concat());
    let written = std::fs::read(sandbox.path("out/.hydra/overrides.yaml")).expect("read");
    let again = sandbox.run(&[&words[..], &["sim.out=second"]].concat());
    assert_eq!(again.code, 1, "{}", again.stderr);
    assert!(
        again.stderr.contains("no other run has") && again.stderr.contains("hydra.run.dir=DIR"),
        "{}",
        again.stderr
    );
    assert!(!sandbox.path("second").exists());
    assert_eq!(std::fs::read(sandbox.path("out/.hydra/overrides.yaml")).expect("read"), written);
}

#[test]
fn runs_within_a_second_have_directories_of_their_own_where_nobody_chose_one() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("submission.csv"), "").expect("write");
    // Fails after it began, which is all that counts here.
    for _ in 0..4 {
        sandbox.run(&["evaluate", "submission=submission.csv", "data.root=none"]);
    }
    let mut begun = Vec::new();
    let mut open = vec![sandbox.path("outputs")];
    while let Some(folder) = open.pop() {
        if folder.join(".hydra").is_dir() {
            begun.push(folder);
        } else {
            open.extend(std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    assert_eq!(begun.len(), 4, "{begun:?}");
}
