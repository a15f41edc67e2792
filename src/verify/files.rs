//! The files of the run directory: every signed one, none besides, and the step log against its Merkle root.

use std::collections::BTreeSet;
use std::path::Path;

use gix_glob::wildmatch;
use gix_glob::wildmatch::Mode;
use serde::Deserialize;

use super::coverage::{Coverage, coverage};
use super::{Check, MANIFEST, VERDICT, VerifiedRun};
use crate::digest::{Blake3Digest, sha256};
use crate::event_log::METRICS;
use crate::foreign::{self, ForeignError};
use crate::manifest::predicate::StepsRecord;
use crate::manifest::statement::Subject;
use crate::merkle::{MerkleLog, leaf_hash};

/// Hashes of the step leaves, one hex line each, beside the step log: they let a checker name the leaf that changed.
pub const STEP_LEAVES: &str = "steps.leaves";

/// Most entries of a run directory that are looked at.
const MAX_ENTRIES: u64 = 100_000;

/// Largest step leaf in bytes; with the signed number of leaves the bound of the step log.
const MAX_LEAF_BYTES: u64 = 4096;

/// Files that may lie in the run directory unsigned, as patterns of gitignore's kind: `*` within a folder, `**` across.
#[derive(Debug, Clone, Default)]
pub struct Unsigned(pub Vec<String>);

impl Unsigned {
    fn allows(&self, name: &str) -> bool {
        let matches = |pattern: &String| wildmatch(pattern.as_str().into(), name.into(), Mode::NO_MATCH_SLASH_LITERAL);
        [MANIFEST, VERDICT].contains(&name) || self.0.iter().any(matches)
    }
}

/// What is read of a step leaf here; a replay compares all of it.
#[derive(Deserialize)]
pub(super) struct LeafPosition {
    pub(super) step: u64,
    pub(super) epoch: u64,
    pub(super) state: Option<Blake3Digest>,
}

impl VerifiedRun {
    /// Hashes every file that the manifest names, refuses every other one, and says which of them nothing looks into.
    pub fn check_files(&self, unsigned: &Unsigned) -> Check {
        let mut check = Check::new("files");
        let subjects = &self.manifest.statement().subject;
        let claim = self.claim();
        if !claim.files.iter().map(|file| &file.path).eq(subjects.iter().map(|subject| &subject.name)) {
            check.fail("files of the record: expected the signed ones, in their order, got others".into());
        }
        self.hash_subjects(subjects, &mut check);
        let training = claim.training().into_iter();
        let claimed =
            training.flat_map(|t| t.checkpoints.iter().chain(&t.audit_points).map(|c| &c.file).chain([&t.steps.file]));
        for file in claimed.chain(claim.data.iter().map(|data| &data.list)).chain(&claim.outputs) {
            if !subjects.iter().any(|subject| subject.name == *file) {
                check.fail(format!("{} is claimed and not among the signed files", file.as_str()));
            }
        }
        self.refuse_unsigned(unsigned, &mut check);
        self.name_unchecked(&mut check);
        check
    }

    /// Refuses what lies in the run directory and nobody signed.
    fn refuse_unsigned(&self, unsigned: &Unsigned, check: &mut Check) {
        let signed: BTreeSet<&str> = self.manifest.statement().subject.iter().map(|s| s.name.as_str()).collect();
        let entries = match foreign::list(&self.root, MAX_ENTRIES) {
            Ok(entries) => entries,
            Err(error @ ForeignError::Io { .. }) => return check.not_checked(error.to_string()),
            Err(_) => {
                return check.fail(format!("{}: expected at most {MAX_ENTRIES} files, got more", self.root.display()));
            }
        };
        // Odd things under a signed name were found when it was opened.
        for entry in entries.iter().filter(|entry| !signed.contains(entry.name.as_str())) {
            let what = entry.odd.unwrap_or("file");
            let path = self.root.join(&entry.name);
            if entry.odd.is_some() && [MANIFEST, VERDICT].contains(&entry.name.as_str()) {
                check.fail_at(&path, format!("{}: expected a regular file, got a {what}", entry.name));
            } else if unsigned.allows(&entry.name) {
                if ![MANIFEST, VERDICT].contains(&entry.name.as_str()) {
                    check.note(format!("{}: a {what} that nobody signed, allowed by --allow-unsigned", entry.name));
                }
            } else {
                check.fail_at(
                    &path,
                    format!("{}: a {what} that nobody signed; --allow-unsigned PATTERN lets one be", entry.name),
                );
            }
        }
    }

