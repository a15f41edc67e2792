//! Submodules, LFS pointers, line endings, and what else a record says of a repository; all made by the `git` program.

use super::tests::{Repo, git};
use super::*;
use crate::digest::sha256;

fn url(repo: &Repo) -> &str {
    repo.path().to_str().expect("UTF-8")
}

/// A repository with another as its submodule `sub`, and that other.
fn with_submodule() -> (Repo, Repo) {
    let (inner, outer) = (Repo::new(), Repo::new());
    outer.git(&["submodule", "--quiet", "add", url(&inner), "sub"]);
    outer.commit();
    (outer, inner)
}

/// The only submodule of a record that agrees with itself.
fn submodule(repo: &Repo) -> (GitRecord, SubmoduleRecord) {
    let record = repo.read();
    assert!(record.is_consistent(), "{record:?}");
    let [submodule] = record.submodules.as_slice() else { panic!("{:?}", record.submodules) };
    let submodule = submodule.clone();
    (record, submodule)
}

#[test]
fn a_submodule_at_its_commit_is_clean() {
    let (outer, inner) = with_submodule();
    let (record, submodule) = submodule(&outer);
    assert!(record.clean && submodule.is_clean(), "{record:?}");
    assert_eq!((submodule.path.as_str(), submodule.commit.as_str()), ("sub", &*inner.git(&["rev-parse", "HEAD"])));
    assert_eq!(submodule.checked_out, Some(submodule.commit));
}

#[test]
fn an_edit_inside_a_submodule_is_found_whatever_its_index_says() {
    let (outer, _) = with_submodule();
    let sub = outer.path().join("sub");
    git(&sub, &["update-index", "--assume-unchanged", "dir/b"]);
    fs::write(sub.join("dir/b"), "another\n").expect("a file");
    fs::write(sub.join("new"), "").expect("a file");
    assert_eq!(git(&sub, &["status", "--porcelain", "--untracked-files=no"]), "");
    let (record, submodule) = submodule(&outer);
    assert_eq!((record.changed, record.untracked), (vec!["sub/dir/b".to_owned()], vec!["sub/new".to_owned()]));
    assert!(submodule.difference.is_some() && submodule.difference != record.difference);
    // The digest is that of the submodule as a repository of its own.
    let alone = read(&sub, &[]).expect("readable").expect("a repository");
    assert_eq!(alone.difference, submodule.difference);
}

#[test]
fn another_commit_of_a_submodule_is_a_difference() {
    let (outer, _) = with_submodule();
    let sub = outer.path().join("sub");
    fs::write(sub.join("a"), "2\n").expect("a file");
    git(&sub, &["commit", "-q", "-a", "-m", "later"]);
    let (record, found) = submodule(&outer);
    assert_eq!(record.changed, ["sub"]);
    assert_eq!(found.checked_out.map(|id| id.to_string()), Some(git(&sub, &["rev-parse", "HEAD"])));
    assert_eq!(found.difference, None);
    // A third commit is another difference.
    fs::write(sub.join("a"), "3\n").expect("a file");
    git(&sub, &["commit", "-q", "-a", "-m", "still later"]);
    assert_ne!(submodule(&outer).0.difference, record.difference);
    git(&sub, &["checkout", "-q", "HEAD~2"]);
    assert!(submodule(&outer).0.clean);
}

#[test]
fn a_submodule_that_is_ignored_by_configuration_is_compared_all_the_same() {
    let (outer, _) = with_submodule();
    outer.git(&["config", "submodule.sub.ignore", "all"]);
    outer.git(&["config", "diff.ignoreSubmodules", "all"]);
    fs::write(outer.path().join("sub/a"), "2\n").expect("a file");
    outer.assert_git_sees_nothing();
    assert_eq!(outer.changed(), ["sub/a"]);
}

