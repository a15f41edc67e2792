//! Hydra 1.3's composition in pure Rust.
//!
//! A tree of YAML files and a list of overrides become one config, with Hydra's defaults lists, config groups,
//! packages, interpolations and sweeps; a suite of cases made by Hydra itself says what that means. Beyond Hydra,
//! a config knows where each key came from, has a digest, and reads into the program's own types.
//!
//! ```
//! use std::collections::BTreeMap;
//! use hydra_compose::{Composer, SearchPath, Value};
//!
//! let files = BTreeMap::from([
//!     ("train.yaml".to_owned(), "defaults: [trainer: fast, _self_]\nname: ${trainer.lr}-run\n".to_owned()),
//!     ("trainer/fast.yaml".to_owned(), "lr: 1e-3\n".to_owned()),
//! ]);
//! let composer = Composer::new(SearchPath::new().memory("main", files));
//! let config = composer.compose("train", &["trainer.lr=0.5"])?;
//! assert_eq!(config.resolve()?.value().get("name"), Some(&Value::from("0.5-run")));
//! assert_eq!(config.origin("trainer.lr").unwrap().origin.to_string(), "override trainer.lr=0.5");
//! # Ok::<(), hydra_compose::ConfigError>(())
//! ```
//!
//! The crate is pure: the search path, the environment variables, the working directory, the time and the seed of
//! shuffled sweeps are arguments. It reads only files below the search path, and writes none.
//!
//! # The way of a config
//! 1. [`SearchPath`] says where configs lie: directories, trees in memory. [`Composer`] has that and everything else that
//!    a composition may depend on.
//! 2. [`Composer::compose`] gives a [`Config`]: composed, interpolations as they are written. [`Composer::sweep`] lists the
//!    jobs of a multirun, [`Composer::compose_job`] composes one.
//! 3. [`Config::resolve`] gives a [`Resolved`]: interpolations replaced. [`Config::hydra_value`] asks the `hydra` node.
//! 4. [`Resolved::extract`] reads it into a type of the program's own, [`Resolved::digest`] names it, [`to_yaml`] and
//!    [`to_json`] write it. [`Config::explain`], [`Config::origin`], [`Config::lints`] and [`Differences`] are for people.
//!
//! Whatever fails is a [`ConfigError`]: an [`ErrorKind`] to match on, a message, a place in a file, a hint. What a tree of a
//! stranger's may cost is bounded: [`limits`].
//!
//! # Features
//! `schemars` gives the types that a record of a config holds ([`VersionBase`]) a JSON Schema.

#![forbid(unsafe_code)]

mod apply;
mod compose;
mod composed;
#[cfg(test)]
mod composition_tests;
#[cfg(test)]
mod conformance;
mod custom;
mod defaults;
mod defaults_entry;
mod diff;
pub mod digest;
mod dump;
mod env;
mod error;
#[cfg(test)]
mod error_texts;
mod explain;
mod extract;
mod file;
mod hydra_node;
mod interpolation;
mod json;
mod lambda;
mod layer;
mod lexeme;
pub mod limits;
mod lint;
mod merge;
mod origin;
mod overrides;
mod package;
mod plugins;
mod python;
#[cfg(test)]
mod real_trees_tests;
mod record;
mod schema;
mod selections;
mod source;
mod strftime;
mod sweep;
mod tree;
mod value;
mod version_base;
mod yaml;

pub use compose::Composer;
pub use composed::{Config, Resolved};
pub use defaults::{DefaultsListEntry, DefaultsTreeNode};
pub use diff::{Difference, Differences};
pub use dump::to_yaml;
pub use error::{ConfigError, ErrorKind, Location};
pub use explain::Explanation;
pub use extract::from_value;
pub use hydra_node::HYDRA_VERSION;
pub use json::to_json;
pub use lint::Lint;
pub use origin::{KeyOrigin, Origin, Overridden};
pub use source::{SearchPath, SourceFile};
pub use sweep::Sweep;
pub use value::{Key, MISSING, Map, Value};
pub use version_base::{VersionBase, VersionBaseError};

/// Loads one config file as it stands, such as the `.hydra/config.yaml` of a run: nothing is composed or resolved.
///
/// # Errors
/// [`ErrorKind::Yaml`] and its kin, with line and column.
pub fn load_yaml(text: &str) -> Result<Value, ConfigError> {
    Ok(yaml::load(text)?.to_value())
}

/// Loads a YAML document that is no config, such as another tool's lock file, by the same rules of YAML: at the top may
/// stand anything, and `${…}` is text that need not be an interpolation.
///
/// # Errors
/// [`ErrorKind::Yaml`] and its kin, with line and column.
pub fn load_yaml_document(text: &str) -> Result<Value, ConfigError> {
    Ok(yaml::load_any(text)?.to_value())
}

/// Reads one config file, as it stands, into a type of the program's own; errors name the line of `file`.
///
/// # Errors
/// Those of [`load_yaml`] and [`from_value`].
pub fn from_yaml<T: serde::de::DeserializeOwned>(text: &str, file: &str) -> Result<T, ConfigError> {
    let root = yaml::load(text).map_err(|error| error.in_file(file))?;
    extract::extract(&root.to_value(), &root.origins(file), &[]).map_err(|error| error.in_file(file))
}

/// The examples of the README are true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
