//! `spectramind-verify`: lets a stranger re-check a run.

use std::process::ExitCode;

use spectramind_verify::Workloads;

fn main() -> ExitCode {
    let workloads = Workloads::new();
    #[cfg(feature = "replay")]
    let workloads = workloads.with(spectramind::ariel::Ariel);
    spectramind_verify::main(&workloads)
}