#[test]
fn submodules_within_submodules_are_compared() {
    let (middle, _inner) = with_submodule();
    let outer = Repo::new();
    outer.git(&["submodule", "--quiet", "add", url(&middle), "mid"]);
    outer.commit();
    outer.git(&["submodule", "--quiet", "update", "--init", "--recursive"]);
    let record = outer.read();
    let paths: Vec<_> = record.submodules.iter().map(|one| one.path.as_str()).collect();
    assert_eq!((paths, record.clean), (vec!["mid", "mid/sub"], true));
    fs::write(outer.path().join("mid/sub/a"), "2\n").expect("a file");
    let record = outer.read();
    assert_eq!(record.changed, ["mid/sub/a"]);
    assert!(record.submodules.iter().all(|submodule| submodule.difference.is_some()), "{record:?}");
}

#[test]
fn a_submodule_that_is_not_checked_out_is_recorded_as_such() {
    let (outer, _) = with_submodule();
    outer.git(&["submodule", "--quiet", "deinit", "-f", "sub"]);
    let (record, found) = submodule(&outer);
    assert!(record.clean && found.checked_out.is_none(), "{record:?}");
    fs::remove_dir(outer.path().join("sub")).expect("an empty directory");
    assert_eq!(submodule(&outer), (record, found));
    outer.write("sub", "");
    assert_eq!(outer.changed(), ["sub"]);
}

#[test]
fn files_in_place_of_a_submodule_are_a_difference() {
    let (outer, _) = with_submodule();
    outer.git(&["submodule", "--quiet", "deinit", "-f", "sub"]);
    outer.write("sub/a", "1\n");
    assert_eq!(outer.changed(), ["sub"]);
}

#[cfg(unix)]
#[test]
fn a_symlink_to_an_empty_directory_is_no_submodule() {
    let (outer, _) = with_submodule();
    outer.git(&["submodule", "--quiet", "deinit", "-f", "sub"]);
    fs::remove_dir(outer.path().join("sub")).expect("an empty directory");
    let empty = tempfile::tempdir().expect("a temporary directory");
    std::os::unix::fs::symlink(empty.path(), outer.path().join("sub")).expect("a symlink");
    assert_eq!(outer.changed(), ["sub"]);
}

#[test]
fn a_clean_repository_elsewhere_does_not_vouch_for_a_submodule() {
    let (outer, inner) = with_submodule();
    let sub = outer.path().join("sub");
    fs::write(sub.join("a"), "2\n").expect("a file");
    git(&sub, &["config", "core.worktree", url(&inner)]);
    assert!(matches!(read(outer.path(), &[]), Err(GitError::WorkTreeElsewhere { .. })));
}

/// The pointer to `content`, as git-lfs writes it.
fn pointer(content: &str) -> String {
    let oid = sha256(content.as_bytes());
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {}\n", content.len())
}

/// A repository with an LFS file of this content, of which the work tree has the pointer.
fn with_lfs(content: &str) -> Repo {
    let repo = Repo::new();
    repo.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    repo.write("data/big.bin", &pointer(content));
    repo.commit();
    repo
}

#[test]
fn an_lfs_pointer_left_in_place_is_recorded() {
    let record = with_lfs("the content\n").read();
    assert!(record.clean && record.is_consistent(), "{record:?}");
    assert_eq!((record.lfs_pointers, record.lfs_pointer_count), (vec!["data/big.bin".to_owned()], 1));
}

#[test]
fn the_content_of_an_lfs_file_is_no_difference() {
    let repo = with_lfs("the content\n");
    repo.write("data/big.bin", "the content\n");
    let record = repo.read();
    assert!(record.clean && record.lfs_pointers.is_empty(), "{record:?}");
}

#[test]
fn other_content_of_an_lfs_file_is_a_difference() {
    let repo = with_lfs("the content\n");
    for other in ["the_content\n", "the content\n\n", "", &pointer("another content\n")] {
        repo.write("data/big.bin", other);
        assert_eq!(repo.changed(), ["data/big.bin"], "{other:?}");
    }
    fs::remove_file(repo.path().join("data/big.bin")).expect("a file");
    assert_eq!(repo.changed(), ["data/big.bin"]);
}

