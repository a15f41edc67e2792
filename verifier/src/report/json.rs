//! The report as JSON, by `schemas/report.schema.json`.

use spectramind::verify::Report;

pub fn render(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("a report is plain data") + "\n"
}
