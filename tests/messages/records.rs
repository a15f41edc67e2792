//! What the verifier says of records that somebody changed and signed again, field by field, and of bundles that nobody wrote.

use std::fs;

use insta::assert_snapshot;
use spectramind::manifest::dsse::Envelope;
use spectramind::manifest::key::SigningKey;
use spectramind::manifest::statement::Statement;
use spectramind::manifest::strict_json;

use super::{project, said};
use crate::forgery::{claim_all, own_key, put_digest, sign, statement};
use crate::sandbox::{Sandbox, simulated, trained_copy};

const MANIFEST: &str = "run/manifest.intoto.jsonl";

/// What `line` comes to when the first `from` in the run's signed statement is `to`, signed again; afterwards all is as it was.
fn retold(sandbox: &Sandbox, from: &str, to: &str, line: &str) -> String {
    let path = sandbox.path(MANIFEST);
    let kept = fs::read(&path).expect("read");
    let payload = strict_json::to_vec(&statement(sandbox, "run")).expect("payload");
    let payload = String::from_utf8(payload).expect("JSON");
    assert!(payload.contains(from), "{from} is not in {payload}");
    fs::write(&path, signed(&payload.replacen(from, to, 1), &own_key(sandbox))).expect("write");
    let said = said(sandbox, line);
    fs::write(&path, kept).expect("write");
    said
}

/// The same of the check of the manifest alone.
fn checked(sandbox: &Sandbox, from: &str, to: &str) -> String {
    retold(sandbox, from, to, "spectramind-verify manifest run")
}

/// A line of a bundle.
fn signed(payload: &str, key: &SigningKey) -> Vec<u8> {
    Envelope::sign(payload.as_bytes(), &[key]).and_then(|envelope| envelope.to_line()).expect("an envelope")
}

