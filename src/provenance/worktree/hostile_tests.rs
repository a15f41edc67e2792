//! Checkouts made to hang, to fill memory, or to run a program: each is an error or shows as what it is, in time.

use std::os::unix::fs::symlink;
use std::sync::mpsc;
use std::time::Duration;

use super::layout::MAX_ALTERNATES;
use super::tests::{Repo, git};
use super::*;

/// Longer than any of these takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Inspects a work tree, and fails if that takes too long.
fn inspected(dir: &Path) -> Result<Inspected, GitError> {
    let (sender, receiver) = mpsc::channel();
    let dir = dir.to_owned();
    std::thread::spawn(move || {
        let found = inspect(&dir, &[]).map(|found| found.expect("a repository"));
        // Nobody receives what came too late.
        drop(sender.send(found));
    });
    receiver.recv_timeout(PATIENCE).expect("it hangs")
}

fn error(dir: &Path) -> GitError {
    inspected(dir).expect_err("an error")
}

fn assert_clean(dir: &Path) {
    let record = inspected(dir).expect("readable").record;
    assert!(record.clean, "{record:?}");
}

/// A way to put something at a path that nobody should open.
type Trap = fn(&Path);

const TRAPS: [(&str, Trap); 3] =
    [("named pipe", pipe), ("symbolic link", |path| symlink("/dev/zero", path).expect("a link")), ("socket", socket)];

fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
}

fn socket(path: &Path) {
    // A socket's path may have about a hundred bytes.
    let elsewhere = tempfile::tempdir_in("/tmp").expect("a temporary directory");
    let short = elsewhere.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&short).expect("a socket"));
    fs::rename(short, path).expect("the same file system");
}

/// Puts every trap at `path`, in place of what is there, asserts that `dir` is refused for that, and puts it back.
fn assert_refused(dir: &Path, path: &Path) {
    let kept = path.with_extension("kept");
    let is_kept = fs::rename(path, &kept).is_ok();
    fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
    for (name, trap) in TRAPS {
        trap(path);
        match error(dir) {
            GitError::Kind { got, path: named, .. } => {
                assert_eq!((got, named.file_name()), (name, path.file_name()), "{}", path.display());
            }
            other => panic!("{name} at {}: {other}", path.display()),
        }
        fs::remove_file(path).expect("a trap");
    }
    if is_kept {
        fs::rename(kept, path).expect("what was there");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_wherever_git_would_read_it() {
    let repo = Repo::new();
    let git_dir = repo.path().join(".git");
    for name in [
        "config",
        "config.worktree",
        "HEAD",
        "commondir",
        "gitdir",
        "packed-refs",
        "index",
        "sharedindex.1",
        "shallow",
        "info/exclude",
        "info/attributes",
        "info/grafts",
        "refs/heads/main",
        "refs/heads/a/b/c/other",
        "refs/replace/x",
        "objects/aa",
        "objects/ab/x",
        "objects/pack/pack-x.idx",
        "objects/pack/pack-x.pack",
        "objects/pack/multi-pack-index",
        "objects/info/alternates",
        "objects/info/commit-graph",
    ] {
        assert_refused(repo.path(), &git_dir.join(name));
    }
    assert_clean(repo.path());
}

#[test]
fn a_pipe_in_place_of_the_repository_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join(".git");
    pipe(&path);
    assert!(matches!(error(directory.path()), GitError::Kind { got: "named pipe", .. }));
    fs::remove_file(&path).expect("a pipe");
    symlink("/dev/zero", &path).expect("a link");
    assert!(matches!(error(directory.path()), GitError::Kind { got: "device", .. }));
}

#[test]
fn a_broken_repository_does_not_make_its_work_tree_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for name in [".git", "objects", "refs"] {
        fs::create_dir(directory.path().join(name)).expect("a folder");
    }
    pipe(&directory.path().join("HEAD"));
    assert!(matches!(error(directory.path()), GitError::Repository { .. }));
}

#[test]
fn a_head_that_names_another_file_than_a_reference_is_refused() {
    let repo = Repo::new();
    fs::write(repo.path().join(".git/HEAD"), "ref: FETCH_HEAD\n").expect("a file");
    pipe(&repo.path().join(".git/FETCH_HEAD"));
    assert!(matches!(error(repo.path()), GitError::Repository { .. }));
}

