//! The value of an interpolation in its tree.
//!
//! A lone interpolation yields what it names: a node of the tree or a computed value. One inside a text yields
//! Python's `str` of it. Relative paths start at the container that holds the text: `${.a}` is a sibling.

use super::Surroundings;
use super::grammar::{Element, Interpolation, Piece, Text, default_hint, parse_element, parse_text};
use super::select::split_key;
use crate::error::{ConfigError, ErrorKind, did_you_mean, nearest};
use crate::limits::{MAX_DEPTH, MAX_INTERPOLATION_DEPTH};
use crate::origin::Trace;
use crate::python;
use crate::schema;
use crate::tree::{Content, NodeId, Tree};
use crate::value::{Key, MISSING, Map, Value};

/// What an interpolation stands for.
#[derive(Debug, Clone)]
pub(crate) enum Computed {
    /// A node, of the tree or hung below one of its containers by a resolver.
    Node(NodeId),
    /// A finished value; what it holds is not resolved again.
    Value(Value),
}

/// Resolves interpolations in one tree.
///
/// The tree grows by the nodes that resolvers create; the nodes that were there do not change.
pub(crate) struct Resolver<'a> {
    pub(super) tree: &'a mut Tree,
    pub(super) surroundings: &'a Surroundings<'a>,
    /// The nodes whose interpolations are being resolved, outermost first.
    pending: Vec<NodeId>,
    depth: usize,
    missing: MissingTarget,
    errors: Vec<ConfigError>,
}

/// What becomes of an interpolation to a value that is `???`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingTarget {
    /// It fails, as in `OmegaConf.to_container(resolve=True)`.
    Refused,
    /// It becomes `???` itself, as in `OmegaConf.resolve`.
    Kept,
    /// So does every other interpolation that fails, and the errors are collected.
    Collected,
    /// An interpolation that needs a resolver that is not here stays as it is written, and the errors are collected;
    /// missing values are kept.
    Partial,
}

/// How many plain values an interpolation costs, about.
const INTERPOLATION_COST: usize = 20;

impl<'a> Resolver<'a> {
    pub(crate) fn new(tree: &'a mut Tree, surroundings: &'a Surroundings<'a>) -> Self {
        Self { tree, surroundings, pending: Vec::new(), depth: 0, missing: MissingTarget::Refused, errors: Vec::new() }
    }

    /// Another treatment of interpolations to missing values; they are refused unless this is called.
    pub(crate) fn with_missing(mut self, missing: MissingTarget) -> Self {
        self.missing = missing;
        self
    }

    /// What failed, where failures are collected.
    pub(crate) fn into_errors(self) -> Vec<ConfigError> {
        self.errors
    }

    /// The value of a node with everything below resolved; a direct `???` stays.
    ///
    /// # Errors
    /// Any of the `Interp…` kinds, [`ErrorKind::ResolverFailed`], [`ErrorKind::HydraConfigUnset`],
    /// [`ErrorKind::Limit`].
    pub(crate) fn resolved(&mut self, id: NodeId) -> Result<Value, ConfigError> {
        self.resolved_below(id, &mut Vec::new())
    }

