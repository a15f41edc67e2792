//! Every single bit of a bundle, flipped in turn.

use super::*;
use crate::manifest::dsse::Decoded;
use crate::manifest::key::SigningKey;
use crate::manifest::predicate::tests::example;
use crate::manifest::statement::Subject;
use crate::provenance::path::RelativePath;

/// Run and provenance, signed and written as `spectramind train` does.
fn bundle(key: &SigningKey) -> Vec<u8> {
    let name = RelativePath::parse("predictions.csv").expect("a path");
    let run = Statement::new(vec![Subject::new(name, sha256(b""))], example()).expect("a statement");
    let provenance = Statement::new(run.subject.clone(), Provenance::of(&run.predicate)).expect("a statement");
    let payloads = [strict_json::to_vec(&run).expect("small"), strict_json::to_vec(&provenance).expect("small")];
    let line =
        |payload: &Vec<u8>| Envelope::sign(payload, &[key]).and_then(|envelope| envelope.to_line()).expect("small");
    payloads.iter().flat_map(line).collect()
}

/// What is signed, and by what signatures, of every envelope.
fn decoded(bundle: &[u8], profile: Profile) -> Result<Vec<Decoded>, EnvelopeError> {
    let envelopes = bundle_envelopes(bundle, profile)?;
    envelopes.into_iter().map(|envelope| Envelope::parse(envelope, profile)?.decode(profile)).collect()
}

/// The bits whose flip is accepted, of all.
fn accepted(profile: Profile) -> (usize, usize) {
    let key = SigningKey::from_random(&[1; 32]);
    let (trust, at) = (Trust::single(key.public()), "2026-06-01T00:00:00Z".parse().expect("a time"));
    let original = bundle(&key);
    let meaning = decoded(&original, profile).expect("a sound bundle");
    let verified = verify_bundle(&original, &trust, at, profile).expect("a sound bundle");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let bits = original.len() * 8;
    let flip = |first: usize| {
        let (mut flipped, mut accepted) = (original.clone(), 0);
        for bit in (first..bits).step_by(threads) {
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(found) = verify_bundle(&flipped, &trust, at, profile) {
                // The payload type is the one constant that is accepted.
                assert_eq!(decoded(&flipped, profile).as_ref(), Ok(&meaning), "bit {bit}");
                assert_eq!(found, verified, "bit {bit}");
                accepted += 1;
            }
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
        accepted
    };
    let accepted = std::thread::scope(|scope| {
        let flip = &flip;
        let threads: Vec<_> = (0..threads).map(|first| scope.spawn(move || flip(first))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no flip is accepted wrongly")).sum()
    });
    (accepted, bits)
}

#[test]
fn no_flipped_bit_is_accepted_in_the_strict_profile() {
    let (accepted, bits) = accepted(Profile::Strict);
    assert!(bits > 50_000, "{bits} bits are no real bundle");
    assert_eq!(accepted, 0);
}

#[test]
fn a_flipped_bit_is_tolerated_only_where_payload_type_and_signatures_stay_the_same() {
    let (accepted, bits) = accepted(Profile::Tolerant);
    // What may change are the two key ids, 64 characters each, and the name of their field.
    assert!(accepted > 2 * 64, "{accepted} of {bits}: not even key ids were tolerated");
    assert!(accepted < 2 * (64 + 8) * 8, "{accepted} of {bits}");
}
