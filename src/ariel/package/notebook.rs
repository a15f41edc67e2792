//! The notebook of a package, as Jupyter's nbformat 4.5: the cells of `predict.py`, each of which begins with `# %%`.

use serde_json::{Value as Json, json};

use super::INDEX;

/// What the cells are made of. A text of a run is a stranger's: only what cannot end a string of Python is put in.
const CELLS: &str = include_str!("predict.py");

/// The notebook of a run, by its id, with the command that verifies it.
pub(super) fn of(run: &str, verify: &str) -> String {
    let cells = CELLS.split("# %%").skip(1).enumerate().map(|(number, cell)| {
        let (kind, source) = cell.split_once('\n').unwrap_or((cell, ""));
        let source = source.replace("@RUN@", &harmless(run)).replace("@INDEX@", INDEX);
        let source = source.replace("@VERIFY@", &harmless(verify));
        let id = format!("cell-{number}");
        match kind.trim() {
            "[markdown]" => {
                let uncommented = |line: &'_ str| line.strip_prefix('#').unwrap_or(line).trim_start().to_owned();
                let text = source.trim().lines().map(uncommented).collect::<Vec<_>>().join("\n");
                json!({ "cell_type": "markdown", "id": id, "metadata": {}, "source": lines(&text) })
            }
            _ => json!({
                "cell_type": "code", "execution_count": null, "id": id, "metadata": {}, "outputs": [],
                "source": lines(source.trim()),
            }),
        }
    });
    let notebook = json!({
        "cells": cells.collect::<Vec<_>>(),
        "metadata": {
            "kernelspec": { "display_name": "Python 3", "language": "python", "name": "python3" },
            "language_info": { "name": "python" },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    });
    serde_json::to_string_pretty(&notebook).expect("plain data") + "\n"
}

/// Each line with its end, as notebooks have them.
fn lines(text: &str) -> Json {
    text.split_inclusive('\n').collect::<Vec<_>>().into()
}

/// A text that ends no string of Python, and is none of its escapes.
fn harmless(text: &str) -> String {
    let is_harmless =
        |c: &char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '<' | '>' | '`' | '{' | '}') || *c == ' ';
    text.chars().map(|c| if is_harmless(&c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notebook_has_the_cells_and_no_text_of_a_run_ends_a_string() {
        let text = of("a\"); import os #\n<script>", "verify 'x' \"\"\" \\");
        let notebook: Json = serde_json::from_str(&text).expect("JSON");
        let cells = notebook["cells"].as_array().expect("cells");
        assert_eq!((cells.len(), notebook["nbformat"].as_u64()), (5, Some(4)));
        let source = |cell: &Json| -> String {
            cell["source"].as_array().expect("lines").iter().map(|line| line.as_str().expect("text")).collect()
        };
        assert!(
            source(&cells[0]).starts_with("# Predictions of run a?); import os #??script?\n"),
            "{}",
            source(&cells[0])
        );
        let last = source(&cells[4]);
        assert!(last.ends_with("print(\"  verify 'x' ??? ?\")"), "{last}");
        assert!(!text.contains('@') && !text.contains("<script"));
    }
}
