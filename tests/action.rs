//! The GitHub Action of this repository, its steps executed as a runner would, from a second repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox, copy_tree, python_with, repository, verifier};

/// Executes the steps of `action.yml` in a repository; what they printed, and the exit code of the first that failed.
pub fn run_action(python: &Path, directory: &Path, inputs: &[(&str, &str)]) -> Outcome {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let parsed = Outcome::of(Command::new(python).args(["-c", script]).arg(repository().join("action.yml")));
    let action: Value =
        serde_json::from_str(&parsed.stdout).unwrap_or_else(|error| panic!("{error}: {}", parsed.stderr));
    assert_eq!(action["runs"]["using"], "composite");
    let mut values = BTreeMap::new();
    for (name, input) in action["inputs"].as_object().expect("inputs") {
        let given = inputs.iter().find(|(given, _)| given == name).map(|(_, value)| (*value).to_owned());
        let default = input["default"].as_str().expect("a default").to_owned();
        values.insert(format!("inputs.{name}"), given.unwrap_or(default));
    }
    assert!(
        inputs.iter().all(|(name, _)| values.contains_key(&format!("inputs.{name}"))),
        "an input that there is not"
    );
    values.insert("github.action_path".into(), repository().display().to_string());
    let filled = |text: &str| {
        let filled = values
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{{ {name} }}}}"), value));
        assert!(!filled.contains("${{"), "{filled}");
        filled
    };
    let folder = tempfile::tempdir().expect("temp dir");
    let (mut environment, mut whole) = (Vec::new(), Outcome { code: 0, stdout: String::new(), stderr: String::new() });
    for (number, step) in action["runs"]["steps"].as_array().expect("steps").iter().enumerate() {
        assert_eq!(step["shell"], "bash");
        let (script, variables) = (folder.path().join(format!("{number}.sh")), folder.path().join("env"));
        std::fs::write(&script, step["run"].as_str().expect("a script")).expect("write");
        std::fs::write(&variables, "").expect("write");
        let mut command = Command::new("bash");
        // What a runner calls `shell: bash`.
        command.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(&script);
        command.current_dir(directory.join(filled(step["working-directory"].as_str().unwrap_or("."))));
        command.env("GITHUB_ENV", &variables).env("RUNNER_TEMP", folder.path()).envs(environment.iter().cloned());
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            command.env(name, filled(value.as_str().expect("a text")));
        }
        let outcome = Outcome::of(&mut command);
        whole.code = outcome.code;
        whole.stdout += &outcome.stdout;
        whole.stderr += &outcome.stderr;
        if outcome.code != 0 {
            return whole;
        }
        let lines = std::fs::read_to_string(&variables).expect("read");
        environment.extend(
            lines
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
    }
    whole
}

#[test]
fn a_strangers_repository_passes_when_clean_and_fails_with_the_reason_on_the_first_screen() {
    let Some(python) = python_with("yaml") else { return };
    let verifier = verifier().display().to_string();
    let sandbox = Sandbox::empty();
    let repository_of_theirs = sandbox.path("theirs");
    std::fs::create_dir(&repository_of_theirs).expect("mkdir");
    let write = |text: &str| std::fs::write(repository_of_theirs.join("train.py"), text).expect("write");
    let twice = [("verifier", verifier.as_str()), ("arguments", "twice --vary hash-seed -- python3 train.py")];
    let run = |inputs: &[(&str, &str)]| run_action(&python, &repository_of_theirs, inputs);
    write("open('out.txt', 'w').write(' '.join(sorted({'a', 'b', 'c', 'd', 'e'})))\n");
    let outcome = run(&twice);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    write("open('out.txt', 'w').write(' '.join({'a', 'b', 'c', 'd', 'e'}))\n");
    let outcome = run(&twice);
    assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
    let screen: String = outcome.stdout.lines().take(24).collect();
    assert!(screen.contains("hash-seed") && screen.contains("out.txt"), "{}", outcome.stdout);

    // Golden cases of theirs, by our workload.
    copy_tree(&repository().join("configs"), &repository_of_theirs.join("configs"));
    copy_tree(&repository().join("golden/v50"), &repository_of_theirs.join("golden/v50"));
    let golden = [("verifier", verifier.as_str())];
    let outcome = run(&golden);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    let case = repository_of_theirs.join("golden/v50/case.json");
    let text = std::fs::read_to_string(&case).expect("read");
    std::fs::write(&case, text.replace("data.batch_size=4", "data.batch_size=5")).expect("write");
    let outcome = run(&golden);
    assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
    let screen: String = outcome.stdout.lines().take(24).collect();
    assert!(screen.contains("step 1, samples: expected"), "{}", outcome.stdout);
}
