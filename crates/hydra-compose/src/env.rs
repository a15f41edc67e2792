//! The environment variables that a config may name, and which of them it did.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Environment variables that remember by what names they were asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    values: BTreeMap<String, String>,
    asked: RefCell<BTreeSet<String>>,
}

impl Variables {
    /// Variables that nobody asked for yet.
    pub(super) fn new(values: BTreeMap<String, String>) -> Self {
        Self { values, asked: RefCell::default() }
    }

    /// The value of a variable; remembers the name, whether it is set or not.
    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.values.get(name)
    }

    /// Sets variables.
    pub(super) fn extend(&mut self, values: impl IntoIterator<Item = (String, String)>) {
        self.values.extend(values);
    }

    /// The names asked for so far.
    pub(super) fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }
}
