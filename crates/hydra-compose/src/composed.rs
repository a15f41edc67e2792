//! A composed config: its value, what it resolves to, and the record of how it came about.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use blake3::Hash;
use indexmap::IndexMap;
use serde::de::DeserializeOwned;

use super::custom::CustomResolvers;
use super::defaults::{DefaultsListEntry, DefaultsTreeNode};
use super::digest::digest_of;
use super::dump::to_yaml;
use super::env::Variables;
use super::error::{ConfigError, ErrorKind};
use super::extract::extract;
use super::hydra_node::is_plugin;
use super::interpolation::{Computed, MissingTarget, Resolver, Surroundings, refuse_height, split_key};
use super::lint::{self, Lint};
use super::merge::{Additions, Merger};
use super::origin::{KeyOrigin, Trace};
use super::source::SourceFile;
use super::tree::{Content, NodeId, Tree};
use super::value::{Key, Map, Value};
use super::version_base::VersionBase;

/// A composed config. Its interpolations are unresolved.
#[derive(Debug, Clone)]
pub struct Config {
    parts: Parts,
    /// The tree without `hydra`, as the program sees it.
    task: Tree,
    value: Value,
    origins: Rc<IndexMap<String, KeyOrigin>>,
    /// Looked for when somebody asks.
    lints: OnceCell<Vec<Lint>>,
}

/// What composing yields.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) config_name: Option<String>,
    pub(super) tree: Tree,
    pub(super) root: NodeId,
    pub(super) choices: Vec<(String, Option<String>)>,
    pub(super) overrides: Vec<String>,
    pub(super) hydra_overrides: Vec<String>,
    pub(super) override_dirname: String,
    pub(super) sources: Vec<SourceFile>,
    pub(super) defaults_list: Vec<DefaultsListEntry>,
    pub(super) defaults_tree: DefaultsTreeNode,
    pub(super) warnings: Vec<String>,
    /// The files that were composed, for lints.
    pub(super) files: Vec<lint::Part>,
    pub(super) env: Variables,
    pub(super) now: Option<jiff::Zoned>,
    pub(super) custom: Option<Rc<CustomResolvers>>,
    pub(super) version_base: VersionBase,
}

/// Whether `${hydra:…}` has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HydraView {
    /// As inside a run.
    Run,
    /// As for Hydra's `compose` function, where there is no run.
    Unset,
}

impl Config {
    pub(super) fn new(parts: Parts) -> Result<Self, ConfigError> {
        refuse_height(parts.tree.height(parts.root))?;
        let mut task = parts.tree.clone();
        task.remove(parts.root, "hydra");
        let value = task.to_value(parts.root);
        let mut origins = IndexMap::new();
        collect_origins(&task, parts.root, "", &mut origins);
        Ok(Self { parts, task, value, origins: Rc::new(origins), lints: OnceCell::new() })
    }

    /// The config without `hydra`, unresolved.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// [`value`](Self::value) as YAML: what Hydra writes to `.hydra/config.yaml`.
    pub fn to_yaml(&self) -> String {
        to_yaml(&self.value)
    }

    /// The moment that `${now:…}` shows, in the time zone that it shows it in.
    pub fn now(&self) -> Option<&jiff::Zoned> {
        self.parts.now.as_ref()
    }

    /// Hydra's compatibility level.
    pub fn version_base(&self) -> VersionBase {
        self.parts.version_base
    }

    /// The file of the user's own resolvers, by its path below the folder of configs.
    ///
    /// # Errors
    /// When it lies elsewhere: whoever has the configs does not have it then.
    pub fn resolvers(&self) -> Result<Option<&str>, ConfigError> {
        let Some(custom) = &self.parts.custom else { return Ok(None) };
        let outside = || {
            let file = custom.source().absolute.as_deref().unwrap_or(Path::new("")).display();
            let message =
                format!("{file}: expected the file of resolvers below the folder of configs, got one elsewhere");
            let hint =
                "move it there: whoever has that folder and nothing else can then compose this config".to_owned();
            ConfigError::new(ErrorKind::Other, message).with_hint(Some(hint))
        };
        custom.path_in_tree().map(Some).ok_or_else(outside)
    }

