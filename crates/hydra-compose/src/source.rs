//! Where configs are read from: the search path, the files, and the lists that shells and hints ask for.
//!
//! Hydra's own configs come first, then the directories in order; the first that has a config wins. Every file that
//! is read is remembered with its digest, because a run's record names its inputs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use blake3::Hash;

use super::defaults_entry::{self, take_defaults};
use super::error::{ConfigError, ErrorKind, Location};
use super::file;
use super::hydra_node;
use super::package;
use super::version_base::VersionBase;
use super::yaml::{self, Located};

/// The directories that configs are looked for in, in order.
#[derive(Debug, Clone, Default)]
pub struct SearchPath {
    entries: Vec<Entry>,
    version_base: VersionBase,
}

#[derive(Debug, Clone)]
struct Entry {
    provider: String,
    root: Root,
    /// Schema and path as they were written, of an entry of `hydra.searchpath`.
    written: Option<(String, String)>,
}

#[derive(Debug, Clone)]
enum Root {
    Directory(PathBuf),
    /// Files by their path relative to the root; for trees that live in the program.
    Memory(Rc<BTreeMap<String, String>>),
    /// A package that is not there: empty, as in Hydra when a package is not installed.
    Unavailable,
}

impl SearchPath {
    /// An empty search path.
    pub fn new() -> Self {
        Self::default()
    }

    /// A search path of one directory, the main one.
    pub fn of_directory(directory: impl Into<PathBuf>) -> Self {
        Self::new().directory("main", directory)
    }

    /// Adds a directory at the end.
    pub fn directory(mut self, provider: &str, directory: impl Into<PathBuf>) -> Self {
        self.entries.push(Entry {
            provider: provider.to_owned(),
            root: Root::Directory(directory.into()),
            written: None,
        });
        self
    }

    /// Adds a tree in memory at the end: texts by paths such as `trainer/fast.yaml`.
    pub fn memory(mut self, provider: &str, files: BTreeMap<String, String>) -> Self {
        self.entries.push(Entry { provider: provider.to_owned(), root: Root::Memory(Rc::new(files)), written: None });
        self
    }

    /// Understands the older forms of a compatibility level.
    pub(super) fn version_base(mut self, version_base: VersionBase) -> Self {
        self.version_base = version_base;
        self
    }

