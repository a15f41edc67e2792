//! The ranks that an MPI launcher started: bytes between them, and never a wait without an end.
//!
//! Only operations that return at once are used, and tested until they have ended; a rank that waits longer than the
//! time-out without a byte moving stops with an error that says for whom. Before it does, it calls the roll: whoever
//! waits, too, answers, so that the error names the rank that is the cause, and not only the partner, who may well be
//! waiting for the same one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::abi::{Refused, Transfer};
use crate::{Launcher, Library, Wire};

/// Bytes per message of an exchange. Of 64 KiB to 4 MiB the quickest for 100 MB among 4 ranks of one host with MPICH; with
/// Open MPI there was no difference.
const PART_BYTES: usize = 1024 * 1024;
/// Messages under way at once, in each direction. One alone, so that nothing arrives while a part is added up, took half as
/// long again with MPICH.
const PARTS_AT_ONCE: usize = 4;
/// Bytes of all ranks together in one step of a gather, and of a broadcast.
const COLLECTIVE_BYTES: usize = 16 * 1024 * 1024;
/// Messages of exchanges.
const DATA: i32 = 1;
/// Answers to the roll call.
const ROLL: i32 = 2;

/// All ranks of a job, seen from one of them. Used by one thread at a time, any one: what communicates takes `&mut self`.
///
/// After an error no more can be exchanged: say what happened, then [`abort`](Self::abort). Bytes that may still be under
/// way are never a caller's memory.
///
/// [`finish`](Self::finish) is the clean end. A world that is dropped without it does nothing and waits for nothing: the
/// launcher notices when the process ends, and ends the others.
pub struct World {
    library: Library,
    rank: usize,
    peers: Vec<Peer>,
    local_rank: usize,
    local_size: usize,
    timeout: Duration,
    has_failed: bool,
    /// Buffers of [`PART_BYTES`] for messages.
    spare: Vec<Vec<u8>>,
}

/// A rank, and where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number.
    pub rank: usize,
    /// As MPI names it.
    pub host: Box<str>,
    /// The process's number on its host: by which a launcher names a process that was killed.
    pub process: u32,
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "rank {} on {}", self.rank, self.host)
    }
}

/// The ranks cannot work together, or no longer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WorldError {
    /// The library knows nothing of the launcher: each process would be a job of its own.
    #[error(
        "the MPI library and the launcher do not belong together: started by {launcher}, but {library} {}",
        sees(*.got)
    )]
    Mismatch {
        /// Who started this process.
        launcher: Box<Launcher>,
        /// The library: file and version.
        library: String,
        /// The number of ranks the library sees; none if it lacks PMIx, so that it could not even ask.
        got: Option<usize>,
    },
    /// MPI can be started once in a process.
    #[error("MPI has been started before in this process")]
    StartedBefore,
    /// The library must be called by the thread that started it.
    #[error("{library} is built without support for threads: expected MPI_THREAD_SERIALIZED")]
    WithoutThreads {
        /// The library: file and version.
        library: String,
    },
    /// MPI returned an error.
    #[error("{me}: {call} failed{}: {text} (code {code})", with(.partner))]
    Refused {
        /// Who met it.
        me: Peer,
        /// The function.
        call: &'static str,
        /// With whom.
        partner: Option<Peer>,
        /// MPI's error code.
        code: i32,
        /// What it means, in the library's words.
        text: Box<str>,
    },
    /// Nothing moved for as long as the time-out.
    #[error("{me}: waited {:.1} s {doing}{}; {}", waited.as_secs_f64(), with(.partner), roll(.missing))]
    TimedOut {
        /// Who waited.
        me: Peer,
        /// What for: "in a barrier".
        doing: Box<str>,
        /// With whom.
        partner: Option<Peer>,
        /// For how long.
        waited: Duration,
        /// Who did not answer the roll call: stopped, dead, or computing for longer than the others wait. Empty if all
        /// answered, and then all were waiting, each for another.
        missing: Vec<Peer>,
    },
    /// Two ranks do not agree on how much there is to exchange.
    #[error("{me}: expected {expected} bytes from {partner}, got {got}")]
    Length {
        /// Who received.
        me: Peer,
        /// From whom.
        partner: Peer,
        /// In the message at hand.
        expected: usize,
        /// In the message at hand.
        got: usize,
    },
    /// There was an error before.
    #[error("{me}: nothing more can be exchanged after an error")]
    FailedBefore {
        /// Who tried.
        me: Peer,
    },
}

