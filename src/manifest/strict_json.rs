//! JSON that two parsers cannot read differently.
//!
//! Documents are at most [`MAX_BYTES`] long and [`MAX_DEPTH`] deep; duplicate keys, in whatever spelling, and trailing
//! bytes are refused here, unknown keys by the types (`deny_unknown_fields`). Integers that may pass 2^53 are
//! [`DecimalU64`], and refused as numbers; floats that matter are [`ExactF64`].

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::failure::Advice;

/// Largest document in bytes: bounds what a stranger can make us read before anything is verified.
pub const MAX_BYTES: usize = 1 << 20;

/// Most objects and arrays within each other: bounds the stack.
pub const MAX_DEPTH: usize = 32;

/// Largest integer that every parser reads alike: many hold numbers as doubles.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// A document that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Longer than [`MAX_BYTES`].
    #[error("JSON document has {got} bytes, expected at most {MAX_BYTES}")]
    TooLarge {
        /// Its size.
        got: usize,
    },
    /// Deeper than [`MAX_DEPTH`].
    #[error("JSON document nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// An object has a key twice.
    #[error("JSON object has the key {key:?} twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// An integer beyond [`MAX_INTEGER`], either way.
    #[error("JSON integer {got}, expected at most {MAX_INTEGER} either side of zero")]
    UnsafeInteger {
        /// The integer.
        got: i128,
    },
    /// Something after the document.
    #[error("JSON document is followed by other bytes")]
    Trailing,
    /// Not JSON.
    #[error("not JSON: {message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// JSON, but not such a document.
    #[error("JSON at {path}: {message}")]
    Data {
        /// Where, as in `subject[0].name`.
        path: String,
        /// What is wrong there.
        message: String,
    },
}

impl Advice for JsonError {}

/// Parses a document.
///
/// # Errors
/// [`JsonError`].
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    check(bytes)?;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| JsonError::Data {
        path: error.path().to_string(),
        // The position is dropped: the path says more.
        message: bare_message(error.inner()),
    })
}

/// Writes a document: compact UTF-8, fields in the order of the type.
///
/// # Errors
/// [`JsonError`]: nothing is written that [`from_slice`] refuses.
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| JsonError::Data { path: ".".to_owned(), message: error.to_string() })?;
    check(&bytes)?;
    Ok(bytes)
}

/// Checks what typed parsing does not: size, depth, duplicate keys, large integers, trailing bytes.
///
/// The tokens come from the parser that later fills the types, so there is no second opinion on escapes.
fn check(bytes: &[u8]) -> Result<(), JsonError> {
    if bytes.len() > MAX_BYTES {
        return Err(JsonError::TooLarge { got: bytes.len() });
    }
    let mut fault = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let walked = Walk { depth: 0, fault: &mut fault }.deserialize(&mut deserializer);
    match (fault, walked) {
        (Some(fault), _) => Err(fault),
        (None, Err(error)) => Err(JsonError::Syntax { message: error.to_string() }),
        (None, Ok(())) => deserializer.end().map_err(|_| JsonError::Trailing),
    }
}

struct Walk<'a> {
    depth: usize,
    fault: &'a mut Option<JsonError>,
}

impl Walk<'_> {
    fn deeper<E: serde::de::Error>(&mut self) -> Result<Walk<'_>, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.stop(JsonError::TooDeep));
        }
        Ok(Walk { depth: self.depth + 1, fault: self.fault })
    }

    fn integer<E: serde::de::Error>(mut self, got: i128) -> Result<(), E> {
        match got.unsigned_abs() <= MAX_INTEGER.into() {
            true => Ok(()),
            false => Err(self.stop(JsonError::UnsafeInteger { got })),
        }
    }

    fn stop<E: serde::de::Error>(&mut self, fault: JsonError) -> E {
        let error = E::custom(&fault);
        *self.fault = Some(fault);
        error
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.integer(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.integer(value.into())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while elements.next_element_seed(Walk { depth: inner.depth, fault: inner.fault })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let mut inner = self.deeper()?;
        let mut keys = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(inner.stop(JsonError::DuplicateKey { key }));
            }
            keys.insert(key);
            entries.next_value_seed(Walk { depth: inner.depth, fault: inner.fault })?;
        }
        Ok(())
    }
}

