//! Wall-clock durations as Lightning's `max_time` writes them; beside the engine, because the light verifier reads them, too.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A wall-clock duration as Lightning writes it: whole seconds, `HH:MM:SS` or `DD:HH:MM:SS`.
///
/// YAML 1.1 reads an unquoted `9:00:00` as the base-60 integer 32400, so both spellings mean the same here. An unquoted
/// `1:00:00:00` is 216000 to it and not a day, which nobody can tell any more: days need quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallTime(pub Duration);

impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_secs())
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Seconds(u64),
            Clock(String),
        }
        const EXPECTED: &str = "expected whole seconds, \"HH:MM:SS\" or \"DD:HH:MM:SS\"";
        match Written::deserialize(deserializer).map_err(|_| serde::de::Error::custom(EXPECTED))? {
            Written::Seconds(seconds) => Ok(Self(Duration::from_secs(seconds))),
            Written::Clock(text) => match seconds(&text) {
                Some(seconds) => Ok(Self(Duration::from_secs(seconds))),
                None => Err(serde::de::Error::custom(format!("{EXPECTED}, got {text:?}"))),
            },
        }
    }
}

impl JsonSchema for WallTime {
    fn schema_name() -> Cow<'static, str> {
        "WallTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A wall-clock duration: whole seconds, HH:MM:SS or DD:HH:MM:SS.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^([0-9]+:([01][0-9]|2[0-3])|[0-9]+):[0-5][0-9]:[0-5][0-9]$|^[0-9]+$" }
            ]
        })
    }
}

/// Seconds of `HH:MM:SS` or `DD:HH:MM:SS`, or of digits alone, which are seconds; `None` for anything else.
///
/// The first field may have any number of digits, as in Lightning's `Timer`; the others have two and stay in their range.
/// `MM:SS` is refused: half of its readers take it for hours and minutes.
fn seconds(text: &str) -> Option<u64> {
    let digits = |field: &&str| !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    let fields: Vec<&str> = text.split(':').collect();
    if !fields.iter().all(digits) || fields.iter().skip(1).any(|field| field.len() != 2) {
        return None;
    }
    let numbers = fields.iter().map(|field| field.parse::<u64>().ok()).collect::<Option<Vec<_>>>()?;
    let (days, hours, [minutes, seconds]) = match numbers[..] {
        [seconds] => return Some(seconds),
        [hours, minutes, seconds] => (0, hours, [minutes, seconds]),
        [days, hours @ ..24, minutes, seconds] => (days, hours, [minutes, seconds]),
        _ => return None,
    };
    if minutes >= 60 || seconds >= 60 {
        return None;
    }
    days.checked_mul(86_400)?.checked_add(hours.checked_mul(3600)?)?.checked_add(minutes * 60 + seconds)
}
