//! A stranger's audit: passes on an honest run, and names what was touched.

use std::path::Path;

use safetensors::SafeTensors;
use spectramind::digest::DomainHasher;
use spectramind::manifest::predicate::{ExitReason, TrainingRun};
use spectramind::manifest::statement::Statement;
use spectramind::manifest::strict_json::ExactF64;
use spectramind::merkle::leaf_hash;

use crate::forgery::{forge, forge_step, put_digest, training};
use crate::sandbox::{Outcome, Sandbox, field, repository, trained, trained_copy};

/// The audit of somebody who was given the public key.
fn audit(sandbox: &Sandbox) -> Outcome {
    let key = sandbox.done(&["keys", "show", "--public"]).stdout;
    std::fs::write(sandbox.path(".git/pub.pem"), key).expect("write key");
    sandbox.audit(&["--key", ".git/pub.pem"])
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let at = at % bytes.len();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).expect("write");
}

/// Flips one bit at several places of a file, each in a fresh copy, and expects exit 1 and the name.
fn assert_flips_are_named(file: &str, check: &str) {
    let size = std::fs::metadata(trained().path(file)).expect("the file is there").len() as usize;
    for at in [0, size / 3, size / 2, size - 1] {
        let sandbox = trained_copy();
        flip(&sandbox.path(file), at);
        let outcome = audit(&sandbox);
        assert_eq!(outcome.code, 1, "byte {at} of {file}\n{}", outcome.stdout);
        let named = file.strip_prefix("run/").unwrap_or(file);
        assert!(failed(&outcome, check).contains(named), "byte {at} of {file} is not named\n{}", outcome.stdout);
    }
}

/// The findings of a check that failed.
fn failed<'a>(outcome: &'a Outcome, check: &str) -> &'a str {
    let heading = format!("  FAILED       {check}\n");
    let (_, rest) = outcome.stdout.split_once(&heading).unwrap_or_else(|| panic!("{heading}\n{}", outcome.stdout));
    rest.split("\n  passed ").next().expect("a piece")
}

/// Removes a file from a fresh copy and expects exit 3 and the name.
fn assert_removal_is_named(file: &str, name: &str) {
    let sandbox = trained_copy();
    std::fs::remove_file(sandbox.path(file)).expect("remove");
    let outcome = audit(&sandbox);
    assert_eq!(outcome.code, 3, "{file}\n{}", outcome.stdout);
    assert!(outcome.stdout.contains(name), "{file}\n{}", outcome.stdout);
}

/// Some file of the simulated data set.
const DATA_FILE: &str = "data/sim_tiny/train.csv";

#[test]
fn an_honest_run_passes_every_check_and_its_replay() {
    let sandbox = trained_copy();
    let outcome = sandbox.audit(&["--replay", "--kaggle"]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    for check in ["signature", "files", "steps", "config", "git", "data", "envelope", "replay"] {
        let line = format!("passed       {check}");
        assert!(outcome.stdout.contains(&line), "{line:?} is missing\n{}", outcome.stdout);
    }
    assert!(outcome.stdout.contains("self-check"), "the own key is no stranger's\n{}", outcome.stdout);
    assert!(outcome.stdout.contains("no check here proves"));
}

#[test]
fn a_strangers_audit_with_the_public_key_is_no_self_check() {
    let outcome = audit(&trained_copy());
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("self-check"), "{}", outcome.stdout);
}

#[test]
fn a_flipped_byte_of_the_manifest_payload_is_named() {
    let path = trained().path("run/manifest.intoto.jsonl");
    let text = std::fs::read_to_string(path).expect("read");
    let payload = text.find(r#""payload":""#).expect("a payload") + r#""payload":""#.len();
    for offset in [0, 1000, 5000] {
        let sandbox = trained_copy();
        let path = sandbox.path("run/manifest.intoto.jsonl");
        let mut bytes = std::fs::read(&path).expect("read");
        // Another letter of the Base64 alphabet, so that it is the payload that is wrong and not the encoding.
        bytes[payload + offset] = if bytes[payload + offset] == b'A' { b'B' } else { b'A' };
        std::fs::write(&path, bytes).expect("write");
        let outcome = audit(&sandbox);
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
        assert!(outcome.stdout.contains("FAILED       signature"), "{}", outcome.stdout);
        assert!(outcome.stdout.contains("manifest.intoto.jsonl"), "{}", outcome.stdout);
    }
}

#[test]
fn a_flipped_byte_of_a_checkpoint_is_named() {
    assert_flips_are_named("run/checkpoints/final.safetensors", "files");
}

#[test]
fn a_flipped_byte_of_a_data_file_is_named() {
    assert_flips_are_named(DATA_FILE, "data");
}

#[test]
fn a_flipped_byte_of_raw_frames_is_named() {
    let planets = std::fs::read_dir(trained().path("data/sim_tiny/train")).expect("list");
    let planet = planets.map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8")).min();
    let file = format!("data/sim_tiny/train/{}/FGS1_signal_0.parquet", planet.expect("a planet"));
    assert_flips_are_named(&file, "data");
}

#[test]
fn a_flipped_byte_of_the_predictions_is_named() {
    assert_flips_are_named("run/predictions.csv", "files");
}

#[test]
fn a_flipped_byte_of_a_config_file_is_named() {
    // In a comment, too, where the composed config stays the same.
    assert_flips_are_named("configs/trainer/ci_fast.yaml", "config");
}

#[test]
fn a_flipped_byte_of_a_step_leaf_is_named_with_its_number() {
    let text = std::fs::read_to_string(trained().path("run/steps.jsonl")).expect("read");
    let third = text.match_indices('\n').nth(1).expect("two lines").0 + 5;
    let sandbox = trained_copy();
    flip(&sandbox.path("run/steps.jsonl"), third);
    let outcome = audit(&sandbox);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("steps.jsonl: leaf 3 is not the one that was signed"), "{}", outcome.stdout);
}

