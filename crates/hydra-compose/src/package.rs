//! `pkg://a.b` of a search path: the folder of a Python package, found as Python finds it.

use std::path::{Path, PathBuf};

/// The folder of a package below the first of the `roots` that has it, and whether Hydra takes it for one: it wants an
/// `__init__.py`, and reads from a folder without one with a warning. Slashes may stand for dots.
///
/// `None` where there is no such package, or a module has its name.
pub(super) fn find(package: &str, roots: &[PathBuf]) -> Option<(PathBuf, bool)> {
    let package = package.replace('/', ".");
    let mut folders = roots.to_vec();
    for name in package.trim_end_matches('.').split('.') {
        // An absolute name, or one that leads upwards, is no identifier.
        if name.is_empty() || name.contains(std::path::is_separator) {
            return None;
        }
        folders = below(&folders, name);
    }
    let folder = folders.into_iter().next()?;
    let is_regular = is_regular(&folder);
    Some((folder, is_regular))
}

/// The folders that a package of this name has: one with an `__init__.py`, or else all there are.
fn below(folders: &[PathBuf], name: &str) -> Vec<PathBuf> {
    let mut namespace = Vec::new();
    for folder in folders {
        let candidate = folder.join(name);
        if is_regular(&candidate) {
            return vec![candidate];
        }
        if folder.join(format!("{name}.py")).is_file() {
            return Vec::new();
        }
        if candidate.is_dir() {
            namespace.push(candidate);
        }
    }
    namespace
}

fn is_regular(folder: &Path) -> bool {
    folder.join("__init__.py").is_file()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_regular_package_wins_over_a_namespace_and_a_module_over_what_comes_later() {
        let root = tempfile::tempdir().expect("a folder");
        let (first, second) = (root.path().join("first"), root.path().join("second"));
        for (folder, file) in [("first/shapes", "x.yaml"), ("second/shapes", "__init__.py"), ("second/plain", "y.yaml")]
        {
            fs::create_dir_all(root.path().join(folder)).expect("a folder");
            fs::write(root.path().join(folder).join(file), "").expect("a file");
        }
        fs::write(first.join("module.py"), "").expect("a file");
        fs::create_dir_all(second.join("module")).expect("a folder");
        let roots = [first, second.clone()];
        assert_eq!(find("shapes", &roots), Some((second.join("shapes"), true)));
        assert_eq!(find("plain", &roots), Some((second.join("plain"), false)));
        assert_eq!(find("plain/", &roots), find("plain", &roots));
        for absent in ["module", "none", "", ".shapes", "shapes..x", "shapes.none"] {
            assert_eq!(find(absent, &roots), None, "{absent}");
        }
    }
}
