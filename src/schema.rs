//! JSON Schema of every document, generated from the types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::provenance::data::DataFile;

use crate::manifest::dsse::Envelope;
use crate::manifest::origin::RunOrigin;
use crate::manifest::predicate::TrainingRun;
use crate::manifest::statement::{Predicate, Statement};
use crate::manifest::trust::TrustPolicy;
use crate::verify::{PolicyFile, Report};

/// Every document that is signed or exchanged: the file's name in `schemas/`, and its schema (JSON Schema 2020-12).
pub fn documents() -> Vec<(&'static str, Value)> {
    vec![
        ("data-file.schema.json", schema::<DataFile>()),
        ("envelope.schema.json", schema::<Envelope>()),
        ("provenance.schema.json", schema::<RunOrigin>()),
        ("report.schema.json", schema::<Report>()),
        ("training-run.schema.json", statement::<TrainingRun>()),
        ("trust-policy.schema.json", schema::<TrustPolicy>()),
    ]
}

/// The verifier's policy file, which people write: what they may leave out is not required.
pub fn policy() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PolicyFile>().to_value()
}

/// The primary config of every command, resolved: the command, and its schema in `schemas/config.<command>.schema.json`.
#[cfg(feature = "engine")]
pub fn configs() -> Vec<(&'static str, Value)> {
    use crate::ariel::config::{CalibrateConfig, EvaluateConfig, PredictConfig, SimulateConfig, TrainConfig};
    vec![
        ("calibrate", schema::<CalibrateConfig>()),
        ("evaluate", schema::<EvaluateConfig>()),
        ("predict", schema::<PredictConfig>()),
        ("simulate", schema::<SimulateConfig>()),
        ("train", schema::<TrainConfig>()),
    ]
}

fn statement<P: Predicate + JsonSchema>() -> Value {
    let mut schema = schema::<Statement<P>>();
    schema["properties"]["predicateType"]["const"] = P::TYPE.into();
    schema
}

