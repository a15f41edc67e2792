//! Entries of defaults lists: what a line names, where it lands, and how it is written.
//!
//! An entry is a config (`base`, `_self_`) or a group with its option (`optional /db@backup: mysql`). Its group is
//! relative to the directory of the config that lists it, its package to that config's package; both are known only
//! once the entry has been given its parent.

use super::error::{ConfigError, ErrorKind, Location, did_you_mean, nearest};
use super::origin::Origin;
use super::python;
use super::value::{Key, Value};
use super::version_base::VersionBase;
use super::yaml::{Data, Located, Mark, place};

/// The option of a group entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// `null`: nothing is included.
    None,
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Config { path: String },
    Group { group: String, choice: Choice, is_override: bool, is_external_append: bool },
}

/// An entry of a defaults list.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) optional: bool,
    pub(super) primary: bool,
    pub(super) deleted: bool,
    /// Where the entry stands.
    pub(super) origin: Origin,
    /// What chose the option instead of the entry itself.
    pub(super) chosen_by: Option<Origin>,
    /// A word before the group that means nothing to Hydra, most likely a mistyped `override` or `optional`.
    pub(super) stray_word: Option<String>,
    /// Whether packages have the keywords that Hydra 1.2 gave up.
    legacy: bool,
    /// What follows `@`.
    package: Option<String>,
    package_header: Option<String>,
    parent_group: String,
    parent_package: String,
}

/// The words that may stand before a group.
pub(super) const KEYWORDS: [&str; 2] = ["override", "optional"];
const GLOBAL: &str = "_global_";
const SELF: &str = "_self_";

impl Entry {
    /// A config by its path.
    ///
    /// # Errors
    /// [`ErrorKind::DefaultsSelfPackage`] for `_self_@package`.
    pub(super) fn config(path: &str, package: Option<String>) -> Result<Self, ConfigError> {
        if path == SELF && package.is_some() {
            let hint = "write `- _self_`; `# @package NAME` at the top moves the whole file".to_owned();
            let error = ConfigError::new(ErrorKind::DefaultsSelfPackage, "_self_ cannot have a package");
            return Err(error.with_hint(Some(hint)));
        }
        Ok(Self::new(Kind::Config { path: path.to_owned() }, package))
    }

    /// The entry that stands for the body of the config that lists it.
    pub(super) fn self_entry() -> Self {
        Self::new(Kind::Config { path: SELF.to_owned() }, None)
    }

    /// A group with its option.
    pub(super) fn group(group: &str, choice: Choice, package: Option<String>) -> Self {
        let kind = Kind::Group { group: group.to_owned(), choice, is_override: false, is_external_append: false };
        Self::new(kind, package)
    }

    fn new(kind: Kind, package: Option<String>) -> Self {
        // `_here_` is the parent's package, which is what no package of its own means.
        let package = package.map(|package| if package == "_here_" { String::new() } else { package });
        Self {
            kind,
            optional: false,
            primary: false,
            deleted: false,
            origin: Origin::Hydra,
            chosen_by: None,
            stray_word: None,
            legacy: false,
            package,
            package_header: None,
            parent_group: String::new(),
            parent_package: String::new(),
        }
    }

    pub(super) fn is_self(&self) -> bool {
        match &self.kind {
            Kind::Config { path } => path == SELF,
            Kind::Group { choice, .. } => *choice == Choice::One(SELF.to_owned()),
        }
    }

    pub(super) fn is_override(&self) -> bool {
        matches!(self.kind, Kind::Group { is_override: true, .. })
    }

    pub(super) fn is_external_append(&self) -> bool {
        matches!(self.kind, Kind::Group { is_external_append: true, .. })
    }

    pub(super) fn is_group(&self) -> bool {
        matches!(self.kind, Kind::Group { .. })
    }

    /// The package as written after `@`.
    pub(super) fn own_package(&self) -> Option<&str> {
        self.package.as_deref()
    }

    /// What is to blame when the option does not exist.
    pub(super) fn blame(&self) -> &Origin {
        self.chosen_by.as_ref().unwrap_or(&self.origin)
    }

