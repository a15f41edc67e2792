//! Every message of the commands as a person meets it: the whole of standard error, and the exit code.
//!
//! Each case is a line for a shell, run by `sh` in a sandbox with the two programs in its path. `docs/messages.md` says how a
//! message is built; `complete` finds those that no snapshot shows.

mod calibration;
mod command_line;
mod commands;
mod complete;
mod composition;
mod config;
mod config_files;
mod damaged_runs;
mod data;
mod data_sets;
mod export;
mod grammar;
mod keys;
mod machines;
mod programs;
mod reading;
mod records;
mod repositories;
mod running;
mod trust;
mod verifier;

use std::process::Command;

use crate::sandbox::{Outcome, Sandbox, verifier as verifier_program};

/// What a shell line comes to: its exit code, all of standard error, and of a verifier's report the bad news (`!`), with
/// what differs between machines and days masked.
fn said(sandbox: &Sandbox, line: &str) -> String {
    said_in(sandbox, line, |_| {})
}

/// [`said`], by a shell that is changed before it runs.
fn said_in(sandbox: &Sandbox, line: &str, change: impl FnOnce(&mut Command)) -> String {
    let programs = verifier_program().parent().expect("a program has a folder").to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = sandbox.prepare(Command::new("sh"));
    command.args(["-c", line]).env("PATH", format!("{}:{path}", programs.display()));
    change(&mut command);
    let outcome = Outcome::of(&mut command);
    assert!(!outcome.stderr.contains("panicked"), "{line}\n{}", outcome.stderr);
    let found = outcome.stdout.lines().filter(|line| line.starts_with("  ! ")).map(|line| format!("{line}\n"));
    let text = format!("exit {}\n{}{}", outcome.code, outcome.stderr, found.collect::<String>());
    let folder = sandbox.path("");
    let root = folder.parent().expect("a sandbox has a root").display().to_string();
    masked(&text.replace(&root, "[sandbox]"))
}

/// [`said`], with what a script of sed makes of standard error: of lines with figures that differ from run to run.
fn said_but(sandbox: &Sandbox, line: &str, script: &str) -> String {
    said(sandbox, &format!("( {line} ) 2> ../said; code=$?; sed '{script}' ../said >&2; exit $code"))
}

/// A work tree with `exec.yaml`, whose commands make `x`, and a key.
fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("configs/exec.yaml"), "command: {outputs: [x]}\n").expect("write");
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message=exec"]);
    sandbox.done(&["keys", "generate"]);
    sandbox
}

/// The same text with digests, moments and the machine's processor masked, and nothing else.
fn masked(text: &str) -> String {
    let device = |line: &str| match line.starts_with("computing on ") {
        true => "computing on [device]".to_owned(),
        false => line.to_owned(),
    };
    let lines: Vec<_> = text.lines().map(device).collect();
    let (text, mut masked) = (lines.join("\n"), String::new());
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let is_hex = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let length = match &rest[..word] {
            it if it.len() >= 32 && is_hex(it) => {
                masked += "[digest]";
                word
            }
            it if is_moment(it) => {
                masked += "[moment]";
                // The first digits of the config's digest, and a number where several runs began at once.
                let tail = &rest[word..];
                word + tail.find(|c: char| c != '-' && !c.is_ascii_hexdigit()).unwrap_or(tail.len())
            }
            "" => {
                masked.push(first);
                first.len_utf8()
            }
            it => {
                masked += it;
                word
            }
        };
        rest = &rest[length..];
    }
    masked
}

/// Whether a word is a moment as run directories are named by: `20260131T120000Z`.
fn is_moment(word: &str) -> bool {
    let shape = word.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    shape.eq(*b"00000000T000000Z")
}

#[test]
fn digests_moments_and_devices_are_masked_and_nothing_else() {
    let digest = "0123456789abcdef".repeat(4);
    let text = format!(
        "computing on X, CPU: y\nkey {digest}, runs/a/20260131T120000Z-d2d4b7bb5abc-2/logs; deadbeef Zürich 2026"
    );
    assert_eq!(masked(&text), "computing on [device]\nkey [digest], runs/a/[moment]/logs; deadbeef Zürich 2026");
}
