//! The threads that help a caller, and stay awake between two ops.
//!
//! They are rayon's: a helper is a task of the caller's pool, so the pool's size bounds them, and a pool whose threads are
//! busy with other shards sends none. Having done what there was, a helper stays for [`LINGER`] and watches for the next
//! work of the same caller. To wake a sleeping thread takes as long as most ops of a training step do; a helper that is
//! there starts within a microsecond.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// How long a helper waits for more: longer than the sequential parts of a training step mostly are.
const LINGER: Duration = Duration::from_micros(200);
/// Looks at an atomic between two looks at the clock, after which other threads of the system may go first.
const LOOKS: usize = 128;

thread_local! {
    static CREW: Arc<Crew> = Arc::new(Crew {
        owner: thread::current().id(),
        sent: AtomicUsize::new(0),
        round: AtomicUsize::new(0),
        inside: AtomicUsize::new(0),
        work: UnsafeCell::new(None),
        panic: Mutex::new(None),
    });
}

/// What helpers are to do: the same closure as the caller, whose lifetime is forgotten.
type Work = &'static (dyn Fn(usize) + Sync);

/// One thread's helpers.
pub struct Crew {
    owner: ThreadId,
    /// Helpers that are on their way or here.
    sent: AtomicUsize,
    /// Counts openings and closings: helpers may come in while it is odd.
    round: AtomicUsize,
    /// Helpers that are working, or about to look whether they may.
    inside: AtomicUsize,
    /// Written by the owner while it is closed and nobody is inside; read inside while it is open.
    work: UnsafeCell<Option<Work>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `work` is the only field that is not `Sync` by itself, and its comment says why no two threads meet there.
unsafe impl Sync for Crew {}

impl Crew {
    /// Runs `work` on the calling thread and on as many as `helpers` others that find the time, and returns when all that
    /// have begun are done.
    ///
    /// It is told a number, 0 for the caller, which a helper keeps as long as it stays. Two helpers may have the same, and
    /// one may be beyond their count: left from more work.
    ///
    /// # Panics
    /// When `work` does, on any thread.
    pub fn work(helpers: usize, work: &(dyn Fn(usize) + Sync)) {
        let crew = CREW.with(Arc::clone);
        if is_open(crew.round.load(Ordering::Relaxed)) {
            // Tasks that share out tasks themselves.
            return work(0);
        }
        while crew.sent.load(Ordering::Relaxed) < helpers {
            let seat = crew.sent.fetch_add(1, Ordering::Relaxed) + 1;
            let crew = Arc::clone(&crew);
            rayon::spawn(move || crew.help(seat));
        }
        // SAFETY: `Closing` lets nobody in any more and waits for those inside before this call ends, also by a panic.
        let work_of_helpers = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Work>(work) };
        // SAFETY: it is closed, only the owner opens it, and nobody is inside: the last `Closing` has waited for that.
        unsafe { *crew.work.get() = Some(work_of_helpers) };
        // What a helper panicked with while the caller did, too, is of that call.
        drop(crew.taken_panic());
        crew.round.fetch_add(1, Ordering::SeqCst);
        let closing = Closing(&crew);
        work(0);
        drop(closing);
        if let Some(panic) = crew.taken_panic() {
            resume_unwind(panic);
        }
    }

    /// What a helper panicked with.
    fn taken_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.panic.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take()
    }

    /// Does the owner's work, as often as there is some, until there has been none for a while.
    fn help(&self, seat: usize) {
        // The owner itself may take up the task while it waits for a thread of its pool.
        if self.owner != thread::current().id() {
            let mut done = 0;
            let mut last = Instant::now();
            loop {
                if self.has_new(done) {
                    done = self.come_in(seat).unwrap_or(done);
                    last = Instant::now();
                }
                if !(0..LOOKS).any(|_| {
                    std::hint::spin_loop();
                    self.has_new(done)
                }) {
                    if last.elapsed() > LINGER {
                        break;
                    }
                    thread::yield_now();
                }
            }
        }
        self.sent.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there is work that is not that of the round `done`.
    fn has_new(&self, done: usize) -> bool {
        let round = self.round.load(Ordering::Relaxed);
        is_open(round) && round != done
    }

    /// Does the work there is; the round that it was of.
    fn come_in(&self, seat: usize) -> Option<usize> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        let round = Some(self.round.load(Ordering::SeqCst)).filter(|round| is_open(*round));
        if round.is_some() {
            // SAFETY: this thread counts as inside and it is open after that, so the owner waits before it writes again.
            let work = unsafe { *self.work.get() }.expect("what is open has work");
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(seat))) {
                *self.panic.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(panic);
            }
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
        round
    }
}

