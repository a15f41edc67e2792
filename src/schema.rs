//! JSON Schema of every document, generated from the types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::event_log::EventLine;
use crate::provenance::data::DataFile;
use crate::provenance::dvc::DvcOutput;

use crate::manifest::commitment::ConfigCommitment;
use crate::manifest::dsse::Envelope;
use crate::manifest::origin::RunOrigin;
use crate::manifest::predicate::TrainingRun;
use crate::manifest::slsa::Provenance;
use crate::manifest::statement::{Predicate, Statement};
use crate::manifest::trust::TrustDocument;
use crate::manifest::verdict::ReplayVerdict;
use crate::manifest::verdict::summary::VerificationSummary;
use crate::manifest::verdict::test_result::TestResult;
use crate::verify::{PolicyFile, Report};
#[cfg(feature = "engine")]
use crate::workload::{RunSettings, Workload};

/// Every document that is signed or exchanged: the file's name in `schemas/`, and its schema (JSON Schema 2020-12).
pub fn documents() -> Vec<(&'static str, Value)> {
    vec![
        ("data-file.schema.json", of::<DataFile>()),
        ("config-commitment.schema.json", statement::<ConfigCommitment>()),
        ("dvc-output.schema.json", of::<DvcOutput>()),
        ("envelope.schema.json", of::<Envelope>()),
        ("event.schema.json", of::<EventLine>()),
        ("provenance.schema.json", of::<RunOrigin>()),
        ("replay-verdict.schema.json", statement::<ReplayVerdict>()),
        ("report.schema.json", of::<Report>()),
        ("slsa-provenance.schema.json", statement::<Provenance>()),
        ("test-result.schema.json", statement::<TestResult>()),
        ("training-run.schema.json", statement::<TrainingRun>()),
        ("trust-document.schema.json", of::<TrustDocument>()),
        ("verification-summary.schema.json", statement::<VerificationSummary>()),
    ]
}

/// The verifier's policy file, which people write: what they may leave out is not required.
pub fn policy() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PolicyFile>().to_value()
}

/// The primary config of a run of this workload, resolved: the keys that every run has, and the workload's own.
#[cfg(feature = "engine")]
pub fn train<W: Workload>() -> Value {
    let (mut schema, own) = (of::<RunSettings>(), of::<W::Config>());
    schema["title"] = "train.yaml".into();
    for (part, expected) in [("properties", "an object has properties"), ("$defs", "types have definitions")] {
        let Some(own) = own[part].as_object() else { continue };
        let all = schema[part].as_object_mut().expect(expected);
        for (name, value) in own {
            let other = all.insert(name.clone(), value.clone());
            assert!(other.is_none_or(|other| other == *value), "two types of a config are called {name}");
        }
    }
    let required = own["required"].as_array().cloned().unwrap_or_default();
    schema["required"].as_array_mut().expect("every key is required").extend(required);
    schema
}

fn statement<P: Predicate + JsonSchema>() -> Value {
    let mut schema = of::<Statement<P>>();
    schema["properties"]["predicateType"]["const"] = P::TYPE.into();
    schema
}

