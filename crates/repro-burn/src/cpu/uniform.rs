//! Many uniform random numbers at once: the blocks of [`CounterRng`] in lanes and on threads, the numbers themselves
//! unchanged.

use std::mem::MaybeUninit;

use super::chunks::filled;
use super::level::{Level, per_level};
use crate::rng::{CounterRng, unit_f32};

/// Blocks made side by side.
const LANES: usize = 16;

/// `made` of `uniform_f32` of `count` indices from 4 · `block` on.
pub fn uniform(level: Level, rng: CounterRng, block: u64, count: usize, made: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    filled(count, |first, out| {
        let block = block + first as u64 / 4;
        type Out = [MaybeUninit<f32>];
        per_level!(level, (rng: CounterRng = rng, block: u64 = block, out: &mut Out = out), lanes(rng, block, out));
        // While the chunk is in the cache.
        for out in out {
            // SAFETY: `lanes` has written all of them.
            out.write(made(unsafe { out.assume_init() }));
        }
    })
}

#[inline(always)]
fn lanes(rng: CounterRng, block: u64, out: &mut [MaybeUninit<f32>]) {
    let mut at = block;
    for out in out.chunks_mut(4 * LANES) {
        let words = rng.blocks::<LANES>(at);
        at += LANES as u64;
        for (index, out) in out.iter_mut().enumerate() {
            out.write(unit_f32(words[index % 4][index / 4]));
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
                    let got = uniform(level, rng, start, length, |unit| unit);
                    assert!(got == expected, "{level:?} {length} from block {start}");
                }
            }
        }
    }
}
