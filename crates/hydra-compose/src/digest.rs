//! The digest of a resolved config.
//!
//! BLAKE3 behind the domain `spectramind/config/v1`, over a canonical encoding that distinguishes types:
//!
//! | value | encoding |
//! |---|---|
//! | null | `0` |
//! | boolean | `1`, then 0 or 1 |
//! | integer | `2`, then its decimal digits as a field |
//! | float | `3`, then its bits; all NaNs have the bits `7ff8000000000000` |
//! | text | `4`, then its UTF-8 bytes as a field |
//! | bytes | `5`, then the bytes as a field |
//! | list | `6`, then the number of items, then the items |
//! | map | `7`, then the number of entries, then key and value of each, in the order of the config |
//!
//! Numbers are little-endian `u64`; a field is its length in bytes and its bytes. Every value starts with its kind and
//! every collection with its length, so no two configs share an encoding. The order of keys counts, because it is
//! part of what Hydra composes.

use blake3::Hash;

use super::value::Value;

const DOMAIN: &str = "spectramind/config/v1";
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// BLAKE3 over typed fields, behind a domain string: no two purposes, and no two different inputs, share a preimage.
#[derive(Clone)]
pub(crate) struct DomainHasher(blake3::Hasher);

impl DomainHasher {
    /// Starts a digest for one purpose.
    pub(crate) fn new(domain: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new());
        hasher.field(domain.as_bytes());
        hasher
    }

    /// Adds one variable-length field, length first.
    pub(crate) fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.u64(bytes.len() as u64);
        self.0.update(bytes);
        self
    }

    /// Adds one integer, little-endian.
    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.update(&value.to_le_bytes());
        self
    }

    /// The digest of all that was added.
    pub(crate) fn finish(&self) -> Hash {
        self.0.finalize()
    }
}

/// The digest of a config.
pub fn digest_of(value: &Value) -> Hash {
    let mut hasher = DomainHasher::new(DOMAIN);
    encode(value, &mut hasher);
    hasher.finish()
}

fn encode(value: &Value, hasher: &mut DomainHasher) {
    match value {
        Value::Null => {
            hasher.u64(0);
        }
        Value::Bool(flag) => {
            hasher.u64(1).u64(u64::from(*flag));
        }
        Value::Int(number) => {
            hasher.u64(2).field(number.to_string().as_bytes());
        }
        Value::BigInt(number) => {
            hasher.u64(2).field(number.to_string().as_bytes());
        }
        Value::Float(number) => {
            hasher.u64(3).u64(if number.is_nan() { CANONICAL_NAN } else { number.to_bits() });
        }
        Value::Str(text) => {
            hasher.u64(4).field(text.as_bytes());
        }
        Value::Bytes(bytes) => {
            hasher.u64(5).field(bytes);
        }
        Value::List(items) => {
            hasher.u64(6).u64(items.len() as u64);
            items.iter().for_each(|item| encode(item, hasher));
        }
        Value::Map(map) => {
            hasher.u64(7).u64(map.len() as u64);
            for (key, value) in map {
                encode(&key.to_value(), hasher);
                encode(value, hasher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{load_yaml, to_json};

    fn digest(yaml: &str) -> Hash {
        digest_of(&load_yaml(yaml).expect("legal YAML"))
    }

    #[test]
    fn values_that_differ_in_type_length_or_order_differ_in_digest() {
        let texts =
            ["a: 1", "a: 1.0", "a: '1'", "a: true", "a: null", "a: [1]", "a: {b: 1}", "b: 1", "1: 1", "a: [[1]]"];
        for (index, a) in texts.iter().enumerate() {
            for b in &texts[index + 1..] {
                assert_ne!(digest(a), digest(b), "{a} and {b}");
            }
        }
        assert_ne!(digest("a: 1\nb: 2"), digest("b: 2\na: 1"));
        assert_ne!(digest("a: 0.0"), digest("a: -0.0"));
        assert_eq!(digest("a: {x: 1}"), digest("a:\n  x: 0x1 # the same value\n"));
    }

    #[test]
    fn the_encoding_does_not_change() {
        let expected = "ee142d9166c845c9b5d166a752c3330a39d1c9f2c546222dce0fc9e4ff2c3825";
        assert_eq!(digest("a: [1, 2.5, x, null, true]\n").to_string(), expected);
    }

    /// Every kind, length and order that the encoding tells apart.
    const VECTORS: &[(&str, &str)] = &[
        ("empty map", "{}"),
        ("empty list", "a: []"),
        ("empty map in a map", "a: {}"),
        ("null", "a: null"),
        ("booleans", "{a: true, b: false}"),
        ("small integers", "[0, 1, -1, 9223372036854775807, -9223372036854775808]"),
        ("big integers", "[9223372036854775808, -9223372036854775809, 123456789012345678901234567890]"),
        ("integers of other bases", "[0x1f, 017, 0b101, 1_000, 12:30]"),
        ("floats", "[0.5, 1.0, -2.5e-3, 1e300, 5e-324]"),
        ("zeros", "[0, 0.0, -0.0]"),
        ("infinities", "[.inf, -.inf]"),
        ("not a number", "[.nan, .NaN]"),
        ("texts", "[x, '', '1', 'true', 'null', ' ']"),
        ("unicode", "[é, 日本, 🪐, \"\\0\"]"),
        ("one text and two", "[ab, [a, b]]"),
        ("bytes", "[!!binary AP8=, !!binary '']"),
        ("missing and interpolated", "['???', '${a}']"),
        ("keys of other kinds", "2: a\n1.5: b\ntrue: c\n? !!binary AA==\n: d\nx: e\n"),
        ("order", "{b: 1, a: 2}"),
        ("order turned around", "{a: 2, b: 1}"),
        ("nesting", "a: {b: [{c: [[], {}]}, d]}"),
        ("list at the top", "[a, {b: 1}]"),
        (
            "more than a chunk of BLAKE3",
            "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, &x [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], *x, *x, *x, *x, *x]",
        ),
    ];

    #[test]
    fn digests_agree_with_the_golden_vectors() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/digest/vectors.json");
        let vector = |(name, yaml): &(&str, &str)| {
            let value = load_yaml(yaml).expect("legal YAML");
            // The value is there for programs that do not read YAML.
            json!({ "name": name, "yaml": yaml, "value": to_json(&value), "digest": digest_of(&value).to_string() })
        };
        let found: Vec<Json> = VECTORS.iter().map(vector).collect();
        let text = serde_json::to_string_pretty(&found).expect("JSON") + "\n";
        if std::env::var_os("SPECTRAMIND_UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(&path, &text).expect("a written file");
        }
        let expected = std::fs::read_to_string(&path).expect("the golden file");
        assert!(text == expected, "{} differs: see golden/README.md", path.display());
    }
}
