//! Overrides, one a line: each run is composed, resolved and swept; every fourth job of a short sweep is composed too.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use hydra_compose::{Composer, SearchPath, load_yaml};

/// A tree with what overrides can name: groups, a nested group, packages, a list, a null, `???`, an interpolation.
static FILES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    [
        ("train.yaml", "defaults: [trainer: fast, model: a, optional data: null, _self_]\n\
            lr: 1e-3\nname: ${trainer.epochs}-${oc.env:USER,nobody}\nseed: null\nout: ???\nfiles: [a, {b: 1}]\n"),
        ("trainer/fast.yaml", "epochs: 1\ndevices: [0, 1]\n"),
        ("trainer/slow.yaml", "defaults: [fast]\nepochs: 100\n"),
        ("model/a.yaml", "defaults: [/optim@optim: adam]\nwidth: 8\n"),
        ("model/b.yaml", "# @package _global_\nmodel: {width: 16, parent: ${..lr}}\n"),
        ("optim/adam.yaml", "betas: [0.9, 0.999]\n"),
        ("optim/sgd.yaml", "momentum: 0\n"),
        ("data/sim.yaml", "root: ${oc.env:DATA}\n"),
    ]
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .into()
});

fuzz_target!(|text: &str| {
    let overrides: Vec<&str> = text.lines().collect();
    let composer = Composer::new(SearchPath::new().memory("main", FILES.clone()));
    if let Ok(config) = composer.compose("train", &overrides) {
        let written = config.to_yaml();
        // U+0085 is a line break to PyYAML's writer and a space to its reader.
        if !text.contains('\u{85}') {
            let again = load_yaml(&written).unwrap_or_else(|error| panic!("{error} in {written:?}"));
            assert_eq!(again, *config.value());
        }
        config.missing_keys();
        // What does not resolve is refused; only a panic would be a fault.
        if let Ok(resolved) = config.resolve() {
            resolved.digest();
        }
    }
    if let Ok(sweep) = composer.sweep("train", &overrides) {
        for job in sweep.jobs().iter().take(16).step_by(4) {
            let _refused = composer.compose_job(&sweep, job);
        }
    }
});
