//! `spectramind-verify twice`: programs of others and planted faults, each with the cause that the report has to name.

use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox, present, python_with, repository, verifier};

/// A folder in a git repository with a few files.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::empty();
    for (name, text) in [
        (".gitignore", "*.log\n/build/\n"),
        ("data/a.txt", "one\n"),
        ("data/b.txt", "two\n"),
        ("data/c.txt", "three\n"),
    ] {
        write(&sandbox, name, text);
    }
    sandbox.git(&["init", "--quiet", "--initial-branch=main"]);
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message=files"]);
    sandbox
}

fn write(sandbox: &Sandbox, name: &str, text: &str) {
    let path = sandbox.path(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
    std::fs::write(path, text).expect("write");
}

/// Runs `twice` with these options on a command.
fn twice(sandbox: &Sandbox, options: &[&str], command: &[&str]) -> Outcome {
    sandbox.verify(&[&["twice"], options, &["--"], command].concat())
}

/// The report as JSON.
fn json(sandbox: &Sandbox, options: &[&str], command: &[&str]) -> (i32, Value) {
    let outcome = twice(sandbox, &[options, &["--json"]].concat(), command);
    let report =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{}{}", outcome.stdout, outcome.stderr));
    (outcome.code, report)
}

/// The checks that failed because of a file, and what they say of it.
fn causes(report: &Value, file: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for check in report["checks"].as_array().expect("checks") {
        for finding in check["findings"].as_array().expect("findings") {
            if finding["verdict"] == "failed" && finding["file"] == file {
                let text = |value: &Value| value.as_str().expect("text").to_owned();
                found.push((text(&check["name"]), text(&finding["message"])));
            }
        }
    }
    found
}

/// Whether a check was made; if not, that it was not varied is said.
fn is_made(report: &Value, check: &str) -> bool {
    let is_there = report["checks"].as_array().expect("checks").iter().any(|it| it["name"] == check);
    let name = check.trim_start_matches("variation ");
    let said = report.to_string().contains(&format!("not varied: {name}: "));
    assert!(is_there || said, "{check} is neither made nor said to be not made: {report}");
    is_there
}

/// A program with a fault for each kind of thing that must not matter.
const FAULTS: &str = r#"
import json, os, random, socket, subprocess, tarfile, threading, time
def put(name, text):
    with open(name, "w") as file: file.write(text + "\n")
put("hash.txt", " ".join({"alpha", "beta", "gamma", "delta", "epsilon", "zeta"}))
put("stamp.json", json.dumps({"made": int(time.time())}))
count = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
numbers, parts = [1 / (1 + n) ** 1.5 for n in range(30011)], [0.0] * count
def part(index):
    for number in numbers[index::count]: parts[index] += number
threads = [threading.Thread(target=part, args=(index,)) for index in range(count)]
for thread in threads: thread.start()
for thread in threads: thread.join()
total = 0.0
for one in parts: total += one
put("sum.csv", "name,value\ntotal," + repr(total))
put("clean.txt", "the same")
with tarfile.open("modes.tar", "w") as archive:
    entry = archive.gettarinfo("clean.txt")
    entry.mtime = 0
    archive.addfile(entry, open("clean.txt", "rb"))
put("path.txt", os.path.abspath("clean.txt"))
put("seed.txt", repr(random.random()))
words = 'while read word; do echo "${#word} $word"; done | LC_ALL=C sort -n'
# Without what Python puts into it for its own sake.
own = {name: value for name, value in os.environ.items() if name != "LC_CTYPE"}
text = subprocess.run(["bash", "-c", words], input="ééé\nabcd\n".encode(), env=own, capture_output=True).stdout
put("words.txt", text.hex())
put("zone.txt", time.strftime("%H:%M", time.localtime(0)))
put("host.txt", socket.gethostname())
put("listing.txt", "\n".join(os.listdir("data")))
put("home.txt", os.path.expanduser("~"))
"#;

/// Its outputs, the variations of which at least one has to be named, and those that may be.
const KINDS: [(&str, &[&str]); 11] = [
    ("hash.txt", &["variation hash-seed"]),
    ("stamp.json", &["variation clock"]),
    // One processor makes one thread, too.
    ("sum.csv", &["variation threads", "variation cores"]),
    ("modes.tar", &["variation umask"]),
    ("path.txt", &["variation path"]),
    ("seed.txt", &["twice"]),
    ("words.txt", &["variation locale"]),
    ("zone.txt", &["variation timezone"]),
    ("host.txt", &["variation hostname"]),
    ("listing.txt", &["variation listing"]),
    ("home.txt", &["variation home"]),
];

#[test]
fn every_planted_fault_has_its_cause_named() {
    let Some(python) = python_with("json") else { return };
    let sandbox = sandbox();
    write(&sandbox, "faults.py", FAULTS);
    let (code, report) = json(&sandbox, &[], &[python.to_str().expect("text"), "faults.py"]);
    assert_eq!(code, 1, "{report}");
    for (file, expected) in KINDS {
        let causes = causes(&report, file);
        match expected {
            ["variation hostname"] if !is_made(&report, expected[0]) => {
                present("namespaces", false, "UTS namespaces, for another host name");
                continue;
            }
            ["variation listing"] if !is_made(&report, expected[0]) => {
                present(
                    "listings",
                    false,
                    "a file system, such as a tmpfs at /dev/shm, that lists files as they were made",
                );
                continue;
            }
            _ => {}
        }
        assert!(!causes.is_empty(), "{file}: no cause is named: {report}");
        for (check, message) in &causes {
            assert!(expected.contains(&check.as_str()), "{file}: {check}: {message}");
            assert!(message.starts_with(&format!("{file}: ")), "{message}");
        }
    }
    let message = |file: &str| causes(&report, file)[0].1.clone();
    // Down to the element, and with how often it was seen.
    assert!(message("sum.csv").contains("row 1, column value: expected `"), "{}", message("sum.csv"));
    assert!(
        message("stamp.json").contains("/made: expected ") && message("stamp.json").contains("looks like the time")
    );
    assert!(message("zone.txt").contains("in 2 of 2 runs, and without in none of 2"), "{}", message("zone.txt"));
    assert!(message("seed.txt").contains("differs without any variation"), "{}", message("seed.txt"));
    assert!(message("home.txt").contains("/home`, got `"), "{}", message("home.txt"));
    assert!(causes(&report, "clean.txt").is_empty(), "{report}");
    assert!(
        report
            .to_string()
            .contains("whether a variation changes what differs anyway was not checked: seed.txt, stamp.json")
    );
    let schema: Value =
        serde_json::from_slice(&std::fs::read(repository().join("schemas/report.schema.json")).expect("read"))
            .expect("JSON");
    jsonschema::validate(&schema, &report).expect("by the schema of reports");
}

#[test]
fn permissions_are_compared_where_that_is_asked_for() {
    let sandbox = sandbox();
    let command = ["sh", "-c", "echo same > out.txt"];
    assert_eq!(twice(&sandbox, &[], &command).code, 0);
    let (code, report) = json(&sandbox, &["--modes"], &command);
    assert_eq!(code, 1);
    let [(check, message)] = &causes(&report, "out.txt")[..] else { panic!("{report}") };
    assert_eq!(check, "variation umask");
    assert!(message.starts_with("out.txt: permissions: expected 6"), "{message}");
}

/// Whether the tools of Debian are here that the next tests run.
fn tools() -> bool {
    [("gzip", "--version"), ("tar", "--version"), ("openssl", "version")].into_iter().all(|(tool, argument)| {
        let works = Command::new(tool).arg(argument).output().is_ok_and(|output| output.status.success());
        present("tools", works, &format!("{tool} of Debian"))
    })
}

#[test]
fn programs_of_debian_differ_by_a_cause_and_are_equal_where_they_are_told_to_be() {
    if !tools() {
        return;
    }
    let sandbox = sandbox();
    // (the command, what it makes, the cause)
    let cases = [
        ("cp data/a.txt a; gzip a", "a.gz", Some("variation clock")),
        ("cp data/a.txt a; gzip -n a", "a.gz", None),
        ("echo x > a; tar -c --mtime=@0 -f a.tar a", "a.tar", Some("variation umask")),
        ("echo x > a; tar -c --mtime=@0 --mode=0644 -f a.tar a", "a.tar", None),
        ("tar -c --mtime=@0 -f data.tar data", "data.tar", Some("variation listing")),
        ("tar -c --mtime=@0 --mode=a=r --sort=name -f data.tar data", "data.tar", None),
        ("openssl genpkey -algorithm ed25519 -out key.pem", "key.pem", Some("twice")),
        ("openssl dgst -sha256 -out digest data/a.txt", "digest", None),
    ];
    thread::scope(|scope| {
        for (command, file, cause) in cases {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let (code, report) = json(sandbox, &["--keep", "home"], &["sh", "-c", command]);
                let causes = causes(&report, file);
                match cause {
                    None => assert_eq!((code, &causes[..]), (0, &[][..]), "{command}: {report}"),
                    Some("variation listing") if !is_made(&report, "variation listing") => {}
                    Some(cause) => {
                        assert_eq!(code, 1, "{command}: {report}");
                        assert!(causes.iter().any(|(check, _)| check == cause), "{command}: {causes:?}");
                    }
                }
            });
        }
    });
}

