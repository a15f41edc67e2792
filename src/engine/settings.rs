//! What the `trainer`, `optimizer`, `logger` and `audit` config groups hold.
//!
//! Every field is required: a value the program uses stands in a YAML file, where a reader can find it. A nullable
//! field must be there as `null`.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::failure::{Advice, FailureKind};

pub use super::batches::{BatchLimit, ValInterval};
pub use super::repro::{Numerics, Precision};
pub use crate::wall_time::WallTime;

/// Where a run computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// The best device that is there and conforms; the run says which and why.
    Auto,
    /// The CPU, through Burn's Flex backend.
    Cpu,
    /// Vulkan, Metal or DirectX through wgpu.
    Wgpu,
    /// NVIDIA CUDA.
    Cuda,
}

impl<'de> Deserialize<'de> for Accelerator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "wgpu" => Ok(Self::Wgpu),
            "cuda" => Ok(Self::Cuda),
            // Lightning's name for either; the nearest of ours by its letters is cpu.
            "gpu" => Err(D::Error::custom(
                "expected auto, cpu, wgpu or cuda, got \"gpu\": cuda and wgpu (Vulkan, Metal) are GPUs, and auto takes the \
                 best device that is there",
            )),
            _ => Err(D::Error::unknown_variant(&name, &["auto", "cpu", "wgpu", "cuda"])),
        }
    }
}

/// How many devices of a node take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Devices {
    /// This many.
    Count(u32),
    /// All that are there.
    Auto(AutoWord),
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AutoWord {
    /// `auto`
    Auto,
}

/// Deserialises an `Option` whose key has to be there.
///
/// Serde reads a missing `Option` field as `None`; asked for this way, the key has to be there.
pub fn required<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// The `trainer` group: how a run goes, whatever is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainerSettings {
    /// Name of the profile.
    pub name: String,
    /// Where to compute.
    pub accelerator: Accelerator,
    /// Devices per node.
    pub devices: Devices,
    /// Nodes.
    #[schemars(range(min = 1))]
    pub num_nodes: u32,
    /// Float width.
    pub precision: Precision,
    /// Arithmetic promised.
    pub numerics: Numerics,
    /// Epochs to train at most.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_epochs: u32,
    /// Wall-clock guard: the run stops after the step that crosses it.
    #[serde(deserialize_with = "required")]
    pub max_time: Option<WallTime>,
    /// Batches of an epoch at most.
    #[serde(deserialize_with = "required")]
    pub limit_train_batches: Option<BatchLimit>,
    /// Batches of a validation at most.
    #[serde(deserialize_with = "required")]
    pub limit_val_batches: Option<BatchLimit>,
    /// Batches of the final test at most.
    #[serde(deserialize_with = "required")]
    pub limit_test_batches: Option<BatchLimit>,
    /// When an epoch is validated.
    pub val_check_interval: ValInterval,
    /// Batches whose gradients make one optimizer step.
    #[schemars(range(min = 1, max = 4096))]
    pub accumulate_grad_batches: u32,
    /// Upper bound of the gradient's Euclidean norm.
    #[serde(deserialize_with = "required")]
    pub gradient_clip_val: Option<f64>,
    /// Steps between two lines of the metrics log.
    #[schemars(range(min = 1))]
    pub log_every_n_steps: u32,
    /// When checkpoints are written.
    pub checkpoint: CheckpointSettings,
    /// When to give up early; `null` is never.
    #[serde(deserialize_with = "required")]
    pub early_stopping: Option<EarlyStopping>,
    /// How batches are prepared.
    pub dataloader: DataloaderSettings,
    /// Seed of everything random.
    pub seed: u64,
    /// Must be true: there is no other mode.
    pub deterministic: bool,
    /// Must be false: batch statistics are those of a micro-shard, on however many devices.
    pub sync_batchnorm: bool,
    /// Shards that the gradient of every batch is summed over, in a fixed tree. Part of the result: a run with
    /// another number has other bits. Workers divide the shards among them.
    #[schemars(range(min = 1, max = 4096))]
    pub micro_shards: u32,
}

