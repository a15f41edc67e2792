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

use super::value::Value;
use crate::digest::{Blake3Digest, DomainHasher};

const DOMAIN: &str = "spectramind/config/v1";
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// The digest of a config.
pub fn digest_of(value: &Value) -> Blake3Digest {
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
    use super::*;
    use crate::config::load_yaml;

    fn digest(yaml: &str) -> Blake3Digest {
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
}
