//! What differs between two configs, key by key.

use indexmap::{IndexMap, IndexSet};

use super::composed::Config;
use super::digest::digest_of;
use super::origin::Origin;
use super::value::Value;

/// A key that the two configs do not agree on.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The key, as in `trainer.precision` or `data.files[0]`.
    pub path: String,
    /// Its value in the first config and what set it; `None` where the key is not there.
    pub first: Option<(Value, Option<Origin>)>,
    /// The same of the second.
    pub second: Option<(Value, Option<Origin>)>,
}

/// How two configs differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Differences {
    /// The keys with other values, in the order of the first config; those that only the second has come last.
    pub keys: Vec<Difference>,
    /// Whether the keys that both have stand in another order, which changes the digest, too.
    pub order: bool,
}

impl Differences {
    /// Compares the values of two configs, which are theirs, unresolved or resolved.
    pub fn between(first: (&Config, &Value), second: (&Config, &Value)) -> Self {
        let (leaves, others) = (leaves(first.1), leaves(second.1));
        let paths: IndexSet<&String> = leaves.keys().chain(others.keys()).collect();
        let side = |config: &Config, leaves: &IndexMap<String, &Value>, path: &String| {
            let value = (*leaves.get(path)?).clone();
            Some((value, config.origin(path).map(|origin| origin.origin.clone())))
        };
        let differs = |path: &&String| match (leaves.get(*path), others.get(*path)) {
            // By digest: nan is itself, and 1 is not 1.0.
            (Some(a), Some(b)) => digest_of(a) != digest_of(b),
            _ => true,
        };
        let keys: Vec<Difference> = paths
            .into_iter()
            .filter(differs)
            .map(|path| Difference {
                path: path.clone(),
                first: side(first.0, &leaves, path),
                second: side(second.0, &others, path),
            })
            .collect();
        let common = |a: &IndexMap<String, &Value>, b: &IndexMap<String, &Value>| -> Vec<String> {
            a.keys().filter(|path| b.contains_key(*path)).cloned().collect()
        };
        Self { keys, order: common(&leaves, &others) != common(&others, &leaves) }
    }

    /// Whether the configs are equal, the order of their keys included.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.order
    }
}

/// Everything that is no container, and the containers that hold nothing, by path.
fn leaves(value: &Value) -> IndexMap<String, &Value> {
    fn walk<'v>(value: &'v Value, path: String, leaves: &mut IndexMap<String, &'v Value>) {
        match value {
            Value::Map(map) if !map.is_empty() => {
                for (key, child) in map {
                    walk(child, if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }, leaves);
                }
            }
            Value::List(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, format!("{path}[{index}]"), leaves);
                }
            }
            leaf => {
                leaves.insert(path, leaf);
            }
        }
    }
    let mut found = IndexMap::new();
    walk(value, String::new(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Composer, SearchPath};

    fn config(text: &str) -> Config {
        let files = [("c.yaml".to_owned(), text.to_owned())].into();
        Composer::new(SearchPath::new().memory("main", files)).compose::<&str>("c", &[]).expect("a legal config")
    }

    fn between(a: &str, b: &str) -> Differences {
        let (a, b) = (config(a), config(b));
        Differences::between((&a, a.value()), (&b, b.value()))
    }

    fn shown(side: Option<&(Value, Option<Origin>)>) -> String {
        let Some((value, origin)) = side else { return "absent".into() };
        format!("{value} {}", origin.as_ref().map(ToString::to_string).unwrap_or_default())
    }

    #[test]
    fn keys_differ_by_value_by_type_and_by_being_there() {
        let found = between("a: 1\nb: {c: x, d: [1, 2]}\ne: {}\n", "a: 1.0\nb: {c: x, d: [1, 3, 4]}\nf: .nan\n");
        let lines: Vec<String> = found
            .keys
            .iter()
            .map(|d| format!("{}: {} | {}", d.path, shown(d.first.as_ref()), shown(d.second.as_ref())))
            .collect();
        assert_eq!(
            lines,
            [
                "a: 1 c.yaml:1:1 | 1.0 c.yaml:1:1",
                "b.d[1]: 2 c.yaml:2:18 | 3 c.yaml:2:18",
                "e: {} c.yaml:3:1 | absent",
                "b.d[2]: absent | 4 c.yaml:2:21",
                "f: absent | nan c.yaml:3:1",
            ]
        );
    }

    #[test]
    fn equal_configs_do_not_differ_and_another_order_does() {
        assert!(between("a: .nan\nb: 2\n", "a: .nan\nb: 2\n").is_empty());
        let order = between("a: 1\nb: 2\n", "b: 2\na: 1\n");
        assert!(order.keys.is_empty() && order.order && !order.is_empty());
    }
}
