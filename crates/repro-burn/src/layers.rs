//! Tests of convolutions, pools and interpolation: their specified bits, their meaning, and that gradients are adjoint.

mod deformable;

use burn::tensor::TensorData;
use burn_backend::ops::{
    ConvOptions, ConvTransposeOptions, DeformConvOptions, FloatTensorOps, InterpolateMode, InterpolateOptions,
    ModuleOps, UnfoldOptions,
};
use burn_backend::{Shape, TensorMetadata};
use burn_flex::{Flex, FlexTensor};

use super::Cpu;
use super::cpu::adversarial::{adversarial, bits, on_threads};
use super::cpu::level::{Level, forced::with_level};
use super::kernels::Fold;
use super::ops::columns::{columns, sum_columns};
use super::ops::fma::Fused;
use super::ops::fold::fold;
use super::ops::matmul::dot;
use super::window::{Axis, Window, tests::random_axis};
use crate::rng::{CounterRng, Stream};

fn of(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, Shape::from(shape.to_vec())))
}

fn values(tensor: FlexTensor) -> Vec<f32> {
    tensor.into_data().to_vec().expect("an f32 tensor")
}

/// Numbers from −1 to 1.
fn plain(count: usize, seed: u64) -> Vec<f32> {
    let rng = CounterRng::new(seed, Stream::workload(1), 0);
    (0..count as u64).map(|index| rng.uniform_f32(index) * 2.0 - 1.0).collect()
}

/// Checks `op` at every level and on 1, 2 and 5 threads.
#[track_caller]
fn assert_specified(op: impl Fn() -> FlexTensor + Send + Sync, expected: Vec<f32>, what: &str) {
    let expected = bits(expected);
    for level in Level::available() {
        for threads in [1, 2, 5, 16] {
            let got = on_threads(threads, || with_level(level, || bits(values(op()))));
            assert_eq!(got.len(), expected.len(), "{what}: length");
            let differing = got.iter().zip(&expected).position(|(got, expected)| got != expected);
            assert_eq!(differing, None, "{what} {level:?} {threads} threads");
        }
    }
}

/// Checks that `got` is within `tolerance` of `expected`, of which 1 is a typical size.
#[track_caller]
fn assert_close(got: FlexTensor, expected: FlexTensor, tolerance: f32, what: &str) {
    assert_eq!(got.shape(), expected.shape(), "{what}");
    for (got, expected) in values(got).into_iter().zip(values(expected)) {
        assert!((got - expected).abs() <= tolerance * (1.0 + expected.abs()), "{what}: {got:e} for {expected:e}");
    }
}

#[track_caller]
fn assert_adjoint(forward: [&FlexTensor; 2], backward: [&FlexTensor; 2], what: &str) {
    let inner = |[a, b]: [&FlexTensor; 2]| -> f64 {
        values(a.clone()).into_iter().zip(values(b.clone())).map(|(a, b)| f64::from(a) * f64::from(b)).sum()
    };
    let (forward, backward) = (inner(forward), inner(backward));
    assert!((forward - backward).abs() <= 1e-4 * (1.0 + forward.abs()), "{what}: {forward} and {backward}");
}

/// A convolution of random sizes.
#[derive(Debug)]
struct Case {
    axes: Vec<Axis>,
    window: Window,
    batch: usize,
    groups: usize,
    /// Channels of the image in a group.
    channels: usize,
    /// Channels beside the window's positions in a group.
    outputs: usize,
}

impl Case {
    fn new(axes: &[Axis], [batch, groups, channels, outputs]: [usize; 4]) -> Self {
        let mut window = Window { axes: [Axis::NONE; 3] };
        window.axes[3 - axes.len()..].copy_from_slice(axes);
        Self { axes: axes.to_vec(), window, batch, groups, channels, outputs }
    }

