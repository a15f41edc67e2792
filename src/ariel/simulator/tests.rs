use std::collections::BTreeMap;

use super::*;
use crate::ariel::calibration::{
    BrokenVisit, CalibConfig, CalibOutput, CalibSteps, Calibrator, LightCurves, light_curves_path,
};
use crate::ariel::dataset::DataSet;
use crate::digest::DomainHasher;
use crate::failure::{Advice, FailureKind};

/// A few reads of one planet, without anything random in the light.
pub(crate) fn quiet(out: &Path) -> SimConfig {
    SimConfig {
        name: "test".into(),
        out: out.to_owned(),
        level: DataLevel::Raw,
        planets: 1,
        test_planets: 0,
        second_visits: 0,
        seed: 7,
        airs_frames: 40,
        fgs1_frames: 40,
        visit_hours: 7.5,
        spectrum: SpectrumConfig {
            depth_mean: 0.05,
            depth_sd: 0.0,
            depth_min: 5e-4,
            depth_max: 0.08,
            scale_height_max: 0.012,
        },
        transit: TransitConfig { mid_hours_min: 3.75, mid_hours_max: 3.75, limb_u1_max: 0.0, limb_u2_max: 0.0 },
        light: LightConfig {
            brightness_log_sd: 0.0,
            airs_background_per_second: 0.0,
            fgs1_background_per_second: 0.0,
            drift_min: 0.0,
            drift_max: 0.0,
        },
        noise: NoiseConfig { photon: false, read_electrons: 0.0, jitter_ppm_in_24_seconds: 0.0, cosmics_per_hour: 0.0 },
        detector: DetectorConfig {
            // A count per electron, so that rounding hides little; the brightest pixel stays below 65535.
            adc_gain: 1.0,
            adc_offset: -100.0,
            dark_median_per_second: 0.007,
            dark_sd_per_second: 0.0015,
            hot_share: 0.002,
            hot_max_per_second: 12.0,
            dead_share: 0.002,
            airs_flat_mean: 0.974,
            airs_flat_sd: 0.035,
            fgs1_flat_mean: 1.02,
            fgs1_flat_sd: 0.047,
            linearity_sd: 0.05,
        },
        test_shift: TestShiftConfig { background: 1.0, hot_share: 1.0 },
    }
}

fn noisy(out: &Path) -> SimConfig {
    let mut config = quiet(out);
    config.planets = 2;
    config.test_planets = 1;
    config.second_visits = 1;
    (config.airs_frames, config.fgs1_frames) = (4, 6);
    config.noise =
        NoiseConfig { photon: true, read_electrons: 12.9, jitter_ppm_in_24_seconds: 86.0, cosmics_per_hour: 4.0 };
    config
}

/// Every file below a folder, by its path there.
fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("listable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below the root").to_owned();
                files.insert(name, fs::read(&path).expect("readable"));
            }
        }
    }
    files
}

fn run(config: &SimConfig) {
    simulate(config, &mut |_| {}).expect("simulated");
}

#[test]
fn the_injected_depth_of_a_quiet_planet_comes_back_through_calibration() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = quiet(&folder.path().join("sim"));
    run(&config);
    let data = DataSet::open(&config.out).expect("opened");
    let calib = CalibConfig {
        out: folder.path().join("calibrated"),
        output: CalibOutput::LightCurve,
        airs_bin: 1,
        fgs1_bin: 1,
        broken: BrokenVisit::Refuse,
        steps: CalibSteps::OFFICIAL,
    };
    let visit = data.visits(Split::Train).expect("listed")[0];
    let calibrator = Calibrator::new(&data, Split::Train, &calib).expect("tables");
    let curve = calibrator.light_curve(visit).expect("calibrated");
    let targets = data.targets(Split::Train).expect("truths");
    let truth = targets.of(visit.planet).expect("this planet");
    let bins = curve.len() / WAVELENGTHS;
    assert_eq!(bins, 20);
    let mut relative_errors = Vec::new();
    for (wavelength, &depth) in truth.iter().enumerate() {
        let outside = curve[wavelength];
        let inside = (curve[9 * WAVELENGTHS + wavelength] + curve[10 * WAVELENGTHS + wavelength]) / 2.0;
        let error = (1.0 - inside / outside) - depth;
        // Nothing is left but the rounding of counts: a standard deviation of 0.29 electrons per read, 1024 pixels for
        // FGS1 and 32 for an AIRS column, two reads outside and the mean of two pairs inside.
        let pixels = if wavelength == 0 { 1024.0f64 } else { 32.0 };
        let rounding = 0.29 * (pixels * (2.0 + 1.0)).sqrt();
        assert!((error * outside).abs() < 5.0 * rounding, "wl_{}: {error} of {depth}", wavelength + 1);
        relative_errors.push(error / depth);
    }
    let mean = relative_errors.iter().sum::<f64>() / WAVELENGTHS as f64;
    assert!(relative_errors[0].abs() < 3e-3 && mean.abs() < 1e-3, "FGS1 {}, mean {mean}", relative_errors[0]);
}

