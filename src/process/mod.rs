//! Running a command so that it keeps its limits and nothing of it is left.
//!
//! ```text
//! caller ── guardian ── command ── its children
//! ```
//!
//! Between the caller and the command stands a *guardian*, a fork of the caller that executes nothing and allocates nothing
//! (the `guardian` module). Every process that the command starts is below it, also one that forked twice and has a
//! session of its own, as the guardian is a child subreaper on Linux: such orphans become its children and nobody else's. So it
//! knows what is left when the command ends, and ends it; and it does the same when the caller dies, of Ctrl-C, say, or of
//! `SIGKILL`. The caller copies the output and counts it.
//!
//! On systems that have no subreapers an orphan outside the command's process group is not found.

mod guardian;
pub mod sandbox;
pub mod surroundings;
#[cfg(test)]
mod tests;

#[cfg(target_os = "linux")]
mod descendants;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::guardian::{Cause, Order, Plan, Report};
use self::sandbox::Confinement;
use self::surroundings::Surroundings;
use crate::failure::{Advice, FailureKind};
use crate::interruption::Interruption;

/// How a command is run.
#[derive(Debug)]
pub struct Invocation<'a> {
    /// The program and its arguments.
    pub words: &'a [OsString],
    /// The folder it runs in.
    pub folder: &'a Path,
    /// Exactly what it gets of an environment.
    pub environment: Vec<(&'a OsStr, &'a OsStr)>,
    /// Where its stdout is kept; nothing may be there.
    pub stdout: &'a Path,
    /// Where its stderr is kept; nothing may be there.
    pub stderr: &'a Path,
    /// What it must keep.
    pub limits: Limits<'a>,
    /// Where it may write.
    pub confinement: &'a Confinement,
    /// What it finds around it; by default what its caller has.
    pub surroundings: &'a Surroundings,
}

/// Most files and folders below the folder of [`Limits::directory`]: as many as `command::outputs` takes.
const MAX_ENTRIES: u64 = 100_000;

/// What a command must keep.
#[derive(Debug, Clone)]
pub struct Limits<'a> {
    /// Longest time it may run.
    pub wall: Option<Duration>,
    /// Most bytes of its stdout and stderr together.
    pub output_bytes: u64,
    /// A folder, and the most bytes of all files below it. Looked at twice a second, and once at the end.
    pub directory: Option<(&'a Path, u64)>,
    /// How long it has to end after it was told to (`SIGTERM`), before it is ended (`SIGKILL`).
    pub grace: Duration,
    /// How long what it leaves behind has to end by itself, before it is ended and counted. Helpers of Python's
    /// `multiprocessing` outlive their program by some milliseconds.
    pub linger: Duration,
}

impl Limits<'_> {
    /// No limit but that of the output, ten seconds to end when told to, two for what is left behind.
    pub fn of_output(output_bytes: u64) -> Self {
        let (grace, linger) = (Duration::from_secs(10), Duration::from_secs(2));
        Self { wall: None, output_bytes, directory: None, grace, linger }
    }
}

/// One of the command's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Why a command ran no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum End {
    /// It ended by itself, with this code.
    Exited(i32),
    /// It was ended by this signal, which was not ours.
    Signalled(i32),
    /// It ran for too long.
    WallLimit,
    /// It printed too much.
    OutputLimit,
    /// It wrote too much.
    DirectoryLimit,
    /// The caller asked for it.
    Stopped,
    /// It ended by itself, and so many processes of its were still there, and were ended.
    LeftProcesses(u32),
}

/// A command that has ended. No process of it is there any more, but for [`survivors`](Self::survivors).
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Why.
    pub end: End,
    /// How the command's own process ended: an exit code or a signal; with every [`End`]. `None` when it could not be ended.
    pub status: Option<Status>,
    /// Monotonic seconds from its start to its own end.
    pub wall_seconds: f64,
    /// Most bytes of main memory that one process of it had at one time, of those that were waited for: the largest resident
    /// set, not the sum over processes. As the system counts, it is never below what the caller itself had resident when the
    /// command started.
    pub peak_bytes: u64,
    /// Names of the first processes that were left.
    pub left: Vec<String>,
    /// Processes that could not be ended: they wait in the kernel.
    pub survivors: u32,
    /// Bytes of stdout that were kept.
    pub stdout_bytes: u64,
    /// Bytes of stderr that were kept.
    pub stderr_bytes: u64,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Status {
    /// By itself, with a code.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
}

/// A command that was not run, or not to an end that can be told.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no command.
    #[error("expected a command, got no words")]
    Empty,
    /// It cannot be started.
    #[error("cannot run {program:?}")]
    Start {
        /// The first word.
        program: OsString,
        /// Why.
        source: io::Error,
    },
    /// Its output cannot be kept.
    #[error("cannot write {path}", path = path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refuses what running it takes.
    #[error("cannot watch the command")]
    Watch {
        /// Why.
        #[from]
        source: io::Error,
    },
    /// Something ended the process that watches over the command: nobody can tell what is left of it.
    #[error("the process that watches over the command was ended by something else")]
    Guardian,
}

