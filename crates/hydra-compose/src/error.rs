//! What can go wrong while composing, resolving or extracting a configuration.
//!
//! One error type: a kind to match on, a message that names the subject, what was expected and what was found, the
//! place in the file, and, apart from the message, the nearest name when the cause looks like a typo.

use std::fmt;

use super::origin::Origin;

/// Where in a file something stands; lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file as the user would open it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file.as_str() {
            // A text that came from no file.
            "" => write!(f, "line {}, column {}", self.line, self.column),
            file => write!(f, "{file}:{}:{}", self.line, self.column),
        }
    }
}

macro_rules! error_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What went wrong, named as in the conformance suite.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorKind {
            /// The stable name, e.g. `key_not_in_struct`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

error_kinds! {
    /// `+key=value` where the key already has a value.
    AddExisting = "add_existing",
    /// A config named in a defaults list is not in the search path.
    ConfigMissing = "config_missing",
    /// Defaults lists that include each other.
    DefaultsCycle = "defaults_cycle",
    /// `~group` that matches no entry.
    DefaultsDeleteNoMatch = "defaults_delete_no_match",
    /// One group twice with one value.
    DefaultsDuplicate = "defaults_duplicate",
    /// An interpolation in a defaults list that cannot be resolved there.
    DefaultsInterpolation = "defaults_interpolation",
    /// One group twice with two values.
    DefaultsMultipleValues = "defaults_multiple_values",
    /// A group whose option is `???`.
    DefaultsMustSpecify = "defaults_must_specify",
    /// An override of a group that no defaults list names.
    DefaultsOverrideNoMatch = "defaults_override_no_match",
    /// An `override` entry before a plain one, or where none is allowed.
    DefaultsOverrideNotLast = "defaults_override_not_last",
    /// `_self_@package`.
    DefaultsSelfPackage = "defaults_self_package",
    /// `_self_` twice.
    DefaultsSelfTwice = "defaults_self_twice",
    /// A defaults list, or an entry of one, of the wrong shape.
    DefaultsShape = "defaults_shape",
    /// `~key` where there is no value.
    DeleteAbsent = "delete_absent",
    /// `~key=value` where the key has another value.
    DeleteValueMismatch = "delete_value_mismatch",
    /// `++group=option`.
    ForceAddGroup = "force_add_group",
    /// A function of the override grammar refused its arguments.
    FunctionEval = "function_eval",
    /// A config group was given something that is no option name.
    GroupValueType = "group_value_type",
    /// A malformed `# @package` line.
    Header = "header",
    /// Hydra itself stops with an internal error here.
    Unsupported = "hydra_internal_crash",
    /// The types of the `hydra` node, or of another config of Hydra's own: an unknown key, a wrong type, or a merge that
    /// they forbid.
    HydraSchema = "hydra_schema",
    /// `${hydra:…}` where there is no run.
    HydraConfigUnset = "hydra_config_unset",
    /// An interpolation that leads back to itself.
    InterpCycle = "interp_cycle",
    /// A text with `${` that does not parse.
    InterpGrammar = "interp_grammar",
    /// An interpolation to a key that does not exist.
    InterpKey = "interp_key",
    /// An interpolation to a value that is `???`.
    InterpMissingValue = "interp_missing_value",
    /// An interpolation that passes through something that is no container.
    InterpThroughScalar = "interp_through_scalar",
    /// An interpolation to a container it stands in.
    InterpToParent = "interp_to_parent",
    /// A resolver that does not exist.
    InterpUnknownResolver = "interp_unknown_resolver",
    /// A key that is not in the composed config.
    KeyNotInStruct = "key_not_in_struct",
    /// A file or text larger or deeper than the documented limits.
    Limit = "limit",
    /// A list index that is out of range.
    ListIndex = "list_index",
    /// A map merged with a list.
    MergeDictList = "merge_dict_list",
    /// A value that its place does not accept.
    MergeOther = "merge_other",
    /// A mandatory value that nobody set.
    MissingValue = "missing_value",
    /// Something not named by another kind.
    Other = "other",
    /// An override with a character that no token starts with.
    OverrideLex = "override_lex",
    /// An override that is no sentence of the grammar.
    OverrideParse = "override_parse",
    /// `key@package=value` where the key is no group.
    PackageOnNonGroup = "package_on_non_group",
    /// A primary config that is a list.
    PrimaryNotMapping = "primary_not_mapping",
    /// The primary config is not in the search path.
    PrimaryConfigMissing = "primary_config_missing",
    /// Reading a file failed.
    Read = "read",
    /// A resolver refused its arguments.
    ResolverFailed = "resolver_failed",
    /// `hydra.searchpath` of the wrong shape or in the wrong place.
    Searchpath = "searchpath",
    /// Keys that are to vary together and cannot: not swept, or over different numbers of values.
    SweepZip = "sweep_zip",
    /// A sweep that the sweeper cannot enumerate.
    SweepUnsupported = "sweep_unsupported",
    /// A sweep outside a multirun.
    SweepWithoutMultirun = "sweep_without_multirun",
    /// A value that does not have the type the program expects.
    TypeMismatch = "type_mismatch",
    /// A function that the override grammar does not have.
    UnknownFunction = "unknown_function",
    /// A key that the program does not know.
    UnknownKey = "unknown_key",
    /// A value of a type that a config cannot hold, e.g. a date.
    UnsupportedValue = "unsupported_value",
    /// Malformed YAML.
    Yaml = "yaml",
    /// A key twice in one map.
    YamlDuplicateKey = "yaml_duplicate_key",
    /// A file that holds one number.
    YamlRootScalar = "yaml_root_scalar",
}

/// Why a configuration could not be composed, resolved or extracted.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0)]
pub struct ConfigError(Box<Detail>);

#[derive(Debug, Clone)]
struct Detail {
    kind: ErrorKind,
    message: String,
    location: Option<Location>,
    hint: Option<String>,
    nested: bool,
    key: Option<String>,
    warnings: Vec<String>,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl ConfigError {
    /// An error with a message; lowercase, naming the subject.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Detail {
            kind,
            message: message.into(),
            location: None,
            hint: None,
            nested: false,
            key: None,
            warnings: Vec::new(),
        }))
    }

    /// Adds where it happened, unless a deeper stage already knew better.
    pub(crate) fn at(mut self, location: Option<Location>) -> Self {
        if self.0.location.is_none() {
            self.0.location = location;
        }
        self
    }

    /// Names the file of a place whose file was not known yet.
    pub(crate) fn in_file(mut self, file: &str) -> Self {
        match &mut self.0.location {
            Some(location) if location.file.is_empty() => location.file = file.to_owned(),
            Some(_) => {}
            None => self.0.message = format!("{file}: {}", self.0.message),
        }
        self
    }

    /// Says where the blame lies: the place in a file, or the override as it was typed.
    pub(crate) fn blamed_on(self, origin: &Origin) -> Self {
        match origin {
            Origin::File(location) => self.at(Some(location.clone())),
            Origin::Override(text) => self.in_override(text),
            Origin::Hydra => self,
        }
    }

    /// Names the override that the error is about, unless it is named already.
    pub(crate) fn in_override(self, text: &str) -> Self {
        let subject = format!("override {text:?}");
        if self.0.message.contains(&subject) { self } else { self.within(&subject) }
    }

    /// Turns a place in a text that is no file into words.
    pub(crate) fn in_text(mut self, what: &str) -> Self {
        if let Some(Location { line, column, .. }) = self.0.location.take() {
            self.0.message = format!("{what}, line {line}, column {column}: {}", self.0.message);
        }
        self
    }

    /// Marks an error as one met while resolving an interpolation on the way.
    pub(crate) fn nested(mut self) -> Self {
        self.0.nested = true;
        self
    }

    /// Whether the error was met while resolving an interpolation on the way.
    pub(crate) fn is_nested(&self) -> bool {
        self.0.nested
    }

    /// Adds a remedy, unless there is one.
    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        if self.0.hint.is_none() {
            self.0.hint = hint;
        }
        self
    }

    /// Replaces the remedy, where an outer stage knows better; `None` keeps it.
    pub(crate) fn with_better_hint(mut self, hint: Option<String>) -> Self {
        self.0.hint = hint.or(self.0.hint);
        self
    }

    /// Puts the subject of an outer stage before the message.
    pub(crate) fn within(mut self, subject: &str) -> Self {
        self.0.message = format!("{subject}: {}", self.0.message);
        self
    }

    /// The same error under another kind.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where in a file the cause stands, if it stands in one.
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// What to do about it, e.g. the nearest key, group or option.
    pub fn hint(&self) -> Option<String> {
        self.0.hint.clone()
    }

    /// The key whose interpolation failed, e.g. `trainer.lr`.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Says whose interpolation failed, unless a deeper one did.
    pub(crate) fn of_key(mut self, key: &str) -> Self {
        self.0.key.get_or_insert_with(|| key.to_owned());
        self
    }

    /// What was warned of before it came to this: an entry of the search path that is not there may be the reason.
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// Adds what was warned of before.
    pub(crate) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.0.warnings = warnings;
        self
    }
}

