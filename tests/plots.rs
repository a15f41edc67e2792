//! Pictures and reports: drawn of what was signed, of nothing else, and the same each time.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spectramind::digest::{FileDigest, sha256};

use crate::sandbox::{Outcome, Sandbox, trained, trained_copy};

/// Names and bytes of the files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("list").map(|entry| entry.expect("entry"));
    entries
        .map(|entry| (entry.file_name().into_string().expect("UTF-8"), std::fs::read(entry.path()).expect("read")))
        .collect()
}

fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).expect("read")
}

/// Refused with this exit code, and with these words.
fn refused(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code, code, "{}{}", outcome.stdout, outcome.stderr);
    for word in words {
        assert!(outcome.stderr.contains(word), "no {word:?} in\n{}", outcome.stderr);
    }
}

#[test]
fn a_run_is_drawn_and_the_same_run_gives_the_same_bytes() {
    let sandbox = trained();
    let folder = tempfile::tempdir().expect("temp dir");
    let drawn = ["first", "second"].map(|name| {
        let out = folder.path().join(name);
        sandbox.done(&["plot", "run=run", &format!("out={}", out.display())]);
        files(&out)
    });
    assert!(drawn[0] == drawn[1]);
    let mut names = vec!["light-curves-best", "light-curves-median", "light-curves-worst"];
    names.extend(["reliability", "residuals", "spectra", "training", "validation"]);
    let expected: Vec<String> = names.iter().flat_map(|name| [format!("{name}.png"), format!("{name}.svg")]).collect();
    assert_eq!(drawn[0].keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    for (name, bytes) in &drawn[0] {
        assert!(!name.ends_with(".png") || bytes.starts_with(b"\x89PNG"), "{name}");
    }
    let svg = |name: &str| String::from_utf8(drawn[0][&format!("{name}.svg")].clone()).expect("UTF-8");
    for (name, said) in [
        ("spectra", vec!["wavelength (µm)", "transit depth (ppm)"]),
        (
            "light-curves-best",
            vec!["hours from the first read", "light − fit (ppm)", "FGS1, raw", "AIRS-CH0, calibrated"],
        ),
        ("residuals", vec!["residual (ppm)", "wavelength (µm)"]),
        ("reliability", vec!["expected share within the interval", "honest is 68.3 %"]),
        ("training", vec!["learning rate", "optimizer step"]),
        ("validation", vec!["val/score_unclipped"]),
    ] {
        for words in said {
            assert!(svg(name).contains(words), "{name}: no {words:?}");
        }
    }
    // What the run itself says is worst, is what is drawn as the worst.
    let evaluation: Value = serde_json::from_str(&text(sandbox.path("run/evaluation.json"))).expect("JSON");
    let worst = &evaluation["worst"][0];
    let title = format!("Worst: planet {}, score {:.3}", worst["planet"], worst["score"].as_f64().expect("a score"));
    assert!(svg("spectra").contains(&title), "{title}");
}

#[test]
fn a_picture_is_never_drawn_into_a_run_and_an_audit_passes_with_one_beside_it() {
    let sandbox = trained_copy();
    for out in ["run", "run/plots", "run/logs/../plots"] {
        let outcome = sandbox.run(&["plot", "run=run", &format!("out={out}")]);
        refused(&outcome, 2, &["outside the run directory"]);
    }
    let outcome = sandbox.run(&["runs", "report", "run", "--out", "run/page.html"]);
    refused(&outcome, 2, &["outside the run directory"]);
    sandbox.done(&["plot", "run=run"]);
    assert!(sandbox.path("run-plots/spectra.png").is_file());
    let audit = sandbox.audit(&[]);
    assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);
}

