use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::ariel::dataset::{DataSource, FrameLayout, FrameWriteOptions, write_frames};
use crate::ariel::simulator::simulate;
use crate::ariel::simulator::tests::quiet;
use crate::provenance::data::{ListedFiles, ReadData};

const ALL_STEPS: CalibSteps = CalibSteps::OFFICIAL;

/// One visit of one planet with `airs` and `fgs1` reads.
fn data_set(folder: &Path, airs: usize, fgs1: usize) -> DataSet {
    data_set_of(folder, 1, airs, fgs1)
}

/// Two visits of one planet and one of another.
fn three_visits(folder: &Path, airs: usize, fgs1: usize) -> DataSet {
    data_set_of(folder, 2, airs, fgs1)
}

fn data_set_of(folder: &Path, planets: usize, airs: usize, fgs1: usize) -> DataSet {
    let mut config = quiet(&folder.join("sim"));
    (config.planets, config.second_visits) = (planets, planets - 1);
    (config.airs_frames, config.fgs1_frames) = (airs, fgs1);
    config.noise.photon = true;
    simulate(&config, &mut |_| {}).expect("simulated");
    DataSet::open(&config.out).expect("opened")
}

fn config(folder: &Path, output: CalibOutput, airs_bin: usize, fgs1_bin: usize) -> CalibConfig {
    CalibConfig {
        out: folder.join("calibrated"),
        output,
        airs_bin,
        fgs1_bin,
        broken: BrokenVisit::Refuse,
        steps: ALL_STEPS,
    }
}

fn calibrator<'a>(data: &'a DataSet, config: &CalibConfig) -> Calibrator<'a> {
    Calibrator::new(data, Split::Train, config).expect("tables")
}

