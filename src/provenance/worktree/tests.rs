//! Real repositories, made by the `git` program, each with one way of hiding an edit.

use std::fs::File;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::*;

/// A repository with one commit, in a directory of its own.
pub(crate) struct Repo(tempfile::TempDir);

const FILES: [(&str, &str); 4] =
    [("a", "1\n"), ("dir/b", "2\n"), ("dir/c", "3\n"), (".gitignore", "*.log\n/ignored/\n")];

impl Repo {
    pub(crate) fn new() -> Self {
        Self::in_format("sha1")
    }

    pub(crate) fn in_format(format: &str) -> Self {
        let repo = Self(tempfile::tempdir().expect("a temporary directory"));
        repo.git(&["init", "-q", "-b", "main", &format!("--object-format={format}")]);
        for (path, content) in FILES {
            repo.write(path, content);
        }
        repo.commit();
        repo
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(self.path(), args)
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
        fs::write(path, content).expect("a file");
    }

    pub(crate) fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "a commit"]);
    }

    pub(crate) fn read(&self) -> GitRecord {
        read(self.path(), &[]).expect("a readable repository").expect("a repository")
    }

    /// The paths that differ, after checking that the record agrees with itself.
    pub(crate) fn changed(&self) -> Vec<String> {
        let record = self.read();
        assert!(record.is_consistent(), "{record:?}");
        record.changed
    }

    /// The untracked files of a work tree that is clean all the same.
    pub(crate) fn untracked(&self) -> Vec<String> {
        let record = self.read();
        assert!(record.is_consistent() && record.clean, "{record:?}");
        record.untracked
    }

    /// Checks that git is deceived, otherwise a test would show nothing.
    pub(crate) fn assert_git_sees_nothing(&self) {
        assert_eq!(self.git(&["status", "--porcelain"]), "");
    }
}

/// Runs git in a directory, apart from any configuration and variable of the machine.
pub(crate) fn git(directory: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_CONFIG_COUNT"] {
        command.env_remove(name);
    }
    let output = command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"])
        .args(args)
        .current_dir(directory)
        .output()
        .expect("the git program");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
}

#[test]
fn a_fresh_commit_is_clean_and_named_as_git_names_it() {
    let repo = Repo::new();
    let record = repo.read();
    assert_eq!(record.commit.as_str(), repo.git(&["rev-parse", "HEAD"]));
    assert_eq!(record.tree.as_str(), repo.git(&["rev-parse", "HEAD^{tree}"]));
    assert_eq!(record.branch.as_deref(), Some("main"));
    assert!(record.clean && record.is_consistent(), "{record:?}");
}

#[test]
fn a_packed_repository_is_read() {
    let repo = Repo::new();
    let before = repo.read();
    repo.git(&["gc", "-q"]);
    repo.git(&["pack-refs", "--all"]);
    assert_eq!(repo.read(), before);
}

#[test]
fn a_detached_head_has_no_branch() {
    let repo = Repo::new();
    repo.git(&["checkout", "-q", "--detach"]);
    assert_eq!(repo.read().branch, None);
}

#[test]
fn a_directory_outside_any_repository_has_no_record() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(read(directory.path(), &[]).expect("a readable directory"), None);
}

#[test]
fn a_missing_directory_is_an_error() {
    assert!(matches!(read(Path::new("/nonexistent"), &[]), Err(GitError::Read { .. })));
}

#[test]
fn a_repository_without_a_commit_is_an_error() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    git(directory.path(), &["init", "-q"]);
    assert!(matches!(read(directory.path(), &[]), Err(GitError::NoCommit { .. })));
}

#[test]
fn a_broken_repository_is_an_error() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(directory.path().join(".git")).expect("a directory");
    assert!(matches!(read(directory.path(), &[]), Err(GitError::Repository { .. })));
}

#[test]
fn an_edit_is_found_from_any_directory_of_the_work_tree() {
    let repo = Repo::new();
    repo.write("a", "2\n");
    let record = read(&repo.path().join("dir"), &[]).expect("a readable repository").expect("a repository");
    assert_eq!(record.changed, ["a"]);
}

#[test]
fn an_edit_that_is_staged_is_found() {
    let repo = Repo::new();
    repo.write("a", "2\n");
    repo.git(&["add", "a"]);
    assert_eq!(repo.changed(), ["a"]);
}