fn sees(processes: Option<usize>) -> String {
    match processes {
        None => "is built without PMIx, which that launcher speaks".to_owned(),
        Some(1) => "sees a single process".to_owned(),
        Some(processes) => format!("sees {processes} processes"),
    }
}

fn with(partner: &Option<Peer>) -> String {
    partner.as_ref().map_or_else(String::new, |partner| format!(" with {partner}"))
}

fn roll(missing: &[Peer]) -> String {
    const NAMED: usize = 8;
    if missing.is_empty() {
        return "all ranks answer".to_owned();
    }
    let named = missing.iter().take(NAMED).map(|peer| format!("{peer} (process {})", peer.process));
    let mut text = named.collect::<Vec<_>>().join(", ");
    if missing.len() > NAMED {
        text += &format!(" and {} more", missing.len() - NAMED);
    }
    format!("no answer from {text}")
}

impl WorldError {
    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Mismatch { .. } => Some(
                "use the mpiexec or mpirun that came with the library, or name the library that belongs to the launcher; \
                 with Slurm, `srun --mpi=list` shows what it can serve",
            ),
            Self::TimedOut { missing, .. } if !missing.is_empty() => Some(
                "look at that process: stopped, out of memory, a hanging device; or it needs longer than the time-out",
            ),
            Self::WithoutThreads { .. } => Some("name another MPI library"),
            _ => None,
        }
    }
}

impl World {
    /// Starts MPI, together with all other ranks. `launcher` is what the environment says
    /// ([`Launcher::from_environment`]); `timeout` is the longest wait for another rank, here and later.
    ///
    /// Starting itself is the library's, and waits for all ranks to be there. Without a launcher the world has one rank.
    ///
    /// # Errors
    /// The library and the launcher do not belong together; MPI was started before; some rank is silent.
    pub fn start(library: Library, launcher: Option<&Launcher>, timeout: Duration) -> Result<Self, WorldError> {
        static STARTED: AtomicBool = AtomicBool::new(false);
        if STARTED.swap(true, Ordering::SeqCst) || library.mpi().is_initialized() {
            return Err(WorldError::StartedBefore);
        }
        if let Some(launcher) = launcher.filter(|launcher| launcher.is_pmix_only && !library.may_speak_pmix()) {
            let (launcher, library) = (Box::new(launcher.clone()), library.to_string());
            return Err(WorldError::Mismatch { launcher, library, got: None });
        }
        let me = |rank| Peer { rank, host: library.mpi().host().into(), process: std::process::id() };
        let refused = |refused: Refused| WorldError::Refused {
            me: me(launcher.and_then(|launcher| launcher.rank).unwrap_or(0)),
            call: refused.call,
            partner: None,
            code: refused.code,
            text: library.mpi().error_text(refused.code).into(),
        };
        let has_threads = library.mpi().start().map_err(refused)?;
        let (rank, size) = library.mpi().place().map_err(refused)?;
        if let Some(launcher) = launcher {
            let is_another = launcher.size.is_some_and(|expected| expected != size);
            let is_alone = size == 1 && launcher.rank.is_some_and(|rank| rank > 0);
            if is_another || is_alone {
                if size == 1 {
                    library.unlink_shared_memory(true);
                    library.mpi().finalize().map_err(refused)?;
                }
                let (launcher, library) = (Box::new(launcher.clone()), library.to_string());
                return Err(WorldError::Mismatch { launcher, library, got: Some(size) });
            }
        }
        if !has_threads {
            return Err(WorldError::WithoutThreads { library: library.to_string() });
        }
        let (local_rank, local_size) = library.mpi().local_place().map_err(refused)?;
        // Of the others nothing is known until they say it.
        let unknown = |rank| Peer { rank, host: "an unknown host".into(), process: 0 };
        let peers = (0..size).map(|other| if other == rank { me(rank) } else { unknown(other) }).collect();
        let (has_failed, spare) = (false, Vec::new());
        let mut world = Self { library, rank, peers, local_rank, local_size, timeout, has_failed, spare };
        let mine = [&world.peers[rank].process.to_le_bytes()[..], world.peers[rank].host.as_bytes()].concat();
        for (peer, said) in world.gather(&mine)?.iter().enumerate() {
            let (process, host) = said.split_first_chunk().expect("a process number and a name");
            let (process, host) = (u32::from_le_bytes(*process), String::from_utf8_lossy(host).into());
            world.peers[peer] = Peer { rank: peer, host, process };
        }
        world.library.unlink_shared_memory(size == 1);
        Ok(world)
    }

