//! Weighted sums along both axes of many planes, as [`ops::resample`](super::super::ops::resample) says.
//!
//! The sums along a row do not depend on the output row, so each is made once.

use super::super::ops::Fma;
use super::super::ops::resample::weighted_sum;
use super::super::taps::Taps;
use super::chunks::in_rows;
use super::level::{Level, per_level};

/// The planes `[rows.outputs, columns.outputs]` made of `count` planes `[rows.inputs, columns.inputs]`.
///
/// # Panics
/// When `planes` has another length.
pub fn resample(level: Level, planes: &[f32], count: usize, rows: &Taps, columns: &Taps) -> Vec<f32> {
    let (inputs, outputs) = (rows.inputs * columns.inputs, rows.outputs() * columns.outputs());
    assert_eq!(planes.len(), count * inputs, "planes of an axis table");
    let mut out = vec![0.0; count * outputs];
    if planes.is_empty() || out.is_empty() {
        return out;
    }
    in_rows(&mut out, outputs, inputs.max(outputs), |plane, out| {
        one(level, &planes[plane * inputs..][..inputs], rows, columns, out);
    });
    out
}

fn one(level: Level, plane: &[f32], rows: &Taps, columns: &Taps, out: &mut [f32]) {
    per_level!(
        level,
        (plane: &[f32] = plane, rows: &Taps = rows, columns: &Taps = columns, out: &mut [f32] = out),
        each::<LevelFma>(plane, rows, columns, out)
    )
}

#[inline(always)]
fn each<F: Fma>(plane: &[f32], rows: &Taps, columns: &Taps, out: &mut [f32]) {
    let width = columns.outputs();
    let mut sums = Vec::with_capacity(rows.inputs * width);
    for row in plane.chunks_exact(columns.inputs) {
        sums.extend((0..width).map(|at| weighted_sum::<F>(columns.of(at).map(|(x, weight)| (row[x], weight)))));
    }
    for (at, out) in out.chunks_exact_mut(width).enumerate() {
        for (tap, (y, weight)) in rows.of(at).enumerate() {
            let sums = out.iter_mut().zip(&sums[y * width..][..width]);
            if tap == 0 {
                sums.for_each(|(out, sum)| *out = weight * sum);
            } else {
                sums.for_each(|(out, sum)| *out = F::fma(weight, *sum, *out));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::ops;
    use super::super::super::ops::fma::Fused;
    use super::super::adversarial::{adversarial, bits, on_threads};
    use super::*;
    use crate::rng::{CounterRng, Stream};

    fn random_taps(inputs: usize, outputs: usize, seed: u64) -> Taps {
        let rng = CounterRng::new(seed, Stream::workload(3), 0);
        let mut taps = Taps::new(inputs);
        for output in 0..outputs as u64 {
            let tap = |k: u64| (rng.u32(10 * output + k) as usize % inputs, rng.uniform_f32(10 * output + k) - 0.4);
            taps.push((0..u64::from(rng.u32(10 * output + 9)) % 5).map(tap));
        }
        taps
    }

    #[test]
    fn every_table_level_and_thread_count_equals_the_reference() {
        let sizes = [(1, 1, 1, 1), (3, 4, 5, 17), (7, 33, 2, 5), (1, 40, 3, 40), (9, 8, 9, 8), (130, 150, 40, 50)];
        for (seed, (height, width, out_height, out_width)) in sizes.into_iter().enumerate() {
            let rows = random_taps(height, out_height, seed as u64);
            let columns = random_taps(width, out_width, seed as u64 + 10);
            for (rows, columns) in [(&rows, &columns), (&rows.transposed(), &columns.transposed())] {
                let inputs = rows.inputs * columns.inputs;
                let planes = adversarial(3 * inputs, seed as u64);
                let expected = planes.chunks_exact(inputs).flat_map(|plane| {
                    let positions = (0..rows.outputs()).flat_map(|y| (0..columns.outputs()).map(move |x| (y, x)));
                    positions.map(|(y, x)| ops::resample::resample::<Fused>(plane, rows, columns, y, x))
                });
                let expected = bits(expected);
                for level in Level::available() {
                    for threads in [1, 2, 5] {
                        let got = on_threads(threads, || resample(level, &planes, 3, rows, columns));
                        assert_eq!(bits(got), expected, "{height} × {width} {level:?} {threads} threads");
                    }
                }
            }
        }
    }
}
