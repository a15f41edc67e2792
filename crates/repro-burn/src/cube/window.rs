//! Windows over images: columns for convolutions and their adjoint, max pools, a thread per element of the result.

use burn_backend::{DType, Shape, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::window::{Axis, Window};
use super::launch::{contiguous, is_nan, output, threads, zero_barrier};

/// The position of the maximum of no elements.
const NONE: i32 = -1;

/// Where `output` reads the input through kernel position `kernel`, and whether that is input and not padding.
#[cube]
fn source(output: usize, kernel: usize, #[comptime] axis: Axis) -> (usize, bool) {
    let position = output * axis.stride + kernel * axis.dilation;
    let inside = position >= axis.padding && position < comptime!(axis.padding + axis.input);
    (select(inside, position - axis.padding, 0), inside)
}

/// The output that reads input position `position` through `kernel`, and whether there is one.
#[cube]
fn reader(position: usize, kernel: usize, #[comptime] axis: Axis) -> (usize, bool) {
    let (reach, offset) = (position + axis.padding, kernel * axis.dilation);
    let distance = select(reach >= offset, reach - offset, 0);
    let output = distance / axis.stride;
    let inside = reach >= offset && distance % axis.stride == 0 && output < axis.output;
    (select(inside, output, 0), inside)
}

#[cube(launch_unchecked)]
fn columns_kernel(
    images: &Array<f32>,
    out: &mut Array<f32>,
    batch: usize,
    channels: usize,
    #[comptime] window: Window,
) {
    if ABSOLUTE_POS < out.len() {
        let [depth, height, width] = comptime!(window.axes);
        let (outputs, kernels) = comptime!((window.outputs(), window.kernels()));
        let (at, row) = (ABSOLUTE_POS % outputs, ABSOLUTE_POS / (outputs * batch));
        let sample = ABSOLUTE_POS / outputs % batch;
        let (kernel, channel) = (row % kernels, row / kernels);
        let (d, d_inside) = source(
            at / comptime!(height.output * width.output),
            kernel / comptime!(height.kernel * width.kernel),
            depth,
        );
        let (h, h_inside) = source(at / width.output % height.output, kernel / width.kernel % height.kernel, height);
        let (w, w_inside) = source(at % width.output, kernel % width.kernel, width);
        let image = (sample * channels + channel) * comptime!(window.inputs());
        let mut value = f32::reinterpret(0u32);
        if d_inside && h_inside && w_inside {
            value = images[image + (d * height.input + h) * width.input + w];
        }
        out[ABSOLUTE_POS] = value;
    }
}

#[cube(launch_unchecked)]
fn sum_columns_kernel(columns: &Array<f32>, out: &mut Array<f32>, zero: u32, #[comptime] window: Window) {
    if ABSOLUTE_POS < out.len() {
        let [depth, height, width] = comptime!(window.axes);
        let (inputs, outputs) = comptime!((window.inputs(), window.outputs()));
        let (at, plane) = (ABSOLUTE_POS % inputs, ABSOLUTE_POS / inputs);
        let (d, h, w) = (at / comptime!(height.input * width.input), at / width.input % height.input, at % width.input);
        let mut sum = f32::reinterpret(zero);
        let mut addends = 0u32.runtime();
        for kernel_d in 0..depth.kernel {
            let (output_d, d_inside) = reader(d, kernel_d, depth);
            for kernel_h in 0..height.kernel {
                let (output_h, h_inside) = reader(h, kernel_h, height);
                for kernel_w in 0..width.kernel {
                    let (output_w, w_inside) = reader(w, kernel_w, width);
                    if d_inside && h_inside && w_inside {
                        let kernel = (kernel_d * height.kernel + kernel_h) * width.kernel + kernel_w;
                        let output = (output_d * height.output + output_h) * width.output + output_w;
                        let addend = columns[(plane * comptime!(window.kernels()) + kernel) * outputs + output];
                        sum = select(addends == 0u32, addend, zero_barrier(sum + addend, zero));
                        addends += 1;
                    }
                }
            }
        }
        out[ABSOLUTE_POS] = sum;
    }
}

#[cube(launch_unchecked)]
fn max_pool_kernel(
    planes: &Array<f32>,
    values: &mut Array<f32>,
    positions: &mut Array<i32>,
    #[comptime] rows: Axis,
    #[comptime] columns: Axis,
) {
    if ABSOLUTE_POS < values.len() {
        let (column, row) = (ABSOLUTE_POS % columns.output, ABSOLUTE_POS / columns.output % rows.output);
        let plane = ABSOLUTE_POS / comptime!(rows.output * columns.output) * comptime!(rows.input * columns.input);
        let mut best = f32::reinterpret(0xff80_0000u32);
        let mut at = NONE.runtime();
        for kernel_row in 0..rows.kernel {
            let (y, y_inside) = source(row, kernel_row, rows);
            for kernel_column in 0..columns.kernel {
                let (x, x_inside) = source(column, kernel_column, columns);
                if y_inside && x_inside {
                    let value = planes[plane + y * columns.input + x];
                    let taken = at < 0i32 || (!is_nan(best) && (is_nan(value) || value > best));
                    best = select(taken, value, best);
                    at = select(taken, i32::cast_from(y * columns.input + x), at);
                }
            }
        }
        values[ABSOLUTE_POS] = best;
        positions[ABSOLUTE_POS] = at;
    }
}

/// The first and the end of the outputs whose windows reach `position`.
#[cube]
fn readers(position: usize, #[comptime] axis: Axis) -> (usize, usize) {
    let reach = position + axis.padding;
    let extent = comptime!((axis.kernel - 1) * axis.dilation);
    let first = select(reach > extent, (reach - extent).div_ceil(axis.stride), 0);
    let end = reach / axis.stride + 1;
    (first, select(end < axis.output, end, axis.output))
}

#[cube(launch_unchecked)]
fn max_pool_backward_kernel(
    gradients: &Array<f32>,
    positions: &Array<i32>,
    out: &mut Array<f32>,
    zero: u32,
    #[comptime] rows: Axis,
    #[comptime] columns: Axis,
) {
    if ABSOLUTE_POS < out.len() {
        let at = ABSOLUTE_POS % comptime!(rows.input * columns.input);
        let plane = ABSOLUTE_POS / comptime!(rows.input * columns.input) * comptime!(rows.output * columns.output);
        let (first_row, end_row) = readers(at / columns.input, rows);
        let (first_column, end_column) = readers(at % columns.input, columns);
        let mut sum = f32::reinterpret(zero);
        for row in first_row..end_row {
            for column in first_column..end_column {
                let window = plane + row * columns.output + column;
                let is_its_maximum = positions[window] == i32::cast_from(at);
                sum = select(is_its_maximum, zero_barrier(sum + gradients[window], zero), sum);
            }
        }
        out[ABSOLUTE_POS] = sum;
    }
}

/// See [`Kernels::columns`](super::super::kernels::Kernels::columns).
pub fn columns<R: CubeRuntime>(images: CubeTensor<R>, window: Window) -> CubeTensor<R> {
    let images = contiguous(images);
    let shape = images.shape();
    let (batch, channels) = (shape[0], shape[1]);
    let out = output(&images, Shape::new([channels * window.kernels(), batch, window.outputs()]), images.dtype);
    let (client, count) = (images.client.clone(), out.shape().num_elements());
    if count > 0 {
        let (cubes, dim) = threads(&client, count);
        let (images, result) = (images.into_array_arg(), out.clone().into_array_arg());
        // SAFETY: sources are inside the images; threads beyond the result do nothing.
        unsafe {
            columns_kernel::launch_unchecked::<R>(&client, cubes, dim, images, result, batch, channels, window);
        }
    }
    out
}

/// See [`Kernels::sum_columns`](super::super::kernels::Kernels::sum_columns).
pub fn sum_columns<R: CubeRuntime>(columns: CubeTensor<R>, window: Window) -> CubeTensor<R> {
    let columns = contiguous(columns);
    let shape = columns.shape();
    let [depth, height, width] = window.axes.map(|axis| axis.input);
    let channels = shape[1] / window.kernels();
    let out = output(&columns, Shape::new([shape[0], channels, depth, height, width]), columns.dtype);
    let (client, count) = (columns.client.clone(), out.shape().num_elements());
    if count > 0 {
        let (cubes, dim) = threads(&client, count);
        let (columns, result) = (columns.into_array_arg(), out.clone().into_array_arg());
        // SAFETY: readers are inside the columns; threads beyond the result do nothing.
        unsafe {
            sum_columns_kernel::launch_unchecked::<R>(&client, cubes, dim, columns, result, 0, window);
        }
    }
    out
}

/// See [`Kernels::max_pool`](super::super::kernels::Kernels::max_pool); positions are i32.
pub fn max_pool<R: CubeRuntime>(planes: CubeTensor<R>, [rows, columns]: [Axis; 2]) -> (CubeTensor<R>, CubeTensor<R>) {
    let planes = contiguous(planes);
    let shape = Shape::new([planes.shape()[0], planes.shape()[1], rows.output, columns.output]);
    let (values, positions) = (output(&planes, shape.clone(), planes.dtype), output(&planes, shape, DType::I32));
    let (client, count) = (planes.client.clone(), values.shape().num_elements());
    if count > 0 {
        let (cubes, dim) = threads(&client, count);
        // SAFETY: sources are inside the planes; threads beyond the results do nothing.
        unsafe {
            max_pool_kernel::launch_unchecked::<R>(
                &client,
                cubes,
                dim,
                planes.into_array_arg(),
                values.clone().into_array_arg(),
                positions.clone().into_array_arg(),
                rows,
                columns,
            );
        }
    }
    (values, positions)
}

/// See [`Kernels::max_pool_backward`](super::super::kernels::Kernels::max_pool_backward); positions are i32.
pub fn max_pool_backward<R: CubeRuntime>(
    gradients: CubeTensor<R>,
    positions: CubeTensor<R>,
    [rows, columns]: [Axis; 2],
) -> CubeTensor<R> {
    let (gradients, positions) = (contiguous(gradients), contiguous(positions));
    let shape = Shape::new([gradients.shape()[0], gradients.shape()[1], rows.input, columns.input]);
    let out = output(&gradients, shape, gradients.dtype);
    let (client, count) = (gradients.client.clone(), out.shape().num_elements());
    if count > 0 {
        let (cubes, dim) = threads(&client, count);
        // SAFETY: windows are inside the gradients; threads beyond the result do nothing.
        unsafe {
            max_pool_backward_kernel::launch_unchecked::<R>(
                &client,
                cubes,
                dim,
                gradients.into_array_arg(),
                positions.into_array_arg(),
                out.clone().into_array_arg(),
                0,
                rows,
                columns,
            );
        }
    }
    out
}
