//! What is said of git repositories that no record can be made of.

use insta::assert_snapshot;

use super::{project, said};

#[test]
fn heads() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, "cp -r .git kept; rm .git/HEAD; spectramind exec -- touch {run}/x"), @r#"
    exit 1
    Error: cannot read the git repository of [sandbox]/work: "[sandbox]/work/.git" does not appear to be a git repository: Missing HEAD at ".git/HEAD"
    Hint: `git -C [sandbox]/work fsck` says what of it is damaged; a fresh clone has it whole
    "#);
    assert_snapshot!(said(&sandbox, "echo 'ref: elsewhere' > .git/HEAD; spectramind exec -- touch {run}/x"), @"
    exit 1
    Error: cannot read the git repository of [sandbox]/work: [sandbox]/work/.git/HEAD: expected the name of a branch below refs/, got another
    Hint: `git -C [sandbox]/work fsck` says what of it is damaged; a fresh clone has it whole
    ");
    assert_snapshot!(said(&sandbox, "echo x > .git/HEAD; spectramind exec -- touch {run}/x"), @r#"
    exit 1
    Error: cannot read the git repository of [sandbox]/work: The reference at "HEAD" could not be decoded: Reference content could not be parsed, input="x\n"
    Hint: `git -C [sandbox]/work fsck` says what of it is damaged; a fresh clone has it whole
    "#);
    assert_snapshot!(said(&sandbox, "head -c 70000 /dev/zero > .git/HEAD; spectramind exec -- touch {run}/x"), @"
    exit 1
    Error: [sandbox]/work/.git/HEAD: expected at most 65536 bytes, got 70000
    ");
    assert_snapshot!(said(&sandbox, "rm -r .git; git init --quiet; spectramind exec -- touch {run}/x"), @"
    exit 1
    Error: the git repository of [sandbox]/work has no commit, expected one at HEAD
    Hint: make a first commit: the record says which commit a run was made from
    ");
}

#[test]
fn work_trees_elsewhere() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, "git config core.worktree /tmp; spectramind exec -- touch {run}/x"), @"
    exit 1
    Error: the git repository in [sandbox]/work belongs to the work tree /tmp, expected the work tree [sandbox]/work
    Hint: git -C [sandbox]/work config --unset core.worktree
    ");
    assert_snapshot!(said(&sandbox, "git config --unset core.worktree; git config core.bare true; spectramind exec -- touch {run}/x"), @"
    exit 1
    Error: the git repository in [sandbox]/work belongs to no work tree (core.bare), expected the work tree [sandbox]/work
    Hint: git -C [sandbox]/work config core.bare false
    ");
}

#[test]
fn objects() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, "cp -r .git kept; chmod -R u+w .git; path() { git --git-dir=kept rev-parse $1 | sed 's#^..#.git/objects/&/#'; }; echo x > $(path HEAD:configs); spectramind exec -- touch {run}/x"), @r#"
    exit 1
    Error: cannot read the git repository of [sandbox]/work: Could not read loose object, path="[sandbox]/work/.git/objects/3d/[digest]": Could not decode zip stream: Invalid input data
    Hint: `git -C [sandbox]/work fsck` says what of it is damaged; a fresh clone has it whole
    "#);
    assert_snapshot!(said(&sandbox, "path() { git --git-dir=kept rev-parse $1 | sed 's#^..#.git/objects/&/#'; }; cp $(path HEAD:.gitignore) $(path HEAD:configs); spectramind exec -- touch {run}/x"), @"
    exit 1
    Error: git object [digest] in [sandbox]/work is corrupt, expected a tree
    Hint: `git -C [sandbox]/work fsck` says what of it is damaged; a fresh clone has it whole
    ");
    assert_snapshot!(said(&sandbox, "path() { git --git-dir=kept rev-parse $1 | sed 's#^..#.git/objects/&/#'; }; rm $(path HEAD:configs); spectramind exec -- touch {run}/x"), @"
    exit 1
    Error: cannot read the git repository of [sandbox]/work: An object with id [digest] could not be found
    Hint: `git -C [sandbox]/work fsck` says what of it is damaged; a fresh clone has it whole
    ");
    assert_snapshot!(said(&sandbox, "for i in $(seq 70); do mkdir -p many/$i; echo $PWD/many/$i; done > .git/objects/info/alternates; spectramind exec -- touch {run}/x"), @"
    exit 1
    Error: [sandbox]/work cannot be compared: expected at most 64 object folders to borrow from, got more
    ");
}

#[test]
fn large_changes() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, "truncate --size=70M large; git add --intent-to-add large; spectramind exec +command.keep_diff=true -- touch {run}/x"), @"
    exit 1
    Error: the uncommitted changes in [sandbox]/work are more than 64 MiB, too much for a patch
    Hint: commit them, or add provenance.keep_diff=false (of a command: command.keep_diff=false): their digest is signed in any case
    ");
}

#[test]
fn submodules_within_submodules() {
    let sandbox = project();
    assert_snapshot!(said(&sandbox, "for i in $(seq 18); do mkdir sub; cd sub; done; for i in $(seq 18); do git init --quiet; touch x; git add --all 2> /dev/null; git -c user.name=Test -c user.email=test@example.org commit --quiet --message=x; cd ..; done; git add sub 2> /dev/null; git -c user.name=Test -c user.email=test@example.org commit --quiet --message=x; spectramind exec -- touch {run}/x"), @"
    exit 1
    Error: the submodule [sandbox]/work/sub/sub/sub/sub/sub/sub/sub/sub/sub/sub/sub/sub/sub/sub/sub/sub/sub is within 16 others, expected fewer
    ");
}
