//! A program without its sources: configs that come with it, what lies beside it in a release, and what a release is called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox, python_with, repository};

/// Composes what stands in `configs/` there with Hydra itself.
const HYDRA: &str = r#"
import os, sys
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
with initialize_config_dir(config_dir=os.path.abspath("configs"), version_base="1.3"):
    sys.stdout.write(OmegaConf.to_yaml(compose("train", sys.argv[1:])))
"#;

/// Every file below a folder, by its path below it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let below = path.strip_prefix(root).expect("below").display().to_string();
                found.insert(below, std::fs::read(&path).expect("read"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn init_writes_the_tree_of_the_sources_which_hydra_composes() {
    let sandbox = Sandbox::empty();
    let outcome = sandbox.done(&["init"]);
    let (written, sources) = (files(&sandbox.path("configs")), files(&repository().join("configs")));
    assert_eq!(written.keys().collect::<Vec<_>>(), sources.keys().collect::<Vec<_>>());
    assert!(written == sources, "the texts are not those of the sources");
    let next =
        "git init && git add configs .gitignore && git commit --message configs\nspectramind train trainer=ci_fast\n";
    assert!(outcome.stdout.ends_with(next), "{}", outcome.stdout);
    let Some(python) = python_with("hydra") else { return };
    let overrides = ["trainer=ci_fast"];
    let hydra = Outcome::of(sandbox.prepare(Command::new(python)).args(["-c", HYDRA]).args(overrides));
    assert_eq!(hydra.stdout, sandbox.done(&["train", "--cfg", "job", "trainer=ci_fast"]).stdout, "{}", hydra.stderr);
}

#[test]
fn init_again_changes_nothing_and_fills_in_what_is_missing() {
    let sandbox = Sandbox::empty();
    sandbox.done(&["init", "sub/folder"]);
    std::fs::remove_file(sandbox.path("sub/folder/configs/train.yaml")).expect("removed");
    std::fs::write(sandbox.path("sub/folder/.gitignore"), "/runs/\nmine\n").expect("write");
    let outcome = sandbox.done(&["init", "sub/folder"]);
    assert!(outcome.stdout.contains(", 1 of them new\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("not for git: add /data /multirun /outputs\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("\ncd sub/folder\n"), "{}", outcome.stdout);
    assert_eq!(std::fs::read_to_string(sandbox.path("sub/folder/.gitignore")).expect("read"), "/runs/\nmine\n");
    let before = files(&sandbox.path("sub/folder"));
    sandbox.git(&["init", "--quiet"]);
    let outcome = sandbox.done(&["init", "sub/folder"]);
    assert!(outcome.stdout.contains("\ngit add configs"), "already in a repository: {}", outcome.stdout);
    assert!(before == files(&sandbox.path("sub/folder")));
}

#[test]
fn init_writes_nothing_over_or_beside_files_that_differ() {
    let sandbox = Sandbox::empty();
    std::fs::create_dir_all(sandbox.path("configs/trainer")).expect("mkdir");
    for path in ["configs/train.yaml", "configs/trainer/ci_fast.yaml"] {
        std::fs::write(sandbox.path(path), "mine: true\n").expect("write");
    }
    let before = files(&sandbox.path(""));
    let outcome = sandbox.run(&["init"]);
    assert_eq!(outcome.code, 2);
    assert_eq!(
        outcome.stderr,
        "Error: expected no other files than those of this program, got configs/train.yaml, configs/trainer/ci_fast.yaml\n\
         Hint: to see how they differ: spectramind init NEW && diff -r configs NEW/configs\n"
    );
    assert!(before == files(&sandbox.path("")));
}

/// With a repository the commands run in `docs/install.md`, which the tests of the documentation follow.
#[test]
fn outside_a_repository_a_run_says_what_its_audit_will_lack() {
    let sandbox = Sandbox::empty();
    let outcome = sandbox.run(&["train", "trainer=ci_fast"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.ends_with("are written here by: spectramind init\n"), "{}", outcome.stderr);
    sandbox.done(&["init"]);
    let outcome = sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    let warning = "Warning: this directory is in no git repository: the record names no commit that holds the configs, and an audit \
                   answers `git: not checked`, with exit code 3\n  Hint: before the run: git init && git add configs && git commit \
                   --message configs\n";
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
    let audit = sandbox.audit(&[]);
    assert_eq!(audit.code, 3, "{}", audit.stdout);
    assert!(
        audit.stdout.contains("\n  ! git: not checked: the run was made outside a git repository"),
        "{}",
        audit.stdout
    );
}

#[test]
fn every_command_of_both_programs_has_a_manual_page_that_groff_accepts() {
    let pages = Path::new(env!("CARGO_BIN_EXE_spectramind")).with_file_name("examples").join("pages");
    assert!(pages.is_file(), "{} is missing: run the tests as README says, with --workspace", pages.display());
    let folder = tempfile::tempdir().expect("temp dir");
    let outcome = Outcome::of(Command::new(pages).arg(folder.path()));
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let written = files(&folder.path().join("man"));
    let mut expected = BTreeSet::new();
    let sandbox = Sandbox::empty();
    listed(&["spectramind".to_owned()], &|arguments| sandbox.done(arguments).stdout, &mut expected);
    listed(&["spectramind-verify".to_owned()], &|arguments| sandbox.verify(arguments).stdout, &mut expected);
    assert_eq!(written.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(expected.contains("spectramind-keys-trust-add.1") && expected.contains("spectramind-verify-audit.1"));
    // A workload's commands have descriptions of their own.
    let predict = String::from_utf8_lossy(&written["spectramind-predict.1"]);
    assert!(predict.contains("Turn a checkpoint and a split of a data set into a submission"), "{predict}");
    let completions: Vec<_> = files(&folder.path().join("completions")).into_keys().collect();
    assert_eq!(completions, ["_spectramind-verify", "spectramind-verify.bash", "spectramind-verify.fish"]);
    let there = Command::new("groff").arg("--version").output().is_ok();
    if !crate::sandbox::present("groff", there, "groff, which reads manual pages (Debian: groff)") {
        return;
    }
    for page in written.keys() {
        let mut groff = Command::new("groff");
        groff.args(["-k", "-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=100n"]).arg(folder.path().join("man").join(page));
        let outcome = Outcome::of(&mut groff);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{page}");
        assert!(outcome.stdout.contains("SYNOPSIS"), "{page}");
    }
}

/// The names of the pages of a command and of those below it, as `--help` lists them.
fn listed(command: &[String], help: &dyn Fn(&[&str]) -> String, found: &mut BTreeSet<String>) {
    found.insert(format!("{}.1", command.join("-")));
    let arguments: Vec<&str> = command[1..].iter().map(String::as_str).chain(["--help"]).collect();
    let text = help(&arguments);
    let commands = text.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   ")) {
        let name = line.split_whitespace().next().expect("a name");
        if name != "help" {
            listed(&[command, &[name.to_owned()]].concat(), help, found);
        }
    }
}

#[test]
fn binstall_finds_the_archive_that_the_release_script_makes() {
    let metadata = |manifest: &str| -> BTreeMap<String, String> {
        let text = read(manifest);
        let (_, section) = text.split_once("[package.metadata.binstall]\n").expect("the section");
        let lines = section.lines().take_while(|line| !line.is_empty());
        lines
            .map(|line| line.split_once(" = ").expect("a key"))
            .map(|(key, value)| (key.into(), value.into()))
            .collect()
    };
    let (program, verifier) = (metadata("Cargo.toml"), metadata("verifier/Cargo.toml"));
    assert_eq!(program, verifier, "both are in one archive");
    let shell = |text: &str| {
        let names = [("{ version }", "$version"), ("{ target }", "$triple"), ("{ bin }", "BIN"), ("\"", "")];
        names.iter().fold(text.to_owned(), |text, (name, variable)| text.replace(name, variable))
    };
    let script = read("release/build.sh");
    let name = "spectramind-$version-$triple";
    assert!(script.contains(&format!("\nname={name}$variant\n")) && script.contains("> \"$out/$name.tar.gz\"\n"));
    assert_eq!(shell(&program["pkg-url"]), format!("{{ repo }}/releases/download/v$version/{name}.tar.gz"));
    assert_eq!(shell(&program["bin-dir"]), format!("{name}/bin/BIN"));
    assert!(script.contains("\"$built/spectramind\" \"$built/spectramind-verify\" \"$stage/$name/bin/\""));
}

#[test]
fn only_a_tag_of_a_version_publishes() {
    let Some(python) = python_with("yaml") else { return };
    // YAML 1.1 reads the key `on` as true.
    let script = "import json, sys, yaml; print(json.dumps({str(k): v for k, v in yaml.safe_load(sys.stdin).items()}))";
    let mut command = Command::new(python);
    command.args(["-c", script]);
    command.stdin(std::fs::File::open(repository().join(".github/workflows/release.yml")).expect("the workflow"));
    let outcome = Outcome::of(&mut command);
    let workflow: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.stderr));
    let read_only = serde_json::json!({"contents": "read"});
    assert_eq!(workflow["permissions"], read_only);
    for (name, job) in workflow["jobs"].as_object().expect("jobs") {
        if name == "publish" {
            assert_eq!(job["if"], "github.event_name == 'push' && startsWith(github.ref, 'refs/tags/v')");
            assert_eq!(job["needs"], serde_json::json!(["build", "reproduce"]));
        } else {
            assert!(job["permissions"].is_null(), "{name} has no more permissions than to read");
        }
        for step in job["steps"].as_array().expect("steps") {
            let Some(uses) = step["uses"].as_str() else { continue };
            let (_, pin) = uses.split_once('@').expect("a version");
            assert!(pin.len() == 40 && pin.chars().all(|c| c.is_ascii_hexdigit()), "{uses} is not pinned by commit");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_needs_a_newer_glibc_or_another_library_is_refused() {
    let check = |glibc: &str, program: &str| {
        let script = repository().join("release/check-program.sh");
        Outcome::of(Command::new("bash").arg(script).args([glibc, program]))
    };
    let outcome = check("2.5", "/bin/true");
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.stderr.starts_with("/bin/true: expected symbols of glibc 2.5 or older, got up to 2."),
        "{}",
        outcome.stderr
    );
    let outcome = check("9.9", "/bin/true");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert!(outcome.stdout.starts_with("true: "), "{}", outcome.stdout);
    // Bash has a library of terminals.
    let outcome = check("9.9", "/bin/bash");
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("expected no library but glibc's, got libtinfo.so."), "{}", outcome.stderr);
    assert_eq!(check("9.9", &repository().join("Cargo.toml").display().to_string()).code, 1, "not a program");
}
