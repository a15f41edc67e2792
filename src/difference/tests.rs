use std::io::{Cursor, Write};

use ::zip::write::{SimpleFileOptions, ZipWriter};
use ::zip::{CompressionMethod, DateTime};

use super::*;

fn difference(name: &str, expected: &[u8], got: &[u8]) -> Option<Difference> {
    let (left, right) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    std::fs::write(left.path().join(name), expected).expect("a file");
    std::fs::write(right.path().join(name), got).expect("a file");
    first_difference(name, left.path(), right.path()).expect("readable")
}

/// The whole explanation on a line, without the name.
fn said(name: &str, expected: &[u8], got: &[u8]) -> String {
    let said = difference(name, expected, got).expect("different").to_string();
    said.strip_prefix(&format!("{name}: ")).expect("the name first").to_owned()
}

fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn archive(members: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, options).expect("a member");
        writer.write_all(bytes).expect("written");
    }
    writer.finish().expect("finished").into_inner()
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored).last_modified_time(DateTime::DEFAULT)
}

fn deflated() -> SimpleFileOptions {
    stored().compression_method(CompressionMethod::Deflated)
}

#[test]
fn equal_bytes_do_not_differ_whatever_they_are() {
    for bytes in [&b""[..], b"text\n", b"\0\x01", b"PK\x03\x04broken", b"\x93NUMPYbroken"] {
        assert_eq!(difference("file", bytes, bytes), None);
    }
}

#[test]
fn bytes_differ_at_an_offset_or_in_length() {
    assert_eq!(said("model.bin", b"\0abc", b"\0abd"), "byte 3: expected 0x63, got 0x64");
    assert_eq!(said("model.bin", b"\0abc", b"\0ab"), "byte 3: expected 0x63, got the end of the file");
}

#[test]
fn a_late_difference_in_a_large_file_is_found_by_streaming() {
    let (left, right) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for (folder, last) in [(&left, b"a"), (&right, b"b")] {
        let mut file = std::fs::File::create(folder.path().join("file")).expect("a file");
        file.set_len((64 << 20) + 7).expect("sparse");
        std::io::Seek::seek(&mut file, io::SeekFrom::End(0)).expect("seeks");
        file.write_all(last).expect("written");
    }
    let found = first_difference("file", left.path(), right.path()).expect("readable").expect("different");
    assert_eq!(found.place, Place::Byte { offset: (64 << 20) + 7, expected: Some(b'a'), got: Some(b'b') });
}

#[test]
fn text_differs_in_a_line_and_a_column() {
    assert_eq!(said("log.txt", b"one\ntwo\n", b"one\ntoo\n"), "line 2, column 2: expected `two`, got `too`");
    assert_eq!(said("log.txt", b"one\ntwo\n", b"one\n"), "line 2, column 1: expected `two`, got the end of the file");
    // The end of a line is shown where it is what differs.
    assert_eq!(said("log.txt", b"one\ntwo\n", b"one\ntwo"), r"line 2, column 4: expected `two\n`, got `two`");
    assert_eq!(said("log.txt", b"one\n", b"one\r\n"), r"line 1, column 4: expected `one\n`, got `one\r`");
}

#[test]
fn of_a_long_line_the_part_around_the_difference_is_shown() {
    let line = |end: &str| format!("{}{end}{}\n", "x".repeat(1 << 20), "y".repeat(1 << 20));
    let said = said("long.txt", line("1").as_bytes(), line("2").as_bytes());
    assert!(said.starts_with("line 1, column 1048577: expected `…xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1yyy"), "{said}");
    assert!(said.len() < 400, "{}", said.len());
}

#[test]
fn text_that_would_command_a_terminal_is_escaped() {
    let said = said("log.txt", b"\x1b[2Jred\n", "\u{202e}der\u{200b}\n".as_bytes());
    assert_eq!(said, r"line 1, column 1: expected `\u{1b}[2Jred`, got `\u{202e}der\u{200b}`");
}

#[test]
fn what_a_parser_quotes_of_a_file_is_escaped_and_cut() {
    let header = |field: &str| HEADER.replace("shape", field);
    let said = |field: &str| said("x", &tensors(HEADER, &[1.0; 4]), &tensors(&header(field), &[1.0; 4]));
    let found = said("\\u001b[2J\u{202e}");
    assert!(found.contains(r"unknown field `\u{1b}[2J\u{202e}`"), "{found}");
    assert!(said(&"x".repeat(1 << 20)).chars().count() < 600);
}

