//! The settings of a simulation: the `sim` config group. Every key is explained in `configs/sim/full.yaml`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::binned;
use super::detector::{FIRST_READ_SECONDS, Readout};
use crate::ariel::config::DataLevel;
use crate::ariel::dataset::{DataError, DataSet, MAX_TABLE_ROWS};
use crate::ariel::extraction::FEWEST_BINS;
use crate::ariel::instrument::{Instrument, WAVELENGTHS};
use crate::engine::settings::{UnsupportedSetting, within};

/// The `sim` config group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimConfig {
    /// Name of the option; a `data` option names the one that writes it.
    pub name: String,
    /// Folder of the data set.
    pub out: PathBuf,
    /// Frames as the detectors read them, or light curves as a calibration gives them.
    pub level: DataLevel,
    /// Training planets.
    #[schemars(range(min = 1, max = 100_000))]
    pub planets: usize,
    /// Test planets, none of which is a training planet.
    #[schemars(range(max = 100_000))]
    pub test_planets: usize,
    /// How many of the training planets, and at most as many of the test planets, are visited twice.
    #[schemars(range(max = 100_000))]
    pub second_visits: usize,
    /// Everything random follows from it.
    pub seed: u64,
    /// AIRS-CH0 reads per visit, two per pair.
    #[schemars(range(min = 2, max = 32_768))]
    pub airs_frames: usize,
    /// FGS1 reads per visit, two per pair.
    #[schemars(range(min = 2, max = 262_144))]
    pub fgs1_frames: usize,
    /// Length of a visit in hours; the pairs of reads are spread evenly over it.
    #[schemars(range(min = 0, max = 240))]
    pub visit_hours: f64,
    /// Spectra of the planets.
    pub spectrum: SpectrumConfig,
    /// Transits.
    pub transit: TransitConfig,
    /// Light of star and sky.
    pub light: LightConfig,
    /// What blurs the measurement.
    pub noise: NoiseConfig,
    /// The detectors.
    pub detector: DetectorConfig,
    /// How the test planets are seen otherwise than the training planets.
    pub test_shift: TestShiftConfig,
}

/// How the detectors of the test planets differ: in the competition, too, what is tuned on the training planets alone meets
/// other backgrounds and more hot pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestShiftConfig {
    /// What the background is multiplied by.
    pub background: f64,
    /// What the share of hot pixels is multiplied by.
    pub hot_share: f64,
}

/// How deep transits are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpectrumConfig {
    /// Mean over planets of the depth (Rp/Rs)², which is log-normally distributed.
    pub depth_mean: f64,
    /// Standard deviation over planets of the depth.
    pub depth_sd: f64,
    /// Smallest depth.
    pub depth_min: f64,
    /// Largest depth.
    pub depth_max: f64,
    /// Largest scale height of an atmosphere, radii of the planet.
    pub scale_height_max: f64,
}

/// When and how a planet passes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransitConfig {
    /// Earliest mid-transit, hours from the first read.
    pub mid_hours_min: f64,
    /// Latest mid-transit.
    pub mid_hours_max: f64,
    /// Largest linear limb-darkening coefficient at 0.7 µm; it falls with the wavelength.
    pub limb_u1_max: f64,
    /// Largest quadratic limb-darkening coefficient at 0.7 µm.
    pub limb_u2_max: f64,
}

/// Light of star and sky.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LightConfig {
    /// Standard deviation over planets of the logarithm of the star's brightness.
    pub brightness_log_sd: f64,
    /// Background on AIRS-CH0, electrons per second and pixel.
    pub airs_background_per_second: f64,
    /// Background on FGS1, electrons per second and pixel.
    pub fgs1_background_per_second: f64,
    /// Smallest peak-to-peak drift of the flux over a visit, relative.
    pub drift_min: f64,
    /// Largest peak-to-peak drift.
    pub drift_max: f64,
}

/// What blurs the measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoiseConfig {
    /// Whether photons come one by one (Poisson).
    pub photon: bool,
    /// Median read noise of a pixel, electrons.
    pub read_electrons: f64,
    /// Jitter that all pixels of both instruments share: standard deviation of its mean over 24 s, parts per million.
    pub jitter_ppm_in_24_seconds: f64,
    /// Cosmic rays per detector and hour.
    #[schemars(range(min = 0, max = 10_000))]
    pub cosmics_per_hour: f64,
}

