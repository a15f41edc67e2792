//! Windows as columns and back, as [`ops::columns`](super::super::ops::columns) says, in runs along the last axis.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::window::Window;
use super::chunks::{in_rows, initialised, write_copy};
use super::level::{Level, per_level};

/// The columns of `batch · channels` images, `[channels · kernel positions, batch, window positions]`.
///
/// # Panics
/// When `image` has another length.
pub fn columns(image: &[f32], batch: usize, channels: usize, window: &Window) -> Vec<f32> {
    let (inputs, kernels, outputs) = (window.inputs(), window.kernels(), window.outputs());
    assert_eq!(image.len(), batch * channels * inputs, "images under a window");
    // Zeros are the padding.
    let mut columns = vec![0.0; channels * kernels * batch * outputs];
    if columns.is_empty() || inputs == 0 {
        return columns;
    }
    in_rows(&mut columns, outputs, outputs, |at, column| {
        let (row, sample) = (at / batch, at % batch);
        let image = &image[(sample * channels + row / kernels) * inputs..][..inputs];
        each_run(window, row % kernels, |run| {
            run.copy(image, column);
        });
    });
    columns
}

/// The images whose elements are the sums of their columns, which are `[batch, channels · kernel positions, window
/// positions]`.
///
/// # Panics
/// When `columns` has another length.
pub fn sum_columns(columns: &[f32], batch: usize, channels: usize, window: &Window) -> Vec<f32> {
    let (inputs, kernels, outputs) = (window.inputs(), window.kernels(), window.outputs());
    assert_eq!(columns.len(), batch * channels * kernels * outputs, "columns of a window");
    let length = batch * channels * inputs;
    if length == 0 || columns.is_empty() {
        return vec![0.0; length];
    }
    let starts = Starts::of(window);
    let mut images = Vec::with_capacity(length);
    in_rows(&mut images.spare_capacity_mut()[..length], inputs, kernels * outputs, |plane, image| {
        sum_plane(&columns[plane * kernels * outputs..][..kernels * outputs], window, &starts, image);
    });
    // SAFETY: `sum_plane` has written all of each image.
    unsafe { images.set_len(length) };
    images
}

/// What the sums of an image begin with.
pub struct Starts {
    /// Whether a window has something of the row, for each plane and row.
    covered: [Vec<bool>; 2],
    row: Vec<f32>,
}

impl Starts {
    /// Those of the images under a window.
    pub fn of(window: &Window) -> Self {
        let [depth, height, width] = window.axes.map(|axis| {
            let mut covered = vec![false; axis.input];
            for kernel in 0..axis.kernel {
                for output in axis.outputs(kernel) {
                    covered[output * axis.stride + kernel * axis.dilation - axis.padding] = true;
                }
            }
            covered
        });
        // −0 + x is x, so a sum that starts from it starts from its first addend; one without any stays +0.
        let row = width.into_iter().map(|covered| if covered { -0.0 } else { 0.0 }).collect();
        Self { covered: [depth, height], row }
    }
}

/// Writes the sums of the columns of one channel, `[kernel positions, window positions]`, to its image, all of it.
///
/// # Panics
/// When the image has another size.
pub fn sum_plane(columns: &[f32], window: &Window, starts: &Starts, image: &mut [MaybeUninit<f32>]) {
    let [depth, height] = &starts.covered;
    assert_eq!(image.len(), depth.len() * height.len() * starts.row.len(), "an image under a window");
    for (at, image) in image.chunks_exact_mut(starts.row.len()).enumerate() {
        if depth[at / height.len()] && height[at % height.len()] {
            write_copy(image, &starts.row);
        } else {
            image.fill(MaybeUninit::new(0.0));
        }
    }
    // SAFETY: an image consists of rows, and each was written.
    let image = unsafe { initialised(image) };
    let outputs = window.outputs();
    for kernel in 0..window.kernels() {
        let column = &columns[kernel * outputs..][..outputs];
        each_run(window, kernel, |run| {
            let column = &column[run.output..][..run.length];
            if run.stride == 1 {
                let sums = &mut image[run.input..][..run.length];
                sums.iter_mut().zip(column).for_each(|(sum, addend)| *sum += addend);
            } else {
                let sums = image[run.input..].iter_mut().step_by(run.stride);
                sums.zip(column).for_each(|(sum, addend)| *sum += addend);
            }
        });
    }
}

