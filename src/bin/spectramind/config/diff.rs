//! `spectramind config diff`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use spectramind::config::{Config, Differences, Value};

use super::explain::short;
use crate::compose::{self, CONFIGS};
use crate::failure::Told;
use crate::record;

/// Compare the configs of two runs, of two commands, or of a run and the tree of today
///
/// Exit codes: 0 equal; 1 different; 2 one of them cannot be composed.
#[derive(clap::Args)]
pub struct Arguments {
    /// A run directory, or a command in quotes: "train trainer=ci_fast"
    first: String,
    /// Another one; without it, what the tree of today composes for the first, a run
    second: Option<String>,
    /// Compare what interpolations resolve to, not how they are written
    #[arg(long)]
    resolve: bool,
    /// Folder of the primary configs (-cp) [default: configs]
    #[arg(long, value_name = "DIR", help_heading = "Hydra")]
    config_path: Option<PathBuf>,
}

/// Compares two configs.
///
/// # Errors
/// When one cannot be composed; [`Told`] when they differ.
pub fn run(arguments: &Arguments) -> Result<()> {
    let configs = arguments.config_path.clone().unwrap_or_else(|| CONFIGS.into());
    let first = read(&arguments.first, &configs)?;
    let second = match &arguments.second {
        Some(second) => read(second, &configs)?,
        None => today(&arguments.first, &configs)?,
    };
    let values = |config: &Config| -> Result<Value> {
        Ok(if arguments.resolve { config.resolve()?.value().clone() } else { config.value().clone() })
    };
    let differences = Differences::between((&first, &values(&first)?), (&second, &values(&second)?));
    for difference in &differences.keys {
        println!("{}", difference.path);
        for (sign, found) in [('-', &difference.first), ('+', &difference.second)] {
            if let Some((value, origin)) = found {
                let origin = origin.as_ref().map(ToString::to_string).unwrap_or_default();
                println!("  {sign} {:<24}  {origin}", short(value));
            }
        }
    }
    if differences.order {
        println!("the keys that both have stand in another order");
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Told.into())
}

/// Composes what one argument names.
fn read(text: &str, configs: &Path) -> Result<Config> {
    let folder = Path::new(text).join(".hydra");
    if folder.join("config.yaml").is_file() {
        return Ok(compose::composer("config", &[folder])?.compose::<&str>("config", &[])?);
    }
    let words = shlex::split(text).with_context(|| format!("{text:?}: a quote is not closed"))?;
    let Some((command, overrides)) = words.split_first().filter(|_| !Path::new(text).exists()) else {
        bail!("{text:?}: expected a run directory, with its .hydra/config.yaml, or a command in quotes");
    };
    Ok(compose::composer(command, &[configs.to_owned()])?.compose(command.as_str(), overrides)?)
}

/// Composes with the tree of today what a run was composed from.
fn today(run: &str, configs: &Path) -> Result<Config> {
    let recorded = record::read_origin(Path::new(run))?.config;
    let composer = compose::composer("train", &[configs.to_owned()])?;
    Ok(composer.compose(recorded.name.as_str(), &recorded.overrides)?)
}
