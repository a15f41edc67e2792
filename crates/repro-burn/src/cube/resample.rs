//! Weighted sums along the two axes of planes, a thread per element of the result.

use burn_backend::{Shape, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::taps::Taps;
use super::facts::{FmaKind, facts};
use super::fma::fused;
use super::launch::{contiguous, output, threads, zero_barrier};

/// A table of weights on the device; see [`Taps`].
#[derive(CubeType, CubeLaunch)]
struct Table {
    starts: Array<u32>,
    sources: Array<u32>,
    weights: Array<f32>,
    inputs: usize,
    outputs: usize,
}

#[cube(launch_unchecked)]
fn resample_kernel(
    planes: &Array<f32>,
    out: &mut Array<f32>,
    rows: &Table,
    columns: &Table,
    zero: u32,
    #[comptime] fma: FmaKind,
) {
    if ABSOLUTE_POS < out.len() {
        let (column, row) = (ABSOLUTE_POS % columns.outputs, ABSOLUTE_POS / columns.outputs % rows.outputs);
        let plane = ABSOLUTE_POS / (rows.outputs * columns.outputs) * (rows.inputs * columns.inputs);
        let mut sum = f32::reinterpret(zero);
        for row_tap in rows.starts[row]..rows.starts[row + 1] {
            let start = plane + rows.sources[row_tap as usize] as usize * columns.inputs;
            let mut of_row = f32::reinterpret(zero);
            for tap in columns.starts[column]..columns.starts[column + 1] {
                let value = planes[start + columns.sources[tap as usize] as usize];
                let is_first = tap == columns.starts[column];
                of_row = weighted(of_row, value, columns.weights[tap as usize], is_first, zero, fma);
            }
            let is_first = row_tap == rows.starts[row];
            sum = weighted(sum, of_row, rows.weights[row_tap as usize], is_first, zero, fma);
        }
        out[ABSOLUTE_POS] = sum;
    }
}

/// A weighted sum with one more addend.
#[cube]
fn weighted(sum: f32, value: f32, weight: f32, is_first: bool, zero: u32, #[comptime] fma: FmaKind) -> f32 {
    select(is_first, zero_barrier(weight * value, zero), fused(weight, value, sum, zero, fma))
}

/// See [`Kernels::resample`](super::super::kernels::Kernels::resample).
pub fn resample<R: CubeRuntime>(planes: CubeTensor<R>, rows: &Taps, columns: &Taps) -> CubeTensor<R> {
    let planes = contiguous(planes);
    let shape = Shape::new([planes.shape()[0], planes.shape()[1], rows.outputs(), columns.outputs()]);
    let out = output(&planes, shape, planes.dtype);
    let (client, count) = (planes.client.clone(), out.shape().num_elements());
    if count > 0 {
        let fma = facts::<R>(&planes.device).exact.fma;
        let (cubes, dim) = threads(&client, count);
        let (rows, columns) = (uploaded(&client, rows), uploaded(&client, columns));
        let (planes, result) = (planes.into_array_arg(), out.clone().into_array_arg());
        // SAFETY: sources are inside the planes, as `Taps` promises; threads beyond the result do nothing.
        unsafe {
            resample_kernel::launch_unchecked::<R>(&client, cubes, dim, planes, result, rows, columns, 0, fma);
        }
    }
    out
}

fn uploaded<R: CubeRuntime>(client: &ComputeClient<R>, taps: &Taps) -> TableLaunch<R> {
    // A buffer cannot be empty; what is beyond the last start is never read.
    let integers = |values: &[u32]| {
        let values = if values.is_empty() { &[0] } else { values };
        // SAFETY: the buffer has as many elements as the slice.
        unsafe { ArrayArg::from_raw_parts(client.create_from_slice(u32::as_bytes(values)), values.len()) }
    };
    let weights = if taps.weights.is_empty() { &[0.0] } else { taps.weights.as_slice() };
    // SAFETY: the buffer has as many elements as the slice.
    let weights = unsafe { ArrayArg::from_raw_parts(client.create_from_slice(f32::as_bytes(weights)), weights.len()) };
    TableLaunch::new(integers(&taps.starts), integers(&taps.sources), weights, taps.inputs, taps.outputs())
}
