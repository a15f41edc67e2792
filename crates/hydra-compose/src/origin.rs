//! Where each key of a composed config came from, and the values that lost.

use std::fmt;
use std::rc::Rc;

use super::error::Location;
use super::value::Value;

/// What set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of a config file.
    File(Location),
    /// An override, as it was typed.
    Override(String),
    /// Hydra's own defaults, or what Hydra records about the run.
    Hydra,
}

impl Origin {
    /// The place in a file, if it was one.
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::File(location) => Some(location),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(location) => write!(f, "{location}"),
            Self::Override(text) => write!(f, "override {text}"),
            Self::Hydra => f.write_str("hydra"),
        }
    }
}

/// The history of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOrigin {
    /// What set the value that counts.
    pub origin: Origin,
    /// The values that were set before and lost, first to last.
    pub overridden: Vec<Overridden>,
}

/// A value that lost to a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overridden {
    /// The value, unresolved.
    pub value: Value,
    /// What had set it.
    pub origin: Origin,
}

/// The history of a node while the tree is built; shared, because most nodes of a file differ in the line only.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    pub(super) origin: Rc<Origin>,
    pub(super) overridden: Vec<(Value, Rc<Origin>)>,
}

impl Trace {
    pub(super) fn new(origin: Rc<Origin>) -> Self {
        Self { origin, overridden: Vec::new() }
    }

    pub(super) fn hydra() -> Self {
        Self::new(Rc::new(Origin::Hydra))
    }

    pub(super) fn to_key_origin(&self) -> KeyOrigin {
        let lost =
            |(value, origin): &(Value, Rc<Origin>)| Overridden { value: value.clone(), origin: Origin::clone(origin) };
        KeyOrigin { origin: Origin::clone(&self.origin), overridden: self.overridden.iter().map(lost).collect() }
    }
}
