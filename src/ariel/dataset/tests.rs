use std::fs;
use std::path::{Path, PathBuf};

use parquet::basic::Compression;

use super::parquet_writer::{write_bool_matrix, write_doubles, write_matrix};
use super::*;
use crate::ariel::instrument::WAVELENGTHS;

const FRAMES: usize = 9;
const WIDTH: usize = 130;

fn value(frame: usize, element: usize) -> u16 {
    (frame * 7919 + element * 31 + 60_000 * (frame % 2)) as u16
}

fn write(path: &Path, layout: FrameLayout, compression: Compression) {
    let options = FrameWriteOptions { layout, compression };
    write_frames(path, FRAMES, WIDTH, options, |element, series| {
        series.extend((0..FRAMES).map(|frame| value(frame, element)));
    })
    .expect("written");
}

fn expected() -> Vec<f64> {
    (0..FRAMES).flat_map(|frame| (0..WIDTH).map(move |element| f64::from(value(frame, element)))).collect()
}

/// A table of frames that lies in a file of its own.
fn table(path: &Path, width: usize) -> Result<FrameTable, DataError> {
    FrameTable::parse(LoadedFile::named("table of frames", path, 1 << 30)?, width, 1 << 18)
}

fn loaded(path: &Path) -> LoadedFile {
    LoadedFile::named("table", path, 1 << 30).expect("readable")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn text(error: DataError) -> String {
    error.to_string()
}

#[test]
fn a_signal_reads_alike_in_every_layout_and_codec() {
    let folder = folder();
    let path = folder.path().join("signal.parquet");
    for layout in [FrameLayout::Columns, FrameLayout::Flattened, FrameLayout::Lists] {
        for compression in [Compression::SNAPPY, FrameWriteOptions::zstd().compression, Compression::UNCOMPRESSED] {
            write(&path, layout, compression);
            let table = table(&path, WIDTH).expect("opened");
            assert_eq!((table.layout(), table.frames(), table.width()), (layout, FRAMES, WIDTH));
            assert_eq!(table.read_all().expect("read"), expected(), "{layout:?} {compression:?}");
        }
    }
}

#[test]
fn a_series_visits_the_wanted_elements_in_order_of_frames() {
    let folder = folder();
    let path = folder.path().join("signal.parquet");
    for layout in [FrameLayout::Columns, FrameLayout::Flattened] {
        write(&path, layout, Compression::SNAPPY);
        let wanted = [3, 128, 77];
        let mut series = vec![Vec::new(); wanted.len()];
        let table = table(&path, WIDTH).expect("opened");
        table
            .for_each_series(&wanted, &mut series, |series, first, values| {
                assert_eq!(first, series.len());
                series.extend_from_slice(values);
            })
            .expect("read");
        for (&element, series) in wanted.iter().zip(&series) {
            let expected: Vec<f64> = (0..FRAMES).map(|frame| f64::from(value(frame, element))).collect();
            assert_eq!(*series, expected, "{layout:?} {element}");
        }
    }
}

#[test]
fn columns_are_found_by_name_in_whatever_order_they_lie() {
    let folder = folder();
    let path = folder.path().join("sorted_as_text.parquet");
    let column = |element: usize| (format!("column_{element}"), vec![Some(element as f64), Some(-1.0)]);
    let mut columns: Vec<_> = (0..12).map(column).collect();
    columns.sort_by(|left, right| left.0.cmp(&right.0));
    columns.push(("__index_level_0__".to_owned(), vec![Some(5.0), Some(6.0)]));
    assert_eq!(columns[2].0, "column_10");
    write_doubles(&path, &columns).expect("written");
    let frames = table(&path, 12).expect("opened").read_all().expect("read");
    assert_eq!(frames[..12], std::array::from_fn::<f64, 12, _>(|element| element as f64));
    assert_eq!(frames[12..], [-1.0; 12]);
}

#[test]
fn unknown_and_repeated_columns_are_refused() {
    let folder = folder();
    let path = folder.path().join("signal.parquet");
    for (names, complaint) in
        [(["column_0", "flux"], "a column \"flux\""), (["column_1", "1"], "two columns for number 1")]
    {
        write_doubles(&path, &names.map(|name| (name.to_owned(), vec![Some(1.0)]))).expect("written");
        let error = text(table(&path, 2).expect_err("refused"));
        assert!(error.contains(complaint) && error.contains("signal.parquet"), "{error}");
    }
}

#[test]
fn a_file_truncated_anywhere_is_an_error_that_names_it() {
    let folder = folder();
    let (whole, cut) = (folder.path().join("whole.parquet"), folder.path().join("cut.parquet"));
    for layout in [FrameLayout::Columns, FrameLayout::Lists] {
        write(&whole, layout, Compression::SNAPPY);
        let bytes = fs::read(&whole).expect("readable");
        for length in (0..bytes.len()).step_by(bytes.len() / 60 + 1).chain([bytes.len() - 1]) {
            _ = fs::remove_file(&cut);
            fs::write(&cut, &bytes[..length]).expect("written");
            let error = table(&cut, WIDTH).expect_err("truncated");
            assert!(matches!(&error, DataError::Parquet { path, .. } if *path == cut), "{length}: {error}");
        }
    }
}

#[test]
fn damage_anywhere_is_an_error_or_at_most_other_numbers() {
    let folder = folder();
    let (whole, damaged) = (folder.path().join("whole.parquet"), folder.path().join("damaged.parquet"));
    let (frames, width) = (9, 20);
    for layout in [FrameLayout::Columns, FrameLayout::Flattened, FrameLayout::Lists] {
        let options = FrameWriteOptions { layout, compression: Compression::SNAPPY };
        write_frames(&whole, frames, width, options, |element, series| {
            series.extend((0..frames).map(|frame| value(frame, element)));
        })
        .expect("written");
        let bytes = fs::read(&whole).expect("readable");
        let mut errors = 0;
        for (position, mask) in (0..bytes.len()).flat_map(|position| [(position, 0x2a), (position, 0xff)]) {
            let mut bytes = bytes.clone();
            bytes[position] ^= mask;
            // Into a new file: a journaling file system flushes one that is cut to nothing and written again.
            _ = fs::remove_file(&damaged);
            fs::write(&damaged, &bytes).expect("written");
            match table(&damaged, width).and_then(|table| table.read_all()) {
                Ok(read) => assert_eq!(read.len(), frames * width),
                Err(_) => errors += 1,
            }
        }
        assert!(errors > 100, "{layout:?}: {errors}");
    }
}

#[test]
fn nulls_and_numbers_that_are_not_finite_are_refused() {
    let folder = folder();
    let path = folder.path().join("signal.parquet");
    for (bad, name) in [(None, "null"), (Some(f64::INFINITY), "inf"), (Some(f64::NAN), "NaN")] {
        let columns = [("column_0".to_owned(), vec![Some(1.0), bad]), ("column_1".to_owned(), vec![Some(1.0); 2])];
        write_doubles(&path, &columns).expect("written");
        let error = text(table(&path, 2).expect("opened").read_all().expect_err("refused"));
        assert!(error.contains(name) && error.contains("column_0"), "{error}");
    }
}

#[test]
fn wrong_shapes_are_refused_with_both_shapes() {
    let folder = folder();
    let path = folder.path().join("signal.parquet");
    write(&path, FrameLayout::Columns, Compression::SNAPPY);
    let error = text(table(&path, WIDTH + 1).expect_err("too narrow"));
    assert!(error.contains("131 columns") && error.contains("got 130 columns"), "{error}");
    write(&path, FrameLayout::Flattened, Compression::SNAPPY);
    let error = text(table(&path, WIDTH + 1).expect_err("no multiple"));
    assert!(error.contains("multiple of 131") && error.contains("1170 rows"), "{error}");
    write(&path, FrameLayout::Lists, Compression::SNAPPY);
    let table = table(&path, WIDTH + 1).expect("lists are measured when they are read");
    assert!(matches!(table.read_all(), Err(DataError::Shape { .. })));
}

#[test]
fn calibration_frames_read_back_and_wrong_ones_are_named() {
    let folder = folder();
    let instrument = Instrument::Fgs1;
    let pixels = instrument.pixels();
    let ramp = |scale: f64, count: usize| (0..count).map(|pixel| pixel as f64 * scale).collect::<Vec<_>>();
    let frames = CalibrationFrames {
        dark: ramp(1e-3, pixels),
        dead: (0..pixels).map(|pixel| pixel % 100 == 3).collect(),
        flat: ramp(0.5, pixels),
        read: ramp(2.0, pixels),
        linear_corr: ramp(1e-3, pixels * LINEARITY_COEFFICIENTS),
    };
    frames.write(folder.path(), instrument).expect("written");
    let source = DataSource::Folder(folder.path().to_owned());
    assert_eq!(CalibrationFrames::read(&source, folder.path(), instrument).expect("read"), frames);
    assert_eq!(frames.linearity_of(7), [7.0, 1031.0, 2055.0, 3079.0, 4103.0, 5127.0].map(|c: f64| c * 1e-3));

    let refused = || CalibrationFrames::read(&source, folder.path(), instrument).expect_err("refused");
    let file = |name: &str| folder.path().join(name);
    write_matrix(&file("linear_corr.parquet"), 32, &frames.linear_corr[..5 * pixels]).expect("written");
    let error = text(refused());
    assert!(error.contains("linear_corr.parquet") && error.contains("192 rows") && error.contains("160"), "{error}");
    let reversed: Vec<f64> = frames.linear_corr.iter().rev().copied().collect();
    write_matrix(&file("linear_corr.parquet"), 32, &reversed).expect("written");
    assert!(text(refused()).contains("ascending power"), "the highest power first");
    write_bool_matrix(&file("flat.parquet"), 32, &frames.dead).expect("written");
    assert!(matches!(refused(), DataError::Dtype { got, .. } if got == "BOOLEAN"));
    write_matrix(&file("dead.parquet"), 32, &frames.flat).expect("written");
    let error = text(refused());
    assert!(error.contains("dead.parquet") && error.contains("row 0, column 1"), "{error}");
    fs::remove_file(file("dead.parquet")).expect("removed");
    assert!(matches!(refused(), DataError::Missing { path, .. } if path == file("dead.parquet")));
}

#[test]
fn an_axis_may_end_early_but_has_no_gaps() {
    let folder = folder();
    let path = folder.path().join("axis_info.parquet");
    let axis = AxisInfo {
        airs_hours: vec![0.1, 0.2],
        airs_integration_seconds: vec![0.1, 4.5],
        airs_wavelengths_um: (0..356).map(|column| 4.0 - f64::from(column) * 0.005).collect(),
        fgs1_hours: (0..500).map(f64::from).collect(),
    };
    axis.write(&path).expect("written");
    assert_eq!(AxisInfo::parse(loaded(&path)).expect("read"), axis);

    let mut columns: Vec<(String, Vec<Option<f64>>)> = Vec::new();
    for name in ["AIRS-CH0-axis0-h", "AIRS-CH0-integration_time", "AIRS-CH0-axis2-um", "FGS1-axis0-h"] {
        columns.push((name.to_owned(), vec![Some(1.0), None, Some(3.0)]));
    }
    write_doubles(&path, &columns).expect("written");
    let error = text(AxisInfo::parse(loaded(&path)).expect_err("a gap"));
    assert!(error.contains("number 1 of column \"AIRS-CH0-axis0-h\""), "{error}");
    columns.remove(0);
    write_doubles(&path, &columns).expect("written");
    let error = text(AxisInfo::parse(loaded(&path)).expect_err("no hours"));
    assert!(error.contains("a column \"AIRS-CH0-axis0-h\""), "{error}");
}

#[test]
fn tables_read_back_sorted_and_a_planet_may_be_written_as_a_float() {
    let folder = folder();
    let path = folder.path().join("train_star_info.csv");
    let rows = "planet_id,Rs,Ms,Ts,Mp,e,P,sma,i\n20.0,1,2,3,4,5,6,7,8\n3,1.5,1,5800,1,0,3,9,89\n";
    fs::write(&path, rows).expect("written");
    let stars = Star::parse_table(loaded(&path)).expect("read");
    assert_eq!(stars.iter().map(|star| star.planet_id).collect::<Vec<_>>(), [3, 20]);
    assert_eq!((stars[0].inclination_degrees, stars[1].semi_major_axis_radii), (89.0, 7.0));
    let copy = folder.path().join("copy.csv");
    Star::write_table(&copy, &stars).expect("written");
    assert_eq!(Star::parse_table(loaded(&copy)).expect("read"), stars);

    let targets = Targets {
        planet_ids: vec![1, 5],
        depths: (0..2 * WAVELENGTHS).map(|cell| 0.1 / (cell as f64 + 3.0)).collect(),
    };
    targets.write(&copy).expect("written");
    let read = Targets::read(&copy).expect("read");
    assert_eq!(read, targets);
    assert_eq!(read.of(5), Some(&targets.depths[WAVELENGTHS..]));
    assert_eq!(read.of(2), None);

    let conversion = ReadoutConversion { gain: 0.4369, offset: -1000.0 };
    let adc = AdcInfo { airs: conversion, fgs1: ReadoutConversion { gain: 0.5, offset: 3.0 } };
    adc.write(&copy).expect("written");
    assert_eq!(AdcInfo::parse(loaded(&copy)).expect("read"), adc);
}

#[test]
fn a_wrong_value_is_named_by_line_and_column() {
    let folder = folder();
    let path = folder.path().join("adc_info.csv");
    let header = "FGS1_adc_offset,FGS1_adc_gain,AIRS-CH0_adc_offset,AIRS-CH0_adc_gain\n";
    for (row, complaint) in [
        ("-1000,0.4,-1000,zero\n", "line 2, column AIRS-CH0_adc_gain"),
        ("-1000,0,-1000,0.4\n", "a positive gain"),
        ("-1000,nan,-1000,0.4\n", "a finite number"),
    ] {
        fs::write(&path, format!("{header}{row}")).expect("written");
        let error = text(AdcInfo::parse(loaded(&path)).expect_err("refused"));
        assert!(error.contains(complaint), "{error}");
    }
    fs::write(&path, format!("{header}1,2\n")).expect("written");
    assert!(matches!(AdcInfo::parse(loaded(&path)), Err(DataError::Csv { .. })));
    fs::write(&path, header).expect("written");
    assert!(matches!(AdcInfo::parse(loaded(&path)), Err(DataError::Shape { .. })));
}

#[test]
fn a_missing_folder_or_table_is_named() {
    let folder = folder();
    let nowhere: PathBuf = folder.path().join("nowhere");
    assert!(matches!(DataSet::open(&nowhere), Err(DataError::Missing { path, .. }) if path == nowhere));
    let data = DataSet::open(folder.path()).expect("a folder");
    let missing = |error: DataError, name: &str| {
        assert!(matches!(&error, DataError::Missing { path, .. } if path.ends_with(name)), "{error}");
    };
    missing(data.wavelengths_um().expect_err("missing"), "wavelengths.csv");
    missing(data.adc_info().expect_err("missing"), "adc_info.csv");
    missing(data.axis_info().expect_err("missing"), "axis_info.parquet");
    missing(data.stars(Split::Test).expect_err("missing"), "test_star_info.csv");
    missing(data.targets(Split::Train).expect_err("missing"), "train.csv");
    let visit = Visit { planet: 3, number: 1 };
    missing(data.signal(Split::Test, visit, Instrument::Fgs1).expect_err("missing"), "test/3/FGS1_signal_1.parquet");
}

/// What is counted and exceeded.
fn excess<T: std::fmt::Debug>(result: Result<T, DataError>) -> &'static str {
    match result {
        Err(DataError::TooMuch { unit, .. }) => unit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_axis_of_a_few_kilobytes_that_holds_millions_of_rows_is_refused_at_once() {
    use parquet::basic::{Repetition, Type as PhysicalType};
    use parquet::data_type::DoubleType;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;
    use std::sync::Arc;

    let folder = folder();
    let path = folder.path().join("axis_info.parquet");
    let column = Type::primitive_type_builder("FGS1-axis0-h", PhysicalType::DOUBLE)
        .with_repetition(Repetition::REQUIRED)
        .build()
        .expect("a column");
    let schema = Type::group_type_builder("schema").with_fields(vec![Arc::new(column)]).build().expect("a schema");
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let file = fs::File::create(&path).expect("created");
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).expect("a writer");
    let ones = vec![1.0; 1 << 20];
    for _ in 0..20 {
        let mut group = writer.next_row_group().expect("a group");
        let mut column = group.next_column().expect("a column").expect("one");
        column.typed::<DoubleType>().write_batch(&ones, None, None).expect("written");
        column.close().expect("closed");
        group.close().expect("closed");
    }
    writer.close().expect("closed");
    assert!(fs::metadata(&path).expect("there").len() < 1 << 16);
    let begin = std::time::Instant::now();
    assert_eq!(excess(AxisInfo::parse(loaded(&path))), "rows");
    assert!(begin.elapsed().as_millis() < 500, "{:?}", begin.elapsed());
}

#[test]
fn a_list_of_millions_is_refused_before_it_is_unpacked() {
    let folder = folder();
    let path = folder.path().join("signal.parquet");
    let options = FrameWriteOptions { layout: FrameLayout::Lists, ..FrameWriteOptions::zstd() };
    write_frames(&path, 1, 1 << 21, options, |_, series| series.push(7)).expect("written");
    assert!(fs::metadata(&path).expect("there").len() < 1 << 14);
    assert_eq!(excess(table(&path, WIDTH).expect("opened").read_all()), "bytes in an unpacked page");
    write_frames(&path, 1, 1 << 10, options, |_, series| series.push(7)).expect("written");
    assert_eq!(excess(table(&path, WIDTH).expect("opened").read_all()), "values in a column chunk");
}

#[test]
fn more_frames_than_a_visit_has_are_refused_in_every_layout() {
    let folder = folder();
    let path = folder.path().join("signal.parquet");
    for layout in [FrameLayout::Columns, FrameLayout::Flattened, FrameLayout::Lists] {
        write(&path, layout, Compression::SNAPPY);
        assert!(FrameTable::parse(loaded(&path), WIDTH, FRAMES).is_ok());
        assert_eq!(excess(FrameTable::parse(loaded(&path), WIDTH, FRAMES - 1)), "frames", "{layout:?}");
    }
}

#[test]
fn a_table_of_too_many_rows_columns_or_bytes_is_refused() {
    let folder = folder();
    let path = folder.path().join("train.csv");
    fs::write(&path, format!("planet_id\n{}", "1\n".repeat(100_001))).expect("written");
    assert_eq!(excess(Targets::read(&path)), "rows");
    fs::write(&path, ",".repeat(1000)).expect("written");
    assert_eq!(excess(Targets::read(&path)), "columns");
    fs::File::create(&path).expect("created").set_len(1 << 40).expect("sparse");
    assert_eq!(excess(Targets::read(&path)), "bytes");
}

#[test]
fn labels_in_another_unit_and_negative_ones_are_refused_with_their_line() {
    let folder = folder();
    let path = folder.path().join("train.csv");
    let header: Vec<String> = (1..=WAVELENGTHS).map(|number| format!("wl_{number}")).collect();
    for (what, depth) in [("per cent", "1.47"), ("ppm", "14700"), ("negative", "-0.0147")] {
        let row = vec![depth; WAVELENGTHS].join(",");
        fs::write(&path, format!("planet_id,{}\n7,{row}\n", header.join(","))).expect("written");
        let error = text(Targets::read(&path).expect_err(what));
        assert!(error.contains("line 2, column wl_1") && error.contains("(Rp/Rs)^2"), "{what}: {error}");
    }
}

#[test]
fn counts_that_no_converter_gives_are_refused() {
    let folder = folder();
    let path = folder.path().join("signal.parquet");
    for odd in [-1.0, 65_536.0] {
        write_matrix(&path, 2, &[1.0, 2.0, odd, 4.0]).expect("written");
        let table = FrameTable::parse_counts(loaded(&path), 2, 2).expect("opened");
        let error = text(table.read_all().expect_err("no count"));
        assert!(error.contains("a count from 0 to 65535") && error.contains("column_0"), "{error}");
        assert!(FrameTable::parse(loaded(&path), 2, 2).expect("opened").read_all().is_ok());
    }
}

#[test]
fn integration_times_in_milliseconds_and_times_that_stand_still_are_refused() {
    let folder = folder();
    let path = folder.path().join("axis_info.parquet");
    let axis = AxisInfo {
        airs_hours: vec![0.1, 0.2],
        airs_integration_seconds: vec![0.1, 4.5],
        airs_wavelengths_um: vec![1.0; 356],
        fgs1_hours: vec![0.1, 0.2],
    };
    let refused = |axis: &AxisInfo| {
        axis.write(&path).expect("written");
        text(AxisInfo::parse(loaded(&path)).expect_err("refused"))
    };
    let error = refused(&AxisInfo { airs_integration_seconds: vec![100.0, 4500.0], ..axis.clone() });
    assert!(error.contains("row 1") && error.contains("0.001 to 100 s"), "{error}");
    let error = refused(&AxisInfo { fgs1_hours: vec![0.2, 0.2], ..axis.clone() });
    assert!(error.contains("FGS1-axis0-h, row 1") && error.contains("increase"), "{error}");
    axis.write(&path).expect("written");
    assert_eq!(AxisInfo::parse(loaded(&path)).expect("read"), axis);
}
