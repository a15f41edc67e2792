//! A report as text for a person.

use spectramind::verify::{Report, Verdict};

/// Prints the report on standard output.
pub fn report(report: &Report) {
    println!("{}", report.subject);
    if report.self_check {
        println!("  self-check: the key believed is your own, so nobody else vouches for this run");
    }
    for check in &report.checks {
        println!("  {:<12} {}", word(check.verdict), check.name);
        for finding in &check.findings {
            println!("               {finding}");
        }
    }
    println!(
        "  {}",
        match report.verdict() {
            Verdict::Passed => "passed: every requested check",
            Verdict::Failed => "FAILED",
            Verdict::NotChecked => "NOT CHECKED: something could not be checked",
        }
    );
    println!("  no check here proves:");
    for sentence in &report.not_proved {
        println!("   - {sentence}");
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::NotChecked => "not checked",
    }
}
