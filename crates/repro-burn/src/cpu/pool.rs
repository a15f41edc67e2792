//! Max pooling of many planes, as [`ops::pool`](super::super::ops::pool) says.

use std::ops::Range;

use super::super::ops;
use super::super::window::Axis;
use super::chunks::{in_rows, rows_of_a_task, write_zeros};
use super::level::{Level, per_level};
use super::team::Team;

/// Largest element of each window of each plane, and its position in the plane.
///
/// # Panics
/// When `planes` is not a number of planes of the axes' input size, or a position does not fit i32.
pub fn max_pool(level: Level, planes: &[f32], axes: &[Axis; 2]) -> (Vec<f32>, Vec<i32>) {
    let [rows, columns] = axes;
    let (inputs, outputs) = (rows.input * columns.input, rows.output * columns.output);
    assert!(i32::try_from(inputs).is_ok(), "a plane of {inputs} elements in a max pool");
    let count = planes.len().checked_div(inputs).unwrap_or(0);
    assert_eq!(planes.len(), count * inputs, "planes under a window");
    let (mut values, mut positions) = (vec![f32::NEG_INFINITY; count * outputs], vec![-1; count * outputs]);
    if values.is_empty() {
        return (values, positions);
    }
    let at_once = rows_of_a_task(inputs.max(outputs));
    let out = values.chunks_mut(at_once * outputs).zip(positions.chunks_mut(at_once * outputs));
    let mut tasks: Vec<_> = out.zip(planes.chunks(at_once * inputs)).collect();
    Team::Pool.run_on(&mut tasks, |_, ((values, positions), planes)| {
        let out = values.chunks_exact_mut(outputs).zip(positions.chunks_exact_mut(outputs));
        for ((values, positions), plane) in out.zip(planes.chunks_exact(inputs)) {
            per_level!(
                level,
                (plane: &[f32] = plane, axes: &[Axis; 2] = axes, values: &mut [f32] = values, positions: &mut [i32] = positions),
                pool_plane(plane, axes, values, positions)
            );
        }
    });
    (values, positions)
}

/// The gradients of planes of `inputs` elements from those of `outputs` windows each.
///
/// # Panics
/// When the lengths do not fit or a position is outside of its plane.
pub fn max_pool_backward<P: Copy + Sync>(gradients: &[f32], positions: &[P], inputs: usize, outputs: usize) -> Vec<f32>
where
    usize: TryFrom<P>,
{
    assert_eq!(gradients.len(), positions.len(), "gradients and positions of a max pool");
    let count = gradients.len().checked_div(outputs).unwrap_or(0);
    let length = count * inputs;
    let mut out = Vec::with_capacity(length);
    in_rows(&mut out.spare_capacity_mut()[..length], inputs, inputs.max(outputs), |plane, out| {
        let windows = plane * outputs..(plane + 1) * outputs;
        ops::pool::max_pool_backward(&gradients[windows.clone()], &positions[windows], write_zeros(out));
    });
    // SAFETY: every plane was written.
    unsafe { out.set_len(length) };
    out
}

/// One plane, row by row: windows that lie whole inside of it [`AT_ONCE`] at a time, then the others.
#[inline(always)]
fn pool_plane(plane: &[f32], axes: &[Axis; 2], values: &mut [f32], positions: &mut [i32]) {
    let columns = axes[1];
    let whole = (0..columns.kernel).fold(0..columns.output, |whole, kernel| {
        let windows = columns.outputs(kernel);
        whole.start.max(windows.start)..whole.end.min(windows.end)
    });
    let groups = whole.len() / AT_ONCE;
    let whole = whole.start.min(columns.output)..whole.start.min(columns.output) + groups * AT_ONCE;
    let out = values.chunks_exact_mut(columns.output).zip(positions.chunks_exact_mut(columns.output));
    for (row, (values, positions)) in out.enumerate() {
        let (values_of_groups, _) = values[whole.clone()].as_chunks_mut::<AT_ONCE>();
        let (positions_of_groups, _) = positions[whole.clone()].as_chunks_mut::<AT_ONCE>();
        for (group, (values, positions)) in values_of_groups.iter_mut().zip(positions_of_groups).enumerate() {
            pool_group(plane, axes, row, whole.start + group * AT_ONCE, values, positions);
        }
        for windows in [0..whole.start, whole.end..columns.output] {
            if !windows.is_empty() {
                pool_some(plane, axes, row, windows, values, positions);
            }
        }
    }
}

/// Windows whose largest elements are sought together, in registers: a row of a plane is often no longer.
const AT_ONCE: usize = 8;

/// The windows from number `first` of a row on.
#[inline(always)]
fn pool_group(
    plane: &[f32],
    [rows, columns]: &[Axis; 2],
    row: usize,
    first: usize,
    values: &mut [f32; AT_ONCE],
    positions: &mut [i32; AT_ONCE],
) {
    let (mut best, mut best_at) = ([f32::NEG_INFINITY; AT_ONCE], [-1; AT_ONCE]);
    for kernel in rows.kernels(row) {
        let row_start = (row * rows.stride + kernel * rows.dilation - rows.padding) * columns.input;
        let plane_row = &plane[row_start..row_start + columns.input];
        for kernel in 0..columns.kernel {
            let start = first * columns.stride + kernel * columns.dilation - columns.padding;
            let elements = every(&plane_row[start..], columns.stride);
            let first_at = (row_start + start) as i32;
            for window in 0..AT_ONCE {
                let (value, at) = (elements[window], first_at + (window * columns.stride) as i32);
                let is_taken = is_beyond(value, best[window], best_at[window]);
                best[window] = if is_taken { value } else { best[window] };
                best_at[window] = if is_taken { at } else { best_at[window] };
            }
        }
    }
    (*values, *positions) = (best, best_at);
}