/// Hydra's own record of a job has the path that it ran in.
const HYDRA: &str = "
import hydra
@hydra.main(version_base=None, config_path='conf', config_name='app')
def main(config):
    with open('result.txt', 'w') as file: file.write(str(config.a + config.b) + '\\n')
main()
";

const NUMPY: &str = "
import sys, numpy as np
random = np.random.default_rng(0)
a, b = random.standard_normal((300, 400), dtype=np.float32), random.standard_normal((400, 300), dtype=np.float32)
np.save('product.npy', a @ b if sys.argv[1] == 'blas' else (a * 64).astype(np.int64) @ (b * 64).astype(np.int64))
";

#[test]
fn programs_of_pypi_differ_by_a_cause_and_are_equal_where_they_are_told_to_be() {
    let Some(python) = python_with("hydra, numpy") else { return };
    let python = python.to_str().expect("text");
    let sandbox = sandbox();
    write(&sandbox, "app.py", HYDRA);
    write(&sandbox, "conf/app.yaml", "a: 1\nb: 2\n");
    write(&sandbox, "product.py", NUMPY);
    let (code, report) = json(&sandbox, &[], &[python, "app.py", "hydra.run.dir=out", "hydra/job_logging=none"]);
    assert_eq!(code, 1, "{report}");
    let [(check, message)] = &causes(&report, "out/.hydra/hydra.yaml")[..] else { panic!("{report}") };
    assert_eq!(check, "variation path", "{message}");
    assert!(causes(&report, "result.txt").is_empty(), "{report}");
    let still = ["hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=none"];
    let outcome = twice(&sandbox, &[], &[&[python, "app.py"][..], &still].concat());
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("1 in all: result.txt"), "{}", outcome.stdout);

    // OpenBLAS has kernels for each kind of processor, which sum in orders of their own.
    let (code, report) = json(&sandbox, &["--vary", "cpu,hash-seed,timezone"], &[python, "product.py", "blas"]);
    assert_eq!(code, 1, "{report}");
    let [(check, message)] = &causes(&report, "product.npy")[..] else { panic!("{report}") };
    assert_eq!(check, "variation cpu", "{message}");
    assert!(message.contains("array (<f4), element [0, "), "{message}");
    let outcome = twice(&sandbox, &[], &[python, "product.py", "whole"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
}

#[test]
fn a_clean_program_raises_no_alarm_in_twenty_runs() {
    let sandbox = sandbox();
    let script = "cat data/*.txt | LC_ALL=C sort > out.txt; mkdir -p results; cksum < out.txt > results/sum.txt";
    let alarms: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| twice(&sandbox, &["--runs", "3", "--stdout", "--stderr"], &["sh", "-c", script])))
            .collect();
        let outcomes = runs.into_iter().map(|run| run.join().expect("a run"));
        outcomes.filter(|outcome| outcome.code != 0).map(|outcome| outcome.stdout + &outcome.stderr).collect()
    });
    assert!(alarms.is_empty(), "{} of 20: {}", alarms.len(), alarms[0]);
}

