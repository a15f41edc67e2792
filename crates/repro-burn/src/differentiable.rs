//! Functions whose gradient, or value, Burn 0.21 gets wrong whatever the backend, made of ops that it gets right.
//!
//! Burn's autodiff writes these as compositions, or as a backward pass, of its own above the backend, so that
//! [`Repro`](super::Repro) never sees which function it is asked for and cannot mend it:
//!
//! | Burn 0.21 | what happens | here |
//! |---|---|---|
//! | `Tensor::prod`, `prod_dim` under `Autodiff` | exp of the sum of logarithms: NaN for a negative element, a NaN gradient for a zero | [`prod`], [`prod_dim`] |
//! | `Tensor::cumprod` under `Autodiff` | the gradient divides by the element: NaN for a zero | [`cumprod`] |
//! | `activation::softplus` | ln (1 + eˣ): infinite from x = 89 on, with a NaN gradient; `nn::Softplus` the same | [`softplus`] |
//! | `powf_scalar(0)`, `powi_scalar(0)` under `Autodiff` | ones outside of the graph: `backward` panics or the gradient is missing | [`powf_scalar`] |
//!
//! The engine ends a run whose gradients are NaN. All functions here work on every backend; their bits are those of the
//! ops they are made of.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::ops::fold::{BLOCK, LANES};

/// The product of all elements, `[1]`; see [`prod_dim`].
pub fn prod<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Tensor<B, 1> {
    let count = tensor.shape().num_elements();
    prod_dim(tensor.reshape([count]), 0)
}

/// The product along `dim`, which becomes 1, with the gradient of a product: that of an element is the product of the
/// others.
///
/// On [`Repro`](super::Repro) the bits are those of `float_prod_dim`.
///
/// # Panics
/// When there is no such dimension.
pub fn prod_dim<B: Backend, const D: usize>(mut tensor: Tensor<B, D>, dim: usize) -> Tensor<B, D> {
    let mut length = tensor.dims()[dim];
    if length == 0 {
        let mut shape = tensor.dims();
        shape[dim] = 1;
        return Tensor::ones(shape, &tensor.device());
    }
    loop {
        let blocks = (0..length).step_by(BLOCK);
        let products = blocks.map(|start| block_product(tensor.clone(), dim, start, BLOCK.min(length - start)));
        tensor = Tensor::cat(products.collect(), dim);
        length = tensor.dims()[dim];
        if length == 1 {
            return tensor;
        }
    }
}

/// The product of `length` elements of `dim` from `start` on, in the order of [`fold`](super::ops::fold).
fn block_product<B: Backend, const D: usize>(
    tensor: Tensor<B, D>,
    dim: usize,
    start: usize,
    length: usize,
) -> Tensor<B, D> {
    let mut shape = tensor.dims();
    let mut lanes: Option<Tensor<B, D>> = None;
    for first in (0..length).step_by(LANES) {
        let count = LANES.min(length - first);
        let mut row = tensor.clone().narrow(dim, start + first, count);
        if count < LANES {
            shape[dim] = LANES - count;
            row = Tensor::cat(vec![row, Tensor::ones(shape, &tensor.device())], dim);
        }
        lanes = Some(lanes.map_or(row.clone(), |lanes| lanes * row));
    }
    let mut lanes = lanes.expect("a block has elements");
    let mut half = LANES / 2;
    while half > 0 {
        lanes = lanes.clone().narrow(dim, 0, half) * lanes.narrow(dim, half, half);
        half /= 2;
    }
    lanes
}

/// The running product along `dim`, with the gradient of the products that it consists of.
///
/// On [`Repro`](super::Repro) the bits are those of `float_cumprod`. It takes one op per element of the dimension.
///
/// # Panics
/// When there is no such dimension.
pub fn cumprod<B: Backend, const D: usize>(tensor: Tensor<B, D>, dim: usize) -> Tensor<B, D> {
    let length = tensor.dims()[dim];
    if length == 0 {
        return tensor;
    }
    let mut products = vec![tensor.clone().narrow(dim, 0, 1)];
    for at in 1..length {
        products.push(products[at - 1].clone() * tensor.clone().narrow(dim, at, 1));
    }
    Tensor::cat(products, dim)
}

/// ln (1 + e^(βx)) / β, as max (βx, 0) + ln (1 + e^−|βx|), which is finite for every number.
pub fn softplus<B: Backend, const D: usize>(tensor: Tensor<B, D>, beta: f64) -> Tensor<B, D> {
    let x = tensor.mul_scalar(beta);
    let above = x.clone().greater_elem(0.0);
    // Masks and not max and abs, whose gradients at 0 would not add up to a half.
    let positive = x.clone().mask_fill(above.clone().bool_not(), 0.0);
    let negative = x.clone().mask_where(above, x.neg());
    (positive + negative.exp().log1p()).div_scalar(beta)
}

