//! A node graph to values: merge keys, duplicate keys, explicit tags, and the limits on aliases.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use indexmap::IndexMap;
use num_bigint::BigInt;

use super::node::{Content, Node, Pairs};
use super::{Data, Located, error_at, place, too_deep};
use crate::error::{ConfigError, ErrorKind};
use crate::limits::{MAX_DEPTH, MAX_FILE_BYTES, MAX_FILE_NODES, MAX_INTEGER_DIGITS};
use crate::python;
use crate::value::{Key, Value};

const MERGE: &str = "tag:yaml.org,2002:merge";
const STR: &str = "tag:yaml.org,2002:str";
const VALUE: &str = "tag:yaml.org,2002:value";

/// The value of a document.
pub(super) fn construct(root: &Rc<Node>) -> Result<Located, ConfigError> {
    flatten_all(root)?;
    let mut constructor =
        Constructor { nodes_left: MAX_FILE_NODES, text_bytes_left: MAX_FILE_BYTES as usize, unsupported: None };
    let value = constructor.value(root, 0)?;
    constructor.unsupported.map_or(Ok(value), Err)
}

/// Refuses duplicate keys and replaces merge keys, map by map in the order in which PyYAML constructs them.
///
/// The order matters: a map that was merged into an earlier one already holds the merged entries when its own turn
/// comes, and a key that it overrides then counts as a duplicate.
fn flatten_all(root: &Rc<Node>) -> Result<(), ConfigError> {
    let mut queue = VecDeque::from([Rc::clone(root)]);
    let mut seen = HashSet::new();
    let mut entries_left = MAX_FILE_NODES;
    while let Some(node) = queue.pop_front() {
        // Scalars, most of the nodes, have nothing to flatten.
        if matches!(node.content, Content::Scalar(_)) || !seen.insert(Rc::as_ptr(&node)) {
            continue;
        }
        match &node.content {
            Content::Scalar(_) => {}
            Content::Sequence(items) => queue.extend(items.iter().cloned()),
            Content::Mapping(pairs) => {
                refuse_duplicates(&pairs.borrow())?;
                flatten(&node, 0, &mut entries_left)?;
                queue.extend(pairs.borrow().iter().flat_map(|(key, value)| [Rc::clone(key), Rc::clone(value)]));
            }
        }
    }
    Ok(())
}

fn refuse_duplicates(pairs: &Pairs) -> Result<(), ConfigError> {
    let mut seen = HashSet::new();
    fn text_of(key: &Node) -> Option<&str> {
        match (key.tag.as_ref(), &key.content) {
            (STR, Content::Scalar(text)) => Some(text),
            _ => None,
        }
    }
    let keys = || pairs.iter().filter_map(|(key, _)| Some((text_of(key)?, key.mark)));
    let Some((twice, again)) = keys().find(|(text, _)| !seen.insert(*text)) else { return Ok(()) };
    // A hostile file must not get an error of its own size.
    const MOST_PLACES: usize = 10;
    let marks = keys().filter(|(text, _)| *text == twice).map(|(_, mark)| mark).take(MOST_PLACES);
    let places: Vec<String> = marks.map(|mark| format!("line {}, column {}", mark.line + 1, mark.column + 1)).collect();
    let (first, rest) = places.split_first().expect("a key that is there twice");
    let message = format!("duplicate key {twice:?}: first at {first}, again at {}", rest.join(" and at "));
    let hint = format!("a map holds each key once: put what belongs below {twice:?} in one place");
    let error = ConfigError::new(ErrorKind::YamlDuplicateKey, message);
    Err(error.at(Some(place(again))).with_hint(Some(hint)))
}

/// Replaces the merge keys of one map by the entries they name; own entries stay behind them and win.
///
/// `entries_left` counts what all merge keys of the file may still name.
fn flatten(node: &Rc<Node>, depth: usize, entries_left: &mut usize) -> Result<(), ConfigError> {
    let Content::Mapping(cell) = &node.content else { return Ok(()) };
    if depth > MAX_DEPTH {
        return Err(too_deep(node.mark));
    }
    let pairs = cell.borrow().clone();
    if pairs.iter().all(|(key, _)| key.tag != MERGE && key.tag != VALUE) {
        return Ok(());
    }
    let (mut merged, mut own) = (Pairs::new(), Pairs::new());
    for (key, value) in pairs {
        if key.tag == MERGE {
            merged.extend(entries_to_merge(&value, depth, entries_left)?);
        } else if key.tag == VALUE {
            let Content::Scalar(text) = &key.content else {
                return Err(error_at(key.mark, "expected a text as the key '='"));
            };
            let plain = Node { tag: STR.into(), mark: key.mark, content: Content::Scalar(text.clone()) };
            own.push((Rc::new(plain), value));
        } else {
            own.push((key, value));
        }
    }
    merged.extend(own);
    *cell.borrow_mut() = merged;
    Ok(())
}

