//! The config: composed again from its sources, and compared with what was signed.

use std::path::Path;

use serde::Deserialize;

use super::{Check, VerifiedRun, chain};
use crate::config::{Composer, Config};
use crate::digest::FileDigest;
use crate::envelope::{Bounds, NetworkMode};

/// Whether the configs have to lie in the repository of the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigsPlace {
    /// They have to: the commit then says what they are.
    InRepository,
    /// They may lie anywhere: the checker said so.
    Elsewhere,
}

impl VerifiedRun {
    /// Hashes the recorded config files below `configs`, composes them with the recorded overrides and compares the
    /// digest, the choices, and what the record repeats from the config.
    pub fn check_config(&self, composer: &Composer, configs: &Path) -> Check {
        let mut check = Check::new("config");
        let claim = &self.claim().config;
        for source in &claim.sources {
            let path = configs.join(source.path.as_str());
            match FileDigest::of_file(&path) {
                Ok(found) if found.blake3 == source.blake3 => {}
                Ok(found) => {
                    let (expected, got) = (source.blake3, found.blake3);
                    check.fail_at(&path, format!("{}: expected BLAKE3 {expected}, got {got}", path.display()));
                }
                Err(error) => check.not_checked_at(&path, format!("{}: {error}", path.display())),
            }
        }
        match self.recompose(composer) {
            Ok(config) => self.compare_config(&config, &mut check),
            // Without a source there is nothing to compose; with changed ones the change is what counts.
            Err(error) => check.not_checked(format!("cannot compose {}: {error}", claim.name)),
        }
        check.note(format!(
            "{} files, {} overrides, digest {}",
            claim.sources.len(),
            claim.overrides.len(),
            claim.digest
        ));
        check
    }

    /// Composes the recorded config again.
    ///
    /// # Errors
    /// What is wrong with it, as text.
    pub fn recompose(&self, composer: &Composer) -> Result<Config, String> {
        self.claim().config.compose(composer).map_err(|error| chain(&error))
    }

    fn compare_config(&self, config: &Config, check: &mut Check) {
        let claim = self.claim();
        match config.digest() {
            Ok(digest) if digest == claim.config.digest => {}
            Ok(digest) => check.fail(format!("composed config: expected digest {}, got {digest}", claim.config.digest)),
            Err(error) => check.fail(format!("composed config: {}", chain(&error))),
        }
        let recorded = claim.config.choices.iter().map(|choice| (choice.group.as_str(), choice.option.as_str()));
        let own = config.choices().iter().filter(|(group, _)| !group.starts_with("hydra/"));
        if !recorded.eq(own.map(|(group, option)| (group.as_str(), option.as_deref().unwrap_or("null")))) {
            check.fail("choices: expected those of the composed config, got others".into());
        }
        match config.extract::<Repeated>() {
            Ok(repeated) => repeated.compare(self, check),
            Err(error) => check.fail(format!("composed config: {}", chain(&error))),
        }
    }
}

/// What the record states beside the config and must agree with it: a trainer could sign other limits than were set, or
/// the list of other data than were trained on.
#[derive(Deserialize)]
struct Repeated {
    trainer: Trainer,
    envelope: Envelope,
    data: Data,
    calib: Calibration,
}

#[derive(Deserialize)]
struct Data {
    name: String,
    root: String,
}

#[derive(Deserialize)]
struct Calibration {
    out: String,
}

#[derive(Deserialize)]
struct Trainer {
    seed: u64,
}

#[derive(Deserialize)]
struct Envelope {
    wall_seconds: Option<u64>,
    device_memory_bytes: Option<u64>,
    network: NetworkMode,
}

impl Repeated {
    fn compare(self, run: &VerifiedRun, check: &mut Check) {
        let claim = run.claim();
        let Envelope { wall_seconds, device_memory_bytes, network } = self.envelope;
        if Bounds::from(&claim.envelope.bounds) != (Bounds { wall_seconds, device_memory_bytes, network }) {
            check.fail("envelope bounds: expected those of the composed config, got others".into());
        }
        let expected =
            [(self.data.name.clone(), self.data.root), (format!("{}-calibrated", self.data.name), self.calib.out)];
        if !claim.data.iter().map(|data| (&data.name, &data.root)).eq(expected.iter().map(|(name, root)| (name, root)))
        {
            check.fail("data sets: expected those of the composed config, got others".into());
        }
        if claim.seed.0 != self.trainer.seed {
            check.fail(format!("seed: expected {}, got {}", self.trainer.seed, claim.seed.0));
        }
    }
}
