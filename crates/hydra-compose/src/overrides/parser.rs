//! Tokens of an override to an [`Override`].

use super::functions::{Call, evaluate};
use super::lexer::{Lexer, Token, TokenKind};
use super::{Action, Element, Override, Quoted, Sweep, SweepKind};
use crate::error::{ConfigError, ErrorKind};
use crate::interpolation::unescaped;
use crate::lexeme::ValueToken;
use crate::limits::{MAX_DEPTH, MAX_INTEGER_DIGITS};
use crate::python;
use crate::value::Value;

pub(super) fn parse(input: &str) -> Result<Override, ConfigError> {
    let mut parser =
        Parser { input, lexer: Lexer::new(input), current: None, depth: 0, in_choice: false, values: Vec::new() };
    let (action, key, package, syntax) = parser.sentence()?;
    let value = syntax.map(|syntax| syntax.evaluate(input)).transpose()?;
    if action != Action::Change && matches!(value, Some(Element::Extend(_))) {
        let message = format!("override {input:?}: extend_list changes a list, and takes no prefix");
        let plain = input.trim_start_matches(['+', '~']).to_owned();
        return Err(ConfigError::new(ErrorKind::FunctionEval, message).with_hint(Some(plain)));
    }
    Ok(Override { action, key, package, value, input: input.to_owned() })
}

/// A value as it is written; functions are called only when the whole override has parsed.
enum Syntax {
    Primitive(Vec<Token>),
    List(Vec<Syntax>),
    Dict(Vec<(Vec<Token>, Syntax)>),
    Function { name: String, arguments: Vec<(Option<String>, Syntax)>, text: String },
    Choice(Vec<Syntax>),
}

struct Parser<'a> {
    input: &'a str,
    lexer: Lexer,
    current: Option<Token>,
    depth: usize,
    /// Whether a comma has shown that the value is a choice.
    in_choice: bool,
    /// The texts of the tokens taken so far, for error messages of functions.
    values: Vec<String>,
}

type Sentence = (Action, String, Option<String>, Option<Syntax>);

