//! Pools of one and two axes and their gradients.
//!
//! An average is a weighted sum with weights of one along each axis (see [`Taps`]), divided by a count. Not here: the
//! order of operations of such sums and of the search for a maximum (see [`ops`](super::ops)).

use std::ops::Range;

use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{Shape, TensorData, TensorMetadata, get_device_settings};

use super::backend::Repro;
use super::float::f32_only;
use super::kernels::Kernels;
use super::taps::Taps;
use super::window::Axis;

/// How a pool's window slides, per axis.
#[derive(Debug, Clone, Copy)]
pub struct Pool<const D: usize> {
    /// Size of the window; not 0.
    pub kernel: [usize; D],
    /// Distance of neighbouring windows; not 0.
    pub stride: [usize; D],
    /// Positions before and after the input.
    pub padding: [usize; D],
    /// Distance of neighbouring elements of a window; not 0.
    pub dilation: [usize; D],
    /// Whether a last window that leaves the padded input counts.
    pub ceil_mode: bool,
}

impl<const D: usize> Pool<D> {
    /// The axes of planes with the last `D` dimensions of `shape`; a missing height is 1.
    fn axes(&self, op: &str, shape: &Shape) -> [Axis; 2] {
        let mut axes = [Axis::NONE; 2];
        for (at, axis) in axes[2 - D..].iter_mut().enumerate() {
            let [input, kernel, stride] = [shape[2 + at], self.kernel[at], self.stride[at]];
            let [padding, dilation] = [self.padding[at], self.dilation[at]];
            assert!(input > 0 && kernel > 0 && stride > 0, "`{op}` of {shape:?}: kernel {kernel}, stride {stride}");
            let output = match (input + 2 * padding).checked_sub(dilation * (kernel - 1) + 1) {
                Some(free) if self.ceil_mode => free.div_ceil(stride) + 1,
                Some(free) => free / stride + 1,
                None => usize::from(self.ceil_mode),
            };
            *axis = Axis { input, kernel, stride, padding, dilation, output };
        }
        axes
    }
}

/// Largest element of each window of `x`, `[batch, channels, ..]`, and its row-major position in its plane.
pub fn max_pool<B: Kernels, const D: usize>(x: FloatTensor<B>, pool: Pool<D>) -> (FloatTensor<B>, IntTensor<B>) {
    let op = format!("max_pool{D}d");
    f32_only(&op, &x);
    let shape = x.shape();
    let axes = pool.axes(&op, &shape);
    let dtype = get_device_settings::<B>(&B::float_device(&x)).int_dtype;
    let (values, positions) = B::max_pool(planes::<B>(x), axes, dtype);
    let out = with_spatial::<D>(&shape, axes.map(|axis| axis.output));
    (B::float_reshape(values, out.clone()), B::int_reshape(positions, out))
}

/// Gradient of [`max_pool`] of `x`.
pub fn max_pool_backward<B: Kernels, const D: usize>(
    x: FloatTensor<B>,
    pool: Pool<D>,
    output_grad: FloatTensor<B>,
    positions: IntTensor<B>,
) -> FloatTensor<B> {
    let op = format!("max_pool{D}d_with_indices_backward");
    f32_only(&op, &output_grad);
    let shape = x.shape();
    let axes = pool.axes(&op, &shape);
    let out = planar(&with_spatial::<D>(&shape, axes.map(|axis| axis.output)));
    let gradients = B::float_reshape(output_grad, out.clone());
    let gradient = B::max_pool_backward(gradients, B::int_reshape(positions, out), axes);
    B::float_reshape(gradient, shape)
}

/// Average of each window of `x`, `[batch, channels, ..]`; of the padding too if `count_include_pad`.
pub fn avg_pool<B: Kernels, const D: usize>(
    x: FloatTensor<B>,
    pool: Pool<D>,
    count_include_pad: bool,
) -> FloatTensor<B> {
    let op = format!("avg_pool{D}d");
    let shape = x.shape();
    average::<B, D>(&op, x, pool.axes(&op, &shape).map(|axis| Spans::of_windows(axis, count_include_pad)))
}

/// Gradient of [`avg_pool`] of `x`.
pub fn avg_pool_backward<B: Kernels, const D: usize>(
    x: FloatTensor<B>,
    output_grad: FloatTensor<B>,
    pool: Pool<D>,
    count_include_pad: bool,
) -> FloatTensor<B> {
    let op = format!("avg_pool{D}d_backward");
    let axes = pool.axes(&op, &x.shape());
    average_backward::<B>(&op, x, output_grad, axes.map(|axis| Spans::of_windows(axis, count_include_pad)))
}

