//! The data: every listed file of every data set that is here, hashed again, and what DVC says of them compared again.
//!
//! Every byte is read: what is judged here is [`ReadData`], which no cache can make. Only folders that the checker named,
//! or that lie in the checker's own work tree where the record says, are looked into; nothing else is hashed or named.

use std::path::{Path, PathBuf};

use super::{Check, VerifiedRun, chain};
use crate::manifest::predicate::{DataRecord, DataRole};
use crate::provenance::data::{DataDifference, DataError, DataManifest, Listed, ListedFiles, ReadData, folder_of_set};
use crate::provenance::dvc::{DvcOutput, DvcPlace, NeededMd5s, outputs_from_jsonl};
use crate::provenance::path::RelativePath;

/// Most files of a kind that a finding names.
const NAMED_FILES: usize = 5;

/// Where the checker has data sets.
#[derive(Debug, Clone, Copy)]
pub struct DataPlaces<'a> {
    /// Data sets by name, and their folders.
    pub named: &'a [(String, PathBuf)],
    /// The checker's own work tree: a data set that is not named is looked for in it, where the record says.
    pub work_tree: &'a Path,
}

/// What becomes of derived data that the checker does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derived {
    /// A replay makes them again and compares.
    ByReplay,
    /// Nobody looks at them.
    NotLookedAt,
}

/// The data sets of a run as they were signed: the lists by which a replay reads.
#[derive(Debug, Clone, Default)]
pub struct SignedData {
    sets: Vec<SignedSet>,
}

/// One data set as it was signed.
#[derive(Debug, Clone)]
struct SignedSet {
    name: String,
    role: DataRole,
    list: DataManifest,
    /// Where the checker has it.
    root: Option<PathBuf>,
}

impl SignedData {
    /// The files of a data set that the checker has; none of one that is not here, or whose signed list is not in order.
    pub fn files(&self, name: &str) -> Option<ListedFiles> {
        let set = self.sets.iter().find(|set| set.name == name)?;
        Some(ListedFiles::new(folder_of_set(set.root.as_ref()?), set.list.clone()))
    }

    /// Where the checker has a data set: a folder, or a single file.
    pub fn place(&self, name: &str) -> Option<&Path> {
        self.sets.iter().find(|set| set.name == name)?.root.as_deref()
    }

    /// The signed list of a data set.
    pub fn list(&self, name: &str) -> Option<&DataManifest> {
        self.sets.iter().find(|set| set.name == name).map(|set| &set.list)
    }

    /// The role of a data set.
    pub fn role(&self, name: &str) -> Option<DataRole> {
        self.sets.iter().find(|set| set.name == name).map(|set| set.role)
    }
}

impl VerifiedRun {
    /// Hashes the data sets again, and hands out what was signed of them.
    pub fn check_data(&self, places: DataPlaces<'_>, derived: Derived) -> (Check, SignedData) {
        let (mut check, mut data) = (Check::new("data"), SignedData::default());
        let records = &self.claim().data;
        for (name, _) in places.named.iter().filter(|(name, _)| records.iter().all(|data| data.name != *name)) {
            check.not_checked(format!("the run used no data set {name}"));
        }
        if records.is_empty() {
            check.not_checked("the manifest names no data".into());
        }
        let mut is_any_hashed = false;
        for record in records {
            let Some(list) = self.signed_list(record, &mut check) else { continue };
            let place = places.of(record, &mut check);
            // A folder that holds none of the derived files is as good as none.
            let holds_any = |place: &Place| {
                list.files().iter().any(|file| folder_of_set(&place.root).join(file.path.as_str()).exists())
            };
            let place = place.filter(|place| record.role == DataRole::Raw || place.is_named || holds_any(place));
            if let Some(place) = &place {
                is_any_hashed = true;
                self.check_set(record, place, &list, &mut check);
            } else if record.role == DataRole::Derived {
                check.note(match derived {
                    Derived::ByReplay => {
                        format!("{}: derived data, not looked for here: the replay makes them again and compares", record.name)
                    }
                    Derived::NotLookedAt => format!(
                        "{}: derived data that are not here, so they were not compared: --replay makes them again, --data \
                         {}=DIR says where they are",
                        record.name, record.name
                    ),
                });
            }
            let root = place.map(|place| place.root);
            data.sets.push(SignedSet { name: record.name.clone(), role: record.role, list, root });
        }
        // What was left to nobody is not passed: with every set derived and none here, no byte was looked at.
        if !is_any_hashed && derived == Derived::NotLookedAt && !records.is_empty() {
            check.not_checked("no data set is here: nothing was hashed; add --replay or name them with --data".into());
        }
        (check, data)
    }

    /// The signed list of a data set, if it agrees with what the record says of it.
    fn signed_list(&self, record: &DataRecord, check: &mut Check) -> Option<DataManifest> {
        let list = self.read_subject(record.list.as_str(), check)?;
        let signed = match DataManifest::from_jsonl(&list) {
            Ok(signed) => signed,
            Err(error) => {
                check.fail(format!("{}: {}", record.list, chain(&error)));
                return None;
            }
        };
        let (files, bytes) = (signed.files().len() as u64, signed.total_bytes());
        for (what, expected, got) in [
            ("Merkle root", record.merkle_root.to_string(), signed.merkle_root().to_string()),
            ("files", record.files.to_string(), files.to_string()),
            ("bytes", record.bytes.0.to_string(), bytes.to_string()),
        ] {
            if expected != got {
                check.fail(format!("{}: {what}: expected {expected}, as the record says, got {got}", record.list));
                return None;
            }
        }
        Some(signed)
    }

