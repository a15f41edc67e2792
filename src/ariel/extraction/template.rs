//! The transit of an orbit as the bins of a light curve see it.

use crate::ariel::transit::{Covered, Orbit};

/// When the bins of a light curve are, hours from the first read.
#[derive(Debug, Clone, PartialEq)]
pub struct BinTimes {
    /// Of AIRS-CH0.
    pub airs: InstrumentTimes,
    /// Of FGS1.
    pub fgs1: InstrumentTimes,
}

/// When the bins of one instrument are.
#[derive(Debug, Clone, PartialEq)]
pub struct InstrumentTimes {
    /// Middle of each bin, hours.
    pub middles: Vec<f64>,
    /// Length of time that each bin averages over, hours.
    pub widths: Vec<f64>,
}

impl InstrumentTimes {
    /// The bins of reads at `hours`, `per_bin` in each: the mean of their times, and the length of an interval with as much
    /// variance.
    pub fn of_reads(hours: &[f64], per_bin: usize) -> Self {
        let bins = hours.chunks_exact(per_bin);
        let middle = |bin: &[f64]| bin.iter().sum::<f64>() / bin.len() as f64;
        let width = |bin: &[f64]| {
            let middle = middle(bin);
            let variance = bin.iter().map(|hour| (hour - middle) * (hour - middle)).sum::<f64>() / bin.len() as f64;
            (12.0 * variance).sqrt()
        };
        Self { middles: bins.clone().map(middle).collect(), widths: bins.map(width).collect() }
    }

    /// −1…1 over all bins.
    fn phase(&self, bin: usize) -> f64 {
        let (first, last) = (self.middles[0], self.middles[self.middles.len() - 1]);
        2.0 * (self.middles[bin] - first) / (last - first) - 1.0
    }

    /// Legendre polynomials of the first three orders over all bins.
    pub(super) fn drift(&self) -> Vec<[f64; 3]> {
        let of = |x: f64| [x, 1.5 * x * x - 0.5, (2.5 * x * x - 1.5) * x];
        (0..self.middles.len()).map(|bin| of(self.phase(bin))).collect()
    }

    /// The light that a planet of radius `k` covers in each bin, `mid_hours` after the first read.
    pub(super) fn covered(&self, orbit: &Orbit, mid_hours: f64, k: f64) -> Vec<Covered> {
        let half = orbit.transit_hours(k) / 2.0;
        let bins = self.middles.iter().zip(&self.widths);
        bins.map(|(&middle, &width)| {
            let mut sum = Covered::default();
            if (middle - mid_hours).abs() > half + width {
                return sum;
            }
            for (node, weight) in EXPOSURE {
                let covered = Covered::at(orbit.separation(middle + 0.5 * width * node - mid_hours), k);
                sum.powers.iter_mut().zip(covered.powers).for_each(|(sum, power)| *sum += 0.5 * weight * power);
            }
            sum
        })
        .collect()
    }
}

/// A Gauss-Legendre rule of three nodes: what a bin averages over.
const EXPOSURE: [(f64, f64); 3] =
    [(-0.774_596_669_241_483_4, 5.0 / 9.0), (0.0, 8.0 / 9.0), (0.774_596_669_241_483_4, 5.0 / 9.0)];
