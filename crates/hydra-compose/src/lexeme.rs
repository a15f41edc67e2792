//! The lexemes that Hydra's override grammar and OmegaConf's interpolation grammar share.
//!
//! Each function looks at the start of `chars` and returns how many characters its token takes, 0 for none. Where
//! several tokens match, the longest wins, and of equally long ones the first in the grammar: see [`value_token`].

/// A token of the value part of either grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueToken {
    BraceOpen,
    BraceClose,
    ParenOpen,
    ParenClose,
    BracketOpen,
    BracketClose,
    Comma,
    Colon,
    Equal,
    Float,
    Int,
    Bool,
    Null,
    /// One of the characters that unquoted text may contain.
    Other,
    Id,
    /// Escaped characters, each behind its backslash.
    Escape,
    Space,
}

/// Which grammar's tokens to look for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// The override grammar: has `(`, `)` and `=`.
    Override,
    /// The interpolation grammar.
    Interpolation,
}

/// The longest value token at the start of `chars`.
pub(super) fn value_token(chars: &[char], grammar: Grammar) -> Option<(ValueToken, usize)> {
    let before = space(chars);
    let at = |ch: char| chars.get(before) == Some(&ch);
    let before_and_after = |ch: char| if at(ch) { before + 1 + space(&chars[before + 1..]) } else { 0 };
    let before_only = |ch: char| if at(ch) { before + 1 } else { 0 };
    let after_only = |ch: char| if chars.first() == Some(&ch) { 1 + space(&chars[1..]) } else { 0 };
    let only_override = |length: usize| if grammar == Grammar::Override { length } else { 0 };
    let candidates = [
        (ValueToken::ParenOpen, only_override(before_and_after('('))),
        (ValueToken::Comma, before_and_after(',')),
        (ValueToken::ParenClose, only_override(before_only(')'))),
        (ValueToken::BracketOpen, after_only('[')),
        (ValueToken::BracketClose, before_only(']')),
        (ValueToken::BraceOpen, after_only('{')),
        (ValueToken::BraceClose, before_only('}')),
        (ValueToken::Colon, before_and_after(':')),
        (ValueToken::Equal, only_override(before_and_after('='))),
        (ValueToken::Float, float(chars)),
        (ValueToken::Int, int(chars)),
        (ValueToken::Bool, word(chars, "true").max(word(chars, "false"))),
        (ValueToken::Null, word(chars, "null")),
        (ValueToken::Other, usize::from(chars.first().is_some_and(|&ch| is_other(ch)))),
        (ValueToken::Id, id(chars)),
        (ValueToken::Escape, escape(chars)),
        (ValueToken::Space, before),
    ];
    let mut best = None;
    for (token, length) in candidates {
        if length > best.map_or(0, |(_, longest)| longest) {
            best = Some((token, length));
        }
    }
    best
}

/// An identifier: `[a-zA-Z_][a-zA-Z0-9_-]*`.
pub(super) fn id(chars: &[char]) -> usize {
    match chars.first() {
        Some(ch) if ch.is_ascii_alphabetic() || *ch == '_' => {
            count(chars, |ch| ch.is_ascii_alphanumeric() || ch == '_' || ch == '-')
        }
        _ => 0,
    }
}

/// An unsigned integer without leading zeros: `0 | [1-9](_?[0-9])*`.
pub(super) fn int_unsigned(chars: &[char]) -> usize {
    match chars.first() {
        Some('0') => 1,
        Some('1'..='9') => digits(chars),
        _ => 0,
    }
}

/// Spaces and tabs.
pub(super) fn space(chars: &[char]) -> usize {
    count(chars, |ch| ch == ' ' || ch == '\t')
}

fn count(chars: &[char], accept: impl Fn(char) -> bool) -> usize {
    chars.iter().take_while(|&&ch| accept(ch)).count()
}

/// `[0-9](_?[0-9])*`
fn digits(chars: &[char]) -> usize {
    let is_digit = |index: usize| chars.get(index).is_some_and(char::is_ascii_digit);
    let mut length = 0;
    loop {
        if is_digit(length) {
            length += 1;
        } else if length > 0 && chars.get(length) == Some(&'_') && is_digit(length + 1) {
            length += 2;
        } else {
            return length;
        }
    }
}

fn sign(chars: &[char]) -> usize {
    usize::from(matches!(chars.first(), Some('+' | '-')))
}

fn int(chars: &[char]) -> usize {
    let sign = sign(chars);
    match int_unsigned(&chars[sign..]) {
        0 => 0,
        length => sign + length,
    }
}

fn float(chars: &[char]) -> usize {
    let sign = sign(chars);
    let rest = &chars[sign..];
    let whole = int_unsigned(rest);
    // `1.` | `1.5` | `.5`
    let point = if rest.get(whole) == Some(&'.') {
        let fraction = digits(&rest[whole + 1..]);
        if whole > 0 || fraction > 0 { whole + 1 + fraction } else { 0 }
    } else {
        0
    };
    // Without a point, only an exponent makes it a float.
    let exponent_of = |mantissa: usize| {
        if mantissa == 0 || !matches!(rest.get(mantissa), Some('e' | 'E')) {
            return 0;
        }
        let sign = usize::from(matches!(rest.get(mantissa + 1), Some('+' | '-')));
        match digits(&rest[mantissa + 1 + sign..]) {
            0 => 0,
            length => mantissa + 1 + sign + length,
        }
    };
    // `1.e5` has its exponent after the bare point, even where no digit follows it.
    let bare_point = if whole > 0 && rest.get(whole) == Some(&'.') { whole + 1 } else { 0 };
    let words = word(rest, "inf").max(word(rest, "nan"));
    let best = [point, bare_point, exponent_of(whole), exponent_of(point), exponent_of(bare_point), words];
    match best.into_iter().max() {
        Some(length) if length > 0 => sign + length,
        _ => 0,
    }
}

fn word(chars: &[char], word: &str) -> usize {
    let matches = chars.len() >= word.len() && word.chars().zip(chars).all(|(a, b)| a == b.to_ascii_lowercase());
    if matches { word.len() } else { 0 }
}

fn is_other(ch: char) -> bool {
    "/-\\+.$%*@?|".contains(ch)
}

fn escape(chars: &[char]) -> usize {
    let pairs = chars.chunks_exact(2).take_while(|pair| pair[0] == '\\' && "\\()[]{}:=, \t".contains(pair[1])).count();
    2 * pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<(ValueToken, usize)> {
        value_token(&text.chars().collect::<Vec<_>>(), Grammar::Override)
    }

    #[test]
    fn the_longest_token_wins_and_of_equals_the_first() {
        assert_eq!(first("1_000x"), Some((ValueToken::Int, 5)));
        assert_eq!(first("007"), Some((ValueToken::Int, 1)));
        assert_eq!(first("1.e5"), Some((ValueToken::Float, 4)));
        assert_eq!(first("+.5_0"), Some((ValueToken::Float, 5)));
        assert_eq!(first("-inf"), Some((ValueToken::Float, 4)));
        assert_eq!(first("infinity"), Some((ValueToken::Id, 8)));
        assert_eq!(first("tRuE"), Some((ValueToken::Bool, 4)));
        assert_eq!(first("  , a"), Some((ValueToken::Comma, 4)));
        assert_eq!(first("\\\\\\,x"), Some((ValueToken::Escape, 4)));
        assert_eq!(first("é"), None);
    }
}
