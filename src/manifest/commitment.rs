//! What is claimed before a run: with this config it will be made. Pre-registration.
//!
//! A run that was picked among many is as true as any other, and nothing in it tells. A config that was signed and handed
//! to the auditor before the run leaves nothing to pick from but what is no config: data, program, time. The signature
//! does not say when it was made: that the file is older than the run is what its receiver knows, and nobody else.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Config, ConfigError};
use crate::digest::{Blake3Digest, Sha256Digest, sha256};
use crate::provenance::environment::BuiltFrom;
use crate::provenance::git::{GitId, GitRecord};
use crate::provenance::path::RelativePath;

use super::predicate::ConfigChoice;
use super::statement::{Predicate, StatementError, Subject};
use super::strict_json::DecimalU64;
use super::timestamp::{UtcOffset, UtcTime};

/// The URI of the predicate, version 1.
pub const CONFIG_COMMITMENT: &str = "urn:x-spectramind:config-commitment:v1";

/// Name of the statement's one subject: the composed config.
pub const SUBJECT: &str = "config";

/// A config, committed to before a run is made with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigCommitment {
    /// The composed configuration.
    pub config: CommittedConfig,
    /// The challenge that the run will be made for, as the config says: a key may be trusted for some only.
    #[serde(deserialize_with = "Option::deserialize")]
    pub challenge: Option<String>,
    /// The seed of every random stream.
    pub seed: DecimalU64,
    /// The sources that it was composed from; `None` outside a git repository.
    #[serde(deserialize_with = "Option::deserialize")]
    pub git: Option<CommittedSources>,
    /// What the program that composed it says it was built from.
    #[serde(deserialize_with = "Option::deserialize")]
    pub built_from: Option<BuiltFrom>,
    /// When it was signed, by the signer's own clock: self-asserted.
    pub made_at: UtcTime,
}

/// The composed configuration, as far as it is known before a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommittedConfig {
    /// Name of the primary config.
    pub name: String,
    /// Digest of the composed config's canonical bytes: what a run's record names, too.
    pub digest: Blake3Digest,
    /// The option chosen of each group, in the order of the defaults list.
    pub choices: Vec<ConfigChoice>,
    /// The overrides, as given and in the order given.
    pub overrides: Vec<String>,
    /// The overrides of Hydra's own node, as given and in the order given.
    pub hydra_overrides: Vec<String>,
    /// The time that `${now:…}` shows.
    pub composed_at: UtcTime,
    /// How far the clock that `${now:…}` shows was ahead of UTC; nothing where it showed UTC.
    #[serde(default, skip_serializing_if = "UtcOffset::is_utc")]
    pub utc_offset_seconds: UtcOffset,
}

/// Which commit the sources were at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommittedSources {
    /// The commit at `HEAD`.
    pub commit: GitId,
    /// Whether the work tree was that commit's.
    pub clean: bool,
}

impl From<&GitRecord> for CommittedSources {
    fn from(record: &GitRecord) -> Self {
        Self { commit: record.commit.clone(), clean: record.clean }
    }
}

/// SHA-256 of a composed config as a subject: of the resolved config as YAML, which is what
/// `spectramind train … --cfg job --resolve` prints.
///
/// # Errors
/// When the config cannot be resolved.
pub fn subject_digest(config: &Config) -> Result<Sha256Digest, ConfigError> {
    Ok(sha256(config.resolve()?.to_yaml().as_bytes()))
}

/// The one subject of a commitment.
///
/// # Errors
/// [`ConfigError`], as [`subject_digest`].
pub fn subject(config: &Config) -> Result<Subject, ConfigError> {
    Ok(Subject::new(RelativePath::parse(SUBJECT).expect("a plain name"), subject_digest(config)?))
}

impl Predicate for ConfigCommitment {
    const TYPE: &'static str = CONFIG_COMMITMENT;

    /// Checks that no group is named twice.
    fn check(&self) -> Result<(), StatementError> {
        let mut groups = self.config.choices.iter().map(|choice| choice.group.as_str());
        let mut seen = BTreeSet::new();
        match groups.find(|group| !seen.insert(*group)) {
            Some(group) => Err(StatementError::Predicate {
                path: "config.choices".to_owned(),
                message: format!("{group:?} is named twice"),
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::manifest::predicate::tests::example as run;
    use crate::manifest::strict_json;

    /// A commitment to the config of the example run, made a minute before it.
    pub(crate) fn example() -> ConfigCommitment {
        let run = run();
        let seed = run.training().expect("a training").seed;
        let config = run.config;
        ConfigCommitment {
            config: CommittedConfig {
                name: config.name,
                digest: config.digest,
                choices: config.choices,
                overrides: config.overrides,
                hydra_overrides: config.hydra_overrides,
                composed_at: config.composed_at,
                utc_offset_seconds: config.utc_offset_seconds,
            },
            challenge: run.run.challenge,
            seed,
            git: run.git.as_ref().map(CommittedSources::from),
            built_from: run.environment.built_from,
            made_at: "2026-01-31T11:59:00Z".parse().expect("a time"),
        }
    }

    #[test]
    fn a_commitment_round_trips_with_every_option_and_without() {
        let sparse = ConfigCommitment { challenge: None, git: None, built_from: None, ..example() };
        for commitment in [example(), sparse] {
            assert_eq!(commitment.check(), Ok(()));
            let bytes = strict_json::to_vec(&commitment).expect("small");
            assert_eq!(strict_json::from_slice(&bytes), Ok(commitment));
        }
    }

    #[test]
    fn a_group_chosen_twice_is_refused() {
        let mut twice = example();
        twice.config.choices.push(twice.config.choices[0].clone());
        assert!(matches!(twice.check(), Err(StatementError::Predicate { path, .. }) if path == "config.choices"));
    }

    #[test]
    fn a_field_missing_or_too_many_is_refused() {
        let whole = serde_json::to_value(example()).expect("JSON");
        for key in whole.as_object().expect("an object").keys() {
            let mut fewer = whole.clone();
            fewer.as_object_mut().expect("an object").shift_remove(key);
            assert!(strict_json::from_slice::<ConfigCommitment>(fewer.to_string().as_bytes()).is_err(), "{key}");
        }
        let mut more = whole;
        more["config"]["extra"] = 1.into();
        assert!(strict_json::from_slice::<ConfigCommitment>(more.to_string().as_bytes()).is_err());
    }

    #[test]
    fn the_subject_is_the_resolved_config_as_it_is_printed() {
        let files = [("train.yaml".to_owned(), "a: 1\nb: ${a}\n".to_owned())].into();
        let search_path = crate::config::SearchPath::new().memory("main", files);
        let config = crate::config::Composer::new(search_path).compose::<&str>("train", &[]).expect("composes");
        let subject = subject(&config).expect("resolves");
        assert_eq!(subject.name.as_str(), SUBJECT);
        assert_eq!(subject.digest.sha256, sha256(b"a: 1\nb: 1\n"));
    }
}
