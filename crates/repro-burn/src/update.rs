//! The step of an optimizer in one pass over a parameter, where the device has it.
//!
//! Burn's tensors would go over all of a parameter for each of a dozen operations. The bits are those of the operations one by
//! one: each is rounded once, and none is left out.

use std::any::Any;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_backend::DType;
use burn_flex::FlexTensor;

use super::cpu::level::Level;
use super::cpu::update;
use super::flex;

/// The numbers of a step of Adam or AdamW, as they are after rounding to f32.
///
/// For a value p, its gradient g and its running means m and v, each operation rounded once:
/// m ← m·β₁ + g·(1 − β₁), v ← v·β₂ + (g·g)·(1 − β₂), p ← p·shrink − (m / c₁) / (√(v / c₂) + ε) · lr.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamNumbers {
    /// β₁ and β₂.
    pub betas: [f32; 2],
    /// 1 − β₁ and 1 − β₂.
    pub rests: [f32; 2],
    /// What corrects the bias of the means: c₁ and c₂.
    pub corrections: [f32; 2],
    /// ε.
    pub eps: f32,
    /// What the value is multiplied by: 1 without weight decay, which changes no bit.
    pub shrink: f32,
    /// The learning rate.
    pub lr: f32,
}

impl AdamNumbers {
    /// p, m and v after the step, of p, g, m and v before it.
    #[inline(always)]
    pub fn step(&self, [p, g, m, v]: [f32; 4]) -> [f32; 3] {
        let m = m * self.betas[0] + g * self.rests[0];
        let v = v * self.betas[1] + (g * g) * self.rests[1];
        let direction = (m / self.corrections[0]) / ((v / self.corrections[1]).sqrt() + self.eps);
        [p * self.shrink - direction * self.lr, m, v]
    }

    /// The same for whole tensors: the value, and the two means. `None` on a device that has no such pass.
    pub fn step_of<B: Backend>(
        &self,
        value: &Tensor<B, 1>,
        gradient: &Tensor<B, 1>,
        means: [&mut Tensor<B, 1>; 2],
    ) -> Option<Tensor<B, 1>> {
        let [value, gradient] = [value, gradient].map(|tensor| on_cpu(tensor.clone()));
        let (value, gradient) = (value?, gradient?);
        // Taken, so that nobody else needs their memory.
        let [first, second] = means.map(|mean| {
            let device = mean.device();
            (std::mem::replace(mean, Tensor::empty([0], &device)), mean)
        });
        let ((first, first_place), (second, second_place)) = (first, second);
        let (mut first, mut second) = (flex::own(on_cpu(first)?), flex::own(on_cpu(second)?));
        let new = update::adam(
            Level::detected(),
            *self,
            flex::dense(value).storage(),
            flex::dense(gradient).storage(),
            first.storage_mut(),
            second.storage_mut(),
        );
        let shape = first.layout().shape().clone();
        *first_place = from_cpu(first);
        *second_place = from_cpu(second);
        Some(from_cpu(flex::tensor(new, shape)))
    }
}

/// The tensor of the CPU's backend, of f32, that this is.
fn on_cpu<B: Backend>(tensor: Tensor<B, 1>) -> Option<FlexTensor> {
    let primitive: Box<dyn Any> = Box::new(tensor.into_primitive().tensor());
    let tensor: FlexTensor = *primitive.downcast().ok()?;
    (tensor.dtype() == DType::F32).then_some(tensor)
}

/// The way back of [`on_cpu`].
fn from_cpu<B: Backend>(tensor: FlexTensor) -> Tensor<B, 1> {
    let primitive: Box<dyn Any> = Box::new(tensor);
    let primitive = *primitive.downcast().expect("the backend whose tensors these are");
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::Cpu;
    use crate::cpu::adversarial::{adversarial, bits, on_threads};

    #[test]
    fn a_step_in_one_pass_is_that_of_the_operations_one_by_one() {
        let numbers = AdamNumbers {
            betas: [0.9, 0.999],
            rests: [0.1, 0.001],
            corrections: [0.19, 0.0019],
            eps: 1e-8,
            shrink: 0.9999,
            lr: 1e-3,
        };
        let of = |values: &[f32]| {
            Tensor::<Cpu, 1>::from_data(TensorData::new(values.to_vec(), [values.len()]), &Default::default())
        };
        for (seed, length) in [0, 1, 15, 16, 17, 8192, 8193, 40_000].into_iter().enumerate() {
            let [p, g, m, v] = [0, 1, 2, 3].map(|part| adversarial(length, 4 * seed as u64 + part));
            let v: Vec<f32> = v.into_iter().map(f32::abs).collect();
            let (value, gradient, first, second) = (of(&p), of(&g), of(&m), of(&v));
            let mean = first.clone() * numbers.betas[0] + gradient.clone() * numbers.rests[0];
            let square = second.clone() * numbers.betas[1] + (gradient.clone() * gradient.clone()) * numbers.rests[1];
            let deviation = (square.clone() / numbers.corrections[1]).sqrt() + numbers.eps;
            let direction = mean.clone() / numbers.corrections[0] / deviation;
            let moved = value.clone() * numbers.shrink - direction * numbers.lr;
            let host = |tensor: Tensor<Cpu, 1>| bits(tensor.into_data().to_vec::<f32>().expect("f32"));
            for threads in [1, 3] {
                let (mut first, mut second) = (first.clone(), second.clone());
                let got = on_threads(threads, || numbers.step_of(&value, &gradient, [&mut first, &mut second]));
                assert_eq!(host(got.expect("the CPU has it")), host(moved.clone()), "{length}");
                assert_eq!([host(first), host(second)], [host(mean.clone()), host(square.clone())], "{length}");
            }
            assert_eq!([host(value), host(gradient)], [bits(p), bits(g)], "the operands are as they were");
        }
    }
}
