//! The CPU as a device.

use std::ffi::OsStr;

use super::backend::Handle;
use super::{Device, Kind};
use crate::engine::repro::{CpuLevel, CpuLevelError};
use crate::failure::{Advice, FailureKind};

/// Environment variable in which the programs look for a [`CpuLevel`] to use instead of the best one; the bits do not
/// depend on it. The library does not read it.
pub const CPU_LEVEL_VARIABLE: &str = "SPECTRAMIND_CPU_LEVEL";

/// The value of [`CPU_LEVEL_VARIABLE`] names no instruction set that this processor has.
#[derive(Debug, thiserror::Error)]
#[error("environment variable {CPU_LEVEL_VARIABLE}: {0}")]
pub struct CpuLevelVariableError(#[from] CpuLevelError);

/// Takes a lower instruction set than the processor's where the value of [`CPU_LEVEL_VARIABLE`] asks for it.
///
/// # Errors
/// When it names none, or one that is not here.
pub fn choose_cpu_level(value: Option<&OsStr>) -> Result<(), CpuLevelVariableError> {
    match value {
        Some(name) => Ok(name.to_string_lossy().parse().and_then(CpuLevel::choose)?),
        None => Ok(()),
    }
}

/// The CPU, which is always there.
pub(super) fn device() -> Device {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    Device {
        kind: Kind::Cpu,
        name: model.map_or("unknown CPU".to_owned(), |(_, name)| name.trim().to_owned()),
        interface: "CPU",
        driver: None,
        memory_bytes: None,
        is_software: false,
        handle: Handle::Cpu,
    }
}

impl Advice for CpuLevelVariableError {
    fn hint(&self) -> Option<String> {
        Some("without the variable the best one is used; the bits are the same".into())
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}
