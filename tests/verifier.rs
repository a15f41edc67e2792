//! What a verifier demands of a run, and the reports it writes: for a person, for CI, for code scanning.

use std::path::Path;

use serde_json::Value;

use crate::forgery::{forge, put_origin};
use crate::sandbox::{Outcome, Sandbox, repository, trained, trained_copy};

/// A run made for a challenge, with a nonce, and its id.
fn run_for_a_challenge() -> (Sandbox, String) {
    let sandbox = trained_copy();
    let mut id = String::new();
    forge(&sandbox, |statement| {
        let run = &mut statement.predicate.run;
        (run.challenge, run.nonce) = (Some("ariel-2025".into()), Some("5c1d".into()));
        id.clone_from(&run.id);
        put_origin(&sandbox, statement);
    });
    (sandbox, id)
}

/// A run whose id is what a hostile trainer signed.
fn run_with_id(id: &str) -> Sandbox {
    let sandbox = trained_copy();
    forge(&sandbox, |statement| {
        statement.predicate.run.id = id.into();
        put_origin(&sandbox, statement);
    });
    sandbox
}

fn assert_code(outcome: &Outcome, code: i32) {
    assert_eq!(outcome.code, code, "{}{}", outcome.stdout, outcome.stderr);
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_run_that_was_asked_for_passes() {
    let (sandbox, id) = run_for_a_challenge();
    let outcome = sandbox.verify(&[
        "manifest",
        "run",
        "--expect-run",
        &id,
        "--expect-challenge",
        "ariel-2025",
        "--nonce",
        "5c1d",
    ]);
    assert_code(&outcome, 0);
    assert!(outcome.stdout.contains("run id, challenge, nonce as expected"), "{}", outcome.stdout);
    let unasked = sandbox.verify(&["manifest", "run"]);
    assert_code(&unasked, 0);
    assert!(unasked.stdout.contains("no run id, challenge or nonce was expected"), "{}", unasked.stdout);
}

#[test]
fn an_old_manifest_passed_off_for_another_run_is_refused() {
    let (sandbox, id) = run_for_a_challenge();
    for (flag, expected, got) in [
        ("--expect-run", "20200101T000000Z-00000000", id.as_str()),
        ("--expect-challenge", "ariel-2026", "ariel-2025"),
        ("--nonce", "77aa", "5c1d"),
        // Nothing is trimmed or folded.
        ("--nonce", "5C1D", "5c1d"),
        ("--nonce", "5c1d ", "5c1d"),
        ("--nonce", "", "5c1d"),
    ] {
        for check in ["manifest", "audit"] {
            let outcome = sandbox.verify(&[check, "run", flag, expected]);
            assert_code(&outcome, 1);
            let named = format!("expected {expected:?}, got {got:?}");
            assert!(outcome.stdout.contains("FAILED       signature"), "{}", outcome.stdout);
            assert!(outcome.stdout.contains(&named), "{named}\n{}", outcome.stdout);
            assert!(!outcome.stdout.contains("passed       files"), "checked on\n{}", outcome.stdout);
        }
    }
}

#[test]
fn a_manifest_without_the_nonce_that_was_handed_out_is_refused() {
    let outcome = trained().verify(&["manifest", "run", "--nonce", "5c1d", "--expect-challenge", "ariel-2025"]);
    assert_code(&outcome, 1);
    for what in ["nonce: expected \"5c1d\", got none", "challenge: expected \"ariel-2025\", got none"] {
        assert!(outcome.stdout.contains(what), "{what}\n{}", outcome.stdout);
    }
}

#[test]
fn a_lying_clock_is_called_self_asserted_in_every_report() {
    let sandbox = trained_copy();
    forge(&sandbox, |statement| {
        statement.predicate.started_at = "1999-12-31T23:59:59Z".parse().expect("a time");
        statement.predicate.finished_at = "2999-12-31T23:59:59Z".parse().expect("a time");
        put_origin(&sandbox, statement);
    });
    let files = ["--junit", "r.xml", "--sarif", "r.sarif", "--html", "r.html"];
    let outcome = sandbox.verify(&[&["manifest", "run"], &files[..]].concat());
    assert_code(&outcome, 0);
    let json = sandbox.verify(&["manifest", "run", "--json"]).stdout;
    for report in [outcome.stdout, read(sandbox.path("r.xml")), read(sandbox.path("r.html"))] {
        let line = report.lines().find(|line| line.contains("2999-12-31")).expect("the time is shown");
        assert!(line.contains("1999-12-31T23:59:59Z to 2999-12-31T23:59:59Z, self-asserted"), "{line}");
    }
    let sarif: Value = serde_json::from_str(&read(sandbox.path("r.sarif"))).expect("JSON");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    for run in [&json["run"], &sarif["runs"][0]["properties"]["run"]] {
        assert_eq!(run["selfAssertedTimes"]["finishedAt"], "2999-12-31T23:59:59Z", "{run}");
        assert_eq!(run["finishedAt"], Value::Null, "no time without its label: {run}");
    }
    // Judged by the verifier's clock, a run from the future is not young.
    std::fs::write(sandbox.path("policy.yaml"), "max_age: 30d\n").expect("write");
    let outcome = sandbox.verify(&["manifest", "run", "--policy", "policy.yaml"]);
    assert_code(&outcome, 1);
    assert!(outcome.stdout.contains("2999-12-31T23:59:59Z (self-asserted)"), "{}", outcome.stdout);
}

#[test]
fn a_policy_is_a_check_of_its_own() {
    let sandbox = trained_copy();
    for (policy, code, heading) in [
        ("numerics: {min_version: 1, profiles: [portable], precision: [32]}\n", 0, "passed       policy"),
        ("envelope: kaggle\nprobe: required\nexit: [completed]\ngit: {required: true, clean: true}\n", 0, "passed"),
        (
            "max_age: 2 weeks\nroles: {trainer: 1}\nmetrics: {test/score: {min: 0, max: 1}}\nheld_out: {min: 2}",
            0,
            "passed",
        ),
        ("seed: 123\n", 0, "passed       policy"),
        ("numerics: {min_version: 2}\n", 1, "FAILED       policy"),
        ("challenge: ariel-2025\n", 1, "FAILED       policy"),
        ("roles: {trainer: 2}\n", 1, "FAILED       policy"),
        ("seed: [1, 2]\n", 1, "FAILED       policy"),
        ("held_out: {min: 1000}\n", 1, "FAILED       policy"),
        ("metrics: {no/such: {min: 0}}\n", 3, "not checked  policy"),
        ("metrics: {test/score: {min: 0, max: 1}}\n", 3, "say with held_out.min how many will do"),
        ("config: {trainer.seed: 123}\n", 3, "--configs DIR"),
        ("replay: required\n", 3, "add --replay"),
        ("commitment: required\n", 3, "--commitment FILE"),
        ("nonce: required\n", 3, "--nonce NONCE"),
        ("roles: {verifier: 1}\n", 3, "not checked  policy"),
    ] {
        std::fs::write(sandbox.path("policy.yaml"), policy).expect("write");
        let outcome = sandbox.verify(&["manifest", "run", "--policy", "policy.yaml"]);
        assert_eq!(outcome.code, code, "{policy}\n{}{}", outcome.stdout, outcome.stderr);
        assert!(outcome.stdout.contains(heading), "{policy}\n{}", outcome.stdout);
    }
}

#[test]
fn a_policy_about_the_config_is_judged_by_the_one_that_was_composed_here() {
    let sandbox = trained_copy();
    for (policy, code) in [
        (
            "config: {trainer.seed: 123, data.split_seed: 7, record: {challenge: null, nonce: null, clock: local, hosts: false}}\n",
            0,
        ),
        ("config: {data.split_seed: 8}\n", 1),
        ("config: {trainer.seed: '123'}\n", 1),
    ] {
        std::fs::write(sandbox.path("policy.yaml"), policy).expect("write");
        assert_code(&sandbox.verify(&["config", "run", "--policy", "policy.yaml"]), code);
    }
}

#[test]
fn the_policy_of_a_leaderboard_is_in_the_program() {
    let outcome = trained().verify(&["manifest", "run", "--policy", "leaderboard"]);
    assert_code(&outcome, 1);
    for piece in ["held_out.min: expected at least 10", "exit: completed", "replay: expected", "nonce: expected"] {
        assert!(outcome.stdout.contains(piece), "{piece:?}\n{}", outcome.stdout);
    }
    assert_code(&trained().verify(&["manifest", "run", "--policy", "./leaderboard"]), 3);
}

#[test]
fn a_policy_that_is_none_is_refused_with_its_place_and_a_hint() {
    let sandbox = trained_copy();
    std::fs::write(sandbox.path("policy.yaml"), "git:\n  claen: true\n").expect("write");
    let outcome = sandbox.verify(&["manifest", "run", "--policy", "policy.yaml"]);
    assert_code(&outcome, 2);
    assert!(outcome.stderr.contains("policy.yaml:2:3: git.claen: unknown key"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("Hint: did you mean `git.clean`?"), "{}", outcome.stderr);
    std::fs::write(sandbox.path("policy.yaml"), "").expect("write");
    assert_code(&sandbox.verify(&["manifest", "run", "--policy", "policy.yaml"]), 2);
}

#[test]
fn a_policy_that_is_not_there_is_not_checked() {
    let outcome = trained().verify(&["manifest", "run", "--policy", "nowhere.yaml"]);
    assert_code(&outcome, 3);
    assert!(outcome.stdout.contains("not checked  policy"), "{}", outcome.stdout);
}

#[test]
fn a_policy_judges_a_run_before_the_policy_passes_it() {
    // A run that nobody vouches for is not judged, so no report can show a passed policy for it.
    let (sandbox, _) = run_for_a_challenge();
    std::fs::write(sandbox.path("policy.yaml"), "challenge: ariel-2025\n").expect("write");
    let outcome = sandbox.verify(&["manifest", "run", "--policy", "policy.yaml", "--nonce", "other"]);
    assert_code(&outcome, 1);
    let judged = outcome.stdout.lines().any(|line| line.ends_with(" policy"));
    assert!(!judged, "{}", outcome.stdout);
}

/// An element of an XML document: its depth, name and attributes.
type Element = (usize, String, Vec<(String, String)>);

/// Parses XML, strictly, into its elements.
fn elements(xml: &str) -> Vec<Element> {
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let (mut depth, mut found) = (0, Vec::new());
    loop {
        let event = reader.read_event().unwrap_or_else(|error| panic!("{error}\n{xml}"));
        let (start, opens) = match &event {
            quick_xml::events::Event::Start(start) => (Some(start), true),
            quick_xml::events::Event::Empty(start) => (Some(start), false),
            quick_xml::events::Event::End(_) => {
                depth -= 1;
                (None, false)
            }
            quick_xml::events::Event::Eof => return found,
            _ => (None, false),
        };
        if let Some(start) = start {
            let attributes = start.attributes().map(|attribute| {
                let attribute = attribute.expect("an attribute");
                let value = quick_xml::escape::unescape(&attribute.value).expect("only the five entities");
                (attribute.key.as_ref().to_owned(), value.into_owned())
            });
            found.push((depth, start.name().as_ref().to_owned(), attributes.collect()));
        }
        depth += usize::from(opens);
    }
}

fn attribute<'a>(element: &'a Element, name: &str) -> &'a str {
    let found = element.2.iter().find(|(key, _)| key == name);
    &found.unwrap_or_else(|| panic!("no {name} in {element:?}")).1
}

