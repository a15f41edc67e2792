//! A config as JSON without loss: what JSON cannot say is marked up.
//!
//! | value | JSON |
//! |---|---|
//! | `nan`, `inf`, `-inf` | `{"$float": "nan"}` … |
//! | an integer beyond 64 bits | `{"$int": "…"}` |
//! | bytes | `{"$bytes": "hexadecimal"}` |
//! | a map with a key that is no text | `{"$map": [[key, value], …]}` |
//!
//! The encoding of the conformance suite. A map of a config that looks like one of these marks is not told apart.

use serde_json::{Map as JsonMap, Value as Json, json};

use super::python;
use super::value::{Map, Value};

/// A value as JSON.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::BigInt(number) => json!({ "$int": number.to_string() }),
        Value::Float(number) if number.is_finite() => (*number).into(),
        Value::Float(_) => json!({ "$float": python::str(value) }),
        Value::Str(text) => text.as_str().into(),
        Value::Bytes(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "$bytes": digits })
        }
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(map) => map_to_json(map),
    }
}

fn map_to_json(map: &Map) -> Json {
    let with_texts: Option<JsonMap<String, Json>> =
        map.iter().map(|(key, value)| Some((key.as_str()?.to_owned(), to_json(value)))).collect();
    with_texts.map_or_else(
        || {
            let pairs: Vec<Json> =
                map.iter().map(|(key, value)| json!([to_json(&key.to_value()), to_json(value)])).collect();
            json!({ "$map": pairs })
        },
        Json::Object,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_yaml;

    #[test]
    fn what_json_cannot_say_is_marked_up() {
        let text =
            "a: [.inf, -.inf, .nan, 1.5, 1.0]\nb: 123456789012345678901234567890\nc: !!binary AP8=\nd: {1: x}\ne: {}\n";
        let expected = r#"{"a":[{"$float":"inf"},{"$float":"-inf"},{"$float":"nan"},1.5,1.0],"b":{"$int":"123456789012345678901234567890"},"c":{"$bytes":"00ff"},"d":{"$map":[[1,"x"]]},"e":{}}"#;
        assert_eq!(to_json(&load_yaml(text).expect("legal YAML")).to_string(), expected);
    }
}
