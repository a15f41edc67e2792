//! Real archives, made by `git archive`, unpacked where there is no repository.

use std::process::Command;

use super::tests::{Repo, git};
use super::*;

/// The commit's archive, unpacked.
fn archive(repo: &Repo) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("archive.tar");
    repo.git(&["archive", "-o", file.to_str().expect("UTF-8"), "HEAD"]);
    let status = Command::new("tar").arg("xf").arg(&file).current_dir(directory.path()).status();
    assert!(status.expect("the tar program").success());
    fs::remove_file(file).expect("an archive");
    directory
}

fn compared(repo: &Repo, directory: &Path) -> Folder {
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]).parse().expect("an id");
    read_folder(directory, &tree, &[]).expect("readable")
}

/// A repository with names whose order depends on which are folders, and files of every kind.
fn many_kinds() -> Repo {
    let repo = Repo::new();
    for path in ["x/a", "x.a", "x-a", "x0", "deep/er/and/deeper", "dir.d/b", "é"] {
        repo.write(path, path);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        symlink("x/a", repo.path().join("link")).expect("a link");
        fs::set_permissions(repo.path().join("x.a"), fs::Permissions::from_mode(0o755)).expect("a file");
    }
    repo.commit();
    repo
}

#[test]
fn an_archive_of_the_commit_has_its_tree() {
    let repo = many_kinds();
    let directory = archive(&repo);
    let folder = compared(&repo, directory.path());
    assert!(folder.is_expected, "{folder:?}");
    assert_eq!(folder.tree.as_str(), repo.git(&["rev-parse", "HEAD^{tree}"]));
    fs::create_dir(directory.path().join("empty")).expect("a folder");
    assert!(compared(&repo, directory.path()).is_expected, "git has no empty folders");
}

#[test]
fn an_archive_of_a_sha_256_repository_has_its_tree() {
    let repo = Repo::in_format("sha256");
    assert!(compared(&repo, archive(&repo).path()).is_expected);
}

#[test]
fn a_changed_an_added_and_a_missing_file_are_another_tree() {
    let repo = many_kinds();
    let edits: [fn(&Path); 6] = [
        |root| fs::write(root.join("x/a"), "y/a").expect("a file"),
        |root| fs::write(root.join("new"), "").expect("a file"),
        |root| fs::remove_file(root.join("x0")).expect("a file"),
        |root| fs::rename(root.join("x0"), root.join("x1")).expect("a file"),
        |root| fs::write(root.join(".gitignore"), "*.log\n/ignored/\n\n").expect("a file"),
        |root| fs::remove_dir_all(root.join("deep")).expect("a folder"),
    ];
    for (index, edit) in edits.iter().enumerate() {
        let directory = archive(&repo);
        edit(directory.path());
        assert!(!compared(&repo, directory.path()).is_expected, "{index}");
    }
}

#[cfg(unix)]
#[test]
fn a_changed_mode_and_a_link_in_place_of_a_file_are_another_tree() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let repo = many_kinds();
    let directory = archive(&repo);
    let set = |mode| fs::set_permissions(directory.path().join("a"), fs::Permissions::from_mode(mode)).expect("a file");
    set(0o755);
    assert!(!compared(&repo, directory.path()).is_expected);
    set(0o600);
    assert!(compared(&repo, directory.path()).is_expected, "only the owner's right to execute counts");
    fs::rename(directory.path().join("x0"), directory.path().join("ignored.log")).expect("a file");
    symlink("ignored.log", directory.path().join("x0")).expect("a link");
    assert!(!compared(&repo, directory.path()).is_expected);
}

#[test]
fn what_was_built_in_an_archive_does_not_count_where_it_is_ignored() {
    let repo = Repo::new();
    let directory = archive(&repo);
    fs::create_dir(directory.path().join("ignored")).expect("a folder");
    for name in ["ignored/built", "dir/x.log"] {
        fs::write(directory.path().join(name), "").expect("a file");
    }
    assert!(compared(&repo, directory.path()).is_expected);
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]).parse().expect("an id");
    let reads = ["a", "ignored/built", "dir/x.log"].map(|name| directory.path().join(name));
    let elsewhere = tempfile::NamedTempFile::new().expect("a file");
    let reads = [&reads[..], &[elsewhere.path().to_owned()]].concat();
    let folder = read_folder(directory.path(), &tree, &reads).expect("readable");
    assert_eq!(folder.not_held, ["dir/x.log", "ignored/built"]);
    assert_eq!(folder.outside, [elsewhere.path().canonicalize().expect("a file")]);
}