    /// `dimensions` axes; `exact` if the last window must fit.
    fn random(index: u64, dimensions: usize) -> Self {
        let rng = CounterRng::new(7, Stream::workload(3), 0);
        let axes: Vec<Axis> = (0..dimensions as u64)
            .map(|axis| {
                let axis = random_axis(rng, 5 * index + axis);
                let output = (axis.input + 2 * axis.padding - axis.dilation * (axis.kernel - 1) - 1) / axis.stride + 1;
                Axis { output, ..axis }
            })
            .collect();
        let draw = |k: u64, to: u32| 1 + (rng.u32(100_000 + 4 * index + k) % to) as usize;
        Self::new(&axes, [draw(0, 3), draw(1, 3), draw(2, 4), draw(3, 20)])
    }

    fn sizes(&self, of: impl Fn(&Axis) -> usize) -> Vec<usize> {
        self.axes.iter().map(of).collect()
    }

    fn image_shape(&self) -> Vec<usize> {
        [vec![self.batch, self.groups * self.channels], self.sizes(|axis| axis.input)].concat()
    }

    fn output_shape(&self) -> Vec<usize> {
        [vec![self.batch, self.groups * self.outputs], self.sizes(|axis| axis.output)].concat()
    }

    fn weight_shape(&self) -> Vec<usize> {
        [vec![self.groups * self.outputs, self.channels], self.sizes(|axis| axis.kernel)].concat()
    }

    fn options<const D: usize>(&self) -> ConvOptions<D> {
        let sizes = |of: fn(&Axis) -> usize| self.sizes(of).try_into().expect("D axes");
        ConvOptions::new(
            sizes(|axis| axis.stride),
            sizes(|axis| axis.padding),
            sizes(|axis| axis.dilation),
            self.groups,
        )
    }

    fn transposed<const D: usize>(&self) -> ConvTransposeOptions<D> {
        let left = |axis: &Axis| {
            axis.input + 2 * axis.padding - axis.dilation * (axis.kernel - 1) - 1 - (axis.output - 1) * axis.stride
        };
        let options = self.options::<D>();
        let padding_out = self.sizes(left).try_into().expect("D axes");
        ConvTransposeOptions::new(options.stride, options.padding, padding_out, options.dilation, self.groups)
    }

    /// Columns as `[group][channel · kernel position][sample][position]`.
    fn columns(&self, image: &[f32]) -> Vec<f32> {
        columns(image, self.batch, self.groups * self.channels, &self.window)
    }

    fn depth(&self) -> usize {
        self.channels * self.window.kernels()
    }

    /// The specified convolution.
    fn convolved(&self, image: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let (columns, depth, positions) = (self.columns(image), self.depth(), self.window.outputs());
        let mut out = Vec::new();
        for sample in 0..self.batch {
            for channel in 0..self.groups * self.outputs {
                let group = channel / self.outputs;
                for position in 0..positions {
                    let column: Vec<f32> = (0..depth)
                        .map(|row| columns[((group * depth + row) * self.batch + sample) * positions + position])
                        .collect();
                    let product = dot::<Fused>(&weight[channel * depth..][..depth], &column);
                    out.push(bias.map_or(product, |bias| product + bias[channel]));
                }
            }
        }
        out
    }

    /// The specified transposed convolution of `x`, which lies at the window's positions.
    fn spread(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let (depth, positions) = (self.depth(), self.window.outputs());
        let mut columns = Vec::new();
        for sample in 0..self.batch {
            for row in 0..self.groups * depth {
                let group = row / depth;
                let channels = || group * self.outputs..(group + 1) * self.outputs;
                let weights: Vec<f32> = channels().map(|channel| weight[channel * depth + row % depth]).collect();
                for position in 0..positions {
                    let at = |channel| (sample * self.groups * self.outputs + channel) * positions + position;
                    columns.push(dot::<Fused>(&weights, &channels().map(|channel| x[at(channel)]).collect::<Vec<_>>()));
                }
            }
        }
        let channels = self.groups * self.channels;
        let images = sum_columns(&columns, self.batch, channels, &self.window);
        let planes = images.chunks_exact(self.window.inputs()).enumerate();
        planes
            .flat_map(|(plane, values)| {
                values.iter().map(move |value| bias.map_or(*value, |bias| value + bias[plane % channels]))
            })
            .collect()
    }

