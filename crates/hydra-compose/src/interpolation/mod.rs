//! Interpolations: `${trainer.lr}`, `${..sibling}`, `${oc.env:HOME}`.
//!
//! [`grammar`] parses, [`resolve`] finds the value in a tree, [`resolvers`] has the named functions. Nothing here reads
//! the process environment or the clock; both come in through [`Surroundings`].

mod grammar;
mod resolve;
mod resolvers;
mod select;

use std::cell::RefCell;

use super::custom::CustomResolvers;
use super::env::Variables;
use super::error::ConfigError;
use super::value::Value;

pub(super) use grammar::unescaped;
pub(super) use resolve::{Computed, MissingTarget, Resolver, refuse_height};
pub(super) use resolvers::is_builtin;
pub(super) use select::split_key;

/// What resolvers may look at besides the config.
#[derive(Debug, Default)]
pub(super) struct Surroundings<'a> {
    /// The environment variables.
    pub(super) env: Option<&'a Variables>,
    /// The time of the run, for `${now:…}`.
    pub(super) now: Option<jiff::Zoned>,
    /// The `hydra` node, for `${hydra:…}`, with everything around it. All resolvers share it, and so its limits.
    pub(super) hydra: Option<RefCell<super::tree::Tree>>,
    /// Where the root of `hydra`'s tree is.
    pub(super) hydra_root: Option<super::tree::NodeId>,
    /// Resolvers beside OmegaConf's and Hydra's.
    pub(super) custom: Option<&'a CustomResolvers>,
    /// What deprecated keys had to say.
    pub(super) warnings: RefCell<Vec<String>>,
}

/// Refuses a text that holds `${` and does not parse.
///
/// OmegaConf lets a few malformed texts pass at first, those with an empty resolver name (`${:a}`); they fail when
/// they are resolved.
///
/// # Errors
/// `ErrorKind::InterpGrammar`, `ErrorKind::Limit`.
pub(super) fn check(text: &str) -> Result<(), ConfigError> {
    if Value::is_interpolation_text(text) && !has_empty_resolver_name(text) {
        grammar::parse_text(text)?;
    }
    Ok(())
}

/// Refuses a value with a text in it that [`check`] refuses.
///
/// # Errors
/// As there.
pub(super) fn check_texts(value: &Value) -> Result<(), ConfigError> {
    match value {
        Value::Str(text) => check(text),
        Value::List(items) => items.iter().try_for_each(check_texts),
        Value::Map(map) => map.values().try_for_each(check_texts),
        _ => Ok(()),
    }
}

/// Whether the text is one of those that OmegaConf's shortcut accepts although its grammar does not.
fn has_empty_resolver_name(text: &str) -> bool {
    let mut rest = text;
    let mut found = false;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { return false };
        let inside = rest[start + 2..start + length].trim();
        found |= inside.starts_with(':');
        rest = &rest[start + length + 1..];
    }
    found && !text.contains('\\')
}
