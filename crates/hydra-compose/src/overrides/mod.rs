//! Overrides: `trainer.lr=1e-3`, `+key=value`, `~key`, `group@package=option`, sweeps and functions.
//!
//! [`lexer`] and [`parser`] implement Hydra's override grammar, [`functions`] the casts and sweep functions,
//! [`text`] the way back to text that sweeps need.

mod functions;
mod lexer;
mod parser;
pub(super) mod range;
mod text;

use super::error::{ConfigError, ErrorKind, did_you_mean};
use super::limits::MAX_EXPRESSION_BYTES;
use super::value::{Key, Map, Value};

pub(super) use text::element_text;

/// What an override does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// `key=value`
    Change,
    /// `+key=value`
    Add,
    /// `++key=value`
    ForceAdd,
    /// `~key`, `~key=value`
    Delete,
}

/// A parsed override.
#[derive(Debug, Clone)]
pub(super) struct Override {
    pub(super) action: Action,
    /// A dotted path, or a group with slashes.
    pub(super) key: String,
    /// What follows `@`.
    pub(super) package: Option<String>,
    /// `None` for `~key`.
    pub(super) value: Option<Element>,
    /// The override as it was typed.
    pub(super) input: String,
}

/// The right side of an override, or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Element {
    /// A scalar; texts here were not quoted.
    Scalar(Value),
    Quoted(Quoted),
    List(Vec<Element>),
    Dict(Vec<(Value, Element)>),
    Sweep(Box<Sweep>),
    Glob(Glob),
    /// What `extend_list` appends to the list that is there.
    Extend(Vec<Element>),
}

/// A quoted text, unescaped.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quoted {
    pub(super) text: String,
    pub(super) quote: char,
}

/// Several values for one key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sweep {
    pub(super) kind: SweepKind,
    pub(super) shuffle: bool,
    pub(super) tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum SweepKind {
    Choice {
        list: Vec<Element>,
        /// Written `a,b` rather than `choice(a,b)`.
        simple: bool,
    },
    /// Numbers.
    Range {
        start: Value,
        stop: Value,
        step: Value,
    },
    Interval {
        start: Value,
        end: Value,
    },
}

/// Options of a group by pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Glob {
    pub(super) include: Vec<Value>,
    pub(super) exclude: Vec<Value>,
}

/// Parses one override.
///
/// # Errors
/// `OverrideLex`, `OverrideParse`, `UnknownFunction`, `FunctionEval`, `Limit`.
pub(super) fn parse(input: &str) -> Result<Override, ConfigError> {
    if input.len() > MAX_EXPRESSION_BYTES {
        let got = input.len();
        let message = format!("expected an override of at most {MAX_EXPRESSION_BYTES} bytes, got {got}");
        return Err(ConfigError::new(ErrorKind::Limit, message));
    }
    parser::parse(input).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::OverrideLex | ErrorKind::OverrideParse | ErrorKind::FunctionEval => Some(remedy(input)),
            _ => None,
        };
        error.in_override(input).with_hint(hint)
    })
}

/// What would parse instead of an override that does not.
fn remedy(input: &str) -> String {
    const FORMS: &str = "an override is `key=value`, `+key=value`, `++key=value`, `~key` or `group=option`";
    let parses = |candidate: &String| parser::parse(candidate).is_ok();
    let Some((key, value)) = input.split_once('=') else { return FORMS.to_owned() };
    let bare_key = key.trim().trim_start_matches('-');
    let (bare, quote) = (format!("{bare_key}={}", value.trim()), if value.contains('\'') { '"' } else { '\'' });
    // Items of lists are keys like any others.
    let dotted = format!("{}={value}", bare_key.replace('[', ".").replace(']', ""));
    if let Some(meant) = [bare, dotted].into_iter().find(|meant| meant != input && parses(meant)) {
        return did_you_mean(meant);
    }
    let depth = |open: char, close: char| value.matches(open).count() != value.matches(close).count();
    let unbalanced = [('[', ']'), ('{', '}'), ('(', ')')].into_iter().find(|&(open, close)| depth(open, close));
    if let Some((open, close)) = unbalanced {
        return format!("each `{open}` needs its `{close}`; put a value that is a plain text in quotes");
    }
    let quoted = format!("{bare_key}={quote}{value}{quote}");
    if parses(&quoted) {
        let shell = if quote == '"' { '\'' } else { '"' };
        return format!("a text with such characters needs quotes; in a shell: {shell}{quoted}{shell}");
    }
    FORMS.to_owned()
}

impl Override {
    /// Whether the value is a sweep or a glob.
    pub(super) fn is_sweep(&self) -> bool {
        matches!(self.value, Some(Element::Sweep(_) | Element::Glob(_)))
    }

    /// Whether this is about Hydra itself.
    pub(super) fn is_hydra(&self) -> bool {
        self.key.starts_with("hydra.") || self.key.starts_with("hydra/")
    }

    /// The key with its package, without the prefix.
    pub(super) fn key_with_package(&self) -> String {
        match &self.package {
            None => self.key.clone(),
            Some(package) => format!("{}@{package}", self.key),
        }
    }

    /// The key with its package and its prefix.
    pub(super) fn key_element(&self) -> String {
        let prefix = match self.action {
            Action::Change => "",
            Action::Add => "+",
            Action::ForceAdd => "++",
            Action::Delete => "~",
        };
        format!("{prefix}{}", self.key_with_package())
    }
}

impl Element {
    /// The value with quotes taken off; `None` for sweeps and `extend_list`, alone or in a list or map, and where
    /// null is a key.
    pub(super) fn to_value(&self) -> Option<Value> {
        Some(match self {
            Self::Scalar(value) => value.clone(),
            Self::Quoted(quoted) => Value::Str(quoted.text.clone()),
            Self::List(items) => Value::List(items.iter().map(Self::to_value).collect::<Option<_>>()?),
            Self::Dict(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    map.insert(Key::from_value(key.clone())?, value.to_value()?);
                }
                Value::Map(map)
            }
            Self::Sweep(_) | Self::Glob(_) | Self::Extend(_) => return None,
        })
    }
}
