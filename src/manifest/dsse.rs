//! DSSE 1.0.2 envelopes, and bundles of them as JSON Lines (`*.intoto.jsonl`).
//!
//! What is signed is the pre-authentication encoding [`pae`] of type and payload, not the JSON around them. Nothing
//! here decides whom to believe: that is [`super::verified`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key::SigningKey;
use super::strict_json::{self, JsonError};

/// The payload type of in-toto statements. Which type is accepted is up to the caller, never to the envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Most signatures of an envelope: each costs a curve operation per trusted key before anything is known to be true.
pub const MAX_SIGNATURES: usize = 16;

/// Most envelopes of a bundle.
pub const MAX_ENVELOPES: usize = 16;

/// Largest bundle in bytes: what its envelopes and their line breaks can have at most. Read no more than this.
pub const MAX_BUNDLE_BYTES: usize = MAX_ENVELOPES * (strict_json::MAX_BYTES + 1);

/// A signed payload. Its fields are whatever a stranger wrote until it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// The payload's bytes in standard Base64 with padding.
    pub payload: String,
    /// What the payload is: [`PAYLOAD_TYPE`].
    #[schemars(extend("const" = PAYLOAD_TYPE))]
    pub payload_type: String,
    /// The signatures; at least one, at most [`MAX_SIGNATURES`].
    #[schemars(length(min = 1, max = MAX_SIGNATURES))]
    pub signatures: Vec<Signature>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signature {
    /// Whose it is, says whoever wrote it: an unauthenticated hint that no check uses.
    pub keyid: String,
    /// The signature over [`pae`] in standard Base64 with padding.
    pub sig: String,
}

/// An envelope that is refused before any key is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Its JSON is refused.
    #[error("envelope")]
    Json(#[from] JsonError),
    /// Its payload is of another type.
    #[error("payload type: expected {expected:?}, got {got:?}")]
    PayloadType {
        /// The only type accepted here.
        expected: &'static str,
        /// The type found.
        got: String,
    },
    /// It has no signature, or too many.
    #[error("envelope has {got} signatures, expected 1 to {MAX_SIGNATURES}")]
    SignatureCount {
        /// Number of signatures.
        got: usize,
    },
    /// A field is no Base64, or another spelling of what it says.
    #[error("{field} is not canonical Base64 with padding: {message}")]
    Base64 {
        /// Which field.
        field: String,
        /// What the decoder says.
        message: String,
    },
    /// A bundle has no envelope, or too many.
    #[error("bundle has {got} envelopes, expected 1 to {MAX_ENVELOPES}")]
    EnvelopeCount {
        /// Number of lines.
        got: usize,
    },
    /// A bundle's last line has no end.
    #[error("bundle ends within line {line}")]
    Truncated {
        /// Counted from 1.
        line: usize,
    },
}

/// The payload and the signatures of an envelope, decoded; still a stranger's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) payload: Vec<u8>,
    pub(super) signatures: Vec<Vec<u8>>,
}

