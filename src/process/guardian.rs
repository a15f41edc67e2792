//! The process between the caller and a command: it waits for the command, ends what must be ended, and reports.
//!
//! It is a fork of a program that may have any number of threads, and executes nothing: of those threads it has none, but
//! whatever locks they held, the allocator's among them, are held for ever. So nothing here allocates, prints, panics on
//! purpose, or takes a lock.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::Status;
use super::surroundings::Surroundings;

/// What a guardian is told before it starts.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Where [`Order`]s come from, one byte each.
    pub orders: RawFd,
    /// Where the number of the command's process goes, 4 bytes, and at the end the [`Report`].
    pub reports: RawFd,
    /// Landlock's rules for the command.
    #[cfg(target_os = "linux")]
    pub ruleset: Option<RawFd>,
    /// What keeps the network from the command.
    #[cfg(target_os = "linux")]
    pub filter: Option<crate::network::Filter>,
    pub wall: Option<Duration>,
    pub grace: Duration,
    pub linger: Duration,
    pub surroundings: Surroundings,
}

/// What a guardian is told while the command runs. Closing the pipe is [`Kill`](Self::Kill).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Order {
    Interrupt = b'I',
    Terminate = b'T',
    Kill = b'K',
}

/// Whose doing the end was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Itself,
    WallLimit,
    Caller,
}

/// What a guardian says at its end.
#[derive(Debug)]
pub(super) struct Report {
    pub cause: Cause,
    pub status: Option<Status>,
    pub wall: Duration,
    pub peak_bytes: u64,
    /// Processes that were there after the command had ended by itself and lingered.
    pub left: u32,
    pub survivors: u32,
    /// Of the first processes that were left.
    pub names: Vec<String>,
}

const NAMES: usize = 8;
const NAME_BYTES: usize = 16;
const NUMBERS: usize = 7;

impl Report {
    /// Small enough for a pipe to take it as one.
    pub(super) const BYTES: usize = NUMBERS * 8 + NAMES * NAME_BYTES;

    pub(super) fn decode(bytes: &[u8; Self::BYTES]) -> Self {
        let (numbers, names) = bytes.split_at(NUMBERS * 8);
        let mut numbers = numbers.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")));
        let mut next = || numbers.next().expect("as many as are written");
        let (cause, has_status, status) = (next(), next(), next() as i32);
        let name = |bytes: &[u8]| {
            let text = bytes.split(|byte| [0, b'\n'].contains(byte)).next().unwrap_or_default();
            String::from_utf8_lossy(text).chars().flat_map(char::escape_debug).collect::<String>()
        };
        Self {
            cause: match cause {
                0 => Cause::Itself,
                1 => Cause::WallLimit,
                _ => Cause::Caller,
            },
            status: (has_status == 1).then(|| match libc::WIFSIGNALED(status) {
                true => Status::Signalled(libc::WTERMSIG(status)),
                false => Status::Exited(libc::WEXITSTATUS(status)),
            }),
            wall: Duration::from_nanos(next()),
            peak_bytes: next(),
            left: next() as u32,
            survivors: next() as u32,
            names: names.chunks_exact(NAME_BYTES).map(name).filter(|name| !name.is_empty()).collect(),
        }
    }
}

/// What is known so far, without allocation.
struct State {
    command: Pid,
    started: Instant,
    cause: Cause,
    status: Option<i32>,
    ended: Option<Instant>,
    peak_bytes: u64,
    left: u32,
    survivors: u32,
    names: [[u8; NAME_BYTES]; NAMES],
}

/// Called in the process that is to become the command: makes of it the guardian, which never returns, and of a fork of it the
/// command, which does.
pub(super) fn split(plan: &Plan) -> io::Result<()> {
    // Out of reach of the terminal's signals.
    rustix::process::setsid()?;
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // A child's end interrupts the guardian's waiting, and nothing else does.
    let before = block_child_signals()?;
    // SAFETY: `fork` in a process that has one thread. The child goes on to `exec`, as its caller's contract asks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => become_command(plan, &before),
        command => match Pid::from_raw(command) {
            Some(command) => watch(plan, command),
            None => exit(),
        },
    }
}