    /// The specified gradient of the weight.
    fn weight_gradient(&self, image: &[f32], output_grad: &[f32]) -> Vec<f32> {
        let (columns, depth, positions) = (self.columns(image), self.depth(), self.window.outputs());
        let inner = self.batch * positions;
        let mut out = Vec::new();
        for channel in 0..self.groups * self.outputs {
            let gradients: Vec<f32> = (0..self.batch)
                .flat_map(|sample| {
                    &output_grad[(sample * self.groups * self.outputs + channel) * positions..][..positions]
                })
                .copied()
                .collect();
            for row in 0..depth {
                let row = channel / self.outputs * depth + row;
                out.push(dot::<Fused>(&columns[row * inner..][..inner], &gradients));
            }
        }
        out
    }
}

/// Runs the tests of one number of axes: each line names the methods of that number.
macro_rules! convolutions {
    ($($dimensions:literal: $specified:ident $meaning:ident $conv:ident $x:ident $weight:ident
        $transposed:ident $transposed_x:ident $transposed_weight:ident;)*) => { $(
        #[test]
        fn $specified() {
            for index in 0..40 {
                let case = Case::random(index, $dimensions);
                let what = format!("{case:?}");
                let [image_shape, output_shape, weight_shape] =
                    [case.image_shape(), case.output_shape(), case.weight_shape()];
                let data = |shape: &[usize], seed| adversarial(shape.iter().product(), seed + 10 * index);
                let [image, output, weight] = [data(&image_shape, 1), data(&output_shape, 2), data(&weight_shape, 3)];
                let [bias_out, bias_in] = [data(&output_shape[1..2], 4), data(&image_shape[1..2], 5)];
                let x = || of(image.clone(), &image_shape);
                let y = || of(output.clone(), &output_shape);
                let w = || of(weight.clone(), &weight_shape);
                let (options, transposed) = (case.options::<$dimensions>(), case.transposed::<$dimensions>());
                let bias = || Some(of(bias_out.clone(), &output_shape[1..2]));
                assert_specified(
                    || Cpu::$conv(x(), w(), bias(), options.clone()),
                    case.convolved(&image, &weight, Some(&bias_out)),
                    &what,
                );
                assert_specified(
                    || Cpu::$x(x(), w(), y(), options.clone()),
                    case.spread(&output, &weight, None),
                    &what,
                );
                assert_specified(
                    || Cpu::$weight(x(), w(), y(), options.clone()),
                    case.weight_gradient(&image, &output),
                    &what,
                );
                let bias = || Some(of(bias_in.clone(), &image_shape[1..2]));
                assert_specified(
                    || Cpu::$transposed(y(), w(), bias(), transposed.clone()),
                    case.spread(&output, &weight, Some(&bias_in)),
                    &what,
                );
                assert_specified(
                    || Cpu::$transposed_x(w(), x(), transposed.clone()),
                    case.convolved(&image, &weight, None),
                    &what,
                );
                assert_specified(
                    || Cpu::$transposed_weight(y(), w(), x(), transposed.clone()),
                    case.weight_gradient(&image, &output),
                    &what,
                );
            }
        }

        #[test]
        fn $meaning() {
            for index in 100..160 {
                let case = Case::random(index, $dimensions);
                let what = format!("{case:?}");
                let tensor = |shape: &[usize], seed| of(plain(shape.iter().product(), seed + 10 * index), shape);
                let x = tensor(&case.image_shape(), 1);
                let y = tensor(&case.output_shape(), 2);
                let w = tensor(&case.weight_shape(), 3);
                let (options, transposed) = (case.options::<$dimensions>(), case.transposed::<$dimensions>());
                let bias = Some(tensor(&case.output_shape()[1..2], 4));
                let out = Cpu::$conv(x.clone(), w.clone(), None, options.clone());
                let with_bias = Cpu::$conv(x.clone(), w.clone(), bias.clone(), options.clone());
                assert_close(with_bias, Flex::$conv(x.clone(), w.clone(), bias, options.clone()), 1e-5, &what);
                let (exact, scale) = direct(&case, &values(x.clone()), &values(w.clone()));
                for ((got, exact), scale) in values(out.clone()).into_iter().zip(exact).zip(scale) {
                    assert!((f64::from(got) - exact).abs() <= 1e-6 * scale, "{what}: {got} for {exact}");
                }
                let x_grad = Cpu::$x(x.clone(), w.clone(), y.clone(), options.clone());
                assert_eq!(x_grad.shape(), x.shape(), "{what}");
                assert_adjoint([&out, &y], [&x, &x_grad], &what);
                let w_grad = Cpu::$weight(x.clone(), w.clone(), y.clone(), options.clone());
                assert_eq!(w_grad.shape(), w.shape(), "{what}");
                assert_adjoint([&out, &y], [&w, &w_grad], &what);
                let bias = Some(tensor(&case.image_shape()[1..2], 5));
                let out = Cpu::$transposed(y.clone(), w.clone(), None, transposed.clone());
                let with_bias = Cpu::$transposed(y.clone(), w.clone(), bias.clone(), transposed.clone());
                let flex = Flex::$transposed(y.clone(), w.clone(), bias, transposed.clone());
                assert_close(with_bias, flex, 1e-5, &what);
                assert_adjoint([&out, &x], [&y, &Cpu::$transposed_x(w.clone(), x.clone(), transposed.clone())], &what);
                let w_grad = Cpu::$transposed_weight(y, w.clone(), x.clone(), transposed);
                assert_adjoint([&out, &x], [&w, &w_grad], &what);
            }
        }
    )* };
}

