//! Python's spelling of values: `repr`, `str`, `int(text)`, `float(text)` and `==`.
//!
//! Hydra's behaviour shows Python's spelling in many places (embedded interpolations, sweeps, YAML floats), so it
//! is written down once here, after CPython 3.11. It is not a general Python emulation: only what configuration
//! values need.

use num_bigint::BigInt;

use super::value::{Key, Map, Value};

/// `repr` of a float: the shortest digits that read back, `1e-07`, `1.0`, `1e+16`, `inf`, `nan`.
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let scientific = shortest(value);
    let (mantissa, exponent) = scientific.split_once('e').expect("{:e} writes an exponent");
    let exponent: i32 = exponent.parse().expect("{:e} writes a decimal exponent");
    if (-4..16).contains(&exponent) {
        fixed(mantissa, exponent)
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
    }
}

/// The shortest digits that read back, in scientific form.
///
/// Of two that are equally near, Python takes the even one, Rust the larger one.
fn shortest(value: f64) -> String {
    let rust = format!("{value:e}");
    let digits = rust.split_once('e').map_or(0, |(mantissa, _)| mantissa.bytes().filter(u8::is_ascii_digit).count());
    // A float halfway between two such numbers ends one digit later.
    let exact = format!("{value:.40e}");
    let (mantissa, exponent) = exact.split_once('e').expect("{:e} writes an exponent");
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let (kept, rest) = all.split_at(digits);
    let is_tie = rest.starts_with('5') && rest[1..].bytes().all(|byte| byte == b'0');
    let is_even = kept.bytes().last().is_some_and(|digit| digit % 2 == 0);
    if !(is_tie && is_even) {
        return rust;
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let (first, others) = kept.split_at(1);
    let point = if others.is_empty() { "" } else { "." };
    let candidate = format!("{sign}{first}{point}{others}e{exponent}");
    if candidate.parse() == Ok(value) { candidate } else { rust }
}

/// Scientific digits with the point in its place.
fn fixed(mantissa: &str, exponent: i32) -> String {
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    match usize::try_from(exponent) {
        Err(_) => format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        Ok(exponent) if digits.len() <= exponent + 1 => {
            format!("{sign}{digits}{}.0", "0".repeat(exponent + 1 - digits.len()))
        }
        Ok(exponent) => format!("{sign}{}.{}", &digits[..=exponent], &digits[exponent + 1..]),
    }
}

/// `str(value)`.
pub fn str(value: &Value) -> String {
    match value {
        Value::Str(text) => text.clone(),
        other => repr(other),
    }
}

/// `repr(value)`.
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(value, &mut out);
    out
}

fn write_repr(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(flag) => out.push_str(if *flag { "True" } else { "False" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::BigInt(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&float_repr(*number)),
        Value::Str(text) => out.push_str(&str_repr(text)),
        Value::Bytes(bytes) => out.push_str(&bytes_repr(bytes)),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => write_map_repr(map, out),
    }
}

fn write_map_repr(map: &Map, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_repr(&key.to_value(), out);
        out.push_str(": ");
        write_repr(value, out);
    }
    out.push('}');
}

fn quote_for(has_single: bool, has_double: bool) -> char {
    if has_single && !has_double { '"' } else { '\'' }
}

fn str_repr(text: &str) -> String {
    let quote = quote_for(text.contains('\''), text.contains('"'));
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for ch in text.chars() {
        match ch {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if ch == quote => out.extend(['\\', ch]),
            _ if is_printable(ch) => out.push(ch),
            _ if u32::from(ch) <= 0xff => out.push_str(&format!("\\x{:02x}", u32::from(ch))),
            _ if u32::from(ch) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(ch))),
            _ => out.push_str(&format!("\\U{:08x}", u32::from(ch))),
        }
    }
    out.push(quote);
    out
}

fn bytes_repr(bytes: &[u8]) -> String {
    let quote = quote_for(bytes.contains(&b'\''), bytes.contains(&b'"'));
    let mut out = format!("b{quote}");
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ if char::from(byte) == quote => out.extend(['\\', quote]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
    out
}

/// `str.isprintable` for one character: not a control, format, separator, private or surrogate one.
///
/// Unassigned code points count as printable here; CPython escapes them.
fn is_printable(ch: char) -> bool {
    !matches!(u32::from(ch),
        0x00..=0x1f | 0x7f..=0xa0 | 0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x890 | 0x891 | 0x8e2 | 0x1680
        | 0x180e | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x3000 | 0xe000..=0xf8ff | 0xfeff
        | 0xfff9..=0xfffb | 0xfffe | 0xffff | 0x110bd | 0x110cd | 0x1d173..=0x1d17a | 0xe0001..=0xe007f
        | 0xf0000..=0x10ffff)
}

/// The first characters of the runs of ten decimal digits (category `Nd`) of Unicode 14 beyond ASCII.
const DIGIT_RUNS: [u32; 64] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0,
    0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0,
    0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950,
];

