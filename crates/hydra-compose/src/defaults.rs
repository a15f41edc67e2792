//! Defaults lists to the list of configs to merge: Hydra's defaults tree.
//!
//! The tree is walked depth first. Entries of one list are expanded from the last to the first, so that what a later
//! entry overrides is known when an earlier one is expanded; interpolated entries come after all others of their
//! list. The result lists the configs in merge order, each with the package it lands in.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::defaults_entry::{Choice, Entry, Kind};
use super::error::{ConfigError, ErrorKind, did_you_mean, joined, listed, nearest};
use super::interpolation::{Computed, Resolver, Surroundings};
use super::limits::{MAX_CONFIGS, MAX_DEFAULTS_DEPTH};
use super::origin::{Origin, Trace};
use super::overrides::Override;
use super::selections::Selections;
use super::source::Repository;
use super::tree::{Content, NodeId, Tree};
use super::value::{Key, Map, Value};
use super::yaml::Data;

/// A config to merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultsListEntry {
    /// The config, e.g. `trainer/fast`.
    pub config_path: String,
    /// Where it lands, e.g. `trainer`; empty for the top.
    pub package: String,
    /// The config whose defaults list names it.
    pub parent: Option<String>,
    /// Whether this is the body of a config that has a defaults list.
    pub is_self: bool,
    pub(super) primary: bool,
    override_key: Option<String>,
    origin: Origin,
}

/// A node of the defaults tree, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultsTreeNode {
    /// `group: option`, a config path, or `_self_`.
    pub label: String,
    /// What its defaults list names, in order.
    pub children: Vec<DefaultsTreeNode>,
}

/// What the defaults lists come to.
#[derive(Debug)]
pub(super) struct DefaultsList<'a> {
    pub(super) entries: Vec<DefaultsListEntry>,
    pub(super) tree: DefaultsTreeNode,
    pub(super) config_overrides: Vec<&'a Override>,
    /// Groups and the options that were chosen, in the order in which they became known.
    pub(super) choices: IndexMap<String, Option<String>>,
    pub(super) warnings: Vec<String>,
}

/// The config that stands for no config name.
pub(super) const EMPTY_CONFIG: &str = "_dummy_empty_config_";

/// The key that an interpolation of a defaults list hangs at while it is resolved.
const HOLDER: &str = "_dummy_";

/// Whether a group without an option is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingOptions {
    Refused,
    /// A sweep will choose them.
    Skipped,
}

/// Builds the defaults list of a primary config under the overrides of the command line.
pub(super) fn defaults_list<'a>(
    repository: &mut Repository,
    config_name: Option<&str>,
    overrides: &'a [Override],
    missing: MissingOptions,
    surroundings: &Surroundings<'_>,
) -> Result<DefaultsList<'a>, ConfigError> {
    let (selections, config_overrides) = Selections::new(repository, overrides)?;
    let mut builder = Builder {
        repository,
        selections,
        missing,
        surroundings,
        open: Vec::new(),
        configs: 0,
        known: Tree::default(),
        warnings: Vec::new(),
    };
    let mut primary = Entry::config(config_name.unwrap_or(EMPTY_CONFIG), None)?;
    primary.primary = true;
    let hydra = Entry::config("hydra/config", None)?;
    // The primary config is expanded first; Hydra's own comes first in the result.
    let primary = builder.expand(primary, true, false)?;
    let hydra = builder.expand(hydra, false, false)?;
    let roots = [hydra, primary];
    let mut entries = Vec::new();
    for root in &roots {
        collect(root, None, &mut entries);
    }
    refuse_duplicates(&entries)?;
    builder.selections.refuse_unused()?;
    let children = roots.iter().filter(|root| root.entry.config_path() != EMPTY_CONFIG).map(display).collect();
    let tree = DefaultsTreeNode { label: "<root>".to_owned(), children };
    let (choices, warnings) = (builder.selections.known_choices, builder.warnings);
    Ok(DefaultsList { entries, tree, config_overrides, choices, warnings })
}

/// An entry with what its config lists; `None` where it lists nothing.
#[derive(Debug)]
struct Expanded {
    entry: Entry,
    children: Option<Vec<Expanded>>,
}

