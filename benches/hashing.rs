//! What hashing a data set costs: seconds of wall time, and the most memory the process held.
//!
//! `hashing DIR [md5]` reads every byte below DIR, with `md5` also for DVC's MD5. `benches/hashing.sh` runs it beside
//! `b3sum` and `dvc add`.

use std::path::Path;
use std::time::Instant;

use spectramind::provenance::data::ReadData;
use spectramind::provenance::md5::{Md5Kind, Md5Kinds};

fn main() {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let Some(directory) = arguments.first() else { return println!("usage: hashing DIR [md5]") };
    let md5 = arguments.get(1).is_some_and(|argument| argument == "md5");
    let kinds = if md5 { Md5Kinds::only(Md5Kind::Bytes) } else { Md5Kinds::NONE };
    let begin = Instant::now();
    let data = ReadData::of_tree_with(Path::new(directory), |_| kinds).expect("a readable tree");
    let root = data.manifest().merkle_root();
    let seconds = begin.elapsed().as_secs_f64();
    println!("{seconds:.3} s, peak {} MiB", peak_mebibytes());
    println!("{} files, {} bytes, root {root}", data.manifest().files().len(), data.manifest().total_bytes());
}

/// As Linux tells it; 0 elsewhere.
fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or_default() / 1024
}