fn curves_in(folder: &Path) -> Result<LightCurves, CalibrationError> {
    LightCurves::read(&DataSource::Folder(folder.to_owned()), &light_curves_path(folder))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn first_visit(data: &DataSet) -> Visit {
    data.visits(Split::Train).expect("listed")[0]
}

/// Numbers of which NaN equals NaN.
fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn an_incomplete_last_bin_is_dropped() {
    let folder = folder();
    let data = data_set(folder.path(), 14, 14);
    let visit = first_visit(&data);
    let of = |bin| calibrator(&data, &config(folder.path(), CalibOutput::Cube, bin, bin)).cube(visit).expect("cube");
    let (one, three) = (of(1), of(3));
    assert_eq!((one.airs_bins, three.airs_bins, three.fgs1_bins), (7, 2, 2));
    assert_eq!(three.airs.len(), 2 * 282 * 32);
    // A bin is the sum of its pairs, and the seventh pair is in none.
    let size = 282 * 32;
    for (cell, &sum) in three.airs.iter().enumerate().filter(|(_, sum)| !sum.is_nan()) {
        let (bin, pixel) = (cell / size, cell % size);
        let pairs: f64 = (0..3).map(|pair| one.airs[(bin * 3 + pair) * size + pixel]).sum();
        assert!((pairs - sum).abs() <= 1e-12 * sum.abs().max(1e3), "{cell}");
    }
}

#[test]
fn no_complete_bin_and_an_empty_bin_are_errors() {
    let folder = folder();
    let data = data_set(folder.path(), 4, 4);
    let too_long = config(folder.path(), CalibOutput::Cube, 3, 1);
    let error = calibrator(&data, &too_long).cube(first_visit(&data)).expect_err("three pairs of two");
    assert!(matches!(error, CalibrationError::NoCompleteBin { bin: 3, pairs: 2, .. }), "{error}");
    let empty = config(folder.path(), CalibOutput::Cube, 1, 0);
    let error = Calibrator::new(&data, Split::Train, &empty).expect_err("an empty bin");
    assert!(error.to_string().contains("fgs1_bin"), "{error}");
}

#[test]
fn exactly_the_dead_and_hot_pixels_are_masked_in_every_bin() {
    let folder = folder();
    let data = data_set(folder.path(), 8, 8);
    let visit = first_visit(&data);
    let cube = calibrator(&data, &config(folder.path(), CalibOutput::Cube, 2, 2)).cube(visit).expect("cube");
    let frames = data.calibration_frames(Split::Train, visit, Instrument::AirsCh0).expect("frames");
    let mut masked = [0, 0];
    for (cell, value) in cube.airs.iter().enumerate() {
        let (column, row) = (cell / 32 % 282, cell % 32);
        let pixel = row * 356 + 39 + column;
        // The simulator's hot pixels start at forty standard deviations.
        let (dead, hot) = (frames.dead[pixel], frames.dark[pixel] > 0.03);
        assert_eq!(value.is_nan(), dead || hot, "row {row}, column {column}");
        masked[0] += usize::from(dead);
        masked[1] += usize::from(hot);
    }
    assert!(masked[0] > 20 && masked[1] > 20, "{masked:?}");
}

#[test]
fn without_the_mask_every_pixel_has_a_value() {
    let folder = folder();
    let data = data_set(folder.path(), 4, 4);
    let mut config = config(folder.path(), CalibOutput::Cube, 1, 1);
    config.steps = CalibSteps { mask: false, ..ALL_STEPS };
    let cube = calibrator(&data, &config).cube(first_visit(&data)).expect("cube");
    assert!(cube.airs.iter().chain(&cube.fgs1).all(|value| value.is_finite()));
}

#[test]
fn the_flattened_layout_gives_the_same_bits() {
    let folder = folder();
    let data = data_set(folder.path(), 8, 8);
    let visit = first_visit(&data);
    let config = config(folder.path(), CalibOutput::Cube, 2, 1);
    let before = calibrator(&data, &config).cube(visit).expect("cube");
    for layout in [FrameLayout::Flattened, FrameLayout::Lists] {
        for instrument in Instrument::ALL {
            let signal = data.signal(Split::Train, visit, instrument).expect("opened");
            let (frames, width) = (signal.frames(), signal.width());
            let values = signal.read_all().expect("read");
            let options = FrameWriteOptions { layout, ..FrameWriteOptions::zstd() };
            write_frames(signal.path(), frames, width, options, |pixel, series| {
                series.extend((0..frames).map(|frame| values[frame * width + pixel] as u16));
            })
            .expect("written");
        }
        let after = calibrator(&data, &config).cube(visit).expect("cube");
        assert_eq!(bits(&after.airs), bits(&before.airs));
        assert_eq!(bits(&after.fgs1), bits(&before.fgs1));
    }
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() {
    let folder = folder();
    let data = three_visits(folder.path(), 8, 8);
    let with_threads = |threads: usize, output| {
        let config = config(&folder.path().join(threads.to_string()), output, 2, 2);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let paths = pool.install(|| calibrate(&data, Split::Train, &config, &mut |_| {})).expect("calibrated");
        paths.iter().map(|path| fs::read(path).expect("readable")).collect::<Vec<_>>()
    };
    for (output, files) in [(CalibOutput::Cube, 3), (CalibOutput::LightCurve, 1)] {
        let one = with_threads(1, output);
        assert_eq!(one.len(), files);
        assert!(one == with_threads(3, output));
    }
}

#[test]
fn light_curves_are_sums_of_the_cube_from_short_to_long_wavelengths() {
    let folder = folder();
    let data = three_visits(folder.path(), 8, 16);
    let visits = data.visits(Split::Train).expect("listed");
    assert_eq!(visits.len(), 3);
    assert_eq!((visits[0].planet, visits[0].number), (visits[1].planet, 0));

    let cubes = config(folder.path(), CalibOutput::Cube, 2, 4);
    let paths = calibrate(&data, Split::Train, &cubes, &mut |_| {}).expect("cubes");
    assert_eq!(paths[1], cubes.out.join(format!("{}_1.safetensors", visits[1].planet)));
    let curves = config(folder.path(), CalibOutput::LightCurve, 2, 4);
    let mut seen = Vec::new();
    let written = calibrate(&data, Split::Train, &curves, &mut |progress| seen.push(progress.done)).expect("curves");
    assert_eq!((written.as_slice(), seen.as_slice()), ([light_curves_path(&curves.out)].as_slice(), &[1, 2, 3][..]));

    let read = curves_in(&curves.out).expect("read");
    assert_eq!((read.bins, read.visits.as_slice()), (2, visits.as_slice()));
    for (row, path) in paths.iter().enumerate() {
        let (cube, settings) = Cube::read(path).expect("read");
        assert_eq!(settings, CalibSettings::of(&data, Split::Train, &cubes).expect("settings"));
        for bin in 0..2 {
            let curve = &read.values[(row * 2 + bin) * WAVELENGTHS..][..WAVELENGTHS];
            let good_sum = |values: &[f64]| values.iter().filter(|value| !value.is_nan()).sum::<f64>();
            assert_eq!(curve[0], good_sum(&cube.fgs1[bin * 1024..][..1024]));
            // wl_2, the shortest AIRS wavelength, is frame column 320; wl_283 is column 39.
            assert_eq!(curve[1], good_sum(&cube.airs[(bin * 282 + 281) * 32..][..32]));
            assert_eq!(curve[282], good_sum(&cube.airs[bin * 282 * 32..][..32]));
        }
    }
    // Blue is bright.
    assert!(read.values[10] > 3.0 * read.values[280]);
}

#[test]
fn a_calibrated_file_has_one_metadata_entry_with_its_settings() {
    let folder = folder();
    let data = data_set(folder.path(), 4, 4);
    let config = config(folder.path(), CalibOutput::LightCurve, 1, 1);
    let path = calibrate(&data, Split::Train, &config, &mut |_| {}).expect("calibrated").remove(0);
    let bytes = fs::read(&path).expect("readable");
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).expect("a safetensors file");
    assert_eq!(metadata.metadata().as_ref().map(|entries| entries.len()), Some(1));
    let settings = read_settings(&path).expect("settings");
    assert_eq!(settings, CalibSettings::of(&data, Split::Train, &config).expect("settings"));
    let mut other = config.clone();
    other.steps.linearity = false;
    assert_ne!(settings, CalibSettings::of(&data, Split::Train, &other).expect("settings"));
    assert_eq!(curves_in(&config.out).expect("read").settings, settings);
}

#[test]
fn settings_change_with_the_data_set() {
    let folder = folder();
    let data = data_set(folder.path(), 4, 4);
    let config = config(folder.path(), CalibOutput::Cube, 1, 1);
    let of = || CalibSettings::of(&data, Split::Train, &config).expect("settings").inputs;
    let before = of();
    assert_eq!(before, of());
    let simulation = data.layout().simulation();
    let text = fs::read_to_string(&simulation).expect("readable");
    fs::write(&simulation, text.replace("\"seed\": 7", "\"seed\": 8")).expect("written");
    assert_ne!(before, of());
}

#[test]
fn a_foreign_or_cut_calibrated_file_is_refused() {
    let folder = folder();
    let path = folder.path().join("light_curves.safetensors");
    for bytes in [&b"short"[..], &[0xff; 64], b"\x02\0\0\0\0\0\0\0{}"] {
        fs::write(&path, bytes).expect("written");
        assert!(matches!(read_settings(&path), Err(CalibrationError::NotCalibrated { .. })));
        assert!(matches!(curves_in(folder.path()), Err(CalibrationError::NotCalibrated { .. })));
    }
    let data = data_set(folder.path(), 4, 4);
    let config = config(folder.path(), CalibOutput::LightCurve, 1, 1);
    let written = calibrate(&data, Split::Train, &config, &mut |_| {}).expect("calibrated").remove(0);
    let bytes = fs::read(&written).expect("readable");
    fs::write(&path, &bytes[..bytes.len() - 1]).expect("written");
    assert!(matches!(curves_in(folder.path()), Err(CalibrationError::NotCalibrated { .. })));
    assert!(matches!(Cube::read(&written), Err(CalibrationError::NotCalibrated { .. })));
}

#[test]
fn an_axis_that_disagrees_with_the_wavelengths_is_refused() {
    let folder = folder();
    let data = data_set(folder.path(), 4, 4);
    let config = config(folder.path(), CalibOutput::Cube, 1, 1);
    let mut axis = data.axis_info().expect("read");
    axis.airs_wavelengths_um[100] += 0.01;
    axis.write(&data.layout().axis_info()).expect("written");
    let error = Calibrator::new(&data, Split::Train, &config).expect_err("refused");
    assert!(matches!(error, CalibrationError::AxisMismatch { column: 100, wavelength: 221, .. }), "{error}");
}

#[test]
fn the_columns_are_followed_whichever_way_they_run() {
    let wavelengths = |ascending: bool| -> (Vec<f64>, Vec<f64>) {
        let axis: Vec<f64> = (0..356).map(|column| 2.0 + 0.01 * f64::from(column)).collect();
        let spectrum = std::iter::once(0.7).chain(axis[39..321].iter().copied()).collect();
        (if ascending { axis } else { (0..356).map(|column| 2.0 + 0.01 * f64::from(359 - column)).collect() }, spectrum)
    };
    let order = |ascending| {
        let (axis, spectrum) = wavelengths(ascending);
        column_order(&axis, &spectrum).expect("agree")
    };
    assert_eq!(order(true), ColumnOrder::Ascending);
    assert_eq!(order(false), ColumnOrder::Descending);
}

#[test]
fn reads_without_a_known_time_and_reads_without_a_partner_are_refused() {
    let folder = folder();
    let data = data_set(folder.path(), 4, 4);
    let visit = first_visit(&data);
    let config = config(folder.path(), CalibOutput::Cube, 1, 1);
    let path = data.layout().signal(Split::Train, visit, Instrument::Fgs1);
    for reads in [5, 6] {
        let options = FrameWriteOptions::SIGNAL;
        write_frames(&path, reads, 1024, options, |_, series| series.extend(vec![500; reads])).expect("written");
        let error = calibrator(&data, &config).cube(visit).expect_err("too many reads");
        assert!(matches!(error, CalibrationError::TooManyReads { expected: 4, .. }), "{error}");
    }
    write_frames(&path, 3, 1024, FrameWriteOptions::SIGNAL, |_, series| series.extend([500; 3])).expect("written");
    let error = calibrator(&data, &config).cube(visit).expect_err("odd");
    assert!(matches!(error, CalibrationError::OddReads { reads: 3, .. }), "{error}");
}

#[test]
fn a_failure_leaves_no_file_and_names_what_is_missing() {
    let folder = folder();
    let data = three_visits(folder.path(), 4, 4);
    let last = *data.visits(Split::Train).expect("listed").last().expect("three visits");
    let missing: PathBuf = data.layout().signal(Split::Train, last, Instrument::AirsCh0);
    fs::remove_file(&missing).expect("removed");
    let config = config(folder.path(), CalibOutput::LightCurve, 1, 1);
    let error = calibrate(&data, Split::Train, &config, &mut |_| {}).expect_err("missing");
    assert!(error.to_string().contains(&missing.display().to_string()), "{error}");
    assert!(!light_curves_path(&config.out).exists());
}

#[test]
fn unequal_bins_of_the_instruments_make_no_light_curve() {
    let folder = folder();
    let data = data_set(folder.path(), 8, 8);
    let config = config(folder.path(), CalibOutput::LightCurve, 1, 2);
    let error = calibrate(&data, Split::Train, &config, &mut |_| {}).expect_err("four and two");
    assert!(matches!(error, CalibrationError::UnequalBins { expected: 4, got: 2, .. }), "{error}");
}

#[test]
fn light_curves_that_claim_more_than_they_hold_are_refused() {
    let folder = folder();
    let data = data_set(folder.path(), 4, 4);
    let config = config(folder.path(), CalibOutput::LightCurve, 1, 1);
    let path = calibrate(&data, Split::Train, &config, &mut |_| {}).expect("calibrated").remove(0);
    let settings = serde_json::to_string(&read_settings(&path).expect("settings")).expect("JSON");
    let refused = |shape: &[u64], visits: &[i64]| {
        let (rows, mut end) = (visits.len() as u64, 0);
        let mut tensor = |dtype: &str, shape: &[u64]| {
            let start = end;
            end += shape.iter().fold(8u64, |bytes, length| bytes.wrapping_mul(*length));
            serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] })
        };
        let header = serde_json::json!({
            "__metadata__": { "calibration": settings },
            "light_curves": tensor("F64", shape),
            "planet_ids": tensor("I64", &[rows]),
            "visits": tensor("I64", &[rows]),
        });
        let header = header.to_string();
        let mut bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        let claimed = end.saturating_sub(16 * rows).min(1 << 16);
        bytes.resize(bytes.len() + claimed as usize, 0);
        bytes.extend([visits, visits].concat().iter().flat_map(|number| number.to_le_bytes()));
        fs::write(&path, bytes).expect("written");
        match curves_in(&config.out) {
            Err(CalibrationError::NotCalibrated { reason, .. }) => reason,
            other => panic!("{shape:?}: {other:?}"),
        }
    };
    assert!(refused(&[0, 1 << 62, 283], &[]).contains("at least one light curve"));
    assert!(refused(&[1, 0, 283], &[1]).contains("at least one light curve"));
    refused(&[1 << 62, 4, 0], &[1]);
    refused(&[u64::MAX, 2, 283], &[1]);
    assert!(refused(&[2, 1, 283], &[2, 1]).contains("ascending order"));
    assert!(refused(&[2, 1, 283], &[1, 1]).contains("ascending order"));
    fs::write(&path, [&u64::MAX.to_le_bytes()[..], b"{}"].concat()).expect("written");
    assert!(matches!(curves_in(&config.out), Err(CalibrationError::NotCalibrated { .. })));
}

