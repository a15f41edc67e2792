//! Hands the toolchain's name to `provenance::environment`. Asks `rustc` only; git is read at run time.

use std::env;
use std::process::Command;

fn main() {
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC for build scripts");
    let version = Command::new(rustc).arg("-V").output().expect("the compiler cargo uses runs");
    let version = String::from_utf8(version.stdout).expect("rustc prints UTF-8");
    println!("cargo::rustc-env=SPECTRAMIND_RUSTC={}", version.trim());
    for (name, source) in [("TARGET", "TARGET"), ("PROFILE", "PROFILE"), ("FEATURES", "CARGO_CFG_FEATURE")] {
        // Without any feature the list is absent.
        println!("cargo::rustc-env=SPECTRAMIND_{name}={}", env::var(source).unwrap_or_default());
    }
    println!("cargo::rerun-if-changed=build.rs");
}
