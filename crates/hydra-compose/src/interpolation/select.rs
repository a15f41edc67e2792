//! Dotted key paths: splitting them, and finding the node one names.

/// Splits a path into its keys, as OmegaConf does: `a.b`, `a[b]`, `[a].b`; leading dots give empty keys.
pub(crate) fn split_key(path: &str) -> Vec<String> {
    let chars: Vec<char> = path.chars().collect();
    // Dots, then anything but dots and opening brackets.
    let dots = chars.iter().take_while(|&&ch| ch == '.').count();
    let head = chars[dots..].iter().take_while(|&&ch| ch != '.' && ch != '[').count();
    let mut at = dots + head;
    let mut keys: Vec<String> = vec![String::new(); dots];
    keys.push(chars[dots..at].iter().collect());
    if at < chars.len() && chars[at] == '[' && head == 0 {
        keys.pop();
    }
    while at < chars.len() {
        match chars[at] {
            '.' => {
                let length = chars[at + 1..].iter().take_while(|&&ch| ch != '.' && ch != '[').count();
                keys.push(chars[at + 1..at + 1 + length].iter().collect());
                at += 1 + length;
            }
            '[' => match chars[at + 1..].iter().position(|&ch| ch == ']') {
                Some(length) => {
                    keys.push(chars[at + 1..at + 1 + length].iter().collect());
                    at += length + 2;
                }
                None => at += 1,
            },
            // What follows a closing bracket without a separator belongs to no key.
            _ => at += 1,
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::split_key;

    #[test]
    fn paths_split_at_dots_and_brackets() {
        for (path, keys) in [
            ("a.b", vec!["a", "b"]),
            ("a[b]", vec!["a", "b"]),
            (".a.b[c].d", vec!["", "a", "b", "c", "d"]),
            ("[a].b", vec!["a", "b"]),
            ("..[a]", vec!["", "", "a"]),
            ("a", vec!["a"]),
            ("a[b][0]", vec!["a", "b", "0"]),
        ] {
            assert_eq!(split_key(path), keys, "{path}");
        }
    }
}
