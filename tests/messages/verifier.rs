//! What the verifier says on standard error: what it was asked wrongly, and what it cannot read. Its findings stand in its report.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::trained_copy;

#[test]
fn arguments() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind-verify audit"), @"
    exit 2
    error: the following required arguments were not provided:
      <RUN>

    Usage: spectramind-verify audit <RUN>

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit nothing"), @"
    exit 3
      ! signature: not checked: nothing: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit configs"), @"
    exit 3
      ! signature: not checked: configs/manifest.intoto.jsonl: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --key nothing.pub"), @"
    exit 3
      ! signature: not checked: cannot read key file nothing.pub: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --key configs/train.yaml"), @"
    exit 3
      ! signature: not checked: key file configs/train.yaml: not an Ed25519 public key (SPKI PEM, OpenSSH, minisign, or 32 bytes in hex or Base64): Invalid symbol 35, offset 0.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --trust nothing.json"), @"
    exit 3
      ! trust: not checked: nothing.json: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --trust configs/train.yaml"), @"
    exit 2
    Error: configs/train.yaml is no signed trust document (`spectramind keys trust init` begins one): trust document is not in a signed envelope: envelope: not JSON: expected value at line 1 column 1
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --root-key nothing.pub"), @"
    exit 2
    error: the following required arguments were not provided:
      --trust <FILE>

    Usage: spectramind-verify audit --trust <FILE> --root-key <PUB> <RUN>

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --policy nothing.yaml"), @"
    exit 3
      ! program: not checked: the recorded commit is not the one that the program was built from, so the sources that were checked are not those of what trained; for a program that was installed: --program installed
      ! policy: not checked: nothing.yaml: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --policy configs/train.yaml"), @"
    exit 2
    Error: configs/train.yaml is no policy: configs/train.yaml:2:1: defaults: unknown key; expected one of git, numerics, envelope, roles, max_age, challenge, exit, probe, metrics, held_out, data, config, seed, program, replay, commitment, nonce
    ");
    assert_snapshot!(said(&sandbox, "echo 'nothing: 1' > policy.yaml; spectramind-verify audit run --policy policy.yaml"), @"
    exit 2
    Error: policy.yaml is no policy: policy.yaml:1:1: nothing: unknown key; expected one of git, numerics, envelope, roles, max_age, challenge, exit, probe, metrics, held_out, data, config, seed, program, replay, commitment, nonce
    ");
    assert_snapshot!(said(&sandbox, "echo 'data: 3' > policy.yaml; spectramind-verify audit run --policy policy.yaml"), @"
    exit 2
    Error: policy.yaml is no policy: policy.yaml:1:1: data: expected a map, got 3
    ");
    assert_snapshot!(said(&sandbox, "echo 'envelope: {network: maybe}' > policy.yaml; spectramind-verify audit run --policy policy.yaml"), @r#"
    exit 2
    Error: policy.yaml is no policy: policy.yaml:1:12: envelope.network: expected one of none, denied, unrestricted, got "maybe"
    "#);
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --commitment nothing"), @"
    exit 3
      ! program: not checked: the recorded commit is not the one that the program was built from, so the sources that were checked are not those of what trained; for a program that was installed: --program installed
      ! commitment: not checked: nothing: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --data nothing"), @r#"
    exit 2
    error: invalid value 'nothing' for '--data <NAME=DIR>': expected NAME=DIR, got "nothing"

    For more information, try '--help'.
    "#);
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --data nothing=nowhere"), @"
    exit 3
      ! program: not checked: the recorded commit is not the one that the program was built from, so the sources that were checked are not those of what trained; for a program that was installed: --program installed
      ! data: not checked: the run used no data set nothing
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --env NO_SUCH_VARIABLE"), @"
    exit 2
    error: invalid value 'NO_SUCH_VARIABLE' for '--env <NAME[=VALUE]>': NO_SUCH_VARIABLE: environment variable not found

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --repository nowhere"), @r#"
    exit 3
      ! config: not checked: nowhere/configs: expected the folder of the configs, got none there: say where the work tree is with --repository DIR, or the configs with --configs DIR
      ! git: not checked: cannot read nowhere: No such file or directory (os error 2)
      ! program: not checked: the recorded commit is not the one that the program was built from, so the sources that were checked are not those of what trained; for a program that was installed: --program installed
      ! data: not checked: data set sim_tiny: expected it in the work tree at "data/sim_tiny", where the record says, got none there: say where it is with --data sim_tiny=DIR
      ! data: not checked: no data set is here: nothing was hashed; add --replay or name them with --data
      ! end: not checked: the plan is not known, as the signed config was not composed
    "#);
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --configs nowhere"), @"
    exit 3
      ! config: not checked: nowhere: expected the folder of the configs, got none there: say where the work tree is with --repository DIR, or the configs with --configs DIR
      ! program: not checked: the recorded commit is not the one that the program was built from, so the sources that were checked are not those of what trained; for a program that was installed: --program installed
      ! end: not checked: the plan is not known, as the signed config was not composed
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --program other"), @"
    exit 2
    error: invalid value 'other' for '--program <PROGRAM>'
      [possible values: recorded, installed]

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --segments 0"), @"
    exit 2
    error: invalid value '0' for '--segments <COUNT>': 0 is not in 1..=4294967295

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --budget soon"), @r#"
    exit 2
    error: invalid value 'soon' for '--budget <TIME>': expected a time such as 10m or 1h30m, got "soon"

    For more information, try '--help'.
    "#);
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --replay --segments 1"), @"
    exit 2
    error: the argument '--replay' cannot be used with '--segments <COUNT>'

    Usage: spectramind-verify audit --replay <RUN>

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --draw nonce"), @"
    exit 2
    error: the following required arguments were not provided:
      <--segments <COUNT>|--budget <TIME>>

    Usage: spectramind-verify audit --draw <NONCE> <--segments <COUNT>|--budget <TIME>> <RUN>

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --jobs 0"), @"
    exit 2
    error: invalid value '0' for '--jobs <COUNT>': expected a whole number from 1

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --accelerator tpu"), @"
    exit 2
    error: invalid value 'tpu' for '--accelerator <ACCELERATOR>'
      [possible values: cpu, wgpu, cuda, auto]

      tip: a similar value exists: 'cpu'

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --sign nothing.pem"), @"
    exit 2
    Error: cannot read key file nothing.pem: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --verdict-out x"), @"
    exit 2
    error: the following required arguments were not provided:
      --sign <KEY.pem>

    Usage: spectramind-verify audit --sign <KEY.pem> --verdict-out <FILE> <RUN>

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --json --html -"), @"
    exit 2
    Error: standard output: expected one report at most, got 2
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify audit run --junit - --sarif -"), @"
    exit 2
    Error: standard output: expected one report at most, got 2
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify verdict run"), @"
    exit 3
      ! signature: not checked: nobody said whose key the manifest has to carry: name the trainer's with --trainer-key PUB, or trainers and verifiers with --trust FILE
      ! verdict: not checked: run/verdict.intoto.jsonl: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify verdict run --verdict nothing"), @"
    exit 3
      ! signature: not checked: nobody said whose key the manifest has to carry: name the trainer's with --trainer-key PUB, or trainers and verifiers with --trust FILE
      ! verdict: not checked: ./nothing: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify verdict run --trainer-key nothing.pub"), @"
    exit 3
      ! signature: not checked: cannot read key file nothing.pub: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify envelope"), @"
    exit 2
    error: the following required arguments were not provided:
      <RUN>

    Usage: spectramind-verify envelope <RUN> [OVERRIDE]...

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify envelope run --static"), @r#"
    exit 2
    Error: could not find the primary config "train"
    "#);
    assert_snapshot!(said(&sandbox, "spectramind-verify envelope --static train=1"), @r#"
    exit 2
    Error: could not find the primary config "train"
    "#);
}

#[test]
fn golden() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind-verify golden nowhere"), @"
    exit 3
      ! golden: not checked: cannot list nowhere: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify golden --update"), @"
    exit 2
    error: the following required arguments were not provided:
      --reason <TEXT>

    Usage: spectramind-verify golden --update --reason <TEXT> [GOLDEN]

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify golden --reason because"), @"
    exit 2
    error: the following required arguments were not provided:
      --update

    Usage: spectramind-verify golden --reason <TEXT> --update [GOLDEN]

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "mkdir golden; spectramind-verify golden"), @"
    exit 3
      ! golden: not checked: golden: expected a folder with a case.json in it, got none
    ");
    assert_snapshot!(said(&sandbox, "mkdir golden/x; spectramind-verify golden"), @"
    exit 3
      ! golden: not checked: golden: expected a folder with a case.json in it, got none
    ");
    assert_snapshot!(said(&sandbox, "echo '{' > golden/x/golden.json; spectramind-verify golden"), @"
    exit 3
      ! golden: not checked: golden: expected a folder with a case.json in it, got none
    ");
}

#[test]
fn twice() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind-verify twice"), @"
    exit 2
    error: the following required arguments were not provided:
      <CMD>...

    Usage: spectramind-verify twice -- <CMD>...

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --"), @"
    exit 2
    error: the following required arguments were not provided:
      <CMD>...

    Usage: spectramind-verify twice -- <CMD>...

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --stdout --runs 1 -- true"), @"
    exit 2
    error: invalid value '1' for '--runs <N>': 1 is not in 2..=4294967295

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --stdout --runs 9 --max-runs 3 -- true"), @"
    exit 2
    Error: --max-runs 3: expected as many as --runs at least, 9
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --stdout --vary nothing -- true"), @r#"
    exit 2
    error: invalid value 'nothing' for '--vary <LIST>': expected one of path, home, threads, cores, hash-seed, timezone, locale, umask, hostname, listing, cpu, clock, got "nothing"

    For more information, try '--help'.
    "#);
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --stdout --keep nothing -- true"), @"
    exit 2
    error: invalid value 'nothing' for '--keep <LIST>'
      [possible values: path, home, threads, cores, hash-seed, timezone, locale, umask, hostname, listing, cpu, clock]

      tip: a similar value exists: 'listing'

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --stdout --vary path --keep path -- true"), @"
    exit 2
    error: the argument '--vary <LIST>' cannot be used with '--keep <LIST>'

    Usage: spectramind-verify twice --stdout --vary <LIST> -- <CMD>...

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --stdout --timeout 0 -- true"), @"
    exit 2
    error: invalid value '0' for '--timeout <SECONDS>': 0 is not in 1..18446744073709551615

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --stdout --directory nowhere -- true"), @"
    exit 2
    Error: nowhere: expected a folder, got none
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --stdout --keep-copies configs -- true"), @"
    exit 2
    Error: --keep-copies configs: expected an empty folder or none
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --stdout --scratch nowhere -- true"), @"
    exit 2
    Error: --scratch nowhere: expected a folder, got none
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify twice --stdout --writes nowhere -- true"), @"
    exit 2
    Error: --writes nowhere: expected something that is there
    ");
}

#[test]
fn dispute() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind-verify dispute nothing"), @"
    exit 3
      ! signature: not checked: nothing: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify dispute run nothing"), @"
    exit 3
      ! dispute: not checked: nothing: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify dispute run --step x"), @"
    exit 2
    error: invalid value 'x' for '--step <STEP>': invalid digit found in string

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify dispute run --with nothing"), @"
    exit 3
      ! dispute: not checked: nothing: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify dispute run --with configs/train.yaml"), @"
    exit 3
      ! dispute: not checked: configs/train.yaml: expected a trace of a step, got something else (expected value at line 1 column 1)
    ");
    assert_snapshot!(said(&sandbox, "spectramind-verify dispute run run --against cpu"), @"
    exit 2
    error: the argument '[OTHER]' cannot be used with '--against <ACCELERATOR>'

    Usage: spectramind-verify dispute <RUN> <OTHER>

    For more information, try '--help'.
    ");
}
