//! The report as JSON, by `schemas/report.schema.json`.

use spectramind::verify::Report;
use spectramind::verify::text::shown_json;

pub fn render(report: &Report) -> String {
    // Escaped, as it may be printed to a terminal.
    shown_json(&serde_json::to_string_pretty(report).expect("a report is plain data")) + "\n"
}
