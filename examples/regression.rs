//! A model and data of your own: fit sin(x) with a two-layer network, twice, and see that the bits are the same.
//!
//! `cargo run --release --no-default-features --features engine --example regression`

use std::{error::Error, ops::ControlFlow, time::Duration};

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData, activation};
use burn::{module::Module, nn::Linear, nn::LinearConfig};
use spectramind::engine::settings::{LoggerSettings, OptimizerSettings, TrainerSettings};
use spectramind::engine::task::{Draws, Metric, Moment, Split, Task, TaskError};
use spectramind::engine::{PortableCpu, fit::Event, fit::FitPlan, fit::fit, run_dir::RunDirectory};

#[derive(Module, Debug)]
struct Net<B: Backend> {
    hidden: Linear<B>,
    out: Linear<B>,
}

impl<B: Backend> Net<B> {
    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        self.out.forward(activation::tanh(self.hidden.forward(x)))
    }
}

struct Sine(Vec<String>);

fn points<B: Backend>(samples: &[usize], device: &B::Device) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let x: Vec<f32> = samples.iter().map(|&i| i as f32 / 32.0 - 1.0).collect();
    let y = x.iter().map(|&x| libm::sin(3.0 * f64::from(x)) as f32).collect();
    let column = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [samples.len(), 1]), device);
    (column(x), column(y))
}

impl Task for Sine {
    type Model<B: AutodiffBackend> = Net<B>;
    type Batch = Vec<usize>;

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Net<B> {
        Net { hidden: LinearConfig::new(1, 16).init(device), out: LinearConfig::new(16, 1).init(device) }
    }
    fn sample_ids(&self, _: Split) -> &[String] {
        &self.0
    }
    fn batch(&self, _: Split, samples: &[usize], _: Draws) -> Vec<usize> {
        samples.to_vec()
    }
    fn loss<B: AutodiffBackend>(&self, net: &Net<B>, batch: &Vec<usize>, _: Moment, on: &B::Device) -> Tensor<B, 1> {
        let (x, y) = points(batch, on);
        (net.forward(x) - y).square().sum()
    }
    fn evaluate<B: AutodiffBackend>(
        &self,
        model: &Net<B::InnerBackend>,
        _: Split,
        samples: &[usize],
        _: Draws,
        device: &B::Device,
    ) -> Result<Vec<Metric>, TaskError> {
        let (x, y) = points(samples, device);
        let worst = (model.forward(x) - y).abs().max().into_data().into_vec::<f32>()?[0];
        Ok(vec![Metric { name: "worst".into(), value: f64::from(worst) }])
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let trainer = TrainerSettings { max_epochs: 600, early_stopping: None, ..TrainerSettings::default() }.check()?;
    let task = Sine((0..64).map(|i| i.to_string()).collect());
    let (folder, device) = (tempfile::tempdir()?, Default::default());
    let optimizer = OptimizerSettings { lr: 0.03, ..OptimizerSettings::default() };
    let observer = &mut |_: Event<'_>| ControlFlow::Continue(());
    let plan = FitPlan::new(&trainer, optimizer, 16, &|| Duration::ZERO);
    for name in ["first", "second"] {
        let mut run = RunDirectory::create(&folder.path().join(name), LoggerSettings::NONE)?;
        let done = fit::<PortableCpu, _>(&task, &plan, None, &mut run, observer, &device)?;
        println!("{name}: {} steps, {:?}, step root {}", done.steps, done.metrics, run.step_log().root());
    }
    Ok(())
}
