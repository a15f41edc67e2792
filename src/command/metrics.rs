//! What a command says that it reached: `metrics.json` or `metrics.csv`.
//!
//! JSON is an object from names to numbers; objects within it are joined with `/`: `{"val": {"loss": 0.5}}` is `val/loss`.
//! CSV is either a log as our own engine writes it, `step,epoch,name,value`, of which the last value of each name counts, or
//! a table with a header, of which the last value of each column counts, unless that is no number. An empty field is no
//! value, as loggers leave fields empty in rows that others fill.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::difference::Rows;
use crate::failure::Advice;
use crate::foreign::{self, ForeignError};

/// Largest `metrics.json`.
const MAX_JSON_BYTES: u64 = 1 << 20;

/// Largest `metrics.csv`.
const MAX_CSV_BYTES: u64 = 256 << 20;

/// Most metrics of a run.
const MAX_METRICS: usize = 10_000;

/// Longest name in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Metrics that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The file cannot be read.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// The file is not what its name says.
    #[error("{path}: {message}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Something that no record can hold.
    #[error("{path}: metric {name:?}: expected {expected}, got {got}", path = path.display())]
    Metric {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
        /// What would do.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// More than a record holds.
    #[error("{path}: expected at most {MAX_METRICS} metrics", path = path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
    },
}

impl Advice for MetricsError {
    fn hint(&self) -> Option<String> {
        Some("write finite numbers under names, or name other files in command.metrics".into())
    }
}

/// The metrics of the files `names` below the run directory, those that are there. A metric that two of them name is taken
/// from the first.
///
/// # Errors
/// [`MetricsError`].
pub fn read(run_directory: &Path, names: &[String]) -> Result<BTreeMap<String, f64>, MetricsError> {
    let mut metrics = BTreeMap::new();
    for name in names {
        let file = match foreign::open(run_directory, name) {
            Err(error) if error.is_missing() => continue,
            file => file?,
        };
        let path = file.path().to_owned();
        let found = match name.ends_with(".csv") {
            true => of_csv(&file.read(MAX_CSV_BYTES)?),
            false => of_json(&file.read(MAX_JSON_BYTES)?),
        };
        let found = found.map_err(|fault| fault.of(&path))?;
        for (name, value) in found {
            metrics.entry(name).or_insert(value);
        }
        if metrics.len() > MAX_METRICS {
            return Err(MetricsError::TooMany { path });
        }
    }
    Ok(metrics)
}

/// What is wrong, without the file.
#[derive(Debug)]
enum Fault {
    Syntax(String),
    Metric { name: String, expected: &'static str, got: String },
    TooMany,
}

impl Fault {
    fn of(self, path: &Path) -> MetricsError {
        let path = path.to_owned();
        match self {
            Self::Syntax(message) => MetricsError::Syntax { path, message },
            Self::Metric { name, expected, got } => MetricsError::Metric { path, name, expected, got },
            Self::TooMany => MetricsError::TooMany { path },
        }
    }
}

fn add(metrics: &mut BTreeMap<String, f64>, name: &str, value: f64) -> Result<(), Fault> {
    let refuse = |expected, got: String| {
        let name = name.chars().take(MAX_NAME_BYTES).collect();
        Err(Fault::Metric { name, expected, got })
    };
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return refuse("a name of 1 to 256 bytes without control characters", format!("{} bytes", name.len()));
    }
    if !value.is_finite() {
        return refuse("a finite number", value.to_string());
    }
    metrics.insert(name.to_owned(), value);
    match metrics.len() > MAX_METRICS {
        true => Err(Fault::TooMany),
        false => Ok(()),
    }
}

fn of_json(bytes: &[u8]) -> Result<BTreeMap<String, f64>, Fault> {
    let Tree::Object(entries) = serde_json::from_slice(bytes).map_err(|error| json_fault(bytes, &error))? else {
        return Err(Fault::Syntax("expected an object from names to numbers".to_owned()));
    };
    let mut metrics = BTreeMap::new();
    flatten("", entries, &mut metrics)?;
    Ok(metrics)
}

/// What Python writes for what is no number is no JSON, and the parser's words for it do not help.
fn json_fault(bytes: &[u8], error: &serde_json::Error) -> Fault {
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let before = line.get(..error.column().min(line.len())).unwrap_or_default();
    let start = before.iter().rposition(|byte| b":,[ ".contains(byte)).map_or(0, |at| at + 1);
    let token = line.get(start..).unwrap_or_default();
    for name in ["NaN", "Infinity", "-Infinity"] {
        if error.is_syntax() && token.starts_with(name.as_bytes()) {
            return Fault::Syntax(format!("expected finite numbers, got {name} in line {}", error.line()));
        }
    }
    Fault::Syntax(error.to_string())
}

