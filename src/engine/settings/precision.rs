//! The arithmetic of a run: `trainer.precision`, `trainer.numerics`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Width of the floats that are multiplied in matrix products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// f32 everywhere.
    Full,
    /// f16 operands of matrix products; f32 sums, loss and optimizer; a dynamic loss scale.
    MixedF16,
    /// bf16 operands of matrix products; f32 sums, loss and optimizer.
    MixedBf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "32",
            Self::MixedF16 => "16-mixed",
            Self::MixedBf16 => "bf16-mixed",
        })
    }
}

impl Serialize for Precision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Full => serializer.serialize_u32(32),
            mixed => serializer.collect_str(mixed),
        }
    }
}

impl<'de> Deserialize<'de> for Precision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bits(u64),
            Name(String),
        }
        match Written::deserialize(deserializer).map_err(|_| serde::de::Error::custom(EXPECTED_PRECISION))? {
            Written::Bits(32) => Ok(Self::Full),
            Written::Name(name) => match name.as_str() {
                "32" => Ok(Self::Full),
                "16-mixed" => Ok(Self::MixedF16),
                "bf16-mixed" => Ok(Self::MixedBf16),
                other => Err(serde::de::Error::custom(format!("{EXPECTED_PRECISION}, got {other:?}"))),
            },
            Written::Bits(other) => Err(serde::de::Error::custom(format!("{EXPECTED_PRECISION}, got {other}"))),
        }
    }
}

impl JsonSchema for Precision {
    fn schema_name() -> Cow<'static, str> {
        "Precision".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Width of the floats that are multiplied in matrix products.", "enum": [32, "32", "16-mixed", "bf16-mixed"] })
    }
}

const EXPECTED_PRECISION: &str = "expected 32, 16-mixed or bf16-mixed";

/// Which arithmetic a run promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Numerics {
    /// The bits of the numerics contract, on any conforming device.
    Portable,
    /// The fast kernels of one backend; equal bits on the same kind of device only.
    Native,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_a_number_or_a_name() {
        let read = |text: &str| serde_json::from_str::<Precision>(text).ok();
        assert_eq!(read("32"), Some(Precision::Full));
        assert_eq!(read("\"16-mixed\""), Some(Precision::MixedF16));
        assert_eq!(read("64"), None);
    }
}
