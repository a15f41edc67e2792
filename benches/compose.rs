//! What composing a config costs: this project's own, a tree of fifty files, and trees of up to two thousand groups.
//!
//! All are read from disk each time. The groups are reported as elements: time per group should not grow with them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use spectramind::config::{Composer, Config, SearchPath};
use tempfile::TempDir;

const OVERRIDES: [&str; 0] = [];

fn own(criterion: &mut Criterion) {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let compose = || compose(&configs, "train", &["trainer=ci_fast"]);
    criterion.bench_function("own", |bencher| bencher.iter(compose));
    criterion.bench_function("own, resolved", |bencher| bencher.iter(|| compose().resolve().expect("it resolves")));
}

fn fifty_files(criterion: &mut Criterion) {
    let tree = tree(49);
    criterion.bench_function("50 files", |bencher| bencher.iter(|| compose(tree.path(), "config", &OVERRIDES)));
}

fn groups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("groups");
    group.sample_size(20);
    for groups in [250, 500, 1000, 2000] {
        let tree = tree(groups);
        group.throughput(Throughput::Elements(groups));
        group.bench_function(BenchmarkId::from_parameter(groups), |bencher| {
            bencher.iter(|| compose(tree.path(), "config", &OVERRIDES));
        });
    }
}

fn compose(directory: &Path, name: &str, overrides: &[&str]) -> Config {
    Composer::new(SearchPath::of_directory(directory)).compose(name, overrides).expect("a legal tree")
}

/// A primary config that chooses one option of each of so many groups; an option has five keys.
fn tree(groups: u64) -> TempDir {
    let tree = tempfile::tempdir().expect("a temporary directory");
    let mut primary = String::from("defaults:\n");
    for index in 0..groups {
        let group = tree.path().join(format!("group_{index}"));
        fs::create_dir(&group).expect("a new directory");
        let option = format!(
            "# An option.\nname: option of group {index}\nrate: 1e-3\nsizes: [16, 32, 64]\n\
             nested:\n  enabled: true\n  from: ${{seed}}\n"
        );
        fs::write(group.join("option.yaml"), option).expect("a new file");
        writeln!(primary, "  - group_{index}: option").expect("a String takes everything");
    }
    primary.push_str("  - _self_\nseed: 1\n");
    fs::write(tree.path().join("config.yaml"), primary).expect("a new file");
    tree
}

criterion_group!(benches, own, fifty_files, groups);
criterion_main!(benches);
