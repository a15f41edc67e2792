//! The calibrated files: safetensors with one metadata entry, the settings.
//!
//! The format is written here rather than by the `safetensors` crate because light curves of 1100 planets are written
//! row after row; it is read by the crate. A header's metadata is an unordered map, so there is one entry only.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorInfo, TensorView};

use super::{BrokenVisit, CalibSettings, CalibrationError, Cube};
use crate::ariel::dataset::{
    CalibrationFrames, DataError, DataSet, DataSource, LoadedFile, Split, Visit, write_atomically,
};
use crate::ariel::extraction::{BinTimes, InstrumentTimes};
use crate::ariel::instrument::{AIRS_WAVELENGTHS, Instrument, ROWS, WAVELENGTHS};
use crate::digest::{Blake3Digest, DomainHasher};

/// The key of the one metadata entry.
const SETTINGS_KEY: &str = "calibration";

/// `<out>/<planet>_<visit>.safetensors`.
pub fn cube_path(out: &Path, visit: Visit) -> PathBuf {
    out.join(format!("{}_{}.safetensors", visit.planet, visit.number))
}

/// The file of light curves, the only one that such a calibration makes.
pub const LIGHT_CURVES: &str = "light_curves.safetensors";

/// `<out>/light_curves.safetensors`.
pub fn light_curves_path(out: &Path) -> PathBuf {
    out.join(LIGHT_CURVES)
}

/// Bytes of a calibrated file: 1140 visits take 0.5 billion in bins of 144 seconds and 3.6 in bins of 20, the finest in
/// use.
const MAX_CALIBRATED_BYTES: u64 = 1 << 32;
/// Bytes of a header: far more than three tensors and the settings need; a foreign file may claim anything.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// The light curves of a split, one row per visit.
#[derive(Debug, Clone, PartialEq)]
pub struct LightCurves {
    /// `[visits, bins, 283]`: electrons per time bin, in the order of `wavelengths.csv`.
    pub values: Vec<f64>,
    /// Time bins.
    pub bins: usize,
    /// When they are: the same in every visit.
    pub times: BinTimes,
    /// The visit of each row.
    pub visits: Vec<Visit>,
    /// How they were made.
    pub settings: CalibSettings,
}

impl LightCurves {
    /// Reads a file of light curves.
    ///
    /// # Errors
    /// When the file is missing or does not hold light curves; see [`DataSource::read`].
    pub fn read(source: &DataSource, path: &Path) -> Result<Self, CalibrationError> {
        let loaded = source.read("file of light curves", path, MAX_CALIBRATED_BYTES)?;
        let file = CalibratedFile::parse(&loaded.path, &loaded.bytes)?;
        let (shape, values) = file.tensor("light_curves", Dtype::F64, f64::from_le_bytes)?;
        let (_, planets) = file.tensor("planet_ids", Dtype::I64, i64::from_le_bytes)?;
        let (_, numbers) = file.tensor("visits", Dtype::I64, i64::from_le_bytes)?;
        let &[rows, bins, WAVELENGTHS] = shape.as_slice() else {
            return Err(file.refuse(format!("expected light_curves [visits, bins, {WAVELENGTHS}], got {shape:?}")));
        };
        // An empty table may claim any number of rows or bins.
        if values.is_empty() {
            return Err(file.refuse(format!("expected at least one light curve, got {shape:?}")));
        }
        if planets.len() != rows || numbers.len() != rows {
            let got = format!("expected {rows} planet_ids and visits, got {} and {}", planets.len(), numbers.len());
            return Err(file.refuse(got));
        }
        let visits: Vec<Visit> = planets
            .into_iter()
            .zip(numbers)
            .map(|(planet, number)| match u32::try_from(number) {
                Ok(number) => Ok(Visit { planet, number }),
                Err(_) => Err(file.refuse(format!("expected a visit's number, got {number}"))),
            })
            .collect::<Result<_, _>>()?;
        if let Some(pair) = visits.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(file.refuse(format!("expected visits in ascending order, got {} after {}", pair[1], pair[0])));
        }
        let (times_shape, times) = file.tensor("times", Dtype::F64, f64::from_le_bytes)?;
        let times = match times_shape == [TIMES, bins] {
            true => times_of(&times, bins).ok_or_else(|| file.refuse("expected times that increase".into()))?,
            false => return Err(file.refuse(format!("expected times [{TIMES}, {bins}], got {times_shape:?}"))),
        };
        let (_, digest) = file.tensor("digest", Dtype::I64, i64::from_le_bytes)?;
        let mut hasher = curve_hasher();
        values.chunks_exact(bins * WAVELENGTHS).for_each(|curve| hash_curve(&mut hasher, curve));
        let digest: Vec<u8> = digest.into_iter().flat_map(i64::to_le_bytes).collect();
        if digest != hasher.finish().as_bytes() {
            return Err(file.refuse("expected light curves with the digest at its end, got others".into()));
        }
        Ok(Self { values, bins, times, visits, settings: file.settings()? })
    }
}

