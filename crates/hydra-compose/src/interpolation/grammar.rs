//! Texts with interpolations to syntax trees: OmegaConf's grammar, lexer modes included.
//!
//! `${` opens an interpolation anywhere; `\${` is a literal one; backslashes count only where they stand before an
//! interpolation or a quote. Inside a resolver's arguments the value grammar applies ([`crate::lexeme`]).

use crate::error::{ConfigError, ErrorKind, did_you_mean};
use crate::lexeme::{Grammar, ValueToken, id, space, value_token};
use crate::limits::{MAX_DEPTH, MAX_EXPRESSION_BYTES, MAX_INTEGER_DIGITS};
use crate::python;
use crate::value::Value;

/// A text: literal pieces and interpolations. A lone interpolation keeps its type.
pub(super) type Text = Vec<Piece>;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Literal(String),
    Interpolation(Interpolation),
}

/// What stands between `${` and `}`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Interpolation {
    /// `${..a.b[0]}`: the pieces, put together, are the path.
    Node(Vec<Piece>),
    /// `${name:arguments}`.
    Resolver { name: Vec<Piece>, arguments: Vec<Element> },
}

/// An argument, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Element {
    /// A value that stands there as it is.
    Value(Value),
    /// Nothing where the sequence of this text should have an element: an empty text, and a warning.
    Gap(String),
    /// An unquoted or quoted text with at least one interpolation.
    Text(Text),
    /// A quoted text: always a text, even where it is one interpolation.
    Quoted(Text),
    List(Vec<Element>),
    Map(Vec<(Value, Element)>),
}

/// Parses a config value.
pub(super) fn parse_text(text: &str) -> Result<Text, ConfigError> {
    let mut parser = Parser::new(text)?;
    let pieces = parser.text(Quote::None)?;
    if parser.is_done() { Ok(pieces) } else { Err(parser.error()) }
}

/// Parses what `oc.decode` decodes: one element.
pub(super) fn parse_element(text: &str) -> Result<Element, ConfigError> {
    let mut parser = Parser::new(text)?;
    let element = parser.element()?;
    if parser.is_done() { Ok(element) } else { Err(parser.error()) }
}

/// What `${path, default}` would have to be written as: interpolations have no defaults, but `oc.select` has.
pub(super) fn default_hint(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("${")?;
    let (inside, _) = rest.split_once('}')?;
    let (path, default) = inside.split_once(',')?;
    let (path, default) = (path.trim(), default.trim());
    let is_path =
        !path.is_empty() && path.chars().all(|ch| ch.is_alphanumeric() || matches!(ch, '_' | '.' | '-' | '[' | ']'));
    if !is_path {
        return None;
    }
    let unquoted = default.trim_matches(['"', '\'']);
    let is_word = unquoted.chars().all(|ch| ch.is_ascii_alphabetic() || ch == '_') && !unquoted.is_empty();
    let default = if is_word { unquoted } else { default };
    Some(format!(
        "{} it takes the default where there is no {path}",
        did_you_mean(format!("${{oc.select:{path},{default}}}"))
    ))
}

#[derive(Clone, Copy, PartialEq)]
enum Quote {
    None,
    Single,
    Double,
}