impl Advice for ProcessError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Empty => Some("put the words of the command after --".into()),
            Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("it is looked for in the PATH that the command gets, as command.environment says".into())
            }
            _ => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Empty => FailureKind::Usage,
            _ => FailureKind::Failed,
        }
    }
}

/// Runs a command to its end. `output` gets what is kept of its output, as it comes; `stop` is asked ten times a second
/// whether to end it, and by which signal.
///
/// The command has a session of its own, so no Ctrl-C of the caller's terminal reaches it, an empty stdin, and no other
/// open file. It cannot gain privileges. While `output` blocks, so does the command, and its wall limit holds.
///
/// # Errors
/// [`ProcessError`]; but for [`ProcessError::Guardian`] nothing of the command is left then, either.
pub fn run(
    invocation: &Invocation<'_>,
    output: &mut dyn FnMut(Stream, &[u8]),
    stop: &dyn Fn() -> Option<Interruption>,
) -> Result<Finished, ProcessError> {
    let limits = &invocation.limits;
    let mut stdout = Kept::create(invocation.stdout)?;
    let mut stderr = Kept::create(invocation.stderr)?;
    let mut running = Running::start(invocation)?;
    let mut buffer = vec![0; 1 << 16];
    let mut room = limits.output_bytes;
    let mut cause = None;
    let mut looked = Instant::now();
    let report = loop {
        let ready = running.wait(Duration::from_millis(100))?;
        for (kept, stream) in [(&mut stdout, Stream::Stdout), (&mut stderr, Stream::Stderr)] {
            // Once the command has ended all that is in the pipe is read, and no more, should somebody else have got hold of
            // its other end; before, one buffer at a time.
            for _ in 0..if ready { MAX_PIPE_BYTES / buffer.len() + 1 } else { 1 } {
                let Some(bytes) = running.read(stream, &mut buffer)? else { break };
                let (within, beyond) = bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
                room -= within.len() as u64;
                kept.write(within)?;
                if cause.is_none() && !within.is_empty() {
                    output(stream, within);
                }
                if !beyond.is_empty() && cause.is_none() {
                    cause = Some(End::OutputLimit);
                    running.order(Order::Kill);
                }
            }
        }
        if ready {
            break running.report()?;
        }
        if cause.is_none()
            && let Some(interruption) = stop()
        {
            cause = Some(End::Stopped);
            running.order(match interruption {
                Interruption::Interrupt => Order::Interrupt,
                Interruption::Terminate => Order::Terminate,
            });
        }
        if cause.is_none() && looked.elapsed() > Duration::from_millis(500) {
            if is_over(limits.directory) {
                cause = Some(End::DirectoryLimit);
                running.order(Order::Kill);
            }
            looked = Instant::now();
        }
    };
    stdout.sync()?;
    stderr.sync()?;
    if cause.is_none() && is_over(limits.directory) {
        cause = Some(End::DirectoryLimit);
    }
    // It may have ended before it was told to.
    if cause == Some(End::Stopped) && report.cause == Cause::Itself {
        cause = None;
    }
    Ok(Finished {
        end: cause.unwrap_or_else(|| end(&report)),
        status: report.status,
        wall_seconds: report.wall.as_secs_f64(),
        peak_bytes: report.peak_bytes,
        left: report.names,
        survivors: report.survivors,
        stdout_bytes: stdout.bytes,
        stderr_bytes: stderr.bytes,
    })
}

/// Most bytes that a pipe holds, unless root asks for more.
const MAX_PIPE_BYTES: usize = 1 << 20;

fn end(report: &Report) -> End {
    match (report.cause, report.left, report.status) {
        (Cause::WallLimit, _, _) => End::WallLimit,
        (Cause::Caller, _, _) => End::Stopped,
        (Cause::Itself, 0, Some(Status::Exited(code))) => End::Exited(code),
        (Cause::Itself, 0, Some(Status::Signalled(signal))) => End::Signalled(signal),
        (Cause::Itself, left, _) => End::LeftProcesses(left.max(report.survivors)),
    }
}

/// Whether the files below a folder are larger than they may be. What vanishes meanwhile does not count.
fn is_over(directory: Option<(&Path, u64)>) -> bool {
    let Some((root, limit)) = directory else { return false };
    let (mut bytes, mut entries, mut pending) = (0_u64, 0, vec![root.to_owned()]);
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => pending.push(entry.path()),
                // By its length: hashing reads the holes of a sparse file, too.
                Ok(found) => bytes = bytes.saturating_add(found.len()),
                Err(_) => {}
            }
            entries += 1;
            // More of them would be refused at the end, anyway.
            if bytes > limit || entries > MAX_ENTRIES {
                return true;
            }
        }
    }
    false
}

