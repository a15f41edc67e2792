//! The conformance suite: whole cases and tables made by Hydra itself.
//!
//! It lies in `tests/data/`, whose README says how it was made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::composed::Config;
use super::dump::to_yaml;
use super::error::ConfigError;
use super::interpolation::{Computed, Resolver, Surroundings};
use super::origin::Trace;
use super::overrides::{self, Action, Element, Quoted, SweepKind, element_text, range};
use super::tree::Tree;
use super::value::{Key, Map, Value};
use super::{Composer, SearchPath, python, yaml};

/// The suite's folder.
fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn lines(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).expect("a readable suite file");
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON value per line")).collect()
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_else(|| panic!("{key} is a text in {json}"))
}

fn texts(json: &Json) -> Vec<String> {
    json.as_array().into_iter().flatten().map(|item| item.as_str().expect("a text").to_owned()).collect()
}

/// A value of the suite, with its marked-up special values.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => number.as_i64().map_or_else(
            || match python::parse_int(&number.to_string()) {
                Some(integer) => integer,
                None => Value::Float(number.as_f64().expect("a float")),
            },
            Value::Int,
        ),
        Json::String(text) => Value::Str(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(map) => {
            if map.len() == 1 {
                if let Some(special) = map.get("$float") {
                    return Value::Float(python::parse_float(special.as_str().expect("a text")).expect("a float"));
                }
                if let Some(special) = map.get("$int") {
                    return python::parse_int(special.as_str().expect("a text")).expect("an integer");
                }
                if let Some(special) = map.get("$bytes") {
                    let hex = special.as_str().expect("a text");
                    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
                    return Value::Bytes((0..hex.len()).step_by(2).map(byte).collect());
                }
                if let Some(Json::Array(pairs)) = map.get("$map") {
                    let pair = |pair: &Json| (Key::from_value(value(&pair[0])).expect("a key"), value(&pair[1]));
                    return Value::Map(pairs.iter().map(pair).collect());
                }
            }
            Value::Map(map.iter().map(|(key, item)| (Key::Str(key.clone()), value(item))).collect::<Map>())
        }
    }
}

/// Collects what differs, so that one run shows everything.
#[derive(Default)]
struct Report {
    passed: usize,
    failed: Vec<String>,
    tags: BTreeMap<String, (usize, usize)>,
}

impl Report {
    fn add(&mut self, id: &str, tags: &[String], differences: &[String]) {
        let passed = differences.is_empty();
        for tag in tags {
            let count = self.tags.entry(tag.clone()).or_default();
            count.0 += usize::from(passed);
            count.1 += 1;
        }
        if passed {
            self.passed += 1;
        } else {
            self.failed.push(format!("{id}: {}", differences.join("; ")));
        }
    }

    fn finish(self, name: &str) {
        for (tag, (passed, all)) in &self.tags {
            println!("{tag}: {passed}/{all}");
        }
        println!("{name}: {} of {} pass", self.passed, self.passed + self.failed.len());
        for line in &self.failed {
            println!("FAILED {line}");
        }
        assert!(self.failed.is_empty(), "{name}: {} of {} fail", self.failed.len(), self.passed + self.failed.len());
    }
}

fn differ(what: &str, got: &Value, expected: &Value) -> Option<String> {
    (got != expected).then(|| format!("{what}: got {}, expected {}", python::repr(got), python::repr(expected)))
}

/// Hydra's own crashes may be any clean error here.
fn wrong_error(error: &ConfigError, expected: &str) -> Option<String> {
    let any_error = matches!(expected, "hydra_internal_crash" | "defaults_cycle");
    (!any_error && error.kind().name() != expected)
        .then(|| format!("expected {expected}, got {}: {error}", error.kind().name()))
}

struct Case {
    composer: Composer,
    config_name: Option<String>,
    overrides: Vec<String>,
    _root: tempfile::TempDir,
}

