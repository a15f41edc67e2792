//! The whole state of a training run on the host: what a checkpoint file holds and what a state digest covers.
//!
//! A checkpoint is a safetensors file with the tensors `parameter/<path>`, those of the [`optimizer`](super::optimizer)
//! (`adamw.first/<path>`, `adamw.second/<path>`) and with an average of the weights `ema/<path>`, f32 (parameters of integers
//! i64, of truth values bool), and one metadata entry `spectramind`: [`Progress`] as JSON. One entry only, because safetensors keeps metadata in a hash map, and the bytes of a file with two would depend on its iteration order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::loss_scale::LossScale;
use super::repro::Arithmetic;
use super::settings::Precision;
use super::step_log::f64_bits;
use super::task::Moment;
use crate::digest::{Blake3Digest, DomainHasher};
use crate::failure::{Advice, FailureKind, io_hint};
use crate::foreign::{self, ForeignError};

/// Name of the metadata entry.
const METADATA: &str = "spectramind";
/// Bytes of a checkpoint file: parameters and two moments of a model of 350 million, which this engine is not made for.
pub const MAX_CHECKPOINT_BYTES: u64 = 1 << 32;
/// Bytes of its header: names and shapes of tensors, and what the task says of itself.
const MAX_HEADER_BYTES: u64 = 1 << 24;
/// Version of the checkpoint layout.
const FORMAT: u32 = 1;

/// One tensor on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its elements, row-major.
    pub values: Vec<f32>,
}

/// What a parameter without a gradient holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegerKind {
    /// Integers, i64 on the host whatever their width on the device.
    Int,
    /// Truth values.
    Bool,
}

impl IntegerKind {
    /// Its name in digests and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "i64",
            Self::Bool => "bool",
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::Int => Dtype::I64,
            Self::Bool => Dtype::BOOL,
        }
    }
}

/// One tensor of integers or truth values on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostIntegers {
    /// Which of them.
    pub kind: IntegerKind,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its elements, row-major; 0 and 1 for truth values.
    pub values: Vec<i64>,
}

impl HostIntegers {
    fn bytes(&self) -> Vec<u8> {
        match self.kind {
            IntegerKind::Int => self.values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            IntegerKind::Bool => self.values.iter().map(|&value| u8::from(value != 0)).collect(),
        }
    }
}

/// Where the run stands in the plan of epochs and steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Position {
    /// Optimizer steps done.
    pub step: u64,
    /// Epoch that the next step belongs to.
    pub epoch: u32,
    /// Steps of that epoch that are done.
    pub step_in_epoch: u32,
}

impl Position {
    /// The moment of the last step.
    pub fn last_moment(self) -> Moment {
        let epoch = if self.step_in_epoch == 0 { self.epoch.saturating_sub(1) } else { self.epoch };
        Moment { step: self.step, epoch }
    }
}

/// A checkpoint that is being kept, and how good it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptCheckpoint {
    /// File name inside `checkpoints/`.
    pub file: String,
    /// Bits of the monitored metric of a validation of its own state, 16 hex digits; `null` when there was none.
    pub monitored_bits: Option<String>,
}

/// The losses of an epoch so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EpochLoss {
    /// Sum over the samples, 16 hex digits of its bits.
    pub sum_bits: String,
    /// How many samples.
    pub samples: u64,
}

impl EpochLoss {
    /// With the mean loss of a step's samples; added in f64, in the order of the steps.
    pub fn and(before: Option<&Self>, mean: f32, samples: usize) -> Self {
        let (sum, count) = before.map_or((0.0, 0), |before| (before.sum(), before.samples));
        let sum = sum + f64::from(mean) * samples as f64;
        Self { sum_bits: f64_bits(sum), samples: count + samples as u64 }
    }

    /// Mean over the samples.
    pub fn mean(&self) -> f64 {
        self.sum() / self.samples as f64
    }

    fn sum(&self) -> f64 {
        u64::from_str_radix(&self.sum_bits, 16).map_or(f64::NAN, f64::from_bits)
    }
}

/// Everything about a run's state that is not a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Progress {
    /// Layout version.
    pub format: u32,
    /// Version of the numerics contract.
    pub numerics: u32,
    /// The run's arithmetic; absent where it is portable f32, as in every checkpoint before there was another.
    #[serde(default, skip_serializing_if = "is_portable")]
    pub arithmetic: Arithmetic,
    /// The loss scale of `16-mixed`; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<LossScale>,
    /// Where the run stands.
    pub position: Position,
    /// Best value so far of what early stopping watches, 16 hex digits of its bits.
    pub best_bits: Option<String>,
    /// Validations since then.
    pub validations_without_improvement: u32,
    /// Monitored metric of a validation of this very state, 16 hex digits of its bits; `null` when there was none.
    pub monitored_bits: Option<String>,
    /// The losses of the epoch so far; absent between two epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_loss: Option<EpochLoss>,
    /// Checkpoints that are kept, oldest first.
    pub kept: Vec<KeptCheckpoint>,
    /// The task's own description, a JSON text.
    pub task: String,
}

