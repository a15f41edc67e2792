//! No network for this process and for all that it starts: a filter of system calls, Linux' seccomp.
//!
//! Under the filter the kernel refuses, with `EACCES`, to make any socket that is not of the family `AF_UNIX`, which workers,
//! drivers and Python's `multiprocessing` talk through on one machine; and io_uring, which makes and connects sockets without the
//! system calls for it. It refuses `pidfd_getfd`, too, which takes an open socket out of another process. The filter holds for
//! every thread and every descendant, and nobody can take it off again; programs of another word size than ours, whose system
//! calls it cannot read, are ended. It needs no rights: a process under it gains none by a set-user-id program.
//!
//! It does not see what an `AF_UNIX` socket leads to. A proxy, a container's daemon or a resolver (systemd's) that listens on one
//! in the file system reaches the network for whoever asks it, and may hand over an open socket; nor does it see files of a network
//! file system, or another process of the same user that is made to do something. `docs/what-an-audit-proves.md` says so.

use std::io;

use crate::envelope::{Enforcement, NetworkFigure, NetworkMode};
use crate::failure::{Advice, FailureKind};

/// What a run whose network was denied records.
pub const DENIED: NetworkFigure = NetworkFigure { mode: NetworkMode::None, enforcement: Enforcement::SyscallFilter };

/// A network that cannot be kept away.
#[derive(Debug, thiserror::Error)]
pub enum DenialError {
    /// There is no such filter here.
    #[error("network: expected Linux on x86-64, AArch64 or RISC-V, where system calls can be filtered, got {system}")]
    Unsupported {
        /// System and processor.
        system: String,
    },
    /// The kernel, or a sandbox around this process, refuses the filter.
    #[error("network: expected a kernel that lets this process filter its system calls, got {message}")]
    Refused {
        /// What it says.
        message: String,
    },
    /// The filter is there, and does not hold.
    #[error("network: expected {what} to be refused under the filter of system calls (EACCES), got {got}")]
    NotRefused {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        got: String,
    },
    /// A way out was open before the filter was there.
    #[error("network: expected no open network socket when it is denied, got {what} as file descriptor {descriptor}")]
    Open {
        /// What is open.
        what: String,
        /// Under which number.
        descriptor: i32,
    },
    /// What is open cannot be told.
    #[error("network: expected to see which files are open, in /proc/self/fd")]
    Unseen {
        /// Why.
        source: io::Error,
    },
}

impl Advice for DenialError {
    fn hint(&self) -> Option<String> {
        let observe = "with envelope.network=observe (of a command: command.network=observe) nothing keeps the network away, and the \
                       record says so";
        Some(match self {
            Self::Unsupported { .. } | Self::Refused { .. } => observe.to_owned(),
            Self::NotRefused { .. } => format!("something else answers instead of the kernel; {observe}"),
            Self::Open { descriptor, .. } => {
                format!("start the program without it: `{descriptor}>&-` behind the command closes it in a shell")
            }
            Self::Unseen { .. } => format!("mount /proc; {observe}"),
        })
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Failed
    }
}

/// Denies the network to this process for good, to all its threads and all that it starts, and proves it: a connection, a datagram
/// socket, a netlink socket and io_uring are tried and have to be refused, and no network socket may be open.
///
/// Returns what is recorded of it. A second call proves it again.
///
/// # Errors
/// [`DenialError`]. The filter may be there, then, and the run must not begin.
pub fn deny() -> Result<NetworkFigure, DenialError> {
    system::deny()?;
    Ok(DENIED)
}

/// Whether [`deny`] would work here: the filter is tried on a thread of its own, which ends with it.
///
/// # Errors
/// [`DenialError`]
pub fn can_be_denied() -> Result<(), DenialError> {
    system::try_on_a_thread()
}

/// Whether this process holds a network socket now, as far as the system tells.
pub fn is_open() -> bool {
    matches!(system::check_open(), Err(DenialError::Open { .. }))
}

