//! Which type a plain scalar has: YAML 1.1 as PyYAML resolves it, with OmegaConf's rules on top.
//!
//! Reading: bool words (`yes`, `on`, …; not `y`, `n`), ints with `_`, `0b`, octal `017`, `0x` and base 60, floats
//! by PyYAML's or OmegaConf's pattern (`1e3` counts), null words, the merge key and `=`; no timestamps.
//! Writing: PyYAML's own patterns, timestamps included, without OmegaConf's float rule.

const BOOL: &str = "tag:yaml.org,2002:bool";
const FLOAT: &str = "tag:yaml.org,2002:float";
const INT: &str = "tag:yaml.org,2002:int";
const MERGE: &str = "tag:yaml.org,2002:merge";
const NULL: &str = "tag:yaml.org,2002:null";
const STR: &str = "tag:yaml.org,2002:str";
const TIMESTAMP: &str = "tag:yaml.org,2002:timestamp";
const VALUE: &str = "tag:yaml.org,2002:value";
const YAML: &str = "tag:yaml.org,2002:yaml";

/// The tag of a plain scalar in a file.
pub(super) fn resolve_plain(text: &str) -> &'static str {
    match resolve_common(text) {
        STR if omegaconf_float(text) => FLOAT,
        tag => tag,
    }
}

/// The tag that PyYAML's dumper expects a reader to give a plain scalar.
pub(crate) fn plain_tag_in_output(text: &str) -> &'static str {
    match resolve_common(text) {
        STR if timestamp(text) => TIMESTAMP,
        tag => tag,
    }
}

fn resolve_common(text: &str) -> &'static str {
    // Python's `$` also matches before a last line break.
    let text = text.strip_suffix('\n').unwrap_or(text);
    match text {
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "true" | "True" | "TRUE" | "false" | "False" | "FALSE" | "on"
        | "On" | "ON" | "off" | "Off" | "OFF" => BOOL,
        "" | "~" | "null" | "Null" | "NULL" => NULL,
        "<<" => MERGE,
        "=" => VALUE,
        "!" | "&" | "*" => YAML,
        _ if pyyaml_float(text) => FLOAT,
        _ if int(text) => INT,
        _ => STR,
    }
}