    /// The directories among the entries.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        let directory = |entry: &Entry| match &entry.root {
            Root::Directory(directory) => Some(directory.clone()),
            Root::Memory(_) | Root::Unavailable => None,
        };
        self.entries.iter().filter_map(directory).collect()
    }

    pub(super) fn base(&self) -> VersionBase {
        self.version_base
    }

    /// Adds an entry of `hydra.searchpath`: a path, `file://` and a path, or `pkg://` and a package, which is looked for
    /// below `cwd`, then below the folders of `packages`.
    ///
    /// Yields Hydra's warning where there is no such directory or package.
    ///
    /// # Errors
    /// [`ErrorKind::Searchpath`] for another scheme.
    pub(super) fn push_entry(
        &mut self,
        provider: &str,
        entry: &str,
        cwd: &Path,
        packages: &[PathBuf],
    ) -> Result<Option<String>, ConfigError> {
        let (schema, path) = entry.split_once("://").unwrap_or(("file", entry));
        let (root, is_available, path) = match schema {
            "file" => {
                let directory = cwd.join(path);
                let is_available = directory.is_dir();
                (Root::Directory(directory), is_available, path.to_owned())
            }
            "pkg" => {
                let roots: Vec<PathBuf> = std::iter::once(cwd.to_owned()).chain(packages.iter().cloned()).collect();
                let name = path.replace('/', ".").trim_end_matches('.').to_owned();
                match package::find(path, &roots) {
                    Some((folder, is_available)) => (Root::Directory(folder), is_available, name),
                    None => (Root::Unavailable, false, name),
                }
            }
            _ => {
                let message = format!("hydra.searchpath: expected file:// or pkg://, got {entry:?}");
                return Err(ConfigError::new(ErrorKind::Searchpath, message));
            }
        };
        let warning = format!("provider={provider}, path={path} is not available.");
        self.entries.push(Entry { provider: provider.to_owned(), root, written: Some((schema.to_owned(), path)) });
        Ok((!is_available).then_some(warning))
    }

    /// The entries as Hydra lists them: path, schema and provider, Hydra's own first.
    pub(super) fn described(&self, cwd: &Path) -> Vec<(String, String, String)> {
        let triple =
            |path: &str, schema: &str, provider: &str| (path.to_owned(), schema.to_owned(), provider.to_owned());
        let mut described = vec![triple("hydra.conf", "pkg", "hydra")];
        described.extend(self.entries.iter().map(|entry| match (&entry.written, &entry.root) {
            (Some((schema, path)), _) => triple(path, schema, &entry.provider),
            (None, Root::Directory(directory)) => {
                triple(&cwd.join(directory).display().to_string(), "file", &entry.provider)
            }
            (None, Root::Memory(_) | Root::Unavailable) => triple("", "memory", &entry.provider),
        }));
        described.push(triple("", "structured", "schema"));
        described
    }

    /// The config groups: directories that hold at least one config, with slashes, sorted.
    pub fn groups(&self) -> Vec<String> {
        let mut groups = BTreeSet::new();
        self.collect_groups("", &mut groups, 0);
        groups.into_iter().collect()
    }

    /// The config groups without Hydra's own.
    pub(super) fn own_groups(&self) -> Vec<String> {
        let groups = self.groups().into_iter();
        groups.filter(|group| group != "hydra" && !group.starts_with("hydra/")).collect()
    }

    fn collect_groups(&self, parent: &str, groups: &mut BTreeSet<String>, depth: usize) {
        // A directory that links to itself must not go on for ever.
        const DEEPEST: usize = 16;
        let (configs, directories) = self.list(parent);
        if !parent.is_empty() && !configs.is_empty() {
            groups.insert(parent.to_owned());
        }
        if depth < DEEPEST {
            for directory in directories {
                let group = if parent.is_empty() { directory } else { format!("{parent}/{directory}") };
                self.collect_groups(&group, groups, depth + 1);
            }
        }
    }

    /// The options of a group, sorted; empty for what is no group.
    pub fn options(&self, group: &str) -> Vec<String> {
        self.list(group).0.into_iter().collect()
    }

    /// The configs and the directories directly below a group.
    fn list(&self, group: &str) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut configs, mut directories) = (BTreeSet::new(), BTreeSet::new());
        let prefix = if group.is_empty() { String::new() } else { format!("{group}/") };
        let mut add = |path: &str| {
            let Some(rest) = path.strip_prefix(&prefix) else { return };
            match rest.split_once('/') {
                Some((directory, _)) => directories.insert(directory.to_owned()),
                None => configs.insert(rest.strip_suffix(".yaml").unwrap_or(rest).to_owned()),
            };
        };
        hydra_node::builtin_paths().for_each(&mut add);
        for entry in &self.entries {
            if let Root::Memory(files) = &entry.root {
                files.keys().filter(|path| path.ends_with(".yaml")).for_each(|path| add(path));
            }
        }
        for entry in &self.entries {
            let Root::Directory(directory) = &entry.root else { continue };
            let Ok(children) = std::fs::read_dir(directory.join(group)) else { continue };
            for child in children.flatten() {
                let Ok(name) = child.file_name().into_string() else { continue };
                let path = child.path();
                if path.is_dir() {
                    if name != "__pycache__" {
                        directories.insert(name);
                    }
                } else if let Some(name) = name.strip_suffix(".yaml").filter(|_| path.is_file()) {
                    configs.insert(name.to_owned());
                }
            }
        }
        (configs, directories)
    }

    /// Whether there is a directory by this name.
    pub(super) fn is_group(&self, group: &str) -> bool {
        let prefix = format!("{group}/");
        let below = |path: &str| group.is_empty() || path.starts_with(&prefix);
        hydra_node::builtin_paths().any(below)
            || self.entries.iter().any(|entry| match &entry.root {
                Root::Directory(directory) => directory.join(group).is_dir(),
                Root::Memory(files) => files.keys().any(|path| below(path)),
                Root::Unavailable => false,
            })
    }

    /// Whether there is a config by this path.
    pub(super) fn is_config(&self, config_path: &str) -> bool {
        self.find(config_path).is_some()
    }

    /// A file that would be this config if it did not end in `.yml` or nothing.
    pub(super) fn with_other_ending(&self, config_path: &str) -> Option<String> {
        let exists = |path: &String| {
            self.entries.iter().any(|entry| match &entry.root {
                Root::Directory(directory) => directory.join(path).is_file(),
                Root::Memory(files) => files.contains_key(path),
                Root::Unavailable => false,
            })
        };
        [".yml", ".YAML", ".YML", ""].map(|ending| format!("{config_path}{ending}")).into_iter().find(exists)
    }

    fn find(&self, config_path: &str) -> Option<Found<'_>> {
        if let Some(text) = hydra_node::packaged(config_path) {
            return Some(Found::Builtin(text));
        }
        let is_file_name =
            config_path.ends_with(".yaml") || self.version_base.is_legacy() && config_path.ends_with(".yml");
        let relative = if is_file_name { config_path.to_owned() } else { format!("{config_path}.yaml") };
        let file = self.entries.iter().find_map(|entry| match &entry.root {
            Root::Directory(directory) => {
                let absolute = directory.join(&relative);
                absolute.is_file().then(|| Found::File { relative: relative.clone(), absolute })
            }
            Root::Memory(files) => files.get(&relative).map(|text| Found::Memory { relative: relative.clone(), text }),
            Root::Unavailable => None,
        });
        file.or_else(|| hydra_node::stored(config_path).map(|stored| Found::Builtin(stored.text)))
    }
}