/// serde_json's message without " at line 1 column 2".
fn bare_message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}

/// A `u64` written as a decimal string: JSON numbers are safe up to 2^53 only.
///
/// One value has one spelling: no sign, no leading zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecimalU64(pub u64);

impl From<u64> for DecimalU64 {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl fmt::Display for DecimalU64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for DecimalU64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DecimalU64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = text.parse::<u64>().ok().filter(|value| value.to_string() == text);
        value.map(Self).ok_or_else(|| {
            serde::de::Error::custom(format_args!("expected an unsigned 64-bit integer in decimal, got {text:?}"))
        })
    }
}

impl JsonSchema for DecimalU64 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DecimalU64".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "An unsigned 64-bit integer in decimal, without sign or leading zeros.",
            "pattern": "^(0|[1-9][0-9]{0,19})$",
        })
    }
}

/// A finite `f64` with its bits: `{"value":0.1,"bits":"3fb999999999999a"}`.
///
/// The bits count; the value is for people, and is refused where it is not that of the bits.
#[derive(Debug, Clone, Copy)]
pub struct ExactF64(f64);

/// A float that is not a number, or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a finite float, got one with the bits {bits:016x}")]
pub struct NonFinite {
    /// Its bits.
    pub bits: u64,
}

impl Advice for NonFinite {}

impl ExactF64 {
    /// Wraps a finite value.
    ///
    /// # Errors
    /// [`NonFinite`]: JSON has no such numbers.
    pub fn new(value: f64) -> Result<Self, NonFinite> {
        if value.is_finite() { Ok(Self(value)) } else { Err(NonFinite { bits: value.to_bits() }) }
    }

    /// The value.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for ExactF64 {
    type Error = NonFinite;

    fn try_from(value: f64) -> Result<Self, NonFinite> {
        Self::new(value)
    }
}

/// Equal bits, so that 0 and -0 differ.
impl PartialEq for ExactF64 {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for ExactF64 {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExactF64Fields {
    value: f64,
    bits: String,
}

impl Serialize for ExactF64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ExactF64Fields { value: self.0, bits: format!("{:016x}", self.0.to_bits()) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExactF64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ExactF64Fields { value, bits } = Deserialize::deserialize(deserializer)?;
        let expected = format!("{:016x}", value.to_bits());
        if bits != expected {
            let message = format_args!("bits of {value:?}: expected {expected:?}, got {bits:?}");
            return Err(serde::de::Error::custom(message));
        }
        Self::new(value).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ExactF64 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ExactF64".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "description": "A finite double: the readable value, and its IEEE 754 bits as 16 hex digits, most significant first.",
            "properties": {
                "value": { "type": "number" },
                "bits": { "type": "string", "pattern": "^[0-9a-f]{16}$" },
            },
            "required": ["value", "bits"],
            "additionalProperties": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        a: u32,
        b: Vec<String>,
    }

