//! Many uniform random numbers at once: the blocks of [`CounterRng`] in lanes and on threads, the numbers themselves
//! unchanged.

use super::chunks::in_chunks;
use super::level::{Instructions, Level};
use crate::rng::{CounterRng, unit_f32};

/// Blocks made side by side.
const LANES: usize = 16;

/// Fills `out` with `uniform_f32` of the indices from 4 · `block` on.
pub fn fill(level: Level, rng: CounterRng, block: u64, out: &mut [f32]) {
    in_chunks(out, |first, out| fill_chunk(level, rng, block + first as u64 / 4, out));
}

fn fill_chunk(level: Level, rng: CounterRng, block: u64, out: &mut [f32]) {
    match level.instructions() {
        Instructions::Portable => lanes(rng, block, out),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: this level exists only where the processor has AVX2 and FMA.
        Instructions::Avx2 => unsafe { lanes_avx2(rng, block, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: this level exists only where the processor has AVX-512F.
        Instructions::Avx512 => unsafe { lanes_avx512(rng, block, out) },
    }
}

/// # Safety
/// The processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn lanes_avx2(rng: CounterRng, block: u64, out: &mut [f32]) {
    lanes(rng, block, out);
}

/// # Safety
/// The processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn lanes_avx512(rng: CounterRng, block: u64, out: &mut [f32]) {
    lanes(rng, block, out);
}

#[inline(always)]
fn lanes(rng: CounterRng, block: u64, out: &mut [f32]) {
    let mut at = block;
    for out in out.chunks_mut(4 * LANES) {
        let words = rng.blocks::<LANES>(at);
        at += LANES as u64;
        for (index, out) in out.iter_mut().enumerate() {
            *out = unit_f32(words[index % 4][index / 4]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chunks::CHUNK;
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn every_level_length_and_start_gives_the_numbers_of_the_indices() {
        let rng = CounterRng::new(7, Stream::STEP, 3).part(5);
        let lengths = [0, 1, 3, 4, 5, 63, 64, 65, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7];
        // The second one's blocks pass 2³².
        for start in [0, (1 << 32) - 5] {
            for length in lengths {
                let expected: Vec<f32> = (0..length as u64).map(|i| rng.uniform_f32(4 * start + i)).collect();
                for level in Level::available() {
                    let mut got = vec![-1.0; length];
                    fill(level, rng, start, &mut got);
                    assert!(got == expected, "{level:?} {length} from block {start}");
                }
            }
        }
    }
}
