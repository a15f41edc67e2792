//! Trees with one fault each, and lists that are not what we write.

use super::*;
use proptest::prelude::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
        fs::write(path, content).expect("a file");
    }
    root
}

fn read(files: &[(&str, &str)]) -> ReadData {
    ReadData::of_tree(tree(files).path()).expect("acceptable data")
}

fn of(files: &[(&str, &str)]) -> DataManifest {
    read(files).manifest().clone()
}

const NO_MD5: fn(&RelativePath) -> Md5Kinds = |_| Md5Kinds::NONE;

const FILES: [(&str, &str); 4] = [("b", "abc"), ("a/c", ""), ("a-b", "1"), ("a/b", "2")];

#[test]
fn files_are_listed_in_the_order_of_their_paths_bytes() {
    let manifest = of(&FILES);
    let paths: Vec<_> = manifest.files().iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a-b", "a/b", "a/c", "b"]);
    assert_eq!(manifest.total_bytes(), 5);
    assert_eq!(manifest.files()[3].blake3.as_bytes(), blake3::hash(b"abc").as_bytes());
}

#[test]
fn the_root_is_stable() {
    assert_eq!(
        of(&FILES).merkle_root().to_string(),
        "53f7e489f4336e0d52ae6963d0f8f344bdbda8ed533b68ea75934190b46f0d4e"
    );
}

#[test]
fn a_leaf_is_encoded_as_documented() {
    let file = &of(&[("b", "abc")]).files()[0].clone();
    let mut leaf = vec![24, 0, 0, 0, 0, 0, 0, 0];
    leaf.extend_from_slice(b"spectramind/data-file/v1\x01\0\0\0\0\0\0\0b\x03\0\0\0\0\0\0\0");
    leaf.extend_from_slice(blake3::hash(b"abc").as_bytes());
    assert_eq!(file.leaf(), leaf);
}

#[test]
fn content_name_and_size_all_show_in_the_root() {
    let root = of(&[("a", "1")]).merkle_root();
    for other in [of(&[("a", "2")]), of(&[("b", "1")]), of(&[("a", "1"), ("b", "")]), of(&[])] {
        assert_ne!(other.merkle_root(), root);
    }
}

#[test]
fn differences_are_named() {
    let recorded = of(&[("changed", "1"), ("missing", "1"), ("old", "1"), ("same", "1")]);
    let found = read(&[("added", "1"), ("changed", "22"), ("new", "1"), ("same", "1")]);
    let named: Vec<_> = recorded.compare(&found).iter().map(ToString::to_string).collect();
    assert_eq!(named.len(), 5);
    assert_eq!(named[0], "added was added");
    assert!(named[1].starts_with("changed changed: expected 1 bytes, BLAKE3 "), "{}", named[1]);
    assert_eq!(named[2..], ["missing is missing", "new was added", "old is missing"]);
    assert_eq!(found.manifest().compare(&found), []);
}

#[test]
fn named_files_are_hashed_and_others_are_not() {
    let root = tree(&FILES);
    let some = ReadData::of_files(root.path(), &["b", "a/c"], NO_MD5).expect("acceptable data");
    assert_eq!(*some.manifest(), of(&[("b", "abc"), ("a/c", "")]));
    let twice = ReadData::of_files(root.path(), &["b", "b"], NO_MD5).expect_err("named twice");
    assert!(matches!(twice, DataError::Path { source: PathError::Duplicate { .. }, .. }), "{twice}");
    let climbing = ReadData::of_files(root.path(), &["../b"], NO_MD5).expect_err("climbs");
    assert!(matches!(climbing, DataError::Path { source: PathError::Refused { .. }, .. }), "{climbing}");
}

#[test]
fn a_missing_file_is_named() {
    let root = tree(&FILES);
    let error = ReadData::of_files(root.path(), &["c"], NO_MD5).expect_err("no such file");
    assert_eq!(error.to_string(), format!("cannot read {}", root.path().join("c").display()));
}

#[test]
fn a_root_that_is_a_file_is_a_set_of_one_under_its_name() {
    let root = tree(&FILES);
    let one = ReadData::of_tree(&root.path().join("b")).expect("a file");
    let listed = ReadData::of_files(root.path(), &["b"], NO_MD5).expect("a file of a folder");
    assert_eq!(one.manifest(), listed.manifest());
    assert!(ReadData::of_tree(&root.path().join("nothing")).is_err());
}

