//! Hands what the program is built with and from to `provenance::environment`: the toolchain, and the commit. Asks
//! `rustc`, and `git` where there is one; without it the commit is unknown, which is recorded as such.

use std::env;
use std::path::Path;
use std::process::Command;

/// What the programs are compiled from, below the repository's root. Of the example, which `spectramind new` writes, not the
/// whole folder: whoever tries it has its runs and its target directory there.
const SOURCES: [&str; 12] = [
    "crates",
    "src",
    "verifier",
    "build.rs",
    "Cargo.toml",
    "Cargo.lock",
    "schemas",
    "examples/own-workload/Cargo.toml",
    "examples/own-workload/Cargo.lock",
    "examples/own-workload/README.md",
    "examples/own-workload/configs",
    "examples/own-workload/src",
];

fn main() {
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC for build scripts");
    let version = Command::new(rustc).arg("-V").output().expect("the compiler cargo uses runs");
    let version = String::from_utf8(version.stdout).expect("rustc prints UTF-8");
    println!("cargo::rustc-env=SPECTRAMIND_RUSTC={}", version.trim());
    for (name, source) in [("TARGET", "TARGET"), ("PROFILE", "PROFILE"), ("FEATURES", "CARGO_CFG_FEATURE")] {
        // Without any feature the list is absent.
        println!("cargo::rustc-env=SPECTRAMIND_{name}={}", env::var(source).unwrap_or_default());
    }
    let (commit, clean) = built_from().unwrap_or_default();
    println!("cargo::rustc-env=SPECTRAMIND_COMMIT={commit}");
    println!("cargo::rustc-env=SPECTRAMIND_CLEAN={clean}");
    for source in SOURCES.iter().filter(|source| Path::new(source).exists()) {
        println!("cargo::rerun-if-changed={source}");
    }
}

/// The commit of this repository, and whether the sources are the commit's. None where this is not the root of one: a
/// package unpacked inside somebody else's repository is not built from that one's commit.
fn built_from() -> Option<(String, bool)> {
    let root = env::current_dir().ok()?.canonicalize().ok()?;
    let toplevel = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&toplevel).canonicalize().ok()? != root {
        return None;
    }
    // What a commit, a checkout and a reset write. One that is not there would have this script run every time.
    let reference = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(reference.as_deref()) {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "--verify", "HEAD^{commit}"])?;
    let status = [&["status", "--porcelain", "--untracked-files=all", "--"], &SOURCES[..]].concat();
    Some((commit, git(&status)?.is_empty()))
}

/// What git prints, without the line end.
fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(["--no-optional-locks", "-c", "core.fsmonitor=false"]).args(arguments);
    // Set in hooks, they would lead to another repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}