#[test]
fn listed_files_are_calibrated_like_a_folder_and_nothing_else_is() {
    let folder = folder();
    let data = three_visits(folder.path(), 4, 4);
    let curves = config(folder.path(), CalibOutput::LightCurve, 1, 1);
    let path = calibrate(&data, Split::Train, &curves, &mut |_| {}).expect("calibrated").remove(0);
    let list = ReadData::of_tree(data.root()).expect("hashes").manifest().clone();
    // An attacker's visits, which nobody signed.
    let visit = first_visit(&data);
    for instrument in Instrument::ALL {
        let [from, to] =
            [visit, Visit { number: 9, ..visit }].map(|v| data.layout().signal(Split::Train, v, instrument));
        fs::copy(from, to).expect("copied");
    }
    let listed = DataSet::listed(ListedFiles::new(data.root(), list.clone()));
    assert_eq!(
        (data.visits(Split::Train).expect("listed").len(), listed.visits(Split::Train).expect("listed").len()),
        (4, 3)
    );
    let again = CalibConfig { out: folder.path().join("again"), ..curves.clone() };
    let copy = calibrate(&listed, Split::Train, &again, &mut |_| {}).expect("calibrated").remove(0);
    assert!(fs::read(path).expect("readable") == fs::read(copy).expect("readable"));
    // One bit of one signal.
    let signal = data.layout().signal(Split::Train, visit, Instrument::Fgs1);
    let mut bytes = fs::read(&signal).expect("readable");
    bytes[100] ^= 1;
    fs::write(&signal, bytes).expect("written");
    let third = CalibConfig { out: folder.path().join("third"), ..again };
    let error = calibrate(&listed, Split::Train, &third, &mut |_| {}).expect_err("refused");
    assert!(
        matches!(&error, CalibrationError::Data(DataError::NotAsListed { path, .. }) if *path == signal),
        "{error}"
    );
}

