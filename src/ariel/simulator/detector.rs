//! Detectors: calibration frames as they might be measured, and light turned into counts through exactly those frames.

use std::collections::BTreeMap;

use super::config::{DetectorConfig, NoiseConfig, SimConfig};
use super::draws::{Draws, Purpose, numbers};
use crate::ariel::dataset::{CalibrationFrames, LINEARITY_COEFFICIENTS};
use crate::ariel::instrument::{Instrument, ROWS};
use crate::engine::rng::CounterRng;

/// Integration time of the first read of a pair, seconds.
pub(super) const FIRST_READ_SECONDS: f64 = 0.1;

/// How an instrument is read in pairs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Readout {
    pub instrument: Instrument,
    pub pairs: usize,
    /// From one pair to the next.
    pub cadence_seconds: f64,
}

impl Readout {
    pub fn new(config: &SimConfig, instrument: Instrument) -> Self {
        let frames = match instrument {
            Instrument::AirsCh0 => config.airs_frames,
            Instrument::Fgs1 => config.fgs1_frames,
        };
        let pairs = frames / 2;
        Self { instrument, pairs, cadence_seconds: config.visit_hours * 3600.0 / pairs as f64 }
    }

    /// Integration time between the two reads of a pair, seconds.
    pub fn exposure_seconds(&self) -> f64 {
        match self.instrument {
            Instrument::AirsCh0 => 4.5,
            Instrument::Fgs1 => 0.1,
        }
    }

    /// Steps of 0.4 s that one pair spans in the real data, where nothing lies between pairs.
    pub fn jitter_steps(&self) -> usize {
        match self.instrument {
            Instrument::AirsCh0 => 12,
            Instrument::Fgs1 => 1,
        }
    }

    /// Hours at which a read is stamped, as in the competition's axis: 0.1 and 0.2 s into each pair.
    pub fn read_hours(&self, read: usize) -> f64 {
        let stamp = if read.is_multiple_of(2) { 0.1 } else { 0.2 };
        ((read / 2) as f64 * self.cadence_seconds + stamp) / 3600.0
    }

    /// Time stamps of all reads.
    pub fn hours(&self) -> Vec<f64> {
        (0..2 * self.pairs).map(|read| self.read_hours(read)).collect()
    }
}

/// Draws the calibration frames of an instrument for a visit.
pub(super) fn draw_frames(
    config: &SimConfig,
    test: bool,
    instrument: Instrument,
    step: u32,
    visit: u32,
) -> CalibrationFrames {
    let DetectorConfig {
        dark_median_per_second,
        dark_sd_per_second,
        hot_share,
        hot_max_per_second,
        dead_share,
        linearity_sd,
        ..
    } = config.detector;
    let hot_share = if test { (hot_share * config.test_shift.hot_share).min(0.5) } else { hot_share };
    let (purpose, flat_mean, flat_sd, bend) = match instrument {
        Instrument::AirsCh0 => {
            (Purpose::AirsFrames, config.detector.airs_flat_mean, config.detector.airs_flat_sd, AIRS_BEND)
        }
        Instrument::Fgs1 => {
            (Purpose::Fgs1Frames, config.detector.fgs1_flat_mean, config.detector.fgs1_flat_sd, FGS1_BEND)
        }
    };
    let mut draws = Draws::new(config.seed, purpose, step, visit);
    let pixels = instrument.pixels();
    let empty = || Vec::with_capacity(pixels);
    let mut frames =
        CalibrationFrames { dark: empty(), dead: Vec::new(), flat: empty(), read: empty(), linear_corr: empty() };
    let mut cubic = empty();
    // Far enough from ordinary pixels for a five-sigma clip to find it.
    let hot_min = (dark_median_per_second + 40.0 * dark_sd_per_second).max(1e-3).min(hot_max_per_second.max(1e-3));
    let hot_log_range = libm::log(hot_max_per_second.max(hot_min) / hot_min);
    for _ in 0..pixels {
        let (is_dead, is_hot) = (draws.unit() < dead_share, draws.unit() < hot_share);
        let ordinary_dark = (dark_median_per_second + dark_sd_per_second * draws.normal()).max(0.0);
        let hot_dark = hot_min * libm::exp(hot_log_range * draws.unit());
        let flat = (flat_mean + flat_sd * draws.normal()).max(0.05 * flat_mean);
        let dead_flat = 0.01 * draws.normal().abs();
        let read = (config.noise.read_electrons * (1.0 + 0.05 * draws.normal())).max(0.0);
        frames.dead.push(is_dead);
        frames.dark.push(if is_hot { hot_dark } else { ordinary_dark });
        frames.flat.push(if is_dead { dead_flat } else { flat });
        frames.read.push(if is_dead { 3.0 * read } else { read });
        cubic.push(bend[3] * (1.0 + linearity_sd * draws.normal()));
    }
    for (power, &coefficient) in bend.iter().enumerate() {
        if power == 3 {
            frames.linear_corr.extend_from_slice(&cubic);
        } else {
            frames.linear_corr.extend(std::iter::repeat_n(coefficient, pixels));
        }
    }
    frames
}

