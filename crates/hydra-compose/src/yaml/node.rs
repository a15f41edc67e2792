//! Tokens to a graph of nodes: PyYAML's parser and composer in one.
//!
//! An alias is the very node it names, shared; nothing is expanded here.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use super::resolve::resolve_plain;
use super::scanner::{Scanner, TokenKind};
use super::{Mark, error_at, too_deep};
use crate::error::{ConfigError, did_you_mean, nearest};
use crate::limits::MAX_DEPTH;

/// One node of the document.
#[derive(Debug)]
pub(super) struct Node {
    /// The full tag, e.g. `tag:yaml.org,2002:int`; for a plain scalar the one it resolves to.
    pub(super) tag: Cow<'static, str>,
    pub(super) mark: Mark,
    pub(super) content: Content,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Content {
    Scalar(String),
    Sequence(Vec<Rc<Node>>),
    /// Merge keys (`<<`) are replaced in place while constructing, as PyYAML does.
    Mapping(RefCell<Pairs>),
}

/// The entries of a mapping.
pub(super) type Pairs = Vec<(Rc<Node>, Rc<Node>)>;

/// The root of the only document of a text; `None` when there is none.
pub(super) fn compose(text: &str) -> Result<Option<Rc<Node>>, ConfigError> {
    let mut composer =
        Composer { scanner: Scanner::new(text)?, anchors: HashMap::new(), tag_handles: BTreeMap::new(), depth: 0 };
    composer.stream()
}

struct Composer {
    scanner: Scanner,
    /// `None` while the anchored node is still open.
    anchors: HashMap<String, Option<Rc<Node>>>,
    tag_handles: BTreeMap<String, String>,
    depth: usize,
}

impl Composer {
    fn peek(&mut self) -> Result<&TokenKind, ConfigError> {
        Ok(&self.scanner.peek_token()?.kind)
    }

    fn at(&mut self, kind: &TokenKind) -> Result<bool, ConfigError> {
        Ok(self.peek()? == kind)
    }

    fn at_any(&mut self, kinds: &[TokenKind]) -> Result<bool, ConfigError> {
        let kind = self.peek()?;
        Ok(kinds.contains(kind))
    }

    fn mark(&mut self) -> Result<Mark, ConfigError> {
        Ok(self.scanner.peek_token()?.mark)
    }

    fn skip(&mut self) -> Result<Mark, ConfigError> {
        Ok(self.scanner.next_token()?.mark)
    }

    fn unexpected<T>(&mut self, wanted: &str) -> Result<T, ConfigError> {
        let token = self.scanner.peek_token()?;
        Err(error_at(token.mark, format!("expected {wanted}, but found {}", describe(&token.kind))))
    }

    // Documents.

    fn stream(&mut self) -> Result<Option<Rc<Node>>, ConfigError> {
        self.tag_handles = default_tag_handles();
        let first_is_implicit = !matches!(
            self.peek()?,
            TokenKind::YamlDirective { .. }
                | TokenKind::TagDirective { .. }
                | TokenKind::OtherDirective
                | TokenKind::DocumentStart
                | TokenKind::StreamEnd
        );
        if !first_is_implicit && !self.document_start()? {
            return Ok(None);
        }
        let root = if first_is_implicit { self.node(true, false)? } else { self.document_content()? };
        if self.at(&TokenKind::DocumentEnd)? {
            self.skip()?;
        }
        if self.document_start()? {
            let mark = self.mark()?;
            return Err(error_at(mark, "expected a single document, but found another"));
        }
        Ok(Some(root))
    }

    /// Takes what opens a document; false at the end of the text.
    fn document_start(&mut self) -> Result<bool, ConfigError> {
        while self.at(&TokenKind::DocumentEnd)? {
            self.skip()?;
        }
        if self.at(&TokenKind::StreamEnd)? {
            return Ok(false);
        }
        self.directives()?;
        if !self.at(&TokenKind::DocumentStart)? {
            return self.unexpected("the start of a document");
        }
        self.skip()?;
        Ok(true)
    }

