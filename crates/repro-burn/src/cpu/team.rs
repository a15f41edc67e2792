//! Sharing independent tasks among threads, the calling one included.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::crew::Crew;

/// Who runs the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Team {
    /// The calling thread.
    Caller,
    /// The calling thread and the others of its rayon pool.
    Pool,
}

impl Team {
    /// How many threads may take part.
    pub fn threads(self) -> usize {
        match self {
            Self::Caller => 1,
            Self::Pool => rayon::current_num_threads(),
        }
    }

    /// Runs `task` for every index below `count`, in any order.
    ///
    /// Each thread begins with a share of its own, the same one for the same count, because the parts of a tensor that it
    /// has made are in its cache; one that is done goes on with those of the others.
    pub fn run(self, count: usize, task: impl Fn(usize) + Sync) {
        let threads = self.threads().min(count);
        if threads <= 1 {
            return (0..count).for_each(task);
        }
        let shares: Vec<Share> = (0..threads).map(|thread| Share::new(count, threads, thread)).collect();
        Crew::work(threads - 1, &|seat| {
            for offset in 0..threads {
                shares[(seat + offset) % threads].run(&task);
            }
        });
    }

    /// Runs `task` on every item and its index, in any order.
    pub fn run_on<T: Send>(self, items: &mut [T], task: impl Fn(usize, &mut T) + Sync) {
        let items = Items(items.as_mut_ptr(), items.len());
        self.run(items.1, |index| {
            // SAFETY: every index below the length comes up once, so this is the only reference to the item.
            task(index, unsafe { &mut *items.at(index) });
        });
    }

    /// Runs `task` on consecutive parts of `length` items, the last as long as is left, with their index, in any order.
    pub fn run_on_parts<T: Send>(self, items: &mut [T], length: usize, task: impl Fn(usize, &mut [T]) + Sync) {
        let items = Items(items.as_mut_ptr(), items.len());
        self.run(items.1.div_ceil(length), |index| {
            let first = index * length;
            // SAFETY: the parts of different indices are disjoint, and every index comes up once; this one ends inside.
            let part = unsafe { std::slice::from_raw_parts_mut(items.at(first), length.min(items.1 - first)) };
            task(index, part);
        });
    }
}

/// Indices that one thread begins with; on a cache line of its own.
#[repr(align(64))]
struct Share {
    next: AtomicUsize,
    end: usize,
}

impl Share {
    fn new(count: usize, threads: usize, thread: usize) -> Self {
        Self { next: AtomicUsize::new(thread * count / threads), end: (thread + 1) * count / threads }
    }

    /// Does what nobody else has taken.
    fn run(&self, task: &impl Fn(usize)) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.end {
                break;
            }
            task(index);
        }
    }
}

/// Memory that tasks write to, each to a part of its own.
#[derive(Debug, Clone, Copy)]
pub struct Shared(*mut f32);

// SAFETY: a pointer by itself does nothing; the unsafe code that writes says why no two tasks meet.
unsafe impl Sync for Shared {}

impl Shared {
    /// The memory from there on.
    pub fn new(start: *mut f32) -> Self {
        Self(start)
    }

    /// The place `offset` values on.
    pub fn at(&self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

/// A slice of which each thread gets other items.
struct Items<T>(*mut T, usize);

// SAFETY: an item is handed to one thread, and may be sent there.
unsafe impl<T: Send> Sync for Items<T> {}

impl<T> Items<T> {
    /// A method, because a closure would capture the pointer alone, which is not `Sync`.
    fn at(&self, index: usize) -> *mut T {
        debug_assert!(index < self.1);
        self.0.wrapping_add(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once() {
        for count in [0, 1, 2, 3, 100] {
            for team in [Team::Caller, Team::Pool] {
                let runs: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                team.run(count, |index| {
                    runs[index].fetch_add(1, Ordering::Relaxed);
                });
                assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1), "{count} tasks, {team:?}");
            }
        }
    }

    #[test]
    fn parts_are_disjoint_and_cover_all_items() {
        for (length, part) in [(0, 4), (1, 4), (4, 4), (103, 4), (103, 200)] {
            let mut items = vec![0; length];
            Team::Pool
                .run_on_parts(&mut items, part, |index, items| items.iter_mut().for_each(|item| *item += index + 1));
            assert_eq!(items, (0..length).map(|item| item / part + 1).collect::<Vec<_>>());
        }
    }
}
