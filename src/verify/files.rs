//! The files of the run directory: every signed subject, and the step log against its Merkle root.

use std::path::Path;

use super::{Check, VerifiedRun};
use crate::digest::{Blake3Digest, FileDigest};
use crate::manifest::statement::Subject;
use crate::merkle::{MerkleLog, leaf_hash};

/// Hashes of the step leaves, one hex line each, beside the step log: they let a checker name the leaf that changed.
pub const STEP_LEAVES: &str = "steps.leaves";

impl VerifiedRun {
    /// Hashes every file that the manifest names.
    pub fn check_files(&self) -> Check {
        let mut check = Check::new("files");
        let subjects = &self.manifest.statement().subject;
        hash_subjects(&self.root, subjects, &mut check);
        let claim = self.claim();
        let claimed = claim.checkpoints.iter().map(|c| &c.file).chain([&claim.steps.file]);
        for file in claimed.chain(claim.data.iter().map(|data| &data.list)) {
            if !subjects.iter().any(|subject| subject.name == *file) {
                check.fail(format!("{} is claimed and not among the signed files", file.as_str()));
            }
        }
        check
    }

    /// Recomputes the Merkle root of the step log; names the first leaf that is not the one signed.
    pub fn check_steps(&self) -> Check {
        let mut check = Check::new("steps");
        let claim = &self.claim().steps;
        let name = claim.file.as_str();
        let path = self.root.join(name);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) => {
                check.not_checked_at(&path, format!("{name}: {error}"));
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
        let mut log = MerkleLog::new();
        for line in &lines {
            log.append(line);
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
        }
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

/// Hashes every subject below `root`.
pub(super) fn hash_subjects(root: &Path, subjects: &[Subject], check: &mut Check) {
    for subject in subjects {
        let name = subject.name.as_str();
        let path = root.join(name);
        match FileDigest::of_file(&path) {
            Ok(found) if found.sha256 == subject.digest.sha256 => {}
            Ok(found) => {
                let expected = subject.digest.sha256;
                check.fail_at(&path, format!("{name}: expected sha256 {expected}, got {}", found.sha256));
            }
            Err(error) => check.not_checked_at(&path, format!("{name}: {error}")),
        }
    }
    check.note(format!("{} files are signed", subjects.len()));
}