/// Writes the columns of the window positions `positions` of one sample's images into the rows of `out`, `[channels · kernel
/// positions, row]`, from element `place` of each on.
///
/// # Panics
/// When `images` are not images of the window's input size, or `out` has another length.
pub fn columns_at(
    level: Level,
    images: &[f32],
    window: &Window,
    positions: Range<usize>,
    out: &mut [f32],
    (row, place): (usize, usize),
) {
    let (inputs, kernels, width) = (window.inputs(), window.kernels(), positions.len());
    assert_eq!(out.len() * inputs, images.len() * kernels * row, "columns in rows of {row} positions");
    let mut runs = Vec::new();
    for kernel in 0..kernels {
        runs.clear();
        let mut covered = 0;
        each_run_near(window, kernel, positions.clone(), |run| {
            let (start, end) = (run.output.max(positions.start), (run.output + run.length).min(positions.end));
            if start < end {
                let input = run.input + (start - run.output) * run.stride;
                runs.push(Run { output: start - positions.start, input, stride: run.stride, length: end - start });
                covered += end - start;
            }
        });
        let is_padded = covered < width;
        for (image, rows) in images.chunks_exact(inputs).zip(out.chunks_exact_mut(kernels * row)) {
            let column = &mut rows[kernel * row + place..][..width];
            per_level!(
                level,
                (image: &[f32] = image, runs: &[Run] = &runs, is_padded: bool = is_padded, column: &mut [f32] = column),
                copy_runs(image, runs, is_padded, column)
            );
        }
    }
}

#[inline(always)]
fn copy_runs(image: &[f32], runs: &[Run], is_padded: bool, column: &mut [f32]) {
    if is_padded {
        column.fill(0.0);
    }
    for run in runs {
        match run.stride {
            1 => copy_short(&image[run.input..][..run.length], &mut column[run.output..][..run.length]),
            _ => run.copy(image, column),
        }
    }
}