/// What the calibration frames are drawn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetectorConfig {
    /// Counts per electron of both converters.
    pub adc_gain: f64,
    /// Electrons at zero counts of both converters.
    pub adc_offset: f64,
    /// Median dark current, electrons per second.
    pub dark_median_per_second: f64,
    /// Standard deviation of the dark current of ordinary pixels.
    pub dark_sd_per_second: f64,
    /// Share of hot pixels.
    pub hot_share: f64,
    /// Largest dark current of a hot pixel, electrons per second.
    pub hot_max_per_second: f64,
    /// Share of dead pixels.
    pub dead_share: f64,
    /// Mean of the AIRS-CH0 flat field.
    pub airs_flat_mean: f64,
    /// Standard deviation of the AIRS-CH0 flat field.
    pub airs_flat_sd: f64,
    /// Mean of the FGS1 flat field.
    pub fgs1_flat_mean: f64,
    /// Standard deviation of the FGS1 flat field.
    pub fgs1_flat_sd: f64,
    /// Relative standard deviation over pixels of the leading non-linear coefficient.
    pub linearity_sd: f64,
}

impl SimConfig {
    /// Refuses settings that no simulation can follow, or that would fill a disk.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        let refuse = |key: &'static str, expected: &'static str, got: String| {
            Err(UnsupportedSetting::Invalid { key, expected, got })
        };
        within("sim.planets", 1..=MAX_PLANETS, self.planets)?;
        within("sim.test_planets", 0..=MAX_PLANETS, self.test_planets)?;
        within("sim.second_visits", 0..=MAX_PLANETS, self.second_visits)?;
        within("sim.airs_frames", 2..=Instrument::AirsCh0.most_reads(), self.airs_frames)?;
        within("sim.fgs1_frames", 2..=Instrument::Fgs1.most_reads(), self.fgs1_frames)?;
        for (key, frames) in [("sim.airs_frames", self.airs_frames), ("sim.fgs1_frames", self.fgs1_frames)] {
            if !frames.is_multiple_of(2) {
                return refuse(key, "an even number of reads", frames.to_string());
            }
        }
        // With the bounds above no product overflows.
        if self.bytes() > MAX_BYTES {
            let got = format!("{} bytes", self.bytes());
            return refuse("sim.planets and sim.*_frames", "a data set of at most 2 TiB", got);
        }
        let SpectrumConfig { depth_mean, depth_sd, depth_min, depth_max, scale_height_max } = self.spectrum;
        let TransitConfig { mid_hours_min, mid_hours_max, limb_u1_max, limb_u2_max } = self.transit;
        let light = &self.light;
        let DetectorConfig { adc_gain, adc_offset, dark_median_per_second, dark_sd_per_second, .. } = self.detector;
        let detector = &self.detector;
        let any = -MAX_NUMBER;
        let above_zero = 1e-12;
        let largest = MAX_NUMBER;
        // (key, value, smallest, largest)
        let ranges = [
            ("sim.visit_hours", self.visit_hours, above_zero, MAX_VISIT_HOURS),
            ("sim.spectrum.depth_mean", depth_mean, above_zero, 1.0),
            ("sim.spectrum.depth_sd", depth_sd, 0.0, largest),
            ("sim.spectrum.depth_min", depth_min, above_zero, depth_max),
            ("sim.spectrum.depth_max", depth_max, depth_min, 0.5),
            ("sim.spectrum.scale_height_max", scale_height_max, 0.0, 0.03),
            ("sim.transit.mid_hours_min", mid_hours_min, any, mid_hours_max),
            ("sim.transit.mid_hours_max", mid_hours_max, mid_hours_min, largest),
            ("sim.transit.limb_u1_max", limb_u1_max, 0.0, 1.0),
            ("sim.transit.limb_u2_max", limb_u2_max, 0.0, 1.0 - limb_u1_max.min(0.5)),
            ("sim.light.brightness_log_sd", light.brightness_log_sd, 0.0, 1.0),
            ("sim.light.airs_background_per_second", light.airs_background_per_second, 0.0, largest),
            ("sim.light.fgs1_background_per_second", light.fgs1_background_per_second, 0.0, largest),
            ("sim.light.drift_min", light.drift_min, 0.0, light.drift_max),
            ("sim.light.drift_max", light.drift_max, light.drift_min, 0.1),
            ("sim.noise.read_electrons", self.noise.read_electrons, 0.0, largest),
            ("sim.noise.jitter_ppm_in_24_seconds", self.noise.jitter_ppm_in_24_seconds, 0.0, 10_000.0),
            ("sim.noise.cosmics_per_hour", self.noise.cosmics_per_hour, 0.0, MAX_COSMICS_PER_HOUR),
            ("sim.detector.adc_gain", adc_gain, above_zero, largest),
            ("sim.detector.adc_offset", adc_offset, any, largest),
            ("sim.detector.dark_median_per_second", dark_median_per_second, 0.0, largest),
            ("sim.detector.dark_sd_per_second", dark_sd_per_second, 0.0, largest),
            ("sim.detector.hot_share", detector.hot_share, 0.0, 0.5),
            ("sim.detector.hot_max_per_second", detector.hot_max_per_second, 0.0, largest),
            ("sim.detector.dead_share", detector.dead_share, 0.0, 0.5),
            ("sim.detector.airs_flat_mean", detector.airs_flat_mean, above_zero, largest),
            ("sim.detector.airs_flat_sd", detector.airs_flat_sd, 0.0, largest),
            ("sim.detector.fgs1_flat_mean", detector.fgs1_flat_mean, above_zero, largest),
            ("sim.detector.fgs1_flat_sd", detector.fgs1_flat_sd, 0.0, largest),
            ("sim.detector.linearity_sd", detector.linearity_sd, 0.0, 0.2),
            ("sim.test_shift.background", self.test_shift.background, 0.0, 100.0),
            ("sim.test_shift.hot_share", self.test_shift.hot_share, 0.0, 100.0),
        ];
        for (key, value, smallest, largest) in ranges {
            within(key, smallest..=largest, value)?;
        }
        if self.level == DataLevel::Binned && binned::bins(self) < FEWEST_BINS {
            let got = format!("{} and {}, {} bins", self.airs_frames, self.fgs1_frames, binned::bins(self));
            return refuse("sim.airs_frames and sim.fgs1_frames", "reads for 12 bins at sim.level=binned", got);
        }
        for instrument in Instrument::ALL {
            let readout = Readout::new(self, instrument);
            let pair_seconds = FIRST_READ_SECONDS + readout.exposure_seconds();
            if readout.cadence_seconds < pair_seconds {
                let key = if instrument == Instrument::Fgs1 { "sim.fgs1_frames" } else { "sim.airs_frames" };
                return refuse(key, "as many pairs of reads as visit_hours has room for", readout.pairs.to_string());
            }
        }
        Ok(())
    }

    /// Bytes that the numbers of the data set take at most: two for each count. What is written is about half of it, in packed
    /// differences, and calibration frames and tables add little.
    pub fn bytes(&self) -> u64 {
        let visits = |planets: usize| planets as u64 + self.second_visits.min(planets) as u64;
        let counts = |frames: usize, instrument: Instrument| frames as u64 * instrument.pixels() as u64;
        if self.level == DataLevel::Binned {
            let visit = (binned::bins(self) * WAVELENGTHS * size_of::<f64>()) as u64;
            return (visits(self.planets) + visits(self.test_planets)).saturating_mul(visit);
        }
        let visit = counts(self.airs_frames, Instrument::AirsCh0) + counts(self.fgs1_frames, Instrument::Fgs1);
        (visits(self.planets) + visits(self.test_planets)).saturating_mul(2 * visit)
    }

    /// The text of `simulation.json` for these settings: everything but where the data set lies.
    pub fn record(&self) -> String {
        let mut settings = serde_json::to_value(self).expect("plain data");
        let object = settings.as_object_mut().expect("a struct");
        object.shift_remove("out");
        let record = serde_json::json!({ "simulatorVersion": SIMULATOR_VERSION, "settings": settings });
        let mut text = serde_json::to_string_pretty(&record).expect("plain data");
        text.push('\n');
        text
    }

    /// Whether a data set is complete and made by this simulator with these settings.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn made(&self, data: &DataSet) -> Result<bool, DataError> {
        Ok(data.simulation()?.is_some_and(|settings| settings.bytes == self.record()))
    }
}

/// Planets of a split: a table has no more rows.
const MAX_PLANETS: usize = MAX_TABLE_ROWS as usize;
/// Bytes of a data set: nearly twice that of the competition's size, 1.2 TB.
const MAX_BYTES: u64 = 1 << 41;
/// Jitter is drawn in steps of 0.4 s.
const MAX_VISIT_HOURS: f64 = 240.0;
/// Each hit is remembered while its visit is simulated.
const MAX_COSMICS_PER_HOUR: f64 = 1e4;
/// Electrons, seconds and hours that mean something.
const MAX_NUMBER: f64 = 1e9;

/// Raised when equal settings give other bytes.
const SIMULATOR_VERSION: u32 = 2;