/// Every `stride`th value, from the first one on.
#[inline(always)]
fn every(values: &[f32], stride: usize) -> [f32; AT_ONCE] {
    match stride {
        1 => *values.first_chunk().expect("a value for each window"),
        // Pairs are loaded in registers; the last window's may be half outside.
        2 => match values.first_chunk::<{ 2 * AT_ONCE }>() {
            Some(pairs) => std::array::from_fn(|window| pairs[2 * window]),
            None => {
                let pairs: &[f32; 2 * AT_ONCE - 1] = values.first_chunk().expect("a value for each window");
                std::array::from_fn(|window| pairs[2 * window])
            }
        },
        stride => std::array::from_fn(|window| values[window * stride]),
    }
}

/// Some windows of a row: the elements under each kernel position in turn, side by side for all of them.
#[inline(always)]
fn pool_some(
    plane: &[f32],
    [rows, columns]: &[Axis; 2],
    row: usize,
    some: Range<usize>,
    values: &mut [f32],
    positions: &mut [i32],
) {
    for kernel in rows.kernels(row) {
        let row_start = (row * rows.stride + kernel * rows.dilation - rows.padding) * columns.input;
        let plane_row = &plane[row_start..row_start + columns.input];
        for kernel in 0..columns.kernel {
            let windows = columns.outputs(kernel);
            let windows = windows.start.max(some.start)..windows.end.min(some.end);
            if windows.is_empty() {
                continue;
            }
            let start = windows.start * columns.stride + kernel * columns.dilation - columns.padding;
            let (values, positions) = (&mut values[windows.clone()], &mut positions[windows]);
            meet(
                plane_row[start..].iter().step_by(columns.stride),
                row_start + start,
                columns.stride,
                values,
                positions,
            );
        }
    }
}

/// Whether an element takes the place of the largest one so far, at `best_at`: −1 if there is none.
#[inline(always)]
fn is_beyond(value: f32, best: f32, best_at: i32) -> bool {
    ((value > best) | value.is_nan() | (best_at < 0)) & !best.is_nan()
}

/// Takes each element that is beyond what its window has, or its first.
#[inline(always)]
fn meet<'a>(
    row: impl Iterator<Item = &'a f32>,
    first: usize,
    stride: usize,
    values: &mut [f32],
    positions: &mut [i32],
) {
    let mut at = first as i32;
    for ((best, position), value) in values.iter_mut().zip(positions).zip(row) {
        let is_taken = is_beyond(*value, *best, *position);
        *best = if is_taken { *value } else { *best };
        *position = if is_taken { at } else { *position };
        at += stride as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::window::tests::random_axis;
    use super::super::adversarial::{adversarial, bits, on_threads};
    use super::super::chunks::CHUNK;
    use super::*;
    use crate::rng::{CounterRng, Stream};

    #[test]
    fn every_window_and_thread_count_equals_the_reference() {
        let rng = CounterRng::new(4, Stream::workload(3), 0);
        for index in 0..150 {
            let mut axes = [random_axis(rng, 2 * index), random_axis(rng, 2 * index + 1)];
            if index % 3 > 0 {
                // Wide enough for windows that are done together, and some that are not.
                let Axis { stride, input, output, .. } = axes[1];
                let more = AT_ONCE * (index % 3) as usize + index as usize % 5;
                axes[1] = Axis { input: input + more * stride, output: output + more, ..axes[1] };
            }
            let (inputs, outputs) = (axes[0].input * axes[1].input, axes[0].output * axes[1].output);
            let count = if index == 0 { 1 + CHUNK / inputs } else { 3 };
            let planes = adversarial(count * inputs, index);
            let gradients = adversarial(count * outputs, index + 1);
            let expected: Vec<(f32, i32)> =
                planes.chunks_exact(inputs).flat_map(|plane| ops::pool::max_pool(plane, &axes)).collect();
            let positions: Vec<i64> = expected.iter().map(|(_, position)| i64::from(*position)).collect();
            let mut expected_gradients = vec![0.0; planes.len()];
            for (plane, out) in expected_gradients.chunks_exact_mut(inputs).enumerate() {
                let windows = plane * outputs..(plane + 1) * outputs;
                ops::pool::max_pool_backward(&gradients[windows.clone()], &positions[windows], out);
            }
            let (values, at): (Vec<f32>, Vec<i32>) = expected.into_iter().unzip();
            for (level, threads) in Level::available().into_iter().flat_map(|level| [1, 2, 5].map(|n| (level, n))) {
                let (got_values, got_at) = on_threads(threads, || max_pool(level, &planes, &axes));
                assert_eq!(bits(got_values), bits(values.iter().copied()), "{axes:?} {threads} threads");
                assert_eq!(got_at, at, "{axes:?} {threads} threads");
                let got = on_threads(threads, || max_pool_backward(&gradients, &positions, inputs, outputs));
                assert_eq!(bits(got), bits(expected_gradients.iter().copied()), "{axes:?} {threads} threads");
            }
        }
    }
}
