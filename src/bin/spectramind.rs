//! `spectramind`: composes a configuration, does what it says, and signs what was done.

use std::process::ExitCode;

use spectramind::ariel::Ariel;
use spectramind::run::Workloads;

fn main() -> ExitCode {
    spectramind::cli::main(&Workloads::new().with(Ariel))
}
