//! Tests that an unmodified convolutional network trains to the same bits, whatever the machine does.

use burn::backend::Autodiff;
use burn::module::{AutodiffModule as _, Module, ModuleVisitor, Param};
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::pool::{
    AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig,
};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig1d, PaddingConfig2d};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, Optimizer, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Distribution, Tensor};

use super::cpu::adversarial::on_threads;
use super::cpu::level::{Level, forced::with_level};
use super::{Cpu, with_random};
use blake3::Hash;

use crate::hasher::DomainHasher;
use crate::rng::{CounterRng, Stream};

type TrainingBackend = Autodiff<Cpu>;

#[derive(Module, Debug)]
struct Model<B: Backend> {
    widen: Conv2d<B>,
    norm: BatchNorm<B>,
    largest: MaxPool2d,
    grouped: Conv2d<B>,
    average: AvgPool2d,
    upsample: ConvTranspose2d<B>,
    adaptive: AdaptiveAvgPool2d,
    along: Conv1d<B>,
}

impl<B: Backend> Model<B> {
    fn new(device: &B::Device) -> Self {
        Self {
            widen: Conv2dConfig::new([3, 8], [3, 3]).with_padding(PaddingConfig2d::Same).init(device),
            norm: BatchNormConfig::new(8).init(device),
            largest: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            grouped: Conv2dConfig::new([8, 16], [3, 3]).with_groups(2).with_dilation([2, 1]).init(device),
            average: AvgPool2dConfig::new([3, 2])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_count_include_pad(false)
                .init(),
            upsample: ConvTranspose2dConfig::new([16, 4], [3, 3]).with_stride([2, 2]).init(device),
            adaptive: AdaptiveAvgPool2dConfig::new([4, 6]).init(),
            along: Conv1dConfig::new(16, 5, 3).with_padding(PaddingConfig1d::Same).init(device),
        }
    }

    /// From `[batch, 3, 16, 20]` to `[batch, 5, 6]`.
    fn forward(&self, input: Tensor<B, 4>) -> Tensor<B, 3> {
        let hidden = self.largest.forward(relu(self.norm.forward(self.widen.forward(input))));
        let hidden = self.average.forward(relu(self.grouped.forward(hidden)));
        let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
        let hidden = interpolate(hidden, [5, 8], options);
        let hidden = self.adaptive.forward(self.upsample.forward(hidden));
        self.along.forward(hidden.flatten(1, 2))
    }
}

struct Digest(DomainHasher);

impl<B: Backend> ModuleVisitor<B> for Digest {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<B, D>>) {
        let values = parameter.val().into_data().to_vec::<f32>().expect("parameters are f32");
        assert!(values.iter().all(|value| value.is_finite()), "training diverged");
        self.0.field(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    }
}

/// BLAKE3 of all parameters after three steps.
fn trained() -> Hash {
    let device = Default::default();
    let rng = |stream, step| CounterRng::new(2026, stream, step);
    let mut optimizer = SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init();
    let mut model = with_random(rng(Stream::INIT, 0), || Model::<TrainingBackend>::new(&device).fork(&device));
    for step in 0..3 {
        let gradients = with_random(rng(Stream::STEP, step), || {
            let input = Tensor::<TrainingBackend, 4>::random([6, 3, 16, 20], Distribution::Normal(0.0, 1.0), &device);
            let target = Tensor::random([6, 5, 6], Distribution::Uniform(-1.0, 1.0), &device);
            (model.forward(input) - target).powi_scalar(2).mean().backward()
        });
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = optimizer.step(1e-1, model, gradients);
    }
    let mut digest = Digest(DomainHasher::new("spectramind/test/parameters/v1"));
    model.valid().visit(&mut digest);
    digest.0.finish()
}

#[test]
fn a_convolutional_network_trains_to_the_golden_bits_on_any_number_of_threads_and_any_instruction_set() {
    for level in Level::available() {
        for threads in [1, 2, 5, 16] {
            assert_eq!(
                on_threads(threads, || with_level(level, trained)).to_string(),
                "794ac10a9af4ae9615cd9c1c5ff63891db4086addbec85e1cdac715c8bee51b4",
                "{level:?}, {threads} threads: a changed bit is a new NUMERICS_VERSION and a CHANGELOG line"
            );
        }
    }
}
