//! Overrides and a search path to a composed [`Config`].
//!
//! The steps are Hydra's: parse the overrides, extend the search path, build the defaults list, merge its configs,
//! close the result against unknown keys, apply the overrides, record the run in the `hydra` node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::composed::{self, Config};
use super::custom::CustomResolvers;
use super::defaults::{DefaultsListEntry, MissingOptions, defaults_list};
use super::env::Variables;
use super::error::{ConfigError, ErrorKind, Location, did_you_mean, joined, listed, nearest};
use super::hydra_node::{Builtin, HYDRA_VERSION, stored};
use super::interpolation::{Computed, Resolver, Surroundings, check, split_key};
use super::lint;
use super::merge::{Additions, Merger, refuse_depth};
use super::origin::{Origin, Trace};
use super::overrides::{self, Action, Element, Override};
use super::python;
use super::schema;
use super::source::{Repository, SearchPath};
use super::sweep::{Sweep, refuse_sweeps};
use super::tree::{Content, NodeId, Tree};
use super::value::{Key, Map, Value};
use super::version_base::VersionBase;
use super::yaml::{self, Data, place};

/// Composes configs from one search path.
///
/// Everything that a composition may depend on is an argument; nothing is read from the process.
#[derive(Debug, Clone)]
pub struct Composer {
    search_path: SearchPath,
    env: BTreeMap<String, String>,
    cwd: PathBuf,
    now: Option<jiff::Zoned>,
    utc_key: Option<String>,
    packages: Vec<PathBuf>,
    custom: Option<Rc<CustomResolvers>>,
    version_base: VersionBase,
    job_name: String,
    shuffle_seed: u64,
    zip: Vec<Vec<String>>,
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
            utc_key: None,
            packages: Vec::new(),
            custom: None,
            version_base: VersionBase::default(),
            job_name: "app".to_owned(),
            shuffle_seed: 0,
            zip: Vec::new(),
        }
    }

    /// The variables that `${oc.env:…}` and `hydra.job.env_copy` see.
    pub fn env(mut self, env: BTreeMap<String, String>) -> Self {
        self.env = env;
        self
    }

    /// Variables beside those that are there; one that is there already keeps its value.
    pub fn add_env(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        for (name, value) in variables {
            self.env.entry(name).or_insert(value);
        }
        self
    }

    /// The directory that `hydra.runtime.cwd` names and that relative entries of `hydra.searchpath` start from.
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = cwd.into();
        self
    }

    /// The moment that `${now:…}` formats, in the time zone that it is given in: Hydra's is the local one.
    pub fn now(mut self, now: jiff::Zoned) -> Self {
        self.now = Some(now);
        self
    }

    /// A key of the composed configs whose value `utc` makes `${now:…}` show UTC, whatever zone the moment was given in.
    pub fn utc_key(mut self, key: impl Into<String>) -> Self {
        self.utc_key = Some(key.into());
        self
    }

    /// Where the packages of `pkg://` entries of `hydra.searchpath` are looked for, after the working directory: what
    /// Python has in its path.
    pub fn packages(mut self, folders: Vec<PathBuf>) -> Self {
        self.packages = folders;
        self
    }

    /// Resolvers of the user's own, from a YAML file of lambdas; it counts as one of the files that were composed.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub fn resolvers(mut self, file: &Path) -> Result<Self, ConfigError> {
        self.custom = Some(Rc::new(CustomResolvers::read(file, &self.search_path.directories())?));
        Ok(self)
    }

    /// The same, of a file by its path below the folder of configs, as [`Config::resolvers`] names it.
    ///
    /// # Errors
    /// As [`resolvers`](Self::resolvers).
    pub fn resolvers_in_tree(self, path: &str) -> Result<Self, ConfigError> {
        let directories = self.search_path.directories();
        let found = directories.iter().map(|directory| directory.join(path)).find(|path| path.is_file());
        match found.or_else(|| Some(directories.first()?.join(path))) {
            Some(file) => self.resolvers(&file),
            None => Err(ConfigError::new(ErrorKind::Read, format!("{path}: expected a folder of configs, got none"))),
        }
    }

    /// Hydra's compatibility level.
    pub fn version_base(mut self, version_base: VersionBase) -> Self {
        self.version_base = version_base;
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

    /// Keys whose sweeps vary together instead of as a product: each inner list is one group of keys, as they stand
    /// before the `=` of their overrides; a leading `+` may be left out.
    ///
    /// With `a=1,2 b=x,y` and `a` zipped with `b`, the jobs are `a=1 b=x` and `a=2 b=y`. A group takes the place of its
    /// first key, and varies as one sweep would there. `hydra.sweeper.params` counts as overrides do.
    pub fn zip(mut self, groups: Vec<Vec<String>>) -> Self {
        self.zip = groups;
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
    /// As [`frame`](Self::frame) and [`expand`](Self::expand).
    pub fn sweep<'n, S: AsRef<str>>(
        &self,
        config_name: impl Into<Option<&'n str>>,
        overrides: &[S],
    ) -> Result<Sweep, ConfigError> {
        self.expand(self.frame(config_name, overrides)?)
    }

    /// Composes the frame of a multirun: sweeps among the overrides are allowed, and not yet looked at.
    ///
    /// # Errors
    /// As [`compose`](Self::compose).
    pub fn frame<'n, S: AsRef<str>>(
        &self,
        config_name: impl Into<Option<&'n str>>,
        overrides: &[S],
    ) -> Result<Config, ConfigError> {
        self.compose_in(RunMode::MultiRun, config_name.into(), &texts(overrides))
    }

    /// Lists the jobs of a multirun's frame.
    ///
    /// # Errors
    /// [`ErrorKind::SweepUnsupported`] for a sweep that cannot be listed, [`ErrorKind::SweepZip`] for keys that cannot
    /// vary together, and their kin.
    pub fn expand(&self, frame: Config) -> Result<Sweep, ConfigError> {
        Sweep::of_frame(frame, &self.zip, &self.search_path, self.shuffle_seed)
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
        let mut warnings = Vec::new();
        // What was warned of until it failed may be why.
        self.parts(mode, config_name, texts, &mut warnings)
            .map_err(|error| error.with_warnings(std::mem::take(&mut warnings)))
            .and_then(|parts| Config::new(composed::Parts { warnings, ..parts }))
    }

    /// Everything but the warnings, which are there also where it fails.
    fn parts(
        &self,
        mode: RunMode,
        config_name: Option<&str>,
        texts: &[String],
        warnings: &mut Vec<String>,
    ) -> Result<composed::Parts, ConfigError> {
        let env = Variables::new(self.env.clone());
        let surroundings = &Surroundings {
            env: Some(&env),
            now: self.now.clone(),
            custom: self.custom.as_deref(),
            ..Surroundings::default()
        };
        let overrides: Vec<Override> = texts.iter().map(|text| overrides::parse(text)).collect::<Result<_, _>>()?;
        let repository = &mut Repository::new(self.search_path.clone().version_base(self.version_base));
        self.extend_search_path(repository, config_name, &overrides, surroundings, warnings)?;
        refuse_sweeps(&overrides, mode)?;
        let missing = match mode {
            RunMode::Run => MissingOptions::Refused,
            RunMode::MultiRun => MissingOptions::Skipped,
        };
        let defaults = defaults_list(repository, config_name, &overrides, missing, surroundings)?;
        warnings.extend(defaults.warnings);

        let mut tree = Tree::default();
        let root = tree.add_map(Trace::hydra())?;
        let mut files = Vec::new();
        for entry in &defaults.entries {
            files.push(merge_config(&mut tree, root, entry, repository, surroundings, warnings)?);
        }
        tree.set_closed(root, Some(true));
        for item in &defaults.config_overrides {
            apply_override(&mut tree, root, item, &repository.search_path, surroundings)?;
        }
        let (hydra_overrides, task_overrides): (Vec<&Override>, Vec<&Override>) =
            overrides.iter().partition(|item| item.is_hydra());
        let choices: Vec<(String, Option<String>)> =
            defaults.choices.iter().map(|(group, option)| (group.clone(), option.clone())).collect();
        let record = Record { composer: self, config_name, hydra_overrides, task_overrides, choices: &choices };
        let override_dirname = record.write(&mut tree, root, &repository.search_path, surroundings)?;
        let overrides = recorded_lines(&mut tree, root, "task", surroundings)?;
        let hydra_overrides = recorded_lines(&mut tree, root, "hydra", surroundings)?;
        let now = self.zoned(&mut tree, root, surroundings)?;
        let custom = self.custom.iter().map(|custom| custom.source().clone());
        let sources = repository.sources().iter().cloned().chain(custom).collect();
        Ok(composed::Parts {
            config_name: config_name.map(str::to_owned),
            tree,
            root,
            choices,
            overrides,
            hydra_overrides,
            override_dirname,
            sources,
            defaults_list: defaults.entries,
            defaults_tree: defaults.tree,
            warnings: Vec::new(),
            files,
            env: env.clone(),
            custom: self.custom.clone(),
            version_base: self.version_base,
            now,
        })
    }

    /// The moment in the zone that the config asks for.
    fn zoned(
        &self,
        tree: &mut Tree,
        root: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<Option<jiff::Zoned>, ConfigError> {
        let asked = match &self.utc_key {
            Some(key) => lookup_value(tree, root, key, surroundings)?,
            None => None,
        };
        let is_utc = asked.is_some_and(|asked| asked.as_str() == Some("utc"));
        Ok(self.now.as_ref().map(|now| if is_utc { now.with_time_zone(jiff::tz::TimeZone::UTC) } else { now.clone() }))
    }

    /// Adds what `hydra.searchpath` of the primary config, or else of the command line, names.
    fn extend_search_path(
        &self,
        repository: &mut Repository,
        config_name: Option<&str>,
        overrides: &[Override],
        surroundings: &Surroundings<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<(), ConfigError> {
        const SHAPE: &str = "write `hydra.searchpath: [directory, file:///directory]`";
        let (mut in_config, mut origin) = (None, Origin::Hydra);
        if let Some(name) = config_name
            && let Some(loaded) = repository.load(name)?
        {
            if !matches!(loaded.body.data, Data::Map(_)) {
                let message = format!("expected a map at the top of the primary config {name:?}, got a list");
                let hint = Some("put the list below a key: `items: […]`".to_owned());
                let file = loaded.file.clone().unwrap_or_default();
                let location = Location { file, ..place(loaded.body.mark) };
                return Err(ConfigError::new(ErrorKind::PrimaryNotMapping, message).at(Some(location)).with_hint(hint));
            }
            loaded.defaults.clone()?;
            let mut tree = Tree::default();
            let root = tree.import(&loaded.body, loaded.file.as_deref(), &Trace::hydra())?;
            in_config = lookup_value(&mut tree, root, "hydra.searchpath", surroundings)?;
            let node = tree.descend(root, &["hydra", "searchpath"]);
            origin = node.map_or(Origin::Hydra, |node| Origin::clone(&tree.trace(node).origin));
        }
        let typed = overrides.iter().find(|item| item.key_element() == "hydra.searchpath");
        if let Some(item) = typed.filter(|item| matches!(item.value, Some(Element::Extend(_)))) {
            let message = "hydra.searchpath must be given as a whole; extend_list cannot extend it";
            let error = ConfigError::new(ErrorKind::Searchpath, message).with_hint(Some(SHAPE.to_owned()));
            return Err(error.blamed_on(&Origin::Override(item.input.clone())));
        }
        let (provider, value) = match typed.and_then(|item| item.value.as_ref()).filter(|value| !is_null(value)) {
            Some(element) => {
                origin = Origin::Override(typed.expect("it has a value").input.clone());
                ("hydra.searchpath in command-line", element.to_value())
            }
            None => ("hydra.searchpath in main", in_config),
        };
        let Some(value) = value else { return Ok(()) };
        let refused = || {
            let message = format!("hydra.searchpath must be a list of texts, got {} {value}", value.type_name());
            ConfigError::new(ErrorKind::Searchpath, message).blamed_on(&origin).with_hint(Some(SHAPE.to_owned()))
        };
        let Value::List(entries) = &value else { return Err(refused()) };
        for entry in entries {
            let Value::Str(entry) = entry else { return Err(refused()) };
            warnings.extend(repository.search_path.push_entry(provider, entry, &self.cwd, &self.packages)?);
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

/// A list of overrides in the `hydra` node, as they were typed.
fn recorded_lines(
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

/// Merges one config of the defaults list at its package.
fn merge_config(
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

fn apply_override(
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
                ErrorKind::KeyNotInStruct | ErrorKind::HydraSchema
                    if error.hint().is_none() || error.kind() == ErrorKind::KeyNotInStruct =>
                {
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
        let message = "expected plain values in extend_list";
        return Err(within(ConfigError::new(ErrorKind::UnsupportedValue, message)));
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

fn check_texts(value: &Value) -> Result<(), ConfigError> {
    match value {
        Value::Str(text) => check(text),
        Value::List(items) => items.iter().try_for_each(check_texts),
        Value::Map(map) => map.values().try_for_each(check_texts),
        _ => Ok(()),
    }
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
        let as_value = |option: &Option<String>| option.clone().map_or(Value::Null, Value::Str);
        let choices: Map =
            self.choices.iter().map(|(group, option)| (Key::Str(group.clone()), as_value(option))).collect();
        let source = |(path, schema, provider): (String, String, String)| {
            let entries = [("path", path), ("schema", schema), ("provider", provider)];
            Value::Map(entries.map(|(key, text)| (Key::from(key), Value::Str(text))).into_iter().collect())
        };
        let sources = Value::List(search_path.described(&self.composer.cwd).into_iter().map(source).collect());
        let copied = self.copied_env(tree, root, surroundings)?;
        let dirname = self.override_dirname(tree, root, surroundings)?;
        let needs_name = lookup_value(tree, root, "hydra.job.name", surroundings)?.is_none();
        let config_name = self.config_name.map_or(Value::Null, Value::from);
        if tree.descend(root, &["hydra", "runtime", "choices"]).is_some_and(|id| tree.is_interpolation(id)) {
            let message = "hydra.runtime.choices: expected a map of its own, got an interpolation";
            return Err(ConfigError::new(ErrorKind::Unsupported, message));
        }
        self.append_overrides(tree, root, surroundings)?;
        let mut entries = vec![
            ("hydra.runtime.choices", Value::Map(choices)),
            ("hydra.runtime.version", Value::from(HYDRA_VERSION)),
            ("hydra.runtime.version_base", Value::Str(self.composer.version_base.to_string())),
            ("hydra.runtime.cwd", Value::Str(self.composer.cwd.display().to_string())),
            ("hydra.runtime.config_sources", sources),
            ("hydra.job.override_dirname", Value::Str(dirname.clone())),
            ("hydra.job.config_name", config_name),
        ];
        set_copied(tree, root, copied, surroundings)?;
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
        if let Some(Value::List(names)) = lookup_value(tree, root, "hydra.job.env_copy", surroundings)? {
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