/// A file that output is kept in.
struct Kept<'a> {
    path: &'a Path,
    file: File,
    bytes: u64,
}

impl<'a> Kept<'a> {
    fn create(path: &'a Path) -> Result<Self, ProcessError> {
        let file = File::options().write(true).create_new(true).open(path);
        let file = file.map_err(|source| ProcessError::Output { path: path.to_owned(), source })?;
        Ok(Self { path, file, bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ProcessError> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|source| ProcessError::Output { path: self.path.to_owned(), source })
    }

    fn sync(&self) -> Result<(), ProcessError> {
        self.file.sync_all().map_err(|source| ProcessError::Output { path: self.path.to_owned(), source })
    }
}

/// A command and its guardian. Dropping it ends both.
struct Running {
    guardian: Child,
    /// The first of its group of processes.
    command: Option<Pid>,
    /// `None` once it ended.
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
    reports: PipeReader,
    /// The guardian ends the command when this is closed.
    orders: Option<PipeWriter>,
}

impl Running {
    fn start(invocation: &Invocation<'_>) -> Result<Self, ProcessError> {
        let (program, arguments) = invocation.words.split_first().ok_or(ProcessError::Empty)?;
        let (stdout, stdout_writer) = io::pipe()?;
        let (stderr, stderr_writer) = io::pipe()?;
        let (reports, reports_writer) = io::pipe()?;
        let (orders_reader, orders) = io::pipe()?;
        for ours in [&stdout, &stderr] {
            let flags = rustix::fs::fcntl_getfl(ours).map_err(io::Error::from)?;
            rustix::fs::fcntl_setfl(ours, flags | rustix::fs::OFlags::NONBLOCK).map_err(io::Error::from)?;
        }
        let plan = Plan {
            orders: orders_reader.as_raw_fd(),
            reports: reports_writer.as_raw_fd(),
            #[cfg(target_os = "linux")]
            ruleset: invocation.confinement.ruleset(),
            #[cfg(target_os = "linux")]
            filter: invocation.confinement.filter(),
            wall: invocation.limits.wall,
            grace: invocation.limits.grace,
            linger: invocation.limits.linger,
            surroundings: invocation.surroundings.clone(),
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(invocation.folder)
            .env_clear()
            .envs(invocation.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(stdout_writer)
            .stderr(stderr_writer);
        // SAFETY: `split` allocates nothing and takes no lock in either process, as must hold between `fork` and `exec`; the
        // descriptors of the plan are open until `spawn` has returned.
        unsafe { command.pre_exec(move || guardian::split(&plan)) };
        let guardian = command.spawn();
        // Its ends of the pipes: with them open no end would ever come.
        drop(command);
        let guardian = guardian.map_err(|source| ProcessError::Start { program: program.clone(), source })?;
        drop((orders_reader, reports_writer));
        let (stdout, stderr, orders) = (Some(stdout), Some(stderr), Some(orders));
        let mut running = Self { guardian, command: None, stdout, stderr, reports, orders };
        let mut command = [0; 4];
        running.reports.read_exact(&mut command).map_err(|_| ProcessError::Guardian)?;
        running.command = Pid::from_raw(i32::from_le_bytes(command));
        Ok(running)
    }

    /// Waits until there is output or a report: whether there is a report.
    fn wait(&self, at_most: Duration) -> Result<bool, ProcessError> {
        let outputs = self.stdout.iter().chain(&self.stderr);
        let mut sources = vec![PollFd::from_borrowed_fd(self.reports.as_fd(), PollFlags::IN)];
        sources.extend(outputs.map(|output| PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN)));
        let timeout = at_most.try_into().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        match poll(&mut sources, Some(&timeout)) {
            Ok(_) => Ok(!sources[0].revents().is_empty()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// What a stream has, if anything.
    fn read<'a>(&mut self, stream: Stream, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>, ProcessError> {
        let source = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let Some(reader) = source else { return Ok(None) };
        match reader.read(buffer) {
            Ok(0) => {
                *source = None;
                Ok(None)
            }
            Ok(count) => Ok(Some(&buffer[..count])),
            Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the guardian. One that has ended needs no telling.
    fn order(&mut self, order: Order) {
        let _ = self.orders.as_mut().map(|orders| orders.write_all(&[order as u8]));
    }

    /// What the guardian says at its end.
    fn report(&mut self) -> Result<Report, ProcessError> {
        let mut bytes = [0; Report::BYTES];
        match self.reports.read_exact(&mut bytes) {
            Ok(()) => Ok(Report::decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                // The best that can be done: what left the group is out of reach.
                let _ = self.command.map(|command| kill_process_group(command, Signal::KILL));
                Err(ProcessError::Guardian)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.guardian.wait();
    }
}