#[test]
fn without_linearity_the_injected_depth_is_missed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = quiet(&folder.path().join("sim"));
    run(&config);
    let data = DataSet::open(&config.out).expect("opened");
    let visit = data.visits(Split::Train).expect("listed")[0];
    let white = |linearity| {
        let steps = CalibSteps { linearity, ..CalibSteps::OFFICIAL };
        let output = CalibOutput::LightCurve;
        let calib =
            CalibConfig { out: PathBuf::new(), output, airs_bin: 1, fgs1_bin: 1, broken: BrokenVisit::Refuse, steps };
        let curve =
            Calibrator::new(&data, Split::Train, &calib).expect("tables").light_curve(visit).expect("calibrated");
        // The first AIRS wavelengths have the brightest pixels.
        let sum = |bin: usize| curve[bin * WAVELENGTHS + 1..bin * WAVELENGTHS + 60].iter().sum::<f64>();
        let planet = data.targets(Split::Train).expect("truths");
        let truth = planet.of(visit.planet).expect("this planet")[1..60].iter().sum::<f64>() / 59.0;
        ((1.0 - sum(10) / sum(0)) / truth - 1.0).abs()
    };
    let (with, without) = (white(true), white(false));
    assert!(with < 3e-3 && without > 3.0 * with, "with {with}, without {without}");
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let with_threads = |threads: usize| {
        let config = noisy(&folder.path().join(threads.to_string()));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| run(&config));
        contents(&config.out)
    };
    let one = with_threads(1);
    assert!(one.len() > 40, "{:?}", one.keys());
    assert!(one == with_threads(3));
}

#[test]
fn simulated_and_calibrated_numbers_are_the_same_on_every_machine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = noisy(&folder.path().join("sim"));
    config.transit.limb_u1_max = 0.8;
    (config.light.drift_min, config.light.drift_max) = (1e-4, 4e-4);
    config.light.airs_background_per_second = 8.0;
    run(&config);
    let data = DataSet::open(&config.out).expect("opened");
    let steps = CalibSteps::OFFICIAL;
    let (output, out) = (CalibOutput::LightCurve, PathBuf::new());
    let calib = CalibConfig { out, output, airs_bin: 2, fgs1_bin: 3, broken: BrokenVisit::Refuse, steps };
    let calibrator = Calibrator::new(&data, Split::Train, &calib).expect("tables");
    // Of numbers, not of files, whose bytes are the parquet writer's.
    let mut numbers = DomainHasher::new("test");
    let mut add = |values: &[f64]| values.iter().for_each(|value| _ = numbers.u64(value.to_bits()));
    for visit in data.visits(Split::Train).expect("listed") {
        for instrument in Instrument::ALL {
            add(&data.signal(Split::Train, visit, instrument).expect("opened").read_all().expect("read"));
        }
        add(&calibrator.light_curve(visit).expect("calibrated"));
    }
    add(&data.targets(Split::Test).expect("truths").depths);
    assert_eq!(numbers.finish().to_string(), "6ce5569b682db4cd001ef9ceaa119fd768741dadab9d10ec809eb8ff87d01d79");
}