    /// The name of the primary config.
    pub fn config_name(&self) -> Option<&str> {
        self.parts.config_name.as_deref()
    }

    /// Resolves all interpolations, as inside a run: `${hydra:…}` has a value. A `???` that stands in the config
    /// stays, an interpolation to one fails.
    ///
    /// # Errors
    /// Any of the `Interp…` kinds, [`ErrorKind::ResolverFailed`], [`ErrorKind::Limit`].
    pub fn resolve(&self) -> Result<Resolved, ConfigError> {
        self.resolve_with(HydraView::Run, MissingTarget::Refused)
    }

    /// Resolves all interpolations as outside a run, after Hydra's `compose` function: `${hydra:…}` has no value.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), and [`ErrorKind::HydraConfigUnset`].
    pub fn resolve_outside_run(&self) -> Result<Resolved, ConfigError> {
        self.resolve_with(HydraView::Unset, MissingTarget::Refused)
    }

    /// Resolves as Hydra does to show a config: what depends on a `???` is `???` itself.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), but for missing values.
    pub fn resolve_to_show(&self) -> Result<Resolved, ConfigError> {
        self.resolve_with(HydraView::Run, MissingTarget::Kept)
    }

    fn resolve_with(&self, view: HydraView, missing: MissingTarget) -> Result<Resolved, ConfigError> {
        let (surroundings, root) = (self.surroundings(view), self.parts.root);
        let mut tree = self.task.clone();
        let value = Resolver::new(&mut tree, &surroundings).with_missing(missing).resolved(root)?;
        let warnings = surroundings.warnings.into_inner();
        Ok(Resolved { value, origins: Rc::clone(&self.origins), warnings })
    }

