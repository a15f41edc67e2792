//! The folder that a competitor uploads: the program, a signed run, a config for `predict`, and a notebook that runs them
//! offline.
//!
//! ```text
//! spectramind                   the program, for Linux on x86-64
//! run/                          every signed file of the run, compared with the manifest as it was copied, and the manifest
//! configs/predict.yaml          data of the kind that the run was trained on, for test planets
//! predict.ipynb                 checks, predicts, and says how to verify
//! spectramind-package.json      what is what, by SHA-256
//! ```

mod elf;
mod notebook;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::config::DataLevel;
use super::plots;
use super::workload::SIGMA_SCALE;
use crate::config::{Composer, Key, Map, SearchPath, Value, to_yaml};
use crate::digest::{FileDigest, Sha256Digest};
use crate::durable;
use crate::failure::{Advice, Failure, FailureKind, io_hint};
use crate::manifest::claimed::{ClaimedRun, MANIFEST};

pub use self::elf::{Glibc, NotLinux, oldest_glibc};

/// What says which file is what.
pub const INDEX: &str = "spectramind-package.json";
/// Names inside the folder.
const PROGRAM: &str = "spectramind";
const RUN: &str = "run";
const NOTEBOOK: &str = "predict.ipynb";
const PREDICT: &str = "configs/predict.yaml";

/// Largest program that is copied.
const MAX_PROGRAM_BYTES: u64 = 1 << 32;

/// What goes into a package.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The run.
    pub run: &'a ClaimedRun,
    /// The program.
    pub program: &'a Path,
    /// The command that verifies the run, to be printed.
    pub verify: &'a str,
}

/// A package that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packaged {
    /// The oldest glibc that the program runs with; `None` for one that needs none.
    pub glibc: Option<Glibc>,
    /// Whether the program is the one that trained, byte for byte.
    pub is_trainers: bool,
    /// Whether the run was trained on frames, as a competition has them.
    pub of_frames: bool,
}

/// What says which file is what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Index {
    format: u32,
    run: String,
    manifest: Sha256Digest,
    glibc: Option<String>,
    files: BTreeMap<String, Sha256Digest>,
}

/// What no package can be made of.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Something is there already.
    #[error("{path}: expected a new folder, got something that is there already", path = path.display())]
    Exists {
        /// Where it was to go.
        path: PathBuf,
    },
    /// A place in the run directory.
    #[error("{path}: expected a folder outside the run directory, in which an audit refuses what nobody signed", path = path.display())]
    InsideRun {
        /// Where it was to go.
        path: PathBuf,
    },
    /// A run that cannot predict.
    #[error("{run}: expected a run that came to its end, with {SIGMA_SCALE} among its signed files, got none", run = run.display())]
    Unfinished {
        /// The run.
        run: PathBuf,
    },
    /// A program that does not run where it is to.
    #[error("program {path}: expected {}, got {source}", NotLinux::EXPECTED, path = path.display())]
    Program {
        /// The program.
        path: PathBuf,
        /// What it is.
        source: NotLinux,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Advice for PackageError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exists { .. } => "choose another place with --out DIR, or delete what is there".into(),
            Self::InsideRun { .. } => "leave --out away: it goes beside the run directory".into(),
            Self::Unfinished { run } => format!("let it end: spectramind train --resume {}", run.display()),
            Self::Program { .. } => {
                "name one with --program FILE: build it on Linux, or with --target x86_64-unknown-linux-gnu".into()
            }
            Self::Io { path, source } => return io_hint(source, path),
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Exists { .. } | Self::InsideRun { .. } | Self::Program { .. } => FailureKind::Usage,
            Self::Io { .. } => FailureKind::Missing,
            Self::Unfinished { .. } => FailureKind::Failed,
        }
    }
}

