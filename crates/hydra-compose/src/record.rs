//! What a composition writes into the `hydra` node: overrides, choices, sources, the job's name and copied variables.

use std::path::Path;

use super::error::{ConfigError, ErrorKind};
use super::hydra_node::HYDRA_VERSION;
use super::interpolation::{Computed, Resolver, Surroundings};
use super::merge::{Additions, Merger};
use super::origin::{Origin, Trace};
use super::overrides::Override;
use super::python;
use super::source::SearchPath;
use super::tree::{Content, NodeId, Tree};
use super::value::{Key, Map, Value};
use super::version_base::VersionBase;

/// A list of overrides in the `hydra` node, as they were typed.
pub(super) fn recorded_lines(
    tree: &mut Tree,
    root: NodeId,
    list: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<String>, ConfigError> {
    let Some(list) = tree.descend(root, &["hydra", "overrides", list]) else { return Ok(Vec::new()) };
    Ok(match Resolver::new(tree, surroundings).deref(list)? {
        Computed::Node(list) => match tree.to_value(list) {
            Value::List(lines) => lines.iter().map(python::str).collect(),
            _ => Vec::new(),
        },
        Computed::Value(_) => Vec::new(),
    })
}

/// Puts copied variables into `hydra.job.env_set`. Where that is an interpolation, they go into what it names, which takes
/// no new keys.
fn set_copied(tree: &mut Tree, root: NodeId, copied: Map, surroundings: &Surroundings<'_>) -> Result<(), ConfigError> {
    let Some(own) = tree.descend(root, &["hydra", "job", "env_set"]) else { return Ok(()) };
    let before = tree.set_closed(own, Some(false));
    for (name, value) in copied {
        let node = tree.import_value(&value, &Trace::hydra())?;
        let Computed::Node(map) = Resolver::new(tree, surroundings).deref(own)? else { break };
        let mut merger = Merger { tree, surroundings };
        merger.set(map, name, node).map_err(|error| error.within("hydra.job.env_copy"))?;
    }
    tree.set_closed(own, before);
    Ok(())
}

/// What a composition writes into the `hydra` node.
pub(super) struct Record<'a> {
    pub(super) job_name: &'a str,
    pub(super) cwd: &'a Path,
    pub(super) version_base: VersionBase,
    pub(super) config_name: Option<&'a str>,
    pub(super) hydra_overrides: Vec<&'a Override>,
    pub(super) task_overrides: Vec<&'a Override>,
    pub(super) choices: &'a [(String, Option<String>)],
}