fn become_command(plan: &Plan, mask: &libc::sigset_t) -> io::Result<()> {
    rustix::process::setsid()?;
    // SAFETY: `mask` is a set of signals that the system filled.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
    // Before the rest: a new namespace clears the signal of the parent's death, and the rules keep it from being set up.
    plan.surroundings.enter()?;
    #[cfg(target_os = "linux")]
    {
        // Who ends the guardian does not set the command free.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        rustix::thread::set_no_new_privs(true)?;
        if let Some(ruleset) = plan.ruleset {
            super::sandbox::enter(ruleset)?;
        }
        // The guardian has none: it makes no socket, and a filter would cost its system calls.
        if let Some(filter) = &plan.filter {
            filter.enter()?;
        }
        // What some library opened without asking for it to be closed; older kernels cannot.
        const CLOSE_ON_EXEC: u32 = 4;
        // SAFETY: takes numbers; marks descriptors, closes none.
        unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, CLOSE_ON_EXEC) };
    }
    Ok(())
}

/// What a guardian is waiting for.
#[derive(Clone, Copy)]
enum Phase {
    /// The command's end.
    Running,
    /// The command's end, after it was told to; until then.
    Terminating(Instant),
    /// The end of what the command left; until then.
    Lingering(Instant),
    /// The end of everything; until then.
    Killing(Instant),
}

/// How long ending everything is tried. Only a process that waits in the kernel takes longer.
const KILLING: Duration = Duration::from_secs(20);

/// For ever and beyond is now: no time that anybody waits for overflows.
fn after(now: Instant, duration: Duration) -> Instant {
    now.checked_add(duration).unwrap_or(now)
}

fn watch(plan: &Plan, command: Pid) -> ! {
    // SAFETY: from here on this process uses these two descriptors and no other, as numbers; whatever else owned any of them
    // is never reached again, as this function never returns.
    unsafe {
        libc::dup2(plan.orders, ORDERS);
        libc::dup2(plan.reports, REPORTS);
    }
    close_others();
    ignore_signals();
    say(&command.as_raw_nonzero().get().to_le_bytes());
    let mut state = State {
        command,
        started: Instant::now(),
        cause: Cause::Itself,
        status: None,
        ended: None,
        peak_bytes: 0,
        left: 0,
        survivors: 0,
        names: [[0; NAME_BYTES]; NAMES],
    };
    let mut phase = Phase::Running;
    while state.reap() {
        let now = Instant::now();
        phase = state.next(plan, phase, now);
        let until = match phase {
            Phase::Running => plan.wall.and_then(|wall| state.started.checked_add(wall)),
            Phase::Terminating(until) | Phase::Lingering(until) => Some(until),
            Phase::Killing(until) if now >= until => {
                state.survivors = state.count_left();
                break;
            }
            // What starts while its parent is being ended is found the next time.
            Phase::Killing(_) => {
                state.kill_all();
                Some(after(now, Duration::from_millis(10)))
            }
        };
        match wait(until.map(|until| until.saturating_duration_since(now))) {
            Some(order @ (Order::Interrupt | Order::Terminate)) if matches!(phase, Phase::Running) => {
                state.cause = Cause::Caller;
                let signal = if order == Order::Interrupt { Signal::INT } else { Signal::TERM };
                phase = state.terminate(plan, now, signal);
            }
            Some(Order::Interrupt | Order::Terminate) | None => {}
            Some(Order::Kill) => {
                if state.status.is_none() && state.cause == Cause::Itself {
                    state.cause = Cause::Caller;
                }
                if !matches!(phase, Phase::Killing(_)) {
                    phase = Phase::Killing(after(now, KILLING));
                }
            }
        }
    }
    state.report();
    exit()
}