#[test]
fn binned_light_curves_have_the_mean_and_the_noise_of_calibrated_frames() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = noisy(&folder.path().join("raw"));
    (config.planets, config.test_planets, config.second_visits) = (1, 0, 0);
    // Twelve bins of thirty and of 360 pairs.
    (config.airs_frames, config.fgs1_frames) = (720, 8640);
    config.spectrum.depth_mean = 0.02;
    (config.light.airs_background_per_second, config.light.fgs1_background_per_second) = (8.0, 20.0);
    (config.light.drift_min, config.light.drift_max) = (1e-4, 4e-4);
    // What no light curve without frames has.
    (config.noise.jitter_ppm_in_24_seconds, config.noise.cosmics_per_hour) = (0.0, 0.0);
    (config.detector.dead_share, config.detector.hot_share) = (0.0, 0.0);
    run(&config);
    let data = DataSet::open(&config.out).expect("opened");
    let steps = CalibSteps { background: true, aperture: true, ..CalibSteps::OFFICIAL };
    let output = CalibOutput::LightCurve;
    let calib =
        CalibConfig { out: PathBuf::new(), output, airs_bin: 30, fgs1_bin: 360, broken: BrokenVisit::Refuse, steps };
    let calibrator = Calibrator::new(&data, Split::Train, &calib).expect("tables");
    let visit = data.visits(Split::Train).expect("listed")[0];
    let calibrated = calibrator.light_curve(visit).expect("calibrated");

    let binned = SimConfig { level: DataLevel::Binned, out: folder.path().join("binned"), ..config };
    run(&binned);
    let data = DataSet::open(&binned.out).expect("opened");
    let path = light_curves_path(&data.layout().split(Split::Train));
    let curves = LightCurves::read(data.source(), &path).expect("read");
    assert_eq!((curves.bins, curves.visits.as_slice()), (12, &[visit][..]));
    assert_eq!(curves.times, calibrator.times());

    let planet = planet(&binned, false, 0);
    let conditions = Conditions::draw(&binned, false, planet_step(false, 0), 0);
    let sds = Observatory::new(&binned).standard_deviations(&planet, &conditions);
    let z: Vec<f64> = calibrated
        .iter()
        .zip(&curves.values)
        .enumerate()
        .map(|(cell, (raw, binned))| (raw - binned) / (std::f64::consts::SQRT_2 * sds[cell % WAVELENGTHS]))
        .collect();
    let mean = z.iter().sum::<f64>() / z.len() as f64;
    let sd = (z.iter().map(|z| z * z).sum::<f64>() / z.len() as f64).sqrt();
    assert!(mean.abs() < 0.15 && (0.9..1.12).contains(&sd), "mean {mean}, standard deviation {sd}");
    let fgs1: Vec<f64> = z.iter().step_by(WAVELENGTHS).copied().collect();
    assert!(fgs1.iter().all(|z| z.abs() < 4.0), "{fgs1:?}");
}

#[test]
fn test_planets_do_not_depend_on_the_number_of_training_planets() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = noisy(&folder.path().join("a"));
    run(&config);
    let before = contents(&config.out.join("test"));
    config.out = folder.path().join("b");
    config.planets = 1;
    run(&config);
    assert!(!before.is_empty() && before == contents(&config.out.join("test")));
}

#[test]
fn another_seed_gives_other_planets_and_the_record_tells_them_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = noisy(&folder.path().join("a"));
    run(&config);
    let other = SimConfig { seed: 6, out: folder.path().join("b"), ..config.clone() };
    run(&other);
    assert_ne!(contents(&config.out)[Path::new("train.csv")], contents(&other.out)[Path::new("train.csv")]);
    let made = |root: &Path| config.made(&DataSet::open(root).expect("opened")).expect("read");
    assert!(made(&config.out) && !made(&other.out) && !made(folder.path()));
}

#[test]
fn an_output_folder_that_holds_something_is_refused_and_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("thesis.tex"), "years of work").expect("written");
    let error = simulate(&noisy(folder.path()), &mut |_| {}).expect_err("refused");
    assert!(matches!(&error, SimulationError::OutputExists { path } if path == folder.path()), "{error}");
    assert_eq!(contents(folder.path()).len(), 1);
}