/// The values of `configs/trainer/defaults.yaml`, for use as a library.
impl Default for TrainerSettings {
    fn default() -> Self {
        Self {
            name: "defaults".into(),
            accelerator: Accelerator::Auto,
            devices: Devices::Count(1),
            num_nodes: 1,
            precision: Precision::Full,
            numerics: Numerics::Portable,
            max_epochs: 50,
            max_time: Some(WallTime(Duration::from_secs(9 * 3600))),
            limit_train_batches: None,
            limit_val_batches: None,
            limit_test_batches: None,
            val_check_interval: ValInterval::Share(1.0),
            accumulate_grad_batches: 1,
            gradient_clip_val: Some(1.0),
            log_every_n_steps: 25,
            checkpoint: CheckpointSettings::default(),
            early_stopping: Some(EarlyStopping {
                monitor: "val/score_unclipped".into(),
                mode: Some(MonitorMode::Max),
                patience: 5,
            }),
            dataloader: DataloaderSettings { workers: 2, prefetch: Some(2) },
            seed: 42,
            deterministic: true,
            sync_batchnorm: false,
            micro_shards: 16,
        }
    }
}

/// When checkpoints are written, beside the final one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointSettings {
    /// After every so many epochs; `null` is never.
    #[serde(deserialize_with = "required")]
    pub every_n_epochs: Option<u32>,
    /// After every so many optimizer steps; `null` is never.
    #[serde(deserialize_with = "required")]
    pub every_n_steps: Option<u32>,
    /// How many to keep, best first by the monitored metric; the newest is kept besides. -1 keeps all; with 0 none is
    /// called best.
    #[schemars(range(min = -1, max = 10_000))]
    pub save_top_k: i32,
    /// Name of the metric that says which is best, e.g. `val/loss`. `null` is the one that early stopping watches, and
    /// without early stopping the one that the task names.
    #[serde(deserialize_with = "required")]
    pub monitor: Option<String>,
    /// Which direction of `monitor` is better; `null` is the one that the task declares.
    #[serde(deserialize_with = "required")]
    pub mode: Option<MonitorMode>,
}

impl CheckpointSettings {
    /// How many are kept beside the newest; `None` is all.
    pub fn kept_at_most(&self) -> Option<usize> {
        usize::try_from(self.save_top_k).ok()
    }
}

/// The values of `configs/trainer/defaults.yaml`, for use as a library.
impl Default for CheckpointSettings {
    fn default() -> Self {
        Self { every_n_epochs: Some(1), every_n_steps: None, save_top_k: 3, monitor: None, mode: None }
    }
}

/// Stop when the monitored metric has not improved for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Name of the metric, e.g. `val/score`.
    pub monitor: String,
    /// Which direction is better; `null` is the one that the task declares.
    #[serde(deserialize_with = "required")]
    pub mode: Option<MonitorMode>,
    /// Validations without improvement before the run stops.
    pub patience: u32,
}

/// Which direction of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MonitorMode {
    /// Larger is better.
    Max,
    /// Smaller is better.
    Min,
}

impl MonitorMode {
    /// The name that it has in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Min => "min",
        }
    }
}

/// How batches are prepared. Speed only: the order of batches never depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataloaderSettings {
    /// Threads beside the training thread; 0 prepares each batch when it is needed.
    #[schemars(range(max = 256))]
    pub workers: u32,
    /// Batches that each worker may be ahead; `null` with 0 workers.
    #[schemars(range(min = 1, max = 1024))]
    #[serde(deserialize_with = "required")]
    pub prefetch: Option<u32>,
}

/// The `optimizer` group: AdamW with decoupled weight decay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OptimizerSettings {
    /// The algorithm.
    pub name: OptimizerName,
    /// Learning rate.
    pub lr: f64,
    /// Decay of the first and second moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay, multiplied by the learning rate.
    pub weight_decay: f64,
}

/// The values of `configs/optimizer/adamw.yaml`, for use as a library.
impl Default for OptimizerSettings {
    fn default() -> Self {
        Self { name: OptimizerName::Adamw, lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 }
    }
}

/// The optimizers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Loshchilov & Hutter, "Decoupled weight decay regularization", 2019.
    Adamw,
}

/// The `logger` group: which logs a run directory gets. The step log is not a log but the record, and always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoggerSettings {
    /// `logs/events.jsonl`: what happened when.
    pub events: bool,
    /// `logs/metrics.csv`: step, epoch, metric, value.
    pub metrics: bool,
    /// `v50_debug_log.md`: the same for a person.
    pub debug_log: bool,
}

impl LoggerSettings {
    /// No logs.
    pub const NONE: Self = Self { events: false, metrics: false, debug_log: false };
}