fn flatten(prefix: &str, entries: Vec<(String, Tree)>, metrics: &mut BTreeMap<String, f64>) -> Result<(), Fault> {
    for (key, value) in entries {
        let name = format!("{prefix}{key}");
        if name.len() > MAX_NAME_BYTES {
            return add(metrics, &name, 0.0);
        }
        let got = match value {
            Tree::Number(_) if metrics.contains_key(&name) => {
                return Err(Fault::Metric { name, expected: "one value", got: "two".to_owned() });
            }
            Tree::Number(value) => {
                add(metrics, &name, value)?;
                continue;
            }
            Tree::Object(entries) => {
                flatten(&format!("{name}/"), entries, metrics)?;
                continue;
            }
            Tree::Other(got) => got,
        };
        return Err(Fault::Metric { name, expected: "a number", got: got.to_owned() });
    }
    Ok(())
}

/// What is read of a document. Repeated keys are kept, to be refused; the parser bounds the depth.
enum Tree {
    Number(f64),
    Object(Vec<(String, Tree)>),
    Other(&'static str),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or an object of numbers")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Number(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Number(value as f64))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Number(value as f64))
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Other("a boolean"))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
                Ok(Tree::Other("null"))
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Other("text"))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree, A::Error> {
                while sequence.next_element::<de::IgnoredAny>()?.is_some() {}
                Ok(Tree::Other("a list"))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Tree::Object(entries))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

