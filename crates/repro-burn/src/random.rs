//! Random tensors from a counter, never from a global state.
//!
//! A scope ([`with_random`]) supplies the [`CounterRng`]; inside it every random tensor takes the next Philox blocks,
//! so its values are a function of (seed, stream, step) and of what the same scope drew before, whatever other threads
//! do. Elements are drawn in row-major order of the shape.
//!
//! Code written for other backends calls `Backend::seed` and draws. That works outside of the engine: it seeds the
//! thread's own source, stream [`Stream::SEEDED`] at step 0, as if a scope began there. In a run, that is inside any
//! scope of this module or of [`with_arithmetic`](super::with_arithmetic), the call is refused and the source is not
//! looked at, since a worker thread may run the parts of several jobs, and keeps its seed from one to the next.
//!
//! | distribution | float element i of a draw that starts at block s | int element |
//! |---|---|---|
//! | `Default` | `uniform_f32(4 s + i)` | low bits of `u64(2 s + i)` |
//! | `Uniform(a, b)` | a + (b − a)·`uniform_f32(4 s + i)` in f64, rounded to f32, and down once more if that gives b | a + `below(2 s + i, b − a)` |
//! | `Normal(m, d)` | m + d·`normal_f64(2 s + i)` in f64, rounded to f32 | the same, truncated |
//! | `Bernoulli(p)` | 1 if `uniform_f32(4 s + i)` < p, else 0 | the same |
//!
//! The scope counts blocks and not numbers, because a block gives four uniforms but two normals: counting numbers
//! would let draws of different kinds share bits.

use std::cell::Cell;

use burn_backend::Distribution;

use super::arithmetic;
use super::cpu::level::Level;
use super::cpu::team::Team;
use super::cpu::uniform::uniform;
use super::table::REFUSED;
use crate::rng::{CounterRng, Stream};

/// Normal numbers of one task, an even number.
const NORMALS: usize = 512;

thread_local! {
    static SCOPE: Cell<Option<Scope>> = const { Cell::new(None) };
    /// What [`seed`] gave this thread.
    static SEEDED: Cell<Option<Scope>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Scope {
    rng: CounterRng,
    next_block: u64,
}

/// Runs `body` with `rng` as the source of every random tensor this thread makes in it, starting at index 0.
///
/// Scopes nest: the outer one goes on where it was when the inner one ends, also by a panic. That matters without any
/// nesting in the program, too: a rayon worker that waits inside one scope may run another shard's whole job.
///
/// Burn makes a module's parameters at their first use, not when the module is made, and again for each clone made before
/// that. Force them inside the scope that should supply them, e.g. by `Module::fork`.
pub fn with_random<R>(rng: CounterRng, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<Scope>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0);
        }
    }
    let _restore = Restore(SCOPE.replace(Some(Scope { rng, next_block: 0 })));
    body()
}

/// Starts this thread's own source of random tensors, for code outside of all scopes.
///
/// # Panics
/// Inside a scope.
#[track_caller]
pub(super) fn seed(seed: u64) {
    assert!(
        SCOPE.get().is_none() && !arithmetic::is_in_scope(),
        "`Backend::seed` is {REFUSED} inside a `with_random` or `with_arithmetic` scope, where the scope's \
         generator is the seed: remove the call, or make it before the scope"
    );
    SEEDED.set(Some(Scope { rng: CounterRng::new(seed, Stream::SEEDED, 0), next_block: 0 }));
}

/// `count` floats of `distribution`, widened from f32.
///
/// # Panics
/// Without a source, and for a distribution whose parameters are not numbers or out of range.
pub(super) fn floats(distribution: Distribution, count: usize) -> Vec<f32> {
    check(distribution);
    match distribution {
        Distribution::Default => units(count, |unit| unit),
        Distribution::Uniform(low, high) => units(count, |unit| between(low, high, unit)),
        Distribution::Bernoulli(probability) => units(count, |unit| f64::from(f64::from(unit) < probability) as f32),
        Distribution::Normal(mean, deviation) => normals(count, |value| (mean + deviation * value) as f32),
    }
}

