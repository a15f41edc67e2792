//! Tests that an unmodified Burn model trains to the same bits, whatever the machine does.

use burn::backend::Autodiff;
use burn::module::{AutodiffModule as _, Module};
use burn::nn::loss::{MseLoss, Reduction};
use burn::nn::{Dropout, DropoutConfig, Gelu, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, GradientsParams, Optimizer, SgdConfig};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor, TensorData};

use super::cpu::level::{Level, forced::with_level};
use super::{Cpu, with_random};
use blake3::Hash;

use crate::hasher::DomainHasher;
use crate::rng::{CounterRng, Stream};

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

/// BLAKE3 of all parameters after five steps.
fn trained(mut optimizer: impl Optimizer<Model<TrainingBackend>, TrainingBackend>) -> Hash {
    let device = Default::default();
    let rng = |stream, step| CounterRng::new(2025, stream, step);
    // `fork` makes the parameters, which Burn would else put off until their first use, in another scope.
    let mut model = with_random(rng(Stream::INIT, 0), || Model::<TrainingBackend>::new(&device).fork(&device));
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

fn digest<B: Backend>(model: &Model<B>) -> Hash {
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

fn on_threads<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(body)
}

#[test]
fn training_gives_the_golden_bits_on_any_number_of_threads_and_any_instruction_set() {
    for level in Level::available() {
        for threads in [1, 2, 5, 16] {
            let sgd = SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init();
            assert_eq!(
                on_threads(threads, || with_level(level, || trained(sgd))).to_string(),
                "bc05b7b522e3bc85f995c8f8f983c5600b9f07a2f7ceb3ed1c914ecde7859321",
                "{level:?}, {threads} threads: a changed bit is a new NUMERICS_VERSION and a CHANGELOG line"
            );
        }
    }
}

#[test]
fn adam_gives_the_same_bits_on_any_number_of_threads() {
    // No golden bits: Burn's Adam takes its bias correction from the host's `powi`, which Rust does not specify.
    let digests = [1, 2, 5, 16].map(|threads| on_threads(threads, || trained(AdamConfig::new().init())));
    assert_eq!(digests, [digests[0]; 4]);
}

fn is_autodiff<B: AutodiffBackend>() {}

#[test]
fn the_decorator_can_be_differentiated() {
    is_autodiff::<TrainingBackend>();
}
