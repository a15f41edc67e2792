//! A stranger's text, made safe to print: cut, on one line, without anything that a terminal obeys or an eye overlooks.

/// Most characters that are shown of one value.
pub(super) const MAX_SHOWN: usize = 120;

/// The text of `bytes`, escaped as Rust escapes a string (quotes left alone), cut to [`MAX_SHOWN`] characters.
pub(super) fn text(bytes: &[u8]) -> String {
    // What is cut anyway need not be decoded: four bytes a character at most.
    let (head, is_cut) = match bytes.len() > 4 * MAX_SHOWN {
        true => (&bytes[..4 * MAX_SHOWN], true),
        false => (bytes, false),
    };
    let decoded = String::from_utf8_lossy(head);
    let mut out = String::new();
    for (count, character) in decoded.chars().enumerate() {
        if count == MAX_SHOWN {
            out.push('…');
            return out;
        }
        match character {
            '"' | '\'' | '\\' => out.push(character),
            // Control, format (bidirectional overrides, zero width) and unassigned characters are escaped by this.
            _ => out.extend(character.escape_debug()),
        }
    }
    if is_cut {
        out.push('…');
    }
    out
}
