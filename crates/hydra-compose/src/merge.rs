//! Merging, setting and deleting in a tree, with OmegaConf's rules.
//!
//! Maps merge key by key, lists are replaced, `???` never overwrites, and a map merged onto an interpolation to a
//! container merges onto a copy of that container. In a closed tree only keys that exist can be set.

use indexmap::IndexMap;

use super::error::{ConfigError, ErrorKind, did_you_mean, nearest};
use super::interpolation::{Computed, Resolver, Surroundings, split_key};
use super::limits::MAX_DEPTH;
use super::origin::{Origin, Trace};
use super::python;
use super::schema::{self, check_key};
use super::tree::{Content, NodeId, Tree};
use super::value::{Key, Value};

/// A tree that is being changed.
pub(super) struct Merger<'a> {
    pub(super) tree: &'a mut Tree,
    pub(super) surroundings: &'a Surroundings<'a>,
}

/// Whether an update may add keys to a closed tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Additions {
    Refused,
    Allowed,
}

impl Merger<'_> {
    /// Merges `source` into `target`; both are maps, or both lists.
    ///
    /// # Errors
    /// [`ErrorKind::MergeDictList`], [`ErrorKind::KeyNotInStruct`], [`ErrorKind::HydraSchema`].
    pub(super) fn merge(&mut self, target: NodeId, source: NodeId) -> Result<(), ConfigError> {
        match (self.tree.content(target), self.tree.content(source).clone()) {
            (Content::Map(_), Content::Map(entries)) => {
                for (key, child) in entries {
                    self.merge_entry(target, key, child)?;
                }
                Ok(())
            }
            (Content::List(_), Content::List(_)) => self.replace_list(target, source),
            _ => {
                let key = self.tree.full_key(target);
                let (have, got) = (self.tree.to_value(target), self.tree.to_value(source));
                let place = match (&*self.tree.trace(target).origin, key.as_str()) {
                    (_, "") => "of the config".to_owned(),
                    (Origin::Hydra, _) => format!("at {key:?}"),
                    (origin, _) => format!("at {key:?} ({origin})"),
                };
                let message = format!("cannot merge a {} into the {} {place}", got.type_name(), have.type_name());
                let hint = match key.as_str() {
                    "" => "a config that merges into others is a map: put the list below a key".to_owned(),
                    _ => format!("make both a {}, or give one of them another key", have.type_name()),
                };
                let kind = match self.tree.schema(target) {
                    Some(_) => ErrorKind::HydraSchema,
                    None => ErrorKind::MergeDictList,
                };
                let error = ConfigError::new(kind, message).with_hint(Some(hint));
                Err(error.at(self.tree.trace(source).origin.location().cloned()))
            }
        }
    }

    fn merge_entry(&mut self, target: NodeId, key: Key, source: NodeId) -> Result<(), ConfigError> {
        let old = self.tree.map(target).and_then(|map| map.get(&key).copied());
        let source_is_container = self.tree.is_container(source);
        let Some(mut old) = old else { return self.set_merged(target, key, source) };
        if self.tree.is_interpolation(old) {
            let target_of = Resolver::new(self.tree, self.surroundings).deref(old);
            if let Ok(Computed::Node(referenced)) = target_of
                && self.tree.is_container(referenced)
            {
                refuse_depth(self.tree.depth(target) + self.tree.height(referenced))?;
                let copy = self.tree.copy(referenced)?;
                self.set(target, key.clone(), copy)?;
                old = copy;
            }
        }
        if source_is_container
            && !self.tree.is_container(old)
            && self.tree.schema(old).is_some_and(|schema| schema.is_container())
        {
            // A typed map or list that is null or missing opens up.
            let empty = match self.tree.schema(old) {
                Some(schema::Schema::List { .. }) => Content::List(Vec::new()),
                _ => Content::Map(Default::default()),
            };
            self.tree.set_content(old, empty);
        }
        if source_is_container && self.tree.is_container(old) {
            self.merge(old, source)
        } else if self.tree.is_missing(source) {
            Ok(())
        } else {
            self.refuse_scalar_for_struct(old, source)?;
            self.set_merged(target, key, source)
        }
    }

    /// [`set`](Self::set), except that a map of texts lets the containers pass that a merge brings.
    fn set_merged(&mut self, map: NodeId, key: Key, node: NodeId) -> Result<(), ConfigError> {
        let is_open = self.tree.schema(map).is_some_and(schema::Schema::is_map) && self.tree.is_container(node);
        if !is_open {
            return self.set(map, key, node);
        }
        match self.tree.map(map).and_then(|map| map.get(&key).copied()) {
            None => self.check_addition(map, &key)?,
            Some(old) => self.tree.record_loss(old, node),
        }
        self.tree.put(map, key, node);
        Ok(())
    }

    /// A file cannot put a scalar in the place of one of Hydra's own structures, not even an interpolation; null it can.
    fn refuse_scalar_for_struct(&self, old: NodeId, source: NodeId) -> Result<(), ConfigError> {
        let is_struct = matches!(self.tree.schema(old), Some(schema::Schema::Struct { .. }));
        match self.tree.scalar(source) {
            Some(value) if is_struct && *value != Value::Null => {
                let key = self.tree.full_key(old);
                let message = format!("{key}: expected a map, got {}", value.type_name());
                let location = self.tree.trace(source).origin.location().cloned();
                Err(ConfigError::new(ErrorKind::HydraSchema, message).at(location))
            }
            _ => Ok(()),
        }
    }

    fn replace_list(&mut self, target: NodeId, source: NodeId) -> Result<(), ConfigError> {
        self.tree.record_loss(target, source);
        let schema = self.tree.schema(target);
        self.tree.take_over(target, source);
        match schema {
            Some(schema) => schema::apply(self.tree, target, schema),
            None => Ok(()),
        }
    }

    /// Puts a node under a key, replacing what was there.
    ///
    /// # Errors
    /// [`ErrorKind::KeyNotInStruct`], [`ErrorKind::HydraSchema`].
    pub(super) fn set(&mut self, map: NodeId, key: Key, node: NodeId) -> Result<(), ConfigError> {
        let old = self.tree.map(map).and_then(|map| map.get(&key).copied());
        if old.is_none() {
            let location = self.tree.trace(node).origin.location().cloned();
            self.check_addition(map, &key).map_err(|error| error.at(location))?;
        }
        // What the old value happened to be does not bind its successor; what the map declares does.
        let schema = self.tree.schema(map).and_then(|schema| schema.child(&key));
        if let Some(old) = old {
            self.tree.record_loss(old, node);
        }
        self.tree.put(map, key, node);
        match schema {
            Some(schema) => schema::apply(self.tree, node, schema),
            None => Ok(()),
        }
    }

    fn check_addition(&self, map: NodeId, key: &Key) -> Result<(), ConfigError> {
        let at = self.tree.full_key(map);
        if let Some(schema) = self.tree.schema(map)
            && (schema.is_map() || !self.tree.is_opened_here(map))
        {
            check_key(schema, key, &at)?;
        }
        if !self.tree.is_closed(map) {
            return Ok(());
        }
        let name = key.to_string();
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let known = self.tree.map(map).into_iter().flatten().filter_map(|(key, _)| key.as_str());
        let hint = nearest(&name, known)
            .map(|known| did_you_mean(if at.is_empty() { known.to_owned() } else { format!("{at}.{known}") }));
        Err(ConfigError::new(ErrorKind::KeyNotInStruct, format!("key {path:?} is not in the config")).with_hint(hint))
    }

    /// Sets, or merges into, what a dotted path names.
    ///
    /// Containers on the way that do not exist, or are no containers, become empty maps, where additions or the
    /// keys allow it.
    ///
    /// # Errors
    /// As [`merge`](Self::merge) and [`set`](Self::set), and [`ErrorKind::ListIndex`].
    pub(super) fn update(
        &mut self,
        root: NodeId,
        path: &str,
        node: NodeId,
        additions: Additions,
    ) -> Result<(), ConfigError> {
        let keys = split_key(path);
        refuse_depth(keys.len())?;
        let (last, inner) = keys.split_last().expect("splitting yields at least one key");
        let mut container = root;
        for key in inner {
            let child = self.child(container, key)?;
            self.refuse_null_map(child)?;
            let child = self.through_interpolation(child);
            container = match child.filter(|&child| self.tree.is_container(child)) {
                Some(child) => child,
                None => {
                    let trace = Trace::new(self.tree.trace(node).origin.clone());
                    let empty = self.tree.add_map(trace)?;
                    self.with_additions(container, additions, |merger| merger.set_at(container, key, empty))?;
                    empty
                }
            };
        }
        self.with_additions(container, additions, |merger| {
            if merger.tree.is_container(node) {
                let old = merger.child(container, last)?;
                if merger.is_null_map(old) && merger.tree.map(node).is_some_and(IndexMap::is_empty) {
                    return Ok(());
                }
                merger.refuse_null_map(old)?;
                if let Some(old) = old.filter(|&old| merger.tree.is_container(old)) {
                    return merger.merge(old, node);
                }
            }
            merger.set_at(container, last, node)
        })
    }

    /// Appends the items of `more`, a list that stands nowhere yet, to the list that a dotted path names.
    ///
    /// A list that an interpolation names is copied: only the named key changes.
    ///
    /// # Errors
    /// [`ErrorKind::MergeOther`] where there is no list, and as [`update`](Self::update).
    pub(super) fn extend(&mut self, root: NodeId, path: &str, more: NodeId) -> Result<(), ConfigError> {
        let trace = self.tree.trace(more).clone();
        let old = match self.lookup(root, path)? {
            Some(Computed::Node(id)) => Some(id),
            Some(Computed::Value(value)) => Some(self.tree.import_value(&value, &trace)?),
            None => None,
        };
        let Some(Content::List(items)) = old.map(|id| self.tree.content(id).clone()) else {
            let got = match old {
                Some(id) => self.tree.to_value(id).type_name(),
                None => "no value",
            };
            let place = old.and_then(|id| self.tree.trace(id).origin.location().cloned());
            let hint = match old {
                Some(_) => Some(format!("{path}=[…] to replace the value by a list")),
                None => Some(self.nearest_path(root, path).unwrap_or_else(|| format!("+{path}=[…]"))),
            };
            let message = format!("extend_list: expected a list at {path:?}, got {got}");
            return Err(ConfigError::new(ErrorKind::MergeOther, message).at(place).with_hint(hint));
        };
        let extended = self.tree.add(Content::List(Vec::new()), trace)?;
        for item in items {
            let item = self.tree.copy(item)?;
            self.tree.push(extended, item);
        }
        for item in self.tree.children(more) {
            self.tree.push(extended, item);
        }
        self.update(root, path, extended, Additions::Refused)
    }

    /// Where one of Hydra's own maps or lists is an interpolation, its keys are those of what it names.
    fn through_interpolation(&mut self, node: Option<NodeId>) -> Option<NodeId> {
        let id = node?;
        let is_typed = self.tree.schema(id).is_some_and(schema::Schema::is_container);
        if !(is_typed && self.tree.is_interpolation(id)) {
            return node;
        }
        match Resolver::new(self.tree, self.surroundings).deref(id) {
            Ok(Computed::Node(named)) => Some(named),
            _ => node,
        }
    }

    /// Whether this is one of Hydra's own maps with any keys, and null: `hydra.sweeper.params`.
    fn is_null_map(&self, node: Option<NodeId>) -> bool {
        node.is_some_and(|id| {
            self.tree.scalar(id) == Some(&Value::Null) && self.tree.schema(id).is_some_and(schema::Schema::is_map)
        })
    }

    /// Hydra fails where an override sets something in such a map.
    fn refuse_null_map(&self, node: Option<NodeId>) -> Result<(), ConfigError> {
        match node {
            Some(id) if self.is_null_map(node) => {
                let key = self.tree.full_key(id);
                let message = format!("{key}: it is null, and Hydra sets nothing in a null map");
                let hint = format!("an entry of {key} in the config file");
                Err(ConfigError::new(ErrorKind::Unsupported, message).with_hint(Some(hint)))
            }
            _ => Ok(()),
        }
    }

    fn with_additions<T>(
        &mut self,
        container: NodeId,
        additions: Additions,
        change: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        if additions == Additions::Refused {
            return change(self);
        }
        let before = self.tree.set_closed(container, Some(false));
        let result = change(self);
        self.tree.set_closed(container, before);
        result
    }

    /// The child under a key of a map, or at an index of a list.
    fn child(&self, container: NodeId, key: &str) -> Result<Option<NodeId>, ConfigError> {
        match self.tree.content(container) {
            Content::Map(map) => Ok(map.get(key).copied()),
            Content::List(items) => Ok(usize::try_from(index(key)?).ok().and_then(|index| items.get(index).copied())),
            Content::Scalar(_) => Ok(None),
        }
    }

    fn set_at(&mut self, container: NodeId, key: &str, node: NodeId) -> Result<(), ConfigError> {
        let Content::List(items) = self.tree.content(container) else {
            return self.set(container, Key::from(key), node);
        };
        let (index, length) = (index(key)?, items.len());
        // Python counts negative indices from the end.
        let position = if index < 0 { index + length as i64 } else { index };
        let position = usize::try_from(position).ok().filter(|&position| position < length).ok_or_else(|| {
            let at = self.tree.full_key(container);
            let message = format!("{at}[{index}]: the list has {length} items, counted from 0");
            let hint = format!("an item cannot be added alone: give the whole list, `{at}=[…]`");
            ConfigError::new(ErrorKind::ListIndex, message).with_hint(Some(hint))
        })?;
        let old = items[position];
        self.tree.record_loss(old, node);
        let schema = self.tree.schema(container).and_then(|schema| schema.child(&Key::Int(0)));
        self.tree.replace_item(container, position, node);
        match schema {
            Some(schema) => schema::apply(self.tree, node, schema),
            None => Ok(()),
        }
    }

    /// What a path names, its interpolation resolved; null, missing and absent values are `None`.
    ///
    /// # Errors
    /// Whatever resolving fails with.
    pub(super) fn lookup(&mut self, root: NodeId, path: &str) -> Result<Option<Computed>, ConfigError> {
        let mut resolver = Resolver::new(self.tree, self.surroundings);
        // Relative paths lead out of the root here, which is its own parent.
        let path = path.trim_start_matches('.');
        let found = match resolver.select(root, path, false) {
            Err(error) if error.kind() == ErrorKind::InterpThroughScalar && !error.is_nested() => None,
            // No resolver was asked: the path itself names a key of a list.
            Err(error) if error.kind() == ErrorKind::ResolverFailed && !error.is_nested() => {
                return Err(error.with_kind(ErrorKind::MergeOther));
            }
            found => found?,
        };
        Ok(found.filter(|found| match found {
            Computed::Value(value) => *value != Value::Null,
            Computed::Node(id) => !self.tree.is_missing(*id) && self.tree.scalar(*id) != Some(&Value::Null),
        }))
    }

    /// The resolved value at a path; `None` for null, missing and absent ones.
    ///
    /// # Errors
    /// Whatever resolving fails with.
    pub(super) fn lookup_resolved(&mut self, root: NodeId, path: &str) -> Result<Option<Value>, ConfigError> {
        Ok(match self.lookup(root, path)? {
            None => None,
            Some(Computed::Value(value)) => Some(value),
            Some(Computed::Node(id)) => Some(Resolver::new(self.tree, self.surroundings).resolved(id)?),
        })
    }

    /// Deletes what a path names, if its value is the expected one.
    ///
    /// # Errors
    /// [`ErrorKind::DeleteAbsent`], [`ErrorKind::DeleteValueMismatch`], and whatever resolving fails with.
    pub(super) fn delete(&mut self, root: NodeId, path: &str, expected: &Value) -> Result<(), ConfigError> {
        let Some(found) = self.lookup(root, path)? else {
            let near = self.nearest_path(root, path).map(|near| did_you_mean(format!("~{near}")));
            let hint = near.or_else(|| self.keys_beside(root, path));
            let message = format!("could not delete {path:?}: there is no value");
            return Err(ConfigError::new(ErrorKind::DeleteAbsent, message).with_hint(hint));
        };
        if *expected != Value::Null {
            let value = match found {
                Computed::Value(value) => value,
                // A map is no list and no scalar, whatever the interpolations in it come to.
                Computed::Node(id) if !self.is_like(id, expected) => self.tree.to_value(id),
                Computed::Node(id) => Resolver::new(self.tree, self.surroundings).resolved(id)?,
            };
            if !python::equal(&value, expected) {
                let (value, expected) = (python::str(&value), python::str(expected));
                let message = format!("could not delete {path:?}: its value is {value} and not {expected}");
                let hint = Some(format!("`~{path}` deletes any value"));
                return Err(ConfigError::new(ErrorKind::DeleteValueMismatch, message).with_hint(hint));
            }
        }
        let (container, key) = match path.rsplit_once('.') {
            None => (Some(Computed::Node(root)), path),
            Some((container, key)) => (self.lookup(root, container)?, key),
        };
        match container {
            Some(Computed::Node(id)) if self.tree.map(id).is_some_and(|map| map.contains_key(key)) => {
                if self.tree.schema(id).is_some_and(|schema| matches!(schema, schema::Schema::Struct { .. })) {
                    let message = format!("could not delete {path:?}: Hydra needs it");
                    let hint = Some("it can be given another value only".to_owned());
                    return Err(ConfigError::new(ErrorKind::HydraSchema, message).with_hint(hint));
                }
                self.tree.remove(id, key);
                Ok(())
            }
            _ => {
                let message = format!("could not delete {path:?}: an item of a list cannot be deleted alone");
                let list = path.rsplit_once('.').map_or(path, |(list, _)| list);
                let hint = Some(format!("give the whole list: `{list}=[…]`"));
                Err(ConfigError::new(ErrorKind::Unsupported, message).with_hint(hint))
            }
        }
    }

    /// Whether both are maps, both lists, or both scalars.
    fn is_like(&self, id: NodeId, value: &Value) -> bool {
        matches!(
            (self.tree.content(id), value),
            (Content::Map(_), Value::Map(_)) | (Content::List(_), Value::List(_)) | (Content::Scalar(_), _)
        )
    }

    /// The path that a mistyped one may have meant: the first key that does not exist, corrected.
    pub(super) fn nearest_path(&self, root: NodeId, path: &str) -> Option<String> {
        let mut container = root;
        let mut keys = split_key(path);
        for at in 0..keys.len() {
            let Content::Map(map) = self.tree.content(container) else { return None };
            match map.get(keys[at].as_str()) {
                Some(&child) => container = child,
                None => {
                    keys[at] = nearest(&keys[at], map.keys().filter_map(Key::as_str))?.to_owned();
                    return Some(keys.join("."));
                }
            }
        }
        None
    }

    /// Whether there is something at a path.
    pub(super) fn has(&self, root: NodeId, path: &str) -> bool {
        let keys = split_key(path);
        self.tree.descend(root, &keys.iter().map(String::as_str).collect::<Vec<_>>()).is_some()
    }

    /// The keys that there are where a path's first key that does not exist would stand.
    pub(super) fn keys_beside(&self, root: NodeId, path: &str) -> Option<String> {
        self.tree.keys_beside(root, &split_key(path))
    }

    /// Where a path would be found if a group's file did not repeat the name of its group: the path there, and what
    /// wrote the repeated level.
    pub(super) fn below_repeated_level(&self, root: NodeId, path: &str) -> Option<(String, Origin)> {
        let keys = split_key(path);
        (0..keys.len() - 1).find_map(|at| {
            let mut repeated = keys.clone();
            repeated.insert(at, keys[at].clone());
            let names: Vec<&str> = repeated.iter().map(String::as_str).collect();
            self.tree.descend(root, &names)?;
            let level = self.tree.descend(root, &names[..at + 2])?;
            Some((repeated.join("."), Origin::clone(&self.tree.trace(level).origin)))
        })
    }

    /// The paths that end in a key, Hydra's own left out; at most `most` of them.
    pub(super) fn paths_to(&self, root: NodeId, key: &str, most: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut open: Vec<NodeId> = self.tree.map(root).into_iter().flatten().map(|(_, &child)| child).rev().collect();
        open.retain(|&id| self.tree.full_key(id) != "hydra");
        while let Some(id) = open.pop() {
            if let Some(child) = self.tree.child(id, key) {
                found.push(self.tree.full_key(child));
                if found.len() == most {
                    break;
                }
            }
            open.extend(self.tree.children(id).into_iter().rev());
        }
        found
    }
}

/// Refuses a tree that would be too deep for the functions that walk it.
pub(super) fn refuse_depth(depth: usize) -> Result<(), ConfigError> {
    if depth <= 2 * MAX_DEPTH {
        return Ok(());
    }
    Err(ConfigError::new(ErrorKind::Limit, format!("expected a config of at most {} levels", 2 * MAX_DEPTH)))
}

fn index(key: &str) -> Result<i64, ConfigError> {
    match python::parse_int(key) {
        Some(Value::Int(index)) => Ok(index),
        _ => {
            let message = format!("expected the index of a list item, counted from 0, got {key:?}");
            Err(ConfigError::new(ErrorKind::Unsupported, message))
        }
    }
}
