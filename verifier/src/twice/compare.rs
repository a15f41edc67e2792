//! What two runs have in common, and where they first differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use spectramind::difference::{Difference, first_difference};
use spectramind::process::Status;
use spectramind::provenance::patterns::PathPatterns;

use super::clue::{self, Side};
use super::outputs::Seen;
use super::run::Ran;
use super::source::sentence;

/// Something that is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    Exit,
    Stdout,
    Stderr,
    /// By its path below the folder that is copied.
    File(String),
}

/// How an item differs.
#[derive(Debug, Clone)]
pub struct Found {
    /// Begins with the item; expected is what the first run has.
    pub text: String,
    /// Whether it looks like the time.
    pub is_time: bool,
}

/// All differences of a run to the first one.
pub type Differences = BTreeMap<Item, Found>;

/// What is compared.
pub struct Comparison {
    pub patterns: PathPatterns,
    pub modes: bool,
    pub stdout: bool,
    pub stderr: bool,
    /// What runs left as it was.
    pub pristine: PathBuf,
}

impl Item {
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(Path::new(path)),
            _ => None,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Exit => "exit status",
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
            Self::File(path) => path,
        }
    }
}

impl Comparison {
    /// The paths that count among those that a run made, changed or removed.
    pub fn outputs<'a>(&'a self, ran: &'a Ran) -> impl Iterator<Item = &'a str> + 'a {
        ran.outputs.keys().map(String::as_str).filter(|path| self.patterns.matches(path))
    }

    /// Compares two runs.
    ///
    /// # Errors
    /// When an output cannot be read.
    pub fn differences(&self, expected: &Ran, got: &Ran) -> Result<Differences, String> {
        let mut found = Differences::new();
        if expected.status != got.status {
            let text = format!("exit status: expected {}, got {}", ended(expected), ended(got));
            found.insert(Item::Exit, Found { text, is_time: false });
        }
        for (item, file, is_asked) in
            [(Item::Stdout, "stdout.txt", self.stdout), (Item::Stderr, "stderr.txt", self.stderr)]
        {
            if is_asked
                && let Some(difference) = self.contents(file, (&expected.folder, expected), (&got.folder, got))?
            {
                let text = difference.text.replacen(file, item.name(), 1);
                found.insert(item, Found { text, ..difference });
            }
        }
        let paths: BTreeSet<&str> = self.outputs(expected).chain(self.outputs(got)).collect();
        for path in paths {
            if let Some(difference) = self.path(path, expected, got)? {
                found.insert(Item::File(path.to_owned()), difference);
            }
        }
        Ok(found)
    }

    /// Where a run has a path, and what is there.
    fn at(&self, ran: &Ran, path: &str) -> Result<(PathBuf, Seen), String> {
        match ran.outputs.get(path) {
            Some(seen) => Ok((ran.folder.join("tree"), seen.clone())),
            None => {
                let seen = Seen::at(&self.pristine.join(path)).map_err(|error| format!("{path}: {error}"))?;
                Ok((self.pristine.clone(), seen))
            }
        }
    }

    fn path(&self, path: &str, expected: &Ran, got: &Ran) -> Result<Option<Found>, String> {
        let ((left_root, left), (right_root, right)) = (self.at(expected, path)?, self.at(got, path)?);
        let say = |what: String| Ok(Some(Found { text: format!("{path}: {what}"), is_time: false }));
        let modes = |left: u32, right: u32| match self.modes {
            true if left != right => Some(format!("permissions: expected {left:03o}, got {right:03o}")),
            false if (left ^ right) & 0o100 != 0 => {
                let word = |mode: u32| if mode & 0o100 != 0 { "executable" } else { "not executable" };
                Some(format!("expected {}, got {}", word(left), word(right)))
            }
            _ => None,
        };
        match (&left, &right) {
            (Seen::File { mode: a }, Seen::File { mode: b }) => {
                let difference = self.contents(path, (&left_root, expected), (&right_root, got))?;
                let modes = modes(*a, *b);
                match (difference, modes) {
                    (Some(found), None) => Ok(Some(found)),
                    (Some(found), Some(modes)) => {
                        Ok(Some(Found { text: format!("{}; {modes}", found.text), is_time: false }))
                    }
                    (None, Some(modes)) => say(modes),
                    (None, None) => Ok(None),
                }
            }
            (Seen::Folder { mode: a }, Seen::Folder { mode: b }) => match (self.modes && a != b).then(|| modes(*a, *b))
            {
                Some(Some(modes)) => say(modes),
                _ => Ok(None),
            },
            (Seen::Link { target: a }, Seen::Link { target: b }) if a != b => {
                say(format!("expected a link to {}, got one to {}", a.display(), b.display()))
            }
            (a, b) if std::mem::discriminant(a) != std::mem::discriminant(b) => {
                let there = |seen: &Seen| (*seen != Seen::Nothing).then_some(path);
                let is_time = clue::texts(there(a), there(b), (expected.time, got.time));
                Ok(Some(Found { text: format!("{path}: expected {}, got {}", a.name(), b.name()), is_time }))
            }
            _ => Ok(None),
        }
    }

    fn contents(&self, name: &str, expected: (&Path, &Ran), got: (&Path, &Ran)) -> Result<Option<Found>, String> {
        let difference = first_difference(name, expected.0, got.0).map_err(|error| sentence(&error))?;
        Ok(difference.map(|difference: Difference| {
            let (left, right) = (expected.0.join(name), got.0.join(name));
            let (left, right) = (Side { file: &left, time: expected.1.time }, Side { file: &right, time: got.1.time });
            Found { is_time: clue::place(&difference.place, left, right), text: difference.to_string() }
        }))
    }
}

/// How a run ended, with the last thing that it said if that was no success.
pub fn ended(ran: &Ran) -> String {
    let how = match ran.status {
        Status::Exited(code) => code.to_string(),
        Status::Signalled(signal) => format!("signal {signal}"),
    };
    match last_words(ran).filter(|_| ran.status != Status::Exited(0)) {
        Some(words) => format!("{how} (its last words: {words})"),
        None => how,
    }
}

/// The last line of standard error that says something.
fn last_words(ran: &Ran) -> Option<String> {
    const LOOKED_AT: usize = 4096;
    const SHOWN: usize = 200;
    let bytes = fs::read(ran.folder.join("stderr.txt")).ok()?;
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LOOKED_AT)..]).into_owned();
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.trim().chars().take(SHOWN).collect())
}
