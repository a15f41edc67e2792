//! The nearest integer, ties to even, in f32.
//!
//! For |x| < 2²³: (|x| + 2²³) − 2²³ with the sign of x, so −0.5 gives −0. From 2²³ on, and for NaN, x itself.

use super::number::Number;

/// 2²³: from here on every f32 is an integer.
const INTEGERS: f32 = 8_388_608.0;

/// The integer nearest to `x`.
#[inline(always)]
pub fn round<N: Number>(x: N) -> N {
    let integers = N::from(INTEGERS);
    let a = x.abs();
    let rounded = ((a + integers) - integers).copysign(x);
    N::select(a.less(integers), rounded, x)
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn every_kind_of_number_is_rounded_like_the_standard_librarys() {
        let round = ulp::host(round);
        for bits in (0..=u32::MAX).step_by(1009) {
            let x = f32::from_bits(bits);
            if !x.is_nan() {
                assert_eq!(round(x).to_bits(), x.round_ties_even().to_bits(), "{x:e}");
            }
        }
        for (x, rounded) in
            [(-0.5, -0.0), (0.5, 0.0), (1.5, 2.0), (2.5, 2.0), (-3.5, -4.0), (8_388_607.5, 8_388_608.0f32)]
        {
            assert_eq!(round(x).to_bits(), rounded.to_bits(), "{x}");
        }
        assert!(round(f32::NAN).is_nan());
    }
}
