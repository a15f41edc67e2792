//! Every field of the record, of a step leaf, of a snapshot and every signed file, changed by a trainer who signs anew with
//! the right key: what does the audit with a replay say? The answers stand in `docs/mutations.md`.

use std::collections::BTreeMap;

use serde_json::Value;
use spectramind::engine::snapshot::Snapshot;
use spectramind::event_log::{DEBUG_LOG, EVENTS, METRICS};
use spectramind::manifest::predicate::TrainingRun;

use crate::forgery::{
    forge, forge_alone, own_key, put_digest, put_origin, put_steps, retell, sign_payload, statement, training,
};
use crate::sandbox::{Outcome, repository, trained_copy};

/// What an audit says of a change: the checks that did not pass.
fn says(outcome: &Outcome) -> String {
    assert!([0, 1, 3].contains(&outcome.code), "{}{}", outcome.stdout, outcome.stderr);
    let failed = |line: &str| Some(line.strip_prefix("  FAILED       ")?.to_owned());
    let not_checked = |line: &str| Some(format!("{} (not checked)", line.strip_prefix("  not checked  ")?));
    let checks: Vec<_> = outcome.stdout.lines().filter_map(|line| failed(line).or_else(|| not_checked(line))).collect();
    if checks.is_empty() { NOTHING.to_owned() } else { checks.join(", ") }
}

const NOTHING: &str = "**nothing**: the trainer's own word";

/// The leaves of a JSON value, as pointers.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(value, &format!("{path}/{name}"), found))
        }
        Value::Array(items) => {
            // The first and the last say what those between would say.
            let ends = [0, items.len().saturating_sub(1)];
            for (index, item) in items.iter().enumerate().filter(|(index, _)| ends.contains(index)) {
                leaves(item, &format!("{path}/{index}"), found);
            }
        }
        Value::Null => {}
        _ => found.push(path.to_owned()),
    }
}

/// Other values that may stand in the place of one.
fn others(value: &Value) -> Vec<Value> {
    const NAMES: [&str; 14] = [
        "earlyStopped",
        "completed",
        "native",
        "portable",
        "16-mixed",
        "32",
        "unrestricted",
        "none",
        "syscallFilter",
        "raw",
        "derived",
        "sha256",
        "1999-01-01T00:00:00Z",
        "17",
    ];
    match value {
        Value::Bool(value) => vec![(!value).into()],
        Value::Number(number) => vec![(number.as_f64().unwrap_or(0.0) as u64 + 1).into()],
        Value::String(text) => {
            let mut flipped = text.clone();
            let last = flipped.pop();
            flipped.push(if last == Some('0') { '1' } else { '0' });
            let names = NAMES.iter().filter(|name| *name != text).map(|name| Value::from(*name));
            // An enumeration takes one of the names; anything else takes the first.
            [Value::from(flipped), Value::from(format!("{text}x"))].into_iter().chain(names).collect()
        }
        other => unreachable!("no leaf: {other}"),
    }
}

/// The claim with one leaf changed into something that is still a claim.
fn changed(claim: &Value, leaf: &str) -> Option<TrainingRun> {
    // Value and bits of an exact float belong together.
    if let Some(float) = leaf.strip_suffix("/bits").or_else(|| leaf.strip_suffix("/value"))
        && claim.pointer(&format!("{float}/bits")).is_some()
    {
        let mut other = claim.clone();
        let value = other.pointer(&format!("{float}/value")).and_then(Value::as_f64).expect("a number") + 0.5;
        *other.pointer_mut(float).expect("a float") =
            serde_json::json!({ "value": value, "bits": format!("{:016x}", value.to_bits()) });
        return serde_json::from_value(other).ok();
    }
    others(claim.pointer(leaf).expect("a leaf")).into_iter().find_map(|value| {
        let mut other = claim.clone();
        *other.pointer_mut(leaf).expect("a leaf") = value;
        serde_json::from_value(other).ok()
    })
}

/// `/data/0/name` as `data[].name`.
fn shown(leaf: &str) -> String {
    let mut text = String::new();
    for part in leaf.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(_) => text += "[]",
            Err(_) if text.is_empty() => text += part,
            Err(_) => text += &format!(".{part}"),
        }
    }
    text.trim_end_matches(".bits").trim_end_matches(".value").to_owned()
}

