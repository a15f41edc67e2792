//! The claim: how a training run was made, and what came out of it.
//!
//! Every field is always present; what is absent is an explicit `null`. A later version of these types is a new
//! [`TYPE`](Predicate::TYPE), never a new field.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Blake3Digest;
use crate::envelope::{Bounds, Figures, NetworkFigure, NetworkMode};
use crate::provenance::environment::Environment;
use crate::provenance::git::GitRecord;
use crate::provenance::path::RelativePath;

use super::statement::{Predicate, StatementError};
use super::strict_json::{DecimalU64, ExactF64, NonFinite};
use super::timestamp::UtcTime;

/// The URI of the predicate, version 1.
pub const TRAINING_RUN: &str = "urn:x-spectramind:training-run:v1";

/// How a training run was made, and what came out of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainingRun {
    /// Which run it is.
    pub run: RunRecord,
    /// The composed configuration.
    pub config: ConfigRecord,
    /// The sources; `None` when they were in no git repository.
    #[serde(deserialize_with = "Option::deserialize")]
    pub git: Option<GitRecord>,
    /// The data sets, in the order they were opened.
    pub data: Vec<DataRecord>,
    /// The machine and the program.
    pub environment: Environment,
    /// What computed.
    pub device: DeviceRecord,
    /// How it computed.
    pub numerics: NumericsRecord,
    /// The seed of every random stream.
    pub seed: DecimalU64,
    /// The step log.
    pub steps: StepsRecord,
    /// The checkpoints, in the order of their steps.
    pub checkpoints: Vec<CheckpointRecord>,
    /// What was measured at the end.
    pub metrics: Vec<MetricRecord>,
    /// The limits and what was used of them.
    pub envelope: EnvelopeRecord,
    /// Why the run ended.
    pub exit: ExitRecord,
    /// When the run started, by the machine's own clock: self-asserted.
    pub started_at: UtcTime,
    /// When the run ended, by the machine's own clock: self-asserted. Limits are judged by monotonic seconds instead.
    pub finished_at: UtcTime,
}

/// Which run it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunRecord {
    /// The run's own id.
    pub id: String,
    /// The experiment it belongs to.
    pub experiment: String,
    /// The competition or audit it was made for.
    #[serde(deserialize_with = "Option::deserialize")]
    pub challenge: Option<String>,
    /// What the verifier asked to be signed, so that an old run cannot be handed in again.
    #[serde(deserialize_with = "Option::deserialize")]
    pub nonce: Option<String>,
}

/// The composed configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigRecord {
    /// Name of the primary config.
    pub name: String,
    /// Digest of the composed config's canonical bytes.
    pub digest: Blake3Digest,
    /// The option chosen of each group, in the order of the defaults list.
    pub choices: Vec<ConfigChoice>,
    /// The overrides, as given and in the order given.
    pub overrides: Vec<String>,
    /// The files that were composed.
    pub sources: Vec<ConfigSource>,
}

/// One choice of the defaults list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigChoice {
    /// The config group.
    pub group: String,
    /// The option chosen.
    pub option: String,
}

/// One file that was composed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigSource {
    /// Where it is, below the config directory.
    pub path: RelativePath,
    /// Size in bytes.
    pub size: u64,
    /// Plain BLAKE3 of its bytes.
    pub blake3: Blake3Digest,
}

/// One data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataRecord {
    /// What the config calls it.
    pub name: String,
    /// Where it was, as the config said. For people: a check takes the root as an argument.
    pub root: String,
    /// Number of files.
    pub files: u64,
    /// Sum of the files' sizes.
    pub bytes: DecimalU64,
    /// Merkle root over path, size and content of every file.
    pub merkle_root: Blake3Digest,
    /// The list of the files, below the run directory.
    pub list: RelativePath,
}

/// What computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceRecord {
    /// Kind of device: `cpu`, `cuda`, `vulkan`.
    pub accelerator: String,
    /// Name of the device.
    pub name: String,
    /// The numerics probe; `None` when it was not run.
    #[serde(deserialize_with = "Option::deserialize")]
    pub probe: Option<ProbeRecord>,
}

/// Outcome of the numerics probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeRecord {
    /// Whether the device computes the bits that the contract asks for.
    pub passed: bool,
    /// Digest over the bits it did compute.
    pub digest: Blake3Digest,
}

/// How it computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NumericsRecord {
    /// Which promise holds.
    pub profile: NumericsProfile,
    /// Version of the profile: another version may compute other bits.
    pub version: u32,
}

/// Which promise about equal bits holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NumericsProfile {
    /// Equal bits on every device that passes the probe.
    Portable,
    /// Equal bits on the same kind of device only.
    Native,
}

