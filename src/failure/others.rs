//! What the errors of the standard library and of other crates say beside their messages.

use std::io;
use std::num::TryFromIntError;
use std::path::Path;

use super::{Advice, FailureKind};
use crate::config::{ConfigError, ErrorKind};

/// What to do where the system refused something about the file or folder at a path.
pub fn io_hint(error: &io::Error, path: &Path) -> Option<String> {
    hint_about(error, &path.display().to_string())
}

fn hint_about(error: &io::Error, it: &str) -> Option<String> {
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

/// Such an error knows no path: whoever does says [`io_hint`].
impl Advice for io::Error {
    fn hint(&self) -> Option<String> {
        hint_about(self, "the file")
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Missing
    }
}

/// Whatever is wrong with a config or an override was asked for.
impl Advice for ConfigError {
    fn hint(&self) -> Option<String> {
        // A command asked for what the config does not have; whoever only looks at one has no command in mind.
        let is_read = matches!(
            ConfigError::kind(self),
            ErrorKind::UnknownKey | ErrorKind::TypeMismatch | ErrorKind::MissingValue
        );
        let general = "--cfg job prints what is composed; the YAML files explain their keys";
        ConfigError::hint(self).or_else(|| is_read.then(|| general.to_owned()))
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }

    fn warnings(&self) -> &[String] {
        ConfigError::warnings(self)
    }
}

impl Advice for serde_json::Error {}

impl Advice for TryFromIntError {}
