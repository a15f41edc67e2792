//! An override of the command line, applied to the merged configs.

use std::rc::Rc;

use super::error::{ConfigError, ErrorKind, did_you_mean, joined, listed, nearest};
use super::interpolation::{Surroundings, check_texts, split_key};
use super::merge::{Additions, Merger};
use super::origin::{Origin, Trace};
use super::overrides::{Action, Element, Override};
use super::source::SearchPath;
use super::tree::{NodeId, Tree};
use super::value::Value;

/// Applies one: changes, adds or deletes what it names, or appends to it.
///
/// # Errors
/// What [`Merger`] refuses, and overrides that mean nothing here; all name the override.
pub(super) fn apply_override(
    tree: &mut Tree,
    root: NodeId,
    item: &Override,
    groups: &SearchPath,
    surroundings: &Surroundings<'_>,
) -> Result<(), ConfigError> {
    let refused = |kind, message: &str| Err(ConfigError::new(kind, format!("override {:?}: {message}", item.input)));
    if item.package.is_some() {
        let message = format!("a package needs a config group, and there is no group {:?}", item.key);
        return refused(ErrorKind::PackageOnNonGroup, &message)
            .map_err(|error| error.with_hint(groups_hint(item, groups)));
    }
    if let Some(Element::Extend(items)) = &item.value {
        return extend_list(tree, root, item, items, surroundings);
    }
    let value = match &item.value {
        None => Value::Null,
        Some(element) => match element.to_value() {
            Some(value) => value,
            None if holds_sweep(element) => {
                return refused(ErrorKind::UnsupportedValue, "a sweep or extend_list cannot be a part of a value");
            }
            None => return refused(ErrorKind::MergeOther, "null cannot be a key"),
        },
    };
    let trace = Trace::new(Rc::new(Origin::Override(item.input.clone())));
    let node = tree.import_value(&value, &trace).map_err(|error| error.in_override(&item.input))?;
    let mut merger = Merger { tree, surroundings };
    let result = check_texts(&value).and_then(|()| match item.action {
        Action::Delete => merger.delete(root, &item.key, &value),
        Action::ForceAdd => merger.update(root, &item.key, node, Additions::Allowed),
        Action::Add => {
            let is_container = matches!(value, Value::List(_) | Value::Map(_));
            if merger.lookup(root, &item.key)?.is_some() && !is_container {
                let found =
                    merger.tree.descend(root, &split_key(&item.key).iter().map(String::as_str).collect::<Vec<_>>());
                let place = found.map(|id| format!(" ({})", merger.tree.trace(id).origin)).unwrap_or_default();
                let message = format!("there is already a value at {:?}{place}", item.key);
                let plain = item.input.strip_prefix('+').unwrap_or(&item.input);
                let hint = format!("`{plain}` changes it");
                return Err(ConfigError::new(ErrorKind::AddExisting, message).with_hint(Some(hint)));
            }
            merger.update(root, &item.key, node, Additions::Allowed)
        }
        Action::Change => {
            merger.update(root, &item.key, node, Additions::Refused).map_err(|error| match error.kind() {
                // A key that is there and was given the wrong type of value is no misspelt one.
                ErrorKind::HydraSchema if error.hint().is_some() || merger.has(root, &item.key) => error,
                ErrorKind::KeyNotInStruct | ErrorKind::HydraSchema => {
                    error.with_better_hint(unknown_key_hint(&merger, root, item))
                }
                _ => error,
            })
        }
    });
    result.map_err(|error| error.in_override(&item.input))
}

/// What an override of a key that is not in the config may have meant.
fn unknown_key_hint(merger: &Merger<'_>, root: NodeId, item: &Override) -> Option<String> {
    if let Some((path, origin)) = merger.below_repeated_level(root, &item.key) {
        let file = match &origin {
            Origin::File(location) => location.file.clone(),
            other => other.to_string(),
        };
        return Some(format!(
            "found at {path}; {file} repeats its group: remove the level, or add `# @package _global_`"
        ));
    }
    let value = item.input.split_once('=').map_or("", |(_, value)| value);
    let typed = |path: &str| did_you_mean(format!("{path}={value}"));
    let keys = split_key(&item.key);
    let elsewhere = || match merger.paths_to(root, keys.last()?, MOST_PLACES + 1).as_slice() {
        paths @ [_, ..] if paths.len() <= MOST_PLACES => {
            let paths: Vec<String> = paths.iter().map(|path| format!("`{path}={value}`")).collect();
            Some(format!("did you mean {}?", paths.join(" or ")))
        }
        _ => None,
    };
    let near = merger.nearest_path(root, &item.key).map(|near| typed(&near)).or_else(elsewhere);
    joined(near, Some(format!("`+{}` adds a new key", item.input)))
}

/// A key that stands in more places than this says little about what was meant.
const MOST_PLACES: usize = 3;

fn groups_hint(item: &Override, groups: &SearchPath) -> Option<String> {
    let groups = groups.own_groups();
    let package = item.package.as_deref().unwrap_or("");
    let value = item.input.split_once('=').map_or("", |(_, value)| value);
    let near = nearest(&item.key, groups.iter().map(String::as_str))
        .map(|near| did_you_mean(format!("{near}@{package}={value}")));
    joined(near, listed("the groups", &groups))
}

/// Appends values to a list: Hydra 1.4's `key=extend_list(a,b)`.
fn extend_list(
    tree: &mut Tree,
    root: NodeId,
    item: &Override,
    items: &[Element],
    surroundings: &Surroundings<'_>,
) -> Result<(), ConfigError> {
    let within = |error: ConfigError| error.in_override(&item.input);
    let Some(values) = items.iter().map(Element::to_value).collect::<Option<Vec<Value>>>() else {
        let message = "expected plain values in extend_list, got a choice, a range or another function";
        let hint = format!("name the items one by one: `{}=extend_list(a,b)`", item.key);
        return Err(within(ConfigError::new(ErrorKind::UnsupportedValue, message).with_hint(Some(hint))));
    };
    let values = Value::List(values);
    let trace = Trace::new(Rc::new(Origin::Override(item.input.clone())));
    let node = tree.import_value(&values, &trace)?;
    check_texts(&values).and_then(|()| Merger { tree, surroundings }.extend(root, &item.key, node)).map_err(within)
}

fn holds_sweep(element: &Element) -> bool {
    match element {
        Element::Sweep(_) | Element::Glob(_) | Element::Extend(_) => true,
        Element::List(items) => items.iter().any(holds_sweep),
        Element::Dict(entries) => entries.iter().any(|(_, value)| holds_sweep(value)),
        Element::Scalar(_) | Element::Quoted(_) => false,
    }
}
