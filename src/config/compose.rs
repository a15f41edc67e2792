//! Overrides and a search path to a composed [`Config`].
//!
//! The steps are Hydra's: parse the overrides, extend the search path, build the defaults list, merge its configs,
//! close the result against unknown keys, apply the overrides, record the run in the `hydra` node.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use super::composed::Config;
use super::defaults::{DefaultsListEntry, MissingOptions, defaults_list};
use super::error::{ConfigError, ErrorKind};
use super::hydra_node::{HYDRA_VERSION, HYDRA_VERSION_BASE, schema_of};
use super::interpolation::{Computed, Resolver, Surroundings, check, split_key};
use super::merge::{Additions, Merger, refuse_depth};
use super::origin::{Origin, Trace};
use super::overrides::{self, Action, Element, Override};
use super::python;
use super::schema;
use super::source::{Repository, SearchPath};
use super::sweep::{Sweep, refuse_sweeps};
use super::tree::{NodeId, Tree};
use super::value::{Key, Map, Value};
use super::yaml::Data;

/// Composes configs from one search path.
///
/// Everything that a composition may depend on is an argument; nothing is read from the process.
#[derive(Debug, Clone)]
pub struct Composer {
    search_path: SearchPath,
    env: BTreeMap<String, String>,
    cwd: PathBuf,
    now: Option<jiff::civil::DateTime>,
    job_name: String,
    shuffle_seed: u64,
}

/// Whether one config is composed, or the frame of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunMode {
    Run,
    MultiRun,
}

impl Composer {
    /// A composer with no environment, the working directory `.`, no time (`${now:…}` fails) and the job name `app`.
    pub fn new(search_path: SearchPath) -> Self {
        Self {
            search_path,
            env: BTreeMap::new(),
            cwd: PathBuf::from("."),
            now: None,
            job_name: "app".to_owned(),
            shuffle_seed: 0,
        }
    }

    /// The variables that `${oc.env:…}` and `hydra.job.env_copy` see.
    pub fn env(mut self, env: BTreeMap<String, String>) -> Self {
        self.env = env;
        self
    }

