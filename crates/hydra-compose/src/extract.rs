//! A resolved config into the program's own types.
//!
//! The types' `Deserialize` says what is accepted: with `deny_unknown_fields` a key that the program does not know is
//! refused. Numbers are not converted between kinds, except whole integers where a float is expected. Errors name the
//! full path of the key and the file, line or override that set it.

use indexmap::IndexMap;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Unexpected, Visitor};

use super::error::{ConfigError, ErrorKind, did_you_mean, nearest, suggestion};
use super::origin::{KeyOrigin, Origin};
use super::python;
use super::value::Value;

/// Reads a value into a type. Keys that are known elsewhere, at the top, are named in an error about an unknown one.
///
/// # Errors
/// [`ErrorKind::TypeMismatch`], [`ErrorKind::UnknownKey`].
pub(super) fn extract<T: DeserializeOwned>(
    value: &Value,
    origins: &IndexMap<String, KeyOrigin>,
    known_elsewhere: &[&str],
) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(Reader(value)).map_err(|error| {
        let path = error.path().to_string();
        describe(&path, error.into_inner(), origins, known_elsewhere)
    })
}

fn describe(
    path: &str,
    error: Refusal,
    origins: &IndexMap<String, KeyOrigin>,
    known_elsewhere: &[&str],
) -> ConfigError {
    // serde_path_to_error stops at the map for unknown keys and goes into the key for the rest.
    let path = path.trim_end_matches(".?");
    let path = if path == "." { "" } else { path };
    let origin_of = |key: &str| origins.get(key).map(|key| &key.origin);
    let (kind, full, message, hint) = match error {
        Refusal::UnknownKey { key, known } => {
            let full = match path.strip_suffix(key.as_str()) {
                Some(parent) if parent.is_empty() || parent.ends_with('.') => path.to_owned(),
                _ if path.is_empty() => key.clone(),
                _ => format!("{path}.{key}"),
            };
            let parent = full.strip_suffix(key.as_str()).unwrap_or("");
            let elsewhere = if parent.is_empty() { known_elsewhere } else { &[] };
            let known: Vec<&str> = elsewhere.iter().chain(known).copied().collect();
            let hint = nearest(&key, known.iter().copied()).map(|near| did_you_mean(format!("{parent}{near}")));
            (ErrorKind::UnknownKey, full, format!("unknown key; expected one of {}", known.join(", ")), hint)
        }
        Refusal::MissingKey(key) => {
            let full = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            let hint = Some(format!("set it: `+{full}=<value>`"));
            (ErrorKind::MissingValue, full, "a value is required and the config has none".to_owned(), hint)
        }
        Refusal::UnknownVariant { variant, known } => {
            let message = format!("expected one of {}, got {variant:?}", known.join(", "));
            let hint = suggestion(&variant, known.iter().copied());
            (ErrorKind::TypeMismatch, path.to_owned(), message, hint)
        }
        Refusal::Other(message) => {
            // What an override added is not in the config, and can only be added again.
            let is_added = matches!(origin_of(path), Some(Origin::Override(text)) if text.starts_with('+'));
            let plus = if is_added { "+" } else { "" };
            let hint = (!path.is_empty()).then(|| format!("set another value: `{plus}{path}=<value>`"));
            (ErrorKind::TypeMismatch, path.to_owned(), message, hint)
        }
    };
    let origin = origin_of(&full).or_else(|| origin_of(path));
    let place = match origin {
        Some(Origin::Override(text)) => format!(" (set by the override {text:?})"),
        _ => String::new(),
    };
    let message = if full.is_empty() { message } else { format!("{full}: {message}{place}") };
    ConfigError::new(kind, message).at(origin.and_then(Origin::location).cloned()).with_hint(hint)
}

/// Why a type refused a value; [`describe`] finds the words.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{key}")]
    UnknownKey { key: String, known: &'static [&'static str] },
    #[error("{0}")]
    MissingKey(&'static str),
    #[error("{variant}")]
    UnknownVariant { variant: String, known: &'static [&'static str] },
    #[error("{0}")]
    Other(String),
}

impl de::Error for Refusal {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Other(format!("expected {}, got {}", type_in_words(&expected.to_string()), value_in_words(unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::UnknownVariant { variant: variant.to_owned(), known: expected }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::UnknownKey { key: field.to_owned(), known: expected }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::MissingKey(field)
    }
}

/// What Rust calls `u8`, for people who write configs.
fn type_in_words(name: &str) -> String {
    match name {
        "u8" => format!("an integer from 0 to {}", u8::MAX),
        "u16" => format!("an integer from 0 to {}", u16::MAX),
        "u32" => format!("an integer from 0 to {}", u32::MAX),
        "u64" | "usize" => "an integer from 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a string" | "string" => "a text".to_owned(),
        name if name.starts_with("struct ") => "a map".to_owned(),
        name => name.to_owned(),
    }
}

fn value_in_words(value: Unexpected<'_>) -> String {
    match value {
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Bool(flag) => flag.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => python::float_repr(number),
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// A value as a source for `serde`.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a Value);

impl<'de> IntoDeserializer<'de, Refusal> for Reader<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Int(number) => match u64::try_from(*number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(*number),
            },
            Value::BigInt(number) => match u64::try_from(number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => Err(Refusal::Other(format!("the integer {number} does not fit in 64 bits"))),
            },
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Str(text) => visitor.visit_borrowed_str(text),
            Value::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Value::List(items) => {
                let mut sequence = SeqDeserializer::new(items.iter().map(Reader));
                let value = visitor.visit_seq(&mut sequence)?;
                sequence.end()?;
                Ok(value)
            }
            Value::Map(map) => {
                let entries = map.iter().map(|(key, value)| (key.to_string(), Reader(value)));
                let mut entries = MapDeserializer::new(entries);
                let value = visitor.visit_map(&mut entries)?;
                entries.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    /// A text names a variant; a map of one entry is a variant with its content.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.0 {
            Value::Str(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Map(map) if map.len() == 1 => {
                let entries = map.iter().map(|(key, value)| (key.to_string(), Reader(value)));
                visitor.visit_enum(de::value::MapAccessDeserializer::new(MapDeserializer::new(entries)))
            }
            other => {
                let got = format!("{} {other}", other.type_name());
                Err(Refusal::Other(format!("expected one of {}, got {got}", variants.join(", "))))
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

/// A plain value into a type, for values that were composed before, e.g. `.hydra/config.yaml`.
///
/// # Errors
/// [`ErrorKind::TypeMismatch`], [`ErrorKind::UnknownKey`].
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, ConfigError> {
    extract(value, &IndexMap::new(), &[])
}
