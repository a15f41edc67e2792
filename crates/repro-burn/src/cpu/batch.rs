//! Many matrix products of one size.

use std::mem::MaybeUninit;

use super::gemm::{PARALLEL_WORK, Size, View, gemm};
use super::level::Level;
use super::team::Team;

/// Products per thread from which on threads share them out; fewer are done one after the other, each by all threads.
const SHARED_OUT: usize = 4;

/// Writes the products of the matrices that `views` gives for 0, 1, … to `out`, `[.., m, n]` row-major, all of it.
///
/// # Panics
/// When `out` is not a whole number of products, or a view leaves its slice.
pub fn multiply<'a>(
    level: Level,
    size: Size,
    views: impl Fn(usize) -> (View<'a>, View<'a>) + Sync,
    out: &mut [MaybeUninit<f32>],
) {
    let length = size.m * size.n;
    if out.is_empty() {
        return;
    }
    assert!(out.len().is_multiple_of(length), "{} output elements for products of {length}", out.len());
    let count = out.len() / length;
    let one = |team: Team, batch: usize, out: &mut [MaybeUninit<f32>]| {
        let (left, right) = views(batch);
        gemm(level, team, size, left, right, out);
    };
    let team = if size.work().saturating_mul(count) < PARALLEL_WORK { Team::Caller } else { Team::Pool };
    if count < SHARED_OUT * team.threads() {
        return out.chunks_exact_mut(length).enumerate().for_each(|(batch, out)| one(team, batch, out));
    }
    // Several at a time, so that taking the next ones costs nothing beside them.
    let at_once = (count / (SHARED_OUT * team.threads())).max(1);
    let mut shares: Vec<_> = out.chunks_mut(at_once * length).collect();
    team.run_on(&mut shares, |share, out| {
        for (batch, out) in out.chunks_exact_mut(length).enumerate() {
            one(Team::Caller, share * at_once + batch, out);
        }
    });
}