    /// The directory that `hydra.runtime.cwd` names and that relative entries of `hydra.searchpath` start from.
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = cwd.into();
        self
    }

    /// The time that `${now:…}` formats.
    pub fn now(mut self, now: jiff::civil::DateTime) -> Self {
        self.now = Some(now);
        self
    }

    /// The name of the job, `hydra.job.name`, unless a config or an override sets it.
    pub fn job_name(mut self, name: impl Into<String>) -> Self {
        self.job_name = name.into();
        self
    }

    /// What the order of shuffled sweeps depends on; 0 unless set.
    pub fn shuffle_seed(mut self, seed: u64) -> Self {
        self.shuffle_seed = seed;
        self
    }

    /// The config groups of the search path, with slashes, sorted; Hydra's own are those under `hydra/`.
    pub fn groups(&self) -> Vec<String> {
        self.search_path.groups()
    }

    /// The options of a config group, sorted.
    pub fn options(&self, group: &str) -> Vec<String> {
        self.search_path.options(group)
    }

    /// Composes a primary config, or none, under overrides.
    ///
    /// # Errors
    /// A [`ConfigError`] of nearly any kind; interpolations are resolved later, by [`Config::resolve`].
    pub fn compose<'n, S: AsRef<str>>(
        &self,
        config_name: impl Into<Option<&'n str>>,
        overrides: &[S],
    ) -> Result<Config, ConfigError> {
        self.compose_in(RunMode::Run, config_name.into(), &texts(overrides))
    }

    /// Composes the frame of a multirun and lists its jobs.
    ///
    /// # Errors
    /// As [`compose`](Self::compose), and [`ErrorKind::SweepUnsupported`] for a sweep that cannot be listed.
    pub fn sweep<'n, S: AsRef<str>>(
        &self,
        config_name: impl Into<Option<&'n str>>,
        overrides: &[S],
    ) -> Result<Sweep, ConfigError> {
        let frame = self.compose_in(RunMode::MultiRun, config_name.into(), &texts(overrides))?;
        Sweep::of_frame(frame, &self.search_path, self.shuffle_seed)
    }

    /// Composes one job of a sweep.
    ///
    /// # Errors
    /// As [`compose`](Self::compose).
    pub fn compose_job(&self, sweep: &Sweep, job: &[String]) -> Result<Config, ConfigError> {
        let frame = sweep.frame();
        let overrides: Vec<String> = frame.hydra_overrides().iter().chain(job).cloned().collect();
        self.compose_in(RunMode::Run, frame.config_name(), &overrides)
    }

    fn compose_in(&self, mode: RunMode, config_name: Option<&str>, texts: &[String]) -> Result<Config, ConfigError> {
        let surroundings = Surroundings { env: Some(&self.env), now: self.now, ..Surroundings::default() };
        let overrides: Vec<Override> = texts.iter().map(|text| overrides::parse(text)).collect::<Result<_, _>>()?;
        let mut repository = Repository::new(self.search_path.clone());
        self.extend_search_path(&mut repository, config_name, &overrides, &surroundings)?;
        refuse_sweeps(&overrides, mode)?;
        let missing = match mode {
            RunMode::Run => MissingOptions::Refused,
            RunMode::MultiRun => MissingOptions::Skipped,
        };
        let defaults = defaults_list(&mut repository, config_name, &overrides, missing, &surroundings)?;

        let mut tree = Tree::default();
        let root = tree.add_map(Trace::hydra())?;
        for entry in &defaults.entries {
            merge_config(&mut tree, root, entry, &mut repository, &surroundings)?;
        }
        tree.set_closed(root, Some(true));
        for item in &defaults.config_overrides {
            apply_override(&mut tree, root, item, &surroundings)?;
        }
        let (hydra_overrides, task_overrides): (Vec<&Override>, Vec<&Override>) =
            overrides.iter().partition(|item| item.is_hydra());
        let choices: Vec<(String, Option<String>)> =
            defaults.choices.iter().map(|(group, option)| (group.clone(), option.clone())).collect();
        let record = Record { composer: self, config_name, hydra_overrides, task_overrides, choices: &choices };
        let override_dirname = record.write(&mut tree, root, &repository.search_path, &surroundings)?;
        let inputs = |overrides: &[&Override]| overrides.iter().map(|item| item.input.clone()).collect();
        let (overrides, hydra_overrides) = (inputs(&record.task_overrides), inputs(&record.hydra_overrides));
        Config::new(super::composed::Parts {
            config_name: config_name.map(str::to_owned),
            tree,
            root,
            choices,
            overrides,
            hydra_overrides,
            override_dirname,
            sources: repository.into_sources(),
            defaults_list: defaults.entries,
            defaults_tree: defaults.tree,
            warnings: defaults.warnings,
            env: self.env.clone(),
            now: self.now,
        })
    }

    /// Adds what `hydra.searchpath` of the primary config, or else of the command line, names.
    fn extend_search_path(
        &self,
        repository: &mut Repository,
        config_name: Option<&str>,
        overrides: &[Override],
        surroundings: &Surroundings<'_>,
    ) -> Result<(), ConfigError> {
        let refused = |message: String| Err(ConfigError::new(ErrorKind::Searchpath, message));
        let mut in_config = None;
        if let Some(name) = config_name
            && let Some(loaded) = repository.load(name)?
        {
            if !matches!(loaded.body.data, Data::Map(_)) {
                let message = format!("expected a map as the primary config {name:?}, got a list");
                return Err(ConfigError::new(ErrorKind::Other, message));
            }
            loaded.defaults.clone()?;
            let mut tree = Tree::default();
            let root = tree.import(&loaded.body, loaded.file.as_deref(), &Trace::hydra())?;
            in_config = lookup_value(&mut tree, root, "hydra.searchpath", surroundings)?;
        }
        let typed = overrides.iter().find(|item| item.key_element() == "hydra.searchpath");
        let (provider, value) = match typed.and_then(|item| item.value.as_ref()).filter(|value| !is_null(value)) {
            Some(element) => ("hydra.searchpath in command-line", element.to_value()),
            None => ("hydra.searchpath in main", in_config),
        };
        let Some(value) = value else { return Ok(()) };
        let Value::List(entries) = &value else {
            return refused(format!("hydra.searchpath must be a list of texts, got {value}"));
        };
        for entry in entries {
            let Value::Str(entry) = entry else {
                return refused(format!("hydra.searchpath must be a list of texts, got {value}"));
            };
            repository.search_path.push_entry(provider, entry, &self.cwd);
        }
        Ok(())
    }
}