impl Case {
    fn new(json: &Json) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let conf = root.path().join("conf");
        fs::create_dir(&conf).expect("a new directory");
        for (base, key) in [(conf.as_path(), "files"), (root.path(), "extra_files")] {
            for (path, text) in json[key].as_object().into_iter().flatten() {
                let path = base.join(path);
                fs::create_dir_all(path.parent().expect("a parent")).expect("a new directory");
                fs::write(path, text.as_str().expect("a text")).expect("a new file");
            }
        }
        let env = json["env"].as_object().into_iter().flatten();
        let env = env.map(|(key, value)| (key.clone(), value.as_str().expect("a text").to_owned())).collect();
        let composer = Composer::new(SearchPath::of_directory(&conf)).env(env).cwd(root.path());
        let config_name = json["config_name"].as_str().map(str::to_owned);
        Self { composer, config_name, overrides: texts(&json["overrides"]), _root: root }
    }
}

fn check_composed(config: &Config, expected: &Json) -> Vec<String> {
    let mut differences = Vec::new();
    differences.extend(differ("unresolved", config.value(), &value(&expected["unresolved"])));
    if let Some(yaml) = expected["yaml"].as_str()
        && config.to_yaml() != yaml
    {
        differences.push(format!("yaml: got {:?}, expected {yaml:?}", config.to_yaml()));
    }
    let option = |option: &Option<String>| option.clone().map_or(Value::Null, Value::Str);
    let (of_hydra, of_task): (Vec<_>, Vec<_>) =
        config.choices().iter().partition(|(group, _)| group.starts_with("hydra/"));
    let as_map = |choices: Vec<&(String, Option<String>)>| {
        Value::Map(choices.iter().map(|(group, name)| (Key::Str(group.clone()), option(name))).collect())
    };
    differences.extend(differ("choices", &as_map(of_task), &value(&expected["choices"])));
    for (group, name) in expected["hydra_choices"].as_object().into_iter().flatten() {
        if !of_hydra.iter().any(|(known, chosen)| known == group && option(chosen) == value(name)) {
            differences.push(format!("hydra_choices: {group} is not {name}"));
        }
    }
    if let Some(dirname) = expected["override_dirname"].as_str()
        && config.override_dirname() != dirname
    {
        differences.push(format!("override_dirname: got {:?}, expected {dirname:?}", config.override_dirname()));
    }
    for (key, got) in [("task_overrides", config.overrides()), ("hydra_overrides", config.hydra_overrides())] {
        if expected[key].is_array() && texts(&expected[key]) != got {
            differences.push(format!("{key}: got {got:?}"));
        }
    }
    if expected["missing_keys"].is_array() {
        let (mut got, mut wanted) = (config.missing_keys(), texts(&expected["missing_keys"]));
        got.sort();
        wanted.sort();
        if got != wanted {
            differences.push(format!("missing_keys: got {got:?}, expected {wanted:?}"));
        }
    }
    if let Json::Object(hydra) = &expected["hydra"] {
        differences.extend(contains("hydra", &config.hydra(), &value(&Json::Object(hydra.clone()))));
    }
    differences
}

/// The expected keys of `hydra` are a selection; each must be there with its value.
fn contains(path: &str, got: &Value, expected: &Value) -> Vec<String> {
    match (got, expected) {
        (Value::Map(got), Value::Map(expected)) => {
            let missing = |key: &Key| vec![format!("{path}.{key} is missing")];
            let below = |(key, value): (&Key, &Value)| {
                got.get(key).map_or_else(|| missing(key), |got| contains(&format!("{path}.{key}"), got, value))
            };
            expected.iter().flat_map(below).collect()
        }
        _ => differ(path, got, expected).into_iter().collect(),
    }
}

fn check_resolved(config: &Config, expected: &Json) -> Vec<String> {
    let mut differences = Vec::new();
    let resolved = config.resolve_outside_run();
    match (&resolved, expected["ok"].as_bool() == Some(true)) {
        (Ok(resolved), true) => {
            differences.extend(differ("resolved", resolved.value(), &value(&expected["resolved"])));
            if let Some(yaml) = expected["yaml_resolved"].as_str()
                && resolved.to_yaml() != yaml
            {
                differences.push(format!("yaml_resolved: got {:?}, expected {yaml:?}", resolved.to_yaml()));
            }
            let warnings: Vec<String> = config.warnings().iter().chain(resolved.warnings()).cloned().collect();
            let wanted = texts(&expected["warnings"]);
            // Hydra warns about a deprecated key each time it resolves one.
            if wanted.iter().any(|warning| !warnings.contains(warning)) || (wanted.is_empty() != warnings.is_empty()) {
                differences.push(format!("warnings: got {warnings:?}, expected {wanted:?}"));
            }
        }
        (Err(error), false) => differences.extend(wrong_error(error, text(expected, "error_kind"))),
        (Ok(_), false) => differences.push(format!("resolve: expected {}", expected["error_kind"])),
        (Err(error), true) => differences.push(format!("resolve: {error}")),
    }
    if !expected["resolved_main"].is_null() {
        match config.resolve() {
            Ok(resolved) => {
                differences.extend(differ("resolved_main", resolved.value(), &value(&expected["resolved_main"])));
            }
            Err(error) => differences.push(format!("resolved_main: {error}")),
        }
    }
    if !expected["resolved_main_error"].is_null() && config.missing_keys().is_empty() && config.resolve().is_ok() {
        differences.push("resolved_main: expected an error".to_owned());
    }
    differences
}

