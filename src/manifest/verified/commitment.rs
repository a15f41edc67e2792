//! Verifying a commitment to a config: by a trainer, about one composed config and nothing else.

use jiff::Timestamp;

use super::{Signed, Signer, VerificationError, statement};
use crate::digest::Sha256Digest;
use crate::manifest::commitment::{ConfigCommitment, SUBJECT};
use crate::manifest::dsse::{Profile, bundle_envelopes};
use crate::manifest::statement::{Predicate, Statement};
use crate::manifest::trust::{Role, Trust};

/// A commitment whose signatures were verified; made by [`verify_commitment`] and nowhere else.
///
/// Whether a run is the one that was committed to is another question, for the verifier's check `commitment`.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedCommitment {
    statement: Statement<ConfigCommitment>,
    signers: Vec<Signer>,
}

impl VerifiedCommitment {
    /// What was committed to.
    pub fn commitment(&self) -> &ConfigCommitment {
        &self.statement.predicate
    }

    /// SHA-256 of the resolved config as YAML.
    pub fn subject(&self) -> Sha256Digest {
        self.statement.subject[0].digest.sha256
    }

    /// The trusted trainers that signed and count, in the order of the policy.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }
}

/// Verifies the file that `spectramind commit` writes as of the time `at`: one envelope, signed as the policy asks of
/// trainers.
///
/// # Errors
/// [`VerificationError`].
pub fn verify_commitment(
    file: &[u8],
    trust: &Trust,
    at: Timestamp,
    profile: Profile,
) -> Result<VerifiedCommitment, VerificationError> {
    let envelopes = bundle_envelopes(file, profile)?;
    let [envelope] = envelopes[..] else {
        return Err(VerificationError::CommitmentCount { got: envelopes.len() });
    };
    let signed = Signed::open(envelope, trust, Role::Trainer, at, profile)?;
    let statement: Statement<ConfigCommitment> = statement(&signed.payload)?;
    if !matches!(&statement.subject[..], [subject] if subject.name.as_str() == SUBJECT) {
        return Err(VerificationError::Contradiction {
            kind: ConfigCommitment::TYPE,
            of: ConfigCommitment::TYPE,
            what: "subjects",
        });
    }
    let signers = signed.signers(statement.predicate.challenge.as_deref())?;
    Ok(VerifiedCommitment { statement, signers })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::digest::sha256;
    use crate::manifest::commitment::tests::example;
    use crate::manifest::dsse::{Envelope, EnvelopeError};
    use crate::manifest::key::SigningKey;
    use crate::manifest::predicate::tests::example as run;
    use crate::manifest::statement::{StatementError, Subject};
    use crate::manifest::strict_json;
    use crate::manifest::trust::{Thresholds, TrustedKey};
    use crate::provenance::path::RelativePath;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_random(&[byte; 32])
    }

    fn now() -> Timestamp {
        "2026-06-01T00:00:00Z".parse().expect("a time")
    }

    fn subject(name: &str) -> Subject {
        Subject::new(RelativePath::parse(name).expect("a path"), sha256(b"a: 1\n"))
    }

    fn line<P: Predicate>(subjects: &[Subject], predicate: P, byte: u8) -> Vec<u8> {
        let statement = Statement::new(subjects.to_vec(), predicate).expect("a statement");
        let payload = strict_json::to_vec(&statement).expect("small");
        Envelope::sign(&payload, &[&key(byte)]).expect("an envelope").to_line().expect("small")
    }

    /// A file that the key signed.
    pub(crate) fn signed(commitment: ConfigCommitment, byte: u8) -> Vec<u8> {
        line(&[subject(SUBJECT)], commitment, byte)
    }

    fn verify(file: &[u8]) -> Result<VerifiedCommitment, VerificationError> {
        verify_commitment(file, &Trust::single(key(1).public()), now(), Profile::Strict)
    }

    #[test]
    fn a_trainers_commitment_is_verified() {
        let verified = verify(&signed(example(), 1)).expect("a sound commitment");
        assert_eq!((verified.commitment(), verified.subject()), (&example(), sha256(b"a: 1\n")));
        assert_eq!(verified.signers()[0].keyid, key(1).public().keyid());
    }

    #[test]
    fn a_commitment_by_a_stranger_or_a_verifier_is_refused() {
        assert!(matches!(verify(&signed(example(), 9)), Err(VerificationError::Signatures { counted: 0, .. })));
        let verifier = Trust::of_key(key(1).public(), Role::Verifier);
        let refused = verify_commitment(&signed(example(), 1), &verifier, now(), Profile::Strict);
        assert!(matches!(refused, Err(VerificationError::Signatures { counted: 0, .. })));
    }

    #[test]
    fn a_commitment_for_another_challenge_than_the_key_is_for_is_refused() {
        let bound = TrustedKey {
            challenges: Some(vec!["ariel-2025".into()]),
            ..TrustedKey::new("alice".into(), key(1).public(), Role::Trainer)
        };
        let trust = Trust::of_keys(vec![bound], Thresholds::default());
        let verify = |commitment| verify_commitment(&signed(commitment, 1), &trust, now(), Profile::Strict);
        assert!(verify(example()).is_ok());
        let another = ConfigCommitment { challenge: None, ..example() };
        assert!(matches!(verify(another), Err(VerificationError::Signatures { counted: 0, .. })));
    }

    #[test]
    fn a_manifest_passed_off_as_a_commitment_is_refused() {
        let refused = verify(&line(&[subject(SUBJECT)], run(), 1));
        assert!(matches!(refused, Err(VerificationError::Statement(StatementError::PredicateType { .. }))));
    }

    #[test]
    fn two_commitments_in_one_file_and_none_are_refused() {
        // Whoever commits to everything has committed to nothing.
        let two = [signed(example(), 1), signed(example(), 1)].concat();
        assert_eq!(verify(&two), Err(VerificationError::CommitmentCount { got: 2 }));
        assert_eq!(verify(b""), Err(VerificationError::Envelope(EnvelopeError::EnvelopeCount { got: 0 })));
    }

    #[test]
    fn a_commitment_about_another_thing_or_several_is_refused() {
        for subjects in [&[subject("a")][..], &[subject(SUBJECT), subject("a")]] {
            let refused = verify(&line(subjects, example(), 1));
            assert!(matches!(refused, Err(VerificationError::Contradiction { what: "subjects", .. })), "{refused:?}");
        }
    }

    #[test]
    fn no_flipped_byte_of_a_commitment_is_accepted() {
        let honest = signed(example(), 1);
        // The last byte ends the line.
        for index in 0..honest.len() - 1 {
            let mut flipped = honest.clone();
            flipped[index] ^= 1;
            assert!(verify(&flipped).is_err(), "byte {index}");
        }
    }
}