    /// The signed files that training writes, and so a replay makes again.
    pub fn replayed_files(&self) -> Vec<&str> {
        let names = self.manifest.statement().subject.iter().map(|subject| subject.name.as_str());
        names.filter(|name| coverage(name, self.claim()) == Coverage::ByReplay || *name == METRICS).collect()
    }

    /// Says which signed files no check looks into, or only a replay.
    fn name_unchecked(&self, check: &mut Check) {
        let of = |wanted: Coverage| -> Vec<&str> {
            let names = self.manifest.statement().subject.iter().map(|subject| subject.name.as_str());
            names.filter(|name| coverage(name, self.claim()) == wanted).collect()
        };
        for (names, what) in [
            (of(Coverage::ByReplay), "signed, and compared by a replay only"),
            (of(Coverage::AuditPoint), "signed, and compared by a replay of the whole or of a segment at one of them"),
            (of(Coverage::NotChecked), "signed, not checked: what they say is the trainer's own word"),
        ] {
            if !names.is_empty() {
                check.note(format!("{what}: {}", names.join(", ")));
            }
        }
        for name in of(Coverage::Unknown) {
            check.not_checked(format!(
                "{name}: signed, and no run of this program writes such a file: nothing can check it"
            ));
        }
    }

    /// Hashes the signed files, each of which has to be as large as the record says before it is read.
    pub(super) fn hash_subjects(&self, subjects: &[Subject], check: &mut Check) {
        let mut elsewhere = 0;
        for subject in subjects {
            let name = subject.name.as_str();
            let path = self.root.join(name);
            let Some(size) = self.signed_size(name, check) else { continue };
            let digest = foreign::open(&self.root, name).and_then(|file| match file.size() == size {
                true => file.digest(size).map(Ok),
                false => Ok(Err(file.size())),
            });
            match digest {
                Ok(Ok(found)) if found.sha256 == subject.digest.sha256 => {}
                Ok(Ok(found)) => {
                    let expected = subject.digest.sha256;
                    check.fail_at(&path, format!("{name}: expected sha256 {expected}, got {}", found.sha256));
                }
                Ok(Err(got)) => check.fail_at(&path, format!("{name}: expected {size} bytes, got {got}")),
                Err(error) if error.is_missing() && self.is_audit_point(name) => elsewhere += 1,
                Err(error) => refuse(&path, error, check),
            }
        }
        check.note(format!("{} files are signed", subjects.len()));
        if elsewhere > 0 {
            check.note(format!(
                "{elsewhere} audit points are not here and were not hashed: whoever trains a segment again that begins at one needs it"
            ));
        }
    }

    /// Whether a signed file is a state for a checker to begin at, which may be kept elsewhere.
    pub fn is_audit_point(&self, name: &str) -> bool {
        let points = self.claim().training().into_iter().flat_map(|training| &training.audit_points);
        points.into_iter().any(|point| point.file.as_str() == name)
    }

    /// The size that the record gives a signed file; without one it is not read, and the check fails.
    fn signed_size(&self, name: &str, check: &mut Check) -> Option<u64> {
        let files = &self.claim().files;
        let size = files.iter().find(|file| file.path.as_str() == name).map(|file| file.size.0);
        if size.is_none() {
            check.fail_at(
                &self.root.join(name),
                format!("{name} is signed, and the record does not say how large it is"),
            );
        }
        size
    }

    /// Reads a file that must be one of the signed subjects; otherwise the reason is in `check`: not checked when the
    /// file is missing, failed when it is not the bytes that were signed.
    pub fn read_subject(&self, name: &str, check: &mut Check) -> Option<Vec<u8>> {
        let path = self.root.join(name);
        let Some(subject) = self.manifest.statement().subject.iter().find(|subject| subject.name.as_str() == name)
        else {
            check.fail_at(&path, format!("{name} is not among the signed files"));
            return None;
        };
        let size = self.signed_size(name, check)?;
        if size > super::MAX_READ_BYTES {
            check.fail_at(&path, format!("{name}: expected at most {} bytes, got {size}", super::MAX_READ_BYTES));
            return None;
        }
        match foreign::open(&self.root, name).and_then(|file| file.read(size)) {
            Ok(bytes) if sha256(&bytes) == subject.digest.sha256 => Some(bytes),
            Ok(bytes) => {
                let (expected, got) = (subject.digest.sha256, sha256(&bytes));
                check.fail_at(&path, format!("{name}: expected sha256 {expected}, got {got}"));
                None
            }
            Err(error) => {
                refuse(&path, error, check);
                None
            }
        }
    }

