//! The `trainer` group: how a run goes, whatever is trained.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Accelerator, Accelerators, BatchLimit, CheckpointSettings, DataloaderSettings, Devices, EarlyStopping, MonitorMode,
    Numerics, Precision, UnsupportedSetting, ValInterval, WallTime, required, within,
};

/// The `trainer` group: how a run goes, whatever is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainerSettings {
    /// Name of the profile.
    pub name: String,
    /// Where to compute.
    pub accelerator: Accelerators,
    /// Devices per node, a worker on each.
    pub devices: Devices,
    /// Nodes.
    #[schemars(range(min = 1))]
    pub num_nodes: u32,
    /// How long a worker waits for another one at a step: then the run ends with an error that names that one.
    #[serde(default = "worker_timeout")]
    pub worker_timeout: WallTime,
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
    /// Whether batch norm normalises by the statistics of the whole batch; else each micro-shard by its own. The bits depend on
    /// this, and on the number of workers in neither case.
    pub sync_batchnorm: bool,
    /// Shards that the gradient of every batch is summed over, in a fixed tree. Part of the result: a run with
    /// another number has other bits. Workers divide the shards among them.
    #[schemars(range(min = 1, max = 4096))]
    pub micro_shards: u32,
}

/// What configs from before there were workers mean.
fn worker_timeout() -> WallTime {
    WallTime(Duration::from_secs(1800))
}

/// The values of `configs/trainer/defaults.yaml`, for use as a library.
impl Default for TrainerSettings {
    fn default() -> Self {
        Self {
            name: "defaults".into(),
            accelerator: Accelerators::One(Accelerator::Auto),
            devices: Devices::Count(1),
            num_nodes: 1,
            worker_timeout: worker_timeout(),
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

// A config is signed by somebody else and replayed here: what it asks for must not take this machine's memory. Each of
// these is far beyond what a run has a use for.

/// Epochs of a run.
const MAX_EPOCHS: u32 = 1_000_000;
/// Batches of a step.
const MAX_ACCUMULATED_BATCHES: u32 = 4096;
/// Nodes, and devices of one.
const MAX_WORKERS: u32 = 4096;
/// Shards of a batch that a worker may have to compute at once, each on a thread.
const MAX_SHARDS_IN_LOCKSTEP: u32 = 256;
/// Shards of a batch.
const MAX_MICRO_SHARDS: u32 = 4096;
/// Threads that prepare batches.
const MAX_LOADER_WORKERS: u32 = 256;
/// Batches that a thread may be ahead; each has a place in a queue that is made when the epoch begins.
const MAX_PREFETCH: u32 = 1024;
/// Checkpoints that are kept.
const MAX_KEPT_CHECKPOINTS: i32 = 10_000;

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
        let invalid =
            |key, expected, got: String| -> Result<(), _> { Err(UnsupportedSetting::Invalid { key, expected, got }) };
        within("trainer.num_nodes", 1..=MAX_WORKERS, self.num_nodes)?;
        if let Devices::Count(count) = self.devices {
            within("trainer.devices", 1..=MAX_WORKERS, count)?;
        }
        if self.worker_timeout.0.is_zero() {
            invalid("trainer.worker_timeout", "a time above 0", "0".into())?;
        }
        if let Accelerators::Mixed(kinds) = &self.accelerator
            && self.numerics == Numerics::Native
            && kinds.iter().any(|kind| *kind != kinds[0])
        {
            let got = "several".to_owned();
            invalid("trainer.accelerator", "one kind of device in native numerics, whose bits are that kind's", got)?;
        }
        if !self.deterministic {
            invalid("trainer.deterministic", "true: every run is deterministic", "false".into())?;
        }
        within("trainer.accumulate_grad_batches", 1..=MAX_ACCUMULATED_BATCHES, self.accumulate_grad_batches)?;
        within("trainer.micro_shards", 1..=MAX_MICRO_SHARDS, self.micro_shards)?;
        if self.sync_batchnorm {
            within(
                "trainer.micro_shards with trainer.sync_batchnorm=true",
                1..=MAX_SHARDS_IN_LOCKSTEP,
                self.micro_shards,
            )?;
        }
        if let Devices::Count(count) = self.devices {
            self.check_workers(u64::from(count) * u64::from(self.num_nodes))?;
        }
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

    /// Refuses a number of workers among which the micro-shards cannot be divided into subtrees of their tree.
    ///
    /// # Errors
    /// Which numbers would do.
    pub fn check_workers(&self, workers: u64) -> Result<(), UnsupportedSetting> {
        match self.allowed_workers().any(|allowed| u64::from(allowed) == workers) {
            true => Ok(()),
            false => Err(UnsupportedSetting::Workers {
                allowed: self.allowed_workers().collect(),
                micro_shards: self.micro_shards,
                got: workers,
            }),
        }
    }

    /// The numbers of workers that can divide the micro-shards, in ascending order: each worker then has a whole subtree of the tree
    /// that their gradients are added in. That is 1, and every power of two up to their number where that is one itself.
    pub fn allowed_workers(&self) -> impl Iterator<Item = u32> {
        let largest = if self.micro_shards.is_power_of_two() { self.micro_shards } else { 1 };
        (0..=largest.ilog2()).map(|level| 1 << level)
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
    fn workers_that_no_subtree_is_for_are_refused_with_the_numbers_that_would_do() {
        let checked = |micro_shards, devices, num_nodes| {
            let devices = Devices::Count(devices);
            TrainerSettings { micro_shards, devices, num_nodes, ..TrainerSettings::default() }.check().map(drop)
        };
        for workers in [1, 2, 4, 8, 16] {
            assert_eq!(checked(16, workers, 1), Ok(()), "{workers}");
        }
        assert_eq!(checked(16, 8, 2), Ok(()));
        assert_eq!(checked(12, 1, 1), Ok(()));
        for (micro_shards, devices, num_nodes) in [(16, 3, 1), (16, 16, 2), (12, 2, 1), (12, 4, 1), (16, 2, 3)] {
            let error = checked(micro_shards, devices, num_nodes).expect_err("refused").to_string();
            assert!(error.starts_with("trainer.devices × trainer.num_nodes: expected "), "{error}");
            assert!(error.contains(&format!("got {}", devices * num_nodes)), "{error}");
            assert_eq!(error.contains("1, 2, 4, 8 or 16"), micro_shards == 16, "{error}");
        }
    }

    #[test]
    fn accelerators_are_a_name_or_a_list_of_names() {
        let read = |text: &str| serde_json::from_str::<Accelerators>(text);
        assert_eq!(read("\"cpu\"").expect("one"), Accelerators::One(Accelerator::Cpu));
        let mixed = Accelerators::Mixed(vec![Accelerator::Wgpu, Accelerator::Cpu]);
        assert_eq!(read("[\"wgpu\", \"cpu\"]").expect("two"), mixed);
        for bad in ["[]", "3", "[\"tpu\"]", "\"gpu\"", "null"] {
            let error = read(bad).expect_err("refused").to_string();
            assert!(error.contains("cuda"), "{error}");
        }
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
}