/// The `audit` group: how much of the run the step log pins down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    /// Steps between two digests of the whole state; at checkpoints there always is one.
    pub state_digest_every: u32,
}

/// What a profile asks for and this version does not do, or settings that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedSetting {
    /// Known, but not built yet.
    #[error("{key}={got} is not supported by this version: expected {expected}")]
    NotYet {
        /// Dotted key.
        key: &'static str,
        /// What is supported.
        expected: &'static str,
        /// What was asked for.
        got: String,
    },
    /// A number that no version can work with, or that is beyond any use.
    #[error("{key}: expected a number from {smallest} to {largest}, got {got}")]
    OutOfRange {
        /// Dotted key.
        key: &'static str,
        /// The smallest number that would do.
        smallest: String,
        /// The largest.
        largest: String,
        /// What was asked for.
        got: String,
    },
    /// A value no version can work with.
    #[error("{key}: expected {expected}, got {got}")]
    Invalid {
        /// Dotted key.
        key: &'static str,
        /// What would do.
        expected: &'static str,
        /// What was asked for.
        got: String,
    },
}

/// Refuses a number outside of a range, and what is no number.
pub(crate) fn within<N: PartialOrd + fmt::Display>(
    key: &'static str,
    range: RangeInclusive<N>,
    got: N,
) -> Result<(), UnsupportedSetting> {
    match range.contains(&got) {
        true => Ok(()),
        false => {
            let (smallest, largest) = (range.start().to_string(), range.end().to_string());
            Err(UnsupportedSetting::OutOfRange { key, smallest, largest, got: got.to_string() })
        }
    }
}

// A config is signed by somebody else and replayed here: what it asks for must not take this machine's memory. Each of
// these is far beyond what a run has a use for.

/// Epochs of a run.
pub const MAX_EPOCHS: u32 = 1_000_000;
/// Batches of a step.
pub const MAX_ACCUMULATED_BATCHES: u32 = 4096;
/// Shards of a batch.
pub const MAX_MICRO_SHARDS: u32 = 4096;
/// Threads that prepare batches.
pub const MAX_LOADER_WORKERS: u32 = 256;
/// Batches that a thread may be ahead; each has a place in a queue that is made when the epoch begins.
pub const MAX_PREFETCH: u32 = 1024;
/// Checkpoints that are kept.
pub const MAX_KEPT_CHECKPOINTS: i32 = 10_000;

/// Settings that were checked: what the engine takes.
///
/// The only way to make one is [`TrainerSettings::check`], so a profile's wish cannot be ignored by forgetting it.
#[derive(Debug, Clone, PartialEq)]
pub struct SupportedTrainer(TrainerSettings);

impl std::ops::Deref for SupportedTrainer {
    type Target = TrainerSettings;

    fn deref(&self) -> &TrainerSettings {
        &self.0
    }
}

