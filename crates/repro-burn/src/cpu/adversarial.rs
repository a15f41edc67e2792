//! Numbers that make an order of operations visible, for tests.

use crate::rng::{CounterRng, Stream};

/// `count` numbers of very different sizes, every special value among them.
pub fn adversarial(count: usize, seed: u64) -> Vec<f32> {
    let rng = CounterRng::new(seed, Stream::workload(1), 0);
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, 1e-45, -1e-40, f32::MIN_POSITIVE];
    (0..count as u64)
        .map(|index| {
            let bits = rng.u32(index);
            let scale = [1.0, -1.0, 1e8, 1e-8, 1e-30, 1e20][bits as usize % 6];
            if bits.is_multiple_of(53) {
                special[(bits / 53) as usize % special.len()]
            } else {
                (rng.uniform_f32(index) - 0.5) * scale
            }
        })
        .collect()
}

/// The bits of `values`, with all NaNs made one.
pub fn bits(values: impl IntoIterator<Item = f32>) -> Vec<u32> {
    values.into_iter().map(|x| if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }).collect()
}

/// `body` in a pool of `threads`.
pub fn on_threads<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(body)
}
