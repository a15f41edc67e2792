//! The typed tree every stage works on: what a YAML file holds, what composition yields.
//!
//! Maps keep the order in which keys were inserted, because Hydra's output order is part of its behaviour. Keys may
//! be of any scalar type; two keys are the same when Python's `==` says so (`1`, `true` and `1.0` are one key).
//! A tree may still hold interpolations (`${…}`) and missing values (`???`); both are plain [`Value::Str`].

use std::fmt;
use std::hash::{Hash, Hasher};

use indexmap::{Equivalent, IndexMap};
use num_bigint::BigInt;

/// The text of a mandatory value that nobody has set.
pub const MISSING: &str = "???";

/// A map in insertion order.
pub type Map = IndexMap<Key, Value>;

/// One node of a configuration with all that is below it.
#[derive(Debug, Clone)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits in 64 bits.
    Int(i64),
    /// An integer that does not fit in 64 bits; smaller ones are always [`Value::Int`].
    BigInt(BigInt),
    /// A float, including infinities and NaN.
    Float(f64),
    /// A text, an unresolved interpolation, or [`MISSING`].
    Str(String),
    /// A `!!binary` value.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A map.
    Map(Map),
}

/// A key of a map.
#[derive(Debug, Clone)]
pub enum Key {
    /// A text key, the usual kind.
    Str(String),
    /// An integer key.
    Int(i64),
    /// An integer key that does not fit in 64 bits.
    BigInt(BigInt),
    /// A float key.
    Float(f64),
    /// A boolean key.
    Bool(bool),
    /// A `!!binary` key.
    Bytes(Vec<u8>),
}

impl Value {
    /// An integer of any size in its only representation.
    pub fn from_bigint(value: BigInt) -> Self {
        match i64::try_from(&value) {
            Ok(small) => Self::Int(small),
            Err(_) => Self::BigInt(value),
        }
    }

    /// Whether this is the text `???`.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Str(text) if text == MISSING)
    }

    /// Whether a text counts as an interpolation: it holds `${`, escaped or not.
    pub(super) fn is_interpolation_text(text: &str) -> bool {
        text.contains("${")
    }

    /// Whether this is a text that holds an interpolation, escaped ones included.
    pub fn is_interpolation(&self) -> bool {
        matches!(self, Self::Str(text) if Self::is_interpolation_text(text))
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The map, if this is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, if this is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value at a dotted path of text keys and list indices, e.g. `trainer.devices` or `data.files.0`.
    pub fn get(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self, |value, part| match value {
            Self::Map(map) => map.get(part),
            Self::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// What Python calls the type, for error messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::BigInt(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }
}

impl Key {
    /// The text, if this is a text key.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The key as a value.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Str(text) => Value::Str(text.clone()),
            Self::Int(number) => Value::Int(*number),
            Self::BigInt(number) => Value::BigInt(number.clone()),
            Self::Float(number) => Value::Float(*number),
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Bytes(bytes) => Value::Bytes(bytes.clone()),
        }
    }

    /// The value as a key; `null` and containers cannot be one.
    pub fn from_value(value: Value) -> Option<Self> {
        Some(match value {
            Value::Str(text) => Self::Str(text),
            Value::Int(number) => Self::Int(number),
            Value::BigInt(number) => Self::BigInt(number),
            Value::Float(number) => Self::Float(number),
            Value::Bool(flag) => Self::Bool(flag),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Null | Value::List(_) | Value::Map(_) => return None,
        })
    }

    /// Integers, booleans and whole floats share one number line, as in Python.
    fn whole(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(flag) => Some(i64::from(*flag)),
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 9.2e18 => Some(*number as i64),
            _ => None,
        }
    }
}

/// Floats are equal when their bits are, so that a tree is equal to itself.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::BigInt(a), Self::BigInt(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            // The order of keys is part of a configuration.
            (Self::Map(a), Self::Map(b)) => a.len() == b.len() && a.iter().eq(b.iter()),
            _ => false,
        }
    }
}

impl Eq for Value {}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::BigInt(a), Self::BigInt(b)) => a == b,
            _ => match (self.whole(), other.whole()) {
                (Some(a), Some(b)) => a == b,
                (None, None) => {
                    matches!((self, other), (Self::Float(a), Self::Float(b)) if a.to_bits() == b.to_bits())
                }
                _ => false,
            },
        }
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Str(text) => text.as_str().hash(state),
            Self::Bytes(bytes) => bytes.hash(state),
            Self::BigInt(number) => number.hash(state),
            _ => match (self.whole(), self) {
                (Some(number), _) => number.hash(state),
                (None, Self::Float(number)) => number.to_bits().hash(state),
                _ => unreachable!("integers and booleans are whole"),
            },
        }
    }
}

impl Equivalent<Key> for str {
    fn equivalent(&self, key: &Key) -> bool {
        matches!(key, Key::Str(text) if text == self)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

/// The way Python's `str` writes it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::python::str(self))
    }
}

/// The way Python's `str` writes it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => f.write_str(text),
            other => write!(f, "{}", other.to_value()),
        }
    }
}