    /// This process's number, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// The number of ranks.
    pub fn size(&self) -> usize {
        self.peers.len()
    }

    /// All ranks, and where to find them.
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// This process's number among those on the same host.
    pub fn local_rank(&self) -> usize {
        self.local_rank
    }

    /// The number of ranks on this host.
    pub fn local_size(&self) -> usize {
        self.local_size
    }

    /// The library that moves the bytes.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// The longest wait without a byte moving.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Another longest wait, from the next call on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Everyone's bytes, of any lengths, by rank, on every rank.
    ///
    /// # Errors
    /// A rank is gone or silent.
    pub fn gather(&mut self, mine: &[u8]) -> Result<Vec<Vec<u8>>, WorldError> {
        let size = self.size();
        let doing = format!("gathering {} bytes", mine.len());
        let lengths = self.all_gather((mine.len() as u64).to_le_bytes().to_vec(), &doing)?;
        let lengths: Vec<usize> = lengths
            .as_chunks()
            .0
            .iter()
            .map(|length| usize::try_from(u64::from_le_bytes(*length)).expect("the bytes lie in some rank's memory"))
            .collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mut all: Vec<Vec<u8>> = lengths.iter().map(|length| Vec::with_capacity(*length)).collect();
        // Filled up to the same length, in steps.
        let step = (COLLECTIVE_BYTES / size).max(1024);
        for begin in (0..longest).step_by(step) {
            let bytes = step.min(longest - begin);
            let mut part = mine[begin.min(mine.len())..(begin + bytes).min(mine.len())].to_vec();
            part.resize(bytes, 0);
            let parts = self.all_gather(part, &doing)?;
            for (rank, part) in parts.chunks_exact(bytes).enumerate() {
                let missing = lengths[rank] - all[rank].len();
                all[rank].extend_from_slice(&part[..bytes.min(missing)]);
            }
        }
        Ok(all)
    }

