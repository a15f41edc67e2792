//! What a run is told of the world around it: the library asks nobody else.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::interruption::Interruption;
use crate::manifest::timestamp::UtcTime;
use crate::provenance::environment::Variable;

/// The clocks, the environment and the process, as whoever runs the program has them.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The calendar time, to the second.
    pub now: &'a dyn Fn() -> UtcTime,
    /// Monotonic time since this process began the run.
    pub elapsed: &'a (dyn Fn() -> Duration + Sync),
    /// The value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The name of this host, where the system tells.
    pub host: Option<&'a str>,
    /// This program's file.
    pub program: &'a Path,
    /// Most bytes of memory that this process ever held, where the system tells.
    pub peak_host_bytes: &'a (dyn Fn() -> Option<u64> + Sync),
    /// Whether somebody wants the run to end: it then finishes its step, and is signed as far as it came.
    pub interruption: &'a (dyn Fn() -> Option<Interruption> + Sync),
}

/// The variables whose values choose how a run computes: ours, and those that the libraries it computes with read.
const SHOWN: [&str; 12] = [
    crate::engine::device::CPU_LEVEL_VARIABLE,
    "RAYON_NUM_THREADS",
    "RAYON_RS_NUM_CPUS",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_PATH",
    "CUBECL_AUTOTUNE_LEVEL",
    "CUBECL_DEBUG_OPTION",
    "CUBECL_WGPU_DEFAULT_DEVICE",
    "CUBECL_WGPU_MAX_TASKS",
    "AUTO_GRAPHICS_BACKEND",
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
];

/// The variables that lead to a key.
const WITHHELD: [&str; 2] = ["SPECTRAMIND_PASSPHRASE", "SPECTRAMIND_SIGNING_KEY"];

impl Surroundings<'_> {
    /// The environment variables that a run reads, and no others: those that choose how it computes, those that are told
    /// because the config says that they are no secret, and of the others that it reads only whether they are set. What a
    /// config names may be a secret: its value shows in the composed config or nowhere.
    pub(super) fn variables<'n>(
        &self,
        read: impl IntoIterator<Item = &'n str>,
        told: impl IntoIterator<Item = &'n str>,
    ) -> Vec<Variable> {
        let show = |name: &str| Variable::shown(name, (self.variable)(name).as_deref());
        let shown = SHOWN.into_iter().map(show).chain(told.into_iter().map(show));
        let withheld = WITHHELD.into_iter().chain(read);
        shown.chain(withheld.map(|name| Variable::withheld(name, (self.variable)(name).is_some()))).collect()
    }
}
