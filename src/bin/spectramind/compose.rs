//! Composing a primary config from the command line, with Hydra's flags.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use spectramind::config::{Composer, Config, Key, Map, SearchPath, Value, to_yaml};

/// What every command that composes a config takes.
#[derive(clap::Args)]
// Commands flatten this into arguments of their own that have the same name.
#[group(skip)]
pub struct Arguments {
    /// Folder of the primary configs [default: configs]
    #[arg(long, value_name = "DIR", help_heading = "Hydra")]
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
    /// Composes the config, or prints it when that is all that was asked: then there is none to work with.
    ///
    /// # Errors
    /// Whatever is wrong with the config or the overrides.
    pub fn compose(&self, primary: &str) -> Result<Option<Config>> {
        let config = self.compose_recorded(self.primary(primary), &self.overrides)?;
        let Some(which) = self.cfg else { return Ok(Some(config)) };
        print!("{}", self.text(&config, which)?);
        Ok(None)
    }

    /// Composes what a record says was composed, with the configs and the environment of now.
    ///
    /// # Errors
    /// Whatever is wrong with the config or the overrides.
    pub fn compose_recorded(&self, name: &str, overrides: &[String]) -> Result<Config> {
        let config = self.composer()?.compose(name, overrides)?;
        for warning in config.warnings() {
            eprintln!("Warning: {warning}");
        }
        Ok(config)
    }

    /// The folder of the primary configs, when it is not the usual one.
    pub fn config_path(&self) -> Option<&Path> {
        self.config_path.as_deref()
    }

    /// Name of the primary config: the command's own, or the one asked for.
    pub fn primary<'a>(&'a self, own: &'a str) -> &'a str {
        self.config_name.as_deref().unwrap_or(own)
    }

    fn composer(&self) -> Result<Composer> {
        let primary = self.config_path.clone().unwrap_or_else(|| "configs".into());
        for folder in [Some(&primary), self.config_dir.as_ref()].into_iter().flatten() {
            if !folder.is_dir() {
                return Err(MissingConfigs(folder.clone()).into());
            }
        }
        let mut search_path = SearchPath::of_directory(primary);
        if let Some(directory) = &self.config_dir {
            search_path = search_path.directory("command-line", directory);
        }
        let cwd = std::env::current_dir().context("the working directory cannot be read")?;
        let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).datetime();
        // A variable that is not UTF-8 cannot stand in a config.
        let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Ok(Composer::new(search_path).env(env.collect()).cwd(cwd).now(now))
    }

    fn text(&self, config: &Config, which: Which) -> Result<String> {
        let task = if self.resolve { config.resolve()?.value().clone() } else { config.value().clone() };
        let hydra = || Ok::<_, anyhow::Error>(if self.resolve { config.hydra_value("")? } else { config.hydra() });
        let mut shown = match which {
            Which::Job => task,
            Which::Hydra => only("hydra", hydra()?),
            Which::All => match (only("hydra", hydra()?), task) {
                (Value::Map(mut all), Value::Map(task)) => {
                    all.extend(task);
                    Value::Map(all)
                }
                (hydra, _) => hydra,
            },
        };
        if let Some(package) = &self.package {
            let place = package.split('.').try_fold(&shown, |value, key| value.get(key));
            let place = place.with_context(|| format!("--package {package}: the config has no such key"))?.clone();
            // Hydra's own heading, so that the text says what it is a part of.
            return Ok(format!("# @package {package}\n{}", to_yaml(&place)));
        }
        if let Value::Map(map) = &mut shown
            && map.is_empty()
        {
            return Ok("{}\n".into());
        }
        Ok(to_yaml(&shown))
    }
}

/// There is no folder of configs.
#[derive(Debug, thiserror::Error)]
#[error("expected a folder of configs at {}, got none", .0.display())]
pub struct MissingConfigs(PathBuf);

fn only(key: &str, value: Value) -> Value {
    Value::Map(Map::from([(Key::from(key), value)]))
}
