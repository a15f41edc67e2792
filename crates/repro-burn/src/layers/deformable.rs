//! Tests of deformable convolution: its documented bits and gradients, and its meaning.

use super::*;
use crate::ops::deformable::Sample;

/// A deformable convolution: sizes, options and inputs.
struct Deformable {
    batch: usize,
    channels: usize,
    outside: usize,
    size: [usize; 2],
    kernel: [usize; 2],
    output: [usize; 2],
    options: DeformConvOptions<2>,
    x: Vec<f32>,
    offset: Vec<f32>,
    weight: Vec<f32>,
    mask: Vec<f32>,
    bias: Vec<f32>,
    grad: Vec<f32>,
}

impl Deformable {
    fn new(index: u64, numbers: fn(usize, u64) -> Vec<f32>) -> Self {
        let [weight_groups, offset_groups] = [[1, 1], [2, 1], [1, 2], [2, 4]][index as usize % 4];
        let options = DeformConvOptions::new([1 + index as usize % 2, 1], [1, 2], [1, 2], weight_groups, offset_groups);
        let (batch, channels, outside, size, kernel) = (2, 4, 6, [6, 5], [2, 3]);
        let output = [0, 1].map(|axis| {
            let extent = options.dilation[axis] * (kernel[axis] - 1) + 1;
            (size[axis] + 2 * options.padding[axis] - extent) / options.stride[axis] + 1
        });
        let places = offset_groups * kernel[0] * kernel[1] * output[0] * output[1];
        Self {
            x: numbers(batch * channels * size[0] * size[1], 10 * index),
            // A tenth of the samples or so lies outside, some exactly on elements.
            offset: plain(batch * 2 * places, 10 * index + 1)
                .into_iter()
                .map(|x| if x > 0.9 { x.signum() } else { 2.0 * x })
                .collect(),
            weight: numbers(outside * channels / weight_groups * kernel[0] * kernel[1], 10 * index + 2),
            mask: plain(batch * places, 10 * index + 3),
            bias: numbers(outside, 10 * index + 4),
            grad: numbers(batch * outside * output[0] * output[1], 10 * index + 5),
            batch,
            channels,
            outside,
            size,
            kernel,
            output,
            options,
        }
    }

    fn tensors(&self) -> [FlexTensor; 6] {
        let Self { batch, channels, outside, size, kernel, output, options, .. } = self;
        let (positions, in_group) = (options.offset_groups * kernel[0] * kernel[1], channels / options.weight_groups);
        [
            of(self.x.clone(), &[*batch, *channels, size[0], size[1]]),
            of(self.offset.clone(), &[*batch, 2 * positions, output[0], output[1]]),
            of(self.weight.clone(), &[*outside, in_group, kernel[0], kernel[1]]),
            of(self.mask.clone(), &[*batch, positions, output[0], output[1]]),
            of(self.bias.clone(), &[*outside]),
            of(self.grad.clone(), &[*batch, *outside, output[0], output[1]]),
        ]
    }

    /// Kernel positions and window positions.
    fn counts(&self) -> [usize; 2] {
        [self.kernel[0] * self.kernel[1], self.output[0] * self.output[1]]
    }

    /// Where in the offsets is the row of a sample of an offset group, and where in the mask its factor.
    fn moved(&self, [sample, group, kernel, at]: [usize; 4]) -> [usize; 2] {
        let [kernels, outputs] = self.counts();
        let place = (sample * self.options.offset_groups + group) * kernels + kernel;
        [2 * place * outputs + at, place * outputs + at]
    }

    fn sample(&self, [sample, channel, kernel, at]: [usize; 4]) -> Sample {
        let group = channel / (self.channels / self.options.offset_groups);
        let [row, _] = self.moved([sample, group, kernel, at]);
        let offsets = [self.offset[row], self.offset[row + self.counts()[1]]];
        let (output, kernel) =
            ([at / self.output[1], at % self.output[1]], [kernel / self.kernel[1], kernel % self.kernel[1]]);
        let position = [0, 1].map(|axis| {
            let DeformConvOptions { stride, padding, dilation, .. } = &self.options;
            let place = output[axis] * stride[axis] + kernel[axis] * dilation[axis];
            (place as f32 - padding[axis] as f32) + offsets[axis]
        });
        let plane = self.size[0] * self.size[1];
        Sample::new(&self.x[(sample * self.channels + channel) * plane..][..plane], self.size, position)
    }

