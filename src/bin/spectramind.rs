//! `spectramind`: composes a configuration, does what it says, and signs what was done.

use std::process::ExitCode;

fn main() -> ExitCode {
    spectramind::cli::main(&spectramind::ariel::workloads())
}