#[cfg(target_os = "linux")]
pub(crate) use self::system::Filter;

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeMap;
    use std::io;
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
    use std::os::fd::{FromRawFd, OwnedFd, RawFd};
    use std::sync::OnceLock;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        TargetArch, apply_filter, apply_filter_all_threads,
    };

    use super::DenialError;

    /// What the kernel says of a refused system call: as of a socket that one may not make.
    const REFUSED: i32 = libc::EACCES;

    /// The bit of a system call's number that says that it is one of x32: the same processor, other numbers.
    #[cfg(target_arch = "x86_64")]
    const X32: i64 = 0x4000_0000;

    /// A compiled filter.
    #[derive(Debug, Clone)]
    pub(crate) struct Filter(BpfProgram);

    impl Filter {
        /// Compiles the filter.
        ///
        /// # Errors
        /// [`DenialError::Unsupported`] on another processor.
        pub fn new() -> Result<Self, DenialError> {
            let architecture: TargetArch = std::env::consts::ARCH.try_into().map_err(|_| super::unsupported())?;
            let is_no_unix_socket =
                SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, libc::AF_UNIX as u64);
            let other_families = is_no_unix_socket.and_then(|condition| SeccompRule::new(vec![condition]));
            let other_families = vec![other_families.map_err(refused)?];
            let refused_calls = [
                (libc::SYS_socket, other_families.clone()),
                (libc::SYS_socketpair, other_families),
                (libc::SYS_io_uring_setup, Vec::new()),
                (libc::SYS_io_uring_enter, Vec::new()),
                (libc::SYS_io_uring_register, Vec::new()),
                (libc::SYS_pidfd_getfd, Vec::new()),
            ];
            let mut rules = BTreeMap::new();
            for (call, rule) in refused_calls {
                #[cfg(target_arch = "x86_64")]
                rules.insert(call | X32, rule.clone());
                rules.insert(call, rule);
            }
            let filter =
                SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(REFUSED as u32), architecture);
            Ok(Self(filter.and_then(TryInto::try_into).map_err(refused)?))
        }

        /// Puts the calling thread and what it executes under the filter, and sees an internet socket refused. Allocates nothing
        /// and takes no lock: for use between `fork` and `exec`.
        pub fn enter(&self) -> io::Result<()> {
            apply_filter(&self.0).map_err(|error| match error {
                seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
                _ => io::Error::from_raw_os_error(libc::EINVAL),
            })?;
            match socket(libc::AF_INET, libc::SOCK_STREAM) {
                Err(error) if error.raw_os_error() == Some(REFUSED) => Ok(()),
                _ => Err(io::Error::from_raw_os_error(libc::ENOTSUP)),
            }
        }
    }

    fn refused(error: impl std::fmt::Display) -> DenialError {
        DenialError::Refused { message: error.to_string() }
    }

    pub fn deny() -> Result<(), DenialError> {
        /// Filters add up, and each costs every system call a little.
        static FILTERED: OnceLock<()> = OnceLock::new();
        // Somebody who answers: without the filter this connection would be made.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let address = listener.as_ref().ok().and_then(|listener| listener.local_addr().ok());
        if FILTERED.get().is_none() {
            apply_filter_all_threads(&Filter::new()?.0).map_err(refused)?;
            let _ = FILTERED.set(());
        }
        prove(address)?;
        drop(listener);
        // After the filter: no thread has opened one meanwhile.
        check_open()
    }

    pub fn try_on_a_thread() -> Result<(), DenialError> {
        let filter = Filter::new()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let address = listener.as_ref().ok().and_then(|listener| listener.local_addr().ok());
        let tried = std::thread::spawn(move || {
            apply_filter(&filter.0).map_err(refused)?;
            prove(address)
        });
        tried.join().expect("trying a filter does not panic")
    }

    /// Tries every way that the filter is to close; `address` is that of somebody who would answer.
    fn prove(address: Option<SocketAddr>) -> Result<(), DenialError> {
        const DISCARD: u16 = 9;
        let address = address.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, DISCARD).into());
        // With parameters at no address: an io_uring that was let through would fail with EFAULT.
        // SAFETY: the kernel refuses the call before or when it looks at the null pointer.
        let io_uring = || match unsafe { libc::syscall(libc::SYS_io_uring_setup, 1_u32, std::ptr::null_mut::<u8>()) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
        let tried = [
            ("a connection to 127.0.0.1", TcpStream::connect(address).map(drop)),
            ("a datagram socket of IPv4", UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop)),
            ("a datagram socket of IPv6", UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).map(drop)),
            ("a netlink socket", socket(libc::AF_NETLINK, libc::SOCK_RAW).map(drop)),
            ("io_uring", io_uring()),
        ];
        for (what, outcome) in tried {
            let got = match outcome {
                Err(error) if error.raw_os_error() == Some(REFUSED) => continue,
                Err(error) => error.to_string(),
                Ok(()) => "it".to_owned(),
            };
            return Err(DenialError::NotRefused { what, got });
        }
        Ok(())
    }

    fn socket(family: i32, kind: i32) -> io::Result<OwnedFd> {
        // SAFETY: takes numbers alone.
        match unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) } {
            -1 => Err(io::Error::last_os_error()),
            // SAFETY: a new descriptor, which nobody else has.
            descriptor => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        }
    }

    /// Refuses what was open before the filter: a socket of the network, and an io_uring, whose kernel thread needs no call.
    pub fn check_open() -> Result<(), DenialError> {
        let unseen = |source| DenialError::Unseen { source };
        for entry in std::fs::read_dir("/proc/self/fd").map_err(unseen)? {
            let entry = entry.map_err(unseen)?;
            let Some(descriptor) = entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()) else {
                continue;
            };
            // The listing's own is closed when it has been listed.
            let Ok(target) = std::fs::read_link(entry.path()) else { continue };
            let target = target.to_string_lossy();
            let way_out = if target.starts_with("socket:") {
                family(descriptor).and_then(socket_name)
            } else {
                (target == "anon_inode:[io_uring]").then(|| "an io_uring".to_owned())
            };
            if let Some(what) = way_out {
                return Err(DenialError::Open { what, descriptor });
            }
        }
        Ok(())
    }

    /// What a socket of a family leads out by; none of one that stays on this machine.
    fn socket_name(family: i32) -> Option<String> {
        match family {
            libc::AF_UNIX => None,
            libc::AF_INET => Some("a socket of IPv4".to_owned()),
            libc::AF_INET6 => Some("a socket of IPv6".to_owned()),
            other => Some(format!("a socket of family {other}")),
        }
    }

    /// The family of a socket; none of what is no socket any more.
    fn family(descriptor: RawFd) -> Option<i32> {
        let mut family: libc::c_int = 0;
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: both pointers are to values of the sizes that are given. A number that is no socket is refused.
        let outcome = unsafe {
            libc::getsockopt(
                descriptor,
                libc::SOL_SOCKET,
                libc::SO_DOMAIN,
                (&raw mut family).cast::<libc::c_void>(),
                &raw mut length,
            )
        };
        (outcome == 0).then_some(family)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// On a thread of its own, which the filter ends with.
        fn under_the_filter<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
            let filter = Filter::new().expect("a filter");
            let work = move || {
                filter.enter().expect("filtered");
                work()
            };
            std::thread::spawn(work).join().expect("ended")
        }

        #[test]
        fn a_connection_that_is_made_without_the_filter_is_refused_under_it_and_so_is_every_other_family() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
            let address = listener.local_addr().expect("an address");
            let connected = || TcpStream::connect(address).map(drop).map_err(|error| error.raw_os_error());
            assert_eq!(connected(), Ok(()));
            assert_eq!(
                under_the_filter(move || TcpStream::connect(address).map(drop).map_err(|e| e.raw_os_error())),
                Err(Some(REFUSED))
            );
            let families = [
                libc::AF_INET,
                libc::AF_INET6,
                libc::AF_NETLINK,
                libc::AF_PACKET,
                libc::AF_VSOCK,
                libc::AF_ALG,
                libc::AF_BLUETOOTH,
                libc::AF_XDP,
                libc::AF_TIPC,
                12345,
            ];
            let got = under_the_filter(move || {
                families.map(|family| socket(family, libc::SOCK_DGRAM).err().and_then(|e| e.raw_os_error()))
            });
            assert_eq!(got, families.map(|_| Some(REFUSED)));
            assert_eq!(connected(), Ok(()), "other threads are as they were");
        }

        #[test]
        fn sockets_of_this_machine_are_made_under_the_filter_and_threads_inherit_it() {
            let (pair, inherited) = under_the_filter(|| {
                let inherited =
                    std::thread::spawn(|| UdpSocket::bind("127.0.0.1:0").err().and_then(|e| e.raw_os_error()));
                (std::os::unix::net::UnixStream::pair().is_ok(), inherited.join().expect("ended"))
            });
            assert!(pair);
            assert_eq!(inherited, Some(REFUSED));
        }

        /// With the bit of x32 a kernel that has those calls makes the same socket; one that has none says ENOSYS without the filter.
        #[cfg(target_arch = "x86_64")]
        #[test]
        fn the_numbers_of_x32_and_io_uring_are_refused() {
            let calls = [
                libc::SYS_socket | X32,
                libc::SYS_io_uring_setup,
                libc::SYS_io_uring_setup | X32,
                libc::SYS_pidfd_getfd,
            ];
            let got = under_the_filter(move || {
                calls.map(|call| {
                    // SAFETY: no call of these writes to memory before it has looked at a pointer, which is null here.
                    let result = unsafe { libc::syscall(call, libc::AF_INET, 0, 0) };
                    (result, io::Error::last_os_error().raw_os_error())
                })
            });
            assert_eq!(got, calls.map(|_| (-1, Some(REFUSED))));
        }

        #[test]
        fn a_socket_that_is_open_already_is_found() {
            let open = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            assert!(matches!(check_open(), Err(DenialError::Open { .. })));
            drop(open);
        }

        #[test]
        fn a_trial_leaves_this_process_as_it_was() {
            try_on_a_thread().expect("this machine filters system calls");
            UdpSocket::bind("127.0.0.1:0").expect("a socket");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::DenialError;

    pub fn deny() -> Result<(), DenialError> {
        Err(super::unsupported())
    }

    pub fn try_on_a_thread() -> Result<(), DenialError> {
        Err(super::unsupported())
    }

    pub fn check_open() -> Result<(), DenialError> {
        Err(super::unsupported())
    }
}

fn unsupported() -> DenialError {
    DenialError::Unsupported { system: format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH) }
}
