//! Configs and programs that are not those of the recorded commit, and configs made to break who composes them.

use jiff::tz::Offset;
use spectramind::config::VersionBase;
use spectramind::manifest::predicate::ConfigRecord;
use spectramind::manifest::timestamp::UtcOffset;
use spectramind::provenance::path::RelativePath;

use super::{assert_fails, assert_not_checked};
use crate::forgery::{forge, put_digest, put_origin, statement};
use crate::sandbox::{Sandbox, trained_copy};

#[test]
fn a10_a_program_that_the_recorded_commit_does_not_hold_is_not_its_program() {
    let sandbox = trained_copy();
    let outcome = sandbox.verify(&["audit", "run", "--replay"]);
    assert_not_checked(&outcome, "the recorded commit is not the one that the program was built from");
    assert!(!outcome.stdout.contains("from the recorded sources"), "{}", outcome.stdout);
    // Said to be installed, it has to be the program that this verifier was built with.
    forge(&sandbox, |statement| {
        let built = statement.predicate.environment.built_from.as_mut().expect("built in a repository");
        built.commit = "4".repeat(40).parse().expect("an id");
        put_origin(&sandbox, statement);
    });
    assert_not_checked(&sandbox.audit(&["--replay"]), "this verifier is not the program that trained");
    forge(&sandbox, |statement| {
        statement.predicate.environment.built_from = None;
        put_origin(&sandbox, statement);
    });
    assert_not_checked(&sandbox.audit(&["--replay"]), "does not say what it was built from");
}

/// A sandbox that trained by a config file that its commit does not hold.
fn trained_by_an_ignored_config() -> Sandbox {
    let sandbox = Sandbox::with_data();
    std::fs::write(sandbox.path(".git/info/exclude"), "configs/trainer/secret.yaml\n").expect("write");
    let text = std::fs::read_to_string(sandbox.path("configs/trainer/ci_fast.yaml")).expect("read");
    std::fs::write(sandbox.path("configs/trainer/secret.yaml"), text.replace("seed: 123", "seed: 666")).expect("write");
    sandbox.done(&["train", "trainer=secret", "run.dir=run"]);
    sandbox
}

#[test]
fn a10b_a_config_that_the_commit_does_not_hold_is_found_whatever_the_record_says() {
    let sandbox = trained_by_an_ignored_config();
    std::fs::write(sandbox.path("policy.yaml"), "git: {required: true, clean: true}\n").expect("write");
    // Told of in the record, it is no lie; but a policy that asks for a clean commit does not get one.
    let outcome = sandbox.audit(&["--replay"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("configs/trainer/secret.yaml"), "{}", outcome.stdout);
    assert_fails(&sandbox.audit(&["--policy", "policy.yaml"]), "git.clean");
    forge(&sandbox, |statement| {
        statement.predicate.git.as_mut().expect("a repository").read_ignored.clear();
        put_origin(&sandbox, statement);
    });
    assert_fails(&sandbox.audit(&["--replay"]), "configs/trainer/secret.yaml");
}

#[test]
fn a10b_configs_brought_in_from_outside_the_repository_are_found() {
    let sandbox = Sandbox::with_data();
    let outside = tempfile::tempdir().expect("temp dir");
    std::fs::create_dir(outside.path().join("setup")).expect("create");
    std::fs::write(outside.path().join("setup/mine.yaml"), "# @package _global_\nexperiment: mine\n").expect("write");
    let searchpath = format!("hydra.searchpath=[file://{}]", outside.path().display());
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "+setup=mine", &searchpath]);
    assert_fails(&sandbox.audit(&[]), "mine.yaml");
    assert_eq!(sandbox.audit(&["--configs-elsewhere"]).code, 0);
}

#[test]
fn a10b_the_files_that_the_record_names_are_those_that_are_composed_all_of_them() {
    let named = |change: fn(&mut Vec<spectramind::manifest::predicate::ConfigSource>), why: &str| {
        let sandbox = trained_copy();
        forge(&sandbox, |statement| {
            change(&mut statement.predicate.config.sources);
            put_origin(&sandbox, statement);
        });
        assert_fails(&sandbox.audit(&[]), why);
    };
    named(Vec::clear, "is composed, and the record does not name it");
    named(|sources| drop(sources.pop()), "is composed, and the record does not name it");
    named(
        |sources| {
            let mut more = sources[0].clone();
            more.path = RelativePath::parse("more.yaml").expect("a path");
            sources.push(more);
        },
        "takes no part in the composed config",
    );
}

