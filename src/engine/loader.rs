//! Batches of an epoch: which samples, in which order, prepared by how many threads.
//!
//! The order is a function of (seed, epoch): the threads only decide how early a batch is ready, never which is next.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;

use super::rng::{CounterRng, Stream};
use super::settings::{BatchLimit, DataloaderSettings};

/// The samples of each optimizer step of one epoch: `[step][batch][sample]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EpochPlan {
    steps: Vec<Vec<Vec<usize>>>,
}

impl EpochPlan {
    /// Shuffles `samples` training samples for `epoch`, cuts them into batches (the last one may be short), keeps the
    /// first `limit` batches and groups `accumulate` consecutive batches into each step.
    pub fn new(
        seed: u64,
        epoch: u32,
        samples: usize,
        batch_size: usize,
        limit: Option<BatchLimit>,
        accumulate: usize,
    ) -> Self {
        let order = CounterRng::new(seed, Stream::SHUFFLE, epoch).permutation(samples);
        let limit = limit.map_or(usize::MAX, |limit| limit.of(samples.div_ceil(batch_size)));
        let batches: Vec<_> = order.chunks(batch_size).take(limit).map(<[_]>::to_vec).collect();
        Self { steps: batches.chunks(accumulate).map(<[_]>::to_vec).collect() }
    }

    /// Number of optimizer steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The steps, each a list of batches.
    pub fn into_steps(self) -> Vec<Vec<Vec<usize>>> {
        self.steps
    }
}

/// Calls `consume` with `prepare(item)` for every item, in order, while up to `workers` threads prepare later ones.
///
/// Worker w prepares items w, w + workers, … and may be `prefetch` items ahead; breaking stops the workers.
pub(super) fn prepared_in_order<I: Sync, P: Send, E>(
    settings: DataloaderSettings,
    items: &[I],
    prepare: impl Fn(&I) -> P + Sync,
    mut consume: impl FnMut(&I, P) -> Result<ControlFlow<()>, E>,
) -> Result<ControlFlow<()>, E> {
    let workers = (settings.workers as usize).min(items.len());
    if workers == 0 {
        for item in items {
            if consume(item, prepare(item))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        return Ok(ControlFlow::Continue(()));
    }
    let prefetch = settings.prefetch.unwrap_or(1).max(1) as usize;
    let prepare = &prepare;
    std::thread::scope(|scope| {
        let queues: Vec<_> = (0..workers)
            .map(|worker| {
                // One slot is being prepared, the others wait: a bounded queue is the bound on memory.
                let (sender, receiver) = mpsc::sync_channel(prefetch - 1);
                scope.spawn(move || {
                    for item in items.iter().skip(worker).step_by(workers) {
                        // A panic goes on where the batch is waited for, with its own message.
                        let prepared = catch_unwind(AssertUnwindSafe(|| prepare(item)));
                        let panicked = prepared.is_err();
                        // The consumer is gone: it stopped early, and nobody needs the rest.
                        if sender.send(prepared).is_err() || panicked {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for (index, item) in items.iter().enumerate() {
            let prepared = queues[index % workers].recv().expect("a worker sends each of its items, or its panic");
            let prepared = prepared.unwrap_or_else(|panic| resume_unwind(panic));
            if consume(item, prepared)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_visits_every_sample_once_in_an_order_of_its_own() {
        let plan = |epoch| EpochPlan::new(3, epoch, 10, 3, None, 2);
        let mut seen: Vec<_> = plan(0).into_steps().into_iter().flatten().flatten().collect();
        assert_eq!(plan(0).len(), 2);
        assert_ne!(plan(0), plan(1));
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        assert_eq!(EpochPlan::new(3, 0, 10, 3, Some(BatchLimit::Batches(2)), 1).len(), 2);
        assert_eq!(EpochPlan::new(3, 0, 10, 3, Some(BatchLimit::Share(0.75)), 1).len(), 3);
    }

    #[test]
    fn batches_arrive_in_order_whatever_the_number_of_workers() {
        let items: Vec<u64> = (0..50).collect();
        for (workers, prefetch) in [(0, None), (1, Some(1)), (3, Some(2)), (64, Some(5))] {
            let mut seen = Vec::new();
            let done: Result<_, ()> = prepared_in_order(
                DataloaderSettings { workers, prefetch },
                &items,
                |&item| {
                    std::thread::sleep(std::time::Duration::from_micros(item * 7919 % 300));
                    item
                },
                |_, item| {
                    seen.push(item);
                    Ok(ControlFlow::Continue(()))
                },
            );
            assert_eq!(done, Ok(ControlFlow::Continue(())));
            assert_eq!(seen, items);
        }
    }

    #[test]
    fn stopping_early_stops_the_workers() {
        let items: Vec<u32> = (0..1000).collect();
        let mut count = 0;
        let done: Result<_, ()> = prepared_in_order(
            DataloaderSettings { workers: 2, prefetch: Some(1) },
            &items,
            |&i| i,
            |_, _| {
                count += 1;
                Ok(if count == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        );
        assert_eq!((done, count), (Ok(ControlFlow::Break(())), 3));
    }
}
