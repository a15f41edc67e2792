//! The replaced ops as plain code: the truth that every kernel is tested against.
//!
//! Only f32 add, sub, mul, div, sqrt, fused multiply-add, comparisons and integer operations occur. Elementwise
//! functions are written over [`Number`]; the others take [`Fma`], because a processor without the instruction needs
//! another way to the same bits.

pub mod angle;
pub mod asin;
pub mod asinh;
pub mod atan;
pub mod columns;
#[cfg_attr(not(test), expect(dead_code, reason = "the truth that kernels are tested against"))]
pub mod deformable;
pub mod double;
pub mod erf;
pub mod exp;
pub mod extremum;
pub mod fma;
pub mod fold;
pub mod gelu;
pub mod log;
pub mod matmul;
pub mod narrow;
pub mod norm;
pub mod number;
pub mod polynomial;
pub mod pool;
pub mod pow;
pub mod relu;
pub mod remainder;
pub mod resample;
pub mod round;
pub mod scan;
pub mod scatter;
pub mod sigmoid;
pub mod sin;
pub mod sinh;
pub mod tanh;
#[cfg(test)]
pub(super) mod ulp;

pub use fma::Fma;
pub use number::{Number, Real};

use super::kernels::{BinaryFunction, Function};

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
        Function::Sigmoid => sigmoid::sigmoid(x),
        Function::Gelu => gelu::gelu(x),
        Function::Sin => sin::sin(x),
        Function::Cos => sin::cos(x),
        Function::Tan => sin::tan(x),
        Function::Sinh => sinh::sinh(x),
        Function::Cosh => sinh::cosh(x),
        Function::Asin => asin::asin(x),
        Function::Acos => asin::acos(x),
        Function::Atan => atan::atan(x),
        Function::Asinh => asinh::asinh(x),
        Function::Acosh => asinh::acosh(x),
        Function::Atanh => asinh::atanh(x),
        Function::ToF16 => narrow::f16(x),
        Function::ToBf16 => narrow::bf16(x),
        Function::Recip => N::from(1.0) / x,
        Function::Sqrt => x.sqrt(),
        Function::Relu => relu::relu(x),
    }
}

/// `function` of two numbers.
#[inline(always)]
pub fn apply_binary<N: Number>(function: BinaryFunction, left: N, right: N) -> N {
    match function {
        BinaryFunction::Atan2 => atan::atan2(left, right),
        BinaryFunction::Pow => pow::pow(left, right),
        BinaryFunction::Remainder => remainder::remainder(left, right),
        BinaryFunction::Divide => left / right,
        BinaryFunction::ReluBackward => relu::relu_backward(left, right),
        BinaryFunction::SigmoidBackward => sigmoid::sigmoid_backward(left, right),
        BinaryFunction::GeluBackward => gelu::gelu_backward(left, right),
    }
}