fn is_portable(arithmetic: &Arithmetic) -> bool {
    *arithmetic == Arithmetic::PORTABLE
}

impl Progress {
    /// The progress of a run that has not begun.
    pub fn start(numerics: u32, arithmetic: Arithmetic, task: String) -> Self {
        Self {
            format: FORMAT,
            numerics,
            arithmetic,
            loss_scale: (arithmetic.precision == Precision::MixedF16).then_some(LossScale::START),
            position: Position::default(),
            best_bits: None,
            validations_without_improvement: 0,
            monitored_bits: None,
            epoch_loss: None,
            kept: Vec::new(),
            task,
        }
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("progress is plain data")
    }
}

/// Tensors and progress of a run at one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Tensors by name: `parameter/…`, the optimizer's (`adamw.first/…`), `ema/…`.
    pub tensors: BTreeMap<String, HostTensor>,
    /// Parameters that hold integers or truth values, by name, `parameter/…`.
    pub integers: BTreeMap<String, HostIntegers>,
    /// The rest.
    pub progress: Progress,
}

/// A checkpoint file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error("checkpoint {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are no checkpoint of ours.
    #[error("checkpoint {path}: expected {expected}, got {got}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: String,
        /// What is there.
        got: String,
    },
}

/// A tensor as it is digested and written.
struct Entry<'a> {
    /// The type of its elements by name, as the digest has it.
    name: &'static str,
    dtype: Dtype,
    shape: &'a [usize],
    /// Little-endian.
    bytes: Vec<u8>,
}

impl Snapshot {
    /// Digest of everything that the next step or the end depends on: (path, dtype, shape, little-endian bytes) of every
    /// tensor in path order, NaNs made one, then the progress, as the JSON that a checkpoint's metadata entry holds. So
    /// no counter can be left out.
    pub fn state_digest(&self) -> Blake3Digest {
        let mut hasher = DomainHasher::new("spectramind/state/v2");
        self.hash_tensors(&mut hasher);
        hasher.field(self.progress.to_json().as_bytes());
        hasher.finish()
    }

    /// Digest of the tensors alone: what a worker that does not lead knows of the state.
    pub fn tensors_digest(&self) -> Blake3Digest {
        let mut hasher = DomainHasher::new("spectramind/tensors/v1");
        self.hash_tensors(&mut hasher);
        hasher.finish()
    }

    fn hash_tensors(&self, hasher: &mut DomainHasher) {
        let entries = self.entries();
        hasher.u64(entries.len() as u64);
        for (path, Entry { name, shape, bytes, .. }) in entries {
            hasher.field(path.as_bytes()).field(name.as_bytes()).u64(shape.len() as u64);
            for &length in shape {
                hasher.u64(length as u64);
            }
            hasher.field(&bytes);
        }
    }