impl Parser<'_> {
    fn peek(&mut self) -> Result<TokenKind, ConfigError> {
        if self.current.is_none() {
            self.current = Some(self.lexer.next()?);
        }
        Ok(self.current.as_ref().expect("just filled").kind)
    }

    fn take(&mut self) -> Result<Token, ConfigError> {
        self.peek()?;
        let token = self.current.take().expect("peeking fills it");
        self.values.push(token.text.clone());
        // Like the original, look at the next token at once: a stray character there is reported first.
        if token.kind != TokenKind::End {
            self.peek()?;
        }
        Ok(token)
    }

    fn expect(&mut self, kind: TokenKind) -> Result<Token, ConfigError> {
        if self.peek()? == kind { self.take() } else { Err(self.unexpected_after_complete()) }
    }

    fn at_value(&mut self, token: ValueToken) -> Result<bool, ConfigError> {
        Ok(self.peek()? == TokenKind::Value(token))
    }

    /// Nothing that may stand here does. The original shows the rest of the text then, for which it reads all of it:
    /// a stray character anywhere is reported first. Behind the first comma of a choice it knows what it is reading,
    /// and looks one token ahead only.
    fn unexpected(&mut self) -> ConfigError {
        if self.in_choice {
            return self.unexpected_after_complete();
        }
        let error = self.mismatch();
        while self.current.as_ref().is_some_and(|token| token.kind != TokenKind::End) {
            match self.lexer.next() {
                Ok(token) => self.current = Some(token),
                Err(stray) => return stray,
            }
        }
        error
    }

    /// Something complete is followed by what cannot follow it. The original tries to drop that token, for which it
    /// reads the one behind it.
    fn unexpected_after_complete(&mut self) -> ConfigError {
        let error = self.mismatch();
        match self.current.take() {
            Some(token) if token.kind != TokenKind::End => self.lexer.next().err().unwrap_or(error),
            _ => error,
        }
    }

    fn mismatch(&self) -> ConfigError {
        let message = match &self.current {
            Some(token) if token.kind != TokenKind::End => {
                format!("did not expect {:?} at character {}", token.text, token.at + 1)
            }
            _ if !self.input.contains('=') => "expected `=` and a value behind the key, got neither".to_owned(),
            _ => "it ends too early".to_owned(),
        };
        ConfigError::new(ErrorKind::OverrideParse, format!("override {:?}: {message}", self.input))
    }

    fn sentence(&mut self) -> Result<Sentence, ConfigError> {
        let action = match self.peek()? {
            TokenKind::Tilde => Action::Delete,
            TokenKind::Plus => Action::Add,
            kind if starts_key(kind) => Action::Change,
            _ => return Err(self.unexpected_after_complete()),
        };
        if action != Action::Change {
            self.take()?;
        }
        let action = match self.peek()? {
            TokenKind::Plus if action == Action::Add => {
                self.take()?;
                Action::ForceAdd
            }
            kind if action == Action::Add && !starts_key(kind) => return Err(self.unexpected_after_complete()),
            _ => action,
        };
        let (key, package) = self.key()?;
        if action == Action::Delete && self.peek()? == TokenKind::End {
            return Ok((action, key, package, None));
        }
        self.expect(TokenKind::Equal)?;
        let value = self.value()?;
        if self.peek()? != TokenKind::End {
            return Err(self.unexpected_after_complete());
        }
        Ok((action, key, package, Some(value)))
    }

    fn key(&mut self) -> Result<(String, Option<String>), ConfigError> {
        let mut key = self.package()?;
        if !key.is_empty() && self.peek()? == TokenKind::Slash {
            if !key.chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '_' || ch == '-') {
                return Err(self.unexpected_after_complete());
            }
            while self.peek()? == TokenKind::Slash {
                self.take()?;
                key.push('/');
                key.push_str(&self.expect(TokenKind::Id)?.text);
            }
        }
        if self.peek()? != TokenKind::At {
            return Ok((key, None));
        }
        self.take()?;
        Ok((key, Some(self.package()?)))
    }

    /// A dotted path, or nothing.
    fn package(&mut self) -> Result<String, ConfigError> {
        match self.peek()? {
            TokenKind::Id | TokenKind::KeySpecial | TokenKind::DotPath => Ok(self.take()?.text),
            TokenKind::Equal | TokenKind::At | TokenKind::End => Ok(String::new()),
            _ => Err(self.unexpected()),
        }
    }

    fn starts_element(&mut self) -> Result<bool, ConfigError> {
        Ok(match self.peek()? {
            TokenKind::Quoted | TokenKind::Interpolation => true,
            TokenKind::Value(token) => {
                is_primitive(token) || matches!(token, ValueToken::BracketOpen | ValueToken::BraceOpen)
            }
            _ => false,
        })
    }

    fn value(&mut self) -> Result<Syntax, ConfigError> {
        if !self.starts_element()? {
            return Ok(Syntax::Primitive(Vec::new()));
        }
        let first = self.element()?;
        if !self.at_value(ValueToken::Comma)? {
            return Ok(first);
        }
        let mut elements = vec![first];
        self.in_choice = true;
        while self.at_value(ValueToken::Comma)? {
            self.take()?;
            elements.push(self.element()?);
        }
        Ok(Syntax::Choice(elements))
    }

    fn element(&mut self) -> Result<Syntax, ConfigError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("expected at most {MAX_DEPTH} levels of nesting in an override");
            return Err(ConfigError::new(ErrorKind::Limit, message));
        }
        let element = match self.peek()? {
            TokenKind::Quoted => Syntax::Primitive(vec![self.take()?]),
            TokenKind::Value(ValueToken::BracketOpen) => self.list()?,
            TokenKind::Value(ValueToken::BraceOpen) => self.dict()?,
            _ => self.primitive_or_function()?,
        };
        self.depth -= 1;
        Ok(element)
    }

    fn primitive_or_function(&mut self) -> Result<Syntax, ConfigError> {
        let from = self.values.len();
        let tokens = self.primitive_tokens(true)?;
        let [name] = tokens.as_slice() else { return Ok(Syntax::Primitive(tokens)) };
        if name.kind != TokenKind::Value(ValueToken::Id) || !self.at_value(ValueToken::ParenOpen)? {
            return Ok(Syntax::Primitive(tokens));
        }
        let name = name.text.clone();
        self.take()?;
        let mut arguments = Vec::new();
        if !self.at_value(ValueToken::ParenClose)? {
            loop {
                arguments.push(self.argument()?);
                if !self.at_value(ValueToken::Comma)? {
                    break;
                }
                self.take()?;
            }
        }
        if !self.at_value(ValueToken::ParenClose)? {
            return Err(self.unexpected());
        }
        self.take()?;
        let text = self.values[from..].concat();
        Ok(Syntax::Function { name, arguments, text })
    }

    fn argument(&mut self) -> Result<(Option<String>, Syntax), ConfigError> {
        let from = self.values.len();
        if self.peek()? != TokenKind::Value(ValueToken::Id) {
            return Ok((None, self.element()?));
        }
        let element = self.element()?;
        let is_name = matches!(&element, Syntax::Primitive(tokens) if tokens.len() == 1);
        if !(is_name && self.at_value(ValueToken::Equal)?) {
            return Ok((None, element));
        }
        let name = self.values[from].clone();
        self.take()?;
        Ok((Some(name), self.element()?))
    }

    fn list(&mut self) -> Result<Syntax, ConfigError> {
        self.take()?;
        let mut items = Vec::new();
        if !self.at_value(ValueToken::BracketClose)? {
            loop {
                items.push(self.element()?);
                if !self.at_value(ValueToken::Comma)? {
                    break;
                }
                self.take()?;
            }
        }
        if !self.at_value(ValueToken::BracketClose)? {
            return Err(self.unexpected());
        }
        self.take()?;
        Ok(Syntax::List(items))
    }

    fn dict(&mut self) -> Result<Syntax, ConfigError> {
        self.take()?;
        let mut entries = Vec::new();
        if !self.at_value(ValueToken::BraceClose)? {
            loop {
                let key = self.primitive_tokens(false)?;
                if !self.at_value(ValueToken::Colon)? {
                    return Err(self.unexpected());
                }
                self.take()?;
                entries.push((key, self.element()?));
                if !self.at_value(ValueToken::Comma)? {
                    break;
                }
                self.take()?;
            }
        }
        if !self.at_value(ValueToken::BraceClose)? {
            return Err(self.unexpected());
        }
        self.take()?;
        Ok(Syntax::Dict(entries))
    }

    /// The tokens of one unquoted text; colons and interpolations only in values.
    fn primitive_tokens(&mut self, is_value: bool) -> Result<Vec<Token>, ConfigError> {
        let mut tokens = Vec::new();
        loop {
            let belongs = match self.peek()? {
                TokenKind::Value(ValueToken::Colon) | TokenKind::Interpolation => is_value,
                TokenKind::Value(token) => is_primitive(token),
                _ => false,
            };
            if !belongs {
                return if tokens.is_empty() { Err(self.unexpected()) } else { Ok(tokens) };
            }
            tokens.push(self.take()?);
        }
    }
}

