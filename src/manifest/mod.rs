//! What is claimed about a run, and who claims it: statement, predicate, envelope, keys, trust.
//!
//! The claim is an in-toto Statement v1 ([`statement`]) about a training run ([`predicate`]), told a second time as
//! SLSA Provenance ([`slsa`]), signed as DSSE 1.0.2 envelopes ([`dsse`]) with Ed25519 ([`key`]). [`verified`] is the
//! one way from a bundle's bytes to a [`verified::VerifiedManifest`], under a [`trust::Trust`]; and from the bundle
//! that a verifier signs about it ([`verdict`]) to a [`verified::VerifiedVerdict`]. Before a run, its config can be signed
//! alone ([`commitment`]), which becomes a [`verified::VerifiedCommitment`]. What only shows or copies a run takes it as
//! [`claimed`].
//!
//! A signature proves who claimed what. It does not prove that the data are what they claim to be about, that the
//! signer was not coerced, or the calendar time.

pub mod claimed;
pub mod commitment;
pub mod descriptor;
pub mod dsse;
pub mod key;
pub mod origin;
pub mod predicate;
pub mod slsa;
pub mod statement;
pub mod strict_json;
pub mod timestamp;
pub mod trust;
pub mod verdict;
pub mod verified;
