//! Workers that are threads of this process, each with a share of its cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use repro_ranks::thread_wires;

use super::link::Link;
use super::member::Member;

/// Lets workers make a run together: worker 0 does `lead` on the calling thread, every other one `follow` on a thread of its own.
///
/// Each has a share of this process's cores as rayon's pool. `places` says where each computes, for messages; `timeout` is how long
/// one waits for another. The call waits for all to end, also when worker 0 has ended with an error, which is what the others end
/// for.
///
/// # Panics
/// When worker 0 does. Of another one's panic worker 0 hears as of any other failure.
pub fn together<R: Send>(
    places: Vec<String>,
    timeout: Duration,
    lead: impl FnOnce(Member) -> R + Send,
    follow: impl Fn(Member) + Sync,
) -> R {
    let size = places.len();
    if size == 1 {
        return lead(Member::alone());
    }
    let cores = (rayon::current_num_threads() / size).max(1);
    let pool = || rayon::ThreadPoolBuilder::new().num_threads(cores).build().expect("threads of this process");
    let wires = thread_wires(size, timeout).into_iter();
    let mut members = wires.map(|wire| Member::of(Link::over(wire, places.clone())));
    let leader = members.next().expect("worker 0");
    let follow = &follow;
    std::thread::scope(|scope| {
        for member in members {
            scope.spawn(move || {
                // It has told worker 0, whose error is the one that is returned.
                let _ = catch_unwind(AssertUnwindSafe(|| pool().install(move || follow(member))));
            });
        }
        pool().install(move || lead(leader))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The connections of so many workers.
    pub fn linked(size: usize, timeout: Duration) -> Vec<Link> {
        let places: Vec<_> = (0..size).map(|rank| format!("place {rank}")).collect();
        thread_wires(size, timeout).into_iter().map(|wire| Link::over(wire, places.clone())).collect()
    }

    /// Does something on every one of so many linked threads; what each returns, in order.
    pub fn on_each<R: Send>(size: usize, body: impl Fn(Link) -> R + Sync) -> Vec<R> {
        let body = &body;
        std::thread::scope(|scope| {
            let links = linked(size, Duration::from_secs(20)).into_iter();
            let threads: Vec<_> = links.map(|link| scope.spawn(move || body(link))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a worker")).collect()
        })
    }

    #[test]
    fn each_worker_has_a_share_of_the_cores_and_one_that_panics_is_worker_zeros_error() {
        let places = vec!["here".to_owned(); 4];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(9).build().expect("threads");
        let (led, threads) = pool.install(|| {
            let lead = |mut member: Member| (member.end(7), rayon::current_num_threads());
            let follow = |mut member: Member| {
                assert_eq!(rayon::current_num_threads(), 2);
                if member.rank() == 2 {
                    member.fail("worker 2 cannot");
                    panic!("worker 2 cannot");
                }
                let _ = member.end(7);
            };
            together(places, Duration::from_secs(20), lead, follow)
        });
        assert_eq!(threads, 2);
        assert_eq!(led.expect_err("one failed").to_string(), "worker 2 (here): worker 2 cannot");
    }
}