/// What the record says of how its config was composed, beside the files: each lie changes what is composed, or nothing.
#[test]
fn lies_about_how_the_config_was_composed_are_found_or_change_nothing() {
    let sandbox = Sandbox::with_data();
    std::fs::write(sandbox.path("configs/resolvers.yaml"), "twice: \"lambda x: 2 * x\"\n").expect("write");
    std::fs::write(sandbox.path("configs/other.yaml"), "twice: \"lambda x: x + x\"\n").expect("write");
    sandbox.git(&["add", "configs"]);
    sandbox.git(&["commit", "--quiet", "--message=resolvers"]);
    let words = ["train", "trainer=ci_fast", "run.dir=run", "trainer.seed=${twice:21}", "experiment='at-${now:%H}'"];
    sandbox.done(&[&words[..], &["--resolvers", "configs/resolvers.yaml"]].concat());
    assert_eq!(sandbox.audit(&[]).code, 0);
    let honest = statement(&sandbox, "run").predicate.config;
    let told = |config: ConfigRecord| {
        forge(&sandbox, |statement| {
            statement.predicate.config = config;
            put_origin(&sandbox, statement);
        });
        sandbox.audit(&[])
    };
    let by = |file: Option<&str>| {
        let resolvers = file.map(|file| RelativePath::parse(file).expect("a path"));
        told(ConfigRecord { resolvers, ..honest.clone() })
    };
    // A file that gives the same values is not the one that the sources name, and none is not it either.
    assert_fails(&by(Some("other.yaml")), "other.yaml");
    assert_fails(&by(None), "resolvers.yaml");
    for file in ["train.yaml", "none.yaml"] {
        assert_not_checked(&by(Some(file)), file);
    }
    let zone = UtcOffset(Offset::from_seconds(3 * 3600).expect("an offset"));
    let other_zone = told(ConfigRecord { utc_offset_seconds: zone, ..honest.clone() });
    assert_fails(&other_zone, "composed config: expected digest");
    // The tree has none of the forms that an older level reads in another way.
    let older = told(ConfigRecord { version_base: VersionBase::V1_1, ..honest.clone() });
    assert_eq!(older.code, 0, "{}{}", older.stdout, older.stderr);
}

#[test]
fn a18b_a_config_of_impossible_sizes_is_a_finding_and_leaves_the_others() {
    for setting in [
        "model.network.hidden=18446744073709551615",
        "model.network.hidden=2000000000",
        "model.network.hidden=40000000",
        "trainer.micro_shards=4000000000",
        "trainer.dataloader={workers: 1, prefetch: 4000000000}",
        "sim.planets=1000000000",
        "data.batch_size=18446744073709551615",
    ] {
        let sandbox = trained_copy();
        // What `train` refuses to begin, a trainer can still sign: the record of the config is composed here.
        let words = ["config", "show", "trainer=ci_fast", "run.dir=run", setting];
        assert_eq!(sandbox.run(&words).code, 0, "the composer minds no sizes");
        forge_config(&sandbox, setting);
        std::fs::write(sandbox.path("run/predictions.csv"), "edited\n").expect("write");
        let outcome = sandbox.audit(&["--replay"]);
        assert_eq!(outcome.code, 1, "{setting}\n{}{}", outcome.stdout, outcome.stderr);
        assert!(outcome.stdout.contains("predictions.csv: expected"), "{setting}\n{}", outcome.stdout);
        assert!(outcome.stdout.contains("replay: FAILED"), "{setting}\n{}", outcome.stdout);
    }
}

/// Claims the config that one override more gives.
fn forge_config(sandbox: &Sandbox, setting: &str) {
    use spectramind::config::{Composer, SearchPath, Value, to_yaml};
    let composer = Composer::new(SearchPath::of_directory(sandbox.path("configs")));
    forge(sandbox, |statement| {
        let claim = &mut statement.predicate;
        claim.config.overrides.push(setting.to_owned());
        let config = claim.config.compose(&composer).expect("composes");
        claim.config.digest = config.digest().expect("a digest").into();
        std::fs::write(sandbox.path("run/.hydra/config.yaml"), config.to_yaml()).expect("write");
        let overrides = claim.config.overrides.iter().map(|text| Value::from(text.as_str())).collect();
        std::fs::write(sandbox.path("run/.hydra/overrides.yaml"), to_yaml(&Value::List(overrides))).expect("write");
        put_digest(sandbox, statement, ".hydra/config.yaml");
        put_digest(sandbox, statement, ".hydra/overrides.yaml");
        put_origin(sandbox, statement);
    });
}