#[test]
fn what_several_variations_bring_about_together_and_what_passes_is_told_from_causes() {
    let sandbox = sandbox();
    let both = r#"if [ "$PYTHONHASHSEED" != 0 ] && [ -n "$TZ" ]; then echo odd > out; else echo even > out; fi"#;
    let (code, report) = json(&sandbox, &["--vary", "home,hash-seed,timezone,umask"], &["sh", "-c", both]);
    assert_eq!(code, 1);
    let checks: Vec<_> = causes(&report, "out").into_iter().map(|(check, _)| check).collect();
    assert_eq!(checks, ["variation hash-seed", "variation timezone"], "{report}");
    assert!(causes(&report, "out")[0].1.contains("together with timezone, and by no single variation"), "{report}");

    // Odd in the one run that its state says: the second, where everything is varied, or the third, where nothing is.
    let state = sandbox.path("../state");
    let flaky = format!(
        "n=$(cat {0}); echo $((n + 1)) > {0}; if [ $n = \"$1\" ]; then echo odd > out; else echo even > out; fi; \
         if [ \"$1\" = 2 ]; then echo \"$TZ\" > zone; fi",
        state.display()
    );
    for (at, expected) in
        [("1", "not when the same was done again"), ("2", "(in 1 of 2 runs that tried it: not always)")]
    {
        std::fs::write(&state, "0\n").expect("write");
        let writes = state.to_str().expect("text");
        let (code, report) = json(&sandbox, &["--writes", writes], &["sh", "-c", &flaky, "sh", at]);
        assert_eq!(code, 1, "{report}");
        let [(check, message)] = &causes(&report, "out")[..] else { panic!("{report}") };
        assert_eq!(check, "twice");
        assert!(message.contains(expected), "{message}");
        let zone: Vec<_> = causes(&report, "zone").into_iter().map(|(check, _)| check).collect();
        assert_eq!(zone, if at == "2" { vec!["variation timezone"] } else { vec![] }, "{report}");
    }
}