impl State {
    /// Takes note of every child that has ended: whether there are others.
    fn reap(&mut self) -> bool {
        loop {
            let mut status = 0;
            // SAFETY: all zeros are numbers and times.
            let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
            // SAFETY: both are valid for writing.
            let child = unsafe { libc::wait4(-1, &mut status, libc::WNOHANG, &mut usage) };
            match child {
                0 => return true,
                -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => continue,
                -1 => return false,
                _ => {}
            }
            // Linux counts kilobytes, Apple's systems bytes.
            let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
            self.peak_bytes = self.peak_bytes.max((usage.ru_maxrss as u64).saturating_mul(unit));
            if child == self.command.as_raw_nonzero().get() {
                self.status = Some(status);
                self.ended = Some(Instant::now());
            }
        }
    }

    /// What to wait for now.
    fn next(&mut self, plan: &Plan, phase: Phase, now: Instant) -> Phase {
        match phase {
            Phase::Running if self.status.is_some() => Phase::Lingering(after(now, plan.linger)),
            Phase::Running if plan.wall.is_some_and(|wall| now.saturating_duration_since(self.started) >= wall) => {
                self.cause = Cause::WallLimit;
                self.terminate(plan, now, Signal::TERM)
            }
            Phase::Lingering(until) if now >= until => {
                self.left = self.count_left();
                Phase::Killing(after(now, KILLING))
            }
            Phase::Terminating(until) if now >= until => Phase::Killing(after(now, KILLING)),
            phase => phase,
        }
    }

    fn terminate(&self, plan: &Plan, now: Instant, signal: Signal) -> Phase {
        let _ = rustix::process::kill_process_group(self.command, signal);
        Phase::Terminating(after(now, plan.grace))
    }

    /// How many processes there are, and the names of the first. At least one, or there were no child to wait for.
    #[cfg(target_os = "linux")]
    fn count_left(&mut self) -> u32 {
        let mut count = 0_u32;
        let names = &mut self.names;
        super::descendants::each(|process| {
            if process.has_ended() {
                return;
            }
            if let Some(name) = names.get_mut(count as usize) {
                process.name(name);
            }
            count += 1;
        });
        count.max(1)
    }

    /// Where processes cannot be listed.
    #[cfg(not(target_os = "linux"))]
    fn count_left(&mut self) -> u32 {
        1
    }

    fn kill_all(&self) {
        // A stopped process starts no other one: those that make more of themselves than are ended fall behind.
        for signal in [Signal::STOP, Signal::KILL] {
            if self.status.is_none() {
                let _ = rustix::process::kill_process_group(self.command, signal);
            }
            #[cfg(target_os = "linux")]
            super::descendants::each(|process| process.signal(signal));
            #[cfg(not(target_os = "linux"))]
            let _ = rustix::process::kill_process_group(self.command, signal);
        }
    }

    fn report(&self) {
        let wall = self.ended.unwrap_or_else(Instant::now).saturating_duration_since(self.started);
        let cause = match self.cause {
            Cause::Itself => 0,
            Cause::WallLimit => 1,
            Cause::Caller => 2,
        };
        let numbers: [u64; NUMBERS] = [
            cause,
            u64::from(self.status.is_some()),
            self.status.unwrap_or(0) as u64,
            wall.as_nanos() as u64,
            self.peak_bytes,
            self.left.into(),
            self.survivors.into(),
        ];
        let mut bytes = [0; Report::BYTES];
        let parts = numbers.iter().flat_map(|number| number.to_le_bytes());
        let parts = parts.chain(self.names.iter().flatten().copied());
        bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
        say(&bytes);
    }
}

/// Writes to the caller, few enough bytes for a pipe to take them as one. A caller that is gone reads nothing, and the signal
/// for that is ignored.
fn say(bytes: &[u8]) {
    // SAFETY: this process has this number for its pipe since `watch`.
    let reports = unsafe { BorrowedFd::borrow_raw(REPORTS) };
    let _ = rustix::io::write(reports, bytes);
}

const ORDERS: RawFd = 0;
const REPORTS: RawFd = 1;

