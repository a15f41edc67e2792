//! The node `command` of the user's own config tree: what a command is given and held to. Every key has a default.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::path::PathBuf;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

use super::environment;
use crate::config::Config;
use crate::envelope::{Bounds, NetworkRule};
use crate::failure::{Advice, Failure, FailureKind};
use crate::manifest::predicate::{COMMAND_WORKLOAD, DataRole, DataSet};
use crate::provenance::patterns::PathPatterns;
use crate::workload::DvcPolicy;

/// Bytes of stdout and stderr together that are kept where the config says nothing.
pub const DEFAULT_OUTPUT_BYTES: u64 = 64 << 20;

/// `command.*`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CommandConfig {
    /// First folder under the root of all runs.
    pub experiment: String,
    /// What the command reads: hashed before and after it runs.
    pub inputs: InputsConfig,
    /// Which of the files that it wrote a replay compares, as patterns of gitignore's kind below the run directory; `!`
    /// before a pattern takes back. Null for all but its stdout and stderr.
    pub outputs: Option<Vec<String>>,
    /// What it gets of the environment.
    pub environment: EnvironmentConfig,
    /// Folders and files outside the run directory that it may write to, besides a temporary folder of its own.
    pub writes: Vec<PathBuf>,
    /// Files below the run directory that metrics are read from, where they are: `.json` or `.csv`.
    pub metrics: Vec<String>,
    /// Most seconds that it may run. Null for no limit.
    pub wall_seconds: Option<u64>,
    /// Whether it may use the network, and whether it is kept from it.
    pub network: NetworkRule,
    /// Most bytes of its stdout and stderr together that are kept; beyond them it is ended.
    pub output_bytes: u64,
    /// Most bytes of the run directory; beyond them it is ended. Null for no limit.
    pub directory_bytes: Option<u64>,
    /// A challenge's id, signed with the record.
    pub challenge: Option<String>,
    /// A verifier's nonce, signed with the record.
    pub nonce: Option<String>,
    /// Whether uncommitted changes are written as a patch beside the manifest.
    pub keep_diff: bool,
    /// What to do about inputs that differ from what DVC says of them.
    pub dvc: DvcPolicy,
}

impl Default for CommandConfig {
    fn default() -> Self {
        Self {
            experiment: COMMAND_WORKLOAD.to_owned(),
            inputs: InputsConfig::default(),
            outputs: None,
            environment: EnvironmentConfig::default(),
            writes: Vec::new(),
            metrics: vec!["metrics.json".to_owned(), "metrics.csv".to_owned()],
            wall_seconds: None,
            network: NetworkRule::Unrestricted,
            output_bytes: DEFAULT_OUTPUT_BYTES,
            directory_bytes: None,
            challenge: None,
            nonce: None,
            keep_diff: false,
            dvc: DvcPolicy::Record,
        }
    }
}

/// `command.inputs`: a list, or a map from names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a list of {name, root}, or a map from a name to a path or {root}, with no other key"
)]
pub enum InputsConfig {
    /// `[{name: train, root: data/train}]`
    List(Vec<InputConfig>),
    /// `{train: data/train}`
    Map(BTreeMap<String, InputRoot>),
}

impl Default for InputsConfig {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// One element of `command.inputs` as a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputConfig {
    /// What the record calls it.
    pub name: String,
    /// A folder or a single file.
    pub root: PathBuf,
}

/// One value of `command.inputs` as a map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a path or {root}")]
pub enum InputRoot {
    /// A folder or a single file.
    Path(PathBuf),
    /// The same with the key.
    Root(RootConfig),
}

/// `{root: data/train}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RootConfig {
    /// A folder or a single file.
    pub root: PathBuf,
}

/// `command.environment`: beside [`environment::PASSED`], which every command gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnvironmentConfig {
    /// Variables that are passed on, where they are set; their values may be secrets and are not recorded.
    pub pass: Vec<String>,
    /// Variables that are passed on and recorded with their values.
    pub record: Vec<String>,
    /// Variables that are set to these values, whatever they are outside; recorded.
    pub set: BTreeMap<String, String>,
}

/// Something that a command reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What the record calls it: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// A folder or a single file.
    pub root: PathBuf,
}

