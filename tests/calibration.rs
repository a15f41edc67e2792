//! Calibration against an independent implementation in numpy (`tests/oracle/calibrate.py`).

use std::path::{Path, PathBuf};
use std::process::Command;

use safetensors::SafeTensors;

use crate::sandbox::{Outcome, Sandbox, python_with, repository, shared, trained, trained_copy};

fn f64s(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("8 bytes"))).collect()
}

/// Equal to 1e-12 relative, NaN exactly where the other has NaN; returns how many are NaN.
fn assert_close(what: &str, ours: &[f64], theirs: &[f64]) -> usize {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (index, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let close = (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * a.abs().max(b.abs());
        assert!(close, "{what}[{index}]: {a} and {b}");
    }
    ours.iter().filter(|value| value.is_nan()).count()
}

struct Case<'a> {
    root: &'a Path,
    planet: &'a str,
    bins: [usize; 2],
    steps: &'a [&'a str],
}

/// Calibrates with both and compares; returns the masked pixels of AIRS and FGS1.
fn compare(case: &Case<'_>, python: &Path) -> [usize; 2] {
    let sandbox = Sandbox::new();
    let [airs_bin, fgs1_bin] = case.bins.map(|bin| bin.to_string());
    let mut arguments = vec![
        "calibrate".to_owned(),
        format!("data.root={}", case.root.display()),
        "calib.output=cube".into(),
        format!("calib.airs_bin={airs_bin}"),
        format!("calib.fgs1_bin={fgs1_bin}"),
        "calib.out=cubes".into(),
    ];
    for step in ["mask", "linearity", "dark", "flat"] {
        arguments.push(format!("calib.steps.{step}={}", case.steps.contains(&step)));
    }
    sandbox.done(&arguments.iter().map(String::as_str).collect::<Vec<_>>());

    let oracle = by_oracle(case, python, &sandbox);

    let bytes = std::fs::read(sandbox.path(format!("cubes/{}_0.safetensors", case.planet))).expect("a cube");
    let cube = SafeTensors::deserialize(&bytes).expect("safetensors");
    let shapes = std::fs::read(oracle.join("shape.json")).expect("shapes");
    let shapes: serde_json::Value = serde_json::from_slice(&shapes).expect("JSON");
    ["airs", "fgs1"].map(|name| {
        let ours = cube.tensor(name).expect("a tensor");
        assert_eq!(serde_json::json!(ours.shape()), shapes[name]);
        let theirs = std::fs::read(oracle.join(format!("{name}.f64"))).expect("oracle's values");
        assert_close(name, &f64s(ours.data()), &f64s(&theirs)) / ours.shape()[0]
    })
}

/// The folder in which the independent implementation leaves its arrays.
fn by_oracle(case: &Case<'_>, python: &Path, sandbox: &Sandbox) -> PathBuf {
    let [airs_bin, fgs1_bin] = case.bins.map(|bin| bin.to_string());
    let oracle = sandbox.path("oracle");
    let outcome = Outcome::of(
        Command::new(python)
            .arg(repository().join("tests/oracle/calibrate.py"))
            .arg(case.root)
            .args(["train", case.planet, "0", &airs_bin, &fgs1_bin, &case.steps.join(",")])
            .arg(&oracle),
    );
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    oracle
}

const ALL: [&str; 4] = ["mask", "linearity", "dark", "flat"];

#[test]
fn the_real_planet_is_calibrated_as_by_the_independent_implementation() {
    let (Some(root), Some(python)) = (shared("ariel/sample"), python_with("numpy, pyarrow")) else { return };
    let root = root.canonicalize().expect("a path");
    let case = Case { root: &root, planet: "342072318", bins: [5, 5], steps: &ALL };
    let masked = compare(&case, &python);
    assert!(masked.iter().all(|&pixels| pixels > 0), "a real detector has dead or hot pixels: {masked:?}");
    // Each step alone can be left out, and bins need not divide the frames.
    for steps in [&ALL[1..], &ALL[..1], &["mask", "dark", "flat"]] {
        compare(&Case { bins: [7, 6], steps, ..case }, &python);
    }
}

