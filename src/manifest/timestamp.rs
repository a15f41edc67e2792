//! Calendar times as RFC 3339 with `Z`, and the zone that a clock showed them in. Self-asserted wherever they occur: no timestamp authority is asked.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A calendar time in UTC, written as `2026-01-31T12:00:00Z` with as many fractional digits as it needs.
///
/// One time has one spelling: another offset, lower-case letters and trailing zeros are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcTime(pub jiff::Timestamp);

/// A text that is no such time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as 2026-01-31T12:00:00Z, got {got:?}")]
pub struct UtcTimeError {
    /// The text as given.
    pub got: String,
}

impl From<jiff::Timestamp> for UtcTime {
    fn from(time: jiff::Timestamp) -> Self {
        Self(time)
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UtcTime {
    type Err = UtcTimeError;

    fn from_str(text: &str) -> Result<Self, UtcTimeError> {
        let time = text.parse().ok().map(Self).filter(|time| time.to_string() == text);
        time.ok_or_else(|| UtcTimeError { got: text.to_owned() })
    }
}

impl Serialize for UtcTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UtcTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for UtcTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "UtcTime".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{0,8}[1-9])?Z$",
        })
    }
}

/// How far a clock is ahead of UTC, in seconds; east of Greenwich is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UtcOffset(pub jiff::tz::Offset);

impl Default for UtcOffset {
    fn default() -> Self {
        Self(jiff::tz::Offset::UTC)
    }
}

impl UtcOffset {
    /// Whether the clock shows UTC.
    pub fn is_utc(&self) -> bool {
        self.0 == jiff::tz::Offset::UTC
    }

    /// What such a clock shows at a time.
    pub fn show(&self, time: UtcTime) -> jiff::Zoned {
        time.0.to_zoned(self.0.to_time_zone())
    }
}

impl Serialize for UtcOffset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(self.0.seconds())
    }
}

impl<'de> Deserialize<'de> for UtcOffset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = i32::deserialize(deserializer)?;
        jiff::tz::Offset::from_seconds(seconds).map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for UtcOffset {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "UtcOffset".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (least, most) = (jiff::tz::Offset::MIN.seconds(), jiff::tz::Offset::MAX.seconds());
        schemars::json_schema!({ "type": "integer", "minimum": least, "maximum": most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_spelling() {
        for text in ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000001Z", "1969-12-31T23:59:59.5Z"] {
            assert_eq!(text.parse::<UtcTime>().expect(text).to_string(), text);
        }
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00+00:00",
            "2026-01-31T13:00:00+01:00",
            "2026-01-31t12:00:00z",
            "2026-01-31 12:00:00Z",
            "2026-01-31T12:00:00.50Z",
            "2026-02-30T12:00:00Z",
            "2026-01-31T12:00:00Z[UTC]",
        ] {
            assert_eq!(text.parse::<UtcTime>(), Err(UtcTimeError { got: text.to_owned() }));
        }
    }
}
