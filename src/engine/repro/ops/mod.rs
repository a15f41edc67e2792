//! The replaced ops as plain code: the truth that every kernel is tested against.
//!
//! Only f32 add, sub, mul, div, sqrt, fused multiply-add, comparisons and integer operations occur. Elementwise functions
//! are written over [`Number`]; the others take [`Fma`], because a processor without the instruction needs another way to
//! the same bits.

pub mod erf;
pub mod exp;
pub mod extremum;
pub mod fma;
pub mod fold;
pub mod log;
pub mod matmul;
pub mod number;
pub mod polynomial;
pub mod round;
pub mod scan;
pub mod tanh;

pub use fma::Fma;
pub use number::{Number, Real};

use super::kernels::Function;

/// `function` of one number.
#[inline(always)]
pub fn apply<N: Number>(function: Function, x: N) -> N {
    match function {
        Function::Exp => exp::exp(x),
        Function::Log => log::log(x),
        Function::Log1p => log::log1p(x),
        Function::Tanh => tanh::tanh(x),
        Function::Erf => erf::erf(x),
        Function::Round => round::round(x),
    }
}

#[cfg(test)]
pub(super) mod ulp {
    //! Measuring a function's error against a f64 reference.

    use super::Real;
    use super::fma::Fused;

    /// A function written over `Number`, on the host.
    pub fn host(f: impl Fn(Real<Fused>) -> Real<Fused>) -> impl Fn(f32) -> f32 {
        move |x| f(x.into()).get()
    }

    /// The largest error of `f` in units of the last place of the correctly rounded result, and where it occurs, over
    /// every `stride`-th f32 bit pattern.
    ///
    /// # Panics
    /// When exactly one of `f` and `exact` is NaN, or they are infinite of different sign.
    pub fn worst(f: impl Fn(Real<Fused>) -> Real<Fused>, exact: impl Fn(f64) -> f64, stride: usize) -> (f64, f32) {
        let f = host(f);
        let mut worst = (0.0, 0.0);
        for bits in (0..=u32::MAX).step_by(stride) {
            let x = f32::from_bits(bits);
            let (got, want) = (f(x), exact(f64::from(x)));
            assert_eq!(got.is_nan(), want.is_nan(), "f({x:e}) = {got:e}, expected {want:e}");
            if want.is_nan() {
                continue;
            }
            let error = error_ulp(got, want);
            if error > worst.0 {
                worst = (error, x);
            }
        }
        worst
    }

    fn error_ulp(got: f32, want: f64) -> f64 {
        let rounded = want as f32;
        if got == rounded {
            return if rounded.is_infinite() { 0.0 } else { (f64::from(got) - want).abs() / spacing(rounded) };
        }
        if rounded.is_infinite() || got.is_infinite() {
            // One step beyond the largest number is one unit.
            let steps = f64::from(rounded.to_bits().abs_diff(got.to_bits()));
            return steps.max(1.0);
        }
        (f64::from(got) - want).abs() / spacing(rounded)
    }

    fn spacing(x: f32) -> f64 {
        let above = x.abs().next_up();
        if above.is_infinite() { 2f64.powi(104) } else { f64::from(above) - f64::from(x.abs()) }
    }
}