/// Averages of `output` windows of about equal size along each axis of `x`, `[batch, channels, ..]`.
pub fn adaptive_avg_pool<B: Kernels, const D: usize>(x: FloatTensor<B>, output: [usize; D]) -> FloatTensor<B> {
    let sizes = planar(&x.shape());
    let mut outputs = [1; 2];
    outputs[2 - D..].copy_from_slice(&output);
    let spans = [0, 1].map(|axis| Spans::adaptive(sizes[2 + axis], outputs[axis]));
    average::<B, D>(&format!("adaptive_avg_pool{D}d"), x, spans)
}

/// Gradient of [`adaptive_avg_pool`] of `x`.
pub fn adaptive_avg_pool_backward<B: Kernels>(x: FloatTensor<B>, output_grad: FloatTensor<B>) -> FloatTensor<B> {
    let (sizes, outputs) = (planar(&x.shape()), planar(&output_grad.shape()));
    let spans = [2, 3].map(|axis| Spans::adaptive(sizes[axis], outputs[axis]));
    average_backward::<B>("adaptive_avg_pool_backward", x, output_grad, spans)
}

/// The windows of an average along one axis.
struct Spans {
    /// The input positions of each, with weights of one.
    taps: Taps,
    /// How many positions each counts.
    counts: Vec<usize>,
}

impl Spans {
    fn new(input: usize, spans: impl Iterator<Item = (Range<usize>, usize)>) -> Self {
        let (mut taps, mut counts) = (Taps::new(input), Vec::new());
        for (span, count) in spans {
            taps.push(span.map(|position| (position, 1.0)));
            counts.push(count);
        }
        Self { taps, counts }
    }

    fn of_windows(axis: Axis, count_include_pad: bool) -> Self {
        let spans = (0..axis.output).map(|output| {
            let (start, end) = (output * axis.stride, output * axis.stride + axis.kernel);
            let inside = |position: usize| position.saturating_sub(axis.padding).min(axis.input);
            let span = inside(start)..inside(end);
            // What `ceil_mode` adds beyond the padding never counts.
            let padded = end.min(axis.input + 2 * axis.padding).saturating_sub(start);
            let count = if count_include_pad { padded } else { span.len() };
            (span, count)
        });
        Self::new(axis.input, spans)
    }

    /// Window o is from ⌊o · input / outputs⌋ to before ⌈(o + 1) · input / outputs⌉.
    fn adaptive(input: usize, outputs: usize) -> Self {
        let spans = (0..outputs).map(|output| {
            let span = output * input / outputs..((output + 1) * input).div_ceil(outputs);
            (span.clone(), span.len())
        });
        Self::new(input, spans)
    }
}

fn average<B: Kernels, const D: usize>(op: &str, x: FloatTensor<B>, spans: [Spans; 2]) -> FloatTensor<B> {
    f32_only(op, &x);
    let out = with_spatial::<D>(&x.shape(), [0, 1].map(|axis| spans[axis].counts.len()));
    let sums = B::resample(planes::<B>(x), &spans[0].taps, &spans[1].taps);
    B::float_reshape(divided::<B>(sums, &spans), out)
}

fn average_backward<B: Kernels>(
    op: &str,
    x: FloatTensor<B>,
    output_grad: FloatTensor<B>,
    spans: [Spans; 2],
) -> FloatTensor<B> {
    f32_only(op, &output_grad);
    let shares = divided::<B>(planes::<B>(output_grad), &spans);
    let gradient = B::resample(shares, &spans[0].taps.transposed(), &spans[1].taps.transposed());
    B::float_reshape(gradient, x.shape())
}

/// `planes` divided by what each window counts, at least 1.
fn divided<B: Kernels>(planes: FloatTensor<B>, [rows, columns]: &[Spans; 2]) -> FloatTensor<B> {
    let counts: Vec<f32> = rows
        .counts
        .iter()
        .flat_map(|row| columns.counts.iter().map(move |column| (row * column).max(1) as f32))
        .collect();
    match counts.first() {
        Some(first) if counts.iter().all(|count| count == first) => {
            Repro::<B>::float_div_scalar(planes, (*first).into())
        }
        _ => {
            let data = TensorData::new(counts, [1, 1, rows.counts.len(), columns.counts.len()]);
            let counts = B::float_from_data(data, &B::float_device(&planes));
            Repro::<B>::float_div(planes, counts)
        }
    }
}

/// `x` as planes of two axes.
fn planes<B: Kernels>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = planar(&x.shape());
    B::float_reshape(x, shape)
}

/// `[batch, channels, height, width]` of a shape that may lack the height.
fn planar(shape: &Shape) -> Shape {
    let height = if shape.num_dims() == 3 { 1 } else { shape[2] };
    Shape::from([shape[0], shape[1], height, shape[shape.num_dims() - 1]])
}

fn with_spatial<const D: usize>(shape: &Shape, spatial: [usize; 2]) -> Shape {
    Shape::from([&shape[..2], &spatial[2 - D..]].concat())
}