fn of_csv(bytes: &[u8]) -> Result<BTreeMap<String, f64>, Fault> {
    let mut rows = Rows::new(Box::new(bytes), b',');
    let mut metrics = BTreeMap::new();
    if !rows.next().map_err(|error| Fault::Syntax(error.to_string()))? {
        return Err(Fault::Syntax("expected a header, got an empty file".to_owned()));
    }
    let text = |field: &[u8]| {
        let text = std::str::from_utf8(field).map_err(|_| Fault::Syntax("expected UTF-8, got other bytes".to_owned()));
        text.map(|text| text.trim().to_owned())
    };
    let header: Vec<_> = rows.fields().map(text).collect::<Result<_, _>>()?;
    let is_log = header == ["step", "epoch", "name", "value"];
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    let mut row = 1;
    while rows.next().map_err(|error| Fault::Syntax(error.to_string()))? {
        row += 1;
        let fields: Vec<_> = rows.fields().map(text).collect::<Result<_, _>>()?;
        if fields.len() != header.len() {
            let message =
                format!("row {row}: expected {} fields, as in the first row, got {}", header.len(), fields.len());
            return Err(Fault::Syntax(message));
        }
        if is_log {
            let [_, _, name, value] = &fields[..] else { continue };
            let value = value.parse().map_err(|_| Fault::Metric {
                name: name.chars().take(MAX_NAME_BYTES).collect(),
                expected: "a number",
                got: format!("{:?}", value.chars().take(MAX_NAME_BYTES).collect::<String>()),
            })?;
            add(&mut metrics, name, value)?;
            continue;
        }
        for (name, value) in header.iter().zip(fields) {
            if !value.is_empty() && !name.is_empty() {
                last.insert(name.clone(), value);
            }
        }
    }
    for (name, value) in last {
        if let Ok(value) = value.parse() {
            add(&mut metrics, &name, value)?;
        }
    }
    Ok(metrics)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_file(name: &str, bytes: &[u8]) -> Result<BTreeMap<String, f64>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(name), bytes).expect("a file");
        let found = read(folder.path(), &["none.json".to_owned(), name.to_owned()]);
        found.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    fn metrics(name: &str, text: &str) -> Vec<(String, f64)> {
        read_file(name, text.as_bytes()).expect("readable").into_iter().collect()
    }

    fn refused(name: &str, text: &str) -> String {
        read_file(name, text.as_bytes()).expect_err("refused")
    }

    fn pairs(pairs: &[(&str, f64)]) -> Vec<(String, f64)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn nested_objects_are_joined() {
        assert_eq!(
            metrics("metrics.json", r#"{"val": {"loss": 0.5, "top": {"1": 3}}, "n": -2}"#),
            pairs(&[("n", -2.0), ("val/loss", 0.5), ("val/top/1", 3.0)])
        );
        assert_eq!(metrics("metrics.json", "{}"), []);
    }

    #[test]
    fn what_is_no_finite_number_is_refused_clearly() {
        assert_eq!(
            refused("metrics.json", "{\"a\": 1,\n \"b\": NaN}"),
            "metrics.json: expected finite numbers, got NaN in line 2"
        );
        assert_eq!(
            refused("metrics.json", "{\"b\":-Infinity}"),
            "metrics.json: expected finite numbers, got -Infinity in line 1"
        );
        assert_eq!(
            refused("metrics.json", "{\"b\":Infinity}"),
            "metrics.json: expected finite numbers, got Infinity in line 1"
        );
        assert!(refused("metrics.json", r#"{"b": 1e999}"#).contains("out of range"));
        assert_eq!(
            refused("metrics.json", r#"{"a": {"b": "x"}}"#),
            "metrics.json: metric \"a/b\": expected a number, got text"
        );
        assert!(refused("metrics.json", r#"{"a": [1]}"#).ends_with("expected a number, got a list"));
        assert!(refused("metrics.json", r#"{"a": null}"#).ends_with("expected a number, got null"));
        assert!(refused("metrics.json", "[1]").ends_with("expected an object from names to numbers"));
        assert!(refused("metrics.json", r#"{"a": 1, "a": 2}"#).ends_with("expected one value, got two"));
        assert!(refused("metrics.json", r#"{"a/b": 1, "a": {"b": 2}}"#).ends_with("expected one value, got two"));
        assert!(
            refused("metrics.csv", "step,loss\n1,nan\n")
                .ends_with("metric \"loss\": expected a finite number, got NaN")
        );
        assert!(
            refused("metrics.csv", "step,epoch,name,value\n1,1,a,inf\n").ends_with("expected a finite number, got inf")
        );
    }

    #[test]
    fn a_log_gives_the_last_value_of_each_name() {
        let log = "step,epoch,name,value\n1,0,loss,2.0\n1,0,val/loss,3\n2,0,loss,1.5\n";
        assert_eq!(metrics("metrics.csv", log), pairs(&[("loss", 1.5), ("val/loss", 3.0)]));
        assert!(
            refused("metrics.csv", "step,epoch,name,value\n1,0,loss,x\n").ends_with("expected a number, got \"x\"")
        );
    }

    #[test]
    fn a_table_gives_the_last_number_of_each_column() {
        let table = "epoch,train_loss,val_loss,note\n0,2.0,,start\n0,,1.5,\n1,1.0,,end\n";
        assert_eq!(metrics("metrics.csv", table), pairs(&[("epoch", 1.0), ("train_loss", 1.0), ("val_loss", 1.5)]));
        assert!(refused("metrics.csv", "a,b\n1\n").ends_with("row 2: expected 2 fields, as in the first row, got 1"));
        assert!(refused("metrics.csv", "").ends_with("got an empty file"));
    }

    #[test]
    fn too_large_too_many_and_too_deep_are_refused() {
        let many: Vec<_> = (0..=MAX_METRICS).map(|index| format!("\"{index}\":1")).collect();
        assert!(refused("metrics.json", &format!("{{{}}}", many.join(","))).ends_with("at most 10000 metrics"));
        assert!(refused("metrics.json", &"{\"a\":".repeat(1000)).contains("recursion limit"));
        assert!(refused("metrics.json", &" ".repeat((1 << 20) + 1)).contains("expected at most 1048576 bytes"));
        assert!(
            refused("metrics.json", &format!("{{\"{}\": 1}}", "x".repeat(257))).contains("a name of 1 to 256 bytes")
        );
        assert!(refused("metrics.json", r#"{"a\u001b": 1}"#).contains("without control characters"));
        assert!(read_file("metrics.csv", &[b"a\n".to_vec(), vec![b'"'; 1], vec![b'x'; 2 << 20]].concat()).is_err());
    }

    #[test]
    fn of_two_files_the_first_wins() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("metrics.json"), r#"{"loss": 1}"#).expect("a file");
        std::fs::write(folder.path().join("metrics.csv"), "loss,acc\n2,3\n").expect("a file");
        let names = ["metrics.json".to_owned(), "metrics.csv".to_owned()];
        let found = read(folder.path(), &names).expect("readable");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), pairs(&[("acc", 3.0), ("loss", 1.0)]));
    }
}
