//! An unmodified Burn model trains to the same bits on every backend.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use spectramind::burn;
use spectramind::digest::{Blake3Digest, DomainHasher};
use spectramind::engine::device::{Job, Kind, devices};
use spectramind::engine::repro::with_random;
use spectramind::engine::rng::{CounterRng, Stream};

use crate::network::{Network, batch};
use crate::sandbox::{Sandbox, vulkan};

/// Digest of every float of a model, running statistics too, in the order of declaration.
fn digest<B: Backend>(model: &Network<B>) -> Blake3Digest {
    struct Hasher(DomainHasher);
    impl<B: Backend> ModuleVisitor<B> for Hasher {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let values = param.val().into_data().to_vec::<f32>().expect("parameters are f32");
            assert!(values.iter().all(|value| value.is_finite()), "training diverged");
            self.0.field(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
        }
    }
    let mut hasher = Hasher(DomainHasher::new("spectramind/test/network/v1"));
    model.visit(&mut hasher);
    hasher.0.finish()
}

/// The digests of the model after each step.
fn train<B: AutodiffBackend>(device: &B::Device, steps: u32) -> Vec<Blake3Digest> {
    let rng = |stream, step| CounterRng::new(7, stream, step);
    let mut model = with_random(rng(Stream::INIT, 0), || Network::<B>::new(device).fork(device));
    let mut optimizer = AdamConfig::new().init();
    (0..steps)
        .map(|step| {
            let gradients = with_random(rng(Stream::STEP, step), || {
                let (images, classes) = batch(8, device);
                model.loss(images, classes).backward()
            });
            let gradients = GradientsParams::from_grads(gradients, &model);
            model = optimizer.step(1e-3, model.clone(), gradients);
            digest(&model)
        })
        .collect()
}

/// Fails at the first step that differs.
#[track_caller]
fn assert_same_steps(got: &[Blake3Digest], expected: &[Blake3Digest], what: &str) {
    for (step, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got, expected, "{what}: step {step}");
    }
    assert_eq!(got.len(), expected.len());
}

struct Training {
    steps: u32,
}

impl Job for Training {
    type Output = Vec<Blake3Digest>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Vec<Blake3Digest> {
        train::<B>(device, self.steps)
    }
}

#[test]
fn a_burn_model_trains_to_the_same_bits_on_every_device() {
    let steps = 30;
    let expected = devices(Kind::Cpu).expect("the CPU")[0].run(Training { steps });
    for device in vulkan() {
        assert_same_steps(&device.run(Training { steps }), &expected, &device.to_string());
    }
}

#[test]
fn a_disputed_step_is_the_same_on_vulkan_op_by_op() {
    if vulkan().is_empty() {
        return;
    }
    let sandbox = Sandbox::with_data();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
    let outcome = sandbox.verify(&["dispute", "run", "--step", "5", "--against", "wgpu"]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    let said =
        "every tensor of step 5 but those inside of the update, which is made by other ops there, is the same on";
    assert!(outcome.stdout.contains(said), "{}", outcome.stdout);
}
