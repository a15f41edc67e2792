//! The command line beside the original: what Hydra 1.3.2 prints and writes for our own tree, byte for byte, and the
//! conformance cases through the program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::live::lay_out;
use crate::sandbox::{Outcome, Sandbox, copy_tree, present, repository};

/// A Python with hydra-core 1.3.2: `SPECTRAMIND_PYTHON`, or `python3`.
pub fn original() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("SPECTRAMIND_PYTHON").unwrap_or_else(|| "python3".into()));
    let code = "import hydra; assert hydra.__version__ == '1.3.2'";
    let works = Command::new(&python).args(["-c", code]).output().is_ok_and(|output| output.status.success());
    present("hydra", works, "a Python with hydra-core 1.3.2").then_some(python)
}

/// Hydra's application for a command of ours: it composes, records the run and does nothing.
fn write_application(sandbox: &Sandbox, command: &str) {
    let code = format!(
        "import hydra\n@hydra.main(version_base='1.3', config_path='configs', config_name='{command}')\n\
         def main(config):\n    pass\nmain()\n"
    );
    std::fs::write(sandbox.path(format!("{command}.py")), code).expect("write");
}

fn run_original(sandbox: &Sandbox, python: &Path, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(python);
    command.current_dir(sandbox.path("")).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    Outcome::of(&mut command)
}

#[test]
fn cfg_and_info_print_what_the_original_prints() {
    let Some(python) = original() else { return };
    let sandbox = Sandbox::new();
    for command in ["train", "predict"] {
        write_application(&sandbox, command);
        for arguments in [
            "--cfg job",
            "--cfg job --resolve",
            "--cfg hydra",
            "--cfg all calib.out=x",
            "--cfg hydra -p hydra.run",
            "--cfg job -p data",
            "--cfg job -p data.batch_size",
            "--cfg job -p calib.out",
            "--cfg job --package calib --resolve",
            "--cfg job +a=??? +b=${a} --resolve",
            "--cfg hydra --resolve hydra.run.dir=out hydra.sweep.dir=sweep",
            "--info defaults",
            "--info defaults-tree",
            "--info searchpath",
            "--info config data=sim_full",
            "--cfg job -cn=predict",
            "--cfg job -cn train --config-nam evaluate",
        ] {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let ours = sandbox.done(&[&[command], &arguments[..]].concat()).stdout;
            let script = format!("{command}.py");
            let theirs = run_original(&sandbox, &python, &[&[script.as_str()], &arguments[..]].concat());
            assert_eq!(theirs.code, 0, "{arguments:?}: {}", theirs.stderr);
            assert_eq!(ours, theirs.stdout, "{command} {arguments:?}");
        }
        let missing = sandbox.run(&[command, "--cfg", "job", "-p", "data.rot"]);
        assert!(missing.code == 2 && missing.stderr.contains("data.root"), "{}", missing.stderr);
    }
}

/// Hydra's record of a run, without what names its directory.
fn hydra_record(run: &Path, directory: &str) -> BTreeMap<&'static str, String> {
    ["config.yaml", "hydra.yaml", "overrides.yaml"]
        .into_iter()
        .map(|name| {
            let text = std::fs::read_to_string(run.join(".hydra").join(name));
            (name, text.unwrap_or_else(|error| panic!("{}: {error}", run.display())).replace(directory, "DIRECTORY"))
        })
        .collect()
}

#[test]
fn a_run_leaves_the_record_that_the_original_leaves() {
    let Some(python) = original() else { return };
    let sandbox = Sandbox::with_data();
    write_application(&sandbox, "train");
    let overrides = ["trainer=ci_fast", "record.nonce='a b'"];
    sandbox.done(&[&["train"], &overrides[..], &["hydra.run.dir=run-1"]].concat());
    let theirs = run_original(&sandbox, &python, &[&["train.py"], &overrides[..], &["hydra.run.dir=run-2"]].concat());
    assert_eq!(theirs.code, 0, "{}", theirs.stderr);
    let record = |name: &str| hydra_record(&sandbox.path(name), name);
    assert_eq!(record("run-1"), record("run-2"));
}