/// "did you mean …?" with the candidate nearest to a mistyped name.
pub(crate) fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(did_you_mean)
}

/// "did you mean …?" with what would have to be typed.
pub(crate) fn did_you_mean(typed: impl fmt::Display) -> String {
    format!("did you mean `{typed}`?")
}

/// The names to choose from, as long as they are few enough to be read; `what` as in "the options of \"db\"".
pub(crate) fn listed<S: AsRef<str>>(what: &str, names: &[S]) -> Option<String> {
    const MOST: usize = 10;
    let texts: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    (1..=MOST).contains(&texts.len()).then(|| format!("{what}: {}", texts.join(", ")))
}

/// Two pieces of advice as one, either of which may be absent.
pub(crate) fn joined(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first, second) {
        (Some(first), Some(second)) if first.ends_with('?') => Some(format!("{first} {second}")),
        (Some(first), Some(second)) => Some(format!("{first}; {second}")),
        (first, second) => first.or(second),
    }
}

/// The candidate nearest to a mistyped name, if one is near enough to be worth showing.
///
/// Near means an edit distance (with swaps of neighbours, and without regard to case) of at most a third of the name,
/// and at least one.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Hostile names must not buy quadratic time.
    const LONGEST: usize = 64;
    // Nor may hostile files with endless keys.
    const MOST: usize = 5_000;
    if name.len() > LONGEST {
        return None;
    }
    let limit = (name.chars().count() / 3).max(1);
    let lowercase = name.to_lowercase();
    candidates
        .into_iter()
        .take(MOST)
        .filter(|candidate| candidate.len() <= LONGEST && *candidate != name)
        .map(|candidate| (edit_distance(&lowercase, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_the_nearest_name_and_a_stranger_finds_none() {
        let names = ["trainer", "model", "data"];
        assert_eq!(nearest("trianer", names), Some("trainer"));
        assert_eq!(nearest("modle", names), Some("model"));
        assert_eq!(nearest("TRAINER", names), Some("trainer"));
        assert_eq!(nearest("optimizer", names), None);
    }
}