convolutions! {
    1: a_convolution_of_one_axis_has_the_specified_bits a_convolution_of_one_axis_means_what_burn_says
        conv1d conv1d_x_backward conv1d_weight_backward
        conv_transpose1d conv_transpose1d_x_backward conv_transpose1d_weight_backward;
    2: a_convolution_of_two_axes_has_the_specified_bits a_convolution_of_two_axes_means_what_burn_says
        conv2d conv2d_x_backward conv2d_weight_backward
        conv_transpose2d conv_transpose2d_x_backward conv_transpose2d_weight_backward;
    3: a_convolution_of_three_axes_has_the_specified_bits a_convolution_of_three_axes_means_what_burn_says
        conv3d conv3d_x_backward conv3d_weight_backward
        conv_transpose3d conv_transpose3d_x_backward conv_transpose3d_weight_backward;
}

/// A convolution written out in f64, and the same of the absolute values.
fn direct(case: &Case, image: &[f32], weight: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let [depth, height, width] = case.window.axes;
    let (mut out, mut scale) = (Vec::new(), Vec::new());
    for sample in 0..case.batch {
        for channel in 0..case.groups * case.outputs {
            for (z, y, x) in positions([depth.output, height.output, width.output]) {
                let (mut sum, mut size) = (0.0, 0.0);
                for within in 0..case.channels {
                    for (k, j, i) in positions([depth.kernel, height.kernel, width.kernel]) {
                        let place = |axis: &Axis, output: usize, kernel: usize| {
                            let at = (output * axis.stride + kernel * axis.dilation) as isize - axis.padding as isize;
                            (0..axis.input as isize).contains(&at).then_some(at as usize)
                        };
                        let at = (place(&depth, z, k), place(&height, y, j), place(&width, x, i));
                        let (Some(z), Some(y), Some(x)) = at else { continue };
                        let plane = (sample * case.groups + channel / case.outputs) * case.channels + within;
                        let value = image[((plane * depth.input + z) * height.input + y) * width.input + x];
                        let kernel = ((channel * case.channels + within) * depth.kernel + k) * height.kernel + j;
                        let product = f64::from(value) * f64::from(weight[kernel * width.kernel + i]);
                        (sum, size) = (sum + product, size + product.abs());
                    }
                }
                out.push(sum);
                scale.push(size);
            }
        }
    }
    (out, scale)
}

