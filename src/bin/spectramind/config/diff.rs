//! `spectramind config diff`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use spectramind::config::{Config, Differences, Origin, Value};

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
    let first = Side::read(&arguments.first, &configs)?;
    let second = match &arguments.second {
        Some(second) => Side::read(second, &configs)?,
        None => Side::today(&arguments.first, &configs)?,
    };
    let values = |side: &Side| -> Result<Value> {
        Ok(if arguments.resolve { side.config.resolve()?.value().clone() } else { side.config.value().clone() })
    };
    let differences = Differences::between((&first.config, &values(&first)?), (&second.config, &values(&second)?));
    for difference in &differences.keys {
        println!("{}", difference.path);
        for (sign, side, found) in [('-', &first, &difference.first), ('+', &second, &difference.second)] {
            if let Some((value, origin)) = found {
                println!("  {sign} {:<24}  {}", short(value), side.place(origin.as_ref()));
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

/// One of the two configs.
struct Side {
    config: Config,
    /// The folder that places are relative to.
    folder: PathBuf,
}

impl Side {
    fn read(text: &str, configs: &Path) -> Result<Self> {
        let folder = Path::new(text).join(".hydra");
        if folder.join("config.yaml").is_file() {
            let composer = compose::composer("config", std::slice::from_ref(&folder))?;
            let config = composer.compose::<&str>("config", &[])?;
            return Ok(Self { config, folder });
        }
        let words = shlex::split(text).with_context(|| format!("{text:?}: a quote is not closed"))?;
        let Some((command, overrides)) = words.split_first().filter(|_| !Path::new(text).exists()) else {
            bail!("{text:?}: expected a run directory, with its .hydra/config.yaml, or a command in quotes");
        };
        Self::composed(command, command, overrides, configs)
    }

    /// What the tree of today composes for a run.
    fn today(run: &str, configs: &Path) -> Result<Self> {
        let recorded = record::read_origin(Path::new(run))?.config;
        Self::composed("train", &recorded.name, &recorded.overrides, configs)
    }

    fn composed(command: &str, name: &str, overrides: &[String], configs: &Path) -> Result<Self> {
        let folder = configs.to_owned();
        let config = compose::composer(command, std::slice::from_ref(&folder))?.compose(name, overrides)?;
        Ok(Self { config, folder })
    }

    fn place(&self, origin: Option<&Origin>) -> String {
        match origin {
            Some(Origin::File(location)) => {
                let file = Path::new(&location.file);
                let shown = if file.is_relative() { self.folder.join(file) } else { file.to_owned() };
                format!("{}:{}:{}", shown.display(), location.line, location.column)
            }
            Some(origin) => origin.to_string(),
            None => String::new(),
        }
    }
}