/// The value of a decimal digit in any script, as Python's `int` reads it.
fn digit_value(ch: char) -> Option<char> {
    if ch.is_ascii() {
        return ch.is_ascii_digit().then_some(ch);
    }
    let code = u32::from(ch);
    let run = match code {
        0x1fbf0..=0x1fbf9 => 0x1fbf0,
        _ => *DIGIT_RUNS.iter().find(|&&start| (start..start + 10).contains(&code))?,
    };
    char::from_digit(code - run, 10)
}

/// The text as `int` and `float` see it: digits of all scripts as ASCII, white space stripped from the ends.
fn to_ascii_digits(text: &str) -> String {
    let mapped: String = text.chars().map(|ch| digit_value(ch).unwrap_or(ch)).collect();
    let is_space = |ch: char| ch.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&ch);
    mapped.trim_matches(is_space).to_owned()
}

/// Removes the underscores between digits; `None` when one stands elsewhere.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit_at = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    for (index, &byte) in bytes.iter().enumerate() {
        if byte == b'_' && !(index > 0 && digit_at(index - 1) && digit_at(index + 1)) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

/// `int(text)`; `None` where Python raises.
pub fn parse_int(text: &str) -> Option<Value> {
    let text = without_underscores(&to_ascii_digits(text))?;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    // CPython refuses longer ones too, so that a config cannot burn time in a quadratic conversion.
    if digits.is_empty() || digits.len() > 4300 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(match text.parse::<i64>() {
        Ok(number) => Value::Int(number),
        Err(_) => Value::from_bigint(text.parse::<BigInt>().ok()?),
    })
}

/// `float(text)`; `None` where Python raises.
pub fn parse_float(text: &str) -> Option<f64> {
    let text = without_underscores(&to_ascii_digits(text))?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    // Rust also reads words that Python does not; only digits, a point and an exponent are left to it.
    if !unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) {
        return None;
    }
    unsigned.starts_with(|ch: char| ch.is_ascii_digit() || ch == '.').then(|| text.parse().ok())?
}

/// Python's `==`: `1 == 1.0 == True`, maps regardless of order, NaN unequal to itself.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::BigInt(a), Value::BigInt(b)) => a == b,
        _ => match (Key::from_value(a.clone()), Key::from_value(b.clone())) {
            (Some(a), Some(b)) => a == b,
            _ => matches!((a, b), (Value::Null, Value::Null)),
        },
    }
}

/// Whether the value counts as true: `bool(value)`.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Int(number) => *number != 0,
        Value::BigInt(_) => true,
        Value::Float(number) => *number != 0.0,
        Value::Str(text) => !text.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (value, text) in [
            (1e-7, "1e-07"),
            (1e16, "1e+16"),
            (1.5e16, "1.5e+16"),
            (123456789012345.0, "123456789012345.0"),
            (0.0001, "0.0001"),
            (-0.0, "-0.0"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float_repr(value), text);
        }
    }

    #[test]
    fn texts_become_numbers_exactly_where_python_agrees() {
        assert_eq!(parse_int(" 1_000 "), Some(Value::Int(1000)));
        assert_eq!(parse_int("٣"), Some(Value::Int(3)));
        for text in ["", "1__0", "_1", "1_", "0x1F", "1.0", "+"] {
            assert_eq!(parse_int(text), None, "{text}");
        }
        assert_eq!(parse_float("1_0.5e-1"), Some(1.05));
        assert_eq!(parse_float("-Infinity"), Some(f64::NEG_INFINITY));
        for text in ["", ".", "1e", "infin", "1 2", "0x10", "1._5"] {
            assert_eq!(parse_float(text), None, "{text}");
        }
    }

    #[test]
    fn equality_crosses_number_types_but_not_texts() {
        assert!(equal(&Value::Int(1), &Value::Float(1.0)));
        assert!(equal(&Value::Bool(true), &Value::Int(1)));
        assert!(!equal(&Value::Str("1".into()), &Value::Int(1)));
        assert!(!equal(&Value::Float(f64::NAN), &Value::Float(f64::NAN)));
    }
}