fn positions([depth, height, width]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..depth).flat_map(move |z| (0..height).flat_map(move |y| (0..width).map(move |x| (z, y, x))))
}

#[test]
fn a_large_convolution_has_the_specified_bits() {
    let axis = |input| Axis { input, kernel: 3, stride: 1, padding: 1, dilation: 1, output: input };
    let case = Case::new(&[axis(30), axis(17)], [3, 1, 70, 24]);
    let [image, output, weight] = [case.image_shape(), case.output_shape(), case.weight_shape()]
        .map(|shape| (plain(shape.iter().product(), shape[1] as u64), shape));
    let tensor = |(values, shape): &(Vec<f32>, Vec<usize>)| of(values.clone(), shape);
    let [x, y, w] = [&image, &output, &weight].map(|operand| move || tensor(operand));
    let options = case.options::<2>();
    assert_specified(
        || Cpu::conv2d(x(), w(), None, options.clone()),
        case.convolved(&image.0, &weight.0, None),
        "forward",
    );
    assert_specified(
        || Cpu::conv2d_x_backward(x(), w(), y(), options.clone()),
        case.spread(&output.0, &weight.0, None),
        "gradient of x",
    );
    assert_specified(
        || Cpu::conv2d_weight_backward(x(), w(), y(), options.clone()),
        case.weight_gradient(&image.0, &output.0),
        "gradient of the weight",
    );
}

#[test]
fn a_convolution_of_a_strided_image_is_that_of_its_logical_elements() {
    let axis = Axis { input: 6, kernel: 3, stride: 1, padding: 1, dilation: 1, output: 6 };
    let case = Case::new(&[axis, axis], [2, 1, 4, 5]);
    let (image, weight) = (plain(2 * 4 * 36, 1), plain(5 * 4 * 9, 2));
    let strided = of(image, &[6, 2, 6, 4]).permute(&[1, 3, 0, 2]);
    let logical = values(strided.to_contiguous());
    assert_specified(
        || Cpu::conv2d(strided.clone(), of(weight.clone(), &[5, 4, 3, 3]), None, case.options::<2>()),
        case.convolved(&logical, &weight, None),
        "strided",
    );
}

#[test]
fn unfolding_moves_every_bit() {
    let axis = Axis { input: 5, kernel: 2, stride: 2, padding: 1, dilation: 2, output: 3 };
    let image = adversarial(2 * 3 * 25, 1);
    let case = Case::new(&[axis, axis], [2, 1, 3, 1]);
    let columns = of(case.columns(&image), &[12, 2, 9]).transpose(0, 1).to_contiguous();
    let options = UnfoldOptions::new([2, 2], [1, 1], [2, 2]);
    let unfolded = Cpu::unfold4d(of(image, &[2, 3, 5, 5]), [2, 2], options);
    assert_eq!(unfolded.shape(), Shape::from([2, 12, 9]));
    assert_eq!(bits(values(unfolded)), bits(values(columns)));
}

/// Kernel, stride, padding and dilation of two-dimensional pools, and the size of a plane.
fn pools() -> impl Iterator<Item = ([[usize; 2]; 4], [usize; 2])> {
    let rng = CounterRng::new(8, Stream::workload(3), 0);
    (0..120).map(move |index| {
        let axes = [random_axis(rng, 2 * index), random_axis(rng, 2 * index + 1)];
        let sizes = |of: fn(&Axis) -> usize| [of(&axes[0]), of(&axes[1])];
        // Burn wants at most half of the kernel as padding; some cases have more.
        let padding = sizes(|axis| if axis.stride == 3 { axis.padding } else { axis.padding.min(axis.kernel / 2) });
        let input = sizes(|axis| axis.input + axis.dilation * axis.kernel);
        ([sizes(|axis| axis.kernel), sizes(|axis| axis.stride), padding, sizes(|axis| axis.dilation)], input)
    })
}

