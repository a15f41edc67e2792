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
//! | [`failure`] | errors as a person meets them, with their hints | `config` |
//! | [`digest`] | BLAKE3 and SHA-256 digests, hashing of fields and files | nothing |
//! | [`durable`] | writing files whole or not at all | nothing |
//! | [`foreign`] | opening files that somebody else wrote | `digest`, `failure` |
//! | [`difference`] | where two files first differ | `foreign` |
//! | [`envelope`] | limits and verdicts over plain numbers | nothing |
//! | [`merkle`] | an RFC 6962-shaped log over BLAKE3 | `digest` |
//! | [`event_log`] | what happened when in a run, as a chain of lines | `digest`, `failure` |
//! | [`page`] | the look of a page that stands alone | nothing |
//! | `wall_time` | the clock that limits are measured by | nothing |
//! | [`interruption`] | how somebody wants something to end | nothing |
//! | `network` (feature `process`) | no network for this process and all that it starts: a filter of system calls | `envelope`, `failure` |
//! | `chart` (feature `plots`) | pictures of numbers, as SVG and PNG | `failure` |
//! | [`config`] | Hydra-compatible composition: the crate `hydra-compose` | nothing |
//! | `repro_burn` (feature `engine`) | reproducible numerics: a crate, too | nothing |
//! | `repro_ranks` (feature `engine`) | bytes and sums between workers, over an MPI that is loaded at run time: a crate, too | nothing |
//! | [`provenance`] | git, data, DVC, environment: what went in | all above but `envelope` |
//! | [`manifest`] | statement, envelope, keys, trust: what is claimed | all above, as plain data |
//! | `process` (feature) | running a program: its limits, where it may write, what surrounds it | `failure`, `interruption`, `manifest`, `network` |
//! | [`verify`] | claim → checks → report | all above |
//! | `logger` (feature `engine`) | files for TensorBoard and Weights & Biases, of the events of a run | `config`, `event_log` |
//! | `engine` (feature) | the training engine: knows tensors, no workload | `digest`, `durable`, `event_log`, `failure`, `foreign`, `interruption`, `logger`, `merkle`, `wall_time`, `repro_burn`, `repro_ranks` |
//! | `workload` (feature `engine`) | what a user implements: config → data sets → task → files | all above |
//! | [`schema`] | the JSON Schema of every document | all above |
//! | `run` (feature `engine`) | recording and replaying any workload | all above |
//! | `prelude` (feature `engine`) | what whoever writes a workload imports | all above |
//! | `ariel` (feature `engine`) | the Ariel workload | all above but `verify` |
//! | `command` (feature `engine`) | programs of the user's own: what they get, running them, what they made | all above but `ariel` |
//! | `cli` (feature) | the commands | all above |
//! | `bin` | the program `spectramind`: the commands over our workloads | `run`, `ariel`, `command`, `cli` |
//! | `verifier` | the program `spectramind-verify`, a package of its own | all above but `cli`, `bin` |
//!
//! Signing happens after training; the engine never sees a key. The library neither prints, nor reads environment variables
//! or clocks: they are arguments. `cli` alone does.
//!
//! # Features
//!
//! Without features there is all that checking a signature, a config and data needs, and no tensor engine. `git` adds
//! gix, `process` running programs, `engine` adds Burn and the workload, `wgpu` and `cuda` add Burn's backends of that name, `plots`
//! pictures of a run, `cli` the program.
//! A feature adds API and never changes a result.
//!
//! `allocator`, a default, makes mimalloc the allocator of every program that links this library. A training step makes and
//! drops tensors of megabytes, and the system's allocator takes each from the kernel anew (`benches/RESULTS.md`). A program
//! with an allocator of its own asks for the features it needs without this one; jemalloc does well, too.
//!
//! # Training a model of your own
//!
//! Implement `workload::Workload` and its `engine::task::Task`: `examples/own-workload` is a program with all commands, whose
//! runs are signed, audited and replayed. For the training loop alone, `engine::fit::fit` is enough
//! (`examples/regression.rs`).

pub mod difference;
pub mod digest;
pub mod durable;
pub mod envelope;
pub mod event_log;
pub mod failure;
pub mod foreign;
pub mod interruption;
pub mod manifest;
pub mod merkle;
pub mod page;
pub mod provenance;
pub mod schema;
pub mod verify;

mod wall_time;

/// Composing configurations as Hydra does: the crate that does it, under the name that it has here.
pub use hydra_compose as config;

#[cfg(feature = "engine")]
pub mod ariel;
#[cfg(feature = "plots")]
pub mod chart;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "engine")]
pub mod command;
#[cfg(feature = "engine")]
pub mod engine;
#[cfg(feature = "engine")]
pub mod logger;
#[cfg(feature = "process")]
pub mod network;
#[cfg(feature = "engine")]
pub mod prelude;
#[cfg(all(feature = "process", unix))]
pub mod process;
#[cfg(feature = "engine")]
pub mod run;
#[cfg(feature = "engine")]
pub mod workload;

/// Burn, in the version that models have to be written for.
#[cfg(feature = "engine")]
pub use burn;

/// See the features above.
#[cfg(feature = "allocator")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