    /// Recomputes the Merkle root of the step log and the list of leaf hashes; names the first leaf that is not the one
    /// signed. None for a command, which has none.
    pub fn check_steps(&self) -> Option<Check> {
        self.claim().training().map(|training| self.check_log(&training.steps))
    }

    fn check_log(&self, claim: &StepsRecord) -> Check {
        let mut check = Check::new("steps");
        let name = claim.file.as_str();
        let path = self.root.join(name);
        let limit = claim.count.saturating_add(1).saturating_mul(MAX_LEAF_BYTES).min(super::MAX_READ_BYTES);
        let text = match foreign::open(&self.root, name).and_then(|file| file.read(limit)) {
            Ok(text) => text,
            Err(error) => {
                refuse(&path, error, &mut check);
                return check;
            }
        };
        let lines: Vec<_> = match text.strip_suffix(b"\n") {
            Some(whole) => whole.split(|&byte| byte == b'\n').collect(),
            None if text.is_empty() => Vec::new(),
            None => {
                check.fail_at(&path, format!("{name}: expected whole lines, got a cut last one"));
                return check;
            }
        };
        let (mut log, mut leaves) = (MerkleLog::new(), String::new());
        for line in &lines {
            log.append(line);
            leaves.push_str(&format!("{}\n", leaf_hash(line)));
        }
        if log.len() as u64 != claim.count {
            check.fail_at(&path, format!("{name}: expected {} leaves, got {}", claim.count, log.len()));
        }
        if log.root() != claim.merkle_root {
            let (expected, got) = (claim.merkle_root, log.root());
            check.fail_at(&path, format!("{name}: expected Merkle root {expected}, got {got}"));
            if let Some(changed) = self.first_changed_leaf(&lines) {
                check.note(format!("{name}: leaf {changed} is not the one that was signed"));
            }
        } else if let Some(signed) = self.read_subject(STEP_LEAVES, &mut check)
            && signed != leaves.as_bytes()
        {
            check.fail_at(
                &self.root.join(STEP_LEAVES),
                format!("{STEP_LEAVES}: expected the hashes of the leaves of {name}, got another text"),
            );
        }
        check_positions(&lines, name, &mut check);
        check.note(format!("{} leaves, root {}", log.len(), log.root()));
        check
    }

    /// Number of the first leaf, from 1, whose hash is not in the signed list of leaf hashes.
    fn first_changed_leaf(&self, lines: &[&[u8]]) -> Option<usize> {
        let list = self.read_subject(STEP_LEAVES, &mut Check::new("leaves"))?;
        let signed = String::from_utf8(list).ok()?;
        let signed: Vec<Blake3Digest> = signed.lines().map(str::parse).collect::<Result<_, _>>().ok()?;
        let same = lines.iter().zip(&signed).take_while(|(line, signed)| leaf_hash(line) == **signed).count();
        (same < lines.len().max(signed.len())).then_some(same + 1)
    }
}

/// Checks that the leaves count the steps from 1 and never go back by an epoch.
fn check_positions(lines: &[&[u8]], name: &str, check: &mut Check) {
    let mut epoch = 0;
    for (number, line) in (1..).zip(lines) {
        match serde_json::from_slice::<LeafPosition>(line) {
            Ok(leaf) if leaf.step == number && (epoch..=epoch + 1).contains(&leaf.epoch) => epoch = leaf.epoch,
            Ok(leaf) => {
                let (step, found) = (leaf.step, leaf.epoch);
                return check.fail(format!("{name}, leaf {number}: expected step {number} of epoch {epoch} or the next, got step {step} of epoch {found}"));
            }
            Err(error) => {
                return check
                    .fail(format!("{name}, leaf {number}: expected a step leaf, got something else ({error})"));
            }
        }
    }
}

/// Why a file of the run was not read: not there or not readable, or nothing that a run directory may hold.
pub(super) fn refuse(path: &Path, error: ForeignError, check: &mut Check) {
    match error {
        ForeignError::Io { .. } => check.not_checked_at(path, error.to_string()),
        _ => check.fail_at(path, error.to_string()),
    }
}