fn entries_to_merge(value: &Rc<Node>, depth: usize, entries_left: &mut usize) -> Result<Pairs, ConfigError> {
    let mut entries_of = |node: &Rc<Node>| match &node.content {
        Content::Mapping(cell) => {
            flatten(node, depth + 1, entries_left)?;
            let entries = cell.borrow();
            *entries_left = entries_left.checked_sub(entries.len() + 1).ok_or_else(|| too_many(node))?;
            Ok(entries.clone())
        }
        _ => Err(error_at(node.mark, "expected a map or a list of maps to merge")),
    };
    match &value.content {
        // Earlier maps of a list win, so they come later.
        Content::Sequence(items) => {
            let mut merged = Pairs::new();
            for item in items.iter().rev() {
                merged.extend(entries_of(item)?);
            }
            Ok(merged)
        }
        _ => entries_of(value),
    }
}

fn too_many(node: &Node) -> ConfigError {
    let message = format!(
        "expected at most {MAX_FILE_NODES} values, and {MAX_FILE_BYTES} bytes, with every alias written out, got more"
    );
    ConfigError::new(ErrorKind::Limit, message).at(Some(place(node.mark)))
}

struct Constructor {
    nodes_left: usize,
    text_bytes_left: usize,
    /// The first value that is good YAML but no value of a config: malformed YAML after it is the graver error.
    unsupported: Option<ConfigError>,
}

impl Constructor {
    fn value(&mut self, node: &Rc<Node>, depth: usize) -> Result<Located, ConfigError> {
        if depth > MAX_DEPTH {
            return Err(too_deep(node.mark));
        }
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or_else(|| too_many(node))?;
        if let Content::Scalar(text) = &node.content {
            self.text_bytes_left = self.text_bytes_left.checked_sub(text.len()).ok_or_else(|| too_many(node))?;
        }
        let wrong = |expected: &str| error_at(node.mark, format!("expected {expected} for the tag {:?}", node.tag));
        let name = node.tag.strip_prefix("tag:yaml.org,2002:").unwrap_or("");
        let data = match (name, &node.content) {
            ("map", Content::Mapping(pairs)) => self.map(&pairs.borrow().clone(), depth)?,
            ("seq", Content::Sequence(items)) => self.list(items, depth)?,
            ("omap" | "pairs", Content::Sequence(items)) => self.pairs(items, depth)?,
            ("map", _) => return Err(wrong("a map")),
            ("seq" | "omap" | "pairs", _) => return Err(wrong("a list")),
            ("set", Content::Mapping(_)) | ("timestamp", Content::Scalar(_)) => {
                let hint = format!("take the tag `!!{name}` away");
                self.refuse(&format!("a config cannot hold a value of type {name:?}"), hint, node);
                Data::Scalar(Value::Null)
            }
            ("str" | "null" | "bool" | "int" | "float" | "binary", Content::Scalar(text)) => {
                Data::Scalar(scalar(name, text).ok_or_else(|| wrong(&format!("no {text:?}")))?)
            }
            ("str" | "null" | "bool" | "int" | "float" | "binary", _) => return Err(wrong("a scalar")),
            _ => return Err(error_at(node.mark, format!("unknown tag {:?}", node.tag))),
        };
        Ok(Located { mark: node.mark, data })
    }

    fn refuse(&mut self, message: &str, hint: String, node: &Node) {
        let error = ConfigError::new(ErrorKind::UnsupportedValue, message).with_hint(Some(hint));
        let error = error.at(Some(place(node.mark)));
        self.unsupported.get_or_insert(error);
    }

    fn map(&mut self, pairs: &Pairs, depth: usize) -> Result<Data, ConfigError> {
        let mut map = IndexMap::with_capacity(pairs.len());
        for (key_node, value_node) in pairs {
            let Data::Scalar(key) = self.value(key_node, depth + 1)?.data else {
                return Err(error_at(key_node.mark, "a list or a map cannot be a key"));
            };
            let value = self.value(value_node, depth + 1)?;
            let Some(key) = Key::from_value(key) else {
                self.refuse("null cannot be a key", "put the key in quotes: `'null': …`".to_owned(), key_node);
                continue;
            };
            // The first spelling of a key stays (`1` and `true` are one key), its last value wins.
            map.insert(key, Located { mark: key_node.mark, data: value.data });
        }
        Ok(Data::Map(map))
    }

    fn list(&mut self, items: &[Rc<Node>], depth: usize) -> Result<Data, ConfigError> {
        Ok(Data::List(items.iter().map(|item| self.value(item, depth + 1)).collect::<Result<_, _>>()?))
    }

