//! A worker's place among those that make a run, and what they say to each other.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::link::{Link, LinkError};
use super::lockstep::Statistics;
use crate::digest::Blake3Digest;
use crate::engine::shard::tree_sum;

/// A worker's place among those that make a run together.
pub struct Member {
    rank: usize,
    size: usize,
    /// None of one that is alone.
    link: Option<Link>,
    /// The tensors after a step whose leaf has a digest: said, and compared, at the next meeting.
    tensors: Option<Blake3Digest>,
}

/// A worker's share of the shards of every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Share {
    rank: usize,
    size: usize,
}

impl Share {
    /// Which of so many shards.
    pub fn of(self, shards: usize) -> Range<usize> {
        self.rank * shards / self.size..(self.rank + 1) * shards / self.size
    }

    /// Whether it is all of them.
    pub fn is_all(self) -> bool {
        self.size == 1
    }
}

/// What a worker says before the sums of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Word {
    /// It has its own sums of the step.
    Step(StepWord),
    /// In the middle of a step, in lockstep: what it has of a sum over the batch.
    Statistics(StatisticsWord),
    /// It has made all steps that were planned.
    Done { tensors: Option<Blake3Digest> },
    /// The leader's: there is no further step.
    Stop { tensors: Option<Blake3Digest> },
    /// It cannot go on.
    Failed { reason: String },
}

/// What a worker says of its own sums.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::engine) struct StepWord {
    /// Which step.
    pub step: u64,
    /// Of each batch; `None` where no sample was this worker's.
    pub parts: Vec<Option<PartWord>>,
    tensors: Option<Blake3Digest>,
}

/// What a worker says of its part of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::engine) struct PartWord {
    /// Bits of the sum of its losses.
    pub loss_bits: u32,
    /// The segments of the gradient that it does not have.
    pub absent: Vec<usize>,
}

/// What a worker says in the middle of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum StatisticsWord {
    /// It has no samples of the batch.
    Absent,
    /// Its shards are done with the batch.
    Finished,
    /// Its layers wait for this sum: the bits of its numbers, and over how many elements.
    Sum { bits: Vec<u32>, count: u64 },
}

/// What came of a meeting.
pub(in crate::engine) enum Meeting {
    /// Everybody has its sums of the step: their words, by worker.
    Step(Vec<StepWord>),
    /// The leader has ended the run.
    Stop,
}

/// Why workers cannot go on together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// One does not answer.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// One failed.
    #[error("worker {rank} ({place}): {reason}")]
    Failed {
        /// Which.
        rank: usize,
        /// Where it computes.
        place: String,
        /// What it says.
        reason: String,
    },
    /// One has another model or optimizer than the others, which none may have. Of two, nobody knows which one it is.
    #[error(
        "worker {rank} ({place}) has drifted before step {step}: expected tensors with digest {expected}, as worker {other} has, got {got}"
    )]
    Drifted {
        /// Which.
        rank: usize,
        /// Where it computes.
        place: String,
        /// The step that was to be made.
        step: u64,
        /// One of those that have the same as most.
        other: usize,
        /// Their digest.
        expected: String,
        /// Its digest.
        got: String,
    },
    /// One is elsewhere in the plan, or has another one.
    #[error("worker {rank} ({place}) is not where worker 0 is: expected {expected}, got {got}")]
    Apart {
        /// Which.
        rank: usize,
        /// Where it computes.
        place: String,
        /// Where worker 0 is.
        expected: String,
        /// Where it is.
        got: String,
    },
}

impl Member {
    /// The only worker there is.
    pub fn alone() -> Self {
        Self { rank: 0, size: 1, link: None, tensors: None }
    }

    /// One of those that are linked.
    pub fn of(link: Link) -> Self {
        let (rank, size) = (link.rank(), link.size());
        Self { rank, size, link: Some(link).filter(|_| size > 1), tensors: None }
    }