/// The step log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepsRecord {
    /// Number of leaves: optimizer steps.
    pub count: u64,
    /// Merkle root over all leaves.
    pub merkle_root: Blake3Digest,
    /// The log, below the run directory.
    pub file: RelativePath,
}

/// One checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckpointRecord {
    /// The file, below the run directory.
    pub file: RelativePath,
    /// Optimizer steps done.
    pub step: u64,
    /// Digest of the whole state: parameters, optimizer moments, counters.
    pub state_digest: Blake3Digest,
}

/// One figure of merit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricRecord {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: ExactF64,
}

/// The limits and what was used of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvelopeRecord {
    /// The limits that were in force.
    pub bounds: BoundsRecord,
    /// What was used.
    pub figures: FiguresRecord,
}

/// [`Bounds`], as signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BoundsRecord {
    /// Most monotonic seconds.
    #[serde(deserialize_with = "Option::deserialize")]
    pub wall_seconds: Option<DecimalU64>,
    /// Most bytes of device memory.
    #[serde(deserialize_with = "Option::deserialize")]
    pub device_memory_bytes: Option<DecimalU64>,
    /// What of the network the run may use.
    pub network: NetworkMode,
}

/// [`Figures`], as signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FiguresRecord {
    /// Monotonic seconds from start to end.
    pub wall_seconds: ExactF64,
    /// Most bytes of host memory; `None` when not measured.
    #[serde(deserialize_with = "Option::deserialize")]
    pub peak_host_bytes: Option<DecimalU64>,
    /// Most bytes of device memory; `None` when not measured.
    #[serde(deserialize_with = "Option::deserialize")]
    pub peak_device_bytes: Option<DecimalU64>,
    /// The network the run had.
    pub network: NetworkFigure,
}

/// Why the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExitRecord {
    /// Why.
    pub reason: ExitReason,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExitReason {
    /// It did all the steps that the config asked for.
    Completed,
    /// The monitored metric no longer improved.
    EarlyStopped,
    /// The time the config allowed was over.
    MaxTime,
    /// Somebody stopped it; it can be resumed.
    Interrupted,
    /// A value was no longer finite.
    Diverged,
}

impl From<&Bounds> for BoundsRecord {
    fn from(bounds: &Bounds) -> Self {
        Self {
            wall_seconds: bounds.wall_seconds.map(DecimalU64),
            device_memory_bytes: bounds.device_memory_bytes.map(DecimalU64),
            network: bounds.network,
        }
    }
}

impl From<&BoundsRecord> for Bounds {
    fn from(record: &BoundsRecord) -> Self {
        Self {
            wall_seconds: record.wall_seconds.map(|value| value.0),
            device_memory_bytes: record.device_memory_bytes.map(|value| value.0),
            network: record.network,
        }
    }
}

impl TryFrom<&Figures> for FiguresRecord {
    type Error = NonFinite;

    fn try_from(figures: &Figures) -> Result<Self, NonFinite> {
        Ok(Self {
            wall_seconds: ExactF64::new(figures.wall_seconds)?,
            peak_host_bytes: figures.peak_host_bytes.map(DecimalU64),
            peak_device_bytes: figures.peak_device_bytes.map(DecimalU64),
            network: figures.network,
        })
    }
}

impl From<&FiguresRecord> for Figures {
    fn from(record: &FiguresRecord) -> Self {
        Self {
            wall_seconds: record.wall_seconds.get(),
            peak_host_bytes: record.peak_host_bytes.map(|value| value.0),
            peak_device_bytes: record.peak_device_bytes.map(|value| value.0),
            network: record.network,
        }
    }
}

impl Predicate for TrainingRun {
    const TYPE: &'static str = TRAINING_RUN;

