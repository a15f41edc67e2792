//! `.dvcignore`: the files below a directory that DVC does not count to it.
//!
//! Git's rules, as DVC takes them: the files from DVC's root down to the directory that holds the output count, the
//! deepest first; whitespace around a line does not count; a directory that is left out is left out with all below it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use gix_ignore::Search;
use gix_ignore::glob::pattern::Case;

/// Largest `.dvcignore` that is read.
const MAX_BYTES: u64 = 1 << 20;

/// What DVC leaves out without being told.
const ALWAYS: &str = ".hg/\n.git/\n.git\n.dvc/\n";

/// The rules for one output.
pub(super) struct IgnoreRules {
    /// Of each folder from DVC's root downwards: the length of its own path with the `/` behind it, and its patterns.
    levels: Vec<(usize, Search)>,
    /// The output's own path below DVC's root, with a `/` behind it unless it is empty.
    prefix: String,
}

impl IgnoreRules {
    /// Reads the rules for the output that lies at `output` below `top`.
    ///
    /// # Errors
    /// Whatever reading a file fails with.
    pub(super) fn of(top: &Path, output: &str) -> io::Result<Self> {
        let mut levels = vec![(0, parsed(ALWAYS)?)];
        let folders = std::iter::once(0).chain(output.match_indices('/').map(|(at, _)| at + 1));
        for start in folders.filter(|_| !output.is_empty()) {
            let path = top.join(&output[..start]).join(".dvcignore");
            if path.symlink_metadata().is_ok_and(|found| found.is_file()) {
                let mut text = String::new();
                File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
                levels.push((start, parsed(&text)?));
            }
        }
        let prefix = if output.is_empty() { String::new() } else { format!("{output}/") };
        Ok(Self { levels, prefix })
    }

    /// Whether the file at `path` below the output is left out.
    pub(super) fn leave_out(&self, path: &str) -> bool {
        let path = format!("{}{path}", self.prefix);
        let mut ends = path.match_indices('/').map(|(at, _)| (at, true)).chain([(path.len(), false)]);
        ends.any(|(end, is_directory)| {
            let verdict = self.levels.iter().rev().find_map(|(start, rules)| {
                let below = path.get(*start..end).filter(|below| !below.is_empty())?;
                rules.pattern_matching_relative_path(below.into(), Some(is_directory), Case::Sensitive)
            });
            verdict.is_some_and(|found| !found.pattern.is_negative())
        })
    }
}

fn parsed(text: &str) -> io::Result<Search> {
    let lines: String = text.lines().flat_map(|line| [line.trim(), "\n"]).collect();
    let mut rules = Search::default();
    rules.add_patterns_buffer(lines.as_bytes(), "", None, Default::default())?;
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out<'a>(files: &[(&str, &str)], output: &str, paths: &[&'a str]) -> Vec<&'a str> {
        let top = tempfile::tempdir().expect("a temporary directory");
        for (folder, text) in files {
            std::fs::create_dir_all(top.path().join(folder)).expect("a folder");
            std::fs::write(top.path().join(folder).join(".dvcignore"), text).expect("a file");
        }
        let rules = IgnoreRules::of(top.path(), output).expect("rules");
        paths.iter().copied().filter(|path| rules.leave_out(path)).collect()
    }

    #[test]
    fn patterns_leave_out_files_and_whole_directories() {
        let rules = "# a comment\n  *.tmp  \nscratch/\n!keep.tmp\n/data/only here\n";
        let paths = ["a.tmp", "b/a.tmp", "keep.tmp", "scratch/keep.tmp", "scratch", "only here", "b/only here"];
        assert_eq!(left_out(&[("", rules)], "data", &paths), ["a.tmp", "b/a.tmp", "scratch/keep.tmp", "only here"]);
    }

    #[test]
    fn the_deeper_file_decides_and_its_patterns_start_at_its_folder() {
        let files = [("", "*.csv\n"), ("a", "!b/x.csv\n/b/y\n")];
        assert_eq!(left_out(&files, "a/b", &["x.csv", "z.csv", "y", "c/y"]), ["z.csv", "y"]);
    }

    #[test]
    fn the_own_folders_of_dvc_and_git_are_left_out_always() {
        assert_eq!(left_out(&[], "data", &[".dvc/x", "a/.git/x", ".hg/x", "x.dvc"]), [".dvc/x", "a/.git/x", ".hg/x"]);
    }
}
