//! The types of the `hydra` node: what its fields accept, and how values become what they accept.
//!
//! Only the part of OmegaConf's structured configs that Hydra's own node uses. Task configs are untyped here; their
//! types are those of the program ([`super::extract`]).

use super::error::{ConfigError, ErrorKind, suggestion};
use super::python;
use super::tree::{Content, NodeId, Tree};
use super::value::{Key, Value};

pub(super) const ANY: Option<&Schema> = None;
pub(super) const STR: Option<&Schema> = Some(&Schema::Str { optional: false });
pub(super) const OPTIONAL_STR: Option<&Schema> = Some(&Schema::Str { optional: true });
pub(super) const INT: Option<&Schema> = Some(&Schema::Int { optional: false });
pub(super) const OPTIONAL_INT: Option<&Schema> = Some(&Schema::Int { optional: true });
pub(super) const FLOAT: Option<&Schema> = Some(&Schema::Float { optional: false });
pub(super) const OPTIONAL_FLOAT: Option<&Schema> = Some(&Schema::Float { optional: true });
pub(super) const BOOL: Option<&Schema> = Some(&Schema::Bool { optional: false });
pub(super) const OPTIONAL_BOOL: Option<&Schema> = Some(&Schema::Bool { optional: true });

/// The type of a node.
#[derive(Debug, PartialEq)]
pub(super) enum Schema {
    Str {
        optional: bool,
    },
    Int {
        optional: bool,
    },
    Float {
        optional: bool,
    },
    Bool {
        optional: bool,
    },
    /// One of these names.
    Enum {
        names: &'static [&'static str],
    },
    /// `RUN` or `MULTIRUN`.
    RunMode,
    /// A map with any text keys.
    Map {
        item: Option<&'static Schema>,
        optional: bool,
    },
    List {
        item: Option<&'static Schema>,
        optional: bool,
    },
    /// A map with these keys only; `None` is any type.
    Struct {
        name: &'static str,
        fields: &'static [(&'static str, Option<&'static Schema>)],
    },
}

impl Schema {
    fn is_optional(&self) -> bool {
        match self {
            Self::Str { optional }
            | Self::Int { optional }
            | Self::Float { optional }
            | Self::Bool { optional }
            | Self::Map { optional, .. }
            | Self::List { optional, .. } => *optional,
            Self::RunMode => true,
            Self::Enum { .. } | Self::Struct { .. } => false,
        }
    }

    /// Whether nodes of this type are maps or lists, even while they are null or missing.
    pub(super) fn is_container(&self) -> bool {
        matches!(self, Self::Map { .. } | Self::List { .. } | Self::Struct { .. })
    }

    /// Whether this is a map with any keys.
    ///
    /// Its values are checked one by one where they are scalars; OmegaConf lets containers that are merged in pass.
    pub(super) fn is_map(&self) -> bool {
        matches!(self, Self::Map { .. })
    }

    fn describe(&self) -> &'static str {
        match self {
            Self::Str { .. } => "a text",
            Self::Int { .. } => "an integer",
            Self::Float { .. } => "a number",
            Self::Bool { .. } => "a boolean",
            Self::Enum { .. } => "one of the names that Hydra has for it",
            Self::RunMode => "RUN or MULTIRUN",
            Self::Map { .. } | Self::Struct { .. } => "a map",
            Self::List { .. } => "a list",
        }
    }

    /// The type of the child under a key.
    pub(super) fn child(&self, key: &Key) -> Option<&'static Schema> {
        match self {
            Self::Map { item, .. } | Self::List { item, .. } => *item,
            Self::Struct { fields, .. } => {
                let key = key.as_str()?;
                fields.iter().find(|(name, _)| *name == key).and_then(|(_, schema)| *schema)
            }
            _ => None,
        }
    }
}

/// A scalar as its type wants it: `5` as the text `"5"`, `"5"` as the integer 5.
///
/// Interpolations and `???` stay as they are.
///
/// # Errors
/// [`ErrorKind::HydraSchema`] for a value that the type does not accept.
pub(super) fn convert(value: &Value, schema: &Schema) -> Result<Value, ConfigError> {
    if value.is_missing() || value.is_interpolation() || (*value == Value::Null && schema.is_optional()) {
        return Ok(value.clone());
    }
    let converted = match (schema, value) {
        (_, Value::Null) => None,
        (Schema::Str { .. }, Value::List(_) | Value::Map(_) | Value::Bytes(_)) => None,
        (Schema::Str { .. }, value) => Some(Value::Str(python::str(value))),
        (Schema::Int { .. }, Value::Int(_) | Value::BigInt(_)) => Some(value.clone()),
        (Schema::Int { .. }, Value::Str(text)) => python::parse_int(text),
        (Schema::Float { .. }, Value::Float(_)) => Some(value.clone()),
        (Schema::Float { .. }, Value::Int(_) | Value::BigInt(_) | Value::Bool(_) | Value::Str(_)) => {
            python::parse_float(&number_text(value)).map(Value::Float)
        }
        (Schema::Enum { names }, Value::Str(text)) => {
            let name = text.rsplit('.').next().unwrap_or(text);
            names.contains(&name).then(|| Value::from(name))
        }
        (Schema::Bool { .. }, Value::Bool(_)) => Some(value.clone()),
        (Schema::Bool { .. }, Value::Int(number)) => Some(Value::Bool(*number != 0)),
        (Schema::Bool { .. }, Value::Str(text)) => boolean(text).map(Value::Bool),
        (Schema::RunMode, Value::Int(1)) => Some(Value::from("RUN")),
        (Schema::RunMode, Value::Int(2)) => Some(Value::from("MULTIRUN")),
        (Schema::RunMode, Value::Str(text)) => {
            let name = text.strip_prefix("RunMode.").unwrap_or(text);
            matches!(name, "RUN" | "MULTIRUN").then(|| Value::from(name))
        }
        _ => None,
    };
    converted.ok_or_else(|| {
        let message = format!("expected {}, got {} {}", schema.describe(), value.type_name(), python::repr(value));
        ConfigError::new(ErrorKind::HydraSchema, message)
    })
}