/// Most memory that this process ever held, in MiB.
fn peak_mebibytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

/// A measurement, to be run alone: `cargo test --lib -- --ignored --nocapture --exact` and its name.
#[test]
#[ignore = "a measurement"]
fn memory_of_the_sample_planet_and_of_a_visit_of_the_real_size() {
    let folder = folder();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/ariel/sample");
    let files = |root: &Path| ReadData::of_tree(root).expect("hashes").manifest().clone();
    let measure = |name: &str, root: &Path, bin: [usize; 2]| {
        let data = DataSet::listed(ListedFiles::new(root, files(root)));
        // What was needed before is forgotten.
        fs::write("/proc/self/clear_refs", "5").expect("Linux");
        let before = peak_mebibytes();
        let begin = std::time::Instant::now();
        let config = config(&folder.path().join(name), CalibOutput::LightCurve, bin[0], bin[1]);
        calibrate(&data, Split::Train, &config, &mut |_| {}).expect("calibrated");
        let seconds = begin.elapsed().as_secs_f64();
        let signals = files(root).files().iter().map(|file| file.size >> 20).max().unwrap_or(0);
        let peak = peak_mebibytes();
        eprintln!("{name}: largest file {signals} MiB, {seconds:.1} s, peak {peak} MiB, {before} MiB before");
    };
    if sample.is_dir() {
        measure("sample", &sample, [1, 1]);
    }
    let mut config = quiet(&folder.path().join("sim"));
    (config.airs_frames, config.fgs1_frames, config.noise.photon) = (11_250, 135_000, true);
    simulate(&config, &mut |_| {}).expect("simulated");
    for layout in [FrameLayout::Columns, FrameLayout::Flattened] {
        if layout == FrameLayout::Flattened {
            let data = DataSet::open(&config.out).expect("opened");
            let visit = first_visit(&data);
            let signal = data.signal(Split::Train, visit, Instrument::Fgs1).expect("opened");
            let (frames, width, path) = (signal.frames(), signal.width(), signal.path().to_owned());
            let mut table = vec![Vec::new(); width];
            let all: Vec<usize> = (0..width).collect();
            signal
                .for_each_series(&all, &mut table, |series, _, values| series.extend(values.iter().map(|v| *v as u16)))
                .expect("read");
            let options = FrameWriteOptions { layout, ..FrameWriteOptions::zstd() };
            write_frames(&path, frames, width, options, |pixel, series| series.extend_from_slice(&table[pixel]))
                .expect("written");
        }
        measure(&format!("{layout:?}"), &config.out, [30, 360]);
    }
}