/// Medians over the pixels of a real planet: +1 % at 30 000 electrons.
const AIRS_BEND: [f64; LINEARITY_COEFFICIENTS] = [0.0, 0.9999, -5.7e-9, 1.18e-11, -6.03e-17, 1.34e-22];
const FGS1_BEND: [f64; LINEARITY_COEFFICIENTS] = [0.0, 0.9999, 5.7e-9, 8.45e-12, -3.62e-17, 6.6e-23];

/// The light on a detector during a visit.
pub(super) struct Light<'a> {
    /// Electrons per second in each pair, for each column (AIRS-CH0) or for the whole detector (FGS1).
    pub star: &'a [Vec<f64>],
    /// Share of a column's light (AIRS-CH0) or of all light (FGS1) that falls on each pixel.
    pub spread: &'a [f64],
    /// Electrons per second and pixel.
    pub background_per_second: f64,
}

/// An instrument during a visit: turns light into counts.
pub(super) struct Detector<'a> {
    readout: Readout,
    frames: &'a CalibrationFrames,
    noise: &'a NoiseConfig,
    gain: f64,
    offset: f64,
    noise_numbers: CounterRng,
    /// (pair, electrons) by pixel.
    cosmics: BTreeMap<usize, Vec<(usize, f64)>>,
}

impl<'a> Detector<'a> {
    pub fn new(config: &'a SimConfig, readout: Readout, frames: &'a CalibrationFrames, step: u32, visit: u32) -> Self {
        let (reads, cosmics) = match readout.instrument {
            Instrument::AirsCh0 => (Purpose::AirsReads, Purpose::AirsCosmics),
            Instrument::Fgs1 => (Purpose::Fgs1Reads, Purpose::Fgs1Cosmics),
        };
        Self {
            readout,
            frames,
            noise: &config.noise,
            gain: config.detector.adc_gain,
            offset: config.detector.adc_offset,
            noise_numbers: numbers(config.seed, reads, step, visit),
            cosmics: draw_cosmics(
                &mut Draws::new(config.seed, cosmics, step, visit),
                config.noise.cosmics_per_hour,
                readout,
            ),
        }
    }