#[test]
fn statements() {
    let sandbox = trained_copy();
    assert_snapshot!(checked(&sandbox, r#""predicateType":"urn:x-"#, r#""predicateType":"urn:y-"#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed statement: predicate type: expected "urn:x-spectramind:training-run:v2", got "urn:y-spectramind:training-run:v2"
    "#);
    assert_snapshot!(checked(&sandbox, r#""name":"evaluation.json""#, r#""name":"checkpoints/final.safetensors""#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed statement: subjects of the statement: path "checkpoints/final.safetensors" is listed twice
    "#);
    assert_snapshot!(checked(&sandbox, r#""name":"evaluation.json""#, r#""name":"Evaluation.json""#), @"
    exit 1
      ! files: FAILED: files of the record: expected the signed ones, in their order, got others
      ! files: FAILED: Evaluation.json is signed, and the record does not say how large it is
      ! files: FAILED: evaluation.json is claimed and not among the signed files
      ! files: FAILED: evaluation.json: a file that nobody signed; --allow-unsigned PATTERN lets one be
      ! files: not checked: Evaluation.json: signed, and no run of this program writes such a file: nothing can check it
    ");
    assert_snapshot!(checked(&sandbox, r#""name":"evaluation.json""#, r#""name":"../evaluation.json""#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at subject[4].name: path "../evaluation.json": has a component `..`, expected a relative path with `/` between its components
    "#);
    assert_snapshot!(checked(&sandbox, r#""name":"evaluation.json""#, r#""name":"./evaluation.json""#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at subject[4].name: path "./evaluation.json": has a component `.`, expected a relative path with `/` between its components
    "#);
    assert_snapshot!(checked(&sandbox, r#""name":"evaluation.json""#, r#""name":"/evaluation.json""#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at subject[4].name: path "/evaluation.json": is absolute, expected a relative path with `/` between its components
    "#);
    assert_snapshot!(checked(&sandbox, r#""name":"evaluation.json""#, r#""name":"a//evaluation.json""#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at subject[4].name: path "a//evaluation.json": has an empty component, expected a relative path with `/` between its components
    "#);
    assert_snapshot!(checked(&sandbox, r#""name":"evaluation.json""#, r#""name":"a\\evaluation.json""#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at subject[4].name: path "a\\evaluation.json": has a backslash, expected a relative path with `/` between its components
    "#);
    assert_snapshot!(checked(&sandbox, r#""name":"evaluation.json""#, r#""name":"""#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at subject[4].name: path "": is empty, expected a relative path with `/` between its components
    "#);
    assert_snapshot!(checked(&sandbox, r#""name":"evaluation.json""#, r#""name":"evaluation.json/x""#), @"
    exit 1
      ! files: FAILED: files of the record: expected the signed ones, in their order, got others
      ! files: FAILED: evaluation.json/x is signed, and the record does not say how large it is
      ! files: FAILED: evaluation.json is claimed and not among the signed files
      ! files: FAILED: evaluation.json: a file that nobody signed; --allow-unsigned PATTERN lets one be
      ! files: not checked: evaluation.json/x: signed, and no run of this program writes such a file: nothing can check it
    ");
    assert_snapshot!(checked(&sandbox, r#""name":"logs/events.jsonl""#, r#""name":"evaluation.json/x""#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed statement: subjects of the statement: path "evaluation.json" is listed both as a file and as a directory
    "#);
    let long = format!(r#""name":"{}""#, "x/".repeat(2050));
    assert_snapshot!(checked(&sandbox, r#""name":"evaluation.json""#, &long).replace("x/x/x/", ""), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at subject[4].name: path "x/": is longer than 4096 bytes, expected a relative path with `/` between its components
    "#);
    let mut of_nothing = statement(&sandbox, "run");
    of_nothing.subject.clear();
    sign(&sandbox, "run", &of_nothing, &own_key(&sandbox));
    assert_snapshot!(said(&sandbox, "spectramind-verify manifest run"), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed statement: statement has 0 subjects, expected 1 to 4096
    ");
}

#[test]
fn texts_that_are_no_statement() {
    let sandbox = trained_copy();
    assert_snapshot!(checked(&sandbox, r#""count":8"#, r#""count":8,"count":8"#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON object has the key "count" twice
    "#);
    assert_snapshot!(checked(&sandbox, r#""count":8"#, r#""count":9007199254740992"#), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON integer 9007199254740992, expected at most 9007199254740991 either side of zero
    ");
    assert_snapshot!(checked(&sandbox, r#""count":8"#, r#""count":"8""#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at predicate.computation.training.steps.count: invalid type: string "8", expected u64
    "#);
    assert_snapshot!(checked(&sandbox, r#""count":8"#, r#""count":8.5"#), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at predicate.computation.training.steps.count: invalid type: floating point `8.5`, expected u64
    ");
    assert_snapshot!(checked(&sandbox, r#""count":8"#, &format!(r#""count":{}8{}"#, "[".repeat(40), "]".repeat(40))), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON document nests deeper than 32 levels
    ");
    assert_snapshot!(checked(&sandbox, r#"{"_type""#, r#"{} {"_type""#), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON document is followed by other bytes
    ");
    assert_snapshot!(checked(&sandbox, r#""value":0.4"#, r#""value":1.4"#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at predicate.metrics[0].value: bits of 1.4087692104164777: expected "3ff68a5195659bb5", got "3fda294655966ed4"
    "#);
    assert_snapshot!(checked(&sandbox, r#""bits":"3fd"#, r#""bits":"7fffd"#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at predicate.metrics[0].value: bits of 0.40876921041647774: expected "3fda294655966ed4", got "7fffda294655966ed4"
    "#);
    let commit = statement(&sandbox, "run").predicate.git.expect("a repository").commit.as_str().to_owned();
    assert_snapshot!(checked(&sandbox, r#""commit":""#, r#""commit":"x"#).replace(&commit, "[commit]"), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at predicate.git.commit: expected a git object id of 40 or 64 lowercase hex digits, got "x[commit]"
    "#);
}

#[test]
fn claims_that_contradict_themselves() {
    let sandbox = trained_copy();
    assert_snapshot!(checked(&sandbox, r#""step":8"#, r#""step":9"#), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed statement: predicate at computation.training.checkpoints: step 9 of 8 steps
    ");
    let checkpoint = r#"{"file":"checkpoints/final.safetensors","step":8"#;
    let earlier = r#"{"file":"evaluation.json","step":9,"stateDigest":"5318413d080f40873eed732fcd29fad1a8c093b37e80727d6b584a3f3ec1190e"},"#;
    assert_snapshot!(checked(&sandbox, checkpoint, &format!("{earlier}{checkpoint}")), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed statement: predicate at computation.training.checkpoints: step 8 comes after step 9
    ");
    assert_snapshot!(checked(&sandbox, r#""workload":"ariel""#, r#""workload":"command""#), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed statement: predicate at workload: "command" over the record of another kind of computation
    "#);
    let workers = r#""stretches":[{"firstStep":"1","workers":[]}],"numerics""#;
    assert_snapshot!(checked(&sandbox, r#""numerics""#, workers), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed statement: predicate at computation.training.stretches: 0 workers from step 1 on: expected a power of two
    ");
}

#[test]
fn commands_that_did_not_end_well() {
    let sandbox = project();
    sandbox.done(&["exec", "hydra.run.dir=run", "--", "touch", "{run}/x"]);
    assert_snapshot!(checked(&sandbox, r#""exitCode":0"#, r#""exitCode":1"#), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed statement: predicate at computation.command.exitCode: 1: only success is signed, and what somebody stopped
    ");
}

#[test]
fn envelopes_and_bundles() {
    let sandbox = trained_copy();
    let bundle = fs::read_to_string(sandbox.path(MANIFEST)).expect("read");
    let run = bundle.lines().next().expect("a line").to_owned() + "\n";
    let said_of = |text: &str| {
        fs::write(sandbox.path(MANIFEST), text).expect("write");
        said(&sandbox, "spectramind-verify manifest run")
    };
    assert_snapshot!(said_of(""), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: refused envelope: bundle has 0 envelopes, expected 1 to 16
    ");
    assert_snapshot!(said_of(run.trim_end()), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: refused envelope: bundle ends within line 1
    ");
    assert_snapshot!(said_of(&run.repeat(2)), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: bundle has 2 training-run statements, expected 1
    ");
    assert_snapshot!(said_of(&run.repeat(17)), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: refused envelope: bundle has 17 envelopes, expected 1 to 16
    ");
    assert_snapshot!(said_of(&bundle.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: bundle has 0 training-run statements, expected 1
    ");
    let last = bundle.lines().last().expect("a line").to_owned() + "\n";
    assert_snapshot!(said_of(&format!("{run}{last}{last}")), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: bundle has two https://slsa.dev/provenance/v1 statements
    ");
    assert_snapshot!(said_of(&run.replace("application/vnd.in-toto+json", "text/plain")), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: refused envelope: payload type: expected "application/vnd.in-toto+json", got "text/plain"
    "#);
    assert_snapshot!(said_of(&run.replace(r#""signatures":["#, r#""signatures":[],"x":["#)), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: refused envelope: envelope: JSON at x: unknown field `x`, expected one of `payload`, `payloadType`, `signatures`
    ");
    let (before, signature) = run.split_once(r#""signatures":["#).expect("signatures");
    let one = signature.trim_end().trim_end_matches("]}");
    assert_snapshot!(said_of(&format!("{before}\"signatures\":[]}}\n")), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: refused envelope: envelope has 0 signatures, expected 1 to 16
    ");
    let many = vec![one; 17].join(",");
    assert_snapshot!(said_of(&format!("{before}\"signatures\":[{many}]}}\n")), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: refused envelope: envelope has 17 signatures, expected 1 to 16
    ");
    assert_snapshot!(said_of(&format!("{before}\"signatures\":[{one},{one}]}}\n")), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signature 1: expected one by a trusted key, once and under its own key id, got key id "[digest]"
    "#);
    assert_snapshot!(said_of(&run.replace(r#""payload":""#, r#""payload":"?"#)), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: refused envelope: payload is not Base64 as expected: Invalid symbol 63, offset 0.
    ");
    assert_snapshot!(said_of(&run.replacen(r#"{"#, r#"{ "#, 1)).replace(&format!("got {} bytes", run.len()), "got N bytes"), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: refused envelope: envelope: expected the canonical form, as this program writes it, got N bytes in another
    ");
    assert_snapshot!(said_of(&run.replace(r#""keyid":""#, r#""keyid":"0"#)), @r#"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signature 0: expected one by a trusted key, once and under its own key id, got key id "[digest]"
    "#);
    assert_snapshot!(said_of(&("x".repeat((1 << 20) + 1) + "\n")), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: refused envelope: envelope: JSON document has 1048577 bytes, expected at most 1048576
    ");
    // Read without a check.
    fs::write(sandbox.path(MANIFEST), &last).expect("write");
    assert_snapshot!(said(&sandbox, "spectramind runs show run"), @"
    exit 1
    Error: run/manifest.intoto.jsonl: bundle has no urn:x-spectramind:training-run:v2 statement
    ");
}

/// The payload of a line of a bundle.
fn payload(line: &str) -> String {
    let envelope: serde_json::Value = serde_json::from_str(line).expect("an envelope");
    let base64 = envelope["payload"].as_str().expect("Base64");
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).expect("Base64");
    String::from_utf8(bytes).expect("JSON")
}

#[test]
fn provenance_that_says_something_else_than_the_run() {
    let sandbox = trained_copy();
    let bundle = fs::read_to_string(sandbox.path(MANIFEST)).expect("read");
    let (run, provenance) = bundle.split_once('\n').expect("two lines");
    let said_of = |from: &str, to: &str| {
        let line = signed(&payload(provenance).replacen(from, to, 1), &own_key(&sandbox));
        let line = String::from_utf8(line).expect("UTF-8");
        fs::write(sandbox.path(MANIFEST), format!("{run}\n{line}")).expect("write");
        said(&sandbox, "spectramind-verify manifest run")
    };
    assert_snapshot!(said_of(r#""count":"369""#, r#""count":"368""#), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: the https://slsa.dev/provenance/v1 statement contradicts the urn:x-spectramind:training-run:v2 statement in its predicate
    ");
    assert_snapshot!(said_of("self-hosted", "hosted"), @"
    exit 1
      ! signature: FAILED: run/manifest.intoto.jsonl: signed payload: JSON at predicate.runDetails.builder.id: unknown variant `urn:x-spectramind:builder:hosted:v1`, expected `urn:x-spectramind:builder:self-hosted:v1`
    ");
}

#[test]
fn lists_of_data() {
    let sandbox = trained_copy();
    let (path, list) = ("provenance/sim_tiny.jsonl", sandbox.path("run/provenance/sim_tiny.jsonl"));
    let honest = fs::read_to_string(&list).expect("read");
    let mut lines = honest.lines();
    let (first, second) = (lines.next().expect("a line"), lines.next().expect("a line"));
    let said_of = |text: &str| {
        fs::write(&list, text).expect("write");
        let mut statement = statement(&sandbox, "run");
        put_digest(&sandbox, &mut statement, path);
        sign(&sandbox, "run", &statement, &own_key(&sandbox));
        said(&sandbox, "spectramind-verify data run")
    };
    assert_snapshot!(said_of(honest.trim_end()), @"
    exit 1
      ! data: FAILED: provenance/sim_tiny.jsonl: data list ends within line 369
    ");
    assert_snapshot!(said_of("x\n"), @"
    exit 1
      ! data: FAILED: provenance/sim_tiny.jsonl: data list, line 1: expected value at line 1 column 1
    ");
    assert_snapshot!(said_of(&format!("{}\n", first.replacen('{', "{ ", 1))), @"
    exit 1
      ! data: FAILED: provenance/sim_tiny.jsonl: data list, line 1: expected the canonical form, got another spelling
    ");
    assert_snapshot!(said_of(&format!("{second}\n{first}\n")), @"
    exit 1
      ! data: FAILED: provenance/sim_tiny.jsonl: data list, line 2: adc_info.csv is out of order
    ");
    assert_snapshot!(said_of(&format!("{first}\n{first}\n")), @r#"
    exit 1
      ! data: FAILED: provenance/sim_tiny.jsonl: data list, line 2: path "adc_info.csv" is listed twice
    "#);
    assert_snapshot!(said_of(&format!("{}\n{first}\n", first.replacen("adc", "ADC", 1))), @r#"
    exit 1
      ! data: FAILED: provenance/sim_tiny.jsonl: data list, line 2: paths "ADC_info.csv" and "adc_info.csv" differ in upper and lower case only
    "#);
    assert_snapshot!(said_of(&format!("{}\n", first.replacen(r#""path":""#, r#""path":"../"#, 1))), @r#"
    exit 1
      ! data: FAILED: provenance/sim_tiny.jsonl: data list, line 1: path "../adc_info.csv": has a component `..`, expected a relative path with `/` between its components at line 1 column 25
    "#);
    assert_snapshot!(said_of(&format!("{}\n", first.replacen(r#""size":"#, r#""size":99999999999999"#, 1))), @"
    exit 1
      ! data: FAILED: provenance/sim_tiny.jsonl: data list, line 1: size 9999999999999994, expected at most 9007199254740991
    ");
}

#[test]
fn lists_of_dvc_outputs() {
    let sandbox = Sandbox::with_data();
    let document = "outs: [{md5: 00000000000000000000000000000000.dir, path: sim_tiny}]\n";
    fs::write(sandbox.path("data/sim_tiny.dvc"), document).expect("write");
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "provenance.dvc=record"]);
    let said_of = |text: &str| {
        fs::write(sandbox.path("run/provenance/sim_tiny.dvc.jsonl"), text).expect("write");
        let mut statement = statement(&sandbox, "run");
        put_digest(&sandbox, &mut statement, "provenance/sim_tiny.dvc.jsonl");
        sign(&sandbox, "run", &statement, &own_key(&sandbox));
        said(&sandbox, "spectramind-verify data run")
    };
    assert_snapshot!(said_of("x\n"), @"
    exit 1
      ! data: FAILED: provenance/sim_tiny.dvc.jsonl: list of DVC outputs, line 1: expected value at line 1 column 1
    ");
    assert_snapshot!(said_of(&" ".repeat((64 << 20) + 1)), @"
    exit 1
      ! data: FAILED: provenance/sim_tiny.dvc.jsonl: list of DVC outputs has 67108865 bytes, expected at most 67108864
    ");
}

#[test]
fn logs_of_events() {
    let sandbox = trained_copy();
    let path = sandbox.path("run/logs/events.jsonl");
    let honest = fs::read_to_string(&path).expect("read");
    let said_of = |text: &str| {
        fs::write(&path, text).expect("write");
        let mut statement = statement(&sandbox, "run");
        put_digest(&sandbox, &mut statement, "logs/events.jsonl");
        sign(&sandbox, "run", &statement, &own_key(&sandbox));
        said(&sandbox, "spectramind-verify manifest run")
    };
    assert_snapshot!(said_of(honest.trim_end()), @"
    exit 1
      ! record: FAILED: logs/events.jsonl: line 12: expected a line end, got the end of the file
    ");
    assert_snapshot!(said_of("x\n"), @"
    exit 1
      ! record: FAILED: logs/events.jsonl: line 1: expected an event, got something else (expected value at line 1 column 1)
    ");
}

#[test]
fn files_that_are_too_large_or_not_named() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "truncate --size=2G large; spectramind-verify audit run --policy large"), @"
    exit 2
    Error: large is no policy: large: expected at most 4194304 bytes of YAML, got 2147483648
    ");
    assert_snapshot!(said(&sandbox, "echo '{}' > policy.yaml; spectramind-verify audit run --policy policy.yaml"), @"
    exit 2
    Error: policy.yaml is no policy: expected at least one rule, got none
    ");
    let mut statement = statement(&sandbox, "run");
    fs::rename(sandbox.path("run/.hydra/config.yaml"), sandbox.path("kept")).expect("moved");
    claim_all(&sandbox, "run", &mut statement);
    sign(&sandbox, "run", &statement, &own_key(&sandbox));
    fs::rename(sandbox.path("kept"), sandbox.path("run/.hydra/config.yaml")).expect("moved");
    assert_snapshot!(said(&sandbox, "spectramind runs report run --out a.html"), @"
    exit 1
    Error: run/.hydra/config.yaml: expected a file that the manifest names, got one that it does not
    ");
}

#[test]
fn curves() {
    let sandbox = trained_copy();
    let path = sandbox.path("run/logs/metrics.csv");
    let honest = fs::read_to_string(&path).expect("read");
    let resign = |name: &str| {
        let mut statement = statement(&sandbox, "run");
        put_digest(&sandbox, &mut statement, name);
        sign(&sandbox, "run", &statement, &own_key(&sandbox));
    };
    fs::write(&path, format!("{honest},,,\n")).expect("write");
    resign("logs/metrics.csv");
    assert_snapshot!(said(&sandbox, "spectramind runs report run --out a.html"), @r#"
    exit 1
    reading the run's files
    drawing spectra
    drawing light curves
    Error: run/logs/metrics.csv, line 31: expected step,epoch,metric,value, got ",,,"
    "#);
    fs::write(&path, honest).expect("write");
    resign("logs/metrics.csv");
    let steps = fs::read_to_string(sandbox.path("run/steps.jsonl")).expect("read");
    fs::write(sandbox.path("run/steps.jsonl"), steps.replace(r#""lossBits":""#, r#""lossBits":"x"#)).expect("write");
    resign("steps.jsonl");
    assert_snapshot!(said(&sandbox, "spectramind runs report run --out a.html"), @r#"
    exit 1
    reading the run's files
    drawing spectra
    drawing light curves
    Error: run/steps.jsonl, line 1: expected the hex digits of a number's bits, got "xbedc0797"
    "#);
}

#[test]
fn verdicts() {
    let sandbox = simulated().copy();
    sandbox.done(&["keys", "generate", "--out", "vic.pem"]);
    let audit = "spectramind-verify audit run --program installed --replay --sign vic.pem --verdict-out";
    assert_snapshot!(said(&sandbox, &format!("{audit} verdict")), @"
    exit 0
    wrote verdict
    ");
    let verdict = "spectramind keys show --public > own.pub; spectramind-verify verdict run --trainer-key own.pub --key vic.pub.pem --verdict";
    assert_snapshot!(said(&sandbox, &format!("head -n 1 verdict > a; {verdict} a")), @"
    exit 0
    ");
    assert_snapshot!(said(&sandbox, &format!("cat verdict verdict > a; {verdict} a")), @"
    exit 1
      ! verdict: FAILED: a: bundle has two https://in-toto.io/attestation/test-result/v0.1 statements
    ");
    assert_snapshot!(said(&sandbox, &format!("tail -n 2 verdict > a; {verdict} a")), @"
    exit 1
      ! verdict: FAILED: a: bundle has 0 replay verdicts, expected 1
    ");
    assert_snapshot!(said(&sandbox, &format!("head -n 1 verdict > a; head -n 1 verdict >> a; {verdict} a")), @"
    exit 1
      ! verdict: FAILED: a: bundle has 2 replay verdicts, expected 1
    ");
    assert_snapshot!(said(&sandbox, &format!("{verdict} {MANIFEST}")), @r#"
    exit 1
      ! verdict: FAILED: run/manifest.intoto.jsonl: signed by 0 trusted keys, expected 1; the key of "the given trainer's key" does not count: its role is trainer, expected verifier
    "#);
    assert_snapshot!(said(&sandbox, &verdict.replace("vic.pub.pem", "own.pub").replace("--verdict", "--verdict verdict")), @"
    exit 1
      ! verdict: FAILED: verdict: signed by 0 trusted keys, expected 1
    ");
    let own = "$(spectramind keys show | sed -n 's/^file *//p')";
    assert_snapshot!(said(&sandbox, &format!("spectramind-verify audit run --program installed --sign {own} --verdict-out b")), @"
    exit 2
    Error: --sign [sandbox]/home/.config/spectramind/signing-key.pem: the key [digest] signed the manifest: nobody is their own verifier
    ");
    let line = fs::read_to_string(sandbox.path("verdict")).expect("read");
    let claim = payload(line.lines().next().expect("a line"));
    fs::write(sandbox.path("a"), signed(&claim, &own_key(&sandbox))).expect("write");
    assert_snapshot!(said(&sandbox, &format!("{verdict} a").replace("vic.pub.pem", "own.pub")), @r#"
    exit 1
      ! verdict: FAILED: a: verdict signed by "the given key" (keyid [digest]), who signed the manifest: nobody is their own verifier
    "#);
    sandbox.done(&["keys", "generate", "--out", "eve.pem"]);
    let eve = SigningKey::load(&sandbox.path("eve.pem")).expect("a key");
    fs::write(sandbox.path("a"), signed(&claim, &eve)).expect("write");
    assert_snapshot!(said(&sandbox, &format!("{verdict} a").replace("vic.pub.pem", "eve.pub.pem")), @"
    exit 1
      ! verdict: FAILED: a: verdict of the verifier [digest], who did not sign it
    ");
    // Of another run.
    let mut other: Statement<_> = statement(&sandbox, "run");
    other.predicate.run.id.push('x');
    sign(&sandbox, "run", &other, &own_key(&sandbox));
    assert_snapshot!(said(&sandbox, &format!("{verdict} verdict")), @"
    exit 1
      ! verdict: FAILED: verdict: verdict on the manifest [digest], expected [digest]
    ");
}

#[test]
fn commitments() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind commit --out c trainer=ci_fast run.dir=run 2> /dev/null; cat c c > a; spectramind-verify audit run --program installed --commitment a"), @"
    exit 1
      ! commitment: FAILED: a: 2 envelopes, expected one with a config commitment
    ");
    assert_snapshot!(said(&sandbox, &format!("spectramind-verify audit run --program installed --commitment {MANIFEST}")), @"
    exit 1
      ! commitment: FAILED: run/manifest.intoto.jsonl: 2 envelopes, expected one with a config commitment
    ");
}