#[test]
fn a_bit_that_flipped_in_light_curves_is_found_and_they_are_made_again() {
    let folder = folder();
    let data = three_visits(folder.path(), 8, 8);
    let config = config(folder.path(), CalibOutput::LightCurve, 1, 1);
    let make = || calibrate(&data, Split::Train, &config, &mut |_| {}).expect("calibrated").remove(0);
    let path = make();
    let whole = fs::read(&path).expect("read");
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 4;
    fs::write(&path, &flipped).expect("written");
    let error = curves_in(&config.out).expect_err("another bit").to_string();
    assert!(error.contains("digest"), "{error}");
    make();
    assert!(fs::read(&path).expect("read") == whole);
    let made = fs::metadata(&path).and_then(|file| file.modified()).expect("a time");
    make();
    assert_eq!(
        fs::metadata(&path).and_then(|file| file.modified()).expect("a time"),
        made,
        "what is there is left alone"
    );
}

#[test]
fn a_calibration_that_ended_in_the_middle_leaves_what_it_did_until_it_is_complete() {
    let folder = folder();
    let data = three_visits(folder.path(), 8, 8);
    let config = config(folder.path(), CalibOutput::LightCurve, 1, 1);
    let visits = data.visits(Split::Train).expect("listed");
    let flat = data.layout().calibration_folder(Split::Train, visits[2], Instrument::Fgs1).join("flat.parquet");
    let bytes = fs::read(&flat).expect("read");
    fs::write(&flat, &bytes[..bytes.len() / 2]).expect("written");
    let mut done = 0;
    calibrate(&data, Split::Train, &config, &mut |_| done += 1).expect_err("half a file");
    assert_eq!(done, 2);
    let parts = folder.path().join("calibrated.parts");
    assert_eq!(fs::read_dir(&parts).expect("parts").count(), 3, "two visits and the settings");
    assert!(!light_curves_path(&config.out).exists());
    fs::write(&flat, &bytes).expect("written");
    calibrate(&data, Split::Train, &config, &mut |_| {}).expect("calibrated");
    assert!(!parts.exists() && curves_in(&config.out).is_ok());
}
