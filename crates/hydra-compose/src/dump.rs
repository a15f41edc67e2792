//! Values to YAML text, byte for byte what `OmegaConf.to_yaml` writes.
//!
//! The emitter follows PyYAML's `emitter.py` for the events that a configuration can cause: block maps and lists,
//! empty flow collections, plain, quoted and (for bytes) literal scalars. It writes no anchors and no documents.

use base64::Engine as _;

use super::python;
use super::value::{Key, Value};
use super::yaml::plain_tag_in_output;

/// Lines longer than this are folded at the next space.
const BEST_WIDTH: usize = 80;
const BEST_INDENT: usize = 2;

/// Writes a map or a list as a YAML document.
pub fn to_yaml(value: &Value) -> String {
    let mut emitter = Emitter { out: String::new(), column: 0, whitespace: true, indention: true, indent: None };
    emitter.node(value, Context::Root);
    emitter.write_indent();
    emitter.out
}

#[derive(Clone, Copy, PartialEq)]
enum Context {
    Root,
    Sequence,
    MappingValue,
    MappingKey,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

struct Emitter {
    out: String,
    column: usize,
    /// Whether the last character was white space.
    whitespace: bool,
    /// Whether only indentation and indicators stand on the line so far.
    indention: bool,
    indent: Option<usize>,
}

impl Emitter {
    fn node(&mut self, value: &Value, context: Context) {
        match value {
            Value::List(items) if items.is_empty() => self.indicator("[]", true, false, false),
            Value::Map(map) if map.is_empty() => self.indicator("{}", true, false, false),
            Value::List(items) => {
                let indentless = context == Context::MappingValue && !self.indention;
                let outer = self.increase_indent(indentless);
                for item in items {
                    self.write_indent();
                    self.indicator("-", true, false, true);
                    self.node(item, Context::Sequence);
                }
                self.indent = outer;
            }
            Value::Map(map) => {
                let outer = self.increase_indent(false);
                for (key, value) in map {
                    self.write_indent();
                    self.entry(key, value);
                }
                self.indent = outer;
            }
            scalar => self.scalar(scalar, false),
        }
    }

    fn entry(&mut self, key: &Key, value: &Value) {
        let key = key.to_value();
        if is_simple_key(&key) {
            self.scalar(&key, true);
            self.indicator(":", false, false, false);
        } else {
            self.indicator("?", true, false, true);
            self.node(&key, Context::MappingKey);
            self.write_indent();
            self.indicator(":", true, false, true);
        }
        self.node(value, Context::MappingValue);
    }

    fn increase_indent(&mut self, indentless: bool) -> Option<usize> {
        let outer = self.indent;
        self.indent = match outer {
            None => Some(0),
            Some(indent) if indentless => Some(indent),
            Some(indent) => Some(indent + BEST_INDENT),
        };
        outer
    }

    fn scalar(&mut self, value: &Value, simple_key: bool) {
        let outer = self.indent;
        self.indent = Some(outer.map_or(BEST_INDENT, |indent| indent + BEST_INDENT));
        let text = scalar_text(value);
        let style = choose_style(value, &text, simple_key);
        if matches!(value, Value::Bytes(_)) {
            self.indicator("!!binary", true, false, false);
        }
        let split = !simple_key;
        let chars: Vec<char> = text.chars().collect();
        match style {
            Style::Plain => self.write_plain(&chars, split),
            Style::Single => self.write_single_quoted(&chars, split),
            Style::Double => self.write_double_quoted(&chars, split),
            Style::Literal => self.write_literal(&chars),
        }
        self.indent = outer;
    }

    // Writers.

    fn push(&mut self, chars: &[char]) {
        self.column += chars.len();
        self.out.extend(chars);
    }

    fn push_str(&mut self, text: &str) {
        self.column += text.chars().count();
        self.out.push_str(text);
    }