enum Found<'a> {
    Builtin(&'static str),
    File { relative: String, absolute: PathBuf },
    Memory { relative: String, text: &'a str },
}

/// A file that took part in a composition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path below its directory of the search path, with slashes, e.g. `trainer/fast.yaml`.
    pub path: String,
    /// Where it lies; `None` for a tree in memory.
    pub absolute: Option<PathBuf>,
    /// How many bytes were read.
    pub size: u64,
    /// Their BLAKE3.
    pub blake3: Hash,
}

impl SourceFile {
    pub(super) fn new(path: String, absolute: Option<PathBuf>, bytes: &[u8]) -> Self {
        Self { path, absolute, size: bytes.len() as u64, blake3: blake3::hash(bytes) }
    }
}

/// A config as loaded.
#[derive(Debug, Clone)]
pub(super) struct LoadedConfig {
    /// The config without its defaults list.
    pub(super) body: Located,
    /// The defaults list, or what is wrong with it.
    pub(super) defaults: Result<Vec<defaults_entry::Entry>, ConfigError>,
    /// The `# @package` header.
    pub(super) package: Option<String>,
    /// The file for origins; `None` for Hydra's own.
    pub(super) file: Option<String>,
    /// The text itself, for lints; empty for Hydra's own.
    pub(super) text: String,
}

/// The configs of a search path, each read once.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) search_path: SearchPath,
    cache: BTreeMap<String, Option<Rc<LoadedConfig>>>,
    sources: Vec<SourceFile>,
}

impl Repository {
    pub(super) fn new(search_path: SearchPath) -> Self {
        Self { search_path, cache: BTreeMap::new(), sources: Vec::new() }
    }

    /// The files that were read, in their order.
    pub(super) fn sources(&self) -> &[SourceFile] {
        &self.sources
    }

    /// A config by its path; `None` when there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Read`], [`ErrorKind::Header`], and what loading YAML fails with.
    pub(super) fn load(&mut self, config_path: &str) -> Result<Option<Rc<LoadedConfig>>, ConfigError> {
        if let Some(loaded) = self.cache.get(config_path) {
            return Ok(loaded.clone());
        }
        let loaded = self.load_uncached(config_path)?;
        self.cache.insert(config_path.to_owned(), loaded.clone());
        Ok(loaded)
    }

    fn load_uncached(&mut self, config_path: &str) -> Result<Option<Rc<LoadedConfig>>, ConfigError> {
        let (text, shown, source) = match self.search_path.find(config_path) {
            None => return Ok(None),
            Some(Found::Builtin(text)) => return Ok(Some(builtin(config_path, text)?)),
            Some(Found::Memory { relative, text }) => {
                let source = SourceFile::new(relative.clone(), None, text.as_bytes());
                (text.to_owned(), Some(relative), Some(source))
            }
            Some(Found::File { relative, absolute }) => {
                let text = read(&absolute)?;
                let shown = absolute.display().to_string();
                let source = SourceFile::new(normalized(&relative), Some(absolute), text.as_bytes());
                (text, Some(shown), Some(source))
            }
        };
        let place = |error: ConfigError| error.in_file(shown.as_deref().unwrap_or(config_path));
        let loaded = LoadedConfig::of_text(&text, shown.clone(), self.search_path.version_base).map_err(place)?;
        self.sources.extend(source);
        Ok(Some(Rc::new(LoadedConfig { text, ..loaded })))
    }
}

