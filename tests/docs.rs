//! What the documentation says of the tests is true of them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::sandbox::repository;

/// The names of all test functions below a folder: those that follow a line `#[test]`, or stand in a `proptest!`.
fn test_functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("list folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            test_functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("read");
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
                    found.extend(rest.split(['(', '<']).next().map(str::to_owned));
                }
                is_test = line == "#[test]" || is_test && line.starts_with("#[");
            }
        }
    }
}

#[test]
fn every_threat_has_tests_that_exist() {
    let mut tests = BTreeSet::new();
    for folder in ["src", "tests"] {
        test_functions(&repository().join(folder), &mut tests);
    }
    assert!(tests.len() > 500, "{} tests", tests.len());
    let page = std::fs::read_to_string(repository().join("docs/what-an-audit-proves.md")).expect("read");
    let (_, table) = page.split_once("| threat | defence | tests |\n").expect("the table");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let mut threats = 0;
    for row in rows {
        let column = row.trim_end_matches('|').rsplit('|').next().expect("a column");
        let named: Vec<_> = column.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test is named: {row}");
        for name in named {
            assert!(tests.contains(name), "there is no test {name}: {row}");
        }
        threats += 1;
    }
    assert!(threats >= 14, "{threats} threats: the contract names 14");
}
