//! The machine and the program a run was made with.
//!
//! A description, not a promise: equal bits are promised across machines, so nothing here is compared by a check except
//! where a user asks for it. Reads `/proc` on Linux; never an environment variable: those come in as [`Variable`]s.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::git::GitId;
use crate::digest::{Blake3Digest, FileDigest};
use crate::failure::{Advice, FailureKind, io_hint};

/// The lock file this library was built with.
const CARGO_LOCK: &[u8] = include_bytes!("../../Cargo.lock");

/// The machine and the program a run was made with. What cannot be found out is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// Operating system, as Rust names it: `linux`, `macos`, `windows`.
    pub os: String,
    /// Kernel release.
    #[serde(deserialize_with = "Option::deserialize")]
    pub kernel: Option<String>,
    /// Model name of the first CPU.
    #[serde(deserialize_with = "Option::deserialize")]
    pub cpu_model: Option<String>,
    /// Instruction-set extensions the CPU has, of those that numerical code is compiled for; sorted.
    pub cpu_features: Vec<String>,
    /// Logical CPUs this process may use.
    #[serde(deserialize_with = "Option::deserialize")]
    pub logical_cpus: Option<u32>,
    /// Main memory in bytes.
    #[serde(deserialize_with = "Option::deserialize")]
    pub memory_bytes: Option<u64>,
    /// What `rustc -V` printed when the program was built.
    pub rustc: String,
    /// Target triple the program was built for.
    pub target: String,
    /// Cargo profile family the program was built with: `debug` or `release`.
    pub profile: String,
    /// Cargo features of the library; sorted.
    pub features: Vec<String>,
    /// BLAKE3 of the program's file.
    pub binary: Blake3Digest,
    /// BLAKE3 of the `Cargo.lock` the library was built with.
    pub cargo_lock: Blake3Digest,
    /// What the program says it was built from; `None` when its build could not tell. The program's own word: nothing
    /// binds it to [`binary`](Self::binary).
    #[serde(deserialize_with = "Option::deserialize")]
    pub built_from: Option<BuiltFrom>,
    /// Version of the library.
    pub version: String,
    /// The environment variables that the run reads, and no others; sorted by name.
    pub variables: Vec<Variable>,
}

/// The commit that a program was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuiltFrom {
    /// The commit at `HEAD`.
    pub commit: GitId,
    /// Whether the sources, manifests and lock file were the commit's.
    pub clean: bool,
}

impl BuiltFrom {
    /// What this very program was built from, where its build could tell.
    pub fn own() -> Option<Self> {
        let commit = env!("SPECTRAMIND_COMMIT").parse().ok()?;
        Some(Self { commit, clean: env!("SPECTRAMIND_CLEAN") == "true" })
    }

    /// BLAKE3 of the `Cargo.lock` that this very program was built with.
    pub fn own_cargo_lock() -> Blake3Digest {
        FileDigest::blake3_of_bytes(CARGO_LOCK)
    }
}

/// An environment variable that the run reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Whether it was set.
    pub set: bool,
    /// Its value, what is no UTF-8 replaced; `None` when it was not set or its value is withheld.
    #[serde(deserialize_with = "Option::deserialize")]
    pub value: Option<String>,
}

impl Variable {
    /// A variable whose value says how things were computed and is no secret.
    pub fn shown(name: &str, value: Option<&OsStr>) -> Self {
        let value = value.map(|value| value.to_string_lossy().into_owned());
        Self { name: name.to_owned(), set: value.is_some(), value }
    }

    /// A variable whose value may be a secret. Not even its hash is kept: the hash of a short secret tells the secret.
    pub fn withheld(name: &str, set: bool) -> Self {
        Self { name: name.to_owned(), set, value: None }
    }
}

/// The environment cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The program's file cannot be read.
    #[error("cannot hash the program {path}")]
    Binary {
        /// The program's file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Advice for EnvironmentError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Binary { path, source } => io_hint(source, path),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Binary { .. } => FailureKind::Missing,
        }
    }
}

