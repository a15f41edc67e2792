//! The bad news as SARIF 2.1.0 (OASIS), for code scanning: a rule for each check, a result for each finding that is not
//! a pass. A check that passed has no result.

use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use spectramind::verify::{Check, Finding, MEANINGS, Report, Verdict, meaning};

use spectramind::verify::text::shown_json;

use super::shown;
use crate::exit_code;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Everything but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub fn render(report: &Report) -> String {
    let rules: Vec<_> = MEANINGS.iter().map(|(name, meaning)| rule(name, meaning)).collect();
    let results: Vec<_> = report.checks.iter().flat_map(|check| results(check, report)).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "spectramind-verify",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            // The tool did its work, whatever it found.
            "invocations": [{ "executionSuccessful": true, "exitCode": exit_code(report.verdict()) }],
            "results": results,
            "properties": {
                "subject": report.subject,
                "verdict": report.verdict(),
                "selfCheck": report.self_check,
                "run": report.run,
                "trainedAgain": report.trained_again,
                "notProved": report.not_proved,
            },
        }],
    });
    shown_json(&serde_json::to_string_pretty(&log).expect("plain data")) + "\n"
}

fn rule(name: &str, meaning: &str) -> Value {
    json!({
        "id": name,
        "shortDescription": { "text": format!("The check {name}") },
        "fullDescription": { "text": format!("What it proves when it passes: {meaning}") },
        "help": { "text": "docs/what-an-audit-proves.md" },
    })
}

fn results<'a>(check: &'a Check, report: &'a Report) -> impl Iterator<Item = Value> + 'a {
    let (rule, _) = meaning(&check.name);
    let index = MEANINGS.iter().position(|(name, _)| *name == rule);
    check.findings.iter().filter_map(move |finding: &Finding| {
        let (level, what) = match finding.verdict {
            Verdict::Passed => return None,
            Verdict::Failed => ("error", "failed"),
            // Not SARIF's kind "open", which code scanning leaves out: what nobody looked at must be seen.
            Verdict::NotChecked => ("warning", "not checked"),
        };
        let file = finding.file.as_deref().unwrap_or(&report.subject);
        Some(json!({
            "ruleId": rule,
            "ruleIndex": index,
            "level": level,
            "message": { "text": format!("{} {what}: {}", shown(&check.name), shown(&finding.message)) },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(Path::new(file)) } } }],
        }))
    })
}

/// A path as a URI reference: relative to the working directory, which a CI has at the repository's root.
fn uri(path: &Path) -> String {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::RootDir => parts.push("file://".into()),
            other => {
                parts.push(utf8_percent_encode(&other.as_os_str().to_string_lossy(), ESCAPED).to_string());
            }
        }
    }
    if parts.is_empty() { ".".into() } else { parts.join("/") }
}
