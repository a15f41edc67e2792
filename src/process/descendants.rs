//! The descendants of the calling process, by `/proc`, without allocation.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::process::{Pid, Signal, getpid, kill_process};

/// Most processes of the machine that are looked at in one go; where there are more, the next go finds others, as those
/// found are gone.
const MAX_PROCESSES: usize = 1 << 15;

/// A process that descends from this one.
pub(super) struct Process<'a> {
    pid: Pid,
    has_ended: bool,
    proc: &'a OwnedFd,
}

impl Process<'_> {
    /// Whether its first thread has ended: it only waits to be waited for, unless others of its threads go on.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Writes the first bytes of its name.
    pub(super) fn name(&self, name: &mut [u8]) {
        let mut path = [0; 32];
        if let Some(path) = path_of(self.pid.as_raw_nonzero().get(), b"/comm\0", &mut path) {
            let _ = read(self.proc, path, name);
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid, signal);
    }
}

/// Calls `visit` with every descendant.
pub(super) fn each(mut visit: impl FnMut(Process<'_>)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = openat(CWD, c"/proc", flags, Mode::empty()) else { return };
    let mut table = [(0_i32, 0_i32, false); MAX_PROCESSES];
    let mut count = 0;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 8192];
    let mut entries = RawDir::new(proc.as_fd(), &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let Some(pid) = number(entry.file_name().to_bytes()) else { continue };
        if let (Some((parent, has_ended)), Some(slot)) = (parent(&proc, pid), table.get_mut(count)) {
            *slot = (pid, parent, has_ended);
            count += 1;
        }
    }
    let table = &mut table[..count];
    let own = getpid().as_raw_nonzero().get();
    // Descendants are moved to the front, until a pass finds none whose parent is this process or there already.
    let mut found = 0;
    loop {
        let before = found;
        for at in before..table.len() {
            let Some((_, parent, _)) = table.get(at).copied() else { break };
            if parent == own || table.iter().take(found).any(|(pid, ..)| *pid == parent) {
                table.swap(at, found);
                found += 1;
            }
        }
        if found == before {
            break;
        }
    }
    for (pid, _, has_ended) in table.iter().take(found) {
        if let Some(pid) = Pid::from_raw(*pid) {
            visit(Process { pid, has_ended: *has_ended, proc: &proc });
        }
    }
}

/// The parent of a process, and whether its first thread has ended; `None` when there is no such process.
fn parent(proc: &OwnedFd, pid: i32) -> Option<(i32, bool)> {
    let (mut path, mut stat) = ([0; 32], [0; 256]);
    let length = read(proc, path_of(pid, b"/stat\0", &mut path)?, &mut stat)?;
    // `12 (its name, which may have any character in it) S 1 …`
    let stat = stat.get(..length)?;
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(name_end + 1..)?.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    let state = fields.next()?;
    let has_ended = [&b"Z"[..], b"X"].contains(&state);
    Some((number(fields.next()?)?, has_ended))
}

fn read(proc: &OwnedFd, path: &CStr, bytes: &mut [u8]) -> Option<usize> {
    let file = openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    rustix::io::read(&file, bytes).ok()
}

/// `12/stat`; `end` has a NUL at its end.
fn path_of<'a>(pid: i32, end: &[u8], path: &'a mut [u8; 32]) -> Option<&'a CStr> {
    let (mut digits, mut rest, mut start) = ([0; 10], pid, 10);
    while rest > 0 {
        start -= 1;
        *digits.get_mut(start)? = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let parts = digits.get(start..)?.iter().chain(end);
    path.iter_mut().zip(parts).for_each(|(byte, part)| *byte = *part);
    CStr::from_bytes_until_nul(path).ok()
}

fn number(digits: &[u8]) -> Option<i32> {
    let digit = |number: i32, byte: &u8| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(i32::from(byte - b'0')),
        _ => None,
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, digit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_paths_are_made_without_allocation() {
        assert_eq!(number(b"120"), Some(120));
        assert_eq!([number(b""), number(b"self"), number(b"99999999999")], [None; 3]);
        let mut path = [0; 32];
        assert_eq!(path_of(2147483647, b"/stat\0", &mut path), Some(c"2147483647/stat"));
        let mut path = [0; 32];
        assert_eq!(path_of(7, b"/comm\0", &mut path), Some(c"7/comm"));
    }

    #[test]
    fn a_child_of_a_child_is_found() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
        let sleeping: i32 = line.trim().parse().expect("a process");
        let mut names = Vec::new();
        each(|process| {
            let mut name = [0; 16];
            process.name(&mut name);
            let pid = process.pid.as_raw_nonzero().get();
            if pid == sleeping || pid == child.id() as i32 {
                names.push(pid);
                process.signal(Signal::KILL);
            }
        });
        names.sort_unstable();
        let mut expected = vec![sleeping, child.id() as i32];
        expected.sort_unstable();
        assert_eq!(names, expected);
        child.wait().expect("ended");
    }
}
