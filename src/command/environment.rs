//! The environment of a command: an allow-list, so that a run cannot depend on what nobody recorded.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::config::EnvironmentConfig;
use crate::provenance::environment::Variable;

/// What every command gets of the parent's environment, where it is set. Their values say where things are and how they
/// are computed, and are recorded, but for [`WITHHELD`].
pub const PASSED: [&str; 14] = [
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "PATH",
    "PYTHONPATH",
    "TZ",
    "USER",
    "VIRTUAL_ENV",
];

/// Of [`PASSED`], those whose values say who somebody is, and nothing of how things are computed.
pub const WITHHELD: [&str; 3] = ["HOME", "LOGNAME", "USER"];

/// What every command is given, whatever the parent has: not to be named in a config.
pub const OWN: [&str; 6] =
    ["PYTHONDONTWRITEBYTECODE", "SPECTRAMIND_CONFIG", "SPECTRAMIND_RUN_DIR", "TEMP", "TMP", "TMPDIR"];

/// The environment of one command, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandEnvironment {
    variables: BTreeMap<OsString, OsString>,
    recorded: Vec<Variable>,
}

impl CommandEnvironment {
    /// Takes from `parent` what is allowed and adds what every command is given: `SPECTRAMIND_CONFIG`,
    /// `SPECTRAMIND_RUN_DIR`, the temporary folder, and `PYTHONDONTWRITEBYTECODE=1`, as bytecode lies beside sources
    /// where the command may not write and must not be changed.
    pub fn new(
        config: &EnvironmentConfig,
        parent: impl IntoIterator<Item = (OsString, OsString)>,
        resolved_config: &Path,
        run_directory: &Path,
        temporary: &Path,
    ) -> Self {
        let parent: BTreeMap<OsString, OsString> = parent.into_iter().collect();
        let mut variables = BTreeMap::new();
        let mut recorded = BTreeMap::new();
        let shown = PASSED.into_iter().filter(|name| !WITHHELD.contains(name));
        let withheld = config.pass.iter().map(String::as_str).chain(WITHHELD);
        let shown = shown.chain(config.record.iter().map(String::as_str));
        // Later ones win: what the config records is recorded, though it is withheld by default.
        for (name, is_shown) in withheld.map(|name| (name, false)).chain(shown.map(|name| (name, true))) {
            let value = parent.get(OsStr::new(name));
            if let Some(value) = value {
                variables.insert(OsString::from(name), value.clone());
            }
            let variable = match is_shown {
                true => Variable::shown(name, value.map(OsString::as_os_str)),
                false => Variable::withheld(name, value.is_some()),
            };
            recorded.insert(name.to_owned(), variable);
        }
        let given = [
            ("PYTHONDONTWRITEBYTECODE", OsStr::new("1")),
            ("SPECTRAMIND_CONFIG", resolved_config.as_os_str()),
            ("SPECTRAMIND_RUN_DIR", run_directory.as_os_str()),
            ("TEMP", temporary.as_os_str()),
            ("TMP", temporary.as_os_str()),
            ("TMPDIR", temporary.as_os_str()),
        ];
        let set = config.set.iter().map(|(name, value)| (name.as_str(), OsStr::new(value)));
        for (name, value) in set.chain(given) {
            variables.insert(OsString::from(name), value.to_owned());
            recorded.insert(name.to_owned(), Variable::shown(name, Some(value)));
        }
        Self { variables, recorded: recorded.into_values().collect() }
    }

    /// What the command gets, sorted by name; nothing else.
    pub fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// What of it is recorded, sorted by name.
    pub fn recorded(&self) -> &[Variable] {
        &self.recorded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(config: &EnvironmentConfig, parent: &[(&str, &str)]) -> CommandEnvironment {
        let parent = parent.iter().map(|(name, value)| (name.into(), value.into()));
        CommandEnvironment::new(config, parent, Path::new("/run/c.yaml"), Path::new("/run"), Path::new("/tmp/x"))
    }

    fn get<'a>(environment: &'a CommandEnvironment, name: &str) -> Option<&'a str> {
        environment.variables().find(|(key, _)| *key == name).and_then(|(_, value)| value.to_str())
    }

    #[test]
    fn what_is_not_allowed_is_not_passed_on() {
        let parent =
            [("PATH", "/bin"), ("AWS_SECRET_ACCESS_KEY", "s"), ("LD_PRELOAD", "x.so"), ("TMPDIR", "/elsewhere")];
        let environment = environment(&EnvironmentConfig::default(), &parent);
        let names: Vec<_> = environment.variables().map(|(name, _)| name.to_str().expect("text")).collect();
        let mut expected = OWN.to_vec();
        expected.push("PATH");
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(get(&environment, "TMPDIR"), Some("/tmp/x"));
        assert_eq!(get(&environment, "SPECTRAMIND_RUN_DIR"), Some("/run"));
        assert_eq!(get(&environment, "SPECTRAMIND_CONFIG"), Some("/run/c.yaml"));
    }

    #[test]
    fn what_is_passed_may_be_a_secret_and_what_is_recorded_is_none() {
        let config = EnvironmentConfig {
            pass: vec!["TOKEN".to_owned()],
            record: vec!["SEED".to_owned(), "HOME".to_owned(), "UNSET".to_owned()],
            set: BTreeMap::from([("PYTHONHASHSEED".to_owned(), "0".to_owned())]),
        };
        let environment = environment(&config, &[("TOKEN", "s"), ("SEED", "7"), ("HOME", "/h"), ("USER", "u")]);
        let recorded = |name: &str| {
            let found = environment.recorded().iter().find(|variable| variable.name == name).expect("recorded");
            (found.set, found.value.clone())
        };
        assert_eq!(get(&environment, "TOKEN"), Some("s"));
        assert_eq!(recorded("TOKEN"), (true, None));
        assert_eq!(recorded("SEED"), (true, Some("7".to_owned())));
        assert_eq!(recorded("HOME"), (true, Some("/h".to_owned())));
        assert_eq!(recorded("USER"), (true, None));
        assert_eq!(recorded("UNSET"), (false, None));
        assert_eq!(recorded("PYTHONHASHSEED"), (true, Some("0".to_owned())));
        assert!(environment.recorded().is_sorted_by(|left, right| left.name < right.name));
    }
}
