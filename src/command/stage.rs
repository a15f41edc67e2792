//! A command that is about to run in a run directory, for a record and for its replay: its words, where it may write, and
//! its limits, all by its config.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::arguments::substitute;
use super::config::CheckedCommand;
use super::environment::{CommandEnvironment, PASSED};
use crate::envelope::NetworkRule;
use crate::failure::{Context, Failure};
use crate::interruption::Interruption;
use crate::process::sandbox::{Confinement, Network};
use crate::process::surroundings::Surroundings;
use crate::process::{self, Finished, Invocation, Limits, Stream};
use crate::verify::{COMMAND_CONFIG_YAML, COMMAND_STDERR, COMMAND_STDOUT};

/// A command and all that it gets.
pub(super) struct Stage<'a> {
    pub words: &'a [String],
    pub command: &'a CheckedCommand,
    /// The folder that it runs in.
    pub folder: &'a Path,
    /// The run directory; absolute.
    pub run: &'a Path,
    /// A folder for its temporary files.
    pub temporary: &'a Path,
    pub environment: &'a CommandEnvironment,
    /// Most time that it may take.
    pub wall: Option<Duration>,
}

impl Stage<'_> {
    /// Where it may write: the run directory, its temporary folder, and what the config says.
    pub fn confinement(&self) -> Result<Confinement, Failure> {
        let writes: Vec<PathBuf> = self.command.writes.iter().map(|path| self.folder.join(path)).collect();
        let writable: Vec<&Path> = [self.run, self.temporary].into_iter().chain(writes.iter().map(|p| &**p)).collect();
        let network = match self.command.network {
            NetworkRule::Deny => Network::Denied,
            NetworkRule::Observe | NetworkRule::None | NetworkRule::Unrestricted => Network::Open,
        };
        Ok(Confinement::to(&writable, network)?)
    }

    /// Runs it to its end, or until `stop` says that it is to end; its output is kept in the run directory.
    pub fn run(
        &self,
        confinement: &Confinement,
        output: &mut dyn FnMut(Stream, &[u8]),
        stop: &dyn Fn() -> Option<Interruption>,
    ) -> Result<Finished, Failure> {
        let config = self.run.join(COMMAND_CONFIG_YAML);
        let (config, run) = (text(&config)?, text(self.run)?);
        let words: Vec<OsString> =
            self.words.iter().map(|word| substitute(word, &[("config", config), ("run", run)]).into()).collect();
        let logs = self.run.join("logs");
        std::fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let limits = Limits {
            wall: self.wall,
            directory: self.command.directory_bytes.map(|bytes| (self.run, bytes)),
            ..Limits::of_output(self.command.output_bytes)
        };
        let invocation = Invocation {
            words: &words,
            folder: self.folder,
            environment: self.environment.variables().collect(),
            stdout: &self.run.join(COMMAND_STDOUT),
            stderr: &self.run.join(COMMAND_STDERR),
            limits,
            confinement,
            surroundings: &Surroundings::default(),
        };
        Ok(process::run(&invocation, output, stop)?)
    }
}

/// What a command of this config can get of an environment.
pub(super) fn passed(
    command: &CheckedCommand,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<(OsString, OsString)> {
    let own = command.environment.pass.iter().chain(&command.environment.record).map(String::as_str);
    PASSED.into_iter().chain(own).filter_map(|name| Some((name.into(), variable(name)?))).collect()
}

fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        let message =
            format!("{}: expected a path of UTF-8 to hand on to the command, got other bytes", path.display());
        Failure::usage(message, "name a folder with such a path: hydra.run.dir=DIR")
    })
}
