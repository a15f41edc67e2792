//! Which arithmetic the ops of a thread use: portable or native numerics, and the width of a product's operands.
//!
//! A scope and not another backend type: every type that Burn is compiled for costs minutes, and a run chooses once.
//! The op looks at the scope of the thread that calls it; the threads that it computes on do not matter.
//!
//! # Mixed precision
//! In `16-mixed` (f16) and `bf16-mixed` both operands of every matrix product, forward and backward, are rounded to the
//! 16-bit format before they are multiplied: to nearest, ties to even, subnormals kept, beyond the largest number to
//! infinity, NaN to NaN. Such operands have products that are exact in f32, and those are added in f32 in the order of
//! the matrix product; the result is f32. That covers linear layers, attention, and convolutions, which are matrix
//! products. Everything else, among it sums, normalisation, elementary functions, losses and the optimizer, is f32, and
//! so are all tensors that are kept, the operands for the backward pass included: the format saves no memory here.
//!
//! # Native numerics
//! Methods listed as fast (see the table in the module documentation) go to the backend's own kernels, whatever their
//! order of operations. They have no float atomics and are not tuned by timing, so they give the same bits from run to
//! run on one kind of device, and on the CPU with any number of threads. Reductions, scatters and random numbers stay
//! as they are in portable mode.

use std::cell::Cell;

use burn_backend::tensor::FloatTensor;
use serde::{Deserialize, Serialize};

use super::kernels::{Function, Kernels};
use crate::engine::settings::{Numerics, Precision};

/// What a run's arithmetic is, beside the version of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Arithmetic {
    /// Whose kernels compute.
    pub numerics: Numerics,
    /// Width of the operands of matrix products.
    pub precision: Precision,
}

impl Arithmetic {
    /// The contract's own arithmetic, f32 throughout: what ops use outside any scope.
    pub const PORTABLE: Self = Self { numerics: Numerics::Portable, precision: Precision::Full };
}

impl Default for Arithmetic {
    fn default() -> Self {
        Self::PORTABLE
    }
}

thread_local! {
    static SCOPE: Cell<Option<Arithmetic>> = const { Cell::new(None) };
}

/// Runs `body` with `arithmetic` for every op that this thread calls in it.
///
/// Scopes nest as those of [`with_random`](super::with_random) do, and for the same reason: a rayon worker that waits
/// inside one scope may run another job.
pub fn with_arithmetic<R>(arithmetic: Arithmetic, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<Arithmetic>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0);
        }
    }
    let _restore = Restore(SCOPE.replace(Some(arithmetic)));
    body()
}

/// Whether this thread is inside a scope, as it is whenever the engine runs a workload's code in a training run.
pub(super) fn is_in_scope() -> bool {
    SCOPE.get().is_some()
}

/// Whether fast methods go to the backend's own kernels.
pub(super) fn is_native() -> bool {
    in_force().numerics == Numerics::Native
}

fn in_force() -> Arithmetic {
    SCOPE.get().unwrap_or_default()
}

/// The matrix product that every op is made of which has one in it: of operands in the width in force.
pub(super) fn product<B: Kernels>(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
    let (lhs, rhs) = (operand::<B>(lhs), operand::<B>(rhs));
    if is_native() { B::float_matmul(lhs, rhs) } else { B::matmul(lhs, rhs) }
}

/// An operand of a matrix product, rounded to the width in force.
fn operand<B: Kernels>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    match in_force().precision {
        Precision::Full => tensor,
        Precision::MixedF16 => B::map(Function::ToF16, tensor),
        Precision::MixedBf16 => B::map(Function::ToBf16, tensor),
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{Tensor, TensorData};

    use super::*;
    use crate::engine::repro::Cpu;

    const MIXED: Arithmetic = Arithmetic { numerics: Numerics::Portable, precision: Precision::MixedF16 };

    #[test]
    fn the_outer_scope_is_back_after_the_inner_one_and_after_a_panic() {
        let native = Arithmetic { numerics: Numerics::Native, ..MIXED };
        with_arithmetic(MIXED, || {
            with_arithmetic(native, || assert_eq!(in_force(), native));
            assert_eq!(in_force(), MIXED);
            assert!(std::panic::catch_unwind(|| with_arithmetic(native, || panic!("expected"))).is_err());
            assert_eq!(in_force(), MIXED);
        });
        assert_eq!(in_force(), Arithmetic::PORTABLE);
        assert!(!is_in_scope());
    }

    #[test]
    fn products_have_rounded_operands_and_f32_sums_forward_and_backward() {
        type B = Autodiff<Cpu>;
        let device = Default::default();
        let matrix = |values: [f32; 2], shape: [usize; 2]| {
            Tensor::<B, 2>::from_data(TensorData::new(values.to_vec(), shape), &device)
        };
        // 2049 lies between the f16 numbers 2048 and 2050, ties to even; 4097 = 4096 + 1 is no f16, but an f32 sum.
        let left = matrix([2049.0, 1.0], [1, 2]).require_grad();
        let right = matrix([2.0, 1.0], [2, 1]).require_grad();
        let (product, gradient) = with_arithmetic(MIXED, || {
            let product = left.clone().matmul(right.clone());
            let gradients = (product.clone() * 4099.0).backward();
            (product.into_scalar(), right.grad(&gradients).expect("a gradient").into_data())
        });
        assert_eq!(product, 2048.0 * 2.0 + 1.0);
        // The incoming gradient 4099 is rounded to 4100 as an operand, and 2049 again to 2048.
        assert_eq!(gradient.to_vec::<f32>().expect("f32"), [2048.0 * 4100.0, 4100.0]);
        assert_eq!(left.matmul(right).into_scalar(), 4099.0);
    }

    #[test]
    fn convolutions_and_their_gradients_are_products_in_the_width_and_mode_in_force() {
        type B = Autodiff<Cpu>;
        let image = |values: [f32; 2]| {
            Tensor::<B, 4>::from_data(TensorData::new(values.to_vec(), [1, 1, 1, 2]), &Default::default())
                .require_grad()
        };
        let (x, weight) = (image([2049.0, 1.0]), image([2.0, 1.0]));
        let trained = |arithmetic| {
            with_arithmetic(arithmetic, || {
                let out = conv2d(x.clone(), weight.clone(), None, ConvOptions::new([1; 2], [0; 2], [1; 2], 1));
                let gradients = (out.clone() * 4099.0).backward();
                let of = |tensor: &Tensor<B, 4>| {
                    let gradient = tensor.grad(&gradients).expect("a gradient").into_data();
                    gradient.to_vec::<f32>().expect("f32")
                };
                (out.into_scalar(), of(&x), of(&weight))
            })
        };
        let rounded = (4097.0, vec![2.0 * 4100.0, 4100.0], vec![2048.0 * 4100.0, 4100.0]);
        assert_eq!(trained(MIXED), rounded);
        let full = (4099.0, vec![2.0 * 4099.0, 4099.0], vec![2049.0 * 4099.0, 4099.0]);
        assert_eq!(trained(Arithmetic::PORTABLE), full);
        assert_eq!(trained(Arithmetic { numerics: Numerics::Native, precision: Precision::Full }), full);
    }
}
