//! YAML: what loads is written as YAML that loads as the same value, and is written the same again.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use hydra_compose::{Value, load_yaml, to_yaml};

fuzz_target!(|text: &str| -> Corpus {
    // Texts that load are worth more than the many ways not to.
    let Ok(value) = load_yaml(text) else { return Corpus::Keep };
    if holds_next_line(&value) {
        return Corpus::Reject;
    }
    let written = to_yaml(&value);
    let again = load_yaml(&written).unwrap_or_else(|error| panic!("{error}: {value:?} was written as {written:?}"));
    assert_eq!(again, value, "written as {written:?}");
    assert_eq!(to_yaml(&again), written);
    Corpus::Keep
});

/// U+0085, which PyYAML writes as a line break and reads back as a space; bytes are to be PyYAML's.
fn holds_next_line(value: &Value) -> bool {
    match value {
        Value::Str(text) => text.contains('\u{85}'),
        Value::List(items) => items.iter().any(holds_next_line),
        Value::Map(map) => map.iter().any(|(key, value)| holds_next_line(&key.to_value()) || holds_next_line(value)),
        _ => false,
    }
}