    fn directives(&mut self) -> Result<(), ConfigError> {
        let mut handles = BTreeMap::new();
        let mut version_seen = false;
        loop {
            let token = self.scanner.peek_token()?.clone();
            match token.kind {
                TokenKind::YamlDirective { major } => {
                    if version_seen || major != 1 {
                        return Err(error_at(token.mark, "expected one %YAML directive, of version 1"));
                    }
                    version_seen = true;
                }
                TokenKind::TagDirective { handle, prefix } => {
                    if handles.insert(handle, prefix).is_some() {
                        return Err(error_at(token.mark, "duplicate tag handle"));
                    }
                }
                TokenKind::OtherDirective => {}
                _ => break,
            }
            self.skip()?;
        }
        self.tag_handles = default_tag_handles();
        self.tag_handles.extend(handles);
        Ok(())
    }

    fn document_content(&mut self) -> Result<Rc<Node>, ConfigError> {
        let ends = matches!(
            self.peek()?,
            TokenKind::YamlDirective { .. }
                | TokenKind::TagDirective { .. }
                | TokenKind::OtherDirective
                | TokenKind::DocumentStart
                | TokenKind::DocumentEnd
                | TokenKind::StreamEnd
        );
        if ends { self.empty() } else { self.node(true, false) }
    }

    // Nodes.

    fn empty(&mut self) -> Result<Rc<Node>, ConfigError> {
        let mark = self.mark()?;
        Ok(Rc::new(Node { tag: resolve_plain("").into(), mark, content: Content::Scalar(String::new()) }))
    }