// Expansion.

struct Builder<'a> {
    repository: &'a mut Repository,
    selections: Selections,
    missing: MissingOptions,
    surroundings: &'a Surroundings<'a>,
    /// The configs whose defaults lists are being expanded, outermost first, and where each is named.
    open: Vec<(String, Origin)>,
    configs: usize,
    /// What interpolations of the defaults lists can name, list by list; one tree, so that one limit holds for all.
    known: Tree,
    warnings: Vec<String>,
}

impl Builder<'_> {
    fn expand(&mut self, mut entry: Entry, is_primary: bool, interpolated: bool) -> Result<Expanded, ConfigError> {
        self.configs += 1;
        entry.understand(self.repository.search_path.base());
        if self.open.len() > MAX_DEFAULTS_DEPTH || self.configs > MAX_CONFIGS {
            return Err(self.endless(&entry));
        }
        let leaf = |entry| Ok(Expanded { entry, children: None });
        if is_primary && !self.is_config(&entry.config_path()) {
            return Err(self.not_found(&entry));
        }
        if !entry.config_path().ends_with("???") {
            self.apply_header(&mut entry)?;
        }
        if self.selections.delete(&entry) {
            entry.deleted = true;
            return leaf(entry);
        }
        self.selections.note_choice(&entry)?;
        if matches!(&entry.kind, Kind::Group { choice: Choice::None, .. }) {
            return leaf(entry);
        }
        if entry.config_path().ends_with("???") {
            return match self.missing {
                MissingOptions::Skipped => leaf(entry),
                MissingOptions::Refused => Err(self.must_specify(&entry)),
            };
        }
        let path = entry.config_path();
        let Some((mut defaults, has_content)) = self.load(&path)? else {
            if entry.optional {
                entry.deleted = true;
                return leaf(entry);
            }
            return Err(self.not_found(&entry));
        };
        let mut self_added = false;
        if !defaults.is_empty() || (is_primary && !self.selections.appended.is_empty()) {
            self_added = self.complete_self(&entry, &mut defaults, has_content)?;
        }
        if is_primary {
            defaults.extend(self.selections.appended.iter().cloned());
        }
        self.register_overrides(&mut defaults, &entry, interpolated)?;
        self.open.push((path, entry.blame().clone()));
        let children = self.expand_list(defaults, &entry, self_added, interpolated)?;
        self.open.pop();
        Ok(Expanded { entry, children: (!children.is_empty()).then_some(children) })
    }

    /// The defaults lists go on and on: in a circle, or only further than allowed.
    fn endless(&self, entry: &Entry) -> ConfigError {
        let path = entry.config_path();
        let open =
            self.open.iter().map(|(path, origin)| (path.as_str(), origin)).chain([(path.as_str(), entry.blame())]);
        let open: Vec<(&str, &Origin)> = open.collect();
        let is_open_twice = |at: &usize| open[at + 1..].iter().position(|(path, _)| *path == open[*at].0);
        let Some((from, length)) = (0..open.len()).find_map(|at| Some((at, is_open_twice(&at)? + 1))) else {
            let message = format!(
                "expected at most {MAX_CONFIGS} configs in at most {MAX_DEFAULTS_DEPTH} levels of defaults lists, got \
                 more, at {path:?}"
            );
            return ConfigError::new(ErrorKind::Limit, message).blamed_on(entry.blame());
        };
        let mut circle = open[from].0.to_owned();
        for (path, origin) in &open[from + 1..=from + length] {
            circle.push_str(&format!(" -> {path} ({origin})"));
        }
        let message = format!("the defaults lists include one another in a circle: {circle}");
        let hint = "take one of these entries out of its list".to_owned();
        ConfigError::new(ErrorKind::DefaultsCycle, message).blamed_on(open[from + length].1).with_hint(Some(hint))
    }

    fn is_config(&self, path: &str) -> bool {
        path == EMPTY_CONFIG || self.repository.search_path.is_config(path)
    }

    fn apply_header(&mut self, entry: &mut Entry) -> Result<(), ConfigError> {
        let path = entry.config_path();
        if path == EMPTY_CONFIG || matches!(&entry.kind, Kind::Group { choice: Choice::None | Choice::Many(_), .. }) {
            return Ok(());
        }
        if let Some(loaded) = self.repository.load(&path)?
            && let Some(header) = &loaded.package
        {
            entry.set_package_header(header);
        }
        Ok(())
    }

    /// The defaults list of a config, and whether the config has a body besides.
    fn load(&mut self, path: &str) -> Result<Option<(Vec<Entry>, bool)>, ConfigError> {
        if path == EMPTY_CONFIG {
            return Ok(Some((Vec::new(), false)));
        }
        let Some(loaded) = self.repository.load(path)? else { return Ok(None) };
        let defaults = loaded.defaults.clone()?;
        let is_missing = |data: &Data| matches!(data, Data::Scalar(value) if value.is_missing());
        let has_content =
            matches!(&loaded.body.data, Data::Map(map) if map.values().any(|value| !is_missing(&value.data)));
        Ok(Some((defaults, has_content)))
    }

    /// Appends `_self_` where a list does not place it; whether it did, or had to be.
    fn complete_self(
        &mut self,
        entry: &Entry,
        defaults: &mut Vec<Entry>,
        has_content: bool,
    ) -> Result<bool, ConfigError> {
        let has_self = match defaults.iter().filter(|entry| entry.is_self()).count() {
            0 => false,
            1 => true,
            _ => {
                let message = format!("_self_ stands twice in the defaults list of {:?}", entry.config_path());
                let second = defaults.iter().filter(|entry| entry.is_self()).nth(1).expect("there are two");
                let hint = "keep the one that stands where the config's own keys are to be merged".to_owned();
                let error = ConfigError::new(ErrorKind::DefaultsSelfTwice, message).with_hint(Some(hint));
                return Err(error.blamed_on(&second.origin));
            }
        };
        let has_plain = defaults.iter().any(|entry| !entry.is_override());
        if (!has_self && has_plain) || defaults.is_empty() {
            if entry.primary && has_content && has_plain {
                self.warnings.push(format!(
                    "In '{}': Defaults list is missing `_self_`. \
                     See https://hydra.cc/docs/1.2/upgrades/1.0_to_1.1/default_composition_order for more information",
                    entry.config_path()
                ));
            }
            defaults.push(Entry::self_entry());
        }
        Ok(!has_self)
    }

    fn register_overrides(
        &mut self,
        defaults: &mut [Entry],
        parent: &Entry,
        interpolated: bool,
    ) -> Result<(), ConfigError> {
        let (group, package) = (parent.group_path(), parent.final_package());
        let base = self.repository.search_path.base();
        let mut last_override: Option<String> = None;
        for entry in defaults.iter_mut().filter(|entry| !entry.is_self()) {
            entry.understand(base);
            entry.set_parent(&group, &package);
            let by_its_name = entry.override_hydra(base);
            if !entry.is_override() {
                if let (Some(before), false) = (&last_override, entry.is_external_append()) {
                    let message = format!(
                        "{:?} stands behind 'override {before}': overrides must be at the end of the defaults list",
                        entry.override_key(),
                    );
                    let hint = "move the entries with `override` below the others".to_owned();
                    let error = ConfigError::new(ErrorKind::DefaultsOverrideNotLast, message).with_hint(Some(hint));
                    return Err(error.blamed_on(&entry.origin));
                }
                continue;
            }
            let key = entry.override_key();
            if interpolated {
                let message = format!(
                    "'override {key}' is not allowed below a config group whose option is an interpolation, here {:?}",
                    parent.config_path()
                );
                let hint = "put the override into the primary config".to_owned();
                let error = ConfigError::new(ErrorKind::DefaultsOverrideNotLast, message).with_hint(Some(hint));
                return Err(error.blamed_on(&entry.origin));
            }
            self.selections.add_override(entry);
            if !by_its_name {
                last_override = Some(key);
            }
        }
        Ok(())
    }

    fn expand_list(
        &mut self,
        defaults: Vec<Entry>,
        parent: &Entry,
        self_added: bool,
        interpolated: bool,
    ) -> Result<Vec<Expanded>, ConfigError> {
        let (group, package) = (parent.group_path(), parent.final_package());
        let mut children = Vec::new();
        let mut listed = Vec::with_capacity(defaults.len());
        for mut entry in defaults.into_iter().rev() {
            if entry.is_self() && entry.is_group() {
                let message = format!("_self_ is no option of {:?}", entry.override_key());
                let hint = "list `_self_` as an entry of its own: `- _self_`".to_owned();
                let error = ConfigError::new(ErrorKind::Unsupported, message).with_hint(Some(hint));
                return Err(error.blamed_on(entry.blame()));
            }
            if entry.is_self() {
                entry.stand_beside(parent);
                listed.push(entry.clone());
                children.push(Expanded { entry, children: None });
                continue;
            }
            if entry.is_override() {
                listed.push(entry);
                continue;
            }
            self.selections.apply(&mut entry)?;
            listed.push(entry.clone());
            if let Kind::Group { group: own_group, choice: Choice::Many(options), .. } = &entry.kind {
                for option in options.iter().rev() {
                    if Value::is_interpolation_text(option) {
                        let message = format!("expected no interpolation in a list of options, got {option:?}");
                        let hint = Some(format!("list it as an entry of its own: `- {own_group}: {option}`"));
                        let error = ConfigError::new(ErrorKind::DefaultsInterpolation, message).with_hint(hint);
                        return Err(error.blamed_on(entry.blame()));
                    }
                    let mut item =
                        Entry::config(&format!("{own_group}/{option}"), entry.own_package().map(str::to_owned))?;
                    item.optional = entry.optional;
                    item.origin = entry.blame().clone();
                    item.understand(self.repository.search_path.base());
                    item.set_parent(&group, &package);
                    children.push(self.expand(item, false, interpolated)?);
                }
            } else if entry.interpolation().is_some() {
                children.push(Expanded { entry, children: None });
            } else {
                children.push(self.expand(entry, false, interpolated)?);
            }
        }
        listed.reverse();
        // Made for the first interpolation: to list all choices for every list would take quadratic time.
        let mut known = None;
        for child in &mut children {
            if child.children.is_some() || child.entry.is_self() {
                continue;
            }
            let Some(text) = child.entry.interpolation() else { continue };
            let known = match known {
                Some(known) => known,
                None => {
                    let values = self.known_values(&listed, self_added);
                    *known.insert(self.known.import_value(&values, &Trace::hydra())?)
                }
            };
            let resolved = self.resolve(&text, known).map_err(|error| error.blamed_on(child.entry.blame()))?;
            let mut entry = child.entry.clone();
            entry.set_resolved(resolved);
            *child = self.expand(entry, false, true)?;
        }
        children.reverse();
        Ok(children)
    }

    /// What interpolations of a defaults list can name: the choices made so far, and the list itself.
    fn known_values(&self, listed: &[Entry], self_added: bool) -> Value {
        let as_value = |name: &Option<String>| name.clone().map_or(Value::Null, Value::Str);
        let mut known: Map =
            self.selections.known_choices.iter().map(|(key, name)| (Key::Str(key.clone()), as_value(name))).collect();
        let listed = listed.iter().filter(|entry| !(self_added && entry.is_self())).map(|entry| match &entry.kind {
            Kind::Config { .. } => Value::Str(entry.config_path()),
            Kind::Group { choice, .. } => {
                let choice = match choice {
                    Choice::None => Value::Null,
                    Choice::One(name) => Value::Str(name.clone()),
                    Choice::Many(names) => Value::List(names.iter().cloned().map(Value::Str).collect()),
                };
                Value::Map(Map::from([(Key::Str(entry.override_key()), choice)]))
            }
        });
        known.insert(Key::from("defaults"), Value::List(listed.collect()));
        Value::Map(known)
    }

    /// Resolves an entry's interpolation.
    fn resolve(&mut self, text: &str, known: NodeId) -> Result<String, ConfigError> {
        if is_legacy_interpolation(text) && !self.repository.search_path.base().is_legacy() {
            let message = format!("{text:?} is a form of interpolation that defaults lists no longer have");
            let group = text.trim_end_matches('}').rsplit('.').next().unwrap_or_default();
            let hint = Some(format!("a group is named at once: `${{{group}}}`"));
            return Err(ConfigError::new(ErrorKind::DefaultsInterpolation, message).with_hint(hint));
        }
        let tree = &mut self.known;
        let node = tree.add(Content::Scalar(Value::from(text)), Trace::hydra())?;
        // The text hangs one level below the choices, as in a config of its own.
        let holder = tree.add_map(Trace::hydra())?;
        tree.hang(holder, known);
        tree.put(holder, Key::from(HOLDER), node);
        let mut resolver = Resolver::new(tree, self.surroundings);
        let resolved = resolver.deref(node).and_then(|computed| match computed {
            Computed::Value(value) => Ok(value),
            Computed::Node(id) => resolver.resolved(id),
        });
        match resolved {
            Ok(Value::Str(text)) if text == super::value::MISSING => {
                let message = format!("{text:?} has no value yet: expected the name of an option");
                Err(ConfigError::new(ErrorKind::DefaultsInterpolation, message))
            }
            Ok(Value::Str(text)) => Ok(text),
            Ok(other) => {
                let message = format!("{text:?}: expected the name of an option, got {}", other.type_name());
                let hint = Some("a group's name gives the option that is chosen: `${group}`".to_owned());
                Err(ConfigError::new(ErrorKind::Unsupported, message).with_hint(hint))
            }
            Err(error) => {
                let known: Vec<&str> = self.selections.known_choices.keys().map(String::as_str).collect();
                // Where the text hangs is no key of the user's, and there is no run to resolve in.
                let why = error.message();
                let why = why.strip_prefix(&format!("{HOLDER}: {text}: ")).unwrap_or(why);
                let message = format!("cannot resolve {text:?} in a defaults list: {why}");
                let own = error.hint().filter(|_| error.kind() != ErrorKind::HydraConfigUnset);
                let hint = joined(own, listed("the groups that are chosen at this point", &known));
                Err(ConfigError::new(ErrorKind::DefaultsInterpolation, message).with_hint(hint))
            }
        }
    }

    fn must_specify(&self, entry: &Entry) -> ConfigError {
        if !entry.is_group() {
            let error =
                ConfigError::new(ErrorKind::DefaultsShape, format!("{:?} names no config", entry.config_path()));
            return error.blamed_on(entry.blame());
        }
        let (key, group) = (entry.override_key(), entry.group_path());
        let options = self.repository.search_path.options(&group);
        let message = format!("the group {key:?} needs an option, and none is chosen");
        let choose = options.first().map(|option| format!("choose one, e.g. `{key}={option}`"));
        let hint = joined(choose, listed(&format!("the options of {group:?}"), &options));
        ConfigError::new(ErrorKind::DefaultsMustSpecify, message).blamed_on(entry.blame()).with_hint(hint)
    }

    fn not_found(&self, entry: &Entry) -> ConfigError {
        let path = entry.config_path();
        let search_path = &self.repository.search_path;
        let (group, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let options = search_path.options(group);
        let (kind, message) = if entry.primary {
            (ErrorKind::PrimaryConfigMissing, format!("could not find the primary config {path:?}"))
        } else {
            let message = match (group, options.is_empty()) {
                ("", _) => format!("could not find the config {path:?}"),
                (_, false) => format!("could not find the option {name:?} of the group {group:?}"),
                (_, true) => format!("could not find the config {path:?}: there is no group {group:?}"),
            };
            (ErrorKind::ConfigMissing, message)
        };
        let hint = self.not_found_hint(entry, group, name, &options);
        ConfigError::new(kind, message).blamed_on(entry.blame()).with_hint(hint)
    }

    fn not_found_hint(&self, entry: &Entry, group: &str, name: &str, options: &[String]) -> Option<String> {
        let search_path = &self.repository.search_path;
        if let Some(ignored) = search_path.with_other_ending(&entry.config_path()) {
            let path = entry.config_path();
            return Some(format!("there is {ignored}, but only .yaml files are configs: rename it to {path}.yaml"));
        }
        if entry.stray_word.is_some() {
            return entry.stray_word_hint();
        }
        if let Some(kept) = entry.group_path().rsplit('/').next().and_then(|group| group.strip_prefix('~')) {
            return Some(format!(
                "`~` deletes on the command line only: leave the entry out, or write `override /{kept}: null` where another \
                 list has it"
            ));
        }
        if !entry.is_group() && nearest(name, ["_self_"]).is_some() {
            return Some(did_you_mean("_self_"));
        }
        if let Some(absolute) = entry.absolute() {
            let (path, typed) = absolute;
            if search_path.is_config(&path) {
                return Some(format!(
                    "groups are relative to the folder of the config that lists them; {}",
                    did_you_mean(typed)
                ));
            }
        }
        if options.is_empty() {
            let groups = search_path.own_groups();
            let near = nearest(group, groups.iter().map(String::as_str));
            let near = near.map(|near| did_you_mean(entry.in_group(near)));
            return joined(near, listed("the groups", &groups));
        }
        let near =
            nearest(name, options.iter().map(String::as_str)).map(|option| did_you_mean(entry.with_option(option)));
        let names = match (group, entry.primary) {
            ("", true) => "the configs".to_owned(),
            ("", false) => "the configs beside it".to_owned(),
            _ => format!("the options of {group:?}"),
        };
        joined(near, listed(&names, options))
    }
}

