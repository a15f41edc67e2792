//! Probed ops that slide a kernel over an image: convolutions of one to three axes, their transposes and gradients.
//!
//! A device compiles its kernels anew for every geometry, so there is one per number of axes, with every option in it.
//! Methods that the traits compose of others are cases of those: a convolution's gradient by its input is a transposed
//! convolution, and the other way round.

use burn_backend::ops::{ConvOptions, ConvTransposeOptions, DeformConvOptions, ModuleOps, UnfoldOptions};
use burn_backend::tensor::FloatTensor;

use super::bench::Bench;
use super::input::{mixed, special};
use super::op::{Op, op};
use crate::Repro;
use crate::kernels::Kernels;

pub fn ops<B: Kernels>() -> Vec<Op<B>> {
    vec![
        op("unfold4d", |bench: &mut Bench<'_, B>| {
            let x = TWO.images(bench, 0, GROUPED);
            let options = UnfoldOptions::new(TWO.stride, TWO.padding, TWO.dilation);
            bench.gives(Repro::<B>::unfold4d(x, TWO.kernel, options));
        }),
        op("conv2d", |bench| {
            for sizes in [GROUPED, Sizes { batch: 1, groups: 1, inside: 90, beside: 2 }] {
                TWO.convolve(bench, sizes, Repro::<B>::conv2d);
            }
            TWO.convolve_back(bench, Repro::<B>::conv_transpose2d_x_backward);
            // Products of special numbers with each other and with the padding.
            let (x, weight) = (bench.floats([1, 1, 8, 4], special().into()), bench.numbers(1, &[2, 1, 3, 2]));
            let options = ConvOptions::new(TWO.stride, TWO.padding, TWO.dilation, 1);
            bench.gives(Repro::<B>::conv2d(x, weight, None, options));
            // A kernel of one element is no window but a matrix product.
            let [x, weight] = [(0, [2, 4, 5, 3]), (1, [6, 2, 1, 1])].map(|(seed, shape)| bench.numbers(seed, &shape));
            bench.gives(Repro::<B>::conv2d(x, weight, None, ConvOptions::new([1; 2], [0; 2], [1; 2], 2)));
        }),
        op("conv2d_weight_backward", |bench| {
            for sizes in [GROUPED, Sizes { batch: 33, groups: 1, inside: 1, beside: 2 }] {
                TWO.weight_gradient(bench, sizes, Repro::<B>::conv2d_weight_backward);
            }
        }),
        op("conv_transpose2d", |bench| {
            for sizes in [GROUPED, Sizes { batch: 1, groups: 1, inside: 1, beside: 520 }] {
                TWO.transpose(bench, sizes, Repro::<B>::conv_transpose2d);
            }
            TWO.transpose_back(bench, Repro::<B>::conv2d_x_backward);
            let [x, weight] = [(0, [2, 6, 5, 3]), (1, [6, 2, 1, 1])].map(|(seed, shape)| bench.numbers(seed, &shape));
            let options = ConvTransposeOptions::new([1; 2], [0; 2], [0; 2], [1; 2], 2);
            bench.gives(Repro::<B>::conv_transpose2d(x, weight, None, options));
        }),
        op("conv_transpose2d_weight_backward", |bench| {
            TWO.transposed_weight_gradient(bench, Repro::<B>::conv_transpose2d_weight_backward);
        }),
        op("conv1d", |bench| {
            ONE.convolve(bench, GROUPED, Repro::<B>::conv1d);
            ONE.convolve_back(bench, Repro::<B>::conv_transpose1d_x_backward);
        }),
        op("conv1d_weight_backward", |bench| {
            ONE.weight_gradient(bench, GROUPED, Repro::<B>::conv1d_weight_backward);
        }),
        op("conv_transpose1d", |bench| {
            ONE.transpose(bench, GROUPED, Repro::<B>::conv_transpose1d);
            ONE.transpose_back(bench, Repro::<B>::conv1d_x_backward);
        }),
        op("conv_transpose1d_weight_backward", |bench| {
            ONE.transposed_weight_gradient(bench, Repro::<B>::conv_transpose1d_weight_backward);
        }),
        op("conv3d", |bench| {
            THREE.convolve(bench, GROUPED, Repro::<B>::conv3d);
            THREE.convolve_back(bench, Repro::<B>::conv_transpose3d_x_backward);
        }),
        op("conv3d_weight_backward", |bench| {
            THREE.weight_gradient(bench, GROUPED, Repro::<B>::conv3d_weight_backward);
        }),
        op("conv_transpose3d", |bench| {
            THREE.transpose(bench, GROUPED, Repro::<B>::conv_transpose3d);
            THREE.transpose_back(bench, Repro::<B>::conv3d_x_backward);
        }),
        op("conv_transpose3d_weight_backward", |bench| {
            THREE.transposed_weight_gradient(bench, Repro::<B>::conv_transpose3d_weight_backward);
        }),
        op("deform_conv2d", |bench| {
            let Deformable { x, offset, weight, mask, .. } = deformable(bench);
            let bias = bench.numbers(4, &[4]);
            bench.gives(Repro::<B>::deform_conv2d(x, offset, weight, Some(mask), Some(bias), deformed()));
            // Positions at and beyond the edges, and samples of special numbers.
            let (x, weight) = (bench.floats([1, 2, 4, 4], special().into()), bench.numbers(1, &[2, 2, 2, 2]));
            let offset = bench.floats([1, 8, 3, 3], [&mixed()[2100..2140], &special()].concat());
            let options = DeformConvOptions::new([1; 2], [0; 2], [1; 2], 1, 1);
            bench.gives(Repro::<B>::deform_conv2d(x, offset, weight, None, None, options));
        }),
        op("deform_conv2d_backward", |bench| {
            let Deformable { x, offset, weight, mask, grad } = deformable(bench);
            let bias = bench.numbers(4, &[4]);
            let back = Repro::<B>::deform_conv2d_backward(x, offset, weight, Some(mask), Some(bias), grad, deformed());
            bench.gives(back.x_grad);
            bench.gives(back.offset_grad);
            bench.gives(back.weight_grad);
            bench.gives(back.mask_grad.expect("there is a mask"));
            bench.gives(back.bias_grad.expect("there is a bias"));
        }),
    ]
}