fn check_compose(json: &Json) -> Vec<String> {
    let (case, expected) = (Case::new(json), &json["expected"]);
    let composed = case.composer.compose(case.config_name.as_deref(), &case.overrides);
    let fails_early = expected["ok"].as_bool() == Some(false) && expected["stage"].as_str() == Some("compose");
    match composed {
        Err(error) if fails_early => wrong_error(&error, text(expected, "error_kind")).into_iter().collect(),
        Err(error) => vec![format!("compose: {error}")],
        Ok(_) if fails_early => vec![format!("compose: expected {}", expected["error_kind"])],
        Ok(config) => {
            let mut differences = check_composed(&config, expected);
            differences.extend(check_resolved(&config, expected));
            differences
        }
    }
}

fn check_multirun(json: &Json) -> Vec<String> {
    let (case, expected) = (Case::new(json), &json["expected"]);
    let ok = expected["ok"].as_bool() == Some(true);
    let stage = expected["stage"].as_str().unwrap_or("");
    let sweep = match case.composer.sweep(case.config_name.as_deref(), &case.overrides) {
        Err(error) if !ok && stage != "sweep_job" => {
            return wrong_error(&error, text(expected, "error_kind")).into_iter().collect();
        }
        Err(error) => return vec![format!("sweep: {error}")],
        Ok(_) if !ok && stage != "sweep_job" => return vec![format!("sweep: expected {}", expected["error_kind"])],
        Ok(sweep) => sweep,
    };
    let mut differences = Vec::new();
    let mut jobs = sweep.jobs().to_vec();
    let mut wanted: Vec<Vec<String>> = expected["jobs"].as_array().into_iter().flatten().map(texts).collect();
    if json["unordered"].as_bool() == Some(true) || expected["unordered"].as_bool() == Some(true) {
        jobs.sort();
        wanted.sort();
    }
    if ok && jobs != wanted {
        differences.push(format!("jobs: got {jobs:?}, expected {wanted:?}"));
    }
    let configs: Vec<_> = sweep.jobs().iter().map(|job| case.composer.compose_job(&sweep, job)).collect();
    if !ok {
        let error = configs.into_iter().find_map(Result::err);
        let kind = text(expected, "error_kind");
        return error
            .map_or_else(|| vec![format!("expected {kind}")], |error| wrong_error(&error, kind).into_iter().collect());
    }
    for (index, job) in expected["job_configs"].as_array().into_iter().flatten().enumerate() {
        match configs.get(index) {
            Some(Ok(config)) => {
                differences.extend(differ("unresolved", config.value(), &value(&job["unresolved"])));
                match config.resolve_outside_run() {
                    Ok(resolved) => differences.extend(differ("resolved", resolved.value(), &value(&job["resolved"]))),
                    Err(error) => differences.push(format!("resolve: {error}")),
                }
            }
            Some(Err(error)) => differences.push(format!("job {index}: {error}")),
            None => differences.push(format!("job {index} is missing")),
        }
    }
    differences
}

#[test]
fn whole_cases_come_out_as_hydra_composes_them() {
    let suite = suite();
    let mut report = Report::default();
    for json in lines(&suite.join("cases.jsonl")) {
        let differences = if text(&json, "mode") == "multirun" { check_multirun(&json) } else { check_compose(&json) };
        report.add(text(&json, "id"), &texts(&json["tags"]), &differences);
    }
    report.finish("cases");
}

