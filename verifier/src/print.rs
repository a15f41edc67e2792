//! A report as text for a person, and as JSON.

use spectramind::verify::{Report, Verdict};

/// The report as JSON, by `schemas/report.schema.json`.
pub fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("a report is plain data") + "\n"
}

/// The report for a person.
pub fn text(report: &Report) -> String {
    let mut lines = vec![report.subject.clone()];
    if report.self_check {
        lines.push("  self-check: the key believed is your own, so nobody else vouches for this run".into());
    }
    for check in &report.checks {
        lines.push(format!("  {:<12} {}", word(check.verdict), check.name));
        for finding in &check.findings {
            lines.push(format!("               {finding}"));
        }
    }
    lines.push(format!(
        "  {}",
        match report.verdict() {
            Verdict::Passed => "passed: every requested check",
            Verdict::Failed => "FAILED",
            Verdict::NotChecked => "NOT CHECKED: something could not be checked",
        }
    ));
    lines.push("  no check here proves:".into());
    for sentence in &report.not_proved {
        lines.push(format!("   - {sentence}"));
    }
    lines.join("\n") + "\n"
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::NotChecked => "not checked",
    }
}
