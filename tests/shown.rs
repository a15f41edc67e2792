//! What a page shows of what a program prints is what it prints.
//!
//! A block marked `text` whose first line is `$ ` and a command is run in a sandbox with two runs: `run`, and `other`, which was
//! trained at twice the learning rate. The lines of the block are then lines of the output, one after the other; `…` alone on a
//! line stands for lines left out. What is of one day or one machine is masked in both.

use std::process::Command;

use crate::sandbox::{Outcome, Sandbox, repository, trained_copy, verifier};

/// A block of a page.
struct Block<'a> {
    command: &'a str,
    lines: Vec<&'a str>,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let texts = page.split("\n```text\n").skip(1).map(|rest| rest.split("\n```").next().expect("a beginning"));
    texts
        .filter_map(|text| {
            let (command, lines) = text.strip_prefix("$ ")?.split_once('\n')?;
            Some(Block { command, lines: lines.lines().collect() })
        })
        .collect()
}

/// A line without what is of one day or one machine: run ids, digests, and the processor.
fn masked(line: &str) -> String {
    let line = match line.split_once("traced on ") {
        Some((before, after)) => match after.split_once(", CPU") {
            Some((_, after)) => format!("{before}traced on …, CPU{after}"),
            None => line.to_owned(),
        },
        None => line.to_owned(),
    };
    let word = |word: &str| {
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_id = word.split_once("Z-").is_some_and(|(time, digest)| {
            time.len() == 15 && time.as_bytes()[8] == b'T' && digest.len() == 12 && hex(digest)
        });
        if is_id || word.len() >= 40 && hex(word) { "…".to_owned() } else { word.to_owned() }
    };
    line.trim_end().split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The first line of a block that the output does not have where it should.
fn missing<'a>(shown: &[&'a str], printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines().map(masked);
    let mut gap = false;
    for &line in shown {
        if line.trim() == "…" {
            gap = true;
            continue;
        }
        let wanted = masked(line);
        let found = if gap { printed.any(|line| line == wanted) } else { printed.next() == Some(wanted) };
        if !found {
            return Some(line);
        }
        gap = false;
    }
    None
}

fn sandbox() -> Sandbox {
    let sandbox = trained_copy();
    sandbox.done(&["train", "trainer=ci_fast", "optimizer.lr=0.002", "run.dir=other"]);
    let public = sandbox.done(&["keys", "show", "--public"]).stdout;
    std::fs::write(sandbox.path("pub.pem"), public).expect("write");
    sandbox
}

#[test]
fn what_the_readme_shows_is_what_is_printed() {
    let page = std::fs::read_to_string(repository().join("README.md")).expect("read");
    let blocks = blocks(&page);
    assert!(blocks.len() >= 2, "{} blocks", blocks.len());
    let sandbox = sandbox();
    for Block { command, lines } in blocks {
        let words = command.strip_prefix("spectramind-verify ").expect("a command of the verifier");
        let mut words: Vec<&str> = words.split(' ').collect();
        if words[0] == "audit" {
            // The sandbox has the configs, and not the sources of the program.
            words.extend(["--program", "installed"]);
        }
        let outcome = Outcome::of(sandbox.prepare(Command::new(verifier())).args(&words));
        let missing = missing(&lines, &outcome.stdout);
        assert_eq!(missing, None, "{command} does not print it there, but\n{}{}", outcome.stdout, outcome.stderr);
    }
}

#[test]
fn lines_are_found_in_order_and_masked_only_where_they_may_differ() {
    let digest = "ab".repeat(32);
    let printed = format!("run\n  FAILED\n  a  20261128T041043Z-1d9271fd2a46\n  root {digest}\nend\n");
    let other = format!("  root {}", "cd".repeat(32));
    assert_eq!(missing(&["run", "…", "  a  20250101T000000Z-000000000000", &other, "end"], &printed), None);
    assert_eq!(
        missing(&["run", "  a  20250101T000000Z-000000000000"], &printed),
        Some("  a  20250101T000000Z-000000000000")
    );
    assert_eq!(missing(&["run", "  passed"], &printed), Some("  passed"));
    assert_eq!(missing(&["…", "end", "…", "run"], &printed), Some("run"));
}