/// Copies as many values as are mostly in a row of an image; a call takes longer than that.
#[inline(always)]
fn copy_short(from: &[f32], to: &mut [f32]) {
    // In pieces, which overlap where the length is no multiple of theirs.
    match from.len() {
        length @ 33..=64 => {
            copy_piece::<16>(from, to, 0);
            copy_piece::<16>(from, to, 16);
            copy_piece::<16>(from, to, length - 32);
            copy_piece::<16>(from, to, length - 16);
        }
        length @ 16..=32 => {
            copy_piece::<16>(from, to, 0);
            copy_piece::<16>(from, to, length - 16);
        }
        length @ 8..=15 => {
            copy_piece::<8>(from, to, 0);
            copy_piece::<8>(from, to, length - 8);
        }
        length @ 4..=7 => {
            copy_piece::<4>(from, to, 0);
            copy_piece::<4>(from, to, length - 4);
        }
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
fn copy_piece<const LENGTH: usize>(from: &[f32], to: &mut [f32], offset: usize) {
    let piece: &[f32; LENGTH] = from[offset..].first_chunk().expect("a piece inside");
    *to[offset..].first_chunk_mut().expect("a place as long") = *piece;
}

/// Neighbouring outputs along the last axis, none of which reads padding.
struct Run {
    /// Row-major position of the first one.
    output: usize,
    /// Row-major input position that it reads.
    input: usize,
    /// Distance of the inputs.
    stride: usize,
    /// How many outputs.
    length: usize,
}

impl Run {
    #[inline(always)]
    fn copy(&self, image: &[f32], column: &mut [f32]) {
        let column = &mut column[self.output..][..self.length];
        if self.stride == 1 {
            column.copy_from_slice(&image[self.input..][..self.length]);
        } else {
            let sources = image[self.input..].iter().step_by(self.stride);
            column.iter_mut().zip(sources).for_each(|(column, source)| *column = *source);
        }
    }
}

/// Calls `each` for every run of outputs under a kernel position.
#[inline(always)]
fn each_run(window: &Window, kernel: usize, each: impl FnMut(Run)) {
    each_run_near(window, kernel, 0..window.outputs(), each);
}

/// Calls `each` for every run of outputs under a kernel position of the rows in which there are some of `outputs`.
#[inline(always)]
fn each_run_near(window: &Window, kernel: usize, outputs: Range<usize>, mut each: impl FnMut(Run)) {
    let [depth, height, width] = window.axes;
    let [z, y, x] = window.kernel(kernel);
    let columns = width.outputs(x);
    if columns.is_empty() || outputs.is_empty() {
        return;
    }
    let first = columns.start * width.stride + x * width.dilation - width.padding;
    let rows = outputs.start / width.output..outputs.end.div_ceil(width.output);
    let inside = |all: Range<usize>, near: Range<usize>| all.start.max(near.start)..all.end.min(near.end);
    for plane in inside(depth.outputs(z), rows.start / height.output..rows.end.div_ceil(height.output)) {
        let input = plane * depth.stride + z * depth.dilation - depth.padding;
        let before = plane * height.output;
        for row in inside(height.outputs(y), rows.start.saturating_sub(before)..rows.end.saturating_sub(before)) {
            let input = input * height.input + row * height.stride + y * height.dilation - height.padding;
            each(Run {
                output: (before + row) * width.output + columns.start,
                input: input * width.input + first,
                stride: width.stride,
                length: columns.len(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::ops;
    use super::super::super::window::{Axis, tests::random_axis};
    use super::super::adversarial::{adversarial, bits, on_threads};
    use super::*;
    use crate::rng::{CounterRng, Stream};

    fn windows() -> impl Iterator<Item = (usize, usize, Window)> {
        let rng = CounterRng::new(2, Stream::workload(3), 0);
        (0..150).map(move |index| {
            let axis = |k: u64| random_axis(rng, 3 * index + k);
            let axes = match index % 3 {
                0 => [Axis::NONE, Axis::NONE, axis(0)],
                1 => [Axis::NONE, axis(0), axis(1)],
                _ => [axis(0), axis(1), axis(2)],
            };
            (1 + index as usize % 3, 1 + index as usize / 2 % 3, Window { axes })
        })
    }

    fn check(fast: impl Fn() -> Vec<f32> + Send + Sync, expected: Vec<f32>, what: &str) {
        let expected = bits(expected);
        for threads in [1, 2, 5] {
            assert_eq!(bits(on_threads(threads, &fast)), expected, "{what} {threads} threads");
        }
    }

    #[test]
    fn columns_of_every_window_equal_the_reference() {
        for (batch, channels, window) in windows() {
            let image = adversarial(batch * channels * window.inputs(), 1);
            let expected = ops::columns::columns(&image, batch, channels, &window);
            check(|| columns(&image, batch, channels, &window), expected, &format!("{window:?}"));
        }
    }

    #[test]
    fn sums_of_the_columns_of_every_window_equal_the_reference() {
        for (index, (batch, channels, window)) in windows().enumerate() {
            let mut values = adversarial(batch * channels * window.kernels() * window.outputs(), 1);
            if index % 4 == 0 {
                values.fill(-0.0);
            }
            let expected = ops::columns::sum_columns(&values, batch, channels, &window);
            check(|| sum_columns(&values, batch, channels, &window), expected, &format!("{window:?}"));
        }
    }

    #[test]
    fn a_sum_keeps_the_sign_of_its_zeros_and_an_empty_one_is_positive() {
        let axis = Axis { input: 4, kernel: 1, stride: 2, padding: 0, dilation: 1, output: 2 };
        let window = Window { axes: [Axis::NONE, Axis::NONE, axis] };
        assert_eq!(bits(sum_columns(&[-0.0, -0.0], 1, 1, &window)), [0x8000_0000, 0, 0x8000_0000, 0]);
    }
}