    /// What the stray word before the group may have been meant to be.
    pub(super) fn stray_word_hint(&self) -> Option<String> {
        let word = self.stray_word.as_deref()?;
        Some(match nearest(word, KEYWORDS) {
            Some(keyword) => format!("{word:?} means nothing here; {}", did_you_mean(keyword)),
            None => format!("{word:?} means nothing here: only `override` and `optional` may stand before a group"),
        })
    }

    /// The entry with another option, as it would be typed on the command line or in the list.
    pub(super) fn with_option(&self, option: &str) -> String {
        let key = match &self.kind {
            Kind::Config { path } => {
                return path
                    .rsplit_once('/')
                    .map_or_else(|| option.to_owned(), |(group, _)| format!("{group}/{option}"));
            }
            Kind::Group { group, .. } => group,
        };
        match self.blame() {
            Origin::Override(_) => format!("{}={option}", self.override_key()),
            _ => format!("{key}: {option}"),
        }
    }

    /// The entry with another group.
    pub(super) fn in_group(&self, group: &str) -> String {
        let name = self.name().unwrap_or_default();
        match (&self.kind, self.blame()) {
            (Kind::Config { .. }, _) => format!("{group}/{name}"),
            (Kind::Group { .. }, Origin::Override(_)) => format!("{group}={name}"),
            (Kind::Group { .. }, _) => format!("/{group}: {name}"),
        }
    }

    /// The config that the entry would name with a slash before it, and the entry with the slash; `None` where that
    /// makes no difference.
    pub(super) fn absolute(&self) -> Option<(String, String)> {
        if self.is_absolute() || self.parent_group.is_empty() {
            return None;
        }
        Some(match &self.kind {
            Kind::Config { path } => (path.clone(), format!("/{path}")),
            Kind::Group { group, .. } => {
                let option = self.name()?;
                (format!("{group}/{option}"), format!("/{group}: {option}"))
            }
        })
    }

    /// Understands `_group_` and `_name_` in packages, as below Hydra 1.2.
    pub(super) fn understand(&mut self, base: VersionBase) {
        self.legacy = base.is_legacy();
    }

    /// Makes an entry without `override` one with it: below Hydra 1.2 those for Hydra's own groups need no such word.
    pub(super) fn override_hydra(&mut self, base: VersionBase) -> bool {
        match &mut self.kind {
            Kind::Group { group, is_override: is_override @ false, .. }
                if base.is_legacy() && group.starts_with("hydra/") =>
            {
                *is_override = true;
                true
            }
            _ => false,
        }
    }

    /// Tells the entry which config lists it.
    pub(super) fn set_parent(&mut self, group: &str, package: &str) {
        self.parent_group = group.to_owned();
        self.parent_package = package.to_owned();
        if let Some(own) = &self.package
            && own.contains("_group_")
        {
            self.package = Some(format!("{GLOBAL}.{}", own.replace("_group_", &self.default_package())));
        }
    }

    /// Places `_self_`, which lies in the same directory as the config it stands for.
    pub(super) fn stand_beside(&mut self, config: &Self) {
        self.parent_group.clone_from(&config.parent_group);
    }

    /// Applies a `# @package` line, which is always absolute.
    pub(super) fn set_package_header(&mut self, header: &str) {
        if self.legacy && header == "_group_" {
            return;
        }
        let absolute = header == GLOBAL || header.starts_with("_global_.");
        self.package_header = Some(match header {
            _ if absolute => header.to_owned(),
            "" => GLOBAL.to_owned(),
            header => format!("{GLOBAL}.{header}"),
        });
        if self.legacy {
            let group = self.default_package();
            self.package_header = self.package_header.take().map(|header| header.replace("_group_", &group));
        }
    }