/// The schema of a type, as it is written: what is absent is an explicit null there, so every field is required.
pub fn of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    #[cfg(feature = "engine")]
    use crate::ariel::Ariel;
    #[cfg(feature = "engine")]
    use crate::command::config::CommandConfig;
    use crate::digest::{FileDigest, sha256};
    use crate::event_log::{ExitReason, Figure, Head, RunEvent};
    use crate::manifest::commitment::tests::example as commitment;
    use crate::manifest::key::SigningKey;
    use crate::manifest::origin::{CommandOrigin, ComputationOrigin, TrainingOrigin};
    use crate::manifest::predicate::tests::{command_example, example, sparse_example};
    use crate::manifest::predicate::{CommandRecord, Computation, TrainingRecord};
    use crate::manifest::statement::{Subject, SubjectDigest};
    use crate::manifest::trust::{Role, Root, TrustedKey};
    use crate::manifest::verdict::Outcome;
    use crate::manifest::verdict::tests::example as verdict;
    use crate::provenance::dvc::outputs_from_jsonl;
    use crate::provenance::path::RelativePath;
    use crate::verify::{Check, SignedRun, SigningParty};

    fn path(text: &str) -> RelativePath {
        RelativePath::parse(text).expect("an acceptable path")
    }

    fn statement<P: Predicate>(predicate: P) -> Value {
        let subject = Subject { name: path("a/b"), digest: SubjectDigest { sha256: sha256(b"") } };
        serde_json::to_value(Statement::new(vec![subject], predicate).expect("a statement")).expect("JSON")
    }

    /// A statement that follows from each verdict that there can be, without a replay and with one.
    fn statements<P: Predicate>(of: fn(&ReplayVerdict) -> P) -> Vec<Value> {
        let unreplayed = ReplayVerdict { replay: None, ..verdict(Outcome::NotChecked) };
        [verdict(Outcome::Passed), unreplayed, verdict(Outcome::Failed)].iter().map(|one| statement(of(one))).collect()
    }

    fn origin() -> RunOrigin {
        let TrainingRun { run, workload, config, git, data, environment, computation, started_at, .. } = example();
        let computation = match computation {
            Computation::Training(TrainingRecord { device, stretches, numerics, seed, .. }) => {
                ComputationOrigin::Training(TrainingOrigin { device, stretches, numerics, seed })
            }
            Computation::Command(CommandRecord { words, .. }) => ComputationOrigin::Command(CommandOrigin { words }),
        };
        RunOrigin { run, workload, config, git, data, environment, computation, started_at }
    }

    fn trust_document() -> TrustDocument {
        let public = |byte| SigningKey::from_random(&[byte; 32]).public();
        let issued_at = "2026-01-01T00:00:00Z".parse().expect("a time");
        let mut document = TrustDocument::first(Root { keys: vec![public(1)], threshold: 1 }, issued_at);
        let key = TrustedKey::new("ci".into(), public(2), Role::Trainer);
        let bounded = TrustedKey {
            not_after: Some(issued_at),
            challenges: Some(vec!["ariel-2025".into()]),
            ..TrustedKey::new("audit".into(), public(3), Role::Verifier)
        };
        document.keys = vec![key, bounded];
        document
    }

    /// Every document's schema with documents that it has to accept.
    fn samples(name: &str) -> Vec<Value> {
        let key = SigningKey::from_random(&[1; 32]);
        let sample = match name {
            "data-file.schema.json" => {
                let FileDigest { size, blake3, .. } = FileDigest::of_bytes(b"abc");
                serde_json::to_value(DataFile { path: path("a/b"), size, blake3 })
            }
            "config-commitment.schema.json" => {
                let sparse = ConfigCommitment { challenge: None, git: None, built_from: None, ..commitment() };
                return vec![statement(commitment()), statement(sparse)];
            }
            "dvc-output.schema.json" => {
                let line = format!(
                    r#"{{"document":"data.dvc","stage":null,"place":{{"within":"a"}},"hash":"md5","recorded":"{0}.dir","#,
                    "0".repeat(32)
                ) + r#""found":null,"size":3,"files":1,"ignored":["b"]}"#;
                serde_json::to_value(&outputs_from_jsonl((line + "\n").as_bytes()).expect("a list")[0])
            }
            "envelope.schema.json" => serde_json::to_value(Envelope::sign(b"{}", &[&key]).expect("an envelope")),
            "event.schema.json" => {
                let figures = || [1.5, f64::NAN].map(|value| Figure { name: "val/score".into(), value }).to_vec();
                let file = || "checkpoints/a".to_owned();
                let events = [
                    RunEvent::Begun { run: "x".into(), config: Head::of_nothing().digest },
                    RunEvent::Resumed,
                    RunEvent::Trained { epoch: 0, figures: figures() },
                    RunEvent::Validated { epoch: 0, figures: figures() },
                    RunEvent::Checkpoint { file: file() },
                    RunEvent::AuditPoint { file: file() },
                    RunEvent::Finished { reason: ExitReason::Completed, epoch: 0, figures: figures() },
                ];
                let mut head = Head::of_nothing();
                return events.map(|event| serde_json::to_value(head.append(0.5, 1, event).0).expect("JSON")).to_vec();
            }
            "provenance.schema.json" => serde_json::to_value(origin()),
            "report.schema.json" => {
                let mut report = Report::new("runs/x".into(), true);
                let mut check = Check::new("signature");
                check.fail_at(Path::new("runs/x/manifest.intoto.jsonl"), "wrong".into());
                report.checks.push(check);
                let without_run = serde_json::to_value(&report).expect("JSON");
                let signers = vec![SigningParty { name: "ci".into(), keyid: sha256(b"") }];
                let with = |claim| {
                    let run = Some(SignedRun::of(claim, sha256(b""), signers.clone()));
                    serde_json::to_value(Report { run, ..report.clone() }).expect("JSON")
                };
                return vec![without_run, with(&example()), with(&sparse_example()), with(&command_example())];
            }
            "replay-verdict.schema.json" => return statements(ReplayVerdict::clone),
            "slsa-provenance.schema.json" => {
                return [example(), sparse_example(), command_example()]
                    .iter()
                    .map(|run| statement(Provenance::of(run)))
                    .collect();
            }
            "test-result.schema.json" => return statements(TestResult::of),
            "training-run.schema.json" => {
                return [example(), sparse_example(), command_example()].map(statement).to_vec();
            }
            "trust-document.schema.json" => serde_json::to_value(trust_document()),
            "verification-summary.schema.json" => return statements(VerificationSummary::of),
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
        let documents = {
            let own = Workload::subcommands(&Ariel).into_iter().map(|command| (command.name, (command.schema)()));
            let configs = own.chain([("train", train::<Ariel>()), ("command", CommandConfig::schema())]);
            documents.chain(configs.map(|(name, schema)| (format!("config.{name}.schema.json"), schema)))
        };
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

    /// Fuzzing starts from documents that are accepted; `fuzz/seeds` must not fall behind the types.
    #[test]
    fn the_fuzz_seeds_are_up_to_date() {
        let key = SigningKey::from_random(&[1; 32]);
        let compact = |value: &Value| serde_json::to_vec(value).expect("JSON");
        let sign = |payload: &[u8]| Envelope::sign(payload, &[&key]).expect("an envelope").to_line().expect("small");
        let statements: Vec<_> = [
            "training-run",
            "slsa-provenance",
            "replay-verdict",
            "test-result",
            "verification-summary",
            "config-commitment",
        ]
        .into_iter()
        .map(|kind| (kind, compact(&samples(&format!("{kind}.schema.json"))[0])))
        .collect();
        let (run, provenance) = (&statements[0].1, &statements[1].1);
        let pretty = serde_json::to_vec_pretty(&samples("envelope.schema.json")[0]).expect("JSON");
        let mut seeds = vec![
            ("envelope/bundle".to_owned(), [sign(run), sign(provenance)].concat()),
            ("envelope/pretty".to_owned(), pretty),
            ("trust/document".to_owned(), compact(&samples("trust-document.schema.json")[0])),
        ];
        seeds.extend(statements.iter().map(|(kind, payload)| (format!("statement/{kind}"), payload.clone())));
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        for (name, expected) in seeds {
            let file = directory.join(name);
            if std::env::var_os("SPECTRAMIND_UPDATE").is_some() {
                fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
                fs::write(&file, &expected).expect("a file");
            }
            let found = fs::read(&file).unwrap_or_default();
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
            ("slsa-provenance.schema.json", "predicateType", "https://slsa.dev/provenance/v0.2".into()),
            ("replay-verdict.schema.json", "predicateType", "urn:x-spectramind:training-run:v2".into()),
            ("config-commitment.schema.json", "predicateType", "urn:x-spectramind:training-run:v2".into()),
            ("envelope.schema.json", "payloadType", "application/json".into()),
            ("envelope.schema.json", "signatures", Value::Array(vec![])),
            ("trust-document.schema.json", "version", 0.into()),
            ("trust-document.schema.json", "thresholds", serde_json::json!({ "trainer": 0, "verifier": 1 })),
            ("trust-document.schema.json", "root", serde_json::json!({ "keys": [], "threshold": 1 })),
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