/// `count` integers of `distribution`; the caller keeps the low bits its element type has.
///
/// # Panics
/// As [`floats`].
pub(super) fn ints(distribution: Distribution, count: usize) -> Vec<i64> {
    check(distribution);
    let last = count as u64;
    match distribution {
        Distribution::Default => {
            let (rng, start) = take_blocks(last.div_ceil(2));
            (0..last).map(|i| rng.u64(2 * start + i) as i64).collect()
        }
        Distribution::Uniform(low, high) => {
            let (low, width) = (low as i64, (high as i64).wrapping_sub(low as i64) as u64);
            let (rng, start) = take_blocks(last.div_ceil(2));
            (0..last).map(|i| low.wrapping_add(rng.below(2 * start + i, width) as i64)).collect()
        }
        Distribution::Bernoulli(_) => floats(distribution, count).into_iter().map(|value| value as i64).collect(),
        Distribution::Normal(mean, deviation) => normals(count, |value| (mean + deviation * value) as i64),
    }
}

fn units(count: usize, made: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let (rng, start) = take_blocks((count as u64).div_ceil(4));
    uniform(Level::detected(), rng, start, count, made)
}

fn normals<T: Copy + Default + Send>(count: usize, made: impl Fn(f64) -> T + Sync) -> Vec<T> {
    let (rng, start) = take_blocks((count as u64).div_ceil(2));
    let mut values = vec![T::default(); count];
    // A number takes as long as a chunk of sums.
    Team::Pool.run_on_parts(&mut values, NORMALS, |task, values| {
        let first = start + (task * NORMALS / 2) as u64;
        for (pair, values) in (first..).zip(values.chunks_mut(2)) {
            for (value, normal) in values.iter_mut().zip(rng.normal_pair_f64(pair)) {
                *value = made(normal);
            }
        }
    });
    values
}

fn between(low: f64, high: f64, unit: f32) -> f32 {
    let mut value = (low + (high - low) * f64::from(unit)) as f32;
    if f64::from(value) >= high && low < high {
        value = value.next_down();
    }
    value
}

fn check(distribution: Distribution) {
    let fine = match distribution {
        Distribution::Default => true,
        Distribution::Uniform(low, high) => low.is_finite() && high.is_finite() && low <= high,
        Distribution::Bernoulli(probability) => (0.0..=1.0).contains(&probability),
        Distribution::Normal(mean, deviation) => mean.is_finite() && deviation.is_finite() && deviation >= 0.0,
    };
    assert!(fine, "random distribution {distribution:?}: parameters out of range");
}

