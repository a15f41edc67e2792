//! A number as the unevaluated sum of two f32, for the steps of a function that need more than 24 bits.
//!
//! The low part is at most about a unit in the last place of the high part. None of this is for numbers whose low part
//! would be subnormal; functions scale first. The algorithms are those of Dekker ("A floating-point technique for
//! extending the available precision", Numer. Math. 18, 1971), with the error of a product by fused multiply-add.

use super::number::Number;

/// high + low.
#[derive(Debug, Clone, Copy)]
pub struct Double<N> {
    /// The sum rounded to a f32, or nearly.
    pub high: N,
    /// What is missing there.
    pub low: N,
}

impl<N: Number> Double<N> {
    /// a + b, exact for any order of magnitudes: s = a + b; v = s − a; (s, (a − (s − v)) + (b − v)).
    #[inline(always)]
    pub fn sum(a: N, b: N) -> Self {
        let high = a + b;
        let seen = high - a;
        Self { high, low: (a - (high - seen)) + (b - seen) }
    }

    /// a + b, exact where |a| ≥ |b| or a = 0: s = a + b; (s, b − (s − a)).
    #[inline(always)]
    pub fn ordered_sum(a: N, b: N) -> Self {
        let high = a + b;
        Self { high, low: b - (high - a) }
    }

    /// a · b, exact: p = a·b; (p, fma(a, b, −p)).
    #[inline(always)]
    pub fn product(a: N, b: N) -> Self {
        let high = a * b;
        Self { high, low: a.fma(b, -high) }
    }

    /// self · other: (p, e) = the product of the high parts; (p, fma(h, l′, fma(l, h′, e))).
    #[inline(always)]
    pub fn times(self, other: Self) -> Self {
        let Self { high, low } = Self::product(self.high, other.high);
        Self { high, low: self.high.fma(other.low, self.low.fma(other.high, low)) }
    }

    /// self / other: q = h / h′; (q, (fma(−q, h′, h) + fma(−q, l′, l)) / h′).
    #[inline(always)]
    pub fn over(self, other: Self) -> Self {
        let high = self.high / other.high;
        let rest = (-high).fma(other.high, self.high) + (-high).fma(other.low, self.low);
        Self { high, low: rest / other.high }
    }

    /// √self for self > 0: s = √h; (s, (fma(−s, s, h) + l) / (s + s)).
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        let high = self.high.sqrt();
        Self { high, low: ((-high).fma(high, self.high) + self.low) / (high + high) }
    }

    /// self + b for any b: the exact sum of h and b, with l added to its low part.
    #[inline(always)]
    pub fn plus(self, b: N) -> Self {
        let Self { high, low } = Self::sum(self.high, b);
        Self { high, low: low + self.low }
    }

    /// The f32 nearest to the sum of both parts.
    #[inline(always)]
    pub fn rounded(self) -> N {
        self.high + self.low
    }
}