/// Fields that a replay looks at.
fn is_replayed(leaf: &str) -> bool {
    let leaf = leaf.strip_prefix("/computation/training").unwrap_or(leaf);
    let sections = ["/metrics", "/checkpoints", "/steps", "/device/probe", "/numerics", "/exit", "/workload", "/seed"];
    sections.iter().chain(&["/data", "/outputs"]).any(|section| leaf.starts_with(section))
}

#[test]
fn every_field_of_the_record_is_checked_or_named() {
    let sandbox = trained_copy();
    let honest = statement(&sandbox, "run");
    let claim = serde_json::to_value(&honest.predicate).expect("JSON");
    let mut found = Vec::new();
    leaves(&claim, "", &mut found);
    let logs =
        [EVENTS, METRICS, DEBUG_LOG].map(|name| (name, std::fs::read(sandbox.path("run").join(name)).expect("read")));
    let put = |predicate: TrainingRun| {
        let mut other = honest.clone();
        other.predicate = predicate;
        // Nobody who lies in one place forgets the other.
        put_origin(&sandbox, &mut other);
        for (name, bytes) in &logs {
            std::fs::write(sandbox.path("run").join(name), bytes).expect("write");
        }
        retell(&sandbox, "run", &mut other);
        let payload = spectramind::manifest::strict_json::to_vec(&other).expect("payload");
        sign_payload(&sandbox, "run", &payload, &own_key(&sandbox));
    };
    let mut table: BTreeMap<String, String> = BTreeMap::new();
    let mut silent = claim.clone();
    for leaf in &found {
        let Some(other) = changed(&claim, leaf) else {
            table.insert(shown(leaf), "signature: no other value is a record".into());
            continue;
        };
        let value = serde_json::to_value(&other).expect("JSON").pointer(leaf).cloned();
        put(other);
        let mut answer = says(&sandbox.audit(&[]));
        if answer == NOTHING && is_replayed(leaf) {
            answer = says(&sandbox.audit(&["--replay"]));
        }
        if answer == NOTHING {
            *silent.pointer_mut(leaf).expect("a leaf") = value.expect("a leaf");
        }
        // Of several elements of a list, the one that is looked at least counts.
        let entry = table.entry(shown(leaf)).or_insert_with(|| answer.clone());
        if answer == NOTHING {
            *entry = answer;
        }
    }
    // All at once, they say nothing either: no replay would have found one of them.
    if let Ok(all) = serde_json::from_value::<TrainingRun>(silent) {
        put(all);
        assert_eq!(
            says(&sandbox.audit(&["--replay"])),
            NOTHING,
            "a replay looks at a field that is not listed as such"
        );
    }
    let mut page = String::new();
    for (field, answer) in &table {
        page += &format!("| `{field}` | {answer} |\n");
    }
    compare("the record", &page);
    // The report names what nothing looks into.
    let report = trained_copy().audit(&["--replay"]).stdout;
    for (field, _) in table.iter().filter(|(_, answer)| *answer == NOTHING) {
        let sections: Vec<_> = field.split('.').collect();
        let is_named = (1..=sections.len()).any(|count| {
            let name = sections[..count].join(".").replace("[]", "");
            report.lines().any(|line| line.contains("which no check looks into") && line.contains(&name))
        });
        assert!(is_named, "the report does not name {field}");
    }
}

#[test]
fn every_field_of_a_step_leaf_is_replayed() {
    let sandbox = trained_copy();
    let text = std::fs::read_to_string(sandbox.path("run/steps.jsonl")).expect("read");
    let lines: Vec<_> = text.lines().collect();
    // The last one has a digest of the state.
    let leaf: Value = serde_json::from_str(lines[lines.len() - 1]).expect("a leaf");
    let mut found = Vec::new();
    leaves(&leaf, "", &mut found);
    assert_eq!(found.len(), 7, "{found:?}");
    let mut page = String::new();
    for field in found {
        let mut other = leaf.clone();
        let value = other.pointer_mut(&field).expect("a leaf");
        *value = others(value).swap_remove(0);
        let mut lines = lines.clone();
        let line = other.to_string();
        let last = lines.len() - 1;
        lines[last] = &line;
        forge(&sandbox, |statement| put_steps(&sandbox, statement, &(lines.join("\n") + "\n")));
        let answer = says(&sandbox.audit(&["--replay"]));
        assert!(answer.contains("replay"), "{field}: {answer}");
        page += &format!("| `{}` | {answer} |\n", shown(&field));
    }
    compare("a step leaf", &page);
}

