//! Trust documents: what a root signed is accepted or refused; what is accepted asks for signatures, is accepted again,
//! and refuses its predecessor.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::{Corpus, fuzz_target};
use spectramind::manifest::dsse::Envelope;
use spectramind::manifest::key::SigningKey;
use spectramind::manifest::trust::{NamedRoot, Role, TRUST_PAYLOAD_TYPE, Trust, TrustDocument, TrustState};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    // As an envelope, and as what a root signed: nobody guesses a signature.
    let _ = TrustDocument::read_unverified(bytes);
    let root = SigningKey::from_random(&[1; 32]);
    let Ok(envelope) = Envelope::sign_as(TRUST_PAYLOAD_TYPE, bytes, &[&root]) else { return Corpus::Reject };
    let line = envelope.to_line().expect("it was signed, so it is small");
    let mut state = TrustState::default();
    let at = Timestamp::UNIX_EPOCH;
    let Ok(trust) = Trust::accept(&line, NamedRoot::Believed(&root.public()), &mut state, at) else {
        assert_eq!(state, TrustState::default(), "a refused document was remembered");
        return Corpus::Keep;
    };
    for role in [Role::Trainer, Role::Verifier] {
        assert!(trust.threshold(role) > 0, "nobody has to sign");
    }
    assert!(trust.keys().iter().all(|key| key.public_key != root.public()), "a root key is trusted");
    let again = Trust::accept(&line, NamedRoot::Remembered, &mut state, at).expect("it is remembered");
    assert_eq!(again.keys(), trust.keys());
    Corpus::Keep
});
