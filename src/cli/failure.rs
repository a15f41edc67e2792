//! What a person is told when something went wrong: `Error:`, causes, `Hint:`, and the exit code.

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::ariel::dataset::DataError;
use crate::ariel::predictor::OtherLightCurves;
use crate::ariel::preparation::PreparationError;
use crate::ariel::simulator::SimulationError;
use crate::ariel::task::SpectrumTaskError;
use crate::config::{ConfigError, ErrorKind};
use crate::engine::device::{CpuLevelVariableError, DeviceError, Kind};
use crate::engine::fit::FitError;
use crate::engine::monitor::{UnknownDirection, UnknownMonitor};
use crate::engine::repro::probe::ProbeFailure;
use crate::engine::run_dir::RunDirError;
use crate::engine::settings::UnsupportedSetting;
use crate::manifest::key::KeyError;
use crate::manifest::trust::TrustError;
use crate::manifest::trust::state::StateError;
use crate::provenance::dvc::DvcError;
use crate::provenance::git::GitError;

use crate::cli::compose::MissingConfigs;
use crate::cli::job::Taken;
use crate::cli::passphrase::{PassphraseError, VARIABLE};
use crate::cli::sweep::SweepError;

/// The work failed.
const FAILED: u8 = 1;
/// The arguments or the configuration are wrong; what clap exits with, too.
const USAGE: u8 = 2;
/// A bug in this program.
pub const BUG: u8 = 70;

/// What was asked for cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Usage {
    message: String,
    hint: String,
}

impl Usage {
    /// What was expected and got, and what to do.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// The answer has been given: nothing is left to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Told {
    /// It is a no.
    #[error("the answer is no")]
    No,
    /// What was asked cannot be answered: the arguments or the configuration are wrong.
    #[error("the arguments or the configuration are wrong")]
    Wrong,
}

/// Prints the error and gives the exit code for it.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(told) = error.downcast_ref::<Told>() {
        return ExitCode::from(if *told == Told::No { FAILED } else { USAGE });
    }
    for warning in error.chain().filter_map(|cause| cause.downcast_ref()).flat_map(ConfigError::warnings) {
        eprintln!("Warning: {warning}");
    }
    eprintln!("Error: {error}");
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Many messages already quote their cause.
        if !said.contains(&text) {
            eprintln!("  caused by: {text}");
        }
        said = text;
    }
    if let Some(hint) = error.chain().find_map(hint) {
        eprintln!("Hint: {hint}");
    }
    ExitCode::from(if error.chain().any(is_usage) { USAGE } else { FAILED })
}

