//! A stranger's text, made safe to print: cut, on one line, without anything that a terminal obeys or an eye overlooks.

/// Most characters that are shown of one value.
pub(super) const MAX_SHOWN: usize = 120;

/// Most characters of a note: a name, and what is said about it.
const MAX_NOTE: usize = 400;

/// The text of `bytes`, escaped as Rust escapes a string (quotes left alone), cut to [`MAX_SHOWN`] characters.
pub(super) fn text(bytes: &[u8]) -> String {
    cut(bytes, MAX_SHOWN)
}

/// A message that may quote a stranger's text.
pub(super) fn note(message: &str) -> String {
    cut(message.as_bytes(), MAX_NOTE)
}

fn cut(bytes: &[u8], limit: usize) -> String {
    // What is cut anyway need not be decoded: four bytes a character at most.
    let head = &bytes[..bytes.len().min(4 * limit + 4)];
    let decoded = String::from_utf8_lossy(head);
    let mut out = String::new();
    for (count, character) in decoded.chars().enumerate() {
        if count == limit {
            out.push('…');
            return out;
        }
        match character {
            '"' | '\'' | '\\' => out.push(character),
            // Control, format (bidirectional overrides, zero width) and unassigned characters are escaped by this.
            _ => out.extend(character.escape_debug()),
        }
    }
    out
}
