//! Which messages of the sources no snapshot shows: those of `uncovered.txt`, and no others.
//!
//! A message is a string of a source file in an `#[error("…")]`, in the arguments of `Failure::new`, `usage` or `missing`,
//! `ConfigError::new`, `context` and `with_context`, or in a `let message =`. It is shown where its literal pieces, without
//! what stands for the placeholders, follow each other in one snapshot of this module.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::sandbox::repository;

/// Where messages are made.
const SOURCES: [&str; 3] = ["src", "verifier/src", "crates/hydra-compose/src"];
/// What stands before a message.
const MAKERS: [&str; 9] = [
    "#[error(",
    "Failure::new(",
    "Failure::usage(",
    "Failure::missing(",
    "ConfigError::new(",
    ".context(",
    ".with_context(",
    "let message =",
    "let what =",
];
/// The list of those that no snapshot shows: file, message and reason, between tabs.
const LIST: &str = "tests/messages/uncovered.txt";

/// A message of a source file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Template {
    file: String,
    /// As it stands in the source, on one line.
    text: String,
}

impl Template {
    /// What is between its placeholders.
    fn pieces(&self) -> Vec<String> {
        let (mut pieces, mut piece, mut depth) = (Vec::new(), String::new(), 0);
        let mut letters = self.text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '{' | '}' if depth == 0 && letters.peek() == Some(&letter) => piece.extend(letters.next()),
                '{' => {
                    depth += 1;
                    pieces.push(std::mem::take(&mut piece));
                }
                '}' => depth -= 1,
                '\\' if depth == 0 => piece.extend(letters.next()),
                _ if depth == 0 => piece.push(letter),
                _ => {}
            }
        }
        pieces.push(piece);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    /// Whether it says anything: `{path}: {source}` does not.
    fn has_words(&self) -> bool {
        self.pieces().iter().flat_map(|piece| piece.chars()).filter(|letter| letter.is_alphabetic()).count() >= 4
    }

    fn is_shown_in(&self, snapshot: &str) -> bool {
        let mut rest = Some(snapshot);
        for piece in self.pieces() {
            rest = rest.and_then(|text| text.find(&piece).map(|at| &text[at + piece.len()..]));
        }
        rest.is_some()
    }
}

/// All files with the ending `.rs` below a folder, in order.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            paths.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

/// The string literals of a piece of Rust up to where its bracket, or its statement, ends; and that place.
fn strings(code: &str) -> Vec<String> {
    let (mut strings, mut depth) = (Vec::new(), 0);
    let mut letters = code.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '"' => strings.push(string(&mut letters)),
            ';' if depth == 0 => break,
            // A quote or a bracket in quotes opens nothing.
            '\'' => {
                let mut ahead = letters.clone();
                match (ahead.next(), ahead.next(), ahead.next()) {
                    (Some('\\'), Some(_), Some('\'')) => drop(letters.nth(2)),
                    (Some(_), Some('\''), _) => drop(letters.nth(1)),
                    _ => {}
                }
            }
            _ => {}
        }
        if depth < 0 {
            break;
        }
    }
    strings
}

/// A literal whose opening quote is read, on one line.
fn string(letters: &mut std::str::Chars<'_>) -> String {
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' if letters.as_str().starts_with('\n') => {
                let rest = letters.as_str().trim_start();
                *letters = rest.chars();
            }
            '\\' => text.extend([letter].into_iter().chain(letters.next())),
            _ => text.push(letter),
        }
    }
    text
}

/// Every message with words of its own in the sources, without those of their tests.
fn templates() -> BTreeSet<Template> {
    let mut templates = BTreeSet::new();
    for path in SOURCES.iter().flat_map(|folder| sources(&repository().join(folder))) {
        let code = std::fs::read_to_string(&path).expect("a source file");
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&code);
        let file = path.strip_prefix(repository()).expect("inside").display().to_string();
        for maker in MAKERS {
            for (at, _) in code.match_indices(maker) {
                let mut texts = strings(&code[at + maker.len()..]);
                // Behind the first string of an attribute there are only expressions.
                texts.truncate(if maker == "#[error(" { 1 } else { texts.len() });
                let found = texts.into_iter().map(|text| Template { file: file.clone(), text });
                templates.extend(found.filter(Template::has_words));
            }
        }
    }
    templates
}

/// The snapshots of this module's source files, which this one has none of.
fn snapshots() -> Vec<String> {
    let mut snapshots = Vec::new();
    let files = sources(&repository().join("tests/messages"));
    for path in files.into_iter().filter(|path| !path.ends_with("complete.rs")) {
        let code = std::fs::read_to_string(&path).expect("a source file");
        for case in code.split("assert_snapshot!(").skip(1) {
            let Some((_, snapshot)) = case.split_once(", @") else { continue };
            let raw = snapshot.starts_with('r');
            let hashes: String = snapshot.chars().skip(usize::from(raw)).take_while(|letter| *letter == '#').collect();
            let end = format!("\"{hashes});");
            let inside = snapshot[usize::from(raw) + hashes.len() + 1..].split(&end).next().unwrap_or_default();
            snapshots.push(inside.to_owned());
        }
    }
    snapshots
}

/// The list, whose lines that begin with `#` explain it.
fn listed() -> BTreeSet<Template> {
    let text = std::fs::read_to_string(repository().join(LIST)).expect("the list");
    let mut listed = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [file, text, reason] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{LIST}: {line:?}") };
        assert!(!reason.is_empty(), "{LIST}: no reason: {line}");
        assert!(listed.insert(Template { file: file.into(), text: text.into() }), "{LIST}: twice: {line}");
    }
    listed
}

#[test]
fn every_message_is_in_a_snapshot_or_in_the_list_of_those_that_are_not() {
    let (templates, snapshots, listed) = (templates(), snapshots(), listed());
    let shown = |template: &&Template| snapshots.iter().any(|snapshot| template.is_shown_in(snapshot));
    let (covered, uncovered): (BTreeSet<_>, BTreeSet<_>) = templates.iter().partition(shown);
    let listed: BTreeSet<_> = listed.iter().collect();
    let lines = |templates: Vec<&&Template>| -> String {
        templates.iter().map(|it| format!("{}\t{}\tREASON\n", it.file, it.text)).collect()
    };
    let (missing, stale) =
        (uncovered.difference(&listed).collect::<Vec<_>>(), listed.difference(&uncovered).collect::<Vec<_>>());
    assert!(missing.is_empty(), "no snapshot in tests/messages shows:\n{}", lines(missing));
    assert!(stale.is_empty(), "{LIST} lists what is shown now, or is no more:\n{}", lines(stale));
    let page = std::fs::read_to_string(repository().join("docs/messages.md")).expect("the page");
    let share = format!("{} of the {} messages", covered.len(), templates.len());
    assert!(page.contains(&share), "docs/messages.md: expected {share:?}");
}

#[test]
fn a_message_is_taken_apart_at_its_placeholders() {
    let template = |text: &str| Template { file: String::new(), text: text.into() };
    let one = template(r#"a {{x}} \"q\" {got:?}, expected {}"#);
    assert_eq!(one.pieces(), [r#"a {x} "q" "#, ", expected "]);
    assert!(one.is_shown_in(r#"Error: a {x} "q" 3, expected 4"#));
    assert!(!one.is_shown_in(r#"Error: expected 4, a {x} "q" 3"#));
    assert!(!template("{path}: {source}").has_words());
    let code = "format!(\"a \\\n    b {c}\"), '\"', (d, \"e\")), \"outside\"";
    assert_eq!(strings(code), ["a b {c}", "e"]);
}