#[test]
fn a_table_differs_in_a_row_and_a_named_column() {
    let table = b"step,loss,note\n1,0.5,\"a, b\"\n2,0.25,c\n";
    let said = |got: &[u8]| said("metrics.csv", table, got);
    assert_eq!(said(b"step,loss,note\n1,0.5,\"a, b\"\n2,0.26,c\n"), "row 2, column loss: expected `0.25`, got `0.26`");
    assert_eq!(said(b"step,loss,note\n1,0.5,\"a, c\"\n2,0.25,c\n"), "row 1, column note: expected `a, b`, got `a, c`");
    assert_eq!(said(b"step,lass,note\n"), "header, column 2: expected `loss`, got `lass`");
    assert_eq!(said(b"step,loss,note\n1,0.5,\"a, b\"\n"), "row 2, column step: expected `2`, got nothing");
    assert_eq!(said(b"step,loss,note\n1,0.5,\"a, b\",d\n2,0.25,c\n"), "row 1, column 4: expected nothing, got `d`");
    assert_eq!(
        difference("t.tsv", b"a\tb\n1\t2\n", b"a\tb\n1\t3\n").expect("different").place,
        Place::Cell { row: 1, column: "b".to_owned(), expected: Some("2".to_owned()), got: Some("3".to_owned()) }
    );
}

#[test]
fn a_table_that_differs_in_spelling_alone_is_compared_as_text() {
    assert_eq!(
        said("t.csv", b"a,b\n1,2\n", b"a,b\n1,\"2\"\n"),
        "line 2, column 3: expected `1,2`, got `1,\"2\"` (every value of the table is equal, only its spelling differs)"
    );
}

#[test]
fn a_quote_that_is_never_closed_takes_no_memory_beyond_a_row() {
    let mut endless = b"a,b\n1,\"".to_vec();
    endless.resize(3 << 20, b'x');
    let mut other = endless.clone();
    other.push(b'y');
    let said = said("t.csv", &endless, &other);
    assert!(said.ends_with("(not compared as a table: a row has more than 1048576 bytes)"), "{said}");
    assert!(said.starts_with("line 2, column 3145725: "), "{said}");
}

#[test]
fn a_row_of_commas_takes_no_more_fields_than_there_may_be() {
    let said = self::said("t.csv", ",".repeat(1 << 15).as_bytes(), ",".repeat((1 << 15) + 1).as_bytes());
    assert!(said.ends_with("(not compared as a table: a row has more than 16384 fields)"), "{said}");
}

