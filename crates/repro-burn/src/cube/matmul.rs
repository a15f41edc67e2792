//! Matrix product: each thread computes some output elements, each its own chain over ascending k in blocks of 512.

use burn_backend::{Shape, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::ops::matmul::BLOCK;
use super::facts::{FmaKind, facts};
use super::fma::fused;
use super::launch::{output, zero_barrier};

/// Threads along each side of a cube.
const SIDE: usize = 16;
/// Steps of k that a cube holds at once; it divides the block of 512.
const DEPTH: usize = 16;

/// How a cube divides its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Plan {
    /// Rank of the tensors.
    rank: usize,
    /// Output elements of a thread, along each side.
    each: usize,
    /// Whether the left matrix lies along k, so that neighbouring threads should read along it.
    left_along_k: bool,
    /// Whether the right matrix lies along k.
    right_along_k: bool,
    /// How fused multiply-add is done.
    fma: FmaKind,
}

#[cube(launch_unchecked)]
fn matmul_kernel(left: &Tensor<f32>, right: &Tensor<f32>, out: &mut Tensor<f32>, zero: u32, #[comptime] plan: Plan) {
    let rank = comptime!(plan.rank);
    let each = comptime!(plan.each);
    let side = comptime!(SIDE * plan.each);
    let (row_dim, column_dim) = comptime!((plan.rank - 2, plan.rank - 1));
    let (rows, columns, depth) = (out.shape(row_dim), out.shape(column_dim), left.shape(column_dim));
    let (row_tiles, column_tiles) = (rows.div_ceil(side), columns.div_ceil(side));

    let tile = CUBE_POS;
    let column = tile % column_tiles * side;
    let row = tile / column_tiles % row_tiles * side;
    let mut batch = tile / (column_tiles * row_tiles);
    let mut out_offset = 0usize.runtime();
    let mut left_offset = 0usize.runtime();
    let mut right_offset = 0usize.runtime();
    #[unroll]
    for i in 0..rank - 2 {
        let dim = comptime!(plan.rank - 3 - i);
        let position = batch % out.shape(dim);
        batch /= out.shape(dim);
        out_offset += position * out.stride(dim);
        left_offset += select(left.shape(dim) == 1, 0, position * left.stride(dim));
        right_offset += select(right.shape(dim) == 1, 0, position * right.stride(dim));
    }
    // The last cubes of a grid that is larger than the work have no batch left to compute.
    let active = batch == 0;

    let unit = UNIT_POS as usize;
    let (thread_row, thread_column) = (unit / SIDE, unit % SIDE);
    let mut left_tile = SharedMemory::<f32>::new(DEPTH * side);
    let mut right_tile = SharedMemory::<f32>::new(DEPTH * side);
    let mut totals = Array::<f32>::new(comptime!(plan.each * plan.each));
    let mut sums = Array::<f32>::new(comptime!(plan.each * plan.each));

    for block in range_stepped(0, depth, BLOCK) {
        #[unroll]
        for i in 0..each * each {
            sums[i] = f32::reinterpret(zero);
        }
        let end = select(block + BLOCK < depth, block + BLOCK, depth);
        for start in range_stepped(block, end, DEPTH) {
            sync_cube();
            #[unroll]
            for i in 0..each {
                let element = i * SIDE * SIDE + unit;
                let (place, k) = places(element, side, plan.left_along_k);
                let inside = active && row + place < rows && start + k < end;
                let at = left_offset + (row + place) * left.stride(row_dim) + (start + k) * left.stride(column_dim);
                left_tile[k * side + place] = if inside { left[at] } else { f32::reinterpret(zero) };
                let (place, k) = places(element, side, plan.right_along_k);
                let inside = active && column + place < columns && start + k < end;
                let at =
                    right_offset + (start + k) * right.stride(row_dim) + (column + place) * right.stride(column_dim);
                right_tile[k * side + place] = if inside { right[at] } else { f32::reinterpret(zero) };
            }
            sync_cube();
            // Never beyond the end: fma(0, 0, −0) would be +0.
            let steps = select(end - start < DEPTH, end - start, DEPTH);
            for k in 0..steps {
                #[unroll]
                for i in 0..each {
                    let a = left_tile[k * side + i * SIDE + thread_row];
                    #[unroll]
                    for j in 0..each {
                        let b = right_tile[k * side + j * SIDE + thread_column];
                        sums[i * each + j] = fused(a, b, sums[i * each + j], zero, plan.fma);
                    }
                }
            }
        }
        #[unroll]
        for i in 0..each * each {
            totals[i] = select(block == 0, sums[i], zero_barrier(totals[i] + sums[i], zero));
        }
    }

    #[unroll]
    for i in 0..each {
        #[unroll]
        for j in 0..each {
            let (i_row, j_column) = (row + i * SIDE + thread_row, column + j * SIDE + thread_column);
            if active && i_row < rows && j_column < columns {
                out[out_offset + i_row * out.stride(row_dim) + j_column * out.stride(column_dim)] =
                    totals[i * each + j];
            }
        }
    }
}

/// Which place along its side and which k an element of a tile has.
#[cube]
fn places(element: usize, #[comptime] side: usize, #[comptime] along_k: bool) -> (usize, usize) {
    if along_k { (element / DEPTH, element % DEPTH) } else { (element % side, element / side) }
}

/// Matrix product of the last two dimensions; leading dimensions broadcast.
pub fn matmul<R: CubeRuntime>(left: CubeTensor<R>, right: CubeTensor<R>) -> CubeTensor<R> {
    let (left_shape, right_shape) = (left.shape(), right.shape());
    let rank = left_shape.num_dims();
    let (rows, depth, columns) = (left_shape[rank - 2], left_shape[rank - 1], right_shape[rank - 1]);
    assert_eq!(
        depth,
        right_shape[rank - 2],
        "inner dimensions of a matrix product of {left_shape:?} and {right_shape:?}"
    );
    let mut dims: Vec<usize> = (0..rank - 2)
        .map(|dim| match (left_shape[dim], right_shape[dim]) {
            (a, b) if a == b || b == 1 => a,
            (1, b) => b,
            _ => panic!("matrix product of {left_shape:?} and {right_shape:?}: dimension {dim} does not broadcast"),
        })
        .collect();
    let batches: usize = dims.iter().product();
    dims.extend([rows, columns]);
    let shape = Shape::from(dims);
    if depth == 0 {
        return burn_cubecl::ops::numeric::zeros_client::<R>(left.client, left.device, shape, left.dtype);
    }
    let out = output(&left, shape, left.dtype);
    if batches * rows * columns == 0 {
        return out;
    }
    let client = left.client.clone();
    // Four times four elements a thread where that still leaves many cubes.
    let each = if rows >= 48 && columns >= 48 { 4 } else { 1 };
    let side = SIDE * each;
    let cubes = batches * rows.div_ceil(side) * columns.div_ceil(side);
    let plan = Plan {
        rank,
        each,
        left_along_k: left.meta.strides()[rank - 1] == 1,
        right_along_k: right.meta.strides()[rank - 2] == 1,
        fma: facts::<R>(&left.device).exact.fma,
    };
    let dim = CubeDim::new_2d(SIDE as u32, SIDE as u32);
    let count = cubecl::calculate_cube_count_elemwise(&client, cubes * SIDE * SIDE, dim);
    // SAFETY: reads and writes are inside the shapes, by comparison.
    unsafe {
        matmul_kernel::launch_unchecked::<R>(
            &client,
            count,
            dim,
            left.into_tensor_arg(),
            right.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            0,
            plan,
        );
    }
    out
}