#[test]
fn what_could_not_be_checked_is_no_pass() {
    let sandbox = sandbox();
    let not_checked = |options: &[&str], command: &[&str], expected: &str| {
        let outcome = twice(&sandbox, options, command);
        assert_eq!(outcome.code, 3, "{command:?}: {}", outcome.stdout);
        assert!(outcome.stdout.contains(expected), "{expected}: {}", outcome.stdout);
    };
    let quick = ["--vary", "hash-seed"];
    not_checked(
        &quick,
        &["sh", "-c", "echo no >&2; exit 4"],
        "failed in all 2 runs: exit status 4 (its last words: no)",
    );
    not_checked(&quick, &["no-such-program"], "cannot run \"no-such-program\"");
    not_checked(&quick, &["true"], "there was nothing to compare: --stdout compares what it prints");
    not_checked(&["--output", "*.csv"], &["sh", "-c", "echo > a.txt"], "no output matches --output *.csv");
    not_checked(&[&quick[..], &["--timeout", "1"]].concat(), &["sleep", "20"], "did not end within 1 s");
    not_checked(&["--vary", "umask,hash-seed=0"], &["sh", "-c", "echo > a"], "variation hash-seed");
    let words = ["twice", "--vary", "cores", "--stdout", "--", "echo", "x"];
    let mut one = sandbox.prepare(Command::new("taskset"));
    let outcome = Outcome::of(one.args(["-c", "0"]).arg(verifier()).args(words));
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("not varied: there is only one processor"), "{}", outcome.stdout);
    for wrong in [
        &["--vary", "moon"][..],
        &["--vary", "path=x"],
        &["--vary", "path", "--keep", "home"],
        &["--runs", "1"],
        &["--output", ""],
    ] {
        assert_eq!(twice(&sandbox, wrong, &["true"]).code, 2, "{wrong:?}");
    }
    assert_eq!(twice(&sandbox, &[], &[]).code, 2);
}

#[test]
fn a_difference_stays_one_where_the_search_for_its_cause_breaks_off() {
    let sandbox = sandbox();
    let state = sandbox.path("../state");
    std::fs::write(&state, "0\n").expect("write");
    // From the third run on it does not end.
    let script = format!(
        "n=$(cat {0}); echo $((n + 1)) > {0}; echo \"$TZ\" > out; if [ $n -gt 1 ]; then sleep 20; fi",
        state.display()
    );
    let options = ["--writes", state.to_str().expect("text"), "--timeout", "3", "--vary", "timezone,umask"];
    let (code, report) = json(&sandbox, &options, &["sh", "-c", &script]);
    assert_eq!(code, 1, "{report}");
    let [(check, message)] = &causes(&report, "out")[..] else { panic!("{report}") };
    assert_eq!(check, "twice");
    assert!(message.ends_with("differs with everything varied; the cause was not found"), "{message}");
    assert!(
        report.to_string().contains("the search for causes ended early: run 3: the command did not end within 3 s")
    );
    let umask = report["checks"].as_array().expect("checks").iter().find(|check| check["name"] == "variation umask");
    assert_eq!(umask.expect("the check")["verdict"], "notChecked");

    let options = ["--max-runs", "2", "--vary", "timezone"];
    let (code, report) = json(&sandbox, &options, &["sh", "-c", "echo \"$TZ\" > out"]);
    assert_eq!(code, 1, "{report}");
    assert!(report.to_string().contains("ended early: 2 runs were made, the most by --max-runs"), "{report}");
}

