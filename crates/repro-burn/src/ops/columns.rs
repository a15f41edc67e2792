//! Windows as columns of a matrix, and the sum of such columns back into an image.
//!
//! With columns, a convolution is a matrix product (see [`matmul`](super::matmul)). Images are `[batch, channels,
//! depth, height, width]`; a kernel position is counted in row-major order, so is a position of the window.

use super::super::window::Window;

/// `[channels · kernel positions, batch, window positions]`: the elements under each kernel position; +0 in the
/// padding.
///
/// # Panics
/// When `image` is not `batch · channels` images of the window's input size long.
#[cfg_attr(not(test), expect(dead_code, reason = "the truth that kernels are tested against"))]
pub fn columns(image: &[f32], batch: usize, channels: usize, window: &Window) -> Vec<f32> {
    let (inputs, outputs) = (window.inputs(), window.outputs());
    assert_eq!(image.len(), batch * channels * inputs, "images under a window");
    let mut columns = Vec::with_capacity(channels * window.kernels() * batch * outputs);
    for channel in 0..channels {
        for kernel in 0..window.kernels() {
            for sample in 0..batch {
                let image = &image[(sample * channels + channel) * inputs..][..inputs];
                columns.extend((0..outputs).map(|output| source(window, output, kernel).map_or(0.0, |at| image[at])));
            }
        }
    }
    columns
}

/// The adjoint: `columns` is `[batch, channels · kernel positions, window positions]`, the result the images.
///
/// An element is x₀ + x₁ + … from the left, starting with x₀ itself, over the kernel positions under which a window has
/// it, in ascending order; +0 if there is none.
///
/// # Panics
/// When `columns` has another length.
#[cfg_attr(not(test), expect(dead_code, reason = "the truth that kernels are tested against"))]
pub fn sum_columns(columns: &[f32], batch: usize, channels: usize, window: &Window) -> Vec<f32> {
    let (inputs, kernels, outputs) = (window.inputs(), window.kernels(), window.outputs());
    assert_eq!(columns.len(), batch * channels * kernels * outputs, "columns of a window");
    let mut sums = vec![None; batch * channels * inputs];
    for plane in 0..batch * channels {
        for kernel in 0..kernels {
            for output in 0..outputs {
                if let Some(at) = source(window, output, kernel) {
                    let addend = columns[(plane * kernels + kernel) * outputs + output];
                    let sum: &mut Option<f32> = &mut sums[plane * inputs + at];
                    *sum = Some(sum.map_or(addend, |sum| sum + addend));
                }
            }
        }
    }
    sums.into_iter().map(|sum| sum.unwrap_or(0.0)).collect()
}

/// Row-major input position that window position `output` has under kernel position `kernel`; none in the padding.
fn source(window: &Window, output: usize, kernel: usize) -> Option<usize> {
    let [_, height, width] = window.axes.map(|axis| axis.output);
    let output = [output / (height * width), output / width % height, output % width];
    let kernel = window.kernel(kernel);
    let mut position = 0;
    for (axis, (output, kernel)) in window.axes.iter().zip(output.into_iter().zip(kernel)) {
        position = position * axis.input + axis.source(output, kernel)?;
    }
    Some(position)
}