    fn resolved_below(&mut self, id: NodeId, open: &mut Vec<NodeId>) -> Result<Value, ConfigError> {
        let id = match self.deref(id) {
            Err(error)
                if self.missing == MissingTarget::Partial && error.kind() == ErrorKind::InterpUnknownResolver =>
            {
                self.errors.push(error);
                return Ok(self.tree.to_value(id));
            }
            Err(error)
                if matches!(self.missing, MissingTarget::Kept | MissingTarget::Partial)
                    && error.kind() == ErrorKind::InterpMissingValue =>
            {
                return Ok(Value::from(MISSING));
            }
            Err(error) if self.missing == MissingTarget::Collected && error.kind() != ErrorKind::Limit => {
                self.errors.push(error);
                return Ok(Value::from(MISSING));
            }
            Err(error) => return Err(error),
            Ok(Computed::Value(value)) => return Ok(value),
            Ok(Computed::Node(id)) => id,
        };
        if let Some(from) = open.iter().position(|&known| known == id) {
            return Err(self.cycle(&open[from..]));
        }
        refuse_height(open.len()).map_err(|too_high| {
            let blamed = || too_high.blamed_on(&self.tree.trace(id).origin);
            self.circle_of_places(open).unwrap_or_else(blamed)
        })?;
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

    /// A circle, each node of which leads to the next; shown from the node that was read first.
    fn cycle(&self, circle: &[NodeId]) -> ConfigError {
        let first = (0..circle.len()).min_by_key(|&at| circle[at]).expect("a circle has nodes");
        let origin = |id: NodeId| &*self.tree.trace(id).origin;
        let mut path = String::new();
        for &id in circle[first..].iter().chain(&circle[..first]) {
            path.push_str(&format!("{} ({}) -> ", self.tree.full_key(id), origin(id)));
        }
        path.push_str(&self.tree.full_key(circle[first]));
        let hint = "give one of these keys a value that leads to none of the others".to_owned();
        let error = ConfigError::new(ErrorKind::InterpCycle, format!("interpolations in a circle: {path}"));
        error.blamed_on(origin(circle[first])).with_hint(Some(hint))
    }

    /// The circle in a path on which a place comes twice.
    ///
    /// Resolvers make new nodes each time, so a circle may show in the places and not in the nodes.
    fn circle_of_places(&self, path: &[NodeId]) -> Option<ConfigError> {
        let place = |id: NodeId| (self.tree.full_key(id), self.tree.trace(id).origin.to_string());
        let places: Vec<(String, String)> = path.iter().map(|&id| place(id)).collect();
        let again = |at: usize| Some(at + 1 + places[at + 1..].iter().position(|place| *place == places[at])?);
        let (from, to) = (0..places.len()).find_map(|at| Some((at, again(at)?)))?;
        Some(self.cycle(&path[from..to]))
    }

    /// The node itself, or what its interpolation stands for.
    pub(crate) fn deref(&mut self, id: NodeId) -> Result<Computed, ConfigError> {
        let text = match self.tree.scalar(id) {
            Some(Value::Str(text)) if Value::is_interpolation_text(text) => text.clone(),
            _ => return Ok(Computed::Node(id)),
        };
        let computed = self.evaluate_at(id, &text).and_then(|computed| self.converted(id, computed));
        computed.map_err(|error| {
            let key = self.tree.full_key(id);
            if error.is_nested() || key.is_empty() {
                return error.at(self.tree.trace(id).origin.location().cloned()).nested();
            }
            let error = error.of_key(&key);
            // A circle names its keys itself.
            let error = match error.kind() {
                ErrorKind::InterpCycle => error,
                _ => error.within(&format!("{key}: {}", shortened(&text))),
            };
            error.blamed_on(&self.tree.trace(id).origin).nested()
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
            return Err(self.circle_of_places(&self.pending).unwrap_or_else(|| {
                let most = MAX_INTERPOLATION_DEPTH;
                let message = format!("expected at most {most} interpolations that wait for one another, got more");
                ConfigError::new(ErrorKind::Limit, message)
            }));
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

    /// What `oc.decode` makes of a text: for a lone interpolation, the node that it names.
    pub(super) fn decode(&mut self, text: &str, parent: NodeId, at: NodeId) -> Result<Computed, ConfigError> {
        self.tree.spend_values(text.len())?;
        let element = parse_element(text)?;
        self.element(&element, parent, at)
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
            Element::Gap(sequence) => {
                let warning = format!(
                    "In the sequence `{sequence}` some elements are missing: please replace them with empty quoted \
                     strings. See https://github.com/omry/omegaconf/issues/572 for details."
                );
                self.surroundings.warnings.borrow_mut().push(warning);
                Value::Str(String::new())
            }
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
                        let hint = Some("what stands in a name has to come to a text: quote the value".to_owned());
                        return Err(ConfigError::new(ErrorKind::ResolverFailed, message).with_hint(hint));
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
        let Some((start, rest)) = self.start_of(path, parent) else {
            let hint = "one dot is the map that holds the key, each further dot one map further out".to_owned();
            return Err(not_found(Some(hint)));
        };
        let Some(found) = self.select(start, &rest, true)? else {
            return Err(not_found(self.key_hint(path, start, &rest, parent)));
        };
        if let Computed::Node(target) = found {
            let mut ancestor = Some(parent);
            while let Some(id) = ancestor {
                if id == target {
                    let message = format!("the interpolation to {path:?} leads to a container it stands in");
                    let hint = "name a key inside of it".to_owned();
                    return Err(ConfigError::new(ErrorKind::InterpToParent, message).with_hint(Some(hint)));
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
    pub(crate) fn select(
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
                    let message = format!("{parent:?} is no map or list and cannot hold {:?}", keys[index + 1]);
                    let hint = format!("`${{{parent}}}` is its value");
                    return Err(ConfigError::new(ErrorKind::InterpThroughScalar, message).with_hint(Some(hint)));
                }
            };
        }
        let Some(found) = self.child(container, last, refuse_missing)? else { return Ok(None) };
        if let Some(from) = self.pending.iter().position(|&pending| pending == found) {
            return Err(self.cycle(&self.pending[from..]));
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
                    let hint = Some(format!("it is a list of {}: its items are counted from 0", items.len()));
                    return Err(ConfigError::new(ErrorKind::ResolverFailed, message).with_hint(hint));
                }
            },
            Content::Scalar(_) => None,
        };
        match found {
            Some(id) if refuse_missing && self.tree.is_missing(id) => {
                let key = self.tree.full_key(id);
                let message = format!("the mandatory value {key:?} is missing");
                let hint = Some(format!("set it: `{key}=<value>`"));
                Err(ConfigError::new(ErrorKind::InterpMissingValue, message).with_hint(hint))
            }
            found => Ok(found),
        }
    }

    /// What a path that leads nowhere may have meant.
    fn key_hint(&self, path: &str, start: NodeId, rest: &str, parent: NodeId) -> Option<String> {
        let keys = split_key(rest);
        if let Some(hint) = default_hint(&format!("${{{path}}}")) {
            return Some(hint);
        }
        if super::is_builtin(path) {
            return Some(format!("it is a resolver, whose arguments stand behind a colon: `${{{path}:…}}`"));
        }
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let is_beside = !path.starts_with('.') && self.tree.descend(parent, &names).is_some();
        if is_beside {
            let hint = did_you_mean(format!("${{.{path}}}"));
            return Some(format!("{hint} without a dot, a path starts at the top of the config"));
        }
        let mut container = start;
        for (at, key) in keys.iter().enumerate() {
            let Content::Map(map) = self.tree.content(container) else { return None };
            let Some(&child) = map.get(key.as_str()) else {
                let Some(near) = nearest(key, map.keys().filter_map(Key::as_str)) else {
                    return self.tree.keys_beside(start, &keys);
                };
                let mut meant = keys.clone();
                meant[at] = near.to_owned();
                let dots = &path[..path.len() - rest.len()];
                return Some(did_you_mean(format!("${{{dots}{}}}", meant.join("."))));
            };
            container = child;
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

/// A text as an error message can show it.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Refuses a config that YAML could not be read back from, and that is too deep for the functions that recurse.
pub(crate) fn refuse_height(levels_below: usize) -> Result<(), ConfigError> {
    if levels_below < MAX_DEPTH {
        return Ok(());
    }
    Err(ConfigError::new(ErrorKind::Limit, format!("expected a config of at most {MAX_DEPTH} levels")))
}