    /// Replaces `bytes` on every rank by those of `root`, of any length.
    ///
    /// # Errors
    /// A rank is gone or silent.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn broadcast(&mut self, root: usize, bytes: &mut Vec<u8>) -> Result<(), WorldError> {
        assert!(root < self.size(), "rank {root} of {}", self.size());
        let doing = format!("for a broadcast of rank {root}");
        let length = self.broadcast_part((bytes.len() as u64).to_le_bytes().to_vec(), root, &doing)?;
        let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
        let length = usize::try_from(length).expect("the bytes lie in the root's memory");
        if self.rank != root {
            bytes.clear();
        }
        for begin in (0..length).step_by(COLLECTIVE_BYTES) {
            let end = (begin + COLLECTIVE_BYTES).min(length);
            let part = if self.rank == root { bytes[begin..end].to_vec() } else { vec![0; end - begin] };
            let part = self.broadcast_part(part, root, &doing)?;
            if self.rank != root {
                bytes.extend_from_slice(&part);
            }
        }
        Ok(())
    }

    /// Returns when all ranks have called it.
    ///
    /// # Errors
    /// A rank is gone or silent.
    pub fn barrier(&mut self) -> Result<(), WorldError> {
        self.check()?;
        let transfer = self.library.mpi().barrier();
        self.complete(transfer, "in a barrier")?;
        Ok(())
    }

    /// The clean end: all ranks do it.
    ///
    /// # Errors
    /// A rank is gone or silent, or there was an error before.
    pub fn finish(mut self) -> Result<(), WorldError> {
        // MPI_Finalize waits for the others without an end.
        self.barrier()?;
        self.library.mpi().finalize().map_err(|refused| self.refused(refused, None))
    }

    /// Ends all ranks at once, this one with exit status `code`. What there is to say must have been said.
    pub fn abort(&self, code: i32) -> ! {
        self.library.mpi().abort(code)
    }

    /// The library's own sum, for comparing its speed with ours: in no promised order.
    ///
    /// # Errors
    /// MPI's. Waits without an end.
    #[doc(hidden)]
    pub fn library_sum(&mut self, values: &mut [f32]) -> Result<(), WorldError> {
        self.check()?;
        self.library.mpi().all_reduce(values).map_err(|refused| self.refused(refused, None))
    }

    fn all_gather(&mut self, mine: Vec<u8>, doing: &str) -> Result<Vec<u8>, WorldError> {
        self.check()?;
        let transfer = self.library.mpi().all_gather(mine, self.size());
        self.complete(transfer, doing)
    }

    fn broadcast_part(&mut self, bytes: Vec<u8>, root: usize, doing: &str) -> Result<Vec<u8>, WorldError> {
        self.check()?;
        let transfer = self.library.mpi().broadcast(bytes, root);
        self.complete(transfer, doing)
    }

    /// Waits until an operation among all ranks has ended; what it wrote.
    fn complete(&mut self, transfer: Result<Transfer, Refused>, doing: &str) -> Result<Vec<u8>, WorldError> {
        let mut transfer = transfer.map_err(|refused| self.refused(refused, None))?;
        let mut patience = Patience::new();
        loop {
            let ended = self.library.mpi().test(&mut transfer).map_err(|refused| self.refused(refused, None))?;
            if ended.is_some() {
                return Ok(transfer.into_buffers().1);
            }
            if patience.pause() > self.timeout {
                return Err(self.timed_out(doing, None, patience.waited()));
            }
        }
    }

    fn check(&self) -> Result<(), WorldError> {
        if self.has_failed { Err(WorldError::FailedBefore { me: self.peer(self.rank) }) } else { Ok(()) }
    }

    fn peer(&self, rank: usize) -> Peer {
        self.peers[rank].clone()
    }

    fn refused(&mut self, refused: Refused, partner: Option<usize>) -> WorldError {
        self.has_failed = true;
        WorldError::Refused {
            me: self.peer(self.rank),
            call: refused.call,
            partner: partner.map(|partner| self.peer(partner)),
            code: refused.code,
            text: self.library.mpi().error_text(refused.code).into(),
        }
    }

    fn timed_out(&mut self, doing: &str, partner: Option<usize>, waited: Duration) -> WorldError {
        self.has_failed = true;
        let missing = self.call_the_roll().into_iter().map(|rank| self.peer(rank)).collect();
        let partner = partner.map(|partner| self.peer(partner));
        WorldError::TimedOut { me: self.peer(self.rank), doing: doing.into(), partner, waited, missing }
    }

    /// Tells everybody that this rank is alive, and returns those who do not say so soon.
    ///
    /// Ranks that wait for one another time out at nearly the same time: each, when it last received something.
    fn call_the_roll(&mut self) -> Vec<usize> {
        let grace = (self.timeout / 4).clamp(Duration::from_secs(1), Duration::from_secs(10));
        let mpi = self.library.mpi();
        let others = (0..self.size()).filter(|rank| *rank != self.rank);
        let mut answers: Vec<_> = others
            .map(|rank| {
                // Whether a message leaves is nothing to wait for, and whether it can be sent no news.
                drop(mpi.send(vec![1], 1, rank, ROLL));
                (rank, mpi.receive(vec![0], 1, rank, ROLL).ok())
            })
            .collect();
        let began = Instant::now();
        while !answers.is_empty() && began.elapsed() < grace {
            answers.retain_mut(|(_, answer)| {
                let ended = answer.as_mut().map(|answer| mpi.test(answer));
                match ended {
                    Some(Ok(Some(_))) => false,
                    Some(Ok(None)) | None => true,
                    Some(Err(_)) => {
                        *answer = None;
                        true
                    }
                }
            });
            std::thread::sleep(Duration::from_millis(1));
        }
        answers.into_iter().map(|(rank, _)| rank).collect()
    }
}

