//! Micro-shards of a batch in lockstep, for layers that normalise by the statistics of the whole batch.
//!
//! Each of this worker's shards of a batch is computed by a thread of its own. A layer that needs the whole batch's statistics
//! hands in what it has and waits; once all shards have, the worker adds theirs up in the tree of the shards, the workers theirs in
//! the tree above it, and every shard gets the sum. The same happens backward, in the opposite order of the layers.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::member::{Member, WorkerError};
use crate::engine::repro::BatchStatistics;
use crate::engine::shard::tree_sum;

/// What a shard of the batch, or a worker, has of a sum.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statistics {
    /// The numbers.
    pub values: Vec<f32>,
    /// Over how many elements.
    pub count: u64,
}

impl Statistics {
    /// The sum of two, element by element.
    pub fn add(mut self, right: Self) -> Self {
        self.values.iter_mut().zip(right.values).for_each(|(left, right)| *left += right);
        self.count += right.count;
        self
    }
}

/// What a shard's thread says.
enum News {
    /// A layer waits for this sum.
    Sum(Statistics),
    /// The shard is done, or has panicked.
    Finished,
}

/// One shard's side of the sums.
#[derive(Debug)]
struct Shard {
    to: Mutex<Sender<News>>,
    from: Mutex<Receiver<Statistics>>,
}

/// Nobody answers: another shard or worker has failed, and says why.
const NO_ANSWER: &str = "the other micro-shards of the batch have ended";