/// How a kernel slides over an image, per axis.
struct Geometry<const D: usize> {
    /// Size of the image.
    image: [usize; D],
    kernel: [usize; D],
    stride: [usize; D],
    padding: [usize; D],
    dilation: [usize; D],
    /// Positions of the kernel.
    positions: [usize; D],
    /// Elements of the padded image behind the last position of the kernel.
    left: [usize; D],
}

const ONE: Geometry<1> =
    Geometry { image: [11], kernel: [3], stride: [2], padding: [2], dilation: [2], positions: [6], left: [0] };

const TWO: Geometry<2> = Geometry {
    image: [8, 4],
    kernel: [3, 2],
    stride: [2, 1],
    padding: [1, 1],
    dilation: [1, 2],
    positions: [4, 4],
    left: [1, 0],
};

const THREE: Geometry<3> = Geometry {
    image: [3, 6, 5],
    kernel: [2, 3, 2],
    stride: [1, 2, 3],
    padding: [0, 1, 1],
    dilation: [2, 1, 1],
    positions: [1, 3, 2],
    left: [0, 1, 2],
};

/// How many images and channels.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    groups: usize,
    /// Channels of the image, per group.
    inside: usize,
    /// Channels beside the kernel's positions, per group.
    beside: usize,
}

/// More than one of everything.
const GROUPED: Sizes = Sizes { batch: 2, groups: 2, inside: 2, beside: 3 };

impl<const D: usize> Geometry<D> {
    fn options(&self, sizes: Sizes) -> ConvOptions<D> {
        ConvOptions::new(self.stride, self.padding, self.dilation, sizes.groups)
    }

    fn transposed(&self, sizes: Sizes) -> ConvTransposeOptions<D> {
        ConvTransposeOptions::new(self.stride, self.padding, self.left, self.dilation, sizes.groups)
    }

    fn images<B: Kernels>(&self, bench: &mut Bench<'_, B>, seed: u32, sizes: Sizes) -> FloatTensor<B> {
        bench.numbers(seed, &[&[sizes.batch, sizes.groups * sizes.inside][..], &self.image[..]].concat())
    }

    fn outputs<B: Kernels>(&self, bench: &mut Bench<'_, B>, seed: u32, sizes: Sizes) -> FloatTensor<B> {
        bench.numbers(seed, &[&[sizes.batch, sizes.groups * sizes.beside][..], &self.positions[..]].concat())
    }

