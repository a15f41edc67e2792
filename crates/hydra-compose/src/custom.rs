//! Resolvers of a user's own, from a YAML file: what an application registers with Python is a lambda there and here.
//!
//! ```yaml
//! times: "lambda a, b: a * b"
//! if: "lambda condition, then, otherwise: then if condition else otherwise"
//! eval: eval
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, ErrorKind};
use super::file;
use super::lambda::Lambda;
use super::source::SourceFile;
use super::value::{Key, Value};
use super::yaml;

/// The resolvers of one file.
#[derive(Debug, Clone)]
pub(super) struct CustomResolvers {
    functions: BTreeMap<String, Lambda>,
    source: SourceFile,
    in_tree: bool,
}

impl CustomResolvers {
    /// Reads a file. A file below one of the directories, which hold the configs, is named by its path there.
    ///
    /// # Errors
    /// [`ErrorKind::Read`], what loading YAML fails with, and [`ErrorKind::ResolverFailed`] for what is no function.
    pub(super) fn read(path: &Path, directories: &[PathBuf]) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        if !path.exists() {
            let message = format!("{shown}: expected a file of resolvers, got nothing there");
            return Err(ConfigError::new(ErrorKind::Read, message).with_hint(Some(SHAPE.to_owned())));
        }
        let text = String::from_utf8(file::read(path)?).map_err(|_| {
            let error = ConfigError::new(ErrorKind::Read, format!("{shown}: expected UTF-8, got other bytes"));
            error.with_hint(Some("save the file as UTF-8".to_owned()))
        })?;
        let below = directories.iter().find_map(|directory| {
            let (directory, path) = (directory.canonicalize().ok()?, path.canonicalize().ok()?);
            let below = path.strip_prefix(directory).ok()?;
            Some(below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/"))
        });
        let in_tree = below.is_some();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = SourceFile::new(below.unwrap_or(name), Some(path.to_owned()), text.as_bytes());
        Ok(Self { functions: functions(&text).map_err(|error| error.in_file(&shown))?, source, in_tree })
    }

    /// The resolver with a name.
    pub(super) fn get(&self, name: &str) -> Option<&Lambda> {
        self.functions.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// The file.
    pub(super) fn source(&self) -> &SourceFile {
        &self.source
    }

    /// Its path below the folder of configs; none when it lies elsewhere.
    pub(super) fn path_in_tree(&self) -> Option<&str> {
        self.in_tree.then_some(self.source.path.as_str())
    }
}

/// How such a file is written.
const SHAPE: &str = "write a line for each: `times: \"lambda a, b: a * b\"`";

fn functions(text: &str) -> Result<BTreeMap<String, Lambda>, ConfigError> {
    let Value::Map(map) = yaml::load_any(text)?.to_value() else {
        let error = ConfigError::new(ErrorKind::ResolverFailed, "expected a map from names to lambdas");
        return Err(error.with_hint(Some(SHAPE.to_owned())));
    };
    let mut functions = BTreeMap::new();
    for (key, value) in map {
        let (Key::Str(name), Value::Str(source)) = (&key, &value) else {
            let message = format!("{key}: expected a lambda as text, got {}", value.type_name());
            let error = ConfigError::new(ErrorKind::ResolverFailed, message);
            return Err(error.with_hint(Some(SHAPE.to_owned())));
        };
        if super::interpolation::is_builtin(name) {
            let message = format!("{name}: expected a name of its own, got that of a resolver of OmegaConf or Hydra");
            let hint = format!("give it another name, in the configs too: `${{my_{}:…}}`", name.replace('.', "_"));
            return Err(ConfigError::new(ErrorKind::ResolverFailed, message).with_hint(Some(hint)));
        }
        functions.insert(name.clone(), Lambda::parse(source).map_err(|error| error.within(name))?);
    }
    Ok(functions)
}