#[test]
fn a_document_differs_at_a_pointer() {
    let document = br#"{"a": [1, {"b/c": 0.5}], "d": null}"#;
    let said = |got: &[u8]| said("metrics.json", document, got);
    assert_eq!(said(br#"{"a": [1, {"b/c": 0.25}], "d": null}"#), "/a/1/b~1c: expected 0.5, got 0.25");
    assert_eq!(said(br#"{"a": [1], "d": null}"#), r#"/a/1: expected {"b/c":0.5}, got nothing"#);
    assert_eq!(said(br#"{"a": [1, {"b/c": 0.5}], "d": null, "e": 1}"#), "/e: expected nothing, got 1");
    assert_eq!(said(br#"[]"#), r#"the document: expected {"a":[1,{"b/c":0.5}],"d":null}, got []"#);
    assert_eq!(self::said("z.json", b"0.0", b"-0.0"), "the document: expected 0.0, got -0.0");
}

#[test]
fn a_document_that_differs_in_spelling_alone_is_compared_as_text() {
    let said = said("m.json", br#"{"a": 1}"#, br#"{"a":1}"#);
    assert!(said.starts_with(r#"line 1, column 6: expected `{"a": 1}`, got `{"a":1}` (every value"#), "{said}");
}

#[test]
fn a_repeated_key_does_not_hide_a_difference() {
    let said = said("m.json", br#"{"a": 1}"#, br#"{"a": 2, "a": 1}"#);
    assert!(said.contains("repeated key"), "{said}");
}

#[test]
fn a_tower_of_brackets_falls_back_to_text() {
    let said = said("m.json", "[".repeat(1 << 20).as_bytes(), "[".repeat((1 << 20) + 1).as_bytes());
    assert!(said.contains("not compared as JSON: recursion limit exceeded"), "{said}");
}

#[test]
fn a_document_too_large_to_parse_falls_back_to_text() {
    let document = |last: &str| format!("[{}{last}]", "[],".repeat(2 << 20));
    let said = said("m.json", document("1").as_bytes(), document("2").as_bytes());
    assert!(
        said.ends_with("(not compared as JSON: the document has 6291459 bytes, expected at most 4194304)"),
        "{said}"
    );
}

#[test]
fn an_array_differs_in_an_element_with_its_bits() {
    let array = |order: &str, values: &[f32]| npy("<f4", order, "(2, 3)", &floats(values));
    assert_eq!(
        said(
            "a.npy",
            &array("False", &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            &array("False", &[0.0, 1.0, 2.0, 3.0, 4.0000005, 5.0])
        ),
        "array (<f4), element [1, 1]: expected 4.0 (0x40800000), got 4.0000005 (0x40800001)"
    );
    let said = said("a.npy", &array("True", &[0.0, 1.0, 2.0]), &array("True", &[0.0, 1.0, 3.0]));
    assert!(said.starts_with("array (<f4), element [0, 1]: "), "{said}");
    let ended = self::said("a.npy", &array("False", &[0.0, 1.0]), &array("False", &[0.0]));
    assert_eq!(ended, "array (<f4), element [0, 1]: expected 1.0 (0x3f800000), got the end of the file");
}

#[test]
fn arrays_differ_in_what_their_headers_say() {
    let array = |descr: &str, order: &str, shape: &str| npy(descr, order, shape, &floats(&[1.0, 2.0]));
    let said = |got: &[u8]| self::said("a.npy", &array("<f4", "False", "(2,)"), got);
    assert_eq!(said(&array("<i4", "False", "(2,)")), "type of the elements: expected <f4, got <i4");
    assert_eq!(said(&array("<f4", "False", "(1, 2)")), "shape: expected [2], got [1, 2]");
    assert_eq!(said(&array("<f4", "True", "(2,)")), "order of the elements: expected C's, got Fortran's");
    assert!(said(&array("<f4", "False", "( 2, )")).starts_with("byte "));
}

#[test]
fn an_array_with_a_broken_header_falls_back_to_bytes() {
    let right = npy("<f4", "False", "(1,)", &floats(&[1.0]));
    let said = |got: &[u8]| self::said("a.npy", &right, got);
    assert!(said(&right[..9]).contains("not compared as a NumPy array: expected version 1, 2 or 3"));
    assert!(said(&right[..40]).contains("a header of 118 bytes of which 30 are there"), "{}", said(&right[..40]));
    assert!(
        said(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{").contains("a header of 4294967295 bytes, expected at most 65536")
    );
    assert!(said(&npy("|O", "False", "(1,)", b"")).contains("elements of a type without a size"));
}

const HEADER: &str = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"I8","shape":[1],"data_offsets":[16,17]}}"#;

fn tensors(header: &str, values: &[f32]) -> Vec<u8> {
    let mut data = floats(values);
    data.push(7);
    safetensors(header, &data)
}

#[test]
fn a_tensor_differs_in_an_element_with_its_bits() {
    let expected = tensors(HEADER, &[1.0, 2.0, 0.5, 4.0]);
    assert_eq!(
        said("last.safetensors", &expected, &tensors(HEADER, &[1.0, 2.0, 0.25, 4.0])),
        "tensor \"a\" (F32), element [1, 0]: expected 0.5 (0x3f000000), got 0.25 (0x3e800000)"
    );
    let mut got = expected.clone();
    *got.last_mut().expect("a byte") = 0xff;
    assert_eq!(said("x", &expected, &got), "tensor \"b\" (I8), element [0]: expected 7 (0x07), got -1 (0xff)");
}

#[test]
fn tensors_differ_in_what_their_headers_say() {
    let values = [1.0, 2.0, 3.0, 4.0];
    let expected = tensors(HEADER, &values);
    let said = |from: &str, to: &str| {
        assert!(HEADER.contains(from));
        self::said("x.safetensors", &expected, &tensors(&HEADER.replace(from, to), &values))
    };
    assert_eq!(said("[2,2]", "[4]"), "shape of tensor \"a\": expected [2, 2], got [4]");
    assert_eq!(said("F32", "U32"), "type of tensor \"a\": expected F32, got U32");
    assert_eq!(said("\"b\"", "\"c\""), "tensor \"b\": expected I8 [1], got nothing");
    assert_eq!(said("\"pt\"", "\"np\""), "metadata \"format\": expected \"pt\", got \"np\"");
    assert!(said("\"pt\"}", "\"pt\"} ").contains("only the spelling of the header or the layout differs"));
}

#[test]
fn tensors_that_moved_within_the_file_are_compared_by_name() {
    let moved = r#"{"b":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[1,17]}}"#;
    let mut data = vec![7];
    data.extend(floats(&[1.0, 2.0, 3.0, 5.0]));
    assert_eq!(
        said("x.safetensors", &tensors(HEADER, &[1.0, 2.0, 3.0, 4.0]), &safetensors(moved, &data)),
        "tensor \"a\" (F32), element [1, 1]: expected 4.0 (0x40800000), got 5.0 (0x40a00000) (the metadata differ, too)"
    );
}

#[test]
fn a_broken_header_of_tensors_falls_back_to_bytes() {
    let right = tensors(HEADER, &[1.0, 2.0, 3.0, 4.0]);
    let said = |got: &[u8]| self::said("x.safetensors", &right, got);
    let mut overlong = right.clone();
    overlong[..8].copy_from_slice(&(1_u64 << 39).to_le_bytes());
    assert!(said(&overlong).contains("a header of 549755813888 bytes, expected at most 33554432"));
    assert!(said(&right[..60]).contains(&format!("a header of {} bytes in a file of 60", HEADER.len())));
    assert!(said(&right[..right.len() - 1]).contains("the offsets of tensor \"b\" fit neither its shape nor the file"));
    let with = |from: &str, to: &str| tensors(&HEADER.replace(from, to), &[1.0, 2.0, 3.0, 4.0]);
    assert!(said(&with("[2,2]", "[4294967296,4294967296,2]")).contains("the offsets of tensor \"a\" fit neither"));
    assert!(said(&with("[0,16]", "[16,0]")).contains("the offsets of tensor \"a\" fit neither"));
    assert!(said(&with("[0,16]", "[0,18446744073709551615]")).contains("the offsets of tensor \"a\" fit neither"));
    assert!(said(&with("\"b\"", "\"a\"")).contains("a tensor is named twice"));
    assert!(said(&with("[2,2]", "2")).contains("not compared as safetensors: its header: invalid type"));
}

#[test]
fn an_element_of_an_unknown_type_is_shown_as_bytes() {
    let file = |byte| safetensors(r#"{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}"#, &[1, byte]);
    assert_eq!(
        said("x.safetensors", &file(1), &file(2)),
        "tensor \"a\" (bytes of F4), element [1]: expected 0x01, got 0x02"
    );
}

#[test]
fn an_archive_differs_in_a_member_explained_by_its_kind() {
    let array = |value| npy("<f4", "False", "(1,)", &floats(&[value]));
    for options in [stored(), deflated()] {
        let arrays =
            |value| archive(&[("kept.npy", &array(9.0)), ("loss.npy", &array(value)), ("note.txt", b"a")], options);
        assert_eq!(
            said("run.npz", &arrays(1.0), &arrays(2.0)),
            "member \"loss.npy\": array (<f4), element [0]: expected 1.0 (0x3f800000), got 2.0 (0x40000000)"
        );
    }
    let model = |byte| archive(&[("model/data.pkl", b"\x80\x02."), ("model/data/0", &[0, 0, byte])], stored());
    assert_eq!(said("model.pt", &model(1), &model(2)), "member \"model/data/0\": byte 2: expected 0x01, got 0x02");
}

#[test]
fn archives_differ_in_how_they_keep_equal_members() {
    let members: [(&str, &[u8]); 2] = [("a", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), ("b", b"b")];
    let expected = archive(&members, stored());
    let said = |got: &[u8]| self::said("x.zip", &expected, got);
    let swapped = archive(&[members[1], members[0]], stored());
    assert_eq!(said(&swapped), "order of the members: expected \"a\", got \"b\" (every member's content is equal)");
    let found = said(&archive(&members, deflated()));
    assert!(found.starts_with("compression of member \"a\": expected Stored, got Deflated"), "{found}");
    let later = stored().last_modified_time(DateTime::from_date_and_time(2026, 1, 2, 3, 4, 6).expect("a time"));
    let found = said(&archive(&members, later));
    assert!(
        found.starts_with("time of member \"a\": expected 1980-01-01 00:00:00, got 2026-01-02 03:04:06"),
        "{found}"
    );
    let found = said(&archive(&members[..1], stored()));
    assert_eq!(found, "member \"b\": expected 1 bytes, got nothing");
    let found = said(&archive(&members, stored().unix_permissions(0o600)));
    assert!(found.starts_with("byte ") && found.contains("padding, attributes or a comment"), "{found}");
}

#[test]
fn a_bomb_is_inflated_up_to_the_budget() {
    let zeros = vec![0; 8 << 20];
    let bomb = |last| {
        let mut bytes = zeros.clone();
        bytes.push(last);
        archive(&[("bomb", &bytes)], deflated())
    };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a"), bomb(1)).expect("a file");
    std::fs::write(folder.path().join("b"), bomb(2)).expect("a file");
    let content = |name| FileContent::new(foreign::open(folder.path(), name).expect("opens"));
    let error = zip::first_within(&mut content("a"), &mut content("b"), 1 << 20, &mut Vec::new());
    let Err(Unexplained::Broken(message)) = error else { panic!("{error:?}") };
    assert!(message.contains("inflates to more than is read of an archive"), "{message}");
    let place = zip::first_within(&mut content("a"), &mut content("b"), 64 << 20, &mut Vec::new()).expect("within");
    assert!(matches!(place, Place::Member { .. }));
}

#[test]
fn a_truncated_archive_falls_back_to_bytes() {
    let whole = archive(&[("a", b"1")], stored());
    for cut in [5, 20, whole.len() - 10, whole.len() - 1] {
        let said = said("x.zip", &whole, &whole[..cut]);
        assert!(said.starts_with(&format!("byte {cut}: ")), "{said}");
        assert!(said.contains("not compared as a zip archive"), "{said}");
    }
}

#[test]
fn every_damaged_byte_of_an_archive_and_of_tensors_is_survived() {
    let array = npy("<f4", "False", "(1,)", &floats(&[1.0]));
    let samples = [archive(&[("a.npy", &array), ("b", b"b")], deflated()), tensors(HEADER, &[1.0; 4]), array];
    let (left, right) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for whole in &samples {
        std::fs::write(left.path().join("x"), whole).expect("a file");
        for at in 0..whole.len() {
            for flip in [0x01, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= flip;
                std::fs::write(right.path().join("x"), &damaged).expect("a file");
                let found = first_difference("x", left.path(), right.path()).expect("readable");
                assert!(found.is_some(), "byte {at}");
            }
        }
    }
}

#[test]
fn a_false_checksum_does_not_hide_a_member() {
    let whole = archive(&[("a", b"1234")], stored());
    let at = whole.windows(4).position(|bytes| bytes == b"1234").expect("stored");
    let mut changed = whole.clone();
    changed[at] = b'9';
    let said = said("x.zip", &whole, &changed);
    assert!(said.contains(&format!("byte {at}: expected 0x31, got 0x39")) || said.contains("member \"a\""), "{said}");
}

#[test]
fn an_archive_within_an_archive_is_compared_by_its_bytes() {
    let nested = |byte: u8| archive(&[("inner.zip", &archive(&[("a", &[byte])], stored()))], stored());
    let said = said("x.zip", &nested(1), &nested(2));
    assert!(said.starts_with("member \"inner.zip\": byte "), "{said}");
    assert!(said.contains("an archive within an archive is not looked into"), "{said}");
}

#[test]
fn an_archive_without_a_list_is_not_searched_to_its_beginning() {
    let (left, right) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for (folder, byte) in [(&left, b"PK\x03\x04a"), (&right, b"PK\x03\x04b")] {
        let path = folder.path().join("x.zip");
        std::fs::write(&path, byte).expect("a file");
        std::fs::OpenOptions::new().write(true).open(&path).expect("opens").set_len(1 << 40).expect("sparse");
    }
    let found = first_difference("x.zip", left.path(), right.path()).expect("readable").expect("different");
    assert_eq!(found.place, Place::Byte { offset: 4, expected: Some(b'a'), got: Some(b'b') });
}

#[test]
fn files_of_two_kinds_are_not_compared_by_one() {
    let said = said("x.npy", &npy("<f4", "False", "()", &[]), b"text");
    assert_eq!(said, "byte 0: expected 0x93, got 0x74 (expected a NumPy array, got text)");
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_link_is_refused_and_not_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), b"a").expect("a file");
    let other = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("/etc/passwd", other.path().join("file")).expect("a link");
    let error = first_difference("file", folder.path(), other.path()).expect_err("refused");
    assert!(error.to_string().ends_with("expected a regular file, got a symbolic link"), "{error}");
    std::fs::remove_file(other.path().join("file")).expect("removed");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        other.path().join("file"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("a pipe");
    let error = first_difference("file", folder.path(), other.path()).expect_err("refused");
    assert!(error.to_string().ends_with("expected a regular file, got a named pipe"), "{error}");
}

#[test]
fn a_difference_is_written_and_read_as_json() {
    let found = difference("x.csv", b"a\n1\n", b"a\n2\n").expect("different");
    let text = serde_json::to_string(&found).expect("plain data");
    assert_eq!(text, r#"{"name":"x.csv","place":{"cell":{"row":1,"column":"a","expected":"1","got":"2"}},"notes":[]}"#);
    assert_eq!(serde_json::from_str::<Difference>(&text).expect("round trip"), found);
}