    fn factor(&self, [sample, channel, kernel, at]: [usize; 4]) -> f32 {
        let group = channel / (self.channels / self.options.offset_groups);
        self.mask[self.moved([sample, group, kernel, at])[1]]
    }

    /// The weights of an output channel: of each input channel of its group, and kernel position.
    fn weights(&self, out: usize) -> impl Iterator<Item = (usize, usize, f32)> + '_ {
        let (in_group, [kernels, _]) = (self.channels / self.options.weight_groups, self.counts());
        let first = out / (self.outside / self.options.weight_groups) * in_group;
        (0..in_group * kernels)
            .map(move |k| (first + k / kernels, k % kernels, self.weight[out * in_group * kernels + k]))
    }

    /// The specification of the convolution, an element at a time.
    fn expected(&self) -> Vec<f32> {
        let [_, outputs] = self.counts();
        let mut out = Vec::new();
        for sample in 0..self.batch {
            for channel in 0..self.outside {
                for at in 0..outputs {
                    let (weights, column): (Vec<f32>, Vec<f32>) = self
                        .weights(channel)
                        .map(|(input, kernel, weight)| {
                            let place = [sample, input, kernel, at];
                            (weight, self.sample(place).value() * self.factor(place))
                        })
                        .unzip();
                    out.push(dot::<Fused>(&weights, &column) + self.bias[channel]);
                }
            }
        }
        out
    }

    /// The specification of the gradients: of image, offsets, weight, mask and bias.
    fn expected_gradients(&self) -> [Vec<f32>; 5] {
        let ([kernels, outputs], plane) = (self.counts(), self.size[0] * self.size[1]);
        let grad = |sample: usize, out: usize, at: usize| self.grad[(sample * self.outside + out) * outputs + at];
        let in_group = self.channels / self.options.weight_groups;
        // By the columns.
        let columns = |[sample, channel, kernel, at]: [usize; 4]| {
            let outs = self.outside / self.options.weight_groups;
            let first = channel / in_group * outs;
            let weight = |out: usize| self.weight[(out * in_group + channel % in_group) * kernels + kernel];
            let (weights, grads): (Vec<f32>, Vec<f32>) =
                (first..first + outs).map(|out| (weight(out), grad(sample, out, at))).unzip();
            dot::<Fused>(&weights, &grads)
        };
        let mut x = vec![0.0; self.x.len()];
        for corner in 0..4 {
            for sample in 0..self.batch {
                for channel in 0..self.channels {
                    for (kernel, at) in (0..kernels).flat_map(|kernel| (0..outputs).map(move |at| (kernel, at))) {
                        let place = [sample, channel, kernel, at];
                        let around = self.sample(place);
                        if let Some(to) = around.at[corner] {
                            let value = columns(place) * self.factor(place);
                            x[(sample * self.channels + channel) * plane + to] += around.weights[corner] * value;
                        }
                    }
                }
            }
        }
        let (mut offset, mut mask) = (vec![0.0; self.offset.len()], vec![0.0; self.mask.len()]);
        let together = self.channels / self.options.offset_groups;
        for sample in 0..self.batch {
            for group in 0..self.options.offset_groups {
                for (kernel, at) in (0..kernels).flat_map(|kernel| (0..outputs).map(move |at| (kernel, at))) {
                    let [row, factor] = self.moved([sample, group, kernel, at]);
                    let sum = |term: &dyn Fn([usize; 4]) -> f32| {
                        let channels = group * together..(group + 1) * together;
                        let terms: Vec<f32> = channels.map(|channel| term([sample, channel, kernel, at])).collect();
                        fold(Fold::Sum, &terms)
                    };
                    mask[factor] = sum(&|place| columns(place) * self.sample(place).value());
                    for axis in 0..2 {
                        offset[row + axis * outputs] =
                            sum(&|place| self.sample(place).slopes()[axis] * (columns(place) * self.factor(place)));
                    }
                }
            }
        }
        let all = || (0..self.batch).flat_map(|sample| (0..outputs).map(move |at| (sample, at)));
        let grads = |out: usize| all().map(|(sample, at)| grad(sample, out, at)).collect::<Vec<_>>();
        let mut weight = Vec::new();
        for out in 0..self.outside {
            for (channel, kernel, _) in self.weights(out) {
                let column = all().map(|(sample, at)| {
                    let place = [sample, channel, kernel, at];
                    self.sample(place).value() * self.factor(place)
                });
                weight.push(dot::<Fused>(&column.collect::<Vec<_>>(), &grads(out)));
            }
        }
        let bias = |out: usize| fold(Fold::Sum, &grads(out));
        [x, offset, weight, mask, (0..self.outside).map(bias).collect()]
    }
}

