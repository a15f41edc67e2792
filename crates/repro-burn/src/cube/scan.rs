//! Running reductions along one dimension, a thread per column.

use burn_backend::TensorMetadata;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::kernels::Scan;
use super::super::ops::scan::start;
use super::columns::Columns;
use super::launch::{contiguous, is_nan, output, threads, zero_barrier};

#[cube(launch_unchecked)]
fn scan_kernel(
    input: &Array<f32>,
    output: &mut Array<f32>,
    columns: usize,
    length: usize,
    inner: usize,
    zero: u32,
    #[comptime] scan: Scan,
) {
    if ABSOLUTE_POS < columns {
        let first = ABSOLUTE_POS / inner * length * inner + ABSOLUTE_POS % inner;
        let mut so_far = f32::reinterpret(start_bits(scan));
        for i in 0..length {
            so_far = step(so_far, input[first + i * inner], zero, scan);
            output[first + i * inner] = so_far;
        }
    }
}

#[cube]
fn step(so_far: f32, x: f32, zero: u32, #[comptime] scan: Scan) -> f32 {
    match scan {
        Scan::Sum => zero_barrier(so_far + x, zero),
        Scan::Product => zero_barrier(so_far * x, zero),
        Scan::Min => select(is_nan(x) || x < so_far, x, so_far),
        Scan::Max => select(is_nan(x) || x > so_far, x, so_far),
    }
}

#[cube]
fn start_bits(#[comptime] scan: Scan) -> u32 {
    comptime!(start(scan).to_bits()).runtime()
}

/// Running reduction along `dim`; the shape stays.
pub fn scan_dim<R: CubeRuntime>(scan: Scan, tensor: CubeTensor<R>, dim: usize) -> CubeTensor<R> {
    let input = contiguous(tensor);
    let around = Columns::new(&input.shape(), dim);
    let out = output(&input, input.shape(), input.dtype);
    if input.shape().num_elements() > 0 {
        let client = input.client.clone();
        let columns = around.reduced.num_elements();
        let (cubes, dim) = threads(&client, columns);
        // SAFETY: the sizes are those of the tensors; threads beyond the columns do nothing.
        unsafe {
            scan_kernel::launch_unchecked::<R>(
                &client,
                cubes,
                dim,
                input.into_array_arg(),
                out.clone().into_array_arg(),
                columns,
                around.length,
                around.inner,
                0,
                scan,
            );
        }
    }
    out
}
