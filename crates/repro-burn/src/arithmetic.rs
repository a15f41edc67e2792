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
use std::fmt;

use burn_backend::TensorMetadata;
use burn_backend::tensor::FloatTensor;
#[cfg(feature = "schemars")]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::columns;
use super::kernels::{Function, Kernels};
use super::window::Window;

/// Width of the floats that are multiplied in matrix products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// f32 everywhere.
    Full,
    /// f16 operands of matrix products; f32 sums, loss and optimizer; a dynamic loss scale.
    MixedF16,
    /// bf16 operands of matrix products; f32 sums, loss and optimizer.
    MixedBf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "32",
            Self::MixedF16 => "16-mixed",
            Self::MixedBf16 => "bf16-mixed",
        })
    }
}

impl Serialize for Precision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Full => serializer.serialize_u32(32),
            mixed => serializer.collect_str(mixed),
        }
    }
}

impl<'de> Deserialize<'de> for Precision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bits(u64),
            Name(String),
        }
        match Written::deserialize(deserializer).map_err(|_| serde::de::Error::custom(EXPECTED_PRECISION))? {
            Written::Bits(32) => Ok(Self::Full),
            Written::Name(name) => match name.as_str() {
                "32" => Ok(Self::Full),
                "16-mixed" => Ok(Self::MixedF16),
                "bf16-mixed" => Ok(Self::MixedBf16),
                other => Err(serde::de::Error::custom(format!("{EXPECTED_PRECISION}, got {other:?}"))),
            },
            Written::Bits(other) => Err(serde::de::Error::custom(format!("{EXPECTED_PRECISION}, got {other}"))),
        }
    }
}

#[cfg(feature = "schemars")]
impl JsonSchema for Precision {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Precision".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Width of the floats that are multiplied in matrix products.", "enum": [32, "32", "16-mixed", "bf16-mixed"] })
    }
}

const EXPECTED_PRECISION: &str = "expected 32, 16-mixed or bf16-mixed";

/// Which arithmetic a run promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Numerics {
    /// The bits of the numerics contract, on any conforming device.
    Portable,
    /// The fast kernels of one backend; equal bits on the same kind of device only.
    Native,
}

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
    in_mode::<B>(operand::<B>(lhs), operand::<B>(rhs))
}

/// [`Kernels::convolve`] in the arithmetic in force; something of it may be empty.
pub(super) fn convolve<B: Kernels>(images: FloatTensor<B>, weight: FloatTensor<B>, window: Window) -> FloatTensor<B> {
    let has_own = has_kernel_of_its_own(&[&images, &weight], &window);
    let (images, weight) = (operand::<B>(images), operand::<B>(weight));
    if has_own {
        B::convolve(images, weight, window)
    } else {
        columns::convolve::<B>(images, weight, window, in_mode::<B>)
    }
}

/// [`Kernels::convolve_transposed`] in the arithmetic in force; something of it may be empty.
pub(super) fn convolve_transposed<B: Kernels>(
    positions: FloatTensor<B>,
    weight: FloatTensor<B>,
    window: Window,
) -> FloatTensor<B> {
    let has_own = has_kernel_of_its_own(&[&positions, &weight], &window);
    let (positions, weight) = (operand::<B>(positions), operand::<B>(weight));
    if has_own {
        B::convolve_transposed(positions, weight, window)
    } else {
        columns::convolve_transposed::<B>(positions, weight, window, in_mode::<B>)
    }
}

/// [`Kernels::convolve_weight`] in the arithmetic in force; something of it may be empty.
pub(super) fn convolve_weight<B: Kernels>(
    images: FloatTensor<B>,
    positions: FloatTensor<B>,
    window: Window,
    groups: usize,
) -> FloatTensor<B> {
    let has_own = has_kernel_of_its_own(&[&images, &positions], &window);
    let (images, positions) = (operand::<B>(images), operand::<B>(positions));
    if has_own {
        B::convolve_weight(images, positions, window, groups)
    } else {
        columns::convolve_weight::<B>(images, positions, window, groups, in_mode::<B>)
    }
}

/// Whether the device may do the convolution its own way: in portable numerics, of something.
fn has_kernel_of_its_own(operands: &[&impl TensorMetadata], window: &Window) -> bool {
    let is_empty = operands.iter().any(|operand| operand.shape().num_elements() == 0);
    !is_native() && !is_empty && window.inputs() > 0 && window.outputs() > 0
}

/// The matrix product of operands that have their width already.
fn in_mode<B: Kernels>(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
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
    use crate::Cpu;

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