struct Parser<'a> {
    source: &'a str,
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(source: &'a str) -> Result<Self, ConfigError> {
        if source.len() > MAX_EXPRESSION_BYTES {
            let got = source.len();
            let message =
                format!("expected a text with interpolations of at most {MAX_EXPRESSION_BYTES} bytes, got {got}");
            return Err(ConfigError::new(ErrorKind::Limit, message));
        }
        Ok(Self { source, chars: source.chars().collect(), at: 0, depth: 0 })
    }

    fn is_done(&self) -> bool {
        self.at == self.chars.len()
    }

    fn rest(&self) -> &[char] {
        &self.chars[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn error(&self) -> ConfigError {
        let found = match self.peek() {
            Some(ch) => format!("did not expect {ch:?} at character {}", self.at + 1),
            None => "it ends too early".to_owned(),
        };
        if let Some(hint) = default_hint(self.source) {
            let message = format!("malformed interpolation in {:?}: interpolations have no defaults", self.source);
            return ConfigError::new(ErrorKind::InterpGrammar, message).with_hint(Some(hint));
        }
        let message = format!("malformed interpolation in {:?}: {found}", self.source);
        let hint = match self.peek() {
            None => "an interpolation ends with `}`; a text that is none has `\\${` instead of `${`",
            Some(_) => "an interpolation is `${path.to.key}` or `${resolver:argument,argument}`",
        };
        ConfigError::new(ErrorKind::InterpGrammar, message).with_hint(Some(hint.to_owned()))
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, ConfigError>) -> Result<T, ConfigError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("expected at most {MAX_DEPTH} levels of nesting in an interpolation");
            return Err(ConfigError::new(ErrorKind::Limit, message));
        }
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn at_interpolation(&self) -> bool {
        self.rest().starts_with(&['$', '{'])
    }

    // Texts, at the top or in quotes.

    /// Pieces up to the closing quote (not taken) or the end.
    fn text(&mut self, quote: Quote) -> Result<Text, ConfigError> {
        let closing = match quote {
            Quote::None => None,
            Quote::Single => Some('\''),
            Quote::Double => Some('"'),
        };
        let mut pieces = Text::new();
        loop {
            if self.at_interpolation() {
                let interpolation = self.interpolation()?;
                pieces.push(Piece::Interpolation(interpolation));
                continue;
            }
            match self.peek() {
                None => return if quote == Quote::None { Ok(pieces) } else { Err(self.error()) },
                ch if ch == closing => return Ok(pieces),
                Some('\\') => {
                    let literal = self.backslashes(closing);
                    push_literal(&mut pieces, &literal);
                }
                Some('$') => {
                    self.at += 1;
                    push_literal(&mut pieces, "$");
                }
                Some(_) => {
                    let literal = self.plain_run(closing);
                    push_literal(&mut pieces, &literal);
                }
            }
        }
    }

    /// Characters up to the next `$` or quote; backslashes directly before one are left to [`Self::backslashes`].
    fn plain_run(&mut self, closing: Option<char>) -> String {
        let ends = |ch: char| ch == '$' || Some(ch) == closing;
        let mut length = self.rest().iter().take_while(|&&ch| !ends(ch)).count();
        while length > 0 && self.chars[self.at + length - 1] == '\\' {
            length -= 1;
        }
        let run = self.rest()[..length].iter().collect();
        self.at += length;
        run
    }

    /// Backslashes, and what they escape.
    fn backslashes(&mut self, closing: Option<char>) -> String {
        let count = self.rest().iter().take_while(|&&ch| ch == '\\').count();
        let after = &self.rest()[count..];
        let next = after.first().copied();
        let half = "\\".repeat(count / 2);
        if after.starts_with(&['$', '{']) {
            if count % 2 == 1 {
                // An escaped interpolation: the text goes on after its `${`.
                self.at += count + 2;
                return half + "${";
            }
            self.at += count;
            return half;
        }
        if closing.is_some() && next == closing {
            if count % 2 == 1 {
                self.at += count + 1;
                return half + &closing.map(String::from).unwrap_or_default();
            }
            self.at += count;
            return half;
        }
        // Backslashes elsewhere are themselves, together with the text they stand before.
        if next.is_some_and(|ch| ch != '$') {
            let run = self.plain_run(closing);
            debug_assert!(!run.is_empty(), "a character that ends no run follows");
            return run;
        }
        self.at += count;
        "\\".repeat(count)
    }

    // Interpolations.

    fn interpolation(&mut self) -> Result<Interpolation, ConfigError> {
        self.deeper(|parser| {
            parser.at += 2;
            parser.skip_space();
            parser.path_or_resolver()
        })
    }

    fn skip_space(&mut self) {
        self.at += space(self.rest());
    }

    fn take(&mut self, length: usize) -> String {
        let text = self.rest()[..length].iter().collect();
        self.at += length;
        text
    }

    /// Characters of a key: anything but separators, quotes and brackets; `$` included.
    fn key_length(&self) -> usize {
        let ends = |ch: char| "\\{}()[]:. \t'\"".contains(ch);
        self.rest().iter().take_while(|&&ch| !ends(ch)).count()
    }

    /// A path up to `}`, or a resolver's name up to `:` and its arguments.
    ///
    /// Both start alike; deciding at the end reads nested interpolations once, not once per reading.
    fn path_or_resolver(&mut self) -> Result<Interpolation, ConfigError> {
        let mut path = Vec::new();
        while self.peek() == Some('.') {
            self.at += 1;
            push_literal(&mut path, ".");
        }
        // Only identifiers and interpolations with dots between can name a resolver.
        let mut may_be_name = path.is_empty();
        let mut first = true;
        loop {
            let spaces = space(self.rest());
            match self.chars.get(self.at + spaces) {
                Some('}') if !first => {
                    self.at += spaces + 1;
                    return Ok(Interpolation::Node(path));
                }
                Some(':') if !first && may_be_name => {
                    self.at += spaces + 1;
                    self.skip_space();
                    let arguments = self.sequence(ValueToken::BraceClose)?;
                    return Ok(Interpolation::Resolver { name: path, arguments });
                }
                _ => {}
            }
            match self.peek() {
                Some('[') => {
                    may_be_name = false;
                    self.at += 1;
                    push_literal(&mut path, "[");
                    self.path_key(&mut path)?;
                    if self.peek() != Some(']') {
                        return Err(self.error());
                    }
                    self.at += 1;
                    push_literal(&mut path, "]");
                }
                Some('.') if !first => {
                    self.at += 1;
                    push_literal(&mut path, ".");
                    may_be_name &= self.path_key(&mut path)?;
                }
                _ if first => may_be_name &= self.path_key(&mut path)?,
                _ => return Err(self.error()),
            }
            first = false;
        }
    }

    /// One key of a path; whether it could also be a part of a resolver's name.
    fn path_key(&mut self, path: &mut Vec<Piece>) -> Result<bool, ConfigError> {
        if self.at_interpolation() {
            let inner = self.interpolation()?;
            path.push(Piece::Interpolation(inner));
            return Ok(true);
        }
        let length = self.key_length();
        if length == 0 {
            return Err(self.error());
        }
        let is_id = id(self.rest()) == length;
        let key = self.take(length);
        push_literal(path, &key);
        Ok(is_id)
    }

    // Values.

    /// The next token; `None` at the end, at a quote and at an interpolation.
    fn token(&self) -> Result<Option<(ValueToken, usize)>, ConfigError> {
        if self.is_done() || self.at_interpolation() || matches!(self.peek(), Some('\'' | '"')) {
            return Ok(None);
        }
        value_token(self.rest(), Grammar::Interpolation).map(Some).ok_or_else(|| self.error())
    }

    fn at_token(&self, token: ValueToken) -> Result<Option<usize>, ConfigError> {
        Ok(self.token()?.and_then(|(found, length)| (found == token).then_some(length)))
    }

    /// Elements with commas between, up to and with `closing`.
    fn sequence(&mut self, closing: ValueToken) -> Result<Vec<Element>, ConfigError> {
        let mut elements = Vec::new();
        if let Some(length) = self.at_token(closing)? {
            self.at += length;
            return Ok(elements);
        }
        let start = self.at;
        let mut after_comma = true;
        loop {
            if let Some(length) = self.at_token(ValueToken::Comma)? {
                self.at += length;
                if after_comma {
                    elements.push(Element::Gap(String::new()));
                }
                after_comma = true;
            } else if let Some(length) = self.at_token(closing)? {
                if after_comma {
                    elements.push(Element::Gap(String::new()));
                }
                for element in &mut elements {
                    if let Element::Gap(text) = element {
                        *text = self.chars[start..self.at].iter().collect();
                    }
                }
                self.at += length;
                return Ok(elements);
            } else if after_comma {
                elements.push(self.element()?);
                after_comma = false;
            } else {
                return Err(self.error());
            }
        }
    }

    fn element(&mut self) -> Result<Element, ConfigError> {
        self.deeper(|parser| match parser.peek() {
            Some('\'') => parser.quoted(Quote::Single),
            Some('"') => parser.quoted(Quote::Double),
            Some('[') => {
                parser.at += 1;
                parser.skip_space();
                Ok(Element::List(parser.sequence(ValueToken::BracketClose)?))
            }
            Some('{') => {
                parser.at += 1;
                parser.skip_space();
                parser.map()
            }
            _ => parser.primitive(true),
        })
    }

    fn quoted(&mut self, quote: Quote) -> Result<Element, ConfigError> {
        self.at += 1;
        let text = self.text(quote)?;
        self.at += 1;
        Ok(match text.as_slice() {
            [] => Element::Value(Value::Str(String::new())),
            [Piece::Literal(literal)] => Element::Value(Value::Str(literal.clone())),
            _ => Element::Quoted(text),
        })
    }

    fn map(&mut self) -> Result<Element, ConfigError> {
        let mut entries = Vec::new();
        if let Some(length) = self.at_token(ValueToken::BraceClose)? {
            self.at += length;
            return Ok(Element::Map(entries));
        }
        loop {
            let Element::Value(key) = self.primitive(false)? else { return Err(self.error()) };
            let Some(length) = self.at_token(ValueToken::Colon)? else { return Err(self.error()) };
            self.at += length;
            let value = self.element()?;
            entries.push((key, value));
            if let Some(length) = self.at_token(ValueToken::Comma)? {
                self.at += length;
            } else if let Some(length) = self.at_token(ValueToken::BraceClose)? {
                self.at += length;
                return Ok(Element::Map(entries));
            } else {
                return Err(self.error());
            }
        }
    }

    /// Unquoted text: one token keeps its type, several are put together.
    fn primitive(&mut self, is_value: bool) -> Result<Element, ConfigError> {
        let mut pieces = Text::new();
        let mut single = None;
        let mut count = 0;
        loop {
            if is_value && self.at_interpolation() {
                let interpolation = self.interpolation()?;
                pieces.push(Piece::Interpolation(interpolation));
                count += 1;
                continue;
            }
            let Some((token, length)) = self.token()? else { break };
            let belongs = match token {
                ValueToken::Colon => is_value,
                ValueToken::Float
                | ValueToken::Int
                | ValueToken::Bool
                | ValueToken::Null
                | ValueToken::Other
                | ValueToken::Id
                | ValueToken::Escape
                | ValueToken::Space => true,
                _ => false,
            };
            if !belongs {
                break;
            }
            let text = self.take(length);
            count += 1;
            single = (count == 1).then(|| typed(token, &text)).transpose()?;
            push_literal(&mut pieces, &unescaped(token, &text));
        }
        match (count, single) {
            (0, _) => Err(self.error()),
            (1, Some(value)) => Ok(Element::Value(value)),
            _ => Ok(match pieces.as_slice() {
                [Piece::Literal(literal)] => Element::Value(Value::Str(literal.clone())),
                _ => Element::Text(pieces),
            }),
        }
    }
}

/// A token's text with the backslashes of escapes taken out.
pub(crate) fn unescaped(token: ValueToken, text: &str) -> String {
    if token == ValueToken::Escape { text.chars().skip(1).step_by(2).collect() } else { text.to_owned() }
}

/// The value of a token that stands alone.
fn typed(token: ValueToken, text: &str) -> Result<Value, ConfigError> {
    let unreadable = || {
        let message = format!("expected a number of at most {MAX_INTEGER_DIGITS} digits, got {}", text.len());
        ConfigError::new(ErrorKind::ResolverFailed, message)
    };
    Ok(match token {
        ValueToken::Null => Value::Null,
        ValueToken::Int => python::parse_int(text).ok_or_else(unreadable)?,
        ValueToken::Float => Value::Float(python::parse_float(text).ok_or_else(unreadable)?),
        ValueToken::Bool => Value::Bool(text.eq_ignore_ascii_case("true")),
        _ => Value::Str(unescaped(token, text)),
    })
}

fn push_literal(pieces: &mut Vec<Piece>, literal: &str) {
    match pieces.last_mut() {
        Some(Piece::Literal(text)) => text.push_str(literal),
        _ => pieces.push(Piece::Literal(literal.to_owned())),
    }
}
