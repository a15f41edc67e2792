//! The verifier's policy: what must hold of a run, whatever the run demands of itself.
//!
//! A YAML file of rules, each of which may be left out; `examples/policy.yaml` has them all, and [`BUILT_IN_POLICIES`] are
//! in the program. A policy judges what a verified manifest *says*, so it belongs beside the checks that find out whether
//! that is true: `git.clean` is the trainer's word until the `git` check has looked at the same tree. The rules `config`,
//! `replay`, `commitment`, `nonce` and `roles.verifier` ask for what the checker did or has instead ([`Evidence`]).
//!
//! A policy fails closed: an unknown key, a key twice, a rule that nothing could meet and a file without any rule (a
//! truncated one, say) are refused, and a rule that the record does not let anybody judge is not checked, never passed.

mod judge;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::config::{self, ConfigError};
use crate::digest::Blake3Digest;
use crate::envelope::{Bounds, NetworkMode};
use crate::manifest::predicate::{ExitReason, NumericsProfile, PrecisionRecord};

pub use self::judge::Evidence;
pub use self::rules::{ConfigValue, Demand, HeldOutRules, ProgramRules, SeedRule};

/// The policies that have a name: the name, and the YAML.
pub const BUILT_IN_POLICIES: [(&str, &str); 1] = [("leaderboard", include_str!("../../policies/leaderboard.yaml"))];

/// A policy that was checked.
#[derive(Debug, Clone)]
pub struct Policy(PolicyFile);

/// The policy file. Every rule may be left out; at least one must be there.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyFile {
    /// The sources.
    pub git: GitRules,
    /// The arithmetic.
    pub numerics: NumericsRules,
    /// Limits that must be kept whatever limits the run claims: `kaggle`, or limits of your own.
    pub envelope: Option<EnvelopeRule>,
    /// How many trusted keys of each role must have signed, beyond what the trust policy asks for.
    pub roles: RoleRules,
    /// How long ago the run may have ended, such as `30d`: by the verifier's clock against the trainer's, which is
    /// self-asserted. A run that says it ended in the future fails.
    pub max_age: Option<MaxAge>,
    /// The challenge that the run must be made for.
    pub challenge: Option<String>,
    /// The ways in which the run may have ended.
    #[schemars(length(min = 1))]
    pub exit: Option<Vec<ExitReason>>,
    /// The device must have passed the numerics probe.
    pub probe: Option<Demand>,
    /// Ranges of recorded metrics, by name. One of `test/…` is judged only together with `held_out`: the best of many
    /// splits with one held-out sample is no score.
    pub metrics: BTreeMap<String, MetricRange>,
    /// What the metrics of `test/…` were computed over.
    pub held_out: HeldOutRules,
    /// The data.
    pub data: DataRules,
    /// Values that keys of the config must have, by their dotted path, as in `trainer.seed`: of the config that the checker
    /// composed.
    pub config: BTreeMap<String, ConfigValue>,
    /// The seeds that will do.
    pub seed: Option<SeedRule>,
    /// The program that trained.
    pub program: ProgramRules,
    /// Somebody must have trained the run again and got the same: the checker, or a trusted verifier whose verdict counts.
    pub replay: Option<Demand>,
    /// The run must be the one that was committed to before it was made: by the file that the checker received then.
    pub commitment: Option<Demand>,
    /// The checker must have handed out a nonce, and found it signed with the run.
    pub nonce: Option<Demand>,
}

/// Rules about the sources.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GitRules {
    /// The run must have been made inside a git repository.
    pub required: bool,
    /// The work tree must have been clean, and hold every config file that was composed.
    pub clean: bool,
    /// Where the repository may have its remotes; every remote must be allowed, and there must be one. An entry that
    /// ends in `/` or `:` allows all that begins with it, any other exactly itself: otherwise
    /// `https://example.org/team` would allow `https://example.org/team-of-somebody-else/x`.
    #[schemars(length(min = 1))]
    pub remotes: Option<Vec<String>>,
}

/// Rules about the arithmetic.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NumericsRules {
    /// The lowest version of the numerics contract.
    pub min_version: Option<u32>,
    /// The promises about equal bits that will do.
    #[schemars(length(min = 1))]
    pub profiles: Option<Vec<NumericsProfile>>,
    /// The widths of floats that will do: `32`, `16-mixed`, `bf16-mixed`.
    #[schemars(length(min = 1))]
    pub precision: Option<Vec<AllowedPrecision>>,
}

/// A width of floats, as a trainer profile writes it: the number 32 as well as the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowedPrecision(pub PrecisionRecord);