    /// Every tensor in path order.
    fn entries(&self) -> BTreeMap<&str, Entry<'_>> {
        let floats = self.tensors.iter().map(|(path, tensor)| {
            let bytes = bytes(&tensor.values);
            (path.as_str(), Entry { name: "f32", dtype: Dtype::F32, shape: &tensor.shape, bytes })
        });
        let integers = self.integers.iter().map(|(path, tensor)| {
            let (name, dtype) = (tensor.kind.name(), tensor.kind.dtype());
            (path.as_str(), Entry { name, dtype, shape: &tensor.shape, bytes: tensor.bytes() })
        });
        floats.chain(integers).collect()
    }

    /// The checkpoint file's bytes; equal states give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let entries = self.entries();
        let views = entries.iter().map(|(path, entry)| {
            let view = TensorView::new(entry.dtype, entry.shape.to_vec(), &entry.bytes);
            (*path, view.expect("shape and bytes agree"))
        });
        let metadata = [(METADATA.to_owned(), self.progress.to_json())].into_iter().collect();
        safetensors::serialize(views, Some(metadata)).expect("tensor names are unique")
    }

    /// Reads a checkpoint file that the user named, of at most [`MAX_CHECKPOINT_BYTES`].
    ///
    /// # Errors
    /// When it cannot be read, or as [`from_bytes`](Self::from_bytes).
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        match foreign::read_named(path, MAX_CHECKPOINT_BYTES) {
            Ok(bytes) => Self::from_bytes(&bytes, path),
            Err(ForeignError::Io { path, source }) => Err(CheckpointError::Io { path, source }),
            Err(ForeignError::TooLarge { path, limit, got }) => {
                Err(CheckpointError::Content { path, expected: format!("at most {limit} bytes"), got: got.to_string() })
            }
            Err(error) => {
                Err(CheckpointError::Io { path: path.to_owned(), source: std::io::Error::other(error.to_string()) })
            }
        }
    }

    /// Reads the bytes of a checkpoint file; `path` is for errors.
    ///
    /// # Errors
    /// When they are no safetensors file, or not laid out as [`to_bytes`](Self::to_bytes) does it.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, CheckpointError> {
        let refuse = |expected: &str, got: String| CheckpointError::Content {
            path: path.to_owned(),
            expected: expected.to_owned(),
            got,
        };
        let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        if length > MAX_HEADER_BYTES {
            return Err(refuse(&format!("a header of at most {MAX_HEADER_BYTES} bytes"), length.to_string()));
        }
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|error| refuse("a whole safetensors file", error.to_string()))?;
        let progress = header
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(METADATA))
            .ok_or_else(|| refuse("a spectramind checkpoint", "a safetensors file of somebody else's".into()))?;
        let progress: Progress = serde_json::from_str(progress)
            .map_err(|error| refuse("progress of a run in its metadata", error.to_string()))?;
        if progress.format != FORMAT {
            return Err(refuse(&format!("checkpoint format {FORMAT}"), progress.format.to_string()));
        }
        let file =
            SafeTensors::deserialize(bytes).map_err(|error| refuse("a whole safetensors file", error.to_string()))?;
        let (mut tensors, mut integers) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in file.tensors() {
            let (shape, data) = (view.shape().to_vec(), view.data());
            match view.dtype() {
                Dtype::F32 => {
                    let values = data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes")));
                    tensors.insert(name, HostTensor { shape, values: values.collect() });
                }
                Dtype::I64 => {
                    let values = data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().expect("8 bytes")));
                    integers.insert(name, HostIntegers { kind: IntegerKind::Int, shape, values: values.collect() });
                }
                Dtype::BOOL => {
                    let values = data.iter().map(|&byte| i64::from(byte != 0)).collect();
                    integers.insert(name, HostIntegers { kind: IntegerKind::Bool, shape, values });
                }
                other => return Err(refuse("f32, i64 and bool tensors", format!("{name} of {other:?}"))),
            }
        }
        Ok(Self { tensors, integers, progress })
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    let canonical = |value: &f32| if value.is_nan() { 0x7fc0_0000u32 } else { value.to_bits() };
    values.iter().flat_map(|value| canonical(value).to_le_bytes()).collect()
}