#[test]
fn a_removed_or_reordered_step_leaf_is_found() {
    let text = std::fs::read_to_string(trained().path("run/steps.jsonl")).expect("read");
    let lines: Vec<_> = text.lines().collect();
    let mut swapped = lines.clone();
    swapped.swap(0, 1);
    for changed in [&lines[1..], &lines[..lines.len() - 1], &swapped[..]] {
        let sandbox = trained_copy();
        std::fs::write(sandbox.path("run/steps.jsonl"), changed.join("\n") + "\n").expect("write");
        let outcome = sandbox.verify(&["manifest", "run"]);
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
        assert!(outcome.stdout.contains("FAILED       steps"), "{}", outcome.stdout);
    }
}

#[test]
fn a_removed_manifest_is_not_checked() {
    assert_removal_is_named("run/manifest.intoto.jsonl", "manifest.intoto.jsonl");
}

#[test]
fn a_removed_checkpoint_is_not_checked() {
    assert_removal_is_named("run/checkpoints/final.safetensors", "checkpoints/final.safetensors");
}

#[test]
fn a_removed_step_log_is_not_checked() {
    assert_removal_is_named("run/steps.jsonl", "steps.jsonl");
}

#[test]
fn a_removed_data_file_is_not_checked() {
    assert_removal_is_named(DATA_FILE, DATA_FILE);
}

#[test]
fn a_removed_config_file_is_not_checked() {
    let sandbox = trained_copy();
    std::fs::remove_file(sandbox.path("configs/trainer/ci_fast.yaml")).expect("remove");
    for checks in ["config", "git", "audit"] {
        let outcome = sandbox.verify(&[checks, "run"]);
        assert_eq!(outcome.code, 3, "{}", outcome.stdout);
        assert!(outcome.stdout.contains("configs/trainer/ci_fast.yaml"), "{}", outcome.stdout);
    }
}

