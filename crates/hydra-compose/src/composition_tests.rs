//! Tests of whole compositions over trees in memory, for what Hydra does not have or does not promise: origins,
//! typed extraction, hints, limits.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Composer, Config, ConfigError, ErrorKind, MISSING, Origin, SearchPath, Value};

fn composer(files: &[(&str, &str)]) -> Composer {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Composer::new(SearchPath::new().memory("main", files))
}

const TREE: &[(&str, &str)] = &[
    ("train.yaml", "defaults:\n  - trainer: base\n  - data: toy\n  - _self_\nseed: 1\nname: ${trainer.name}-${seed}\n"),
    ("trainer/base.yaml", "name: base\nlr: 1e-3\ndevices: 1\n"),
    ("trainer/fast.yaml", "defaults: [base, _self_]\nname: fast\n"),
    ("data/toy.yaml", "defaults:\n  - override /trainer@_global_.trainer: fast\nfiles: [a, b]\n"),
];

fn compose(files: &[(&str, &str)], overrides: &[&str]) -> Result<Config, ConfigError> {
    composer(files).compose("train", overrides)
}

fn error_of(files: &[(&str, &str)], overrides: &[&str]) -> ConfigError {
    compose(files, overrides).expect_err("the composition fails")
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Train {
    trainer: Trainer,
    data: Data,
    seed: u32,
    name: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Trainer {
    name: String,
    lr: f64,
    devices: u8,
    precision: Option<Precision>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Precision {
    Single,
    Double,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Data {
    files: Vec<String>,
}

#[test]
fn a_tree_with_an_override_in_a_defaults_list_extracts_into_types() {
    let config = compose(TREE, &["+trainer.precision=double", "seed=7"]).expect("a legal tree");
    let train: Train = config.extract().expect("the types fit");
    let trainer = Trainer { name: "fast".into(), lr: 1e-3, devices: 1, precision: Some(Precision::Double) };
    let data = Data { files: vec!["a".into(), "b".into()] };
    assert_eq!(train, Train { trainer, data, seed: 7, name: "fast-7".into() });
    let fast = Some("fast".to_owned());
    assert!(config.choices().contains(&("trainer".to_owned(), fast)));
}

#[test]
fn a_key_knows_the_line_that_set_it_and_the_values_that_lost() {
    let config = compose(TREE, &["trainer.lr=0.5"]).expect("a legal tree");
    let lr = config.origin("trainer.lr").expect("the key exists");
    assert_eq!(lr.origin, Origin::Override("trainer.lr=0.5".into()));
    assert_eq!(lr.overridden.len(), 1);
    assert_eq!(lr.overridden[0].value, Value::Float(1e-3));
    assert_eq!(lr.overridden[0].origin.to_string(), "trainer/base.yaml:2:1");
    let name = config.origin("trainer.name").expect("the key exists");
    assert_eq!(name.origin.to_string(), "trainer/fast.yaml:2:1");
    assert_eq!(config.origin("data.files[1]").expect("the item exists").origin.to_string(), "data/toy.yaml:3:12");
    assert!(config.origin("trainer.nope").is_none());
}

#[test]
fn every_file_that_was_read_is_listed_with_its_digest() {
    let config = compose(TREE, &[]).expect("a legal tree");
    let mut paths: Vec<&str> = config.sources().iter().map(|source| source.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["data/toy.yaml", "train.yaml", "trainer/base.yaml", "trainer/fast.yaml"]);
    let data = config.sources().iter().find(|source| source.path == "data/toy.yaml").expect("it was read");
    assert_eq!((data.size, data.blake3), (TREE[3].1.len() as u64, blake3::hash(TREE[3].1.as_bytes())));
}

#[test]
fn extraction_errors_name_the_path_the_expectation_and_the_place() {
    let error =
        compose(TREE, &["trainer.devices=many"]).and_then(|config| config.extract::<Train>()).expect_err("no number");
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
    let text = error.to_string();
    assert!(text.contains("trainer.devices") && text.contains("many") && text.contains("from 0 to 255"), "{text}");
    assert!(text.contains("trainer.devices=many"), "{text}");

    let error =
        compose(TREE, &["+trainer.device=2"]).and_then(|config| config.extract::<Train>()).expect_err("unknown");
    assert_eq!(
        (error.kind(), error.hint().as_deref()),
        (ErrorKind::UnknownKey, Some("did you mean `trainer.devices`?"))
    );
    assert!(error.message().starts_with("trainer.device:"), "{error}");

    let error =
        compose(TREE, &["trainer.devices=???"]).and_then(|config| config.extract::<Train>()).expect_err("missing");
    assert_eq!(error.kind(), ErrorKind::MissingValue);

    let mut files = TREE.to_vec();
    files[1].1 = "name: base\nlr: fast\ndevices: 1\n";
    let error = compose(&files, &[]).and_then(|config| config.extract::<Train>()).expect_err("a text");
    let location = error.location().expect("it is in a file");
    assert_eq!((location.file.as_str(), location.line, location.column), ("trainer/base.yaml", 2, 1));
}

#[test]
fn typos_get_the_nearest_key_group_and_option_as_a_hint() {
    let hint = |overrides: &[&str]| error_of(TREE, overrides).hint().unwrap_or_default();
    assert_eq!(hint(&["trainer.lrr=1"]), "did you mean `trainer.lr=1`? `+trainer.lrr=1` adds a new key");
    let options = "the options of \"trainer\": base, fast";
    assert_eq!(hint(&["trainer=fsat"]), format!("did you mean `trainer=fast`? {options}"));
    assert_eq!(hint(&["~sede"]), "did you mean `~seed`?");
    assert_eq!(hint(&["entirely_new=1"]), "`+entirely_new=1` adds a new key");
    assert_eq!(hint(&["lr=1"]), "did you mean `trainer.lr=1`? `+lr=1` adds a new key");
    assert_eq!(
        composer(TREE).compose("trian", &[""; 0]).expect_err("a typo").hint().as_deref(),
        Some("did you mean `train`? the configs: train")
    );
    let error =
        compose(&[("train.yaml", "seed: 1\nname: ${sed}\n")], &[]).and_then(|config| config.resolve().map(|_| ()));
    assert_eq!(error.expect_err("a typo").hint().as_deref(), Some("did you mean `${seed}`?"));
}

#[test]
fn equal_configs_have_equal_digests_however_they_were_composed() {
    let digest = |files: &[(&str, &str)], overrides: &[&str]| {
        compose(files, overrides).and_then(|config| config.digest()).expect("a legal tree")
    };
    assert_eq!(digest(TREE, &["seed=2"]), digest(TREE, &["seed=1", "seed=2"]));
    assert_ne!(digest(TREE, &["seed=2"]), digest(TREE, &["seed=2.0"]));
    // The digest is of what interpolations resolve to.
    let literal = [("train.yaml", "a: 1\nb: 1\n")];
    let interpolated = [("train.yaml", "a: 1\nb: ${a}\n")];
    assert_eq!(digest(&literal, &[]), digest(&interpolated, &[]));
}

#[test]
fn cycles_are_reported_with_their_path() {
    let error = compose(&[("train.yaml", "a: ${b}\nb: ${c.d}\nc:\n  d: ${a}\n")], &[])
        .and_then(|config| config.resolve())
        .expect_err("a cycle");
    assert_eq!(error.kind(), ErrorKind::InterpCycle);
    let path = "a (train.yaml:1:1) -> b (train.yaml:2:1) -> c.d (train.yaml:4:3) -> a";
    assert_eq!(error.to_string(), format!("train.yaml:1:1: interpolations in a circle: {path}"));
    let error = compose(&[("train.yaml", "a: 1\nb: ${a}\n")], &["a=${b}"])
        .and_then(|config| config.resolve())
        .expect_err("a cycle through an override");
    assert_eq!(error.kind(), ErrorKind::InterpCycle);
    assert!(error.message().contains("(override a=${b})"), "{error}");
    let error = compose(&[("train.yaml", "a: {x: '${b}'}\nb: {y: '${a}'}\n")], &[])
        .and_then(|config| config.resolve())
        .expect_err("a cycle of maps");
    assert!(error.message().ends_with("a (train.yaml:1:1) -> b (train.yaml:2:1) -> a"), "{error}");
    // Each call of a resolver makes a new node; the circle shows all the same.
    let error = compose(&[("train.yaml", "a: {x: '${oc.dict.values:a}'}\n")], &[])
        .and_then(|config| config.resolve())
        .expect_err("a cycle of lists");
    assert_eq!(error.kind(), ErrorKind::InterpCycle, "{error}");
    let files = [
        ("train.yaml", "defaults: [g: a]\n"),
        ("g/a.yaml", "defaults:\n  - b\n"),
        ("g/b.yaml", "x: 1\ndefaults:\n  - /g@inner: a\n"),
    ];
    let error = error_of(&files, &[]);
    assert_eq!(error.kind(), ErrorKind::DefaultsCycle);
    let path = "g/a -> g/b (g/a.yaml:2:5) -> g/a (g/b.yaml:3:5)";
    let expected = format!("g/b.yaml:3:5: the defaults lists include one another in a circle: {path}");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn hostile_files_run_into_limits_instead_of_exhausting_the_machine() {
    let deep = "[".repeat(5_000);
    assert_eq!(error_of(&[("train.yaml", &format!("a: {deep}"))], &[]).kind(), ErrorKind::Limit);
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    assert_eq!(error_of(&[("train.yaml", &laughs)], &[]).kind(), ErrorKind::Limit);
    let mut doubling = String::from("t0: xxxxxxxxxxxxxxxx\n");
    let mut copying = String::from("m0: {x: 1, y: 2}\n");
    for level in 1..40 {
        let before = level - 1;
        doubling.push_str(&format!("t{level}: ${{t{before}}}${{t{before}}}\n"));
        copying.push_str(&format!("m{level}: {{x: '${{m{before}}}', y: '${{m{before}}}'}}\n"));
    }
    for text in [doubling, copying] {
        let error = compose(&[("train.yaml", &text)], &[]).and_then(|config| config.resolve()).expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    }
    let nested = format!("x={}", "[".repeat(5_000));
    assert!(compose(&[("train.yaml", "x: 1\n")], &[&nested]).is_err());
    let path = format!("+{}=1", vec!["a"; 5_000].join("."));
    assert_eq!(error_of(&[("train.yaml", "x: 1\n")], &[&path]).kind(), ErrorKind::Limit);
    let nested = format!("a: \"{}\"\n", "${".repeat(2_000));
    assert!(compose(&[("train.yaml", &nested)], &[]).is_err());
    let mut files = vec![("train.yaml".to_owned(), "defaults: [l0/a, l0/b]\n".to_owned())];
    for level in 0..16 {
        for name in ["a", "b"] {
            let text = format!("defaults: [/l{0}/a, /l{0}/b]\n", level + 1);
            files.push((format!("l{level}/{name}.yaml"), text));
        }
    }
    files.extend(["l16/a.yaml", "l16/b.yaml"].map(|path| (path.to_owned(), String::new())));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(error_of(&files, &[]).kind(), ErrorKind::Limit);
}

/// A config whose keys `a0`, `a1`, … each name the next; the last is `end`.
fn chain(length: usize, end: &str, link: impl Fn(String) -> String) -> String {
    let links = (0..length).map(|index| format!("a{index}: {}\n", link(format!("a{}", index + 1))));
    links.chain([format!("a{length}: {end}\n")]).collect()
}

#[test]
fn interpolations_cannot_buy_time_or_memory_without_end() {
    let (open, close) = ("[".repeat(90), "]".repeat(90));
    let long = format!("t: {}\n", "x".repeat(1 << 20));
    let many = |value: &str| (0..2_000).map(|index| format!("k{index}: {value}\n")).collect::<String>();
    let list = format!("l: [{}]\n", "x, ".repeat(2_000));
    for text in [
        chain(60, "''", |next| format!("${{{next}}}${{{next}}}")),
        chain(60, "[]", |next| format!("['${{{next}}}', '${{{next}}}']")),
        chain(60, "''", |next| format!("${{oc.select:{next}}}${{oc.select:{next}}}")),
        chain(60, "1", |next| format!("${{oc.decode:'[${{{next}}},${{{next}}}]'}}")),
        chain(60, "[1]", |next| format!("${{oc.create:[${{{next}}},${{{next}}}]}}")),
        chain(60, "''", |next| format!("${{oc.deprecated:{next}}}${{oc.deprecated:{next}}}")),
        chain(150, "1", |next| format!("${{oc.decode:'{open}${{{next}}}{close}'}}")),
        long + &many("${t}"),
        list.clone() + &many("${oc.create:${l}}"),
        list.clone() + &many("${oc.decode:'[${l}]'}"),
        list + &many("x${l}${l}${l}"),
    ] {
        let error = compose(&[("train.yaml", &text)], &[]).and_then(|config| config.resolve()).expect_err("too much");
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    }
}

#[test]
fn expressions_larger_than_any_person_writes_are_refused_before_they_are_parsed() {
    let interpolated = format!("b: 1\na: {}\n", "${b}".repeat(400_000));
    assert_eq!(error_of(&[("train.yaml", &interpolated)], &[]).kind(), ErrorKind::Limit);
    let list = format!("a=[{}1]", "1,".repeat(600_000));
    assert_eq!(error_of(&[("train.yaml", "a: 1\n")], &[&list]).kind(), ErrorKind::Limit);
}

#[test]
fn aliases_and_merge_keys_cannot_buy_memory_without_end() {
    let text = format!("t: &t {}\nl: [{}]\n", "x".repeat(100_000), "*t, ".repeat(1_000));
    assert_eq!(error_of(&[("train.yaml", &text)], &[]).kind(), ErrorKind::Limit);
    let map: String = (0..1_000).map(|index| format!("k{index}: 1, ")).collect();
    let one_list = format!("m: &m {{{map}}}\nn: {{<<: [{}]}}\n", "*m, ".repeat(1_000));
    let many_maps: String = (0..1_000).map(|index| format!("n{index}: {{<<: *m}}\n")).collect();
    for text in [one_list, format!("m: &m {{{map}}}\n{many_maps}")] {
        assert_eq!(error_of(&[("train.yaml", &text)], &[]).kind(), ErrorKind::Limit);
    }
}

#[test]
fn what_composes_can_be_read_back_from_its_yaml() {
    let path = vec!["a"; 99].join(".");
    let config = compose(&[("train.yaml", "x: 1\n")], &[&format!("++{path}=1")]).expect("as deep as it may be");
    assert_eq!(super::load_yaml(&config.to_yaml()).expect("YAML as deep as it may be"), *config.value());
    assert_eq!(error_of(&[("train.yaml", "x: 1\n")], &[&format!("++{path}.a=1")]).kind(), ErrorKind::Limit);
    let nested = format!("++a.b={}1{}", "{c:".repeat(98), "}".repeat(98));
    assert_eq!(error_of(&[("train.yaml", "x: 1\n")], &[&nested]).kind(), ErrorKind::Limit);
    // An integer with more decimal digits than Python reads, though not in its own spelling.
    for digits in [format!("0x{}", "f".repeat(4_000)), format!("1{}", ":1".repeat(100_000))] {
        assert_eq!(error_of(&[("train.yaml", &format!("a: {digits}\n"))], &[]).kind(), ErrorKind::Yaml);
    }
    let most = "9".repeat(4_300);
    let config = compose(&[("train.yaml", &format!("a: {most}\n"))], &[]).expect("as long as it may be");
    assert_eq!(config.to_yaml(), format!("a: {most}\n"));
}

#[test]
fn a_tree_of_thousands_of_groups_composes() {
    let mut files = vec![("train.yaml".to_owned(), "defaults:\n".to_owned())];
    for index in 0..2_000 {
        files[0].1.push_str(&format!("- g{index}: a\n"));
        files.push((format!("g{index}/a.yaml"), format!("x: {index}\n")));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let config = compose(&files, &[]).expect("a legal tree");
    assert_eq!(config.value().get("g1999.x"), Some(&Value::Int(1999)));
}

#[test]
fn nothing_is_read_from_the_process() {
    let files = [("train.yaml", "home: ${oc.env:HOME}\nyear: ${now:%Y}\n")];
    let config = compose(&files, &[]).expect("a legal tree");
    assert_eq!(config.resolve().expect_err("no environment was given").kind(), ErrorKind::ResolverFailed);
    let env = BTreeMap::from([("HOME".to_owned(), "/given".to_owned())]);
    let now = jiff::civil::date(2025, 11, 22).at(10, 30, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).expect("a time");
    let config = composer(&files).env(env).now(now).compose("train", &[""; 0]).expect("a legal tree");
    let resolved = config.resolve().expect("all is given");
    assert_eq!(resolved.value().get("home"), Some(&Value::from("/given")));
    assert_eq!(resolved.value().get("year"), Some(&Value::from("2025")));
    assert_eq!(config.hydra_value("run.dir").expect("a clock was given"), Value::from("outputs/2025-11-22/10-30-00"));
}

#[test]
fn the_environment_variables_that_a_config_names_are_known_however_the_name_is_written() {
    let text = "which: B\na: ${oc.env:A}\nb: '${oc.env:${which},none}'\nd: ${oc.decode:'${oc.env:D,1}'}\n";
    let env = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("OTHER".to_owned(), "2".to_owned())]);
    let composer = composer(&[("train.yaml", text)]).env(env);
    let config = composer.compose("train", &[""; 0]).expect("a legal tree");
    let names: Vec<String> = config.environment_names().expect("A is set").into_iter().collect();
    assert_eq!(names, ["A", "B", "D"]);
    let copied = composer.compose("train", &["hydra.job.env_copy=[OTHER]", "a=1"]).expect("a legal tree");
    assert!(copied.environment_names().expect("A is not needed").contains("OTHER"));
    // Each config for itself: another one that the same composer made named OTHER.
    assert!(!config.environment_names().expect("A is set").contains("OTHER"));
}

#[test]
fn the_hydra_node_is_written_as_hydra_writes_it() {
    let mut config = compose(TREE, &["hydra.run.dir=out", "seed=3"]).expect("a legal tree");
    assert!(config.hydra_to_yaml().starts_with("hydra:\n  run:\n    dir: out\n  sweep:\n"));
    assert_eq!(config.overrides(), ["seed=3"]);
    assert_eq!(config.hydra_overrides(), ["hydra.run.dir=out"]);
    assert_eq!(config.hydra().get("runtime.output_dir"), Some(&Value::from(MISSING)));
    config.set_hydra("runtime.output_dir", &Value::from("/runs/out")).expect("Hydra has this key");
    assert_eq!(config.hydra_value("runtime.output_dir").expect("just set"), Value::from("/runs/out"));
    assert_eq!(config.set_hydra("runtime.nope", &Value::Null).expect_err("no such key").kind(), ErrorKind::HydraSchema);
}

#[test]
fn zipped_sweeps_take_their_values_from_files_and_overrides_alike() {
    let mut files = TREE.to_vec();
    let text = format!("{}hydra:\n  sweeper:\n    params:\n      seed: 1,2\n", files[0].1);
    files[0].1 = &text;
    let zip = |keys: &[&str]| vec![keys.iter().map(|key| (*key).to_owned()).collect()];
    let zipped = composer(&files).zip(zip(&["seed", "trainer.lr"]));
    let sweep = zipped.sweep("train", &["trainer.lr=0.1,0.2", "trainer=base,fast"]).expect("a legal sweep");
    let jobs: Vec<String> = sweep.jobs().iter().map(|job| job.join(" ")).collect();
    let expected = [
        "seed=1 trainer.lr=0.1 trainer=base",
        "seed=1 trainer.lr=0.1 trainer=fast",
        "seed=2 trainer.lr=0.2 trainer=base",
        "seed=2 trainer.lr=0.2 trainer=fast",
    ];
    assert_eq!(jobs, expected);
    let last = zipped.compose_job(&sweep, &sweep.jobs()[3]).expect("a legal job");
    assert_eq!(last.value().get("trainer.lr"), Some(&Value::Float(0.2)));
    let error = zipped.sweep("train", &["trainer.lr=0.1,0.2,0.3"]).expect_err("counts differ");
    assert_eq!(error.kind(), ErrorKind::SweepZip);
    assert!(error.message().ends_with("got seed: 2, trainer.lr: 3"), "{error}");
}

#[test]
fn a_sweep_lists_its_jobs_and_composes_each() {
    let composer = composer(TREE);
    let sweep = composer.sweep("train", &["trainer=glob(*)", "seed=1,2"]).expect("a legal sweep");
    assert_eq!(sweep.jobs().len(), 4);
    let last = composer.compose_job(&sweep, &sweep.jobs()[3]).expect("a legal job");
    let resolved = last.resolve().expect("it resolves");
    assert_eq!(resolved.value().get("name"), Some(&Value::from("fast-2")));
    assert_eq!(error_of(TREE, &["seed=1,2"]).kind(), ErrorKind::SweepWithoutMultirun);
}

#[test]
fn decoding_a_lone_interpolation_gives_the_node_that_it_names() {
    let tree = [("train.yaml", "a: 1\nm: {x: '${a}'}\ne: ${oc.decode:'${oc.env:REF}'}\n")];
    let env = BTreeMap::from([("REF".to_owned(), "${m}".to_owned())]);
    let config = composer(&tree).env(env).compose("train", &[""; 0]).expect("a legal tree");
    let resolved = config.resolve().expect("resolvable");
    let x = resolved.value().get("e").and_then(|node| node.get("x"));
    assert_eq!(x, Some(&Value::Int(1)));
}

#[test]
fn missing_elements_of_an_interpolation_are_empty_texts_with_a_warning() {
    let tree = [("train.yaml", "a: ${oc.decode:'[x, ]'}\n")];
    let resolved = compose(&tree, &[]).expect("a legal tree").resolve().expect("resolvable");
    assert_eq!(resolved.to_yaml(), "a:\n- x\n- ''\n");
    assert!(resolved.warnings()[0].starts_with("In the sequence `x, ` some elements are missing"));
}

#[test]
fn a_map_differs_from_a_scalar_whatever_its_interpolations_come_to() {
    let tree = [("train.yaml", "a: {b: '${a.c}', c: '${a.b}'}\n")];
    assert_eq!(error_of(&tree, &["~a=1"]).kind(), ErrorKind::DeleteValueMismatch);
    assert_eq!(error_of(&[("train.yaml", "l: [1]\n")], &["+l.x=2"]).kind(), ErrorKind::MergeOther);
}

#[test]
fn malformed_yaml_is_graver_than_a_value_that_a_config_cannot_hold() {
    let late = [("train.yaml", "a: !!timestamp 2020-01-01\nb: !nope 1\n")];
    assert_eq!(error_of(&late, &[]).kind(), ErrorKind::Yaml);
    let alone = [("train.yaml", "a: !!timestamp 2020-01-01\nb: 1\n")];
    assert_eq!(error_of(&alone, &[]).kind(), ErrorKind::UnsupportedValue);
}

#[test]
fn a_list_of_options_with_a_number_fails_only_where_it_is_used() {
    assert_eq!(error_of(TREE, &["trainer=[base,1]"]).kind(), ErrorKind::Unsupported);
    assert!(compose(TREE, &["trainer=[base,1]", "trainer=base"]).is_ok());
    let elsewhere = error_of(TREE, &["trainer@else=[base,1]"]);
    assert_eq!(elsewhere.kind(), ErrorKind::DefaultsOverrideNoMatch);
}

#[test]
fn what_has_the_wrong_shape_is_refused_by_the_kind_that_hydras_suite_names() {
    for (text, kind) in [
        ("defaults: ['???']\n", ErrorKind::DefaultsShape),
        ("defaults: [[a]]\n", ErrorKind::DefaultsShape),
        ("- 1\n", ErrorKind::PrimaryNotMapping),
        ("hydra: {run: 5}\n", ErrorKind::HydraSchema),
        ("hydra: {nope: 5}\n", ErrorKind::HydraSchema),
        ("hydra: {job: {num: x}}\n", ErrorKind::HydraSchema),
        ("hydra: {searchpath: {a: 1}}\n", ErrorKind::Searchpath),
        ("hydra: {job: {env_copy: {a: 1}}}\n", ErrorKind::HydraSchema),
    ] {
        assert_eq!(error_of(&[("train.yaml", text)], &[]).kind(), kind, "{text}");
    }
}

#[test]
fn self_is_no_option_of_a_group() {
    let tree = [("train.yaml", "defaults:\n  - trainer: _self_\n"), ("trainer/base.yaml", "lr: 1\n")];
    assert_eq!(error_of(&tree, &[]).kind(), ErrorKind::Unsupported);
}

#[test]
fn maps_of_texts_in_hydras_node_take_text_keys_and_whatever_containers_a_merge_brings() {
    let tree = |job: &'static str| [("train.yaml", job)];
    let params = tree("hydra: {sweeper: {params: {a: [1, 2]}}}\na: 0\n");
    let sweep = composer(&params).sweep("train", &[""; 0]).expect("a legal sweep");
    assert_eq!(sweep.jobs(), [["a=[1,2]"]]);
    let error = |tree: &[(&str, &str)], overrides: &[&str]| error_of(tree, overrides).kind();
    assert_eq!(error(&params, &["+hydra.sweeper.params.b=[1]"]), ErrorKind::HydraSchema);
    assert_eq!(error(&tree("hydra: {job: {env_set: {1: x}}}\n"), &[]), ErrorKind::HydraSchema);
    assert_eq!(error(&tree("hydra: {sweeper: {params: [x]}}\n"), &[]), ErrorKind::HydraSchema);
    assert_eq!(error(&tree("a: 1\n"), &["+hydra.sweeper.params.a=1"]), ErrorKind::Unsupported);
    let missing = tree("hydra: {sweeper: {params: {a: '???'}}}\na: 0\n");
    let refused = composer(&missing).sweep("train", &[""; 0]).expect_err("a mandatory value is missing");
    assert_eq!(refused.kind(), ErrorKind::InterpMissingValue);
}

#[test]
fn overrides_that_a_config_lists_stay_before_those_that_were_typed() {
    let tree = [("train.yaml", "a: 1\nhydra: {overrides: {task: [x]}}\n")];
    assert_eq!(compose(&tree, &["a=${b}", "+b=2"]).expect("legal").overrides(), ["x", "a=${b}", "+b=2"]);
}

#[test]
fn extend_list_appends_to_the_list_that_is_there() {
    let tree = [("train.yaml", "l: [1, {a: 2}]\nr: ${l}\ns: x\nn: null\n")];
    let yaml = |overrides: &[&str]| compose(&tree, overrides).expect("a legal override").to_yaml();
    assert_eq!(
        yaml(&["l=extend_list(3,'4',[5],a b)"]),
        "l:\n- 1\n- a: 2\n- 3\n- '4'\n- - 5\n- a b\nr: ${l}\ns: x\n'n': null\n"
    );
    assert_eq!(yaml(&["l=extend_list()"]), yaml(&[]));
    assert_eq!(yaml(&["l=[]", "l=extend_list(1)", "l=extend_list(2)"]), yaml(&["l=[1,2]"]));
    // A list that an interpolation names stays as it is.
    assert_eq!(yaml(&["r=extend_list(3)"]), "l:\n- 1\n- a: 2\nr:\n- 1\n- a: 2\n- 3\ns: x\n'n': null\n");
    let config = compose(&tree, &["l=extend_list(3)"]).expect("a legal override");
    let origin = |path: &str| config.origin(path).expect("the item exists").origin.to_string();
    assert_eq!(origin("l[0]"), "train.yaml:1:5");
    assert_eq!(config.origin("l[2]").expect("the item exists").origin, Origin::Override("l=extend_list(3)".to_owned()));
}

#[test]
fn extend_list_needs_a_list_and_no_prefix() {
    let tree = [("train.yaml", "l: [1]\ns: x\n")];
    let refused = error_of(&tree, &["s=extend_list(1)"]);
    assert_eq!(refused.kind(), ErrorKind::MergeOther);
    assert_eq!(refused.location().map(|place| place.line), Some(2));
    assert_eq!(error_of(&tree, &["new=extend_list(1)"]).hint().as_deref(), Some("+new=[…]"));
    for text in ["+l=extend_list(1)", "~l=extend_list(1)", "l=extend_list(choice(1,2))", "l=sort(extend_list(1))"] {
        assert_eq!(error_of(&tree, &[text]).kind(), ErrorKind::FunctionEval, "{text}");
    }
    assert_eq!(error_of(&tree, &["l=[extend_list(1)]"]).kind(), ErrorKind::UnsupportedValue);
}

#[test]
fn a_sweep_goes_over_extensions_of_a_list() {
    let tree = [("train.yaml", "l: [1]\n")];
    let composer = composer(&tree);
    let sweep = composer.sweep("train", &["l=extend_list(),extend_list('2',a b)"]).expect("a legal sweep");
    assert_eq!(sweep.jobs(), [["l=extend_list()"], ["l=extend_list('2',a\\ b)"]]);
    let last = composer.compose_job(&sweep, &sweep.jobs()[1]).expect("a legal job");
    assert_eq!(last.to_yaml(), "l:\n- 1\n- '2'\n- a b\n");
}

#[test]
fn a_search_path_entry_that_is_not_there_is_a_warning_and_an_unknown_scheme_an_error() {
    let tree = |entry: &'static str| [("train.yaml", entry)];
    let config = compose(&tree("hydra: {searchpath: ['file://no/such/directory']}\n"), &[]).expect("a legal tree");
    assert_eq!(config.warnings(), ["provider=hydra.searchpath in main, path=no/such/directory is not available."]);
    assert_eq!(error_of(&tree("hydra: {searchpath: ['ftp://a']}\n"), &[]).kind(), ErrorKind::Searchpath);
}

#[test]
fn two_types_share_the_top_of_a_config_and_an_unknown_key_is_told_of_both() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Name {
        name: String,
    }
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rate {
        rate: f64,
    }
    let parts = |text: &str| {
        let files = [("train.yaml".to_owned(), text.to_owned())].into();
        let composer = Composer::new(SearchPath::new().memory("main", files));
        composer.compose::<&str>("train", &[]).expect("composes").extract_parts::<Name, Rate>(&["name"])
    };
    let (Name { name }, Rate { rate }) = parts("name: x\nrate: 0.5\n").expect("both are there");
    assert_eq!((name.as_str(), rate), ("x", 0.5));
    let error = parts("nme: x\nname: x\nrate: 0.5\n").expect_err("unknown");
    assert_eq!(error.to_string(), "train.yaml:1:1: nme: unknown key; expected one of name, rate");
    assert_eq!(error.hint().as_deref(), Some("did you mean `name`?"));
    let error = parts("rate: 0.5\n").expect_err("missing");
    assert_eq!(
        (error.kind(), error.to_string().contains("name: a value is required")),
        (ErrorKind::MissingValue, true)
    );
}
