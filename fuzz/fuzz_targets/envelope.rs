//! Bundles: what the strict profile accepts, the tolerant one accepts as the same, and it is the bytes that we write.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use spectramind::manifest::dsse::{Envelope, Profile, bundle_envelopes};
use spectramind::manifest::key::SigningKey;
use spectramind::manifest::trust::Trust;
use spectramind::manifest::verified::{VerifiedManifest, read_unverified, verify_bundle};

/// The key that signed `seeds/envelope/bundle`: the fuzzer has its public half only.
static TRUST: LazyLock<Trust> = LazyLock::new(|| Trust::single(SigningKey::from_random(&[1; 32]).public()));

/// What the seed says: nobody else can sign anything, so nothing else may ever be accepted.
static SEED: LazyLock<VerifiedManifest> =
    LazyLock::new(|| verify(include_bytes!("../seeds/envelope/bundle"), Profile::Strict).expect("a sound seed"));

fn verify(bundle: &[u8], profile: Profile) -> Option<VerifiedManifest> {
    let at = jiff::Timestamp::from_second(1_780_000_000).expect("a time");
    verify_bundle(bundle, &TRUST, at, profile).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let _ = read_unverified(bytes);
    let (strict, tolerant) = (verify(bytes, Profile::Strict), verify(bytes, Profile::Tolerant));
    if strict.is_some() {
        assert_eq!(strict, tolerant);
    }
    if let Some(accepted) = tolerant {
        assert_eq!(accepted.statement(), SEED.statement());
        assert_eq!((accepted.identity(), accepted.signers()), (SEED.identity(), SEED.signers()));
    }
    let mut written = Vec::new();
    for line in bundle_envelopes(bytes, Profile::Strict).unwrap_or_default() {
        let Ok(envelope) = Envelope::parse(line, Profile::Strict) else { return };
        written.extend(envelope.to_line().expect("what was read can be written"));
    }
    if !written.is_empty() {
        assert_eq!(written, bytes);
    }
});