/// Whether a cause lies in what was asked for.
fn is_usage(cause: &(dyn StdError + 'static)) -> bool {
    let groups_disagree = |error: &PreparationError| {
        matches!(error, PreparationError::WrongSimulation { .. } | PreparationError::CubesAsked)
    };
    cause.is::<ConfigError>()
        || cause.is::<Usage>()
        || cause.is::<CpuLevelVariableError>()
        || cause.is::<UnsupportedSetting>()
        || cause.is::<MissingConfigs>()
        || matches!(cause.downcast_ref(), Some(PassphraseError::NoTerminal { .. }))
        || matches!(cause.downcast_ref(), Some(DeviceError::NotCompiledIn { .. } | DeviceError::Absent { .. }))
        || cause.downcast_ref().is_some_and(groups_disagree)
        || matches!(cause.downcast_ref(), Some(SpectrumTaskError::Shares { .. }))
        || cause.is::<OtherLightCurves>()
        || matches!(
            cause.downcast_ref(),
            Some(
                FitError::Monitor(_)
                    | FitError::NothingToMonitor { .. }
                    | FitError::NeverValidated { .. }
                    | FitError::NoBatches { .. }
            )
        )
}

/// What to do about a cause, where we know.
fn hint(cause: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<ConfigError>() {
        // A command asked for what the config does not have; whoever only looks at one has no command in mind.
        let is_read = matches!(error.kind(), ErrorKind::UnknownKey | ErrorKind::TypeMismatch | ErrorKind::MissingValue);
        let general = "--cfg job prints what is composed; the YAML files explain their keys";
        return error.hint().or_else(|| is_read.then(|| general.to_owned()));
    }
    if let Some(usage) = cause.downcast_ref::<Usage>() {
        return Some(usage.hint.clone());
    }
    if cause.is::<Taken>() {
        return Some(
            "choose another directory: hydra.run.dir=DIR, or a pattern with ${now:%f}, the microsecond".into(),
        );
    }
    if cause.is::<CpuLevelVariableError>() {
        return Some("without the variable the best one is used; the bits are the same".into());
    }
    if cause.is::<MissingConfigs>() {
        return Some("run where the folder configs/ is, or say where with --config-path DIR".into());
    }
    if let Some(UnsupportedSetting::Invalid { key, expected, .. }) = cause.downcast_ref() {
        return Some(format!("set {key} to {expected}"));
    }
    if let Some(UnsupportedSetting::OutOfRange { key, smallest, largest, .. }) = cause.downcast_ref() {
        return Some(format!("set {key} to a number from {smallest} to {largest}"));
    }
    if let Some(UnsupportedSetting::NotYet { key, expected, .. }) = cause.downcast_ref() {
        let value = expected.split(' ').next().unwrap_or(expected);
        return Some(format!("choose another profile (trainer=ci_fast, trainer=defaults) or add {key}={value}"));
    }
    if cause.is::<ProbeFailure>() {
        let report = "report it with the output of `spectramind doctor --verbose`";
        return Some(format!("use another accelerator or driver, or trainer.numerics=native; {report}"));
    }
    if let Some(error) = cause.downcast_ref() {
        return Some(device(error));
    }
    if let Some(hint) = cause.downcast_ref().and_then(preparation) {
        return Some(hint);
    }
    if let Some(OtherLightCurves { key, expected, .. }) = cause.downcast_ref() {
        return Some(format!("add {key}={expected}, and calib.out=DIR if the light curves there are of another kind"));
    }
    if let Some(hint) = cause.downcast_ref().and_then(monitoring) {
        return Some(hint);
    }
    if let Some(SimulationError::OutputExists { .. }) = cause.downcast_ref() {
        return Some("choose another folder with sim.out=DIR, or delete that one".into());
    }
    if let Some(error) = cause.downcast_ref::<RunDirError>() {
        return match error {
            RunDirError::Exists { .. } => {
                Some("choose another run.dir, or continue that run with `spectramind train --resume DIR`".into())
            }
            RunDirError::Locked { .. } => Some("wait for the other process, or stop it".into()),
            RunDirError::StepsMissing { .. } => {
                Some("the step log was changed after the checkpoint; start anew".into())
            }
            RunDirError::Changed { .. } => {
                Some("something else writes to the run directory: train again without it".into())
            }
            RunDirError::Io { path, source } => match source.kind() {
                io::ErrorKind::StorageFull => Some(format!(
                    "free some space where {} is; the run goes on with `spectramind train --resume DIR`",
                    path.display()
                )),
                _ => io_hint(source, Some(path)),
            },
        };
    }
    if let Some(error) = cause.downcast_ref::<SweepError>() {
        return match error {
            SweepError::Exists(directory) => {
                Some(format!("go on with it with --resume {}, or choose another hydra.sweep.dir", directory.display()))
            }
            SweepError::NoSweep(_) => Some("only `spectramind train` can go on with a single run".into()),
            SweepError::OtherCommand { directory, began } => {
                Some(format!("spectramind {began} --resume {}", directory.display()))
            }
            SweepError::OtherConfigs(_) => Some("check out the configs it began with, or begin a new multirun".into()),
            SweepError::Locked(_) => Some("wait for the other process, or stop it".into()),
            SweepError::Failed { directory, .. } => {
                Some(format!("--resume {} tries those again and leaves the others as they are", directory.display()))
            }
        };
    }
    if let Some(error) = cause.downcast_ref::<KeyError>() {
        return key(error);
    }
    if let Some(error) = cause.downcast_ref::<PassphraseError>() {
        return passphrase(error);
    }
    if let Some(error) = cause.downcast_ref::<TrustError>() {
        return trust(error);
    }
    if let Some(StateError::Json { path, .. } | StateError::Root { path, .. }) = cause.downcast_ref() {
        let without = "without it older trust documents are accepted again";
        return Some(format!("restore {} from a backup, or delete it: {without}", path.display()));
    }
    if let Some(GitError::NoCommit { .. }) = cause.downcast_ref() {
        return Some("make a first commit: the record says which commit a run was made from".into());
    }
    if let Some(GitError::PatchTooLarge { .. }) = cause.downcast_ref() {
        return Some("commit them, or add provenance.keep_diff=false: their digest is signed in any case".into());
    }
    if let Some(error) = cause.downcast_ref::<DataError>() {
        return match error {
            DataError::Io { path, source, .. } => io_hint(source, Some(path)),
            DataError::Missing { .. } => Some("the data set is incomplete: get that file again".into()),
            DataError::NotListed { .. } | DataError::NotAsListed { .. } => {
                Some("the data set changed after it was hashed: start again when nothing writes to it".into())
            }
            _ => Some("the file is damaged or of another kind: get it, or simulate it, again".into()),
        };
    }
    if let Some(error) = cause.downcast_ref::<DvcError>() {
        return dvc(error);
    }
    cause.downcast_ref::<io::Error>().and_then(|error| io_hint(error, None))
}

fn dvc(error: &DvcError) -> Option<String> {
    match error {
        DvcError::Differs { .. } => Some(
            "`dvc status` lists the files; `dvc checkout` brings back those that DVC knows, `dvc commit` makes it know \
             these; provenance.dvc=record trains all the same and records the difference"
                .into(),
        ),
        DvcError::Document { .. } | DvcError::Path { .. } => {
            Some("correct the file as DVC would have written it, or move it away".into())
        }
        DvcError::Read { source, .. } => io_hint(source, None),
        DvcError::Data(_) => None,
    }
}

fn device(error: &DeviceError) -> String {
    let driver = |kind: &Kind| match kind {
        Kind::Cuda => "install NVIDIA's driver and the CUDA toolkit's NVRTC",
        Kind::Wgpu => "install a Vulkan driver (Mesa's package mesa-vulkan-drivers has one that needs no GPU)",
        Kind::Cpu => "use another machine",
    };
    match error {
        DeviceError::NotCompiledIn { kind } => {
            format!("build with `cargo build --release --features {kind}`, or use accelerator=cpu or auto")
        }
        DeviceError::Absent { kind, .. } => format!("{}, or use accelerator=cpu or auto", driver(kind)),
        DeviceError::NotConforming { .. } => {
            "use accelerator=cpu or auto; trainer.numerics=native trains there, with bits of that kind of device".into()
        }
        DeviceError::NotCorrect { .. } => "use accelerator=cpu, or trainer.numerics=portable, which has its own".into(),
    }
}

fn preparation(error: &PreparationError) -> Option<String> {
    match error {
        PreparationError::Missing { .. } => {
            Some("put the data there, say where they are with data.root=DIR, or use data=sim_tiny".into())
        }
        PreparationError::WrongSimulation { expected, .. } => Some(format!("add sim={expected}")),
        PreparationError::StaleSimulation { .. } => {
            Some("delete the data set to simulate it again, or keep both with data.root=ANOTHER_DIR".into())
        }
        PreparationError::StaleCalibration { .. } => {
            Some("delete that file to calibrate again, or keep both with calib.out=ANOTHER_DIR".into())
        }
        PreparationError::NotAlone { found, .. } => Some(format!(
            "move {found} elsewhere, or choose another folder with calib.out=DIR: an audit makes that folder again and \
             compares it"
        )),
        PreparationError::NoRow { table, planet } => {
            Some(format!("get {} again, or move the folder of planet {planet} out of the data set", table.display()))
        }
        PreparationError::CubesAsked => Some("add calib.output=light_curve".into()),
        _ => None,
    }
}

fn key(error: &KeyError) -> Option<String> {
    match error {
        KeyError::Permissions { path, .. } => Some(format!("chmod 600 {}", path.display())),
        KeyError::InFile { source, .. } => key(source),
        KeyError::Encrypted | KeyError::WrongPassphrase => {
            Some(format!("give its passphrase with {PASSPHRASE_SOURCES}"))
        }
        KeyError::EmptyPassphrase => Some(format!("give one of some length, with {PASSPHRASE_SOURCES}")),
        KeyError::Public { .. } | KeyError::Weak { .. } => {
            Some("ask its owner for the output of `spectramind keys show --public`".into())
        }
        KeyError::Create { .. } | KeyError::Read { .. } => Some("name another key file with --signing-key FILE".into()),
        _ => Some("make a new key with `spectramind keys generate --out FILE`".into()),
    }
}

const PASSPHRASE_SOURCES: &str = "--passphrase-file FILE, SPECTRAMIND_PASSPHRASE or at the prompt";

fn passphrase(error: &PassphraseError) -> Option<String> {
    match error {
        PassphraseError::NoTerminal { .. } => {
            Some(format!("use --passphrase-file FILE (mode 0600) or the environment variable {VARIABLE}"))
        }
        PassphraseError::Different => Some("type the same twice".into()),
        PassphraseError::Prompt(_) | PassphraseError::NotText => Some("use --passphrase-file FILE (mode 0600)".into()),
    }
}

fn trust(error: &TrustError) -> Option<String> {
    match error {
        TrustError::Envelope(_) => {
            Some("begin a signed one with `spectramind keys trust init --root-key ROOT.pem`".into())
        }
        TrustError::RootSignatures { .. } => {
            Some("name with --root-key, once each, as many root keys as have to sign".into())
        }
        TrustError::Rollback { .. } => Some("get the newest trust document from whoever hands it out".into()),
        TrustError::SameVersion { .. } => Some(
            "two documents of one version are about: ask whoever hands them out; a new one needs a new root".into(),
        ),
        TrustError::Expired { .. } => {
            Some("its author renews it: spectramind keys trust renew --expires-at TIME".into())
        }
        TrustError::UnknownName { .. } => Some("`spectramind keys trust list` shows the names".into()),
        TrustError::Threshold { .. } => Some("add keys of that role first, or lower the threshold first".into()),
        TrustError::RootIsTrusted { .. } => {
            Some("make a root key of its own: spectramind keys generate --out FILE".into())
        }
        _ => None,
    }
}

fn io_hint(error: &io::Error, path: Option<&Path>) -> Option<String> {
    let it = path.map_or_else(|| "the file".to_owned(), |path| path.display().to_string());
    match error.kind() {
        io::ErrorKind::StorageFull => Some(format!(
            "free some space where {it} is and run the command again, or write somewhere else (calib.out, sim.out, data.root, \
             run.root, out)"
        )),
        io::ErrorKind::PermissionDenied => Some(format!("check who owns {it} and its mode")),
        io::ErrorKind::ReadOnlyFilesystem => {
            Some(format!("write {it} somewhere else (calib.out, sim.out, data.root, run.root, out)"))
        }
        _ => None,
    }
}

fn monitoring(error: &FitError) -> Option<String> {
    match error {
        FitError::Monitor(UnknownMonitor { key, .. }) => Some(format!("set {key} to one of those")),
        FitError::Direction(UnknownDirection { key, .. }) => Some(format!("set {key} to that")),
        FitError::NothingToMonitor { .. } => Some(
            "hold more planets out with data.val_fraction, or add trainer.early_stopping=null \
             trainer.checkpoint.monitor=null"
                .into(),
        ),
        FitError::NeverValidated { steps, .. } => {
            Some(format!("add trainer.val_check_interval=1.0, or a number up to {steps}"))
        }
        FitError::NoBatches { key, .. } => Some(format!("add {key}=1, or a larger share")),
        _ => None,
    }
}