#[test]
fn a_multirun_leaves_the_record_that_the_original_leaves() {
    let Some(python) = original() else { return };
    let sandbox = Sandbox::new();
    write_application(&sandbox, "simulate");
    let overrides = [
        "-m",
        "sim.planets=1",
        "sim.test_planets=1",
        "sim.second_visits=0",
        "sim.seed=1,2",
        "sim.visit_hours=75e-1",
        "sim.out='data/${sim.seed}'",
    ];
    let ours = sandbox.done(&[&["simulate"], &overrides[..], &["hydra.sweep.dir=sweep-1"]].concat());
    let theirs =
        run_original(&sandbox, &python, &[&["simulate.py"], &overrides[..], &["hydra.sweep.dir=sweep-2"]].concat());
    assert_eq!(theirs.code, 0, "{}", theirs.stderr);
    for job in ["0", "1"] {
        let record = |name: &str| hydra_record(&sandbox.path(name).join(job), name);
        assert_eq!(record("sweep-1"), record("sweep-2"), "job {job}");
        let line = theirs.stdout.lines().find_map(|line| line.split_once(&format!("\t#{job} : "))).expect("a job");
        assert!(ours.stderr.contains(&format!("\t#{job} : {}\n", line.1)), "{}", ours.stderr);
    }
    let frame = |name: &str| {
        std::fs::read_to_string(sandbox.path(name).join("multirun.yaml")).expect("read").replace(name, "DIRECTORY")
    };
    assert_eq!(frame("sweep-1"), frame("sweep-2"));
}

/// Writes a case's files and gives the arguments that compose it.
fn case_arguments(case: &Value, root: &Path) -> Vec<String> {
    lay_out(case, root);
    let mut arguments: Vec<String> = ["config", "show", "--json", "--config-dir", "conf"].map(String::from).into();
    if let Some(name) = case["config_name"].as_str() {
        arguments.extend(["--config-name".into(), name.into()]);
    }
    if case["mode"] == "multirun" {
        arguments.push("-m".into());
    }
    arguments.push("--".into());
    arguments
        .extend(case["overrides"].as_array().into_iter().flatten().map(|text| text.as_str().expect("text").into()));
    arguments
}

/// What is wrong with the program's answer to a case.
fn wrong_answer(case: &Value, answer: &Value, code: i32) -> Vec<&'static str> {
    let expected = &case["expected"];
    let is_ok = expected["ok"] == true;
    let mut wrong = Vec::new();
    let mut check = |what, holds: bool| {
        if !holds {
            wrong.push(what);
        }
    };
    // Hydra's own crashes may be any clean error here.
    let same_kind = |kind: &Value| {
        matches!(expected["error_kind"].as_str(), Some("hydra_internal_crash" | "defaults_cycle"))
            || *kind == expected["error_kind"]
    };
    if !is_ok && expected["stage"] != "resolve" {
        check("code", code == 2);
        check("ok", answer["ok"] == false);
        check("stage", answer["stage"] == expected["stage"]);
        check("kind", same_kind(&answer["kind"]));
        check("message", answer["message"].as_str().is_some_and(|message| !message.is_empty()));
        return wrong;
    }
    check("code", code == 0);
    check("ok", answer["ok"] == true);
    if case["mode"] == "multirun" {
        let sorted = |jobs: &Value| {
            let mut jobs = jobs.as_array().cloned().unwrap_or_default();
            if case["unordered"] == true || expected["unordered"] == true {
                jobs.sort_by_key(Value::to_string);
            }
            jobs
        };
        check("jobs", sorted(&answer["jobs"]) == sorted(&expected["jobs"]));
        return wrong;
    }
    // As texts, because the order of keys counts.
    let written = |value: &Value| serde_json::to_string(value).expect("JSON");
    let same = |a: &Value, b: &Value| written(a) == written(b);
    check("unresolved", same(&answer["unresolved"], &expected["unresolved"]));
    check("yaml", answer["yaml"] == expected["yaml"]);
    check("choices", same(&answer["choices"], &expected["choices"]));
    check("overrideDirname", answer["overrideDirname"] == expected["override_dirname"]);
    if is_ok {
        check("resolved", same(&answer["resolved"], &expected["resolved"]));
        check("yaml_resolved", answer["yaml_resolved"] == expected["yaml_resolved"]);
        check("resolve_error", answer["resolve_error"].is_null());
    } else {
        check("resolved", answer["resolved"].is_null());
        check("resolve_error", same_kind(&answer["resolve_error"]["kind"]));
    }
    wrong
}

#[test]
fn the_program_answers_every_case_of_the_suite() {
    let suite = repository().join("crates/hydra-compose/tests/data/cases.jsonl");
    let text = std::fs::read_to_string(suite).expect("read");
    let mut failed = Vec::new();
    let mut count = 0;
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a case");
        let root = tempfile::tempdir().expect("temp dir");
        let mut command = Command::new(env!("CARGO_BIN_EXE_spectramind"));
        command.current_dir(root.path()).env_clear().args(case_arguments(&case, root.path()));
        for (name, value) in case["env"].as_object().into_iter().flatten() {
            command.env(name, value.as_str().expect("a text"));
        }
        let outcome = Outcome::of(&mut command);
        let answer = serde_json::from_str(&outcome.stdout).unwrap_or(Value::Null);
        let wrong = wrong_answer(&case, &answer, outcome.code);
        if !wrong.is_empty() {
            failed.push(format!("{}: {wrong:?}\n  {}{}", case["id"], outcome.stdout, outcome.stderr));
        }
        count += 1;
    }
    println!("{} of {count} cases pass", count - failed.len());
    assert!(failed.is_empty(), "{} of {count} fail:\n{}", failed.len(), failed.join("\n"));
    assert!(count >= 400, "the suite has {count} cases");
}

