//! JSON Schema of every document, generated from the types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::provenance::data::DataFile;

use super::dsse::Envelope;
use super::predicate::TrainingRun;
use super::statement::Statement;
use super::trust::TrustPolicy;

/// Every document: the file's name in `schemas/`, and its schema (JSON Schema 2020-12).
pub fn documents() -> Vec<(&'static str, Value)> {
    vec![
        ("data-file.schema.json", schema::<DataFile>()),
        ("envelope.schema.json", schema::<Envelope>()),
        ("training-run.schema.json", schema::<Statement<TrainingRun>>()),
        ("trust-policy.schema.json", schema::<TrustPolicy>()),
    ]
}

fn schema<T: JsonSchema>() -> Value {
    // As serialized: an absent option is an explicit null there, so every field is required.
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}
