//! SLSA Provenance v1 beside our own statement, so that policy engines that know nothing of us can read what was built
//! from what.
//!
//! It is the training-run statement told once more and nothing else: [`Provenance::of`] is a pure function, and a
//! bundle whose second statement is not what it yields is refused. Nothing new can be claimed, or contradicted, in
//! it.
//!
//! The build is `spectramind train` or `spectramind exec`, run by whoever signs, on a machine of theirs: the builder's id says so, and no
//! more than SLSA Build L1 is claimed.
//!
//! | field | from |
//! |---|---|
//! | `externalParameters` | config name, overrides, choices, seed, challenge, nonce: all that a user says |
//! | `internalParameters` | device and numerics: what the program chose and found |
//! | `resolvedDependencies` | the commit, every data set, the program, its `Cargo.lock` |
//! | `byproducts` | the composed config, the step log with its Merkle root |

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::descriptor::{Annotations, DigestSet, ResourceDescriptor};
use super::predicate::{ConfigChoice, DeviceRecord, NumericsRecord, StepsRecord, TrainingRun};
use super::statement::{Predicate, StatementError};
use super::strict_json::DecimalU64;
use super::timestamp::UtcTime;
use crate::provenance::git::{GitRecord, RemoteRecord};

/// The URI of the predicate, version 1.
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// What kind of build a training is: how the parameters below are to be read. A change of [`Provenance::of`] is a new one.
pub const BUILD_TYPE: &str = "urn:x-spectramind:train:v1";

/// The same of a run of somebody's own program.
pub const COMMAND_BUILD_TYPE: &str = "urn:x-spectramind:exec:v1";

/// Who built: `spectramind` on a machine of whoever signed. Nobody else vouches for it.
pub const BUILDER: &str = "urn:x-spectramind:builder:self-hosted:v1";

/// How the subjects were built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provenance {
    /// What was asked for, and what it was made of.
    pub build_definition: BuildDefinition,
    /// How it went.
    pub run_details: RunDetails,
}

/// What was asked for, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildDefinition {
    /// [`BUILD_TYPE`] or [`COMMAND_BUILD_TYPE`].
    pub build_type: BuildType,
    /// What the user said.
    pub external_parameters: ExternalParameters,
    /// What the program chose and found.
    pub internal_parameters: InternalParameters,
    /// What went in.
    pub resolved_dependencies: Vec<ResourceDescriptor>,
}

/// The values of `buildType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BuildType {
    /// [`BUILD_TYPE`].
    #[serde(rename = "urn:x-spectramind:train:v1")]
    TrainV1,
    /// [`COMMAND_BUILD_TYPE`].
    #[serde(rename = "urn:x-spectramind:exec:v1")]
    ExecV1,
}

/// What the user said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalParameters {
    /// Name of the primary config.
    pub config: String,
    /// The overrides, as given and in the order given.
    pub overrides: Vec<String>,
    /// The overrides of Hydra's own node.
    pub hydra_overrides: Vec<String>,
    /// The option chosen of each group.
    pub choices: Vec<ConfigChoice>,
    /// The seed of every random stream of a training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<DecimalU64>,
    /// The words of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<String>>,
    /// The competition or audit it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
    /// What the verifier asked to be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// What the program chose and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InternalParameters {
    /// What a training computed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceRecord>,
    /// How it computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerics: Option<NumericsRecord>,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunDetails {
    /// Who built.
    pub builder: Builder,
    /// Which build it was.
    pub metadata: BuildMetadata,
    /// What else came out.
    pub byproducts: Vec<ResourceDescriptor>,
}

/// Who built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Builder {
    /// Always [`BUILDER`].
    pub id: BuilderId,
    /// The versions of its parts.
    pub version: BuilderVersion,
}

/// The one value of `builder.id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BuilderId {
    /// [`BUILDER`].
    #[serde(rename = "urn:x-spectramind:builder:self-hosted:v1")]
    SelfHostedV1,
}

/// The versions of the builder's parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuilderVersion {
    /// Version of the library.
    pub spectramind: String,
    /// What `rustc -V` printed when the program was built.
    pub rustc: String,
}

/// Which build it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildMetadata {
    /// The run's own id.
    pub invocation_id: String,
    /// When the run started, by the machine's own clock: self-asserted.
    pub started_on: UtcTime,
    /// When the run ended, by the machine's own clock: self-asserted.
    pub finished_on: UtcTime,
}

impl Provenance {
    /// The training run as SLSA tells it.
    pub fn of(run: &TrainingRun) -> Self {
        let (training, command) = (run.training(), run.command());
        let composed = ResourceDescriptor::of_blake3("composed config", run.config.digest);
        Self {
            build_definition: BuildDefinition {
                build_type: if command.is_some() { BuildType::ExecV1 } else { BuildType::TrainV1 },
                external_parameters: ExternalParameters {
                    config: run.config.name.clone(),
                    overrides: run.config.overrides.clone(),
                    hydra_overrides: run.config.hydra_overrides.clone(),
                    choices: run.config.choices.clone(),
                    seed: training.map(|training| training.seed),
                    words: command.map(|command| command.words.clone()),
                    challenge: run.run.challenge.clone(),
                    nonce: run.run.nonce.clone(),
                },
                internal_parameters: InternalParameters {
                    device: training.map(|training| training.device.clone()),
                    numerics: training.map(|training| training.numerics),
                },
                resolved_dependencies: dependencies(run),
            },
            run_details: RunDetails {
                builder: Builder {
                    id: BuilderId::SelfHostedV1,
                    version: BuilderVersion {
                        spectramind: run.environment.version.clone(),
                        rustc: run.environment.rustc.clone(),
                    },
                },
                metadata: BuildMetadata {
                    invocation_id: run.run.id.clone(),
                    started_on: run.started_at,
                    finished_on: run.finished_at,
                },
                byproducts: std::iter::once(composed)
                    .chain(training.map(|training| step_log(&training.steps)))
                    .collect(),
            },
        }
    }
}