/// Makes a package at `out`, whole or not at all.
///
/// # Errors
/// [`PackageError`]; when a file of the run is missing or is not the signed one.
pub fn package(contents: Contents<'_>, out: &Path) -> Result<Packaged, Failure> {
    let Contents { run, program, .. } = contents;
    if out.symlink_metadata().is_ok() {
        return Err(PackageError::Exists { path: out.to_owned() }.into());
    }
    if run.holds(out) {
        return Err(PackageError::InsideRun { path: out.to_owned() }.into());
    }
    let config = plots::config(run)?;
    if !run.has(SIGMA_SCALE) {
        return Err(PackageError::Unfinished { run: run.root().to_owned() }.into());
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PackageError::Io { path, source }
    };
    let bytes = crate::foreign::read_named(program, MAX_PROGRAM_BYTES)?;
    let glibc = oldest_glibc(&bytes).map_err(|source| PackageError::Program { path: program.to_owned(), source })?;
    let is_trainers = FileDigest::blake3_of_bytes(&bytes) == run.claim().environment.binary;
    let made = Packaged { glibc, is_trainers, of_frames: config.data.level == DataLevel::Raw };
    let refuse = |source| Failure::from(PackageError::Io { path: out.to_owned(), source });
    durable::make_folder(out, refuse, |folder| {
        write(contents, &bytes, &made, folder, &failed)?;
        Ok(())
    })?;
    Ok(made)
}

fn write<F: FnOnce(std::io::Error) -> PackageError>(
    Contents { run, verify, .. }: Contents<'_>,
    program: &[u8],
    made: &Packaged,
    folder: &Path,
    failed: &impl Fn(&Path) -> F,
) -> Result<(), Failure> {
    let names: Vec<&str> = run.names().collect();
    for name in names {
        let path = folder.join(RUN).join(name);
        let parent = durable::folder_of(&path);
        fs::create_dir_all(parent).map_err(failed(parent))?;
        run.copy(name, &path)?;
    }
    let own = [
        (PROGRAM, program.to_vec()),
        (PREDICT, predict_config(run)?.into_bytes()),
        (NOTEBOOK, notebook::of(&run.claim().run.id, verify).into_bytes()),
    ];
    let manifest = format!("{RUN}/{MANIFEST}");
    for (name, bytes) in own.iter().map(|(name, bytes)| (*name, bytes.as_slice())).chain([(&*manifest, run.bundle())]) {
        let path = folder.join(name);
        let parent = durable::folder_of(&path);
        fs::create_dir_all(parent).map_err(failed(parent))?;
        durable::write_whole(&path, bytes).map_err(failed(&path))?;
    }
    let path = folder.join(PROGRAM);
    executable(&path).map_err(failed(&path))?;
    let mut files = BTreeMap::new();
    for entry in crate::foreign::list(folder, u64::MAX)? {
        let path = folder.join(&entry.name);
        files.insert(entry.name, FileDigest::of_file(&path).map_err(failed(&path))?.sha256);
    }
    let glibc = made.glibc.map(|version| version.to_string());
    let index = Index { format: 1, run: run.claim().run.id.clone(), manifest: run.identity(), glibc, files };
    let path = folder.join(INDEX);
    let text = serde_json::to_string_pretty(&index).expect("plain data") + "\n";
    Ok(durable::write_whole(&path, text.as_bytes()).map_err(failed(&path))?)
}

#[cfg(unix)]
fn executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// `predict.yaml`, whole: where data and light curves are the notebook says.
fn predict_config(run: &ClaimedRun) -> Result<String, Failure> {
    let text = String::from_utf8_lossy(&run.read(plots::CONFIG)?).into_owned();
    let files = BTreeMap::from([("config.yaml".to_owned(), text)]);
    let overrides = ["data.split=test", "data.simulation=null", "data.root=data"];
    let config = Composer::new(SearchPath::new().memory("run", files)).compose("config", &overrides)?;
    let config = config.resolve()?;
    let key = |name: &str| Key::Str(name.to_owned());
    let text = |text: &str| Value::Str(text.to_owned());
    let group = |name: &str| config.value().get(name).and_then(Value::as_map).cloned().unwrap_or_default();
    let mut data = group("data");
    data.insert(key("root"), text("???"));
    // How frames are calibrated is the checkpoint's; a planet that cannot be has to have a row all the same.
    let calib = [(key("out"), text("calibrated")), (key("broken"), text("leave_out"))].into_iter().collect();
    let config: Map = [
        (key("data"), Value::Map(data)),
        (key("calib"), Value::Map(calib)),
        (key("accelerator"), text("auto")),
        (key("checkpoint"), text("???")),
        (key("out"), text("submission.csv")),
    ]
    .into_iter()
    .collect();
    let head =
        "# `spectramind predict`, with data of the kind that the run was trained on. Made by `spectramind package`.\n";
    Ok(head.to_owned() + &to_yaml(&Value::Map(config)))
}
