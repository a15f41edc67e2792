//! What a person reads after a typical mistake, in the program's own words: `Error:` and `Hint:`.
//!
//! One snapshot holds all texts, so that they can be read, and changed, together:
//! `INSTA_UPDATE=always cargo test --lib error_texts` writes it anew.

use std::fmt::Write;

use serde::Deserialize;

use super::{Composer, ConfigError, SearchPath};

/// A mistake: the files that differ from the tree, and the overrides.
struct Mistake {
    title: &'static str,
    files: &'static [(&'static str, &'static str)],
    overrides: &'static [&'static str],
    stage: Stage,
}

/// How far a program gets.
#[derive(Clone, Copy)]
enum Stage {
    Compose,
    Extract,
    Sweep,
}

const TREE: &[(&str, &str)] = &[
    ("train.yaml", "defaults:\n  - db: mysql\n  - trainer: fast\n  - _self_\nseed: 1\nname: run-${seed}\n"),
    ("db/mysql.yaml", "host: localhost\nport: 3306\n"),
    ("db/postgresql.yaml", "host: localhost\nport: 5432\n"),
    ("trainer/fast.yaml", "max_epochs: 3\nprecision: single\nbetas: [0.9, 0.999]\n"),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only what is refused matters")]
struct Train {
    db: Db,
    trainer: Trainer,
    seed: u32,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only what is refused matters")]
struct Db {
    host: String,
    port: u16,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only what is refused matters")]
struct Trainer {
    max_epochs: u32,
    precision: Precision,
    betas: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Precision {
    Single,
    Double,
}

const fn on_command_line(title: &'static str, overrides: &'static [&'static str]) -> Mistake {
    Mistake { title, files: &[], overrides, stage: Stage::Extract }
}

const fn in_files(title: &'static str, files: &'static [(&'static str, &'static str)]) -> Mistake {
    Mistake { title, files, overrides: &[], stage: Stage::Extract }
}

const MISTAKES: &[Mistake] = &[
    // The command line.
    on_command_line("a mistyped key", &["trainer.max_epoch=30"]),
    on_command_line("a key without its group", &["max_epochs=30"]),
    on_command_line("a new key without +", &["wandb=true"]),
    on_command_line("a mistyped option", &["db=mysqll"]),
    on_command_line("a mistyped group", &["dbb=mysql"]),
    on_command_line("an option that is no text", &["db=5"]),
    on_command_line("a group set to null", &["db=null"]),
    on_command_line("+ on a group that is there", &["+db=postgresql"]),
    on_command_line("++ on a group", &["++db=postgresql"]),
    on_command_line("a package on what is no group", &["dbb@backup=mysql"]),
    on_command_line("+ on a key that is there", &["+seed=3"]),
    on_command_line("~ on a key that is not there", &["~sed"]),
    on_command_line("~ with another value", &["~seed=2"]),
    on_command_line("an item beyond the end of a list", &["trainer.betas.2=0.5"]),
    on_command_line("a list item in brackets", &["trainer.betas[0]=0.5"]),
    on_command_line("no value", &["seed"]),
    on_command_line("dashes as of a flag", &["--seed=3"]),
    on_command_line("spaces around =", &["seed = 3"]),
    on_command_line("a second =", &["name=a=b"]),
    on_command_line("a character that needs quotes", &["name=it's"]),
    on_command_line("a bracket that is not closed", &["trainer.betas=[0.9,0.99"]),
    on_command_line("an unknown function", &["seed=rnage(3)"]),
    on_command_line("a function with wrong arguments", &["seed=int(many)"]),
    on_command_line("a mistyped argument of a function", &["seed=range(1,strat=0)"]),
    on_command_line("a sweep outside a multirun", &["seed=1,2"]),
    on_command_line("a map for a list", &["trainer.betas={a: 1}"]),
    on_command_line("an interpolation to a mistyped key", &["name=${sed}"]),
    Mistake {
        title: "a sweep over too many values",
        files: &[],
        overrides: &["seed=range(1000000)"],
        stage: Stage::Sweep,
    },
    Mistake { title: "an interval", files: &[], overrides: &["seed=interval(0,1)"], stage: Stage::Sweep },
    // Defaults lists.
    in_files("a mistyped option in a defaults list", &[("train.yaml", "defaults:\n  - db: mysqll\n")]),
    in_files("a mistyped group in a defaults list", &[("train.yaml", "defaults:\n  - dbb: mysql\n")]),
    in_files("a mistyped _self_", &[("train.yaml", "defaults:\n  - db: mysql\n  - _self\n")]),
    in_files("a group without a choice", &[("train.yaml", "defaults:\n  - db: ???\n")]),
    in_files("an option that YAML reads as a number", &[("train.yaml", "defaults:\n  - db: 5\n")]),
    in_files("two groups in one entry", &[("train.yaml", "defaults:\n  - db: mysql\n    trainer: fast\n")]),
    in_files("a map as a defaults list", &[("train.yaml", "defaults:\n  db: mysql\n")]),
    in_files("a file that ends in .yml", &[("train.yaml", "defaults:\n  - db: sqlite\n"), ("db/sqlite.yml", "")]),
    in_files("one group twice", &[("train.yaml", "defaults:\n  - db: mysql\n  - db: postgresql\n")]),
    in_files("a mistyped override", &[("train.yaml", "defaults:\n  - db: mysql\n  - overide db: postgresql\n")]),
    in_files("an override of a group that is not listed", &[("train.yaml", "defaults:\n  - override dbb: mysql\n")]),
    in_files(
        "an override before a plain entry",
        &[("train.yaml", "defaults:\n  - db: mysql\n  - override db: postgresql\n  - trainer: fast\n")],
    ),
    Mistake {
        title: "a relative group in a folder",
        files: &[("experiment/e.yaml", "# @package _global_\ndefaults:\n  - db: mysql\n")],
        overrides: &["+experiment=e"],
        stage: Stage::Compose,
    },
    Mistake {
        title: "a relative override in a folder",
        files: &[("experiment/e.yaml", "# @package _global_\ndefaults:\n  - override db: postgresql\n")],
        overrides: &["+experiment=e"],
        stage: Stage::Compose,
    },
    Mistake {
        title: "an experiment without its package",
        files: &[("experiment/e.yaml", "defaults:\n  - override /db: postgresql\n")],
        overrides: &["+experiment=e"],
        stage: Stage::Compose,
    },
    in_files(
        "defaults lists in a circle",
        &[("db/mysql.yaml", "defaults:\n  - inner\n"), ("db/inner.yaml", "defaults:\n  - mysql\n")],
    ),
    in_files("_self_ with a package", &[("train.yaml", "defaults:\n  - _self_@main\n")]),
    in_files("_self_ twice", &[("train.yaml", "defaults:\n  - _self_\n  - db: mysql\n  - _self_\n")]),
    in_files("a malformed header", &[("db/mysql.yaml", "# @package db main\nhost: x\n")]),
    Mistake {
        title: "a profile that repeats its group",
        files: &[("trainer/kaggle_safe.yaml", "trainer:\n  max_epochs: 10\n")],
        overrides: &["trainer=kaggle_safe", "trainer.max_epochs=30"],
        stage: Stage::Compose,
    },
    // YAML.
    in_files("one key three times", &[("train.yaml", "seed: 1\nname: x\nseed: 2\nother: y\nseed: 3\n")]),
    in_files("a tab", &[("train.yaml", "trainer:\n\tseed: 1\n")]),
    in_files("no space after a colon", &[("train.yaml", "seed: 1\nname:x\n")]),
    in_files("a text with a colon", &[("train.yaml", "name: first: second\n")]),
    in_files("a text that starts with %", &[("train.yaml", "name: %d\n")]),
    in_files("an alias of no anchor", &[("train.yaml", "a: &base {x: 1}\nb: *bsae\n")]),
    in_files("a bracket that is not closed in a file", &[("train.yaml", "betas: [0.9, 0.99\nname: x\n")]),
    in_files("a key that is null", &[("train.yaml", "~: 1\n")]),
    in_files("a list at the top", &[("train.yaml", "- a\n- b\n")]),
    in_files("a number at the top", &[("train.yaml", "12\n")]),
    in_files(
        "a list where another file has a map",
        &[("train.yaml", "defaults:\n  - db: mysql\n  - _self_\ndb: [a]\n")],
    ),
    // Interpolations.
    in_files("an interpolation to a mistyped key in a file", &[("db/mysql.yaml", "port: 1\nhost: ${db.prot}\n")]),
    in_files("an interpolation without the dot", &[("db/mysql.yaml", "port: 1\nhost: ${port}\n")]),
    in_files("an interpolation with a default", &[("train.yaml", "local: {}\ndevices: ${local.devices, \"auto\"}\n")]),
    in_files("a default without a space", &[("train.yaml", "local: {}\ndevices: ${local.devices,auto}\n")]),
    in_files("an interpolation that is not closed", &[("train.yaml", "a: 1\nname: run-${a\n")]),
    in_files("interpolations in a circle", &[("train.yaml", "a: ${b}\nb: ${c}\nc: ${a}\n")]),
    in_files("a resolver of an older time", &[("train.yaml", "home: ${env:HOME}\n")]),
    in_files("a variable that is not set", &[("train.yaml", "home: ${oc.env:HOME}\n")]),
    in_files("an interpolation to the map it stands in", &[("db/mysql.yaml", "port: 1\nhost: ${db}\n")]),
    in_files("an interpolation through a value", &[("train.yaml", "a: 1\nb: ${a.c}\n")]),
    in_files("an interpolation to a missing value", &[("train.yaml", "a: ???\nb: ${a}\n")]),
    // The program's types.
    on_command_line("a value of another type", &["trainer.max_epochs=many"]),
    in_files("a value of another type in a file", &[("db/mysql.yaml", "host: x\nport: -1\n")]),
    on_command_line("a name that is none of those known", &["trainer.precision=duoble"]),
    in_files("a key that the program does not know", &[("db/mysql.yaml", "host: x\nport: 1\nhots: y\n")]),
    in_files("a key that the program needs", &[("db/mysql.yaml", "host: x\n")]),
    in_files("a value that nobody set", &[("db/mysql.yaml", "host: ???\nport: 1\n")]),
];

fn error_of(mistake: &Mistake) -> ConfigError {
    let texts = TREE.iter().chain(mistake.files);
    let files = texts.map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let composer = Composer::new(SearchPath::new().memory("main", files));
    let result = match mistake.stage {
        Stage::Compose => composer.compose("train", mistake.overrides).map(|_| ()),
        Stage::Extract => {
            composer.compose("train", mistake.overrides).and_then(|config| config.extract::<Train>()).map(|_| ())
        }
        Stage::Sweep => composer.sweep("train", mistake.overrides).map(|_| ()),
    };
    result.expect_err(mistake.title)
}

#[test]
fn typical_mistakes_are_explained() {
    let mut texts = String::new();
    for mistake in MISTAKES {
        let error = error_of(mistake);
        writeln!(texts, "# {}", mistake.title).expect("a text grows");
        if !mistake.overrides.is_empty() {
            writeln!(texts, "$ {}", mistake.overrides.join(" ")).expect("a text grows");
        }
        writeln!(texts, "Error: {error}").expect("a text grows");
        match error.hint() {
            Some(hint) => writeln!(texts, "Hint: {hint}\n").expect("a text grows"),
            None => writeln!(texts, "NO HINT\n").expect("a text grows"),
        }
    }
    assert!(!texts.contains("NO HINT"), "every mistake has a remedy:\n{texts}");
    insta::assert_snapshot!(texts);
}
