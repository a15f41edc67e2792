//! Interpolations: a config with an environment and a time, composed, resolved and extracted.
//!
//! The input is the YAML of the primary config; overrides, one a line, may follow a line `%%`.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use hydra_compose::{Composer, SearchPath};

fuzz_target!(|text: &str| {
    let (yaml, overrides) = text.split_once("\n%%\n").unwrap_or((text, ""));
    let overrides: Vec<&str> = overrides.lines().collect();
    let files = [
        ("main.yaml", yaml),
        ("db/a.yaml", "host: ${oc.env:HOST}\nurl: ${.host}:${..port}\n"),
        ("db/b.yaml", "# @package _global_\ndb: {host: b, copy: ${db}}\n"),
    ];
    let files: BTreeMap<String, String> = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    let env = [("HOST", "localhost"), ("PORT", "8080"), ("CHOICE", "a")];
    let composer = Composer::new(SearchPath::new().memory("main", files))
        .env(env.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
        .cwd("/work")
        .now(jiff::civil::date(2026, 11, 22).at(1, 2, 3, 4_000).to_zoned(jiff::tz::TimeZone::UTC).expect("a time"));
    let Ok(config) = composer.compose("main", &overrides) else { return };
    config.to_yaml();
    for (path, origin) in config.origins() {
        assert!(config.origin(path).is_some(), "{path}: {origin:?}");
    }
    let resolved = config.resolve();
    // The same again: nothing in a config may depend on having been looked at.
    assert_eq!(config.digest().ok(), resolved.as_ref().ok().map(|resolved| resolved.digest()));
    if let Ok(resolved) = resolved {
        resolved.to_yaml();
    }
    for path in ["job.name", "run.dir", "sweep.subdir", "runtime.choices"] {
        let _refused = config.hydra_value(path);
    }
});
