//! What DVC says of data, with DVC itself: our MD5s are its own, and what differs is refused or recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use spectramind::manifest::verified::read_unverified;
use spectramind::provenance::data::ReadData;
use spectramind::provenance::dvc::{DvcEntries, DvcOutput};
use spectramind::provenance::md5::Md5Kind;

use crate::sandbox::{Outcome, Sandbox, present, repository};

/// A Python with dvc: `SPECTRAMIND_PYTHON`, or `python3`.
fn python() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("SPECTRAMIND_PYTHON").unwrap_or_else(|| "python3".into()));
    let works = Command::new(&python).args(["-c", "import dvc.repo"]).output().is_ok_and(|done| done.status.success());
    present("dvc", works, "a Python with dvc (SPECTRAMIND_PYTHON)").then_some(python)
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What DVC says of a data set, compared.
fn compare(root: &Path) -> Vec<DvcOutput> {
    let entries = DvcEntries::about(root).unwrap_or_else(|error| panic!("{error}"));
    let needed = entries.needed();
    let data = ReadData::of_tree_with(root, |path| needed.of_file(path)).unwrap_or_else(|error| panic!("{error}"));
    entries.compare(&data).unwrap_or_else(|error| panic!("{error}"))
}

/// The files below a folder, in order, but those that `.dvcignore` leaves out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).expect("list") {
            let path = entry.expect("entry").path();
            match path.is_dir() {
                true if path.ends_with("scratch") => {}
                true => pending.push(path),
                false if path.extension().is_some_and(|extension| extension == "tmp") => {}
                false => files.push(path),
            }
        }
    }
    files.sort();
    files
}

#[test]
fn our_md5s_are_dvcs_on_60_random_trees_and_every_change_is_found() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("temp dir");
    let top = folder.path().join("repository");
    succeed(
        Command::new(python).arg(repository().join("tests/oracle/dvc_trees.py")).arg(&top).env("HOME", folder.path()),
    );
    let (mut old, mut ignored) = (0, 0);
    for number in 0..60 {
        let root = top.join(format!("tree {number}"));
        let outputs = compare(&root);
        assert_eq!(outputs.len(), if number % 3 == 0 { 1 } else { 2 }, "tree {number}");
        for output in &outputs {
            assert!(output.matches(), "tree {number}: {output}");
            ignored += output.ignored.len();
            old += usize::from(output.hash == Md5Kind::Dos2Unix);
        }
        let same = || compare(&root).iter().any(DvcOutput::matches);
        let files = files(&root);
        let path = &files[number % files.len()];
        let content = fs::read(path).expect("read");
        let mut flipped = content.clone();
        match flipped.last_mut() {
            // Of a byte that decides about no line end: the old MD5 is blind for the change of CRLF to LF.
            Some(last) => *last ^= 0x40,
            None => flipped.push(b'x'),
        }
        fs::write(path, flipped).expect("write");
        assert!(!same(), "tree {number}: a changed byte of {}", path.display());
        fs::write(path, &content).expect("write");
        let renamed = path.with_file_name("renamed");
        fs::rename(path, &renamed).expect("rename");
        assert!(!same(), "tree {number}: a renamed file");
        fs::remove_file(&renamed).expect("remove");
        assert!(!same(), "tree {number}: a removed file");
        fs::write(path, &content).expect("write");
        assert!(same(), "tree {number} is as it was");
        fs::write(root.join("added"), "").expect("write");
        assert!(!same(), "tree {number}: an added file");
    }
    assert_eq!((old, ignored), (40, 40));
}

/// A sandbox in whose folder DVC keeps the simulated data set.
fn sandbox_with_dvc() -> Option<Sandbox> {
    let python = python()?;
    let sandbox = Sandbox::with_data();
    for arguments in [&["init", "--no-scm"][..], &["config", "core.analytics", "false"], &["add", "data/sim_tiny"]] {
        let mut command = Command::new(&python);
        command.args(["-m", "dvc"]).args(arguments).arg("--quiet").current_dir(sandbox.path(""));
        succeed(command.env("HOME", sandbox.path("../home")));
    }
    Some(sandbox)
}

/// Makes DVC say something else of the data set.
fn falsify(sandbox: &Sandbox) {
    let path = sandbox.path("data/sim_tiny.dvc");
    let text = fs::read_to_string(&path).expect("read");
    let at = text.find("md5: ").expect("an md5") + "md5: ".len();
    let digit = if text[at..].starts_with('0') { "1" } else { "0" };
    fs::write(&path, format!("{}{digit}{}", &text[..at], &text[at + 1..])).expect("write");
}

const TRAIN: [&str; 3] = ["train", "trainer=ci_fast", "run.dir=run"];

