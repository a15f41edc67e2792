//! Random numbers of a simulation, apart for every purpose.

use crate::engine::rng::{CounterRng, Stream};

/// What random numbers are drawn for. The simulator owns workload streams 0x1000…0x10ff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Id, star and orbit.
    Planet = 0,
    /// The planet's spectrum.
    Spectrum = 1,
    /// Mid-transit, drift, background of a visit.
    Visit = 2,
    /// Jitter of a visit, shared by both instruments.
    Jitter = 3,
    /// Calibration frames of an instrument in a visit.
    AirsFrames = 4,
    /// The same for FGS1.
    Fgs1Frames = 5,
    /// Noise of every read.
    AirsReads = 6,
    /// The same for FGS1.
    Fgs1Reads = 7,
    /// Cosmic rays.
    AirsCosmics = 8,
    /// The same for FGS1.
    Fgs1Cosmics = 9,
    /// Noise of every bin of a light curve.
    Bins = 10,
}

/// Visits of one planet that have streams of their own.
pub(super) const MAX_VISITS: u32 = 16;

/// The planet whose numbers are drawn: test planets do not depend on how many training planets there are.
pub(super) fn planet_step(test: bool, index: usize) -> u32 {
    let index = u32::try_from(index).expect("the number of planets is checked");
    if test { 1 << 31 | index } else { index }
}

/// The numbers for one purpose, planet and visit.
pub(super) fn numbers(seed: u64, purpose: Purpose, step: u32, visit: u32) -> CounterRng {
    assert!(visit < MAX_VISITS, "visits have streams of their own");
    CounterRng::new(seed, Stream::workload(0x1000 + purpose as u32 * MAX_VISITS + visit), step)
}

/// One number after the other. Each draw takes a block of its own, whatever its kind, so that no two share bits.
pub(super) struct Draws {
    rng: CounterRng,
    block: u64,
}

impl Draws {
    /// Draws for one purpose, planet and visit.
    pub fn new(seed: u64, purpose: Purpose, step: u32, visit: u32) -> Self {
        Self { rng: numbers(seed, purpose, step, visit), block: 0 }
    }

    fn next_block(&mut self) -> u64 {
        self.block += 1;
        self.block - 1
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        let block = self.next_block();
        self.rng.uniform_f64(2 * block)
    }

    /// Uniform between two bounds.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in 0..`bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let block = self.next_block();
        self.rng.below(2 * block, bound)
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        let block = self.next_block();
        self.rng.normal_pair_f64(block)[0]
    }
}
