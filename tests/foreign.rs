//! Trees of other programs: shown, validated and refused for what they are.

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox};

/// A sandbox whose folder `tree` is another program's.
fn foreign(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (path, text) in files {
        let path = sandbox.path("tree").join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
        std::fs::write(path, text).expect("write");
    }
    sandbox
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run(&[arguments, &["-cp", "tree"]].concat())
}

const TREE: [(&str, &str); 3] = [
    ("train.yaml", "defaults: [{db: t}, _self_]\nlr: 1\nwarm: ${times:${lr},10}\nalso: ${warm}\n"),
    ("db/t.yaml", "host: here\n"),
    ("db/u.yaml", "host: there\n"),
];

#[test]
fn what_needs_a_resolver_of_pythons_is_shown_as_it_is_written_and_named() {
    let sandbox = foreign(&TREE);
    let shown = run(&sandbox, &["config", "show"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert_eq!(shown.stdout, "db:\n  host: here\nlr: 1\nwarm: ${times:${lr},10}\nalso: ${warm}\n");
    for piece in ["warm", "unknown resolver \"times\"", "--resolvers FILE"] {
        assert!(shown.stderr.contains(piece), "{piece:?} in {}", shown.stderr);
    }
    let raw = run(&sandbox, &["config", "show", "--no-resolve", "lr=${db.host}"]);
    assert_eq!((raw.code, raw.stderr.as_str()), (0, ""));
    assert!(raw.stdout.contains("lr: ${db.host}\n"), "{}", raw.stdout);

    let answer = run(&sandbox, &["config", "show", "--json"]);
    let answer: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    let error = &answer["resolve_error"];
    assert_eq!((&error["kind"], &error["key"]), (&"interp_unknown_resolver".into(), &"warm".into()));
    assert!(error["message"].as_str().expect("a text").contains("times"), "{error}");
    assert!(answer.get("hydra").is_none());

    std::fs::write(sandbox.path("r.yaml"), "times: \"lambda a, b: a * b\"\n").expect("write");
    let whole = run(&sandbox, &["config", "show", "--resolvers", "r.yaml"]);
    assert_eq!(whole.stdout, "db:\n  host: here\nlr: 1\nwarm: 10\nalso: 10\n", "{}", whole.stderr);
    std::fs::write(sandbox.path("r.yaml"), "times: \"lambda a, b: a & b\"\n").expect("write");
    let refused = run(&sandbox, &["config", "show", "--resolvers", "r.yaml"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("r.yaml: times: column 16: '&' is not among"), "{}", refused.stderr);
}

#[test]
fn many_calls_of_a_resolver_together_cannot_cost_without_end() {
    let calls: String = (0..500).map(|number| format!("k{number}: \"${{dear:{number}}}\"\n")).collect();
    let sandbox = foreign(&[("train.yaml", &calls)]);
    // Each call is within its own limit.
    std::fs::write(sandbox.path("r.yaml"), "dear: \"lambda n: len([[n] * 300] * 300)\"\n").expect("write");
    let refused = run(&sandbox, &["config", "show", "--resolvers", "r.yaml"]);
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    assert!(refused.stderr.contains("values are resolved"), "{}", refused.stderr);
    std::fs::write(sandbox.path("tree/train.yaml"), "k: \"${dear:1}\"\n").expect("write");
    assert_eq!(run(&sandbox, &["config", "show", "--resolvers", "r.yaml"]).stdout, "k: 300\n");
}

#[test]
fn a_refusal_in_json_has_its_hint_its_warnings_and_the_exit_code_of_one() {
    let sandbox = foreign(&[
        ("config.yaml", "defaults: [{g: o}]\nhydra: {searchpath: ['pkg://no.such']}\n"),
        ("h/o.yaml", "x: 1\n"),
    ]);
    let words = ["config", "show", "--json", "-cn", "config"];
    let answer = run(&sandbox, &words);
    assert_eq!(answer.code, 2, "{}", answer.stdout);
    let refusal: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((&refusal["ok"], &refusal["kind"]), (&false.into(), &"config_missing".into()));
    assert_eq!(
        refusal["warnings"],
        serde_json::json!(["provider=hydra.searchpath in main, path=no.such is not available."])
    );
    assert!(refusal["hint"].is_string(), "{refusal}");
    let told = run(&sandbox, &["config", "show", "-cn", "config"]);
    assert!(told.stderr.contains("Warning: provider=hydra.searchpath in main, path=no.such"), "{}", told.stderr);
}

#[test]
fn each_job_of_a_multirun_is_composed_and_shown() {
    let sandbox = foreign(&TREE);
    let shown = run(&sandbox, &["config", "show", "-m", "--no-resolve", "db=t,u"]);
    let tail = "lr: 1\nwarm: ${times:${lr},10}\nalso: ${warm}\n";
    let expected = format!("# 0: db=t\ndb:\n  host: here\n{tail}---\n# 1: db=u\ndb:\n  host: there\n{tail}");
    assert_eq!((shown.code, shown.stdout), (0, expected), "{}", shown.stderr);
    let wrong = run(&sandbox, &["config", "show", "-m", "db=t,nope"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""), "{}", wrong.stderr);
    let answer = run(&sandbox, &["config", "show", "-m", "--json", "db=t,u"]);
    let answer: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(answer["job_configs"][1]["db"]["host"], "there");
}

#[test]
fn a_foreign_tree_is_validated_by_the_schema_that_is_given_and_by_none_of_ours() {
    let sandbox = foreign(&[TREE[1], TREE[2], ("train.yaml", "defaults: [{db: t}, _self_]\nlr: 1\n")]);
    let composed = run(&sandbox, &["config", "validate"]);
    assert_eq!(composed.code, 0, "{}{}", composed.stdout, composed.stderr);
    assert!(composed.stderr.contains("composed and resolved only"), "{}", composed.stderr);
    assert!(!composed.stderr.contains("spectramind train"), "{}", composed.stderr);

    let schema =
        r#"{"type": "object", "required": ["lr"], "properties": {"db": {"properties": {"host": {"enum": ["here"]}}}}}"#;
    std::fs::write(sandbox.path("schema.json"), schema).expect("write");
    let judged = run(&sandbox, &["config", "validate", "--schema", "schema.json"]);
    assert_eq!(judged.code, 1, "{}{}", judged.stdout, judged.stderr);
    assert!(
        judged.stdout.contains("db.host (tree/db/u.yaml:1:1): expected \"here\", got \"there\""),
        "{}",
        judged.stdout
    );
    std::fs::write(sandbox.path("schema.json"), "{").expect("write");
    assert_eq!(run(&sandbox, &["config", "validate", "--schema", "schema.json"]).code, 2);
}

#[test]
fn a_multirun_of_a_tree_that_cannot_be_trained_leaves_no_folder() {
    let sandbox = foreign(&TREE);
    let before = std::fs::read_dir(sandbox.path("")).expect("list").count();
    let refused = run(&sandbox, &["train", "-m", "lr=1,2"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert_eq!(std::fs::read_dir(sandbox.path("")).expect("list").count(), before);
}

#[test]
fn a_plugin_composes_and_nothing_is_run_under_one() {
    let sandbox = Sandbox::new();
    let words = ["train", "-m", "trainer.seed=1,2", "hydra/launcher=joblib"];
    let refused = sandbox.run(&words);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("hydra/launcher=joblib: a Python plugin, not here"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("hydra/launcher=basic") && !sandbox.path("multirun").exists(),
        "{}",
        refused.stderr
    );
    let words = ["simulate", "sim=tiny", "sim.planets=1", "sim.test_planets=1", "hydra/job_logging=colorlog"];
    let done = sandbox.done(&words);
    assert!(done.stderr.contains("hydra/job_logging=colorlog: a Python plugin, not here"), "{}", done.stderr);
}

#[test]
fn hints_name_what_was_meant() {
    let sandbox = foreign(&[
        TREE[1],
        ("train.yaml", "defaults: [{db: t}, _self_]\ns: {n: {x: 1}}\n"),
        ("b.yaml", "defaults: [{db: t}, {\"~m\": a}, _self_]\n"),
        ("m/a.yaml", "k: 1\n"),
    ]);
    for (words, hint) in [
        (&["config", "show", "db@s.n=t"][..], "`+db@s.n=t` puts it at s.n, too"),
        (&["config", "show", "-cn", "b"], "`~` deletes on the command line only"),
        (&["config", "show", "--trainer.epochs=5"], "overrides have no dashes: trainer.epochs=5"),
        (&["train", "--trainer.epochs", "5"], "overrides have no dashes: trainer.epochs=VALUE"),
    ] {
        let outcome = run(&sandbox, words);
        assert_eq!(outcome.code, 2, "{words:?}");
        assert!(outcome.stderr.contains(hint), "{words:?}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("spectramind train --cfg"), "{words:?}: {}", outcome.stderr);
    }
}

#[test]
fn a_run_with_resolvers_of_its_own_is_audited_with_them() {
    let sandbox = Sandbox::with_data();
    std::fs::write(sandbox.path("configs/resolvers.yaml"), "twice: \"lambda x: 2 * x\"\n").expect("write");
    std::fs::write(sandbox.path("elsewhere.yaml"), "twice: \"lambda x: 2 * x\"\n").expect("write");
    sandbox.git(&["add", "configs"]);
    sandbox.git(&["commit", "--quiet", "--message=resolvers"]);
    let words = ["train", "trainer=ci_fast", "run.dir=run", "trainer.seed=${twice:21}", "--resolvers"];
    let refused = sandbox.run(&[&words[..], &["elsewhere.yaml"]].concat());
    assert!(refused.code == 2 && refused.stderr.contains("below the folder of configs"), "{}", refused.stderr);
    assert!(!sandbox.path("run").exists());
    sandbox.done(&[&words[..], &["configs/resolvers.yaml"]].concat());
    let audit = sandbox.audit(&[]);
    assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);
    std::fs::write(sandbox.path("configs/resolvers.yaml"), "twice: \"lambda x: 3 * x\"\n").expect("write");
    let audit = sandbox.audit(&[]);
    assert_eq!(audit.code, 1, "{}{}", audit.stdout, audit.stderr);
    assert!(audit.stdout.contains("resolvers.yaml"), "{}", audit.stdout);
}