#[test]
fn an_endless_file_is_refused_unread() {
    let repo = Repo::new();
    for name in [".git/config", ".git/HEAD", ".git/packed-refs", ".git/index", ".git/info/exclude", ".gitignore"] {
        let path = repo.path().join(name);
        let before = fs::read(&path).ok();
        let file = fs::File::options().create(true).append(true).open(&path).expect("a file");
        file.set_len(1 << 42).expect("a file with a hole");
        match error(repo.path()) {
            GitError::FileTooLarge { got, path: named, .. } => assert_eq!((got, named), (1 << 42, path.clone())),
            other => panic!("{name}: {other}"),
        }
        fs::remove_file(&path).expect("a file");
        if let Some(before) = before {
            fs::write(&path, before).expect("a file");
        }
    }
    let file = fs::File::options().append(true).open(repo.path().join("a")).expect("a file");
    file.set_len(1 << 42).expect("a file with a hole");
    assert!(matches!(error(repo.path()), GitError::FileTooLarge { most: 2, .. }));
}

#[test]
fn a_pipe_in_the_repository_of_a_submodule_is_refused() {
    let (inner, outer) = (Repo::new(), Repo::new());
    outer.git(&["submodule", "--quiet", "add", inner.path().to_str().expect("UTF-8"), "sub"]);
    outer.commit();
    for name in ["HEAD", "config", "objects/pack/pack-x.idx"] {
        assert_refused(outer.path(), &outer.path().join(".git/modules/sub").join(name));
    }
    assert_refused(&outer.path().join("sub"), &outer.path().join(".git/modules/sub/config"));
    let path = outer.path().join("sub/.git");
    fs::remove_file(&path).expect("a file");
    pipe(&path);
    assert!(matches!(error(outer.path()), GitError::Kind { got: "named pipe", .. }));
}

#[test]
fn a_pipe_in_the_repository_of_a_linked_work_tree_is_refused() {
    let repo = Repo::new();
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let linked = elsewhere.path().join("linked");
    repo.git(&["worktree", "add", "-q", linked.to_str().expect("UTF-8")]);
    assert_clean(&linked);
    for name in ["config", "packed-refs", "refs/heads/main", "worktrees/linked/HEAD", "worktrees/linked/refs/x"] {
        assert_refused(&linked, &repo.path().join(".git").join(name));
    }
    assert_clean(&linked);
}

#[test]
fn a_pipe_in_borrowed_objects_is_refused() {
    let repo = Repo::new();
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let borrower = elsewhere.path().join("borrower");
    let (from, to) = (repo.path().to_str().expect("UTF-8"), borrower.to_str().expect("UTF-8"));
    git(elsewhere.path(), &["clone", "-q", "--shared", from, to]);
    assert_clean(&borrower);
    assert_refused(&borrower, &repo.path().join(".git/objects/pack/pack-x.idx"));
    // In the folder from which the lender borrows itself, which its list names from where it is.
    let lender = Repo::new();
    let objects = lender.path().join(".git/objects");
    fs::write(repo.path().join(".git/objects/info/alternates"), format!("{}\n", objects.display())).expect("a file");
    assert_clean(&borrower);
    assert_refused(&borrower, &objects.join("ff"));
}

#[test]
fn objects_that_borrow_from_each_other_or_from_nowhere_end() {
    let repo = Repo::new();
    let list = repo.path().join(".git/objects/info/alternates");
    for target in ["/nonexistent", "/dev", "../objects", "."] {
        fs::write(&list, format!("{target}\n")).expect("a file");
        // Git's library may refuse a circle.
        drop(inspected(repo.path()));
    }
    fs::write(&list, "/nonexistent\n").expect("a file");
    assert_clean(repo.path());
    let many = tempfile::tempdir().expect("a temporary directory");
    let folders = (0..=MAX_ALTERNATES).map(|index| many.path().join(index.to_string()));
    let names = folders.map(|folder| {
        fs::create_dir(&folder).expect("a folder");
        format!("{}\n", folder.display())
    });
    fs::write(&list, names.collect::<String>()).expect("a file");
    assert!(matches!(error(repo.path()), GitError::TooLarge { most: 64, .. }));
}

