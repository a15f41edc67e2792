//! All commands of `spectramind`, for the workload of this package.

fn main() -> std::process::ExitCode {
    spectramind::cli::main(&own_workload::workloads())
}