/// `${defaults.N.…}` at the start: a form that Hydra 1.1 gave up.
fn is_legacy_interpolation(text: &str) -> bool {
    text.strip_prefix("${defaults.").is_some_and(|rest| {
        let mut chars = rest.chars();
        chars.next().is_some_and(|ch| ch.is_ascii_digit()) && chars.next() == Some('.')
    })
}

// From the tree to the list.

fn collect(node: &Expanded, parent: Option<(&Entry, Option<&Entry>)>, entries: &mut Vec<DefaultsListEntry>) {
    if let Some(children) = &node.children {
        for child in children {
            collect(child, Some((&node.entry, parent.map(|(entry, _)| entry))), entries);
        }
        return;
    }
    let entry = &node.entry;
    if entry.deleted || entry.name().is_none_or(|name| name == "???") {
        return;
    }
    let listed = match parent {
        Some((config, grandparent)) if entry.is_self() => DefaultsListEntry {
            config_path: config.config_path(),
            package: config.final_package(),
            parent: Some(grandparent.map_or_else(|| "<root>".to_owned(), Entry::config_path)),
            is_self: true,
            primary: config.primary,
            override_key: None,
            origin: entry.origin.clone(),
        },
        _ => DefaultsListEntry {
            config_path: entry.config_path(),
            package: entry.final_package(),
            parent: Some(parent.map_or_else(|| "<root>".to_owned(), |(config, _)| config.config_path())),
            is_self: false,
            primary: entry.primary,
            override_key: entry.is_group().then(|| entry.override_key()),
            origin: entry.origin.clone(),
        },
    };
    if listed.config_path != EMPTY_CONFIG {
        entries.push(listed);
    }
}

fn refuse_duplicates(entries: &[DefaultsListEntry]) -> Result<(), ConfigError> {
    let mut seen = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.is_self) {
        let Some(key) = &entry.override_key else { continue };
        if let Some(first) = seen.insert(key, &entry.origin) {
            let message = format!("the group {key:?} appears more than once in the defaults lists, first at {first}");
            let hint = match &entry.origin {
                Origin::Override(text) if text.starts_with('+') => {
                    format!("it is there already: change it with `{}`", text.trim_start_matches('+'))
                }
                _ => format!("keep one of them, or write `override /{key}: …` to change the option"),
            };
            let error = ConfigError::new(ErrorKind::DefaultsDuplicate, message).with_hint(Some(hint));
            return Err(error.blamed_on(&entry.origin));
        }
    }
    Ok(())
}

fn display(node: &Expanded) -> DefaultsTreeNode {
    let label = match &node.entry.kind {
        Kind::Group { .. } => format!("{}: {}", node.entry.override_key(), node.entry.name().unwrap_or("null")),
        Kind::Config { .. } => node.entry.config_path(),
    };
    DefaultsTreeNode { label, children: node.children.iter().flatten().map(display).collect() }
}
