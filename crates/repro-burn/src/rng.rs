//! Counter-based random numbers: a value is a function of (seed, stream, step, index), never of call order.
//!
//! Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11), integer arithmetic only, so
//! portable by construction; the published known-answer vectors are in the tests. Floats are derived by exact
//! conversions; normals by Box–Muller over the `libm` crate's `log` and `sincos`, which are plain Rust on every target.
//!
//! Layout: key = seed (low word, high word); counter = (block low, block high, step, stream).

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// One Philox4x32-10 block: four words of output for a counter and a key.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..ROUNDS {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let products =
            [u64::from(MULTIPLIERS[0]) * u64::from(counter[0]), u64::from(MULTIPLIERS[1]) * u64::from(counter[2])];
        counter = [
            (products[1] >> 32) as u32 ^ counter[1] ^ key[0],
            products[1] as u32,
            (products[0] >> 32) as u32 ^ counter[3] ^ key[1],
            products[0] as u32,
        ];
    }
    counter
}

/// [`philox4x32`] of many counters under one key, in lanes: `[word][counter]` in and out.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "the lanes of several arrays, side by side")]
fn philox4x32_lanes<const N: usize>(mut counters: [[u32; N]; 4], mut key: [u32; 2]) -> [[u32; N]; 4] {
    for round in 0..ROUNDS {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        for lane in 0..N {
            let products = [
                u64::from(MULTIPLIERS[0]) * u64::from(counters[0][lane]),
                u64::from(MULTIPLIERS[1]) * u64::from(counters[2][lane]),
            ];
            counters[0][lane] = (products[1] >> 32) as u32 ^ counters[1][lane] ^ key[0];
            counters[1][lane] = products[1] as u32;
            counters[2][lane] = (products[0] >> 32) as u32 ^ counters[3][lane] ^ key[1];
            counters[3][lane] = products[0] as u32;
        }
    }
    counters
}

/// What a sequence of random numbers is for. Two purposes never share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream(u32);

impl Stream {
    /// Initial parameters of a model.
    pub const INIT: Self = Self(1);
    /// Order of the samples of an epoch; `step` is the epoch.
    pub const SHUFFLE: Self = Self(2);
    /// Everything random inside a training step (dropout); `step` is the optimizer step.
    pub const STEP: Self = Self(3);
    /// Which samples are held out.
    pub const SPLIT: Self = Self(4);
    /// Inputs of the numerics probe; `step` tells them apart.
    pub const PROBE: Self = Self(5);
    /// Everything random inside an evaluation; `step` is the optimizer steps done, the part is the split.
    pub const EVALUATE: Self = Self(6);
    /// What Burn's `Backend::seed` seeds, outside of any run.
    pub const SEEDED: Self = Self(7);
    /// What training samples are prepared with; `step` is the optimizer step, the part is the sample.
    pub const AUGMENT: Self = Self(8);
    /// What held-out samples are prepared with; `step` is the split, the part is the sample.
    pub const AUGMENT_HELD_OUT: Self = Self(9);

    /// A stream of a workload's own, apart from all of the engine's.
    ///
    /// # Panics
    /// When `number` is 2³¹ or more.
    pub const fn workload(number: u32) -> Self {
        assert!(number < 1 << 31, "workload streams are numbered below 2^31");
        Self(1 << 31 | number)
    }
}

/// Random access to the numbers of one (seed, stream, step).
///
/// `index` counts values of the kind asked for. Kinds take different numbers of bits, so values of two kinds may share
/// some whatever their indices are: use one kind per stream, step and part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterRng {
    key: [u32; 2],
    step: u32,
    stream: u32,
    part: u32,
}