fn texts<S: AsRef<str>>(overrides: &[S]) -> Vec<String> {
    overrides.iter().map(|text| text.as_ref().to_owned()).collect()
}

fn is_null(element: &Element) -> bool {
    matches!(element, Element::Scalar(Value::Null))
}

/// The resolved value at a path; `None` for null, missing and absent ones.
fn lookup_value(
    tree: &mut Tree,
    root: NodeId,
    path: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Option<Value>, ConfigError> {
    Ok(match (Merger { tree, surroundings }).lookup(root, path)? {
        None => None,
        Some(Computed::Value(value)) => Some(value),
        Some(Computed::Node(id)) => Some(Resolver::new(tree, surroundings).resolved(id)?),
    })
}

/// Merges one config of the defaults list at its package.
fn merge_config(
    tree: &mut Tree,
    root: NodeId,
    entry: &DefaultsListEntry,
    repository: &mut Repository,
    surroundings: &Surroundings<'_>,
) -> Result<(), ConfigError> {
    let path = &entry.config_path;
    let loaded = repository
        .load(path)?
        .ok_or_else(|| ConfigError::new(ErrorKind::ConfigMissing, format!("could not load the config {path:?}")))?;
    loaded.defaults.clone()?;
    let body = tree.import(&loaded.body, loaded.file.as_deref(), &Trace::hydra())?;
    let embedded = embed(tree, body, &entry.package)?;
    if !entry.primary && path != "hydra/config" {
        let mut probe = Merger { tree, surroundings };
        if probe.lookup(embedded, "hydra.searchpath")?.is_some() {
            let message = format!("in {path:?}: only the primary config can set hydra.searchpath");
            return Err(ConfigError::new(ErrorKind::Searchpath, message));
        }
    }
    let mut merger = Merger { tree, surroundings };
    merger.merge(root, embedded).map_err(|error| error.within(&format!("in {path:?}")))?;
    if let Some(schema) = schema_of(path) {
        let packages = split_key(&entry.package);
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        if let Some(node) = tree.descend(root, &packages) {
            schema::apply(tree, node, schema).map_err(|error| error.within(&format!("in {path:?}")))?;
        }
    }
    Ok(())
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

fn apply_override(
    tree: &mut Tree,
    root: NodeId,
    item: &Override,
    surroundings: &Surroundings<'_>,
) -> Result<(), ConfigError> {
    let refused = |kind, message: &str| Err(ConfigError::new(kind, format!("override {:?}: {message}", item.input)));
    if item.package.is_some() {
        let message = format!("a package needs a config group, and there is no group {:?}", item.key);
        return refused(ErrorKind::PackageOnNonGroup, &message);
    }
    let value = match &item.value {
        None => Value::Null,
        Some(element) => match element.to_value() {
            Some(value) => value,
            None if holds_sweep(element) => {
                return refused(ErrorKind::UnsupportedValue, "a sweep cannot be a part of a value");
            }
            None => return refused(ErrorKind::MergeOther, "null cannot be a key"),
        },
    };
    let trace = Trace::new(Rc::new(Origin::Override(item.input.clone())));
    let node = tree.import_value(&value, &trace)?;
    let mut merger = Merger { tree, surroundings };
    let result = check_texts(&value).and_then(|()| match item.action {
        Action::Delete => merger.delete(root, &item.key, &value),
        Action::ForceAdd => merger.update(root, &item.key, node, Additions::Allowed),
        Action::Add => {
            let is_container = matches!(value, Value::List(_) | Value::Map(_));
            if merger.lookup(root, &item.key)?.is_some() && !is_container {
                let message = format!("there is already a value at {:?}", item.key);
                let plain = item.input.strip_prefix('+').unwrap_or(&item.input).to_owned();
                return Err(ConfigError::new(ErrorKind::AddExisting, message).with_hint(Some(plain)));
            }
            merger.update(root, &item.key, node, Additions::Allowed)
        }
        Action::Change => merger.update(root, &item.key, node, Additions::Refused).map_err(|error| {
            // No near key: then the user may have wanted to add one.
            match error.kind() {
                ErrorKind::KeyNotInStruct => error.with_hint(Some(format!("+{}", item.input))),
                _ => error,
            }
        }),
    });
    result.map_err(|error| error.within(&format!("override {:?}", item.input)))
}

fn holds_sweep(element: &Element) -> bool {
    match element {
        Element::Sweep(_) | Element::Glob(_) => true,
        Element::List(items) => items.iter().any(holds_sweep),
        Element::Dict(entries) => entries.iter().any(|(_, value)| holds_sweep(value)),
        Element::Scalar(_) | Element::Quoted(_) => false,
    }
}

fn check_texts(value: &Value) -> Result<(), ConfigError> {
    match value {
        Value::Str(text) => check(text),
        Value::List(items) => items.iter().try_for_each(check_texts),
        Value::Map(map) => map.values().try_for_each(check_texts),
        _ => Ok(()),
    }
}

/// What a composition writes into the `hydra` node.
struct Record<'a> {
    composer: &'a Composer,
    config_name: Option<&'a str>,
    hydra_overrides: Vec<&'a Override>,
    task_overrides: Vec<&'a Override>,
    choices: &'a [(String, Option<String>)],
}

impl Record<'_> {
    /// Writes it; yields `hydra.job.override_dirname`.
    fn write(
        &self,
        tree: &mut Tree,
        root: NodeId,
        search_path: &SearchPath,
        surroundings: &Surroundings<'_>,
    ) -> Result<String, ConfigError> {
        let is_whole = tree.child(root, "hydra").is_some_and(|hydra| tree.map(hydra).is_some());
        if !is_whole {
            return Err(ConfigError::new(ErrorKind::Unsupported, "the hydra node must be a map"));
        }
        let lines = |overrides: &[&Override]| {
            Value::List(overrides.iter().map(|item| Value::Str(item.input.clone())).collect())
        };
        let as_value = |option: &Option<String>| option.clone().map_or(Value::Null, Value::Str);
        let choices: Map =
            self.choices.iter().map(|(group, option)| (Key::Str(group.clone()), as_value(option))).collect();
        let source = |(path, schema, provider): (String, String, String)| {
            let entries = [("path", path), ("schema", schema), ("provider", provider)];
            Value::Map(entries.map(|(key, text)| (Key::from(key), Value::Str(text))).into_iter().collect())
        };
        let sources = Value::List(search_path.described().into_iter().map(source).collect());
        let copied = self.copied_env(tree, root, surroundings)?;
        let dirname = self.override_dirname(tree, root, surroundings)?;
        let needs_name = lookup_value(tree, root, "hydra.job.name", surroundings)?.is_none();
        let config_name = self.config_name.map_or(Value::Null, Value::from);
        let mut entries = vec![
            ("hydra.overrides.hydra", lines(&self.hydra_overrides)),
            ("hydra.overrides.task", lines(&self.task_overrides)),
            ("hydra.runtime.choices", Value::Map(choices)),
            ("hydra.job.env_set", Value::Map(copied)),
            ("hydra.runtime.version", Value::from(HYDRA_VERSION)),
            ("hydra.runtime.version_base", Value::from(HYDRA_VERSION_BASE)),
            ("hydra.runtime.cwd", Value::Str(self.composer.cwd.display().to_string())),
            ("hydra.runtime.config_sources", sources),
            ("hydra.job.override_dirname", Value::Str(dirname.clone())),
            ("hydra.job.config_name", config_name),
        ];
        if needs_name {
            entries.push(("hydra.job.name", Value::Str(self.composer.job_name.clone())));
        }
        for (path, value) in entries {
            let node = tree.import_value(&value, &Trace::hydra())?;
            let mut merger = Merger { tree, surroundings };
            merger.update(root, path, node, Additions::Allowed).map_err(|error| error.within(path))?;
        }
        Ok(dirname)
    }

    fn copied_env(&self, tree: &mut Tree, root: NodeId, surroundings: &Surroundings<'_>) -> Result<Map, ConfigError> {
        let mut copied = Map::new();
        if let Some(Value::List(names)) = lookup_value(tree, root, "hydra.job.env_copy", surroundings)? {
            for name in names {
                let name = python::str(&name);
                let value = self.composer.env.get(&name).ok_or_else(|| {
                    ConfigError::new(
                        ErrorKind::Other,
                        format!("hydra.job.env_copy: environment variable {name:?} not found"),
                    )
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
        let mut setting =
            |name: &str| lookup_value(tree, root, &format!("hydra.job.config.override_dirname.{name}"), surroundings);
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
