//! What composition refuses: defaults lists, interpolations, merges and sweeps.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::Sandbox;

#[test]
fn defaults_lists() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [optimizer: nothing]\n' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: could not find the option "nothing" of the group "optimizer"
    Hint: the options of "optimizer": adam, adamw, lion, lookahead, sgd
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [nogroup: nothing]\n' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: could not find the config "nogroup/nothing": there is no group "nogroup"
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [nothing]\n' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: could not find the config "nothing"
    Hint: the configs beside it: calibrate, evaluate, mine, plot, predict, simulate, train
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [mine]\n' > configs/mine.yaml; spectramind train --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml:1:12: the defaults lists include one another in a circle: mine -> mine (configs/mine.yaml:1:12)
    Hint: take one of these entries out of its list
    ");
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [other]\n' > configs/mine.yaml; printf 'defaults: [mine]\n' > configs/other.yaml; spectramind train --config-name mine"), @"
    exit 2
    Error: configs/other.yaml:1:12: the defaults lists include one another in a circle: mine -> other (configs/mine.yaml:1:12) -> mine (configs/other.yaml:1:12)
    Hint: take one of these entries out of its list
    ");
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [optimizer: adam, optimizer: adamw]\n' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:29: multiple values for the group "optimizer": "adam" (configs/mine.yaml:1:12), then "adamw"
    Hint: to replace the option that was chosen first, write `override /optimizer: adamw`
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [optimizer: ???]\n' > configs/mine.yaml; spectramind train --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml:1:23: expected a value, but found a key
    ");
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [override optimizer: adam, optimizer: adamw]\n' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:38: "optimizer" stands behind 'override optimizer': overrides must be at the end of the defaults list
    Hint: move the entries with `override` below the others
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [{optimizer: adam, trainer: defaults}]\n' > configs/mine.yaml; spectramind train --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml:1:12: an entry of the defaults list must name one group, got optimizer, trainer
    Hint: start a new entry with `- ` for each group
    ");
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [3: adam]\n' > configs/mine.yaml; spectramind train --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml:1:12: the name of a group must be a text, got int 3
    Hint: quote it: `- '3': …`
    ");
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [optimizer: {a: 1}]\n' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: the option of "optimizer" must be a text or a list, got a map
    Hint: name one option (`optimizer: option`), several (`optimizer: [a, b]`), or none (`optimizer: null`)
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [optimizer: [1]]\n' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: the options of "optimizer" must be texts, got int 1
    Hint: quote it, if that is its name: `'1'`
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [_self_@x]\n' > configs/mine.yaml; spectramind train --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml:1:12: _self_ cannot have a package
    Hint: write `- _self_`; `# @package NAME` at the top moves the whole file
    ");
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [optimizer: _self_]\n' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: _self_ is no option of "optimizer"
    Hint: list `_self_` as an entry of its own: `- _self_`
    "#);
    assert_snapshot!(said(&sandbox, r"printf -- '- a\n' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:1: expected a map at the top of the primary config "mine", got a list
    Hint: put the list below a key: `items: […]`
    "#);
    assert_snapshot!(said(&sandbox, "printf 'a' > configs/mine.yaml; spectramind train --config-name mine"), @"
    exit 2
    Error: workload: expected one of ariel, got none
    Hint: set workload=ariel
    ");
    assert_snapshot!(said(&sandbox, r"printf '# @package\na: 1' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:1: expected a header of the form "@key value", got "@package"
    Hint: write `# @package a.b` or `# @package _global_`, nothing else on that line
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train ~optimizer=adam"), @r#"
    exit 2
    Error: override "~optimizer=adam": could not delete "optimizer=adam": no match in the defaults list
    Hint: the option is "adamw": `~optimizer` deletes any
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train ~nogroup"), @r#"
    exit 2
    Error: override "~nogroup": could not delete "nogroup": there is no value
    Hint: the keys: hydra, trainer, model, data, sim, calib, loss, optimizer, schedule, logger, envelope, workload, experiment, run, record, provenance, audit, ema
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train optimizer=[1]"), @r#"
    exit 2
    Error: override "optimizer=[1]": the options of a group must be texts, got 1
    Hint: quote what is no text: `optimizer=['1']`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train optimizer=3"), @r#"
    exit 2
    Error: override "optimizer=3": "optimizer" is a config group and takes the name of an option, got int
    Hint: quote it, if that is the option's name: `optimizer='3'`
    "#);
}

#[test]
fn interpolations_and_merges() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind train 'experiment=${experiment}'"), @r#"
    exit 2
    Error: override "experiment=${experiment}": interpolations in a circle: experiment (override experiment=${experiment}) -> experiment
    Hint: give one of these keys a value that leads to none of the others
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'experiment=${nothing:x}'"), @r#"
    exit 2
    Error: override "experiment=${nothing:x}": experiment: ${nothing:x}: unknown resolver "nothing"
    Hint: the resolvers: hydra, now, oc.create, oc.decode, oc.deprecated, oc.dict.keys, oc.dict.values, oc.env, oc.select; one that an application registers in Python can be given in a file, with --resolvers FILE
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'experiment=${a'"), @r#"
    exit 2
    Error: override "experiment=${a": did not expect "{" at character 13
    Hint: each `{` needs its `}`; put a value that is a plain text in quotes
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'experiment=${oc.decode:[}'"), @r#"
    exit 2
    Error: override "experiment=${oc.decode:[}": malformed interpolation in "${oc.decode:[}": did not expect '}' at character 14
    Hint: an interpolation is `${path.to.key}` or `${resolver:argument,argument}`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'experiment=${trainer.seed.x}'"), @r#"
    exit 2
    Error: override "experiment=${trainer.seed.x}": experiment: ${trainer.seed.x}: "trainer.seed" is no map or list and cannot hold "x"
    Hint: `${trainer.seed}` is its value
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train '~trainer.seed=99'"), @r#"
    exit 2
    Error: override "~trainer.seed=99": could not delete "trainer.seed": its value is 42 and not 99
    Hint: `~trainer.seed` deletes any value
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'trainer.seed.x=1'"), @r#"
    exit 2
    Error: override "trainer.seed.x=1": key "trainer.seed.x" is not in the config
    Hint: `+trainer.seed.x=1` adds a new key
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'optimizer.betas.x=1'"), @r#"
    exit 2
    Error: override "optimizer.betas.x=1": expected the index of a list item, counted from 0, got "x"
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'optimizer.betas.9=1'"), @r#"
    exit 2
    Error: override "optimizer.betas.9=1": optimizer.betas[9]: the list has 2 items, counted from 0
    Hint: an item cannot be added alone: give the whole list, `optimizer.betas=[…]`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'trainer.seed=extend_list(1)'"), @r#"
    exit 2
    Error: configs/trainer/defaults.yaml:55:1: override "trainer.seed=extend_list(1)": extend_list: expected a list at "trainer.seed", got int
    Hint: trainer.seed=[…] to replace the value by a list
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train '+trainer.seed=extend_list(1)'"), @r#"
    exit 2
    Error: override "+trainer.seed=extend_list(1)": extend_list changes a list, and takes no prefix
    Hint: trainer.seed=extend_list(1)
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'trainer.seed=)'"), @r#"
    exit 2
    Error: override "trainer.seed=)": did not expect ")" at character 14
    Hint: each `(` needs its `)`; put a value that is a plain text in quotes
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'trainer.seed=range(start=1,2)'"), @r#"
    exit 2
    Error: override "trainer.seed=range(start=1,2)": a positional argument follows a named one in "range(start=1,2)"
    Hint: a text with such characters needs quotes; in a shell: "trainer.seed='range(start=1,2)'"
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train 'hydra.searchpath=[s3://x]'"), @r#"
    exit 2
    Error: hydra.searchpath: expected file:// or pkg://, got "s3://x"
    "#);
}

#[test]
fn sweeps() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind train -m 'hydra.run.dir=a,b'"), @r#"
    exit 2
    Error: override "hydra.run.dir=a,b": Hydra's own config cannot be swept over
    Hint: one multirun has one value of it
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train -m 'trainer.seed=interval(0,1)'"), @r#"
    exit 2
    Error: override "trainer.seed=interval(0,1)": an interval cannot be enumerated
    Hint: name the values, `trainer.seed=a,b,c`, or count them, `trainer.seed=range(start,stop,step)`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train -m 'trainer.seed=range(1000)' 'trainer.max_epochs=range(1000)'"), @"
    exit 2
    Error: expected at most 10000 jobs, got the product of trainer.seed: 1000, trainer.max_epochs: 1000
    Hint: sweep over fewer values, or let keys vary together
    ");
    assert_snapshot!(said(&sandbox, "spectramind train -m 'data=glob(3)'"), @r#"
    exit 2
    Error: override "data=glob(3)": glob(3): expected a pattern or a list of patterns, got int 3
    Hint: a text with such characters needs quotes; in a shell: "data='glob(3)'"
    "#);
    assert_snapshot!(said(&sandbox, "spectramind commit --out commitment hydra.mode=MULTIRUN"), @"
    exit 2
    Error: hydra.mode: expected a single run, got a multirun
    Hint: commit to the config of each of its runs
    ");
    assert_snapshot!(said(&sandbox, "echo 'x: 3' > resolvers.yaml; spectramind train --resolvers resolvers.yaml"), @r#"
    exit 2
    Error: resolvers.yaml: x: expected a lambda as text, got int
    Hint: write a line for each: `times: "lambda a, b: a * b"`
    "#);
    assert_snapshot!(said(&sandbox, "echo 'oc.env: lambda x: x' > resolvers.yaml; spectramind train --resolvers resolvers.yaml"), @"
    exit 2
    Error: resolvers.yaml:1:17: did not expect ':' here
    Hint: put a text that holds ': ' in quotes; a map starts on a line of its own
    ");
    assert_snapshot!(said(&sandbox, "echo '- 3' > resolvers.yaml; spectramind train --resolvers resolvers.yaml"), @r#"
    exit 2
    Error: resolvers.yaml: expected a map from names to lambdas
    Hint: write a line for each: `times: "lambda a, b: a * b"`
    "#);
}