impl CounterRng {
    /// The numbers of `stream` at `step` under `seed`.
    pub const fn new(seed: u64, stream: Stream, step: u32) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], step, stream: stream.0, part: 0 }
    }

    /// One of 2³² disjoint parts of these numbers, 2³⁴ words long: what each micro-shard of a step draws from.
    pub const fn part(self, part: u32) -> Self {
        Self { part, ..self }
    }

    fn block(&self, block: u64) -> [u32; 4] {
        // Part 0 has its index range to itself as long as no other part is drawn from.
        let high = self.part ^ (block >> 32) as u32;
        philox4x32([block as u32, high, self.step, self.stream], self.key)
    }

    /// The words of blocks `first`, `first` + 1, …: `[word][block]`. Inlined, so that it is compiled for the
    /// instructions of its caller.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "the lanes of several arrays, side by side")]
    pub(crate) fn blocks<const N: usize>(&self, first: u64) -> [[u32; N]; 4] {
        let mut counters = [[0; N], [0; N], [self.step; N], [self.stream; N]];
        for lane in 0..N {
            let block = first.wrapping_add(lane as u64);
            counters[0][lane] = block as u32;
            counters[1][lane] = self.part ^ (block >> 32) as u32;
        }
        philox4x32_lanes(counters, self.key)
    }

    /// 32 random bits; four consecutive indices come from one block.
    pub fn u32(&self, index: u64) -> u32 {
        self.block(index / 4)[(index % 4) as usize]
    }

    /// 64 random bits; two consecutive indices come from one block.
    pub fn u64(&self, index: u64) -> u64 {
        let block = self.block(index / 2);
        let pair = if index.is_multiple_of(2) { [block[0], block[1]] } else { [block[2], block[3]] };
        u64::from(pair[1]) << 32 | u64::from(pair[0])
    }

    /// Uniform in [0, 1), a multiple of 2⁻²⁴.
    pub fn uniform_f32(&self, index: u64) -> f32 {
        unit_f32(self.u32(index))
    }

    /// Uniform in [0, 1), a multiple of 2⁻⁵³.
    pub fn uniform_f64(&self, index: u64) -> f64 {
        unit_f64(self.u64(index))
    }

    /// Uniform in 0..`bound`, by multiply-shift: the bias is below `bound` · 2⁻⁶⁴.
    pub fn below(&self, index: u64, bound: u64) -> u64 {
        ((u128::from(self.u64(index)) * u128::from(bound)) >> 64) as u64
    }

    /// Standard normal; indices 2n and 2n + 1 are the cosine and sine halves of one Box–Muller pair.
    pub fn normal_f64(&self, index: u64) -> f64 {
        let pair = self.normal_pair_f64(index / 2);
        pair[(index % 2) as usize]
    }

    /// The standard normals of indices 2·`pair` and 2·`pair` + 1, for half the price of asking for each.
    pub fn normal_pair_f64(&self, pair: u64) -> [f64; 2] {
        let [a, b, c, d] = self.block(pair);
        // 1 − u lies in (0, 1], so the logarithm is finite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit_f64(u64::from(b) << 32 | u64::from(a))));
        let (sin, cos) = libm::sincos(std::f64::consts::TAU * unit_f64(u64::from(d) << 32 | u64::from(c)));
        [radius * cos, radius * sin]
    }

    /// A permutation of 0..`count` (Fisher–Yates from the end).
    pub fn permutation(&self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last as u64, last as u64 + 1) as usize);
        }
        order
    }
}

/// The upper 24 bits as a fraction.
#[inline(always)]
pub(crate) fn unit_f32(bits: u32) -> f32 {
    (bits >> 8) as f32 / (1 << 24) as f32
}

fn unit_f64(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_known_answers_of_random123() {
        // kat_vectors of Random123 1.14, "philox4x32 10".
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn no_two_purposes_share_a_stream() {
        let streams = [
            Stream::INIT,
            Stream::SHUFFLE,
            Stream::STEP,
            Stream::SPLIT,
            Stream::PROBE,
            Stream::EVALUATE,
            Stream::SEEDED,
            Stream::AUGMENT,
            Stream::AUGMENT_HELD_OUT,
            Stream::workload(0),
            Stream::workload(1),
        ];
        for (index, stream) in streams.iter().enumerate() {
            assert!(!streams[..index].contains(stream), "{stream:?}");
        }
    }

    #[test]
    fn normals_have_the_moments_of_a_normal() {
        let rng = CounterRng::new(7, Stream::workload(0), 0);
        let count = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for index in 0..count {
            let value = rng.normal_f64(index);
            sum += value;
            squares += value * value;
        }
        let mean = sum / count as f64;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((squares / count as f64 - 1.0).abs() < 0.02, "{squares}");
    }

    #[test]
    fn a_permutation_holds_every_index_once_and_depends_on_seed_and_step() {
        let of = |seed, step| CounterRng::new(seed, Stream::SHUFFLE, step).permutation(100);
        let mut sorted = of(1, 0);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(of(1, 0), of(1, 0));
        assert_ne!(of(1, 0), of(1, 1));
        assert_ne!(of(1, 0), of(2, 0));
    }
}