impl TrainerSettings {
    /// Refuses what this version cannot do, by key, instead of ignoring it.
    ///
    /// # Errors
    /// The first setting that is not supported, or makes no sense.
    pub fn check(self) -> Result<SupportedTrainer, UnsupportedSetting> {
        let not_yet =
            |key, expected, got: String| -> Result<(), _> { Err(UnsupportedSetting::NotYet { key, expected, got }) };
        let invalid =
            |key, expected, got: String| -> Result<(), _> { Err(UnsupportedSetting::Invalid { key, expected, got }) };
        match self.devices {
            Devices::Count(1) => {}
            Devices::Count(count) => not_yet("trainer.devices", "1", count.to_string())?,
            Devices::Auto(_) => not_yet("trainer.devices", "1", "auto".into())?,
        }
        if self.num_nodes != 1 {
            not_yet("trainer.num_nodes", "1", self.num_nodes.to_string())?;
        }
        if self.sync_batchnorm {
            not_yet("trainer.sync_batchnorm", "false", "true".into())?;
        }
        if !self.deterministic {
            invalid("trainer.deterministic", "true: every run is deterministic", "false".into())?;
        }
        within("trainer.accumulate_grad_batches", 1..=MAX_ACCUMULATED_BATCHES, self.accumulate_grad_batches)?;
        within("trainer.micro_shards", 1..=MAX_MICRO_SHARDS, self.micro_shards)?;
        within("trainer.max_epochs", 1..=MAX_EPOCHS, self.max_epochs)?;
        within("trainer.checkpoint.save_top_k", -1..=MAX_KEPT_CHECKPOINTS, self.checkpoint.save_top_k)?;
        within("trainer.dataloader.workers", 0..=MAX_LOADER_WORKERS, self.dataloader.workers)?;
        within("trainer.dataloader.prefetch", 0..=MAX_PREFETCH, self.dataloader.prefetch.unwrap_or(0))?;
        let positive = [
            ("trainer.log_every_n_steps", Some(self.log_every_n_steps)),
            ("trainer.checkpoint.every_n_epochs", self.checkpoint.every_n_epochs),
            ("trainer.checkpoint.every_n_steps", self.checkpoint.every_n_steps),
        ];
        for (key, value) in positive {
            if value == Some(0) {
                invalid(key, "at least 1", "0".into())?;
            }
        }
        let limits = [
            ("trainer.limit_train_batches", self.limit_train_batches),
            ("trainer.limit_val_batches", self.limit_val_batches),
            ("trainer.limit_test_batches", self.limit_test_batches),
        ];
        limits.into_iter().try_for_each(|(key, limit)| limit.map_or(Ok(()), |limit| limit.check(key)))?;
        self.val_check_interval.check("trainer.val_check_interval")?;
        if let Some(bound) = self.gradient_clip_val
            && !(bound > 0.0 && bound.is_finite())
        {
            invalid("trainer.gradient_clip_val", "a positive number or null", bound.to_string())?;
        }
        if self.early_stopping.as_ref().is_some_and(|stopping| stopping.patience == 0) {
            invalid("trainer.early_stopping.patience", "at least 1", "0".into())?;
        }
        match (self.dataloader.workers, self.dataloader.prefetch) {
            (0, None) | (1.., Some(1..)) => {}
            (0, Some(depth)) => invalid("trainer.dataloader.prefetch", "null without workers", depth.to_string())?,
            (_, Some(0)) => invalid("trainer.dataloader.prefetch", "at least 1", "0".into())?,
            (_, None) => invalid("trainer.dataloader.prefetch", "a number with workers", "null".into())?,
        }
        Ok(SupportedTrainer(self))
    }
}

impl OptimizerSettings {
    /// Refuses numbers that no step can be made with.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        let [beta1, beta2] = self.betas;
        let numbers = [
            ("optimizer.lr", "a positive number", self.lr, self.lr > 0.0),
            ("optimizer.betas", "two numbers from 0 to below 1", beta1, (0.0..1.0).contains(&beta1)),
            ("optimizer.betas", "two numbers from 0 to below 1", beta2, (0.0..1.0).contains(&beta2)),
            ("optimizer.eps", "a positive number", self.eps, self.eps > 0.0),
            ("optimizer.weight_decay", "a number from 0", self.weight_decay, self.weight_decay >= 0.0),
        ];
        match numbers.into_iter().find(|(.., got, makes_sense)| !(got.is_finite() && *makes_sense)) {
            Some((key, expected, got, _)) => Err(UnsupportedSetting::Invalid { key, expected, got: got.to_string() }),
            None => Ok(()),
        }
    }
}

