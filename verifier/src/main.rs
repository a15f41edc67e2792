//! `spectramind-verify`: lets a stranger re-check a run.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "replay")]
    let workloads = spectramind::ariel::workloads();
    #[cfg(not(feature = "replay"))]
    let workloads = spectramind_verify::Workloads::new();
    spectramind_verify::main(&workloads)
}
