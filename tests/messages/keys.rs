//! What is said about keys and trust documents.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::Sandbox;

#[test]
fn signing_keys() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "echo precious > own.pem; spectramind keys generate --out own.pem"), @"
    exit 1
    Error: cannot create key file own.pem
      caused by: File exists (os error 17)
    Hint: name another with --out FILE: a key is never written over a file
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys show"), @"
    exit 1
    Error: cannot read key file [sandbox]/home/.config/spectramind/signing-key.pem
      caused by: No such file or directory (os error 2)
    Hint: name one that is there, or make a key with `spectramind keys generate --out FILE`
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys show --signing-key nothing.pem"), @"
    exit 1
    Error: cannot read key file nothing.pem
      caused by: No such file or directory (os error 2)
    Hint: name one that is there, or make a key with `spectramind keys generate --out FILE`
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --signing-key own.pem"), @"
    exit 1
    Error: key file own.pem has mode 0644, expected 0600: others may read it
    Hint: chmod 600 own.pem
    ");
    assert_snapshot!(said(&sandbox, "chmod 600 own.pem; spectramind train --signing-key own.pem"), @"
    exit 1
    Error: key file own.pem
      caused by: not an Ed25519 private key in PKCS#8 PEM: PEM error: PEM preamble contains invalid data (NUL byte)
    Hint: make a new key with `spectramind keys generate --out FILE`
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --signing-key configs"), @"
    exit 1
    Error: key file configs is not a regular file
    Hint: make a new key with `spectramind keys generate --out FILE`
    ");
    assert_snapshot!(said(&sandbox, "head -c 100000 /dev/zero > large.pem; chmod 600 large.pem; spectramind train --signing-key large.pem"), @"
    exit 1
    Error: key file large.pem is larger than 16384 bytes
    Hint: make a new key with `spectramind keys generate --out FILE`
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys generate --out no/such/folder/own.pem --encrypted"), @"
    exit 2
    Error: key file no/such/folder/own.pem needs a passphrase, and there is no terminal to ask for it
    Hint: use --passphrase-file FILE (mode 0600) or the environment variable SPECTRAMIND_PASSPHRASE
    ");
    assert_snapshot!(said(&sandbox, "printf '' > empty; chmod 600 empty; spectramind keys generate --out new.pem --encrypted --passphrase-file empty"), @"
    exit 1
    Error: key file empty
      caused by: the passphrase is empty
    Hint: give one of some length, with --passphrase-file FILE, SPECTRAMIND_PASSPHRASE or at the prompt
    ");
    assert_snapshot!(said(&sandbox, "printf 'secret' > phrase; spectramind keys generate --out new.pem --encrypted --passphrase-file phrase"), @"
    exit 1
    Error: key file phrase has mode 0644, expected 0600: others may read it
    Hint: chmod 600 phrase
    ");
    assert_snapshot!(said(&sandbox, "chmod 600 phrase; spectramind keys generate --out new.pem --encrypted --passphrase-file nothing"), @"
    exit 1
    Error: cannot read key file nothing
      caused by: No such file or directory (os error 2)
    Hint: name one that is there, or make a key with `spectramind keys generate --out FILE`
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys generate --quiet --out new.pem --encrypted --passphrase-file phrase"), @"
    exit 2
    error: unexpected argument '--quiet' found

    Usage: spectramind keys generate [OPTIONS]

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys generate --out new.pem --encrypted --passphrase-file phrase 2>/dev/null; printf 'other' > phrase; spectramind train --signing-key new.pem --passphrase-file phrase"), @"
    exit 1
    Error: key file new.pem
      caused by: the passphrase does not open the private key
    Hint: give its passphrase with --passphrase-file FILE, SPECTRAMIND_PASSPHRASE or at the prompt
    ");
    assert_snapshot!(said(&sandbox, "spectramind train --signing-key new.pem"), @"
    exit 2
    Error: key file new.pem needs a passphrase, and there is no terminal to ask for it
    Hint: use --passphrase-file FILE (mode 0600) or the environment variable SPECTRAMIND_PASSPHRASE
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys generate --out open.pem 2>/dev/null; spectramind commit --signing-key open.pem --out own.pem"), @"
    exit 2
    Error: own.pem exists already: a commitment is never written over another
    Hint: name another --out
    ");
    assert_snapshot!(said(&sandbox, "spectramind commit --signing-key open.pem --out commitment trainer.seed=1,2 -m"), @"
    exit 2
    error: unexpected argument '-m' found

      tip: to pass '-m' as a value, use '-- -m'

    Usage: spectramind commit [OPTIONS] --out <FILE> [OVERRIDE]...

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind commit"), @"
    exit 2
    error: the following required arguments were not provided:
      --out <FILE>

    Usage: spectramind commit --out <FILE> [OVERRIDE]...

    For more information, try '--help'.
    ");
}

#[test]
fn trust_documents() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind keys generate --out root.pem 2>/dev/null; spectramind keys generate --out other.pem 2>/dev/null; spectramind keys show --public --signing-key root.pem > root.pub; spectramind keys show --public --signing-key other.pem > other.pub; spectramind keys trust init --root-key nothing.pem"), @"
    exit 1
    Error: cannot read key file nothing.pem
      caused by: No such file or directory (os error 2)
    Hint: name one that is there, or make a key with `spectramind keys generate --out FILE`
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust init --root-key root.pem --root-threshold 2"), @"
    exit 1
    Error: trust document has threshold 2 for its root keys, expected 1 to 1
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust init --root-key root.pem --root-key root.pem"), @"
    exit 1
    Error: trust document lists the root key [digest] twice
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust list"), @"
    exit 1
    Error: cannot read trust.json
      caused by: No such file or directory (os error 2)
    Hint: name the document with --trust FILE; `spectramind keys trust init` begins one
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust add --root-key root.pem --name ann --key other.pub --role trainer"), @"
    exit 1
    Error: cannot read trust.json
      caused by: No such file or directory (os error 2)
    Hint: name the document with --trust FILE; `spectramind keys trust init` begins one
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust init --root-key root.pem --expires-at soon"), @r#"
    exit 2
    error: invalid value 'soon' for '--expires-at <TIME>': expected a time such as 2026-01-31T12:00:00Z, got "soon"

    For more information, try '--help'.
    "#);
    assert_snapshot!(said(&sandbox, "spectramind keys trust init --root-key root.pem --quiet"), @"
    exit 2
    error: unexpected argument '--quiet' found

    Usage: spectramind keys trust init --root-key <FILE>

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust init --root-key root.pem >/dev/null; spectramind keys trust init --root-key root.pem"), @"
    exit 2
    wrote trust.json, version 1
    Error: trust.json exists already: a trust document is never begun over another
    Hint: change it with `spectramind keys trust add`, or name another --out
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust add --root-key other.pem --name ann --key other.pub --role trainer"), @"
    exit 1
    Error: trust.json is not changed
      caused by: trust document is signed by 0 of the root keys that are pinned, expected 1
    Hint: name with --root-key, once each, as many root keys as have to sign
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust add --root-key root.pem --name ann --key root.pub --role trainer"), @r#"
    exit 1
    Error: trust document lists the key of "ann" as a root key, too
    Hint: make a root key of its own: spectramind keys generate --out FILE
    "#);
    assert_snapshot!(said(&sandbox, "spectramind keys trust add --root-key root.pem --name ann --key other.pem --role trainer"), @r#"
    exit 1
    Error: key file other.pem
      caused by: not an Ed25519 public key (SPKI PEM, OpenSSH, minisign, or 32 bytes in hex or Base64): ASN.1 error: PEM error: unexpected PEM type label: expecting "BEGIN PUBLIC KEY"
    Hint: ask its owner for the output of `spectramind keys show --public`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind keys trust add --root-key root.pem --name '' --key other.pub --role trainer"), @r#"
    exit 1
    Error: trust document: "" is no name or challenge id of 1 to 128 printable characters
    "#);
    assert_snapshot!(said(&sandbox, "spectramind keys trust add --root-key root.pem --name ann --key other.pub --role boss"), @"
    exit 2
    error: invalid value 'boss' for '--role <ROLE>'
      [possible values: trainer, verifier]

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust add --root-key root.pem --name ann --key other.pub --role trainer --not-before 2030-01-01T00:00:00Z --not-after 2029-01-01T00:00:00Z"), @r#"
    exit 1
    Error: trust document: the key of "ann" is valid neither at nor after 2030-01-01T00:00:00Z, it ends at 2029-01-01T00:00:00Z
    "#);
    assert_snapshot!(said(&sandbox, "spectramind keys trust add --root-key root.pem --name ann --key other.pub --role trainer > /dev/null; spectramind keys trust add --root-key root.pem --name ann --key other.pub --role trainer"), @r#"
    exit 1
    wrote trust.json, version 2
    Error: trust document names "ann" twice
    "#);
    assert_snapshot!(said(&sandbox, "spectramind keys trust add --root-key root.pem --name bob --key other.pub --role trainer"), @r#"
    exit 1
    Error: trust document lists the key of "bob" twice, first as "ann"
    "#);
    assert_snapshot!(said(&sandbox, "spectramind keys trust revoke --root-key root.pem --name nobody"), @r#"
    exit 1
    Error: trust document has no key of "nobody"
    Hint: `spectramind keys trust list` shows the names
    "#);
    assert_snapshot!(said(&sandbox, "spectramind keys trust threshold --root-key root.pem --role trainer 0"), @"
    exit 1
    Error: trust document has threshold 0 for the role trainer, expected 1 to 1
    Hint: add keys of that role first, or lower the threshold first
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust threshold --root-key root.pem --role trainer 9"), @"
    exit 1
    Error: trust document has threshold 9 for the role trainer, expected 1 to 1
    Hint: add keys of that role first, or lower the threshold first
    ");
    assert_snapshot!(said(&sandbox, "spectramind keys trust rotate --root-key root.pem --new-root other.pem"), @r#"
    exit 1
    Error: trust document lists the key of "ann" as a root key, too
    Hint: make a root key of its own: spectramind keys generate --out FILE
    "#);
    assert_snapshot!(said(&sandbox, "spectramind keys trust list --root-key other.pub"), @"
    exit 1
    Error: trust.json is refused
      caused by: trust document is signed by 0 of the root keys that are pinned, expected 1
    Hint: name with --root-key, once each, as many root keys as have to sign
    ");
    assert_snapshot!(said(&sandbox, "echo '{' > trust.intoto.json; ls; spectramind keys trust list trust.intoto.json"), @"
    exit 2
    error: unexpected argument 'trust.intoto.json' found

      tip: overrides have no dashes: trust.intoto.json=VALUE

    Usage: spectramind keys trust list [OPTIONS]

    For more information, try '--help'.
    ");
}