    /// The option; `None` for null. Lists of options have no name.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Config { path } => Some(path.rsplit('/').next().unwrap_or(path)),
            Kind::Group { choice: Choice::One(name), .. } => Some(name),
            Kind::Group { .. } => None,
        }
    }

    /// The group as written, or the directory of a config's path.
    fn relative_group(&self) -> &str {
        match &self.kind {
            Kind::Config { path } => {
                let path = path.strip_prefix('/').unwrap_or(path);
                path.rsplit_once('/').map_or("", |(group, _)| group)
            }
            Kind::Group { group, .. } => group.strip_prefix('/').unwrap_or(group),
        }
    }

    fn is_absolute(&self) -> bool {
        match &self.kind {
            Kind::Config { path } => path.starts_with('/'),
            Kind::Group { group, .. } => group.starts_with('/'),
        }
    }

    /// The full group, e.g. `hydra/launcher`.
    pub(super) fn group_path(&self) -> String {
        let relative = self.relative_group();
        if self.is_absolute() || self.parent_group.is_empty() {
            relative.to_owned()
        } else if relative.is_empty() {
            self.parent_group.clone()
        } else {
            format!("{}/{relative}", self.parent_group)
        }
    }

    /// The path of the config that the entry includes.
    pub(super) fn config_path(&self) -> String {
        match &self.kind {
            Kind::Config { path } => {
                let relative = path.strip_prefix('/').unwrap_or(path);
                if self.is_absolute() || self.parent_group.is_empty() {
                    relative.to_owned()
                } else {
                    format!("{}/{relative}", self.parent_group)
                }
            }
            Kind::Group { .. } => format!("{}/{}", self.group_path(), self.name().unwrap_or("None")),
        }
    }

    fn default_package(&self) -> String {
        self.group_path().replace('/', ".")
    }

    /// Where the config lands, e.g. `trainer.optim`; empty for the top.
    pub(super) fn final_package(&self) -> String {
        self.package_with(self.package.as_deref().or(self.package_header.as_deref()))
    }

    fn package_with(&self, package: Option<&str>) -> String {
        let mut package = package.map_or_else(|| self.relative_group().replace('/', "."), str::to_owned);
        if let Some(name) = self.name().filter(|_| self.legacy) {
            package = package.replace("_name_", name);
        }
        let joined = match (self.parent_package.as_str(), package.as_str()) {
            ("", own) => own.to_owned(),
            (parent, "") => parent.to_owned(),
            (parent, own) => format!("{parent}.{own}"),
        };
        match joined.rfind(GLOBAL) {
            None => joined,
            Some(at) => joined.get(at + GLOBAL.len() + 1..).unwrap_or("").to_owned(),
        }
    }

    /// How overrides name the group: `db`, or `db@backup` where it lands elsewhere.
    pub(super) fn override_key(&self) -> String {
        let group = self.group_path();
        let package = self.package_with(self.package.as_deref());
        if self.default_package() == package {
            group
        } else if package.is_empty() {
            format!("{group}@{GLOBAL}")
        } else {
            format!("{group}@{package}")
        }
    }

    /// The text that holds an interpolation, if one does.
    pub(super) fn interpolation(&self) -> Option<String> {
        let text = match &self.kind {
            Kind::Config { .. } => self.config_path(),
            Kind::Group { choice: Choice::One(name), .. } => name.clone(),
            Kind::Group { .. } => return None,
        };
        Value::is_interpolation_text(&text).then_some(text)
    }

    /// Puts the resolved text in the place of the interpolation.
    pub(super) fn set_resolved(&mut self, text: String) {
        match &mut self.kind {
            Kind::Config { path } => *path = text,
            Kind::Group { choice, .. } => *choice = Choice::One(text),
        }
    }
}

/// Takes the defaults list out of a config's body.
///
/// # Errors
/// [`ErrorKind::DefaultsShape`], [`ErrorKind::DefaultsSelfPackage`], where they stand in `file`.
pub(super) fn take_defaults(
    file: Option<&str>,
    body: &mut Located,
    base: VersionBase,
) -> Result<Vec<Entry>, ConfigError> {
    let Data::Map(map) = &mut body.data else { return Ok(Vec::new()) };
    let Some(defaults) = map.shift_remove("defaults") else { return Ok(Vec::new()) };
    let in_file = |mark: Mark| file.map(|file| Location { file: file.to_owned(), ..place(mark) });
    match &defaults.data {
        Data::List(items) => items
            .iter()
            .map(|item| {
                let location = in_file(item.mark);
                let mut entry = parse_entry(item, base).map_err(|error| error.at(location.clone()))?;
                entry.origin = location.map_or(Origin::Hydra, Origin::File);
                Ok(entry)
            })
            .collect(),
        Data::Scalar(value) if value.is_missing() => Ok(Vec::new()),
        other => {
            let message = format!("the defaults list must be a list, got {}", other.described());
            let hint = "write one entry per line: `- group: option`";
            Err(shape(&message, hint).at(in_file(defaults.mark)))
        }
    }
}