impl Advice for UnsupportedSetting {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Invalid { key, expected, .. } => format!("set {key} to {expected}"),
            Self::OutOfRange { key, smallest, largest, .. } => {
                format!("set {key} to a number from {smallest} to {largest}")
            }
            Self::NotYet { key, expected, .. } => {
                let value = expected.split(' ').next().unwrap_or(expected);
                format!("choose another profile (trainer=ci_fast, trainer=defaults) or add {key}={value}")
            }
        })
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_times_are_read_as_yaml_11_and_as_lightning_writes_them() {
        let read = |text: &str| serde_json::from_str::<WallTime>(text).map(|t| t.0.as_secs()).ok();
        assert_eq!(read("32400"), Some(32400));
        assert_eq!(read("\"9:00:00\""), Some(32400));
        assert_eq!(read("\"0:20:00\""), Some(1200));
        assert_eq!(read("\"00:12:00:00\""), Some(43200));
        assert_eq!(read("\"1:02:03:04\""), Some(93784));
        assert_eq!(read("\"90\""), Some(90));
        for bad in [
            "\"9:60:00\"",
            "\"nine\"",
            "-1",
            "\"\"",
            "1.5",
            "\"20:00\"",
            "\"1:2:3\"",
            "\"1:24:00:00\"",
            "\"1:1:00:00:00\"",
            "\"+1:00:00\"",
            "\"1:00:+1\"",
            "\" 1:00:00\"",
            "\"99999999999999999999:00:00\"",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_whole_number_limits_batches_and_one_with_a_point_is_a_share() {
        let read = |text: &str| serde_json::from_str::<BatchLimit>(text);
        assert_eq!(read("1").expect("a limit").of(10), 1);
        assert_eq!(read("1.0").expect("a limit").of(10), 10);
        assert_eq!(read("0.25").expect("a limit").of(10), 2);
        assert_eq!(read("0.05").expect("a limit").of(10), 0);
        assert_eq!(read("99").expect("a limit").of(10), 10);
        for bad in ["-1", "4294967296", "\"all\"", "[]"] {
            let error = read(bad).expect_err("refused").to_string();
            assert!(error.contains("from 1 to 4294967295") && error.contains("at most 1.0"), "{error}");
        }
        for limit in [
            BatchLimit::Batches(0),
            BatchLimit::Share(0.0),
            BatchLimit::Share(-0.5),
            BatchLimit::Share(1.5),
            BatchLimit::Share(f64::NAN),
        ] {
            let settings = TrainerSettings { limit_val_batches: Some(limit), ..TrainerSettings::default() };
            let error = settings.check().expect_err("refused").to_string();
            assert!(error.contains("trainer.limit_val_batches") && error.contains("above 0.0"), "{error}");
        }
        let every = |interval: ValInterval| interval.of(9);
        assert_eq!([0.5, 1.0, 0.01].map(|share| every(ValInterval::Share(share))), [4, 9, 1]);
        assert_eq!(every(ValInterval::Steps(3)), 3);
        for interval in [ValInterval::Steps(0), ValInterval::Share(0.0), ValInterval::Share(1.1)] {
            let settings = TrainerSettings { val_check_interval: interval, ..TrainerSettings::default() };
            let error = settings.check().expect_err("refused").to_string();
            assert!(error.contains("trainer.val_check_interval"), "{error}");
        }
    }

    #[test]
    fn synchronised_batch_statistics_are_refused_by_key() {
        let settings = TrainerSettings { sync_batchnorm: true, ..TrainerSettings::default() };
        let error = settings.check().expect_err("nothing does that").to_string();
        assert!(error.starts_with("trainer.sync_batchnorm=true"), "{error}");
    }

    #[test]
    fn settings_that_would_take_all_memory_are_refused_by_key() {
        let refused = |change: fn(&mut TrainerSettings)| {
            let mut settings = TrainerSettings::default();
            change(&mut settings);
            match settings.check() {
                Err(UnsupportedSetting::OutOfRange { key, .. }) => key,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|trainer| trainer.micro_shards = 4_000_000_000), "trainer.micro_shards");
        assert_eq!(refused(|trainer| trainer.micro_shards = 0), "trainer.micro_shards");
        assert_eq!(refused(|trainer| trainer.max_epochs = u32::MAX), "trainer.max_epochs");
        assert_eq!(refused(|trainer| trainer.accumulate_grad_batches = u32::MAX), "trainer.accumulate_grad_batches");
        assert_eq!(refused(|trainer| trainer.dataloader.workers = u32::MAX), "trainer.dataloader.workers");
        assert_eq!(refused(|trainer| trainer.dataloader.prefetch = Some(4_000_000_000)), "trainer.dataloader.prefetch");
        assert_eq!(refused(|trainer| trainer.checkpoint.save_top_k = i32::MAX), "trainer.checkpoint.save_top_k");
    }

    #[test]
    fn what_is_no_number_is_in_no_range() {
        for got in [f64::NAN, f64::INFINITY, -0.1, 1.1] {
            assert!(matches!(within("key", 0.0..=1.0, got), Err(UnsupportedSetting::OutOfRange { .. })), "{got}");
        }
        assert_eq!(within("key", 0.0..=1.0, 1.0), Ok(()));
    }

    #[test]
    fn precision_is_a_number_or_a_name() {
        let read = |text: &str| serde_json::from_str::<Precision>(text).ok();
        assert_eq!(read("32"), Some(Precision::Full));
        assert_eq!(read("\"16-mixed\""), Some(Precision::MixedF16));
        assert_eq!(read("64"), None);
    }
}
