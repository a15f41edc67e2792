//! Paths chosen by patterns of gitignore's kind.

use std::fmt;

use gix_ignore::Search;
use gix_ignore::glob::pattern::Case;

/// Which files count, as patterns of gitignore's kind: a name alone counts in every folder, a folder with all below it,
/// `!` before a pattern takes back what those before it said.
#[derive(Clone)]
pub struct PathPatterns {
    /// `None` for all.
    patterns: Option<Search>,
}

impl PathPatterns {
    /// Every path counts.
    pub fn all() -> Self {
        Self { patterns: None }
    }

    /// `None` when one of them is no pattern: empty, a comment, several lines.
    pub fn parse(patterns: &[String]) -> Option<Self> {
        let is_pattern = |pattern: &String| {
            let text = pattern.trim();
            !text.is_empty() && !text.starts_with('#') && !text.contains(['\n', '\r', '\0'])
        };
        if !patterns.iter().all(is_pattern) {
            return None;
        }
        let mut search = Search::default();
        search.add_patterns_buffer(patterns.join("\n").as_bytes(), "", None, Default::default()).ok()?;
        Some(Self { patterns: Some(search) })
    }

    /// Whether the file at `path` counts: components joined by `/`.
    pub fn matches(&self, path: &str) -> bool {
        let Some(search) = &self.patterns else { return true };
        // Of the file and the folders around it, the innermost that a pattern names decides.
        let ends = path.rmatch_indices('/').map(|(at, _)| (at, true));
        let verdict = [(path.len(), false)].into_iter().chain(ends).find_map(|(end, is_folder)| {
            search.pattern_matching_relative_path(path[..end].into(), Some(is_folder), Case::Sensitive)
        });
        verdict.is_some_and(|found| !found.pattern.is_negative())
    }
}

impl fmt::Debug for PathPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.patterns.is_some() { "PathPatterns" } else { "PathPatterns::all()" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_as_gitignore_does() {
        let chosen = |patterns: &[&str], path: &str| {
            let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            PathPatterns::parse(&patterns).expect("patterns").matches(path)
        };
        assert!(chosen(&["*.pt"], "model.pt") && chosen(&["*.pt"], "a/b/model.pt"));
        assert!(!chosen(&["/*.pt"], "a/model.pt") && !chosen(&["*.pt"], "model.csv"));
        assert!(chosen(&["checkpoints/"], "checkpoints/1/model.pt") && !chosen(&["checkpoints/"], "checkpoints"));
        assert!(!chosen(&["*", "!*.log"], "a.log") && chosen(&["*", "!*.log"], "a.pt"));
        assert!(!chosen(&["out/", "!out/*.log"], "out/a.log") && chosen(&["out/", "!out/*.log"], "out/a.pt"));
        assert!(chosen(&["a/**/c"], "a/x/y/c") && !chosen(&[], "a"));
        assert!(PathPatterns::all().matches("anything"));
    }
}