    fn node(&mut self, block: bool, indentless: bool) -> Result<Rc<Node>, ConfigError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep(self.mark()?));
        }
        let node = self.node_unbounded(block, indentless);
        self.depth -= 1;
        node
    }

    fn node_unbounded(&mut self, block: bool, indentless: bool) -> Result<Rc<Node>, ConfigError> {
        let start = self.mark()?;
        if let TokenKind::Alias(name) = self.peek()? {
            let name = name.clone();
            self.skip()?;
            return match self.anchors.get(&name) {
                Some(Some(node)) => Ok(Rc::clone(node)),
                Some(None) => Err(error_at(start, format!("alias {name:?} stands inside the node it names"))),
                None => {
                    let near = nearest(&name, self.anchors.keys().map(String::as_str));
                    let hint = near.map(|near| did_you_mean(format!("*{near}")));
                    let hint = hint.or_else(|| Some("put a text that starts with '*' in quotes".to_owned()));
                    Err(error_at(start, format!("found undefined alias {name:?}")).with_hint(hint))
                }
            };
        }
        let (anchor, tag) = self.properties()?;
        if let Some(name) = &anchor {
            if self.anchors.contains_key(name) {
                return Err(error_at(start, format!("found duplicate anchor {name:?}")));
            }
            self.anchors.insert(name.clone(), None);
        }
        let collection_tag = |default: &'static str| match &tag {
            Some(tag) if tag != "!" => Cow::Owned(tag.clone()),
            _ => Cow::Borrowed(default),
        };
        let node = match self.peek()? {
            TokenKind::BlockEntry if indentless => {
                let items = self.indentless_sequence()?;
                Node { tag: collection_tag("tag:yaml.org,2002:seq"), mark: start, content: Content::Sequence(items) }
            }
            TokenKind::Scalar { value, plain } => {
                let tag = match tag {
                    None if *plain => resolve_plain(value).into(),
                    // PyYAML resolves under the non-specific tag, quoted or not.
                    Some(tag) if tag == "!" => resolve_plain(value).into(),
                    None => "tag:yaml.org,2002:str".into(),
                    Some(tag) => tag.into(),
                };
                let TokenKind::Scalar { value, .. } = self.scanner.next_token()?.kind else {
                    unreachable!("a scalar was just seen")
                };
                Node { tag, mark: start, content: Content::Scalar(value) }
            }
            TokenKind::FlowSequenceStart => {
                let items = self.flow_sequence()?;
                Node { tag: collection_tag("tag:yaml.org,2002:seq"), mark: start, content: Content::Sequence(items) }
            }
            TokenKind::FlowMappingStart => {
                let pairs = self.flow_mapping()?;
                Node {
                    tag: collection_tag("tag:yaml.org,2002:map"),
                    mark: start,
                    content: Content::Mapping(RefCell::new(pairs)),
                }
            }
            TokenKind::BlockSequenceStart if block => {
                let items = self.block_sequence()?;
                Node { tag: collection_tag("tag:yaml.org,2002:seq"), mark: start, content: Content::Sequence(items) }
            }
            TokenKind::BlockMappingStart if block => {
                let pairs = self.block_mapping()?;
                Node {
                    tag: collection_tag("tag:yaml.org,2002:map"),
                    mark: start,
                    content: Content::Mapping(RefCell::new(pairs)),
                }
            }
            _ if anchor.is_some() || tag.is_some() => {
                let tag = match tag {
                    Some(tag) if tag != "!" => tag.into(),
                    _ => resolve_plain("").into(),
                };
                Node { tag, mark: start, content: Content::Scalar(String::new()) }
            }
            _ => return self.unexpected("a value"),
        };
        let node = Rc::new(node);
        if let Some(name) = anchor {
            self.anchors.insert(name, Some(Rc::clone(&node)));
        }
        Ok(node)
    }

    /// An anchor and a tag, in either order.
    fn properties(&mut self) -> Result<(Option<String>, Option<String>), ConfigError> {
        let (mut anchor, mut tag) = (None, None);
        loop {
            let token = self.scanner.peek_token()?;
            if !matches!(token.kind, TokenKind::Anchor(_) | TokenKind::Tag { .. }) {
                return Ok((anchor, tag));
            }
            let token = token.clone();
            match token.kind {
                TokenKind::Anchor(name) if anchor.is_none() => anchor = Some(name),
                TokenKind::Tag { handle, suffix } if tag.is_none() => {
                    tag = Some(match handle {
                        None => suffix,
                        Some(handle) => match self.tag_handles.get(&handle) {
                            Some(prefix) => format!("{prefix}{suffix}"),
                            None => return Err(error_at(token.mark, format!("undefined tag handle {handle:?}"))),
                        },
                    });
                }
                _ => return Ok((anchor, tag)),
            }
            self.skip()?;
        }
    }

    // Block collections.

    fn block_sequence(&mut self) -> Result<Vec<Rc<Node>>, ConfigError> {
        self.skip()?;
        let mut items = Vec::new();
        while self.at(&TokenKind::BlockEntry)? {
            self.skip()?;
            let empty = self.at_any(&[TokenKind::BlockEntry, TokenKind::BlockEnd])?;
            items.push(if empty { self.empty()? } else { self.node(true, false)? });
        }
        if !self.at(&TokenKind::BlockEnd)? {
            return self.unexpected("the end of the list");
        }
        self.skip()?;
        Ok(items)
    }

    fn indentless_sequence(&mut self) -> Result<Vec<Rc<Node>>, ConfigError> {
        const ENDS: [TokenKind; 4] = [TokenKind::BlockEntry, TokenKind::Key, TokenKind::Value, TokenKind::BlockEnd];
        let mut items = Vec::new();
        while self.at(&TokenKind::BlockEntry)? {
            self.skip()?;
            let empty = self.at_any(&ENDS)?;
            items.push(if empty { self.empty()? } else { self.node(true, false)? });
        }
        Ok(items)
    }

    fn block_mapping(&mut self) -> Result<Pairs, ConfigError> {
        const ENDS: [TokenKind; 3] = [TokenKind::Key, TokenKind::Value, TokenKind::BlockEnd];
        self.skip()?;
        let mut pairs = Vec::new();
        loop {
            let key = if self.at(&TokenKind::Key)? {
                self.skip()?;
                if self.at_any(&ENDS)? { self.empty()? } else { self.node(true, true)? }
            } else if self.at(&TokenKind::BlockEnd)? {
                self.skip()?;
                return Ok(pairs);
            } else {
                return self.unexpected("a key or the end of the map");
            };
            let value = if self.at(&TokenKind::Value)? {
                self.skip()?;
                if self.at_any(&ENDS)? { self.empty()? } else { self.node(true, true)? }
            } else {
                self.empty()?
            };
            pairs.push((key, value));
        }
    }

    // Flow collections.

    /// Something else than a comma or the closing bracket of what was opened at `start`.
    fn unclosed<T>(&mut self, start: Mark, bracket: char) -> Result<T, ConfigError> {
        let place = format!("line {}, column {}", start.line + 1, start.column + 1);
        let hint = format!("the bracket was opened at {place}: close it with '{bracket}', or add a comma");
        self.unexpected(&format!("',' or '{bracket}'")).map_err(|error| error.with_hint(Some(hint)))
    }

    fn flow_sequence(&mut self) -> Result<Vec<Rc<Node>>, ConfigError> {
        let start = self.skip()?;
        let mut items = Vec::new();
        while !self.at(&TokenKind::FlowSequenceEnd)? {
            if !items.is_empty() {
                if !self.at(&TokenKind::FlowEntry)? {
                    return self.unclosed(start, ']');
                }
                self.skip()?;
            }
            if self.at(&TokenKind::Key)? {
                items.push(self.flow_sequence_pair()?);
            } else if !self.at(&TokenKind::FlowSequenceEnd)? {
                items.push(self.node(false, false)?);
            } else {
                break;
            }
        }
        self.skip()?;
        Ok(items)
    }

    /// `[key: value]`: a map of one entry.
    fn flow_sequence_pair(&mut self) -> Result<Rc<Node>, ConfigError> {
        const ENDS: [TokenKind; 2] = [TokenKind::FlowEntry, TokenKind::FlowSequenceEnd];
        let mark = self.skip()?;
        let empty_key = self.at(&TokenKind::Value)? || self.at_any(&ENDS)?;
        let key = if empty_key { self.empty()? } else { self.node(false, false)? };
        let value = if self.at(&TokenKind::Value)? {
            self.skip()?;
            if self.at_any(&ENDS)? { self.empty()? } else { self.node(false, false)? }
        } else {
            self.empty()?
        };
        let content = Content::Mapping(RefCell::new(vec![(key, value)]));
        Ok(Rc::new(Node { tag: "tag:yaml.org,2002:map".into(), mark, content }))
    }

    fn flow_mapping(&mut self) -> Result<Pairs, ConfigError> {
        const ENDS: [TokenKind; 2] = [TokenKind::FlowEntry, TokenKind::FlowMappingEnd];
        let start = self.skip()?;
        let mut pairs = Vec::new();
        while !self.at(&TokenKind::FlowMappingEnd)? {
            if !pairs.is_empty() {
                if !self.at(&TokenKind::FlowEntry)? {
                    return self.unclosed(start, '}');
                }
                self.skip()?;
            }
            if self.at(&TokenKind::Key)? {
                self.skip()?;
                let empty_key = self.at(&TokenKind::Value)? || self.at_any(&ENDS)?;
                let key = if empty_key { self.empty()? } else { self.node(false, false)? };
                let value = if self.at(&TokenKind::Value)? {
                    self.skip()?;
                    if self.at_any(&ENDS)? { self.empty()? } else { self.node(false, false)? }
                } else {
                    self.empty()?
                };
                pairs.push((key, value));
            } else if !self.at(&TokenKind::FlowMappingEnd)? {
                let key = self.node(false, false)?;
                let value = self.empty()?;
                pairs.push((key, value));
            } else {
                break;
            }
        }
        self.skip()?;
        Ok(pairs)
    }
}

