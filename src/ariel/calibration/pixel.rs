//! What calibration does to one pixel.

use crate::ariel::dataset::{LINEARITY_COEFFICIENTS, ReadoutConversion};

/// The numbers that correct one good pixel; `None` for a step that is not taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PixelCorrection {
    pub readout: ReadoutConversion,
    pub linearity: Option<[f64; LINEARITY_COEFFICIENTS]>,
    /// Electrons per second.
    pub dark: Option<f64>,
    pub flat: Option<f64>,
}

impl PixelCorrection {
    /// Whether the calibration frames have a value for this pixel: numpy's masked division, which the official
    /// notebook uses, masks a pixel with a flat of zero just as a dead one.
    pub fn is_usable(&self) -> bool {
        let finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
        let linearity = self.linearity.is_none_or(|coefficients| coefficients.iter().all(|value| value.is_finite()));
        linearity && finite(self.dark) && finite(self.flat) && self.flat != Some(0.0)
    }

    /// Steps 1, 3 and 4: counts of a read to electrons of light.
    fn electrons(&self, counts: f64, seconds: f64) -> f64 {
        let mut electrons = counts / self.readout.gain + self.readout.offset;
        if let Some(coefficients) = &self.linearity {
            electrons = coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * electrons + coefficient);
        }
        match self.dark {
            Some(dark) => electrons - dark * seconds,
            None => electrons,
        }
    }
}

/// One pixel's bins, filled read after read; a masked pixel only passes its reads by.
#[derive(Debug)]
pub(super) struct PixelSeries<'a> {
    correction: Option<&'a PixelCorrection>,
    pairs_per_bin: usize,
    first_of_pair: f64,
    bins: Vec<f64>,
}

impl<'a> PixelSeries<'a> {
    pub fn new(correction: Option<&'a PixelCorrection>, pairs_per_bin: usize, bins: usize) -> Self {
        let start = if correction.is_some() { 0.0 } else { f64::NAN };
        Self { correction, pairs_per_bin, first_of_pair: 0.0, bins: vec![start; bins] }
    }

    /// Steps 1 and 3 to 6 for consecutive reads, the first of which is number `first_read` of the visit.
    pub fn add_reads(&mut self, first_read: usize, counts: &[f64], seconds: &[f64]) {
        let Some(correction) = self.correction else { return };
        // What follows the last complete bin is dropped.
        let end = (self.bins.len() * self.pairs_per_bin * 2).min(first_read + counts.len());
        for (read, &counts) in (first_read..end).zip(counts) {
            let electrons = correction.electrons(counts, seconds[read]);
            if read.is_multiple_of(2) {
                self.first_of_pair = electrons;
            } else {
                self.bins[read / 2 / self.pairs_per_bin] += electrons - self.first_of_pair;
            }
        }
    }

    /// Step 7: the flat field.
    pub fn finish(&self) -> Vec<f64> {
        match self.correction.and_then(|correction| correction.flat) {
            Some(flat) => self.bins.iter().map(|value| value / flat).collect(),
            None => self.bins.clone(),
        }
    }
}
