//! Placeholders in the words of a command: `python train.py --config {config} --out {run}`.

/// Puts the values of `placeholders` (name, value) into one word.
///
/// `{name}` stands for the value, anywhere in the word and as often as it comes. `{{name}}` stands for the text `{name}`.
/// Everything else is left alone, other braces among it: `{}`, `{other}`, `{"lr": {"a": 1}}`. A value is not looked
/// into again, so a path with braces in it is safe.
pub fn substitute(word: &str, placeholders: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    'next: while let Some(at) = rest.find('{') {
        let (before, braced) = rest.split_at(at);
        out.push_str(before);
        for (name, value) in placeholders {
            let quoted = braced.strip_prefix("{{").and_then(|after| after.strip_prefix(name)?.strip_prefix("}}"));
            if let Some(after) = quoted {
                out.extend(["{", name, "}"]);
                rest = after;
                continue 'next;
            }
            if let Some(after) = braced.strip_prefix('{').and_then(|after| after.strip_prefix(name)?.strip_prefix('}'))
            {
                out.push_str(value);
                rest = after;
                continue 'next;
            }
        }
        out.push('{');
        rest = &braced[1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(word: &str) -> String {
        substitute(word, &[("config", "/runs/1/config.yaml"), ("run", "/runs/{config}")])
    }

    #[test]
    fn placeholders_are_replaced_wherever_they_are() {
        assert_eq!(put("{config}"), "/runs/1/config.yaml");
        assert_eq!(put("--config={config}"), "--config=/runs/1/config.yaml");
        assert_eq!(put("{config}:{config}"), "/runs/1/config.yaml:/runs/1/config.yaml");
        assert_eq!(put("train.py"), "train.py");
        assert_eq!(put(""), "");
    }

    #[test]
    fn a_value_is_not_looked_into_again() {
        assert_eq!(put("{run}/model.pt"), "/runs/{config}/model.pt");
    }

    #[test]
    fn doubled_braces_stand_for_single_ones_around_a_name() {
        assert_eq!(put("{{config}}"), "{config}");
        assert_eq!(put("a{{run}}{run}"), "a{run}/runs/{config}");
    }

    #[test]
    fn other_braces_are_left_alone() {
        for word in
            ["{", "}", "{}", "{{", "{{}}", "{other}", "{{other}}", "{config", "{ config }", "{config.x}", "ü{é}"]
        {
            assert_eq!(put(word), word);
        }
        assert_eq!(put(r#"{"lr": {"a": "{config}"}}"#), r#"{"lr": {"a": "/runs/1/config.yaml"}}"#);
        assert_eq!(put("{{config}"), "{/runs/1/config.yaml");
    }
}