fn check_table(name: &str, check: impl Fn(&Json) -> Vec<String>) {
    let suite = suite();
    let mut report = Report::default();
    for json in lines(&suite.join("tables").join(format!("{name}.jsonl"))) {
        let subject =
            json.get("in").or_else(|| json.get("s")).or_else(|| json.get("bits")).cloned().unwrap_or_default();
        report.add(&subject.to_string(), &[], &check(&json));
    }
    report.finish(name);
}

/// Compares a failure with the row's, or asks for the differences of a success.
fn outcome<T>(json: &Json, got: Result<T, ConfigError>, check: impl FnOnce(T) -> Vec<String>) -> Vec<String> {
    match (got, json["ok"].as_bool() == Some(true)) {
        (Ok(got), true) => check(got),
        (Err(error), false) => match json["error_kind"].as_str() {
            Some(kind) => wrong_error(&error, kind).into_iter().collect(),
            None => Vec::new(),
        },
        (Ok(_), false) => vec![format!("expected {} {}", json["error_kind"], json["error_type"])],
        (Err(error), true) => vec![error.to_string()],
    }
}

#[test]
fn keys_of_overrides_parse_as_in_hydra() {
    check_table("override_keys", |json| {
        outcome(json, overrides::parse(text(json, "in")), |got| {
            let action = match got.action {
                Action::Change => "CHANGE",
                Action::Add => "ADD",
                Action::ForceAdd => "FORCE_ADD",
                Action::Delete => "DEL",
            };
            let got = serde_json::json!({
                "type": action, "key": got.key, "package": got.package, "has_value": got.value.is_some(),
                "is_hydra": got.is_hydra(),
            });
            let keys = ["type", "key", "package", "has_value", "is_hydra"];
            keys.iter().filter(|key| got[**key] != json[**key]).map(|key| format!("{key}: got {}", got[*key])).collect()
        })
    });
}

#[test]
fn values_of_overrides_parse_and_echo_as_in_hydra() {
    check_table("override_values", |json| {
        let parsed = overrides::parse(&format!("k={}", text(json, "in")));
        outcome(json, parsed, |got| check_override_value(json, &got.value.expect("there is a value")))
    });
}

/// A value of the suite as an element: quoted texts are marked up.
fn element(json: &Json) -> Element {
    match json {
        Json::Array(items) => Element::List(items.iter().map(element).collect()),
        Json::Object(map) => match (map.get("$quoted"), map.get("$map")) {
            (Some(quoted), _) => {
                let quote = if json["q"].as_str() == Some("single") { '\'' } else { '"' };
                Element::Quoted(Quoted { text: quoted.as_str().expect("a text").to_owned(), quote })
            }
            (_, Some(Json::Array(pairs))) => {
                Element::Dict(pairs.iter().map(|pair| (value(&pair[0]), element(&pair[1]))).collect())
            }
            _ if map.keys().any(|key| key.starts_with('$')) => Element::Scalar(value(json)),
            _ => Element::Dict(map.iter().map(|(key, item)| (Value::from(key.as_str()), element(item))).collect()),
        },
        scalar => Element::Scalar(value(scalar)),
    }
}

fn check_override_value(json: &Json, got: &Element) -> Vec<String> {
    let mut differences = Vec::new();
    let kind = match got {
        Element::Glob(_) => "GLOB_CHOICE_SWEEP",
        Element::Sweep(sweep) => match &sweep.kind {
            SweepKind::Choice { simple: true, .. } => "SIMPLE_CHOICE_SWEEP",
            SweepKind::Choice { .. } => "CHOICE_SWEEP",
            SweepKind::Range { .. } => "RANGE_SWEEP",
            SweepKind::Interval { .. } => "INTERVAL_SWEEP",
        },
        _ => "ELEMENT",
    };
    if kind != text(json, "value_type") {
        differences.push(format!("value_type: got {kind}"));
    }
    if json.get("value").is_some() {
        let wanted = element(&json["value"]);
        if *got != wanted {
            differences.push(format!("value: got {got:?}, expected {wanted:?}"));
        }
        let echo = element_text(got).unwrap_or_default();
        if echo != text(json, "echo") {
            differences.push(format!("echo: got {echo:?}"));
        }
    }
    let Element::Sweep(sweep) = got else { return differences };
    if json["shuffle"].as_bool() != Some(sweep.shuffle) {
        differences.push(format!("shuffle: got {}", sweep.shuffle));
    }
    let (mut tags, mut wanted) = (sweep.tags.clone(), texts(&json["tags"]));
    tags.sort();
    wanted.sort();
    if tags != wanted {
        differences.push(format!("tags: got {tags:?}"));
    }
    let listed = match &sweep.kind {
        SweepKind::Choice { list, .. } => Ok(list.clone()),
        SweepKind::Range { start, stop, step } => {
            range::numbers(start, stop, step).map(|numbers| numbers.into_iter().map(Element::Scalar).collect())
        }
        SweepKind::Interval { .. } => return differences,
    };
    match listed {
        Ok(list) => {
            let jobs: Vec<String> = list.iter().filter_map(element_text).collect();
            if json.get("jobs").is_some() && jobs != texts(&json["jobs"]) {
                differences.push(format!("jobs: got {jobs:?}"));
            }
            if json.get("jobs_error").is_some() {
                differences.push(format!("jobs: expected {}", json["jobs_error"]));
            }
        }
        Err(error) if json.get("jobs_error").is_none() => differences.push(format!("jobs: {error}")),
        Err(_) => {}
    }
    differences
}