#[test]
fn what_git_ignores_is_not_copied_unless_included_and_nothing_is_written_outside() {
    let sandbox = sandbox();
    let outside = sandbox.path("../outside");
    std::fs::create_dir(&outside).expect("mkdir");
    std::fs::write(outside.join("kept.txt"), "kept\n").expect("write");
    std::os::unix::fs::symlink(&outside, sandbox.path("way")).expect("a link");
    write(&sandbox, "build/tool", "built\n");
    write(&sandbox, "new.txt", "untracked\n");
    write(&sandbox, "x.log", "ignored\n");
    let list = ["sh", "-c", "find . -not -type d | LC_ALL=C sort"];
    let copies = sandbox.path("../copies");
    let keep = ["--stdout", "--vary", "hash-seed,path"];
    let listed = |options: &[&str]| {
        let _ = std::fs::remove_dir_all(&copies);
        let options = [&keep[..], &["--keep-copies", copies.to_str().expect("text")], options].concat();
        let outcome = twice(&sandbox, &options, &list);
        assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
        (std::fs::read_to_string(copies.join("run-01-nothing-varied/stdout.txt")).expect("read"), outcome.stdout)
    };
    let (names, report) = listed(&[]);
    assert_eq!(names, "./.gitignore\n./data/a.txt\n./data/b.txt\n./data/c.txt\n./new.txt\n./way\n");
    assert!(
        report.contains("5 files, ")
            && report.contains("links that lead out of the folder")
            && report.contains(": way")
    );
    let (names, _) = listed(&["--include", "build"]);
    assert!(names.contains("./build/tool\n") && !names.contains(".log"), "{names}");
    assert_eq!(twice(&sandbox, &["--include", "../outside"], &["true"]).code, 3);

    // Landlock keeps the command from what a link leads to.
    let outcome = twice(&sandbox, &["--vary", "path"], &["sh", "-c", "echo made > out; echo x >> way/kept.txt; true"]);
    if outcome.stdout.contains("by Landlock") {
        assert_eq!(std::fs::read_to_string(outside.join("kept.txt")).expect("read"), "kept\n");
    }
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(!sandbox.path("out").exists());
}

#[test]
fn both_sides_can_be_looked_at_and_ci_gets_its_reports() {
    let sandbox = sandbox();
    let command = ["sh", "-c", "mkdir -p out; pwd > out/path.txt; echo same > out/same.txt; echo log > out/run.log"];
    let options = ["--vary", "path", "--output", "out/", "--output", "!*.log", "--keep-copies", "both"];
    let files = ["--junit", "r.xml", "--sarif", "r.sarif", "--html", "r.html"];
    let outcome = twice(&sandbox, &[&options[..], &files].concat(), &command);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("! twice: FAILED: outputs depend on: path (out/path.txt)"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("2 in all: out/path.txt, out/same.txt"), "{}", outcome.stdout);
    let read = |path: &str| std::fs::read_to_string(sandbox.path(path)).expect("read");
    let (first, second) =
        (read("both/run-01-nothing-varied/tree/out/path.txt"), read("both/run-02-path/tree/out/path.txt"));
    assert!(first != second && first.ends_with("/run/tree\n"), "{first}{second}");
    let scratch = Path::new(first.trim()).ancestors().nth(2).expect("a folder");
    assert!(!scratch.exists(), "{} is left", scratch.display());

    let xml = read("r.xml");
    assert!(xml.contains(r#"<testcase name="variation path""#) && xml.contains(r#"failures="2""#), "{xml}");
    assert!(read("r.html").contains("What no check here proves"));
    let sarif: Value = serde_json::from_str(&read("r.sarif")).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let of_path = results.iter().find(|result| result["ruleId"] == "variation").expect("a result");
    let place = &of_path["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(place, "out/path.txt");
}
