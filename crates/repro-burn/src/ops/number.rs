//! What the elementwise ops are written over, so that one text is the scalar truth, the CPU's lanes and the GPU's
//! kernel.
//!
//! An op is a straight line of the operations of [`Number`]: every `+ - * /`, `fma` and `sqrt` is rounded once to
//! nearest, ties to even, and nothing may be contracted or reordered. There are no branches, only [`Number::select`],
//! because lanes and threads take all paths anyway. On the host a number is [`Real`]; on a GPU it is a value of the
//! kernel that is being written.

use std::marker::PhantomData;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

use super::Fma;

/// A f32 in some place of computation.
pub trait Number:
    Copy
    + From<f32>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The outcome of a comparison.
    type Mask: Copy + BitAnd<Output = Self::Mask> + BitOr<Output = Self::Mask> + Not<Output = Self::Mask>;
    /// 32 bits as a two's complement integer.
    type Integer: Integer<Mask = Self::Mask>;

    /// self · b + c, rounded once.
    fn fma(self, b: Self, c: Self) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// self < other; false if one is NaN.
    fn less(self, other: Self) -> Self::Mask;
    /// self ≤ other; false if one is NaN.
    fn less_equal(self, other: Self) -> Self::Mask;
    /// self = other; −0 = +0, false if one is NaN.
    fn equal(self, other: Self) -> Self::Mask;
    /// `yes` where `mask` holds, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// The bits of the number.
    fn to_bits(self) -> Self::Integer;
    /// The number with these bits.
    fn from_bits(bits: Self::Integer) -> Self;
    /// The number nearest to an integer, ties to even.
    fn from_integer(integer: Self::Integer) -> Self;

    /// self > other.
    #[inline(always)]
    fn greater(self, other: Self) -> Self::Mask {
        other.less(self)
    }

    /// self ≥ other.
    #[inline(always)]
    fn greater_equal(self, other: Self) -> Self::Mask {
        other.less_equal(self)
    }

    /// Whether this is NaN.
    #[inline(always)]
    fn is_nan(self) -> Self::Mask {
        !self.equal(self)
    }

    /// The number without its sign bit, NaN too.
    #[inline(always)]
    fn abs(self) -> Self {
        Self::from_bits(self.to_bits() & Self::Integer::from(i32::MAX))
    }

    /// The number with the sign bit of another.
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        let sign_bit = Self::Integer::from(i32::MIN);
        Self::from_bits((self.to_bits() & !sign_bit) | (sign.to_bits() & sign_bit))
    }
}

/// 32 bits in some place of computation; sums, differences and products wrap.
pub trait Integer:
    Copy
    + From<i32>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
{
    /// The outcome of a comparison.
    type Mask;

    /// Shifted left by 0 ≤ `count` < 32 bits.
    fn shift_left(self, count: Self) -> Self;
    /// Shifted right by 0 ≤ `count` < 32 bits, copies of the sign bit moving in.
    fn shift_right(self, count: Self) -> Self;
    /// Shifted right by 0 ≤ `count` < 32 bits, zeros moving in.
    fn shift_right_logical(self, count: Self) -> Self;
    /// The high 32 bits of the product of both as unsigned numbers.
    fn multiply_high_unsigned(self, other: Self) -> Self;
    /// self < other, signed.
    fn less(self, other: Self) -> Self::Mask;
    /// self = other.
    fn equal(self, other: Self) -> Self::Mask;
    /// `yes` where `mask` holds, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
}

/// A f32 of the host, its fused multiply-add done by `F`.
#[derive(Debug, Clone, Copy)]
pub struct Real<F>(f32, PhantomData<F>);

impl<F> Real<F> {
    /// The f32.
    #[inline(always)]
    pub fn get(self) -> f32 {
        self.0
    }
}

impl<F> From<f32> for Real<F> {
    #[inline(always)]
    fn from(x: f32) -> Self {
        Self(x, PhantomData)
    }
}

impl<F> Neg for Real<F> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        (-self.0).into()
    }
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $operator:tt),*) => { $(
        impl<F> $trait for Real<F> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                (self.0 $operator other.0).into()
            }
        }
    )* };
}
arithmetic!(Add add +, Sub sub -, Mul mul *, Div div /);

impl<F: Fma> Number for Real<F> {
    type Mask = bool;
    type Integer = Word;

    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        F::fma(self.0, b.0, c.0).into()
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.0.sqrt().into()
    }
    #[inline(always)]
    fn less(self, other: Self) -> bool {
        self.0 < other.0
    }
    #[inline(always)]
    fn less_equal(self, other: Self) -> bool {
        self.0 <= other.0
    }
    #[inline(always)]
    fn equal(self, other: Self) -> bool {
        self.0 == other.0
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }
    #[inline(always)]
    fn to_bits(self) -> Word {
        Word(self.0.to_bits() as i32)
    }
    #[inline(always)]
    fn from_bits(bits: Word) -> Self {
        f32::from_bits(bits.0 as u32).into()
    }
    #[inline(always)]
    fn from_integer(integer: Word) -> Self {
        (integer.0 as f32).into()
    }
}

/// An i32 of the host whose arithmetic wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word(i32);

#[cfg(feature = "gpu")]
impl Word {
    /// The i32.
    #[inline(always)]
    pub fn get(self) -> i32 {
        self.0
    }
}

impl From<i32> for Word {
    #[inline(always)]
    fn from(x: i32) -> Self {
        Self(x)
    }
}

impl Not for Word {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        Self(!self.0)
    }
}

macro_rules! words {
    ($($trait:ident $method:ident $of:ident),*) => { $(
        impl $trait for Word {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0.$of(other.0))
            }
        }
    )* };
}
words!(Add add wrapping_add, Sub sub wrapping_sub, Mul mul wrapping_mul, BitAnd bitand bitand, BitOr bitor bitor,
    BitXor bitxor bitxor);

impl Integer for Word {
    type Mask = bool;

    #[inline(always)]
    fn shift_left(self, count: Self) -> Self {
        Self(self.0 << (count.0 & 31))
    }
    #[inline(always)]
    fn shift_right(self, count: Self) -> Self {
        Self(self.0 >> (count.0 & 31))
    }
    #[inline(always)]
    fn shift_right_logical(self, count: Self) -> Self {
        Self((self.0 as u32 >> (count.0 & 31)) as i32)
    }
    #[inline(always)]
    fn multiply_high_unsigned(self, other: Self) -> Self {
        Self(((u64::from(self.0 as u32) * u64::from(other.0 as u32)) >> 32) as i32)
    }
    #[inline(always)]
    fn less(self, other: Self) -> bool {
        self.0 < other.0
    }
    #[inline(always)]
    fn equal(self, other: Self) -> bool {
        self.0 == other.0
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }
}
