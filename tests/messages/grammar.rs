//! What the grammars of overrides, interpolations, defaults lists and YAML refuse, and what is too large for them.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::Sandbox;

#[test]
fn overrides_that_are_none() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind config show nothing"), @r#"
    exit 2
    Error: override "nothing": expected `=` and a value behind the key, got neither
    Hint: an override is `key=value`, `+key=value`, `++key=value`, `~key` or `group=option`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show ~"), @r#"
    exit 2
    Error: override "[sandbox]/home": did not expect "/" at character 1
    Hint: an override is `key=value`, `+key=value`, `++key=value`, `~key` or `group=option`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show trainer.seed@x=3"), @r#"
    exit 2
    Error: override "trainer.seed@x=3": a package needs a config group, and there is no group "trainer.seed"
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show optimzer@x=adam"), @r#"
    exit 2
    Error: override "optimzer@x=adam": a package needs a config group, and there is no group "optimzer"
    Hint: did you mean `optimizer@x=adam`?
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show 'optimizer.betas=extend_list([choice(1,2)])'"), @r#"
    exit 2
    Error: override "optimizer.betas=extend_list([choice(1,2)])": expected plain values in extend_list, got a choice, a range or another function
    Hint: name the items one by one: `optimizer.betas=extend_list(a,b)`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show 'hydra.searchpath=extend_list(file://x)'"), @r#"
    exit 2
    Error: override "hydra.searchpath=extend_list(file://x)": hydra.searchpath must be given as a whole; extend_list cannot extend it
    Hint: write `hydra.searchpath: [directory, file:///directory]`
    "#);
    assert_snapshot!(said(&sandbox, r"spectramind config show trainer.seed=$(head -c 5000 /dev/zero | tr '\0' 1)"), @r#"
    exit 2
    Error: override "trainer.seed=[digest]": expected a number of at most 4300 digits, got 5000
    Hint: a text with such characters needs quotes; in a shell: "trainer.seed='[digest]'"
    "#);
    assert_snapshot!(said(&sandbox, r"spectramind config show trainer.seed=$(head -c 120 /dev/zero | tr '\0' '[')$(head -c 120 /dev/zero | tr '\0' ']')"), @r#"
    exit 2
    Error: override "trainer.seed=[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]": expected at most 100 levels of nesting in an override
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show -m 'trainer.seed=range(0,nan)'"), @r#"
    exit 2
    Error: override "trainer.seed=range(0,nan)": expected numbers in a range, got NaN
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show '~optimizer=3'"), @r#"
    exit 2
    Error: override "~optimizer=3": expected the name of an option to delete, got int
    Hint: `~optimizer` deletes any option
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show '~trainer.nothing'"), @r#"
    exit 2
    Error: override "~trainer.nothing": could not delete "trainer.nothing": there is no value
    Hint: the keys of "trainer": name, accelerator, devices, num_nodes, worker_timeout, precision, numerics, max_epochs, max_time, limit_train_batches, limit_val_batches, limit_test_batches, val_check_interval, accumulate_grad_batches, gradient_clip_val, log_every_n_steps, checkpoint, early_stopping, dataloader, seed, deterministic, sync_batchnorm, micro_shards
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show '~schedule.nothing'"), @r#"
    exit 2
    Error: override "~schedule.nothing": could not delete "schedule.nothing": there is no value
    Hint: the keys of "schedule": name, warmup_steps, warmup_start_factor
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show '~hydra.run'"), @r#"
    exit 2
    Error: override "~hydra.run": could not delete "hydra.run": Hydra needs it
    Hint: it can be given another value only
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show '~optimizer.betas.0'"), @r#"
    exit 2
    Error: override "~optimizer.betas.0": could not delete "optimizer.betas.0": an item of a list cannot be deleted alone
    Hint: give the whole list: `optimizer.betas=[…]`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show -m 'data=glob([a,3])'"), @r#"
    exit 2
    Error: override "data=glob([a,3])": expected a pattern, got int
    Hint: quote it, if it is one: '3'
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train -m --zip trainer.seed trainer.seed=1"), @r#"
    exit 2
    Error: zip trainer.seed: "trainer.seed" is not swept: trainer.seed=1
    Hint: give it as many values as the others, separated by commas, or do not zip trainer.seed
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train -m --zip nothing trainer.seed=1"), @r#"
    exit 2
    Error: zip nothing: no override gives "nothing"
    Hint: give it several values: `nothing=a,b`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train -m --zip nothing trainer.seed=1,2"), @r#"
    exit 2
    Error: zip nothing: no override gives "nothing"
    Hint: the keys that are swept: trainer.seed
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show '+x={null: 1}'"), @r#"
    exit 2
    Error: override "+x={null: 1}": null cannot be a key
    "#);
}

#[test]
fn keys_of_hydra() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind config show hydra.job.env_set=null"), @r#"
    exit 2
    Error: override "hydra.job.env_set=null": hydra.job.env_set: expected a map, got null
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show hydra.mode=x"), @r#"
    exit 2
    Error: override "hydra.mode=x": hydra.mode: expected RUN or MULTIRUN, got str 'x'
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show hydra.job.nam=x"), @r#"
    exit 2
    Error: override "hydra.job.nam=x": key "nam" is not in JobConf at "hydra.job"
    Hint: did you mean `name`?
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show '+hydra.job.env_set={3: x}'"), @r#"
    exit 2
    Error: override "+hydra.job.env_set={3: x}": hydra.job.env_set: expected a text as key, got 3
    Hint: quote it: '3'
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show '+hydra.sweeper.params.x=1' -m"), @r#"
    exit 2
    Error: override "+hydra.sweeper.params.x=1": hydra.sweeper.params: it is null, and Hydra sets nothing in a null map
    Hint: an entry of hydra.sweeper.params in the config file
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show 'hydra.job.env_copy=[NOTHING]'"), @r#"
    exit 2
    Error: hydra.job.env_copy: environment variable "NOTHING" not found
    Hint: set NOTHING, or take it out of hydra.job.env_copy
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show 'hydra.runtime.choices=${trainer}'"), @"
    exit 2
    Error: hydra.runtime.choices: expected a map of its own, got an interpolation
    Hint: Hydra writes it: set nothing there
    ");
    assert_snapshot!(said(&sandbox, r"printf 'hydra: null\n' > configs/mine.yaml; spectramind config show --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml:1:1: hydra: expected a map, got null
    Hint: leave the key out, or put keys of Hydra's below it
    ");
    assert_snapshot!(said(&sandbox, r#"printf 'hydra: {sweeper: {params: {x: "???"}}}\nx: 1\n' > configs/mine.yaml; spectramind config show --config-name mine -m"#), @"
    exit 2
    Error: hydra.sweeper.params.x: the mandatory value is missing
    Hint: `hydra.sweeper.params.x=<values>`
    ");
    assert_snapshot!(said(&sandbox, r#"printf 'hydra: {sweeper: {params: {x: "' > configs/mine.yaml; head -c 1100000 /dev/zero | tr '\0' a >> configs/mine.yaml; printf '"}}}\nx: 1\n' >> configs/mine.yaml; spectramind config show --config-name mine -m"#), @"
    exit 2
    Error: hydra.sweeper.params: expected an override of at most 1048576 bytes, got 1100002
    ");
    assert_snapshot!(said(&sandbox, r"printf 'x: 1\ny: 1\nz: 1\n' > configs/mine.yaml; spectramind config show --config-name mine -m 'x=range(100)' 'y=range(100)' z=$(head -c 20000 /dev/zero | tr '\0' a)"), @"
    exit 2
    Error: expected the overrides of all 10000 jobs to take at most 67108864 bytes
    Hint: sweep over fewer or shorter values
    ");
}

#[test]
fn interpolations() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind config show 'experiment=${trainer.nothing}'"), @r#"
    exit 2
    Error: override "experiment=${trainer.nothing}": experiment: ${trainer.nothing}: interpolation key "trainer.nothing" not found
    Hint: the keys of "trainer": name, accelerator, devices, num_nodes, worker_timeout, precision, numerics, max_epochs, max_time, limit_train_batches, limit_val_batches, limit_test_batches, val_check_interval, accumulate_grad_batches, gradient_clip_val, log_every_n_steps, checkpoint, early_stopping, dataloader, seed, deterministic, sync_batchnorm, micro_shards
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show 'experiment=${schedule.nothing}'"), @r#"
    exit 2
    Error: override "experiment=${schedule.nothing}": experiment: ${schedule.nothing}: interpolation key "schedule.nothing" not found
    Hint: the keys of "schedule": name, warmup_steps, warmup_start_factor
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show 'experiment=${tariner.seed}'"), @r#"
    exit 2
    Error: override "experiment=${tariner.seed}": experiment: ${tariner.seed}: interpolation key "tariner.seed" not found
    Hint: did you mean `${trainer.seed}`?
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show 'experiment=${trainer.seed,3}'"), @r#"
    exit 2
    Error: override "experiment=${trainer.seed,3}": experiment: ${trainer.seed,3}: interpolation key "trainer.seed,3" not found
    Hint: did you mean `${oc.select:trainer.seed,3}`? it takes the default where there is no trainer.seed
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'a: "${b.c, [}"\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:1: malformed interpolation in "${b.c, [}": interpolations have no defaults
    Hint: did you mean `${oc.select:b.c,[}`? it takes the default where there is no b.c
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'a: "${now}"\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:1: a: ${now}: interpolation key "now" not found
    Hint: it is a resolver, whose arguments stand behind a colon: `${now:…}`
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'a: "${oc.decode:%s}"\n' "$(head -c 5000 /dev/zero | tr '\0' 1)" > configs/mine.yaml; spectramind config show --config-name mine"#), @"
    exit 2
    Error: configs/mine.yaml:1:1: expected a number of at most 4300 digits, got 5000
    ");
    assert_snapshot!(said(&sandbox, r#"printf 'a: "${oc.decode:%s}"\n' "$(head -c 120 /dev/zero | tr '\0' '[')$(head -c 120 /dev/zero | tr '\0' ']')" > configs/mine.yaml; spectramind config show --config-name mine"#), @"
    exit 2
    Error: configs/mine.yaml:1:1: expected at most 100 levels of nesting in an interpolation
    ");
    assert_snapshot!(said(&sandbox, r"(printf 'a: '; head -c 1100000 /dev/zero | tr '\0' 1; echo '${b}') > configs/mine.yaml; spectramind config show --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml:1:1: expected a text with interpolations of at most 1048576 bytes, got 1100004
    ");
    assert_snapshot!(said(&sandbox, r#"printf 'a: {b: "${a}"}\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:5: a.b: ${a}: the interpolation to "a" leads to a container it stands in
    Hint: name a key inside of it
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'a: "${..b}"\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:1: a: ${..b}: interpolation key "..b" not found
    Hint: one dot is the map that holds the key, each further dot one map further out
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'a: ${b.x}\nb: [1, 2]\n' > configs/mine.yaml; spectramind config show --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:1: a: ${b.x}: expected the index of a list item, got "x"
    Hint: it is a list of 2: its items are counted from 0
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'a: ${${b}:x}\nb: 3\n' > configs/mine.yaml; spectramind config show --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml:1:1: a: ${${b}:x}: expected a text as a part of the name, got int
    Hint: what stands in a name has to come to a text: quote the value
    ");
    assert_snapshot!(said(&sandbox, r#"printf 'a: "${oc.decode:\047{null: 1}\047}"\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @"
    exit 2
    Error: configs/mine.yaml:1:1: a: ${oc.decode:'{null: 1}'}: null cannot be a key
    ");
    assert_snapshot!(said(&sandbox, r"printf 'a: ${oc.deprecated:b}\nb: 3\n' > configs/mine.yaml; spectramind config show --config-name mine > /dev/null"), @"
    exit 0
    Warning: 'a' is deprecated. Change your code and config to use 'b'
    ");
    assert_snapshot!(said(&sandbox, r"printf 'a: ${oc.deprecated:b,3}\nb: 3\n' > configs/mine.yaml; spectramind config show --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml:1:1: a: ${oc.deprecated:b,3}: oc.deprecated: expected a text as message, got int
    ");
    assert_snapshot!(said(&sandbox, r"printf 'workload: ${b}\nb: ???\n' > configs/mine.yaml; spectramind train --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:1: workload: ${b}: the mandatory value "b" is missing
    Hint: set it: `b=<value>`
    "#);
    assert_snapshot!(said(&sandbox, r#"(seq 0 250 | while read i; do echo "a$i: \${a$((i+1))}"; done; echo a251: 1) > configs/mine.yaml; spectramind config show --config-name mine"#), @"
    exit 2
    Error: configs/mine.yaml:201:1: a200: ${a201}: expected at most 200 interpolations that wait for one another, got more
    ");
}

#[test]
fn defaults_lists() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, r#"printf 'defaults: [optimizer: "${x}"]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: cannot resolve "${x}" in a defaults list: interpolation key "x" not found
    Hint: the keys: defaults
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'defaults: [optimizer: adam, trainer: "${optimizer.x}"]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:29: cannot resolve "${optimizer.x}" in a defaults list: "optimizer" is no map or list and cannot hold "x"
    Hint: `${optimizer}` is its value; the groups that are chosen at this point: optimizer
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'defaults: [optimizer: adam, trainer: "${hydra:job.name}"]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:29: cannot resolve "${hydra:job.name}" in a defaults list: there is no run, so ${hydra:…} has no value
    Hint: the groups that are chosen at this point: optimizer
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'defaults: [optimizer: adam, trainer: "${oc.env:X,\047???\047}"]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:29: "???" has no value yet: expected the name of an option
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'defaults: [optimizer: "???"]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: the group "optimizer" needs an option, and none is chosen
    Hint: choose one, e.g. `optimizer=adam`; the options of "optimizer": adam, adamw, lion, lookahead, sgd
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'defaults: ["???"]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: "???" names no config
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'defaults: [optimizer: ["${x}", adam]]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: expected no interpolation in a list of options, got "${x}"
    Hint: list it as an entry of its own: `- optimizer: ${x}`
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'defaults: [trainer: defaults, optimizer: "${defaults.0.trainer}"]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:31: "${defaults.0.trainer}" is a form of interpolation that defaults lists no longer have
    Hint: a group is named at once: `${trainer}`
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'defaults: [trainer: defaults, optimizer: "${defaults[0]}"]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:31: "${defaults[0]}": expected the name of an option, got map
    Hint: a group's name gives the option that is chosen: `${group}`
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [optimizer: adam, optimizer: adam]\n' > configs/mine.yaml; spectramind config show --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:29: the group "optimizer" appears more than once in the defaults lists, first at configs/mine.yaml:1:12
    Hint: keep one of them, or write `override /optimizer: …` to change the option
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show +optimizer=adamw"), @r#"
    exit 2
    Error: override "+optimizer=adamw": the group "optimizer" appears more than once in the defaults lists, first at configs/train.yaml:9:5
    Hint: it is there already: change it with `optimizer=adamw`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config show +optimizer=adam"), @r#"
    exit 2
    Error: override "+optimizer=adam": multiple values for the group "optimizer": "adamw" (configs/train.yaml:9:5), then "adam"
    Hint: the group is there already: `optimizer=adam` changes its option
    "#);
    assert_snapshot!(said(&sandbox, r#"printf 'defaults: ["": adam]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/mine.yaml:1:12: "" names no group
    Hint: write `- group: option`, `- config` or `- _self_`
    "#);
    assert_snapshot!(said(&sandbox, r#"mkdir configs/own; echo 'defaults: [override /optimizer: sgd]' > configs/own/adam.yaml; printf 'defaults: [optimizer: adam, own: "${optimizer}"]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/own/adam.yaml:1:12: 'override optimizer@own.optimizer' is not allowed below a config group whose option is an interpolation, here "own/adam"
    Hint: put the override into the primary config
    "#);
    assert_snapshot!(said(&sandbox, r"printf '# @package _global_\nhydra: {searchpath: [file://x]}\n' > configs/own/y.yaml; printf 'defaults: [own: y]\n' > configs/mine.yaml; spectramind config show --config-name mine"), @r#"
    exit 2
    Error: configs/own/y.yaml:2:9: only the primary config can set hydra.searchpath, and "own/y" does
    Hint: set it in the primary config, or on the command line
    "#);
    assert_snapshot!(said(&sandbox, r"echo 'a: [1]' > configs/own/z.yaml; printf 'defaults: [own: z, _self_]\nown: {a: {b: 1}}\n' > configs/mine.yaml; spectramind config show --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:2:7: cannot merge a map into the list at "own.a" (configs/own/z.yaml:1:1)
    Hint: make both a list, or give one of them another key
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [optinal optimizer: adam, _self_]\n' > configs/mine.yaml; spectramind config show --config-name mine > /dev/null"), @r#"
    exit 0
    Warning: configs/mine.yaml:1:12: Hydra ignores the word "optinal" before the group
      Hint: "optinal" means nothing here; did you mean `optional`?
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'default: [optimizer: adam]\n' > configs/mine.yaml; spectramind config show --config-name mine > /dev/null"), @r#"
    exit 0
    Warning: configs/mine.yaml:1:1: "default" is an ordinary key, and what it lists is not composed
      Hint: did you mean `defaults:`?
    "#);
    assert_snapshot!(said(&sandbox, r#"for i in $(seq 120); do echo "defaults: [n$((i+1))]" > configs/own/n$i.yaml; done; printf 'defaults: [own: n1]\n' > configs/mine.yaml; spectramind config show --config-name mine"#), @r#"
    exit 2
    Error: configs/own/n100.yaml:1:12: expected at most 5000 configs in at most 100 levels of defaults lists, got more, at "own/n101"
    "#);
    assert_snapshot!(said(&sandbox, "mkdir configs/hydra; echo 'x: 1' > configs/hydra/config.yaml; spectramind config show"), @r#"
    exit 2
    Warning: 
    'hydra/config' is validated against ConfigStore schema with the same name.
    This behavior is deprecated in Hydra 1.1 and will be removed in Hydra 1.2.
    See https://hydra.cc/docs/1.2/upgrades/1.0_to_1.1/automatic_schema_matching for migration instructions.
    Error: configs/hydra/config.yaml:1:1: "hydra/config" has the name of a config of Hydra's own that has a defaults list, and Hydra no longer takes a file for such a one
    Hint: set what you want to change below `hydra:` in the primary config, and remove the file
    "#);
}

#[test]
fn files() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, r"printf 'x: \001\n' > configs/mine.yaml; spectramind config show --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:1:4: character U+0001 is not allowed in YAML
    Hint: write it as an escape in double quotes: "\x01"
    "#);
    assert_snapshot!(said(&sandbox, r"printf '3\n' > configs/mine.yaml; spectramind config show --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml:1:1: expected a map or a list at the top of the file, got int 3
    Hint: write `key: value`, with a space after the colon
    ");
    assert_snapshot!(said(&sandbox, r#"echo "x: $(head -c 120 /dev/zero | tr '\0' '[')$(head -c 120 /dev/zero | tr '\0' ']')" > configs/mine.yaml; spectramind config show --config-name mine"#), @"
    exit 2
    Error: configs/mine.yaml:1:103: expected at most 100 levels of nesting
    ");
    assert_snapshot!(said(&sandbox, "(echo 'x: |'; yes '  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' | head -80000) > configs/mine.yaml; spectramind config show --config-name mine"), @"
    exit 2
    Error: configs/mine.yaml: expected at most 4194304 bytes, got 5040005
    ");
    assert_snapshot!(said(&sandbox, r#"(echo 'a0: &a0 [1,1,1,1,1,1,1,1,1,1]'; for i in 1 2 3 4 5 6; do p=$((i-1)); echo "a$i: &a$i [*a$p,*a$p,*a$p,*a$p,*a$p,*a$p,*a$p,*a$p,*a$p,*a$p]"; done) > configs/mine.yaml; spectramind config show --config-name mine"#), @"
    exit 2
    Error: configs/mine.yaml:1:14: expected at most 200000 values, and 4194304 bytes, with every alias written out, got more
    ");
    assert_snapshot!(said(&sandbox, r"printf 'a: 1\na: 2\na: 3\n' > configs/mine.yaml; spectramind config show --config-name mine"), @r#"
    exit 2
    Error: configs/mine.yaml:2:1: duplicate key "a": first at line 1, column 1, again at line 2, column 1 and at line 3, column 1
    Hint: a map holds each key once: put what belongs below "a" in one place
    "#);
    assert_snapshot!(said(&sandbox, r"for f in a b c; do (printf 'x: ['; yes 1, | head -170000; echo ']') > configs/$f.yaml; done; printf 'defaults: [a@a, b@b, c@c, _self_]\n' > configs/mine.yaml; spectramind config show --config-name mine"), @"
    exit 2
    Error: expected a config of at most 400000 values
    ");
    assert_snapshot!(said(&sandbox, r"for f in a b c; do (printf 'x: |\n  '; head -c 3500000 /dev/zero | tr '\0' a) > configs/$f.yaml; done; printf 'defaults: [a@a, b@b, c@c, _self_]\n' > configs/mine.yaml; spectramind config show --config-name mine"), @"
    exit 2
    Error: expected a config of at most 8388608 bytes of text, interpolated or not
    ");
    assert_snapshot!(said(&sandbox, r#"(printf 'b: ['; yes 1, | head -1000; printf ']\na: ['; yes '"${b}",' | head -600; echo ']') > configs/mine.yaml; spectramind config show --config-name mine"#), @"
    exit 2
    Error: expected a config of which at most 500000 values are resolved or copied
    ");
    assert_snapshot!(said(&sandbox, r"spectramind config show +x$(seq 150 | sed 's/.*/.x/' | tr -d '\n')=1"), @"
    exit 2
    Error: expected a config of at most 100 levels
    ");
    assert_snapshot!(said(&sandbox, r#"(printf 'a: {b: {c: "${d}"}}\nd: '; for i in $(seq 98); do printf '{a: '; done; printf 1; for i in $(seq 98); do printf '}'; done) > configs/mine.yaml; spectramind config show --config-name mine"#), @"
    exit 2
    Error: configs/mine.yaml:2:389: expected a config of at most 100 levels
    ");
}

#[test]
fn resolvers() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind train --resolvers no.yaml"), @r#"
    exit 2
    Error: no.yaml: expected a file of resolvers, got nothing there
    Hint: write a line for each: `times: "lambda a, b: a * b"`
    "#);
    assert_snapshot!(said(&sandbox, r#"echo 'oc.env: "lambda x: x"' > r.yaml; spectramind train --resolvers r.yaml"#), @"
    exit 2
    Error: r.yaml: oc.env: expected a name of its own, got that of a resolver of OmegaConf or Hydra
    Hint: give it another name, in the configs too: `${my_oc_env:…}`
    ");
    assert_snapshot!(said(&sandbox, r"printf '\377' > r.yaml; spectramind train --resolvers r.yaml"), @"
    exit 2
    Error: r.yaml: expected UTF-8, got other bytes
    Hint: save the file as UTF-8
    ");
    assert_snapshot!(said(&sandbox, r#"echo 'times: "lambda a, b: a * b"' > r.yaml; spectramind train --resolvers r.yaml"#), @"
    exit 2
    Error: r.yaml: expected the file of resolvers below the folder of configs, got one elsewhere
    Hint: move it there: whoever has that folder and nothing else can then compose this config
    ");
}
