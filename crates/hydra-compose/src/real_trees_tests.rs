//! Trees as people really write them: each composes to what its author meant, or fails with an error that says where
//! the mistake is and how to mend it.

use super::{Composer, Config, ConfigError, ErrorKind, SearchPath, Value};

fn composer(files: &[(&str, &str)]) -> Composer {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Composer::new(SearchPath::new().memory("main", files))
}

fn compose(files: &[(&str, &str)], overrides: &[&str]) -> Config {
    composer(files).compose("train", overrides).unwrap_or_else(|error| panic!("{error}"))
}

/// The resolved config as YAML.
fn yaml(files: &[(&str, &str)], overrides: &[&str]) -> String {
    compose(files, overrides).resolve().unwrap_or_else(|error| panic!("{error}")).to_yaml()
}

/// The error of composing or resolving.
fn error_of(files: &[(&str, &str)], overrides: &[&str]) -> ConfigError {
    let composed = composer(files).compose("train", overrides);
    composed.and_then(|config| config.resolve()).expect_err("the tree has a mistake")
}

fn assert_refused(error: &ConfigError, kind: ErrorKind, text: &str, hint: &str) {
    assert_eq!(error.to_string(), text);
    assert_eq!(error.hint().as_deref(), Some(hint), "{error}");
    assert_eq!(error.kind(), kind, "{error}");
}

#[test]
fn nested_groups_land_in_nested_packages() {
    let files = [
        ("train.yaml", "defaults:\n  - model/encoder: cnn\n  - model/head@model.out: linear\n  - _self_\nseed: 1\n"),
        ("model/encoder/cnn.yaml", "defaults: [blocks: deep, _self_]\nwidth: 32\n"),
        ("model/encoder/blocks/deep.yaml", "count: 4\n"),
        ("model/head/linear.yaml", "width: ${..encoder.width}\n"),
    ];
    let expected = "model:\n  encoder:\n    blocks:\n      count: 4\n    width: 32\n  out:\n    width: 32\nseed: 1\n";
    assert_eq!(yaml(&files, &[]), expected);
    assert_eq!(
        compose(&files, &["model.encoder.blocks.count=8"]).value().get("model.encoder.blocks.count"),
        Some(&Value::Int(8))
    );
}

const EXPERIMENT: &[(&str, &str)] = &[
    ("train.yaml", "defaults:\n  - trainer: base\n  - data: toy\n  - _self_\n  - experiment: null\nseed: 1\n"),
    ("trainer/base.yaml", "max_epochs: 1\nlr: 0.1\n"),
    ("trainer/long.yaml", "defaults: [base, _self_]\nmax_epochs: 100\n"),
    ("data/toy.yaml", "batch_size: 2\n"),
    ("data/full.yaml", "batch_size: 64\n"),
    (
        "experiment/e1.yaml",
        "# @package _global_\ndefaults:\n  - override /trainer: long\n  - override /data: full\n\nseed: 7\ntrainer:\n  lr: 0.01\n",
    ),
];

#[test]
fn an_experiment_chooses_other_options_and_sets_values() {
    let expected = "trainer:\n  max_epochs: 100\n  lr: 0.01\ndata:\n  batch_size: 64\nseed: 7\n";
    assert_eq!(yaml(EXPERIMENT, &["experiment=e1"]), expected);
    // The command line has the last word, over values and over choices.
    let expected = "trainer:\n  max_epochs: 1\n  lr: 0.01\ndata:\n  batch_size: 64\nseed: 8\n";
    assert_eq!(yaml(EXPERIMENT, &["experiment=e1", "seed=8", "trainer=base"]), expected);
    assert_eq!(compose(EXPERIMENT, &["experiment=e1"]).lints(), []);
}

#[test]
fn a_profile_that_repeats_its_group_is_found_where_it_landed() {
    let mut files = EXPERIMENT.to_vec();
    files.push(("trainer/kaggle_safe.yaml", "trainer:\n  max_epochs: 30\n"));
    let config = compose(&files, &["trainer=kaggle_safe"]);
    assert_eq!(config.value().get("trainer.trainer.max_epochs"), Some(&Value::Int(30)));
    let [lint] = config.lints() else { panic!("one lint, got {:?}", config.lints()) };
    assert_eq!(
        lint.to_string(),
        "trainer/kaggle_safe.yaml:1:1: the file repeats its group: all of it lands at trainer.trainer"
    );
    assert_refused(
        &error_of(&files, &["trainer=kaggle_safe", "trainer.max_epochs=30"]),
        ErrorKind::KeyNotInStruct,
        "override \"trainer.max_epochs=30\": key \"trainer.max_epochs\" is not in the config",
        "found at trainer.trainer.max_epochs; trainer/kaggle_safe.yaml repeats its group: remove the level, or add \
         `# @package _global_`",
    );
}

