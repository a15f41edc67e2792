//! A claim with every field filled, and what makes a claim refused.

use super::*;
use crate::envelope::Enforcement;
use crate::manifest::strict_json::{self, JsonError};
use crate::provenance::environment::{BuiltFrom, Variable};
use crate::provenance::git::{ObjectFormat, RemoteRecord, SubmoduleRecord};

fn digest(byte: u8) -> Blake3Digest {
    Blake3Digest::from_bytes([byte; 32])
}

fn path(text: &str) -> RelativePath {
    RelativePath::parse(text).expect("an acceptable path")
}

/// A claim with every field filled.
pub(crate) fn example() -> TrainingRun {
    let difference = Some(digest(1));
    TrainingRun {
        run: RunRecord {
            id: "20260131T120000Z-0123abcd".into(),
            experiment: "ariel".into(),
            challenge: Some("ariel-2025".into()),
            nonce: Some("5c1d".into()),
        },
        workload: "ariel".into(),
        config: ConfigRecord {
            name: "train".into(),
            digest: digest(2),
            choices: vec![ConfigChoice { group: "model".into(), option: "small".into() }],
            overrides: vec!["trainer.max_steps=2".into()],
            hydra_overrides: vec!["hydra.mode=RUN".into()],
            job: JobRecord { name: "train".into(), number: Some(1) },
            composed_at: "2026-01-31T11:59:59Z".parse().expect("a time"),
            utc_offset_seconds: UtcOffset::default(),
            version_base: VersionBase::default(),
            resolvers: None,
            sources: vec![ConfigSource { path: path("train.yaml"), size: 3, blake3: digest(3) }],
        },
        git: Some(GitRecord {
            commit: "1".repeat(40).parse().expect("an id"),
            tree: "2".repeat(40).parse().expect("an id"),
            object_format: ObjectFormat::Sha1,
            branch: Some("main".into()),
            remotes: vec![RemoteRecord { name: "origin".into(), url: Some("https://example.org/a.git".into()) }],
            shallow: false,
            replaced: true,
            clean: false,
            difference,
            changed: vec!["a".into()],
            changed_count: 1,
            untracked: Vec::new(),
            untracked_count: 0,
            submodules: vec![SubmoduleRecord {
                path: "sub".into(),
                commit: "3".repeat(40).parse().expect("an id"),
                checked_out: Some("4".repeat(40).parse().expect("an id")),
                difference,
            }],
            lfs_pointers: vec!["big.bin".into()],
            lfs_pointer_count: 1,
            read_untracked: vec!["configs/mine.yaml".into()],
            read_ignored: vec!["data".into()],
            patch: Some(path("provenance/uncommitted.patch")),
        }),
        data: vec![DataRecord {
            name: "train".into(),
            role: DataRole::Raw,
            root: "data/train".into(),
            files: 2,
            bytes: DecimalU64(u64::MAX),
            merkle_root: digest(4),
            list: path("data/train.jsonl"),
            dvc: Some(DvcRecord { list: path("data/train.dvc.jsonl"), outputs: 2, differing: 1 }),
        }],
        environment: Environment {
            os: "linux".into(),
            kernel: Some("6.1.0".into()),
            cpu_model: Some("A CPU".into()),
            cpu_features: vec!["avx2".into()],
            logical_cpus: Some(2),
            memory_bytes: Some(1 << 34),
            rustc: "rustc 1.95.0".into(),
            target: "x86_64-unknown-linux-gnu".into(),
            profile: "release".into(),
            features: vec!["git".into()],
            binary: digest(5),
            cargo_lock: digest(6),
            built_from: Some(BuiltFrom { commit: "5".repeat(40).parse().expect("an id"), clean: true }),
            version: "0.1.0".into(),
            variables: vec![
                Variable::shown("RAYON_NUM_THREADS", Some("2".as_ref())),
                Variable::withheld("SPECTRAMIND_SIGNING_KEY", true),
            ],
        },
        computation: Computation::Training(TrainingRecord {
            device: DeviceRecord {
                accelerator: "cuda".into(),
                name: "A GPU".into(),
                driver: Some("NVIDIA 580.95, CUDA 13.0".into()),
                memory_bytes: Some(DecimalU64(80 << 30)),
                probe: Some(ProbeRecord { passed: true, digest: digest(7) }),
            },
            stretches: Vec::new(),
            reference_seconds: None,
            numerics: NumericsRecord {
                profile: NumericsProfile::Portable,
                version: 1,
                precision: PrecisionRecord::MixedF16,
            },
            seed: DecimalU64(42),
            steps: StepsRecord { count: 2, merkle_root: digest(8), file: path("steps.jsonl") },
            checkpoints: vec![CheckpointRecord {
                file: path("checkpoints/step-00000002.safetensors"),
                step: 2,
                state_digest: digest(9),
            }],
            audit_points: Vec::new(),
            events: None,
        }),
        outputs: vec![path("predictions.csv")],
        files: vec![FileRecord { path: path("steps.jsonl"), size: DecimalU64(7) }],
        metrics: vec![MetricRecord {
            name: "gll".into(),
            value: ExactF64::new(0.1).expect("finite"),
            samples: DecimalU64(4),
        }],
        envelope: EnvelopeRecord {
            bounds: BoundsRecord {
                wall_seconds: Some(DecimalU64(32_400)),
                device_memory_bytes: Some(DecimalU64(16 << 30)),
                host_memory_bytes: None,
                network: NetworkMode::None,
            },
            figures: FiguresRecord {
                wall_seconds: ExactF64::new(1.5).expect("finite"),
                peak_host_bytes: Some(DecimalU64(1 << 30)),
                peak_device_bytes: Some(DecimalU64(0)),
                network: NetworkFigure { mode: NetworkMode::None, enforcement: Enforcement::SelfAsserted },
            },
        },
        exit: ExitRecord { reason: ExitReason::Completed },
        started_at: "2026-01-31T12:00:00Z".parse().expect("a time"),
        finished_at: "2026-01-31T12:00:01.5Z".parse().expect("a time"),
    }
}