#[test]
fn max_pools_mean_what_burn_says() {
    for (index, ([kernel, stride, padding, dilation], [height, width])) in pools().enumerate() {
        for ceil in [false, true] {
            let what = format!("{height} × {width}: {kernel:?} {stride:?} {padding:?} {dilation:?} {ceil}");
            let x = of(plain(6 * height * width, index as u64), &[2, 3, height, width]);
            let flex = Flex::max_pool2d_with_indices(x.clone(), kernel, stride, padding, dilation, ceil);
            let got = Cpu::max_pool2d_with_indices(x.clone(), kernel, stride, padding, dilation, ceil);
            assert_eq!(got.output.shape(), flex.output.shape(), "{what}");
            assert_eq!(bits(values(got.output.clone())), bits(values(flex.output.clone())), "{what}");
            let indices = |tensor: FlexTensor| tensor.into_data().iter::<i64>().collect::<Vec<_>>();
            assert_eq!(indices(got.indices.clone()), indices(flex.indices.clone()), "{what}");
            let plain_pool = Cpu::max_pool2d(x.clone(), kernel, stride, padding, dilation, ceil);
            assert_eq!(bits(values(plain_pool)), bits(values(flex.output.clone())), "{what}");
            let count = values(flex.output.clone()).len();
            let grad = of(plain(count, 1000), &flex.output.shape());
            let [got, flex] = [
                Cpu::max_pool2d_with_indices_backward(
                    x.clone(),
                    kernel,
                    stride,
                    padding,
                    dilation,
                    ceil,
                    grad.clone(),
                    got.indices,
                )
                .x_grad,
                Flex::max_pool2d_with_indices_backward(
                    x.clone(),
                    kernel,
                    stride,
                    padding,
                    dilation,
                    ceil,
                    grad,
                    flex.indices,
                )
                .x_grad,
            ];
            assert_eq!(bits(values(got)), bits(values(flex)), "{what}");
            let row = of(plain(6 * width, index as u64), &[2, 3, width]);
            let [kernel, stride, padding, dilation] = [kernel[1], stride[1], padding[1], dilation[1]];
            let flex = Flex::max_pool1d_with_indices(row.clone(), kernel, stride, padding, dilation, ceil);
            let got = Cpu::max_pool1d_with_indices(row.clone(), kernel, stride, padding, dilation, ceil);
            assert_eq!(got.output.shape(), flex.output.shape(), "{what}");
            assert_eq!(indices(got.indices.clone()), indices(flex.indices), "{what}");
            assert_eq!(bits(values(got.output.clone())), bits(values(flex.output.clone())), "{what}");
            let out = Cpu::max_pool1d(row.clone(), kernel, stride, padding, dilation, ceil);
            assert_eq!(bits(values(out)), bits(values(flex.output)), "{what}");
            let (shape, empty) = (got.output.shape(), values(got.output.clone()).contains(&f32::NEG_INFINITY));
            let grad = of(plain(shape.num_elements(), 5), &shape);
            let back = Cpu::max_pool1d_with_indices_backward(
                row.clone(),
                kernel,
                stride,
                padding,
                dilation,
                ceil,
                grad.clone(),
                got.indices,
            );
            if !empty {
                assert_adjoint([&got.output, &grad], [&row, &back.x_grad], &what);
            }
        }
    }
}

#[test]
fn the_maximum_of_a_window_is_the_first_of_equals_and_the_first_nan() {
    let x = of(vec![-0.0, 0.0, f32::NAN, 1.0, f32::NAN, f32::NEG_INFINITY, f32::INFINITY, 3.0], &[1, 1, 8]);
    let pooled = Cpu::max_pool1d_with_indices(x, 2, 2, 0, 1, false);
    let positions: Vec<i64> = pooled.indices.into_data().iter::<i64>().collect();
    assert_eq!(positions, [0, 2, 4, 6]);
    assert_eq!(bits(values(pooled.output)), [0x8000_0000, 0x7fc0_0000, 0x7fc0_0000, 0x7f80_0000]);
}

