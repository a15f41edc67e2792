//! What files of configs are refused with, and the commands that look at configs.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::Sandbox;

#[test]
fn files() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "echo 'momentum: 0.9' >> configs/optimizer/adamw.yaml; spectramind train"), @"
    exit 2
    Error: configs/optimizer/adamw.yaml:12:1: optimizer.momentum: unknown key; expected one of name, lr, weight_decay, lookahead, groups, betas, eps
    Hint: --cfg job prints what is composed; the YAML files explain their keys
    ");
    assert_snapshot!(said(&sandbox, "git checkout -q configs; printf 'a: [1' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @"
    exit 2
    Error: configs/optimizer/broken.yaml:1:6: expected ',' or ']', but found the end of the file
    Hint: the bracket was opened at line 1, column 4: close it with ']', or add a comma
    ");
    assert_snapshot!(said(&sandbox, r"printf 'a: 1\na: 2' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @r#"
    exit 2
    Error: configs/optimizer/broken.yaml:2:1: duplicate key "a": first at line 1, column 1, again at line 2, column 1
    Hint: a map holds each key once: put what belongs below "a" in one place
    "#);
    assert_snapshot!(said(&sandbox, "printf 'just text' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @"
    exit 2
    Error: configs/optimizer/broken.yaml:1:1: optimizer.just text: unknown key; expected one of name, lr, weight_decay, lookahead, groups, betas, eps, momentum, nesterov
    Hint: --cfg job prints what is composed; the YAML files explain their keys
    ");
    assert_snapshot!(said(&sandbox, r"printf '# @package _here_\n# @package _there_' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @"
    exit 2
    Error: optimizer: a value is required and the config has none
    Hint: set it: `+optimizer=<value>`
    ");
    assert_snapshot!(said(&sandbox, r"printf '# @pakage x\na: 1' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @r#"
    exit 2
    Warning: configs/optimizer/broken.yaml:1:1: "@pakage" is no header that Hydra knows: the package is not set
      Hint: did you mean `# @package x`?
    Error: configs/optimizer/broken.yaml:2:1: optimizer.a: unknown key; expected one of name, lr, weight_decay, lookahead, groups, betas, eps, momentum, nesterov
    Hint: --cfg job prints what is composed; the YAML files explain their keys
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [nothing]\na: 1' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @r#"
    exit 2
    Error: configs/optimizer/broken.yaml:1:12: could not find the option "nothing" of the group "optimizer"
    Hint: the options of "optimizer": adam, adamw, broken, lion, lookahead, sgd
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'defaults: 3\na: 1' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @"
    exit 2
    Error: configs/optimizer/broken.yaml:1:1: the defaults list must be a list, got int 3
    Hint: write one entry per line: `- group: option`
    ");
    assert_snapshot!(said(&sandbox, r"printf 'defaults: [_self_, _self_]\na: 1' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @r#"
    exit 2
    Error: configs/optimizer/broken.yaml:1:20: _self_ stands twice in the defaults list of "optimizer/broken"
    Hint: keep the one that stands where the config's own keys are to be merged
    "#);
    assert_snapshot!(said(&sandbox, "printf 'a: !!python/object:os.system x' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @r#"
    exit 2
    Error: configs/optimizer/broken.yaml:1:4: unknown tag "tag:yaml.org,2002:python/object:os.system"
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'a: \377' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @"
    exit 2
    Error: configs/optimizer/broken.yaml:1:4: expected UTF-8, got the byte 0xff
    Hint: save the file as UTF-8
    ");
    assert_snapshot!(said(&sandbox, r"printf '\tb: 1' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @r"
    exit 2
    Error: configs/optimizer/broken.yaml:1:1: found character '\t' that cannot start any value
    Hint: YAML is indented with spaces: replace the tab
    ");
    assert_snapshot!(said(&sandbox, "printf 'a: *nowhere' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @r#"
    exit 2
    Error: configs/optimizer/broken.yaml:1:4: found undefined alias "nowhere"
    Hint: put a text that starts with '*' in quotes
    "#);
    assert_snapshot!(said(&sandbox, "printf 'lr: 2020-01-01' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @r#"
    exit 2
    Error: configs/optimizer/broken.yaml:1:1: optimizer.lr: expected a number, got the text "2020-01-01"
    Hint: set another value: `optimizer.lr=<value>`
    "#);
    assert_snapshot!(said(&sandbox, "printf 'lr: ???' > configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @"
    exit 2
    Error: configs/optimizer/broken.yaml:1:1: optimizer.lr: a value is required and nobody set one
    Hint: set it: `optimizer.lr=<value>`
    ");
    assert_snapshot!(said(&sandbox, "rm configs/optimizer/broken.yaml; mkdir configs/optimizer/broken.yaml; spectramind train optimizer=broken"), @r#"
    exit 2
    Error: override "optimizer=broken": could not find the option "broken" of the group "optimizer"
    Hint: the options of "optimizer": adam, adamw, lion, lookahead, sgd
    "#);
}

#[test]
fn looking_at_configs() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind config show train trainer.max_epoch=3"), @r#"
    exit 2
    Error: override "train": expected `=` and a value behind the key, got neither
    Hint: an override is `key=value`, `+key=value`, `++key=value`, `~key` or `group=option`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config explain train trainer.nothing"), @r#"
    exit 2
    Error: override "trainer.nothing": expected `=` and a value behind the key, got neither
    Hint: an override is `key=value`, `+key=value`, `++key=value`, `~key` or `group=option`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config diff nothing train"), @r#"
    exit 2
    Error: could not find the primary config "nothing"
    Hint: the configs: calibrate, evaluate, plot, predict, simulate, train
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config diff train"), @"
    exit 2
    Error: train/.hydra/hydra.yaml: No such file or directory (os error 2): expected a run directory
    Hint: name what to compare with: a second run or command
    ");
    assert_snapshot!(said(&sandbox, "spectramind config diff . train"), @r#"
    exit 2
    Error: ".": expected a run directory, with its .hydra/config.yaml, or a command
    Hint: write a command in quotes: "train trainer=ci_fast"
    "#);
    assert_snapshot!(said(&sandbox, "spectramind config validate --config-path nothing"), @"
    exit 2
    Error: expected a folder of configs at nothing, got none
    Hint: run where the folder configs/ is, or say where with --config-path DIR
    ");
    assert_snapshot!(said(&sandbox, "spectramind config validate --config-name nothing"), @"
    exit 2
    Error: expected primary configs (train.yaml, …) in the folder of configs, got none
    Hint: name the folder with --config-path DIR, the config with --config-name
    ");
    assert_snapshot!(said(&sandbox, "echo 3 > schema.json; spectramind config validate --schema schema.json"), @"
    exit 2
    Error: --schema: expected one primary config, got calibrate, evaluate, plot, predict, simulate, train
    Hint: say which with --config-name NAME
    ");
    assert_snapshot!(said(&sandbox, "spectramind config validate --schema schema.json --config-name train"), @r#"
    exit 2
    Error: schema.json: expected a JSON Schema, got another text: 3 is not of types "boolean", "object"
    Hint: give one of draft 2020-12 or older, as JSON
    "#);
    assert_snapshot!(said(&sandbox, "echo '{' > schema.json; spectramind config validate --schema schema.json --config-name train"), @"
    exit 2
    Error: schema.json: expected a JSON Schema, got another text: EOF while parsing an object at line 2 column 0
    Hint: give one of draft 2020-12 or older, as JSON
    ");
    assert_snapshot!(said(&sandbox, "spectramind config validate --schema nothing.json --config-name train"), @"
    exit 1
    Error: cannot read nothing.json
      caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind completion nothing"), @"
    exit 2
    error: invalid value 'nothing' for '<SHELL>'
      [possible values: bash, zsh, fish]

    For more information, try '--help'.
    ");
}

#[test]
fn without_configs() {
    let sandbox = Sandbox::empty();
    assert_snapshot!(said(&sandbox, "spectramind train"), @"
    exit 2
    Error: expected a folder of configs at configs, got none
    Hint: run where the folder configs/ is, or say where with --config-path DIR; the configs that come with this program are written here by: spectramind init
    ");
    assert_snapshot!(said(&sandbox, "spectramind config show train"), @"
    exit 2
    Error: expected a folder of configs at configs, got none
    Hint: run where the folder configs/ is, or say where with --config-path DIR; the configs that come with this program are written here by: spectramind init
    ");
}