fn shape(message: &str, hint: &str) -> ConfigError {
    ConfigError::new(ErrorKind::DefaultsShape, message).with_hint(Some(hint.to_owned()))
}

fn parse_entry(item: &Located, base: VersionBase) -> Result<Entry, ConfigError> {
    const FORMS: &str = "write `- group: option`, `- config` or `- _self_`";
    let map = match &item.data {
        Data::Scalar(Value::Str(text)) => {
            let (path, package) = split_package(text);
            return Entry::config(path, package);
        }
        Data::Map(map) => map,
        other => {
            let got = other.described();
            return Err(shape(&format!("an entry of the defaults list must be a text or a map, got {got}"), FORMS));
        }
    };
    // `- group: option` with a line `optional: true` below it.
    let old_optional = map.get("optional").filter(|_| base.is_legacy() && map.len() > 1);
    let is_optional =
        matches!(old_optional.map(|value| &value.data), Some(Data::Scalar(value)) if python::truthy(value));
    let mut entries = map.iter().filter(|(key, _)| !(old_optional.is_some() && key.as_str() == Some("optional")));
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        let names: Vec<String> = map.keys().map(ToString::to_string).collect();
        let got = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let message = format!("an entry of the defaults list must name one group, got {got}");
        return Err(shape(&message, "start a new entry with `- ` for each group"));
    };
    let Key::Str(key) = key else {
        let message = format!("the name of a group must be a text, got {} {key}", key.to_value().type_name());
        let hint = Some(format!("quote it: `- '{key}': …`"));
        return Err(ConfigError::new(ErrorKind::Unsupported, message).with_hint(hint));
    };
    let choice = parse_choice(key, value)?;
    let (group, package) = split_package(key);
    let mut words: Vec<&str> = group.split(' ').collect();
    let group = words.pop().unwrap_or("");
    if group.is_empty() {
        let message = format!("{key:?} names no group");
        return Err(ConfigError::new(ErrorKind::Unsupported, message).with_hint(Some(FORMS.to_owned())));
    }
    let mut entry = Entry::group(group, choice, package);
    entry.optional = is_optional;
    for word in words {
        match word {
            "optional" => entry.optional = true,
            "override" => {
                if let Kind::Group { is_override, .. } = &mut entry.kind {
                    *is_override = true;
                }
            }
            stray => {
                entry.stray_word = (!stray.is_empty()).then(|| stray.to_owned());
                break;
            }
        }
    }
    Ok(entry)
}

fn parse_choice(key: &str, value: &Located) -> Result<Choice, ConfigError> {
    let text = |item: &Located| match &item.data {
        Data::Scalar(Value::Str(text)) => Some(text.clone()),
        _ => None,
    };
    let quoted = |data: &Data| match data {
        Data::Scalar(scalar) => format!("quote it, if that is its name: `{key}: '{scalar}'`"),
        _ => format!("name one option (`{key}: option`), several (`{key}: [a, b]`), or none (`{key}: null`)"),
    };
    match &value.data {
        Data::Scalar(Value::Null) => Ok(Choice::None),
        Data::Scalar(Value::Str(name)) => Ok(Choice::One(name.clone())),
        Data::List(items) => match items.iter().map(text).collect() {
            Some(names) => Ok(Choice::Many(names)),
            None => {
                let wrong = items.iter().find(|item| text(item).is_none()).expect("one is no text");
                let message = format!("the options of {key:?} must be texts, got {}", wrong.data.described());
                let hint = match &wrong.data {
                    Data::Scalar(scalar) => format!("quote it, if that is its name: `'{scalar}'`"),
                    _ => quoted(&wrong.data),
                };
                Err(shape(&message, &hint))
            }
        },
        other => {
            let message = format!("the option of {key:?} must be a text or a list, got {}", other.described());
            Err(shape(&message, &quoted(other)))
        }
    }
}

/// Splits `group@package`; what follows a further `:` is an old form that Hydra ignores.
fn split_package(text: &str) -> (&str, Option<String>) {
    match text.split_once('@') {
        None => (text, None),
        Some((group, package)) => (group, Some(package.split(':').next().unwrap_or(package).to_owned())),
    }
}