#[test]
fn yaml_scalars_have_the_types_that_omegaconf_gives_them() {
    check_table("yaml_scalars", |json| {
        let is_whole = json["whole_doc"].as_bool() == Some(true);
        let input = text(json, "in");
        let document = if is_whole { input.to_owned() } else { format!("k: {input}\n") };
        let loaded = yaml::load(&document).map(|loaded| loaded.to_value());
        outcome(json, loaded, |loaded| {
            let got = if is_whole { Some(&loaded) } else { loaded.get("k") };
            let mut differences: Vec<String> =
                differ("value", got.unwrap_or(&Value::Null), &value(&json["value"])).into_iter().collect();
            if to_yaml(&loaded) != text(json, "yaml") {
                differences.push(format!("yaml: got {:?}", to_yaml(&loaded)));
            }
            differences
        })
    });
}

#[test]
fn strings_are_dumped_as_omegaconf_dumps_them() {
    check_table("yaml_strings", |json| {
        let string = Value::from(text(json, "s"));
        let deep = Value::Map(Map::from([(Key::from("deep"), string.clone())]));
        let tree = Value::Map(Map::from([
            (Key::from("k"), string.clone()),
            (Key::from("l"), Value::List(vec![string])),
            (Key::from("m"), Value::Map(Map::from([(Key::from("n"), deep)]))),
        ]));
        let got = to_yaml(&tree);
        if got == text(json, "yaml") { Vec::new() } else { vec![format!("got {got:?}, expected {}", json["yaml"])] }
    });
}

#[test]
fn floats_are_written_as_python_writes_them() {
    check_table("floats", |json| {
        let bits = u64::from_str_radix(text(json, "bits"), 16).expect("hexadecimal digits");
        let number = Value::Float(f64::from_bits(bits));
        let dumped = to_yaml(&Value::Map(Map::from([(Key::from("k"), number.clone())])));
        let got = [("repr", python::repr(&number)), ("str", python::str(&number)), ("yaml", dumped)];
        got.iter().filter(|(key, got)| got != text(json, key)).map(|(key, got)| format!("{key}: got {got:?}")).collect()
    });
}

#[test]
fn interpolations_resolve_as_in_omegaconf() {
    let suite = suite();
    let base = fs::read_to_string(suite.join("tables/interp_base.json")).expect("a readable suite file");
    let base = value(&serde_json::from_str(&base).expect("JSON"));
    check_table("interp_strings", |json| {
        let mut env = BTreeMap::from([("OX_SET".to_owned(), "envval".to_owned())]);
        if let Some(raw) = json["env_OX_RAW"].as_str() {
            env.insert("OX_RAW".to_owned(), raw.to_owned());
        }
        let mut config = base.clone();
        let Value::Map(map) = &mut config else { unreachable!("the base is a map") };
        let input = json["expr"].as_str().unwrap_or_else(|| text(json, "in"));
        map.insert(Key::from("key_under_test"), Value::from(input));
        let resolved = super::interpolation::check(input).and_then(|()| {
            let mut tree = Tree::default();
            let root = tree.import_value(&config, &Trace::hydra())?;
            let node = tree.child(root, "key_under_test").expect("just inserted");
            let env = super::env::Variables::new(env.clone());
            let surroundings = Surroundings { env: Some(&env), ..Surroundings::default() };
            let mut resolver = Resolver::new(&mut tree, &surroundings);
            match resolver.deref(node)? {
                Computed::Value(value) => Ok(value),
                Computed::Node(id) => resolver.resolved(id),
            }
        });
        outcome(json, resolved, |got| differ("resolved", &got, &value(&json["resolved"])).into_iter().collect())
    });
}