/// The elements and attributes that Jenkins' schema `junit-10.xsd` knows, of those that we write; all are required there
/// or optional.
const JENKINS: [(&str, &[&str]); 9] = [
    ("testsuites", &["name", "tests", "failures", "errors"]),
    ("testsuite", &["name", "tests", "failures", "errors", "skipped"]),
    ("properties", &[]),
    ("property", &["name", "value"]),
    ("testcase", &["name", "classname"]),
    ("failure", &["type", "message"]),
    ("error", &["type", "message"]),
    ("system-out", &[]),
    ("skipped", &[]),
];

#[test]
fn the_junit_report_has_a_case_for_each_check_and_counts_what_was_not_checked_as_an_error() {
    let sandbox = trained_copy();
    std::fs::remove_file(sandbox.path("run/predictions.csv")).expect("remove");
    std::fs::write(sandbox.path("run/steps.jsonl"), "{}\n").expect("write");
    std::fs::write(sandbox.path("policy.yaml"), "roles: {verifier: 1}\n").expect("write");
    let outcome = sandbox.verify(&["manifest", "run", "--policy", "policy.yaml", "--junit", "report.xml"]);
    assert_code(&outcome, 1);
    let xml = read(sandbox.path("report.xml"));
    let all = elements(&xml);
    for (_, name, attributes) in &all {
        let (_, known) = JENKINS.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name}\n{xml}"));
        assert!(attributes.iter().map(|(key, _)| key.as_str()).eq(known.iter().copied()), "{name}: {attributes:?}");
    }
    let suite = all.iter().find(|(_, name, _)| name == "testsuite").expect("a suite");
    let counts = ["tests", "failures", "errors", "skipped"].map(|name| attribute(suite, name));
    // The signature passed; files, steps and the record, which holds the events against the steps, failed; policy could not
    // be judged.
    assert_eq!(counts, ["5", "3", "1", "0"], "{xml}");
    let cases: Vec<_> =
        all.iter().filter(|(_, name, _)| name == "testcase").map(|case| attribute(case, "name")).collect();
    assert_eq!(cases, ["signature", "files", "steps", "record", "policy"]);
    let count = |wanted: &str| all.iter().filter(|(depth, name, _)| (*depth, name.as_str()) == (3, wanted)).count();
    assert_eq!((count("failure"), count("error")), (3, 1), "{xml}");
    assert!(xml.contains("predictions.csv"), "{xml}");
}

