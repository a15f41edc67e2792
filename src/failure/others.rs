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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Composer, SearchPath, from_value, load_yaml};
    use crate::failure::Failure;

    #[test]
    fn a_config_error_was_asked_for_and_keeps_its_hint_and_warnings() {
        let composer = Composer::new(SearchPath::new().directory("main", "configs"));
        let error = composer.compose("train", &["trainer.max_epoch=1"]).expect_err("no such key");
        let (hint, failure) = (ConfigError::hint(&error), Failure::from(error));
        assert_eq!((failure.kind(), failure.hint()), (FailureKind::Usage, hint.as_deref()));
        assert!(hint.is_some_and(|hint| hint.contains("max_epochs")));

        let folder = tempfile::tempdir().expect("a folder");
        let text = "defaults: [{g: o}]\nhydra: {searchpath: ['pkg://no.such']}\n";
        std::fs::write(folder.path().join("config.yaml"), text).expect("written");
        let composer = Composer::new(SearchPath::new().directory("main", folder.path()));
        let error = composer.compose::<&str>("config", &[]).expect_err("no such group");
        let failure = Failure::from(error).context("no config");
        assert!(matches!(failure.warnings(), [warning] if warning.contains("no.such")), "{:?}", failure.warnings());
    }

    #[test]
    fn what_a_config_does_not_have_has_the_general_hint_where_there_is_no_better_one() {
        let value = load_yaml("{a: 1}").expect("YAML");
        let error = from_value::<u32>(&value).expect_err("a map");
        assert_eq!(ConfigError::hint(&error), None);
        assert!(Advice::hint(&error).is_some_and(|hint| hint.contains("--cfg job")));
    }

    #[test]
    fn the_hint_of_the_system_names_the_path_where_there_is_one() {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        let hint = io_hint(&error, Path::new("out/x")).expect("a hint");
        assert!(hint.starts_with("free some space where out/x is") && hint.contains("run.root"), "{hint}");
        assert_eq!(Advice::hint(&error), Some(hint.replace("out/x", "the file")));
        assert_eq!(io_hint(&io::ErrorKind::NotFound.into(), Path::new("x")), None);
    }
}
