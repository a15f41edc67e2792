//! What `--cfg` and `--info` print: the texts of Hydra's command line.

use std::fmt::Write as _;

use crate::config::{Config, DefaultsTreeNode, Key, Map, Value, to_yaml};
use crate::failure::{Failure, Result};
use clap::ValueEnum;

use crate::cli::compose::Which;

/// What `--info` tells.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Topic {
    /// Everything below.
    All,
    /// The search path, the defaults and the composed config.
    Config,
    /// The configs in the order in which they are merged.
    Defaults,
    /// Which config names which.
    DefaultsTree,
    /// Where configs are looked for.
    Searchpath,
}

/// The composed config as `--cfg` prints it.
///
/// # Errors
/// When an interpolation fails, or the config has no such package.
pub fn composed(config: &Config, which: Which, package: Option<&str>, resolve: bool) -> Result<String> {
    let empty = || Value::Map(Map::new());
    let hydra = || -> Result<Value> {
        Ok(if resolve { config.select_resolved("hydra")?.unwrap_or_else(empty) } else { config.hydra() })
    };
    let task = || -> Result<Value> {
        Ok(if resolve { config.resolve_to_show()?.value().clone() } else { config.value().clone() })
    };
    let shown = match which {
        Which::Job => task()?,
        Which::Hydra => only_hydra(without_help(hydra()?)),
        Which::All => match (only_hydra(hydra()?), task()?) {
            (Value::Map(mut all), Value::Map(task)) => {
                all.extend(task);
                Value::Map(all)
            }
            (hydra, _) => hydra,
        },
    };
    let Some(package) = package.filter(|package| *package != "_global_") else {
        return Ok(to_yaml(&shown));
    };
    let is_hydra = package.split(['.', '[']).next() == Some("hydra");
    let is_shown = match which {
        Which::Job => !is_hydra,
        Which::Hydra => is_hydra,
        Which::All => true,
    };
    let place = if resolve { config.select_resolved(package)? } else { config.select(package)? };
    let place = place.filter(|_| is_shown).ok_or_else(|| {
        let near = config.nearest_keys(package);
        let hint = match near.as_slice() {
            [] => "`--cfg all` without --package prints everything there is".to_owned(),
            near => format!("did you mean {}?", near.join(", ")),
        };
        Failure::usage(format!("package {package:?} not found in the config"), hint)
    })?;
    if !matches!(place, Value::Map(_) | Value::List(_)) {
        return Ok(format!("{place}\n"));
    }
    // Hydra's own heading, so that the text says what it is a part of.
    Ok(format!("# @package {package}\n{}", to_yaml(&place)))
}

/// Hydra leaves its help texts out where it shows its own node.
fn without_help(mut hydra: Value) -> Value {
    if let Value::Map(map) = &mut hydra {
        map.shift_remove("hydra_help");
        map.shift_remove("help");
    }
    hydra
}

fn only_hydra(hydra: Value) -> Value {
    Value::Map(Map::from([(Key::from("hydra"), hydra)]))
}

/// How the config comes about, as `--info` prints it.
///
/// # Errors
/// When Hydra's own node cannot be resolved.
pub fn about(config: &Config, topic: Topic) -> Result<String> {
    let mut text = String::new();
    match topic {
        Topic::Defaults => text += &defaults_list(config),
        Topic::DefaultsTree => text += &defaults_tree(config),
        Topic::Searchpath => text += &search_path(config)?,
        Topic::Config | Topic::All => {
            if topic == Topic::All {
                let title = format!(
                    "Hydra {}, as composed by spectramind {}",
                    crate::config::HYDRA_VERSION,
                    env!("CARGO_PKG_VERSION")
                );
                text += &heading(&title, '=');
            }
            text += &search_path(config)?;
            text += &defaults_tree(config);
            text += &defaults_list(config);
            text += &heading("Config", '*');
            text += &config.to_yaml();
            text.push('\n');
        }
    }
    Ok(text)
}

fn heading(title: &str, filler: char) -> String {
    format!("{title}\n{}\n", filler.to_string().repeat(title.chars().count()))
}

fn search_path(config: &Config) -> Result<String> {
    let sources = config.hydra_value("runtime.config_sources")?;
    let field = |source: &Value, key: &str| source.get(key).map(Value::to_string).unwrap_or_default();
    let row = |source: &Value| {
        vec![field(source, "provider"), format!("{}://{}", field(source, "schema"), field(source, "path"))]
    };
    let rows = match &sources {
        Value::List(sources) => sources.iter().map(row).collect(),
        _ => Vec::new(),
    };
    Ok(format!("\n{}{}", heading("Config search path", '*'), table(&["Provider", "Search path"], &rows, "")))
}

fn defaults_list(config: &Config) -> String {
    let row = |entry: &crate::config::DefaultsListEntry| {
        let is_self = if entry.is_self { "True" } else { "False" };
        vec![
            entry.config_path.clone(),
            entry.package.clone(),
            is_self.to_owned(),
            entry.parent.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = config.defaults_list().iter().map(row).collect();
    // Hydra's heading of this table ends in a space.
    let columns = ["Config path", "Package", "_self_", "Parent"];
    format!("\n{}{}", heading("Defaults List", '*'), table(&columns, &rows, " "))
}

/// A table with columns as wide as their widest cell, between two rules.
fn table(columns: &[&str], rows: &[Vec<String>], after_heading: &str) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([columns[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells.zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        format!("| {} |", cells.join(" | "))
    };
    let head = line(&mut columns.iter().copied()) + after_heading;
    let rule = "-".repeat(head.chars().count());
    let mut text = format!("{head}\n{rule}\n");
    for row in rows {
        let _ = writeln!(text, "{}", line(&mut row.iter().map(String::as_str)));
    }
    text + &rule + "\n"
}

fn defaults_tree(config: &Config) -> String {
    let mut text = format!("\n{}", heading("Defaults Tree", '*'));
    write_tree(config.defaults_tree(), 0, &mut text);
    text
}

fn write_tree(node: &DefaultsTreeNode, depth: usize, text: &mut String) {
    let after = if node.children.is_empty() { "" } else { ":" };
    let _ = writeln!(text, "{}{}{after}", "  ".repeat(depth), node.label);
    for child in &node.children {
        write_tree(child, depth + 1, text);
    }
}
