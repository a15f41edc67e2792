//! The folder that a competitor uploads.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox, python_with, trained, trained_copy};

/// Runs the code of a notebook's cells one after another, in one namespace, as Jupyter does; the inputs lie elsewhere than at Kaggle.
const RUN_CELLS: &str = r#"
import json, sys
names = {"__name__": "__main__"}
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code":
        source = "".join(cell["source"]).replace('"/kaggle/input"', repr(sys.argv[2]))
        exec(compile(source, cell["id"], "exec"), names)
"#;

/// The notebook of `inputs/package`, run in an empty folder and without any environment.
fn notebook(python: &Path, inputs: &Path, work: &Path) -> Outcome {
    std::fs::create_dir(work).expect("an empty folder");
    let mut command = Command::new(python);
    command.args(["-I", "-c", RUN_CELLS]).arg(inputs.join("package/predict.ipynb")).arg(inputs);
    Outcome::of(command.env_clear().current_dir(work))
}

fn package(sandbox: &Sandbox, out: &Path, more: &[&str]) -> Outcome {
    sandbox.run(&[&["package", "run", "--out", &out.display().to_string()], more].concat())
}

fn planets(csv: &str) -> Vec<&str> {
    csv.lines().skip(1).map(|row| row.split(',').next().expect("a cell")).collect()
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn a_package_predicts_offline_in_a_bare_python_and_its_run_passes_an_audit() {
    let Some(python) = python_with("hashlib, json, platform") else { return };
    let sandbox = trained();
    let folder = tempfile::tempdir().expect("temp dir");
    let inputs = folder.path().join("inputs");
    std::fs::create_dir(&inputs).expect("made");
    let outcome = package(sandbox, &inputs.join("package"), &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("glibc 2.") && outcome.stderr.is_empty(), "{}{}", outcome.stdout, outcome.stderr);
    std::os::unix::fs::symlink(sandbox.path("data/sim_tiny"), inputs.join("competition")).expect("a link");

    let work = folder.path().join("work");
    let outcome = notebook(&python, &inputs, &work);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("spectramind-verify audit run --key PUB.pem --replay"), "{}", outcome.stdout);
    let submission = std::fs::read_to_string(work.join("submission.csv")).expect("a submission");
    let sample = std::fs::read_to_string(sandbox.path("data/sim_tiny/sample_submission.csv")).expect("the sample");
    assert_eq!(planets(&submission), planets(&sample));
    assert!(planets(&sample).len() > 1 && submission.lines().all(|row| row.split(',').count() == 567));
    // The same as predicted where the run was made.
    let out = folder.path().join("here.csv");
    let calibrated = folder.path().join("calibrated");
    let [out_key, calibrated_key] = [format!("out={}", out.display()), format!("calib.out={}", calibrated.display())];
    sandbox.done(&["predict", "checkpoint=run", &out_key, &calibrated_key]);
    assert_eq!(std::fs::read_to_string(out).expect("a submission"), submission);

    let run = inputs.join("package/run");
    let audit = sandbox.verify(&["audit", &run.display().to_string(), "--program", "installed"]);
    assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);

    // A package that was changed on its way is not run.
    let path = inputs.join("package/configs/predict.yaml");
    let text = std::fs::read_to_string(&path).expect("read").replace("split: test", "split: train");
    std::fs::write(&path, text).expect("write");
    let outcome = notebook(&python, &inputs, &folder.path().join("again"));
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stderr.contains("configs/predict.yaml: expected sha256"), "{}", outcome.stderr);
    assert!(!folder.path().join("again/submission.csv").exists());
}

#[test]
fn a_file_that_is_not_the_signed_one_is_not_packed_and_nothing_is_left() {
    let sandbox = trained_copy();
    let folder = tempfile::tempdir().expect("temp dir");
    let out = folder.path().join("package");
    let checkpoint = sandbox.path("run/checkpoints/final.safetensors");
    let signed = std::fs::read(&checkpoint).expect("read");
    let mut changed = signed.clone();
    *changed.last_mut().expect("not empty") ^= 1;
    for (name, bytes) in [("changed", Some(changed)), ("missing", None)] {
        match bytes {
            Some(bytes) => std::fs::write(&checkpoint, bytes).expect("write"),
            None => std::fs::remove_file(&checkpoint).expect("remove"),
        }
        let outcome = package(&sandbox, &out, &[]);
        assert_eq!(outcome.code, 1, "{name}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("checkpoints/final.safetensors"), "{name}: {}", outcome.stderr);
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 0, "{name}");
    }
    // A file that nobody signed does not travel with the others.
    std::fs::write(&checkpoint, signed).expect("write");
    std::fs::write(sandbox.path("run/notes.txt"), "mine").expect("write");
    let outcome = package(&sandbox, &out, &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(!out.join("run/notes.txt").exists());
    let index: Value =
        serde_json::from_slice(&std::fs::read(out.join("spectramind-package.json")).expect("read")).expect("JSON");
    assert!(index["files"]["run/checkpoints/final.safetensors"].is_string());
}

#[test]
fn a_place_that_is_taken_and_a_program_for_something_else_are_refused() {
    let sandbox = trained();
    let folder = tempfile::tempdir().expect("temp dir");
    let refused = |outcome: Outcome, words: &str| {
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "no {words:?} in\n{}", outcome.stderr);
    };
    refused(package(sandbox, folder.path(), &[]), "expected a new folder");
    refused(package(sandbox, &sandbox.path("run/package"), &[]), "outside the run directory");
    let script = folder.path().join("script");
    std::fs::write(&script, "#!/bin/sh\n").expect("write");
    let out = folder.path().join("package");
    let outcome = package(sandbox, &out, &["--program", &script.display().to_string()]);
    refused(outcome, "expected a Linux program for x86-64");
    assert!(!out.exists());
}
