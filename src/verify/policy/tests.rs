//! Policies that are refused, and rules that hold, do not hold, or cannot be judged.

use super::judge::{judge_claim, judge_remotes};
use super::*;
use crate::config::ErrorKind;
use crate::config::{Composer, Config, SearchPath};
use crate::manifest::commitment::tests::example as commitment;
use crate::manifest::predicate::tests::{command_example, example, sparse_example, training};
use crate::manifest::predicate::{DataRecord, ExitReason, ProbeRecord, TrainingRun};
use crate::provenance::environment::BuiltFrom;
use crate::verify::commitment::tests::{by, signer};
use crate::verify::{Check, Verdict, Verifiers};

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

/// A checker with a clock and nothing else.
fn evidence(at: &str) -> Evidence<'static> {
    Evidence {
        at: at.parse().expect("a time"),
        verifiers: Verifiers::NoVerdict,
        config: None,
        replayed: false,
        configs_not_held: &[],
        commitment: None,
        nonce_expected: false,
    }
}

const AT: &str = "2026-02-01T12:00:00Z";

fn judged_at(text: &str, claim: &TrainingRun, at: &str) -> Check {
    judge_claim(&policy(text), claim, &signer(1), &evidence(at))
}

/// The verdict on the example's claim a day after it.
fn judged(text: &str, claim: &TrainingRun) -> Check {
    judged_at(text, claim, AT)
}

#[track_caller]
fn assert_judged(text: &str, claim: &TrainingRun, verdict: Verdict, message: &str) {
    assert_judged_by(text, claim, &evidence(AT), verdict, message);
}

#[track_caller]
fn assert_judged_by(text: &str, claim: &TrainingRun, evidence: &Evidence<'_>, verdict: Verdict, message: &str) {
    let check = judge_claim(&policy(text), claim, &signer(1), evidence);
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
    // Three of git, three of numerics, three limits, two roles, and age, challenge, exit, probe, metric, held-out samples;
    // of the data DVC, the root and the raw data set without one; two keys, seed, program, replay, commitment, nonce.
    assert_eq!(check.findings.len(), 3 + 3 + 3 + 2 + 6 + 3 + 2 + 5, "{:#?}", check.findings);
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
        "seed: []",
        "program: {commits: []}",
        "held_out: {min: 0}",
        "config: {trainer.seed: '${seed}'}",
        "config: {data.files: [{a: '???'}]}",
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
        "data: {roots: {a: abc}}",
        "seed: -1",
        "seed: [1.5]",
        "seed: seven",
        "program: {commits: [1111111]}",
        "program: {commits: ['1111111']}",
        "held_out: {min: many}",
        "replay: sampled",
        "commitment: optional",
        "nonce: 5c1d",
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
    let unknown = |name: &str| {
        let mut git = clean.git.clone().expect("a record");
        (git.read_untracked, git.read_ignored) = (Vec::new(), vec![name.to_owned(), "data".into()]);
        TrainingRun { git: Some(git), ..clean.clone() }
    };
    // A folder or file that ends in other letters is no config file; the data are none.
    let held = unknown("configs/mytrain.yaml");
    assert_judged("git: {clean: true}", &held, Verdict::Passed, "clean");
    for name in ["configs/train.yaml", "train.yaml"] {
        assert_judged("git: {clean: true}", &unknown(name), Verdict::Failed, &format!("got {name}"));
    }
    let not_held = ["configs/model/x.yaml".to_owned()];
    let found = Evidence { configs_not_held: &not_held, ..evidence(AT) };
    assert_judged_by("git: {clean: true}", &held, &found, Verdict::Failed, "got configs/model/x.yaml");
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
    let exceeded = "wall time: expected within 1 s, got 1.5 s (self-asserted)";
    assert_judged("envelope: {wall_seconds: 1}", &run, Verdict::Failed, exceeded);
    run.envelope.figures.peak_device_bytes = None;
    assert_judged("envelope: kaggle", &run, Verdict::NotChecked, "device memory");
    run.envelope.figures.network.mode = NetworkMode::Unrestricted;
    assert_judged("envelope: {network: none}", &run, Verdict::Failed, "network");
}