#[test]
fn a_leftover_of_a_crash_is_replaced_and_an_empty_folder_is_used() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = noisy(&folder.path().join("sim"));
    fs::create_dir_all(folder.path().join("sim.partial/train/7")).expect("created");
    fs::create_dir_all(&config.out).expect("created");
    let mut seen = Vec::new();
    simulate(&config, &mut |progress| seen.push((progress.done, progress.total))).expect("simulated");
    assert_eq!(seen.last(), Some(&(3, 3)));
    assert!(!folder.path().join("sim.partial").exists());
    assert!(!config.out.join("train/7").exists() && config.out.join("simulation.json").exists());
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = noisy(&folder.path().join("sim"));
    let refused = |change: &dyn Fn(&mut SimConfig)| {
        let mut config = config.clone();
        change(&mut config);
        let error = simulate(&config, &mut |_| {}).expect_err("refused").to_string();
        assert!(!config.out.exists());
        error
    };
    assert!(refused(&|config| config.airs_frames = 5).contains("airs_frames"));
    assert!(refused(&|config| config.airs_frames = 12_000).contains("airs_frames"));
    assert!(refused(&|config| config.visit_hours = f64::NAN).contains("visit_hours"));
    assert!(refused(&|config| config.planets = 0).contains("planets"));
    assert!(refused(&|config| config.spectrum.depth_sd = f64::NAN).contains("spectrum.depth_sd"));
    assert!(refused(&|config| config.light.drift_min = 1.0).contains("light.drift_min"));
}

#[test]
fn a_simulation_that_would_fill_memory_or_disk_is_refused_before_a_byte_is_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = noisy(&folder.path().join("sim"));
    let refused = |change: &dyn Fn(&mut SimConfig)| {
        let mut config = config.clone();
        change(&mut config);
        let error = simulate(&config, &mut |_| {}).expect_err("refused");
        assert!(matches!(error, SimulationError::Setting(_)) && error.kind() == FailureKind::Usage, "{error}");
        assert!(contents(folder.path()).is_empty());
        error.to_string()
    };
    assert!(refused(&|config| config.planets = usize::MAX).contains("sim.planets"));
    assert!(refused(&|config| config.test_planets = 1 << 40).contains("sim.test_planets"));
    assert!(refused(&|config| config.second_visits = usize::MAX).contains("sim.second_visits"));
    assert!(refused(&|config| config.airs_frames = usize::MAX - 1).contains("sim.airs_frames"));
    assert!(refused(&|config| config.fgs1_frames = 1 << 33).contains("sim.fgs1_frames"));
    assert!(refused(&|config| config.visit_hours = 1e300).contains("sim.visit_hours"));
    assert!(refused(&|config| config.noise.cosmics_per_hour = f64::INFINITY).contains("sim.noise.cosmics_per_hour"));
    assert!(refused(&|config| config.noise.cosmics_per_hour = 1e6).contains("sim.noise.cosmics_per_hour"));
    assert!(refused(&|config| config.detector.adc_offset = f64::NEG_INFINITY).contains("sim.detector.adc_offset"));
    // Each number is acceptable by itself, but not all of them.
    let full = |config: &mut SimConfig| {
        (config.planets, config.airs_frames, config.fgs1_frames) = (100_000, 11_250, 135_000);
    };
    assert!(refused(&full).contains("2 TiB"));
}

#[test]
fn every_key_of_the_yaml_files_is_a_setting_and_the_other_way_round() {
    let text = [include_str!("../../../configs/sim/tiny.yaml"), include_str!("../../../configs/sim/full.yaml")];
    let [tiny, full] = text.map(|text| serde_json::from_value::<SimConfig>(plain_yaml(text)).expect("a configuration"));
    assert_eq!((tiny.planets, tiny.airs_frames, full.planets, full.fgs1_frames), (24, 120, 1100, 135_000));
    for config in [tiny, full] {
        config.check().expect("sensible");
    }
    let calib = plain_yaml(include_str!("../../../configs/calib/default.yaml"));
    let calib: CalibConfig = serde_json::from_value(calib).expect("a configuration");
    assert_eq!((calib.airs_bin, calib.fgs1_bin), (30, 360));
}

/// Mappings of one or two levels and scalars: all that these files use.
fn plain_yaml(text: &str) -> serde_json::Value {
    let mut root = serde_json::Map::new();
    let mut section: Option<String> = None;
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        let (key, value) = line.split_once(':').expect("a key");
        let value = value.trim();
        if value.is_empty() {
            section = Some(key.to_owned());
            assert!(root.insert(key.to_owned(), serde_json::json!({})).is_none(), "{key} twice");
            continue;
        }
        let scalar = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::from(value));
        let previous = match key.strip_prefix("  ") {
            Some(key) => {
                let section = section.as_ref().expect("a section above");
                root[section].as_object_mut().expect("a mapping").insert(key.to_owned(), scalar)
            }
            None => root.insert(key.to_owned(), scalar),
        };
        assert!(previous.is_none(), "{key} twice");
    }
    root.into()
}
