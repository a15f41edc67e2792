//! The working tree of composition: nodes that know their parent, so that relative interpolations have a meaning.
//!
//! Nodes live in one arena and are addressed by [`NodeId`]; a node that was replaced stays in the arena, unreachable
//! from the root. A node may hang below a parent that does not list it: that is how the result of a resolver sees
//! its surroundings. The public face of a tree is [`Value`].

use std::rc::Rc;

use indexmap::IndexMap;

use super::error::{ConfigError, ErrorKind, Location};
use super::limits::{MAX_TEXT_BYTES, MAX_TREE_NODES, MAX_VALUES};
use super::origin::{Origin, Trace};
use super::schema::Schema;
use super::value::{Key, Map, Value};
use super::yaml::{Data, Located};

/// The address of a node in its [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(u32);

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Anything but a list or a map, interpolations and `???` included.
    Scalar(Value),
    Map(IndexMap<Key, NodeId>),
    List(Vec<NodeId>),
}

/// The name of a node below its parent.
#[derive(Debug, Clone)]
pub(super) enum Name {
    Key(Key),
    Index(usize),
}

#[derive(Debug, Clone)]
struct Node {
    parent: Option<NodeId>,
    name: Option<Name>,
    content: Content,
    schema: Option<&'static Schema>,
    /// Whether unknown keys are refused below; `None` asks the parent.
    closed: Option<bool>,
    trace: Trace,
}

/// The arena.
///
/// Nodes are shared between a tree and its clones until one of them changes a node.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    nodes: Vec<Rc<Node>>,
    /// What was spent of [`MAX_VALUES`].
    values: usize,
    /// What was spent of [`MAX_TEXT_BYTES`].
    text_bytes: usize,
}

impl Tree {
    // Reading.

    pub(super) fn content(&self, id: NodeId) -> &Content {
        &self.node(id).content
    }

