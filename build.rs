//! Hands what the program is built with and from to `provenance::environment`: the toolchain, and the commit. Asks
//! `rustc`, and `git` where there is one; without it the commit is unknown, which is recorded as such. Lists the files of
//! `configs/`, which come with the program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What the programs are compiled from, below the repository's root. Of the example, which `spectramind new` writes, not the
/// whole folder: whoever tries it has its runs and its target directory there.
const SOURCES: [&str; 13] = [
    "configs",
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
    // For `spectramind new`. A release is the same wherever it is built, and its folder is on nobody's machine: set to nothing.
    println!("cargo::rerun-if-env-changed=SPECTRAMIND_CHECKOUT");
    let checkout = env::var("SPECTRAMIND_CHECKOUT").or_else(|_| env::var("CARGO_MANIFEST_DIR"));
    println!("cargo::rustc-env=SPECTRAMIND_CHECKOUT={}", checkout.expect("cargo sets it for build scripts"));
    embed_configs();
    let (commit, clean) = built_from().unwrap_or_default();
    println!("cargo::rustc-env=SPECTRAMIND_COMMIT={commit}");
    println!("cargo::rustc-env=SPECTRAMIND_CLEAN={clean}");
    for source in SOURCES.iter().filter(|source| Path::new(source).exists()) {
        println!("cargo::rerun-if-changed={source}");
    }
}

/// Writes a list of the files of `configs/`, by path and text, for `ariel::configs`.
fn embed_configs() {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for build scripts")).join("configs");
    let mut files = Vec::new();
    files_below(&root, &mut files);
    // Folders are not listed in the same order everywhere, and the list is part of the program.
    files.sort();
    let entry = |file: &PathBuf| {
        let name = file.strip_prefix(&root).expect("it was found below").to_str().expect("our names are UTF-8");
        format!("({name:?}, include_str!({:?})),\n", file.to_str().expect("a path that rustc can be given"))
    };
    let list: String = files.iter().map(entry).collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it for build scripts"));
    fs::write(out.join("configs.rs"), format!("&[\n{list}]\n")).expect("its folder can be written to");
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder that can be listed").path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
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
