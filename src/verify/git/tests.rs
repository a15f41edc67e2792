//! Records that differ in one thing, and real repositories and archives.

use std::fs;
use std::process::Command;

use super::*;
use crate::manifest::predicate::tests::example;
use crate::provenance::git::ObjectFormat;
use crate::provenance::worktree::tests::{Repo, git};
use crate::verify::Verdict;

fn clean() -> GitRecord {
    let example = example().git.expect("the example has sources");
    let submodule = |path: &str| SubmoduleRecord {
        path: path.into(),
        commit: example.commit.clone(),
        checked_out: Some(example.commit.clone()),
        difference: None,
    };
    GitRecord {
        clean: true,
        difference: None,
        changed: Vec::new(),
        changed_count: 0,
        submodules: vec![submodule("a"), submodule("b")],
        lfs_pointers: Vec::new(),
        lfs_pointer_count: 0,
        read_untracked: Vec::new(),
        read_ignored: Vec::new(),
        replaced: false,
        patch: None,
        ..example
    }
}

fn inspected(record: &GitRecord) -> Inspected {
    let root = PathBuf::from("/nonexistent");
    Inspected { root, record: record.clone(), outside: Vec::new(), only_line_endings: false }
}

/// The verdict and the findings, a line each.
fn compared(claim: &GitRecord, found: &GitRecord) -> (Verdict, String) {
    let mut check = Check::new("git");
    compare(&mut check, claim, &inspected(found), Path::new("/nonexistent"));
    (check.verdict, check.findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_same_work_tree_passes_and_says_only_that() {
    let (verdict, findings) = compared(&clean(), &clean());
    assert_eq!((verdict, findings.lines().count()), (Verdict::Passed, 1), "{findings}");
}

#[test]
fn another_commit_is_found_and_how_to_get_the_right_one() {
    let other = GitRecord { tree: "9".repeat(40).parse().expect("an id"), ..clean() };
    let (verdict, findings) = compared(&clean(), &other);
    assert_eq!(verdict, Verdict::Failed);
    let command = format!("git checkout {} && git submodule update --init --recursive", clean().commit);
    assert!(findings.contains(&command) && findings.contains("https://example.org/a.git"), "{findings}");
}

#[test]
fn a_submodule_that_is_not_there_is_not_checked_and_one_at_another_commit_fails() {
    let mut absent = clean();
    absent.submodules[1].checked_out = None;
    let (verdict, findings) = compared(&clean(), &absent);
    assert_eq!(verdict, Verdict::NotChecked);
    assert!(findings.contains("submodule b") && findings.contains("update --init"), "{findings}");
    assert_eq!(compared(&absent, &clean()).0, Verdict::Passed, "the run could not read what was not there");
    let mut other = clean();
    other.submodules[0].checked_out = Some("8".repeat(40).parse().expect("an id"));
    let (verdict, findings) = compared(&clean(), &other);
    assert_eq!(verdict, Verdict::Failed);
    assert!(findings.contains("git -C a checkout"), "{findings}");
}

#[test]
fn a_pointer_in_place_of_the_content_is_not_checked_unless_the_run_had_no_more() {
    let pointer = GitRecord { lfs_pointers: vec!["big".into()], lfs_pointer_count: 1, ..clean() };
    let (verdict, findings) = compared(&clean(), &pointer);
    assert_eq!(verdict, Verdict::NotChecked);
    assert!(findings.contains("git lfs pull"), "{findings}");
    let (verdict, findings) = compared(&pointer, &pointer);
    assert_eq!(verdict, Verdict::Passed);
    assert!(findings.contains("the run had only the LFS pointer of big"), "{findings}");
}

#[test]
fn a_repository_with_another_hash_cannot_be_compared() {
    let other = GitRecord { object_format: ObjectFormat::Sha256, ..clean() };
    assert_eq!(compared(&clean(), &other).0, Verdict::NotChecked);
}

#[test]
fn what_git_does_not_hold_and_the_run_read_is_told() {
    let claim = GitRecord { read_ignored: vec!["data".into()], replaced: true, ..clean() };
    let (verdict, findings) = compared(&claim, &clean());
    assert_eq!(verdict, Verdict::Passed);
    assert!(findings.contains("ignored files") && findings.contains("replace refs"), "{findings}");
}

/// The verdict, the findings, a line each, and the configs that the commit does not hold.
fn checked(claim: &GitRecord, dir: &Path, reads: &[PathBuf], place: ConfigsPlace) -> (Verdict, String, Vec<String>) {
    let GitEvidence { check, configs_not_held } = evidence(Some(claim), dir, reads, place);
    let findings = check.findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("\n");
    (check.verdict, findings, configs_not_held)
}

fn in_repository(claim: &GitRecord, dir: &Path, reads: &[PathBuf]) -> (Verdict, String, Vec<String>) {
    checked(claim, dir, reads, ConfigsPlace::InRepository)
}

#[test]
fn a_config_that_no_commit_holds_fails_unless_the_record_names_it() {
    let repo = Repo::new();
    repo.write("ignored/secret.yaml", "");
    repo.write("mine.yaml", "");
    repo.write(".git/info/exclude", "hidden.yaml\n");
    repo.write("dir/hidden.yaml", "");
    let silent = repo.read();
    let names = ["a", "dir/hidden.yaml", "ignored/secret.yaml", "mine.yaml"];
    let reads = names.map(|name| repo.path().join(name));
    let (verdict, findings, not_held) = in_repository(&silent, repo.path(), &reads);
    assert_eq!(verdict, Verdict::Failed);
    assert_eq!(not_held, ["mine.yaml", "dir/hidden.yaml", "ignored/secret.yaml"]);
    for name in &names[1..] {
        let finding =
            format!("the config file {name} was composed and the commit does not hold it; the record does not");
        assert!(findings.contains(&finding), "{findings}");
    }
    assert!(!findings.contains("file a "), "{findings}");
    let honest = crate::provenance::git::read(repo.path(), &reads).expect("readable").expect("a repository");
    let (verdict, findings, not_held) = in_repository(&honest, repo.path(), &reads);
    assert_eq!((verdict, not_held.len()), (Verdict::Passed, 3), "{findings}");
    assert!(findings.contains("the config file mine.yaml was composed and the commit does not hold it, as the record"));
    assert_eq!(in_repository(&honest, repo.path(), &reads[..1]).2, [""; 0], "what was not composed is not named");
}

#[test]
fn a_config_from_outside_fails_unless_it_may_lie_there() {
    let (repo, elsewhere) = (Repo::new(), tempfile::NamedTempFile::new().expect("a file"));
    let reads = [elsewhere.path().to_owned()];
    let path = elsewhere.path().canonicalize().expect("a file").display().to_string();
    let (verdict, findings, not_held) = in_repository(&repo.read(), repo.path(), &reads);
    assert_eq!((verdict, not_held), (Verdict::Failed, vec![path.clone()]));
    assert!(findings.contains(&path) && findings.contains("outside the sources"), "{findings}");
    let (verdict, findings, not_held) = checked(&repo.read(), repo.path(), &reads, ConfigsPlace::Elsewhere);
    assert_eq!((verdict, not_held), (Verdict::Passed, vec![path.clone()]));
    assert!(findings.contains(&path), "{findings}");
}

#[cfg(unix)]
#[test]
fn a_tracked_link_to_a_config_that_no_commit_holds_fails() {
    let repo = Repo::new();
    std::os::unix::fs::symlink("ignored/secret.yaml", repo.path().join("config.yaml")).expect("a link");
    repo.commit();
    repo.write("ignored/secret.yaml", "");
    let (verdict, _, not_held) = in_repository(&repo.read(), repo.path(), &[repo.path().join("config.yaml")]);
    assert_eq!((verdict, not_held), (Verdict::Failed, vec!["ignored/secret.yaml".to_owned()]));
}

#[test]
fn a_run_without_a_repository_has_no_config_that_a_commit_holds() {
    let found = evidence(None, Path::new("/nonexistent"), &[PathBuf::from("/a.yaml")], ConfigsPlace::InRepository);
    assert_eq!((found.check.verdict, found.configs_not_held), (Verdict::NotChecked, vec!["/a.yaml".to_owned()]));
}

#[cfg(unix)]
#[test]
fn a_repository_that_cannot_be_looked_at_is_not_checked_and_says_why() {
    let repo = Repo::new();
    let claim = repo.read();
    std::os::unix::fs::symlink("/dev/zero", repo.path().join(".git/packed-refs")).expect("a link");
    let (verdict, findings, _) = in_repository(&claim, repo.path(), &[]);
    assert_eq!(verdict, Verdict::NotChecked);
    assert!(findings.ends_with(".git/packed-refs: expected a regular file, got a symbolic link"), "{findings}");
}

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

#[test]
fn an_archive_of_the_commit_passes_and_says_what_was_not_compared() {
    let repo = Repo::new();
    let (claim, directory) = (repo.read(), archive(&repo));
    fs::create_dir(directory.path().join("ignored")).expect("a folder");
    let secret = directory.path().join("ignored/secret.yaml");
    fs::write(&secret, "").expect("a file");
    let tracked = directory.path().join("a");
    let (verdict, findings, not_held) = in_repository(&claim, directory.path(), std::slice::from_ref(&tracked));
    assert_eq!((verdict, not_held), (Verdict::Passed, Vec::new()), "{findings}");
    let [tree, commit] = [&claim.tree, &claim.commit];
    assert!(findings.contains(&format!("those of the recorded tree {tree}")), "{findings}");
    assert!(findings.contains(&format!("that commit {commit} has this tree is the record's word")), "{findings}");
    let (verdict, _, not_held) = in_repository(&claim, directory.path(), &[tracked.clone(), secret]);
    assert_eq!((verdict, not_held), (Verdict::Failed, vec!["ignored/secret.yaml".to_owned()]));
    fs::write(&tracked, "2\n").expect("a file");
    let (verdict, findings, _) = in_repository(&claim, directory.path(), std::slice::from_ref(&tracked));
    assert_eq!(verdict, Verdict::Failed);
    let command = format!("git clone URL sources && git -C sources checkout {commit}");
    assert!(findings.contains(&command) && findings.contains("which file differs cannot be told"), "{findings}");
    // Where no config was composed, it is another folder.
    let (verdict, findings, _) = in_repository(&claim, directory.path(), &[]);
    assert_eq!(verdict, Verdict::NotChecked);
    assert!(findings.contains("--repository DIR"), "{findings}");
}

#[test]
fn an_archive_of_a_commit_that_was_edited_or_has_submodules_is_not_checked_and_says_what_to_do() {
    let repo = Repo::new();
    let directory = archive(&repo);
    repo.write("a", "2\n");
    let mut edited = repo.read();
    edited.patch = Some(crate::provenance::path::RelativePath::parse("provenance/a b.patch").expect("a path"));
    let (verdict, findings, _) = in_repository(&edited, directory.path(), &[]);
    assert_eq!(verdict, Verdict::NotChecked);
    assert!(findings.contains("uncommitted changes in a") && findings.contains("git clone URL sources"), "{findings}");
    assert!(findings.contains("git apply --binary RUN/'provenance/a b.patch'"), "{findings}");
    let (verdict, findings, _) = in_repository(&clean(), directory.path(), &[]);
    assert_eq!(verdict, Verdict::NotChecked);
    assert!(findings.contains("git clone https://example.org/a.git sources"), "{findings}");
    assert!(findings.contains("git -C sources submodule update --init --recursive"), "{findings}");
}

/// Writes every file of a work tree as git does with `core.autocrlf=true`.
fn convert(dir: &Path) {
    git(dir, &["config", "core.autocrlf", "true"]);
    git(dir, &["read-tree", "--empty"]);
    git(dir, &["reset", "-q", "--hard"]);
    assert_eq!(fs::read(dir.join("a")).expect("a file"), b"1\r\n");
    assert_eq!(git(dir, &["status", "--porcelain", "--untracked-files=no"]), "", "git sees nothing");
}

/// Types what a finding says is to be typed.
fn type_commands(findings: &str, dir: &Path) {
    let (_, commands) = findings.split_once(&format!("in {}: ", dir.display())).expect("commands");
    let commands = commands.lines().next().expect("a line");
    let status = Command::new("sh").args(["-ec", commands]).current_dir(dir).env("HOME", "/nonexistent").status();
    assert!(status.expect("a shell").success(), "{commands}");
}

#[test]
fn converted_line_endings_are_not_checked_and_the_command_that_is_told_mends_them() {
    let repo = Repo::new();
    let root = repo.path().canonicalize().expect("a folder");
    let claim = repo.read();
    convert(&root);
    fs::write(root.join("new"), "kept").expect("a file");
    let (verdict, findings, _) = in_repository(&claim, &root.join("dir"), &[]);
    assert_eq!(verdict, Verdict::NotChecked, "{findings}");
    assert!(findings.contains("CRLF in the work tree where the commit has LF"), "{findings}");
    type_commands(&findings, &root);
    let (verdict, findings, _) = in_repository(&claim, &root, &[]);
    assert_eq!(verdict, Verdict::Passed, "{findings}");
    assert_eq!(fs::read(root.join("new")).expect("a file"), b"kept");
    // An edit is an edit, whatever the line endings are.
    convert(&root);
    fs::write(root.join("a"), "2\r\n").expect("a file");
    let (verdict, findings, _) = in_repository(&claim, &root, &[]);
    assert_eq!(verdict, Verdict::Failed, "{findings}");
}

#[test]
fn converted_line_endings_of_a_submodule_are_mended_there() {
    let (inner, outer) = (Repo::new(), Repo::new());
    outer.git(&["submodule", "--quiet", "add", inner.path().to_str().expect("UTF-8"), "the sub"]);
    outer.commit();
    let root = outer.path().canonicalize().expect("a folder");
    let claim = outer.read();
    convert(&root);
    convert(&root.join("the sub"));
    let (verdict, findings, _) = in_repository(&claim, &root, &[]);
    assert_eq!(verdict, Verdict::NotChecked, "{findings}");
    assert!(findings.contains("git -C 'the sub' config core.autocrlf false"), "{findings}");
    type_commands(&findings, &root);
    let (verdict, findings, _) = in_repository(&claim, &root, &[]);
    assert_eq!(verdict, Verdict::Passed, "{findings}");
}

#[test]
fn a_name_in_a_command_does_not_become_another_command() {
    for (name, expected) in [
        ("configs/a-b_c.yaml", "configs/a-b_c.yaml"),
        ("a b", "'a b'"),
        ("$(touch x)", "'$(touch x)'"),
        ("';touch x;'", r"''\'';touch x;'\'''"),
    ] {
        assert_eq!(quoted(name), expected);
    }
    let mut hostile = clean();
    hostile.remotes[0].url = Some("--upload-pack=touch".into());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let findings = in_repository(&hostile, directory.path(), &[]).1;
    assert!(findings.contains("git clone URL sources"), "{findings}");
}

#[test]
fn a_repository_around_the_sources_is_named_when_it_is_another() {
    let (repo, other) = (Repo::new(), Repo::new());
    other.write("a", "2\n");
    other.commit();
    let (_, findings, _) = in_repository(&repo.read(), &other.path().join("dir"), &[]);
    let root = other.path().canonicalize().expect("a folder");
    let expected = format!("is in the repository at {}, which is what was compared", root.display());
    assert!(findings.contains(&expected), "{findings}");
}
