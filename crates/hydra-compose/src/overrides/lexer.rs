//! Characters of an override to tokens, one at a time.
//!
//! Tokens are read only as far as the parser gets, because what is reported first, a stray character or a misplaced
//! token, is part of the behaviour.

use crate::error::{ConfigError, ErrorKind};
use crate::lexeme::{Grammar, ValueToken, id, int_unsigned, space, value_token};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    // The key.
    Equal,
    Tilde,
    Plus,
    At,
    Slash,
    Id,
    KeySpecial,
    DotPath,
    KeyColon,
    // The value.
    Value(ValueToken),
    Quoted,
    Interpolation,
    End,
}

/// A token and its text.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) text: String,
    /// The character at which it starts.
    pub(super) at: usize,
}

pub(super) struct Lexer {
    chars: Vec<char>,
    at: usize,
    in_value: bool,
}

impl Lexer {
    pub(super) fn new(input: &str) -> Self {
        Self { chars: input.chars().collect(), at: 0, in_value: false }
    }

    /// # Errors
    /// [`ErrorKind::OverrideLex`] where no token starts.
    pub(super) fn next(&mut self) -> Result<Token, ConfigError> {
        let rest = &self.chars[self.at..];
        if rest.is_empty() {
            return Ok(Token { kind: TokenKind::End, text: String::new(), at: self.at });
        }
        let found = if self.in_value { value_lexeme(rest) } else { key_lexeme(rest) };
        let Some((kind, length)) = found else {
            let input: String = self.chars.iter().collect();
            let message = format!("override {input:?}: did not expect {:?} at character {}", rest[0], self.at + 1);
            return Err(ConfigError::new(ErrorKind::OverrideLex, message));
        };
        let token = Token { kind, text: rest[..length].iter().collect(), at: self.at };
        self.at += length;
        self.in_value |= kind == TokenKind::Equal;
        Ok(token)
    }
}

fn key_lexeme(chars: &[char]) -> Option<(TokenKind, usize)> {
    let single = match chars[0] {
        '=' => return Some((TokenKind::Equal, 1 + space(&chars[1..]))),
        '~' => Some(TokenKind::Tilde),
        '+' => Some(TokenKind::Plus),
        '@' => Some(TokenKind::At),
        ':' => Some(TokenKind::KeyColon),
        '/' => Some(TokenKind::Slash),
        _ => None,
    };
    if let Some(kind) = single {
        return Some((kind, 1));
    }
    let (plain, special, path) = (id(chars), key_special(chars), dot_path(chars));
    match plain.max(special).max(path) {
        0 => None,
        longest if longest == plain => Some((TokenKind::Id, plain)),
        longest if longest == special => Some((TokenKind::KeySpecial, special)),
        longest => Some((TokenKind::DotPath, longest)),
    }
}

/// Like an identifier, but `$` may take part.
fn key_special(chars: &[char]) -> usize {
    match chars.first() {
        Some(ch) if ch.is_ascii_alphabetic() || matches!(ch, '_' | '$') => {
            chars.iter().take_while(|ch| ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-' | '$')).count()
        }
        _ => 0,
    }
}

/// Keys and indices with dots between, at least two.
fn dot_path(chars: &[char]) -> usize {
    let part = |from: usize| key_special(&chars[from..]).max(int_unsigned(&chars[from..]));
    let mut length = part(0);
    let mut parts = usize::from(length > 0);
    while length > 0 && chars.get(length) == Some(&'.') {
        match part(length + 1) {
            0 => break,
            next => length += 1 + next,
        }
        parts += 1;
    }
    if parts > 1 { length } else { 0 }
}

fn value_lexeme(chars: &[char]) -> Option<(TokenKind, usize)> {
    match chars[0] {
        quote @ ('\'' | '"') => quoted(chars, quote).map(|length| (TokenKind::Quoted, length)),
        '$' if chars.get(1) == Some(&'{') && interpolation(chars) > 0 => {
            Some((TokenKind::Interpolation, interpolation(chars)))
        }
        _ => value_token(chars, Grammar::Override).map(|(token, length)| match token {
            ValueToken::Equal => (TokenKind::Value(ValueToken::Equal), length),
            token => (TokenKind::Value(token), length),
        }),
    }
}

/// Up to the first quote that an even number of backslashes precedes.
fn quoted(chars: &[char], quote: char) -> Option<usize> {
    let mut backslashes = 0;
    for (index, &ch) in chars.iter().enumerate().skip(1) {
        if ch == quote && backslashes % 2 == 0 {
            return Some(index + 1);
        }
        backslashes = if ch == '\\' { backslashes + 1 } else { 0 };
    }
    None
}

/// `${`, at least one character, and the first `}`.
fn interpolation(chars: &[char]) -> usize {
    match chars[2..].iter().position(|&ch| ch == '}') {
        Some(length) if length > 0 => length + 3,
        _ => 0,
    }
}
