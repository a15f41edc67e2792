//! What is claimed about a run, and who claims it: statement, predicate, envelope, keys, trust.
//!
//! The claim is an in-toto Statement v1 ([`statement`]) about a training run ([`predicate`]), signed as a DSSE 1.0.2
//! envelope ([`dsse`]) with Ed25519 ([`key`]). [`verified::verify`] is the one way from an envelope's bytes to a
//! [`verified::VerifiedManifest`], under a [`trust::Trust`].
//!
//! A signature proves who claimed what. It does not prove that the data are what they claim to be about, that the
//! signer was not coerced, or the calendar time.

pub mod dsse;
pub mod key;
pub mod origin;
pub mod predicate;
pub mod statement;
pub mod strict_json;
pub mod timestamp;
pub mod trust;
pub mod verified;
