//! Key files: what is read as a public key is written in forms that read as the same key; no private key's file, however
//! it says it is encrypted, is more than refused.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use spectramind::manifest::key::{PublicKey, SigningKey};

fuzz_target!(|text: &str| -> Corpus {
    if let Ok(key) = SigningKey::from_pkcs8_pem(text) {
        let again = SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem()).expect("it was written by us");
        assert_eq!(again.public(), key.public());
    }
    let Ok(key) = text.parse::<PublicKey>() else { return Corpus::Keep };
    for form in [key.to_spki_pem(), key.to_openssh()] {
        let again: PublicKey = form.parse().unwrap_or_else(|error| panic!("{error}: {form}"));
        assert_eq!(again.keyid(), key.keyid());
    }
    Corpus::Keep
});