    pub(super) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).parent
    }

    pub(super) fn schema(&self, id: NodeId) -> Option<&'static Schema> {
        self.node(id).schema
    }

    pub(super) fn trace(&self, id: NodeId) -> &Trace {
        &self.node(id).trace
    }

    pub(super) fn scalar(&self, id: NodeId) -> Option<&Value> {
        match self.content(id) {
            Content::Scalar(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn map(&self, id: NodeId) -> Option<&IndexMap<Key, NodeId>> {
        match self.content(id) {
            Content::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(super) fn is_container(&self, id: NodeId) -> bool {
        !matches!(self.content(id), Content::Scalar(_))
    }

    pub(super) fn is_missing(&self, id: NodeId) -> bool {
        self.scalar(id).is_some_and(Value::is_missing)
    }

    pub(super) fn is_interpolation(&self, id: NodeId) -> bool {
        self.scalar(id).is_some_and(Value::is_interpolation)
    }

    /// The child under a text key of a map.
    pub(super) fn child(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.map(id)?.get(key).copied()
    }

    /// The node at a path of text keys below `id`.
    pub(super) fn descend(&self, id: NodeId, path: &[&str]) -> Option<NodeId> {
        path.iter().try_fold(id, |id, key| self.child(id, key))
    }

    /// The keys that there are where a path's first key that does not exist would stand, as long as they can be read.
    pub(super) fn keys_beside(&self, start: NodeId, keys: &[String]) -> Option<String> {
        const MOST: usize = 30;
        let mut container = start;
        for (at, key) in keys.iter().enumerate() {
            let Content::Map(map) = self.content(container) else { return None };
            let Some(&child) = map.get(key.as_str()) else {
                let names: Vec<&str> = map.keys().filter_map(Key::as_str).take(MOST + 1).collect();
                let above = match at {
                    0 => String::new(),
                    at => format!(" of {:?}", keys[..at].join(".")),
                };
                return (1..=MOST).contains(&names.len()).then(|| format!("the keys{above}: {}", names.join(", ")));
            };
            container = child;
        }
        None
    }

    pub(super) fn children(&self, id: NodeId) -> Vec<NodeId> {
        match self.content(id) {
            Content::Scalar(_) => Vec::new(),
            Content::Map(map) => map.values().copied().collect(),
            Content::List(items) => items.clone(),
        }
    }

    pub(super) fn root_of(&self, mut id: NodeId) -> NodeId {
        while let Some(parent) = self.parent(id) {
            id = parent;
        }
        id
    }

    /// Whether unknown keys are refused in this map because the whole config is closed.
    pub(super) fn is_closed(&self, id: NodeId) -> bool {
        let node = self.node(id);
        node.closed.unwrap_or_else(|| node.parent.is_some_and(|parent| self.is_closed(parent)))
    }

    /// Whether this very map was opened for an addition.
    pub(super) fn is_opened_here(&self, id: NodeId) -> bool {
        self.node(id).closed == Some(false)
    }

    /// How many containers a node stands in.
    pub(super) fn depth(&self, id: NodeId) -> usize {
        std::iter::successors(self.parent(id), |&id| self.parent(id)).count()
    }

    /// How many levels hang below a node; without recursion, because it guards the functions that recurse.
    pub(super) fn height(&self, id: NodeId) -> usize {
        let (mut level, mut height) = (self.children(id), 0);
        while !level.is_empty() {
            height += 1;
            level = level.into_iter().flat_map(|id| self.children(id)).collect();
        }
        height
    }

    /// The path of a node as OmegaConf writes it: `data.files[0].name`.
    pub(super) fn full_key(&self, id: NodeId) -> String {
        let mut names = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            names.extend(self.node(id).name.as_ref());
            at = self.parent(id);
        }
        let mut path = String::new();
        for name in names.into_iter().rev() {
            match name {
                Name::Index(index) => path.push_str(&format!("[{index}]")),
                Name::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&key.to_string());
                }
            }
        }
        path
    }

    /// The value of a node with all below, unresolved.
    pub(super) fn to_value(&self, id: NodeId) -> Value {
        match self.content(id) {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => Value::List(items.iter().map(|&item| self.to_value(item)).collect()),
            Content::Map(map) => {
                Value::Map(map.iter().map(|(key, &child)| (key.clone(), self.to_value(child))).collect::<Map>())
            }
        }
    }

    // Building.

    /// Adds a node below nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] when the tree has grown too large.
    pub(super) fn add(&mut self, content: Content, trace: Trace) -> Result<NodeId, ConfigError> {
        if self.nodes.len() >= MAX_TREE_NODES {
            let message = format!("expected a config of at most {MAX_TREE_NODES} values");
            return Err(ConfigError::new(ErrorKind::Limit, message));
        }
        if let Content::Scalar(value) = &content {
            self.spend_text(value.as_str().map_or(0, str::len))?;
        }
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Rc::new(Node { parent: None, name: None, content, schema: None, closed: None, trace }));
        Ok(id)
    }

    /// Counts values that cost time or memory without being nodes.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] beyond [`MAX_VALUES`].
    pub(super) fn spend_values(&mut self, count: usize) -> Result<(), ConfigError> {
        self.values = self.values.saturating_add(count);
        if self.values <= MAX_VALUES {
            return Ok(());
        }
        let message = format!("expected a config of which at most {MAX_VALUES} values are resolved or copied");
        Err(ConfigError::new(ErrorKind::Limit, message))
    }

    /// Counts bytes of text that are made, copied or parsed.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] beyond [`MAX_TEXT_BYTES`].
    pub(super) fn spend_text(&mut self, bytes: usize) -> Result<(), ConfigError> {
        self.text_bytes = self.text_bytes.saturating_add(bytes);
        if self.text_bytes <= MAX_TEXT_BYTES {
            return Ok(());
        }
        let message = format!("expected a config of at most {MAX_TEXT_BYTES} bytes of text, interpolated or not");
        Err(ConfigError::new(ErrorKind::Limit, message))
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        Rc::make_mut(&mut self.nodes[id.0 as usize])
    }

    pub(super) fn add_map(&mut self, trace: Trace) -> Result<NodeId, ConfigError> {
        self.add(Content::Map(IndexMap::new()), trace)
    }

    /// Adds a loaded file or value; positions become origins in `file`.
    pub(super) fn import(
        &mut self,
        located: &Located,
        file: Option<&str>,
        fallback: &Trace,
    ) -> Result<NodeId, ConfigError> {
        let trace = match file {
            None => fallback.clone(),
            Some(file) => {
                let (line, column) = (located.mark.line + 1, located.mark.column + 1);
                Trace::new(Rc::new(Origin::File(Location { file: file.to_owned(), line, column })))
            }
        };
        match &located.data {
            Data::Scalar(value) => self.add(Content::Scalar(value.clone()), trace),
            Data::List(items) => {
                let list = self.add(Content::List(Vec::new()), trace)?;
                for item in items {
                    let item = self.import(item, file, fallback)?;
                    self.push(list, item);
                }
                Ok(list)
            }
            Data::Map(entries) => {
                let map = self.add_map(trace)?;
                for (key, value) in entries {
                    let child = self.import(value, file, fallback)?;
                    self.put(map, key.clone(), child);
                }
                Ok(map)
            }
        }
    }

    pub(super) fn import_value(&mut self, value: &Value, trace: &Trace) -> Result<NodeId, ConfigError> {
        self.import(&Located::from_value(value), None, trace)
    }

    /// Copies a node with all below; the copy hangs below nothing. Values that lost elsewhere did not lose here.
    pub(super) fn copy(&mut self, id: NodeId) -> Result<NodeId, ConfigError> {
        let node = Rc::clone(&self.nodes[id.0 as usize]);
        let trace = Trace::new(Rc::clone(&node.trace.origin));
        let copy = match node.content.clone() {
            Content::Scalar(value) => self.add(Content::Scalar(value), trace)?,
            Content::List(items) => {
                let list = self.add(Content::List(Vec::new()), trace)?;
                for item in items {
                    let item = self.copy(item)?;
                    self.push(list, item);
                }
                list
            }
            Content::Map(map) => {
                let copy = self.add_map(trace)?;
                for (key, child) in map {
                    let child = self.copy(child)?;
                    self.put(copy, key, child);
                }
                copy
            }
        };
        self.node_mut(copy).schema = node.schema;
        Ok(copy)
    }

    // Changing. None of these checks anything; `merge` does.

    /// Puts a child into a map, in its old place or at the end.
    pub(super) fn put(&mut self, map: NodeId, key: Key, child: NodeId) {
        self.adopt(map, Name::Key(key.clone()), child);
        match &mut self.node_mut(map).content {
            Content::Map(entries) => entries.insert(key, child),
            _ => unreachable!("callers put children into maps only"),
        };
    }

    /// Adds an item to a list.
    pub(super) fn push(&mut self, list: NodeId, item: NodeId) {
        let index = match &mut self.node_mut(list).content {
            Content::List(items) => {
                items.push(item);
                items.len() - 1
            }
            _ => unreachable!("callers push items onto lists only"),
        };
        self.adopt(list, Name::Index(index), item);
    }

    /// Replaces an item of a list.
    pub(super) fn replace_item(&mut self, list: NodeId, index: usize, item: NodeId) {
        self.adopt(list, Name::Index(index), item);
        match &mut self.node_mut(list).content {
            Content::List(items) => items[index] = item,
            _ => unreachable!("callers replace items of lists only"),
        }
    }

    /// Takes a key out of a map; the rest keeps its order.
    pub(super) fn remove(&mut self, map: NodeId, key: &str) {
        if let Content::Map(entries) = &mut self.node_mut(map).content {
            entries.shift_remove(key);
        }
    }

    /// Hangs a node below a container without listing it there.
    pub(super) fn hang(&mut self, child: NodeId, parent: NodeId) {
        self.node_mut(child).parent = Some(parent);
    }

    pub(super) fn set_content(&mut self, id: NodeId, content: Content) {
        for (index, child) in self.children_of(&content).into_iter().enumerate() {
            let name = match &content {
                Content::Map(map) => Name::Key(map.get_index(index).expect("one child per entry").0.clone()),
                _ => Name::Index(index),
            };
            self.adopt(id, name, child);
        }
        self.node_mut(id).content = content;
    }

    /// Gives a node the content and the history of another, which is left empty.
    pub(super) fn take_over(&mut self, id: NodeId, other: NodeId) {
        let content = std::mem::replace(&mut self.node_mut(other).content, Content::Scalar(Value::Null));
        self.node_mut(id).trace = self.node(other).trace.clone();
        self.set_content(id, content);
    }

    pub(super) fn set_schema(&mut self, id: NodeId, schema: &'static Schema) {
        self.node_mut(id).schema = Some(schema);
    }

    pub(super) fn set_closed(&mut self, id: NodeId, closed: Option<bool>) -> Option<bool> {
        std::mem::replace(&mut self.node_mut(id).closed, closed)
    }

    /// Records that `winner` takes the place of `loser`.
    pub(super) fn record_loss(&mut self, loser: NodeId, winner: NodeId) {
        if loser == winner {
            return;
        }
        let value = self.to_value(loser);
        let lost = &mut self.node_mut(loser).trace;
        // Taken, not copied: a key that is set again and again would cost quadratic time and memory.
        let (mut overridden, origin) = (std::mem::take(&mut lost.overridden), Rc::clone(&lost.origin));
        overridden.push((value, origin));
        let trace = &mut self.node_mut(winner).trace;
        overridden.append(&mut trace.overridden);
        trace.overridden = overridden;
    }

    fn children_of(&self, content: &Content) -> Vec<NodeId> {
        match content {
            Content::Scalar(_) => Vec::new(),
            Content::Map(map) => map.values().copied().collect(),
            Content::List(items) => items.clone(),
        }
    }

    fn adopt(&mut self, parent: NodeId, name: Name, child: NodeId) {
        let child = self.node_mut(child);
        child.parent = Some(parent);
        child.name = Some(name);
    }
}