fn is_open(round: usize) -> bool {
    round % 2 == 1
}

/// Closes a crew and waits for those inside.
struct Closing<'a>(&'a Crew);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.round.fetch_add(1, Ordering::SeqCst);
        let mut looks = 0;
        while self.0.inside.load(Ordering::SeqCst) > 0 {
            looks += 1;
            if looks % LOOKS == 0 {
                thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn work_is_done_by_the_caller_and_by_no_more_than_the_helpers() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool");
        for _ in 0..1000 {
            let runs = AtomicUsize::new(0);
            pool.install(|| {
                Crew::work(3, &|_| {
                    runs.fetch_add(1, Ordering::Relaxed);
                });
            });
            assert!((1..=4).contains(&runs.into_inner()));
        }
    }

    #[test]
    fn helpers_come_and_go_on_helping() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("a pool");
        pool.install(|| {
            for _ in 0..3 {
                let threads = Mutex::new(std::collections::BTreeSet::new());
                let both = AtomicUsize::new(0);
                Crew::work(1, &|_| {
                    threads.lock().expect("no panic").insert(format!("{:?}", thread::current().id()));
                    both.fetch_add(1, Ordering::SeqCst);
                    // The caller waits for the helper here, which it would for ever if none came.
                    while both.load(Ordering::SeqCst) < 2 {
                        thread::yield_now();
                    }
                });
                assert_eq!(threads.into_inner().expect("no panic").len(), 2);
            }
        });
    }

    #[test]
    fn work_inside_of_work_is_the_callers_alone() {
        let inner = AtomicUsize::new(0);
        Crew::work(1, &|_| {
            Crew::work(1, &|_| {
                inner.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert!(inner.into_inner() > 0);
    }

    #[test]
    fn a_helpers_panic_beside_the_callers_is_not_that_of_the_next_call() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("a pool");
        pool.install(|| {
            let both = AtomicUsize::new(0);
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                Crew::work(1, &|_| {
                    both.fetch_add(1, Ordering::SeqCst);
                    while both.load(Ordering::SeqCst) < 2 {
                        thread::yield_now();
                    }
                    panic!("expected");
                });
            }));
            assert!(panicked.is_err());
            Crew::work(1, &|_| {});
        });
    }

    #[test]
    fn a_panic_of_any_thread_ends_the_call_and_the_next_one_works() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("a pool");
        pool.install(|| {
            let caller = thread::current().id();
            for of_caller in [true, false] {
                let helped = AtomicBool::new(false);
                let panicked = catch_unwind(AssertUnwindSafe(|| {
                    Crew::work(1, &|_| {
                        let is_caller = thread::current().id() == caller;
                        if !is_caller {
                            helped.store(true, Ordering::SeqCst);
                        }
                        if is_caller == of_caller {
                            panic!("expected");
                        }
                        while !helped.load(Ordering::SeqCst) {
                            thread::yield_now();
                        }
                    });
                }));
                let panic = panicked.expect_err("a panic");
                assert_eq!(panic.downcast_ref(), Some(&"expected"));
            }
            let runs = AtomicUsize::new(0);
            Crew::work(1, &|_| {
                runs.fetch_add(1, Ordering::Relaxed);
            });
            assert!(runs.into_inner() > 0);
        });
    }
}
