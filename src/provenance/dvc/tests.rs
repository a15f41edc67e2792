//! Where entries are looked for, what they are compared with, and documents and lists with one fault each.
//!
//! That the MD5s are DVC's own is shown by `tests/dvc.rs`, with DVC.

use super::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(folder_of(&path)).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    root
}

fn md5(content: &str) -> Md5Digest {
    Md5Digest::of(content.as_bytes())
}

/// An entry of a `.dvc` file for the content of a file, or for the files of a directory.
fn entry(path: &str, content: &str) -> String {
    format!("outs:\n- md5: {}\n  hash: md5\n  path: {path}\n", md5(content))
}

fn directory_entry(path: &str, files: &[(&str, &str)]) -> String {
    let members = files.iter().map(|(path, content)| ((*path).to_owned(), md5(content))).collect();
    format!("outs:\n- md5: {}\n  hash: md5\n  path: {path}\n", of_directory(members))
}

fn compare(root: &Path) -> Vec<DvcOutput> {
    let entries = DvcEntries::about(root).expect("entries");
    let needed = entries.needed();
    let data = ReadData::of_tree_with(root, |path| needed.of_file(path)).expect("acceptable data");
    entries.compare(&data).expect("comparable")
}

/// The documents and places of what was found, and whether it holds.
fn summary(root: &Path) -> Vec<(String, DvcPlace, bool)> {
    compare(root).iter().map(|output| (output.document.to_string(), output.place.clone(), output.matches())).collect()
}

fn path(text: &str) -> RelativePath {
    RelativePath::parse(text).expect("an acceptable path")
}

const FILES: [(&str, &str); 3] = [("sub-1", "1"), ("sub/b", "2"), ("é \"x\" 😀", "3")];

#[test]
fn a_listing_is_sorted_and_escaped_as_pythons_json_does() {
    let listing = format!(
        r#"[{{"md5": "{}", "relpath": "sub-1"}}, {{"md5": "{}", "relpath": "sub/b"}}, {{"md5": "{}", "relpath": "{}"}}]"#,
        md5("1"),
        md5("2"),
        md5("3"),
        r#"\u00e9 \"x\" \ud83d\ude00"#
    );
    let members = FILES.iter().rev().map(|(path, content)| ((*path).to_owned(), md5(content))).collect();
    assert_eq!(of_directory(members), DvcChecksum { md5: md5(&listing), directory: true });
    assert_eq!(of_directory(Vec::new()).md5, md5("[]"));
}

#[test]
fn entries_are_found_below_beside_and_above_the_data_set() {
    let top = tree(&[("a/set/x", "1"), ("a/set/y", "2"), ("a/other", "3"), (".dvc/config", "")]);
    let write = |path: &str, text: &str| fs::write(top.path().join(path), text).expect("written");
    write("a/set/x.dvc", &entry("x", "1"));
    let set = [("x", "1"), ("x.dvc", &entry("x", "1")), ("y", "2")];
    write("a/set.dvc", &directory_entry("set", &set));
    write("y.dvc", &format!("wdir: a/set\n{}", entry("y", "2")));
    let around: Vec<_> = set.iter().map(|(path, text)| (format!("set/{path}"), (*text).to_owned())).collect();
    let mut around: Vec<_> = around.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let beside = directory_entry("set", &set);
    around.extend([("other", "3"), ("set.dvc", beside.as_str())]);
    write("a.dvc", &directory_entry("a", &around));
    write("dvc.lock", &format!("schema: '2.0'\nstages:\n  s:\n    {}", entry("a/set/x", "1").replace('\n', "\n    ")));
    write("unrelated.dvc", &entry("a/other", "0"));
    let expected = [
        ("a/set/x.dvc", DvcPlace::Within(path("x"))),
        ("a/set.dvc", DvcPlace::Whole),
        ("a.dvc", DvcPlace::Around(path("set"))),
        ("dvc.lock", DvcPlace::Within(path("x"))),
        ("y.dvc", DvcPlace::Within(path("y"))),
    ];
    let expected = expected.map(|(document, place)| (document.to_owned(), place, true));
    assert_eq!(summary(&top.path().join("a/set")), expected);
}

#[test]
fn nothing_is_looked_for_above_dvcs_root() {
    let top = tree(&[("in/set/x", "1"), ("in/.dvc/config", ""), ("set.dvc", "no document")]);
    assert_eq!(summary(&top.path().join("in/set")), []);
}

#[test]
fn every_change_of_a_directory_is_found() {
    let files = [("a", "1"), ("sub/b", "2")];
    let stated = directory_entry("set", &files);
    let changes: [&[(&str, &str)]; 6] = [
        &[("a", "1"), ("sub/b", "3")],
        &[("a", "1"), ("sub/c", "2")],
        &[("a", "1"), ("b", "2")],
        &[("a", "1")],
        &[("a", "1"), ("sub/b", "2"), ("c", "")],
        &[("a", "2"), ("sub/b", "1")],
    ];
    for files in changes.into_iter().chain([&files[..]]) {
        let top = tree(&[("set.dvc", &stated)]);
        for (path, content) in files {
            let path = top.path().join("set").join(path);
            fs::create_dir_all(folder_of(&path)).expect("a folder");
            fs::write(path, content).expect("a file");
        }
        let [output] = &compare(&top.path().join("set"))[..] else { panic!("one output") };
        assert_eq!(output.matches(), files == [("a", "1"), ("sub/b", "2")], "{files:?}");
    }
}