    /// Its number, from 0; that of the leader is 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many workers there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The connection to the others; none of one that is alone.
    pub(super) fn link(&mut self) -> Option<&mut Link> {
        self.link.as_mut()
    }

    /// Its share of the shards.
    pub(in crate::engine) fn share(&self) -> Share {
        Share { rank: self.rank, size: self.size }
    }

    /// A worker and where it computes, in words; none of one that is alone.
    pub(in crate::engine) fn named(&self, rank: usize) -> Option<String> {
        Some(format!("worker {rank} ({})", self.link.as_ref()?.place(rank)))
    }

    /// Keeps the digest of its tensors, to be compared at the next meeting.
    pub(in crate::engine) fn remember(&mut self, tensors: Blake3Digest) {
        self.tensors = Some(tensors);
    }

    /// Says that its sums of a step are there, and hears the others.
    ///
    /// # Errors
    /// When one failed, drifted, is elsewhere or does not answer.
    pub(in crate::engine) fn meet(&mut self, step: u64, parts: Vec<Option<PartWord>>) -> Result<Meeting, WorkerError> {
        let tensors = self.tensors.take();
        self.say(Word::Step(StepWord { step, parts, tensors }), step)
    }

    /// Says that it begins a step whose batches are computed in lockstep; whether there is one.
    ///
    /// # Errors
    /// As [`meet`](Self::meet).
    pub(in crate::engine) fn begin(&mut self, step: u64) -> Result<bool, WorkerError> {
        match self.size {
            1 => Ok(true),
            _ => Ok(matches!(self.meet(step, Vec::new())?, Meeting::Step(_))),
        }
    }

    /// Adds up what the workers have of a sum over the batch, in the tree over the workers; `None` once all are done with the batch.
    ///
    /// `own` is `None` where this worker has no samples of the batch, and when its shards are done with it (`is_here`).
    ///
    /// # Errors
    /// When one failed, is elsewhere or does not answer.
    pub(super) fn add_up(
        &mut self,
        step: u64,
        is_here: bool,
        own: Option<Statistics>,
    ) -> Result<Option<Statistics>, WorkerError> {
        let Some(link) = self.link.as_mut() else { return Ok(own) };
        let word = match own {
            Some(Statistics { values, count }) => {
                StatisticsWord::Sum { bits: values.iter().map(|value| value.to_bits()).collect(), count }
            }
            None if is_here => StatisticsWord::Finished,
            None => StatisticsWord::Absent,
        };
        let heard = hear(link, &Word::Statistics(word))?;
        let mut leaves = Vec::with_capacity(heard.len());
        let mut first: Option<(usize, Option<usize>)> = None;
        for (rank, word) in heard.into_iter().enumerate() {
            let (leaf, length) = match word {
                Word::Statistics(StatisticsWord::Absent) => {
                    leaves.push(None);
                    continue;
                }
                Word::Statistics(StatisticsWord::Finished) => (None, None),
                Word::Statistics(StatisticsWord::Sum { bits, count }) => {
                    let length = bits.len();
                    (Some(Statistics { values: bits.into_iter().map(f32::from_bits).collect(), count }), Some(length))
                }
                Word::Failed { reason } => {
                    return Err(WorkerError::Failed { rank, place: link.place(rank).to_owned(), reason });
                }
                _ => {
                    let got = "not in the middle of a step".to_owned();
                    let expected = format!("in the middle of step {step}");
                    return Err(WorkerError::Apart { rank, place: link.place(rank).to_owned(), expected, got });
                }
            };
            match first {
                Some((other, expected)) if expected != length => {
                    let shown = |length: Option<usize>| match length {
                        Some(length) => format!("a layer's sum of {length} numbers in step {step}"),
                        None => format!("the end of step {step}"),
                    };
                    let expected = format!("{}, as worker {other} is", shown(expected));
                    return Err(WorkerError::Apart {
                        rank,
                        place: link.place(rank).to_owned(),
                        expected,
                        got: shown(length),
                    });
                }
                _ => first = Some((rank, length)),
            }
            leaves.push(leaf);
        }
        Ok(tree_sum(leaves, &mut Statistics::add))
    }