#[test]
fn average_pools_mean_what_burn_says() {
    for (index, ([kernel, stride, padding, _], [height, width])) in pools().enumerate() {
        for (count_pad, ceil) in [(false, false), (true, false), (false, true), (true, true)] {
            let what = format!("{height} × {width}: {kernel:?} {stride:?} {padding:?} {count_pad} {ceil}");
            let x = of(plain(6 * height * width, index as u64), &[2, 3, height, width]);
            let flex = Flex::avg_pool2d(x.clone(), kernel, stride, padding, count_pad, ceil);
            let got = Cpu::avg_pool2d(x.clone(), kernel, stride, padding, count_pad, ceil);
            assert_close(got.clone(), flex, 1e-6, &what);
            let grad = of(plain(got.shape().num_elements(), 1000), &got.shape());
            let back = Cpu::avg_pool2d_backward(x.clone(), grad.clone(), kernel, stride, padding, count_pad, ceil);
            assert_adjoint([&got, &grad], [&x, &back], &what);
            if !ceil {
                let flex = Flex::avg_pool2d_backward(x, grad, kernel, stride, padding, count_pad, ceil);
                assert_close(back, flex, 1e-5, &what);
            }
            let row = of(plain(6 * width, index as u64), &[2, 3, width]);
            let [kernel, stride, padding] = [kernel[1], stride[1], padding[1]];
            let flex = Flex::avg_pool1d(row.clone(), kernel, stride, padding, count_pad, ceil);
            let got = Cpu::avg_pool1d(row.clone(), kernel, stride, padding, count_pad, ceil);
            assert_close(got.clone(), flex, 1e-6, &what);
            let grad = of(plain(got.shape().num_elements(), 1000), &got.shape());
            let back = Cpu::avg_pool1d_backward(row.clone(), grad.clone(), kernel, stride, padding, count_pad, ceil);
            assert_adjoint([&got, &grad], [&row, &back], &what);
        }
    }
}

#[test]
fn an_average_is_the_sum_of_the_sums_of_rows_divided_by_the_count() {
    let values_in = adversarial(4 * 4, 3);
    let average = |y: usize, x: usize| {
        let row = |y: usize| (values_in[4 * y + x] + values_in[4 * y + x + 1]) + values_in[4 * y + x + 2];
        ((row(y) + row(y + 1)) + row(y + 2)) / 9.0
    };
    let expected = vec![average(0, 0), average(0, 1), average(1, 0), average(1, 1)];
    let x = of(values_in.clone(), &[1, 1, 4, 4]);
    assert_specified(|| Cpu::avg_pool2d(x.clone(), [3, 3], [1, 1], [0, 0], true, false), expected, "average");
}

#[test]
fn adaptive_average_pools_mean_what_burn_says() {
    for (index, [height, width, out_height, out_width]) in
        [[7, 9, 3, 4], [8, 8, 1, 1], [5, 6, 5, 6], [3, 4, 7, 5], [16, 1, 4, 1]].into_iter().enumerate()
    {
        let what = format!("{height} × {width} to {out_height} × {out_width}");
        let x = of(plain(6 * height * width, index as u64), &[2, 3, height, width]);
        let got = Cpu::adaptive_avg_pool2d(x.clone(), [out_height, out_width]);
        assert_close(got.clone(), Flex::adaptive_avg_pool2d(x.clone(), [out_height, out_width]), 1e-6, &what);
        let grad = of(plain(got.shape().num_elements(), 1000), &got.shape());
        let back = Cpu::adaptive_avg_pool2d_backward(x.clone(), grad.clone());
        assert_adjoint([&got, &grad], [&x, &back], &what);
        assert_close(back, Flex::adaptive_avg_pool2d_backward(x, grad), 1e-5, &what);
        let row = of(plain(6 * width, index as u64), &[2, 3, width]);
        let got = Cpu::adaptive_avg_pool1d(row.clone(), out_width);
        assert_close(got.clone(), Flex::adaptive_avg_pool1d(row.clone(), out_width), 1e-6, &what);
        let grad = of(plain(got.shape().num_elements(), 1000), &got.shape());
        assert_adjoint([&got, &grad], [&row, &Cpu::adaptive_avg_pool1d_backward(row.clone(), grad.clone())], &what);
    }
}

