//! Tests that an unmodified Burn model trains to the same bits, whatever the machine does.

use burn::module::{AutodiffModule as _, Module};
use burn::nn::loss::{MseLoss, Reduction};
use burn::nn::{Dropout, DropoutConfig, Gelu, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, Optimizer as _};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Distribution, Tensor, TensorData};
use burn::{backend::Autodiff, module::ParamId, tensor::backend::Backend};

use super::{Cpu, with_random};
use crate::digest::{Blake3Digest, DomainHasher};
use crate::engine::rng::{CounterRng, Stream};

type TrainingBackend = Autodiff<Cpu>;

#[derive(Module, Debug)]
struct Model<B: Backend> {
    widen: Linear<B>,
    norm: LayerNorm<B>,
    gelu: Gelu,
    dropout: Dropout,
    narrow: Linear<B>,
}

impl<B: Backend> Model<B> {
    fn new(device: &B::Device) -> Self {
        Self {
            widen: LinearConfig::new(20, 64).init(device),
            norm: LayerNormConfig::new(64).init(device),
            gelu: Gelu::new(),
            dropout: DropoutConfig::new(0.2).init(),
            narrow: LinearConfig::new(64, 6).init(device),
        }
    }

    fn forward(&self, input: Tensor<B, 2>) -> Tensor<B, 2> {
        let hidden = self.gelu.forward(self.norm.forward(self.widen.forward(input)));
        self.narrow.forward(self.dropout.forward(hidden))
    }
}

/// A Gaussian negative log-likelihood beside a cross entropy and a mean square: exp, log, softmax, sums and means.
fn loss<B: Backend>(output: Tensor<B, 2>, target: Tensor<B, 2>) -> Tensor<B, 1> {
    let mean = output.clone().slice([0..96, 0..3]);
    let log_sigma = output.clone().slice([0..96, 3..6]).tanh();
    let error = (target.clone() - mean.clone()) / log_sigma.clone().exp();
    let likelihood = (error.powi_scalar(2) * 0.5 + log_sigma).mean();
    let entropy = -(softmax(target.clone(), 1) * log_softmax(mean.clone(), 1)).sum_dim(1).mean();
    let square = MseLoss::new().forward(mean, target, Reduction::Mean);
    likelihood + entropy.mul_scalar(0.1) + (square + 1.0).log().sqrt()
}

/// BLAKE3 of all parameters after five steps of Adam.
fn trained() -> Blake3Digest {
    let device = Default::default();
    let rng = |stream, step| CounterRng::new(2025, stream, step);
    let mut model: Model<TrainingBackend> = with_random(rng(Stream::INIT, 0), || Model::new(&device));
    let mut optimizer = AdamConfig::new().init::<TrainingBackend, Model<TrainingBackend>>();
    for step in 0..5 {
        let gradients = with_random(rng(Stream::STEP, step), || {
            let input = Tensor::<TrainingBackend, 2>::random([96, 20], Distribution::Normal(0.0, 1.0), &device);
            let target = Tensor::random([96, 3], Distribution::Uniform(-1.0, 1.0), &device);
            loss(model.forward(input), target).backward()
        });
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = optimizer.step(1e-2, model, gradients);
    }
    digest(&model.valid())
}

fn digest<B: Backend>(model: &Model<B>) -> Blake3Digest {
    let mut hasher = DomainHasher::new("spectramind/test/parameters/v1");
    let mut field = |data: TensorData| {
        let values = data.to_vec::<f32>().expect("parameters are f32");
        assert!(values.iter().all(|value| value.is_finite()), "training diverged");
        hasher.field(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    };
    for linear in [&model.widen, &model.narrow] {
        field(linear.weight.val().into_data());
        field(linear.bias.as_ref().expect("a bias").val().into_data());
    }
    field(model.norm.gamma.val().into_data());
    field(model.norm.beta.as_ref().expect("a beta").val().into_data());
    hasher.finish()
}

#[test]
fn training_gives_the_golden_bits_on_any_number_of_threads() {
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        assert_eq!(
            pool.install(trained).to_string(),
            "0000000000000000000000000000000000000000000000000000000000000000",
            "{threads} threads: a changed bit is a new NUMERICS_VERSION and a CHANGELOG line"
        );
    }
}

fn is_autodiff<B: AutodiffBackend>() {}

#[test]
fn the_decorator_can_be_differentiated() {
    is_autodiff::<TrainingBackend>();
}
