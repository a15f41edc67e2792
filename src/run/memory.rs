//! The limits on memory: looked at after every step, by what the process and its device have held at most.
//!
//! No limit of the system's is set: one on addresses (`RLIMIT_AS`) is wrong for GPU drivers, which reserve far more than they use, and
//! one on a control group is not this process's to set.

use crate::envelope::Bounds;
use crate::failure::{Advice, FailureKind};

/// A run that held more than it may, or of which nobody could tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// It held more.
    #[error(
        "{key}: expected at most {limit} bytes of {what}, got {got} bytes after step {step}; the run is not signed"
    )]
    Exceeded {
        /// The key of the limit.
        key: &'static str,
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// What it held at most.
        got: u64,
        /// When that was seen.
        step: u64,
    },
    /// There is a limit, and the system does not tell.
    #[error("{key}: expected a system that tells how much main memory a process has held at most (Linux), got none")]
    NotMeasured {
        /// The key of the limit.
        key: &'static str,
    },
}

const HOST: &str = "envelope.host_memory_bytes";
const DEVICE: &str = "envelope.device_memory_bytes";

impl Advice for MemoryError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exceeded { key: HOST, .. } => "its state is kept in checkpoints/, and --resume goes on where more is held by fewer \
                 (a process begins to count anew); of a new run, set a larger limit, or a smaller trainer.dataloader.prefetch or \
                 data.batch_size"
                .into(),
            Self::Exceeded { .. } => "its state is kept in checkpoints/, and --resume goes on on another device; of a new run, set a larger \
                 limit, or a smaller data.batch_size"
                .into(),
            Self::NotMeasured { key } => format!("set {key}=null"),
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Exceeded { .. } => FailureKind::Failed,
            Self::NotMeasured { .. } => FailureKind::Usage,
        }
    }
}

/// Refuses a limit that nobody could hold the run to.
pub(super) fn check_measured(bounds: &Bounds, host_bytes: Option<u64>) -> Result<(), MemoryError> {
    match (bounds.host_memory_bytes, host_bytes) {
        (Some(_), None) => Err(MemoryError::NotMeasured { key: HOST }),
        _ => Ok(()),
    }
}

/// The first limit that was passed by the end of a step. What of a device is not known passes none; the record says so.
pub(super) fn exceeded(
    bounds: &Bounds,
    step: u64,
    host_bytes: impl FnOnce() -> Option<u64>,
    device_bytes: Option<u64>,
) -> Option<MemoryError> {
    let over = |key, what, limit: Option<u64>, got: Option<u64>| {
        let (limit, got) = limit.zip(got).filter(|(limit, got)| got > limit)?;
        Some(MemoryError::Exceeded { key, what, limit, got, step })
    };
    // The system is asked only where there is a limit.
    let host_bytes = bounds.host_memory_bytes.and_then(|_| host_bytes());
    over(HOST, "main memory", bounds.host_memory_bytes, host_bytes)
        .or_else(|| over(DEVICE, "device memory", bounds.device_memory_bytes, device_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_that_was_passed_is_named_with_what_was_held() {
        let bounds = Bounds { host_memory_bytes: Some(10), device_memory_bytes: Some(5), ..Bounds::NONE };
        let told = |host, device| exceeded(&bounds, 3, || Some(host), device).map(|error| error.to_string());
        assert_eq!(told(10, Some(5)), None);
        assert_eq!(told(10, None), None, "what is not known passes no limit");
        let host = "envelope.host_memory_bytes: expected at most 10 bytes of main memory, got 11 bytes after step 3; the run is not signed";
        assert_eq!(told(11, Some(6)).as_deref(), Some(host));
        assert!(
            told(10, Some(6)).is_some_and(
                |told| told.starts_with("envelope.device_memory_bytes: expected at most 5 bytes of device")
            )
        );
        assert_eq!(check_measured(&Bounds::NONE, None), Ok(()));
        assert_eq!(check_measured(&bounds, None), Err(MemoryError::NotMeasured { key: HOST }));
    }
}