#[test]
fn an_uncommitted_change_of_the_sources_is_named() {
    let sandbox = trained_copy();
    flip(&sandbox.path(".gitignore"), 3);
    let outcome = sandbox.verify(&["git", "run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(failed(&outcome, "git").contains(".gitignore"), "{}", outcome.stdout);
}

#[test]
fn another_commit_of_the_sources_is_named() {
    let sandbox = trained_copy();
    std::fs::write(sandbox.path("NOTES"), "later\n").expect("write");
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message=later"]);
    let outcome = sandbox.verify(&["git", "run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("git checkout"), "{}", outcome.stdout);
}

#[test]
fn a_run_of_a_dirty_tree_says_so_and_is_checked_against_the_same_changes() {
    let sandbox = Sandbox::with_data();
    std::fs::write(sandbox.path(".gitignore"), "/run\n/runs\n/data\n").expect("write");
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    let outcome = sandbox.verify(&["git", "run"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("uncommitted changes"), "{}", outcome.stdout);
    std::fs::write(sandbox.path(".gitignore"), "/run\n/data\n").expect("write");
    assert_eq!(sandbox.verify(&["git", "run"]).code, 1);
}

#[test]
fn another_key_is_not_believed() {
    let sandbox = trained_copy();
    sandbox.done(&["keys", "generate", "--out", ".git/other.pem"]);
    let public = sandbox.done(&["keys", "show", "--public", "--signing-key", ".git/other.pem"]).stdout;
    std::fs::write(sandbox.path(".git/other.pub"), public).expect("write");
    let outcome = sandbox.verify(&["manifest", "run", "--key", ".git/other.pub"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("FAILED       signature"), "{}", outcome.stdout);
}

#[test]
fn a_replay_of_a_forged_step_log_names_the_first_step_and_field() {
    // A trainer who signs what was never computed: the signature is good, the bits are not.
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "trainer.max_epochs=2"]);
    forge_step(&sandbox, 10);
    let light = sandbox.audit(&[]);
    assert_eq!(light.code, 0, "without a replay the forgery is consistent\n{}", light.stdout);
    let outcome = sandbox.verify(&["replay", "run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("step 10, lossBits"), "{}", outcome.stdout);
}

#[test]
fn a_replay_finds_what_was_signed_and_never_computed() {
    let swapped = |sandbox: &Sandbox, statement: &mut Statement<TrainingRun>| {
        flip(&sandbox.path("run/checkpoints/final.safetensors"), 5000);
        put_digest(sandbox, statement, "checkpoints/final.safetensors");
    };
    let better = |_: &Sandbox, statement: &mut Statement<TrainingRun>| {
        statement.predicate.metrics[0].value = ExactF64::new(0.99).expect("finite");
    };
    let another_root = |_: &Sandbox, statement: &mut Statement<TrainingRun>| {
        training(statement).steps.merkle_root = leaf_hash(b"another");
    };
    let interrupted = |_: &Sandbox, statement: &mut Statement<TrainingRun>| {
        statement.predicate.exit.reason = ExitReason::EarlyStopped;
    };
    type Forgery<'a> = &'a dyn Fn(&Sandbox, &mut Statement<TrainingRun>);
    let forgeries: [(Forgery<'_>, &str); 4] = [
        (&swapped, "checkpoints/final.safetensors"),
        (&better, "metrics"),
        (&another_root, "step root"),
        (&interrupted, "exit"),
    ];
    for (forgery, named) in forgeries {
        let sandbox = trained_copy();
        forge(&sandbox, |statement| forgery(&sandbox, statement));
        let outcome = sandbox.verify(&["replay", "run"]);
        assert_eq!(outcome.code, 1, "{named}\n{}", outcome.stdout);
        assert!(failed(&outcome, "replay").contains(named), "{named}\n{}", outcome.stdout);
    }
}

#[test]
fn a_record_of_other_data_than_were_trained_on_is_found() {
    let sandbox = trained_copy();
    forge(&sandbox, |statement| statement.predicate.data[0].root = "data/official".into());
    let outcome = sandbox.verify(&["config", "run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(failed(&outcome, "config").contains("data sets"), "{}", outcome.stdout);
}

#[test]
fn light_curves_that_were_edited_by_hand_do_not_survive_a_replay() {
    let sandbox = Sandbox::with_data();
    let curves = sandbox.path("data/sim_tiny-calibrated/train/light_curves.safetensors");
    let size = std::fs::metadata(&curves).expect("curves").len() as usize;
    flip(&curves, size - 4000);
    let refused = sandbox.run(&["train", "trainer=ci_fast", "run.dir=run"]);
    assert_eq!(refused.code, 1, "a disk's error is found at once\n{}", refused.stderr);
    assert!(refused.stderr.contains("expected light curves with the digest at its end"), "{}", refused.stderr);
    // Whoever edits them on purpose writes another digest as well.
    let mut bytes = std::fs::read(&curves).expect("read");
    let mut hasher = DomainHasher::new("spectramind/ariel/light-curves/v1");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let tensor = file.tensor("light_curves").expect("light curves");
    let rows = tensor.data().chunks_exact(tensor.data().len() / tensor.shape()[0]);
    rows.for_each(|row| _ = hasher.field(row));
    bytes[size - 32..].copy_from_slice(hasher.finish().as_bytes());
    std::fs::write(&curves, bytes).expect("write");
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    assert_eq!(sandbox.audit(&[]).code, 0, "the record is true of what was trained on");
    let outcome = sandbox.verify(&["replay", "run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
}

#[test]
fn the_printed_command_verifies_a_run_signed_with_ones_own_key() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate", "--out", "own.pem"]);
    let printed = sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "--signing-key", "own.pem"]).stdout;
    let words: Vec<_> = field(&printed, "verify ").split(' ').skip(1).collect();
    let outcome = sandbox.verify(&words);
    assert_eq!(outcome.code, 0, "{words:?}\n{}", outcome.stdout);
    assert!(!outcome.stdout.contains("self-check"));
}

#[test]
fn the_json_report_follows_its_schema() {
    let outcome = trained().audit(&["--json"]);
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let schema = std::fs::read(repository().join("schemas/report.schema.json")).expect("schema");
    let schema: serde_json::Value = serde_json::from_slice(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&report), "{report}");
    assert_eq!(report["checks"].as_array().map(Vec::len), Some(10));
    assert!(!validator.is_valid(&serde_json::json!({ "checks": [] })));
}

#[test]
fn a_data_set_that_the_run_did_not_use_is_not_checked_by_mistake() {
    let outcome = trained().verify(&["data", "run", "--data", "sim_tinny=data/sim_tiny"]);
    assert_eq!(outcome.code, 3, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("sim_tinny"), "{}", outcome.stdout);
}

#[test]
fn a_replay_makes_missing_light_curves_for_itself_and_writes_nothing_of_the_users() {
    let sandbox = trained_copy();
    let curves = sandbox.path("data/sim_tiny-calibrated/train/light_curves.safetensors");
    std::fs::remove_file(&curves).expect("remove");
    assert_eq!(sandbox.verify(&["replay", "run"]).code, 0);
    assert!(!curves.exists());
    // Of derived data that are not here it is said that they are not.
    let outcome = sandbox.verify(&["data", "run"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("derived data that are not here, so they were not compared"), "{}", outcome.stdout);
}