/// A cursor that matches the pieces of the patterns.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> usize {
        let length = self.0.iter().take_while(|&&byte| accept(byte)).count();
        self.0 = &self.0[length..];
        length
    }

    fn eat(&mut self, accept: impl Fn(u8) -> bool) -> bool {
        let found = self.0.first().is_some_and(|&byte| accept(byte));
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn digits(&mut self) -> usize {
        self.take_while(|byte| byte.is_ascii_digit())
    }

    fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn is_infinity(text: &str) -> bool {
    matches!(text, ".inf" | ".Inf" | ".INF")
}

fn is_nan(text: &str) -> bool {
    matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// `(?:[eE][-+][0-9]+)?$`, the sign optional where OmegaConf allows it.
fn optional_exponent(cursor: &mut Cursor<'_>, sign_is_optional: bool) -> bool {
    if cursor.is_done() {
        return true;
    }
    cursor.eat(|byte| byte == b'e' || byte == b'E')
        && (cursor.eat(|byte| byte == b'-' || byte == b'+') || sign_is_optional)
        && cursor.digits() > 0
        && cursor.is_done()
}

/// `(?::[0-5]?[0-9])+`, then the fraction of a base-60 float if asked for.
fn base_60(cursor: &mut Cursor<'_>, fraction: bool) -> bool {
    let mut groups = 0;
    while cursor.eat(|byte| byte == b':') {
        let group = cursor.digits();
        // Two digits need the first to be below 6; the digits are contiguous, so longer runs cannot match.
        if group == 0 || group > 2 {
            return false;
        }
        groups += 1;
    }
    if groups == 0 {
        return false;
    }
    if fraction {
        if !cursor.eat(|byte| byte == b'.') {
            return false;
        }
        cursor.take_while(|byte| byte.is_ascii_digit() || byte == b'_');
    }
    cursor.is_done()
}

/// Two-digit groups of a base-60 number must be below 60.
fn base_60_groups_fit(text: &str) -> bool {
    text.split(':').skip(1).all(|group| {
        let digits: &str = group.split('.').next().unwrap_or(group);
        digits.len() < 2 || digits.as_bytes()[0] < b'6'
    })
}

fn pyyaml_float(text: &str) -> bool {
    if is_infinity(unsigned(text)) || is_nan(text) {
        return true;
    }
    let mut cursor = Cursor(unsigned(text).as_bytes());
    if cursor.eat(|byte| byte.is_ascii_digit()) {
        cursor.take_while(|byte| byte.is_ascii_digit() || byte == b'_');
        if cursor.eat(|byte| byte == b'.') {
            cursor.take_while(|byte| byte.is_ascii_digit() || byte == b'_');
            return optional_exponent(&mut cursor, false);
        }
        return base_60(&mut cursor, true) && base_60_groups_fit(text);
    }
    let mut cursor = Cursor(text.as_bytes());
    cursor.eat(|byte| byte == b'.') && cursor.eat(|byte| byte.is_ascii_digit()) && {
        cursor.take_while(|byte| byte.is_ascii_digit() || byte == b'_');
        optional_exponent(&mut cursor, false)
    }
}

fn omegaconf_float(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    // [0-9]+(?:_[0-9]+)*
    let grouped = |cursor: &mut Cursor<'_>| {
        if cursor.digits() == 0 {
            return false;
        }
        while cursor.0.first() == Some(&b'_') && cursor.0.get(1).is_some_and(u8::is_ascii_digit) {
            cursor.0 = &cursor.0[1..];
            cursor.digits();
        }
        true
    };
    let mut cursor = Cursor(unsigned(text).as_bytes());
    if grouped(&mut cursor) {
        if cursor.eat(|byte| byte == b'.') {
            cursor.take_while(|byte| byte.is_ascii_digit() || byte == b'_');
            return optional_exponent(&mut cursor, true);
        }
        if matches!(cursor.0.first(), Some(b'e' | b'E')) {
            return optional_exponent(&mut cursor, true);
        }
        return base_60(&mut cursor, true) && base_60_groups_fit(text);
    }
    let mut cursor = Cursor(text.as_bytes());
    cursor.eat(|byte| byte == b'.') && grouped(&mut cursor) && optional_exponent(&mut cursor, false)
}

fn int(text: &str) -> bool {
    let text = unsigned(text);
    let all = |digits: &str, accept: fn(u8) -> bool| {
        !digits.is_empty() && digits.bytes().all(|byte| accept(byte) || byte == b'_')
    };
    if text == "0" {
        return true;
    }
    if let Some(digits) = text.strip_prefix("0b") {
        return all(digits, |byte| byte == b'0' || byte == b'1');
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return all(digits, |byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix('0') {
        return all(digits, |byte| (b'0'..=b'7').contains(&byte));
    }
    let mut cursor = Cursor(text.as_bytes());
    if !cursor.eat(|byte| (b'1'..=b'9').contains(&byte)) {
        return false;
    }
    cursor.take_while(|byte| byte.is_ascii_digit() || byte == b'_');
    cursor.is_done() || (base_60(&mut cursor, false) && base_60_groups_fit(text))
}

/// `2001-12-14`, or a date and a time.
fn timestamp(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut cursor = Cursor(text.as_bytes());
    let exactly = |cursor: &mut Cursor<'_>, range: std::ops::RangeInclusive<usize>| {
        let length = cursor.0.iter().take(*range.end()).take_while(|byte| byte.is_ascii_digit()).count();
        cursor.0 = &cursor.0[length..];
        range.contains(&length)
    };
    let dash = |cursor: &mut Cursor<'_>| cursor.eat(|byte| byte == b'-');
    let colon = |cursor: &mut Cursor<'_>| cursor.eat(|byte| byte == b':');
    if !(exactly(&mut cursor, 4..=4) && dash(&mut cursor)) {
        return false;
    }
    let date = cursor.0;
    if date.len() == 5 && date[2] == b'-' && [0, 1, 3, 4].iter().all(|&index| date[index].is_ascii_digit()) {
        return true;
    }
    if !(exactly(&mut cursor, 1..=2) && dash(&mut cursor) && exactly(&mut cursor, 1..=2)) {
        return false;
    }
    let separated =
        cursor.eat(|byte| byte == b'T' || byte == b't') || cursor.take_while(|byte| byte == b' ' || byte == b'\t') > 0;
    let clock = separated
        && exactly(&mut cursor, 1..=2)
        && colon(&mut cursor)
        && exactly(&mut cursor, 2..=2)
        && colon(&mut cursor)
        && exactly(&mut cursor, 2..=2);
    if !clock {
        return false;
    }
    if cursor.eat(|byte| byte == b'.') {
        cursor.digits();
    }
    if cursor.is_done() {
        return true;
    }
    cursor.take_while(|byte| byte == b' ' || byte == b'\t');
    if cursor.eat(|byte| byte == b'Z') {
        return cursor.is_done();
    }
    cursor.eat(|byte| byte == b'-' || byte == b'+')
        && exactly(&mut cursor, 1..=2)
        && (cursor.is_done() || (colon(&mut cursor) && exactly(&mut cursor, 2..=2) && cursor.is_done()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_of_yaml_1_1_with_the_float_rule() {
        for (tag, texts) in [
            (BOOL, &["on", "Yes", "FALSE"][..]),
            (STR, &["y", "N", "08", "0o17", "-.5", "1_e3", "nan", "2001-12-14", "190:60:30", "0x", "1__0e3"]),
            (INT, &["017", "0b11", "1__0", "-0x_f", "12:30", "190:20:30", "0_"]),
            (FLOAT, &["1e3", ".5", "1.", "1_0.5", "12:30.5", ".5e+3", "+.inf", ".NaN", "08.5", "1_0e3"]),
            (NULL, &["", "~", "Null"]),
            (MERGE, &["<<"]),
            (VALUE, &["="]),
        ] {
            for text in texts {
                assert_eq!(resolve_plain(text), tag, "{text}");
            }
        }
    }

    #[test]
    fn output_also_avoids_what_looks_like_a_date() {
        for text in ["2001-12-14", "2001-1-1 1:02:03", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43Z"] {
            assert_eq!(plain_tag_in_output(text), TIMESTAMP, "{text}");
        }
        assert_eq!(plain_tag_in_output("2001-1-1"), STR);
        assert_eq!(plain_tag_in_output("1e3"), STR);
    }
}
