//! DVC's documents: `.dvc` files, and `dvc.lock` with the `dvc.yaml` beside it.
//!
//! Only outputs are read. The dependencies that `dvc.lock` lists are those of the last time a stage ran, so they differ,
//! and rightly, while `dvc repro` runs the stage again. An output without an MD5 (one that was never committed, or one of
//! a remote that counts versions) says nothing about bytes and is left out; so is one on another machine (`s3://…`), and
//! a stage of which `dvc.yaml` knows nothing any more, or whose `wdir` is a template.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::{ConfigError, Value, from_value, load_yaml_document};
use crate::provenance::md5::{Md5Digest, Md5Kind, Md5ParseError};

/// Largest size and number of files that are taken over: integers above 2^53 - 1 are not safe in JSON.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Ends the name of what a directory is.
const DIRECTORY_SUFFIX: &str = ".dir";

/// What DVC calls a content: the MD5 of a file, or that of a directory's listing with `.dir` behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DvcChecksum {
    /// The MD5.
    pub md5: Md5Digest,
    /// Whether it is that of a directory's listing.
    pub directory: bool,
}

/// One output, as a document states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedOutput {
    /// The stage of `dvc.lock` that made it; none in a `.dvc` file.
    pub stage: Option<String>,
    /// The folder that its path starts from, itself relative to that of the document; empty for the same.
    pub folder: String,
    /// Its path, as written.
    pub path: String,
    /// Which MD5 it is stated by.
    pub hash: Md5Kind,
    /// What it is.
    pub checksum: DvcChecksum,
    /// Its size in bytes, all files together.
    pub size: Option<u64>,
    /// The number of its files, if it is a directory.
    pub files: Option<u64>,
}

/// A document that DVC did not write.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No YAML, or not of the shape of such a document.
    #[error("not a document of DVC's: {message}")]
    Shape {
        /// What is wrong, and where.
        message: String,
    },
    /// A version nobody here knows.
    #[error("schema: expected 2.0, got {got}")]
    Schema {
        /// The version.
        got: String,
    },
    /// An output has no such MD5.
    #[error("{path}: md5")]
    Checksum {
        /// The output.
        path: String,
        /// What is wrong with it.
        source: Md5ParseError,
    },
    /// An output is stated by another hash.
    #[error("{path}: hash: expected md5, got {got}")]
    Hash {
        /// The output.
        path: String,
        /// The hash.
        got: String,
    },
    /// A size or a number of files that JSON cannot hold exactly.
    #[error("{path}: {key}: expected at most {MAX_INTEGER}, got {got}")]
    Integer {
        /// The output.
        path: String,
        /// What is that large.
        key: &'static str,
        /// The number.
        got: u64,
    },
}

// Unknown keys are let pass: DVC adds some with every version, and this is no document that anybody signs.

#[derive(Deserialize)]
struct Lock {
    schema: Option<String>,
    stages: Option<BTreeMap<String, Stage>>,
}