impl BatchStatistics for Shard {
    fn sum(&self, values: Vec<f32>, count: u64) -> (Vec<f32>, u64) {
        let sent = locked(&self.to).send(News::Sum(Statistics { values, count }));
        let answer = sent.ok().and_then(|()| locked(&self.from).recv().ok());
        // No message of a panic: whoever failed has said why.
        let Some(Statistics { values, count }) = answer else { resume_unwind(Box::new(NO_ANSWER.to_owned())) };
        (values, count)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One shard's thread, as its worker sees it.
struct Seat {
    from: Receiver<News>,
    to: Sender<Statistics>,
}

/// Computes the jobs of a batch in lockstep, those of other workers included; `None` where a shard has no samples.
///
/// Returns what came of each, and how many sums the layers asked for.
///
/// # Errors
/// When another worker fails, ends, does not answer, or has other layers.
///
/// # Panics
/// When a job does.
pub(in crate::engine) fn in_lockstep<J: Send, R: Send>(
    member: &mut Member,
    step: u64,
    jobs: Vec<Option<J>>,
    compute: impl Fn(J, Arc<dyn BatchStatistics>) -> R + Sync,
) -> Result<(Vec<Option<R>>, usize), WorkerError> {
    let compute = &compute;
    thread::scope(|scope| {
        let (mut seats, mut threads) = (Vec::new(), Vec::new());
        for job in jobs {
            let (seat, thread) = match job {
                None => (None, None),
                Some(job) => {
                    let ((to, from), (answer, answers)) = (channel(), channel());
                    let shard = Arc::new(Shard { to: Mutex::new(to.clone()), from: Mutex::new(answers) });
                    let thread = scope.spawn(move || {
                        let done = catch_unwind(AssertUnwindSafe(|| compute(job, shard)));
                        // Nobody listens any more where another shard has failed.
                        let _ = to.send(News::Finished);
                        done
                    });
                    (Some(Seat { from, to: answer }), Some(thread))
                }
            };
            seats.push(seat);
            threads.push(thread);
        }
        let sums = conduct(member, step, &seats);
        // Shards that still wait are answered by nobody.
        drop(seats);
        let join = |thread: thread::ScopedJoinHandle<'_, thread::Result<R>>| thread.join().and_then(|done| done);
        let done: Vec<_> = threads.into_iter().map(|thread| thread.map(join)).collect();
        let is_cause = |panic: &Box<dyn std::any::Any + Send>| {
            !panic.downcast_ref::<String>().is_some_and(|message| message.contains(NO_ANSWER))
        };
        let mut results = Vec::with_capacity(done.len());
        let mut consequence = None;
        for done in done {
            match done.transpose() {
                Ok(result) => results.push(result),
                Err(panic) if is_cause(&panic) => resume_unwind(panic),
                Err(panic) => consequence = Some(panic),
            }
        }
        match (sums, consequence) {
            (Err(error), _) => Err(error),
            (Ok(_), Some(panic)) => resume_unwind(panic),
            (Ok(sums), None) => Ok((results, sums)),
        }
    })
}

/// Adds up until all shards are done; how many sums there were.
fn conduct(member: &mut Member, step: u64, seats: &[Option<Seat>]) -> Result<usize, WorkerError> {
    let mut sums = 0;
    loop {
        let mut handed_in = Vec::with_capacity(seats.len());
        let mut finished = 0;
        for seat in seats {
            handed_in.push(match seat {
                None => None,
                Some(seat) => match seat.from.recv() {
                    Ok(News::Sum(statistics)) => Some(statistics),
                    Ok(News::Finished) | Err(_) => {
                        finished += 1;
                        None
                    }
                },
            });
        }
        let waiting: Vec<_> = handed_in.iter().map(Option::is_some).collect();
        if finished > 0 && waiting.contains(&true) {
            // One has panicked, or layers that depend on the samples are not in step: those that wait end, too.
            return Ok(sums);
        }
        let own = tree_sum(handed_in, &mut Statistics::add);
        let is_here = seats.iter().any(Option::is_some);
        let Some(total) = member.add_up(step, is_here, own)? else { return Ok(sums) };
        sums += 1;
        for (seat, waits) in seats.iter().zip(waiting) {
            if let Some(seat) = seat.as_ref().filter(|_| waits) {
                // It may have panicked since.
                let _ = seat.to.send(total.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::threads::tests::linked;
    use super::*;

    /// Sums twice, the second time of what came of the first.
    fn twice(own: f32, whole: Arc<dyn BatchStatistics>) -> Vec<f32> {
        let ask = |value: f32| whole.sum(vec![value], 2);
        let (first, count) = ask(own);
        let (second, _) = ask(own * first[0] / count as f32);
        vec![first[0], count as f32, second[0]]
    }

    fn on_workers(size: usize, shards: Vec<Option<f32>>) -> Vec<Vec<Option<Vec<f32>>>> {
        let per_worker = shards.len() / size;
        let members: Vec<_> = linked(size, Duration::from_secs(20)).into_iter().map(Member::of).collect();
        thread::scope(|scope| {
            let threads: Vec<_> = members
                .into_iter()
                .zip(shards.chunks(per_worker))
                .map(|(mut member, own)| {
                    scope.spawn(move || in_lockstep(&mut member, 1, own.to_vec(), twice).expect("all are there"))
                })
                .collect();
            let done = threads.into_iter().map(|thread| thread.join().expect("a worker"));
            done.inspect(|(_, sums)| assert_eq!(*sums, 2)).map(|(results, _)| results).collect()
        })
    }

    #[test]
    fn any_number_of_workers_gets_the_same_sums_also_with_shards_without_samples() {
        let full: Vec<_> = (0..8).map(|shard| Some(1.0 / (shard as f32 + 3.0))).collect();
        let short: Vec<_> = (0..8).map(|shard| [1, 4].contains(&shard).then_some(0.1 * (shard as f32 + 1.0))).collect();
        for shards in [full, short] {
            let alone = on_workers(1, shards.clone()).concat();
            for (got, shard) in alone.iter().zip(&shards) {
                assert_eq!(got.is_some(), shard.is_some());
            }
            let there = shards.iter().flatten().count();
            assert_eq!(alone.iter().flatten().next().expect("a shard")[1], 2.0 * there as f32);
            for size in [2, 4, 8] {
                assert_eq!(on_workers(size, shards.clone()).concat(), alone, "{size}");
            }
        }
    }

    #[test]
    fn a_shard_that_panics_ends_its_batch_with_that_panic() {
        let mut alone = Member::alone();
        let job = |shard: usize, whole: Arc<dyn BatchStatistics>| {
            if shard == 2 {
                panic!("shard 2 cannot");
            }
            twice(1.0, whole)
        };
        let done = catch_unwind(AssertUnwindSafe(|| in_lockstep(&mut alone, 1, vec![Some(0), Some(1), Some(2)], job)));
        let panic = done.expect_err("it panics");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"shard 2 cannot"));
    }
}