impl LoadedConfig {
    /// Parses a config without keeping its text.
    fn of_text(text: &str, file: Option<String>, base: VersionBase) -> Result<Self, ConfigError> {
        let package = package_header(text)?;
        let mut body = yaml::load(text)?;
        let defaults = take_defaults(file.as_deref(), &mut body, base);
        Ok(Self { body, defaults, package, file, text: String::new() })
    }
}

/// One of Hydra's own configs. Every composition needs some ten of these constants: a thread parses each once.
fn builtin(config_path: &str, text: &'static str) -> Result<Rc<LoadedConfig>, ConfigError> {
    thread_local! {
        static PARSED: RefCell<BTreeMap<String, Rc<LoadedConfig>>> = const { RefCell::new(BTreeMap::new()) };
    }
    if let Some(loaded) = PARSED.with_borrow(|parsed| parsed.get(config_path).cloned()) {
        return Ok(loaded);
    }
    let loaded = Rc::new(LoadedConfig::of_text(text, None, VersionBase::default())?);
    PARSED.with_borrow_mut(|parsed| parsed.insert(config_path.to_owned(), Rc::clone(&loaded)));
    Ok(loaded)
}

/// Slashes on every system, and no `.` parts.
fn normalized(relative: &str) -> String {
    let parts = Path::new(relative).components().filter(|part| !matches!(part, Component::CurDir));
    parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let bytes = file::read(path)?;
    String::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let before = String::from_utf8_lossy(valid);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let hint = Some("save the file as UTF-8".to_owned());
        let location = Location { file: path.display().to_string(), line, column };
        let message = format!("expected UTF-8, got the byte {:#04x}", rest[0]);
        ConfigError::new(ErrorKind::Read, message).at(Some(location)).with_hint(hint)
    })
}

/// The package named in the comment lines at the top of a file.
///
/// Only the first 512 characters count; blank lines may come before, other comments may not.
fn package_header(text: &str) -> Result<Option<String>, ConfigError> {
    // Two characters may become one.
    let head: String = text.chars().take(2 * 512).collect();
    let head: String = head.replace("\r\n", "\n").replace('\r', "\n").chars().take(512).collect();
    let is_line_end =
        |ch: char| matches!(ch, '\n' | '\u{0b}' | '\u{0c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut package = None;
    for (index, line) in head.split(is_line_end).enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if !is_header_line(line) {
            break;
        }
        let line = line.trim_start_matches('#').trim();
        let parts: Vec<&str> = line.split(' ').filter(|part| !part.is_empty()).collect();
        let [key, value] = parts.as_slice() else {
            let message = format!("expected a header of the form \"@key value\", got {line:?}");
            let location = Location { file: String::new(), line: index + 1, column: 1 };
            let hint = Some("write `# @package a.b` or `# @package _global_`, nothing else on that line".to_owned());
            return Err(ConfigError::new(ErrorKind::Header, message).at(Some(location)).with_hint(hint));
        };
        if key.trim() == "@package" {
            package = Some(value.trim().to_owned());
        }
    }
    Ok(package)
}

/// Whether a trimmed line can belong to the header of a file.
pub(super) fn is_header_line(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| rest.trim_start().starts_with('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_counts_only_before_other_comments() {
        let package = |text: &str| package_header(text).expect("a legal header");
        assert_eq!(package("\n\n# @package a.b\nx: 1\n"), Some("a.b".to_owned()));
        assert_eq!(package("#@package _global_\n"), Some("_global_".to_owned()));
        assert_eq!(package("# about\n# @package a\n"), None);
        assert_eq!(package(&format!("{}# @package a\n", "\n".repeat(512))), None);
        assert_eq!(package_header("# @package a b\n").expect_err("too many").kind(), ErrorKind::Header);
    }

    #[test]
    fn groups_and_options_come_from_every_root() {
        let files = [("model/a.yaml", ""), ("model/deep/b.yaml", ""), ("train.yaml", ""), ("model/notes.txt", "")];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        let search_path = SearchPath::new().memory("main", files);
        assert_eq!(search_path.options("model"), ["a"]);
        assert!(search_path.groups().contains(&"model/deep".to_owned()));
        assert!(search_path.groups().contains(&"hydra/job_logging".to_owned()));
        assert!(search_path.is_group("model") && !search_path.is_group("train"));
    }
}
