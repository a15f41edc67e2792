//! The clocks, the environment and the process, which the library asks for: what it is given of them is read here alone.

use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;

use crate::cli::interrupt;
use crate::failure::{Context, Result};
use crate::manifest::timestamp::UtcTime;
use crate::run::Surroundings;

/// The calendar time, to the second.
pub fn now() -> UtcTime {
    let now = Timestamp::now();
    UtcTime(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// What the clock shows where the program runs, as the variable `TZ` or the system says, to the microsecond: as `%f` has it.
pub fn local_now() -> jiff::Zoned {
    let now = Timestamp::now();
    let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
    now.to_zoned(jiff::tz::TimeZone::system())
}

/// Does a run with the world as it is: its time is counted, and its memory measured, from here.
pub fn with<T>(work: impl FnOnce(Surroundings<'_>) -> Result<T>) -> Result<T> {
    let begin = Instant::now();
    forget_peak_memory();
    let program: PathBuf = std::env::current_exe().context("this program's own file cannot be found")?;
    let host = host();
    work(Surroundings {
        now: &now,
        elapsed: &|| begin.elapsed(),
        variable: &|name| std::env::var_os(name),
        host: host.as_deref(),
        program: &program,
        peak_host_bytes: &peak_host_bytes,
        interruption: &interrupt::heard,
    })
}

/// Starts the measuring of [`peak_host_bytes`] anew: a multirun's runs share a process. Without effect where the
/// system has no such thing; the peak is then that of all runs so far, which is never too small.
fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The name of this host, where the system tells.
fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Most memory this process ever held, where the system tells.
fn peak_host_bytes() -> Option<u64> {
    memory("VmHWM:")
}

/// The memory that this process holds now, where the system tells.
pub fn host_bytes() -> Option<u64> {
    memory("VmRSS:")
}

fn memory(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