/// A `command` node that was checked.
#[derive(Debug, Clone)]
pub struct CheckedCommand {
    config: CommandConfig,
    inputs: Vec<Input>,
    outputs: PathPatterns,
}

/// A setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: expected {expected}, got {got}")]
pub struct InvalidSetting {
    /// Dotted key.
    pub key: &'static str,
    /// What would do.
    pub expected: &'static str,
    /// What was asked for.
    pub got: String,
}

/// The part of a user's own config that is ours.
#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    command: CommandConfig,
}

/// The data sets that a config names: all of them come from outside.
///
/// # Errors
/// As [`CheckedCommand::of`].
pub fn data_sets(config: &Config) -> Result<Vec<DataSet>, Failure> {
    Ok(CheckedCommand::of(config)?.data_sets())
}

impl Advice for InvalidSetting {
    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}

impl CommandConfig {
    /// The JSON Schema of the node `command`.
    pub fn schema() -> serde_json::Value {
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Self>().to_value()
    }

    /// Refuses, by key, what makes no sense.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(self) -> Result<CheckedCommand, InvalidSetting> {
        let refuse = |key, expected, got: &str| Err(InvalidSetting { key, expected, got: format!("{got:?}") });
        if !is_name(&self.experiment) {
            return refuse("command.experiment", NAME, &self.experiment);
        }
        let inputs = self.inputs.list();
        let mut names = BTreeSet::new();
        for input in &inputs {
            if !is_name(&input.name) {
                return refuse("command.inputs", NAME, &input.name);
            }
            // The record's files are named after them, and some file systems hold just one of `A` and `a`.
            if !names.insert(input.name.to_ascii_lowercase()) {
                return refuse("command.inputs", "another name for every input", &input.name);
            }
            if input.root.as_os_str().is_empty() {
                return refuse("command.inputs", "a path for every input", &input.name);
            }
        }
        if self.writes.iter().any(|path| path.as_os_str().is_empty()) {
            return refuse("command.writes", "paths", "");
        }
        for name in &self.metrics {
            if crate::provenance::path::RelativePath::parse(name).is_err()
                || ![".json", ".csv"].iter().any(|extension| name.ends_with(extension))
            {
                return refuse("command.metrics", "files below the run directory, `.json` or `.csv`", name);
            }
        }
        let EnvironmentConfig { pass, record, set } = &self.environment;
        for name in pass.iter().chain(record).chain(set.keys()) {
            if name.is_empty() || name.contains(['=', '\0']) {
                return refuse("command.environment", "names of environment variables", name);
            }
            if environment::OWN.contains(&name.as_str()) {
                return refuse("command.environment", "no variable that every command is given", name);
            }
        }
        if let Some((name, _)) = set.iter().find(|(_, value)| value.contains('\0')) {
            return refuse("command.environment.set", "values without NUL", name);
        }
        if self.wall_seconds == Some(0) {
            return refuse("command.wall_seconds", "a number above 0, or null", "0");
        }
        let outputs = match &self.outputs {
            None => PathPatterns::all(),
            Some(patterns) => match PathPatterns::parse(patterns) {
                Some(patterns) => patterns,
                None => {
                    let expected = "patterns, each on a line of its own and none of them empty or a comment";
                    return refuse("command.outputs", expected, &patterns.join(", "));
                }
            },
        };
        Ok(CheckedCommand { config: self, inputs, outputs })
    }
}

impl InputsConfig {
    fn list(&self) -> Vec<Input> {
        match self {
            Self::List(inputs) => {
                inputs.iter().map(|input| Input { name: input.name.clone(), root: input.root.clone() }).collect()
            }
            Self::Map(inputs) => {
                let root = |root: &InputRoot| match root {
                    InputRoot::Path(root) | InputRoot::Root(RootConfig { root }) => root.clone(),
                };
                inputs.iter().map(|(name, value)| Input { name: name.clone(), root: root(value) }).collect()
            }
        }
    }
}

impl CheckedCommand {
    /// Reads the node `command` of a composed config, all other keys of which are the user's.
    ///
    /// # Errors
    /// What is wrong with the node, or that the config cannot be resolved.
    pub fn of(config: &Config) -> Result<Self, Failure> {
        Ok(config.extract::<Node>()?.command.check()?)
    }

