//! Where a command may write: Landlock's rules, where the kernel has them.
//!
//! Under the rules a command reads and executes what its user may, and writes, creates, renames and removes only below the
//! folders it is given and in a few devices. It keeps the rules for all its descendants, cannot drop them, gains no
//! privilege by a set-user-id program, debugs no process but its own, and, from version 6 on, signals no other one.
//!
//! Landlock does not know of `chmod`, `chown`, `utime` and extended attributes, of sockets that already are there, nor of
//! what a device does; and `/dev/shm`, which worker processes share memory through, is open. Where the config denies the network, a
//! filter of system calls keeps it from the command ([`crate::network`]), and Landlock, from version 6 on, abstract sockets of other
//! processes.

use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::Advice;
use crate::manifest::predicate::SandboxRecord;
use crate::network::{self, DenialError};

/// What kept a command from writing elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Sandbox {
    /// Landlock did.
    Landlock {
        /// Version of the kernel's interface: 1 does not keep files outside from being truncated, 3 does; 6 keeps signals
        /// from processes outside.
        abi: u32,
    },
    /// Nothing did.
    None {
        /// Why.
        why: String,
    },
}

impl From<&Sandbox> for SandboxRecord {
    fn from(sandbox: &Sandbox) -> Self {
        match sandbox {
            Sandbox::Landlock { abi } => Self::Landlock { abi: *abi },
            Sandbox::None { why } => Self::None { reason: why.clone() },
        }
    }
}

/// Rules for one command that is to be started.
#[derive(Debug)]
pub struct Confinement {
    in_force: Sandbox,
    #[cfg(target_os = "linux")]
    ruleset: Option<std::os::fd::OwnedFd>,
    #[cfg(target_os = "linux")]
    filter: Option<network::Filter>,
}

/// Whether a command has a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It has what the machine has.
    Open,
    /// It is kept from it.
    Denied,
}

/// Rules that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Something that a command may write to is not there.
    #[error("{path}: a command may write to it, but it cannot be reached", path = path.display())]
    Unreachable {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel has Landlock and refuses the rules.
    #[error("landlock: {message}")]
    Refused {
        /// What it says.
        message: String,
    },
    /// The network cannot be kept away.
    #[error("{0}")]
    Network(#[from] DenialError),
}

impl Advice for SandboxError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some("make it, or take it out of command.writes".into()),
            Self::Refused { .. } => None,
            Self::Network(error) => error.hint(),
        }
    }
}

impl Confinement {
    /// Rules that let a command write below `writable`, its run directory and its temporary folder among them: all must be
    /// there. Where there is no Landlock there are no rules, and [`in_force`](Self::in_force) says why. A network that is to be
    /// denied and cannot be is an error: the filter is tried here first.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub fn to(writable: &[&Path], network: Network) -> Result<Self, SandboxError> {
        for path in writable {
            if let Err(source) = std::fs::metadata(path) {
                return Err(SandboxError::Unreachable { path: path.to_path_buf(), source });
            }
        }
        if network == Network::Denied {
            network::can_be_denied()?;
        }
        Self::of(writable, network)
    }

    /// No rules, for the reason given.
    pub fn none(why: &str) -> Self {
        Self {
            in_force: Sandbox::None { why: why.to_owned() },
            #[cfg(target_os = "linux")]
            ruleset: None,
            #[cfg(target_os = "linux")]
            filter: None,
        }
    }

    /// What will keep the command from writing elsewhere.
    pub fn in_force(&self) -> &Sandbox {
        &self.in_force
    }

    #[cfg(not(target_os = "linux"))]
    fn of(_: &[&Path], _: Network) -> Result<Self, SandboxError> {
        Ok(Self::none("this system has no Landlock"))
    }
}

#[cfg(target_os = "linux")]
impl Confinement {
    fn of(writable: &[&Path], network: Network) -> Result<Self, SandboxError> {
        let filter = match network {
            Network::Open => None,
            Network::Denied => Some(network::Filter::new()?),
        };
        Ok(Self { filter, ..Self::of_writes(writable, network)? })
    }

    fn of_writes(writable: &[&Path], network: Network) -> Result<Self, SandboxError> {
        use landlock::{
            ABI, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
        };

        let abi = match kernel_abi() {
            Ok(abi) => abi,
            Err(error) => return Ok(Self::none(&format!("the kernel has no Landlock in force: {error}"))),
        };
        // What the kernel is too old for is left out by the crate; the version that is recorded tells.
        let access = AccessFs::from_write(ABI::V3);
        let scope = match network {
            Network::Open => Scope::Signal.into(),
            Network::Denied => Scope::Signal | Scope::AbstractUnixSocket,
        };
        let rules = || -> Result<_, RulesetError> {
            Ruleset::default()
                .handle_access(access)?
                .scope(scope)?
                .create()?
                .add_rules(path_beneath_rules(writable, access))?
                .add_rules(path_beneath_rules(devices(), access))
        };
        let rules = rules().map_err(|error| SandboxError::Refused { message: error.to_string() })?;
        let ruleset: Option<std::os::fd::OwnedFd> = rules.into();
        match ruleset {
            Some(ruleset) => Ok(Self { in_force: Sandbox::Landlock { abi }, ruleset: Some(ruleset), filter: None }),
            None => Ok(Self::none("the kernel's Landlock is of no version that is known")),
        }
    }

    /// What keeps the network away.
    pub(super) fn filter(&self) -> Option<network::Filter> {
        self.filter.clone()
    }

    /// The rules as the kernel holds them.
    pub(super) fn ruleset(&self) -> Option<std::os::fd::RawFd> {
        use std::os::fd::AsRawFd;
        self.ruleset.as_ref().map(|ruleset| ruleset.as_raw_fd())
    }
}

/// Puts the calling thread, and what it executes, under rules for good. Allocates nothing and takes no lock: for use
/// between `fork` and `exec`.
#[cfg(target_os = "linux")]
pub(super) fn enter(ruleset: std::os::fd::RawFd) -> io::Result<()> {
    // SAFETY: the call takes two numbers and touches no memory of ours.
    match unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The version of Landlock that the kernel has in force.
#[cfg(target_os = "linux")]
fn kernel_abi() -> io::Result<u32> {
    const CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no attributes, and touches no memory of ours.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, CREATE_RULESET_VERSION)
    };
    u32::try_from(version).map_err(|_| io::Error::last_os_error())
}

/// Devices that programs write to, or have to open for writing to compute on: those that are here.
#[cfg(target_os = "linux")]
fn devices() -> Vec<PathBuf> {
    const NAMES: [&str; 11] = ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "dri", "kfd"];
    let mut devices: Vec<_> = NAMES.iter().map(|name| Path::new("/dev").join(name)).collect();
    // `nvidia0`, `nvidiactl`, `nvidia-uvm`, `nvidia-caps`, and one for each further GPU.
    let all = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    devices.extend(all.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"nvidia")).map(|it| it.path()));
    devices.retain(|path| path.exists());
    devices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error =
            Confinement::to(&[Path::new("/nonexistent/folder")], Network::Open).expect_err("refused").to_string();
        assert_eq!(error, "/nonexistent/folder: a command may write to it, but it cannot be reached");
    }

    #[test]
    fn what_is_in_force_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        match Confinement::to(&[folder.path()], Network::Open).expect("rules").in_force() {
            Sandbox::Landlock { abi } => assert!(*abi >= 1),
            Sandbox::None { why } => assert!(!why.is_empty()),
        }
    }
}