/// The same with every option absent.
pub(crate) fn sparse_example() -> TrainingRun {
    let mut run = example();
    (run.run.challenge, run.run.nonce, run.git) = (None, None, None);
    let device = &mut training(&mut run).device;
    (device.probe, device.driver, device.memory_bytes) = (None, None, None);
    run.environment.built_from = None;
    (run.config.job.number, run.environment.kernel, run.environment.cpu_model) = (None, None, None);
    (run.environment.logical_cpus, run.environment.memory_bytes) = (None, None);
    (run.envelope.bounds.wall_seconds, run.envelope.bounds.device_memory_bytes) = (None, None);
    (run.envelope.figures.peak_host_bytes, run.envelope.figures.peak_device_bytes) = (None, None);
    run
}

/// A claim about a program of somebody's own.
pub(crate) fn command_example() -> TrainingRun {
    let words = ["python", "train.py", "--config", "{config}"].map(str::to_owned).to_vec();
    let sandbox = SandboxRecord::Landlock { abi: 4 };
    let computation = Computation::Command(CommandRecord { words, exit_code: 0, sandbox });
    TrainingRun { workload: COMMAND_WORKLOAD.into(), computation, ..example() }
}

/// What is claimed of the training.
pub(crate) fn training(run: &mut TrainingRun) -> &mut TrainingRecord {
    match &mut run.computation {
        Computation::Training(training) => training,
        Computation::Command(_) => panic!("a command"),
    }
}

fn text(run: &TrainingRun) -> String {
    String::from_utf8(strict_json::to_vec(run).expect("small")).expect("UTF-8")
}

#[test]
fn a_claim_round_trips() {
    for run in [example(), sparse_example(), command_example()] {
        assert_eq!(run.check(), Ok(()));
        assert_eq!(strict_json::from_slice(text(&run).as_bytes()), Ok(run));
    }
}

#[test]
fn the_bytes_of_a_claim_are_stable() {
    assert_eq!(
        crate::digest::sha256(text(&example()).as_bytes()).to_string(),
        "14671bf294e72a928a1187011632ffad0c8ef303fdd67356b05f9920345127ef"
    );
}

#[test]
fn limits_and_figures_keep_their_values() {
    let record = example().envelope;
    assert_eq!(BoundsRecord::from(&Bounds::from(&record.bounds)), record.bounds);
    assert_eq!(FiguresRecord::try_from(&Figures::from(&record.figures)), Ok(record.figures.clone()));
    let unmeasured = Figures { wall_seconds: f64::NAN, ..Figures::from(&record.figures) };
    assert!(FiguresRecord::try_from(&unmeasured).is_err());
}