#[derive(Deserialize)]
struct DvcFile {
    wdir: Option<String>,
    outs: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Stage {
    outs: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    md5: Option<String>,
    hash: Option<String>,
    size: Option<u64>,
    nfiles: Option<u64>,
}

/// The outputs of a `.dvc` file.
///
/// # Errors
/// [`DocumentError`].
pub fn outputs_of_dvc_file(text: &str) -> Result<Vec<StatedOutput>, DocumentError> {
    let DvcFile { wdir, outs } = extract(&load(text)?)?;
    stated(None, &wdir.unwrap_or_default(), outs)
}

/// The outputs of the stages of a `dvc.lock`. `pipeline` is the `dvc.yaml` beside it, if there is one: it knows which
/// stages there still are, and where they work.
///
/// # Errors
/// [`DocumentError`].
pub fn outputs_of_lock(lock: &str, pipeline: Option<&str>) -> Result<Vec<StatedOutput>, DocumentError> {
    let document = load(lock)?;
    // Without a schema it is of version 1.0: the stages stand at the top.
    let stages = match document.as_map().is_some_and(|map| map.contains_key("schema")) {
        false => extract::<BTreeMap<String, Stage>>(&document)?,
        true => match extract::<Lock>(&document)? {
            Lock { schema, .. } if schema.as_deref() != Some("2.0") => {
                return Err(DocumentError::Schema { got: schema.unwrap_or_default() });
            }
            Lock { stages, .. } => stages.unwrap_or_default(),
        },
    };
    let pipeline = pipeline.map(load).transpose()?;
    let mut outputs = Vec::new();
    for (name, stage) in stages {
        if let Some(folder) = folder_of_stage(pipeline.as_ref(), &name) {
            outputs.extend(stated(Some(&name), folder, stage.outs)?);
        }
    }
    Ok(outputs)
}

/// Where a stage works; none when `dvc.yaml` does not have it, or has a template there.
fn folder_of_stage<'a>(pipeline: Option<&'a Value>, name: &str) -> Option<&'a str> {
    let Some(pipeline) = pipeline else { return Some("") };
    let stages = pipeline.as_map()?.get("stages")?.as_map()?;
    // Of `name: {foreach: …, do: …}` and `name: {matrix: …}` the jobs are called `name@key`.
    let stage = stages.get(name).or_else(|| stages.get(name.split_once('@')?.0))?.as_map()?;
    let definition = stage.get("do").and_then(Value::as_map).unwrap_or(stage);
    match definition.get("wdir") {
        None | Some(Value::Null) => Some(""),
        Some(folder) => folder.as_str().filter(|folder| !folder.contains("${")),
    }
}

fn stated(stage: Option<&str>, folder: &str, entries: Option<Vec<Entry>>) -> Result<Vec<StatedOutput>, DocumentError> {
    let mut outputs = Vec::new();
    for Entry { path, md5, hash, size, nfiles } in entries.unwrap_or_default() {
        let Some(md5) = md5.filter(|_| !path.contains("://")) else { continue };
        let hash = match hash.as_deref() {
            Some("md5") => Md5Kind::Bytes,
            None => Md5Kind::Dos2Unix,
            Some(got) => return Err(DocumentError::Hash { path, got: got.to_owned() }),
        };
        // DVC takes either case.
        let checksum = match md5.to_ascii_lowercase().parse() {
            Ok(checksum) => checksum,
            Err(source) => return Err(DocumentError::Checksum { path, source }),
        };
        for (key, number) in [("size", size), ("nfiles", nfiles)] {
            if let Some(got) = number.filter(|number| *number > MAX_INTEGER) {
                return Err(DocumentError::Integer { path, key, got });
            }
        }
        let (stage, folder) = (stage.map(str::to_owned), folder.to_owned());
        outputs.push(StatedOutput { stage, folder, path, hash, checksum, size, files: nfiles });
    }
    Ok(outputs)
}

fn load(text: &str) -> Result<Value, DocumentError> {
    load_yaml_document(text).map_err(shape)
}

fn extract<T: DeserializeOwned>(document: &Value) -> Result<T, DocumentError> {
    from_value(document).map_err(shape)
}

/// What the reader of configs says, without its hints for configs.
fn shape(error: ConfigError) -> DocumentError {
    DocumentError::Shape { message: error.to_string() }
}

impl fmt::Display for DvcChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.md5, if self.directory { DIRECTORY_SUFFIX } else { "" })
    }
}

impl FromStr for DvcChecksum {
    type Err = Md5ParseError;

    fn from_str(text: &str) -> Result<Self, Md5ParseError> {
        let directory = text.strip_suffix(DIRECTORY_SUFFIX);
        Ok(Self { md5: directory.unwrap_or(text).parse()?, directory: directory.is_some() })
    }
}

impl Serialize for DvcChecksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DvcChecksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for DvcChecksum {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DvcChecksum".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": r"^[0-9a-f]{32}(\.dir)?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

    fn paths(outputs: &[StatedOutput]) -> Vec<(&str, &str)> {
        outputs.iter().map(|output| (output.folder.as_str(), output.path.as_str())).collect()
    }