#[test]
fn a_deformable_convolution_and_its_gradients_are_the_documented_ones() {
    for (index, numbers) in (0..8).zip([plain, adversarial].into_iter().cycle()) {
        let case = Deformable::new(index, numbers);
        let [x, offset, weight, mask, bias, grad] = case.tensors();
        let (options, what) = (|| case.options.clone(), format!("deformable {index}"));
        let convolved = || {
            let [mask, bias] = [mask.clone(), bias.clone()].map(Some);
            Cpu::deform_conv2d(x.clone(), offset.clone(), weight.clone(), mask, bias, options())
        };
        assert_specified(convolved, case.expected(), &what);
        let expected = case.expected_gradients();
        let back = || {
            let [mask, bias] = [mask.clone(), bias.clone()].map(Some);
            let tensors = (x.clone(), offset.clone(), weight.clone());
            Cpu::deform_conv2d_backward(tensors.0, tensors.1, tensors.2, mask, bias, grad.clone(), options())
        };
        let [by_x, by_offset, by_weight, by_mask, by_bias] = expected;
        assert_specified(|| back().x_grad, by_x, &format!("{what} by the image"));
        assert_specified(|| back().offset_grad, by_offset, &format!("{what} by the offsets"));
        assert_specified(|| back().weight_grad, by_weight, &format!("{what} by the weight"));
        assert_specified(|| back().mask_grad.expect("a mask"), by_mask, &format!("{what} by the mask"));
        assert_specified(|| back().bias_grad.expect("a bias"), by_bias, &format!("{what} by the bias"));
    }
}

#[test]
fn a_deformable_convolution_means_what_burn_says() {
    for index in 0..8 {
        let case = Deformable::new(index, plain);
        let [x, offset, weight, mask, bias, grad] = case.tensors();
        let what = format!("deformable {index}");
        for (mask, bias) in [(Some(mask), Some(bias)), (None, None)] {
            let arguments = || (x.clone(), offset.clone(), weight.clone(), mask.clone(), bias.clone());
            let (a, b, c, d, e) = arguments();
            let flex = Flex::deform_conv2d(a, b, c, d, e, case.options.clone());
            let (a, b, c, d, e) = arguments();
            assert_close(Cpu::deform_conv2d(a, b, c, d, e, case.options.clone()), flex, 1e-5, &what);
            let (a, b, c, d, e) = arguments();
            let flex = Flex::deform_conv2d_backward(a, b, c, d, e, grad.clone(), case.options.clone());
            let (a, b, c, d, e) = arguments();
            let got = Cpu::deform_conv2d_backward(a, b, c, d, e, grad.clone(), case.options.clone());
            assert_close(got.x_grad, flex.x_grad, 1e-4, &format!("{what} by the image"));
            assert_close(got.offset_grad, flex.offset_grad, 1e-4, &format!("{what} by the offsets"));
            assert_close(got.weight_grad, flex.weight_grad, 1e-4, &format!("{what} by the weight"));
            for (got, flex) in [(got.mask_grad, flex.mask_grad), (got.bias_grad, flex.bias_grad)] {
                assert_eq!(got.is_some(), flex.is_some(), "{what}");
                if let (Some(got), Some(flex)) = (got, flex) {
                    assert_close(got, flex, 1e-4, &format!("{what} by mask and bias"));
                }
            }
        }
    }
}
