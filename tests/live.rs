//! Cases of our own, and those that others found, composed by Hydra itself and by the program in the same minute.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::hydra::original;
use crate::sandbox::{Outcome, Sandbox, present, repository, shared};

/// The configs of Hydra's plugins as they are published, in a folder for Python's path.
fn plugins() -> Option<PathBuf> {
    let folder = std::env::var_os("SPECTRAMIND_HYDRA_PLUGINS").map(PathBuf::from).unwrap_or_default();
    let is_there = folder.join("hydra_plugins").is_dir();
    let what = "Hydra's plugins: pip install --no-deps --target DIR -r tests/python/plugins.txt, SPECTRAMIND_HYDRA_PLUGINS=DIR";
    present("hydra-plugins", is_there, what).then_some(folder)
}

/// Writes a case's files below a folder, those of the search path below its `conf`.
pub fn lay_out(case: &Value, root: &Path) {
    for (base, files) in [(root.join("conf"), &case["files"]), (root.to_owned(), &case["extra_files"])] {
        std::fs::create_dir_all(&base).expect("a folder");
        for (path, text) in files.as_object().into_iter().flatten() {
            let path = base.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text.as_str().expect("a text")).expect("a file");
        }
    }
    if let Some(resolvers) = case.get("resolvers") {
        std::fs::write(root.join("resolvers.yaml"), resolvers.to_string()).expect("a file");
    }
}

/// An environment that both sides see.
fn environment(command: &mut Command, root: &Path) {
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", root).env("LANG", "C.UTF-8").env("TZ", "UTC");
}

/// What Hydra makes of the cases, in their order.
fn originals(python: &Path, plugins: Option<&Path>, cases: &[Value], root: &Path) -> Vec<Value> {
    let mut command = Command::new(python);
    environment(&mut command, root);
    command.arg(repository().join("tests/hydra/original.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    if let Some(plugins) = plugins {
        command.env("PYTHONPATH", plugins);
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("Python starts");
    let mut input = child.stdin.take().expect("a pipe");
    let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("Python ends");
    writer.join().expect("a thread").expect("Python reads");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), cases.len(), "{}", String::from_utf8_lossy(&output.stderr));
    answers
}

/// What the program makes of a case.
fn answer(case: &Value, root: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spectramind"));
    environment(&mut command, root.parent().expect("a parent"));
    command.current_dir(root).args(["config", "show", "--json", "--hydra", "--config-dir", "conf", "--config-name"]);
    command.arg(case["config_name"].as_str().expect("a name"));
    if let Some(base) = case["version_base"].as_str() {
        command.args(["--version-base", base]);
    }
    if case.get("resolvers").is_some() {
        command.args(["--resolvers", "resolvers.yaml"]);
    }
    for (name, value) in case["env"].as_object().into_iter().flatten() {
        command.env(name, value.as_str().expect("a text"));
    }
    command.arg("--");
    command.args(case["overrides"].as_array().into_iter().flatten().map(|text| text.as_str().expect("a text")));
    let outcome = Outcome::of(&mut command);
    let answer: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{case}: {}", outcome.stderr));
    assert_eq!(outcome.code, if answer["ok"] == true { 0 } else { 2 }, "{case}");
    answer
}

/// The name of the job is the program's own.
fn masked(text: &Value) -> String {
    let lines = text.as_str().unwrap_or_default().lines();
    lines.map(|line| if line.starts_with("    name: ") { "    name: JOB" } else { line }).collect::<Vec<_>>().join("\n")
}

/// In what the two differ.
fn difference(theirs: &Value, ours: &Value) -> Option<String> {
    if theirs.get("error").is_some() != (ours["ok"] == false) {
        return Some(format!("Hydra: {}\n  ours: {}", theirs["error"], ours["message"]));
    }
    let pairs = [("yaml", "yaml"), ("hydra", "hydra_yaml"), ("resolved", "yaml_resolved")];
    pairs.into_iter().find_map(|(their_key, our_key)| {
        let (theirs, ours) = (masked(&theirs[their_key]), masked(&ours[our_key]));
        (ours != theirs).then(|| format!("{their_key}\nHydra:\n{theirs}\nours:\n{ours}"))
    })
}

