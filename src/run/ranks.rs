//! The processes that an MPI launcher started to make one run together, seen from one of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repro_ranks::{NoLibrary, Wire, World, WorldError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::workers::{Blame, Link, Member};
use crate::failure::{Advice, Failure, FailureKind};

/// The ranks of a run: each a worker, of which rank 0 leads.
#[derive(Clone)]
pub struct Ranks(Arc<Mutex<World>>);

/// For as long as rank 0 makes data, which nobody knows beforehand.
const PATIENCE: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a rank says of something that each does: what came of it, or why nothing did.
#[derive(Serialize, Deserialize)]
enum Word<T> {
    Done(T),
    Failed { message: String, hint: Option<String>, is_usage: bool },
}

impl Ranks {
    /// The ranks of a world.
    pub fn of(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This one's number.
    pub fn rank(&self) -> usize {
        self.world().rank()
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.world().size()
    }

    /// This one's number on its host.
    pub fn local_rank(&self) -> usize {
        self.world().local_rank()
    }

    /// How many there are on this host.
    pub fn local_size(&self) -> usize {
        self.world().local_size()
    }

    /// The library that moves the bytes, in words.
    pub fn library(&self) -> String {
        self.world().library().to_string()
    }

    /// The host of each.
    pub fn hosts(&self) -> Vec<String> {
        self.world().peers().iter().map(|peer| peer.host.to_string()).collect()
    }

    /// Where each computes, for messages: its host and process.
    fn places(&self) -> Vec<String> {
        let world = self.world();
        world.peers().iter().map(|peer| format!("{}, process {}", peer.host, peer.process)).collect()
    }

    /// Its place among the workers, for the steps of the run.
    pub(super) fn member(&self, timeout: Duration) -> Member {
        self.world().set_timeout(timeout);
        Member::of(Link::over(self.clone(), self.places()))
    }

    /// What every rank came to, or why the first of them did not: the same on all of them. They wait for each other as long as it
    /// takes.
    ///
    /// # Errors
    /// The failure of any rank, named unless it is rank 0's own; when one does not answer.
    pub(super) fn agree<T: Serialize + DeserializeOwned>(&self, own: Result<T, Failure>) -> Result<Vec<T>, Failure> {
        let word = match own {
            Ok(done) => Word::Done(done),
            Err(failure) => Word::Failed {
                message: failure.to_string(),
                hint: failure.hint().map(str::to_owned),
                is_usage: failure.kind() == FailureKind::Usage,
            },
        };
        let said = serde_json::to_vec(&word).map_err(|error| Failure::new(error.to_string()))?;
        let heard = {
            let mut world = self.world();
            world.set_timeout(PATIENCE);
            world.gather(&said)?
        };
        let places = self.places();
        let mut all = Vec::with_capacity(heard.len());
        for (rank, bytes) in heard.iter().enumerate() {
            let named = |message: &str| match rank {
                0 => message.to_owned(),
                _ => format!("worker {rank} ({}): {message}", places[rank]),
            };
            match serde_json::from_slice(bytes) {
                Ok(Word::Done(done)) => all.push(done),
                Ok(Word::Failed { message, hint, is_usage }) => {
                    let hint = hint.unwrap_or_default();
                    let failure =
                        if is_usage { Failure::usage(named(&message), &hint) } else { Failure::new(named(&message)) };
                    return Err(if hint.is_empty() { failure } else { failure.with_hint(hint) });
                }
                Err(error) => return Err(Failure::new(named(&format!("says what was not expected: {error}")))),
            }
        }
        Ok(all)
    }

    /// Whether all ranks have the same as rank 0, e.g. the same program.
    ///
    /// # Errors
    /// Which one has not.
    pub(super) fn compare<'a>(&self, what: &str, of: impl Iterator<Item = &'a str>, hint: &str) -> Result<(), Failure> {
        let all: Vec<_> = of.collect();
        match all.iter().position(|other| *other != all[0]) {
            None => Ok(()),
            Some(rank) => {
                let place = &self.places()[rank];
                let message =
                    format!("worker {rank} ({place}): expected the {what} of worker 0, {}, got {}", all[0], all[rank]);
                Err(Failure::new(message).with_hint(hint))
            }
        }
    }

    /// The bytes of rank 0, on every rank.
    pub(super) fn broadcast(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
        self.world().broadcast(0, &mut bytes)?;
        Ok(bytes)
    }

    /// The clean end: all ranks do it.
    ///
    /// # Errors
    /// When one does not come to it.
    pub fn finish(self) -> Result<(), Failure> {
        // Rank 0 may still be reading the run again before it signs.
        self.world().set_timeout(PATIENCE);
        let world = Arc::into_inner(self.0).ok_or_else(|| Failure::new("the ranks are still in use"))?;
        Ok(world.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?)
    }

    /// Ends all ranks at once. What there is to say must have been said.
    pub fn abort(&self, code: u8) -> ! {
        self.world().abort(code.into())
    }
}

impl Wire for Ranks {
    type Error = WorldError;

    fn rank(&self) -> usize {
        self.rank()
    }

    fn size(&self) -> usize {
        self.size()
    }

    fn exchange_parts(
        &mut self,
        partner: usize,
        send: &[u8],
        receive_bytes: usize,
        arrived: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), WorldError> {
        self.world().exchange_parts(partner, send, receive_bytes, arrived)
    }
}

impl Blame for WorldError {
    fn blame(&self) -> (usize, String) {
        let (blamed, me) = match self {
            Self::TimedOut { missing, partner, me, .. } => (missing.first().or(partner.as_ref()), Some(me)),
            Self::Refused { partner, me, .. } => (partner.as_ref(), Some(me)),
            Self::Length { partner, me, .. } => (Some(partner), Some(me)),
            Self::FailedBefore { me } => (None, Some(me)),
            Self::Mismatch { .. } | Self::StartedBefore | Self::WithoutThreads { .. } => (None, None),
        };
        (blamed.or(me).map_or(0, |peer| peer.rank), format!("does not answer: {self}"))
    }
}

impl Advice for WorldError {
    fn hint(&self) -> Option<String> {
        WorldError::hint(self).map(str::to_owned)
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Mismatch { .. } | Self::WithoutThreads { .. } => FailureKind::Usage,
            _ => FailureKind::Failed,
        }
    }
}

impl Advice for NoLibrary {
    fn hint(&self) -> Option<String> {
        Some(
            "install the MPI whose launcher started this program, or name its library with --mpi-library FILE; several workers of \
             one machine need none: trainer=multi_gpu"
                .into(),
        )
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}

impl std::fmt::Debug for Ranks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}