/// Whether a key can start here; an empty key is followed by `=` or `@`.
fn starts_key(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Equal | TokenKind::At | TokenKind::KeySpecial | TokenKind::DotPath | TokenKind::Id)
}

fn is_primitive(token: ValueToken) -> bool {
    matches!(
        token,
        ValueToken::Colon
            | ValueToken::Float
            | ValueToken::Int
            | ValueToken::Bool
            | ValueToken::Null
            | ValueToken::Other
            | ValueToken::Id
            | ValueToken::Escape
            | ValueToken::Space
    )
}

impl Syntax {
    fn evaluate(self, input: &str) -> Result<Element, ConfigError> {
        Ok(match self {
            // `key=` is the empty text.
            Self::Primitive(tokens) if tokens.is_empty() => Element::Scalar(Value::Str(String::new())),
            Self::Primitive(tokens) => primitive(&tokens, input)?,
            Self::List(items) => {
                Element::List(items.into_iter().map(|item| item.evaluate(input)).collect::<Result<_, _>>()?)
            }
            Self::Dict(entries) => dict(entries, input)?,
            Self::Choice(elements) => {
                let list = elements.into_iter().map(|element| element.evaluate(input)).collect::<Result<_, _>>()?;
                let kind = SweepKind::Choice { list, simple: true };
                Element::Sweep(Box::new(Sweep { kind, shuffle: false, tags: Vec::new() }))
            }
            Self::Function { name, arguments, text } => {
                let (mut positional, mut named) = (Vec::new(), Vec::new());
                for (argument_name, argument) in arguments {
                    if argument_name.is_none() && !named.is_empty() {
                        let message =
                            format!("override {input:?}: a positional argument follows a named one in {text:?}");
                        return Err(ConfigError::new(ErrorKind::OverrideParse, message));
                    }
                    let value = argument.evaluate(input)?;
                    match argument_name {
                        None => positional.push(value),
                        Some(name) => named.push((name, value)),
                    }
                }
                evaluate(Call { name, positional, named })
                    .map_err(|error| error.within(&format!("override {input:?}: {text}")))?
            }
        })
    }
}

