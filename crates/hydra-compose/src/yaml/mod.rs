//! YAML as Hydra reads it: YAML 1.1 by PyYAML's rules, with OmegaConf's float rule, duplicate keys refused and no
//! timestamps.
//!
//! Text → tokens ([`scanner`], [`scalar_scanner`]) → node graph ([`node`]) → values with positions ([`construct`]).
//! It is not a general YAML library: one document, only the types a configuration can hold.

mod construct;
mod node;
mod resolve;
mod scalar_scanner;
mod scanner;

use std::borrow::Cow;

use indexmap::IndexMap;

pub(super) use node::{WrittenScalar, written_scalars};
pub(super) use resolve::plain_tag_in_output;

use super::error::{ConfigError, ErrorKind, Location};
use super::limits::{MAX_DEPTH, MAX_FILE_BYTES};
use super::origin::{KeyOrigin, Origin};
use super::value::{Key, Map, Value};

/// A place in a text; all fields count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    pub(super) index: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value that knows where each of its parts was written.
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub(super) mark: Mark,
    pub(super) data: Data,
}

/// What a [`Located`] holds.
#[derive(Debug, Clone)]
pub(super) enum Data {
    /// Anything but a list or a map.
    Scalar(Value),
    List(Vec<Located>),
    /// The mark of an entry is that of its key.
    Map(IndexMap<Key, Located>),
}

impl Data {
    /// What it is, for error messages.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Scalar(Value::Null) => "nothing".to_owned(),
            Self::Scalar(value) => format!("{} {}", value.type_name(), super::python::repr(value)),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

impl Located {
    /// The value without the positions.
    pub(super) fn to_value(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::List(items) => Value::List(items.iter().map(Self::to_value).collect()),
            Data::Map(map) => {
                Value::Map(map.iter().map(|(key, value)| (key.clone(), value.to_value())).collect::<Map>())
            }
        }
    }

    /// Where each key and list item stands in `file`, by its path as `serde` spells it: `a.b[0]`.
    pub(super) fn origins(&self, file: &str) -> IndexMap<String, KeyOrigin> {
        let mut origins = IndexMap::new();
        self.collect_origins("", file, &mut origins);
        origins
    }

    fn collect_origins(&self, path: &str, file: &str, origins: &mut IndexMap<String, KeyOrigin>) {
        if !path.is_empty() {
            let origin = Origin::File(Location { file: file.to_owned(), ..place(self.mark) });
            origins.insert(path.to_owned(), KeyOrigin { origin, overridden: Vec::new() });
        }
        match &self.data {
            Data::Scalar(_) => {}
            Data::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect_origins(&format!("{path}[{index}]"), file, origins);
                }
            }
            Data::Map(map) => {
                for (key, value) in map {
                    let below = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                    value.collect_origins(&below, file, origins);
                }
            }
        }
    }

    /// A value that stands nowhere.
    pub(super) fn from_value(value: &Value) -> Self {
        let data = match value {
            Value::List(items) => Data::List(items.iter().map(Self::from_value).collect()),
            Value::Map(map) => {
                Data::Map(map.iter().map(|(key, value)| (key.clone(), Self::from_value(value))).collect())
            }
            scalar => Data::Scalar(scalar.clone()),
        };
        Self { mark: Mark::default(), data }
    }
}

/// Loads a whole file: a map or a list, as `OmegaConf.load` does.
///
/// An empty file is an empty map, and a file that holds one text `t` is read again as if `t` were the file, or is
/// the map `{t: null}`.
///
/// # Errors
/// [`ErrorKind::Yaml`], [`ErrorKind::YamlDuplicateKey`], [`ErrorKind::YamlRootScalar`],
/// [`ErrorKind::UnsupportedValue`], [`ErrorKind::InterpGrammar`], [`ErrorKind::Limit`].
pub(super) fn load(text: &str) -> Result<Located, ConfigError> {
    let root = load_any(text)?;
    let root = match root.data {
        Data::Scalar(Value::Str(inner)) => {
            // OmegaConf creates a config from the text, which parses it once more.
            let again = load_any(&inner)?;
            match again.data {
                Data::Scalar(Value::Str(key)) => {
                    let null = Located { mark: root.mark, data: Data::Scalar(Value::Null) };
                    Located { mark: root.mark, data: Data::Map(IndexMap::from([(Key::Str(key), null)])) }
                }
                Data::Scalar(Value::Null) | Data::Map(_) | Data::List(_) => again,
                Data::Scalar(other) => return Err(root_scalar(&other, root.mark)),
            }
        }
        _ => root,
    };
    match root.data {
        Data::Scalar(Value::Null) => Ok(Located { mark: root.mark, data: Data::Map(IndexMap::new()) }),
        Data::Scalar(other) => Err(root_scalar(&other, root.mark)),
        Data::List(_) | Data::Map(_) => {
            check_interpolations(&root)?;
            Ok(root)
        }
    }
}

/// Loads any YAML value, a lone scalar included.
///
/// # Errors
/// As [`load`], without the rule about the root.
pub(super) fn load_any(text: &str) -> Result<Located, ConfigError> {
    if text.len() as u64 > MAX_FILE_BYTES {
        let message = format!("expected at most {MAX_FILE_BYTES} bytes of YAML, got {}", text.len());
        return Err(ConfigError::new(ErrorKind::Limit, message));
    }
    // Python's text files know one kind of line end.
    let text = match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    };
    match node::compose(&text)? {
        Some(root) => construct::construct(&root),
        None => Ok(Located { mark: Mark::default(), data: Data::Scalar(Value::Null) }),
    }
}

fn root_scalar(value: &Value, mark: Mark) -> ConfigError {
    let got = Data::Scalar(value.clone()).described();
    let message = format!("expected a map or a list at the top of the file, got {got}");
    let hint = Some("write `key: value`, with a space after the colon".to_owned());
    ConfigError::new(ErrorKind::YamlRootScalar, message).at(Some(place(mark))).with_hint(hint)
}

/// OmegaConf parses every text with `${` when the file is loaded, so that a malformed one fails at once.
fn check_interpolations(node: &Located) -> Result<(), ConfigError> {
    match &node.data {
        Data::Scalar(Value::Str(text)) => {
            super::interpolation::check(text).map_err(|error| error.at(Some(place(node.mark))))
        }
        Data::Scalar(_) => Ok(()),
        Data::List(items) => items.iter().try_for_each(check_interpolations),
        Data::Map(map) => map.values().try_for_each(check_interpolations),
    }
}

/// A mark as people count; the file is filled in by whoever knows it.
pub(super) fn place(mark: Mark) -> Location {
    Location { file: String::new(), line: mark.line + 1, column: mark.column + 1 }
}

fn error_at(mark: Mark, message: impl Into<String>) -> ConfigError {
    ConfigError::new(ErrorKind::Yaml, message).at(Some(place(mark)))
}

fn too_deep(mark: Mark) -> ConfigError {
    let message = format!("expected at most {MAX_DEPTH} levels of nesting");
    ConfigError::new(ErrorKind::Limit, message).at(Some(place(mark)))
}
