//! Data that were trained on and not signed, or signed and not there.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use spectramind::provenance::data::ReadData;

use super::{assert_fails, assert_not_checked};
use crate::forgery::{forge, put_list, put_origin};
use crate::sandbox::{Outcome, Sandbox, copy_tree, present, trained, trained_copy};

/// By which the data set counts as one that the run simulated.
const DERIVED: &str = "data.simulation=tiny";

/// Plants a second visit of every planet: files that no official list names.
fn plant_visits(root: &Path) {
    for entry in std::fs::read_dir(root.join("train")).expect("list").take(16) {
        let planet = entry.expect("an entry").path();
        for instrument in ["FGS1", "AIRS-CH0"] {
            let signal = |visit| planet.join(format!("{instrument}_signal_{visit}.parquet"));
            let frames = |visit| planet.join(format!("{instrument}_calibration_{visit}"));
            std::fs::copy(signal(0), signal(9)).expect("copy");
            copy_tree(&frames(0), &frames(9));
        }
    }
}

/// A run on planted visits that claims the official list; raw or derived data by the overrides.
fn run_on_planted_visits(overrides: &[&str]) -> Sandbox {
    let sandbox = Sandbox::with_data();
    let official = ReadData::of_tree(&sandbox.path("data/sim_tiny")).expect("hashes").manifest().to_jsonl();
    std::fs::remove_dir_all(sandbox.path("data/sim_tiny-calibrated")).expect("remove");
    plant_visits(&sandbox.path("data/sim_tiny"));
    sandbox.done(&[&["train", "trainer=ci_fast", "run.dir=run"], overrides].concat());
    forge(&sandbox, |statement| {
        put_list(&sandbox, statement, 0, &official);
        put_origin(&sandbox, statement);
    });
    sandbox
}

#[test]
fn a1_files_that_the_signed_list_does_not_name_are_a_failure() {
    let sandbox = run_on_planted_visits(&[]);
    assert_fails(&sandbox.audit(&["--replay"]), "listed files, got");
    // Taken away again, what was trained on does not come out.
    let clean = trained().path("data/sim_tiny");
    let data = format!("sim_tiny={}", clean.display());
    let outcome = sandbox.verify(&["replay", "run", "--data", &data]);
    assert_fails(&outcome, "replay: FAILED");
}

#[test]
fn a1_planted_files_among_simulated_data_do_not_come_out_of_the_simulation() {
    let sandbox = run_on_planted_visits(&[DERIVED]);
    assert_fails(&sandbox.audit(&[]), "listed files, got");
    // Nor where the checker has no data at all.
    std::fs::remove_dir_all(sandbox.path("data")).expect("remove");
    assert_fails(&sandbox.audit(&["--replay"]), "made again");
}

#[test]
fn a1_an_empty_list_is_no_list_of_what_was_trained_on() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    forge(&sandbox, |statement| {
        put_list(&sandbox, statement, 0, "");
        put_origin(&sandbox, statement);
    });
    assert_fails(&sandbox.audit(&["--replay"]), "listed files, got");
    // Also where the folder is as empty as the list.
    std::fs::create_dir(sandbox.path("empty")).expect("create");
    let outcome = sandbox.verify(&["replay", "run", "--data", "sim_tiny=empty"]);
    assert_fails(&outcome, "replay: FAILED");
}

#[test]
fn a1c_counts_of_data_that_the_list_does_not_have_are_a_failure() {
    for change in [(1_000_000, None), (0, None), (u64::MAX, Some(9_000_000_000_000))] {
        let sandbox = trained_copy();
        forge(&sandbox, |statement| {
            let record = &mut statement.predicate.data[0];
            match change {
                (_, Some(bytes)) => record.bytes.0 = bytes,
                (files, None) => record.files = files,
            }
            put_origin(&sandbox, statement);
        });
        assert_fails(&sandbox.audit(&[]), "as the record says, got");
    }
}

