//! `spectramind completion`, and what the shells are offered: config groups, their options, keys and their values.

use std::ffi::OsStr;
use std::io::Write as _;

use crate::config::{Composer, Config, Value};
use crate::failure::{Context, Result};
use clap::ValueEnum;
use clap_complete::CompletionCandidate;
use clap_complete::env::Shells;

use crate::cli::program;
use crate::cli::typed::{Typed, is_hydra};

/// Print the code that makes a shell complete commands, config groups, options and keys
#[derive(clap::Args)]
pub struct Arguments {
    /// bash: `source <(spectramind completion bash)`; zsh: the same; fish: `spectramind completion fish | source`
    shell: Shell,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The variable by which that code asks this program for candidates.
pub const VARIABLE: &str = "SPECTRAMIND_COMPLETE";

/// Prints the registration.
///
/// # Errors
/// When standard output is closed.
pub fn run(arguments: &Arguments) -> Result<()> {
    let name = match arguments.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
    };
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let shells = Shells::builtins();
    let shell = shells.completer(name).expect("one of the shells that are built in");
    let mut code = Vec::new();
    let name = program::name();
    shell.write_registration(VARIABLE, name, name, &program.to_string_lossy(), &mut code)?;
    if arguments.shell == Shell::Bash {
        // Bash would break group=option at the equals sign and complete the option as a word of its own.
        code.extend_from_slice(b"COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}\n");
    }
    Ok(std::io::stdout().write_all(&code)?)
}

/// Candidates for an override that is being typed.
pub fn overrides(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    // The shell's code calls this program with the command line after `--`, the shell's word for the program first.
    let words = std::env::args_os().skip_while(|word| word != "--").skip(2);
    let typed = Typed::read(words).without(current);
    let Ok(composer) = typed.composer() else { return Vec::new() };
    let config = typed.config(&composer);
    let mut found = candidates(&composer, config.as_ref(), current);
    found.retain(|candidate| candidate.starts_with(current));
    found.into_iter().map(CompletionCandidate::new).collect()
}

/// Candidates for a key that is being typed.
pub fn keys(current: &OsStr) -> Vec<CompletionCandidate> {
    let text = |candidate: CompletionCandidate| candidate.get_value().to_string_lossy().into_owned();
    let keys = overrides(current).into_iter().map(text).filter(|key| !key.contains('/'));
    keys.map(|key| CompletionCandidate::new(key.trim_end_matches('='))).collect()
}

/// Candidates for the name of a primary config.
pub fn config_names(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = std::env::args_os().skip_while(|word| word != "--").skip(2);
    let (Ok(composer), Some(current)) = (Typed::read(words).composer(), current.to_str()) else { return Vec::new() };
    composer.options("").into_iter().filter(|name| name.starts_with(current)).map(CompletionCandidate::new).collect()
}

fn candidates(composer: &Composer, config: Option<&Config>, word: &str) -> Vec<String> {
    let key_begins = word.find(|c| c != '+' && c != '~').unwrap_or(word.len());
    let (sign, rest) = word.split_at(key_begins);
    if let Some((key, value)) = rest.split_once('=') {
        // In a sweep the value after the last comma is the one being typed.
        let stem = value.rfind(',').map_or("", |comma| &value[..=comma]);
        return values(composer, config, key).into_iter().map(|value| format!("{sign}{key}={stem}{value}")).collect();
    }
    let wants_hydra = rest.starts_with("hydra");
    let groups = composer.groups().into_iter().filter(|group| is_hydra(group) == wants_hydra);
    let mut found: Vec<String> = groups.map(|group| format!("{sign}{group}=")).collect();
    let (parent, stem) = rest.rfind('.').map_or(("", ""), |dot| (&rest[..dot], &rest[..=dot]));
    if let Some(Value::Map(children)) = config.and_then(|config| node(config, parent)) {
        let child = |(key, value): (&crate::config::Key, &Value)| match value {
            Value::Map(map) if !map.is_empty() => format!("{sign}{stem}{key}."),
            _ => format!("{sign}{stem}{key}="),
        };
        found.extend(children.iter().map(child));
    }
    if rest.is_empty() || "hydra".starts_with(rest) {
        found.push(format!("{sign}hydra."));
    }
    found
}

/// What a key may be set to: a group's options, a switch's two states, or else the value it has.
fn values(composer: &Composer, config: Option<&Config>, key: &str) -> Vec<String> {
    let group = key.split('@').next().unwrap_or(key);
    let options = composer.options(group);
    if !options.is_empty() {
        return options;
    }
    match config.and_then(|config| node(config, key)) {
        Some(Value::Bool(_)) => vec!["false".into(), "true".into()],
        Some(Value::Null) => vec!["null".into()],
        Some(value @ (Value::Int(_) | Value::Float(_) | Value::Str(_))) if !value.is_missing() => {
            vec![value.to_string()]
        }
        _ => Vec::new(),
    }
}

/// What stands at a path, unresolved, in the task's config or below `hydra`.
fn node(config: &Config, path: &str) -> Option<Value> {
    let hydra = config.hydra();
    let mut keys = path.split('.').filter(|key| !key.is_empty()).peekable();
    let root = if keys.next_if_eq(&"hydra").is_some() { &hydra } else { config.value() };
    keys.try_fold(root, |value, key| value.get(key)).cloned()
}
