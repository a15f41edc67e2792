//! Text that others wrote, made fit to be shown.

use std::borrow::Cow;

/// Text on one line and as it is: what does not print is escaped.
///
/// A run's id may hold escape sequences that repaint a terminal, line ends that fake a line of the report, characters
/// that no XML may hold, marks that make text run backwards, and characters that nobody sees.
pub fn shown(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_shown) {
        return text.into();
    }
    let mut escaped = String::new();
    for c in text.chars() {
        match is_shown(c) {
            true => escaped.push(c),
            false => escaped.extend(c.escape_default()),
        }
    }
    escaped.into()
}

/// JSON whose strings hold nothing that does not print, and mean the same.
pub fn shown_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        // Outside of its strings JSON is ASCII, and its line ends are the document's own.
        match c.is_ascii() && c != '\u{7f}' || is_shown(c) {
            true => escaped.push(c),
            false => escaped.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
    }
    escaped
}

/// Whether a character prints as itself: by Unicode's categories, no control, format, private, unassigned or separating
/// character but the space, and no mark that changes the character before it.
fn is_shown(c: char) -> bool {
    // Printable, but for `escape_debug` also the delimiters of a literal.
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1 && !is_invisible(c)
}

/// Letters and marks by their category that show nothing all the same.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_prints_is_shown_as_it_is() {
        for text in ["run \"a\" it's C:\\x", "né 日本 Ж ß 👍", "a b"] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn what_repaints_reverses_or_hides_is_escaped() {
        for hostile in [
            '\u{1b}',
            '\n',
            '\r',
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{feff}',
            '\u{fe0f}',
            '\u{fff9}',
            '\u{fffe}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{3164}',
            '\u{2800}',
            '\u{a0}',
            '\u{3000}',
            '\u{301}',
            '\u{e000}',
        ] {
            let text = format!("a{hostile}b");
            let got = shown(&text);
            assert!(got.is_ascii() && got.starts_with("a\\") && got.ends_with('b'), "{hostile:?}: {got}");
            let json = serde_json::to_string(&text).expect("JSON");
            let escaped = shown_json(&json);
            assert!(escaped.chars().all(|c| c == '\n' || !c.is_control() && c.is_ascii()), "{escaped:?}");
            assert_eq!(serde_json::from_str::<String>(&escaped).expect("JSON"), text);
        }
    }
}
