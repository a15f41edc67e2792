//! What a malicious trainer does: changes files of a run and its statement, and signs again with the right key.

use std::collections::BTreeMap;
use std::path::Path;

use spectramind::digest::sha256;
use spectramind::engine::step_log::StepLeaf;
use spectramind::event_log::{DEBUG_LOG, EVENTS, EventLine, EventLog, Figure, Head, METRICS, RunEvent};
use spectramind::manifest::dsse::Envelope;
use spectramind::manifest::key::SigningKey;
use spectramind::manifest::predicate::{
    CommandRecord, Computation, EventsRecord, FileRecord, TrainingRecord, TrainingRun,
};
use spectramind::manifest::statement::{Statement, Subject};
use spectramind::manifest::strict_json::{self, DecimalU64};
use spectramind::manifest::verified::read_unverified;
use spectramind::merkle::{MerkleLog, leaf_hash};
use spectramind::provenance::path::RelativePath;

use crate::sandbox::Sandbox;

/// Changes the statement and signs it with the user's own key.
pub fn forge(sandbox: &Sandbox, change: impl FnOnce(&mut Statement<TrainingRun>)) {
    forge_run(sandbox, "run", change);
}

/// As [`forge`], but no log is made to agree.
pub fn forge_alone(sandbox: &Sandbox, change: impl FnOnce(&mut Statement<TrainingRun>)) {
    let mut statement = statement(sandbox, "run");
    change(&mut statement);
    sign(sandbox, "run", &statement, &own_key(sandbox));
}

/// As [`forge`], of a run directory with another name.
pub fn forge_run(sandbox: &Sandbox, run: &str, change: impl FnOnce(&mut Statement<TrainingRun>)) {
    let mut statement = statement(sandbox, run);
    change(&mut statement);
    retell(sandbox, run, &mut statement);
    sign(sandbox, run, &statement, &own_key(sandbox));
}

/// Makes the log of events, and those that follow from it, say what the statement and the step log say: whoever lies has them lie, too.
/// The times stay.
pub fn retell(sandbox: &Sandbox, run: &str, statement: &mut Statement<TrainingRun>) {
    let (path, claim) = (sandbox.path(run).join(EVENTS), statement.predicate.clone());
    let Computation::Training(TrainingRecord { steps, events: Some(_), .. }) = &claim.computation else { return };
    if !path.exists() {
        return;
    }
    let before = events(sandbox, run);
    let log = std::fs::read_to_string(sandbox.path(run).join(steps.file.as_str())).unwrap_or_default();
    let leaves: BTreeMap<u64, StepLeaf> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<StepLeaf>(line).ok())
        .map(|leaf| (leaf.step, leaf))
        .collect();
    let float = |bits: &str| u32::from_str_radix(bits, 16).map_or(f64::NAN, |bits| f32::from_bits(bits).into());
    let mut lines = before.clone();
    // Of a run that says it is another one, or a part of itself.
    lines.retain(|line| line.step <= steps.count || matches!(line.event, RunEvent::Finished { .. }));
    for line in &mut lines {
        match &mut line.event {
            RunEvent::Begun { run, config } => (*run, *config) = (claim.run.id.clone(), claim.config.digest),
            RunEvent::Trained { epoch, figures } => {
                let Some(leaf) = leaves.get(&line.step) else { continue };
                *epoch = leaf.epoch;
                for Figure { name, value } in figures {
                    match name.as_str() {
                        "train/loss" => *value = float(&leaf.loss_bits),
                        "train/gradient_norm" => *value = float(&leaf.gradient_norm_bits),
                        _ => {}
                    }
                }
            }
            RunEvent::Finished { reason, figures, .. } => {
                (line.step, *reason) = (steps.count, claim.exit.reason);
                for Figure { name, value } in figures {
                    *value = claim.metrics.iter().find(|metric| metric.name == *name).map_or(*value, |m| m.value.get());
                }
            }
            _ => {}
        }
    }
    if lines != before {
        put_events(sandbox, run, statement, &lines);
    }
}

