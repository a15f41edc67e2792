//! The value of an interpolation in its tree.
//!
//! A lone interpolation yields what it names: a node of the tree or a computed value. One inside a text yields
//! Python's `str` of it. Relative paths start at the container that holds the text: `${.a}` is a sibling.

use super::Surroundings;
use super::grammar::{Element, Interpolation, Piece, Text, parse_element, parse_text};
use super::select::split_key;
use crate::config::error::{ConfigError, ErrorKind, nearest};
use crate::config::limits::{MAX_DEPTH, MAX_INTERPOLATION_DEPTH};
use crate::config::origin::Trace;
use crate::config::python;
use crate::config::schema;
use crate::config::tree::{Content, NodeId, Tree};
use crate::config::value::{Key, Map, Value};

/// What an interpolation stands for.
#[derive(Debug, Clone)]
pub(in crate::config) enum Computed {
    /// A node, of the tree or hung below one of its containers by a resolver.
    Node(NodeId),
    /// A finished value; what it holds is not resolved again.
    Value(Value),
}

/// Resolves interpolations in one tree.
///
/// The tree grows by the nodes that resolvers create; the nodes that were there do not change.
pub(in crate::config) struct Resolver<'a> {
    pub(super) tree: &'a mut Tree,
    pub(super) surroundings: &'a Surroundings<'a>,
    /// The nodes whose interpolations are being resolved, outermost first.
    pending: Vec<NodeId>,
    depth: usize,
}

/// How many plain values an interpolation costs, about.
const INTERPOLATION_COST: usize = 20;

impl<'a> Resolver<'a> {
    pub(in crate::config) fn new(tree: &'a mut Tree, surroundings: &'a Surroundings<'a>) -> Self {
        Self { tree, surroundings, pending: Vec::new(), depth: 0 }
    }

    /// The value of a node with everything below resolved; a direct `???` stays.
    ///
    /// # Errors
    /// Any of the `Interp…` kinds, [`ErrorKind::ResolverFailed`], [`ErrorKind::HydraConfigUnset`],
    /// [`ErrorKind::Limit`].
    pub(in crate::config) fn resolved(&mut self, id: NodeId) -> Result<Value, ConfigError> {
        self.resolved_below(id, &mut Vec::new())
    }

    fn resolved_below(&mut self, id: NodeId, open: &mut Vec<NodeId>) -> Result<Value, ConfigError> {
        let id = match self.deref(id)? {
            Computed::Value(value) => return Ok(value),
            Computed::Node(id) => id,
        };
        if open.contains(&id) {
            return Err(self.cycle(open, id));
        }
        refuse_height(open.len())?;
        self.tree.spend_values(1)?;
        open.push(id);
        let value = match self.tree.content(id).clone() {
            Content::Scalar(value) => {
                self.tree.spend_text(value.as_str().map_or(0, str::len))?;
                value
            }
            Content::List(items) => {
                Value::List(items.into_iter().map(|item| self.resolved_below(item, open)).collect::<Result<_, _>>()?)
            }
            Content::Map(map) => {
                let mut resolved = Map::with_capacity(map.len());
                for (key, child) in map {
                    resolved.insert(key, self.resolved_below(child, open)?);
                }
                Value::Map(resolved)
            }
        };
        open.pop();
        Ok(value)
    }

    fn cycle(&self, path: &[NodeId], last: NodeId) -> ConfigError {
        let from = path.iter().position(|&id| id == last).unwrap_or(0);
        let keys: Vec<String> = path[from..].iter().chain([&last]).map(|&id| self.tree.full_key(id)).collect();
        let error =
            ConfigError::new(ErrorKind::InterpCycle, format!("interpolations in a circle: {}", keys.join(" -> ")));
        error.at(self.tree.trace(last).origin.location().cloned())
    }

    /// The node itself, or what its interpolation stands for.
    pub(in crate::config) fn deref(&mut self, id: NodeId) -> Result<Computed, ConfigError> {
        let text = match self.tree.scalar(id) {
            Some(Value::Str(text)) if Value::is_interpolation_text(text) => text.clone(),
            _ => return Ok(Computed::Node(id)),
        };
        let computed = self.evaluate_at(id, &text).and_then(|computed| self.converted(id, computed));
        computed.map_err(|error| {
            let key = self.tree.full_key(id);
            let error =
                if error.is_nested() || key.is_empty() { error } else { error.within(&format!("{key}: {text}")) };
            error.at(self.tree.trace(id).origin.location().cloned()).nested()
        })
    }

    fn evaluate_at(&mut self, id: NodeId, text: &str) -> Result<Computed, ConfigError> {
        let Some(parent) = self.tree.parent(id) else {
            return Err(ConfigError::new(ErrorKind::Other, "an interpolation needs a config around it"));
        };
        self.tree.spend_values(INTERPOLATION_COST)?;
        self.tree.spend_text(text.len())?;
        let text = parse_text(text)?;
        self.depth += 1;
        if self.depth > MAX_INTERPOLATION_DEPTH {
            let message =
                format!("expected at most {MAX_INTERPOLATION_DEPTH} interpolations that wait for one another");
            return Err(ConfigError::new(ErrorKind::InterpCycle, message));
        }
        let computed = self.text(&text, parent, id);
        self.depth -= 1;
        if let Ok(Computed::Value(value)) = &computed {
            self.spend(value)?;
        }
        computed
    }

