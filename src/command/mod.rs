//! Running a program of the user's own under config, limits and record: the workload `command`.
//!
//! This module knows no tensor. It says what a command may be told and may do ([`config`], [`arguments`],
//! [`environment`]), runs it so that nothing of it is left ([`process`](crate::process)), and finds what it made ([`outputs`],
//! [`metrics`]). [`record()`] does all of it and signs; [`replay()`] does it again in a scratch folder and compares.
//!
//! # What holds a command, and what does not
//!
//! | | how | not |
//! |---|---|---|
//! | what it reads of the environment | exactly the allow-list | files: it reads whatever its user may read |
//! | where it writes | Landlock, where the kernel has it | metadata (`chmod`, `utime`), devices, `/dev/shm`, sockets |
//! | how long, how much output | the whole tree of processes is ended | |
//! | what it leaves | every descendant is found and ended, on Linux | other systems: its process group alone |
//!
//! A trainer who lies runs the command on a machine of their own, where none of this binds them: only a replay tells.

pub mod arguments;
pub mod config;
pub mod environment;
pub mod metrics;
pub mod outputs;
#[cfg(unix)]
mod record;
#[cfg(unix)]
mod replay;
#[cfg(unix)]
mod stage;

#[cfg(unix)]
pub use self::record::{News, RecordError, Recorded, Recording, record};
#[cfg(unix)]
pub use self::replay::{CommandReplay, RunCommand, replay};

/// Name of the primary config of a command, unless another is named.
pub const PRIMARY: &str = "exec";