/// The log of events of a run.
pub fn events(sandbox: &Sandbox, run: &str) -> Vec<EventLine> {
    let text = std::fs::read_to_string(sandbox.path(run).join(EVENTS)).expect("read");
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

/// Puts another log of events into a run, a chain of these lines, with those of figures and for a person, and claims them.
pub fn put_events(sandbox: &Sandbox, run: &str, statement: &mut Statement<TrainingRun>, lines: &[EventLine]) {
    let mut head = Head::of_nothing();
    let chained = |line: &EventLine| head.append(line.elapsed_seconds, line.step, line.event.clone());
    let (lines, texts): (Vec<_>, Vec<_>) = lines.iter().map(chained).unzip();
    let log = EventLog { lines, head };
    let file = RelativePath::parse(EVENTS).expect("a path");
    training(statement).events = Some(EventsRecord { file, count: DecimalU64(head.count), head: head.digest });
    let events = texts.iter().map(|text| format!("{text}\n")).collect();
    for (name, text) in [(EVENTS, events), (METRICS, log.metrics()), (DEBUG_LOG, log.for_people())] {
        std::fs::write(sandbox.path(run).join(name), text).expect("write");
        put_digest_of(sandbox, run, statement, name);
    }
}

/// The statement of a run.
pub fn statement(sandbox: &Sandbox, run: &str) -> Statement<TrainingRun> {
    let path = sandbox.path(run).join("manifest.intoto.jsonl");
    read_unverified(&std::fs::read(path).expect("read")).expect("a statement")
}

/// Signs a statement and puts it in the place of the run's own.
pub fn sign(sandbox: &Sandbox, run: &str, statement: &Statement<TrainingRun>, key: &SigningKey) {
    sign_payload(sandbox, run, &strict_json::to_vec(statement).expect("payload"), key);
}

/// Signs any bytes and puts them in the place of the run's statement.
pub fn sign_payload(sandbox: &Sandbox, run: &str, payload: &[u8], key: &SigningKey) {
    let envelope = Envelope::sign(payload, &[key]).expect("signs");
    std::fs::write(sandbox.path(run).join("manifest.intoto.jsonl"), envelope.to_line().expect("line")).expect("write");
}

/// The user's own key.
pub fn own_key(sandbox: &Sandbox) -> SigningKey {
    let shown = sandbox.done(&["keys", "show"]).stdout;
    let file = shown.lines().find_map(|line| line.strip_prefix("file ")).expect("a file").trim();
    SigningKey::load(Path::new(file)).expect("key")
}

/// Claims a file of the run as it is on disk, whether or not it was claimed before.
pub fn put_digest(sandbox: &Sandbox, statement: &mut Statement<TrainingRun>, name: &str) {
    put_digest_of(sandbox, "run", statement, name);
}

/// As [`put_digest`], of a run directory with another name.
pub fn put_digest_of(sandbox: &Sandbox, run: &str, statement: &mut Statement<TrainingRun>, name: &str) {
    let bytes = std::fs::read(sandbox.path(run).join(name)).expect("read");
    let path = RelativePath::parse(name).expect("a path");
    statement.subject.retain(|subject| subject.name != path);
    statement.subject.push(Subject::new(path.clone(), sha256(&bytes)));
    statement.subject.sort_by(|left, right| left.name.cmp(&right.name));
    let files = &mut statement.predicate.files;
    files.retain(|file| file.path != path);
    files.push(FileRecord { path, size: DecimalU64(bytes.len() as u64) });
    files.sort_by(|left, right| left.path.cmp(&right.path));
}

/// What is claimed of the training.
pub fn training(statement: &mut Statement<TrainingRun>) -> &mut TrainingRecord {
    match &mut statement.predicate.computation {
        Computation::Training(training) => training,
        Computation::Command(_) => panic!("a command"),
    }
}

/// Claims every file that lies in the run directory, and no other.
pub fn claim_all(sandbox: &Sandbox, run: &str, statement: &mut Statement<TrainingRun>) {
    statement.subject.clear();
    statement.predicate.files.clear();
    let root = sandbox.path(run);
    for entry in spectramind::foreign::list(&root, 10_000).expect("lists") {
        if !["manifest.intoto.jsonl", "verdict.intoto.jsonl"].contains(&entry.name.as_str()) {
            put_digest_of(sandbox, run, statement, &entry.name);
        }
    }
}

/// Puts another step log into the run, with its list of hashes, and claims both.
pub fn put_steps(sandbox: &Sandbox, statement: &mut Statement<TrainingRun>, steps: &str) {
    let (mut log, mut leaves) = (MerkleLog::new(), String::new());
    for line in steps.lines() {
        log.append(line.as_bytes());
        leaves += &format!("{}\n", leaf_hash(line.as_bytes()));
    }
    training(statement).steps.count = log.len() as u64;
    training(statement).steps.merkle_root = log.root();
    for (name, text) in [("steps.jsonl", steps), ("steps.leaves", &leaves)] {
        std::fs::write(sandbox.path("run").join(name), text).expect("write");
        put_digest(sandbox, statement, name);
    }
}

/// Signs another loss than was computed at a step.
pub fn forge_step(sandbox: &Sandbox, step: usize) {
    let honest = std::fs::read_to_string(sandbox.path("run/steps.jsonl")).expect("read");
    let mut lines: Vec<_> = honest.lines().map(str::to_owned).collect();
    let mut leaf: serde_json::Value = serde_json::from_str(&lines[step - 1]).expect("a leaf");
    let bits = leaf["lossBits"].as_str().expect("bits").to_owned();
    leaf["lossBits"] = serde_json::Value::String(bits.chars().rev().collect());
    lines[step - 1] = leaf.to_string();
    forge(sandbox, |statement| put_steps(sandbox, statement, &(lines.join("\n") + "\n")));
}

/// Puts another list in the place of a data set's, and claims it.
pub fn put_list(sandbox: &Sandbox, statement: &mut Statement<TrainingRun>, index: usize, list: &str) {
    let parsed = spectramind::provenance::data::DataManifest::from_jsonl(list.as_bytes()).expect("a list");
    let record = &mut statement.predicate.data[index];
    record.merkle_root = parsed.merkle_root();
    record.files = parsed.files().len() as u64;
    record.bytes = DecimalU64(parsed.total_bytes());
    let name = record.list.as_str().to_owned();
    std::fs::write(sandbox.path("run").join(&name), list).expect("write");
    put_digest(sandbox, statement, &name);
}

/// Writes `provenance.json` anew, so that it says what the statement says.
pub fn put_origin(sandbox: &Sandbox, statement: &mut Statement<TrainingRun>) {
    use spectramind::manifest::origin::{CommandOrigin, ComputationOrigin, RunOrigin, TrainingOrigin};
    let TrainingRun { run, workload, config, git, data, environment, computation, started_at, .. } =
        statement.predicate.clone();
    let computation = match computation {
        Computation::Training(TrainingRecord { device, stretches, numerics, seed, .. }) => {
            ComputationOrigin::Training(TrainingOrigin { device, stretches, numerics, seed })
        }
        Computation::Command(CommandRecord { words, .. }) => ComputationOrigin::Command(CommandOrigin { words }),
    };
    let origin = RunOrigin { run, workload, config, git, data, environment, computation, started_at };
    let text = serde_json::to_string_pretty(&origin).expect("plain data") + "\n";
    std::fs::write(sandbox.path("run/provenance.json"), text).expect("write");
    put_digest(sandbox, statement, "provenance.json");
}