impl Wire for World {
    type Error = WorldError;

    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.peers.len()
    }

    /// # Panics
    /// If there is no such rank, or it is this one.
    fn exchange_parts(
        &mut self,
        partner: usize,
        send: &[u8],
        receive_bytes: usize,
        arrived: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), WorldError> {
        assert!(partner < self.size() && partner != self.rank, "rank {partner} as the partner of {}", self.rank);
        self.check()?;
        let mut sends = send.chunks(PART_BYTES);
        let mut sending: VecDeque<Transfer> = VecDeque::new();
        let mut receiving: VecDeque<Transfer> = VecDeque::new();
        // Asked for, and arrived.
        let (mut asked, mut received) = (0, 0);
        let mut patience = Patience::new();
        loop {
            while receiving.len() < PARTS_AT_ONCE && asked < receive_bytes {
                let bytes = PART_BYTES.min(receive_bytes - asked);
                let transfer = self.library.mpi().receive(part(&mut self.spare), bytes, partner, DATA);
                receiving.push_back(transfer.map_err(|refused| self.refused(refused, Some(partner)))?);
                asked += bytes;
            }
            while sending.len() < PARTS_AT_ONCE
                && let Some(bytes) = sends.next()
            {
                let mut buffer = part(&mut self.spare);
                buffer[..bytes.len()].copy_from_slice(bytes);
                let transfer = self.library.mpi().send(buffer, bytes.len(), partner, DATA);
                sending.push_back(transfer.map_err(|refused| self.refused(refused, Some(partner)))?);
            }
            if sending.is_empty() && receiving.is_empty() {
                return Ok(());
            }
            let mut has_moved = false;
            if let Some(got) = self.first_ended(&mut receiving, partner)? {
                let (_, buffer) = receiving.pop_front().expect("the first").into_buffers();
                let expected = PART_BYTES.min(receive_bytes - received);
                if got != expected {
                    self.has_failed = true;
                    let (me, partner) = (self.peer(self.rank), self.peer(partner));
                    return Err(WorldError::Length { me, partner, expected, got });
                }
                arrived(received, &buffer[..got]);
                received += got;
                self.spare.push(buffer);
                has_moved = true;
            }
            if self.first_ended(&mut sending, partner)?.is_some() {
                let (buffer, _) = sending.pop_front().expect("the first").into_buffers();
                self.spare.push(buffer);
                has_moved = true;
            }
            if has_moved {
                patience = Patience::new();
            } else if patience.pause() > self.timeout {
                let doing = format!("exchanging {} bytes for {receive_bytes} ({received} arrived)", send.len());
                return Err(self.timed_out(&doing, Some(partner), patience.waited()));
            }
        }
    }
}

impl World {
    /// Whether the first of these has ended, and with how many bytes.
    fn first_ended(&mut self, transfers: &mut VecDeque<Transfer>, partner: usize) -> Result<Option<usize>, WorldError> {
        let Some(first) = transfers.front_mut() else { return Ok(None) };
        self.library.mpi().test(first).map_err(|refused| self.refused(refused, Some(partner)))
    }
}

/// A buffer for a message.
fn part(spare: &mut Vec<Vec<u8>>) -> Vec<u8> {
    spare.pop().unwrap_or_else(|| vec![0; PART_BYTES])
}

/// How to wait: busily for a moment, because most messages are there soon; then letting other threads run; then asleep,
/// because a partner who computes needs the core.
struct Patience {
    since: Instant,
    turns: u32,
    nap: Duration,
}

impl Patience {
    const BUSY_TURNS: u32 = 50;
    const YIELDING: Duration = Duration::from_millis(2);
    const LONGEST_NAP: Duration = Duration::from_micros(500);

    fn new() -> Self {
        Self { since: Instant::now(), turns: 0, nap: Duration::from_micros(20) }
    }

    fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// Waits a little; how long it has been in all.
    fn pause(&mut self) -> Duration {
        self.turns += 1;
        if self.turns <= Self::BUSY_TURNS {
            std::hint::spin_loop();
            return Duration::ZERO;
        }
        let waited = self.waited();
        if waited < Self::YIELDING {
            std::thread::yield_now();
        } else {
            std::thread::sleep(self.nap);
            self.nap = (self.nap * 2).min(Self::LONGEST_NAP);
        }
        waited
    }
}