    fn indicator(&mut self, text: &str, need_whitespace: bool, whitespace: bool, indention: bool) {
        if need_whitespace && !self.whitespace {
            self.push_str(" ");
        }
        self.push_str(text);
        self.whitespace = whitespace;
        self.indention = self.indention && indention;
    }

    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.write_line_break('\n');
        }
        if self.column < indent {
            self.whitespace = true;
            self.push_str(&" ".repeat(indent - self.column));
        }
    }

    fn write_line_break(&mut self, ch: char) {
        self.whitespace = true;
        self.indention = true;
        self.column = 0;
        self.out.push(ch);
    }

    fn write_breaks(&mut self, breaks: &[char]) {
        if breaks.first() == Some(&'\n') {
            self.write_line_break('\n');
        }
        for &ch in breaks {
            self.write_line_break(ch);
        }
    }

    fn write_plain(&mut self, text: &[char], split: bool) {
        if text.is_empty() {
            return;
        }
        if !self.whitespace {
            self.push_str(" ");
        }
        self.whitespace = false;
        self.indention = false;
        // Multi-line texts are never plain, so there are only words and spaces.
        let (mut spaces, mut start) = (false, 0);
        for end in 0..=text.len() {
            let ch = text.get(end).copied();
            if spaces {
                if ch != Some(' ') {
                    if start + 1 == end && self.column > BEST_WIDTH && split {
                        self.write_indent();
                        self.whitespace = false;
                        self.indention = false;
                    } else {
                        self.push(&text[start..end]);
                    }
                    start = end;
                }
            } else if ch.is_none() || ch == Some(' ') {
                self.push(&text[start..end]);
                start = end;
            }
            spaces = ch == Some(' ');
        }
    }

    fn write_single_quoted(&mut self, text: &[char], split: bool) {
        self.indicator("'", true, false, false);
        let (mut spaces, mut breaks, mut start) = (false, false, 0);
        for end in 0..=text.len() {
            let ch = text.get(end).copied();
            if spaces {
                if ch != Some(' ') {
                    let inside = start != 0 && end != text.len();
                    if start + 1 == end && self.column > BEST_WIDTH && split && inside {
                        self.write_indent();
                    } else {
                        self.push(&text[start..end]);
                    }
                    start = end;
                }
            } else if breaks {
                if ch.is_none_or(|ch| !is_break(ch)) {
                    self.write_breaks(&text[start..end]);
                    self.write_indent();
                    start = end;
                }
            } else if ch.is_none_or(|ch| ch == ' ' || ch == '\'' || is_break(ch)) && start < end {
                self.push(&text[start..end]);
                start = end;
            }
            if ch == Some('\'') {
                self.push_str("''");
                start = end + 1;
            }
            if let Some(ch) = ch {
                spaces = ch == ' ';
                breaks = is_break(ch);
            }
        }
        self.indicator("'", false, false, false);
    }

    fn write_double_quoted(&mut self, text: &[char], split: bool) {
        self.indicator("\"", true, false, false);
        let mut start = 0;
        for end in 0..=text.len() {
            let ch = text.get(end).copied();
            if ch.is_none_or(|ch| !stands_for_itself(ch)) {
                if start < end {
                    self.push(&text[start..end]);
                    start = end;
                }
                if let Some(ch) = ch {
                    self.push_str(&escape(ch));
                    start = end + 1;
                }
            }
            let inside = 0 < end && end + 1 < text.len();
            // `start` is one beyond `end` right after an escape.
            if split && inside && (ch == Some(' ') || start >= end) && self.column + end > BEST_WIDTH + start {
                if start < end {
                    self.push(&text[start..end]);
                    start = end;
                }
                self.push_str("\\");
                self.write_indent();
                self.whitespace = false;
                self.indention = false;
                if text[start] == ' ' {
                    self.push_str("\\");
                }
            }
        }
        self.indicator("\"", false, false, false);
    }

    fn write_literal(&mut self, text: &[char]) {
        self.indicator(&format!("|{}", block_hints(text)), true, false, false);
        self.write_line_break('\n');
        let (mut breaks, mut start) = (true, 0);
        for end in 0..=text.len() {
            let ch = text.get(end).copied();
            let at_break = ch.is_some_and(is_break);
            if breaks {
                if !at_break {
                    for &ch in &text[start..end] {
                        self.write_line_break(ch);
                    }
                    if ch.is_some() {
                        self.write_indent();
                    }
                    start = end;
                }
            } else if ch.is_none() || at_break {
                self.out.extend(&text[start..end]);
                if ch.is_none() {
                    self.write_line_break('\n');
                }
                start = end;
            }
            if ch.is_some() {
                breaks = at_break;
            }
        }
    }
}