    fn refusal(text: impl AsRef<[u8]>) -> JsonError {
        from_slice::<Document>(text.as_ref()).expect_err("hostile")
    }

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn a_duplicate_key_is_refused() {
        assert_eq!(refusal(r#"{"a":1,"b":[],"a":1}"#), JsonError::DuplicateKey { key: "a".into() });
    }

    #[test]
    fn a_duplicate_key_behind_an_escape_is_refused() {
        assert_eq!(refusal(r#"{"a":1,"b":[],"\u0061":1}"#), JsonError::DuplicateKey { key: "a".into() });
    }

    #[test]
    fn a_duplicate_key_deep_inside_is_refused() {
        assert_eq!(refusal(r#"{"a":1,"b":[[{"x":{"y":1,"y":2}}]]}"#), JsonError::DuplicateKey { key: "y".into() });
    }

    #[test]
    fn the_same_key_in_two_objects_is_no_duplicate() {
        assert_eq!(check(br#"[{"a":1},{"a":{"a":1}}]"#), Ok(()));
    }

    #[test]
    fn nesting_is_accepted_to_the_limit_and_refused_beyond() {
        assert_eq!(check(nested(MAX_DEPTH).as_bytes()), Ok(()));
        assert_eq!(check(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::TooDeep));
        let objects = "{\"a\":".repeat(MAX_DEPTH + 1) + "1" + &"}".repeat(MAX_DEPTH + 1);
        assert_eq!(check(objects.as_bytes()), Err(JsonError::TooDeep));
        // An unclosed tower must not reach the end of the stack, nor serde_json's own limit.
        assert_eq!(check("[".repeat(100_000).as_bytes()), Err(JsonError::TooDeep));
    }

    #[test]
    fn width_is_not_depth() {
        assert_eq!(check(format!("[{}]", vec!["[]"; 100].join(",")).as_bytes()), Ok(()));
    }

    #[test]
    fn an_oversize_document_is_refused_before_it_is_parsed() {
        assert_eq!(refusal(vec![b' '; MAX_BYTES + 1]), JsonError::TooLarge { got: MAX_BYTES + 1 });
        assert_eq!(to_vec(&"a".repeat(MAX_BYTES)), Err(JsonError::TooLarge { got: MAX_BYTES + 2 }));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        for tail in ["{}", "x", "\0", "]"] {
            assert_eq!(refusal(format!("{{\"a\":1,\"b\":[]}}{tail}")), JsonError::Trailing);
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = refusal(r#"{"a":1,"b":[],"c":1}"#);
        assert!(matches!(&error, JsonError::Data { message, .. } if message.contains("unknown field `c`")), "{error}");
    }

    #[test]
    fn a_wrong_value_is_named_by_its_path() {
        let error = refusal(r#"{"a":1,"b":["x",2]}"#);
        assert_eq!(error.to_string(), "JSON at b[1]: invalid type: integer `2`, expected a string");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "{'a':1}", "\u{feff}{}", "NaN", "[1,]", "\"\\ud800\""] {
            assert!(matches!(refusal(text), JsonError::Syntax { .. }), "{text}");
        }
        assert!(matches!(refusal(b"\"\xff\""), JsonError::Syntax { .. }));
    }

    #[test]
    fn an_integer_that_parsers_read_differently_is_refused() {
        for (text, got) in [("9007199254740992", 1 << 53), ("-9007199254740992", -1 << 53)] {
            assert_eq!(check(format!("[{text}]").as_bytes()), Err(JsonError::UnsafeInteger { got }));
        }
        assert_eq!(check(b"[9007199254740991,-9007199254740991,9007199254740992.0]"), Ok(()));
        assert_eq!(to_vec(&u64::MAX), Err(JsonError::UnsafeInteger { got: u64::MAX.into() }));
    }

    #[test]
    fn an_integer_in_another_spelling_is_refused() {
        for text in ["\"01\"", "\"+1\"", "\"-1\"", "\"1.0\"", "\"\"", "\"18446744073709551616\"", "1", "\"1 \""] {
            assert!(from_slice::<DecimalU64>(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(from_slice(b"\"18446744073709551615\""), Ok(DecimalU64(u64::MAX)));
    }

    #[test]
    fn a_float_whose_value_and_bits_disagree_is_refused() {
        for text in [
            r#"{"value":0.1,"bits":"3fb999999999999b"}"#,
            r#"{"value":0.0,"bits":"8000000000000000"}"#,
            r#"{"value":0.1,"bits":"3FB999999999999A"}"#,
            r#"{"value":null,"bits":"7ff8000000000000"}"#,
            r#"{"value":1e999,"bits":"7ff0000000000000"}"#,
        ] {
            assert!(from_slice::<ExactF64>(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_non_finite_float_cannot_be_recorded() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(ExactF64::new(value), Err(NonFinite { bits: value.to_bits() }));
        }
    }

    proptest! {
        #[test]
        fn integers_round_trip(value: u64) {
            let bytes = to_vec(&DecimalU64(value)).expect("small");
            prop_assert_eq!(from_slice(&bytes), Ok(DecimalU64(value)));
        }

        #[test]
        fn finite_floats_round_trip_bit_for_bit(bits: u64) {
            let Ok(value) = ExactF64::new(f64::from_bits(bits)) else { return Ok(()) };
            let bytes = to_vec(&value).expect("small");
            prop_assert_eq!(from_slice::<ExactF64>(&bytes), Ok(value));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = from_slice::<Document>(&bytes);
        }

        #[test]
        fn documents_round_trip(a: u32, b: Vec<String>) {
            let document = Document { a, b };
            prop_assert_eq!(from_slice(&to_vec(&document).expect("small")), Ok(document));
        }
    }
}