    fn surroundings(&self, view: HydraView) -> Surroundings<'_> {
        Surroundings {
            env: Some(&self.parts.env),
            now: self.parts.now.clone(),
            hydra: (view == HydraView::Run).then(|| RefCell::new(self.parts.tree.clone())),
            hydra_root: Some(self.parts.root),
            custom: self.parts.custom.as_deref(),
            ..Surroundings::default()
        }
    }

    /// Resolves, and reads the whole config into a type.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve) and [`Resolved::extract`].
    pub fn extract<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.resolve()?.extract()
    }

    /// Resolves, and reads two types that share the top of the config.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve) and [`Resolved::extract_parts`].
    pub fn extract_parts<A: DeserializeOwned, B: DeserializeOwned>(
        &self,
        keys_of_a: &[&str],
    ) -> Result<(A, B), ConfigError> {
        self.resolve()?.extract_parts(keys_of_a)
    }

    /// The digest of the resolved config without `hydra`; see [`Resolved::digest`].
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn digest(&self) -> Result<Hash, ConfigError> {
        Ok(self.resolve()?.digest())
    }

    /// The environment variables that the config names, by `${oc.env:…}` and `hydra.job.env_copy`: those that resolving
    /// it, and whatever was asked of the `hydra` node so far, looked for.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn environment_names(&self) -> Result<BTreeSet<String>, ConfigError> {
        self.resolve()?;
        Ok(self.parts.env.asked())
    }

    /// The `hydra` node, unresolved.
    pub fn hydra(&self) -> Value {
        let tree = &self.parts.tree;
        tree.child(self.parts.root, "hydra").map_or_else(|| Value::Map(Map::new()), |hydra| tree.to_value(hydra))
    }

    /// The `hydra` node as Hydra writes it to `.hydra/hydra.yaml`.
    pub fn hydra_to_yaml(&self) -> String {
        to_yaml(&Value::Map(Map::from([(Key::from("hydra"), self.hydra())])))
    }

    /// A value of the `hydra` node, resolved, e.g. `run.dir` or `job.name`.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`ErrorKind::InterpKey`] for a path that does not exist.
    pub fn hydra_value(&self, path: &str) -> Result<Value, ConfigError> {
        let surroundings = self.surroundings(HydraView::Run);
        let mut tree = self.parts.tree.clone();
        let keys = split_key(path);
        let keys: Vec<&str> = std::iter::once("hydra").chain(keys.iter().map(String::as_str)).collect();
        let node = tree
            .descend(self.parts.root, &keys)
            .ok_or_else(|| ConfigError::new(ErrorKind::InterpKey, format!("there is no hydra.{path}")))?;
        Resolver::new(&mut tree, &surroundings).resolved(node)
    }

    /// What set a value of the `hydra` node, e.g. `run.dir`.
    pub fn hydra_origin(&self, path: &str) -> Option<KeyOrigin> {
        self.node_origin(&format!("hydra.{path}"))
    }

    /// The history of a key of the whole config, `hydra` included.
    pub(super) fn node_origin(&self, path: &str) -> Option<KeyOrigin> {
        Some(self.parts.tree.trace(self.node_id(path)?).to_key_origin())
    }

    /// A value of the whole config, `hydra` included, unresolved.
    pub(super) fn node(&self, path: &str) -> Option<Value> {
        Some(self.parts.tree.to_value(self.node_id(path)?))
    }

    fn node_id(&self, path: &str) -> Option<NodeId> {
        let tree = &self.parts.tree;
        split_key(path).iter().try_fold(self.parts.root, |id, key| match tree.content(id) {
            Content::List(items) => items.get(key.parse::<usize>().ok()?).copied(),
            _ => tree.child(id, key),
        })
    }

    /// The paths of all keys of the `hydra` node, which begin with `hydra.`.
    pub(super) fn hydra_paths(&self) -> Vec<String> {
        let mut origins = IndexMap::new();
        if let Some(hydra) = self.parts.tree.child(self.parts.root, "hydra") {
            collect_origins(&self.parts.tree, hydra, "hydra", &mut origins);
        }
        origins.into_keys().collect()
    }

    /// Resolves what can be resolved, and tells of everything that cannot be: that is `???` then.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`]: what costs too much is not looked at further.
    pub fn resolve_each(&self) -> Result<(Resolved, Vec<ConfigError>), ConfigError> {
        self.resolve_collecting(MissingTarget::Collected)
    }

    fn resolve_collecting(&self, missing: MissingTarget) -> Result<(Resolved, Vec<ConfigError>), ConfigError> {
        let surroundings = self.surroundings(HydraView::Run);
        let mut tree = self.task.clone();
        let mut resolver = Resolver::new(&mut tree, &surroundings).with_missing(missing);
        let value = resolver.resolved(self.parts.root)?;
        let errors = resolver.into_errors();
        let warnings = surroundings.warnings.into_inner();
        Ok((Resolved { value, origins: Rc::clone(&self.origins), warnings }, errors))
    }

    /// Resolves what can be resolved without the resolvers that an application registers in Python: what needs one stays
    /// as it is written, and is told of.
    ///
    /// # Errors
    /// As [`resolve_to_show`](Self::resolve_to_show), but for unknown resolvers.
    pub fn resolve_partly(&self) -> Result<(Resolved, Vec<ConfigError>), ConfigError> {
        self.resolve_collecting(MissingTarget::Partial)
    }

    /// What a path of the whole config names, `hydra` included, e.g. `trainer` or `data.files[0]`: a container as it
    /// is, anything else resolved. `None` for what is not there, null or `???`.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn select(&self, path: &str) -> Result<Option<Value>, ConfigError> {
        self.select_as(path, |tree, _, id| Ok(tree.to_value(id)))
    }

    /// As [`select`](Self::select), with what is in a container resolved, too, as [`resolve_to_show`] does it.
    ///
    /// [`resolve_to_show`]: Self::resolve_to_show
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn select_resolved(&self, path: &str) -> Result<Option<Value>, ConfigError> {
        self.select_as(path, |tree, surroundings, id| {
            Resolver::new(tree, surroundings).with_missing(MissingTarget::Kept).resolved(id)
        })
    }

    fn select_as(
        &self,
        path: &str,
        read: impl FnOnce(&mut Tree, &Surroundings<'_>, NodeId) -> Result<Value, ConfigError>,
    ) -> Result<Option<Value>, ConfigError> {
        let surroundings = self.surroundings(HydraView::Run);
        let mut tree = self.parts.tree.clone();
        let found = Merger { tree: &mut tree, surroundings: &surroundings }.lookup(self.parts.root, path)?;
        found
            .map(|found| match found {
                Computed::Value(value) => Ok(value),
                Computed::Node(id) => read(&mut tree, &surroundings, id),
            })
            .transpose()
    }

    /// Makes this the config of a job, as Hydra does before the job's work begins: its number in a multirun, and the
    /// environment variables of `hydra.job.env_set`, which `${oc.env:…}` sees from now on.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve) and [`set_hydra`](Self::set_hydra).
    pub fn enter_job(&mut self, number: Option<u64>) -> Result<(), ConfigError> {
        if let Some(number) = number {
            self.set_hydra("job.num", &Value::Int(number.cast_signed()))?;
            self.set_hydra("job.id", &Value::Str(number.to_string()))?;
        }
        if let Value::Map(variables) = self.hydra_value("job.env_set")? {
            self.parts.env.extend(variables.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        }
        Ok(())
    }

    /// Sets a value of the `hydra` node that only the run knows, e.g. `runtime.output_dir`.
    ///
    /// # Errors
    /// [`ErrorKind::HydraSchema`] where Hydra has no such key or type.
    pub fn set_hydra(&mut self, path: &str, value: &Value) -> Result<(), ConfigError> {
        let mut tree = self.parts.tree.clone();
        let node = tree.import_value(value, &Trace::hydra())?;
        let surroundings = Surroundings {
            env: Some(&self.parts.env),
            custom: self.parts.custom.as_deref(),
            ..Surroundings::default()
        };
        let mut merger = Merger { tree: &mut tree, surroundings: &surroundings };
        merger.update(self.parts.root, &format!("hydra.{path}"), node, Additions::Refused)?;
        self.parts.tree = tree;
        Ok(())
    }

    /// The config groups and the options that were chosen, in Hydra's order, Hydra's own groups included.
    pub fn choices(&self) -> &[(String, Option<String>)] {
        &self.parts.choices
    }

    /// The choices that name Python plugins of Hydra's, as overrides: `hydra/launcher=joblib`. They compose, and nothing here
    /// works under one.
    pub fn plugins(&self) -> Vec<String> {
        let chosen = self.choices().iter().filter_map(|(group, option)| Some((group, option.as_ref()?)));
        let plugins = chosen.filter(|(group, option)| is_plugin(&format!("{group}/{option}")));
        plugins.map(|(group, option)| format!("{group}={option}")).collect()
    }

    /// The overrides of the task, as typed: what Hydra writes to `.hydra/overrides.yaml`.
    pub fn overrides(&self) -> &[String] {
        &self.parts.overrides
    }

    /// The overrides of Hydra's own config, as typed.
    pub fn hydra_overrides(&self) -> &[String] {
        &self.parts.hydra_overrides
    }

    /// `hydra.job.override_dirname`: the task overrides, sorted and joined.
    pub fn override_dirname(&self) -> &str {
        &self.parts.override_dirname
    }

    /// The history of a key, by its path as in `trainer.precision` or `data.files[0]`.
    pub fn origin(&self, path: &str) -> Option<&KeyOrigin> {
        self.origins.get(path)
    }

    /// The histories of all keys, in the order of the config.
    pub fn origins(&self) -> impl Iterator<Item = (&str, &KeyOrigin)> {
        self.origins.iter().map(|(path, origin)| (path.as_str(), origin))
    }

    /// Every file that was read, in the order of reading.
    pub fn sources(&self) -> &[SourceFile] {
        &self.parts.sources
    }

    /// The configs in merge order, Hydra's own included.
    pub fn defaults_list(&self) -> &[DefaultsListEntry] {
        &self.parts.defaults_list
    }

    /// The defaults lists as a tree.
    pub fn defaults_tree(&self) -> &DefaultsTreeNode {
        &self.parts.defaults_tree
    }

    /// What Hydra warns about.
    pub fn warnings(&self) -> &[String] {
        &self.parts.warnings
    }

    /// Silent traps in the files that were composed: what Hydra accepts and a person hardly meant.
    pub fn lints(&self) -> &[Lint] {
        self.lints.get_or_init(|| lint::lints(&self.parts.files))
    }

    /// The paths of the mandatory values that nobody set.
    pub fn missing_keys(&self) -> Vec<String> {
        missing_keys(&self.value)
    }
}

/// A config whose interpolations are resolved.
#[derive(Debug, Clone)]
pub struct Resolved {
    value: Value,
    origins: Rc<IndexMap<String, KeyOrigin>>,
    warnings: Vec<String>,
}

impl Resolved {
    /// The config.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The config as YAML.
    pub fn to_yaml(&self) -> String {
        to_yaml(&self.value)
    }

    /// What resolving warned about, e.g. deprecated keys.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The digest of the config: equal for equal keys, values and order of keys, whatever they were composed from.
    ///
    /// See [`super::digest`] for the encoding.
    pub fn digest(&self) -> Hash {
        digest_of(&self.value)
    }

    /// The paths of the values that are `???`.
    pub fn missing_keys(&self) -> Vec<String> {
        missing_keys(&self.value)
    }

    /// Reads the config into a type.
    ///
    /// # Errors
    /// [`ErrorKind::MissingValue`] for a `???`; [`ErrorKind::TypeMismatch`] and [`ErrorKind::UnknownKey`] with the
    /// path of the key, what was expected, what was found, and where it was set.
    pub fn extract<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.extract_beside(&[])
    }

    /// [`extract`](Self::extract) where further keys are known, and read elsewhere.
    fn extract_beside<T: DeserializeOwned>(&self, known: &[&str]) -> Result<T, ConfigError> {
        if let Some(path) = missing_keys(&self.value).into_iter().next() {
            let location = self.origins.get(&path).and_then(|origin| origin.origin.location().cloned());
            let message = format!("{path}: a value is required and nobody set one");
            let hint = Some(format!("set it: `{path}=<value>`"));
            return Err(ConfigError::new(ErrorKind::MissingValue, message).at(location).with_hint(hint));
        }
        extract(&self.value, &self.origins, known)
    }

    /// Reads two types that share the top of the config: `A` takes the keys that it is said to have, `B` all others.
    /// Whoever makes no use of `A`'s keys still hears of them where a key is unknown to both.
    ///
    /// # Errors
    /// As [`extract`](Self::extract).
    pub fn extract_parts<A: DeserializeOwned, B: DeserializeOwned>(
        &self,
        keys_of_a: &[&str],
    ) -> Result<(A, B), ConfigError> {
        let Value::Map(all) = &self.value else { return Ok((self.extract()?, self.extract()?)) };
        let is_of_a = |key: &Key| keys_of_a.iter().any(|name| key.to_string() == *name);
        let part = |of_a: bool| -> Self {
            let entries = all.iter().filter(|(key, _)| is_of_a(key) == of_a);
            let value = Value::Map(entries.map(|(key, value)| (key.clone(), value.clone())).collect());
            Self { value, ..self.clone() }
        };
        let (a, b) = (part(true), part(false));
        Ok((a.extract()?, b.extract_beside(keys_of_a)?))
    }
}

fn missing_keys(value: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, missing: &mut Vec<String>) {
        match value {
            Value::Map(map) => {
                for (key, child) in map {
                    let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                    walk(child, &path, missing);
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &format!("{path}[{index}]"), missing);
                }
            }
            scalar if scalar.is_missing() => missing.push(path.to_owned()),
            _ => {}
        }
    }
    let mut missing = Vec::new();
    walk(value, "", &mut missing);
    missing
}

/// Records the history of everything below a container at a path.
fn collect_origins(tree: &Tree, id: NodeId, path: &str, origins: &mut IndexMap<String, KeyOrigin>) {
    let mut record = |path: String, child: NodeId| {
        if tree.is_container(child) {
            // The container comes before what it holds.
            origins.insert(path.clone(), tree.trace(child).to_key_origin());
            collect_origins(tree, child, &path, origins);
        } else {
            origins.insert(path, tree.trace(child).to_key_origin());
        }
    };
    match tree.content(id) {
        Content::Scalar(_) => {}
        Content::Map(map) => {
            for (key, &child) in map {
                record(if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }, child);
            }
        }
        Content::List(items) => {
            for (index, &child) in items.iter().enumerate() {
                record(format!("{path}[{index}]"), child);
            }
        }
    }
}