/// Waits for an order, a child's end, or the time.
fn wait(at_most: Option<Duration>) -> Option<Order> {
    // A day is as good as for ever, and no clock overflows.
    let seconds = at_most.unwrap_or(Duration::MAX).min(Duration::from_secs(86_400));
    let timeout =
        libc::timespec { tv_sec: seconds.as_secs() as libc::time_t, tv_nsec: seconds.subsec_nanos() as libc::c_long };
    // SAFETY: the sets are the system's own, filled by its own functions, and descriptor 0 is below their size.
    let ready = unsafe {
        let mut read: libc::fd_set = std::mem::zeroed();
        libc::FD_ZERO(&mut read);
        libc::FD_SET(ORDERS, &mut read);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        // Signals are let in while it waits, and at no other time: none is missed between a look and the wait.
        libc::pselect(ORDERS + 1, &mut read, std::ptr::null_mut(), std::ptr::null_mut(), &timeout, &none)
    };
    if ready <= 0 {
        return None;
    }
    let mut order = [0_u8];
    // SAFETY: this process has this number for its pipe since `watch`.
    let orders = unsafe { BorrowedFd::borrow_raw(ORDERS) };
    match rustix::io::read(orders, &mut order) {
        Ok(1) if order[0] == Order::Interrupt as u8 => Some(Order::Interrupt),
        Ok(1) if order[0] == Order::Terminate as u8 => Some(Order::Terminate),
        Err(rustix::io::Errno::INTR) => None,
        // The caller is gone, or says so.
        _ => {
            if order[0] != Order::Kill as u8 {
                // Its end would be told again and again.
                block_on_orders_no_more();
            }
            Some(Order::Kill)
        }
    }
}

/// Puts a pipe that nobody writes to, nor closes, where the orders came from.
fn block_on_orders_no_more() {
    let mut ends = [0; 2];
    // SAFETY: the array has room for two descriptors; both stay open for as long as this process lives.
    unsafe {
        if libc::pipe(ends.as_mut_ptr()) == 0 {
            libc::dup2(ends[0], ORDERS);
        }
    }
}

extern "C" fn nothing(_: libc::c_int) {}

/// Keeps `SIGCHLD` back, gives it a handler, so that it interrupts what waits, and returns what was kept back before.
fn block_child_signals() -> io::Result<libc::sigset_t> {
    // SAFETY: all structs are the system's own, filled by its own functions or zero; the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
        libc::sigemptyset(&mut action.sa_mask);
        let mut children: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut children);
        libc::sigaddset(&mut children, libc::SIGCHLD);
        let mut before: libc::sigset_t = std::mem::zeroed();
        match libc::sigprocmask(libc::SIG_BLOCK, &children, &mut before) == 0
            && libc::sigaction(libc::SIGCHLD, &action, std::ptr::null_mut()) == 0
        {
            true => Ok(before),
            false => Err(io::Error::last_os_error()),
        }
    }
}

/// No signal but `SIGKILL` and `SIGSTOP` does anything to the guardian; above all, none runs the caller's handlers here.
fn ignore_signals() {
    for signal in 1..=64 {
        // A fault of its own must end it, and a child's end must interrupt it.
        let is_needed = [libc::SIGCHLD, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];
        let action = if signal == libc::SIGCHLD {
            continue;
        } else if is_needed.contains(&signal) {
            libc::SIG_DFL
        } else {
            libc::SIG_IGN
        };
        // SAFETY: neither action runs any code. A number that is no signal is refused.
        unsafe { libc::signal(signal, action) };
    }
}

/// Closes all but the two descriptors: the caller waits for the ends of pipes that this process has by inheritance.
fn close_others() {
    const FIRST: RawFd = REPORTS + 1;
    #[cfg(target_os = "linux")]
    // SAFETY: see `watch`: nothing of this process uses another descriptor.
    if unsafe { libc::syscall(libc::SYS_close_range, FIRST as u32, u32::MAX, 0_u32) } == 0 {
        return;
    }
    // SAFETY: as above; what is not open is refused.
    unsafe {
        let last = libc::sysconf(libc::_SC_OPEN_MAX).clamp(256, 1 << 20) as RawFd;
        for descriptor in FIRST..last {
            libc::close(descriptor);
        }
    }
}

fn exit() -> ! {
    // SAFETY: ends this process and runs nothing of the program it is a fork of.
    unsafe { libc::_exit(0) }
}
