//! The commit's own `.gitattributes`: which files are LFS pointers, and which have line endings of their own.
//!
//! Read from the tree at `HEAD` and from nowhere else. `.git/info/attributes`, the user's file and an untracked
//! `.gitattributes` could each declare an edit to be none; `core.autocrlf` and `core.eol` do not count either.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use gix::attrs::search::{MetadataCollection, Outcome};
use gix::attrs::{Search, StateRef};
use gix::bstr::{BStr, BString, ByteSlice};
use gix::filter::plumbing::eol::Stats;
use gix::glob::pattern::Case;

use crate::digest::Sha256Digest;

/// Name of the files.
pub(super) const GITATTRIBUTES: &[u8] = b".gitattributes";

/// The attributes that change which bytes git writes into a work tree, in the order of [`Outcome::iter_selected`].
const NAMES: [&str; 4] = ["filter", "text", "crlf", "eol"];

/// Most bytes of an LFS pointer: the specification says less than 1024.
pub(super) const MAX_POINTER_BYTES: u64 = 1024;

/// The patterns of every `.gitattributes` of a tree.
pub(super) struct Attributes {
    search: Search,
    outcome: Outcome,
    /// Number of lines of all files: at least that of the patterns.
    lines: u64,
}

/// What git may do to a file between its object and the work tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    /// Nothing, or nothing that is understood here: the bytes have to be those of the object.
    None,
    /// The object is an LFS pointer.
    Lfs,
    /// The object has LF where the work tree may have CRLF.
    Text,
    /// The same, unless the content looks binary.
    AutoText,
}

impl Attributes {
    /// The patterns of these files, each with its path below the root.
    ///
    /// # Errors
    /// When a path cannot be a path of this system.
    pub(super) fn new(mut files: Vec<(BString, Vec<u8>)>) -> std::io::Result<Self> {
        let mut names = MetadataCollection::default();
        let mut search = Search::new_globals(std::iter::empty::<PathBuf>(), &mut Vec::new(), &mut names)?;
        // What is added later wins: a folder's own file over those above it.
        files.sort_by_key(|(path, _)| path.find_iter(b"/").count());
        let lines = files.iter().map(|(_, content)| content.lines().count() as u64).sum();
        for (path, content) in files {
            let is_root = path == GITATTRIBUTES;
            let path = gix::path::from_bstring(path).map_err(std::io::Error::other)?;
            // As in git, only the file at the root defines macros.
            search.add_patterns_buffer(&content, path, Some(Path::new("")), &mut names, is_root)?;
        }
        let mut outcome = Outcome::default();
        outcome.initialize_with_selection(&names, NAMES);
        Ok(Self { search, outcome, lines })
    }

    /// Most patterns that a path is compared with.
    pub(super) fn comparisons(&self) -> u64 {
        self.lines
    }

    /// What git may do to the file at `path`, by the rules of gitattributes(5).
    pub(super) fn conversion(&mut self, path: &BStr) -> Conversion {
        self.outcome.reset();
        self.search.pattern_matching_relative_path(path, Case::Sensitive, Some(false), &mut self.outcome);
        let mut states = self.outcome.iter_selected().map(|found| State::from(found.assignment.state));
        let [filter, text, crlf, eol] = std::array::from_fn(|_| states.next().unwrap_or(State::Unspecified));
        match (filter, text, crlf) {
            (State::Lfs, ..) => Conversion::Lfs,
            // Another filter's output is not ours to guess.
            (State::Set | State::Other, ..) => Conversion::None,
            (_, State::Unset, _) | (_, State::Unspecified | State::Other, State::Unset) => Conversion::None,
            (_, State::Auto, _) => Conversion::AutoText,
            (_, State::Set | State::Input, _) | (_, State::Unspecified | State::Other, State::Set | State::Input) => {
                Conversion::Text
            }
            _ if eol == State::Ending => Conversion::Text,
            _ => Conversion::None,
        }
    }
}

/// A state of one of [`NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unspecified,
    Unset,
    Set,
    Auto,
    Input,
    /// `lf` or `crlf`.
    Ending,
    Lfs,
    Other,
}

impl From<StateRef<'_>> for State {
    fn from(state: StateRef<'_>) -> Self {
        match state {
            StateRef::Unspecified => Self::Unspecified,
            StateRef::Unset => Self::Unset,
            StateRef::Set => Self::Set,
            StateRef::Value(value) => match value.as_bstr().as_bytes() {
                b"auto" => Self::Auto,
                b"input" => Self::Input,
                b"lf" | b"crlf" => Self::Ending,
                b"lfs" => Self::Lfs,
                _ => Self::Other,
            },
        }
    }
}

/// The bytes that git would store for a text; `None` where git would store them as they are.
pub(super) fn with_lf(bytes: &[u8], conversion: Conversion) -> Option<Vec<u8>> {
    let is_text = match conversion {
        Conversion::Text => true,
        Conversion::AutoText => !Stats::from_bytes(bytes).is_binary(),
        Conversion::None | Conversion::Lfs => false,
    };
    is_text.then(|| bytes.replace("\r\n", "\n"))
}