#[test]
fn an_ignored_file_that_the_commit_holds_counts() {
    let repo = Repo::new();
    repo.write("ignored/kept", "1");
    repo.git(&["add", "-f", "ignored/kept"]);
    repo.commit();
    let directory = archive(&repo);
    assert!(compared(&repo, directory.path()).is_expected);
    fs::write(directory.path().join("ignored/kept"), "2").expect("a file");
    assert!(!compared(&repo, directory.path()).is_expected);
}

#[test]
fn line_endings_that_the_commits_attributes_make_are_the_commits() {
    let repo = Repo::new();
    repo.write(".gitattributes", "*.txt text eol=crlf\n");
    repo.write("x.txt", "1\n2\n");
    repo.commit();
    let directory = archive(&repo);
    assert_eq!(fs::read(directory.path().join("x.txt")).expect("a file"), b"1\r\n2\r\n", "git converts in archives");
    assert!(compared(&repo, directory.path()).is_expected);
    fs::write(directory.path().join("a"), "1\r\n").expect("a file");
    assert!(!compared(&repo, directory.path()).is_expected, "its attributes say nothing of line endings");
}

#[test]
fn the_content_of_an_lfs_file_is_its_pointer() {
    let repo = Repo::new();
    let sha256 = crate::digest::sha256(b"content");
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 7\n");
    repo.write(".gitattributes", "big filter=lfs -text\n");
    repo.write("big", &pointer);
    repo.commit();
    let directory = archive(&repo);
    let folder = compared(&repo, directory.path());
    assert_eq!((folder.is_expected, folder.lfs_pointers), (true, vec!["big".to_owned()]));
    fs::write(directory.path().join("big"), "content").expect("a file");
    let folder = compared(&repo, directory.path());
    assert_eq!((folder.is_expected, folder.lfs_pointers), (true, Vec::new()));
    fs::write(directory.path().join("big"), "another").expect("a file");
    assert!(!compared(&repo, directory.path()).is_expected);
}

#[test]
fn an_archive_that_its_attributes_cut_is_another_tree_and_says_why() {
    let repo = Repo::new();
    repo.write(".gitattributes", "dir export-ignore\n");
    repo.commit();
    let folder = compared(&repo, archive(&repo).path());
    assert_eq!((folder.is_expected, folder.has_export_attributes), (false, true));
}

#[cfg(unix)]
#[test]
fn what_git_cannot_track_is_left_out_and_never_opened() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let repo = Repo::new();
    let directory = archive(&repo);
    let pipe = |name: &str| mknodat(CWD, directory.path().join(name), FileType::Fifo, Mode::RUSR, 0).expect("a pipe");
    pipe("pipe");
    pipe(".gitattributes");
    assert!(compared(&repo, directory.path()).is_expected);
    fs::remove_file(directory.path().join("a")).expect("a file");
    pipe("a");
    assert!(!compared(&repo, directory.path()).is_expected);
    fs::remove_file(directory.path().join(".gitignore")).expect("a file");
    pipe(".gitignore");
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]).parse().expect("an id");
    assert!(matches!(read_folder(directory.path(), &tree, &[]), Err(GitError::Kind { got: "named pipe", .. })));
}

#[test]
fn an_endless_file_in_a_folder_is_refused_unread() {
    let repo = Repo::new();
    let directory = archive(&repo);
    let grow = |name: &str| {
        let file = fs::File::options().create(true).append(true).open(directory.path().join(name));
        file.and_then(|file| file.set_len(1 << 42)).expect("a file with a hole");
    };
    grow("x.log");
    assert!(compared(&repo, directory.path()).is_expected, "an ignored one is not looked at");
    grow("a");
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]).parse().expect("an id");
    assert!(matches!(read_folder(directory.path(), &tree, &[]), Err(GitError::TooLarge { .. })));
}

#[test]
fn a_folder_without_files_has_the_empty_tree() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let repo = Repo::new();
    let empty = git(repo.path(), &["hash-object", "-t", "tree", "/dev/null"]).parse().expect("an id");
    assert!(read_folder(directory.path(), &empty, &[]).expect("readable").is_expected);
}