/// Limits that must be kept.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum EnvelopeRule {
    /// Limits that have a name.
    Preset(EnvelopePreset),
    /// Limits of one's own.
    Limits(LimitRules),
}

/// Limits that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnvelopePreset {
    /// A Kaggle notebook's: 9 hours, 16 GiB of device memory, no network.
    Kaggle,
}

/// Limits of one's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitRules {
    /// Most monotonic seconds from start to end.
    pub wall_seconds: Option<u64>,
    /// Most bytes of device memory.
    pub device_memory_bytes: Option<u64>,
    /// Most bytes of host memory.
    pub host_memory_bytes: Option<u64>,
    /// What of the network the run may have had.
    pub network: Option<NetworkMode>,
}

/// How many trusted keys of each role must have signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoleRules {
    /// Trainers, who sign the manifest.
    #[schemars(range(min = 1))]
    pub trainer: Option<u32>,
    /// Verifiers, who sign a verdict about it; only one that says that every check passed and that the run was trained
    /// again counts.
    #[schemars(range(min = 1))]
    pub verifier: Option<u32>,
}

/// A span of time, in jiff's spelling or ISO 8601's: `30d`, `2 weeks`, `P1M`. A day has 24 hours, all being UTC.
#[derive(Debug, Clone, Copy)]
pub struct MaxAge(pub jiff::Span);

/// A range of a metric; at least one end is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MetricRange {
    /// The lowest value that will do.
    pub min: Option<f64>,
    /// The highest value that will do.
    pub max: Option<f64>,
}

/// Rules about the data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataRules {
    /// What DVC must say of the data.
    pub dvc: Option<DvcRule>,
    /// Merkle roots of data sets, by the name that the config gives them. A raw data set that is not among them fails: what
    /// was not named may be anything. One that the run made itself need not be named, a replay makes it again.
    pub roots: BTreeMap<String, Blake3Digest>,
}

/// What DVC must say of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DvcRule {
    /// Every data set is covered by DVC's files, and equals what they say; but for those that the run calibrated itself.
    Matched,
    /// Anything: the rule that asks for nothing, for a policy that wants to say so.
    Any,
}

/// A policy that is refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PolicyError {
    /// It is no YAML, or not of this shape.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It asks for nothing: every run would pass it.
    #[error("expected at least one rule, got none")]
    Empty,
    /// A rule that nothing could meet, or everything.
    #[error("{rule}: expected {expected}, got {got}")]
    Meaningless {
        /// The rule.
        rule: String,
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
}

impl Policy {
    /// Reads a policy; `file` is what errors call it.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn from_yaml(text: &str, file: &str) -> Result<Self, PolicyError> {
        config::from_yaml::<PolicyFile>(text, file)?.try_into()
    }

    /// The policy in the program that has this name.
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN_POLICIES.into_iter().find(|(known, _)| *known == name)?;
        Some(Self::from_yaml(text, name).expect("a built-in policy is sound"))
    }

    /// Its rules.
    pub fn rules(&self) -> &PolicyFile {
        &self.0
    }
}

impl TryFrom<PolicyFile> for Policy {
    type Error = PolicyError;

    fn try_from(file: PolicyFile) -> Result<Self, PolicyError> {
        let refuse =
            |rule: &str, expected, got: String| Err(PolicyError::Meaningless { rule: rule.to_owned(), expected, got });
        let empty_lists = [
            ("git.remotes", file.git.remotes.as_ref().map(Vec::len)),
            ("numerics.profiles", file.numerics.profiles.as_ref().map(Vec::len)),
            ("numerics.precision", file.numerics.precision.as_ref().map(Vec::len)),
            ("exit", file.exit.as_ref().map(Vec::len)),
            ("seed", file.seed.as_ref().map(|seeds| seeds.0.len())),
            ("program.commits", file.program.commits.as_ref().map(Vec::len)),
        ];
        if let Some((rule, _)) = empty_lists.into_iter().find(|(_, length)| *length == Some(0)) {
            return refuse(rule, "at least one that will do", "none".into());
        }
        if file.git.remotes.iter().flatten().any(String::is_empty) {
            return refuse("git.remotes", "a URL, or the beginning of one", "nothing".into());
        }
        for (rule, count) in [
            ("roles.trainer", file.roles.trainer.map(u64::from)),
            ("roles.verifier", file.roles.verifier.map(u64::from)),
            ("held_out.min", file.held_out.min),
        ] {
            if count == Some(0) {
                return refuse(rule, "at least 1", "0".into());
            }
        }
        if let Some(EnvelopeRule::Limits(limits)) = &file.envelope
            && limits.is_empty()
        {
            return refuse("envelope", "a limit", "none".into());
        }
        for (name, range) in &file.metrics {
            let finite = [range.min, range.max].into_iter().flatten().all(f64::is_finite);
            let is_range = match (range.min, range.max) {
                (None, None) => false,
                (Some(min), Some(max)) => min <= max,
                _ => true,
            };
            if !finite || !is_range {
                let expected = "finite min and max, min first, or one of them";
                return refuse(&format!("metrics.{name}"), expected, range.to_string());
            }
        }
        if let Some((key, value)) = file.config.iter().find(|(_, value)| value.is_unresolved()) {
            let expected = "a value of a composed config, in which nothing is left open";
            return refuse(&format!("config.{key}"), expected, value.to_string());
        }
        if file.is_empty() { Err(PolicyError::Empty) } else { Ok(Self(file)) }
    }
}

