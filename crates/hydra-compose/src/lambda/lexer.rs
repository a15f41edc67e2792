//! The words of an expression.

use num_bigint::BigInt;

use super::failed;
use crate::error::ConfigError;
use crate::python;
use crate::value::Value;

/// A word, and the column it begins in, from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) column: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Name(String),
    Literal(Value),
    /// An operator, a bracket, a separator.
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 24] = [
    "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "<", ">", "(", ")", "[", "]", ",", ":", ".", "=", "&",
    "|", "^",
];

/// Splits a text into its words.
///
/// # Errors
/// For a character that begins none, and a text or number that does not end as it should.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, ConfigError> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        let kind = match chars[at] {
            ch if ch.is_whitespace() => {
                at += 1;
                continue;
            }
            ch if ch.is_alphabetic() || ch == '_' => {
                at += chars[at..].iter().take_while(|ch| ch.is_alphanumeric() || **ch == '_').count();
                named(chars[start..at].iter().collect())
            }
            ch if ch.is_ascii_digit() || ch == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit) => {
                at += number_length(&chars[at..]);
                let text: String = chars[start..at].iter().collect();
                Kind::Literal(
                    number(&text).ok_or_else(|| failed(format!("column {}: {text:?} is no number", start + 1)))?,
                )
            }
            quote @ ('\'' | '"') => {
                let (text, length) = quoted(&chars[at + 1..], quote).ok_or_else(|| {
                    failed(format!("column {}: expected a text with plain escapes and an end", start + 1))
                })?;
                at += length + 1;
                Kind::Literal(Value::Str(text))
            }
            ch => {
                let rest: String = chars[at..chars.len().min(at + 2)].iter().collect();
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| failed(format!("column {}: unexpected {ch:?}", start + 1)))?;
                at += sign.len();
                Kind::Sign(sign)
            }
        };
        tokens.push(Token { kind, column: start + 1 });
    }
    tokens.push(Token { kind: Kind::End, column: chars.len() + 1 });
    Ok(tokens)
}

fn named(name: String) -> Kind {
    match name.as_str() {
        "True" => Kind::Literal(Value::Bool(true)),
        "False" => Kind::Literal(Value::Bool(false)),
        "None" => Kind::Literal(Value::Null),
        _ => Kind::Name(name),
    }
}

fn number_length(chars: &[char]) -> usize {
    let mut length = 0;
    while let Some(&ch) = chars.get(length) {
        let after_exponent = length > 0 && matches!(chars[length - 1], 'e' | 'E') && matches!(ch, '+' | '-');
        if !(ch.is_ascii_alphanumeric() || matches!(ch, '.' | '_') || after_exponent) {
            break;
        }
        length += 1;
    }
    length
}

fn number(text: &str) -> Option<Value> {
    if text.contains(['.', 'e', 'E']) {
        return python::parse_float(text).map(Value::Float);
    }
    // Python has no number such as 007.
    let is_padded = text.len() > 1 && text.starts_with('0') && text.chars().any(|ch| !matches!(ch, '0' | '_'));
    if is_padded { None } else { python::parse_int(text) }
}

/// The text up to the closing quote, and the characters that it takes with it.
fn quoted(chars: &[char], quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut at = 0;
    loop {
        match *chars.get(at)? {
            ch if ch == quote => return Some((text, at + 1)),
            '\\' => {
                text.push(match *chars.get(at + 1)? {
                    'n' => '\n',
                    't' => '\t',
                    ch @ ('\\' | '\'' | '"') => ch,
                    _ => return None,
                });
                at += 2;
            }
            '\n' => return None,
            ch => {
                text.push(ch);
                at += 1;
            }
        }
    }
}

/// A whole number as large as it needs to be.
pub(super) fn integer(value: &Value) -> Option<BigInt> {
    match value {
        Value::Bool(flag) => Some(BigInt::from(u8::from(*flag))),
        Value::Int(number) => Some(BigInt::from(*number)),
        Value::BigInt(number) => Some(number.clone()),
        _ => None,
    }
}