fn is_break(ch: char) -> bool {
    matches!(ch, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank_or_end(ch: Option<char>) -> bool {
    ch.is_none_or(|ch| matches!(ch, '\0' | ' ' | '\t' | '\r') || is_break(ch))
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Float(number) => float_text(*number),
        Value::Bytes(bytes) => {
            let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
            // Python's encodebytes breaks after 76 characters and ends in a line break.
            encoded.as_bytes().chunks(76).fold(String::new(), |mut text, line| {
                text.extend(line.iter().map(|&byte| char::from(byte)));
                text.push('\n');
                text
            })
        }
        other => python::str(other),
    }
}

fn float_text(number: f64) -> String {
    if number.is_nan() {
        ".nan".to_owned()
    } else if number.is_infinite() {
        if number < 0.0 { "-.inf" } else { ".inf" }.to_owned()
    } else {
        let text = python::float_repr(number);
        // YAML 1.1 wants a point in a float.
        if text.contains('.') { text } else { text.replacen('e', ".0e", 1) }
    }
}

fn is_simple_key(key: &Value) -> bool {
    let tag_length = match key {
        Value::Null | Value::Bool(_) => 6,
        Value::Float(_) => 7,
        Value::Bytes(_) => 8,
        _ => 5,
    };
    let text = scalar_text(key);
    text.chars().count() + tag_length < 128 && !text.is_empty() && !text.chars().any(is_break)
}

fn choose_style(value: &Value, text: &str, simple_key: bool) -> Style {
    let analysis = Analysis::of(text);
    let (quoted, plain_reads_back) = match value {
        Value::Str(text) => {
            let quoted = is_yaml_bool(text) || python::parse_int(text).is_some() || python::parse_float(text).is_some();
            (quoted, plain_tag_in_output(text) == "tag:yaml.org,2002:str")
        }
        _ => (false, true),
    };
    if matches!(value, Value::Bytes(_)) {
        if !simple_key && analysis.allow_block {
            return Style::Literal;
        }
        return Style::Double;
    }
    if !quoted
        && plain_reads_back
        && !(simple_key && (text.is_empty() || analysis.multiline))
        && analysis.allow_block_plain
    {
        return Style::Plain;
    }
    if analysis.allow_single_quoted && !(simple_key && analysis.multiline) { Style::Single } else { Style::Double }
}

fn is_yaml_bool(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "y" | "yes" | "n" | "no" | "true" | "false" | "on" | "off")
        && (text == text.to_ascii_lowercase()
            || text == text.to_ascii_uppercase()
            || text[1..] == text[1..].to_ascii_lowercase())
}

struct Analysis {
    multiline: bool,
    allow_block_plain: bool,
    allow_single_quoted: bool,
    allow_block: bool,
}

impl Analysis {
    fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let (Some(&first), Some(&last)) = (chars.first(), chars.last()) else {
            return Self { multiline: false, allow_block_plain: true, allow_single_quoted: true, allow_block: false };
        };
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut line_breaks, mut special, mut break_space, mut space_break) = (false, false, false, false);
        for (index, &ch) in chars.iter().enumerate() {
            let followed_by_blank = is_blank_or_end(chars.get(index + 1).copied());
            let before = index.checked_sub(1).map(|before| chars[before]);
            indicators |= if index == 0 {
                "#,[]{}&*!|>'\"%@`".contains(ch) || ("?:-".contains(ch) && followed_by_blank)
            } else {
                (ch == ':' && followed_by_blank) || (ch == '#' && is_blank_or_end(before))
            };
            line_breaks |= is_break(ch);
            special |= !(ch == '\n' || (' '..='~').contains(&ch) || is_plain_unicode(ch));
            break_space |= ch == ' ' && before.is_some_and(is_break);
            space_break |= is_break(ch) && before == Some(' ');
        }
        let at_ends = first == ' ' || last == ' ' || is_break(first) || is_break(last);
        let only_double = space_break || special;
        Self {
            multiline: line_breaks,
            allow_block_plain: !(at_ends || break_space || only_double || line_breaks || indicators),
            allow_single_quoted: !(break_space || only_double),
            allow_block: !(last == ' ' || only_double),
        }
    }
}

fn is_plain_unicode(ch: char) -> bool {
    ch != '\u{feff}'
        && matches!(ch, '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10fffe}')
}