    /// Says that it has made all steps that were planned, or, if it leads, that there are no more.
    ///
    /// # Errors
    /// As [`meet`](Self::meet).
    pub(in crate::engine) fn end(&mut self, step: u64) -> Result<(), WorkerError> {
        let tensors = self.tensors.take();
        let word = if self.rank == 0 { Word::Stop { tensors } } else { Word::Done { tensors } };
        match self.size {
            1 => Ok(()),
            _ => self.say(word, step + 1).map(drop),
        }
    }

    /// Says that it cannot go on, where the others are or come to listen.
    pub(in crate::engine) fn fail(&mut self, reason: &str) {
        // They hear of it, or have failed themselves.
        let _ = self.say(Word::Failed { reason: reason.to_owned() }, 0);
    }

    fn say(&mut self, word: Word, step: u64) -> Result<Meeting, WorkerError> {
        let link = self.link.as_mut().expect("somebody to say it to");
        let words = hear(link, &word)?;
        judge(words, step, |rank| link.place(rank).to_owned())
    }
}

/// Says a word and hears everybody's.
fn hear(link: &mut Link, word: &Word) -> Result<Vec<Word>, WorkerError> {
    let said = serde_json::to_vec(word).expect("plain data");
    let heard = link.gather(said)?;
    let read = |(rank, bytes): (usize, &Vec<u8>)| {
        serde_json::from_slice(bytes).map_err(|error| WorkerError::Failed {
            rank,
            place: link.place(rank).to_owned(),
            reason: format!("says what is no word of a worker: {error}"),
        })
    };
    heard.iter().enumerate().map(read).collect()
}

/// What the words come to.
fn judge(words: Vec<Word>, step: u64, place: impl Fn(usize) -> String) -> Result<Meeting, WorkerError> {
    for (rank, word) in words.iter().enumerate() {
        if let Word::Failed { reason } = word {
            return Err(WorkerError::Failed { rank, place: place(rank), reason: reason.clone() });
        }
    }
    let shown = |tensors: Option<Blake3Digest>| tensors.map_or("none".to_owned(), |digest| digest.to_string());
    let are_as = |rank: usize| words.iter().filter(|word| word.tensors() == words[rank].tensors()).count();
    // The first of those that most agree with.
    let other = (0..words.len()).rev().max_by_key(|rank| are_as(*rank)).unwrap_or(0);
    if let Some(rank) = (0..words.len()).find(|rank| words[*rank].tensors() != words[other].tensors()) {
        let (expected, got) = (shown(words[other].tensors()), shown(words[rank].tensors()));
        return Err(WorkerError::Drifted { rank, place: place(rank), step, other, expected, got });
    }
    if let Word::Stop { .. } = words[0] {
        return Ok(Meeting::Stop);
    }
    let at = |word: &Word| match word {
        Word::Step(StepWord { step, parts, .. }) => format!("step {step} of {} batches", parts.len()),
        Word::Done { .. } => "the end of the plan".to_owned(),
        Word::Statistics(_) => "the middle of a step".to_owned(),
        Word::Stop { .. } | Word::Failed { .. } => "no step".to_owned(),
    };
    let expected = at(&words[0]);
    let mut steps = Vec::with_capacity(words.len());
    for (rank, word) in words.into_iter().enumerate() {
        let got = at(&word);
        match word {
            Word::Step(word) if got == expected => steps.push(word),
            _ => return Err(WorkerError::Apart { rank, place: place(rank), expected, got }),
        }
    }
    Ok(Meeting::Step(steps))
}

impl Word {
    fn tensors(&self) -> Option<Blake3Digest> {
        match self {
            Self::Step(StepWord { tensors, .. }) | Self::Done { tensors } | Self::Stop { tensors } => *tensors,
            Self::Statistics(_) | Self::Failed { .. } => None,
        }
    }
}
