//! A run directory as a whole: files added, removed, swapped, changed, and replaced by things of odd types; by a stranger,
//! whose every change has to be found, or by a trainer who signs again. No check may panic, wait, or fill memory.
//!
//! The honest run is `fuzz/run` (see README.md); here it is signed again with a key that the target knows.

#![no_main]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use spectramind::config::{Composer, SearchPath};
use spectramind::digest::sha256;
use spectramind::manifest::dsse::{Envelope, Profile};
use spectramind::manifest::key::SigningKey;
use spectramind::manifest::predicate::{FileRecord, TrainingRun};
use spectramind::manifest::statement::{Statement, Subject};
use spectramind::manifest::strict_json::{self, DecimalU64};
use spectramind::manifest::trust::Trust;
use spectramind::manifest::verified::read_unverified;
use spectramind::provenance::path::RelativePath;
use spectramind::verify::{DataPlaces, Derived, MANIFEST, ProgramPlace, Unsigned, Verdict, VerifiedRun};

struct Honest {
    files: Vec<(String, Vec<u8>)>,
    statement: Statement<TrainingRun>,
    key: SigningKey,
    scratch: PathBuf,
}

static HONEST: LazyLock<Honest> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("run");
    let entries = spectramind::foreign::list(&root, 1000).expect("fuzz/run: make it as README.md says");
    let read = |name: String| {
        let bytes = fs::read(root.join(&name)).expect("a readable file");
        (name, bytes)
    };
    let files: Vec<_> = entries.into_iter().map(|entry| read(entry.name)).collect();
    let manifest = &files.iter().find(|(name, _)| name == MANIFEST).expect("a manifest").1;
    let statement = read_unverified(manifest).expect("a statement");
    let scratch = std::env::temp_dir().join(format!("spectramind-fuzz-{}", std::process::id()));
    Honest { statement, key: SigningKey::from_random(&[1; 32]), scratch, files }
});

/// The fuzzer's bytes, one after the other; zeros when they are used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, count: usize) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()])) % count.max(1)
    }
}

/// What lies there, if it is an ordinary file: the target itself must not read what it lays for others.
fn bytes_of(path: &Path) -> Option<Vec<u8>> {
    let found = path.symlink_metadata().ok()?;
    if found.is_file() && found.len() < 1 << 24 { fs::read(path).ok() } else { None }
}

/// Does one thing to the run directory; says whether it changed what an honest run holds.
fn change(root: &Path, choices: &mut Choices<'_>) -> bool {
    let files = &HONEST.files;
    let (name, honest) = &files[choices.below(files.len())];
    let path = root.join(name);
    let remove = || if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    match choices.byte() % 12 {
        0 => remove().is_ok(),
        1 => {
            let at = choices.below(honest.len());
            let flip = choices.byte().max(1);
            let Some(mut bytes) = bytes_of(&path) else { return false };
            match bytes.get_mut(at) {
                Some(byte) => {
                    *byte ^= flip;
                    fs::write(&path, bytes).is_ok()
                }
                None => false,
            }
        }
        2 => remove().is_ok() && symlink("/dev/zero", &path).is_ok(),
        3 => remove().is_ok() && symlink("/etc/passwd", &path).is_ok(),
        4 => remove().is_ok() && std::process::Command::new("mkfifo").arg(&path).status().is_ok(),
        5 => remove().is_ok() && fs::create_dir(&path).is_ok(),
        6 => remove().is_ok() && fs::File::create(&path).and_then(|file| file.set_len(1 << 42)).is_ok(),
        7 => {
            let other = root.join(&files[choices.below(files.len())].0);
            other != path && fs::rename(&other, &path).is_ok()
        }
        8 => {
            let name = format!("{}/x{}", ["", "checkpoints", "logs", "new"][choices.below(4)], choices.byte());
            let path = root.join(name.trim_start_matches('/'));
            fs::create_dir_all(path.parent().expect("a folder")).is_ok() && fs::write(path, "x").is_ok()
        }
        9 => {
            let length = choices.below(honest.len());
            bytes_of(&path).is_some() && fs::write(&path, &honest[..length]).is_ok()
        }
        10 => {
            let piece = [choices.byte(), choices.byte(), b'\n'];
            let Some(bytes) = bytes_of(&path) else { return false };
            fs::write(&path, [bytes, piece.to_vec()].concat()).is_ok()
        }
        _ => symlink(root, root.join(format!("loop{}", choices.byte()))).is_ok(),
    }
}