/// Reserves `count` blocks of the innermost scope, or of the thread's own source where there is none; returns the
/// generator and the first of them.
fn take_blocks(count: u64) -> (CounterRng, u64) {
    let source = if SCOPE.get().is_some() || arithmetic::is_in_scope() { &SCOPE } else { &SEEDED };
    let Some(scope) = source.get() else {
        panic!(
            "random tensors are {REFUSED} without a generator: wrap the code that draws in \
             `with_random(CounterRng::new(seed, stream, step), || ...)`, or, outside of the engine, call `Backend::seed` \
             on the same thread before"
        );
    };
    source.set(Some(Scope { next_block: scope.next_block + count, ..scope }));
    (scope.rng, scope.next_block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arithmetic, with_arithmetic};

    fn rng(step: u32) -> CounterRng {
        CounterRng::new(42, Stream::STEP, step)
    }

    #[test]
    fn a_scope_starts_at_index_zero_and_advances() {
        let (first, second) =
            with_random(rng(0), || (floats(Distribution::Default, 5), floats(Distribution::Default, 3)));
        assert_eq!(first, (0..5).map(|i| rng(0).uniform_f32(i)).collect::<Vec<_>>());
        // Five numbers used two blocks, so the next draw starts at block 2.
        assert_eq!(second, (8..11).map(|i| rng(0).uniform_f32(i)).collect::<Vec<_>>());
        assert_eq!(with_random(rng(0), || floats(Distribution::Default, 5)), first);
    }

    #[test]
    fn an_inner_scope_leaves_the_outer_one_where_it_was_also_after_a_panic() {
        let plain =
            with_random(rng(0), || [floats(Distribution::Default, 4), floats(Distribution::Default, 4)].concat());
        let nested = with_random(rng(0), || {
            let mut values = floats(Distribution::Default, 4);
            with_random(rng(1), || floats(Distribution::Default, 100));
            let unwound = std::panic::catch_unwind(|| with_random(rng(2), || panic!("expected")));
            assert!(unwound.is_err());
            values.extend(floats(Distribution::Default, 4));
            values
        });
        assert_eq!(nested, plain);
    }

    /// What `body` panics with.
    fn refusal<R>(body: impl FnOnce() -> R + std::panic::UnwindSafe) -> String {
        let Err(panic) = std::panic::catch_unwind(body) else { panic!("it was not refused") };
        *panic
            .downcast::<String>()
            .or_else(|panic| panic.downcast::<&str>().map(|text| Box::new((*text).to_owned())))
            .expect("text")
    }

    #[test]
    fn drawing_without_a_generator_is_refused_with_what_to_wrap() {
        let said = refusal(|| floats(Distribution::Default, 1));
        assert!(said.contains("wrap the code that draws in `with_random(") && !said.contains('\n'), "{said}");
        assert!(said.contains("call `Backend::seed` on the same thread"), "{said}");
    }

    #[test]
    fn a_seed_starts_the_threads_own_numbers_and_no_other_threads() {
        let draws = || [floats(Distribution::Default, 5), floats(Distribution::Default, 3)].concat();
        seed(7);
        let first = draws();
        let expected = |i| CounterRng::new(7, Stream::SEEDED, 0).uniform_f32(i);
        assert_eq!(first, (0..5).chain(8..11).map(expected).collect::<Vec<_>>());
        assert_ne!(draws(), first, "the numbers go on");
        seed(7);
        assert_eq!(draws(), first, "the same seed begins anew");
        seed(8);
        assert_ne!(draws(), first);
        let other = std::thread::spawn(move || {
            let unseeded = refusal(|| floats(Distribution::Default, 1));
            seed(7);
            (unseeded, draws())
        });
        let (unseeded, drawn) = other.join().expect("a thread");
        assert!(unseeded.contains("without a generator"), "{unseeded}");
        assert_eq!(drawn, first, "whatever this thread has drawn");
    }

    #[test]
    fn inside_a_scope_a_seed_neither_counts_nor_is_taken() {
        let plain = with_random(rng(0), || floats(Distribution::Default, 8));
        seed(7);
        let unseeded = refusal(|| with_arithmetic(Arithmetic::PORTABLE, || floats(Distribution::Default, 1)));
        assert!(unseeded.contains("without a generator"), "{unseeded}");
        for said in
            [refusal(|| with_random(rng(0), || seed(1))), refusal(|| with_arithmetic(Arithmetic::PORTABLE, || seed(1)))]
        {
            assert!(said.starts_with("`Backend::seed` is refused") && !said.contains('\n'), "{said}");
        }
        let scoped = with_random(rng(0), || {
            let half = floats(Distribution::Default, 4);
            let _ = refusal(|| seed(1));
            [half, floats(Distribution::Default, 4)].concat()
        });
        assert_eq!(scoped, plain);
        let seeded = CounterRng::new(7, Stream::SEEDED, 0);
        assert_eq!(floats(Distribution::Default, 1), [seeded.uniform_f32(0)], "the scopes took nothing of it");
    }

    #[test]
    fn uniform_keeps_its_upper_bound_out_even_where_rounding_would_reach_it() {
        let (low, high) = (1.0, 1.0 + f64::from(f32::EPSILON));
        assert_eq!(between(low, high, 1.0 - f32::EPSILON / 2.0), 1.0);
        with_random(rng(0), || {
            assert!(floats(Distribution::Uniform(-2.0, 3.0), 10_000).iter().all(|v| (-2.0..3.0).contains(v)));
            assert!(ints(Distribution::Uniform(-2.0, 3.0), 10_000).iter().all(|v| (-2..3).contains(v)));
        });
    }

    #[test]
    fn bernoulli_hits_at_its_rate_and_never_or_always_at_the_ends() {
        with_random(rng(3), || {
            let hits: f32 = floats(Distribution::Bernoulli(0.25), 40_000).iter().sum();
            assert!((hits / 40_000.0 - 0.25).abs() < 0.01, "{hits}");
            assert!(floats(Distribution::Bernoulli(0.0), 1000).iter().all(|v| *v == 0.0));
            assert!(floats(Distribution::Bernoulli(1.0), 1000).iter().all(|v| *v == 1.0));
        });
    }

    #[test]
    fn normals_are_the_generators_normals_scaled_in_f64() {
        let values = with_random(rng(4), || floats(Distribution::Normal(2.0, 0.5), 7));
        let expected: Vec<f32> = (0..7).map(|i| (2.0 + 0.5 * rng(4).normal_f64(i)) as f32).collect();
        assert_eq!(values, expected);
    }
}
