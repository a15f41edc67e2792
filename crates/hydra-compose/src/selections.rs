//! What the command line and `override` entries choose for the groups of defaults lists.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::defaults_entry::{Choice, Entry, Kind};
use super::error::{ConfigError, ErrorKind, did_you_mean, joined, listed, nearest};
use super::origin::Origin;
use super::overrides::{Action, Element, Override};
use super::python;
use super::source::Repository;
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
    /// Where the options were chosen that [`known_choices`](Self::known_choices) has.
    chosen_at: BTreeMap<String, ChosenAt>,
}

/// The entry that settled a group's option.
#[derive(Debug)]
struct ChosenAt {
    origin: Origin,
    stray_word_hint: Option<String>,
}

#[derive(Debug)]
struct Selected {
    choice: Choice,
    /// The `override` entry, or the override of the command line.
    origin: Origin,
    /// Why the choice cannot be made, if it cannot: known at once, but it matters only to an entry.
    refused: Option<ConfigError>,
    used: bool,
}

#[derive(Debug)]
struct Deletion {
    option: Option<String>,
    /// The override as it was typed.
    input: String,
    used: bool,
}

/// Whether one entry stands behind the other: further down in the same file, or on the command line.
fn is_written_after(a: &Origin, b: &Origin) -> bool {
    match (a, b) {
        (Origin::File(a), Origin::File(b)) => a.file == b.file && (a.line, a.column) > (b.line, b.column),
        (Origin::Override(_), Origin::File(_)) => true,
        _ => false,
    }
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
            chosen_at: BTreeMap::new(),
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
        let refused = |kind, message: &str, hint: &str| {
            let message = format!("override {:?}: {message}", item.input);
            Err(ConfigError::new(kind, message).with_hint(Some(hint.to_owned())))
        };
        let key = item.key_with_package();
        let origin = Origin::Override(item.input.clone());
        let value = item.value.as_ref().and_then(Element::to_value);
        match item.action {
            Action::ForceAdd => {
                let shown = value.as_ref().map_or_else(|| "option".to_owned(), ToString::to_string);
                let hint = format!("`{key}={shown}` changes a group of the defaults list, `+{key}={shown}` adds one");
                refused(ErrorKind::ForceAddGroup, "a config group cannot be added with ++", &hint)
            }
            Action::Delete => {
                let option = match value {
                    None | Some(Value::Null) => None,
                    Some(Value::Str(option)) => Some(option),
                    Some(other) => {
                        let message = format!("expected the name of an option to delete, got {}", other.type_name());
                        return refused(ErrorKind::GroupValueType, &message, &format!("`~{key}` deletes any option"));
                    }
                };
                self.deletions
                    .insert(item.key_with_package(), Deletion { option, input: item.input.clone(), used: false });
                Ok(())
            }
            Action::Add | Action::Change => {
                let choice = match &value {
                    Some(Value::Str(option)) => Choice::One(option.clone()),
                    Some(Value::List(options)) => Choice::Many(options.iter().map(python::str).collect()),
                    other => {
                        let got = other.as_ref().map_or("a sweep or extend_list", Value::type_name);
                        let message = format!("{key:?} is a config group and takes the name of an option, got {got}");
                        let hint = match other {
                            Some(Value::Null) => format!("`~{key}` takes the group out of the defaults list"),
                            Some(other) => format!("quote it, if that is the option's name: `{key}='{other}'`"),
                            None => format!("name an option: `{key}=option`"),
                        };
                        return refused(ErrorKind::GroupValueType, &message, &hint);
                    }
                };
                let other = match &value {
                    Some(Value::List(options)) => options.iter().find(|option| option.as_str().is_none()),
                    _ => None,
                };
                let refusal = other.map(|other| {
                    let message =
                        format!("override {:?}: the options of a group must be texts, got {other}", item.input);
                    let hint = format!("quote what is no text: `{key}=['{other}']`");
                    ConfigError::new(ErrorKind::Unsupported, message).with_hint(Some(hint))
                });
                if item.action == Action::Add {
                    if let Some(refusal) = refusal {
                        return Err(refusal);
                    }
                    let mut entry = Entry::group(&item.key, choice, item.package.clone());
                    entry.origin = origin;
                    if let Kind::Group { is_external_append, .. } = &mut entry.kind {
                        *is_external_append = true;
                    }
                    self.appended.push(entry);
                } else {
                    self.choices.insert(key, Selected { choice, origin, refused: refusal, used: false });
                }
                Ok(())
            }
        }
    }

    /// Registers an `override` entry; the first registration of a key stays.
    pub(super) fn add_override(&mut self, entry: &Entry) {
        let Kind::Group { choice, .. } = &entry.kind else { return };
        let selected = Selected { choice: choice.clone(), origin: entry.origin.clone(), refused: None, used: false };
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
            entry.chosen_by = Some(selected.origin.clone());
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
                let (origin, stray_word_hint) = (entry.blame().clone(), entry.stray_word_hint());
                self.chosen_at.insert(key.clone(), ChosenAt { origin, stray_word_hint });
            }
            Some(known) if *known != name => {
                let chosen = &self.chosen_at[&key];
                let shown = |name: &Option<String>| name.clone().unwrap_or_else(|| "null".to_owned());
                let (mut first, mut second) = ((shown(known), &chosen.origin), (shown(&name), entry.blame()));
                // Lists are read from their end, so what is met second may well be written first.
                if is_written_after(first.1, second.1) {
                    std::mem::swap(&mut first, &mut second);
                }
                let ((first, first_origin), (second, second_origin)) = (first, second);
                let message =
                    format!("multiple values for the group {key:?}: {first:?} ({first_origin}), then {second:?}");
                let stray = chosen.stray_word_hint.clone().or_else(|| entry.stray_word_hint());
                let hint = stray.unwrap_or_else(|| match second_origin {
                    Origin::Override(_) => format!("the group is there already: `{key}={second}` changes its option"),
                    _ => format!("to replace the option that was chosen first, write `override /{key}: {second}`"),
                });
                let error = ConfigError::new(ErrorKind::DefaultsMultipleValues, message).with_hint(Some(hint));
                return Err(error.blamed_on(second_origin));
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
    pub(super) fn refuse_unused(&self) -> Result<(), ConfigError> {
        if let Some((key, selected)) = self.choices.iter().find(|(_, selected)| !selected.used) {
            let error = ConfigError::new(
                ErrorKind::DefaultsOverrideNoMatch,
                format!("could not override the group {key:?}: no defaults list has it"),
            );
            return Err(error.blamed_on(&selected.origin).with_hint(self.no_match_hint(key, selected)));
        }
        if let Some((key, deletion)) = self.deletions.iter().find(|(_, deletion)| !deletion.used) {
            let shown = deletion.option.as_ref().map_or_else(|| key.clone(), |option| format!("{key}={option}"));
            let message = format!("could not delete {shown:?}: no match in the defaults list");
            let hint = match self.known_choices.get(key) {
                Some(Some(chosen)) => Some(format!("the option is {chosen:?}: `~{key}` deletes any")),
                _ => {
                    let known: Vec<&str> = self.task_keys().collect();
                    let near = nearest(key, known.iter().copied()).map(|key| did_you_mean(format!("~{key}")));
                    joined(near, listed("the groups of the defaults list", &known))
                }
            };
            let error = ConfigError::new(ErrorKind::DefaultsDeleteNoMatch, message).with_hint(hint);
            return Err(error.in_override(&deletion.input));
        }
        Ok(())
    }

    /// The groups of the defaults lists, as overrides name them, without Hydra's own.
    fn task_keys(&self) -> impl Iterator<Item = &str> {
        self.known_choices.keys().map(String::as_str).filter(|key| !key.starts_with("hydra/"))
    }

    fn no_match_hint(&self, key: &str, selected: &Selected) -> Option<String> {
        let option = match &selected.choice {
            Choice::One(option) => option.clone(),
            Choice::Many(options) => format!("[{}]", options.join(",")),
            Choice::None => "null".to_owned(),
        };
        let typed = |key: &str| match &selected.origin {
            Origin::Override(_) => format!("{key}={option}"),
            _ => format!("override /{key}: {option}"),
        };
        let group = key.split('@').next().unwrap_or(key);
        let elsewhere: Vec<&String> = self.known_keys_of_group.get(group).into_iter().flatten().collect();
        if let (Origin::File(location), [bare]) = (&selected.origin, elsewhere.as_slice())
            && *bare == group
        {
            return Some(format!(
                "the package of {} goes before the group's: add `# @package _global_` at its top, or write \
                 `override /{group}@_global_.{}: {option}`",
                location.file,
                group.replace('/', ".")
            ));
        }
        if let [first, ..] = elsewhere.as_slice() {
            let keys: Vec<&str> = elsewhere.iter().map(|key| key.as_str()).collect();
            // A package that no entry has, and nothing like it: the group is wanted there, too.
            if let (Origin::Override(_), Some((_, package))) = (&selected.origin, key.split_once('@'))
                && nearest(key, keys.iter().copied()).is_none_or(|near| !near.contains('@'))
            {
                let adds =
                    format!("`+{key}={option}` puts it at {package}, too; `{}` changes the one there is", typed(first));
                return joined(Some(adds), listed(&format!("{group:?} is listed as"), &keys));
            }
            return joined(Some(did_you_mean(typed(first))), listed(&format!("{group:?} is listed as"), &keys));
        }
        // A group that was meant from the top, in a config that lies in a folder.
        let inner = self.task_keys().find(|known| group.ends_with(&format!("/{known}")));
        let near = inner.or_else(|| nearest(key, self.task_keys()));
        let near = near.map(|near| did_you_mean(typed(near)));
        match &selected.origin {
            Origin::Override(_) => joined(near, Some(format!("`+{key}={option}` adds it"))),
            _ => {
                let known: Vec<&str> = self.task_keys().collect();
                let list = format!("list the group before it is overridden: `- {key}: {option}`");
                joined(near, listed("the groups of the defaults lists", &known)).or(Some(list))
            }
        }
    }
}
