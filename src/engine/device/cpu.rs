//! The CPU as a device.

use super::backend::Handle;
use super::{Device, Kind};

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