#[test]
fn roles_are_counted_by_verified_signatures() {
    let count = |text, trainers: &[u8], verifiers| {
        let signers: Vec<_> = trainers.iter().flat_map(|byte| signer(*byte)).collect();
        judge_claim(&policy(text), &example(), &signers, &Evidence { verifiers, ..evidence(AT) }).verdict
    };
    assert_eq!(count("roles: {trainer: 2}", &[1, 2], Verifiers::NoVerdict), Verdict::Passed);
    assert_eq!(count("roles: {trainer: 2}", &[1], Verifiers::NoVerdict), Verdict::Failed);
    assert_eq!(count("roles: {verifier: 1}", &[1, 2, 3], Verifiers::NoVerdict), Verdict::NotChecked);
    assert_eq!(count("roles: {verifier: 1}", &[1, 2, 3], Verifiers::Refused("x".into())), Verdict::Failed);
    assert_eq!(count("roles: {verifier: 2}", &[1, 2, 3], Verifiers::Replayed(1)), Verdict::Failed);
    assert_eq!(count("roles: {verifier: 1}", &[1], Verifiers::Replayed(1)), Verdict::Passed);
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
    let device = &mut training(&mut failed).device;
    device.probe = device.probe.take().map(|probe| ProbeRecord { passed: false, ..probe });
    assert_judged("probe: required", &failed, Verdict::Failed, "got a failed one");
    let command = command_example();
    assert_judged("probe: required", &command, Verdict::Failed, "got none");
    assert_judged("numerics: {profiles: [portable]}", &command, Verdict::Failed, "a command, of whose arithmetic");
    assert_judged("seed: 42", &command, Verdict::Failed, "got none, as of a command");
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

/// A claim with a score over so many held-out samples.
fn scored(samples: u64) -> TrainingRun {
    let mut run = example();
    run.metrics[0].name = "test/score".into();
    run.metrics[0].samples = crate::manifest::strict_json::DecimalU64(samples);
    run
}

#[test]
fn a_score_over_one_picked_sample_passes_no_policy() {
    let range = "metrics: {test/score: {min: 0.1}}";
    assert_judged(range, &scored(1), Verdict::NotChecked, "computed over 1 held-out samples: say with held_out.min");
    assert_judged("metrics: {test/score: {min: 0.2}}", &scored(1), Verdict::Failed, "expected at least 0.2");
    let both = "metrics: {test/score: {min: 0.1}}\nheld_out: {min: 10}";
    assert_judged(both, &scored(9), Verdict::Failed, "at least 10 samples behind every test/ metric, got 9");
    assert_judged(both, &scored(10), Verdict::Passed, "10 behind test/score");
    // Beside a metric with many samples stands one with few.
    let mut two = scored(10);
    two.metrics
        .push(crate::manifest::predicate::MetricRecord { name: "test/other".into(), ..scored(9).metrics[0].clone() });
    assert_judged(both, &two, Verdict::Failed, "got 9 behind test/other");
    assert_judged("held_out: {min: 10}", &example(), Verdict::NotChecked, "no metric test/");
}

/// A config, and a claim that it was made with it.
fn composed(yaml: &str) -> (Config, TrainingRun) {
    let search_path = SearchPath::new().memory("main", [("train.yaml".to_owned(), yaml.to_owned())].into());
    let config = Composer::new(search_path).compose::<&str>("train", &[]).expect("composes");
    let mut run = example();
    run.config.digest = config.digest().expect("resolves").into();
    (config, run)
}

#[test]
fn a_key_of_another_value_than_the_policy_fixes_is_found() {
    let yaml = "split:\n  seed: ${base}\n  names: [a, {b: 1}]\nbase: 7\nlimit: null\nlr: 1.0\n";
    let (config, run) = composed(yaml);
    let here = Evidence { config: Some(&config), ..evidence(AT) };
    let judge = |rule: &str, verdict, message: &str| {
        assert_judged_by(&format!("config: {{{rule}}}"), &run, &here, verdict, message);
    };
    judge("split.seed: 7, limit: null, lr: 1.0", Verdict::Passed, "config.split.seed: 7");
    judge("split.names: [a, {b: 1}]", Verdict::Passed, r#"["a",{"b":1}]"#);
    judge("split.names.1.b: 1", Verdict::Passed, "config.split.names.1.b");
    judge("split.seed: 8", Verdict::Failed, "config.split.seed: expected 8, got 7");
    for other in ["'7'", "7.0", "null", "[7]", "true"] {
        judge(&format!("split.seed: {other}"), Verdict::Failed, "got 7");
    }
    judge("lr: 1", Verdict::Failed, "expected 1, got 1.0");
    judge("split.sed: 7", Verdict::Failed, "expected 7, got no such key");
}

#[test]
fn a_key_is_judged_by_the_config_that_the_checker_composed_or_not_at_all() {
    let (config, run) = composed("seed: 7\n");
    assert_judged("config: {seed: 7}", &run, Verdict::NotChecked, "--configs DIR");
    // The files here give another config than was signed: that one says nothing of the run.
    let (other, _) = composed("seed: 7\nmore: 1\n");
    let here = Evidence { config: Some(&other), ..evidence(AT) };
    assert_judged_by("config: {seed: 7}", &run, &here, Verdict::NotChecked, "got another");
    let here = Evidence { config: Some(&config), ..evidence(AT) };
    assert_judged_by("config: {seed: 7}", &run, &here, Verdict::Passed, "7");
}

#[test]
fn a_seed_that_the_policy_does_not_name_is_found() {
    assert_judged("seed: 42", &example(), Verdict::Passed, "seed: 42");
    assert_judged("seed: [41, 42]", &example(), Verdict::Passed, "seed: 42");
    assert_judged("seed: [41, 43]", &example(), Verdict::Failed, "expected 41 or 43, got 42");
}

#[test]
fn other_data_than_the_policy_names_are_found() {
    let run = example();
    let root = run.data[0].merkle_root;
    let named = format!("data: {{roots: {{train: '{root}'}}}}");
    assert_judged(&named, &run, Verdict::Passed, "data.roots.train");
    let zeros = "0".repeat(64);
    assert_judged(
        &format!("data: {{roots: {{train: '{zeros}'}}}}"),
        &run,
        Verdict::Failed,
        &format!("expected {zeros}"),
    );
    assert_judged(&format!("data: {{roots: {{other: '{root}'}}}}"), &run, Verdict::Failed, "got no such data set");
    // Beside the named one another is read; one that the run made of it is its own.
    let mut more = run;
    more.data.push(DataRecord { name: "labels".into(), ..more.data[0].clone() });
    assert_judged(&named, &more, Verdict::Failed, "expected no other raw data set, got \"labels\"");
    more.data[1].role = crate::manifest::predicate::DataRole::Derived;
    assert_judged(&named, &more, Verdict::Passed, "data.roots.train");
}

#[test]
fn a_program_of_another_commit_or_with_changes_is_found() {
    let mut run = example();
    let fives = format!("program: {{commits: ['{}', '{}']}}", "4".repeat(40), "5".repeat(40));
    assert_judged(&fives, &run, Verdict::Passed, "5555");
    let fours = format!("program: {{commits: ['{}']}}", "4".repeat(40));
    assert_judged(&fours, &run, Verdict::Failed, "got 5555");
    run.environment.built_from = run.environment.built_from.map(|built| BuiltFrom { clean: false, ..built });
    assert_judged(&fives, &run, Verdict::Failed, "with changes");
    run.environment.built_from = None;
    assert_judged(&fives, &run, Verdict::NotChecked, "does not say");
}

#[test]
fn a_run_that_nobody_trained_again_is_not_replayed() {
    let rule = "replay: required";
    let judge = |replayed, verifiers, verdict, message: &str| {
        assert_judged_by(rule, &example(), &Evidence { replayed, verifiers, ..evidence(AT) }, verdict, message);
    };
    judge(false, Verifiers::NoVerdict, Verdict::NotChecked, "add --replay");
    judge(false, Verifiers::Refused("unsigned".into()), Verdict::NotChecked, "does not count: unsigned");
    judge(false, Verifiers::Replayed(2), Verdict::Passed, "2 trusted verifiers");
    judge(true, Verifiers::NoVerdict, Verdict::Passed, "made again here");
}

#[test]
fn a_run_that_was_not_committed_to_is_found() {
    let rule = "commitment: required";
    assert_judged(rule, &example(), Verdict::NotChecked, "--commitment FILE");
    let own = by(commitment(), 1);
    let given = Evidence { commitment: Some(&own), ..evidence(AT) };
    assert_judged_by(rule, &example(), &given, Verdict::Passed, "to this run");
    let thiefs = by(commitment(), 2);
    let given = Evidence { commitment: Some(&thiefs), ..evidence(AT) };
    assert_judged_by(rule, &example(), &given, Verdict::Failed, "expected a signer of the manifest");
}

#[test]
fn a_nonce_that_the_checker_did_not_hand_out_is_none() {
    assert_judged("nonce: required", &example(), Verdict::NotChecked, "--nonce NONCE");
    let given = Evidence { nonce_expected: true, ..evidence(AT) };
    assert_judged_by("nonce: required", &example(), &given, Verdict::Passed, "\"5c1d\"");
    assert_judged_by("nonce: required", &sparse_example(), &given, Verdict::NotChecked, "--nonce NONCE");
}

#[test]
fn the_built_in_policy_of_a_leaderboard_lets_no_picked_end_through() {
    let policy = Policy::built_in("leaderboard").expect("there is one");
    assert!(Policy::built_in("leaderbord").is_none());
    let judge =
        |claim: &TrainingRun, evidence: &Evidence<'_>| judge_claim(&policy, claim, &signer(1), evidence).verdict;
    let mut run = scored(10);
    let git = run.git.as_mut().expect("a record");
    (git.clean, git.difference, git.changed_count) = (true, None, 0);
    (git.changed, git.submodules) = (Vec::new(), Vec::new());
    let all = Evidence { replayed: true, nonce_expected: true, ..evidence(AT) };
    assert_eq!(judge(&run, &all), Verdict::Passed);
    let picked =
        TrainingRun { exit: crate::manifest::predicate::ExitRecord { reason: ExitReason::MaxTime }, ..run.clone() };
    assert_eq!(judge(&picked, &all), Verdict::Failed);
    assert_eq!(judge(&run, &Evidence { replayed: false, ..all.clone() }), Verdict::NotChecked);
    assert_eq!(judge(&run, &Evidence { nonce_expected: false, ..all.clone() }), Verdict::NotChecked);
    assert_eq!(judge(&scored(1), &all), Verdict::Failed);
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
