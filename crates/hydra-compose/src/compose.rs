//! Overrides and a search path to a composed [`Config`].
//!
//! The steps are Hydra's: parse the overrides, extend the search path, build the defaults list, merge its configs,
//! close the result against unknown keys, apply the overrides, record the run in the `hydra` node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::apply::apply_override;
use super::composed::{self, Config};
use super::custom::CustomResolvers;
use super::defaults::{MissingOptions, defaults_list};
use super::env::Variables;
use super::error::{ConfigError, ErrorKind, Location};
use super::interpolation::Surroundings;
use super::layer::merge_config;
use super::merge::Merger;
use super::origin::{Origin, Trace};
use super::overrides::{self, Element, Override};
use super::record::{Record, recorded_lines};
use super::source::{Repository, SearchPath};
use super::sweep::{Sweep, refuse_sweeps};
use super::tree::{NodeId, Tree};
use super::value::Value;
use super::version_base::VersionBase;
use super::yaml::{Data, place};

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
        let record = Record {
            job_name: &self.job_name,
            cwd: &self.cwd,
            version_base: self.version_base,
            config_name,
            hydra_overrides,
            task_overrides,
            choices: &choices,
        };
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
            Some(key) => (Merger { tree, surroundings }).lookup_resolved(root, key)?,
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
            in_config = (Merger { tree: &mut tree, surroundings }).lookup_resolved(root, "hydra.searchpath")?;
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