/// The bytes that are signed: `"DSSEv1" SP len(type) SP type SP len(payload) SP payload`.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl Envelope {
    /// Signs a statement's bytes with every key given.
    ///
    /// # Errors
    /// [`EnvelopeError::SignatureCount`], and [`EnvelopeError::Json`] where the envelope would become too large for
    /// [`parse`](Self::parse).
    pub fn sign(payload: &[u8], keys: &[&SigningKey]) -> Result<Self, EnvelopeError> {
        Self::sign_as(PAYLOAD_TYPE, payload, keys)
    }

    /// [`sign`](Self::sign) for a payload of another type.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub fn sign_as(payload_type: &'static str, payload: &[u8], keys: &[&SigningKey]) -> Result<Self, EnvelopeError> {
        let message = pae(payload_type, payload);
        let sign = |key: &&SigningKey| Signature {
            keyid: key.public().keyid().to_string(),
            sig: STANDARD.encode(key.sign(&message)),
        };
        let envelope = Self {
            payload: STANDARD.encode(payload),
            payload_type: payload_type.to_owned(),
            signatures: keys.iter().map(sign).collect(),
        };
        envelope.check_shape(payload_type)?;
        envelope.to_line()?;
        Ok(envelope)
    }

    /// Reads one envelope around a statement.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::parse_as(PAYLOAD_TYPE, bytes)
    }

    /// Reads one envelope around a payload of the type that the caller expects.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn parse_as(payload_type: &'static str, bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let envelope: Self = strict_json::from_slice(bytes)?;
        envelope.check_shape(payload_type)?;
        Ok(envelope)
    }

    /// The envelope as one line of a bundle, its line break included.
    ///
    /// # Errors
    /// [`EnvelopeError::Json`] when it is too large.
    pub fn to_line(&self) -> Result<Vec<u8>, EnvelopeError> {
        let mut line = strict_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    fn check_shape(&self, expected: &'static str) -> Result<(), EnvelopeError> {
        if self.payload_type != expected {
            return Err(EnvelopeError::PayloadType { expected, got: self.payload_type.clone() });
        }
        match self.signatures.len() {
            1..=MAX_SIGNATURES => Ok(()),
            got => Err(EnvelopeError::SignatureCount { got }),
        }
    }

    pub(super) fn decode(&self) -> Result<Decoded, EnvelopeError> {
        let decode = |field: String, text: &str| {
            // The standard engine refuses missing padding and bits after the end.
            STANDARD.decode(text).map_err(|error| EnvelopeError::Base64 { field, message: error.to_string() })
        };
        let signatures = self.signatures.iter().enumerate();
        Ok(Decoded {
            payload: decode("payload".to_owned(), &self.payload)?,
            signatures: signatures
                .map(|(index, signature)| decode(format!("signatures[{index}].sig"), &signature.sig))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Splits a bundle into its envelopes' bytes, one per line.
///
/// # Errors
/// [`EnvelopeError::EnvelopeCount`] and [`EnvelopeError::Truncated`]; the envelopes themselves are not looked at.
pub fn bundle_lines(bytes: &[u8]) -> Result<Vec<&[u8]>, EnvelopeError> {
    let mut lines = Vec::new();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        lines.push(line.strip_suffix(b"\n").ok_or(EnvelopeError::Truncated { line: index + 1 })?);
    }
    match lines.len() {
        1..=MAX_ENVELOPES => Ok(lines),
        got => Err(EnvelopeError::EnvelopeCount { got }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_random(&[byte; 32])
    }

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        // The example of DSSE's protocol.md.
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(pae("é", b""), "DSSEv1 2 é 0 ".as_bytes());
    }

    #[test]
    fn an_envelope_is_written_as_the_specification_says() {
        let envelope = Envelope::sign(b"{}", &[&key(1)]).expect("an envelope");
        let keyid = key(1).public().keyid();
        let sig = STANDARD.encode(key(1).sign(b"DSSEv1 28 application/vnd.in-toto+json 2 {}"));
        let expected = format!(
            "{{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[{{\"keyid\":\"{keyid}\",\"sig\":\"{sig}\"}}]}}\n"
        );
        assert_eq!(envelope.to_line().expect("small"), expected.as_bytes());
    }

    #[test]
    fn an_envelope_without_or_with_too_many_signatures_is_neither_written_nor_read() {
        let key = key(1);
        assert_eq!(Envelope::sign(b"{}", &[]), Err(EnvelopeError::SignatureCount { got: 0 }));
        assert_eq!(Envelope::sign(b"{}", &[&key; 17]), Err(EnvelopeError::SignatureCount { got: 17 }));
        let mut envelope = Envelope::sign(b"{}", &[&key; 16]).expect("an envelope");
        assert_eq!(Envelope::parse(&strict_json::to_vec(&envelope).expect("small")).as_ref(), Ok(&envelope));
        envelope.signatures.push(envelope.signatures[0].clone());
        let bytes = strict_json::to_vec(&envelope).expect("small");
        assert_eq!(Envelope::parse(&bytes), Err(EnvelopeError::SignatureCount { got: 17 }));
        envelope.signatures.clear();
        let bytes = strict_json::to_vec(&envelope).expect("small");
        assert_eq!(Envelope::parse(&bytes), Err(EnvelopeError::SignatureCount { got: 0 }));
    }

    #[test]
    fn a_payload_too_large_to_be_read_again_is_not_signed() {
        let error = Envelope::sign(&vec![b' '; 800_000], &[&key(1)]).expect_err("too large");
        assert!(matches!(error, EnvelopeError::Json(JsonError::TooLarge { .. })), "{error}");
    }

    #[test]
    fn a_payload_of_another_type_is_refused() {
        let mut envelope = Envelope::sign(b"{}", &[&key(1)]).expect("an envelope");
        for payload_type in ["", "application/json", "application/vnd.in-toto+json ", "APPLICATION/VND.IN-TOTO+JSON"] {
            envelope.payload_type = payload_type.to_owned();
            let bytes = strict_json::to_vec(&envelope).expect("small");
            assert_eq!(
                Envelope::parse(&bytes),
                Err(EnvelopeError::PayloadType { expected: PAYLOAD_TYPE, got: payload_type.to_owned() })
            );
        }
    }

    #[test]
    fn other_spellings_of_base64_are_refused() {
        let envelope = Envelope::sign(b"\xff\xff{", &[&key(1)]).expect("an envelope");
        assert_eq!(envelope.payload, "//97");
        let decodes = |payload: &str| Envelope { payload: payload.to_owned(), ..envelope.clone() }.decode();
        assert!(decodes("e30=").is_ok());
        // Without padding, with bits after the end, URL-safe, with white space, with too much padding.
        for payload in ["e30", "e31=", "__97", "//97\n", " //97", "//97====", "e30=e30=", "/"] {
            assert!(
                matches!(decodes(payload), Err(EnvelopeError::Base64 { field, .. }) if field == "payload"),
                "{payload}"
            );
        }
        let mut unpadded = envelope.clone();
        unpadded.signatures[0].sig = unpadded.signatures[0].sig.trim_end_matches('=').to_owned();
        assert!(matches!(unpadded.decode(), Err(EnvelopeError::Base64 { field, .. }) if field == "signatures[0].sig"));
    }

    #[test]
    fn a_bundle_is_one_envelope_per_line() {
        assert_eq!(bundle_lines(b"a\nb\n"), Ok(vec![b"a".as_slice(), b"b"]));
        assert_eq!(bundle_lines(b""), Err(EnvelopeError::EnvelopeCount { got: 0 }));
        assert_eq!(bundle_lines(b"a\nb"), Err(EnvelopeError::Truncated { line: 2 }));
        assert_eq!(bundle_lines(&b"a\n".repeat(17)), Err(EnvelopeError::EnvelopeCount { got: 17 }));
        // An empty line is an envelope that is no JSON.
        assert_eq!(bundle_lines(b"a\n\n"), Ok(vec![b"a".as_slice(), b""]));
    }

    proptest! {
        #[test]
        fn envelopes_round_trip(payload: Vec<u8>, keys in prop::collection::vec(any::<u8>(), 1..4)) {
            let keys: Vec<_> = keys.into_iter().map(key).collect();
            let envelope = Envelope::sign(&payload, &keys.iter().collect::<Vec<_>>()).expect("small");
            let line = envelope.to_line().expect("small");
            let read = Envelope::parse(bundle_lines(&line).expect("one line")[0]).expect("an envelope");
            prop_assert_eq!(read.decode().expect("Base64").payload, payload);
            prop_assert_eq!(read, envelope);
        }

        #[test]
        fn the_encoding_of_two_messages_is_never_the_same(a in ".{0,4}", b: Vec<u8>, c in ".{0,4}", d: Vec<u8>) {
            prop_assert_eq!(pae(&a, &b) == pae(&c, &d), (a, b) == (c, d));
        }
    }
}