    /// Counts a value that was made or copied, and refuses one that is too deep for the functions that recurse.
    fn spend(&mut self, value: &Value) -> Result<(), ConfigError> {
        let mut open = vec![(value, 0)];
        while let Some((value, height)) = open.pop() {
            refuse_height(height)?;
            self.tree.spend_values(1)?;
            match value {
                Value::Str(text) => self.tree.spend_text(text.len())?,
                Value::List(items) => open.extend(items.iter().map(|item| (item, height + 1))),
                Value::Map(map) => open.extend(map.values().map(|value| (value, height + 1))),
                _ => {}
            }
        }
        Ok(())
    }

    /// The value of a node, unresolved.
    pub(super) fn copied(&mut self, id: NodeId) -> Result<Value, ConfigError> {
        let value = self.tree.to_value(id);
        self.spend(&value)?;
        Ok(value)
    }

    /// Applies the type of a typed node to what its interpolation yields.
    fn converted(&mut self, id: NodeId, computed: Computed) -> Result<Computed, ConfigError> {
        let Some(schema) = self.tree.schema(id) else { return Ok(computed) };
        let value = match &computed {
            Computed::Node(target) if self.tree.is_container(*target) => return Ok(computed),
            Computed::Node(target) => self.copied(*target)?,
            Computed::Value(value) => value.clone(),
        };
        let converted = schema::convert(&value, schema)?;
        Ok(if converted == value { computed } else { Computed::Value(converted) })
    }

    /// What `oc.decode` makes of a text.
    pub(super) fn decode(&mut self, text: &str, parent: NodeId, at: NodeId) -> Result<Value, ConfigError> {
        self.tree.spend_values(text.len())?;
        let element = parse_element(text)?;
        let computed = self.element(&element, parent, at)?;
        self.argument(computed)
    }

    fn text(&mut self, text: &Text, parent: NodeId, at: NodeId) -> Result<Computed, ConfigError> {
        match text.as_slice() {
            [Piece::Interpolation(interpolation)] => self.interpolation(interpolation, parent, at),
            pieces => Ok(Computed::Value(Value::Str(self.concatenated(pieces, parent, at)?))),
        }
    }

