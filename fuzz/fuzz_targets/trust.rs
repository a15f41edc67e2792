//! Trust policies: what is accepted is written as something that reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spectramind::manifest::strict_json;
use spectramind::manifest::trust::Trust;

fuzz_target!(|bytes: &[u8]| {
    let Ok(trust) = Trust::from_json(bytes) else { return };
    let written = strict_json::to_vec(trust.policy()).expect("what was read can be written");
    assert_eq!(Trust::from_json(&written), Ok(trust));
});
