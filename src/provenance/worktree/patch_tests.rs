//! Patches that the `git` program applies to a clean clone, which then has the bytes of the dirty tree.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use super::tests::{Repo, git};
use super::*;

/// Everything below a directory but `.git`: path, mode of files, content or target.
fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut files = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.file_name() == Some(OsStr::new(".git")) {
                continue;
            }
            let metadata = fs::symlink_metadata(&path).expect("there");
            let relative = path.strip_prefix(root).expect("below the root").to_owned();
            if metadata.is_dir() {
                pending.push(path);
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).expect("a symlink");
                files.insert(relative, (0o120000, target.as_os_str().as_bytes().to_vec()));
            } else {
                let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o100644 } else { 0o100755 };
                files.insert(relative, (mode, fs::read(&path).expect("a file")));
            }
        }
    }
    files
}

/// Applies the patch of a dirty tree to a clean clone, compares both, and yields the patch.
fn assert_reproduced(repo: &Repo, reads: &[PathBuf]) -> Vec<u8> {
    let (record, patch) = read_with_patch(repo.path(), reads).expect("readable").expect("a repository");
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let source = repo.path().to_str().expect("UTF-8");
    git(elsewhere.path(), &["clone", "-q", "--recurse-submodules", source, "clone"]);
    let clone = elsewhere.path().join("clone");
    let file = elsewhere.path().join("uncommitted.patch");
    fs::write(&file, &patch).expect("a file");
    if !patch.is_empty() {
        git(&clone, &["apply", "--binary", file.to_str().expect("UTF-8")]);
    }
    assert_eq!(tree(&clone), tree(repo.path()), "{}", patch.escape_ascii());
    let there = read(&clone, &[]).expect("readable").expect("a repository");
    assert_eq!((there.difference, there.changed), (record.difference, record.changed));
    patch
}

fn file(repo: &Repo, path: &[u8], content: &[u8]) {
    let path = repo.path().join(OsStr::from_bytes(path));
    fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
    fs::write(path, content).expect("a file");
}

#[test]
fn a_clean_tree_has_no_patch() {
    let repo = Repo::new();
    repo.write("untracked", "");
    repo.write("x.log", "");
    let (_, patch) = read_with_patch(repo.path(), &[]).expect("readable").expect("a repository");
    assert_eq!(patch, b"");
}