/// Composes cases on both sides; how many there are of each kind, and how many compose.
///
/// # Panics
/// When one differs.
fn compare(python: &Path, plugins: Option<&Path>, text: &str) -> (BTreeMap<String, usize>, usize) {
    let folder = tempfile::tempdir().expect("temp dir");
    let home = folder.path().canonicalize().expect("a path");
    let mut cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect();
    cases.retain(|case| case["kind"] != "plugin" || plugins.is_some());
    for (number, case) in cases.iter_mut().enumerate() {
        let root = home.join(number.to_string());
        lay_out(case, &root);
        let placed = case.to_string().replace("@ROOT@", &root.display().to_string());
        *case = serde_json::from_str(&placed).expect("a case");
        case["root"] = root.display().to_string().into();
        case["config_name"] = "config".into();
    }
    let (mut counts, mut composed) = (BTreeMap::new(), 0);
    let mut failed = Vec::new();
    for (case, theirs) in cases.iter().zip(originals(python, plugins, &cases, &home)) {
        let ours = answer(case, Path::new(case["root"].as_str().expect("a path")));
        if let Some(difference) = difference(&theirs, &ours) {
            failed.push(format!("{case}\n{difference}"));
        }
        composed += usize::from(ours["ok"] == true);
        *counts.entry(case["kind"].as_str().expect("a kind").to_owned()).or_default() += 1;
    }
    assert!(failed.is_empty(), "{} of {} differ:\n{}", failed.len(), cases.len(), failed.join("\n"));
    (counts, composed)
}

#[test]
fn cases_of_every_kind_compose_as_in_the_original() {
    let Some(python) = original() else { return };
    let text = std::fs::read_to_string(repository().join("tests/hydra/live.jsonl")).expect("read");
    let (counts, composed) = compare(&python, plugins().as_deref(), &text);
    assert!(counts.len() >= 8 && counts.values().all(|count| *count >= 5) && composed >= 100, "{counts:?}");
    println!("{counts:?}, {composed} compose");
}

/// Random trees, from a seed.
fn fuzzed(seed: u64, count: usize) {
    let Some(python) = original() else { return };
    let mut command = Command::new(&python);
    command.arg(repository().join("tests/hydra/fuzz.py")).args([seed.to_string(), count.to_string()]);
    let cases = Outcome::of(&mut command);
    assert_eq!(cases.code, 0, "{}", cases.stderr);
    let (counts, composed) = compare(&python, None, &cases.stdout);
    assert!(counts["fuzz"] == count && composed > count / 10, "{composed} of {counts:?} compose");
    println!("seed {seed}: {count} cases, {composed} compose, none differs");
}

#[test]
fn random_trees_compose_as_in_the_original() {
    fuzzed(1, 200);
}

#[test]
#[ignore = "takes minutes: weekly, with another seed each day"]
fn five_thousand_fresh_random_trees_compose_as_in_the_original() {
    let days = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a date").as_secs() / 86_400;
    fuzzed(days, 5000);
}

/// Hydra's application and ours, in one folder, with the same words.
fn same_output(sandbox: &Sandbox, python: &Path, words: &[&str]) {
    let original = Outcome::of(sandbox.prepare(Command::new(python)).args(["-W", "ignore", "train.py"]).args(words));
    assert_eq!(original.code, 0, "{words:?}: {}", original.stderr);
    assert_eq!(sandbox.done(&[&["train"], words].concat()).stdout, original.stdout, "{words:?}");
}