    /// Checks that the claim does not contradict itself, and that nothing in it is named twice.
    fn check(&self) -> Result<(), StatementError> {
        let refuse = |path: &str, message: String| Err(StatementError::Predicate { path: path.to_owned(), message });
        if self.git.as_ref().is_some_and(|git| !git.is_consistent()) {
            return refuse("git", "clean, difference and changed contradict each other".to_owned());
        }
        for (path, names) in [
            ("data", self.data.iter().map(|data| data.name.as_str()).collect::<Vec<_>>()),
            ("metrics", self.metrics.iter().map(|metric| metric.name.as_str()).collect()),
            ("config.choices", self.config.choices.iter().map(|choice| choice.group.as_str()).collect()),
        ] {
            let mut seen = BTreeSet::new();
            if let Some(name) = names.into_iter().find(|name| !seen.insert(*name)) {
                return refuse(path, format!("{name:?} is named twice"));
            }
        }
        if let Some(pair) = self.checkpoints.windows(2).find(|pair| pair[0].step > pair[1].step) {
            return refuse("checkpoints", format!("step {} comes after step {}", pair[1].step, pair[0].step));
        }
        if let Some(late) = self.checkpoints.iter().find(|checkpoint| checkpoint.step > self.steps.count) {
            return refuse("checkpoints", format!("step {} of {} steps", late.step, self.steps.count));
        }
        if self.envelope.figures.wall_seconds.get() < 0.0 {
            return refuse("envelope.figures.wallSeconds", "negative".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::envelope::Enforcement;
    use crate::manifest::strict_json::{self, JsonError};

    fn digest(byte: u8) -> Blake3Digest {
        Blake3Digest::from_bytes([byte; 32])
    }

    fn path(text: &str) -> RelativePath {
        RelativePath::parse(text).expect("an acceptable path")
    }

    /// A claim with every field filled.
    pub(in crate::manifest) fn example() -> TrainingRun {
        let difference = Some(digest(1));
        TrainingRun {
            run: RunRecord {
                id: "20260131T120000Z-0123abcd".into(),
                experiment: "ariel".into(),
                challenge: Some("ariel-2025".into()),
                nonce: Some("5c1d".into()),
            },
            config: ConfigRecord {
                name: "train".into(),
                digest: digest(2),
                choices: vec![ConfigChoice { group: "model".into(), option: "small".into() }],
                overrides: vec!["trainer.max_steps=2".into()],
                sources: vec![ConfigSource { path: path("train.yaml"), size: 3, blake3: digest(3) }],
            },
            git: Some(GitRecord {
                commit: "1".repeat(40).parse().expect("an id"),
                tree: "2".repeat(40).parse().expect("an id"),
                branch: Some("main".into()),
                clean: false,
                difference,
                changed: vec!["a".into()],
                changed_count: 1,
            }),
            data: vec![DataRecord {
                name: "train".into(),
                root: "data/train".into(),
                files: 2,
                bytes: DecimalU64(u64::MAX),
                merkle_root: digest(4),
                list: path("data/train.jsonl"),
            }],
            environment: Environment {
                os: "linux".into(),
                kernel: Some("6.1.0".into()),
                cpu_model: Some("A CPU".into()),
                cpu_features: vec!["avx2".into()],
                logical_cpus: Some(2),
                memory_bytes: Some(1 << 34),
                rustc: "rustc 1.95.0".into(),
                target: "x86_64-unknown-linux-gnu".into(),
                profile: "release".into(),
                features: vec!["git".into()],
                binary: digest(5),
                cargo_lock: digest(6),
                version: "0.1.0".into(),
            },
            device: DeviceRecord {
                accelerator: "cpu".into(),
                name: "A CPU".into(),
                probe: Some(ProbeRecord { passed: true, digest: digest(7) }),
            },
            numerics: NumericsRecord { profile: NumericsProfile::Portable, version: 1 },
            seed: DecimalU64(42),
            steps: StepsRecord { count: 2, merkle_root: digest(8), file: path("steps.jsonl") },
            checkpoints: vec![CheckpointRecord {
                file: path("checkpoints/step-00000002.safetensors"),
                step: 2,
                state_digest: digest(9),
            }],
            metrics: vec![MetricRecord { name: "gll".into(), value: ExactF64::new(0.1).expect("finite") }],
            envelope: EnvelopeRecord {
                bounds: BoundsRecord {
                    wall_seconds: Some(DecimalU64(32_400)),
                    device_memory_bytes: Some(DecimalU64(16 << 30)),
                    network: NetworkMode::None,
                },
                figures: FiguresRecord {
                    wall_seconds: ExactF64::new(1.5).expect("finite"),
                    peak_host_bytes: Some(DecimalU64(1 << 30)),
                    peak_device_bytes: Some(DecimalU64(0)),
                    network: NetworkFigure { mode: NetworkMode::None, enforcement: Enforcement::SelfAsserted },
                },
            },
            exit: ExitRecord { reason: ExitReason::Completed },
            started_at: "2026-01-31T12:00:00Z".parse().expect("a time"),
            finished_at: "2026-01-31T12:00:01.5Z".parse().expect("a time"),
        }
    }

    /// The same with every option absent.
    pub(in crate::manifest) fn sparse_example() -> TrainingRun {
        let mut run = example();
        (run.run.challenge, run.run.nonce, run.git, run.device.probe) = (None, None, None, None);
        (run.environment.kernel, run.environment.cpu_model) = (None, None);
        (run.environment.logical_cpus, run.environment.memory_bytes) = (None, None);
        (run.envelope.bounds.wall_seconds, run.envelope.bounds.device_memory_bytes) = (None, None);
        (run.envelope.figures.peak_host_bytes, run.envelope.figures.peak_device_bytes) = (None, None);
        run
    }

    fn text(run: &TrainingRun) -> String {
        String::from_utf8(strict_json::to_vec(run).expect("small")).expect("UTF-8")
    }

    #[test]
    fn a_claim_round_trips() {
        for run in [example(), sparse_example()] {
            assert_eq!(run.check(), Ok(()));
            assert_eq!(strict_json::from_slice(text(&run).as_bytes()), Ok(run));
        }
    }

    #[test]
    fn the_bytes_of_a_claim_are_stable() {
        assert_eq!(
            crate::digest::sha256(text(&example()).as_bytes()).to_string(),
            "67cfc8b66340fc8b72686b3832f5a7f3c683b5cc36de7a571cc5255d5a2528d8"
        );
    }

    #[test]
    fn limits_and_figures_keep_their_values() {
        let record = example().envelope;
        assert_eq!(BoundsRecord::from(&Bounds::from(&record.bounds)), record.bounds);
        assert_eq!(FiguresRecord::try_from(&Figures::from(&record.figures)), Ok(record.figures.clone()));
        let unmeasured = Figures { wall_seconds: f64::NAN, ..Figures::from(&record.figures) };
        assert!(FiguresRecord::try_from(&unmeasured).is_err());
    }

    /// Every path to a member of an object, below `value`.
    fn members(value: &serde_json::Value, prefix: &str, found: &mut Vec<(String, String)>) {
        match value {
            serde_json::Value::Object(object) => {
                for (key, value) in object {
                    found.push((prefix.to_owned(), key.clone()));
                    members(value, &format!("{prefix}/{key}"), found);
                }
            }
            serde_json::Value::Array(elements) => {
                for (index, value) in elements.iter().enumerate() {
                    members(value, &format!("{prefix}/{index}"), found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn a_claim_without_any_one_of_its_fields_is_refused() {
        for run in [example(), sparse_example()] {
            let whole = serde_json::to_value(&run).expect("JSON");
            let mut paths = Vec::new();
            members(&whole, "", &mut paths);
            assert!(paths.len() > 60);
            for (object, key) in paths {
                let mut value = whole.clone();
                let object = value.pointer_mut(&object).and_then(|object| object.as_object_mut()).expect("an object");
                object.shift_remove(&key).expect("a member");
                let error = strict_json::from_slice::<TrainingRun>(value.to_string().as_bytes()).expect_err(&key);
                assert!(error.to_string().contains(&format!("missing field `{key}`")), "{error}");
            }
        }
    }

    #[test]
    fn a_claim_with_a_field_too_many_in_any_object_is_refused() {
        let whole = serde_json::to_value(example()).expect("JSON");
        let mut paths = Vec::new();
        members(&whole, "", &mut paths);
        for (object, _) in paths {
            let mut value = whole.clone();
            let members = value.pointer_mut(&object).and_then(|object| object.as_object_mut()).expect("an object");
            members.insert("extra".into(), 1.into());
            let error = strict_json::from_slice::<TrainingRun>(value.to_string().as_bytes()).expect_err(&object);
            assert!(
                matches!(&error, JsonError::Data { message, .. } if message.contains("unknown field `extra`")),
                "{error}"
            );
        }
    }

    fn refused_at(change: impl FnOnce(&mut TrainingRun)) -> String {
        let mut run = example();
        change(&mut run);
        match run.check() {
            Err(StatementError::Predicate { path, .. }) => path,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_git_record_that_calls_a_difference_clean_is_refused() {
        assert_eq!(refused_at(|run| run.git.as_mut().expect("a record").clean = true), "git");
    }

    #[test]
    fn names_given_twice_are_refused() {
        assert_eq!(refused_at(|run| run.data.push(run.data[0].clone())), "data");
        assert_eq!(refused_at(|run| run.metrics.push(run.metrics[0].clone())), "metrics");
        assert_eq!(refused_at(|run| run.config.choices.push(run.config.choices[0].clone())), "config.choices");
    }

    #[test]
    fn checkpoints_out_of_order_or_after_the_end_are_refused() {
        let earlier = |run: &mut TrainingRun| {
            run.checkpoints.push(CheckpointRecord { step: 1, ..run.checkpoints[0].clone() });
        };
        assert_eq!(refused_at(earlier), "checkpoints");
        assert_eq!(refused_at(|run| run.steps.count = 1), "checkpoints");
    }

    #[test]
    fn negative_wall_seconds_are_refused() {
        let negative = |run: &mut TrainingRun| {
            run.envelope.figures.wall_seconds = ExactF64::new(-1.0).expect("finite");
        };
        assert_eq!(refused_at(negative), "envelope.figures.wallSeconds");
    }
}
