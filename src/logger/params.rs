//! A composed config as a list: what other tools call parameters.

use std::fmt;

use crate::config::Value;

/// A value of a config, by its dotted key.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The key.
    pub key: String,
    /// The value. A list is one value, and so is a map without keys.
    pub value: ParamValue,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamValue {
    /// None.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text, or anything else as Python's `str` writes it.
    Text(String),
}

impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// The values of a config in its order, by dotted key; interpolations as they stand in it.
pub fn flattened(config: &Value) -> Vec<Param> {
    let mut params = Vec::new();
    flatten(config, "", &mut params);
    params
}

fn flatten(value: &Value, key: &str, params: &mut Vec<Param>) {
    let value = match value {
        Value::Map(map) if !map.is_empty() => {
            for (name, value) in map.iter() {
                let key = if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
                flatten(value, &key, params);
            }
            return;
        }
        Value::Null => ParamValue::Null,
        Value::Bool(value) => ParamValue::Bool(*value),
        Value::Int(value) => ParamValue::Int(*value),
        Value::Float(value) => ParamValue::Float(*value),
        Value::Str(value) => ParamValue::Text(value.clone()),
        other => ParamValue::Text(other.to_string()),
    };
    params.push(Param { key: key.to_owned(), value });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_dotted_and_lists_are_values() {
        let text = "a: {b: 1, c: {d: null, e: 0.5}}\nf: [1, x]\ng: {}\nh: ${a.b}\n";
        let params = flattened(&crate::config::load_yaml(text).expect("YAML"));
        let lines: Vec<_> = params.iter().map(|param| format!("{}={}", param.key, param.value)).collect();
        assert_eq!(lines, ["a.b=1", "a.c.d=null", "a.c.e=0.5", "f=[1, 'x']", "g={}", "h=${a.b}"]);
    }
}