/// The digest of all light curves, as the words of a tensor at the end of the file: a bit that flipped on a disk is found.
const DIGEST_WORDS: usize = 4;

fn curve_hasher() -> DomainHasher {
    DomainHasher::new("spectramind/ariel/light-curves/v1")
}

fn hash_curve(hasher: &mut DomainHasher, curve: &[f64]) {
    let bytes: Vec<u8> = curve.iter().flat_map(|value| value.to_le_bytes()).collect();
    hasher.field(&bytes);
}

/// Rows of the tensor of times: middles and widths of AIRS-CH0's bins, then of FGS1's, in hours.
const TIMES: usize = 4;

fn times_of(times: &[f64], bins: usize) -> Option<BinTimes> {
    let mut rows = times.chunks_exact(bins).map(<[f64]>::to_vec);
    let mut instrument = || Some(InstrumentTimes { middles: rows.next()?, widths: rows.next()? });
    let times = BinTimes { airs: instrument()?, fgs1: instrument()? };
    let sensible = [&times.airs, &times.fgs1].into_iter().all(|InstrumentTimes { middles, widths }| {
        middles.windows(2).all(|pair| pair[0] < pair[1])
            && middles.iter().chain(widths).all(|hours| hours.is_finite())
            && widths.iter().all(|width| *width >= 0.0)
    });
    sensible.then_some(times)
}

/// Reads the settings of a calibrated file and nothing else of it, to tell whether it is still current.
///
/// # Errors
/// When the file is missing or is not a calibrated file.
pub fn read_settings(path: &Path) -> Result<CalibSettings, CalibrationError> {
    use std::io::Read;
    let what = "calibrated file";
    let mut file = File::open(path).map_err(|source| DataError::reading(what, path, source))?;
    let refuse = |reason: String| CalibrationError::NotCalibrated { path: path.to_owned(), reason };
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| refuse("shorter than its header's length".to_owned()))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(refuse(oversized_header(length)));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(|source| DataError::io("read", path, source))?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| refuse(error.to_string()))?;
    parse_settings(path, &metadata)
}

/// Digest of what a calibration reads: the bytes of the tables and of every frame of the split.
pub(super) fn digest_inputs(
    data: &DataSet,
    split: Split,
    broken: BrokenVisit,
) -> Result<Blake3Digest, CalibrationError> {
    let (layout, source) = (data.layout(), data.source());
    let mut hasher = DomainHasher::new("spectramind/ariel/calibration-inputs/v1");
    for path in [layout.wavelengths(), layout.adc_info(), layout.axis_info()] {
        hasher.field(&data.table("table", &path)?.bytes);
    }
    match data.simulation()? {
        Some(settings) => hasher.field(&settings.bytes),
        None => hasher.field(b""),
    };
    for visit in data.visits(split)? {
        hasher.u64(visit.planet as u64).u64(u64::from(visit.number));
        for instrument in Instrument::ALL {
            let frames = layout.calibration_folder(split, visit, instrument);
            let frames = CalibrationFrames::FILES.map(|name| frames.join(name));
            for path in [layout.signal(split, visit, instrument)].iter().chain(&frames) {
                match source.digest("file of frames", path) {
                    Ok(digest) => hasher.digest(&digest),
                    // Shorter than any digest.
                    Err(DataError::Missing { .. } | DataError::NotListed { .. }) if broken == BrokenVisit::LeaveOut => {
                        hasher.field(b"missing")
                    }
                    Err(error) => return Err(error.into()),
                };
            }
        }
    }
    Ok(hasher.finish())
}