#[test]
fn every_field_of_a_snapshot_is_replayed() {
    let sandbox = trained_copy();
    let path = sandbox.path("run/checkpoints/final.safetensors");
    let honest = Snapshot::read(&path).expect("a checkpoint");
    let progress = serde_json::to_value(&honest.progress).expect("JSON");
    let mut found = Vec::new();
    leaves(&progress, "", &mut found);
    let mut page = String::new();
    let mut tried = |name: &str, snapshot: &Snapshot| {
        std::fs::write(&path, snapshot.to_bytes()).expect("write");
        forge(&sandbox, |statement| {
            // The digest that goes with it, too.
            training(statement).checkpoints[0].state_digest = snapshot.state_digest();
            put_digest(&sandbox, statement, "checkpoints/final.safetensors");
        });
        let answer = says(&sandbox.audit(&["--replay"]));
        assert!(answer.contains("replay"), "{name}: {answer}");
        page += &format!("| `{name}` | {answer} |\n");
    };
    for field in &found {
        let mut other = progress.clone();
        let value = other.pointer_mut(field).expect("a leaf");
        *value = others(value).swap_remove(0);
        let progress = serde_json::from_value(other).expect("progress");
        tried(&shown(field), &Snapshot { progress, ..honest.clone() });
    }
    for prefix in ["parameter/", "adamw.first/", "adamw.second/"] {
        let mut snapshot = honest.clone();
        let tensor = snapshot.tensors.iter_mut().find(|(name, _)| name.starts_with(prefix)).expect("a tensor").1;
        tensor.values[0] += 1.0;
        tried(&format!("{prefix}…"), &snapshot);
    }
    compare("a snapshot", &page);
}

#[test]
fn every_signed_file_is_checked_or_named() {
    let sandbox = trained_copy();
    let honest = statement(&sandbox, "run");
    let manifest = std::fs::read(sandbox.path("run/manifest.intoto.jsonl")).expect("read");
    let mut page = String::new();
    for subject in &honest.subject {
        let name = subject.name.as_str();
        let path = sandbox.path("run").join(name);
        let bytes = std::fs::read(&path).expect("read");
        let other = if name.ends_with(".safetensors") {
            let mut other = bytes.clone();
            let last = other.len() - 1;
            other[last] ^= 1;
            other
        } else {
            [&bytes[..], b"\n"].concat()
        };
        std::fs::write(&path, other).expect("write");
        forge_alone(&sandbox, |statement| put_digest(&sandbox, statement, name));
        let outcome = sandbox.audit(&["--replay"]);
        let answer = says(&outcome);
        if answer == NOTHING {
            let named = outcome.stdout.lines().find(|line| line.contains("signed, not checked")).expect("a line");
            assert!(named.contains(name), "{name} is not named\n{}", outcome.stdout);
        }
        page += &format!("| `{name}` | {answer} |\n");
        std::fs::write(&path, bytes).expect("write");
        std::fs::write(sandbox.path("run/manifest.intoto.jsonl"), &manifest).expect("write");
    }
    compare("a signed file", &page);
}

/// Compares a table of `docs/mutations.md` with what was found, or writes it with `SPECTRAMIND_UPDATE`.
fn compare(what: &str, rows: &str) {
    // Several of these tests write the page.
    static PAGE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = PAGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = repository().join("docs/mutations.md");
    let page = std::fs::read_to_string(&path).expect("read");
    let head = format!("| {what} | what the audit with a replay says |\n|---|---|\n");
    let (before, rest) = page.split_once(&head).unwrap_or_else(|| panic!("no table of {what}"));
    let table: String = rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).collect();
    if std::env::var_os("SPECTRAMIND_UPDATE").is_some() {
        let after = &rest[table.len()..];
        std::fs::write(&path, format!("{before}{head}{rows}{after}")).expect("write");
    } else {
        assert_eq!(table, rows, "docs/mutations.md is not up to date: SPECTRAMIND_UPDATE=1 writes it");
    }
}
