//! Training runs that can be re-checked.
//!
//! *Same config + same commit + same data = the same bits, on any number of threads and after any interruption, and a
//! signed record that a stranger can check offline.*
//!
//! # Architecture
//!
//! Data flows one way. The modules, in the order in which they may use each other (`tests/layers.rs` reads the imports and
//! holds everyone to it):
//!
//! | module | what it is | may use |
//! |---|---|---|
//! | [`failure`] | errors as a person meets them, with their hints | the errors of [`config`] |
//! | [`digest`] | BLAKE3 and SHA-256 digests, hashing of fields and files | nothing |
//! | [`durable`] | writing files whole or not at all | nothing |
//! | [`foreign`] | opening files that somebody else wrote | `digest`, `failure` |
//! | [`envelope`] | limits and verdicts over plain numbers | nothing |
//! | [`merkle`] | an RFC 6962-shaped log over BLAKE3 | `digest` |
//! | [`config`] | Hydra-compatible composition: the crate `hydra-compose` | nothing of ours |
//! | [`provenance`] | git, data, DVC, environment: what went in | all above but `envelope` |
//! | [`manifest`] | statement, envelope, keys, trust: what is claimed | all above, as plain data |
//! | [`verify`] | claim → checks → report | all above |
//! | [`schema`] | the JSON Schema of every document | everything but `cli` |
//! | `engine` (feature) | the training engine: knows tensors, no workload; its numerics are the crate `repro-burn` | `digest`, `durable`, `failure`, `foreign`, `merkle` |
//! | `ariel` (feature `engine`) | the Ariel workload, a `Task` of the engine | `engine`, `envelope`, `failure` |
//! | `cli` (feature) | the commands | all above |
//!
//! Signing happens after training; the engine never sees a key. The library neither prints, nor reads environment variables
//! or clocks: they are arguments. `cli` alone does.
//!
//! # Features
//!
//! Without features there is all that checking a signature, a config and data needs, and no tensor engine. `git` adds
//! gix, `engine` adds Burn and the workload, `wgpu` and `cuda` add Burn's backends of that name, `cli` the program.
//! A feature adds API and never changes a result.
//!
//! # Training a model of your own
//!
//! Implement `engine::task::Task` and call `engine::fit::fit`; `examples/regression.rs` does it in 80 lines.

pub mod digest;
pub mod durable;
pub mod envelope;
pub mod failure;
pub mod foreign;
pub mod manifest;
pub mod merkle;
pub mod provenance;
pub mod schema;
pub mod verify;

mod wall_time;

/// Composing configurations as Hydra does: the crate that does it, under the name that it has here.
pub use hydra_compose as config;

#[cfg(feature = "engine")]
pub mod ariel;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "engine")]
pub mod engine;

/// Burn, in the version that models have to be written for.
#[cfg(feature = "engine")]
pub use burn;