/// What an LFS pointer names; <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LfsPointer {
    /// SHA-256 of the content.
    pub(super) sha256: Sha256Digest,
    /// Its size in bytes.
    pub(super) size: u64,
}

/// The pointer's one spelling, which the specification demands.
impl fmt::Display for LfsPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n", self.sha256, self.size)
    }
}

impl LfsPointer {
    /// Reads a pointer; `None` for anything else.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        let version = lines.next()?.strip_prefix("version ")?;
        if !["https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1"].contains(&version) {
            return None;
        }
        let (mut sha256, mut size) = (None, None);
        for line in lines {
            let (key, value) = line.split_once(' ')?;
            match key {
                "oid" => sha256 = Some(Sha256Digest::from_str(value.strip_prefix("sha256:")?).ok()?),
                "size" => size = Some(value.parse().ok()?),
                // An extension changes the content once more, by a program.
                _ => return None,
            }
        }
        Some(Self { sha256: sha256?, size: size? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversion(files: &[(&str, &str)], path: &str) -> Conversion {
        let files = files.iter().map(|(path, text)| (BString::from(*path), text.as_bytes().to_vec())).collect();
        let mut attributes = Attributes::new(files).expect("paths of this system");
        let first = attributes.conversion(path.into());
        // What was asked before leaves nothing behind.
        attributes.conversion("a/b/other".into());
        assert_eq!(attributes.conversion(path.into()), first);
        first
    }

    #[test]
    fn attributes_mean_what_gitattributes_says() {
        for (text, expected) in [
            ("", Conversion::None),
            ("* text", Conversion::Text),
            ("* text=auto", Conversion::AutoText),
            ("* text=auto eol=crlf", Conversion::AutoText),
            ("* -text", Conversion::None),
            ("* -text eol=crlf", Conversion::None),
            ("* binary", Conversion::None),
            ("* eol=crlf", Conversion::Text),
            ("* eol=lf", Conversion::Text),
            ("* crlf", Conversion::Text),
            ("* crlf=input", Conversion::Text),
            ("* -crlf", Conversion::None),
            ("* filter=lfs diff=lfs merge=lfs -text", Conversion::Lfs),
            ("* filter=other text", Conversion::None),
            ("* -filter text", Conversion::Text),
            ("*.bin text\n*.txt -text", Conversion::None),
            ("[attr]mine text\n*.txt mine", Conversion::Text),
        ] {
            assert_eq!(conversion(&[(".gitattributes", text)], "dir/a.txt"), expected, "{text:?}");
        }
    }

    #[test]
    fn the_file_of_the_folder_itself_wins_and_reaches_no_other_folder() {
        let files = [("a/+/.gitattributes", "*.txt -text"), ("a/.gitattributes", "*.txt text"), (".gitattributes", "")];
        assert_eq!(conversion(&files, "a/x.txt"), Conversion::Text);
        assert_eq!(conversion(&files, "a/+/x.txt"), Conversion::None);
        assert_eq!(conversion(&files, "x.txt"), Conversion::None);
        assert_eq!(conversion(&files, "ab/x.txt"), Conversion::None);
    }

    #[test]
    fn a_macro_below_the_root_is_no_macro() {
        let files = [("a/.gitattributes", "[attr]mine text\n* mine")];
        assert_eq!(conversion(&files, "a/x.txt"), Conversion::None);
    }

    #[test]
    fn what_looks_binary_is_no_text_unless_it_is_said_to_be() {
        assert_eq!(with_lf(b"a\r\nb\r\n", Conversion::AutoText).as_deref(), Some(&b"a\nb\n"[..]));
        assert_eq!(with_lf(b"a\r\n\0", Conversion::AutoText), None);
        assert_eq!(with_lf(b"a\r\n\0", Conversion::Text).as_deref(), Some(&b"a\n\0"[..]));
        assert_eq!(with_lf(b"a\r\n", Conversion::None), None);
    }

    #[test]
    fn a_pointer_is_read_and_what_is_almost_one_is_not() {
        let (version, oid) = ("version https://git-lfs.github.com/spec/v1\n", "1".repeat(64));
        let pointer = format!("{version}oid sha256:{oid}\nsize 12345\n");
        let read = LfsPointer::parse(pointer.as_bytes()).expect("a pointer");
        assert_eq!((read.sha256.to_string(), read.size), (oid.clone(), 12345));
        assert_eq!(read.to_string(), pointer);
        for other in [
            String::new(),
            version.to_owned(),
            pointer.replace("/v1", "/v2"),
            pointer.replace("sha256", "md5"),
            pointer.replace("12345", "-1"),
            pointer.replace("size", "ext-0-a sha256:1\nsize"),
            format!("{version}size 12345\n"),
        ] {
            assert_eq!(LfsPointer::parse(other.as_bytes()), None, "{other:?}");
        }
    }
}