#[test]
fn what_dvc_says_is_recorded_and_a_verifier_compares_it_again() {
    let Some(sandbox) = sandbox_with_dvc() else { return };
    sandbox.done(&TRAIN);
    let manifest = fs::read(sandbox.path("run/manifest.intoto.jsonl")).expect("read");
    let data = read_unverified(&manifest).expect("a manifest").predicate.data;
    let dvc = data[0].dvc.as_ref().expect("DVC says something");
    assert_eq!((dvc.outputs, dvc.differing), (1, 0));
    assert!(data[1].dvc.is_none());
    let outcome = sandbox.audit(&[]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains(", 1 outputs of DVC"), "{}", outcome.stdout);

    let path = sandbox.path("data/sim_tiny/train.csv");
    let mut bytes = fs::read(&path).expect("read");
    bytes[20] ^= 1;
    fs::write(&path, bytes).expect("write");
    let outcome = sandbox.verify(&["data", "run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    for piece in ["data/sim_tiny/train.csv changed", "the data set (data/sim_tiny.dvc)"] {
        assert!(outcome.stdout.contains(piece), "{piece}\n{}", outcome.stdout);
    }
}

#[test]
fn data_that_differ_from_dvcs_are_not_trained_on_unless_that_is_recorded() {
    let Some(sandbox) = sandbox_with_dvc() else { return };
    falsify(&sandbox);
    let refused = sandbox.run(&TRAIN);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    for piece in ["data/sim_tiny.dvc", "expected md5 ", "Hint: ", "dvc checkout", "provenance.dvc=record"] {
        assert!(refused.stderr.contains(piece), "{piece}\n{}", refused.stderr);
    }
    assert!(!sandbox.path("run").exists());
    sandbox.done(&[&TRAIN[..], &["provenance.dvc=record"]].concat());
    let manifest = fs::read(sandbox.path("run/manifest.intoto.jsonl")).expect("read");
    let data = read_unverified(&manifest).expect("a manifest").predicate.data;
    assert_eq!(data[0].dvc.as_ref().map(|dvc| (dvc.outputs, dvc.differing)), Some((1, 1)));
    let outcome = sandbox.verify(&["data", "run"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("the data set (data/sim_tiny.dvc): expected md5 "), "{}", outcome.stdout);
}

#[test]
fn a_dvc_file_that_dvc_did_not_write_is_refused_by_name() {
    let sandbox = Sandbox::with_data();
    fs::write(sandbox.path("data/sim_tiny.dvc"), "outs: 3\n").expect("write");
    let refused = sandbox.run(&TRAIN);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("data/sim_tiny.dvc") && refused.stderr.contains("Hint: "), "{}", refused.stderr);
}

#[test]
fn data_that_change_between_hashing_and_the_end_of_the_run_are_not_signed() {
    let sandbox = Sandbox::with_data();
    // Read once when the files are old enough, so that the next run begins with what the cache remembers.
    std::thread::sleep(Duration::from_millis(2100));
    sandbox.done(&TRAIN);
    let long = ["train", "trainer=ci_fast", "trainer.max_epochs=40"];
    for no_cache in [false, true] {
        let (name, flag) = if no_cache { ("read", &["--no-cache"][..]) } else { ("remembered", &[][..]) };
        let folder = format!("run.dir={name}");
        let mut command = sandbox.spectramind(&[&long[..], &[folder.as_str()], flag].concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let begin = Instant::now();
        while !sandbox.path(name).join("provenance.json").exists() {
            assert!(begin.elapsed() < Duration::from_secs(300), "the run does not begin");
            std::thread::sleep(Duration::from_millis(1));
        }
        // As long as before, and by its times as old.
        let path = sandbox.path("data/sim_tiny/train.csv");
        let written = fs::metadata(&path).and_then(|found| found.modified()).expect("a time");
        let mut bytes = fs::read(&path).expect("read");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::write(&path, bytes).expect("write");
        fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(written)).expect("the old time");
        let output = child.wait_with_output().expect("ends");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("changed while the run used it: train.csv changed"), "{stderr}");
        assert!(!sandbox.path(name).join("manifest.intoto.jsonl").exists());
        let mut bytes = fs::read(&path).expect("read");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::write(&path, bytes).expect("write");
    }
}

#[test]
fn a_cache_that_remembers_wrongly_is_found_out_and_no_cache_ignores_it() {
    let sandbox = Sandbox::with_data();
    // Old enough to be remembered.
    std::thread::sleep(Duration::from_millis(2100));
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=first"]);
    let path = sandbox.path("../home/.cache/spectramind/digests-1");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (heading, body) = text.split_once('\n').expect("a heading");
    assert!(heading.starts_with("spectramind-digests-1 ") && body.lines().count() > 300, "{heading}");
    let forged: String = body
        .lines()
        .map(|line| {
            let mut fields: Vec<_> = line.split(' ').map(str::to_owned).collect();
            fields[5] = "7".repeat(64);
            fields.join(" ") + "\n"
        })
        .collect();
    let folder = tempfile::tempdir().expect("temp dir");
    fs::write(folder.path().join("body"), &forged).expect("write");
    let digest = ReadData::of_tree(folder.path()).expect("readable").manifest().files()[0].blake3;
    fs::write(&path, format!("spectramind-digests-1 {digest}\n{forged}")).expect("write");
    let refused = Outcome::of(&mut sandbox.spectramind(&["train", "trainer=ci_fast", "run.dir=second"]));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("got other ones"), "{}", refused.stderr);
    assert!(!sandbox.path("second/manifest.intoto.jsonl").exists());
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=third", "--no-cache"]);
    assert_eq!(sandbox.verify(&["audit", "third", "--program", "installed"]).code, 0, "a verifier reads every byte");
}
