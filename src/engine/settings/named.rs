//! Config groups whose keys depend on their `name`.

use schemars::{Schema, json_schema};
use serde::de::Error;
use serde_json::{Map, Value};

/// Takes a key that the name needs.
pub(super) fn take<T, E: Error>(value: &mut Option<T>, key: &'static str) -> Result<T, E> {
    value.take().ok_or_else(|| E::missing_field(key))
}

/// Refuses the first key that is there and that the name does not have; `known` are those that it has.
pub(super) fn refuse_others<E: Error>(
    others: &[(&'static str, bool)],
    known: &'static [&'static str],
) -> Result<(), E> {
    match others.iter().find(|(_, is_there)| *is_there) {
        Some((key, _)) => Err(E::unknown_field(key, known)),
        None => Ok(()),
    }
}

/// The schema of an object with `name`, the properties of `common`, and those of its name, all of them required.
pub(super) fn schema(description: &str, common: &Schema, variants: &[(&str, Schema)]) -> Schema {
    let properties = |schema: &Schema| match schema.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        _ => Map::new(),
    };
    let branch = |(name, own): &(&str, Schema)| {
        let named = Map::from_iter([("name".to_owned(), json_schema!({ "const": name }).to_value())]);
        let properties: Map<_, _> = named.into_iter().chain(properties(common)).chain(properties(own)).collect();
        let required: Vec<_> = properties.keys().cloned().collect();
        json_schema!({
            "if": { "properties": { "name": { "const": name } }, "required": ["name"] },
            "then": { "properties": properties, "required": required, "additionalProperties": false },
        })
    };
    let names: Vec<_> = variants.iter().map(|(name, _)| *name).collect();
    let branches: Vec<_> = variants.iter().map(branch).collect();
    json_schema!({
        "description": description,
        "type": "object",
        "properties": { "name": { "enum": names } },
        "required": ["name"],
        "allOf": branches,
    })
}