#[test]
fn what_differs_is_refused_by_name() {
    let top = tree(&[("set/x", "1"), ("set.dvc", "outs: []\n"), ("x.dvc", &entry("set/x", "2"))]);
    let root = top.path().join("set");
    let error = DvcEntries::about(&root).expect("entries").refuse_differences(&compare(&root)).expect_err("differs");
    let expected = format!("x (x.dvc): expected md5 {}, got {}", md5("2"), md5("1"));
    assert!(error.to_string().ends_with(&format!("in 1 of 1 entries: {expected}")), "{error}");
    fs::remove_file(root.join("x")).expect("removed");
    let output = &compare(&root)[0];
    assert!(output.found.is_none() && output.to_string().ends_with("got no such file"), "{output}");
}

#[test]
fn files_that_dvc_leaves_out_are_named_and_not_counted() {
    let files = [("a", "1"), ("log/b", "2"), ("c.tmp", "3")];
    let top = tree(&[
        (".dvc/config", ""),
        (".dvcignore", "*.tmp\nlog/\n"),
        ("set.dvc", &directory_entry("set", &files[..1])),
    ]);
    for (path, content) in files {
        let path = top.path().join("set").join(path);
        fs::create_dir_all(folder_of(&path)).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    let root = top.path().join("set");
    let [output] = &compare(&root)[..] else { panic!("one output") };
    assert!(output.matches());
    assert_eq!(output.ignored, [path("c.tmp"), path("log/b")]);
    // A verifier elsewhere has no `.dvcignore`, and perhaps other files besides.
    let elsewhere = tree(&[("a", "1"), ("log/b", "2"), ("c.tmp", "3"), ("more", "4")]);
    let needed = NeededMd5s::of_outputs(std::slice::from_ref(output));
    let data = ReadData::of_tree_with(elsewhere.path(), |path| needed.of_file(path)).expect("acceptable data");
    assert_eq!(output.find_again(&data, |path| path != "more"), output.found);
    assert_ne!(output.find_again(&data, |_| true), output.found);
}

#[test]
fn a_document_that_dvc_did_not_write_is_named() {
    for text in ["outs: 3\n", "- a\n", "{", "outs: [{path: set, md5: x}]\n"] {
        let top = tree(&[("set/x", "1"), ("set.dvc", text)]);
        let error = DvcEntries::about(&top.path().join("set")).expect_err(text);
        assert!(matches!(error, DvcError::Document { .. }) && error.to_string().ends_with("set.dvc"), "{error}");
    }
}

#[test]
fn a_document_larger_than_any_of_dvcs_is_refused() {
    let text = format!("# {}\n", "a".repeat(MAX_DOCUMENT_BYTES as usize));
    let top = tree(&[("set/x", "1"), ("set.dvc", &text)]);
    let error = DvcEntries::about(&top.path().join("set")).expect_err("too large");
    assert!(matches!(error, DvcError::Document { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn a_document_that_is_a_named_pipe_or_a_symlink_is_not_opened() {
    let top = tree(&[("set/x", "1")]);
    let made = std::process::Command::new("mkfifo").arg(top.path().join("set.dvc")).status().expect("mkfifo runs");
    assert!(made.success());
    std::os::unix::fs::symlink("/dev/zero", top.path().join("zero.dvc")).expect("a symlink");
    assert_eq!(summary(&top.path().join("set")), []);
}

#[test]
fn an_output_with_an_unacceptable_path_in_the_data_set_is_refused() {
    let top = tree(&[("set/x", "1"), ("set.dvc", &entry("'set/a\\b'", "1"))]);
    let error = DvcEntries::about(&top.path().join("set")).expect_err("a backslash");
    assert!(matches!(error, DvcError::Path { .. }), "{error}");
}

#[test]
fn lists_round_trip_and_other_spellings_are_refused() {
    let top = tree(&[("set/x", "1"), ("set.dvc", &entry("set/x", "2")), ("x.dvc", &entry("set", "1"))]);
    let outputs = compare(&top.path().join("set"));
    let list = outputs_to_jsonl(&outputs);
    assert_eq!(outputs_from_jsonl(list.as_bytes()).expect("a list"), outputs);
    assert_eq!(outputs.len(), 2);
    let faults = [
        list.replace(':', ": "),
        list.replace("\"stage\":null,", ""),
        list.replace("\"stage\":null", "\"stage\":null,\"stage\":null"),
        list.replace("{\"within\":\"x\"}", "{\"within\":\"../x\"}"),
        list.trim_end().to_owned(),
        list.clone() + "\n",
    ];
    for wrong in faults {
        assert_ne!(wrong, list);
        assert!(matches!(outputs_from_jsonl(wrong.as_bytes()), Err(DvcListError::Line { .. })), "{wrong}");
    }
}
