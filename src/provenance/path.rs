//! Relative paths that mean the same file on every system, or are refused.
//!
//! Records travel between systems, and a path is data from a stranger: one that climbs out of its root, or that two
//! systems read differently, is an attack or soon will be.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::failure::Advice;

/// Longest path in bytes; Linux's `PATH_MAX`.
pub const MAX_PATH_BYTES: usize = 4096;

/// A relative path below some root: UTF-8, components joined by `/`.
///
/// Never absolute; without `.`, `..` and empty components; without `\`, NUL and control characters; without a drive
/// letter; of at most [`MAX_PATH_BYTES`]. Ordered by its bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RelativePath(String);

/// Why a path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path alone is not acceptable.
    #[error("path {path:?}: {fault}, expected a relative path with `/` between its components")]
    Refused {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// Two paths are the same.
    #[error("path {path:?} is listed twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// Two paths differ in upper and lower case only; some file systems hold just one of them.
    #[error("paths {first:?} and {second:?} differ in upper and lower case only")]
    CaseClash {
        /// The spelling that came first.
        first: String,
        /// The spelling that came later.
        second: String,
    },
    /// A path is both a file and a directory.
    #[error("path {path:?} is listed both as a file and as a directory")]
    FileAndDirectory {
        /// The path.
        path: String,
    },
}

impl Advice for PathError {}

/// What is wrong with one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PathFault {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// More than [`MAX_PATH_BYTES`].
    #[error("is longer than {MAX_PATH_BYTES} bytes")]
    TooLong,
    /// Starts at a root.
    #[error("is absolute")]
    Absolute,
    /// Starts with a drive letter.
    #[error("has a drive letter")]
    Drive,
    /// Has a component `..`.
    #[error("has a component `..`")]
    ParentComponent,
    /// Has a component `.`.
    #[error("has a component `.`")]
    CurrentComponent,
    /// Has an empty component: `a//b` or `a/`.
    #[error("has an empty component")]
    EmptyComponent,
    /// Has a backslash, which separates components on Windows.
    #[error("has a backslash")]
    Backslash,
    /// Has NUL, a line break or another control character.
    #[error("has a control character")]
    Control,
}

impl RelativePath {
    /// Accepts a path.
    ///
    /// # Errors
    /// [`PathError::Refused`] with the first fault found.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        match fault(text) {
            None => Ok(Self(text.to_owned())),
            Some(fault) => Err(PathError::Refused { path: text.to_owned(), fault }),
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn fault(text: &str) -> Option<PathFault> {
    let mut start = text.chars();
    if text.is_empty() {
        return Some(PathFault::Empty);
    }
    if text.len() > MAX_PATH_BYTES {
        return Some(PathFault::TooLong);
    }
    if text.starts_with('/') {
        return Some(PathFault::Absolute);
    }
    if text.contains('\\') {
        return Some(PathFault::Backslash);
    }
    if text.contains(char::is_control) {
        return Some(PathFault::Control);
    }
    if start.next().is_some_and(|letter| letter.is_ascii_alphabetic()) && start.next() == Some(':') {
        return Some(PathFault::Drive);
    }
    text.split('/').find_map(|component| match component {
        "" => Some(PathFault::EmptyComponent),
        "." => Some(PathFault::CurrentComponent),
        ".." => Some(PathFault::ParentComponent),
        _ => None,
    })
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RelativePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for RelativePath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RelativePath".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A relative path: `/` between components, none of them empty, `.` or `..`; no `\\`, no control character, no drive letter.",
            "minLength": 1,
            "maxLength": MAX_PATH_BYTES,
            "pattern": r"^(?![A-Za-z]:)(?!(.*/)?\.{0,2}(/|$))[^\\\u0000-\u001f\u007f-\u009f]+$",
        })
    }
}

/// Paths that can lie side by side on any file system.
#[derive(Debug, Default)]
pub struct PathSet {
    /// Every prefix of every path, lower-cased, with its first spelling and whether it is a file.
    seen: BTreeMap<String, (String, Kind)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
}