impl Advice for CheckpointError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some("name a run directory, or a checkpoint in its folder checkpoints/".into())
            }
            Self::Io { path, source } => io_hint(source, path),
            Self::Content { .. } => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Io { .. } => FailureKind::Missing,
            Self::Content { .. } => FailureKind::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(value: f32) -> Snapshot {
        let tensors = ["parameter/b", "parameter/a"]
            .map(|path| (path.to_owned(), HostTensor { shape: vec![1, 2], values: vec![value, -0.0] }));
        let mask = HostIntegers { kind: IntegerKind::Bool, shape: vec![2], values: vec![1, 0] };
        let order = HostIntegers { kind: IntegerKind::Int, shape: vec![1, 1], values: vec![-3] };
        let integers = [("parameter/mask", mask), ("parameter/aa", order)].map(|(path, values)| (path.into(), values));
        Snapshot {
            tensors: tensors.into_iter().collect(),
            integers: integers.into_iter().collect(),
            progress: Progress::start(1, Arithmetic::PORTABLE, "{}".into()),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_as_it_was_written_and_its_bytes_repeat() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("x.safetensors");
        let written = snapshot(1.5);
        std::fs::write(&path, written.to_bytes()).expect("write");
        assert_eq!(Snapshot::read(&path).expect("reads"), written);
        for _ in 0..20 {
            assert_eq!(written.to_bytes(), snapshot(1.5).to_bytes());
        }
    }

    #[test]
    fn a_truncated_checkpoint_is_refused_with_its_path() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("cut.safetensors");
        let bytes = snapshot(1.0).to_bytes();
        for length in [0, 7, 8, 40, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).expect("write");
            let error = Snapshot::read(&path).expect_err("refused").to_string();
            assert!(error.contains("cut.safetensors"), "{error}");
        }
    }

    #[test]
    fn the_state_digest_sees_every_field_of_a_snapshot() {
        let full = || {
            let mut snapshot = snapshot(1.0);
            let kept =
                KeptCheckpoint { file: "step-00000001.safetensors".into(), monitored_bits: Some("0".repeat(16)) };
            snapshot.progress = Progress {
                loss_scale: Some(LossScale::START),
                best_bits: Some("0".repeat(16)),
                monitored_bits: Some("0".repeat(16)),
                epoch_loss: Some(EpochLoss::and(None, 1.0, 3)),
                kept: vec![kept],
                ..snapshot.progress
            };
            snapshot
        };
        // Every leaf of the JSON that the progress is, in turn: a field that is added is tried, too.
        let base = full().state_digest();
        let json: serde_json::Value = serde_json::from_str(&full().progress.to_json()).expect("JSON");
        let mut leaves = Vec::new();
        leaves_of(&json, String::new(), &mut leaves);
        let tried: Vec<_> = leaves.iter().map(String::as_str).collect();
        assert_eq!(
            tried,
            [
                "/format",
                "/numerics",
                "/lossScale/exponent",
                "/lossScale/goodSteps",
                "/lossScale/skippedSteps",
                "/position/step",
                "/position/epoch",
                "/position/stepInEpoch",
                "/bestBits",
                "/validationsWithoutImprovement",
                "/monitoredBits",
                "/epochLoss/sumBits",
                "/epochLoss/samples",
                "/kept/0/file",
                "/kept/0/monitoredBits",
                "/task",
            ]
        );
        for leaf in &leaves {
            let mut changed = json.clone();
            let value = changed.pointer_mut(leaf).expect("a leaf");
            *value = match value.as_i64() {
                Some(number) => (number + 1).into(),
                None => "another".into(),
            };
            let progress = serde_json::from_value(changed).expect("progress");
            assert_ne!(Snapshot { progress, ..full() }.state_digest(), base, "{leaf}");
        }
        let native = Arithmetic { numerics: crate::engine::settings::Numerics::Native, ..Arithmetic::PORTABLE };
        let progress = Progress { arithmetic: native, ..full().progress };
        assert_ne!(Snapshot { progress, ..full() }.state_digest(), base, "arithmetic");
        let mut reshaped = full();
        reshaped.tensors.get_mut("parameter/a").expect("a tensor").shape = vec![2, 1];
        assert_ne!(reshaped.state_digest(), base, "shape");
        for path in ["parameter/aa", "parameter/mask"] {
            let mut changed = full();
            changed.integers.get_mut(path).expect("a tensor").values[0] ^= 1;
            assert_ne!(changed.state_digest(), base, "{path}");
        }
        let mut renamed = full();
        let tensor = renamed.tensors.remove("parameter/a").expect("a tensor");
        renamed.tensors.insert("parameter/c".into(), tensor);
        assert_ne!(renamed.state_digest(), base, "name");
    }

    fn leaves_of(json: &serde_json::Value, path: String, leaves: &mut Vec<String>) {
        match json {
            serde_json::Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| leaves_of(value, format!("{path}/{name}"), leaves));
            }
            serde_json::Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, value)| leaves_of(value, format!("{path}/{index}"), leaves));
            }
            _ => leaves.push(path),
        }
    }

    #[test]
    fn a_checkpoint_that_claims_more_than_it_holds_is_refused() {
        let refused = |header: &str, length: u64| {
            let bytes = [&length.to_le_bytes(), header.as_bytes()].concat();
            match Snapshot::from_bytes(&bytes, Path::new("x")) {
                Err(CheckpointError::Content { .. }) => {}
                other => panic!("{header}: {other:?}"),
            }
        };
        refused("{}", u64::MAX);
        refused("{}", 1 << 40);
        let progress = serde_json::to_string(&Progress::start(1, Arithmetic::PORTABLE, "{}".into())).expect("JSON");
        let metadata = serde_json::json!({ METADATA: progress });
        let header = |shape: &[u64], end: u64| {
            let tensor = serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [0, end] });
            serde_json::json!({ "__metadata__": metadata, "parameter/a": tensor }).to_string()
        };
        for (shape, end) in [(&[1 << 62, 4, 0][..], 0), (&[1 << 62, 4], 0), (&[1 << 40], 1 << 42), (&[u64::MAX, 2], 8)]
        {
            let header = header(shape, end);
            refused(&header, header.len() as u64);
        }
    }

    #[test]
    fn a_giant_without_content_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("giant.safetensors");
        std::fs::write(&path, 2u64.to_le_bytes()).expect("write");
        std::fs::File::options().write(true).open(&path).expect("opens").set_len(1 << 40).expect("sparse");
        assert!(matches!(Snapshot::read(&path), Err(CheckpointError::Content { .. })));
    }

    #[test]
    fn the_state_digest_sees_values_signs_and_position_but_one_nan() {
        let base = snapshot(1.0).state_digest();
        assert_ne!(snapshot(1.000_000_1).state_digest(), base);
        assert_ne!(snapshot(0.0).state_digest(), snapshot(-0.0).state_digest());
        let mut later = snapshot(1.0);
        later.progress.position.step = 1;
        assert_ne!(later.state_digest(), base);
        assert_eq!(snapshot(f32::NAN).state_digest(), snapshot(-f32::NAN).state_digest());
    }
}