impl Record<'_> {
    /// Writes it; yields `hydra.job.override_dirname`.
    pub(super) fn write(
        &self,
        tree: &mut Tree,
        root: NodeId,
        search_path: &SearchPath,
        surroundings: &Surroundings<'_>,
    ) -> Result<String, ConfigError> {
        let hydra = tree.child(root, "hydra");
        if hydra.is_none_or(|hydra| tree.map(hydra).is_none()) {
            let got = hydra.map_or("nothing", |hydra| tree.to_value(hydra).type_name());
            let error = ConfigError::new(ErrorKind::Unsupported, format!("hydra: expected a map, got {got}"));
            let hint = Some("leave the key out, or put keys of Hydra's below it".to_owned());
            return Err(match hydra.map(|hydra| Origin::clone(&tree.trace(hydra).origin)) {
                Some(origin) => error.with_hint(hint).blamed_on(&origin),
                None => error.with_hint(hint),
            });
        }
        let as_value = |option: &Option<String>| option.clone().map_or(Value::Null, Value::Str);
        let choices: Map =
            self.choices.iter().map(|(group, option)| (Key::Str(group.clone()), as_value(option))).collect();
        let source = |(path, schema, provider): (String, String, String)| {
            let entries = [("path", path), ("schema", schema), ("provider", provider)];
            Value::Map(entries.map(|(key, text)| (Key::from(key), Value::Str(text))).into_iter().collect())
        };
        let sources = Value::List(search_path.described(self.cwd).into_iter().map(source).collect());
        let copied = self.copied_env(tree, root, surroundings)?;
        let dirname = self.override_dirname(tree, root, surroundings)?;
        let needs_name = (Merger { tree, surroundings }).lookup_resolved(root, "hydra.job.name")?.is_none();
        let config_name = self.config_name.map_or(Value::Null, Value::from);
        if tree.descend(root, &["hydra", "runtime", "choices"]).is_some_and(|id| tree.is_interpolation(id)) {
            let message = "hydra.runtime.choices: expected a map of its own, got an interpolation";
            let hint = Some("Hydra writes it: set nothing there".to_owned());
            return Err(ConfigError::new(ErrorKind::Unsupported, message).with_hint(hint));
        }
        self.append_overrides(tree, root, surroundings)?;
        let mut entries = vec![
            ("hydra.runtime.choices", Value::Map(choices)),
            ("hydra.runtime.version", Value::from(HYDRA_VERSION)),
            ("hydra.runtime.version_base", Value::Str(self.version_base.to_string())),
            ("hydra.runtime.cwd", Value::Str(self.cwd.display().to_string())),
            ("hydra.runtime.config_sources", sources),
            ("hydra.job.override_dirname", Value::Str(dirname.clone())),
            ("hydra.job.config_name", config_name),
        ];
        set_copied(tree, root, copied, surroundings)?;
        if needs_name {
            entries.push(("hydra.job.name", Value::from(self.job_name)));
        }
        for (path, value) in entries {
            let node = tree.import_value(&value, &Trace::hydra())?;
            let mut merger = Merger { tree, surroundings };
            merger.update(root, path, node, Additions::Allowed).map_err(|error| error.within(path))?;
        }
        Ok(dirname)
    }

    /// Hydra appends, so that what a config lists there already stays in front; to the list that is named, where it is
    /// an interpolation.
    fn append_overrides(
        &self,
        tree: &mut Tree,
        root: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<(), ConfigError> {
        for (name, overrides) in [("hydra", &self.hydra_overrides), ("task", &self.task_overrides)] {
            let Some(list) = tree.descend(root, &["hydra", "overrides", name]) else { continue };
            if overrides.is_empty() {
                continue;
            }
            let list = match Resolver::new(tree, surroundings).deref(list)? {
                Computed::Node(list) if matches!(tree.content(list), Content::List(_)) => list,
                _ => {
                    let message = format!("hydra.overrides.{name} must be a list");
                    return Err(ConfigError::new(ErrorKind::Unsupported, message));
                }
            };
            for item in overrides {
                let line = tree.add(Content::Scalar(Value::Str(item.input.clone())), Trace::hydra())?;
                tree.push(list, line);
            }
        }
        Ok(())
    }

    fn copied_env(&self, tree: &mut Tree, root: NodeId, surroundings: &Surroundings<'_>) -> Result<Map, ConfigError> {
        let mut copied = Map::new();
        if let Some(Value::List(names)) = (Merger { tree, surroundings }).lookup_resolved(root, "hydra.job.env_copy")? {
            for name in names {
                let name = python::str(&name);
                let value = surroundings.env.and_then(|env| env.get(&name)).ok_or_else(|| {
                    let message = format!("hydra.job.env_copy: environment variable {name:?} not found");
                    let hint = format!("set {name}, or take it out of hydra.job.env_copy");
                    ConfigError::new(ErrorKind::Other, message).with_hint(Some(hint))
                })?;
                copied.insert(Key::Str(name), Value::Str(value.clone()));
            }
        }
        Ok(copied)
    }

    /// The task overrides as they were typed, sorted.
    fn override_dirname(
        &self,
        tree: &mut Tree,
        root: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<String, ConfigError> {
        let place = "hydra.job.config.override_dirname";
        match (Merger { tree, surroundings }).lookup(root, place)? {
            Some(Computed::Node(id)) if tree.map(id).is_some() => {}
            _ => return Err(ConfigError::new(ErrorKind::Unsupported, format!("{place}: expected a map"))),
        }
        let mut setting = |name: &str| {
            (Merger { tree, surroundings }).lookup_resolved(root, &format!("hydra.job.config.override_dirname.{name}"))
        };
        let text = |value: Option<Value>| value.map(|value| python::str(&value)).unwrap_or_default();
        let (kv_sep, item_sep) = (text(setting("kv_sep")?), text(setting("item_sep")?));
        let excluded: Vec<String> = match setting("exclude_keys")? {
            Some(Value::List(keys)) => keys.iter().map(python::str).collect(),
            _ => Vec::new(),
        };
        let kept = self.task_overrides.iter().filter(|item| !excluded.contains(&item.key));
        let mut lines: Vec<&str> = kept.map(|item| item.input.as_str()).collect();
        lines.sort_unstable();
        Ok(lines.join(&item_sep).replace('=', &kv_sep))
    }
}