#[test]
fn files_that_the_configuration_names_are_not_read() {
    let repo = Repo::new();
    let trap = repo.path().join(".git/trap");
    pipe(&trap);
    for target in [trap.to_str().expect("UTF-8"), "/dev/zero"] {
        for key in ["core.excludesFile", "core.attributesFile", "include.path", "includeIf.gitdir:/.path"] {
            repo.git(&["config", key, target]);
            assert_clean(repo.path());
            // Git itself would wait for the pipe.
            fs::write(repo.path().join(".git/config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
                .expect("a file");
        }
    }
}

#[test]
fn a_list_of_patterns_that_the_configuration_names_does_not_count() {
    let repo = Repo::new();
    let list = repo.path().join(".git/list");
    fs::write(&list, "new\n").expect("a file");
    repo.git(&["config", "core.excludesFile", list.to_str().expect("UTF-8")]);
    repo.write("new", "");
    assert_eq!(repo.untracked(), ["new"]);
}

#[test]
fn a_pipe_as_a_list_of_patterns_is_refused() {
    let repo = Repo::new();
    for name in [".gitignore", "dir/.gitignore"] {
        let path = repo.path().join(name);
        let before = fs::read(&path).ok();
        drop(fs::remove_file(&path));
        pipe(&path);
        assert!(matches!(error(repo.path()), GitError::Kind { got: "named pipe", .. }), "{name}");
        fs::remove_file(&path).expect("a pipe");
        if let Some(before) = before {
            fs::write(path, before).expect("a file");
        }
    }
    assert_clean(repo.path());
}

#[test]
fn a_link_as_a_list_of_patterns_is_not_followed() {
    let repo = Repo::new();
    symlink("/dev/zero", repo.path().join("dir/.gitignore")).expect("a link");
    assert_eq!(inspected(repo.path()).expect("readable").record.untracked, ["dir/.gitignore"]);
}

#[test]
fn a_pipe_among_the_files_is_found_and_never_opened() {
    let repo = Repo::new();
    for name in ["a", ".gitattributes", "dir/b"] {
        drop(fs::remove_file(repo.path().join(name)));
        pipe(&repo.path().join(name));
    }
    symlink("/dev/zero", repo.path().join("zero")).expect("a link");
    let record = inspected(repo.path()).expect("readable").record;
    assert_eq!(record.changed, ["a", "dir/b"]);
    assert_eq!(record.untracked, [".gitattributes", "zero"]);
}

#[test]
fn a_link_to_the_folder_around_it_is_no_loop() {
    let repo = Repo::new();
    symlink(".", repo.path().join("loop")).expect("a link");
    assert_eq!(inspected(repo.path()).expect("readable").record.untracked, ["loop"]);
}

#[test]
fn folders_deeper_than_a_path_reaches_are_an_error() {
    let repo = Repo::new();
    let mut folder = repo.path().join("deep");
    fs::create_dir(&folder).expect("a folder");
    // As deep as one path reaches, and then that again.
    for _ in 0..1200 {
        folder.push("d");
        fs::create_dir(&folder).expect("a folder");
    }
    fs::write(folder.join("x"), "").expect("a file");
    let record = inspected(repo.path()).expect("readable").record;
    assert_eq!((record.clean, record.untracked_count), (true, 1));
    let inner = repo.path().join("inner");
    fs::rename(repo.path().join("deep"), &inner).expect("the same file system");
    for _ in 0..2 {
        let mut top = repo.path().join("top");
        fs::create_dir(&top).expect("a folder");
        let first = top.clone();
        (0..600).for_each(|_| top.push("e"));
        fs::create_dir_all(&top).expect("folders");
        fs::rename(&inner, top.join("i")).expect("the same file system");
        fs::rename(first, &inner).expect("the same file system");
    }
    assert!(matches!(error(repo.path()), GitError::Read { .. }));
    // The temporary directory cannot be removed by paths either.
    let status = std::process::Command::new("rm").arg("-rf").arg(&inner).status().expect("the rm program");
    assert!(status.success());
}

#[test]
fn one_blob_as_a_million_lists_of_attributes_is_refused() {
    let repo = Repo::new();
    let long = "x text\n".repeat((1 << 20) / 7);
    repo.write(".gitattributes", &long);
    for index in 0..17 {
        repo.write(&format!("many/{index}/.gitattributes"), &long);
    }
    repo.commit();
    assert!(matches!(error(repo.path()), GitError::TooLarge { unit: "bytes of .gitattributes", .. }));
}

#[test]
fn patterns_times_files_are_bounded() {
    let repo = Repo::new();
    repo.write(".gitattributes", &"x\n".repeat(1 << 19));
    for index in 0..130 {
        repo.write(&format!("many/{index}"), "");
    }
    repo.commit();
    let refused = error(repo.path());
    assert!(refused.to_string().contains("patterns of .gitattributes"), "{refused}");
    let repo = Repo::new();
    repo.write(".gitignore", &"x\n".repeat(1 << 19));
    repo.commit();
    for index in 0..520 {
        repo.write(&format!("many/{index}"), "");
    }
    let refused = error(repo.path());
    assert!(refused.to_string().contains("patterns of .gitignore"), "{refused}");
}

#[test]
fn an_object_that_says_it_is_huge_is_not_inflated() {
    let repo = Repo::new();
    let id = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let object = repo.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
    let mut deflate = gix::zlib::stream::deflate::Write::new(Vec::new(), gix::zlib::Compression::DEFAULT);
    std::io::Write::write_all(&mut deflate, b"tree 400000000\0").expect("memory");
    std::io::Write::write_all(&mut deflate, &vec![0; 1 << 20]).expect("memory");
    std::io::Write::flush(&mut deflate).expect("memory");
    fs::remove_file(&object).expect("a loose object");
    fs::write(&object, deflate.into_inner()).expect("a file");
    let refused = error(repo.path()).to_string();
    assert!(refused.contains("allocation limit"), "{refused}");
}

#[test]
fn packs_of_random_bytes_are_an_error() {
    let repo = Repo::new();
    repo.git(&["gc", "-q"]);
    let packs = repo.path().join(".git/objects/pack");
    let mut state = 1_u64;
    for entry in fs::read_dir(packs).expect("a folder") {
        let path = entry.expect("a file").path();
        let original = fs::read(&path).expect("a file");
        fs::remove_file(&path).expect("a file");
        for _ in 0..40 {
            let mut bytes = original.clone();
            for _ in 0..8 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 24) as u8;
            }
            fs::write(&path, bytes).expect("a file");
            // Some bytes are read by nobody.
            if let Ok(found) = inspected(repo.path()) {
                assert!(found.record.clean);
            }
        }
        fs::write(&path, original).expect("a file");
    }
    assert_clean(repo.path());
}

#[test]
fn a_file_that_stands_for_a_repository_is_refused_unless_it_names_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for content in ["", "gitdir: ", "gitdir: /dev/zero\n", "gitdir: /\n", "gitdir: .git\n", "gitdir: /proc/self\n"] {
        fs::write(directory.path().join(".git"), content).expect("a file");
        assert!(matches!(error(directory.path()), GitError::Repository { .. }), "{content:?}");
    }
}

#[test]
fn a_repository_behind_a_link_is_compared_like_any_other() {
    let repo = Repo::new();
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    fs::rename(repo.path().join(".git"), elsewhere.path().join("kept")).expect("the same file system");
    symlink(elsewhere.path().join("kept"), repo.path().join(".git")).expect("a link");
    assert_clean(repo.path());
    repo.write("a", "2\n");
    assert_eq!(inspected(repo.path()).expect("readable").record.changed, ["a"]);
}

#[test]
fn a_folder_named_as_the_repository_within_the_work_tree_is_left_alone() {
    let repo = Repo::new();
    fs::create_dir_all(repo.path().join("sub/.git")).expect("a folder");
    pipe(&repo.path().join("sub/.git/HEAD"));
    assert_clean(repo.path());
}