impl PathSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the path of a file.
    ///
    /// Upper and lower case are compared by Unicode's simple rules, without normalisation.
    ///
    /// # Errors
    /// [`PathError::Duplicate`], [`PathError::CaseClash`] (of the file or of a directory above it) and
    /// [`PathError::FileAndDirectory`].
    pub fn insert(&mut self, path: &RelativePath) -> Result<(), PathError> {
        let text = path.as_str();
        let directories = text.match_indices('/').map(|(end, _)| (&text[..end], Kind::Directory));
        for (prefix, kind) in directories.chain([(text, Kind::File)]) {
            let Some((first, first_kind)) = self.seen.get(&prefix.to_lowercase()) else {
                self.seen.insert(prefix.to_lowercase(), (prefix.to_owned(), kind));
                continue;
            };
            if first != prefix {
                return Err(PathError::CaseClash { first: first.clone(), second: prefix.to_owned() });
            }
            match (first_kind, kind) {
                (Kind::Directory, Kind::Directory) => {}
                (Kind::File, Kind::File) => return Err(PathError::Duplicate { path: prefix.to_owned() }),
                _ => return Err(PathError::FileAndDirectory { path: prefix.to_owned() }),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(text: &str) -> PathFault {
        match RelativePath::parse(text) {
            Err(PathError::Refused { fault, .. }) => fault,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn ordinary_paths_are_accepted() {
        for text in ["a", "a/b.parquet", ".hydra/config.yaml", "..a/b..", "données/é", "a b", "ab:c"] {
            assert_eq!(RelativePath::parse(text).expect(text).as_str(), text);
        }
    }

    #[test]
    fn an_empty_path_is_refused() {
        assert_eq!(fault_of(""), PathFault::Empty);
    }

    #[test]
    fn an_absolute_path_is_refused() {
        assert_eq!(fault_of("/etc/passwd"), PathFault::Absolute);
    }

    #[test]
    fn a_climbing_path_is_refused() {
        for text in ["..", "../a", "a/../b", "a/.."] {
            assert_eq!(fault_of(text), PathFault::ParentComponent);
        }
    }

    #[test]
    fn a_dot_component_is_refused() {
        for text in [".", "./a", "a/./b"] {
            assert_eq!(fault_of(text), PathFault::CurrentComponent);
        }
    }

    #[test]
    fn an_empty_component_is_refused() {
        for text in ["a//b", "a/"] {
            assert_eq!(fault_of(text), PathFault::EmptyComponent);
        }
    }

    #[test]
    fn a_backslash_is_refused() {
        for text in ["a\\b", "..\\a", "\\\\host\\share"] {
            assert_eq!(fault_of(text), PathFault::Backslash);
        }
    }

    #[test]
    fn nul_and_control_characters_are_refused() {
        for text in ["a\0b", "a\nb", "\u{1b}[2J", "a\u{85}"] {
            assert_eq!(fault_of(text), PathFault::Control);
        }
    }

    #[test]
    fn a_drive_letter_is_refused() {
        for text in ["C:", "c:/a", "C:a"] {
            assert_eq!(fault_of(text), PathFault::Drive);
        }
    }

    #[test]
    fn an_endless_path_is_refused() {
        assert_eq!(fault_of(&"a".repeat(MAX_PATH_BYTES + 1)), PathFault::TooLong);
    }

    fn set_of(texts: &[&str]) -> Result<(), PathError> {
        let mut set = PathSet::new();
        texts.iter().try_for_each(|text| set.insert(&RelativePath::parse(text)?))
    }

    #[test]
    fn paths_that_clash_are_refused() {
        assert_eq!(set_of(&["a/b", "a/c", "ab", "b/a"]), Ok(()));
        assert_eq!(set_of(&["a/b", "a/b"]), Err(PathError::Duplicate { path: "a/b".into() }));
        let clash = |first: &str, second: &str| {
            Err(PathError::CaseClash { first: first.to_owned(), second: second.to_owned() })
        };
        assert_eq!(set_of(&["a/b", "a/B"]), clash("a/b", "a/B"));
        assert_eq!(set_of(&["a/b", "A/c"]), clash("a", "A"));
        assert_eq!(set_of(&["É", "é"]), clash("É", "é"));
        assert_eq!(set_of(&["a", "a/b"]), Err(PathError::FileAndDirectory { path: "a".into() }));
        assert_eq!(set_of(&["a/b", "a"]), Err(PathError::FileAndDirectory { path: "a".into() }));
    }
}