#[test]
fn every_kind_of_change_is_reproduced() {
    let repo = Repo::new();
    for path in ["text", "binary", "gone", "emptied", "filled", "mode", "both", "to-link", "b", "crlf", "unended"] {
        repo.write(path, if path == "filled" { "" } else { "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n" });
    }
    repo.write("folder", "");
    repo.write("gone-empty", "");
    file(&repo, b"gone-binary", b"\0\x01");
    for (name, target) in [("link", "text"), ("to-file", "text"), ("gone-link", "nowhere")] {
        symlink(target, repo.path().join(name)).expect("a symlink");
    }
    repo.commit();
    repo.write("text", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n");
    file(&repo, b"binary", b"\0\xff\n");
    for gone in ["gone", "gone-empty", "gone-binary", "gone-link", "to-file", "to-link", "link", "folder"] {
        fs::remove_file(repo.path().join(gone)).expect("a file");
    }
    repo.write("emptied", "");
    repo.write("filled", "a\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(repo.path().join("mode"), executable.clone()).expect("a file");
    repo.write("both", "1\n");
    fs::set_permissions(repo.path().join("both"), executable).expect("a file");
    symlink("dir/b", repo.path().join("link")).expect("a symlink");
    symlink("b", repo.path().join("to-link")).expect("a symlink");
    repo.write("to-file", "text");
    repo.write("crlf", "1\r\n2\n3\r\n");
    repo.write("unended", "1\n2\nlast");
    repo.write("folder/new", "in place of a file\n");
    repo.write("new", "new\n");
    file(&repo, b"new-binary", &[0; 1000]);
    repo.git(&["add", "--intent-to-add", "folder/new", "new", "new-binary"]);
    assert_reproduced(&repo, &[]);
}

#[test]
fn unusual_names_are_reproduced() {
    let repo = Repo::new();
    let names: [&[u8]; 10] = [
        b"a b",
        b" leading and trailing ",
        b"line\nbreak",
        b"tab\there",
        b"quote\"back\\slash",
        b"\xff\xfe",
        "größe/日本".as_bytes(),
        b"-dash",
        b"x y/c d b/c d",
        b"\x1b[2J",
    ];
    for name in names {
        file(&repo, name, b"1\n");
    }
    repo.commit();
    for (index, name) in names.into_iter().enumerate() {
        match index % 3 {
            0 => file(&repo, name, b"2\n"),
            1 => file(&repo, name, b"\0"),
            _ => fs::remove_file(repo.path().join(OsStr::from_bytes(name))).expect("a file"),
        }
    }
    let record = repo.read();
    assert!(record.changed.contains(&r"line\nbreak".to_owned()), "{:?}", record.changed);
    assert_reproduced(&repo, &[]);
}

#[test]
fn changes_inside_a_submodule_are_reproduced() {
    let (inner, outer) = (Repo::new(), Repo::new());
    outer.git(&["submodule", "--quiet", "add", inner.path().to_str().expect("UTF-8"), "sub dir/sub"]);
    outer.commit();
    outer.write("a", "2\n");
    outer.write("sub dir/sub/a", "2\n");
    fs::remove_file(outer.path().join("sub dir/sub/dir/b")).expect("a file");
    let patch = assert_reproduced(&outer, &[]);
    assert!(patch.windows(15).any(|part| part == b"b/sub dir/sub/a"), "{}", patch.escape_ascii());
}

#[test]
fn an_untracked_file_that_the_run_read_is_kept_and_others_are_not() {
    let repo = Repo::new();
    repo.write("mine.yaml", "lr: 1\n");
    let reads = [repo.path().join("mine.yaml")];
    let patch = assert_reproduced(&repo, &reads);
    assert!(patch.starts_with(b"diff --git a/mine.yaml b/mine.yaml\nnew file mode 100644\n"));
    // A key lies about, and another is ignored and even read: neither is published with the run.
    repo.write("key.pem", "secret");
    repo.write("secret.log", "secret");
    let reads = [&reads[..], &[repo.path().join("secret.log")]].concat();
    let (record, again) = read_with_patch(repo.path(), &reads).expect("readable").expect("a repository");
    assert_eq!((again, record.read_ignored), (patch, vec!["secret.log".to_owned()]));
}

#[test]
fn a_patch_that_would_be_too_large_is_refused() {
    let repo = Repo::new();
    let path = repo.path().join("a");
    let large = fs::File::options().write(true).open(path).expect("a file");
    large.set_len(MAX_PATCH_BYTES + 1).expect("a sparse file");
    assert!(matches!(read_with_patch(repo.path(), &[]), Err(GitError::PatchTooLarge { .. })));
    assert_eq!(repo.changed(), ["a"], "it is compared all the same");
}

/// Content that a diff may stumble over: few different lines, no last line end, carriage returns, sometimes a NUL.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let line =
        prop::sample::select(vec!["a\n", "b\n", "c\n", "a\r\n", "\n", "-- \n", "+++ b\n", "\\ x\n", "é\n", "\r"]);
    let text = prop::collection::vec(line, 0..40).prop_map(|lines| lines.concat().into_bytes());
    let tail = prop::sample::select(vec![&b""[..], b"end", b"\0", b"\xff"]);
    (text, tail).prop_map(|(text, tail)| [&text[..], tail].concat())
}

/// What becomes of a file.
fn fate() -> impl Strategy<Value = (Option<Vec<u8>>, bool)> {
    (prop::option::weighted(0.8, content()), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_dirty_trees_are_reproduced(files in prop::collection::vec((fate(), fate()), 1..24)) {
        let repo = Repo::new();
        let write = |index: usize, (content, is_executable): &(Option<Vec<u8>>, bool)| {
            let path = repo.path().join(format!("{}/f {index}", index % 3));
            match content {
                None => drop(fs::remove_file(path)),
                Some(content) => {
                    fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
                    fs::write(&path, content).expect("a file");
                    let mode = if *is_executable { 0o755 } else { 0o644 };
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a file");
                }
            }
        };
        files.iter().enumerate().for_each(|(index, (before, _))| write(index, before));
        repo.git(&["add", "-A"]);
        repo.git(&["commit", "-q", "--allow-empty", "-m", "before"]);
        files.iter().enumerate().for_each(|(index, (_, after))| write(index, after));
        repo.git(&["add", "-A", "--intent-to-add"]);
        assert_reproduced(&repo, &[]);
    }
}