    /// What the command reads, as data sets.
    pub fn data_sets(&self) -> Vec<DataSet> {
        let set = |input: &Input| DataSet { name: input.name.clone(), role: DataRole::Raw, root: input.root.clone() };
        self.inputs.iter().map(set).collect()
    }

    /// The limits that are signed.
    pub fn bounds(&self) -> Bounds {
        Bounds { wall_seconds: self.wall_seconds, network: self.network.bound(), ..Bounds::NONE }
    }

    /// What the command reads: in the order of the list, or by name.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Whether the config says which files those are.
    pub fn declares_outputs(&self) -> bool {
        self.config.outputs.is_some()
    }

    /// Which of the files that it wrote are compared.
    pub fn outputs(&self) -> &PathPatterns {
        &self.outputs
    }
}

impl Deref for CheckedCommand {
    type Target = CommandConfig;

    fn deref(&self) -> &CommandConfig {
        &self.config
    }
}

const NAME: &str = "a name of letters, digits, `-`, `_` and `.`, of at most 64, not beginning with `.`";

/// A name that is safe as part of a file's name.
fn is_name(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.chars().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<CommandConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    fn refused(json: &str) -> String {
        parse(json).expect("parses").check().expect_err("refused").to_string()
    }

    #[test]
    fn every_key_has_a_default() {
        let config = parse("{}").expect("no key is needed");
        assert_eq!(config, CommandConfig::default());
        let checked = config.check().expect("defaults make sense");
        assert_eq!(checked.output_bytes, 64 << 20);
        assert!(checked.inputs().is_empty());
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = parse(r#"{"input": {}}"#).expect_err("unknown").to_string();
        assert!(error.starts_with("unknown field `input`"), "{error}");
        assert!(parse(r#"{"environment": {"passed": []}}"#).is_err());
        let error = parse(r#"{"inputs": [{"name": "a", "root": "b", "role": "raw"}]}"#).expect_err("unknown");
        assert!(error.to_string().contains("expected a list of {name, root}, or a map"), "{error}");
    }

    #[test]
    fn inputs_are_a_list_or_a_map() {
        let input = |name: &str, root: &str| Input { name: name.to_owned(), root: root.into() };
        let inputs = |json: &str| parse(json).expect("parses").check().expect("makes sense").inputs().to_vec();
        assert_eq!(
            inputs(r#"{"inputs": [{"name": "b", "root": "x"}, {"name": "a", "root": "y.csv"}]}"#),
            [input("b", "x"), input("a", "y.csv")]
        );
        assert_eq!(inputs(r#"{"inputs": {"b": "x", "a": {"root": "y.csv"}}}"#), [input("a", "y.csv"), input("b", "x")]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_key() {
        assert!(
            refused(r#"{"inputs": [{"name": "a", "root": "x"}, {"name": "A", "root": "y"}]}"#).contains("another name")
        );
        for name in ["", ".hidden", "../up", "a/b", "a b"] {
            assert!(
                refused(&format!(r#"{{"inputs": {{"{name}": "x"}}}}"#)).starts_with("command.inputs: expected a name")
            );
            assert!(
                refused(&format!(r#"{{"experiment": "{name}"}}"#)).starts_with("command.experiment: expected a name")
            );
        }
        assert!(refused(r#"{"metrics": ["../metrics.json"]}"#).starts_with("command.metrics"));
        assert!(refused(r#"{"metrics": ["metrics.txt"]}"#).starts_with("command.metrics"));
        assert!(refused(r#"{"environment": {"pass": ["A=B"]}}"#).starts_with("command.environment"));
        assert!(refused(r#"{"environment": {"set": {"TMPDIR": "/"}}}"#).starts_with("command.environment"));
        assert!(refused(r#"{"wall_seconds": 0}"#).starts_with("command.wall_seconds"));
        assert!(refused(r#"{"outputs": ["a\nb"]}"#).starts_with("command.outputs"));
        assert!(refused(r##"{"outputs": ["# all"]}"##).starts_with("command.outputs"));
    }
}
