//! What went into a run: sources, data, machine.
//!
//! Plain records and the functions that take them. Nothing here is signed or judged; `manifest` signs these records,
//! and the verifier takes them again and compares.

pub mod data;
pub mod dvc;
pub mod environment;
pub mod git;
pub mod md5;
pub mod path;
pub mod patterns;

#[cfg(feature = "git")]
pub(crate) mod worktree;
