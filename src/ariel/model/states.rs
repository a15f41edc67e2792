//! A diagonal state-space encoder: exponential averages of a light curve over several lengths of time, in both directions.
//!
//! ```text
//! state(t) = (1 − e^−rate) Σ over s ≤ t of e^(−rate (t − s)) x(s)      rate: one of each state, trained
//! ```
//! and the same from the end. Each state is a linear system with one eigenvalue; written as a product with a matrix, it is
//! parallel over time, and its order of sums is that of every product.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// The encoder.
#[derive(Module, Debug)]
pub struct States<B: Backend> {
    /// Logarithms of the rates, per bin.
    log_rate: Param<Tensor<B, 1>>,
}

/// Bins that the slowest state remembers at the start; the fastest remembers two.
const SLOWEST: f64 = 64.0;
const FASTEST: f64 = 2.0;
/// What stands for a place of the future: no rate above 0.01 leaves anything of it.
const FUTURE: f32 = 1e5;

impl<B: Backend> States<B> {
    /// `count` states, at least one, whose memories are spread evenly on a logarithmic scale.
    pub fn new(count: usize, device: &B::Device) -> Self {
        let step = if count > 1 { libm::log(SLOWEST / FASTEST) / (count - 1) as f64 } else { 0.0 };
        let log_rates: Vec<f32> = (0..count).map(|state| -(libm::log(FASTEST) + step * state as f64) as f32).collect();
        Self { log_rate: Param::from_data(log_rates.as_slice(), device) }
    }

    /// States over time, forward and then backward.
    ///
    /// # Shapes
    /// - `curve`: `[samples, bins]`
    /// - output: `[samples, 2 · states, bins]`
    pub fn forward(&self, curve: Tensor<B, 2>) -> Tensor<B, 3> {
        let [samples, bins] = curve.dims();
        let [states] = self.log_rate.dims();
        let device = curve.device();
        let distance = |from: usize, to: usize| if from <= to { (to - from) as f32 } else { FUTURE };
        let distances: Vec<f32> = (0..bins).flat_map(|from| (0..bins).map(move |to| distance(from, to))).collect();
        let distances = Tensor::<B, 3>::from_data(TensorData::new(distances, [1, bins, bins]), &device);
        let rate = self.log_rate.val().exp().reshape([states, 1, 1]);
        let gain = rate.clone().neg().exp().neg().add_scalar(1.0);
        // [states, from, to]
        let kernel = (distances * rate).neg().exp() * gain;
        let over = |kernel: Tensor<B, 3>| {
            let wide = kernel.permute([1, 0, 2]).reshape([bins, states * bins]);
            curve.clone().matmul(wide).reshape([samples, states, bins])
        };
        Tensor::cat(vec![over(kernel.clone()), over(kernel.swap_dims(1, 2))], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::PortableCpu;

    #[test]
    fn states_are_exponential_averages_from_either_end() {
        let (bins, count) = (9, 3);
        let device = Default::default();
        let states = States::<PortableCpu>::new(count, &device);
        let curve: Vec<f32> = (0..2 * bins).map(|place| ((place * 5) % 7) as f32 - 3.0).collect();
        let input = Tensor::<PortableCpu, 2>::from_data(TensorData::new(curve.clone(), [2, bins]), &device);
        let output = states.forward(input);
        assert_eq!(output.dims(), [2, 2 * count, bins]);
        let got: Vec<f32> = output.into_data().to_vec().expect("f32");
        for sample in 0..2 {
            for state in 0..count {
                let rate = 1.0 / (2.0 * 32f64.powf(state as f64 / 2.0));
                let (keep, gain) = ((-rate).exp(), 1.0 - (-rate).exp());
                let series = |places: Vec<usize>, channel: usize| {
                    let mut average = 0.0;
                    for bin in places {
                        average = keep * average + gain * f64::from(curve[sample * bins + bin]);
                        let got = got[(sample * 2 * count + channel) * bins + bin];
                        assert!((average - f64::from(got)).abs() < 1e-5, "{sample} {channel} {bin}: {average} {got}");
                    }
                };
                series((0..bins).collect(), state);
                series((0..bins).rev().collect(), count + state);
            }
        }
    }
}