/// tensor^exponent; of exponent 0 the ones are part of the graph, with gradient 0.
pub fn powf_scalar<B: Backend, const D: usize>(tensor: Tensor<B, D>, exponent: f64) -> Tensor<B, D> {
    if exponent != 0.0 {
        return tensor.powf_scalar(exponent);
    }
    let nan = tensor.clone().is_nan();
    tensor.mask_fill(nan.clone().bool_or(nan.bool_not()), 1.0)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use burn::backend::Autodiff;
    use burn::tensor::TensorData;
    use burn::tensor::activation;

    use super::*;
    use crate::Cpu;
    use crate::cpu::adversarial::{adversarial, bits};

    type B = Autodiff<Cpu>;

    fn of<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<B, D> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Default::default()).require_grad()
    }

    fn values<Any: Backend, const D: usize>(tensor: Tensor<Any, D>) -> Vec<f32> {
        tensor.into_data().to_vec().expect("an f32 tensor")
    }

    /// The gradient of the sum of `function` of `x`.
    fn gradient<const D: usize, const E: usize>(
        x: &Tensor<B, D>,
        function: impl Fn(Tensor<B, D>) -> Tensor<B, E>,
    ) -> Vec<f32> {
        let gradients = function(x.clone()).sum().backward();
        values(x.grad(&gradients).expect("a gradient"))
    }

    #[test]
    fn a_product_has_the_bits_of_the_backends_and_the_gradient_of_a_product() {
        for (shape, dim) in [([1, 1, 1], 1), ([2, 31, 3], 1), ([5, 33, 1], 1), ([40, 2, 3], 0), ([1, 4, 9000], 2)] {
            let numbers = adversarial(shape.iter().product(), 4);
            let x = of(&numbers, shape);
            let expected = bits(values(x.clone().inner().prod_dim(dim)));
            assert!(bits(values(prod_dim(x, dim).inner())) == expected, "{shape:?}");
        }
        assert_eq!(values(prod(of::<2>(&[], [0, 3])).inner()), [1.0]);
        let x = of(&[2.0, -3.0, 5.0, 0.5], [2, 2]);
        assert_eq!(values(prod(x.clone()).inner()), [-15.0]);
        assert_eq!(gradient(&x, prod), [-7.5, 5.0, -3.0, -30.0]);
        assert_eq!(gradient(&of(&[2.0, 0.0, -5.0], [3]), prod), [0.0, -10.0, 0.0]);
        assert_eq!(gradient(&of(&[0.0, 0.0, -5.0], [3]), prod), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_running_product_has_the_bits_of_the_backends_and_survives_a_zero() {
        let x = of(&adversarial(7 * 40, 5), [7, 40]);
        for dim in [0, 1] {
            let expected = bits(values(x.clone().inner().cumprod(dim)));
            assert!(bits(values(cumprod(x.clone(), dim).inner())) == expected, "{dim}");
        }
        // 2 + 2·0 + 2·0·3: by the first 1 + 0 + 0, by the second 2 + 2·3, by the third 0.
        assert_eq!(gradient(&of(&[2.0, 0.0, 3.0], [3]), |x| cumprod(x, 0)), [1.0, 8.0, 0.0]);
    }

    #[test]
    fn softplus_is_finite_and_its_gradient_is_the_sigmoid() {
        let numbers = [-1e30, -100.0, -20.0, -1.5, 0.0, 1.5, 20.0, 100.0, 1e30];
        let x = of(&numbers, [numbers.len()]);
        for beta in [1.0, 0.5, 4.0] {
            let got = values(softplus(x.clone(), beta).inner());
            let slopes = gradient(&x, |x| softplus(x, beta));
            for (x, (got, slope)) in numbers.iter().zip(got.into_iter().zip(slopes)) {
                let scaled = beta * f64::from(*x);
                let expected = (scaled.max(0.0) + (-scaled.abs()).exp().ln_1p()) / beta;
                // The absolute part is for subnormal numbers.
                let close =
                    |got: f32, expected: f64| (f64::from(got) - expected).abs() <= 1e-6 * expected.abs() + 1e-38;
                assert!(close(got, expected), "{got:e} for {expected:e}");
                assert!(close(slope, 1.0 / (1.0 + (-scaled).exp())), "slope {slope:e} at {x}");
            }
        }
    }

    #[test]
    fn the_power_of_zero_is_one_with_gradient_zero() {
        let x = of(&[2.0, -0.0, f32::INFINITY, f32::NAN], [4]);
        assert_eq!(values(powf_scalar(x.clone(), 0.0).inner()), [1.0; 4]);
        assert_eq!(gradient(&x, |x| powf_scalar(x, 0.0)), [0.0; 4]);
        assert_eq!(gradient(&of(&[3.0], [1]), |x| powf_scalar(x, 2.0)), [6.0]);
    }

    /// What the table above says of Burn; where a newer one differs, the table and the function here can go.
    #[test]
    fn burn_is_as_wrong_as_the_table_says() {
        let negative = of(&[2.0, -3.0], [2]);
        assert!(values(negative.clone().prod().inner())[0].is_nan());
        assert_eq!(values(negative.inner().prod()), [-6.0], "without autodiff the backend's own is called");
        assert!(gradient(&of(&[2.0, 0.0], [2]), Tensor::prod).iter().any(|slope| slope.is_nan()));
        assert!(gradient(&of(&[2.0, 0.0], [2]), |x| x.cumprod(0)).iter().any(|slope| slope.is_nan()));
        let large = of(&[100.0], [1]);
        assert_eq!(values(activation::softplus(large.clone(), 1.0).inner()), [f32::INFINITY]);
        assert!(gradient(&large, |x| activation::softplus(x, 1.0))[0].is_nan());
        let lost = catch_unwind(AssertUnwindSafe(|| {
            let gradients = large.clone().powf_scalar(0.0).sum().backward();
            large.grad(&gradients).map(values)
        }));
        assert!(!matches!(lost, Ok(Some(_))), "{lost:?}");
    }
}
