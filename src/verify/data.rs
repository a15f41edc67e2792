//! The data: every listed file of every data set, hashed again.

use std::path::{Path, PathBuf};

use super::{Check, VerifiedRun, chain};
use crate::manifest::predicate::DataRecord;
use crate::provenance::data::{DataDifference, DataManifest};

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
        let found = match DataManifest::of_tree(root) {
            Ok(found) => found,
            Err(error) => return check.not_checked(format!("data set {}: {}", record.name, chain(&error))),
        };
        let mut extra = 0;
        for difference in signed.compare(&found) {
            match &difference {
                DataDifference::Changed { found, .. } => {
                    check.fail_at(&root.join(found.path.as_str()), format!("{}/{difference}", root.display()));
                }
                DataDifference::Missing(file) => {
                    check.not_checked_at(&root.join(file.path.as_str()), format!("{}/{difference}", root.display()));
                }
                // What the run did not have cannot have changed it; the person should know all the same.
                DataDifference::Added { .. } => extra += 1,
            }
        }
        if extra > 0 {
            check.note(format!("{}: {extra} files that the run did not have", root.display()));
        }
        check.note(format!("{}: {} files, {} bytes", record.name, signed.files().len(), signed.total_bytes()));
    }
}
