//! Entries of defaults lists: what a line names, where it lands, and how it is written.
//!
//! An entry is a config (`base`, `_self_`) or a group with its option (`optional /db@backup: mysql`). Its group is
//! relative to the directory of the config that lists it, its package to that config's package; both are known only
//! once the entry has been given its parent.

use super::error::{ConfigError, ErrorKind};
use super::value::{Key, Value};
use super::yaml::{Data, Located};

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
    /// What follows `@`.
    package: Option<String>,
    package_header: Option<String>,
    parent_group: String,
    parent_package: String,
}

const GLOBAL: &str = "_global_";
const SELF: &str = "_self_";

impl Entry {
    /// A config by its path.
    ///
    /// # Errors
    /// [`ErrorKind::DefaultsSelfPackage`] for `_self_@package`.
    pub(super) fn config(path: &str, package: Option<String>) -> Result<Self, ConfigError> {
        if path == SELF && package.is_some() {
            return Err(ConfigError::new(ErrorKind::DefaultsSelfPackage, "_self_ cannot have a package"));
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
        let absolute = header == GLOBAL || header.starts_with("_global_.");
        self.package_header = Some(match header {
            _ if absolute => header.to_owned(),
            "" => GLOBAL.to_owned(),
            header => format!("{GLOBAL}.{header}"),
        });
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
        let package = package.map_or_else(|| self.relative_group().replace('/', "."), str::to_owned);
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
/// [`ErrorKind::DefaultsShape`], [`ErrorKind::DefaultsSelfPackage`].
pub(super) fn take_defaults(config_path: &str, body: &mut Located) -> Result<Vec<Entry>, ConfigError> {
    let Data::Map(map) = &mut body.data else { return Ok(Vec::new()) };
    let Some(defaults) = map.shift_remove("defaults") else { return Ok(Vec::new()) };
    match &defaults.data {
        Data::List(items) => items.iter().map(|item| parse_entry(config_path, item)).collect(),
        Data::Scalar(value) if value.is_missing() => Ok(Vec::new()),
        other => {
            let got = match other {
                Data::Scalar(value) => value.type_name(),
                _ => "map",
            };
            Err(shape(config_path, &format!("the defaults list must be a list, got {got}")))
        }
    }
}

fn shape(config_path: &str, message: &str) -> ConfigError {
    ConfigError::new(ErrorKind::DefaultsShape, format!("in {config_path:?}: {message}"))
}

fn parse_entry(config_path: &str, item: &Located) -> Result<Entry, ConfigError> {
    match &item.data {
        Data::Scalar(Value::Str(text)) => {
            let (path, package) = split_package(text);
            Entry::config(path, package)
        }
        Data::Scalar(other) => {
            let message = format!("an entry of the defaults list must be a text or a map, got {}", other.type_name());
            Err(shape(config_path, &message))
        }
        Data::List(_) => Err(shape(config_path, "an entry of the defaults list must be a text or a map, got a list")),
        Data::Map(map) => {
            let mut entries = map.iter();
            let (Some((key, value)), None) = (entries.next(), entries.next()) else {
                let message = format!("an entry of the defaults list must name one group, got {}", map.len());
                return Err(shape(config_path, &message));
            };
            let Key::Str(key) = key else {
                return Err(ConfigError::new(
                    ErrorKind::Unsupported,
                    format!("in {config_path:?}: the group {key} is no text"),
                ));
            };
            let choice = parse_choice(config_path, value)?;
            let (group, package) = split_package(key);
            let mut words: Vec<&str> = group.split(' ').collect();
            let group = words.pop().unwrap_or("");
            if group.is_empty() {
                let message = format!("in {config_path:?}: {key:?} names no group");
                return Err(ConfigError::new(ErrorKind::Unsupported, message));
            }
            let mut entry = Entry::group(group, choice, package);
            for word in words {
                match word {
                    "optional" => entry.optional = true,
                    "override" => {
                        if let Kind::Group { is_override, .. } = &mut entry.kind {
                            *is_override = true;
                        }
                    }
                    _ => break,
                }
            }
            Ok(entry)
        }
    }
}

fn parse_choice(config_path: &str, value: &Located) -> Result<Choice, ConfigError> {
    let text = |item: &Located| match &item.data {
        Data::Scalar(Value::Str(text)) => Some(text.clone()),
        _ => None,
    };
    match &value.data {
        Data::Scalar(Value::Null) => Ok(Choice::None),
        Data::Scalar(Value::Str(name)) => Ok(Choice::One(name.clone())),
        Data::List(items) => match items.iter().map(text).collect() {
            Some(names) => Ok(Choice::Many(names)),
            None => Err(shape(config_path, "the options of a group must be texts")),
        },
        other => {
            let got = match other {
                Data::Scalar(value) => value.type_name(),
                _ => "map",
            };
            Err(shape(config_path, &format!("the option of a group must be a text or a list, got {got}")))
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