impl PolicyFile {
    fn is_empty(&self) -> bool {
        let Self { git, numerics, envelope, roles, max_age, challenge, exit, probe, metrics, held_out, data, .. } =
            self;
        let Self { config, seed, program, replay, commitment, nonce, .. } = self;
        !(git.required || git.clean || git.remotes.is_some())
            && numerics.min_version.is_none()
            && numerics.profiles.is_none()
            && numerics.precision.is_none()
            && envelope.is_none()
            && *roles == RoleRules::default()
            && max_age.is_none()
            && challenge.is_none()
            && exit.is_none()
            && probe.is_none()
            && metrics.is_empty()
            && *held_out == HeldOutRules::default()
            && !matches!(data.dvc, Some(DvcRule::Matched))
            && data.roots.is_empty()
            && config.is_empty()
            && seed.is_none()
            && *program == ProgramRules::default()
            && [replay, commitment, nonce].into_iter().all(Option::is_none)
    }
}

impl LimitRules {
    fn is_empty(&self) -> bool {
        self.wall_seconds.is_none()
            && self.device_memory_bytes.is_none()
            && self.host_memory_bytes.is_none()
            && !matches!(self.network, Some(NetworkMode::None | NetworkMode::Denied))
    }
}

impl EnvelopeRule {
    /// The limits.
    pub fn bounds(&self) -> Bounds {
        match self {
            Self::Preset(EnvelopePreset::Kaggle) => Bounds::KAGGLE,
            Self::Limits(limits) => Bounds {
                wall_seconds: limits.wall_seconds,
                device_memory_bytes: limits.device_memory_bytes,
                host_memory_bytes: limits.host_memory_bytes,
                network: limits.network.unwrap_or(NetworkMode::Unrestricted),
            },
        }
    }
}

impl fmt::Display for MetricRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("no range"),
        }
    }
}

impl fmt::Display for MaxAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

// By hand, not `untagged`: a typo in a limit's name must be named, not "matched no variant".
impl<'de> Deserialize<'de> for EnvelopeRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rule;
        impl<'de> Visitor<'de> for Rule {
            type Value = EnvelopeRule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("kaggle or a map of limits")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<EnvelopeRule, E> {
                EnvelopePreset::deserialize(de::value::StrDeserializer::new(name)).map(EnvelopeRule::Preset)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EnvelopeRule, A::Error> {
                LimitRules::deserialize(MapAccessDeserializer::new(map)).map(EnvelopeRule::Limits)
            }
        }
        deserializer.deserialize_any(Rule)
    }
}

impl<'de> Deserialize<'de> for AllowedPrecision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Width;
        impl Visitor<'_> for Width {
            type Value = AllowedPrecision;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32, 16-mixed or bf16-mixed")
            }

            fn visit_u64<E: de::Error>(self, bits: u64) -> Result<AllowedPrecision, E> {
                self.visit_str(&bits.to_string())
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<AllowedPrecision, E> {
                PrecisionRecord::deserialize(de::value::StrDeserializer::new(name)).map(AllowedPrecision)
            }
        }
        deserializer.deserialize_any(Width)
    }
}

impl JsonSchema for AllowedPrecision {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AllowedPrecision".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "enum": [32, "32", "16-mixed", "bf16-mixed"] })
    }
}

impl<'de> Deserialize<'de> for MaxAge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = text.parse::<jiff::Span>().ok().filter(|span| span.is_positive());
        let expected = || de::Error::custom(format!("expected an age such as 30d or 2 weeks, got the text {text:?}"));
        span.map(Self).ok_or_else(expected)
    }
}

impl JsonSchema for MaxAge {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MaxAge".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[^-]*[0-9][^-]*$" })
    }
}
