//! Reductions of one dimension: the tree of [`ops::fold`](super::super::ops::fold), a thread per lane.

use burn_backend::TensorMetadata;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::kernels::Fold;
use super::super::ops::fold::{self as reference, BLOCK, LANES, identity};
use super::columns::Columns;
use super::launch::{contiguous, output, zero_barrier};

/// Blocks of elements reduced by one cube, with a thread per lane each.
const SLOTS: usize = 8;

/// Reduces blocks of the middle dimension of `[outer, length, inner]` to `[outer, blocks, inner]`.
#[cube(launch_unchecked)]
fn fold_kernel(
    input: &Array<f32>,
    output: &mut Array<f32>,
    length: usize,
    inner: usize,
    zero: u32,
    #[comptime] fold: Fold,
    #[comptime] along_lanes: bool,
) {
    let unit = UNIT_POS as usize;
    // Neighbouring threads read neighbouring elements: lanes of one column, or columns side by side.
    let (lane, slot) = if along_lanes { (unit % LANES, unit / LANES) } else { (unit / SLOTS, unit % SLOTS) };
    let blocks = length.div_ceil(BLOCK);
    let task = CUBE_POS * SLOTS + slot;
    let mut sum = f32::reinterpret(identity_bits(fold));
    if task < output.len() {
        let (column, block, outer) = (task % inner, task / inner % blocks, task / (inner * blocks));
        let end = select(block * BLOCK + BLOCK < length, block * BLOCK + BLOCK, length);
        for i in range_stepped(block * BLOCK + lane, end, LANES) {
            sum = combine(sum, input[(outer * length + i) * inner + column], zero, fold);
        }
    }
    let mut lanes = SharedMemory::<f32>::new(LANES * SLOTS);
    let place = slot * LANES + lane;
    lanes[place] = sum;
    sync_cube();
    #[unroll]
    for level in 0..5usize {
        let half = comptime!(LANES >> (level + 1));
        if lane < half {
            lanes[place] = combine(lanes[place], lanes[place + half], zero, fold);
        }
        sync_cube();
    }
    if lane == 0 && task < output.len() {
        output[task] = lanes[place];
    }
}

#[cube]
fn combine(a: f32, b: f32, zero: u32, #[comptime] fold: Fold) -> f32 {
    match fold {
        Fold::Sum => zero_barrier(a + b, zero),
        Fold::Product => zero_barrier(a * b, zero),
    }
}

#[cube]
fn identity_bits(#[comptime] fold: Fold) -> u32 {
    comptime!(identity(fold).to_bits()).runtime()
}

/// Reduces `dim` to size 1.
pub fn fold_dim<R: CubeRuntime>(fold: Fold, tensor: CubeTensor<R>, dim: usize) -> CubeTensor<R> {
    let mut tensor = contiguous(tensor);
    let columns = Columns::new(&tensor.shape(), dim);
    if columns.length == 0 {
        let empty = reference::fold(fold, &[]);
        return filled(&tensor, columns.reduced, empty);
    }
    loop {
        let around = Columns::new(&tensor.shape(), dim);
        let blocks = around.length.div_ceil(BLOCK);
        let mut shape = around.reduced.clone();
        shape[dim] = blocks;
        let tasks = shape.num_elements();
        let out = output(&tensor, shape, tensor.dtype);
        if tasks > 0 {
            let client = tensor.client.clone();
            let dim = CubeDim::new_1d((LANES * SLOTS) as u32);
            let cubes = cubecl::calculate_cube_count_elemwise(&client, tasks.div_ceil(SLOTS) * LANES * SLOTS, dim);
            // SAFETY: the sizes are those of the tensors; threads beyond the output do nothing.
            unsafe {
                fold_kernel::launch_unchecked::<R>(
                    &client,
                    cubes,
                    dim,
                    tensor.into_array_arg(),
                    out.clone().into_array_arg(),
                    around.length,
                    around.inner,
                    0,
                    fold,
                    around.inner == 1,
                );
            }
        }
        if blocks == 1 {
            return out;
        }
        tensor = out;
    }
}

fn filled<R: CubeRuntime>(like: &CubeTensor<R>, shape: burn_backend::Shape, value: f32) -> CubeTensor<R> {
    burn_cubecl::ops::numeric::full_client::<R, f32>(like.client.clone(), shape, like.device.clone(), value)
}