#[test]
fn an_interpolation_with_a_default_is_refused_with_the_resolver_that_has_one() {
    let hint = "did you mean `${oc.select:local.devices,auto}`? it takes the default where there is no local.devices";
    let source = "${local.devices, \"auto\"}";
    assert_refused(
        &error_of(&[("train.yaml", &format!("local: {{}}\ntrainer:\n  devices: {source}\n"))], &[]),
        ErrorKind::InterpGrammar,
        &format!("train.yaml:3:3: malformed interpolation in {source:?}: interpolations have no defaults"),
        hint,
    );
    let mended = [("train.yaml", "local: {}\ndevices: ${oc.select:local.devices,auto}\n")];
    assert_eq!(yaml(&mended, &[]), "local: {}\ndevices: auto\n");
    assert_eq!(yaml(&mended, &["+local.devices=2"]), "local:\n  devices: 2\ndevices: 2\n");
}

#[test]
fn a_top_level_key_three_times_is_named_with_all_its_lines() {
    let text = "trainer:\n  a: 1\nseed: 1\ntrainer:\n  b: 2\n\ntrainer: {c: 3}\n";
    assert_refused(
        &error_of(&[("train.yaml", text)], &[]),
        ErrorKind::YamlDuplicateKey,
        "train.yaml:4:1: duplicate key \"trainer\": first at line 1, column 1, again at line 4, column 1 and at line 7, \
         column 1",
        "a map holds each key once: put what belongs below \"trainer\" in one place",
    );
}

#[test]
fn a_mistyped_file_name_or_group_is_named_where_it_is_listed() {
    let files = [("train.yaml", "defaults:\n  - optimizer: adamw\n  - _self_\n"), ("optimizer/adamww.yaml", "lr: 1\n")];
    assert_refused(
        &error_of(&files, &[]),
        ErrorKind::ConfigMissing,
        "train.yaml:2:5: could not find the option \"adamw\" of the group \"optimizer\"",
        "did you mean `optimizer: adamww`? the options of \"optimizer\": adamww",
    );
    let files = [("train.yaml", "defaults:\n  - optimiser: adamw\n"), ("optimizer/adamw.yaml", "lr: 1\n")];
    assert_refused(
        &error_of(&files, &[]),
        ErrorKind::ConfigMissing,
        "train.yaml:2:5: could not find the config \"optimiser/adamw\": there is no group \"optimiser\"",
        "did you mean `/optimizer: adamw`? the groups: optimizer",
    );
}

#[test]
fn a_defaults_list_without_self_merges_the_own_keys_last_and_hydra_warns() {
    let files = [("train.yaml", "defaults:\n  - db: a\ndb:\n  host: mine\n"), ("db/a.yaml", "host: theirs\nport: 1\n")];
    assert_eq!(yaml(&files, &[]), "db:\n  host: mine\n  port: 1\n");
    let warnings = compose(&files, &[]).warnings().to_vec();
    assert!(matches!(warnings.as_slice(), [warning] if warning.contains("missing `_self_`")), "{warnings:?}");
    // Placed first, the own keys lose.
    let files = [("train.yaml", "defaults:\n  - _self_\n  - db: a\ndb:\n  host: mine\n"), files[1]];
    assert_eq!(yaml(&files, &[]), "db:\n  host: theirs\n  port: 1\n");
}

#[test]
fn absolute_and_relative_groups_mix() {
    let files = [
        ("train.yaml", "defaults: [model: big, _self_]\n"),
        (
            "model/big.yaml",
            "defaults:\n  - base\n  - block: wide\n  - /optimizer: adam\n  - /optimizer@_global_.second: adam\n  - _self_\n",
        ),
        ("model/base.yaml", "name: base\n"),
        ("model/block/wide.yaml", "width: 9\n"),
        ("optimizer/adam.yaml", "lr: 1\n"),
    ];
    let expected = "model:\n  name: base\n  block:\n    width: 9\n  optimizer:\n    lr: 1\nsecond:\n  lr: 1\n";
    assert_eq!(yaml(&files, &[]), expected);
    let mut wrong = files.to_vec();
    wrong[1].1 = "defaults:\n  - base\n  - optimizer: adam\n";
    assert_refused(
        &error_of(&wrong, &[]),
        ErrorKind::ConfigMissing,
        "model/big.yaml:3:5: could not find the config \"model/optimizer/adam\": there is no group \"model/optimizer\"",
        "groups are relative to the folder of the config that lists them; did you mean `/optimizer: adam`?",
    );
}