impl Environment {
    /// Describes this machine, the program whose file is `binary`, and the environment variables it reads. Of a
    /// variable that is given twice the first is kept.
    ///
    /// # Errors
    /// [`EnvironmentError::Binary`] when that file cannot be read.
    pub fn collect(binary: &Path, mut variables: Vec<Variable>) -> Result<Self, EnvironmentError> {
        variables.sort_by(|left, right| left.name.cmp(&right.name));
        variables.dedup_by(|later, first| later.name == first.name);
        let binary = FileDigest::of_file(binary)
            .map_err(|source| EnvironmentError::Binary { path: binary.to_owned(), source })?
            .blake3;
        Ok(Self {
            os: std::env::consts::OS.to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
            cpu_model: read("/proc/cpuinfo").as_deref().and_then(cpu_model),
            cpu_features: cpu_features(),
            logical_cpus: std::thread::available_parallelism().ok().and_then(|count| count.get().try_into().ok()),
            memory_bytes: machine_memory(),
            rustc: env!("SPECTRAMIND_RUSTC").to_owned(),
            target: env!("SPECTRAMIND_TARGET").to_owned(),
            profile: env!("SPECTRAMIND_PROFILE").to_owned(),
            features: features(env!("SPECTRAMIND_FEATURES")),
            binary,
            cargo_lock: BuiltFrom::own_cargo_lock(),
            built_from: BuiltFrom::own(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            variables,
        })
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The value of the first line `name : value`.
fn line_value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    line_value(cpuinfo, "model name").map(str::to_owned)
}

/// Memory of this machine in bytes, where the system tells.
pub fn machine_memory() -> Option<u64> {
    read("/proc/meminfo").as_deref().and_then(memory_bytes)
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    line_value(meminfo, "MemTotal")?.strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn features(list: &str) -> Vec<String> {
    let mut features: Vec<_> = list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    features.sort();
    features
}

fn cpu_features() -> Vec<String> {
    #[allow(unused_mut, reason = "stays empty on other architectures")]
    let mut found: Vec<&str> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    macro_rules! detect {
        ($($name:tt)*) => { $(if std::arch::is_x86_feature_detected!($name) { found.push($name); })* };
    }
    #[cfg(target_arch = "x86_64")]
    detect!(
        "avx" "avx2" "avx512bw" "avx512cd" "avx512dq" "avx512f" "avx512vl" "avx512vnni" "bmi1" "bmi2" "f16c" "fma"
        "popcnt" "sse2" "sse3" "sse4.1" "sse4.2" "ssse3"
    );
    #[cfg(target_arch = "aarch64")]
    macro_rules! detect {
        ($($name:tt)*) => { $(if std::arch::is_aarch64_feature_detected!($name) { found.push($name); })* };
    }
    #[cfg(target_arch = "aarch64")]
    detect!("bf16" "dotprod" "fp16" "i8mm" "neon" "sve" "sve2");
    found.sort_unstable();
    found.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_the_toolchain_and_the_lock_file_are_named() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let binary = directory.path().join("program");
        std::fs::write(&binary, b"abc").expect("a file");
        let environment = Environment::collect(&binary, Vec::new()).expect("a readable program");
        assert_eq!(environment.binary, FileDigest::of_bytes(b"abc").blake3);
        assert_eq!(environment.cargo_lock, FileDigest::of_bytes(CARGO_LOCK).blake3);
        assert!(environment.rustc.starts_with("rustc 1."), "{}", environment.rustc);
        assert!(environment.target.contains(std::env::consts::ARCH), "{}", environment.target);
        assert!(["debug", "release"].contains(&environment.profile.as_str()), "{}", environment.profile);
        assert_eq!(environment.features.contains(&"git".to_owned()), cfg!(feature = "git"));
        assert_eq!(environment.version, env!("CARGO_PKG_VERSION"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_machine_is_described_on_linux() {
        let environment = Environment::collect(Path::new("/proc/self/exe"), Vec::new()).expect("a readable program");
        assert!(environment.memory_bytes.is_some_and(|bytes| bytes > 1 << 20));
        assert!(environment.kernel.is_some_and(|kernel| !kernel.is_empty()));
        assert!(environment.logical_cpus.is_some_and(|count| count > 0));
    }

    #[test]
    fn a_missing_program_is_named_in_the_error() {
        let error = Environment::collect(Path::new("/nonexistent/program"), Vec::new()).expect_err("none");
        assert_eq!(error.to_string(), "cannot hash the program /nonexistent/program");
    }

    #[test]
    fn variables_are_sorted_and_the_value_of_a_withheld_one_stays_unknown() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let binary = directory.path().join("program");
        std::fs::write(&binary, b"abc").expect("a file");
        let (shown, unset) = (Variable::shown("B", Some("2".as_ref())), Variable::shown("C", None));
        let withheld = Variable::withheld("A", true);
        // A config may name a variable that is shown anyway.
        let given = vec![shown.clone(), unset.clone(), withheld.clone(), Variable::withheld("B", true)];
        let environment = Environment::collect(&binary, given).expect("a readable program");
        assert_eq!(environment.variables, [withheld, shown, unset]);
        let text = serde_json::to_string(&environment.variables[0]).expect("plain data");
        assert_eq!(text, r#"{"name":"A","set":true,"value":null}"#);
    }

    #[test]
    fn proc_files_are_read_by_their_keys() {
        assert_eq!(memory_bytes("MemFree: 1 kB\nMemTotal:       16384 kB\n"), Some(16 << 20));
        assert_eq!(memory_bytes("MemTotal: 16384 MB\n"), None);
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: A: B\n").as_deref(), Some("A: B"));
        assert_eq!(features("git,engine"), ["engine", "git"]);
        assert_eq!(features(""), [""; 0]);
    }
}