/// What Python's `float()` is given.
fn number_text(value: &Value) -> String {
    match value {
        Value::Bool(flag) => u8::from(*flag).to_string(),
        other => python::str(other),
    }
}

fn boolean(text: &str) -> Option<bool> {
    if let Some(number) = python::parse_int(text) {
        return Some(python::truthy(&number));
    }
    match text.to_lowercase().as_str() {
        "yes" | "y" | "on" | "true" => Some(true),
        "no" | "n" | "off" | "false" => Some(false),
        _ => None,
    }
}

/// Gives a node a type, and everything below the types that follow from it; values are converted in place.
///
/// # Errors
/// [`ErrorKind::HydraSchema`] for a value that its type does not accept, and for a key that a struct does not have.
pub(super) fn apply(tree: &mut Tree, id: NodeId, schema: &'static Schema) -> Result<(), ConfigError> {
    tree.set_schema(id, schema);
    let refused = |tree: &Tree| {
        let got = tree.to_value(id);
        let message = format!("{}: expected {}, got {}", tree.full_key(id), schema.describe(), got.type_name());
        Err(ConfigError::new(ErrorKind::HydraSchema, message).at(tree.trace(id).origin.location().cloned()))
    };
    match tree.content(id).clone() {
        Content::Scalar(value) => {
            if schema.is_container() {
                let may_stand =
                    value.is_missing() || value.is_interpolation() || value == Value::Null && schema.is_optional();
                return if may_stand { Ok(()) } else { refused(tree) };
            }
            let converted = convert(&value, schema)
                .map_err(|error| error.within(&tree.full_key(id)).at(tree.trace(id).origin.location().cloned()))?;
            tree.set_content(id, Content::Scalar(converted));
            Ok(())
        }
        Content::Map(map) => {
            if !matches!(schema, Schema::Map { .. } | Schema::Struct { .. }) {
                return refused(tree);
            }
            for (key, child) in map {
                check_key(schema, &key, &tree.full_key(id))
                    .map_err(|error| error.at(tree.trace(child).origin.location().cloned()))?;
                if let Some(item) = schema.child(&key)
                    && !(schema.is_map() && tree.is_container(child))
                {
                    apply(tree, child, item)?;
                }
            }
            Ok(())
        }
        Content::List(items) => match schema {
            Schema::List { item: None, .. } => Ok(()),
            Schema::List { item: Some(item), .. } => items.into_iter().try_for_each(|child| apply(tree, child, item)),
            _ => refused(tree),
        },
    }
}

/// Gives the type of a config of Hydra's own to the node that it was merged into: what stood there before the merge and
/// the type does not know stays unjudged, as in OmegaConf.
///
/// # Errors
/// As [`apply`].
pub(super) fn adopt(tree: &mut Tree, id: NodeId, schema: &'static Schema) -> Result<(), ConfigError> {
    let Content::Map(map) = tree.content(id).clone() else { return apply(tree, id, schema) };
    tree.set_schema(id, schema);
    for (key, child) in map {
        if let Some(field) = schema.child(&key) {
            apply(tree, child, field)?;
        }
    }
    Ok(())
}

/// Refuses a key that a struct does not have, and keys of maps that are no texts.
pub(super) fn check_key(schema: &Schema, key: &Key, at: &str) -> Result<(), ConfigError> {
    if schema.is_map() && key.as_str().is_none() {
        let message = format!("{at}: expected a text as key, got {key}");
        return Err(ConfigError::new(ErrorKind::HydraSchema, message).with_hint(Some(format!("quote it: '{key}'"))));
    }
    let Schema::Struct { name, fields } = schema else { return Ok(()) };
    let key = key.to_string();
    if fields.iter().any(|(field, _)| *field == key) {
        return Ok(());
    }
    let hint = suggestion(&key, fields.iter().map(|(field, _)| *field));
    let message = format!("key {key:?} is not in {name} at {at:?}");
    Err(ConfigError::new(ErrorKind::HydraSchema, message).with_hint(hint))
}
