//! The report for a person at a terminal.

use spectramind::verify::Report;

use super::{SELF_CHECK, facts, line, sentence, shown, word};

pub fn render(report: &Report) -> String {
    let mut lines = vec![shown(&report.subject).into_owned()];
    if report.self_check {
        lines.push(format!("  {SELF_CHECK}"));
    }
    for (name, value) in facts(report) {
        lines.push(format!("  {name:<12} {value}"));
    }
    for check in &report.checks {
        lines.push(format!("  {:<12} {}", word(check.verdict), shown(&check.name)));
        for finding in &check.findings {
            lines.push(format!("               {}", line(finding)));
        }
    }
    lines.push(format!("  {}", sentence(report.verdict())));
    lines.push("  no check here proves:".into());
    for sentence in &report.not_proved {
        lines.push(format!("   - {sentence}"));
    }
    lines.join("\n") + "\n"
}