#[test]
fn an_edit_that_keeps_size_and_time_is_found() {
    let repo = Repo::new();
    repo.git(&["config", "core.trustctime", "false"]);
    repo.git(&["config", "core.checkStat", "minimal"]);
    let path = repo.path().join("a");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let set_time =
        || File::options().write(true).open(&path).and_then(|file| file.set_modified(long_ago)).expect("a file");
    set_time();
    repo.git(&["update-index", "--refresh"]);
    repo.write("a", "2\n");
    set_time();
    repo.assert_git_sees_nothing();
    assert_eq!(repo.changed(), ["a"]);
}

#[test]
fn an_edit_behind_assume_unchanged_is_found() {
    let repo = Repo::new();
    repo.git(&["update-index", "--assume-unchanged", "a"]);
    repo.write("a", "another\n");
    repo.assert_git_sees_nothing();
    assert_eq!(repo.changed(), ["a"]);
}

#[test]
fn an_edit_behind_skip_worktree_is_found() {
    let repo = Repo::new();
    repo.git(&["update-index", "--skip-worktree", "dir/b"]);
    repo.write("dir/b", "another\n");
    repo.assert_git_sees_nothing();
    assert_eq!(repo.changed(), ["dir/b"]);
}

#[test]
fn an_edit_behind_a_local_attribute_is_found() {
    let repo = Repo::new();
    // git would strip the carriage return before it compares.
    fs::write(repo.path().join(".git/info/attributes"), "* text eol=lf\n").expect("a file");
    repo.write("a", "1\r\n");
    repo.git(&["add", "a"]);
    repo.assert_git_sees_nothing();
    assert_eq!(repo.changed(), ["a"]);
}

#[test]
fn a_filter_program_of_the_repository_is_not_run() {
    let repo = Repo::new();
    let witness = repo.path().join(".git/witness");
    repo.write(".gitattributes", "a filter=evil\n");
    repo.commit();
    repo.git(&["config", "filter.evil.clean", &format!("touch {}; cat", witness.display())]);
    repo.git(&["config", "filter.evil.process", &format!("touch {}", witness.display())]);
    repo.git(&["config", "filter.evil.required", "true"]);
    repo.git(&["config", "diff.evil.textconv", &format!("touch {}; cat", witness.display())]);
    repo.git(&["config", "diff.external", &format!("touch {}", witness.display())]);
    repo.git(&["config", "core.fsmonitor", &format!("touch {}", witness.display())]);
    repo.git(&["config", "core.hooksPath", &repo.path().join("dir").display().to_string()]);
    repo.write("a", "2\n");
    assert_eq!(repo.changed(), ["a"]);
    let (record, patch) = read_with_patch(repo.path(), &[]).expect("readable").expect("a repository");
    assert_eq!(record, repo.read());
    assert!(patch.windows(4).any(|lines| lines == b"\n+2\n"), "{}", patch.escape_ascii());
    assert!(!witness.exists());
}

