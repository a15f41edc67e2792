//! Tables of detector frames: one frame per row, in every layout that real tools write.
//!
//! A frame table is what signal files are (a row per read, a column per pixel) and what calibration frames are (a row
//! per detector row, a column per detector column). Its file is in memory as it is, packed; of what it unpacks to, only a
//! few columns are.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::DataError;
use super::parquet_file::{Batch, ColumnKind, ParquetFile};
use super::source::LoadedFile;

/// How a table of frames lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameLayout {
    /// A row per frame and a column per element, `column_0`, `column_1`, …: the competition's own.
    Columns,
    /// One column of numbers, frame after frame.
    Flattened,
    /// One column of lists, a frame per list.
    Lists,
}

/// An opened table of frames, `[frames, width]`.
#[derive(Debug, Clone)]
pub struct FrameTable {
    file: ParquetFile,
    layout: FrameLayout,
    frames: usize,
    width: usize,
    /// For each element of a frame, the file's column that holds it.
    column_of_element: Vec<usize>,
    /// What its numbers are, in words and as a range.
    expected: (&'static str, std::ops::RangeInclusive<f64>),
}

/// What any number is: finite.
const FINITE: (&str, std::ops::RangeInclusive<f64>) = ("a finite number in every row", f64::MIN..=f64::MAX);

/// Elements that one thread reads at once.
const ELEMENTS_PER_TASK: usize = 64;
/// Frames decoded at once from one column.
const FRAMES_PER_BATCH: usize = 4096;
/// Numbers decoded at once from a flattened column.
const VALUES_PER_BLOCK: usize = 1 << 20;

impl FrameTable {
    /// A table of at most `most_frames` frames of `width` numbers each.
    ///
    /// # Errors
    /// When the file is not parquet, holds frames of another width or more of them, or columns that are not numbers.
    pub fn parse(file: LoadedFile, width: usize, most_frames: usize) -> Result<Self, DataError> {
        Self::parse_kind(file, width, most_frames, ColumnKind::Numbers)
    }

    /// A table of what 16-bit converters count.
    ///
    /// # Errors
    /// See [`parse`](Self::parse); reading it refuses other numbers.
    pub fn parse_counts(file: LoadedFile, width: usize, most_frames: usize) -> Result<Self, DataError> {
        let table = Self::parse(file, width, most_frames)?;
        Ok(Self { expected: ("a count from 0 to 65535 in every row", 0.0..=f64::from(u16::MAX)), ..table })
    }

    /// A table of booleans, which read as 0 and 1.
    ///
    /// # Errors
    /// See [`parse`](Self::parse).
    pub fn parse_flags(file: LoadedFile, width: usize, most_frames: usize) -> Result<Self, DataError> {
        Self::parse_kind(file, width, most_frames, ColumnKind::Flags)
    }

    fn parse_kind(file: LoadedFile, width: usize, most_frames: usize, kind: ColumnKind) -> Result<Self, DataError> {
        let file = ParquetFile::parse(file)?;
        let names: Vec<String> = file.columns().iter().map(|column| column.path().string()).collect();
        // pandas stores a row index beside the data when told to.
        let data: Vec<usize> =
            (0..names.len()).filter(|&column| !names[column].starts_with("__index_level_")).collect();
        for &column in &data {
            file.check_kind(column, kind)?;
        }
        let rows = file.rows()?;
        let (layout, frames, column_of_element) = match *data.as_slice() {
            [only] if width > 1 && file.columns()[only].max_rep_level() > 0 => (FrameLayout::Lists, rows, vec![only]),
            [only] if width > 1 => {
                if !rows.is_multiple_of(width) {
                    let expected = format!("one flattened column with a multiple of {width} rows");
                    return Err(DataError::shape(file.path(), expected, format!("{rows} rows")));
                }
                (FrameLayout::Flattened, rows / width, vec![only])
            }
            _ => (FrameLayout::Columns, rows, order_columns(&file, &names, &data, width)?),
        };
        if frames == 0 {
            return Err(DataError::shape(file.path(), "at least one frame", "none"));
        }
        DataError::within(file.path(), "frames", most_frames as u64, frames as u64)?;
        Ok(Self { file, layout, frames, width, column_of_element, expected: FINITE })
    }