fn dict(entries: Vec<(Vec<Token>, Syntax)>, input: &str) -> Result<Element, ConfigError> {
    let mut dict: Vec<(Value, Element)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let Element::Scalar(key) = primitive(&key, input)? else {
            unreachable!("quotes are no part of a key");
        };
        let value = value.evaluate(input)?;
        // Like a Python dict: the first spelling of a key stays, its last value wins.
        match dict.iter_mut().find(|(known, _)| python::equal(known, &key)) {
            Some((_, known)) => *known = value,
            None => dict.push((key, value)),
        }
    }
    Ok(Element::Dict(dict))
}

/// One token keeps its type, several are put together; white space at the ends does not count.
fn primitive(tokens: &[Token], input: &str) -> Result<Element, ConfigError> {
    let is_space = |token: &Token| token.kind == TokenKind::Value(ValueToken::Space);
    let mut tokens = tokens;
    if let [first, rest @ ..] = tokens
        && is_space(first)
    {
        tokens = rest;
    }
    if let [rest @ .., last] = tokens
        && is_space(last)
    {
        tokens = rest;
    }
    match tokens {
        [] => {
            let message = format!("override {input:?}: a value is all white space");
            Err(ConfigError::new(ErrorKind::OverrideParse, message))
        }
        [token] => single(token, input),
        tokens => {
            let text = tokens.iter().map(|token| match token.kind {
                TokenKind::Value(kind) => unescaped(kind, &token.text),
                _ => token.text.clone(),
            });
            Ok(Element::Scalar(Value::Str(text.collect())))
        }
    }
}

fn single(token: &Token, input: &str) -> Result<Element, ConfigError> {
    let unreadable = || {
        let got = token.text.len();
        let message =
            format!("override {input:?}: expected a number of at most {MAX_INTEGER_DIGITS} digits, got {got}");
        ConfigError::new(ErrorKind::OverrideParse, message)
    };
    Ok(Element::Scalar(match token.kind {
        TokenKind::Quoted => return Ok(Element::Quoted(unquoted(&token.text))),
        TokenKind::Value(ValueToken::Int) => python::parse_int(&token.text).ok_or_else(unreadable)?,
        TokenKind::Value(ValueToken::Float) => Value::Float(python::parse_float(&token.text).ok_or_else(unreadable)?),
        TokenKind::Value(ValueToken::Bool) => Value::Bool(token.text.eq_ignore_ascii_case("true")),
        TokenKind::Value(ValueToken::Null) => Value::Null,
        TokenKind::Value(kind) => Value::Str(unescaped(kind, &token.text)),
        _ => Value::Str(token.text.clone()),
    }))
}

/// Takes the quotes off; backslashes count only before a quote of the same kind.
fn unquoted(token: &str) -> Quoted {
    let quote = token.chars().next().expect("a quoted token starts with its quote");
    let inside: Vec<char> = token.chars().skip(1).collect();
    let mut text = String::new();
    let mut at = 0;
    while at < inside.len() {
        let backslashes = inside[at..].iter().take_while(|&&ch| ch == '\\').count();
        let next = inside.get(at + backslashes);
        if backslashes > 0 && next == Some(&quote) {
            text.push_str(&"\\".repeat(backslashes / 2));
            if backslashes % 2 == 1 {
                text.push(quote);
                at += 1;
            }
            at += backslashes;
        } else if backslashes > 0 {
            text.push_str(&"\\".repeat(backslashes));
            at += backslashes;
        } else {
            // The only bare quote is the closing one.
            if inside[at] != quote {
                text.push(inside[at]);
            }
            at += 1;
        }
    }
    Quoted { text, quote }
}
