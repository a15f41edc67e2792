//! Functions of each element, and of each pair of elements.

use burn_backend::{DType, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::kernels::{BinaryFunction, Function};
use super::super::ops;
use super::facts::{Exact, facts};
use super::launch::{contiguous, is_nan, output, threads};
use super::traced::Tracer;

#[cube]
#[allow(unused_variables, reason = "used where the kernel is written")]
fn apply(x: f32, zero: u32, #[comptime] function: Function, #[comptime] exact: Exact) -> f32 {
    intrinsic!(|scope| {
        let tracer = Tracer::new(scope, &zero, exact);
        ops::apply(function, tracer.number(&x)).value()
    })
}

#[cube(launch_unchecked)]
fn map_kernel(
    input: &Array<f32>,
    output: &mut Array<f32>,
    zero: u32,
    #[comptime] function: Function,
    #[comptime] exact: Exact,
) {
    if ABSOLUTE_POS < output.len() {
        output[ABSOLUTE_POS] = apply(input[ABSOLUTE_POS], zero, function, exact);
    }
}

#[cube]
#[allow(unused_variables, reason = "used where the kernel is written")]
fn apply_binary(x: f32, y: f32, zero: u32, #[comptime] function: BinaryFunction, #[comptime] exact: Exact) -> f32 {
    intrinsic!(|scope| {
        let tracer = Tracer::new(scope, &zero, exact);
        ops::apply_binary(function, tracer.number(&x), tracer.number(&y)).value()
    })
}

#[cube(launch_unchecked)]
fn zip_kernel(
    left: &Array<f32>,
    right: &Array<f32>,
    output: &mut Array<f32>,
    zero: u32,
    #[comptime] function: BinaryFunction,
    #[comptime] exact: Exact,
) {
    if ABSOLUTE_POS < output.len() {
        output[ABSOLUTE_POS] = apply_binary(left[ABSOLUTE_POS], right[ABSOLUTE_POS], zero, function, exact);
    }
}

/// `function` of each element.
pub fn map<R: CubeRuntime>(function: Function, tensor: CubeTensor<R>) -> CubeTensor<R> {
    let input = contiguous(tensor);
    let (client, count) = (input.client.clone(), input.shape().num_elements());
    let out = output(&input, input.shape(), input.dtype);
    if count > 0 {
        let exact = facts::<R>(&input.device).exact;
        let (cubes, dim) = threads(&client, count);
        // SAFETY: both tensors have `count` elements in row-major order; threads beyond them do nothing.
        unsafe {
            map_kernel::launch_unchecked::<R>(
                &client,
                cubes,
                dim,
                input.into_array_arg(),
                out.clone().into_array_arg(),
                0,
                function,
                exact,
            );
        }
    }
    out
}

/// `function` of each pair of elements of two tensors of one shape.
pub fn zip<R: CubeRuntime>(function: BinaryFunction, left: CubeTensor<R>, right: CubeTensor<R>) -> CubeTensor<R> {
    let (left, right) = (contiguous(left), contiguous(right));
    let (client, count) = (left.client.clone(), left.shape().num_elements());
    assert_eq!(left.shape(), right.shape(), "operands of {function:?}");
    let out = output(&left, left.shape(), left.dtype);
    if count > 0 {
        let exact = facts::<R>(&left.device).exact;
        let (cubes, dim) = threads(&client, count);
        // SAFETY: all tensors have `count` elements in row-major order; threads beyond them do nothing.
        unsafe {
            zip_kernel::launch_unchecked::<R>(
                &client,
                cubes,
                dim,
                left.into_array_arg(),
                right.into_array_arg(),
                out.clone().into_array_arg(),
                0,
                function,
                exact,
            );
        }
    }
    out
}

#[cube(launch_unchecked)]
fn to_int_kernel(input: &Array<f32>, output: &mut Array<i32>) {
    if ABSOLUTE_POS < output.len() {
        let x = input[ABSOLUTE_POS];
        // Vulkan leaves open what a cast beyond the range gives: cast a number inside, then choose.
        let (above, below) = (x >= -2_147_483_648.0f32, x < 2_147_483_648.0f32);
        let inside = above && below;
        let cast = i32::cast_from(select(inside, x, 0.0f32));
        let end = select(is_nan(x), 0i32, select(x < 0.0f32, MIN, MAX));
        output[ABSOLUTE_POS] = select(inside, cast, end);
    }
}

const MIN: i32 = i32::MIN;
const MAX: i32 = i32::MAX;

/// Each element as an i32, towards zero; beyond the range its nearest end, NaN gives 0.
pub fn to_int<R: CubeRuntime>(tensor: CubeTensor<R>) -> CubeTensor<R> {
    let input = contiguous(tensor);
    let (client, count) = (input.client.clone(), input.shape().num_elements());
    let out = output(&input, input.shape(), DType::I32);
    if count > 0 {
        let (cubes, dim) = threads(&client, count);
        let (input, result) = (input.into_array_arg(), out.clone().into_array_arg());
        // SAFETY: both tensors have `count` elements in row-major order; threads beyond them do nothing.
        unsafe { to_int_kernel::launch_unchecked::<R>(&client, cubes, dim, input, result) };
    }
    out
}