#[cfg(unix)]
#[test]
fn a_symlink_is_refused() {
    let root = tree(&FILES);
    std::os::unix::fs::symlink("b", root.path().join("link")).expect("a symlink");
    let error = ReadData::of_tree(root.path()).expect_err("a symlink");
    assert!(error.to_string().ends_with("link: expected a regular file, got a symlink"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_behind_a_symlinked_directory_is_refused() {
    let root = tree(&FILES);
    std::os::unix::fs::symlink("a", root.path().join("link")).expect("a symlink");
    let error = ReadData::of_files(root.path(), &["link/b"], NO_MD5).expect_err("a symlink");
    assert!(error.to_string().ends_with("link: expected a directory, got a symlink"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_special_file_is_refused_and_never_opened() {
    let root = tree(&FILES);
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).expect("a socket");
    let error = ReadData::of_tree(root.path()).expect_err("a socket");
    assert!(error.to_string().ends_with("expected a regular file, got a special file"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf_8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let root = tree(&FILES);
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").expect("a file");
    let error = ReadData::of_tree(root.path()).expect_err("not UTF-8");
    assert!(matches!(error, DataError::Name { .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_differ_in_case_only_are_refused() {
    let root = tree(&[("a/x", ""), ("A/y", "")]);
    let error = ReadData::of_tree(root.path()).expect_err("a clash");
    assert!(matches!(error, DataError::Path { source: PathError::CaseClash { .. }, .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_backslash_in_a_name_is_refused() {
    let root = tree(&[("a\\b", "")]);
    let error = ReadData::of_tree(root.path()).expect_err("a backslash");
    assert!(matches!(error, DataError::Path { source: PathError::Refused { .. }, .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_grows_while_it_is_read_is_refused() {
    // The kernel gives this file's size as 0 and writes it while it is read.
    let error = ReadData::of_files(Path::new("/proc/self"), &["status"], NO_MD5).expect_err("not what it was");
    assert!(matches!(error, DataError::Changed { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_refused_and_never_opened() {
    let root = tree(&FILES);
    let made = std::process::Command::new("mkfifo").arg(root.path().join("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    // Opening it would block for ever, as nobody writes.
    for error in [
        ReadData::of_tree(root.path()).expect_err("a named pipe"),
        ReadData::of_files(root.path(), &["pipe"], NO_MD5).expect_err("a named pipe"),
    ] {
        assert!(error.to_string().ends_with("pipe: expected a regular file, got a special file"), "{error}");
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("a");
    // Small ones are read to their end, large ones by several threads that know where they expect bytes.
    for size in [10, 9 << 20] {
        fs::write(&path, vec![7; size]).expect("a file");
        let file = fs::File::open(&path).expect("the file");
        let opened = file.metadata().expect("its metadata");
        fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(size as u64 / 2)).expect("shorter");
        for kinds in [Md5Kinds::NONE, Md5Kinds::only(Md5Kind::Bytes)] {
            assert_eq!(content::read(&file, &opened, kinds).expect("readable"), None, "{size} bytes, {kinds:?}");
        }
    }
}

#[test]
fn large_files_have_the_digests_of_their_bytes_on_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let bytes: Vec<u8> = (0_u32..3 << 20).flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    // About the sizes from which on threads share a file, and where its tree splits.
    for size in [4 << 20, (4 << 20) + 1, (8 << 20) + 1023, (8 << 20) + 1025, 12 << 20] {
        fs::write(folder.path().join(format!("{size}")), &bytes[..size]).expect("a file");
    }
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let plain = pool.install(|| ReadData::of_tree(folder.path())).expect("acceptable data");
        let both = |_: &RelativePath| Md5Kinds { bytes: true, dos2unix: true };
        let with_md5 = pool.install(|| ReadData::of_tree_with(folder.path(), both)).expect("acceptable data");
        assert_eq!(plain.manifest(), with_md5.manifest());
        for file in plain.manifest().files() {
            let expected = &bytes[..file.size as usize];
            assert_eq!(file.blake3.as_bytes(), blake3::hash(expected).as_bytes(), "{}", file.path);
            assert_eq!(with_md5.md5(file.path.as_str(), Md5Kind::Bytes), Some(Md5Digest::of(expected)));
        }
    }
}

fn refusal(list: &str) -> ListError {
    DataManifest::from_jsonl(list.as_bytes()).expect_err(list)
}

fn line(path: &str) -> String {
    format!("{{\"path\":\"{path}\",\"size\":1,\"blake3\":\"{}\"}}\n", "0".repeat(64))
}

#[test]
fn a_list_in_another_spelling_is_refused() {
    let spaced = line("a").replace(',', ", ");
    let escaped = line("a").replace("\"a\"", "\"\\u0061\"");
    let reordered = format!("{{\"size\":1,\"path\":\"a\",\"blake3\":\"{}\"}}\n", "0".repeat(64));
    for list in [spaced, escaped, reordered, line("a").replace('\n', "\r\n")] {
        assert_eq!(refusal(&list), ListError::Spelling { line: 1 });
    }
}

#[test]
fn a_list_with_a_foreign_line_is_refused() {
    let unknown = line("a").replace("{", "{\"mode\":1,");
    let doubled = line("a").replace("\"size\":1", "\"size\":1,\"size\":1");
    for list in ["\n", "null\n", &unknown, &doubled, &line("/a"), &line("a").replace('1', "-1")] {
        assert!(matches!(refusal(list), ListError::Syntax { line: 1, .. }), "{list}");
    }
}

#[test]
fn a_list_out_of_order_is_refused() {
    let path = RelativePath::parse("a").expect("a path");
    assert_eq!(refusal(&(line("b") + &line("a"))), ListError::Order { line: 2, path });
}

#[test]
fn a_list_with_clashing_paths_is_refused() {
    for (first, second) in [("a", "a"), ("A", "a"), ("a", "a/b")] {
        assert!(matches!(refusal(&(line(first) + &line(second))), ListError::Clash { line: 2, .. }));
    }
}

#[test]
fn a_truncated_list_is_refused() {
    let list = line("a") + &line("b");
    assert_eq!(refusal(list.trim_end()), ListError::Truncated { line: 2 });
}

#[test]
fn a_size_that_json_cannot_hold_is_refused() {
    let list = line("a").replace(":1,", ":9007199254740992,");
    assert_eq!(refusal(&list), ListError::Size { line: 1, got: 1 << 53 });
}

proptest! {
    #[test]
    fn lists_round_trip(names in prop::collection::btree_map("[a-z\"é ]{1,8}", (0..MAX_FILE_BYTES, any::<[u8; 32]>()), 0..8)) {
        let files = names.into_iter().map(|(name, (size, digest))| DataFile {
            path: RelativePath::parse(&name).expect("no slash, no dot"),
            size,
            blake3: Blake3Digest::from_bytes(digest),
        });
        let manifest = DataManifest { files: files.collect() };
        prop_assert_eq!(DataManifest::from_jsonl(manifest.to_jsonl().as_bytes()), Ok(manifest));
    }
}
