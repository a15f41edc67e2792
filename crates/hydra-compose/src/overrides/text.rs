//! Elements back to text, as Hydra's sweeper writes them into the overrides of its jobs.

use super::{Element, Quoted};
use crate::python;
use crate::value::Value;

/// The element as it would be typed; `None` for sweeps, which have no text.
pub(crate) fn element_text(element: &Element) -> Option<String> {
    Some(match element {
        Element::Scalar(value) => scalar_text(value),
        Element::Quoted(quoted) => quoted_text(quoted),
        Element::List(items) => format!("[{}]", joined(items)?),
        Element::Extend(items) => format!("extend_list({})", joined(items)?),
        Element::Dict(entries) => {
            let entry =
                |(key, value): &(Value, Element)| Some(format!("{}:{}", scalar_text(key), element_text(value)?));
            let entries: Option<Vec<String>> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries?.join(","))
        }
        Element::Sweep(_) | Element::Glob(_) => return None,
    })
}

fn joined(items: &[Element]) -> Option<String> {
    let items: Option<Vec<String>> = items.iter().map(element_text).collect();
    Some(items?.join(","))
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Str(text) => escaped(text),
        other => python::str(other),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        if "\\()[]{}:=, \t".contains(ch) {
            out.push('\\');
        }
        out.push(ch);
    }
    out
}

/// The text in its quotes; backslashes before a quote, or at the end, are doubled.
fn quoted_text(quoted: &Quoted) -> String {
    let mut out = String::from(quoted.quote);
    let mut backslashes = 0;
    for ch in quoted.text.chars() {
        if ch == '\\' {
            backslashes += 1;
            continue;
        }
        let doubled = if ch == quoted.quote { 2 * backslashes + 1 } else { backslashes };
        out.extend(std::iter::repeat_n('\\', doubled));
        backslashes = 0;
        out.push(ch);
    }
    out.extend(std::iter::repeat_n('\\', 2 * backslashes));
    out.push(quoted.quote);
    out
}
