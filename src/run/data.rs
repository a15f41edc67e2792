//! The data sets of a run as they were when it began: hashed once, and read through the lists made then.

use std::path::Path;

use crate::durable;
use crate::engine::written::WrittenFiles;
use crate::failure::{Context, Failure};
use crate::manifest::predicate::{DataRecord, DataSet, DvcRecord};
use crate::provenance::data::{DigestCache, HashedData, ListedFiles, ReadData, folder_of_set};
use crate::provenance::dvc::{DvcEntries, DvcOutput, outputs_to_jsonl};
use crate::provenance::path::RelativePath;
use crate::workload::DvcPolicy;

/// The data sets of a run, in the order of the record.
#[derive(Debug, Default)]
pub struct DataSets(Vec<HashedSet>);

/// A data set as it was when the run began.
#[derive(Debug)]
pub struct HashedSet {
    record: DataRecord,
    set: DataSet,
    hashed: HashedData,
    /// What DVC says of it.
    entries: DvcEntries,
    outputs: Vec<DvcOutput>,
}

impl HashedSet {
    /// Hashes every file of a data set, but for those that the cache remembers, and compares them with what DVC says.
    ///
    /// # Errors
    /// When a file cannot be read, or is none that a data set can have; when DVC says something else and `dvc` does not
    /// say to record that.
    pub fn hash(set: DataSet, dvc: DvcPolicy, cache: Option<&DigestCache>) -> Result<Self, Failure> {
        let root = set.root.as_path();
        let entries = DvcEntries::about(root)?;
        let needed = entries.needed();
        let kinds = |path: &RelativePath| needed.of_file(path);
        let hashed = match cache {
            Some(cache) => HashedData::remembered(root, kinds, cache)?,
            None => ReadData::of_tree_with(root, kinds)?.into(),
        };
        let outputs = entries.compare(&hashed)?;
        if dvc == DvcPolicy::Refuse {
            entries.refuse_differences(&outputs)?;
        }
        let path = |suffix: &str| {
            RelativePath::parse(&format!("provenance/{}{suffix}.jsonl", set.name))
                .with_context(|| format!("data set {:?}: expected a name that a file can have", set.name))
                .map_err(|failure| failure.with_hint("choose one of letters and digits: data.name=NAME"))
        };
        let said = DvcRecord::new(&outputs, path(".dvc")?);
        let record =
            DataRecord::new(&set.name, set.role, &root.display().to_string(), hashed.manifest(), path("")?, said);
        Ok(Self { record, set, hashed, entries, outputs })
    }

    /// The files as they were hashed: the only way in which a run reads them.
    pub fn listed(&self) -> ListedFiles {
        ListedFiles::new(folder_of_set(&self.set.root), self.hashed.manifest().clone())
    }

    /// Reads everything again and refuses data that changed while the run used them, or that the cache remembered
    /// wrongly: every byte is read here, whatever was believed when the run began.
    fn check_unchanged(&self) -> Result<(), Failure> {
        let (name, needed) = (&self.set.name, self.entries.needed());
        let after = ReadData::of_tree_with(&self.set.root, |path| needed.of_file(path))?;
        if let Some(difference) = self.hashed.manifest().compare(&after).first() {
            let what = format!("data set {name} changed while the run used it: {difference}");
            let hint = "something else writes to the data set: run again without it";
            return Err(Failure::new(format!("{what}; the run is not signed")).with_hint(hint));
        }
        if self.hashed != *after {
            let what = format!("data set {name}: the cache of digests holds a wrong MD5; the run is not signed");
            return Err(Failure::new(what).with_hint("run again with --no-cache"));
        }
        Ok(())
    }

    /// Writes the list of files, and of DVC's outputs, into the run directory.
    fn write(&self, run: &WrittenFiles) -> Result<(), Failure> {
        let path = run.root().join(self.record.list.as_str());
        let folder = durable::folder_of(&path);
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        run.write_file(self.record.list.as_str(), self.hashed.manifest().to_jsonl().as_bytes())?;
        if let Some(dvc) = &self.record.dvc {
            run.write_file(dvc.list.as_str(), outputs_to_jsonl(&self.outputs).as_bytes())?;
        }
        Ok(())
    }
}

impl DataSets {
    /// Adds a data set.
    pub fn push(&mut self, set: HashedSet) {
        self.0.push(set);
    }

    /// Their files as they were hashed.
    pub fn listed(&self) -> Vec<ListedFiles> {
        self.0.iter().map(HashedSet::listed).collect()
    }

    /// What is recorded of them.
    pub fn records(&self) -> Vec<DataRecord> {
        self.0.iter().map(|set| set.record.clone()).collect()
    }

    /// How large they are.
    pub fn bytes(&self) -> u64 {
        self.0.iter().fold(0, |bytes, set| bytes.saturating_add(set.record.bytes.0))
    }

    /// Their names and digests, in a line.
    pub fn digests(&self) -> String {
        let digests: Vec<_> =
            self.0.iter().map(|set| format!("{} {}", set.record.name, set.record.merkle_root)).collect();
        digests.join(", ")
    }

    /// Their folders.
    pub fn roots(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|set| set.set.root.as_path())
    }

    /// Reads everything again and refuses data that changed while the run used them.
    ///
    /// # Errors
    /// The first that did, and what cannot be read any more.
    pub fn check_unchanged(&self) -> Result<(), Failure> {
        self.0.iter().try_for_each(HashedSet::check_unchanged)
    }

    /// Writes the lists of files, and of DVC's outputs, into the run directory.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn write(&self, run: &WrittenFiles) -> Result<(), Failure> {
        self.0.iter().try_for_each(|set| set.write(run))
    }
}