/// The application whose command-line output the suite shows.
fn cli_app(root: &Path) -> Composer {
    let files = [
        (
            "config.yaml",
            "defaults:\n  - trainer: default\n  - model: base\n  - _self_\nseed: 1\nrun_name: ${trainer.name}-${seed}\n",
        ),
        ("trainer/default.yaml", "name: default\nmax_epochs: 10\nlr: 0.001\n"),
        ("trainer/kaggle_safe.yaml", "name: kaggle_safe\nmax_epochs: 5\nlr: 0.0001\n"),
        ("model/base.yaml", "name: base\nlayers: 4\n"),
    ];
    let conf = root.join("conf");
    for (path, text) in files {
        let path = conf.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a new directory");
        fs::write(path, text).expect("a new file");
    }
    Composer::new(SearchPath::of_directory(conf)).cwd(root)
}

#[test]
fn a_run_writes_its_hydra_folder_as_hydra_does() {
    let suite = suite();
    let outputs = fs::read_to_string(suite.join("cli/run_outputs.txt")).expect("a readable suite file");
    let section = |name: &str| {
        let rest = outputs.split(&format!("### .hydra/{name}.yaml\n")).nth(1).expect("the section is there");
        rest.split("### ").next().expect("a first part").split("out:\ntotal").next().expect("a first part").to_owned()
    };
    let root = tempfile::tempdir().expect("a temporary directory");
    let overrides = ["hydra.run.dir=out", "trainer=kaggle_safe", "+tag=a b", "hydra.mode=RUN"];
    let mut config = cli_app(root.path()).compose("config", &overrides).expect("a legal tree");
    let shown = root.path().display().to_string();
    config.set_hydra("runtime.output_dir", &Value::Str(format!("{shown}/out"))).expect("Hydra has this key");
    assert_eq!(config.to_yaml(), section("config"));
    assert_eq!(config.hydra_to_yaml().replace(&shown, "<ROOT>"), section("hydra"));
    let lines = Value::List(config.overrides().iter().cloned().map(Value::Str).collect());
    assert_eq!(to_yaml(&lines).trim_end(), section("overrides").trim_end());
}

#[test]
fn the_defaults_list_and_tree_are_those_that_hydra_shows() {
    let suite = suite();
    let root = tempfile::tempdir().expect("a temporary directory");
    let config = cli_app(root.path()).compose("config", &[""; 0]).expect("a legal tree");
    let table = fs::read_to_string(suite.join("cli/info_defaults.txt")).expect("a readable suite file");
    let rows: Vec<Vec<String>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.contains("Config path"))
        .map(|line| {
            line.trim_matches(|ch| ch == '|' || ch == ' ').split('|').map(|cell| cell.trim().to_owned()).collect()
        })
        .collect();
    let got: Vec<Vec<String>> = config
        .defaults_list()
        .iter()
        .map(|entry| {
            let is_self = if entry.is_self { "True" } else { "False" };
            let parent = entry.parent.clone().unwrap_or_default();
            vec![entry.config_path.clone(), entry.package.clone(), is_self.to_owned(), parent]
        })
        .collect();
    assert_eq!(got, rows);
    let tree = fs::read_to_string(suite.join("cli/info_defaults_tree.txt")).expect("a readable suite file");
    let expected: Vec<&str> =
        tree.lines().skip_while(|line| *line != "<root>:").take_while(|line| !line.starts_with('[')).collect();
    let mut lines = Vec::new();
    show_tree(config.defaults_tree(), 0, &mut lines);
    assert_eq!(lines, expected);
}

fn show_tree(node: &super::DefaultsTreeNode, depth: usize, lines: &mut Vec<String>) {
    let colon = if node.children.is_empty() { "" } else { ":" };
    lines.push(format!("{}{}{colon}", "  ".repeat(depth), node.label));
    node.children.iter().for_each(|child| show_tree(child, depth + 1, lines));
}
