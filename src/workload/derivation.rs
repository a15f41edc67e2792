//! A derived data set that is being made.

use std::fs;
use std::path::Path;

use super::Progress;
use crate::durable;
use crate::failure::{Context, Failure};
use crate::provenance::data::ListedFiles;
use crate::provenance::path::RelativePath;

/// What a derived data set is made from and into.
pub struct Derivation<'a> {
    /// Its number among the data sets of the config.
    pub number: usize,
    /// The data sets before it, hashed.
    pub before: &'a [ListedFiles],
    /// Its folder, which is not there yet.
    pub out: &'a Path,
    /// Hears how far it is.
    pub progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Derivation<'_> {
    /// Writes one of its files whole, by the path below its folder; folders are made.
    ///
    /// # Errors
    /// When the path is none, or the file cannot be written.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        RelativePath::parse(path).map_err(|error| Failure::new(format!("data file {path:?}: {error}")))?;
        let path = self.out.join(path);
        let folder = durable::folder_of(&path);
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        durable::write_whole(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_below_the_folder_and_nowhere_else() {
        let folder = tempfile::tempdir().expect("temp dir");
        let out = folder.path().join("set");
        let made = Derivation { number: 0, before: &[], out: &out, progress: &mut |_| {} };
        made.write("a/b", b"bytes").expect("written");
        assert_eq!(fs::read(out.join("a/b")).expect("reads"), b"bytes");
        for path in ["../c", "/tmp/c", "", "a/../../c"] {
            let error = made.write(path, b"").expect_err("refused");
            assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
        }
    }
}