/// A scalar as it is written, for those who look for traps in the writing.
#[derive(Debug)]
pub(crate) struct WrittenScalar {
    pub(crate) text: String,
    pub(crate) mark: Mark,
    /// Whether it stands there bare: no quotes, no tag, no anchor, no block.
    pub(crate) is_plain: bool,
    pub(crate) is_key: bool,
    /// Whether it stands below the key `defaults` at the top.
    pub(crate) in_defaults: bool,
    /// The list it is an item of, by the place where that starts.
    pub(crate) list: Option<usize>,
    tag: Cow<'static, str>,
}

impl WrittenScalar {
    fn has_tag(&self, names: &[&str]) -> bool {
        self.tag.strip_prefix("tag:yaml.org,2002:").is_some_and(|name| names.contains(&name))
    }

    pub(crate) fn is_text(&self) -> bool {
        self.has_tag(&["str"])
    }

    pub(crate) fn is_bool(&self) -> bool {
        self.has_tag(&["bool"])
    }

    pub(crate) fn is_number(&self) -> bool {
        self.has_tag(&["int", "float"])
    }
}

/// All scalars of a text, each once.
pub(crate) fn written_scalars(text: &str) -> Result<Vec<WrittenScalar>, ConfigError> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut walk = Walk { chars: text.chars().collect(), seen: HashSet::new(), found: Vec::new() };
    if let Some(root) = compose(&text)? {
        walk.node(&root, Place { is_key: false, in_defaults: false, list: None }, true);
    }
    Ok(walk.found)
}

