//! The verifier of `spectramind`, which trains runs of the workload of this package again.

fn main() -> std::process::ExitCode {
    spectramind_verify::main(&own_workload::workloads())
}
