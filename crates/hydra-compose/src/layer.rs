//! One config of the defaults list, merged at its package.

use super::defaults::DefaultsListEntry;
use super::error::{ConfigError, ErrorKind};
use super::hydra_node::{Builtin, stored};
use super::interpolation::{Surroundings, split_key};
use super::lint;
use super::merge::{Merger, refuse_depth};
use super::origin::{Origin, Trace};
use super::schema;
use super::source::Repository;
use super::tree::{NodeId, Tree};
use super::value::Key;
use super::yaml::{self, Data};

/// Merges one config of the defaults list at its package.
pub(super) fn merge_config(
    tree: &mut Tree,
    root: NodeId,
    entry: &DefaultsListEntry,
    repository: &mut Repository,
    surroundings: &Surroundings<'_>,
    warnings: &mut Vec<String>,
) -> Result<lint::Part, ConfigError> {
    let path = &entry.config_path;
    let loaded = repository
        .load(path)?
        .ok_or_else(|| ConfigError::new(ErrorKind::ConfigMissing, format!("could not load the config {path:?}")))?;
    loaded.defaults.clone()?;
    let body = tree.import(&loaded.body, loaded.file.as_deref(), &Trace::hydra())?;
    let stored = stored(path);
    let body = match &stored {
        Some(Builtin { text, schema: Some(schema) }) if loaded.file.is_some() => {
            warnings.push(matched_by_name(path));
            onto_stored(tree, body, path, text, schema, surroundings)?
        }
        _ => body,
    };
    let embedded = embed(tree, body, &entry.package)?;
    if !entry.primary && path != "hydra/config" && tree.map(embedded).is_some() {
        let mut probe = Merger { tree, surroundings };
        if probe.lookup(embedded, "hydra.searchpath")?.is_some() {
            let node = tree.descend(embedded, &["hydra", "searchpath"]);
            let origin = node.map_or(Origin::Hydra, |node| Origin::clone(&tree.trace(node).origin));
            let message = format!("only the primary config can set hydra.searchpath, and {path:?} does");
            let hint = "set it in the primary config, or on the command line".to_owned();
            let error = ConfigError::new(ErrorKind::Searchpath, message).with_hint(Some(hint));
            return Err(error.blamed_on(&origin));
        }
    }
    let mut merger = Merger { tree, surroundings };
    let in_config = |error: ConfigError| match error.location() {
        Some(_) => error,
        None => error.within(&format!("in {path:?}")),
    };
    merger.merge(root, embedded).map_err(in_config)?;
    if let Some(schema) = stored.and_then(|stored| stored.schema) {
        let packages = if entry.package.is_empty() { Vec::new() } else { split_key(&entry.package) };
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        if let Some(node) = tree.descend(root, &packages) {
            schema::adopt(tree, node, schema).map_err(in_config)?;
        }
    }
    Ok(lint::Part { loaded, package: entry.package.clone(), is_primary: entry.primary })
}

const MATCHED_BY_NAME: &str = "This behavior is deprecated in Hydra 1.1 and will be removed in Hydra 1.2.\nSee \
     https://hydra.cc/docs/1.2/upgrades/1.0_to_1.1/automatic_schema_matching for migration instructions.";

/// Hydra's warning about a file that has the path of a config in Hydra's store.
fn matched_by_name(path: &str) -> String {
    format!("\n'{path}' is validated against ConfigStore schema with the same name.\n{MATCHED_BY_NAME}")
}

/// A file's body merged onto the config in Hydra's store that has its path.
///
/// # Errors
/// [`ErrorKind::HydraSchema`] where the stored one has a defaults list, and where the two do not fit.
fn onto_stored(
    tree: &mut Tree,
    body: NodeId,
    path: &str,
    text: &str,
    schema: &'static schema::Schema,
    surroundings: &Surroundings<'_>,
) -> Result<NodeId, ConfigError> {
    let mut stored = yaml::load(text)?;
    if let Data::Map(map) = &mut stored.data
        && map.shift_remove("defaults").is_some()
    {
        let message = format!(
            "{path:?} has the name of a config of Hydra's own that has a defaults list, and Hydra no longer takes a file \
             for such a one"
        );
        let hint = "set what you want to change below `hydra:` in the primary config, and remove the file".to_owned();
        let location = tree.trace(body).origin.location().cloned();
        return Err(ConfigError::new(ErrorKind::HydraSchema, message).at(location).with_hint(Some(hint)));
    }
    let merged = tree.import(&stored, None, &Trace::hydra())?;
    schema::apply(tree, merged, schema)?;
    Merger { tree, surroundings }.merge(merged, body)?;
    Ok(merged)
}

/// Wraps a config into the maps that its package names.
fn embed(tree: &mut Tree, body: NodeId, package: &str) -> Result<NodeId, ConfigError> {
    if package.is_empty() {
        return Ok(body);
    }
    let keys = split_key(package);
    refuse_depth(keys.len())?;
    let mut node = body;
    for key in keys.into_iter().rev() {
        let outer = tree.add_map(tree.trace(body).clone())?;
        tree.put(outer, Key::Str(key), node);
        node = outer;
    }
    Ok(node)
}