#[test]
fn a_config_dir_alone_and_relative_search_paths_print_what_the_original_prints() {
    let Some(python) = original() else { return };
    let sandbox = Sandbox::new();
    std::fs::remove_dir_all(sandbox.path("configs")).expect("removed");
    for (path, text) in [
        ("conf/config.yaml", "defaults: [{g: o}, _self_]\na: 1\nb: ${g.side}\n"),
        ("conf/g/o.yaml", "side: 1\n"),
        ("conf/g/p.yaml", "side: 2\n"),
        ("conf/far.yaml", "defaults: [{h: o}, _self_]\nhydra: {searchpath: ['file://more', nowhere]}\n"),
        ("more/h/o.yaml", "side: 3\n"),
        (
            "train.py",
            "import hydra\n@hydra.main(version_base='1.3', config_path=None)\ndef main(config):\n    pass\nmain()\n",
        ),
    ] {
        let path = sandbox.path(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
        std::fs::write(path, text).expect("write");
    }
    let words = |text: &'static str| -> Vec<&'static str> { text.split(' ').collect() };
    for asked in [
        "--cfg job",
        "--cfg job g=p b=3",
        "--cfg job --resolve",
        "--cfg job -p g",
        "--cfg job +c=2",
        "--cfg hydra",
        "--info defaults",
        "--info searchpath",
    ] {
        same_output(&sandbox, &python, &[&words("--config-dir conf --config-name config")[..], &words(asked)].concat());
    }
    for asked in
        ["--cfg job", "--cfg hydra", "--cfg all", "--info searchpath", "--info defaults", "--info defaults-tree"]
    {
        same_output(&sandbox, &python, &[&words("--config-dir conf --config-name far")[..], &words(asked)].concat());
    }
}

/// One of the fifteen needs an option that the script, made before there was one, does not give; it is the first case of
/// the kind `version-base` above.
#[test]
fn what_others_found_agrees_with_the_original() {
    let (Some(python), Some(harness)) = (original(), shared("found/hydra_harness.py")) else { return };
    let cases = shared("found/hydra.jsonl").expect("beside the script");
    let mut command = Command::new(&python);
    command.arg(harness).arg("--python").arg(&python).arg("--spectramind").arg(env!("CARGO_BIN_EXE_spectramind"));
    let outcome = Outcome::of(command.arg(cases));
    let with = |word: &str| -> Vec<String> {
        let lines = outcome.stdout.lines().filter(|line| line.starts_with(word));
        lines.map(|line| line[word.len()..].trim().to_owned()).collect()
    };
    assert_eq!(with("DIFFERS "), ["older_version_base_package"], "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(with("same ").len(), 14, "{}", outcome.stdout);
}

/// Prints, for lines of zone, seconds, microseconds and pattern, what Python makes of them.
const STRFTIME: &str = r#"
import datetime, json, os, sys, time
for line in sys.stdin:
    zone, seconds, microseconds, pattern = json.loads(line)
    os.environ["TZ"] = zone
    time.tzset()
    moment = datetime.datetime.fromtimestamp(seconds).replace(microsecond=microseconds)
    print(json.dumps(moment.strftime(pattern)))
"#;

/// Every directive, with flags, widths and modifiers in every order that is written.
fn patterns() -> Vec<String> {
    let mut patterns: Vec<String> =
        ["%Y-%m-%d_%H-%M-%S-%f", "%", "%%f%%Z", "%-", "%5%", "100%"].map(String::from).into();
    for letter in "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%fEOiqvN+L".chars() {
        for before in ["", "-", "_", "0", "^", "#", "^#", "_5", "012", "-3", "E", "O", "^E", "7O", "3"] {
            patterns.push(format!("x%{before}{letter}"));
        }
    }
    patterns
}

#[test]
fn the_patterns_of_now_are_those_of_pythons_strftime() {
    let Some(python) = original() else { return };
    let sandbox = Sandbox::new();
    let patterns = patterns();
    std::fs::create_dir_all(sandbox.path("clock")).expect("mkdir");
    let entries = patterns.iter().enumerate().map(|(number, pattern)| format!("p{number}: \"${{now:'{pattern}'}}\"\n"));
    let text = "moment: ${now:%s}\nfraction: ${now:%f}\n".to_owned() + &entries.collect::<String>();
    std::fs::write(sandbox.path("clock/config.yaml"), text).expect("write");
    for zone in ["UTC", "Asia/Tokyo", "America/New_York", "<-0330>3:30", "Australia/Lord_Howe"] {
        let mut command =
            sandbox.spectramind(&["config", "show", "--json", "--config-dir", "clock", "--config-name", "config"]);
        let outcome = Outcome::of(command.env("TZ", zone));
        let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let resolved = &answer["resolved"];
        let number = |key: &str| -> i64 { resolved[key].as_str().expect("a text").parse().expect("a number") };
        let (seconds, microseconds) = (number("moment"), number("fraction"));
        let lines: String = patterns
            .iter()
            .map(|pattern| format!("{}\n", serde_json::json!([zone, seconds, microseconds, pattern])))
            .collect();
        let mut child = Command::new(&python)
            .args(["-c", STRFTIME])
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut input = child.stdin.take().expect("a pipe");
        let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = child.wait_with_output().expect("Python ends");
        writer.join().expect("a thread").expect("Python reads");
        let theirs = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(theirs.lines().count(), patterns.len());
        for (number, (pattern, theirs)) in patterns.iter().zip(theirs.lines()).enumerate() {
            let theirs: Value = serde_json::from_str(theirs).expect("JSON");
            assert_eq!(resolved[format!("p{number}")], theirs, "{zone} {pattern:?}");
        }
    }
}
