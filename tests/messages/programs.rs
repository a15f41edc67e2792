//! What is said about programs that run under the record, and about packages of one's own.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::Sandbox;

#[test]
fn commands_of_ones_own() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind exec"), @r#"
    exit 2
    Error: could not find the primary config "exec"
    Hint: the configs: calibrate, evaluate, plot, predict, simulate, train
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec -- true"), @r#"
    exit 2
    Error: could not find the primary config "exec"
    Hint: the configs: calibrate, evaluate, plot, predict, simulate, train
    "#);
    assert_snapshot!(said(&sandbox, r"printf 'command: {outputs: [x]}\n' > configs/exec.yaml; spectramind exec"), @"
    exit 2
    Error: expected a command, got no words
    Hint: put the words of the command after --
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec -- nothing-of-this-name"), @r#"
    exit 1
    made a signing key for you: [sandbox]/home/.config/spectramind/signing-key.pem
    running nothing-of-this-name
    Error: cannot run "nothing-of-this-name"
      caused by: No such file or directory (os error 2)
    Hint: it is looked for in the PATH that the command gets, as command.environment says
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec -- true"), @"
    exit 1
    running true
    Error: command.outputs: expected at least one file that the command made, got none; nothing is signed
    Hint: correct the patterns: they are matched below the run directory
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec -- false"), @"
    exit 1
    running false
    Error: the command exited with 1: expected 0; nothing is signed
    Hint: what it printed is in runs/command/[moment]/logs
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec -- sh -c 'kill -9 $$'"), @"
    exit 1
    running sh -c kill -9 $$
    Error: the command was ended by signal 9; nothing is signed
    Hint: what it printed is in runs/command/[moment]/logs
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec command.network=maybe -- true"), @r#"
    exit 2
    Error: override "command.network=maybe": key "command.network" is not in the config
    Hint: `+command.network=maybe` adds a new key
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec command.nothing=1 -- true"), @r#"
    exit 2
    Error: override "command.nothing=1": key "command.nothing" is not in the config
    Hint: `+command.nothing=1` adds a new key
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec +command.inputs=[nowhere] -- true"), @r#"
    exit 2
    Error: command.inputs: expected a list of {name, root}, or a map from a name to a path or {root}, with no other key (set by the override "+command.inputs=[nowhere]")
    Hint: set another value: `+command.inputs=<value>`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec +command.inputs=3 -- true"), @r#"
    exit 2
    Error: command.inputs: expected a list of {name, root}, or a map from a name to a path or {root}, with no other key (set by the override "+command.inputs=3")
    Hint: set another value: `+command.inputs=<value>`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind exec +command.writes=[nowhere] -- true"), @"
    exit 1
    Error: ./nowhere: a command may write to it, but it cannot be reached
      caused by: No such file or directory (os error 2)
    Hint: make it, or take it out of command.writes
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec --resume nothing"), @"
    exit 1
    Error: nothing: expected a run directory, with provenance.json, got none
    Hint: name the directory of a run: spectramind runs list
    ");
    assert_snapshot!(said(&sandbox, "spectramind exec -m command.timeout=1,2 -- true"), @r#"
    exit 2
    Error: job command.timeout=1
      caused by: override "command.timeout=1": key "command.timeout" is not in the config
    Hint: `+command.timeout=1` adds a new key
    "#);
}

#[test]
fn packages_of_ones_own() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind new"), @"
    exit 2
    error: the following required arguments were not provided:
      <NAME>

    Usage: spectramind new <NAME>

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind new ''"), @r#"
    exit 2
    Error: "": expected a name for a package, got an empty one
    Hint: try my-workload
    "#);
    assert_snapshot!(said(&sandbox, "spectramind new 1x"), @r#"
    exit 2
    Error: "1x": expected a name for a package, got one that begins with '1'
    Hint: try my-workload
    "#);
    assert_snapshot!(said(&sandbox, "spectramind new a/b"), @r#"
    exit 2
    Error: "a/b": expected a name for a package, got one with '/' in it
    Hint: try my-workload
    "#);
    assert_snapshot!(said(&sandbox, "spectramind new fn"), @r#"
    exit 2
    Error: "fn": expected a name for a package, got a word of Rust's or Cargo's own
    Hint: try my-workload
    "#);
    assert_snapshot!(said(&sandbox, "spectramind new configs"), @"
    exit 2
    Error: configs: expected a new folder, got one that is there already
    Hint: choose another name, or another place
    ");
}

#[test]
fn words() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind trian"), @"
    exit 2
    error: unrecognized subcommand 'trian'

      tip: a similar subcommand exists: 'train'

    Usage: spectramind <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --nothing"), @"
    exit 2
    error: unexpected argument '--nothing' found

      tip: to pass '--nothing' as a value, use '-- --nothing'

    Usage: spectramind train [OPTIONS] [OVERRIDE]...

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind info"), @"
    exit 2
    error: unrecognized subcommand 'info'

    Usage: spectramind <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind doctor nothing"), @"
    exit 2
    error: unexpected argument 'nothing' found

    Usage: spectramind doctor [OPTIONS]

    For more information, try '--help'.
    ");
}