#[test]
fn a_file_that_is_not_the_signed_one_is_named_and_nothing_is_drawn() {
    let sandbox = trained_copy();
    let plot = |more: &[&str]| sandbox.run(&[&["plot", "run=run", "out=drawn"], more].concat());
    let changed = |name: &str, change: &dyn Fn(&mut Vec<u8>), words: &[&str]| {
        let path = sandbox.path(name);
        let old = std::fs::read(&path).expect("read");
        let mut new = old.clone();
        change(&mut new);
        std::fs::write(&path, new).expect("write");
        refused(&plot(&[]), 1, words);
        std::fs::write(&path, old).expect("write");
    };
    let flip = |bytes: &mut Vec<u8>| *bytes.last_mut().expect("not empty") ^= 1;
    changed("run/predictions.csv", &flip, &["run/predictions.csv", "sha256"]);
    changed("run/predictions.csv", &|bytes| bytes.push(b'\n'), &["run/predictions.csv", "bytes"]);
    changed("run/logs/metrics.csv", &flip, &["run/logs/metrics.csv"]);
    changed("run/steps.jsonl", &flip, &["run/steps.jsonl"]);
    changed("run/.hydra/config.yaml", &flip, &["run/.hydra/config.yaml"]);
    changed("run/provenance/sim_tiny.jsonl", &flip, &["sim_tiny.jsonl"]);
    changed("data/sim_tiny/train.csv", &flip, &["train.csv"]);
    changed("data/sim_tiny-calibrated/train/light_curves.safetensors", &flip, &["light_curves.safetensors"]);
    let path = sandbox.path("run/logs/metrics.csv");
    std::fs::rename(&path, sandbox.path("aside")).expect("rename");
    refused(&plot(&[]), 1, &["run/logs/metrics.csv"]);
    std::fs::rename(sandbox.path("aside"), &path).expect("rename");
    std::fs::rename(sandbox.path("data/sim_tiny"), sandbox.path("elsewhere")).expect("rename");
    refused(&plot(&[]), 1, &["data set sim_tiny", "+data.sim_tiny=DIR"]);
    assert!(!sandbox.path("drawn").exists());
    let outcome = plot(&["+data.sim_tiny=elsewhere"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    refused(&sandbox.run(&["plot", "run=data"]), 1, &["expected a signed run"]);
}

#[test]
fn a_report_is_one_page_that_loads_nothing() {
    let sandbox = trained();
    let folder = tempfile::tempdir().expect("temp dir");
    let out = folder.path().join("page.html");
    sandbox.done(&["runs", "report", "run", "--out", &out.display().to_string()]);
    let page = text(&out);
    for loading in ["<script", "src=", "href=", "url(", "@import", "<link", "<img", "<iframe", "style=\""] {
        assert!(!page.contains(loading), "{loading}");
    }
    let show: Value = serde_json::from_str(&sandbox.done(&["runs", "show", "run"]).stdout).expect("JSON");
    let id = show["run"]["id"].as_str().expect("an id");
    let commit = show["git"]["commit"].as_str().expect("a commit");
    for said in
        [id, commit, "Not verified here.", "audit run", "trainer=ci_fast", "test/score", "portable", "data/sim_tiny"]
    {
        assert!(page.contains(said), "{said}");
    }
    // Which file or override set a key: the configs that are here compose the recorded one.
    assert!(page.contains("Every key, and what set it") && page.contains("trainer/ci_fast"), "origins");
    for picture in
        ["Training", "Validation", "Predicted and true spectra", "Residuals by wavelength", "Reliability of σ"]
    {
        assert!(page.contains(&format!("<title>{picture}</title>")), "{picture}");
    }
    // Several beside each other.
    let both = folder.path().join("both.html");
    sandbox.done(&["runs", "report", "run", "run", "--out", &both.display().to_string()]);
    assert!(text(&both).contains("2 runs compared") && text(&both).contains("The configs are the same."));
}

/// Changes the claim of a run and a file of it, whose digest and size then stand in the manifest. The signature is no longer one,
/// which whoever shows a run without verifying it does not see.
fn forge(run: &Path, name: &str, bytes: &[u8], change: impl Fn(&mut Value)) {
    std::fs::write(run.join(name), bytes).expect("write");
    let path = run.join("manifest.intoto.jsonl");
    let line = text(&path).lines().next().expect("a line").to_owned();
    let mut envelope: Value = serde_json::from_str(&line).expect("JSON");
    let payload = STANDARD.decode(envelope["payload"].as_str().expect("a payload")).expect("Base64");
    let mut statement: Value = serde_json::from_slice(&payload).expect("JSON");
    let subjects = statement["subject"].as_array_mut().expect("subjects");
    let place = subjects.iter().position(|subject| subject["name"] == name).expect("a subject");
    subjects[place]["digest"]["sha256"] = json!(sha256(bytes).to_string());
    statement["predicate"]["files"][place]["size"] = json!(FileDigest::of_bytes(bytes).size.to_string());
    change(&mut statement["predicate"]);
    envelope["payload"] = json!(STANDARD.encode(serde_json::to_vec(&statement).expect("JSON")));
    std::fs::write(&path, format!("{envelope}\n")).expect("write");
}

#[test]
fn a_run_full_of_markup_is_shown_as_text_in_page_and_pictures() {
    const MARKUP: &str = "</text></svg></style><script>alert(1)</script>\"'&\u{202e}";
    let sandbox = trained_copy();
    let metrics = text(sandbox.path("run/logs/metrics.csv")) + &format!("8,0,val/{MARKUP},0.5\n");
    forge(&sandbox.path("run"), "logs/metrics.csv", metrics.as_bytes(), |claim| {
        claim["run"]["id"] = json!(MARKUP);
        claim["run"]["challenge"] = json!(MARKUP);
        claim["config"]["overrides"][0] = json!(MARKUP);
        claim["metrics"][0]["name"] = json!(MARKUP);
        claim["environment"]["cpuModel"] = json!(MARKUP);
        claim["data"][0]["root"] = json!("data/<b>");
    });
    // Something that calls itself a verdict.
    std::fs::write(sandbox.path("run/verdict.intoto.jsonl"), format!("{MARKUP}\n")).expect("write");
    sandbox.done(&["runs", "report", "run", "--data", "sim_tiny=data/sim_tiny", "--out", "page.html"]);
    let page = text(sandbox.path("page.html"));
    assert!(page.matches("&lt;script&gt;").count() >= 6, "{}", page.matches("&lt;script&gt;").count());
    for markup in ["<script", "</svg></style>", "<b>", "\u{202e}"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("A verdict lies in the run directory that cannot be read"));
    assert_eq!(page.matches("<style>").count(), 1);
    assert_eq!(page.matches("<svg ").count(), page.matches("</svg>").count());
}

#[cfg(unix)]
#[test]
fn a_command_has_a_report_without_curves() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("configs/exec.yaml"), "seed: 1\n").expect("write");
    let program = r#"echo "{\"accuracy\": 0.5}" > "$SPECTRAMIND_RUN_DIR/metrics.json""#;
    sandbox.done(&["exec", "hydra.run.dir=run", "--", "sh", "-c", program]);
    sandbox.done(&["runs", "report", "run", "--out", "page.html"]);
    let page = text(sandbox.path("page.html"));
    assert!(page.contains("accuracy") && page.contains("0.500000") && !page.contains("<svg"), "{page}");
    refused(&sandbox.run(&["plot", "run=run"]), 1, &["expected a run of the workload ariel, got one of \"command\""]);
}