#[test]
fn interpolation_means_what_burn_says() {
    let modes =
        [InterpolateMode::Nearest, InterpolateMode::Bilinear, InterpolateMode::Bicubic, InterpolateMode::Lanczos3];
    for (index, [height, width, out_height, out_width]) in
        [[5, 7, 9, 14], [9, 8, 4, 3], [6, 6, 6, 6], [1, 3, 4, 1], [2, 1, 5, 6], [20, 30, 33, 17]]
            .into_iter()
            .enumerate()
    {
        for mode in modes.clone() {
            for align_corners in [false, true] {
                let options = || InterpolateOptions::new(mode.clone()).with_align_corners(align_corners);
                let what = format!("{mode:?} {align_corners}: {height} × {width} to {out_height} × {out_width}");
                let x = of(plain(6 * height * width, index as u64), &[2, 3, height, width]);
                let size = [out_height, out_width];
                let got = Cpu::interpolate(x.clone(), size, options());
                assert_close(got.clone(), Flex::interpolate(x.clone(), size, options()), 2e-6, &what);
                let grad = of(plain(got.shape().num_elements(), 1000), &got.shape());
                let back = Cpu::interpolate_backward(x.clone(), grad.clone(), size, options());
                assert_eq!(back.shape(), x.shape(), "{what}");
                assert_adjoint([&got, &grad], [&x, &back], &what);
                if !matches!(mode, InterpolateMode::Lanczos3) {
                    assert_close(back, Flex::interpolate_backward(x, grad, size, options()), 1e-5, &what);
                }
            }
        }
    }
}

#[test]
fn a_bilinear_element_is_a_sum_over_rows_of_sums_along_columns() {
    let x = of(vec![0.1, 0.2, 0.7, 1.3], &[1, 1, 2, 2]);
    let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
    let row = |a: f32, b: f32| 0.25f32.mul_add(b, 0.75 * a);
    let expected = 0.25f32.mul_add(row(0.7, 1.3), 0.75 * row(0.1, 0.2));
    let got = values(Cpu::interpolate(x, [4, 4], options));
    assert_eq!(got[5].to_bits(), expected.to_bits());
    assert_eq!(got[0].to_bits(), 0.1f32.to_bits());
}

#[test]
fn an_infinite_neighbour_without_weight_spreads_nothing() {
    let x = of(vec![1.0, f32::INFINITY, f32::NAN], &[1, 1, 1, 3]);
    for mode in [InterpolateMode::Bilinear, InterpolateMode::Bicubic, InterpolateMode::Lanczos3] {
        let out = Cpu::interpolate(x.clone(), [1, 3], InterpolateOptions::new(mode));
        assert_eq!(bits(values(out)), [0x3f80_0000, 0x7f80_0000, 0x7fc0_0000]);
    }
}

#[test]
fn a_cross_product_is_two_products_and_a_difference() {
    let (a, b) = (adversarial(24, 1), adversarial(24, 2));
    let expected: Vec<f32> = (0..24)
        .map(|at| {
            let (outer, i, inner) = (at / 12, at / 4 % 3, at % 4);
            let place = |i: usize| outer * 12 + i % 3 * 4 + inner;
            let product = |left: usize, right: usize| a[place(left)] * b[place(right)];
            product(i + 1, i + 2) - product(i + 2, i + 1)
        })
        .collect();
    let cross = |a: &[f32], b: &[f32]| Cpu::float_cross(of(a.to_vec(), &[2, 3, 4]), of(b.to_vec(), &[2, 3, 4]), 1);
    assert_eq!(bits(values(cross(&a, &b))), bits(expected));
}
