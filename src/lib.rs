//! Training runs that can be re-checked.
//!
//! *Same config + same commit + same data = the same bits, on any number of threads and after any interruption, and a
//! signed record that a stranger can check offline.*
//!
//! # Architecture
//!
//! Data flows one way. The modules, in the order in which they may use each other:
//!
//! | module | what it is | may use |
//! |---|---|---|
//! | [`digest`] | BLAKE3 and SHA-256 digests, hashing of fields and files | nothing |
//! | [`durable`] | writing files whole or not at all | nothing |
//! | [`foreign`] | opening files that somebody else wrote | `digest` |
//! | [`envelope`] | limits and verdicts over plain numbers | nothing |
//! | [`difference`] | where two files first differ | `foreign` |
//! | [`merkle`] | an RFC 6962-shaped log over BLAKE3 | `digest` |
//! | [`config`] | Hydra-compatible composition | `digest`, `foreign` |
//! | [`provenance`] | git, data, DVC, environment: what went in | all above but `envelope` |
//! | [`manifest`] | statement, envelope, keys, trust: what is claimed | all above, as plain data |
//! | [`verify`] | claim → checks → report | all above |
//! | [`schema`] | the JSON Schema of every document | all above |
//! | `engine` (feature) | the training engine: knows tensors, not Ariel | `digest`, `durable`, `merkle` |
//! | `command` (feature `engine`) | a program of the user's own: what it gets, running it, what it made | `difference`, `provenance` |
//! | `ariel` (feature `engine`) | the Ariel workload, a `Task` of the engine | `engine`, `envelope` |
//!
//! The programs use the public API alone, as a stranger would. Signing happens in the command, after training; the
//! engine never sees a key. The library neither prints, nor reads environment variables or clocks: they are arguments.
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

pub mod config;
pub mod difference;
pub mod digest;
pub mod durable;
pub mod envelope;
pub mod foreign;
pub mod manifest;
pub mod merkle;
pub mod provenance;
pub mod schema;
pub mod verify;

mod wall_time;

#[cfg(feature = "engine")]
pub mod ariel;
#[cfg(feature = "engine")]
pub mod command;
#[cfg(feature = "engine")]
pub mod engine;

/// Burn, in the version that models have to be written for.
#[cfg(feature = "engine")]
pub use burn;