pub(super) fn write_cube(path: &Path, cube: &Cube, settings: &CalibSettings) -> Result<(), CalibrationError> {
    let airs_shape = vec![cube.airs_bins, AIRS_WAVELENGTHS, ROWS];
    let fgs1_shape = vec![cube.fgs1_bins, Instrument::Fgs1.columns(), ROWS];
    let tensors = [("airs", Dtype::F64, airs_shape), ("fgs1", Dtype::F64, fgs1_shape)];
    write_atomically(path, |file| {
        let refuse = |source| DataError::io("write", path, source);
        file.write_all(&header(&tensors, settings)).map_err(refuse)?;
        for values in [&cube.airs, &cube.fgs1] {
            write_f64(file, values).map_err(refuse)?;
        }
        Ok(())
    })
}

pub(super) fn read_cube(path: &Path) -> Result<(Cube, CalibSettings), CalibrationError> {
    let loaded = LoadedFile::named("cube", path, MAX_CALIBRATED_BYTES)?;
    let file = CalibratedFile::parse(path, &loaded.bytes)?;
    let tensor = |name: &str, columns: usize| {
        let (shape, values) = file.tensor(name, Dtype::F64, f64::from_le_bytes)?;
        match shape.as_slice() {
            &[bins, got, ROWS] if got == columns => Ok((bins, values)),
            _ => Err(file.refuse(format!("expected {name} [bins, {columns}, {ROWS}], got {shape:?}"))),
        }
    };
    let (airs_bins, airs) = tensor("airs", AIRS_WAVELENGTHS)?;
    let (fgs1_bins, fgs1) = tensor("fgs1", Instrument::Fgs1.columns())?;
    Ok((Cube { airs, airs_bins, fgs1, fgs1_bins }, file.settings()?))
}

/// Writes the light curve of each visit as `next` delivers it.
///
/// # Errors
/// Those of `next`; when two light curves differ in their bins, or the file cannot be written.
pub fn write_light_curves<E: From<DataError> + From<CalibrationError>>(
    path: &Path,
    settings: &CalibSettings,
    times: &BinTimes,
    visits: &[Visit],
    mut next: impl FnMut(usize, Visit) -> Result<Vec<f64>, E>,
) -> Result<(), E> {
    let rows = visits.len();
    write_atomically(path, |file| {
        let refuse = |source| E::from(DataError::io("write", path, source));
        let (mut first_length, mut hasher) = (None, curve_hasher());
        for (row, &visit) in visits.iter().enumerate() {
            let curve = next(row, visit)?;
            let length = *first_length.get_or_insert(curve.len());
            if curve.len() != length {
                let (reference, subject) = (visits[0].to_string(), visit.to_string());
                let (expected, got) = (length / WAVELENGTHS, curve.len() / WAVELENGTHS);
                return Err(CalibrationError::UnequalBins { reference, expected, subject, got }.into());
            }
            if row == 0 {
                // The bins of the longest visit's reads may be more than this split's have.
                let bins = length / WAVELENGTHS;
                let rows_of_times =
                    [&times.airs, &times.fgs1].map(|times| [&times.middles[..bins], &times.widths[..bins]]);
                let tensors = [
                    ("times", Dtype::F64, vec![TIMES, bins]),
                    ("light_curves", Dtype::F64, vec![rows, length / WAVELENGTHS, WAVELENGTHS]),
                    ("planet_ids", Dtype::I64, vec![rows]),
                    ("visits", Dtype::I64, vec![rows]),
                    ("digest", Dtype::I64, vec![DIGEST_WORDS]),
                ];
                file.write_all(&header(&tensors, settings)).map_err(refuse)?;
                for row in rows_of_times.as_flattened() {
                    write_f64(file, row).map_err(refuse)?;
                }
            }
            write_f64(file, &curve).map_err(refuse)?;
            hash_curve(&mut hasher, &curve);
        }
        for planet in visits.iter().map(|visit| visit.planet) {
            file.write_all(&planet.to_le_bytes()).map_err(refuse)?;
        }
        for number in visits.iter().map(|visit| i64::from(visit.number)) {
            file.write_all(&number.to_le_bytes()).map_err(refuse)?;
        }
        file.write_all(hasher.finish().as_bytes()).map_err(refuse)
    })
}