    /// Appends the counts of one pixel in every read.
    pub fn read_pixel(&self, light: &Light<'_>, pixel: usize, counts: &mut Vec<u16>) {
        let columns = self.readout.instrument.columns();
        let star = match self.readout.instrument {
            Instrument::AirsCh0 => &light.star[pixel % columns],
            Instrument::Fgs1 => &light.star[0],
        };
        let (flat, dark) = (self.frames.flat[pixel], self.frames.dark[pixel]);
        let coefficients = self.frames.linearity_of(pixel);
        let read_noise = if self.noise.read_electrons > 0.0 { self.frames.read[pixel] } else { 0.0 };
        let mut cosmics = self.cosmics.get(&pixel).map_or(&[][..], Vec::as_slice).iter().peekable();
        let first_number = (pixel * 2 * self.readout.pairs) as u64;
        for (pair, star) in star.iter().enumerate() {
            let rate = (star * light.spread[pixel] + light.background_per_second) * flat + dark;
            // The second read holds what the first one saw, and more.
            let mut charge = 0.0;
            for (read, seconds) in [FIRST_READ_SECONDS, self.readout.exposure_seconds()].into_iter().enumerate() {
                let number = first_number + (2 * pair + read) as u64;
                let [photon_normal, read_normal] = self.noise_numbers.normal_pair_f64(number);
                let mean = rate * seconds;
                charge += if self.noise.photon { poisson(mean, photon_normal) } else { mean };
                if read == 1
                    && let Some((_, electrons)) = cosmics.next_if(|(hit, _)| *hit == pair)
                {
                    charge += electrons;
                }
                let measured = bend(&coefficients, charge) + read_noise * read_normal;
                let adu = (measured - self.offset) * self.gain;
                // `as` saturates, as a converter does.
                counts.push(adu.round() as u16);
            }
        }
    }
}

/// Share of the light per pixel: of a column's light on AIRS-CH0, of all light on FGS1.
pub(super) fn point_spread(instrument: Instrument) -> Vec<f64> {
    let columns = instrument.columns();
    let profile = |centre: f64, width: f64, wing: f64| -> Vec<f64> {
        let shape: Vec<f64> = (0..ROWS)
            .map(|row| {
                let distance = row as f64 - centre;
                let core = libm::exp(-0.5 * distance * distance / (width * width));
                let spread = 1.0 + distance * distance / 9.0;
                (1.0 - wing) * core + wing / (spread * spread.sqrt())
            })
            .collect();
        let sum: f64 = shape.iter().sum();
        shape.into_iter().map(|value| value / sum).collect()
    };
    match instrument {
        Instrument::AirsCh0 => {
            // The trace of a real planet is wider at long wavelengths, which lie at low columns.
            let width = |column: usize| 1.5 - 0.5 * column as f64 / columns as f64;
            let rows: Vec<_> = (0..columns).map(|column| profile(15.6, width(column), 0.15)).collect();
            (0..instrument.pixels()).map(|pixel| rows[pixel % columns][pixel / columns]).collect()
        }
        Instrument::Fgs1 => {
            let (rows, across) = (profile(15.3, 1.15, 0.06), profile(15.7, 1.15, 0.06));
            (0..instrument.pixels()).map(|pixel| rows[pixel / columns] * across[pixel % columns]).collect()
        }
    }
}

fn draw_cosmics(draws: &mut Draws, per_hour: f64, readout: Readout) -> BTreeMap<usize, Vec<(usize, f64)>> {
    /// Mean charge of a hit.
    const MEAN_ELECTRONS: f64 = 4000.0;
    let hours = readout.pairs as f64 * (FIRST_READ_SECONDS + readout.exposure_seconds()) / 3600.0;
    let count = (per_hour * hours + draws.unit()).floor() as u64;
    let mut hits: BTreeMap<usize, Vec<(usize, f64)>> = BTreeMap::new();
    for _ in 0..count {
        let pixel = draws.below(readout.instrument.pixels() as u64) as usize;
        let pair = draws.below(readout.pairs as u64) as usize;
        let electrons = -MEAN_ELECTRONS * libm::log1p(-draws.unit());
        hits.entry(pixel).or_default().push((pair, electrons));
    }
    for pixel_hits in hits.values_mut() {
        pixel_hits.sort_by_key(|(pair, _)| *pair);
        // One hit of a pixel and pair is enough; the reader takes them in turn.
        pixel_hits.dedup_by_key(|(pair, _)| *pair);
    }
    hits
}

