//! `spectramind config explain`

use crate::config::{Map, Value};
use crate::failure::Result;

use super::PRIMARY;
use crate::cli::compose::Selection;
use crate::cli::output::outln;

/// Say what set a key, and which values lost
#[derive(clap::Args)]
pub struct Arguments {
    /// The key, e.g. trainer.precision, optimizer.betas[0] or hydra.run.dir
    #[arg(add = clap_complete::ArgValueCompleter::new(crate::cli::completion::keys))]
    key: String,
    #[command(flatten)]
    selection: Selection,
}

/// Explains a key.
///
/// # Errors
/// Whatever is wrong with the config; when it has no such key, with the nearest ones.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { key, selection } = arguments;
    let explained = selection.compose(PRIMARY)?.explain(key)?;
    outln!("{key}: {}", short(&explained.value));
    match &explained.resolved {
        Some(Ok(resolved)) => outln!("resolved: {}", short(resolved)),
        Some(Err(error)) => outln!("resolved: fails, {error}"),
        None => {}
    }
    outln!("  set by {}", explained.origin.origin);
    for lost in explained.origin.overridden.iter().rev() {
        outln!("  before {}  {}", lost.origin, short(&lost.value));
    }
    Ok(())
}

/// A value on one line.
pub fn short(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Map(map) => format!("{{{}}}", names(map)),
        other => other.to_string(),
    }
}

fn names(map: &Map) -> String {
    map.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
