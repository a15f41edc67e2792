//! The golden cases: the digests in the tree are those this build computes, and a difference is named.

use crate::sandbox::{Sandbox, copy_tree, repository};

#[test]
fn the_golden_digests_hold_and_a_changed_one_is_named() {
    let sandbox = Sandbox::new();
    copy_tree(&repository().join("golden"), &sandbox.path("golden"));
    let outcome = sandbox.verify(&["golden"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);

    let path = sandbox.path("golden/ci_fast/expected.json");
    let text = std::fs::read_to_string(&path).expect("read");
    let at = text.find(r#""stepRoot": ""#).expect("a step root") + r#""stepRoot": ""#.len();
    let other = if &text[at..=at] == "0" { "1" } else { "0" };
    std::fs::write(&path, format!("{}{other}{}", &text[..at], &text[at + 1..])).expect("write");
    let outcome = sandbox.verify(&["golden"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("stepRoot: expected"), "{}", outcome.stdout);

    std::fs::remove_file(&path).expect("remove");
    assert_eq!(sandbox.verify(&["golden"]).code, 3);
}