fn stands_for_itself(ch: char) -> bool {
    !matches!(ch, '"' | '\\' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        && matches!(ch, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
}

fn escape(ch: char) -> String {
    let short = match ch {
        '\0' => '0',
        '\u{07}' => 'a',
        '\u{08}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{0b}' => 'v',
        '\u{0c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' | '\\' => ch,
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match u32::from(ch) {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

fn block_hints(text: &[char]) -> String {
    let mut hints = String::new();
    let (Some(&first), Some(&last)) = (text.first(), text.last()) else { return hints };
    if first == ' ' || is_break(first) {
        hints.push_str(&BEST_INDENT.to_string());
    }
    if !is_break(last) {
        hints.push('-');
    } else if text.len() == 1 || is_break(text[text.len() - 2]) {
        hints.push('+');
    }
    hints
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::*;
    use crate::load_yaml;
    use crate::value::Map;
    use crate::yaml::load_any;

    fn text() -> impl Strategy<Value = String> {
        let hostile = prop_oneof![
            "[ -~]{0,12}",
            any::<String>(),
            // What looks like a number, a boolean, null, a date, an indicator.
            "[-+0-9_.eExo:]{1,8}",
            "[-+]?(0x|0o|0b)?[0-9_]{1,6}(\\.[0-9_]{0,3})?([eE][-+]?[0-9]{1,3})?",
            "[-+]?[0-9]{1,3}(:[0-9]{1,2}){1,2}(\\.[0-9]{0,2})?",
            "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{1,2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,3})?( ?Z| ?[-+][0-9]{1,2})?)?",
            "(on|off|yes|no|y|n|null|~|true|inf|nan|<<|=|---|\\.\\.\\.|\\?\\?\\?)",
            "[-?:,\\[\\]{}#&*!|>'\"%@` ]{1,6}",
            // Lines, spaces at their ends, control characters.
            "[a\n \t#:'\"\u{2028}]{0,10}",
            "\n{0,2}( {0,3}[ -~]{0,20} {0,2}\n){1,5}[a-z]{0,3}",
            "[ \t]{0,3}[a-z]{0,5}[ \t\r\n]{0,3}",
            "[\u{0}-\u{1f}\u{7f}-\u{9f}\u{feff}\u{fffd}a ]{0,8}",
            // Long lines, which are folded where they have spaces.
            "[a-z ]{60,140}",
            "([a-z]{1,12} {1,3}){15,40}",
            "[a-z]{150,300}",
            "(é|日|🪐|'|\"|\n| |a){80,200}",
        ];
        // PyYAML writes U+0085 as a line break and reads it back as a space.
        let hostile = hostile.prop_filter("U+0085 does not survive PyYAML", |text| !text.contains('\u{85}'));
        // `1._e1` is a text to OmegaConf's writer, which leaves it bare, and a float to its reader.
        let hostile = hostile.prop_filter("OmegaConf reads it back as a float", |text| {
            python::parse_float(text).is_some() || !matches!(load_any(text).map(|v| v.to_value()), Ok(Value::Float(_)))
        });
        // OmegaConf refuses a value with `${` that does not parse, so no config holds one.
        let hostile = hostile.prop_filter("texts with ${ must parse", |text| !text.contains("${"));
        prop_oneof![20 => hostile, 1 => "[a-z ]{0,3}(\\$\\{[a-z]{1,3}(\\.[a-z]{1,3})?\\}|\\\\\\$\\{){1,2}"]
    }

    fn float() -> impl Strategy<Value = f64> {
        // YAML has one NaN, and so has a config.
        proptest::num::f64::ANY.prop_map(|number| if number.is_nan() { f64::NAN } else { number })
    }

    fn big_int() -> impl Strategy<Value = BigInt> {
        (any::<i128>(), any::<u64>()).prop_map(|(a, b)| BigInt::from(a) * b)
    }

    /// Every kind of key; null and containers cannot be keys.
    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            6 => text().prop_map(Key::Str),
            1 => any::<i64>().prop_map(Key::Int),
            1 => big_int().prop_map(|number| Key::from_value(Value::from_bigint(number)).expect("an integer is a key")),
            1 => any::<bool>().prop_map(Key::Bool),
            1 => float().prop_map(Key::Float),
            1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(Key::Bytes),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            1 => Just(Value::Null),
            1 => any::<bool>().prop_map(Value::Bool),
            1 => any::<i64>().prop_map(Value::Int),
            1 => big_int().prop_map(Value::from_bigint),
            2 => float().prop_map(Value::Float),
            6 => text().prop_map(Value::Str),
            1 => proptest::collection::vec(any::<u8>(), 0..90).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
                proptest::collection::vec((key(), inner), 0..5).prop_map(|entries| Value::Map(Map::from_iter(entries))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_loads_as_the_same_value(entries in proptest::collection::vec((key(), value()), 0..5)) {
            let value = Value::Map(Map::from_iter(entries));
            let yaml = to_yaml(&value);
            prop_assert_eq!(load_yaml(&yaml).map_err(|error| format!("{error} in {yaml:?}")), Ok(value));
        }
    }
}
