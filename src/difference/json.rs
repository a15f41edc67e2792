//! JSON: the pointer of the first value that differs.

use serde_json::Value;

use super::content::{Content, window};
use super::{Place, Unexplained, broken, shown};

/// Largest document that is parsed. A parsed document takes up to some 40 times its size in memory.
const MAX_BYTES: u64 = 4 << 20;

/// The first value that differs, in the order of the expected document.
pub(super) fn first(expected: &mut dyn Content, got: &mut dyn Content) -> Result<Place, Unexplained> {
    let (expected, got) = (parse(expected)?, parse(got)?);
    let mut pointer = String::new();
    match difference(&expected, &got, &mut pointer) {
        Some((expected, got)) => {
            let json = |value: Option<&Value>| value.map(|value| shown::text(value.to_string().as_bytes()));
            let pointer = shown::text(pointer.as_bytes());
            Ok(Place::Json { pointer, expected: json(expected), got: json(got) })
        }
        None => Err(Unexplained::Equal(
            "every value of the document is equal, only its spelling, the order of keys or a repeated key differs",
        )),
    }
}

fn parse(content: &mut dyn Content) -> Result<Value, Unexplained> {
    if content.size() > MAX_BYTES {
        return Err(broken(format!("the document has {} bytes, expected at most {MAX_BYTES}", content.size())));
    }
    let size = content.size() as usize;
    let bytes = window(content, 0, size)?;
    // Deep nesting is refused by the parser itself.
    serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))
}

type Pair<'a> = (Option<&'a Value>, Option<&'a Value>);

/// Leaves the pointer of what it returns in `pointer`.
fn difference<'a>(expected: &'a Value, got: &'a Value, pointer: &mut String) -> Option<Pair<'a>> {
    let length = pointer.len();
    match (expected, got) {
        (Value::Object(left), Value::Object(right)) => {
            let added = right.keys().filter(|key| !left.contains_key(*key));
            for key in left.keys().chain(added) {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                match (left.get(key), right.get(key)) {
                    (Some(left), Some(right)) => {
                        if let Some(pair) = difference(left, right, pointer) {
                            return Some(pair);
                        }
                    }
                    pair => return Some(pair),
                }
                pointer.truncate(length);
            }
            None
        }
        (Value::Array(left), Value::Array(right)) => {
            for index in 0..left.len().max(right.len()) {
                pointer.push_str(&format!("/{index}"));
                match (left.get(index), right.get(index)) {
                    (Some(left), Some(right)) => {
                        if let Some(pair) = difference(left, right, pointer) {
                            return Some(pair);
                        }
                    }
                    pair => return Some(pair),
                }
                pointer.truncate(length);
            }
            None
        }
        // Zeros of either sign are equal to the parser, and not to us.
        (Value::Number(left), Value::Number(right)) if left.to_string() == right.to_string() => None,
        (left, right) if left == right && !left.is_number() => None,
        _ => Some((Some(expected), Some(got))),
    }
}