#[test]
fn bash_completes_groups_options_and_keys() {
    let answers = completions(
        "bash",
        r#"source <(spectramind completion bash)
for line in "$@"; do
    IFS=' ' read -r -a COMP_WORDS <<< "$line"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line} COMP_TYPE=9 COMPREPLY=()
    _clap_complete_spectramind spectramind "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
    echo "${COMPREPLY[*]}"
done
[[ $COMP_WORDBREAKS != *=* ]] && echo unbroken"#,
    );
    assert_completed(&answers.expect("bash is there"), Some("unbroken"));
}

#[test]
fn fish_completes_groups_options_and_keys() {
    let script = r#"spectramind completion fish | source
for line in $argv
    complete --do-complete "$line" | string split --fields 1 \t | string join ' '
end"#;
    if let Some(answers) = completions("fish", script) {
        assert_completed(&answers, None);
    }
}

#[test]
fn zsh_accepts_its_completion() {
    let sandbox = Sandbox::new();
    let code = sandbox.done(&["completion", "zsh"]).stdout;
    assert!(code.contains("#compdef spectramind"), "{code}");
    if !present("zsh", Command::new("zsh").arg("--version").output().is_ok(), "zsh") {
        return;
    }
    std::fs::write(sandbox.path("complete.zsh"), code).expect("write");
    let script = "autoload -Uz compinit && compinit -u -d ./dump && source ./complete.zsh && whence -w _clap_dynamic_completer_spectramind";
    let mut zsh = Command::new("zsh");
    let outcome = Outcome::of(zsh.current_dir(sandbox.path("")).args(["-f", "-c", script]));
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
}

const LINES: [(&str, &str); 8] = [
    ("spectramind tra", "train"),
    ("spectramind train trainer=k", "trainer=kaggle_safe"),
    ("spectramind train trainer.max_e", "trainer.max_epochs="),
    ("spectramind train trainer=ci_fast trainer.max_epochs=", "trainer.max_epochs=1"),
    ("spectramind train -m trainer=ci_fast,dd", "trainer=ci_fast,ddp"),
    ("spectramind predict +hydra/la", "+hydra/launcher="),
    ("spectramind config explain trainer.max_e", "trainer.max_epochs"),
    ("spectramind train --config-name ev", "evaluate"),
];

/// What a shell completes, a line for each of [`LINES`]; nothing where the shell is not there.
fn completions(shell: &str, script: &str) -> Option<String> {
    if !present(shell, Command::new(shell).arg("--version").output().is_ok(), shell) {
        return None;
    }
    let sandbox = Sandbox::new();
    let mut command = Command::new(shell);
    command.current_dir(sandbox.path("")).args(["-c", script]);
    if shell == "bash" {
        command.arg("bash");
    }
    let program = Path::new(env!("CARGO_BIN_EXE_spectramind"));
    let folder = program.parent().expect("a folder").display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let outcome =
        Outcome::of(command.args(LINES.map(|(line, _)| line)).env("PATH", path).env("HOME", sandbox.path("")));
    assert_eq!(outcome.stderr, "", "{shell}");
    Some(outcome.stdout)
}

fn assert_completed(answers: &str, last: Option<&str>) {
    let expected: Vec<&str> = LINES.iter().map(|(_, answer)| *answer).chain(last).collect();
    assert_eq!(answers.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn help_lists_the_groups_and_options_of_the_folder_of_configs() {
    let sandbox = Sandbox::new();
    let help = sandbox.done(&["train", "--help"]).stdout;
    assert!(help.contains("\n  trainer: ablation, ci_fast, ddp, defaults, h100, kaggle_safe, multi_gpu\n"), "{help}");
    copy_tree(&sandbox.path("configs"), &sandbox.path("elsewhere"));
    std::fs::write(sandbox.path("elsewhere/trainer/mine.yaml"), "defaults: [defaults]\n").expect("write");
    let help = sandbox.done(&["train", "-cp", "elsewhere", "-h"]).stdout;
    assert!(help.contains("kaggle_safe, mine, multi_gpu"), "{help}");
}