#[test]
fn windows_line_ends_compose_as_others_do() {
    let files = [
        ("train.yaml", "defaults:\r\n  - db: a\r\n  - _self_\r\ntext: |\r\n  one\r\n  two\r\n"),
        ("db/a.yaml", "# @package _global_\r\nhost: x\r\n"),
    ];
    assert_eq!(yaml(&files, &[]), "host: x\ntext: 'one\n\n  two\n\n  '\n");
    let error = error_of(&[("train.yaml", "a: 1\r\nb: 2\r\na: 3\r\n")], &[]);
    assert!(error.to_string().starts_with("train.yaml:3:1: duplicate key \"a\": first at line 1, column 1"), "{error}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_key() {
    assert_eq!(yaml(&[("train.yaml", "\u{feff}seed: 1\n")], &[]), "seed: 1\n");
}

#[test]
fn a_tab_is_refused_where_it_indents_and_kept_where_it_separates() {
    assert_refused(
        &error_of(&[("train.yaml", "trainer:\n\tseed: 1\n")], &[]),
        ErrorKind::Yaml,
        "train.yaml:2:1: found character '\\t' that cannot start any value",
        "YAML is indented with spaces: replace the tab",
    );
    assert_eq!(yaml(&[("train.yaml", "name: 'a\tb'\n")], &[]), "name: \"a\\tb\"\n");
}

#[test]
fn a_yml_file_is_pointed_out_and_not_read() {
    let files = [("train.yaml", "defaults: [db: mysql]\n"), ("db/mysql.yml", "x: 1\n"), ("db/other.yaml", "")];
    assert_refused(
        &error_of(&files, &[]),
        ErrorKind::ConfigMissing,
        "train.yaml:1:12: could not find the option \"mysql\" of the group \"db\"",
        "there is db/mysql.yml, but only .yaml files are configs: rename it to db/mysql.yaml",
    );
    let error = composer(&[("train.yml", "")]).compose("train", &[""; 0]).expect_err("no .yaml");
    assert_eq!(error.kind(), ErrorKind::PrimaryConfigMissing);
    assert!(error.hint().expect("a remedy").starts_with("there is train.yml"), "{error}");
}

#[test]
fn empty_files_and_files_of_comments_are_empty_maps() {
    let files = [("train.yaml", "defaults: [db: none, _self_]\nx: 1\n"), ("db/none.yaml", "# nothing yet\n")];
    assert_eq!(yaml(&files, &[]), "db: {}\nx: 1\n");
    assert_eq!(yaml(&[("train.yaml", "")], &["+x=1"]), "x: 1\n");
}

#[test]
fn a_list_at_the_top_is_refused_at_its_line() {
    assert_refused(
        &error_of(&[("train.yaml", "# steps\n- a\n- b\n")], &[]),
        ErrorKind::PrimaryNotMapping,
        "train.yaml:2:1: expected a map at the top of the primary config \"train\", got a list",
        "put the list below a key: `items: […]`",
    );
}

#[test]
fn a_deep_tree_composes_and_resolves() {
    let mut files = vec![("train.yaml".to_owned(), "defaults: [g0: o, _self_]\ntop: 1\n".to_owned())];
    let mut folder = String::from("g0");
    for level in 1..40 {
        let text = format!("defaults: [g{level}: o, _self_]\nlevel: {level}\n");
        files.push((format!("{folder}/o.yaml"), text));
        folder.push_str(&format!("/g{level}"));
    }
    files.push((format!("{folder}/o.yaml"), "leaf: ${top}\n".to_owned()));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let resolved = compose(&files, &[]).resolve().expect("it resolves");
    let path = format!("{}.leaf", folder.replace('/', "."));
    assert_eq!(resolved.value().get(&path), Some(&Value::Int(1)));
    let override_of_leaf = format!("{path}=2");
    assert_eq!(compose(&files, &[&override_of_leaf]).value().get(&path), Some(&Value::Int(2)));
}

#[test]
fn a_word_that_is_no_keyword_before_a_group_is_named_in_the_error_it_leads_to() {
    let files =
        [("train.yaml", "defaults:\n  - db: a\n  - overide db: b\n"), ("db/a.yaml", "x: 1\n"), ("db/b.yaml", "x: 2\n")];
    let error = error_of(&files, &[]);
    assert_eq!(error.kind(), ErrorKind::DefaultsMultipleValues);
    assert_eq!(error.hint().as_deref(), Some("\"overide\" means nothing here; did you mean `override`?"));
    let expected = "train.yaml:3:5: multiple values for the group \"db\": \"a\" (train.yaml:2:5), then \"b\"";
    assert_eq!(error.to_string(), expected);
}
