//! Rules whose values YAML spells in more than one way, and what one of them may say.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::config::{Key, MISSING, Map, Value, to_json};
use crate::provenance::git::GitId;

/// A rule that is there, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Demand {
    /// It must be so.
    Required,
}

/// Rules about what a score was computed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeldOutRules {
    /// The least number of held-out samples behind every metric `test/…`.
    #[schemars(range(min = 1))]
    pub min: Option<u64>,
}

/// Rules about the program that trained.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProgramRules {
    /// The commits that it may say it was built from, in full, without changes to any.
    #[schemars(length(min = 1))]
    pub commits: Option<Vec<GitId>>,
}

/// The seeds that will do: one, or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedRule(pub Vec<u64>);

/// The value that a key of the composed config must have, exactly: `1`, `1.0` and `'1'` are three values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigValue(pub Value);

impl ConfigValue {
    /// Whether no composed config could have it.
    pub(super) fn is_unresolved(&self) -> bool {
        fn holds(value: &Value) -> bool {
            match value {
                Value::Str(text) => text == MISSING || text.contains("${"),
                Value::List(items) => items.iter().any(holds),
                Value::Map(map) => map.values().any(holds),
                _ => false,
            }
        }
        holds(&self.0)
    }
}

/// As JSON, which tells `1` from `1.0` and `"1"`.
impl fmt::Display for ConfigValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", to_json(&self.0))
    }
}

impl<'de> Deserialize<'de> for SeedRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seeds;
        impl<'de> Visitor<'de> for Seeds {
            type Value = SeedRule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a seed or a list of seeds")
            }

            fn visit_u64<E: de::Error>(self, seed: u64) -> Result<SeedRule, E> {
                Ok(SeedRule(vec![seed]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seeds: A) -> Result<SeedRule, A::Error> {
                let mut all = Vec::new();
                while let Some(seed) = seeds.next_element()? {
                    all.push(seed);
                }
                Ok(SeedRule(all))
            }
        }
        deserializer.deserialize_any(Seeds)
    }
}

impl JsonSchema for SeedRule {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SeedRule".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let seed = serde_json::json!({ "type": "integer", "minimum": 0 });
        schemars::json_schema!({ "anyOf": [seed, { "type": "array", "items": seed, "minItems": 1 }] })
    }
}

impl<'de> Deserialize<'de> for ConfigValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = ConfigValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of the config")
            }

            fn visit_unit<E: de::Error>(self) -> Result<ConfigValue, E> {
                Ok(ConfigValue(Value::Null))
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<ConfigValue, E> {
                Ok(ConfigValue(Value::Bool(flag)))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<ConfigValue, E> {
                Ok(ConfigValue(Value::Int(number)))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<ConfigValue, E> {
                Ok(ConfigValue(Value::from_bigint(number.into())))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<ConfigValue, E> {
                Ok(ConfigValue(Value::Float(number)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ConfigValue, E> {
                Ok(ConfigValue(text.into()))
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<ConfigValue, E> {
                Ok(ConfigValue(Value::Bytes(bytes.to_vec())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ConfigValue, A::Error> {
                let mut list = Vec::new();
                while let Some(ConfigValue(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(ConfigValue(Value::List(list)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<ConfigValue, A::Error> {
                let mut map = Map::new();
                while let Some((key, ConfigValue(value))) = entries.next_entry::<String, ConfigValue>()? {
                    map.insert(Key::Str(key), value);
                }
                Ok(ConfigValue(Value::Map(map)))
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

impl JsonSchema for ConfigValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ConfigValue".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}