fn schema<T: JsonSchema>() -> Value {
    // As serialized: an absent option is an explicit null there, so every field is required.
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::digest::{FileDigest, sha256};
    use crate::manifest::key::SigningKey;
    use crate::manifest::predicate::tests::{example, sparse_example};
    use crate::manifest::statement::{Subject, SubjectDigest};
    use crate::manifest::trust::Trust;
    use crate::provenance::path::RelativePath;
    use crate::verify::{Check, SelfAssertedTimes, SignedRun, SigningParty};

    fn path(text: &str) -> RelativePath {
        RelativePath::parse(text).expect("an acceptable path")
    }

    fn statement(sparse: bool) -> Value {
        let subject = Subject { name: path("a/b"), digest: SubjectDigest { sha256: sha256(b"") } };
        let run = if sparse { sparse_example() } else { example() };
        serde_json::to_value(Statement::new(vec![subject], run).expect("a statement")).expect("JSON")
    }

    fn origin() -> RunOrigin {
        let TrainingRun { run, config, git, data, environment, device, numerics, seed, started_at, .. } = example();
        RunOrigin { run, config, git, data, environment, device, numerics, seed, started_at }
    }

    /// Every document's schema with documents that it has to accept.
    fn samples(name: &str) -> Vec<Value> {
        let key = SigningKey::from_random(&[1; 32]);
        let sample = match name {
            "data-file.schema.json" => {
                let FileDigest { size, blake3, .. } = FileDigest::of_bytes(b"abc");
                serde_json::to_value(DataFile { path: path("a/b"), size, blake3 })
            }
            "envelope.schema.json" => serde_json::to_value(Envelope::sign(b"{}", &[&key]).expect("an envelope")),
            "provenance.schema.json" => serde_json::to_value(origin()),
            "report.schema.json" => {
                let mut report = Report::new("runs/x".into(), true);
                let mut check = Check::new("signature");
                check.fail_at(Path::new("runs/x/manifest.intoto.jsonl"), "wrong".into());
                report.checks.push(check);
                let without_run = serde_json::to_value(&report).expect("JSON");
                report.run = Some(SignedRun {
                    id: "x".into(),
                    challenge: Some("y".into()),
                    nonce: None,
                    manifest: sha256(b""),
                    signers: vec![SigningParty { name: "ci".into(), keyid: sha256(b"") }],
                    self_asserted_times: SelfAssertedTimes {
                        started_at: example().started_at,
                        finished_at: example().finished_at,
                    },
                });
                return vec![without_run, serde_json::to_value(report).expect("JSON")];
            }
            "training-run.schema.json" => return vec![statement(false), statement(true)],
            "trust-policy.schema.json" => serde_json::to_value(Trust::single(key.public()).policy()),
            other => panic!("{other} has no sample"),
        };
        vec![sample.expect("JSON")]
    }

    #[test]
    fn the_schema_files_are_up_to_date() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let documents = documents().into_iter().map(|(name, schema)| (name.to_owned(), schema));
        let documents = documents.chain([("policy.schema.json".to_owned(), policy())]);
        #[cfg(feature = "engine")]
        let documents = documents
            .chain(configs().into_iter().map(|(command, schema)| (format!("config.{command}.schema.json"), schema)));
        for (name, schema) in documents {
            let file = directory.join(name);
            let expected = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
            if std::env::var_os("SPECTRAMIND_UPDATE").is_some() {
                fs::write(&file, &expected).expect("a file");
            }
            let found = fs::read_to_string(&file).unwrap_or_default();
            assert!(found == expected, "{} is out of date: run the tests with SPECTRAMIND_UPDATE=1", file.display());
        }
    }

    #[test]
    fn every_document_meets_its_schema() {
        for (name, schema) in documents() {
            let validator = jsonschema::validator_for(&schema).expect("a schema");
            for sample in samples(name) {
                let errors: Vec<_> = validator.iter_errors(&sample).map(|error| error.to_string()).collect();
                assert!(errors.is_empty(), "{name}: {errors:?}");
            }
        }
    }

    #[test]
    fn a_document_with_a_field_missing_or_too_many_misses_its_schema() {
        for (name, schema) in documents() {
            let validator = jsonschema::validator_for(&schema).expect("a schema");
            for sample in samples(name) {
                let fields = sample.as_object().expect("an object");
                for key in fields.keys() {
                    let mut fewer = fields.clone();
                    fewer.shift_remove(key);
                    assert!(!validator.is_valid(&fewer.into()), "{name} without {key}");
                }
                let mut more = fields.clone();
                more.insert("extra".into(), 1.into());
                assert!(!validator.is_valid(&more.into()), "{name} with a field too many");
            }
        }
    }

    #[test]
    fn a_document_of_another_kind_or_without_content_misses_its_schema() {
        for (name, field, value) in [
            ("training-run.schema.json", "predicateType", "https://slsa.dev/provenance/v1".into()),
            ("training-run.schema.json", "_type", "https://in-toto.io/Statement/v0.1".into()),
            ("training-run.schema.json", "subject", Value::Array(vec![])),
            ("envelope.schema.json", "payloadType", "application/json".into()),
            ("envelope.schema.json", "signatures", Value::Array(vec![])),
            ("trust-policy.schema.json", "keys", Value::Array(vec![])),
            ("trust-policy.schema.json", "threshold", 0.into()),
        ] {
            let (_, schema) = documents().into_iter().find(|(document, _)| *document == name).expect("a document");
            let mut sample = samples(name).swap_remove(0);
            sample[field] = value;
            assert!(!jsonschema::is_valid(&schema, &sample), "{name}: {field}");
        }
    }

    #[test]
    fn the_schema_and_the_parser_agree_on_paths() {
        let (_, schema) = documents().swap_remove(0);
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let texts = [
            "a", "a/b", ".a", "..a", "a..", "a/..b/c", "...", "a b", "é", "1:", "", ".", "..", "/a", "a/", "a//b",
            "./a", "a/.", "../a", "a/../b", "a/..", "a\\b", "C:", "c:a", "a\nb", "a\0", "\u{7f}", "\u{85}", "a/\n",
        ];
        for text in texts {
            let mut sample = samples("data-file.schema.json").swap_remove(0);
            sample["path"] = text.into();
            assert_eq!(validator.is_valid(&sample), RelativePath::parse(text).is_ok(), "{text:?}");
        }
    }
}
