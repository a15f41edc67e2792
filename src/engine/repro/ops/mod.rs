//! The replaced ops as plain scalar code: the truth that every kernel is tested against.
//!
//! Only f32 add, sub, mul, div, fused multiply-add, comparisons and integer operations occur. Fused multiply-add comes
//! through [`Fma`], because a processor without the instruction needs another way to the same bits.

pub mod erf;
pub mod exp;
pub mod extremum;
pub mod fma;
pub mod fold;
pub mod log;
pub mod matmul;
pub mod narrow;
pub mod round;
pub mod scan;
pub mod tanh;

pub use fma::Fma;

use super::kernels::Function;

/// `function` of one number.
#[inline(always)]
pub fn apply<F: Fma>(function: Function, x: f32) -> f32 {
    match function {
        Function::Exp => exp::exp::<F>(x),
        Function::Log => log::log::<F>(x),
        Function::Log1p => log::log1p::<F>(x),
        Function::Tanh => tanh::tanh::<F>(x),
        Function::Erf => erf::erf::<F>(x),
        Function::Round => round::round(x),
    }
}

#[cfg(test)]
pub(super) mod ulp {
    //! Measuring a function's error against a f64 reference.

    /// The largest error of `f` in units of the last place of the correctly rounded result, and where it occurs, over
    /// every `stride`-th f32 bit pattern.
    ///
    /// # Panics
    /// When exactly one of `f` and `exact` is NaN, or they are infinite of different sign.
    pub fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, stride: usize) -> (f64, f32) {
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
