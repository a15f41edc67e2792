//! The report as one self-contained page: no script, nothing loaded, for a screen, a screen reader and paper.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use spectramind::page::{POLICY, STYLE};
use spectramind::verify::{Check, Report, Verdict, meaning};

use super::{SELF_CHECK, facts, sentence, shown, trained_again, word};

pub fn render(report: &Report) -> String {
    let subject = shown(&report.subject);
    let verdict = report.verdict();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (word(verdict)) ": " (subject) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (subject) }
                    p class={ "verdict " (class(verdict)) } { (sentence(verdict)) }
                    @if report.self_check { p.warning { (SELF_CHECK) } }
                    @if report.run.is_some() {
                        @let (word, how_much) = trained_again(report);
                        p.warning { (word[..1].to_uppercase()) (word[1..]) ": " (how_much) }
                        (signed(report))
                    }
                    (checks(report))
                    h2 { "What no check here proves" }
                    ul { @for sentence in &report.not_proved { li { (sentence) } } }
                }
                footer { "spectramind-verify " (env!("CARGO_PKG_VERSION")) }
            }
        }
    };
    page.into_string() + "\n"
}

fn signed(report: &Report) -> Markup {
    html! {
        h2 { "What was signed" }
        dl {
            @for (name, value) in facts(report) {
                dt { (name) }
                dd { (value) }
            }
        }
    }
}

fn checks(report: &Report) -> Markup {
    html! {
        h2 { "Checks" }
        // The roles, because a table that a narrow screen shows as blocks is none to a screen reader without them.
        table.checks role="table" {
            caption { "Each check that was asked for, what it found, and what it proves when it passes" }
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "Check" }
                    th scope="col" role="columnheader" { "Verdict" }
                    th scope="col" role="columnheader" { "Findings" }
                }
            }
            tbody role="rowgroup" { @for check in &report.checks { (row(check)) } }
        }
    }
}

fn row(check: &Check) -> Markup {
    let (_, meaning) = meaning(&check.name);
    html! {
        tr role="row" {
            th scope="row" role="rowheader" { (shown(&check.name)) }
            td role="cell" { span class={ "verdict " (class(check.verdict)) } { (word(check.verdict)) } }
            td role="cell" {
                ul {
                    @for finding in &check.findings {
                        li class=(class(finding.verdict)) {
                            @if finding.verdict != Verdict::Passed { strong { (word(finding.verdict)) ": " } }
                            (shown(&finding.message))
                        }
                    }
                }
                p.meaning { "A pass proves: " (meaning) }
            }
        }
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::NotChecked => "not-checked",
    }
}
