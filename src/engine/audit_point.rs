//! A state that a run leaves behind for an auditor to begin at: a checkpoint file, compressed without loss.
//!
//! The folder of them may be kept elsewhere and be fetched file by file: only those of the segments that are drawn are needed.

use std::io::{self, Read};
use std::path::Path;

use super::run_dir::AUDIT_POINTS;
use super::snapshot::{CheckpointError, Snapshot};

const ENDING: &str = ".safetensors.zst";

/// Zstandard's fastest level of those that shrink anything: mantissas are noise, and a higher one gains a part in a thousand.
const LEVEL: i32 = 1;

/// The name of the audit point after a step, below the run directory.
pub fn name(step: u64) -> String {
    format!("{AUDIT_POINTS}/step-{step:08}{ENDING}")
}

/// The step of an audit point of that name.
pub fn step_of(file: &str) -> Option<u64> {
    let digits = file.strip_prefix(AUDIT_POINTS)?.strip_prefix("/step-")?.strip_suffix(ENDING)?;
    digits.parse().ok().filter(|&step| name(step) == file)
}

/// A checkpoint's bytes as they are kept.
pub(super) fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    zstd::bulk::compress(bytes, LEVEL)
}

/// Reads an audit point that unpacks to at most `limit` bytes, of which no more are unpacked; `path` is for errors.
///
/// # Errors
/// When it is not the compressed bytes of a checkpoint, all of them and no others, as a run writes one.
pub fn read(compressed: &[u8], limit: u64, path: &Path) -> Result<Snapshot, CheckpointError> {
    let refuse = |expected: &str, got: String| CheckpointError::Content {
        path: path.to_owned(),
        expected: expected.to_owned(),
        got,
    };
    let mut bytes = Vec::new();
    zstd::stream::Decoder::with_buffer(compressed)
        .and_then(|decoder| decoder.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| refuse("bytes compressed by Zstandard", error.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(refuse(&format!("at most {limit} unpacked bytes"), "more".into()));
    }
    let snapshot = Snapshot::from_bytes(&bytes, path)?;
    match snapshot.to_bytes() == bytes {
        true => Ok(snapshot),
        false => Err(refuse("a checkpoint as a run writes it", "the same state in other bytes".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::repro::Arithmetic;
    use crate::engine::snapshot::{HostTensor, Progress};

    fn snapshot() -> Snapshot {
        let values = (0..5000).map(|number| (number as f32).sin()).collect();
        Snapshot {
            tensors: [("parameter/a".to_owned(), HostTensor { shape: vec![5000], values })].into_iter().collect(),
            integers: Default::default(),
            progress: Progress::start(1, Arithmetic::PORTABLE, "{}".into()),
        }
    }

    #[test]
    fn a_state_comes_back_and_takes_less_room() {
        let bytes = snapshot().to_bytes();
        let compressed = compress(&bytes).expect("compressed");
        assert!(compressed.len() < bytes.len());
        assert_eq!(read(&compressed, bytes.len() as u64, Path::new("x")).expect("read"), snapshot());
        assert!(read(&compressed, bytes.len() as u64 - 1, Path::new("x")).is_err());
    }

    #[test]
    fn cut_foreign_and_padded_files_are_refused_and_a_bomb_is_not_unpacked() {
        let compressed = compress(&snapshot().to_bytes()).expect("compressed");
        let padded = [snapshot().to_bytes(), vec![0; 8]].concat();
        let foreign = compress(b"something else").expect("compressed");
        let bomb = compress(&vec![0; 1 << 22]).expect("compressed").repeat(1 << 12);
        for bytes in
            [&compressed[..compressed.len() - 4], &foreign, &compress(&padded).expect("compressed"), b"", &bomb]
        {
            let error = read(bytes, 1 << 20, Path::new("audit/x")).expect_err("refused").to_string();
            assert!(error.contains("audit/x"), "{error}");
        }
    }

    #[test]
    fn a_name_has_one_step_and_a_step_one_name() {
        assert_eq!(step_of(&name(37)), Some(37));
        assert_eq!(name(123_456_789), "audit/step-123456789.safetensors.zst");
        for other in [
            "audit/step-7.safetensors.zst",
            "checkpoints/step-00000007.safetensors",
            "audit/step-0000000x.safetensors.zst",
        ] {
            assert_eq!(step_of(other), None, "{other}");
        }
    }
}