#[test]
fn an_included_configuration_file_is_not_read() {
    let repo = Repo::new();
    let elsewhere = Repo::new();
    repo.write("included", &format!("[core]\n\tworktree = {}\n\tbare = true\n", elsewhere.path().display()));
    repo.git(&["add", "included"]);
    repo.git(&["commit", "-q", "-m", "a file"]);
    repo.git(&["config", "include.path", &repo.path().join("included").display().to_string()]);
    repo.write("a", "2\n");
    assert_eq!(repo.changed(), ["a"]);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_differ_in_case_only_are_two_files() {
    let repo = Repo::new();
    repo.write("A", "1\n");
    repo.commit();
    repo.git(&["config", "core.ignoreCase", "true"]);
    assert_eq!(repo.changed(), [""; 0]);
    repo.write("A", "2\n");
    assert_eq!(repo.changed(), ["A"]);
}

#[test]
fn an_object_that_cannot_be_inflated_is_an_error() {
    let repo = Repo::new();
    let id = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let object = repo.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
    fs::remove_file(&object).expect("a loose object");
    fs::write(&object, b"no zlib stream").expect("a file");
    assert!(matches!(read(repo.path(), &[]), Err(GitError::Repository { .. })));
}

#[test]
fn an_untracked_file_is_found() {
    let repo = Repo::new();
    repo.write("dir/new", "");
    repo.write("other/new", "");
    assert_eq!(repo.untracked(), ["dir/new", "other/new"]);
}

#[test]
fn an_untracked_file_in_a_repository_within_is_found() {
    let repo = Repo::new();
    repo.write("inner/x", "");
    git(&repo.path().join("inner"), &["init", "-q"]);
    assert_eq!(repo.untracked(), ["inner/x"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_is_almost_the_repository_is_found() {
    let repo = Repo::new();
    repo.write(".GIT/x", "");
    assert_eq!(repo.untracked(), [".GIT/x"]);
}

#[test]
fn ignored_files_do_not_count() {
    let repo = Repo::new();
    repo.write("x.log", "");
    repo.write("dir/y.log", "");
    repo.write("ignored/deep/z", "");
    fs::write(repo.path().join(".git/info/exclude"), "*.tmp\n").expect("a file");
    repo.write("x.tmp", "");
    assert_eq!(repo.changed(), [""; 0]);
    assert!(repo.read().clean);
}

#[test]
fn a_changed_ignore_list_is_itself_a_difference() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.log\n/ignored/\nnew\n");
    repo.write("new", "");
    assert_eq!(repo.changed(), [".gitignore"]);
}

#[test]
fn a_tracked_file_in_an_ignored_directory_counts() {
    let repo = Repo::new();
    repo.write("ignored/deep/kept", "1");
    repo.git(&["add", "-f", "ignored/deep/kept"]);
    repo.commit();
    repo.write("ignored/deep/other", "");
    assert_eq!(repo.changed(), [""; 0]);
    repo.write("ignored/deep/kept", "2");
    assert_eq!(repo.changed(), ["ignored/deep/kept"]);
}

#[test]
fn deleted_files_are_found() {
    let repo = Repo::new();
    fs::remove_dir_all(repo.path().join("dir")).expect("a directory");
    assert_eq!(repo.changed(), ["dir/b", "dir/c"]);
}

#[test]
fn a_file_in_place_of_a_directory_and_the_reverse_are_found() {
    let repo = Repo::new();
    fs::remove_dir_all(repo.path().join("dir")).expect("a directory");
    repo.write("dir", "");
    fs::remove_file(repo.path().join("a")).expect("a file");
    fs::create_dir(repo.path().join("a")).expect("a directory");
    assert_eq!(repo.changed(), ["a", "dir/b", "dir/c"]);
    assert_eq!(repo.read().untracked, ["dir"]);
}

#[cfg(unix)]
#[test]
fn a_changed_execute_bit_is_found() {
    use std::os::unix::fs::PermissionsExt;
    let repo = Repo::new();
    repo.git(&["config", "core.fileMode", "false"]);
    fs::set_permissions(repo.path().join("a"), fs::Permissions::from_mode(0o755)).expect("a file");
    repo.assert_git_sees_nothing();
    assert_eq!(repo.changed(), ["a"]);
}

#[cfg(unix)]
#[test]
fn symlinks_are_compared_by_target_and_never_followed() {
    use std::os::unix::fs::symlink;
    let repo = Repo::new();
    symlink("a", repo.path().join("link")).expect("a symlink");
    repo.commit();
    assert_eq!(repo.changed(), [""; 0]);
    fs::remove_file(repo.path().join("link")).expect("a symlink");
    symlink("dir/b", repo.path().join("link")).expect("a symlink");
    assert_eq!(repo.changed(), ["link"]);
    // A file with the target's text is the same blob, and no symlink.
    fs::remove_file(repo.path().join("link")).expect("a symlink");
    repo.write("link", "a");
    assert_eq!(repo.changed(), ["link"]);
}

#[cfg(unix)]
#[test]
fn a_directory_moved_behind_a_symlink_is_found() {
    let repo = Repo::new();
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    fs::rename(repo.path().join("dir"), elsewhere.path().join("dir")).expect("the same file system");
    std::os::unix::fs::symlink(elsewhere.path().join("dir"), repo.path().join("dir")).expect("a symlink");
    assert_eq!(repo.changed(), ["dir/b", "dir/c"]);
    assert_eq!(repo.read().untracked, ["dir"]);
}

#[cfg(unix)]
#[test]
fn a_special_file_is_found_and_never_opened() {
    let repo = Repo::new();
    let _socket = std::os::unix::net::UnixListener::bind(repo.path().join("socket")).expect("a socket");
    assert_eq!(repo.untracked(), ["socket"]);
}

#[test]
fn an_edit_behind_a_replaced_commit_is_found() {
    let repo = Repo::new();
    let first = repo.git(&["rev-parse", "HEAD"]);
    repo.write("a", "2\n");
    repo.commit();
    repo.git(&["update-ref", "refs/heads/other", "HEAD"]);
    repo.git(&["reset", "-q", "--soft", &first]);
    repo.git(&["replace", &first, "refs/heads/other"]);
    repo.assert_git_sees_nothing();
    let record = repo.read();
    assert_eq!(record.commit.as_str(), first);
    assert_eq!(record.changed, ["a"]);
    assert!(record.replaced);
}

#[test]
fn a_graft_is_recorded_and_changes_nothing() {
    let repo = Repo::new();
    let first = repo.read();
    assert!(!first.replaced);
    repo.write("a", "2\n");
    repo.commit();
    let head = repo.git(&["rev-parse", "HEAD"]);
    fs::create_dir_all(repo.path().join(".git/info")).expect("a directory");
    fs::write(repo.path().join(".git/info/grafts"), format!("{head}\n")).expect("a file");
    assert_eq!(repo.git(&["rev-list", "--count", "HEAD"]), "1", "git believes it");
    let record = repo.read();
    assert_eq!((record.commit.as_str(), record.clean, record.replaced), (head.as_str(), true, true));
}

#[test]
fn an_edit_behind_a_doctored_object_is_an_error() {
    let repo = Repo::new();
    let object = |name: &str| {
        let id = repo.git(&["rev-parse", name]);
        repo.path().join(".git/objects").join(&id[..2]).join(&id[2..])
    };
    let first = object("HEAD^{tree}");
    repo.write("a", "2\n");
    repo.commit();
    let second = object("HEAD^{tree}");
    repo.git(&["reset", "-q", "--soft", "HEAD^"]);
    fs::remove_file(&first).expect("a loose object");
    fs::copy(second, first).expect("a loose object");
    let error = read(repo.path(), &[]).expect_err("a tree that is another");
    assert!(matches!(error, GitError::Corrupt { expected: Kind::Tree, .. }), "{error}");
}

#[test]
fn a_clean_work_tree_elsewhere_does_not_vouch_for_this_one() {
    let (clean, dirty) = (Repo::new(), Repo::new());
    dirty.write("a", "2\n");
    let clean_path = clean.path().to_str().expect("UTF-8");
    dirty.git(&["config", "core.worktree", clean_path]);
    assert!(matches!(read(dirty.path(), &[]), Err(GitError::WorkTreeElsewhere { got: Some(_), .. })));
    dirty.git(&["config", "--unset", "core.worktree"]);
    dirty.git(&["config", "core.bare", "true"]);
    assert!(matches!(read(dirty.path(), &[]), Err(GitError::WorkTreeElsewhere { got: None, .. })));
}

#[test]
fn a_linked_work_tree_has_its_own_commit_and_bytes() {
    let repo = Repo::new();
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let linked = elsewhere.path().join("linked");
    repo.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().expect("UTF-8")]);
    fs::write(linked.join("a"), "2\n").expect("a file");
    let record = read(&linked, &[]).expect("a readable repository").expect("a repository");
    assert_eq!((record.branch.as_deref(), record.changed), (Some("side"), vec!["a".to_owned()]));
    git(&linked, &["commit", "-q", "-a", "-m", "a commit"]);
    let record = read(&linked, &[]).expect("a readable repository").expect("a repository");
    assert_eq!(record.commit.as_str(), git(&linked, &["rev-parse", "HEAD"]));
    assert!(record.clean);
    assert!(repo.read().clean);
    assert_ne!(repo.read().commit, record.commit);
}

#[test]
fn a_tree_of_more_files_than_fit_into_memory_is_refused() {
    let repo = Repo::new();
    // Three trees of 128 entries each name two million files.
    let mut id = repo.git(&["rev-parse", "HEAD:a"]);
    for kind in ["100644 blob", "040000 tree", "040000 tree"] {
        let lines: String = (0..128).map(|index| format!("{kind} {id}\t{index:03}\n")).collect();
        let list = repo.path().join(".git/list");
        fs::write(&list, lines).expect("a file");
        let output = Command::new("git")
            .env_remove("GIT_DIR")
            .args(["mktree"])
            .current_dir(repo.path())
            .stdin(File::open(&list).expect("a file"))
            .output()
            .expect("the git program");
        assert!(output.status.success());
        id = String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned();
    }
    let commit = repo.git(&["commit-tree", "-m", "a commit", &id]);
    repo.git(&["update-ref", "HEAD", &commit]);
    assert!(matches!(read(repo.path(), &[]), Err(GitError::TooLarge { .. })));
}

#[test]
fn the_environment_and_the_users_configuration_are_ignored() {
    const WORK_TREE: &str = "SPECTRAMIND_TEST_WORK_TREE";
    // The same test runs again in a process of its own, with the hostile environment.
    if let Some(work_tree) = std::env::var_os(WORK_TREE) {
        let record = read(Path::new(&work_tree), &[]).expect("a readable repository").expect("a repository");
        assert_eq!((record.changed, record.untracked), (vec!["a".to_owned()], vec!["new".to_owned()]));
        return;
    }
    let (clean, dirty) = (Repo::new(), Repo::new());
    dirty.write("a", "2\n");
    dirty.write("new", "");
    let home = tempfile::tempdir().expect("a temporary directory");
    let ignore = home.path().join("git/ignore");
    fs::create_dir(home.path().join("git")).expect("a directory");
    fs::write(&ignore, "*\n").expect("a file");
    let configuration = format!("[core]\n\texcludesFile = {}\n", ignore.display());
    fs::write(home.path().join(".gitconfig"), configuration).expect("a file");
    let output = Command::new(std::env::current_exe().expect("a test program"))
        .args(["--exact", "provenance::worktree::tests::the_environment_and_the_users_configuration_are_ignored"])
        .env(WORK_TREE, dirty.path())
        .env("GIT_DIR", clean.path().join(".git"))
        .env("GIT_WORK_TREE", clean.path())
        .env("GIT_INDEX_FILE", clean.path().join(".git/index"))
        .env("GIT_OBJECT_DIRECTORY", clean.path().join(".git/objects"))
        .env("GIT_NAMESPACE", "elsewhere")
        .env("GIT_CONFIG_GLOBAL", home.path().join(".gitconfig"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.worktree")
        .env("GIT_CONFIG_VALUE_0", clean.path())
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .output()
        .expect("a test program");
    let output_text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output_text.contains("1 passed"), "{output_text}");
}

#[test]
fn the_difference_depends_on_what_differs_and_on_nothing_else() {
    let differing = |edits: &[(&str, &str)]| {
        let repo = Repo::new();
        edits.iter().for_each(|(path, content)| repo.write(path, content));
        repo.read().difference
    };
    let difference = differing(&[("a", "2\n"), ("dir/b", "3\n")]);
    assert_eq!(differing(&[("dir/b", "3\n"), ("a", "2\n"), ("new", "")]), difference);
    assert_eq!(
        difference.map(|digest| digest.to_string()).as_deref(),
        Some("44ce69cbe6e35145f43d523253530b575cddddce4817731f8e9bc14587bd5779")
    );
    for other in [
        differing(&[]),
        differing(&[("a", "2\n")]),
        differing(&[("a", "3\n"), ("dir/b", "2\n")]),
        differing(&[("a", "2\n"), ("dir/c", "3\n")]),
    ] {
        assert_ne!(other, difference);
    }
}

#[test]
fn the_list_of_changed_paths_is_capped_and_the_count_is_not() {
    let repo = Repo::new();
    for index in 0..MAX_CHANGED_PATHS + 5 {
        repo.write(&format!("new-{index:03}"), "");
    }
    let count = MAX_CHANGED_PATHS as u64 + 5;
    let record = repo.read();
    assert_eq!((record.untracked.len(), record.untracked_count), (MAX_CHANGED_PATHS, count));
    repo.commit();
    for index in 0..count {
        repo.write(&format!("new-{index:03}"), "changed");
    }
    let record = repo.read();
    assert_eq!((record.changed.len(), record.changed_count), (MAX_CHANGED_PATHS, count));
    assert_eq!(record.changed.first().map(String::as_str), Some("new-000"));
    assert!(record.is_consistent());
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_printable_is_escaped() {
    use std::os::unix::ffi::OsStrExt;
    let repo = Repo::new();
    fs::write(repo.path().join(std::ffi::OsStr::from_bytes(b"\xff\x1b[2J")), "").expect("a file");
    assert_eq!(repo.untracked(), [r"\xff\x1b[2J"]);
}