    fn weight<B: Kernels>(&self, bench: &mut Bench<'_, B>, seed: u32, sizes: Sizes) -> FloatTensor<B> {
        bench.numbers(seed, &[&[sizes.groups * sizes.beside, sizes.inside][..], &self.kernel[..]].concat())
    }

    fn convolve<B: Kernels>(
        &self,
        bench: &mut Bench<'_, B>,
        sizes: Sizes,
        op: impl Fn(FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>, ConvOptions<D>) -> FloatTensor<B>,
    ) {
        let (x, weight) = (self.images(bench, 0, sizes), self.weight(bench, 1, sizes));
        let bias = bench.numbers(2, &[sizes.groups * sizes.beside]);
        bench.gives(op(x, weight, Some(bias), self.options(sizes)));
    }

    fn transpose<B: Kernels>(
        &self,
        bench: &mut Bench<'_, B>,
        sizes: Sizes,
        op: impl Fn(FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>, ConvTransposeOptions<D>) -> FloatTensor<B>,
    ) {
        let (x, weight) = (self.outputs(bench, 0, sizes), self.weight(bench, 1, sizes));
        let bias = bench.numbers(2, &[sizes.groups * sizes.inside]);
        bench.gives(op(x, weight, Some(bias), self.transposed(sizes)));
    }

    /// The gradient of a transposed convolution by its input.
    fn convolve_back<B: Kernels>(
        &self,
        bench: &mut Bench<'_, B>,
        op: impl Fn(FloatTensor<B>, FloatTensor<B>, ConvTransposeOptions<D>) -> FloatTensor<B>,
    ) {
        let (weight, grad) = (self.weight(bench, 1, GROUPED), self.images(bench, 3, GROUPED));
        bench.gives(op(weight, grad, self.transposed(GROUPED)));
    }

    /// The gradient of a convolution by its input.
    fn transpose_back<B: Kernels>(
        &self,
        bench: &mut Bench<'_, B>,
        op: impl Fn(FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, ConvOptions<D>) -> FloatTensor<B>,
    ) {
        let (x, weight) = (self.images(bench, 0, GROUPED), self.weight(bench, 1, GROUPED));
        let grad = self.outputs(bench, 3, GROUPED);
        bench.gives(op(x, weight, grad, self.options(GROUPED)));
    }

    fn weight_gradient<B: Kernels>(
        &self,
        bench: &mut Bench<'_, B>,
        sizes: Sizes,
        op: impl Fn(FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, ConvOptions<D>) -> FloatTensor<B>,
    ) {
        let (x, weight) = (self.images(bench, 0, sizes), self.weight(bench, 1, sizes));
        let grad = self.outputs(bench, 3, sizes);
        bench.gives(op(x, weight, grad, self.options(sizes)));
    }

    fn transposed_weight_gradient<B: Kernels>(
        &self,
        bench: &mut Bench<'_, B>,
        op: impl Fn(FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, ConvTransposeOptions<D>) -> FloatTensor<B>,
    ) {
        let (x, weight) = (self.outputs(bench, 0, GROUPED), self.weight(bench, 1, GROUPED));
        let grad = self.images(bench, 3, GROUPED);
        bench.gives(op(x, weight, grad, self.transposed(GROUPED)));
    }
}

/// A deformable convolution with every option in it.
struct Deformable<B: Kernels> {
    x: FloatTensor<B>,
    offset: FloatTensor<B>,
    weight: FloatTensor<B>,
    mask: FloatTensor<B>,
    grad: FloatTensor<B>,
}

fn deformed() -> DeformConvOptions<2> {
    DeformConvOptions::new([2, 1], [1, 2], [1, 2], 2, 2)
}

fn deformable<B: Kernels>(bench: &mut Bench<'_, B>) -> Deformable<B> {
    Deformable {
        x: bench.numbers(0, &[2, 4, 7, 6]),
        offset: bench.numbers(1, &[2, 24, 4, 6]),
        weight: bench.numbers(2, &[4, 2, 2, 3]),
        mask: bench.numbers(3, &[2, 12, 4, 6]),
        grad: bench.numbers(5, &[2, 4, 4, 6]),
    }
}