#[test]
fn only_the_commits_own_attributes_make_an_lfs_file() {
    let repo = Repo::new();
    repo.write("big.bin", &pointer("the content\n"));
    repo.commit();
    assert_eq!(repo.read().lfs_pointer_count, 0, "a text like any other");
    // Untracked, local, and edited attributes could each declare an edit to be none.
    repo.write("big.bin", "the content\n");
    fs::create_dir_all(repo.path().join(".git/info")).expect("a directory");
    fs::write(repo.path().join(".git/info/attributes"), "*.bin filter=lfs\n").expect("a file");
    assert_eq!(repo.changed(), ["big.bin"]);
    repo.write(".gitattributes", "*.bin filter=lfs\n");
    let record = repo.read();
    assert_eq!((record.changed, record.untracked), (vec!["big.bin".to_owned()], vec![".gitattributes".to_owned()]));
}

#[test]
fn line_endings_are_compared_as_the_commits_attributes_say() {
    let repo = Repo::new();
    repo.write(".gitattributes", "*.txt text\n*.auto text=auto\n*.raw -text\n*.ps1 eol=crlf\n");
    for name in ["a.txt", "a.auto", "a.raw", "a.ps1", "a.other"] {
        repo.write(name, "1\n2\n");
    }
    repo.commit();
    for name in ["a.txt", "a.auto", "a.raw", "a.ps1", "a.other"] {
        repo.write(name, "1\r\n2\r\n");
    }
    assert_eq!(repo.changed(), ["a.other", "a.raw"]);
    repo.write("a.txt", "1\r\n3\r\n");
    repo.write("a.auto", "1\r\r\n2\r\n");
    assert_eq!(repo.changed(), ["a.auto", "a.other", "a.raw", "a.txt"]);
}

#[test]
fn conversion_by_local_configuration_does_not_count() {
    let repo = Repo::new();
    repo.git(&["config", "core.autocrlf", "true"]);
    repo.write("a", "1\r\n");
    repo.git(&["add", "a"]);
    repo.assert_git_sees_nothing();
    assert_eq!(repo.changed(), ["a"]);
}

#[test]
fn what_the_run_read_and_git_does_not_hold_is_listed() {
    let repo = Repo::new();
    repo.write("mine.yaml", "");
    repo.write("ignored/data/x", "");
    repo.write("new/data/x", "");
    repo.write("new/data/y.log", "");
    repo.write("other", "");
    repo.write("dir/x.log", "");
    let outside = tempfile::tempdir().expect("a temporary directory");
    let reads = ["a", "mine.yaml", "ignored/data", "new/data", "dir", ".git/config"].map(|name| repo.path().join(name));
    let reads = [&reads[..], &[outside.path().to_owned()]].concat();
    let record = read(repo.path(), &reads).expect("readable").expect("a repository");
    assert_eq!(record.read_untracked, [".git/config", "mine.yaml", "new/data"]);
    assert_eq!(record.read_ignored, ["dir", "ignored/data", "new/data"]);
    assert!(record.clean);
    let nothing = repo.read();
    assert!(nothing.read_untracked.is_empty() && nothing.read_ignored.is_empty());
    let whole = read(repo.path(), &[repo.path().to_owned()]).expect("readable").expect("a repository");
    assert_eq!((whole.read_untracked, whole.read_ignored), (vec![".".to_owned()], vec![".".to_owned()]));
}

#[test]
fn a_file_read_from_a_submodule_is_looked_up_there() {
    let (outer, _) = with_submodule();
    outer.write("sub/x.log", "");
    outer.write("sub/mine.yaml", "");
    let reads = ["sub/a", "sub/x.log", "sub/mine.yaml"].map(|name| outer.path().join(name));
    let record = read(outer.path(), &reads).expect("readable").expect("a repository");
    assert_eq!(record.read_untracked, ["sub/mine.yaml"]);
    assert_eq!(record.read_ignored, ["sub/x.log"]);
}

