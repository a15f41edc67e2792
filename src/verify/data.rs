//! The data: every listed file of every data set, hashed again, and what DVC says of them compared again.
//!
//! Every byte is read: what is judged here is [`ReadData`], which no cache can make.

use std::path::{Path, PathBuf};

use super::{Check, VerifiedRun, chain};
use crate::manifest::predicate::DataRecord;
use crate::provenance::data::{DataDifference, DataManifest, ReadData};
use crate::provenance::dvc::{DvcOutput, DvcPlace, NeededMd5s, outputs_from_jsonl};

impl VerifiedRun {
    /// Hashes the data sets again. `roots` says where a data set of that name is; without an entry, where the record
    /// says, relative to the working directory.
    pub fn check_data(&self, roots: &[(String, PathBuf)]) -> Check {
        let mut check = Check::new("data");
        for (name, _) in roots.iter().filter(|(name, _)| self.claim().data.iter().all(|data| data.name != *name)) {
            check.not_checked(format!("the run used no data set {name}"));
        }
        if self.claim().data.is_empty() {
            check.not_checked("the manifest names no data".into());
        }
        for record in &self.claim().data {
            let root = roots.iter().find(|(name, _)| *name == record.name).map(|(_, root)| root.as_path());
            self.check_data_set(record, root.unwrap_or(Path::new(&record.root)), &mut check);
        }
        check
    }

    fn check_data_set(&self, record: &DataRecord, root: &Path, check: &mut Check) {
        let Some(list) = self.read_subject(record.list.as_str(), check) else { return };
        let signed = match DataManifest::from_jsonl(&list) {
            Ok(signed) => signed,
            Err(error) => return check.fail(format!("{}: {}", record.list.as_str(), chain(&error))),
        };
        if signed.merkle_root() != record.merkle_root {
            return check.fail(format!(
                "{}: expected Merkle root {}, got {}",
                record.list.as_str(),
                record.merkle_root,
                signed.merkle_root()
            ));
        }
        let Some(outputs) = self.read_dvc(record, check) else { return };
        let needed = NeededMd5s::of_outputs(&outputs);
        let found = match ReadData::of_tree_with(root, |path| needed.of_file(path)) {
            Ok(found) => found,
            Err(error) => return check.not_checked(format!("data set {}: {}", record.name, chain(&error))),
        };
        let (mut extra, mut missing) = (0, 0);
        for difference in signed.compare(&found) {
            match &difference {
                DataDifference::Changed { found, .. } => {
                    check.fail_at(&root.join(found.path.as_str()), format!("{}/{difference}", root.display()));
                }
                DataDifference::Missing(file) => {
                    missing += 1;
                    check.not_checked_at(&root.join(file.path.as_str()), format!("{}/{difference}", root.display()));
                }
                // What the run did not have cannot have changed it; the person should know all the same.
                DataDifference::Added { .. } => extra += 1,
            }
        }
        if extra > 0 {
            check.note(format!("{}: {extra} files that the run did not have", root.display()));
        }
        // Without some of its files no directory is what it was, and that was said.
        if missing == 0 {
            check_dvc(&outputs, root, &signed, &found, check);
        }
        let dvc = match outputs.len() {
            0 => String::new(),
            count => format!(", {count} outputs of DVC"),
        };
        check.note(format!("{}: {} files, {} bytes{dvc}", record.name, signed.files().len(), signed.total_bytes()));
    }

    /// The signed list of DVC's outputs, empty when DVC said nothing; the reason is in `check` when there is none.
    fn read_dvc(&self, record: &DataRecord, check: &mut Check) -> Option<Vec<DvcOutput>> {
        let Some(dvc) = &record.dvc else { return Some(Vec::new()) };
        let list = self.read_subject(dvc.list.as_str(), check)?;
        match outputs_from_jsonl(&list) {
            Ok(outputs) => {
                let differing = outputs.iter().filter(|output| !output.matches()).count() as u64;
                if (outputs.len() as u64, differing) == (dvc.outputs, dvc.differing) {
                    return Some(outputs);
                }
                check.fail(format!(
                    "{}: expected {} outputs, {} of them differing, got {} and {differing}",
                    dvc.list,
                    dvc.outputs,
                    dvc.differing,
                    outputs.len()
                ));
            }
            Err(error) => check.fail(format!("{}: {error}", dvc.list)),
        }
        None
    }
}

/// Compares what DVC recorded with the files again, of which only those count that the run had.
fn check_dvc(outputs: &[DvcOutput], root: &Path, signed: &DataManifest, found: &ReadData, check: &mut Check) {
    let files = signed.files();
    let counts = |path: &str| files.binary_search_by(|file| file.path.as_str().cmp(path)).is_ok();
    for output in outputs {
        let whole = !matches!(output.place, DvcPlace::Around(_));
        match output.find_again(root, found, counts) {
            Ok(again) if again == output.found => {}
            Ok(again) if whole => {
                let got = again.map_or("no such file".to_owned(), |again| again.to_string());
                check.fail(format!("{}: {output} when the run began, got {got} now", root.display()));
            }
            // Other files than the run's lie there, too, and may have changed since for good reasons.
            Ok(_) => check.not_checked(format!("{}: {output} when the run began, and others now", root.display())),
            Err(error) => check.not_checked(format!("{}: {output}: {}", root.display(), chain(&error))),
        }
        // True of what was trained on, and recorded with the trainer's consent: for whoever judges the run to weigh.
        if !output.matches() {
            check.note(format!("{}: {output}, as the record says", root.display()));
        }
    }
}