/// Every path to a member of an object, below `value`.
fn members(value: &serde_json::Value, prefix: &str, found: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                found.push((prefix.to_owned(), key.clone()));
                members(value, &format!("{prefix}/{key}"), found);
            }
        }
        serde_json::Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                members(value, &format!("{prefix}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_claim_without_any_one_of_its_fields_is_refused() {
    for run in [example(), sparse_example()] {
        let whole = serde_json::to_value(&run).expect("JSON");
        let mut paths = Vec::new();
        members(&whole, "", &mut paths);
        assert!(paths.len() > 60);
        for (object, key) in paths {
            let mut value = whole.clone();
            let object = value.pointer_mut(&object).and_then(|object| object.as_object_mut()).expect("an object");
            object.shift_remove(&key).expect("a member");
            let error = strict_json::from_slice::<TrainingRun>(value.to_string().as_bytes()).expect_err(&key);
            // Its one field is the kind of computation: without it none is said.
            assert!(key == "training" || error.to_string().contains(&format!("missing field `{key}`")), "{error}");
        }
    }
}

#[test]
fn a_claim_with_a_field_too_many_in_any_object_is_refused() {
    let whole = serde_json::to_value(example()).expect("JSON");
    let mut paths = Vec::new();
    members(&whole, "", &mut paths);
    for (object, _) in paths {
        let mut value = whole.clone();
        let members = value.pointer_mut(&object).and_then(|object| object.as_object_mut()).expect("an object");
        members.insert("extra".into(), 1.into());
        let error = strict_json::from_slice::<TrainingRun>(value.to_string().as_bytes()).expect_err(&object);
        // Beside the kind of computation there is no room for another.
        assert!(
            object == "/computation"
                || matches!(&error, JsonError::Data { message, .. } if message.contains("unknown field `extra`")),
            "{error}"
        );
    }
}

fn refused_at(change: impl FnOnce(&mut TrainingRun)) -> String {
    let mut run = example();
    change(&mut run);
    match run.check() {
        Err(StatementError::Predicate { path, .. }) => path,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_git_record_that_calls_a_difference_clean_is_refused() {
    assert_eq!(refused_at(|run| run.git.as_mut().expect("a record").clean = true), "git");
}

#[test]
fn names_given_twice_are_refused() {
    assert_eq!(refused_at(|run| run.data.push(run.data[0].clone())), "data");
    assert_eq!(refused_at(|run| run.outputs.push(run.outputs[0].clone())), "outputs");
    assert_eq!(refused_at(|run| run.metrics.push(run.metrics[0].clone())), "metrics");
    assert_eq!(refused_at(|run| run.config.choices.push(run.config.choices[0].clone())), "config.choices");
}

#[test]
fn checkpoints_out_of_order_or_after_the_end_are_refused() {
    let earlier = |run: &mut TrainingRun| {
        let checkpoints = &mut training(run).checkpoints;
        checkpoints.push(CheckpointRecord { step: 1, ..checkpoints[0].clone() });
    };
    assert_eq!(refused_at(earlier), "computation.training.checkpoints");
    assert_eq!(refused_at(|run| training(run).steps.count = 1), "computation.training.checkpoints");
}

#[test]
fn a_workload_over_the_record_of_another_kind_of_computation_is_refused() {
    assert_eq!(refused_at(|run| run.workload = COMMAND_WORKLOAD.into()), "workload");
    assert_eq!(refused_at(|run| run.computation = command_example().computation), "workload");
}

#[test]
fn a_command_without_words_or_success_is_refused() {
    let refused = |change: fn(&mut CommandRecord)| {
        let mut run = command_example();
        let Computation::Command(command) = &mut run.computation else { panic!("a training") };
        change(command);
        run.check().expect_err("refused").to_string()
    };
    assert!(refused(|command| command.words.clear()).contains("computation.command.words"));
    assert!(refused(|command| command.exit_code = 1).contains("only success is signed"));
}

#[test]
fn negative_wall_seconds_are_refused() {
    let negative = |run: &mut TrainingRun| {
        run.envelope.figures.wall_seconds = ExactF64::new(-1.0).expect("finite");
    };
    assert_eq!(refused_at(negative), "envelope.figures.wallSeconds");
}

#[test]
fn more_differing_outputs_than_outputs_are_refused() {
    for (outputs, differing) in [(0, 0), (1, 2)] {
        let wrong = |run: &mut TrainingRun| {
            run.data[0].dvc = Some(DvcRecord { list: path("data/train.dvc.jsonl"), outputs, differing });
        };
        assert_eq!(refused_at(wrong), "data.dvc");
    }
}

#[test]
fn a_data_set_is_recorded_with_its_totals() {
    let list = format!("{{\"path\":\"a\",\"size\":3,\"blake3\":\"{}\"}}\n", digest(1));
    let data = DataManifest::from_jsonl(list.as_bytes()).expect("a list");
    let record = DataRecord::new("train", DataRole::Raw, "data", &data, path("data/train.jsonl"), None);
    assert_eq!((record.files, record.bytes, record.merkle_root), (1, DecimalU64(3), data.merkle_root()));
}