#[test]
fn a_passed_junit_report_has_neither_failures_nor_errors() {
    let outcome = trained().audit(&["--junit", "-"]);
    assert_code(&outcome, 0);
    let all = elements(&outcome.stdout);
    assert_eq!(all.iter().filter(|(_, name, _)| name == "testcase").count(), 10);
    assert!(all.iter().all(|(_, name, _)| name != "failure" && name != "error"), "{}", outcome.stdout);
}

#[test]
fn the_sarif_report_follows_the_schema_of_oasis_and_names_the_file() {
    let sandbox = trained_copy();
    let clean = sandbox.audit(&["--sarif", "-"]);
    assert_code(&clean, 0);
    std::fs::remove_file(sandbox.path("run/predictions.csv")).expect("remove");
    std::fs::write(sandbox.path("run/checkpoints/final.safetensors"), "other").expect("write");
    let outcome = sandbox.verify(&["audit", "./run", "--sarif", "-"]);
    assert_code(&outcome, 1);
    let schema = read(repository().join("tests/schemas/sarif-2.1.0.schema.json"));
    let mut schema: Value = serde_json::from_str(&schema).expect("JSON");
    // As published, the pattern of languages has a stray bracket, which strict readers of regular expressions refuse.
    for definition in ["run", "toolComponent"] {
        let pattern = &mut schema["definitions"][definition]["properties"]["language"]["pattern"];
        assert!(pattern.as_str().is_some_and(|pattern| pattern.contains("{2}]?$")), "{pattern}");
        *pattern = "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$".into();
    }
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let parse = |outcome: &Outcome| -> Value { serde_json::from_str(&outcome.stdout).expect("JSON") };
    let (clean, log) = (parse(&clean), parse(&outcome));
    for log in [&clean, &log] {
        let errors: Vec<_> = validator.iter_errors(log).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    assert_eq!(clean["runs"][0]["results"], serde_json::json!([]), "good news are no results");
    let results = log["runs"][0]["results"].as_array().expect("results");
    let found: Vec<_> = results
        .iter()
        .map(|result| {
            let location = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            (text(&result["ruleId"]), text(&result["level"]), text(location))
        })
        .collect();
    let of = |rule: &str, level: &str, uri: &str| (rule.to_owned(), level.to_owned(), uri.to_owned());
    assert!(found.contains(&of("files", "error", "run/checkpoints/final.safetensors")), "{found:?}");
    assert!(found.contains(&of("files", "warning", "run/predictions.csv")), "{found:?}");
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    assert!(!validator.is_valid(&serde_json::json!({ "version": "2.1.0" })), "the schema can refuse");
}

#[test]
fn the_html_report_loads_and_runs_nothing() {
    let sandbox = trained_copy();
    assert_code(&sandbox.audit(&["--html", "report.html"]), 0);
    let page = read(sandbox.path("report.html"));
    for forbidden in ["<script", "<link", "<img", "<iframe", "src=", "href=", "url(", "@import", "http:", "https:"] {
        assert!(!page.to_lowercase().contains(forbidden), "{forbidden} in\n{page}");
    }
    for wanted in [
        "default-src 'none'",
        "lang=\"en\"",
        "<caption>",
        "scope=\"col\"",
        "scope=\"row\"",
        "prefers-color-scheme: dark",
        "@media print",
        "signed by",
        "A pass proves: ",
        "What no check here proves",
        "passed: every requested check",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing in\n{page}");
    }
}

#[test]
fn hostile_text_of_a_run_is_shown_as_it_is_in_every_report() {
    let hostile = "<script>alert(1)</script>\"'&\u{1b}[2J\u{202e}\n  passed       replay\u{0}]]>";
    let sandbox = run_with_id(hostile);
    let files = ["--junit", "r.xml", "--sarif", "r.sarif", "--html", "r.html"];
    let outcome = sandbox.verify(&[&["manifest", "run", "--expect-run", "mine"], &files[..]].concat());
    assert_code(&outcome, 1);
    let (xml, html) = (read(sandbox.path("r.xml")), read(sandbox.path("r.html")));
    for report in [&outcome.stdout, &xml, &html] {
        assert!(!report.contains(['\u{1b}', '\u{202e}', '\u{0}']), "a raw control character in\n{report}");
        assert!(!report.lines().any(|line| line == "  passed       replay"), "a faked line in\n{report}");
    }
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("&lt;script&gt;"), "{html}");
    let property = elements(&xml)
        .into_iter()
        .find(|property| property.1 == "property" && attribute(property, "name") == "run")
        .expect("a property");
    assert!(attribute(&property, "value").starts_with("<script>alert(1)</script>\"'&\\u{1b}"), "{property:?}");
    let sarif: Value = serde_json::from_str(&read(sandbox.path("r.sarif"))).expect("JSON");
    assert_eq!(sarif["runs"][0]["properties"]["run"]["id"], hostile);
}

#[test]
fn two_reports_on_standard_output_are_refused() {
    for arguments in [&["--json", "--junit", "-"][..], &["--sarif", "-", "--html", "-"]] {
        let outcome = trained().verify(&[&["manifest", "run"], arguments].concat());
        assert_code(&outcome, 2);
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_no_pass_and_leaves_the_old_file() {
    let sandbox = trained_copy();
    // Known before anything is checked.
    assert_code(&sandbox.verify(&["manifest", "run", "--html", "no/such/folder/report.html"]), 2);
    // Known only when it is written: a folder is in the way.
    std::fs::create_dir_all(sandbox.path("taken/inside")).expect("mkdir");
    let outcome = sandbox.verify(&["manifest", "run", "--html", "taken"]);
    assert_code(&outcome, 2);
    assert!(outcome.stderr.contains("cannot write taken"), "{}", outcome.stderr);
    assert!(sandbox.path("taken/inside").is_dir());
    // Bad news of the run outweighs it.
    std::fs::remove_file(sandbox.path("run/steps.jsonl")).expect("remove");
    assert_code(&sandbox.verify(&["manifest", "run", "--html", "taken"]), 3);
}