fn dependencies(run: &TrainingRun) -> Vec<ResourceDescriptor> {
    let commit = run.git.iter().map(|git| ResourceDescriptor {
        name: Some("sources".to_owned()),
        digest: Some(DigestSet { git_commit: Some(git.commit.clone()), sha256: None }),
        annotations: Some(Annotations {
            git_tree: Some(git.tree.clone()),
            uncommitted: git.difference,
            ..Annotations::default()
        }),
        uri: repository(git),
    });
    let data = run.data.iter().map(|data| ResourceDescriptor {
        name: Some(format!("data/{}", data.name)),
        annotations: Some(Annotations {
            merkle_root: Some(data.merkle_root),
            count: Some(DecimalU64(data.files)),
            bytes: Some(data.bytes),
            ..Annotations::default()
        }),
        ..ResourceDescriptor::default()
    });
    let program = [
        ResourceDescriptor::of_blake3("spectramind", run.environment.binary),
        ResourceDescriptor::of_blake3("Cargo.lock", run.environment.cargo_lock),
    ];
    commit.chain(data).chain(program).collect()
}

/// Where the sources are said to come from: the remote `origin`, else the first one that has a URL.
fn repository(git: &GitRecord) -> Option<String> {
    let origin = git.remotes.iter().find(|remote| remote.name == "origin");
    let url = |remote: &RemoteRecord| remote.url.clone().filter(|url| url.contains("://"));
    let found = origin.into_iter().chain(&git.remotes).find_map(url)?;
    Some(format!("git+{found}"))
}

fn step_log(steps: &StepsRecord) -> ResourceDescriptor {
    ResourceDescriptor {
        name: Some(steps.file.as_str().to_owned()),
        annotations: Some(Annotations {
            merkle_root: Some(steps.merkle_root),
            count: Some(DecimalU64(steps.count)),
            ..Annotations::default()
        }),
        ..ResourceDescriptor::default()
    }
}

impl Predicate for Provenance {
    const TYPE: &'static str = PROVENANCE;

    /// Nothing: it is compared as a whole with what [`Provenance::of`] makes of the run.
    fn check(&self) -> Result<(), StatementError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::predicate::tests::{example, sparse_example};
    use crate::manifest::strict_json;

    #[test]
    fn provenance_round_trips_and_names_what_went_in() {
        for (run, names) in [
            (example(), &["sources", "data/train", "spectramind", "Cargo.lock"][..]),
            (sparse_example(), &["data/train", "spectramind", "Cargo.lock"]),
        ] {
            let provenance = Provenance::of(&run);
            let bytes = strict_json::to_vec(&provenance).expect("small");
            assert_eq!(strict_json::from_slice(&bytes), Ok(provenance.clone()));
            let dependencies = &provenance.build_definition.resolved_dependencies;
            assert!(
                dependencies.iter().map(|dependency| dependency.name.as_deref()).eq(names.iter().map(|n| Some(*n)))
            );
        }
    }

    #[test]
    fn the_sources_are_located_by_origin_or_another_remote_with_a_url() {
        let mut git = example().git.expect("a record");
        let remote = |name: &str, url: Option<&str>| RemoteRecord { name: name.into(), url: url.map(str::to_owned) };
        for (remotes, expected) in [
            (vec![], None),
            (vec![remote("origin", None)], None),
            (vec![remote("a", Some("git@example.org:b.git"))], None),
            (vec![remote("a", Some("https://a.org/x")), remote("origin", None)], Some("git+https://a.org/x")),
            (
                vec![remote("a", Some("https://a.org/x")), remote("origin", Some("ssh://b.org/y"))],
                Some("git+ssh://b.org/y"),
            ),
        ] {
            git.remotes = remotes;
            assert_eq!(repository(&git).as_deref(), expected, "{:?}", git.remotes);
        }
    }

    #[test]
    fn the_constants_are_what_is_written() {
        let text = String::from_utf8(strict_json::to_vec(&Provenance::of(&example())).expect("small")).expect("UTF-8");
        for (field, value) in [("buildType", BUILD_TYPE), ("id", BUILDER)] {
            assert!(text.contains(&format!(r#""{field}":"{value}""#)), "{field}: {text}");
        }
    }

    #[test]
    fn another_kind_of_build_or_builder_is_refused() {
        let text = String::from_utf8(strict_json::to_vec(&Provenance::of(&example())).expect("small")).expect("UTF-8");
        for (from, to) in [
            (BUILD_TYPE, "https://actions.github.io/buildtypes/workflow/v1"),
            (BUILDER, "https://github.com/actions/runner/github-hosted"),
            ("\"seed\":", "\"extra\":1,\"seed\":"),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(strict_json::from_slice::<Provenance>(text.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }
}
