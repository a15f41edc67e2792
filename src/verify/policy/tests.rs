//! Policies that are refused, and rules that hold, do not hold, or cannot be judged.

use super::judge::{judge_claim, judge_remotes};
use super::*;
use crate::config::ErrorKind;
use crate::manifest::predicate::tests::{example, sparse_example};
use crate::manifest::predicate::{DataRecord, ExitReason, ProbeRecord, TrainingRun};
use crate::verify::{Check, Verdict};

const ALL_RULES: &str = include_str!("../../../examples/policy.yaml");

fn policy(text: &str) -> Policy {
    Policy::from_yaml(text, "policy.yaml").unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> PolicyError {
    Policy::from_yaml(text, "policy.yaml").expect_err(text)
}

fn refused_config(text: &str) -> ConfigError {
    match refusal(text) {
        PolicyError::Config(error) => error,
        other => panic!("{text}: {other}"),
    }
}

fn evidence(at: &str, verdict_signers: Option<u32>) -> Evidence {
    Evidence { at: at.parse().expect("a time"), verdict_signers }
}

fn judged_at(text: &str, claim: &TrainingRun, at: &str) -> Check {
    judge_claim(&policy(text), claim, 1, evidence(at, None))
}

/// The verdict on the example's claim a day after it.
fn judged(text: &str, claim: &TrainingRun) -> Check {
    judged_at(text, claim, "2026-02-01T12:00:00Z")
}

#[track_caller]
fn assert_judged(text: &str, claim: &TrainingRun, verdict: Verdict, message: &str) {
    let check = judged(text, claim);
    assert_eq!(check.verdict, verdict, "{text}: {:?}", check.findings);
    assert!(check.findings.iter().any(|finding| finding.message.contains(message)), "{text}: {:?}", check.findings);
}

#[test]
fn the_example_has_every_rule_and_is_one_finding_a_rule() {
    let written = crate::config::to_json(&crate::config::load_yaml(ALL_RULES).expect("YAML"));
    let fields = |value: &serde_json::Value| value.as_object().map_or(0, serde_json::Map::len);
    let schema = crate::schema::policy();
    assert_eq!(fields(&written), fields(&schema["properties"]), "a rule is missing from the example");
    assert!(jsonschema::is_valid(&schema, &written));
    let check = judged(ALL_RULES, &example());
    // Three of git, three of numerics, three limits, two roles, and age, challenge, exit, probe, metric, data set.
    assert_eq!(check.findings.len(), 3 + 3 + 3 + 2 + 6, "{:#?}", check.findings);
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_key() {
    let error = refused_config("git:\n  claen: true\n");
    assert_eq!(error.kind(), ErrorKind::UnknownKey);
    assert!(error.to_string().starts_with("policy.yaml:2:3: git.claen: unknown key; expected one of"), "{error}");
    assert_eq!(error.hint().as_deref(), Some("did you mean `git.clean`?"));
    let error = refused_config("envelope:\n  wall_second: 3\n");
    assert_eq!(error.hint().as_deref(), Some("did you mean `envelope.wall_seconds`?"));
}

#[test]
fn a_key_given_twice_is_refused() {
    // The second would quietly win: `clean: true` at the top, `clean: false` a screen further down.
    for text in ["git: {clean: true}\ngit: {clean: false}\n", "git:\n  clean: true\n  clean: false\n"] {
        assert_eq!(refused_config(text).kind(), ErrorKind::YamlDuplicateKey, "{text}");
    }
}

#[test]
fn a_policy_without_a_rule_is_refused() {
    // A truncated file must not be a policy that everything passes.
    for text in ["", "# nothing\n", "{}", "git: {}\n", "git: {clean: false}\n", "data: {dvc: any}\n", "metrics: {}\n"] {
        assert!(matches!(refusal(text), PolicyError::Empty), "{text}: {}", refusal(text));
    }
}

#[test]
fn a_rule_that_means_nothing_is_refused() {
    for text in [
        "exit: []",
        "git: {remotes: []}",
        "git: {remotes: ['']}",
        "numerics: {profiles: []}",
        "numerics: {precision: []}",
        "roles: {trainer: 0}",
        "roles: {verifier: 0}",
        "envelope: {}",
        "envelope: {network: unrestricted}",
        "metrics: {a: {}}",
        "metrics: {a: {min: 2, max: 1}}",
        "metrics: {a: {min: .nan}}",
        "metrics: {a: {max: .inf}}",
    ] {
        assert!(matches!(refusal(text), PolicyError::Meaningless { .. }), "{text}: {}", refusal(text));
    }
}

#[test]
fn a_value_of_another_kind_is_refused() {
    for text in [
        "git: yes please",
        "git: {clean: 1}",
        "envelope: kagle",
        "envelope: 3",
        "envelope: {wall_seconds: -1}",
        "max_age: 30",
        "max_age: -30d",
        "max_age: 0d",
        "max_age: soon",
        "exit: [complete]",
        "probe: optional",
        "numerics: {precision: [64]}",
        "numerics: {min_version: 1.5}",
        "data: {dvc: yes}",
        "metrics: [a]",
    ] {
        assert_eq!(refused_config(text).kind(), ErrorKind::TypeMismatch, "{text}");
    }
    let error = refused_config("exit:\n- completed\n- complete\n");
    assert!(error.to_string().starts_with("policy.yaml:3:3: exit[1]: "), "{error}");
}

#[test]
fn rules_about_git() {
    let clean = TrainingRun {
        git: example().git.map(|git| crate::provenance::git::GitRecord {
            clean: true,
            difference: None,
            changed: Vec::new(),
            changed_count: 0,
            ..git
        }),
        ..example()
    };
    assert_judged("git: {required: true}", &example(), Verdict::Passed, "commit 1111");
    assert_judged("git: {required: true}", &sparse_example(), Verdict::Failed, "got none");
    assert_judged("git: {clean: true}", &clean, Verdict::Passed, "clean");
    assert_judged("git: {clean: true}", &example(), Verdict::Failed, "uncommitted changes");
    // There is no tree that could be clean.
    assert_judged("git: {clean: true}", &sparse_example(), Verdict::NotChecked, "outside a git repository");
    assert_judged("git: {remotes: ['a/']}", &sparse_example(), Verdict::NotChecked, "outside a git repository");
}

#[test]
fn a_remote_is_allowed_by_itself_or_by_the_folder_it_is_in() {
    let verdict = |allowed: &[&str], remotes: &[&str]| {
        let mut check = Check::new("policy");
        let allowed: Vec<_> = allowed.iter().map(|&text| text.to_owned()).collect();
        judge_remotes(&allowed, remotes, &mut check);
        assert_eq!(check.findings.len(), 1);
        check.verdict
    };
    let folder = "https://example.org/team/";
    assert_eq!(verdict(&[folder], &["https://example.org/team/model"]), Verdict::Passed);
    assert_eq!(verdict(&["git@example.org:team/model.git"], &["git@example.org:team/model.git"]), Verdict::Passed);
    assert_eq!(verdict(&["git@example.org:"], &["git@example.org:team/model.git"]), Verdict::Passed);
    assert_eq!(verdict(&[folder], &[]), Verdict::Failed);
    assert_eq!(verdict(&[folder], &["https://example.org/team/model", "https://elsewhere.org/x"]), Verdict::Failed);
    for hostile in [
        "https://example.org/team",
        "https://example.org/team-of-mallory/model",
        "https://example.org/team/../mallory/model",
        "https://example.org/team/%2E%2e/mallory/model",
        "https://example.org/team/..%2Fmallory/model",
        "https://example.org/team/..\\mallory/model",
        "https://example.org.mallory.org/team/model",
    ] {
        assert_eq!(verdict(&[folder], &[hostile]), Verdict::Failed, "{hostile}");
        assert_eq!(verdict(&["https://example.org/team"], &[hostile]) == Verdict::Passed, hostile.ends_with("/team"));
    }
}

#[test]
fn rules_about_numerics() {
    let run = example();
    assert_judged("numerics: {min_version: 1}", &run, Verdict::Passed, "numerics.min_version: 1");
    assert_judged("numerics: {min_version: 2}", &run, Verdict::Failed, "expected version 2 or later, got 1");
    assert_judged("numerics: {profiles: [portable]}", &run, Verdict::Passed, "portable");
    assert_judged("numerics: {profiles: [native]}", &run, Verdict::Failed, "expected native, got portable");
    assert_judged("numerics: {precision: [16-mixed]}", &run, Verdict::Passed, "16-mixed");
    // The number, as a trainer profile writes it, and the text.
    for width in ["32", "'32'"] {
        let text = format!("numerics: {{precision: [{width}]}}");
        assert_judged(&text, &run, Verdict::Failed, "expected 32, got 16-mixed");
    }
}

#[test]
fn limits_of_the_policy_count_and_not_those_that_the_run_claims() {
    let mut run = example();
    assert_judged("envelope: kaggle", &run, Verdict::Passed, "wall time");
    assert_judged("envelope: {wall_seconds: 1}", &run, Verdict::Failed, "wall time: expected within 1 s, got 1.5 s");
    run.envelope.figures.peak_device_bytes = None;
    assert_judged("envelope: kaggle", &run, Verdict::NotChecked, "device memory");
    run.envelope.figures.network.mode = NetworkMode::Unrestricted;
    assert_judged("envelope: {network: none}", &run, Verdict::Failed, "network");
}

#[test]
fn roles_are_counted_by_verified_signatures() {
    let count = |text, trainers, verifiers| {
        judge_claim(&policy(text), &example(), trainers, evidence("2026-02-01T00:00:00Z", verifiers)).verdict
    };
    assert_eq!(count("roles: {trainer: 2}", 2, None), Verdict::Passed);
    assert_eq!(count("roles: {trainer: 2}", 1, None), Verdict::Failed);
    assert_eq!(count("roles: {verifier: 1}", 9, None), Verdict::NotChecked);
    assert_eq!(count("roles: {verifier: 1}", 9, Some(0)), Verdict::Failed);
    assert_eq!(count("roles: {verifier: 1}", 9, Some(1)), Verdict::Passed);
}

#[test]
fn an_age_is_judged_by_the_verifiers_clock_and_called_self_asserted() {
    // The example ended at 2026-01-31T12:00:01.5Z.
    for (age, at, verdict) in [
        ("30d", "2026-03-02T12:00:01.5Z", Verdict::Passed),
        ("30d", "2026-03-02T12:00:01.500000001Z", Verdict::Failed),
        ("1 month", "2026-02-28T12:00:01.5Z", Verdict::Passed),
        ("P1W", "2026-02-08T00:00:00Z", Verdict::Failed),
        ("2h", "2026-01-31T12:00:01.5Z", Verdict::Passed),
        ("9998y", "2026-01-31T12:00:02Z", Verdict::Passed),
        ("19998y", "2026-01-31T12:00:02Z", Verdict::NotChecked),
    ] {
        let check = judged_at(&format!("max_age: {age}"), &example(), at);
        assert_eq!(check.verdict, verdict, "{age} at {at}: {:?}", check.findings);
    }
    let check = judged_at("max_age: 30d", &example(), "2026-06-01T00:00:00Z");
    assert!(check.findings[0].message.contains("(self-asserted)"), "{:?}", check.findings);
}

#[test]
fn a_lying_clock_that_is_ahead_fails_a_rule_about_age() {
    // Otherwise a manifest dated to the next century would stay young for ever.
    let check = judged_at("max_age: 30d", &example(), "2026-01-31T12:00:01Z");
    assert_eq!(check.verdict, Verdict::Failed);
    assert!(check.findings[0].message.contains("self-asserted"), "{:?}", check.findings);
}

#[test]
fn rules_about_challenge_exit_and_probe() {
    let run = example();
    assert_judged("challenge: ariel-2025", &run, Verdict::Passed, "ariel-2025");
    assert_judged("challenge: ariel-2026", &run, Verdict::Failed, "expected \"ariel-2026\", got \"ariel-2025\"");
    assert_judged("challenge: ariel-2025", &sparse_example(), Verdict::Failed, "got none");
    assert_judged("exit: [earlyStopped, completed]", &run, Verdict::Passed, "completed");
    let stopped = TrainingRun { exit: crate::manifest::predicate::ExitRecord { reason: ExitReason::MaxTime }, ..run };
    assert_judged("exit: [earlyStopped, completed]", &stopped, Verdict::Failed, "got maxTime");
    assert_judged("probe: required", &stopped, Verdict::Passed, "probe: passed");
    assert_judged("probe: required", &sparse_example(), Verdict::Failed, "got none");
    let mut failed = example();
    failed.device.probe = failed.device.probe.map(|probe| ProbeRecord { passed: false, ..probe });
    assert_judged("probe: required", &failed, Verdict::Failed, "got a failed one");
}

#[test]
fn rules_about_metrics() {
    let run = example();
    assert_judged("metrics: {gll: {min: 0.1}}", &run, Verdict::Passed, "metrics.gll: 0.1");
    assert_judged("metrics: {gll: {max: 0.1, min: 0}}", &run, Verdict::Passed, "0.1");
    assert_judged("metrics: {gll: {min: 0.11}}", &run, Verdict::Failed, "expected at least 0.11, got 0.1");
    assert_judged("metrics: {gll: {max: 0.09}}", &run, Verdict::Failed, "expected at most 0.09");
    // A trainer who leaves out a bad figure does not pass by it.
    assert_judged("metrics: {score: {min: 0}}", &run, Verdict::NotChecked, "the record has gll");
}

#[test]
fn rules_about_remotes() {
    let run = example();
    assert_judged("git: {remotes: ['https://example.org/']}", &run, Verdict::Passed, "https://example.org/a.git");
    assert_judged("git: {remotes: ['https://example.com/']}", &run, Verdict::Failed, "https://example.org/a.git");
    let mut withheld = run;
    withheld.git.as_mut().expect("a record").remotes[0].url = None;
    assert_judged("git: {remotes: ['https://example.org/']}", &withheld, Verdict::Failed, "not recorded");
}

#[test]
fn rules_about_what_dvc_says() {
    let mut run = example();
    assert_judged("data: {dvc: matched}", &run, Verdict::Failed, "1 of 2 outputs");
    run.data[0].dvc.as_mut().expect("a record").differing = 0;
    assert_judged("data: {dvc: matched}", &run, Verdict::Passed, "2 outputs");
    run.data[0].dvc = None;
    assert_judged("data: {dvc: matched}", &run, Verdict::NotChecked, "data set train");
    let mut calibrated = run;
    calibrated.data.push(DataRecord { name: "train-calibrated".into(), ..calibrated.data[0].clone() });
    assert_eq!(judged("data: {dvc: matched}", &calibrated).findings.len(), 1, "the run's own making is not DVC's");
    let without = TrainingRun { data: Vec::new(), ..example() };
    assert_judged("data: {dvc: matched}", &without, Verdict::NotChecked, "names no data");
}