    fn concatenated(&mut self, pieces: &[Piece], parent: NodeId, at: NodeId) -> Result<String, ConfigError> {
        let mut text = String::new();
        for piece in pieces {
            let before = text.len();
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Interpolation(interpolation) => {
                    let computed = self.interpolation(interpolation, parent, at)?;
                    text.push_str(&python::str(&self.argument(computed)?));
                }
            }
            self.tree.spend_text(text.len() - before)?;
        }
        Ok(text)
    }

    /// A computed value as an argument: containers unresolved, as OmegaConf hands them over.
    fn argument(&mut self, computed: Computed) -> Result<Value, ConfigError> {
        match computed {
            Computed::Node(id) => self.copied(id),
            Computed::Value(value) => Ok(value),
        }
    }

    fn element(&mut self, element: &Element, parent: NodeId, at: NodeId) -> Result<Computed, ConfigError> {
        Ok(Computed::Value(match element {
            Element::Value(value) => value.clone(),
            Element::Text(text) => return self.text(text, parent, at),
            Element::Quoted(text) => Value::Str(self.concatenated(text, parent, at)?),
            Element::List(elements) => {
                let mut items = Vec::with_capacity(elements.len());
                for element in elements {
                    let computed = self.element(element, parent, at)?;
                    items.push(self.argument(computed)?);
                }
                Value::List(items)
            }
            Element::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, element) in entries {
                    let computed = self.element(element, parent, at)?;
                    let key = Key::from_value(key.clone())
                        .ok_or_else(|| ConfigError::new(ErrorKind::ResolverFailed, "null cannot be a key"))?;
                    map.insert(key, self.argument(computed)?);
                }
                Value::Map(map)
            }
        }))
    }

    fn interpolation(
        &mut self,
        interpolation: &Interpolation,
        parent: NodeId,
        at: NodeId,
    ) -> Result<Computed, ConfigError> {
        match interpolation {
            Interpolation::Node(path) => {
                let path = self.name(path, parent, at)?;
                self.node(&path, parent)
            }
            Interpolation::Resolver { name, arguments } => {
                let name = self.name(name, parent, at)?;
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.element(argument, parent, at)?);
                }
                self.call(&name, &values, parent, at)
            }
        }
    }

    /// A path or a resolver's name; interpolations in it must yield texts.
    fn name(&mut self, pieces: &[Piece], parent: NodeId, at: NodeId) -> Result<String, ConfigError> {
        let mut name = String::new();
        for piece in pieces {
            match piece {
                Piece::Literal(literal) => name.push_str(literal),
                Piece::Interpolation(interpolation) => {
                    let computed = self.interpolation(interpolation, parent, at)?;
                    let value = self.argument(computed)?;
                    let Value::Str(text) = value else {
                        let message = format!("expected a text as a part of the name, got {}", value.type_name());
                        return Err(ConfigError::new(ErrorKind::ResolverFailed, message));
                    };
                    name.push_str(&text);
                }
            }
        }
        Ok(name)
    }

    fn node(&mut self, path: &str, parent: NodeId) -> Result<Computed, ConfigError> {
        let not_found = |hint: Option<String>| {
            ConfigError::new(ErrorKind::InterpKey, format!("interpolation key {path:?} not found")).with_hint(hint)
        };
        let Some((start, rest)) = self.start_of(path, parent) else { return Err(not_found(None)) };
        let Some(found) = self.select(start, &rest, true)? else {
            return Err(not_found(self.nearest_key(start, &rest)));
        };
        if let Computed::Node(target) = found {
            let mut ancestor = Some(parent);
            while let Some(id) = ancestor {
                if id == target {
                    let message = format!("the interpolation to {path:?} leads to a container it stands in");
                    return Err(ConfigError::new(ErrorKind::InterpToParent, message));
                }
                ancestor = self.tree.parent(id);
            }
        }
        Ok(found)
    }

    /// Where a path starts, and the path without its leading dots; `None` when the dots lead out of the tree.
    pub(super) fn start_of(&self, path: &str, container: NodeId) -> Option<(NodeId, String)> {
        let Some(mut rest) = path.strip_prefix('.') else {
            return Some((self.tree.root_of(container), path.to_owned()));
        };
        let mut start = container;
        while let Some(further) = rest.strip_prefix('.') {
            start = self.tree.parent(start)?;
            rest = further;
        }
        Some((start, rest.to_owned()))
    }

    /// The node or value at a path, its own interpolation resolved; `None` where a key does not exist.
    pub(in crate::config) fn select(
        &mut self,
        start: NodeId,
        path: &str,
        refuse_missing: bool,
    ) -> Result<Option<Computed>, ConfigError> {
        if path.is_empty() {
            return Ok(Some(Computed::Node(start)));
        }
        let keys = split_key(path);
        let (last, inner) = keys.split_last().expect("splitting yields at least one key");
        let mut container = start;
        for (index, key) in inner.iter().enumerate() {
            let Some(child) = self.child(container, key, refuse_missing)? else { return Ok(None) };
            container = match self.deref(child)? {
                Computed::Node(id) if self.tree.is_container(id) => id,
                _ => {
                    let parent = keys[..=index].join(".");
                    let message = format!("{parent:?} is no container and cannot hold {:?}", keys[index + 1]);
                    return Err(ConfigError::new(ErrorKind::InterpThroughScalar, message));
                }
            };
        }
        let Some(found) = self.child(container, last, refuse_missing)? else { return Ok(None) };
        if self.pending.contains(&found) {
            return Err(self.cycle(&self.pending.clone(), found));
        }
        self.pending.push(found);
        let computed = self.deref(found);
        self.pending.pop();
        computed.map(Some)
    }

    fn child(&self, container: NodeId, key: &str, refuse_missing: bool) -> Result<Option<NodeId>, ConfigError> {
        let found = match self.tree.content(container) {
            Content::Map(map) => map.get(key).copied(),
            Content::List(items) => match python::parse_int(key) {
                Some(Value::Int(index)) => usize::try_from(index).ok().and_then(|index| items.get(index).copied()),
                Some(_) => None,
                None => {
                    let message = format!("expected the index of a list item, got {key:?}");
                    return Err(ConfigError::new(ErrorKind::ResolverFailed, message));
                }
            },
            Content::Scalar(_) => None,
        };
        match found {
            Some(id) if refuse_missing && self.tree.is_missing(id) => {
                let message = format!("the mandatory value {:?} is missing", self.tree.full_key(id));
                Err(ConfigError::new(ErrorKind::InterpMissingValue, message))
            }
            found => Ok(found),
        }
    }

    /// The key that a mistyped path may have meant.
    fn nearest_key(&self, start: NodeId, path: &str) -> Option<String> {
        let mut container = start;
        for key in split_key(path) {
            let Content::Map(map) = self.tree.content(container) else { return None };
            match map.get(key.as_str()) {
                Some(&child) => container = child,
                None => return nearest(&key, map.keys().filter_map(Key::as_str)).map(str::to_owned),
            }
        }
        None
    }

    /// Hangs a value below a container, as a node that no container lists.
    pub(super) fn hang(&mut self, value: &Value, parent: NodeId, at: NodeId) -> Result<NodeId, ConfigError> {
        let trace = Trace::new(self.tree.trace(at).origin.clone());
        let id = self.tree.import_value(value, &trace)?;
        self.tree.hang(id, parent);
        Ok(id)
    }
}

/// Refuses a config that YAML could not be read back from, and that is too deep for the functions that recurse.
pub(in crate::config) fn refuse_height(levels_below: usize) -> Result<(), ConfigError> {
    if levels_below < MAX_DEPTH {
        return Ok(());
    }
    Err(ConfigError::new(ErrorKind::Limit, format!("expected a config of at most {MAX_DEPTH} levels")))
}
