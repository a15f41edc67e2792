//! What the command line and `override` entries choose for the groups of defaults lists.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::defaults_entry::{Choice, Entry, Kind};
use super::error::{ConfigError, ErrorKind, nearest};
use super::overrides::{Action, Element, Override};
use super::python;
use super::source::{Repository, SearchPath};
use super::value::Value;

/// The selections, and the choices that became known while expanding.
#[derive(Debug)]
pub(super) struct Selections {
    choices: IndexMap<String, Selected>,
    /// Entries that `+group=option` adds to the primary config.
    pub(super) appended: Vec<Entry>,
    deletions: IndexMap<String, Deletion>,
    /// Groups and their options, in the order in which they became known.
    pub(super) known_choices: IndexMap<String, Option<String>>,
    known_keys_of_group: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug)]
struct Selected {
    choice: Choice,
    /// The config whose defaults list overrides; `None` for the command line.
    config: Option<String>,
    /// Why the choice cannot be made, if it cannot: known at once, but it matters only to an entry.
    refused: Option<ConfigError>,
    used: bool,
}

#[derive(Debug)]
struct Deletion {
    option: Option<String>,
    used: bool,
}

impl Selections {
    /// Splits overrides into selections of groups and changes of values.
    pub(super) fn new<'a>(
        repository: &Repository,
        overrides: &'a [Override],
    ) -> Result<(Self, Vec<&'a Override>), ConfigError> {
        let mut selections = Self {
            choices: IndexMap::new(),
            appended: Vec::new(),
            deletions: IndexMap::new(),
            known_choices: IndexMap::new(),
            known_keys_of_group: BTreeMap::new(),
        };
        let mut config_overrides = Vec::new();
        for item in overrides.iter().filter(|item| !item.is_sweep()) {
            let is_dict = matches!(item.value, Some(Element::Dict(_)));
            if is_dict || !repository.search_path.is_group(&item.key) {
                config_overrides.push(item);
            } else {
                selections.select(item)?;
            }
        }
        Ok((selections, config_overrides))
    }

    fn select(&mut self, item: &Override) -> Result<(), ConfigError> {
        let refused =
            |kind, message: &str| Err(ConfigError::new(kind, format!("override {:?}: {message}", item.input)));
        let value = item.value.as_ref().and_then(Element::to_value);
        match item.action {
            Action::ForceAdd => refused(ErrorKind::ForceAddGroup, "a config group cannot be added with ++"),
            Action::Delete => {
                let option = match value {
                    None | Some(Value::Null) => None,
                    Some(Value::Str(option)) => Some(option),
                    Some(_) => return refused(ErrorKind::GroupValueType, "expected the name of an option to delete"),
                };
                self.deletions.insert(item.key_with_package(), Deletion { option, used: false });
                Ok(())
            }
            Action::Add | Action::Change => {
                let choice = match &value {
                    Some(Value::Str(option)) => Choice::One(option.clone()),
                    Some(Value::List(options)) => Choice::Many(options.iter().map(python::str).collect()),
                    other => {
                        let got = other.as_ref().map_or("a sweep or extend_list", Value::type_name);
                        let message = format!("a config group takes a text or a list, got {got}");
                        return refused(ErrorKind::GroupValueType, &message);
                    }
                };
                let holds_others = matches!(&value, Some(Value::List(options)) if options.iter().any(|option| option.as_str().is_none()));
                let refusal = holds_others.then(|| {
                    let message = format!("override {:?}: the options of a group must be texts", item.input);
                    ConfigError::new(ErrorKind::Unsupported, message)
                });
                if item.action == Action::Add {
                    if let Some(refusal) = refusal {
                        return Err(refusal);
                    }
                    let mut entry = Entry::group(&item.key, choice, item.package.clone());
                    if let Kind::Group { is_external_append, .. } = &mut entry.kind {
                        *is_external_append = true;
                    }
                    self.appended.push(entry);
                } else {
                    let selected = Selected { choice, config: None, refused: refusal, used: false };
                    self.choices.insert(item.key_with_package(), selected);
                }
                Ok(())
            }
        }
    }

    /// Registers an `override` entry; the first registration of a key stays.
    pub(super) fn add_override(&mut self, config: &str, entry: &Entry) {
        let Kind::Group { choice, .. } = &entry.kind else { return };
        let selected = Selected { choice: choice.clone(), config: Some(config.to_owned()), refused: None, used: false };
        self.choices.entry(entry.override_key()).or_insert(selected);
    }

    /// Puts the selected option into an entry, if one was selected.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a list of options with something else than texts in it.
    pub(super) fn apply(&mut self, entry: &mut Entry) -> Result<(), ConfigError> {
        let key = entry.override_key();
        if let (Kind::Group { choice, .. }, Some(selected)) = (&mut entry.kind, self.choices.get_mut(&key)) {
            if let Some(refused) = &selected.refused {
                return Err(refused.clone());
            }
            *choice = selected.choice.clone();
            selected.used = true;
        }
        Ok(())
    }

    /// Whether the command line deletes the entry; takes note of it.
    pub(super) fn delete(&mut self, entry: &Entry) -> bool {
        if !entry.is_group() {
            return false;
        }
        let Some(deletion) = self.deletions.get_mut(&entry.override_key()) else { return false };
        let matches = deletion.option.is_none() || deletion.option.as_deref() == entry.name();
        deletion.used |= matches;
        matches
    }

    /// Records the option of an entry.
    ///
    /// # Errors
    /// [`ErrorKind::DefaultsMultipleValues`] where the group already has another option.
    pub(super) fn note_choice(&mut self, entry: &Entry) -> Result<(), ConfigError> {
        if !entry.is_group() {
            return Ok(());
        }
        let key = entry.override_key();
        let name = entry.name().map(str::to_owned);
        match self.known_choices.get(&key) {
            None => {
                self.known_choices.insert(key.clone(), name);
            }
            Some(known) if *known != name => {
                let known = known.as_deref().unwrap_or("null");
                let message = format!("multiple values for {key:?}; to override a value use 'override {key}: {known}'");
                return Err(ConfigError::new(ErrorKind::DefaultsMultipleValues, message));
            }
            Some(_) => {}
        }
        self.known_keys_of_group.entry(entry.group_path()).or_default().insert(key);
        Ok(())
    }

    /// Refuses selections and deletions that met no entry.
    ///
    /// # Errors
    /// [`ErrorKind::DefaultsOverrideNoMatch`], [`ErrorKind::DefaultsDeleteNoMatch`].
    pub(super) fn refuse_unused(&self, search_path: &SearchPath) -> Result<(), ConfigError> {
        if let Some((key, selected)) = self.choices.iter().find(|(_, selected)| !selected.used) {
            let group = key.split('@').next().unwrap_or(key);
            let known: Vec<&str> =
                self.known_keys_of_group.get(group).into_iter().flatten().map(String::as_str).collect();
            let place = selected.config.as_ref().map(|config| format!("in {config:?}: ")).unwrap_or_default();
            let message = match known.as_slice() {
                [] => format!("{place}could not override {key:?}: no match in the defaults list"),
                known => format!("{place}could not override {key:?}: the defaults list has {}", known.join(", ")),
            };
            let hint = match known.as_slice() {
                [] if selected.config.is_none() => {
                    let option = match &selected.choice {
                        Choice::One(option) => option.clone(),
                        Choice::Many(options) => format!("[{}]", options.join(",")),
                        Choice::None => "null".to_owned(),
                    };
                    Some(format!("+{key}={option}"))
                }
                [] => nearest(group, search_path.groups().iter().map(String::as_str)).map(str::to_owned),
                known => Some(known.join(", ")),
            };
            return Err(ConfigError::new(ErrorKind::DefaultsOverrideNoMatch, message).with_hint(hint));
        }
        if let Some((key, deletion)) = self.deletions.iter().find(|(_, deletion)| !deletion.used) {
            let shown = deletion.option.as_ref().map_or_else(|| key.clone(), |option| format!("{key}={option}"));
            let message = format!("could not delete {shown:?}: no match in the defaults list");
            let hint = nearest(key, self.known_choices.keys().map(String::as_str)).map(str::to_owned);
            return Err(ConfigError::new(ErrorKind::DefaultsDeleteNoMatch, message).with_hint(hint));
        }
        Ok(())
    }
}
