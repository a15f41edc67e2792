//! `spectramind doctor`: what it says of a machine that computes as promised.

use serde_json::Value;

use crate::sandbox::Sandbox;

#[test]
fn the_cpu_passes_the_probe_and_every_op_is_listed_on_demand() {
    let sandbox = Sandbox::new();
    let short = sandbox.done(&["doctor"]).stdout;
    for piece in [
        "cpu  ",
        "instruction level",
        "fused multiply-add",
        "subnormals          kept",
        "native products     inside their operands",
        "passed, digest ",
    ] {
        assert!(short.contains(piece), "{piece:?} is not said:\n{short}");
    }
    let denial = if cfg!(target_os = "linux") {
        "network=deny        by a system-call filter"
    } else {
        "network=deny        not here"
    };
    assert!(short.contains(denial), "{short}");
    assert!(short.contains("wall time           32400 s") && !short.contains("float_exp"), "{short}");
    let long = sandbox.done(&["doctor", "--verbose"]).stdout;
    assert!(long.lines().any(|line| line.trim().starts_with("float_exp ") && line.ends_with("equal")), "{long}");
}

#[test]
fn the_findings_are_data_too_and_the_same_every_time() {
    let sandbox = Sandbox::new();
    let findings = || -> Value { serde_json::from_str(&sandbox.done(&["doctor", "--json"]).stdout).expect("JSON") };
    let (first, second) = (findings(), findings());
    let device = &first["devices"][0];
    assert_eq!(device["accelerator"], "cpu");
    assert_eq!(device["probe"]["passed"], true);
    assert_eq!(device["probe"]["digest"], second["devices"][0]["probe"]["digest"]);
    let ops = device["probe"]["ops"].as_array().expect("a list");
    assert!(ops.iter().any(|op| op["op"] == "float_matmul") && ops.iter().all(|op| op["verdict"] == "equal"));
    assert!(device["probe"]["seconds"].as_f64().expect("a number") < 5.0);
    for device in first["devices"].as_array().expect("a list") {
        assert_eq!(device["nativeProducts"], "inside their operands", "{}", device["name"]);
    }
    assert_eq!(first["limits"]["wallSeconds"], 32_400);
}