/// Signs the statement, perhaps with what lies there now, perhaps with some of its bytes changed.
fn sign(root: &Path, choices: &mut Choices<'_>, is_trainer: bool) {
    let mut statement = HONEST.statement.clone();
    if is_trainer && choices.byte() % 2 == 0 {
        for (subject, file) in statement.subject.iter_mut().zip(&mut statement.predicate.files) {
            let path = root.join(subject.name.as_str());
            if let Some(bytes) = bytes_of(&path) {
                subject.digest.sha256 = sha256(&bytes);
                file.size = DecimalU64(bytes.len() as u64);
            }
        }
        if choices.byte() % 4 == 0 {
            let path = RelativePath::parse("zz").expect("a path");
            statement.subject.push(Subject::new(path.clone(), sha256(b"x")));
            statement.predicate.files.push(FileRecord { path, size: DecimalU64(u64::MAX) });
        }
    }
    let mut payload = strict_json::to_vec(&statement).expect("a payload");
    if is_trainer {
        for _ in 0..choices.byte() % 8 {
            let at = choices.below(payload.len());
            payload[at] = choices.byte();
        }
    }
    let envelope = Envelope::sign(&payload, &[&HONEST.key]).expect("signs");
    let path = root.join(MANIFEST);
    // Not through a link or a pipe that stands there by now.
    if path.symlink_metadata().map_or(true, |found| found.is_file()) {
        let _ = fs::write(path, envelope.to_line().expect("a line"));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let root = HONEST.scratch.join("run");
    let _ = fs::remove_dir_all(&root);
    for (name, bytes) in &HONEST.files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("create");
        fs::write(path, bytes).expect("write");
    }
    let mut choices = Choices(bytes);
    let is_trainer = choices.byte() % 2 == 1;
    sign(&root, &mut Choices(&[]), false);
    let count = choices.byte() % 6;
    let changed = (0..count).fold(false, |changed, _| change(&root, &mut choices) || changed);
    if is_trainer {
        sign(&root, &mut choices, true);
    }

    let at = jiff::Timestamp::from_second(1_790_000_000).expect("a time");
    let trust = Trust::single(HONEST.key.public());
    let (signature, run) = VerifiedRun::open(&root, &trust, at, Profile::Strict);
    let Some(run) = run else {
        assert_ne!(signature.verdict, Verdict::Passed);
        return;
    };
    let files = run.check_files(&Unsigned::default());
    if changed && !is_trainer {
        // One that put everything back as it was is no change.
        let is_as_it_was = HONEST
            .files
            .iter()
            .all(|(name, bytes)| name == MANIFEST || bytes_of(&root.join(name)).is_some_and(|found| found == *bytes));
        let has_no_more = spectramind::foreign::list(&root, 1000).is_ok_and(|found| found.len() == HONEST.files.len());
        assert!(files.verdict != Verdict::Passed || is_as_it_was && has_no_more, "{:?}", files.findings);
    }
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
    let (_, config) = run.check_config(&Composer::new(SearchPath::of_directory(&configs)), &configs);
    let places = DataPlaces { named: &[], work_tree: &HONEST.scratch };
    let _ = (run.check_steps(), run.check_record(), run.check_data(places, Derived::ByReplay));
    let _ = (run.check_envelope(None), run.check_end(config.as_ref()), run.check_program(ProgramPlace::Recorded, None));
});
