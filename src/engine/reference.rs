//! A computation of a fixed size, for how long it takes: what makes times on two machines comparable.
//!
//! A run keeps how long it took here beside its own time, and an auditor who takes it, too, can say how long the replay would have
//! been there. It is a matrix product, a transcendental function of every element and a sum, like the ops of a small step, and nothing
//! of a run but that figure depends on it.

use std::hint::black_box;
use std::time::Duration;

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor};

use super::device::{Device, Job};

/// Rows and columns of the matrix.
const SIZE: usize = 256;
/// Products one after the other.
const CHAIN: usize = 4;
/// Times it is done, of which the middle one counts: where others are at work beside, they are so beside a run, too.
const ROUNDS: usize = 7;

/// Seconds that it takes on a device: the median of some times, after one that does not count. `elapsed` is monotonic time since
/// whenever.
pub fn seconds(device: &Device, elapsed: &dyn Fn() -> Duration) -> f64 {
    device.run(Reference { elapsed })
}

struct Reference<'a> {
    elapsed: &'a dyn Fn() -> Duration,
}

impl Job for Reference<'_> {
    type Output = f64;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> f64 {
        let count = SIZE * SIZE;
        let matrix = Tensor::<B::InnerBackend, 1, Int>::arange(0..count as i64, device).float() / (count as f32) - 0.5;
        let matrix = matrix.reshape([SIZE, SIZE]);
        let round = || {
            let began = (self.elapsed)();
            let made = (0..CHAIN).fold(matrix.clone(), |made, _| made.matmul(matrix.clone()).tanh());
            // A device is done when its sum is here.
            black_box(made.sum().into_data());
            (self.elapsed)().saturating_sub(began)
        };
        round();
        let mut times = [(); ROUNDS].map(|()| round());
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64()
    }
}
