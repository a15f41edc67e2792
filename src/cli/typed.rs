//! What has been typed so far, read before it is a legal command line: for completion and for `--help`.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::{Composer, Config};
use crate::failure::Result;

use crate::cli::compose::{self, Sources};

/// The words of an unfinished command line that say which config it is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Typed {
    command: Option<String>,
    config_path: Option<PathBuf>,
    config_dir: Option<PathBuf>,
    config_name: Option<String>,
    overrides: Vec<String>,
}

impl Typed {
    /// Reads the words after the program's name; what is no override and no flag of the composer is passed over.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut typed = Self::default();
        let mut words = words.into_iter().map(compose::long_flag).filter_map(|word| word.into_string().ok());
        while let Some(word) = words.next() {
            let (flag, value) = word.split_once('=').map_or((word.as_str(), None), |(flag, value)| (flag, Some(value)));
            let mut argument = || value.map(str::to_owned).or_else(|| words.next());
            match flag {
                "--config-path" => typed.config_path = argument().map(PathBuf::from),
                "--config-dir" => typed.config_dir = argument().map(PathBuf::from),
                "--config-name" => typed.config_name = argument(),
                _ if word.starts_with('-') => {}
                _ if word.contains('=') || word.starts_with('~') => typed.overrides.push(word),
                _ if typed.command.is_none() => typed.command = Some(word),
                _ => {}
            }
        }
        typed
    }

    /// The word that is being completed is not yet an override.
    pub fn without(mut self, unfinished: &str) -> Self {
        self.overrides.retain(|word| word != unfinished);
        self
    }

    /// A composer over the folders that were named.
    pub fn composer(&self) -> Result<Composer> {
        let (config_path, config_dir) = (self.config_path.clone(), self.config_dir.clone());
        compose::composer(self.command(), &Sources { config_path, config_dir, ..Sources::default() })
    }

    /// The config as far as it can be composed: without the overrides when they are wrong.
    pub fn config(&self, composer: &Composer) -> Option<Config> {
        let name = self.config_name.as_deref().unwrap_or(self.command());
        composer.compose(name, &self.overrides).or_else(|_| composer.compose::<&str>(name, &[])).ok()
    }

    /// The config groups and their options, as `--help` shows them.
    pub fn groups(&self) -> String {
        let composer = match self.composer() {
            Ok(composer) => composer,
            Err(error) => return format!("Config groups: none, {}", error.message()),
        };
        let own = composer.groups().into_iter().filter(|group| !is_hydra(group));
        let lines = own.map(|group| format!("\n  {group}: {}", composer.options(&group).join(", ")));
        format!("Config groups (group=option):{}", lines.collect::<String>())
    }

    fn command(&self) -> &str {
        // `config` looks at the config of `train` unless told otherwise, and `commit` signs it.
        self.command.as_deref().filter(|command| !["config", "commit"].contains(command)).unwrap_or("train")
    }
}

/// Whether a config group is one of Hydra's own.
pub fn is_hydra(group: &str) -> bool {
    group == "hydra" || group.starts_with("hydra/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_every_spelling_are_read_and_strangers_passed_over() {
        let words =
            "train --resolve -cp a --config-dir=b -cn c trainer=ci_fast --x ~d tra".split(' ').map(OsString::from);
        let expected = Typed {
            command: Some("train".into()),
            config_path: Some("a".into()),
            config_dir: Some("b".into()),
            config_name: Some("c".into()),
            overrides: vec!["trainer=ci_fast".into(), "~d".into()],
        };
        assert_eq!(Typed::read(words), expected);
    }
}
