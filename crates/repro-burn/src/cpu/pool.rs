//! Max pooling of many planes, as [`ops::pool`](super::super::ops::pool) says.

use std::ops::Range;

use super::super::ops;
use super::super::window::Axis;
use super::chunks::{in_rows, rows_of_a_task};
use super::team::Team;

/// Largest element of each window of each plane, and its position in the plane.
///
/// # Panics
/// When `planes` is not a number of planes of the axes' input size, or a position does not fit i32.
pub fn max_pool(planes: &[f32], axes: &[Axis; 2]) -> (Vec<f32>, Vec<i32>) {
    let [rows, columns] = axes;
    let (inputs, outputs) = (rows.input * columns.input, rows.output * columns.output);
    assert!(i32::try_from(inputs).is_ok(), "a plane of {inputs} elements in a max pool");
    let count = planes.len().checked_div(inputs).unwrap_or(0);
    assert_eq!(planes.len(), count * inputs, "planes under a window");
    let (mut values, mut positions) = (vec![f32::NEG_INFINITY; count * outputs], vec![-1; count * outputs]);
    if values.is_empty() {
        return (values, positions);
    }
    let spans = |axis: &Axis| -> Vec<Span> { (0..axis.output).map(|output| Span::new(axis, output)).collect() };
    let (row_spans, column_spans) = (spans(rows), spans(columns));
    let plane = |plane: &[f32], values: &mut [f32], positions: &mut [i32]| {
        let rows = values.chunks_exact_mut(columns.output).zip(positions.chunks_exact_mut(columns.output));
        for ((values, positions), row) in rows.zip(&row_spans) {
            for ((value, position), column) in values.iter_mut().zip(positions).zip(&column_spans) {
                if let Some((best, at)) = largest(plane, columns.input, row, column) {
                    (*value, *position) = (best, at as i32);
                }
            }
        }
    };
    let at_once = rows_of_a_task(inputs.max(outputs));
    let out = values.chunks_mut(at_once * outputs).zip(positions.chunks_mut(at_once * outputs));
    let mut tasks: Vec<_> = out.zip(planes.chunks(at_once * inputs)).collect();
    Team::Pool.run_on(&mut tasks, |_, ((values, positions), planes)| {
        let out = values.chunks_exact_mut(outputs).zip(positions.chunks_exact_mut(outputs));
        for ((values, positions), input) in out.zip(planes.chunks_exact(inputs)) {
            plane(input, values, positions);
        }
    });
    (values, positions)
}

/// The gradients of planes of `inputs` elements from those of `outputs` windows each.
///
/// # Panics
/// When the lengths do not fit or a position is outside of its plane.
pub fn max_pool_backward(gradients: &[f32], positions: &[i64], inputs: usize, outputs: usize) -> Vec<f32> {
    assert_eq!(gradients.len(), positions.len(), "gradients and positions of a max pool");
    let count = gradients.len().checked_div(outputs).unwrap_or(0);
    let mut out = vec![0.0; count * inputs];
    if out.is_empty() {
        return out;
    }
    in_rows(&mut out, inputs, inputs.max(outputs), |plane, out| {
        let windows = plane * outputs..(plane + 1) * outputs;
        ops::pool::max_pool_backward(&gradients[windows.clone()], &positions[windows], out);
    });
    out
}

/// The positions of an axis that one window has.
struct Span {
    /// From the first to before the end.
    range: Range<usize>,
    step: usize,
}

impl Span {
    fn new(axis: &Axis, output: usize) -> Self {
        let kernels = axis.kernels(output);
        let position = |kernel: usize| (output * axis.stride + kernel * axis.dilation).saturating_sub(axis.padding);
        let range = if kernels.is_empty() { 0..0 } else { position(kernels.start)..position(kernels.end - 1) + 1 };
        Self { range, step: axis.dilation }
    }
}

#[inline(always)]
fn largest(plane: &[f32], width: usize, rows: &Span, columns: &Span) -> Option<(f32, usize)> {
    let mut at = rows.range.start * width + columns.range.start;
    if rows.range.is_empty() || columns.range.is_empty() {
        return None;
    }
    let mut best = plane[at];
    for y in rows.range.clone().step_by(rows.step) {
        let row = &plane[y * width..][..width];
        for x in columns.range.clone().step_by(columns.step) {
            let value = row[x];
            // `best` may be a NaN only once.
            if (value > best || value.is_nan()) && !best.is_nan() {
                (best, at) = (value, y * width + x);
            }
        }
    }
    Some((best, at))
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
            let axes = [random_axis(rng, 2 * index), random_axis(rng, 2 * index + 1)];
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
            for threads in [1, 2, 5] {
                let (got_values, got_at) = on_threads(threads, || max_pool(&planes, &axes));
                assert_eq!(bits(got_values), bits(values.iter().copied()), "{axes:?} {threads} threads");
                assert_eq!(got_at, at, "{axes:?} {threads} threads");
                let got = on_threads(threads, || max_pool_backward(&gradients, &positions, inputs, outputs));
                assert_eq!(bits(got), bits(expected_gradients.iter().copied()), "{axes:?} {threads} threads");
            }
        }
    }
}
