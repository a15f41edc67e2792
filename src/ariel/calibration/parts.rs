//! What is done of an unfinished calibration: the light curves of each visit, so that one that was killed goes on where it was.
//!
//! They lie beside the folder of calibrated files, in `<out>.parts`, until the file that holds all of them is complete. A part says by its
//! digest whether it is whole; what is not is made again.

use std::fs;
use std::path::PathBuf;

use super::{CalibConfig, CalibSettings, CalibrationError};
use crate::ariel::dataset::{DataError, Visit};
use crate::digest::DomainHasher;

/// Which calibration the parts belong to.
const SETTINGS: &str = "settings.json";

/// Light curves by visit.
#[derive(Debug)]
pub(super) struct Parts {
    folder: PathBuf,
}

impl Parts {
    /// Those of an earlier calibration with the same settings and inputs, or none yet.
    pub fn open(config: &CalibConfig, settings: &CalibSettings) -> Result<Self, CalibrationError> {
        let mut folder = config.out.clone().into_os_string();
        folder.push(".parts");
        let folder = PathBuf::from(folder);
        let expected = serde_json::to_vec(settings).expect("plain data");
        let path = folder.join(SETTINGS);
        let refuse = |source| DataError::io("write", &path, source);
        if fs::read(&path).is_ok_and(|found| found == expected) {
            return Ok(Self { folder });
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|source| DataError::io("remove", &folder, source))?;
        }
        fs::create_dir_all(&folder).map_err(refuse)?;
        fs::write(&path, expected).map_err(refuse)?;
        Ok(Self { folder })
    }

    /// The light curves of a visit, if they were made before.
    pub fn read(&self, visit: Visit) -> Option<Vec<f64>> {
        whole(&fs::read(self.path(visit)).ok()?)
    }

    /// Keeps the light curves of a visit.
    pub fn write(&self, visit: Visit, curve: &[f64]) -> Result<(), CalibrationError> {
        let path = self.path(visit);
        let values: Vec<u8> = curve.iter().flat_map(|value| value.to_le_bytes()).collect();
        let bytes = [digest(&values).as_slice(), &values].concat();
        Ok(fs::write(&path, bytes).map_err(|source| DataError::io("write", &path, source))?)
    }

    fn path(&self, visit: Visit) -> PathBuf {
        self.folder.join(format!("{}_{}.f64", visit.planet, visit.number))
    }

    /// All of them are in one file now.
    pub fn remove(self) -> Result<(), CalibrationError> {
        fs::remove_dir_all(&self.folder).map_err(|source| DataError::io("remove", &self.folder, source).into())
    }
}

fn digest(values: &[u8]) -> [u8; 32] {
    *DomainHasher::new("spectramind/ariel/calibration-part/v1").field(values).finish().as_bytes()
}

/// The values of a part, if it is what was written.
fn whole(bytes: &[u8]) -> Option<Vec<f64>> {
    let (expected, values) = bytes.split_at_checked(32)?;
    let is_whole = digest(values) == *expected && values.len().is_multiple_of(8);
    is_whole
        .then(|| values.chunks_exact(8).map(|word| f64::from_le_bytes(word.try_into().expect("eight bytes"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ariel::config::tests::example;
    use crate::ariel::dataset::Split;

    #[test]
    fn a_part_is_used_again_unless_a_bit_of_it_or_the_settings_changed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = example(folder.path()).calib;
        let settings = |record: &str| CalibSettings::of_simulation(Split::Train, 30, 360, record);
        let visit = Visit { planet: 7, number: 0 };
        let parts = Parts::open(&config, &settings("one")).expect("opened");
        assert_eq!(parts.read(visit), None);
        parts.write(visit, &[1.5, -0.0]).expect("written");
        let again = Parts::open(&config, &settings("one")).expect("opened");
        assert_eq!(again.read(visit), Some(vec![1.5, -0.0]));
        let path = folder.path().join("calibrated.parts/7_0.f64");
        let mut bytes = fs::read(&path).expect("read");
        bytes[34] ^= 1;
        fs::write(&path, &bytes).expect("written");
        assert_eq!(again.read(visit), None);
        fs::write(&path, &bytes[..20]).expect("written");
        assert_eq!(again.read(visit), None);
        again.write(visit, &[2.5]).expect("written");
        let other = Parts::open(&config, &settings("two")).expect("opened");
        assert_eq!(other.read(visit), None);
        other.remove().expect("removed");
        assert!(!folder.path().join("calibrated.parts").exists());
    }
}
