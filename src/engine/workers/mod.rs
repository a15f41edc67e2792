//! The workers that make a run together: which shards each computes, and how their sums become one.
//!
//! A batch's gradient is a sum over micro-shards in a fixed binary tree ([`shard`](super::shard)). A worker computes a whole
//! subtree of it; workers then add theirs pairwise, which is the upper part of the same tree, so no bit depends on how many there
//! are. Worker 0 leads: it alone judges, writes and decides when the run ends. The others follow: they make the same steps from the
//! same plan, and each moves a model and an optimizer of its own, whose digests are compared whenever a step leaf has one.
//!
//! | file | what it knows |
//! |---|---|
//! | `member.rs` | a worker's place, and what all say to each other before the sums of a step |
//! | `total.rs` | the gradients of a step as one row of numbers, and its sum over all workers |
//! | `lockstep.rs` | sums in the middle of a step, for batch norm over the whole batch |
//! | `link.rs` | a worker's connection to the others, over whatever moves the bytes ([`repro_ranks`]) |
//! | `threads.rs` | workers that are threads of this process |

mod link;
mod lockstep;
mod member;
mod threads;
mod total;

pub use self::link::{Blame, Link, LinkError};
pub(super) use self::lockstep::in_lockstep;
pub(super) use self::member::Share;
pub use self::member::{Member, WorkerError};
pub use self::threads::together;
pub(super) use self::total::Layout;