/// Length and JSON of a header whose tensors follow in the given order.
fn header(tensors: &[(&str, Dtype, Vec<usize>)], settings: &CalibSettings) -> Vec<u8> {
    let mut offset = 0;
    let tensors = tensors
        .iter()
        .map(|(name, dtype, shape)| {
            let end = offset + shape.iter().product::<usize>() * 8;
            let info = TensorInfo { dtype: *dtype, shape: shape.clone(), data_offsets: (offset, end) };
            offset = end;
            ((*name).to_owned(), info)
        })
        .collect();
    let settings = serde_json::to_string(settings).expect("plain data");
    let metadata = HashMap::from([(SETTINGS_KEY.to_owned(), settings)]);
    let metadata = Metadata::new(Some(metadata), tensors).expect("offsets without gaps");
    let mut json = serde_json::to_vec(&metadata).expect("plain data");
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.extend(json);
    header
}

/// Writes doubles with the one NaN that calibrated files have.
fn write_f64(file: &mut impl Write, values: &[f64]) -> std::io::Result<()> {
    for &value in values {
        let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
        file.write_all(&bits.to_le_bytes())?;
    }
    Ok(())
}

fn oversized_header(length: u64) -> String {
    format!("expected a header of at most {MAX_HEADER_BYTES} bytes, got {length}")
}

struct CalibratedFile<'a> {
    path: &'a Path,
    metadata: Metadata,
    tensors: SafeTensors<'a>,
}

impl<'a> CalibratedFile<'a> {
    fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self, CalibrationError> {
        let not_calibrated = |reason| CalibrationError::NotCalibrated { path: path.to_owned(), reason };
        let refuse = |error: safetensors::SafeTensorError| not_calibrated(error.to_string());
        let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        if length > MAX_HEADER_BYTES {
            return Err(not_calibrated(oversized_header(length)));
        }
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(refuse)?;
        Ok(Self { path, metadata, tensors: SafeTensors::deserialize(bytes).map_err(refuse)? })
    }

    fn refuse(&self, reason: String) -> CalibrationError {
        CalibrationError::NotCalibrated { path: self.path.to_owned(), reason }
    }

    fn settings(&self) -> Result<CalibSettings, CalibrationError> {
        parse_settings(self.path, &self.metadata)
    }

    fn tensor<T>(
        &self,
        name: &str,
        dtype: Dtype,
        from_le_bytes: fn([u8; 8]) -> T,
    ) -> Result<(Vec<usize>, Vec<T>), CalibrationError> {
        let view: TensorView<'_> = self.tensors.tensor(name).map_err(|error| self.refuse(error.to_string()))?;
        if view.dtype() != dtype {
            return Err(self.refuse(format!("expected {name} as {dtype:?}, got {:?}", view.dtype())));
        }
        let words = view.data().chunks_exact(8).map(|word| from_le_bytes(word.try_into().expect("eight bytes")));
        Ok((view.shape().to_vec(), words.collect()))
    }
}

fn parse_settings(path: &Path, metadata: &Metadata) -> Result<CalibSettings, CalibrationError> {
    let refuse = |reason: String| CalibrationError::NotCalibrated { path: path.to_owned(), reason };
    let entry = metadata.metadata().as_ref().and_then(|entries| entries.get(SETTINGS_KEY));
    let text = entry.ok_or_else(|| refuse(format!("expected metadata {SETTINGS_KEY:?}, got none")))?;
    serde_json::from_str(text).map_err(|error| refuse(error.to_string()))
}