    /// How the table lies in its file.
    pub fn layout(&self) -> FrameLayout {
        self.layout
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Numbers per frame.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Runs through all frames, element by element: `visit` gets the state of an element, the number of the first
    /// frame at hand, and the element's value in that frame and those after it.
    ///
    /// For each element the pieces come in order of frames; different elements are visited by different threads.
    /// `states[n]` belongs to `elements[n]`; ascending `elements` read fastest.
    ///
    /// # Errors
    /// When the file is not what its footer says, or a value is null or not finite.
    ///
    /// # Panics
    /// When `states` and `elements` differ in length or an element is not below [`width`](Self::width).
    pub fn for_each_series<S: Send>(
        &self,
        elements: &[usize],
        states: &mut [S],
        visit: impl Fn(&mut S, usize, &[f64]) + Sync,
    ) -> Result<(), DataError> {
        assert_eq!(elements.len(), states.len(), "a state for each element");
        assert!(elements.iter().all(|&element| element < self.width), "elements of the frame");
        match self.layout {
            FrameLayout::Columns => {
                let results: Vec<Result<(), DataError>> = states
                    .par_chunks_mut(ELEMENTS_PER_TASK)
                    .zip(elements.par_chunks(ELEMENTS_PER_TASK))
                    .map(|(states, elements)| self.read_columns(elements, states, &visit))
                    .collect();
                // The first in element order, so that a broken file is reported alike by any number of threads.
                results.into_iter().collect()
            }
            FrameLayout::Flattened | FrameLayout::Lists => self.read_flattened(elements, states, &visit),
        }
    }

    /// The whole table, `[frames, width]`. For calibration frames; a signal is better read by series.
    ///
    /// # Errors
    /// See [`for_each_series`](Self::for_each_series).
    pub fn read_all(&self) -> Result<Vec<f64>, DataError> {
        let elements: Vec<usize> = (0..self.width).collect();
        let mut series = vec![Vec::new(); self.width];
        self.for_each_series(&elements, &mut series, |series, _, values| series.extend_from_slice(values))?;
        let mut all = Vec::with_capacity(self.frames * self.width);
        for frame in 0..self.frames {
            all.extend(series.iter().map(|series| series[frame]));
        }
        Ok(all)
    }

    fn read_columns<S>(
        &self,
        elements: &[usize],
        states: &mut [S],
        visit: &(impl Fn(&mut S, usize, &[f64]) + Sync),
    ) -> Result<(), DataError> {
        let columns: Vec<usize> = elements.iter().map(|&element| self.column_of_element[element]).collect();
        let mut next_frame = vec![0; elements.len()];
        for row_group in 0..self.file.row_groups() {
            for ((&column, state), next_frame) in columns.iter().zip(states.iter_mut()).zip(&mut next_frame) {
                self.file.read_chunk((row_group, column), 1, FRAMES_PER_BATCH, &mut |batch| {
                    self.check(&batch, column)?;
                    visit(state, *next_frame, batch.values);
                    *next_frame += batch.values.len();
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    fn read_flattened<S: Send>(
        &self,
        elements: &[usize],
        states: &mut [S],
        visit: &(impl Fn(&mut S, usize, &[f64]) + Sync),
    ) -> Result<(), DataError> {
        let column = self.column_of_element[0];
        let frames_per_block = (VALUES_PER_BLOCK / self.width).max(1);
        let (leaves_per_row, batch_rows) = match self.layout {
            FrameLayout::Lists => (self.width, frames_per_block),
            _ => (1, frames_per_block * self.width),
        };
        let mut pending: Vec<f64> = Vec::new();
        let (mut leaves, mut frames_done) = (0usize, 0usize);
        let mut drain = |pending: &mut Vec<f64>| {
            let frames = pending.len() / self.width;
            states.par_iter_mut().zip(elements).for_each_init(Vec::new, |series, (state, &element)| {
                series.clear();
                series.extend((0..frames).map(|frame| pending[frame * self.width + element]));
                visit(state, frames_done, series);
            });
            frames_done += frames;
            pending.drain(..frames * self.width);
        };
        for row_group in 0..self.file.row_groups() {
            self.file.read_chunk((row_group, column), leaves_per_row, batch_rows, &mut |batch| {
                self.check(&batch, column)?;
                // A list begins where the repetition level is 0: at every multiple of the width and nowhere else.
                for &level in batch.repetition {
                    if (level == 0) != leaves.is_multiple_of(self.width) {
                        return Err(self.ragged(leaves));
                    }
                    leaves += 1;
                }
                pending.extend_from_slice(batch.values);
                drain(&mut pending);
                Ok(())
            })?;
        }
        if !pending.is_empty() || frames_done != self.frames {
            return Err(self.ragged(leaves));
        }
        Ok(())
    }

    fn check(&self, batch: &Batch<'_>, column: usize) -> Result<(), DataError> {
        let refuse = |got: String| {
            let place = format!("column {}", self.file.columns()[column].path());
            Err(DataError::value(self.path(), place, self.expected.0, got))
        };
        if batch.has_null() {
            return refuse("null".to_owned());
        }
        match batch.values.iter().find(|value| !self.expected.1.contains(value)) {
            Some(value) => refuse(value.to_string()),
            None => Ok(()),
        }
    }

    fn ragged(&self, leaves: usize) -> DataError {
        let expected = format!("lists of {} numbers each", self.width);
        DataError::shape(self.path(), expected, format!("another length at number {leaves} of the column"))
    }
}

/// Which column holds element n of a frame. Columns are found by name: a writer may have sorted them as text.
fn order_columns(file: &ParquetFile, names: &[String], data: &[usize], width: usize) -> Result<Vec<usize>, DataError> {
    let expected = || match width {
        1 => "one column".to_owned(),
        _ => format!("{width} columns column_0…column_{}, or one flattened column", width - 1),
    };
    let refuse = |got: String| Err(DataError::shape(file.path(), expected(), got));
    if data.len() != width {
        return refuse(format!("{} columns", data.len()));
    }
    let mut by_element = BTreeMap::new();
    for &column in data {
        let name = &names[column];
        if file.columns()[column].max_rep_level() > 0 {
            return refuse(format!("{width} columns of which {name:?} holds lists"));
        }
        let number = name.strip_prefix("column_").unwrap_or(name).parse::<usize>();
        match number {
            Ok(element) if element < width => {
                if by_element.insert(element, column).is_some() {
                    return refuse(format!("two columns for number {element}"));
                }
            }
            _ => return refuse(format!("a column {name:?}")),
        }
    }
    Ok(by_element.into_values().collect())
}