    #[test]
    fn a_dvc_file_states_its_outputs() {
        let text = format!("outs:\n- md5: {MD5}.dir\n  size: 3\n  nfiles: 2\n  hash: md5\n  path: raw data\n");
        let [output] = &outputs_of_dvc_file(&text).expect("a document")[..] else { panic!("one output") };
        assert_eq!((output.path.as_str(), output.hash), ("raw data", Md5Kind::Bytes));
        assert_eq!((output.size, output.files), (Some(3), Some(2)));
        assert_eq!(output.checksum.to_string(), format!("{MD5}.dir"));
    }

    #[test]
    fn an_entry_without_hash_is_of_the_old_kind_and_its_folder_counts() {
        let text = format!("wdir: ..\nouts:\n- {{md5: {}, path: a}}\n", MD5.to_uppercase());
        let [output] = &outputs_of_dvc_file(&text).expect("a document")[..] else { panic!("one output") };
        assert_eq!((output.hash, output.folder.as_str()), (Md5Kind::Dos2Unix, ".."));
        assert_eq!(output.checksum, MD5.parse().expect("an MD5"));
    }

    #[test]
    fn what_says_nothing_about_bytes_here_is_left_out() {
        let text = format!("outs: [{{path: a}}, {{path: 's3://b/c', md5: {MD5}}}]\ndeps: [{{path: d, md5: {MD5}}}]\n");
        assert_eq!(outputs_of_dvc_file(&text).expect("a document"), []);
        for empty in ["{}", "outs:\n", "frozen: true\n"] {
            assert_eq!(outputs_of_dvc_file(empty).expect("a document"), []);
        }
    }

    #[test]
    fn a_lock_states_the_outputs_of_the_stages_that_there_still_are() {
        let entry = |path: &str| format!("outs: [{{path: {path}, hash: md5, md5: {MD5}}}]");
        let stages = format!(
            "  plain: {{cmd: x, {}}}\n  each@1: {{cmd: x, {}}}\n  gone: {{cmd: x, {}}}\n  odd: {{cmd: x, {}}}\n",
            entry("a"),
            entry("b"),
            entry("c"),
            entry("d")
        );
        let pipeline = "stages:\n  plain: {cmd: x}\n  each: {foreach: [1], do: {cmd: '${item}', wdir: sub}}\n  \
                        odd: {cmd: x, wdir: '${there}'}\n";
        let lock = format!("schema: '2.0'\nstages:\n{stages}");
        let outputs = outputs_of_lock(&lock, Some(pipeline)).expect("a lock");
        assert_eq!(paths(&outputs), [("sub", "b"), ("", "a")]);
        assert_eq!(outputs[0].stage.as_deref(), Some("each@1"));
        assert_eq!(outputs_of_lock(&lock, None).expect("a lock").len(), 4);
        // Version 1.0 had the stages at the top.
        assert_eq!(outputs_of_lock(&stages.replace("\n  ", "\n")[2..], None).expect("a lock").len(), 4);
        assert_eq!(outputs_of_lock("schema: '2.0'\n", None).expect("a lock"), []);
    }

    #[test]
    fn a_lock_of_an_unknown_version_is_refused() {
        let error = outputs_of_lock("schema: '3.0'\nstages: {}\n", None).expect_err("unknown");
        assert_eq!(error.to_string(), "schema: expected 2.0, got 3.0");
    }

    #[test]
    fn a_document_of_another_shape_is_refused() {
        let wrong = [
            "- a\n".to_owned(),
            "outs: {}\n".into(),
            "outs: [{md5: 1, path: a}]\n".into(),
            format!("outs: [{{md5: {MD5}}}]\n"),
            format!("outs: [{{md5: {MD5}0, path: a}}]\n"),
            format!("outs: [{{md5: {MD5}, hash: sha1, path: a}}]\n"),
            format!("outs: [{{md5: {MD5}, path: a, size: -1}}]\n"),
            format!("outs: [{{md5: {MD5}, path: a, size: 9007199254740992}}]\n"),
            "outs: []\nouts: []\n".into(),
            "outs: [".repeat(200),
        ];
        for text in wrong {
            assert!(outputs_of_dvc_file(&text).is_err(), "{text}");
        }
    }
}