#[test]
fn a_simulated_planet_with_dead_and_hot_pixels_is_calibrated_as_by_the_independent_implementation() {
    let Some(python) = python_with("numpy, pyarrow") else { return };
    let root = trained().path("data/sim_tiny");
    let mut planets: Vec<_> = std::fs::read_dir(root.join("train"))
        .expect("list")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("UTF-8"))
        .collect();
    planets.sort();
    for planet in &planets[..2] {
        let masked = compare(&Case { root: &root, planet, bins: [1, 2], steps: &ALL }, &python);
        assert!(masked[0] > 0, "dead and hot pixels are simulated: {masked:?}");
    }
}

#[test]
fn light_curves_less_their_background_are_those_of_the_independent_implementation() {
    let Some(python) = python_with("numpy, pyarrow") else { return };
    let root = trained().path("data/sim_tiny");
    let bytes = std::fs::read(trained().path("data/sim_tiny-calibrated/train/light_curves.safetensors")).expect("read");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let planets = file.tensor("planet_ids").expect("planets").data().to_vec();
    let planet = i64::from_le_bytes(planets[..8].try_into().expect("8 bytes")).to_string();
    let steps = ["mask", "linearity", "dark", "flat", "background", "aperture"];
    let sandbox = Sandbox::new();
    let oracle = by_oracle(&Case { root: &root, planet: &planet, bins: [1, 2], steps: &steps }, &python, &sandbox);
    let theirs = f64s(&std::fs::read(oracle.join("light_curve.f64")).expect("oracle's values"));
    let curves = file.tensor("light_curves").expect("light curves");
    assert_eq!(curves.shape()[1..], [60, 283]);
    assert_close("light curve", &f64s(&curves.data()[..theirs.len() * 8]), &theirs);
    // Without the two steps it is another one, by more than rounding.
    let plain = by_oracle(&Case { root: &root, planet: &planet, bins: [1, 2], steps: &ALL }, &python, &sandbox);
    let plain = f64s(&std::fs::read(plain.join("light_curve.f64")).expect("oracle's values"));
    assert!(plain.iter().zip(&theirs).all(|(a, b)| a > b), "a background is positive");
}

#[test]
fn files_of_other_tools_read_alike_in_every_codec_and_a_page_with_a_flipped_bit_is_refused() {
    let Some(python) = python_with("pyarrow") else { return };
    let sandbox = trained_copy();
    let planets = sandbox.path("data/sim_tiny/test");
    let planet = std::fs::read_dir(&planets).expect("list").next().expect("a planet").expect("an entry").path();
    let signal = planet.join("FGS1_signal_0.parquet");
    let rewrite = |arguments: &[&str]| {
        let script = repository().join("tests/oracle/recompress.py");
        let outcome = Outcome::of(Command::new(&python).arg(script).arg(&signal).args(arguments));
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    };
    let calibrate = |out: &str| {
        let out = format!("calib.out={out}");
        sandbox.run(&["calibrate", "data.split=test", "calib=tiny", "calib.output=cube", &out])
    };
    let cube = |out: &str| {
        let name = format!("{}_0.safetensors", planet.file_name().expect("a name").to_string_lossy());
        let bytes = std::fs::read(sandbox.path(out).join(name)).expect("read");
        // Without the settings, which have a digest of the files as they are.
        let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
        bytes[8 + header..].to_vec()
    };
    assert_eq!(calibrate("first").code, 0);
    for codec in ["gzip", "lz4", "brotli", "zstd", "none"] {
        rewrite(&[codec]);
        let outcome = calibrate(codec);
        assert_eq!(outcome.code, 0, "{codec}: {}", outcome.stderr);
        assert!(cube(codec) == cube("first"), "{codec}");
    }
    rewrite(&["none", "flip"]);
    let outcome = calibrate("flipped");
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert!(outcome.stderr.contains("FGS1_signal_0.parquet cannot be read as parquet"), "{}", outcome.stderr);
}