struct Walk {
    chars: Vec<char>,
    seen: HashSet<*const Node>,
    found: Vec<WrittenScalar>,
}

#[derive(Clone, Copy)]
struct Place {
    is_key: bool,
    in_defaults: bool,
    list: Option<usize>,
}

impl Walk {
    fn node(&mut self, node: &Rc<Node>, place: Place, is_top: bool) {
        if !self.seen.insert(Rc::as_ptr(node)) {
            return;
        }
        let Place { is_key, in_defaults, list } = place;
        match &node.content {
            Content::Scalar(text) => {
                let first = self.chars.get(node.mark.index);
                let is_plain = first.is_some_and(|ch| !"'\"|>!&*".contains(*ch));
                let (text, tag) = (text.clone(), node.tag.clone());
                self.found.push(WrittenScalar { text, mark: node.mark, is_plain, is_key, in_defaults, list, tag });
            }
            Content::Sequence(items) => {
                for item in items {
                    self.node(item, Place { is_key: false, list: Some(node.mark.index), ..place }, false);
                }
            }
            Content::Mapping(pairs) => {
                for (key, value) in pairs.borrow().iter() {
                    let is_defaults = is_top && matches!(&key.content, Content::Scalar(text) if text == "defaults");
                    let in_defaults = in_defaults || is_defaults;
                    self.node(key, Place { is_key: true, in_defaults, list: None }, false);
                    self.node(value, Place { is_key: false, in_defaults, list: None }, false);
                }
            }
        }
    }
}

fn default_tag_handles() -> BTreeMap<String, String> {
    [("!", "!"), ("!!", "tag:yaml.org,2002:")].map(|(handle, prefix)| (handle.to_owned(), prefix.to_owned())).into()
}

fn describe(kind: &TokenKind) -> &'static str {
    match kind {
        TokenKind::YamlDirective { .. } | TokenKind::TagDirective { .. } | TokenKind::OtherDirective => "a directive",
        TokenKind::DocumentStart => "'---'",
        TokenKind::DocumentEnd => "'...'",
        TokenKind::StreamEnd => "the end of the file",
        TokenKind::BlockSequenceStart => "a list",
        TokenKind::BlockMappingStart => "a map",
        TokenKind::BlockEnd => "the end of a block",
        TokenKind::FlowSequenceStart => "'['",
        TokenKind::FlowSequenceEnd => "']'",
        TokenKind::FlowMappingStart => "'{'",
        TokenKind::FlowMappingEnd => "'}'",
        TokenKind::FlowEntry => "','",
        TokenKind::BlockEntry => "'-'",
        TokenKind::Key => "a key",
        TokenKind::Value => "':'",
        TokenKind::Alias(_) => "an alias",
        TokenKind::Anchor(_) => "an anchor",
        TokenKind::Tag { .. } => "a tag",
        TokenKind::Scalar { .. } => "a value",
    }
}