/// A Poisson number from a standard normal one: by inversion for small means, and by the normal approximation with its
/// skewness term (Cornish–Fisher) for large ones, where it is off by far less than read noise.
fn poisson(mean: f64, normal: f64) -> f64 {
    if mean <= 0.0 {
        return 0.0;
    }
    if mean > 24.0 {
        return (mean + mean.sqrt() * normal + (normal * normal - 1.0) / 6.0).round().max(0.0);
    }
    let quantile = 0.5 * libm::erfc(-normal * std::f64::consts::FRAC_1_SQRT_2);
    let mut probability = libm::exp(-mean);
    let (mut cumulative, mut count) = (probability, 0.0);
    // Past 150 the sum no longer grows, however large the quantile.
    while cumulative < quantile && count < 150.0 {
        count += 1.0;
        probability *= mean / count;
        cumulative += probability;
    }
    count
}

/// What the detector measures for a charge: the inverse of its linearity polynomial, by Newton's method.
fn bend(coefficients: &[f64; LINEARITY_COEFFICIENTS], charge: f64) -> f64 {
    let mut measured = charge;
    for _ in 0..20 {
        let (mut value, mut slope) = (0.0, 0.0);
        for coefficient in coefficients.iter().rev() {
            slope = slope * measured + value;
            value = value * measured + coefficient;
        }
        let correction = (value - charge) / slope;
        measured -= correction;
        // Newton's error after a step is its square times 2e-6 per electron here, so this is the last one needed.
        if correction.abs() <= 1e-3 {
            break;
        }
    }
    measured
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rng::Stream;

    #[test]
    fn bending_inverts_the_linearity_polynomial() {
        for bend_of in [AIRS_BEND, FGS1_BEND] {
            for charge in [0.0, 3.0, 900.0, 30e3, 60e3, 120e3] {
                let measured = bend(&bend_of, charge);
                let straight = bend_of.iter().rev().fold(0.0, |sum, coefficient| sum * measured + coefficient);
                assert!((straight - charge).abs() <= 1e-9 * (1.0 + charge), "{charge}: {straight}");
            }
        }
        assert!(bend(&AIRS_BEND, 60e3) < 59e3);
    }

    #[test]
    fn poisson_numbers_have_poisson_moments_on_both_sides_of_the_switch() {
        let rng = CounterRng::new(3, Stream::workload(0), 0);
        for mean in [0.3, 2.5, 20.0, 30.0, 5000.0] {
            let count = 40_000;
            let values: Vec<f64> = (0..count).map(|index| poisson(mean, rng.normal_f64(index))).collect();
            let average = values.iter().sum::<f64>() / count as f64;
            let variance = values.iter().map(|value| (value - average) * (value - average)).sum::<f64>() / count as f64;
            assert!((average / mean - 1.0).abs() < 5.0 / (mean * count as f64).sqrt(), "{mean}: {average}");
            assert!((variance / mean - 1.0).abs() < 0.06, "{mean}: {variance}");
            assert!(values.iter().all(|value| *value >= 0.0 && value.fract() == 0.0), "{mean}");
        }
    }

    #[test]
    fn the_point_spread_conserves_light_and_lies_where_the_star_is() {
        let airs = point_spread(Instrument::AirsCh0);
        let column: f64 = (0..ROWS).map(|row| airs[row * 356 + 100]).sum();
        assert!((column - 1.0).abs() < 1e-12, "{column}");
        let trace: f64 = (14..=17).map(|row| airs[row * 356 + 100]).sum();
        assert!(trace > 0.6, "{trace}");
        let fgs1 = point_spread(Instrument::Fgs1);
        let star: f64 = (10..=22).flat_map(|row| (10..=22).map(move |column| row * 32 + column)).map(|p| fgs1[p]).sum();
        assert!((fgs1.iter().sum::<f64>() - 1.0).abs() < 1e-12 && star > 0.8, "{star}");
    }
}