    fn check_set(&self, record: &DataRecord, place: &Place, signed: &DataManifest, check: &mut Check) {
        let Some(outputs) = self.read_dvc(record, check) else { return };
        let root = place.root.as_path();
        let needed = NeededMd5s::of_outputs(&outputs);
        let Listed { found, other_size, added } = match ReadData::of_listed(root, signed, |path| needed.of_file(path)) {
            Ok(found) => found,
            Err(error @ DataError::Read { .. }) => {
                return check.not_checked(format!("data set {}: {}", record.name, chain(&error)));
            }
            // A pipe, a link, a name that means another file elsewhere: none of them can be listed.
            Err(error) => return check.fail(format!("data set {}: {}", record.name, chain(&error))),
        };
        let root = folder_of_set(root);
        for (file, size) in &other_size {
            let path = root.join(file.path.as_str());
            check.fail_at(&path, format!("{} changed: expected {} bytes, got {size}", path.display(), file.size));
        }
        let mut missing = 0;
        for difference in signed.compare(&found) {
            match &difference {
                DataDifference::Changed { recorded, found } => {
                    let shown = match place.is_named {
                        true => difference.to_string(),
                        // The record alone led here: it must not get to know what lies here.
                        false => format!("{} changed: expected BLAKE3 {}, got another", found.path, recorded.blake3),
                    };
                    check.fail_at(&root.join(found.path.as_str()), format!("{}/{shown}", root.display()));
                }
                DataDifference::Missing(file) if other_size.iter().all(|(other, _)| other.path != file.path) => {
                    missing += 1;
                    check.not_checked_at(&root.join(file.path.as_str()), format!("{}/{difference}", root.display()));
                }
                // Told of above, or nothing that a list of what was found can have more.
                DataDifference::Missing(_) | DataDifference::Added(_) => {}
            }
        }
        let extra: Vec<_> = added.iter().map(|path| path.as_str()).collect();
        if !extra.is_empty() {
            let named = extra[..extra.len().min(NAMED_FILES)].join(", ");
            let finding = format!(
                "{}: expected the {} listed files, got {} more: {named}{}",
                root.display(),
                signed.files().len(),
                extra.len(),
                if extra.len() > NAMED_FILES { ", …" } else { "" }
            );
            check.fail_at(root, finding);
        }
        // Without some of its files no directory is what it was, and that was said.
        if missing == 0 && other_size.is_empty() {
            check_dvc(&outputs, root, signed, &found, check);
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

/// A folder that a data set is looked for in, or the file that it is.
struct Place {
    root: PathBuf,
    /// Whether the checker named it; otherwise the record led there.
    is_named: bool,
}

impl DataPlaces<'_> {
    /// Where the checker has the data set. Where the record leads is looked at only inside the checker's work tree: a
    /// stranger's record must not have the checker's other files hashed. Of raw data that are not here the reason is in
    /// `check`, with what to type.
    fn of(&self, record: &DataRecord, check: &mut Check) -> Option<Place> {
        if let Some((_, root)) = self.named.iter().find(|(name, _)| *name == record.name) {
            return Some(Place { root: root.clone(), is_named: true });
        }
        let inside = RelativePath::parse(&record.root).ok().filter(|path| !path.as_str().starts_with('.'));
        let root = inside.as_ref().map(|path| self.work_tree.join(path.as_str()));
        let is_inside = |root: &PathBuf| match (root.canonicalize(), self.work_tree.canonicalize()) {
            (Ok(root), Ok(work_tree)) => root.starts_with(work_tree) && (root.is_dir() || root.is_file()),
            _ => false,
        };
        match root.filter(is_inside) {
            Some(root) => Some(Place { root, is_named: false }),
            None => {
                if record.role == DataRole::Raw {
                    check.not_checked(format!(
                        "data set {}: expected it in the work tree at {:?}, where the record says, got none there: say where it is \
                         with --data {}=DIR",
                        record.name, record.root, record.name
                    ));
                }
                None
            }
        }
    }
}

/// Compares what DVC recorded with the files again, of which only those count that the run had.
fn check_dvc(outputs: &[DvcOutput], root: &Path, signed: &DataManifest, found: &ReadData, check: &mut Check) {
    let files = signed.files();
    let counts = |path: &str| files.binary_search_by(|file| file.path.as_str().cmp(path)).is_ok();
    for output in outputs {
        if matches!(output.place, DvcPlace::Around(_)) {
            // Files outside of the data set are none of the checker's business.
            check.note(format!(
                "{}: {output}: not compared, as it holds other files besides the data set",
                root.display()
            ));
        } else {
            match output.find_again(found, counts) {
                again if again == output.found => {}
                again => {
                    let got = again.map_or("no such file".to_owned(), |again| again.to_string());
                    check.fail(format!("{}: {output} when the run began, got {got} now", root.display()));
                }
            }
        }
        // True of what was trained on, and recorded with the trainer's consent: for whoever judges the run to weigh.
        if !output.matches() {
            check.note(format!("{}: {output}, as the record says", root.display()));
        }
    }
}
