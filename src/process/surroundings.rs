//! What a program finds around it beside its files and its environment: its umask, the processors it may use, the name of
//! its machine.
//!
//! A name of its own takes a UTS namespace. Where making one is not allowed at once, it is made within a user namespace, in
//! which the program has its own user and group and no other: supplementary groups show as `nogroup` there.

use std::io;

/// What a program finds around it; by default what its caller has.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    umask: Option<u32>,
    processors: Vec<usize>,
    host: Option<Host>,
}

/// A name of the machine, and what making a user namespace takes, written out beforehand: nothing may be allocated then.
#[derive(Debug, Clone)]
struct Host {
    name: Vec<u8>,
    users: Vec<u8>,
    groups: Vec<u8>,
}

impl Surroundings {
    /// With this umask.
    #[must_use]
    pub fn with_umask(mut self, umask: u32) -> Self {
        self.umask = Some(umask & 0o777);
        self
    }

    /// On these processors alone, by their numbers; with none, on those of its caller.
    #[must_use]
    pub fn with_processors(mut self, processors: &[usize]) -> Self {
        self.processors = processors.to_vec();
        self
    }

    /// On a machine of this name.
    #[must_use]
    pub fn with_host_name(mut self, name: &str) -> Self {
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        self.host = Some(Host {
            name: name.as_bytes().to_vec(),
            users: format!("{user} {user} 1\n").into_bytes(),
            groups: format!("{group} {group} 1\n").into_bytes(),
        });
        self
    }

    /// Whether this system lets a program have them: they are given to a process that ends at once.
    ///
    /// # Errors
    /// What the system says when it refuses.
    pub fn check(&self) -> io::Result<()> {
        // SAFETY: the child runs nothing but `enter`, which allocates nothing and takes no lock, and ends.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let code = self.enter().err().map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO));
                // SAFETY: ends this process and runs nothing of the program it is a fork of.
                unsafe { libc::_exit(code) }
            }
            child => {
                let mut status = 0;
                // SAFETY: `status` is valid for writing.
                while unsafe { libc::waitpid(child, &mut status, 0) } == -1 {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
                match libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)) {
                    Some(0) => Ok(()),
                    Some(code) => Err(io::Error::from_raw_os_error(code)),
                    None => Err(io::Error::other("the process that tried it was ended")),
                }
            }
        }
    }

    /// Gives them to the calling process, which has one thread. Allocates nothing and takes no lock: for use between `fork`
    /// and `exec`.
    pub(super) fn enter(&self) -> io::Result<()> {
        if let Some(host) = &self.host {
            host.enter()?;
        }
        if let Some(umask) = self.umask {
            // SAFETY: takes a number.
            unsafe { libc::umask(umask as libc::mode_t) };
        }
        if !self.processors.is_empty() {
            allow(&self.processors)?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
impl Host {
    fn enter(&self) -> io::Result<()> {
        // SAFETY: takes a number; the process has one thread.
        if unsafe { libc::unshare(libc::CLONE_NEWUTS) } != 0 {
            // SAFETY: as above.
            if unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWUTS) } != 0 {
                return Err(io::Error::last_os_error());
            }
            // Who may not set groups may map one; kernels without this file need not be asked.
            let _ = write(c"/proc/self/setgroups", b"deny");
            write(c"/proc/self/uid_map", &self.users)?;
            write(c"/proc/self/gid_map", &self.groups)?;
        }
        // SAFETY: the pointer and the length are those of a slice.
        match unsafe { libc::sethostname(self.name.as_ptr().cast(), self.name.len()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Host {
    fn enter(&self) -> io::Result<()> {
        let _ = (&self.name, &self.users, &self.groups);
        Err(io::Error::from_raw_os_error(libc::ENOSYS))
    }
}

#[cfg(target_os = "linux")]
fn write(path: &std::ffi::CStr, bytes: &[u8]) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags, open};
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::io::write(&file, bytes)? {
        written if written == bytes.len() => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EIO)),
    }
}

/// Lets the calling process run on these processors alone.
#[cfg(target_os = "linux")]
fn allow(processors: &[usize]) -> io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    for &processor in processors.iter().filter(|&&processor| processor < rustix::thread::CpuSet::MAX_CPU) {
        set.set(processor);
    }
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

#[cfg(not(target_os = "linux"))]
fn allow(_: &[usize]) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// The processors that this process may use, by their numbers.
///
/// # Errors
/// Where the system does not say.
#[cfg(target_os = "linux")]
pub fn processors() -> io::Result<Vec<usize>> {
    let set = rustix::thread::sched_getaffinity(None)?;
    Ok((0..rustix::thread::CpuSet::MAX_CPU).filter(|&processor| set.is_set(processor)).collect())
}

/// The processors that this process may use, by their numbers.
///
/// # Errors
/// Here always: this system does not say.
#[cfg(not(target_os = "linux"))]
pub fn processors() -> io::Result<Vec<usize>> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// The name of this machine; what is no UTF-8 is replaced.
///
/// # Errors
/// When the system does not say.
pub fn host_name() -> io::Result<String> {
    let mut bytes = [0_u8; 256];
    // SAFETY: the pointer and the length are those of an array; its last byte stays zero.
    match unsafe { libc::gethostname(bytes.as_mut_ptr().cast(), bytes.len() - 1) } {
        0 => Ok(String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The umask of this process. Where the system says it only to those who change it (all but Linux), `None`.
pub fn umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let text = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(text.trim(), 8).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_had_is_had_and_what_cannot_is_refused_with_a_reason() {
        let mine = processors().expect("this process has some");
        assert!(!mine.is_empty());
        Surroundings::default().with_umask(0o27).with_processors(&mine[..1]).check().expect("a user's own right");
        // One that is not there.
        let error = Surroundings::default().with_processors(&[1023]).check().expect_err("refused");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        assert_eq!(processors().expect("as before"), mine);
        assert!(umask().is_some_and(|umask| umask <= 0o777));
        assert!(!host_name().expect("a name").is_empty());
    }
}
