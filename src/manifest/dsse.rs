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

/// The payload type of in-toto statements, and the only one accepted.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Most signatures of an envelope: each costs a curve operation per trusted key before anything is known to be true.
pub const MAX_SIGNATURES: usize = 16;

/// Most envelopes of a bundle.
pub const MAX_ENVELOPES: usize = 16;

/// A signed payload. Its fields are whatever a stranger wrote until it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// The payload's bytes in standard Base64 with padding.
    pub payload: String,
    /// What the payload is: [`PAYLOAD_TYPE`].
    pub payload_type: String,
    /// The signatures; at least one, at most [`MAX_SIGNATURES`].
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
    #[error("payload type: expected {PAYLOAD_TYPE:?}, got {got:?}")]
    PayloadType {
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
        let message = pae(PAYLOAD_TYPE, payload);
        let sign = |key: &&SigningKey| Signature {
            keyid: key.public().keyid().to_string(),
            sig: STANDARD.encode(key.sign(&message)),
        };
        let envelope = Self {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: keys.iter().map(sign).collect(),
        };
        envelope.check_shape()?;
        envelope.to_line()?;
        Ok(envelope)
    }

    /// Reads one envelope.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let envelope: Self = strict_json::from_slice(bytes)?;
        envelope.check_shape()?;
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

    fn check_shape(&self) -> Result<(), EnvelopeError> {
        if self.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::PayloadType { got: self.payload_type.clone() });
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