#[test]
fn a17_a_record_has_nothing_hashed_or_named_outside_of_data_folders() {
    let secret = tempfile::tempdir().expect("temp dir");
    std::fs::write(secret.path().join("id_ed25519"), "a secret").expect("write");
    let digest = spectramind::digest::FileDigest::of_bytes(b"a secret").blake3;
    let list = format!("{{\"path\":\"id_ed25519\",\"size\":1,\"blake3\":\"{}\"}}\n", "0".repeat(64));
    let sandbox = trained_copy();
    std::fs::create_dir(sandbox.path("home")).expect("create");
    std::fs::write(sandbox.path("home/id_ed25519"), "a secret").expect("write");
    std::os::unix::fs::symlink(secret.path(), sandbox.path("link")).expect("a link");
    let absolute = secret.path().to_str().expect("UTF-8").to_owned();
    for root in [absolute.as_str(), "/", "/usr", "..", "../..", "link", ".git", "home"] {
        let sandbox = &sandbox;
        forge(sandbox, |statement| {
            statement.predicate.data[0].root = root.into();
            statement.predicate.data[0].role = spectramind::manifest::predicate::DataRole::Raw;
            put_list(sandbox, statement, 0, &list);
            put_origin(sandbox, statement);
        });
        let outcome = sandbox.verify(&["data", "run"]);
        assert_ne!(outcome.code, 0, "{root}\n{}", outcome.stdout);
        assert!(!outcome.stdout.contains(&digest.to_string()), "{root}\n{}", outcome.stdout);
        if root != "home" {
            assert_not_checked(&outcome, "--data sim_tiny=DIR");
        }
    }
}

#[test]
fn a6_a_pipe_among_the_data_is_a_failure_and_keeps_nobody_waiting() {
    let sandbox = trained_copy();
    super::files::pipe(&sandbox.path("data/sim_tiny/x"));
    assert_fails(&sandbox.verify(&["data", "run"]), "special file");
}

#[test]
fn a19_a_bomb_in_the_place_of_a_table_is_refused_unread() {
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    let axes = sandbox.path("data/sim_tiny/axis_info.parquet");
    let file = std::fs::File::options().write(true).open(axes).expect("open");
    file.set_len(1 << 40).expect("a sparse file");
    for command in ["data", "replay"] {
        let outcome = sandbox.verify(&[command, "run"]);
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
        assert!(outcome.stdout.contains("axis_info.parquet"), "{}", outcome.stdout);
    }
}

#[test]
fn data_that_were_exchanged_after_they_were_checked_are_not_read() {
    // The replay reads by itself, whatever an earlier check saw.
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    assert_eq!(sandbox.verify(&["replay", "run"]).code, 0);
    let table = sandbox.path("data/sim_tiny/train.csv");
    let text = std::fs::read_to_string(&table).expect("read");
    std::fs::write(&table, text.replacen("0.01", "0.02", 1)).expect("write");
    let outcome = sandbox.verify(&["replay", "run"]);
    assert_fails(&outcome, "replay: FAILED");
    assert!(outcome.stdout.contains("got other ones"), "by the bytes that were read\n{}", outcome.stdout);
}

#[test]
fn the_files_that_a_replay_opens_are_the_signed_ones_and_nothing_else() {
    let works = Command::new("strace").args(["-f", "-y", "--seccomp-bpf", "-o", "/dev/null", "true"]).output();
    if !present("strace", works.is_ok_and(|output| output.status.success()), "strace, allowed to trace") {
        return;
    }
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    // Beside the data set, in the same folder, and looking like it.
    copy_tree(&sandbox.path("data/sim_tiny"), &sandbox.path("data/sim_tiny-official"));
    let trace = sandbox.path(".git/trace");
    let mut command = sandbox.prepare(Command::new("strace"));
    command.args(["-f", "-y", "--seccomp-bpf", "-e", "trace=open,openat,openat2", "-o"]).arg(&trace);
    let outcome = Outcome::of(command.arg(crate::sandbox::verifier()).args(["replay", "run"]));
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    let list = std::fs::read_to_string(sandbox.path("run/provenance/sim_tiny.jsonl")).expect("read");
    let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("a line")["path"].clone();
    let listed: BTreeSet<String> = list.lines().map(|text| line(text).as_str().expect("a path").to_owned()).collect();
    let root = sandbox.path("data").canonicalize().expect("a folder");
    let text = std::fs::read_to_string(&trace).expect("read");
    let mut opened = BTreeSet::new();
    for path in text.lines().filter_map(|line| line.rsplit_once("= ")?.1.split_once('<')?.1.strip_suffix('>')) {
        let Ok(below) = Path::new(path).strip_prefix(&root) else { continue };
        if !Path::new(path).is_dir() {
            opened.insert(below.to_str().expect("UTF-8").to_owned());
        }
    }
    let expected: BTreeSet<String> = listed.iter().map(|path| format!("sim_tiny/{path}")).collect();
    let calibrated = "sim_tiny-calibrated/train/light_curves.safetensors".to_owned();
    // The check of the data looks at derived data that are here; the replay makes them for itself.
    let expected: BTreeSet<String> = expected.into_iter().chain([calibrated]).collect();
    assert_eq!(opened, expected);
}
