//! Where the smallest or largest value of a column is. The answer does not depend on the order of comparisons, so 32
//! threads share a column.

use burn_backend::{DType, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::kernels::Extremum;
use super::columns::Columns;
use super::launch::{contiguous, is_nan, output};

/// Threads that share a column.
const LANES: usize = 32;
/// Columns of one cube.
const SLOTS: usize = 8;
/// The index of a thread that has seen nothing.
const NONE: i32 = i32::MAX;

#[cube(launch_unchecked)]
fn extremum_kernel(
    input: &Array<f32>,
    output: &mut Array<i32>,
    length: usize,
    inner: usize,
    #[comptime] extremum: Extremum,
) {
    let unit = UNIT_POS as usize;
    let (lane, slot) = (unit % LANES, unit / LANES);
    let column = CUBE_POS * SLOTS + slot;
    let mut best = f32::reinterpret(0u32);
    let mut at = NONE.runtime();
    if column < output.len() {
        let start = column / inner * length * inner + column % inner;
        for i in range_stepped(lane, length, LANES) {
            let value = input[start + i * inner];
            let index = i32::cast_from(i);
            let taken = beats(value, index, best, at, extremum);
            best = select(taken, value, best);
            at = select(taken, index, at);
        }
    }
    let mut values = SharedMemory::<f32>::new(LANES * SLOTS);
    let mut indices = SharedMemory::<i32>::new(LANES * SLOTS);
    values[unit] = best;
    indices[unit] = at;
    sync_cube();
    #[unroll]
    for level in 0..5usize {
        let half = comptime!(LANES >> (level + 1));
        if lane < half {
            let (value, index) = (values[unit + half], indices[unit + half]);
            let taken = beats(value, index, values[unit], indices[unit], extremum);
            values[unit] = select(taken, value, values[unit]);
            indices[unit] = select(taken, index, indices[unit]);
        }
        sync_cube();
    }
    if lane == 0 && column < output.len() {
        output[column] = indices[unit];
    }
}

/// Whether one value comes before another: a NaN before a number, the more extreme number, of equals the first.
#[cube]
fn beats(value: f32, index: i32, best: f32, at: i32, #[comptime] extremum: Extremum) -> bool {
    let more = match extremum {
        Extremum::Min => value < best,
        Extremum::Max => value > best,
    };
    let (nan, best_nan) = (is_nan(value), is_nan(best));
    let tie = (nan && best_nan) || value == best;
    let wins = (!best_nan && (nan || more)) || (tie && index < at);
    index != NONE && (at == NONE || wins)
}

/// Index along `dim` of the first extremum, as i32; `dim` becomes size 1.
pub fn arg_extremum_dim<R: CubeRuntime>(extremum: Extremum, tensor: CubeTensor<R>, dim: usize) -> CubeTensor<R> {
    let input = contiguous(tensor);
    let around = Columns::new(&input.shape(), dim);
    assert!(around.length > 0, "extremum along dimension {dim}, which has size 0");
    let columns = around.reduced.num_elements();
    let out = output(&input, around.reduced, DType::I32);
    if columns > 0 {
        let client = input.client.clone();
        let dim = CubeDim::new_1d((LANES * SLOTS) as u32);
        let cubes = cubecl::calculate_cube_count_elemwise(&client, columns.div_ceil(SLOTS) * LANES * SLOTS, dim);
        // SAFETY: the sizes are those of the tensors; threads beyond the columns do nothing.
        unsafe {
            extremum_kernel::launch_unchecked::<R>(
                &client,
                cubes,
                dim,
                input.into_array_arg(),
                out.clone().into_array_arg(),
                around.length,
                around.inner,
                extremum,
            );
        }
    }
    out
}