#[test]
fn a_tracked_file_that_was_read_is_not_listed_though_its_folder_is_ignored() {
    let repo = Repo::new();
    repo.write("ignored/kept.yaml", "");
    repo.git(&["add", "-f", "ignored/kept.yaml"]);
    repo.commit();
    let reads = [repo.path().join("ignored/kept.yaml")];
    let record = read(repo.path(), &reads).expect("readable").expect("a repository");
    assert!(record.read_ignored.is_empty() && record.read_untracked.is_empty(), "{record:?}");
}

#[cfg(unix)]
#[test]
fn a_file_read_through_a_symlink_is_the_one_it_leads_to() {
    let repo = Repo::new();
    repo.write("mine.yaml", "");
    std::os::unix::fs::symlink("mine.yaml", repo.path().join("link.yaml")).expect("a symlink");
    repo.git(&["add", "link.yaml"]);
    repo.git(&["commit", "-q", "-m", "a symlink"]);
    let record = read(repo.path(), &[repo.path().join("link.yaml")]).expect("readable").expect("a repository");
    assert_eq!(record.read_untracked, ["mine.yaml"]);
}

#[test]
fn a_missing_file_that_was_read_is_an_error() {
    let repo = Repo::new();
    assert!(matches!(read(repo.path(), &[repo.path().join("none")]), Err(GitError::Read { .. })));
}

#[test]
fn remotes_are_recorded_without_credentials() {
    let repo = Repo::new();
    repo.git(&["remote", "add", "origin", "https://user:secret@example.org/a.git?token=secret"]);
    repo.git(&["remote", "add", "backup", "git@example.org:team/a.git"]);
    repo.git(&["config", "url.https://elsewhere.example/.insteadOf", "https://example.org/"]);
    let record = repo.read();
    let remotes: Vec<_> = record.remotes.iter().map(|one| (one.name.as_str(), one.url.as_deref())).collect();
    assert_eq!(
        remotes,
        [("backup", Some("git@example.org:team/a.git")), ("origin", Some("https://example.org/a.git"))]
    );
    assert!(!serde_json::to_string(&record).expect("plain data").contains("secret"));
}

#[test]
fn a_shallow_clone_is_recorded_as_one() {
    let repo = Repo::new();
    repo.write("a", "2\n");
    repo.commit();
    assert!(!repo.read().shallow);
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let source = format!("file://{}", url(&repo));
    git(elsewhere.path(), &["clone", "-q", "--depth=1", &source, "clone"]);
    let clone = elsewhere.path().join("clone");
    // git reads another list where the configuration names one; the truth stays.
    git(&clone, &["config", "gitoxide.core.shallowFile", "none"]);
    let record = read(&clone, &[]).expect("readable").expect("a repository");
    assert!(record.shallow && record.clean);
    assert_eq!(record.commit, repo.read().commit);
    assert_eq!(record.remotes[0].url.as_deref(), Some(source.as_str()));
}

#[test]
fn a_sha_256_repository_is_compared_like_any_other() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = directory.path();
    git(at, &["init", "-q", "-b", "main", "--object-format=sha256"]);
    fs::create_dir(at.join("dir")).expect("a directory");
    fs::write(at.join("dir/a"), "1\n").expect("a file");
    git(at, &["add", "-A"]);
    git(at, &["commit", "-q", "-m", "a commit"]);
    let record = read(at, &[]).expect("readable").expect("a repository");
    assert!(record.clean && record.is_consistent(), "{record:?}");
    assert_eq!(record.object_format, ObjectFormat::Sha256);
    assert_eq!(record.commit.as_str(), git(at, &["rev-parse", "HEAD"]));
    assert_eq!(record.tree.as_str(), git(at, &["rev-parse", "HEAD^{tree}"]));
    fs::write(at.join("dir/a"), "2\n").expect("a file");
    assert_eq!(read(at, &[]).expect("readable").expect("a repository").changed, ["dir/a"]);
}
