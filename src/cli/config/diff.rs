//! `spectramind config diff`

use std::path::{Path, PathBuf};

use crate::config::{Config, Differences, Value, load_yaml};
use crate::failure::{Failure, Result};

use super::explain::short;
use crate::cli::compose::{self, Sources};
use crate::cli::failure::Told;
use crate::cli::output::outln;

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
    /// A further folder of configs, searched after the primary one (-cd)
    #[arg(long, value_name = "DIR", help_heading = "Hydra")]
    config_dir: Option<PathBuf>,
}

/// Compares two configs; [`Told::No`] when they differ.
///
/// # Errors
/// When one cannot be composed.
pub fn run(arguments: &Arguments) -> Result<Told> {
    let Arguments { config_path, config_dir, .. } = arguments;
    let sources = Sources { config_path: config_path.clone(), config_dir: config_dir.clone(), ..Sources::default() };
    let first = read(&arguments.first, &sources)?;
    let second = match &arguments.second {
        Some(second) => read(second, &sources)?,
        None => today(&arguments.first, &sources)?,
    };
    let values = |config: &Config| -> Result<Value> {
        Ok(if arguments.resolve { config.resolve()?.value().clone() } else { config.value().clone() })
    };
    let differences = Differences::between((&first, &values(&first)?), (&second, &values(&second)?));
    for difference in &differences.keys {
        outln!("{}", difference.path);
        for (sign, found) in [('-', &difference.first), ('+', &difference.second)] {
            if let Some((value, origin)) = found {
                let origin = origin.as_ref().map(ToString::to_string).unwrap_or_default();
                outln!("  {sign} {:<24}  {origin}", short(value));
            }
        }
    }
    if differences.order {
        outln!("the keys that both have stand in another order");
    }
    Ok(if differences.is_empty() { Told::Done } else { Told::No })
}

/// The keys in which the configs of two run directories differ, with both values, as written.
///
/// # Errors
/// When one of them has no config.
pub(crate) fn differing_keys(first: &Path, second: &Path) -> Result<Vec<String>> {
    let configs = [first, second].map(|run| read(&run.to_string_lossy(), &Sources::default()));
    let [first, second] = configs;
    let (first, second) = (first?, second?);
    let shown = |side: &Option<(Value, _)>| side.as_ref().map_or("none".to_owned(), |(value, _)| short(value));
    let differences = Differences::between((&first, first.value()), (&second, second.value()));
    Ok(differences
        .keys
        .iter()
        .map(|key| format!("{}: {} and {}", key.path, shown(&key.first), shown(&key.second)))
        .collect())
}

/// Composes what one argument names.
fn read(text: &str, sources: &Sources) -> Result<Config> {
    let folder = Path::new(text).join(".hydra");
    if folder.join("config.yaml").is_file() {
        return Ok(compose::composer("config", &Sources { config_path: Some(folder), ..Sources::default() })?
            .compose::<&str>("config", &[])?);
    }
    let words = shlex::split(text).filter(|words| !words.is_empty() && !Path::new(text).exists());
    let Some((command, overrides)) = words.as_deref().and_then(<[String]>::split_first) else {
        let message = format!("{text:?}: expected a run directory, with its .hydra/config.yaml, or a command");
        return Err(Failure::usage(message, "write a command in quotes: \"train trainer=ci_fast\""));
    };
    Ok(compose::composer(command, sources)?.compose(command.as_str(), overrides)?)
}

/// Composes with the tree of today what a run was composed from.
fn today(run: &str, sources: &Sources) -> Result<Config> {
    let path = Path::new(run).join(".hydra/hydra.yaml");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let message = format!("{}: {error}: expected a run directory", path.display());
        Failure::usage(message, "name what to compare with: a second run or command")
    })?;
    let hydra = load_yaml(&text)?;
    let texts = |key: &str| -> Vec<String> {
        let items = hydra.get(key).and_then(Value::as_list).unwrap_or_default();
        items.iter().map(ToString::to_string).collect()
    };
    let overrides = [texts("hydra.overrides.hydra"), texts("hydra.overrides.task")].concat();
    let text = |key: &str| hydra.get(key).and_then(Value::as_str);
    let composer = compose::composer(text("hydra.job.name").unwrap_or("train"), sources)?;
    Ok(composer.compose(text("hydra.job.config_name"), &overrides)?)
}
