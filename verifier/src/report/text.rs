//! The report for a person at a terminal: the verdict and its reasons, what the run is, then every check.

use spectramind::verify::{Report, Verdict};

use super::{SELF_CHECK, facts, line, sentence, shown, trained_again, word};

/// Most reasons that are repeated above the checks.
const REASONS: usize = 12;

pub fn render(report: &Report) -> String {
    let mut lines = vec![shown(&report.subject).into_owned(), format!("  {}", sentence(report.verdict()))];
    if report.self_check {
        lines.push(format!("  {SELF_CHECK}"));
    }
    let bad = report.checks.iter().flat_map(|check| check.findings.iter().map(move |finding| (check, finding)));
    let mut bad: Vec<_> = bad.filter(|(_, finding)| finding.verdict != Verdict::Passed).collect();
    // What failed comes first: a long list of what is not here must not hide it.
    bad.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.verdict));
    for (check, finding) in bad.iter().take(REASONS) {
        lines.push(format!("  ! {}: {}", shown(&check.name), line(finding)));
    }
    if bad.len() > REASONS {
        lines.push(format!("  ! and {} more, below", bad.len() - REASONS));
    }
    if report.run.is_some() {
        let (word, how_much) = trained_again(report);
        lines.push(format!("  {word:<12} {how_much}"));
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
    lines.push("  no check here proves:".into());
    for sentence in &report.not_proved {
        lines.push(format!("   - {sentence}"));
    }
    lines.join("\n") + "\n"
}