    /// `!!omap` and `!!pairs`: a list of two-item lists.
    fn pairs(&mut self, items: &[Rc<Node>], depth: usize) -> Result<Data, ConfigError> {
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let pair = match &item.content {
                Content::Mapping(pairs) if pairs.borrow().len() == 1 => pairs.borrow()[0].clone(),
                _ => return Err(error_at(item.mark, "expected a map of one entry")),
            };
            let pair = vec![self.value(&pair.0, depth + 2)?, self.value(&pair.1, depth + 2)?];
            list.push(Located { mark: item.mark, data: Data::List(pair) });
        }
        Ok(Data::List(list))
    }
}

/// A scalar of one of the simple types; `None` where Python's conversion fails.
fn scalar(name: &str, text: &str) -> Option<Value> {
    Some(match name {
        "null" => Value::Null,
        "bool" => match text.to_lowercase().as_str() {
            "yes" | "true" | "on" => Value::Bool(true),
            "no" | "false" | "off" => Value::Bool(false),
            _ => return None,
        },
        "int" => int(text)?,
        "float" => Value::Float(float(text)?),
        "binary" => Value::Bytes(binary(text)?),
        _ => Value::Str(text.to_owned()),
    })
}

fn int(text: &str) -> Option<Value> {
    let text = text.replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let radix = |digits: &str, radix: u32| {
        (digits.len() <= MAX_INTEGER_DIGITS).then(|| BigInt::parse_bytes(digits.as_bytes(), radix)).flatten()
    };
    let magnitude = if digits.is_empty() {
        return None;
    } else if digits == "0" {
        BigInt::from(0)
    } else if let Some(digits) = digits.strip_prefix("0b") {
        radix(digits, 2)?
    } else if let Some(digits) = digits.strip_prefix("0x") {
        radix(digits, 16)?
    } else if digits.starts_with('0') {
        // Python's int(text, 8) also takes an explicit 0o.
        radix(digits.strip_prefix("0o").unwrap_or(digits), 8)?
    } else if digits.contains(':') {
        let mut total = BigInt::from(0);
        for part in digits.split(':') {
            total = total * 60 + radix(part.trim(), 10)?;
            if !is_writable(&total) {
                return None;
            }
        }
        total
    } else {
        let Value::BigInt(number) = python::parse_int(digits)? else {
            let Value::Int(number) = python::parse_int(digits)? else { return None };
            return Some(Value::from_bigint(if negative { -BigInt::from(number) } else { BigInt::from(number) }));
        };
        number
    };
    is_writable(&magnitude).then(|| Value::from_bigint(if negative { -magnitude } else { magnitude }))
}

/// Whether Python would write an integer, and read what was written.
fn is_writable(magnitude: &BigInt) -> bool {
    let digits = magnitude.bits() as f64 * std::f64::consts::LOG10_2;
    let most = MAX_INTEGER_DIGITS as f64;
    digits < most - 1.0 || (digits < most + 1.0 && magnitude.to_string().len() <= MAX_INTEGER_DIGITS)
}

fn float(text: &str) -> Option<f64> {
    let text = text.replace('_', "").to_lowercase();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(&text)),
    };
    match digits {
        "" => None,
        ".inf" => Some(sign * f64::INFINITY),
        ".nan" => Some(f64::NAN),
        _ if digits.contains(':') => {
            // The same order of operations as PyYAML, for the same rounding.
            let parts: Option<Vec<f64>> = digits.split(':').map(python::parse_float).collect();
            let (mut total, mut base) = (0.0, 1.0);
            for part in parts?.into_iter().rev() {
                total += part * base;
                base *= 60.0;
            }
            Some(sign * total)
        }
        _ => Some(sign * python::parse_float(digits)?),
    }
}

/// Base 64 as Python's lenient decoder reads it: characters outside the alphabet are skipped, and what comes after
/// the padding of a group is ignored.
fn binary(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut in_group, mut pads) = (Vec::new(), 0_u32, 0, 0);
    for byte in text.bytes() {
        if !byte.is_ascii() {
            return None;
        }
        if byte == b'=' {
            pads += 1;
            if in_group >= 2 && in_group + pads >= 4 {
                return Some(bytes);
            }
            continue;
        }
        let Some(digit) = ALPHABET.iter().position(|&known| known == byte) else { continue };
        pads = 0;
        bits = bits << 6 | digit as u32;
        in_group = (in_group + 1) % 4;
        if in_group != 1 {
            bytes.push((bits >> [0, 0, 4, 2][in_group]) as u8);
        }
    }
    (in_group == 0).then_some(bytes)
}
